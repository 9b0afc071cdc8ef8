//! The DKIM-Signature field (RFC 6376 §3.5): its tags, its folding, and what is signed together with it (§3.7).

use alloc::{format, string::String, vec::Vec};
use core::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mail::UnixTime;

use super::{
    header::{SignedHeader, relax},
    limits::{DOMAIN_BYTES_MAX, LABEL_BYTES_MAX, LINE_BYTES_MAX},
};

const NAME: &str = "DKIM-Signature";

/// How a signature is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256 over the data (RFC 6376 §3.3.3, RFC 8301 §3).
    RsaSha256,
    /// Ed25519 over the SHA-256 of the data (RFC 8463 §3).
    Ed25519Sha256,
}

impl Algorithm {
    /// As `a=` has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa-sha256",
            Self::Ed25519Sha256 => "ed25519-sha256",
        }
    }
}

/// Who signs, and where the public key is: at `selector._domainkey.domain`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signer<'a> {
    /// The domain that answers for the letter. Names in other scripts are given in their ASCII form (`xn--…`), which is
    /// valid in every letter (RFC 6376 §3.5, RFC 8616 §5).
    pub domain: &'a str,
    /// Names the key among those of the domain.
    pub selector: &'a str,
    /// What kind of key it is.
    pub algorithm: Algorithm,
}

/// Why a letter is not signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CannotSign {
    /// The header block is longer than [`limits::HEAD_BYTES_MAX`](super::limits::HEAD_BYTES_MAX).
    HeadTooLong,
    /// The header block has lines that do not end with CRLF, or one of the fields that are signed too often.
    Malformed,
    /// The header block has no `From`, or several.
    From,
    /// The domain is none that can stand in `d=`: one of several labels in ASCII.
    Domain,
    /// The selector is none that can stand in `s=`.
    Selector,
    /// The callback gave no signature.
    Key,
}

impl SignedHeader {
    /// Makes the field for one key, to be put before the letter, with its line end. Signatures are independent of one
    /// another: none signs the fields of others.
    ///
    /// `body_hash` is the SHA-256 of what [`RelaxedBody`](super::RelaxedBody) gave. `now` is left out (`t=`) where the
    /// time is not known; there is no `x=`, because a letter that waits in somebody's queue is not worth less. `sign` is
    /// given the data of §3.7 and returns the signature that [`Algorithm`] says, or `None`.
    ///
    /// # Errors
    /// [`CannotSign::Domain`], [`CannotSign::Selector`], [`CannotSign::Key`].
    pub fn sign(
        &self,
        signer: &Signer<'_>,
        body_hash: &[u8; 32],
        now: Option<UnixTime>,
        sign: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
    ) -> Result<String, CannotSign> {
        // RFC 6376 §3.5: `domain-name = sub-domain 1*("." sub-domain)`; §3.1 allows a selector of one label.
        if !is_domain(signer.domain) || !signer.domain.contains('.') {
            return Err(CannotSign::Domain);
        }
        if !is_domain(signer.selector) {
            return Err(CannotSign::Selector);
        }
        let mut field = self.unsigned(signer, body_hash, now);
        let signature = sign(&self.data(&field.text)).ok_or(CannotSign::Key)?;
        field.fill(&STANDARD.encode(signature));
        field.text.push_str("\r\n");
        Ok(field.text)
    }

    /// The field with an empty `b=`, which stands last.
    fn unsigned(&self, signer: &Signer<'_>, body_hash: &[u8; 32], now: Option<UnixTime>) -> Folded {
        let mut field = Folded::begin(NAME);
        field.word("v=1;");
        field.word(&format!("a={};", signer.algorithm.name()));
        field.word("c=relaxed/relaxed;");
        field.word(&format!("d={};", signer.domain));
        field.word(&format!("s={};", signer.selector));
        if let Some(now) = now {
            field.word(&format!("t={};", now.0.max(0)));
        }
        let names = self.names.join(":") + ";";
        let mut names = names.split_inclusive(':');
        field.word(&format!("h={}", names.next().unwrap_or_default()));
        names.for_each(|name| field.go_on(name));
        field.word(&format!("bh={};", STANDARD.encode(body_hash)));
        field.word("b=");
        field
    }

    /// What is signed: the fields, and this one with an empty `b=` and without its line end.
    pub(super) fn data(&self, unsigned: &str) -> Vec<u8> {
        let mut data = self.canonical.clone();
        let (name, value) = unsigned.split_once(':').unwrap_or((unsigned, ""));
        relax(name.as_bytes(), value.as_bytes(), &mut data);
        data.truncate(data.len().saturating_sub(2));
        data
    }
}

/// A header field that is folded where a line would become too long.
struct Folded {
    text: String,
    /// Characters of the last line.
    column: usize,
}

impl Folded {
    fn begin(name: &str) -> Self {
        Self { text: format!("{name}:"), column: name.len() + 1 }
    }

    /// Writes a word behind a space, or in a new line.
    fn word(&mut self, word: &str) {
        if self.column + 1 + word.len() > LINE_BYTES_MAX {
            self.fold();
        } else {
            self.put(" ");
        }
        self.put(word);
    }

    /// Writes the next part of a word at whose parts a line may be folded.
    fn go_on(&mut self, part: &str) {
        if self.column + part.len() > LINE_BYTES_MAX {
            self.fold();
        }
        self.put(part);
    }

    /// Writes a word that may be folded anywhere.
    fn fill(&mut self, word: &str) {
        let mut rest = word;
        while !rest.is_empty() {
            if self.column >= LINE_BYTES_MAX {
                self.fold();
            }
            let room = LINE_BYTES_MAX - self.column;
            let (part, behind) = rest.split_at_checked(room).unwrap_or((rest, ""));
            self.put(part);
            rest = behind;
        }
    }

    fn fold(&mut self) {
        self.text.push_str("\r\n\t");
        self.column = 1;
    }

    fn put(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.len();
    }
}

/// RFC 5321 §4.1.2 `Domain`: labels of letters, digits and hyphens that neither begin nor end with one.
fn is_domain(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= DOMAIN_BYTES_MAX && name.split('.').all(is_label)
}

impl fmt::Display for CannotSign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HeadTooLong => "its header is longer than what is signed",
            Self::Malformed => "its header has bare line ends, or a field too often",
            Self::From => "it has no From field, or several",
            Self::Domain => "no signature can name the domain",
            Self::Selector => "no signature can name the key",
            Self::Key => "the key cannot be used",
        })
    }
}

impl core::error::Error for CannotSign {}
