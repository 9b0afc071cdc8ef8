//! What a server says it can do: the lines of its reply to EHLO (RFC 5321 §4.1.1.1).

use super::{
    job::{Body, Job},
    outcome::Own,
    reply::RawReply,
};
use crate::sasl::Mechanism;

/// The extensions that make a difference here. None, until EHLO was answered, and after HELO.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Extensions {
    /// RFC 3207.
    pub(super) starttls: bool,
    /// RFC 2920.
    pub(super) pipelining: bool,
    /// RFC 6152.
    pub(super) eight_bit: bool,
    /// RFC 6531.
    pub(super) utf8: bool,
    /// RFC 3461.
    pub(super) dsn: bool,
    /// RFC 3030: BDAT.
    pub(super) chunking: bool,
    /// RFC 3030: BODY=BINARYMIME.
    pub(super) binary: bool,
    /// RFC 8689.
    pub(super) require_tls: bool,
    /// RFC 1870: the size of the largest letter in bytes; 0 where there is no fixed one.
    pub(super) size: Option<u64>,
    /// RFC 4954: the mechanism of those named that is used here.
    pub(super) mechanism: Option<Mechanism>,
    /// RFC 9422 RCPTMAX: RCPT commands of one letter.
    pub(super) recipients_max: Option<usize>,
    /// RFC 9422 MAILMAX: MAIL commands of one connection.
    pub(super) letters_max: Option<usize>,
}

impl Extensions {
    /// Reads the reply to EHLO. Its first line is the server's name. What is not known is passed over.
    pub(super) fn read(reply: &RawReply) -> Self {
        let mut extensions = Self::default();
        for line in reply.lines().skip(1) {
            extensions.add(line);
        }
        extensions
    }

    fn add(&mut self, line: &[u8]) {
        let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        let keyword = words.next().unwrap_or_default();
        // RFC 5321 §4.1.1.1: case does not count.
        let is = |name: &str| keyword.eq_ignore_ascii_case(name.as_bytes());
        match () {
            () if is("STARTTLS") => self.starttls = true,
            () if is("PIPELINING") => self.pipelining = true,
            () if is("8BITMIME") => self.eight_bit = true,
            () if is("SMTPUTF8") => self.utf8 = true,
            () if is("DSN") => self.dsn = true,
            () if is("CHUNKING") => self.chunking = true,
            () if is("BINARYMIME") => self.binary = true,
            () if is("REQUIRETLS") => self.require_tls = true,
            // RFC 1870 §4: without a number as with 0, there is no fixed limit.
            () if is("SIZE") => self.size = Some(words.next().and_then(number).unwrap_or(0)),
            () if is("AUTH") => words.filter_map(usable).for_each(|mechanism| self.offer(mechanism)),
            () if is("LIMITS") => words.for_each(|limit| self.limit(limit)),
            () => {}
        }
    }

    /// The first in the order of preference: SCRAM does not give the password away; PLAIN is a standard and one round less
    /// than LOGIN.
    fn offer(&mut self, mechanism: Mechanism) {
        let rank = |mechanism: Mechanism| USABLE.iter().position(|usable| *usable == mechanism);
        if self.mechanism.is_none_or(|best| rank(mechanism) < rank(best)) {
            self.mechanism = Some(mechanism);
        }
    }

    /// RFC 9422 §3: `NAME=value`. A limit of nothing at all is none.
    fn limit(&mut self, limit: &[u8]) {
        let Some(equals) = limit.iter().position(|byte| *byte == b'=') else { return };
        let (name, value) = (limit.get(..equals), limit.get(equals + 1..));
        let value = value.and_then(number).and_then(|value| usize::try_from(value).ok());
        let (Some(name), Some(value @ 1..)) = (name, value) else { return };
        if name.eq_ignore_ascii_case(b"RCPTMAX") {
            self.recipients_max = Some(value);
        } else if name.eq_ignore_ascii_case(b"MAILMAX") {
            self.letters_max = Some(value);
        }
    }

    /// Why `job` cannot be sent to this server at all. `verified` says whether TLS is as REQUIRETLS wants it.
    pub(super) fn refuses(&self, job: &Job, verified: bool) -> Option<Own> {
        // RFC 8689 §5: a report, which has nothing of the letter but its header, is not dropped for it.
        let is_report = job.reverse_path.is_none();
        if job.require_tls && !is_report && !(verified && self.require_tls) {
            return Some(Own::NeedsRequireTls);
        }
        if job.needs_utf8() && !self.utf8 {
            return Some(Own::NeedsUtf8);
        }
        match job.body {
            Body::EightBit if !self.eight_bit => return Some(Own::NeedsEightBit),
            Body::Binary if !(self.binary && self.chunking) => return Some(Own::NeedsBinary),
            _ => {}
        }
        self.size.filter(|max| (1..job.size()).contains(max)).map(|_| Own::TooLarge)
    }
}

/// What this side can log in with, in the order of preference. It binds to no channel: SCRAM with `-PLUS` is not for it.
const USABLE: [Mechanism; 3] = [Mechanism::ScramSha256, Mechanism::Plain, Mechanism::Login];

/// The mechanism of this name, if this side can log in with it.
fn usable(name: &[u8]) -> Option<Mechanism> {
    USABLE.into_iter().find(|mechanism| mechanism.name().as_bytes().eq_ignore_ascii_case(name))
}

/// A number; one too great to be one is the greatest (RFC 1870 §4 allows 20 digits).
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let add = |number: u64, digit: &u8| number.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    is_number.then(|| digits.iter().fold(0, add))
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::{super::reply::Replies, *};
    use crate::Input;

    fn read(lines: &[&str]) -> Extensions {
        let (last, before) = lines.split_last().unwrap();
        let mut bytes: Vec<u8> =
            before.iter().flat_map(|line| [b"250-", line.as_bytes(), b"\r\n"].concat()).collect();
        bytes.extend([b"250 ", last.as_bytes(), b"\r\n"].concat());
        let reply = Replies::new().next(&mut Input::new(&bytes)).unwrap().unwrap();
        Extensions::read(&reply)
    }

    #[test]
    fn extensions_are_read_in_any_case() {
        let extensions = read(&[
            "mx.test says STARTTLS",
            "pipelining",
            "Size 1000",
            "8BITMIME",
            "SMTPUTF8",
            "DSN",
            "CHUNKING",
            "BINARYMIME",
            "REQUIRETLS",
            "AUTH LOGIN PLAIN CRAM-MD5",
            "LIMITS RCPTMAX=20 mailmax=5 RCPTDOMAINMAX=1",
            "X-NOBODY-KNOWS=this \0\x07",
        ]);
        let known = Extensions {
            starttls: false,
            pipelining: true,
            eight_bit: true,
            utf8: true,
            dsn: true,
            chunking: true,
            binary: true,
            require_tls: true,
            size: Some(1000),
            mechanism: Some(Mechanism::Plain),
            recipients_max: Some(20),
            letters_max: Some(5),
        };
        assert_eq!(extensions, known);
        assert_eq!(read(&["PIPELINING"]), Extensions::default());
    }

    #[test]
    fn sizes_and_limits_that_are_none_limit_nothing() {
        for (line, size) in [
            ("SIZE", 0),
            ("SIZE 0", 0),
            ("SIZE many", 0),
            ("SIZE -1", 0),
            ("SIZE 99999999999999999999", u64::MAX),
        ] {
            assert_eq!(read(&["mx", line]).size, Some(size), "{line}");
        }
        for line in ["LIMITS", "LIMITS RCPTMAX", "LIMITS RCPTMAX=", "LIMITS RCPTMAX=0", "LIMITS RCPTMAX=x"] {
            assert_eq!(read(&["mx", line]), Extensions::default(), "{line}");
        }
    }

    #[test]
    fn the_mechanism_is_one_that_is_known() {
        for (line, mechanism) in [
            ("AUTH LOGIN", Some(Mechanism::Login)),
            ("AUTH PLAIN LOGIN", Some(Mechanism::Plain)),
            ("AUTH LOGIN PLAIN", Some(Mechanism::Plain)),
            ("AUTH GSSAPI", None),
            ("AUTH", None),
        ] {
            assert_eq!(read(&["mx", line]).mechanism, mechanism, "{line}");
        }
    }
}
