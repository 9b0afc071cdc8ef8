//! Summaries: what the scanner found out about a letter, as it is kept beside it.

use alloc::vec::Vec;

use mail::UnixTime;
use serde::{Deserialize, Serialize};

use super::{
    body,
    part::{Encoding, Kind, Message, Part, Placed, Records},
};

/// Format of what follows. One more for each change that older programs could misread; a summary of another version
/// reads as none, and the letter is scanned anew.
pub(super) const VERSION: u8 = 1;

/// A summary as it is stored, behind its version.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Stored<'a> {
    pub(super) size: u64,
    pub(super) header_len: u64,
    /// Date: seconds since 1970, and minutes east of UTC.
    pub(super) sent: Option<(i64, i16)>,
    pub(super) envelope_is_whole: bool,
    #[serde(with = "as_bytes")]
    pub(super) envelope: &'a [u8],
    #[serde(with = "as_bytes")]
    pub(super) structure: &'a [u8],
    #[serde(with = "as_bytes")]
    pub(super) parts: &'a [u8],
    pub(super) preview: &'a str,
}

/// Byte slices at once, not byte by byte.
mod as_bytes {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<&'de [u8], D::Error> {
        <&[u8]>::deserialize(from)
    }
}

/// What is known of a letter without reading it. Borrows from the stored bytes and copies nothing.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a> {
    stored: Stored<'a>,
}

impl<'a> Summary<'a> {
    /// Reads what [`Scanner::finish`](super::Scanner::finish) gave. `None` if it is not that, or of another version.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        if *version != VERSION {
            return None;
        }
        postcard::from_bytes(rest).ok().map(|stored| Self { stored })
    }

    /// Size of the letter in bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.stored.size
    }

    /// Length of the header block in bytes, the empty line that ends it included.
    #[must_use]
    pub const fn header_len(&self) -> u64 {
        self.stored.header_len
    }

    /// ENVELOPE as it goes over the wire (RFC 3501 §7.4.2). Strings are as they stand in the letter: encoded words
    /// stay so, and bytes above 127 are in literals.
    #[must_use]
    pub const fn envelope(&self) -> &'a [u8] {
        self.stored.envelope
    }

    /// Whether all addresses and the whole subject are in the envelope. If not, there were too many.
    #[must_use]
    pub const fn envelope_is_whole(&self) -> bool {
        self.stored.envelope_is_whole
    }

    /// BODYSTRUCTURE as it goes over the wire.
    #[must_use]
    pub const fn body_structure(&self) -> &'a [u8] {
        self.stored.structure
    }

    /// Appends BODY, the structure without extension data, as it goes over the wire.
    pub fn write_body(&self, out: &mut Vec<u8>) {
        body::write(self.stored.structure, out);
    }

    /// The moment in the Date field, and the zone in which it stands there, in minutes east of UTC.
    #[must_use]
    pub fn sent(&self) -> Option<(UnixTime, i16)> {
        self.stored.sent.map(|(seconds, zone)| (UnixTime(seconds), zone))
    }

    /// The beginning of the text for people to read: at most 200 characters, blanks run together. Empty if there is
    /// none.
    #[must_use]
    pub const fn preview(&self) -> &'a str {
        self.stored.preview
    }

    /// The part that a section number names (RFC 3501 §6.4.5); `[]` is the letter itself.
    ///
    /// A number leads into a multipart, or into an enclosed letter. A letter, enclosed or not, that is no multipart
    /// has one part, number 1.
    #[must_use]
    pub fn part(&self, path: &[u32]) -> Option<Part<'a>> {
        let mut records = Records::new(self.stored.parts);
        let root = records.next()?;
        if path.is_empty() {
            return Some(self.letter(root));
        }
        // The part that was reached, and whether it was reached as a letter, so that it may be its own part 1.
        let (mut at, mut as_letter) = (root, true);
        for number in path {
            if at.record.kind == Kind::Message && !as_letter {
                (at, as_letter) = (records.next()?, true);
            }
            let own_part = as_letter && at.record.kind != Kind::Multipart;
            as_letter = false;
            if own_part {
                if *number != 1 {
                    return None;
                }
            } else {
                at = child(&mut records, at, *number)?;
            }
        }
        Some(at.part(inside(&records, at)))
    }

    /// All parts in the order in which they stand, those inside others behind them; multiparts too. The first is
    /// the letter's own content, with the letter's header as its MIME header.
    pub fn parts(&self) -> impl Iterator<Item = Part<'a>> + use<'a> {
        let mut records = Records::new(self.stored.parts);
        core::iter::from_fn(move || {
            let placed = records.next()?;
            Some(placed.part(inside(&records, placed)))
        })
    }

    fn letter(&self, root: Placed<'a>) -> Part<'a> {
        Part {
            header: 0..0,
            body: 0..self.stored.size,
            lines: root.record.lines,
            encoding: Encoding::Identity,
            media: "message/rfc822",
            charset: "",
            message: Some(Message { header: root.header(), text: root.body() }),
        }
    }
}

/// Child `number` of the multipart `outer`, whose insides come next in `records`.
fn child<'a>(records: &mut Records<'a>, outer: Placed<'a>, number: u32) -> Option<Placed<'a>> {
    if number == 0 || number > outer.record.children || outer.record.kind != Kind::Multipart {
        return None;
    }
    for _ in 1..number {
        let sibling = records.next()?;
        records.skip_inside(sibling)?;
    }
    records.next()
}

/// What the letter `placed` contains, if it is one.
fn inside<'a>(records: &Records<'a>, placed: Placed<'a>) -> Option<Placed<'a>> {
    (placed.record.kind == Kind::Message).then(|| records.clone().next()).flatten()
}
