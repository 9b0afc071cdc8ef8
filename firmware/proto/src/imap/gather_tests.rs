//! Gathering: however the bytes are cut, the same commands come out, and memory stays bounded.

use alloc::{vec, vec::Vec};

use proptest::prelude::*;

use super::*;

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Command(Vec<u8>),
    TooLong,
    Refused,
    Skipped,
    Flood,
}

/// Gathers pieces; literals are taken where there is room, and what is refused is skipped.
fn gather(pieces: &[&[u8]]) -> Vec<Seen> {
    let mut gather = Gather::default();
    let mut seen = Vec::new();
    for piece in pieces {
        let mut input = Input::new(piece);
        loop {
            match gather.next(&mut input) {
                Gathered::Partial => break,
                Gathered::Command(bytes) => seen.push(Seen::Command(bytes.to_vec())),
                Gathered::Announced(_, literal) => {
                    if !gather.accept(literal) {
                        seen.push(Seen::Refused);
                        gather.skip(Some(literal), 200_000);
                    }
                }
                Gathered::TooLong(_) => {
                    seen.push(Seen::TooLong);
                    gather.skip(None, 200_000);
                }
                Gathered::Skipped => seen.push(Seen::Skipped),
                Gathered::Flood => {
                    seen.push(Seen::Flood);
                    return seen;
                }
            }
            assert!(gather.buffer.len() <= COMMAND_BYTES_MAX);
        }
        assert!(input.is_empty());
    }
    seen
}

fn in_pieces(bytes: &[u8], size: usize) -> Vec<Seen> {
    gather(&bytes.chunks(size).collect::<Vec<_>>())
}

fn check(bytes: &[u8], expected: &[Seen]) {
    for size in [1, 2, 3, 7, bytes.len()] {
        assert_eq!(in_pieces(bytes, size), expected, "in pieces of {size}");
    }
}

fn command(bytes: &[u8]) -> Seen {
    Seen::Command(bytes.to_vec())
}

#[test]
fn literals_belong_to_their_command() {
    check(
        b"a NOOP\r\nb LOGIN {3}\r\na\r\n {2+}\r\n{9\r\nc NOOP\n",
        &[command(b"a NOOP\r\n"), command(b"b LOGIN {3}\r\na\r\n {2+}\r\n{9\r\n"), command(b"c NOOP\n")],
    );
}

#[test]
fn a_literal_cannot_pose_as_the_beginning_of_an_announcement() {
    check(b"a X {3}\r\n{99}\r\nb NOOP\r\n", &[command(b"a X {3}\r\n{99}\r\n"), command(b"b NOOP\r\n")]);
}

#[test]
fn what_is_refused_is_skipped_with_all_its_literals() {
    let long = vec![b'x'; COMMAND_BYTES_MAX];
    let bytes = [b"a X {65536+}\r\n", &long[..], b" {3+}\r\nabc {4+}\r\n{99} end\r\nb NOOP\r\n"].concat();
    check(&bytes, &[Seen::Refused, Seen::Skipped, command(b"b NOOP\r\n")]);
    let bytes = [b"a X \"", &long[..], b"\" {3+}\r\na\nc\r\nb NOOP\r\n"].concat();
    check(&bytes, &[Seen::TooLong, Seen::Skipped, command(b"b NOOP\r\n")]);
    // A client that waits is told no, and sends nothing more.
    let bytes = [b"a X \"", &long[..], b"\" {3}\r\nb NOOP\r\n"].concat();
    check(&bytes, &[Seen::TooLong, Seen::Skipped, command(b"b NOOP\r\n")]);
    check(b"a X {65536}\r\nb NOOP\r\n", &[Seen::Refused, command(b"b NOOP\r\n")]);
}

#[test]
fn skipping_ends_somewhere() {
    check(b"a X {4294967296+}\r\n", &[Seen::Refused, Seen::Flood]);
    let bytes = [b"a X ", &vec![b'x'; 300_000][..]].concat();
    check(&bytes, &[Seen::TooLong, Seen::Flood]);
}

#[test]
fn a_command_has_so_many_literals() {
    let mut bytes = b"a X".to_vec();
    for _ in 0..=LITERALS_MAX {
        bytes.extend_from_slice(b" {0+}\r\n");
    }
    bytes.extend_from_slice(b"\r\nb NOOP\r\n");
    check(&bytes, &[Seen::Refused, Seen::Skipped, command(b"b NOOP\r\n")]);
}

#[test]
fn nothing_is_kept_between_commands() {
    let mut gather = Gather::default();
    for piece in [&b"a NO"[..], b"OP\r\n"] {
        let mut input = Input::new(piece);
        let _ = gather.next(&mut input);
    }
    assert!(!gather.is_mid_command());
    assert_eq!(gather.next(&mut Input::new(b"")), Gathered::Partial);
    assert_eq!(gather.buffer.capacity(), 0);
}

proptest! {
    #[test]
    fn pieces_do_not_matter(
        parts in prop::collection::vec("([a-c ]{0,4}|\\{[0-9]\\}\r\n|\\{[0-3]\\+\\}\r\n|\r\n|\\{70000\\+\\}\r\n|\\{|\\}|\n)", 0..20),
        size in 1_usize..9,
    ) {
        let bytes = parts.concat().into_bytes();
        prop_assert_eq!(in_pieces(&bytes, size), in_pieces(&bytes, bytes.len().max(1)));
    }
}
