//! What every session is: the trait, what it may want, and the buffers between it and its driver.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::{fmt, net::IpAddr};

use mail::{AccountId, Cold, Mail, MailboxId, Now, Ticket, Ticks};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{
    limits::OUTPUT_BYTES_SOFT_MAX,
    sasl::{ChannelBinding, ProofTask, ScramAccepted, ScramChallenge, ScramProof, ScramProven},
};

/// A protocol session, driven by calling [`step`](Session::step) until it wants to close.
pub trait Session {
    /// Goes on as far as it can: takes input, writes output, asks `mail`. Returns what it needs before it can go
    /// on. A server's first step writes the greeting. Output must be flushed before a [`Want`] other than
    /// [`Want::Turn`] is waited for.
    fn step(&mut self, io: &mut Io<'_, '_>, mail: &mut dyn Mail) -> Want;

    /// When [`expire`](Session::expire) must be called unless `step` was called before.
    fn deadline(&self) -> Ticks;

    /// The deadline has passed. Either something is written and the session goes on (IDLE keeps a line alive), or
    /// it says good-bye and returns [`Want::Close`].
    fn expire(&mut self, now: Now, output: &mut Output) -> Want;

    /// The box is being switched off while the session waits for its peer: says so, where the protocol has a word for
    /// it. The connection is closed then, and nothing more is asked of the session.
    fn farewell(&mut self, output: &mut Output);
}

/// What a session needs. The driver's whole list of jobs.
#[derive(Debug)]
pub enum Want {
    /// More input.
    Input,
    /// Its output flushed.
    Room,
    /// To be called again at once, after others had their turn: it did its bounded share.
    Turn,
    /// Input, or a change in this mailbox, whichever comes first.
    Change(MailboxId),
    /// These credentials checked: [`Answer::Login`].
    Login(Box<Login>),
    /// What somebody of this log-in name needs to make a proof: [`Answer::ScramChallenge`].
    ScramChallenge(Secret),
    /// This proof checked: [`Answer::ScramProof`].
    ScramProof(Box<ScramProof>),
    /// A proof made of this, which takes a while: [`Answer::ScramProven`]. Only sending sessions have something to prove.
    MakeProof(Box<ProofTask>),
    /// This change durable. The result is in the ticket.
    Durable(Ticket),
    /// This stretch of flash in memory.
    Warm(Cold),
    /// Room in the write queue of the flash.
    Flash,
    /// Its next job, or to be told that there is none; or input, whichever comes first. Only sending sessions have jobs:
    /// [`crate::smtp::client::SmtpClient`] says how they are given.
    Work,
    /// Nothing until its deadline, not even input: the client has to wait.
    Pause,
    /// TLS on the connection: flush the output, drop input not taken, shake hands. [`Answer::Tls`].
    StartTls,
    /// The connection closed once the output is flushed.
    Close,
}

/// What came of a [`Want`] that has an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Of [`Want::Login`].
    Login(Result<AccountId, LoginRefusal>),
    /// Of [`Want::ScramChallenge`]. A name that nobody has gets a challenge like any other.
    ScramChallenge(Result<ScramChallenge, LoginRefusal>),
    /// Of [`Want::ScramProof`].
    ScramProof(Result<ScramAccepted, LoginRefusal>),
    /// Of [`Want::MakeProof`].
    ScramProven(ScramProven),
    /// Of [`Want::StartTls`]; had it failed, the connection would be closed. With it the channel binding, where the
    /// connection has one.
    Tls(Option<ChannelBinding>),
}

/// Why a log-in was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginRefusal {
    /// Name or password is wrong; which of them is nobody's business.
    Credentials,
    /// Too many wrong attempts from there: not even looked at. Try again in so many seconds.
    TooMany {
        /// Seconds until the next attempt is looked at.
        retry_after_s: u32,
    },
    /// The box cannot check just now.
    Unavailable,
}

/// A time to wait, for people: `1 second`, `45 seconds`, `5 minutes` from two minutes on, never too short.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seconds(pub(crate) u32);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 | 1 => f.write_str("1 second"),
            seconds @ 2..120 => write!(f, "{seconds} seconds"),
            seconds => write!(f, "{} minutes", seconds.div_ceil(60)),
        }
    }
}

/// Credentials to be checked.
#[derive(Debug)]
pub struct Login {
    /// Log-in name as it was given.
    pub name: Secret,
    /// Password as it was given.
    pub password: Secret,
}

/// A text that is wiped from memory when dropped and never printed.
#[derive(Clone, Default, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    /// Takes ownership of `text`.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub ip: IpAddr,
    /// Whether the connection began with TLS (ports 465, 993, 995).
    pub tls: bool,
    /// What a log-in can be bound to, on a connection that began with TLS.
    pub channel_binding: Option<ChannelBinding>,
    /// Whether a password may be taken without TLS: on loopback, in hosted mode.
    pub trusted_path: bool,
}

/// Why a service turns a connection away right at the greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nobody has claimed the box yet: there is no mail to serve.
    Unclaimed,
    /// As many connections as the box serves, or as one address may have, are open.
    TooManyConnections,
    /// The box is being switched off.
    ShuttingDown,
    /// The flash cannot be used: there is no mail to serve until somebody has looked after it.
    NoStore,
}

/// What a session works with during one step.
#[derive(Debug)]
pub struct Io<'a, 'b> {
    /// Bytes from the peer.
    pub input: &'a mut Input<'b>,
    /// Bytes for the peer.
    pub output: &'a mut Output,
    /// Answer to what was wanted last, if that has one.
    pub answer: Option<Answer>,
    /// The time.
    pub now: Now,
}

/// Bytes from the peer; what a session does not take is offered again.
#[derive(Debug)]
pub struct Input<'b> {
    bytes: &'b [u8],
    taken: usize,
}

impl<'b> Input<'b> {
    /// Offers `bytes`.
    #[must_use]
    pub const fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, taken: 0 }
    }

    /// What has not been taken yet.
    #[must_use]
    pub fn rest(&self) -> &'b [u8] {
        self.bytes.get(self.taken..).unwrap_or_default()
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    /// Takes the next `count` bytes, or what is left.
    pub fn take(&mut self, count: usize) -> &'b [u8] {
        let rest = self.rest();
        let taken = rest.get(..count).unwrap_or(rest);
        self.taken += taken.len();
        taken
    }

    /// How many bytes have been taken.
    #[must_use]
    pub const fn taken(&self) -> usize {
        self.taken
    }
}

/// Bytes for the peer. The limit is soft: a session looks at [`is_full`](Self::is_full) before it begins something
/// and wants [`Want::Room`] when it is; one reply in hand may go beyond.
#[derive(Debug, Default)]
pub struct Output {
    bytes: Vec<u8>,
    sent: usize,
}

impl Output {
    /// No bytes and no memory.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), sent: 0 }
    }

    /// Whether a session should ask for room before it goes on.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.room() == 0
    }

    /// Bytes until it is full.
    #[must_use]
    pub const fn room(&self) -> usize {
        OUTPUT_BYTES_SOFT_MAX.saturating_sub(self.bytes.len())
    }

    /// Appends bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The buffer itself, for appending to it in place.
    pub const fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// What has not been sent.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        self.bytes.get(self.sent..).unwrap_or_default()
    }

    /// Says that `count` pending bytes were sent. With nothing pending the buffer is empty again and keeps its
    /// memory; see [`release`](Self::release).
    pub fn sent(&mut self, count: usize) {
        self.sent += count;
        if self.sent >= self.bytes.len() {
            self.bytes.clear();
            self.sent = 0;
        }
    }

    /// Gives the memory back if nothing is pending: an idle connection costs no buffer.
    pub fn release(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = Vec::new();
        }
    }
}

impl fmt::Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn times_to_wait_are_said_as_people_say_them() {
        for (seconds, said) in [
            (0, "1 second"),
            (1, "1 second"),
            (2, "2 seconds"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (121, "3 minutes"),
            (3_600, "60 minutes"),
        ] {
            assert_eq!(Seconds(seconds).to_string(), said);
        }
    }
}
