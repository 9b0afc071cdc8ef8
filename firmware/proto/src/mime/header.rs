//! Header blocks that are at hand: going through their fields, finding one, copying some byte for byte.

use alloc::vec::Vec;

use memchr::memchr;

/// One field of a header block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its name as it stands there, without blanks before the colon.
    pub name: &'a [u8],
    /// Its value as it stands there: all behind the colon, folding and the last line end included.
    pub value: &'a [u8],
    /// All of it, name to last line end.
    pub raw: &'a [u8],
}

impl Field<'_> {
    /// Whether it has this name; ASCII case does not count (RFC 5322 §1.2.2).
    #[must_use]
    pub fn is(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The value unfolded (RFC 5322 §2.2.3): without line ends, and without blanks around it.
    #[must_use]
    pub fn unfolded(&self) -> Vec<u8> {
        unfold(self.value)
    }
}

/// The fields of a header block, in order, up to the empty line. Lines that belong to no field have an empty name.
pub fn fields(block: &[u8]) -> impl Iterator<Item = Field<'_>> {
    let mut rest = block;
    core::iter::from_fn(move || {
        let raw = next_field(rest)?;
        rest = rest.get(raw.len()..).unwrap_or_default();
        Some(divide(raw))
    })
}

/// The first field with this name.
#[must_use]
pub fn find<'a>(block: &'a [u8], name: &[u8]) -> Option<Field<'a>> {
    fields(block).find(|field| field.is(name))
}

/// A field's value without line ends, and without blanks around it. A tab that folds is a blank.
#[must_use]
pub fn unfold(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    for line in value.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match line {
            [b'\t', rest @ ..] if !out.is_empty() => {
                out.push(b' ');
                out.extend_from_slice(rest);
            }
            _ => out.extend_from_slice(line),
        }
    }
    out.trim_ascii().to_vec()
}

/// A line with its end, and those behind it that continue it. `None` at the empty line and at the end of the block.
fn next_field(block: &[u8]) -> Option<&[u8]> {
    if block.is_empty() || block.starts_with(b"\n") || block.starts_with(b"\r\n") {
        return None;
    }
    let mut len = 0;
    loop {
        let rest = block.get(len..).unwrap_or_default();
        len += memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        if !matches!(block.get(len), Some(b' ' | b'\t')) {
            return block.get(..len);
        }
    }
}

fn divide(raw: &[u8]) -> Field<'_> {
    let line_end = memchr(b'\n', raw).unwrap_or(raw.len());
    let colon = memchr(b':', raw.get(..line_end).unwrap_or_default());
    match colon {
        Some(colon) => Field {
            name: raw.get(..colon).unwrap_or_default().trim_ascii_end(),
            value: raw.get(colon + 1..).unwrap_or_default(),
            raw,
        },
        None => Field { name: b"", value: raw, raw },
    }
}

/// Which fields [`Filter`] lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Those named: `HEADER.FIELDS`.
    Named,
    /// All others: `HEADER.FIELDS.NOT`.
    Others,
}

/// Copies some fields of a header block byte for byte, however the block is cut, and the empty line behind it
/// (RFC 3501 §6.4.5). Memory is bounded by the longest of the names, which are given with each call.
#[derive(Clone, Debug)]
pub struct Filter {
    keep: Keep,
    place: Place,
    /// The beginning of a line: its name, or what may be the empty line.
    held: Vec<u8>,
    keeps: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    LineStart,
    Name,
    Rest,
    Done,
}

impl Filter {
    /// Keeps fields by their names; ASCII case does not count.
    #[must_use]
    pub const fn new(keep: Keep) -> Self {
        Self { keep, place: Place::LineStart, held: Vec::new(), keeps: false }
    }

    /// Takes bytes of the header block, appends to `out` those that are wanted.
    pub fn feed<N: AsRef<[u8]>>(&mut self, names: &[N], bytes: &[u8], out: &mut Vec<u8>) {
        let longest = names.iter().map(|name| name.as_ref().len()).max().unwrap_or(0);
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            let used = match self.place {
                Place::LineStart => self.begin(*first, out),
                Place::Name => self.name(*first, (names, longest), out),
                Place::Rest => self.rest(rest, out),
                Place::Done => return,
            };
            rest = rest.get(used..).unwrap_or_default();
        }
    }

    /// The header block has ended: appends what was held back, and the empty line if the block had none.
    pub fn finish<N: AsRef<[u8]>>(mut self, names: &[N], out: &mut Vec<u8>) {
        if self.place == Place::Done {
            return;
        }
        self.decide(names, false, out);
        if self.keeps && self.place != Place::LineStart {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }

    fn begin(&mut self, first: u8, out: &mut Vec<u8>) -> usize {
        self.place = match first {
            b'\n' => {
                out.extend_from_slice(b"\r\n");
                Place::Done
            }
            // A line that continues a field goes where the field went.
            b' ' | b'\t' => Place::Rest,
            _ => Place::Name,
        };
        usize::from(first == b'\n')
    }

    /// One byte of a name. What is longer than all names asked for is none of them.
    fn name<N: AsRef<[u8]>>(
        &mut self,
        byte: u8,
        (names, longest): (&[N], usize),
        out: &mut Vec<u8>,
    ) -> usize {
        if byte == b'\n' && self.held == b"\r" {
            self.held.clear();
            out.extend_from_slice(b"\r\n");
            self.place = Place::Done;
            return 1;
        }
        // Blanks may stand before the colon (RFC 5322 §4.5).
        if byte == b':' || byte == b'\n' || self.held.len() > longest + 8 {
            self.decide(names, byte == b':', out);
            self.place = Place::Rest;
            return 0;
        }
        self.held.push(byte);
        1
    }

    fn decide<N: AsRef<[u8]>>(&mut self, names: &[N], is_field: bool, out: &mut Vec<u8>) {
        if self.place == Place::Name {
            let name = self.held.trim_ascii_end();
            let named = is_field && names.iter().any(|known| name.eq_ignore_ascii_case(known.as_ref()));
            self.keeps = named == (self.keep == Keep::Named);
            if self.keeps {
                out.extend_from_slice(&self.held);
            }
        }
        self.held.clear();
    }

    fn rest(&mut self, rest: &[u8], out: &mut Vec<u8>) -> usize {
        let end = memchr(b'\n', rest);
        let taken = end.map_or(rest.len(), |end| end + 1);
        if self.keeps {
            out.extend_from_slice(rest.get(..taken).unwrap_or_default());
        }
        if end.is_some() {
            self.place = Place::LineStart;
        }
        taken
    }
}

/// The fields of a whole header block that `keep` and `names` say, byte for byte, and the empty line.
pub fn write_fields<N: AsRef<[u8]>>(block: &[u8], names: &[N], keep: Keep, out: &mut Vec<u8>) {
    let mut filter = Filter::new(keep);
    filter.feed(names, block, out);
    filter.finish(names, out);
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    const BLOCK: &[u8] =
        b"From: a@x.test\r\nSUBJECT : one\r\n two\r\njunk\r\n more junk\r\nTo:b@x.test\nX: y\r\n\r\n";

    #[test]
    fn fields_come_in_order_with_their_folding() {
        let names: Vec<_> = fields(BLOCK).map(|field| field.name).collect();
        assert_eq!(names, [&b"From"[..], b"SUBJECT", b"", b"To", b"X"]);
        let subject = find(BLOCK, b"subject").unwrap();
        assert_eq!(
            (subject.value, subject.raw),
            (&b" one\r\n two\r\n"[..], &b"SUBJECT : one\r\n two\r\n"[..])
        );
        assert_eq!(subject.unfolded(), b"one two");
        assert_eq!(find(BLOCK, b"date"), None);
        assert_eq!(fields(b"").count() + fields(b"\r\nBody: x\r\n").count(), 0);
        assert_eq!(fields(b"A: 1\r\nB").map(|field| field.raw.len()).collect::<Vec<_>>(), [6, 1]);
    }

    fn filtered(block: &[u8], names: &[&str], keep: Keep) -> String {
        let mut whole = Vec::new();
        write_fields(block, names, keep, &mut whole);
        for chunk in [1, 2, 3, 7] {
            let (mut filter, mut out) = (Filter::new(keep), Vec::new());
            block.chunks(chunk).for_each(|bytes| filter.feed(names, bytes, &mut out));
            filter.finish(names, &mut out);
            assert!(out == whole, "in pieces of {chunk}");
        }
        String::from_utf8(whole).unwrap()
    }

    #[test]
    fn wanted_fields_are_copied_byte_for_byte() {
        assert_eq!(filtered(BLOCK, &["subject", "X"], Keep::Named), "SUBJECT : one\r\n two\r\nX: y\r\n\r\n");
        assert_eq!(
            filtered(BLOCK, &["subject", "From"], Keep::Others),
            "junk\r\n more junk\r\nTo:b@x.test\nX: y\r\n\r\n"
        );
        assert_eq!(filtered(BLOCK, &["nothing"], Keep::Named), "\r\n");
        assert_eq!(filtered(b"", &["x"], Keep::Others), "\r\n");
        assert_eq!(filtered(b"X: no end", &["x"], Keep::Named), "X: no end\r\n\r\n");
        assert_eq!(filtered(b"X: y\r\n\r\nX: body\r\n", &["x"], Keep::Named), "X: y\r\n\r\n");
    }

    #[test]
    fn a_line_without_colon_is_no_field() {
        let long = [b'a'; 100];
        let block = [&long[..], b"\r\nA: b\r\n\r\n"].concat();
        assert_eq!(filtered(&block, &["a"], Keep::Named), "A: b\r\n\r\n");
        assert_eq!(filtered(&block, &["a"], Keep::Others).len(), 104);
    }
}
