//! Why mail was not taken, changed or shown. Each variant says what the caller must tell its client.

use crate::Cold;

/// A request that will not be done. The protocols turn each into their own code and one sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Local domain, but no such mailbox or alias. SMTP 550 5.1.1.
    NoSuchUser,
    /// The domain is not one of ours. SMTP 550 5.7.1 (or the queue, for those who may send).
    NotLocal,
    /// An alias leads outside, and nothing is to be sent outside. SMTP 451 4.3.2.
    ForwardsOutside,
    /// Too many recipients for one letter. SMTP 452 4.5.3.
    TooManyRecipients,
    /// The account's quota would be exceeded; it may pass when something is deleted. SMTP 452 4.2.2, IMAP `[OVERQUOTA]`.
    OverQuota,
    /// The message alone is larger than the account's whole quota. SMTP 552 5.2.2, IMAP `[OVERQUOTA]`.
    LargerThanQuota,
    /// The message is larger than the box takes at all. SMTP 552 5.3.4, IMAP `[TOOBIG]`.
    TooLarge,
    /// The flash is full. SMTP 452 4.3.1, IMAP `[OVERQUOTA]`.
    StoreFull,
    /// There are as many messages as the box has memory to list. SMTP 452 4.3.1, IMAP `[OVERQUOTA]`.
    TooManyMessages,
    /// As many letters wait for other servers as the box keeps. SMTP 452 4.3.1.
    QueueFull,
    /// The flash takes no more writes, or failed; reading goes on. SMTP 451 4.3.0, IMAP `[UNAVAILABLE]`.
    ReadOnly,
    /// A barrier failed: what was asked for did not become durable. SMTP 451 4.3.0, IMAP `[UNAVAILABLE]`.
    NotDurable,
    /// A limit of the box is reached that passes by itself (letters in transfer at once). SMTP 452 4.3.1.
    TooBusy,
    /// IMAP `[NONEXISTENT]`, or `[TRYCREATE]` where the mailbox was a destination.
    NoSuchMailbox,
    /// IMAP `[ALREADYEXISTS]`.
    MailboxExists,
    /// INBOX cannot be deleted, a mailbox cannot be renamed into itself: IMAP `[CANNOT]`.
    Cannot,
    /// Too many mailboxes or keywords, or a name beyond the limits: IMAP `[LIMIT]`.
    Limit,
    /// Another session holds the mailbox exclusively (POP3 `[IN-USE]`).
    InUse,
}

/// Why a change was not accepted just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The write queue is full. Nothing was taken; ask again when it has room (`Want::Flash`).
    Busy,
    /// It will not be done.
    Refused(Refusal),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Why something could not be read just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unready {
    /// It lies on flash and not in memory: have it warmed (`Want::Warm`), then ask again.
    Cold(Cold),
    /// It has been expunged, or its mailbox deleted.
    Gone,
    /// Its bytes do not verify, or the device cannot read them. It has been reported; the rest is fine.
    Damaged,
}
