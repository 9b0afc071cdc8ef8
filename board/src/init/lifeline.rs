//! When to start the mail process, when to end it, and whether the watchdog may be fed: decisions, no deeds.
//!
//! Times are counted from the start of the box. The driver asks [`Lifeline::next`] what to do, does it, and reports
//! what happened.

use std::time::Duration;

use crate::limits::{FAREWELL_S_MAX, SILENCE_AT_START_S_MAX, SILENCE_S_MAX, WATCHDOG_PATIENCE_S};

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Nothing, until the next event or second.
    Wait,
    /// Start a mail process; then report [`Lifeline::started`] or [`Lifeline::died`].
    Start,
    /// Ask it to end (SIGTERM).
    Ask,
    /// End it (SIGKILL).
    Kill,
    /// It has ended and none is to follow: the box ends.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// None is there; the next is due at this time.
    Due(Duration),
    Alive {
        since: Duration,
        /// When it last gave a sign of life; at its start none.
        sign: Option<Duration>,
        /// It was killed and has not been reaped yet.
        is_killed: bool,
    },
}

/// The life of the mail processes.
#[derive(Clone, Debug)]
pub(super) struct Lifeline {
    state: State,
    /// How many died young in a row.
    young_deaths: u32,
    /// When any of them last gave a sign of life; the start of the box counts as one.
    last_sign: Duration,
    /// The box is to end: since when, and whether the process has been asked.
    farewell: Option<(Duration, bool)>,
}

/// A process that lived shorter than this died young: the next one waits, longer each time.
const YOUNG: Duration = Duration::from_secs(60);

/// The first wait after a second young death in a row, doubled for each further one.
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(30);

impl Lifeline {
    /// A box that has just started.
    pub(super) const fn new() -> Self {
        Self { state: State::Due(Duration::ZERO), young_deaths: 0, last_sign: Duration::ZERO, farewell: None }
    }

    /// What to do at `now`. To be asked at least every second.
    pub(super) fn next(&mut self, now: Duration) -> Action {
        match (&mut self.state, &mut self.farewell) {
            (State::Due(_), Some(_)) => Action::End,
            (State::Due(due), None) => {
                if now >= *due {
                    Action::Start
                } else {
                    Action::Wait
                }
            }
            (State::Alive { is_killed: true, .. }, _) => Action::Wait,
            (State::Alive { .. }, Some((_, asked @ false))) => {
                *asked = true;
                Action::Ask
            }
            (State::Alive { is_killed, .. }, Some((since, _))) => {
                *is_killed = now.saturating_sub(*since).as_secs() >= FAREWELL_S_MAX;
                if *is_killed { Action::Kill } else { Action::Wait }
            }
            (State::Alive { since, sign, is_killed }, None) => {
                let (last, patience) = match sign {
                    Some(sign) => (*sign, SILENCE_S_MAX),
                    None => (*since, SILENCE_AT_START_S_MAX),
                };
                *is_killed = now.saturating_sub(last).as_secs() >= patience;
                if *is_killed { Action::Kill } else { Action::Wait }
            }
        }
    }

    /// When [`next`](Self::next) must be asked again, if that is sooner than in a second.
    pub(super) fn due(&self) -> Option<Duration> {
        match self.state {
            State::Due(due) => Some(due),
            State::Alive { .. } => None,
        }
    }

    /// A mail process was started.
    pub(super) const fn started(&mut self, now: Duration) {
        self.state = State::Alive { since: now, sign: None, is_killed: false };
    }

    /// It gave a sign of life.
    pub(super) const fn beat(&mut self, now: Duration) {
        self.last_sign = now;
        if let State::Alive { sign, .. } = &mut self.state {
            *sign = Some(now);
        }
    }

    /// It died and was reaped, or could not be started. Returns how long it lived and whether we killed it.
    pub(super) fn died(&mut self, now: Duration) -> (Duration, bool) {
        let (lived, is_killed) = match self.state {
            State::Alive { since, is_killed, .. } => (now.saturating_sub(since), is_killed),
            State::Due(_) => (Duration::ZERO, false),
        };
        self.young_deaths = if lived < YOUNG { self.young_deaths.saturating_add(1) } else { 0 };
        self.state = State::Due(now + pause(self.young_deaths));
        (lived, is_killed)
    }

    /// The box is to end.
    pub(super) fn farewell(&mut self, now: Duration) {
        self.farewell.get_or_insert((now, false));
    }

    /// Whether the box is about to end.
    pub(super) const fn is_leaving(&self) -> bool {
        self.farewell.is_some()
    }

    /// Whether the watchdog may be fed: some mail process has given a sign of life not too long ago.
    pub(super) const fn shows_life(&self, now: Duration) -> bool {
        now.saturating_sub(self.last_sign).as_secs() < WATCHDOG_PATIENCE_S
    }
}

/// How long to wait after this many young deaths in a row: not at all after the first.
fn pause(young_deaths: u32) -> Duration {
    match young_deaths {
        0 | 1 => Duration::ZERO,
        more => PAUSE.saturating_mul(1_u32.checked_shl(more - 2).unwrap_or(u32::MAX)).min(PAUSE_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_process_that_dies_is_back_at_once() {
        let mut life = Lifeline::new();
        assert_eq!(life.next(s(1)), Action::Start);
        life.started(s(1));
        assert_eq!(life.next(s(2)), Action::Wait);
        assert_eq!(life.died(s(200)), (s(199), false));
        assert_eq!(life.next(s(200)), Action::Start);
    }

    #[test]
    fn one_that_dies_young_again_and_again_waits_longer_and_longer() {
        let mut life = Lifeline::new();
        let mut now = s(1);
        let mut waits = Vec::new();
        for _ in 0..12 {
            assert_eq!(life.next(now), Action::Start);
            life.started(now);
            life.died(now);
            let due = life.due().unwrap();
            if due > now {
                assert_eq!(life.next(due - Duration::from_millis(1)), Action::Wait);
            }
            waits.push((due - now).as_millis());
            now = due;
        }
        assert_eq!(waits, [0, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000, 30_000]);
        life.started(now);
        life.died(now + s(60));
        assert_eq!(life.due(), Some(now + s(60)), "one that lived is forgiven");
    }

    #[test]
    fn one_that_hangs_is_killed_once() {
        let mut life = Lifeline::new();
        life.started(s(0));
        assert_eq!(life.next(s(SILENCE_AT_START_S_MAX - 1)), Action::Wait, "mounting may take time");
        life.beat(s(100));
        assert_eq!(life.next(s(100 + SILENCE_S_MAX - 1)), Action::Wait);
        assert_eq!(life.next(s(100 + SILENCE_S_MAX)), Action::Kill);
        assert_eq!(life.next(s(101 + SILENCE_S_MAX)), Action::Wait, "until it is reaped");
        assert_eq!(life.died(s(140)), (s(140), true));
        assert_eq!(life.next(s(140)), Action::Start);
        life.started(s(140));
        assert_eq!(life.next(s(140 + SILENCE_AT_START_S_MAX)), Action::Kill);
    }

    #[test]
    fn the_box_ends_when_the_process_has() {
        let mut life = Lifeline::new();
        life.started(s(0));
        life.beat(s(9));
        life.farewell(s(10));
        assert!(life.is_leaving());
        assert_eq!(life.next(s(10)), Action::Ask);
        assert_eq!(life.next(s(11)), Action::Wait);
        life.farewell(s(15));
        assert_eq!(life.next(s(10 + FAREWELL_S_MAX)), Action::Kill, "a second request gives no more time");
        life.died(s(21));
        assert_eq!(life.next(s(21)), Action::End);
        let mut life = Lifeline::new();
        life.farewell(s(1));
        assert_eq!(life.next(s(1)), Action::End, "with no process there is nobody to wait for");
    }

    #[test]
    fn the_watchdog_starves_when_nobody_lives() {
        let mut life = Lifeline::new();
        assert!(life.shows_life(s(WATCHDOG_PATIENCE_S - 1)));
        assert!(!life.shows_life(s(WATCHDOG_PATIENCE_S)));
        life.beat(s(500));
        assert!(life.shows_life(s(499 + WATCHDOG_PATIENCE_S)));
        life.started(s(600));
        assert!(!life.shows_life(s(500 + WATCHDOG_PATIENCE_S)), "a start is no sign of life");
    }
}
