//! A name server for tests: it answers by UDP and TCP what its zone says, and misbehaves where the zone says so.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, MX, NS, SOA};
use hickory_resolver::proto::rr::{Name, RData, Record};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::{JoinHandle, spawn_local};

/// Longest answer by UDP: what a client without EDNS takes (RFC 1035 §2.3.4).
const UDP_BYTES_MAX: usize = 512;

/// The server; it ends when it is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    shared: Rc<Shared>,
    tasks: [JoinHandle<()>; 2],
}

struct Shared {
    zone: Zone,
    /// How often which question was asked: `udp MX a.test`.
    asked: RefCell<BTreeMap<String, usize>>,
    /// Bytes of the longest answer by TCP.
    longest: Cell<usize>,
}

/// Data by name and kind.
type Zone = BTreeMap<String, Vec<(String, String)>>;

impl Server {
    /// Serves a zone of lines such as `a.test MX 10 mx.a.test`; what is not in it does not exist. Besides kinds of records
    /// there are `SERVFAIL`, `REFUSED`, `REFERRAL`, `SILENT` (no answer), `GARBAGE` (no DNS at all) and `FORGED` (an
    /// answer with another number and one to another question come first), for the kind that stands behind them or for
    /// all; and `TTL`, which is 0 otherwise.
    pub(super) async fn start(zone: &str) -> Self {
        let mut names = Zone::new();
        for line in zone.lines() {
            let mut words = line.trim().splitn(3, ' ');
            let Some(name) = words.next().filter(|name| !name.is_empty()) else { continue };
            let (kind, data) = (words.next().unwrap(), words.next().unwrap_or_default());
            names
                .entry(name.trim_end_matches('.').to_owned())
                .or_default()
                .push((kind.to_owned(), data.to_owned()));
        }
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
            // Somebody else may have this port of TCP's.
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
                break (udp, tcp);
            }
        };
        let address = udp.local_addr().unwrap();
        let shared = Rc::new(Shared { zone: names, asked: RefCell::default(), longest: Cell::default() });
        let tasks =
            [spawn_local(by_udp(Rc::clone(&shared), udp)), spawn_local(by_tcp(Rc::clone(&shared), tcp))];
        Self { address, shared, tasks }
    }

    /// How often it was asked this: `udp MX a.test`.
    pub(super) fn asked(&self, question: &str) -> usize {
        self.shared.asked.borrow().get(question).copied().unwrap_or(0)
    }

    /// Bytes of the longest answer that it gave by TCP.
    pub(super) fn longest(&self) -> usize {
        self.shared.longest.get()
    }

    /// How often it was asked anything.
    pub(super) fn asked_in_all(&self) -> usize {
        self.shared.asked.borrow().values().sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn by_udp(shared: Rc<Shared>, socket: UdpSocket) {
    let mut buffer = [0; 4_096];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
        for mut answer in shared.answers("udp", &buffer[..length]) {
            if answer.len() > UDP_BYTES_MAX {
                // Only header and question, cut off (RFC 1035 §4.1.1: TC).
                let question = Message::from_vec(&buffer[..length]).unwrap();
                let mut cut = reply(&question, ResponseCode::NoError);
                cut.metadata.truncation = true;
                answer = cut.to_vec().unwrap();
            }
            socket.send_to(&answer, from).await.unwrap();
        }
    }
}

async fn by_tcp(shared: Rc<Shared>, listener: TcpListener) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        spawn_local(serve(Rc::clone(&shared), stream));
    }
}

async fn serve(shared: Rc<Shared>, mut stream: TcpStream) {
    while let Ok(length) = stream.read_u16().await {
        let mut question = vec![0; length.into()];
        stream.read_exact(&mut question).await.unwrap();
        for answer in shared.answers("tcp", &question) {
            shared.longest.set(shared.longest.get().max(answer.len()));
            stream.write_u16(answer.len().try_into().unwrap()).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        }
    }
}

fn reply(question: &Message, code: ResponseCode) -> Message {
    let mut reply = Message::response(question.id, OpCode::Query);
    reply.add_query(question.queries[0].clone());
    reply.metadata.response_code = code;
    reply.metadata.recursion_desired = true;
    reply.metadata.recursion_available = true;
    reply
}

fn name(text: &str) -> Name {
    Name::from_ascii(format!("{}.", text.trim_end_matches('.'))).unwrap()
}

/// A record of these kinds.
fn record(owner: &str, kind: &str, data: &str, ttl: u32) -> Record {
    let data = match kind {
        "A" => RData::A(A(data.parse().unwrap())),
        "AAAA" => RData::AAAA(AAAA(data.parse().unwrap())),
        "CNAME" => RData::CNAME(CNAME(name(data))),
        "MX" => {
            let (preference, host) = data.split_once(' ').unwrap();
            RData::MX(MX::new(preference.parse().unwrap(), name(host)))
        }
        other => panic!("{other}"),
    };
    Record::from_rdata(name(owner), ttl, data)
}

impl Shared {
    fn answers(&self, transport: &str, bytes: &[u8]) -> Vec<Vec<u8>> {
        let question = Message::from_vec(bytes).unwrap();
        let query = &question.queries[0];
        let owner = query.name().to_ascii().trim_end_matches('.').to_owned();
        let kind = query.query_type().to_string();
        *self.asked.borrow_mut().entry(format!("{transport} {kind} {owner}")).or_default() += 1;
        let trick = |trick: &str| {
            let lines = self.zone.get(&owner).into_iter().flatten();
            lines.into_iter().any(|(what, of)| what == trick && (of.is_empty() || *of == kind))
        };
        let plain = self.plain(&question, &owner, &kind);
        if trick("SILENT") {
            return vec![];
        } else if trick("GARBAGE") {
            let mut garbage = vec![0xff; 40];
            garbage[..2].copy_from_slice(&bytes[..2]);
            return vec![garbage];
        } else if trick("SERVFAIL") {
            return vec![reply(&question, ResponseCode::ServFail).to_vec().unwrap()];
        } else if trick("REFUSED") {
            return vec![reply(&question, ResponseCode::Refused).to_vec().unwrap()];
        } else if trick("REFERRAL") {
            let mut referral = reply(&question, ResponseCode::NoError);
            referral.add_authority(Record::from_rdata(name("test"), 60, RData::NS(NS(name("ns.test")))));
            return vec![referral.to_vec().unwrap()];
        } else if trick("FORGED") {
            let mut other = reply(&question, ResponseCode::NXDomain);
            other.metadata.id = question.id.wrapping_add(1);
            let mut foreign = reply(&question, ResponseCode::NXDomain);
            foreign.queries[0].set_name(name("foreign.test"));
            return vec![other.to_vec().unwrap(), foreign.to_vec().unwrap(), plain];
        }
        vec![plain]
    }

    /// What the zone says, a chain of CNAMEs included as far as it goes.
    fn plain(&self, question: &Message, owner: &str, kind: &str) -> Vec<u8> {
        let mut answer = reply(question, ResponseCode::NoError);
        let mut at = owner.to_owned();
        let none = Vec::new();
        for _ in 0..20 {
            let lines = self.zone.get(&at);
            if lines.is_none() {
                answer.metadata.response_code = ResponseCode::NXDomain;
            }
            let lines = lines.unwrap_or(&none);
            let ttl = lines.iter().find(|(kind, _)| kind == "TTL").map_or(0, |(_, ttl)| ttl.parse().unwrap());
            for (_, data) in lines.iter().filter(|(stored, _)| stored == kind) {
                answer.add_answer(record(&at, kind, data, ttl));
            }
            let Some((_, alias)) = lines.iter().find(|(kind, _)| kind == "CNAME") else {
                if !lines.iter().any(|(stored, _)| stored == kind) {
                    let soa = SOA::new(name("ns.test"), name("nobody.test"), 1, 60, 60, 60, ttl);
                    answer.add_authority(Record::from_rdata(name("test"), ttl, RData::SOA(soa)));
                }
                break;
            };
            answer.add_answer(record(&at, "CNAME", alias, ttl));
            at.clone_from(alias);
        }
        answer.to_vec().unwrap()
    }
}
