//! A device behind a writer thread: programming, erasing and waiting for barriers off the network loop.
//!
//! [`Threaded`] is the [`FlashQueue`] of the running program. Its queue is bounded ([`QUEUE_BYTES`]), a program only
//! copies into it, and reads see it. [`Warmer`] is for another thread: it brings cold bytes into memory.

mod pool;
mod queue;
#[cfg(test)]
mod tests;
mod unreadable;
mod worker;

use std::io;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use flash::{BarrierId, Fault, Flash, FlashQueue, Geometry, QueueError, ReadError};

use crate::devices::{Device, Reader, Shared};
use crate::limits::{DIRECT_ALIGN, PIECE_BYTES, QUEUE_BYTES, SCRATCH_BYTES, WRITER_STACK_BYTES};
use queue::Queue;
use worker::Worker;

/// Called from the writer thread when a barrier has settled or there is room again. It must not block; a write to an
/// eventfd or a waker is what it is for.
pub type Wake = Box<dyn Fn() + Send>;

/// How a [`Threaded`] behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bytes of programs that may wait.
    pub room: usize,
    /// Time that every barrier takes longer: for benches that need the latency of a card on a fast disk.
    pub barrier_delay: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { room: QUEUE_BYTES, barrier_delay: Duration::ZERO }
    }
}

/// What the device did since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measures {
    /// Bytes programmed.
    pub programmed_bytes: u64,
    /// Writes that went to the device; neighbouring programs share one.
    pub writes: u64,
    /// Erases.
    pub erases: u64,
    /// Barriers that the device was asked for.
    pub barriers: u64,
    /// Those of them that failed.
    pub barriers_failed: u64,
    /// How long the last barrier took.
    pub barrier_last: Duration,
    /// How long all of them took.
    pub barrier_total: Duration,
}

impl Measures {
    /// How long a barrier takes on average.
    #[must_use]
    pub fn barrier_mean(&self) -> Duration {
        self.barrier_total.checked_div(u32::try_from(self.barriers).unwrap_or(u32::MAX)).unwrap_or_default()
    }
}

/// A device behind its writer thread. Dropping it lets the thread finish what is queued.
pub struct Threaded {
    geometry: Geometry,
    queue: Arc<Queue>,
    reader: Arc<dyn Reader>,
    worker: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Threaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Threaded").field("geometry", &self.geometry).finish_non_exhaustive()
    }
}

impl Threaded {
    /// Starts the writer thread of `device`.
    ///
    /// # Errors
    /// When the system starts no thread.
    pub fn new(device: impl Device + 'static, options: Options, wake: Wake) -> io::Result<Self> {
        let reader = device.reader();
        Self::start(device, reader, options, wake)
    }

    /// As [`new`](Self::new) for a device without a second way in, such as a chip on a bus: while the thread uses it,
    /// everything that is not queued is cold.
    ///
    /// # Errors
    /// When the system starts no thread.
    pub fn sharing<F: Flash + Send + 'static>(device: F, options: Options, wake: Wake) -> io::Result<Self> {
        let device = Arc::new(Mutex::new(device));
        let reader = Arc::new(Shared(Arc::clone(&device)));
        Self::start(Shared(device), reader, options, wake)
    }

    fn start(
        device: impl Flash + Send + 'static,
        reader: Arc<dyn Reader>,
        options: Options,
        wake: Wake,
    ) -> io::Result<Self> {
        let geometry = device.geometry();
        if geometry.write_size == 0 || geometry.write_size as usize > PIECE_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "units too large for the flash queue"));
        }
        let queue = Arc::new(Queue::new(options.room, geometry));
        let worker = Worker::new(device, Arc::clone(&queue), options.barrier_delay, wake);
        let thread = std::thread::Builder::new().name("flash".into()).stack_size(WRITER_STACK_BYTES);
        let worker = Some(thread.spawn(move || worker.run())?);
        Ok(Self { geometry, queue, reader, worker })
    }

    /// A handle for warming cold ranges on another thread.
    #[must_use]
    pub fn warmer(&self) -> Warmer {
        Warmer { reader: Arc::clone(&self.reader), queue: Arc::clone(&self.queue) }
    }

    /// What the device did so far.
    #[must_use]
    pub fn measures(&self) -> Measures {
        self.queue.lock().measures
    }

    /// Lets the thread finish everything that is queued, and ends it. What comes later is refused. This waits.
    pub fn stop(&mut self) {
        self.queue.stop();
        if let Some(worker) = self.worker.take() {
            // A panic of the thread was reported when it happened; its queue refuses from then on.
            let _ = worker.join();
        }
    }
}

impl Drop for Threaded {
    fn drop(&mut self) {
        self.stop();
    }
}

impl FlashQueue for Threaded {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&mut self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        self.geometry.check_read(offset, out.len() as u64).map_err(ReadError::Fault)?;
        // Locked while reading: a program leaves the queue only after the device has it, so whatever the device is
        // too old to show is still here to be laid over it.
        let state = self.queue.lock();
        if !state.covers(offset, out.len()) {
            self.reader.read_now(offset, out).map_err(|error| match error {
                ReadError::Cold => {
                    let range = offset..offset + out.len() as u64;
                    let fault = state.unreadable.fault_in(&range, Instant::now());
                    fault.map_or(ReadError::Cold, ReadError::Fault)
                }
                fault @ ReadError::Fault(_) => fault,
            })?;
        }
        state.overlay(offset, out);
        Ok(())
    }

    fn read_through(&mut self, offset: u64, out: &mut [u8]) -> Result<(), Fault> {
        self.reader.read_medium(offset, out)
    }

    fn room(&self) -> usize {
        self.queue.lock().room_or_wait(0)
    }

    fn program(&mut self, offset: u64, units: &[u8]) -> Result<(), QueueError> {
        self.geometry.check_program(offset, units.len() as u64).map_err(QueueError::Fault)?;
        self.queue.program(offset, units)
    }

    fn erase(&mut self, offset: u64, len: u64) -> Result<(), QueueError> {
        self.geometry.check_erase(offset, len).map_err(QueueError::Fault)?;
        self.queue.erase(offset, len)
    }

    fn barrier(&mut self) -> Result<BarrierId, QueueError> {
        self.queue.barrier()
    }

    fn settled(&mut self) -> Option<(BarrierId, Result<(), Fault>)> {
        self.queue.lock().ledger.report()
    }

    fn failed_at(&self) -> Option<u64> {
        self.queue.lock().ledger.failed_at()
    }
}

/// Brings cold bytes into memory; it waits for the device and belongs on a thread that may.
#[derive(Clone)]
pub struct Warmer {
    reader: Arc<dyn Reader>,
    queue: Arc<Queue>,
}

impl std::fmt::Debug for Warmer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Warmer").finish_non_exhaustive()
    }
}

impl Warmer {
    /// Reads `len` bytes from `offset`, so that a read of them is warm afterwards, for a while. What the device cannot
    /// read is a fault to who reads it next, and no more of it than that: what lies around it is warm.
    ///
    /// # Errors
    /// The device's [`Fault`], the first one.
    pub fn warm(&self, offset: u64, len: u64) -> Result<(), Fault> {
        let mut scratch = vec![0; usize::try_from(len).unwrap_or(SCRATCH_BYTES).min(SCRATCH_BYTES)];
        let mut result = Ok(());
        let mut done = 0;
        while done < len {
            let piece = usize::try_from(len - done).unwrap_or(SCRATCH_BYTES).min(scratch.len());
            let piece = scratch.get_mut(..piece).unwrap_or_default();
            if self.reader.read_waiting(offset + done, piece).is_err() {
                result = result.and(self.warm_what_can_be(offset + done, piece));
            }
            done += piece.len() as u64;
        }
        result
    }

    /// Reads a stretch page by page, and notes those that cannot be read.
    fn warm_what_can_be(&self, offset: u64, scratch: &mut [u8]) -> Result<(), Fault> {
        let mut result = Ok(());
        let end = offset + scratch.len() as u64;
        let mut at = offset;
        while at < end {
            let page_end = (at + 1).next_multiple_of(DIRECT_ALIGN as u64).min(end);
            let page = scratch.get_mut(..(page_end - at) as usize).unwrap_or_default();
            if let Err(fault) = self.reader.read_waiting(at, page) {
                self.queue.lock().unreadable.note(at..page_end, fault, Instant::now());
                result = result.and(Err(fault));
            }
            at = page_end;
        }
        result
    }
}
