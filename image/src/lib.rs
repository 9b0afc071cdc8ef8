//! Host tool: from this checkout to a disk image. Checks and installs the toolchain, cross-builds the
//! firmware, fetches the kernel and the loader, resolves modules, packs the initramfs, writes the image. Of
//! the firmware it knows nothing but how to build it; of board, only the disk layout (given on as
//! [`layout`]). Everything it makes or downloads lies below cargo's target folder.

mod board_file;
mod disk;
mod firmware;
mod gzip;
mod initramfs;
mod kernel;
pub mod limits;
mod modules;
mod packages;
pub mod paths;
pub mod run;
pub mod sha256;
pub mod toolchain;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};

use board_file::BoardFile;
use kernel::Kernel;
use limits::{FAST_FIRMWARE_BYTES_MAX, IMAGE_BYTES_MAX};
use packages::{Pins, WhenGone};

pub use board::layout;
pub use board_file::names as board_names;
pub use disk::{boot_text, put_boot_file, take_boot_file};
pub use firmware::Profile;

/// The kernel's name on the boot partition.
pub const KERNEL_FILE: &str = "kernel.gz";
/// The initramfs's name on the boot partition.
pub const INITRAMFS_FILE: &str = "initramfs.gz";
/// The kernel's command line, on the boot partition.
pub const COMMAND_LINE_FILE: &str = "cmdline.txt";
/// What the boot partition is made of, on the boot partition: two images are the same box when these are
/// equal.
pub const CONTENTS_FILE: &str = "contents.txt";

/// The program that becomes `/init`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// The firmware of this checkout, compiled so.
    Firmware(Profile),
    /// This static aarch64 program.
    File(PathBuf),
}

/// What to build.
#[derive(Clone, Debug)]
pub struct Build {
    /// Name of a file in `board/boards`, without its ending.
    pub board: String,
    /// What to run on it.
    pub program: Program,
    /// Refuse any package but the pinned one.
    pub pinned: bool,
    /// Where to write the image; below the target folder if not given.
    pub out: Option<PathBuf>,
}

/// An image on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The file.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Its checksum, 64 hexadecimal digits.
    pub sha256: String,
}

impl Build {
    /// Builds the image. One build runs at a time; others wait for it.
    pub fn run(&self) -> Result<Image> {
        let board = BoardFile::load(&self.board)?;
        let _cache = paths::lock()?;
        toolchain::for_packing()?;
        let (program, bytes_max, folder) = match &self.program {
            Program::Firmware(profile) => (
                firmware::build(&toolchain::for_firmware()?, *profile)?,
                profile.bytes_max(),
                format!("{}-{}", self.board, profile.name()),
            ),
            // However that was linked.
            Program::File(file) => (file.clone(), FAST_FIRMWARE_BYTES_MAX, format!("{}-given", self.board)),
        };
        firmware::check(&program, bytes_max)?;
        let folder = paths::cache().join(folder);
        self.stage(&board, &program, &folder.join("boot"))?;
        let default = folder.join(image_name(&self.board));
        let image = pack(&folder.join("boot"), self.out.as_deref().unwrap_or(&default))?;
        run::say(&format!("{} has {} bytes", image.path.display(), image.bytes));
        Ok(image)
    }

    /// Puts every file of the boot partition into a folder.
    fn stage(&self, board: &BoardFile, program: &Path, boot: &Path) -> Result<()> {
        run::say(&format!("packing {}", board.description));
        let pins = Pins::load()?;
        let when_gone = if self.pinned { WhenGone::Fail } else { WhenGone::TakeCurrent };
        let kernel = Kernel::open(packages::fetch(&pins, pins.get("kernel")?, when_gone)?)?;
        paths::make_empty_folder(boot)?;
        let mut made_of = vec![kernel.name().to_owned()];
        for loader in &board.loader {
            let package = packages::fetch(&pins, pins.get(&loader.package)?, when_gone)?;
            for file in &loader.files {
                copy_into(boot, &package.root.join(&loader.folder).join(file))?;
            }
            made_of.push(package.name);
        }
        for tree in &board.device_trees {
            copy_into(boot, &kernel.device_tree(tree))?;
        }
        for (name, text) in &board.boot_files {
            paths::write(&boot.join(name), text.as_bytes())?;
        }
        let modules = kernel.modules()?.resolve(&board.modules)?;
        paths::write(&boot.join(KERNEL_FILE), &kernel.packed()?)?;
        paths::write(&boot.join(INITRAMFS_FILE), &initramfs::pack(program, &modules, board)?)?;
        paths::write(&boot.join(COMMAND_LINE_FILE), format!("{}\n", board.command_line()).as_bytes())?;
        let contents = contents(&board.description, &made_of, boot)?;
        paths::write(&boot.join(CONTENTS_FILE), contents.as_bytes())
    }
}

/// The newest image of a board that was built without a path of its own.
pub fn newest(board: &str) -> Result<Image> {
    let entries =
        fs::read_dir(paths::cache()).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let mine = entries.filter(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&format!("{board}-")))
    });
    let built =
        mine.map(|folder| folder.join(image_name(board))).filter_map(|path| Some((modified(&path)?, path)));
    match built.max() {
        Some((_, path)) => describe(path),
        None => bail!("no image of the board {board} is built yet"),
    }
}

fn image_name(board: &str) -> String {
    format!("tegami-{board}.img")
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

fn copy_into(folder: &Path, file: &Path) -> Result<()> {
    let name = file.file_name().with_context(|| format!("{} is no file", file.display()))?;
    paths::write(&folder.join(name), &paths::read(file)?)
}

/// The list of a folder's files with their checksums, below what they come from.
fn contents(description: &str, made_of: &[String], folder: &Path) -> Result<String> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    let mut text = format!("Tegami for {description}\nmade of {}\n\n", made_of.join(", "));
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        text.push_str(&format!("{}  {name}\n", sha256::of_file(file)?));
    }
    Ok(text)
}

/// Writes the image beside its place and moves it there, so that a machine that is being made from the old
/// one sees it whole.
fn pack(boot: &Path, path: &Path) -> Result<Image> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    disk::write(&new, boot)?;
    fs::rename(&new, path).with_context(|| format!("cannot write {}", path.display()))?;
    let image = describe(path.to_path_buf())?;
    if image.bytes > IMAGE_BYTES_MAX {
        bail!("the image has {} bytes, and its budget is {IMAGE_BYTES_MAX}", image.bytes);
    }
    Ok(image)
}

fn describe(path: PathBuf) -> Result<Image> {
    let bytes = fs::metadata(&path).with_context(|| format!("cannot read {}", path.display()))?.len();
    let sha256 = sha256::of_file(&path)?;
    Ok(Image { path, bytes, sha256 })
}
