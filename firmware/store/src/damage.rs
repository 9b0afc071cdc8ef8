//! Places that could not be read or did not verify, for whoever looks after the box.

use alloc::vec::Vec;

use crate::format::Mark;
use crate::limits::DAMAGE_MAX;

/// Damaged places.
#[derive(Debug, Default)]
pub(crate) struct DamageList {
    places: Vec<Mark>,
    count: u64,
}

impl DamageList {
    /// Notes a place, once.
    pub(crate) fn note(&mut self, place: Mark) {
        if self.places.contains(&place) {
            return;
        }
        self.count += 1;
        if self.places.len() < DAMAGE_MAX {
            self.places.push(place);
        }
    }

    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Damage> + '_ {
        self.places.iter().map(|place| Damage { segment: place.seq, offset: place.offset })
    }
}

/// A damaged place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Sequence number of the segment.
    pub segment: u32,
    /// Offset in it, in bytes.
    pub offset: u32,
}

impl core::fmt::Display for Damage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "segment {} at {}", self.segment, self.offset)
    }
}
