//! Lines: collecting them from input of any shape, with a limit; and doubling the dots that begin them on the way out.

use alloc::vec::Vec;

use memchr::{memchr, memmem};
use zeroize::Zeroize;

use crate::Input;

/// Collects lines that end with LF. A line that arrives whole is not copied; a part of one is kept, up to a limit, and
/// wiped when it is no longer needed, because passwords come in lines.
#[derive(Debug)]
pub struct Lines {
    partial: Vec<u8>,
    max: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// `partial` is the beginning of a line.
    Collecting,
    /// `partial` was given out whole and is to be forgotten.
    Given,
    /// The line is too long; the rest of it is thrown away.
    Skipping,
}

/// What came of asking for a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A line with its end (CRLF, or a bare LF: that is the protocol's matter).
    Whole(&'a [u8]),
    /// A line was longer than the limit and has been thrown away, to its end.
    TooLong,
    /// More input is needed.
    Partial,
}

impl Lines {
    /// Lines of at most `max` bytes, their end included.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self { partial: Vec::new(), max, state: State::Collecting }
    }

    /// Takes the next line from `input`.
    pub fn next<'a, 'b: 'a>(&'a mut self, input: &mut Input<'b>) -> Line<'a> {
        if self.state == State::Given {
            self.forget(State::Collecting);
        }
        let rest = input.rest();
        let Some(end) = memchr(b'\n', rest) else {
            self.keep(input.take(rest.len()));
            return Line::Partial;
        };
        let tail = input.take(end + 1);
        if self.state == State::Skipping || self.partial.len() + tail.len() > self.max {
            self.forget(State::Collecting);
            return Line::TooLong;
        }
        if self.partial.is_empty() {
            return Line::Whole(tail);
        }
        self.partial.extend_from_slice(tail);
        self.state = State::Given;
        Line::Whole(&self.partial)
    }

    /// Whether the beginning of a line is waiting for its rest.
    #[must_use]
    pub fn is_mid_line(&self) -> bool {
        self.state == State::Skipping || (self.state == State::Collecting && !self.partial.is_empty())
    }

    fn keep(&mut self, part: &[u8]) {
        if self.state == State::Skipping {
            return;
        }
        // A line of `max` bytes still needs its LF, so `max` bytes without one are too many already.
        if self.partial.len() + part.len() >= self.max {
            self.forget(State::Skipping);
        } else {
            self.partial.extend_from_slice(part);
        }
    }

    fn forget(&mut self, next: State) {
        self.partial.zeroize();
        self.partial = Vec::new();
        self.state = next;
    }
}

/// Doubles the dots at the beginnings of lines in `out`, from `from` on (RFC 5321 §4.5.2, RFC 1939 §3); `begins_line`
/// says whether a line begins there. A line begins behind every LF.
///
/// Bytes are moved only where a line begins with a dot, which is rare: this costs a search and no copy.
pub(crate) fn double_dots(out: &mut Vec<u8>, from: usize, begins_line: bool) {
    let new = out.get(from..).unwrap_or_default();
    let dot_first = begins_line && new.first() == Some(&b'.');
    if !dot_first && memmem::find(new, b"\n.").is_none() {
        return;
    }
    let new = out.split_off(from);
    if dot_first {
        out.push(b'.');
    }
    let mut copied = 0;
    for at in memmem::find_iter(&new, b"\n.") {
        out.extend_from_slice(new.get(copied..=at).unwrap_or_default());
        out.push(b'.');
        copied = at + 1;
    }
    out.extend_from_slice(new.get(copied..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn collect(max: usize, chunks: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
        let mut lines = Lines::new(max);
        let mut found = Vec::new();
        for chunk in chunks {
            let mut input = Input::new(chunk);
            loop {
                match lines.next(&mut input) {
                    Line::Whole(line) => found.push(Some(line.to_vec())),
                    Line::TooLong => found.push(None),
                    Line::Partial => break,
                }
            }
        }
        found
    }

    #[test]
    fn lines_are_the_same_however_they_arrive() {
        let text = b"one\r\n\r\ntwo\nthree\r\n";
        let expected: Vec<_> = [&b"one\r\n"[..], b"\r\n", b"two\n", b"three\r\n"]
            .iter()
            .map(|line| Some(line.to_vec()))
            .collect();
        assert_eq!(collect(10, &[text]), expected);
        assert_eq!(collect(10, &text.chunks(1).collect::<Vec<_>>()), expected);
        assert_eq!(collect(10, &text.chunks(4).collect::<Vec<_>>()), expected);
    }

    #[test]
    fn a_line_beyond_the_limit_is_dropped_to_its_end() {
        let text = b"12345678\r\nok\r\n123456789\r\nok\r\n";
        let expected =
            vec![Some(b"12345678\r\n".to_vec()), Some(b"ok\r\n".to_vec()), None, Some(b"ok\r\n".to_vec())];
        assert_eq!(collect(10, &[text]), expected);
        assert_eq!(collect(10, &text.chunks(1).collect::<Vec<_>>()), expected);
    }
}
