//! The system's clock and the clock chip.

use std::fs::{self, OpenOptions};
use std::os::fd::AsFd as _;

use rustix::io::Errno;
use rustix::time::{ClockId, Timespec, clock_gettime, clock_settime};

use crate::clock::is_plausible;
use crate::sys::{RtcDate, rtc_set};

/// What the clock chip shows, in seconds since 1970.
const CHIP_TIME: &str = "/sys/class/rtc/rtc0/since_epoch";
const CHIP: &str = "/dev/rtc0";

/// Takes the time from the clock chip. Returns whether there is one that can be right; an empty battery shows the
/// year in which the chip was made.
pub(super) fn take_from_chip() -> bool {
    let text = fs::read_to_string(CHIP_TIME).unwrap_or_default();
    let Some(chip_s) = text.trim().parse().ok().filter(|chip_s| is_plausible(*chip_s)) else { return false };
    let system_s = u64::try_from(clock_gettime(ClockId::Realtime).tv_sec).unwrap_or(0);
    // The kernel has usually done this already; a module came too late for that.
    system_s.abs_diff(chip_s) < 2 || set_system(chip_s, 0).is_ok()
}

/// Sets the system's clock, and the chip where there is one.
pub(super) fn set(unix_s: u64, nanos: u32) -> Result<(), Errno> {
    set_system(unix_s, nanos)?;
    if let Ok(chip) = OpenOptions::new().read(true).open(CHIP)
        && let Err(errno) = rtc_set(chip.as_fd(), &date(unix_s))
    {
        log::warn!("the clock chip was not set: {errno}");
    }
    Ok(())
}

fn set_system(unix_s: u64, nanos: u32) -> Result<(), Errno> {
    let tv_sec = i64::try_from(unix_s).map_err(|_| Errno::INVAL)?;
    clock_settime(ClockId::Realtime, Timespec { tv_sec, tv_nsec: nanos.into() })
}

/// Seconds since 1970 as a date in UTC, by the rule of the Gregorian calendar counted from March: leap days then come
/// at the end of a year.
fn date(unix_s: u64) -> RtcDate {
    let (days, second) = (unix_s / 86_400, unix_s % 86_400);
    // Day 0 is 1 March of year 0; 1 January 1970 is 719,468 days later.
    let day = days + 719_468;
    let (era, day_of_era) = (day / 146_097, day % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12;
    let year = era * 400 + year_of_era + u64::from(month < 2);
    let int = |value: u64| i32::try_from(value).unwrap_or(0);
    RtcDate {
        second: int(second % 60),
        minute: int(second / 60 % 60),
        hour: int(second / 3600),
        day: int(day_of_month),
        month: int(month),
        year: int(year) - 1900,
        ignored: [0; 3],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        // From `date -u -d @N`.
        for (unix_s, [year, month, day, hour, minute, second]) in [
            (0, [1970, 1, 1, 0, 0, 0]),
            (951_782_399, [2000, 2, 28, 23, 59, 59]),
            (951_782_400, [2000, 2, 29, 0, 0, 0]),
            (1_772_323_200, [2026, 3, 1, 0, 0, 0]),
            (1_798_761_599, [2026, 12, 31, 23, 59, 59]),
            (1_835_438_400, [2028, 2, 29, 12, 0, 0]),
            (4_102_444_799, [2099, 12, 31, 23, 59, 59]),
        ] {
            let date = date(unix_s);
            let shown = [date.year + 1900, date.month + 1, date.day, date.hour, date.minute, date.second];
            assert_eq!(shown, [year, month, day, hour, minute, second], "{unix_s}");
        }
    }
}
