//! Checkpoints: the index on flash, so that a mount reads what has changed since and not the whole log (rule 13).
//!
//! A checkpoint is of one moment. It takes the pages of the index that have changed since the last one, writes them
//! as records of the groups that follow, a few at a time, then tables of all the rest, then a root that leads to all
//! of it. Groups name the newest root that is durable; what only older roots need is free once one of them is.

mod job;
mod load;

use alloc::vec::Vec;

use flash::FlashQueue;

use job::Job;
pub(crate) use load::Loader;

use crate::Store;
use crate::format::code::take;
use crate::format::frame::kind;
use crate::format::header::{Head, Stream};
use crate::format::pages::PageHead;
use crate::format::table::Root;
use crate::format::{Mark, Place};
use crate::index::Home;
use crate::limits::{
    CHECKPOINT_DIVISOR, CHECKPOINT_SHARE, CHECKPOINT_TAIL_MAX, CHECKPOINT_TAIL_MIN, CHECKPOINT_TAIL_PART,
    CHECKPOINT_TAIL_SPREAD, COPIES_MAX, COPIES_WHEN_SHORT, META_FILLED, PAGES_DIVISOR, REGAIN_DIVISOR,
};
use crate::segments::Segments;

/// What is known of checkpoints.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    /// Number of the newest one.
    number: u64,
    /// Where its root stands, and from where on a replay begins that has it; all zero for none.
    root: Mark,
    from: Mark,
    /// Where its root and its tables stand.
    tables: Vec<Home>,
    /// Metadata segments that nothing needs once the newest root is named by a durable group.
    doomed: Vec<u32>,
    job: Option<Job>,
    /// Bytes programmed in this mount when the last one began.
    programmed: u64,
    /// Bytes of metadata that a mount would have to replay, those of checkpoints left out, and when to look again
    /// whether that is too much.
    pub(crate) tail: u64,
    look_at: u64,
    /// Somebody wants one now.
    pub(crate) wanted: bool,
    /// Nothing else is written before it is in force.
    alone: bool,
    /// Room that the last one that was alone has left in its segment: the next one would leave no more.
    left: Option<usize>,
}

impl Checkpoints {
    /// The root that groups and headers name.
    pub(crate) const fn root(&self) -> Mark {
        self.root
    }

    /// Where its tables and its root stand.
    pub(crate) fn tables(&self) -> &[Home] {
        &self.tables
    }

    /// Notes the copies of the root among those that a replay has passed.
    pub(crate) fn take_copies(&mut self, roots: &[(u64, Home)], segments: &mut Segments) {
        for (_, home) in roots.iter().filter(|(number, _)| *number == self.number) {
            if !self.tables.contains(home) {
                segments.keep(home.segment, home.span);
                self.tables.push(*home);
            }
        }
    }

    /// From where on the metadata log is needed for a replay. Segments before it hold commits and pages only.
    pub(crate) const fn from(&self) -> Mark {
        self.from
    }
}

#[cfg(test)]
impl Checkpoints {
    /// Where tables stand, those of the checkpoint that is being written included.
    pub(crate) fn all_tables(&self) -> impl Iterator<Item = Home> + '_ {
        self.tables.iter().copied().chain(self.job.iter().flat_map(|job| job.tables.iter().copied()))
    }
}

impl<Q: FlashQueue> Store<Q> {
    /// Whether a checkpoint is being written, or not yet in force.
    pub(crate) const fn is_checkpointing(&self) -> bool {
        self.checkpoints.job.is_some() || !self.checkpoints.doomed.is_empty()
    }

    /// Segments that a checkpoint of all there is may take, about, and one more: what is left has to do for it, whatever else
    /// must wait. In a store of few segments other things need room as well.
    pub(crate) fn checkpoint_segments(&self) -> u32 {
        let tables: u64 = self.checkpoints.tables.iter().map(|home| u64::from(home.span)).sum();
        // Tables stand twice. Where settings have come since the last one, the next takes more than that one gives back.
        let next = tables.max(2 * self.state.settings_bytes);
        let bytes = self.index_bytes() / PAGES_DIVISOR + next + (next - tables);
        let segment = u64::from(self.layout.segment_bytes);
        let segments = (bytes * 100).div_ceil(segment * META_FILLED) as u32 + 1;
        segments.min(self.layout.segments / CHECKPOINT_DIVISOR)
    }

    /// Whether nothing but a checkpoint is to be written. What a life that is cut then leaves behind is taken back by the
    /// next mount (see [`Replay::is_checkpoint_only`](crate::replay::Replay::is_checkpoint_only)).
    pub(crate) const fn is_checkpoint_alone(&self) -> bool {
        self.checkpoints.alone
    }

    /// Has a checkpoint go before everything else, and elsewhere than what it is of: it needs a segment that others may
    /// not have any more, and gives back those of the metadata log before it. Says whether there is one for it, and
    /// `bytes` may find room behind it: otherwise one would follow the other for ever.
    pub(crate) fn turn_over(&mut self, bytes: usize) -> bool {
        let helps = self.checkpoints.left.is_none_or(|left| bytes <= left);
        let possible = helps && self.available() > 0 && !self.life.closing;
        self.checkpoints.wanted |= possible;
        self.checkpoints.alone |= possible;
        possible
    }

    /// Whether it is time for a checkpoint: a mount would have to replay much, and so much was written since the last
    /// one that what it costs is a small part of it.
    pub(crate) fn is_checkpoint_due(&mut self) -> bool {
        let checkpoints = &mut self.checkpoints;
        let part = self.layout.capacity() / CHECKPOINT_TAIL_PART;
        let max = part.clamp(CHECKPOINT_TAIL_MIN, CHECKPOINT_TAIL_MAX);
        if checkpoints.wanted || checkpoints.tail >= max {
            return true;
        }
        if checkpoints.tail < checkpoints.look_at.max(max / CHECKPOINT_TAIL_SPREAD) {
            return false;
        }
        checkpoints.look_at = checkpoints.tail + max / CHECKPOINT_TAIL_SPREAD;
        let since = self.outbox.programmed().saturating_sub(checkpoints.programmed);
        since >= CHECKPOINT_SHARE * self.state.dirty_bytes()
    }

    /// Begins a checkpoint of what is durable now.
    pub(crate) fn begin_checkpoint(&mut self) {
        self.checkpoints.wanted = false;
        self.checkpoints.left = None;
        self.compaction.emptied.clear();
        self.checkpoints.number += 1;
        self.checkpoints.programmed = self.outbox.programmed();
        (self.checkpoints.tail, self.checkpoints.look_at) = (0, 0);
        for home in core::mem::take(&mut self.checkpoints.tables) {
            self.segments.let_go(home.segment, home.span);
        }
        let from = self.end_of_state();
        let mut job = Job::new(self.checkpoints.number, from);
        let copies = if self.is_short() { COPIES_WHEN_SHORT } else { COPIES_MAX };
        job.take_state(&mut self.state, &mut self.segments, copies);
        // What lies before the replay and holds nothing is not needed by this checkpoint, nor by what comes.
        job.doomed = self.dead_before(from).collect();
        self.checkpoints.job = Some(job);
    }

    /// From where on the log is not in the state. Behind a segment to which nothing is added any more that is the next
    /// one, whatever its number.
    fn end_of_state(&mut self) -> Mark {
        if self.checkpoints.alone && self.available() > 0 {
            self.leave_meta();
        }
        let durable = self.log.durable_meta;
        match self.log.meta {
            Some(_) => durable,
            None => Mark { seq: durable.seq.saturating_add(1), offset: 0 },
        }
    }

    /// Whether a checkpoint would free metadata segments, more than it takes itself.
    pub(crate) fn checkpoint_gains(&self) -> bool {
        let old = self.dead_before(self.checkpoints.from);
        let mut free = old.filter(|index| !self.reader.is_pinned(&self.segments, *index));
        let tail = self.checkpoints.tail >= u64::from(self.layout.segment_bytes);
        let begun = self.is_checkpointing();
        !begun && (tail || !self.compaction.emptied.is_empty() || free.next().is_some())
    }

    /// Lives that ended soon have each left a segment of metadata behind with little that lives in it. Where few are free,
    /// the first thing that this life does is a checkpoint that needs none of them: otherwise one cut after the other
    /// would use up the reserve.
    pub(crate) fn regain_reserve(&mut self) {
        if self.segments.free() > self.reserve() {
            return;
        }
        let metas = self.segments.of(Head::Meta).map(|(_, segment)| (self.segments.live(segment), segment));
        let mut metas: Vec<(u32, u32)> = metas.collect();
        metas.sort_unstable();
        let mut rest = self.layout.segment_bytes / REGAIN_DIVISOR;
        let little = metas.into_iter().map_while(|(live, segment)| {
            rest = rest.checked_sub(live)?;
            Some(segment)
        });
        let little: Vec<u32> = little.collect();
        if little.len() > 1 {
            little.iter().for_each(|segment| self.state.soil(&mut self.segments, *segment));
        }
        // What answers damage is written first.
        if self.log.meta.is_none() && self.log.gather.records == 0 {
            self.turn_over(0);
        } else {
            self.checkpoints.wanted |= little.len() > 1;
        }
    }

    /// Segments with commits or pages in which nothing lives, and that no replay from `from` on will ask for.
    fn dead_before(&self, from: Mark) -> impl Iterator<Item = u32> + '_ {
        let commits = Head::Body(Stream::Commits);
        let groups = self.segments.dead(Head::Meta, from.seq);
        groups.chain(self.segments.dead(commits, self.unneeded_below(Stream::Commits)))
    }

    /// Goes on with the checkpoint that is being written: puts as much of it among the chores as one group takes.
    pub(crate) fn advance_checkpoint(&mut self) {
        let Some(mut job) = self.checkpoints.job.take() else { return };
        job.gather(&mut self.log.chores, &self.segments);
        if job.wants_root() {
            let (tables, copies) = job.table_rows(&self.segments);
            let root = Root {
                number: self.checkpoints.number,
                from: job.from,
                modseq: self.state.next.modseq,
                letter: self.state.next.letter,
                mailbox: self.state.next.mailbox,
                account: self.state.next.account,
                uid_validity: self.state.next.uid_validity,
                tables,
                copies,
            };
            job.gather_root(&mut self.log.chores, &root);
        }
        self.checkpoints.job = Some(job);
    }

    /// A record is durable: if it is part of the checkpoint that is being written, notes where it stands.
    pub(crate) fn checkpoint_landed(&mut self, kind: u8, mut payload: &[u8], (place, span): (Place, u32)) {
        let home = Home { segment: place.segment, offset: place.offset, span };
        if kind == kind::ROOT {
            return self.root_landed(payload, home);
        }
        let Some(job) = &mut self.checkpoints.job else { return };
        match kind {
            kind::PAGE => {
                let Some(head) = PageHead::take(&mut payload) else { return };
                if head.checkpoint == job.number {
                    job.page_landed(head.number, home, &mut self.state, &mut self.segments);
                }
            }
            kind::TABLE => {
                self.segments.keep(home.segment, home.span);
                job.tables.push(home);
            }
            _ => {}
        }
    }

    /// A root, or the copy of one, is durable.
    fn root_landed(&mut self, payload: &[u8], home: Home) {
        let Some(root) = take::<Root>(&mut &*payload).filter(|root| root.number == self.checkpoints.number)
        else {
            return;
        };
        self.segments.keep(home.segment, home.span);
        match self.checkpoints.job.take() {
            Some(job) => self.end_checkpoint(job, home, &root),
            None => self.checkpoints.tables.push(home),
        }
    }

    /// The root is durable. It is in force when a group that names it is durable as well; that group has a copy of it.
    fn end_checkpoint(&mut self, mut job: Job, home: Home, root: &Root) {
        self.checkpoints.root = Mark { seq: self.segments.seq(home.segment), offset: home.offset };
        self.checkpoints.from = job.from;
        self.checkpoints.tables = core::mem::take(&mut job.tables);
        self.checkpoints.tables.push(home);
        self.checkpoints.doomed = core::mem::take(&mut job.doomed);
        job.gather_root(&mut self.log.chores, root);
        self.life.mark_wanted = true;
    }

    /// A group that named `root` is durable: if that is the newest one, what only older ones needed is free.
    pub(crate) fn root_in_force(&mut self, root: Mark) {
        if root != self.checkpoints.root {
            return;
        }
        if self.checkpoints.alone && !self.checkpoints.wanted && self.checkpoints.job.is_none() {
            self.checkpoints.alone = false;
            self.checkpoints.left = Some(self.head_room());
        }
        for index in core::mem::take(&mut self.checkpoints.doomed) {
            // What somebody still reads is found again by the next checkpoint.
            if self.segments.is_dead(index) && !self.reader.is_pinned(&self.segments, index) {
                self.segments.release(index);
            }
        }
        self.has_room_again();
    }

    /// What was being written was lost, or is not to be finished.
    pub(crate) fn abandon_chores(&mut self) {
        self.log.chores = crate::gather::Gather::default();
        self.compaction.abandon();
        self.checkpoints.alone = false;
        if let Some(job) = self.checkpoints.job.take() {
            job.abandon(&mut self.segments);
            self.checkpoints.wanted = true;
        }
    }
}
