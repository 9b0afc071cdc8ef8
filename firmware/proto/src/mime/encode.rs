//! Transfer encodings and encoded words written: the other way round from [`super::decode`] and [`super::words`].

use alloc::{format, string::String, vec::Vec};

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Most bytes in an encoded word: they make 48 characters in base64, and 60 with what an encoded word has around them.
const WORD_BYTES_MAX: usize = 36;

/// Longest line of quoted-printable, without the `=` of a soft line break (RFC 2045 §6.7 rule 5: 76 with it).
const LINE_BYTES_MAX: usize = 75;

/// A header text: as it is if it is ASCII, or in encoded words of whole characters, one on each line, none of which is
/// longer than 76 characters with the name of the field in front (RFC 2047 §2).
#[must_use]
pub fn words(text: &str) -> String {
    if text.is_ascii() {
        return text.into();
    }
    let mut words = Vec::from([String::new()]);
    for character in text.chars() {
        match words.last_mut() {
            Some(word) if word.len() + character.len_utf8() <= WORD_BYTES_MAX => word.push(character),
            _ => words.push(character.into()),
        }
    }
    let words: Vec<_> = words.iter().map(|word| format!("=?UTF-8?B?{}?=", STANDARD.encode(word))).collect();
    words.join("\r\n ")
}

/// Appends `bytes` in quoted-printable (RFC 2045 §6.7). CRLF is a line end; a CR or LF by itself is kept as a byte.
pub fn quoted_printable(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut column = 0;
    let mut rest = bytes;
    while let Some((byte, behind)) = rest.split_first() {
        if let Some(next_line) = rest.strip_prefix(b"\r\n") {
            out.extend_from_slice(b"\r\n");
            (rest, column) = (next_line, 0);
            continue;
        }
        let ends_line = behind.is_empty() || behind.starts_with(b"\r\n");
        let plain = match byte {
            b'!'..=b'<' | b'>'..=b'~' => true,
            // Rule 3: a blank at the end of a line would be lost on the way.
            b' ' | b'\t' => !ends_line,
            _ => false,
        };
        let width = if plain { 1 } else { 3 };
        if column + width > LINE_BYTES_MAX {
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
        if plain {
            out.push(*byte);
        } else {
            out.extend([b'=', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        column += width;
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::{collection, prelude::*, sample};

    use super::*;
    use crate::mime::{Encoding, decode::Decoder, words::decode};

    fn quoted(bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![];
        quoted_printable(bytes, &mut out);
        out
    }

    #[test]
    fn quoted_printable_as_the_standard_has_it() {
        for (bytes, expected) in [
            (&b"plain text\r\n"[..], "plain text\r\n"),
            ("a=b\u{3042}".as_bytes(), "a=3Db=E3=81=82"),
            (b"blank \r\ntab\t", "blank=20\r\ntab=09"),
            (b"bare\rbare\n\r\n", "bare=0Dbare=0A\r\n"),
            (b"\x00\x7f", "=00=7F"),
        ] {
            assert_eq!(quoted(bytes), expected.as_bytes());
        }
    }

    #[test]
    fn words_are_cut_between_characters() {
        let subject = "メールサーバー mail.example.test のフラッシュを確認してください";
        let encoded = words(subject);
        assert!(encoded.is_ascii() && encoded.split("\r\n ").all(|line| line.len() <= 60));
        assert_eq!(decode(encoded.as_bytes()), subject);
        assert_eq!(words("plain"), "plain");
    }

    const PIECES: [&[u8]; 9] = [b"\r\n", b"\r", b"\n", b" ", b"\t", b"=", b"a", b"\xe3\x81\x82", b"\x00"];

    proptest! {
        #[test]
        fn what_is_quoted_is_read_back(pieces in collection::vec(sample::select(&PIECES[..]), 0..400)) {
            let bytes = pieces.concat();
            let encoded = quoted(&bytes);
            prop_assert!(encoded.is_ascii());
            for line in encoded.split(|byte| *byte == b'\n') {
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                prop_assert!(line.len() <= 76 && !line.contains(&b'\r') && !line.ends_with(b" "));
            }
            let (mut decoder, mut decoded) = (Decoder::new(Encoding::QuotedPrintable), vec![]);
            decoder.feed(&encoded, &mut decoded);
            decoder.finish(&mut decoded);
            prop_assert_eq!(decoded, bytes);
        }
    }
}
