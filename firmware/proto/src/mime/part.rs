//! Parts of a letter: what one is to those who read it, and how the list of them is kept in a summary.

use core::ops::Range;

use serde::{Deserialize, Serialize};

/// How the bytes of a part stand for its content (RFC 2045 §6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoding {
    /// As they are: 7bit, 8bit, binary.
    #[default]
    Identity,
    /// RFC 2045 §6.7.
    QuotedPrintable,
    /// RFC 2045 §6.8.
    Base64,
    /// Something else: nobody here can read it.
    Other,
}

impl Encoding {
    /// The encoding with this name, in any case. `x-uuencode` and the like are [`Encoding::Other`].
    #[must_use]
    pub fn named(name: &[u8]) -> Self {
        const IDENTITY: [&[u8]; 5] = [b"7bit", b"8bit", b"binary", b"7-bit", b"8-bit"];
        if name.eq_ignore_ascii_case(b"base64") {
            Self::Base64
        } else if name.eq_ignore_ascii_case(b"quoted-printable") {
            Self::QuotedPrintable
        } else if IDENTITY.iter().any(|known| name.eq_ignore_ascii_case(known)) {
            Self::Identity
        } else {
            Self::Other
        }
    }
}

/// One part. All ranges are byte offsets in the letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// Its MIME header with the empty line that ends it: `BODY[1.MIME]`. For the letter as a whole: nothing.
    pub header: Range<u64>,
    /// Its content: `BODY[1]`. For an enclosed letter that whole letter; for the letter as a whole all of it.
    pub body: Range<u64>,
    /// Line ends in the content.
    pub lines: u64,
    /// How the content is encoded.
    pub encoding: Encoding,
    /// `type/subtype` in lower case.
    pub media: &'a str,
    /// The charset's label as it stands there; empty if there is none.
    pub charset: &'a str,
    /// The letter that it is, if it is one: `BODY[1.HEADER]`, `BODY[1.TEXT]`.
    pub message: Option<Message>,
}

/// A letter, or a letter within a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its header with the empty line that ends it.
    pub header: Range<u64>,
    /// All that follows.
    pub text: Range<u64>,
}

impl Part<'_> {
    /// Whether it is text.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.media.starts_with("text/")
    }
}

/// What a part is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    Leaf,
    Multipart,
    Message,
}

/// A part in a summary's list. The list has parts before the parts inside them.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Record<'a> {
    pub(super) kind: Kind,
    /// Parts directly inside it.
    pub(super) children: u32,
    /// Offset of its header from that of the part before it in the list; they never go back.
    pub(super) header_delta: u64,
    pub(super) header_len: u64,
    pub(super) body_len: u64,
    pub(super) lines: u64,
    pub(super) encoding: Encoding,
    pub(super) media: &'a str,
    pub(super) charset: &'a str,
}

/// What a record takes beyond its two texts, in bytes: two tags, a count, four numbers below 2^42, two lengths.
pub(super) const RECORD_BYTES_MAX: usize = 2 + 2 + 4 * 6 + 2;

/// A record with its place in the letter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed<'a> {
    pub(super) record: Record<'a>,
    pub(super) header_start: u64,
}

/// Goes through a list of records.
#[derive(Clone, Debug)]
pub(super) struct Records<'a> {
    bytes: &'a [u8],
    header_start: u64,
}

impl<'a> Records<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, header_start: 0 }
    }

    /// Skips the parts inside a part that was just given out.
    pub(super) fn skip_inside(&mut self, outer: Placed<'_>) -> Option<()> {
        let mut left = u64::from(outer.record.children);
        while left > 0 {
            left = left - 1 + u64::from(self.next()?.record.children);
        }
        Some(())
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Placed<'a>;

    fn next(&mut self) -> Option<Placed<'a>> {
        if self.bytes.is_empty() {
            return None;
        }
        let (record, rest): (Record<'a>, _) = postcard::take_from_bytes(self.bytes).ok()?;
        self.bytes = rest;
        self.header_start = self.header_start.saturating_add(record.header_delta);
        Some(Placed { record, header_start: self.header_start })
    }
}

impl<'a> Placed<'a> {
    pub(super) fn header(self) -> Range<u64> {
        self.header_start..self.header_start.saturating_add(self.record.header_len)
    }

    pub(super) fn body(self) -> Range<u64> {
        let start = self.header().end;
        start..start.saturating_add(self.record.body_len)
    }

    /// As those outside see it; `inside` is the part within it if it is a letter.
    pub(super) fn part(self, inside: Option<Placed<'_>>) -> Part<'a> {
        let record = self.record;
        Part {
            header: self.header(),
            body: self.body(),
            lines: record.lines,
            encoding: record.encoding,
            media: record.media,
            charset: record.charset,
            message: inside.map(|inside| Message { header: inside.header(), text: inside.body() }),
        }
    }
}
