//! Tests of the reader of chunks: every byte comes out as it was, however it arrives and however it was divided.

use alloc::{vec, vec::Vec};

use proptest::prelude::*;

use super::{Chunks, Defect, Piece};

/// What came of a letter: its bytes, its defect, and what stood behind it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    letter: Vec<u8>,
    defect: Option<Defect>,
    behind: Vec<u8>,
}

/// Reads a letter that was divided into `chunks`, with `behind` after it, in pieces of `size` bytes.
fn read(is_binary: bool, chunks: &[&[u8]], behind: &[u8], size: usize) -> Outcome {
    let mut framing = Chunks::new(is_binary);
    let mut letter = Vec::new();
    for (at, chunk) in chunks.iter().enumerate() {
        framing.begin(chunk.len() as u64, at + 1 == chunks.len());
        let input = [chunk, behind].concat();
        let mut pieces = input.chunks(size);
        let (mut piece, mut taken) = (&[][..], 0);
        loop {
            match framing.next(piece) {
                Piece::Letter(count) => {
                    letter.extend_from_slice(&piece[..count]);
                    piece = &piece[count..];
                    taken += count;
                }
                Piece::More => piece = pieces.next().unwrap(),
                Piece::End(0) => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(taken, chunk.len());
        assert_eq!(framing.is_last(), at + 1 == chunks.len());
    }
    Outcome { letter, defect: framing.defect(), behind: behind.to_vec() }
}

/// Reads a letter in one chunk, in two divided at every place, and in one for each byte; all must agree.
fn read_in_every_way(is_binary: bool, letter: &[u8]) -> Outcome {
    let behind = b"\nNOOP\r\n";
    let whole = read(is_binary, &[letter], behind, letter.len() + behind.len());
    for cut in 0..=letter.len() {
        let (left, right) = letter.split_at(cut);
        for size in [1, 2, letter.len() + 1] {
            assert_eq!(
                read(is_binary, &[left, right], behind, size),
                whole,
                "{cut}: {}",
                letter.escape_ascii()
            );
        }
    }
    let bytes: Vec<&[u8]> = letter.chunks(1).chain([&[][..]]).collect();
    assert_eq!(read(is_binary, &bytes, behind, 1), whole, "{}", letter.escape_ascii());
    whole
}

#[test]
fn no_byte_is_added_or_taken_off() {
    for letter in [&b""[..], b".", b".\r\n", b"..\r\n\r\n.\r\nQUIT\r\n", b"no end of line", b"\0\xff\x1a\r\n"]
    {
        let outcome = read_in_every_way(false, letter);
        assert_eq!((outcome.letter.as_slice(), outcome.defect), (letter, None), "{}", letter.escape_ascii());
    }
}

#[test]
fn a_cr_or_lf_on_its_own_is_a_defect_unless_the_letter_is_binary() {
    use Defect::{BareCr, BareLf};
    for (letter, defect) in [
        (&b"\n"[..], BareLf),
        (b"a\n", BareLf),
        (b"a\r\n\n.\r\n", BareLf),
        (b"\n\r", BareLf),
        (b"\r", BareCr),
        (b"a\r", BareCr),
        (b"a\r\n.\r", BareCr),
        (b"\r\r\n", BareCr),
        (b"\r.\r\n", BareCr),
        (b"\r\0\n", BareCr),
        (b"\rx\n", BareCr),
    ] {
        let text = read_in_every_way(false, letter);
        assert_eq!(
            (text.letter.as_slice(), text.defect),
            (letter, Some(defect)),
            "{}",
            letter.escape_ascii()
        );
        let binary = read_in_every_way(true, letter);
        assert_eq!((binary.letter.as_slice(), binary.defect), (letter, None), "{}", letter.escape_ascii());
    }
}

#[test]
fn a_cr_at_the_end_of_a_chunk_may_still_have_its_lf() {
    assert_eq!(read(false, &[b"a\r", b"\nb\r", b"\n"], b"", 8).defect, None);
    assert_eq!(read(false, &[b"a\r", b"", b"\n"], b"", 8).defect, None);
    assert_eq!(read(false, &[b"a\r", b"b"], b"", 8).defect, Some(Defect::BareCr));
    assert_eq!(read(false, &[b"a\r", b""], b"", 8).defect, Some(Defect::BareCr));
}

#[test]
fn the_greatest_chunk_has_no_end() {
    let mut chunks = Chunks::new(false);
    chunks.begin(u64::MAX, true);
    for _ in 0..100 {
        assert_eq!(chunks.next(&[b'x'; 1000]), Piece::Letter(1000));
    }
    assert_eq!(chunks.next(b""), Piece::More);
}

proptest! {
    #[test]
    fn any_mix_of_ends_is_judged_the_same_however_it_is_divided(
        parts in prop::collection::vec(prop::sample::select(vec![".", "\r", "\n", "\r\n", "a", "\r\n.\r\n"]), 0..12),
    ) {
        let letter = parts.concat();
        let outcome = read_in_every_way(false, letter.as_bytes());
        // Independent definition: without its line ends a letter has no CR and no LF.
        let is_clean = !letter.replace("\r\n", "").contains(['\r', '\n']);
        prop_assert_eq!(outcome.defect.is_none(), is_clean);
    }
}
