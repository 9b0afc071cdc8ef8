//! Retiring: a segment with a block that takes no writes, or that has lost something, is never opened again.
//!
//! What lives in it stays readable, and compaction moves it away while it can still be read. A record says that the
//! segment is retired; every checkpoint repeats it.

use alloc::vec::Vec;

use flash::{Fault, FlashQueue};

use crate::Store;
use crate::format::code::{put, take};
use crate::format::frame::kind;
use crate::format::records::Retired;

/// What is to be written down of retired segments.
#[derive(Debug, Default)]
pub(crate) struct Retiring {
    /// Segments whose record is not durable yet, and whether it is on its way.
    unrecorded: Vec<(u32, bool)>,
}

impl Retiring {
    /// The records that were on their way are lost.
    pub(crate) fn lost(&mut self) {
        self.unrecorded.iter_mut().for_each(|(_, gathered)| *gathered = false);
    }
}

impl<Q: FlashQueue> Store<Q> {
    /// Retires a segment. Nothing happens to one that is retired already, and to those of the anchors.
    pub(crate) fn retire(&mut self, segment: u32) {
        if self.segments.retire(segment) {
            self.retiring.unrecorded.push((segment, false));
        }
    }

    /// A barrier failed with `fault`: retires the segment of the program or erase that it failed for, if that is known.
    /// A device that refuses everything, or has no room, says nothing about one block.
    pub(crate) fn retire_culprit(&mut self, fault: Fault) {
        let at = self.queue.failed_at().filter(|_| fault == Fault::Io);
        let segment = at.map(|at| at / u64::from(self.layout.segment_bytes));
        if let Some(segment) = segment.and_then(|segment| u32::try_from(segment).ok()) {
            self.retire(segment);
        }
    }

    /// Has the records written that are not on their way.
    pub(crate) fn gather_retired(&mut self) {
        for (segment, gathered) in self.retiring.unrecorded.iter_mut().filter(|(_, gathered)| !gathered) {
            // Encoding into memory cannot fail.
            let _ = self.log.gather.record(kind::RETIRED, |out| put(out, &Retired { segment: *segment }));
            *gathered = true;
            self.life.wanted = true;
        }
    }

    /// Retires some segment that holds something, as a scrub does that finds damage in it.
    #[cfg(test)]
    pub(crate) fn retire_some(&mut self, which: usize) {
        let in_use = self.segments.in_use();
        if let Some((_, segment)) = which.checked_rem(in_use.len()).and_then(|at| in_use.get(at)).copied() {
            self.retire(segment);
            self.gather_retired();
        }
    }

    /// A record is durable: if it says that a segment is retired, that need not be written again.
    pub(crate) fn retired_landed(&mut self, kind: u8, mut payload: &[u8]) {
        if kind == kind::RETIRED
            && let Some(record) = take::<Retired>(&mut payload)
        {
            self.retiring.unrecorded.retain(|(segment, _)| *segment != record.segment);
        }
    }
}
