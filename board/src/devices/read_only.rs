//! A flash that is only looked at: a file or a block device opened for reading, so that nothing can be written to it,
//! be it by mistake or because the card takes no more writes.

use std::os::fd::OwnedFd;
use std::path::Path;

use flash::{BarrierId, Fault, FlashQueue, Geometry, QueueError, ReadError};
use rustix::fs::{Advice, FileType, OFlags, SeekFrom, fadvise, fstat, seek};

use super::OpenError;
use super::disk::{Settings, geometry};
use super::io::{locked, open, read_exact};

/// A device for tools that look at a store and wait for it. It takes no programs and no erases.
#[derive(Debug)]
pub struct ReadOnly {
    geometry: Geometry,
    file: OwnedFd,
}

impl ReadOnly {
    /// Opens a file, a block device or a partition for reading, and takes the lock that its writers take.
    ///
    /// # Errors
    /// [`OpenError`], among others when somebody has it open.
    pub fn open(path: &Path, settings: &Settings) -> Result<Self, OpenError> {
        // Without blocking: the name may be that of a pipe, which nobody writes to.
        let file = open(path, OFlags::RDONLY | OFlags::NONBLOCK)?;
        let stat = fstat(&file).map_err(|errno| OpenError::io("look at", path, errno))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile | FileType::BlockDevice => {}
            _ => return Err(OpenError::unfit(path, "it is neither a file nor a block device")),
        }
        locked(path, &file)?;
        let len = seek(&file, SeekFrom::End(0)).map_err(|errno| OpenError::io("measure", path, errno))?;
        Ok(Self { geometry: geometry(path, len, settings)?, file })
    }

    /// Has the system forget what it holds of the device in memory, as far as it can: what is read from now on comes
    /// from the medium.
    pub fn forget(&self) {
        // Best effort: where it fails, memory is read, as by everybody else.
        let _ = fadvise(&self.file, 0, None, Advice::DontNeed);
    }
}

impl FlashQueue for ReadOnly {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&mut self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        self.read_through(offset, out).map_err(ReadError::Fault)
    }

    fn read_through(&mut self, offset: u64, out: &mut [u8]) -> Result<(), Fault> {
        self.geometry.check_read(offset, out.len() as u64)?;
        read_exact(&self.file, offset, out)
    }

    fn room(&self) -> usize {
        0
    }

    fn program(&mut self, _: u64, _: &[u8]) -> Result<(), QueueError> {
        Err(QueueError::Fault(Fault::ReadOnly))
    }

    fn erase(&mut self, _: u64, _: u64) -> Result<(), QueueError> {
        Err(QueueError::Fault(Fault::ReadOnly))
    }

    fn barrier(&mut self) -> Result<BarrierId, QueueError> {
        Err(QueueError::Fault(Fault::ReadOnly))
    }

    fn settled(&mut self) -> Option<(BarrierId, Result<(), Fault>)> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::Disk;

    #[test]
    fn it_reads_refuses_to_write_and_keeps_writers_out() {
        let path = std::env::temp_dir().join(format!("tegami-read-only-{}", std::process::id()));
        std::fs::write(&path, vec![7; 1 << 20]).unwrap();
        let mut flash = ReadOnly::open(&path, &Settings::default()).unwrap();
        let mut bytes = [0; 100];
        flash.forget();
        flash.read(12_345, &mut bytes).unwrap();
        assert_eq!(bytes, [7; 100]);
        assert_eq!(flash.program(0, &[0; 4096]), Err(QueueError::Fault(Fault::ReadOnly)));
        assert!(flash.read(1 << 20, &mut bytes).is_err());
        let writer = Disk::file(&path, 0, &Settings::default());
        assert!(matches!(writer, Err(OpenError::Held { .. })), "{writer:?}");
        drop(flash);
        let writer = Disk::file(&path, 0, &Settings::default()).unwrap();
        let second = ReadOnly::open(&path, &Settings::default());
        assert!(matches!(second, Err(OpenError::Held { .. })), "{second:?}");
        drop(writer);
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(ReadOnly::open(&path, &Settings::default()), Err(OpenError::Io { .. })));
        assert!(!path.exists(), "looking made a file");
    }
}
