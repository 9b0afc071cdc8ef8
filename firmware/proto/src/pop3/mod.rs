//! POP3 (RFC 1939): everything but APOP, with CAPA and PIPELINING (RFC 2449), STLS (RFC 2595), SASL (RFC 5034), response
//! codes (RFC 2449 §8, RFC 3206), TOP and UIDL.
//!
//! `session` is the state machine; `command` reads lines, `auth` is about log-ins, `maildrop` is the list of messages as
//! it was at log-in, `transfer` sends letters, `reply` has every sentence, `patience` the time limits.
//!
//! Not announced and not there: APOP (it needs the password in clear on the box), UTF8 and LANG (RFC 6856), LOGIN-DELAY.

use alloc::string::String;

use crate::{Output, Reason};

pub mod limits;

mod auth;
mod command;
mod maildrop;
mod patience;
mod reply;
mod session;
mod transfer;

#[cfg(test)]
mod tests;

pub use session::Pop3Session;

/// What all POP3 sessions share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The name of this host, for the greeting.
    pub hostname: String,
    /// Whether everybody can log in with SCRAM; see [`crate::sasl::Offer::mechanisms`].
    pub scram: bool,
}

/// Says in place of the greeting why there is no service, in one line; the connection is to be closed then
/// (RFC 1939 §4: the greeting may be negative; RFC 3206 §4: whether it passes by itself).
pub fn refuse(output: &mut Output, config: &Config, reason: Reason) {
    let sentence = match reason {
        Reason::Unclaimed => {
            "[SYS/PERM] This box is not set up yet: open its page in a web browser and claim it"
        }
        Reason::TooManyConnections => "[SYS/TEMP] Too many connections are open; try again later",
        Reason::ShuttingDown => "[SYS/TEMP] This box is being switched off; try again later",
        Reason::NoStore => {
            "[SYS/PERM] This box cannot use its flash: its page in a web browser says what to do"
        }
    };
    reply::no(alloc::format!("{sentence} ({})", config.hostname)).write(output);
}
