//! SIGTERM while clients are connected: all are told, what was promised is kept, and nobody holds up the end.

use std::time::{Duration, Instant};
use tests::clients::smtp::stuffed;
use tests::clients::{Imap, Smtp};
use tests::hosted::{Hosted, Options};
use tests::letters::numbered;
use tests::machine::Machine;
use tests::provision::{named_account, small_file};
use tests::scenarios;
use tests::site::Service;

const SENDER: &str = "ann@client.test";
const ALICE: &str = "alice@example.test";

/// The longest that people wait beside something that they have switched off.
const END_MAX: Duration = Duration::from_secs(10);

#[test]
fn who_is_connected_hears_the_end() {
    let mut hosted = Hosted::start_new("farewell");
    let site = hosted.site();
    scenarios::everyone_hears_the_end(&site, &site.account(), || drop(hosted.stop()));
}

/// A letter whose last dot has come is on its way to the flash when the end is asked for: its sender hears 250, then
/// good-bye, and it is there afterwards, once.
#[test]
fn a_letter_on_its_way_to_the_flash_is_answered_and_kept() {
    let words = ["--barrier-delay-ms", "400"].map(str::to_owned).to_vec();
    let provision = Some(small_file(&[ALICE]));
    let mut hosted = Hosted::new("last-letter", Options { provision, words, ..Options::default() });
    hosted.start();
    let site = hosted.site();
    let mut last = Smtp::connect(&site, Service::Smtp);
    last.letter(SENDER, &[ALICE], &numbered(1, 1_000));
    last.expect(250, &format!("MAIL FROM:<{SENDER}>"));
    last.expect(250, &format!("RCPT TO:<{ALICE}>"));
    last.expect(354, "DATA");
    let mut other = Smtp::connect(&site, Service::Smtp);
    last.wire.send(&stuffed(&numbered(2, 1_000))).expect("the connection is open");
    // One loop serves both in turn: when these are answered the dot is read, and its barrier takes far longer.
    other.expect(250, "NOOP");
    other.expect(250, "NOOP");
    hosted.stop();
    let reply = last.reply().expect("a reply to the letter");
    assert_eq!(reply.code, 250, "{}", reply.text());
    let rest = last.wire.rest().expect("the connection ends");
    assert!(rest.is_empty() || rest.starts_with("421 4.3.2 "), "{rest:?}");
    hosted.start();
    let mut imap = Imap::select(&site, &named_account(ALICE), "INBOX");
    assert_eq!(imap.uids().len(), 2, "each letter is there once");
    assert!(imap.letter(2).ends_with(&numbered(2, 1_000)));
}

/// A large letter is asked for, and nobody reads it.
#[test]
fn who_reads_nothing_does_not_hold_up_the_end() {
    let mut hosted = Hosted::start_new("never-reads");
    let site = hosted.site();
    let account = site.account();
    let mut imap = Imap::select(&site, &account, "INBOX");
    let letter = numbered(1, 16 << 20);
    imap.append("INBOX", "", &letter);
    imap.start("FETCH 1 BODY.PEEK[]").expect("the connection is open");
    let begun = imap.wire.line().expect("the answer begins");
    assert!(begun.starts_with(b"* 1 FETCH "), "{}", imap.wire.dialogue());
    let start = Instant::now();
    hosted.stop();
    assert!(start.elapsed() < END_MAX, "it ended after {:?}", start.elapsed());
    let sent = imap.wire.rest().expect("the connection ends").len();
    assert!(sent < letter.len(), "the system took all of it: nobody was waited for");
}
