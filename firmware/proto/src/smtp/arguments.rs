//! Arguments of MAIL and RCPT: paths (RFC 5321 §4.1.2) and parameters (RFC 1870, 6152, 3030, 6531, 4954); and of BDAT.

use alloc::format;

use mail::Address;

use super::reply::{self, Reply};

/// What MAIL says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MailArguments {
    /// Where failures are reported; `None` for `<>`, the null reverse-path.
    pub(super) sender: Option<Address>,
    /// Announced size in bytes. A number too great to be one is the greatest (RFC 1870 §3 allows 20 digits).
    pub(super) size: Option<u64>,
    /// RFC 6531: addresses and header may be UTF-8.
    pub(super) utf8: bool,
    /// RFC 3030 §3: the letter may have any bytes.
    pub(super) binary: bool,
}

impl MailArguments {
    /// Reads what stands behind `FROM:`.
    pub(super) fn parse(argument: &[u8]) -> Result<Self, Reply> {
        let argument = core::str::from_utf8(argument).map_err(|_| reply::NOT_UTF8)?;
        let (path, parameters) = path(argument).ok_or(reply::MAIL_SYNTAX)?;
        let sender = match path {
            "" => None,
            path => Some(Address::parse(path).map_err(|_| reply::SENDER_SYNTAX)?),
        };
        let mut arguments = Self { sender, size: None, utf8: false, binary: false };
        let mut seen = Seen::default();
        for parameter in parameters.split_ascii_whitespace() {
            arguments.set(parameter, &mut seen)?;
        }
        // RFC 6531 §3.5: 553 or 550 with X.6.7.
        match &arguments.sender {
            Some(sender) if !sender.as_str().is_ascii() && !arguments.utf8 => Err(reply::NEEDS_SMTPUTF8),
            _ => Ok(arguments),
        }
    }

    fn set(&mut self, parameter: &str, seen: &mut Seen) -> Result<(), Reply> {
        let (key, value) = match parameter.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (parameter, None),
        };
        let is = |name: &str| key.eq_ignore_ascii_case(name);
        let fits = match value {
            Some(value) if is("SIZE") => {
                self.size = Some(number(value).ok_or(reply::PARAMETER_MALFORMED)?);
                seen.first(Seen::SIZE)
            }
            // RFC 6152 §3, RFC 3030 §3. The first two make no difference: every byte is kept as it comes.
            Some(value) if is("BODY") => {
                self.binary = value.eq_ignore_ascii_case("BINARYMIME");
                seen.first(Seen::BODY)
                    && ["7BIT", "8BITMIME", "BINARYMIME"]
                        .iter()
                        .any(|known| value.eq_ignore_ascii_case(known))
            }
            // RFC 4954 §5: what it says is trusted from nobody, which is as if it said `<>`.
            Some(value) if is("AUTH") => seen.first(Seen::AUTH) && is_xtext(value),
            None if is("SMTPUTF8") => {
                self.utf8 = true;
                seen.first(Seen::SMTPUTF8)
            }
            _ if ["SIZE", "BODY", "AUTH", "SMTPUTF8"].into_iter().any(is) => false,
            // RFC 5321 §4.1.1.11.
            _ => return Err(reply::PARAMETER_UNKNOWN),
        };
        if fits { Ok(()) } else { Err(reply::PARAMETER_MALFORMED) }
    }
}

/// What BDAT says (RFC 3030 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChunkArguments {
    /// Bytes that follow the line. A number too great to be one is the greatest, as with SIZE.
    pub(super) size: u64,
    /// No chunk follows this one.
    pub(super) is_last: bool,
    /// Something else is there as well, or in the place of LAST.
    pub(super) is_malformed: bool,
}

impl ChunkArguments {
    /// Reads what stands behind the verb. `None` if it does not begin with a size.
    pub(super) fn parse(argument: &[u8]) -> Option<Self> {
        let mut words = core::str::from_utf8(argument).ok()?.split_ascii_whitespace();
        let size = number(words.next()?)?;
        let marker = words.next();
        let is_last = marker.is_some_and(|marker| marker.eq_ignore_ascii_case("LAST"));
        let is_malformed = marker.is_some() != is_last || words.next().is_some();
        Some(Self { size, is_last, is_malformed })
    }
}

/// Reads what stands behind `TO:`; no parameter of RCPT is known here. `<postmaster>` without a domain, in any case, is
/// that of `postmaster_domain`: it must be accepted (RFC 5321 §4.5.1).
pub(super) fn recipient(argument: &[u8], utf8: bool, postmaster_domain: &str) -> Result<Address, Reply> {
    let argument = core::str::from_utf8(argument).map_err(|_| reply::NOT_UTF8)?;
    let (path, parameters) = path(argument).ok_or(reply::RCPT_SYNTAX)?;
    if !parameters.trim_ascii().is_empty() {
        return Err(reply::PARAMETER_UNKNOWN);
    }
    let address = if path.eq_ignore_ascii_case("postmaster") {
        Address::parse(&format!("postmaster@{postmaster_domain}"))
    } else {
        Address::parse(path)
    };
    let address = address.map_err(|_| reply::RECIPIENT_SYNTAX)?;
    if utf8 || path.is_ascii() { Ok(address) } else { Err(reply::NEEDS_SMTPUTF8) }
}

/// Which parameters have been there: none may be twice (RFC 5321 §4.1.1.11).
#[derive(Default)]
struct Seen(u8);

impl Seen {
    const SIZE: u8 = 1;
    const BODY: u8 = 2;
    const AUTH: u8 = 4;
    const SMTPUTF8: u8 = 8;

    /// Whether this is the first of its kind.
    const fn first(&mut self, kind: u8) -> bool {
        let first = self.0 & kind == 0;
        self.0 |= kind;
        first
    }
}

/// Divides `<path>` from what follows it, and takes the source route off (RFC 5321 §C: accepted and ignored).
fn path(argument: &str) -> Option<(&str, &str)> {
    let inside = argument.strip_prefix('<')?;
    let (mut quoted, mut escaped) = (false, false);
    let end = inside.char_indices().find_map(|(at, c)| {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '>' if !quoted => return Some(at),
            _ => {}
        }
        None
    })?;
    let (path, behind) = (inside.get(..end)?, inside.get(end + 1..)?);
    let divided = behind.is_empty() || behind.starts_with(' ');
    divided.then_some((without_route(path)?, behind))
}

/// `@one,@two:name@three` without its route. A colon inside an address literal does not end the route.
fn without_route(path: &str) -> Option<&str> {
    if !path.starts_with('@') {
        return Some(path);
    }
    let mut in_literal = false;
    let colon = path.char_indices().find_map(|(at, c)| {
        match c {
            '[' => in_literal = true,
            ']' => in_literal = false,
            ':' if !in_literal => return Some(at),
            _ => {}
        }
        None
    })?;
    path.get(colon + 1..).filter(|rest| !rest.is_empty())
}

/// 1 to 20 digits.
fn number(digits: &str) -> Option<u64> {
    let is_number = (1..=20).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

/// RFC 3461 §4: printable ASCII but `+` and `=`, or `+` and two hexadecimal digits in upper case.
fn is_xtext(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut is_digit = || bytes.next().is_some_and(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F'));
        let fits = match byte {
            b'+' => is_digit() && is_digit(),
            byte => matches!(byte, b'!'..=b'~') && byte != b'=',
        };
        if !fits {
            return false;
        }
    }
    !text.is_empty()
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn sender(argument: &str) -> Result<Option<alloc::string::String>, Reply> {
        MailArguments::parse(argument.as_bytes())
            .map(|arguments| arguments.sender.map(|sender| sender.to_string()))
    }

    #[test]
    fn paths_are_read_as_they_stand() {
        for (argument, address) in [
            ("<a@b.test>", "a@b.test"),
            ("<a..b@carrier.test>", "a..b@carrier.test"),
            ("<a.@carrier.test>", "a.@carrier.test"),
            ("<\"a>b c\"@b.test>", "\"a>b c\"@b.test"),
            ("<\"a\\\">\"@b.test>", "\"a\\\">\"@b.test"),
            ("<@one.test,@two.test:a@b.test>", "a@b.test"),
            ("<@[IPv6:2001:db8::1]:a@b.test>", "a@b.test"),
            ("<a@[192.0.2.1]>", "a@[192.0.2.1]"),
        ] {
            assert_eq!(sender(argument), Ok(Some(address.to_string())), "{argument}");
        }
        assert_eq!(sender("<>"), Ok(None));
    }

    #[test]
    fn paths_that_are_none_are_refused() {
        for argument in
            ["", "a@b.test", "<a@b.test", "<a@b.test>SIZE=1", "<\"a@b.test>", "<@one.test>", "<@a:>"]
        {
            assert_eq!(sender(argument), Err(reply::MAIL_SYNTAX), "{argument}");
        }
        for argument in ["<a>", "<a b@c>", "<a@b c>", "<<a@b>>", "<postmaster>"] {
            assert!(matches!(sender(argument), Err(reply) if reply.is_error()), "{argument}");
        }
    }

    #[test]
    fn parameters_are_read() {
        let parse = |argument: &str| MailArguments::parse(argument.as_bytes());
        let arguments = parse("<é@b.test> SIZE=12 body=8BitMime SMTPUTF8 AUTH=<>").unwrap();
        assert_eq!((arguments.size, arguments.utf8, arguments.binary), (Some(12), true, false));
        assert!(parse("<> BODY=BinaryMIME").unwrap().binary);
        assert_eq!(parse("<> SIZE=99999999999999999999").unwrap().size, Some(u64::MAX));
        for bad in [
            "SIZE",
            "SIZE=",
            "SIZE=-1",
            "SIZE=1k",
            "SIZE=1 SIZE=1",
            "BODY=BINARY",
            "BODY",
            "BODY=BINARYMIME BODY=7BIT",
            "AUTH=",
            "AUTH=a+4",
            "AUTH=a=b",
            "SMTPUTF8=1",
            "SMTPUTF8 SMTPUTF8",
            "SIZE=123456789012345678901",
        ] {
            assert_eq!(parse(&format!("<> {bad}")), Err(reply::PARAMETER_MALFORMED), "{bad}");
        }
        assert_eq!(parse("<> RET=FULL"), Err(reply::PARAMETER_UNKNOWN));
        assert_eq!(parse("<é@b.test>"), Err(reply::NEEDS_SMTPUTF8));
        assert_eq!(MailArguments::parse(b"<\xe9@b.test> SMTPUTF8"), Err(reply::NOT_UTF8));
    }

    #[test]
    fn chunks_are_read() {
        let chunk = |size, is_last, is_malformed| Some(ChunkArguments { size, is_last, is_malformed });
        for (argument, expected) in [
            ("0", chunk(0, false, false)),
            ("86 LAST", chunk(86, true, false)),
            ("007  last", chunk(7, true, false)),
            ("10000000000000000000", chunk(10_000_000_000_000_000_000, false, false)),
            ("99999999999999999999 LAST", chunk(u64::MAX, true, false)),
            ("5 FIRST", chunk(5, false, true)),
            ("5 LAST LAST", chunk(5, true, true)),
            ("", None),
            ("LAST", None),
            ("-1", None),
            ("+1", None),
            ("0x10", None),
            ("5,LAST", None),
            ("\u{ff15}", None),
            ("100000000000000000000", None),
        ] {
            assert_eq!(ChunkArguments::parse(argument.as_bytes()), expected, "{argument}");
        }
        assert_eq!(ChunkArguments::parse(b"5\xff"), None);
    }

    #[test]
    fn recipients_are_read() {
        let parse = |argument: &str, utf8| {
            recipient(argument.as_bytes(), utf8, "example.test").map(|address| address.to_string())
        };
        assert_eq!(parse("<PostMaster>", false), Ok("postmaster@example.test".to_string()));
        assert_eq!(parse("<postmaster@b.test>", false), Ok("postmaster@b.test".to_string()));
        assert_eq!(parse("<>", false), Err(reply::RECIPIENT_SYNTAX));
        assert_eq!(parse("<a@b> NOTIFY=NEVER", false), Err(reply::PARAMETER_UNKNOWN));
        assert_eq!(parse("<手紙@b.test>", false), Err(reply::NEEDS_SMTPUTF8));
        assert_eq!(parse("<手紙@b.test>", true), Ok("手紙@b.test".to_string()));
    }
}
