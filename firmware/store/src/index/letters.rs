//! The stored letters: where each one's commit stands, and what listings ask for. 20 bytes each, in pages of 256.
//!
//! A letter is known by its slot. A new one takes the lowest slot that is free, so which one that is follows from
//! which are in use, and replay finds the same.

use alloc::rc::Rc;
use alloc::vec::Vec;

use mail::UnixTime;

use super::page::Page;
use crate::format::Place;
use crate::limits::SEGMENTS_MAX;

/// Slots of a page.
pub(crate) const PAGE_SLOTS: usize = 256;

/// What the index knows of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    /// Where its commit stands.
    pub(crate) place: Place,
    /// About as much of that segment as the commit takes; see [`meta_bytes`].
    pub(crate) meta_bytes: u32,
    pub(crate) size: u32,
    pub(crate) body: Body,
    pub(crate) received: UnixTime,
    pub(crate) zone_minutes: i16,
}

impl Letter {
    /// What it takes on flash, about.
    pub(crate) fn flash_bytes(&self) -> u64 {
        u64::from(self.meta_bytes) + self.body.parts().map(|(_, bytes)| u64::from(bytes)).sum::<u64>()
    }
}

/// Where a letter's body lies, and how much of each segment it keeps alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// It has none, or none that is left.
    None,
    /// All in one segment: its index, and bytes, about; see [`body_bytes`].
    One(u32, u32),
    /// In several: index and bytes of each.
    Many(Rc<[(u32, u32)]>),
}

impl Body {
    /// The segments with a part of it: index, and bytes.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let (one, many): (_, &[_]) = match self {
            Self::None => (None, &[]),
            Self::One(segment, bytes) => (Some((*segment, *bytes)), &[]),
            Self::Many(parts) => (None, parts),
        };
        one.into_iter().chain(many.iter().copied())
    }
}

/// In steps of how many bytes the length of a commit is remembered.
const META_STEP: u32 = 64;

/// A commit's length as it is remembered: rounded, so that it is the same whenever it is asked for, and never 0.
pub(crate) fn meta_bytes(span: u32) -> u32 {
    span.div_ceil(META_STEP).clamp(1, u8::MAX.into()) * META_STEP
}

/// The length of a body that lies in one segment as it is remembered: in parts of the letter's size. Never 0.
pub(crate) fn body_bytes(size: u32, bytes: u32) -> u32 {
    share_bytes(size, share_of(size, bytes))
}

/// Frames can make a body a little longer than the letter is.
const SHARE_WHOLE: u64 = 240;

fn share_of(size: u32, bytes: u32) -> u8 {
    let share = (u64::from(bytes) * SHARE_WHOLE).div_ceil(u64::from(size.max(1)));
    share.clamp(1, u8::MAX.into()) as u8
}

const fn share_bytes(size: u32, share: u8) -> u32 {
    let bytes = size as u64 * share as u64 / SHARE_WHOLE;
    if bytes == 0 { 1 } else { bytes as u32 }
}

/// Bits, from the lowest. 0: place (40, of which 20 for the offset in steps of 8); 1: size, date; 2: segment of the
/// body (20), zone in quarters of an hour (7), share of the body (8), length of the commit (8), references by deletions
/// (3) and by messages (6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Packed([u32; 5]);

const _: () = assert!(size_of::<Packed>() == 20);

const OFFSET_BITS: u32 = 20;
const SEGMENT_BITS: u32 = 20;
/// The letter has no body.
const NO_BODY: u32 = (1 << SEGMENT_BITS) - 1;
/// The body's segments stand with what is odd.
const MANY: u32 = NO_BODY - 1;
const ZONE_STEP: i32 = 15;
/// What is added to a zone to make it positive.
const ZONE_BIAS: i32 = 64 * ZONE_STEP;
/// Where the references by deletions begin, and all references end.
const DELETIONS_SHIFT: u32 = 6;
const META_SHIFT: u32 = 9;
/// So many references by messages, or by deletions, or more: both stand with what is odd.
const MESSAGES_ODD: u32 = (1 << DELETIONS_SHIFT) - 1;
const DELETIONS_ODD: u32 = (1 << (META_SHIFT - DELETIONS_SHIFT)) - 1;

const _: () = assert!(SEGMENTS_MAX < MANY);

const VACANT: Packed = Packed([u32::MAX; 5]);

/// How often a letter is referred to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct References {
    pub(crate) messages: u32,
    pub(crate) deletions: u32,
}

impl References {
    const fn is_odd(self) -> bool {
        self.messages >= MESSAGES_ODD || self.deletions >= DELETIONS_ODD
    }

    /// Whether nothing but deletions keeps the letter.
    const fn is_deleted(self) -> bool {
        self.messages == 0 && self.deletions > 0
    }

    pub(crate) const fn is_none(self) -> bool {
        self.messages == 0 && self.deletions == 0
    }
}

/// Letters that nothing but deletions keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deleted {
    pub(crate) letters: u64,
    /// What they take on flash.
    pub(crate) bytes: u64,
}

/// What does not fit a packed letter.
#[derive(Clone, Debug, Default)]
struct Odd {
    slot: u8,
    /// Date before 1970 or after 2106, or zone not in quarters of an hour.
    date: Option<(i64, i16)>,
    parts: Option<Rc<[(u32, u32)]>>,
    references: Option<References>,
}

impl Odd {
    const fn is_empty(&self) -> bool {
        self.date.is_none() && self.parts.is_none() && self.references.is_none()
    }
}

/// 256 slots.
#[derive(Clone, Debug, Default)]
pub(crate) struct LetterPage {
    slots: Vec<Packed>,
    /// By slot.
    odd: Vec<Odd>,
    /// How many are in use.
    used: u16,
}

impl LetterPage {
    /// The letter in a slot of this page.
    pub(crate) fn get(&self, slot: u8) -> Option<Letter> {
        let packed = self.slots.get(usize::from(slot)).filter(|packed| **packed != VACANT)?;
        let mut letter = unpack(packed);
        if let Some(odd) = self.odd(slot) {
            if let Some((received, zone)) = odd.date {
                (letter.received, letter.zone_minutes) = (UnixTime(received), zone);
            }
            if let Some(parts) = &odd.parts {
                letter.body = Body::Many(Rc::clone(parts));
            }
        }
        Some(letter)
    }

    /// The letters of this page with their slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u8, Letter)> + '_ {
        (0..=u8::MAX).take(self.slots.len()).filter_map(|slot| Some((slot, self.get(slot)?)))
    }

    fn holds(&self, slot: u8) -> bool {
        self.slots.get(usize::from(slot)).is_some_and(|packed| *packed != VACANT)
    }

    fn odd(&self, slot: u8) -> Option<&Odd> {
        let at = self.odd.binary_search_by_key(&slot, |odd| odd.slot).ok()?;
        self.odd.get(at)
    }

    /// Changes what is odd about a letter.
    fn set_odd(&mut self, slot: u8, change: impl FnOnce(&mut Odd)) {
        let found = self.odd.binary_search_by_key(&slot, |odd| odd.slot);
        let at = found.unwrap_or_else(|at| {
            self.odd.insert(at, Odd { slot, ..Odd::default() });
            at
        });
        let Some(odd) = self.odd.get_mut(at) else { return };
        change(odd);
        if odd.is_empty() {
            self.odd.remove(at);
        }
    }

    /// Puts a letter into a slot, with `references` to it.
    pub(crate) fn put(&mut self, slot: u8, letter: &Letter, references: References) {
        let at = usize::from(slot);
        if self.slots.len() <= at {
            // A page that has begun to fill up will be full: no memory is moved then.
            if at >= PAGE_SLOTS / 8 {
                self.slots.reserve_exact(PAGE_SLOTS - self.slots.len());
            }
            self.slots.resize(at + 1, VACANT);
        }
        let Some(place) = self.slots.get_mut(at) else { return };
        self.used += u16::from(*place == VACANT);
        *place = pack(letter, references);
        let plain = unpack(place);
        let even = (plain.received, plain.zone_minutes) == (letter.received, letter.zone_minutes);
        self.set_odd(slot, |odd| {
            odd.date = (!even).then_some((letter.received.0, letter.zone_minutes));
            odd.parts = if let Body::Many(parts) = &letter.body { Some(Rc::clone(parts)) } else { None };
            odd.references = references.is_odd().then_some(references);
        });
    }

    fn references(&self, slot: u8) -> References {
        match self.slots.get(usize::from(slot)) {
            None | Some(&VACANT) => References::default(),
            Some(packed) if !packed.references().is_odd() => packed.references(),
            Some(packed) => self.odd(slot).and_then(|odd| odd.references).unwrap_or(packed.references()),
        }
    }

    fn set_references(&mut self, slot: u8, references: References) {
        let Some(packed) = self.slots.get_mut(usize::from(slot)) else { return };
        let was_odd = packed.references().is_odd();
        packed.set_references(references);
        if was_odd || references.is_odd() {
            self.set_odd(slot, |odd| odd.references = references.is_odd().then_some(references));
        }
    }

    fn clear(&mut self, slot: u8) {
        if let Some(packed) = self.slots.get_mut(usize::from(slot)) {
            self.used -= u16::from(*packed != VACANT);
            *packed = VACANT;
        }
        self.odd.retain(|odd| odd.slot != slot);
    }

    fn vacancy(&self) -> Option<u8> {
        let slots = self.slots.len();
        if usize::from(self.used) == slots {
            return (slots < PAGE_SLOTS).then_some(slots as u8);
        }
        self.slots.iter().position(|packed| *packed == VACANT).map(|slot| slot as u8)
    }
}

/// All letters.
#[derive(Debug, Default)]
pub(crate) struct Letters {
    pages: Vec<Page<LetterPage>>,
    count: usize,
    /// No page before this one has a free slot.
    hint: usize,
    deleted: Deleted,
}

/// Page and slot in it.
const fn split(slot: u32) -> (usize, u8) {
    ((slot / PAGE_SLOTS as u32) as usize, (slot % PAGE_SLOTS as u32) as u8)
}

impl Letters {
    /// How many there are.
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// The pages, in the order of their slots.
    pub(crate) fn pages(&self) -> &[Page<LetterPage>] {
        &self.pages
    }

    pub(crate) fn pages_mut(&mut self) -> &mut [Page<LetterPage>] {
        &mut self.pages
    }

    /// Adds a page that was read; the letters in it have no references yet.
    pub(crate) fn push_page(&mut self, page: Page<LetterPage>) {
        self.count += usize::from(page.get().used);
        self.pages.push(page);
    }

    /// How many slots there are, in use or not.
    pub(crate) const fn slots(&self) -> usize {
        self.pages.len() * PAGE_SLOTS
    }

    /// The first slot of the page that is added next.
    pub(crate) fn next_page_slot(&self) -> u32 {
        (self.pages.len() * PAGE_SLOTS) as u32
    }

    /// Adds a page in the place of one that could not be read, so that the slots behind it keep their numbers.
    pub(crate) fn push_lost_page(&mut self) {
        self.pages.push(Page::new(LetterPage::default()));
    }

    /// Adds a letter with no reference yet.
    pub(crate) fn insert(&mut self, letter: &Letter) -> u32 {
        while self.pages.get(self.hint).is_some_and(|page| page.get().vacancy().is_none()) {
            self.hint += 1;
        }
        if self.hint >= self.pages.len() {
            self.pages.push(Page::new(LetterPage::default()));
        }
        self.count += 1;
        let Some(page) = self.pages.get_mut(self.hint) else { return u32::MAX };
        let slot = page.get().vacancy().unwrap_or(u8::MAX);
        page.change().put(slot, letter, References::default());
        self.hint as u32 * PAGE_SLOTS as u32 + u32::from(slot)
    }

    /// What is known of a letter.
    pub(crate) fn get(&self, slot: u32) -> Option<Letter> {
        let (page, slot) = split(slot);
        self.pages.get(page)?.get().get(slot)
    }

    /// The slot of the letter whose commit stands at `place`, which is `slot` unless something was lost before; with
    /// `anywhere` it is looked for.
    pub(crate) fn slot_of(&self, slot: u32, place: Place, anywhere: bool) -> Option<u32> {
        let stands = |slot: u32| self.get(slot).is_some_and(|letter| letter.place == place);
        if stands(slot) || !anywhere {
            return Some(slot).filter(|slot| stands(*slot));
        }
        (0..(self.pages.len() * PAGE_SLOTS) as u32).find(|slot| stands(*slot))
    }

    /// Its size alone.
    pub(crate) fn size(&self, slot: u32) -> u64 {
        let (page, slot) = split(slot);
        let packed = self.pages.get(page).and_then(|page| page.get().slots.get(usize::from(slot)));
        packed.filter(|packed| **packed != VACANT).map_or(0, |packed| u64::from(packed.0[1]))
    }

    /// Puts a letter that was moved into the place of what it was.
    pub(crate) fn replace(&mut self, slot: u32, letter: &Letter) {
        let (at, in_page) = split(slot);
        let references = self.references(slot);
        let old = self.get(slot).filter(|_| references.is_deleted());
        if let Some(page) = self.pages.get_mut(at).filter(|page| page.get().holds(in_page)) {
            page.change().put(in_page, letter, references);
        }
        if let Some(old) = old {
            let new = self.get(slot).map_or(0, |new| new.flash_bytes());
            self.deleted.bytes = self.deleted.bytes.saturating_sub(old.flash_bytes()).saturating_add(new);
        }
    }

    /// Letters that nothing but deletions keeps.
    pub(crate) const fn deleted(&self) -> Deleted {
        self.deleted
    }

    /// How often a letter is referred to.
    pub(crate) fn references(&self, slot: u32) -> References {
        let (page, slot) = split(slot);
        self.pages.get(page).map_or_else(References::default, |page| page.get().references(slot))
    }

    /// Counts a reference by a message. Says whether the letter is there and there was room for one more. References
    /// follow from the entries, so they are not a change of the page.
    pub(crate) fn refer(&mut self, slot: u32) -> bool {
        self.refer_more(slot, |references| {
            references.messages = references.messages.checked_add(1)?;
            Some(())
        })
    }

    /// Counts a reference by a deletion; see [`refer`](Self::refer).
    pub(crate) fn refer_deletion(&mut self, slot: u32) -> bool {
        self.refer_more(slot, |references| {
            references.deletions = references.deletions.checked_add(1)?;
            Some(())
        })
    }

    fn refer_more(&mut self, slot: u32, change: impl FnOnce(&mut References) -> Option<()>) -> bool {
        let (at, in_page) = split(slot);
        let Some(page) = self.pages.get_mut(at).filter(|page| page.get().holds(in_page)) else {
            return false;
        };
        let before = page.get().references(in_page);
        let mut after = before;
        if change(&mut after).is_none() {
            return false;
        }
        page.change_quietly().set_references(in_page, after);
        self.count_deleted(slot, before, after);
        true
    }

    /// Drops a letter that nothing refers to, or one reference by a message; returns the letter when none is left.
    pub(crate) fn release(&mut self, slot: u32) -> Option<Letter> {
        self.release_one(slot, |references| references.messages = references.messages.saturating_sub(1))
    }

    /// The same for a reference by a deletion.
    pub(crate) fn release_deletion(&mut self, slot: u32) -> Option<Letter> {
        self.release_one(slot, |references| references.deletions = references.deletions.saturating_sub(1))
    }

    fn release_one(&mut self, slot: u32, change: impl FnOnce(&mut References)) -> Option<Letter> {
        let (at, in_page) = split(slot);
        let page = self.pages.get_mut(at).filter(|page| page.get().holds(in_page))?;
        let before = page.get().references(in_page);
        let mut after = before;
        change(&mut after);
        if !after.is_none() {
            page.change_quietly().set_references(in_page, after);
            self.count_deleted(slot, before, after);
            return None;
        }
        let letter = page.get().get(in_page)?;
        page.change().clear(in_page);
        if before.is_deleted() {
            self.deleted.letters = self.deleted.letters.saturating_sub(1);
            self.deleted.bytes = self.deleted.bytes.saturating_sub(letter.flash_bytes());
        }
        self.count -= 1;
        self.hint = self.hint.min(at);
        Some(letter)
    }

    /// Keeps count of the letters that nothing but deletions keeps.
    fn count_deleted(&mut self, slot: u32, before: References, after: References) {
        if before.is_deleted() == after.is_deleted() {
            return;
        }
        let bytes = self.get(slot).map_or(0, |letter| letter.flash_bytes());
        let deleted = &mut self.deleted;
        if after.is_deleted() {
            (deleted.letters, deleted.bytes) = (deleted.letters + 1, deleted.bytes.saturating_add(bytes));
        } else {
            deleted.letters = deleted.letters.saturating_sub(1);
            deleted.bytes = deleted.bytes.saturating_sub(bytes);
        }
    }

    /// Letters that nothing refers to, by slot: what damage to the pages of mailboxes leaves behind.
    pub(crate) fn unreferred(&self) -> impl Iterator<Item = u32> + '_ {
        (0_u32..).zip(&self.pages).flat_map(|(at, page)| {
            let page = page.get();
            let slots =
                page.iter().map(|(slot, _)| slot).filter(move |slot| page.references(*slot).is_none());
            slots.map(move |slot| at * PAGE_SLOTS as u32 + u32::from(slot))
        })
    }
}

impl Packed {
    const fn references(self) -> References {
        let bits = self.0[4];
        References { messages: bits & MESSAGES_ODD, deletions: bits >> DELETIONS_SHIFT & DELETIONS_ODD }
    }

    fn set_references(&mut self, references: References) {
        self.0[4] = (self.0[4] >> META_SHIFT << META_SHIFT) | reference_bits(references);
    }
}

fn reference_bits(references: References) -> u32 {
    (references.deletions.min(DELETIONS_ODD) << DELETIONS_SHIFT) | references.messages.min(MESSAGES_ODD)
}

fn pack(letter: &Letter, references: References) -> Packed {
    let place = (u64::from(letter.place.segment) << OFFSET_BITS) | u64::from(letter.place.offset / 8);
    let (segment, share) = match letter.body {
        Body::None => (NO_BODY, 0),
        Body::One(segment, bytes) => (segment, share_of(letter.size, bytes)),
        Body::Many(_) => (MANY, 0),
    };
    let zone = (i32::from(letter.zone_minutes) + ZONE_BIAS).clamp(0, 127 * ZONE_STEP) / ZONE_STEP;
    let meta = (letter.meta_bytes / META_STEP).min(u8::MAX.into());
    Packed([
        place as u32,
        letter.size,
        letter.received.0.clamp(0, u32::MAX.into()) as u32,
        (place >> 32) as u32 | (segment << 8),
        (zone.cast_unsigned() << 25)
            | (u32::from(share) << 17)
            | (meta << META_SHIFT)
            | reference_bits(references),
    ])
}

fn unpack(packed: &Packed) -> Letter {
    let [low, size, received, middle, rest] = packed.0;
    let place = u64::from(low) | (u64::from(middle & 0xFF) << 32);
    let (segment, share) = (middle >> 8 & NO_BODY, (rest >> 17) as u8);
    Letter {
        place: Place {
            segment: (place >> OFFSET_BITS) as u32,
            offset: (place & ((1 << OFFSET_BITS) - 1)) as u32 * 8,
        },
        meta_bytes: (rest >> META_SHIFT & 0xFF) * META_STEP,
        size,
        body: if segment >= MANY { Body::None } else { Body::One(segment, share_bytes(size, share)) },
        received: UnixTime(received.into()),
        zone_minutes: ((rest >> 25).cast_signed() * ZONE_STEP - ZONE_BIAS) as i16,
    }
}
