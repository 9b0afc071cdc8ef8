//! The server's certificate: for the box's names and private addresses, for a year and a month, always the same key.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType, date_time_ymd,
};
use ring::rand::SecureRandom;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::authority::{Authority, key_pair, serial};
use super::limits::{FLOOR_UNIX_S, LEAF_LIFE_S, SKEW_S};
use super::names::Subjects;
use super::{CertificateError, Moment, stored};

/// The certificate with its key.
pub(super) struct Leaf {
    certificate: CertificateDer<'static>,
    key: KeyPair,
    subjects: Subjects,
    /// Unix seconds.
    not_before: i64,
    /// Fingerprint of the authority that signed it.
    authority: String,
}

/// At rest.
#[derive(Serialize, Deserialize)]
struct LeafV1 {
    key_pkcs8: Vec<u8>,
    certificate: Vec<u8>,
    names: BTreeSet<String>,
    addresses: Vec<String>,
    not_before: i64,
    authority: String,
}

impl Drop for LeafV1 {
    fn drop(&mut self) {
        self.key_pkcs8.zeroize();
    }
}

impl Leaf {
    /// Makes a certificate for the key of `old`, or for a new one.
    pub(super) fn make(
        old: Option<&Self>,
        authority: &Authority,
        subjects: Subjects,
        now: Moment,
        random: &dyn SecureRandom,
    ) -> Result<Self, CertificateError> {
        let key = match old {
            Some(old) => key_pair(&old.key.serialize_der())?,
            None => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?,
        };
        let not_before = now.unix_s.max(FLOOR_UNIX_S) - SKEW_S;
        let mut params = params(&subjects, not_before)?;
        params.serial_number = Some(serial(random)?);
        let certificate = authority.sign(&params, &key)?;
        Ok(Self { certificate, key, subjects, not_before, authority: authority.fingerprint() })
    }

    /// Whether it still serves: for all of `subjects`, by this authority, and for the first two thirds of its life.
    /// Time does not count before it is known.
    pub(super) fn serves(&self, authority: &Authority, subjects: &Subjects, now: Moment) -> bool {
        let in_time = (self.not_before..self.not_before + LEAF_LIFE_S / 3 * 2).contains(&now.unix_s);
        self.authority == authority.fingerprint()
            && self.subjects.include(subjects)
            && (in_time || !now.is_known)
    }

    /// Reads what [`store`](Self::store) wrote; `None` if it cannot be used.
    pub(super) fn load(value: &[u8]) -> Option<Self> {
        let mut form: LeafV1 = stored::decode(value)?;
        let addresses: Option<BTreeSet<IpAddr>> = form.addresses.iter().map(|ip| ip.parse().ok()).collect();
        Some(Self {
            certificate: CertificateDer::from(std::mem::take(&mut form.certificate)),
            key: key_pair(&form.key_pkcs8).ok()?,
            subjects: Subjects { names: std::mem::take(&mut form.names), addresses: addresses? },
            not_before: form.not_before,
            authority: std::mem::take(&mut form.authority),
        })
    }

    /// The bytes for the store.
    pub(super) fn store(&self) -> Zeroizing<Vec<u8>> {
        stored::encode(&LeafV1 {
            key_pkcs8: self.key.serialize_der(),
            certificate: self.certificate.to_vec(),
            names: self.subjects.names.clone(),
            addresses: self.subjects.addresses.iter().map(IpAddr::to_string).collect(),
            not_before: self.not_before,
            authority: self.authority.clone(),
        })
    }

    /// What TLS shows: the certificate, and the authority behind it so that a browser can show its fingerprint.
    pub(super) fn certified(&self, authority: &Authority) -> Result<Arc<CertifiedKey>, CertificateError> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let key = rustls::crypto::ring::sign::any_ecdsa_type(&key)?;
        let chain = vec![self.certificate.clone(), authority.certificate.clone()];
        Ok(Arc::new(CertifiedKey::new(chain, key)))
    }
}

/// Everything about the certificate but its number.
fn params(subjects: &Subjects, not_before: i64) -> Result<CertificateParams, CertificateError> {
    let mut params = CertificateParams::default();
    // Clients look at the alternative names only (RFC 9525 §2); the common name is for people, and no name that
    // constraints would be checked against.
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Tegami");
    for name in &subjects.names {
        params.subject_alt_names.push(SanType::DnsName(name.as_str().try_into()?));
    }
    params.subject_alt_names.extend(subjects.addresses.iter().copied().map(SanType::IpAddress));
    let seconds = |unix: i64| Duration::from_secs(u64::try_from(unix).unwrap_or(0));
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + seconds(not_before);
    // Both ends belong to the life of a certificate (RFC 5280 §4.1.2.5).
    params.not_after = epoch + seconds(not_before + LEAF_LIFE_S - 1);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}
