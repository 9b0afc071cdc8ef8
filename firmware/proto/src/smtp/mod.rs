//! SMTP, the receiving side (RFC 5321): letters from other servers on port 25, from mail programs on 587 and 465. The
//! sending side is in `client`.
//!
//! `session` is the loop; `commands` and `auth` are what it does with lines, `letter` and `storing` what it does with
//! letters. `guard` is what sessions ask of whoever counts for all of them. The rest are parts that know no session: `command`, `arguments`, `parameters` and `hold` read lines, `dots`
//! and `chunks` tell the bytes of letters from what is around them, `header` looks at their fields and `kind` at all of
//! their bytes, `trace` and `fields` are about the lines that the box adds, `reply` has every sentence, `patience` the
//! time limits.

use alloc::{boxed::Box, rc::Rc, string::String};
use core::fmt;

use mail::{Address, UnixTime};

use crate::{Output, Reason, dkim::Digest};

pub mod client;
pub mod limits;

mod arguments;
mod auth;
mod chunks;
mod command;
mod commands;
mod dots;
mod fields;
mod guard;
mod header;
mod hold;
mod kind;
mod letter;
mod parameters;
mod patience;
mod reply;
mod session;
mod storing;
mod trace;

#[cfg(test)]
mod tests;

pub use guard::{Client, Device, Guard, Later, Target, Unguarded};
pub use session::SmtpSession;

/// What all receiving sessions share.
#[derive(Clone, Debug)]
pub struct Config {
    /// The name of this host: greeting, EHLO, Received.
    pub hostname: String,
    /// The domain of `<postmaster>` without a domain (RFC 5321 §4.5.1): the first of the box's domains, or else the
    /// name of this host.
    pub postmaster_domain: String,
    /// Size of the largest letter in bytes, as SIZE announces it. The mail behind the port must allow
    /// [`limits::TRACE_BYTES_MAX`] more.
    pub message_bytes_max: u64,
    /// Whether everybody can log in with SCRAM; see [`crate::sasl::Offer::mechanisms`].
    pub scram: bool,
    /// Whether the box knows the time of day: letters can be held until one.
    pub clock_is_known: bool,
    /// Keeps count of what clients send.
    pub guard: Rc<dyn Guard>,
    /// Begins a SHA-256, for the body of a letter that is submitted.
    pub sha256: fn() -> Box<dyn Digest>,
    /// Who stands behind addresses under which letters were forwarded; `None` where none are.
    pub rewritten: Option<Rc<dyn Rewritten>>,
}

/// Knows senders that had another reverse-path when their letters were sent on, in a domain of the box (SRS).
pub trait Rewritten: fmt::Debug {
    /// The sender that has been given this address; `None` if nobody has, or too long ago.
    fn sender(&self, address: &Address, now: UnixTime) -> Option<Address>;
}

/// What a port is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Port 25: letters from anywhere for the box's own domains; no log-in.
    Mx,
    /// Ports 587 and 465 (RFC 6409, RFC 8314): letters from mail programs, after log-in, after TLS. Which of the two
    /// it is, `Peer::tls` says.
    Submission,
}

/// Says in place of the greeting why there is no service, in one line; the connection is to be closed then
/// (RFC 5321 §3.1, §4.2.2: 421).
pub fn refuse(output: &mut Output, config: &Config, reason: Reason) {
    let sentence = match reason {
        Reason::Unclaimed => "This box is not set up yet: open its page in a web browser and claim it",
        Reason::TooManyConnections => "Too many connections are open; try again later",
        Reason::ShuttingDown => "This box is being switched off; try again later",
        Reason::NoStore => "This box cannot use its flash: its page in a web browser says what to do",
    };
    reply::closing("4.3.2", &config.hostname, sentence).write(output);
}
