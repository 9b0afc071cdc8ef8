//! The coder as a whole: what came in comes back, whatever it was; what was never made is refused.

use alloc::vec;
use alloc::vec::Vec;

use proptest::collection::vec as vec_of;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::samples::{base64_lines, frame, letter, noise, words};
use super::{Coder, Encoding, Undecodable, decode};
use crate::limits::{CODED_BYTES_MAX, CODER_BYTES_MAX, DECODE_BYTES_MAX};

/// Encodes, decodes, compares, and gives the encoding and the stored bytes.
fn there_and_back(coder: &mut Coder, original: &[u8]) -> (Encoding, Vec<u8>) {
    let coded = coder.encode(original);
    let (encoding, stored) = (coded.encoding, coded.bytes.to_vec());
    assert!(stored.len() < original.len() || encoding == Encoding::Raw && stored == original);
    let mut back = vec![1; 9];
    assert_eq!(decode(encoding, &stored, original.len(), &mut back), Ok(()));
    assert!(back == original, "a frame came back different");
    assert!(back.capacity() <= DECODE_BYTES_MAX);
    (encoding, stored)
}

fn once(original: &[u8]) -> (Encoding, Vec<u8>) {
    there_and_back(&mut Coder::new(), original)
}

#[test]
fn each_kind_of_frame_gets_its_encoding() {
    let attachment = base64_lines(&noise(1, 40_000), 76, "\r\n");
    let (encoding, stored) = once(&attachment);
    assert_eq!(encoding, Encoding::Base64);
    assert!(stored.len() <= 40_000 + 12, "{}", stored.len());
    assert_eq!(once(&words(1, 20_000)).0, Encoding::Compressed);
    let (encoding, stored) = once(&base64_lines(&words(1, 20_000), 76, "\r\n"));
    assert_eq!(encoding, Encoding::Both);
    assert!(stored.len() < 11_000, "as small as the text itself: {}", stored.len());
    assert_eq!(once(&noise(1, 20_000)).0, Encoding::Raw);
    assert_eq!(once(&[b'a'; 63]).0, Encoding::Raw, "too short to gain");
    assert_eq!(once(b"").0, Encoding::Raw);
    let all = [Encoding::Raw, Encoding::Base64, Encoding::Compressed, Encoding::Both];
    assert_eq!(all.map(Encoding::number), [0, 1, 2, 3], "reserved in the format");
    assert_eq!([0, 1, 2, 3].map(Encoding::of), all.map(Some));
    assert_eq!(Encoding::of(4), None);
}

#[test]
fn the_greatest_frames_and_those_beyond() {
    let mut coder = Coder::new();
    for len in [CODED_BYTES_MAX - 2, CODED_BYTES_MAX - 1, CODED_BYTES_MAX] {
        let attachment = base64_lines(&words(1, 60_000), 76, "\r\n");
        assert_eq!(there_and_back(&mut coder, &attachment[..len]).0, Encoding::Both);
        assert_eq!(there_and_back(&mut coder, &words(1, CODED_BYTES_MAX)[..len]).0, Encoding::Compressed);
        assert_eq!(there_and_back(&mut coder, &noise(1, len)).0, Encoding::Raw);
        assert_eq!(there_and_back(&mut coder, &vec![b'A'; len]).0, Encoding::Both);
        let broken: Vec<u8> = [vec![b'A'; 128], b" ".to_vec()].concat();
        assert_eq!(
            there_and_back(&mut coder, &broken.repeat(1_000)[..len]).0,
            Encoding::Both,
            "the longest plan"
        );
    }
    assert!(coder.memory() <= CODER_BYTES_MAX, "{}", coder.memory());
    let beyond = vec![b'a'; CODED_BYTES_MAX + 1];
    let coded = coder.encode(&beyond);
    assert_eq!((coded.encoding, coded.bytes), (Encoding::Raw, &beyond[..]));
    let mut out = Vec::new();
    assert_eq!(decode(Encoding::Compressed, &[0], CODED_BYTES_MAX + 1, &mut out), Err(Undecodable));
    assert_eq!(out.capacity(), 0, "nothing is allocated for what is refused");
}

#[test]
fn the_bytes_are_those_of_the_format() {
    // 127 bytes are two lines of 16 quanta and one of 11, the last one padded. 6 bytes before it, 4 behind.
    let bytes = noise(7, 127);
    let frame = [b"a: b\n\n", &base64_lines(&bytes, 64, "\n")[..], b"\n--b"].concat();
    let plan = [6 << 1, 0xFF, 0x01, 16, (16 << 1) | 1, 4 << 1];
    let (encoding, stored) = once(&frame);
    assert_eq!(encoding, Encoding::Base64);
    assert_eq!(stored, [&plan[..], b"a: b\n\n", &bytes, b"\n--b"].concat());
    // 102 bytes in one line of 34 quanta: no line length. What is compressed is the stream alone, as an LZ4 block: one
    // literal, a match of 96 bytes at distance 1, five literals.
    let frame = base64_lines(&[b'a'; 102], 999, "");
    let plan = [0xCD, 0x01, 34];
    let block = [0x1F, b'a', 1, 0, 96 - 4 - 15, 0x50, b'a', b'a', b'a', b'a', b'a'];
    let mut made = Vec::new();
    assert_eq!(decode(Encoding::Both, &[&plan[..], &block].concat(), frame.len(), &mut made), Ok(()));
    assert_eq!(made, frame);
    let (encoding, stored) = once(&frame);
    assert_eq!((encoding, &stored[..3]), (Encoding::Both, &plan[..]));
}

#[test]
fn a_letter_cut_anywhere_comes_back() {
    let letter = letter();
    let mut coder = Coder::new();
    for cut in 0..=letter.len() {
        there_and_back(&mut coder, &letter[..cut]);
        there_and_back(&mut coder, &letter[cut..]);
        // And as what lies between two cuts.
        there_and_back(&mut coder, &letter[cut..letter.len().min(cut + 700)]);
    }
}

#[test]
fn a_cut_through_an_attachment_costs_next_to_nothing() {
    let mut coder = Coder::new();
    for end in ["\r\n", "\n"] {
        let attachment = base64_lines(&noise(1, 6_000), 76, end);
        let whole = there_and_back(&mut coder, &attachment).1.len();
        for cut in 500..900 {
            let parts =
                [&attachment[..cut], &attachment[cut..]].map(|part| there_and_back(&mut coder, part).1.len());
            assert!(parts[0] + parts[1] <= whole + 32, "{cut}: {parts:?}, {whole} in one piece");
        }
    }
}

#[test]
fn what_is_nearly_base64_comes_back() {
    let mut coder = Coder::new();
    let sound = base64_lines(&words(1, 4_000), 76, "\r\n");
    let lower = sound.to_ascii_lowercase();
    there_and_back(&mut coder, &lower);
    for width in [1, 3, 31, 33, 74, 75, 77, 78, 79, 997] {
        for end in ["\r\n", "\n", "\r", "\n\r", " \r\n", "\r\r\n", "=\r\n"] {
            there_and_back(&mut coder, &base64_lines(&words(1, 4_001), width, end));
        }
    }
    for at in 0..sound.len() {
        let mut spoilt = sound.clone();
        spoilt[at] = b" =\r\n-"[at % 5];
        there_and_back(&mut coder, &spoilt);
        spoilt.remove(at);
        there_and_back(&mut coder, &spoilt);
    }
}

#[test]
fn a_frame_that_is_not_re_created_stays_as_it_is() {
    let mut coder = Coder::new();
    let frame = base64_lines(&noise(1, 3_000), 76, "\r\n");
    let encoding = coder.smaller(&frame);
    assert_eq!(encoding, Some(Encoding::Base64));
    assert!(coder.proves(Encoding::Base64, &frame));
    let last = coder.stored.len() - 1;
    coder.stored[last] ^= 1;
    assert!(!coder.proves(Encoding::Base64, &frame), "another byte");
    coder.stored.pop();
    assert!(!coder.proves(Encoding::Base64, &frame), "a byte less");
}

/// Plans that no coder makes, with streams of many lengths behind them.
#[test]
fn plans_that_contradict_themselves_are_refused() {
    let plans: [(&[u8], usize); 12] = [
        (&[], 4),
        (&[0], 4),
        (&[1, 0], 4),
        (&[1, 1], 4),
        (&[(3 << 1) | 1, 0, 2], 4),
        (&[(3 << 1) | 1, 2], 4),
        (&[(6 << 1) | 1, 1, 0], 10),
        (&[(6 << 1) | 1, 1, 1], 9),
        (&[5 << 1], 4),
        (&[0x80, 0x80, 0x80], 4),
        (&[0xFF, 0xFF, 0x7F, 1, 2], 65_536),
        (&[(3 << 1) | 1], 4),
    ];
    let mut out = Vec::new();
    for (plan, len) in plans {
        for stream in 0..16 {
            let stored = [plan, &[b'x'; 16][..stream]].concat();
            for encoding in [Encoding::Base64, Encoding::Both] {
                assert_eq!(decode(encoding, &stored, len, &mut out), Err(Undecodable), "{plan:?} {stream}");
                assert!(out.is_empty());
            }
        }
    }
    // The example of the format's description.
    let sound = [&[0x04, 0x0D, 0x01, 0x02][..], b"a\nabcdef"].concat();
    assert_eq!(decode(Encoding::Base64, &sound, 12, &mut out), Ok(()));
    assert_eq!(out, b"a\nYWJj\r\nZGVm");
    let less = &sound[..11];
    assert_eq!(decode(Encoding::Base64, less, 12, &mut out), Err(Undecodable), "the stream is too short");
    let more = [&sound[..], b"g"].concat();
    assert_eq!(decode(Encoding::Base64, &more, 12, &mut out), Err(Undecodable), "the stream is too long");
}

fn refused_or_whole(encoding: Encoding, stored: &[u8], len: usize) {
    let mut out = Vec::new();
    let made = decode(encoding, stored, len, &mut out);
    assert_eq!(out.len(), if made.is_ok() { len } else { 0 });
    assert!(out.capacity() <= DECODE_BYTES_MAX.max(stored.len()));
}

const CODED: [Encoding; 4] = [Encoding::Raw, Encoding::Base64, Encoding::Compressed, Encoding::Both];

proptest! {
    #[test]
    fn frames_come_back_in_one_coder(frames in vec_of(frame(), 1..5)) {
        let mut coder = Coder::new();
        for frame in frames {
            there_and_back(&mut coder, &frame);
        }
        prop_assert!(coder.memory() <= CODER_BYTES_MAX);
    }

    #[test]
    fn spoilt_frames_are_refused_or_have_their_length(
        frame in frame(),
        changes in vec_of((any::<Index>(), any::<u8>()), 0..6),
        cut in any::<Index>(),
        more in vec_of(any::<u8>(), 0..8),
        len in prop_oneof![Just(None), (0usize..70_000).prop_map(Some)],
        other in select(&CODED[..]),
    ) {
        let mut coder = Coder::new();
        let coded = coder.encode(&frame);
        let mut stored = coded.bytes.to_vec();
        for (at, byte) in changes {
            if !stored.is_empty() {
                let at = at.index(stored.len());
                stored[at] = byte;
            }
        }
        let len = len.unwrap_or(frame.len());
        for encoding in [coded.encoding, other] {
            refused_or_whole(encoding, &stored, len);
            refused_or_whole(encoding, &stored[..cut.index(stored.len() + 1)], len);
            refused_or_whole(encoding, &[&stored[..], &more].concat(), len);
        }
    }

    #[test]
    fn any_bytes_are_refused_or_have_their_length(
        stored in vec_of(any::<u8>(), 0..600),
        len in 0usize..70_000,
        encoding in select(&CODED[..]),
    ) {
        refused_or_whole(encoding, &stored, len);
    }
}
