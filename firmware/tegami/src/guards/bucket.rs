//! Token buckets: so many at once, and then one each so often. Time is an argument.

use mail::Ticks;

/// How much is allowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// So many at once, after a rest.
    pub(super) at_once: u32,
    /// Then another each so many milliseconds.
    pub(super) each_ms: u64,
}

impl Rate {
    /// So many an hour.
    pub(super) const fn per_hour(count: u32) -> Self {
        Self { at_once: count, each_ms: 3_600_000 / count as u64 }
    }

    /// So many a day.
    pub(super) const fn per_day(count: u32) -> Self {
        Self { at_once: count, each_ms: 24 * 3_600_000 / count as u64 }
    }

    /// How long it takes from empty to full.
    const fn whole_ms(self) -> u64 {
        self.at_once as u64 * self.each_ms
    }
}

/// What is left of it, kept as the moment at which it is all there again. A new one is full.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    full_at: Ticks,
}

impl Bucket {
    /// Milliseconds until there is one more to be had; 0 if there is.
    pub(super) fn wait_ms(self, rate: Rate, now: Ticks) -> u64 {
        self.spent(rate, now).0.saturating_sub(now.after_ms(rate.whole_ms()).0)
    }

    /// Takes one, whether it is there or not.
    pub(super) fn take(&mut self, rate: Rate, now: Ticks) {
        self.full_at = self.spent(rate, now);
    }

    /// How many more were taken than there were.
    pub(super) fn overdrawn(self, rate: Rate, now: Ticks) -> u64 {
        self.full_at.0.saturating_sub(now.after_ms(rate.whole_ms()).0).div_ceil(rate.each_ms)
    }

    /// Forgives what was taken beyond so many more than there were.
    pub(super) fn forgive(&mut self, rate: Rate, count: u64, now: Ticks) {
        self.full_at = self.full_at.min(now.after_ms(rate.whole_ms() + count * rate.each_ms));
    }

    /// Whether at least half is there: what stopped has stopped.
    pub(super) fn has_rested(self, rate: Rate, now: Ticks) -> bool {
        self.full_at <= now.after_ms(rate.whole_ms() / 2)
    }

    fn spent(self, rate: Rate, now: Ticks) -> Ticks {
        self.full_at.max(now).after_ms(rate.each_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { at_once: 3, each_ms: 1_000 };

    /// Takes one if it is there.
    fn ask(bucket: &mut Bucket, now: u64) -> u64 {
        let wait = bucket.wait_ms(RATE, Ticks(now));
        if wait == 0 {
            bucket.take(RATE, Ticks(now));
        }
        wait
    }

    #[test]
    fn so_many_at_once_and_then_one_each_so_often() {
        let mut bucket = Bucket::default();
        let waits: Vec<_> = [0, 0, 0, 0, 400, 1_000, 1_000, 3_500, 3_500, 3_500]
            .map(|after| ask(&mut bucket, 5_000 + after))
            .into();
        assert_eq!(waits, [0, 0, 0, 1_000, 600, 0, 1_000, 0, 0, 500]);
        assert_eq!(ask(&mut bucket, 1 << 40), 0, "a long rest fills it, and no more than that");
        assert_eq!([(); 3].map(|()| ask(&mut bucket, 1 << 40)), [0, 0, 1_000]);
    }

    #[test]
    fn it_has_rested_when_half_of_it_is_there() {
        let mut bucket = Bucket::default();
        (0..3).for_each(|_| bucket.take(RATE, Ticks(0)));
        assert!(!bucket.has_rested(RATE, Ticks(1_499)));
        assert!(bucket.has_rested(RATE, Ticks(1_500)));
    }

    #[test]
    fn what_is_overdrawn_is_forgiven_in_the_end() {
        let mut bucket = Bucket::default();
        for taken in 1..=10_u64 {
            bucket.take(RATE, Ticks(0));
            assert_eq!(bucket.overdrawn(RATE, Ticks(0)), taken.saturating_sub(3));
        }
        bucket.forgive(RATE, 2, Ticks(0));
        assert_eq!(bucket.overdrawn(RATE, Ticks(0)), 2);
        assert_eq!(bucket.overdrawn(RATE, Ticks(2_000)), 0);
    }

    #[test]
    fn rates_are_what_they_say() {
        for (rate, span_ms) in [(Rate::per_hour(1_000), 3_600_000), (Rate::per_day(5_000), 86_400_000)] {
            assert_eq!(rate.whole_ms(), span_ms);
        }
    }
}
