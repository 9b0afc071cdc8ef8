//! One connection of the odd server: the dialogue as RFC 5321 has it, but for what the plan says.

use super::{Deed, Shared, Stage, Taken};
use rustls::{ServerConnection, StreamOwned};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

/// How often a connection that is waited on is looked at, to see the end of the server.
const POLL: Duration = Duration::from_millis(50);

/// A command line; what is longer ends the connection.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// A letter; what is longer ends the connection.
const LETTER_BYTES_MAX: usize = 64 << 20;

/// How much of a letter comes before the plan's "mid-letter".
const MID_LETTER_BYTES: usize = 200;

/// How much of a reply without end is said before the client must have gone.
const ENDLESS_BYTES_MAX: usize = 64 << 20;

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

struct Session<'a> {
    shared: &'a Shared,
    number: usize,
    stream: Option<Stream>,
    pending: Vec<u8>,
    odd: Option<(Stage, Deed)>,
    mail: String,
    recipients: Vec<String>,
}

/// Why a connection ends.
fn over() -> io::Error {
    ErrorKind::ConnectionAborted.into()
}

/// Serves a client to the end of its connection.
pub(super) fn serve(stream: TcpStream, number: usize, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(POLL))?;
    stream.set_nodelay(true)?;
    let mut session = Session {
        shared,
        number,
        stream: Some(Stream::Plain(stream)),
        pending: Vec::new(),
        odd: shared.oddity(number),
        mail: String::new(),
        recipients: Vec::new(),
    };
    if shared.plan.implicit_tls {
        session.start_tls()?;
    }
    session.answer(Stage::Greeting, "220 odd.test ESMTP")?;
    while session.command()? {}
    Ok(())
}

impl Session<'_> {
    /// One command; false when the client has said its farewell.
    fn command(&mut self) -> io::Result<bool> {
        let line = self.line()?;
        self.shared.note_command(&line);
        let verb = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" | "HELO" => {
                self.reset();
                let reply = self.ehlo();
                self.answer(Stage::Ehlo, &reply)?;
            }
            "STARTTLS" => {
                if self.answer(Stage::StartTls, "220 2.0.0 Go on")? {
                    self.start_tls()?;
                }
            }
            "MAIL" => {
                let accepted = self.answer(Stage::Mail, "250 2.1.0 Ok")?;
                self.mail = line.get(10..).filter(|_| accepted).unwrap_or_default().to_owned();
            }
            "RCPT" => self.recipient(line.get(8..).unwrap_or_default())?,
            "DATA" => {
                if self.recipients.is_empty() {
                    self.send(b"503 5.5.1 No recipients\r\n")?;
                } else if self.answer(Stage::Data, "354 Go on")? {
                    self.letter()?;
                }
            }
            "RSET" => {
                self.reset();
                self.send(b"250 2.0.0 Ok\r\n")?;
            }
            "NOOP" => self.send(b"250 2.0.0 Ok\r\n")?,
            "QUIT" => {
                self.answer(Stage::Quit, "221 2.0.0 Bye")?;
                return Ok(false);
            }
            _ => self.send(b"502 5.5.1 Not known here\r\n")?,
        }
        Ok(true)
    }

    fn reset(&mut self) {
        self.mail.clear();
        self.recipients.clear();
    }

    fn ehlo(&self) -> String {
        let mut lines = vec!["odd.test".to_owned()];
        lines.extend(self.shared.plan.keywords.iter().cloned());
        if self.shared.tls.is_some() && !self.is_tls() {
            lines.push("STARTTLS".to_owned());
        }
        let last = lines.len() - 1;
        let lines = lines.iter().enumerate();
        lines
            .map(|(number, line)| format!("250{}{line}", if number == last { " " } else { "-" }))
            .collect::<Vec<_>>()
            .join("\r\n")
    }

    fn recipient(&mut self, argument: &str) -> io::Result<()> {
        if let Some(answer) = self.shared.answer_to_rcpt(path_in(argument)) {
            return self.send(format!("{answer}\r\n").as_bytes());
        }
        if self.answer(Stage::Rcpt, "250 2.1.5 Ok")? {
            self.recipients.push(argument.to_owned());
        }
        Ok(())
    }

    /// Reads a letter up to its final dot and answers.
    fn letter(&mut self) -> io::Result<()> {
        if self.odd.as_ref().is_some_and(|(stage, _)| *stage == Stage::MidLetter) {
            while self.pending.len() < MID_LETTER_BYTES {
                self.fill()?;
            }
            self.answer(Stage::MidLetter, "")?;
            return Err(over());
        }
        let mut letter = Vec::new();
        loop {
            let mut line = self.raw_line()?;
            if line == b".\r\n" {
                break;
            }
            if line.starts_with(b".") {
                line.remove(0);
            }
            letter.extend_from_slice(&line);
            if letter.len() > LETTER_BYTES_MAX {
                return Err(over());
            }
        }
        let mut taken = Taken {
            mail: std::mem::take(&mut self.mail),
            recipients: std::mem::take(&mut self.recipients),
            letter,
            accepted: false,
            tls: self.is_tls(),
            connection: self.number,
        };
        // It counts whether or not a reply goes out: it is there when the client reads that.
        let refuses = self.odd.as_ref().is_some_and(|(stage, deed)| *stage == Stage::Dot && !is_yes(deed));
        let whim = self.shared.answer_to_letter(taken.recipients.iter().map(|argument| path_in(argument)));
        taken.accepted = !refuses && whim.is_none();
        self.shared.note_letter(taken);
        if let Some(whim) = whim {
            return self.send(format!("{whim}\r\n").as_bytes());
        }
        self.answer(Stage::Dot, "250 2.0.0 Taken")?;
        Ok(())
    }

    /// Answers as is right, or as the plan has it; whether that was a yes.
    fn answer(&mut self, stage: Stage, right: &str) -> io::Result<bool> {
        let deed = match &self.odd {
            Some((odd, deed)) if *odd == stage => deed.clone(),
            _ => {
                self.send(format!("{right}\r\n").as_bytes())?;
                return Ok(true);
            }
        };
        match &deed {
            Deed::Close => return Err(over()),
            Deed::Say(bytes) => self.send(bytes)?,
            Deed::Slowly(pause) => {
                let code = right.get(..3).unwrap_or_default();
                for byte in format!("{code}-one\r\n{code}-two\r\n{right}\r\n").bytes() {
                    self.send(&[byte])?;
                    thread::sleep(*pause);
                }
            }
            Deed::NeverEnd => self.endless(b"250-and so on ")?,
            Deed::LinesForever => self.endless(b"250-and so on\r\n")?,
            Deed::Silence => self.wait_for_the_end()?,
        }
        Ok(is_yes(&deed))
    }

    fn endless(&mut self, words: &[u8]) -> io::Result<()> {
        let many = words.repeat(100);
        for _ in 0..ENDLESS_BYTES_MAX / many.len() {
            self.send(&many)?;
        }
        Err(over())
    }

    fn wait_for_the_end(&mut self) -> io::Result<()> {
        loop {
            self.pending.clear();
            self.fill()?;
        }
    }

    fn is_tls(&self) -> bool {
        matches!(self.stream, Some(Stream::Tls(_)))
    }

    fn start_tls(&mut self) -> io::Result<()> {
        let (Some(Stream::Plain(mut socket)), Some(config)) = (self.stream.take(), &self.shared.tls) else {
            return Err(over());
        };
        let mut connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            match connection.complete_io(&mut socket) {
                Ok(_) => {}
                Err(error) if is_pause(&error) && !self.shared.is_over() => {}
                Err(error) => return Err(error),
            }
        }
        self.pending.clear();
        self.stream = Some(Stream::Tls(Box::new(StreamOwned::new(connection, socket))));
        Ok(())
    }

    fn line(&mut self) -> io::Result<String> {
        let line = self.raw_line()?;
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    /// A line with its end.
    fn raw_line(&mut self) -> io::Result<Vec<u8>> {
        let mut searched = 0;
        loop {
            if let Some(end) = self.pending[searched..].iter().position(|byte| *byte == b'\n') {
                return Ok(self.pending.drain(..=searched + end).collect());
            }
            searched = self.pending.len();
            if searched > LINE_BYTES_MAX {
                return Err(over());
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        loop {
            let read = match self.stream.as_mut().ok_or_else(over)? {
                Stream::Plain(stream) => stream.read(&mut buffer),
                Stream::Tls(stream) => stream.read(&mut buffer),
            };
            match read {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(size) => {
                    self.pending.extend_from_slice(&buffer[..size]);
                    return Ok(());
                }
                Err(error) if is_pause(&error) && !self.shared.is_over() => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.stream.as_mut().ok_or_else(over)? {
            Stream::Plain(stream) => stream.write_all(bytes),
            Stream::Tls(stream) => {
                stream.write_all(bytes)?;
                stream.flush()
            }
        }
    }
}

/// The path in what stands behind `RCPT TO:`.
fn path_in(argument: &str) -> &str {
    argument.split(['<', '>']).nth(1).unwrap_or_default()
}

/// Whether the deed ends in a yes.
fn is_yes(deed: &Deed) -> bool {
    match deed {
        Deed::Say(bytes) => matches!(bytes.first(), Some(b'2' | b'3')),
        Deed::Slowly(_) => true,
        Deed::Close | Deed::NeverEnd | Deed::LinesForever | Deed::Silence => false,
    }
}

fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
