//! Reading letters back: records through a few windows on the metadata, bodies extent by extent, every byte verified.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;

use flash::{FlashQueue, ReadError};
use mail::{Cold, Content, MailboxId, Record, Uid, Unready};

use crate::Store;
use crate::coding::{Encoding, decode};
use crate::format::frame::{FRAME_BYTES, Frame, kind, verifies};
use crate::format::records::{CommitView, Extent};
use crate::format::{Mark, Place};
use crate::index::Letter;
use crate::layout::Layout;
use crate::limits::{WINDOW_BYTES, WINDOW_BYTES_MIN, WINDOWS};
use crate::segments::Segments;

/// A stretch of the log in memory.
#[derive(Debug, Default)]
struct Window {
    at: Mark,
    bytes: Vec<u8>,
    used: u64,
}

/// A letter that someone holds open.
#[derive(Debug)]
struct Opened {
    pin: Rc<()>,
    commit: Mark,
    head: u64,
    /// Extents with the offset in the letter at which each begins.
    extents: Vec<(u64, Extent)>,
}

/// What is kept in memory for readers.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    windows: [Window; WINDOWS],
    /// The extent that was read last: its frame and payload as stored, verified, and the letter's bytes.
    stored: Window,
    extent: Window,
    opened: BTreeMap<u64, Opened>,
    next_id: u64,
    clock: u64,
}

/// Why a frame could not be read.
pub(crate) enum Miss {
    Cold(Cold),
    /// The device fails there, or what it gives does not verify.
    Bad,
}

impl Reader {
    /// Whether somebody reads a letter of which a part stands in segment `index`.
    pub(crate) fn is_pinned(&self, segments: &Segments, index: u32) -> bool {
        let seq = segments.seq(index);
        let holds = |opened: &Opened| {
            (opened.commit.seq == seq || opened.extents.iter().any(|(_, extent)| extent.seq == seq))
                && Rc::strong_count(&opened.pin) > 1
        };
        self.opened.values().any(holds)
    }

    fn sweep(&mut self) {
        self.opened.retain(|_, opened| Rc::strong_count(&opened.pin) > 1);
    }

    /// The record at `place` as (window, range of its payload). `limit` is where programmed bytes end there.
    fn frame<Q: FlashQueue>(
        &mut self,
        queue: &mut Q,
        layout: &Layout,
        (place, seq, limit): (Place, u32, u32),
    ) -> Result<(usize, core::ops::Range<usize>), Miss> {
        if let Some(found) = self.in_window(layout, place, seq) {
            return Ok(found);
        }
        let ahead = self.ahead(place, seq);
        let slot = match self.load(queue, layout, (place, seq, limit), ahead) {
            // What the device cannot read may lie behind the record: look at its frame alone.
            Err(Miss::Bad) => self.load(queue, layout, (place, seq, limit), FRAME_BYTES)?,
            loaded => loaded?,
        };
        if let Some(found) = self.in_window(layout, place, seq) {
            return Ok(found);
        }
        let frame = self.windows.get(slot).and_then(|window| Frame::parse(&window.bytes)).ok_or(Miss::Bad)?;
        if frame.bytes() > FRAME_BYTES + layout.record_bytes_max() {
            return Err(Miss::Bad);
        }
        self.load(queue, layout, (place, seq, limit), frame.bytes())?;
        self.in_window(layout, place, seq).ok_or(Miss::Bad)
    }

    /// How much to read from `place` on: more each time when it goes on where a window ends, little where records of other
    /// mailboxes lie between those that are asked for.
    fn ahead(&self, place: Place, seq: u32) -> usize {
        let before = self.windows.iter().find(|window| {
            let end = window.at.offset.saturating_add(window.bytes.len() as u32);
            window.at.seq == seq && window.at.offset < place.offset && place.offset <= end
        });
        before
            .map_or(WINDOW_BYTES_MIN, |window| (2 * window.bytes.len()).clamp(WINDOW_BYTES_MIN, WINDOW_BYTES))
    }

    /// Finds the whole record at `place` in a window and verifies it.
    fn in_window(
        &mut self,
        layout: &Layout,
        place: Place,
        seq: u32,
    ) -> Option<(usize, core::ops::Range<usize>)> {
        self.clock += 1;
        for (slot, window) in self.windows.iter_mut().enumerate() {
            let Some(start) = place.offset.checked_sub(window.at.offset).filter(|_| window.at.seq == seq)
            else {
                continue;
            };
            let start = start as usize;
            let Some(frame) = window.bytes.get(start..).and_then(Frame::parse) else { continue };
            let end = start + frame.bytes();
            let Some(whole) = window.bytes.get(start..end) else { continue };
            if verifies(layout.seed(seq), place.offset, whole) {
                window.used = self.clock;
                return Some((slot, start + FRAME_BYTES..end));
            }
        }
        None
    }

    /// Reads `len` bytes from `place`, at most to `limit`, into the window that was not used for the longest time.
    fn load<Q: FlashQueue>(
        &mut self,
        queue: &mut Q,
        layout: &Layout,
        (place, seq, limit): (Place, u32, u32),
        len: usize,
    ) -> Result<usize, Miss> {
        let len = len.min(limit.saturating_sub(place.offset) as usize);
        let oldest = self.windows.iter().enumerate().min_by_key(|(_, window)| window.used);
        let slot = oldest.map_or(0, |(slot, _)| slot);
        let Some(window) = self.windows.get_mut(slot) else { return Err(Miss::Bad) };
        window.at = Mark { seq, offset: place.offset };
        read_into(queue, layout.address(place), len, &mut window.bytes)?;
        window.used = self.clock;
        Ok(slot)
    }
}

/// Fills `bytes` with what the device holds; leaves it empty on failure.
pub(crate) fn read_into<Q: FlashQueue>(
    queue: &mut Q,
    offset: u64,
    len: usize,
    bytes: &mut Vec<u8>,
) -> Result<(), Miss> {
    bytes.resize(len, 0);
    let result = queue.read(offset, bytes);
    if result.is_err() {
        bytes.clear();
    }
    match result {
        Ok(()) => Ok(()),
        Err(ReadError::Cold) => Err(Miss::Cold(Cold { offset, len: len as u32 })),
        Err(ReadError::Fault(_)) => Err(Miss::Bad),
    }
}

impl<Q: FlashQueue> Store<Q> {
    /// The letter of a message.
    pub(crate) fn letter(&self, mailbox: MailboxId, uid: Uid) -> Result<Letter, Unready> {
        let mailbox = self.state.mailboxes.get(&mailbox.0).ok_or(Unready::Gone)?;
        let entry = mailbox.entries.get(uid).ok_or(Unready::Gone)?;
        self.state.letters.get(entry.letter).ok_or(Unready::Gone)
    }

    /// Where a letter's commit stands, for as long as its segment is not released.
    pub(crate) fn commit_mark(&self, letter: &Letter) -> Mark {
        Mark { seq: self.segments.seq(letter.place.segment), offset: letter.place.offset }
    }

    /// The commit at `at`, be it the first one of its letter or one that compaction wrote.
    pub(crate) fn read_commit(&mut self, at: Mark) -> Result<CommitView<'_>, Unready> {
        let segment = self.segments.find(at.seq).ok_or(Unready::Damaged)?;
        let place = Place { segment, offset: at.offset };
        let limit = self.programmed_in(segment);
        let found = self.reader.frame(&mut self.queue, &self.layout, (place, at.seq, limit));
        let (slot, range) = match found {
            Ok(found) => found,
            Err(miss) => return Err(self.missed(miss, place)),
        };
        let bytes = self.reader.windows.get(slot).map_or(&[][..], |window| &window.bytes);
        let payload = bytes.get(range).ok_or(Unready::Damaged)?;
        CommitView::parse(payload).ok_or(Unready::Damaged)
    }

    /// Where programmed bytes end in a segment that holds commits.
    fn programmed_in(&self, segment: u32) -> u32 {
        let meta = self.log.meta.map(|head| (head.segment, head.offset));
        let commits = self.log.bodies.commits.as_ref().map(|head| (head.segment, head.programmed().offset));
        let open = meta.into_iter().chain(commits).find(|(open, _)| *open == segment);
        open.map_or(self.layout.segment_bytes, |(_, end)| end)
    }

    fn missed(&mut self, miss: Miss, place: Place) -> Unready {
        match miss {
            Miss::Cold(cold) => Unready::Cold(cold),
            Miss::Bad => {
                self.damage.note(Mark { seq: self.segments.seq(place.segment), offset: place.offset });
                Unready::Damaged
            }
        }
    }

    pub(crate) fn read_record(&mut self, mailbox: MailboxId, uid: Uid) -> Result<Record<'_>, Unready> {
        let at = self.commit_mark(&self.letter(mailbox, uid)?);
        let commit = self.read_commit(at)?.commit;
        Ok(Record { head: commit.head.0, summary: commit.summary.0 })
    }

    pub(crate) fn open_letter(&mut self, mailbox: MailboxId, uid: Uid) -> Result<Content, Unready> {
        let at = self.commit_mark(&self.letter(mailbox, uid)?);
        self.open_commit(at)
    }

    /// Opens the letter whose commit stands at `at`.
    pub(crate) fn open_commit(&mut self, at: Mark) -> Result<Content, Unready> {
        let view = self.read_commit(at)?;
        let (size, head) = (view.commit.size, view.commit.head.0.len() as u64);
        let mut start = head;
        let mut extents = Vec::new();
        for extent in view.extents() {
            extents.push((start, extent));
            start += u64::from(extent.original);
        }
        self.reader.sweep();
        self.reader.next_id += 1;
        let (id, pin) = (self.reader.next_id, Rc::new(()));
        let opened = Opened { pin: Rc::clone(&pin), commit: at, head, extents };
        self.reader.opened.insert(id, opened);
        Ok(Content::new(id, size, pin))
    }

    pub(crate) fn read_content(
        &mut self,
        content: &Content,
        offset: u64,
        max: usize,
        out: &mut Vec<u8>,
    ) -> Result<usize, Unready> {
        let mut given = 0;
        while given < max && offset + (given as u64) < content.size() {
            match self.read_piece(content, offset + given as u64, max - given, out) {
                Ok(0) => return if given > 0 { Ok(given) } else { Err(Unready::Damaged) },
                Ok(count) => given += count,
                Err(error) => return if given > 0 { Ok(given) } else { Err(error) },
            }
        }
        Ok(given)
    }

    /// Gives bytes from one place: the head, or one extent.
    fn read_piece(
        &mut self,
        content: &Content,
        offset: u64,
        max: usize,
        out: &mut Vec<u8>,
    ) -> Result<usize, Unready> {
        let opened = self.reader.opened.get(&content.id()).ok_or(Unready::Gone)?;
        if offset < opened.head {
            let at = opened.commit;
            let head = self.read_commit(at)?.commit.head.0;
            return Ok(give(head, offset, max, out));
        }
        let at = opened.extents.partition_point(|(start, _)| *start <= offset);
        let &(start, extent) =
            at.checked_sub(1).and_then(|at| opened.extents.get(at)).ok_or(Unready::Damaged)?;
        self.load_extent(extent)?;
        Ok(give(&self.reader.extent.bytes, offset - start, max, out))
    }

    /// Lends the stored bytes of the extent that was read last; [`take_back_stored`](Self::take_back_stored) gives them
    /// back.
    pub(crate) fn lend_stored(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.reader.stored.bytes)
    }

    /// See [`lend_stored`](Self::lend_stored).
    pub(crate) fn take_back_stored(&mut self, bytes: Vec<u8>) {
        self.reader.stored.bytes = bytes;
    }

    /// Has the letter's bytes that an extent stands for at hand.
    fn load_extent(&mut self, extent: Extent) -> Result<(), Unready> {
        let at = Mark { seq: extent.seq, offset: extent.offset };
        if self.reader.extent.at == at && !self.reader.extent.bytes.is_empty() {
            return Ok(());
        }
        self.load_stored(extent)?;
        let reader = &mut self.reader;
        reader.extent.bytes.clear();
        let stored = &reader.stored.bytes;
        let decoded = Frame::parse(stored).and_then(|frame| {
            let payload = stored.get(FRAME_BYTES..frame.bytes())?;
            let encoding = Encoding::of(frame.encoding)?;
            decode(encoding, payload, frame.original as usize, &mut reader.extent.bytes).ok()
        });
        if decoded.is_none() {
            reader.extent.bytes.clear();
            let segment = self.segments.find(extent.seq).unwrap_or(0);
            return Err(self.missed(Miss::Bad, Place { segment, offset: extent.offset }));
        }
        reader.extent.at = at;
        Ok(())
    }

    /// Reads the frame and payload of an extent and verifies them, unless they were read last.
    pub(crate) fn load_stored(&mut self, extent: Extent) -> Result<(), Unready> {
        let at = Mark { seq: extent.seq, offset: extent.offset };
        let window = &mut self.reader.stored;
        if window.at == at && !window.bytes.is_empty() {
            return Ok(());
        }
        match read_extent(&mut self.queue, &self.layout, &self.segments, extent, &mut window.bytes) {
            Ok(()) => {
                window.at = at;
                Ok(())
            }
            Err(miss) => {
                window.bytes.clear();
                let segment = self.segments.find(extent.seq).unwrap_or(0);
                Err(self.missed(miss, Place { segment, offset: extent.offset }))
            }
        }
    }
}

/// Appends what `bytes` hold from `offset` on, at most `max`, to `out`.
fn give(bytes: &[u8], offset: u64, max: usize, out: &mut Vec<u8>) -> usize {
    let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
    let piece = rest.get(..max).unwrap_or(rest);
    out.extend_from_slice(piece);
    piece.len()
}

/// Reads the frame and payload of an extent into `bytes` and verifies both.
pub(crate) fn read_extent<Q: FlashQueue>(
    queue: &mut Q,
    layout: &Layout,
    segments: &Segments,
    extent: Extent,
    bytes: &mut Vec<u8>,
) -> Result<(), Miss> {
    let segment = segments.find(extent.seq).ok_or(Miss::Bad)?;
    let len = FRAME_BYTES + extent.len as usize;
    if extent.len as usize > layout.extent_bytes_max() {
        return Err(Miss::Bad);
    }
    read_into(queue, layout.address(Place { segment, offset: extent.offset }), len, bytes)?;
    let right = Frame::parse(bytes).is_some_and(|frame| {
        frame.kind == kind::EXTENT && (frame.len, frame.original) == (extent.len, extent.original)
    });
    if right && verifies(layout.seed(extent.seq), extent.offset, bytes) { Ok(()) } else { Err(Miss::Bad) }
}
