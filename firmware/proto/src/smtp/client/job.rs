//! What is to be sent: a letter, its envelope, and what its next server must be able to do.

use alloc::{string::String, vec::Vec};

use mail::{Address, Content};

use super::limits::PARAMETER_BYTES_MAX;

/// One letter for some recipients: one transaction of SMTP.
#[derive(Debug)]
pub struct Job {
    /// Where failures are reported; `None` for `<>`, the null reverse-path.
    pub reverse_path: Option<Address>,
    /// Who is to get it.
    pub recipients: Vec<Recipient>,
    /// The letter as it is kept.
    pub content: Content,
    /// How many bytes at its front are left out: our own Return-Path line.
    pub skip: u64,
    /// Whole lines that are put before what remains: signatures.
    pub front: Vec<u8>,
    /// What bytes the letter is made of.
    pub body: Body,
    /// Its header holds UTF-8 (RFC 6531). An address beyond ASCII in the envelope counts as well, whatever this says.
    pub utf8: bool,
    /// What failure reports are to hold (RFC 3461 §4.3).
    pub ret: Option<Ret>,
    /// The sender's own name for the transaction (RFC 3461 §4.4).
    pub envid: Option<Parameter>,
    /// It must not travel without TLS that was verified (RFC 8689).
    pub require_tls: bool,
}

/// Somebody who is to get a letter.
#[derive(Debug)]
pub struct Recipient {
    /// The caller's name for it.
    pub number: u32,
    /// Its address.
    pub address: Address,
    /// When reports are to be sent, if the sender said so (RFC 3461 §4.1).
    pub notify: Option<Notify>,
    /// Who the sender addressed at first, `type;xtext` (RFC 3461 §4.2).
    pub orcpt: Option<Parameter>,
}

/// When the sender wants a report; in no case at all for NEVER (RFC 3461 §4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notify {
    /// The letter was delivered.
    pub success: bool,
    /// It could not be.
    pub failure: bool,
    /// It takes long.
    pub delay: bool,
}

/// What a report of failure holds of the letter (RFC 3461 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ret {
    /// All of it.
    Full,
    /// Its header.
    Headers,
}

/// What bytes a letter is made of (RFC 2045 §2.7 to §2.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// ASCII; only CRLF ends lines.
    SevenBit,
    /// Any bytes; only CRLF ends lines (RFC 6152).
    EightBit,
    /// Any bytes anywhere (RFC 3030 §3).
    Binary,
}

/// The value of ORCPT or ENVID as it stands in a command: xtext, printable ASCII without blank and `=`
/// (RFC 5321 §4.1.2 `esmtp-value`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter(String);

impl Parameter {
    /// Takes a value that can stand in a command; `None` for anything else, and beyond [`PARAMETER_BYTES_MAX`].
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=PARAMETER_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| matches!(byte, b'!'..=b'~') && byte != b'=');
        fits.then(|| Self(text.into()))
    }

    /// The value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Job {
    /// Size of what is sent, in bytes, without the dots that are doubled (RFC 1870 §5).
    #[must_use]
    pub fn size(&self) -> u64 {
        self.content.size().saturating_sub(self.skip).saturating_add(self.front.len() as u64)
    }

    /// Whether only a server with SMTPUTF8 can take it (RFC 6531 §3.2).
    pub(super) fn needs_utf8(&self) -> bool {
        let mut addresses =
            self.reverse_path.iter().chain(self.recipients.iter().map(|recipient| &recipient.address));
        self.utf8 || addresses.any(|address| !address.as_str().is_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_cannot_hold_a_second_command() {
        for text in ["rfc822;alice+2Bx@example.test", "QQ314159", "a"] {
            assert_eq!(Parameter::new(text).unwrap().as_str(), text);
        }
        for text in ["", "a b", "a\r\nQUIT", "a=b", "a\0", "é", "a\x7f", &"x".repeat(501)] {
            assert_eq!(Parameter::new(text), None, "{text:?}");
        }
    }
}
