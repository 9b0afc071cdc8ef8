//! When a recipient is tried: at once, and after each failure a while later, for five days of the queue's clock
//! (RFC 5321 §4.5.4.1). Between two attempts the sender may have to be told that it takes long.
//!
//! A message of the queue says how often it was tried and when its next turn is. Since the pauses are always the same, that
//! also says how long it has been waiting: nothing else is kept.

use mail::{Outbound, Uid};

/// Pauses after each attempt, in seconds: half an hour in small steps for servers that only want to see whether a sender
/// comes back (RFC 6647), then twice as long each time up to sixteen hours, five days together.
const PAUSES_S: [u32; 14] =
    [450, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 57_600, 57_600, 57_600, 57_600, 57_600, 57_600, 29_250];

/// How long letters are tried, in seconds: at least four to five days (RFC 5321 §4.5.4.1).
pub(crate) const TRIED_S: u32 = {
    let (mut sum, mut at) = (0, 0);
    while at < PAUSES_S.len() {
        sum += PAUSES_S[at];
        at += 1;
    }
    sum
};

/// After how long the sender is told that it takes long, in seconds: for the first and for the second time.
const TOLD_AFTER_S: [u32; 2] = [3_600, 86_400];

/// A pause is made longer or shorter by up to this share of it, so that what failed together does not come back together.
const JITTER_PERCENT: u32 = 10;

/// What there is to do for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// To be tried.
    Try,
    /// Its sender is to be told that it takes long, for the first (0) or second (1) time.
    Tell(usize),
}

/// When there is something to do for a message next, on the queue's clock; `None` while it is held.
pub(crate) fn next_turn(outbound: &Outbound) -> Option<(u32, Turn)> {
    let trying = (outbound.due_s, Turn::Try);
    if outbound.cancelled {
        // At once, unless its sender could not be told then.
        return Some(if outbound.forced { trying } else { (0, Turn::Try) });
    }
    if outbound.held {
        return None;
    }
    // Its next turn is none of the table's.
    if outbound.forced {
        return Some(trying);
    }
    let Some(number) = outbound.told.iter().position(|told| !told) else { return Some(trying) };
    let after = TOLD_AFTER_S.get(number).copied().unwrap_or(TRIED_S);
    // With its next attempt it will have been waiting for so long.
    let waited = waited_s(outbound.attempts);
    if outbound.attempts == 0 || waited <= after {
        return Some(trying);
    }
    Some((outbound.due_s.saturating_sub(waited - after), Turn::Tell(number)))
}

/// What a message is like after an attempt at `now_s` that failed for the time being; `None` once it was the last one.
pub(crate) fn after_failure(outbound: &Outbound, uid: Uid, now_s: u32, words: u8) -> Option<Outbound> {
    let counts = !outbound.forced;
    let attempts = outbound.attempts.saturating_add(u8::from(counts));
    let pause = pause_s(attempts.max(1), uid)?;
    Some(Outbound { forced: false, attempts, words, due_s: now_s.saturating_add(pause), ..*outbound })
}

/// Until when a message is tried, from `now_s` on, in seconds.
pub(crate) fn left_s(outbound: &Outbound, now_s: u32) -> u32 {
    outbound.due_s.saturating_sub(now_s).saturating_add(TRIED_S.saturating_sub(waited_s(outbound.attempts)))
}

/// How long a message will have been waiting when its next turn comes after so many attempts, in seconds.
fn waited_s(attempts: u8) -> u32 {
    PAUSES_S.iter().take(attempts.into()).sum()
}

/// The pause after attempt number `attempt`, from 1; `None` after the last one.
fn pause_s(attempt: u8, uid: Uid) -> Option<u32> {
    let pause = *PAUSES_S.get(usize::from(attempt) - 1)?;
    let span = pause * JITTER_PERCENT / 50;
    // Any number that differs from message to message and from attempt to attempt: Knuth's multiplicative hash.
    let hash = uid.0.wrapping_add(u32::from(attempt)).wrapping_mul(2_654_435_769) >> 16;
    Some(pause - span / 2 + hash * (span + 1) / 65_536)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(times: u8) -> Outbound {
        let mut outbound = Outbound::default();
        for _ in 0..times {
            outbound = after_failure(&outbound, Uid(7), outbound.due_s, 3).unwrap();
        }
        outbound
    }

    #[test]
    fn a_letter_is_tried_at_the_times_of_the_table_for_five_days() {
        assert_eq!(TRIED_S, 5 * 86_400);
        let mut outbound = Outbound::default();
        let mut tried = vec![0];
        while let Some(next) = after_failure(&outbound, Uid(7), outbound.due_s, 0) {
            tried.push(next.due_s);
            outbound = next;
        }
        let planned = [0, 450, 1_350, 3_150, 6_750, 13_950, 28_350, 57_150, 114_750, 172_350, 229_950];
        assert_eq!(tried.len(), PAUSES_S.len() + 1);
        for (tried, planned) in tried.iter().zip(planned) {
            assert!(tried.abs_diff(planned) <= planned / 10, "{tried} for {planned}");
        }
    }

    #[test]
    fn what_fails_together_does_not_come_back_together() {
        let due = |uid| after_failure(&Outbound::default(), Uid(uid), 0, 0).unwrap().due_s;
        let mut dues: Vec<u32> = (1..=100).map(due).collect();
        assert!(dues.iter().all(|due| (405..=495).contains(due)), "{dues:?}");
        dues.sort_unstable();
        dues.dedup();
        assert!(dues.len() > 40, "{dues:?}");
    }

    #[test]
    fn the_sender_is_told_after_an_hour_and_after_a_day() {
        assert_eq!(next_turn(&Outbound::default()), Some((0, Turn::Try)));
        assert_eq!(next_turn(&failed(3)).unwrap().1, Turn::Try);
        // Tried after 52 minutes, next after 112: between the two.
        let fourth = failed(4);
        let (at, turn) = next_turn(&fourth).unwrap();
        assert_eq!(turn, Turn::Tell(0));
        assert!((3_200..4_000).contains(&at), "{at}");
        let told = Outbound { told: [true, false], ..fourth };
        assert_eq!(next_turn(&told), Some((fourth.due_s, Turn::Try)));
        let later = Outbound { told: [true, false], ..failed(8) };
        let (at, turn) = next_turn(&later).unwrap();
        assert_eq!(turn, Turn::Tell(1));
        assert!((78_000..95_000).contains(&at), "{at}");
    }

    #[test]
    fn what_is_held_waits_and_what_is_cancelled_does_not() {
        assert_eq!(next_turn(&Outbound { held: true, ..Outbound::default() }), None);
        let cancelled = Outbound { held: true, cancelled: true, due_s: 99, ..Outbound::default() };
        assert_eq!(next_turn(&cancelled), Some((0, Turn::Try)));
        let untold = Outbound { forced: true, ..cancelled };
        assert_eq!(next_turn(&untold), Some((99, Turn::Try)));
    }

    #[test]
    fn an_attempt_that_the_administrator_wanted_costs_none() {
        let forced = Outbound { forced: true, ..failed(4) };
        let after = after_failure(&forced, Uid(7), 5_000, 9).unwrap();
        assert_eq!((after.attempts, after.words, after.forced), (4, 9, false));
        assert!((8_240..=8_960).contains(&after.due_s));
        // Even after the last one there is another.
        let last = Outbound { forced: true, ..failed(14) };
        assert!(after_failure(&last, Uid(7), 0, 0).is_some());
        assert!(after_failure(&failed(14), Uid(7), 0, 0).is_none());
    }

    #[test]
    fn how_long_it_is_tried_is_said() {
        let first = failed(1);
        let left = left_s(&first, 0);
        assert!(left.abs_diff(TRIED_S) < 100, "{left}");
        let last = failed(14);
        assert_eq!(left_s(&last, last.due_s), 0);
    }
}
