//! Letters of any bytes, fetched by a client that undoes what the protocol does to them.

use alloc::{format, string::String, vec::Vec};

use proptest::{collection, prelude::*, sample};

use super::{alice, mail_with};

/// What a client makes of a reply: its first line, and the letter with dots no longer doubled and without the final
/// dot. Lines end with LF, as most clients have it.
fn unstuffed(reply: &[u8]) -> (String, Vec<u8>) {
    let mut lines = reply.split_inclusive(|byte| *byte == b'\n');
    let first = String::from_utf8(lines.next().unwrap().to_vec()).unwrap();
    let mut letter = Vec::new();
    for line in lines.by_ref() {
        if line == b".\r\n" {
            break;
        }
        letter.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
    }
    assert_eq!(lines.next(), None, "bytes behind the final dot");
    (first, letter)
}

/// The same by the letter of the standard: the end is where CRLF, dot, CRLF stand.
fn ends_strictly(reply: &[u8]) -> bool {
    reply.ends_with(b"\r\n.\r\n") && reply.windows(5).filter(|five| *five == b"\r\n.\r\n").count() == 1
}

fn fetch(command: &str, letter: &[u8], read_bytes_max: Option<usize>, cold: u32) -> Vec<u8> {
    let mut driver = alice(mail_with([letter]));
    driver.mail.read_bytes_max = read_bytes_max;
    driver.mail.cold = cold;
    driver.send(format!("{command}\r\n").as_bytes());
    driver.received()
}

/// What the client should get: a line end is added only where there is none.
fn with_line_end(letter: &[u8]) -> Vec<u8> {
    let mut letter = letter.to_vec();
    if !letter.is_empty() && !letter.ends_with(b"\r\n") {
        letter.extend_from_slice(b"\r\n");
    }
    letter
}

/// The header, its empty line, and `lines` lines behind it.
fn top(letter: &[u8], lines: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut left = None;
    for line in letter.split_inclusive(|byte| *byte == b'\n') {
        match &mut left {
            Some(0) => break,
            Some(left) => *left -= 1,
            None if line == b"\n" || line == b"\r\n" => left = Some(lines),
            None => {}
        }
        out.extend_from_slice(line);
    }
    out
}

fn letter() -> impl Strategy<Value = Vec<u8>> {
    let piece = sample::select(
        &[
            ".",
            "..",
            "\r\n",
            "\r\n.",
            "\r\n.\r\n",
            "\n",
            "\n.\n",
            "\r",
            "\r.",
            "Subject: x",
            "\r\n\r\n",
            "\0",
            "手紙",
        ][..],
    );
    prop_oneof![
        4 => collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes()),
        1 => collection::vec(any::<u8>(), 0..200),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_fetched_is_what_was_stored(letter in letter(), read in 1_usize..9, cold in 0_u32..4, lines in 0_usize..6) {
        let whole = fetch("RETR 1", &letter, None, 0);
        let (first, got) = unstuffed(&whole);
        prop_assert_eq!(first, format!("+OK {} octets\r\n", letter.len()));
        prop_assert_eq!(&got, &with_line_end(&letter));
        prop_assert!(ends_strictly(&whole), "{}", whole.escape_ascii());
        prop_assert!(fetch("RETR 1", &letter, Some(read), cold) == whole);

        let command = format!("TOP 1 {lines}");
        let head = fetch(&command, &letter, None, 0);
        prop_assert_eq!(unstuffed(&head).1, with_line_end(&top(&letter, lines)));
        prop_assert!(ends_strictly(&head));
        prop_assert!(fetch(&command, &letter, Some(read), cold) == head);
    }
}

#[test]
fn a_large_letter_streams_within_the_output_limit() {
    let letter =
        [&b"Subject: large\r\n\r\n"[..], &b".a line of text that begins with a dot\r\n".repeat(50_000)]
            .concat();
    let mut driver = alice(mail_with([letter.as_slice()]));
    driver.pending_output_max = 0;
    driver.send(b"RETR 1\r\n");
    assert!(unstuffed(&driver.received()).1 == letter);
    // Dots can double what one read brought.
    assert!(driver.pending_output_max <= crate::limits::OUTPUT_BYTES_SOFT_MAX + 16 * 1024);
}

#[test]
fn letters_with_any_line_ends_keep_their_bytes_and_end_once() {
    // What SMTP keeps of a letter by BDAT, BINARYMIME or not (RFC 3030), and IMAP of one by APPEND.
    for letter in [
        &b"Subject: x\r\n\r\nno line end"[..],
        b"\r",
        b"\n",
        b"\0",
        b".",
        b".\r",
        b".\r\n.",
        b"\r.\r\n.\r\n",
        b"\r\n.\r",
        b"\n.\n.\r\n",
        b"\r\n.\n",
        b"\r\n\0.\r\n.\0\r\n",
        b"\r\r\n.\r\r\n",
        b"\n\r.\n\r",
    ] {
        for read in [1, 2, 100] {
            let reply = fetch("RETR 1", letter, Some(read), 1);
            let (first, got) = unstuffed(&reply);
            assert_eq!(first, format!("+OK {} octets\r\n", letter.len()));
            assert_eq!(got, with_line_end(letter), "{}", letter.escape_ascii());
            assert!(ends_strictly(&reply), "{}", reply.escape_ascii());
        }
    }
}

#[test]
fn an_empty_letter_is_a_letter() {
    assert_eq!(fetch("RETR 1", b"", None, 0), b"+OK 0 octets\r\n.\r\n");
    assert_eq!(fetch("TOP 1 5", b"", None, 0), b"+OK 0 octets\r\n.\r\n");
}
