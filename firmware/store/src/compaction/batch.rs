//! Several segments emptied together, all or nothing: what compaction does when hardly a segment is left.
//!
//! Moving takes segments before it gives any back, and a life that is cut in between keeps what it took. So here nothing
//! that was moved is named before more segments have been emptied than were opened for it, and then one record names all
//! of it: before that a cut leaves copies that nobody knows, after it there is more room than there was.

use alloc::vec::Vec;

use flash::FlashQueue;

use super::victim::{Candidate, Prices};
use super::{Emptying, Unnamed, Victim};
use crate::Store;
use crate::format::header::{Head, Stream};
use crate::limits::{BATCH_FILLED, MOVED_BYTES};
use crate::log::Class;

/// What a batch has to move, in bytes.
#[derive(Clone, Copy, Default)]
struct Amount {
    bodies: u64,
    commits: u64,
    /// Of the record that names it.
    name: u64,
}

impl<Q: FlashQueue> Store<Q> {
    /// Whether so few segments are left that only batches may open any.
    pub(super) fn is_for_batches(&self) -> bool {
        self.available() <= self.kept(Class::Chore)
    }

    /// Whether a batch is being moved, with so little room left that nothing else may take any.
    pub(crate) fn is_batch_alone(&self) -> bool {
        let batch = self.compaction.emptying.as_ref().is_some_and(|emptying| emptying.batch);
        batch && self.available() <= self.kept(Class::Care)
    }

    /// Begins the next batch, when there is one, and room for its record.
    pub(super) fn begin_batch(&mut self) -> Option<Emptying> {
        let victims = self.choose_batch()?;
        // The record may need another segment: rather now, when that gives one back.
        let record = self.layout.record_bytes_max() / 2;
        if self.meta_room() < record && self.available() <= self.kept(Class::Care) && self.turn_over(record) {
            return None;
        }
        Some(Emptying::of(victims, true))
    }

    /// The segments in which least lives, as many as can be moved at once; `None` when that gains none.
    pub(super) fn choose_batch(&self) -> Option<Vec<Victim>> {
        if !self.is_short() {
            return None;
        }
        let prices = self.prices();
        let gives_back = |candidate: &Candidate| !self.segments.is_retired(candidate.segment);
        let worth = self.candidates().filter(gives_back).filter(|one| self.is_worth(one, &prices));
        let mut candidates: Vec<Candidate> = worth.collect();
        candidates.sort_unstable_by_key(|candidate| (candidate.live, candidate.seq));
        // Segments of metadata and commits become free by the next checkpoint, which takes one.
        let free = self.available();
        let (mut amount, mut opened, mut bodies) = (Amount::default(), 0, 0);
        let (mut victims, mut enough) = (Vec::new(), 0);
        for candidate in candidates {
            amount = self.with(amount, &candidate, &prices);
            let Some(opens) = self.segments_for(&amount).filter(|opens| *opens <= free) else { break };
            // What can be had without one more is done first.
            if enough > 0 && opens > opened {
                break;
            }
            opened = opens;
            bodies += u32::from(matches!(candidate.head, Head::Body(Stream::Fresh | Stream::Cold)));
            victims.push(candidate.victim());
            if victims.len() as u32 > opened && free + bodies > opened {
                enough = victims.len();
            }
        }
        victims.truncate(enough);
        (enough > 0).then_some(victims)
    }

    fn with(&self, amount: Amount, candidate: &Candidate, prices: &Prices) -> Amount {
        let letters = u64::from(self.segments.holders(candidate.segment));
        let live = u64::from(candidate.live);
        let (bodies, commits) = match candidate.head {
            Head::Meta | Head::Body(Stream::Commits) => (0, live),
            Head::Body(_) => (live, letters * prices.commit),
        };
        Amount {
            bodies: amount.bodies + bodies,
            commits: amount.commits + commits,
            name: amount.name + letters * MOVED_BYTES,
        }
    }

    /// How many segments have to be opened for so much; `None` when one record does not name it.
    fn segments_for(&self, amount: &Amount) -> Option<u32> {
        if amount.name > self.layout.record_bytes_max() as u64 / 2 {
            return None;
        }
        // Where a segment ends, an extent may not fit any more.
        let extent = self.layout.extent_bytes_max();
        let one = (u64::from(self.layout.segment_bytes) - extent as u64) * BATCH_FILLED / 100;
        let streams = [(Stream::Cold, amount.bodies), (Stream::Commits, amount.commits)];
        let opens = streams.map(|(stream, bytes)| {
            let room = self.log.bodies.of(stream).as_ref().map_or(0, |body| body.room(&self.layout));
            bytes.saturating_sub(room.saturating_sub(extent) as u64).div_ceil(one)
        });
        u32::try_from(opens[0] + opens[1]).ok()
    }

    /// All of a batch has been moved: says so, if that gains what it should.
    pub(super) fn end_batch(&mut self, emptying: &Emptying) {
        if emptying.stuck || emptying.victims.len() as u32 <= emptying.opened {
            return self.give_up(emptying);
        }
        self.name_moved();
        self.emptied(emptying);
        self.checkpoints.wanted |= emptying.victims.iter().any(Victim::has_commits);
    }

    /// Leaves what has not been named where it was, and tries the same again only where there is a reason.
    pub(super) fn give_up(&mut self, emptying: &Emptying) {
        self.compaction.unnamed = Unnamed::default();
        if emptying.stuck {
            return;
        }
        // What was opened comes back, and is no reason to try the same again.
        self.compaction.cramped_at = self.available() + emptying.opened;
        let live = |victim: &Victim| (victim.seq, self.segments.live(victim.segment));
        self.compaction.cramped.extend(emptying.victims.iter().map(live));
    }

    /// Segments have become free: if more are than before, what was given up may be possible now.
    pub(crate) fn has_room_again(&mut self) {
        if self.available() > self.compaction.cramped_at {
            self.compaction.cramped.clear();
        }
    }

    /// Whether the next thing that compaction does is a batch.
    #[cfg(test)]
    pub(crate) fn has_batch(&self) -> bool {
        self.is_for_batches() && self.choose_batch().is_some()
    }
}
