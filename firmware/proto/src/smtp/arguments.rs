//! Arguments of MAIL and RCPT: paths (RFC 5321 §4.1.2) and what `parameters` makes of the rest; and of BDAT.

use alloc::format;

use mail::{Address, Envelope, Recipient};

use super::{
    hold::Hold,
    parameters::{self, MailParameters, number},
    reply::{self, Reply},
};

/// What MAIL says.
#[derive(Debug)]
pub(super) struct MailArguments {
    /// What is kept with the letter: the sender is `None` for `<>`, the null reverse-path.
    pub(super) envelope: Envelope,
    /// Announced size in bytes.
    pub(super) size: Option<u64>,
    /// When the letter may go out.
    pub(super) hold: Option<Hold>,
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
        let MailParameters { mut envelope, size, hold, .. } = MailParameters::parse(parameters)?;
        // RFC 6531 §3.5: 553 or 550 with X.6.7.
        if !envelope.utf8 && !path.is_ascii() {
            return Err(reply::NEEDS_SMTPUTF8);
        }
        envelope.sender = sender;
        Ok(Self { envelope, size, hold })
    }

    /// The same for a device that has one sender, whatever it says: printers give names without a domain, without
    /// brackets, in Shift_JIS.
    pub(super) fn of_device(argument: &[u8], sender: &Address) -> Result<Self, Reply> {
        let end = argument.iter().rposition(|byte| *byte == b'>').map(|bracket| bracket + 1);
        let end = end.or_else(|| argument.iter().position(|byte| *byte == b' '));
        let parameters = end.and_then(|end| argument.get(end..)).unwrap_or_default();
        let parameters = core::str::from_utf8(parameters).map_err(|_| reply::NOT_UTF8)?;
        let MailParameters { mut envelope, size, hold, .. } = MailParameters::parse(parameters)?;
        envelope.sender = Some(sender.clone());
        Ok(Self { envelope, size, hold })
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

/// Reads what stands behind `TO:`. `<postmaster>` without a domain, in any case, is that of `postmaster_domain`: it must
/// be accepted (RFC 5321 §4.5.1).
pub(super) fn recipient(argument: &[u8], utf8: bool, postmaster_domain: &str) -> Result<Recipient, Reply> {
    let argument = core::str::from_utf8(argument).map_err(|_| reply::NOT_UTF8)?;
    let (path, parameters) = path(argument).ok_or(reply::RCPT_SYNTAX)?;
    let address = if path.eq_ignore_ascii_case("postmaster") {
        Address::parse(&format!("postmaster@{postmaster_domain}"))
    } else {
        Address::parse(path)
    };
    let mut recipient = Recipient::plain(address.map_err(|_| reply::RECIPIENT_SYNTAX)?);
    parameters::of_recipient(parameters, utf8, &mut recipient)?;
    if utf8 || path.is_ascii() { Ok(recipient) } else { Err(reply::NEEDS_SMTPUTF8) }
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

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn sender(argument: &str) -> Result<Option<alloc::string::String>, Reply> {
        MailArguments::parse(argument.as_bytes())
            .map(|arguments| arguments.envelope.sender.map(|sender| sender.to_string()))
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
    fn parameters_are_those_of_the_address() {
        let parse =
            |argument: &str| MailArguments::parse(argument.as_bytes()).map(|arguments| arguments.size);
        assert_eq!(parse("<é@b.test> SIZE=12 SMTPUTF8"), Ok(Some(12)));
        assert_eq!(parse("<> SIZE=1 SIZE=1"), Err(reply::PARAMETER_MALFORMED));
        assert_eq!(parse("<> MT-PRIORITY=3"), Err(reply::PARAMETER_UNKNOWN));
        assert_eq!(parse("<é@b.test>"), Err(reply::NEEDS_SMTPUTF8));
        let latin = MailArguments::parse(b"<\xe9@b.test> SMTPUTF8");
        assert_eq!(latin.err(), Some(reply::NOT_UTF8));
    }

    #[test]
    fn a_device_may_say_anything_of_its_sender() {
        let own = Address::parse("printer@example.test").unwrap();
        for (argument, size) in [
            (&b"<>"[..], None),
            (b"<scanner>", None),
            (b"<a b@c>d> SIZE=5", Some(5)),
            (b"scanner@device SIZE=5", Some(5)),
            (b"scanner", None),
            (b"<\x83v\x83\x8a\x83\x93\x83^> SIZE=5", Some(5)),
            (b"", None),
        ] {
            let arguments = MailArguments::of_device(argument, &own).unwrap();
            assert_eq!((arguments.envelope.sender.as_ref(), arguments.size), (Some(&own), size));
        }
        let unknown = MailArguments::of_device(b"<scanner> X=5", &own);
        assert_eq!(unknown.err(), Some(reply::PARAMETER_UNKNOWN));
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
            recipient(argument.as_bytes(), utf8, "example.test")
                .map(|recipient| recipient.address.to_string())
        };
        assert_eq!(parse("<PostMaster>", false), Ok("postmaster@example.test".to_string()));
        assert_eq!(parse("<postmaster@b.test>", false), Ok("postmaster@b.test".to_string()));
        assert_eq!(parse("<>", false), Err(reply::RECIPIENT_SYNTAX));
        assert_eq!(parse("<a@b> NOTIFY=NEVER", false), Ok("a@b".to_string()));
        assert_eq!(parse("<a@b> RET=FULL", false), Err(reply::PARAMETER_UNKNOWN));
        assert_eq!(parse("<手紙@b.test>", false), Err(reply::NEEDS_SMTPUTF8));
        assert_eq!(parse("<手紙@b.test>", true), Ok("手紙@b.test".to_string()));
    }
}
