//! Relaxed canonicalisation of a body (RFC 6376 §3.4.4) while it streams by.
//!
//! A run of blanks becomes one space, or nothing at the end of a line; empty lines at the end of the body are not there;
//! what is left of a body that is not empty ends with CRLF. A CR or an LF that stands alone ends no line: it is a
//! character like any other. The memory is four fields, however long the body and however it is cut.

use memchr::memchr3;

/// Line ends that are given on at a time.
const LINE_ENDS: [u8; 128] = {
    let mut bytes = [b'\r'; 128];
    let mut at = 1;
    while at < bytes.len() {
        bytes[at] = b'\n';
        at += 2;
    }
    bytes
};

/// A body on its way into a digest.
#[derive(Clone, Debug, Default)]
pub struct RelaxedBody {
    /// Line ends since the last character that was given on: they may be the last ones.
    line_ends: usize,
    /// Blanks behind them: they may be the end of a line.
    blanks: bool,
    /// A CR behind those: it may be half of a line end.
    cr: bool,
    /// Something was given on.
    is_begun: bool,
}

impl RelaxedBody {
    /// Before the first byte of a body.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the body, and gives on what is certain of its canonical form. Empty lines are counted
    /// until something follows them, and all come then, in one call.
    pub fn feed(&mut self, bytes: &[u8], sink: &mut impl FnMut(&[u8])) {
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            let taken = match first {
                b'\n' if self.cr => {
                    (self.cr, self.blanks) = (false, false);
                    self.line_ends += 1;
                    1
                }
                _ if self.cr => {
                    self.give_bare_cr(sink);
                    0
                }
                b'\r' => {
                    self.cr = true;
                    1
                }
                b' ' | b'\t' => {
                    self.blanks = true;
                    1
                }
                _ => {
                    let same = rest.get(..unchanged(rest)).unwrap_or(rest);
                    self.release(sink);
                    sink(same);
                    same.len()
                }
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
    }

    /// Ends the body.
    pub fn finish(mut self, sink: &mut impl FnMut(&[u8])) {
        if self.cr {
            self.give_bare_cr(sink);
        }
        // Blanks that no line end follows are at the end of a line as well: one is put behind every letter that is sent.
        if self.is_begun {
            sink(b"\r\n");
        }
    }

    fn give_bare_cr(&mut self, sink: &mut impl FnMut(&[u8])) {
        self.cr = false;
        self.release(sink);
        sink(b"\r");
    }

    /// Gives on what was kept, because a character follows it.
    fn release(&mut self, sink: &mut impl FnMut(&[u8])) {
        self.is_begun = true;
        let mut left = core::mem::take(&mut self.line_ends).saturating_mul(2);
        while left > 0 {
            let piece = LINE_ENDS.get(..left).unwrap_or(&LINE_ENDS);
            sink(piece);
            left -= piece.len();
        }
        if core::mem::take(&mut self.blanks) {
            sink(b" ");
        }
    }
}

/// How much of a text that begins with a character is its own canonical form: line ends and single spaces with
/// characters around them are. So a digest is given long pieces.
fn unchanged(text: &[u8]) -> usize {
    let mut at = 1;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let Some(found) = memchr3(b' ', b'\t', b'\r', rest) else { return text.len() };
        at += found;
        let width = match text.get(at..) {
            Some([b' ', next, ..]) if !is_kept(*next) => 1,
            Some([b'\r', b'\n', next, ..]) if !is_kept(*next) => 2,
            _ => return at,
        };
        at += width;
    }
}

/// Whether it has to be kept back until more is known.
const fn is_kept(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}
