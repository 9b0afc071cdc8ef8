//! Blocks at the end of their life: their segments are left alone, the rest goes on, and a device that has none left is
//! read-only after a bounded number of tries.

use alloc::vec::Vec;

use flash::Fault;
use flash::simulator::{Cut, Simulator};
use mail::{Mail, Refusal, Uid, UidSet};

use super::recount::recount;
use super::rig::*;
use crate::layout::ANCHOR_SEGMENTS;
use crate::limits::FAILURES_MAX;
use crate::segments::Use;

const SEGMENT: u64 = crate::limits::SEGMENT_BYTES_MIN as u64;
const ALICE_TO: &str = "alice@example.test";

/// The segment that would be opened next.
fn next_segment(store: &SimStore) -> u32 {
    store.segments.choose(crate::format::header::Head::Meta).unwrap()
}

fn bytes_of(segment: u32) -> core::ops::Range<u64> {
    u64::from(segment) * SEGMENT..u64::from(segment + 1) * SEGMENT
}

/// Delivers until it is acknowledged; returns how often that failed.
fn deliver_somehow(store: &mut SimStore, number: u64, size: usize) -> usize {
    for failed in 0..100 {
        match deliver(store, &[ALICE_TO], &text(number, size)) {
            Ok(_) => return failed,
            Err(Refusal::NotDurable) => assert!(!store.is_read_only()),
            Err(other) => panic!("{other:?}"),
        }
    }
    panic!("never delivered");
}

fn erases_on_the_device(store: &mut SimStore, segment: u32) -> u32 {
    let first = (u64::from(segment) * SEGMENT / 4096) as usize;
    store.queue().device().wear()[first]
}

#[test]
fn a_segment_with_a_bad_block_is_left_alone_for_good() {
    for erases in [true, false] {
        let mut store = office(32);
        let bad = next_segment(&store);
        let range = bytes_of(bad);
        store.queue().device().wear_out(range.start + 8192..range.start + 12_288, erases);
        // A letter over the whole segment meets the block.
        assert_eq!(deliver_somehow(&mut store, 1, 100_000), 1);
        let mailbox = inbox(&store, ALICE);
        let first = store.uids(mailbox).first().unwrap();
        assert_eq!(store.segments.used(bad), Use::Retired);
        assert_eq!(store.statistics().wear.retired, 1);
        pump(&mut store);
        let worn = erases_on_the_device(&mut store, bad);
        for round in 0..4 {
            // Through all segments, more than once, with checkpoints and mounts of both kinds between.
            for number in 0..30 {
                assert_eq!(deliver_somehow(&mut store, 10 + number, 40_000), 0);
                let ticket = store.expunge(mailbox, &UidSet::range(Uid(first.0 + 1), Uid(10_000)));
                wait(&mut store, ticket).unwrap();
            }
            store.checkpoints.wanted = round % 2 == 0;
            pump(&mut store);
            recount(&store);
            let device = if round < 2 {
                close(store)
            } else {
                let mut device = store.into_queue().into_device();
                device.cut();
                device.power_on(Cut::OutOfOrder, round);
                device
            };
            store = mount(device).unwrap();
            assert_eq!(store.segments.retired().collect::<Vec<_>>(), [bad], "round {round}");
        }
        assert_eq!(erases_on_the_device(&mut store, bad), worn, "it was opened again");
        assert!(read(&mut store, mailbox, first) == Ok(text(1, 100_000)));
    }
}

#[test]
fn a_stretch_of_bad_segments_is_passed_over() {
    let mut store = office(64);
    let first = next_segment(&store);
    let last = first + FAILURES_MAX - 2;
    store.queue().device().wear_out(bytes_of(first).start..bytes_of(last).end, false);
    let failed = deliver_somehow(&mut store, 1, 60_000);
    // A life opens two segments; the first that fails is retired, the other one when its turn comes again.
    assert!((FAILURES_MAX as usize / 2 - 1..FAILURES_MAX as usize).contains(&failed), "{failed}");
    let mailbox = inbox(&store, ALICE);
    for number in 2..400 {
        if store.segments.retired_count() == last - first + 1 {
            break;
        }
        deliver_somehow(&mut store, number, 60_000);
        let ticket = store.expunge(mailbox, &UidSet::range(Uid(1), Uid(10_000)));
        // The metadata may meet one of them as well.
        let _ = wait(&mut store, ticket);
        let deleted = store.deletions(ALICE, None, usize::MAX).found;
        let numbers: Vec<u64> = deleted.iter().map(|deletion| deletion.number).collect();
        let ticket = store.delete_for_good(ALICE, &numbers);
        let _ = wait(&mut store, ticket);
    }
    assert_eq!(store.segments.retired_count(), last - first + 1);
    let free = store.statistics().free;
    let store = mount(close(store)).unwrap();
    assert_eq!(store.segments.retired_count(), last - first + 1);
    assert!(store.statistics().free.abs_diff(free) <= 3 * SEGMENT, "what is retired is not free");
}

/// Whatever else is asked of it, only so much is tried.
#[test]
fn a_device_that_fails_everywhere_is_read_only_after_a_bounded_number_of_tries() {
    for anchors in [true, false] {
        let mut store = office(64);
        deliver(&mut store, &[ALICE_TO], &text(1, 900)).unwrap();
        let from = if anchors { 0 } else { u64::from(ANCHOR_SEGMENTS) * SEGMENT };
        store.queue().device().wear_out(from..64 * SEGMENT, true);
        let before = store.queue().device().operations();
        for number in 2..200 {
            if store.is_read_only() {
                break;
            }
            let _ = deliver(&mut store, &[ALICE_TO], &text(number, 900));
        }
        assert!(store.is_read_only());
        let tries = store.queue().device().operations() - before;
        assert!(tries < 10 * u64::from(FAILURES_MAX), "{tries}");
        assert_eq!(store.draft(None).err(), Some(Refusal::ReadOnly));
        let mailbox = inbox(&store, ALICE);
        assert_eq!(read(&mut store, mailbox, Uid(1)), Ok(text(1, 900)));
        let mut again = mount(store.into_queue().into_device()).unwrap();
        assert_eq!(read(&mut again, mailbox, Uid(1)), Ok(text(1, 900)), "and after a restart");
    }
}

/// The other place of the anchor holds the only good one: nothing is risked for writing on.
#[test]
fn an_anchor_that_cannot_be_written_ends_all_writing() {
    let mut store = mount(close(office(32))).unwrap();
    for slot in 0..ANCHOR_SEGMENTS {
        store.queue().device().wear_out(bytes_of(slot).start..bytes_of(slot).start + 4096, false);
    }
    let ticket = store.create_mailbox(ALICE, &name("Later"), None);
    assert_eq!(wait(&mut store, ticket), Err(Refusal::NotDurable));
    pump(&mut store);
    assert!(store.is_read_only());
    assert_eq!(store.segments.retired_count(), 0);
    assert!(mount(store.into_queue().into_device()).is_ok());
}

#[test]
fn only_a_failure_with_a_place_retires() {
    let mut store = office(32);
    store.queue().device().fail_barrier(0);
    assert_eq!(deliver(&mut store, &[ALICE_TO], &text(1, 900)).err(), Some(Refusal::NotDurable));
    deliver(&mut store, &[ALICE_TO], &text(1, 900)).unwrap();
    assert_eq!(store.segments.retired_count(), 0, "the barrier itself");
    store.queue().device().fail_program(0);
    assert_eq!(deliver(&mut store, &[ALICE_TO], &text(1, 900)).err(), Some(Refusal::NotDurable));
    deliver(&mut store, &[ALICE_TO], &text(1, 900)).unwrap();
    assert_eq!(store.segments.retired_count(), 1);
    let place = next_segment(&store);
    let range = bytes_of(place);
    store.queue().device().wear_out(range, false);
    for fault in [Fault::NoRoom, Fault::ReadOnly] {
        store.retire_culprit(fault);
    }
    assert_eq!(store.segments.retired_count(), 1, "a full disk, a card that takes nothing");
}

#[test]
fn what_lives_in_a_retired_segment_moves_out() {
    let mut store = office(32);
    let mailbox = inbox(&store, ALICE);
    for number in 1..=12 {
        deliver(&mut store, &[ALICE_TO], &text(number, 20_000)).unwrap();
    }
    store.checkpoints.wanted = true;
    pump(&mut store);
    let letter = store.letter(mailbox, Uid(1)).unwrap();
    let (segment, _) = letter.body.parts().next().unwrap();
    assert!(store.segments.holders(segment) > 1);
    for segment in [segment, letter.place.segment] {
        store.retire(segment);
    }
    store.gather_retired();
    pump(&mut store);
    assert!(store.segments.is_dead(segment), "bodies");
    recount(&store);
    for number in 1..=12 {
        assert!(read(&mut store, mailbox, Uid(number)) == Ok(text(number.into(), 20_000)));
    }
    let mut store = mount(close(store)).unwrap();
    assert_eq!(store.segments.retired_count(), 2);
    assert_eq!(store.segments.used(segment), Use::Retired);
    assert!(read(&mut store, mailbox, Uid(1)) == Ok(text(1, 20_000)));
}

/// A record that is lost with its group is written again with the next.
#[test]
fn what_is_retired_is_written_down_whatever_fails() {
    let mut store = office(32);
    let bad = next_segment(&store);
    store.retire(bad);
    store.gather_retired();
    store.queue().device().fail_barrier(0);
    pump(&mut store);
    assert_eq!(store.segments.retired_count(), 1);
    let device: Simulator = close(store);
    let store = mount(device).unwrap();
    assert_eq!(store.segments.retired().collect::<Vec<_>>(), [bad]);
}
