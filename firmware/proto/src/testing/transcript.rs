//! Transcripts: a conversation as text, played whole, byte by byte and in odd pieces, with the same outcome each time.
//!
//! ```text
//! # A remark. A blank line means nothing.
//! -- with tls              Before the first C or S line: settings for whoever opens the session.
//! C: NOOP                  The client sends this line and CRLF; lines that follow one another go out as one piece.
//! C= a\r\n\x00\{998 b}     The client sends these bytes; `\{count text}` repeats the text, `\s` is a blank.
//! S: 250 2.0.0 ok          The server says this line, and between two C lines nothing that is not here.
//! S~ 250 2.0.0 queued as * The same; each `*` stands for any text within the line.
//! S= +\s                   The server says these bytes.
//! -- tls                   TLS has just been started.
//! -- wait 300s             This much time passes.
//! -- closed                The session has closed the connection.
//! -- changed               The mailbox that the session watches has changed: it is called again.
//! -- holds alice@example.test 1   So many messages are in that INBOX.
//! -- sends <a@b> to c@d 7bit      Next in the outbound queue is this; see `testing::outbound`.
//! -- busy 2                Anything else is a switch of the fake mail (`FakeMail::direct`) or the test's own.
//! ```
//!
//! The session is the server as a rule; of a session that is the client, `C` lines are what it says and `S` lines what
//! it hears.

use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{Driver, FakeMail};
use crate::Session;

extern crate std;

/// What the `-- with` lines of a transcript say.
#[derive(Default)]
pub(crate) struct Settings(Vec<String>);

impl Settings {
    /// Whether `-- with word` was there.
    pub(crate) fn has(&self, word: &str) -> bool {
        self.0.iter().any(|said| said == word)
    }
}

/// How the bytes for the session are cut into pieces; 0 is not at all.
const PIECES: [usize; 3] = [0, 1, 7];

/// What the sessions of a transcript are.
pub(crate) struct Cast<S> {
    /// The letter of the lines that the session says: `S` for a server, `C` for a client.
    pub(crate) says: char,
    /// Does what `-- words` say that neither the player nor the fake mail knows; says whether it knows them.
    pub(crate) direct: fn(&mut Driver<S>, &str) -> bool,
}

impl<S> Cast<S> {
    const SERVER: Self = Self { says: 'S', direct: |_, _| false };
}

/// Plays one transcript in all ways and returns the mail as it is after the first.
pub(crate) fn play<S: Session>(
    name: &str,
    text: &str,
    open: impl Fn(&Settings) -> (S, FakeMail),
) -> FakeMail {
    play_as(&Cast::SERVER, name, text, open)
}

fn play_as<S: Session>(
    cast: &Cast<S>,
    name: &str,
    text: &str,
    open: impl Fn(&Settings) -> (S, FakeMail),
) -> FakeMail {
    let script = Script::read(name, text, cast.says);
    let mut mails = PIECES.iter().map(|size| script.play(*size, cast, &open));
    let first = mails.next().unwrap();
    for (other, size) in mails.zip(&PIECES[1..]) {
        assert_eq!(inventory(&first), inventory(&other), "{name}: other mail in pieces of {size}");
    }
    first
}

/// Plays every transcript (`*.txt`) of a folder of this crate.
pub(crate) fn play_all<S: Session>(folder: &str, open: impl Fn(&Settings) -> (S, FakeMail)) {
    play_all_as(&Cast::SERVER, folder, open);
}

/// The same with another cast.
pub(crate) fn play_all_as<S: Session>(
    cast: &Cast<S>,
    folder: &str,
    open: impl Fn(&Settings) -> (S, FakeMail),
) {
    let folder = format!("{}/{folder}", env!("CARGO_MANIFEST_DIR"));
    let mut played = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let text = std::fs::read_to_string(&path).unwrap();
            play_as(cast, &path.file_name().unwrap().to_string_lossy(), &text, &open);
            played += 1;
        }
    }
    assert!(played > 0, "no transcripts in {folder}");
}

/// All messages, as far as they must not depend on how the input was cut.
fn inventory(mail: &FakeMail) -> Vec<(String, u64, Vec<u8>)> {
    let mailboxes = mail.shelf.mailboxes.values();
    let of = |mailbox: &super::shelf::Mailbox| {
        let name = mailbox.name.to_string();
        let line = |stored: &super::Stored| (name.clone(), stored.line.flags.0, stored.bytes.to_vec());
        mailbox.messages.values().map(line).collect::<Vec<_>>()
    };
    mailboxes.flat_map(of).collect()
}

struct Script<'a> {
    name: &'a str,
    settings: Settings,
    steps: Vec<Step<'a>>,
}

enum Step<'a> {
    Send(Vec<u8>),
    Expect { line: usize, pieces: Vec<Piece> },
    Direct { line: usize, words: &'a str },
}

/// A part of what the server is expected to say.
enum Piece {
    Bytes(Vec<u8>),
    AnyText,
}

impl<'a> Script<'a> {
    fn read(name: &'a str, text: &'a str, says: char) -> Self {
        let mut script = Self { name, settings: Settings::default(), steps: Vec::new() };
        for (index, line) in text.lines().enumerate() {
            let (kind, rest) = line.split_at_checked(2).unwrap_or((line, ""));
            let rest = rest.strip_prefix(' ').unwrap_or(rest);
            let is_said = kind.starts_with(says);
            match kind {
                "S:" | "C:" if is_said => {
                    script.expect(index + 1, [Piece::Bytes([rest.as_bytes(), b"\r\n"].concat())]);
                }
                "S=" | "C=" if is_said => script.expect(index + 1, [Piece::Bytes(unescape(rest))]),
                "S~" | "C~" if is_said => script.expect(index + 1, glob(rest)),
                "S:" | "C:" => script.send([rest.as_bytes(), b"\r\n"].concat()),
                "S=" | "C=" => script.send(unescape(rest)),
                "--" => match rest.split_once(' ') {
                    Some(("with", word)) => script.settings.0.push(word.trim().to_owned()),
                    _ => script.steps.push(Step::Direct { line: index + 1, words: rest.trim() }),
                },
                _ => {
                    let is_remark = line.trim().is_empty() || line.starts_with('#');
                    assert!(is_remark, "{name}:{}: {line}", index + 1);
                }
            }
        }
        script
    }

    fn send(&mut self, bytes: Vec<u8>) {
        match self.steps.last_mut() {
            Some(Step::Send(sent)) => sent.extend(bytes),
            _ => self.steps.push(Step::Send(bytes)),
        }
    }

    fn expect(&mut self, line: usize, more: impl IntoIterator<Item = Piece>) {
        match self.steps.last_mut() {
            Some(Step::Expect { pieces, .. }) => pieces.extend(more),
            _ => self.steps.push(Step::Expect { line, pieces: more.into_iter().collect() }),
        }
    }

    fn play<S: Session>(
        &self,
        size: usize,
        cast: &Cast<S>,
        open: &impl Fn(&Settings) -> (S, FakeMail),
    ) -> FakeMail {
        let (session, mail) = open(&self.settings);
        let mut driver = Driver::new(session, mail);
        let mut tls_seen = 0;
        for step in &self.steps {
            match step {
                Step::Send(bytes) => {
                    for piece in bytes.chunks(if size == 0 { bytes.len() } else { size }) {
                        driver.send(piece);
                    }
                }
                Step::Expect { line, pieces } => self.check(*line, size, &driver.received(), pieces),
                Step::Direct { line, words } => {
                    self.check(*line, size, &driver.received(), &[]);
                    self.direct(*line, words, cast, &mut driver, &mut tls_seen);
                }
            }
        }
        self.check(0, size, &driver.received(), &[]);
        assert_eq!(driver.tls_started, tls_seen, "{}: TLS that nobody asked for", self.name);
        driver.mail
    }

    fn direct<S: Session>(
        &self,
        line: usize,
        words: &str,
        cast: &Cast<S>,
        driver: &mut Driver<S>,
        tls_seen: &mut usize,
    ) {
        let place = format!("{}:{line}", self.name);
        match words.split_once(' ').unwrap_or((words, "")) {
            ("tls", _) => {
                *tls_seen += 1;
                assert_eq!(driver.tls_started, *tls_seen, "{place}: TLS started");
            }
            ("closed", _) => assert!(driver.is_closed(), "{place}: still open"),
            ("wait", time) => driver.wait(milliseconds(time)),
            ("changed", _) => driver.run(),
            _ => {
                let known = driver.mail.direct(words) || (cast.direct)(driver, words);
                assert!(known, "{place}: what is {words:?}?");
            }
        }
    }

    fn check(&self, line: usize, size: usize, said: &[u8], expected: &[Piece]) {
        if !matches(said, expected) {
            let wanted: String = expected.iter().map(ToString::to_string).collect();
            panic!(
                "{}:{line} (pieces of {size})\n--- expected\n{wanted}--- said\n{}---",
                self.name,
                readable(said)
            );
        }
    }
}

/// `300s`, `250ms`.
fn milliseconds(time: &str) -> u64 {
    match (time.strip_suffix("ms"), time.strip_suffix('s')) {
        (Some(ms), _) => ms.parse().unwrap(),
        (_, Some(s)) => s.parse::<u64>().unwrap() * 1000,
        _ => panic!("what time is {time:?}?"),
    }
}

fn glob(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (index, part) in text.split('*').enumerate() {
        if index > 0 {
            pieces.push(Piece::AnyText);
        }
        pieces.push(Piece::Bytes(part.as_bytes().to_vec()));
    }
    pieces.push(Piece::Bytes(b"\r\n".to_vec()));
    pieces
}

fn matches(said: &[u8], expected: &[Piece]) -> bool {
    match expected.split_first() {
        None => said.is_empty(),
        Some((Piece::Bytes(bytes), rest)) => {
            said.strip_prefix(bytes.as_slice()).is_some_and(|said| matches(said, rest))
        }
        Some((Piece::AnyText, rest)) => {
            let line = said.iter().position(|byte| *byte == b'\r').unwrap_or(said.len());
            (0..=line).any(|end| matches(&said[end..], rest))
        }
    }
}

/// Bytes written with `\r`, `\n`, `\t`, `\s` (blank), `\\`, `\x00` and `\{count text}`.
pub(crate) fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let (kind, after) = escape.split_at(1);
        rest = after;
        match kind {
            "r" => bytes.push(b'\r'),
            "n" => bytes.push(b'\n'),
            "t" => bytes.push(b'\t'),
            "s" => bytes.push(b' '),
            "\\" => bytes.push(b'\\'),
            "x" => {
                bytes.push(u8::from_str_radix(&after[..2], 16).unwrap());
                rest = &after[2..];
            }
            "{" => {
                let (inside, after) = after.split_once('}').unwrap();
                let (count, text) = inside.split_once(' ').unwrap();
                bytes.extend(unescape(text).repeat(count.parse().unwrap()));
                rest = after;
            }
            _ => panic!("what is \\{kind}?"),
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

fn readable(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().replace("\\r\\n", "\n")
}

impl core::fmt::Display for Piece {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Bytes(bytes) => f.write_str(&readable(bytes)),
            Self::AnyText => f.write_str("*"),
        }
    }
}
