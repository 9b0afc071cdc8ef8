//! Transfer encodings undone as the bytes stream by (RFC 2045 §6), for searching and previews.
//!
//! Both decoders take what is malformed as well as they can and never fail: nothing is refused for it.

use alloc::vec::Vec;

use memchr::memchr;

use super::part::Encoding;

/// Undoes one transfer encoding. Holds at most a few bytes.
#[derive(Clone, Debug)]
pub struct Decoder {
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Identity,
    Base64 {
        /// Six bits for each character since the last whole group.
        bits: u32,
        count: u32,
    },
    Quoted(Quoted),
}

/// Where in an escape of quoted-printable we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quoted {
    Text,
    /// Behind `=`.
    Equals,
    /// Behind `=` and blanks or a CR, which is the end of a soft line break if LF comes.
    Soft,
    /// Behind `=` and one hexadecimal digit.
    Digit(u8),
}

impl Decoder {
    /// Undoes `encoding`; an unknown one passes unchanged.
    #[must_use]
    pub const fn new(encoding: Encoding) -> Self {
        let state = match encoding {
            Encoding::Identity | Encoding::Other => State::Identity,
            Encoding::Base64 => State::Base64 { bits: 0, count: 0 },
            Encoding::QuotedPrintable => State::Quoted(Quoted::Text),
        };
        Self { state }
    }

    /// Takes encoded bytes, appends to `out` what they stand for.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        match &mut self.state {
            State::Identity => out.extend_from_slice(bytes),
            State::Base64 { bits, count } => base64(bytes, bits, count, out),
            State::Quoted(state) => *state = quoted(bytes, *state, out),
        }
    }

    /// No more bytes come: appends what was held back.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        match &mut self.state {
            State::Identity => {}
            State::Base64 { bits, count } => end_group(bits, count, out),
            State::Quoted(state) => {
                match *state {
                    Quoted::Digit(digit) => out.extend([b'=', digit]),
                    Quoted::Text | Quoted::Equals | Quoted::Soft => {}
                }
                *state = Quoted::Text;
            }
        }
    }
}

/// What each byte stands for in base64 (RFC 2045 §6.8, table 1).
const VALUES: [u8; 256] = {
    let mut values = [SKIP; 256];
    let mut value = 0;
    while value < 26 {
        values[b'A' as usize + value] = value as u8;
        values[b'a' as usize + value] = value as u8 + 26;
        if value < 10 {
            values[b'0' as usize + value] = value as u8 + 52;
        }
        value += 1;
    }
    values[b'+' as usize] = 62;
    values[b'/' as usize] = 63;
    values[b'=' as usize] = PAD;
    values
};

const SKIP: u8 = 0x80;
const PAD: u8 = 0x40;

fn base64(bytes: &[u8], bits: &mut u32, count: &mut u32, out: &mut Vec<u8>) {
    out.reserve(bytes.len() / 4 * 3 + 3);
    let mut rest = bytes;
    while let Some((byte, behind)) = rest.split_first() {
        if *count == 0
            && let Some((group, behind)) = rest.split_first_chunk::<4>()
        {
            let [a, b, c, d] = group.map(|byte| VALUES[usize::from(byte)]);
            if a | b | c | d < PAD {
                let all = u32::from(a) << 18 | u32::from(b) << 12 | u32::from(c) << 6 | u32::from(d);
                let [_, first, second, third] = all.to_be_bytes();
                out.extend_from_slice(&[first, second, third]);
                rest = behind;
                continue;
            }
        }
        rest = behind;
        match VALUES[usize::from(*byte)] {
            // Line ends, and what is not of the alphabet (RFC 2045 §6.8: "must be ignored").
            SKIP => {}
            // Padding ends a group; another text may follow, as where two were put one behind the other.
            PAD => end_group(bits, count, out),
            value => {
                *bits = *bits << 6 | u32::from(value);
                *count += 1;
                if *count == 4 {
                    let [_, first, second, third] = bits.to_be_bytes();
                    out.extend_from_slice(&[first, second, third]);
                    (*bits, *count) = (0, 0);
                }
            }
        }
    }
}

/// Gives the whole bytes of an incomplete group.
fn end_group(bits: &mut u32, count: &mut u32, out: &mut Vec<u8>) {
    match *count {
        2 => out.push((*bits >> 4) as u8),
        3 => out.extend([(*bits >> 10) as u8, (*bits >> 2) as u8]),
        _ => {}
    }
    (*bits, *count) = (0, 0);
}

fn quoted(bytes: &[u8], mut state: Quoted, out: &mut Vec<u8>) -> Quoted {
    let mut rest = bytes;
    loop {
        if state == Quoted::Text {
            let Some(at) = memchr(b'=', rest) else {
                out.extend_from_slice(rest);
                return state;
            };
            let (text, escape) = rest.split_at(at);
            out.extend_from_slice(text);
            rest = escape.get(1..).unwrap_or_default();
            state = Quoted::Equals;
        }
        let Some((byte, behind)) = rest.split_first() else { return state };
        let next = escape(state, *byte, out);
        if next.is_some() {
            rest = behind;
        }
        state = next.unwrap_or(Quoted::Text);
    }
}

/// One byte of an escape. `None` if it does not belong to one: it is text, and what came before it has been given.
fn escape(state: Quoted, byte: u8, out: &mut Vec<u8>) -> Option<Quoted> {
    match (state, byte) {
        // A soft line break, with blanks that some transport put behind the `=` (RFC 2045 §6.7 rule 5).
        (Quoted::Equals | Quoted::Soft, b'\n') => Some(Quoted::Text),
        (Quoted::Equals | Quoted::Soft, b' ' | b'\t' | b'\r') => Some(Quoted::Soft),
        (Quoted::Equals, _) if byte.is_ascii_hexdigit() => Some(Quoted::Digit(byte)),
        (Quoted::Digit(high), _) if byte.is_ascii_hexdigit() => {
            out.push(hex(high) << 4 | hex(byte));
            Some(Quoted::Text)
        }
        (Quoted::Equals, _) => {
            out.push(b'=');
            None
        }
        (Quoted::Digit(high), _) => {
            out.extend([b'=', high]);
            None
        }
        (Quoted::Soft | Quoted::Text, _) => None,
    }
}

/// The value of a hexadecimal digit.
pub(super) const fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.wrapping_sub(b'A').wrapping_add(10) & 15,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(encoding: Encoding, bytes: &[u8]) -> Vec<u8> {
        let decode = |chunk: usize| {
            let (mut decoder, mut out) = (Decoder::new(encoding), Vec::new());
            bytes.chunks(chunk).for_each(|piece| decoder.feed(piece, &mut out));
            decoder.finish(&mut out);
            out
        };
        let whole = decode(usize::MAX);
        for chunk in [1, 2, 3, 5] {
            assert_eq!(decode(chunk), whole, "in pieces of {chunk}");
        }
        whole
    }

    #[test]
    fn base64_is_decoded_whatever_stands_in_it() {
        for (text, expected) in [
            (&b"aGVsbG8gd29ybGQ="[..], &b"hello world"[..]),
            (b"aGVs\r\nbG8g\r\n d29y*bGQ", b"hello world"),
            (b"aGk=aGk=", b"hihi"),
            (b"+/-_+/", b"\xfb\xff\xbf"),
            (b"a", b""),
            (b"====", b""),
            (b"", b""),
        ] {
            assert_eq!(decoded(Encoding::Base64, text), expected, "{text:?}");
        }
    }

    #[test]
    fn quoted_printable_is_decoded_whatever_stands_in_it() {
        for (text, expected) in [
            (&b"a=3Db=e3=81=82"[..], "a=bあ"),
            (b"soft=\r\nbreak= \t\r\nhere=\nthere", "softbreakherethere"),
            (b"=zz=4=41=", "=zz=4A"),
            (b"=4", "=4"),
            (b"100 = 100", "100 100"),
            (b"plain", "plain"),
        ] {
            assert_eq!(decoded(Encoding::QuotedPrintable, text), expected.as_bytes(), "{text:?}");
        }
    }
}
