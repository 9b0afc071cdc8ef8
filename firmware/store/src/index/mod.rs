//! Everything the store knows in memory: a pure function of the records applied so far. Touches no device.
//!
//! [`State::apply`] is the one way in, for replay at a mount and for changes whose barrier has ended alike; so what a
//! session sees is what a mount would find.

mod account;
mod apply;
mod deletions;
mod directory;
mod entries;
mod letters;
mod mailbox;
mod mailboxes;
mod messages;
mod page;
mod removal;
mod rows;
mod secret;

#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use mail::{MailboxId, Modseq, OUTBOUND};

pub(crate) use account::{Account, FIRST_MAILBOXES};
pub(crate) use deletions::{Deletion, DeletionPage, Deletions};
pub(crate) use directory::{Directory, lower};
pub(crate) use entries::{Entry, EntryPage};
pub(crate) use letters::{Letter, LetterPage, Letters, PAGE_SLOTS};
pub(crate) use mailbox::{Mailbox, special_use_code};
pub(crate) use page::{Home, Page};
pub(crate) use secret::Secret;

use crate::format::records::NewMailboxes;
use crate::limits::MODSEQ_MAX;
use crate::segments::Segments;

/// The account that has the outbound queue: no account has this number.
pub(crate) const NOBODY: u32 = 0;

/// Numbers that only go up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counters {
    pub(crate) modseq: u64,
    pub(crate) letter: u64,
    pub(crate) mailbox: u32,
    pub(crate) account: u32,
    pub(crate) uid_validity: u32,
    pub(crate) deletion: u64,
}

/// The state.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) accounts: BTreeMap<u32, Account>,
    pub(crate) mailboxes: BTreeMap<u32, Mailbox>,
    pub(crate) letters: Letters,
    pub(crate) deletions: Deletions,
    pub(crate) directory: Directory,
    pub(crate) settings: BTreeMap<Box<str>, Secret>,
    /// Bytes of their values.
    pub(crate) settings_bytes: u64,
    pub(crate) next: Counters,
    /// Messages in all mailboxes.
    pub(crate) messages: u64,
    /// Mailboxes that changed since they were last asked for.
    changed: Vec<MailboxId>,
    /// Set while replaying a log in which something could not be read.
    pub(crate) rescue: Option<Rescue>,
}

/// What replay must know to keep letters whose mailbox was lost to damage.
#[derive(Debug, Default)]
pub(crate) struct Rescue {
    /// Mailboxes that are gone because someone deleted them.
    deleted: BTreeSet<u32>,
    /// So are those with numbers below this that the checkpoint does not have.
    pub(crate) below: u32,
    /// Something was lost before the present record.
    pub(crate) damaged: bool,
}

impl State {
    /// An empty state whose UIDVALIDITYs begin at `uid_validity`. The outbound queue is always there.
    pub(crate) fn new(uid_validity: u32) -> Self {
        let outbound = Mailbox::new(NOBODY, "", 1, 0);
        Self {
            accounts: BTreeMap::new(),
            mailboxes: BTreeMap::from([(OUTBOUND.0, outbound)]),
            letters: Letters::default(),
            deletions: Deletions::default(),
            directory: Directory::default(),
            settings: BTreeMap::new(),
            settings_bytes: 0,
            next: Counters { modseq: 1, letter: 1, mailbox: 1, account: 1, uid_validity, deletion: 0 },
            messages: 0,
            changed: Vec::new(),
            rescue: None,
        }
    }

    /// The mailboxes that changed since the last call.
    pub(crate) fn take_changed(&mut self) -> Vec<MailboxId> {
        for id in &self.changed {
            if let Some(mailbox) = self.mailboxes.get_mut(&id.0) {
                mailbox.noted = false;
            }
        }
        core::mem::take(&mut self.changed)
    }

    /// A MODSEQ for a record in the making.
    pub(crate) const fn take_modseq(&mut self) -> u64 {
        let modseq = self.next.modseq;
        if modseq < MODSEQ_MAX {
            self.next.modseq += 1;
        }
        modseq
    }

    /// A letter's number for a record in the making.
    pub(crate) const fn take_letter(&mut self) -> u64 {
        self.next.letter += 1;
        self.next.letter - 1
    }

    /// Numbers for `count` mailboxes of a record in the making; `None` when they run out.
    pub(crate) fn take_mailboxes(&mut self, count: u32) -> Option<NewMailboxes> {
        let mailbox = self.next.mailbox.checked_add(count)?;
        let uid_validity = self.next.uid_validity.checked_add(count)?;
        let new = NewMailboxes {
            first_id: self.next.mailbox,
            uid_validity: self.next.uid_validity,
            modseq: self.take_modseq(),
        };
        (self.next.mailbox, self.next.uid_validity) = (mailbox, uid_validity);
        Some(new)
    }

    /// An account's number for a record in the making; `None` when they run out.
    pub(crate) fn take_account(&mut self) -> Option<u32> {
        let account = self.next.account;
        self.next.account = account.checked_add(1)?;
        Some(account)
    }

    /// Numbers for `count` deletions of a record in the making: the first one.
    pub(crate) const fn take_deletions(&mut self, count: u64) -> u64 {
        let first = self.next.deletion;
        self.next.deletion = first.saturating_add(count);
        first
    }

    /// Keeps the counters above what a record says.
    fn saw_modseq(&mut self, modseq: u64) -> Modseq {
        let modseq = modseq.min(MODSEQ_MAX);
        self.next.modseq = self.next.modseq.max(modseq.saturating_add(1)).min(MODSEQ_MAX);
        Modseq(modseq)
    }

    fn note(&mut self, id: u32) {
        if let Some(mailbox) = self.mailboxes.get_mut(&id) {
            mailbox::note(mailbox, id, &mut self.changed);
        }
    }

    /// Counts what an account uses up or down.
    fn use_bytes(&mut self, account: u32, more: u64, less: u64) {
        if let Some(account) = self.accounts.get_mut(&account) {
            account.used = account.used.saturating_add(more).saturating_sub(less);
        }
    }

    /// Takes keywords back that have been given out: there is no room for their definitions, nor for what uses them.
    pub(crate) fn forget_pending_keywords(&mut self) {
        self.accounts.values_mut().for_each(|account| account.pending_keywords.clear());
    }

    /// Counts a reservation of an account down.
    pub(crate) fn unreserve(&mut self, account: u32, bytes: u64) {
        if let Some(account) = self.accounts.get_mut(&account) {
            account.reserved = account.reserved.saturating_sub(bytes);
        }
    }
}

/// Drops one reference to a letter, and with the last one what it keeps alive on flash. Returns its size.
fn release(letters: &mut Letters, segments: &mut Segments, slot: u32) -> u64 {
    let size = letters.size(slot);
    if let Some(letter) = letters.release(slot) {
        let_go(segments, &letter);
    }
    size
}

/// Drops the reference of a deletion to a letter; see [`release`].
fn release_deletion(letters: &mut Letters, segments: &mut Segments, slot: u32) {
    if let Some(letter) = letters.release_deletion(slot) {
        let_go(segments, &letter);
    }
}

/// Counts a letter in the segments that it keeps alive.
fn keep(segments: &mut Segments, letter: &Letter) {
    segments.keep(letter.place.segment, letter.meta_bytes);
    letter.body.parts().for_each(|(segment, bytes)| segments.keep(segment, bytes));
}

/// Counts a letter out of the segments that it kept alive.
fn let_go(segments: &mut Segments, letter: &Letter) {
    segments.let_go(letter.place.segment, letter.meta_bytes);
    letter.body.parts().for_each(|(segment, bytes)| segments.let_go(segment, bytes));
}

/// Counts pages that are no more out of their segments.
fn leave(segments: &mut Segments, homes: impl IntoIterator<Item = Home>) {
    homes.into_iter().for_each(|home| segments.let_go(home.segment, home.span));
}
