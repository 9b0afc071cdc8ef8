//! A session's view of its selected mailbox: which messages it has told its client of, under which numbers, and up to
//! which change. Only `sync` moves it on.

use mail::{Mail, MailboxId, Modseq, Status, Uid, UidSet};

/// The selected mailbox as the client knows it.
#[derive(Debug)]
pub(super) struct View {
    pub(super) mailbox: MailboxId,
    /// Nothing in it can be changed: it was opened with EXAMINE, or the flash takes no changes.
    pub(super) read_only: bool,
    /// Messages, by position the message sequence numbers. A message that was expunged stays until the client has
    /// been told.
    pub(super) uids: UidSet,
    /// Those that are `\Recent` in this session.
    pub(super) recent: UidSet,
    /// All changes up to this one have been told.
    pub(super) synced: Modseq,
    /// All removals up to this one have been told: `uids` has no message that was gone by then.
    pub(super) checked: Modseq,
    /// How many keywords the client has been told of.
    pub(super) keywords: usize,
}

impl View {
    /// Whether messages may be gone that the client has not been told of.
    pub(super) fn may_have_ghosts(&self, status: &Status) -> bool {
        status.removed_modseq > self.checked
    }

    /// How many messages are `\Recent` here.
    pub(super) fn recent_count(&self) -> u32 {
        self.recent.intersection(&self.uids).len()
    }

    /// Takes messages that have just come into the view, and makes those recent that no other session has shown.
    /// EXAMINE leaves them recent for the next session (RFC 3501 §6.3.2).
    pub(super) fn take_in(&mut self, arrived: &UidSet, mail: &mut dyn Mail) {
        let (Some(_), Some(last)) = (arrived.first(), arrived.last()) else { return };
        let recent_from = if self.read_only {
            mail.status(self.mailbox).map_or(Uid(u32::MAX), |status| status.recent_from)
        } else {
            mail.claim_recent(self.mailbox)
        };
        let recent = arrived.intersection(&UidSet::range(recent_from, last));
        for (first, last) in recent.ranges() {
            self.recent.push_range(first, last);
        }
        for (first, last) in arrived.ranges() {
            self.uids.push_range(first, last);
        }
    }
}

/// The members of `left` that `right` has not.
pub(super) fn difference(left: &UidSet, right: &UidSet) -> UidSet {
    let mut only_left = UidSet::new();
    let mut right = right.ranges().peekable();
    for (first, last) in left.ranges() {
        let mut from = first;
        while let Some((covered_from, covered_to)) = right.peek().copied() {
            if covered_to < from {
                right.next();
                continue;
            }
            if covered_from > last {
                break;
            }
            if covered_from > from {
                only_left.push_range(from, Uid(covered_from.0 - 1));
            }
            // UIDs end at 2^32 - 1; beyond the last there is nothing left of this range.
            let Some(next) = covered_to.0.checked_add(1) else { return only_left };
            from = Uid(next);
            if from > last {
                break;
            }
        }
        only_left.push_range(from, last);
    }
    only_left
}

#[cfg(test)]
mod tests {
    use alloc::{collections::BTreeSet, vec::Vec};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn difference_is_what_only_the_left_has(
            left in prop::collection::btree_set(1_u32..40, 0..30),
            right in prop::collection::btree_set(1_u32..40, 0..30),
        ) {
            let set = |model: &BTreeSet<u32>| model.iter().copied().map(Uid).collect::<UidSet>();
            let found: Vec<u32> = difference(&set(&left), &set(&right)).iter().map(|uid| uid.0).collect();
            let expected: Vec<u32> = left.difference(&right).copied().collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn the_last_uid_of_all_is_no_stumbling_block() {
        let all = UidSet::range(Uid(1), Uid(u32::MAX));
        assert_eq!(difference(&all, &all), UidSet::new());
        assert_eq!(difference(&all, &UidSet::range(Uid(2), Uid(u32::MAX))), UidSet::range(Uid(1), Uid(1)));
    }
}
