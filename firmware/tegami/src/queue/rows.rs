//! The queue's messages as the program holds them: where each is between two turns. What is durable of them is in the
//! store; this is made anew at every start.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use mail::Uid;

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// It has its next turn then, on the queue's clock.
    Timed(u32),
    /// Held.
    Held,
    /// Somebody is at work on it, or it stands in a line.
    Taken,
}

/// All messages of the queue.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    places: BTreeMap<Uid, Place>,
    timers: BTreeSet<(u32, Uid)>,
}

impl Rows {
    /// A message is new, or was changed: it has its turn at `turn`, or never. One that is taken stays so: whoever has it
    /// gives it back.
    pub(crate) fn changed(&mut self, uid: Uid, turn: Option<u32>) {
        if self.places.get(&uid) != Some(&Place::Taken) {
            self.put_back(uid, turn);
        }
    }

    /// Whoever had a message gives it back.
    pub(crate) fn put_back(&mut self, uid: Uid, turn: Option<u32>) {
        self.forget(uid);
        let place = turn.map_or(Place::Held, Place::Timed);
        self.places.insert(uid, place);
        if let Some(turn) = turn {
            self.timers.insert((turn, uid));
        }
    }

    /// A message is gone.
    pub(crate) fn forget(&mut self, uid: Uid) {
        if let Some(Place::Timed(turn)) = self.places.remove(&uid) {
            self.timers.remove(&(turn, uid));
        }
    }

    /// Takes up to `max` messages whose turn has come at `now_s`, in the order of their UIDs.
    pub(crate) fn take_due(&mut self, now_s: u32, max: usize) -> VecDeque<Uid> {
        let due = self.timers.iter().take_while(|(turn, _)| *turn <= now_s).take(max);
        let mut due: Vec<Uid> = due.map(|(_, uid)| *uid).collect();
        for uid in &due {
            self.forget(*uid);
            self.places.insert(*uid, Place::Taken);
        }
        due.sort_unstable();
        due.into()
    }

    /// When the next message has its turn.
    pub(crate) fn next(&self) -> Option<u32> {
        self.timers.first().map(|(turn, _)| *turn)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_their_turns_in_time() {
        let mut rows = Rows::default();
        rows.changed(Uid(3), Some(10));
        rows.changed(Uid(1), Some(20));
        rows.changed(Uid(2), None);
        assert_eq!((rows.next(), rows.len()), (Some(10), 3));
        assert!(rows.take_due(9, 10).is_empty());
        rows.changed(Uid(3), Some(30));
        assert_eq!(rows.take_due(30, 10), [Uid(1), Uid(3)]);
        assert_eq!(rows.next(), None);
    }

    #[test]
    fn what_is_taken_is_nobody_elses() {
        let mut rows = Rows::default();
        rows.changed(Uid(1), Some(0));
        assert_eq!(rows.take_due(0, 10), [Uid(1)]);
        rows.changed(Uid(1), Some(0));
        assert!(rows.take_due(0, 10).is_empty());
        rows.put_back(Uid(1), Some(5));
        assert_eq!(rows.next(), Some(5));
        rows.forget(Uid(1));
        assert_eq!((rows.next(), rows.len()), (None, 0));
    }

    #[test]
    fn few_are_taken_at_a_time() {
        let mut rows = Rows::default();
        (1..=5).for_each(|uid| rows.changed(Uid(uid), Some(0)));
        assert_eq!(rows.take_due(0, 2).len(), 2);
        assert_eq!(rows.take_due(0, 9).len(), 3);
    }
}
