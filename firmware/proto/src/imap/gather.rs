//! Gathering one command: its line and its literals, in one buffer of bounded size. A command that arrives whole is not
//! copied. It also throws away what belongs to a command that was refused (RFC 7888 §4), up to a bound.

use alloc::vec::Vec;

use memchr::memchr;
use zeroize::Zeroize;

use super::{
    ast::Literal,
    limits::{COMMAND_BYTES_MAX, LITERALS_MAX},
    parse::announced_literal,
};
use crate::Input;

/// First capacity of the buffer, so that passwords are not left behind in memory when it grows.
const CAPACITY: usize = 512;

/// Bytes at the end of a line that is thrown away which are looked at for the announcement of a literal.
const TAIL_BYTES: usize = 24;

/// The command that is coming in.
#[derive(Debug, Default)]
pub(super) struct Gather {
    buffer: Vec<u8>,
    /// Where in the buffer the current line begins: behind the last literal.
    line_from: usize,
    state: State,
    literals: u32,
}

#[derive(Debug, Default)]
enum State {
    /// On a line.
    #[default]
    Line,
    /// In a literal, of which so many bytes are to come.
    Literal(usize),
    /// A literal was announced and nobody has said yet whether it is wanted.
    Announced,
    /// The buffer was given out and is to be forgotten.
    Given,
    /// Throwing away.
    Skipping(Skip),
}

#[derive(Debug)]
struct Skip {
    /// Bytes of the current literal.
    literal: u64,
    /// Bytes that may still be thrown away.
    budget: u64,
    /// The end of the current line.
    tail: heapless::Deque<u8, TAIL_BYTES>,
}

/// What has been gathered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Gathered<'a> {
    /// More input is needed.
    Partial,
    /// A command with the end of its last line.
    Command(&'a [u8]),
    /// A command up to a literal that it announces. To be followed by [`Gather::accept`] or [`Gather::skip`].
    Announced(&'a [u8], Literal),
    /// The beginning of a command that is too long. To be followed by [`Gather::skip`].
    TooLong(&'a [u8]),
    /// What was to be thrown away has passed.
    Skipped,
    /// There is more to be thrown away than is allowed.
    Flood,
}

impl Gather {
    /// Takes from `input` up to the next thing that somebody must decide about.
    pub(super) fn next<'a, 'b: 'a>(&'a mut self, input: &mut Input<'b>) -> Gathered<'a> {
        match &mut self.state {
            State::Line => {}
            State::Announced | State::Given => self.forget(),
            State::Literal(left) => {
                let bytes = input.take(*left);
                *left -= bytes.len();
                let is_whole = *left == 0;
                self.buffer.extend_from_slice(bytes);
                if !is_whole {
                    return Gathered::Partial;
                }
                self.line_from = self.buffer.len();
                self.state = State::Line;
            }
            State::Skipping(skip) => {
                let passed = skip.pass(input);
                if !matches!(passed, Gathered::Partial) {
                    self.state = State::Line;
                }
                return passed;
            }
        }
        self.line(input)
    }

    /// Whether a command has begun and not ended.
    pub(super) const fn is_mid_command(&self) -> bool {
        match &self.state {
            State::Line => !self.buffer.is_empty(),
            State::Literal(_) | State::Announced | State::Skipping(_) => true,
            State::Given => false,
        }
    }

    /// Takes the announced literal into the command; says whether there is room.
    pub(super) fn accept(&mut self, literal: Literal) -> bool {
        let room = COMMAND_BYTES_MAX.saturating_sub(self.buffer.len());
        match usize::try_from(literal.len) {
            Ok(len) if len <= room && self.literals < LITERALS_MAX => {
                self.literals += 1;
                self.state = State::Literal(len);
                true
            }
            _ => false,
        }
    }

    /// Throws away the rest of this command, its announced literal included if the client does not wait, up to
    /// `budget` bytes. Says whether there is anything to be thrown away.
    pub(super) fn skip(&mut self, announced: Option<Literal>, budget: u64) -> bool {
        let mut skip = Skip { literal: 0, budget, tail: heapless::Deque::new() };
        skip.remember(self.current_line());
        self.forget();
        match announced {
            // It was told no, and sends neither the literal nor what would follow (RFC 3501 §7.5).
            Some(Literal { waits: true, .. }) => return false,
            Some(literal) => {
                skip.literal = literal.len;
                skip.tail.clear();
            }
            None => {}
        }
        self.state = State::Skipping(skip);
        true
    }

    /// Forgets what was gathered and gives its memory back.
    pub(super) fn forget(&mut self) {
        self.buffer.zeroize();
        *self = Self::default();
    }

    fn line<'a, 'b: 'a>(&'a mut self, input: &mut Input<'b>) -> Gathered<'a> {
        let rest = input.rest();
        let end = memchr(b'\n', rest).map(|at| at + 1);
        let len = end.unwrap_or(rest.len());
        let room = COMMAND_BYTES_MAX.saturating_sub(self.buffer.len());
        if len > room {
            self.keep(input.take(room));
            self.state = State::Given;
            return Gathered::TooLong(&self.buffer);
        }
        let line = input.take(len);
        if end.is_none() {
            self.keep(line);
            return Gathered::Partial;
        }
        if self.buffer.is_empty() && announced_literal(line).is_none() {
            return Gathered::Command(line);
        }
        self.keep(line);
        if let Some(literal) = announced_literal(self.current_line()) {
            self.state = State::Announced;
            return Gathered::Announced(&self.buffer, literal);
        }
        self.state = State::Given;
        Gathered::Command(&self.buffer)
    }

    fn current_line(&self) -> &[u8] {
        self.buffer.get(self.line_from..).unwrap_or_default()
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.buffer.capacity() == 0 && !bytes.is_empty() {
            self.buffer.reserve(CAPACITY);
        }
        self.buffer.extend_from_slice(bytes);
    }
}

impl Skip {
    /// Throws input away up to the end of the command.
    fn pass(&mut self, input: &mut Input<'_>) -> Gathered<'static> {
        loop {
            if self.literal > self.budget {
                return Gathered::Flood;
            }
            if self.literal > 0 {
                let taken = input.take(usize::try_from(self.literal).unwrap_or(usize::MAX)).len() as u64;
                self.literal -= taken;
                self.budget -= taken;
                if self.literal > 0 {
                    return Gathered::Partial;
                }
            }
            let rest = input.rest();
            let end = memchr(b'\n', rest).map(|at| at + 1);
            let line = input.take(end.unwrap_or(rest.len()));
            self.budget = self.budget.saturating_sub(line.len() as u64);
            self.remember(line);
            if self.budget == 0 {
                return Gathered::Flood;
            }
            if end.is_none() {
                return Gathered::Partial;
            }
            match announced_literal(&self.tail.iter().copied().collect::<heapless::Vec<u8, TAIL_BYTES>>()) {
                Some(Literal { waits: false, len }) => {
                    self.literal = len;
                    self.tail.clear();
                }
                _ => return Gathered::Skipped,
            }
        }
    }

    fn remember(&mut self, line: &[u8]) {
        for byte in line.iter().skip(line.len().saturating_sub(TAIL_BYTES)) {
            if self.tail.is_full() {
                self.tail.pop_front();
            }
            // There is room: a byte was taken out if it was full.
            let _ = self.tail.push_back(*byte);
        }
    }
}

impl Drop for Gather {
    fn drop(&mut self) {
        self.buffer.zeroize();
    }
}

#[cfg(test)]
#[path = "gather_tests.rs"]
mod tests;
