//! The box's certificates and TLS: an authority of its own, a certificate signed by it, one TLS configuration for
//! all services that always shows the current one.
//!
//! Owns no file and no clock: keys come from settings and go back as [`Change`]s, time and names are arguments.

mod authority;
mod leaf;
mod limits;
mod names;
mod stored;

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, RwLock};

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::rand::SystemRandom;
use rustls::ServerConfig;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use tokio_rustls::TlsAcceptor;

use crate::provision::{Change, Records};
use authority::Authority;
use leaf::Leaf;

pub(crate) use names::{Names, is_private};

/// A time and whether it can be believed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Unix seconds; the best that the box knows.
    pub(crate) unix_s: i64,
    /// Whether the clock has been set by somebody who can know.
    pub(crate) is_known: bool,
}

/// Why no certificate could be made, for the log.
#[derive(Debug)]
pub(crate) struct CertificateError(String);

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<rcgen::Error> for CertificateError {
    fn from(error: rcgen::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<rustls::Error> for CertificateError {
    fn from(error: rustls::Error) -> Self {
        Self(error.to_string())
    }
}

/// The certificates in use.
pub(crate) struct Certificates {
    state: RefCell<State>,
    shown: Arc<Shown>,
    acceptor: TlsAcceptor,
}

struct State {
    authority: Authority,
    leaf: Leaf,
}

/// The authority as people and their devices get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuthorityView {
    /// The certificate, DER.
    pub(crate) der: Vec<u8>,
    /// SHA-256 of it, in hexadecimal pairs with colons.
    pub(crate) fingerprint: String,
}

impl AuthorityView {
    /// The certificate as text (RFC 7468).
    pub(crate) fn pem(&self) -> String {
        let body = STANDARD.encode(&self.der);
        let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
        for line in body.as_bytes().chunks(64) {
            pem.extend(line.iter().copied().map(char::from));
            pem.push('\n');
        }
        pem + "-----END CERTIFICATE-----\n"
    }
}

impl Certificates {
    /// Takes the keys out of the settings, or makes them. The changes are to be made durable before anybody is told
    /// the fingerprint.
    ///
    /// # Errors
    /// No randomness, or names that cannot stand in a certificate.
    pub(crate) fn open(
        records: &(impl Records + ?Sized),
        names: &Names,
        now: Moment,
    ) -> Result<(Self, Vec<Change>), CertificateError> {
        let old_authority = records.setting(stored::AUTHORITY_KEY).and_then(|value| Authority::load(&value));
        let old_leaf = records.setting(stored::LEAF_KEY).and_then(|value| Leaf::load(&value));
        let mut changes = Vec::new();
        let authority = match old_authority {
            Some(authority) => authority,
            None => new_authority(names, &mut changes)?,
        };
        let leaf = match old_leaf {
            Some(leaf) => leaf,
            None => new_leaf(None, &authority, names, now, &mut changes)?,
        };
        let shown = Arc::new(Shown(RwLock::new(leaf.certified(&authority)?)));
        let acceptor = TlsAcceptor::from(Arc::new(server_config(Arc::clone(&shown))?));
        let this = Self { state: RefCell::new(State { authority, leaf }), shown, acceptor };
        let further = this.refresh(names, now)?;
        // What was made for the old authority is not worth storing.
        changes.retain(|change| !further.iter().any(|later| same_setting(change, later)));
        changes.extend(further);
        Ok((this, changes))
    }

    /// Makes again what does not serve any more: to be called when names, addresses or the clock have changed, and
    /// once a day. New connections see it at once. The changes are to be stored; without any nothing was done.
    ///
    /// # Errors
    /// As [`open`](Self::open); what was in use stays in use.
    pub(crate) fn refresh(&self, names: &Names, now: Moment) -> Result<Vec<Change>, CertificateError> {
        let mut state = self.state.borrow_mut();
        let subjects = names.subjects();
        let mut changes = Vec::new();
        if !state.authority.permits(subjects.names.iter()) {
            let authority = new_authority(names, &mut changes)?;
            let leaf = new_leaf(Some(&state.leaf), &authority, names, now, &mut changes)?;
            *state = State { authority, leaf };
        } else if !state.leaf.serves(&state.authority, &subjects, now) {
            state.leaf = new_leaf(Some(&state.leaf), &state.authority, names, now, &mut changes)?;
        }
        if !changes.is_empty() {
            self.shown.show(state.leaf.certified(&state.authority)?);
        }
        Ok(changes)
    }

    /// What shakes hands for every service. Cheap to clone.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    /// The authority, for the console and the page.
    pub(crate) fn authority(&self) -> AuthorityView {
        let state = self.state.borrow();
        AuthorityView {
            der: state.authority.certificate.to_vec(),
            fingerprint: state.authority.fingerprint(),
        }
    }
}

fn new_authority(names: &Names, changes: &mut Vec<Change>) -> Result<Authority, CertificateError> {
    let authority = Authority::make(names.permitted(), &SystemRandom::new())?;
    changes.push(Change::set(stored::AUTHORITY_KEY, authority.store().to_vec()));
    Ok(authority)
}

fn new_leaf(
    old: Option<&Leaf>,
    authority: &Authority,
    names: &Names,
    now: Moment,
    changes: &mut Vec<Change>,
) -> Result<Leaf, CertificateError> {
    let leaf = Leaf::make(old, authority, names.subjects(), now, &SystemRandom::new())?;
    changes.push(Change::set(stored::LEAF_KEY, leaf.store().to_vec()));
    Ok(leaf)
}

fn same_setting(a: &Change, b: &Change) -> bool {
    matches!((a, b), (Change::Setting { key: a, .. }, Change::Setting { key: b, .. }) if a == b)
}

/// TLS 1.2 and 1.3 with ring. Sessions are resumed by tickets, which cost the box no memory; nothing is kept per
/// session.
fn server_config(shown: Arc<Shown>) -> Result<ServerConfig, CertificateError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(shown);
    config.ticketer = rustls::crypto::ring::Ticketer::new()?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

/// The certificate that new connections are shown.
#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl Shown {
    fn show(&self, certified: Arc<CertifiedKey>) {
        // A poisoned lock holds a whole value all the same: it is only ever exchanged.
        *self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner) = certified;
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner)))
    }
}

/// Bytes in hexadecimal.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
