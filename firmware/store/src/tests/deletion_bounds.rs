//! What deletions cost is bounded, and known: nothing is forgotten that gains nothing, memory is counted, names are few.

use mail::{Mail, Refusal, Ticket, UidSet, UnixTime};

use super::recount::recount;
use super::rig::*;
use super::world::dump;
use crate::limits::{GONE_MAX, INDEX_LETTER_BYTES, INDEX_MESSAGE_BYTES};

const ALICE_TO: &str = "alice@example.test";
const BOB_TO: &str = "bob@example.test";

/// Bob keeps what Alice has deleted: a full store gains no room by forgetting that she had it.
#[test]
fn what_gains_no_space_is_not_forgotten_for_space() {
    let mut store = office(40);
    store.set_now(UnixTime(100 * 24 * 3600));
    store.trust_clock(true);
    let full = (0..1_000).find(|number| {
        let refused = deliver(&mut store, &[ALICE_TO, BOB_TO], &text(*number, 9_000)).err();
        assert!(refused.is_none_or(|refusal| refusal == Refusal::StoreFull));
        refused.is_some()
    });
    let mailbox = inbox(&store, ALICE);
    let ticket = store.expunge(mailbox, &UidSet::range(mail::Uid(1), mail::Uid(u32::MAX)));
    wait(&mut store, ticket).unwrap();
    for number in 2_000..2_003 {
        let refused = deliver(&mut store, &[BOB_TO], &text(number, 60_000));
        assert_eq!(refused.err(), Some(Refusal::StoreFull));
    }
    pump(&mut store);
    assert_eq!(store.deleted().count, full.unwrap());
    recount(&store);
}

#[test]
fn names_of_mailboxes_that_are_gone_are_kept_for_the_newest_ones() {
    let mut store = office(60);
    deliver(&mut store, &[ALICE_TO], &text(1, 300)).unwrap();
    let mailbox = inbox(&store, ALICE);
    let count = GONE_MAX + 10;
    for number in 0..count {
        let name = name(&alloc::format!("F{number}"));
        let ticket = store.create_mailbox(ALICE, &name, None);
        wait(&mut store, ticket).unwrap();
        let folder = store.mailbox(ALICE, &name).unwrap();
        let ticket = store.copy(mailbox, &uid_set(&[1]), folder);
        wait(&mut store, ticket).unwrap();
        let ticket = store.delete_mailbox(ALICE, &name);
        wait(&mut store, ticket).unwrap();
    }
    for _ in 0..2 {
        let found = store.deletions(ALICE, None, 1_000).found;
        assert!(found.len() == count && found.iter().all(|deletion| deletion.gone));
        let named = |deletion: &crate::Deletion| deletion.mailbox.is_some();
        assert!(found[..GONE_MAX].iter().all(named) && !found[GONE_MAX..].iter().any(named));
        assert_eq!(store.state.deletions.all_gone().count(), GONE_MAX);
        store.checkpoints.wanted = true;
        pump(&mut store);
        let state = dump(&mut store);
        store = mount(close(store)).unwrap();
        assert_eq!(dump(&mut store), state);
        recount(&store);
    }
    let all: alloc::vec::Vec<u64> =
        store.deletions(ALICE, None, 1_000).found.iter().map(|deletion| deletion.number).collect();
    let ticket = store.undelete(ALICE, &all, mailbox);
    assert_eq!(wait(&mut store, ticket).unwrap().destination.len() as usize, count);
    assert_eq!(store.state.deletions.all_gone().count(), 0);
}

/// Many who expunge the same message at once leave numbers out, and those take memory all the same.
#[test]
fn numbers_that_are_left_out_count_as_memory() {
    let mut store = office(60);
    for number in 0..40 {
        deliver(&mut store, &[ALICE_TO], &text(number, 300)).unwrap();
    }
    let mailbox = inbox(&store, ALICE);
    for uid in 1..=40 {
        let tickets: alloc::vec::Vec<Ticket> =
            (0..50).map(|_| store.expunge(mailbox, &uid_set(&[uid])).unwrap()).collect();
        settle(&mut store, &tickets);
    }
    assert_eq!(store.deleted().count, 40);
    let counted = |store: &SimStore| {
        let messages = store.state.messages * INDEX_MESSAGE_BYTES;
        store.index_bytes() - messages - store.statistics().letters as u64 * INDEX_LETTER_BYTES
    };
    let held = |store: &SimStore| {
        let rows = store.state.deletions.pages().iter().map(|page| page.get().rows().len() as u64);
        rows.sum::<u64>() * 24
    };
    assert!(held(&store) > 40_000 && counted(&store) + 2 * 256 * 24 >= held(&store));
    store.checkpoints.wanted = true;
    pump(&mut store);
    let before = counted(&store);
    let mut store = mount(close(store)).unwrap();
    assert_eq!(counted(&store), before);
    // The oldest ones go, and with them what lies between them.
    store.set_index_limit(store.index_bytes() - 20_000);
    deliver(&mut store, &[BOB_TO], &text(99, 300)).unwrap();
    pump(&mut store);
    assert!((1..40).contains(&store.deleted().count), "{}", store.deleted().count);
    assert!(counted(&store) + 2 * 256 * 24 >= held(&store));
    recount(&store);
}
