//! Any `embedded_storage` NOR chip as a [`Flash`].

use embedded_storage::nor_flash::{NorFlash, NorFlashError, NorFlashErrorKind};

use crate::{Fault, Flash, Geometry};

/// A NOR chip behind the house's trait.
///
/// Such chips write at once, so a barrier has nothing to wait for. Their offsets are 32 bits wide: what lies beyond
/// 4 GiB is refused. Their reads may ask for alignment (`READ_SIZE`); this adapter reads around it.
#[derive(Clone, Debug)]
pub struct Nor<T> {
    chip: T,
}

/// Reads that the chip wants aligned go through a buffer of this size; every known chip's `READ_SIZE` divides it.
const BOUNCE: usize = 256;

impl<T: NorFlash> Nor<T> {
    /// Takes `chip`.
    ///
    /// # Errors
    /// [`Fault::Misuse`] when its measures cannot be used: sizes of zero or that do not divide one another.
    pub fn new(chip: T) -> Result<Self, Fault> {
        let sound = T::WRITE_SIZE > 0
            && T::READ_SIZE > 0
            && T::ERASE_SIZE.is_multiple_of(T::WRITE_SIZE)
            && BOUNCE.is_multiple_of(T::READ_SIZE)
            && T::ERASE_SIZE > 0
            && chip.capacity().is_multiple_of(T::ERASE_SIZE)
            && u32::try_from(T::ERASE_SIZE).is_ok();
        if sound { Ok(Self { chip }) } else { Err(Fault::Misuse) }
    }

    /// Gives the chip back.
    pub fn into_chip(self) -> T {
        self.chip
    }

    /// Reads `out.len()` bytes at `offset` by one aligned read into a buffer; both fit in [`BOUNCE`].
    fn read_around(&mut self, offset: u32, out: &mut [u8]) -> Result<(), Fault> {
        let unit = T::READ_SIZE as u32;
        let start = offset - offset % unit;
        let skip = (offset - start) as usize;
        let len = (skip + out.len()).next_multiple_of(T::READ_SIZE);
        let mut bounce = [0; BOUNCE];
        let aligned = bounce.get_mut(..len).ok_or(Fault::Misuse)?;
        self.chip.read(start, aligned).map_err(fault)?;
        out.copy_from_slice(aligned.get(skip..skip + out.len()).ok_or(Fault::Misuse)?);
        Ok(())
    }
}

impl<T: NorFlash> Flash for Nor<T> {
    fn geometry(&self) -> Geometry {
        Geometry {
            capacity: self.chip.capacity() as u64,
            write_size: T::WRITE_SIZE as u32,
            erase_size: T::ERASE_SIZE as u32,
        }
    }

    fn read(&mut self, offset: u64, out: &mut [u8]) -> Result<(), Fault> {
        self.geometry().check_read(offset, out.len() as u64)?;
        let mut at = narrow(offset)?;
        if (at as usize).is_multiple_of(T::READ_SIZE) && out.len().is_multiple_of(T::READ_SIZE) {
            return self.chip.read(at, out).map_err(fault);
        }
        for piece in out.chunks_mut(BOUNCE - T::READ_SIZE + 1) {
            self.read_around(at, piece)?;
            at += piece.len() as u32;
        }
        Ok(())
    }

    fn program(&mut self, offset: u64, units: &[u8]) -> Result<(), Fault> {
        self.geometry().check_program(offset, units.len() as u64)?;
        self.chip.write(narrow(offset)?, units).map_err(fault)
    }

    fn erase(&mut self, offset: u64, len: u64) -> Result<(), Fault> {
        self.geometry().check_erase(offset, len)?;
        self.chip.erase(narrow(offset)?, narrow(offset + len)?).map_err(fault)
    }

    fn barrier(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

fn narrow(offset: u64) -> Result<u32, Fault> {
    u32::try_from(offset).map_err(|_| Fault::Misuse)
}

fn fault(error: impl NorFlashError) -> Fault {
    match error.kind() {
        NorFlashErrorKind::NotAligned | NorFlashErrorKind::OutOfBounds => Fault::Misuse,
        _ => Fault::Io,
    }
}

#[cfg(test)]
#[path = "nor_tests.rs"]
mod tests;
