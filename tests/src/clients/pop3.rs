//! A POP3 client (RFC 1939) that says exactly what it is told and shows every reply.

use super::wire::Wire;
use crate::site::{Account, Service, Site};
use std::io::{self, Error, ErrorKind};

/// A connection behind its greeting.
pub struct Pop3 {
    /// The connection itself, for what no client would say.
    pub wire: Wire,
}

impl Pop3 {
    /// Connects and reads the greeting.
    ///
    /// # Errors
    /// Those of the connection; a greeting that is not +OK.
    pub fn try_connect(site: &Site, service: Service) -> io::Result<Self> {
        let mut pop3 = Self { wire: Wire::connect(site, service)? };
        let greeting = pop3.reply()?;
        if greeting.starts_with("+OK") {
            Ok(pop3)
        } else {
            Err(Error::new(ErrorKind::ConnectionRefused, greeting))
        }
    }

    /// Connects and logs in, TLS from the start.
    #[track_caller]
    pub fn log_in(site: &Site, account: &Account) -> Self {
        let mut pop3 =
            Self::try_connect(site, Service::Pop3s).unwrap_or_else(|error| panic!("POP3S: {error}"));
        pop3.ok(&format!("USER {}", account.address));
        pop3.ok(&format!("PASS {}", account.password));
        pop3
    }

    /// Reads one reply line.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn reply(&mut self) -> io::Result<String> {
        String::from_utf8(self.wire.line()?).map_err(|_| ErrorKind::InvalidData.into())
    }

    /// Sends a command and reads its reply line.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn try_command(&mut self, command: &str) -> io::Result<String> {
        self.wire.send(format!("{command}\r\n").as_bytes())?;
        self.reply()
    }

    /// Sends a command and gives its reply line, whatever it is.
    #[track_caller]
    pub fn command(&mut self, command: &str) -> String {
        match self.try_command(command) {
            Ok(reply) => reply,
            Err(error) => panic!("`{command}`: {error}\n{}", self.wire.dialogue()),
        }
    }

    /// Sends a command that must succeed.
    #[track_caller]
    pub fn ok(&mut self, command: &str) -> String {
        let reply = self.command(command);
        assert!(reply.starts_with("+OK"), "not +OK:\n{}", self.wire.dialogue());
        reply
    }

    /// Sends a command that must be refused.
    #[track_caller]
    pub fn refused(&mut self, command: &str) -> String {
        let reply = self.command(command);
        assert!(reply.starts_with("-ERR"), "not -ERR:\n{}", self.wire.dialogue());
        reply
    }

    /// Sends a command that is answered by many lines; gives them with their CRLFs, dots undone (RFC 1939 §3).
    #[track_caller]
    pub fn many(&mut self, command: &str) -> Vec<u8> {
        self.ok(command);
        let mut bytes = Vec::new();
        loop {
            match self.wire.line() {
                Ok(line) if line == b"." => return bytes,
                Ok(line) => {
                    bytes.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
                    bytes.extend_from_slice(b"\r\n");
                }
                Err(error) => panic!("`{command}`: {error}\n{}", self.wire.dialogue()),
            }
        }
    }

    /// The numbers of the letters, in order.
    #[track_caller]
    pub fn numbers(&mut self) -> Vec<u32> {
        let listing = String::from_utf8(self.many("LIST")).expect("LIST is text");
        let first = |line: &str| line.split(' ').next().and_then(|number| number.parse().ok());
        listing.lines().map(|line| first(line).expect("LIST gives numbers")).collect()
    }
}
