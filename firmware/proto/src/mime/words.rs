//! Header texts for people and for searching: encoded words (RFC 2047) and parameters (RFC 2231) as Unicode.
//!
//! Encoded words that stand side by side in one charset are joined as bytes before they are decoded, because
//! senders cut them anywhere: in the middle of a character, of an escape, of a base64 group.

use alloc::{string::String, vec::Vec};

use memchr::memmem;

use super::{
    charset,
    decode::{Decoder, hex},
    header::unfold,
    lexer::Lexer,
    params,
    part::Encoding,
};

/// A header field's value as text. Takes it folded or unfolded; what is not encoded is read as what it looks like
/// (UTF-8, raw ISO-2022-JP, ...).
#[must_use]
pub fn decode(value: &[u8]) -> String {
    let value = unfold(value);
    let mut text = Text::default();
    let mut rest = value.as_slice();
    while let Some(at) = memmem::find(rest, b"=?") {
        let (before, candidate) = rest.split_at(at);
        match word(candidate) {
            Some((word, behind)) => {
                text.plain(before);
                text.word(&word);
                rest = behind;
            }
            None => {
                text.plain(candidate.get(..2).map_or(before, |_| rest.get(..at + 2).unwrap_or(before)));
                rest = candidate.get(2..).unwrap_or_default();
            }
        }
    }
    text.plain(rest);
    text.finish()
}

/// The parameter `name` of a field such as Content-Type or Content-Disposition, decoded: the extended form of
/// RFC 2231, joined from its pieces, or the plain one, in which encoded words are understood too although RFC 2047
/// §5 forbids them there.
#[must_use]
pub fn parameter(value: &[u8], name: &str) -> Option<String> {
    let value = unfold(value);
    let mut lexer = Lexer::new(&value);
    lexer.run(|byte| byte != b';');
    let all = params::parse(&mut lexer);
    let name = name.as_bytes().to_ascii_lowercase();
    let extended = [&name[..], b"*"].concat();
    match params::plain(&all, &extended) {
        Some(value) => Some(decode_extended(value)),
        None => params::plain(&all, &name).map(decode),
    }
}

/// RFC 2231 §4: `charset'language'percent-encoded`. Without the quotes all of it is the text.
fn decode_extended(value: &[u8]) -> String {
    let mut pieces = value.splitn(3, |byte| *byte == b'\'');
    let (label, text) = match (pieces.next(), pieces.next(), pieces.next()) {
        (Some(label), Some(_language), Some(text)) => (label, text),
        _ => (&b""[..], value),
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        match (first, behind) {
            (b'%', [high, low, ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                bytes.push(hex(*high) << 4 | hex(*low));
                rest = behind.get(2..).unwrap_or_default();
            }
            _ => bytes.push(*first),
        }
    }
    charset::decode_all(core::str::from_utf8(label).unwrap_or_default(), &bytes)
}

/// An encoded word (RFC 2047 §2).
struct Word<'a> {
    charset: &'a str,
    encoding: Encoding,
    text: &'a [u8],
}

/// The encoded word at the beginning of `bytes`, and what is behind it. Lengths and the characters of the encoded
/// text are not checked: senders break both rules.
fn word(bytes: &[u8]) -> Option<(Word<'_>, &[u8])> {
    let rest = bytes.strip_prefix(b"=?")?;
    let mark = rest.iter().take(64).position(|byte| *byte == b'?')?;
    let label = core::str::from_utf8(rest.get(..mark)?).ok()?;
    // RFC 2231 §5: a language may follow the charset.
    let charset = label.split('*').next().filter(|charset| !charset.is_empty())?;
    let (encoding, text) = match rest.get(mark + 1..)? {
        [b'b' | b'B', b'?', text @ ..] => (Encoding::Base64, text),
        [b'q' | b'Q', b'?', text @ ..] => (Encoding::QuotedPrintable, text),
        _ => return None,
    };
    let end = memmem::find(text, b"?=")?;
    Some((Word { charset, encoding, text: text.get(..end)? }, text.get(end + 2..)?))
}

/// Text as it is put together.
#[derive(Default)]
struct Text {
    out: String,
    /// Bytes of encoded words not yet decoded, and their charset.
    bytes: Vec<u8>,
    charset: String,
    /// What stood unencoded since the last word.
    plain: Vec<u8>,
}

impl Text {
    fn plain(&mut self, bytes: &[u8]) {
        self.plain.extend_from_slice(bytes);
    }

    fn word(&mut self, word: &Word<'_>) {
        // RFC 2047 §6.2: blanks between encoded words are not shown.
        let adjacent = !self.charset.is_empty() && self.plain.iter().all(u8::is_ascii_whitespace);
        if adjacent {
            self.plain.clear();
        }
        if !adjacent || !self.charset.eq_ignore_ascii_case(word.charset) {
            self.end_words();
            self.end_plain();
            self.charset = word.charset.into();
        }
        if word.encoding == Encoding::Base64 {
            self.decode_word(word.encoding, word.text);
        } else {
            // RFC 2047 §4.2: `_` is a blank.
            let text: Vec<u8> =
                word.text.iter().map(|byte| if *byte == b'_' { b' ' } else { *byte }).collect();
            self.decode_word(word.encoding, &text);
        }
    }

    fn decode_word(&mut self, encoding: Encoding, text: &[u8]) {
        let mut decoder = Decoder::new(encoding);
        decoder.feed(text, &mut self.bytes);
        decoder.finish(&mut self.bytes);
    }

    fn end_words(&mut self) {
        if !self.charset.is_empty() {
            self.out.push_str(&charset::decode_all(&self.charset, &self.bytes));
            self.bytes.clear();
            self.charset.clear();
        }
    }

    fn end_plain(&mut self) {
        if !self.plain.is_empty() {
            self.out.push_str(&charset::decode_all("", &self.plain));
            self.plain.clear();
        }
    }

    fn finish(mut self) -> String {
        self.end_words();
        self.end_plain();
        self.out
    }
}
