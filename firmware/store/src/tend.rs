//! Housekeeping: one bounded step of checkpoints and compaction for each group that is written, so that it shares the
//! barriers of those who wait and is paced by the device.

use flash::FlashQueue;

use crate::Store;
use crate::life::Phase;

impl<Q: FlashQueue> Store<Q> {
    /// Whether housekeeping has something for the next group.
    pub(crate) fn has_chores(&self) -> bool {
        let begun = self.log.chores.records > 0
            || self.is_checkpointing()
            || self.compaction.is_busy()
            || self.may_have_to_forget();
        self.life.phase == Phase::Open && !self.life.closing && (begun || self.checkpoints.wanted)
    }

    /// Puts the next step of housekeeping among the chores, unless the last one still waits there.
    pub(crate) fn tend(&mut self) {
        if self.life.closing || self.log.chores.records > 0 {
            return;
        }
        if !self.is_checkpointing()
            && let Some(bytes) = self.is_head_spent()
        {
            self.turn_over(bytes);
        }
        if self.checkpoints.wanted && !self.is_checkpointing() {
            self.begin_checkpoint();
        }
        self.advance_checkpoint();
        if self.is_checkpoint_alone() {
            return;
        }
        // Before compaction moves it.
        self.forget_some();
        // One after the other: a checkpoint that is under way frees what compaction would look for.
        if !self.is_checkpointing() {
            self.compact();
        }
    }
}
