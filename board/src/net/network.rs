//! The box's place in the network, as one value: the link, an address by settings, DHCP or its own choice, the name,
//! the time.
//!
//! Like its parts it owns no socket and no clock. The driver tells it what happens (link, packets, timeouts), then does
//! every [`Action`] that [`Network::poll_action`] gives; [`Network::status`] is for people.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::lookup::Lookup;
use super::random::Random;
use super::{dhcp, link_local, mdns, sntp};
use crate::clock::Verdict;
use crate::control::{Ipv4Config, Link, Request};

/// What the owner has settled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The box's name; its first label is what the network calls it.
    pub host_name: String,
    /// A fixed address; without one, DHCP.
    pub address: Option<Ipv4Config>,
    /// Name servers; without any, DHCP's.
    pub dns: Vec<SocketAddr>,
    /// Time servers by name or address; without any, DHCP's and public ones.
    pub ntp: Vec<String>,
}

/// What the driver must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask this of PID 1.
    Ask(Request),
    /// Send this through the packet socket for DHCP, on the interface of the status.
    Dhcp(dhcp::Transmit),
    /// Send this through the packet socket for ARP, to every neighbour; before the first one, let it
    /// [`listen`](super::PacketSocket::listen).
    Arp([u8; 28]),
    /// Send this through the mDNS sockets; they are to be opened when there is an address.
    Mdns(mdns::Transmit),
    /// A time server says what time it is now: judge it at once by the box's [`Clock`](crate::clock::Clock), then report
    /// to [`Network::judged`].
    Time(sntp::Sample),
    /// Send this through an ordinary UDP socket of IPv4 that is kept: time servers and name servers answer to it.
    Udp(SocketAddr, Vec<u8>),
    /// The status has changed.
    Changed,
}

/// Where the address comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The settings.
    Settings,
    /// A DHCP server.
    Dhcp,
    /// Nobody: the box chose it (RFC 3927).
    Own,
}

/// The box's place in the network now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The interface in use.
    pub link: Option<Link>,
    /// Its address, and where that comes from.
    pub address: Option<(Ipv4Config, Source)>,
    /// Its IPv6 addresses, as the kernel found them.
    pub ipv6: Vec<Ipv6Addr>,
    /// Name servers to use.
    pub dns: Vec<SocketAddr>,
    /// The name under which the network knows the box, once that is sure.
    pub local_name: Option<String>,
}

/// The box's place in the network.
#[derive(Clone, Debug)]
pub struct Network {
    settings: Settings,
    status: Status,
    random: Random,
    dhcp: Option<dhcp::Client>,
    own: Option<link_local::Client>,
    /// When to choose an own address if nobody gives one until then.
    own_due: Option<Duration>,
    mdns: mdns::Responder,
    sntp: sntp::Client,
    /// The time servers that are known by address; the client has found ones besides.
    time_servers: Option<Vec<SocketAddr>>,
    /// Names of time servers that are still to be looked up, and the look-up under way.
    names: VecDeque<String>,
    lookup: Option<Lookup>,
    looked_up: Duration,
    actions: VecDeque<Action>,
}

/// How long DHCP may take before the box chooses an address. Routers that start together with the box take longer; the
/// address is given up when they answer.
const DHCP_PATIENCE: Duration = Duration::from_secs(12);
/// The least time between two look-ups of the same time servers.
const LOOKUP_PERIOD: Duration = Duration::from_secs(900);
/// The port of name servers.
const DNS_PORT: u16 = 53;

impl Network {
    /// A box without a link. `seed` comes from the system's randomness.
    #[must_use]
    pub fn new(settings: Settings, seed: u64) -> Self {
        let mut random = Random::new(seed);
        Self {
            mdns: mdns::Responder::new(&settings.host_name, random.next()),
            sntp: sntp::Client::new(random.next()),
            settings,
            status: Status::default(),
            random,
            dhcp: None,
            own: None,
            own_due: None,
            time_servers: None,
            names: VecDeque::new(),
            lookup: None,
            looked_up: Duration::ZERO,
            actions: VecDeque::new(),
        }
    }

    /// The state of affairs.
    #[must_use]
    pub const fn status(&self) -> &Status {
        &self.status
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Uses other settings from now on. What they do not touch stays: above all the address, and the connections to it.
    pub fn configure(&mut self, now: Duration, settings: Settings) {
        let old = std::mem::replace(&mut self.settings, settings);
        if old.host_name != self.settings.host_name {
            self.mdns.farewell(now);
            self.collect();
            self.mdns = mdns::Responder::new(&self.settings.host_name, self.random.next());
            self.tell_mdns(now, true);
            if let Some(dhcp) = &mut self.dhcp {
                dhcp.set_host_name(&self.settings.host_name);
            }
        }
        if old.address != self.settings.address {
            let link = self.status.link.take();
            self.set_link(now, link);
        } else if (&old.dns, &old.ntp) != (&self.settings.dns, &self.settings.ntp) {
            self.choose_servers(now);
            self.actions.push_back(Action::Changed);
        }
    }

    /// PID 1 says which interface to use, or that its cable has changed.
    pub fn set_link(&mut self, now: Duration, link: Option<Link>) {
        let identity = |link: &Option<Link>| link.as_ref().map(|link| (link.index, link.mac));
        let has_carrier = |link: &Option<Link>| link.as_ref().is_some_and(|link| link.carrier);
        let is_same = identity(&link) == identity(&self.status.link);
        let (had, has) = (is_same && has_carrier(&self.status.link), has_carrier(&link));
        if !is_same {
            self.drop_address(now);
            (self.dhcp, self.own, self.own_due) = (None, None, None);
            if let (Some(link), None) = (&link, self.settings.address) {
                self.dhcp = Some(dhcp::Client::new(link.mac, &self.settings.host_name, self.random.next()));
            }
        }
        self.status.link = link;
        match (had, has) {
            (false, true) => self.link_up(now),
            (true, false) => self.link_down(),
            _ => {}
        }
        self.actions.push_back(Action::Changed);
        self.collect();
    }

    fn link_up(&mut self, now: Duration) {
        if let Some(config) = self.settings.address {
            self.use_address(now, config, Source::Settings, true);
            return;
        }
        if self.status.address.is_some_and(|(_, source)| source == Source::Own) {
            self.drop_address(now);
        }
        if let Some(dhcp) = &mut self.dhcp {
            dhcp.link_up(now);
            self.own_due = Some(now + DHCP_PATIENCE);
        }
        // Another network perhaps: the name is to be probed for again.
        self.tell_mdns(now, true);
    }

    fn link_down(&mut self) {
        if let Some(dhcp) = &mut self.dhcp {
            dhcp.link_down();
        }
        (self.own, self.own_due) = (None, None);
    }

    /// The kernel's IPv6 addresses of the interface ([`mdns::ipv6_addresses`]); to be looked at every few seconds.
    pub fn set_ipv6(&mut self, now: Duration, addresses: Vec<Ipv6Addr>) {
        if addresses != self.status.ipv6 {
            self.status.ipv6 = addresses;
            self.tell_mdns(now, false);
            self.actions.push_back(Action::Changed);
            self.collect();
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let parts = [
            self.dhcp.as_ref().and_then(dhcp::Client::deadline),
            self.own.as_ref().and_then(link_local::Client::deadline),
            self.own_due,
            self.mdns.deadline(),
            self.sntp.deadline(),
            self.lookup.as_ref().map(Lookup::deadline),
            self.next_look_up(),
        ];
        parts.into_iter().flatten().min()
    }

    /// The deadline has come.
    pub fn handle_timeout(&mut self, now: Duration) {
        if let Some(dhcp) = &mut self.dhcp {
            dhcp.handle_timeout(now);
        }
        if let Some(own) = &mut self.own {
            own.handle_timeout(now);
        }
        if self.own_due.is_some_and(|due| now >= due) {
            self.own_due = None;
            let mac = self.status.link.as_ref().map(|link| link.mac);
            self.own =
                mac.filter(|_| self.status.address.is_none()).map(|mac| link_local::Client::new(now, mac));
        }
        self.mdns.handle_timeout(now);
        if let Some(question) = self.sntp.handle_timeout(now) {
            self.actions.push_back(Action::Udp(question.to, question.packet.to_vec()));
        }
        self.go_on_looking_up(now);
        self.settle(now);
    }

    /// A datagram has arrived at the packet socket for DHCP.
    pub fn receive_dhcp(&mut self, now: Duration, received: &super::Received, bytes: &[u8]) {
        let is_ours = self.status.link.as_ref().is_some_and(|link| link.index == received.link);
        if let Some(dhcp) = self.dhcp.as_mut().filter(|_| is_ours) {
            dhcp.receive(now, received.from, bytes);
            self.settle(now);
        }
    }

    /// A packet has arrived at the packet socket for ARP.
    pub fn receive_arp(&mut self, now: Duration, received: &super::Received, bytes: &[u8]) {
        let is_ours = self.status.link.as_ref().is_some_and(|link| link.index == received.link);
        if let Some(own) = self.own.as_mut().filter(|_| is_ours) {
            own.receive(now, bytes);
            self.settle(now);
        }
    }

    /// A message has arrived at an mDNS socket.
    pub fn receive_mdns(&mut self, now: Duration, from: SocketAddr, bytes: &[u8]) {
        if self.is_neighbour(from.ip()) {
            self.mdns.receive(now, from, bytes);
            self.settle(now);
        }
    }

    /// Whether mDNS is to be spoken with this host (RFC 6762 §11): one in a network of ours, and one in another private
    /// network, which may be on the same cable. The Internet could reach our port too.
    fn is_neighbour(&self, from: IpAddr) -> bool {
        match from {
            IpAddr::V4(from) => {
                let is_in = |(config, _): (Ipv4Config, Source)| {
                    let host_bits = u32::MAX.checked_shr(config.prefix_len.into()).unwrap_or(0);
                    (config.address.to_bits() ^ from.to_bits()) & !host_bits == 0
                };
                from.is_link_local() || from.is_private() || self.status.address.is_some_and(is_in)
            }
            IpAddr::V6(from) => {
                // Networks in which hosts make their own addresses have 64 bits (RFC 4862).
                let network = |address: &Ipv6Addr| address.to_bits() >> 64;
                let is_in = |own: &Ipv6Addr| network(own) == network(&from);
                from.is_unicast_link_local() || from.is_unique_local() || self.status.ipv6.iter().any(is_in)
            }
        }
    }

    /// A packet has arrived at the UDP socket.
    pub fn receive_udp(&mut self, now: Duration, from: SocketAddr, bytes: &[u8]) {
        if let Some(addresses) = self.lookup.as_ref().and_then(|lookup| lookup.receive(from, bytes)) {
            let servers: Vec<_> = addresses.iter().map(|ip| SocketAddr::from((*ip, sntp::PORT))).collect();
            self.sntp.add_servers(now, &servers);
            self.lookup = None;
            self.go_on_looking_up(now);
        } else if let Some(sample) = self.sntp.receive(now, from, bytes) {
            self.actions.push_back(Action::Time(sample));
        }
    }

    /// What the clock made of a sample.
    pub fn judged(&mut self, now: Duration, sample: &sntp::Sample, verdict: Verdict) {
        match verdict {
            Verdict::Set => {
                self.sntp.trust();
                let nanos = u32::try_from(sample.unix_ns % 1_000_000_000).unwrap_or(0);
                let request = Request::SetTime { unix_s: sample.unix_ns / 1_000_000_000, nanos };
                self.actions.push_back(Action::Ask(request));
            }
            Verdict::Right => self.sntp.trust(),
            Verdict::Refuse => self.sntp.distrust(now),
        }
    }

    /// The box ends: says good-bye to the network.
    pub fn farewell(&mut self, now: Duration) {
        self.mdns.farewell(now);
        self.collect();
    }

    /// Does what the parts say has happened.
    fn settle(&mut self, now: Duration) {
        while let Some(event) = self.dhcp.as_mut().and_then(dhcp::Client::poll_event) {
            match event {
                dhcp::Event::Acquired(lease) => {
                    (self.own, self.own_due) = (None, None);
                    let is_new =
                        self.status.address.is_none_or(|(old, _)| old.address != lease.config.address);
                    self.use_address(now, lease.config, Source::Dhcp, is_new);
                }
                dhcp::Event::Lost => {
                    self.drop_address(now);
                    let has_carrier = self.status.link.as_ref().is_some_and(|link| link.carrier);
                    self.own_due = has_carrier.then_some(now + DHCP_PATIENCE);
                }
            }
        }
        while let Some(event) = self.own.as_mut().and_then(link_local::Client::poll_event) {
            match event {
                link_local::Event::Acquired(address) => {
                    let config = Ipv4Config { address, prefix_len: 16, gateway: None };
                    self.use_address(now, config, Source::Own, true);
                }
                link_local::Event::Lost => self.drop_address(now),
            }
        }
        let name = self.mdns.is_established().then(|| self.mdns.name());
        if name != self.status.local_name {
            self.status.local_name = name;
            self.actions.push_back(Action::Changed);
        }
        self.collect();
    }

    /// Takes what the parts want to send.
    fn collect(&mut self) {
        let dhcp = std::iter::from_fn(|| self.dhcp.as_mut()?.poll_transmit()).map(Action::Dhcp);
        self.actions.extend(dhcp);
        let arp = std::iter::from_fn(|| self.own.as_mut()?.poll_transmit()).map(Action::Arp);
        self.actions.extend(arp);
        let mdns = std::iter::from_fn(|| self.mdns.poll_transmit()).map(Action::Mdns);
        self.actions.extend(mdns);
    }

    fn use_address(&mut self, now: Duration, config: Ipv4Config, source: Source, is_new_network: bool) {
        self.status.address = Some((config, source));
        self.actions.push_back(Action::Ask(Request::SetAddress(config)));
        self.actions.push_back(Action::Changed);
        self.tell_mdns(now, is_new_network);
        self.choose_servers(now);
    }

    fn drop_address(&mut self, now: Duration) {
        if self.status.address.take().is_some() {
            self.status.dns.clear();
            self.actions.push_back(Action::Ask(Request::ClearAddress));
            self.actions.push_back(Action::Changed);
            self.sntp.set_servers(now, Vec::new());
            self.time_servers = None;
            (self.lookup, self.names) = (None, VecDeque::new());
            self.tell_mdns(now, false);
        }
    }

    fn tell_mdns(&mut self, now: Duration, is_new_network: bool) {
        let v4: Vec<_> = self.status.address.iter().map(|(config, _)| config.address).collect();
        self.mdns.set_addresses(now, &v4, &self.status.ipv6, is_new_network);
    }

    /// Name servers and time servers: the settings', otherwise the network's. A time server that is an address is asked
    /// at once, a name is looked up; a router often knows the time too.
    fn choose_servers(&mut self, now: Duration) {
        let Some((config, source)) = self.status.address else { return };
        let lease = self.dhcp.as_ref().and_then(dhcp::Client::lease).filter(|_| source == Source::Dhcp);
        let lent_dns = lease.iter().flat_map(|lease| &lease.dns).map(|ip| SocketAddr::from((*ip, DNS_PORT)));
        let lent_ntp =
            lease.iter().flat_map(|lease| &lease.ntp).chain(&config.gateway).map(|ip| IpAddr::V4(*ip));
        let literals: Vec<IpAddr> = match &self.settings.ntp[..] {
            [] => lent_ntp.collect(),
            servers => {
                servers.iter().filter_map(|server| server.parse().ok()).filter(IpAddr::is_ipv4).collect()
            }
        };
        self.status.dns = match &self.settings.dns[..] {
            [] => lent_dns.collect(),
            servers => servers.to_vec(),
        };
        let servers: Vec<_> = literals.into_iter().map(|ip| SocketAddr::new(ip, sntp::PORT)).collect();
        if self.time_servers.as_ref() != Some(&servers) {
            self.sntp.set_servers(now, servers.clone());
            self.time_servers = Some(servers);
        }
        self.look_up_again(now);
    }

    /// Begins to look up the time servers that are names.
    fn look_up_again(&mut self, now: Duration) {
        let is_name = |server: &&String| server.parse::<IpAddr>().is_err();
        self.names = if self.settings.ntp.is_empty() {
            sntp::PUBLIC_SERVERS.map(str::to_owned).into()
        } else {
            self.settings.ntp.iter().filter(is_name).cloned().collect()
        };
        (self.lookup, self.looked_up) = (None, now);
        self.go_on_looking_up(now);
    }

    /// When to look everything up once more, because nobody who was found tells the time.
    fn next_look_up(&self) -> Option<Duration> {
        let is_idle = self.names.is_empty() && self.lookup.is_none() && self.status.address.is_some();
        (is_idle && self.sntp.is_failing()).then_some(self.looked_up + LOOKUP_PERIOD)
    }

    /// Asks for the next name when it is time to.
    fn go_on_looking_up(&mut self, now: Duration) {
        if self.next_look_up().is_some_and(|due| now >= due) {
            self.look_up_again(now);
            return;
        }
        if self.lookup.as_ref().is_none_or(|lookup| lookup.is_hopeless(now)) {
            let servers = self.status.dns.iter().copied().filter(SocketAddr::is_ipv4).collect();
            let name = self.names.pop_front();
            self.lookup = name.map(|name| Lookup::new(now, &name, servers, &mut self.random));
        }
        if let Some((to, question)) = self.lookup.as_mut().and_then(|lookup| lookup.handle_timeout(now)) {
            self.actions.push_back(Action::Udp(to, question));
        }
    }
}

#[cfg(test)]
#[path = "network_tests.rs"]
mod tests;
