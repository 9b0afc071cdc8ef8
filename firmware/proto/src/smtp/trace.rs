//! The lines that are put before a letter: Return-Path and Received (RFC 5321 §4.4); and the letter's number, of which
//! its Message-ID is made where it has none.

use alloc::{format, string::String, vec::Vec};
use core::fmt::{self, Write as _};
use core::net::IpAddr;

use mail::{Address, Now};

use super::limits::{CLIENT_NAME_BYTES_MAX, TRACE_BYTES_MAX};
use crate::mime::Date;

/// What a letter's trace tells.
#[derive(Debug)]
pub(super) struct Trace<'a> {
    /// Reverse-path; `None` for the null one.
    pub(super) sender: Option<&'a Address>,
    /// The recipient, if there is exactly one: others must not learn of one another.
    pub(super) only_recipient: Option<&'a Address>,
    /// What the client called itself, if that is a name; see [`client_name`].
    pub(super) client: Option<&'a str>,
    /// The client's address.
    pub(super) ip: IpAddr,
    /// This host.
    pub(super) hostname: &'a str,
    /// How the letter came.
    pub(super) protocol: Protocol,
    /// The letter's number.
    pub(super) id: &'a str,
    /// When it came.
    pub(super) date: Date,
}

/// How a letter came: the keyword behind `with`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Protocol {
    /// EHLO, not HELO.
    pub(super) extended: bool,
    /// SMTPUTF8 was asked for.
    pub(super) utf8: bool,
    /// With TLS.
    pub(super) secure: bool,
    /// Logged in.
    pub(super) authenticated: bool,
}

impl Trace<'_> {
    /// The lines. Nothing in them is folded within an address or a name, so that their bytes stay what they were.
    pub(super) fn lines(&self) -> Vec<u8> {
        let mut text = String::with_capacity(TRACE_BYTES_MAX / 4);
        // Writing to a String does not fail.
        let _ = self.write(&mut text);
        debug_assert!(text.len() <= TRACE_BYTES_MAX, "the trace is longer than its limit says");
        text.into_bytes()
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        let sender = self.sender.map_or("", Address::as_str);
        let ip = Literal(self.ip);
        write!(out, "Return-Path: <{sender}>\r\nReceived: from ")?;
        match self.client {
            Some(name) => write!(out, "{name} ({ip})\r\n")?,
            None => write!(out, "{ip} ({ip})\r\n")?,
        }
        write!(out, "\tby {} (Tegami) with {} id {}", self.hostname, self.protocol, self.id)?;
        if let Some(recipient) = self.only_recipient {
            write!(out, "\r\n\tfor <{recipient}>")?;
        }
        write!(out, ";\r\n\t{}\r\n", self.date)
    }
}

impl fmt::Display for Protocol {
    /// RFC 3848, RFC 6531 §4.3. Without EHLO there is neither TLS nor a log-in in any of the registered keywords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.extended {
            return f.write_str("SMTP");
        }
        f.write_str(if self.utf8 { "UTF8SMTP" } else { "ESMTP" })?;
        f.write_str(if self.secure { "S" } else { "" })?;
        f.write_str(if self.authenticated { "A" } else { "" })
    }
}

/// An address as RFC 5321 §4.1.3 writes it.
#[derive(Clone, Copy, Debug)]
struct Literal(IpAddr);

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(ip) => write!(f, "[{ip}]"),
            IpAddr::V6(ip) => write!(f, "[IPv6:{ip}]"),
        }
    }
}

/// What a client called itself, if that can stand in a header field. Devices and mail programs say all kinds of things
/// (a computer's name in Shift_JIS, a user's full name); RFC 5321 §4.1.4 forbids to turn them away for it.
pub(super) fn client_name(said: &[u8]) -> Option<String> {
    let fits =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'[' | b']' | b':');
    if said.len() > CLIENT_NAME_BYTES_MAX || !said.iter().all(fits) {
        return None;
    }
    core::str::from_utf8(said).ok().map(String::from)
}

/// A letter's number, as the client is told it and the log has it: when it came and which it was, in base32 (the
/// alphabet of Crockford, which leaves out letters that are misread).
pub(super) fn letter_id(now: Now, draft: u64) -> String {
    format!("{}-{}", Base32(now.unix.0.unsigned_abs()), Base32(draft))
}

/// An identifier that no other letter has (RFC 5322 §3.6.4), for one that has none: its number, and the milliseconds
/// of the clock that never goes back. Numbers begin anew with each start of the program, and without network a box
/// does not know that time has passed in between.
pub(super) fn message_id(letter_id: &str, now: Now, hostname: &str) -> String {
    format!("{letter_id}-{}@{hostname}", Base32(now.ticks.0))
}

struct Base32(u64);

impl fmt::Display for Base32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let digits = (u64::BITS - self.0.leading_zeros()).div_ceil(5).max(1);
        for digit in (0..digits).rev() {
            f.write_char(char::from(ALPHABET[(self.0 >> (5 * digit) & 31) as usize]))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use mail::{Ticks, UnixTime};

    use super::*;
    use crate::{
        smtp::{fields::Fields, header::Header},
        testing::NOW,
    };

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    #[test]
    fn keywords_are_the_registered_ones() {
        let keyword = |bits: u8| {
            let [extended, utf8, secure, authenticated] = [8, 4, 2, 1].map(|bit| bits & bit != 0);
            Protocol { extended, utf8, secure, authenticated }.to_string()
        };
        let expected =
            ["ESMTP", "ESMTPA", "ESMTPS", "ESMTPSA", "UTF8SMTP", "UTF8SMTPA", "UTF8SMTPS", "UTF8SMTPSA"];
        assert!((0..8).all(|bits| keyword(bits) == "SMTP"));
        assert!((8..16).map(keyword).eq(expected));
    }

    #[test]
    fn the_longest_lines_of_the_box_are_within_their_limit() {
        let longest = address(&format!("{}@{}", "a".repeat(64), "b".repeat(189)));
        let trace = Trace {
            sender: Some(&longest),
            only_recipient: Some(&longest),
            client: Some(&"c".repeat(CLIENT_NAME_BYTES_MAX)),
            ip: "2001:db8:1111:2222:3333:4444:5555:6666".parse().unwrap(),
            hostname: &"h".repeat(255),
            protocol: Protocol { extended: true, utf8: true, secure: true, authenticated: true },
            id: &letter_id(Now { unix: UnixTime(i64::MIN), ..NOW }, u64::MAX),
            date: Date { time: NOW.unix, zone_minutes: 540 },
        };
        let fields = Fields {
            date: trace.date,
            message_id: message_id(trace.id, Now { ticks: Ticks(u64::MAX), ..NOW }, trace.hostname),
        };
        let mut header = Header::new();
        header.feed(b"Subject: without an end");
        let lines = [trace.lines(), fields.lacking(&header)].concat();
        assert!(lines.len() <= TRACE_BYTES_MAX);
        // RFC 5322 §2.1.1.
        assert!(lines.split(|byte| *byte == b'\n').all(|line| line.len() <= 998));
    }

    #[test]
    fn names_that_could_break_a_header_are_not_used() {
        for (said, name) in [
            (&b"client.test"[..], Some("client.test")),
            (b"[192.0.2.7]", Some("[192.0.2.7]")),
            (b"[IPv6:2001:db8::1]", Some("[IPv6:2001:db8::1]")),
            (b"my_pc", Some("my_pc")),
            (b"a (b", None),
            (b"x;y", None),
            (b"\x93c\x92\x86PC", None),
        ] {
            assert_eq!(client_name(said).as_deref(), name);
        }
        assert_eq!(client_name(&[b'a'; 256]), None);
    }

    #[test]
    fn numbers_are_short_and_differ() {
        assert_eq!(letter_id(NOW, 0), "1NFFZJ5-0");
        assert_eq!(letter_id(NOW, 32), "1NFFZJ5-10");
        assert_eq!(message_id("1NFFZJ5-0", NOW, "mail.example.test"), "1NFFZJ5-0-YGJ0@mail.example.test");
        assert_eq!(Base32(u64::MAX).to_string(), "FZZZZZZZZZZZZ");
    }
}
