//! An IMAP client (RFC 3501) that says exactly what it is told, reads literals whole and shows every response.

use super::wire::Wire;
use crate::site::{Account, Service, Site};
use std::io::{self, Error, ErrorKind};
use std::time::{Duration, Instant};

/// One untagged response.
#[derive(Debug, Clone, Default)]
pub struct Untagged {
    /// Its text behind `* `; each literal stands as `{size}` only.
    pub text: String,
    /// The literals in it, in order.
    pub literals: Vec<Vec<u8>>,
}

/// What a command was answered.
#[derive(Debug)]
pub struct Answer {
    /// `OK`, `NO` or `BAD`.
    pub status: String,
    /// The text behind the status.
    pub text: String,
    /// The untagged responses before it.
    pub untagged: Vec<Untagged>,
}

/// A connection behind its greeting.
pub struct Imap {
    /// The connection itself, for what no client would say.
    pub wire: Wire,
    tags: u32,
}

impl Imap {
    /// Connects and reads the greeting.
    ///
    /// # Errors
    /// Those of the connection; a greeting that is not OK.
    pub fn try_connect(site: &Site, service: Service) -> io::Result<Self> {
        let mut imap = Self { wire: Wire::connect(site, service)?, tags: 0 };
        let greeting = imap.untagged()?;
        if greeting.text.starts_with("OK") {
            Ok(imap)
        } else {
            Err(Error::new(ErrorKind::ConnectionRefused, greeting.text))
        }
    }

    /// Connects and logs in, TLS from the start.
    ///
    /// # Errors
    /// Those of the connection; a refused log-in.
    pub fn try_log_in(site: &Site, account: &Account) -> io::Result<Self> {
        let mut imap = Self::try_connect(site, Service::Imaps)?;
        let answer =
            imap.try_command(&format!("LOGIN {} {}", quoted(&account.address), quoted(&account.password)))?;
        if answer.status == "OK" {
            Ok(imap)
        } else {
            Err(Error::new(ErrorKind::PermissionDenied, answer.text))
        }
    }

    /// As [`Self::try_log_in`].
    #[track_caller]
    pub fn log_in(site: &Site, account: &Account) -> Self {
        Self::try_log_in(site, account).unwrap_or_else(|error| panic!("{}: {error}", account.address))
    }

    /// Logged in, with a mailbox selected.
    #[track_caller]
    pub fn select(site: &Site, account: &Account, mailbox: &str) -> Self {
        let mut imap = Self::log_in(site, account);
        imap.ok(&format!("SELECT {mailbox}"));
        imap
    }

    /// Sends a command without waiting for its answer; gives its tag.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn start(&mut self, command: &str) -> io::Result<String> {
        self.tags += 1;
        let tag = format!("t{}", self.tags);
        self.wire.send(format!("{tag} {command}\r\n").as_bytes())?;
        Ok(tag)
    }

    /// Reads up to the tagged response of that command.
    ///
    /// # Errors
    /// Those of the connection; `InvalidData` for what is not a response.
    pub fn answer(&mut self, tag: &str) -> io::Result<Answer> {
        let mut untagged = Vec::new();
        loop {
            let (mut line, literals) = self.response()?;
            if line.starts_with("* ") {
                line.drain(..2);
                untagged.push(Untagged { text: line, literals });
            } else if let Some(rest) = line.strip_prefix(tag).and_then(|rest| rest.strip_prefix(' ')) {
                let (status, text) = rest.split_once(' ').unwrap_or((rest, ""));
                return Ok(Answer { status: status.to_owned(), text: text.to_owned(), untagged });
            } else if !line.starts_with('+') {
                return Err(Error::new(ErrorKind::InvalidData, line));
            }
        }
    }

    /// Sends a command and reads its answer.
    ///
    /// # Errors
    /// As [`Self::answer`].
    pub fn try_command(&mut self, command: &str) -> io::Result<Answer> {
        let tag = self.start(command)?;
        self.answer(&tag)
    }

    /// Sends a command and gives its answer, whatever it is.
    #[track_caller]
    pub fn command(&mut self, command: &str) -> Answer {
        match self.try_command(command) {
            Ok(answer) => answer,
            Err(error) => panic!("`{command}`: {error}\n{}", self.wire.dialogue()),
        }
    }

    /// Sends a command that must succeed; gives its untagged responses.
    #[track_caller]
    pub fn ok(&mut self, command: &str) -> Vec<Untagged> {
        let answer = self.command(command);
        assert!(answer.status == "OK", "not OK:\n{}", self.wire.dialogue());
        answer.untagged
    }

    /// Sends a command that must be answered with this status; gives its text.
    #[track_caller]
    pub fn refused(&mut self, status: &str, command: &str) -> String {
        let answer = self.command(command);
        assert!(answer.status == status, "not {status}:\n{}", self.wire.dialogue());
        answer.text
    }

    /// Appends a letter with a synchronizing literal; `flags` with their parentheses, or nothing.
    ///
    /// # Errors
    /// As [`Self::answer`].
    pub fn try_append(&mut self, mailbox: &str, flags: &str, letter: &[u8]) -> io::Result<Answer> {
        let tag = self.start(&format!("APPEND {mailbox} {flags}{{{}}}", letter.len()))?;
        loop {
            let (line, _) = self.response()?;
            if line.starts_with('+') {
                break;
            }
            if let Some(rest) = line.strip_prefix(&tag) {
                let (status, text) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
                return Ok(Answer { status: status.to_owned(), text: text.to_owned(), untagged: Vec::new() });
            }
        }
        self.wire.send(letter)?;
        self.wire.send(b"\r\n")?;
        self.answer(&tag)
    }

    /// Appends a letter that must be accepted.
    #[track_caller]
    pub fn append(&mut self, mailbox: &str, flags: &str, letter: &[u8]) {
        match self.try_append(mailbox, flags, letter) {
            Ok(answer) if answer.status == "OK" => {}
            Ok(answer) => panic!("APPEND: {} {}", answer.status, answer.text),
            Err(error) => panic!("APPEND: {error}\n{}", self.wire.dialogue()),
        }
    }

    /// The UIDs in the selected mailbox.
    #[track_caller]
    pub fn uids(&mut self) -> Vec<u32> {
        let responses = self.ok("UID SEARCH ALL");
        let found =
            responses.iter().find_map(|response| response.text.strip_prefix("SEARCH")).unwrap_or_default();
        found.split_whitespace().map(|uid| uid.parse().expect("SEARCH gives numbers")).collect()
    }

    /// A whole letter of the selected mailbox, left unseen.
    #[track_caller]
    pub fn letter(&mut self, uid: u32) -> Vec<u8> {
        let responses = self.ok(&format!("UID FETCH {uid} BODY.PEEK[]"));
        let literal = responses.into_iter().find_map(|response| response.literals.into_iter().next());
        literal.unwrap_or_else(|| panic!("no letter {uid}:\n{}", self.wire.dialogue()))
    }

    /// Waits for an untagged response that contains these words.
    #[track_caller]
    pub fn wait_for(&mut self, words: &str, limit: Duration) -> Untagged {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.wire.set_limit(left).expect("a time limit can be set");
            match self.untagged() {
                Ok(response) if response.text.contains(words) => return response,
                Ok(_) => {}
                Err(error) => panic!("waiting for `{words}`: {error}\n{}", self.wire.dialogue()),
            }
        }
    }

    /// Begins to IDLE (RFC 2177); gives the tag to wait for behind `DONE`.
    #[track_caller]
    pub fn idle(&mut self) -> String {
        let tag = self.start("IDLE").expect("the connection is open");
        loop {
            match self.response() {
                Ok((line, _)) if line.starts_with('+') => return tag,
                Ok((line, _)) if line.starts_with("* ") => {}
                other => panic!("IDLE: {other:?}\n{}", self.wire.dialogue()),
            }
        }
    }

    /// Ends IDLE.
    #[track_caller]
    pub fn done(&mut self, tag: &str) {
        self.wire.send(b"DONE\r\n").expect("the connection is open");
        let answer =
            self.answer(tag).unwrap_or_else(|error| panic!("DONE: {error}\n{}", self.wire.dialogue()));
        assert!(answer.status == "OK", "DONE:\n{}", self.wire.dialogue());
    }

    fn untagged(&mut self) -> io::Result<Untagged> {
        let (line, literals) = self.response()?;
        match line.strip_prefix("* ") {
            Some(text) => Ok(Untagged { text: text.to_owned(), literals }),
            None => Err(Error::new(ErrorKind::InvalidData, line)),
        }
    }

    /// One response: its lines joined, its literals taken out.
    fn response(&mut self) -> io::Result<(String, Vec<Vec<u8>>)> {
        let mut text = String::new();
        let mut literals = Vec::new();
        loop {
            text.push_str(&String::from_utf8_lossy(&self.wire.line()?));
            let Some(size) = literal_size(&text) else { return Ok((text, literals)) };
            literals.push(self.wire.block(size)?);
        }
    }
}

/// The size at the end of a line that a literal follows.
fn literal_size(line: &str) -> Option<usize> {
    line.strip_suffix('}')?.rsplit_once('{')?.1.parse().ok()
}

/// A quoted string (RFC 3501 §9); 8-bit text passes as it is.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
