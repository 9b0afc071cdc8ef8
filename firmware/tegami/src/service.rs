//! The services of the box: which port speaks what, and who talks to it at this moment.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    rc::Rc,
};

use crate::capacity::Capacity;

/// One service on its standard port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Service {
    /// Mail from other servers (RFC 5321).
    Smtp,
    /// Mail from people's programs, STARTTLS (RFC 6409).
    Submission,
    /// The same, TLS from the start (RFC 8314).
    Submissions,
    /// RFC 3501, STARTTLS.
    Imap,
    /// The same, TLS from the start.
    Imaps,
    /// RFC 1939, STLS.
    Pop3,
    /// The same, TLS from the start.
    Pop3s,
    /// The page, in clear.
    Http,
    /// The page, under TLS.
    Https,
}

impl Service {
    /// All of them.
    pub(crate) const ALL: [Self; 9] = [
        Self::Smtp,
        Self::Submission,
        Self::Submissions,
        Self::Imap,
        Self::Imaps,
        Self::Pop3,
        Self::Pop3s,
        Self::Http,
        Self::Https,
    ];

    /// Its standard port.
    pub(crate) const fn port(self) -> u16 {
        match self {
            Self::Smtp => 25,
            Self::Submission => 587,
            Self::Submissions => 465,
            Self::Imap => 143,
            Self::Imaps => 993,
            Self::Pop3 => 110,
            Self::Pop3s => 995,
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// The service of a standard port.
    pub(crate) fn of_port(port: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.port() == port)
    }

    /// Its name on the console and on the page.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Submission => "submission",
            Self::Submissions => "submissions",
            Self::Imap => "imap",
            Self::Imaps => "imaps",
            Self::Pop3 => "pop3",
            Self::Pop3s => "pop3s",
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// Whether TLS begins with the connection.
    pub(crate) const fn is_tls(self) -> bool {
        matches!(self, Self::Submissions | Self::Imaps | Self::Pop3s | Self::Https)
    }
}

/// Counts connections.
#[derive(Debug, Default)]
pub(crate) struct Census {
    capacity: Capacity,
    counts: RefCell<BTreeMap<Service, Counts>>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    peers: BTreeMap<IpAddr, usize>,
}

/// A connection that is counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    census: Rc<Census>,
    service: Service,
    peer: IpAddr,
}

impl Census {
    /// Nobody is there yet.
    pub(crate) fn new(capacity: Capacity) -> Self {
        Self { capacity, counts: RefCell::default() }
    }

    /// Counts one more connection, unless the service or the peer has as many as it may.
    pub(crate) fn admit(self: &Rc<Self>, service: Service, peer: IpAddr) -> Option<Counted> {
        let peer = one_per_household(peer);
        let mut table = self.counts.borrow_mut();
        let counts = table.entry(service).or_default();
        let of_peer = counts.peers.get(&peer).copied().unwrap_or(0);
        if counts.all >= self.capacity.of(service) || of_peer >= self.capacity.per_peer(service) {
            return None;
        }
        counts.all += 1;
        counts.peers.insert(peer, of_peer + 1);
        Some(Counted { census: Rc::clone(self), service, peer })
    }
}

/// IPv6 gives a household 2^64 addresses: they count as one.
pub(crate) const fn one_per_household(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::V6(std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        },
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut table = self.census.counts.borrow_mut();
        let Some(counts) = table.get_mut(&self.service) else { return };
        counts.all -= 1;
        if let Some(of_peer) = counts.peers.get_mut(&self.peer) {
            *of_peer -= 1;
            if *of_peer == 0 {
                counts.peers.remove(&self.peer);
            }
        }
    }
}

/// Where hosted services listen when nothing is said.
pub(crate) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_peer_leaves_room_for_others() {
        let census = Rc::new(Census::default());
        let greedy = IpAddr::from([192, 0, 2, 1]);
        let mut held: Vec<_> = std::iter::from_fn(|| census.admit(Service::Smtp, greedy)).collect();
        assert_eq!(held.len(), census.capacity.per_peer(Service::Smtp));
        assert!(census.admit(Service::Imap, greedy).is_some());
        let others = std::iter::repeat_with(|| census.admit(Service::Smtp, [192, 0, 2, 2].into()));
        held.extend(others.map_while(|counted| counted));
        assert_eq!(held.len(), census.capacity.of(Service::Smtp));
        drop(held);
        assert!(census.counts.borrow().values().all(|counts| counts.all == 0 && counts.peers.is_empty()));
    }

    #[test]
    fn an_ipv6_household_is_one_peer() {
        let census = Rc::new(Census::default());
        let of = |host: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, host]);
        let held: Vec<_> = (0..200).map_while(|host| census.admit(Service::Pop3, of(host))).collect();
        assert_eq!(held.len(), census.capacity.per_peer(Service::Pop3));
    }
}
