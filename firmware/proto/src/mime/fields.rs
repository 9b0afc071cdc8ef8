//! Header blocks as they stream in: finds the fields that matter here and unfolds them, however the bytes are cut.

use alloc::vec::Vec;
use core::mem;

use super::{
    address,
    limits::{FIELD_BYTES_MAX, FIELD_NAME_BYTES_MAX, LIST_PIECE_BYTES},
};

/// A header field that ENVELOPE or BODYSTRUCTURE shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Bcc,
    Cc,
    ContentDescription,
    ContentDisposition,
    ContentEncoding,
    ContentId,
    ContentLanguage,
    ContentLocation,
    ContentMd5,
    ContentType,
    Date,
    From,
    InReplyTo,
    MessageId,
    ReplyTo,
    Sender,
    Subject,
    To,
}

impl Field {
    fn named(name: &[u8]) -> Option<Self> {
        const NAMES: [(&[u8], Field); 18] = [
            (b"bcc", Field::Bcc),
            (b"cc", Field::Cc),
            (b"content-description", Field::ContentDescription),
            (b"content-disposition", Field::ContentDisposition),
            (b"content-transfer-encoding", Field::ContentEncoding),
            (b"content-id", Field::ContentId),
            (b"content-language", Field::ContentLanguage),
            (b"content-location", Field::ContentLocation),
            (b"content-md5", Field::ContentMd5),
            (b"content-type", Field::ContentType),
            (b"date", Field::Date),
            (b"from", Field::From),
            (b"in-reply-to", Field::InReplyTo),
            (b"message-id", Field::MessageId),
            (b"reply-to", Field::ReplyTo),
            (b"sender", Field::Sender),
            (b"subject", Field::Subject),
            (b"to", Field::To),
        ];
        NAMES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, field)| *field)
    }
}

/// A field with its value, unfolded (RFC 5322 §2.2.3: line ends removed) and without blanks around it. A
/// tab that folds is a blank, as its sender meant it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    pub(super) field: Field,
    pub(super) value: &'a [u8],
    /// Whether the value is only the beginning of a longer one, whose rest is lost.
    pub(super) cut: bool,
    /// Whether it is a piece of a list of addresses, of which more follows; see [`Fields::in_pieces`].
    pub(super) more: bool,
    /// Whether the piece begins inside a group of addresses.
    pub(super) in_group: bool,
}

/// What a line of a header block turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineEnd {
    /// A field, a part of one, or garbage.
    Field,
    /// The empty line behind the last field.
    Blank,
}

/// Collects the field at hand.
#[derive(Debug)]
pub(super) struct Fields {
    place: Place,
    name: heapless::Vec<u8, FIELD_NAME_BYTES_MAX>,
    field: Option<Field>,
    value: Vec<u8>,
    cut: bool,
    /// Lists of recipients come in pieces: from this length on, one is looked for.
    piece: Option<usize>,
    in_group: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// No byte of this line has been seen.
    LineStart,
    /// The line has begun with a CR; it is blank if nothing else comes.
    CrOnly,
    Name,
    Value,
    /// The rest of this line does not matter.
    Skip,
}

impl Fields {
    pub(super) const fn new() -> Self {
        Self {
            place: Place::LineStart,
            name: heapless::Vec::new(),
            field: None,
            value: Vec::new(),
            cut: false,
            piece: None,
            in_group: false,
        }
    }

    /// The same, but To, Cc and Bcc are given in pieces of whole addresses, so that they may have any length.
    pub(super) fn in_pieces() -> Self {
        Self { piece: Some(LIST_PIECE_BYTES), ..Self::new() }
    }

    /// Takes bytes of one line, without its LF.
    pub(super) fn push(&mut self, bytes: &[u8], found: &mut impl FnMut(Found<'_>)) {
        let Some((first, rest)) = bytes.split_first() else { return };
        match self.place {
            Place::LineStart => self.begin(*first, rest, found),
            Place::CrOnly => {
                // A bare CR at the beginning of a line: garbage.
                self.end_field(found);
                self.place = Place::Skip;
            }
            Place::Name => self.push_name(bytes, found),
            Place::Value => self.push_value(bytes, found),
            Place::Skip => {}
        }
    }

    /// The LF of a line has come.
    pub(super) fn end_line(&mut self, found: &mut impl FnMut(Found<'_>)) -> LineEnd {
        if self.place == Place::Value && self.value.last() == Some(&b'\r') {
            self.value.pop();
        }
        let place = mem::replace(&mut self.place, Place::LineStart);
        if matches!(place, Place::LineStart | Place::CrOnly) {
            self.end_field(found);
            return LineEnd::Blank;
        }
        LineEnd::Field
    }

    /// The header block has ended, by its blank line or without one.
    pub(super) fn end(&mut self, found: &mut impl FnMut(Found<'_>)) {
        self.end_field(found);
        self.place = Place::LineStart;
        self.value = Vec::new();
    }

    fn begin(&mut self, first: u8, rest: &[u8], found: &mut impl FnMut(Found<'_>)) {
        match first {
            b' ' | b'\t' => {
                self.place = if self.field.is_some() { Place::Value } else { Place::Skip };
                if self.field.is_some() {
                    self.push_value(b" ", found);
                }
            }
            b'\r' => self.place = Place::CrOnly,
            _ => {
                self.end_field(found);
                self.place = Place::Name;
                self.push_name(&[first], found);
            }
        }
        self.push(rest, found);
    }

    fn push_name(&mut self, bytes: &[u8], found: &mut impl FnMut(Found<'_>)) {
        let colon = bytes.iter().position(|byte| *byte == b':');
        let name = bytes.get(..colon.unwrap_or(bytes.len())).unwrap_or_default();
        if self.name.extend_from_slice(name).is_err() {
            self.place = Place::Skip;
            return;
        }
        if let Some(colon) = colon {
            // RFC 5322 §4.5: obsolete syntax has blanks before the colon.
            self.field = Field::named(self.name.trim_ascii_end());
            self.place = if self.field.is_some() { Place::Value } else { Place::Skip };
            if self.field.is_some() {
                self.push_value(bytes.get(colon + 1..).unwrap_or_default(), found);
            }
        }
    }

    fn push_value(&mut self, bytes: &[u8], found: &mut impl FnMut(Found<'_>)) {
        let mut rest = bytes;
        while let Some(piece) = self.piece.filter(|_| self.is_list())
            && self.value.len() + rest.len() > piece
        {
            let (now, behind) = rest.split_at(piece.saturating_sub(self.value.len()).min(rest.len()));
            self.value.extend_from_slice(now);
            rest = behind;
            self.piece = match self.give_piece(found) {
                true => Some(LIST_PIECE_BYTES),
                false if piece < FIELD_BYTES_MAX => Some((2 * piece).min(FIELD_BYTES_MAX)),
                false => break,
            };
        }
        let room = FIELD_BYTES_MAX - self.value.len().min(FIELD_BYTES_MAX);
        self.cut |= rest.len() > room;
        self.value.extend_from_slice(rest.get(..room).unwrap_or(rest));
    }

    const fn is_list(&self) -> bool {
        matches!(self.field, Some(Field::To | Field::Cc | Field::Bcc))
    }

    /// Gives the whole addresses that are there; says whether there are any.
    fn give_piece(&mut self, found: &mut impl FnMut(Found<'_>)) -> bool {
        let (len, in_group) = address::whole_addresses(&self.value, self.in_group);
        let (Some(field), Some(value)) = (self.field, self.value.get(..len).filter(|_| len > 0)) else {
            return false;
        };
        found(Found { field, value, cut: false, more: true, in_group: self.in_group });
        self.value.drain(..len);
        self.in_group = in_group;
        true
    }

    fn end_field(&mut self, found: &mut impl FnMut(Found<'_>)) {
        self.name.clear();
        if let Some(field) = self.field.take() {
            let value = self.value.trim_ascii();
            found(Found { field, value, cut: self.cut, more: false, in_group: self.in_group });
        }
        self.value.clear();
        self.cut = false;
        self.in_group = false;
        self.piece = self.piece.map(|_| LIST_PIECE_BYTES);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn fields(block: &[u8], chunk: usize) -> (Vec<(Field, Vec<u8>)>, bool) {
        let mut fields = Fields::new();
        let mut all = Vec::new();
        let mut blank = false;
        let mut note = |found: Found<'_>| all.push((found.field, found.value.to_vec()));
        for line in block.split_inclusive(|byte| *byte == b'\n') {
            let (text, end) = match line.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (line, false),
            };
            text.chunks(chunk).for_each(|bytes| fields.push(bytes, &mut note));
            blank |= end && fields.end_line(&mut note) == LineEnd::Blank;
        }
        fields.end(&mut note);
        (all, blank)
    }

    #[test]
    fn fields_are_found_and_unfolded_however_they_are_cut() {
        let block = b"Received: from x\r\n by y\r\nSUBJECT : one\r\n two\r\n\tthree \r\nno colon here\r\n continued\r\n\
            To: a@x.test\nX-A-Name-Much-Longer-Than-Any-That-Matters: 1\r\nDate:\r\n\r\n";
        let expected = vec![
            (Field::Subject, b"one two three".to_vec()),
            (Field::To, b"a@x.test".to_vec()),
            (Field::Date, b"".to_vec()),
        ];
        for chunk in [1, 2, 3, 7, 1000] {
            assert_eq!(fields(block, chunk), (expected.clone(), true), "{chunk}");
        }
    }

    #[test]
    fn a_field_too_long_is_cut() {
        let mut block = b"To: ".to_vec();
        block.resize(2 * FIELD_BYTES_MAX, b'a');
        for chunk in [1, 1000, usize::MAX] {
            let (all, blank) = fields(&block, chunk);
            assert!(!blank);
            // The blank behind the colon counts.
            assert_eq!(all.first().map(|(_, value)| value.len()), Some(FIELD_BYTES_MAX - 1));
        }
    }
}
