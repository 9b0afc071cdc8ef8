//! The beginning of a letter's text for people to read (RFC 8970).

use alloc::{string::String, vec::Vec};

use super::{
    charset,
    content::Content,
    decode::Decoder,
    limits::{PREVIEW_CHARS_MAX, PREVIEW_SOURCE_BYTES_MAX},
    part::Encoding,
};

/// Keeps the beginning of the part that will be shown: the first plain text, else the first HTML.
#[derive(Debug, Default)]
pub(super) struct Preview {
    source: Vec<u8>,
    charset: String,
    encoding: Encoding,
    is_html: bool,
    taking: bool,
}

impl Preview {
    /// A part begins that has no parts.
    pub(super) fn begin(&mut self, content: &Content) {
        let is_plain = content.media_type() == "text/plain";
        let is_html = content.media_type() == "text/html";
        let is_better = self.source.is_empty() || (self.is_html && is_plain);
        self.taking = is_better && (is_plain || is_html) && !content.is_attachment();
        if self.taking {
            self.source.clear();
            self.charset = content.charset().into();
            self.encoding = content.encoding();
            self.is_html = is_html;
        }
    }

    /// Bytes of the part at hand.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.taking {
            let room = PREVIEW_SOURCE_BYTES_MAX - self.source.len().min(PREVIEW_SOURCE_BYTES_MAX);
            self.source.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        }
    }

    /// The part at hand has ended.
    pub(super) const fn end(&mut self) {
        self.taking = false;
    }

    /// The preview: at most [`PREVIEW_CHARS_MAX`] characters, blanks and line ends run together.
    pub(super) fn text(&self) -> String {
        let mut bytes = Vec::new();
        Decoder::new(self.encoding).feed(&self.source, &mut bytes);
        let mut text = String::new();
        // The source is cut anywhere; what is held back at its end is half a character.
        charset::Decoder::new(&self.charset).feed_beginning(&bytes, &mut text);
        if self.is_html { run_together(&visible(&text)) } else { run_together(&text) }
    }
}

fn run_together(text: &str) -> String {
    let mut out = String::new();
    let mut count = 0;
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        let blank = usize::from(!out.is_empty());
        if count + blank >= PREVIEW_CHARS_MAX {
            break;
        }
        out.extend((blank > 0).then_some(' '));
        count += blank;
        for c in word.chars().take(PREVIEW_CHARS_MAX - count) {
            out.push(c);
            count += 1;
        }
    }
    out
}

/// The text of an HTML page: without tags, comments, styles and scripts.
fn visible(html: &str) -> String {
    let mut out = String::new();
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        let (text, markup) = rest.split_at(at);
        out.push_str(text);
        rest = if markup.starts_with('<') { tag(markup, &mut out) } else { entity(markup, &mut out) };
    }
    out.push_str(rest);
    out
}

/// Skips the tag at the beginning of `html`, and all that is in it where that is not for people. An open one
/// reaches to the end.
fn tag<'a>(html: &'a str, out: &mut String) -> &'a str {
    out.push(' ');
    let until = |end: &str| html.find(end).and_then(|at| html.get(at + end.len()..)).unwrap_or_default();
    if html.starts_with("<!--") {
        return until("-->");
    }
    for name in ["style", "script", "title"] {
        if html.get(1..=name.len()).is_some_and(|word| word.eq_ignore_ascii_case(name)) {
            let end = closing(html, name);
            return html.get(end..).and_then(|rest| rest.split_once('>')).map_or("", |(_, rest)| rest);
        }
    }
    until(">")
}

/// Where `</name` is in `html`, in any case of letters.
fn closing(html: &str, name: &str) -> usize {
    let closes =
        |at: usize| html.get(at + 2..at + 2 + name.len()).is_some_and(|word| word.eq_ignore_ascii_case(name));
    html.match_indices("</").map(|(at, _)| at).find(|at| closes(*at)).unwrap_or(html.len())
}

/// Reads the character reference at the beginning of `html`.
fn entity<'a>(html: &'a str, out: &mut String) -> &'a str {
    const NAMES: [(&str, char); 6] =
        [("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("apos", '\''), ("nbsp", ' ')];
    let end = html.bytes().take(12).position(|byte| byte == b';');
    let read = end.and_then(|end| {
        let name = html.get(1..end)?;
        let c = match name.strip_prefix('#') {
            Some(number) => match number.strip_prefix(['x', 'X']) {
                Some(hex) => char::from_u32(u32::from_str_radix(hex, 16).ok()?)?,
                None => char::from_u32(number.parse().ok()?)?,
            },
            None => NAMES.iter().find(|(known, _)| *known == name)?.1,
        };
        Some((c, html.get(end + 1..)?))
    });
    let (c, rest) = read.unwrap_or(('&', html.get(1..).unwrap_or_default()));
    out.push(c);
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_shown_without_its_markup() {
        let html = "<html><head><title>x</title><STYLE>p{}</style ><!-- no --></head><p>a&amp;b &#x624B;&#32025; \
            &nope; & c</p><script>if (a<b)</script>end<br";
        assert_eq!(run_together(&visible(html)), "a&b 手紙 &nope; & c end");
        assert_eq!(run_together(&visible("<style>never closed")), "");
    }

    #[test]
    fn blanks_run_together_and_length_is_bounded() {
        assert_eq!(run_together(" a\r\n\tb\u{3000}c\0d "), "a b c d");
        assert_eq!(run_together(&"あ ".repeat(500)).chars().count(), PREVIEW_CHARS_MAX - 1);
        assert_eq!(run_together(&"あ".repeat(500)).chars().count(), PREVIEW_CHARS_MAX);
    }
}
