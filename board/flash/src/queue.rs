//! The queue in front of a device: how the store uses flash without ever waiting for it.

use crate::{Fault, Flash, Geometry};

/// Names a barrier; later barriers have greater ids. The first is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BarrierId(pub u64);

/// Why a read gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The bytes are not in memory: have them warmed off the loop, then read again.
    Cold,
    /// The device failed there.
    Fault(Fault),
}

/// Why the queue did not take a program, an erase or a barrier. Nothing of it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueError {
    /// The queue is full; there is room again once the device has caught up.
    Busy,
    /// The device failed earlier or refuses; see [`Fault`].
    Fault(Fault),
}

/// A device behind a bounded queue. No call blocks on the device.
///
/// Order: programs, erases and barriers reach the device in the order in which they were taken. A read sees
/// everything that was taken before it, whether or not it has reached the device.
///
/// A program or erase that fails on the device makes the next barrier fail; nothing is ever reported good that is
/// not. After a failed barrier the queue is still usable: what was queued behind it is dropped, and that barrier
/// and all behind it settle as failed.
pub trait FlashQueue {
    /// The device's measures.
    fn geometry(&self) -> Geometry;

    /// Fills `out` from `offset` if that needs no wait.
    ///
    /// # Errors
    /// [`ReadError::Cold`] when the device would have to be waited for, [`ReadError::Fault`] when it failed.
    fn read(&mut self, offset: u64, out: &mut [u8]) -> Result<(), ReadError>;

    /// Reads from the medium itself, past every cache, and waits for it. Only for mounting and for verifying what a
    /// failed barrier left behind; never while the network is served.
    ///
    /// # Errors
    /// The device's [`Fault`].
    fn read_through(&mut self, offset: u64, out: &mut [u8]) -> Result<(), Fault>;

    /// How many bytes [`program`](Self::program) would take now.
    fn room(&self) -> usize;

    /// Takes `units` to be programmed at `offset`; see [`Flash::program`] for the alignment.
    ///
    /// # Errors
    /// [`QueueError::Busy`] when `units` is longer than [`room`](Self::room) and the queue is not empty.
    fn program(&mut self, offset: u64, units: &[u8]) -> Result<(), QueueError>;

    /// Takes an erase; see [`Flash::erase`].
    ///
    /// # Errors
    /// [`QueueError`].
    fn erase(&mut self, offset: u64, len: u64) -> Result<(), QueueError>;

    /// Queues a barrier behind all that was taken so far.
    ///
    /// # Errors
    /// [`QueueError`].
    fn barrier(&mut self) -> Result<BarrierId, QueueError>;

    /// The next barrier that came to its end, oldest first, each reported once.
    fn settled(&mut self) -> Option<(BarrierId, Result<(), Fault>)>;
}

/// A [`FlashQueue`] that does everything at once on the caller's thread: for mounting tools, rescue and tests.
#[derive(Debug)]
pub struct Direct<F> {
    device: F,
    next: u64,
    fault: Option<Fault>,
    settled: alloc::collections::VecDeque<(BarrierId, Result<(), Fault>)>,
}

/// What [`Direct`] says its room is: it has no queue that could fill.
const DIRECT_ROOM: usize = 1 << 20;

impl<F: Flash> Direct<F> {
    /// Puts `device` behind a queue of length none.
    pub const fn new(device: F) -> Self {
        Self { device, next: 1, fault: None, settled: alloc::collections::VecDeque::new() }
    }

    /// The device.
    pub const fn device(&mut self) -> &mut F {
        &mut self.device
    }

    /// Gives the device back.
    pub fn into_device(self) -> F {
        self.device
    }

    fn note(&mut self, result: Result<(), Fault>) {
        if let Err(fault) = result {
            self.fault.get_or_insert(fault);
        }
    }
}

impl<F: Flash> FlashQueue for Direct<F> {
    fn geometry(&self) -> Geometry {
        self.device.geometry()
    }

    fn read(&mut self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        self.device.read(offset, out).map_err(ReadError::Fault)
    }

    fn read_through(&mut self, offset: u64, out: &mut [u8]) -> Result<(), Fault> {
        self.device.read(offset, out)
    }

    fn room(&self) -> usize {
        DIRECT_ROOM
    }

    fn program(&mut self, offset: u64, units: &[u8]) -> Result<(), QueueError> {
        let result = self.device.program(offset, units);
        self.note(result);
        Ok(())
    }

    fn erase(&mut self, offset: u64, len: u64) -> Result<(), QueueError> {
        let result = self.device.erase(offset, len);
        self.note(result);
        Ok(())
    }

    fn barrier(&mut self) -> Result<BarrierId, QueueError> {
        let id = BarrierId(self.next);
        self.next += 1;
        let result = match self.fault.take() {
            Some(fault) => Err(fault),
            None => self.device.barrier(),
        };
        self.settled.push_back((id, result));
        Ok(id)
    }

    fn settled(&mut self) -> Option<(BarrierId, Result<(), Fault>)> {
        self.settled.pop_front()
    }
}
