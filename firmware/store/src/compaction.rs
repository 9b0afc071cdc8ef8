//! Compaction: gains space by moving what lives in a segment elsewhere, a few letters for each group (rule 14).
//!
//! A body segment gives its extents to the stream of cold bodies; a metadata segment before the checkpoint gives its
//! pages to the next one. A letter that is moved has its commit written anew, to the stream of commits, and a record
//! says so; it is read where it was until that is durable. Nothing is erased here: a segment in which nothing lives any
//! more is free by the rules for all such.

mod batch;
mod victim;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;

use flash::FlashQueue;
use mail::{Cold, Refusal, Stop, Unready};

use crate::Store;
use crate::format::Mark;
use crate::format::frame::{ENCODING_RAW, FRAME_BYTES, Frame, kind};
use crate::format::header::{Head, PerStream, Stream};
use crate::format::records::{Extent, Moved, put_commit_again, put_moved};
use crate::head::Piece;
use crate::index::Letter;
use crate::limits::{
    ALONG_MAX, CHORE_BODY_BYTES, CHORE_BYTES, COMPACTION_SCAN_PAGES, EXTENTS_MAX, HASTE_MAX,
};
use crate::log::{Class, EXTENT_REST_MIN};
use crate::segments::Use;

/// A segment that is being emptied.
#[derive(Clone, Copy, Debug)]
struct Victim {
    segment: u32,
    seq: u32,
    head: Head,
}

/// Segments that are being emptied: one, or a batch of them; see [`batch`].
#[derive(Debug)]
struct Emptying {
    victims: Vec<Victim>,
    /// All of them or none: nothing that was moved is named before.
    batch: bool,
    /// The next page of letters to be looked through, and the letters found that are to be moved.
    page: usize,
    found: Vec<u32>,
    moving: Option<Moving>,
    /// A letter could not be moved.
    stuck: bool,
    /// Segments opened for what is moved.
    opened: u32,
}

/// Letters that have been moved, and of which no record says so yet.
#[derive(Debug, Default)]
struct Unnamed {
    /// The payload of that record.
    payload: Vec<u8>,
    /// The first segment of each stream that holds something of them.
    first: PerStream<Option<u32>>,
}

/// A letter that is being moved.
#[derive(Debug)]
struct Moving {
    slot: u32,
    /// Its commit until now.
    from: Mark,
    /// Its extents: first those as they will be, and from `next` on those as they are.
    extents: Vec<Extent>,
    next: usize,
}

/// What compaction is about.
#[derive(Debug, Default)]
pub(crate) struct Compaction {
    emptying: Option<Emptying>,
    unnamed: Unnamed,
    /// The first segment of cold bodies with a part of the letter that is being moved. Not kept with it: it counts in the
    /// midst of a step as well, when the next segment is opened.
    begun: Option<u32>,
    /// Something has to be read that is not in memory.
    cold: Option<Cold>,
    /// Waits for that.
    waits: bool,
    /// Segments that cannot be emptied, because something in them cannot be read.
    stuck: BTreeSet<u32>,
    /// Segments that could not be emptied for want of room, by sequence number, with the bytes that lived in them, and how many
    /// segments were available.
    cramped: BTreeMap<u32, u32>,
    cramped_at: u32,
    /// There may be something to do.
    pub(crate) wanted: bool,
    /// Metadata segments that hold nothing but pages that the next checkpoint writes elsewhere, by sequence number.
    pub(crate) emptied: BTreeSet<u32>,
    /// Sequence number up to which no segment has to move for wear alone.
    worn_at: u32,
    scatter: Scatter,
}

/// How the letters of a segment are scattered over the pages of the index: measured at those that were emptied, because
/// nobody could count it for all that could be.
#[derive(Debug)]
struct Scatter {
    letters: u64,
    pages: u64,
}

impl Default for Scatter {
    /// What the first segments show counts more than this soon.
    fn default() -> Self {
        Self { letters: 64, pages: 16 }
    }
}

impl Scatter {
    /// Letters that it looks back on, about.
    const LETTERS: u64 = 4_096;

    fn note(&mut self, letters: usize) {
        (self.letters, self.pages) = (self.letters + letters as u64, self.pages + 1);
        if self.letters > Self::LETTERS {
            (self.letters, self.pages) = (self.letters / 2, self.pages.div_ceil(2));
        }
    }

    /// Pages in which so many letters of a segment stand.
    const fn pages_of(&self, letters: u64) -> u64 {
        (letters * self.pages).div_ceil(self.letters)
    }
}

/// Numbers that name a letter that was moved, and one of its extents, at their longest.
const MOVED_NUMBERS: usize = 40;
const EXTENT_NUMBERS: usize = 20;

/// Why a step ended.
enum End {
    /// Enough for one group.
    Enough,
    /// All of the segment has been looked at.
    Done,
    /// The device has to catch up, or something to be read, before it goes on.
    Later,
    /// There is no room for what has to be moved.
    Failed,
}

impl Compaction {
    /// Whether there is something to do, and nothing holds it up.
    pub(crate) const fn is_busy(&self) -> bool {
        (self.emptying.is_some() || self.wanted) && !self.waits
    }

    /// The first segment of a stream with something that no record names yet.
    pub(crate) fn first_unnamed(&self, stream: Stream) -> Option<u32> {
        let begun = self.begun.filter(|_| stream == Stream::Cold);
        [begun, *self.unnamed.first.of(stream)].into_iter().flatten().min()
    }

    /// Ends what was begun: the letters stay where they are.
    pub(crate) fn abandon(&mut self) {
        (self.emptying, self.cold, self.waits) = (None, None, false);
        (self.unnamed, self.begun) = (Unnamed::default(), None);
    }
}

impl<Q: FlashQueue> Store<Q> {
    /// What housekeeping has to read and is not in memory. It goes on after [`warmed`](Self::warmed).
    pub fn take_cold(&mut self) -> Option<Cold> {
        self.compaction.cold.take()
    }

    /// What [`take_cold`](Self::take_cold) gave is in memory now, or could not be read.
    pub const fn warmed(&mut self) {
        self.compaction.waits = self.compaction.cold.is_some();
    }

    /// Does one step of compaction, if there is a reason for it.
    pub(crate) fn compact(&mut self) {
        if self.compaction.waits {
            return;
        }
        if self.compaction.emptying.is_none() {
            let Some(next) = self.choose_victims() else {
                self.compaction.wanted = false;
                return;
            };
            self.compaction.emptying = Some(next);
        }
        let Some(mut emptying) = self.compaction.emptying.take() else { return };
        let end = self.empty(&mut emptying);
        if !emptying.batch {
            self.name_moved();
        }
        match end {
            End::Enough | End::Later => self.compaction.emptying = Some(emptying),
            End::Done if emptying.batch => self.end_batch(&emptying),
            End::Done => self.emptied(&emptying),
            End::Failed => {
                self.compaction.begun = None;
                // Otherwise what is left is for a batch.
                if emptying.batch {
                    self.give_up(&emptying);
                }
            }
        }
    }

    /// Segments have been emptied.
    fn emptied(&mut self, emptying: &Emptying) {
        for victim in &emptying.victims {
            if victim.has_commits() {
                self.state.soil(&mut self.segments, victim.segment);
                self.compaction.emptied.insert(victim.seq);
            }
        }
    }

    /// Has a record say what has been moved.
    fn name_moved(&mut self) {
        let Unnamed { payload, first } = core::mem::take(&mut self.compaction.unnamed);
        if payload.is_empty() {
            return;
        }
        let chores = &mut self.log.chores;
        let _ = chores.record(kind::MOVED, |out| {
            out.extend_from_slice(&payload);
            Ok(())
        });
        for stream in Stream::ALL {
            first.of(stream).iter().for_each(|first| chores.name_body(stream, *first));
        }
    }

    /// Moves letters out of segments until that is enough for one group.
    fn empty(&mut self, emptying: &mut Emptying) -> End {
        let mut budget = CHORE_BODY_BYTES * (1 + self.behind().min(HASTE_MAX)) as usize;
        let mut pages = COMPACTION_SCAN_PAGES;
        loop {
            let full = !emptying.batch && self.compaction.unnamed.payload.len() >= CHORE_BYTES;
            if full || budget == 0 || pages == 0 {
                return End::Enough;
            }
            if emptying.moving.is_some() {
                match self.move_on(emptying, &mut budget) {
                    Ok(()) => continue,
                    Err(end) => return end,
                }
            }
            if let Some(slot) = emptying.found.last().copied() {
                match self.begin_move(slot, emptying) {
                    Ok(()) => emptying.found.pop(),
                    Err(end) => return end,
                };
                continue;
            }
            let Some(page) = self.state.letters.pages().get(emptying.page) else { return End::Done };
            let first = (emptying.page * crate::index::PAGE_SLOTS) as u32;
            let here = page.get().iter().filter(|(_, letter)| emptying.holds(letter));
            let mut found: Vec<u32> = here.map(|(slot, _)| first + u32::from(slot)).collect();
            if !found.is_empty() {
                self.compaction.scatter.note(found.len());
            }
            emptying.found.append(&mut found);
            emptying.page += 1;
            pages -= 1;
        }
    }

    /// Takes a letter up to be moved, if it is still there.
    fn begin_move(&mut self, slot: u32, emptying: &mut Emptying) -> Result<(), End> {
        let Some(letter) = self.state.letters.get(slot).filter(|letter| emptying.holds(letter)) else {
            return Ok(());
        };
        let from = self.commit_mark(&letter);
        let extents = match self.read_commit(from) {
            Ok(commit) => commit.extents().collect::<Vec<_>>(),
            Err(Unready::Cold(cold)) => return Err(self.wait_for(cold)),
            Err(_) => {
                self.leave_behind(slot, emptying);
                return Ok(());
            }
        };
        emptying.moving = Some(Moving { slot, from, extents, next: 0 });
        Ok(())
    }

    /// A letter cannot be moved: neither can what it lies in be emptied.
    fn leave_behind(&mut self, slot: u32, emptying: &mut Emptying) {
        (emptying.stuck, emptying.moving) = (true, None);
        self.compaction.begun = None;
        let Some(letter) = self.state.letters.get(slot) else { return };
        let holding = emptying.victims.iter().filter(|victim| victim.holds(&letter));
        self.compaction.stuck.extend(holding.map(|victim| victim.seq));
    }

    fn wait_for(&mut self, cold: Cold) -> End {
        self.compaction.cold = Some(cold);
        self.compaction.waits = true;
        End::Later
    }

    /// Moves the next extent of a letter, or writes its new commit.
    fn move_on(&mut self, emptying: &mut Emptying, budget: &mut usize) -> Result<(), End> {
        let Some(moving) = &emptying.moving else { return Ok(()) };
        let letter = self.state.letters.get(moving.slot);
        if letter.is_none_or(|letter| self.commit_mark(&letter) != moving.from) {
            // It is gone meanwhile, and what it had may be as well.
            (emptying.moving, self.compaction.begun) = (None, None);
            return Ok(());
        }
        let (slot, parts) = (moving.slot, moving.extents.len());
        let Some(extent) = moving.extents.get(moving.next).copied() else {
            return self.end_move(emptying, budget);
        };
        if !self.goes(extent, emptying) {
            emptying.moving.iter_mut().for_each(|moving| moving.next += 1);
            return Ok(());
        }
        match self.load_stored(extent) {
            Ok(()) => {}
            Err(Unready::Cold(cold)) => return Err(self.wait_for(cold)),
            Err(_) => {
                self.leave_behind(slot, emptying);
                return Ok(());
            }
        }
        let stored = self.lend_stored();
        let moved = self.copy_extent(extent, &stored, emptying);
        self.take_back_stored(stored);
        let moved = match moved {
            Ok(moved) => moved,
            Err(Stop::Busy) => return Err(End::Later),
            Err(Stop::Refused(_)) => return Err(End::Failed),
        };
        *budget = budget.saturating_sub(extent.len as usize);
        if parts + moved.len() > EXTENTS_MAX {
            self.leave_behind(slot, emptying);
            return Ok(());
        }
        let Some(moving) = &mut emptying.moving else { return Ok(()) };
        let at = moving.next;
        self.compaction.begun = self.compaction.begun.or(moved.first().map(|extent| extent.seq));
        moving.next += moved.len();
        moving.extents.splice(at..=at, moved);
        Ok(())
    }

    /// Whether an extent moves with its letter.
    fn goes(&self, extent: Extent, emptying: &Emptying) -> bool {
        if emptying.victims.iter().any(|victim| victim.seq == extent.seq) {
            return true;
        }
        let takes = |victim: &Victim| matches!(victim.head, Head::Meta | Head::Body(Stream::Fresh));
        // Where space is short, a long letter would need more segments than there are, and be begun again and again.
        let has_room = !emptying.batch && self.available() > self.reserve();
        if !has_room || !emptying.victims.iter().any(takes) {
            return false;
        }
        self.segments.find(extent.seq).is_some_and(|segment| {
            let live = u64::from(self.segments.live(segment));
            self.segments.used(segment) == Use::Log(Head::Body(Stream::Fresh))
                && extent.seq < self.unneeded_below(Stream::Fresh)
                && live * 100 <= u64::from(self.layout.segment_bytes) * ALONG_MAX
        })
    }

    /// Appends an extent whose frame and payload are `stored` to the cold bodies, as it is; bytes that are not encoded may
    /// be cut in two where a segment ends.
    fn copy_extent(
        &mut self,
        extent: Extent,
        stored: &[u8],
        emptying: &mut Emptying,
    ) -> Result<Vec<Extent>, Stop> {
        let frame = Frame::parse(stored).ok_or(Refusal::NotDurable)?;
        let payload = stored.get(FRAME_BYTES..frame.bytes()).unwrap_or_default();
        if frame.encoding != ENCODING_RAW {
            self.room_to_move((payload.len(), payload.len()), Stream::Cold, emptying)?;
            let piece = Piece::extent(frame.encoding, payload, extent.original);
            return Ok(vec![self.append_extent(&piece, Stream::Cold)?]);
        }
        let mut parts = Vec::new();
        let mut rest = payload;
        while !rest.is_empty() {
            let lengths = (rest.len(), rest.len().min(EXTENT_REST_MIN));
            let room = self.room_to_move(lengths, Stream::Cold, emptying)?;
            let (part, behind) = rest.split_at_checked(room).unwrap_or((rest, &[]));
            parts.push(self.append_extent(&Piece::raw(part), Stream::Cold)?);
            rest = behind;
        }
        Ok(parts)
    }

    /// Room in a stream for what is moved, as [`room_for_extent`](Self::room_for_extent); counts the segments opened for it.
    fn room_to_move(
        &mut self,
        lengths: (usize, usize),
        stream: Stream,
        emptying: &mut Emptying,
    ) -> Result<usize, Stop> {
        let head = |store: &Self| store.log.bodies.of(stream).as_ref().map(|body| body.seq);
        let before = head(self);
        let room = self.room_for_extent(lengths, (stream, emptying.class()))?;
        emptying.opened += u32::from(head(self) != before);
        Ok(room)
    }

    /// Writes the new commit of a letter all of whose extents are where they shall be, and notes it for a record.
    fn end_move(&mut self, emptying: &mut Emptying, budget: &mut usize) -> Result<(), End> {
        let Some(moving) = &emptying.moving else { return Ok(()) };
        let mut payload = Vec::new();
        // Encoding into memory cannot fail.
        let encoded = self.read_commit(moving.from).map(|commit| {
            let _ = put_commit_again(&mut payload, &commit, &moving.extents);
        });
        match encoded {
            Ok(()) if payload.len() <= self.layout.record_bytes_max() => {}
            Err(Unready::Cold(cold)) => return Err(self.wait_for(cold)),
            _ => {
                self.leave_behind(moving.slot, emptying);
                return Ok(());
            }
        }
        self.room_for_name(emptying.batch, moving.extents.len())?;
        match self.room_to_move((payload.len(), payload.len()), Stream::Commits, emptying) {
            Ok(_) => {}
            Err(Stop::Busy) => return Err(End::Later),
            Err(Stop::Refused(_)) => return Err(End::Failed),
        }
        let extent =
            self.append_extent(&Piece::commit(&payload), Stream::Commits).map_err(|_| End::Failed)?;
        *budget = budget.saturating_sub(payload.len());
        let Some(Moving { slot, from, extents, .. }) = emptying.moving.take() else { return Ok(()) };
        let first = self.compaction.begun.take();
        let to = Mark { seq: extent.seq, offset: extent.offset };
        let unnamed = &mut self.compaction.unnamed;
        let _ = put_moved(&mut unnamed.payload, &Moved { slot, from, to, span: extent.span() }, &extents);
        for (stream, seq) in [(Stream::Commits, Some(to.seq)), (Stream::Cold, first)] {
            let known = unnamed.first.of_mut(stream);
            *known = [*known, seq].into_iter().flatten().min();
        }
        Ok(())
    }

    /// Sees that the record which names what has been moved takes a letter of so many extents more.
    fn room_for_name(&mut self, batch: bool, extents: usize) -> Result<(), End> {
        let most = MOVED_NUMBERS + EXTENT_NUMBERS * extents;
        if self.compaction.unnamed.payload.len() + most <= self.layout.record_bytes_max() {
            return Ok(());
        }
        if batch {
            return Err(End::Failed);
        }
        self.name_moved();
        Ok(())
    }
}

impl Emptying {
    fn of(victims: Vec<Victim>, batch: bool) -> Self {
        Self { victims, batch, page: 0, found: Vec::new(), moving: None, stuck: false, opened: 0 }
    }

    /// Whose segments it may open.
    const fn class(&self) -> Class {
        if self.batch { Class::Last } else { Class::Chore }
    }

    /// Whether a letter has something in the segments.
    fn holds(&self, letter: &Letter) -> bool {
        self.victims.iter().any(|victim| victim.holds(letter))
    }
}

impl Victim {
    /// Whether commits stand in the segment, and not bodies.
    const fn has_commits(&self) -> bool {
        matches!(self.head, Head::Meta | Head::Body(Stream::Commits))
    }

    /// Whether a letter has something in the segment.
    fn holds(&self, letter: &Letter) -> bool {
        if self.has_commits() {
            return letter.place.segment == self.segment;
        }
        letter.body.parts().any(|(segment, _)| segment == self.segment)
    }
}
