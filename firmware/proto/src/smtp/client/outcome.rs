//! What came of a job and of a connection: what the remote said is told apart from what was decided here.

use alloc::{boxed::Box, rc::Rc, string::String, vec::Vec};

use super::{
    job::Job,
    reply::{Breach, Reply},
};

/// What came of one job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What became of each recipient, by the caller's number, in the order of the job.
    pub fates: Vec<(u32, Fate)>,
    /// The remote took NOTIFY, ORCPT, RET and ENVID along: reports are its matter from here on. Where it did not, who
    /// asked to hear of success is told that the letter was relayed (RFC 3461 §5.2.2).
    pub dsn: bool,
}

/// What became of a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The remote has taken the letter; its reply to the end of it.
    Delivered(Rc<Reply>),
    /// It will not get the letter through this server.
    Refused(Reason),
    /// Not now; to be tried again later.
    Deferred(Reason),
    /// The remote takes no more recipients with one letter (RFC 5321 §4.5.3.1.10, RFC 9422): to be sent with the next
    /// job, at once.
    Left,
}

/// Why a recipient did not get the letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The remote said so.
    Remote {
        /// To what.
        stage: Stage,
        /// What it said.
        reply: Rc<Reply>,
    },
    /// It was decided here.
    Own(Own),
    /// The connection ended before there was an answer; [`Ending`] says how.
    Ended(Stage),
    /// The whole letter was sent and nothing intelligible came back: it may have been delivered, and will be there
    /// twice then (RFC 5321 §4.5.3.2.6).
    Unknown,
}

/// What is decided here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// The letter needs SMTPUTF8 and the server has none (RFC 6531 §3.2).
    NeedsUtf8,
    /// It has bytes beyond ASCII and the server no 8BITMIME (RFC 6152 §3).
    NeedsEightBit,
    /// It is binary and the server has no CHUNKING and BINARYMIME (RFC 3030 §3).
    NeedsBinary,
    /// It is larger than the server says it takes (RFC 1870 §6.1).
    TooLarge,
    /// It asks for REQUIRETLS, which this hop does not give (RFC 8689 §4.2.1).
    NeedsRequireTls,
    /// It has a CR or LF that ends no line, and was not said to be binary. Such letters are how one is made to look like
    /// two (RFC 5321 §2.3.8). The connection was closed in its midst.
    LineEnds,
    /// It cannot be read. The connection was closed in its midst.
    Unreadable,
}

/// What was going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The greeting was waited for.
    Greeting,
    /// EHLO or HELO.
    Hello,
    /// STARTTLS and the handshake.
    Tls,
    /// AUTH.
    Auth,
    /// Nothing, between two jobs: of one that had been given, nothing was said.
    Idle,
    /// MAIL, and RSET before it.
    Mail,
    /// RCPT.
    Recipient,
    /// DATA or BDAT, and the letter.
    Data,
    /// The end of the letter had been sent.
    End,
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Politely: there were no more jobs, or the remote takes no more letters on one connection (RFC 9422 MAILMAX).
    Done,
    /// The remote did not want to go on: a refusal of the connection, of TLS or of the password, or 421 at any time.
    /// It speaks of the host, not of a recipient: another may be tried.
    Refused {
        /// When.
        stage: Stage,
        /// What it said.
        reply: Rc<Reply>,
    },
    /// TLS must be and is not offered. Nothing was sent.
    NoTls,
    /// There is no way to log in: no mechanism in common, or no TLS to protect the password. It was not sent.
    NoLogin,
    /// The remote does not keep to the protocol.
    Breach {
        /// When.
        stage: Stage,
        /// What it did.
        breach: Breach,
    },
    /// The remote said nothing for too long.
    Silence(Stage),
    /// The connection was cut, or TLS could not be started.
    Lost {
        /// When.
        stage: Stage,
        /// What the driver knows of it.
        text: Box<str>,
    },
    /// A letter could not be sent to its end, and the connection was closed lest half of it be taken for all.
    BrokenOff(Own),
}

impl Outcome {
    /// The same for all recipients of a job of which nothing was said to the remote.
    pub(super) fn of_all(job: &Job, fate: &Fate) -> Self {
        let fates = job.recipients.iter().map(|recipient| (recipient.number, fate.clone()));
        Self { fates: fates.collect(), dsn: false }
    }
}

impl Own {
    /// What became of the recipients for this reason.
    pub(super) const fn fate(self) -> Fate {
        match self {
            // What cannot be read now may be once its owner has looked after the flash.
            Self::Unreadable => Fate::Deferred(Reason::Own(self)),
            _ => Fate::Refused(Reason::Own(self)),
        }
    }
}

/// The fates of a job's recipients while they are being settled. The first word about each counts.
#[derive(Debug)]
pub(super) struct Fates(Vec<Option<Fate>>);

impl Fates {
    pub(super) fn open(recipients: usize) -> Self {
        Self((0..recipients).map(|_| None).collect())
    }

    /// Settles one.
    pub(super) fn settle(&mut self, index: usize, fate: Fate) {
        if let Some(open @ None) = self.0.get_mut(index) {
            *open = Some(fate);
        }
    }

    /// Settles all that are open, from `first` on.
    pub(super) fn settle_rest(&mut self, first: usize, fate: &Fate) {
        for open in self.0.iter_mut().skip(first).filter(|open| open.is_none()) {
            *open = Some(fate.clone());
        }
    }

    /// The fates, once all are settled; one that is not is [`Fate::Left`].
    pub(super) fn close(self) -> impl Iterator<Item = Fate> {
        self.0.into_iter().map(|fate| fate.unwrap_or(Fate::Left))
    }
}

/// At most `max` bytes of `text`, whole characters, none of them a control character: a line that can stand in a report
/// and in a log.
pub(super) fn readable(text: &str, max: usize) -> String {
    let mut line = String::new();
    for c in text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }) {
        if line.len() + c.len_utf8() > max {
            break;
        }
        line.push(c);
    }
    line
}
