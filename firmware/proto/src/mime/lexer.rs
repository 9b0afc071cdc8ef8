//! The words of structured header fields: blanks, comments, tokens, quoted strings (RFC 5322 §3.2, RFC 2045 §5.1).
//!
//! Fields come unfolded. Everything is lenient and ends at the end of the field: an open quote or comment reaches
//! to it. Japanese text that stands raw in a field is taken whole, though its second bytes may look like syntax.

use alloc::vec::Vec;

/// Reads a field's value from left to right.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'a> {
    rest: &'a [u8],
    /// Whether bytes above 127 are not UTF-8: then they may be the first halves of Shift_JIS characters, whose
    /// second halves include `@`, `[`, `\`.
    double_bytes: bool,
}

const ESC: u8 = 0x1b;

impl<'a> Lexer<'a> {
    pub(super) fn new(field: &'a [u8]) -> Self {
        // A character that is cut at the end is no sign of another charset.
        let double_bytes = core::str::from_utf8(field).is_err_and(|error| error.error_len().is_some());
        Self { rest: field, double_bytes }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Bytes that have not been read.
    pub(super) const fn rest_len(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Skips one byte.
    pub(super) fn bump(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    /// Takes `byte` if it is next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let next = self.peek() == Some(byte);
        if next {
            self.bump();
        }
        next
    }

    /// Skips blanks and comments.
    pub(super) fn skip_blanks(&mut self) {
        self.skip_blanks_noting(&mut Vec::new());
    }

    /// Skips blanks and comments; says whether there were any, and leaves the last comment that says something in
    /// `comment`.
    pub(super) fn skip_blanks_noting(&mut self, comment: &mut Vec<u8>) -> bool {
        let before = self.rest.len();
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.bump(),
                Some(b'(') => {
                    let text = self.comment();
                    if !text.is_empty() {
                        *comment = text;
                    }
                }
                _ => return self.rest.len() < before,
            }
        }
    }

    /// Takes characters as long as `belongs` says so.
    pub(super) fn run(&mut self, belongs: impl Fn(u8) -> bool) -> &'a [u8] {
        let all = self.rest;
        while let Some(byte) = self.peek() {
            if !self.skip_wide() {
                if !belongs(byte) {
                    break;
                }
                self.bump();
            }
        }
        all.get(..all.len() - self.rest.len()).unwrap_or_default()
    }

    /// A quoted string without its quotes and backslashes; the opening quote is next.
    pub(super) fn quoted(&mut self) -> Vec<u8> {
        self.bump();
        let mut text = Vec::new();
        loop {
            let before = self.rest;
            if self.skip_wide() {
                text.extend_from_slice(before.get(..before.len() - self.rest.len()).unwrap_or_default());
                continue;
            }
            match self.peek() {
                None => return text,
                Some(b'"') => {
                    self.bump();
                    return text;
                }
                Some(b'\\') => {
                    self.bump();
                    text.extend(self.peek());
                }
                Some(byte) => text.push(byte),
            }
            self.bump();
        }
    }

    /// A comment without its outer parentheses (RFC 5322 §3.2.2); the opening one is next. Nested ones stay.
    fn comment(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        let mut depth = 0_u32;
        while let Some(byte) = self.peek() {
            let before = self.rest;
            if self.skip_wide() {
                text.extend_from_slice(before.get(..before.len() - self.rest.len()).unwrap_or_default());
                continue;
            }
            self.bump();
            match byte {
                b'\\' => {
                    text.extend(self.peek());
                    self.bump();
                    continue;
                }
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            if !(byte == b'(' && depth == 1) {
                text.push(byte);
            }
        }
        text.trim_ascii().to_vec()
    }

    /// Skips a stretch of raw ISO-2022-JP, or one raw Shift_JIS character. Says whether one was next.
    fn skip_wide(&mut self) -> bool {
        let len = match *self.rest {
            // Between the escape to two bytes a character and the one back, any byte can be half a character.
            [ESC, b'$', ..] => {
                let back = self.rest.windows(2).position(|pair| pair == [ESC, b'(']);
                back.map_or(self.rest.len(), |at| at + 3)
            }
            [ESC, b'(', _, ..] => 3,
            [0x81..=0x9f | 0xe0..=0xfc, 0x40..=0x7e | 0x80..=0xfc, ..] if self.double_bytes => 2,
            _ => return false,
        };
        self.rest = self.rest.get(len..).unwrap_or_default();
        true
    }
}

/// RFC 2045 §5.1 `token`, and bytes above 127 that stand raw in parameters.
pub(super) const fn is_token(byte: u8) -> bool {
    !matches!(
        byte,
        0..=b' '
            | 0x7f
            | b'('
            | b')'
            | b'<'
            | b'>'
            | b'@'
            | b','
            | b';'
            | b':'
            | b'\\'
            | b'"'
            | b'/'
            | b'['
            | b']'
            | b'?'
            | b'='
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_nest_and_end_with_the_field() {
        let mut lexer = Lexer::new(b" (one (two) \\) three) rest");
        let mut comment = Vec::new();
        assert!(lexer.skip_blanks_noting(&mut comment));
        assert_eq!(comment, b"one (two) ) three");
        assert_eq!(lexer.run(is_token), b"rest");
        let mut open = Lexer::new(b"(never closed");
        open.skip_blanks();
        assert!(open.is_at_end());
    }

    #[test]
    fn raw_japanese_is_not_taken_for_syntax() {
        // "ソ" is 83 5C in Shift_JIS, "暗" in ISO-2022-JP is 0x30 0x45; "、" is 0x21 0x22, a quote.
        assert_eq!(Lexer::new(b"\"\x83\x5c\" x").quoted(), b"\x83\x5c");
        assert_eq!(Lexer::new(b"\"\x1b$B!\"\x1b(B\" x").quoted(), b"\x1b$B!\"\x1b(B");
        assert_eq!(Lexer::new(b"\x1b$B!\"\x1b(Bab c").run(is_token), b"\x1b$B!\"\x1b(Bab");
    }
}
