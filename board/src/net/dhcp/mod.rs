//! The DHCP client (RFC 2131): gets the box its address, keeps it, and follows the cable.
//!
//! A value that owns no socket and no clock. Times count from any fixed moment. Tell it of the link and of what
//! arrives; when [`Client::deadline`] has come, call [`Client::handle_timeout`]; after every call send what
//! [`Client::poll_transmit`] gives and do what [`Client::poll_event`] says.

mod message;
#[cfg(test)]
pub(super) mod tests;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use self::message::{Answer, Call, Kind};
use super::datagram;
use super::random::Random;
use crate::control::{Ipv4Config, Request, check};
use crate::limits::DHCP_SERVERS_MAX;

/// What a server lent us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Address, network and gateway.
    pub config: Ipv4Config,
    /// Name servers, best first.
    pub dns: Vec<Ipv4Addr>,
    /// Time servers, best first.
    pub ntp: Vec<Ipv4Addr>,
}

/// What the driver must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Use this from now on.
    Acquired(Lease),
    /// The address is not ours any more.
    Lost,
}

/// A datagram to send through the packet socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// The neighbour to send it to.
    pub to: [u8; 6],
    /// The datagram, from its IP header on.
    pub datagram: Vec<u8>,
}

/// RFC 2131 figure 5, and `Off` for a link without a cable.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Off,
    Selecting,
    Requesting { address: Ipv4Addr, server: Ipv4Addr },
    Rebooting,
    Bound,
    Renewing,
    Rebinding,
}

/// A lease with its times.
#[derive(Clone, Debug)]
struct Held {
    lease: Lease,
    server: Ipv4Addr,
    server_mac: [u8; 6],
    /// When to ask its server for more (T1), when to ask anybody (T2), and when it is over.
    renew: Duration,
    rebind: Duration,
    expires: Duration,
}

/// The client of one interface.
#[derive(Clone, Debug)]
pub struct Client {
    mac: [u8; 6],
    host_name: String,
    random: Random,
    state: State,
    transaction: u32,
    began: Duration,
    /// What the last question said about how long we have been asking.
    seconds: u16,
    attempts: u32,
    deadline: Option<Duration>,
    held: Option<Held>,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
}

const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;
const BROADCAST_MAC: [u8; 6] = [0xff; 6];

/// The first wait for an answer, doubled for each further one. RFC 2131 §4.1 begins with 4 s; a switch that has just seen
/// the cable drops the first frame, and people wait.
const RETRY: Duration = Duration::from_secs(2);
const RETRY_MAX: Duration = Duration::from_secs(64);
/// How far a wait may be off, so that a street after a power cut does not ask in step.
const JITTER: Duration = Duration::from_secs(1);
/// Requests for an offer, and for an address of earlier, before starting anew.
const REQUESTS_MAX: u32 = 4;
const REBOOTS_MAX: u32 = 2;
/// Shortest wait while renewing (§4.4.5).
const RENEW_RETRY_MIN: Duration = Duration::from_secs(60);
/// The wait after a server's refusal.
const NAK_PAUSE: Duration = Duration::from_secs(2);
/// A lease whose server does not say how long.
const LEASE_DEFAULT_S: u32 = 3600;
/// Shorter leases would keep the box busy asking.
const LEASE_MIN_S: u32 = 120;

impl Client {
    /// A client for the interface with this hardware address; the link is down. `host_name` is what the router lists
    /// the box as. `seed` comes from the system's randomness.
    #[must_use]
    pub fn new(mac: [u8; 6], host_name: &str, seed: u64) -> Self {
        Self {
            mac,
            host_name: label(host_name),
            random: Random::new(seed),
            state: State::Off,
            transaction: 0,
            began: Duration::ZERO,
            seconds: 0,
            attempts: 0,
            deadline: None,
            held: None,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// What the router is to list the box as, from the next question on.
    pub fn set_host_name(&mut self, host_name: &str) {
        self.host_name = label(host_name);
    }

    /// What we have now.
    #[must_use]
    pub fn lease(&self) -> Option<&Lease> {
        self.held.as_ref().map(|held| &held.lease)
    }

    /// A cable is in: asks for the address of earlier if there was one (§3.2), otherwise for any.
    pub fn link_up(&mut self, now: Duration) {
        if self.state == State::Off {
            let state = if self.held.is_some() { State::Rebooting } else { State::Selecting };
            self.begin(now, state);
        }
    }

    /// The cable is out. The address stays, for it may come back; it is asked for again then.
    pub fn link_down(&mut self) {
        self.state = State::Off;
        self.transmits.clear();
        self.deadline = self.held.as_ref().map(|held| held.expires);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted.
    #[must_use]
    pub const fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next thing to do.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The deadline has come.
    pub fn handle_timeout(&mut self, now: Duration) {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        if self.held.as_ref().is_some_and(|held| now >= held.expires) {
            self.lose();
            if self.state == State::Off {
                self.deadline = None;
                return;
            }
            self.begin(now, State::Selecting);
            return;
        }
        let (rebind, attempts) = (self.held.as_ref().map(|held| held.rebind), self.attempts);
        match &self.state {
            State::Off => {}
            State::Requesting { .. } if attempts >= REQUESTS_MAX => self.begin(now, State::Selecting),
            State::Rebooting if attempts >= REBOOTS_MAX => self.begin(now, State::Selecting),
            State::Selecting | State::Requesting { .. } | State::Rebooting | State::Rebinding => {
                self.transmit(now)
            }
            State::Bound => self.begin(now, State::Renewing),
            State::Renewing if rebind.is_some_and(|rebind| now >= rebind) => {
                self.begin(now, State::Rebinding)
            }
            State::Renewing => self.transmit(now),
        }
    }

    /// A datagram has arrived from the neighbour `from`, from its IP header on.
    pub fn receive(&mut self, now: Duration, from: [u8; 6], bytes: &[u8]) {
        let Some(datagram) = datagram::parse(bytes) else { return };
        if (datagram.from.port(), datagram.to.port()) != (SERVER_PORT, CLIENT_PORT) {
            return;
        }
        let Some(answer) = Answer::parse(datagram.payload) else { return };
        if answer.transaction != self.transaction || answer.mac != self.mac {
            return;
        }
        let server = answer.addresses(message::SERVER).first().copied();
        match (&self.state, answer.kind, server) {
            (State::Selecting, Kind::Offer, Some(server)) if config(&answer).is_some() => {
                // Still the transaction of the offer (§4.4.1).
                self.state = State::Requesting { address: answer.yours, server };
                self.attempts = 0;
                self.transmit(now);
            }
            (State::Requesting { server: asked, .. }, Kind::Ack | Kind::Nak, server)
                if server != Some(*asked) => {}
            (
                State::Requesting { .. } | State::Rebooting | State::Renewing | State::Rebinding,
                Kind::Ack,
                server,
            ) => self.bind(now, &answer, server.unwrap_or(*datagram.from.ip()), from),
            (
                State::Requesting { .. } | State::Rebooting | State::Renewing | State::Rebinding,
                Kind::Nak,
                _,
            ) => {
                self.lose();
                self.state = State::Selecting;
                self.attempts = 0;
                let pause = NAK_PAUSE + self.random.below(JITTER);
                self.deadline = Some(now + pause);
            }
            _ => {}
        }
    }

    fn begin(&mut self, now: Duration, state: State) {
        self.state = state;
        self.transaction = self.random.next() as u32;
        self.began = now;
        self.attempts = 0;
        self.transmit(now);
    }

    /// Says what the state has to say, and plans the next time.
    fn transmit(&mut self, now: Duration) {
        // §4.4.1: a request for an offer repeats what the discovery said, so that relays pass it on to the same servers.
        if !matches!(self.state, State::Requesting { .. }) {
            self.seconds = u16::try_from(now.saturating_sub(self.began).as_secs()).unwrap_or(u16::MAX);
        }
        let held = self.held.as_ref();
        let address = held.map(|held| held.lease.config.address);
        let mut call = Call {
            kind: Kind::Request,
            transaction: self.transaction,
            seconds: self.seconds,
            own: None,
            mac: self.mac,
            requested: address,
            server: None,
            host_name: &self.host_name,
        };
        let (mut to, mut to_mac) = (Ipv4Addr::BROADCAST, BROADCAST_MAC);
        match &self.state {
            State::Off | State::Bound => return,
            State::Selecting => call.kind = Kind::Discover,
            State::Requesting { address, server } => {
                (call.requested, call.server) = (Some(*address), Some(*server));
            }
            State::Rebooting => {}
            State::Renewing | State::Rebinding => (call.own, call.requested) = (address, None),
        }
        if let (State::Renewing, Some(held)) = (&self.state, held) {
            (to, to_mac) = (held.server, held.server_mac);
        }
        let from = SocketAddrV4::new(call.own.unwrap_or(Ipv4Addr::UNSPECIFIED), CLIENT_PORT);
        let datagram = datagram::emit(from, SocketAddrV4::new(to, SERVER_PORT), &call.emit());
        self.transmits.push_back(Transmit { to: to_mac, datagram });
        self.attempts += 1;
        self.plan(now);
    }

    /// When to try again, or to go on to the next state.
    fn plan(&mut self, now: Duration) {
        let held = self.held.as_ref();
        let half_way = |until: Duration| (until.saturating_sub(now) / 2).max(RENEW_RETRY_MIN);
        let (wait, end) = match (&self.state, held) {
            (State::Renewing, Some(held)) => (half_way(held.rebind), Some(held.rebind)),
            (State::Rebinding, Some(held)) => (half_way(held.expires), Some(held.expires)),
            (_, held) => {
                let doubled = RETRY * 1_u32.checked_shl(self.attempts - 1).unwrap_or(u32::MAX).min(64);
                (doubled.min(RETRY_MAX) + self.random.below(JITTER), held.map(|held| held.expires))
            }
        };
        let next = now + wait;
        self.deadline = Some(end.map_or(next, |end| next.min(end)));
    }

    /// The address is ours.
    fn bind(&mut self, now: Duration, answer: &Answer<'_>, server: Ipv4Addr, server_mac: [u8; 6]) {
        let Some(config) = config(answer) else { return };
        let servers = |option| {
            let mut servers = answer.addresses(option);
            servers.retain(|server| crate::control::is_unicast(*server));
            servers.truncate(DHCP_SERVERS_MAX);
            servers
        };
        let lease = Lease { config, dns: servers(message::DNS_SERVERS), ntp: servers(message::NTP_SERVERS) };
        let [renew_s, rebind_s, lease_s] = times(answer);
        // §4.4.5: with some fuzz, or all boxes of an office renew in the same second.
        let early = self.random.below(renew_s / 20);
        let is_new = self.held.as_ref().is_none_or(|held| held.lease != lease);
        if is_new {
            self.events.push_back(Event::Acquired(lease.clone()));
        }
        let renew = now + renew_s - early;
        self.held =
            Some(Held { lease, server, server_mac, renew, rebind: now + rebind_s, expires: now + lease_s });
        self.state = State::Bound;
        self.deadline = self.held.as_ref().map(|held| held.renew);
    }

    fn lose(&mut self) {
        if self.held.take().is_some() {
            self.events.push_back(Event::Lost);
        }
    }
}

/// The first label of a name, without what RFC 952 does not know.
fn label(host_name: &str) -> String {
    let allowed = |char: &char| char.is_ascii_alphanumeric() || *char == '-';
    host_name.split('.').next().unwrap_or_default().chars().filter(allowed).take(63).collect()
}

/// The address that an answer gives, if a host can use it.
fn config(answer: &Answer<'_>) -> Option<Ipv4Config> {
    let address = answer.yours;
    let mask =
        answer.number(message::SUBNET_MASK).filter(|mask| mask.leading_ones() + mask.trailing_zeros() == 32);
    // A server that says no network, or none that there can be, means the usual one.
    let prefix_len = mask.map_or(24, |mask| mask.leading_ones() as u8);
    let usable = |gateway: &Ipv4Addr| crate::control::is_unicast(*gateway) && *gateway != address;
    let gateway = answer.addresses(message::ROUTER).into_iter().find(usable);
    let config = Ipv4Config { address, prefix_len, gateway };
    check(&Request::SetAddress(config)).is_ok().then_some(config)
}

/// T1, T2 and the lease's length (§4.4.5: half and seven eighths of it, where the server does not say or says nonsense).
fn times(answer: &Answer<'_>) -> [Duration; 3] {
    let lease = answer.number(message::LEASE_TIME).unwrap_or(LEASE_DEFAULT_S).max(LEASE_MIN_S);
    let rebind = answer.number(message::REBINDING_TIME).filter(|time| *time < lease);
    let rebind = rebind.unwrap_or(lease - lease / 8);
    let renew = answer.number(message::RENEWAL_TIME).filter(|time| *time < rebind);
    let renew = renew.unwrap_or(lease / 2).min(rebind).max(LEASE_MIN_S / 4);
    [renew, rebind.max(renew), lease].map(|seconds| Duration::from_secs(seconds.into()))
}
