//! The box's disk: found by the signature in its first sector, completed at the first boot, grown when it can.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::control::FlashPart;
use crate::devices::open_pair;
use crate::layout::{self, Extent, LayoutError, Partition, SECTOR_BYTES, Sector, Table};
use crate::sys::{PartitionChange, change_partition};

/// The disk that carries a Tegami.
#[derive(Debug)]
pub(super) struct Disk {
    /// Its name, as in `mmcblk0`.
    name: String,
    file: File,
    bytes: u64,
    state: layout::Disk,
}

/// The flash partition, opened.
#[derive(Debug)]
pub(super) struct Flash {
    pub(super) part: FlashPart,
    pub(super) direct: OwnedFd,
    pub(super) cached: OwnedFd,
}

/// Why there is no flash.
#[derive(Debug)]
pub(super) enum DiskError {
    Layout(LayoutError),
    Open(String),
}

impl std::fmt::Display for DiskError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Layout(error) => error.fmt(f),
            Self::Open(error) => f.write_str(error),
        }
    }
}

/// Block devices that are never the box's disk.
const NOT_DISKS: [&str; 8] = ["loop", "ram", "zram", "mtdblock", "sr", "fd", "dm-", "md"];

/// The time that the kernel has to make a partition's device appear.
const NODE_WAIT: Duration = Duration::from_secs(2);

/// Looks through the disks that are there now; `None` when none of them is ours. A damaged table of ours is an error:
/// it must be reported, and nothing on it may be touched.
pub(super) fn find() -> Option<Result<Disk, DiskError>> {
    let mut names: Vec<String> = fs::read_dir("/sys/block")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !NOT_DISKS.iter().any(|other| name.starts_with(other)))
        .collect();
    names.sort();
    names.into_iter().find_map(|name| match open_disk(name) {
        Ok(disk) => Some(Ok(disk)),
        Err(
            DiskError::Layout(LayoutError::NotTegami | LayoutError::Unreadable { lba: 0 })
            | DiskError::Open(_),
        ) => None,
        Err(error) => Some(Err(error)),
    })
}

fn open_disk(name: String) -> Result<Disk, DiskError> {
    let path = format!("/dev/{name}");
    // A card at the end of its life takes no writes, and is still the box's.
    let file = File::options().read(true).write(true).open(&path).or_else(|_| File::open(&path));
    let file = file.map_err(|error| DiskError::Open(error.to_string()))?;
    let bytes = read_number(&format!("/sys/block/{name}/size")).unwrap_or(0) * SECTOR_BYTES;
    let state = layout::Disk::parse(bytes, |lba| read_sector(&file, lba)).map_err(DiskError::Layout)?;
    Ok(Disk { name, file, bytes, state })
}

fn read_sector(file: &File, lba: u64) -> Option<Sector> {
    let mut sector = [0; SECTOR_BYTES as usize];
    file.read_exact_at(&mut sector, lba.checked_mul(SECTOR_BYTES)?).ok()?;
    Some(sector)
}

impl Disk {
    /// For people.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The device of a partition.
    pub(super) fn partition(&self, partition: Partition) -> PathBuf {
        partition_path(&self.name, partition.number())
    }

    /// Whether everything is where it belongs, so that mail on it is kept.
    pub(super) const fn is_fresh(&self) -> bool {
        matches!(self.state, layout::Disk::Fresh)
    }

    /// Grows the table of a complete disk that has become larger. A fresh one waits for [`complete`](Self::complete).
    pub(super) fn grow(&mut self) {
        if self.is_fresh() {
            return;
        }
        if let Some(table) = self.state.grown(self.bytes) {
            match write_table(&self.file, &self.state, &table) {
                Ok(()) => {
                    log::info!("flash has grown to {} MiB", table.flash().len >> 20);
                    self.state = layout::Disk::Ready(table);
                }
                // The shorter partition is still there and serves.
                Err(error) => log::error!("the flash partition cannot grow: {error}"),
            }
        }
    }

    /// Opens the flash partition, locked. On a fresh disk it is where it will be, and nowhere in the table yet.
    pub(super) fn open_flash(&self) -> Result<Flash, DiskError> {
        let table = match self.state {
            layout::Disk::Ready(table) => table,
            layout::Disk::Fresh => Table::for_disk(self.bytes).map_err(DiskError::Layout)?,
        };
        let (path, start) = self.flash_device(table.flash());
        let (direct, cached) = open_pair(&path).map_err(|error| DiskError::Open(error.to_string()))?;
        let path = path.to_string_lossy().into_owned();
        let part = FlashPart { path, start, len: table.flash().len, is_fresh: self.is_fresh() };
        Ok(Flash { part, direct, cached })
    }

    /// The mail process has formatted the flash of a fresh disk: from now on it is kept.
    pub(super) fn complete(&mut self) -> io::Result<()> {
        if !self.is_fresh() {
            return Ok(());
        }
        let table = Table::for_disk(self.bytes).map_err(io::Error::other)?;
        write_table(&self.file, &self.state, &table)?;
        self.state = layout::Disk::Ready(table);
        Ok(())
    }

    /// The device to open, and where flash begins in it: its own partition where the kernel can be told of it, so that
    /// the mail process cannot reach the rest of the disk; otherwise the disk.
    fn flash_device(&self, extent: Extent) -> (PathBuf, u64) {
        match self.tell_kernel(Partition::Flash.number(), extent) {
            Ok(path) => (path, 0),
            Err(error) => {
                log::warn!("flash has no device of its own: {error}");
                (PathBuf::from(format!("/dev/{}", self.name)), extent.start)
            }
        }
    }

    /// Makes the kernel's idea of a partition that of the table, and waits for its device.
    fn tell_kernel(&self, number: u32, extent: Extent) -> io::Result<PathBuf> {
        let path = partition_path(&self.name, number);
        let device = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let attribute = |what| read_number(&format!("/sys/class/block/{device}/{what}"));
        let sectors = |bytes| Some(bytes / SECTOR_BYTES);
        if attribute("start") != sectors(extent.start) {
            change_partition(self.file.as_fd(), PartitionChange::Add, number, extent.start, extent.len)?;
        } else if attribute("size") != sectors(extent.len) {
            change_partition(self.file.as_fd(), PartitionChange::Resize, number, extent.start, extent.len)?;
        }
        let step = Duration::from_millis(10);
        let mut waited = Duration::ZERO;
        while !path.exists() {
            if waited >= NODE_WAIT {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(step);
            waited += step;
        }
        Ok(path)
    }
}

/// Writes a table, each sector behind a barrier: cut anywhere, the disk is what it was or complete.
fn write_table(file: &File, before: &layout::Disk, table: &Table) -> io::Result<()> {
    for (lba, sector) in table.writes_after(before) {
        file.write_all_at(&sector, lba * SECTOR_BYTES)?;
        file.sync_data()?;
    }
    Ok(())
}

/// `vda6`, but `mmcblk0p6`: a name that ends in a digit gets a `p` between.
fn partition_path(disk: &str, number: u32) -> PathBuf {
    let between = if disk.ends_with(|last: char| last.is_ascii_digit()) { "p" } else { "" };
    Path::new("/dev").join(format!("{disk}{between}{number}"))
}

fn read_number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::tests::on_disk;

    #[test]
    fn partitions_are_named_as_the_kernel_does() {
        for (disk, number, path) in
            [("vda", 6, "/dev/vda6"), ("mmcblk0", 1, "/dev/mmcblk0p1"), ("nvme0n1", 5, "/dev/nvme0n1p5")]
        {
            assert_eq!(partition_path(disk, number), Path::new(path));
        }
    }

    fn image(name: &str, bytes: u64) -> (PathBuf, Disk) {
        let path = on_disk(name);
        let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        file.set_len(bytes).unwrap();
        file.write_all_at(&layout::fresh_mbr(), 0).unwrap();
        let disk = Disk { name: "vda".into(), file, bytes, state: layout::Disk::Fresh };
        (path, disk)
    }

    fn reread(disk: &Disk) -> layout::Disk {
        layout::Disk::parse(disk.bytes, |lba| read_sector(&disk.file, lba)).unwrap()
    }

    #[test]
    fn a_fresh_disk_is_fresh_until_it_is_complete() {
        let (path, mut disk) = image("fresh", 512 << 20);
        assert!(disk.is_fresh());
        disk.grow();
        assert_eq!(reread(&disk), layout::Disk::Fresh, "nothing is written before the flash is formatted");
        disk.complete().unwrap();
        assert!(!disk.is_fresh());
        assert_eq!(reread(&disk), layout::Disk::Ready(Table::for_disk(512 << 20).unwrap()));
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_larger_disk_grows() {
        let (path, mut disk) = image("grow", 512 << 20);
        disk.complete().unwrap();
        disk.bytes = 1024 << 20;
        disk.file.set_len(disk.bytes).unwrap();
        disk.grow();
        assert_eq!(reread(&disk), layout::Disk::Ready(Table::for_disk(1024 << 20).unwrap()));
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_table_cut_off_anywhere_is_the_old_or_the_new_one() {
        let (path, mut disk) = image("cut", 1024 << 20);
        let small = Table::for_disk(512 << 20).unwrap();
        let large = Table::for_disk(1024 << 20).unwrap();
        for (before, table) in [(layout::Disk::Fresh, small), (layout::Disk::Ready(small), large)] {
            for writes in 0..=3 {
                disk.state = before;
                for (lba, sector) in table.writes_after(&before).into_iter().take(writes) {
                    disk.file.write_all_at(&sector, lba * SECTOR_BYTES).unwrap();
                }
                let found = reread(&disk);
                let done = layout::Disk::Ready(table);
                assert!(found == before || found == done, "{writes} writes: {found:?}");
                assert_eq!(writes == 3, found == done || writes == 3);
            }
        }
        fs::remove_file(path).unwrap();
    }
}
