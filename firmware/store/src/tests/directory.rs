//! Who is reached, who may send as whom, quotas, accounts, settings.

use alloc::vec::Vec;

use mail::{AccountId, Flags, Mail, Refusal, Stop, Uid};

use super::rig::*;
use crate::AccountDetails;

/// The accounts that get a letter for an address, by where it arrives.
fn reached(store: &mut SimStore, to: &str) -> Result<Vec<u32>, Refusal> {
    let before: Vec<u32> = counts(store);
    let ticket = send(store, &[to], b"A: b\r\n\r\n")?;
    wait(store, Ok(ticket))?;
    let now = counts(store);
    assert!(now.iter().zip(&before).all(|(now, before)| now - before <= 1), "nobody gets it twice");
    Ok((1..)
        .zip(now.iter().zip(&before))
        .filter(|(_, (now, before))| now > before)
        .map(|(id, _)| id)
        .collect())
}

fn counts(store: &SimStore) -> Vec<u32> {
    store.accounts().map(|info| store.status(store.inbox(info.id).unwrap()).unwrap().messages).collect()
}

/// Alice, Bob, Carol; aliases of all kinds.
fn company() -> SimStore {
    let mut store = office(32);
    account(&mut store, "Carol.C@Example.Test", None);
    let aliases: [(&str, &[&str]); 9] = [
        ("info@example.test", &["alice@example.test", "Bob@example.test"]),
        ("All@example.test", &["info@example.test", "carol.c@example.test", "alice@example.test"]),
        ("loop@example.test", &["loop2@example.test", "bob@example.test"]),
        ("loop2@example.test", &["LOOP@example.test"]),
        ("outside@example.test", &["alice@example.test", "x@elsewhere.test"]),
        ("dangling@example.test", &["nobody@example.test"]),
        ("bob+own@example.test", &["carol.c@example.test"]),
        ("@second.test", &["alice@example.test"]),
        ("tagged@example.test", &["bob+tag@example.test"]),
    ];
    for (from, targets) in aliases {
        let ticket = store.put_alias(from, targets);
        wait(&mut store, ticket).unwrap();
    }
    let ticket = store.put_domain("Second.Test");
    wait(&mut store, ticket).unwrap();
    store
}

#[test]
fn addresses_lead_to_accounts_in_a_fixed_order() {
    let mut store = company();
    let cases: [(&str, Result<&[u32], Refusal>); 17] = [
        ("alice@example.test", Ok(&[1])),
        ("ALICE@EXAMPLE.TEST", Ok(&[1])),
        ("carol.c@example.test", Ok(&[3])),
        ("alice+shop@example.test", Ok(&[1])),
        ("bob+own@example.test", Ok(&[3])),
        ("bob+other@example.test", Ok(&[2])),
        ("info+tag@example.test", Ok(&[1, 2])),
        ("info@example.test", Ok(&[1, 2])),
        ("all@example.test", Ok(&[1, 2, 3])),
        ("loop@example.test", Ok(&[2])),
        ("loop2@example.test", Ok(&[2])),
        ("tagged@example.test", Ok(&[2])),
        ("outside@example.test", Err(Refusal::ForwardsOutside)),
        ("dangling@example.test", Err(Refusal::NoSuchUser)),
        ("nobody@example.test", Err(Refusal::NoSuchUser)),
        ("anyone@second.test", Ok(&[1])),
        ("alice@elsewhere.test", Err(Refusal::NotLocal)),
    ];
    for (to, expected) in cases {
        assert_eq!(reached(&mut store, to), expected.map(<[u32]>::to_vec), "{to}");
    }
    assert!(store.is_local(&address("who@SECOND.test")) && !store.is_local(&address("a@test")));
    let mut store = mount(close(store)).unwrap();
    assert_eq!(reached(&mut store, "all@example.test"), Ok(alloc::vec![1, 2, 3]));
    assert_eq!(store.aliases().count(), 9);
    assert_eq!(store.domains().collect::<Vec<_>>(), ["example.test", "second.test"]);
}

#[test]
fn aliases_that_grow_without_end_are_cut() {
    let mut store = office(32);
    for level in 0..20 {
        let (from, to) =
            (alloc::format!("l{level}@example.test"), alloc::format!("l{}@example.test", level + 1));
        let ticket = store.put_alias(&from, &[&to]);
        wait(&mut store, ticket).unwrap();
    }
    let ticket = store.put_alias("l20@example.test", &["alice@example.test"]);
    wait(&mut store, ticket).unwrap();
    assert_eq!(reached(&mut store, "l0@example.test"), Err(Refusal::NoSuchUser));
    assert_eq!(reached(&mut store, "l15@example.test"), Ok(alloc::vec![1]));
}

#[test]
fn one_may_send_as_oneself_and_ones_aliases() {
    let store = company();
    for (account, text, may) in [
        (1, "alice@example.test", true),
        (1, "Alice+tag@Example.test", true),
        (1, "info@example.test", true),
        (1, "outside@example.test", true),
        (1, "any@second.test", true),
        (1, "bob@example.test", false),
        (2, "all@example.test", true),
        (3, "info@example.test", false),
        (1, "alice@elsewhere.test", false),
        (9, "alice@example.test", false),
    ] {
        assert_eq!(store.may_send_as(AccountId(account), &address(text)), may, "{account} as {text}");
    }
}

#[test]
fn a_log_in_name_is_an_address_or_what_stands_before_the_at() {
    let mut store = company();
    account(&mut store, "bob@second.test", None);
    let id = |number| Some(AccountId(number));
    for (text, found) in [
        ("alice@example.test", id(1)),
        ("ALICE", id(1)),
        ("carol.c", id(3)),
        ("bob", None),
        ("bob@second.test", id(4)),
        ("info", None),
        ("", None),
        ("alice@second.test", None),
    ] {
        assert_eq!(store.find_login(text), found, "{text}");
    }
}

#[test]
fn a_letter_to_several_is_stored_once_and_arrives_at_all_or_none() {
    let mut store = company();
    deliver(&mut store, &["all@example.test", "bob@example.test"], &text(1, 5000)).unwrap();
    assert_eq!((counts(&store), store.statistics().letters), (alloc::vec![1, 1, 1], 1));
    for id in [1, 2, 3] {
        let mailbox = inbox(&store, AccountId(id));
        assert_eq!(read(&mut store, mailbox, Uid(1)), Ok(text(1, 5000)));
        assert_eq!(store.quota(AccountId(id)).used, 5000);
    }
}

#[test]
fn quotas_are_reserved_before_they_are_used() {
    let mut store = office(32);
    account(&mut store, "small@example.test", Some(10_000));
    let small = AccountId(3);
    let first = store.draft(Some(6000)).unwrap();
    store.add_recipient(&first, &plain("small@example.test"), mail::Outside::Nothing).unwrap();
    store.add_recipient(&first, &plain("small@example.test"), mail::Outside::Nothing).unwrap();
    let second = store.draft(Some(6000)).unwrap();
    let refused = store.add_recipient(&second, &plain("small@example.test"), mail::Outside::Nothing);
    assert_eq!(refused, Err(Refusal::OverQuota));
    store.add_recipient(&second, &plain("alice@example.test"), mail::Outside::Nothing).unwrap();
    drop(first);
    store.settle();
    store.add_recipient(&second, &plain("small@example.test"), mail::Outside::Nothing).unwrap();
    stream(&mut store, &second, &text(1, 5000)).unwrap();
    let ticket = deposit(&mut store, &second).unwrap();
    let late = store.draft(Some(6000)).unwrap();
    let refused = store.add_recipient(&late, &plain("small@example.test"), mail::Outside::Nothing);
    assert_eq!(refused, Err(Refusal::OverQuota), "what is on its way counts");
    wait(&mut store, Ok(ticket)).unwrap();
    assert_eq!(store.quota(small).used, 5000);
    let unknown = store.draft(None).unwrap();
    store.add_recipient(&unknown, &plain("small@example.test"), mail::Outside::Nothing).unwrap();
    assert_eq!(stream(&mut store, &unknown, &text(2, 5000)), Ok(()));
    assert_eq!(store.append(&unknown, b"one more"), Err(Stop::Refused(Refusal::OverQuota)));
    drop(unknown);
    let large = store.draft(Some(10_001)).unwrap();
    let refused = store.add_recipient(&large, &plain("small@example.test"), mail::Outside::Nothing);
    assert_eq!(refused, Err(Refusal::LargerThanQuota), "it will never fit");
    let unknown = store.draft(None).unwrap();
    store.add_recipient(&unknown, &plain("small@example.test"), mail::Outside::Nothing).unwrap();
    let refused = stream(&mut store, &unknown, &text(3, 10_001));
    assert_eq!(refused, Err(Refusal::LargerThanQuota));
    drop((large, unknown));
    let mailbox = inbox(&store, small);
    let archive = folder(&store, small, "Archive");
    let ticket = store.copy(mailbox, &uid_set(&[1]), archive);
    wait(&mut store, ticket).unwrap();
    let refused = store.copy(mailbox, &uid_set(&[1]), archive).err();
    assert_eq!(refused, Some(Stop::Refused(Refusal::OverQuota)));
    let ticket = store.move_messages(mailbox, &uid_set(&[1]), archive);
    wait(&mut store, ticket).unwrap();
    assert_eq!(store.quota(small).used, 10_000);
    let ticket = store.expunge(archive, &uid_set(&[1, 2]));
    wait(&mut store, ticket).unwrap();
    let quota = mount(close(store)).unwrap().quota(small);
    assert_eq!((quota.used, quota.limit), (0, Some(10_000)));
}

#[test]
fn letters_too_large_are_refused_at_once_and_on_the_way() {
    let mut store = office(64);
    store.set_message_limit(100_000);
    assert_eq!(store.draft(Some(100_001)).err(), Some(Refusal::TooLarge));
    let draft = store.draft(Some(10)).unwrap();
    store.add_recipient(&draft, &plain("alice@example.test"), mail::Outside::Nothing).unwrap();
    stream(&mut store, &draft, &text(1, 100_000)).unwrap();
    assert_eq!(store.append(&draft, b"x"), Err(Stop::Refused(Refusal::TooLarge)));
    let ticket = deposit(&mut store, &draft).unwrap();
    wait(&mut store, Ok(ticket)).unwrap();
    assert_eq!(store.quota(ALICE).used, 100_000);
}

#[test]
fn accounts_change_and_go() {
    let mut store = office(32);
    deliver(&mut store, &["alice@example.test"], &text(1, 700)).unwrap();
    let new = address("alicia@example.test");
    let details = AccountDetails { address: &new, name: "Alicia", quota: Some(5), secret: b"new" };
    let (id, ticket) = store.put_account(Some(ALICE), &details).unwrap();
    assert_eq!(id, ALICE);
    wait(&mut store, Ok(ticket)).unwrap();
    let mut store = mount(close(store)).unwrap();
    let info = store.account(ALICE).unwrap();
    assert_eq!(
        (info.address, info.name, info.quota, info.secret),
        ("alicia@example.test", "Alicia", Some(5), &b"new"[..])
    );
    assert_eq!((store.find_login("alice"), store.find_login("alicia")), (None, Some(ALICE)));
    assert_eq!(store.uids(inbox(&store, ALICE)).len(), 1);
    assert!(
        !alloc::format!("{:?} {:?} {:?}", details, store.account(ALICE), store.state).contains("[110, 101")
    );
    let taken = store.put_account(Some(BOB), &details).err();
    assert_eq!(taken, Some(Stop::Refused(Refusal::MailboxExists)));
    let nobody =
        store.put_account(Some(AccountId(9)), &AccountDetails { address: &address("x@y.test"), ..details });
    assert_eq!(nobody.err(), Some(Stop::Refused(Refusal::NoSuchUser)));
    let ticket = store.remove_account(ALICE);
    wait(&mut store, ticket).unwrap();
    assert_eq!((store.accounts().count(), store.statistics().letters, store.inbox(ALICE)), (1, 0, None));
    assert_eq!(store.remove_account(ALICE).err(), Some(Stop::Refused(Refusal::NoSuchUser)));
    let mut store = mount(close(store)).unwrap();
    let (next, ticket) = store.put_account(None, &details).unwrap();
    wait(&mut store, Ok(ticket)).unwrap();
    assert_eq!(next, AccountId(3), "numbers are not used again");
}

#[test]
fn settings_are_bytes_under_a_key() {
    let mut store = office(32);
    for (key, value) in
        [("tls/ca", &b"one"[..]), ("tls/leaf", b"two"), ("zone", b"Asia/Tokyo"), ("tls/ca", b"three")]
    {
        let ticket = store.put_setting(key, value);
        wait(&mut store, ticket).unwrap();
    }
    let ticket = store.remove_setting("zone");
    wait(&mut store, ticket).unwrap();
    let mut store = mount(close(store)).unwrap();
    assert_eq!((store.setting("tls/ca"), store.setting("zone")), (Some(&b"three"[..]), None));
    let found: Vec<_> = store.settings("tls/").collect();
    assert_eq!(found, [("tls/ca", &b"three"[..]), ("tls/leaf", b"two")]);
    let limit = Some(Stop::Refused(Refusal::Limit));
    assert_eq!(store.put_setting(&"k".repeat(200), b"").err(), limit);
    assert_eq!(store.put_setting("k", &[0; 70_000]).err(), limit);
}

#[test]
fn one_session_at_a_time_has_inbox_for_itself() {
    let mut store = office(32);
    let lock = store.lock_inbox(ALICE).unwrap();
    assert_eq!(store.lock_inbox(ALICE).err(), Some(Refusal::InUse));
    assert!(store.lock_inbox(BOB).is_ok());
    drop(lock);
    assert!(store.lock_inbox(ALICE).is_ok());
}

#[test]
fn recipients_whose_mailboxes_went_away_are_left_out() {
    let mut store = office(32);
    let draft = store.draft(Some(100)).unwrap();
    store.add_recipient(&draft, &plain("alice@example.test"), mail::Outside::Nothing).unwrap();
    store.add_recipient(&draft, &plain("bob@example.test"), mail::Outside::Nothing).unwrap();
    let ticket = store.remove_account(BOB);
    wait(&mut store, ticket).unwrap();
    stream(&mut store, &draft, b"A: b\r\n\r\n").unwrap();
    let ticket = deposit(&mut store, &draft).unwrap();
    wait(&mut store, Ok(ticket)).unwrap();
    assert_eq!(counts(&store), [1]);
    let draft = store.draft(Some(500)).unwrap();
    let trash = folder(&store, ALICE, "Trash");
    store.add_mailbox(&draft, trash, Flags::NONE).unwrap();
    let ticket = store.delete_mailbox(ALICE, &name("Trash"));
    wait(&mut store, ticket).unwrap();
    assert_eq!(deposit(&mut store, &draft).err(), Some(Refusal::NoSuchMailbox));
    assert_eq!(store.state.accounts[&1].reserved, 0, "and what was reserved for them is free");
}
