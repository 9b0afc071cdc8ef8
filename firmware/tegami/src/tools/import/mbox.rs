//! The letters of one mbox file, whoever wrote it: mboxrd and mboxo are read alike.

use std::{
    fs,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use super::{
    crlf::Crlf,
    source::{Letters, Stamp},
};
use crate::tools::{
    limits::{PIECE_BYTES, SEPARATOR_BYTES_MAX, STATUS_BYTES_MAX},
    mbox::{SEPARATOR, any_status, own_status, separator_date},
};

/// Where in a line we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Start,
    /// Behind one or more `>`, the first of which has not been given.
    Arrows,
    Line,
}

/// Reads them.
pub(super) struct Reader {
    path: PathBuf,
    input: Input,
    place: Place,
    /// What ended the last line, if it is only part of the letter when another line follows.
    owed: &'static [u8],
    /// This letter was written by our own export: it is given back byte for byte.
    is_own: bool,
    /// For letters of others.
    crlf: Crlf,
    in_letter: bool,
    plain: Vec<u8>,
}

impl Reader {
    /// From the letter on whose line begins at byte `position`.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn open(path: &Path, position: u64) -> io::Result<Self> {
        let mut file = fs::File::open(path)?;
        file.seek(SeekFrom::Start(position))?;
        Ok(Self {
            path: path.to_owned(),
            input: Input { file, buffer: Vec::new(), at: 0, position },
            place: Place::Start,
            owed: b"",
            is_own: false,
            crlf: Crlf::default(),
            in_letter: false,
            plain: Vec::new(),
        })
    }

    /// Length of the line that separates letters, if one stands here.
    fn separator(&mut self) -> io::Result<Option<usize>> {
        let ahead = self.input.ahead(SEPARATOR_BYTES_MAX)?;
        if !ahead.starts_with(SEPARATOR) {
            return Ok(None);
        }
        let end = ahead.iter().position(|byte| *byte == b'\n').map(|end| end + 1);
        let is_last = ahead.len() < SEPARATOR_BYTES_MAX;
        let len = end.or(is_last.then_some(ahead.len()));
        Ok(len.filter(|len| separator_date(ahead.get(..*len).unwrap_or_default()).is_some()))
    }

    /// Goes on by one line, or by a part of one, into `plain`; `false` at the end of the letter.
    fn step(&mut self) -> io::Result<bool> {
        if self.place == Place::Start {
            if self.input.ahead(1)?.is_empty() || self.separator()?.is_some() {
                self.owed = b"";
                return Ok(false);
            }
            self.plain.extend_from_slice(std::mem::take(&mut self.owed));
            self.place = Place::Line;
            if self.input.ahead(1)?.first() == Some(&b'>') {
                self.input.pass(1);
                self.place = Place::Arrows;
                return Ok(true);
            }
            let blank = self.blank()?;
            return self.line(blank);
        }
        if self.place == Place::Arrows {
            return self.arrows().map(|()| true);
        }
        self.line(b"")
    }

    /// The line that stands here, if there is nothing on it.
    fn blank(&mut self) -> io::Result<&'static [u8]> {
        Ok(match self.input.ahead(2)? {
            [b'\n', ..] => b"\n",
            [b'\r', b'\n', ..] => b"\r\n",
            _ => b"",
        })
    }

    /// Takes the rest of a run of `>`. One less is given if the line was quoted.
    fn arrows(&mut self) -> io::Result<()> {
        let ahead = self.input.ahead(SEPARATOR.len())?;
        let count = ahead.iter().take_while(|byte| **byte == b'>').count();
        if count > 0 {
            self.plain.extend_from_slice(ahead.get(..count).unwrap_or_default());
            self.input.pass(count);
            return Ok(());
        }
        if !ahead.starts_with(SEPARATOR) {
            self.plain.push(b'>');
        }
        self.place = Place::Line;
        Ok(())
    }

    /// Takes the rest of a line, or a part of it. `blank` is the whole line if it is one with nothing on it.
    fn line(&mut self, blank: &'static [u8]) -> io::Result<bool> {
        let ahead = self.input.ahead(1)?;
        let end = ahead.iter().position(|byte| *byte == b'\n').map(|end| end + 1);
        let line = ahead.get(..end.unwrap_or(ahead.len())).unwrap_or_default();
        let mut text = line;
        if end.is_some() {
            self.owed = if self.is_own { b"\n" } else { blank };
            text = line.strip_suffix(self.owed).unwrap_or(line);
            self.place = Place::Start;
        }
        self.plain.extend_from_slice(text);
        let len = line.len();
        self.input.pass(len);
        // A file that ends in the middle of a line ends the letter there.
        Ok(len > 0)
    }
}

impl Letters for Reader {
    fn next(&mut self) -> io::Result<Option<Stamp>> {
        let offset = self.input.position;
        let ahead = self.input.ahead(SEPARATOR_BYTES_MAX)?;
        if ahead.is_empty() {
            return Ok(None);
        }
        if !ahead.starts_with(SEPARATOR) {
            return Err(io::Error::other(format!("no letter begins at byte {offset}")));
        }
        let end = ahead.iter().position(|byte| *byte == b'\n').map_or(ahead.len(), |end| end + 1);
        let received = separator_date(ahead.get(..end).unwrap_or_default());
        self.input.pass(end);
        let head = self.input.ahead(STATUS_BYTES_MAX)?;
        let (marks, own) = match own_status(head) {
            Some((len, marks)) => (marks, Some(len)),
            None => (any_status(head), None),
        };
        self.is_own = own.is_some();
        self.input.pass(own.unwrap_or(0));
        (self.place, self.owed, self.crlf, self.in_letter) = (Place::Start, b"", Crlf::default(), true);
        Ok(Some(Stamp {
            flags: marks.flags,
            keywords: marks.keywords,
            received,
            zone_minutes: 0,
            size: None,
            place: format!("{} at byte {offset}", self.path.display()),
        }))
    }

    fn read(&mut self, piece: &mut Vec<u8>) -> io::Result<bool> {
        piece.clear();
        while self.in_letter && self.plain.len() < PIECE_BYTES {
            self.in_letter = self.step()?;
        }
        if self.is_own {
            piece.append(&mut self.plain);
        } else {
            self.crlf.push(&self.plain, piece);
            self.plain.clear();
        }
        Ok(self.in_letter || !piece.is_empty())
    }

    fn position(&self) -> u64 {
        self.input.position
    }
}

/// A file with a view of what comes.
struct Input {
    file: fs::File,
    buffer: Vec<u8>,
    /// Where in the buffer we are.
    at: usize,
    /// Where in the file that is.
    position: u64,
}

impl Input {
    /// What comes: at least `count` bytes, if the file has them.
    fn ahead(&mut self, count: usize) -> io::Result<&[u8]> {
        if self.buffer.len() - self.at < count {
            self.buffer.drain(..self.at);
            self.at = 0;
            while self.buffer.len() < count {
                let wanted = (count.max(PIECE_BYTES) - self.buffer.len()) as u64;
                if (&mut self.file).take(wanted).read_to_end(&mut self.buffer)? == 0 {
                    break;
                }
            }
        }
        Ok(self.buffer.get(self.at..).unwrap_or_default())
    }

    fn pass(&mut self, count: usize) {
        self.at += count;
        self.position += count as u64;
    }
}

#[cfg(test)]
#[path = "mbox_tests.rs"]
mod tests;
