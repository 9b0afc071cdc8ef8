//! The index on its own: entries and letters against plain maps, and records with any numbers.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use mail::{Flags, Modseq, Uid, UnixTime};
use proptest::prelude::*;

use super::account::levels;
use super::entries::{Entries, Entry, EntryPage, PAGE_ENTRIES, Tally};
use super::letters::{Body, Letter, LetterPage, Letters, PAGE_SLOTS, References, body_bytes, meta_bytes};
use super::{Rescue, State};
use crate::format::Place;
use crate::format::code::take;
use crate::format::frame::kind;
use crate::format::header::Head;
use crate::format::table::Row;
use crate::segments::Segments;

const LETTER: Letter = Letter {
    place: Place { segment: 3, offset: 64 },
    meta_bytes: 64,
    size: 100,
    body: Body::None,
    received: UnixTime(9),
    zone_minutes: 540,
};

fn entry(uid: u32, flags: u64) -> Entry {
    Entry { uid: Uid(uid), letter: uid * 2, flags: Flags(flags), modseq: Modseq(u64::from(uid)) }
}

#[derive(Clone, Debug)]
enum Op {
    Push { skip: u32, count: u32, flags: u64 },
    Flags { first: u32, more: u32, add: u64, remove: u64 },
    Remove { first: u32, more: u32, tidy: bool },
}

fn op() -> impl Strategy<Value = Op> {
    let flags = prop_oneof![0..32_u64, any::<u64>()];
    prop_oneof![
        (0..5_u32, 1..400_u32, flags.clone()).prop_map(|(skip, count, flags)| Op::Push {
            skip,
            count,
            flags
        }),
        (0..3000_u32, 0..900_u32, flags.clone(), flags).prop_map(|(first, more, add, remove)| Op::Flags {
            first,
            more,
            add,
            remove
        }),
        (0..3000_u32, 0..700_u32, any::<bool>()).prop_map(|(first, more, tidy)| Op::Remove {
            first,
            more,
            tidy
        }),
    ]
}

fn check(entries: &Entries, model: &BTreeMap<u32, (u64, u64)>, probe: u32) {
    assert_eq!(entries.len() as usize, model.len());
    assert!(
        entries
            .iter()
            .map(|entry| (entry.uid.0, (entry.flags.0, entry.modseq.0)))
            .eq(model.iter().map(|(uid, known)| (*uid, *known)))
    );
    assert!(entries.uids(Uid(0)).eq(model.keys().copied()));
    assert!(entries.uids(Uid(probe)).eq(model.range(probe..).map(|(uid, _)| *uid)));
    check_changes(entries, model, probe);
    for uid in [0, 1, probe, probe + 1, u32::MAX] {
        assert_eq!(entries.get(Uid(uid)).map(|entry| entry.flags.0), model.get(&uid).map(|known| known.0));
        let next = model.range(uid..).next().map(|(uid, _)| *uid);
        assert_eq!(entries.at_or_after(Uid(uid)).map(|entry| entry.uid.0), next);
        let range = entries.range(Uid(uid), Uid(uid.saturating_add(40))).map(|entry| entry.uid.0);
        assert!(range.eq(model.range(uid..=uid.saturating_add(40)).map(|(uid, _)| *uid)));
    }
}

/// What has changed since each of some moments is what a look at every message finds.
fn check_changes(entries: &Entries, model: &BTreeMap<u32, (u64, u64)>, probe: u32) {
    let newest = model.values().map(|known| known.1).max().unwrap_or(0);
    let probed = model.range(probe..).next().map_or(0, |(_, known)| known.1);
    for since in [0, probed.saturating_sub(1), probed, newest.saturating_sub(1), newest] {
        let mut found = Vec::new();
        let mut from = Uid(probe / 2);
        while let Some(entry) = entries.next_changed(Modseq(since), from) {
            found.push(entry.uid.0);
            from = Uid(entry.uid.0 + 1);
        }
        let naive = model.range(probe / 2..).filter(|(_, known)| known.1 > since).map(|(uid, _)| *uid);
        assert!(naive.eq(found), "since {since}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn entries_are_a_sorted_map(ops in prop::collection::vec(op(), 1..25)) {
        let (mut entries, mut model) = (Entries::default(), BTreeMap::new());
        let (mut next, mut modseq) = (1, 1);
        for op in ops {
            modseq += 1;
            let probe = match op {
                Op::Push { skip, count, flags } => {
                    next += skip;
                    for _ in 0..count {
                        prop_assert!(entries.push(entry(next, flags)));
                        model.insert(next, (flags, u64::from(next)));
                        next += 1;
                    }
                    prop_assert!(!entries.push(entry(next - 1, 0)), "not in order");
                    next - 1
                }
                Op::Flags { first, more, add, remove } => {
                    let mut tally = Tally::default();
                    let range = (Uid(first), Uid(first + more));
                    entries.set_flags(range, (Flags(add), Flags(remove)), Modseq(modseq << 20), &mut tally);
                    let mut changed = 0;
                    for (_, (flags, known)) in model.range_mut(first..=first + more) {
                        let new = *flags & !remove | add;
                        if new != *flags {
                            (*flags, *known) = (new, modseq << 20);
                            changed += 1;
                        }
                    }
                    prop_assert_eq!(tally.changed, changed);
                    first
                }
                Op::Remove { first, more, tidy } => {
                    let mut gone = Vec::new();
                    entries.remove(Uid(first), Uid(first + more), |entry| gone.push((entry.uid.0, entry.flags.0)));
                    let expected: Vec<_> = model.range(first..=first + more).map(|(uid, known)| (*uid, known.0)).collect();
                    prop_assert_eq!(gone, expected);
                    model.retain(|uid, _| *uid < first || *uid > first + more);
                    if tidy {
                        entries.tidy();
                    }
                    first
                }
            };
            check(&entries, &model, probe);
        }
    }

    #[test]
    fn letters_keep_what_they_are_given(
        segment in 0..1_000_000_u32, offset in 0..(8_u32 << 20) / 8, size in any::<u32>(),
        parts in prop::collection::vec((0..1_000_000_u32, any::<u32>()), 0..4), span in any::<u32>(),
        received in any::<i64>(), zone in any::<i16>(), references in 1..1200_u32,
    ) {
        let letter = Letter {
            place: Place { segment, offset: offset * 8 },
            meta_bytes: meta_bytes(span),
            size,
            body: match *parts.as_slice() {
                [] => Body::None,
                [(segment, bytes)] => Body::One(segment, body_bytes(size, bytes)),
                _ => Body::Many(parts.into()),
            },
            received: UnixTime(received),
            zone_minutes: zone,
        };
        let mut letters = Letters::default();
        let slot = letters.insert(&letter);
        prop_assert_eq!(letters.get(slot), Some(letter.clone()));
        for _ in 0..references {
            prop_assert!(letters.refer(slot));
        }
        letters.replace(slot, &letter);
        for _ in 1..references {
            prop_assert_eq!(letters.release(slot), None);
        }
        prop_assert_eq!(letters.release(slot), Some(letter.clone()));
        prop_assert_eq!(letters.len(), 0);
        let other = Letter { received: UnixTime(5), zone_minutes: 0, ..letter };
        prop_assert_eq!(letters.insert(&other), slot, "its slot is used again");
        prop_assert_eq!(letters.get(slot), Some(other));
    }

    #[test]
    fn pages_of_entries_are_read_back(
        rows in prop::collection::vec((1..9_u32, any::<u32>(), any::<u64>(), 0..1_u64 << 48), 1..257),
    ) {
        let (mut page, mut uid) = (EntryPage::default(), 0);
        for (up, letter, flags, modseq) in rows {
            uid += up;
            page.push(Entry { uid: Uid(uid), letter, flags: Flags(flags), modseq: Modseq(modseq) });
        }
        let mut bytes = Vec::new();
        page.encode(&mut bytes);
        let read = EntryPage::decode(&bytes, page.iter().len() as u32);
        prop_assert!(read.iter().eq(page.iter()));
    }

    #[test]
    fn pages_of_letters_are_read_back(
        letters in prop::collection::vec((any::<u8>(), 0..16_u32, 0..1_u32 << 20, any::<u32>(), any::<i64>(), any::<i16>(),
            prop::collection::vec((0..16_u32, any::<u32>()), 0..5)), 1..200),
    ) {
        let mut segments = Segments::new(20);
        (2..18).for_each(|index| segments.open(index, Head::Meta, index * 1000 % 7919, 1));
        let mut page = LetterPage::default();
        for (slot, segment, offset, size, received, zone, parts) in letters {
            let parts: Vec<(u32, u32)> = parts.iter().map(|(segment, bytes)| (segment + 2, *bytes)).collect();
            let body = match *parts.as_slice() {
                [] => Body::None,
                [(segment, bytes)] => Body::One(segment, body_bytes(size, bytes)),
                _ => Body::Many(parts.into()),
            };
            let letter = Letter {
                place: Place { segment: segment + 2, offset: offset * 8 },
                meta_bytes: meta_bytes(offset),
                size,
                body,
                received: UnixTime(received),
                zone_minutes: zone,
            };
            page.put(slot, &letter, References::default());
        }
        let mut bytes = Vec::new();
        page.encode(&segments, &mut bytes);
        let read = LetterPage::decode(&bytes, page.rows(), &segments, |_, _| {});
        prop_assert!(read.iter().eq(page.iter()));
    }

    #[test]
    fn pages_of_any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..600), rows in any::<u32>()) {
        let mut segments = Segments::new(20);
        (2..18).for_each(|index| segments.open(index, Head::Meta, index, 1));
        prop_assert!(EntryPage::decode(&bytes, rows).iter().len() <= PAGE_ENTRIES);
        let page = LetterPage::decode(&bytes, rows, &segments, |_, _| {});
        prop_assert!(page.iter().count() <= PAGE_SLOTS);
        let mut rows = &*bytes;
        while let Some(row) = take::<Row<'_>>(&mut rows) {
            State::new(1).take_row(&row);
        }
    }

    #[test]
    fn new_letters_take_the_lowest_free_slot(ops in prop::collection::vec(prop::option::of(0..1000_usize), 1..900)) {
        let (mut letters, mut used) = (Letters::default(), BTreeSet::new());
        for op in ops {
            match op {
                Some(which) if !used.is_empty() => {
                    let slot = used.iter().nth(which % used.len()).copied().unwrap();
                    used.remove(&slot);
                    prop_assert!(letters.release(slot).is_some());
                }
                _ => {
                    let free = (0..).find(|slot| !used.contains(slot)).unwrap();
                    prop_assert_eq!(letters.insert(&LETTER), free);
                    used.insert(free);
                }
            }
            prop_assert_eq!(letters.len(), used.len());
        }
    }

    #[test]
    fn records_of_any_content_never_panic(
        kinds in prop::collection::vec((0..60_u8, prop::collection::vec(any::<u8>(), 0..60)), 1..30), damaged in any::<bool>(),
    ) {
        let (mut state, mut segments) = (State::new(1), Segments::new(16));
        state.rescue = Some(Rescue { damaged, ..Rescue::default() });
        for (kind, payload) in kinds {
            let _ = state.apply(&mut segments, kind, &payload, Place { segment: 3, offset: 64 });
        }
        let _ = state.apply(&mut segments, kind::ACCOUNT_REMOVE, &[1, 0], Place { segment: 3, offset: 64 });
    }
}

#[test]
fn what_is_left_of_many_messages_is_tidied_up() {
    let mut entries = Entries::default();
    for uid in 1..=10_000 {
        entries.push(entry(uid, 0b1_0101));
    }
    entries.remove(Uid(1), Uid(9_000), |_| {});
    entries.tidy();
    assert_eq!((entries.len(), entries.last_uid()), (1000, 10_000));
}

#[test]
fn levels_are_the_names_above() {
    assert!(levels("a/b/c").eq(["a", "a/b", "a/b/c"]));
    assert!(levels("a").eq(["a"]));
}
