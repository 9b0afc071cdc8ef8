//! Programs, erases and barriers that fail, and devices that take no more writes (rule 4).

use alloc::vec::Vec;

use flash::simulator::{Cut, Simulator};
use mail::{Flags, Mail, Refusal, Stop, Ticket, Uid};

use super::rig::*;
use super::world::dump;
use crate::life::Phase;

/// What is made to fail.
type Fail = fn(&mut Simulator, u64);

const FAILURES: [Fail; 3] = [Simulator::fail_barrier, Simulator::fail_program, Simulator::fail_erase];

/// Issues changes in three groups and returns their tickets with what they ended in.
fn work(store: &mut SimStore) -> Vec<Option<Result<mail::Receipt, Refusal>>> {
    let mut tickets: Vec<Option<Ticket>> = Vec::new();
    let mailbox = inbox(store, ALICE);
    for round in 0..3 {
        tickets.push(send(store, &["alice@example.test"], &text(round, 9000)).ok());
        tickets.push(send(store, &["bob@example.test"], &text(100 + round, 300)).ok());
        tickets.push(store.set_flags(mailbox, &uid_set(&[1]), Flags(1 << round), Flags::NONE).ok());
        pump(store);
    }
    tickets.iter().map(|ticket| ticket.as_ref().and_then(Ticket::result)).collect()
}

fn furnished() -> Simulator {
    let mut store = office(32);
    deliver(&mut store, &["alice@example.test"], &text(50, 800)).unwrap();
    close(store)
}

#[test]
fn what_a_failed_operation_touched_fails_and_the_rest_goes_on() {
    for fail in FAILURES {
        for skip in 0.. {
            let mut device = furnished();
            device.reseed(skip);
            fail(&mut device, skip);
            let Ok(mut store) = mount(device) else { panic!("mounting reads only") };
            let results = work(&mut store);
            if results.iter().all(|result| matches!(result, Some(Ok(_)))) && skip > 0 {
                break;
            }
            for result in results.iter().flatten() {
                assert!(matches!(result, Ok(_) | Err(Refusal::NotDurable)), "{result:?}");
            }
            let failed = results.iter().filter(|result| !matches!(result, Some(Ok(_)))).count();
            assert!(failed <= 3 || store.is_read_only(), "one group at most: {failed}");
            check_survivors(store, skip);
        }
    }
}

/// Everything that is visible is durable, whatever became of what failed.
fn check_survivors(mut store: SimStore, seed: u64) {
    if !store.is_read_only() {
        deliver(&mut store, &["alice@example.test"], &text(7, 5000)).expect("the store goes on");
    }
    let state = dump(&mut store);
    let mut device = store.into_queue().into_device();
    device.cut();
    device.power_on(Cut::OutOfOrder, seed);
    let mut again = mount(device).unwrap();
    assert_eq!(again.statistics().damage, 0);
    assert_eq!(dump(&mut again), state, "seed {seed}");
    let misuses = again.queue().device().counts().misuses;
    deliver(&mut again, &["alice@example.test"], &text(8, 900)).unwrap();
    assert_eq!(again.queue().device().counts().misuses, misuses);
}

#[test]
fn a_failed_barrier_is_answered_with_a_new_life_in_fresh_segments() {
    let mut store = mount(furnished()).unwrap();
    deliver(&mut store, &["alice@example.test"], &text(1, 9000)).unwrap();
    let before = (store.log.meta.unwrap().segment, store.life.anchor.life);
    store.queue().device().fail_barrier(0);
    let draft = store.draft(None).unwrap();
    let mailbox = inbox(&store, ALICE);
    store.add_mailbox(&draft, mailbox, Flags::NONE).unwrap();
    stream(&mut store, &draft, &text(2, 200_000)).unwrap();
    let early = store.draft(None).unwrap();
    let ticket = send(&mut store, &["alice@example.test"], &text(3, 900)).unwrap();
    let next_seq = store.log.next_seq;
    assert_eq!(wait(&mut store, Ok(ticket)), Err(Refusal::NotDurable));
    assert!(store.log.next_seq >= next_seq, "numbers of lost segments are not used again");
    let lost = Some(Stop::Refused(Refusal::NotDurable));
    assert_eq!(store.append(&draft, b"more").err(), lost, "a part of it was lost");
    assert_eq!(store.deposit(&draft, &LETTER).err(), lost);
    store.add_mailbox(&early, mailbox, Flags::NONE).unwrap();
    stream(&mut store, &early, &text(4, 900)).unwrap();
    let ticket = deposit(&mut store, &early).unwrap();
    wait(&mut store, Ok(ticket)).expect("nothing of it was on flash");
    assert_ne!(store.log.meta.unwrap().segment, before.0, "nothing is appended behind a failed barrier");
    assert!(store.life.anchor.life > before.1);
    assert_eq!(store.uids(mailbox).len(), 3);
    assert_eq!(store.quota(ALICE).used, 800 + 9000 + 900, "reservations ended");
    assert!(store.state.accounts[&1].reserved == 0 || store.drafts() > 0);
}

/// The group may be on the medium as a whole, failed barrier or not. Once the anchor of the next life is durable, it
/// stands behind the end of the log, or in a segment that does not count: neither a cut nor the end of the process
/// brings it back.
#[test]
fn what_was_refused_does_not_come_back_with_the_next_life() {
    let clean = furnished();
    let mut unclean = mount(clean.clone()).unwrap();
    deliver(&mut unclean, &["alice@example.test"], &text(1, 9000)).unwrap();
    let unclean = unclean.into_queue().into_device();
    let cuts = Cut::ALL.into_iter().map(Some).chain([None]);
    for (cut, seed) in cuts.flat_map(|cut| (0..64).map(move |seed| (cut, seed))) {
        for device in [&clean, &unclean] {
            let mut store = mount(device.clone()).unwrap();
            store.queue().device().reseed(seed);
            // The first barrier is that of the anchor.
            store.queue().device().fail_barrier(1);
            let refused = send(&mut store, &["alice@example.test"], &text(2, 300)).unwrap();
            assert_eq!(wait(&mut store, Ok(refused)), Err(Refusal::NotDurable));
            pump(&mut store);
            assert_eq!(store.life.phase, Phase::Open, "the next life has begun");
            let state = dump(&mut store);
            let mut device = store.into_queue().into_device();
            if let Some(cut) = cut {
                device.cut();
                device.power_on(cut, seed);
            }
            assert_eq!(dump(&mut mount(device).unwrap()), state, "{cut:?} {seed}");
        }
    }
}

/// A barrier that says that all is well proves nothing once one has failed.
#[test]
fn an_anchor_that_did_not_reach_the_medium_ends_all_writing() {
    let mut store = mount(furnished()).unwrap();
    deliver(&mut store, &["alice@example.test"], &text(1, 900)).unwrap();
    store.queue().device().fail_barrier(0);
    let refused = send(&mut store, &["alice@example.test"], &text(2, 900)).unwrap();
    store.flush();
    store.settle();
    assert_eq!(refused.result(), Some(Err(Refusal::NotDurable)));
    store.flush();
    assert_eq!(store.life.phase, Phase::Opening);
    let anchor = store.layout.base(store.life.anchor.slot());
    store.queue().device().damage(anchor + 20..anchor + 21).unwrap();
    store.settle();
    assert!(store.is_read_only());
    let mut again = mount(store.into_queue().into_device()).unwrap();
    deliver(&mut again, &["alice@example.test"], &text(3, 900)).unwrap();
}

/// What gathered while the barrier was under way may name bodies that it should have covered.
#[test]
fn what_gathers_behind_a_failing_barrier_fails_with_it() {
    let mut store = mount(furnished()).unwrap();
    deliver(&mut store, &["alice@example.test"], &text(1, 9000)).unwrap();
    store.queue().device().fail_barrier(0);
    let first = send(&mut store, &["alice@example.test"], &text(2, 9000)).unwrap();
    store.flush();
    let second = send(&mut store, &["alice@example.test"], &text(3, 9000)).unwrap();
    pump(&mut store);
    let failed = Some(Err(Refusal::NotDurable));
    assert_eq!((first.result(), second.result()), (failed.clone(), failed));
    assert_eq!(store.state.accounts[&1].reserved, 0, "reservations ended");
    assert_eq!(store.uids(inbox(&store, ALICE)).len(), 2);
    deliver(&mut store, &["alice@example.test"], &text(4, 9000)).unwrap();
}

#[test]
fn a_device_that_fails_again_is_read_only_and_still_read() {
    let mut store = mount(furnished()).unwrap();
    let ticket = send(&mut store, &["alice@example.test"], &text(1, 900)).unwrap();
    pump(&mut store);
    assert_eq!(ticket.result().unwrap().map(|_| ()), Ok(()));
    let failing = send(&mut store, &["alice@example.test"], &text(2, 900)).unwrap();
    store.queue().device().fail_barrier(0);
    store.flush();
    store.settle();
    assert_eq!(failing.result(), Some(Err(Refusal::NotDurable)));
    let second = store.create_mailbox(ALICE, &name("Later"), None).unwrap();
    store.queue().device().fail_barrier(0);
    store.flush();
    let settled = store.settle();
    assert!(settled.barrier_ended && store.is_read_only() && store.statistics().read_only);
    assert_eq!(second.result(), Some(Err(Refusal::NotDurable)));
    assert_eq!((store.waiting(), store.needs_flush(), store.flush()), (0, false, 0));
    let mailbox = inbox(&store, ALICE);
    assert_eq!(read(&mut store, mailbox, Uid(2)), Ok(text(1, 900)));
    assert_eq!(store.draft(None).err(), Some(Refusal::ReadOnly));
    assert_eq!(store.expunge(mailbox, &uid_set(&[1])).err(), Some(Stop::Refused(Refusal::ReadOnly)));
    let mut again = mount(store.into_queue().into_device()).unwrap();
    assert_eq!(again.uids(mailbox).len(), 2, "a restart tries again");
    deliver(&mut again, &["alice@example.test"], &text(3, 900)).unwrap();
}

#[test]
fn a_card_at_the_end_of_its_life_is_read_only() {
    let mut store = mount(furnished()).unwrap();
    store.queue().device().set_read_only(true);
    let ticket = store.create_mailbox(ALICE, &name("Later"), None);
    assert_eq!(wait(&mut store, ticket), Err(Refusal::NotDurable));
    assert!(store.is_read_only());
    let mut store = mount(store.into_queue().into_device()).unwrap();
    let mailbox = inbox(&store, ALICE);
    assert_eq!(read(&mut store, mailbox, Uid(1)), Ok(text(50, 800)));
    store.unmount();
    pump(&mut store);
    assert!(store.is_unmounted());
}

#[test]
fn keywords_that_were_given_out_survive_a_failed_barrier() {
    let mut store = mount(furnished()).unwrap();
    deliver(&mut store, &["bob@example.test"], &text(1, 900)).unwrap();
    let mailbox = inbox(&store, ALICE);
    let flag = store.keyword(ALICE, "work").unwrap();
    store.queue().device().fail_barrier(0);
    let ticket = store.set_flags(mailbox, &uid_set(&[1]), flag, Flags::NONE);
    assert_eq!(wait(&mut store, ticket), Err(Refusal::NotDurable));
    let ticket = store.set_flags(mailbox, &uid_set(&[1]), flag, Flags::NONE);
    wait(&mut store, ticket).unwrap();
    let mut store = mount(close(store)).unwrap();
    assert_eq!(store.keywords(ALICE), ["work"]);
    assert_eq!(store.keyword(ALICE, "play"), Ok(Flags::keyword(1)));
    assert_eq!(store.message(mailbox, Uid(1)).unwrap().flags, flag);
}

#[test]
fn a_failure_while_closing_ends_the_store_all_the_same() {
    for skip in 0..6 {
        let mut store = mount(furnished()).unwrap();
        deliver(&mut store, &["alice@example.test"], &text(1, 900)).unwrap();
        let late = send(&mut store, &["alice@example.test"], &text(2, 900)).unwrap();
        store.queue().device().fail_barrier(skip);
        store.unmount();
        for _ in 0..10 {
            store.flush();
            store.settle();
        }
        assert!(store.is_unmounted(), "barrier {skip}");
        let durable = matches!(late.result(), Some(Ok(_)));
        let again = mount(store.into_queue().into_device()).unwrap();
        let found = again.uids(inbox(&again, ALICE)).len();
        assert!(found == if durable { 3 } else { 2 } || !durable, "{found}");
    }
}

/// Delivers letters in groups of two whatever becomes of them. Returns which were acknowledged.
fn deliver_all(store: &mut SimStore) -> Vec<u64> {
    let mut tickets = Vec::new();
    for number in 0..8 {
        let size = if number % 3 == 0 { 9000 } else { 300 };
        if let Ok(ticket) = send(store, &["alice@example.test"], &text(number, size)) {
            tickets.push((number, ticket));
        }
        if number % 2 == 1 {
            pump(store);
        }
    }
    let good = tickets.iter().filter(|(_, ticket)| matches!(ticket.result(), Some(Ok(_))));
    good.map(|(number, _)| *number).collect()
}

/// A barrier fails, the store goes on in a new life, and then the power goes as well.
#[test]
fn a_cut_after_a_failed_barrier_loses_nothing_that_was_acknowledged() {
    let base = furnished();
    for skip in 0..6 {
        for point in 0.. {
            let mut reached = false;
            for (mode, seed) in Cut::ALL.into_iter().flat_map(|mode| (0..4).map(move |seed| (mode, seed))) {
                let mut device = base.clone();
                device.reseed(skip * 100 + point);
                device.fail_barrier(skip);
                device.cut_after(point);
                let Ok(mut store) = mount(device) else { continue };
                let acknowledged = deliver_all(&mut store);
                let mut device = store.into_queue().into_device();
                reached |= !device.is_powered();
                device.cut();
                device.power_on(mode, seed * 1000 + point);
                let misuses = device.counts().misuses;
                let mut again = mount(device).unwrap();
                let mailbox = inbox(&again, ALICE);
                let uids: Vec<Uid> = again.uids(mailbox).iter().collect();
                let found: Vec<Vec<u8>> =
                    uids.iter().map(|uid| read(&mut again, mailbox, *uid).unwrap()).collect();
                for number in 0..8 {
                    let size = if number % 3 == 0 { 9000 } else { 300 };
                    let count = found.iter().filter(|bytes| **bytes == text(number, size)).count();
                    let case = alloc::format!("letter {number}, barrier {skip}, cut {point} {mode:?} {seed}");
                    assert!(count <= 1, "{case}: twice");
                    assert!(count == 1 || !acknowledged.contains(&number), "{case}: lost");
                }
                assert_eq!(again.statistics().damage, 0, "barrier {skip}, cut {point} {mode:?}");
                deliver(&mut again, &["alice@example.test"], &text(99, 3000)).unwrap();
                assert_eq!(again.queue().device().counts().misuses, misuses);
            }
            if !reached {
                break;
            }
        }
    }
}
