//! Tests of the exchanges.

use alloc::{string::String, vec, vec::Vec};

use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::prelude::*;

use super::{Exchange, Failure, Mechanism, Progress, RESPONSE_BYTES_MAX};
use crate::limits::CREDENTIAL_BYTES_MAX;

fn base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

fn credentials(progress: &Progress) -> (&str, &str) {
    match progress {
        Progress::Credentials(login) => (login.name.expose(), login.password.expose()),
        other => panic!("{other:?}"),
    }
}

fn failure(progress: &Progress) -> Failure {
    match progress {
        Progress::Failed(failure) => *failure,
        other => panic!("{other:?}"),
    }
}

fn plain(message: &[u8]) -> Progress {
    Exchange::begin(Mechanism::Plain, Some(base64(message).as_bytes())).1
}

#[test]
fn names_of_mechanisms_have_no_case() {
    assert_eq!(Mechanism::named(b"plain"), Some(Mechanism::Plain));
    assert_eq!(Mechanism::named(b"Login"), Some(Mechanism::Login));
    assert_eq!(Mechanism::named(b"CRAM-MD5"), None);
    assert_eq!(Mechanism::named(b""), None);
}

#[test]
fn plain_comes_with_the_command_or_behind_it() {
    let message = "\0alice@example.test\0pass wörd";
    assert_eq!(credentials(&plain(message.as_bytes())), ("alice@example.test", "pass wörd"));
    let (mut exchange, challenge) = Exchange::begin(Mechanism::Plain, None);
    assert!(matches!(challenge, Progress::Challenge("")));
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
    assert_eq!(failure(&Exchange::begin(Mechanism::Plain, Some(b"=")).1), Failure::Malformed);
}

#[test]
fn login_asks_for_name_and_password() {
    let (mut exchange, challenge) = Exchange::begin(Mechanism::Login, None);
    assert!(matches!(challenge, Progress::Challenge("VXNlcm5hbWU6")));
    assert!(matches!(exchange.respond(base64("alice").as_bytes()), Progress::Challenge("UGFzc3dvcmQ6")));
    assert_eq!(credentials(&exchange.respond(base64("pw").as_bytes())), ("alice", "pw"));
    let (mut exchange, challenge) = Exchange::begin(Mechanism::Login, Some(base64("alice").as_bytes()));
    assert!(matches!(challenge, Progress::Challenge("UGFzc3dvcmQ6")));
    assert_eq!(credentials(&exchange.respond(base64("pw").as_bytes())), ("alice", "pw"));
}

#[test]
fn a_star_cancels() {
    for mechanism in [Mechanism::Plain, Mechanism::Login] {
        let (mut exchange, _) = Exchange::begin(mechanism, None);
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
    assert_eq!(failure(&Exchange::begin(Mechanism::Login, Some(&flood)).1), Failure::TooLong);
}

#[test]
fn what_is_not_base64_is_said_to_be_so() {
    for response in [&b"YWxpY2U"[..], b"YWxp Y2U=", b"!", b"YWxpY2U=\r", b"=="] {
        let (mut exchange, _) = Exchange::begin(Mechanism::Login, None);
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
    fn any_lines_are_taken_without_a_panic(lines: Vec<Vec<u8>>, login: bool) {
        let mechanism = if login { Mechanism::Login } else { Mechanism::Plain };
        let (mut exchange, _) = Exchange::begin(mechanism, lines.first().map(Vec::as_slice));
        for line in &lines {
            let _ = exchange.respond(line);
            let _ = exchange.respond(base64(line).as_bytes());
        }
    }
}
