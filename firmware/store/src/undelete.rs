//! Deletions as people see them: listed by account, brought back with their flags under new UIDs, or deleted for good.

use alloc::boxed::Box;
use alloc::vec::Vec;

use flash::FlashQueue;
use mail::{
    AccountId, Flags, MailboxId, MailboxName, Receipt, Record, Refusal, Stop, Ticket, UnixTime, Unready,
};

use crate::Store;
use crate::changes::Change;
use crate::format::code::{put, put_seq};
use crate::format::frame::{FRAME_BYTES, kind};
use crate::format::records::{Forget, Restore, Restored, put_numbers};
use crate::index;
use crate::limits::{DELETIONS_LOOKED_MAX, DELETIONS_PER_CHANGE_MAX};
use crate::log::Class;

/// Length of a record without its numbers at most, and of one number.
const RECORD_NUMBERS: usize = FRAME_BYTES + 64;
/// See [`RECORD_NUMBERS`].
const NUMBER_BYTES: usize = 20;

/// A message that was expunged and can be brought back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// What it is called among all deletions of the store; the greater, the later. No other one is ever called so.
    pub number: u64,
    /// The name of the mailbox that it was in: as it is now, or as it was when it was deleted itself. `None` when damage
    /// took the name, or [`GONE_MAX`](crate::limits::GONE_MAX) mailboxes that were made later are gone, too.
    pub mailbox: Option<MailboxName>,
    /// That mailbox is gone.
    pub gone: bool,
    /// The flags that it had.
    pub flags: Flags,
    /// When it was expunged; `None` when the time was not known then.
    pub time: Option<UnixTime>,
    /// Size of the letter in bytes.
    pub size: u64,
    /// When the letter came in.
    pub received: UnixTime,
    /// The time zone of that, in minutes east of UTC.
    pub zone_minutes: i16,
}

/// Some deletions of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deletions {
    /// The newest one first.
    pub found: Vec<Deletion>,
    /// Below this number there may be more; `None` when there are no more.
    pub below: Option<u64>,
}

/// What deletions hold of the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// How many there are, of all accounts.
    pub count: u64,
    /// Bytes of flash that letters take which nothing else keeps, about.
    pub bytes: u64,
    /// When the oldest one was deleted, if that is known.
    pub oldest: Option<UnixTime>,
}

impl<Q: FlashQueue> Store<Q> {
    /// Lists at most `count` deletions of an account with numbers below `below` (of all for `None`), the newest one
    /// first. Does bounded work, so it may give fewer, even none, and say where to go on.
    pub fn deletions(&self, account: AccountId, below: Option<u64>, count: usize) -> Deletions {
        let mut listed = Deletions::default();
        let all = self.state.deletions.below(below.unwrap_or(u64::MAX));
        for (looked, (number, deletion)) in all.enumerate() {
            if looked >= DELETIONS_LOOKED_MAX || listed.found.len() >= count {
                listed.below = Some(number + 1);
                break;
            }
            if deletion.account == account.0 {
                listed.found.extend(self.describe(number, &deletion));
            }
        }
        listed
    }

    /// One deletion of an account.
    pub fn deletion(&self, account: AccountId, number: u64) -> Option<Deletion> {
        let deletion = self.state.deletions.get(number).filter(|found| found.account == account.0)?;
        self.describe(number, &deletion)
    }

    fn describe(&self, number: u64, deletion: &index::Deletion) -> Option<Deletion> {
        let letter = self.state.letters.get(deletion.letter)?;
        let mailbox = self.state.mailboxes.get(&deletion.mailbox).map(|mailbox| &mailbox.name);
        let gone = mailbox.is_none();
        let name: Option<&Box<str>> =
            mailbox.or_else(|| self.state.deletions.gone(deletion.mailbox).map(|gone| &gone.name));
        Some(Deletion {
            number,
            mailbox: name.and_then(|name| MailboxName::new(name).ok()),
            gone,
            flags: deletion.flags,
            time: deletion.time,
            size: letter.size.into(),
            received: letter.received,
            zone_minutes: letter.zone_minutes,
        })
    }

    /// What the metadata holds of a deleted letter. Never touches its body.
    ///
    /// # Errors
    /// [`Unready`].
    pub fn deletion_record(&mut self, account: AccountId, number: u64) -> Result<Record<'_>, Unready> {
        let deletion = self.state.deletions.get(number).filter(|found| found.account == account.0);
        let letter = deletion.and_then(|deletion| self.state.letters.get(deletion.letter));
        let at = self.commit_mark(&letter.ok_or(Unready::Gone)?);
        let commit = self.read_commit(at)?.commit;
        Ok(Record { head: commit.head.0, summary: commit.summary.0 })
    }

    /// Brings deletions of an account back into one of its mailboxes, in the order of their numbers, with their flags
    /// and under new UIDs; the receipt has those. One change: no cut leaves a message in both places or in neither.
    /// Numbers that are not listed, or not for this account, are passed over.
    ///
    /// # Errors
    /// [`Refusal::NoSuchMailbox`] when the account has no such mailbox, [`Refusal::OverQuota`], [`Refusal::Limit`] for
    /// more than [`DELETIONS_PER_CHANGE_MAX`] numbers, and those of every change.
    pub fn undelete(&mut self, account: AccountId, numbers: &[u64], to: MailboxId) -> Result<Ticket, Stop> {
        let mailbox = self.state.mailboxes.get(&to.0).filter(|mailbox| mailbox.account == account.0);
        let uid_validity = mailbox.ok_or(Refusal::NoSuchMailbox)?.uid_validity;
        let numbers = self.listed(account, numbers)?;
        if numbers.is_empty() {
            let nothing = Ticket::pending();
            nothing.settle(Ok(Receipt { uid_validity, ..Receipt::default() }));
            return Ok(nothing);
        }
        self.room_for(Class::Care, RECORD_NUMBERS + NUMBER_BYTES * numbers.len())?;
        let bytes = self.reserve_deletions(account, &numbers)?;
        let first_uid = self.state.mailboxes.get_mut(&to.0).and_then(|to| to.take_uids(numbers.len() as u32));
        let Some(first_uid) = first_uid else {
            self.state.unreserve(account.0, bytes);
            return Err(Refusal::Limit.into());
        };
        let record = Restore { mailbox: to.0, first_uid, modseq: self.state.take_modseq() };
        let touched = [to.0];
        let change = Change { reserved: Some((account.0, bytes)), ..Change::of(kind::RESTORE, &touched) };
        self.change(&change, |out| {
            put(out, &record)?;
            put_seq(out, core::iter::empty::<Restored>())?;
            put_numbers(out, &numbers)
        })
    }

    /// Deletes deletions of an account for good: their space is gained at the next occasion. Numbers that are not listed,
    /// or not for this account, are passed over.
    ///
    /// # Errors
    /// [`Refusal::Limit`] for more than [`DELETIONS_PER_CHANGE_MAX`] numbers, and those of every change.
    pub fn delete_for_good(&mut self, account: AccountId, numbers: &[u64]) -> Result<Ticket, Stop> {
        let numbers = self.listed(account, numbers)?;
        if numbers.is_empty() {
            return Ok(Ticket::durable());
        }
        self.room_for(Class::Care, RECORD_NUMBERS + NUMBER_BYTES * numbers.len())?;
        self.change(&Change::of(kind::FORGET, &[]), |out| {
            put(out, &Forget { below: 0 })?;
            put_numbers(out, &numbers)
        })
    }

    /// The numbers that are listed for an account, ascending, each once.
    fn listed(&self, account: AccountId, numbers: &[u64]) -> Result<Vec<u64>, Refusal> {
        if numbers.len() > DELETIONS_PER_CHANGE_MAX {
            return Err(Refusal::Limit);
        }
        let ours = |number: &u64| {
            self.state.deletions.get(*number).is_some_and(|deletion| deletion.account == account.0)
        };
        let mut listed: Vec<u64> = numbers.iter().copied().filter(ours).collect();
        listed.sort_unstable();
        listed.dedup();
        Ok(listed)
    }

    /// Reserves what deletions will take of the quota once they are messages again.
    fn reserve_deletions(&mut self, account: AccountId, numbers: &[u64]) -> Result<u64, Refusal> {
        let letters = numbers.iter().filter_map(|number| self.state.deletions.get(*number));
        let bytes = letters.map(|deletion| self.state.letters.size(deletion.letter)).sum();
        let owner = self.state.accounts.get_mut(&account.0).ok_or(Refusal::NoSuchMailbox)?;
        if !owner.has_room(bytes) {
            return Err(Refusal::OverQuota);
        }
        owner.reserved += bytes;
        Ok(bytes)
    }

    /// What deletions hold.
    pub fn deleted(&self) -> Deleted {
        let oldest = self.state.deletions.iter().next().and_then(|(_, deletion)| deletion.time);
        let (count, bytes) = (self.state.deletions.len(), self.state.letters.deleted().bytes);
        Deleted { count, bytes, oldest }
    }
}
