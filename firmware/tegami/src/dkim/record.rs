//! The DNS records under which others find the public keys (RFC 6376 §3.6).

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    limits::{RSA_BITS, STRING_BYTES_MAX},
    pair::Pair,
};

/// A TXT record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Its name below the domain: `selector._domainkey`.
    pub(crate) name: String,
    /// Its value. It has no character that would have to be quoted in a zone file's string.
    pub(crate) value: String,
}

/// What stands before an RSAPublicKey of 2,048 bits in a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7, RFC 3279 §2.3.1):
/// SEQUENCE { SEQUENCE { OID rsaEncryption, NULL }, BIT STRING. With the exponent 65537 its length is always the same.
const SPKI_HEAD: [u8; 24] = [
    0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01,
    0x05, 0x00, 0x03, 0x82, 0x01, 0x0f, 0x00,
];

/// Bytes of the RSAPublicKey that stands behind it.
const RSA_PUBLIC_BYTES: usize = 270;

const _: () = assert!(RSA_BITS == 2_048, "the lengths in SPKI_HEAD are those of 2,048 bits");

/// The records of a pair, the RSA key's first; `None` if its keys cannot be used.
pub(crate) fn records(pair: &Pair) -> Option<[Record; 2]> {
    let rsa = pair.rsa_public().filter(|key| key.len() == RSA_PUBLIC_BYTES)?;
    // RFC 6376 §3.6.1 speaks of RSAPublicKey, but its examples, and everybody, have it in a SubjectPublicKeyInfo.
    let rsa = STANDARD.encode([&SPKI_HEAD[..], &rsa].concat());
    // RFC 8463 §4: the key as it is.
    let ed25519 = STANDARD.encode(pair.ed25519_public()?);
    let record = |selector: String, kind: &str, key: &str| Record {
        name: format!("{selector}._domainkey"),
        value: format!("v=DKIM1; k={kind}; p={key}"),
    };
    Some([record(pair.rsa_selector(), "rsa", &rsa), record(pair.ed25519_selector(), "ed25519", &ed25519)])
}

impl Record {
    /// The record as a zone file has it (RFC 1035 §5.1), with its whole name. Verifiers put its strings together
    /// (RFC 6376 §3.6.2.2).
    pub(crate) fn zone_entry(&self, domain: &str) -> String {
        let name = format!("{}.{domain}. IN TXT", self.name);
        let strings: Vec<String> = strings(&self.value).map(|string| format!("\"{string}\"")).collect();
        match strings.as_slice() {
            [one] => format!("{name} {one}"),
            several => format!("{name} (\n    {} )", several.join("\n    ")),
        }
    }
}

/// A value in pieces that a TXT record can have.
fn strings(value: &str) -> impl Iterator<Item = &str> {
    let mut rest = value;
    std::iter::from_fn(move || {
        let (string, behind) = rest.split_at_checked(STRING_BYTES_MAX).unwrap_or((rest, ""));
        rest = behind;
        (!string.is_empty()).then_some(string)
    })
}
