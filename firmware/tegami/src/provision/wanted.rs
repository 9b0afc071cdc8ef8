//! What a provision file asks for, typed and checked in itself. Knows nothing of the box.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use mail::Address;
use proto::Secret;
use rustls::pki_types::CertificateDer;

use super::problem::Place;
use super::values::Cidr;
use crate::language::Language;

/// A whole file.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Banner, EHLO, certificate.
    pub(crate) hostname: Option<String>,
    /// Notices and bounces.
    pub(crate) language: Option<Language>,
    /// IANA name of the time zone.
    pub(crate) timezone: Option<String>,
    /// Administrator's password.
    pub(crate) administrator: Option<Password>,
    /// `[network]`; without it the network is asked (DHCP).
    pub(crate) network: Network,
    /// DNS servers; empty: what the network says.
    pub(crate) dns: Vec<SocketAddr>,
    /// Domains of the box.
    pub(crate) domains: Vec<Domain>,
    /// Accounts.
    pub(crate) accounts: Vec<Account>,
    /// Aliases.
    pub(crate) aliases: Vec<Alias>,
    /// Largest message in bytes.
    pub(crate) message_bytes_max: Option<u64>,
    /// Whether letters are stored in less space where that is possible.
    pub(crate) compact: Option<bool>,
    /// Days within which everything on the flash is read and verified once; 0 for never.
    pub(crate) scrub_days: Option<u16>,
    /// Smarthost.
    pub(crate) relay: Option<NextHop>,
    /// Fixed next hops.
    pub(crate) routes: Vec<Route>,
    /// Printers and scanners.
    pub(crate) devices: Vec<Device>,
    /// What the file says apart from passwords; see [`super::card::outline`].
    pub(crate) outline: [u8; 32],
}

/// A password as the file gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Password {
    /// In clear: hashed after the box is ready.
    Clear(Secret),
    /// argon2id in PHC form.
    Hash(String),
}

/// How the box is on the network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Network {
    /// Fixed address with the router's; `None`: DHCP.
    pub(crate) fixed: Option<(Cidr, Option<Ipv4Addr>)>,
    /// Time servers; empty: what the network says.
    pub(crate) ntp: Vec<SocketAddr>,
}

/// A domain of the box.
#[derive(Clone, Debug)]
pub(crate) struct Domain {
    /// In lower case.
    pub(crate) name: String,
    /// Where it stands.
    pub(crate) place: Place,
}

/// An account.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// Its address.
    pub(crate) address: Address,
    /// Its password; `None`: as it is, or none yet.
    pub(crate) password: Option<Password>,
    /// Bytes that it may keep; `None`: as it is, or no limit.
    pub(crate) quota: Option<u64>,
    /// Where its address stands.
    pub(crate) place: Place,
}

/// An alias.
#[derive(Clone, Debug)]
pub(crate) struct Alias {
    /// What is written to.
    pub(crate) name: AliasName,
    /// Who gets it, each with its place.
    pub(crate) to: Vec<(Address, Place)>,
    /// Where its address stands.
    pub(crate) place: Place,
}

/// What an alias answers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AliasName {
    /// One address.
    Address(Box<Address>),
    /// Everything in this domain that is nothing else.
    CatchAll(String),
}

impl AliasName {
    /// Domain in lower case.
    pub(crate) fn domain(&self) -> String {
        match self {
            Self::Address(address) => address.domain().to_ascii_lowercase(),
            Self::CatchAll(domain) => domain.clone(),
        }
    }
}

impl std::fmt::Display for AliasName {
    /// As the file has it: `info@example.test` or `@example.test`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::CatchAll(domain) => write!(f, "@{domain}"),
        }
    }
}

/// Where mail for elsewhere goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NextHop {
    /// Domain name or IP address.
    pub(crate) host: String,
    /// TCP port.
    pub(crate) port: u16,
    /// TLS on the way.
    pub(crate) tls: Tls,
    /// User and password.
    pub(crate) login: Option<(String, Secret)>,
    /// Certificates that are trusted for this hop, beside the public roots.
    pub(crate) ca: Vec<CertificateDer<'static>>,
}

/// Ways of TLS to a next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    /// STARTTLS, or no mail.
    Required,
    /// TLS from the first byte.
    Implicit,
    /// STARTTLS where it is offered.
    Opportunistic,
    /// Never.
    None,
}

/// A fixed next hop for one domain.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// In lower case.
    pub(crate) domain: String,
    /// Where its mail goes.
    pub(crate) hop: NextHop,
    /// Where its domain stands.
    pub(crate) place: Place,
}

/// A printer or scanner on the LAN that sends without TLS and without a password.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    /// Its address.
    pub(crate) ip: IpAddr,
    /// Its only sender.
    pub(crate) from: Address,
    /// Whom it may write to.
    pub(crate) to: Vec<AliasName>,
    /// Where its address stands.
    pub(crate) place: Place,
}
