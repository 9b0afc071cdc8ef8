//! Letters on their way to the client: RETR and TOP, with dots doubled (RFC 1939 §3).
//!
//! A letter goes out as it came in. Its bytes are read into the output and looked at there; they are moved only where
//! a line begins with a dot, which is rare, so that this costs a search and no copy.
//!
//! What counts as the beginning of a line is what follows an LF, with or without a CR before it: letters stored by
//! IMAP, or sent with BINARYMIME (RFC 3030), may have either. A client that knows only CRLF sees one dot too many in such a line; a client that knows LF
//! alone, and most do, would take a line of one dot for the end of the letter and what follows for replies.

use alloc::vec::Vec;

use mail::{Cold, Content, Mail, Unready};
use memchr::memchr;

use crate::{Output, line::double_dots};

/// A letter that is being sent.
#[derive(Debug)]
pub(super) struct Transfer {
    content: Content,
    offset: u64,
    /// TOP: where to stop.
    cut: Option<Cut>,
    /// What was sent last.
    tail: Tail,
}

/// How far a transfer got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    All,
    /// It goes on when there is room for output.
    Full,
    Cold(Cold),
    /// The rest cannot be read.
    Damaged,
}

/// Bytes read at once, at most. What the flash has at hand is rarely more.
const READ_BYTES_MAX: usize = 16 * 1024;

/// The same for TOP, which throws away what it read too much: programs ask for the headers of a thousand letters in one
/// go.
const TOP_READ_BYTES_MAX: usize = 4 * 1024;

impl Transfer {
    /// Sends all of `content`, or its header and as many lines of its body as `lines` says.
    pub(super) const fn new(content: Content, lines: Option<u64>) -> Self {
        let cut = match lines {
            Some(lines) => Some(Cut::new(lines)),
            None => None,
        };
        Self { content, offset: 0, cut, tail: Tail::LineEnd }
    }

    /// Size of the letter in bytes.
    pub(super) const fn size(&self) -> u64 {
        self.content.size()
    }

    /// Whether nothing has been sent yet.
    pub(super) const fn is_new(&self) -> bool {
        self.offset == 0
    }

    /// Sends on.
    pub(super) fn step(&mut self, mail: &mut dyn Mail, output: &mut Output) -> Sent {
        loop {
            if self.offset >= self.content.size() || self.cut.as_ref().is_some_and(Cut::is_done) {
                self.end(output);
                return Sent::All;
            }
            let most = if self.cut.is_some() { TOP_READ_BYTES_MAX } else { READ_BYTES_MAX };
            let room = output.room().min(most);
            if room == 0 {
                return Sent::Full;
            }
            let from = output.buffer().len();
            match mail.read(&self.content, self.offset, room, output.buffer()) {
                Ok(0) | Err(Unready::Damaged | Unready::Gone) => return Sent::Damaged,
                Err(Unready::Cold(cold)) => return Sent::Cold(cold),
                Ok(count) => self.offset += count as u64,
            }
            self.take(from, output.buffer());
        }
    }

    /// Looks at what has been read into `out`, from `from` on.
    fn take(&mut self, from: usize, out: &mut Vec<u8>) {
        if let Some(cut) = &mut self.cut {
            let wanted = cut.take(out.get(from..).unwrap_or_default());
            out.truncate(from + wanted);
        }
        let begins_line = matches!(self.tail, Tail::LineEnd | Tail::BareLf);
        self.tail = self.tail.after(out.get(from..).unwrap_or_default());
        double_dots(out, from, begins_line);
    }

    /// RFC 1939 §3: CRLF, a dot, CRLF. The first of them is there if the letter ends with one, which a letter by APPEND or
    /// by BDAT need not.
    fn end(&self, output: &mut Output) {
        output.push(if self.tail == Tail::LineEnd { b".\r\n" } else { b"\r\n.\r\n" });
    }
}

/// What the last bytes sent were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tail {
    /// CRLF, or the line that announces the letter.
    LineEnd,
    /// A LF without CR.
    BareLf,
    /// Anything else; whether it was a CR matters if LF follows.
    MidLine,
    Cr,
}

impl Tail {
    const fn after(self, bytes: &[u8]) -> Self {
        match (self, bytes) {
            (tail, []) => tail,
            (_, [.., b'\r', b'\n']) | (Self::Cr, [b'\n']) => Self::LineEnd,
            (_, [.., b'\n']) => Self::BareLf,
            (_, [.., b'\r']) => Self::Cr,
            _ => Self::MidLine,
        }
    }
}

/// Where TOP stops: behind so many lines of the body (RFC 1939 §7).
#[derive(Debug)]
struct Cut {
    place: Place,
    lines_left: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At the beginning of a line of the header.
    HeaderLine,
    /// Behind a CR there: the header ends if LF follows.
    HeaderCr,
    /// Within a line of the header.
    Header,
    Body,
}

impl Cut {
    const fn new(lines: u64) -> Self {
        Self { place: Place::HeaderLine, lines_left: lines }
    }

    fn is_done(&self) -> bool {
        self.place == Place::Body && self.lines_left == 0
    }

    /// How many of the next bytes belong to what is sent.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while !self.is_done() {
            let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) else { break };
            taken += self.advance(rest);
        }
        taken
    }

    /// Goes to the end of the line, or of a step within it.
    fn advance(&mut self, rest: &[u8]) -> usize {
        let first = rest.first().copied();
        match (self.place, first) {
            (Place::HeaderLine | Place::HeaderCr, Some(b'\n')) => {
                self.place = Place::Body;
                return 1;
            }
            (Place::HeaderLine, Some(b'\r')) => {
                self.place = Place::HeaderCr;
                return 1;
            }
            (Place::HeaderLine | Place::HeaderCr, _) => self.place = Place::Header,
            (Place::Header | Place::Body, _) => {}
        }
        let Some(end) = memchr(b'\n', rest) else { return rest.len() };
        match self.place {
            Place::Body => self.lines_left -= 1,
            _ => self.place = Place::HeaderLine,
        }
        end + 1
    }
}
