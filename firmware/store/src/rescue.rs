//! What damage to a checkpoint leaves behind is found again: letters that nothing lists any more, because the page that
//! listed them cannot be read, are listed anew. Their commits say where they were delivered.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use flash::FlashQueue;
use mail::{Flags, OUTBOUND, Outbound};

use crate::Store;
use crate::format::Mark;
use crate::format::code::{put, put_seq};
use crate::format::frame::kind;
use crate::format::records::{CommitView, Delivery, Relist, Restore, Restored, put_numbers};
use crate::index::{NOBODY, State};
use crate::scan::frame_at;

/// Letters that one record lists.
const LETTERS_PER_RECORD: usize = 1_000;

/// Letters by the mailboxes in which, or as deleted from which, they are listed anew.
type Homes = BTreeMap<u32, Vec<Restored>>;

/// Where a letter was delivered: account, mailbox, flags.
type Delivered = (u32, u32, u64);

/// What of a checkpoint could not be read.
struct Lost {
    /// Accounts of whose mailboxes pages are lost; `None` for any.
    accounts: Option<BTreeSet<u32>>,
    /// Pages of deletions are, or of a mailbox that has been deleted since.
    deletions: bool,
}

impl Lost {
    fn of(pages: &BTreeMap<Mark, Option<Vec<u32>>>, state: &State) -> Self {
        let mut lost = Self { accounts: Some(BTreeSet::new()), deletions: false };
        for mailboxes in pages.values() {
            let Some(mailboxes) = mailboxes else {
                lost.accounts = None;
                continue;
            };
            let known: Vec<u32> =
                mailboxes.iter().filter_map(|id| Some(state.mailboxes.get(id)?.account)).collect();
            lost.deletions |= known.is_empty();
            lost.accounts.iter_mut().for_each(|accounts| accounts.extend(&known));
        }
        lost
    }

    fn concerns(&self, account: u32) -> bool {
        self.accounts.as_ref().is_none_or(|accounts| accounts.contains(&account))
    }
}

impl<Q: FlashQueue> Store<Q> {
    /// Lists letters anew that nothing lists any more: for each account that they were delivered to, and that has lost
    /// a page, in the mailbox that they were delivered to, under a new UID, with the flags that they had then. Where
    /// that mailbox is gone, in INBOX. Letters that no such account had were deleted, if a page of deletions is lost.
    pub(crate) fn rescue_letters(&mut self, pages: &BTreeMap<Mark, Option<Vec<u32>>>) {
        let lost = Lost::of(pages, &self.state);
        let slots: Vec<u32> = self.state.letters.unreferred().collect();
        let (mut messages, mut deletions) = (Homes::new(), Homes::new());
        for slot in slots {
            let Some(letter) = self.state.letters.get(slot) else { continue };
            let from = self.commit_mark(&letter);
            let frame = frame_at(&mut self.queue, &self.layout, &self.segments, from);
            let Some(commit) = frame.as_deref().and_then(CommitView::of_frame) else { continue };
            let delivered = delivered(&self.state, &commit);
            let is_message = delivered.iter().any(|(account, _, _)| lost.concerns(*account));
            let homes = if lost.deletions && !is_message { &mut deletions } else { &mut messages };
            // Who had it as a message when nobody seems to have: the first one.
            let first = usize::from(!lost.deletions && !is_message);
            let theirs = delivered.iter().enumerate().filter(|(at, (account, _, _))| {
                *at < first || !is_message && lost.deletions || lost.concerns(*account)
            });
            for (_, (_, mailbox, flags)) in theirs {
                homes.entry(*mailbox).or_default().push(Restored { slot, from, flags: *flags });
            }
        }
        self.list_again(&messages, Self::restore);
        self.list_again(&deletions, Self::relist);
        // Until the next checkpoint every mount finds the same damage.
        self.checkpoints.wanted = true;
    }

    fn list_again(&mut self, homes: &Homes, list: impl Fn(&mut Self, u32, &[Restored])) {
        for (mailbox, letters) in homes {
            letters.chunks(LETTERS_PER_RECORD).for_each(|letters| list(self, *mailbox, letters));
        }
    }

    fn restore(&mut self, mailbox: u32, letters: &[Restored]) {
        let modseq = self.state.take_modseq();
        let first = self.state.mailboxes.get_mut(&mailbox).and_then(|to| to.take_uids(letters.len() as u32));
        let Some(first_uid) = first else { return };
        let mut payload = Vec::new();
        // Encoding into memory cannot fail.
        let _ = put(&mut payload, &Restore { mailbox, first_uid, modseq });
        let _ = put_seq(&mut payload, letters.iter().copied());
        let _ = put_numbers(&mut payload, &[]);
        self.repair(kind::RESTORE, &payload);
    }

    fn relist(&mut self, mailbox: u32, letters: &[Restored]) {
        let first = self.state.take_deletions(letters.len() as u64);
        let mut payload = Vec::new();
        // As above.
        let _ = put(&mut payload, &Relist { mailbox, first });
        let _ = put_seq(&mut payload, letters.iter().copied());
        self.repair(kind::RELIST, &payload);
    }
}

/// Where a letter was delivered, each account once, as far as they are there.
fn delivered(state: &State, commit: &CommitView<'_>) -> Vec<Delivered> {
    let mut found: Vec<Delivered> = Vec::new();
    let mut note = |delivered: Delivered| {
        if !found.iter().any(|(account, _, _)| *account == delivered.0) {
            found.push(delivered);
        }
    };
    let is_there = |mailbox: &u32| state.mailboxes.contains_key(mailbox);
    let is_queued = |delivery: &Delivery| delivery.mailbox == OUTBOUND.0;
    let here = commit.deliveries().filter(|delivery| !is_queued(delivery));
    for delivery in here.filter(|delivery| is_there(&delivery.mailbox)) {
        note((delivery.account, delivery.mailbox, delivery.flags));
    }
    for delivery in commit.deliveries() {
        if let Some(inbox) = state.accounts.get(&delivery.account).and_then(|owner| owner.inbox()) {
            note((delivery.account, inbox, 0));
        }
    }
    // Nobody knows which recipients outside had it already: a person decides whether it is sent (again).
    let held = |delivery: Delivery| {
        let outbound = Outbound { held: true, ..Outbound::from_flags(Flags(delivery.flags)) };
        (NOBODY, OUTBOUND.0, outbound.to_flags().0)
    };
    found.extend(commit.deliveries().filter(is_queued).map(held));
    found
}
