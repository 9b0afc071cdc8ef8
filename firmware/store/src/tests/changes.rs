//! Mailboxes, flags, copies, expunges, and what becomes of two changes that share a group.

use alloc::vec::Vec;

use mail::{Flags, Mail, MailboxId, MailboxName, Refusal, SpecialUse, Stop, Uid, UidSet};

use super::rig::*;
use super::world::dump;

/// Alice with `count` letters of 300 bytes.
fn with_letters(count: u64) -> (SimStore, MailboxId) {
    let mut store = office(32);
    for number in 1..=count {
        send(&mut store, &["alice@example.test"], &text(number, 300)).unwrap();
    }
    pump(&mut store);
    let mailbox = inbox(&store, ALICE);
    (store, mailbox)
}

fn flags_of(store: &SimStore, mailbox: MailboxId) -> Vec<u64> {
    store.uids(mailbox).iter().map(|uid| store.message(mailbox, uid).unwrap().flags.0).collect()
}

/// What a remount makes of the state: the same.
fn assert_durable(mut store: SimStore) -> SimStore {
    let state = dump(&mut store);
    let mut again = mount(store.into_queue().into_device()).unwrap();
    assert_eq!(dump(&mut again), state);
    again
}

#[test]
fn a_new_account_has_the_mailboxes_that_everyone_has() {
    let store = office(32);
    assert_eq!(names(&store, ALICE), ["Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash"]);
    let info = store.next_mailbox(ALICE, Some(&name("Junk"))).unwrap();
    assert_eq!((info.special_use, info.subscribed, info.has_children), (Some(SpecialUse::Sent), true, false));
    let mut validities: Vec<u32> = Vec::new();
    for account in [ALICE, BOB] {
        for text in names(&store, account) {
            let status = store.status(folder(&store, account, &text)).unwrap();
            assert_eq!((status.uid_next, status.messages), (Uid(1), 0));
            validities.push(status.uid_validity.0);
        }
    }
    validities.sort_unstable();
    validities.dedup();
    assert_eq!(validities.len(), 12, "no two mailboxes share a UIDVALIDITY");
}

#[test]
fn creating_makes_the_levels_above() {
    let mut store = office(32);
    let ticket = store.create_mailbox(ALICE, &name("A/B/C"), Some(SpecialUse::Archive));
    wait(&mut store, ticket).unwrap();
    assert!(names(&store, ALICE).starts_with(&["A".into(), "A/B".into(), "A/B/C".into()]));
    assert!(store.next_mailbox(ALICE, None).unwrap().has_children);
    for (taken, refusal) in [("A/B", Refusal::MailboxExists), ("INBOX", Refusal::MailboxExists)] {
        assert_eq!(store.create_mailbox(ALICE, &name(taken), None).err(), Some(Stop::Refused(refusal)));
    }
    assert_durable(store);
}

#[test]
fn two_sessions_that_create_the_same_mailbox_at_once_get_one() {
    let mut store = office(32);
    let first = store.create_mailbox(ALICE, &name("Same"), None).unwrap();
    let second = store.create_mailbox(ALICE, &name("Same"), None).unwrap();
    pump(&mut store);
    assert!(first.result().unwrap().is_ok());
    assert_eq!(second.result().unwrap(), Err(Refusal::MailboxExists));
    assert_durable(store);
}

#[test]
fn deleting_spares_what_lies_below_and_never_takes_inbox() {
    let mut store = office(32);
    let ticket = store.create_mailbox(ALICE, &name("A/B"), None);
    wait(&mut store, ticket).unwrap();
    let mailbox = folder(&store, ALICE, "A");
    append(&mut store, mailbox, Flags::NONE, &text(1, 500)).unwrap();
    assert_eq!(store.quota(ALICE).used, 500);
    let ticket = store.delete_mailbox(ALICE, &name("A"));
    wait(&mut store, ticket).unwrap();
    assert_eq!((store.status(mailbox), store.mailbox(ALICE, &name("A"))), (None, None));
    assert!(store.uids(mailbox).is_empty());
    assert!(store.mailbox(ALICE, &name("A/B")).is_some());
    assert_eq!((store.quota(ALICE).used, store.deleted().count), (0, 1));
    let refused = [(MailboxName::INBOX, Refusal::Cannot), ("A", Refusal::NoSuchMailbox)];
    for (text, refusal) in refused {
        assert_eq!(store.delete_mailbox(ALICE, &name(text)).err(), Some(Stop::Refused(refusal)));
    }
    assert_durable(store);
}

#[test]
fn renaming_takes_along_what_lies_below() {
    let mut store = office(32);
    for text in ["A/B/C", "AB", "X/B"] {
        let ticket = store.create_mailbox(ALICE, &name(text), None);
        wait(&mut store, ticket).unwrap();
    }
    let (inner, before) = (folder(&store, ALICE, "A/B/C"), store.status(folder(&store, ALICE, "A/B/C")));
    let ticket = store.rename_mailbox(ALICE, &name("A"), &name("New/Place"));
    wait(&mut store, ticket).unwrap();
    assert_eq!(store.mailbox(ALICE, &name("New/Place/B/C")), Some(inner));
    assert_eq!(store.status(inner), before);
    assert!(store.mailbox(ALICE, &name("AB")).is_some() && store.mailbox(ALICE, &name("New")).is_some());
    let long = alloc::format!("N/{}", "n".repeat(235));
    for (from, to, refusal) in [
        ("New/Place", "New/Place/B/C/D", Refusal::Cannot),
        ("New/Place", "AB", Refusal::MailboxExists),
        ("Nothing", "Y", Refusal::NoSuchMailbox),
        ("New/Place", long.as_str(), Refusal::Limit),
    ] {
        let result = store.rename_mailbox(ALICE, &name(from), &name(to));
        assert_eq!(result.err(), Some(Stop::Refused(refusal)), "{from} to {to}");
    }
    let ticket = store.delete_mailbox(ALICE, &name("X"));
    wait(&mut store, ticket).unwrap();
    let taken = store.rename_mailbox(ALICE, &name("New/Place"), &name("X")).err();
    assert_eq!(taken, Some(Stop::Refused(Refusal::MailboxExists)), "X/B is there already");
    assert_durable(store);
}

#[test]
fn renaming_inbox_leaves_it_empty() {
    let (mut store, mailbox) = with_letters(3);
    let before = store.status(mailbox).unwrap();
    let ticket = store.rename_mailbox(ALICE, &MailboxName::inbox(), &name("Old/2025"));
    wait(&mut store, ticket).unwrap();
    let (old, now) = (folder(&store, ALICE, "Old/2025"), store.status(mailbox).unwrap());
    assert_eq!((now.messages, now.bytes, now.unseen), (0, 0, 0));
    assert_eq!((now.uid_validity, now.uid_next), (before.uid_validity, before.uid_next));
    let moved = store.status(old).unwrap();
    assert_eq!((moved.messages, moved.bytes, moved.unseen), (3, before.bytes, 3));
    assert_ne!(moved.uid_validity, before.uid_validity);
    deliver(&mut store, &["alice@example.test"], &text(9, 300)).unwrap();
    assert_eq!(store.uids(mailbox).first(), Some(Uid(4)), "UIDs of INBOX go on");
    assert_durable(store);
}

#[test]
fn subscriptions_outlive_mailboxes() {
    let mut store = office(32);
    let ticket = store.subscribe(ALICE, &name("Nowhere"), true);
    wait(&mut store, ticket).unwrap();
    let ticket = store.subscribe(ALICE, &name("Trash"), false);
    wait(&mut store, ticket).unwrap();
    let store = assert_durable(store);
    assert_eq!(store.next_subscription(ALICE, Some(&name("Junk"))), Some(name("Nowhere")));
    assert_eq!(store.next_subscription(ALICE, Some(&name("Sent"))), None);
    assert!(!store.next_mailbox(ALICE, Some(&name("Sent"))).unwrap().subscribed);
}

#[test]
fn flags_change_only_where_they_change() {
    let (mut store, mailbox) = with_letters(4);
    let ticket = store.set_flags(mailbox, &uid_set(&[2, 3]), Flags::SEEN, Flags::NONE);
    wait(&mut store, ticket).unwrap();
    let modseqs = |store: &SimStore| -> Vec<u64> {
        store.uids(mailbox).iter().map(|uid| store.message(mailbox, uid).unwrap().modseq.0).collect()
    };
    let before = modseqs(&store);
    let ticket = store.set_flags(
        mailbox,
        &UidSet::range(Uid(1), Uid(99)),
        Flags::SEEN.with(Flags::DELETED),
        Flags::SEEN.with(Flags::FLAGGED),
    );
    wait(&mut store, ticket).unwrap();
    assert_eq!(flags_of(&store, mailbox), [9, 9, 9, 9], "what is added wins over what is removed");
    assert!(modseqs(&store).iter().zip(&before).all(|(now, before)| now > before));
    let before = modseqs(&store);
    let ticket = store.set_flags(mailbox, &uid_set(&[1, 4]), Flags::NONE, Flags::DELETED);
    wait(&mut store, ticket).unwrap();
    let now = modseqs(&store);
    assert!(now[0] > before[0] && now[1] == before[1] && now[2] == before[2] && now[3] > before[3]);
    let status = store.status(mailbox).unwrap();
    assert_eq!((status.unseen, status.deleted, status.highest_modseq.0), (0, 2, now[0]));
    let nothing = store.set_flags(mailbox, &uid_set(&[1, 50]), Flags::SEEN, Flags::NONE).unwrap();
    assert!(nothing.is_settled() && !store.needs_flush(), "no change, no write");
    assert_durable(store);
}

#[test]
fn seen_that_a_fetch_sets_is_not_waited_for() {
    let (mut store, mailbox) = with_letters(2);
    store.set_seen_soon(mailbox, &uid_set(&[1])).unwrap();
    assert_eq!((store.waiting(), store.needs_flush()), (0, true));
    assert_eq!(flags_of(&store, mailbox), [0, 0], "not before it is durable");
    pump(&mut store);
    assert_eq!(flags_of(&store, mailbox), [1, 0]);
    assert_durable(store);
}

#[test]
fn messages_are_recent_for_one_session() {
    let (mut store, mailbox) = with_letters(3);
    assert_eq!(store.status(mailbox).unwrap().recent_from, Uid(1));
    assert_eq!(store.claim_recent(mailbox), Uid(1));
    assert_eq!(store.claim_recent(mailbox), Uid(4));
    deliver(&mut store, &["alice@example.test"], &text(9, 300)).unwrap();
    let mut store = mount(close(store)).unwrap();
    assert_eq!(store.claim_recent(mailbox), Uid(4));
    assert_eq!(store.claim_recent(mailbox), Uid(5));
}

#[test]
fn keywords_are_numbered_per_account_and_without_case() {
    let (mut store, mailbox) = with_letters(2);
    let junk = store.keyword(ALICE, "$Junk").unwrap();
    assert_eq!(store.keyword(ALICE, "$JUNK"), Ok(junk));
    assert!(store.keywords(ALICE).is_empty(), "not before it is durable");
    let ticket = store.set_flags(mailbox, &uid_set(&[2]), junk, Flags::NONE);
    wait(&mut store, ticket).unwrap();
    assert_eq!(store.keywords(ALICE), ["$Junk"]);
    assert_eq!(store.keyword(BOB, "other"), Ok(junk), "numbers are each account's own");
    for number in 1..56 {
        let flag = store.keyword(ALICE, &alloc::format!("word{number}")).unwrap();
        assert_eq!(flag, Flags::keyword(number));
        let ticket = store.set_flags(mailbox, &uid_set(&[1]), flag, Flags::NONE);
        wait(&mut store, ticket).unwrap();
    }
    assert_eq!(store.keyword(ALICE, "one more"), Err(Stop::Refused(Refusal::Limit)));
    assert_eq!(store.keyword(BOB, &"x".repeat(65)), Err(Stop::Refused(Refusal::Limit)));
    let all = Flags(!0xFF).without(junk);
    assert_eq!(flags_of(&store, mailbox), [all.0, junk.0]);
    let mut store = assert_durable(store);
    let ticket = store.set_flags(mailbox, &uid_set(&[1]), Flags::NONE, all);
    wait(&mut store, ticket).unwrap();
    assert_eq!(flags_of(&store, mailbox), [0, junk.0]);
}

#[test]
fn expunged_uids_never_come_back() {
    let (mut store, mailbox) = with_letters(5);
    let ticket = store.expunge(mailbox, &uid_set(&[2, 4, 5, 70]));
    wait(&mut store, ticket).unwrap();
    assert_eq!(store.uids(mailbox), uid_set(&[1, 3]));
    let status = store.status(mailbox).unwrap();
    assert_eq!((status.messages, status.uid_next, status.bytes), (2, Uid(6), 600));
    let mut store = assert_durable(store);
    deliver(&mut store, &["alice@example.test"], &text(9, 300)).unwrap();
    assert_eq!(store.uids(mailbox), uid_set(&[1, 3, 6]));
    assert!(store.expunge(mailbox, &uid_set(&[2])).unwrap().is_settled());
}

#[test]
fn copies_keep_flags_dates_and_content() {
    let (mut store, mailbox) = with_letters(4);
    let archive = folder(&store, ALICE, "Archive");
    let ticket = store.set_flags(mailbox, &uid_set(&[3]), Flags::FLAGGED, Flags::NONE);
    wait(&mut store, ticket).unwrap();
    let ticket = store.copy(mailbox, &uid_set(&[1, 3, 9]), archive);
    let receipt = wait(&mut store, ticket).unwrap();
    assert_eq!((receipt.source, receipt.destination), (uid_set(&[1, 3]), uid_set(&[1, 2])));
    assert_eq!(receipt.uid_validity, store.status(archive).unwrap().uid_validity);
    assert_eq!(flags_of(&store, archive), [0, Flags::FLAGGED.0]);
    assert_eq!(read(&mut store, archive, Uid(2)), Ok(text(3, 300)));
    let (copied, original) =
        (store.message(archive, Uid(2)).unwrap(), store.message(mailbox, Uid(3)).unwrap());
    assert_eq!((copied.received, copied.zone_minutes), (original.received, original.zone_minutes));
    assert_eq!((store.statistics().letters, store.quota(ALICE).used), (4, 1800));
    let ticket = store.copy(mailbox, &uid_set(&[2]), mailbox);
    assert_eq!(wait(&mut store, ticket).unwrap().destination, uid_set(&[5]));
    let ticket = store.expunge(mailbox, &UidSet::range(Uid(1), Uid(9)));
    wait(&mut store, ticket).unwrap();
    assert_eq!(read(&mut store, archive, Uid(1)), Ok(text(1, 300)));
    let mut store = assert_durable(store);
    let empty = store.copy(mailbox, &uid_set(&[1]), archive).unwrap().result().unwrap().unwrap();
    assert!(empty.destination.is_empty());
    let nowhere = store.copy(archive, &uid_set(&[1]), MailboxId(999)).err();
    assert_eq!(nowhere, Some(Stop::Refused(Refusal::NoSuchMailbox)));
}

#[test]
fn moving_is_one_change() {
    let (mut store, mailbox) = with_letters(4);
    let trash = folder(&store, ALICE, "Trash");
    let ticket = store.move_messages(mailbox, &uid_set(&[2, 3]), trash);
    let receipt = wait(&mut store, ticket).unwrap();
    assert_eq!((receipt.source, receipt.destination), (uid_set(&[2, 3]), uid_set(&[1, 2])));
    assert_eq!((store.uids(mailbox), store.uids(trash)), (uid_set(&[1, 4]), uid_set(&[1, 2])));
    assert_eq!(store.quota(ALICE).used, 1200);
    let ticket = store.move_messages(mailbox, &uid_set(&[1]), mailbox);
    wait(&mut store, ticket).unwrap();
    assert_eq!(store.uids(mailbox), uid_set(&[4, 5]));
    assert_eq!(read(&mut store, mailbox, Uid(5)), Ok(text(1, 300)));
    assert_durable(store);
}

#[test]
fn changes_of_one_group_meet_what_went_before_them() {
    let (mut store, mailbox) = with_letters(4);
    let archive = folder(&store, ALICE, "Archive");
    let expunged = store.expunge(mailbox, &uid_set(&[1, 2])).unwrap();
    let copied = store.copy(mailbox, &uid_set(&[2, 3]), archive).unwrap();
    let moved = store.move_messages(mailbox, &uid_set(&[3]), archive).unwrap();
    let flagged = store.set_flags(mailbox, &uid_set(&[3, 4]), Flags::SEEN, Flags::NONE).unwrap();
    let draft = store.draft(None).unwrap();
    store.add_mailbox(&draft, archive, Flags::NONE).unwrap();
    let gone = store.delete_mailbox(ALICE, &name("Archive")).unwrap();
    let late = deposit(&mut store, &draft).unwrap();
    pump(&mut store);
    assert!([&expunged, &moved, &flagged, &gone].iter().all(|ticket| ticket.result().unwrap().is_ok()));
    assert_eq!(copied.result().unwrap().unwrap().source, uid_set(&[3]), "2 was gone before it");
    assert_eq!(late.result().unwrap(), Err(Refusal::NoSuchMailbox));
    assert_eq!(store.uids(mailbox), uid_set(&[4]));
    assert_eq!((store.statistics().letters, store.quota(ALICE).used), (4, 300));
    assert_durable(store);
}

#[test]
fn holes_in_a_mailbox_cost_no_ranges() {
    let (mut store, mailbox) = with_letters(40);
    let odd: UidSet = (0..20).map(|number| Uid(number * 2 + 1)).collect();
    let ticket = store.expunge(mailbox, &odd);
    wait(&mut store, ticket).unwrap();
    let before = store.log.gather.bytes.len();
    let all = store.uids(mailbox);
    assert_eq!(all.run_count(), 20);
    let ticket = store.set_flags(mailbox, &all, Flags::SEEN, Flags::NONE);
    assert!(store.log.gather.bytes.len() - before <= 48);
    wait(&mut store, ticket).unwrap();
    assert_eq!(store.status(mailbox).unwrap().unseen, 0);
    let archive = folder(&store, ALICE, "Archive");
    let ticket = store.copy(mailbox, &all, archive);
    let receipt = wait(&mut store, ticket).unwrap();
    assert_eq!((receipt.source, receipt.destination), (all, UidSet::range(Uid(1), Uid(20))));
}

#[test]
fn more_ranges_than_a_record_holds_are_refused() {
    let mut store = office(32);
    let mailbox = inbox(&store, ALICE);
    let state = store.state.mailboxes.get_mut(&mailbox.0).unwrap();
    for uid in 1..=40_000 {
        let entry =
            crate::index::Entry { uid: Uid(uid), letter: 0, flags: Flags::NONE, modseq: mail::Modseq(1) };
        assert!(state.add(entry, 1));
    }
    let odd: UidSet = (0..20_000).map(|number| Uid(number * 2 + 1)).collect();
    let refused = store.set_flags(mailbox, &odd, Flags::SEEN, Flags::NONE).err();
    assert_eq!(refused, Some(Stop::Refused(Refusal::Limit)));
    assert!(!store.needs_flush());
}
