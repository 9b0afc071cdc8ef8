//! Letters that are to go out later (FUTURERELEASE, RFC 4865): for how long, and until when.

use core::fmt::{self, Write as _};

use mail::{
    UnixTime,
    calendar::{DAY_S, Day},
};

use super::{
    limits::HOLD_S_MAX,
    reply::{self, Reply},
};

/// What MAIL says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// Seconds from now.
    For(u32),
    Until(UnixTime),
}

impl Hold {
    /// The value of HOLDFOR: 1 to 9 digits, the first not 0 (RFC 4865 §4).
    pub(super) fn of_interval(text: &str) -> Option<Self> {
        let fits =
            text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        if fits { text.parse().ok().map(Self::For) } else { None }
    }

    /// The value of HOLDUNTIL: `date-time` of RFC 3339 §5.6.
    pub(super) fn of_date(text: &str) -> Option<Self> {
        date_time(text.as_bytes()).map(Self::Until)
    }

    /// When the letter may go out: at once, if that time has passed.
    ///
    /// # Errors
    /// It is later than the box promises.
    pub(super) fn release(self, now: UnixTime) -> Result<UnixTime, Reply> {
        let time = match self {
            Self::For(seconds) => UnixTime(now.0.saturating_add(seconds.into())),
            Self::Until(time) => time,
        };
        if time > latest(now) { Err(reply::HELD_TOO_LONG) } else { Ok(time) }
    }
}

/// The keyword of EHLO with the longest interval and the latest date (RFC 4865 §3).
pub(super) fn announce(now: UnixTime, out: &mut alloc::string::String) {
    // Writing to a String does not fail.
    let _ = write!(out, "\nFUTURERELEASE {HOLD_S_MAX} {}", DateTime(latest(now)));
}

const fn latest(now: UnixTime) -> UnixTime {
    UnixTime(now.0.saturating_add(HOLD_S_MAX as i64))
}

/// `2026-12-24T18:00:00Z`
struct DateTime(UnixTime);

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = Day::of(self.0, 0).civil();
        let second = self.0.0.rem_euclid(DAY_S);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// RFC 3339 §5.6. Parts of a second do not count; a leap second is the one behind it.
fn date_time(text: &[u8]) -> Option<UnixTime> {
    let (date, rest) = text.split_at_checked(10)?;
    let [year, month, day] = three(date, b'-')?;
    let (time, rest) = rest.split_at_checked(9)?;
    let ([b'T' | b't'], time) = time.split_at_checked(1)? else { return None };
    let [hour, minute, second] = three(time, b':')?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let offset = offset_s(without_fraction(rest)?)?;
    let Day(days) = Day::from_civil(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?)?;
    Some(UnixTime(days * DAY_S + hour * 3600 + minute * 60 + second - offset))
}

/// Three numbers of two digits, the first of as many as are left, with a sign between them.
fn three(text: &[u8], sign: u8) -> Option<[i64; 3]> {
    let first = text.len().checked_sub(6)?;
    let (one, rest) = text.split_at_checked(first)?;
    let [before, two @ .., between, last, end] = rest else { return None };
    let signs = *before == sign && *between == sign;
    if signs { Some([number(one)?, number(two)?, number(&[*last, *end])?]) } else { None }
}

/// What follows `.123`, if there are digits behind the dot.
fn without_fraction(text: &[u8]) -> Option<&[u8]> {
    let Some(fraction) = text.strip_prefix(b".") else { return Some(text) };
    let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 { None } else { fraction.get(digits..) }
}

/// `Z`, `+09:00`: seconds east of UTC.
fn offset_s(text: &[u8]) -> Option<i64> {
    let (sign, hour, minute) = match text {
        [b'Z' | b'z'] => return Some(0),
        [b'+', hour @ .., b':', minute, end] => (1, number(hour)?, number(&[*minute, *end])?),
        [b'-', hour @ .., b':', minute, end] => (-1, number(hour)?, number(&[*minute, *end])?),
        _ => return None,
    };
    if text.len() != 6 || hour > 23 || minute > 59 { None } else { Some(sign * (hour * 3600 + minute * 60)) }
}

fn number(digits: &[u8]) -> Option<i64> {
    digits
        .iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i64::from(*digit - b'0')))
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};

    use super::*;
    use crate::testing::NOW;

    #[test]
    fn dates_are_read() {
        for (text, time) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-14T06:23:01z", NOW.unix.0),
            ("2026-11-14t15:23:01+09:00", NOW.unix.0),
            ("2026-11-14T01:53:01.999-04:30", NOW.unix.0),
            ("2028-02-29T23:59:60Z", 1_835_481_600),
        ] {
            assert_eq!(Hold::of_date(text), Some(Hold::Until(UnixTime(time))), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "tomorrow",
            "2026-11-14",
            "2026-11-14T06:23:01",
            "2026-11-14T06:23Z",
            "2026-11-14 06:23:01Z",
            "2026-11-31T06:23:01Z",
            "2026-13-14T06:23:01Z",
            "2026-11-14T24:00:00Z",
            "2026-11-14T06:60:01Z",
            "2026-11-14T06:23:61Z",
            "2026-11-14T06:23:01.Z",
            "2026-11-14T06:23:01+9:00",
            "2026-11-14T06:23:01+09:60",
            "2026-11-14T06:23:01+0900",
            "2026-11-14T06:23:01ZZ",
            "26-11-14T06:23:01Z",
            "2026-1a-14T06:23:01Z",
            "２026-11-14T06:23:01Z",
        ] {
            assert_eq!(Hold::of_date(text), None, "{text}");
        }
        for text in ["", "0", "007", "-1", "1e3", "1234567890", "１"] {
            assert_eq!(Hold::of_interval(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_announced_is_kept() {
        let mut said = String::new();
        announce(NOW.unix, &mut said);
        let mut words = said.trim().split(' ').skip(1);
        let (interval, date) = (words.next().unwrap(), words.next().unwrap());
        let last = UnixTime(NOW.unix.0 + i64::from(HOLD_S_MAX));
        for hold in [Hold::of_interval(interval).unwrap(), Hold::of_date(date).unwrap()] {
            assert_eq!(hold.release(NOW.unix), Ok(last));
        }
        assert_eq!(Hold::For(HOLD_S_MAX + 1).release(NOW.unix), Err(reply::HELD_TOO_LONG));
        assert_eq!(Hold::Until(UnixTime(last.0 + 1)).release(NOW.unix), Err(reply::HELD_TOO_LONG));
        assert_eq!(Hold::Until(UnixTime(5)).release(NOW.unix), Ok(UnixTime(5)));
        assert_eq!(DateTime(UnixTime(0)).to_string(), "1970-01-01T00:00:00Z");
    }
}
