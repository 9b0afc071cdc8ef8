//! Bytes for the tests: noise, base64 by the independent implementation, letters, and strategies that mix all of them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Bytes that nothing shortens; the same for the same seed.
pub(super) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..len).map(step).collect()
}

/// What the `base64` crate makes of `bytes`, in lines of `width` characters, without an end behind the last one.
pub(super) fn base64_lines(bytes: &[u8], width: usize, end: &str) -> Vec<u8> {
    let chars = STANDARD.encode(bytes).into_bytes();
    chars.chunks(width).collect::<Vec<_>>().join(end.as_bytes())
}

/// Words that do not repeat much.
pub(super) fn words(seed: u64, len: usize) -> Vec<u8> {
    let words =
        ["letter", "the", "of", "and", "post", "office", "we", "thank", "you", "for", "order", "tomorrow"];
    let mut text = String::new();
    for byte in noise(seed, len) {
        text += words[usize::from(byte) % words.len()];
        text += if byte > 230 { "\r\n" } else { " " };
    }
    text.truncate(len);
    text.into_bytes()
}

/// The body of a letter with a text, a text in base64, and two attachments with lines of different lengths.
pub(super) fn letter() -> Vec<u8> {
    let part = |kind: &str| {
        format!("\r\n--=_b\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n\r\n")
    };
    let mut body = b"--=_b\r\nContent-Type: text/plain\r\n\r\n".to_vec();
    body.extend(words(1, 700));
    body.extend(part("text/plain; charset=utf-8").bytes());
    body.extend(base64_lines(&"手紙は明日の朝に届きます。".repeat(20).into_bytes(), 76, "\r\n"));
    body.extend(part("image/jpeg").bytes());
    body.extend(base64_lines(&noise(2, 1_600), 76, "\r\n"));
    body.extend(part("application/zip").bytes());
    body.extend(base64_lines(&noise(3, 901), 64, "\r\n"));
    body.extend(b"\r\n--=_b--\r\n");
    body
}

/// One stretch of a letter: words, noise, or base64 that is canonical in one way or another, or spoilt in one place.
fn stretch() -> impl Strategy<Value = Vec<u8>> {
    let width = select(&[4usize, 40, 60, 64, 72, 76, 78, 900, 1 << 20][..]);
    let end = select(&["\r\n", "\n", "\r", " \r\n", "\r\n "][..]);
    let sound = (vec(any::<u8>(), 0..3_000), width, end)
        .prop_map(|(bytes, width, end)| [base64_lines(&bytes, width, end), end.into()].concat());
    let sound = sound.boxed();
    let spoilt =
        (sound.clone(), any::<Index>(), select(&b"=\r\n -_Az\0"[..])).prop_map(|(mut chars, at, byte)| {
            let at = at.index(chars.len());
            chars[at] = byte;
            chars
        });
    prop_oneof![
        3 => sound,
        2 => spoilt,
        2 => (any::<u64>(), 0usize..2_000).prop_map(|(seed, len)| words(seed, len)),
        1 => (any::<u64>(), 0usize..2_000).prop_map(|(seed, len)| noise(seed, len)),
        1 => vec(select(&b"A/9=\r\n"[..]), 0..400),
    ]
}

/// A frame: some stretches, cut anywhere.
pub(super) fn frame() -> impl Strategy<Value = Vec<u8>> {
    (vec(stretch(), 0..6), any::<Index>(), any::<Index>()).prop_map(|(stretches, from, to)| {
        let all = stretches.concat();
        let (from, to) = (from.index(all.len() + 1), to.index(all.len() + 1));
        all[from.min(to)..from.max(to)].to_vec()
    })
}
