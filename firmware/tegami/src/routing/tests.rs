//! Tests of routing against a name server on loopback.

mod server;

use std::collections::BTreeSet;

use self::server::Server as NameServer;
use super::*;
use crate::testing::block_on;

/// The box is `box.test`, at 192.0.2.9 and without global IPv6.
fn router(servers: &[&NameServer]) -> Router {
    let servers: Vec<SocketAddr> = servers.iter().map(|server| server.address).collect();
    Router::new("Box.test", &["192.0.2.9".parse().unwrap(), "fe80::9".parse().unwrap()], &servers)
}

/// The names of the servers of a domain.
async fn names(router: &Router, domain: &str) -> Result<String, NoRoute> {
    let servers = router.servers(&Routes::default(), &Destination::Domain(domain.into())).await?;
    for server in &servers {
        assert_eq!((server.port, server.tls, server.verify), (25, Tls::Opportunistic, false));
        assert!(server.login.is_none() && server.ca.is_none());
    }
    Ok(servers.iter().map(|server| &*server.name).collect::<Vec<_>>().join(" "))
}

async fn addresses(router: &Router, name: &str) -> Result<String, NoRoute> {
    let addresses = router.addresses(&Server::of_a_domain(name)).await?;
    Ok(addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" "))
}

/// The servers of a domain as one name server has it.
fn found(zone: &str, domain: &str) -> Result<String, NoRoute> {
    block_on(async {
        let server = NameServer::start(zone).await;
        names(&router(&[&server]), domain).await
    })
}

/// The sentence about a domain that one name server does not help with.
fn trouble(zone: &str, domain: &str) -> String {
    match found(zone, domain) {
        Err(NoRoute::NameTrouble(why)) => {
            // The port is another one every time.
            let (_, why) = why.split_once("127.0.0.1:").unwrap_or(("", &why));
            why.trim_start_matches(|c: char| c.is_ascii_digit()).trim().to_owned()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn mx_hosts_come_in_their_order_and_those_without_address_do_not() {
    let zone = "a.test MX 20 second.test\na.test MX 10 First.test\na.test MX 15 none.test\na.test MX 16 gone.test\n\
        first.test A 192.0.2.1\nsecond.test AAAA 2001:db8::2\nnone.test MX 10 first.test";
    assert_eq!(found(zone, "a.test").unwrap(), "first.test second.test");
}

#[test]
fn equal_preferences_are_tried_in_any_order() {
    block_on(async {
        let zone = "a.test MX 10 x.test\na.test MX 10 y.test\nx.test A 192.0.2.1\ny.test A 192.0.2.2";
        let server = NameServer::start(zone).await;
        let router = router(&[&server]);
        let mut seen = BTreeSet::new();
        // That all of them come out alike happens once in 10^29 runs.
        for _ in 0..100 {
            seen.insert(names(&router, "a.test").await.unwrap());
        }
        assert_eq!(seen, BTreeSet::from(["x.test y.test".to_owned(), "y.test x.test".to_owned()]));
    });
}

#[test]
fn a_domain_without_mx_is_its_own_server() {
    assert_eq!(found("a.test A 192.0.2.1", "a.test").unwrap(), "a.test");
    assert_eq!(found("a.test AAAA 2001:db8::1", "a.test").unwrap(), "a.test");
}

#[test]
fn a_domain_that_is_not_there_is_no_domain() {
    assert_eq!(found("", "a.test"), Err(NoRoute::NoSuchDomain));
    // It exists, and has neither MX nor address.
    assert_eq!(found("a.test TXT x", "a.test"), Err(NoRoute::NoSuchDomain));
    // No name server is asked for what cannot be a name.
    for domain in ["a..test", "a b.test", "[192.0.2]", "-", "例え.test"] {
        assert_eq!(found("a.test SERVFAIL", domain), Err(NoRoute::NoSuchDomain), "{domain}");
    }
}

#[test]
fn null_mx_takes_no_mail_even_where_there_is_an_address() {
    assert_eq!(found("a.test MX 0 .\na.test A 192.0.2.1", "a.test"), Err(NoRoute::TakesNoMail));
}

#[test]
fn an_alias_is_what_it_stands_for() {
    let zone = "a.test CNAME b.test\nb.test CNAME c.test\nc.test MX 10 mx.test\nmx.test A 192.0.2.1\n\
        plain.test CNAME host.test\nhost.test A 192.0.2.2\nlost.test CNAME nowhere.test\n\
        round.test CNAME again.test\nagain.test CNAME round.test\nover.test MX 5 alias.test\nalias.test CNAME mx.test";
    assert_eq!(found(zone, "a.test").unwrap(), "mx.test");
    assert_eq!(found(zone, "plain.test").unwrap(), "plain.test");
    assert_eq!(found(zone, "lost.test"), Err(NoRoute::NoSuchDomain));
    assert_eq!(found(zone, "round.test"), Err(NoRoute::NoSuchDomain));
    // RFC 2181 §10.3 has no aliases as MX; they are common and do no harm.
    assert_eq!(found(zone, "over.test").unwrap(), "alias.test");
}

#[test]
fn mx_that_lead_nowhere_are_worth_another_attempt() {
    let zone = "a.test MX 10 gone.test\na.test MX 20 none.test\nnone.test MX 5 x.test\na.test A 192.0.2.1";
    assert_eq!(trouble(zone, "a.test"), "no mail server of a.test has an address in DNS");
    assert_eq!(trouble("a.test MX 10 192.0.2.1", "a.test"), "the MX records of a.test name no servers");
}

#[test]
fn name_servers_that_do_not_help_are_told_apart_from_domains_that_are_not_there() {
    for (trick, sentence) in [
        ("SERVFAIL", "failed (SERVFAIL) when asked for MX of a.test"),
        ("REFUSED", "refused when asked for MX of a.test"),
        ("REFERRAL", "only names other servers when asked for MX of a.test"),
        ("GARBAGE", "gave no answer that can be read when asked for MX of a.test"),
    ] {
        assert_eq!(trouble(&format!("a.test {trick}"), "a.test"), sentence);
    }
    let zone = "a.test MX 10 x.test\nx.test SERVFAIL";
    assert!(
        trouble(zone, "a.test").starts_with("failed (SERVFAIL) when asked for A"),
        "{}",
        trouble(zone, "a.test")
    );
}

#[test]
fn one_server_that_is_looked_up_is_enough() {
    let zone = "a.test MX 10 x.test\na.test MX 20 y.test\nx.test SERVFAIL\ny.test A 192.0.2.1\n\
        b.test MX 10 z.test\nz.test A 192.0.2.1\nz.test SERVFAIL AAAA";
    assert_eq!(found(zone, "a.test").unwrap(), "y.test");
    assert_eq!(found(zone, "b.test").unwrap(), "z.test");
}

#[test]
fn no_name_server_at_all_is_said() {
    let why = block_on(names(&router(&[]), "a.test")).unwrap_err();
    let sentence = "no name server is known: neither the settings nor the network name one";
    assert_eq!(why, NoRoute::NameTrouble(sentence.to_owned()));
}

/// Time stands still but for waiting, and waiting takes none.
#[test]
fn silence_is_not_waited_for_for_ever_and_the_next_server_is_asked() {
    let silent = "a.test SILENT\nb.test SILENT";
    block_on(async {
        let (mute, good) = (NameServer::start(silent).await, NameServer::start("a.test A 192.0.2.1").await);
        tokio::time::pause();
        let start = tokio::time::Instant::now();
        let why = names(&router(&[&mute]), "a.test").await.unwrap_err();
        let NoRoute::NameTrouble(why) = why else { panic!("{why:?}") };
        assert!(why.ends_with("did not answer in time when asked for MX of a.test"), "{why}");
        assert!(start.elapsed() < limits::QUESTION_MAX);
        let start = tokio::time::Instant::now();
        let many = router(&[&mute; 8]);
        assert!(matches!(names(&many, "b.test").await, Err(NoRoute::NameTrouble(_))));
        assert!(start.elapsed() <= limits::QUESTION_MAX + limits::SERVER_MAX);
        let both = router(&[&mute, &good]);
        assert_eq!(names(&both, "a.test").await.unwrap(), "a.test");
        // The one that answered is asked first from now on.
        let asked = mute.asked_in_all();
        assert_eq!(names(&both, "c.test").await, Err(NoRoute::NoSuchDomain));
        assert_eq!(mute.asked_in_all(), asked);
    });
}

#[test]
fn a_server_that_fails_or_refuses_is_not_the_last_word() {
    block_on(async {
        let good = NameServer::start("a.test A 192.0.2.1").await;
        for zone in ["a.test SERVFAIL", "a.test REFUSED", "a.test GARBAGE"] {
            let bad = NameServer::start(zone).await;
            assert_eq!(names(&router(&[&bad, &good]), "a.test").await.unwrap(), "a.test", "{zone}");
        }
        // Nobody listens there, which shows only in that no answer comes.
        tokio::time::pause();
        let gone = NameServer::start("").await;
        let both = router(&[&gone, &good]);
        drop(gone);
        tokio::task::yield_now().await;
        assert_eq!(names(&both, "a.test").await.unwrap(), "a.test");
    });
}

/// What decides whether letters lose time: a box that nobody answers is cut off.
#[test]
fn a_name_server_that_answers_anything_shows_that_the_box_is_on_the_network() {
    block_on(async {
        let answers = async |zone: &str| {
            let server = NameServer::start(zone).await;
            router(&[&server]).is_answered().await
        };
        assert!(answers("a.test A 192.0.2.1").await);
        assert!(answers(". REFUSED").await);
        assert!(router(&[]).is_answered().await, "it cannot tell");
        // A router at home whose own line is down says so.
        assert!(!answers(". SERVFAIL").await);
        tokio::time::pause();
        assert!(!answers(". SILENT").await);
    });
}

#[test]
fn a_forged_answer_is_passed_over() {
    assert_eq!(found("a.test FORGED\na.test A 192.0.2.1", "a.test").unwrap(), "a.test");
}

#[test]
fn what_is_cut_off_is_asked_again_by_tcp() {
    block_on(async {
        let mut zone: String =
            (1..=40).map(|i| format!("a.test MX {i} host{i}.test\nhost{i}.test A 192.0.2.1\n")).collect();
        zone.push_str("short.test A 192.0.2.1");
        let server = NameServer::start(&zone).await;
        let router = router(&[&server]);
        assert!(names(&router, "a.test").await.unwrap().starts_with("host1.test host2.test"));
        assert_eq!((server.asked("udp MX a.test"), server.asked("tcp MX a.test")), (1, 1));
        names(&router, "short.test").await.unwrap();
        assert_eq!((server.asked("udp A short.test"), server.asked("tcp A short.test")), (1, 0));
    });
}

#[test]
fn an_answer_of_64_kib_comes_to_a_few_servers_and_addresses() {
    block_on(async {
        let mut zone: String =
            (0..1_900).map(|i| format!("a.test MX {} h{i:04}.a.test\n", 3_000 - i)).collect();
        zone.extend((1_850..1_900).map(|i| format!("h{i:04}.a.test A 192.0.2.1\n")));
        zone.extend((0..2_900).map(|i| format!("b.test A 10.0.{}.{}\n", i / 250, 1 + i % 250)));
        zone.extend((0..5_000).map(|i| format!("c.test A 10.0.{}.{}\n", i / 250, 1 + i % 250)));
        let server = NameServer::start(&zone).await;
        let router = router(&[&server]);
        let found = names(&router, "a.test").await.unwrap();
        assert!(found.starts_with("h1899.a.test h1898.a.test"), "{found}");
        assert_eq!(found.split(' ').count(), limits::HOSTS_MAX);
        assert!(server.longest() > 63_000, "{}", server.longest());
        assert_eq!(addresses(&router, "b.test").await.unwrap().split(' ').count(), limits::ADDRESSES_MAX);
        assert_eq!((server.asked("tcp MX a.test"), server.asked("tcp A b.test")), (1, 1));
        // What does not fit into TCP either is cut off there.
        let why = addresses(&router, "c.test").await.unwrap_err();
        assert!(
            format!("{why:?}").contains("cut its answer off, by TCP too, when asked for A of c.test"),
            "{why:?}"
        );
    });
}

#[test]
fn answers_are_kept_as_long_as_they_say() {
    block_on(async {
        let zone = "a.test MX 10 mx.test\na.test TTL 3600\nmx.test A 192.0.2.1\nmx.test TTL 3600\n\
            b.test MX 10 mx.test\nc.test TTL 3600\nnull.test MX 0 .\nnull.test TTL 60";
        let server = NameServer::start(zone).await;
        let router = router(&[&server]);
        for _ in 0..3 {
            names(&router, "a.test").await.unwrap();
            names(&router, "b.test").await.unwrap();
            assert_eq!(names(&router, "c.test").await, Err(NoRoute::NoSuchDomain));
            assert_eq!(names(&router, "null.test").await, Err(NoRoute::TakesNoMail));
            addresses(&router, "mx.test").await.unwrap();
        }
        assert_eq!((server.asked("udp MX a.test"), server.asked("udp A mx.test")), (1, 1));
        assert_eq!((server.asked("udp MX c.test"), server.asked("udp MX null.test")), (1, 1));
        assert_eq!(server.asked("udp MX b.test"), 3);
        // Trouble is never kept.
        let why = names(&router, "d.test").await;
        assert_eq!(why, Err(NoRoute::NoSuchDomain));
    });
}

#[test]
fn this_box_is_known_by_name_and_by_address() {
    let zone = "a.test MX 10 good.test\na.test MX 20 own.test\na.test MX 20 other.test\na.test MX 30 last.test\n\
        good.test A 192.0.2.1\nown.test A 192.0.2.7\nown.test A 192.0.2.9\nother.test A 192.0.2.2\n\
        last.test A 192.0.2.3\nb.test MX 10 box.test\nbox.test A 192.0.2.9\nc.test MX 10 own.test\n\
        d.test A 127.0.0.1\ne.test MX 10 gone.test\ne.test MX 20 box.test\nf.test AAAA ::ffff:192.0.2.9";
    assert_eq!(found(zone, "a.test").unwrap(), "good.test");
    for domain in
        ["b.test", "c.test", "d.test", "f.test", "box.test", "[192.0.2.9]", "[127.0.0.1]", "[IPv6:::1]"]
    {
        assert_eq!(found(zone, domain), Err(NoRoute::Loop), "{domain}");
    }
    // A better one is only not there at the moment.
    assert_eq!(trouble(zone, "e.test"), "no mail server of e.test has an address in DNS");
}

#[test]
fn a_literal_is_its_own_server() {
    block_on(async {
        let router = router(&[]);
        assert_eq!(names(&router, "[192.0.2.1]").await.unwrap(), "[192.0.2.1]");
        assert_eq!(addresses(&router, "[192.0.2.1]").await.unwrap(), "192.0.2.1");
        assert_eq!(addresses(&router, "[IPv6:2001:db8::1]").await.unwrap(), "2001:db8::1");
    });
}

#[test]
fn the_family_that_the_box_has_comes_first() {
    block_on(async {
        let zone = "a.test A 192.0.2.1\na.test A 192.0.2.2\na.test AAAA 2001:db8::1";
        let server = NameServer::start(zone).await;
        assert_eq!(
            addresses(&router(&[&server]), "a.test").await.unwrap(),
            "192.0.2.1 2001:db8::1 192.0.2.2"
        );
        let dual = Router::new("box.test", &["2001:db8::9".parse().unwrap()], &[server.address]);
        assert_eq!(addresses(&dual, "a.test").await.unwrap(), "2001:db8::1 192.0.2.1 192.0.2.2");
        let why = addresses(&dual, "gone.test").await.unwrap_err();
        assert_eq!(why, NoRoute::NameTrouble("the server gone.test has no address in DNS".to_owned()));
    });
}

#[test]
fn next_hops_are_not_looked_up_as_domains() {
    block_on(async {
        let server =
            NameServer::start("r.test MX 10 other.test\nr.test A 192.0.2.9\nother.test A 192.0.2.1").await;
        let router = router(&[&server]);
        let records = crate::provision::fake::Box_::default();
        let file =
            b"version = 1\n[relay]\nhost='r.test'\nport=2525\n[[route]]\ndomain='d.test'\nhost='192.0.2.5'";
        let wanted = crate::provision::read(file).unwrap();
        records.make(crate::provision::plan(wanted, &records).unwrap().changes);
        let routes = Routes::load(&records);
        let relay = router.servers(&routes, &Destination::Relay).await.unwrap();
        assert_eq!((relay.len(), &*relay[0].name, relay[0].port), (1, "r.test", 2_525));
        assert_eq!(server.asked_in_all(), 0);
        // Another program on the same machine may be a next hop: nothing is this box here.
        assert_eq!(router.addresses(&relay[0]).await.unwrap(), ["192.0.2.9".parse::<IpAddr>().unwrap()]);
        assert_eq!(server.asked("udp MX r.test"), 0);
        let route = router.servers(&routes, &Destination::Route("d.test".into())).await.unwrap();
        assert_eq!(&*route[0].name, "[192.0.2.5]");
        let gone = router.servers(&Routes::default(), &Destination::Relay).await.unwrap_err();
        let sentence = "the settings have changed: no server is named for the relay";
        assert_eq!(gone, NoRoute::NameTrouble(sentence.to_owned()));
    });
}

/// Connecting to such an address fails as if there were no network: nobody may have the box believe that.
#[test]
fn addresses_that_are_nobodys_are_none() {
    for nobodys in ["224.0.0.1", "239.1.2.3", "255.255.255.255", "240.0.0.1", "ff02::1", "::ffff:224.0.0.1"] {
        assert!(is_nobodys(nobodys.parse().unwrap()), "{nobodys}");
    }
    for somebodys in ["192.0.2.1", "127.0.0.1", "2001:db8::1"] {
        assert!(!is_nobodys(somebodys.parse().unwrap()), "{somebodys}");
    }
    assert_eq!(found("", "[224.0.0.1]"), Err(NoRoute::NoSuchDomain));
    let zone = "a.test MX 10 mx.test\nmx.test A 255.255.255.255\nmx.test A 192.0.2.1\nb.test A 224.0.0.1";
    assert_eq!(found(zone, "a.test").unwrap(), "mx.test");
    assert_eq!(found(zone, "b.test"), Err(NoRoute::NoSuchDomain));
}
