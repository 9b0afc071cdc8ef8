//! Where hardly a segment is left: nobody waits for ever, nothing is written without an end, and what can be gained is.

use alloc::vec;
use alloc::vec::Vec;

use flash::simulator::{Cut, Simulator};
use flash::{Direct, Geometry};
use mail::{Flags, Letter, Mail, Refusal, Uid, UidSet, UnixTime};

use super::rig::*;
use crate::segments::Use;
use crate::{FormatOptions, Store};

fn fill(store: &mut SimStore, size: usize) {
    for number in 0..100_000 {
        if let Err(refusal) = deliver(store, &["alice@example.test"], &text(number, size)) {
            return assert_eq!(refusal, Refusal::StoreFull);
        }
    }
}

/// Takes free segments away until no more than `left` are, as a card does that fails.
pub(super) fn leave(store: &mut SimStore, left: u32) {
    for index in 0..store.layout.segments {
        if store.segments.free() > left && store.segments.used(index) == Use::Free {
            store.segments.retire(index);
        }
    }
    assert_eq!(store.segments.free(), left);
}

fn every(store: &SimStore, step: usize) -> UidSet {
    store.uids(inbox(store, ALICE)).iter().step_by(step).collect()
}

/// Settings that make each checkpoint so long.
fn furnish(store: &mut SimStore, settings: usize) {
    for key in ["a", "b"] {
        let value = vec![7; settings / 2];
        let ticket = ask(store, |store| store.put_setting(key, &value));
        wait(store, ticket).unwrap();
    }
}

/// A change with so many ranges that it finds no room behind a checkpoint either: it is refused, or taken.
#[test]
fn a_change_that_a_checkpoint_makes_no_room_for_is_answered() {
    for settings in [16_000, 24_000, 26_000] {
        let mut store = office(40);
        furnish(&mut store, settings);
        for number in 0..1_300 {
            send(&mut store, &["alice@example.test"], &text(number, 300)).unwrap();
        }
        pump(&mut store);
        fill(&mut store, 20_000);
        leave(&mut store, 2);
        let mailbox = inbox(&store, ALICE);
        for round in 0..400_u32 {
            let (add, remove) = [(Flags::SEEN, Flags::NONE), (Flags::NONE, Flags::SEEN)][round as usize % 2];
            let some = uid_set(&[1]);
            let ticket = ask(&mut store, |store| store.set_flags(mailbox, &some, add, remove));
            let _ = wait(&mut store, ticket);
        }
        let half = every(&store, 2);
        let _ = ask(&mut store, |store| store.set_flags(mailbox, &half, Flags::FLAGGED, Flags::NONE));
        pump(&mut store);
    }
}

/// A change was taken, and then what it would have stood in is gone.
#[test]
fn a_change_that_was_taken_is_written_though_a_checkpoint_makes_no_room_for_it() {
    let mut store = office(40);
    furnish(&mut store, 24_000);
    for number in 0..2_000 {
        send(&mut store, &["alice@example.test"], &text(number, 300)).unwrap();
    }
    pump(&mut store);
    fill(&mut store, 20_000);
    leave(&mut store, 3);
    let mailbox = inbox(&store, ALICE);
    let half = every(&store, 2);
    let ticket =
        ask(&mut store, |store| store.set_flags(mailbox, &half, Flags::FLAGGED, Flags::NONE)).unwrap();
    leave(&mut store, 2);
    pump(&mut store);
    assert!(ticket.result().unwrap().is_ok());
}

/// Checkpoints leave less room than the record of a batch could take: that is no reason to write them for ever.
#[test]
fn batches_come_to_an_end_where_checkpoints_are_long() {
    for settings in [8_000, 18_000, 24_000] {
        for left in [2, 3] {
            let mut store = office(64);
            furnish(&mut store, settings);
            fill(&mut store, 9_000);
            leave(&mut store, left);
            let mailbox = inbox(&store, ALICE);
            let most: UidSet = store
                .uids(mailbox)
                .iter()
                .enumerate()
                .filter(|(at, _)| at % 7 > 0)
                .map(|(_, uid)| uid)
                .collect();
            let ticket = ask(&mut store, |store| store.expunge(mailbox, &most));
            wait(&mut store, ticket).unwrap();
            pump(&mut store);
            let taken = deliver(&mut store, &["alice@example.test"], &text(1, 9_000));
            assert!(settings > 10_000 || taken.is_ok(), "{settings} {left}: {taken:?}");
            pump(&mut store);
        }
    }
}

/// Some letters have commits that are much longer than most: a batch that opens more for them than it gains is not
/// tried again and again.
#[test]
fn a_batch_that_gains_nothing_is_not_repeated_for_ever() {
    for summary in [6_000, 12_000] {
        let mut store = office(80);
        for number in 0..1_500 {
            send(&mut store, &["bob@example.test"], &text(number, 300)).unwrap();
        }
        pump(&mut store);
        let summary = vec![b's'; summary];
        let mailbox = inbox(&store, ALICE);
        let mut number = 0;
        loop {
            number += 1;
            let long = Letter { summary: if number % 7 == 0 { &summary } else { b"s" }, ..LETTER };
            let Ok(draft) = store.draft(None) else { break };
            store.add_mailbox(&draft, mailbox, Flags::NONE).unwrap();
            if stream(&mut store, &draft, &text(number, 9_000)).is_err() {
                break;
            }
            let ticket = ask(&mut store, |store| store.deposit(&draft, &long));
            if wait(&mut store, ticket).is_err() {
                break;
            }
        }
        leave(&mut store, 4);
        let most: UidSet = store.uids(mailbox).iter().filter(|uid| uid.0 % 7 != 0).collect();
        let ticket = ask(&mut store, |store| store.expunge(mailbox, &most));
        wait(&mut store, ticket).unwrap();
        pump(&mut store);
        for number in 0..3 {
            let _ = deliver(&mut store, &["alice@example.test"], &text(number, 9_000));
            pump(&mut store);
        }
    }
}

/// One letter of three is left in each segment: too much for two to share one.
#[test]
fn batches_gain_where_a_third_of_each_segment_lives() {
    let geometry = Geometry { capacity: 40 * (256 << 10), write_size: 4096, erase_size: 4096 };
    let options = FormatOptions { uuid: UUID, segment_bytes: None };
    let mut store = Store::format(Direct::new(Simulator::new(geometry)), &options).unwrap();
    store.set_now(UnixTime(1_000_000_000));
    pump(&mut store);
    let ticket = store.put_domain("example.test");
    wait(&mut store, ticket).unwrap();
    account(&mut store, "alice@example.test", None);
    fill(&mut store, 85_000);
    leave(&mut store, 4);
    let mailbox = inbox(&store, ALICE);
    let most: UidSet = store.uids(mailbox).iter().filter(|uid| uid.0 % 3 != 0).collect();
    let ticket = ask(&mut store, |store| store.expunge(mailbox, &most));
    wait(&mut store, ticket).unwrap();
    for number in 0..30 {
        deliver(&mut store, &["alice@example.test"], &text(number, 85_000))
            .unwrap_or_else(|refusal| panic!("{number}: {refusal:?}, {} free", store.segments.free()));
    }
}

/// Nothing is free, but something is dead: flags go on.
#[test]
fn flags_go_on_where_only_dead_segments_are_left() {
    for dead in 1..3_u32 {
        let mut store = office(30);
        fill(&mut store, 60_000);
        leave(&mut store, 0);
        let mailbox = inbox(&store, ALICE);
        let gone = UidSet::range(Uid(3), Uid(5 + dead));
        let ticket = ask(&mut store, |store| store.expunge(mailbox, &gone));
        wait(&mut store, ticket).unwrap();
        let numbers: Vec<u64> = (0..u64::from(dead + 3)).collect();
        let ticket = ask(&mut store, |store| store.delete_for_good(ALICE, &numbers));
        wait(&mut store, ticket).unwrap();
        for round in 0..3_000_usize {
            let (add, remove) = [(Flags::SEEN, Flags::NONE), (Flags::NONE, Flags::SEEN)][round % 2];
            let ticket = ask(&mut store, |store| store.set_flags(mailbox, &uid_set(&[1]), add, remove));
            wait(&mut store, ticket).unwrap_or_else(|refusal| panic!("{dead} {round}: {refusal:?}"));
        }
    }
}

/// Lives that end again and again at the same place take nothing, however long a checkpoint is.
#[test]
fn lives_that_end_at_the_same_place_take_nothing() {
    for settings in [100, 45_000] {
        let mut store = office(40);
        furnish(&mut store, settings);
        fill(&mut store, 9_000);
        leave(&mut store, 4);
        let mut device = store.into_queue().into_device();
        device.cut();
        device.power_on(Cut::AllKept, 0);
        for operations in (2..80).step_by(3) {
            for mode in Cut::ALL {
                let mut device = device.clone();
                let mut free = Vec::new();
                for life in 0..10 {
                    device.cut_after(operations);
                    let mut store = mount(device).unwrap();
                    free.push(store.segments.free());
                    let mailbox = inbox(&store, ALICE);
                    for round in 0..200_usize {
                        let (add, remove) =
                            [(Flags::SEEN, Flags::NONE), (Flags::NONE, Flags::SEEN)][round % 2];
                        let ticket =
                            ask(&mut store, |store| store.set_flags(mailbox, &uid_set(&[1]), add, remove));
                        if wait(&mut store, ticket).is_err() {
                            break;
                        }
                    }
                    device = store.into_queue().into_device();
                    device.cut();
                    device.power_on(mode, life);
                }
                assert!(free.iter().all(|free| *free >= 2), "{settings} {operations} {mode:?}: {free:?}");
            }
        }
    }
}

/// Lives that are closed in the midst of a checkpoint that goes before everything else, and others that are cut.
#[test]
fn lives_that_are_closed_soon_take_nothing() {
    for rounds in [2, 4, 6] {
        let mut store = office(30);
        fill(&mut store, 9_000);
        let mailbox = inbox(&store, ALICE);
        let mut free = Vec::new();
        for life in 0..20 {
            let mut device = store.into_queue().into_device();
            device.cut();
            device.power_on(Cut::AllKept, life);
            store = mount(device).unwrap();
            free.push(store.segments.free());
            for _ in 0..rounds {
                let _ = store.set_flags(mailbox, &uid_set(&[1]), Flags(1 << (life % 3)), Flags::NONE);
                store.flush();
                store.settle();
            }
            store = mount(close(store)).unwrap();
            let _ = store.set_flags(mailbox, &uid_set(&[1]), Flags(1 << (life % 3)), Flags::NONE);
            store.flush();
            store.settle();
        }
        assert!(free.iter().all(|free| *free >= 2), "{rounds}: {free:?}");
    }
}

/// Settings make each checkpoint several segments long, and the power fails after every few changes: the reserve is large
/// enough for one.
#[test]
fn a_long_checkpoint_finds_room_in_a_full_store() {
    let mut store = office(64);
    for key in ["a", "b", "c", "d"] {
        let value = vec![7; 40_000];
        let ticket = ask(&mut store, |store| store.put_setting(key, &value));
        wait(&mut store, ticket).unwrap();
    }
    fill(&mut store, 20_000);
    let mailbox = inbox(&store, ALICE);
    for round in 0..200 {
        for flags in [(Flags::SEEN, Flags::NONE), (Flags::NONE, Flags::SEEN)] {
            let most = every(&store, 2);
            let ticket = ask(&mut store, |store| store.set_flags(mailbox, &most, flags.0, flags.1));
            wait(&mut store, ticket).unwrap_or_else(|refusal| panic!("round {round}: {refusal:?}"));
        }
        let mut device = store.into_queue().into_device();
        device.cut();
        device.power_on(Cut::TornSector, round);
        store = mount(device).unwrap();
    }
    let half = every(&store, 2);
    let ticket = ask(&mut store, |store| store.expunge(mailbox, &half));
    wait(&mut store, ticket).unwrap();
    pump(&mut store);
    deliver(&mut store, &["alice@example.test"], &text(1, 5_000)).unwrap();
}

/// A letter of which a part lies in each of many segments is moved into several new ones, over many groups: the first of
/// those, which nothing names yet, are not taken for dead when the next one is opened.
#[test]
fn what_a_batch_has_moved_of_a_long_letter_is_not_reused() {
    let geometry = Geometry { capacity: 40 * (256 << 10), write_size: 4096, erase_size: 4096 };
    let options = FormatOptions { uuid: UUID, segment_bytes: None };
    let mut store = Store::format(Direct::new(Simulator::new(geometry)), &options).unwrap();
    store.set_now(UnixTime(1_000_000_000));
    pump(&mut store);
    let ticket = store.put_domain("example.test");
    wait(&mut store, ticket).unwrap();
    account(&mut store, "alice@example.test", None);
    let mailbox = inbox(&store, ALICE);
    // Two letters grow side by side, and the longer one goes.
    let texts = [text(1, 900_000), text(2, 2_700_000)];
    let drafts = [store.draft(None).unwrap(), store.draft(None).unwrap()];
    drafts.iter().for_each(|draft| store.add_mailbox(draft, mailbox, Flags::NONE).unwrap());
    for part in 0..18 {
        for (draft, (text, len)) in drafts.iter().zip(texts.iter().zip([50_000, 150_000])) {
            stream(&mut store, draft, &text[part * len..(part + 1) * len]).unwrap();
        }
        pump(&mut store);
    }
    for draft in &drafts {
        let ticket = deposit(&mut store, draft).unwrap();
        wait(&mut store, Ok(ticket)).unwrap();
    }
    leave(&mut store, 4);
    let ticket = ask(&mut store, |store| store.expunge(mailbox, &uid_set(&[2])));
    wait(&mut store, ticket).unwrap();
    let ticket = ask(&mut store, |store| store.delete_for_good(ALICE, &[0]));
    wait(&mut store, ticket).unwrap();
    pump(&mut store);
    assert!(store.available() > 4, "a batch has gained: {}", store.available());
    for number in 0..10 {
        let _ = deliver(&mut store, &["alice@example.test"], &text(100 + number, 60_000));
    }
    assert!(read(&mut store, mailbox, Uid(1)) == Ok(texts[0].clone()));
    let mut store = mount(close(store)).unwrap();
    assert!(read(&mut store, mailbox, Uid(1)) == Ok(texts[0].clone()));
    assert_eq!(store.statistics().damage, 0);
}
