//! Finds runs of base64 in the bytes of one frame, by the bytes alone: nothing is known of the letter's parts, and the
//! frame may begin and end anywhere. Touches only the bytes that it is given.
//!
//! Lines of base64 hold whole quanta, so where a line ends tells where its quanta begin, also in a line whose beginning
//! is in another frame. Characters before the first whole quantum and behind the last one stay outside the run. A run
//! needs not be what a letter meant as base64: a long word that looks so gains as well.

use super::base64::{self, PAD, QUANTUM_BYTES, QUANTUM_CHARS};
use super::lines::{LineEnd, Lines, padding};

/// Characters without a break that make a place worth a look. Above the longest words, below the shortest lines in use.
const STRETCH_CHARS: usize = 32;

/// Characters of the shortest run. It gains 32 bytes, and describing it costs up to 12.
pub(super) const RUN_CHARS_MIN: usize = 128;

/// A run and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Where its first character stands.
    pub(super) start: usize,
    /// Behind its last character.
    pub(super) end: usize,
    pub(super) lines: Lines,
}

/// The first run that begins at `from` or later.
pub(super) fn next_run(frame: &[u8], from: usize) -> Option<Run> {
    let mut from = from;
    loop {
        let mut growing = Growing::begin(frame, find_stretch(frame, from)?);
        growing.add_lines();
        match growing.finish() {
            Ok(run) => return Some(run),
            Err(behind) => from = behind,
        }
    }
}

/// Where the next [`STRETCH_CHARS`] characters in a row begin. Looks at a window from its end, as Boyer and Moore do:
/// most bytes are never looked at.
fn find_stretch(frame: &[u8], from: usize) -> Option<usize> {
    let mut start = from;
    while let Some(window) = frame.get(start..start + STRETCH_CHARS) {
        match window.iter().rposition(|byte| !base64::is_char(*byte)) {
            Some(foreign) => start += foreign + 1,
            None => return Some(start),
        }
    }
    None
}

/// A run that grows from its first line on.
struct Growing<'a> {
    frame: &'a [u8],
    start: usize,
    /// Behind the last whole quantum so far.
    end: usize,
    /// Behind the last character so far: a line that is cut, or not of whole quanta, ends the run before that.
    chars_end: usize,
    quanta: usize,
    first: usize,
    /// Once there is a second line.
    line: Option<usize>,
    line_end: Option<LineEnd>,
    /// Bytes of a padded quantum, which ends the run.
    padded: usize,
}

impl<'a> Growing<'a> {
    /// The first line, from the beginning of a stretch.
    fn begin(frame: &'a [u8], stretch: usize) -> Self {
        let chars = stretch_len(frame.get(stretch..).unwrap_or_default());
        let behind = frame.get(stretch + chars..).unwrap_or_default();
        let line_end = LineEnd::of(behind);
        let pads = padding(behind);
        // Only an end tells where quanta begin. Without one they are taken to begin with the stretch.
        let aligned = line_end.is_some() || pads > 0;
        let skip = if aligned { (chars + pads) % QUANTUM_CHARS } else { 0 };
        let start = stretch + skip.min(chars);
        let mut run = Self {
            frame,
            start,
            end: start,
            chars_end: start,
            quanta: 0,
            first: 0,
            line: None,
            line_end,
            padded: 0,
        };
        run.take(start, stretch + chars - start);
        run.first = run.quanta;
        run
    }

    /// Further lines, as long as they belong to the run.
    fn add_lines(&mut self) {
        while let Some(end) = self.line_end.filter(|_| self.whole_line()) {
            let at = self.end + end.bytes().len();
            if self.frame.get(self.end..at) != Some(end.bytes()) {
                return;
            }
            let chars = self.line_chars(at);
            let behind = self.frame.get(at + chars..).unwrap_or_default();
            // A line of words is none of base64; neither is a longer one.
            if chars == 0 || !matches!(behind.first(), None | Some(b'\r' | b'\n' | &PAD)) {
                return;
            }
            let before = self.quanta;
            self.take(at, chars);
            let taken = self.quanta - before;
            let whole = self.whole_line() && behind.starts_with(end.bytes());
            let line = *self.line.get_or_insert(if whole { taken } else { taken.max(self.first) });
            if taken < line || !whole {
                return;
            }
        }
    }

    /// Characters of the line at `at`; of a line that is too long those that it may have.
    fn line_chars(&self, at: usize) -> usize {
        let rest = self.frame.get(at..).unwrap_or_default();
        match self.line.and_then(|line| rest.get(..line * QUANTUM_CHARS)) {
            Some(line) if base64::all_chars(line) => line.len(),
            Some(line) => stretch_len(line),
            None => stretch_len(rest),
        }
    }

    /// Whether the run so far ends with a whole, unpadded quantum that ends its line.
    fn whole_line(&self) -> bool {
        self.quanta > 0 && self.padded == 0 && self.end == self.chars_end
    }

    /// Takes the quanta among `chars` characters at `at`, and the padded one behind them if it is canonical.
    fn take(&mut self, at: usize, chars: usize) {
        let whole = chars / QUANTUM_CHARS;
        let end = at + whole * QUANTUM_CHARS;
        self.chars_end = at + chars;
        if whole > 0 {
            self.quanta += whole;
            self.end = end;
        }
        let last = self.frame.get(end..end + QUANTUM_CHARS).and_then(|last| last.try_into().ok());
        if let Some((_, bytes)) = last.and_then(base64::decode_padded) {
            self.quanta += 1;
            self.padded = bytes;
            self.end = end + QUANTUM_CHARS;
        }
    }

    /// The run, or where to look on when it is too short.
    fn finish(self) -> Result<Run, usize> {
        if self.quanta * QUANTUM_CHARS < RUN_CHARS_MIN {
            return Err(self.chars_end.max(self.end));
        }
        let whole = self.quanta - usize::from(self.padded > 0);
        let lines = Lines {
            bytes: whole * QUANTUM_BYTES + self.padded,
            first: self.first,
            line: self.line.unwrap_or(self.first),
            end: self.line_end.unwrap_or(LineEnd::Crlf),
        };
        Ok(Run { start: self.start, end: self.end, lines })
    }
}

/// How many characters `bytes` begin with.
fn stretch_len(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| !base64::is_char(*byte)).unwrap_or(bytes.len())
}
