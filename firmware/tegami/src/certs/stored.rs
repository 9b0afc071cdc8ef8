//! How keys and certificates rest in settings: one version byte and a postcard body.

use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

/// Setting that holds the authority.
pub(super) const AUTHORITY_KEY: &str = "certificates/authority";

/// Setting that holds the server's certificate.
pub(super) const LEAF_KEY: &str = "certificates/leaf";

const VERSION: u8 = 1;

pub(super) fn encode(form: &impl Serialize) -> Zeroizing<Vec<u8>> {
    // Room for either form, so that no half-grown copy of a key is left behind.
    let mut bytes = Vec::with_capacity(8 * 1024);
    bytes.push(VERSION);
    // Fails only where memory does; nothing reads as absent.
    Zeroizing::new(postcard::to_extend(form, bytes).unwrap_or_default())
}

pub(super) fn decode<T: DeserializeOwned>(value: &[u8]) -> Option<T> {
    let (version, body) = value.split_first()?;
    if *version == VERSION { postcard::from_bytes(body).ok() } else { None }
}
