//! Stretches that the device could not bring into memory a moment ago: to whoever asks for them next they are a fault,
//! not cold, or they would be warmed for ever.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

use flash::Fault;

use crate::limits::{UNREADABLE_MAX, UNREADABLE_S};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Unreadable {
    /// Oldest first, each with when it was met.
    stretches: VecDeque<(Range<u64>, Fault, Instant)>,
}

impl Unreadable {
    /// Notes a stretch. Of too many the oldest is forgotten: then it is tried again.
    pub(super) fn note(&mut self, stretch: Range<u64>, fault: Fault, now: Instant) {
        self.stretches.retain(|(known, _, met)| *known != stretch && is_fresh(*met, now));
        if self.stretches.len() >= UNREADABLE_MAX {
            self.stretches.pop_front();
        }
        self.stretches.push_back((stretch, fault, now));
    }

    /// What went wrong with a part of `range`, if something did.
    pub(super) fn fault_in(&self, range: &Range<u64>, now: Instant) -> Option<Fault> {
        let found =
            self.stretches.iter().find(|(known, _, met)| overlap(known, range) && is_fresh(*met, now));
        found.map(|(_, fault, _)| *fault)
    }

    /// `range` is written anew.
    pub(super) fn forget(&mut self, range: &Range<u64>) {
        self.stretches.retain(|(known, ..)| !overlap(known, range));
    }
}

fn overlap(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start < b.end && b.start < a.end
}

fn is_fresh(met: Instant, now: Instant) -> bool {
    now.saturating_duration_since(met) < Duration::from_secs(UNREADABLE_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_is_a_fault_for_a_while() {
        let now = Instant::now();
        let mut unreadable = Unreadable::default();
        unreadable.note(4096..8192, Fault::Io, now);
        assert_eq!(unreadable.fault_in(&(0..4096), now), None);
        assert_eq!(unreadable.fault_in(&(0..4097), now), Some(Fault::Io));
        assert_eq!(unreadable.fault_in(&(8191..9000), now), Some(Fault::Io));
        let later = now + Duration::from_secs(UNREADABLE_S);
        assert_eq!(unreadable.fault_in(&(0..8192), later), None, "it may have been a bad moment");
        unreadable.forget(&(5000..5001));
        assert_eq!(unreadable.fault_in(&(0..8192), now), None);
        for at in 0..2 * UNREADABLE_MAX as u64 {
            unreadable.note(at..at + 1, Fault::Io, now);
        }
        assert_eq!(unreadable.stretches.len(), UNREADABLE_MAX);
    }
}
