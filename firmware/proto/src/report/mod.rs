//! Delivery reports: letters that say what became of a letter (RFC 3461 to 3464, RFC 6522; RFC 6533 for addresses in
//! UTF-8), for people in their language and in English, and for mail programs.
//!
//! A [`Report`] composes bytes from facts; it sends nothing and stores nothing. Whether there may be one at all is for
//! its caller to say: never about a letter that came from the null reverse-path, and only as NOTIFY wants it. It goes
//! out with the null reverse-path, and without a Return-Path field, which whoever delivers it puts in front.
//!
//! `words` is the part for people (`sentences` and `texts` have what it says), `status` the one for mail programs,
//! `returned` the letter itself; `safe` keeps foreign words from being more than words.

use alloc::{format, string::String, vec::Vec};
use core::iter;

use mail::{Address, Language, UnixTime, limits::RECIPIENTS_MAX};

use crate::mime::{Date, encode, header};

pub mod limits;
pub mod xtext;

mod cause;
mod part;
mod returned;
mod safe;
mod sentences;
mod status;
mod texts;
mod words;

#[cfg(test)]
mod tests;

pub use cause::{Cause, Side};

use cause::{Code, PERMANENT, SUCCESS, TRANSIENT};
use limits::MESSAGE_ID_BYTES_MAX;
use status::StatusPart;
use texts::{SUBJECT_DELAYED, SUBJECT_DONE, SUBJECT_FAILED, Text};

/// The facts of one report.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The name of this host: ASCII, at most 255 bytes (RFC 1035 §2.3.4).
    pub hostname: &'a str,
    /// Who gets the report: the letter's sender, or whoever looks after the box.
    pub to: &'a Address,
    /// The letter's reverse-path.
    pub sender: &'a Address,
    /// In which language, before English.
    pub language: Language,
    /// When the report is written, in the zone of its reader.
    pub date: Date,
    /// Letters and digits that no other report has and nobody can guess, some twenty: they make its Message-ID, and the
    /// boundary that must not occur in the letter.
    pub unique: &'a str,
    /// The letter.
    pub letter: Letter<'a>,
    /// To whom it was addressed, as far as this report is about them: at most
    /// [`RECIPIENTS_MAX`](mail::limits::RECIPIENTS_MAX).
    pub recipients: &'a [Recipient<'a>],
}

/// The letter that a report is about.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// Its header block, or the beginning of it up to the end of a field.
    pub header: &'a [u8],
    /// ENVID as the sender gave it.
    pub envid: Option<&'a str>,
    /// When it came.
    pub arrived: UnixTime,
    /// What goes back of it.
    pub returned: Returned,
}

/// What of a letter goes back with its report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// The header: RET=HDRS, what was delivered or is only late (RFC 3461 §4.3), and whatever could not go to the
    /// report's reader as it is.
    Header,
    /// All of it, of this form: RET=FULL.
    Whole(Form),
}

/// What a letter's bytes need on their way (RFC 2045 §2.7 to §2.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// ASCII in lines of at most 998 bytes.
    SevenBit,
    /// Any bytes but NUL, in such lines: 8BITMIME.
    EightBit,
    /// Anything: BINARYMIME.
    Binary,
}

impl Form {
    /// The field that says so; 7-bit is what is meant without one (RFC 2045 §6.1).
    const fn field(self) -> &'static str {
        match self {
            Self::SevenBit => "",
            Self::EightBit => "Content-Transfer-Encoding: 8bit\r\n",
            Self::Binary => "Content-Transfer-Encoding: binary\r\n",
        }
    }
}

/// One recipient of the letter and what became of it there.
#[derive(Clone, Copy, Debug)]
pub struct Recipient<'a> {
    /// Where it went or should have gone.
    pub address: &'a Address,
    /// ORCPT as the sender gave it.
    pub orcpt: Option<&'a str>,
    /// What became of it.
    pub outcome: Outcome,
    /// The server that was asked last.
    pub remote: Option<Remote<'a>>,
    /// When it was asked.
    pub last_attempt: Option<UnixTime>,
}

/// Another server, and what it said. Neither is trusted.
#[derive(Clone, Copy, Debug)]
pub struct Remote<'a> {
    /// Its name, or its address in brackets.
    pub name: &'a str,
    /// Its reply with its code, of one line or more; empty if there was none.
    pub reply: &'a [u8],
}

/// What became of a letter for one recipient: the action of RFC 3464 §2.3.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Failed: it is no use to try.
    Failed(Cause),
    /// Failed: it was tried for as long as letters are, and at last this stood in the way.
    Expired(Cause),
    /// Delayed: it is tried again.
    Delayed {
        /// What stood in the way so far.
        cause: Cause,
        /// Until when it is tried.
        until: UnixTime,
    },
    /// Delivered into a mailbox.
    Delivered,
    /// Handed to a server that knows no DSN.
    Relayed,
}

/// How bad an outcome is: the worst is what the report is called after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rank {
    Failed,
    Delayed,
    Done,
}

impl Rank {
    /// The worst first.
    const ALL: [Self; 3] = [Self::Failed, Self::Delayed, Self::Done];

    const fn subject(self) -> Text {
        match self {
            Self::Failed => SUBJECT_FAILED,
            Self::Delayed => SUBJECT_DELAYED,
            Self::Done => SUBJECT_DONE,
        }
    }
}

impl Outcome {
    const fn rank(self) -> Rank {
        match self {
            Self::Failed(_) | Self::Expired(_) => Rank::Failed,
            Self::Delayed { .. } => Rank::Delayed,
            Self::Delivered | Self::Relayed => Rank::Done,
        }
    }

    /// RFC 3464 §2.3.3.
    const fn action(self) -> &'static str {
        match self {
            Self::Failed(_) | Self::Expired(_) => "failed",
            Self::Delayed { .. } => "delayed",
            Self::Delivered => "delivered",
            Self::Relayed => "relayed",
        }
    }
}

impl Recipient<'_> {
    /// RFC 3464 §2.3.4.
    fn code(&self) -> Code {
        let reply = self.remote.map_or(&b""[..], |remote| remote.reply);
        match self.outcome {
            Outcome::Failed(cause) => cause.code(PERMANENT, reply),
            // Delivery time expired (RFC 3463 §3.5).
            Outcome::Expired(_) => Code(TRANSIENT, 4, 7),
            Outcome::Delayed { cause, .. } => cause.code(TRANSIENT, reply),
            // RFC 3463 §3.2: the code of positive reports.
            Outcome::Delivered => Code(SUCCESS, 1, 5),
            // RFC 3886: relayed to a system that does not speak this protocol.
            Outcome::Relayed => Code(SUCCESS, 1, 9),
        }
    }
}

impl<'a> Report<'a> {
    /// The bytes before the returned letter, in pieces of at most [`limits::PIECE_BYTES_MAX`]: each recipient makes one,
    /// so that a thousand of them take no more memory than one. If only the header goes back, it is in here.
    pub fn before(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        let status = StatusPart::of(self);
        let beginning = move || {
            let mut out = self.header().into_bytes();
            out.extend_from_slice(self.delimiter().as_bytes());
            part::write("text/plain; charset=utf-8", words::text(self).as_bytes(), &mut out);
            out.extend_from_slice(self.delimiter().as_bytes());
            status.begin(self, &mut out);
            out
        };
        let recipients = self.recipients().iter().map(move |recipient| status.recipient(self, recipient));
        let end = || {
            let mut out = self.delimiter().into_bytes();
            returned::write(&self.letter, &mut out);
            out
        };
        iter::once_with(beginning).chain(recipients).chain(iter::once_with(end))
    }

    /// The bytes behind it.
    #[must_use]
    pub fn behind(&self) -> Vec<u8> {
        format!("\r\n--{}--\r\n", self.boundary()).into_bytes()
    }

    /// What the report's bytes need on their way. All but a letter that goes back whole is 7-bit.
    #[must_use]
    pub fn form(&self) -> Form {
        returned::form(&self.letter)
    }

    /// Whether the report needs SMTPUTF8 on its way: its reader's address is not ASCII.
    #[must_use]
    pub fn needs_smtputf8(&self) -> bool {
        !self.to.as_str().is_ascii()
    }

    fn header(&self) -> String {
        let Self { hostname, to, unique, date, .. } = self;
        format!(
            "From: Mail Delivery System <MAILER-DAEMON@{hostname}>\r\n\
             To: <{to}>\r\n\
             Subject: {}\r\n\
             Date: {date}\r\n\
             Message-ID: <report.{unique}@{hostname}>\r\n\
             {}\
             Auto-Submitted: auto-replied\r\n\
             MIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=delivery-status;\r\n \
             boundary=\"{}\"\r\n\
             {}",
            self.subject(),
            self.thread(),
            self.boundary(),
            // RFC 2045 §6.4: what holds such a part is such itself.
            self.form().field(),
        )
    }

    /// Says it in all languages of the report: whoever gets one from abroad sees only this at first.
    fn subject(&self) -> String {
        let subject = self.rank().subject();
        let said: Vec<_> =
            self.language.then_english().iter().map(|language| subject.say(*language)).collect();
        encode::words(&said.join(" / "))
    }

    /// RFC 3834 §3.1.5: what it answers, if that has a name that can be written back.
    fn thread(&self) -> String {
        let id = header::find(self.letter.header, b"Message-ID").map(|field| field.unfolded());
        let is_id = |id: &&[u8]| {
            id.len() <= MESSAGE_ID_BYTES_MAX
                && id.iter().all(u8::is_ascii_graphic)
                && id.starts_with(b"<")
                && id.contains(&b'@')
                && id.iter().position(|byte| *byte == b'>') == Some(id.len() - 1)
        };
        match id.as_deref().filter(is_id).and_then(|id| core::str::from_utf8(id).ok()) {
            Some(id) => format!("In-Reply-To: {id}\r\nReferences: {id}\r\n"),
            None => String::new(),
        }
    }

    fn rank(&self) -> Rank {
        let is_any =
            |rank: &Rank| self.recipients().iter().any(|recipient| recipient.outcome.rank() == *rank);
        Rank::ALL.into_iter().find(is_any).unwrap_or(Rank::Done)
    }

    fn recipients(&self) -> &'a [Recipient<'a>] {
        self.recipients.get(..RECIPIENTS_MAX).unwrap_or(self.recipients)
    }

    /// `=_` cannot occur in quoted-printable (RFC 2045 §6.7).
    fn boundary(&self) -> String {
        format!("=_{}", self.unique)
    }

    fn delimiter(&self) -> String {
        format!("\r\n--{}\r\n", self.boundary())
    }
}
