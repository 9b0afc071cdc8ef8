//! Looks one name up (RFC 1035): enough to find a time server before there is a resolver that checks signatures, which
//! needs the time.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::dns::{A, Message, Name, Question, RECURSION};
use super::random::Random;

/// How long a name server may take; then the next is asked.
const ANSWER: Duration = Duration::from_secs(3);
/// Questions for one name before it is given up.
const QUESTIONS_MAX: u32 = 4;
/// Addresses that are kept of an answer.
const ADDRESSES_MAX: usize = 3;

/// One question on its way.
#[derive(Clone, Debug)]
pub(super) struct Lookup {
    name: Name,
    servers: Vec<SocketAddr>,
    id: u16,
    asked: u32,
    deadline: Duration,
}

impl Lookup {
    /// Will ask `servers` in turn for the IPv4 addresses of `name`, from `now` on.
    pub(super) fn new(now: Duration, name: &str, servers: Vec<SocketAddr>, random: &mut Random) -> Self {
        let name = Name::from_labels(name.split('.').filter(|label| !label.is_empty()));
        Self { name, servers, id: random.next() as u16, asked: 0, deadline: now }
    }

    pub(super) const fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Whether nobody has answered, and nobody is to be asked any more.
    pub(super) fn is_hopeless(&self, now: Duration) -> bool {
        self.servers.is_empty() || (self.asked >= QUESTIONS_MAX && now >= self.deadline)
    }

    /// A question to send, when it is time for one.
    pub(super) fn handle_timeout(&mut self, now: Duration) -> Option<(SocketAddr, Vec<u8>)> {
        if now < self.deadline || self.is_hopeless(now) {
            return None;
        }
        let server = *self.servers.get(self.asked as usize % self.servers.len())?;
        self.asked += 1;
        self.deadline = now + ANSWER;
        let question = Question { name: self.name.clone(), kind: A, wants_unicast: false };
        let (answers, authorities, additionals) = (vec![], vec![], vec![]);
        let questions = vec![question];
        let message =
            Message { id: self.id, is_response: false, questions, answers, authorities, additionals };
        let mut bytes = message.emit(false);
        if let Some(flags) = bytes.get_mut(2..4) {
            flags.copy_from_slice(&RECURSION.to_be_bytes());
        }
        Some((server, bytes))
    }

    /// What a packet from `from` says about the name: its addresses, none when it has none. `None` when the packet is
    /// no answer to our question.
    pub(super) fn receive(&self, from: SocketAddr, bytes: &[u8]) -> Option<Vec<Ipv4Addr>> {
        let message = Message::parse(bytes)?;
        let question = message.questions.first()?;
        let is_ours = message.is_response && message.id == self.id && question.name == self.name;
        if !is_ours || question.kind != A || self.asked == 0 || !self.servers.contains(&from) {
            return None;
        }
        // The name may have led to another (CNAME): whatever address the server gives is the answer.
        let addresses = message.answers.iter().filter(|record| record.kind == A);
        let addresses = addresses.filter_map(|record| Some(Ipv4Addr::from(*record.data.first_chunk::<4>()?)));
        Some(addresses.filter(|address| crate::control::is_unicast(*address)).take(ADDRESSES_MAX).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::dns::Record;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn server(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 53))
    }

    fn lookup() -> Lookup {
        Lookup::new(s(1), "ntp.Example.test.", vec![server(1), server(2)], &mut Random::new(1))
    }

    fn answer(question: &[u8], addresses: &[[u8; 4]]) -> Message {
        let mut message = Message::parse(question).unwrap();
        message.is_response = true;
        let name = Name::from_labels(["other", "test"]);
        let record = |data: &[u8; 4]| Record { name: name.clone(), kind: A, ttl_s: 5, data: data.to_vec() };
        message.answers = addresses.iter().map(record).collect();
        message
    }

    #[test]
    fn a_name_has_the_addresses_that_a_server_says() {
        let mut lookup = lookup();
        assert!(lookup.handle_timeout(s(0)).is_none());
        let (to, question) = lookup.handle_timeout(s(1)).unwrap();
        assert_eq!((to, question[2..4].to_vec()), (server(1), vec![1, 0]));
        assert_eq!(question[12..], *b"\x03ntp\x07example\x04test\0\0\x01\0\x01");
        let good = answer(&question, &[[192, 0, 2, 7], [127, 0, 0, 1], [192, 0, 2, 8]]);
        let expected = [[192, 0, 2, 7], [192, 0, 2, 8]].map(Ipv4Addr::from);
        assert_eq!(lookup.receive(server(1), &good.emit(false)).unwrap(), expected);
        assert_eq!(lookup.receive(server(2), &answer(&question, &[]).emit(false)), Some(vec![]));
        assert_eq!(lookup.receive(server(3), &good.emit(false)), None, "nobody asked it");
        let other = Message { id: !good.id, ..good.clone() };
        assert_eq!(lookup.receive(server(1), &other.emit(false)), None);
        let not_an_answer = Message { is_response: false, ..good };
        assert_eq!(lookup.receive(server(1), &not_an_answer.emit(false)), None);
    }

    #[test]
    fn silent_servers_are_asked_in_turn_and_then_given_up() {
        let mut lookup = lookup();
        for expected in [1, 2, 1, 2] {
            let now = lookup.deadline();
            assert!(!lookup.is_hopeless(now));
            assert_eq!(lookup.handle_timeout(now).unwrap().0, server(expected));
        }
        let now = lookup.deadline();
        assert!(lookup.is_hopeless(now) && lookup.handle_timeout(now).is_none());
        assert!(Lookup::new(s(0), "a", vec![], &mut Random::new(1)).is_hopeless(s(0)));
    }
}
