//! Reads beside the writer: from memory at once, from the page cache with a wait, from the medium itself.

use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flash::{Fault, Flash, Geometry, ReadError};
use rustix::fs::{Advice, fadvise};
use rustix::io::{Errno, IoSliceMut, ReadWriteFlags, preadv2};

use super::aligned::Aligned;
use super::io::{fault_of, read_exact, read_up_to};
use crate::limits::{DIRECT_ALIGN, SCRATCH_BYTES};

/// Reads a device that another thread writes. Offsets count from the start of the device.
pub trait Reader: Send + Sync {
    /// Fills `out` if its bytes are in memory; never waits for the medium.
    ///
    /// # Errors
    /// [`ReadError::Cold`] when it would have to wait.
    fn read_now(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError>;

    /// Fills `out`, waits for the medium, and leaves the bytes in memory for [`read_now`](Self::read_now).
    ///
    /// # Errors
    /// The device's [`Fault`].
    fn read_waiting(&self, offset: u64, out: &mut [u8]) -> Result<(), Fault>;

    /// Fills `out` from the medium itself, past every cache that can be passed.
    ///
    /// # Errors
    /// The device's [`Fault`].
    fn read_medium(&self, offset: u64, out: &mut [u8]) -> Result<(), Fault>;
}

/// Reads through descriptors.
#[derive(Debug)]
pub(super) struct FdReader {
    pub(super) geometry: Geometry,
    /// Where the device begins in the file.
    pub(super) base: u64,
    /// Read through the page cache.
    pub(super) cached: Arc<OwnedFd>,
    /// Opened `O_DIRECT`, where that exists.
    pub(super) direct: Option<Arc<OwnedFd>>,
    /// The file knows `RWF_NOWAIT`. Files that do not are in memory (tmpfs) or cannot be helped.
    pub(super) nowait: AtomicBool,
}

impl FdReader {
    fn check(&self, offset: u64, out: &[u8]) -> Result<u64, Fault> {
        self.geometry.check_read(offset, out.len() as u64)?;
        Ok(self.base + offset)
    }

    /// One aligned read into a buffer for a piece that may lie anywhere.
    fn read_around(
        &self,
        direct: &OwnedFd,
        at: u64,
        out: &mut [u8],
        bounce: &mut Aligned,
    ) -> Result<(), Fault> {
        let start = at - at % DIRECT_ALIGN as u64;
        let skip = (at - start) as usize;
        let window = bounce.bytes_mut((skip + out.len()).next_multiple_of(DIRECT_ALIGN));
        // The last window may reach past the end of the file: what it has must only cover the piece.
        let got = read_up_to(direct, start, window, skip + out.len())?;
        out.copy_from_slice(window.get(skip..got.min(skip + out.len())).ok_or(Fault::Io)?);
        Ok(())
    }
}

impl Reader for FdReader {
    fn read_now(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        let at = self.check(offset, out).map_err(ReadError::Fault)?;
        if !self.nowait.load(Ordering::Relaxed) {
            return read_exact(&self.cached, at, out).map_err(ReadError::Fault);
        }
        let len = out.len();
        match preadv2(&*self.cached, &mut [IoSliceMut::new(out)], at, ReadWriteFlags::NOWAIT) {
            Ok(got) if got == len => Ok(()),
            Ok(_) | Err(Errno::AGAIN | Errno::INTR) => Err(ReadError::Cold),
            Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => {
                self.nowait.store(false, Ordering::Relaxed);
                read_exact(&self.cached, at, out).map_err(ReadError::Fault)
            }
            Err(errno) => Err(ReadError::Fault(fault_of(errno))),
        }
    }

    fn read_waiting(&self, offset: u64, out: &mut [u8]) -> Result<(), Fault> {
        let at = self.check(offset, out)?;
        read_exact(&self.cached, at, out)
    }

    fn read_medium(&self, offset: u64, out: &mut [u8]) -> Result<(), Fault> {
        let mut at = self.check(offset, out)?;
        let Some(direct) = &self.direct else {
            // Best effort: forget the clean pages, so that what follows comes from the medium.
            let _ = fadvise(&*self.cached, at, NonZeroU64::new(out.len() as u64), Advice::DontNeed);
            return read_exact(&self.cached, at, out);
        };
        let mut bounce =
            Aligned::new(SCRATCH_BYTES.min(out.len().next_multiple_of(DIRECT_ALIGN) + DIRECT_ALIGN));
        let piece_max = bounce.capacity() - DIRECT_ALIGN + 1;
        for piece in out.chunks_mut(piece_max) {
            self.read_around(direct, at, piece, &mut bounce)?;
            at += piece.len() as u64;
        }
        Ok(())
    }
}

/// Reads a device that has no second way in: its lock is shared with the writer, and a busy one counts as cold.
#[derive(Debug)]
pub(crate) struct Shared<F>(pub(crate) Arc<std::sync::Mutex<F>>);

impl<F: Flash + Send> Reader for Shared<F> {
    fn read_now(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        match self.0.try_lock() {
            Ok(mut device) => device.read(offset, out).map_err(ReadError::Fault),
            Err(_) => Err(ReadError::Cold),
        }
    }

    fn read_waiting(&self, offset: u64, out: &mut [u8]) -> Result<(), Fault> {
        self.0.lock().map_err(|_| Fault::Io)?.read(offset, out)
    }

    fn read_medium(&self, offset: u64, out: &mut [u8]) -> Result<(), Fault> {
        self.read_waiting(offset, out)
    }
}

impl<F: Flash> Flash for Shared<F> {
    fn geometry(&self) -> Geometry {
        // A poisoned lock means that the writer panicked inside the device; its measures are still true.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).geometry()
    }

    fn read(&mut self, offset: u64, out: &mut [u8]) -> Result<(), Fault> {
        self.0.lock().map_err(|_| Fault::Io)?.read(offset, out)
    }

    fn program(&mut self, offset: u64, units: &[u8]) -> Result<(), Fault> {
        self.0.lock().map_err(|_| Fault::Io)?.program(offset, units)
    }

    fn erase(&mut self, offset: u64, len: u64) -> Result<(), Fault> {
        self.0.lock().map_err(|_| Fault::Io)?.erase(offset, len)
    }

    fn barrier(&mut self) -> Result<(), Fault> {
        self.0.lock().map_err(|_| Fault::Io)?.barrier()
    }
}
