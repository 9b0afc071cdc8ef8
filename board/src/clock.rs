//! What time it is, and whether anybody knows.
//!
//! A card computer starts in 1970. Until a clock chip or a time server has spoken, the box may use no time for any
//! decision; what it must date anyway is dated by the floor: the newest moment that it is sure has passed.

/// Nothing here ran before this: 1 January 2026 (UTC), the year of the first release. Seconds since 1970.
pub const EARLIEST_S: u64 = 1_767_225_600;

/// Later than this no clock is believed: 1 January 2100 (UTC). Certificates and filters would outlive their makers.
pub const LATEST_S: u64 = 4_102_444_800;

/// Whether a clock that shows `unix_s` can be right at all.
#[must_use]
pub const fn is_plausible(unix_s: u64) -> bool {
    EARLIEST_S <= unix_s && unix_s < LATEST_S
}

/// How far the clock may be set back, in seconds, when a time server says so. More would date new mail before old;
/// the box then keeps its time and says so.
pub const BACK_S_MAX: u64 = 300;

/// What to do about a time that a server gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Set the clock to it.
    Set,
    /// The clock is right: nothing to do.
    Right,
    /// It cannot be right: try another server.
    Refuse,
}

/// The box's knowledge of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    floor_s: u64,
    is_known: bool,
}

/// The clock is left alone when it is this close, in nanoseconds.
const RIGHT_NS: u64 = 20_000_000;

impl Clock {
    /// A clock that a chip has set (`is_known`), or not. `newest_s` is the newest record on flash, seconds since 1970,
    /// 0 when there is none.
    #[must_use]
    pub fn new(newest_s: u64, is_known: bool) -> Self {
        let floor_s = if newest_s < LATEST_S { newest_s.max(EARLIEST_S) } else { EARLIEST_S };
        Self { floor_s, is_known }
    }

    /// Whether decisions that need the time may be made.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.is_known
    }

    /// The time to date things by when the system's clock says `system_s`: never before the floor.
    #[must_use]
    pub fn date(&self, system_s: u64) -> u64 {
        system_s.max(self.floor_s)
    }

    /// Raises the floor: something was dated `unix_s`.
    pub fn raise(&mut self, unix_s: u64) {
        if unix_s < LATEST_S {
            self.floor_s = self.floor_s.max(unix_s);
        }
    }

    /// What to do when a server says that it is `server_ns` and the system's clock says `system_ns` (nanoseconds since
    /// 1970). After [`Verdict::Set`] and [`Verdict::Right`] the time is known.
    pub fn judge(&mut self, server_ns: u64, system_ns: u64) -> Verdict {
        let server_s = server_ns / 1_000_000_000;
        let earliest = self.floor_s.saturating_sub(BACK_S_MAX).max(EARLIEST_S);
        if !(earliest..LATEST_S).contains(&server_s) {
            return Verdict::Refuse;
        }
        self.is_known = true;
        if server_ns.abs_diff(system_ns) < RIGHT_NS { Verdict::Right } else { Verdict::Set }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;
    const NS: u64 = 1_000_000_000;

    #[test]
    fn nothing_is_dated_before_the_newest_record() {
        let mut clock = Clock::new(EARLIEST_S + 100 * DAY, false);
        assert!(!clock.is_known());
        assert_eq!(clock.date(0), EARLIEST_S + 100 * DAY);
        assert_eq!(clock.date(EARLIEST_S + 200 * DAY), EARLIEST_S + 200 * DAY);
        clock.raise(EARLIEST_S + 101 * DAY);
        clock.raise(u64::MAX);
        assert_eq!(clock.date(0), EARLIEST_S + 101 * DAY);
        assert_eq!(Clock::new(0, true).date(0), EARLIEST_S);
        assert_eq!(Clock::new(u64::MAX, true).date(0), EARLIEST_S, "a damaged record cannot stop the clock");
    }

    #[test]
    fn a_server_is_believed_within_reason() {
        let floor = EARLIEST_S + 100 * DAY;
        for (server_s, system_s, verdict, known) in [
            (floor + 1000, 0, Verdict::Set, true),
            (floor + 1000, floor + 1000, Verdict::Right, true),
            (floor + 1000, floor + 1001, Verdict::Set, true),
            (floor - BACK_S_MAX, floor, Verdict::Set, true),
            (floor - BACK_S_MAX - 1, floor, Verdict::Refuse, false),
            (0, 0, Verdict::Refuse, false),
            (LATEST_S, floor, Verdict::Refuse, false),
        ] {
            let mut clock = Clock::new(floor, false);
            assert_eq!(clock.judge(server_s * NS, system_s * NS), verdict, "{server_s} {system_s}");
            assert_eq!(clock.is_known(), known);
        }
    }
}
