//! Group commit: when to begin a barrier, so that letters share one and a lone letter waits for none.
//!
//! While a barrier runs, changes gather for the next by themselves. That alone makes two groups that take turns, each
//! half the size it could have: the clients answered by one barrier send their next letters while the other half is
//! being made durable. So after a barrier has ended, the next one waits a moment for as many changes as were
//! answered and waiting then, at most half of what a barrier takes. A lone client is expected alone and never waits.

use std::time::{Duration, Instant};

use crate::limits::{GATHER_MAX, LAZY_FLUSH};

/// Decides when the next barrier begins. Owns no clock: time is an argument.
#[derive(Debug)]
pub(crate) struct Gather {
    /// Changes that the next barrier may expect to carry.
    expected: usize,
    /// When the last barrier ended.
    ended: Instant,
    /// Since when something waits that is not being made durable.
    since: Option<Instant>,
    /// How long barriers take, smoothed.
    barrier: Duration,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    /// Begin the barrier.
    Flush,
    /// Ask again at that time, or when something changes.
    Until(Instant),
    /// Nothing to do until something changes.
    Rest,
}

impl Gather {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { expected: 1, ended: now, since: None, barrier: Duration::ZERO }
    }

    /// A barrier that took `took` has ended; it answered `answered` waiting changes, and `waiting` came meanwhile.
    pub(crate) fn ended(&mut self, now: Instant, took: Duration, answered: usize, waiting: usize) {
        self.expected = answered + waiting;
        self.ended = now;
        self.barrier = (self.barrier * 3 + took) / 4;
        self.since = None;
    }

    /// What to do while `waiting` sessions wait for changes; `lazy` says that there are changes nobody waits for.
    pub(crate) fn advise(&mut self, now: Instant, waiting: usize, lazy: bool) -> Advice {
        if waiting == 0 && !lazy {
            self.since = None;
            return Advice::Rest;
        }
        let since = *self.since.get_or_insert(now);
        let due = if waiting == 0 {
            since + LAZY_FLUSH
        } else if waiting >= self.expected {
            now
        } else {
            self.ended.max(since) + (self.barrier / 2).min(GATHER_MAX)
        };
        if due <= now { Advice::Flush } else { Advice::Until(due) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn after_barriers(now: Instant, answered: usize, waiting: usize) -> Gather {
        let mut gather = Gather::new(now);
        for _ in 0..20 {
            gather.ended(now, 4 * MS, answered, waiting);
        }
        gather
    }

    #[test]
    fn a_lone_client_never_waits() {
        let now = Instant::now();
        let mut gather = after_barriers(now, 1, 0);
        assert_eq!(gather.advise(now + MS, 1, false), Advice::Flush);
    }

    #[test]
    fn two_groups_that_take_turns_become_one() {
        let now = Instant::now();
        let mut gather = after_barriers(now, 4, 4);
        assert!(matches!(gather.advise(now, 4, false), Advice::Until(_)));
        assert!(matches!(gather.advise(now + MS, 7, false), Advice::Until(_)));
        assert_eq!(gather.advise(now + MS, 8, false), Advice::Flush);
    }

    #[test]
    fn nobody_waits_longer_than_half_a_barrier_for_others() {
        let now = Instant::now();
        let mut gather = after_barriers(now, 4, 4);
        assert!(matches!(gather.advise(now, 4, false), Advice::Until(_)));
        assert_eq!(gather.advise(now + 2 * MS, 4, false), Advice::Flush);
    }

    #[test]
    fn what_nobody_waits_for_is_flushed_soon() {
        let now = Instant::now();
        let mut gather = after_barriers(now, 4, 4);
        assert_eq!(gather.advise(now, 0, true), Advice::Until(now + LAZY_FLUSH));
        assert_eq!(gather.advise(now + LAZY_FLUSH, 0, true), Advice::Flush);
        assert_eq!(gather.advise(now, 0, false), Advice::Rest);
    }
}
