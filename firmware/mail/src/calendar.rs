//! The calendar behind all dates of mail: days counted from 1970-01-01, and what they are called.

use crate::UnixTime;

/// Seconds of a day.
pub const DAY_S: i64 = 24 * 60 * 60;

/// Names of the months as RFC 5322 §3.3 and RFC 3501 §9 write them.
pub const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Days since 1970-01-01 in the proleptic Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub i64);

/// Eras of 400 years, which all have the same length, in days.
const ERA_DAYS: i64 = 146_097;

/// 1970-01-01, counted from 0000-03-01. Years are counted from March, so that the leap day is a year's last.
const EPOCH: i64 = 719_468;

impl Day {
    /// The day on which `time` falls in a zone of so many minutes east of UTC.
    #[must_use]
    pub const fn of(time: UnixTime, zone_minutes: i16) -> Self {
        Self(time.local_s(zone_minutes).div_euclid(DAY_S))
    }

    /// The day of a year, month (from 1) and day (from 1); `None` for one that its month does not have.
    #[must_use]
    pub fn from_civil(year: i64, month: u32, day: u32) -> Option<Self> {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let last = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        if !(1..=last).contains(&day) {
            return None;
        }
        let year = if month <= 2 { year - 1 } else { year };
        // Months from March have 31, 30, 31, 30, 31 days, twice over and once more: 153 days in five.
        let month_from_march = i64::from((month + 9) % 12);
        let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Some(Self(era * ERA_DAYS + day_of_era - EPOCH))
    }

    /// Year, month (from 1) and day (from 1).
    #[must_use]
    pub const fn civil(self) -> (i64, u32, u32) {
        let days = self.0.saturating_add(EPOCH);
        let day = days.rem_euclid(ERA_DAYS);
        let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 } as u32;
        let year = year_of_era + days.div_euclid(ERA_DAYS) * 400 + (month <= 2) as i64;
        (year, month, day)
    }

    /// Its name in the week, as RFC 5322 §3.3 writes it.
    #[must_use]
    pub fn weekday(self) -> &'static str {
        // 1970-01-01 was a Thursday.
        const NAMES: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        usize::try_from(self.0.rem_euclid(7)).ok().and_then(|at| NAMES.get(at).copied()).unwrap_or_default()
    }
}

impl UnixTime {
    /// Seconds since 1970 on a clock that is so many minutes east of UTC.
    #[must_use]
    pub const fn local_s(self, zone_minutes: i16) -> i64 {
        self.0.saturating_add(zone_minutes as i64 * 60)
    }
}

/// Name of a month (from 1).
#[must_use]
pub fn month_name(month: u32) -> &'static str {
    let at = month.checked_sub(1).and_then(|at| usize::try_from(at).ok());
    at.and_then(|at| MONTHS.get(at).copied()).unwrap_or_default()
}

/// The month (from 1) of this name; ASCII case does not count.
#[must_use]
pub fn month_named(name: &[u8]) -> Option<u32> {
    let at = MONTHS.iter().position(|month| name.eq_ignore_ascii_case(month.as_bytes()))?;
    u32::try_from(at + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_follow_one_another() {
        let (mut year, mut month, mut day) = Day(-800_000).civil();
        for days in -799_999..800_000 {
            let next = Day(days).civil();
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 => 28 + u32::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            let expected = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                _ if day == last => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
            assert_eq!(next, expected);
            assert_eq!(Day::from_civil(next.0, next.1, next.2), Some(Day(days)));
            (year, month, day) = next;
        }
        assert_eq!(Day(0).civil(), (1970, 1, 1));
    }

    #[test]
    fn days_that_are_none_are_refused() {
        for (year, month, day) in
            [(2026, 0, 1), (2026, 13, 1), (2026, 1, 0), (2026, 6, 31), (1900, 2, 29), (2026, 1, 32)]
        {
            assert_eq!(Day::from_civil(year, month, day), None, "{year}-{month}-{day}");
        }
        assert!(Day::from_civil(2000, 2, 29).is_some());
    }

    #[test]
    fn days_have_names() {
        assert_eq!(Day::of(UnixTime(1_794_637_381), 540).weekday(), "Sat");
        assert_eq!((Day(0).weekday(), Day(-1).weekday()), ("Thu", "Wed"));
        assert_eq!((month_name(1), month_name(12), month_name(0), month_name(13)), ("Jan", "Dec", "", ""));
        assert_eq!((month_named(b"feb"), month_named(b"Foo")), (Some(2), None));
    }

    #[test]
    fn the_day_is_that_of_the_zone() {
        assert_eq!(Day::of(UnixTime(-1), 0), Day(-1));
        assert_eq!(Day::of(UnixTime(-1), 1), Day(0));
        assert_eq!(Day::of(UnixTime(DAY_S - 60), 1), Day(1));
        for time in [i64::MIN, i64::MAX] {
            let day = Day::of(UnixTime(time), -1439);
            assert!(day.civil().1 > 0 && !day.weekday().is_empty());
        }
    }
}
