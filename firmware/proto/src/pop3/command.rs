//! Command lines (RFC 1939 §3, §5 to §7; RFC 2449 §5; RFC 2595 §4; RFC 5034 §4).

use super::reply::{self, Reply};

/// A command with its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    Auth(&'a [u8]),
    Capa,
    Dele(u32),
    List(Option<u32>),
    Noop,
    Pass(&'a [u8]),
    Quit,
    Retr(u32),
    Rset,
    Stat,
    Stls,
    Top { number: u32, lines: u64 },
    Uidl(Option<u32>),
    User(&'a [u8]),
}

impl<'a> Command<'a> {
    /// Reads a line, given with its end: CRLF, or LF alone as people type it. Keywords have no case.
    pub(super) fn parse(line: &'a [u8]) -> Result<Self, Reply> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
        let (keyword, rest) = line.split_at(end);
        // One blank divides. What else there is belongs to a password (RFC 1939 §7, PASS).
        let rest = rest.strip_prefix(b" ").unwrap_or(rest);
        let mut upper = [0; 4];
        let Some(name) = upper.get_mut(..keyword.len()) else { return Err(reply::UNKNOWN_COMMAND) };
        name.copy_from_slice(keyword);
        name.make_ascii_uppercase();
        match &*name {
            b"PASS" => Ok(Self::Pass(rest)),
            b"AUTH" => Ok(Self::Auth(rest.trim_ascii())),
            b"USER" => match rest.trim_ascii() {
                b"" => Err(reply::USER_SYNTAX),
                name => Ok(Self::User(name)),
            },
            b"CAPA" => bare(Self::Capa, rest),
            b"NOOP" => bare(Self::Noop, rest),
            b"QUIT" => bare(Self::Quit, rest),
            b"RSET" => bare(Self::Rset, rest),
            b"STAT" => bare(Self::Stat, rest),
            b"STLS" => bare(Self::Stls, rest),
            b"DELE" => one_number(rest).map(Self::Dele),
            b"RETR" => one_number(rest).map(Self::Retr),
            b"LIST" => number_or_nothing(rest).map(Self::List),
            b"UIDL" => number_or_nothing(rest).map(Self::Uidl),
            b"TOP" => top(rest),
            _ => Err(reply::UNKNOWN_COMMAND),
        }
    }
}

fn bare<'a>(command: Command<'a>, rest: &[u8]) -> Result<Command<'a>, Reply> {
    if rest.trim_ascii().is_empty() { Ok(command) } else { Err(reply::NO_ARGUMENT) }
}

fn one_number(rest: &[u8]) -> Result<u32, Reply> {
    number(rest.trim_ascii()).and_then(|number| u32::try_from(number).ok()).ok_or(reply::NUMBER_NEEDED)
}

fn number_or_nothing(rest: &[u8]) -> Result<Option<u32>, Reply> {
    if rest.trim_ascii().is_empty() { Ok(None) } else { one_number(rest).map(Some) }
}

fn top<'a>(rest: &[u8]) -> Result<Command<'a>, Reply> {
    let mut words = rest.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let (Some(first), Some(second), None) = (words.next(), words.next(), words.next()) else {
        return Err(reply::TOP_SYNTAX);
    };
    let lines = number(second).ok_or(reply::TOP_SYNTAX)?;
    let number = number(first).and_then(|number| u32::try_from(number).ok()).ok_or(reply::TOP_SYNTAX)?;
    Ok(Command::Top { number, lines })
}

/// A decimal number; one too great for its type is the greatest, which no message has.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        digit.is_ascii_digit().then(|| number.saturating_mul(10).saturating_add(u64::from(*digit - b'0')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_as_people_and_programs_write_them() {
        for (line, expected) in [
            (&b"QUIT\r\n"[..], Command::Quit),
            (b"quit\n", Command::Quit),
            (b"Noop  \r\n", Command::Noop),
            (b"USER alice@example.test\r\n", Command::User(b"alice@example.test")),
            (b"PASS  two  blanks \r\n", Command::Pass(b" two  blanks ")),
            (b"PASS\r\n", Command::Pass(b"")),
            (b"RETR 12\r\n", Command::Retr(12)),
            (b"LIST\r\n", Command::List(None)),
            (b"LIST 3 \r\n", Command::List(Some(3))),
            (b"UIDL 0\r\n", Command::Uidl(Some(0))),
            (b"TOP 1 0\r\n", Command::Top { number: 1, lines: 0 }),
            (b"top 1  99999999999999999999999\r\n", Command::Top { number: 1, lines: u64::MAX }),
            (b"AUTH PLAIN =\r\n", Command::Auth(b"PLAIN =")),
        ] {
            assert_eq!(Command::parse(line), Ok(expected), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, expected) in [
            (&b"\r\n"[..], reply::UNKNOWN_COMMAND),
            (b"HELO there\r\n", reply::UNKNOWN_COMMAND),
            (b"CAPABILITY\r\n", reply::UNKNOWN_COMMAND),
            (b"\xff\xff\r\n", reply::UNKNOWN_COMMAND),
            (b"STAT 1\r\n", reply::NO_ARGUMENT),
            (b"RETR\r\n", reply::NUMBER_NEEDED),
            (b"RETR one\r\n", reply::NUMBER_NEEDED),
            (b"RETR -1\r\n", reply::NUMBER_NEEDED),
            (b"RETR 4294967296\r\n", reply::NUMBER_NEEDED),
            (b"DELE 1 2\r\n", reply::NUMBER_NEEDED),
            (b"LIST x\r\n", reply::NUMBER_NEEDED),
            (b"TOP 1\r\n", reply::TOP_SYNTAX),
            (b"TOP 1 2 3\r\n", reply::TOP_SYNTAX),
            (b"TOP 1 -2\r\n", reply::TOP_SYNTAX),
            (b"USER \r\n", reply::USER_SYNTAX),
        ] {
            assert_eq!(Command::parse(line), Err(expected), "{}", line.escape_ascii());
        }
    }
}
