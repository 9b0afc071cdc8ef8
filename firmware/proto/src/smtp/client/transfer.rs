//! A letter on its way out: read piece by piece into the output, framed there, and nothing of it kept.
//!
//! After DATA, lines that begin with a dot get another (RFC 5321 §4.5.2), and only CRLF may end a line: a letter with
//! any other CR or LF is not sent to its end, because servers that disagree about what ends a line take such a letter
//! for two (SMTP smuggling). In BDAT (RFC 3030 §2) the bytes go as they are, as one chunk: their number is known.

use alloc::vec::Vec;
use core::fmt::Write;

use mail::{Cold, Mail, Unready};
use memchr::memchr2_iter;

use super::{job::Job, limits::READ_BYTES_MAX, outcome::Own};
use crate::{Output, line::double_dots};

/// How far a letter has been sent.
#[derive(Debug)]
pub(super) struct Transfer {
    /// Bytes of the lines in front that are written.
    front_written: usize,
    /// The next byte of the letter.
    offset: u64,
    framing: Framing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// DATA; what was written last.
    Dots(Tail),
    /// BDAT.
    Chunk,
}

/// The end of what has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tail {
    /// CRLF, or the reply to DATA.
    LineEnd,
    /// A CR: LF must follow.
    Cr,
    /// Anything else.
    MidLine,
}

/// How far a step got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// To the end, and that is written too.
    All,
    /// It goes on when there is room for output.
    Full,
    /// It goes on when this is in memory.
    Cold(Cold),
    /// It cannot go on; the end has not been written.
    Broken(Own),
}

impl Transfer {
    /// After DATA was answered.
    pub(super) const fn data(job: &Job) -> Self {
        Self { front_written: 0, offset: job.skip, framing: Framing::Dots(Tail::LineEnd) }
    }

    /// Writes BDAT for all of the letter.
    pub(super) fn chunk(job: &Job, output: &mut Output) -> Self {
        let _ = write!(output, "BDAT {} LAST\r\n", job.size());
        Self { front_written: 0, offset: job.skip, framing: Framing::Chunk }
    }

    /// Sends on.
    pub(super) fn step(&mut self, job: &Job, mail: &mut dyn Mail, output: &mut Output) -> Sent {
        loop {
            let room = output.room().min(READ_BYTES_MAX);
            if room == 0 {
                return Sent::Full;
            }
            let from = output.buffer().len();
            if let Some(front) = job.front.get(self.front_written..).filter(|front| !front.is_empty()) {
                let piece = front.get(..room).unwrap_or(front);
                output.push(piece);
                self.front_written += piece.len();
            } else if self.offset >= job.content.size() {
                return self.end(output);
            } else {
                match mail.read(&job.content, self.offset, room, output.buffer()) {
                    Ok(0) | Err(Unready::Damaged | Unready::Gone) => return Sent::Broken(Own::Unreadable),
                    Err(Unready::Cold(cold)) => return Sent::Cold(cold),
                    Ok(count) => self.offset += count as u64,
                }
            }
            if let Framing::Dots(tail) = &mut self.framing
                && !tail.frame(output.buffer(), from)
            {
                output.buffer().truncate(from);
                return Sent::Broken(Own::LineEnds);
            }
        }
    }

    /// RFC 5321 §4.1.1.4: CRLF, a dot, CRLF. The first of them is there if the letter ends with one.
    fn end(&self, output: &mut Output) -> Sent {
        match self.framing {
            Framing::Chunk => {}
            Framing::Dots(Tail::LineEnd) => output.push(b".\r\n"),
            Framing::Dots(Tail::MidLine) => output.push(b"\r\n.\r\n"),
            Framing::Dots(Tail::Cr) => return Sent::Broken(Own::LineEnds),
        }
        Sent::All
    }
}

impl Tail {
    /// Doubles the dots in what has been written into `out` from `from` on, unless it has a CR or LF of its own.
    fn frame(&mut self, out: &mut Vec<u8>, from: usize) -> bool {
        let new = out.get(from..).unwrap_or_default();
        let before = core::mem::replace(self, Self::MidLine);
        if !only_line_ends(before == Self::Cr, new) {
            return false;
        }
        *self = match new {
            [] => before,
            [.., b'\n'] => Self::LineEnd,
            [.., b'\r'] => Self::Cr,
            _ => Self::MidLine,
        };
        double_dots(out, from, before == Self::LineEnd);
        true
    }
}

/// Whether every CR in `bytes` is followed by an LF and every LF follows a CR, the one before them included if
/// `after_cr`. A CR at the end may still be.
fn only_line_ends(after_cr: bool, bytes: &[u8]) -> bool {
    let mut expected = after_cr.then_some(0);
    for at in memchr2_iter(b'\r', b'\n', bytes) {
        let is_lf = bytes.get(at) == Some(&b'\n');
        if expected != is_lf.then_some(at) {
            return false;
        }
        expected = (!is_lf).then_some(at + 1);
    }
    // A CR whose LF is still to come must be the last byte.
    expected.is_none_or(|at| at >= bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cr_lf_ends_lines() {
        for (after_cr, bytes, fits) in [
            (false, &b""[..], true),
            (true, b"", true),
            (false, b"a\r\n\r\nb\r\n", true),
            (false, b"a\r", true),
            (true, b"\n", true),
            (true, b"\na", true),
            (true, b"a", false),
            (true, b"a\r\n", false),
            (true, b"\r\n", false),
            (false, b"\n", false),
            (false, b"a\nb", false),
            (false, b"a\rb", false),
            (false, b"a\r\r\n", false),
            (false, b"a\r\n\n", false),
            (false, b"\r\n\r", true),
        ] {
            assert_eq!(only_line_ends(after_cr, bytes), fits, "{after_cr} {}", bytes.escape_ascii());
        }
    }
}
