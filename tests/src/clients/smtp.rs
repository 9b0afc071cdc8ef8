//! An SMTP client (RFC 5321) that says exactly what it is told and shows every reply.

use super::wire::Wire;
use crate::site::{Account, Service, Site};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io::{self, Error, ErrorKind};

/// One reply, with all its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Three digits.
    pub code: u16,
    /// The text behind the code, line by line.
    pub lines: Vec<String>,
}

impl Reply {
    /// True for 2yz.
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// The lines as one text.
    pub fn text(&self) -> String {
        self.lines.join(" ")
    }
}

/// A connection behind its greeting.
pub struct Smtp {
    /// The connection itself, for what no client would say.
    pub wire: Wire,
}

impl Smtp {
    /// Connects and reads the greeting.
    ///
    /// # Errors
    /// Those of the connection; a greeting that is not 220.
    pub fn try_connect(site: &Site, service: Service) -> io::Result<Self> {
        let mut smtp = Self { wire: Wire::connect(site, service)? };
        match smtp.reply()? {
            Reply { code: 220, .. } => Ok(smtp),
            reply => {
                Err(Error::new(ErrorKind::ConnectionRefused, format!("{} {}", reply.code, reply.text())))
            }
        }
    }

    /// Connects, reads the greeting and says EHLO.
    #[track_caller]
    pub fn connect(site: &Site, service: Service) -> Self {
        let mut smtp =
            Self::try_connect(site, service).unwrap_or_else(|error| panic!("{service:?}: {error}"));
        smtp.expect(250, "EHLO client.test");
        smtp
    }

    /// As [`Self::connect`], then STARTTLS and EHLO again.
    #[track_caller]
    pub fn connect_tls(site: &Site, service: Service) -> Self {
        let mut smtp = Self::connect(site, service);
        smtp.expect(220, "STARTTLS");
        smtp.wire = smtp.wire.into_tls(site).unwrap_or_else(|error| panic!("STARTTLS: {error}"));
        smtp.expect(250, "EHLO client.test");
        smtp
    }

    /// A submission connection that is logged in.
    #[track_caller]
    pub fn log_in(site: &Site, account: &Account) -> Self {
        let mut smtp = Self::connect(site, Service::Submissions);
        let line = auth_plain(account);
        smtp.expect(235, &line);
        smtp
    }

    /// Reads one reply.
    ///
    /// # Errors
    /// Those of the connection; `InvalidData` for what is not a reply.
    pub fn reply(&mut self) -> io::Result<Reply> {
        let mut lines = Vec::new();
        loop {
            let line = String::from_utf8(self.wire.line()?).map_err(|_| ErrorKind::InvalidData)?;
            let code = line.get(..3).and_then(|code| code.parse().ok()).ok_or(ErrorKind::InvalidData)?;
            lines.push(line.get(4..).unwrap_or_default().to_owned());
            match line.as_bytes().get(3) {
                Some(b'-') => {}
                Some(b' ') | None => return Ok(Reply { code, lines }),
                Some(_) => return Err(ErrorKind::InvalidData.into()),
            }
        }
    }

    /// Sends a command line and reads its reply.
    ///
    /// # Errors
    /// As [`Self::reply`].
    pub fn try_command(&mut self, line: &str) -> io::Result<Reply> {
        self.wire.send(format!("{line}\r\n").as_bytes())?;
        self.reply()
    }

    /// Sends a command line and gives its reply, whatever it is.
    #[track_caller]
    pub fn command(&mut self, line: &str) -> Reply {
        match self.try_command(line) {
            Ok(reply) => reply,
            Err(error) => panic!("`{line}`: {error}\n{}", self.wire.dialogue()),
        }
    }

    /// Sends a command line whose reply must have this code.
    #[track_caller]
    pub fn expect(&mut self, code: u16, line: &str) -> Reply {
        let reply = self.command(line);
        assert!(reply.code == code, "not {code}:\n{}", self.wire.dialogue());
        reply
    }

    /// Sends a letter to these recipients and gives the reply to its end, or the first refusal.
    ///
    /// # Errors
    /// As [`Self::reply`].
    pub fn try_letter(&mut self, from: &str, to: &[&str], letter: &[u8]) -> io::Result<Reply> {
        let reply = self.try_command(&format!("MAIL FROM:<{from}> BODY=8BITMIME"))?;
        if !reply.is_positive() {
            return Ok(reply);
        }
        for recipient in to {
            let reply = self.try_command(&format!("RCPT TO:<{recipient}>"))?;
            if !reply.is_positive() {
                return Ok(reply);
            }
        }
        let reply = self.try_command("DATA")?;
        if reply.code != 354 {
            return Ok(reply);
        }
        self.wire.send(&stuffed(letter))?;
        self.reply()
    }

    /// Sends a letter that must be accepted.
    #[track_caller]
    pub fn letter(&mut self, from: &str, to: &[&str], letter: &[u8]) {
        match self.try_letter(from, to, letter) {
            Ok(reply) if reply.code == 250 => {}
            Ok(reply) => {
                panic!("letter refused with {} {}:\n{}", reply.code, reply.text(), self.wire.dialogue())
            }
            Err(error) => panic!("{error}\n{}", self.wire.dialogue()),
        }
    }
}

/// The letter as it travels: dots doubled (RFC 5321 §4.5.2), the final dot behind it.
pub fn stuffed(letter: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(letter.len() + 64);
    for line in letter.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            bytes.push(b'.');
        }
        bytes.extend_from_slice(line);
    }
    if !bytes.is_empty() && !bytes.ends_with(b"\r\n") {
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b".\r\n");
    bytes
}

/// `AUTH PLAIN` with its initial response (RFC 4616).
pub fn auth_plain(account: &Account) -> String {
    format!("AUTH PLAIN {}", STANDARD.encode(format!("\0{}\0{}", account.address, account.password)))
}
