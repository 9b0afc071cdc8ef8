//! Foreign words made safe to stand in a report: nothing in them can begin a line, a header field or a part, or turn
//! the text around them.

use alloc::{format, string::String};

use super::limits::{REMOTE_WORDS_BYTES_MAX, REMOTE_WORDS_CHARS_MAX};
use crate::mime::charset;

/// Longest line of a field that can be folded, in bytes (RFC 5322 §2.1.1).
const LINE_BYTES: usize = 78;

/// What stands where something was cut off.
const CUT: &str = "...";

/// `text` on one line, of at most `chars_max` characters: whatever is blank, breaks lines or controls a terminal
/// becomes one blank.
pub(super) fn line(text: &str, chars_max: usize) -> String {
    let mut out = String::new();
    let mut left = chars_max;
    let words = text.split(is_unsafe).filter(|word| !word.is_empty());
    for (number, word) in words.enumerate() {
        let blank = if number == 0 { "" } else { " " };
        for c in blank.chars().chain(word.chars()) {
            if left == 0 {
                out.push_str(CUT);
                return out;
            }
            out.push(c);
            left -= 1;
        }
    }
    out
}

/// Blanks, controls, line separators, and what reverses the direction of the text that follows.
fn is_unsafe(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// What a server said, as Unicode on one line. Words that are not UTF-8 are read as what they look like.
pub(super) fn remote_words(words: &[u8]) -> String {
    let beginning = words.get(..REMOTE_WORDS_BYTES_MAX).unwrap_or(words);
    line(&charset::decode_all("", beginning), REMOTE_WORDS_CHARS_MAX)
}

/// ASCII, for what may hold nothing else.
pub(super) fn ascii(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()
}

/// A field with words that were made safe by [`line`], folded at their blanks (RFC 5322 §2.2.3).
pub(super) fn folded(name: &str, words: &str) -> String {
    let mut out = format!("{name}:");
    let mut column = out.len();
    for word in words.split(' ') {
        // The first word stays beside the name: a line of blanks alone could follow otherwise.
        if column + 1 + word.len() > LINE_BYTES && column > name.len() + 1 {
            out.push_str("\r\n");
            column = 0;
        }
        out.push(' ');
        out.push_str(word);
        column += 1 + word.len();
    }
    out.push_str("\r\n");
    out
}

/// A size for people, in the units in which limits are given: rounded up for what takes room, down for what gives it.
pub(super) fn size(bytes: u64, rounds_up: bool) -> String {
    const UNITS: [(u64, &str); 2] = [(1 << 20, "MB"), (1 << 10, "KB")];
    let Some((unit, name)) = UNITS.into_iter().find(|(unit, _)| bytes >= *unit) else {
        return format!("{bytes} B");
    };
    let (whole, rest) = (bytes / unit, bytes % unit);
    let tenths = if rounds_up { (rest * 10).div_ceil(unit) } else { rest * 10 / unit };
    format!("{}.{} {name}", whole + tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line() {
        for (text, expected) in [
            ("550 no\r\n such\tuser", "550 no such user"),
            ("\0\x1b[31mred\x7f", "[31mred"),
            ("a\rb\nc\u{2028}d\u{85}e\u{a0}f", "a b c d e f"),
            ("\u{202e}evil", "evil"),
            ("  ", ""),
        ] {
            assert_eq!(line(text, 100), expected, "{text:?}");
        }
        assert_eq!(line("あいうえお", 5), "あいうえお");
        assert_eq!(line("あいうえおか", 5), "あいうえお...");
    }

    #[test]
    fn words_in_any_charset_are_read() {
        assert_eq!(remote_words("550 宛先不明".as_bytes()), "550 宛先不明");
        assert_eq!(
            remote_words(b"550 \x88\xb6\x90\xe6\x82\xaa\x82\xa0\x82\xe8\x82\xdc\x82\xb9\x82\xf1"),
            "550 宛先がありません"
        );
        let long = remote_words(&b"x".repeat(1_000_000));
        assert_eq!(long.len(), REMOTE_WORDS_CHARS_MAX + CUT.len());
    }

    #[test]
    fn fields_are_folded_at_blanks() {
        assert_eq!(folded("Diagnostic-Code", "smtp; 550 no"), "Diagnostic-Code: smtp; 550 no\r\n");
        let words = format!("smtp; {}{}", "word ".repeat(30), "x".repeat(200));
        let field = folded("Diagnostic-Code", &words);
        assert_eq!(field.replace("\r\n", ""), format!("Diagnostic-Code: {words}"));
        let long: alloc::vec::Vec<_> = field.lines().filter(|line| line.len() > LINE_BYTES).collect();
        assert_eq!(long, [format!(" {}", "x".repeat(200))]);
    }

    #[test]
    fn sizes_never_say_that_what_is_too_large_fits() {
        for (bytes, up, down) in [
            (999, "999 B", "999 B"),
            (1_024, "1.0 KB", "1.0 KB"),
            (52_428_800, "50.0 MB", "50.0 MB"),
            (52_428_801, "50.1 MB", "50.0 MB"),
            (52_428_799, "50.0 MB", "49.9 MB"),
            (u64::MAX, "17592186044416.0 MB", "17592186044415.9 MB"),
        ] {
            assert_eq!((size(bytes, true).as_str(), size(bytes, false).as_str()), (up, down));
        }
    }
}
