//! The stored letters: where each one's commit stands, and what listings ask for. 24 bytes each.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use mail::UnixTime;

use crate::format::Place;
use crate::limits::REFERENCES_MAX;

/// What the index knows of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    /// Where its commit stands.
    pub(crate) place: Place,
    pub(crate) size: u32,
    /// The first segment with a part of its body, and how many body segments behind that one it may reach into.
    pub(crate) body: Option<(u32, u32)>,
    pub(crate) received: UnixTime,
    pub(crate) zone_minutes: i16,
}

/// `place` in 52 bits (offsets are multiples of 8 below 2^23), the body's reach above; size; body; date; zone and
/// references.
#[derive(Clone, Copy, Debug)]
struct Packed {
    place: u64,
    size: u32,
    body: u32,
    received: u32,
    /// Zone in minutes in the upper 12 bits, references below.
    rest: u32,
}

const _: () = assert!(size_of::<Packed>() == 24);

const NO_BODY: u32 = u32::MAX;
const REACH_SHIFT: u32 = 52;
const REACH_MAX: u64 = (1 << (64 - REACH_SHIFT)) - 1;
const OFFSET_BITS: u32 = 20;
const ZONE_SHIFT: u32 = 20;
/// What is added to a zone to make it positive.
const ZONE_BIAS: i32 = 2048;

/// All letters.
#[derive(Debug, Default)]
pub(crate) struct Letters {
    slots: Vec<Packed>,
    free: Vec<u32>,
    /// Dates before 1970 and after 2106, and zones beyond what a day allows: by slot.
    odd: BTreeMap<u32, (i64, i16)>,
}

impl Letters {
    /// How many there are.
    pub(crate) const fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Adds a letter with no reference yet.
    pub(crate) fn insert(&mut self, letter: Letter) -> u32 {
        let packed = pack(&letter);
        let slot = match self.free.pop() {
            Some(slot) => {
                if let Some(place) = self.slots.get_mut(slot as usize) {
                    *place = packed;
                }
                slot
            }
            None => {
                self.slots.push(packed);
                (self.slots.len() - 1) as u32
            }
        };
        if unpack(&packed).received != letter.received || unpack(&packed).zone_minutes != letter.zone_minutes
        {
            self.odd.insert(slot, (letter.received.0, letter.zone_minutes));
        }
        slot
    }

    /// What is known of a letter.
    pub(crate) fn get(&self, slot: u32) -> Option<Letter> {
        let mut letter = unpack(self.slots.get(slot as usize)?);
        if let Some((received, zone)) = self.odd.get(&slot) {
            (letter.received, letter.zone_minutes) = (UnixTime(*received), *zone);
        }
        Some(letter)
    }

    /// Its size alone.
    pub(crate) fn size(&self, slot: u32) -> u64 {
        self.slots.get(slot as usize).map_or(0, |packed| u64::from(packed.size))
    }

    /// Counts a reference. Says whether there was room for one more.
    pub(crate) fn refer(&mut self, slot: u32) -> bool {
        let Some(packed) = self.slots.get_mut(slot as usize) else { return false };
        let room = packed.rest & REFERENCES_MAX < REFERENCES_MAX;
        packed.rest += u32::from(room);
        room
    }

    /// Drops a letter that nothing refers to, or one reference; returns the letter when none is left.
    pub(crate) fn release(&mut self, slot: u32) -> Option<Letter> {
        let packed = self.slots.get_mut(slot as usize)?;
        if packed.rest & REFERENCES_MAX > 1 {
            packed.rest -= 1;
            return None;
        }
        let letter = self.get(slot);
        self.odd.remove(&slot);
        self.free.push(slot);
        letter
    }
}

fn pack(letter: &Letter) -> Packed {
    let (body, reach) = letter.body.unwrap_or((NO_BODY, 0));
    let place = (u64::from(letter.place.segment) << OFFSET_BITS) | u64::from(letter.place.offset / 8);
    let zone = i32::from(letter.zone_minutes).clamp(-ZONE_BIAS, ZONE_BIAS - 1) + ZONE_BIAS;
    Packed {
        place: place | (u64::from(reach).min(REACH_MAX) << REACH_SHIFT),
        size: letter.size,
        body,
        received: letter.received.0.clamp(0, u32::MAX.into()) as u32,
        rest: zone.cast_unsigned() << ZONE_SHIFT,
    }
}

const fn unpack(packed: &Packed) -> Letter {
    let place = packed.place & ((1 << REACH_SHIFT) - 1);
    let reach = (packed.place >> REACH_SHIFT) as u32;
    Letter {
        place: Place {
            segment: (place >> OFFSET_BITS) as u32,
            offset: (place & ((1 << OFFSET_BITS) - 1)) as u32 * 8,
        },
        size: packed.size,
        body: if packed.body == NO_BODY { None } else { Some((packed.body, reach)) },
        received: UnixTime(packed.received as i64),
        zone_minutes: ((packed.rest >> ZONE_SHIFT).cast_signed() - ZONE_BIAS) as i16,
    }
}
