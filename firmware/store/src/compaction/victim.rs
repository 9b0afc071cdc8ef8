//! Which segment is emptied next, and whether any is to be.

use flash::FlashQueue;

use super::{Emptying, Victim};
use crate::Store;
use crate::format::header::{Head, Stream};
use crate::layout::ANCHOR_SEGMENTS;
use crate::limits::{
    BODY_FILLED, COMPACTION_AHEAD_DIVISOR, COMPACTION_AHEAD_MIN, EMPTIED_MAX, GAIN_DIVISOR,
    LETTER_PAGE_BYTES, META_FILLED, MOVED_BYTES, RIPE_DIVISOR, WEAR_GAP_MIN, WEAR_SPACING,
};
use crate::segments::Use;

/// Segments that are open, and so not yet filled.
const HEADS: u32 = 4;

/// A segment that could be emptied.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) segment: u32,
    pub(super) seq: u32,
    pub(super) head: Head,
    pub(super) live: u32,
}

impl Candidate {
    pub(super) const fn victim(self) -> Victim {
        Victim { segment: self.segment, seq: self.seq, head: self.head }
    }
}

/// What moving costs.
pub(super) struct Prices {
    /// A letter's commit, in bytes, on average.
    pub(super) commit: u64,
    /// Pages of letters that there are.
    pages: u64,
    /// Segments that share a checkpoint.
    batch: u64,
}

impl<Q: FlashQueue> Store<Q> {
    /// Segments that are free, or will be when someone needs them.
    pub(crate) fn available(&self) -> u32 {
        self.segments.free() + self.dead_bodies().count() as u32
    }

    /// So many should be available, so that nobody who brings a letter waits for compaction.
    fn wanted_available(&self) -> u32 {
        self.reserve() + self.ahead()
    }

    fn ahead(&self) -> u32 {
        COMPACTION_AHEAD_MIN.max(self.layout.segments / COMPACTION_AHEAD_DIVISOR)
    }

    /// Segments that are missing because compaction does not keep up with what comes: it moves too much for what it gains.
    pub(crate) fn behind(&self) -> u32 {
        let kept_up = self.reserve() + self.ahead() * 3 / 4;
        kept_up.saturating_sub(self.available())
    }

    /// Segments in which something lives that may be moved: all who refer to it are durable, and no replay needs it.
    pub(super) fn candidates(&self) -> impl Iterator<Item = Candidate> + '_ {
        let floors = [
            (Head::Meta, self.checkpoints.from().seq),
            (Head::Body(Stream::Fresh), self.unneeded_below(Stream::Fresh)),
            (Head::Body(Stream::Cold), self.unneeded_below(Stream::Cold)),
            (Head::Body(Stream::Commits), self.unneeded_below(Stream::Commits)),
        ];
        let all = floors.into_iter().flat_map(|(head, floor)| {
            let of = self.segments.of(head).take_while(move |(seq, _)| *seq < floor);
            of.map(move |(seq, segment)| (head, seq, segment))
        });
        let compaction = &self.compaction;
        let living = all.filter(|(_, seq, segment)| {
            let passed =
                [&compaction.stuck, &compaction.emptied].into_iter().any(|passed| passed.contains(seq));
            let live = self.segments.live(*segment);
            let cramped = compaction.cramped.get(seq).is_some_and(|before| live >= *before);
            !passed && !cramped && !self.segments.is_dead(*segment)
        });
        living.map(|(head, seq, segment)| {
            let live = self.segments.live(segment).min(self.layout.segment_bytes);
            Candidate { segment, seq, head, live }
        })
    }

    /// What moving costs beside the bytes that are moved.
    pub(super) fn prices(&self) -> Prices {
        let all = self.segments.of(Head::Meta).chain(self.segments.of(Head::Body(Stream::Commits)));
        let metas = all.map(|(_, index)| u64::from(self.segments.live(index)));
        let letters = (self.state.letters.len() as u64).max(1);
        Prices {
            commit: metas.sum::<u64>() / letters,
            pages: self.state.letters.pages().len() as u64,
            batch: self.emptied_max() as u64,
        }
    }

    /// Metadata segments that are emptied before a checkpoint frees them: the more, the less its pages cost for each.
    /// What they held takes at most as many from the reserve meanwhile.
    pub(super) fn emptied_max(&self) -> usize {
        (self.reserve() / 2).clamp(1, EMPTIED_MAX) as usize
    }

    /// Whether emptying a segment gains enough to be worth it: what is moved has to be written as well, and so have the
    /// pages of letters that change by it.
    pub(super) fn is_worth(&self, candidate: &Candidate, prices: &Prices) -> bool {
        let letters = u64::from(self.segments.holders(candidate.segment));
        let pages = self.compaction.scatter.pages_of(letters * prices.batch).min(prices.pages);
        let pages = pages * LETTER_PAGE_BYTES / prices.batch;
        let commits = match candidate.head {
            // A record for each.
            Head::Meta | Head::Body(Stream::Commits) => letters * MOVED_BYTES,
            // What they were is dead, but it takes effort to gain that.
            Head::Body(_) => letters * (MOVED_BYTES + prices.commit / 2),
        };
        let least = u64::from(self.layout.segment_bytes / GAIN_DIVISOR);
        u64::from(self.gain(candidate)) >= least + pages + commits
    }

    /// Segments that could be free if compaction did all it can. What it has written is not worth being moved again,
    /// so this is reached, and not more: trying would move the same things for ever.
    fn attainable(&self) -> u32 {
        self.attainable_with(BODY_FILLED)
    }

    /// Segments that could be free if those with bodies were filled so far, in per cent.
    pub(crate) fn attainable_with(&self, body_filled: u64) -> u32 {
        let (mut meta, mut bodies) = (0_u64, 0_u64);
        for (_, index) in self.segments.in_use() {
            let live = u64::from(self.segments.live(*index).min(self.layout.segment_bytes));
            match self.segments.used(*index) {
                Use::Log(Head::Meta) => meta += live,
                _ => bodies += live,
            }
        }
        let segments = |live: u64, filled: u64| {
            (live * 100).div_ceil(u64::from(self.layout.segment_bytes) * filled) as u32
        };
        let needed = segments(meta, META_FILLED) + segments(bodies, body_filled) + HEADS;
        let usable = self.layout.segments - ANCHOR_SEGMENTS - self.segments.retired_count();
        usable.saturating_sub(needed)
    }

    const fn gain(&self, candidate: &Candidate) -> u32 {
        self.layout.segment_bytes - candidate.live
    }

    /// Bytes that compaction could gain, about: what moves takes room for its new commits.
    pub(crate) fn reclaimable(&self) -> u64 {
        let prices = self.prices();
        let worth = self.candidates().filter(|candidate| self.is_worth(candidate, &prices));
        let all: u64 = worth.map(|candidate| u64::from(self.gain(&candidate))).sum();
        let most = u64::from(self.attainable().saturating_sub(self.available()));
        all.min(most * u64::from(self.layout.segment_bytes))
    }

    /// Whether so little is free that compaction has to go on, and can.
    pub(crate) fn is_short(&self) -> bool {
        let wanted = self.wanted_available();
        self.segments.free() < wanted && self.available() < wanted.min(self.attainable())
    }

    /// Whether housekeeping has, or may have, something to do.
    pub(crate) fn compaction_due(&self) -> bool {
        self.is_short() || self.log.next_seq >= self.compaction.worn_at || self.retired_victim().is_some()
    }

    /// A segment that is retired, and what lives in it: that moves while it can be read.
    fn retired_victim(&self) -> Option<Victim> {
        if self.segments.retired_count() == 0 {
            return None;
        }
        let mut retired = self.candidates().filter(|candidate| self.segments.is_retired(candidate.segment));
        retired.next().map(Candidate::victim)
    }

    /// Whether housekeeping will gain space; has it go on.
    pub(crate) fn will_gain(&mut self) -> bool {
        self.compaction.wanted = true;
        if !self.is_short() {
            return false;
        }
        let worth = if self.is_for_batches() {
            self.choose_batch().is_some()
        } else {
            let prices = self.prices();
            self.candidates().any(|candidate| self.is_worth(&candidate, &prices))
        };
        let checkpoint = self.checkpoint_gains();
        // While something can be moved it waits until it frees several segments.
        self.checkpoints.wanted |= checkpoint && !worth;
        worth || checkpoint || self.is_checkpointing() || self.compaction.emptying.is_some()
    }

    /// What a segment's age counts for: near nothing while much of it will still die by itself, and from some age on no
    /// more than for others. In parts of 1,024.
    fn ripeness(&self, seq: u32) -> u64 {
        let all = self.segments.in_use();
        let later = (all.len() - all.partition_point(|(other, _)| *other <= seq)) as u64;
        later * 1_024 / (later + u64::from(self.layout.segments / RIPE_DIVISOR).max(1))
    }

    /// What is to be emptied next.
    pub(super) fn choose_victims(&mut self) -> Option<Emptying> {
        if self.is_for_batches() {
            return self.begin_batch();
        }
        self.choose_victim().map(|victim| Emptying::of(alloc::vec![victim], false))
    }

    /// The segment to be emptied next: one that is retired; where space is short, the one from which most is gained for
    /// what has to be moved, new ones last, because what is in them may die without being moved; otherwise one that is
    /// worn too little.
    fn choose_victim(&mut self) -> Option<Victim> {
        if let Some(retired) = self.retired_victim() {
            return Some(retired);
        }
        let unworn = self.choose_unworn();
        if unworn.is_some() || !self.is_short() {
            return unworn;
        }
        let urgent = self.available() <= self.reserve();
        let prices = self.prices();
        let worth = self.candidates().filter(|candidate| self.is_worth(candidate, &prices));
        let best = worth.max_by_key(|candidate| {
            let age = if urgent { 1 } else { self.ripeness(candidate.seq) };
            let cost = u64::from(self.layout.segment_bytes) + u64::from(candidate.live);
            u64::from(self.gain(candidate)) * age * u64::from(u16::MAX) / cost
        });
        // What is dead in the metadata is free after a checkpoint only.
        let enough = best.is_none() || self.compaction.emptied.len() >= self.emptied_max();
        if enough && self.checkpoint_gains() {
            self.checkpoints.wanted = true;
        }
        best.map(Candidate::victim)
    }

    /// A segment whose content has lain so long that the others are worn much more: it moves, so that this one takes
    /// its share. Now and then only.
    fn choose_unworn(&mut self) -> Option<Victim> {
        if self.log.next_seq < self.compaction.worn_at {
            return None;
        }
        self.compaction.worn_at = self.log.next_seq.saturating_add(WEAR_SPACING);
        let total: u64 = self.segments.all_erases().map(u64::from).sum();
        let mean = (total / u64::from(self.layout.segments)) as u32;
        let least = self.candidates().min_by_key(|candidate| self.segments.erases(candidate.segment))?;
        let gap = WEAR_GAP_MIN.max(mean / 4);
        let unworn = self.segments.erases(least.segment).saturating_add(gap) < mean;
        unworn.then_some(least.victim())
    }

    /// Has some segment emptied, whether that gains something or not.
    #[cfg(test)]
    pub(crate) fn empty_some(&mut self, which: usize) {
        let candidates: alloc::vec::Vec<Candidate> = self.candidates().collect();
        if let Some(chosen) = which.checked_rem(candidates.len()).and_then(|at| candidates.get(at)) {
            self.compaction.emptying = Some(Emptying::of(alloc::vec![chosen.victim()], false));
        }
    }
}
