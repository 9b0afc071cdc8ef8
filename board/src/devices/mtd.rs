//! A raw flash chip behind Linux's MTD character device.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use flash::{Fault, Flash, Geometry};
use rustix::fs::OFlags;

use super::io::{fault_of, locked, open, read_exact, write_all};
use super::reader::{FdReader, Reader};
use super::{Device, OpenError};
use crate::sys;

/// Types of `mtd_info_user` (mtd-abi.h) that write what they are told where they are told.
const MTD_RAM: u8 = 1;
const MTD_NORFLASH: u8 = 3;
const MTD_DATAFLASH: u8 = 6;

/// Smallest unit to program: chips that write single bytes would make every record a unit of its own.
const UNIT_MIN: u32 = 256;

/// An MTD character device. NAND is refused: its bad blocks need a layer of their own (UBI).
#[derive(Debug)]
pub struct Mtd {
    chip: Arc<OwnedFd>,
    geometry: Geometry,
}

impl Mtd {
    /// Opens a chip and locks it.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let chip = open(path, OFlags::RDWR)?;
        let info = sys::mtd_info(chip.as_fd())
            .map_err(|_| OpenError::unfit(path, "it is neither a file nor a storage device"))?;
        if !matches!(info.kind, MTD_RAM | MTD_NORFLASH | MTD_DATAFLASH) {
            return Err(OpenError::unfit(
                path,
                "chips of its type have bad blocks, which nothing here manages",
            ));
        }
        locked(path, &chip)?;
        let write_size = info.write_size.max(UNIT_MIN);
        if info.erase_size == 0 || !info.erase_size.is_multiple_of(write_size) {
            return Err(OpenError::unfit(path, "its erase blocks are too small"));
        }
        let capacity = u64::from(info.size - info.size % info.erase_size);
        Ok(Self {
            chip: Arc::new(chip),
            geometry: Geometry { capacity, write_size, erase_size: info.erase_size },
        })
    }
}

impl Device for Mtd {
    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(FdReader {
            geometry: self.geometry,
            base: 0,
            cached: Arc::clone(&self.chip),
            // The character device has no cache to pass.
            direct: None,
            nowait: AtomicBool::new(true),
        })
    }
}

impl Flash for Mtd {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&mut self, offset: u64, out: &mut [u8]) -> Result<(), Fault> {
        self.geometry.check_read(offset, out.len() as u64)?;
        read_exact(&self.chip, offset, out)
    }

    fn program(&mut self, offset: u64, units: &[u8]) -> Result<(), Fault> {
        self.geometry.check_program(offset, units.len() as u64)?;
        write_all(&self.chip, offset, units)
    }

    fn erase(&mut self, offset: u64, len: u64) -> Result<(), Fault> {
        self.geometry.check_erase(offset, len)?;
        let mut at = offset;
        while at < offset + len {
            let block = u32::try_from(at).map_err(|_| Fault::Misuse)?;
            sys::mtd_erase(self.chip.as_fd(), block, self.geometry.erase_size).map_err(fault_of)?;
            at += u64::from(self.geometry.erase_size);
        }
        Ok(())
    }

    /// The driver returns from a write when the chip has it.
    fn barrier(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}
