//! What `check` and `stat` say of a flash of which everything is known: how many letters were put there and how large they
//! are, what was deleted, which byte was spoilt, and that a scrub gave up a segment for it.

use std::{os::unix::fs::FileExt as _, time::Duration};

use mail::{AccountId, Flags, Letter, Mail as _, MailboxId, Uid, UidSet, UnixTime, Unready};
use proto::mime::Scanner;

use super::{
    Outcome,
    check::{self, Checking},
    flash::{Writing, look},
    stat,
    wording::size,
};
use crate::testing::{Flash, PROVISION, Rig, block_on};

const ALICE: AccountId = AccountId(1);
const BOB: AccountId = AccountId(2);

/// Sizes of the letters; the first [`SHARED`] are Bob's as well. One is larger than a segment: what came before it does not
/// lie where writing goes on, and can be given up.
const SIZES: [usize; 8] = [10_000, 11_000, 12_000, 13_000, 14_000, 3_000_000, 16_000, 17_000];
const SHARED: usize = 5;
/// What Alice deletes: one that Bob keeps, and one that nobody else has.
const DELETED: [usize; 2] = [1, 6];
/// The letter that is spoilt: both have it.
const VICTIM: usize = 3;

/// A letter of exactly that size whose text no coder makes shorter, and that has nothing in common with another.
fn letter(number: usize) -> Vec<u8> {
    let mut text = format!("Subject: {number}\r\n\r\n").into_bytes();
    let mut state = number as u64 + 1;
    while text.len() < SIZES[number] {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push(b'!' + (state >> 33) as u8 % 90);
    }
    text
}

/// A flash with accounts and nothing else.
fn made(name: &str) -> Flash {
    let bob = b"[[account]]\naddress = 'bob@example.test'\npassword = 'pencil pencil'\nquota = '3GiB'\n";
    block_on(async {
        let flash = Flash::new(name, Duration::ZERO);
        let rig = Rig::start_with(flash, &[PROVISION, bob].concat()).await;
        rig.serving.close().await;
        rig.flash
    })
}

fn deliver(writing: &mut Writing, mailboxes: &[MailboxId], text: &[u8]) {
    let mut scanner = Scanner::new();
    scanner.feed(text);
    let summary = scanner.finish();
    let draft = writing.store.draft(Some(text.len() as u64)).unwrap();
    for mailbox in mailboxes {
        writing.store.add_mailbox(&draft, *mailbox, Flags::NONE).unwrap();
    }
    let mut rest = text;
    while !rest.is_empty() {
        let taken = writing.ask(|store| store.append(&draft, rest)).unwrap();
        rest = &rest[taken..];
    }
    let letter = Letter { received: UnixTime(1_795_000_000), zone_minutes: 0, summary: &summary };
    writing.make(|store| store.deposit(&draft, &letter)).unwrap();
}

/// Puts the letters there, and deletes some.
fn furnish(flash: &Flash) {
    let mut writing = Writing::open(flash.path()).unwrap();
    let (alice, bob) = (writing.store.inbox(ALICE).unwrap(), writing.store.inbox(BOB).unwrap());
    for number in 0..SIZES.len() {
        let mailboxes = if number < SHARED { vec![alice, bob] } else { vec![alice] };
        deliver(&mut writing, &mailboxes, &letter(number));
    }
    let uids: UidSet = DELETED.iter().map(|number| Uid(*number as u32 + 1)).collect();
    writing.make(|store| store.expunge(alice, &uids)).unwrap();
    writing.close();
}

/// Flips a bit in the middle of the spoilt letter.
fn spoil(flash: &Flash) {
    let text = letter(VICTIM);
    let wanted = &text[6_000..6_032];
    let all = std::fs::read(flash.path()).unwrap();
    let at = all.windows(wanted.len()).position(|window| window == wanted).unwrap();
    let file = std::fs::File::options().write(true).open(flash.path()).unwrap();
    file.write_all_at(&[all[at] ^ 1], at as u64).unwrap();
}

/// Reads everything once, as the box does over the days.
fn scrub(flash: &Flash) {
    let mut writing = Writing::open(flash.path()).unwrap();
    while !writing.read(|store| store.scrub().map_err(Unready::Cold)).unwrap().round_ended {}
    let figures = writing.store.statistics();
    assert_eq!((figures.damage, figures.damaged_letters, figures.wear.retired), (1, 1, 1));
    writing.make(|store| store.put_setting("scrubbed", &[1])).unwrap();
    writing.close();
}

/// The value behind a name in what `stat` says.
fn value(lines: &[String], name: &str) -> Option<String> {
    let line = lines.iter().find_map(|line| line.strip_prefix("  ")?.strip_prefix(name));
    line.map(|value| value.trim().to_owned())
}

fn stat(flash: &Flash) -> Vec<String> {
    stat::report(&look(flash.path()).unwrap(), 3_000)
}

/// What `check` says, and how it ends.
fn checked(flash: &Flash) -> (Outcome, Vec<String>) {
    let store = look(flash.path()).unwrap();
    let mut said = check::mounted(&store);
    let mut checking = Checking::new(store);
    checking.all();
    let (outcome, lines) = checking.conclude();
    said.extend(lines);
    (outcome, said)
}

fn bytes(numbers: impl Iterator<Item = usize>) -> u64 {
    numbers.map(|number| SIZES[number] as u64).sum()
}

#[test]
fn check_and_stat_count_what_is_there() {
    let flash = made("figures");
    assert_eq!(value(&stat(&flash), "letters stored").unwrap(), "0");
    furnish(&flash);
    let lines = stat(&flash);
    // What Bob has as well holds no room; the other one takes its size and what a letter has around it.
    let held = look(flash.path()).unwrap().statistics().deleted.bytes;
    let own = SIZES[DELETED[1]] as u64;
    assert!((own..own + 1_000).contains(&held), "{held}");
    let kept = (0..SIZES.len()).filter(|number| !DELETED.contains(number));
    let expected = [
        ("letters stored", "8".to_owned()),
        ("messages shown", "11".to_owned()),
        ("deleted, can be brought back", format!("2 messages, {}", size(held))),
        ("mail ever taken", size(bytes(0..SIZES.len()))),
        ("alice@example.test", format!("{} of 6 messages in 6 mailboxes, no quota", size(bytes(kept)))),
        (
            "bob@example.test",
            format!("{} of 5 messages in 6 mailboxes, quota 3.00 GiB", size(bytes(0..SHARED))),
        ),
    ];
    for (name, text) in expected {
        assert_eq!(value(&lines, name), Some(text), "{name}: {lines:#?}");
    }
    assert_eq!(value(&lines, "not used any more"), None);
    let (outcome, lines) = checked(&flash);
    let read = format!("read 8 letters ({}) of 11 messages, 2 deleted ones", size(bytes(0..SIZES.len())));
    assert_eq!((outcome, lines), (Outcome::Good, vec!["it was closed cleanly".into(), read, "clean".into()]));
}

#[test]
fn check_and_stat_count_what_is_lost_and_given_up() {
    let flash = made("figures-lost");
    furnish(&flash);
    spoil(&flash);
    scrub(&flash);
    assert_eq!(value(&stat(&flash), "not used any more").unwrap(), "1 segment: it failed");
    let (outcome, lines) = checked(&flash);
    assert_eq!(outcome, Outcome::Flawed);
    let whole = (0..SIZES.len()).filter(|number| *number != VICTIM);
    let expected = [
        "it was closed cleanly".to_owned(),
        "1 segment is not used any more, because something in there failed".to_owned(),
        format!("read 8 letters ({}) of 11 messages, 2 deleted ones", size(bytes(whole))),
        "damaged: 2 messages (1 letter), 1 place that cannot be read".to_owned(),
    ];
    let said: Vec<&String> = lines.iter().filter(|line| !line.starts_with("cannot be read:")).collect();
    assert_eq!(said, expected.iter().collect::<Vec<_>>(), "{lines:#?}");
    assert_eq!(lines.len(), expected.len() + 1, "the place is named: {lines:#?}");
}
