//! Modified UTF-7, the form of mailbox names on the wire (RFC 3501 §5.1.3).
//!
//! Reading is strict: a text that [`encode`] would not have written is no name. Otherwise two texts would name one
//! mailbox, and a client would see names come back that it never sent.

use alloc::{string::String, vec::Vec};

/// The alphabet of RFC 3501 §5.1.3: that of base64 with `,` for `/`.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// Reads modified UTF-7; `None` unless it is in its one canonical form.
#[must_use]
pub fn decode(text: &[u8]) -> Option<String> {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'&' => {
                let end = rest.iter().position(|byte| *byte == b'-')?;
                let (shifted, after) = rest.split_at(end);
                if shifted.is_empty() {
                    decoded.push('&');
                } else {
                    decode_shifted(shifted, &mut decoded)?;
                }
                rest = after.get(1..)?;
            }
            b' '..=b'~' => decoded.push(char::from(*byte)),
            _ => return None,
        }
    }
    // Superfluous shifts, split shifts, ASCII in a shift and stray bits at its end all show here.
    let mut again = Vec::with_capacity(text.len());
    encode(&decoded, &mut again);
    (again == text).then_some(decoded)
}

/// Appends `text` in modified UTF-7 to `out`: printable ASCII, nothing else.
pub fn encode(text: &str, out: &mut Vec<u8>) {
    let mut rest = text;
    while !rest.is_empty() {
        let (direct, after) =
            rest.split_at(rest.find(|c| !is_printable(c) || c == '&').unwrap_or(rest.len()));
        out.extend_from_slice(direct.as_bytes());
        if let Some(after) = after.strip_prefix('&') {
            out.extend_from_slice(b"&-");
            rest = after;
            continue;
        }
        let (shifted, after) = after.split_at(after.find(is_printable).unwrap_or(after.len()));
        if !shifted.is_empty() {
            encode_shifted(shifted, out);
        }
        rest = after;
    }
}

/// What stands for itself, `&` aside.
const fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~')
}

/// Base64 of UTF-16BE, without its end.
fn decode_shifted(shifted: &[u8], decoded: &mut String) -> Option<()> {
    let mut units = Vec::with_capacity(shifted.len());
    let (mut bits, mut count) = (0_u32, 0);
    for byte in shifted {
        bits = bits << 6 | value(*byte)?;
        count += 6;
        if count >= 16 {
            count -= 16;
            units.push((bits >> count & 0xFFFF) as u16);
        }
    }
    for c in char::decode_utf16(units) {
        decoded.push(c.ok()?);
    }
    Some(())
}

fn encode_shifted(shifted: &str, out: &mut Vec<u8>) {
    out.push(b'&');
    let (mut bits, mut count) = (0_u32, 0);
    for unit in shifted.encode_utf16() {
        bits = bits << 16 | u32::from(unit);
        count += 16;
        while count >= 6 {
            count -= 6;
            out.push(digit(bits >> count));
        }
    }
    if count > 0 {
        out.push(digit(bits << (6 - count)));
    }
    out.push(b'-');
}

fn digit(bits: u32) -> u8 {
    ALPHABET[(bits & 0x3F) as usize]
}

fn value(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b',' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned;

    use proptest::prelude::*;

    use super::*;

    fn encoded(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        encode(text, &mut out);
        out
    }

    #[test]
    fn names_read_as_they_were_written() {
        for (wire, text) in [
            ("", ""),
            ("INBOX", "INBOX"),
            ("a&-b", "a&b"),
            ("&-", "&"),
            ("&-&-", "&&"),
            ("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),
            ("&kAFP4W4IMH8wojCkMMYw4A-", "送信済みアイテム"),
            ("&2D3cDA-", "🐌"),
            ("&Jjo-!", "☺!"),
            ("&AAk-", "\t"),
            ("&AOkA4A- &AOk-", "éà é"),
            ("a-b+c,d/e", "a-b+c,d/e"),
        ] {
            assert_eq!(encoded(text), wire.as_bytes(), "{text}");
            assert_eq!(decode(wire.as_bytes()).as_deref(), Some(text), "{wire}");
        }
    }

    #[test]
    fn what_is_not_canonical_is_no_name() {
        for (wire, why) in [
            ("&", "a shift without end"),
            ("&Jjo", "a shift without end"),
            ("&Jjo!", "a shift ended by something else (RFC 3501 §5.1.3)"),
            ("&AGE-", "ASCII in a shift"),
            ("&ACY-", "an ampersand in a shift"),
            ("&U,BTFw-&ZeVnLIqe-", "a superfluous shift"),
            ("&U,BTFx-", "stray bits"),
            ("&U,BTFwA-", "a whole digit too many"),
            ("&Jj-", "half a character"),
            ("&2D0-", "half a surrogate pair"),
            ("&3IzYPQ-", "surrogates the wrong way round"),
            ("&U/BTFw-", "the base64 digit that modified base64 lacks"),
            ("&A=-", "padding"),
            ("caf\u{e9}", "eight bits"),
            ("a\tb", "a control character"),
            ("a\x7fb", "a control character"),
        ] {
            assert_eq!(decode(wire.as_bytes()), None, "{why}: {wire}");
        }
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in any::<String>()) {
            prop_assert_eq!(decode(&encoded(&text)), Some(text.to_owned()));
        }

        #[test]
        fn what_decodes_encodes_to_the_same_bytes(wire in "[&A-Ja-j0-9+,~ -]{0,24}") {
            if let Some(text) = decode(wire.as_bytes()) {
                prop_assert_eq!(encoded(&text), wire.as_bytes());
            }
        }

        #[test]
        fn no_bytes_are_too_strange(wire in any::<Vec<u8>>()) {
            let _ = decode(&wire);
        }
    }
}
