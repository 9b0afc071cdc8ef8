//! The disk image: partition table and boot partition, the latter made by mtools so that `fsck.vfat` finds
//! nothing to say. What a host needs of a disk afterwards (put a file on its boot partition, take one out) is
//! here too.

use std::fs::{self, File, FileTimes};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use board::layout::{self, BOOT_LABEL, BOOT_VOLUME_ID, IMAGE_BYTES, SECTOR_BYTES};

use crate::limits::FILE_TIME_S;
use crate::run;

/// Sectors of a FAT cluster: 4 KiB, what cards and page caches work in. Boot has about 10,000 of them, which
/// is FAT16: every boot ROM reads that.
const CLUSTER_SECTORS: &str = "8";
/// Sectors before the first FAT. With them and two FATs of 40 sectors and a root folder of 32 the clusters
/// start at 64 KiB.
const RESERVED_SECTORS: &str = "16";

/// Writes a fresh disk image at `path` whose boot partition holds every file of `boot_files`, a flat folder.
pub(crate) fn write(path: &Path, boot_files: &Path) -> Result<()> {
    let make = || -> std::io::Result<()> {
        let mut file = File::create(path)?;
        file.write_all(&layout::fresh_mbr())?;
        file.set_len(IMAGE_BYTES)
    };
    make().with_context(|| format!("cannot write {}", path.display()))?;
    format_boot(path)?;
    copy_all(path, boot_files)
}

/// Puts a host's file on the boot partition of a disk or image, in place of the one of that name. The machine
/// must be off.
pub fn put_boot_file(disk: &Path, from: &Path, name: &str) -> Result<()> {
    run::output(mtools("mcopy", disk).arg("-o").arg(from).arg(format!("::{name}")))
        .map(drop)
        .with_context(|| format!("cannot put {name} on the boot partition of {}", disk.display()))
}

/// Takes a file off the boot partition of a disk or image.
pub fn take_boot_file(disk: &Path, name: &str, to: &Path) -> Result<()> {
    run::output(mtools("mcopy", disk).args(["-n", "-o"]).arg(format!("::{name}")).arg(to))
        .map(drop)
        .with_context(|| format!("cannot take {name} from the boot partition of {}", disk.display()))
}

/// The text of a file on the boot partition of a disk or image; `None` when there is no such file.
pub fn boot_text(disk: &Path, name: &str) -> Result<Option<String>> {
    let ended = run::try_output(mtools("mtype", disk).arg(format!("::{name}")))?;
    Ok(ended.status.success().then(|| String::from_utf8_lossy(&ended.stdout).into_owned()))
}

fn format_boot(path: &Path) -> Result<()> {
    let boot = layout::boot();
    let mut command = mtools("mformat", path);
    command.args([
        "-T",
        &(boot.len / SECTOR_BYTES).to_string(),
        "-H",
        &(boot.start / SECTOR_BYTES).to_string(),
    ]);
    command.args(["-h", "255", "-s", "63", "-c", CLUSTER_SECTORS, "-R", RESERVED_SECTORS]);
    command.args(["-N", &format!("{BOOT_VOLUME_ID:08x}"), "-v", BOOT_LABEL, "::"]);
    run::output(&mut command).map(drop).context("the boot partition cannot be formatted")
}

fn copy_all(path: &Path, boot_files: &Path) -> Result<()> {
    let listed =
        fs::read_dir(boot_files).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut files: Vec<_> = listed.with_context(|| format!("cannot read {}", boot_files.display()))?;
    files.sort();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(FILE_TIME_S.into());
    for file in &files {
        let opened = File::options().append(true).open(file);
        let set = opened.and_then(|opened| opened.set_times(FileTimes::new().set_modified(time)));
        set.with_context(|| format!("cannot set the time of {}", file.display()))?;
    }
    let mut command = mtools("mcopy", path);
    command.arg("-m").args(&files).arg("::");
    run::output(&mut command).map(drop).context("the boot partition cannot be filled")
}

/// An mtools program at work on the boot partition, which sees the same clock on every day and in every
/// place.
fn mtools(program: &str, disk: &Path) -> Command {
    let mut command = Command::new(program);
    let mut image = disk.as_os_str().to_owned();
    image.push(format!("@@{}", layout::boot().start));
    command.arg("-i").arg(image);
    command.env("SOURCE_DATE_EPOCH", FILE_TIME_S.to_string()).env("TZ", "UTC").env("LC_ALL", "C.UTF-8");
    // A person's own mtools settings would change what is written.
    command.env("MTOOLSRC", "/dev/null");
    command
}
