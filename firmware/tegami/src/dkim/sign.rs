//! Signs letters: which domain answers for one, and its keys, ready for use.
//!
//! What is signed with is the pair that signs now. A letter is signed each time it is sent, and comes out the same each
//! time: both algorithms give one signature for one text, and the time in it is that at which the letter came. Only a
//! rotation between two attempts changes that; the old private key is gone then.

use std::{cell::RefCell, collections::BTreeMap, fmt, iter, sync::Arc};

use mail::UnixTime;
use proto::dkim::{Algorithm, CannotSign, Digest, SignedHeader, Signer, author_domain};
use ring::{
    digest::{Context, SHA256, digest},
    rand::SystemRandom,
    rsa::KeyPair as RsaKeyPair,
    signature::{Ed25519KeyPair, RSA_PKCS1_SHA256},
};
use zeroize::Zeroizing;

use super::keys::DomainKeys;
use crate::provision::{Records, key};

/// Whoever signs for the domains whose letters have been sent; `None` for one whose keys cannot be used. There are at
/// most as many as domains have keys.
#[derive(Default)]
pub(crate) struct Signers(RefCell<BTreeMap<String, Option<Arc<DomainSigner>>>>);

/// Signs for one domain.
pub(crate) struct DomainSigner {
    domain: String,
    /// Each with its selector.
    rsa: Option<(String, RsaKeyPair)>,
    ed25519: Option<(String, Ed25519KeyPair)>,
}

impl Signers {
    /// Whoever signs a letter with this header block: for its author's domain, or for the nearest one above that has
    /// keys, which counts as well (RFC 7489 §3.1.1). The latter is for what the box itself writes, under its own name.
    /// `None` if the author is nowhere here, or the domain of `sender`, where there is one, has other keys: who may send for
    /// one domain of the box does not speak for another.
    pub(crate) fn of_letter(
        &self,
        records: &(impl Records + ?Sized),
        head: &[u8],
        sender: Option<&str>,
    ) -> Option<Arc<DomainSigner>> {
        let signer = self.nearest(records, &author_domain(head)?)?;
        let Some(sender) = sender else { return Some(signer) };
        self.nearest(records, sender).filter(|other| other.domain == signer.domain)
    }

    fn nearest(&self, records: &(impl Records + ?Sized), domain: &str) -> Option<Arc<DomainSigner>> {
        // In lower case and A-labels, as domains are stored and as `d=` is valid in every letter (RFC 8616 §5).
        let domain = idna::domain_to_ascii(domain).ok()?;
        let mut names = iter::successors(Some(domain.as_str()), |name| Some(name.split_once('.')?.1));
        names.find_map(|name| self.of_domain(records, name))
    }

    /// Settings have changed.
    pub(crate) fn forget(&self) {
        self.0.borrow_mut().clear();
    }

    fn of_domain(&self, records: &(impl Records + ?Sized), domain: &str) -> Option<Arc<DomainSigner>> {
        if let Some(known) = self.0.borrow().get(domain) {
            return known.clone();
        }
        let value = Zeroizing::new(records.setting(&key::dkim(domain))?);
        let signer = DomainSigner::load(domain, &value).map(Arc::new);
        if signer.is_none() {
            log::warn!("the DKIM keys of {domain} cannot be used: its letters go out unsigned");
        }
        self.0.borrow_mut().insert(domain.to_owned(), signer.clone());
        signer
    }
}

impl DomainSigner {
    /// With the stored keys of a domain; `None` if neither of the pair that signs can be used.
    fn load(domain: &str, value: &[u8]) -> Option<Self> {
        let keys = DomainKeys::load(value)?;
        let pair = keys.current();
        let rsa = RsaKeyPair::from_der(&pair.rsa_pkcs1).ok();
        let ed25519 = Ed25519KeyPair::from_pkcs8(&pair.ed25519_pkcs8).ok();
        (rsa.is_some() || ed25519.is_some()).then(|| Self {
            domain: domain.to_owned(),
            rsa: rsa.map(|key| (pair.rsa_selector(), key)),
            ed25519: ed25519.map(|key| (pair.ed25519_selector(), key)),
        })
    }

    /// The DKIM-Signature fields of a letter that came at `received`, one for each key that can be used, with their line
    /// ends. Takes a millisecond on a computer and ten or more on a Pi: never on the network loop.
    ///
    /// # Errors
    /// [`CannotSign`], if there is none.
    pub(crate) fn fields(
        &self,
        head: &[u8],
        body_hash: &[u8; 32],
        received: UnixTime,
    ) -> Result<String, CannotSign> {
        let header = SignedHeader::select(head)?;
        let field = |selector: &str, algorithm, sign: &dyn Fn(&[u8]) -> Option<Vec<u8>>| {
            header.sign(
                &Signer { domain: &self.domain, selector, algorithm },
                body_hash,
                Some(received),
                sign,
            )
        };
        let rsa = self
            .rsa
            .as_ref()
            .map(|(selector, key)| field(selector, Algorithm::RsaSha256, &|data| rsa_signature(key, data)));
        let ed25519 = self.ed25519.as_ref().map(|(selector, key)| {
            // RFC 8463 §3: of the hash.
            let sign = |data: &[u8]| key.sign(digest(&SHA256, data).as_ref());
            field(selector, Algorithm::Ed25519Sha256, &|data| Some(sign(data).as_ref().to_vec()))
        });
        let (mut fields, mut failed) = (String::new(), CannotSign::Key);
        for made in [rsa, ed25519].into_iter().flatten() {
            match made {
                Ok(field) => fields.push_str(&field),
                Err(error) => failed = error,
            }
        }
        if fields.is_empty() { Err(failed) } else { Ok(fields) }
    }
}

fn rsa_signature(key: &RsaKeyPair, data: &[u8]) -> Option<Vec<u8>> {
    let mut signature = vec![0; key.public().modulus_len()];
    // The randomness hides the key while it is used; the signature does not depend on it.
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), data, &mut signature).ok()?;
    Some(signature)
}

/// Begins a digest, for [`proto::dkim::BodyHash`].
pub(crate) fn sha256() -> Box<dyn Digest> {
    Box::new(Sha256(Context::new(&SHA256)))
}

struct Sha256(Context);

impl Digest for Sha256 {
    fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(self: Box<Self>) -> [u8; 32] {
        let mut hash = [0; 32];
        // SHA-256 has just as many.
        hash.iter_mut().zip(self.0.finish().as_ref()).for_each(|(to, from)| *to = *from);
        hash
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a SHA-256")
    }
}

#[cfg(test)]
#[path = "sign_tests.rs"]
mod tests;
