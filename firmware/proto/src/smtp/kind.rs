//! What bytes a letter is made of, found while it streams by: whoever sends it on has to know, and what the client said
//! of it is often less or more than the truth. Mail programs send UTF-8 without a word about it, and some servers call
//! every letter binary that they send in chunks.

use mail::{BodyKind, Envelope};

/// Longest line of a letter that is not binary, in bytes, without its end (RFC 2045 §2.7, §2.8).
const LINE_BYTES_MAX: usize = 998;

/// What has been seen of a letter.
#[derive(Debug)]
pub(super) struct Kind {
    /// A byte beyond ASCII.
    beyond_ascii: bool,
    /// Whether all was in lines so far, of a letter that was said to be binary. Of others it is known: they are refused
    /// where a line ends with anything but CR LF, and go out as they came where one is too long.
    lines: Option<Lines>,
}

/// Whether a letter is in lines (RFC 2045 §2.8).
#[derive(Debug, Default)]
struct Lines {
    broken: bool,
    after_cr: bool,
    /// Bytes of the line so far.
    len: usize,
}

impl Kind {
    /// Before a letter of which this was said.
    pub(super) fn new(said: BodyKind) -> Self {
        Self { beyond_ascii: false, lines: (said == BodyKind::Binary).then(Lines::default) }
    }

    /// Looks at the next bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.beyond_ascii = self.beyond_ascii || !bytes.is_ascii();
        if let Some(lines) = &mut self.lines {
            bytes.iter().for_each(|byte| lines.feed(*byte));
        }
    }

    /// Sets right what was said. No byte follows.
    pub(super) fn correct(&self, envelope: &mut Envelope) {
        envelope.body = match &self.lines {
            Some(lines) if lines.broken || lines.after_cr => BodyKind::Binary,
            _ if self.beyond_ascii => BodyKind::EightBit,
            _ => BodyKind::SevenBit,
        };
        // RFC 6532 §3: what needs SMTPUTF8 is in a header, of the letter or of a part. Addresses speak for themselves.
        envelope.utf8 &= self.beyond_ascii;
    }
}

impl Lines {
    fn feed(&mut self, byte: u8) {
        match (self.after_cr, byte) {
            _ if self.broken => {}
            (true, b'\n') => *self = Self::default(),
            (true, _) | (false, b'\n' | b'\0') => self.broken = true,
            (false, b'\r') => self.after_cr = true,
            (false, _) => {
                self.len += 1;
                self.broken = self.len > LINE_BYTES_MAX;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn found(said: BodyKind, letter: &[u8]) -> BodyKind {
        let kinds: Vec<BodyKind> = [1, 2, usize::MAX]
            .into_iter()
            .map(|size| {
                let mut kind = Kind::new(said);
                letter.chunks(size).for_each(|piece| kind.feed(piece));
                let mut envelope = Envelope { body: said, ..Envelope::default() };
                kind.correct(&mut envelope);
                envelope.body
            })
            .collect();
        assert!(kinds.iter().all(|kind| *kind == kinds[0]), "{kinds:?}");
        kinds[0]
    }

    #[test]
    fn what_was_said_is_set_right() {
        use BodyKind::{Binary, EightBit, SevenBit};
        let (long, longest) = ([b"x".repeat(999), b"\r\n".to_vec()].concat(), b"x".repeat(998));
        for (said, letter, kind) in [
            (SevenBit, &b"Subject: x\r\n\r\nhello\r\n"[..], SevenBit),
            (SevenBit, "Subject: x\r\n\r\n手紙\r\n".as_bytes(), EightBit),
            (EightBit, b"Subject: x\r\n\r\nhello\r\n", SevenBit),
            (EightBit, b"\xa4\xb3", EightBit),
            (Binary, b"Subject: x\r\n\r\nhello\r\n", SevenBit),
            (Binary, b"Subject: x\r\n\r\n\xa4\xb3", EightBit),
            (Binary, b"Subject: x\n\nhello\n", Binary),
            (Binary, b"a\rb", Binary),
            (Binary, b"a\r\r\n", Binary),
            (Binary, b"a\r", Binary),
            (Binary, b"a\0b\r\n", Binary),
            (Binary, &long, Binary),
            (Binary, &longest, SevenBit),
            (Binary, b"", SevenBit),
        ] {
            assert_eq!(found(said, letter), kind, "{}", letter.escape_ascii());
        }
    }

    #[test]
    fn smtputf8_is_needed_only_where_something_is_beyond_ascii() {
        for (letter, needed) in [("hello", false), ("手紙", true)] {
            let mut kind = Kind::new(BodyKind::EightBit);
            kind.feed(letter.as_bytes());
            let mut envelope = Envelope { utf8: true, ..Envelope::default() };
            kind.correct(&mut envelope);
            assert_eq!(envelope.utf8, needed);
        }
    }
}
