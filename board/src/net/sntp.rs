//! The time client (SNTP, RFC 4330, on RFC 5905's packets): asks one server after the other until one can be believed.
//!
//! A value that owns no socket and no clock. Times count from any fixed moment; what a server says is in nanoseconds
//! since 1970. The system's clock is not needed, so a box that thinks it is 1970 loses nothing.

use std::net::SocketAddr;
use std::time::Duration;

use super::random::Random;
use crate::clock::EARLIEST_S;
use crate::limits::SNTP_SERVERS_MAX;

/// The port of time servers.
pub const PORT: u16 = 123;

/// Servers to ask where neither the settings nor DHCP name any, by name: one of Japan's national laboratory, two that
/// answer everywhere. None of them smears leap seconds.
pub const PUBLIC_SERVERS: [&str; 3] = ["ntp.nict.jp", "pool.ntp.org", "time.cloudflare.com"];

/// Bytes of a packet without extensions.
const PACKET: usize = 48;
/// Leap indicator 0, version 4, mode 3 (client).
const CLIENT: u8 = 0b00_100_011;
const MODE: u8 = 0b111;
const SERVER: u8 = 4;
const LEAP: u8 = 0b11 << 6;
/// Servers further from the true time than this many others are not believed.
const STRATUM_MAX: u8 = 15;
/// From 1900, where NTP begins, to 1970, in seconds.
const TO_1970_S: u64 = 2_208_988_800;

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(2);
/// Longest way there and back after which a time is still worth having.
const ROUND_TRIP_MAX: Duration = Duration::from_secs(1);
/// After an answer, until the next question: a cheap crystal is off by a few milliseconds then.
const PERIOD: Duration = Duration::from_secs(3600);
/// Without one, after all servers were asked; doubled each time. RFC 4330 §10 wants 15 s between two questions to one
/// server; a box that has just got its network is let off that for three rounds, as RFC 5905 §13's bursts are.
const RETRY: Duration = Duration::from_secs(2);
const RETRY_MAX: Duration = Duration::from_secs(900);

/// A question to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// The server.
    pub to: SocketAddr,
    /// The packet.
    pub packet: [u8; PACKET],
}

/// What a server said, true at the moment of its arrival. Judge it with [`Clock::judge`](crate::clock::Clock::judge), then
/// call [`Client::trust`] or [`Client::distrust`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Nanoseconds since 1970.
    pub unix_ns: u64,
    /// The way there and back; the time is off by at most half of it.
    pub round_trip: Duration,
}

/// A question that waits for its answer.
#[derive(Clone, Copy, Debug)]
struct Asked {
    server: SocketAddr,
    /// What the answer must repeat: nobody who has not seen the question can give one.
    nonce: [u8; 8],
    at: Duration,
}

/// The client.
#[derive(Clone, Debug)]
pub struct Client {
    random: Random,
    servers: Vec<SocketAddr>,
    next: usize,
    /// Questions without an answer since the last one that had one.
    failures: u32,
    asked: Option<Asked>,
    deadline: Option<Duration>,
}

impl Client {
    /// A client that knows no server yet. `seed` comes from the system's randomness.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        let random = Random::new(seed);
        Self { random, servers: Vec::new(), next: 0, failures: 0, asked: None, deadline: None }
    }

    /// Changes the servers, best first, and asks the first at once. The same servers again change nothing.
    pub fn set_servers(&mut self, now: Duration, mut servers: Vec<SocketAddr>) {
        servers.truncate(SNTP_SERVERS_MAX);
        if servers == self.servers {
            return;
        }
        self.deadline = (!servers.is_empty()).then_some(now);
        (self.servers, self.next, self.failures, self.asked) = (servers, 0, 0, None);
    }

    /// Adds servers behind those that there are; begins to ask when there were none.
    pub fn add_servers(&mut self, now: Duration, servers: &[SocketAddr]) {
        for server in servers {
            if !self.servers.contains(server) && self.servers.len() < SNTP_SERVERS_MAX {
                self.servers.push(*server);
            }
        }
        if !self.servers.is_empty() {
            self.deadline.get_or_insert(now);
        }
    }

    /// Whether every server was asked twice in vain.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.failures as usize >= self.servers.len() * 2
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted.
    #[must_use]
    pub const fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// The deadline has come: gives a question to send.
    pub fn handle_timeout(&mut self, now: Duration) -> Option<Transmit> {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return None;
        }
        if self.asked.take().is_some() {
            self.fail(now);
            if self.deadline.is_some_and(|deadline| now < deadline) {
                return None;
            }
        }
        let server = *self.servers.get(self.next % self.servers.len().max(1))?;
        let nonce = self.random.next().to_be_bytes();
        self.asked = Some(Asked { server, nonce, at: now });
        self.deadline = Some(now + ANSWER);
        // Of all the fields a server needs only the first byte, and gives our transmit time back as it is.
        let mut packet = [0; PACKET];
        packet[0] = CLIENT;
        packet[40..].copy_from_slice(&nonce);
        Some(Transmit { to: server, packet })
    }

    /// A packet has arrived.
    pub fn receive(&mut self, now: Duration, from: SocketAddr, packet: &[u8]) -> Option<Sample> {
        let asked = self.asked.filter(|asked| asked.server == from)?;
        let packet: &[u8; PACKET] = packet.first_chunk()?;
        if packet[0] & MODE != SERVER || packet[24..32] != asked.nonce {
            return None;
        }
        self.asked = None;
        let sample = sample(packet, now.saturating_sub(asked.at));
        if sample.is_some() {
            self.deadline = Some(now + PERIOD + self.random.below(PERIOD / 8));
        } else {
            self.fail(now);
        }
        sample
    }

    /// The last sample was right: its server is asked again, in its time.
    pub const fn trust(&mut self) {
        self.failures = 0;
    }

    /// The last sample cannot be right: asks the next server.
    pub fn distrust(&mut self, now: Duration) {
        self.fail(now);
    }

    /// Goes on to the next server, at once as long as there are untried ones, then after longer and longer waits.
    fn fail(&mut self, now: Duration) {
        self.next = self.next.wrapping_add(1);
        self.failures = self.failures.saturating_add(1);
        let servers = u32::try_from(self.servers.len().max(1)).unwrap_or(u32::MAX);
        let wait = if self.failures.is_multiple_of(servers) {
            let rounds = self.failures / servers;
            let doubled = RETRY * 1_u32.checked_shl(rounds.min(10) - 1).unwrap_or(1);
            doubled.min(RETRY_MAX) + self.random.below(RETRY)
        } else {
            Duration::ZERO
        };
        self.deadline = Some(now + wait);
    }
}

/// The time in an answer that took `took` to come, if it is to be believed at all (RFC 4330 §5).
fn sample(packet: &[u8; PACKET], took: Duration) -> Option<Sample> {
    let stratum = packet[1];
    let is_synchronised = packet[0] & LEAP != LEAP && (1..=STRATUM_MAX).contains(&stratum);
    let received = timestamp_ns(packet[32..].first_chunk()?);
    let transmitted = timestamp_ns(packet[40..].first_chunk()?);
    // Stratum 0 is a server's wish not to be asked; a transmit time of zero is none.
    if !is_synchronised || packet[40..] == [0; 8] {
        return None;
    }
    let inside = Duration::from_nanos(transmitted.checked_sub(received)?);
    let round_trip = took.checked_sub(inside)?;
    if round_trip > ROUND_TRIP_MAX {
        return None;
    }
    let back = u64::try_from((round_trip / 2).as_nanos()).ok()?;
    Some(Sample { unix_ns: transmitted.checked_add(back)?, round_trip })
}

/// An NTP timestamp, 32 bits of seconds since 1900 and 32 of fraction, in nanoseconds since 1970. The seconds wrap in
/// 2036; a time before the first release means that they have.
fn timestamp_ns(bytes: &[u8; 8]) -> u64 {
    let raw = u64::from_be_bytes(*bytes);
    let since_1900 = raw >> 32;
    let era = if since_1900 < EARLIEST_S + TO_1970_S { 1 << 32 } else { 0 };
    let nanos = ((raw & 0xffff_ffff) * 1_000_000_000) >> 32;
    (since_1900 + era - TO_1970_S) * 1_000_000_000 + nanos
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn server(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], PORT))
    }

    /// NTP's form of a time after 1970.
    fn stamp(unix_ns: u64) -> [u8; 8] {
        let seconds = (unix_ns / 1_000_000_000 + TO_1970_S) & 0xffff_ffff;
        let fraction = ((unix_ns % 1_000_000_000) << 32).div_ceil(1_000_000_000);
        (seconds << 32 | fraction).to_be_bytes()
    }

    fn answer(question: &Transmit, received: u64, transmitted: u64) -> [u8; PACKET] {
        let mut packet = [0; PACKET];
        packet[..2].copy_from_slice(&[0b00_100_100, 2]);
        packet[24..32].copy_from_slice(&question.packet[40..]);
        packet[32..40].copy_from_slice(&stamp(received));
        packet[40..].copy_from_slice(&stamp(transmitted));
        packet
    }

    const T: u64 = 1_800_000_000_123_456_789;

    fn asking() -> (Client, Transmit) {
        let mut client = Client::new(1);
        assert_eq!(client.deadline(), None);
        client.set_servers(ms(10), vec![server(1), server(2)]);
        assert_eq!(client.deadline(), Some(ms(10)));
        assert!(client.handle_timeout(ms(9)).is_none());
        let question = client.handle_timeout(ms(10)).unwrap();
        assert_eq!((question.to, question.packet[0]), (server(1), 0x23));
        (client, question)
    }

    #[test]
    fn the_time_is_that_of_the_server_plus_half_the_way() {
        let (mut client, question) = asking();
        let packet = answer(&question, T, T + 4_000_000);
        let sample = client.receive(ms(34), server(1), &packet).unwrap();
        assert_eq!(sample.round_trip.as_millis(), 20);
        assert!(sample.unix_ns.abs_diff(T + 14_000_000) < 10, "{sample:?}");
        let next = client.deadline().unwrap();
        assert!(next >= ms(34) + PERIOD && next < ms(34) + PERIOD * 9 / 8);
        assert_eq!(client.receive(ms(35), server(1), &packet), None, "an answer counts once");
        client.set_servers(ms(40), vec![server(1), server(2)]);
        assert_eq!(client.deadline(), Some(next));
    }

    #[test]
    fn answers_that_cannot_be_right_are_passed_over() {
        let (client, question) = asking();
        let good = answer(&question, T, T);
        let with = |at: usize, value: u8| {
            let mut packet = good;
            packet[at] = value;
            packet
        };
        for (packet, from, is_answer) in [
            (good, server(9), false),
            (with(24, !good[24]), server(1), false),
            (with(0, 0x23), server(1), false),
            (with(0, 0b11_100_100), server(1), true),
            (with(1, 0), server(1), true),
            (with(1, 16), server(1), true),
            (answer(&question, T, T - 1_000_000), server(1), true),
            (answer(&question, T, T + 60_000_000_000), server(1), true),
        ] {
            let mut client = client.clone();
            assert_eq!(client.receive(ms(20), from, &packet), None, "{packet:?}");
            let expected = if is_answer { ms(20) } else { ms(2010) };
            assert_eq!(client.deadline(), Some(expected));
        }
        let mut slow = client.clone();
        assert_eq!(slow.receive(ms(1500), server(1), &good), None);
        assert_eq!(slow.handle_timeout(ms(1500)).unwrap().to, server(2), "the next server at once");
        assert_eq!(client.clone().receive(ms(20), server(1), &good[..47]), None);
    }

    #[test]
    fn silence_means_the_next_server_and_then_patience() {
        let (mut client, _) = asking();
        let (mut asked, mut now) = (vec![], ms(10));
        while asked.len() < 40 {
            now = client.deadline().unwrap();
            if let Some(question) = client.handle_timeout(now) {
                asked.push((question.to, now));
            }
        }
        assert_eq!(asked[0].0, server(2));
        assert!(asked.windows(2).all(|pair| pair[0].0 != pair[1].0), "in turns");
        let longest = asked.windows(2).map(|pair| pair[1].1 - pair[0].1).max().unwrap();
        assert!(longest > RETRY_MAX && longest < RETRY_MAX + ms(5000), "{longest:?}");
        client.distrust(now);
        assert!(client.deadline().is_some());
        client.trust();
        assert!(!client.is_failing());
        client.failures = 40;
        assert!(client.is_failing());
        client.set_servers(now, vec![]);
        assert_eq!((client.deadline(), client.handle_timeout(now)), (None, None));
        client.add_servers(now, &[]);
        assert_eq!(client.deadline(), None);
        client.add_servers(now, &[server(3), server(3), server(4)]);
        assert_eq!((client.deadline(), client.servers.len(), client.is_failing()), (Some(now), 2, false));
    }

    #[test]
    fn servers_that_are_not_believed_are_not_asked_without_end() {
        let mut client = Client::new(1);
        client.set_servers(ms(0), vec![server(1), server(2)]);
        let (mut now, mut questions) = (ms(0), 0);
        while now < Duration::from_secs(3600) {
            now = client.deadline().unwrap();
            if let Some(question) = client.handle_timeout(now) {
                questions += 1;
                client.receive(now, question.to, &answer(&question, T, T)).unwrap();
                client.distrust(now);
            }
        }
        assert!(questions < 40, "{questions}");
    }

    #[test]
    fn the_seconds_wrap_in_2036() {
        for unix_s in [EARLIEST_S, 2_085_978_495, 2_085_978_496, 4_000_000_000] {
            assert_eq!(timestamp_ns(&stamp(unix_s * 1_000_000_000)), unix_s * 1_000_000_000);
        }
    }

    proptest! {
        #[test]
        fn nonsense_does_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let (mut client, question) = asking();
            let _ = client.receive(ms(20), server(1), &bytes);
            let mut packet = bytes;
            packet.resize(48, 0);
            packet[0] = 0x24;
            packet[24..32].copy_from_slice(&question.packet[40..]);
            let _ = client.receive(ms(20), server(1), &packet);
            prop_assert!(client.deadline().is_some());
        }
    }
}
