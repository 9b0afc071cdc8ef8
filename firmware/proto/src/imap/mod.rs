//! IMAP4rev1 (RFC 3501) as a state machine, with IDLE, NAMESPACE, CHILDREN, UIDPLUS, MOVE, UNSELECT, SPECIAL-USE,
//! LITERAL+, SASL-IR, ID and ENABLE.
//!
//! Bytes go this way: `gather` collects one command, `parse` makes it a value of `ast`, `dialogue` runs it, a module of
//! `command` does its work in bounded turns, `sync` tells the client what has changed in its `view`, and `reply` ends
//! it. A new command is a variant in `ast`, lines in `parse`, and a module in `command`.

mod ast;
mod capability;
mod command;
mod date;
mod dialogue;
mod emit;
mod gather;
pub mod limits;
mod parse;
mod reply;
mod rescan;
mod session;
mod set;
mod sync;
mod turn;
pub mod utf7;
mod view;

#[cfg(test)]
mod tests;

pub use session::{ImapSession, refuse};

/// What a session needs to know of its server.
#[derive(Clone, Debug)]
pub struct Config {
    /// Name of the server, for the greeting.
    pub hostname: alloc::string::String,
    /// What everybody is told who logs in (RFC 3501 §7.1, ALERT), in ASCII; clients show it to people.
    pub alert: Option<&'static str>,
    /// Whether everybody can log in with SCRAM; see [`crate::sasl::Offer::mechanisms`].
    pub scram: bool,
}
