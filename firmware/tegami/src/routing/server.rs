//! A server that letters can be given to.

use std::rc::Rc;

use proto::Secret;
use rustls::pki_types::CertificateDer;

use crate::provision::Tls;

/// A server that takes letters of a destination.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// Its host name, or an address literal: `[192.0.2.1]`.
    pub name: Box<str>,
    /// TCP port.
    pub port: u16,
    /// What TLS must be.
    pub tls: Tls,
    /// User and password, if it is one to log in to.
    pub login: Option<Rc<(String, Secret)>>,
    /// Its certificate must be one for `name`.
    pub verify: bool,
    /// Authorities that are trusted for it beside the public roots.
    pub ca: Option<Rc<[CertificateDer<'static>]>>,
}
