//! A pair of keys: made here, and kept in forms that any library reads.

use std::fmt;

use ring::{
    rand::{SecureRandom, SystemRandom},
    rsa::KeyPair as RsaKeyPair,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use rsa::{
    pkcs1::EncodeRsaPrivateKey as _,
    rand_core::{TryCryptoRng, TryRng},
};
use zeroize::Zeroizing;

use super::limits::RSA_BITS;

/// An RSA key and an Ed25519 key of one domain.
pub(crate) struct Pair {
    /// What both selectors begin with.
    pub(super) name: String,
    /// RSAPrivateKey of PKCS #1, DER.
    pub(super) rsa_pkcs1: Zeroizing<Vec<u8>>,
    /// PKCS #8 with the public key in it (RFC 8410 §7), DER.
    pub(super) ed25519_pkcs8: Zeroizing<Vec<u8>>,
}

/// No keys could be made: there is no randomness, or no thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CannotMake;

impl Pair {
    /// Makes new keys. Takes a tenth of a second on a computer and some seconds on a Pi: never on the network loop.
    ///
    /// # Errors
    /// [`CannotMake`].
    pub(crate) fn make(name: String) -> Result<Self, CannotMake> {
        let random = SystemRandom::new();
        let ed25519 = Ed25519KeyPair::generate_pkcs8(&random).map_err(|_| CannotMake)?;
        // ring signs with RSA keys, and makes none.
        let rsa = rsa::PrivateKey::new(&mut Random(random), RSA_BITS).map_err(|_| CannotMake)?;
        let rsa = rsa.to_pkcs1_der().map_err(|_| CannotMake)?;
        Ok(Self { name, rsa_pkcs1: rsa.to_bytes(), ed25519_pkcs8: Zeroizing::new(ed25519.as_ref().to_vec()) })
    }

    /// What people call it: both selectors begin with that.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The selector of the RSA key.
    pub(super) fn rsa_selector(&self) -> String {
        format!("{}r", self.name)
    }

    /// The selector of the Ed25519 key.
    pub(super) fn ed25519_selector(&self) -> String {
        format!("{}e", self.name)
    }

    /// The public RSA key as RSAPublicKey of PKCS #1; `None` if the private one cannot be used.
    pub(super) fn rsa_public(&self) -> Option<Vec<u8>> {
        let key = RsaKeyPair::from_der(&self.rsa_pkcs1).ok()?;
        Some(key.public().as_ref().to_vec())
    }

    /// The public Ed25519 key, 32 bytes; `None` if the private one cannot be used.
    pub(super) fn ed25519_public(&self) -> Option<Vec<u8>> {
        let key = Ed25519KeyPair::from_pkcs8(&self.ed25519_pkcs8).ok()?;
        Some(key.public_key().as_ref().to_vec())
    }
}

/// The system's randomness, as the crate that makes RSA keys wants it.
struct Random(SystemRandom);

impl TryRng for Random {
    type Error = CannotMake;

    fn try_next_u32(&mut self) -> Result<u32, CannotMake> {
        self.draw().map(u32::from_le_bytes)
    }

    fn try_next_u64(&mut self) -> Result<u64, CannotMake> {
        self.draw().map(u64::from_le_bytes)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), CannotMake> {
        self.0.fill(bytes).map_err(|_| CannotMake)
    }
}

impl TryCryptoRng for Random {}

impl Random {
    fn draw<const N: usize>(&mut self) -> Result<[u8; N], CannotMake> {
        let mut bytes = [0; N];
        self.try_fill_bytes(&mut bytes)?;
        Ok(bytes)
    }
}

impl fmt::Display for CannotMake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no randomness, or no thread")
    }
}

impl std::error::Error for CannotMake {}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the keys {}", self.name)
    }
}
