//! Reading one metadata segment from the medium at a mount, through a window that slides over it.

use alloc::vec::Vec;

use flash::FlashQueue;

use crate::format::frame::{FRAME_BYTES, Frame, Seed, verifies};
use crate::format::{Mark, Place};
use crate::layout::Layout;
use crate::limits::SCAN_BYTES;
use crate::segments::Segments;

/// A segment being read. Offsets are those in the segment.
pub(crate) struct Scan {
    layout: Layout,
    segment: u32,
    seed: Seed,
    end: u32,
    window: Vec<u8>,
    base: u32,
}

/// A frame that verifies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Framed<'a> {
    pub(crate) frame: Frame,
    pub(crate) payload: &'a [u8],
}

/// Reads one record from the medium: frame and payload, if they verify.
pub(crate) fn frame_at<Q: FlashQueue>(
    queue: &mut Q,
    layout: &Layout,
    segments: &Segments,
    at: Mark,
) -> Option<Vec<u8>> {
    let address = layout.address(Place { segment: segments.find(at.seq)?, offset: at.offset });
    let rest = layout.segment_bytes.checked_sub(at.offset)? as usize;
    let mut bytes = alloc::vec![0; FRAME_BYTES.min(rest)];
    queue.read_through(address, &mut bytes).ok()?;
    let frame = Frame::parse(&bytes).filter(|frame| frame.bytes() <= rest)?;
    bytes.resize(frame.bytes(), 0);
    queue.read_through(address, &mut bytes).ok()?;
    verifies(layout.seed(at.seq), at.offset, &bytes).then_some(bytes)
}

impl Scan {
    /// Looks at segment `segment`, whose sequence number is `seq`, up to `end`.
    pub(crate) fn new(layout: &Layout, (segment, seq): (u32, u32), end: u32) -> Self {
        let end = end.min(layout.segment_bytes);
        Self { layout: *layout, segment, seed: layout.seed(seq), end, window: Vec::new(), base: 0 }
    }

    /// Where the looking ends.
    pub(crate) const fn end(&self) -> u32 {
        self.end
    }

    /// The frame that begins at `offset` and verifies.
    pub(crate) fn frame<Q: FlashQueue>(&mut self, queue: &mut Q, offset: u32) -> Option<Framed<'_>> {
        let frame = self.plausible(queue, offset)?;
        let (seed, bytes) = (self.seed, self.bytes(queue, offset, frame.bytes())?);
        let payload = bytes.get(FRAME_BYTES..)?;
        verifies(seed, offset, bytes).then_some(Framed { frame, payload })
    }

    /// What could be a frame at `offset`, of metadata and not longer than a record may be.
    pub(crate) fn plausible<Q: FlashQueue>(&mut self, queue: &mut Q, offset: u32) -> Option<Frame> {
        let frame = Frame::parse(self.bytes(queue, offset, FRAME_BYTES)?)?;
        (frame.len as usize <= self.layout.record_bytes_max()).then_some(frame)
    }

    /// Whether `from..to` holds nothing but the zeros that fill a unit up.
    pub(crate) fn is_padding<Q: FlashQueue>(&mut self, queue: &mut Q, from: u32, to: u32) -> bool {
        let len = to.saturating_sub(from);
        len < self.layout.unit
            && self.bytes(queue, from, len as usize).is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0))
    }

    /// `len` bytes from `offset`; `None` beyond the end.
    fn bytes<Q: FlashQueue>(&mut self, queue: &mut Q, offset: u32, len: usize) -> Option<&[u8]> {
        let end = (offset as usize).checked_add(len).filter(|end| *end <= self.end as usize)?;
        let (from, to) = (self.base as usize, self.base as usize + self.window.len());
        if (offset as usize) < from || end > to {
            self.slide(queue, offset, len);
        }
        let start = offset.checked_sub(self.base)? as usize;
        self.window.get(start..start + len)
    }

    /// Moves the window so that it begins at `offset` and holds at least `len` bytes.
    fn slide<Q: FlashQueue>(&mut self, queue: &mut Q, offset: u32, len: usize) {
        let len = len.max(SCAN_BYTES).min((self.end - offset) as usize);
        self.base = offset;
        self.window.resize(len, 0);
        let address = self.layout.address(Place { segment: self.segment, offset });
        if queue.read_through(address, &mut self.window).is_ok() {
            return;
        }
        // Something in this stretch cannot be read: take what can be, unit by unit. The rest does not verify.
        let unit = self.layout.unit as usize;
        for (index, piece) in self.window.chunks_mut(unit).enumerate() {
            if queue.read_through(address + (index * unit) as u64, piece).is_err() {
                piece.fill(u8::MAX);
            }
        }
    }
}
