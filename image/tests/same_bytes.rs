//! Whole images of both boards, with a stand-in for the program: the same inputs give the same bytes,
//! whenever and wherever they are packed, and what is packed is what other implementations read.

use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use board::layout::{BOOT_VOLUME_ID, DISK_SIGNATURE, IMAGE_BYTES, boot};
use image::{Build, Image, Program};
use mbrman::MBR;

/// A folder of this test, deleted at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("tegami-{name}-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// The smallest thing that passes for a static aarch64 program: an ELF header alone.
    fn program(&self) -> Result<PathBuf> {
        let mut elf = [0_u8; 64];
        elf[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1]);
        elf[16..20].copy_from_slice(&[2, 0, 183, 0]);
        elf[20] = 1;
        elf[52] = 64;
        let path = self.0.join("program");
        fs::write(&path, elf)?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn build(board: &str, program: &Path, out: PathBuf) -> Result<Image> {
    let build = Build {
        board: board.to_owned(),
        program: Program::File(program.into()),
        pinned: false,
        out: Some(out),
    };
    build.run()
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    for board in image::board_names().unwrap() {
        let folder = Folder::new(&format!("same-{board}")).unwrap();
        let program = folder.program().unwrap();
        let first = build(&board, &program, folder.0.join("first.img")).unwrap();
        let long_ago = FileTimes::new().set_modified(SystemTime::now() - Duration::from_secs(1_000_000));
        File::options().append(true).open(&program).unwrap().set_times(long_ago).unwrap();
        let second = build(&board, &program, folder.0.join("second.img")).unwrap();
        assert_eq!(first.sha256, second.sha256, "{board}");
        assert_eq!(first.bytes, IMAGE_BYTES);
    }
}

#[test]
fn others_read_the_partition_table_and_find_no_fault_with_the_boot_partition() {
    let folder = Folder::new("fsck").unwrap();
    let image = build("rpi", &folder.program().unwrap(), folder.0.join("card.img")).unwrap();
    let table = MBR::read_from(&mut File::open(&image.path).unwrap(), 512).unwrap();
    assert_eq!(u32::from_le_bytes(table.header.disk_signature), DISK_SIGNATURE);
    let part = &table[1];
    assert_eq!(
        (u64::from(part.starting_lba) * 512, u64::from(part.sectors) * 512),
        (boot().start, boot().len)
    );
    assert!(part.is_active() && table[2].is_used() && table[3].is_used() && table[4].is_unused());

    let bytes = fs::read(&image.path).unwrap();
    let boot_only = folder.0.join("boot.fat");
    fs::write(&boot_only, &bytes[usize::try_from(boot().start).unwrap()..]).unwrap();
    assert_eq!(&bytes[boot().start as usize + 39..][..4], BOOT_VOLUME_ID.to_le_bytes());
    // fsck.vfat is not among what this tool installs: where it is, it must be content.
    if let Some(fsck) = image::run::find("fsck.vfat") {
        image::run::output(Command::new(fsck).arg("-n").arg(boot_only)).unwrap();
    }
}

#[test]
fn files_go_on_and_off_the_boot_partition() {
    let folder = Folder::new("boot-files").unwrap();
    let image = build("virt", &folder.program().unwrap(), folder.0.join("disk.img")).unwrap().path;
    assert_eq!(image::boot_text(&image, "tegami.toml").unwrap(), None);
    for text in ["version = 1\n", "version = 1\nlanguage = \"ja\"\n"] {
        fs::write(folder.0.join("provision"), text).unwrap();
        image::put_boot_file(&image, &folder.0.join("provision"), "tegami.toml").unwrap();
        assert_eq!(image::boot_text(&image, "tegami.toml").unwrap().as_deref(), Some(text));
    }
    let kernel = folder.0.join("kernel");
    image::take_boot_file(&image, image::KERNEL_FILE, &kernel).unwrap();
    assert!(fs::read(kernel).unwrap().starts_with(&[0x1f, 0x8b]));
    assert!(image::take_boot_file(&image, "nothing", &folder.0.join("x")).is_err());
}

#[test]
fn a_program_for_another_machine_is_refused() {
    let folder = Folder::new("other-machine").unwrap();
    let program = Program::File(std::env::current_exe().unwrap());
    let build = Build { board: "virt".to_owned(), program, pinned: false, out: Some(folder.0.join("x.img")) };
    let error = format!("{:#}", build.run().unwrap_err());
    assert!(error.contains("budget") || error.contains("not a static aarch64 program"), "{error}");
}
