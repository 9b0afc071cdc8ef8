//! Both of our sides together, over buffers in memory: what one sends is what the other keeps.

use alloc::{borrow::ToOwned, format, rc::Rc, string::String, vec::Vec};

use proptest::prelude::*;

use super::{Body, Config, SmtpClient, Tls, config, job, login, result};
use crate::{
    smtp::{self, Mode, SmtpSession},
    testing::{Driver, FakeMail, NOW, PEER, TLS_PEER, Waiting},
};

/// A client and a server that hear one another.
struct Pair {
    client: Driver<SmtpClient>,
    server: Driver<SmtpSession>,
    /// The server's PIPELINING does not get through.
    one_by_one: bool,
    /// Bytes that get through at once.
    piece: usize,
}

impl Pair {
    fn new(config: Config, mode: Mode) -> Self {
        Self::serving(config, mode, false)
    }

    /// A server with SCRAM, which knows `user` of RFC 7677 §3, and a client with this password.
    fn with_scram(password: &str) -> Self {
        let login = Some(login("user", password));
        Self::serving(Config { tls: Tls::Implicit, login, ..config() }, Mode::Submission, true)
    }

    fn serving(config: Config, mode: Mode, scram: bool) -> Self {
        let peer = if config.tls == Tls::Implicit { TLS_PEER } else { PEER };
        let hostname = "mx.example.test".to_owned();
        let served = smtp::Config { scram, hostname, ..smtp::tests::config() };
        let server = SmtpSession::new(Rc::new(served), mode, peer, NOW);
        Self {
            client: Driver::new(SmtpClient::new(Rc::new(config), NOW), FakeMail::new()),
            server: Driver::new(server, FakeMail::new()),
            one_by_one: false,
            piece: usize::MAX,
        }
    }

    /// Carries bytes to and fro until nobody says anything.
    fn run(&mut self) {
        loop {
            let mut replies = self.server.received();
            if self.one_by_one {
                replies = String::from_utf8(replies).unwrap().replace("250-PIPELINING\r\n", "").into();
            }
            replies.chunks(self.piece).for_each(|piece| self.client.send(piece));
            let commands = self.client.received();
            commands.chunks(self.piece).for_each(|piece| self.server.send(piece));
            if replies.is_empty() && commands.is_empty() {
                return;
            }
        }
    }

    /// Sends a letter to these, and gives what came of it.
    fn send(&mut self, to: &[&str], letter: &[u8], body: Body) -> String {
        let mut job = job(&mut self.client.mail, to, letter);
        job.body = body;
        self.client.session.give(job.into()).unwrap();
        self.client.run();
        self.run();
        result(&mut self.client).0
    }

    /// The letters that the server keeps for `address`, without the lines that it put before them.
    fn kept(&self, address: &str) -> Vec<Vec<u8>> {
        let messages = self.server.mail.messages(address, "INBOX");
        let letter = |bytes: &[u8]| {
            let trace = b"+0900\r\n";
            let end = bytes.windows(trace.len()).position(|window| window == trace).unwrap();
            bytes[end + trace.len()..].to_vec()
        };
        messages.iter().map(|message| letter(&message.bytes)).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn letters_are_delivered_byte_for_byte(
        letters in prop::collection::vec(
            prop::collection::vec(prop::collection::vec(prop_oneof![Just(b'.'), any::<u8>()], 0..60), 1..20),
            1..4,
        ),
        one_by_one in any::<bool>(),
        piece in prop_oneof![Just(usize::MAX), 1_usize..50],
    ) {
        let mut pair = Pair::new(config(), Mode::Mx);
        pair.one_by_one = one_by_one;
        pair.piece = piece;
        pair.run();
        prop_assert_eq!(pair.client.waiting, Waiting::Work);
        let mut sent = Vec::new();
        for lines in letters {
            let mut letter = Vec::new();
            for mut line in lines {
                line.retain(|byte| !b"\r\n".contains(byte));
                letter.extend_from_slice(&line);
                letter.extend_from_slice(b"\r\n");
            }
            let outcome = pair.send(&["alice@example.test", "nobody@example.test", "bob@example.test"], &letter, Body::EightBit);
            let parts: Vec<&str> = outcome.split(" | ").collect();
            prop_assert!(parts[0].starts_with("1 delivered 250 2.0.0 Ok, kept as "), "{}", outcome);
            prop_assert!(parts[1].starts_with("2 refused Recipient 550 5.1.1 "), "{}", outcome);
            prop_assert!(parts[2].starts_with("3 delivered 250 2.0.0 Ok, kept as "), "{}", outcome);
            sent.push(letter);
        }
        prop_assert_eq!(&pair.kept("alice@example.test"), &sent);
        prop_assert_eq!(&pair.kept("bob@example.test"), &sent);
        pair.client.session.finish();
        pair.client.run();
        pair.run();
        prop_assert!(pair.client.is_closed() && pair.server.is_closed());
        prop_assert_eq!(result(&mut pair.client).1, "Done");
    }
}

#[test]
fn a_letter_after_one_that_came_to_nothing_is_delivered() {
    let mut pair = Pair::new(config(), Mode::Mx);
    pair.run();
    let outcome = pair.send(&["nobody@example.test"], b"one\r\n", Body::SevenBit);
    assert!(outcome.starts_with("1 refused Recipient 550 5.1.1 "), "{outcome}");
    let outcome = pair.send(&["x@elsewhere.test", "alice@example.test"], b"two\r\n", Body::SevenBit);
    assert!(outcome.starts_with("1 refused Recipient 550 5.7.1 "), "{outcome}");
    assert_eq!(pair.kept("alice@example.test"), [b"two\r\n"]);
}

#[test]
fn a_large_letter_is_delivered_through_small_pieces() {
    let letter = b".a line that begins with a dot\r\n..\r\n.\r\nand some more\r\n".repeat(20_000);
    let mut pair = Pair::new(config(), Mode::Mx);
    pair.piece = 1400;
    pair.client.mail.cold = 3;
    pair.run();
    let outcome = pair.send(&["alice@example.test"], &letter, Body::SevenBit);
    assert!(outcome.starts_with("1 delivered "), "{outcome}");
    assert!(pair.kept("alice@example.test") == [letter]);
}

#[test]
fn starttls_and_log_in_work_between_the_two() {
    for (tls, handshakes) in [(Tls::Required, 1), (Tls::Opportunistic, 1), (Tls::Implicit, 0)] {
        let login = Some(login("alice@example.test", "secret of alice"));
        let mut pair = Pair::new(Config { tls, login, ..config() }, Mode::Submission);
        pair.run();
        assert_eq!((pair.client.tls_started, pair.server.tls_started), (handshakes, handshakes));
        let outcome = pair.send(&["bob@example.test"], b"hello\r\n", Body::SevenBit);
        assert!(outcome.starts_with("1 delivered "), "{outcome}");
    }
}

#[test]
fn log_in_by_proof_works_between_the_two() {
    let mut pair = Pair::with_scram("pencil");
    pair.run();
    assert_eq!((pair.client.proofs_made, pair.client.waiting), (1, Waiting::Work));
    let outcome = pair.send(&["bob@example.test"], b"hello\r\n", Body::SevenBit);
    assert!(outcome.starts_with("1 delivered "), "{outcome}");
    let mut pair = Pair::with_scram("pen");
    pair.run();
    assert_eq!(result(&mut pair.client).1, "Refused Auth 535 5.7.8 Name or password is wrong");
}

#[test]
fn a_wrong_password_is_told_from_everything_else() {
    let login = Some(login("alice@example.test", "wrong"));
    let mut pair = Pair::new(Config { tls: Tls::Implicit, login, ..config() }, Mode::Submission);
    pair.run();
    let said = "Refused Auth 535 5.7.8 Name or password is wrong";
    assert_eq!(result(&mut pair.client), ("none".to_owned(), said.to_owned()));
    assert!(pair.client.is_closed());
}

#[test]
fn more_recipients_than_a_letter_can_have_are_left_for_the_next() {
    let mut pair = Pair::new(config(), Mode::Mx);
    let names: Vec<String> =
        (0..mail::limits::RECIPIENTS_MAX + 2).map(|n| format!("r{n}@example.test")).collect();
    for name in &names {
        pair.server.mail.add_account(name, "");
    }
    pair.run();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let outcome = pair.send(&names, b"hello\r\n", Body::SevenBit);
    assert!(outcome.ends_with(" | 1001 left | 1002 left"), "{outcome}");
    assert!(outcome.contains(" | 1000 delivered 250 "));
}
