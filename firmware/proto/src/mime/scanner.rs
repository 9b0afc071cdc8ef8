//! The scanner: one pass over a letter, in chunks of any size, that finds out all a summary holds.
//!
//! A letter is a sequence of lines. In headers every line matters; in bodies only those that begin with `--` while
//! a multipart is open, and those are found by a search for three bytes. Whatever the chunks are, the summary is
//! the same: a line that may be a delimiter is put together in `probe`, all else is taken as it comes.

use alloc::{boxed::Box, vec::Vec};
use core::mem;

use mail::UnixTime;
use memchr::{memchr, memchr_iter, memmem};

use super::{
    boundary::{Delimiter, delimiter},
    content::{Content, DefaultType, Shape},
    date,
    envelope::Envelope,
    fields::{Field, Fields, Found, LineEnd},
    limits::{BOUNDARY_BYTES_MAX, DEPTH_MAX},
    preview::Preview,
    summary::{Stored, VERSION},
    tree::{NodeId, Position, Tree},
};

/// Scans a letter as it streams in.
#[derive(Debug)]
pub struct Scanner {
    /// Bytes and line ends seen.
    offset: u64,
    lines: u64,
    /// The last byte seen, and whether the last line ended with CRLF.
    last: u8,
    after_crlf: bool,
    place: Place,
    /// The beginning of a line that may be a delimiter.
    probe: Vec<u8>,
    finder: memmem::Finder<'static>,
    /// The header in which we are.
    header: Option<Box<Header>>,
    /// Parts that have not ended, from the outside in.
    open: Vec<Open>,
    tree: Tree,
    preview: Preview,
    found: Letter,
}

/// What is found out about the letter as a whole.
#[derive(Debug, Default)]
struct Letter {
    envelope: Vec<u8>,
    envelope_is_whole: bool,
    header_len: u64,
    sent: Option<(UnixTime, i16)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    LineStart,
    /// In a line of which nothing is unclear.
    Line,
    /// In a line that may be a delimiter.
    Probe,
    /// In a delimiter line, behind the boundary; whether a part follows it.
    Delimiter {
        part_follows: bool,
    },
}

/// A place in the letter: bytes and line ends before it.
#[derive(Clone, Copy, Debug)]
struct Point {
    offset: u64,
    lines: u64,
}

#[derive(Debug)]
struct Header {
    start: u64,
    fields: Fields,
    content: Content,
    /// Of the letter itself and of enclosed ones.
    envelope: Option<Envelope>,
    sent: Option<(UnixTime, i16)>,
    default: DefaultType,
}

/// A part that has not ended.
#[derive(Debug)]
struct Open {
    node: NodeId,
    /// Where its content begins.
    start: Point,
    inside: Inside,
}

#[derive(Debug)]
enum Inside {
    Text,
    Letter,
    Parts {
        boundary: Vec<u8>,
        default: DefaultType,
    },
    /// The closing delimiter has come; what follows is the epilogue.
    Epilogue,
}

/// As much of a line as is needed to tell whether it is a delimiter.
const PROBE_BYTES_MAX: usize = 2 + BOUNDARY_BYTES_MAX + 2;

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    /// Ready for the first byte of a letter.
    #[must_use]
    pub fn new() -> Self {
        Self {
            offset: 0,
            lines: 0,
            last: 0,
            after_crlf: false,
            place: Place::LineStart,
            probe: Vec::new(),
            finder: memmem::Finder::new(b"\n--"),
            header: Some(Header::new(0, Some(Envelope::default()), DefaultType::TextPlain)),
            open: Vec::new(),
            tree: Tree::new(),
            preview: Preview::default(),
            found: Letter::default(),
        }
    }

    /// Takes the next bytes of the letter.
    pub fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            let used = match self.place {
                Place::LineStart => self.begin_line(*first),
                Place::Probe => self.collect(rest),
                Place::Delimiter { part_follows } => self.skip_delimiter(rest, part_follows),
                Place::Line if self.header.is_some() => self.header_line(rest),
                Place::Line => self.body(rest),
            };
            let (taken, behind) = rest.split_at(used.min(rest.len()));
            self.last = taken.last().copied().unwrap_or(self.last);
            rest = behind;
        }
    }

    /// The letter has ended. Gives its summary, at most [`mail::limits::SUMMARY_BYTES_MAX`] bytes.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        if self.place == Place::Probe {
            self.decide();
        }
        self.close_to(0, false);
        let structure = self.tree.structure();
        let parts = self.tree.records();
        let preview = self.preview.text();
        let stored = Stored {
            size: self.offset,
            header_len: self.found.header_len,
            sent: self.found.sent.map(|(moment, zone)| (moment.0, zone)),
            envelope_is_whole: self.found.envelope_is_whole,
            envelope: &self.found.envelope,
            structure: &structure,
            parts: &parts,
            preview: &preview,
        };
        let mut out = Vec::with_capacity(structure.len() + parts.len() + self.found.envelope.len() + 256);
        out.push(VERSION);
        // Writing to a vector does not fail.
        out = postcard::to_extend(&stored, out).unwrap_or_default();
        debug_assert!(out.len() <= mail::limits::SUMMARY_BYTES_MAX);
        out
    }

    // ---- Lines -------------------------------------------------------------------------------------------------

    fn begin_line(&mut self, first: u8) -> usize {
        let may_be_delimiter = first == b'-' && self.boundaries().next().is_some();
        self.place = if may_be_delimiter { Place::Probe } else { Place::Line };
        0
    }

    /// Takes what belongs to the line at hand up to its LF. `true` if that is there; it is taken too.
    fn line<'a>(&mut self, rest: &'a [u8]) -> (&'a [u8], bool) {
        let Some(end) = memchr(b'\n', rest) else {
            self.offset += rest.len() as u64;
            return (rest, false);
        };
        self.pass(rest, end + 1, 1);
        self.place = Place::LineStart;
        (rest.get(..end).unwrap_or_default(), true)
    }

    /// Counts `taken` bytes of `rest` that end with a LF, the last of `lines` in it.
    fn pass(&mut self, rest: &[u8], taken: usize, lines: u64) {
        let before = taken.checked_sub(2).map_or(Some(&self.last), |at| rest.get(at));
        self.after_crlf = before == Some(&b'\r');
        self.offset += taken as u64;
        self.lines += lines;
    }

    fn header_line(&mut self, rest: &[u8]) -> usize {
        let (text, ended) = self.line(rest);
        let Some(header) = &mut self.header else { return rest.len() };
        header.push(text);
        if ended && header.end_line() == LineEnd::Blank {
            self.end_header(self.here());
        }
        text.len() + usize::from(ended)
    }

    /// Takes bytes of a body from the middle of a line on: up to a line that begins with `--` if one may matter.
    fn body(&mut self, rest: &[u8]) -> usize {
        let delimited = self.boundaries().next().is_some();
        let (taken, at_line_end) = match delimited.then(|| self.finder.find(rest)).flatten() {
            Some(at) => (at + 1, true),
            // The LF may be the last byte here, or the last but one with half of the dashes behind it.
            None if delimited && rest.ends_with(b"\n-") => (rest.len() - 1, true),
            None => (rest.len(), rest.ends_with(b"\n")),
        };
        let text = rest.get(..taken).unwrap_or_default();
        self.preview.push(text);
        let lines = memchr_iter(b'\n', text).count() as u64;
        if at_line_end {
            self.pass(rest, taken, lines);
            self.place = Place::LineStart;
        } else {
            self.offset += taken as u64;
            self.lines += lines;
        }
        taken
    }

    // ---- Delimiters --------------------------------------------------------------------------------------------

    /// Collects a line that may be a delimiter, without its LF, as far as it matters. `offset` stays at the line's
    /// beginning until it is decided, because parts may end there.
    fn collect(&mut self, rest: &[u8]) -> usize {
        let room = PROBE_BYTES_MAX - self.probe.len().min(PROBE_BYTES_MAX);
        let end = memchr(b'\n', rest);
        let taken = end.unwrap_or(rest.len()).min(room);
        self.probe.extend_from_slice(rest.get(..taken).unwrap_or_default());
        if taken == room || end.is_some() {
            self.decide();
        }
        taken
    }

    /// The line in `probe` is complete, or complete enough.
    fn decide(&mut self) {
        let line = mem::take(&mut self.probe);
        match delimiter(&line, self.boundaries()) {
            Some(Delimiter { level, closes }) => {
                self.close_to(level + 1, true);
                if closes && let Some(open) = self.open.last_mut() {
                    open.inside = Inside::Epilogue;
                }
                self.place = Place::Delimiter { part_follows: !closes };
            }
            None => {
                self.place = Place::Line;
                match &mut self.header {
                    Some(header) => header.push(&line),
                    None => self.preview.push(&line),
                }
            }
        }
        self.offset += line.len() as u64;
    }

    fn skip_delimiter(&mut self, rest: &[u8], part_follows: bool) -> usize {
        let (text, ended) = self.line(rest);
        if ended && part_follows {
            let default = match self.open.last() {
                Some(Open { inside: Inside::Parts { default, .. }, .. }) => *default,
                _ => DefaultType::TextPlain,
            };
            self.header = Some(Header::new(self.offset, None, default));
        }
        text.len() + usize::from(ended)
    }

    /// Boundaries that may come, with their levels.
    fn boundaries(&self) -> impl Iterator<Item = (usize, &[u8])> {
        self.open.iter().enumerate().filter_map(|(level, open)| match &open.inside {
            Inside::Parts { boundary, .. } => Some((level, boundary.as_slice())),
            _ => None,
        })
    }

    // ---- Parts -------------------------------------------------------------------------------------------------

    const fn here(&self) -> Point {
        Point { offset: self.offset, lines: self.lines }
    }

    /// Where something that began at `start` ends if a delimiter follows here: a line end before a delimiter belongs
    /// to it (RFC 2046 §5.1.1).
    const fn before_delimiter(&self, start: u64) -> Point {
        let line_end = 1 + self.after_crlf as u64;
        if self.offset >= start + line_end {
            Point { offset: self.offset - line_end, lines: self.lines - 1 }
        } else {
            self.here()
        }
    }

    /// The header at hand has ended.
    fn end_header(&mut self, end: Point) {
        let Some(mut header) = self.header.take() else { return };
        header.end();
        self.end_envelope(&mut header, end);
        let parent = self.open.last();
        let position = Position {
            parent: parent.map(|open| open.node),
            is_letter_content: parent.is_none_or(|open| matches!(open.inside, Inside::Letter)),
            may_nest: self.open.len() < DEPTH_MAX,
            default: header.default,
            header: (header.start, end.offset),
        };
        // A part that is not listed is not opened: its bytes pass until the next delimiter.
        let Some((node, shape)) = self.tree.add(&mut header.content, position) else { return };
        let inside = match shape {
            Shape::Leaf => Inside::Text,
            Shape::Message => Inside::Letter,
            Shape::Multipart(boundary) => {
                Inside::Parts { boundary, default: header.content.default_inside() }
            }
        };
        if matches!(inside, Inside::Text) {
            self.preview.begin(&header.content);
        }
        if matches!(inside, Inside::Letter) {
            self.header = Some(Header::new(end.offset, Some(Envelope::default()), DefaultType::TextPlain));
        }
        self.open.push(Open { node, start: end, inside });
    }

    /// Keeps what the header of a letter says.
    fn end_envelope(&mut self, header: &mut Header, end: Point) {
        let Some(envelope) = header.envelope.take() else { return };
        match self.open.last() {
            Some(open) => self.tree.set_envelope(open.node, envelope.render()),
            None => {
                self.found.envelope = envelope.render();
                self.found.envelope_is_whole = !envelope.is_cut();
                self.found.header_len = end.offset;
                self.found.sent = header.sent;
                self.tree.charge(self.found.envelope.len());
            }
        }
    }

    /// Ends all open parts but the `keep` outermost here, at the beginning of a delimiter or at the letter's end.
    fn close_to(&mut self, keep: usize, at_delimiter: bool) {
        // A header may end like this too, and that of the letter enclosed in it again.
        while let Some(header) = &self.header {
            let end = if at_delimiter { self.before_delimiter(header.start) } else { self.here() };
            self.end_header(end);
        }
        self.preview.end();
        while self.open.len() > keep {
            let Some(open) = self.open.pop() else { return };
            let end = if at_delimiter { self.before_delimiter(open.start.offset) } else { self.here() };
            self.tree.close(open.node, end.offset, end.lines - open.start.lines);
        }
    }
}

impl Header {
    fn new(start: u64, envelope: Option<Envelope>, default: DefaultType) -> Box<Self> {
        Box::new(Self {
            start,
            fields: Fields::new(),
            content: Content::default(),
            envelope,
            sent: None,
            default,
        })
    }

    fn push(&mut self, bytes: &[u8]) {
        let Self { fields, content, envelope, sent, .. } = self;
        fields.push(bytes, &mut |found| note(content, envelope.as_mut(), sent, found));
    }

    fn end_line(&mut self) -> LineEnd {
        let Self { fields, content, envelope, sent, .. } = self;
        fields.end_line(&mut |found| note(content, envelope.as_mut(), sent, found))
    }

    fn end(&mut self) {
        let Self { fields, content, envelope, sent, .. } = self;
        fields.end(&mut |found| note(content, envelope.as_mut(), sent, found));
    }
}

fn note(
    content: &mut Content,
    envelope: Option<&mut Envelope>,
    sent: &mut Option<(UnixTime, i16)>,
    found: Found<'_>,
) {
    content.note(found);
    if let Some(envelope) = envelope {
        envelope.note(found);
        if found.field == Field::Date && sent.is_none() {
            *sent = date::parse(found.value);
        }
    }
}
