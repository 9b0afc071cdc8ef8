//! Mail addresses as they stand in an envelope: kept byte for byte, compared the way mail servers compare.

use core::fmt;

use heapless::String;

use crate::limits::{ADDRESS_BYTES_MAX, LOCAL_PART_BYTES_MAX};

/// An envelope address, `local@domain`, with the local part as it came (quotes included, case kept).
///
/// The grammar is wider than RFC 5321 §4.1.2 on purpose: carriers in Japan issued addresses such as `a..b@` and
/// `a.@`, and they are relayed byte for byte. What is refused is what could not be written back safely: control
/// characters, blanks and angle brackets outside quotes, a missing part, too great a length.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    text: String<ADDRESS_BYTES_MAX>,
    local_len: usize,
}

/// Why a text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressError {
    /// Longer than the limits of RFC 5321 §4.5.3.1.
    TooLong,
    /// No `@`, an empty local part or an empty domain.
    Incomplete,
    /// A character that cannot stand there.
    Character,
}

impl Address {
    /// Reads `local@domain`; the last `@` outside quotes divides.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let at = divide(text)?;
        let (local, domain) = (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default());
        if local.is_empty() || domain.is_empty() {
            return Err(AddressError::Incomplete);
        }
        if local.len() > LOCAL_PART_BYTES_MAX {
            return Err(AddressError::TooLong);
        }
        if !domain.chars().all(is_domain_char) {
            return Err(AddressError::Character);
        }
        let text = String::try_from(text).map_err(|_| AddressError::TooLong)?;
        Ok(Self { text, local_len: at })
    }

    /// The whole address as it came.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part before the `@`, as it came.
    #[must_use]
    pub fn local(&self) -> &str {
        self.text.get(..self.local_len).unwrap_or_default()
    }

    /// The part behind the `@`, as it came.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.text.get(self.local_len + 1..).unwrap_or_default()
    }

    /// Whether both name the same mailbox here: ASCII case does not count in either part. RFC 5321 §2.4 lets the
    /// owner of a domain decide about the local part, and people type it as they like.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.text.eq_ignore_ascii_case(&other.text)
    }
}

/// Byte position of the `@` that divides the address. Checks the local part's characters on the way.
fn divide(text: &str) -> Result<usize, AddressError> {
    if text.len() > ADDRESS_BYTES_MAX {
        return Err(AddressError::TooLong);
    }
    let mut quoted = false;
    let mut escaped = false;
    let mut at = None;
    for (position, c) in text.char_indices() {
        if c.is_control() {
            return Err(AddressError::Character);
        }
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '@' => {
                if at.is_some() {
                    return Err(AddressError::Character);
                }
                at = Some(position);
            }
            ' ' | '<' | '>' | '(' | ')' | ',' | ';' | '\\' => return Err(AddressError::Character),
            _ => {}
        }
    }
    if quoted { Err(AddressError::Character) } else { at.ok_or(AddressError::Incomplete) }
}

/// RFC 5321 §4.1.2 `Domain` and `address-literal`; U-labels of RFC 6531 §3.3.
const fn is_domain_char(c: char) -> bool {
    matches!(c, 'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | '_' | '[' | ']' | ':') || !c.is_ascii()
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.text)
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the address is too long",
            Self::Incomplete => "an address has the form name@domain",
            Self::Character => "the address has a character that cannot stand there",
        })
    }
}

impl core::error::Error for AddressError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divides_at_the_at_sign_outside_quotes() {
        for (text, local, domain) in [
            ("alice@example.test", "alice", "example.test"),
            ("\"a@b\"@example.test", "\"a@b\"", "example.test"),
            ("a..b@carrier.test", "a..b", "carrier.test"),
            ("a.@carrier.test", "a.", "carrier.test"),
            ("手紙@例え.test", "手紙", "例え.test"),
            ("root@[192.0.2.1]", "root", "[192.0.2.1]"),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!((address.local(), address.domain()), (local, domain));
            assert_eq!(address.as_str(), text);
        }
    }

    #[test]
    fn refuses_what_could_not_be_written_back() {
        use AddressError::{Character, Incomplete, TooLong};
        let long = [b'a'; 65];
        let long = core::str::from_utf8(&long).unwrap();
        for (text, error) in [
            ("", Incomplete),
            ("alice", Incomplete),
            ("@example.test", Incomplete),
            ("alice@", Incomplete),
            ("a b@example.test", Character),
            ("a<b@example.test", Character),
            ("a@b@example.test", Character),
            ("a\r\nb@example.test", Character),
            ("\"open@example.test", Character),
            ("alice@exa mple.test", Character),
            (alloc::format!("{long}@example.test").as_str(), TooLong),
        ] {
            assert_eq!(Address::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn case_does_not_count() {
        let parse = |text| Address::parse(text).unwrap();
        assert!(parse("Alice@Example.Test").same_as(&parse("alice@example.test")));
        assert!(!parse("alice@example.test").same_as(&parse("bob@example.test")));
    }
}
