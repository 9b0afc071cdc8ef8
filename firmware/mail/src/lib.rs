//! The vocabulary of mail: what protocols and the mailbox log say to one another, and the one port between them.
//!
//! Nothing here owns a socket, a clock, a file or a thread. Protocol sessions (`proto`) call [`Mail`]; the mailbox
//! log (`store`) implements it; neither knows the other. Types of this crate are never written to flash.

#![no_std]

extern crate alloc;

pub mod calendar;
pub mod limits;

mod address;
mod envelope;
mod flags;
mod language;
mod letter;
mod mailbox;
mod port;
mod refusal;
mod ticket;
mod time;
mod uidset;

pub use address::{Address, AddressError};
pub use envelope::{BodyKind, Envelope, Notify, OUTBOUND, Outbound, Outside, Posting, Recipient, Returns};
pub use flags::Flags;
pub use language::{Language, fill};
pub use letter::{Cold, Content, Draft, Letter, Message, Record};
pub use mailbox::{
    AccountId, MailboxId, MailboxInfo, MailboxName, Modseq, NameError, Quota, SpecialUse, Status, Uid,
    UidValidity,
};
pub use port::Mail;
pub use refusal::{Refusal, Stop, Unready};
pub use ticket::{Receipt, Ticket};
pub use time::{Now, Ticks, UnixTime};
pub use uidset::UidSet;
