//! Where letters for elsewhere go: the next hops of the settings, otherwise the servers that DNS names for the domain of
//! the address (RFC 5321 §5.1), and the addresses of either. Connects to nobody.
//!
//! [`Routes`] is what the settings say, [`Router`] asks name servers; `mx` decides what their answers mean, `names` what
//! a domain is. Everything is found anew for each attempt, but for what name servers allow to be kept.

mod kept;
mod limits;
mod mx;
mod names;
mod resolver;
mod routes;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;

use proto::Secret;
use ring::rand::{SecureRandom, SystemRandom};
use rustls::pki_types::CertificateDer;
use tokio::task::JoinSet;

use kept::Found;
use mx::Mx;
use names::is_host_name;
use resolver::Names;

use crate::provision::Tls;

pub(crate) use names::address_in;
pub(crate) use resolver::system_servers;
pub(crate) use routes::Routes;

/// Port of servers that take mail for their domains (RFC 5321 §4.5.4.2).
const SMTP_PORT: u16 = 25;

/// Where a letter goes. Letters of the same destination travel over the same connections.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Destination {
    /// The server of `[relay]`.
    Relay,
    /// The server of the `[[route]]` for this domain.
    Route(Box<str>),
    /// The servers of this domain by DNS; in lower case and A-labels. An address literal is its own server.
    Domain(Box<str>),
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relay => f.write_str("the relay"),
            Self::Route(domain) | Self::Domain(domain) => f.write_str(domain),
        }
    }
}

/// A server that takes letters of a destination.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// Its host name, or its address as a literal; see [`address_in`].
    pub(crate) name: Box<str>,
    /// Its TCP port.
    pub(crate) port: u16,
    /// TLS on the way.
    pub(crate) tls: Tls,
    /// User and password.
    pub(crate) login: Option<Rc<(String, Secret)>>,
    /// Whether its certificate must be one for `name`.
    pub(crate) verify: bool,
    /// Certificates that are trusted for it, beside the public roots.
    pub(crate) ca: Option<Rc<[CertificateDer<'static>]>>,
}

impl Server {
    /// One that DNS names. Its certificate says nothing: who can put a wrong name into DNS can have one for that.
    fn of_a_domain(name: &str) -> Self {
        Self {
            name: name.into(),
            port: SMTP_PORT,
            tls: Tls::Opportunistic,
            login: None,
            verify: false,
            ca: None,
        }
    }
}

/// Why there is no server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoRoute {
    /// There is no such domain, or nothing in it that could take mail.
    NoSuchDomain,
    /// The domain says that it takes no mail (RFC 7505).
    TakesNoMail,
    /// The server would be this box.
    Loop,
    /// Nobody says at the moment: what happened, in one sentence without a full stop. It is worth another attempt.
    NameTrouble(String),
}

/// Finds servers and their addresses. A new one is made when settings or network change.
pub(crate) struct Router {
    own_name: String,
    own_addresses: Vec<IpAddr>,
    names: Rc<Names>,
}

impl Router {
    /// For a box with this name and these addresses, by these name servers.
    pub(crate) fn new(hostname: &str, addresses: &[IpAddr], name_servers: &[SocketAddr]) -> Self {
        // A box without a global IPv6 address has no way there, as a rule, and finds out only by waiting (RFC 6724 §5
        // rule 1 and 2, made simple).
        let is_global_v6 = |ip: &IpAddr| matches!(ip, IpAddr::V6(ip) if ip.segments().first().is_some_and(|s| s & 0xe000 == 0x2000));
        let prefers_v6 = addresses.iter().any(is_global_v6);
        let everybodys = [
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        ];
        Self {
            own_name: hostname.to_ascii_lowercase(),
            own_addresses: addresses.iter().copied().chain(everybodys).collect(),
            names: Rc::new(Names::new(name_servers, prefers_v6)),
        }
    }

    /// The servers of a destination, in the order in which they are to be tried; at least one.
    pub(crate) async fn servers(
        &self,
        routes: &Routes,
        destination: &Destination,
    ) -> Result<Vec<Server>, NoRoute> {
        let hop = match destination {
            Destination::Relay => routes.relay(),
            Destination::Route(domain) => routes.route(domain),
            Destination::Domain(domain) => return self.servers_of(domain).await,
        };
        let gone = || {
            NoRoute::NameTrouble(format!("the settings have changed: no server is named for {destination}"))
        };
        hop.map(|server| vec![server.clone()]).ok_or_else(gone)
    }

    /// The addresses of a server, in the order in which they are to be tried; at least one. None is always worth another
    /// attempt: the server was named by the settings, or had addresses when its domain was asked for.
    pub(crate) async fn addresses(&self, server: &Server) -> Result<Vec<IpAddr>, NoRoute> {
        if let Some(ip) = address_in(&server.name) {
            return Ok(vec![ip]);
        }
        match self.names.addresses(&server.name).await.map_err(NoRoute::NameTrouble)? {
            Found::Records(addresses) => Ok(addresses.to_vec()),
            Found::Nothing | Found::NoName => {
                Err(NoRoute::NameTrouble(format!("the server {} has no address in DNS", server.name)))
            }
        }
    }

    /// Whether any name server answers at all: if none does, it is the box that is cut off. A box that knows no name server
    /// cannot tell.
    pub(crate) async fn is_answered(&self) -> bool {
        self.names.is_answered().await
    }

    async fn servers_of(&self, domain: &str) -> Result<Vec<Server>, NoRoute> {
        if let Some(ip) = address_in(domain) {
            return match ip {
                _ if self.is_own(ip) => Err(NoRoute::Loop),
                _ if is_nobodys(ip) => Err(NoRoute::NoSuchDomain),
                _ => Ok(vec![Server::of_a_domain(domain)]),
            };
        }
        if !is_host_name(domain) {
            return Err(NoRoute::NoSuchDomain);
        }
        let records = match self.names.mx(domain).await.map_err(NoRoute::NameTrouble)? {
            Found::Records(records) => records.to_vec(),
            Found::Nothing => Vec::new(),
            Found::NoName => return Err(NoRoute::NoSuchDomain),
        };
        let has_mx = !records.is_empty();
        let hosts = self.look_up(mx::order(domain, records, &self.own_name, random)?).await;
        self.usable(hosts).map_err(|why| match why {
            // RFC 5321 §5.1 has either reported as an error. That a domain has neither MX nor address is a fact like that
            // it does not exist; MX that lead nowhere are a slip, and somebody may see to it.
            None if !has_mx => NoRoute::NoSuchDomain,
            None => NoRoute::NameTrouble(format!("no mail server of {domain} has an address in DNS")),
            Some(why) => why,
        })
    }

    /// The addresses of hosts, all asked for at once.
    async fn look_up(&self, hosts: Vec<Mx>) -> Vec<(Mx, Result<Found<IpAddr>, String>)> {
        let mut questions = JoinSet::new();
        for (number, host) in hosts.into_iter().enumerate() {
            let names = Rc::clone(&self.names);
            questions.spawn_local(async move {
                let found = names.addresses(&host.host).await;
                (number, host, found)
            });
        }
        let mut answers = Vec::new();
        while let Some(answer) = questions.join_next().await {
            answers.extend(answer.ok());
        }
        answers.sort_by_key(|(number, ..)| *number);
        answers.into_iter().map(|(_, host, found)| (host, found)).collect()
    }

    /// The hosts that have addresses and are better than this box, which is known by its addresses too (RFC 5321 §5.1).
    /// If there are none: the reason, where it is not just that none has an address.
    fn usable(
        &self,
        hosts: Vec<(Mx, Result<Found<IpAddr>, String>)>,
    ) -> Result<Vec<Server>, Option<NoRoute>> {
        let (mut all, mut own, mut usable, mut trouble) = (Vec::new(), Vec::new(), Vec::new(), None);
        for (host, found) in hosts {
            match found {
                Ok(Found::Records(addresses)) => {
                    if addresses.iter().any(|ip| self.is_own(*ip)) {
                        own.push(host.host.clone());
                    }
                    usable.push(host.host.clone());
                }
                Ok(Found::Nothing | Found::NoName) => {}
                Err(why) => trouble = trouble.or(Some(NoRoute::NameTrouble(why))),
            }
            all.push(host);
        }
        let better = mx::better_than_own(all, |host| own.contains(&host.host)).map_err(Some)?;
        let servers = better.iter().filter(|host| usable.contains(&host.host));
        let servers: Vec<Server> = servers.map(|host| Server::of_a_domain(&host.host)).collect();
        if servers.is_empty() { Err(trouble) } else { Ok(servers) }
    }

    fn is_own(&self, ip: IpAddr) -> bool {
        self.own_addresses.contains(&ip.to_canonical())
    }
}

/// Whether an address is no single host's: connecting to it fails as if there were no network at all.
pub(super) fn is_nobodys(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        // RFC 1112 §4: 240.0.0.0/4 is reserved, with the broadcast address in it.
        IpAddr::V4(ip) => ip.is_multicast() || ip.octets()[0] >= 240,
        IpAddr::V6(ip) => ip.is_multicast(),
    }
}

/// Chance for the order of equal servers; without it the order stays as it is, which does no harm.
fn random() -> u64 {
    let mut bytes = [0; 8];
    let _ = SystemRandom::new().fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests;
