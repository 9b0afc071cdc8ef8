//! What is kept of a letter, and when it is said to be.

use alloc::{string::String, vec, vec::Vec};

use mail::{Refusal, Ticks, UnixTime};
use proptest::prelude::*;

use super::{address, config, kept, port_25, port_465, session};
use crate::{
    mime::Summary,
    smtp::{Mode, SmtpSession},
    testing::{Driver, FakeMail, NOW, PEER, Waiting},
};

fn text_kept(driver: &Driver<SmtpSession>, address: &str) -> String {
    let messages = driver.mail.messages(address, "INBOX");
    String::from_utf8(messages.last().unwrap().bytes.to_vec()).unwrap()
}

#[test]
fn the_trace_names_the_only_recipient() {
    let mut driver = port_25();
    address(&mut driver, &["Alice+x@example.test"]);
    driver.send(b"Subject: hello\r\n\r\nbody\r\n.\r\n");
    assert_eq!(driver.received(), b"250 2.0.0 Ok, kept as 1NFFZJ5-1\r\n");
    assert_eq!(
        text_kept(&driver, "alice@example.test"),
        "Return-Path: <carol@elsewhere.test>\r\n\
         Received: from client.test ([192.0.2.7])\r\n\
         \tby mail.example.test (Tegami) with ESMTP id 1NFFZJ5-1\r\n\
         \tfor <Alice+x@example.test>;\r\n\
         \tSat, 14 Nov 2026 15:23:01 +0900\r\n\
         Subject: hello\r\n\r\nbody\r\n"
    );
    let message = &driver.mail.messages("alice@example.test", "INBOX")[0];
    assert_eq!((message.line.received, message.line.zone_minutes), (NOW.unix, 540));
    // The summary is of the letter as it is kept, the lines before it included.
    let summary = Summary::read(&message.summary).unwrap();
    assert_eq!(&message.bytes[summary.header_len() as usize..], b"body\r\n");
}

#[test]
fn the_trace_names_no_recipient_of_many() {
    let mut driver = port_25();
    driver.send(b"HELO two words\r\nMAIL FROM:<>\r\n");
    driver.send(b"RCPT TO:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n.\r\n");
    for name in ["alice@example.test", "bob@example.test"] {
        assert_eq!(
            text_kept(&driver, name),
            "Return-Path: <>\r\n\
             Received: from [192.0.2.7] ([192.0.2.7])\r\n\
             \tby mail.example.test (Tegami) with SMTP id 1NFFZJ5-1;\r\n\
             \tSat, 14 Nov 2026 15:23:01 +0900\r\n"
        );
    }
}

#[test]
fn the_trace_tells_of_tls_and_log_in() {
    let mut driver = port_465();
    driver.send("MAIL FROM:<alice@example.test> SMTPUTF8\r\nRCPT TO:<bob@example.test>\r\n".as_bytes());
    driver.send(b"DATA\r\nDate: x\r\nMessage-ID: y\r\n.\r\n");
    assert_eq!(
        text_kept(&driver, "bob@example.test"),
        "Return-Path: <alice@example.test>\r\n\
         Received: from [192.0.2.7] ([192.0.2.7])\r\n\
         \tby mail.example.test (Tegami) with UTF8SMTPSA id 1NFFZJ5-1\r\n\
         \tfor <bob@example.test>;\r\n\
         \tSat, 14 Nov 2026 15:23:01 +0900\r\n\
         Date: x\r\nMessage-ID: y\r\n"
    );
}

#[test]
fn a_recipient_named_twice_is_one() {
    let mut driver = port_25();
    address(&mut driver, &["alice@example.test", "ALICE@example.test"]);
    driver.send(b".\r\n");
    assert!(text_kept(&driver, "alice@example.test").contains("\tfor <alice@example.test>;\r\n"));
}

#[test]
fn nothing_is_said_or_seen_before_the_letter_is_durable() {
    let mut driver = port_25();
    address(&mut driver, &["alice@example.test"]);
    driver.hold_commits = true;
    driver.send(b"body\r\n.\r\nNOOP\r\n");
    assert_eq!(driver.waiting, Waiting::Durable);
    assert_eq!(driver.received(), b"");
    assert_eq!(driver.mail.messages("alice@example.test", "INBOX").len(), 0);
    // However long the barrier takes, the client is not to blame.
    assert!(driver.mail.has_pending());
    assert_eq!(crate::Session::deadline(&driver.session), Ticks(u64::MAX));
    driver.commit();
    assert_eq!(driver.received(), b"250 2.0.0 Ok, kept as 1NFFZJ5-1\r\n250 2.0.0 Ok\r\n");
    assert_eq!(driver.mail.messages("alice@example.test", "INBOX").len(), 1);
}

#[test]
fn a_letter_given_up_leaves_no_draft() {
    let mut driver = port_25();
    driver.send(b"HELO a\r\nMAIL FROM:<>\r\n");
    assert_eq!(driver.mail.open_drafts(), 1);
    driver.send(b"RSET\r\n");
    assert_eq!(driver.mail.open_drafts(), 0);
    driver.send(b"MAIL FROM:<>\r\nEHLO a\r\n");
    assert_eq!(driver.mail.open_drafts(), 0);
    driver.received();
    address(&mut driver, &["alice@example.test"]);
    assert_eq!(driver.mail.open_drafts(), 1);
    driver.send(b"a bare\nline end\r\n");
    assert_eq!(driver.mail.open_drafts(), 0, "refused, although its end has not been seen");
    driver.send(b".\r\n");
    driver.received();
    address(&mut driver, &["alice@example.test"]);
    driver.send(b"body\r\n.\r\n");
    assert_eq!(driver.mail.open_drafts(), 0);
    driver.received();
    address(&mut driver, &["alice@example.test"]);
    driver.wait(3_600_000);
    assert!(driver.is_closed());
    assert_eq!(driver.mail.open_drafts(), 0);
}

#[test]
fn japanese_letters_and_odd_bytes_are_kept_byte_for_byte() {
    let iso_2022_jp = b"Subject: \x1b$B<j;f\x1b(B\r\n\r\n\x1b$B$3$s$K$A$O\x1b(B\r\n..\x1b$B!#\x1b(B\r\n";
    let shift_jis = b"Subject: \x8e\xe8\x8e\x86\r\n\r\n\x82\xb1\x82\xf1\r\n";
    let utf8 = "Subject: 手紙\r\n\r\nこんにちは\r\n".as_bytes();
    let nul = b"Subject: a\0b\r\n\r\n\0\0\x1a\x7f\xff\xfe\r\n";
    for letter in [&iso_2022_jp[..], shift_jis, utf8, nul] {
        for size in [1, 2, 3, 7, letter.len() + 3] {
            let mut driver = port_25();
            address(&mut driver, &["alice@example.test"]);
            let body = [letter, b".\r\n"].concat();
            body.chunks(size).for_each(|chunk| driver.send(chunk));
            assert_eq!(kept(&driver), unstuffed(letter));
        }
    }
}

/// What a receiver makes of a body, without its end.
fn unstuffed(body: &[u8]) -> Vec<u8> {
    let lines = body.split_inclusive(|byte| *byte == b'\n');
    lines.flat_map(|line| line.strip_prefix(b".").unwrap_or(line)).copied().collect()
}

#[test]
fn lines_beyond_998_bytes_are_kept_as_they_are() {
    let mut letter = vec![b'x'; 100_000];
    letter.extend_from_slice(b"\r\n");
    let mut driver = port_25();
    address(&mut driver, &["alice@example.test"]);
    letter.chunks(16 * 1024).for_each(|chunk| driver.send(chunk));
    driver.send(b".\r\n");
    assert_eq!(kept(&driver), letter);
}

#[test]
fn a_letter_of_exactly_the_limit_passes() {
    let max = 10_000;
    let config = super::Config { message_bytes_max: max as u64, ..config() };
    for (size, accepted) in [(max, true), (max + 1, false)] {
        let mut driver = Driver::new(session(Mode::Mx, PEER, config.clone()), FakeMail::new());
        driver.received();
        address(&mut driver, &["alice@example.test"]);
        let mut letter = vec![b'x'; size - 2];
        letter.extend_from_slice(b"\r\n.\r\n");
        driver.send(&letter);
        assert_eq!(driver.received().starts_with(b"250 "), accepted, "{size}");
    }
}

#[test]
fn the_date_of_a_letter_is_when_it_was_complete() {
    let mut driver = port_25();
    address(&mut driver, &["alice@example.test"]);
    driver.wait(60_000);
    driver.send(b".\r\n");
    let message = &driver.mail.messages("alice@example.test", "INBOX")[0];
    assert_eq!(message.line.received, UnixTime(NOW.unix.0 + 60));
}

#[test]
fn the_store_has_the_last_word_on_size() {
    let mut driver = port_25();
    driver.mail.message_bytes_max = Some(1000);
    address(&mut driver, &["alice@example.test"]);
    driver.send(&[&[b'x'; 1000][..], b"\r\n.\r\n"].concat());
    assert_eq!(driver.received(), b"552 5.3.4 The letter is larger than this box takes\r\n");
    driver.mail.commit_refusal = Some(Refusal::StoreFull);
    address(&mut driver, &["alice@example.test"]);
    driver.send(b".\r\n");
    assert_eq!(driver.received(), b"452 4.3.1 The storage of this box is full; try again later\r\n");
}

proptest! {
    #[test]
    fn any_letter_of_whole_lines_is_kept_byte_for_byte(
        lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..40),
        cuts in prop::collection::vec(1_usize..200, 1..20),
        queue in prop::option::of(1_usize..300),
        busy in 0_u32..4,
    ) {
        let mut letter = Vec::new();
        let mut body = Vec::new();
        for mut line in lines {
            line.retain(|byte| *byte != b'\r' && *byte != b'\n');
            line.extend_from_slice(b"\r\n");
            if line.starts_with(b".") {
                body.push(b'.');
            }
            body.extend_from_slice(&line);
            letter.extend_from_slice(&line);
        }
        body.extend_from_slice(b".\r\n");
        let mut driver = port_25();
        driver.mail.queue_bytes = queue;
        driver.mail.busy = busy;
        address(&mut driver, &["alice@example.test"]);
        let mut rest = &body[..];
        for cut in cuts.iter().cycle() {
            let (chunk, behind) = rest.split_at((*cut).min(rest.len()));
            driver.send(chunk);
            rest = behind;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert!(driver.received().starts_with(b"250 2.0.0 "));
        let trace = "\tfor <alice@example.test>;\r\n\tSat, 14 Nov 2026 15:23:01 +0900\r\n";
        let bytes = driver.mail.messages("alice@example.test", "INBOX")[0].bytes.to_vec();
        let end = bytes.windows(trace.len()).position(|window| window == trace.as_bytes()).unwrap() + trace.len();
        prop_assert_eq!(&bytes[end..], &letter[..]);
    }
}
