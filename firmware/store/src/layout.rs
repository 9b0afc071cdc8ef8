//! Where things lie on the device: the division into segments, and arithmetic on positions.

use flash::Geometry;

use crate::format::Place;
use crate::format::anchor::{ANCHOR_BYTES, Anchor};
use crate::format::frame::Seed;
use crate::format::header::HEADER_BYTES;
use crate::limits::{
    EXTENT_BYTES_MAX, RECORD_BYTES_MAX, RESERVE_DIVISOR, RESERVE_SEGMENTS_MIN, SEGMENT_BYTES_DEFAULT_MIN,
    SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, SEGMENTS_AIM, SEGMENTS_MAX, SEGMENTS_MIN, UNIT_BYTES_MAX,
    UNIT_BYTES_MIN,
};

/// Segments that hold anchors and nothing else.
pub(crate) const ANCHOR_SEGMENTS: u32 = 2;

/// The division of a device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) uuid: [u8; 16],
    /// What the log programs at once; a multiple of the device's write size.
    pub(crate) unit: u32,
    pub(crate) segment_bytes: u32,
    /// Segments, the anchors' included.
    pub(crate) segments: u32,
    pub(crate) erase_size: u32,
}

/// Why a device cannot hold a store, or not this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// Fewer segments than a store needs.
    Small,
    /// Write or erase sizes that the log cannot use.
    Sizes,
}

impl Layout {
    /// Divides a new device. `segment_bytes` is a wish; without one it follows from the capacity.
    pub(crate) fn plan(
        geometry: Geometry,
        uuid: [u8; 16],
        segment_bytes: Option<u32>,
    ) -> Result<Self, Unfit> {
        if geometry.write_size == 0 || geometry.erase_size == 0 {
            return Err(Unfit::Sizes);
        }
        let wanted = segment_bytes.map_or_else(
            || {
                let share = (geometry.capacity / SEGMENTS_AIM).next_power_of_two();
                share.clamp(SEGMENT_BYTES_DEFAULT_MIN.into(), SEGMENT_BYTES_MAX.into()) as u32
            },
            |bytes| bytes.clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX).next_power_of_two(),
        );
        let layout = Self {
            uuid,
            unit: geometry.write_size.max(UNIT_BYTES_MIN),
            segment_bytes: wanted.next_multiple_of(geometry.erase_size),
            segments: 0,
            erase_size: geometry.erase_size,
        };
        layout.fitted(geometry)
    }

    /// The division that an anchor describes, on the device that holds it now. A device that has grown is used whole.
    pub(crate) fn of(anchor: &Anchor, geometry: Geometry) -> Result<Self, Unfit> {
        let layout = Self {
            uuid: anchor.uuid,
            unit: anchor.unit,
            segment_bytes: anchor.segment_bytes,
            segments: 0,
            erase_size: geometry.erase_size,
        };
        layout.fitted(geometry)
    }

    fn fitted(mut self, geometry: Geometry) -> Result<Self, Unfit> {
        let divides = |part: u32, whole: u32| part > 0 && whole.is_multiple_of(part);
        let sound = divides(geometry.write_size, self.unit)
            && divides(self.unit, self.segment_bytes)
            && divides(self.unit, self.erase_size)
            && divides(self.erase_size, self.segment_bytes)
            && self.erase_size as usize >= ANCHOR_BYTES
            && (UNIT_BYTES_MIN..=UNIT_BYTES_MAX).contains(&self.unit)
            && (SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&self.segment_bytes);
        if !sound {
            return Err(Unfit::Sizes);
        }
        self.segments = (geometry.capacity / u64::from(self.segment_bytes)).min(SEGMENTS_MAX.into()) as u32;
        if self.segments < SEGMENTS_MIN { Err(Unfit::Small) } else { Ok(self) }
    }

    /// Where anchors may stand on a device whose division is not known yet: at its beginning, and where segment 1
    /// begins in every division that there is.
    pub(crate) fn anchor_places(geometry: Geometry) -> impl Iterator<Item = u64> {
        let erase_size = u64::from(geometry.erase_size.max(1));
        let sizes = (SEGMENT_BYTES_MIN.ilog2()..=SEGMENT_BYTES_MAX.ilog2()).map(|bits| 1_u64 << bits);
        let mut last = 0;
        let places = sizes.map(move |size| size.next_multiple_of(erase_size)).filter(move |place| {
            let new = *place != last;
            last = *place;
            new
        });
        let fits = move |place: &u64| place + ANCHOR_BYTES as u64 <= geometry.capacity;
        core::iter::once(0).chain(places).filter(fits)
    }

    /// Bytes of the device that the store uses.
    pub(crate) const fn capacity(&self) -> u64 {
        self.segments as u64 * self.segment_bytes as u64
    }

    /// Segments that only what frees space, and recovery, may use.
    pub(crate) fn reserve(&self) -> u32 {
        RESERVE_SEGMENTS_MIN.max(self.segments / RESERVE_DIVISOR).min(self.segments / 3)
    }

    /// Where a segment begins on the device.
    pub(crate) const fn base(&self, segment: u32) -> u64 {
        segment as u64 * self.segment_bytes as u64
    }

    /// A position on the device.
    pub(crate) const fn address(&self, place: Place) -> u64 {
        self.base(place.segment) + place.offset as u64
    }

    /// What the CRCs in segment `seq` begin with.
    pub(crate) fn seed(&self, seq: u32) -> Seed {
        Seed::new(&self.uuid, seq)
    }

    /// Rounds an offset up to a unit.
    pub(crate) const fn round_up(&self, offset: u32) -> u32 {
        offset.next_multiple_of(self.unit)
    }

    /// Where the first group of a metadata segment begins: headers take whole units there.
    pub(crate) const fn first_group(&self) -> u32 {
        self.round_up(HEADER_BYTES as u32)
    }

    /// Longest record that a metadata segment takes, beside its header and what a group adds to it; smaller segments than
    /// are chosen by themselves take less than [`RECORD_BYTES_MAX`].
    pub(crate) const fn record_bytes_max(&self) -> usize {
        let most = self.segment_bytes.saturating_sub(self.first_group() + 2 * self.unit) as usize;
        if most < RECORD_BYTES_MAX { most } else { RECORD_BYTES_MAX }
    }

    /// Longest extent: a whole one, or as much as a small segment takes.
    pub(crate) const fn extent_bytes_max(&self) -> usize {
        let half = self.segment_bytes as usize / 2;
        if half < EXTENT_BYTES_MAX { half } else { EXTENT_BYTES_MAX }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_that_is_chosen_by_itself_takes_the_longest_record() {
        for (unit, mib) in [(512, 64), (4_096, 64), (4_096, 256), (16_384, 1_024)] {
            let geometry = Geometry { capacity: mib << 20, write_size: unit, erase_size: 256 << 10 };
            let layout = Layout::plan(geometry, [0; 16], None).unwrap();
            assert_eq!(layout.record_bytes_max(), RECORD_BYTES_MAX, "{unit} {mib}: {layout:?}");
        }
    }

    #[test]
    fn the_longest_record_fits_behind_a_header_with_all_that_a_group_adds() {
        let geometry = |unit| Geometry { capacity: 8 << 20, write_size: unit, erase_size: 64 << 10 };
        for unit in [UNIT_BYTES_MIN, 4_096, UNIT_BYTES_MAX] {
            let layout = Layout::plan(geometry(unit), [0; 16], Some(SEGMENT_BYTES_MIN)).unwrap();
            let group = layout.record_bytes_max() as u32 + layout.unit;
            assert!(layout.record_bytes_max() > 8 << 10);
            assert!(layout.first_group() + layout.round_up(group) <= layout.segment_bytes, "{layout:?}");
        }
    }
}
