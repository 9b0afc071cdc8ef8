//! The chunks of BDAT (RFC 3030 §2): where each ends, and whether the lines of the letter end as they must. It looks at
//! bytes and keeps none.
//!
//! Nothing in a chunk ends it but its size, so no dots are added or taken off. But whoever passes the letter on may do
//! so by DATA, and there a CR or LF on its own is how one letter pretends to be two (see `dots`). RFC 3030 §2 wants
//! text to come with CR LF, so the rule is that of DATA, across the ends of chunks; only a letter that was announced
//! as binary (§3) may have any bytes.
//!
//! The last line of either kind need not end with CR LF, and gets none: a letter is kept as it came. IMAP counts its
//! bytes when it gives it out; POP3 ends its last line before the final dot (`pop3::transfer`), as a sender by DATA
//! must.

use memchr::memchr2_iter;

use super::dots::{Defect, Piece};

/// Takes chunks apart.
#[derive(Debug)]
pub(super) struct Chunks {
    /// Bytes that are still to come of the chunk at hand.
    left: u64,
    is_last: bool,
    /// `None` for a letter that may have any bytes.
    line_ends: Option<LineEnds>,
}

impl Chunks {
    /// Before the first chunk.
    pub(super) const fn new(is_binary: bool) -> Self {
        let line_ends = if is_binary { None } else { Some(LineEnds { after_cr: false, defect: None }) };
        Self { left: 0, is_last: false, line_ends }
    }

    /// A chunk of so many bytes follows.
    pub(super) const fn begin(&mut self, size: u64, is_last: bool) {
        self.left = size;
        self.is_last = is_last;
    }

    /// Whether the chunk at hand is the last of the letter.
    pub(super) const fn is_last(&self) -> bool {
        self.is_last
    }

    /// The first defect found so far.
    pub(super) fn defect(&self) -> Option<Defect> {
        self.line_ends.as_ref()?.defect
    }

    /// Says what the next of `bytes` are. They count as taken. [`Piece::End`] is the end of the chunk.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Piece {
        if self.left == 0 {
            if let (true, Some(line_ends)) = (self.is_last, &mut self.line_ends) {
                line_ends.end();
            }
            return Piece::End(0);
        }
        // More than can be addressed is more than there is.
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let piece = bytes.get(..left).unwrap_or(bytes);
        if piece.is_empty() {
            return Piece::More;
        }
        self.left -= piece.len() as u64;
        if let Some(line_ends) = &mut self.line_ends {
            line_ends.feed(piece);
        }
        Piece::Letter(piece.len())
    }
}

/// Whether each CR has its LF and each LF its CR.
#[derive(Debug)]
struct LineEnds {
    /// The last byte was a CR.
    after_cr: bool,
    defect: Option<Defect>,
}

impl LineEnds {
    fn feed(&mut self, bytes: &[u8]) {
        if self.after_cr && bytes.first().is_some_and(|first| *first != b'\n') {
            self.found(Defect::BareCr);
        }
        for at in memchr2_iter(b'\r', b'\n', bytes) {
            let is_lf = bytes.get(at) == Some(&b'\n');
            let follows_cr =
                at.checked_sub(1).map_or(self.after_cr, |before| bytes.get(before) == Some(&b'\r'));
            let precedes_other = bytes.get(at + 1).is_some_and(|next| *next != b'\n');
            if is_lf && !follows_cr {
                self.found(Defect::BareLf);
            } else if !is_lf && precedes_other {
                self.found(Defect::BareCr);
            }
        }
        self.after_cr = bytes.last().map_or(self.after_cr, |last| *last == b'\r');
    }

    /// No byte follows.
    fn end(&mut self) {
        if self.after_cr {
            self.found(Defect::BareCr);
        }
    }

    fn found(&mut self, defect: Defect) {
        self.defect.get_or_insert(defect);
    }
}

#[cfg(test)]
mod tests;
