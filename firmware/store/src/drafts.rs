//! Letters being streamed in: what of them is in memory, and the one pool from which their buffers come.
//!
//! Knows no device: `deposit.rs` moves what is here to the log.

use alloc::rc::Rc;
use alloc::vec::Vec;

use mail::limits::HEAD_BYTES_MAX;
use mail::{Posting, UidSet};

use crate::format::Mark;
use crate::format::records::Extent;
use crate::limits::{DRAFTS_MAX, POOL_BYTES, SEIZE_BYTES_MIN};

/// Smallest buffer for a body.
const BUFFER_BYTES_MIN: usize = 1 << 10;

/// A mailbox that will receive a letter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recipient {
    pub(crate) account: u32,
    pub(crate) mailbox: u32,
    pub(crate) flags: u64,
}

/// A letter being streamed in.
#[derive(Debug)]
pub(crate) struct DraftState {
    id: u64,
    pin: Rc<()>,
    pub(crate) announced: Option<u64>,
    /// Bytes so far, and their CRC.
    pub(crate) size: u64,
    pub(crate) crc: u32,
    /// The header block, or as much of it as metadata holds.
    pub(crate) head: Vec<u8>,
    reading_head: Reading,
    /// Body bytes that are not on flash yet.
    pub(crate) buffer: Vec<u8>,
    pub(crate) extents: Vec<Extent>,
    pub(crate) recipients: Vec<Recipient>,
    /// What is kept for whoever sends it on.
    pub(crate) posting: Posting,
    /// Places in the posting that are only to be reported: they were delivered here.
    pub(crate) reports: Vec<u16>,
    /// Messages of the outbound queue that are done with when the letter is there.
    pub(crate) settles: UidSet,
    /// Bytes reserved in the quota of each recipient.
    pub(crate) reserved: u64,
    /// When it last grew, in appends.
    touched: u64,
    /// What it has on flash was lost with a failed barrier.
    pub(crate) lost: bool,
}

/// Where in the header block a letter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    LineStart,
    /// A line that holds nothing but CR so far.
    LineCr,
    Line,
    /// The header block is over.
    Body,
}

impl DraftState {
    /// Takes the part of `bytes` that belongs to the header block and returns how much that is.
    ///
    /// The block ends with an empty line, CRLF or LF alone: a letter that is appended by IMAP may have either.
    pub(crate) fn take_head(&mut self, bytes: &[u8]) -> usize {
        let room = HEAD_BYTES_MAX.saturating_sub(self.head.len());
        let bytes = bytes.get(..room).unwrap_or(bytes);
        let mut taken = 0;
        while self.reads_head()
            && let Some(rest @ [byte, ..]) = bytes.get(taken..)
        {
            let (count, next) = match (self.reading_head, byte) {
                (Reading::LineStart | Reading::LineCr, b'\n') => (1, Reading::Body),
                (Reading::LineStart, b'\r') => (1, Reading::LineCr),
                // In a line nothing counts but its end.
                _ => match rest.iter().position(|byte| *byte == b'\n') {
                    Some(end) => (end + 1, Reading::LineStart),
                    None => (rest.len(), Reading::Line),
                },
            };
            self.reading_head = next;
            taken += count;
        }
        self.head.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        if self.head.len() >= HEAD_BYTES_MAX {
            self.reading_head = Reading::Body;
        }
        taken
    }

    /// How many messages it will be.
    pub(crate) const fn messages(&self) -> u64 {
        (self.recipients.len() + self.posting.recipients.len()) as u64
    }

    /// Whether more of the header block is to come.
    pub(crate) fn reads_head(&self) -> bool {
        self.reading_head != Reading::Body
    }
}

/// All letters being streamed in.
#[derive(Debug, Default)]
pub(crate) struct Drafts {
    states: Vec<DraftState>,
    next_id: u64,
    /// Capacities of all buffers together.
    pooled: usize,
    appends: u64,
    /// What the last letter leaves for the next: its vectors, empty.
    spare: Option<(Vec<u8>, Vec<Extent>, Vec<Recipient>)>,
}

impl Drafts {
    pub(crate) const fn len(&self) -> usize {
        self.states.len()
    }

    /// Memory that buffers hold.
    #[cfg(test)]
    pub(crate) const fn pooled(&self) -> usize {
        self.pooled
    }

    /// Recipients outside of all letters.
    pub(crate) fn queued(&self) -> u64 {
        self.states.iter().map(|state| state.posting.recipients.len() as u64).sum()
    }

    /// Bytes that announced letters have not sent yet, and that buffers hold.
    pub(crate) fn promised(&self) -> u64 {
        let one = |state: &DraftState| {
            let rest = state.announced.unwrap_or(0).saturating_sub(state.size);
            rest + (state.buffer.len() + state.head.len()) as u64
        };
        self.states.iter().map(one).sum()
    }

    /// Adds a letter; `None` when there are too many. Returns its name and the pin that its owner holds.
    pub(crate) fn add(&mut self, announced: Option<u64>) -> Option<(u64, Rc<()>)> {
        if self.states.len() >= DRAFTS_MAX {
            return None;
        }
        self.next_id += 1;
        let pin = Rc::new(());
        let (head, extents, recipients) = self.spare.take().unwrap_or_default();
        self.states.push(DraftState {
            id: self.next_id,
            pin: Rc::clone(&pin),
            announced,
            size: 0,
            crc: 0,
            head,
            reading_head: Reading::LineStart,
            buffer: Vec::new(),
            extents,
            recipients,
            posting: Posting::default(),
            reports: Vec::new(),
            settles: UidSet::new(),
            reserved: announced.unwrap_or(0),
            touched: self.appends,
            lost: false,
        });
        Some((self.next_id, pin))
    }

    /// Index of a letter.
    pub(crate) fn find(&self, id: u64) -> Option<usize> {
        self.states.iter().position(|state| state.id == id)
    }

    pub(crate) fn get(&self, index: usize) -> Option<&DraftState> {
        self.states.get(index)
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut DraftState> {
        self.states.get_mut(index)
    }

    /// Notes that a letter grows.
    pub(crate) fn touch(&mut self, index: usize) {
        self.appends += 1;
        if let Some(state) = self.states.get_mut(index) {
            state.touched = self.appends;
        }
    }

    /// Takes a letter out that is complete. Its vectors serve the next one.
    pub(crate) fn finish(&mut self, index: usize) {
        if index >= self.states.len() {
            return;
        }
        let mut state = self.states.swap_remove(index);
        self.pooled -= state.buffer.capacity();
        state.head.clear();
        state.extents.clear();
        state.recipients.clear();
        self.spare = Some((state.head, state.extents, state.recipients));
    }

    /// Takes out a letter whose owner has dropped it, or with `all` any.
    pub(crate) fn take_dropped(&mut self, all: bool) -> Option<DraftState> {
        let at = self.states.iter().position(|state| all || Rc::strong_count(&state.pin) == 1)?;
        let state = self.states.swap_remove(at);
        self.pooled -= state.buffer.capacity();
        Some(state)
    }

    /// Room in the buffer of a letter without asking the pool for more.
    pub(crate) fn room(&self, index: usize) -> usize {
        self.states.get(index).map_or(0, |state| state.buffer.capacity() - state.buffer.len())
    }

    /// Lets a buffer grow to hold `more` bytes beyond what it does, up to `max` in all. `false` when the pool has
    /// not that much left.
    pub(crate) fn grow(&mut self, index: usize, more: usize, max: usize) -> bool {
        let Some(state) = self.states.get_mut(index) else { return false };
        let old = state.buffer.capacity();
        // Doubling keeps buffers at least half full, so that what is seized from a staller is no crumb.
        let wanted = (state.buffer.len() + more).max(BUFFER_BYTES_MIN).next_power_of_two().min(max);
        if wanted <= old || self.pooled + wanted - old > POOL_BYTES {
            return wanted <= old;
        }
        state.buffer.reserve_exact(wanted - state.buffer.len());
        self.pooled = self.pooled + state.buffer.capacity() - old;
        true
    }

    /// Gives the buffer of a letter back to the pool; what was in it has been written.
    pub(crate) fn release(&mut self, index: usize) {
        if let Some(state) = self.states.get_mut(index) {
            self.pooled -= state.buffer.capacity();
            state.buffer = Vec::new();
        }
    }

    /// The letter whose buffer is to be written so that another one can grow: of those that hold a fair share, the
    /// one that has not grown for the longest time (rule 15).
    pub(crate) fn victim(&self) -> Option<usize> {
        let fair =
            self.states.iter().enumerate().filter(|(_, state)| state.buffer.capacity() >= SEIZE_BYTES_MIN);
        fair.min_by_key(|(_, state)| state.touched).map(|(index, _)| index)
    }

    /// Marks the letters of which a part was lost: what lies behind `durable` in the body log.
    pub(crate) fn lose_behind(&mut self, durable: Mark) {
        for state in &mut self.states {
            state.lost |= state.extents.last().is_some_and(|extent| extent.end() > durable);
        }
    }

    /// Least sequence number of a segment that holds a part of a letter here.
    pub(crate) fn first_body(&self) -> Option<u32> {
        self.states.iter().filter_map(|state| state.extents.first()).map(|extent| extent.seq).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(pieces: &[&[u8]]) -> usize {
        let mut drafts = Drafts::default();
        drafts.add(None).unwrap();
        let state = drafts.get_mut(0).unwrap();
        let taken = pieces.iter().map(|piece| state.take_head(piece)).sum();
        assert_eq!(state.head.len(), taken);
        taken
    }

    #[test]
    fn the_header_block_ends_with_an_empty_line_wherever_it_is_cut() {
        let letters: [(&[u8], usize); 8] = [
            (b"A: b\r\nC: d\r\n\r\nbody\r\n\r\n", 14),
            (b"A: b\nC: d\n\nbody\n\n", 11),
            (b"A: b\r\n\nbody", 7),
            (b"\r\nbody", 2),
            (b"\nbody", 1),
            (b"A: b\r\n\r\r\n\r\nbody", 11),
            (b"A: b\r\n\rC: d\r\n \r\n\r\n", 18),
            (b"A: b\r\nC: no end\r\n", 17),
        ];
        for (letter, len) in letters {
            for cut in 0..=letter.len() {
                let (before, behind) = letter.split_at(cut);
                assert_eq!(head(&[before, behind]), len, "{letter:?} cut at {cut}");
            }
            let bytes: Vec<&[u8]> = letter.chunks(1).collect();
            assert_eq!(head(&bytes), len, "{letter:?} byte by byte");
        }
        let long = [b'y'; HEAD_BYTES_MAX + 1];
        assert_eq!(head(&[&long[..10], &long[10..]]), HEAD_BYTES_MAX);
    }
}
