//! The two ends at which the log grows. Both program whole units only, and none twice (rule 9).

use alloc::vec::Vec;

use flash::FlashQueue;

use crate::format::frame::{self, ENCODING_RAW, FRAME_BYTES, Frame, kind};
use crate::format::{Mark, Place};
use crate::layout::Layout;
use crate::outbox::Outbox;

/// The metadata head: groups begin and end on units, so it keeps no bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MetaHead {
    pub(crate) segment: u32,
    pub(crate) seq: u32,
    /// Where the next group begins.
    pub(crate) offset: u32,
}

/// What an extent holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) frame: Frame,
    pub(crate) stored: &'a [u8],
}

impl<'a> Piece<'a> {
    /// Bytes of a letter, stored as they are.
    pub(crate) const fn raw(stored: &'a [u8]) -> Self {
        Self::extent(ENCODING_RAW, stored, stored.len() as u32)
    }

    /// Bytes that stand for `original` ones of a letter.
    pub(crate) const fn extent(encoding: u8, stored: &'a [u8], original: u32) -> Self {
        Self { frame: Frame::extent(encoding, stored.len() as u32, original), stored }
    }

    /// A commit.
    pub(crate) const fn commit(payload: &'a [u8]) -> Self {
        Self { frame: Frame::raw(kind::COMMIT, payload.len() as u32), stored: payload }
    }
}

/// The head of a stream: frames follow each other without gaps, so it keeps the last unit until it is whole.
#[derive(Debug)]
pub(crate) struct BodyHead {
    pub(crate) segment: u32,
    pub(crate) seq: u32,
    /// Where `buffer` begins; on a unit. Everything before has been programmed.
    base: u32,
    buffer: Vec<u8>,
}

impl BodyHead {
    /// A head that goes on at `offset`, on a unit, with `begun` not programmed yet.
    pub(crate) fn new(segment: u32, seq: u32, offset: u32, begun: &[u8]) -> Self {
        Self { segment, seq, base: offset, buffer: begun.to_vec() }
    }

    /// What has been programmed.
    pub(crate) const fn programmed(&self) -> Mark {
        Mark { seq: self.seq, offset: self.base }
    }

    /// Bytes that the segment has room for, the frame of the next extent taken off.
    pub(crate) fn room(&self, layout: &Layout) -> usize {
        let used = self.base as usize + self.buffer.len() + FRAME_BYTES;
        (layout.segment_bytes as usize).saturating_sub(used)
    }

    /// Appends a frame with at most [`room`](Self::room) stored bytes and programs the units that are whole now.
    /// Returns where its frame begins.
    pub(crate) fn append<Q: FlashQueue>(
        &mut self,
        layout: &Layout,
        queue: &mut Q,
        outbox: &mut Outbox,
        piece: &Piece<'_>,
    ) -> u32 {
        let start = self.buffer.len();
        let offset = self.base + start as u32;
        self.buffer.reserve(frame::align(FRAME_BYTES + piece.stored.len()));
        self.buffer.extend_from_slice(&piece.frame.to_bytes());
        self.buffer.extend_from_slice(piece.stored);
        frame::seal(layout.seed(self.seq), offset, self.buffer.get_mut(start..).unwrap_or_default());
        self.buffer.resize(frame::align(self.buffer.len()), 0);
        self.program_whole(layout, queue, outbox);
        offset
    }

    /// Fills the last unit up and programs it: what was appended so far can be made durable.
    pub(crate) fn pad<Q: FlashQueue>(&mut self, layout: &Layout, queue: &mut Q, outbox: &mut Outbox) {
        self.buffer.resize(self.buffer.len().next_multiple_of(layout.unit as usize), 0);
        self.program_whole(layout, queue, outbox);
    }

    fn program_whole<Q: FlashQueue>(&mut self, layout: &Layout, queue: &mut Q, outbox: &mut Outbox) {
        let whole = self.buffer.len() - self.buffer.len() % layout.unit as usize;
        if whole > 0 {
            let address = layout.address(Place { segment: self.segment, offset: self.base });
            outbox.program(queue, address, self.buffer.get(..whole).unwrap_or_default());
            self.buffer.drain(..whole);
            self.base += whole as u32;
        }
    }
}
