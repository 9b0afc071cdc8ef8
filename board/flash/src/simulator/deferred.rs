//! A queue that moves only when a test says so, to look at what lies between a commit and its barrier.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::Range;

use crate::{BarrierId, Fault, Flash, FlashQueue, Geometry, Ledger, QueueError, ReadError};

#[derive(Clone, Debug)]
enum Entry {
    Program(u64, Vec<u8>),
    Erase(u64, u64),
    Barrier(BarrierId),
}

/// A [`FlashQueue`] over `F` in which nothing happens until [`run`](Self::run).
#[derive(Clone, Debug)]
pub struct Deferred<F> {
    device: F,
    room: usize,
    queued: usize,
    entries: VecDeque<Entry>,
    ledger: Ledger,
    /// With reads that can be cold: what is warm.
    warm: Option<Vec<Range<u64>>>,
}

impl<F: Flash> Deferred<F> {
    /// Puts `device` behind a queue that holds `room` bytes of programs.
    pub const fn new(device: F, room: usize) -> Self {
        Self { device, room, queued: 0, entries: VecDeque::new(), ledger: Ledger::new(), warm: None }
    }

    /// Lets up to `entries` programs, erases and barriers reach the device. Returns how many did.
    pub fn run(&mut self, entries: usize) -> usize {
        let mut count = 0;
        while count < entries {
            let Some(entry) = self.entries.pop_front() else { break };
            self.carry_out(entry);
            count += 1;
        }
        count
    }

    /// Lets everything queued reach the device. Returns how many entries that were.
    pub fn run_all(&mut self) -> usize {
        self.run(usize::MAX)
    }

    /// Entries that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.entries.len()
    }

    /// From now on everything on the device is cold until [`warm`](Self::warm); what is queued is not.
    pub fn chill(&mut self) {
        self.warm = Some(Vec::new());
    }

    /// Warms `len` bytes from `offset`, as the driver would off the loop.
    pub fn warm(&mut self, offset: u64, len: u64) {
        if let Some(warm) = &mut self.warm {
            warm.push(offset..offset.saturating_add(len));
        }
    }

    /// The device.
    pub const fn device(&mut self) -> &mut F {
        &mut self.device
    }

    /// The device as it is now; what is queued is gone, as when the process dies.
    pub fn into_device(self) -> F {
        self.device
    }

    fn carry_out(&mut self, entry: Entry) {
        match entry {
            Entry::Program(offset, units) => {
                self.queued -= units.len();
                if self.ledger.doomed().is_none() {
                    let result = self.device.program(offset, &units);
                    self.ledger.note(offset, result);
                }
                self.forget(offset, units.len() as u64);
            }
            Entry::Erase(offset, len) => {
                if self.ledger.doomed().is_none() {
                    let result = self.device.erase(offset, len);
                    self.ledger.note(offset, result);
                }
                self.forget(offset, len);
            }
            Entry::Barrier(id) => {
                let device = &mut self.device;
                self.ledger.settle(id, || device.barrier());
                if self.ledger.is_failed() {
                    self.drop_queued();
                }
            }
        }
    }

    /// A barrier failed: what is queued stands on what is lost.
    fn drop_queued(&mut self) {
        self.queued = 0;
        for entry in core::mem::take(&mut self.entries) {
            if let Entry::Barrier(id) = entry {
                self.ledger.settle(id, || Err(Fault::Io));
            }
        }
    }

    /// What was written past the cache is cold again.
    fn forget(&mut self, offset: u64, len: u64) {
        if let Some(warm) = &mut self.warm {
            warm.retain(|range| range.end <= offset || offset + len <= range.start);
        }
    }

    /// Lays what is queued over `out`; tells whether it covers all of it.
    fn overlay(&self, offset: u64, out: &mut [u8]) -> bool {
        let mut open = alloc::vec![true; out.len()];
        for entry in &self.entries {
            if let Entry::Program(at, units) = entry {
                let start = offset.max(*at);
                let end = (offset + out.len() as u64).min(at + units.len() as u64);
                for position in start..end {
                    out[(position - offset) as usize] = units[(position - at) as usize];
                    open[(position - offset) as usize] = false;
                }
            }
        }
        !open.contains(&true)
    }

    fn is_cold(&self, offset: u64, len: u64) -> bool {
        let covers = |range: &Range<u64>| range.start <= offset && offset + len <= range.end;
        self.warm.as_ref().is_some_and(|warm| !warm.iter().any(covers))
    }
}

impl<F: Flash> FlashQueue for Deferred<F> {
    fn geometry(&self) -> Geometry {
        self.device.geometry()
    }

    fn read(&mut self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        self.geometry().check_read(offset, out.len() as u64).map_err(ReadError::Fault)?;
        if self.overlay(offset, out) {
            return Ok(());
        }
        if self.is_cold(offset, out.len() as u64) {
            return Err(ReadError::Cold);
        }
        self.device.read(offset, out).map_err(ReadError::Fault)?;
        self.overlay(offset, out);
        Ok(())
    }

    fn read_through(&mut self, offset: u64, out: &mut [u8]) -> Result<(), Fault> {
        self.device.read(offset, out)
    }

    fn room(&self) -> usize {
        self.room.saturating_sub(self.queued)
    }

    fn program(&mut self, offset: u64, units: &[u8]) -> Result<(), QueueError> {
        self.geometry().check_program(offset, units.len() as u64).map_err(QueueError::Fault)?;
        if units.len() > self.room() && !self.entries.is_empty() {
            return Err(QueueError::Busy);
        }
        if self.ledger.is_failed() {
            return Ok(());
        }
        self.queued += units.len();
        self.entries.push_back(Entry::Program(offset, units.to_vec()));
        Ok(())
    }

    fn erase(&mut self, offset: u64, len: u64) -> Result<(), QueueError> {
        self.geometry().check_erase(offset, len).map_err(QueueError::Fault)?;
        if !self.ledger.is_failed() {
            self.entries.push_back(Entry::Erase(offset, len));
        }
        Ok(())
    }

    fn barrier(&mut self) -> Result<BarrierId, QueueError> {
        let id = self.ledger.next_id();
        if self.ledger.is_failed() {
            self.ledger.settle(id, || Err(Fault::Io));
        } else {
            self.entries.push_back(Entry::Barrier(id));
        }
        Ok(id)
    }

    fn settled(&mut self) -> Option<(BarrierId, Result<(), Fault>)> {
        self.ledger.report()
    }

    fn failed_at(&self) -> Option<u64> {
        self.ledger.failed_at()
    }
}
