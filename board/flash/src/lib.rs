//! The flash port: what the mailbox log needs of a device, and what a device may do to it.
//!
//! Two traits, because two different things are asked for. [`Flash`] is a device: it blocks, and speaks the
//! vocabulary of `embedded_storage::nor_flash` (read, program, erase; write size and erase size) with 64-bit
//! offsets and a [`barrier`](Flash::barrier). [`FlashQueue`] is what the store drives: the same device behind a
//! bounded queue, so that nobody who serves the network ever waits for it. This crate imports nothing of the house.

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod nor;
mod queue;
#[cfg(any(test, feature = "simulator"))]
pub mod simulator;

pub use nor::Nor;
pub use queue::{BarrierId, Direct, FlashQueue, Ledger, QueueError, ReadError};

/// The measures of a device, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Size of the device; a multiple of `erase_size`.
    pub capacity: u64,
    /// Smallest unit that can be programmed. Offsets and lengths of [`Flash::program`] are multiples of it.
    pub write_size: u32,
    /// Smallest unit that can be erased; a multiple of `write_size`.
    pub erase_size: u32,
}

impl Geometry {
    /// Whether `len` bytes from `offset` lie inside the device.
    ///
    /// # Errors
    /// [`Fault::Misuse`].
    pub const fn check_read(&self, offset: u64, len: u64) -> Result<(), Fault> {
        match offset.checked_add(len) {
            Some(end) if end <= self.capacity => Ok(()),
            _ => Err(Fault::Misuse),
        }
    }

    /// Whether `len` bytes may be programmed at `offset`: whole units, at least one, inside one erase block.
    ///
    /// # Errors
    /// [`Fault::Misuse`].
    pub fn check_program(&self, offset: u64, len: u64) -> Result<(), Fault> {
        self.check_read(offset, len)?;
        let (unit, block) = (u64::from(self.write_size), u64::from(self.erase_size));
        let whole = len > 0 && offset.is_multiple_of(unit) && len.is_multiple_of(unit);
        if whole && offset / block == (offset + len - 1) / block { Ok(()) } else { Err(Fault::Misuse) }
    }

    /// Whether `len` bytes may be erased at `offset`: whole erase blocks.
    ///
    /// # Errors
    /// [`Fault::Misuse`].
    pub fn check_erase(&self, offset: u64, len: u64) -> Result<(), Fault> {
        self.check_read(offset, len)?;
        let block = u64::from(self.erase_size);
        if offset.is_multiple_of(block) && len.is_multiple_of(block) { Ok(()) } else { Err(Fault::Misuse) }
    }
}

/// Why a device did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The device failed. After a failed program or barrier nothing since the last good barrier may be trusted.
    Io,
    /// The device takes no more writes at all (cards do this at the end of their life).
    ReadOnly,
    /// There is no room behind the device: a sparse file on a disk that is full. Nothing is wrong with the block.
    NoRoom,
    /// The caller broke the contract: outside the device, not aligned, or programming a unit twice. A bug of ours.
    Misuse,
}

impl core::fmt::Display for Fault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Io => "the flash device reported an error",
            Self::ReadOnly => "the flash device takes no more writes",
            Self::NoRoom => "the disk that holds the flash is full",
            Self::Misuse => "the flash was used against its contract (a bug)",
        })
    }
}

impl core::error::Error for Fault {}

/// A flash device that blocks until it is done.
///
/// # What the device promises
/// - A unit of `write_size` bytes that was programmed before a [`barrier`](Flash::barrier) that returned `Ok` reads
///   back as it was programmed, whatever happens to the power afterwards.
/// - It touches no unit that it was not asked to program or erase.
///
/// # What the device may do
/// - When power fails, every unit programmed and every block erased since the last good barrier may, each for itself
///   and in any order, hold its old content, its new content, or anything else, in whole or in parts.
/// - An erased block may read as anything: cards and files do not really erase. Only [`Flash::program`] after
///   [`Flash::erase`] gives a unit a known content.
///
/// # What the caller may never do
/// - Program a unit twice without an erase of its block between.
/// - Rely on an erase that no good barrier followed before the power failed: erase again before programming.
/// - Rely on `0xFF`, on zeros, or on a discard.
/// - Retry a barrier that failed: on Linux the second `fdatasync` says `Ok` for data that is lost.
pub trait Flash {
    /// The device's measures; they never change while it is open.
    fn geometry(&self) -> Geometry;

    /// Fills `out` from `offset`; any alignment.
    ///
    /// # Errors
    /// [`Fault::Io`] when the medium cannot be read there, [`Fault::Misuse`] outside the device.
    fn read(&mut self, offset: u64, out: &mut [u8]) -> Result<(), Fault>;

    /// Writes `units` at `offset`; both multiples of the write size, inside one erase block.
    ///
    /// # Errors
    /// Any [`Fault`]; the units concerned then hold anything.
    fn program(&mut self, offset: u64, units: &[u8]) -> Result<(), Fault>;

    /// Makes `len` bytes from `offset` programmable again; both multiples of the erase size.
    ///
    /// # Errors
    /// Any [`Fault`]; the blocks concerned then hold anything.
    fn erase(&mut self, offset: u64, len: u64) -> Result<(), Fault>;

    /// Returns `Ok` once everything programmed and erased so far survives a power cut.
    ///
    /// # Errors
    /// Any [`Fault`]: what was programmed since the last good barrier may be lost, now or later, silently.
    fn barrier(&mut self) -> Result<(), Fault>;
}
