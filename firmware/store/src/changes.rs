//! Changes that sessions ask for: checked against what is visible, numbered, recorded, and answered by a ticket.
//!
//! What another change on its way may spoil is checked again when the record is applied; see `index`.

use alloc::vec::Vec;

use flash::FlashQueue;
use mail::{
    AccountId, Flags, MailboxId, MailboxName, Receipt, Refusal, SpecialUse, Stop, Ticket, Uid, UidSet,
};

use crate::Store;
use crate::format::code::put;
use crate::format::frame::{FRAME_BYTES, kind};
use crate::format::records::{
    Expunge, Flagging, Keyword, MailboxCreate, MailboxDelete, MailboxRename, Recent, Subscribe, Transfer,
    put_uids,
};
use crate::index::special_use_code;
use crate::limits::{GROUP_BYTES_MAX, RANGES_MAX};
use crate::log::Class;

/// Length of a record without its texts and sequences at most.
const RECORD_NUMBERS: usize = FRAME_BYTES + 64;

/// A record in the making.
pub(crate) struct Change<'a> {
    pub(crate) kind: u8,
    /// Mailboxes that it touches.
    pub(crate) touched: &'a [u32],
    /// What it reserves of an account's quota.
    pub(crate) reserved: Option<(u32, u64)>,
}

impl<Q: FlashQueue> Store<Q> {
    // ---- Recording ---------------------------------------------------------------------------------------------

    /// Whether a record of `bytes` can be taken now.
    ///
    /// # Errors
    /// [`Stop::Busy`] when too much gathers already; [`Refusal::StoreFull`], [`Refusal::ReadOnly`], [`Refusal::Limit`].
    pub(crate) fn room_for(&mut self, class: Class, bytes: usize) -> Result<(), Stop> {
        self.refuse_changes()?;
        if bytes > self.layout.record_bytes_max() {
            return Err(Refusal::Limit.into());
        }
        let gathered = self.log.gather.bytes.len();
        if gathered > 0 && gathered + bytes > GROUP_BYTES_MAX {
            return Err(Stop::Busy);
        }
        let is_cramped = bytes > self.meta_room() && self.spare_segments(class) == 0;
        let turns_over = is_cramped && class == Class::Care && self.turn_over(bytes);
        if turns_over || self.is_checkpoint_alone() || self.is_batch_alone() {
            self.life.wanted = true;
            return Err(Stop::Busy);
        }
        if is_cramped || class == Class::Mail && self.is_reserve_open() {
            return Err(self.full());
        }
        self.life.wanted = true;
        Ok(())
    }

    /// Records a change that has been checked and for which there is room.
    ///
    /// # Errors
    /// None that happens: encoding into memory does not fail.
    fn put_record(
        &mut self,
        change: &Change<'_>,
        encode: impl FnOnce(&mut Vec<u8>) -> postcard::Result<()>,
    ) -> Result<u32, Stop> {
        let ordinal = self.log.gather.record(change.kind, encode).map_err(|_| Refusal::Limit)?;
        change.touched.iter().for_each(|mailbox| self.log.gather.touch(*mailbox));
        Ok(ordinal)
    }

    /// Records a change and gives a ticket for it.
    pub(crate) fn change(
        &mut self,
        change: &Change<'_>,
        encode: impl FnOnce(&mut Vec<u8>) -> postcard::Result<()>,
    ) -> Result<Ticket, Stop> {
        let ordinal = self.put_record(change, encode)?;
        Ok(self.log.gather.wait(ordinal, change.reserved))
    }

    /// Whether nothing is on its way that could change what is visible.
    fn is_idle(&self) -> bool {
        self.log.gather.records == 0 && self.log.flight.is_none()
    }

    /// Records keywords again that have been given out and are not durable; after a failed barrier.
    pub(crate) fn gather_keywords(&mut self) {
        for (id, account) in &self.state.accounts {
            let first = account.keywords.len() as u32;
            for (number, name) in (first..).zip(&account.pending_keywords) {
                let record = Keyword { account: *id, number, name };
                // Encoding into memory cannot fail.
                let _ = self.log.gather.record(kind::KEYWORD, |out| put(out, &record));
            }
        }
    }

    // ---- Mailboxes ---------------------------------------------------------------------------------------------

    pub(crate) fn create(
        &mut self,
        account: AccountId,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
    ) -> Result<Ticket, Stop> {
        let name = name.as_str();
        let levels = self.state.check_new(account.0, name)?;
        self.room_for(Class::Mail, RECORD_NUMBERS + name.len())?;
        let new = self.state.take_mailboxes(levels).ok_or(Refusal::Limit)?;
        let special_use = special_use.map(special_use_code);
        let record = MailboxCreate { account: account.0, new, special_use, name };
        let change = Change::of(kind::MAILBOX_CREATE, &[]);
        self.change(&change, |out| put(out, &record))
    }

    pub(crate) fn delete(&mut self, account: AccountId, name: &MailboxName) -> Result<Ticket, Stop> {
        if name.is_inbox() {
            return Err(Refusal::Cannot.into());
        }
        let mailbox = self.find(account, name).ok_or(Refusal::NoSuchMailbox)?;
        self.room_for(Class::Care, RECORD_NUMBERS)?;
        // Messages that are on their way there may come before.
        let most = self.state.mailboxes.get(&mailbox).map_or(0, |known| {
            u64::from(known.entries.len()) + u64::from(known.uid_pending.saturating_sub(known.uid_next))
        });
        let (modseq, first) = (self.state.take_modseq(), self.state.take_deletions(most));
        let record = MailboxDelete { mailbox, modseq, time: self.deletion_time(), first };
        let touched = [mailbox];
        let change = Change::of(kind::MAILBOX_DELETE, &touched);
        self.change(&change, |out| put(out, &record))
    }

    pub(crate) fn rename(
        &mut self,
        account: AccountId,
        from: &MailboxName,
        to: &MailboxName,
    ) -> Result<Ticket, Stop> {
        let mailbox = self.find(account, from).ok_or(Refusal::NoSuchMailbox)?;
        let levels = self.state.check_rename(mailbox, to.as_str())?;
        self.room_for(Class::Care, RECORD_NUMBERS + to.as_str().len())?;
        let new = self.state.take_mailboxes(levels).ok_or(Refusal::Limit)?;
        let record = MailboxRename { mailbox, new, name: to.as_str() };
        let touched = [mailbox];
        let change = Change::of(kind::MAILBOX_RENAME, &touched);
        self.change(&change, |out| put(out, &record))
    }

    pub(crate) fn set_subscription(
        &mut self,
        account: AccountId,
        name: &MailboxName,
        on: bool,
    ) -> Result<Ticket, Stop> {
        let owner = self.state.accounts.get(&account.0).ok_or(Refusal::NoSuchMailbox)?;
        let known = owner.subscriptions.contains(name.as_str());
        if known == on && self.is_idle() {
            return Ok(Ticket::durable());
        }
        if on && !known && owner.subscriptions.len() >= mail::limits::MAILBOXES_PER_ACCOUNT_MAX {
            return Err(Refusal::Limit.into());
        }
        self.room_for(Class::Care, RECORD_NUMBERS + name.as_str().len())?;
        let record = Subscribe { account: account.0, on, name: name.as_str() };
        self.change(&Change::of(kind::SUBSCRIBE, &[]), |out| put(out, &record))
    }

    /// Number of a mailbox.
    pub(crate) fn find(&self, account: AccountId, name: &MailboxName) -> Option<u32> {
        self.state.accounts.get(&account.0)?.mailboxes.get(name.as_str()).copied()
    }

    // ---- Messages ----------------------------------------------------------------------------------------------

    pub(crate) fn define_keyword(&mut self, account: AccountId, name: &str) -> Result<Flags, Stop> {
        let owner = self.state.accounts.get(&account.0).ok_or(Refusal::Limit)?;
        if let Some(number) = owner.keyword(name) {
            return Ok(Flags::keyword(number));
        }
        let number = owner.next_keyword(name).ok_or(Refusal::Limit)?;
        self.room_for(Class::Care, RECORD_NUMBERS + name.len())?;
        let record = Keyword { account: account.0, number, name };
        self.put_record(&Change::of(kind::KEYWORD, &[]), |out| put(out, &record))?;
        if let Some(owner) = self.state.accounts.get_mut(&account.0) {
            owner.pending_keywords.push(name.into());
        }
        Ok(Flags::keyword(number))
    }

    /// Records a change of flags; `None` when it would be none.
    pub(crate) fn flag(
        &mut self,
        mailbox: MailboxId,
        uids: &UidSet,
        add: Flags,
        remove: Flags,
    ) -> Result<Option<u32>, Stop> {
        let (uids, _) = self.present(mailbox.0, uids);
        if uids.is_empty() || (self.is_idle() && !self.would_change(mailbox.0, &uids, add, remove)) {
            return Ok(None);
        }
        self.room_for(Class::Care, RECORD_NUMBERS + ranges_bytes(&uids)?)?;
        let modseq = self.state.take_modseq();
        let record = Flagging { mailbox: mailbox.0, add: add.0, remove: remove.0, modseq };
        let touched = [mailbox.0];
        let change = Change::of(kind::FLAGS, &touched);
        let ordinal = self.put_record(&change, |out| {
            put(out, &record)?;
            put_uids(out, &uids)
        })?;
        Ok(Some(ordinal))
    }

    fn would_change(&self, mailbox: u32, uids: &UidSet, add: Flags, remove: Flags) -> bool {
        let Some(mailbox) = self.state.mailboxes.get(&mailbox) else { return false };
        let mut ranges = uids.ranges().flat_map(|(first, last)| mailbox.entries.range(first, last));
        ranges.any(|entry| entry.flags.without(remove).with(add) != entry.flags)
    }

    pub(crate) fn remove(&mut self, mailbox: MailboxId, uids: &UidSet) -> Result<Ticket, Stop> {
        let (uids, count) = self.present(mailbox.0, uids);
        if uids.is_empty() {
            return Ok(Ticket::durable());
        }
        self.room_for(Class::Care, RECORD_NUMBERS + ranges_bytes(&uids)?)?;
        let (modseq, first) = (self.state.take_modseq(), self.state.take_deletions(count.into()));
        let record = Expunge { mailbox: mailbox.0, modseq, time: self.deletion_time(), first };
        let touched = [mailbox.0];
        let change = Change::of(kind::EXPUNGE, &touched);
        self.change(&change, |out| {
            put(out, &record)?;
            put_uids(out, &uids)
        })
    }

    pub(crate) fn transfer(
        &mut self,
        kind: u8,
        from: MailboxId,
        uids: &UidSet,
        to: MailboxId,
    ) -> Result<Ticket, Stop> {
        self.sweep();
        let uid_validity = self.state.mailboxes.get(&to.0).ok_or(Refusal::NoSuchMailbox)?.uid_validity;
        let (uids, count) = self.present(from.0, uids);
        if uids.is_empty() {
            let nothing = Ticket::pending();
            nothing.settle(Ok(Receipt { uid_validity, ..Receipt::default() }));
            return Ok(nothing);
        }
        let class = if kind == kind::COPY { Class::Mail } else { Class::Care };
        self.room_for(class, RECORD_NUMBERS + ranges_bytes(&uids)?)?;
        if kind == kind::COPY {
            self.room_in_index(count.into())?;
        }
        let reserved = if kind == kind::COPY { self.reserve_copy(from.0, &uids, to.0)? } else { None };
        let first_uid = self.state.mailboxes.get_mut(&to.0).and_then(|to| to.take_uids(count));
        let Some(first_uid) = first_uid else {
            if let Some((account, bytes)) = reserved {
                self.state.unreserve(account, bytes);
            }
            return Err(Refusal::Limit.into());
        };
        let (modseq, time) = (self.state.take_modseq(), self.now.0);
        let record = Transfer { from: from.0, to: to.0, first_uid, modseq, time };
        let touched = [from.0, to.0];
        let change = Change { reserved, ..Change::of(kind, &touched) };
        self.change(&change, |out| {
            put(out, &record)?;
            put_uids(out, &uids)
        })
    }

    /// Reserves what copies will take of the quota.
    fn reserve_copy(&mut self, from: u32, uids: &UidSet, to: u32) -> Result<Option<(u32, u64)>, Refusal> {
        let mailboxes = &self.state.mailboxes;
        let account = mailboxes.get(&to).ok_or(Refusal::NoSuchMailbox)?.account;
        let from = mailboxes.get(&from).ok_or(Refusal::NoSuchMailbox)?;
        let entries = uids.ranges().flat_map(|(first, last)| from.entries.range(first, last));
        let bytes: u64 = entries.map(|entry| self.state.letters.size(entry.letter)).sum();
        let owner = self.state.accounts.get_mut(&account).ok_or(Refusal::NoSuchMailbox)?;
        if !owner.has_room(bytes) {
            return Err(Refusal::OverQuota);
        }
        owner.reserved += bytes;
        Ok(Some((account, bytes)))
    }

    pub(crate) fn show_recent(&mut self, mailbox: MailboxId) -> Uid {
        let Some(known) = self.state.mailboxes.get_mut(&mailbox.0) else { return Uid(1) };
        let first = known.recent_from;
        if first >= known.uid_next {
            return Uid(first);
        }
        let record = Recent { mailbox: mailbox.0, uid: known.uid_next };
        known.recent_from = known.uid_next;
        // When there is no room for the record, a later session shows the messages as recent once more. No harm.
        if self.room_for(Class::Care, RECORD_NUMBERS).is_ok() {
            let change = Change::of(kind::RECENT, &[]);
            let _ = self.put_record(&change, |out| put(out, &record));
        }
        Uid(first)
    }

    /// The messages that `uids` names, and how many they are. UIDs that are no messages are left out at the ends of
    /// runs and taken in between them, so that holes in a mailbox cost nothing.
    fn present(&self, mailbox: u32, uids: &UidSet) -> (UidSet, u32) {
        let Some(mailbox) = self.state.mailboxes.get(&mailbox) else { return (UidSet::new(), 0) };
        let (mut present, mut count) = (UidSet::new(), 0);
        for (first, last) in uids.ranges() {
            let mut ends: Option<(Uid, Uid)> = None;
            for entry in mailbox.entries.range(first, last) {
                ends = Some((ends.map_or(entry.uid, |ends| ends.0), entry.uid));
                count += 1;
            }
            let Some((first, last)) = ends else { continue };
            let hole = present.last().map(|before| Uid(before.0 + 1));
            let joins =
                hole.filter(|hole| mailbox.entries.at_or_after(*hole).is_some_and(|next| next.uid == first));
            present.push_range(joins.unwrap_or(first), last);
        }
        (present, count)
    }
}

impl<'a> Change<'a> {
    /// A change that reserves nothing.
    pub(crate) const fn of(kind: u8, touched: &'a [u32]) -> Self {
        Self { kind, touched, reserved: None }
    }
}

/// Length of a set of UIDs in a record at most.
fn ranges_bytes(uids: &UidSet) -> Result<usize, Refusal> {
    if uids.run_count() > RANGES_MAX { Err(Refusal::Limit) } else { Ok(5 + 10 * uids.run_count()) }
}
