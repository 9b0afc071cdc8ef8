//! A store that is full: it refuses cleanly, lets mail go, and takes mail again.

use flash::simulator::{Cut, Simulator};
use mail::{Flags, Mail, MailboxId, Refusal, Stop, Uid, UidSet};

use crate::format::header::{Head, Stream};
use crate::limits::{INDEX_LETTER_BYTES, INDEX_MESSAGE_BYTES};

use super::rig::*;
use super::world::dump;

/// Fills a store with letters of `size` bytes until it refuses. Returns how many it took.
fn fill(store: &mut SimStore, size: usize) -> u64 {
    for number in 0..100_000 {
        let result = send(store, &["alice@example.test"], &text(number, size)).map(|ticket| {
            pump(store);
            ticket.result().unwrap()
        });
        match result {
            Ok(Ok(_)) => {}
            Ok(Err(refusal)) | Err(refusal) => {
                assert_eq!(refusal, Refusal::StoreFull);
                return number;
            }
        }
    }
    panic!("never full");
}

fn all() -> UidSet {
    UidSet::range(Uid(1), Uid(1_000_000))
}

#[test]
fn a_full_store_refuses_mail_and_takes_flags_and_expunges() {
    for size in [300, 5000, 40_000] {
        let mut store = office(24);
        let count = fill(&mut store, size);
        let mailbox = inbox(&store, ALICE);
        assert_eq!(u64::from(store.uids(mailbox).len()), count);
        assert!(store.segments.free() >= 3, "the reserve is there: {}", store.segments.free());
        let archive = folder(&store, ALICE, "Archive");
        let refused = [
            store.create_mailbox(ALICE, &name("New"), None).err(),
            store.copy(mailbox, &uid_set(&[1]), archive).err(),
            store.put_setting("k", b"v").err(),
        ];
        // What still fits the open segment may go through; nothing else is said than that the store is full.
        assert!(refused.iter().flatten().all(|stop| *stop == Stop::Refused(Refusal::StoreFull)));
        pump(&mut store);
        let ticket = store.set_flags(mailbox, &all(), Flags::SEEN, Flags::NONE);
        wait(&mut store, ticket).unwrap();
        let ticket = store.keyword(ALICE, "work");
        assert!(ticket.is_ok());
        let ticket = store.move_messages(mailbox, &uid_set(&[1, 2]), archive);
        wait(&mut store, ticket).unwrap();
        let ticket = store.expunge(mailbox, &all());
        wait(&mut store, ticket).unwrap();
        let state = dump(&mut store);
        let mut store = mount(store.into_queue().into_device()).unwrap();
        assert_eq!(dump(&mut store), state);
    }
}

/// Lives that end soon, one after the other, on a full store: each leaves a segment of metadata behind, and every second
/// one lives long enough for a checkpoint, which gives them back.
#[test]
fn a_full_store_outlives_one_cut_after_the_other() {
    let mut store = office(24);
    fill(&mut store, 5_000);
    let mailbox = inbox(&store, ALICE);
    for round in 0..40 {
        let mut device = store.into_queue().into_device();
        device.cut();
        device.power_on(Cut::TornSector, round);
        store = mount(device).unwrap();
        let (set, clear) = [(Flags::SEEN, Flags::NONE), (Flags::NONE, Flags::SEEN)][round as usize % 2];
        let ticket = ask(&mut store, |store| store.set_flags(mailbox, &uid_set(&[1]), set, clear));
        wait(&mut store, ticket).unwrap_or_else(|refusal| panic!("round {round}: {refusal:?}"));
        if round % 2 == 1 {
            pump(&mut store);
        }
    }
    let ticket = ask(&mut store, |store| store.expunge(mailbox, &all()));
    wait(&mut store, ticket).unwrap();
    pump(&mut store);
    deliver(&mut store, &["alice@example.test"], &text(1, 5_000)).unwrap();
}

/// Flags have opened a segment of the reserve: the room in it is for what frees space, not for a small letter.
#[test]
fn mail_does_not_slip_into_what_the_reserve_has_opened() {
    let mut store = office(24);
    fill(&mut store, 20_000);
    let mailbox = inbox(&store, ALICE);
    let mut round = 0_u64;
    while store.segments.free() >= store.reserve() {
        round += 1;
        let ticket = store.set_flags(mailbox, &all(), Flags(1 << (round % 2)), Flags(1 << ((round + 1) % 2)));
        wait(&mut store, ticket).unwrap();
    }
    let count = store.uids(mailbox).len();
    let small = send(&mut store, &["alice@example.test"], &text(1, 100));
    assert_eq!(small.err(), Some(Refusal::StoreFull));
    let ticket = store.set_flags(mailbox, &all(), Flags::FLAGGED, Flags::NONE);
    wait(&mut store, ticket).unwrap();
    let ticket = store.expunge(mailbox, &UidSet::range(Uid(1), Uid(count / 2)));
    wait(&mut store, ticket).unwrap();
    fill(&mut store, 100);
    assert!(store.uids(mailbox).len() > count / 2, "what was removed makes room");
}

#[test]
fn letters_that_were_removed_make_room_for_new_ones() {
    let mut store = office(24);
    let first = fill(&mut store, 40_000);
    let mailbox = inbox(&store, ALICE);
    for round in 0..3 {
        let ticket = ask(&mut store, |store| store.expunge(mailbox, &all()));
        wait(&mut store, ticket).unwrap();
        let again = fill(&mut store, 40_000);
        assert!(again + 3 >= first / 2, "{again} after {first}");
        let expected = dump(&mut store);
        let device = store.into_queue().into_device();
        assert_eq!(device.counts().misuses, 0);
        store = mount(device).unwrap();
        assert_eq!(dump(&mut store), expected, "round {round}");
    }
}

#[test]
fn what_a_reader_holds_is_not_reused() {
    let mut store = office(24);
    fill(&mut store, 60_000);
    let mailbox = inbox(&store, ALICE);
    let content = store.open(mailbox, Uid(3)).unwrap();
    let ticket = store.expunge(mailbox, &all());
    wait(&mut store, ticket).unwrap();
    fill(&mut store, 60_000);
    let mut out = alloc::vec::Vec::new();
    while (out.len() as u64) < content.size() {
        store.read(&content, out.len() as u64, 1 << 20, &mut out).unwrap();
    }
    assert_eq!(out, text(2, 60_000));
}

/// The segments of a letter that has just been handed in hold nothing that lives until its commit is durable, and its
/// first ones may lie far below the mark.
#[test]
fn what_a_commit_on_its_way_names_is_not_reused() {
    let mut store = office(24);
    fill(&mut store, 40_000);
    let mailbox = inbox(&store, ALICE);
    let ticket = store.expunge(mailbox, &UidSet::range(Uid(1), Uid(10)));
    wait(&mut store, ticket).unwrap();
    let large = text(7, 200_000);
    let draft = store.draft(None).unwrap();
    store.add_mailbox(&draft, mailbox, Flags::NONE).unwrap();
    stream(&mut store, &draft, &large).unwrap();
    for number in 0..3 {
        deliver(&mut store, &["bob@example.test"], &text(number, 600)).unwrap();
    }
    let ticket = store.deposit(&draft, &LETTER).unwrap();
    // Others take what there is, without a barrier in between.
    let other = store.draft(None).unwrap();
    store.add_mailbox(&other, mailbox, Flags::NONE).unwrap();
    let filler = text(8, 64 << 10);
    while store.append(&other, &filler).is_ok() {}
    pump(&mut store);
    let uid = ticket.result().unwrap().unwrap().destination.first().unwrap();
    assert_eq!(read(&mut store, mailbox, uid), Ok(large));
}

/// A letter that is dead as soon as it is committed stands in the last group: a recovery would verify its body, and
/// everything behind it in the group depends on that.
#[test]
fn what_a_recovery_may_verify_is_not_reused() {
    let mut store = office(24);
    let trash = folder(&store, ALICE, "Trash");
    let draft = store.draft(None).unwrap();
    store.add_mailbox(&draft, trash, Flags::NONE).unwrap();
    stream(&mut store, &draft, &text(1, 150_000)).unwrap();
    let _ = store.delete_mailbox(ALICE, &name("Trash")).unwrap();
    let late = deposit(&mut store, &draft).unwrap();
    let kept = send(&mut store, &["alice@example.test"], &text(2, 500)).unwrap();
    pump(&mut store);
    assert_eq!(late.result(), Some(Err(Refusal::NoSuchMailbox)));
    let dead = |store: &SimStore| {
        let dead = store.segments.dead(Head::Body(Stream::Fresh), u32::MAX).count();
        (dead, store.dead_bodies().count())
    };
    assert_eq!(dead(&store), (2, 0), "dead, and looked at by a recovery");
    let device = store.queue().device().clone();
    assert_eq!(mount(device).unwrap().uids(inbox(&store, ALICE)).len(), 1);
    assert!(kept.result().unwrap().is_ok());
    for number in 3..5 {
        deliver(&mut store, &["alice@example.test"], &text(number, 500)).unwrap();
    }
    assert_eq!(dead(&store), (2, 2));
}

#[test]
fn a_letter_that_does_not_fit_is_refused_before_it_is_sent() {
    let mut store = office(24);
    store.set_message_limit(1 << 30);
    assert_eq!(store.draft(Some(10 << 20)).err(), Some(Refusal::StoreFull));
    let draft = store.draft(None).unwrap();
    store.add_mailbox(&draft, MailboxId(1), Flags::NONE).unwrap();
    let refused = stream(&mut store, &draft, &text(1, 3 << 20));
    assert_eq!(refused, Err(Refusal::StoreFull));
    drop(draft);
    deliver(&mut store, &["alice@example.test"], &text(2, 100_000)).expect("what was given up makes room");
}

#[test]
fn a_full_store_takes_flags_for_ever() {
    let mut store = office(24);
    fill(&mut store, 20_000);
    let mailbox = inbox(&store, ALICE);
    for round in 0..5_000 {
        let (add, remove) =
            if round % 2 == 0 { (Flags::SEEN, Flags::NONE) } else { (Flags::NONE, Flags::SEEN) };
        store.set_flags(mailbox, &all(), add, remove).expect("checkpoints free what flags took");
        pump(&mut store);
    }
    let state = dump(&mut store);
    let device: Simulator = store.into_queue().into_device();
    let mut store = mount(device).unwrap();
    assert_eq!(dump(&mut store), state);
    assert!(store.claim_recent(mailbox) >= Uid(1), "looking goes on");
}

/// What memory does not hold the index of is refused with its own reason; what is there stays, and can be deleted.
#[test]
fn messages_beyond_the_index_are_refused() {
    let mut store = office(40);
    let before = store.index_bytes();
    store.set_index_limit(before + 3 * INDEX_LETTER_BYTES + 4 * INDEX_MESSAGE_BYTES);
    for number in 0..3 {
        deliver(&mut store, &["alice@example.test"], &text(number, 300)).unwrap();
    }
    let fourth = deliver(&mut store, &["alice@example.test"], &text(3, 300));
    assert_eq!(fourth, Err(Refusal::TooManyMessages));
    let (mailbox, archive) = (inbox(&store, ALICE), folder(&store, ALICE, "Archive"));
    let copy = store.copy(mailbox, &uid_set(&[1, 2]), archive).map(|_| ());
    assert_eq!(copy, Err(Stop::Refused(Refusal::TooManyMessages)));
    let ticket = store.move_messages(mailbox, &uid_set(&[1, 2]), archive);
    wait(&mut store, ticket).unwrap();
    let ticket = store.expunge(archive, &uid_set(&[1, 2]));
    wait(&mut store, ticket).unwrap();
    deliver(&mut store, &["alice@example.test"], &text(4, 300)).unwrap();
    let both = deliver(&mut store, &["alice@example.test", "bob@example.test"], &text(5, 300));
    assert_eq!(both.map(|_| ()), Ok(()));
    assert_eq!(deliver(&mut store, &["bob@example.test"], &text(6, 300)), Err(Refusal::TooManyMessages));
}
