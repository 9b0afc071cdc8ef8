//! Scrubbing: what lives is read within the time that was set, what is damaged is found and named, and nobody waits.

use alloc::vec::Vec;
use core::time::Duration;

use flash::simulator::{Deferred, Simulator};
use mail::{Mail, Uid, UidSet};

use super::recount::recount;
use super::rig::*;
use crate::format::Place;
use crate::limits::{SCRUB_BYTES, SEGMENT_BYTES_MIN};
use crate::{DamagedLetter, LetterFault, MountOptions, ScrubPlace, Store};

const ALICE_TO: &str = "alice@example.test";
const BOB_TO: &str = "bob@example.test";

/// Scrubs to the end of a round. Returns the bytes of each step.
fn round(store: &mut SimStore) -> Vec<u32> {
    let mut steps = Vec::new();
    loop {
        let step = store.scrub().expect("nothing is cold");
        steps.push(step.bytes);
        if step.round_ended {
            return steps;
        }
        assert!(steps.len() < 10_000, "a round never ends");
    }
}

/// Letters of all sizes behind a checkpoint, and some that came later.
fn filled() -> SimStore {
    let mut store = office(64);
    for (number, size) in (1..).zip([300, 9_000, 70_000, 150_000, 700, 20_000]) {
        deliver(&mut store, &[ALICE_TO], &text(number, size)).unwrap();
    }
    deliver(&mut store, &[BOB_TO, ALICE_TO], &text(7, 5_000)).unwrap();
    deliver(&mut store, &[BOB_TO], &text(9, 800)).unwrap();
    let mailbox = inbox(&store, BOB);
    let gone = store.uids(mailbox).iter().last().unwrap();
    let ticket = store.expunge(mailbox, &UidSet::range(gone, gone));
    wait(&mut store, ticket).unwrap();
    store.checkpoints.wanted = true;
    pump(&mut store);
    deliver(&mut store, &[BOB_TO], &text(8, 30_000)).unwrap();
    store
}

fn live(store: &SimStore) -> u64 {
    store.segments.in_use().iter().map(|(_, index)| u64::from(store.segments.live(*index))).sum()
}

#[test]
fn a_round_reads_what_lives_in_bounded_steps() {
    let mut store = filled();
    let before = store.queue().device().counts();
    let steps = round(&mut store);
    let after = store.queue().device().counts();
    let read = after.bytes_read - before.bytes_read;
    let (live, counted) = (live(&store), steps.iter().copied().map(u64::from).sum::<u64>());
    assert!(counted + counted / 10 > live, "{counted} of {live}");
    assert!(read < live + live / 4, "{read} of {live}: commits are read again for letters of many extents");
    assert!(steps.iter().all(|bytes| *bytes < SCRUB_BYTES + (4 << 10)), "{steps:?}");
    assert!(steps.len() as u64 <= 2 * live / u64::from(SCRUB_BYTES) + 4, "{steps:?}");
    assert_eq!((after.programs, after.barriers), (before.programs, before.barriers), "nothing is written");
    assert_eq!(store.statistics().damage, 0);
    assert_eq!(round(&mut store).iter().copied().map(u64::from).sum::<u64>(), counted);
}

#[test]
fn an_empty_store_has_rounds_too() {
    let mut store = blank(32);
    assert_eq!(store.scrub().unwrap().bytes, 0);
    store.set_scrub(Some(Duration::from_secs(3600)));
    assert_eq!(store.scrub_pause(), Some(Duration::ZERO), "the driver knows a least time");
}

/// Where everything lies that lives: on the device, and how long.
fn places(store: &mut SimStore) -> Vec<(Place, u32)> {
    let mut places = Vec::new();
    for slot in 0..store.state.letters.slots() as u32 {
        let Some(letter) = store.state.letters.get(slot) else { continue };
        let mark = store.commit_mark(&letter);
        let commit = store.read_commit(mark).unwrap();
        let length = 16 + commit.commit.head.0.len() as u32;
        let extents: Vec<_> = commit.extents().collect();
        places.push((letter.place, length));
        for extent in extents {
            let segment = store.segments.find(extent.seq).unwrap();
            places.push((Place { segment, offset: extent.offset }, 16 + extent.len));
        }
    }
    let pages = store.state.letters.pages().iter().flat_map(|page| page.homes());
    let entries = store.state.mailboxes.values().flat_map(|mailbox| mailbox.entries.homes());
    let deletions = store.state.deletions.pages().iter().flat_map(|page| page.homes());
    let homes = pages.chain(entries).chain(deletions).chain(store.checkpoints.tables().iter().copied());
    // What pads a frame is not part of it.
    places.extend(homes.map(|home| (home.place(), home.span - 8)));
    places
}

/// The second one makes copies.
fn checkpoint_twice(store: &mut SimStore) {
    for _ in 0..2 {
        store.checkpoints.wanted = true;
        let ticket = store.subscribe(ALICE, &name("Lists"), true);
        wait(store, ticket).unwrap();
        pump(store);
    }
    assert!(store.state.letters.pages().iter().all(|page| page.homes().count() == 2));
}

#[test]
fn a_flipped_bit_in_anything_that_lives_is_found() {
    let mut store = filled();
    // Pages that have changed since are written anew by the next checkpoint: what is on flash does not live.
    checkpoint_twice(&mut store);
    let places = places(&mut store);
    assert!(places.len() > 20, "{}", places.len());
    let device = store.into_queue().into_device();
    for (place, len) in places {
        for at in [0, 5, len / 2, len - 1] {
            let mut store = mount(device.clone()).unwrap();
            let address = store.layout.address(place) + u64::from(at);
            store.queue().device().damage(address..address + 1).unwrap();
            round(&mut store);
            assert_eq!(store.statistics().damage, 1, "{place:?} at {at}");
            round(&mut store);
            assert_eq!(store.statistics().damage, 1, "{place:?} at {at}: once");
            assert!(store.take_damaged_letters().len() <= 1);
        }
    }
}

#[test]
fn a_place_that_cannot_be_read_is_damage() {
    let mut store = filled();
    let letter = store.letter(inbox(&store, ALICE), Uid(3)).unwrap();
    let (segment, _) = letter.body.parts().next().unwrap();
    let base = store.layout.base(segment);
    store.queue().device().spoil(base..base + u64::from(SEGMENT_BYTES_MIN));
    round(&mut store);
    assert!(store.statistics().damage > 0 && store.statistics().damaged_letters > 0);
}

/// Damages the body of a message.
fn damage_body(store: &mut SimStore, mailbox: mail::MailboxId, uid: u32) {
    let letter = store.letter(mailbox, Uid(uid)).unwrap();
    let mark = store.commit_mark(&letter);
    let extent = store.read_commit(mark).unwrap().extents().last().unwrap();
    let segment = store.segments.find(extent.seq).unwrap();
    let address = store.layout.address(Place { segment, offset: extent.offset }) + 40;
    store.queue().device().damage(address..address + 1).unwrap();
}

#[test]
fn damaged_letters_are_named_once_and_listed_while_they_are_there() {
    let mut store = filled();
    let mailbox = inbox(&store, ALICE);
    damage_body(&mut store, mailbox, 4);
    let commit = store.letter(mailbox, Uid(2)).unwrap().place;
    let address = store.layout.address(commit) + 20;
    store.queue().device().damage(address..address + 1).unwrap();
    round(&mut store);
    let named = |uid, fault| DamagedLetter {
        account: Some(ALICE_TO.into()),
        mailbox: "INBOX".into(),
        uid: Uid(uid),
        fault,
    };
    let found = store.take_damaged_letters();
    let [first, second] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(*first, named(2, LetterFault::Commit));
    assert!(
        matches!(second, DamagedLetter { uid: Uid(4), fault: LetterFault::Body(from), .. } if *from > 100_000)
    );
    round(&mut store);
    assert_eq!(store.take_damaged_letters(), [], "each once");
    assert_eq!(store.damaged_letters().count(), 2);
    assert_eq!(store.statistics().damaged_letters, 2);
    let ticket = store.expunge(mailbox, &uid_set(&[4]));
    wait(&mut store, ticket).unwrap();
    assert_eq!(store.damaged_letters().collect::<Vec<_>>(), [first]);
    round(&mut store);
    assert_eq!((store.damaged_letters().count(), store.statistics().damaged_letters), (1, 1));
    let device = close(store);
    let mut store = mount(device).unwrap();
    assert!(read(&mut store, mailbox, Uid(6)) == Ok(text(6, 20_000)), "everything else is fine");
}

#[test]
fn damaged_letters_to_be_sent_are_named_too() {
    let mut store = filled();
    for to in [&["far@elsewhere.test"][..], &["far@elsewhere.test", ALICE_TO]] {
        let draft = store.draft(None).unwrap();
        for to in to {
            store.add_recipient(&draft, &plain(to), mail::Outside::Anywhere).unwrap();
        }
        stream(&mut store, &draft, &text(9, 20_000)).unwrap();
        let ticket = deposit(&mut store, &draft).unwrap();
        wait(&mut store, Ok(ticket)).unwrap();
    }
    let hers = store.status(inbox(&store, ALICE)).unwrap().uid_next.0 - 1;
    damage_body(&mut store, mail::OUTBOUND, 1);
    damage_body(&mut store, mail::OUTBOUND, 2);
    round(&mut store);
    let found = store.take_damaged_letters();
    let named: Vec<_> = found.iter().map(|found| (found.account.as_deref(), found.uid.0)).collect();
    assert_eq!(named, [(None, 1), (Some(ALICE_TO), hers)], "a mailbox tells more than the queue");
}

#[test]
fn what_is_left_in_a_damaged_segment_moves_and_it_is_retired() {
    let mut store = office(64);
    let mailbox = inbox(&store, ALICE);
    for number in 1..=12 {
        deliver(&mut store, &[ALICE_TO], &text(number, 20_000)).unwrap();
    }
    let (segment, _) = store.letter(mailbox, Uid(1)).unwrap().body.parts().next().unwrap();
    damage_body(&mut store, mailbox, 1);
    assert!(store.segments.holders(segment) > 1);
    round(&mut store);
    pump(&mut store);
    assert_eq!(store.segments.retired().collect::<Vec<_>>(), [segment]);
    assert_eq!(store.segments.holders(segment), 1, "what is damaged stays");
    recount(&store);
    let ticket = store.expunge(mailbox, &uid_set(&[1]));
    wait(&mut store, ticket).unwrap();
    let mut store = mount(close(store)).unwrap();
    for number in 2..=12 {
        assert!(read(&mut store, mailbox, Uid(number)) == Ok(text(number.into(), 20_000)));
    }
    assert_eq!(store.segments.retired().collect::<Vec<_>>(), [segment]);
}

/// What is still being written to is not retired, whichever stream it is of: the next round finds it again.
#[test]
fn a_damaged_segment_that_is_open_is_left_for_another_round() {
    let mut store = office(64);
    let mailbox = inbox(&store, ALICE);
    for number in 1..=12 {
        deliver(&mut store, &[ALICE_TO], &text(number, 20_000)).unwrap();
    }
    store.empty_some(0);
    pump(&mut store);
    let open = store.log.bodies.commits.as_ref().unwrap().segment;
    let uids = store.uids(mailbox);
    let mut letters = uids.iter().filter_map(|uid| store.letter(mailbox, uid).ok());
    let commit = letters.find(|letter| letter.place.segment == open).unwrap().place;
    let address = store.layout.address(commit) + 20;
    store.queue().device().damage(address..address + 1).unwrap();
    round(&mut store);
    assert_eq!(store.statistics().damage, 1);
    assert_eq!(store.segments.retired().count(), 0);
}

/// The state is in memory: what a checkpoint lost is written again before a mount needs it.
#[test]
fn a_damaged_checkpoint_is_written_anew() {
    let mut store = filled();
    checkpoint_twice(&mut store);
    let pages = store.state.letters.pages().iter().flat_map(|page| page.homes());
    let entries = store.state.mailboxes.values().flat_map(|mailbox| mailbox.entries.homes());
    let deletions = store.state.deletions.pages().iter().flat_map(|page| page.homes());
    let pages = pages.chain(entries).chain(deletions);
    let homes: Vec<_> = pages.chain(store.checkpoints.tables().iter().copied()).collect();
    let state = super::world::dump(&mut store);
    let device = store.into_queue().into_device();
    for home in homes {
        let mut store = mount(device.clone()).unwrap();
        let address = store.layout.address(home.place()) + 20;
        // More than the one bit that a mount mends.
        store.queue().device().damage(address..address + 3).unwrap();
        round(&mut store);
        assert_eq!(store.statistics().damage, 1);
        pump(&mut store);
        let mut again = mount(store.into_queue().into_device()).unwrap();
        assert_eq!(again.statistics().damage, 0, "{home:?}");
        assert!(super::world::dump(&mut again) == state);
    }
}

#[test]
fn a_store_that_takes_no_writes_is_scrubbed_all_the_same() {
    let mut store = filled();
    let mailbox = inbox(&store, ALICE);
    store.queue().device().set_read_only(true);
    let ticket = store.create_mailbox(ALICE, &name("Later"), None);
    assert!(wait(&mut store, ticket).is_err() && store.is_read_only());
    damage_body(&mut store, mailbox, 4);
    let before = store.queue().device().operations();
    round(&mut store);
    pump(&mut store);
    assert_eq!((store.statistics().damaged_letters, store.statistics().wear.retired), (1, 0));
    assert_eq!(store.queue().device().operations(), before);
}

/// Every read is warmed first; one at a time, and never more than a step takes.
#[test]
fn what_is_cold_is_asked_for_and_then_read() {
    let mut device = filled().into_queue().into_device();
    device.reseed(1);
    let mut store = Store::mount(Deferred::new(device, 1 << 20), MountOptions::default()).unwrap();
    store.queue().run_all();
    store.settle();
    assert!(store.is_ready());
    store.queue().chill();
    let (mut warmed, mut steps) = (0, 0);
    loop {
        match store.scrub() {
            Ok(step) if step.round_ended => break,
            Ok(_) => steps += 1,
            Err(cold) => {
                assert!(cold.len <= SCRUB_BYTES + 16);
                store.queue().warm(cold.offset, cold.len.into());
                warmed += 1;
            }
        }
        assert!(warmed + steps < 1000, "it comes no further");
    }
    assert!(warmed > 20, "{warmed}");
    assert_eq!(store.statistics().damage, 0);
}

/// A box that is switched off after every few steps gets around as well.
#[test]
fn a_round_goes_on_after_a_restart() {
    let mut store = filled();
    let mailbox = inbox(&store, BOB);
    let whole: u64 = round(&mut store).iter().copied().map(u64::from).sum();
    damage_body(&mut store, mailbox, 3);
    let mut device: Simulator = close(store);
    let (mut place, mut read, mut found) = (ScrubPlace::default(), 0, 0);
    for restart in 0.. {
        let mut store = mount(device).unwrap();
        store.set_scrub_place(ScrubPlace::from_bytes(&place.to_bytes()));
        let steps = [store.scrub().unwrap(), store.scrub().unwrap()];
        read += steps.iter().map(|step| u64::from(step.bytes)).sum::<u64>();
        found += store.take_damaged_letters().len();
        place = store.scrub_place();
        device = store.into_queue().into_device();
        if steps.iter().any(|step| step.round_ended) {
            break;
        }
        assert!(restart < 100);
    }
    assert_eq!(found, 1);
    assert!(read >= whole && read < whole + whole / 2, "{read} of {whole}");
    assert_eq!(ScrubPlace::from_bytes(b""), ScrubPlace::default());
    assert_eq!(ScrubPlace::from_bytes(&[9; 9]), ScrubPlace::default());
    let beyond = ScrubPlace::from_bytes(&[2, 255, 255, 255, 255, 255, 255, 255, 255]);
    let mut store = mount(device).unwrap();
    store.set_scrub_place(beyond);
    assert!(round(&mut store).len() <= 2, "a place that is no more");
}

#[test]
fn steps_are_spread_over_the_time_that_was_set() {
    let mut store = filled();
    assert_eq!(store.scrub_pause(), None, "nobody asked for it");
    let period = Duration::from_secs(30 * 86_400);
    store.set_scrub(Some(period));
    let mut all = Duration::ZERO;
    loop {
        let ended = store.scrub().unwrap().round_ended;
        all += store.scrub_pause().unwrap();
        if ended {
            break;
        }
    }
    let share = all.as_secs_f64() / period.as_secs_f64();
    assert!((0.8..1.2).contains(&share), "{share}");
    store.set_scrub(None);
    assert_eq!(store.scrub_pause(), None);
}

/// What comes and goes while a round is under way harms nothing.
#[test]
fn letters_come_and_go_under_a_round() {
    let mut store = filled();
    let mailbox = inbox(&store, ALICE);
    for number in 0..40 {
        store.scrub().unwrap();
        deliver(&mut store, &[ALICE_TO], &text(100 + number, 40_000)).unwrap();
        let uids: UidSet = store.uids(mailbox);
        let ticket = store.expunge(mailbox, &UidSet::range(uids.first().unwrap(), uids.first().unwrap()));
        wait(&mut store, ticket).unwrap();
        if number % 7 == 0 {
            store.empty_some(number as usize);
            store.checkpoints.wanted = number % 2 == 0;
        }
    }
    assert_eq!(store.statistics().damage, 0);
}
