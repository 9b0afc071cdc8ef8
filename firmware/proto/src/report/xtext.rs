//! Envelope identifiers and original recipients as SMTP carries them: xtext (RFC 3461 §4) and its forms for
//! addresses in UTF-8 (RFC 6533 §3).

use alloc::{format, string::String};
use core::{fmt::Write as _, iter::Peekable, str::Chars};

use super::limits::{ENVID_BYTES_MAX, ORCPT_BYTES_MAX};

/// What ENVID says (RFC 3461 §4.4): xtext of printable ASCII. `None` if it is not that, or too long.
#[must_use]
pub fn envelope_id(envid: &str) -> Option<String> {
    (envid.len() <= ENVID_BYTES_MAX).then(|| decode(envid)).flatten()
}

/// The value of ENVID that says this.
#[must_use]
pub fn envelope_id_parameter(id: &str) -> String {
    encode(id)
}

/// The recipient as the sender wrote it, before anybody forwarded the letter: what ORCPT says (RFC 3461 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginalRecipient {
    /// `rfc822`, `utf-8` (RFC 6533 §3) or the name of another mail system.
    address_type: String,
    /// Decoded; without control characters.
    address: String,
}

impl OriginalRecipient {
    /// Reads the value of ORCPT, `type;address`. `None` if it is malformed, too long, or says something that a report
    /// could not show.
    #[must_use]
    pub fn parse(orcpt: &str) -> Option<Self> {
        let (address_type, encoded) = orcpt.split_once(';')?;
        let is_atom = address_type.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if orcpt.len() > ORCPT_BYTES_MAX || address_type.is_empty() || !is_atom {
            return None;
        }
        let address_type = address_type.to_ascii_lowercase();
        let address = if address_type == "utf-8" { decode_utf8(encoded) } else { decode(encoded) }?;
        Some(Self { address_type, address })
    }

    /// The value of ORCPT for the next server; `utf8` if the letter goes there with SMTPUTF8.
    #[must_use]
    pub fn parameter(&self, utf8: bool) -> String {
        let encoded = match self.address_type.as_str() {
            "utf-8" => encode_utf8(&self.address, utf8),
            _ => encode(&self.address),
        };
        format!("{};{encoded}", self.address_type)
    }

    /// As it is kept with a letter: `type;address`, decoded.
    #[must_use]
    pub fn decoded(&self) -> String {
        format!("{};{}", self.address_type, self.address)
    }

    /// Undoes [`decoded`](Self::decoded). `None` if it is not of that form.
    #[must_use]
    pub fn from_decoded(kept: &str) -> Option<Self> {
        let (address_type, address) = kept.split_once(';')?;
        let fits = !address_type.is_empty() && !address.is_empty();
        fits.then(|| Self { address_type: address_type.into(), address: address.into() })
    }

    /// The address, decoded.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// As it stands in a report (RFC 3464 §2.3.1); `global` for one that may hold UTF-8. In the other kind, an
    /// address of the type for UTF-8 stays encoded (RFC 6533 §4).
    pub(super) fn field(&self, global: bool) -> String {
        let address = match self.address_type.as_str() {
            "utf-8" if !global => encode_utf8(&self.address, false),
            _ => self.address.clone(),
        };
        format!("{}; {address}", self.address_type)
    }
}

/// Undoes xtext. `None` if it is malformed, or encodes anything but printable ASCII, which is all that RFC 3461 §4.2
/// and §4.4 let it encode.
fn decode(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            '+' => char::from_u32(upper_digit(chars.next()?)? << 4 | upper_digit(chars.next()?)?)?,
            '=' | ' ' => return None,
            c => c,
        };
        if !matches!(c, ' '..='~') {
            return None;
        }
        out.push(c);
    }
    (!out.is_empty()).then_some(out)
}

fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'!'..=b'~' if byte != b'+' && byte != b'=' => out.push(char::from(byte)),
            // Writing to a String does not fail.
            _ => drop(write!(out, "+{byte:02X}")),
        }
    }
    out
}

/// Undoes utf-8-addr-xtext and utf-8-addr-unitext: characters as they are, or as `\x{HEX}`.
fn decode_utf8(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let c = match c {
            '\\' => embedded(&mut chars)?,
            // QCHAR leaves these out.
            '+' | '=' | ' ' => return None,
            c => c,
        };
        if c.is_control() {
            return None;
        }
        out.push(c);
    }
    (!out.is_empty()).then_some(out)
}

/// `x{HEX}` behind a backslash: EmbeddedUnicodeChar, two to six digits in upper case.
fn embedded(chars: &mut Peekable<Chars<'_>>) -> Option<char> {
    if (chars.next()?, chars.next()?) != ('x', '{') {
        return None;
    }
    let (mut value, mut digits) = (0, 0);
    while let Some(c) = chars.next_if(|c| *c != '}') {
        value = value << 4 | upper_digit(c)?;
        digits += 1;
        if digits > 6 {
            return None;
        }
    }
    chars.next()?;
    if digits < 2 { None } else { char::from_u32(value) }
}

/// utf-8-addr-unitext if `utf8`, utf-8-addr-xtext otherwise.
fn encode_utf8(text: &str, utf8: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let plain = matches!(c, '!'..='~') && !matches!(c, '+' | '=' | '\\');
        if plain || utf8 && !c.is_ascii() {
            out.push(c);
        } else {
            let _ = write!(out, "\\x{{{:02X}}}", u32::from(c));
        }
    }
    out
}

/// Both standards know digits in upper case only.
fn upper_digit(c: char) -> Option<u32> {
    if c.is_ascii_lowercase() { None } else { c.to_digit(16) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(orcpt: &str) -> Option<(String, String)> {
        OriginalRecipient::parse(orcpt).map(|original| (original.address_type, original.address))
    }

    #[test]
    fn original_recipients_are_read() {
        for (orcpt, address_type, address) in [
            ("rfc822;bob@peer.test", "rfc822", "bob@peer.test"),
            ("RFC822;a+2Bb+3Dc@peer.test", "rfc822", "a+b=c@peer.test"),
            ("rfc822;+22a+20b+22@peer.test", "rfc822", "\"a b\"@peer.test"),
            ("x400;/C=US".replace('=', "+3D").as_str(), "x400", "/C=US"),
            ("utf-8;手紙@例え.test", "utf-8", "手紙@例え.test"),
            ("utf-8;\\x{624B}\\x{7D19}@peer.test", "utf-8", "手紙@peer.test"),
            ("utf-8;a\\x{2B}b\\x{1F4EE}@peer.test", "utf-8", "a+b📮@peer.test"),
        ] {
            assert_eq!(parsed(orcpt), Some((address_type.into(), address.into())), "{orcpt}");
        }
    }

    #[test]
    fn what_is_malformed_or_could_break_a_report_is_none() {
        for orcpt in [
            "",
            "rfc822",
            "rfc822;",
            ";a@b",
            "rf c;a@b",
            "rfc822;a=b@c",
            "rfc822;a b@c",
            "rfc822;a+4",
            "rfc822;a+2b@c",
            "rfc822;a+0D+0ABcc:+20x@y",
            "rfc822;a+80@b",
            "rfc822;手@b",
            "utf-8;a+b@c",
            "utf-8;\\x{D800}@c",
            "utf-8;\\x{0D}\\x{0A}@c",
            "utf-8;\\x{85}@c",
            "utf-8;\\x{}@c",
            "utf-8;\\x{1}@c",
            "utf-8;\\x{000041}1@c\\x{1234567}",
            "utf-8;\\x{41",
            "utf-8;\\y{41}",
        ] {
            assert_eq!(parsed(orcpt), None, "{orcpt}");
        }
        assert_eq!(parsed(&format!("rfc822;{}", "a".repeat(ORCPT_BYTES_MAX))), None);
    }

    #[test]
    fn what_is_not_a_type_and_an_address_was_never_kept() {
        for kept in ["", "rfc822", "rfc822;", ";a@b"] {
            assert_eq!(OriginalRecipient::from_decoded(kept), None, "{kept}");
        }
    }

    #[test]
    fn envelope_ids_are_read() {
        assert_eq!(envelope_id("QQ314159").as_deref(), Some("QQ314159"));
        assert_eq!(envelope_id("a+20b+2B").as_deref(), Some("a b+"));
        assert_eq!(envelope_id_parameter("a b+"), "a+20b+2B");
        for bad in ["", "a=b", "+0A", "é", &"a".repeat(ENVID_BYTES_MAX + 1)] {
            assert_eq!(envelope_id(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_form_is_that_of_the_next_server() {
        let original = OriginalRecipient::parse("utf-8;手+a".replace('+', "\\x{2B}").as_str()).unwrap();
        assert_eq!(original.parameter(true), "utf-8;手\\x{2B}a");
        assert_eq!(original.parameter(false), "utf-8;\\x{624B}\\x{2B}a");
        assert_eq!(original.field(true), "utf-8; 手+a");
        assert_eq!(original.field(false), "utf-8; \\x{624B}\\x{2B}a");
    }

    const WIDE: &str = "[ -~\u{a1}-\u{d7ff}\u{e000}-\u{10ffff}]{1,30}";
    const HOSTILE: &str = "(rfc822|utf-8);(\\\\x\\{|\\}|\\+|[0-9A-F]|\\PC|\\n){0,30}";

    proptest! {
        #[test]
        fn what_is_written_is_read_back(address in "[ -~]{1,80}", wide in WIDE) {
            for (address_type, address) in [("rfc822", address), ("utf-8", wide)] {
                let original = OriginalRecipient { address_type: address_type.into(), address };
                prop_assert_eq!(OriginalRecipient::from_decoded(&original.decoded()), Some(original.clone()));
                for utf8 in [false, true] {
                    let parameter = original.parameter(utf8);
                    prop_assert!(utf8 || parameter.is_ascii());
                    prop_assert!(!parameter.contains(['=', ' ']));
                    prop_assert_eq!(OriginalRecipient::parse(&parameter), Some(original.clone()));
                }
            }
        }

        #[test]
        fn nothing_panics_or_lets_a_control_character_through(orcpt in HOSTILE) {
            if let Some(original) = OriginalRecipient::parse(&orcpt) {
                prop_assert!(!original.address().chars().any(char::is_control));
            }
        }
    }
}
