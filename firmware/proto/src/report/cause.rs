//! Why a letter was not delivered: the code that mail servers have for it, and which answer means which.

use core::fmt;

/// Why a letter has not reached a recipient, for good or so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// No mailbox has this address.
    NoSuchUser,
    /// There is no such domain, or nothing in it that takes mail.
    NoSuchDomain,
    /// The domain says that it takes no mail: null MX (RFC 7505).
    TakesNoMail,
    /// No room in the recipient's mailbox.
    MailboxFull,
    /// More bytes than a server takes.
    TooLarge {
        /// Whose limit it is.
        side: Side,
        /// Bytes of the letter, if known.
        size: Option<u64>,
        /// The limit in bytes, if known.
        limit: Option<u64>,
    },
    /// Refused for a reason that only the other side's words say.
    Refused,
    /// Refused by the other side's rules: taken for junk mail, its sender or this host not trusted.
    Unwanted,
    /// The other side cannot take it now, for a reason that only its words say.
    Deferred,
    /// The other side wants unknown senders to wait (RFC 6647).
    Greylisted,
    /// No server of the recipient's could be connected to.
    NoConnection,
    /// The connection broke off, or the server fell silent, before it had taken the letter.
    NoAnswer,
    /// The names of the recipient's servers could not be asked for.
    NameTrouble,
    /// Too many `Received:` fields, or a next server that is this host (RFC 5321 §6.3).
    Loop,
    /// An address is not ASCII, and the other side has no SMTPUTF8 (RFC 6531).
    AddressScript,
    /// The letter is 8-bit or binary, and the other side takes neither (RFC 6152, RFC 3030).
    BodyForm,
    /// TLS is required on this way, and the other side does not offer it.
    NoTls,
    /// The sender asked for REQUIRETLS (RFC 8689), which is not to be had on this way.
    NoRequireTls,
    /// TLS is required on this way, and the other side's certificate is not one for it.
    WrongCertificate,
    /// The smarthost does not accept our user name or password.
    LogInRefused,
    /// The smarthost does not pass this letter on.
    RelayRefused,
    /// The letter has been damaged on our flash.
    Damaged,
    /// The administrator ended the delivery.
    Cancelled,
}

/// Whose limit a letter is beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The next server's.
    Theirs,
    /// This box's.
    Ours,
}

/// An enhanced status code (RFC 3463): class, subject, detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Code(pub(super) u8, pub(super) u16, pub(super) u16);

/// Classes of codes (RFC 3463 §2).
pub(super) const SUCCESS: u8 = 2;
pub(super) const TRANSIENT: u8 = 4;
pub(super) const PERMANENT: u8 = 5;

impl Cause {
    /// The cause of a refusal in answer to a command about a recipient, or to a letter. `reply` is the server's with its
    /// codes; in several lines, the first counts.
    ///
    /// Only codes are understood, but for one word: without an enhanced code it is the server's own words that a person
    /// has to read. What only a smarthost refuses is for the caller to tell.
    #[must_use]
    pub fn of_reply(reply: &[u8]) -> Self {
        let code = Code::of_reply(reply).map(|Code(_, subject, detail)| (subject, detail));
        if reply.first() == Some(&b'4') {
            return match code {
                Some((2, 2)) => Self::MailboxFull,
                _ if speaks_of_greylisting(reply) => Self::Greylisted,
                _ => Self::Deferred,
            };
        }
        match code {
            Some((1, 1)) => Self::NoSuchUser,
            Some((1, 2)) => Self::NoSuchDomain,
            Some((1, 10)) => Self::TakesNoMail,
            Some((2, 2)) => Self::MailboxFull,
            Some((2, 3) | (3, 4)) => Self::TooLarge { side: Side::Theirs, size: None, limit: None },
            Some((4, 6)) => Self::Loop,
            Some((6, 3)) => Self::BodyForm,
            Some((6, 7)) => Self::AddressScript,
            Some((7, _)) => Self::Unwanted,
            // RFC 7504 §4: the domain takes no mail.
            None if reply.starts_with(b"556") => Self::TakesNoMail,
            _ => Self::Refused,
        }
    }

    /// Whether whoever looks after the box has to do something about it, and so should get the report as well.
    #[must_use]
    pub const fn concerns_owner(self) -> bool {
        matches!(self, Self::LogInRefused | Self::RelayRefused | Self::Damaged)
    }

    /// Its code in the registry of RFC 5248, in `class`. Where only the other side knows why, that is in its reply.
    pub(super) fn code(self, class: u8, reply: &[u8]) -> Code {
        let (subject, detail) = self.own_code();
        let theirs = match self {
            Self::Refused | Self::Unwanted | Self::Deferred | Self::Greylisted | Self::RelayRefused => {
                Code::of_reply(reply).filter(|code| code.0 == class)
            }
            _ => None,
        };
        theirs.unwrap_or(Code(class, subject, detail))
    }

    const fn own_code(self) -> (u16, u16) {
        match self {
            Self::NoSuchUser => (1, 1),
            Self::NoSuchDomain => (1, 2),
            Self::TakesNoMail => (1, 10),
            Self::MailboxFull => (2, 2),
            Self::TooLarge { .. } => (3, 4),
            Self::Refused | Self::Deferred | Self::Cancelled => (0, 0),
            Self::Unwanted | Self::Greylisted | Self::RelayRefused => (7, 1),
            Self::NoConnection => (4, 1),
            Self::NoAnswer => (4, 2),
            Self::NameTrouble => (4, 3),
            Self::Loop => (4, 6),
            Self::BodyForm => (6, 3),
            Self::AddressScript => (6, 7),
            Self::NoTls => (7, 4),
            // RFC 8689 §5.
            Self::NoRequireTls => (7, 30),
            Self::WrongCertificate => (7, 5),
            Self::LogInRefused => (7, 8),
            Self::Damaged => (3, 0),
        }
    }
}

/// No code says so; the servers that do it do.
fn speaks_of_greylisting(reply: &[u8]) -> bool {
    let is_it = |word: &[u8]| {
        word.get(..8).is_some_and(|word| {
            word.eq_ignore_ascii_case(b"greylist") || word.eq_ignore_ascii_case(b"graylist")
        })
    };
    reply.split(|byte| !byte.is_ascii_alphabetic()).any(is_it)
}

impl Code {
    /// The code behind the three digits of a reply (RFC 2034 §4): `550 5.1.1 No such user`. `None` if there is none, or
    /// one of another class than the reply.
    fn of_reply(reply: &[u8]) -> Option<Self> {
        let [class, _, _, b' ' | b'-', text @ ..] = reply else { return None };
        let code = text.split(|byte| !byte.is_ascii_digit() && *byte != b'.').next()?;
        let mut numbers = core::str::from_utf8(code).ok()?.split('.');
        // RFC 3463 §2: one digit, and twice up to three.
        let mut number = |len| numbers.next().filter(|digits| digits.len() <= len)?.parse::<u16>().ok();
        let (first, subject, detail) = (number(1)?, number(3)?, number(3)?);
        let first = u8::try_from(first).ok().filter(|first| b'0' + first == *class)?;
        numbers.next().is_none().then_some(Self(first, subject, detail))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    const THEIR_LIMIT: Cause = Cause::TooLarge { side: Side::Theirs, size: None, limit: None };

    #[test]
    fn replies_are_understood_by_their_codes() {
        for (reply, cause) in [
            ("550 5.1.1 <bob@peer.test>: unknown", Cause::NoSuchUser),
            ("550-5.1.1 line one\r\n550 5.1.1 line two", Cause::NoSuchUser),
            ("550 5.1.2 no", Cause::NoSuchDomain),
            ("556 5.1.10 null MX", Cause::TakesNoMail),
            ("556 no mail here", Cause::TakesNoMail),
            ("452 4.2.2 over quota", Cause::MailboxFull),
            ("552 5.2.2 over quota", Cause::MailboxFull),
            ("552 5.3.4 too big", THEIR_LIMIT),
            ("552 5.2.3 too big", THEIR_LIMIT),
            ("554 5.4.6 too many hops", Cause::Loop),
            ("550 5.6.7 no UTF-8", Cause::AddressScript),
            ("554 5.6.3 no 8BITMIME", Cause::BodyForm),
            ("550 5.7.1 blocked", Cause::Unwanted),
            ("550 5.7.26 unauthenticated", Cause::Unwanted),
            ("450 4.7.1 Greylisted, come back later", Cause::Greylisted),
            ("451 please try again (graylisting)", Cause::Greylisted),
            ("451 4.7.1 rate limit", Cause::Deferred),
            ("450 4.1.1 not verified yet", Cause::Deferred),
            ("421 too busy", Cause::Deferred),
            ("550 no", Cause::Refused),
            ("550 5.2.1 mailbox disabled", Cause::Refused),
            ("", Cause::Refused),
        ] {
            assert_eq!(Cause::of_reply(reply.as_bytes()), cause, "{reply}");
        }
    }

    #[test]
    fn codes_are_read_only_where_they_are_whole_and_fit() {
        let read = |reply: &str| Code::of_reply(reply.as_bytes()).map(|code| code.to_string());
        assert_eq!(read("550 5.1.1 no"), Some("5.1.1".into()));
        assert_eq!(read("550 5.1.1"), Some("5.1.1".into()));
        assert_eq!(read("550-5.7.999 no"), Some("5.7.999".into()));
        for reply in [
            "550 4.1.1 no",
            "550 5.1 no",
            "550 5.1.1.1",
            "550 5.1000.1",
            "550",
            "550 ",
            "550 5..1 x",
            "550_5.1.1",
        ] {
            assert_eq!(read(reply), None, "{reply}");
        }
    }

    #[test]
    fn only_causes_that_the_other_side_knows_take_its_code() {
        let of = |cause: Cause, class, reply: &str| cause.code(class, reply.as_bytes()).to_string();
        assert_eq!(of(Cause::Refused, 5, "550 5.2.1 disabled"), "5.2.1");
        assert_eq!(of(Cause::Refused, 5, "550 disabled"), "5.0.0");
        assert_eq!(of(Cause::Deferred, 4, "451 4.3.0 later"), "4.3.0");
        assert_eq!(of(Cause::Unwanted, 5, "451 4.7.0 later"), "5.7.1");
        assert_eq!(of(Cause::NoSuchUser, 5, "550 5.7.1 no"), "5.1.1");
        assert_eq!(of(Cause::MailboxFull, 4, "452 4.2.2 full"), "4.2.2");
    }
}
