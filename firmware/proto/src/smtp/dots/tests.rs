//! Tests of the reader of bodies: every body comes out as it was, however it arrives; nothing but the end ends it.

use alloc::{vec, vec::Vec};

use proptest::prelude::*;

use super::{Defect, Dots, Piece};

/// What came of a body.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    letter: Vec<u8>,
    defect: Option<Defect>,
    /// What stands behind the end; `None` while there is none.
    behind: Option<Vec<u8>>,
}

fn read<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut dots = Dots::new();
    let mut outcome = Outcome::default();
    for mut chunk in chunks {
        if let Some(behind) = &mut outcome.behind {
            behind.extend_from_slice(chunk);
            continue;
        }
        loop {
            match dots.next(chunk) {
                Piece::Letter(count) => {
                    outcome.letter.extend_from_slice(&chunk[..count]);
                    chunk = &chunk[count..];
                }
                Piece::Skip(count) => chunk = &chunk[count..],
                Piece::End(count) => {
                    outcome.behind = Some(chunk[count..].to_vec());
                    break;
                }
                Piece::More => break,
            }
        }
    }
    outcome.defect = dots.defect();
    outcome
}

/// Reads whole, byte by byte, and cut in two at every place; all must agree.
fn read_in_every_way(body: &[u8]) -> Outcome {
    let whole = read([body]);
    assert_eq!(read(body.chunks(1)), whole, "byte by byte: {}", body.escape_ascii());
    for cut in 0..=body.len() {
        let (left, right) = body.split_at(cut);
        assert_eq!(read([left, right]), whole, "cut at {cut}: {}", body.escape_ascii());
    }
    whole
}

/// RFC 5321 §4.5.2 as a sender does it.
fn stuffed(letter: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for line in letter.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            body.push(b'.');
        }
        body.extend_from_slice(line);
    }
    body
}

#[test]
fn dots_at_the_beginning_of_lines_are_taken_off_once() {
    for (body, letter) in [
        (&b".\r\n"[..], &b""[..]),
        (b"\r\n.\r\n", b"\r\n"),
        (b"a\r\n.\r\n", b"a\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"...\r\n.\r\n", b"..\r\n"),
        (b"a\r\n..b\r\nc.\r\n.\r\n", b"a\r\n.b\r\nc.\r\n"),
        (b".a\r\n.\r\n", b"a\r\n"),
        (b"a.\r\n.\r\n", b"a.\r\n"),
        (b"\0\xff\x80 \r\n.\r\n", b"\0\xff\x80 \r\n"),
    ] {
        let outcome = read_in_every_way(&[body, b"QUIT\r\n"].concat());
        assert_eq!(outcome.letter, letter, "{}", body.escape_ascii());
        assert_eq!(outcome.behind.as_deref(), Some(&b"QUIT\r\n"[..]), "{}", body.escape_ascii());
        assert_eq!(outcome.defect, None);
    }
}

#[test]
fn nothing_but_the_end_ends_a_letter() {
    use Defect::{BareCr, BareLf};
    for (false_end, defect) in [
        (&b"\n.\n"[..], BareLf),
        (b"\n.\r\n", BareLf),
        (b"\r\n.\n", BareLf),
        (b"\r.\r", BareCr),
        (b"\r.\r\n", BareCr),
        (b"\r\n.\r", BareCr),
        (b"\r\n.\r\r\n", BareCr),
        (b"\r\r\n.\r\r\n", BareCr),
        (b"\n\n.\r\n", BareLf),
        (b"\r\n\r.\r\n", BareCr),
        (b"\r\n.\0\r", BareCr),
        (b"\n\r.\r\n", BareLf),
    ] {
        let attack = [b"a", false_end, b"MAIL FROM:<forged@example.test>\r\n"].concat();
        let outcome = read_in_every_way(&attack);
        assert_eq!(outcome.behind, None, "{}", attack.escape_ascii());
        let outcome = read_in_every_way(&[&attack[..], b".\r\nRSET\r\n"].concat());
        assert_eq!(outcome.behind.as_deref(), Some(&b"RSET\r\n"[..]), "{}", attack.escape_ascii());
        assert_eq!(outcome.defect, Some(defect), "{}", attack.escape_ascii());
    }
}

#[test]
fn a_doubled_cr_before_the_end_is_a_defect_and_still_the_end() {
    let outcome = read_in_every_way(b"a\r\r\n.\r\nQUIT\r\n");
    assert_eq!(outcome.defect, Some(Defect::BareCr));
    assert_eq!(outcome.behind.as_deref(), Some(&b"QUIT\r\n"[..]));
}

#[test]
fn dots_elsewhere_end_nothing() {
    for body in [&b"a\r\n..\r\n"[..], b"a.\r\n", b"a\r\n .\r\n", b"a\r\n.b\r\n", b"\xef\xbc\x8e\r\n"] {
        let outcome = read_in_every_way(body);
        assert_eq!((outcome.behind, outcome.defect), (None, None), "{}", body.escape_ascii());
    }
}

proptest! {
    #[test]
    fn any_letter_of_whole_lines_comes_out_byte_for_byte(
        lines: Vec<Vec<u8>>,
        cuts in prop::collection::vec(1_usize..40, 1..20),
    ) {
        let mut letter = Vec::new();
        for line in lines {
            letter.extend(line.into_iter().filter(|byte| *byte != b'\r' && *byte != b'\n'));
            letter.extend_from_slice(b"\r\n");
        }
        let body = [&stuffed(&letter)[..], b".\r\nNOOP\r\n"].concat();
        let (mut rest, mut chunks) = (&body[..], Vec::new());
        for cut in cuts.iter().cycle() {
            let (chunk, behind) = rest.split_at((*cut).min(rest.len()));
            chunks.push(chunk);
            rest = behind;
            if rest.is_empty() {
                break;
            }
        }
        let outcome = read(chunks);
        prop_assert_eq!(outcome.letter, letter);
        prop_assert_eq!(outcome.defect, None);
        prop_assert_eq!(outcome.behind.as_deref(), Some(&b"NOOP\r\n"[..]));
    }

    #[test]
    fn any_mix_of_ends_is_read_the_same_however_it_is_cut(
        parts in prop::collection::vec(prop::sample::select(vec![".", "\r", "\n", "\r\n", "a", "..", "\r\n.\r\n"]), 0..16),
    ) {
        let body = parts.concat();
        let outcome = read_in_every_way(body.as_bytes());
        // Independent definition of the end: the first CR LF . CR LF, the CR LF before the letter included.
        let framed = alloc::format!("\r\n{body}");
        prop_assert_eq!(outcome.behind.is_some(), framed.contains("\r\n.\r\n"));
        if let Some(behind) = outcome.behind {
            let end = framed.find("\r\n.\r\n").unwrap() + 5;
            prop_assert_eq!(behind, &framed.as_bytes()[end..]);
        } else if outcome.defect.is_none() {
            prop_assert!(!framed.replace("\r\n", "").contains('\n'));
        }
    }
}
