//! Replaying the metadata log at a mount: which segments it consists of, what in them is durable, and what of the
//! last group counts (rules 6 to 10). `DESIGN.md` has the argument.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use flash::FlashQueue;

use crate::damage::DamageList;
use crate::format::anchor::Anchor;
use crate::format::code::take;
use crate::format::frame::{ALIGN, FRAME_BYTES, Frame, kind, verifies};
use crate::format::header::{Head, Header, PerStream};
use crate::format::records::{Clean, CommitView, Extent, Group, Heal, Moved, MovedView};
use crate::format::table::Root;
use crate::format::{Mark, Place, Seal};
use crate::index::{Home, Rescue, State};
use crate::layout::Layout;
use crate::limits::DAMAGE_MAX;
use crate::scan::{Framed, Scan, frame_at};
use crate::segments::{Segments, Use};

/// A segment of the metadata log, to be replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chapter {
    pub(crate) segment: u32,
    pub(crate) seq: u32,
    /// Where it ends, if something durable says so; otherwise the end must be found.
    pub(crate) end: Option<u32>,
}

/// The newest segment of the metadata log that the anchor vouches for.
pub(crate) fn newest(anchor: &Anchor, headers: &BTreeMap<u32, (u32, Header)>) -> Option<Chapter> {
    let mut opened = headers.range(anchor.seq_base..).rev();
    match opened.find(|(_, (_, header))| header.head == Head::Meta) {
        Some((seq, (segment, _))) => Some(Chapter { segment: *segment, seq: *seq, end: None }),
        None => anchor.meta.map(|seal| Chapter {
            segment: seal.segment,
            seq: seal.seq,
            end: (!anchor.resumed).then_some(seal.end),
        }),
    }
}

/// The segments of the metadata log from sequence number `first` on, oldest first. The chain begins at the newest one
/// and goes by the headers: a segment that a failed barrier orphaned stands in no header and does not count.
pub(crate) fn chapters(
    newest: Option<Chapter>,
    headers: &BTreeMap<u32, (u32, Header)>,
    first: u32,
) -> Vec<Chapter> {
    let mut next = newest;
    let mut chain: Vec<Chapter> = Vec::new();
    while let Some(chapter) = next
        .filter(|next| next.seq >= first)
        .filter(|next| chain.last().is_none_or(|later| next.seq < later.seq))
    {
        chain.push(chapter);
        next = match headers.get(&chapter.seq) {
            Some((_, header)) => header.before.map(|seal| Chapter {
                segment: seal.segment,
                seq: seal.seq,
                end: Some(seal.end),
            }),
            // Its header is damaged: the segment that was opened before it is the best guess.
            None => {
                let before = headers.range(..chapter.seq);
                let before = before.rev().find(|(_, (_, header))| header.head == Head::Meta);
                before.map(|(seq, (segment, _))| Chapter { segment: *segment, seq: *seq, end: None })
            }
        };
    }
    chain.reverse();
    chain
}

/// What a replay leads to, beside the state.
#[derive(Debug, Default)]
pub(crate) struct Replayed {
    pub(crate) records: u64,
    /// Number and time of the newest group.
    pub(crate) group: u64,
    pub(crate) newest: i64,
    pub(crate) programmed: u64,
    pub(crate) mail: u64,
    /// Bytes of records, without those of checkpoints.
    pub(crate) bytes: u64,
    /// End of the metadata log; `None` when there is none.
    pub(crate) meta: Option<Seal>,
    /// The last record of all, if it says that a life ended cleanly.
    pub(crate) clean: Option<Clean>,
    /// Segments of commits that the replay has named.
    pub(crate) named: BTreeSet<u32>,
    /// Roots that it passed, with the numbers of their checkpoints.
    pub(crate) roots: Vec<(u64, Home)>,
    /// Damage that no record answers yet: where, and which mailboxes it may concern (`None`: any).
    pub(crate) unhealed: BTreeMap<Mark, Option<Vec<u32>>>,
    /// Pages of the checkpoint among it, with the mailboxes that they list; none for a page of deletions.
    pub(crate) pages: BTreeMap<Mark, Option<Vec<u32>>>,
}

/// A replay under way.
pub(crate) struct Replay<'a, Q> {
    pub(crate) queue: &'a mut Q,
    pub(crate) layout: Layout,
    pub(crate) segments: &'a mut Segments,
    pub(crate) state: &'a mut State,
    pub(crate) damage: &'a mut DamageList,
    pub(crate) done: Replayed,
    /// Mailboxes that the group being read touches; `None` for any.
    pub(crate) touched: Option<Vec<u32>>,
}

/// A group record's fields that replay goes by.
#[derive(Clone, Copy)]
struct GroupAt {
    offset: u32,
    /// Where its records begin and end.
    first: u32,
    end: u32,
    records: u32,
    bodies: PerStream<Mark>,
    root: Mark,
}

impl<Q: FlashQueue> Replay<'_, Q> {
    /// The root that the last group of a segment names; `None` when there is no group.
    pub(crate) fn root_of(&mut self, chapter: Chapter) -> Option<Mark> {
        self.last_group(chapter).map(|group| group.root)
    }

    /// Whether a segment holds nothing but parts of a checkpoint that no group names: what a life leaves behind that was
    /// cut in a checkpoint, and had written nothing else before. `before` is the segment in front of it, and `root` stands
    /// in its header.
    pub(crate) fn is_checkpoint_only(&mut self, chapter: Chapter, before: Chapter, root: Mark) -> bool {
        let last = self.last_group(chapter);
        if self.root_of(before) != Some(last.map_or(root, |last| last.root)) {
            return false;
        }
        // Without a group nothing in it was ever durable.
        let Some(last) = last else { return true };
        let mut scan = Scan::new(&self.layout, (chapter.segment, chapter.seq), u32::MAX);
        let mut at = self.layout.first_group();
        while at <= last.offset {
            let group = scan.frame(self.queue, at).and_then(|found| group_at(at, &found));
            let Some(group) = group else { return false };
            let mut record = group.first;
            for _ in 0..group.records {
                match scan.frame(self.queue, record) {
                    Some(found) if matches!(found.frame.kind, kind::PAGE..=kind::ROOT) => {
                        record += found.frame.span() as u32;
                    }
                    // What is torn in the last group does not count, nor does what comes behind it.
                    None if at == last.offset => break,
                    _ => return false,
                }
            }
            at = group.end.max(at + 1).next_multiple_of(self.layout.unit);
        }
        true
    }

    /// Takes over what the last group of a segment says of the whole store, but for its records.
    pub(crate) fn take_figures(&mut self, chapter: Chapter) {
        let Some(last) = self.last_group(chapter) else { return };
        let mut scan = Scan::new(&self.layout, (chapter.segment, chapter.seq), last.first);
        if let Some(found) = scan.frame(self.queue, last.offset) {
            self.take_group(found.payload);
        }
    }

    /// Replays one segment, from `from` on if it stands in there.
    pub(crate) fn chapter(&mut self, chapter: Chapter, from: Mark) {
        let Chapter { segment, seq, .. } = chapter;
        let begun = if from.seq == seq { self.layout.round_up(from.offset) } else { 0 };
        let start = begun.max(self.layout.first_group());
        if let Some(end) = chapter.end {
            let end = end.clamp(start, self.layout.segment_bytes.max(start));
            self.durable(chapter, start, end);
            self.done.meta = Some(Seal { seq, segment, end });
            return;
        }
        let Some(last) = self.last_group(chapter).filter(|last| last.offset >= start) else {
            if begun > 0 {
                // What a checkpoint holds was durable, and nothing came behind it.
                self.done.meta = Some(Seal { seq, segment, end: start });
            } else {
                // Nothing in it counts: whatever it held was never durable.
                self.segments.release(segment);
            }
            return;
        };
        self.durable(chapter, start, last.offset);
        let end = self.tail(chapter, last);
        self.done.meta = Some(Seal { seq, segment, end });
    }

    /// Finds the last group in a segment by going from group to group. Where one does not verify, later ones are
    /// looked for on every unit: if there is one, the bad place is damage, otherwise the log ends there.
    fn last_group(&mut self, chapter: Chapter) -> Option<GroupAt> {
        let unit = self.layout.unit;
        let end = chapter.end.unwrap_or(u32::MAX);
        let mut scan = Scan::new(&self.layout, (chapter.segment, chapter.seq), end);
        let mut last = None;
        let mut at = self.layout.first_group();
        while at < scan.end() {
            let group = scan.frame(self.queue, at).and_then(|found| group_at(at, &found));
            at = match group {
                Some(group) => group.end.max(at + 1).next_multiple_of(unit),
                None => at + unit,
            };
            last = group.or(last);
        }
        last
    }

    // ---- What is durable ---------------------------------------------------------------------------------------

    /// Applies everything from `at` to `end`, all of which was behind a good barrier. What does not verify is damage:
    /// it is noted, and reading goes on at the next frame that does.
    fn durable(&mut self, chapter: Chapter, mut at: u32, end: u32) {
        let mut scan = Scan::new(&self.layout, (chapter.segment, chapter.seq), end);
        let mut gap: Option<u32> = None;
        // End of the group whose record was read last; without one, what follows may be the rest of a group whose
        // record is damaged, or padding.
        let mut group_end: Option<u32> = None;
        while at < end {
            let found = scan.frame(self.queue, at);
            match (gap, found) {
                (None, Some(found)) => {
                    (at, group_end) = self.step(chapter, at, &found, group_end);
                }
                (None, None) => gap = Some(at),
                (Some(from), Some(_)) => {
                    self.gap(&mut scan, chapter, from, at);
                    group_end = group_end.filter(|group_end| at < *group_end);
                    gap = None;
                }
                (Some(_), None) => at += ALIGN as u32,
            }
        }
        if let Some(from) = gap {
            self.gap(&mut scan, chapter, from, end);
        }
    }

    /// Takes up one frame. Returns where the next one is to be looked for, and the end of the group that it is in.
    fn step(
        &mut self,
        chapter: Chapter,
        at: u32,
        found: &Framed<'_>,
        group_end: Option<u32>,
    ) -> (u32, Option<u32>) {
        let mut group_end = group_end;
        if let Some(group) = group_at(at, found) {
            self.take_group(found.payload);
            group_end = Some(group.end);
        } else {
            self.apply(chapter, at, found);
        }
        let next = at + found.frame.span() as u32;
        if group_end.is_none_or(|group_end| next < group_end) {
            return (next, group_end);
        }
        self.touched = None;
        (next.next_multiple_of(self.layout.unit), None)
    }

    /// Looks at a stretch in which no frame verifies.
    fn gap(&mut self, scan: &mut Scan, chapter: Chapter, from: u32, to: u32) {
        if scan.is_padding(self.queue, from, to) {
            return;
        }
        let place = Mark { seq: chapter.seq, offset: from };
        self.damage.note(place);
        if let Some(rescue) = &mut self.state.rescue {
            rescue.damaged = true;
        }
        let single = scan.plausible(self.queue, from).filter(|frame| from + frame.span() as u32 == to);
        if single.is_some_and(|frame| !concerns_mailboxes(frame.kind)) {
            return;
        }
        if let Some(known) = self.done.unhealed.get_mut(&place) {
            // A page of the checkpoint stood there, and that is known already; what else did belongs to the group.
            match (known.as_mut(), &self.touched) {
                (Some(known), Some(touched)) => known.extend(touched),
                _ => *known = None,
            }
        } else if self.done.unhealed.len() < DAMAGE_MAX {
            self.done.unhealed.insert(place, self.touched.clone());
        } else if let Some(mut last) = self.done.unhealed.last_entry() {
            last.insert(None);
        }
    }

    fn take_group(&mut self, mut payload: &[u8]) {
        let Some(group) = take::<Group<'_>>(&mut payload) else { return };
        self.done.group = group.number;
        self.done.newest = self.done.newest.max(group.time);
        self.done.programmed = group.programmed;
        self.done.mail = group.mail;
        self.done.clean = None;
        self.touched = group.touched.map(alloc::borrow::Cow::into_owned);
    }

    fn apply(&mut self, chapter: Chapter, at: u32, found: &Framed<'_>) {
        self.done.records += 1;
        if !matches!(found.frame.kind, kind::PAGE..=kind::ROOT) {
            self.done.bytes += found.frame.span() as u64;
        }
        self.done.clean = None;
        let mut payload = found.payload;
        match found.frame.kind {
            kind::CLEAN => self.done.clean = take(&mut payload),
            kind::HEAL => {
                if let Some(heal) = take::<Heal>(&mut payload) {
                    self.done.unhealed.remove(&heal.at);
                    self.done.pages.remove(&heal.at);
                }
            }
            kind::ROOT => {
                let home = Home { segment: chapter.segment, offset: at, span: found.frame.span() as u32 };
                self.done.roots.extend(take::<Root>(&mut payload).map(|root| (root.number, home)));
            }
            kind::MOVED => {
                let views = MovedView::parse_all(payload).unwrap_or_default();
                let named = views.iter().filter_map(|view| self.segments.find(view.moved.to.seq));
                self.done.named.extend(named);
            }
            _ => {}
        }
        let place = Place { segment: chapter.segment, offset: at };
        // What the asker was told is of no interest any more.
        let _ = self.state.apply(self.segments, found.frame.kind, found.payload, place);
    }

    // ---- The last group ----------------------------------------------------------------------------------------

    /// Applies what counts of a group that may not have been behind a good barrier: its records up to the first one
    /// that does not verify, or whose body does not. Returns where that ends.
    fn tail(&mut self, chapter: Chapter, last: GroupAt) -> u32 {
        let mut scan = Scan::new(&self.layout, (chapter.segment, chapter.seq), last.end);
        if let Some(found) = scan.frame(self.queue, last.offset) {
            self.take_group(found.payload);
        }
        let mut at = last.first;
        for _ in 0..last.records {
            let Some(found) = scan.frame(self.queue, at) else {
                self.done.clean = None;
                return at;
            };
            if !self.streams_verify(found.frame.kind, found.payload, &last.bodies) {
                self.done.clean = None;
                return at;
            }
            self.apply(chapter, at, &found);
            at += found.frame.span() as u32;
        }
        at
    }

    /// Whether everything that a record names in the streams and that lies behind the marks of its group verifies.
    fn streams_verify(&mut self, kind: u8, payload: &[u8], marks: &PerStream<Mark>) -> bool {
        match kind {
            kind::COMMIT => CommitView::parse(payload)
                .is_some_and(|view| view.extents().all(|extent| self.extent_counts(extent, marks))),
            kind::MOVED => MovedView::parse_all(payload).is_some_and(|views| {
                views.iter().all(|view| {
                    self.commit_counts(&view.moved, marks)
                        && view.extents().all(|extent| self.extent_counts(extent, marks))
                })
            }),
            _ => true,
        }
    }

    /// What is durable in the stream to which a segment belongs.
    fn mark_of(&self, segment: u32, marks: &PerStream<Mark>) -> Mark {
        match self.segments.used(segment) {
            Use::Log(Head::Body(stream)) => *marks.of(stream),
            _ => Mark::default(),
        }
    }

    fn extent_counts(&mut self, extent: Extent, marks: &PerStream<Mark>) -> bool {
        let segment = self.segments.find(extent.seq);
        let mark = segment.map_or_else(Mark::default, |segment| self.mark_of(segment, marks));
        extent.end() <= mark || self.extent_verifies(extent)
    }

    fn commit_counts(&mut self, moved: &Moved, marks: &PerStream<Mark>) -> bool {
        let Some(segment) = self.segments.find(moved.to.seq) else { return false };
        let end = Mark { offset: moved.to.offset.saturating_add(moved.span), ..moved.to };
        end <= self.mark_of(segment, marks)
            || frame_at(self.queue, &self.layout, self.segments, moved.to)
                .is_some_and(|frame| CommitView::of_frame(&frame).is_some())
    }

    fn extent_verifies(&mut self, extent: Extent) -> bool {
        let Some(segment) = self.segments.find(extent.seq) else { return false };
        if extent.len as usize > self.layout.extent_bytes_max() {
            return false;
        }
        let mut bytes = alloc::vec![0; FRAME_BYTES + extent.len as usize];
        let address = self.layout.address(Place { segment, offset: extent.offset });
        self.queue.read_through(address, &mut bytes).is_ok()
            && Frame::parse(&bytes).is_some_and(|frame| frame.kind == kind::EXTENT && frame.len == extent.len)
            && verifies(self.layout.seed(extent.seq), extent.offset, &bytes)
    }
}

/// Whether losing a record of this kind may take something from a mailbox that clients have seen.
const fn concerns_mailboxes(kind: u8) -> bool {
    matches!(kind, kind::COMMIT..=kind::EXPUNGE
            | kind::RESTORE
            | kind::MAILBOX_CREATE..=kind::MAILBOX_RENAME
            | kind::ACCOUNT_REMOVE)
}

fn group_at(offset: u32, found: &Framed<'_>) -> Option<GroupAt> {
    let mut payload = found.payload;
    if found.frame.kind != kind::GROUP {
        return None;
    }
    let group: Group<'_> = take(&mut payload)?;
    let first = offset + found.frame.span() as u32;
    Some(GroupAt {
        offset,
        first,
        end: first.saturating_add(group.bytes),
        records: group.records,
        bodies: group.bodies,
        root: group.root,
    })
}

/// What replay knows from the beginning of a log on.
pub(crate) fn rescue() -> Option<Rescue> {
    Some(Rescue::default())
}
