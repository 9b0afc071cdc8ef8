//! Guessing which charset unlabelled 8-bit text is in.

use encoding_rs::{EUC_JP, Encoding, SHIFT_JIS, UTF_8};

/// The coding of `bytes`, the beginning of a text that has bytes above 127; `fallback` if they look like neither
/// UTF-8 nor Japanese.
pub(super) fn coding(bytes: &[u8], fallback: &'static Encoding) -> &'static Encoding {
    match core::str::from_utf8(bytes) {
        Ok(_) => return UTF_8,
        // The sample may end in the middle of a character.
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => return UTF_8,
        Err(_) => {}
    }
    let (shift_jis, euc_jp) = (score_shift_jis(bytes), score_euc_jp(bytes));
    if shift_jis.max(euc_jp) <= 0 {
        fallback
    } else if euc_jp > shift_jis {
        EUC_JP
    } else {
        SHIFT_JIS
    }
}

/// What is added for kana, for common kanji, for rare characters, and taken for what cannot be.
const KANA: i32 = 4;
const COMMON: i32 = 2;
const RARE: i32 = -1;
const WRONG: i32 = -20;

fn score_shift_jis(bytes: &[u8]) -> i32 {
    score(bytes, |rest| match *rest {
        // Half-width kana: real, but rarer than what they look like in the other codings.
        [0xa1..=0xdf, ..] => (1, RARE),
        // Hiragana and katakana, and the punctuation that stands among them.
        [0x82, 0x9f..=0xf1, ..] | [0x83, 0x40..=0x96, ..] => (2, KANA),
        [0x81, 0x40..=0x5b, ..] => (2, COMMON),
        // Kanji of level 1.
        [0x88, 0x9f..=0xfc, ..] | [0x89..=0x97, 0x40..=0x7e | 0x80..=0xfc, ..] => (2, COMMON),
        [0x98, 0x40..=0x72, ..] => (2, COMMON),
        [0x81..=0x9f | 0xe0..=0xfc, 0x40..=0x7e | 0x80..=0xfc, ..] => (2, RARE),
        // Cut off by the end of the sample.
        [0x81..=0x9f | 0xe0..=0xfc] => (1, 0),
        _ => (1, WRONG),
    })
}

fn score_euc_jp(bytes: &[u8]) -> i32 {
    score(bytes, |rest| match *rest {
        [0x8e, 0xa1..=0xdf, ..] => (2, RARE),
        [0x8f, 0xa1..=0xfe, 0xa1..=0xfe, ..] => (3, RARE),
        [0xa4, 0xa1..=0xf3, ..] | [0xa5, 0xa1..=0xf6, ..] => (2, KANA),
        [0xa1, 0xa1..=0xbc, ..] => (2, COMMON),
        [0xb0..=0xcf, 0xa1..=0xfe, ..] => (2, COMMON),
        [0xa1..=0xfe, 0xa1..=0xfe, ..] => (2, RARE),
        [0x8e | 0x8f | 0xa1..=0xfe] | [0x8f, 0xa1..=0xfe] => (1, 0),
        _ => (1, WRONG),
    })
}

/// Adds up what `judge` says of each character above 127: its length and its score.
fn score(bytes: &[u8], judge: impl Fn(&[u8]) -> (usize, i32)) -> i32 {
    let mut rest = bytes;
    let mut sum = 0_i32;
    while let Some(first) = rest.first() {
        let (len, score) = if first.is_ascii() { (1, 0) } else { judge(rest) };
        sum = sum.saturating_add(score);
        rest = rest.get(len..).unwrap_or_default();
    }
    sum
}
