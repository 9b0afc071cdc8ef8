//! Tickets: how a session learns that its change is durable, without anyone holding a borrow meanwhile.

use alloc::rc::Rc;
use core::cell::RefCell;

use crate::{Refusal, UidSet, UidValidity};

/// A change on its way to flash. Cheap to clone; whoever asked keeps one, the store keeps one.
///
/// The store settles it exactly once: after the barrier that makes the change durable has ended. Only then may a
/// reply be sent (STORE.md rule 1), and only then does anyone see the change (rule 2).
#[derive(Clone, Debug, Default)]
pub struct Ticket(Rc<RefCell<Option<Result<Receipt, Refusal>>>>);

/// What a durable change gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// UIDVALIDITY of the mailbox that received messages (APPENDUID, COPYUID of RFC 4315).
    pub uid_validity: UidValidity,
    /// Messages that were copied or moved, in the source mailbox.
    pub source: UidSet,
    /// What they, or the appended message, are called in the destination; in the order of `source`.
    pub destination: UidSet,
}

impl Ticket {
    /// A ticket that is not settled yet.
    #[must_use]
    pub fn pending() -> Self {
        Self::default()
    }

    /// A ticket for a change that was no change: already durable.
    #[must_use]
    pub fn durable() -> Self {
        let ticket = Self::default();
        ticket.settle(Ok(Receipt::default()));
        ticket
    }

    /// Says how it ended. Only the first call counts.
    pub fn settle(&self, result: Result<Receipt, Refusal>) {
        self.0.borrow_mut().get_or_insert(result);
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// How it ended; `None` until then.
    #[must_use]
    pub fn result(&self) -> Option<Result<Receipt, Refusal>> {
        self.0.borrow().clone()
    }
}
