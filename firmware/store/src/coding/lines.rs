//! One run of base64 in a frame: the shape of its lines, its length, and the way from its bytes to it and back.
//!
//! A run is a sequence of whole quanta, broken by one kind of line end behind the first `first` quanta and then behind
//! every `line` quanta; nothing follows the last character. Only the last quantum can be padded. Touches only the bytes
//! that it is given.

use alloc::vec::Vec;

use super::base64::{self, PAD, QUANTUM_BYTES, QUANTUM_CHARS};

/// What ends the lines of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineEnd {
    /// Carriage return and line feed, as on the wire (RFC 5322 §2.1).
    Crlf,
    /// Line feed alone, as some programs hand letters over.
    Lf,
}

impl LineEnd {
    pub(super) const fn bytes(self) -> &'static [u8] {
        match self {
            Self::Crlf => b"\r\n",
            Self::Lf => b"\n",
        }
    }

    /// The line end that `bytes` begin with.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        [Self::Crlf, Self::Lf].into_iter().find(|end| bytes.starts_with(end.bytes()))
    }
}

/// The shape of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lines {
    /// Bytes that the run encodes; at least 1.
    pub(super) bytes: usize,
    /// Quanta in the first line, at least 1: the frame may begin in the middle of one.
    pub(super) first: usize,
    /// Quanta in each further line but the last, at least 1. Without meaning when there is one line.
    pub(super) line: usize,
    /// Between any two lines.
    pub(super) end: LineEnd,
}

impl Lines {
    /// Quanta of the run, the padded one included.
    pub(super) const fn quanta(&self) -> usize {
        self.bytes.div_ceil(QUANTUM_BYTES)
    }

    /// Whether the run is broken into lines.
    pub(super) const fn is_broken(&self) -> bool {
        self.quanta() > self.first
    }

    /// Bytes of the run as it stands in the letter; `None` for a shape that no run has.
    pub(super) fn original_len(&self) -> Option<usize> {
        let behind_first = self.quanta().checked_sub(self.first)?;
        let breaks = behind_first.div_ceil(if self.line == 0 { return None } else { self.line });
        let whole = self.bytes > 0 && self.first > 0;
        whole.then_some(self.quanta() * QUANTUM_CHARS + breaks * self.end.bytes().len())
    }

    /// Appends the bytes that the run `chars` encodes. `None` when it is not a run of this shape; what has been
    /// appended then is arbitrary.
    pub(super) fn decode(&self, chars: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let start = out.len();
        out.resize(start + self.bytes, 0);
        let mut places = out.get_mut(start..)?;
        let mut chars = chars;
        let mut quanta = self.first;
        loop {
            let take = quanta.min(places.len() / QUANTUM_BYTES);
            let (line, rest) = chars.split_at_checked(take * QUANTUM_CHARS)?;
            let (place, free) = places.split_at_mut_checked(take * QUANTUM_BYTES)?;
            base64::decode(line, place);
            (chars, places) = (rest, free);
            if take < quanta || places.is_empty() {
                return decode_rest(chars, places);
            }
            chars = chars.strip_prefix(self.end.bytes())?;
            quanta = self.line;
        }
    }

    /// Writes the run that encodes `bytes`. `None` when lengths do not fit each other.
    pub(super) fn encode(&self, bytes: &[u8], out: &mut [u8]) -> Option<()> {
        let mut bytes = bytes;
        let mut out = out;
        let mut quanta = self.first;
        loop {
            let (line, rest) = bytes.split_at(bytes.len().min(quanta * QUANTUM_BYTES));
            let (chars, free) =
                out.split_at_mut_checked(line.len().div_ceil(QUANTUM_BYTES) * QUANTUM_CHARS)?;
            base64::encode(line, chars);
            (bytes, out) = (rest, free);
            if bytes.is_empty() {
                return out.is_empty().then_some(());
            }
            let (end, free) = out.split_at_mut_checked(self.end.bytes().len())?;
            end.copy_from_slice(self.end.bytes());
            (out, quanta) = (free, self.line);
        }
    }
}

/// The padded quantum, if the run ends with one.
fn decode_rest(chars: &[u8], places: &mut [u8]) -> Option<()> {
    if places.is_empty() {
        return chars.is_empty().then_some(());
    }
    let (bytes, len) = base64::decode_padded(chars.try_into().ok()?)?;
    places.copy_from_slice(bytes.get(..len).filter(|bytes| bytes.len() == places.len())?);
    Some(())
}

/// How many padding characters `bytes` begin with, when that is a number that a quantum can have.
pub(super) fn padding(bytes: &[u8]) -> usize {
    match bytes.iter().take_while(|byte| **byte == PAD).count() {
        pads @ 1..=2 => pads,
        _ => 0,
    }
}
