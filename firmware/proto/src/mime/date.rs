//! The Date field (RFC 5322 §3.3): read as leniently as it is written, written strictly.

use core::fmt;

use mail::{
    UnixTime,
    calendar::{DAY_S, Day, month_name, month_named},
};

use super::lexer::Lexer;

/// The moment, and the zone in which it was written down, in minutes east of UTC.
///
/// Day names, comments, missing seconds, years of two digits (RFC 5322 §4.3) and zone names are understood; what is
/// no date gives `None`.
pub(crate) fn parse(field: &[u8]) -> Option<(UnixTime, i16)> {
    let mut words = Words(Lexer::new(field));
    let mut word = words.next()?;
    if !word.first()?.is_ascii_digit() {
        word = words.next()?;
    }
    let (day, month, year) = match number(word) {
        Some(day) => (day, month_of(words.next()?)?, year_of(words.next()?)?),
        // `Mon Jan 31 12:00:00 2026`, as asctime writes it, is seen in old archives.
        None => return asctime(word, &mut words),
    };
    let seconds = time_of_day(&mut words)?;
    let zone = words.zone().unwrap_or(0);
    moment(year, month, day, seconds, zone)
}

/// A moment in a zone, shown as `Sat, 14 Nov 2026 15:23:01 +0900`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// When.
    pub time: UnixTime,
    /// Minutes east of UTC.
    pub zone_minutes: i16,
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

struct Words<'a>(Lexer<'a>);

impl<'a> Words<'a> {
    /// The next run of letters and digits; all else divides.
    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            self.0.skip_blanks();
            if self.0.peek()?.is_ascii_alphanumeric() {
                return Some(self.0.run(|byte| byte.is_ascii_alphanumeric()));
            }
            self.0.bump();
        }
    }

    /// RFC 5322 §3.3 `zone`, §4.3 `obs-zone`, in minutes east of UTC. Unknown names mean UTC, as §4.3 says of them.
    fn zone(&mut self) -> Option<i16> {
        self.0.skip_blanks();
        let sign = match self.0.peek()? {
            b'+' => 1,
            b'-' => -1,
            _ => return Some(zone_named(self.next()?)),
        };
        let digits = self.next()?;
        let number = i16::try_from(number(digits)?).ok()?;
        let minutes = if digits.len() <= 2 { number * 60 } else { number / 100 * 60 + number % 100 };
        (minutes < 24 * 60).then_some(sign * minutes)
    }
}

fn asctime(month: &[u8], words: &mut Words<'_>) -> Option<(UnixTime, i16)> {
    let month = month_of(month)?;
    let day = number(words.next()?)?;
    let seconds = time_of_day(words)?;
    let year = year_of(words.next()?)?;
    moment(year, month, day, seconds, 0)
}

fn time_of_day(words: &mut Words<'_>) -> Option<u32> {
    let hours = number(words.next()?)?;
    let minutes = number(words.next()?)?;
    let mut ahead = Words(words.0.clone());
    // Seconds are optional; a number behind minutes is they, unless it is a year.
    let seconds = ahead.next().filter(|word| word.len() <= 2).and_then(number);
    if seconds.is_some() {
        words.0 = ahead.0;
    }
    let seconds = seconds.unwrap_or(0);
    // A leap second counts as the one before it.
    (hours < 24 && minutes < 60 && seconds <= 60).then(|| hours * 3600 + minutes * 60 + seconds.min(59))
}

fn zone_named(name: &[u8]) -> i16 {
    let hours = match name.to_ascii_uppercase().as_slice() {
        b"EDT" => -4,
        b"EST" | b"CDT" => -5,
        b"CST" | b"MDT" => -6,
        b"MST" | b"PDT" => -7,
        b"PST" => -8,
        b"JST" => 9,
        _ => 0,
    };
    hours * 60
}

fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 4 {
        return None;
    }
    digits
        .iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(*digit - b'0')))
}

/// RFC 5322 §4.3: two digits below 50 are this century's, other two and three digits count from 1900.
fn year_of(word: &[u8]) -> Option<u32> {
    let year = number(word)?;
    Some(match word.len() {
        1 | 2 if year < 50 => 2000 + year,
        1..=3 => 1900 + year,
        _ => year,
    })
}

fn month_of(word: &[u8]) -> Option<u32> {
    month_named(word.get(..3)?)
}

fn moment(year: u32, month: u32, day: u32, seconds: u32, zone: i16) -> Option<(UnixTime, i16)> {
    if year < 1900 {
        return None;
    }
    let day = Day::from_civil(i64::from(year), month, day)?;
    let local = day.0 * DAY_S + i64::from(seconds);
    Some((UnixTime(local - i64::from(zone) * 60), zone))
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};

    use super::*;

    fn shown(time: i64, zone_minutes: i16) -> String {
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
    fn dates_as_senders_write_them() {
        for (text, unix, zone) in [
            ("Thu, 1 Jan 1970 00:00:00 +0000", 0, 0),
            ("Fri, 21 Nov 1997 09:55:06 -0600", 880_127_706, -360),
            ("Sat, 21 Nov 2026 09:55:06 +0900 (JST)", 1_795_222_506, 540),
            ("21 Nov 97 09:55 GMT", 880_106_100, 0),
            ("Fri, 21 Nov 1997 09(comment):55:06 EST", 880_124_106, -300),
            ("Sat Nov 21 09:55:06 2026", 1_795_254_906, 0),
            ("29 Feb 2000 12:00:00 +0530", 951_805_800, 330),
            ("Mon,31-Dec-2001 23:59:60 JST", 1_009_810_799, 540),
            ("1 Jan 2000 00:00:00", 946_684_800, 0),
            ("1 January 2000 00:00:00 nonsense", 946_684_800, 0),
        ] {
            assert_eq!(parse(text.as_bytes()), Some((UnixTime(unix), zone)), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in
            ["", "soon", "31 Feb 2020 00:00:00 +0000", "1 Foo 2020 00:00", "1 Jan 2020 25:00:00", "1 Jan"]
        {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
