//! Questions to name servers: what MX records and addresses a name has, or that it has none, or that nobody says.
//!
//! hickory asks; nothing goes through the C library, whose own resolver a static program cannot use. All names are whole
//! ones: no search domains, no `/etc/hosts`. Of an answer only what routing needs is kept, within limits: hickory's
//! own cache would keep whole messages, of up to 64 KiB and some thousand records each.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Resolver, TokioResolver, system_conf};
use tokio::time::timeout;

use super::is_nobodys;
use super::kept::{Found, Kept};
use super::limits::{
    ADDRESSES_MAX, FOUND_KEPT_MAX, MX_RECORDS_MAX, NOTHING_KEPT_MAX, QUESTION_MAX, SERVER_MAX,
};
use super::mx::Mx;

/// Port of DNS.
const PORT: u16 = 53;

/// Why nobody says, in one sentence without a full stop.
pub(super) type Trouble = String;

/// The name servers, and what they said.
pub(super) struct Names {
    servers: Vec<(SocketAddr, TokioResolver)>,
    /// The one that answered last is asked first.
    first: Cell<usize>,
    /// Whether IPv6 addresses come before IPv4 ones.
    prefers_v6: bool,
    mx: RefCell<Kept<Mx>>,
    addresses: RefCell<Kept<IpAddr>>,
}

/// An answer, and until when it holds.
type Answer<T> = (Found<T>, Instant);

impl Names {
    pub(super) fn new(servers: &[SocketAddr], prefers_v6: bool) -> Self {
        let servers = servers.iter().filter_map(|server| Some((*server, resolver(*server)?))).collect();
        Self {
            servers,
            first: Cell::default(),
            prefers_v6,
            mx: RefCell::default(),
            addresses: RefCell::default(),
        }
    }

    /// The MX records of a name; of the name that it stands for, where it is an alias (CNAME).
    pub(super) async fn mx(&self, name: &str) -> Result<Found<Mx>, Trouble> {
        if let Some(found) = self.mx.borrow().get(name, Instant::now()) {
            return Ok(found);
        }
        let (found, until) = self.ask(name, RecordType::MX, mx_record).await?;
        let found = match found {
            Found::Records(records) => {
                let mut records = records.to_vec();
                records.sort_by_key(|record| record.preference);
                records.truncate(MX_RECORDS_MAX);
                Found::Records(records.into())
            }
            other => other,
        };
        self.mx.borrow_mut().keep(name, found.clone(), until, Instant::now());
        Ok(found)
    }

    /// The addresses of a name, in the order in which they are to be tried.
    pub(super) async fn addresses(&self, name: &str) -> Result<Found<IpAddr>, Trouble> {
        if let Some(found) = self.addresses.borrow().get(name, Instant::now()) {
            return Ok(found);
        }
        let (v4, v6) = tokio::join!(
            self.ask(name, RecordType::A, address_record),
            self.ask(name, RecordType::AAAA, address_record)
        );
        let (v4, v6) = match (v4, v6) {
            (Ok(v4), Ok(v6)) => (v4, v6),
            // Some servers answer nothing sensible for the family that they do not have: with addresses of the other,
            // nobody needs to wait.
            (Ok(one @ (Found::Records(_), _)), Err(_)) | (Err(_), Ok(one @ (Found::Records(_), _))) => {
                return Ok(alternating(&one.0, &Found::Nothing));
            }
            (Err(trouble), _) | (_, Err(trouble)) => return Err(trouble),
        };
        let found = if self.prefers_v6 { alternating(&v6.0, &v4.0) } else { alternating(&v4.0, &v6.0) };
        self.addresses.borrow_mut().keep(name, found.clone(), v4.1.min(v6.1), Instant::now());
        Ok(found)
    }

    /// Whether a server says anything about the root, which all of them know; without servers, yes. One that is there and
    /// cannot look anything up says that it failed.
    pub(super) async fn is_answered(&self) -> bool {
        let any = async {
            for (_, resolver) in &self.servers {
                let heard = resolver.lookup(Name::root(), RecordType::NS).await;
                let is_silent = matches!(
                    heard,
                    Err(NetError::Dns(DnsError::ResponseCode(ResponseCode::ServFail))
                        | NetError::Timeout
                        | NetError::Io(_)
                        | NetError::NoConnections)
                );
                if !is_silent {
                    return true;
                }
            }
            self.servers.is_empty()
        };
        timeout(QUESTION_MAX, any).await.unwrap_or(false)
    }

    /// Asks one server after the other, until one knows.
    async fn ask<T>(
        &self,
        name: &str,
        kind: RecordType,
        record: impl Fn(&RData) -> Option<T>,
    ) -> Result<Answer<T>, Trouble> {
        // The final dot makes the name a whole one.
        let Ok(full) = Name::from_ascii(format!("{name}.")) else {
            return Ok((Found::NoName, Instant::now()));
        };
        let mut trouble = "no name server is known: neither the settings nor the network name one".to_owned();
        let every = async {
            let first = self.first.get();
            let turns = self
                .servers
                .iter()
                .enumerate()
                .skip(first)
                .chain(self.servers.iter().enumerate().take(first));
            for (number, (server, resolver)) in turns {
                match answer(resolver.lookup(full.clone(), kind).await, &record) {
                    Ok(answer) => {
                        self.first.set(number);
                        return Some(answer);
                    }
                    Err(why) => {
                        trouble = format!("the name server {server} {why} when asked for {kind} of {name}")
                    }
                }
            }
            None
        };
        // Where time is over, it is the last server's trouble that is said.
        let answered = timeout(QUESTION_MAX, every).await.ok().flatten();
        answered.ok_or(trouble)
    }
}

/// A resolver that knows this server only. One for each: hickory with several takes the first answer, and a server that
/// refuses is the fastest.
fn resolver(server: SocketAddr) -> Option<TokioResolver> {
    let connection = |mut connection: ConnectionConfig| {
        connection.port = server.port();
        connection
    };
    // By UDP, and by TCP what is too long for that.
    let connections = vec![connection(ConnectionConfig::udp()), connection(ConnectionConfig::tcp())];
    let servers = vec![NameServerConfig::new(server.ip(), true, connections)];
    let config = ResolverConfig::from_parts(None, Vec::new(), servers);
    let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
    *builder.options_mut() = options();
    builder.build().map_err(|error| log::error!("name server {server}: {error}")).ok()
}

fn options() -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.timeout = SERVER_MAX;
    // Packets are sent again within that time already.
    options.attempts = 0;
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options
}

/// What an answer comes to; what is wrong with it where it says nothing about the name.
fn answer<T>(
    heard: Result<hickory_resolver::lookup::Lookup, NetError>,
    record: impl Fn(&RData) -> Option<T>,
) -> Result<Answer<T>, &'static str> {
    let now = Instant::now();
    match heard {
        Ok(lookup) => {
            let records: Rc<[T]> =
                lookup.answers().iter().filter_map(|answer| record(&answer.data)).collect();
            let until = lookup.valid_until().min(now + FOUND_KEPT_MAX);
            Ok((if records.is_empty() { Found::Nothing } else { Found::Records(records) }, until))
        }
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) => {
            let found = match none.response_code {
                ResponseCode::NXDomain => Found::NoName,
                ResponseCode::NoError if is_referral(&none) => return Err("only names other servers"),
                ResponseCode::NoError => Found::Nothing,
                _ => return Err("answered with an error"),
            };
            let kept = none.negative_ttl.map_or(Duration::ZERO, |s| Duration::from_secs(s.into()));
            Ok((found, now + kept.min(NOTHING_KEPT_MAX)))
        }
        Err(NetError::Dns(DnsError::ResponseCode(code))) => Err(match code {
            ResponseCode::ServFail => "failed (SERVFAIL)",
            ResponseCode::Refused => "refused",
            _ => "answered with an error",
        }),
        Err(NetError::Timeout) => Err("did not answer in time"),
        Err(NetError::Io(_) | NetError::NoConnections) => Err("could not be reached"),
        Err(NetError::Truncated) => Err("cut its answer off, by TCP too,"),
        Err(_) => Err("gave no answer that can be read"),
    }
}

/// Neither an answer nor that there is none, but whom else to ask (RFC 2308 §2.2): from a server that looks nothing up
/// for others. It says nothing about the name.
const fn is_referral(none: &NoRecords) -> bool {
    none.soa.is_none() && none.ns.is_some()
}

fn mx_record(data: &RData) -> Option<Mx> {
    let RData::MX(mx) = data else { return None };
    let host = mx.exchange.to_ascii().to_ascii_lowercase();
    Some(Mx { preference: mx.preference, host: host.trim_end_matches('.').into() })
}

fn address_record(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(a) => Some(IpAddr::V4(a.0)),
        RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
        _ => None,
    }
    .filter(|ip| !is_nobodys(*ip))
}

/// The addresses of both families in turn, so that the next one tried is of the other (RFC 8305 §4), cut to their limit.
fn alternating(first: &Found<IpAddr>, second: &Found<IpAddr>) -> Found<IpAddr> {
    let of = |found: &Found<IpAddr>| match found {
        Found::Records(records) => Rc::clone(records),
        Found::Nothing | Found::NoName => Rc::from([]),
    };
    let (firsts, seconds) = (of(first), of(second));
    let turns = (0..firsts.len().max(seconds.len())).flat_map(|turn| [firsts.get(turn), seconds.get(turn)]);
    let all: Rc<[IpAddr]> = turns.flatten().copied().take(ADDRESSES_MAX).collect();
    match (first, second) {
        _ if !all.is_empty() => Found::Records(all),
        (Found::NoName, _) | (_, Found::NoName) => Found::NoName,
        _ => Found::Nothing,
    }
}

/// The name servers of the computer that the program runs on, by its `/etc/resolv.conf`.
pub(crate) fn system_servers() -> Vec<SocketAddr> {
    match std::fs::read("/etc/resolv.conf") {
        Ok(text) => servers_in(&text),
        Err(error) => {
            log::warn!("the computer's name servers are not known: /etc/resolv.conf: {error}");
            Vec::new()
        }
    }
}

/// The name servers in the text of a `resolv.conf`; its search domains are of no use to mail.
fn servers_in(text: &[u8]) -> Vec<SocketAddr> {
    let parsed = system_conf::parse_resolv_conf(text);
    let servers = parsed.map(|(config, _)| config.name_servers).unwrap_or_default();
    servers.iter().map(|server| SocketAddr::new(server.ip, PORT)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolv_conf_names_servers() {
        let text = b"# by hand\nsearch office.test\nnameserver 192.0.2.53\noptions ndots:5\nnameserver 2001:db8::53\n";
        let servers = ["192.0.2.53:53", "[2001:db8::53]:53"].map(|server| server.parse().unwrap());
        assert_eq!(servers_in(text), servers);
        assert_eq!(servers_in(b"search office.test\n"), []);
        assert_eq!(servers_in(b"\xff\xfe nonsense"), []);
    }

    #[test]
    fn families_take_turns_and_both_have_a_place() {
        let v4 = |last: u8| IpAddr::from([192, 0, 2, last]);
        let v6 = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]);
        let many = Found::Records((1..=200).map(v4).collect());
        let two = Found::Records(Rc::from([v6(1), v6(2)]));
        let Found::Records(all) = alternating(&many, &two) else { panic!("there are some") };
        assert_eq!(*all, [v4(1), v6(1), v4(2), v6(2), v4(3), v4(4)]);
        assert_eq!(alternating(&Found::Nothing, &two), two);
        assert_eq!(alternating(&Found::Nothing, &Found::Nothing), Found::Nothing);
        assert_eq!(alternating(&Found::Nothing, &Found::NoName), Found::NoName);
    }
}
