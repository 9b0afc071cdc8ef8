//! What the settings say about the way of letters: `[relay]` and `[[route]]`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use super::names::{canonical, literal};
use super::{Destination, Server};
use crate::provision::{self, NextHop, Records, Tls};

/// The next hops of the settings. Read anew after every change of settings.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    relay: Option<Server>,
    routes: BTreeMap<Box<str>, Server>,
}

impl Routes {
    /// Reads them.
    pub(crate) fn load(records: &(impl Records + ?Sized)) -> Self {
        let routes = provision::routes(records).into_iter();
        Self {
            relay: provision::relay(records).map(server),
            routes: routes.map(|(domain, hop)| (domain.into(), server(hop))).collect(),
        }
    }

    /// Where a letter to somebody outside goes: by the route of exactly this domain, else to the relay, else to the
    /// domain itself.
    pub(crate) fn destination(&self, to: &mail::Address) -> Destination {
        let domain = canonical(to.domain()).into_boxed_str();
        if self.routes.contains_key(&domain) {
            Destination::Route(domain)
        } else if self.relay.is_some() {
            Destination::Relay
        } else {
            Destination::Domain(domain)
        }
    }

    /// The relay.
    pub(super) fn relay(&self) -> Option<&Server> {
        self.relay.as_ref()
    }

    /// The next hop of a domain that has a route.
    pub(super) fn route(&self, domain: &str) -> Option<&Server> {
        self.routes.get(domain)
    }
}

/// A next hop as a server.
fn server(hop: NextHop) -> Server {
    let NextHop { host, port, tls, login, ca } = hop;
    let name = host.parse::<IpAddr>().map_or(host, literal);
    Server {
        name: name.into(),
        port,
        tls,
        // Whoever insists on TLS, or trusts the other side with a password, means this server and no other.
        verify: matches!(tls, Tls::Required | Tls::Implicit) || login.is_some(),
        login: login.map(Rc::new),
        ca: (!ca.is_empty()).then(|| ca.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::fake::Box_;

    fn routes(text: &str) -> Routes {
        let records = Box_::default();
        let wanted = provision::read(format!("version = 1\n{text}").as_bytes()).unwrap();
        records.make(provision::plan(wanted, &records).unwrap().changes);
        Routes::load(&records)
    }

    fn to(routes: &Routes, domain: &str) -> String {
        let address = mail::Address::parse(&format!("bob@{domain}")).unwrap();
        format!("{:?}", routes.destination(&address))
    }

    const ROUTES: &str = "[[route]]\ndomain='a.test'\nhost='192.0.2.1'\nport=2525\ntls='none'\n\
        [[route]]\ndomain='xn--r8jz45g.test'\nhost='2001:db8::1'\n";

    #[test]
    fn the_domain_decides_then_the_relay_then_dns() {
        let direct = routes(ROUTES);
        for (domain, destination) in [
            ("A.test", "Route(\"a.test\")"),
            ("例え.test", "Route(\"xn--r8jz45g.test\")"),
            ("b.a.test", "Domain(\"b.a.test\")"),
            ("Example.TEST", "Domain(\"example.test\")"),
            ("手紙.test", "Domain(\"xn--kpuq01d.test\")"),
            ("[192.0.2.1]", "Domain(\"[192.0.2.1]\")"),
            ("[ipv6:2001:db8::0001]", "Domain(\"[IPv6:2001:db8::1]\")"),
        ] {
            assert_eq!(to(&direct, domain), destination);
        }
        let relayed = routes(&format!("[relay]\nhost='smtp.isp.test'\n{ROUTES}"));
        for (domain, destination) in
            [("A.test", "Route(\"a.test\")"), ("example.test", "Relay"), ("[192.0.2.1]", "Relay")]
        {
            assert_eq!(to(&relayed, domain), destination);
        }
    }

    #[test]
    fn the_certificate_is_checked_where_the_settings_mean_one_server() {
        let verify = |keys: &str| {
            let routes = routes(&format!("[relay]\nhost='r.test'\n{keys}"));
            routes.relay().unwrap().verify
        };
        assert!(verify("tls='starttls'") && verify("tls='implicit'"));
        assert!(verify("tls='opportunistic'\nuser='u'\npassword='p'"));
        assert!(!verify("tls='opportunistic'") && !verify("tls='none'"));
    }

    #[test]
    fn a_next_hop_is_a_server() {
        let routes = routes(&format!("[relay]\nhost='Smtp.isp.test'\nuser='u'\npassword='p'\n{ROUTES}"));
        let relay = routes.relay().unwrap();
        assert_eq!((&*relay.name, relay.port, relay.tls), ("smtp.isp.test", 587, Tls::Required));
        assert_eq!(relay.login.as_ref().map(|login| login.0.as_str()), Some("u"));
        assert!(relay.ca.is_none());
        let route = routes.route("a.test").unwrap();
        assert_eq!((&*route.name, route.port, route.tls), ("[192.0.2.1]", 2_525, Tls::None));
        assert_eq!(&*routes.route("xn--r8jz45g.test").unwrap().name, "[IPv6:2001:db8::1]");
        assert!(routes.route("b.test").is_none());
    }
}
