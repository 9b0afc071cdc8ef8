//! The mailbox log: mail on flash, append only, safe at every power cut.
//!
//! [`Store`] implements [`mail::Mail`] over a [`flash::FlashQueue`]. It owns no clock, no thread and no socket: its
//! driver calls [`Store::flush`] when something waits, [`Store::settle`] when the queue has news, and wakes whoever
//! waits for tickets. `DESIGN.md` says why it is built as it is, and lists the rules that comments name by number;
//! `FORMAT.md` says what stands on flash.

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

#[doc(hidden)]
pub mod coding;
pub mod limits;

mod admin;
mod changes;
mod check;
mod checkpoint;
mod compaction;
mod damage;
mod deposit;
mod drafts;
mod forget;
mod format;
mod gather;
mod head;
mod index;
mod layout;
mod life;
mod log;
mod mail_port;
mod mount;
mod outbox;
mod posting;
mod reader;
mod replay;
mod rescue;
mod retire;
mod scan;
mod scrub;
mod segments;
mod tend;
mod undelete;

#[cfg(test)]
mod tests;

pub use admin::{AccountDetails, AccountInfo, Statistics, Wear};
pub use check::{CheckError, Fingerprint, LetterFault, StoredLetter};
pub use damage::Damage;
pub use life::Settled;
pub use mount::{FormatOptions, MountError, MountOptions, MountReport};
pub use scrub::{DamagedLetter, ScrubPlace, Scrubbed};
pub use undelete::{Deleted, Deletion, Deletions};

/// A mounted store.
///
/// What is visible through it is what is durable: a change becomes visible in the call of [`settle`](Self::settle)
/// that takes up the end of its barrier, together with its ticket.
#[derive(Debug)]
pub struct Store<Q> {
    queue: Q,
    outbox: outbox::Outbox,
    layout: layout::Layout,
    segments: segments::Segments,
    state: index::State,
    log: log::Log,
    drafts: drafts::Drafts,
    reader: reader::Reader,
    checkpoints: checkpoint::Checkpoints,
    compaction: compaction::Compaction,
    forgetting: forget::Forgetting,
    /// `None` when bodies are stored as they are.
    coder: Option<alloc::boxed::Box<coding::Coder>>,
    damage: damage::DamageList,
    retiring: retire::Retiring,
    scrub: scrub::Scrub,
    life: life::Life,
    now: mail::UnixTime,
    message_bytes_max: u64,
    index_bytes_max: u64,
    report: MountReport,
}

impl<Q> Store<Q> {
    /// The queue that the store drives.
    pub const fn queue(&mut self) -> &mut Q {
        &mut self.queue
    }

    /// Gives the queue back. What was not durable is lost, as in a power cut.
    pub fn into_queue(self) -> Q {
        self.queue
    }
}
