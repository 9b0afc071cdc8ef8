//! Looks at the header block of a letter while it streams by: counts the `Received:` lines, so that a letter that goes
//! round in circles stops (RFC 5321 §6.3), notes which fields are there, and finds where the block ends. It costs
//! nothing behind that.

use memchr::memchr;

/// What has been seen of a header block. A copy of it can look ahead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    hops: u32,
    has_date: bool,
    has_message_id: bool,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    LineStart,
    /// So many bytes of a line are those of this field's name; blanks may have followed the last.
    Name(Field, usize),
    /// In a line of which no more is asked.
    Line,
    /// At the empty line that ends the block, or behind it.
    End,
}

/// A field that is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Received,
    Date,
    MessageId,
}

impl Field {
    /// The one whose name begins with this byte: no two do with the same.
    const fn beginning(byte: u8) -> Option<Self> {
        match byte.to_ascii_lowercase() {
            b'r' => Some(Self::Received),
            b'd' => Some(Self::Date),
            b'm' => Some(Self::MessageId),
            _ => None,
        }
    }

    const fn name(self) -> &'static [u8] {
        match self {
            Self::Received => b"received",
            Self::Date => b"date",
            Self::MessageId => b"message-id",
        }
    }
}

impl Header {
    /// Before a letter.
    pub(super) const fn new() -> Self {
        Self { hops: 0, has_date: false, has_message_id: false, place: Place::LineStart }
    }

    /// `Received:` lines so far.
    pub(super) const fn hops(&self) -> u32 {
        self.hops
    }

    /// Whether a `Date:` was there.
    pub(super) const fn has_date(&self) -> bool {
        self.has_date
    }

    /// Whether a `Message-ID:` was there.
    pub(super) const fn has_message_id(&self) -> bool {
        self.has_message_id
    }

    /// Whether the empty line that ends the block has been seen.
    pub(super) fn has_ended(&self) -> bool {
        self.place == Place::End
    }

    /// Whether the last line seen has its end.
    pub(super) fn is_at_line_start(&self) -> bool {
        self.place == Place::LineStart
    }

    /// Looks at the next bytes of the letter, but not beyond the end of the header block. Says how many it has looked
    /// at: where the empty line begins, those before it; all of them once that is behind.
    ///
    /// A line that begins with CR or LF is the empty one. Its CR need not wait for its LF: in a letter whose lines
    /// obey RFC 5322 §2.2 nothing else can follow, and one whose lines do not is refused, or binary (RFC 3030) and
    /// malformed.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> usize {
        if self.has_ended() {
            return bytes.len();
        }
        let mut looked_at = 0;
        while let Some(rest @ [first, ..]) = bytes.get(looked_at..) {
            looked_at += match (self.place, first) {
                (Place::LineStart, b'\r' | b'\n') => {
                    self.place = Place::End;
                    return looked_at;
                }
                (Place::Line | Place::End, _) => self.line(rest),
                (Place::LineStart | Place::Name(..), _) => self.name(*first),
            };
        }
        looked_at
    }

    /// A byte that may belong to a name. Gives 1 if it does.
    fn name(&mut self, byte: u8) -> usize {
        let next = match self.place {
            Place::Name(field, matched) => self.continued(field, matched, byte),
            _ => Field::beginning(byte).map(|field| Place::Name(field, 1)),
        };
        self.place = next.unwrap_or(Place::Line);
        usize::from(next.is_some())
    }

    fn continued(&mut self, field: Field, matched: usize, byte: u8) -> Option<Place> {
        match (field.name().get(matched), byte) {
            (Some(expected), byte) if *expected == byte.to_ascii_lowercase() => {
                Some(Place::Name(field, matched + 1))
            }
            // Blanks may stand before the colon (RFC 5322 §4.5).
            (None, b' ' | b'\t') => Some(Place::Name(field, matched)),
            (None, b':') => {
                self.found(field);
                Some(Place::Line)
            }
            _ => None,
        }
    }

    const fn found(&mut self, field: Field) {
        match field {
            Field::Received => self.hops += 1,
            Field::Date => self.has_date = true,
            Field::MessageId => self.has_message_id = true,
        }
    }

    /// To the end of the line.
    fn line(&mut self, rest: &[u8]) -> usize {
        let Some(end) = memchr(b'\n', rest) else { return rest.len() };
        self.place = Place::LineStart;
        end + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads in chunks of every size; all must agree. Gives what was seen and where the block ended.
    fn read(letter: &[u8]) -> (Header, Option<usize>) {
        let read_in = |size: usize| {
            let (mut header, mut passed, mut end) = (Header::new(), 0, None);
            for mut chunk in letter.chunks(size) {
                while !chunk.is_empty() {
                    let count = header.feed(chunk);
                    passed += count;
                    chunk = &chunk[count..];
                    if header.has_ended() && end.is_none() {
                        end = Some(passed);
                    }
                }
            }
            assert_eq!(passed, letter.len());
            (header, end)
        };
        let (whole, end) = read_in(letter.len().max(1));
        for size in 1..=letter.len() {
            let (header, other) = read_in(size);
            let seen = |header: &Header| {
                (header.hops(), header.has_date(), header.has_message_id(), header.is_at_line_start())
            };
            assert_eq!((seen(&header), other), (seen(&whole), end), "chunks of {size}");
        }
        (whole, end)
    }

    #[test]
    fn received_lines_are_counted() {
        let (header, _) = read(
            b"Received: a\r\n\tReceived: folded\r\nX-Received: b\r\nRECEIVED:c\r\nReceive: d\r\n\
            Receivedx: x\r\nreceived: e\r\n\r\nReceived: in the body\r\n",
        );
        assert_eq!(header.hops(), 3);
    }

    #[test]
    fn a_field_is_there_in_any_case_and_with_blanks_before_its_colon() {
        for (block, has_date, has_message_id) in [
            (&b"Date: x\r\nMessage-ID: <a@b>\r\n\r\n"[..], true, true),
            (b"DATE:\r\nmessage-id:\r\n\r\n", true, true),
            (b"Date \t: x\r\nMessage-Id : <a@b>\r\n\r\n", true, true),
            (b"Subject: x\r\nDate: y", true, false),
            (b"Dated: x\r\nMessage-IDs: y\r\n\r\n", false, false),
            (b"Dat\r\nMessage-I\r\ne: x\r\n\r\n", false, false),
            (b"Resent-Date: x\r\n Date: folded\r\n\tMessage-ID: folded\r\n\r\n", false, false),
            (b"Subject: Date: x\r\nDate x: y\r\nDate\r\n: z\r\n\r\n", false, false),
            (b"X: y\r\n\r\nDate: in the body\r\nMessage-ID: <a@b>\r\n", false, false),
        ] {
            let (header, _) = read(block);
            assert_eq!(
                (header.has_date(), header.has_message_id()),
                (has_date, has_message_id),
                "{}",
                block.escape_ascii()
            );
        }
    }

    #[test]
    fn the_block_ends_before_its_empty_line() {
        for (letter, end) in [
            (&b""[..], None),
            (b"\r\nDate: x\r\n", Some(0)),
            (b"A: b\r\n\r\nc\r\n\r\n", Some(6)),
            (b"A: b\r\n\r", Some(6)),
            (b"A: b\r\n", None),
            (b"A: b", None),
            (b"A: b\r\nno field\r\n\r\n", Some(16)),
            // Only in binary letters.
            (b"A: b\n\nc\n", Some(5)),
        ] {
            assert_eq!(read(letter).1, end, "{}", letter.escape_ascii());
        }
    }
}
