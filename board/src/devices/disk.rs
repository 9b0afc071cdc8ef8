//! Block devices and files as flash.
//!
//! Written past the page cache (`O_DIRECT`), because a page that the kernel failed to write back is afterwards
//! counted as written; read through the page cache on a second descriptor, which direct writes keep honest.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use flash::{Fault, Flash, Geometry};
use rustix::fs::{
    FileType, OFlags, SeekFrom, fcntl_getfl, fdatasync, fstat, ftruncate, ioctl_blksszget, seek,
};
use rustix::io::pread;

use super::aligned::{Aligned, is_aligned};
use super::io::{fault_of, locked, open, open_to_write, read_exact, takes_writes, write_all};
use super::reader::{FdReader, Reader};
use super::{Device, OpenError};
use crate::limits::{ERASE_BYTES, SCRATCH_BYTES, WRITE_BYTES};
use crate::sys;

/// The measures to use where the medium has none of its own, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Unit of programming: 4096, or 512 where the device writes such sectors whole.
    pub write_size: u32,
    /// Unit of erasing, a multiple of `write_size`.
    pub erase_size: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { write_size: WRITE_BYTES, erase_size: ERASE_BYTES }
    }
}

impl Settings {
    fn check(&self, path: &Path) -> Result<(), OpenError> {
        let (write, erase) = (self.write_size, self.erase_size);
        if write >= 512 && write.is_power_of_two() && erase > 0 && erase.is_multiple_of(write) {
            return Ok(());
        }
        let why = format!("write size {write} and erase size {erase} do not fit each other");
        Err(OpenError::unfit(path, why))
    }
}

/// A partition or a file.
#[derive(Debug)]
pub struct Disk {
    geometry: Geometry,
    base: u64,
    writer: OwnedFd,
    cached: Arc<OwnedFd>,
    direct: Option<Arc<OwnedFd>>,
    discard: bool,
    /// Nothing is written any more: it takes no writes, or a barrier failed where writes go through the page
    /// cache, and nothing can be trusted (STORE.md rule 4).
    lost: bool,
    bounce: Option<Aligned>,
}

impl Disk {
    /// Opens a whole block device or partition, and locks it.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn block(path: &Path, settings: &Settings) -> Result<Self, OpenError> {
        settings.check(path)?;
        let (direct, cached) = open_pair(path)?;
        let len = seek(&direct, SeekFrom::End(0)).map_err(|errno| OpenError::io("measure", path, errno))?;
        Self::inherited(path, direct, cached, 0..len, settings)
    }

    /// Takes two descriptors of one block device or file, of which `range` is the flash: `direct` opened read-write
    /// with `O_DIRECT` and locked by whoever opened it, `cached` opened for reading. `path` is for messages.
    ///
    /// # Errors
    /// [`OpenError::Unfit`] when the measures do not fit.
    pub fn inherited(
        path: &Path,
        direct: OwnedFd,
        cached: OwnedFd,
        range: std::ops::Range<u64>,
        settings: &Settings,
    ) -> Result<Self, OpenError> {
        settings.check(path)?;
        let stat = fstat(&direct).map_err(|errno| OpenError::io("look at", path, errno))?;
        let is_block = FileType::from_raw_mode(stat.st_mode) == FileType::BlockDevice;
        if is_block && ioctl_blksszget(&direct).is_ok_and(|sector| sector > settings.write_size) {
            return Err(OpenError::unfit(path, "its sectors are larger than the write size"));
        }
        if !range.start.is_multiple_of(u64::from(settings.write_size)) {
            return Err(OpenError::unfit(path, "it does not begin on a unit"));
        }
        let has_direct = fcntl_getfl(&direct).is_ok_and(|flags| flags.contains(OFlags::DIRECT));
        let lost = !takes_writes(&direct);
        if lost {
            log::error!("{} takes no writes: it is read and nothing else", path.display());
        }
        let direct_reader = if has_direct { direct.try_clone().ok().map(Arc::new) } else { None };
        Ok(Self {
            geometry: geometry(path, range.end.saturating_sub(range.start), settings)?,
            base: range.start,
            writer: direct,
            cached: Arc::new(cached),
            direct: direct_reader,
            discard: is_block,
            lost,
            bounce: None,
        })
    }

    /// Opens a file, creates it when absent, extends it (sparse) to `size` when shorter, and locks it. One that takes no
    /// writes is opened for reading.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn file(path: &Path, size: u64, settings: &Settings) -> Result<Self, OpenError> {
        settings.check(path)?;
        let size = size.checked_next_multiple_of(u64::from(settings.erase_size));
        let size = size.ok_or_else(|| OpenError::unfit(path, "no file can be as large as that"))?;
        let writer = open_to_write(path, OFlags::CREATE)?;
        locked(path, &writer)?;
        let stat = fstat(&writer).map_err(|errno| OpenError::io("look at", path, errno))?;
        let len = u64::try_from(stat.st_size).unwrap_or(0);
        if len < size {
            ftruncate(&writer, size).map_err(|errno| OpenError::io("extend", path, errno))?;
            // The new length is what the first barrier must not have to think of.
            rustix::fs::fsync(&writer).map_err(|errno| OpenError::io("extend", path, errno))?;
            sync_name(path);
        }
        let cached = open(path, OFlags::RDONLY)?;
        let direct = make_direct(&writer, settings.write_size);
        log::debug!("{}: written {}", path.display(), if direct { "directly" } else { "through the cache" });
        Self::inherited(path, writer, cached, 0..len.max(size), settings)
    }

    /// Whether writes pass the page cache.
    #[must_use]
    pub const fn is_direct(&self) -> bool {
        self.direct.is_some()
    }

    /// Writes units that lie anywhere, by way of a buffer that does not.
    fn write_bounced(&mut self, at: u64, units: &[u8]) -> Result<(), Fault> {
        let mut bounce = self.bounce.take().unwrap_or_else(|| Aligned::new(SCRATCH_BYTES));
        let mut result = Ok(());
        let mut offset = at;
        for piece in units.chunks(bounce.capacity()) {
            bounce.bytes_mut(piece.len()).copy_from_slice(piece);
            result = write_all(&self.writer, offset, bounce.bytes(piece.len()));
            if result.is_err() {
                break;
            }
            offset += piece.len() as u64;
        }
        self.bounce = Some(bounce);
        result
    }
}

impl Device for Disk {
    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(FdReader {
            geometry: self.geometry,
            base: self.base,
            cached: Arc::clone(&self.cached),
            direct: self.direct.clone(),
            nowait: AtomicBool::new(true),
        })
    }
}

impl Flash for Disk {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&mut self, offset: u64, out: &mut [u8]) -> Result<(), Fault> {
        self.geometry.check_read(offset, out.len() as u64)?;
        read_exact(&self.cached, self.base + offset, out)
    }

    fn program(&mut self, offset: u64, units: &[u8]) -> Result<(), Fault> {
        self.geometry.check_program(offset, units.len() as u64)?;
        if self.lost {
            return Err(Fault::ReadOnly);
        }
        if self.direct.is_none() || is_aligned(units) {
            write_all(&self.writer, self.base + offset, units)
        } else {
            self.write_bounced(self.base + offset, units)
        }
    }

    fn erase(&mut self, offset: u64, len: u64) -> Result<(), Fault> {
        self.geometry.check_erase(offset, len)?;
        if self.lost {
            return Err(Fault::ReadOnly);
        }
        // Best effort: it spares the card. Nobody relies on what an erased block holds. A file keeps its blocks,
        // so that programming it again needs no room and no journal.
        if self.discard && sys::block_discard(self.writer.as_fd(), self.base + offset, len).is_err() {
            self.discard = false;
        }
        Ok(())
    }

    fn barrier(&mut self) -> Result<(), Fault> {
        if self.lost {
            return Err(Fault::ReadOnly);
        }
        let result = fdatasync(&self.writer).map_err(fault_of);
        self.lost = result.is_err() && self.direct.is_none();
        result
    }
}

pub(super) fn geometry(path: &Path, len: u64, settings: &Settings) -> Result<Geometry, OpenError> {
    let erase = u64::from(settings.erase_size);
    let capacity = len - len % erase;
    if capacity == 0 {
        return Err(OpenError::unfit(path, format!("it is smaller than one erase block of {erase} bytes")));
    }
    Ok(Geometry { capacity, write_size: settings.write_size, erase_size: settings.erase_size })
}

/// Brings the name of a new file to the medium: a barrier of the file need not (fsync(2)). There are file systems that
/// sync no folders; they are told of and used.
fn sync_name(path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let result = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
    if let Err(error) = result {
        log::warn!("{} may lose its name in a power cut: {error}", path.display());
    }
}

/// Turns on `O_DIRECT` and tries whether it works for units of this size; file systems differ, and some only say so
/// at the first transfer.
fn make_direct(fd: &OwnedFd, write_size: u32) -> bool {
    let Ok(flags) = fcntl_getfl(fd) else { return false };
    if rustix::fs::fcntl_setfl(fd, flags | OFlags::DIRECT).is_err() {
        return false;
    }
    let mut unit = Aligned::new(write_size as usize);
    if pread(fd, unit.bytes_mut(write_size as usize), 0).is_ok() {
        return true;
    }
    // Where even this fails the flag stays set and is seen by the caller; every write will then say so.
    let _ = rustix::fs::fcntl_setfl(fd, flags);
    false
}

/// Opens the two descriptors of a block device for somebody else, locked: see [`Disk::inherited`].
pub(crate) fn open_pair(path: &Path) -> Result<(OwnedFd, OwnedFd), OpenError> {
    let direct = open_to_write(path, OFlags::DIRECT)?;
    locked(path, &direct)?;
    Ok((direct, open(path, OFlags::RDONLY)?))
}
