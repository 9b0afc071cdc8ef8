//! The queue's clock: seconds during which the box could send. Letters are given so many of them; a box that has no
//! network, does not know the time, or has no power gives them more days.

use std::time::{Duration, Instant};

/// A clock that can be stopped.
#[derive(Debug)]
pub(crate) struct OnlineClock {
    /// What it showed when it last went on or was stopped.
    shown: Duration,
    /// Since when it goes; `None` while it stands.
    since: Option<Instant>,
}

impl OnlineClock {
    /// A clock that stands at `seconds`.
    pub(crate) const fn at(seconds: u32) -> Self {
        Self { shown: Duration::from_secs(seconds as u64), since: None }
    }

    /// What it shows, in seconds.
    pub(crate) fn seconds(&self, now: Instant) -> u32 {
        u32::try_from(self.reading(now).as_secs()).unwrap_or(u32::MAX)
    }

    /// The moment at which it will show `seconds`; `None` while it stands.
    pub(crate) fn when(&self, seconds: u32) -> Option<Instant> {
        let since = self.since?;
        Some(since + Duration::from_secs(seconds.into()).saturating_sub(self.shown))
    }

    /// Whether it goes.
    pub(crate) const fn goes(&self) -> bool {
        self.since.is_some()
    }

    /// Lets it go on, or stops it.
    pub(crate) fn set(&mut self, goes: bool, now: Instant) {
        if goes == self.goes() {
            return;
        }
        self.shown = self.reading(now);
        self.since = goes.then_some(now);
    }

    fn reading(&self, now: Instant) -> Duration {
        self.shown + self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_only_while_it_goes() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut clock = OnlineClock::at(100);
        assert_eq!((clock.seconds(after(50)), clock.when(200)), (100, None));
        clock.set(true, after(50));
        assert_eq!(clock.seconds(after(60)), 110);
        assert_eq!(clock.when(200), Some(after(150)));
        assert_eq!(clock.when(20), Some(after(50)), "what is past is due at once");
        clock.set(true, after(70));
        clock.set(false, after(80));
        assert_eq!(clock.seconds(after(1_000)), 130);
        clock.set(true, after(1_000));
        assert_eq!(clock.seconds(after(1_010)), 140);
    }
}
