//! Letters on their way in: how many, how slow, how large, and what memory they hold.

use alloc::vec::Vec;

use flash::simulator::{Deferred, Simulator};
use flash::{Direct, Geometry};
use mail::{Draft, Flags, Mail, Refusal, Stop, Uid};

use super::rig::*;
use crate::limits::{DRAFTS_MAX, EXTENT_BYTES_MAX, POOL_BYTES, UNBARRIERED_MAX};
use crate::{FormatOptions, MountOptions, Store};

const MIB: usize = 1 << 20;

/// A store of 64 MiB with segments of 1 MiB and units of 4 KiB.
fn large(mib: u64) -> SimStore {
    let geometry = Geometry { capacity: mib << 20, write_size: 4096, erase_size: 1 << 20 };
    let options = FormatOptions { uuid: UUID, segment_bytes: None };
    let mut store = Store::format(Direct::new(Simulator::new(geometry)), &options).unwrap();
    pump(&mut store);
    let ticket = store.put_domain("example.test");
    wait(&mut store, ticket).unwrap();
    account(&mut store, "alice@example.test", None);
    store
}

fn to_alice<Q: flash::FlashQueue>(store: &mut Store<Q>) -> Draft {
    let draft = store.draft(None).unwrap();
    let mailbox = inbox(store, ALICE);
    store.add_mailbox(&draft, mailbox, Flags::NONE).unwrap();
    draft
}

#[test]
fn fifty_mebibytes_pass_through_little_memory() {
    let mut store = large(96);
    store.set_message_limit(60 << 20);
    let draft = to_alice(&mut store);
    let piece = text(1, 100_000);
    let mut written = 0;
    while written < 50 * MIB {
        stream(&mut store, &draft, &piece).unwrap();
        written += piece.len();
        assert!(store.drafts.pooled() <= EXTENT_BYTES_MAX, "one buffer");
        assert!(store.log.unbarriered <= UNBARRIERED_MAX);
    }
    let ticket = deposit(&mut store, &draft).unwrap();
    wait(&mut store, Ok(ticket)).unwrap();
    let mut store = mount(store.into_queue().into_device()).unwrap();
    let mailbox = inbox(&store, ALICE);
    let content = store.open(mailbox, Uid(1)).unwrap();
    assert_eq!(content.size(), written as u64);
    let (mut out, mut at) = (Vec::new(), 0);
    while at < written {
        out.clear();
        let count = store.read(&content, at as u64, piece.len() - at % piece.len(), &mut out).unwrap();
        assert_eq!(out, &piece[at % piece.len()..at % piece.len() + count]);
        at += count;
    }
}

#[test]
fn a_thousand_dribbling_letters_stay_bounded() {
    let mut store = large(64);
    let mut drafts: Vec<Draft> = Vec::new();
    for _ in 0..1000 {
        match store.draft(Some(1000)) {
            Ok(draft) => {
                let mailbox = inbox(&store, ALICE);
                store.add_mailbox(&draft, mailbox, Flags::NONE).unwrap();
                drafts.push(draft);
            }
            Err(refusal) => assert_eq!(refusal, Refusal::TooBusy),
        }
    }
    assert_eq!(drafts.len(), DRAFTS_MAX);
    for round in 0..60 {
        for (number, draft) in (0..).zip(&drafts) {
            let piece = text(number * 100 + round, 120 + number as usize % 7 * 50);
            match store.append(draft, &piece) {
                Ok(count) => assert_eq!(count, piece.len()),
                Err(stop) => assert_eq!(stop, Stop::Busy),
            }
        }
        assert!(store.drafts.pooled() <= POOL_BYTES);
        pump(&mut store);
    }
    // One good letter among them passes at once.
    drafts.pop();
    store.settle();
    deliver(&mut store, &["alice@example.test"], &text(7, 200_000)).unwrap();
    let before = store.statistics().programmed;
    assert!(before < 40 * MIB as u64, "dribbling costs about what it sends: {before}");
    drafts.clear();
    store.settle();
    assert_eq!((store.drafts(), store.drafts.pooled()), (0, 0));
}

#[test]
fn a_staller_gives_its_buffer_back() {
    let mut store = large(64);
    let stalled: Vec<Draft> = (0..40)
        .map(|number| {
            let draft = to_alice(&mut store);
            stream(&mut store, &draft, &text(number, 40_000)).unwrap();
            draft
        })
        .collect();
    assert!(store.drafts.pooled() <= POOL_BYTES);
    let big = text(99, 3 * MIB);
    let good = to_alice(&mut store);
    stream(&mut store, &good, &big).unwrap();
    let ticket = deposit(&mut store, &good).unwrap();
    wait(&mut store, Ok(ticket)).unwrap();
    // Those who stalled finish late and whole.
    for draft in &stalled {
        let ticket = deposit(&mut store, draft).unwrap();
        wait(&mut store, Ok(ticket)).unwrap();
    }
    let mailbox = inbox(&store, ALICE);
    assert_eq!(read(&mut store, mailbox, Uid(1)), Ok(big));
    for number in 0..40 {
        assert_eq!(read(&mut store, mailbox, Uid(number + 2)), Ok(text(number.into(), 40_000)));
    }
}

#[test]
fn interleaved_letters_do_not_mix() {
    let mut store = large(64);
    let texts: Vec<_> = (0..8).map(|number| text(number, 300_000)).collect();
    let drafts: Vec<Draft> = (0..8).map(|_| to_alice(&mut store)).collect();
    for piece in 0..100 {
        for (draft, text) in drafts.iter().zip(&texts) {
            stream(&mut store, draft, &text[piece * 3000..(piece + 1) * 3000]).unwrap();
        }
    }
    for draft in drafts.iter().rev() {
        let ticket = deposit(&mut store, draft).unwrap();
        wait(&mut store, Ok(ticket)).unwrap();
    }
    let mut store = mount(store.into_queue().into_device()).unwrap();
    let mailbox = inbox(&store, ALICE);
    for (uid, text) in (1..).zip(texts.iter().rev()) {
        assert_eq!(read(&mut store, mailbox, Uid(uid)).as_ref(), Ok(text));
    }
}

/// A queue of 64 KiB over a store of 32 MiB.
fn narrow() -> Store<Deferred<Simulator>> {
    let device = close(large(32));
    let mut store = Store::mount(Deferred::new(device, 64 << 10), MountOptions::default()).unwrap();
    store.queue().run_all();
    store.settle();
    store
}

#[test]
fn a_full_queue_says_busy_and_takes_nothing_twice() {
    let mut store = narrow();
    let draft = to_alice(&mut store);
    let bytes = text(5, 900_000);
    let (mut taken, mut busy) = (0, 0);
    while taken < bytes.len() {
        match store.append(&draft, &bytes[taken..(taken + 10_000).min(bytes.len())]) {
            Ok(count) => taken += count,
            Err(stop) => {
                assert_eq!(stop, Stop::Busy);
                busy += 1;
                assert!(store.outbox.waiting_bytes() < 200_000, "what waits is bounded");
                store.flush();
                store.queue().run(1);
                store.settle();
            }
        }
    }
    assert!(busy > 10);
    let ticket = loop {
        match store.deposit(&draft, &LETTER) {
            Ok(ticket) => break ticket,
            Err(stop) => assert_eq!(stop, Stop::Busy),
        }
        store.queue().run_all();
        store.settle();
    };
    while !ticket.is_settled() {
        store.flush();
        store.queue().run_all();
        store.settle();
    }
    let mailbox = inbox(&store, ALICE);
    assert_eq!(read(&mut store, mailbox, Uid(1)), Ok(bytes));
}

#[test]
fn changes_gather_while_a_barrier_is_under_way_until_that_is_enough() {
    let mut store = narrow();
    let mut tickets = Vec::new();
    let stop = loop {
        match store.put_setting("key", &[7; 5000]) {
            Ok(ticket) => tickets.push(ticket),
            Err(stop) => break stop,
        }
        store.flush();
        assert!(tickets.len() < 1000);
    };
    assert_eq!(stop, Stop::Busy);
    assert!(store.log.gather.bytes.len() <= crate::limits::GROUP_BYTES_MAX);
    for _ in 0..100 {
        store.queue().run(1);
        store.settle();
        store.flush();
    }
    assert!(tickets.iter().all(|ticket| ticket.result() == Some(Ok(mail::Receipt::default()))));
}

#[test]
fn a_dropped_letter_is_dead_space_and_nothing_else() {
    let mut store = office(32);
    let free = store.statistics().free;
    for round in 0..200 {
        let draft = to_alice(&mut store);
        match stream(&mut store, &draft, &text(round, 60_000)) {
            Ok(()) => {}
            Err(refusal) => panic!("{refusal:?} in round {round}"),
        }
        drop(draft);
        pump(&mut store);
    }
    assert_eq!((store.drafts(), store.statistics().letters), (0, 0));
    assert!(store.statistics().free > free / 4 * 3, "dead segments are used again");
}
