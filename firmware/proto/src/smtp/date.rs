//! Dates as header fields have them (RFC 5322 §3.3).

use core::fmt;

use mail::{
    UnixTime,
    calendar::{DAY_S, Day, month_name},
};

/// A moment, shown as `Sat, 14 Nov 2026 15:23:01 +0900`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Date {
    pub(super) time: UnixTime,
    /// Minutes east of UTC.
    pub(super) zone_minutes: i16,
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day_of = Day::of(self.time, self.zone_minutes);
        let (year, month, day) = day_of.civil();
        let second = self.time.local_s(self.zone_minutes).rem_euclid(DAY_S);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let sign = if self.zone_minutes < 0 { '-' } else { '+' };
        let zone = self.zone_minutes.unsigned_abs();
        write!(
            f,
            "{}, {day:02} {} {year:04} {hour:02}:{minute:02}:{second:02} {sign}{:02}{:02}",
            day_of.weekday(),
            month_name(month),
            zone / 60,
            zone % 60
        )
    }
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
}
