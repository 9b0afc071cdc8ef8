//! Dates as IMAP writes them (RFC 3501 §9 `date`, `date-time`).

use alloc::vec::Vec;

use mail::{
    UnixTime,
    calendar::{DAY_S, Day, month_name, month_named},
};

use super::emit;

/// A moment with the zone in which it is to be shown, in minutes east of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DateTime {
    pub(super) time: UnixTime,
    pub(super) zone_minutes: i16,
}

/// `date-text`: date-day "-" date-month "-" date-year, without its quotes.
pub(super) fn parse_day(text: &[u8]) -> Option<Day> {
    let mut parts = text.split(|byte| *byte == b'-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !(1..=2).contains(&day.len()) || year.len() != 4 {
        return None;
    }
    Day::from_civil(i64::from(number(year)?), month_named(month)?, number(day)?)
}

impl DateTime {
    /// `date-time` without its quotes: `17-Jul-1996 02:44:25 -0700`, the day of one digit behind a blank.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = if let [b' ', rest @ ..] = text { rest } else { text };
        let mut parts = text.split(|byte| *byte == b' ');
        let (date, time, zone) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let day = parse_day(date)?;
        let zone_minutes = parse_zone(zone)?;
        let s = day.0 * DAY_S + parse_time(time)? - i64::from(zone_minutes) * 60;
        Some(Self { time: UnixTime(s), zone_minutes })
    }

    /// Appends `date-time` with its quotes.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        let (year, month, day) = Day::of(self.time, self.zone_minutes).civil();
        let second = self.time.local_s(self.zone_minutes).rem_euclid(DAY_S) as u32;
        out.push(b'"');
        out.push(if day < 10 { b' ' } else { b'0' + (day / 10) as u8 });
        out.push(b'0' + (day % 10) as u8);
        out.push(b'-');
        out.extend_from_slice(month_name(month).as_bytes());
        out.push(b'-');
        // RFC 3501 §9 has four digits; the clock is never elsewhere, a hostile APPEND is caught when it is parsed.
        let year = year.clamp(0, 9999) as u32;
        two_digits(year / 100, out);
        two_digits(year % 100, out);
        for (separator, number) in [(b' ', second / 3600), (b':', second / 60 % 60), (b':', second % 60)] {
            out.push(separator);
            two_digits(number, out);
        }
        let zone = u32::from(self.zone_minutes.unsigned_abs());
        out.extend_from_slice(if self.zone_minutes < 0 { b" -" } else { b" +" });
        two_digits(zone / 60 % 100, out);
        two_digits(zone % 60, out);
        out.push(b'"');
    }
}

/// `time`: 2DIGIT ":" 2DIGIT ":" 2DIGIT, in seconds. A leap second is allowed.
fn parse_time(text: &[u8]) -> Option<i64> {
    let [h1, h2, b':', m1, m2, b':', s1, s2] = text else { return None };
    let (h, m, s) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?, number(&[*s1, *s2])?);
    (h < 24 && m < 60 && s <= 60).then_some(i64::from(h * 3600 + m * 60 + s))
}

/// `zone`: ("+" / "-") 4DIGIT, in minutes.
fn parse_zone(text: &[u8]) -> Option<i16> {
    let [sign @ (b'+' | b'-'), h1, h2, m1, m2] = text else { return None };
    let (h, m) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
    let minutes = i16::try_from(h * 60 + m).ok()?;
    (h < 24 && m < 60).then_some(if *sign == b'-' { -minutes } else { minutes })
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u32::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

fn two_digits(number: u32, out: &mut Vec<u8>) {
    emit::number(u64::from(number / 10 % 10), out);
    emit::number(u64::from(number % 10), out);
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use proptest::prelude::*;

    use super::*;

    fn written(date: DateTime) -> String {
        let mut out = Vec::new();
        date.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn dates_read_and_write() {
        for (text, time, zone_minutes) in [
            ("17-Jul-1996 02:44:25 -0700", 837_596_665, -420),
            (" 1-Feb-1994 00:00:00 +0000", 760_060_800, 0),
            ("29-Feb-2000 23:59:59 +0900", 951_836_399, 540),
            ("31-Dec-1969 23:59:59 +0000", -1, 0),
            (" 1-Jan-1970 09:00:00 +0900", 0, 540),
            (" 1-Jan-0001 00:00:00 +0000", -62_135_596_800, 0),
            ("31-Dec-9999 23:59:59 -1200", 253_402_343_999, -720),
        ] {
            let date = DateTime { time: UnixTime(time), zone_minutes };
            assert_eq!(DateTime::parse(text.as_bytes()), Some(date), "{text}");
            assert_eq!(written(date).trim_matches('"'), text);
        }
        // Lenient where nothing is in doubt: a day of one digit, any case.
        assert!(DateTime::parse(b"1-JAN-2026 00:00:00 +0000").is_some());
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "17-Jul-1996",
            "31-Jun-1996 02:44:25 -0700",
            "29-Feb-1900 02:44:25 -0700",
            "00-Jan-1996 02:44:25 -0700",
            "17-Foo-1996 02:44:25 -0700",
            "17-Jul-96 02:44:25 -0700",
            "17-Jul-1996 24:00:00 -0700",
            "17-Jul-1996 02:60:00 -0700",
            "17-Jul-1996 02:44:25 0700",
            "17-Jul-1996 02:44:25 -2400",
            "17-Jul-1996 02:44:25 -0700 x",
            "17-Jul-1996-1 02:44:25 -0700",
            "17-Jul-99999999999 02:44:25 -0700",
        ] {
            assert_eq!(DateTime::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse_day(b"1-Jan-1970"), Some(Day(0)));
        assert_eq!(parse_day(b"001-Jan-1970"), None);
    }

    proptest! {
        #[test]
        fn moments_come_back(time in -62_000_000_000_i64..250_000_000_000, zone_minutes in -1439_i16..=1439) {
            let date = DateTime { time: UnixTime(time), zone_minutes };
            prop_assert_eq!(DateTime::parse(written(date).trim_matches('"').as_bytes()), Some(date));
        }

        #[test]
        fn no_moment_panics(time in any::<i64>(), zone_minutes in any::<i16>()) {
            written(DateTime { time: UnixTime(time), zone_minutes });
        }
    }
}
