//! The mboxrd form: what stands between letters, how their lines are quoted, and where flags are.
//!
//! A letter is a line `From sender date` in UTC (RFC 4155), three lines with its flags, its own bytes with a `>` before
//! every line that is `From ` behind any number of `>`, and one line feed. Its bytes are the rest: a letter that ends
//! with a line feed is followed by an empty line, as others expect, and one that does not is told from it.

use std::io::{self, Write};

use mail::{
    Address, Flags, UnixTime,
    calendar::{DAY_S, Day, month_name, month_named},
};

/// What begins the line before each letter.
pub(super) const SEPARATOR: &[u8] = b"From ";

/// The sender of a letter whose sender is not known, or who has none.
const NOBODY: &str = "MAILER-DAEMON";

/// The last second of the year 9999, the last one that has four digits.
const LAST_S: i64 = 253_402_300_799;

/// The first second of the year 1000.
const FIRST_S: i64 = -30_610_224_000;

/// The line before a letter.
pub(super) fn separator(sender: Option<&str>, received: UnixTime) -> String {
    let time = UnixTime(received.0.clamp(FIRST_S, LAST_S));
    let day = Day::of(time, 0);
    let (year, month, date) = day.civil();
    let second = time.0.rem_euclid(DAY_S);
    format!(
        "From {} {} {} {date:>2} {:02}:{:02}:{:02} {year}\n",
        sender.unwrap_or(NOBODY),
        day.weekday(),
        month_name(month),
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

/// The sender that a header block names in its first line, if that is `Return-Path`, as it is in letters that came by
/// SMTP; `None` for an empty one, and for one that would not be one word.
pub(super) fn sender(head: &[u8]) -> Option<&str> {
    const NAME: &[u8] = b"Return-Path:";
    let line = head.split(|byte| *byte == b'\n').next()?;
    let (name, value) = line.split_at_checked(NAME.len())?;
    if !name.eq_ignore_ascii_case(NAME) {
        return None;
    }
    let value = std::str::from_utf8(value).ok()?.trim();
    let address = value.strip_prefix('<')?.strip_suffix('>')?;
    Address::parse(address).ok()?;
    (!address.contains(char::is_whitespace)).then_some(address)
}

/// The date in a line that separates letters; `None` for a line that only begins like one. Order and zone differ from
/// program to program: what counts is that there are a month, a day, a time and a year. A zone in digits is obeyed, all
/// else is UTC.
pub(super) fn separator_date(line: &[u8]) -> Option<UnixTime> {
    let text = std::str::from_utf8(line.strip_prefix(SEPARATOR)?).ok()?;
    let (mut month, mut day, mut year, mut time, mut zone) = (None, None, None, None, 0);
    for word in text.split([' ', ',', '\t', '\r', '\n']).filter(|word| !word.is_empty()) {
        if let Some(found) = month_named(word.as_bytes()) {
            month = month.or(Some(found));
        } else if let Some(found) = time_of_day(word) {
            time = time.or(Some(found));
        } else if let Some(found) = zone_minutes(word) {
            zone = found;
        } else if let Ok(number) = word.parse::<u32>() {
            match number {
                1..=31 if day.is_none() => day = Some(number),
                1_000..=9_999 => year = Some(i64::from(number)),
                _ => {}
            }
        }
    }
    let day = Day::from_civil(year?, month?, day?)?;
    Some(UnixTime(day.0 * DAY_S + time? - zone * 60))
}

/// Seconds of `12:34:56` or `12:34`.
fn time_of_day(word: &str) -> Option<i64> {
    let mut parts = word.split(':').map(|part| part.parse::<i64>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    let right = (0..24).contains(&hours) && (0..60).contains(&minutes) && (0..=60).contains(&seconds);
    (right && parts.next().is_none()).then_some(hours * 3_600 + minutes * 60 + seconds)
}

/// Minutes of `+0900`.
fn zone_minutes(word: &str) -> Option<i64> {
    let (sign, digits) = match word.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let number = digits.parse::<i64>().ok().filter(|_| digits.len() == 4)?;
    Some(sign * (number / 100 * 60 + number % 100))
}

/// Flags of a letter as lines of an mbox say them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// System flags.
    pub(super) flags: Flags,
    /// Keywords by name.
    pub(super) keywords: Vec<String>,
}

/// Letters of X-Status.
const STATUS: [(char, Flags); 4] =
    [('A', Flags::ANSWERED), ('F', Flags::FLAGGED), ('T', Flags::DRAFT), ('D', Flags::DELETED)];

const LINES: [&str; 3] = ["Status:", "X-Status:", "X-Keywords:"];

/// The three lines before a letter's own. They are always all there, so that a letter that begins with such lines of
/// its own keeps them.
pub(super) fn status(marks: &Marks) -> String {
    let [seen, others, keywords] = LINES;
    let read = if marks.flags.contains(Flags::SEEN) { "RO" } else { "O" };
    let set = STATUS.iter().filter(|(_, flag)| marks.flags.contains(*flag));
    let set: String = set.map(|(letter, _)| *letter).collect();
    format!("{seen} {read}\n{others} {set}\n{keywords} {}\n", marks.keywords.join(" "))
}

/// Reads the lines of [`status`] at the beginning of `bytes`, exactly as it writes them: how long they are, and what
/// they say. `None` for what other programs write.
pub(super) fn own_status(bytes: &[u8]) -> Option<(usize, Marks)> {
    let mut end = 0;
    for line in LINES {
        let rest = bytes.get(end..)?.strip_prefix(line.as_bytes())?.strip_prefix(b" ")?;
        end += line.len() + 1 + rest.iter().position(|byte| *byte == b'\n')? + 1;
    }
    let lines = bytes.get(..end)?;
    let marks = any_status(lines);
    (status(&marks).as_bytes() == lines).then_some((end, marks))
}

/// What the header block at the beginning of `bytes` says of flags, whoever wrote it.
pub(super) fn any_status(bytes: &[u8]) -> Marks {
    let mut marks = Marks::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        let text = String::from_utf8_lossy(line);
        let text = text.trim();
        if text.is_empty() || line.starts_with(SEPARATOR) {
            break;
        }
        let value = |name: &str| {
            let (found, value) = text.split_at_checked(name.len())?;
            found.eq_ignore_ascii_case(name).then_some(value)
        };
        let [seen, others, keywords] = LINES;
        if value(seen).is_some_and(|letters| letters.contains('R')) {
            marks.flags = marks.flags.with(Flags::SEEN);
        } else if let Some(letters) = value(others) {
            let set = STATUS.iter().filter(|(letter, _)| letters.contains(*letter));
            marks.flags = set.fold(marks.flags, |flags, (_, flag)| flags.with(*flag));
        } else if let Some(names) = value(keywords) {
            marks.keywords.extend(names.split_ascii_whitespace().map(str::to_owned));
        }
    }
    marks
}

/// Writes a letter's bytes with the lines quoted that would be taken for the beginning of another.
pub(super) struct Quoter<W> {
    to: W,
    place: Place,
}

/// Where in a line we are.
#[derive(Clone, Copy)]
enum Place {
    /// Behind nothing but `>`, all of which are written.
    Start,
    /// So many bytes of `From ` have come and are not written.
    Matching(usize),
    Line,
}

impl<W: Write> Quoter<W> {
    /// At the beginning of a letter.
    pub(super) const fn new(to: W) -> Self {
        Self { to, place: Place::Start }
    }

    /// Writes a piece of the letter.
    ///
    /// # Errors
    /// The writer's.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            let taken = match self.place {
                Place::Line => {
                    let end = rest.iter().position(|byte| *byte == b'\n');
                    if end.is_some() {
                        self.place = Place::Start;
                    }
                    let line = rest.get(..end.map_or(rest.len(), |end| end + 1)).unwrap_or(rest);
                    self.to.write_all(line)?;
                    line.len()
                }
                Place::Start if *first == b'>' => {
                    self.to.write_all(b">")?;
                    1
                }
                Place::Start => {
                    self.place = Place::Matching(0);
                    0
                }
                Place::Matching(count) => self.matching(count, *first)?,
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Takes a byte behind `count` bytes of `From `, or leaves it.
    fn matching(&mut self, count: usize, byte: u8) -> io::Result<usize> {
        let taken = usize::from(SEPARATOR.get(count) == Some(&byte));
        if count + taken == SEPARATOR.len() {
            self.to.write_all(b">")?;
        } else if taken == 1 {
            self.place = Place::Matching(count + 1);
            return Ok(1);
        }
        self.to.write_all(SEPARATOR.get(..count + taken).unwrap_or_default())?;
        self.place = Place::Line;
        Ok(taken)
    }

    /// Writes what was held back.
    ///
    /// # Errors
    /// The writer's.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if let Place::Matching(count) = self.place {
            self.to.write_all(SEPARATOR.get(..count).unwrap_or_default())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(letter: &[u8], piece: usize) -> String {
        let mut out = Vec::new();
        let mut quoter = Quoter::new(&mut out);
        letter.chunks(piece).for_each(|piece| quoter.write(piece).unwrap());
        quoter.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_that_look_like_separators_are_quoted() {
        let letter = b"From a\n>From b\r\n>>x\nFro\nFrom\nFrom \n F\n>\nFrom";
        let expected = ">From a\n>>From b\r\n>>x\nFro\nFrom\n>From \n F\n>\nFrom";
        for piece in 1..letter.len() {
            assert_eq!(quoted(letter, piece), expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn separators_say_who_and_when() {
        let line = separator(Some("a@b.test"), UnixTime(1_794_637_381));
        assert_eq!(line, "From a@b.test Sat Nov 14 06:23:01 2026\n");
        assert_eq!(separator(None, UnixTime(0)), "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n");
        for time in [-1, 0, 86_399, 951_782_400, LAST_S, FIRST_S] {
            let line = separator(None, UnixTime(time));
            assert_eq!(separator_date(line.as_bytes()), Some(UnixTime(time)), "{line}");
        }
        separator(None, UnixTime(i64::MIN));
        separator(None, UnixTime(i64::MAX));
    }

    #[test]
    fn separators_of_others_are_understood() {
        let nov_14 = Some(UnixTime(1_794_637_381));
        for (line, time) in [
            ("From - Sat Nov 14 06:23:01 2026\r\n", nov_14),
            ("From a@b.test  Sat Nov 14 06:23:01 UTC 2026\n", nov_14),
            ("From a@b.test Sat Nov 14 15:23:01 2026 +0900\n", nov_14),
            ("From a@b.test Sat, 14 Nov 2026 15:23:01 +0900\n", nov_14),
            ("From a@b.test Sat Nov 14 06:23 2026\n", Some(UnixTime(1_794_637_380))),
            ("From the desk of the director, in May 2026\n", None),
            ("From Mon to Fri\n", None),
            ("From \n", None),
            ("From a Sat Nov 31 06:23:01 2026\n", None),
            ("from - Sat Nov 14 06:23:01 2026\n", None),
        ] {
            assert_eq!(separator_date(line.as_bytes()), time, "{line}");
        }
    }

    #[test]
    fn senders_are_one_word() {
        for (head, expected) in [
            ("Return-Path: <a@b.test>\r\nSubject: x\r\n", Some("a@b.test")),
            ("return-path:<a@b.test>", Some("a@b.test")),
            ("Return-Path: <>\r\n", None),
            ("Return-Path: <\"a b\"@c.test>\r\n", None),
            ("Subject: x\r\nReturn-Path: <a@b.test>\r\n", None),
            ("", None),
        ] {
            assert_eq!(sender(head.as_bytes()), expected, "{head}");
        }
    }

    #[test]
    fn flags_come_back() {
        let marks = Marks {
            flags: Flags::SEEN.with(Flags::ANSWERED).with(Flags::DRAFT),
            keywords: vec!["$Junk".into(), "work".into()],
        };
        let lines = status(&marks);
        assert_eq!(lines, "Status: RO\nX-Status: AT\nX-Keywords: $Junk work\n");
        let letter = format!("{lines}Status: R\n\nbody");
        assert_eq!(own_status(letter.as_bytes()), Some((lines.len(), marks)));
        let none = status(&Marks::default());
        assert_eq!(own_status(none.as_bytes()), Some((none.len(), Marks::default())));
        for other in ["", "Status: RO\n", "Status: RO\r\nX-Status: A\r\nX-Keywords: \r\n", "X-Status: \n"] {
            assert_eq!(own_status(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn flags_of_others_are_found_in_the_header_block() {
        let head = b"Subject: x\r\nStatus: RO\r\nX-Status: FD\r\nX-Keywords: a  b   \r\n\r\nX-Status: A\r\n";
        let marks = any_status(head);
        assert_eq!(marks.flags, Flags::SEEN.with(Flags::FLAGGED).with(Flags::DELETED));
        assert_eq!(marks.keywords, ["a", "b"]);
        assert_eq!(any_status(b"Subject: x\nFrom a\nStatus: R\n"), Marks::default());
    }
}
