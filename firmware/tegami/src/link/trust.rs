//! TLS as a client: which certificates are believed, and what is said about those that are not.

use std::{cell::RefCell, io, net::IpAddr, rc::Rc, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    version::{TLS12, TLS13},
};
use tokio_rustls::TlsConnector;

use super::{
    Trouble,
    limits::{NAMES_QUOTED_MAX, OWN_TRUST_MAX, TLS_SESSIONS_MAX},
};
use crate::routing::Server;

/// Authorities of the owner's own.
type Authorities = Rc<[CertificateDer<'static>]>;

/// The ways of trusting, each with the TLS sessions that can be resumed.
pub(super) struct Trust {
    provider: Arc<CryptoProvider>,
    /// Any certificate.
    anybody: Arc<ClientConfig>,
    /// Certificates that the public authorities have signed.
    public: Arc<ClientConfig>,
    /// The same, and authorities of the owner's own; the oldest first.
    own: RefCell<Vec<(Authorities, Arc<ClientConfig>)>>,
}

impl Trust {
    /// # Errors
    /// The cryptography has no cipher for a version of TLS: a sentence.
    pub(super) fn new() -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let anybody = Arc::new(config(&provider, None)?);
        let public = Arc::new(config(&provider, Some(public_roots()))?);
        Ok(Self { provider, anybody, public, own: RefCell::default() })
    }

    /// What shakes hands with a server, and the name that is asked for.
    ///
    /// # Errors
    /// [`Trouble::Certificate`]: the server cannot have one that is believed.
    pub(super) fn connector(
        &self,
        server: &Server,
        address: IpAddr,
    ) -> Result<(TlsConnector, ServerName<'static>), Trouble> {
        let config = match &server.ca {
            _ if !server.verify => Arc::clone(&self.anybody),
            None => Arc::clone(&self.public),
            Some(authorities) => self.own_config(authorities).map_err(Trouble::Certificate)?,
        };
        let name = match server_name(&server.name) {
            Some(name) => name,
            // Nothing is looked up in the certificate then, and no name is sent (RFC 6066 §3).
            None if !server.verify => ServerName::from(address),
            None => {
                let text = format!("no certificate can be for {}, which is no name of a host", server.name);
                return Err(Trouble::Certificate(text));
            }
        };
        Ok((TlsConnector::from(config), name))
    }

    fn own_config(&self, authorities: &Authorities) -> Result<Arc<ClientConfig>, String> {
        let mut own = self.own.borrow_mut();
        if let Some((_, config)) = own.iter().find(|(known, _)| known == authorities) {
            return Ok(Arc::clone(config));
        }
        let mut roots = public_roots();
        for authority in authorities.iter() {
            let added = roots.add(authority.clone());
            added.map_err(|error| format!("the authority given for the server cannot be used: {error}"))?;
        }
        let config = Arc::new(config(&self.provider, Some(roots))?);
        if own.len() >= OWN_TRUST_MAX {
            own.remove(0);
        }
        own.push((Rc::clone(authorities), Arc::clone(&config)));
        Ok(config)
    }
}

fn public_roots() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}

/// TLS 1.2 and 1.3. Without roots any certificate is believed.
fn config(provider: &Arc<CryptoProvider>, roots: Option<RootCertStore>) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| error.to_string())?;
    let builder = match roots {
        Some(roots) => builder.with_root_certificates(roots),
        None => {
            let anybody = Arc::new(Anybody(Arc::clone(provider)));
            builder.dangerous().with_custom_certificate_verifier(anybody)
        }
    };
    let mut config = builder.with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(TLS_SESSIONS_MAX);
    Ok(config)
}

/// A name or an address literal (RFC 5321 §4.1.3) as TLS has it.
fn server_name(name: &str) -> Option<ServerName<'static>> {
    let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    match literal {
        Some(address) => {
            address.strip_prefix("IPv6:").unwrap_or(address).parse::<IpAddr>().ok().map(ServerName::from)
        }
        None => ServerName::try_from(name.to_owned()).ok(),
    }
}

/// Believes any certificate: between servers that know nothing of each other, one that cannot be verified still keeps out
/// whoever only listens (RFC 7435). Whoever shows it must have its key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// What a handshake with `server` failed for. Where any certificate would do, one that is none is trouble with TLS.
pub(super) fn trouble_of(error: &io::Error, server: &Server) -> Trouble {
    let name = &server.name;
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(error)) if server.verify => {
            Trouble::Certificate(certificate_said(error, name))
        }
        Some(error) => Trouble::Tls(format!("TLS with {name} could not be started: {error}")),
        None => Trouble::Tls(match error.kind() {
            io::ErrorKind::TimedOut => format!("{name} does not answer in the TLS handshake"),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
                format!("{name} cut the connection in the TLS handshake")
            }
            _ => format!("TLS with {name} could not be started: {error}"),
        }),
    }
}

fn certificate_said(error: &CertificateError, name: &str) -> String {
    use CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext,
        UnknownIssuer,
    };
    match error {
        NotValidForNameContext { presented, .. } if !presented.is_empty() => {
            let quoted: Vec<String> =
                presented.iter().take(NAMES_QUOTED_MAX).map(|name| plain(name)).collect();
            format!("the certificate of {name} is for {} and not for that name", quoted.join(", "))
        }
        NotValidForName | NotValidForNameContext { .. } => {
            format!("the certificate of {name} is not for that name")
        }
        Expired | ExpiredContext { .. } => format!("the certificate of {name} has expired"),
        NotValidYet | NotValidYetContext { .. } => {
            format!("the certificate of {name} is not valid yet, as far as this box knows the date")
        }
        UnknownIssuer => format!("the certificate of {name} is signed by nobody who is trusted here"),
        _ => format!("the certificate of {name} is not good: {error}"),
    }
}

/// `DnsName("a.test")` is how rustls has it.
fn plain(presented: &str) -> String {
    let inner = presented.split_once("(\"").and_then(|(_, rest)| rest.strip_suffix("\")"));
    inner.unwrap_or(presented).to_owned()
}

#[cfg(test)]
#[path = "trust_tests.rs"]
mod tests;
