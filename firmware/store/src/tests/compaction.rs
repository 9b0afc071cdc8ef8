//! Compaction and checkpoints at work: space comes back, letters stay what they are, wear spreads.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use mail::{Flags, Mail, Refusal, Uid, UidSet};

use super::recount::recount;
use super::rig::*;
use super::world::dump;
use crate::format::header::{Head, Stream};

/// Delivers letters of `size` bytes to Alice until the store is full. Returns their numbers.
fn fill(store: &mut SimStore, size: usize, first: u64) -> Vec<u64> {
    let mut numbers = Vec::new();
    for number in first..first + 100_000 {
        match deliver(store, &["alice@example.test"], &text(number, size)) {
            Ok(_) => numbers.push(number),
            Err(refusal) => {
                assert_eq!(refusal, Refusal::StoreFull);
                return numbers;
            }
        }
    }
    panic!("never full");
}

#[test]
fn what_was_deleted_between_kept_letters_is_gained_back() {
    let mut store = office(64);
    let first = fill(&mut store, 9_000, 0);
    let mailbox = inbox(&store, ALICE);
    let odd: UidSet = (1..=first.len() as u32).step_by(2).map(Uid).collect();
    let ticket = store.expunge(mailbox, &odd);
    wait(&mut store, ticket).unwrap();
    let second = fill(&mut store, 9_000, 50_000);
    assert!(second.len() * 100 >= first.len() * 35, "{} of {} come again", second.len(), first.len());
    assert!(store.segments.of(Head::Body(Stream::Cold)).count() > 0, "something was moved");
    recount(&store);
    let kept = first.iter().skip(1).step_by(2).chain(&second);
    for (uid, number) in store.uids(mailbox).iter().collect::<Vec<_>>().iter().zip(kept) {
        assert_eq!(read(&mut store, mailbox, *uid).unwrap(), text(*number, 9_000));
    }
    let state = dump(&mut store);
    let mut store = mount(close(store)).unwrap();
    assert_eq!(dump(&mut store), state);
    assert_eq!((store.statistics().damage, store.mount_report().clean), (0, true));
    recount(&store);
}

/// A box that has been full, and half of whose letters are deleted, takes as many again, time after time: what is deleted
/// comes back wherever it lay.
#[test]
fn a_full_store_fills_up_again_and_again() {
    for size in [4_000, 15_000, 60_000] {
        let mut store = office(128);
        let capacity = store.statistics().capacity as usize;
        let mut count = fill(&mut store, size, 0).len();
        let mailbox = inbox(&store, ALICE);
        for round in 1..4 {
            let every_other: UidSet = store.uids(mailbox).iter().skip(round % 2).step_by(2).collect();
            count -= every_other.iter().count();
            let ticket = store.expunge(mailbox, &every_other);
            wait(&mut store, ticket).unwrap();
            count += fill(&mut store, size, 10_000 * round as u64).len();
            let percent = count * size * 100 / capacity;
            assert!(percent >= 82, "letters of {size} take {percent} % in round {round}");
        }
        recount(&store);
    }
}

/// Letters come and go as fast as they can in a store that is three quarters full: what is deleted is forgotten and
/// compaction goes on with each group, so that nobody waits for many.
#[test]
fn nobody_waits_for_long_while_deletions_are_forgotten() {
    let mut store = office(256);
    let mailbox = inbox(&store, ALICE);
    let mut next = 0;
    let mut send = |store: &mut SimStore| {
        let before = store.log.next_group;
        deliver(store, &["alice@example.test"], &text(next, 6_000)).unwrap();
        next += 1;
        store.log.next_group - before
    };
    while store.statistics().free * 4 > store.statistics().capacity {
        send(&mut store);
    }
    let mut waits: Vec<u64> = Vec::new();
    for number in 0..3_000_u32 {
        let uids: Vec<Uid> = store.uids(mailbox).iter().collect();
        let gone = uids[number as usize * 7_919 % uids.len()];
        let _ = store.expunge(mailbox, &UidSet::range(gone, gone)).unwrap();
        waits.push(send(&mut store));
    }
    waits.sort_unstable();
    let (p99, most) = (waits[waits.len() * 99 / 100], waits[waits.len() - 1]);
    std::eprintln!("groups that a letter waits for: {p99} at most for 99 of 100, {most} at most");
    assert!(p99 <= 4 && most <= 20, "{p99}, {most}");
}

/// Letters come, stay for a while that chance decides, and go; for many times what the device holds.
#[test]
fn a_store_turns_over_many_times() {
    let mut store = office(40);
    let mailbox = inbox(&store, ALICE);
    let mut letters: BTreeMap<u32, (u64, usize)> = BTreeMap::new();
    let mut random = 1_u64;
    let mut below = |limit: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % limit
    };
    let (mut held, room, mut mail) = (0_u64, 36 * 65_536 * 6 / 10, 0);
    for number in 0..9_000 {
        let factor = below(600);
        let size = (300 + factor * below(60)) as usize;
        while held + size as u64 > room {
            // Mostly young ones go, as people do it.
            let oldest = below(letters.len() as u64);
            let back = below(1 + oldest) as usize;
            let uid = *letters.keys().nth_back(back).unwrap();
            held -= letters.remove(&uid).unwrap().1 as u64;
            let ticket = store.expunge(mailbox, &UidSet::range(Uid(uid), Uid(uid)));
            wait(&mut store, ticket).unwrap();
        }
        let receipt = deliver(&mut store, &["alice@example.test"], &text(number, size)).unwrap();
        letters.insert(receipt.destination.first().unwrap().0, (number, size));
        (held, mail) = (held + size as u64, mail + size as u64);
        if number % 7 == 0 {
            let _ = store
                .set_flags(mailbox, &UidSet::range(Uid(1), Uid(u32::MAX)), Flags::SEEN, Flags::NONE)
                .unwrap();
            pump(&mut store);
        }
        if number % 1500 == 0 {
            recount(&store);
            for (uid, (number, size)) in &letters {
                assert_eq!(read(&mut store, mailbox, Uid(*uid)).unwrap(), text(*number, *size));
            }
            let device = if number % 3000 == 0 { close(store) } else { store.into_queue().into_device() };
            store = mount(device).unwrap();
            assert_eq!(store.uids(mailbox), letters.keys().copied().map(Uid).collect());
        }
    }
    let wear: Vec<u32> = {
        let blocks = store.queue().device().wear();
        blocks.chunks(16).skip(2).map(|blocks| blocks.iter().copied().max().unwrap_or(0)).collect()
    };
    let mean = f64::from(wear.iter().sum::<u32>()) / wear.len() as f64;
    let most = f64::from(wear.iter().copied().max().unwrap_or(0));
    std::eprintln!(
        "{mail} bytes of mail, {} programmed, wear {mean:.1} mean, {most} most",
        store.statistics().programmed
    );
    assert!(mean > 20.0, "{mean}");
    assert!(most <= mean * 1.5 + 4.0, "{most} against {mean}: {wear:?}");
    assert_eq!(store.statistics().damage, 0);
}

#[test]
fn a_mount_reads_what_came_after_the_checkpoint() {
    let mut store = office(200);
    for number in 0..1_000 {
        deliver(&mut store, &["alice@example.test", "bob@example.test"], &text(number, 4_000)).unwrap();
    }
    store.checkpoints.wanted = true;
    pump(&mut store);
    deliver(&mut store, &["alice@example.test"], &text(7, 4_000)).unwrap();
    let state = dump(&mut store);
    let mut device = store.into_queue().into_device();
    let before = device.counts().bytes_read;
    device.cut();
    device.power_on(flash::simulator::Cut::AllKept, 1);
    let mut store = mount(device).unwrap();
    let read = store.queue().device().counts().bytes_read - before;
    assert!(store.mount_report().records < 60, "{:?}", store.mount_report());
    assert!(read < 500_000, "{read} bytes read of 4,000,000");
    assert_eq!(dump(&mut store), state);
    recount(&store);
}

#[test]
fn a_checkpoint_writes_what_has_changed() {
    let mut store = office(200);
    for number in 0..3_000 {
        let sent = send(&mut store, &["alice@example.test"], &text(number, 300)).unwrap();
        if number % 32 == 0 {
            pump(&mut store);
            assert!(sent.result().is_some());
        }
    }
    let checkpoint = |store: &mut SimStore| {
        store.checkpoints.wanted = true;
        pump(store);
        let before = store.queue().device().counts().bytes_programmed;
        let ticket =
            store.set_flags(inbox(store, ALICE), &UidSet::range(Uid(9), Uid(9)), Flags::SEEN, Flags::NONE);
        wait(store, ticket).unwrap();
        store.checkpoints.wanted = true;
        pump(store);
        store.queue().device().counts().bytes_programmed - before
    };
    let copies = checkpoint(&mut store);
    assert!(copies < 20_000, "one page of 24, the tables, and copies of 11 pages of letters: {copies}");
    let third = checkpoint(&mut store);
    assert!(third < 12_000, "one page of 24, and the tables: {third}");
    let state = dump(&mut store);
    let mut store = mount(close(store)).unwrap();
    assert_eq!(dump(&mut store), state);
}

/// While a checkpoint is being written, the page that it took goes, and the next one is found in its place.
#[test]
fn a_page_that_goes_while_it_is_written_is_not_taken_for_its_neighbour() {
    let mut store = office(200);
    let mailbox = inbox(&store, ALICE);
    let deliver_many = |store: &mut SimStore, count: u64| {
        for number in 0..count {
            send(store, &["alice@example.test"], &text(number, 300)).unwrap();
            if number % 32 == 0 {
                pump(store);
            }
        }
        pump(store);
    };
    deliver_many(&mut store, 600);
    store.checkpoints.wanted = true;
    pump(&mut store);
    deliver_many(&mut store, 1_000);
    let ticket = store.set_flags(mailbox, &uid_set(&[1]), Flags::SEEN, Flags::NONE);
    wait(&mut store, ticket).unwrap();
    store.checkpoints.wanted = true;
    let first = UidSet::range(Uid(1), Uid(256));
    let ticket = store.expunge(mailbox, &first);
    wait(&mut store, ticket).unwrap();
    let ticket = store.set_flags(mailbox, &uid_set(&[1_000]), Flags::SEEN, Flags::NONE);
    wait(&mut store, ticket).unwrap();
    assert!(store.is_checkpointing());
    pump(&mut store);
    store.checkpoints.wanted = true;
    pump(&mut store);
    recount(&store);
    let state = dump(&mut store);
    let mut store = mount(close(store)).unwrap();
    assert_eq!(dump(&mut store), state);
    recount(&store);
}

/// A mount that finds the group with the root as the last one goes by the root before: until a later group is durable,
/// what only that one needs is not erased.
#[test]
fn what_the_root_before_needs_is_free_only_when_a_group_names_the_new_one() {
    let mut store = office(60);
    for round in 0..11 {
        let ticket = store.put_setting("big", &[round; 24_000]);
        wait(&mut store, ticket).unwrap();
        store.checkpoints.wanted |= round == 1;
    }
    pump(&mut store);
    let (before, free) = (store.checkpoints.root(), store.segments.free());
    store.checkpoints.wanted = true;
    while store.checkpoints.root() == before {
        store.flush();
        store.settle();
    }
    assert!(store.segments.free() <= free, "the root is durable, and no group names it");
    let (device, held) = (store.queue().device().clone(), store.segments.free());
    store.flush();
    store.settle();
    assert!(store.segments.free() > held, "a group that names it is durable");
    let mut found = mount(device).unwrap();
    assert_eq!((found.statistics().damage, dump(&mut found)), (0, dump(&mut store)));
}

/// A letter that fills several segments is moved over many groups. What of it stands in a full segment of the cold log is
/// named by no record before the last one, and is not for others to use.
#[test]
fn what_is_being_moved_is_not_reused() {
    let mut store = office(24);
    let large = text(1, 200_000);
    deliver(&mut store, &["alice@example.test"], &text(0, 40_000)).unwrap();
    deliver(&mut store, &["alice@example.test"], &large).unwrap();
    let mailbox = inbox(&store, ALICE);
    pump(&mut store);
    let mut sealed = 0;
    for which in 0..8 {
        store.empty_some(which);
        while store.needs_flush() {
            store.flush();
            let unnamed = store.compaction.first_unnamed(Stream::Cold);
            let cold: Vec<u32> =
                store.segments.of(Head::Body(Stream::Cold)).map(|(_, index)| index).collect();
            let held = cold
                .into_iter()
                .filter(|index| unnamed.is_some_and(|first| store.segments.seq(*index) >= first));
            let held: Vec<u32> = held.collect();
            sealed += held.len().saturating_sub(1);
            assert!(store.dead_bodies().all(|index| !held.contains(&index)));
            store.settle();
        }
        recount(&store);
        assert_eq!(read(&mut store, mailbox, Uid(2)).unwrap(), large);
    }
    assert!(sealed > 0, "it came to it");
}

/// A letter that is expunged while it is being moved is no damage, and does not keep its segment from being emptied.
#[test]
fn what_goes_while_it_is_moved_is_left_behind() {
    let mut store = office(40);
    for number in 0..3 {
        deliver(&mut store, &["alice@example.test"], &text(number, 150_000)).unwrap();
    }
    pump(&mut store);
    let mailbox = inbox(&store, ALICE);
    for uid in 1..3 {
        store.empty_some(uid as usize);
        for _ in 0..2 {
            store.flush();
            store.settle();
        }
        let ticket = store.expunge(mailbox, &UidSet::range(Uid(uid), Uid(uid)));
        wait(&mut store, ticket).unwrap();
        store.checkpoints.wanted = true;
        pump(&mut store);
        recount(&store);
    }
    assert_eq!(store.statistics().damage, 0);
    assert_eq!(read(&mut store, mailbox, Uid(3)).unwrap(), text(2, 150_000));
}
