//! Dates as header fields have them (RFC 5322 §3.3).

use core::fmt;

use mail::UnixTime;

const DAY_S: i64 = 24 * 60 * 60;
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A moment, shown as `Sat, 14 Nov 2026 15:23:01 +0900`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Date {
    pub(super) time: UnixTime,
    /// Minutes east of UTC.
    pub(super) zone_minutes: i16,
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = self.time.0.saturating_add(i64::from(self.zone_minutes) * 60);
        let (days, second) = (local.div_euclid(DAY_S), local.rem_euclid(DAY_S));
        let (year, month, day) = civil(days);
        let name = |names: &[&'static str], at: i64| {
            usize::try_from(at).ok().and_then(|at| names.get(at).copied()).unwrap_or_default()
        };
        let weekday = name(&WEEKDAYS, days.rem_euclid(7));
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let sign = if self.zone_minutes < 0 { '-' } else { '+' };
        let zone = self.zone_minutes.unsigned_abs();
        write!(
            f,
            "{weekday}, {day:02} {} {year:04} {hour:02}:{minute:02}:{second:02} {sign}{:02}{:02}",
            name(&MONTHS, month - 1),
            zone / 60,
            zone % 60
        )
    }
}

/// Year, month (from 1) and day (from 1) of a day counted from 1970-01-01. Years are counted from March, so that the
/// leap day is the last day of a year, and in eras of 400 years, which all have the same length.
const fn civil(days: i64) -> (i64, i64, i64) {
    const ERA_DAYS: i64 = 146_097;
    // 1970-01-01 is day 719,468 since 0000-03-01.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(ERA_DAYS), days.rem_euclid(ERA_DAYS));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Months from March have 31, 30, 31, 30, 31 days, twice over and once more: 153 days in five.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn shown(time: i64, zone_minutes: i16) -> alloc::string::String {
        Date { time: UnixTime(time), zone_minutes }.to_string()
    }

    #[test]
    fn known_moments_are_shown_right() {
        assert_eq!(shown(0, 0), "Thu, 01 Jan 1970 00:00:00 +0000");
        assert_eq!(shown(1_794_637_381, 540), "Sat, 14 Nov 2026 15:23:01 +0900");
        assert_eq!(shown(951_782_400, 0), "Tue, 29 Feb 2000 00:00:00 +0000");
        assert_eq!(shown(951_782_400, -210), "Mon, 28 Feb 2000 20:30:00 -0330");
        assert_eq!(shown(4_107_542_399, 0), "Sun, 28 Feb 2100 23:59:59 +0000");
        assert_eq!(shown(4_107_542_400, 0), "Mon, 01 Mar 2100 00:00:00 +0000");
    }

    #[test]
    fn days_follow_one_another() {
        let (mut year, mut month, mut day) = civil(-800_000);
        for days in -799_999..800_000 {
            let next = civil(days);
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 => 28 + i64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            let expected = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                _ if day == last => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
            assert_eq!(next, expected);
            (year, month, day) = next;
        }
    }
}
