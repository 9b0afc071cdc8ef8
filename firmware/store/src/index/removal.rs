//! What becomes of messages that are removed: listed as deletions, brought back, or forgotten.

use alloc::vec::Vec;

use mail::{Flags, Receipt, Refusal, Uid, UnixTime};

use super::apply::Applied;
use super::deletions::{Deletion, Deletions};
use super::entries::Entry;
use super::letters::Letters;
use super::{State, leave, release, release_deletion};
use crate::format::code::{Items, take};
use crate::format::records::{Forget, Relist, Restored, number_ranges};
use crate::segments::Segments;

/// Lists the messages that one record removes, under numbers that count up.
pub(super) struct Bin<'a> {
    next: u64,
    time: Option<UnixTime>,
    letters: &'a mut Letters,
    deletions: &'a mut Deletions,
}

impl<'a> Bin<'a> {
    /// Begins at the number that the record says; only a log with a gap can say one that has been used.
    pub(super) fn new(
        (first, time): (u64, i64),
        letters: &'a mut Letters,
        deletions: &'a mut Deletions,
    ) -> Self {
        let time = Some(UnixTime(time)).filter(|time| time.0 > 0);
        Self { next: first.max(deletions.end()), time, letters, deletions }
    }

    /// Lists a message that is removed from a mailbox, given as (account, mailbox). Returns its size.
    pub(super) fn put(
        &mut self,
        segments: &mut Segments,
        (account, mailbox): (u32, u32),
        entry: &Entry,
    ) -> u64 {
        // The greatest number stands for "no more numbers".
        if self.next < u64::MAX && self.letters.refer_deletion(entry.letter) {
            let (letter, flags, time) = (entry.letter, entry.flags, self.time);
            self.deletions.push(self.next, &Deletion { account, mailbox, letter, flags, time });
            self.next += 1;
        }
        release(self.letters, segments, entry.letter)
    }
}

/// The letters that an account has, as messages or as deletions: a page that could not be read when a record listed its
/// letters anew can be read again sometimes, and nothing is to be there twice.
pub(super) struct Listed {
    account: u32,
    /// By slot, once somebody has asked for one that is referred to.
    letters: Option<Vec<u32>>,
}

impl Listed {
    pub(super) const fn of(account: u32) -> Self {
        Self { account, letters: None }
    }

    /// Whether the account has the letter in a slot.
    pub(super) fn has(&mut self, state: &State, slot: u32) -> bool {
        if state.letters.references(slot).is_none() {
            return false;
        }
        let account = self.account;
        let letters = self.letters.get_or_insert_with(|| {
            let mailboxes = state.mailboxes.values().filter(|mailbox| mailbox.account == account);
            let messages = mailboxes.flat_map(|mailbox| mailbox.entries.iter()).map(|entry| entry.letter);
            let deletions = state.deletions.iter().map(|(_, deletion)| deletion);
            let deletions = deletions.filter(|deletion| deletion.account == account);
            let mut letters: Vec<u32> = messages.chain(deletions.map(|deletion| deletion.letter)).collect();
            letters.sort_unstable();
            letters
        });
        letters.binary_search(&slot).is_ok()
    }
}

impl State {
    pub(super) fn apply_forget(&mut self, segments: &mut Segments, mut payload: &[u8]) -> Applied {
        let record: Forget = take(&mut payload).ok_or(Refusal::NotDurable)?;
        self.forget(segments, (0, record.below), |_| true);
        for range in number_ranges(payload) {
            self.forget(segments, range, |_| true);
        }
        Ok(Receipt::default())
    }

    /// Lists letters as deletions whose deletions were lost. A second time it does nothing: what has its number is
    /// listed already.
    pub(super) fn apply_relist(&mut self, segments: &Segments, mut payload: &[u8]) -> Applied {
        let record: Relist = take(&mut payload).ok_or(Refusal::NotDurable)?;
        let letters = Items::<Restored>::new(payload).ok_or(Refusal::NotDurable)?;
        let account = self.mailboxes.get(&record.mailbox).ok_or(Refusal::NoSuchMailbox)?.account;
        let mut listed = Listed::of(account);
        for (number, Restored { slot, from, flags }) in (record.first..u64::MAX).zip(letters) {
            let is_listed = self.deletions.get(number).is_some_and(|known| known.letter == slot)
                || listed.has(self, slot);
            let number = number.max(self.deletions.end());
            let stands = self.stands(segments, &Restored { slot, from, flags });
            if is_listed || number == u64::MAX || !stands || !self.letters.refer_deletion(slot) {
                continue;
            }
            let mailbox = record.mailbox;
            let deletion = Deletion { account, mailbox, letter: slot, flags: Flags(flags), time: None };
            self.deletions.push(number, &deletion);
        }
        self.next.deletion = self.next.deletion.max(self.deletions.end());
        Ok(Receipt::default())
    }

    /// Takes the deletions off the list that have numbers in a range and that `goes` means, and lets their letters go.
    pub(super) fn forget(
        &mut self,
        segments: &mut Segments,
        range: (u64, u64),
        goes: impl Fn(&Deletion) -> bool,
    ) {
        let letters = &mut self.letters;
        self.deletions.take(range, |deletion| {
            let goes = goes(deletion);
            if goes {
                release_deletion(letters, segments, deletion.letter);
            }
            goes
        });
        leave(segments, self.deletions.take_left());
    }

    /// Takes an account's deletions off the list and gives their letters, referred to once more, and their flags, to
    /// be listed in a mailbox of the same account.
    pub(super) fn undelete(
        &mut self,
        segments: &mut Segments,
        account: u32,
        numbers: &[u8],
    ) -> Vec<(Uid, u32, Flags)> {
        let mut taken = Vec::new();
        for range in number_ranges(numbers) {
            let letters = &mut self.letters;
            self.deletions.take(range, |deletion| {
                let goes = deletion.account == account && letters.refer(deletion.letter);
                if goes {
                    release_deletion(letters, segments, deletion.letter);
                    taken.push((Uid(0), deletion.letter, deletion.flags));
                }
                goes
            });
        }
        leave(segments, self.deletions.take_left());
        taken
    }
}
