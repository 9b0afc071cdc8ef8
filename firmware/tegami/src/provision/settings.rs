//! Settings as they rest in the store: their keys, their stored form, and all that the program reads of them at once.
//!
//! A stored value is one version byte and a postcard body. A value of an unknown version reads as absent.

use std::net::{Ipv4Addr, SocketAddr};

use serde::de::DeserializeOwned;
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
    pub(crate) const RELAY: &str = "relay";
    /// The administrator's secret, in the form of [`crate::passwords::PasswordSecret`].
    pub(crate) const ADMINISTRATOR: &str = "administrator";
    /// From which names that nobody has get their salts; see [`crate::passwords::Decoys`].
    pub(crate) const DECOYS: &str = "decoys";
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

    /// Next hop of a domain.
    pub(crate) fn route(domain: &str) -> String {
        named("route/", domain)
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

    /// Allowance of a device.
    pub(crate) fn device(ip: std::net::IpAddr) -> String {
        format!("device/{ip}")
    }
}

/// Version of every stored form below.
const VERSION: u8 = 1;

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
#[derive(Serialize)]
struct NextHopV1<'a> {
    /// `None` for everything that has no route of its own.
    domain: Option<&'a str>,
    host: &'a str,
    port: u16,
    tls: u8,
    login: Option<(&'a str, &'a str)>,
}

/// `[[device]]` at rest.
#[derive(Serialize)]
struct DeviceV1<'a> {
    from: &'a str,
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
    let stored = NextHopV1 {
        domain,
        host: &hop.host,
        port: hop.port,
        tls: match hop.tls {
            Tls::Required => 0,
            Tls::Implicit => 1,
            Tls::Opportunistic => 2,
            Tls::None => 3,
        },
        login: hop.login.as_ref().map(|(user, password)| (user.as_str(), password.expose())),
    };
    Change::set(key, encode(&stored))
}

/// A device's allowance.
pub(super) fn device(device: &Device) -> Change {
    let to = device.to.iter().map(AliasName::to_string).collect();
    Change::set(key::device(device.ip), encode(&DeviceV1 { from: device.from.as_str(), to }))
}

/// A text that [`text`] stored.
pub(super) fn read_text(value: &[u8]) -> Option<String> {
    decode(value)
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    // Fails only where memory does; an empty value reads as absent.
    postcard::to_extend(value, vec![VERSION]).unwrap_or_default()
}

fn decode<T: DeserializeOwned>(value: &[u8]) -> Option<T> {
    let (version, body) = value.split_first()?;
    if *version == VERSION { postcard::from_bytes(body).ok() } else { None }
}

/// The time zone in the value of its setting.
pub(crate) fn timezone(value: &[u8]) -> Option<String> {
    decode(value)
}

fn servers(texts: Vec<String>) -> Vec<SocketAddr> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}
