//! Tests of the IMAP session. Conversations are in `../transcripts`, one behaviour each; what a transcript cannot say is
//! here: two sessions at one mailbox, what is seen before it is durable, hostile input, large mailboxes.

mod bounds;
mod long_headers;
mod oracle;
mod reports;
mod speed;
mod two_sessions;

use alloc::{borrow::ToOwned, format, rc::Rc, string::String, vec::Vec};

use mail::{Flags, MailboxId};

use super::{Config, ImapSession};
use crate::{
    Peer,
    mime::Scanner,
    testing::{Driver, FakeMail, NOW, PEER, Settings, TLS_PEER, peer, play_all},
};

const ALICE: &str = "alice@example.test";

fn session(peer: Peer) -> ImapSession {
    session_with(peer, config())
}

fn config() -> Config {
    Config { hostname: "mail.example.test".to_owned(), alert: None, scram: false }
}

fn session_with(peer: Peer, config: Config) -> ImapSession {
    ImapSession::new(Rc::new(config), peer, NOW)
}

/// What the words behind `-- with` mean: those of [`peer`]; `scram`: everybody can log in with it; `alert`: there is
/// something to tell everybody; `login`: alice is logged in; `letters`: there are letters in her INBOX; `inbox`: all of
/// that, and it is selected.
fn open(settings: &Settings) -> (ImapSession, FakeMail) {
    open_with(|word| settings.has(word))
}

fn open_with(has: impl Fn(&str) -> bool) -> (ImapSession, FakeMail) {
    let mut mail = FakeMail::new();
    if has("letters") || has("inbox") {
        put_letters(&mut mail);
    }
    if has("inbox") {
        let driver = inbox(mail);
        return (driver.session, driver.mail);
    }
    if has("login") {
        let driver = logged_in(mail);
        return (driver.session, driver.mail);
    }
    let alert = has("alert").then_some("The flash takes no more writes");
    (session_with(peer(&has), Config { alert, scram: has("scram"), ..config() }), mail)
}

/// A session of alice.
fn logged_in(mail: FakeMail) -> Driver<ImapSession> {
    let mut driver = Driver::new(session(TLS_PEER), mail);
    driver.send(b"0 LOGIN alice \"secret of alice\"\r\n");
    let said = driver.received();
    assert!(said.ends_with(b"Logged in\r\n"), "{}", said.escape_ascii());
    driver
}

/// A session of alice that has selected INBOX.
fn inbox(mail: FakeMail) -> Driver<ImapSession> {
    let mut driver = logged_in(mail);
    driver.send(b"0 SELECT INBOX\r\n");
    assert!(driver.received().ends_with(b"0 OK [READ-WRITE] Opened\r\n"));
    driver
}

/// Sends a line and gives what is said to it.
fn say(driver: &mut Driver<ImapSession>, line: &str) -> String {
    driver.send(format!("{line}\r\n").as_bytes());
    String::from_utf8_lossy(&driver.received()).into_owned()
}

/// What the scanner makes of a letter.
fn summary(letter: &[u8]) -> Vec<u8> {
    let mut scanner = Scanner::new();
    scanner.feed(letter);
    scanner.finish()
}

fn deliver(mail: &mut FakeMail, mailbox: MailboxId, flags: Flags, letter: &[u8]) {
    mail.deliver(mailbox, flags, letter, &summary(letter));
}

/// Four letters for alice's INBOX: plain; a multipart with a letter in it; Japanese; large.
fn put_letters(mail: &mut FakeMail) {
    let inbox = mail.mailbox_of(ALICE, "INBOX");
    deliver(mail, inbox, Flags::SEEN, PLAIN);
    deliver(mail, inbox, Flags::NONE, MIXED);
    deliver(mail, inbox, Flags::FLAGGED, JAPANESE);
    deliver(mail, inbox, Flags::DELETED, &large());
}

const PLAIN: &[u8] = b"Return-Path: <bob@example.test>\r\n\
Date: Mon, 7 Feb 1994 21:52:25 -0800\r\n\
From: Bob Baker <bob@example.test>\r\n\
To: Alice <alice@example.test>\r\n\
Subject: afternoon\r\n meeting\r\n\
Message-ID: <1@example.test>\r\n\
\r\n\
Shall we meet at three?\r\n";

const MIXED: &[u8] = b"Date: Tue, 1 Apr 1997 09:06:31 +0900\r\n\
From: =?UTF-8?B?5bGx55Sw?= <yamada@example.test>\r\n\
To: alice@example.test, info@example.test\r\n\
Subject: two parts\r\n\
MIME-Version: 1.0\r\n\
Content-Type: multipart/mixed; boundary=\"cut\"\r\n\
\r\n\
for old readers\r\n\
--cut\r\n\
Content-Type: text/plain; charset=utf-8\r\n\
Content-Transfer-Encoding: quoted-printable\r\n\
\r\n\
Caf=C3=A9 and more\r\n\
--cut\r\n\
Content-Type: message/rfc822\r\n\
\r\n\
From: carol@elsewhere.test\r\n\
Subject: inside\r\n\
\r\n\
The inner text.\r\n\
--cut--\r\n";

/// ISO-2022-JP: subject and text.
const JAPANESE: &[u8] = b"Date: Wed, 5 Nov 2025 10:00:00 +0900\r\n\
From: tanaka@example.test\r\n\
To: alice@example.test\r\n\
Subject: =?ISO-2022-JP?B?GyRCMnE1RCROJCpDTiRpJDsbKEI=?=\r\n\
MIME-Version: 1.0\r\n\
Content-Type: text/plain; charset=ISO-2022-JP\r\n\
Content-Transfer-Encoding: 7bit\r\n\
\r\n\
\x1b$BL@F|$N2q5D$O;0;~$G$9!#\x1b(B\r\n";

/// More than one output buffer.
fn large() -> Vec<u8> {
    let mut letter = b"From: scanner@example.test\r\nSubject: large\r\n\r\n".to_vec();
    for line in 0..5_000 {
        letter.extend_from_slice(format!("line {line:06}\r\n").as_bytes());
    }
    letter
}

#[test]
fn transcripts_hold() {
    play_all("src/imap/transcripts", open);
}
