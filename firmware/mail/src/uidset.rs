//! Sets of UIDs as runs: a mailbox of ten thousand messages is a few runs, not ten thousand numbers.

use alloc::vec::Vec;

use crate::Uid;

/// A sorted set of UIDs. It knows positions as well, so it serves as a session's message sequence numbers
/// (RFC 3501 §2.3.1.2): position 1 is the smallest UID.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UidSet {
    runs: Vec<Run>,
}

/// UIDs `first..=last`, with `before` members of the set below them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    first: u32,
    last: u32,
    before: u32,
}

impl Run {
    const fn len(self) -> u32 {
        self.last - self.first + 1
    }
}

impl UidSet {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self { runs: Vec::new() }
    }

    /// The UIDs `first..=last`; empty when `last < first`.
    #[must_use]
    pub fn range(first: Uid, last: Uid) -> Self {
        let mut set = Self::new();
        set.push_range(first, last);
        set
    }

    /// Number of members.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.runs.last().map_or(0, |run| run.before + run.len())
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The smallest member.
    #[must_use]
    pub fn first(&self) -> Option<Uid> {
        self.runs.first().map(|run| Uid(run.first))
    }

    /// The greatest member.
    #[must_use]
    pub fn last(&self) -> Option<Uid> {
        self.runs.last().map(|run| Uid(run.last))
    }

    /// Number of runs: what the set costs, 12 bytes each.
    #[must_use]
    pub const fn run_count(&self) -> usize {
        self.runs.len()
    }

    /// The runs as inclusive ranges, in order.
    pub fn ranges(&self) -> impl Iterator<Item = (Uid, Uid)> + '_ {
        self.runs.iter().map(|run| (Uid(run.first), Uid(run.last)))
    }

    /// The members in order.
    pub fn iter(&self) -> impl Iterator<Item = Uid> + '_ {
        self.runs.iter().flat_map(|run| (run.first..=run.last).map(Uid))
    }

    /// Adds a UID greater than all members; a smaller one goes the slow way through [`insert`](Self::insert).
    pub fn push(&mut self, uid: Uid) {
        self.push_range(uid, uid);
    }

    /// Adds `first..=last`, in constant time when all of it lies above the greatest member.
    pub fn push_range(&mut self, first: Uid, last: Uid) {
        if last < first {
            return;
        }
        let len = self.len();
        match self.runs.last_mut() {
            Some(run) if first.0 <= run.last => (first.0..=last.0).for_each(|uid| self.insert(Uid(uid))),
            Some(run) if first.0 - 1 == run.last => run.last = last.0,
            _ => self.runs.push(Run { first: first.0, last: last.0, before: len }),
        }
    }

    /// Adds a UID anywhere.
    pub fn insert(&mut self, uid: Uid) {
        let at = self.runs.partition_point(|run| run.last < uid.0);
        if self.runs.get(at).is_some_and(|run| run.first <= uid.0) {
            return;
        }
        let joins_left = at > 0 && self.runs.get(at - 1).is_some_and(|run| run.last + 1 == uid.0);
        let joins_right = self.runs.get(at).is_some_and(|run| run.first - 1 == uid.0);
        match (joins_left, joins_right) {
            (true, true) => {
                let right = self.runs.remove(at);
                self.runs[at - 1].last = right.last;
            }
            (true, false) => self.runs[at - 1].last = uid.0,
            (false, true) => self.runs[at].first = uid.0,
            (false, false) => self.runs.insert(at, Run { first: uid.0, last: uid.0, before: 0 }),
        }
        self.recount(at.saturating_sub(1));
    }

    /// Removes a UID and says at which position (from 1) it stood.
    pub fn remove(&mut self, uid: Uid) -> Option<u32> {
        let position = self.position(uid)?;
        let at = self.runs.partition_point(|run| run.last < uid.0);
        let run = *self.runs.get(at)?;
        match (run.first == uid.0, run.last == uid.0) {
            (true, true) => {
                self.runs.remove(at);
            }
            (true, false) => self.runs[at].first += 1,
            (false, true) => self.runs[at].last -= 1,
            (false, false) => {
                self.runs[at].last = uid.0 - 1;
                self.runs.insert(at + 1, Run { first: uid.0 + 1, last: run.last, before: 0 });
            }
        }
        self.recount(at);
        Some(position)
    }

    /// Whether `uid` is a member.
    #[must_use]
    pub fn contains(&self, uid: Uid) -> bool {
        self.position(uid).is_some()
    }

    /// Position of `uid`, from 1.
    #[must_use]
    pub fn position(&self, uid: Uid) -> Option<u32> {
        let run = self.runs.get(self.runs.partition_point(|run| run.last < uid.0))?;
        (run.first <= uid.0).then(|| run.before + (uid.0 - run.first) + 1)
    }

    /// The member at `position`, from 1.
    #[must_use]
    pub fn at(&self, position: u32) -> Option<Uid> {
        let index = position.checked_sub(1)?;
        let run = self.runs.get(self.runs.partition_point(|run| run.before + run.len() <= index))?;
        Some(Uid(run.first + (index - run.before)))
    }

    /// The smallest member that is at least `uid`.
    #[must_use]
    pub fn at_or_after(&self, uid: Uid) -> Option<Uid> {
        let run = self.runs.get(self.runs.partition_point(|run| run.last < uid.0))?;
        Some(Uid(run.first.max(uid.0)))
    }

    /// The members of both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut both = Self::new();
        let (mut left, mut right) = (self.runs.iter().peekable(), other.runs.iter().peekable());
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            both.push_range(Uid(a.first.max(b.first)), Uid(a.last.min(b.last)));
            if a.last < b.last {
                left.next();
            } else {
                right.next();
            }
        }
        both
    }

    /// Counts `before` anew from run `from` on.
    fn recount(&mut self, from: usize) {
        let mut before = match from.checked_sub(1).and_then(|at| self.runs.get(at)) {
            Some(run) => run.before + run.len(),
            None => 0,
        };
        for run in self.runs.iter_mut().skip(from) {
            run.before = before;
            before += run.len();
        }
    }
}

impl FromIterator<Uid> for UidSet {
    fn from_iter<I: IntoIterator<Item = Uid>>(uids: I) -> Self {
        let mut set = Self::new();
        uids.into_iter().for_each(|uid| set.push(uid));
        set
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;

    /// A small generator, so that this crate needs no dependency for its tests.
    fn numbers(mut seed: u64) -> impl FnMut(u32) -> u32 {
        move |below| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as u32 % below
        }
    }

    fn check(set: &UidSet, model: &BTreeSet<u32>) {
        assert!(set.iter().map(|uid| uid.0).eq(model.iter().copied()));
        assert_eq!(set.len() as usize, model.len());
        for (index, uid) in model.iter().enumerate() {
            assert_eq!(set.position(Uid(*uid)), Some(index as u32 + 1));
            assert_eq!(set.at(index as u32 + 1), Some(Uid(*uid)));
        }
        assert_eq!(set.at(0), None);
        assert_eq!(set.at(set.len() + 1), None);
    }

    #[test]
    fn behaves_as_a_plain_set_does() {
        let mut next = numbers(7);
        for _ in 0..50 {
            let (mut set, mut model) = (UidSet::new(), BTreeSet::new());
            for _ in 0..200 {
                let uid = 1 + next(40);
                if next(3) == 0 {
                    let position = model.iter().position(|known| *known == uid).map(|at| at as u32 + 1);
                    assert_eq!(set.remove(Uid(uid)), position);
                    model.remove(&uid);
                } else {
                    set.insert(Uid(uid));
                    model.insert(uid);
                }
                check(&set, &model);
            }
        }
    }

    #[test]
    fn intersection_is_what_both_have() {
        let mut next = numbers(11);
        for _ in 0..200 {
            let a: BTreeSet<u32> = (0..20).map(|_| 1 + next(30)).collect();
            let b: BTreeSet<u32> = (0..20).map(|_| 1 + next(30)).collect();
            let set = |model: &BTreeSet<u32>| model.iter().copied().map(Uid).collect::<UidSet>();
            check(&set(&a).intersection(&set(&b)), &a.intersection(&b).copied().collect());
        }
    }

    #[test]
    fn the_next_member_is_found() {
        let set: UidSet = [2, 3, 7].map(Uid).into_iter().collect();
        let found: Vec<_> = (1..=8).map(|uid| set.at_or_after(Uid(uid)).map(|uid| uid.0)).collect();
        assert_eq!(found, [Some(2), Some(2), Some(3), Some(7), Some(7), Some(7), Some(7), None]);
        assert_eq!(UidSet::range(Uid(4), Uid(3)), UidSet::new());
    }
}
