//! How keys rest in settings: one version byte and a postcard body, wiped when they are dropped.

use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

const VERSION: u8 = 1;

/// Room for a stored form in bytes: a certificate with the names of an office, two pairs of DKIM keys (3 KiB). What fits
/// leaves no half-grown copy of a key behind.
const FORM_BYTES: usize = 8 * 1024;

/// The value of a setting.
pub(crate) fn encode(form: &impl Serialize) -> Zeroizing<Vec<u8>> {
    let mut bytes = Vec::with_capacity(FORM_BYTES);
    bytes.push(VERSION);
    // Fails only where memory does; nothing reads as absent.
    Zeroizing::new(postcard::to_extend(form, bytes).unwrap_or_default())
}

/// What [`encode`] stored; `None` if it is of another version, or damaged.
pub(crate) fn decode<T: DeserializeOwned>(value: &[u8]) -> Option<T> {
    let (version, body) = value.split_first()?;
    if *version == VERSION { postcard::from_bytes(body).ok() } else { None }
}
