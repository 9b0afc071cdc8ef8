//! Mail protocols as state machines: SMTP, IMAP and POP3 sessions that own no socket, clock or randomness.
//!
//! Every session has the verbs of [`Session`]: it takes bytes, gives bytes, says what it waits for ([`Want`]) and
//! when it loses patience. It asks whoever keeps the mail through `mail::Mail`. One loop drives all of them; a test
//! is a function call. `smtp`, `imap` and `pop3` never import one another; all may use `mime`, `sasl` and `line`.
//! `report` writes the letters that say what became of a letter.

#![no_std]

extern crate alloc;

pub mod dkim;
pub mod imap;
pub mod limits;
pub mod line;
pub mod mime;
pub mod pop3;
pub mod report;
pub mod sasl;
pub mod smtp;

mod session;

pub use session::{Answer, Input, Io, Login, LoginRefusal, Output, Peer, Reason, Secret, Session, Want};

#[cfg(test)]
mod testing;
