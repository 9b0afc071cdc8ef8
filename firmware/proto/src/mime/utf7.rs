//! UTF-7 (RFC 2152), which old mail programs sent.

use alloc::string::String;

/// Decodes a text.
#[derive(Clone, Debug)]
pub(super) struct Utf7 {
    /// Inside `+...`: bits not yet given out, and how many; whether anything has come.
    shifted: bool,
    bits: u32,
    count: u32,
    empty: bool,
    high_surrogate: Option<u16>,
}

impl Utf7 {
    pub(super) const fn new() -> Self {
        Self { shifted: false, bits: 0, count: 0, empty: false, high_surrogate: None }
    }

    pub(super) fn feed(&mut self, bytes: &[u8], out: &mut String) {
        for byte in bytes {
            match (self.shifted, value(*byte)) {
                (true, Some(value)) => self.push(value, out),
                (true, None) => {
                    let literal_plus = self.empty && *byte == b'-';
                    self.end_shift(out);
                    if literal_plus {
                        out.push('+');
                    } else if *byte != b'-' {
                        push_direct(*byte, out);
                    }
                }
                (false, _) if *byte == b'+' => {
                    *self = Self { shifted: true, empty: true, ..Self::new() };
                }
                (false, _) => push_direct(*byte, out),
            }
        }
    }

    pub(super) fn finish(&mut self, out: &mut String) {
        self.end_shift(out);
    }

    fn push(&mut self, value: u32, out: &mut String) {
        self.empty = false;
        self.bits = self.bits << 6 | value;
        self.count += 6;
        if self.count >= 16 {
            self.count -= 16;
            self.unit((self.bits >> self.count) as u16, out);
            self.bits &= (1 << self.count) - 1;
        }
    }

    /// One unit of UTF-16.
    fn unit(&mut self, unit: u16, out: &mut String) {
        match (self.high_surrogate.take(), unit) {
            (None, 0xd800..=0xdbff) => self.high_surrogate = Some(unit),
            (Some(high), 0xdc00..=0xdfff) => {
                let code = 0x1_0000 + ((u32::from(high) & 0x3ff) << 10) + (u32::from(unit) & 0x3ff);
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            (held, unit) => {
                if held.is_some() {
                    out.push(char::REPLACEMENT_CHARACTER);
                }
                out.push(char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
        }
    }

    fn end_shift(&mut self, out: &mut String) {
        if self.high_surrogate.is_some() {
            out.push(char::REPLACEMENT_CHARACTER);
        }
        *self = Self::new();
    }
}

const fn value(byte: u8) -> Option<u32> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    } as u32)
}

fn push_direct(byte: u8, out: &mut String) {
    out.push(if byte.is_ascii() { char::from(byte) } else { char::REPLACEMENT_CHARACTER });
}
