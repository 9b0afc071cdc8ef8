//! What pages show of the box: a snapshot that the rest of the program fills.

use std::net::IpAddr;

use crate::certs::is_private;
use crate::health::Health;
use crate::memory::Memory;
use crate::provision::{FileError, Note};
use crate::service::Service;

/// The box at one moment.
#[derive(Clone, Debug)]
pub(crate) struct StateView {
    /// Host name, `mail.example.test` or `tegami.local`.
    pub(crate) hostname: String,
    /// Domains, in lower case.
    pub(crate) domains: Vec<String>,
    /// Version of the program.
    pub(crate) version: &'static str,
    /// Seconds since it was started.
    pub(crate) up_s: u64,
    /// Addresses on the network, the one to give to people first.
    pub(crate) addresses: Vec<IpAddr>,
    /// How it is on the network.
    pub(crate) network: NetworkView,
    /// Services, in the order of the page; whether each listens.
    pub(crate) services: Vec<(Service, bool)>,
    /// The flash.
    pub(crate) flash: FlashView,
    /// Memory, where the kernel says.
    pub(crate) memory: Option<Memory>,
    /// The clock.
    pub(crate) clock: ClockView,
    /// What came of the provision file; `None` if there is none.
    pub(crate) provision: Option<ProvisionView>,
}

impl StateView {
    /// Whether whoever is at `ip` is on the box's own network: at a private or link-local address, or in the network of
    /// one of the box's own public IPv6 addresses (RFC 4291 §2.5.4: its first 64 bits). Where the provider gives IPv6,
    /// every telephone in the house has such an address and comes from it. A hosted program may have strangers there.
    pub(super) fn is_near(&self, ip: IpAddr) -> bool {
        let network = |ip: &IpAddr| match ip.to_canonical() {
            IpAddr::V6(ip) => Some(ip.to_bits() >> 64),
            IpAddr::V4(_) => None,
        };
        let is_beside = |own: &IpAddr| network(own).is_some() && network(own) == network(&ip);
        is_private(ip) || (self.network != NetworkView::Hosted && self.addresses.iter().any(is_beside))
    }
}

/// How the box is on the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NetworkView {
    /// A program on somebody's computer, whose network it is.
    Hosted,
    /// No cable, or nobody gives an address.
    Waiting,
    /// By DHCP, with the router's address if there is one.
    Dhcp(Option<IpAddr>),
    /// Fixed, with the router's address if there is one.
    Fixed(Option<IpAddr>),
}

/// The flash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FlashView {
    /// Bytes that it has.
    pub(crate) capacity: u64,
    /// Bytes that are used.
    pub(crate) used: u64,
    /// Messages in all mailboxes.
    pub(crate) messages: u64,
    /// What is wrong with it.
    pub(crate) health: Health,
}

/// The clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClockView {
    /// Unix seconds.
    pub(crate) unix_s: i64,
    /// Seconds east of UTC.
    pub(crate) utc_offset_s: i32,
    /// Name of the time zone.
    pub(crate) zone: String,
    /// Whether it was set by somebody who can know.
    pub(crate) is_known: bool,
}

/// What came of the provision file.
#[derive(Clone, Debug)]
pub(crate) enum ProvisionView {
    /// It was applied.
    Applied(Vec<Note>),
    /// It was not.
    Wrong(FileError),
}

/// What is missing until the box is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    /// There is no domain.
    pub(crate) domain: bool,
    /// There is no account.
    pub(crate) account: bool,
    /// The administrator has no password.
    pub(crate) administrator: bool,
}

impl Missing {
    /// Nothing is.
    pub(crate) const fn is_nothing(self) -> bool {
        !(self.domain || self.account || self.administrator)
    }
}
