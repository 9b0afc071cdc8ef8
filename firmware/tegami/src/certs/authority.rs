//! The box's own certificate authority.
//!
//! People install it on their telephones, so it can do as little as possible: path length 0 (nothing but end
//! certificates), critical name constraints (only the box's own names and private addresses), its key never leaves
//! the store. Another set of domains needs another authority, with another name and another key, so that nothing
//! mistakes the one for the other.

use std::collections::BTreeSet;

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, GeneralSubtree, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256, SerialNumber, date_time_ymd,
};
use ring::digest;
use ring::rand::SecureRandom;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::limits::AUTHORITY_YEARS;
use super::names::{PRIVATE_RANGES, covers};
use super::{CertificateError, stored};

/// An authority with its key.
pub(super) struct Authority {
    pub(super) certificate: CertificateDer<'static>,
    key: KeyPair,
    name: String,
    permitted: BTreeSet<String>,
}

/// At rest. The certificate is not taken apart again; what is needed of it stands beside it.
#[derive(Serialize, Deserialize)]
struct AuthorityV1 {
    key_pkcs8: Vec<u8>,
    certificate: Vec<u8>,
    name: String,
    permitted: BTreeSet<String>,
}

impl Drop for AuthorityV1 {
    fn drop(&mut self) {
        self.key_pkcs8.zeroize();
    }
}

impl Authority {
    /// Makes a new one that may vouch for what lies in `permitted` and for private addresses.
    pub(super) fn make(
        permitted: BTreeSet<String>,
        random: &dyn SecureRandom,
    ) -> Result<Self, CertificateError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let name = format!("Tegami {}", super::hex(&draw::<4>(random)?));
        let mut params = params(&name, &permitted);
        params.serial_number = Some(serial(random)?);
        let certificate = params.self_signed(&key)?.der().clone();
        Ok(Self { certificate, key, name, permitted })
    }

    /// Reads what [`store`](Self::store) wrote; `None` if it cannot be used.
    pub(super) fn load(value: &[u8]) -> Option<Self> {
        let mut form: AuthorityV1 = stored::decode(value)?;
        let key = key_pair(&form.key_pkcs8).ok()?;
        Some(Self {
            certificate: CertificateDer::from(std::mem::take(&mut form.certificate)),
            key,
            name: std::mem::take(&mut form.name),
            permitted: std::mem::take(&mut form.permitted),
        })
    }

    /// The bytes for the store.
    pub(super) fn store(&self) -> Zeroizing<Vec<u8>> {
        stored::encode(&AuthorityV1 {
            key_pkcs8: self.key.serialize_der(),
            certificate: self.certificate.to_vec(),
            name: self.name.clone(),
            permitted: self.permitted.clone(),
        })
    }

    /// Whether it may vouch for all of `names`.
    pub(super) fn permits<'n>(&self, mut names: impl Iterator<Item = &'n String>) -> bool {
        names.all(|name| covers(&self.permitted, name))
    }

    /// SHA-256 of the certificate, as programs show it.
    pub(super) fn fingerprint(&self) -> String {
        let digest = digest::digest(&digest::SHA256, &self.certificate);
        let pairs: Vec<String> = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
        pairs.join(":")
    }

    /// Signs an end certificate.
    pub(super) fn sign(
        &self,
        leaf: &CertificateParams,
        key: &KeyPair,
    ) -> Result<CertificateDer<'static>, CertificateError> {
        let params = params(&self.name, &self.permitted);
        let issuer = Issuer::from_params(&params, &self.key);
        Ok(leaf.signed_by(key, &issuer)?.der().clone())
    }
}

/// Everything about the certificate but its number.
fn params(name: &str, permitted: &BTreeSet<String>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let (first, end) = AUTHORITY_YEARS;
    params.not_before = date_time_ymd(first, 1, 1);
    params.not_after = date_time_ymd(end, 1, 1);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let names = permitted.iter().map(|name| GeneralSubtree::DnsName(name.clone()));
    let ranges = PRIVATE_RANGES
        .iter()
        .map(|(address, prefix)| GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(*address, *prefix)));
    // rcgen writes them as critical: who cannot check them must refuse the certificate (RFC 5280 §4.2.1.10).
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: names.chain(ranges).collect(),
        excluded_subtrees: Vec::new(),
    });
    params
}

/// A key from its PKCS #8 form.
pub(super) fn key_pair(pkcs8: &[u8]) -> Result<KeyPair, rcgen::Error> {
    KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(pkcs8), &PKCS_ECDSA_P256_SHA256)
}

/// A certificate's number: 127 random bits and positive (RFC 5280 §4.1.2.2 allows 20 octets).
pub(super) fn serial(random: &dyn SecureRandom) -> Result<SerialNumber, CertificateError> {
    let mut serial = draw::<16>(random)?;
    let [first, ..] = &mut serial;
    // Positive, and never shorter: a leading zero octet would not be DER.
    *first = *first & 0x7F | 0x40;
    Ok(SerialNumber::from_slice(&serial))
}

/// Random bytes.
fn draw<const N: usize>(random: &dyn SecureRandom) -> Result<[u8; N], CertificateError> {
    let mut bytes = [0; N];
    random.fill(&mut bytes).map_err(|_| CertificateError("no randomness".to_owned()))?;
    Ok(bytes)
}
