//! What a submitted letter gets that it lacks (RFC 6409 §8), and that nothing else of it changes.

use alloc::{format, string::String, vec, vec::Vec};

use proptest::prelude::*;

use super::{address, kept, port_25, port_465};
use crate::{dkim::BodyHash, mime::Summary, smtp::SmtpSession, testing::Driver};

const DATE: &str = "Date: Sat, 14 Nov 2026 15:23:01 +0900\r\n";
const MESSAGE_ID: &str = "Message-ID: <1NFFZJ5-1-YGJ0@mail.example.test>\r\n";

/// How the client's bytes reach the session, and how much of them the mail takes.
#[derive(Clone, Copy, Debug)]
struct Ways {
    /// Bytes of a piece.
    piece: usize,
    /// Bytes of a chunk; 0 for DATA.
    chunk: usize,
    /// Bytes that the write queue takes at once.
    queue: Option<usize>,
}

/// Sends a letter from alice to herself, and gives what is kept of it.
fn submitted(letter: &[u8], ways: Ways) -> Vec<u8> {
    let mut driver = port_465();
    driver.mail.queue_bytes = ways.queue;
    driver.send(b"MAIL FROM:<alice@example.test>\r\nRCPT TO:<alice@example.test>\r\n");
    driver.send(b"RCPT TO:<carol@elsewhere.test>\r\n");
    let body = if ways.chunk == 0 { super::by_data(letter) } else { super::by_bdat(letter, ways.chunk) };
    body.chunks(ways.piece).for_each(|piece| driver.send(piece));
    let said = String::from_utf8(driver.received()).unwrap();
    assert!(said.ends_with("250 2.0.0 Ok, kept as 1NFFZJ5-1\r\n"), "{said}");
    assert_summary(&driver);
    assert_hash(&driver);
    kept(&driver)
}

/// The hash of the body is that of the letter as it is kept.
fn assert_hash(driver: &Driver<SmtpSession>) {
    let mut hash = BodyHash::new((super::config().sha256)());
    hash.feed(&kept(driver));
    let queued = &driver.mail.shelf.outbound[0];
    assert_eq!(queued.envelope.body_hash, Some(hash.finish()));
}

/// The summary is of the letter as it is kept: the lines that it lacked belong to its header.
fn assert_summary(driver: &Driver<SmtpSession>) {
    let message = &driver.mail.messages("alice@example.test", "INBOX")[0];
    let summary = Summary::read(&message.summary).unwrap();
    let end = message.bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
    assert_eq!(summary.header_len(), end.unwrap_or(message.bytes.len()) as u64);
}

/// Sends a letter in every way; what is kept must be the same.
fn submitted_in_every_way(letter: &str) -> String {
    let whole = Ways { piece: usize::MAX, chunk: 0, queue: None };
    let kept = submitted(letter.as_bytes(), whole);
    for piece in [1, 2, 3, 7, usize::MAX] {
        for chunk in [0, 1, 2, 5, letter.len().max(1)] {
            for queue in [None, Some(1), Some(10)] {
                let ways = Ways { piece, chunk, queue };
                assert!(submitted(letter.as_bytes(), ways) == kept, "{ways:?}: {letter:?}");
            }
        }
    }
    String::from_utf8(kept).unwrap()
}

#[test]
fn what_a_letter_lacks_is_put_at_the_end_of_its_header() {
    for (header, added) in [
        ("Subject: x\r\n", format!("{DATE}{MESSAGE_ID}")),
        ("Date: y\r\nSubject: x\r\n", MESSAGE_ID.into()),
        ("Subject: x\r\nMESSAGE-id : <z>\r\n", DATE.into()),
        ("date:\r\nmessage-id:\r\n", String::new()),
        ("X: a\r\n Date: folded\r\n\tMessage-ID: folded\r\nDated: b\r\n", format!("{DATE}{MESSAGE_ID}")),
        ("", format!("{DATE}{MESSAGE_ID}")),
        ("this is no field\r\n", format!("{DATE}{MESSAGE_ID}")),
    ] {
        for body in ["", "Hello.\r\n", "Date: in the body\r\nMessage-ID: <in@the.body>\r\n\r\n.\r\n\r\n"] {
            let letter = format!("{header}\r\n{body}");
            assert_eq!(submitted_in_every_way(&letter), format!("{header}{added}\r\n{body}"));
        }
    }
}

#[test]
fn a_header_that_no_empty_line_ends_ends_with_the_letter() {
    for (letter, added) in [
        ("", format!("{DATE}{MESSAGE_ID}")),
        ("Subject: x\r\n", format!("{DATE}{MESSAGE_ID}")),
        // The box takes all of this for its header, as it does when it lists it.
        ("neither field nor\r\nempty line\r\n", format!("{DATE}{MESSAGE_ID}")),
        ("Subject: x\r\nDate: y\r\n", MESSAGE_ID.into()),
        ("Message-ID: <z>\r\nDate: y\r\n", String::new()),
    ] {
        assert_eq!(submitted_in_every_way(letter), format!("{letter}{added}"));
    }
}

#[test]
fn a_last_line_without_end_gets_one_only_where_something_follows() {
    for (letter, kept) in [
        ("Subject: x", format!("Subject: x\r\n{DATE}{MESSAGE_ID}")),
        ("Message-ID: <z>\r\nDate: y", "Message-ID: <z>\r\nDate: y".into()),
        ("Subject: x\r\n\r\nbody", format!("Subject: x\r\n{DATE}{MESSAGE_ID}\r\nbody")),
    ] {
        for chunk in [1, 4, letter.len()] {
            let ways = Ways { piece: 3, chunk, queue: None };
            assert_eq!(submitted(letter.as_bytes(), ways), kept.as_bytes());
        }
    }
}

#[test]
fn a_binary_letter_with_other_line_ends_gets_them_before_its_body() {
    let mut driver = port_465();
    driver.send(b"MAIL FROM:<alice@example.test> BODY=BINARYMIME\r\nRCPT TO:<alice@example.test>\r\n");
    driver.send(&super::by_bdat(b"Subject: x\n\n\0\r\n\r", 2));
    assert_eq!(kept(&driver), format!("Subject: x\n{DATE}{MESSAGE_ID}\n\0\r\n\r").as_bytes());
}

#[test]
fn letters_from_other_servers_get_nothing() {
    let mut driver = port_25();
    address(&mut driver, &["alice@example.test"]);
    driver.send(b"Subject: x\r\n\r\n.\r\n");
    assert_eq!(kept(&driver), b"Subject: x\r\n\r\n");
}

#[test]
fn no_two_letters_get_the_same_name() {
    let mut driver = port_465();
    for _ in 0..3 {
        driver.send(b"MAIL FROM:<alice@example.test>\r\nRCPT TO:<alice@example.test>\r\nBDAT 0 LAST\r\n");
        driver.wait(1);
    }
    let messages = driver.mail.messages("alice@example.test", "INBOX");
    let mut names: Vec<_> = messages
        .iter()
        .map(|message| {
            let text = String::from_utf8(message.bytes.to_vec()).unwrap();
            String::from(text.lines().find(|line| line.starts_with("Message-ID: ")).unwrap())
        })
        .collect();
    names.dedup();
    assert_eq!(names.len(), 3, "{names:?}");
}

#[test]
fn a_header_of_any_length_streams_by() {
    let mut letter = vec![];
    for number in 0..20_000 {
        letter.extend_from_slice(format!("X-Field-{number}: {}\r\n", "x".repeat(80)).as_bytes());
    }
    let header = letter.len();
    letter.extend_from_slice(b"\r\nbody\r\n");
    let kept = submitted(&letter, Ways { piece: 16 * 1024, chunk: 0, queue: Some(10_000) });
    let expected = [&letter[..header], DATE.as_bytes(), MESSAGE_ID.as_bytes(), &letter[header..]].concat();
    assert!(kept == expected);
}

#[test]
fn the_lines_do_not_count_against_the_size_limit() {
    let config = super::Config { message_bytes_max: 12, ..super::config() };
    let mut driver = super::logged_in(config);
    driver.send(
        b"MAIL FROM:<alice@example.test>\r\nRCPT TO:<alice@example.test>\r\nBDAT 12 LAST\r\nSubject: x\r\n",
    );
    assert_eq!(kept(&driver), format!("Subject: x\r\n{DATE}{MESSAGE_ID}").as_bytes());
}

#[test]
fn a_store_that_is_full_at_the_last_line_refuses_the_letter() {
    let mut driver = port_465();
    driver.send(b"MAIL FROM:<alice@example.test>\r\nRCPT TO:<alice@example.test>\r\n");
    driver.received();
    driver.send(b"BDAT 12\r\nSubject: x\r\n");
    driver.mail.free_bytes = Some(250);
    driver.send(b"BDAT 0 LAST\r\n");
    let said = String::from_utf8(driver.received()).unwrap();
    assert!(said.ends_with("452 4.3.1 The storage of this box is full; try again later\r\n"), "{said}");
    assert_eq!(driver.mail.open_drafts(), 0);
}

proptest! {
    #[test]
    fn any_letter_keeps_its_bytes_and_has_both_fields(
        lines in prop::collection::vec(
            prop::sample::select(vec![
                "", "Date: y", "date : y", "Dat", "Message-ID: <z>", "MESSAGE-ID:", " folded", "no field", ".", ".x", "X: y",
            ]),
            0..8,
        ),
        piece in 1_usize..20,
        chunk in 0_usize..20,
        queue in prop::option::of(1_usize..30),
    ) {
        let letter = lines.iter().fold(String::new(), |letter, line| letter + line + "\r\n");
        let kept = submitted(letter.as_bytes(), Ways { piece, chunk, queue });
        let kept = String::from_utf8(kept).unwrap();
        let end = lines.iter().position(|line| line.is_empty()).unwrap_or(lines.len());
        let has = |name: &str| lines[..end].iter().any(|line| {
            line.split_once(':').is_some_and(|(field, _)| field.trim_end().eq_ignore_ascii_case(name))
        });
        let (header, body) = letter.split_at(lines[..end].iter().map(|line| line.len() + 2).sum());
        let date = if has("date") { "" } else { DATE };
        let message_id = if has("message-id") { "" } else { MESSAGE_ID };
        prop_assert_eq!(kept, format!("{header}{date}{message_id}{body}"));
    }
}
