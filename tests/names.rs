//! Where letters go by DNS, with Debian's nsd as the whole of it and servers at port 25 of addresses of loopback: the order
//! of MX hosts, domains without any, aliases, literals, this box itself; and what waits while nobody says.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tests::dns::Dns;
use tests::hosted::scratch;
use tests::letters::{numbered, short};
use tests::oddserver::{Deed, OddServer, Plan, Stage};
use tests::outbound::{ALICE, Outbox, SOON, Tables, assert_only_received_in_front};
use tests::ports::{free, mail_host};
use tests::provision::HOSTNAME;

/// A program that asks a name server with this zone; the names in `broken` are answered SERVFAIL.
fn started(name: &str, zone: &str, broken: &[&str]) -> (Outbox, Dns) {
    let place = free(Ipv4Addr::LOCALHOST.into());
    let dns = served(name, place, zone, broken);
    (Outbox::started(&format!("names-{name}"), &Tables::new().dns(place)), dns)
}

fn served(name: &str, place: SocketAddr, zone: &str, broken: &[&str]) -> Dns {
    Dns::start(&scratch().join(format!("names-dns-{name}")), place, zone, broken)
}

/// A mail server for domains that keeps to this plan, at an address of its own.
fn mail_server(plan: Plan) -> (OddServer, IpAddr) {
    let host = mail_host();
    (OddServer::start_at(SocketAddr::new(host, 25), plan), host)
}

/// Letters find the one server that there is for their domain, whatever leads there.
#[test]
fn every_way_to_a_server_is_found() {
    // Far more than a UDP answer has room for (RFC 1035 §4.2.1); the only host that is there comes last and first.
    let many = |ip: IpAddr| -> String {
        let lost: String = (0..80).map(|i| format!("many.test MX 20 not-there-{i}.many.test\n")).collect();
        format!("{lost}many.test MX 10 mx.many.test\nmx.many.test A {ip}\n")
    };
    type Zone<'a> = &'a dyn Fn(IpAddr) -> String;
    let ways: [(&str, Zone<'_>); 6] = [
        ("far@mx.test", &|ip| format!("mx.test MX 10 a.mx.test\na.mx.test A {ip}\n")),
        ("far@no-mx.test", &|ip| format!("no-mx.test A {ip}\n")),
        // RFC 2181 §10.3 has none of this, and it is common.
        ("far@mx-alias.test", &|ip| {
            format!(
                "mx-alias.test MX 10 a.mx-alias.test\na.mx-alias.test CNAME b.mx-alias.test\nb.mx-alias.test A {ip}\n"
            )
        }),
        ("far@alias.test", &|ip| {
            format!("alias.test CNAME true.test\ntrue.test MX 10 a.true.test\na.true.test A {ip}\n")
        }),
        ("far@例え.test", &|ip| format!("xn--r8jz45g.test MX 10 a.idn.test\na.idn.test A {ip}\n")),
        ("far@many.test", &many),
    ];
    let mut zone = String::new();
    let mut servers = Vec::new();
    for (address, records) in &ways {
        let (server, ip) = mail_server(Plan::default());
        zone.push_str(&records(ip));
        servers.push(((*address).to_owned(), server));
    }
    // A literal needs no name server (RFC 5321 §4.1.3).
    let (server, ip) = mail_server(Plan::default());
    servers.push((format!("far@[{ip}]"), server));
    let (mut outbox, _dns) = started("ways", &zone, &[]);
    for (address, _) in &servers {
        let parameters = if address.is_ascii() { "" } else { "SMTPUTF8" };
        outbox.submit_with(parameters, &[(address.as_str(), "")], &short(address, "Hello."));
    }
    for (address, server) in &servers {
        let taken = server.wait_for(1, SOON);
        assert_eq!(taken[0].recipients.len(), 1, "{taken:?}");
        assert!(taken[0].recipients[0].starts_with(&format!("<{address}>")), "{address}: {taken:?}");
        assert_only_received_in_front(&taken[0].letter, &short(address, "Hello."), 1);
    }
    outbox.wait_until_empty();
    for (address, server) in &servers {
        assert_eq!(server.taken().len(), 1, "{address}");
    }
    outbox.inbox(ALICE, 0);
}

/// The first host is not there, others greet with a no: each is asked once, in the order of preference, and the letter
/// goes in the same attempt. Who is less preferred than the one that takes it hears nothing.
#[test]
fn servers_are_asked_in_the_order_of_preference() {
    let refuses = |text| Plan::always(Stage::Greeting, Deed::reply(text));
    let plans =
        [refuses("554 5.3.2 Not here"), refuses("421 4.3.2 Closing"), Plan::default(), Plan::default()];
    let servers = plans.map(mail_server);
    let mut zone = format!("out.test MX 10 dead.out.test\ndead.out.test A {}\n", mail_host());
    // Told in the wrong order.
    for (number, (_, ip)) in servers.iter().enumerate().rev() {
        zone += &format!("out.test MX {} h{number}.out.test\nh{number}.out.test A {ip}\n", 20 + number);
    }
    let (mut outbox, _dns) = started("order", &zone, &[]);
    outbox.submit(&["far@out.test"], &short("order", "Hello."));
    servers[2].0.wait_for(1, SOON);
    outbox.wait_until_empty();
    assert_eq!(servers.each_ref().map(|(server, _)| server.connections()), [1, 1, 1, 0]);
    outbox.inbox(ALICE, 0);
}

/// Chance spreads letters over servers of the same preference (RFC 5321 §5.1).
#[test]
fn equal_servers_share_the_work() {
    /// That all of them go to the same one happens once in half a million runs.
    const LETTERS: usize = 20;
    let servers = [mail_server(Plan::default()), mail_server(Plan::default())];
    let zone: String = (servers.iter().enumerate())
        .map(|(i, (_, ip))| format!("out.test MX 10 h{i}.out.test\nh{i}.out.test A {ip}\n"))
        .collect();
    let (mut outbox, _dns) = started("equals", &zone, &[]);
    for number in 1..=LETTERS {
        outbox.submit(&["far@out.test"], &numbered(number as u64, 1_000));
        let arrived = || servers.iter().map(|(server, _)| server.count()).sum::<usize>();
        let deadline = std::time::Instant::now() + SOON;
        // A letter that comes while a connection is open would go over that one.
        while arrived() < number {
            assert!(std::time::Instant::now() < deadline, "letter {number}:\n{}", outbox.console());
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        servers.iter().for_each(|(server, _)| server.wait_for_ends(0, SOON));
    }
    outbox.wait_until_empty();
    let counts = servers.each_ref().map(|(server, _)| server.count());
    assert!(counts[0] > 0 && counts[1] > 0 && counts[0] + counts[1] == LETTERS, "{counts:?}");
}

/// MX that lead nowhere and a name server that fails are slips that somebody may see to: the letters wait, the list says
/// for what, and they go once it is seen to.
#[test]
fn letters_wait_for_names_that_are_seen_to() {
    let (server, ip) = mail_server(Plan::default());
    let (mut outbox, dns) = started("repaired", "no-a.test MX 10 mx.no-a.test\n", &["broken.test"]);
    let place = dns.address;
    outbox.submit(&["far@no-a.test"], &short("no address", "Hello."));
    outbox.submit(&["far@broken.test"], &short("broken", "Hello."));
    outbox.wait_until_listed("no mail server of no-a.test has an address in DNS");
    let listed = outbox.wait_until_listed("SERVFAIL");
    assert_eq!(listed.matches("1 attempt, again").count(), 2, "{listed}");
    drop(dns);
    let zone = format!("no-a.test MX 10 mx.no-a.test\nmx.no-a.test A {ip}\nbroken.test A {ip}\n");
    let _dns = served("repaired", place, &zone, &[]);
    outbox.retry_now();
    server.wait_for(2, SOON);
    outbox.wait_until_empty();
    assert_eq!(server.taken().len(), 2);
    outbox.inbox(ALICE, 0);
}

/// Without any name server nobody can be reached: no attempt is counted, and when there is one, letters go by themselves.
#[test]
fn a_box_that_is_cut_off_counts_no_attempt() {
    let (server, ip) = mail_server(Plan::default());
    let place = free(Ipv4Addr::LOCALHOST.into());
    let mut outbox = Outbox::started("names-offline", &Tables::new().dns(place));
    outbox.submit(&["far@out.test"], &short("offline", "Hello."));
    outbox.wait_until_logged("the network cannot be reached");
    let listed = outbox.listed();
    assert!(listed.contains("far@out.test  0 attempts"), "{listed}");
    outbox.wait_until_logged("the network cannot be reached");
    let _dns = served("offline", place, &format!("out.test A {ip}\n"), &[]);
    // It looks every half a minute.
    server.wait_for(1, 2 * SOON);
    outbox.wait_until_logged("the network can be reached again");
    outbox.wait_until_empty();
    outbox.inbox(ALICE, 0);
}

/// This box must not send to itself (RFC 5321 §5.1), by whatever name; to better hosts than itself it may, and to no
/// others.
#[test]
fn letters_for_this_box_itself_do_not_go_round() {
    let (worse, ip) = mail_server(Plan::default());
    let zone = format!(
        "name.test MX 10 {HOSTNAME}\nplace.test MX 10 mx.place.test\nmx.place.test A 127.0.0.1\n\
         plain.test A 127.0.0.1\nbackup.test MX 10 dead.test\nbackup.test MX 20 {HOSTNAME}\n\
         backup.test MX 30 worse.test\ndead.test A {}\nworse.test A {ip}\n",
        mail_host()
    );
    let (mut outbox, _dns) = started("loop", &zone, &[]);
    let round = ["far@name.test", "far@place.test", "far@plain.test", "far@[127.0.0.1]"];
    for (number, address) in round.into_iter().enumerate() {
        outbox.submit(&[address], &short(address, "Hello."));
        let reports = outbox.reports(number + 1);
        let of = reports.last().expect("as many as letters").only();
        assert_eq!(
            (of.address.as_str(), of.action.as_str(), of.status.as_str()),
            (address, "failed", "5.4.6"),
            "{reports:?}"
        );
    }
    outbox.submit(&["far@backup.test"], &short("backup", "Hello."));
    outbox.wait_until_listed("refuses connections to port 25");
    assert_eq!(worse.connections(), 0);
}
