//! Replies of the remote (RFC 5321 §4.2): from lines to a [`Reply`], whatever comes.

use alloc::{rc::Rc, string::String, vec::Vec};
use core::fmt;

use super::{
    limits::{REPLY_BYTES_MAX, REPLY_LINE_BYTES_MAX, REPLY_TEXT_BYTES_MAX},
    outcome::readable,
};
use crate::{
    Input,
    line::{Line, Lines},
};

/// What the remote said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Three digits, 200 to 599.
    pub code: u16,
    /// The enhanced status code, if there was one of the same class (RFC 2034 §4).
    pub status: Option<EnhancedStatus>,
    /// Its own words without the codes, its lines joined by blanks; control characters and what is not UTF-8 replaced
    /// by U+FFFD, and at most [`REPLY_TEXT_BYTES_MAX`] bytes.
    pub text: String,
}

/// `class.subject.detail` (RFC 3463 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnhancedStatus {
    /// 2, 4 or 5: well, not now, never.
    pub class: u8,
    /// What it is about.
    pub subject: u16,
    /// What about that.
    pub detail: u16,
}

/// What a remote does that does not keep to the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// A line does not begin with a code, or with another code than the line before it.
    Malformed,
    /// A line or a reply goes on beyond every measure.
    TooLong,
    /// It speaks before it was asked, or answers more often.
    Unasked,
    /// A code that cannot be an answer to what was said.
    Unexpected(u16),
    /// A challenge of SCRAM that is not one: not base64, not of its form, or too long.
    Challenge,
    /// A challenge of SCRAM that answers somebody else's message (RFC 5802 §5.1), or nobody's.
    Nonce,
    /// A challenge of SCRAM that asks for no work at all, or for more than any honest one.
    Rounds,
    /// The server has not shown that it knows the password (RFC 5802 §5): somebody may be in its place.
    Signature,
}

impl Reply {
    /// Its first digit.
    pub(super) const fn class(&self) -> u8 {
        (self.code / 100) as u8
    }

    /// RFC 5321 §4.2.1: done.
    pub(super) const fn is_positive(&self) -> bool {
        self.class() == 2
    }

    /// RFC 5321 §4.2.1: go on.
    pub(super) const fn is_intermediate(&self) -> bool {
        self.class() == 3
    }

    /// RFC 5321 §4.2.1: not now.
    pub(super) const fn is_transient(&self) -> bool {
        self.class() == 4
    }

    /// Not now, or never.
    pub(super) const fn is_refusal(&self) -> bool {
        self.class() >= 4
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(status) = self.status {
            write!(f, " {status}")?;
        }
        if self.text.is_empty() { Ok(()) } else { write!(f, " {}", self.text) }
    }
}

impl EnhancedStatus {
    /// Takes the code off the beginning of a line of a reply, if one of this class is there (RFC 2034 §4: both codes
    /// say the same).
    fn take(line: &[u8], class: u8) -> Option<(Self, &[u8])> {
        let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
        let (word, rest) = line.split_at_checked(end)?;
        let mut numbers = word.split(|byte| *byte == b'.').map(number);
        let (Some(Some(first)), Some(Some(subject)), Some(Some(detail)), None) =
            (numbers.next(), numbers.next(), numbers.next(), numbers.next())
        else {
            return None;
        };
        (first == u16::from(class)).then(|| (Self { class, subject, detail }, rest.trim_ascii_start()))
    }
}

/// One to three digits (RFC 3463 §2).
fn number(digits: &[u8]) -> Option<u16> {
    let is_number = (1..=3).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| digits.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0')))
}

impl fmt::Display for EnhancedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// A reply as it came, with its lines apart: EHLO wants them.
#[derive(Debug)]
pub(super) struct RawReply {
    pub(super) code: u16,
    /// What stands behind the codes, each line ended by LF.
    text: Vec<u8>,
}

impl RawReply {
    /// What stands behind the codes, line by line.
    pub(super) fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.text.strip_suffix(b"\n").unwrap_or(&self.text).split(|byte| *byte == b'\n')
    }

    /// What is kept of it.
    pub(super) fn read(&self) -> Rc<Reply> {
        let class = (self.code / 100) as u8;
        let mut status = None;
        let mut words = Vec::new();
        for line in self.lines() {
            let line = match EnhancedStatus::take(line, class) {
                Some((found, rest)) => {
                    status.get_or_insert(found);
                    rest
                }
                None => line,
            };
            if !words.is_empty() && !line.is_empty() {
                words.push(b' ');
            }
            words.extend_from_slice(line);
        }
        let text = readable(&String::from_utf8_lossy(&words), REPLY_TEXT_BYTES_MAX);
        Rc::new(Reply { code: self.code, status, text })
    }
}

/// Collects replies.
#[derive(Debug)]
pub(super) struct Replies {
    lines: Lines,
    /// Bytes of the present reply so far.
    bytes: usize,
    /// The lines of the present reply so far.
    partial: Option<RawReply>,
}

impl Replies {
    pub(super) const fn new() -> Self {
        Self { lines: Lines::new(REPLY_LINE_BYTES_MAX), bytes: 0, partial: None }
    }

    /// Whether a part of a reply has come.
    pub(super) const fn has_begun(&self) -> bool {
        self.bytes > 0
    }

    /// Whether anything is there of a reply that has not been taken.
    pub(super) fn is_under_way(&self, input: &Input<'_>) -> bool {
        self.has_begun() || !input.is_empty()
    }

    /// Takes the next reply from `input`; `None` if it is not complete.
    ///
    /// # Errors
    /// [`Breach::Malformed`], [`Breach::TooLong`]: there is no telling what anything behind it means.
    pub(super) fn next(&mut self, input: &mut Input<'_>) -> Result<Option<RawReply>, Breach> {
        loop {
            let before = input.taken();
            let line = self.lines.next(input);
            self.bytes += input.taken() - before;
            if self.bytes > REPLY_BYTES_MAX {
                return Err(Breach::TooLong);
            }
            let whole = match line {
                Line::Partial => return Ok(None),
                Line::TooLong => return Err(Breach::TooLong),
                Line::Whole(line) => take_line(&mut self.partial, line)?,
            };
            if whole {
                self.bytes = 0;
                return Ok(self.partial.take());
            }
        }
    }
}

/// Takes a line of a reply: three digits, and a hyphen if more follow (RFC 5321 §4.2.1). Says whether it is the last.
/// A bare LF ends it as well, and nothing need stand behind the code: to throw away the only word about a letter for
/// that would mean to send it again.
fn take_line(partial: &mut Option<RawReply>, line: &[u8]) -> Result<bool, Breach> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (digits, behind) = line.split_at_checked(3).ok_or(Breach::Malformed)?;
    let code = number(digits).filter(|code| (200..600).contains(code)).ok_or(Breach::Malformed)?;
    let (is_last, text) = match behind {
        [] => (true, behind),
        [b' ', text @ ..] => (true, text),
        [b'-', text @ ..] => (false, text),
        _ => return Err(Breach::Malformed),
    };
    let reply = partial.get_or_insert_with(|| RawReply { code, text: Vec::new() });
    // RFC 5321 §4.2.1: all lines have the same code.
    if reply.code != code {
        return Err(Breach::Malformed);
    }
    reply.text.extend_from_slice(text);
    reply.text.push(b'\n');
    Ok(is_last)
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::ToString, vec};

    use super::*;

    fn read_in(pieces: usize, bytes: &[u8]) -> Vec<Result<Reply, Breach>> {
        let mut replies = Replies::new();
        let mut found = Vec::new();
        for piece in bytes.chunks(pieces) {
            let mut input = Input::new(piece);
            loop {
                match replies.next(&mut input) {
                    Ok(Some(reply)) => found.push(Ok(Reply::clone(&reply.read()))),
                    Ok(None) => break,
                    Err(breach) => {
                        found.push(Err(breach));
                        return found;
                    }
                }
            }
        }
        found
    }

    /// What is read, the same whole and byte by byte.
    fn read(bytes: &[u8]) -> Vec<Result<Reply, Breach>> {
        let found = read_in(bytes.len().max(1), bytes);
        assert_eq!(found, read_in(1, bytes));
        assert_eq!(found, read_in(7, bytes));
        found
    }

    fn one(bytes: &[u8]) -> Reply {
        read(bytes).remove(0).unwrap()
    }

    #[test]
    fn replies_are_read_with_their_codes() {
        let status = |class, subject, detail| Some(EnhancedStatus { class, subject, detail });
        for (bytes, code, found, text) in [
            (&b"250 Ok\r\n"[..], 250, None, "Ok"),
            (b"250\r\n", 250, None, ""),
            (b"250 \r\n", 250, None, ""),
            (b"550 5.1.1 No such user\r\n", 550, status(5, 1, 1), "No such user"),
            (b"550 5.1.1\r\n", 550, status(5, 1, 1), ""),
            (b"550-5.7.26 One\r\n550 5.7.26 two\r\n", 550, status(5, 7, 26), "One two"),
            (b"550-One\r\n550-\r\n550 5.7.1 two\r\n", 550, status(5, 7, 1), "One two"),
            (b"421 4.3.2 Bare\n", 421, status(4, 3, 2), "Bare"),
            // A code of another class, too many digits or numbers, none.
            (b"550 4.1.1 no\r\n", 550, None, "4.1.1 no"),
            (b"550 5.1.1000 no\r\n", 550, None, "5.1.1000 no"),
            (b"550 5.1.1.1 no\r\n", 550, None, "5.1.1.1 no"),
            (b"550 5..1 no\r\n", 550, None, "5..1 no"),
        ] {
            let reply = one(bytes);
            assert_eq!((reply.code, reply.status, reply.text.as_str()), (code, found, text));
        }
        assert_eq!(one(b"550-5.1.1 a\r\n550 5.1.1 b\r\n").to_string(), "550 5.1.1 a b");
        assert_eq!(one(b"250\r\n").to_string(), "250");
    }

    #[test]
    fn the_words_of_the_remote_are_made_readable() {
        assert_eq!(
            one(b"550 a\0b\x1b[31m\rc\xffd\tx\r\n").text,
            "a\u{fffd}b\u{fffd}[31m\u{fffd}c\u{fffd}d\u{fffd}x"
        );
        assert_eq!(one("550 こんにちは\u{85}\r\n".as_bytes()).text, "こんにちは\u{fffd}");
        let long = one(format!("550 {}\r\n", "手".repeat(1000)).as_bytes());
        assert_eq!(long.text, "手".repeat(REPLY_TEXT_BYTES_MAX / 3));
    }

    #[test]
    fn what_is_no_reply_is_none() {
        for bytes in [
            &b"\r\n"[..],
            b"25\r\n",
            b"abc hello\r\n",
            b"2500 hello\r\n",
            b"250hello\r\n",
            b"150 too early\r\n",
            b"650 too late\r\n",
            b"\x00250 ok\r\n",
            b"2\x0050 ok\r\n",
            b"250-one\r\n251 other\r\n",
            b"SSH-2.0-OpenSSH_9.2\r\n",
        ] {
            assert_eq!(read(bytes), [Err(Breach::Malformed)], "{}", bytes.escape_ascii());
        }
        let lines = read(b"250 one\r\n250 two\r\n?\r\n");
        assert_eq!(lines.iter().filter(|line| line.is_ok()).count(), 2);
    }

    #[test]
    fn a_line_without_end_ends() {
        assert_eq!(read(&vec![b'2'; REPLY_BYTES_MAX + 1]), [Err(Breach::TooLong)]);
        let line = [&b"250 "[..], &vec![b'x'; REPLY_LINE_BYTES_MAX], b"\r\n"].concat();
        assert_eq!(read(&line), [Err(Breach::TooLong)]);
    }

    #[test]
    fn a_reply_of_thousands_of_lines_ends() {
        assert_eq!(read(&b"250-x\r\n".repeat(10_000)), [Err(Breach::TooLong)]);
        assert_eq!(read(&[&b"250-x\r\n".repeat(2_000)[..], b"250 x\r\n"].concat()).len(), 1);
    }
}
