//! Bodies: what the RFC says they become, and that it does not matter how they are cut.

use alloc::{boxed::Box, vec, vec::Vec};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use proptest::prelude::*;

use super::{
    super::{BodyHash, Digest, RelaxedBody},
    naive::{self, sha256},
};

/// The canonical form of a body that comes in these pieces.
fn canonical<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let (mut out, mut body) = (Vec::new(), RelaxedBody::new());
    pieces.into_iter().for_each(|piece| body.feed(piece, &mut |bytes| out.extend_from_slice(bytes)));
    body.finish(&mut |bytes| out.extend_from_slice(bytes));
    out
}

#[test]
fn bodies_become_what_the_rules_say() {
    let cases: &[(&[u8], &[u8])] = &[
        // RFC 6376 §3.4.5.
        (b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n"),
        (b"", b""),
        (b"\r\n", b""),
        (b"\r\n\r\n", b""),
        (b" \t", b""),
        (b" \r\n\t\r\n", b""),
        (b"no end", b"no end\r\n"),
        (b"blanks and no end \t", b"blanks and no end\r\n"),
        (b"text\r\n", b"text\r\n"),
        // Lines of blanks only are empty lines: some signers take them for text.
        (b"hello\r\n \r\n", b"hello\r\n"),
        (b"hello\r\n \r\n\t\t\r\n  ", b"hello\r\n"),
        (b"hello\r\n \r\n\r\nend\r\n", b"hello\r\n\r\n\r\nend\r\n"),
        (b"\r\n\r\nlate\r\n", b"\r\n\r\nlate\r\n"),
        (b"\t a  b\t\tc \r\n", b" a b c\r\n"),
        (b"a\tb c", b"a b c\r\n"),
        // A CR or an LF that stands alone is a character.
        (b"a\rb\nc\n", b"a\rb\nc\n\r\n"),
        (b"a \r\r\n", b"a \r\r\n"),
        (b"a\r\n\r", b"a\r\n\r\r\n"),
        (b"\r", b"\r\r\n"),
        (b"\n\n", b"\n\n\r\n"),
        (b"a \nb\r \r\n", b"a \nb\r\r\n"),
        (b"\x00\xff \x0b\x0c \x85\r\n", b"\x00\xff \x0b\x0c \x85\r\n"),
    ];
    for (body, expected) in cases {
        assert_eq!(canonical([*body]), *expected, "{}", body.escape_ascii());
        assert_eq!(naive::body(body), *expected, "{}", body.escape_ascii());
        assert_eq!(canonical(body.chunks(1)), *expected, "{}", body.escape_ascii());
    }
}

/// RFC 6376 §3.4.4.
#[test]
fn the_hash_of_no_body_is_the_one_of_the_standard() {
    let hash = sha256(&canonical([]));
    assert_eq!(STANDARD.encode(hash), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

#[test]
fn many_empty_lines_are_there_only_if_something_follows() {
    let lines = b"\r\n".repeat(1_000);
    let body = [b"a", &lines[..], b"\r\nb", &lines, b" "].concat();
    assert_eq!(canonical([&body[..]]), [b"a", &lines[..], b"\r\nb\r\n"].concat());
}

/// A digest is not fed by the byte.
#[test]
fn long_pieces_stay_long() {
    let body = b"a word, another, and a line end\r\n".repeat(100);
    let (mut pieces, mut relaxed) = (vec![], RelaxedBody::new());
    relaxed.feed(&body, &mut |piece| pieces.push(piece.len()));
    assert_eq!(pieces, [body.len() - 2]);
}

proptest! {
    #[test]
    fn any_pieces_give_the_same(
        parts in proptest::collection::vec(
            prop_oneof!["[ \t]{1,3}", "(\r\n){1,3}", "[\r\n]", "[a-c]{1,9}"], 0..40
        ),
        cuts in proptest::collection::vec(1_usize..7, 1..40),
    ) {
        let body = parts.concat().into_bytes();
        let (mut pieces, mut rest, mut cuts) = (Vec::new(), &body[..], cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
            pieces.push(piece);
            rest = behind;
        }
        let whole = naive::body(&body);
        prop_assert_eq!(&canonical(pieces), &whole);
        prop_assert_eq!(&canonical([&body[..]]), &whole);
    }
}

/// The digest of the naive verifier.
#[derive(Debug, Default)]
struct Whole(Vec<u8>);

impl Digest for Whole {
    fn update(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(self: Box<Self>) -> [u8; 32] {
        sha256(&self.0)
    }
}

#[test]
fn a_letter_is_hashed_from_the_empty_line_on_wherever_it_is_cut() {
    let cases: [(&[u8], &[u8]); 7] = [
        (b"A: b\r\nC: d\r\n\r\nbody \r\n\r\n", b"body\r\n"),
        (b"A: b\r\n\r\n\r\nbody", b"\r\nbody\r\n"),
        (b"\r\nbody\r\n", b"body\r\n"),
        (b"A: b\r\n\rC: d\r\n \r\n\r\nbody\r\n", b"body\r\n"),
        (b"A: b\n\nbody\r\n", b"body\r\n"),
        (b"A: b\r\nC: no body\r\n", b""),
        (b"", b""),
    ];
    for (letter, body) in cases {
        for size in [1, 2, 3, usize::MAX] {
            let mut hash = BodyHash::new(Box::<Whole>::default());
            letter.chunks(size).for_each(|piece| hash.feed(piece));
            assert_eq!(hash.finish(), sha256(body), "{} by {size}", letter.escape_ascii());
        }
    }
}
