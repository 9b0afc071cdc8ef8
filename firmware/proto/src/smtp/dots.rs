//! The body of DATA (RFC 5321 §4.5.2): where it ends, which dots were added, and whether every line ends as it must.
//! It looks at bytes and keeps none.
//!
//! Only CR LF ends a line, and only CR LF . CR LF ends a letter. Servers that disagree with their neighbours here let
//! one letter pretend to be two (SMTP smuggling). So a CR or LF on its own makes the letter unacceptable; yet it is read
//! to its real end, because whoever sent it may be an honest server that passes on what it was given, and the bytes
//! behind the false end are not commands.

use memchr::memchr2;

/// Takes the body apart.
#[derive(Debug)]
pub(super) struct Dots {
    place: Place,
    defect: Option<Defect>,
}

/// Where in the body the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At the beginning of a line.
    LineStart,
    /// Behind a dot at the beginning of a line; the dot has been skipped.
    Dot,
    /// Behind such a dot and a CR; both have been skipped.
    DotCr,
    /// Somewhere in a line.
    Text,
    /// Behind a CR in a line; the CR has been given out.
    Cr,
    /// Behind the end.
    End,
}

/// Why a body cannot be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Defect {
    /// A CR without an LF behind it.
    BareCr,
    /// An LF without a CR before it.
    BareLf,
}

/// What the next bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// So many bytes of the letter.
    Letter(usize),
    /// So many bytes that do not belong to it.
    Skip(usize),
    /// So many bytes that do not belong to it, and the letter, or the chunk of it, is complete.
    End(usize),
    /// No bytes are left.
    More,
}

impl Dots {
    /// At the beginning: the CR LF of the DATA command counts as the one before the first line, so that an empty letter
    /// is a dot and CR LF.
    pub(super) const fn new() -> Self {
        Self { place: Place::LineStart, defect: None }
    }

    /// The first defect found so far.
    pub(super) const fn defect(&self) -> Option<Defect> {
        self.defect
    }

    /// Says what the next of `bytes` are. They count as taken.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Piece {
        let Some(first) = bytes.first() else { return Piece::More };
        match (self.place, first) {
            (Place::LineStart, b'.') => self.skip(Place::Dot),
            (Place::Dot, b'\r') => self.skip(Place::DotCr),
            (Place::DotCr, b'\n') => {
                self.place = Place::End;
                Piece::End(1)
            }
            (Place::DotCr, _) => {
                self.found(Defect::BareCr);
                self.text(bytes)
            }
            (Place::Cr, b'\n') => {
                self.place = Place::LineStart;
                Piece::Letter(1)
            }
            (Place::Cr, _) => {
                self.found(Defect::BareCr);
                self.text(bytes)
            }
            (Place::LineStart | Place::Dot | Place::Text, _) => self.text(bytes),
            (Place::End, _) => Piece::End(0),
        }
    }

    fn skip(&mut self, place: Place) -> Piece {
        self.place = place;
        Piece::Skip(1)
    }

    fn found(&mut self, defect: Defect) {
        self.defect.get_or_insert(defect);
    }

    /// From within a line to the next line that begins with a dot, or to the end of `bytes`. One search per line.
    fn text(&mut self, bytes: &[u8]) -> Piece {
        let mut at = 0;
        self.place = Place::Text;
        while let Some(found) = bytes.get(at..).and_then(|rest| memchr2(b'\r', b'\n', rest)) {
            let here = at + found;
            at = here + 1;
            if bytes.get(here) == Some(&b'\n') {
                self.found(Defect::BareLf);
                continue;
            }
            match bytes.get(at) {
                Some(b'\n') => at += 1,
                Some(_) => {
                    self.found(Defect::BareCr);
                    continue;
                }
                None => {
                    self.place = Place::Cr;
                    break;
                }
            }
            if matches!(bytes.get(at), None | Some(b'.')) {
                self.place = Place::LineStart;
                return Piece::Letter(at);
            }
        }
        Piece::Letter(bytes.len())
    }
}

#[cfg(test)]
mod tests;
