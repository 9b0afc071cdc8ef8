//! DNS messages in bytes (RFC 1035 §4), as far as the mDNS responder and the look-up of a name need them.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::limits::MDNS_RECORDS_MAX;

pub(super) const A: u16 = 1;
pub(super) const PTR: u16 = 12;
pub(super) const AAAA: u16 = 28;
pub(super) const NSEC: u16 = 47;
pub(super) const ANY: u16 = 255;
pub(super) const IN: u16 = 1;
/// In a record: forget other records of the name (RFC 6762 §10.2). In a question: answer me alone (§5.4).
pub(super) const TOP_BIT: u16 = 0x8000;

/// QR and AA: an answer, by one who knows (RFC 6762 §18).
const RESPONSE: u16 = 0x8400;
/// RD: ask others too (RFC 1035 §4.1.1).
pub(super) const RECURSION: u16 = 0x0100;
/// QR alone, and the bits of opcode and RCODE that must be zero.
const IS_RESPONSE: u16 = 0x8000;
const MUST_BE_ZERO: u16 = 0x780f;

const NAME_LEN_MAX: usize = 255;
const LABEL_LEN_MAX: u8 = 63;

/// A name in wire form, without compression, letters of ASCII in lower case: two names are the same when their bytes are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name(Vec<u8>);

impl Name {
    /// From labels, each short enough.
    pub(super) fn from_labels<'a>(labels: impl IntoIterator<Item = &'a str>) -> Self {
        let mut bytes = Vec::new();
        for label in labels {
            let label = label.as_bytes();
            bytes.push(u8::try_from(label.len()).unwrap_or(LABEL_LEN_MAX).min(LABEL_LEN_MAX));
            bytes.extend(label.iter().take(LABEL_LEN_MAX.into()).map(u8::to_ascii_lowercase));
        }
        bytes.push(0);
        Self(bytes)
    }

    /// The name under which an address is looked up backwards (RFC 1035 §3.5).
    pub(super) fn of_v4(address: Ipv4Addr) -> Self {
        let octets = address.octets().map(|octet| octet.to_string());
        Self::from_labels(octets.iter().rev().map(String::as_str).chain(["in-addr", "arpa"]))
    }

    /// The same for IPv6 (RFC 3596 §2.5).
    pub(super) fn of_v6(address: Ipv6Addr) -> Self {
        let nibbles: Vec<String> = address
            .octets()
            .iter()
            .rev()
            .flat_map(|byte| [byte & 0xf, byte >> 4])
            .map(|n| format!("{n:x}"))
            .collect();
        Self::from_labels(nibbles.iter().map(String::as_str).chain(["ip6", "arpa"]))
    }

    /// In wire form.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads a name at `position` and moves that behind it. Pointers may only lead back (so that they end), and the whole
    /// must not be too long.
    fn read(message: &[u8], position: &mut usize) -> Option<Self> {
        let mut bytes = Vec::new();
        let (mut at, mut limit, mut jumped) = (*position, *position, false);
        loop {
            let len = *message.get(at)?;
            match len {
                0 => {
                    bytes.push(0);
                    if !jumped {
                        *position = at + 1;
                    }
                    return Some(Self(bytes));
                }
                1..=LABEL_LEN_MAX => {
                    let label = message.get(at + 1..at + 1 + usize::from(len))?;
                    bytes.push(len);
                    bytes.extend(label.iter().map(u8::to_ascii_lowercase));
                    at += 1 + label.len();
                }
                0xc0.. => {
                    let target = usize::from(len & 0x3f) << 8 | usize::from(*message.get(at + 1)?);
                    if target >= limit {
                        return None;
                    }
                    if !jumped {
                        *position = at + 2;
                    }
                    (at, limit, jumped) = (target, target, true);
                }
                _ => return None,
            }
            if bytes.len() >= NAME_LEN_MAX {
                return None;
            }
        }
    }
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) name: Name,
    pub(super) kind: u16,
    pub(super) wants_unicast: bool,
}

/// A record. Names inside `data` are without compression where we understand the kind, as they came elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) name: Name,
    pub(super) kind: u16,
    pub(super) ttl_s: u32,
    pub(super) data: Vec<u8>,
}

/// A message that was understood, as far as it is of class IN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) id: u16,
    pub(super) is_response: bool,
    pub(super) questions: Vec<Question>,
    /// In a query: what the asker knows already. In a response: what it says.
    pub(super) answers: Vec<Record>,
    /// In a query: what a prober wants to say (RFC 6762 §8.2).
    pub(super) authorities: Vec<Record>,
    pub(super) additionals: Vec<Record>,
}

impl Message {
    /// Understands a message, or does not; one with more in it than any honest one is not looked at.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| be16(bytes, at);
        let (id, flags) = (word(0)?, word(2)?);
        let counts = [word(4)?, word(6)?, word(8)?, word(10)?].map(usize::from);
        if flags & MUST_BE_ZERO != 0 || counts.iter().sum::<usize>() > MDNS_RECORDS_MAX {
            return None;
        }
        let mut at = 12;
        let mut questions = Vec::new();
        for _ in 0..counts[0] {
            let name = Name::read(bytes, &mut at)?;
            let (kind, class) = (word(at)?, word(at + 2)?);
            at += 4;
            if matches!(class & !TOP_BIT, IN | ANY) {
                questions.push(Question { name, kind, wants_unicast: class & TOP_BIT != 0 });
            }
        }
        let mut section = |count: usize| records(bytes, &mut at, count);
        let (answers, authorities, additionals) =
            (section(counts[1])?, section(counts[2])?, section(counts[3])?);
        let is_response = flags & IS_RESPONSE != 0;
        Some(Self { id, is_response, questions, answers, authorities, additionals })
    }

    /// The message in bytes, for mDNS; `flush` sets the top bit on records (not on what a prober only proposes).
    pub(super) fn emit(&self, flush: bool) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(512);
        let word = |bytes: &mut Vec<u8>, value: u16| bytes.extend_from_slice(&value.to_be_bytes());
        word(&mut bytes, self.id);
        word(&mut bytes, if self.is_response { RESPONSE } else { 0 });
        let count = |len: usize| u16::try_from(len).unwrap_or(u16::MAX);
        word(&mut bytes, count(self.questions.len()));
        for section in [&self.answers, &self.authorities, &self.additionals] {
            word(&mut bytes, count(section.len()));
        }
        for question in &self.questions {
            bytes.extend_from_slice(question.name.bytes());
            word(&mut bytes, question.kind);
            word(&mut bytes, IN | if question.wants_unicast { TOP_BIT } else { 0 });
        }
        for record in [&self.answers, &self.authorities, &self.additionals].into_iter().flatten() {
            bytes.extend_from_slice(record.name.bytes());
            word(&mut bytes, record.kind);
            word(&mut bytes, IN | if flush { TOP_BIT } else { 0 });
            bytes.extend_from_slice(&record.ttl_s.to_be_bytes());
            word(&mut bytes, count(record.data.len()));
            bytes.extend_from_slice(&record.data);
        }
        bytes
    }
}

fn records(bytes: &[u8], at: &mut usize, count: usize) -> Option<Vec<Record>> {
    let mut records = Vec::new();
    for _ in 0..count {
        let name = Name::read(bytes, at)?;
        let (kind, class) = (be16(bytes, *at)?, be16(bytes, *at + 2)?);
        let ttl_s = u32::from_be_bytes(*bytes.get(*at + 4..)?.first_chunk()?);
        let start = *at + 10;
        let end = start + usize::from(be16(bytes, *at + 8)?);
        let raw = bytes.get(start..end)?;
        let data = if kind == PTR { Name::read(bytes, &mut start.clone())?.0 } else { raw.to_vec() };
        *at = end;
        if class & !TOP_BIT == IN {
            records.push(Record { name, kind, ttl_s, data });
        }
    }
    Some(records)
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> Name {
        Name::from_labels(text.split('.'))
    }

    #[test]
    fn names_of_addresses() {
        assert_eq!(Name::of_v4([192, 0, 2, 1].into()), name("1.2.0.192.in-addr.arpa"));
        let v6 = "2001:db8::567:89ab".parse().unwrap();
        let expected = "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
        assert_eq!(Name::of_v6(v6), name(expected), "RFC 3596's example, its prefix changed");
    }

    #[test]
    fn a_message_reads_back() {
        let record =
            |text, data: &[u8]| Record { name: name(text), kind: A, ttl_s: 120, data: data.to_vec() };
        let message = Message {
            id: 7,
            is_response: true,
            questions: vec![Question { name: name("Box.local"), kind: ANY, wants_unicast: true }],
            answers: vec![record("box.local", &[192, 0, 2, 1])],
            authorities: vec![record("other.local", &[1, 2, 3, 4])],
            additionals: vec![],
        };
        for flush in [false, true] {
            assert_eq!(Message::parse(&message.emit(flush)), Some(message.clone()));
        }
    }

    #[test]
    fn compression_is_followed_and_never_in_circles() {
        let mut bytes = vec![0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0];
        bytes.extend_from_slice(b"\x03BOX\x05local\0\0\x01\0\x01");
        bytes.extend_from_slice(b"\x05other\xc0\x10\0\x1c\x80\x01");
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.questions[0].name, name("box.local"));
        assert_eq!(message.questions[1].name, name("other.local"));
        assert!(message.questions[1].wants_unicast);
        for circle in [&b"\xc0\x0c"[..], b"\x01a\xc0\x0c", b"\xc0\x0e", b"\xc0\xff", b"\x40"] {
            let mut bytes = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            bytes.extend_from_slice(circle);
            bytes.extend_from_slice(&[0, 1, 0, 1]);
            assert_eq!(Message::parse(&bytes), None, "{circle:?}");
        }
        let mut long = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        long.extend([63; 64 * 5]);
        long.extend([0, 0, 1, 0, 1]);
        assert_eq!(Message::parse(&long), None);
        assert_eq!(Message::parse(&[0, 0, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0]), None, "too many questions");
    }

    proptest! {
        #[test]
        fn nonsense_does_no_harm(mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Message::parse(&bytes);
            if let Some(header) = bytes.first_chunk_mut() {
                *header = [0, 0, 0x84, 0, 0, 2, 0, 2, 0, 1, 0, 1];
            }
            if let Some(message) = Message::parse(&bytes) {
                let again = Message::parse(&message.emit(true)).unwrap();
                prop_assert_eq!(again.questions, message.questions);
            }
        }
    }
}
