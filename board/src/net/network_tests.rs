//! The whole of it: from a cable to an address, a name and the time, against a network in a few closures.

use std::cell::RefCell;
use std::net::Ipv4Addr;

use super::*;
use crate::clock::{Clock, EARLIEST_S};
use crate::net::Received;
use crate::net::datagram;
use crate::net::dhcp::tests::answer;
use crate::net::dns::{A, Message, Name, Question, Record};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn link(index: u32, carrier: bool) -> Option<Link> {
    Some(Link { name: format!("eth{index}"), index, mac: [2, 0, 0, 0, 0, index as u8], carrier })
}

fn network(settings: Settings) -> Network {
    Network::new(settings, 5)
}

fn named() -> Settings {
    Settings { host_name: "mail.example.test".into(), ..Settings::default() }
}

const ROUTER: [u8; 6] = [2, 0, 0, 0, 0, 1];
const NOW_NS: u64 = (EARLIEST_S + 86_400 * 365) * 1_000_000_000;

/// A router that gives 192.0.2.10 and knows names; `knows_time` whether it is a time server too.
struct Router {
    has_dhcp: bool,
    knows_time: bool,
    /// The clock of the box.
    clock: RefCell<Clock>,
}

fn router(has_dhcp: bool, knows_time: bool) -> Router {
    Router { has_dhcp, knows_time, clock: RefCell::new(Clock::new(0, false)) }
}

impl Router {
    /// Answers an action, as the network would.
    fn answer(&self, network: &mut Network, now: Duration, action: &Action) {
        match action {
            Action::Dhcp(transmit) if self.has_dhcp => {
                let call = datagram::parse(&transmit.datagram).unwrap().payload.to_vec();
                let kind = if call[242] == 1 { 2 } else { 5 };
                let options: [(u8, &[u8]); 5] = [
                    (1, &[255, 255, 255, 0]),
                    (3, &[192, 0, 2, 1]),
                    (6, &[192, 0, 2, 1]),
                    (54, &[192, 0, 2, 1]),
                    (51, &[0, 0, 0x0e, 0x10]),
                ];
                let answer = answer(&call, kind, [192, 0, 2, 10], &options);
                let from = "192.0.2.1:67".parse().unwrap();
                let bytes = datagram::emit(from, "192.0.2.10:68".parse().unwrap(), &answer);
                network.receive_dhcp(now, &Received { len: bytes.len(), link: 2, from: ROUTER }, &bytes);
            }
            Action::Udp(to, bytes) if to.port() == 53 => {
                let mut message = Message::parse(bytes).unwrap();
                message.is_response = true;
                let name = message.questions[0].name.clone();
                message.answers = vec![Record { name, kind: A, ttl_s: 60, data: vec![203, 0, 113, 7] }];
                network.receive_udp(now, *to, &message.emit(false));
            }
            Action::Udp(to, question) if self.knows_time || to.ip() != Ipv4Addr::new(192, 0, 2, 1) => {
                let mut packet = [0; 48];
                packet[..2].copy_from_slice(&[0x24, 1]);
                packet[24..32].copy_from_slice(&question[40..]);
                let seconds = (NOW_NS / 1_000_000_000 + 2_208_988_800) as u32;
                for at in [32, 40] {
                    packet[at..at + 4].copy_from_slice(&seconds.to_be_bytes());
                }
                network.receive_udp(now, *to, &packet);
            }
            Action::Time(sample) => {
                let verdict = self.clock.borrow_mut().judge(sample.unix_ns, 0);
                network.judged(now, sample, verdict);
            }
            _ => {}
        }
    }

    fn told_time(&self) -> bool {
        self.clock.borrow().is_known()
    }

    /// Runs the network until `end`; returns every action.
    fn run(&self, network: &mut Network, start: Duration, end: Duration) -> Vec<Action> {
        let (mut now, mut all) = (start, Vec::new());
        loop {
            while let Some(action) = network.poll_action() {
                self.answer(network, now, &action);
                all.push(action);
            }
            assert!(all.len() < 1000, "the network is busy without end");
            match network.deadline() {
                Some(deadline) if deadline <= end => {
                    now = deadline.max(now);
                    network.handle_timeout(now);
                }
                _ => return all,
            }
        }
    }
}

fn asked(actions: &[Action]) -> Vec<&Request> {
    let mut requests = Vec::new();
    for action in actions {
        if let Action::Ask(request) = action {
            requests.push(request);
        }
    }
    requests
}

fn config(address: [u8; 4], prefix_len: u8, gateway: Option<[u8; 4]>) -> Ipv4Config {
    Ipv4Config { address: address.into(), prefix_len, gateway: gateway.map(Ipv4Addr::from) }
}

#[test]
fn a_cable_gives_an_address_a_name_and_the_time() {
    let router = router(true, false);
    let mut network = network(named());
    network.set_link(s(0), link(2, false));
    assert_eq!(asked(&router.run(&mut network, s(0), s(5))), [] as [&Request; 0]);
    network.set_link(s(5), link(2, true));
    let actions = router.run(&mut network, s(5), s(15));
    let time = Request::SetTime { unix_s: NOW_NS / 1_000_000_000, nanos: 0 };
    let lent = config([192, 0, 2, 10], 24, Some([192, 0, 2, 1]));
    assert_eq!(asked(&actions), [&Request::SetAddress(lent), &time]);
    let status = network.status();
    assert_eq!(status.address, Some((lent, Source::Dhcp)));
    assert_eq!(status.dns, ["192.0.2.1:53".parse().unwrap()]);
    assert_eq!(status.local_name.as_deref(), Some("mail.local"));
    assert!(router.told_time());
    let servers: Vec<_> = actions
        .iter()
        .filter_map(|action| if let Action::Udp(to, _) = action { Some(to.ip()) } else { None })
        .collect();
    assert!(servers.contains(&[203, 0, 113, 7].into()), "a public server, by its name: {servers:?}");
}

#[test]
fn a_router_that_knows_the_time_is_enough() {
    let router = router(true, true);
    let mut network = network(named());
    network.set_link(s(0), link(2, true));
    router.run(&mut network, s(0), s(1));
    assert!(router.told_time());
}

#[test]
fn a_fixed_address_is_used_at_once() {
    let router = router(true, true);
    let fixed = config([192, 0, 2, 20], 24, Some([192, 0, 2, 1]));
    let dns = vec!["192.0.2.1:53".parse().unwrap()];
    let settings =
        Settings { address: Some(fixed), dns: dns.clone(), ntp: vec!["192.0.2.1".into()], ..named() };
    let mut network = network(settings);
    network.set_link(s(0), link(2, true));
    let actions = router.run(&mut network, s(0), s(9));
    assert_eq!(asked(&actions)[0], &Request::SetAddress(fixed));
    assert!(!actions.iter().any(|action| matches!(action, Action::Dhcp(_))));
    assert_eq!((network.status().address, &network.status().dns), (Some((fixed, Source::Settings)), &dns));
    assert!(router.told_time());
}

#[test]
fn where_nobody_gives_an_address_the_box_chooses_one_until_somebody_does() {
    let alone = router(false, false);
    let mut network = network(named());
    network.set_link(s(0), link(2, true));
    let actions = alone.run(&mut network, s(0), s(30));
    assert_eq!(actions.iter().filter(|action| matches!(action, Action::Arp(_))).count(), 5);
    let Some((own, Source::Own)) = network.status().address else { panic!("{:?}", network.status()) };
    assert!(own.address.is_link_local() && own.prefix_len == 16);
    assert_eq!(asked(&actions), [&Request::SetAddress(own)]);
    assert_eq!(network.status().local_name.as_deref(), Some("mail.local"));

    let router = router(true, true);
    let actions = router.run(&mut network, s(30), s(120));
    let lent = config([192, 0, 2, 10], 24, Some([192, 0, 2, 1]));
    assert_eq!(asked(&actions)[0], &Request::SetAddress(lent));
    assert_eq!(network.status().address, Some((lent, Source::Dhcp)));
}

#[test]
fn a_pulled_cable_keeps_the_address_and_a_new_interface_does_not() {
    let router = router(true, true);
    let mut network = network(named());
    network.set_link(s(0), link(2, true));
    router.run(&mut network, s(0), s(10));
    network.set_link(s(10), link(2, false));
    assert_eq!(asked(&router.run(&mut network, s(10), s(20))), [] as [&Request; 0]);
    assert!(network.status().address.is_some());
    network.set_link(s(20), link(2, true));
    let actions = router.run(&mut network, s(20), s(30));
    assert_eq!(asked(&actions), [] as [&Request; 0], "the same address again");
    assert!(actions.iter().any(|action| matches!(action, Action::Mdns(_))), "the name is probed for again");
    network.set_link(s(30), link(3, true));
    assert_eq!(asked(&router.run(&mut network, s(30), s(31)))[0], &Request::ClearAddress);
    network.set_link(s(40), None);
    router.run(&mut network, s(40), s(50));
    assert_eq!((network.status().link.clone(), network.status().address), (None, None));
}

#[test]
fn settings_change_what_they_name_and_nothing_else() {
    let router = router(true, true);
    let mut network = network(named());
    network.set_link(s(0), link(2, true));
    router.run(&mut network, s(0), s(10));
    let renamed = Settings { host_name: "post.example.test".into(), ..Settings::default() };
    network.configure(s(10), renamed.clone());
    let actions = router.run(&mut network, s(10), s(20));
    assert_eq!(asked(&actions), [] as [&Request; 0]);
    assert_eq!(network.status().local_name.as_deref(), Some("post.local"));
    let dns: SocketAddr = "192.0.2.53:53".parse().unwrap();
    network.configure(s(20), Settings { dns: vec![dns], ..renamed.clone() });
    assert_eq!(
        (asked(&router.run(&mut network, s(20), s(21))).len(), &network.status().dns),
        (0, &vec![dns])
    );
    let fixed = config([192, 0, 2, 20], 24, None);
    network.configure(s(30), Settings { address: Some(fixed), ..renamed });
    let actions = router.run(&mut network, s(30), s(31));
    assert_eq!(asked(&actions), [&Request::ClearAddress, &Request::SetAddress(fixed)]);
}

#[test]
fn a_time_before_the_newest_letter_is_not_believed() {
    let router = router(true, true);
    *router.clock.borrow_mut() = Clock::new(NOW_NS / 1_000_000_000 + 86_400, false);
    let mut network = network(named());
    network.set_link(s(0), link(2, true));
    let actions = router.run(&mut network, s(0), s(60));
    assert!(!router.told_time());
    assert!(!asked(&actions).iter().any(|request| matches!(request, Request::SetTime { .. })));
}

#[test]
fn time_servers_that_were_not_there_are_looked_up_again() {
    let mut network = network(Settings { dns: vec!["192.0.2.1:53".parse().unwrap()], ..named() });
    network.set_link(s(0), link(2, true));
    // DHCP answers, nobody else does.
    let mut actions = Vec::new();
    let mut now = s(0);
    while now < s(3000) {
        while let Some(action) = network.poll_action() {
            if matches!(action, Action::Dhcp(_)) {
                router(true, false).answer(&mut network, now, &action);
            }
            actions.push((now, action));
        }
        now = network.deadline().unwrap();
        network.handle_timeout(now);
    }
    let asked_dns = |from, to| {
        let is_question = |action: &Action| matches!(action, Action::Udp(to, _) if to.port() == 53);
        actions.iter().filter(|(at, action)| (from..to).contains(at) && is_question(action)).count()
    };
    assert_eq!(asked_dns(s(0), s(800)), 12, "three names, four questions each");
    assert_eq!(asked_dns(s(900), s(1700)), 12);
    assert!(actions.len() < 300, "{}", actions.len());
}

#[test]
fn only_neighbours_are_heard() {
    let mut network = network(named());
    network.set_link(s(0), link(2, true));
    network.set_ipv6(s(0), vec!["2001:db8::10".parse().unwrap()]);
    let router = router(true, true);
    router.run(&mut network, s(0), s(10));
    let name = Name::from_labels(["mail", "local"]);
    let questions = vec![Question { name, kind: A, wants_unicast: true }];
    let (answers, authorities, additionals) = (vec![], vec![], vec![]);
    let question = Message { id: 0, is_response: false, questions, answers, authorities, additionals };
    for (from, is_neighbour) in [
        ("192.0.2.77:5353", true),
        ("192.0.3.77:5353", false),
        ("169.254.7.7:5353", true),
        ("[fe80::77]:5353", true),
        ("[2001:db8::77]:5353", true),
        ("[2001:db8:0:1::77]:5353", false),
    ] {
        network.receive_mdns(s(20), from.parse().unwrap(), &question.emit(false));
        let is_answered = matches!(network.poll_action(), Some(Action::Mdns(_)));
        assert_eq!(is_answered, is_neighbour, "{from}");
    }
}

#[test]
fn a_lease_that_ends_without_a_cable_is_not_replaced() {
    let mut network = network(named());
    network.set_link(s(0), link(2, true));
    router(true, true).run(&mut network, s(0), s(10));
    network.set_link(s(10), link(2, false));
    let actions = router(true, true).run(&mut network, s(10), s(9000));
    assert_eq!(asked(&actions), [&Request::ClearAddress]);
    assert!(!actions.iter().any(|action| matches!(action, Action::Arp(_))));
}

#[test]
fn ipv6_alone_gives_a_name() {
    let mut network = network(named());
    network.set_link(s(0), link(2, true));
    network.set_ipv6(s(1), vec!["fe80::1".parse().unwrap()]);
    router(false, false).run(&mut network, s(1), s(5));
    assert_eq!(network.status().local_name.as_deref(), Some("mail.local"));
    network.farewell(s(6));
    assert!(matches!(network.poll_action(), Some(Action::Mdns(_))));
}
