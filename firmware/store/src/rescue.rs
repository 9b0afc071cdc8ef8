//! What damage to a checkpoint leaves behind is found again: letters that no mailbox lists any more, because the page
//! that listed them cannot be read, are listed anew. Their commits say where they were delivered.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use flash::FlashQueue;
use mail::{Uid, UidSet};

use crate::Store;
use crate::format::code::{put, put_seq};
use crate::format::frame::kind;
use crate::format::records::{CommitView, Delivery, Expunge, Restore, Restored, put_numbers, put_uids};
use crate::index::State;
use crate::scan::frame_at;

/// Letters that one record lists.
const LETTERS_PER_RECORD: usize = 1_000;

impl<Q: FlashQueue> Store<Q> {
    /// Lists letters anew that nothing lists any more, each in the mailbox to which it was delivered, with the flags
    /// that it had then; where that mailbox is gone, in the INBOX of the same account. They get new UIDs.
    /// Those that were `deleted` are deleted again at once: what was lost is the list of deletions.
    pub(crate) fn rescue_letters(&mut self, deleted: bool) {
        let slots: Vec<u32> = self.state.letters.unreferred().collect();
        let mut found: BTreeMap<u32, Vec<Restored>> = BTreeMap::new();
        for slot in slots {
            let Some(letter) = self.state.letters.get(slot) else { continue };
            let from = self.commit_mark(&letter);
            let frame = frame_at(&mut self.queue, &self.layout, &self.segments, from);
            let commit = frame.as_deref().and_then(CommitView::of_frame);
            let home = commit.and_then(|commit| home_of(&self.state, &commit));
            let Some((mailbox, flags)) = home else { continue };
            found.entry(mailbox).or_default().push(Restored { slot, from, flags });
        }
        for (mailbox, letters) in found {
            for letters in letters.chunks(LETTERS_PER_RECORD) {
                self.restore(mailbox, letters, deleted);
            }
        }
        // Until the next checkpoint every mount finds the same damage.
        self.checkpoints.wanted = true;
    }

    fn restore(&mut self, mailbox: u32, letters: &[Restored], deleted: bool) {
        let modseq = self.state.take_modseq();
        let first = self.state.mailboxes.get_mut(&mailbox).and_then(|to| to.take_uids(letters.len() as u32));
        let Some(first_uid) = first else { return };
        let mut payload = Vec::new();
        // Encoding into memory cannot fail.
        let _ = put(&mut payload, &Restore { mailbox, first_uid, modseq });
        let _ = put_seq(&mut payload, letters.iter().copied());
        let _ = put_numbers(&mut payload, &[]);
        self.repair(kind::RESTORE, &payload);
        if deleted {
            self.delete_again(
                mailbox,
                UidSet::range(Uid(first_uid), Uid(first_uid + letters.len() as u32 - 1)),
            );
        }
    }

    fn delete_again(&mut self, mailbox: u32, uids: UidSet) {
        let (modseq, first) = (self.state.take_modseq(), self.state.take_deletions(uids.len().into()));
        let mut payload = Vec::new();
        let _ = put(&mut payload, &Expunge { mailbox, modseq, time: 0, first });
        let _ = put_uids(&mut payload, &uids);
        self.repair(kind::EXPUNGE, &payload);
    }
}

/// The mailbox in which a letter is listed anew, and its flags there.
fn home_of(state: &State, commit: &CommitView<'_>) -> Option<(u32, u64)> {
    let listed = |delivery: &Delivery| state.mailboxes.contains_key(&delivery.mailbox);
    if let Some(delivery) = commit.deliveries().find(listed) {
        return Some((delivery.mailbox, delivery.flags));
    }
    let inbox = |delivery: Delivery| state.accounts.get(&delivery.account)?.inbox();
    commit.deliveries().find_map(inbox).map(|mailbox| (mailbox, 0))
}
