//! The port: everything a protocol session can ask of whoever keeps the mail.

use alloc::vec::Vec;

use crate::{
    AccountId, Address, Content, Draft, Envelope, Flags, Letter, MailboxId, MailboxInfo, MailboxName,
    Message, Modseq, Outside, Quota, Recipient, Record, Refusal, SpecialUse, Status, Stop, Ticket, Uid,
    UidSet, Unready,
};

/// What sessions call. Every call returns at once and does bounded work (about 1 ms or 64 KiB); what takes longer
/// comes back as [`Stop::Busy`], [`Unready::Cold`] or a [`Ticket`], and the session leaves it to its driver.
///
/// Nothing that a ticket stands for is visible to anyone, the asker included, before the ticket is settled.
pub trait Mail {
    /// Whether no change is taken any more: each would be answered [`Refusal::ReadOnly`]. Reading goes on. It
    /// stays so until the program is started again.
    fn is_read_only(&self) -> bool;

    // ---- Letters coming in -------------------------------------------------------------------------------------

    /// Begins a letter. `size` is what the client says it will be (SMTP SIZE, the literal of APPEND).
    ///
    /// # Errors
    /// [`Refusal::TooLarge`], [`Refusal::StoreFull`], [`Refusal::TooManyMessages`], [`Refusal::ReadOnly`],
    /// [`Refusal::TooBusy`].
    fn draft(&mut self, size: Option<u64>) -> Result<Draft, Refusal>;

    /// Says what MAIL said. It is kept with the letter if that leaves the box. What turns out to be otherwise while the
    /// letter comes in is set right by saying it again.
    ///
    /// # Errors
    /// [`Refusal::Limit`] for an envelope that is too long, [`Refusal::NotDurable`] for a draft that is lost.
    fn set_envelope(&mut self, draft: &Draft, envelope: Envelope) -> Result<(), Refusal>;

    /// Adds a recipient: resolves aliases, and reserves the letter's announced size in every quota concerned. What leads
    /// outside is queued, as far as `outside` lets it. A recipient named twice gets the letter once.
    ///
    /// # Errors
    /// [`Refusal::NoSuchUser`], [`Refusal::NotLocal`], [`Refusal::ForwardsOutside`], [`Refusal::OverQuota`],
    /// [`Refusal::LargerThanQuota`], [`Refusal::TooManyRecipients`], [`Refusal::QueueFull`]; the draft is as it was.
    fn add_recipient(&mut self, draft: &Draft, to: &Recipient, outside: Outside) -> Result<(), Refusal>;

    /// Adds a mailbox (IMAP APPEND), with the flags that the message shall have there.
    ///
    /// # Errors
    /// [`Refusal::NoSuchMailbox`], [`Refusal::OverQuota`], [`Refusal::LargerThanQuota`],
    /// [`Refusal::TooManyRecipients`].
    fn add_mailbox(&mut self, draft: &Draft, mailbox: MailboxId, flags: Flags) -> Result<(), Refusal>;

    /// Appends to the letter and says how many bytes were taken; fewer than given when the write queue fills up.
    ///
    /// # Errors
    /// [`Stop::Busy`] when none was taken; [`Refusal::TooLarge`], [`Refusal::OverQuota`],
    /// [`Refusal::LargerThanQuota`], [`Refusal::StoreFull`], [`Refusal::ReadOnly`], [`Refusal::NotDurable`]: the letter cannot be completed any more.
    fn append(&mut self, draft: &Draft, bytes: &[u8]) -> Result<usize, Stop>;

    /// Delivers the letter to all its recipients and mailboxes at once: either all have it or none.
    ///
    /// # Errors
    /// [`Stop::Busy`]: ask again with the same draft. Any refusal of [`append`](Self::append).
    fn deposit(&mut self, draft: &Draft, letter: &Letter<'_>) -> Result<Ticket, Stop>;

    // ---- Accounts ----------------------------------------------------------------------------------------------

    /// Whether mail for `address` is ours: its domain is one of ours (a mailbox need not exist).
    fn is_local(&self, address: &Address) -> bool;

    /// Whether `account` may use `address` as its sender: its own, with or without `+tag`, or an alias that leads
    /// to it.
    fn may_send_as(&self, account: AccountId, address: &Address) -> bool;

    /// INBOX of `account`.
    fn inbox(&self, account: AccountId) -> Option<MailboxId>;

    /// What `account` keeps and may keep.
    fn quota(&self, account: AccountId) -> Quota;

    /// Takes INBOX of `account` for one session alone (POP3, RFC 1939 §4: exclusive access). The lock ends when the
    /// returned value is dropped. IMAP sessions go on beside it.
    ///
    /// # Errors
    /// [`Refusal::InUse`].
    fn lock_inbox(&mut self, account: AccountId) -> Result<alloc::rc::Rc<()>, Refusal>;

    // ---- Mailboxes ---------------------------------------------------------------------------------------------

    /// The mailbox called `name`.
    fn mailbox(&self, account: AccountId, name: &MailboxName) -> Option<MailboxId>;

    /// The mailbox that follows `after` in the order of names; the first for `None`. INBOX has its place by name.
    fn next_mailbox(&self, account: AccountId, after: Option<&MailboxName>) -> Option<MailboxInfo>;

    /// The subscribed name that follows `after`; subscriptions outlive mailboxes (RFC 3501 §6.3.6).
    fn next_subscription(&self, account: AccountId, after: Option<&MailboxName>) -> Option<MailboxName>;

    /// State of a mailbox; `None` once it has been deleted.
    fn status(&self, mailbox: MailboxId) -> Option<Status>;

    /// Creates a mailbox, and the levels above it that do not exist.
    ///
    /// # Errors
    /// [`Refusal::MailboxExists`], [`Refusal::Limit`], and those of every change: [`Stop::Busy`],
    /// [`Refusal::StoreFull`], [`Refusal::ReadOnly`]. [`Refusal::NotDurable`] comes by the ticket.
    fn create_mailbox(
        &mut self,
        account: AccountId,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
    ) -> Result<Ticket, Stop>;

    /// Deletes a mailbox and its messages; what lies below it stays.
    ///
    /// # Errors
    /// [`Refusal::Cannot`] for INBOX, [`Refusal::NoSuchMailbox`], and those of every change.
    fn delete_mailbox(&mut self, account: AccountId, name: &MailboxName) -> Result<Ticket, Stop>;

    /// Renames a mailbox and what lies below it. Renaming INBOX moves its messages to the new mailbox and leaves it
    /// empty (RFC 3501 §6.3.5).
    ///
    /// # Errors
    /// [`Refusal::NoSuchMailbox`], [`Refusal::MailboxExists`], [`Refusal::Cannot`] into itself, [`Refusal::Limit`],
    /// and those of every change.
    fn rename_mailbox(
        &mut self,
        account: AccountId,
        from: &MailboxName,
        to: &MailboxName,
    ) -> Result<Ticket, Stop>;

    /// Subscribes to a name, or ends it.
    ///
    /// # Errors
    /// [`Refusal::Limit`], and those of every change.
    fn subscribe(&mut self, account: AccountId, name: &MailboxName, on: bool) -> Result<Ticket, Stop>;

    // ---- Messages ----------------------------------------------------------------------------------------------

    /// The UIDs of a mailbox; empty once it has been deleted. Looks at every message.
    fn uids(&self, mailbox: MailboxId) -> UidSet {
        self.uids_from(mailbox, Uid(0))
    }

    /// The UIDs of a mailbox that are at least `from`. Looks at these messages only.
    fn uids_from(&self, mailbox: MailboxId, from: Uid) -> UidSet;

    /// One message's line in the index.
    fn message(&self, mailbox: MailboxId, uid: Uid) -> Option<Message>;

    /// The message with the smallest UID that is at least `from`.
    fn next_message(&self, mailbox: MailboxId, from: Uid) -> Option<Message>;

    /// The message with the smallest UID that is at least `from` and that came or changed after `since`. What it costs
    /// does not grow with the messages that it passes over: a session that reports one change does not look at the
    /// whole mailbox. What has been removed since is for [`Status::removed_modseq`] to say.
    fn next_changed(&self, mailbox: MailboxId, since: Modseq, from: Uid) -> Option<Message>;

    /// The keywords of an account, in the order of their numbers (see [`Flags::keyword`]).
    fn keywords(&self, account: AccountId) -> &[alloc::string::String];

    /// The flag of a keyword; a new keyword is defined if there is room. ASCII case does not count.
    ///
    /// # Errors
    /// [`Refusal::Limit`], and those of every change. No ticket: it becomes durable no later than what uses it.
    fn keyword(&mut self, account: AccountId, name: &str) -> Result<Flags, Stop>;

    /// Adds and removes flags of the messages in `uids`: the new flags are `(old - remove) + add`. Only messages
    /// whose flags change get a new [`crate::Modseq`].
    ///
    /// # Errors
    /// Those of every change.
    fn set_flags(
        &mut self,
        mailbox: MailboxId,
        uids: &UidSet,
        add: Flags,
        remove: Flags,
    ) -> Result<Ticket, Stop>;

    /// The same as [`set_flags`](Self::set_flags) for `\Seen` that a FETCH sets; durable within a second or so
    /// (STORE.md rule 1), with nobody waiting for it.
    ///
    /// # Errors
    /// Those of every change.
    fn set_seen_soon(&mut self, mailbox: MailboxId, uids: &UidSet) -> Result<(), Stop>;

    /// Says that this session shows all messages of `mailbox` so far as `\Recent`, so that no later one does
    /// (RFC 3501 §2.3.2). Returns the first UID that is recent for this session.
    fn claim_recent(&mut self, mailbox: MailboxId) -> Uid;

    /// Removes messages. Whoever keeps the mail may keep them for a while, to be brought back; no session sees them.
    ///
    /// # Errors
    /// Those of every change.
    fn expunge(&mut self, mailbox: MailboxId, uids: &UidSet) -> Result<Ticket, Stop>;

    /// Copies messages with their flags and dates: all or none. The receipt says what they are called there. UIDs that
    /// no message has are passed over.
    ///
    /// # Errors
    /// [`Refusal::NoSuchMailbox`] for the destination, [`Refusal::OverQuota`], [`Refusal::TooManyMessages`], and those
    /// of every change.
    fn copy(&mut self, from: MailboxId, uids: &UidSet, to: MailboxId) -> Result<Ticket, Stop>;

    /// Moves messages (RFC 6851): one change, so that no cut leaves them in both or in neither.
    ///
    /// # Errors
    /// As [`copy`](Self::copy); quota does not matter.
    fn move_messages(&mut self, from: MailboxId, uids: &UidSet, to: MailboxId) -> Result<Ticket, Stop>;

    // ---- Reading -----------------------------------------------------------------------------------------------

    /// What the metadata holds of a letter. Never touches its body.
    ///
    /// # Errors
    /// [`Unready`].
    fn record(&mut self, mailbox: MailboxId, uid: Uid) -> Result<Record<'_>, Unready>;

    /// Opens a letter for reading.
    ///
    /// # Errors
    /// [`Unready`].
    fn open(&mut self, mailbox: MailboxId, uid: Uid) -> Result<Content, Unready>;

    /// Appends bytes of the letter from `offset` to `out`, at most `max`; as many as are at hand, at least one
    /// unless `offset` is at its end or `max` is 0. Returns how many.
    ///
    /// # Errors
    /// [`Unready::Cold`], [`Unready::Damaged`].
    fn read(
        &mut self,
        content: &Content,
        offset: u64,
        max: usize,
        out: &mut Vec<u8>,
    ) -> Result<usize, Unready>;
}
