//! Deletions: listed, brought back, deleted for good, forgotten when they are old or space or memory is short.

use alloc::vec::Vec;

use flash::simulator::Cut;
use mail::{AccountId, Flags, Mail, MailboxId, Refusal, Stop, Uid, UidSet, UnixTime};

use super::recount::recount;
use super::rig::*;
use super::world::dump;
use crate::format::frame::kind;
use crate::limits::{
    DELETIONS_KEPT_S, DELETIONS_PER_CHANGE_MAX, FORGET_MAX, INDEX_LETTER_BYTES, INDEX_MESSAGE_BYTES,
};
use crate::{AccountDetails, Deletion};

const ALICE_TO: &str = "alice@example.test";
const BOB_TO: &str = "bob@example.test";
const DAY: i64 = 24 * 3600;

/// Everything that an account can have back, the newest first.
fn listed(store: &SimStore, account: AccountId) -> Vec<Deletion> {
    let (mut found, mut below) = (Vec::new(), None);
    loop {
        let listed = store.deletions(account, below, 3);
        assert!(listed.found.len() <= 3);
        found.extend(listed.found);
        match listed.below {
            Some(next) => below = Some(next),
            None => return found,
        }
    }
}

fn numbers(store: &SimStore, account: AccountId) -> Vec<u64> {
    listed(store, account).iter().map(|deletion| deletion.number).collect()
}

fn expunge(store: &mut SimStore, mailbox: MailboxId, uids: &[u32]) {
    let ticket = store.expunge(mailbox, &uid_set(uids));
    wait(store, ticket).unwrap();
}

/// A store with Alice and Bob, in which a letter of 500 bytes to Alice stands under each of the UIDs from 1.
fn with_letters(segments: u64, count: u64) -> (SimStore, MailboxId) {
    let mut store = office(segments);
    for number in 0..count {
        deliver(&mut store, &[ALICE_TO], &text(number, 500)).unwrap();
    }
    let mailbox = inbox(&store, ALICE);
    (store, mailbox)
}

fn tell_time(store: &mut SimStore, time: i64, known: bool) {
    store.set_now(UnixTime(time));
    store.trust_clock(known);
}

#[test]
fn what_is_expunged_comes_back_with_its_flags_under_a_new_uid() {
    let (mut store, mailbox) = with_letters(40, 5);
    tell_time(&mut store, 77 * DAY, true);
    let keyword = store.keyword(ALICE, "work").unwrap();
    let ticket = store.set_flags(mailbox, &uid_set(&[2]), Flags::FLAGGED.with(keyword), Flags::NONE);
    wait(&mut store, ticket).unwrap();
    let used = store.quota(ALICE).used;
    expunge(&mut store, mailbox, &[4, 2]);
    let found = listed(&store, ALICE);
    let brief = |deletion: &Deletion| (deletion.flags, deletion.size, deletion.time, deletion.gone);
    let flags = Flags::FLAGGED.with(keyword);
    let time = Some(UnixTime(77 * DAY));
    assert_eq!(
        found.iter().map(brief).collect::<Vec<_>>(),
        [(Flags::NONE, 500, time, false), (flags, 500, time, false)]
    );
    assert!(found.iter().all(|deletion| deletion.mailbox == Some(name("INBOX"))));
    assert!(store.quota(ALICE).used < used, "what is deleted does not count");
    let record = store.deletion_record(ALICE, found[1].number).unwrap();
    assert!(record.head.starts_with(b"Subject: letter 1\r\n") && record.summary == b"summary");
    let ticket = store.undelete(ALICE, &numbers(&store, ALICE), mailbox);
    let receipt = wait(&mut store, ticket).unwrap();
    assert_eq!(receipt.destination, uid_set(&[6, 7]));
    assert_eq!(store.message(mailbox, Uid(6)).unwrap().flags, flags);
    assert_eq!(read(&mut store, mailbox, Uid(6)).unwrap(), text(1, 500));
    assert_eq!(read(&mut store, mailbox, Uid(7)).unwrap(), text(3, 500));
    assert_eq!((store.quota(ALICE).used, listed(&store, ALICE).len()), (used, 0));
    recount(&store);
    let state = dump(&mut store);
    let mut again = mount(store.into_queue().into_device()).unwrap();
    assert_eq!(dump(&mut again), state);
}

#[test]
fn nobody_sees_or_takes_what_another_one_deleted() {
    let (mut store, mailbox) = with_letters(40, 2);
    expunge(&mut store, mailbox, &[1, 2]);
    let alices = numbers(&store, ALICE);
    assert_eq!((alices.len(), numbers(&store, BOB).len()), (2, 0));
    assert!(store.deletion(BOB, alices[0]).is_none() && store.deletion_record(BOB, alices[0]).is_err());
    let bobs = inbox(&store, BOB);
    let ticket = store.undelete(BOB, &alices, bobs);
    assert!(wait(&mut store, ticket).unwrap().destination.is_empty());
    let refused = store.undelete(ALICE, &alices, bobs).map(|_| ());
    assert_eq!(refused, Err(Stop::Refused(Refusal::NoSuchMailbox)));
    let ticket = store.delete_for_good(BOB, &alices);
    wait(&mut store, ticket).unwrap();
    assert_eq!(numbers(&store, ALICE), alices);
    let many = alloc::vec![1; DELETIONS_PER_CHANGE_MAX + 1];
    assert_eq!(store.undelete(ALICE, &many, mailbox).err(), Some(Stop::Refused(Refusal::Limit)));
}

#[test]
fn the_mail_of_a_deleted_mailbox_comes_back_where_it_was() {
    let (mut store, mailbox) = with_letters(40, 4);
    let ticket = store.create_mailbox(ALICE, &name("Work/Old"), None);
    wait(&mut store, ticket).unwrap();
    let old = folder(&store, ALICE, "Work/Old");
    let ticket = store.move_messages(mailbox, &uid_set(&[1, 2, 3]), old);
    wait(&mut store, ticket).unwrap();
    assert!(listed(&store, ALICE).is_empty(), "a move is no deletion");
    expunge(&mut store, old, &[1]);
    // One more is on its way there when the mailbox is deleted.
    let late = store.copy(mailbox, &uid_set(&[4]), old).unwrap();
    let ticket = store.delete_mailbox(ALICE, &name("Work/Old"));
    wait(&mut store, ticket).unwrap();
    assert!(late.result().unwrap().is_ok());
    let check = |store: &SimStore| {
        let found = listed(store, ALICE);
        assert_eq!(found.len(), 4);
        assert!(found.iter().all(|deletion| deletion.gone && deletion.mailbox == Some(name("Work/Old"))));
    };
    check(&store);
    store.checkpoints.wanted = true;
    pump(&mut store);
    let mut store = mount(close(store)).unwrap();
    check(&store);
    let ticket = store.create_mailbox(ALICE, &name("Work/Old"), None);
    wait(&mut store, ticket).unwrap();
    let new = folder(&store, ALICE, "Work/Old");
    let ticket = store.undelete(ALICE, &numbers(&store, ALICE), new);
    assert_eq!(wait(&mut store, ticket).unwrap().destination, UidSet::range(Uid(1), Uid(4)));
    let letters: Vec<_> = (1..=4).map(|uid| read(&mut store, new, Uid(uid)).unwrap()).collect();
    assert_eq!(letters, [0, 1, 2, 3].map(|number| text(number, 500)));
    assert!(store.state.deletions.gone(old.0).is_none(), "its name is not needed any more");
    recount(&store);
}

#[test]
fn a_letter_stays_for_as_long_as_someone_has_it() {
    let mut store = office(40);
    deliver(&mut store, &[ALICE_TO, BOB_TO], &text(1, 5_000)).unwrap();
    let (alices, bobs) = (inbox(&store, ALICE), inbox(&store, BOB));
    let archive = folder(&store, ALICE, "Archive");
    let ticket = store.copy(alices, &uid_set(&[1]), archive);
    wait(&mut store, ticket).unwrap();
    expunge(&mut store, archive, &[1]);
    expunge(&mut store, alices, &[1]);
    assert_eq!(store.deleted().bytes, 0, "Bob has it");
    recount(&store);
    let first = numbers(&store, ALICE)[1];
    let ticket = store.delete_for_good(ALICE, &[first]);
    wait(&mut store, ticket).unwrap();
    expunge(&mut store, bobs, &[1]);
    assert!(store.deleted().bytes > 5_000);
    let ticket = store.remove_account(BOB);
    wait(&mut store, ticket).unwrap();
    recount(&store);
    let ticket = store.undelete(ALICE, &numbers(&store, ALICE), alices);
    wait(&mut store, ticket).unwrap();
    assert_eq!(read(&mut store, alices, Uid(2)).unwrap(), text(1, 5_000));
    assert_eq!((store.statistics().letters, store.deleted().count), (1, 0));
    recount(&store);
}

#[test]
fn an_account_that_is_removed_takes_its_deletions_along() {
    let (mut store, mailbox) = with_letters(40, 3);
    expunge(&mut store, mailbox, &[1, 3]);
    let ticket = store.delete_mailbox(ALICE, &name("Trash"));
    wait(&mut store, ticket).unwrap();
    let ticket = store.remove_account(ALICE);
    wait(&mut store, ticket).unwrap();
    assert_eq!((store.deleted().count, store.statistics().letters), (0, 0));
    recount(&store);
}

#[test]
fn what_is_deleted_for_good_is_gone_at_once() {
    let (mut store, mailbox) = with_letters(40, 3);
    expunge(&mut store, mailbox, &[1, 2, 3]);
    let all = numbers(&store, ALICE);
    let ticket = store.delete_for_good(ALICE, &[all[1]]);
    wait(&mut store, ticket).unwrap();
    assert_eq!(numbers(&store, ALICE), [all[0], all[2]]);
    assert_eq!(store.statistics().letters, 2);
    let state = dump(&mut store);
    let mut again = mount(store.into_queue().into_device()).unwrap();
    assert_eq!(dump(&mut again), state);
    recount(&again);
}

#[test]
fn what_comes_back_has_to_fit_the_quota() {
    let (mut store, mailbox) = with_letters(40, 3);
    expunge(&mut store, mailbox, &[1, 2, 3]);
    let address = address(ALICE_TO);
    let details = AccountDetails { address: &address, name: "", quota: Some(1_100), secret: b"" };
    let (_, ticket) = store.put_account(Some(ALICE), &details).unwrap();
    wait(&mut store, Ok(ticket)).unwrap();
    let all = numbers(&store, ALICE);
    let refused = store.undelete(ALICE, &all, mailbox).map(|_| ());
    assert_eq!(refused, Err(Stop::Refused(Refusal::OverQuota)));
    let ticket = store.undelete(ALICE, &all[..2], mailbox);
    wait(&mut store, ticket).unwrap();
    let third = deliver(&mut store, &[ALICE_TO], &text(1, 500));
    assert_eq!(third.map(|_| ()), Err(Refusal::OverQuota));
    assert_eq!(numbers(&store, ALICE), &all[2..]);
    assert_eq!(store.state.accounts.get(&ALICE.0).unwrap().reserved, 0);
}

/// Deletes a letter at each of these times (known or not) and says of which days something is left afterwards.
fn left_at(deleted: &[(i64, bool)], (now, known): (i64, bool)) -> usize {
    let (mut store, mailbox) = with_letters(60, deleted.len() as u64);
    for (uid, (day, known)) in (1..).zip(deleted) {
        tell_time(&mut store, day * DAY, *known);
        expunge(&mut store, mailbox, &[uid]);
    }
    tell_time(&mut store, now * DAY, known);
    pump(&mut store);
    recount(&store);
    let left = numbers(&store, ALICE);
    let expected: Vec<u64> = (0..deleted.len() as u64).rev().take(left.len()).collect();
    assert_eq!(left, expected, "the oldest ones go first");
    let state = dump(&mut store);
    let mut again = mount(store.into_queue().into_device()).unwrap();
    assert_eq!(dump(&mut again), state);
    left.len()
}

#[test]
fn deletions_are_kept_for_fourteen_days() {
    let all = [(100, true), (101, true), (102, true), (110, true)];
    assert_eq!(DELETIONS_KEPT_S, 14 * DAY.unsigned_abs());
    for (now, left) in [(110, 4), (113, 4), (114, 3), (116, 1), (123, 1), (124, 0)] {
        assert_eq!(left_at(&all, (now, true)), left, "on day {now}");
    }
}

/// A clock that nobody has set, or that jumps, costs nothing.
#[test]
fn nothing_is_forgotten_on_the_word_of_a_clock_that_is_not_trusted() {
    let all = [(100, true), (101, true), (110, true)];
    assert_eq!(left_at(&all, (300, false)), 3, "the time is not known now");
    assert_eq!(left_at(&all, (0, true)), 3, "it has gone back");
    let unknown = [(100, false), (0, false), (100, false)];
    assert_eq!(left_at(&unknown, (300, true)), 3, "the time was not known then");
    // What has no time, or one that is yet to come, has been kept at least as long as the next one that has one.
    let mixed = [(1, false), (500, true), (1, false), (101, true), (1, false), (110, true)];
    assert_eq!(left_at(&mixed, (113, true)), 6);
    assert_eq!(left_at(&mixed, (115, true)), 2);
    assert_eq!(left_at(&mixed, (124, true)), 0);
}

/// A box that did not know the time for long: more than one step forgets have none.
#[test]
fn many_without_a_time_do_not_keep_the_others() {
    let mut all = alloc::vec![(100, false); 2 * FORGET_MAX + 1];
    all.extend([(100, true), (110, true)]);
    assert_eq!(left_at(&all, (113, true)), all.len());
    assert_eq!(left_at(&all, (116, true)), 1);
}

/// Delivers letters to Alice until the store refuses, and says how many it took.
fn fill(store: &mut SimStore, size: usize) -> u64 {
    for number in 0..100_000 {
        if let Err(refusal) = deliver(store, &[ALICE_TO], &text(number, size)) {
            assert_eq!(refusal, Refusal::StoreFull);
            return number;
        }
    }
    panic!("never full");
}

#[test]
fn a_full_store_whose_letters_are_deleted_takes_mail_at_once() {
    for size in [700, 9_000, 50_000] {
        let mut store = office(40);
        tell_time(&mut store, 100 * DAY, true);
        let first = fill(&mut store, size);
        let mailbox = inbox(&store, ALICE);
        for round in 0..4 {
            let free = store.statistics().free;
            let ticket = store.expunge(mailbox, &UidSet::range(Uid(1), Uid(u32::MAX)));
            wait(&mut store, ticket).unwrap();
            assert!(store.statistics().free > free, "what deletions hold counts as free");
            let before = store.uids(mailbox).len();
            let again = fill(&mut store, size);
            assert!(again * 10 >= first * 7, "{again} of {first} in round {round}, letters of {size} bytes");
            assert_eq!((before, store.deleted().count), (0, 0), "not before mail needed their space");
            recount(&store);
        }
        let state = dump(&mut store);
        let mut again = mount(store.into_queue().into_device()).unwrap();
        assert_eq!(dump(&mut again), state);
        assert_eq!(again.statistics().damage, 0);
    }
}

/// As long as there is space, a mass delete is not the first thing that is destroyed; then its oldest part is.
#[test]
fn where_space_is_short_the_oldest_deletions_go_first() {
    let mut store = office(100);
    tell_time(&mut store, 100 * DAY, true);
    let mailbox = inbox(&store, ALICE);
    for number in 0..200 {
        deliver(&mut store, &[ALICE_TO], &text(number, 9_000)).unwrap();
    }
    let ticket = store.expunge(mailbox, &UidSet::range(Uid(1), Uid(200)));
    wait(&mut store, ticket).unwrap();
    pump(&mut store);
    assert_eq!(store.deleted().count, 200);
    let mut counts = alloc::vec![200];
    for number in 0..450 {
        deliver(&mut store, &[BOB_TO], &text(number, 9_000)).unwrap();
        let left = numbers(&store, ALICE);
        let newest: Vec<u64> = (0..200).rev().take(left.len()).collect();
        assert_eq!(left, newest);
        counts.push(left.len());
    }
    pump(&mut store);
    assert!(counts[150] == 200 && counts[450] < 100, "{counts:?}");
    assert!(counts.windows(2).all(|pair| pair[0] - pair[1] <= 64), "in steps: {counts:?}");
    let kept = numbers(&store, ALICE);
    let ticket = store.undelete(ALICE, &kept, mailbox);
    wait(&mut store, ticket).unwrap();
    for (uid, number) in store.uids(mailbox).iter().collect::<Vec<_>>().iter().zip(kept.iter().rev()) {
        assert_eq!(read(&mut store, mailbox, *uid).unwrap(), text(*number, 9_000));
    }
    recount(&store);
}

/// Deletions take memory; they go before a message is refused for want of it.
#[test]
fn where_memory_is_short_the_oldest_deletions_go_first() {
    let (mut store, mailbox) = with_letters(60, 30);
    store.set_index_limit(store.index_bytes());
    expunge(&mut store, mailbox, &(1..=20).collect::<Vec<_>>());
    pump(&mut store);
    let kept = store.deleted().count;
    assert!((12..20).contains(&kept), "{kept}");
    assert!(store.index_bytes() <= 30 * (INDEX_LETTER_BYTES + INDEX_MESSAGE_BYTES));
    for number in 0..20 {
        deliver(&mut store, &[BOB_TO], &text(number, 300)).unwrap();
    }
    let refused = deliver(&mut store, &[BOB_TO], &text(21, 300));
    assert_eq!((refused, store.deleted().count), (Err(Refusal::TooManyMessages), 0));
    recount(&store);
}

#[test]
fn a_checkpoint_holds_deletions() {
    let (mut store, mailbox) = with_letters(200, 700);
    tell_time(&mut store, 200 * DAY, true);
    for first in [1, 300, 301, 2] {
        let uids: Vec<u32> = (0..120).map(|n| first + n * 2).collect();
        expunge(&mut store, mailbox, &uids);
    }
    store.checkpoints.wanted = true;
    pump(&mut store);
    let all = numbers(&store, ALICE);
    let ticket = store.delete_for_good(ALICE, &all[100..420]);
    wait(&mut store, ticket).unwrap();
    store.checkpoints.wanted = true;
    pump(&mut store);
    recount(&store);
    expunge(&mut store, mailbox, &[600, 601]);
    let (state, all) = (dump(&mut store), numbers(&store, ALICE));
    let mut device = store.into_queue().into_device();
    device.cut();
    device.power_on(Cut::AllKept, 1);
    let mut store = mount(device).unwrap();
    assert!(store.mount_report().records < 60, "{:?}", store.mount_report());
    assert_eq!((dump(&mut store), numbers(&store, ALICE)), (state, all));
    recount(&store);
    // Nothing has changed in the list since: its pages are not written again.
    let ticket = store.set_flags(mailbox, &uid_set(&[650]), Flags::FLAGGED, Flags::NONE);
    wait(&mut store, ticket).unwrap();
    store.checkpoints.wanted = true;
    pump(&mut store);
    let homes: Vec<_> = store.state.deletions.pages().iter().map(|page| page.home()).collect();
    let ticket = store.set_flags(mailbox, &uid_set(&[650]), Flags::SEEN, Flags::NONE);
    wait(&mut store, ticket).unwrap();
    store.checkpoints.wanted = true;
    pump(&mut store);
    assert!(homes.iter().all(Option::is_some) && homes.len() > 1);
    let after: Vec<_> = store.state.deletions.pages().iter().map(|page| page.home()).collect();
    assert_eq!(after, homes);
    // A number is never used again, not even when the list is empty.
    let last = store.state.deletions.end();
    let ticket = store.delete_for_good(ALICE, &numbers(&store, ALICE));
    wait(&mut store, ticket).unwrap();
    store.checkpoints.wanted = true;
    pump(&mut store);
    let mut store = mount(close(store)).unwrap();
    assert_eq!(store.deleted().count, 0);
    expunge(&mut store, mailbox, &[650]);
    assert_eq!(numbers(&store, ALICE), [last]);
}

/// A page of deletions that cannot be read costs when they were deleted, and nobody sees deleted mail come back.
#[test]
fn a_lost_page_of_deletions_costs_no_letter() {
    let (mut store, mailbox) = with_letters(100, 40);
    expunge(&mut store, mailbox, &(1..=10).collect::<Vec<_>>());
    store.checkpoints.wanted = true;
    pump(&mut store);
    let validity = store.status(mailbox).unwrap().uid_validity;
    let home = store.state.deletions.pages()[0].home().unwrap();
    let at = store.layout.address(crate::format::Place { segment: home.segment, offset: home.offset });
    let mut device = close(store);
    device.damage(at..at + 64).unwrap();
    for round in 0..2 {
        let store = mount(device).unwrap();
        assert_eq!((store.uids(mailbox).len(), store.statistics().letters), (30, 40), "round {round}");
        assert_eq!(store.status(mailbox).unwrap().uid_validity, validity);
        assert_eq!(listed(&store, ALICE).len(), 10);
        recount(&store);
        let mut store = store;
        pump(&mut store);
        device = close(store);
    }
}

/// Two who ask for the same at once, and one whose mailbox goes meanwhile.
#[test]
fn what_was_right_when_it_was_asked_for_is_judged_again() {
    let (mut store, mailbox) = with_letters(40, 3);
    expunge(&mut store, mailbox, &[1, 2, 3]);
    let all = numbers(&store, ALICE);
    let one = store.undelete(ALICE, &all[..2], mailbox).unwrap();
    let two = store.undelete(ALICE, &all[1..], mailbox).unwrap();
    settle(&mut store, &[one.clone(), two.clone()]);
    assert_eq!(one.result().unwrap().unwrap().destination.len(), 2);
    assert_eq!(two.result().unwrap().unwrap().destination.len(), 1);
    assert_eq!((store.uids(mailbox).len(), store.deleted().count), (3, 0));
    let trash = folder(&store, ALICE, "Trash");
    let last = store.uids(mailbox).iter().last().unwrap();
    expunge(&mut store, mailbox, &[last.0]);
    let gone = store.delete_mailbox(ALICE, &name("Trash")).unwrap();
    let late = store.undelete(ALICE, &numbers(&store, ALICE), trash).unwrap();
    settle(&mut store, &[gone, late.clone()]);
    assert_eq!(late.result(), Some(Err(Refusal::NoSuchMailbox)));
    assert_eq!(store.deleted().count, 1, "it is still listed");
    assert_eq!(store.state.accounts.get(&ALICE.0).unwrap().reserved, 0);
    recount(&store);
}

/// Records with numbers that only damage, or another program, could make.
#[test]
fn odd_numbers_do_no_harm() {
    let (mut store, mailbox) = with_letters(40, 4);
    expunge(&mut store, mailbox, &[1]);
    let place = crate::format::Place { segment: 3, offset: 64 };
    let expunge_at = |first: u64, uid: u32| {
        let mut payload = Vec::new();
        let record = crate::format::records::Expunge { mailbox: mailbox.0, modseq: 9, time: i64::MAX, first };
        crate::format::code::put(&mut payload, &record).unwrap();
        crate::format::records::put_uids(&mut payload, &uid_set(&[uid])).unwrap();
        payload
    };
    for (first, uid) in [(0, 2), (u64::MAX - 1, 3), (u64::MAX, 4)] {
        let payload = expunge_at(first, uid);
        let _ = store.state.apply(&mut store.segments, kind::EXPUNGE, &payload, place);
    }
    assert_eq!(numbers(&store, ALICE), [u64::MAX - 1, 1, 0]);
    assert_eq!((store.uids(mailbox).len(), store.statistics().letters), (0, 3));
    recount(&store);
}

#[test]
fn what_is_deleted_is_looked_over_as_well() {
    let (mut store, mailbox) = with_letters(40, 2);
    expunge(&mut store, mailbox, &[2]);
    let number = numbers(&store, ALICE)[0];
    let found = store.check_deletion(ALICE, number).unwrap();
    assert_eq!((found.size, found.crc), (500, crc32c::crc32c(&text(1, 500))));
    assert!(store.deleted_letter(ALICE, number).is_some());
    assert_ne!(store.deleted_letter(ALICE, number), store.stored_letter(mailbox, Uid(1)));
    assert!(store.deleted_letter(BOB, number).is_none() && store.check_deletion(BOB, number).is_err());
}
