//! ISO-2022-JP (RFC 1468) and what Japanese mail makes of it, rewritten as EUC-JP, which has the same characters.
//!
//! More is understood than the standard has: half-width kana by `ESC ( I` (CP50221) and by SO and SI (CP50222), the
//! vendor rows 13 and 89 to 92, JIS X 0212, escapes that follow one another, and lines that end without the escape
//! back to ASCII.

use alloc::vec::Vec;

/// Rewrites a text.
#[derive(Clone, Debug)]
pub(super) struct Jis {
    set: Set,
    /// SO: the right-hand half of the set, half-width kana.
    shifted: bool,
    /// The beginning of an escape, without ESC; empty outside of one.
    escape: Vec<u8>,
    in_escape: bool,
    /// The first half of a character.
    lead: Option<u8>,
}

/// Which characters bytes below 128 stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    Ascii,
    Kana,
    /// JIS X 0208: two bytes a character.
    Kanji,
    /// JIS X 0212.
    MoreKanji,
}

const ESC: u8 = 0x1b;
const SHIFT_OUT: u8 = 0x0e;
const SHIFT_IN: u8 = 0x0f;

/// Before a half-width kana, and before a character of JIS X 0212, in EUC-JP.
const SINGLE_SHIFT_2: u8 = 0x8e;
const SINGLE_SHIFT_3: u8 = 0x8f;

impl Jis {
    pub(super) const fn new() -> Self {
        Self { set: Set::Ascii, shifted: false, escape: Vec::new(), in_escape: false, lead: None }
    }

    /// Takes bytes, appends EUC-JP to `out`. Returns how many were taken: fewer than given if one above 127 stands
    /// where it cannot.
    pub(super) fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> usize {
        for (at, byte) in bytes.iter().enumerate() {
            if self.in_escape {
                self.escape_byte(*byte, out);
            } else if *byte >= 0x80 {
                if self.set == Set::Ascii && !self.shifted {
                    return at;
                }
                // Half-width kana in 8 bits beside escapes; anything else is damage and stays one character.
                self.drop_lead(out);
                if (0xa1..=0xdf).contains(byte) {
                    out.extend([SINGLE_SHIFT_2, *byte]);
                } else {
                    out.push(b'?');
                }
            } else {
                self.character(*byte, out);
            }
        }
        bytes.len()
    }

    /// The text has ended.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        self.drop_lead(out);
        self.in_escape = false;
        self.escape.clear();
    }

    fn character(&mut self, byte: u8, out: &mut Vec<u8>) {
        match byte {
            ESC => {
                self.drop_lead(out);
                self.in_escape = true;
                self.escape.clear();
            }
            SHIFT_OUT => self.shifted = true,
            SHIFT_IN => self.shifted = false,
            // RFC 1468: a line ends in ASCII. Where the escape was forgotten, text would turn into kanji otherwise.
            b'\n' => {
                self.drop_lead(out);
                (self.set, self.shifted) = (Set::Ascii, false);
                out.push(byte);
            }
            0x21..=0x7e => self.graphic(byte, out),
            _ => {
                self.drop_lead(out);
                out.push(byte);
            }
        }
    }

    fn graphic(&mut self, byte: u8, out: &mut Vec<u8>) {
        let right = byte | 0x80;
        if self.shifted || self.set == Set::Kana {
            out.extend([SINGLE_SHIFT_2, right]);
            return;
        }
        match (self.set, self.lead.take()) {
            (Set::Ascii | Set::Kana, _) => out.push(byte),
            (_, None) => self.lead = Some(right),
            (Set::Kanji, Some(lead)) => out.extend([lead, right]),
            (Set::MoreKanji, Some(lead)) => out.extend([SINGLE_SHIFT_3, lead, right]),
        }
    }

    /// A byte of an escape: intermediates 0x20 to 0x2f, then a final one (ISO 2022).
    fn escape_byte(&mut self, byte: u8, out: &mut Vec<u8>) {
        if (0x20..=0x2f).contains(&byte) && self.escape.len() < 3 {
            self.escape.push(byte);
            return;
        }
        self.in_escape = false;
        match (self.escape.as_slice(), byte) {
            (b"$", b'@' | b'B') | (b"$(", b'@' | b'B' | b'O' | b'Q') => self.set = Set::Kanji,
            (b"$(", b'D') => self.set = Set::MoreKanji,
            (b"(", b'I') => self.set = Set::Kana,
            // ASCII, JIS X 0201's left half, and others that differ from them in few signs.
            (b"(", _) => self.set = Set::Ascii,
            // ESC & @ announces a revision; nothing changes.
            (b"&", b'@') => {}
            // No escape of ours: what it consists of is text.
            _ => {
                let held = core::mem::take(&mut self.escape);
                held.iter().chain([&byte]).for_each(|byte| self.character(byte & 0x7f, out));
            }
        }
    }

    /// Half a character was cut off.
    fn drop_lead(&mut self, out: &mut Vec<u8>) {
        if self.lead.take().is_some() {
            out.push(b'?');
        }
    }
}
