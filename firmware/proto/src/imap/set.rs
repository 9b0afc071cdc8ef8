//! Sets of messages as a client names them (RFC 3501 §9 `sequence-set`), and what they mean in a mailbox.

use alloc::vec::Vec;
use core::num::NonZeroU32;

use mail::{Uid, UidSet};

/// `sequence-set`: ranges in the client's order. `None` stands for `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SequenceSet(pub(super) Vec<(SeqNumber, SeqNumber)>);

/// `seq-number`: a number, or `*`, the largest one in use.
pub(super) type SeqNumber = Option<NonZeroU32>;

/// A message sequence number that no message has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OutOfRange;

impl SequenceSet {
    /// What the set means as sequence numbers of `view`, in UIDs.
    ///
    /// # Errors
    /// [`OutOfRange`] for a number beyond the last message; `*` is one when there is none (RFC 3501 §9).
    pub(super) fn messages(&self, view: &UidSet) -> Result<UidSet, OutOfRange> {
        let last = view.len();
        if self.0.iter().flat_map(|(a, b)| [a, b]).any(|number| value(*number, last) > last || last == 0) {
            return Err(OutOfRange);
        }
        Ok(self.messages_within(view))
    }

    /// The same, with what no message has left out.
    pub(super) fn messages_within(&self, view: &UidSet) -> UidSet {
        let last = view.len();
        let mut found = UidSet::new();
        for (first, end) in self.ascending(last) {
            if let (Some(first), Some(end)) = (view.at(first), view.at(end.min(last))) {
                found.push_range(first, end);
            }
        }
        view.intersection(&found)
    }

    /// What the set means as UIDs; a UID that no message in `view` has is ignored (RFC 3501 §6.4.8).
    pub(super) fn uids(&self, view: &UidSet) -> UidSet {
        let Some(last) = view.last() else { return UidSet::new() };
        let mut named = UidSet::new();
        for (first, end) in self.ascending(last.0) {
            named.push_range(Uid(first), Uid(end));
        }
        view.intersection(&named)
    }

    /// The ranges, sorted and without overlaps. A range may stand either way round: `4:2` is `2:4`, and `9:*` holds
    /// the last message even when it is the third (RFC 3501 §9).
    fn ascending(&self, last: u32) -> Vec<(u32, u32)> {
        let range = |(a, b): &(SeqNumber, SeqNumber)| {
            let (a, b) = (value(*a, last), value(*b, last));
            (a.min(b), a.max(b))
        };
        let mut ranges: Vec<_> = self.0.iter().map(range).collect();
        ranges.sort_unstable();
        ranges.dedup_by(|next, kept| {
            let joins = next.0 <= kept.1;
            if joins {
                kept.1 = kept.1.max(next.1);
            }
            joins
        });
        ranges
    }
}

fn value(number: SeqNumber, last: u32) -> u32 {
    number.map_or(last, NonZeroU32::get)
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(ranges: &[(u32, u32)]) -> SequenceSet {
        SequenceSet(ranges.iter().map(|(a, b)| (NonZeroU32::new(*a), NonZeroU32::new(*b))).collect())
    }

    fn view(uids: &[u32]) -> UidSet {
        uids.iter().copied().map(Uid).collect()
    }

    #[test]
    fn sequence_numbers_count_in_the_view() {
        let view = view(&[10, 20, 30, 40]);
        for (ranges, expected) in [
            (&[(2, 3)][..], Ok(&[20, 30][..])),
            (&[(3, 2)], Ok(&[20, 30])),
            (&[(0, 0)], Ok(&[40])),
            (&[(1, 0)], Ok(&[10, 20, 30, 40])),
            (&[(4, 4), (1, 2), (2, 2)], Ok(&[10, 20, 40])),
            (&[(1, 5)], Err(OutOfRange)),
        ] {
            let found = set(ranges).messages(&view);
            assert_eq!(found.map(|found| found.iter().map(|uid| uid.0).collect::<Vec<_>>()), {
                expected.map(<[u32]>::to_vec)
            });
        }
        assert_eq!(set(&[(1, 0)]).messages(&UidSet::new()), Err(OutOfRange));
        assert_eq!(set(&[(1, 0)]).messages_within(&UidSet::new()), UidSet::new());
    }

    #[test]
    fn a_star_as_uid_is_the_last_message() {
        let view = view(&[10, 20, 30, 40]);
        assert_eq!(set(&[(559, 0)]).uids(&view), UidSet::range(Uid(40), Uid(40)));
        assert_eq!(set(&[(1, u32::MAX), (5, 25)]).uids(&view), view);
        assert_eq!(set(&[(11, 19)]).uids(&view), UidSet::new());
        assert_eq!(set(&[(1, 0)]).uids(&UidSet::new()), UidSet::new());
    }

    proptest! {
        #[test]
        fn sets_mean_what_a_plain_model_says(
            uids in prop::collection::btree_set(1_u32..40, 0..20),
            ranges in prop::collection::vec((0_u32..25, 0_u32..25), 1..6),
        ) {
            let view: UidSet = uids.iter().copied().map(Uid).collect();
            let uids: Vec<u32> = uids.into_iter().collect();
            let named = |last: u32| -> BTreeSet<u32> {
                let value = |n: u32| if n == 0 { last } else { n };
                ranges.iter().flat_map(|(a, b)| {
                    let (a, b) = (value(*a), value(*b));
                    a.min(b)..=a.max(b)
                }).collect()
            };
            let last = uids.last().copied().unwrap_or(0);
            let expected: Vec<u32> = uids.iter().copied().filter(|uid| named(last).contains(uid)).collect();
            prop_assert!(set(&ranges).uids(&view).iter().map(|uid| uid.0).eq(expected));

            let numbers = named(uids.len() as u32);
            let expected: Vec<u32> =
                numbers.iter().filter_map(|n| uids.get((*n as usize).checked_sub(1)?)).copied().collect();
            prop_assert!(set(&ranges).messages_within(&view).iter().map(|uid| uid.0).eq(expected));
        }
    }
}
