//! The machine's disk: a file on the host, made from an image, kept or thrown away.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use image::layout::{Disk as Layout, FLASH_BYTES_MIN, FLASH_START, SECTOR_BYTES, Sector, Table};
use image::paths;

use crate::command::Board;

/// The provision file's name on the boot partition.
const PROVISION_FILE: &str = "tegami.toml";

/// What a disk has as its flash partition.
#[derive(Clone, Debug)]
pub(crate) enum Flash {
    /// At least so many bytes, 256 MiB if not said, empty where it is new: a disk that is larger stays as it is.
    Empty(Option<u64>),
    /// What is in this file; of a new disk only.
    Made(PathBuf),
}

impl Flash {
    /// How large it is to be, if that is said.
    fn bytes(&self) -> Result<Option<u64>> {
        match self {
            Self::Empty(bytes) => Ok(*bytes),
            Self::Made(file) => {
                let metadata = fs::metadata(file);
                Ok(Some(metadata.with_context(|| format!("cannot open {}", file.display()))?.len()))
            }
        }
    }
}

/// A disk that this process alone uses, until it is dropped.
pub(crate) struct Disk {
    path: PathBuf,
    /// Holds the lock.
    _file: File,
    is_temporary: bool,
}

impl Disk {
    /// Opens the disk at `path`, or makes it there from an image if there is none.
    pub(crate) fn open(path: &Path, image: &Path, board: Board, flash: &Flash) -> Result<Self> {
        let wanted = flash.bytes()?.unwrap_or(crate::FLASH_BYTES);
        if wanted < FLASH_BYTES_MIN {
            bail!("the flash must have at least {} MiB", FLASH_BYTES_MIN >> 20);
        }
        let is_new = fs::metadata(path).map_or(true, |metadata| metadata.len() == 0);
        match flash {
            Flash::Made(file) if !is_new => {
                bail!("{} exists: {} can be put on a new disk only", path.display(), file.display())
            }
            Flash::Made(file) => create(path, image, Some(file))?,
            Flash::Empty(_) if is_new => create(path, image, None)?,
            Flash::Empty(_) => {}
        }
        let file = File::options().read(true).write(true).open(path);
        let mut file = file.with_context(|| format!("cannot open the disk {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("the disk {} is in use by another machine", path.display())
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        let bytes = check(&mut file).with_context(|| format!("{} cannot be booted from", path.display()))?;
        let is_said = !matches!(flash, Flash::Empty(None));
        let least = if is_new || is_said { FLASH_START + wanted } else { 0 };
        grow(&file, board.disk_bytes(bytes.max(least)))
            .with_context(|| format!("cannot enlarge {}", path.display()))?;
        let disk = Self { path: path.to_path_buf(), _file: file, is_temporary: false };
        if !is_new {
            disk.renew_boot_files(image)?;
        }
        Ok(disk)
    }

    /// A disk that is deleted when dropped.
    pub(crate) fn temporary(image: &Path, board: Board, flash: &Flash, name: &str) -> Result<Self> {
        let folder = paths::cache().join("disks");
        paths::make_folder(&folder)?;
        let mut disk = Self::open(&folder.join(name), image, board, flash)?;
        disk.is_temporary = true;
        Ok(disk)
    }

    /// Its file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts a provision file on its boot partition.
    pub(crate) fn provision(&self, file: &Path) -> Result<()> {
        image::put_boot_file(&self.path, file, PROVISION_FILE)
    }

    /// Takes a file off its boot partition.
    pub(crate) fn take(&self, name: &str, folder: &Path) -> Result<PathBuf> {
        let to = folder.join(name);
        image::take_boot_file(&self.path, name, &to)?;
        Ok(to)
    }

    /// The kernel's command line that its boot partition has.
    pub(crate) fn command_line(&self) -> Result<String> {
        let text = image::boot_text(&self.path, image::COMMAND_LINE_FILE)?;
        let text =
            text.with_context(|| format!("{} has no {}", self.path.display(), image::COMMAND_LINE_FILE))?;
        Ok(text.trim().to_owned())
    }

    /// Brings what the image is made of onto an older disk; what the box and its owner put there stays.
    fn renew_boot_files(&self, image: &Path) -> Result<()> {
        let contents = |disk| image::boot_text(disk, image::CONTENTS_FILE);
        let wanted = contents(image)?
            .with_context(|| format!("{} has no {}", image.display(), image::CONTENTS_FILE))?;
        let present = contents(&self.path)?.unwrap_or_default();
        if present == wanted {
            return Ok(());
        }
        crate::say("the disk holds another build: putting the built one on its boot partition");
        let folder = self.path.with_extension("boot");
        paths::make_empty_folder(&folder)?;
        let names = file_lines(&wanted).filter(|line| !file_lines(&present).any(|old| old == *line));
        // The list comes last: cut off before it, the next start does this again.
        for name in names.filter_map(|line| line.split("  ").nth(1)).chain([image::CONTENTS_FILE]) {
            let file = folder.join(name);
            image::take_boot_file(image, name, &file)?;
            image::put_boot_file(&self.path, &file, name)?;
        }
        fs::remove_dir_all(&folder).with_context(|| format!("cannot delete {}", folder.display()))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_temporary {
            // Nothing depends on it; what stays is below the target folder.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The `checksum  name` lines of a list of contents.
fn file_lines(contents: &str) -> impl Iterator<Item = &str> {
    contents.lines().filter(|line| line.contains("  "))
}

/// Makes the disk beside its place and moves it there, so that a half-made one never boots.
fn create(path: &Path, image: &Path, flash: Option<&Path>) -> Result<()> {
    if let Some(folder) = path.parent() {
        paths::make_folder(folder)?;
    }
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{}", std::process::id()));
    let made = || -> Result<()> {
        fs::copy(image, &new)?;
        if let Some(flash) = flash {
            put_flash(&new, flash)?;
        }
        Ok(fs::rename(&new, path)?)
    };
    made().with_context(|| format!("cannot make the disk {}", path.display()))
}

/// Gives a disk that is as its image was the partitions that its first boot would make, and a flash that is in use.
fn put_flash(disk: impl AsRef<Path>, flash: &Path) -> Result<()> {
    let mut flash = File::open(flash)?;
    let bytes = flash.metadata()?.len();
    let table = Table::for_disk(FLASH_START + bytes)?;
    if table.flash().len != bytes {
        bail!("a flash of {bytes} bytes does not end where a partition can end");
    }
    let mut disk = File::options().write(true).open(disk)?;
    for (lba, sector) in table.writes_after(&Layout::Fresh) {
        disk.seek(SeekFrom::Start(lba * SECTOR_BYTES))?;
        disk.write_all(&sector)?;
    }
    disk.seek(SeekFrom::Start(FLASH_START))?;
    std::io::copy(&mut flash, &mut disk)?;
    Ok(())
}

/// Makes a file longer, never shorter.
fn grow(file: &File, bytes: u64) -> std::io::Result<()> {
    if file.metadata()?.len() < bytes { file.set_len(bytes) } else { Ok(()) }
}

/// Refuses what is no Tegami disk, or half a one, before QEMU starts with it. Gives its length.
fn check(file: &mut File) -> Result<u64> {
    let bytes = file.metadata()?.len();
    Layout::parse(bytes, |lba| read_sector(file, lba).ok())?;
    Ok(bytes)
}

fn read_sector(file: &mut File, lba: u64) -> std::io::Result<Sector> {
    let mut sector = [0; SECTOR_BYTES as usize];
    let at = lba.checked_mul(SECTOR_BYTES).ok_or(ErrorKind::InvalidInput)?;
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut sector)?;
    Ok(sector)
}

/// Deletes the throw-away disks of processes that were killed before they could.
pub(crate) fn sweep() {
    let entries = fs::read_dir(paths::cache().join("disks")).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.split(['-', '.']).next().unwrap_or_default().to_owned();
        if !Path::new("/proc").join(owner).exists() {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::layout;

    /// A fresh disk image without file systems: all that `check` looks at.
    fn image(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("tegami-disk-{name}-{}", std::process::id()));
        let mut file = File::create(&path).unwrap();
        file.write_all(&layout::fresh_mbr()).unwrap();
        file.set_len(layout::IMAGE_BYTES).unwrap();
        path
    }

    #[test]
    fn a_new_disk_has_the_flash_that_was_asked_for_and_one_owner() {
        let image = image("new");
        let path = image.with_extension("disk");
        let disk = Disk::open(&path, &image, Board::Virt, &Flash::Empty(Some(100 << 20))).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 356 << 20);
        let second = Disk::open(&path, &image, Board::Virt, &Flash::Empty(None)).err().unwrap().to_string();
        assert!(second.contains("in use by another machine"), "{second}");
        drop(disk);
        for file in [path, image] {
            fs::remove_file(file).unwrap();
        }
    }

    #[test]
    fn a_flash_that_was_made_before_is_on_a_new_disk_where_the_box_looks_for_it() {
        let image = image("made");
        let (path, flash) = (image.with_extension("disk"), image.with_extension("flash"));
        fs::write(&flash, vec![7; 64 << 20]).unwrap();
        let made = Flash::Made(flash.clone());
        drop(Disk::open(&path, &image, Board::Virt, &made).unwrap());
        let mut file = File::open(&path).unwrap();
        let bytes = file.metadata().unwrap().len();
        let Ok(Layout::Ready(table)) = Layout::parse(bytes, |lba| read_sector(&mut file, lba).ok()) else {
            panic!("it is not complete")
        };
        assert_eq!((bytes, table.flash().len), (320 << 20, 64 << 20));
        let last = read_sector(&mut file, bytes / SECTOR_BYTES - 1).unwrap();
        assert!(last.iter().all(|byte| *byte == 7));
        let again = Disk::open(&path, &image, Board::Virt, &made).err().unwrap().to_string();
        assert!(again.contains("on a new disk only"), "{again}");
        for file in [path, image, flash] {
            fs::remove_file(file).unwrap();
        }
    }

    #[test]
    fn a_disk_of_something_else_or_half_a_disk_is_refused() {
        let image = image("half");
        let open = |image: &Path| {
            Disk::open(image, image, Board::Virt, &Flash::Empty(None)).err().map(|error| format!("{error:#}"))
        };
        File::options().write(true).open(&image).unwrap().set_len(20 << 20).unwrap();
        assert!(open(&image).unwrap().contains("the disk has 20 MiB and needs 44 MiB"));
        fs::write(&image, [0; 4096]).unwrap();
        assert!(open(&image).unwrap().contains("not a Tegami disk"));
        fs::remove_file(image).unwrap();
    }

    #[test]
    fn a_flash_that_could_hold_nothing_is_refused() {
        let little = Flash::Empty(Some(1 << 20));
        let error = Disk::open(Path::new("x"), Path::new("y"), Board::Virt, &little).err().unwrap();
        assert!(error.to_string().contains("at least 64 MiB"));
    }
}
