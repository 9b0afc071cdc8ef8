//! Which names and addresses the box's certificates are for. Plain data.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::limits::{ADDRESSES_MAX, NAMES_MAX};

/// Names under which a domain's mail server is looked for beside the domain itself.
const USUAL_HOSTS: [&str; 4] = ["mail", "imap", "pop", "smtp"];

/// Ranges that the authority may vouch for: private and link-local networks and loopback, with prefix lengths.
pub(super) const PRIVATE_RANGES: [(IpAddr, u8); 8] = [
    (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 0)), 8),
    (IpAddr::V4(Ipv4Addr::new(172, 16, 0, 0)), 12),
    (IpAddr::V4(Ipv4Addr::new(192, 168, 0, 0)), 16),
    (IpAddr::V4(Ipv4Addr::new(169, 254, 0, 0)), 16),
    (IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
    (IpAddr::V6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0)), 7),
    (IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 10),
    (IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
];

/// Whether an address lies in one of the [`PRIVATE_RANGES`].
pub(crate) const fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local() || ip.is_loopback(),
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => is_private(IpAddr::V4(ip)),
            None => ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback(),
        },
    }
}

/// What the box is called and where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// Its host name, `mail.example.test` or `tegami.local`, in lower case.
    pub(crate) hostname: String,
    /// Its domains, in lower case.
    pub(crate) domains: Vec<String>,
    /// Its lasting addresses. Public ones are left out of certificates.
    pub(crate) addresses: Vec<IpAddr>,
}

/// What stands in a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Subjects {
    pub(super) names: BTreeSet<String>,
    pub(super) addresses: BTreeSet<IpAddr>,
}

impl Names {
    /// What the server's certificate is for.
    pub(super) fn subjects(&self) -> Subjects {
        let hosts = self
            .domains
            .iter()
            .flat_map(|domain| USUAL_HOSTS.iter().map(move |host| format!("{host}.{domain}")));
        let names = [self.hostname.clone(), "localhost".to_owned()]
            .into_iter()
            .chain(self.domains.iter().cloned())
            .chain(hosts)
            .filter(|name| !name.is_empty())
            .take(NAMES_MAX)
            .collect();
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let own = self.addresses.iter().map(IpAddr::to_canonical).filter(|ip| is_private(*ip));
        let addresses = loopback.into_iter().chain(own).take(ADDRESSES_MAX).collect();
        Subjects { names, addresses }
    }

    /// The domains below which the authority may vouch for any name.
    pub(super) fn permitted(&self) -> BTreeSet<String> {
        let mut permitted: BTreeSet<String> = ["local", "localhost"].map(str::to_owned).into();
        permitted.extend(self.domains.iter().cloned());
        if !self.hostname.is_empty() && !covers(&permitted, &self.hostname) {
            permitted.insert(self.hostname.clone());
        }
        permitted
    }
}

impl Subjects {
    /// Whether a certificate with these subjects serves for `other` too.
    pub(super) fn include(&self, other: &Self) -> bool {
        self.names.is_superset(&other.names) && self.addresses.is_superset(&other.addresses)
    }
}

/// Whether `name` is one of the `permitted` domains or below one (RFC 5280 §4.2.1.10).
pub(super) fn covers(permitted: &BTreeSet<String>, name: &str) -> bool {
    permitted.iter().any(|domain| {
        name.strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(hostname: &str, domains: &[&str], addresses: &[&str]) -> Names {
        Names {
            hostname: hostname.to_owned(),
            domains: domains.iter().map(|&domain| domain.to_owned()).collect(),
            addresses: addresses.iter().map(|ip| ip.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn a_new_box_is_local() {
        let subjects = names("tegami.local", &[], &["192.168.1.20", "203.0.113.5", "2001:db8::1"]).subjects();
        assert_eq!(subjects.names, ["localhost", "tegami.local"].map(str::to_owned).into());
        let expected = ["127.0.0.1", "192.168.1.20", "::1"].map(|ip| ip.parse().unwrap());
        assert_eq!(subjects.addresses, expected.into());
    }

    #[test]
    fn every_subject_is_permitted() {
        for names in [
            names("tegami.local", &[], &[]),
            names("mail.example.test", &["example.test", "other.test"], &["fd00::1"]),
            names("box.elsewhere.test", &["example.test"], &[]),
            names("", &["example.test"], &[]),
        ] {
            let permitted = names.permitted();
            assert!(names.subjects().names.iter().all(|name| covers(&permitted, name)), "{names:?}");
        }
        assert!(!covers(&names("", &["example.test"], &[]).permitted(), "myexample.test"));
        assert!(!covers(&names("", &["example.test"], &[]).permitted(), "test"));
    }

    #[test]
    fn private_is_what_the_ranges_say() {
        let within = |ip: IpAddr| {
            PRIVATE_RANGES.iter().any(|(net, prefix)| match (ip, net) {
                (IpAddr::V4(ip), IpAddr::V4(net)) => (ip.to_bits() ^ net.to_bits()) >> (32 - prefix) == 0,
                (IpAddr::V6(ip), IpAddr::V6(net)) => {
                    (ip.to_bits() ^ net.to_bits()).checked_shr(u32::from(128 - prefix)) == Some(0)
                }
                _ => false,
            })
        };
        for (ip, private) in [
            ("10.0.2.2", true),
            ("172.15.0.1", false),
            ("172.31.255.255", true),
            ("192.168.0.1", true),
            ("192.169.0.1", false),
            ("169.254.7.7", true),
            ("127.0.0.53", true),
            ("100.64.0.1", false),
            ("8.8.8.8", false),
            ("fdff::1", true),
            ("fe80::1", true),
            ("fec0::1", false),
            ("2001:db8::1", false),
            ("::1", true),
            ("::", false),
        ] {
            let ip: IpAddr = ip.parse().unwrap();
            assert_eq!((is_private(ip), within(ip)), (private, private), "{ip}");
        }
        assert!(is_private("::ffff:192.168.1.1".parse().unwrap()));
        assert!(!is_private("::ffff:8.8.8.8".parse().unwrap()));
    }
}
