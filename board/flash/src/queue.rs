//! The queue in front of a device: how the store uses flash without ever waiting for it.

use alloc::collections::VecDeque;

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
/// not. What stands between the two does not reach the device: it would wait for a device that fails, and program what
/// could not be erased. What is taken between the failure of a barrier and its report by [`settled`](FlashQueue::settled) was meant
/// to stand on what is lost: it is dropped, and its barriers settle as failed too. From the report on the queue is
/// usable again; what the caller then programs is new.
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

    /// The next barrier that came to its end, oldest first, each reported once. A failure reported here is the
    /// caller's leave to go on with a clean queue.
    fn settled(&mut self) -> Option<(BarrierId, Result<(), Fault>)>;

    /// Where the program or erase began for which the barrier failed that [`settled`](Self::settled) reported last;
    /// `None` when it was the barrier itself that failed, or nobody knows.
    fn failed_at(&self) -> Option<u64> {
        None
    }
}

/// A [`FlashQueue`] that does everything at once on the caller's thread: for mounting tools, rescue and tests.
#[derive(Clone, Debug)]
pub struct Direct<F> {
    device: F,
    ledger: Ledger,
}

/// What [`Direct`] says its room is: it has no queue that could fill.
const DIRECT_ROOM: usize = 1 << 20;

impl<F: Flash> Direct<F> {
    /// Puts `device` behind a queue of length none.
    pub const fn new(device: F) -> Self {
        Self { device, ledger: Ledger::new() }
    }

    /// The device.
    pub const fn device(&mut self) -> &mut F {
        &mut self.device
    }

    /// Gives the device back.
    pub fn into_device(self) -> F {
        self.device
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
        self.device.geometry().check_program(offset, units.len() as u64).map_err(QueueError::Fault)?;
        if self.ledger.doomed().is_none() {
            let result = self.device.program(offset, units);
            self.ledger.note(offset, result);
        }
        Ok(())
    }

    fn erase(&mut self, offset: u64, len: u64) -> Result<(), QueueError> {
        self.device.geometry().check_erase(offset, len).map_err(QueueError::Fault)?;
        if self.ledger.doomed().is_none() {
            let result = self.device.erase(offset, len);
            self.ledger.note(offset, result);
        }
        Ok(())
    }

    fn barrier(&mut self) -> Result<BarrierId, QueueError> {
        let id = self.ledger.next_id();
        let device = &mut self.device;
        self.ledger.settle(id, || device.barrier());
        Ok(id)
    }

    fn settled(&mut self) -> Option<(BarrierId, Result<(), Fault>)> {
        self.ledger.report()
    }

    fn failed_at(&self) -> Option<u64> {
        self.ledger.failed_at()
    }
}

/// The books of a queue's barriers, shared by everything that implements [`FlashQueue`]: which failed, which are
/// still to be reported, and whether what comes now stands on something lost.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// Id of the next barrier.
    next: u64,
    /// The first program or erase that failed since the last barrier, and where it began.
    fault: Option<(u64, Fault)>,
    /// This barrier failed and the caller does not know yet.
    failed: Option<Failure>,
    /// Where that began for which the barrier failed that was reported last.
    failed_at: Option<u64>,
    settled: VecDeque<(BarrierId, Result<(), Fault>)>,
}

/// A barrier that failed, and where the operation began that it failed for.
#[derive(Clone, Copy, Debug)]
struct Failure {
    id: BarrierId,
    fault: Fault,
    at: Option<u64>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}

impl Ledger {
    /// Empty books.
    #[must_use]
    pub const fn new() -> Self {
        Self { next: 1, fault: None, failed: None, failed_at: None, settled: VecDeque::new() }
    }

    /// The id of the barrier that is taken now.
    pub const fn next_id(&mut self) -> BarrierId {
        let id = BarrierId(self.next);
        self.next += 1;
        id
    }

    /// Whether a failed barrier waits to be reported: everything queued and everything that comes must be dropped.
    #[must_use]
    pub const fn is_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Notes how a program or an erase that began at `offset` ended on the device.
    pub fn note(&mut self, offset: u64, result: Result<(), Fault>) {
        if let Err(fault) = result {
            self.fault.get_or_insert((offset, fault));
        }
    }

    /// What the next barrier must fail with before the device is even asked.
    #[must_use]
    pub fn doomed(&self) -> Option<Fault> {
        self.failed.map(|failure| failure.fault).or(self.fault.map(|(_, fault)| fault))
    }

    /// Ends barrier `id`: by what went wrong before it, otherwise with `device`, the device's own answer.
    pub fn settle(&mut self, id: BarrierId, device: impl FnOnce() -> Result<(), Fault>) {
        let result = match self.doomed() {
            Some(fault) => Err(fault),
            None => device(),
        };
        let at = self.fault.take().map(|(at, _)| at);
        if let Err(fault) = result {
            self.failed.get_or_insert(Failure { id, fault, at });
        }
        self.settled.push_back((id, result));
    }

    /// The next barrier to report, oldest first. The report of the barrier that failed ends the failure; those that
    /// failed only because they stood behind it do not end a later one.
    pub fn report(&mut self) -> Option<(BarrierId, Result<(), Fault>)> {
        let next = self.settled.pop_front()?;
        if let Some(failure) = self.failed.filter(|failure| failure.id == next.0) {
            self.failed = None;
            self.failed_at = failure.at;
        }
        Some(next)
    }

    /// Where that began for which the barrier failed that was reported last.
    #[must_use]
    pub const fn failed_at(&self) -> Option<u64> {
        self.failed_at
    }
}
