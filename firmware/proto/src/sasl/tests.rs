//! Tests of the exchanges.

use alloc::{string::String, vec, vec::Vec};

use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::prelude::*;

use super::{Exchange, Failure, Mechanism, NoExchange, Offer, Progress, RESPONSE_BYTES_MAX};
use crate::{Answer, Login, LoginRefusal, Secret, Want, limits::CREDENTIAL_BYTES_MAX, testing::BINDING};

/// Everything that there can be.
pub(super) const ALL: Offer = Offer { scram: true, channel_binding: Some(BINDING) };

pub(super) fn base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

pub(super) fn begin(mechanism: &str, initial: Option<&[u8]>) -> (Exchange, Progress) {
    Exchange::begin(mechanism.as_bytes(), initial, ALL).unwrap()
}

fn credentials(progress: &Progress) -> (&str, &str) {
    match progress {
        Progress::Ask(Want::Login(login)) => (login.name.expose(), login.password.expose()),
        other => panic!("{other:?}"),
    }
}

pub(super) fn challenge(progress: &Progress) -> &str {
    match progress {
        Progress::Challenge(challenge) => challenge,
        other => panic!("{other:?}"),
    }
}

pub(super) fn failure(progress: &Progress) -> Failure {
    match progress {
        Progress::Failed(failure) => *failure,
        other => panic!("{other:?}"),
    }
}

fn plain(message: &[u8]) -> Progress {
    begin("PLAIN", Some(base64(message).as_bytes())).1
}

#[test]
fn names_of_mechanisms_have_no_case() {
    for (name, mechanism) in [
        (&b"plain"[..], Some(Mechanism::Plain)),
        (b"Login", Some(Mechanism::Login)),
        (b"scram-sha-256", Some(Mechanism::ScramSha256)),
        (b"SCRAM-SHA-256-plus", Some(Mechanism::ScramSha256Plus)),
        (b"SCRAM-SHA-1", None),
        (b"CRAM-MD5", None),
        (b"", None),
    ] {
        assert_eq!(ALL.named(name), mechanism);
    }
}

#[test]
fn what_cannot_be_used_is_neither_announced_nor_known() {
    let names = |offer: Offer| offer.mechanisms().map(Mechanism::name).collect::<Vec<_>>();
    let unbound = Offer { channel_binding: None, ..ALL };
    let without = Offer { scram: false, ..ALL };
    assert_eq!(names(ALL), ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"]);
    assert_eq!(names(unbound), ["SCRAM-SHA-256", "PLAIN", "LOGIN"]);
    assert_eq!(names(without), ["PLAIN", "LOGIN"]);
    for (offer, mechanism) in
        [(unbound, "SCRAM-SHA-256-PLUS"), (without, "SCRAM-SHA-256-PLUS"), (without, "SCRAM-SHA-256")]
    {
        let begun = Exchange::from_argument(mechanism.as_bytes(), offer);
        assert!(matches!(begun, Err(NoExchange::Unknown)), "{mechanism}");
    }
}

#[test]
fn the_word_of_the_driver_is_the_end() {
    let login = || Login { name: Secret::new("alice".into()), password: Secret::new("pw".into()) };
    let account = mail::AccountId(7);
    for (answer, result) in [
        (Some(Answer::Login(Ok(account))), Ok(account)),
        (Some(Answer::Login(Err(LoginRefusal::Credentials))), Err(LoginRefusal::Credentials)),
        (Some(Answer::Tls(None)), Err(LoginRefusal::Unavailable)),
        (None, Err(LoginRefusal::Unavailable)),
    ] {
        let (mut exchange, progress) = Exchange::password(login());
        assert_eq!(credentials(&progress), ("alice", "pw"));
        assert!(matches!(exchange.answered(answer), Progress::Over(over) if over == result));
    }
}

#[test]
fn plain_comes_with_the_command_or_behind_it() {
    let message = "\0alice@example.test\0pass wörd";
    assert_eq!(credentials(&plain(message.as_bytes())), ("alice@example.test", "pass wörd"));
    let (mut exchange, first) = begin("PLAIN", None);
    assert_eq!(challenge(&first), "");
    let answer = exchange.respond(base64(message).as_bytes());
    assert_eq!(credentials(&answer), ("alice@example.test", "pass wörd"));
}

#[test]
fn plain_acts_for_nobody_else() {
    assert_eq!(credentials(&plain(b"alice\0alice\0pw")), ("alice", "pw"));
    assert_eq!(failure(&plain(b"bob\0alice\0pw")), Failure::Identity);
}

#[test]
fn plain_has_three_fields_of_text() {
    for message in
        [&b""[..], b"alice", b"\0alice", b"\0\0pw", b"\0alice\0", b"\0alice\0p\0w", b"\0al\xff\0pw"]
    {
        assert_eq!(failure(&plain(message)), Failure::Malformed, "{}", message.escape_ascii());
    }
    assert_eq!(failure(&begin("PLAIN", Some(b"=")).1), Failure::Malformed);
}

#[test]
fn login_asks_for_name_and_password() {
    let (mut exchange, first) = begin("LOGIN", None);
    assert_eq!(challenge(&first), "VXNlcm5hbWU6");
    assert_eq!(challenge(&exchange.respond(base64("alice").as_bytes())), "UGFzc3dvcmQ6");
    assert_eq!(credentials(&exchange.respond(base64("pw").as_bytes())), ("alice", "pw"));
    let (mut exchange, first) = begin("LOGIN", Some(base64("alice").as_bytes()));
    assert_eq!(challenge(&first), "UGFzc3dvcmQ6");
    assert_eq!(credentials(&exchange.respond(base64("pw").as_bytes())), ("alice", "pw"));
}

#[test]
fn a_star_cancels() {
    for mechanism in Mechanism::ALL {
        let (mut exchange, _) = begin(mechanism.name(), None);
        assert!(matches!(exchange.respond(b"*"), Progress::Cancelled));
    }
}

#[test]
fn limits_hold() {
    let longest = vec![b'a'; CREDENTIAL_BYTES_MAX];
    let message = [&longest[..], b"\0", &longest, b"\0", &longest].concat();
    assert_eq!(base64(&message).len(), RESPONSE_BYTES_MAX);
    credentials(&plain(&message));
    let too_long = vec![b'a'; CREDENTIAL_BYTES_MAX + 1];
    assert_eq!(failure(&plain(&[b"\0a\0", &too_long[..]].concat())), Failure::TooLong);
    let flood = vec![b'A'; RESPONSE_BYTES_MAX + 4];
    assert_eq!(failure(&begin("LOGIN", Some(&flood)).1), Failure::TooLong);
}

#[test]
fn what_is_not_base64_is_said_to_be_so() {
    for response in [&b"YWxpY2U"[..], b"YWxp Y2U=", b"!", b"YWxpY2U=\r", b"=="] {
        let (mut exchange, _) = begin("LOGIN", None);
        assert_eq!(failure(&exchange.respond(response)), Failure::Base64, "{}", response.escape_ascii());
    }
}

#[test]
fn secrets_are_not_printed() {
    let printed = alloc::format!("{:?}", plain(b"\0alice\0hunter2"));
    assert!(!printed.contains("alice") && !printed.contains("hunter2"), "{printed}");
}

proptest! {
    #[test]
    fn any_lines_are_taken_without_a_panic(lines: Vec<Vec<u8>>, mechanism in 0..Mechanism::ALL.len()) {
        let (mut exchange, _) = begin(Mechanism::ALL[mechanism].name(), lines.first().map(Vec::as_slice));
        for line in &lines {
            let _ = exchange.respond(line);
            let _ = exchange.respond(base64(line).as_bytes());
        }
    }
}
