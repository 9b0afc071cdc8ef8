//! The mDNS responder (RFC 6762): makes the box known as `<host>.local` on its network.
//!
//! A value that owns no socket and no clock; times count from any fixed moment. It probes for its name, takes another
//! when that is in use, announces it, answers for it and defends it.

mod sockets;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::dns::{A, AAAA, ANY, Message, NSEC, Name, PTR, Question, Record};
use super::random::Random;
use crate::limits::MDNS_ADDRESSES_MAX;

pub use self::sockets::{GROUP_V4, GROUP_V6, PORT, ipv6_addresses, open_v4, open_v6};

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// To everybody: [`GROUP_V4`] and [`GROUP_V6`], through every socket there is.
    Everybody,
    /// To one who asked, through the socket that heard it.
    One(SocketAddr),
}

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub to: To,
    /// The message.
    pub message: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No address, nothing to say.
    Silent,
    /// Asking whether the name is free; so many times so far.
    Probing(u32),
    /// Saying that it is ours; so many times so far.
    Announcing(u32),
    /// Known.
    Established,
}

/// The responder of one network.
#[derive(Clone, Debug)]
pub struct Responder {
    label: String,
    /// Added to the label when the name was taken: 2, 3, ...
    number: u32,
    v4: Vec<Ipv4Addr>,
    v6: Vec<Ipv6Addr>,
    state: State,
    deadline: Option<Duration>,
    /// When everybody was last told our records.
    told: Option<Duration>,
    conflicts: u32,
    random: Random,
    transmits: VecDeque<Transmit>,
}

// RFC 6762 §8.1 and §8.3.
const PROBES: u32 = 3;
const PROBE_PERIOD: Duration = Duration::from_millis(250);
const ANNOUNCEMENTS: u32 = 2;
const ANNOUNCE_PERIOD: Duration = Duration::from_secs(1);
/// §8.2: who loses a tie asks again after this.
const TIE_PAUSE: Duration = Duration::from_secs(1);
/// §8.1: after so many conflicts one probes more slowly.
const CONFLICTS_MAX: u32 = 15;
const CONFLICT_PAUSE: Duration = Duration::from_secs(5);
/// §6: no record is multicast more often than this, but to defend it.
const TOLD_PERIOD: Duration = Duration::from_secs(1);
/// §10: for records that name a host.
const TTL_S: u32 = 120;
/// §6.7: askers that do not speak mDNS must not keep answers for long.
const LEGACY_TTL_S: u32 = 10;

impl Responder {
    /// A responder for `<label>.local`, which says nothing until it has an address. Of `host_name` the first label
    /// counts. `seed` comes from the system's randomness.
    #[must_use]
    pub fn new(host_name: &str, seed: u64) -> Self {
        let allowed = |char: &char| char.is_ascii_alphanumeric() || *char == '-';
        let label: String =
            host_name.split('.').next().unwrap_or_default().chars().filter(allowed).take(50).collect();
        let label = label.to_ascii_lowercase();
        Self {
            label: if label.is_empty() { "tegami".into() } else { label },
            number: 1,
            v4: Vec::new(),
            v6: Vec::new(),
            state: State::Silent,
            deadline: None,
            told: None,
            conflicts: 0,
            random: Random::new(seed),
            transmits: VecDeque::new(),
        }
    }

    /// The name, as people type it: `tegami.local`, or `tegami-2.local` where that is taken.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.local", self.host_label())
    }

    /// Whether the name is ours.
    #[must_use]
    pub fn is_established(&self) -> bool {
        matches!(self.state, State::Announcing(_) | State::Established)
    }

    /// Changes the addresses. A box that had none before, or whose cable was out (`is_new_network`), probes for its
    /// name; otherwise the change is announced (§8.4).
    pub fn set_addresses(&mut self, now: Duration, v4: &[Ipv4Addr], v6: &[Ipv6Addr], is_new_network: bool) {
        let (v4, v6) = (first(v4), first(v6));
        let is_same = v4 == self.v4 && v6 == self.v6;
        (self.v4, self.v6) = (v4, v6);
        if self.v4.is_empty() && self.v6.is_empty() {
            (self.state, self.deadline) = (State::Silent, None);
        } else if self.state == State::Silent || is_new_network {
            // §8.1: a moment of chance, so that boxes which start together do not ask together.
            let pause = self.random.below(PROBE_PERIOD);
            self.probe(now + pause);
        } else if !is_same && self.is_established() {
            (self.state, self.deadline) = (State::Announcing(0), Some(now));
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted.
    #[must_use]
    pub const fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// The next message to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The deadline has come.
    pub fn handle_timeout(&mut self, now: Duration) {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        match self.state {
            State::Silent | State::Established => self.deadline = None,
            State::Probing(count) if count < PROBES => {
                self.send_probe();
                (self.state, self.deadline) = (State::Probing(count + 1), Some(now + PROBE_PERIOD));
            }
            State::Probing(_) => {
                (self.state, self.deadline) = (State::Announcing(0), Some(now));
                self.handle_timeout(now);
            }
            State::Announcing(count) => {
                self.tell_everybody(now, TTL_S);
                let is_last = count + 1 >= ANNOUNCEMENTS;
                self.state = if is_last { State::Established } else { State::Announcing(count + 1) };
                self.deadline = if is_last { None } else { Some(now + ANNOUNCE_PERIOD) };
            }
        }
    }

    /// Takes leave: everybody may forget the name (§10.1).
    pub fn farewell(&mut self, now: Duration) {
        if self.is_established() {
            self.tell_everybody(now, 0);
        }
        (self.state, self.deadline) = (State::Silent, None);
    }

    /// A message has arrived.
    pub fn receive(&mut self, now: Duration, from: SocketAddr, bytes: &[u8]) {
        if self.state == State::Silent {
            return;
        }
        let Some(message) = Message::parse(bytes) else { return };
        if message.is_response {
            // §6: what does not come from the port of responders is none.
            if from.port() == PORT {
                self.handle_response(now, &message);
            }
        } else {
            self.handle_probe(now, &message);
            if self.is_established() {
                self.answer(now, from, &message);
            }
        }
    }

    fn host_label(&self) -> String {
        if self.number == 1 { self.label.clone() } else { format!("{}-{}", self.label, self.number) }
    }

    fn host(&self) -> Name {
        Name::from_labels([self.host_label().as_str(), "local"])
    }

    /// The records of the name.
    fn addresses(&self, ttl_s: u32) -> Vec<Record> {
        let record = |kind, data: &[u8]| Record { name: self.host(), kind, ttl_s, data: data.to_vec() };
        let v4 = self.v4.iter().map(|address| record(A, &address.octets()));
        v4.chain(self.v6.iter().map(|address| record(AAAA, &address.octets()))).collect()
    }

    /// The names of the addresses.
    fn pointers(&self, ttl_s: u32) -> Vec<Record> {
        let data = self.host().bytes().to_vec();
        let v4 = self.v4.iter().map(|address| Name::of_v4(*address));
        let names = v4.chain(self.v6.iter().map(|address| Name::of_v6(*address)));
        names.map(|name| Record { name, kind: PTR, ttl_s, data: data.clone() }).collect()
    }

    /// Says which kinds of records the name has, so that nobody waits for the others (§6.1).
    fn kinds(&self, ttl_s: u32) -> Record {
        // RFC 4034 §4.1: block 0, four bytes of bitmap, a bit for each kind from the left.
        let mut bitmap = [0; 4];
        for (kind, is_there) in [(A, !self.v4.is_empty()), (AAAA, !self.v6.is_empty())] {
            if is_there {
                bitmap[usize::from(kind / 8)] |= 0x80 >> (kind % 8);
            }
        }
        let mut data = self.host().bytes().to_vec();
        data.extend_from_slice(&[0, 4]);
        data.extend_from_slice(&bitmap);
        Record { name: self.host(), kind: NSEC, ttl_s, data }
    }

    fn probe(&mut self, at: Duration) {
        (self.state, self.deadline) = (State::Probing(0), Some(at));
    }

    fn send_probe(&mut self) {
        let question = Question { name: self.host(), kind: ANY, wants_unicast: true };
        let message =
            Message { questions: vec![question], authorities: self.addresses(TTL_S), ..empty(false) };
        self.transmits.push_back(Transmit { to: To::Everybody, message: message.emit(false) });
    }

    fn tell_everybody(&mut self, now: Duration, ttl_s: u32) {
        let mut answers = self.addresses(ttl_s);
        answers.extend(self.pointers(ttl_s));
        let message = Message { answers, ..empty(true) };
        self.told = Some(now);
        self.transmits.push_back(Transmit { to: To::Everybody, message: message.emit(true) });
    }

    /// Somebody says something: is it our name, with another content (§9)?
    fn handle_response(&mut self, now: Duration, message: &Message) {
        let host = self.host();
        let ours = self.addresses(TTL_S);
        let is_other = |record: &Record| {
            let is_address = matches!(record.kind, A | AAAA);
            record.name == host && is_address && record.ttl_s > 0 && !contains(&ours, record)
        };
        if !message.answers.iter().chain(&message.additionals).any(is_other) {
            return;
        }
        self.conflicts = self.conflicts.saturating_add(1);
        // Who has the name already keeps it; who finds another using it asks again, and then yields.
        if !self.is_established() {
            self.number = self.number.saturating_add(1);
        }
        let pause = if self.conflicts > CONFLICTS_MAX { CONFLICT_PAUSE } else { Duration::ZERO };
        self.probe(now + pause);
    }

    /// Two ask for one name at the same time: the one whose records come later wins (§8.2).
    fn handle_probe(&mut self, now: Duration, message: &Message) {
        let host = self.host();
        if !matches!(self.state, State::Probing(1..)) {
            return;
        }
        let key = |record: &Record| (record.kind, record.data.clone());
        let mut theirs: Vec<_> =
            message.authorities.iter().filter(|record| record.name == host).map(key).collect();
        let mut ours: Vec<_> = self.addresses(TTL_S).iter().map(key).collect();
        theirs.sort();
        ours.sort();
        if !theirs.is_empty() && ours < theirs {
            self.probe(now + TIE_PAUSE);
        }
    }

    /// Answers the questions that are for us.
    fn answer(&mut self, now: Duration, from: SocketAddr, query: &Message) {
        let is_legacy = from.port() != PORT;
        let ttl_s = if is_legacy { LEGACY_TTL_S } else { TTL_S };
        let (mut answers, mut wants_unicast) = (Vec::<Record>::new(), true);
        for question in &query.questions {
            let mut found = self.answers_to(question, ttl_s);
            // §7.1: what the asker knows for at least half its time need not be said.
            let is_known = |record: &Record| {
                let is_fresh = |known: &&Record| known.ttl_s >= TTL_S / 2;
                query.answers.iter().filter(is_fresh).any(|known| is_equal(known, record))
            };
            if !found.is_empty() && !found.iter().all(is_known) {
                wants_unicast &= question.wants_unicast;
                found.retain(|record| !answers.contains(record));
                answers.append(&mut found);
            }
        }
        if answers.is_empty() {
            return;
        }
        let is_probe = query.authorities.iter().any(|record| record.name == self.host());
        let additionals = self.addresses(ttl_s).into_iter().chain([self.kinds(ttl_s)]);
        let additionals = additionals.filter(|record| !answers.contains(record)).collect();
        let mut message = Message { answers, additionals, ..empty(true) };
        if is_legacy {
            (message.id, message.questions) = (query.id, query.questions.clone());
        }
        let to = if is_legacy || wants_unicast { To::One(from) } else { To::Everybody };
        if to == To::Everybody {
            let is_told = self.told.is_some_and(|told| now.saturating_sub(told) < TOLD_PERIOD);
            if is_told && !is_probe {
                return;
            }
            self.told = Some(now);
        }
        self.transmits.push_back(Transmit { to, message: message.emit(!is_legacy) });
    }

    /// The records that answer a question.
    fn answers_to(&self, question: &Question, ttl_s: u32) -> Vec<Record> {
        let is_asked = |record: &Record| {
            record.name == question.name && (question.kind == record.kind || question.kind == ANY)
        };
        let mut found = self.addresses(ttl_s);
        found.extend(self.pointers(ttl_s));
        found.retain(is_asked);
        if found.is_empty() && question.name == self.host() {
            found.push(self.kinds(ttl_s));
        }
        found
    }
}

fn empty(is_response: bool) -> Message {
    let (questions, answers, authorities, additionals) = (vec![], vec![], vec![], vec![]);
    Message { id: 0, is_response, questions, answers, authorities, additionals }
}

fn is_equal(one: &Record, other: &Record) -> bool {
    one.name == other.name && one.kind == other.kind && one.data == other.data
}

fn contains(records: &[Record], record: &Record) -> bool {
    records.iter().any(|other| is_equal(other, record))
}

fn first<T: Copy>(addresses: &[T]) -> Vec<T> {
    addresses.iter().take(MDNS_ADDRESSES_MAX).copied().collect()
}
