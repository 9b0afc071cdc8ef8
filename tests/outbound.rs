//! Outbound mail against real parts: Postfix as the next server, and a server that misbehaves by plan. What arrives there,
//! what waits, what the sender is told.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;
use tests::clients::Smtp;
use tests::dns::Dns;
use tests::hosted::scratch;
use tests::letters::{JAPANESE, numbered, short};
use tests::oddserver::{Deed, OddServer, Plan, Stage};
use tests::outbound::{
    ALICE, BOB, Outbox, SOON, Tables, assert_only_received_in_front, authority_of, own_leaf,
};
use tests::postfix::{Postfix, Security};
use tests::provision::named_account;
use tests::site::{Account, Service};

fn to_postfix(name: &str, postfix: &Postfix) -> Outbox {
    Outbox::started(name, &Tables::new().route("out.test", postfix.site.at(Service::Smtp), "none"))
}

/// The program with a route for `out.test` to a server that keeps to this plan.
fn to_odd(name: &str, plan: Plan) -> (Outbox, OddServer) {
    let server = OddServer::start(plan);
    let tls = if server.has_tls() { "opportunistic" } else { "none" };
    (Outbox::started(name, &Tables::new().route("out.test", server.place, tls)), server)
}

// ---- What arrives ----

#[test]
fn letters_arrive_as_they_were_submitted() {
    let postfix = Postfix::builder("mx.out.test").keeps("out.test").start();
    let outbox = to_postfix("arrive", &postfix);
    let dots = short("dots", ".\r\n..\r\n.x\r\n\r\nlast.");
    let long = short("long lines", &["a".repeat(998), "b".repeat(500)].join("\r\n"));
    // A letter without an identifier gets one: that is another test's business.
    let whole = |letter: &&[u8]| String::from_utf8_lossy(letter).contains("Message-ID: ");
    let japanese = JAPANESE.iter().map(|(_, letter)| *letter).filter(whole).map(<[u8]>::to_vec);
    let mut sent: Vec<Vec<u8>> = japanese.collect();
    sent.extend([dots, long, numbered(1, 300_000)]);
    for letter in &sent {
        outbox.submit(&["far@out.test"], letter);
    }
    let kept = postfix.wait_for(sent.len(), SOON);
    assert!(kept.iter().all(|kept| kept.sender == ALICE && kept.recipient == "far@out.test"));
    for letter in &sent {
        let arrived = kept.iter().find(|kept| kept.letter.ends_with(letter));
        let arrived = arrived.map(|kept| kept.letter.as_slice()).unwrap_or_default();
        assert_only_received_in_front(arrived, letter, 2);
    }
}

/// Out through Postfix, and back through the front door into another mailbox.
#[test]
fn a_letter_goes_out_and_comes_back() {
    let mut outbox = Outbox::new("back");
    let postfix = Postfix::builder("mx.out.test")
        .relays_to(&outbox.site(), Security::None)
        .setting("virtual_alias_maps", &format!("inline:{{{{bob@out.test = {BOB}}}}}"))
        .setting("virtual_alias_domains", "out.test")
        .start();
    outbox.start(&Tables::new().route("out.test", postfix.site.at(Service::Smtp), "opportunistic"));
    outbox.submit(&["bob@out.test"], JAPANESE[0].1);
    let arrived = outbox.inbox(BOB, 1).remove(0);
    let path = format!("Return-Path: <{ALICE}>\r\n");
    let arrived = arrived.strip_prefix(path.as_bytes()).expect("the reverse-path in front");
    // Ours, Postfix's, ours again.
    assert_only_received_in_front(arrived, JAPANESE[0].1, 3);
    outbox.wait_until_empty();
    outbox.inbox(ALICE, 0);
}

#[test]
fn addresses_of_carriers_and_beyond_ascii_go_out_as_they_are() {
    let (outbox, server) = to_odd("odd-addresses", Plan::default());
    for address in ["a..b@out.test", "a.@out.test", "佐藤@out.test"] {
        let parameters = if address.is_ascii() { "" } else { "SMTPUTF8" };
        outbox.submit_with(parameters, &[(address, "")], &short("hello", "Hello."));
    }
    let taken = server.wait_for(3, SOON);
    let paths: BTreeSet<String> = taken
        .iter()
        .map(|taken| taken.recipients[0].split(['<', '>']).nth(1).unwrap_or_default().to_owned())
        .collect();
    let expected = ["a..b@out.test", "a.@out.test", "佐藤@out.test"].map(str::to_owned);
    assert_eq!(paths, BTreeSet::from(expected));
}

// ---- The smarthost ----

const OFFICE_PASSWORD: &str = "pencil and paper";

fn office() -> Account {
    Account { address: "office".to_owned(), password: OFFICE_PASSWORD.to_owned() }
}

/// A provider's submission service with this mechanism alone, and the program that sends by it.
fn to_smarthost(postfix: &Postfix, name: &str, tls: &str, login: &Account) -> Outbox {
    let service = if tls == "implicit" { Service::Submissions } else { Service::Submission };
    let authority = authority_of(&postfix.site);
    Outbox::started(name, &Tables::new().relay(postfix.site.at(service), tls, login, &authority))
}

#[test]
fn the_smarthost_is_logged_in_to_by_every_mechanism_and_kind_of_tls() {
    for mechanism in ["PLAIN", "LOGIN", "SCRAM-SHA-256"] {
        let postfix = Postfix::builder("smarthost.test")
            .keeps("static:all")
            .login("office", OFFICE_PASSWORD)
            .mechanisms(mechanism)
            .start();
        for (number, tls) in ["starttls", "implicit"].into_iter().enumerate() {
            let outbox = to_smarthost(&postfix, &format!("{mechanism}-{tls}"), tls, &office());
            let letter = short(&format!("by {mechanism} and {tls}"), "Hello.");
            outbox.submit(&["far@anywhere.test"], &letter);
            let kept = postfix.wait_for(number + 1, SOON);
            let arrived = kept.iter().find(|kept| kept.letter.ends_with(&letter)).expect("it came whole");
            assert_only_received_in_front(&arrived.letter, &letter, 2);
        }
        let log = postfix.log();
        assert_eq!(log.matches(&format!("sasl_method={mechanism}")).count(), 2, "{log}");
    }
}

/// The certificate is one for another name: no password and no letter goes there, and whoever asks is told why.
#[test]
fn a_smarthost_with_anothers_certificate_gets_nothing() {
    let postfix = Postfix::builder("smarthost.test")
        .keeps("static:all")
        .login("office", OFFICE_PASSWORD)
        .certified_for(&["other.test"])
        .start();
    let mut outbox = to_smarthost(&postfix, "wrong-name", "starttls", &office());
    outbox.submit(&["far@anywhere.test"], &short("secret", "Hello."));
    postfix.wait_for_log("disconnect from", SOON);
    let listed = outbox.wait_until_listed("certificate");
    assert!(listed.contains("far@anywhere.test"), "{listed}");
    let log = postfix.log();
    assert!(!log.contains("sasl_") && postfix.kept().is_empty(), "{log}");
    outbox.cancel();
    let report = outbox.reports(1).remove(0);
    assert_eq!(
        (report.only().action.as_str(), report.only().address.as_str()),
        ("failed", "far@anywhere.test")
    );
}

#[test]
fn a_smarthost_that_refuses_the_password_is_tried_again_with_the_right_one() {
    let postfix =
        Postfix::builder("smarthost.test").keeps("static:all").login("office", OFFICE_PASSWORD).start();
    let wrong = Account { password: "wrong".to_owned(), ..office() };
    let mut outbox = to_smarthost(&postfix, "wrong-password", "starttls", &wrong);
    let letter = short("patience", "Hello.");
    outbox.submit(&["far@anywhere.test"], &letter);
    postfix.wait_for_log("authentication failed", SOON);
    assert!(outbox.listed().contains("far@anywhere.test"));
    let authority = authority_of(&postfix.site);
    let place = postfix.site.at(Service::Submission);
    outbox.change(&Tables::new().relay(place, "starttls", &office(), &authority));
    outbox.retry_now();
    let kept = postfix.wait_for(1, SOON);
    assert_only_received_in_front(&kept[0].letter, &letter, 2);
    outbox.inbox(ALICE, 0);
}

// ---- Refusals, and what the sender is told ----

/// What Postfix refuses, with its code, and what is said of it in both languages.
const REFUSALS: [(&str, &str, &str, &str, &str); 3] = [
    (
        "nobody@out.test",
        "550 5.1.1 No such user here",
        "5.1.1",
        "このメールアドレスは、宛先のメールサーバーに見つかりませんでした。",
        "There is no mailbox with this address.",
    ),
    (
        "full@out.test",
        "552 5.2.2 Mailbox is full",
        "5.2.2",
        "宛先のメールボックスがいっぱいで、メールを受け取れない状態です。",
        "The recipient's mailbox is full.",
    ),
    (
        "policy@out.test",
        "550 5.7.1 We know you not",
        "5.7.1",
        "独自の受け取り基準により、このメールを受け取りませんでした。",
        "turned the letter away by its own rules",
    ),
];

#[test]
fn what_is_refused_at_rcpt_comes_back_with_a_sentence() {
    let mut builder = Postfix::builder("mx.out.test").keeps("out.test");
    for (recipient, answer, ..) in REFUSALS {
        builder = builder.answers(recipient, answer);
    }
    let postfix = builder.start();
    let mut outbox = to_postfix("refused", &postfix);
    for (number, (recipient, answer, status, japanese, english)) in REFUSALS.into_iter().enumerate() {
        outbox.submit(&[recipient], &short(&format!("to {recipient}"), "Hello."));
        let reports = outbox.reports(number + 1);
        let report = reports.last().expect("as many as letters");
        report.assert_failed(recipient, status, japanese, english);
        let words = answer.splitn(3, ' ').nth(2).unwrap_or_default();
        assert!(report.only().diagnostic.contains(words), "{report:?}");
        assert!(report.text.contains(words), "the other side's words:\n{}", report.text);
        assert!(report.returned.contains(&format!("Subject: to {recipient}")), "{}", report.returned);
    }
    outbox.wait_until_empty();
    assert!(postfix.kept().is_empty());
}

#[test]
fn words_that_are_refused_after_the_letter_come_back() {
    let postfix = Postfix::builder("mx.out.test")
        .keeps("out.test")
        .refuses_text("cheap pills", "5.7.1 We do not want pills")
        .start();
    let outbox = to_postfix("pills", &postfix);
    outbox.submit(&["far@out.test"], &short("pills", "Buy cheap pills!"));
    let report = outbox.reports(1).remove(0);
    let (_, _, status, japanese, english) = REFUSALS[2];
    report.assert_failed("far@out.test", status, japanese, english);
    assert!(report.text.contains("We do not want pills"), "{}", report.text);
}

/// What the domain name system says of where the letter would go: nothing, or that it takes none (RFC 7505).
#[test]
fn domains_that_take_nothing_come_back_with_a_sentence() {
    let zone = "takes-none.test 60 MX 0 .\nalias.test 60 CNAME takes-none.test\n";
    let place = tests::ports::free([127, 0, 0, 1].into());
    let dns = Dns::start(&scratch().join("outbound-dns"), place, zone, &[]);
    let mut outbox = Outbox::started("names-wrong", &Tables::new().dns(dns.address));
    let cases = [
        (
            "far@no-such.test",
            "5.1.2",
            "インターネット上に見つかりませんでした。",
            "not to be found on the internet",
        ),
        (
            "far@takes-none.test",
            "5.1.10",
            "メールをいっさい受け取らないことになっています。",
            "takes no mail at all",
        ),
        (
            "far@alias.test",
            "5.1.10",
            "メールをいっさい受け取らないことになっています。",
            "takes no mail at all",
        ),
    ];
    for (number, (recipient, status, japanese, english)) in cases.into_iter().enumerate() {
        outbox.submit(&[recipient], &short(&format!("to {recipient}"), "Hello."));
        let reports = outbox.reports(number + 1);
        reports.last().expect("as many as letters").assert_failed(recipient, status, japanese, english);
    }
    outbox.wait_until_empty();
}

/// By MX to port 25: the first host is not there, the second takes the letter, by TLS though nobody vouches for its name.
#[test]
fn the_next_host_takes_it_where_the_first_is_dead() {
    let postfix = Postfix::builder("second.out.test").keeps("out.test").at([127, 0, 0, 53].into(), 0).start();
    let zone = "out.test 60 MX 10 first.out.test\nout.test 60 MX 20 second.out.test\n\
        first.out.test 60 A 127.0.0.54\nsecond.out.test 60 A 127.0.0.53\n";
    let place = tests::ports::free([127, 0, 0, 1].into());
    let dns = Dns::start(&scratch().join("outbound-dns-mx"), place, zone, &[]);
    let mut outbox = Outbox::started("names-mx", &Tables::new().dns(dns.address));
    let letter = short("by MX", "Hello.");
    outbox.submit(&["far@out.test"], &letter);
    let kept = postfix.wait_for(1, SOON);
    assert_only_received_in_front(&kept[0].letter, &letter, 2);
    assert!(String::from_utf8_lossy(&kept[0].letter).contains("with ESMTPS "));
    outbox.wait_until_empty();
    outbox.inbox(ALICE, 0);
}

/// A name server that fails says nothing about a domain: the letter waits, and goes once there is an answer.
#[test]
fn names_that_cannot_be_looked_up_now_are_looked_up_again() {
    let place = tests::ports::free([127, 0, 0, 1].into());
    let folder = scratch().join("outbound-dns-broken");
    let dns = Dns::start(&folder, place, "", &["out.test"]);
    let mut outbox = Outbox::started("names-broken", &Tables::new().dns(place));
    outbox.submit(&["far@out.test"], &short("patience", "Hello."));
    outbox.wait_until_listed("1 attempt");
    outbox.inbox(ALICE, 0);
    drop(dns);
    let _dns = Dns::start(&folder, place, "out.test 0 MX 0 .\n", &[]);
    outbox.retry_now();
    assert_eq!(outbox.reports(1)[0].only().status, "5.1.10");
}

/// SIZE says that it is too large: the letter never travels.
#[test]
fn a_letter_larger_than_the_other_side_takes_comes_back_and_stays_here() {
    let postfix = Postfix::builder("mx.out.test").keeps("out.test").size_limit(20_000).start();
    let outbox = to_postfix("large", &postfix);
    outbox.submit(&["far@out.test"], &numbered(1, 50_000));
    let report = outbox.reports(1).remove(0);
    report.assert_failed(
        "far@out.test",
        "5.3.4",
        "メールが大きすぎて、宛先のメールサーバーに受け取ってもらえませんでした。",
        "The letter is larger than the recipient's mail server takes.",
    );
    // It counts the commands of a connection at its end.
    let counted = postfix.wait_for_log(" ehlo=", SOON);
    assert!(!counted.contains("data="), "the letter travelled: {counted}");
}

/// Letters of 8-bit text for a server that takes 7 bits: back at once (RFC 6152 §3); ASCII goes.
#[test]
fn eight_bits_do_not_go_where_seven_are_taken() {
    let keywords = ["PIPELINING", "ENHANCEDSTATUSCODES"].map(str::to_owned).to_vec();
    let (outbox, server) = to_odd("seven-bits", Plan { keywords, ..Plan::default() });
    outbox.submit(&["ascii@out.test"], &short("ascii", "Hello."));
    server.wait_for(1, SOON);
    let utf8 = JAPANESE.iter().find(|(name, _)| *name == "UTF-8").expect("it is in the list").1;
    assert!(!utf8.is_ascii());
    outbox.submit(&["utf8@out.test"], utf8);
    let report = outbox.reports(1).remove(0);
    assert_eq!((report.only().address.as_str(), report.only().status.as_str()), ("utf8@out.test", "5.6.3"));
    assert_eq!(server.taken().len(), 1);
}

/// Of three recipients one is refused and one put off: each has its own fate, and none gets the letter twice.
#[test]
fn each_recipient_has_a_fate_of_its_own() {
    let postfix = Postfix::builder("mx.out.test")
        .keeps("out.test")
        .answers("nobody@out.test", "550 5.1.1 No such user here")
        .answers("later@out.test", "452 4.2.2 Mailbox full")
        .start();
    let mut outbox = to_postfix("three", &postfix);
    outbox.submit(&["good@out.test", "nobody@out.test", "later@out.test"], &short("three", "Hello."));
    assert_eq!(postfix.wait_for(1, SOON)[0].recipient, "good@out.test");
    let report = outbox.reports(1).remove(0);
    assert_eq!(report.only().address, "nobody@out.test");
    postfix.answer(&[]);
    outbox.retry_now();
    let recipients = postfix.wait_for(2, SOON).into_iter().map(|kept| kept.recipient);
    assert_eq!(
        recipients.collect::<BTreeSet<_>>(),
        ["good@out.test", "later@out.test"].map(str::to_owned).into()
    );
    outbox.wait_until_empty();
    outbox.reports(1);
}

/// What comes from nobody and cannot go on ends here (RFC 5321 §4.5.5): no report of a report.
#[test]
fn a_report_is_never_reported() {
    let postfix = Postfix::builder("mx.out.test")
        .keeps("out.test")
        .answers("nobody@out.test", "550 5.1.1 No such user here")
        .start();
    let tables = Tables::new()
        .route("out.test", postfix.site.at(Service::Smtp), "none")
        .alias("info@example.test", "nobody@out.test");
    let mut outbox = Outbox::started("report-of-a-report", &tables);
    let mut smtp = Smtp::connect(&outbox.site(), Service::Smtp);
    smtp.letter("", &["info@example.test"], &short("a report", "Hello."));
    postfix.wait_for_log("550 5.1.1", SOON);
    outbox.wait_until_empty();
    for address in [ALICE, BOB] {
        outbox.inbox(address, 0);
    }
    assert_eq!(postfix.log().matches("from=<>").count(), 1, "one attempt:\n{}", postfix.log());
}

// ---- What was asked for (RFC 3461) ----

#[test]
fn who_never_wants_to_hear_hears_nothing() {
    let answers = [("nobody@out.test".to_owned(), "550 5.1.1 No such user here".to_owned())];
    let (mut outbox, server) = to_odd("never", Plan { answers: answers.into(), ..Plan::default() });
    outbox.submit_with("", &[("nobody@out.test", "NOTIFY=NEVER")], &short("never", "Hello."));
    server.wait_for_ends(1, SOON);
    outbox.wait_until_empty();
    outbox.inbox(ALICE, 0);
}

/// The next server does not know DSN: that it took the letter is all that can be reported (RFC 3461 §5.2.2).
#[test]
fn success_is_reported_where_the_next_server_does_not() {
    let postfix = Postfix::builder("mx.out.test").keeps("out.test").without("DSN").start();
    let outbox = to_postfix("success", &postfix);
    let recipient = ("far@out.test", "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;first@out.test");
    outbox.submit_with("RET=HDRS ENVID=QQ314159", &[recipient], &short("success", "Hello."));
    postfix.wait_for(1, SOON);
    let report = outbox.reports(1).remove(0);
    assert_eq!((report.only().action.as_str(), report.only().address.as_str()), ("relayed", "far@out.test"));
    assert!(report.only().status.starts_with("2."), "{report:?}");
    assert_eq!(report.envelope_id.as_deref(), Some("QQ314159"));
    let original = report.only().original.as_deref().unwrap_or_default();
    assert_eq!(original.replace(' ', ""), "rfc822;first@out.test");
}

/// The next server knows DSN: it gets all that was asked, and reports itself.
#[test]
fn what_is_asked_goes_on_to_a_server_that_knows_it() {
    let (mut outbox, server) = to_odd("passed-on", Plan::default());
    let recipient = ("far@out.test", "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;first@out.test");
    outbox.submit_with("RET=HDRS ENVID=QQ314159", &[recipient], &short("asked", "Hello."));
    let taken = server.wait_for(1, SOON).remove(0);
    for parameter in ["RET=HDRS", "ENVID=QQ314159"] {
        assert!(taken.mail.contains(parameter), "{taken:?}");
    }
    let recipient = &taken.recipients[0];
    assert!(recipient.contains("NOTIFY=SUCCESS,FAILURE"), "{recipient}");
    assert!(recipient.contains("ORCPT=rfc822;first@out.test"), "{recipient}");
    outbox.wait_until_empty();
    outbox.inbox(ALICE, 0);
}

// ---- Trouble that passes ----

#[test]
fn what_is_put_off_is_tried_again_until_it_is_taken() {
    let odd = vec![
        (Stage::Rcpt, Deed::reply("450 4.2.0 Greylisted, come back")),
        (Stage::Dot, Deed::reply("451 4.3.0 Out of order")),
        (Stage::Mail, Deed::reply("452 4.3.1 No room")),
    ];
    let tries = odd.len() + 1;
    let (mut outbox, server) = to_odd("put-off", Plan { odd, ..Plan::default() });
    let letter = short("put off", "Hello.");
    outbox.submit(&["far@out.test"], &letter);
    for connection in 1..tries {
        server.wait_for_ends(connection, SOON);
        assert!(outbox.listed().contains("far@out.test"));
        outbox.retry_now();
    }
    let taken = server.wait_for(1, SOON);
    assert_only_received_in_front(&taken[0].letter, &letter, 1);
    outbox.wait_until_empty();
    assert_eq!((server.accepted().len(), server.connections()), (1, tries));
    outbox.inbox(ALICE, 0);
}

/// The other side closes the connection, once at each stage. After that each letter arrives, and none twice: only where it
/// had the whole letter and said nothing is it sent again, byte for byte.
#[test]
fn a_connection_that_ends_anywhere_loses_and_doubles_nothing() {
    let mut stages = Stage::BEFORE_THE_REPLY.to_vec();
    stages.push(Stage::Quit);
    let leaf = own_leaf("outbound-stages");
    let servers: Vec<OddServer> = stages
        .iter()
        .map(|stage| OddServer::start(Plan { leaf: Some(leaf.clone()), ..Plan::first(*stage, Deed::Close) }))
        .collect();
    let mut tables = Tables::new();
    for (number, server) in servers.iter().enumerate() {
        tables = tables.route(&format!("stage{number}.test"), server.place, "opportunistic");
    }
    let mut outbox = Outbox::started("stages", &tables);
    let letter = |number: usize| numbered(number as u64, 5_000);
    for number in 0..stages.len() {
        outbox.submit(&[&format!("far@stage{number}.test")], &letter(number));
    }
    for server in &servers {
        server.wait_for_ends(1, SOON);
    }
    outbox.retry_now();
    for ((number, stage), server) in stages.iter().enumerate().zip(&servers) {
        let taken = server.wait_for(1, SOON);
        assert_only_received_in_front(&taken[0].letter, &letter(number), 1);
        outbox.wait_until_empty();
        assert_eq!(server.accepted().len(), 1, "{stage:?}");
        let copies = server.taken();
        assert_eq!(copies.len(), if *stage == Stage::Dot { 2 } else { 1 }, "{stage:?}");
        assert!(copies.iter().all(|copy| copy.letter == copies[0].letter), "{stage:?}");
        assert_eq!(server.message_ids().len(), 1, "{stage:?}");
    }
    outbox.inbox(ALICE, 0);
}

/// Replies that are none: the connection ends, the program goes on, the letter goes out at the next attempt.
#[test]
fn replies_that_are_none_harm_nothing() {
    let nonsense = [
        ("nul", Stage::Mail, Deed::Say(b"250 2.1.0 \0\0\0 Ok\0\r\n".to_vec())),
        ("line", Stage::Ehlo, Deed::NeverEnd),
        ("lines", Stage::Ehlo, Deed::LinesForever),
        ("greeting", Stage::Greeting, Deed::NeverEnd),
        ("binary", Stage::Rcpt, Deed::Say((0..=255).chain(*b"\r\n").collect())),
        ("slow", Stage::Ehlo, Deed::Slowly(Duration::from_millis(1))),
    ];
    let servers =
        nonsense.each_ref().map(|(_, stage, deed)| OddServer::start(Plan::first(*stage, deed.clone())));
    let mut tables = Tables::new();
    for ((name, ..), server) in nonsense.iter().zip(&servers) {
        tables = tables.route(&format!("{name}.test"), server.place, "none");
    }
    let mut outbox = Outbox::started("nonsense", &tables);
    for (name, ..) in &nonsense {
        outbox.submit(&[&format!("far@{name}.test")], &short(name, "Hello."));
    }
    for server in &servers {
        server.wait_for_ends(1, SOON);
    }
    outbox.retry_now();
    for ((name, ..), server) in nonsense.iter().zip(&servers) {
        let taken = server.wait_for(1, SOON);
        assert!(taken[0].letter.ends_with(&short(name, "Hello.")), "{name}");
    }
    outbox.wait_until_empty();
    outbox.inbox(ALICE, 0);
    let console = outbox.console();
    assert!(!console.contains("panicked"), "{console}");
}

/// What waits survives that the program is killed, and goes out once it can.
#[test]
fn what_waits_survives_a_kill() {
    const LETTERS: u64 = 20;
    let place = SocketAddr::from(([127, 0, 0, 1], tests::ports::free([127, 0, 0, 1].into()).port()));
    let mut outbox = Outbox::started("kill", &Tables::new().route("out.test", place, "none"));
    for number in 0..LETTERS {
        outbox.submit(&["far@out.test"], &numbered(number, 3_000));
    }
    outbox.cut();
    let server = OddServer::start_at(place, Plan::default());
    outbox.retry_now();
    server.wait_for(LETTERS as usize, SOON);
    outbox.wait_until_empty();
    let ids = server.message_ids();
    assert_eq!((ids.len(), server.taken().len()), (LETTERS as usize, LETTERS as usize), "{ids:?}");
}

// ---- Who may not ----

/// No configuration makes it an open relay: without a log-in nothing goes outside, whatever the sender is called.
#[test]
fn nobody_sends_without_a_log_in() {
    let (outbox, server) = to_odd("open-relay", Plan::default());
    let paths = [
        "far@out.test",
        "@example.test:far@out.test",
        "far%out.test@example.test",
        "\"far@out.test\"@example.test",
        "out.test!far@example.test",
    ];
    for service in [Service::Smtp, Service::Submission] {
        for sender in ["ann@client.test", ALICE, ""] {
            let mut smtp = match service {
                Service::Submission => Smtp::connect_tls(&outbox.site(), service),
                _ => Smtp::connect(&outbox.site(), service),
            };
            smtp.command(&format!("MAIL FROM:<{sender}>"));
            for path in paths {
                let reply = smtp.command(&format!("RCPT TO:<{path}>"));
                assert!(!reply.is_positive(), "{service:?}, <{sender}>, <{path}>: {}", reply.text());
            }
        }
    }
    assert_eq!(server.connections(), 0);
}

/// Nobody writes in another's name.
#[test]
fn an_account_sends_in_its_own_name() {
    let (outbox, _server) = to_odd("names", Plan::default());
    let mut smtp = Smtp::log_in(&outbox.site(), &named_account(ALICE));
    for sender in [BOB, "someone@elsewhere.test"] {
        let mail = smtp.command(&format!("MAIL FROM:<{sender}>"));
        let rcpt = smtp.command("RCPT TO:<far@out.test>");
        assert!(!mail.is_positive() || !rcpt.is_positive(), "{sender}: {} {}", mail.text(), rcpt.text());
        smtp.expect(250, "RSET");
    }
}
