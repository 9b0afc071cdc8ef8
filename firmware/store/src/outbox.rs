//! Operations on their way into the device's queue, in order: what the queue has no room for waits here.
//!
//! Nearly always empty. It lets the log write a group or an extent as a whole: whoever wants to write more while
//! something waits here is told that the store is busy, so what it holds is bounded by one of each.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use flash::{BarrierId, Fault, FlashQueue, QueueError};

#[derive(Debug)]
enum Op {
    Erase(u64, u64),
    Program(u64, Vec<u8>),
    Barrier,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: VecDeque<Op>,
    /// The barrier that the queue has taken and not yet settled.
    barrier: Option<BarrierId>,
    /// The queue refused something for good. Everything is dropped until [`clear`](Self::clear).
    fault: Option<Fault>,
    /// Bytes programmed so far.
    programmed: u64,
}

impl Outbox {
    /// Whether everything has gone into the queue.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Bytes of programs that wait here.
    #[cfg(test)]
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.waiting.iter().map(|op| if let Op::Program(_, units) = op { units.len() } else { 0 }).sum()
    }

    /// What the queue refused with, if it did.
    pub(crate) const fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// The barrier in the queue.
    pub(crate) const fn barrier_id(&self) -> Option<BarrierId> {
        self.barrier
    }

    /// Bytes programmed in this run.
    pub(crate) const fn programmed(&self) -> u64 {
        self.programmed
    }

    /// The barrier has settled.
    pub(crate) const fn settled(&mut self) {
        self.barrier = None;
    }

    /// Drops what waits and forgets the fault.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.barrier = None;
        self.fault = None;
    }

    /// Erases `len` bytes from `offset`.
    pub(crate) fn erase<Q: FlashQueue>(&mut self, queue: &mut Q, offset: u64, len: u64) {
        if self.fault.is_none() {
            self.waiting.push_back(Op::Erase(offset, len));
            self.pump(queue);
        }
    }

    /// Programs `units` at `offset`, cut where erase blocks end.
    pub(crate) fn program<Q: FlashQueue>(&mut self, queue: &mut Q, mut offset: u64, mut units: &[u8]) {
        let block = u64::from(queue.geometry().erase_size.max(1));
        self.programmed += units.len() as u64;
        while !units.is_empty() && self.fault.is_none() {
            let rest = block - offset % block;
            let len = usize::try_from(rest).map_or(units.len(), |rest| rest.min(units.len()));
            let (piece, behind) = units.split_at(len);
            self.program_piece(queue, offset, piece);
            offset += len as u64;
            units = behind;
        }
    }

    fn program_piece<Q: FlashQueue>(&mut self, queue: &mut Q, offset: u64, piece: &[u8]) {
        if self.waiting.is_empty() {
            match queue.program(offset, piece) {
                Ok(()) => return,
                Err(QueueError::Busy) => {}
                Err(QueueError::Fault(fault)) => return self.fail(fault),
            }
        }
        self.waiting.push_back(Op::Program(offset, piece.to_vec()));
    }

    /// Queues a barrier. There is never a second one under way.
    pub(crate) fn barrier<Q: FlashQueue>(&mut self, queue: &mut Q) {
        if self.fault.is_none() {
            self.waiting.push_back(Op::Barrier);
            self.pump(queue);
        }
    }

    /// Moves as much as the queue takes.
    pub(crate) fn pump<Q: FlashQueue>(&mut self, queue: &mut Q) {
        while let Some(op) = self.waiting.front() {
            let result = match op {
                Op::Erase(offset, len) => queue.erase(*offset, *len),
                Op::Program(offset, units) => queue.program(*offset, units),
                Op::Barrier => queue.barrier().map(|id| self.barrier = Some(id)),
            };
            match result {
                Ok(()) => self.waiting.pop_front(),
                Err(QueueError::Busy) => return,
                Err(QueueError::Fault(fault)) => return self.fail(fault),
            };
        }
    }

    fn fail(&mut self, fault: Fault) {
        self.waiting.clear();
        self.fault = Some(fault);
    }
}
