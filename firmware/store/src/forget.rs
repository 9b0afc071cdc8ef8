//! Forgetting deletions, the oldest one first: when they have been kept long enough, and before that only where space or
//! memory is short (rule 14). One bounded step for each group, as all housekeeping.

use flash::FlashQueue;
use mail::UnixTime;

use crate::Store;
use crate::format::code::{put, put_seq};
use crate::format::frame::kind;
use crate::format::records::Forget;
use crate::index::Deletion;
use crate::limits::{
    BODY_FILLED, DELETIONS_FILLED, DELETIONS_FREE_DIVISOR, DELETIONS_KEPT_S, DELETIONS_LOOKED_MAX,
    FORGET_EVERY_S, FORGET_MAX, INDEX_DELETION_BYTES, INDEX_LETTER_BYTES,
};
use crate::log::Class;

/// A group with nothing but a record that forgets takes no more than this, in bytes.
const GROUP_BYTES: usize = 256;

/// What is known of deletions that have to go.
#[derive(Debug, Default)]
pub(crate) struct Forgetting {
    /// There may be something to do.
    wanted: bool,
    /// Somebody waits for space, however much there should be.
    urgent: bool,
    /// The time is known, and not only a guess.
    clock_known: bool,
    /// When it was last looked whether some have been kept long enough.
    looked: Option<UnixTime>,
    /// Deletions with numbers below this were found to have been kept long enough, and from which number on it is
    /// still to be looked for more of them.
    old_below: u64,
    looking_from: Option<u64>,
    /// How many segments had been opened when it was last looked whether space is short: it does not get short without
    /// one more.
    looked_at: u32,
}

/// What has to be gained, or what would be: bytes of flash, and of memory.
#[derive(Clone, Copy, Debug, Default)]
struct Amount {
    flash: u64,
    index: u64,
}

impl<Q: FlashQueue> Store<Q> {
    /// Says whether the time that [`set_now`](Self::set_now) tells may be relied on. Until this says so, it may not be:
    /// nothing is forgotten for its age then, and what is deleted has no time.
    pub const fn trust_clock(&mut self, known: bool) {
        self.forgetting.clock_known = known;
    }

    /// The time as it stands in records that delete something: 0 when it is not known.
    pub(crate) fn deletion_time(&self) -> i64 {
        if self.forgetting.clock_known { self.now.0 } else { 0 }
    }

    /// Whether housekeeping may have deletions to forget. Asked often: looks at nothing.
    pub(crate) fn may_have_to_forget(&self) -> bool {
        self.state.deletions.len() > 0 && (self.forgetting.wanted || self.is_time_to_look())
    }

    fn is_time_to_look(&self) -> bool {
        let looked = self.forgetting.looked;
        let due = looked.is_none_or(|time| self.now.0.abs_diff(time.0) >= FORGET_EVERY_S);
        self.forgetting.clock_known && due
    }

    /// A group is durable: whether space or memory may have become short by it.
    pub(crate) fn look_whether_to_forget(&mut self) {
        let opened = self.forgetting.looked_at != self.log.next_seq;
        let moved = opened && (self.segments.free() < self.free_wanted() || self.behind() > 0);
        self.forgetting.wanted |= moved || self.index_bytes() > self.index_bytes_max;
    }

    /// Segments that should be free, or could be, as long as deletions are kept: where less is, compaction moves much
    /// for little.
    pub(crate) fn free_wanted(&self) -> u32 {
        self.reserve() + self.layout.segments / DELETIONS_FREE_DIVISOR
    }

    /// What is missing for deletions to be kept. No space, as long as what they name is a message somewhere else: it
    /// would not be gained.
    fn lacking(&self) -> Amount {
        let segments = self.free_wanted().saturating_sub(self.attainable_with(DELETIONS_FILLED));
        let least = self.behind().max(self.forgetting.urgent.into());
        let segments = if self.forgettable() > 0 { segments.max(least) } else { 0 };
        Amount {
            flash: u64::from(segments) * u64::from(self.layout.segment_bytes),
            index: self.index_bytes().saturating_sub(self.index_bytes_max),
        }
    }

    /// Memory that the index would gain if all deletions were forgotten.
    pub(crate) fn index_releasable(&self) -> u64 {
        let letters = self.state.letters.deleted().letters;
        self.state.deletions.rows() * INDEX_DELETION_BYTES + letters * INDEX_LETTER_BYTES
    }

    /// Bytes of flash that would be gained if all deletions were forgotten, about: what is left around them is moved.
    pub(crate) fn forgettable(&self) -> u64 {
        self.state.letters.deleted().bytes * BODY_FILLED / 100
    }

    /// Mail waits for space: has deletions forgotten. Says whether some hold any, and there is room to say so.
    pub(crate) fn will_forget(&mut self) -> bool {
        let gains = self.forgettable() > 0 && self.has_room_to_forget();
        self.forgetting.wanted |= gains;
        self.forgetting.urgent |= gains;
        gains
    }

    fn has_room_to_forget(&self) -> bool {
        self.meta_room() >= GROUP_BYTES || self.spare_segments(Class::Care) > 0
    }

    /// Puts a record among the chores that forgets what has to go, at most as much as one group should.
    pub(crate) fn forget_some(&mut self) {
        if !self.may_have_to_forget() {
            return;
        }
        self.forgetting.looked_at = self.log.next_seq;
        self.look_for_old();
        let below = self.forgotten_below(self.lacking()).filter(|_| self.has_room_to_forget());
        self.forgetting.urgent = false;
        self.forgetting.wanted = below.is_some() || self.forgetting.looking_from.is_some();
        let Some(below) = below else { return };
        // Encoding into memory cannot fail.
        let _ = self.log.chores.record(kind::FORGET, |out| {
            put(out, &Forget { below })?;
            put_seq(out, core::iter::empty::<u64>())
        });
    }

    /// Looks for those that have been kept long enough, if it is time for that: up to the first one that has not. Looks
    /// at a bounded number of them, and goes on with the next step.
    fn look_for_old(&mut self) {
        if self.is_time_to_look() {
            self.forgetting.looked = Some(self.now);
            (self.forgetting.old_below, self.forgetting.looking_from) = (0, Some(0));
        }
        let Some(from) = self.forgetting.looking_from.take() else { return };
        for (looked, (number, deletion)) in self.state.deletions.from(from).enumerate() {
            if looked >= DELETIONS_LOOKED_MAX {
                self.forgetting.looking_from = Some(number);
                return;
            }
            match self.is_old(&deletion) {
                Some(true) => self.forgetting.old_below = number + 1,
                Some(false) => return,
                None => {}
            }
        }
    }

    /// The number below which deletions go now; `None` when all stay.
    fn forgotten_below(&self, lacking: Amount) -> Option<u64> {
        let mut gained = Amount::default();
        let mut below = None;
        for (number, deletion) in self.state.deletions.iter().take(FORGET_MAX) {
            let is_short = gained.flash < lacking.flash || gained.index < lacking.index;
            if !is_short && number >= self.forgetting.old_below {
                break;
            }
            let gain = self.gain_of(&deletion);
            gained = Amount { flash: gained.flash + gain.flash, index: gained.index + gain.index };
            below = Some(number + 1);
        }
        below
    }

    /// Whether a deletion has been kept long enough. `None` when that cannot be said: the time was not known then or is
    /// not now, or one of the two is wrong. Then it has been kept at least as long as the next one that has a time.
    fn is_old(&self, deletion: &Deletion) -> Option<bool> {
        let time = deletion.time.filter(|_| self.forgetting.clock_known)?;
        let kept = u64::try_from(self.now.0.checked_sub(time.0)?).ok()?;
        Some(kept >= DELETIONS_KEPT_S)
    }

    /// What is gained by forgetting one deletion. A letter that is listed as deleted several times goes with the last.
    fn gain_of(&self, deletion: &Deletion) -> Amount {
        let references = self.state.letters.references(deletion.letter);
        if (references.messages, references.deletions) != (0, 1) {
            return Amount { flash: 0, index: INDEX_DELETION_BYTES };
        }
        let letter = self.state.letters.get(deletion.letter);
        Amount {
            flash: letter.map_or(0, |letter| letter.flash_bytes()),
            index: INDEX_DELETION_BYTES + INDEX_LETTER_BYTES,
        }
    }
}
