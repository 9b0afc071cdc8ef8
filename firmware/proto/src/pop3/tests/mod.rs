//! Tests of the POP3 session. Conversations are in `../transcripts`, one behaviour each; what a transcript cannot say is
//! here: two sessions, what is seen when, long listings, letters of any bytes, hostile input.

mod letters;
mod sessions;

use alloc::{borrow::ToOwned, rc::Rc};

use mail::Flags;

use super::{Config, Pop3Session, refuse};
use crate::{
    Output, Peer, Reason,
    testing::{Driver, FakeMail, NOW, Settings, TLS_PEER, peer, play_all},
};

const LETTERS: [&[u8]; 3] = [
    b"Subject: one\r\n\r\nfirst\r\n",
    b"Subject: two\r\n\r\n.\r\n..dots\r\nend\r\n",
    b"Subject: three\r\n\r\nno line end",
];

fn config() -> Config {
    Config { hostname: "mail.example.test".to_owned(), scram: false }
}

fn session(peer: Peer) -> Pop3Session {
    Pop3Session::new(Rc::new(config()), peer, NOW)
}

/// Mail with these letters in alice's INBOX.
fn mail_with<'a>(letters: impl IntoIterator<Item = &'a [u8]>) -> FakeMail {
    let mut mail = FakeMail::new();
    let inbox = mail.mailbox_of("alice@example.test", "INBOX");
    letters.into_iter().for_each(|letter| mail.deliver(inbox, Flags::NONE, letter, b""));
    mail
}

fn open(settings: &Settings) -> (Pop3Session, FakeMail) {
    let peer = peer(|word| settings.has(word));
    let config = Config { scram: settings.has("scram"), ..config() };
    let letters = if settings.has("letters") { &LETTERS[..] } else { &[] };
    (Pop3Session::new(Rc::new(config), peer, NOW), mail_with(letters.iter().copied()))
}

/// Alice, logged in.
fn alice(mail: FakeMail) -> Driver<Pop3Session> {
    let mut driver = Driver::new(session(TLS_PEER), mail);
    driver.send(b"AUTH PLAIN AGFsaWNlAHNlY3JldCBvZiBhbGljZQ==\r\n");
    assert!(driver.received().ends_with(b" octets)\r\n"));
    driver
}

#[test]
fn transcripts() {
    play_all("src/pop3/transcripts", open);
}

#[test]
fn who_is_turned_away_is_told_why() {
    let config = config();
    for (reason, expected) in [
        (
            Reason::Unclaimed,
            "-ERR [SYS/PERM] This box is not set up yet: open its page in a web browser and claim it \
             (mail.example.test)\r\n",
        ),
        (
            Reason::TooManyConnections,
            "-ERR [SYS/TEMP] Too many connections are open; try again later (mail.example.test)\r\n",
        ),
        (
            Reason::ShuttingDown,
            "-ERR [SYS/TEMP] This box is being switched off; try again later (mail.example.test)\r\n",
        ),
    ] {
        let mut output = Output::new();
        refuse(&mut output, &config, reason);
        assert_eq!(output.pending(), expected.as_bytes());
    }
}
