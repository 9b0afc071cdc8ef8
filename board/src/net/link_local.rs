//! An address where nobody gives one (RFC 3927): the box makes up its own in 169.254/16 and asks whether it is free.
//!
//! For a box on a cable to a single laptop, or on a network whose router is gone. Owns no socket and no clock; speaks
//! ARP (RFC 826) through a packet socket that hears it.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::random::Random;

/// What the driver must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// This address is ours.
    Acquired(Ipv4Addr),
    /// It is not any more.
    Lost,
}

// RFC 3927 §9.
const PROBES: u32 = 3;
const PROBE_WAIT: Duration = Duration::from_secs(1);
const PROBE_MIN: Duration = Duration::from_secs(1);
const ANNOUNCE_WAIT: Duration = Duration::from_secs(2);
const ANNOUNCEMENTS: u32 = 2;
const ANNOUNCE_PERIOD: Duration = Duration::from_secs(2);
const CONFLICTS_MAX: u32 = 10;
const RATE_LIMIT: Duration = Duration::from_secs(60);
const DEFEND_PERIOD: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Probing(u32),
    Announcing(u32),
    Settled,
}

/// The search for an address on one interface.
#[derive(Clone, Debug)]
pub(super) struct Client {
    mac: [u8; 6],
    random: Random,
    address: Ipv4Addr,
    state: State,
    conflicts: u32,
    defended: Option<Duration>,
    deadline: Option<Duration>,
    /// ARP packets to send to everybody.
    transmits: Vec<[u8; ARP]>,
    events: Vec<Event>,
}

/// Bytes of an ARP packet for IPv4 on Ethernet.
const ARP: usize = 28;
/// Hardware Ethernet, protocol IPv4, their lengths.
const ARP_KIND: [u8; 6] = [0, 1, 8, 0, 6, 4];
const REQUEST: u8 = 1;

impl Client {
    /// Begins to look for an address. The hardware address seeds the choice, so that a box usually finds the same again
    /// (§2.1).
    pub(super) fn new(now: Duration, mac: [u8; 6]) -> Self {
        let [a, b, c, d, e, f] = mac;
        let random = Random::new(u64::from_be_bytes([0, 0, a, b, c, d, e, f]));
        let mut client = Self {
            mac,
            random,
            address: Ipv4Addr::UNSPECIFIED,
            state: State::Probing(0),
            conflicts: 0,
            defended: None,
            deadline: None,
            transmits: Vec::new(),
            events: Vec::new(),
        };
        client.choose(now);
        client
    }

    pub(super) const fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    pub(super) fn poll_transmit(&mut self) -> Option<[u8; ARP]> {
        self.transmits.pop()
    }

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        if self.events.is_empty() { None } else { Some(self.events.remove(0)) }
    }

    pub(super) fn handle_timeout(&mut self, now: Duration) {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        match self.state {
            State::Probing(count) if count < PROBES => {
                // A probe asks for the address and claims none (§2.2.1).
                self.send(Ipv4Addr::UNSPECIFIED);
                self.state = State::Probing(count + 1);
                let wait =
                    if count + 1 < PROBES { PROBE_MIN + self.random.below(PROBE_MIN) } else { ANNOUNCE_WAIT };
                self.deadline = Some(now + wait);
            }
            State::Probing(_) => {
                self.events.push(Event::Acquired(self.address));
                self.announce(now, 0);
            }
            State::Announcing(count) => self.announce(now, count),
            State::Settled => self.deadline = None,
        }
    }

    /// An ARP packet has arrived.
    pub(super) fn receive(&mut self, now: Duration, bytes: &[u8]) {
        let Some(packet) = bytes.first_chunk::<ARP>().filter(|packet| packet[..6] == ARP_KIND) else {
            return;
        };
        let address = |at: usize| {
            packet.get(at..).and_then(|rest| rest.first_chunk::<4>()).copied().map(Ipv4Addr::from)
        };
        let is_other = packet[8..14] != self.mac;
        let claims = address(14) == Some(self.address);
        let is_probe = packet[7] == REQUEST && address(14) == Some(Ipv4Addr::UNSPECIFIED);
        let wants = is_probe && address(24) == Some(self.address);
        match self.state {
            State::Probing(_) if is_other && (claims || wants) => {
                self.conflicts = self.conflicts.saturating_add(1);
                self.choose(now);
            }
            State::Announcing(_) | State::Settled if is_other && claims => self.defend(now),
            _ => {}
        }
    }

    /// Takes an address by chance, not the first or last 256 of the range (§2.1), and begins to probe for it.
    fn choose(&mut self, now: Duration) {
        let host = u16::try_from(self.random.next() % 0xfe00).unwrap_or(0) + 0x100;
        let [high, low] = host.to_be_bytes();
        self.address = Ipv4Addr::new(169, 254, high, low);
        self.state = State::Probing(0);
        let slow = if self.conflicts > CONFLICTS_MAX { RATE_LIMIT } else { Duration::ZERO };
        self.deadline = Some(now + slow + self.random.below(PROBE_WAIT));
    }

    fn announce(&mut self, now: Duration, count: u32) {
        self.send(self.address);
        let is_last = count + 1 >= ANNOUNCEMENTS;
        self.state = if is_last { State::Settled } else { State::Announcing(count + 1) };
        self.deadline = if is_last { None } else { Some(now + ANNOUNCE_PERIOD) };
    }

    /// Another has our address: say once that it is ours; if that does not help, leave it to them (§2.5 (b)).
    fn defend(&mut self, now: Duration) {
        if self.defended.is_some_and(|at| now.saturating_sub(at) < DEFEND_PERIOD) {
            self.conflicts = self.conflicts.saturating_add(1);
            self.events.push(Event::Lost);
            self.choose(now);
        } else {
            self.defended = Some(now);
            self.send(self.address);
        }
    }

    /// Asks who has our address, as `sender`.
    fn send(&mut self, sender: Ipv4Addr) {
        let mut packet = [0; ARP];
        packet[..6].copy_from_slice(&ARP_KIND);
        packet[7] = REQUEST;
        packet[8..14].copy_from_slice(&self.mac);
        packet[14..18].copy_from_slice(&sender.octets());
        packet[24..].copy_from_slice(&self.address.octets());
        self.transmits.push(packet);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// What another host says: an ARP packet of its own.
    fn other(sender: Ipv4Addr, target: Ipv4Addr) -> [u8; ARP] {
        let mut packet = [0; ARP];
        packet[..14].copy_from_slice(&[0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 77]);
        packet[14..18].copy_from_slice(&sender.octets());
        packet[24..].copy_from_slice(&target.octets());
        packet
    }

    /// A client that has its address, and the time.
    fn settled() -> (Client, Duration) {
        let mut client = Client::new(s(0), MAC);
        let mut now = s(0);
        while let Some(deadline) = client.deadline() {
            now = deadline;
            client.handle_timeout(now);
        }
        assert!(matches!(client.poll_event(), Some(Event::Acquired(_))));
        client.transmits.clear();
        (client, now)
    }

    #[test]
    fn an_address_is_probed_for_taken_and_announced() {
        let mut client = Client::new(s(0), MAC);
        let mut said = Vec::new();
        let mut acquired = None;
        while let Some(now) = client.deadline() {
            client.handle_timeout(now);
            said.extend(client.poll_transmit().map(|packet| packet[14..18] == [0; 4]));
            acquired = acquired.or(client.poll_event().map(|event| (event, now)));
        }
        assert_eq!(said, [true, true, true, false, false]);
        let (Event::Acquired(address), at) = acquired.unwrap() else { panic!("lost") };
        assert!(address.is_link_local() && (1..=254).contains(&address.octets()[2]), "{address}");
        assert!(at >= s(4) && at < s(7), "{at:?}");
        assert_eq!(Client::new(s(9), MAC).address, address, "the same box, the same address");
    }

    #[test]
    fn an_address_in_use_or_wanted_is_left_alone() {
        for probe in [false, true] {
            let mut client = Client::new(s(0), MAC);
            client.handle_timeout(client.deadline().unwrap());
            let taken = client.address;
            let packet = if probe { other(Ipv4Addr::UNSPECIFIED, taken) } else { other(taken, taken) };
            let mut ours = packet;
            ours[8..14].copy_from_slice(&MAC);
            client.receive(s(1), &ours);
            assert_eq!(client.address, taken, "our own echo");
            client.receive(s(1), &packet);
            assert_ne!(client.address, taken);
            assert_eq!(client.state, State::Probing(0));
        }
        let mut unlucky = Client::new(s(0), MAC);
        for _ in 0..12 {
            let taken = unlucky.address;
            unlucky.receive(s(1), &other(taken, taken));
        }
        assert!(unlucky.deadline().unwrap() >= s(61), "slowly, when there are many conflicts");
    }

    #[test]
    fn an_address_is_defended_once_and_then_left() {
        let (mut client, now) = settled();
        let ours = client.address;
        client.receive(now, &other(Ipv4Addr::UNSPECIFIED, ours));
        assert_eq!(client.poll_transmit(), None, "the kernel answers who asks");
        client.receive(now, &other(ours, ours));
        assert_eq!(client.poll_transmit().unwrap()[14..18], ours.octets());
        client.receive(now + s(11), &other(ours, ours));
        assert!(client.poll_transmit().is_some() && client.poll_event().is_none());
        client.receive(now + s(12), &other(ours, ours));
        assert_eq!(client.poll_event(), Some(Event::Lost));
        assert_ne!(client.address, ours);
    }

    proptest! {
        #[test]
        fn nonsense_does_no_harm(mut bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let (mut client, now) = settled();
            client.receive(now, &bytes);
            if let Some(kind) = bytes.first_chunk_mut() {
                *kind = ARP_KIND;
            }
            client.receive(now, &bytes);
            prop_assert_eq!(client.poll_event(), None);
        }
    }
}
