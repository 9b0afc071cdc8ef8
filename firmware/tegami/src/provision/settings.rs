//! Settings as they rest in the store: their keys, their stored form, and all that the program reads of them at once.
//!
//! A stored value is one version byte and a postcard body. A value of an unknown version reads as absent.

use std::net::{Ipv4Addr, SocketAddr};

use proto::Secret;
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

use super::changes::{Change, Records};
use super::limits::SETTING_KEY_BYTES_MAX;
use super::values::Cidr;
use super::wanted::{AliasName, Device, Network, NextHop, Tls, Wanted};
use crate::language::Language;

/// Keys of settings.
pub(crate) mod key {
    pub(crate) const HOSTNAME: &str = "hostname";
    pub(crate) const LANGUAGE: &str = "language";
    pub(crate) const TIMEZONE: &str = "timezone";
    pub(crate) const NETWORK: &str = "network";
    pub(crate) const DNS: &str = "dns";
    pub(crate) const MESSAGE_BYTES_MAX: &str = "message-bytes-max";
    pub(crate) const COMPACT: &str = "compact";
    pub(crate) const SCRUB_DAYS: &str = "scrub-days";
    /// What the owner has been told of the flash; see [`crate::health`].
    pub(crate) const HEALTH_TOLD: &str = "health-told";
    /// Where the round of the scrub stands; see [`store::ScrubPlace`].
    pub(crate) const SCRUB_PLACE: &str = "scrub-place";
    /// What the clock of the outbound queue shows; see [`crate::queue`].
    pub(crate) const QUEUE_CLOCK: &str = "queue/clock";
    /// Destinations that had TLS; see [`crate::queue`].
    pub(crate) const QUEUE_TLS: &str = "queue/tls";
    pub(crate) const RELAY: &str = "relay";
    /// The administrator's secret, in the form of [`crate::passwords::PasswordSecret`].
    pub(crate) const ADMINISTRATOR: &str = "administrator";
    /// From which names that nobody has get their salts; see [`crate::passwords::Decoys`].
    pub(crate) const DECOYS: &str = "decoys";
    /// With which senders of forwarded letters are known again; see [`crate::queue::Rewriter`].
    pub(crate) const SRS: &str = "queue/srs";
    /// Outline of the provision file applied last.
    pub(crate) const OUTLINE: &str = "provision/outline";
    /// Hash of the administrator's password that a provision file set last.
    pub(crate) const PROVISIONED_ADMINISTRATOR: &str = "provision/administrator";

    /// Whether an account has been told that its mailbox is nearly full; see [`crate::quota`].
    pub(crate) fn quota_told(account: mail::AccountId) -> String {
        format!("quota-told/{}", account.0)
    }

    /// Hash of the password that a provision file set last for an account.
    pub(crate) fn provisioned(address: &mail::Address) -> String {
        named("provision/account/", &address.as_str().to_ascii_lowercase())
    }

    /// What keys of [`route`] begin with.
    pub(crate) const ROUTE_PREFIX: &str = "route/";

    /// Next hop of a domain.
    pub(crate) fn route(domain: &str) -> String {
        named(ROUTE_PREFIX, domain)
    }

    /// What keys of [`dkim`] begin with.
    pub(crate) const DKIM_PREFIX: &str = "dkim/";

    /// DKIM keys of a domain; see [`crate::dkim`].
    pub(crate) fn dkim(domain: &str) -> String {
        named(DKIM_PREFIX, domain)
    }

    /// A key with a name in it; one that is too long for a key stands there as its SHA-256.
    fn named(prefix: &str, name: &str) -> String {
        if prefix.len() + name.len() <= super::SETTING_KEY_BYTES_MAX {
            return format!("{prefix}{name}");
        }
        let digest = ring::digest::digest(&ring::digest::SHA256, name.as_bytes());
        let digits: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{prefix}#{digits}")
    }

    /// What keys of [`device`] begin with.
    pub(crate) const DEVICE_PREFIX: &str = "device/";

    /// Allowance of a device.
    pub(crate) fn device(ip: std::net::IpAddr) -> String {
        format!("{DEVICE_PREFIX}{ip}")
    }
}

/// Version of every stored form below, but for the next hops'.
const VERSION: u8 = 1;

/// Version of the next hops that are stored now.
const NEXT_HOP_VERSION: u8 = 2;

/// What the program reads when it starts and after every change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Banner, EHLO, certificate; `None` until it has been given.
    pub(crate) hostname: Option<String>,
    /// Language of notices and bounces.
    pub(crate) language: Option<Language>,
    /// IANA name of the time zone.
    pub(crate) timezone: Option<String>,
    /// How the box is on the network.
    pub(crate) network: Network,
    /// DNS servers; empty: what the network says.
    pub(crate) dns: Vec<SocketAddr>,
    /// Largest message in bytes.
    pub(crate) message_bytes_max: Option<u64>,
    /// Whether letters are stored in less space where that is possible; they are unless this says otherwise.
    pub(crate) compact: Option<bool>,
    /// Days within which everything on the flash is read once; 0 for never.
    pub(crate) scrub_days: Option<u64>,
}

/// What a file asks for, on a box whose store cannot be asked.
impl From<Wanted> for Settings {
    fn from(wanted: Wanted) -> Self {
        let Wanted {
            hostname, language, timezone, network, dns, message_bytes_max, compact, scrub_days, ..
        } = wanted;
        let scrub_days = scrub_days.map(u64::from);
        Self { hostname, language, timezone, network, dns, message_bytes_max, compact, scrub_days }
    }
}

impl Settings {
    /// Reads them all.
    pub(crate) fn load(records: &(impl Records + ?Sized)) -> Self {
        let text = |key| records.setting(key).and_then(|value| decode::<String>(&value));
        Self {
            hostname: text(key::HOSTNAME),
            language: text(key::LANGUAGE).and_then(|code| Language::from_code(&code)),
            timezone: text(key::TIMEZONE),
            network: records
                .setting(key::NETWORK)
                .and_then(|value| decode::<NetworkV1>(&value))
                .map(NetworkV1::into_network)
                .unwrap_or_default(),
            dns: records.setting(key::DNS).and_then(|value| decode(&value)).map(servers).unwrap_or_default(),
            message_bytes_max: records.setting(key::MESSAGE_BYTES_MAX).and_then(|value| decode(&value)),
            compact: records.setting(key::COMPACT).and_then(|value| decode(&value)),
            scrub_days: records.setting(key::SCRUB_DAYS).and_then(|value| decode(&value)),
        }
    }
}

/// `[network]` at rest. Addresses are texts, so that no library's idea of them is part of the format.
#[derive(Serialize, Deserialize)]
struct NetworkV1 {
    address: Option<(String, u8)>,
    gateway: Option<String>,
    ntp: Vec<String>,
}

impl NetworkV1 {
    fn into_network(self) -> Network {
        let gateway = self.gateway.and_then(|gateway| gateway.parse::<Ipv4Addr>().ok());
        let fixed = self.address.and_then(|(address, prefix)| {
            let address = address.parse().ok()?;
            (1..=30).contains(&prefix).then_some((Cidr { address, prefix }, gateway))
        });
        Network { fixed, ntp: servers(self.ntp) }
    }
}

/// `[relay]` and `[[route]]` at rest. The password has to be said to the other server, so it rests in clear.
#[derive(Serialize, Deserialize)]
struct NextHopV1<'a> {
    /// `None` for everything that has no route of its own.
    domain: Option<&'a str>,
    host: &'a str,
    port: u16,
    tls: u8,
    login: Option<(&'a str, &'a str)>,
}

/// The same with the certificates that are trusted for it, as DER.
#[derive(Serialize, Deserialize)]
struct NextHopV2<'a> {
    #[serde(borrow)]
    hop: NextHopV1<'a>,
    ca: Vec<&'a [u8]>,
}

impl<'a> NextHopV2<'a> {
    /// In this form or the one before it.
    fn decode(value: &'a [u8]) -> Option<Self> {
        decode_version(NEXT_HOP_VERSION, value)
            .or_else(|| decode(value).map(|hop| Self { hop, ca: Vec::new() }))
    }

    fn into_hop(self) -> Option<NextHop> {
        let NextHopV1 { host, port, tls, login, .. } = self.hop;
        Some(NextHop {
            host: host.to_owned(),
            port,
            tls: TLS.into_iter().nth(tls.into())?,
            login: login.map(|(user, password)| (user.to_owned(), Secret::new(password.to_owned()))),
            ca: self.ca.into_iter().map(|der| CertificateDer::from(der.to_vec())).collect(),
        })
    }
}

/// Ways of TLS in the order of their numbers at rest.
const TLS: [Tls; 4] = [Tls::Required, Tls::Implicit, Tls::Opportunistic, Tls::None];

/// `[[device]]` at rest.
#[derive(Serialize, Deserialize)]
struct DeviceV1 {
    from: String,
    to: Vec<String>,
}

/// A text as a setting.
pub(super) fn text(key: &str, value: &str) -> Change {
    Change::set(key, encode(&value))
}

/// A number as a setting.
pub(super) fn number(key: &str, value: u64) -> Change {
    Change::set(key, encode(&value))
}

pub(super) fn flag(key: &str, value: bool) -> Change {
    Change::set(key, encode(&value))
}

/// The network; DHCP and nothing else is no setting at all.
pub(super) fn network(network: &Network) -> Change {
    if *network == Network::default() {
        return Change::unset(key::NETWORK);
    }
    let stored = NetworkV1 {
        address: network.fixed.map(|(cidr, _)| (cidr.address.to_string(), cidr.prefix)),
        gateway: network.fixed.and_then(|(_, gateway)| gateway).map(|gateway| gateway.to_string()),
        ntp: network.ntp.iter().map(SocketAddr::to_string).collect(),
    };
    Change::set(key::NETWORK, encode(&stored))
}

/// DNS servers; none is no setting at all.
pub(super) fn dns(servers: &[SocketAddr]) -> Change {
    if servers.is_empty() {
        return Change::unset(key::DNS);
    }
    let servers: Vec<String> = servers.iter().map(SocketAddr::to_string).collect();
    Change::set(key::DNS, encode(&servers))
}

/// The next hop of a domain; of everything else for `None`.
pub(super) fn next_hop(domain: Option<&str>, hop: &NextHop) -> Change {
    let key = domain.map_or_else(|| key::RELAY.to_owned(), key::route);
    let tls = TLS.iter().zip(0..).find(|(tls, _)| **tls == hop.tls).map_or(0, |(_, number)| number);
    let login = hop.login.as_ref().map(|(user, password)| (user.as_str(), password.expose()));
    let stored = NextHopV2 {
        hop: NextHopV1 { domain, host: &hop.host, port: hop.port, tls, login },
        ca: hop.ca.iter().map(AsRef::as_ref).collect(),
    };
    Change::set(key, encode_version(NEXT_HOP_VERSION, &stored))
}

/// The next hop of everything that has no route of its own.
pub(crate) fn relay(records: &(impl Records + ?Sized)) -> Option<NextHop> {
    NextHopV2::decode(&records.setting(key::RELAY)?)?.into_hop()
}

/// Every domain, in lower case, that has a next hop of its own.
pub(crate) fn routes(records: &(impl Records + ?Sized)) -> Vec<(String, NextHop)> {
    let route = |value: &Vec<u8>| {
        let stored = NextHopV2::decode(value)?;
        Some((stored.hop.domain?.to_owned(), stored.into_hop()?))
    };
    records.settings(key::ROUTE_PREFIX).iter().filter_map(route).collect()
}

/// A device's allowance.
pub(super) fn device(device: &Device) -> Change {
    let to = device.to.iter().map(AliasName::to_string).collect();
    Change::set(key::device(device.ip), encode(&DeviceV1 { from: device.from.to_string(), to }))
}

/// A device's allowance as [`device`] stored it: its sender, and whom it may write to (addresses, and domains with an `@`
/// in front).
pub(crate) fn read_device(value: &[u8]) -> Option<(String, Vec<String>)> {
    decode(value).map(|DeviceV1 { from, to }| (from, to))
}

/// A text that [`text`] stored.
pub(super) fn read_text(value: &[u8]) -> Option<String> {
    decode(value)
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    encode_version(VERSION, value)
}

fn encode_version(version: u8, value: &impl Serialize) -> Vec<u8> {
    // Fails only where memory does; an empty value reads as absent.
    postcard::to_extend(value, vec![version]).unwrap_or_default()
}

fn decode<'a, T: Deserialize<'a>>(value: &'a [u8]) -> Option<T> {
    decode_version(VERSION, value)
}

fn decode_version<'a, T: Deserialize<'a>>(version: u8, value: &'a [u8]) -> Option<T> {
    let (stored, body) = value.split_first()?;
    if *stored == version { postcard::from_bytes(body).ok() } else { None }
}

/// The time zone in the value of its setting.
pub(crate) fn timezone(value: &[u8]) -> Option<String> {
    decode(value)
}

fn servers(texts: Vec<String>) -> Vec<SocketAddr> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::changes::fake::Box_;
    use crate::provision::read::{read, tests::own_certificate};

    /// A password is compared as well.
    fn hops(records: &Box_) -> (Option<NextHop>, Vec<(String, NextHop)>) {
        (relay(records), routes(records))
    }

    #[test]
    fn next_hops_are_read_as_they_were_stored() {
        let (pem, _) = own_certificate("office.test");
        let text = format!(
            "version=1\n[relay]\nhost='r.test'\nuser='u'\npassword='p'\nca='''{pem}{pem}'''\n\
             [[route]]\ndomain='a.test'\nhost='192.0.2.1'\ntls='none'\n\
             [[route]]\ndomain='b.test'\nhost='s.test'\ntls='opportunistic'\nport=2525\n\
             [[route]]\ndomain='c.test'\nhost='t.test'\ntls='implicit'"
        );
        let wanted = read(text.as_bytes()).unwrap();
        let records = Box_::default();
        assert_eq!(hops(&records), (None, vec![]));
        records.make(vec![next_hop(None, wanted.relay.as_ref().unwrap())]);
        records.make(wanted.routes.iter().map(|route| next_hop(Some(&route.domain), &route.hop)).collect());
        let routes = wanted.routes.into_iter().map(|route| (route.domain, route.hop)).collect();
        assert_eq!(wanted.relay.as_ref().unwrap().ca.len(), 2);
        assert_eq!(hops(&records), (wanted.relay, routes));
    }

    /// What a box stored that had no certificates for next hops yet.
    #[test]
    fn the_form_before_the_certificates_is_still_read() {
        let relay = b"\x01\0\x06r.test\xcb\x04\0\x01\x01u\x01p".to_vec();
        let route = b"\x01\x01\x06a.test\x09192.0.2.1\x19\x03\0".to_vec();
        let records = Box_::default();
        records.make(vec![Change::set(key::RELAY, relay.clone()), Change::set(key::route("a.test"), route)]);
        let password = Secret::new("p".to_owned());
        let hop = NextHop {
            host: "r.test".to_owned(),
            port: 587,
            tls: Tls::Required,
            login: Some(("u".to_owned(), password)),
            ca: vec![],
        };
        let direct =
            NextHop { host: "192.0.2.1".to_owned(), port: 25, tls: Tls::None, login: None, ca: vec![] };
        assert_eq!(hops(&records), (Some(hop), vec![("a.test".to_owned(), direct)]));
        // Of a version that is not known, cut short, or with a fifth way of TLS.
        for (at, byte) in [(0, 3), (1, 1), (11, 4)] {
            let mut other = relay.clone();
            other[at] = byte;
            records.make(vec![Change::set(key::RELAY, other)]);
            assert_eq!(super::relay(&records), None, "{at}");
        }
    }
}
