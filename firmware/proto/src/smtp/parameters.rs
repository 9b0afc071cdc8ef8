//! Parameters of MAIL and RCPT (RFC 5321 §4.1.1.11): what each extension adds to an envelope.

use mail::{BodyKind, Envelope, Notify, Recipient, Returns};

use super::{
    hold::Hold,
    reply::{self, Reply},
};
use crate::report::xtext::{OriginalRecipient, envelope_id};

/// What MAIL says beside the sender.
#[derive(Debug, Default)]
pub(super) struct MailParameters {
    /// What is kept with the letter.
    pub(super) envelope: Envelope,
    /// Announced size in bytes. A number too great to be one is the greatest (RFC 1870 §3 allows 20 digits).
    pub(super) size: Option<u64>,
    /// RFC 4865.
    pub(super) hold: Option<Hold>,
    seen: Seen,
}

/// Takes the value of a parameter, if it has one; `None` if it is malformed.
type Setter = fn(&mut MailParameters, Option<&str>) -> Option<()>;

impl MailParameters {
    /// Reads all of them, divided by blanks.
    pub(super) fn parse(text: &str) -> Result<Self, Reply> {
        let mut parameters = Self::default();
        for parameter in text.split_ascii_whitespace() {
            let (key, value) = divide(parameter);
            match parameters.set(key, value) {
                Some(Some(())) => {}
                Some(None) => return Err(reply::PARAMETER_MALFORMED),
                // RFC 5321 §4.1.1.11.
                None => return Err(reply::PARAMETER_UNKNOWN),
            }
        }
        Ok(parameters)
    }

    /// `None` if it is not known, `Some(None)` if it is malformed or was there already.
    fn set(&mut self, key: &str, value: Option<&str>) -> Option<Option<()>> {
        let is = |name: &str| key.eq_ignore_ascii_case(name);
        let (seen, set): (_, Setter) = match () {
            () if is("SIZE") => (Seen::SIZE, Self::size),
            () if is("BODY") => (Seen::BODY, Self::body),
            () if is("AUTH") => (Seen::AUTH, Self::auth),
            () if is("SMTPUTF8") => (Seen::SMTPUTF8, Self::smtputf8),
            () if is("REQUIRETLS") => (Seen::REQUIRETLS, Self::require_tls),
            () if is("RET") => (Seen::RET, Self::ret),
            () if is("ENVID") => (Seen::ENVID, Self::envid),
            // RFC 4865 §4: one of the two.
            () if is("HOLDFOR") => (Seen::HOLD, Self::hold_for),
            () if is("HOLDUNTIL") => (Seen::HOLD, Self::hold_until),
            () => return None,
        };
        let first = self.seen.first(seen);
        Some(set(self, value).filter(|()| first))
    }

    fn size(&mut self, value: Option<&str>) -> Option<()> {
        self.size = Some(number(value?)?);
        Some(())
    }

    /// RFC 6152 §3, RFC 3030 §3.
    fn body(&mut self, value: Option<&str>) -> Option<()> {
        const KINDS: [(&str, BodyKind); 3] = [
            ("7BIT", BodyKind::SevenBit),
            ("8BITMIME", BodyKind::EightBit),
            ("BINARYMIME", BodyKind::Binary),
        ];
        let value = value?;
        let (_, kind) = KINDS.iter().find(|(name, _)| value.eq_ignore_ascii_case(name))?;
        self.envelope.body = *kind;
        Some(())
    }

    /// RFC 4954 §5: what it says is trusted from nobody, which is as if it said `<>`.
    fn auth(&mut self, value: Option<&str>) -> Option<()> {
        is_xtext(value?).then_some(())
    }

    /// RFC 6531 §3.4.
    fn smtputf8(&mut self, value: Option<&str>) -> Option<()> {
        self.envelope.utf8 = true;
        value.is_none().then_some(())
    }

    /// RFC 8689 §2.
    fn require_tls(&mut self, value: Option<&str>) -> Option<()> {
        self.envelope.requires_tls = true;
        value.is_none().then_some(())
    }

    /// RFC 3461 §4.3.
    fn ret(&mut self, value: Option<&str>) -> Option<()> {
        let value = value?;
        self.envelope.returns = Some(match () {
            () if value.eq_ignore_ascii_case("FULL") => Returns::Full,
            () if value.eq_ignore_ascii_case("HDRS") => Returns::Headers,
            () => return None,
        });
        Some(())
    }

    /// RFC 3461 §4.4.
    fn envid(&mut self, value: Option<&str>) -> Option<()> {
        self.envelope.id = envelope_id(value?)?;
        Some(())
    }

    fn hold_for(&mut self, value: Option<&str>) -> Option<()> {
        self.hold = Some(Hold::of_interval(value?)?);
        Some(())
    }

    fn hold_until(&mut self, value: Option<&str>) -> Option<()> {
        self.hold = Some(Hold::of_date(value?)?);
        Some(())
    }
}

/// Adds to a recipient what RCPT says beside it; `utf8` if MAIL asked for SMTPUTF8.
pub(super) fn of_recipient(text: &str, utf8: bool, recipient: &mut Recipient) -> Result<(), Reply> {
    let mut seen = Seen::default();
    for parameter in text.split_ascii_whitespace() {
        let (key, value) = divide(parameter);
        let fits = match () {
            () if key.eq_ignore_ascii_case("NOTIFY") => {
                value.and_then(notify).map(|notify| recipient.notify = notify).is_some()
                    && seen.first(Seen::NOTIFY)
            }
            () if key.eq_ignore_ascii_case("ORCPT") => {
                // RFC 6533 §3: characters beyond ASCII as they are only with SMTPUTF8.
                let value = value.filter(|value| utf8 || value.is_ascii());
                let original = value.and_then(OriginalRecipient::parse);
                original.map(|original| recipient.original = original.decoded()).is_some()
                    && seen.first(Seen::ORCPT)
            }
            () => return Err(reply::PARAMETER_UNKNOWN),
        };
        if !fits {
            return Err(reply::PARAMETER_MALFORMED);
        }
    }
    Ok(())
}

/// RFC 3461 §4.1: NEVER alone, or a list of the others.
fn notify(value: &str) -> Option<Notify> {
    const WISHES: [(&str, Notify); 3] =
        [("SUCCESS", Notify::SUCCESS), ("FAILURE", Notify::FAILURE), ("DELAY", Notify::DELAY)];
    if value.eq_ignore_ascii_case("NEVER") {
        return Some(Notify::NEVER);
    }
    value.split(',').try_fold(Notify::UNSAID, |all, word| {
        let (_, wish) = WISHES.iter().find(|(name, _)| word.eq_ignore_ascii_case(name))?;
        Some(all.with(*wish))
    })
}

fn divide(parameter: &str) -> (&str, Option<&str>) {
    match parameter.split_once('=') {
        Some((key, value)) => (key, Some(value)),
        None => (parameter, None),
    }
}

/// 1 to 20 digits.
pub(super) fn number(digits: &str) -> Option<u64> {
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

/// Which parameters have been there: none may be twice (RFC 5321 §4.1.1.11).
#[derive(Debug, Default)]
struct Seen(u16);

impl Seen {
    const SIZE: u16 = 1;
    const BODY: u16 = 2;
    const AUTH: u16 = 4;
    const SMTPUTF8: u16 = 8;
    const REQUIRETLS: u16 = 16;
    const RET: u16 = 32;
    const ENVID: u16 = 64;
    const HOLD: u16 = 128;
    const NOTIFY: u16 = 256;
    const ORCPT: u16 = 512;

    /// Whether this is the first of its kind.
    const fn first(&mut self, kind: u16) -> bool {
        let first = self.0 & kind == 0;
        self.0 |= kind;
        first
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::ToString};

    use mail::Address;

    use super::*;

    fn read(text: &str) -> Result<MailParameters, Reply> {
        MailParameters::parse(text)
    }

    #[test]
    fn what_mail_says_is_kept() {
        let all = "SIZE=12 body=8BitMime SMTPUTF8 AUTH=<> requiretls RET=hdrs ENVID=a+20b HOLDFOR=60";
        let parameters = read(all).unwrap();
        assert_eq!((parameters.size, parameters.hold), (Some(12), Some(Hold::For(60))));
        let expected = Envelope {
            body: BodyKind::EightBit,
            utf8: true,
            requires_tls: true,
            returns: Some(Returns::Headers),
            id: "a b".into(),
            ..Envelope::default()
        };
        assert_eq!(parameters.envelope, expected);
        assert_eq!(read("").unwrap().envelope, Envelope::default());
        assert_eq!(read("BODY=BinaryMIME").unwrap().envelope.body, BodyKind::Binary);
        assert_eq!(read("RET=FULL").unwrap().envelope.returns, Some(Returns::Full));
        assert_eq!(read("SIZE=99999999999999999999").unwrap().size, Some(u64::MAX));
    }

    #[test]
    fn what_mail_says_wrongly_is_refused() {
        let long = format!("ENVID={}", "a".repeat(101));
        for bad in [
            "SIZE",
            "SIZE=",
            "SIZE=-1",
            "SIZE=1k",
            "SIZE=1 SIZE=1",
            "SIZE=123456789012345678901",
            "BODY=BINARY",
            "BODY",
            "BODY=BINARYMIME BODY=7BIT",
            "AUTH=",
            "AUTH=a+4",
            "AUTH=a=b",
            "SMTPUTF8=1",
            "SMTPUTF8 SMTPUTF8",
            "REQUIRETLS=1",
            "REQUIRETLS REQUIRETLS",
            "RET",
            "RET=",
            "RET=BODY",
            "RET=FULL RET=FULL",
            "ENVID",
            "ENVID=",
            "ENVID=a=b",
            "ENVID=+0A",
            "ENVID=a ENVID=b",
            &long,
            "HOLDFOR=0",
            "HOLDUNTIL=tomorrow",
            "HOLDFOR=60 HOLDUNTIL=2026-12-24T18:00:00Z",
        ] {
            assert_eq!(read(bad).err(), Some(reply::PARAMETER_MALFORMED), "{bad}");
        }
        for unknown in ["MT-PRIORITY=3", "NOTIFY=NEVER", "=", "X"] {
            assert_eq!(read(unknown).err(), Some(reply::PARAMETER_UNKNOWN), "{unknown}");
        }
    }

    fn recipient(text: &str, utf8: bool) -> Result<(Notify, alloc::string::String), Reply> {
        let mut recipient = Recipient::plain(Address::parse("a@b.test").unwrap());
        of_recipient(text, utf8, &mut recipient).map(|()| (recipient.notify, recipient.original))
    }

    #[test]
    fn what_rcpt_says_is_kept() {
        let both = Notify::SUCCESS.with(Notify::DELAY);
        for (text, utf8, notify, original) in [
            ("", false, Notify::UNSAID, ""),
            ("NOTIFY=never", false, Notify::NEVER, ""),
            ("NOTIFY=Success,DELAY", false, both, ""),
            ("ORCPT=rfc822;a+2Bb@c.test NOTIFY=FAILURE", false, Notify::FAILURE, "rfc822;a+b@c.test"),
            ("ORCPT=UTF-8;\\x{624B}@c.test", false, Notify::UNSAID, "utf-8;手@c.test"),
            ("ORCPT=utf-8;手@c.test", true, Notify::UNSAID, "utf-8;手@c.test"),
        ] {
            assert_eq!(recipient(text, utf8), Ok((notify, original.to_string())), "{text}");
        }
    }

    #[test]
    fn what_rcpt_says_wrongly_is_refused() {
        let long = format!("ORCPT=rfc822;{}", "a".repeat(500));
        for bad in [
            "NOTIFY",
            "NOTIFY=",
            "NOTIFY=NEVER,SUCCESS",
            "NOTIFY=SUCCESS,",
            "NOTIFY=ALWAYS",
            "NOTIFY=NEVER NOTIFY=NEVER",
            "ORCPT",
            "ORCPT=a@b",
            "ORCPT=rfc822;a=b",
            "ORCPT=rfc822;+0D+0A",
            "ORCPT=utf-8;手@c.test",
            "ORCPT=rfc822;a ORCPT=rfc822;a",
            &long,
        ] {
            assert_eq!(recipient(bad, false), Err(reply::PARAMETER_MALFORMED), "{bad}");
        }
        for unknown in ["SIZE=1", "RRVS=2026-12-24T18:00:00Z"] {
            assert_eq!(recipient(unknown, false), Err(reply::PARAMETER_UNKNOWN), "{unknown}");
        }
    }
}
