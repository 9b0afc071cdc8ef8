//! The outbound queue: what goes in with a letter, how it gets on, and what is left when it is done.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use mail::limits::RECIPIENTS_MAX;
use mail::{
    BodyKind, Envelope, Mail, Notify, OUTBOUND, Outbound, Outside, Posting, Recipient, Refusal, Returns, Uid,
    UnixTime, Unready,
};

use super::rig::*;
use crate::limits::POSTING_BYTES_MAX;

const LETTER_BYTES: &[u8] = b"Subject: hello\r\n\r\nto somebody far away\r\n";

/// Everything that MAIL can say.
fn full() -> Envelope {
    Envelope {
        sender: Some(address("a..b@example.test")),
        submitter: Some(ALICE),
        body: BodyKind::EightBit,
        utf8: true,
        requires_tls: true,
        returns: Some(Returns::Headers),
        id: "QQ314159".into(),
        not_before: Some(UnixTime(1_800_000_000)),
        body_hash: Some([0xa5; 32]),
    }
}

fn post(store: &mut SimStore, envelope: &Envelope, to: &[Recipient]) -> Result<(), Refusal> {
    let draft = store.draft(None)?;
    store.set_envelope(&draft, envelope.clone())?;
    for recipient in to {
        store.add_recipient(&draft, recipient, Outside::Anywhere)?;
    }
    stream(store, &draft, LETTER_BYTES)?;
    let ticket = deposit(store, &draft)?;
    wait(store, Ok(ticket)).map(drop)
}

fn queued(store: &SimStore) -> Vec<(u32, Outbound)> {
    let uids: Vec<Uid> = store.uids(OUTBOUND).iter().collect();
    let one = |uid: &Uid| (uid.0, Outbound::from_flags(store.message(OUTBOUND, *uid).unwrap().flags));
    uids.iter().map(one).collect()
}

fn at(recipient: u16) -> Outbound {
    Outbound { recipient, ..Outbound::default() }
}

#[test]
fn an_envelope_is_kept_with_its_letter_until_all_are_done() {
    let mut store = office(32);
    let notify = Notify::SUCCESS.with(Notify::FAILURE);
    let original = "rfc822;old@elsewhere.test".to_string();
    let to = [Recipient { address: address("手紙@例え.test"), notify, original }, plain("b.@carrier.test")];
    post(&mut store, &full(), &to).unwrap();
    let posting = Posting { envelope: full(), recipients: to.to_vec() };
    let mut store = mount(close(store)).unwrap();
    store.checkpoints.wanted = true;
    pump(&mut store);
    store.empty_some(0);
    pump(&mut store);
    let mut store = mount(close(store)).unwrap();
    assert_eq!(queued(&store), [(1, at(0)), (2, at(1))]);
    for uid in [Uid(1), Uid(2)] {
        assert_eq!(store.posting(uid), Ok(posting.clone()));
        assert_eq!(read(&mut store, OUTBOUND, uid), Ok(LETTER_BYTES.to_vec()));
    }
    let deleted = store.deleted().count;
    for (uid, letters) in [(1, 1), (2, 0)] {
        let ticket = store.depart(&uid_set(&[uid]));
        wait(&mut store, ticket).unwrap();
        assert_eq!(store.statistics().letters, letters);
    }
    assert_eq!(store.posting(Uid(2)), Err(Unready::Gone));
    assert_eq!(store.deleted().count, deleted, "nobody brings back what was sent");
    post(&mut store, &Envelope::default(), &[plain("c@elsewhere.test")]).unwrap();
    assert_eq!(queued(&store), [(3, at(0))], "numbers go up");
    assert_eq!(store.posting(Uid(3)).unwrap().envelope, Envelope::default());
}

#[test]
fn recipients_here_and_outside_share_one_letter() {
    let mut store = office(32);
    let alias = store.put_alias("all@example.test", &["Alice@example.test", "Far.Off@elsewhere.test"]);
    wait(&mut store, alias).unwrap();
    let success = Recipient { notify: Notify::SUCCESS, ..plain("bob@example.test") };
    let twice = plain("FAR.OFF@elsewhere.test");
    post(&mut store, &Envelope::default(), &[plain("all@example.test"), success.clone(), twice]).unwrap();
    assert_eq!(store.statistics().letters, 1);
    for account in [ALICE, BOB] {
        assert_eq!(store.status(inbox(&store, account)).unwrap().messages, 1);
    }
    let report = Outbound { report_only: true, ..at(1) };
    assert_eq!(queued(&store), [(1, at(0)), (2, report)]);
    let recipients = store.posting(Uid(1)).unwrap().recipients;
    let forwarded =
        Recipient { original: "rfc822;all@example.test".into(), ..plain("Far.Off@elsewhere.test") };
    assert_eq!(recipients, [forwarded, success]);
}

#[test]
fn mail_from_elsewhere_to_elsewhere_is_refused_but_forwarded_by_an_alias() {
    let mut store = office(32);
    let alias = store.put_alias("fwd@example.test", &["x@elsewhere.test"]);
    wait(&mut store, alias).unwrap();
    let draft = store.draft(None).unwrap();
    assert_eq!(
        store.add_recipient(&draft, &plain("x@elsewhere.test"), Outside::Aliases),
        Err(Refusal::NotLocal)
    );
    assert_eq!(
        store.add_recipient(&draft, &plain("no@example.test"), Outside::Anywhere),
        Err(Refusal::NoSuchUser)
    );
    let forward = plain("fwd@example.test");
    let refused = store.add_recipient(&draft, &forward, Outside::Nothing);
    assert_eq!(refused, Err(Refusal::ForwardsOutside));
    assert_eq!(store.add_recipient(&draft, &forward, Outside::Aliases), Ok(()));
    stream(&mut store, &draft, LETTER_BYTES).unwrap();
    let ticket = deposit(&mut store, &draft).unwrap();
    wait(&mut store, Ok(ticket)).unwrap();
    assert_eq!(queued(&store), [(1, at(0))]);
}

#[test]
fn how_far_a_recipient_is_survives() {
    let mut store = office(32);
    post(&mut store, &full(), &[plain("a@elsewhere.test"), plain("b@elsewhere.test")]).unwrap();
    let tried = Outbound { attempts: 3, words: 7, due_s: 86_400, told: [true, false], ..at(1) };
    let ticket = store.set_flags(OUTBOUND, &uid_set(&[2]), tried.to_flags(), at(1).to_flags());
    wait(&mut store, ticket).unwrap();
    let device = store.into_queue().into_device();
    let store = mount(device).unwrap();
    assert_eq!(queued(&store), [(1, at(0)), (2, tried)]);
}

#[test]
fn a_bounce_takes_what_it_is_about_out_of_the_queue() {
    let mut store = office(32);
    let to = ["a@elsewhere.test", "b@elsewhere.test", "c@elsewhere.test"].map(plain);
    post(&mut store, &full(), &to).unwrap();
    let draft = store.draft(None).unwrap();
    store.add_recipient(&draft, &plain("alice@example.test"), Outside::Nothing).unwrap();
    store.settle_with(&draft, &uid_set(&[1, 3, 9])).unwrap();
    stream(&mut store, &draft, b"Subject: sorry\r\n\r\n").unwrap();
    let ticket = deposit(&mut store, &draft).unwrap();
    assert_eq!(queued(&store).len(), 3, "not before it is durable");
    wait(&mut store, Ok(ticket)).unwrap();
    assert_eq!(queued(&store), [(2, at(1))]);
    let store = mount(store.into_queue().into_device()).unwrap();
    assert_eq!(queued(&store), [(2, at(1))]);
    assert_eq!(store.status(inbox(&store, ALICE)).unwrap().messages, 1);
}

#[test]
fn a_bounce_that_is_dropped_takes_nothing() {
    let mut store = office(32);
    post(&mut store, &full(), &[plain("a@elsewhere.test")]).unwrap();
    let draft = store.draft(None).unwrap();
    store.settle_with(&draft, &uid_set(&[1])).unwrap();
    drop(draft);
    pump(&mut store);
    assert_eq!(queued(&store), [(1, at(0))]);
}

#[test]
fn an_envelope_has_its_limits() {
    let mut store = office(32);
    let draft = store.draft(None).unwrap();
    let long = Envelope { id: "x".repeat(POSTING_BYTES_MAX), ..Envelope::default() };
    assert_eq!(store.set_envelope(&draft, long), Err(Refusal::Limit));
    let add = |store: &mut SimStore, number: usize, local: &str| {
        let to = plain(&alloc::format!("{local}{number}@elsewhere.test"));
        store.add_recipient(&draft, &to, Outside::Anywhere)
    };
    let longest = "n".repeat(60);
    let taken = (0..RECIPIENTS_MAX).take_while(|number| add(&mut store, *number, &longest).is_ok()).count();
    assert!((500..RECIPIENTS_MAX).contains(&taken), "{taken}");
    assert_eq!(add(&mut store, taken, &longest), Err(Refusal::TooManyRecipients));
    stream(&mut store, &draft, LETTER_BYTES).unwrap();
    let ticket = deposit(&mut store, &draft).unwrap();
    wait(&mut store, Ok(ticket)).unwrap();
    assert_eq!(queued(&store).len(), taken, "what was taken before is kept");
    let draft = store.draft(None).unwrap();
    for number in 0..RECIPIENTS_MAX {
        store.add_recipient(&draft, &plain(&alloc::format!("{number}@e.test")), Outside::Anywhere).unwrap();
    }
    let more = store.add_recipient(&draft, &plain("alice@example.test"), Outside::Anywhere);
    assert_eq!(more, Err(Refusal::TooManyRecipients));
}

#[test]
fn a_full_queue_takes_reports_only() {
    let mut store = office(32);
    let sent = Envelope { sender: Some(address("alice@example.test")), ..Envelope::default() };
    let many: Vec<Recipient> =
        (0..RECIPIENTS_MAX).map(|number| plain(&alloc::format!("{number}@e.test"))).collect();
    post(&mut store, &sent, &many).unwrap();
    // Letters on their way in count: two of them share what is left.
    let drafts = [0, 1].map(|_| store.draft(None).unwrap());
    for (number, recipient) in many.iter().enumerate() {
        store.set_envelope(&drafts[number % 2], sent.clone()).unwrap();
        store.add_recipient(&drafts[number % 2], recipient, Outside::Anywhere).unwrap();
    }
    let far = plain("far@e.test");
    let refused = store.add_recipient(&drafts[0], &far, Outside::Anywhere);
    assert_eq!(refused, Err(Refusal::QueueFull));
    assert_eq!(store.add_recipient(&drafts[0], &plain("bob@example.test"), Outside::Anywhere), Ok(()));
    let success = Recipient { notify: Notify::SUCCESS, ..plain("alice@example.test") };
    let refused = store.add_recipient(&drafts[0], &success, Outside::Anywhere);
    assert_eq!(refused, Err(Refusal::QueueFull), "its report has no place");
    assert_eq!(post(&mut store, &Envelope::default(), &[far]), Ok(()));
    drop(drafts);
    assert_eq!(post(&mut store, &sent, &[plain("far@e.test")]), Ok(()));
}

/// A group here and outside of which the last that is to be queued, the report, has no room.
#[test]
fn a_group_without_room_for_its_report_is_not_taken() {
    let mut store = office(32);
    let ticket = store.put_alias("all@example.test", &["alice@example.test", "far@a.test"]);
    wait(&mut store, ticket).unwrap();
    let draft = store.draft(None).unwrap();
    for number in 0..RECIPIENTS_MAX - 2 {
        store.add_recipient(&draft, &plain(&alloc::format!("{number}@e.test")), Outside::Anywhere).unwrap();
    }
    let group = Recipient { notify: Notify::SUCCESS, ..plain("all@example.test") };
    let refused = store.add_recipient(&draft, &group, Outside::Anywhere);
    assert_eq!(refused, Err(Refusal::TooManyRecipients));
    stream(&mut store, &draft, LETTER_BYTES).unwrap();
    let ticket = deposit(&mut store, &draft).unwrap();
    wait(&mut store, Ok(ticket)).unwrap();
    assert_eq!(queued(&store).len(), RECIPIENTS_MAX - 2);
    assert_eq!(store.status(inbox(&store, ALICE)).unwrap().messages, 0);
}

#[test]
fn what_an_alias_beyond_ascii_leads_to_knows_it() {
    let mut store = office(32);
    let ticket = store.put_alias("\u{624b}\u{7d19}@example.test", &["far@a.test"]);
    wait(&mut store, ticket).unwrap();
    post(&mut store, &full(), &[plain("\u{624b}\u{7d19}@example.test")]).unwrap();
    let original = "utf-8;\u{624b}\u{7d19}@example.test".to_string();
    assert_eq!(store.posting(Uid(1)).unwrap().recipients, [Recipient { original, ..plain("far@a.test") }]);
}

/// An alias to many outside that no longer has room leaves the draft as it was, its reservations included.
#[test]
fn an_alias_is_taken_as_a_whole_or_not_at_all() {
    let mut store = office(32);
    let local = "n".repeat(60);
    let targets: Vec<String> = (0..99).map(|number| alloc::format!("{local}{number}@a.test")).collect();
    let mut names: Vec<&str> = targets.iter().map(String::as_str).collect();
    names.push("alice@example.test");
    let ticket = store.put_alias("one@example.test", &names);
    wait(&mut store, ticket).unwrap();
    let other = |number: usize| plain(&alloc::format!("{local}-{number}@b.test"));
    let draft = store.draft(Some(1_000)).unwrap();
    for number in 0..500 {
        store.add_recipient(&draft, &other(number), Outside::Anywhere).unwrap();
    }
    let reserved = |store: &SimStore| store.state.accounts[&ALICE.0].reserved;
    let refused = store.add_recipient(&draft, &plain("one@example.test"), Outside::Anywhere);
    assert_eq!((refused, reserved(&store)), (Err(Refusal::TooManyRecipients), 0));
    assert_eq!(store.add_recipient(&draft, &plain("alice@example.test"), Outside::Anywhere), Ok(()));
    assert_eq!(reserved(&store), 1_000);
    stream(&mut store, &draft, LETTER_BYTES).unwrap();
    let ticket = deposit(&mut store, &draft).unwrap();
    wait(&mut store, Ok(ticket)).unwrap();
    let places: Vec<u16> = queued(&store).iter().map(|(_, outbound)| outbound.recipient).collect();
    assert_eq!(places, (0..500).collect::<Vec<u16>>());
    assert_eq!(reserved(&store), 0);
}
