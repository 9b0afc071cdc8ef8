//! The quanta against the `base64` crate.

use alloc::vec;
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::base64::{all_chars, decode, decode_padded, encode, is_char};

#[test]
fn the_characters_are_those_of_the_standard() {
    let alphabet = STANDARD.encode(
        (0..48).map(|at| (0..8).fold(0, |byte, bit| byte << 1 | bit_of(at * 8 + bit))).collect::<Vec<u8>>(),
    );
    for byte in 0..=255 {
        assert_eq!(is_char(byte), alphabet.as_bytes().contains(&byte), "{byte}");
        assert_eq!(all_chars(&[b'A', byte, b'/']), is_char(byte), "{byte}");
    }
}

/// Bit `at` of the numbers 0 to 63, in 6 bits each.
fn bit_of(at: usize) -> u8 {
    ((at / 6) >> (5 - at % 6)) as u8 & 1
}

#[test]
fn every_padded_quantum_is_judged_as_the_standard_engine_judges_it() {
    let chars: Vec<u8> = (0..=255).filter(|byte| is_char(*byte)).chain(*b"=-_ \r\n\0").collect();
    let mut canonical = 0;
    for quantum in chars.iter().flat_map(|a| chars.iter().map(|b| [*a, *b])).flat_map(|[a, b]| {
        [[a, b, b'=', b'='], [b'Q', a, b, b'='], [a, b'=', b, b'='], [a, b, b'A', b'A'], [a, b, b'=', b'A']]
    }) {
        let ours = decode_padded(quantum).map(|(bytes, len)| bytes[..len].to_vec());
        let theirs = STANDARD.decode(quantum).ok().filter(|bytes| bytes.len() < 3);
        assert_eq!(ours, theirs, "{quantum:?}");
        canonical += usize::from(ours.is_some());
    }
    // `ab==`, `Qab=`, and among the latter `Qa==`: the bits that are not needed are zero.
    assert_eq!(canonical, 64 * 4 + 64 * 16 + 4);
}

proptest! {
    #[test]
    fn bytes_become_what_the_independent_implementation_makes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let theirs = STANDARD.encode(&bytes).into_bytes();
        let mut ours = vec![0; theirs.len()];
        encode(&bytes, &mut ours);
        prop_assert_eq!(&ours, &theirs);
        let whole = bytes.len() / 3;
        let mut back = vec![0; whole * 3];
        decode(&theirs[..whole * 4], &mut back);
        prop_assert_eq!(back, &bytes[..whole * 3]);
    }
}
