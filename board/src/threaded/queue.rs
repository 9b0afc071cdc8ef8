//! What waits for the device, shared between the loop that fills it and the thread that empties it.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flash::{BarrierId, Fault, Geometry, Ledger, QueueError};

use super::Measures;
use super::pool::{Buffer, Pool};
use super::unreadable::Unreadable;
use crate::limits::{PIECE_BYTES, QUEUE_IDLE_S};
use crate::sys;

/// Something for the device to do.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Program(Piece),
    Erase { offset: u64, len: u64 },
    Barrier(BarrierId),
}

/// Whole units at an offset of the device.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) offset: u64,
    pub(super) len: usize,
    pub(super) buffer: Buffer,
}

impl Piece {
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.bytes(self.len)
    }

    const fn end(&self) -> u64 {
        self.offset + self.len as u64
    }

    /// Copies as many whole units as fit behind what is here already; returns their bytes.
    fn append(&mut self, units: &[u8], write_size: usize) -> usize {
        let Some(buffer) = Arc::get_mut(&mut self.buffer) else { return 0 };
        let room = buffer.capacity() - self.len;
        let taken = units.len().min(room - room % write_size);
        let (Some(slot), Some(units)) =
            (buffer.bytes_mut(self.len + taken).get_mut(self.len..), units.get(..taken))
        else {
            return 0;
        };
        slot.copy_from_slice(units);
        self.len += taken;
        taken
    }
}

/// The queue's content; all of it under one lock, held for copies and never for the device.
#[derive(Debug)]
pub(super) struct State {
    entries: VecDeque<Entry>,
    /// The thread is at work on the first entry.
    working: bool,
    queued: usize,
    room: usize,
    write_size: usize,
    erase_size: u64,
    /// Somebody waits until this much room is there.
    wanted: Option<usize>,
    /// The thread waits for work.
    idle: bool,
    /// The thread is to end when nothing is left.
    stopping: bool,
    pool: Pool,
    pub(super) unreadable: Unreadable,
    pub(super) ledger: Ledger,
    pub(super) measures: Measures,
}

impl State {
    const fn room_now(&self) -> usize {
        self.room.saturating_sub(self.queued)
    }

    /// The room there is; when that is little, or less than `need`, remembers to wake whoever asks.
    pub(super) fn room_or_wait(&mut self, need: usize) -> usize {
        let room = self.room_now();
        // Half the queue: waking for every write would cost more than the writes.
        let enough = need.max(self.room / 2).min(self.room);
        if room < enough {
            self.wanted = Some(enough);
        }
        room
    }

    /// Pieces that overlap `len` bytes from `offset`, oldest first.
    fn pieces(&self, offset: u64, len: usize) -> impl Iterator<Item = &Piece> {
        let end = offset + len as u64;
        self.entries.iter().filter_map(move |entry| match entry {
            Entry::Program(piece) if piece.offset < end && offset < piece.end() => Some(piece),
            _ => None,
        })
    }

    /// Whether what is queued holds every byte of the range.
    pub(super) fn covers(&self, offset: u64, len: usize) -> bool {
        let mut at = offset;
        let end = offset + len as u64;
        while at < end {
            let Some(piece) = self.pieces(at, 1).next() else { return false };
            at = piece.end();
        }
        true
    }

    /// Lays what is queued over `out`, which the device has filled.
    pub(super) fn overlay(&self, offset: u64, out: &mut [u8]) {
        let end = offset + out.len() as u64;
        for piece in self.pieces(offset, out.len()) {
            let (from, to) = (offset.max(piece.offset), end.min(piece.end()));
            let target = out.get_mut((from - offset) as usize..(to - offset) as usize);
            let source = piece.bytes().get((from - piece.offset) as usize..(to - piece.offset) as usize);
            if let (Some(target), Some(source)) = (target, source) {
                target.copy_from_slice(source);
            }
        }
    }

    fn push_program(&mut self, mut offset: u64, mut units: &[u8]) {
        self.queued += units.len();
        self.unreadable.forget(&(offset..offset + units.len() as u64));
        let write_size = self.write_size;
        if let Some(mut last) = self.take_open_piece(offset) {
            self.make_room(&mut last, units.len());
            let taken = last.append(units, write_size);
            self.entries.push_back(Entry::Program(last));
            offset += taken as u64;
            units = units.get(taken..).unwrap_or_default();
        }
        for bytes in units.chunks(PIECE_BYTES - PIECE_BYTES % write_size) {
            let mut piece = Piece { offset, len: 0, buffer: self.pool.take(bytes.len()) };
            piece.append(bytes, write_size);
            self.entries.push_back(Entry::Program(piece));
            offset += bytes.len() as u64;
        }
    }

    /// Takes the last piece out, if a program at `offset` may go into the same write: it follows at once, in the same
    /// erase block, and the thread has not begun with it.
    fn take_open_piece(&mut self, offset: u64) -> Option<Piece> {
        let begun = self.working && self.entries.len() == 1;
        let follows = |last: &Piece| last.end() == offset && !offset.is_multiple_of(self.erase_size);
        match self.entries.pop_back()? {
            Entry::Program(last) if !begun && follows(&last) => Some(last),
            other => {
                self.entries.push_back(other);
                None
            }
        }
    }

    /// Moves a piece that nobody shares into a larger buffer where it has no room for `more` bytes: a device takes one write
    /// of 64 KiB in little more time than one of 8, and letters come in small ones. Buffers at least double, so that fewer bytes
    /// are moved in all than come.
    fn make_room(&mut self, piece: &mut Piece, more: usize) {
        let wanted = (piece.len + more).min(PIECE_BYTES);
        if wanted > piece.buffer.capacity() {
            let mut larger = Piece { offset: piece.offset, len: 0, buffer: self.pool.take(wanted) };
            larger.append(piece.bytes(), self.write_size);
            let small = std::mem::replace(piece, larger);
            self.pool.give(small.buffer);
        }
    }

    /// The thread has carried out the first entry. Tells whether somebody is to be woken.
    pub(super) fn finish(&mut self) -> bool {
        self.working = false;
        if let Some(Entry::Program(piece)) = self.entries.pop_front() {
            self.queued -= piece.len;
            self.pool.give(piece.buffer);
        }
        self.has_wanted_room()
    }

    fn has_wanted_room(&mut self) -> bool {
        let enough = self.wanted.is_some_and(|wanted| self.room_now() >= wanted);
        if enough {
            self.wanted = None;
        }
        enough
    }

    /// A barrier failed: drops what stands behind it.
    pub(super) fn drop_queued(&mut self) {
        self.queued = 0;
        for entry in std::mem::take(&mut self.entries) {
            match entry {
                Entry::Program(piece) => self.pool.give(piece.buffer),
                Entry::Erase { .. } => {}
                Entry::Barrier(id) => self.ledger.settle(id, || Err(Fault::Io)),
            }
        }
    }
}

/// The queue.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    work: Condvar,
}

impl Queue {
    pub(super) fn new(room: usize, geometry: Geometry) -> Self {
        let state = State {
            entries: VecDeque::new(),
            working: false,
            queued: 0,
            room,
            write_size: geometry.write_size as usize,
            erase_size: u64::from(geometry.erase_size),
            wanted: None,
            idle: false,
            stopping: false,
            pool: Pool::default(),
            unreadable: Unreadable::default(),
            ledger: Ledger::new(),
            measures: Measures::default(),
        };
        Self { state: Mutex::new(state), work: Condvar::new() }
    }

    /// The content. The books are changed in single steps, so a panic elsewhere leaves nothing half done here.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// See [`flash::FlashQueue::program`].
    pub(super) fn program(&self, offset: u64, units: &[u8]) -> Result<(), QueueError> {
        let mut state = self.open()?;
        if units.len() > state.room_or_wait(units.len()) && !state.entries.is_empty() {
            return Err(QueueError::Busy);
        }
        if !state.ledger.is_failed() {
            state.push_program(offset, units);
            self.call(&mut state);
        }
        Ok(())
    }

    /// See [`flash::FlashQueue::erase`].
    pub(super) fn erase(&self, offset: u64, len: u64) -> Result<(), QueueError> {
        let mut state = self.open()?;
        if !state.ledger.is_failed() {
            state.entries.push_back(Entry::Erase { offset, len });
            self.call(&mut state);
        }
        Ok(())
    }

    /// See [`flash::FlashQueue::barrier`].
    pub(super) fn barrier(&self) -> Result<BarrierId, QueueError> {
        let mut state = self.open()?;
        let id = state.ledger.next_id();
        if state.ledger.is_failed() {
            state.ledger.settle(id, || Err(Fault::Io));
        } else {
            state.entries.push_back(Entry::Barrier(id));
            self.call(&mut state);
        }
        Ok(id)
    }

    /// Has the thread look at the queue. One that is at work does so anyway, and calling it costs a system call.
    fn call(&self, state: &mut State) {
        if std::mem::take(&mut state.idle) {
            self.work.notify_one();
        }
    }

    fn open(&self) -> Result<MutexGuard<'_, State>, QueueError> {
        let state = self.lock();
        if state.stopping { Err(QueueError::Fault(Fault::Io)) } else { Ok(state) }
    }

    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.stopping = true;
        self.call(&mut state);
    }

    /// Waits for the next thing to do and leaves it in the queue, where reads find it; `None` when all is done and
    /// the thread is to end.
    pub(super) fn next(&self) -> Option<Entry> {
        let mut state = self.lock();
        loop {
            if let Some(entry) = state.entries.front().cloned() {
                state.working = true;
                return Some(entry);
            }
            if state.stopping {
                return None;
            }
            state = self.wait(state);
        }
    }

    /// Waits for work; gives spare memory back when none comes for a while.
    fn wait<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.idle = true;
        if state.pool.is_empty() {
            return self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let idle = Duration::from_secs(QUEUE_IDLE_S);
        let (mut state, timeout) =
            self.work.wait_timeout(state, idle).unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() && state.entries.is_empty() {
            state.pool.shrink();
            sys::trim_heap();
        }
        state
    }
}
