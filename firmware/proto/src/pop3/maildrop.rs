//! The maildrop: the messages as they were at log-in, and which of them are marked as deleted (RFC 1939 §4, §5).

use alloc::{format, rc::Rc, string::String};
use core::fmt::Write;

use mail::{AccountId, Mail, MailboxId, Refusal, Uid, UidSet, UidValidity};

use super::limits::LISTED_PER_TURN_MAX;
use crate::Output;

/// A maildrop that this session alone has. Message numbers are positions in it and never change.
///
/// IMAP sessions go on beside it: what they deliver is not seen here, what they remove cannot be read any more.
#[derive(Debug)]
pub(super) struct Maildrop {
    pub(super) mailbox: MailboxId,
    uid_validity: UidValidity,
    uids: UidSet,
    deleted: UidSet,
    /// Sizes of all messages, and of those marked as deleted.
    bytes: u64,
    deleted_bytes: u64,
    _lock: Rc<()>,
}

/// Why a number names no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// There is no such number.
    Never,
    /// It is marked as deleted.
    Deleted,
    /// Somebody else has removed it since.
    Gone,
}

/// What a listing shows of each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// LIST: its size.
    Size,
    /// UIDL: its unique id.
    UniqueId,
}

/// A listing of all messages, under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listing {
    column: Column,
    next: u32,
}

/// How far a listing got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listed {
    All,
    /// It goes on when there is room for output.
    Full,
    /// It goes on when others had their turn.
    Turn,
}

impl Maildrop {
    /// Takes the maildrop of `account`.
    ///
    /// # Errors
    /// [`Refusal::InUse`], [`Refusal::NoSuchMailbox`].
    pub(super) fn open(account: AccountId, mail: &mut dyn Mail) -> Result<Self, Refusal> {
        let mailbox = mail.inbox(account).ok_or(Refusal::NoSuchMailbox)?;
        let lock = mail.lock_inbox(account)?;
        let status = mail.status(mailbox).ok_or(Refusal::NoSuchMailbox)?;
        Ok(Self {
            mailbox,
            uid_validity: status.uid_validity,
            uids: mail.uids(mailbox),
            deleted: UidSet::new(),
            bytes: status.bytes,
            deleted_bytes: 0,
            _lock: lock,
        })
    }

    /// Number of messages not marked as deleted.
    pub(super) fn count(&self) -> u32 {
        self.uids.len() - self.deleted.len()
    }

    /// Their sizes in octets: those of the letters as RETR sends them, dots not doubled (RFC 1939 §11). A letter that
    /// somebody stored without a line end at its end is sent with one more, which is not counted here: to know it
    /// would take reading every letter.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes.saturating_sub(self.deleted_bytes)
    }

    /// `2 messages (320 octets)`
    pub(super) fn text(&self) -> String {
        let count = self.count();
        let plural = if count == 1 { "" } else { "s" };
        format!("{count} message{plural} ({} octets)", self.bytes())
    }

    /// UID and size of the message with this number.
    pub(super) fn message(&self, number: u32, mail: &dyn Mail) -> Result<(Uid, u64), Missing> {
        let uid = self.uids.at(number).ok_or(Missing::Never)?;
        if self.deleted.contains(uid) {
            return Err(Missing::Deleted);
        }
        let message = mail.message(self.mailbox, uid).ok_or(Missing::Gone)?;
        Ok((uid, message.size))
    }

    /// Marks a message as deleted.
    pub(super) fn delete(&mut self, number: u32, mail: &dyn Mail) -> Result<(), Missing> {
        let (uid, size) = self.message(number, mail)?;
        self.deleted.insert(uid);
        self.deleted_bytes += size;
        Ok(())
    }

    /// Takes all marks back.
    pub(super) fn reset(&mut self) {
        self.deleted = UidSet::new();
        self.deleted_bytes = 0;
    }

    /// The messages marked as deleted.
    pub(super) const fn deleted(&self) -> &UidSet {
        &self.deleted
    }

    /// What a listing shows of one message: `1 200`.
    pub(super) fn line(&self, number: u32, column: Column, mail: &dyn Mail) -> Result<String, Missing> {
        let mut line = String::new();
        self.write_line(number, column, mail, &mut line)?;
        Ok(line)
    }

    /// Goes on with a listing: a line for each message not marked as deleted and not gone, and the final dot.
    pub(super) fn list(&self, listing: &mut Listing, mail: &dyn Mail, output: &mut Output) -> Listed {
        for _ in 0..LISTED_PER_TURN_MAX {
            if output.is_full() {
                return Listed::Full;
            }
            if listing.next > self.uids.len() {
                output.push(b".\r\n");
                return Listed::All;
            }
            if self.write_line(listing.next, listing.column, mail, output).is_ok() {
                output.push(b"\r\n");
            }
            listing.next += 1;
        }
        Listed::Turn
    }

    fn write_line(
        &self,
        number: u32,
        column: Column,
        mail: &dyn Mail,
        out: &mut impl Write,
    ) -> Result<(), Missing> {
        let (uid, size) = self.message(number, mail)?;
        // Writing to memory does not fail.
        let _ = match column {
            Column::Size => write!(out, "{number} {size}"),
            // RFC 1939 §7: up to 70 characters, the same for the same message in every session, never another's.
            Column::UniqueId => write!(out, "{number} {}.{}", self.uid_validity.0, uid.0),
        };
        Ok(())
    }
}

impl Listing {
    /// A listing from the first message on.
    pub(super) const fn new(column: Column) -> Self {
        Self { column, next: 1 }
    }
}
