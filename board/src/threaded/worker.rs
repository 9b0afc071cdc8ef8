//! The thread that the device belongs to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use flash::{BarrierId, Fault, Flash};

use super::Wake;
use super::queue::{Entry, Queue};

/// Carries out what is queued, in order.
pub(super) struct Worker<F> {
    device: F,
    queue: Arc<Queue>,
    barrier_delay: Duration,
    wake: Wake,
    /// Something reached the device since the last good barrier. True at first: what an earlier process left
    /// un-barriered looks like ours.
    dirty: bool,
}

impl<F: Flash> Worker<F> {
    pub(super) fn new(device: F, queue: Arc<Queue>, barrier_delay: Duration, wake: Wake) -> Self {
        Self { device, queue, barrier_delay, wake, dirty: true }
    }

    /// Works until the queue is stopped and empty.
    pub(super) fn run(mut self) {
        while let Some(entry) = self.queue.next() {
            match entry {
                Entry::Program(_) | Entry::Erase { .. } if self.is_doomed() => {
                    if self.queue.lock().finish() {
                        (self.wake)();
                    }
                }
                Entry::Program(piece) => {
                    let result = self.device.program(piece.offset, piece.bytes());
                    let (offset, bytes) = (piece.offset, piece.len as u64);
                    drop(piece);
                    self.finish(offset, result, |measures| {
                        measures.writes += 1;
                        measures.programmed_bytes += bytes;
                    });
                }
                Entry::Erase { offset, len } => {
                    let result = self.device.erase(offset, len);
                    self.finish(offset, result, |measures| measures.erases += 1);
                }
                Entry::Barrier(id) => self.barrier(id),
            }
        }
    }

    /// Whether the next barrier fails in any case.
    fn is_doomed(&self) -> bool {
        self.queue.lock().ledger.doomed().is_some()
    }

    fn finish(&mut self, offset: u64, result: Result<(), Fault>, count: impl FnOnce(&mut super::Measures)) {
        self.dirty = true;
        let mut state = self.queue.lock();
        if let (Err(fault), None) = (result, state.ledger.doomed()) {
            log::error!("flash at {offset}: {fault}; the next barrier fails");
        }
        state.ledger.note(offset, result);
        count(&mut state.measures);
        let wake = state.finish();
        drop(state);
        if wake {
            (self.wake)();
        }
    }

    fn barrier(&mut self, id: BarrierId) {
        let doomed = self.queue.lock().ledger.doomed();
        let started = Instant::now();
        let asked = self.dirty && doomed.is_none();
        let result = match doomed {
            Some(fault) => Err(fault),
            None if self.dirty => self.device_barrier(),
            None => Ok(()),
        };
        self.dirty &= result.is_err();
        if let Err(fault) = result {
            log::error!("flash: a barrier failed: {fault}");
        }
        let mut state = self.queue.lock();
        if asked {
            let took = started.elapsed();
            state.measures.barriers += 1;
            state.measures.barriers_failed += u64::from(result.is_err());
            state.measures.barrier_last = took;
            state.measures.barrier_total += took;
        }
        state.finish();
        state.ledger.settle(id, || result);
        if result.is_err() {
            state.drop_queued();
        }
        drop(state);
        (self.wake)();
    }

    fn device_barrier(&mut self) -> Result<(), Fault> {
        if !self.barrier_delay.is_zero() {
            std::thread::sleep(self.barrier_delay);
        }
        self.device.barrier()
    }
}
