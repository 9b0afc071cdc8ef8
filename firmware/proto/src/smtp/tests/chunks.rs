//! Letters by BDAT (RFC 3030): which bytes are kept, and when that is said.

use alloc::{format, string::String, vec, vec::Vec};

use proptest::prelude::*;

use super::{by_bdat, by_data, envelope, kept, port_25};
use crate::{
    mime::Summary,
    smtp::SmtpSession,
    testing::{Driver, Waiting},
};

const CHUNK_OK: &[u8] = b"250 2.0.0 Ok; go on with the next chunk\r\n";

/// A connection to port 25 that has said that a letter for alice follows.
fn addressed(parameters: &str) -> Driver<SmtpSession> {
    let mut driver = port_25();
    envelope(&mut driver, parameters, &["alice@example.test"]);
    driver
}

#[test]
fn a_binary_letter_is_kept_byte_for_byte() {
    let every_byte: Vec<u8> = (0..=255).collect();
    let letters: [&[u8]; 5] =
        [b"\r", b"\n.\n", b"Subject: x\r\n\r\n\0\r\r\n\n\r.\r\n.\r\nQUIT\r\n\r", b"", &every_byte];
    for letter in letters {
        for size in [1, 2, 3, 300] {
            let mut driver = addressed(" BODY=BINARYMIME");
            by_bdat(letter, size).chunks(size).for_each(|piece| driver.send(piece));
            assert_eq!(kept(&driver), letter);
            let message = &driver.mail.messages("alice@example.test", "INBOX")[0];
            assert!(Summary::read(&message.summary).is_some());
        }
    }
}

#[test]
fn a_letter_that_does_not_end_with_a_line_end_gets_none() {
    for parameters in ["", " BODY=8BITMIME", " BODY=BINARYMIME"] {
        let mut driver = addressed(parameters);
        driver.send(b"BDAT 20 LAST\r\nSubject: x\r\n\r\nno end");
        assert_eq!(kept(&driver), b"Subject: x\r\n\r\nno end");
    }
}

#[test]
fn the_last_chunk_is_answered_when_the_letter_is_durable() {
    let mut driver = addressed("");
    driver.hold_commits = true;
    driver.send(b"BDAT 6\r\nbody\r\nBDAT 0 LAST\r\nNOOP\r\n");
    assert_eq!(driver.waiting, Waiting::Durable);
    assert_eq!(driver.received(), CHUNK_OK);
    assert_eq!(driver.mail.messages("alice@example.test", "INBOX").len(), 0);
    driver.commit();
    assert_eq!(driver.received(), b"250 2.0.0 Ok, kept as 1NFFZJ5-1\r\n250 2.0.0 Ok\r\n");
    assert_eq!(driver.mail.messages("alice@example.test", "INBOX").len(), 1);
}

#[test]
fn a_letter_given_up_between_chunks_leaves_no_draft() {
    for last_word in [&b"RSET\r\n"[..], b"EHLO a\r\n", b"QUIT\r\n", b"BDAT x\r\n", b"GET / HTTP/1.1\r\n"] {
        let mut driver = addressed("");
        driver.send(b"BDAT 6\r\nbody\r\n");
        assert_eq!(driver.mail.open_drafts(), 1);
        driver.send(last_word);
        assert_eq!(driver.mail.open_drafts(), 0, "{}", last_word.escape_ascii());
    }
    let mut driver = addressed("");
    driver.send(b"BDAT 6\r\nbo");
    driver.wait(3_600_000);
    assert!(driver.is_closed());
    assert_eq!(driver.mail.open_drafts(), 0);
}

#[test]
fn a_letter_is_dated_by_its_first_chunk_and_received_with_its_last() {
    let mut driver = addressed("");
    driver.send(b"BDAT 6\r\nbody\r\n");
    driver.wait(60_000);
    driver.send(b"BDAT 0 LAST\r\n");
    let message = &driver.mail.messages("alice@example.test", "INBOX")[0];
    assert_eq!(message.line.received.0, crate::testing::NOW.unix.0 + 60);
    assert!(String::from_utf8(message.bytes.to_vec()).unwrap().contains("15:23:01 +0900\r\nbody\r\n"));
}

#[test]
fn a_large_letter_in_small_chunks_is_no_idle_talk() {
    let letter = vec![b'x'; 1_000_000];
    let mut driver = addressed("");
    driver.send(&by_bdat(&letter, 1_000));
    assert!(driver.received().ends_with(b"250 2.0.0 Ok, kept as 1NFFZJ5-1\r\n"));
    assert!(kept(&driver) == letter);
}

proptest! {
    #[test]
    fn a_letter_is_the_same_by_data_and_by_any_chunks(
        lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..20),
        chunks in prop::collection::vec(0_usize..100, 1..20),
        pieces in prop::collection::vec(1_usize..200, 1..20),
        queue in prop::option::of(1_usize..300),
        busy in 0_u32..4,
    ) {
        let mut letter = Vec::new();
        for mut line in lines {
            line.retain(|byte| *byte != b'\r' && *byte != b'\n');
            letter.extend_from_slice(&line);
            letter.extend_from_slice(b"\r\n");
        }
        let mut by_data_kept = addressed("");
        by_data_kept.send(&by_data(&letter));

        let (mut sent, mut rest) = (Vec::new(), &letter[..]);
        for size in &chunks {
            let (chunk, behind) = rest.split_at((*size).min(rest.len()));
            sent.extend_from_slice(format!("BDAT {}\r\n", chunk.len()).as_bytes());
            sent.extend_from_slice(chunk);
            rest = behind;
        }
        sent.extend_from_slice(format!("BDAT {} LAST\r\n", rest.len()).as_bytes());
        sent.extend_from_slice(rest);
        let mut driver = addressed("");
        driver.mail.queue_bytes = queue;
        driver.mail.busy = busy;
        let mut rest = &sent[..];
        for size in pieces.iter().cycle() {
            let (piece, behind) = rest.split_at((*size).min(rest.len()));
            driver.send(piece);
            rest = behind;
            if rest.is_empty() {
                break;
            }
        }
        let expected = [CHUNK_OK.repeat(chunks.len()), b"250 2.0.0 Ok, kept as 1NFFZJ5-1\r\n".to_vec()].concat();
        prop_assert_eq!(driver.received(), expected);
        prop_assert_eq!(kept(&driver), kept(&by_data_kept));
        let summary = |driver: &Driver<SmtpSession>| driver.mail.messages("alice@example.test", "INBOX")[0].summary.clone();
        prop_assert_eq!(summary(&driver), summary(&by_data_kept));
    }
}
