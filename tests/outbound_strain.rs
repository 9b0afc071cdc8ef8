//! Outbound mail under strain: servers whose replies are none, of which the log must say so in one clear line each; a
//! hundred thousand recipients; and letters that ask for what not every server can do.

use std::ops::RangeInclusive;
use tests::certificates::Authority;
use tests::clients::Smtp;
use tests::clients::smtp::stuffed;
use tests::hosted::scratch;
use tests::letters::short;
use tests::oddserver::{Deed, OddServer, Plan, Stage};
use tests::outbound::{ALICE, Outbox, SOON, Tables, assert_only_received_in_front};
use tests::provision::named_account;
use tests::site::Service;

/// Memory that the program may need for any of this, in KiB, as tests/limits.rs has it.
const PSS_KIB_MAX: u64 = 32 * 1024;

/// What servers do wrong is one line with the letter, the server and what it did, and nothing of it gets into the log raw.
#[test]
fn the_log_says_what_servers_did_wrong() {
    let wrongs = [
        (
            "nul",
            Stage::Mail,
            Deed::Say(b"250 2.1.0 \0\0\0 Ok\0\r\n".to_vec()),
            "has taken the letter: 250 2.0.0",
        ),
        ("line", Stage::Ehlo, Deed::NeverEnd, "broke the protocol at Hello"),
        ("lines", Stage::Ehlo, Deed::LinesForever, "broke the protocol at Hello"),
        ("greeting", Stage::Greeting, Deed::NeverEnd, "broke the protocol at Greeting"),
        (
            "binary",
            Stage::Rcpt,
            Deed::Say((0..=255).chain(*b"\r\n").collect()),
            "broke the protocol at Recipient",
        ),
        ("escape", Stage::Mail, Deed::Say(b"550 5.7.1 \x1b[2J\x07no\r\n".to_vec()), "said: 550 5.7.1"),
        ("dot", Stage::Dot, Deed::Close, "no answer came to the whole letter: it may have arrived"),
    ];
    let servers =
        wrongs.each_ref().map(|(_, stage, deed, _)| OddServer::start(Plan::first(*stage, deed.clone())));
    let mut tables = Tables::new();
    for ((name, ..), server) in wrongs.iter().zip(&servers) {
        tables = tables.route(&format!("{name}.test"), server.place, "none");
    }
    let mut outbox = Outbox::started("wrongs", &tables);
    let highest = outbox.highest_pss_kib(|outbox| {
        for (name, ..) in &wrongs {
            outbox.submit(&[&format!("far@{name}.test")], &short(name, "Hello."));
        }
        for (name, _, _, said) in &wrongs {
            let line = outbox.wait_until_logged(&format!("far@{name}.test: "));
            assert!(line.contains("127.0.0.1") && line.contains(said), "{line}");
        }
    });
    let console = outbox.console();
    let is_plain = |byte: u8| byte == b'\n' || (byte >= b' ' && byte != 0x7f);
    assert!(console.bytes().all(is_plain) && !console.contains("panicked"), "{console:?}");
    assert!(highest < PSS_KIB_MAX, "{highest} KiB");
    // And so does the list.
    let listed = outbox.wait_until_listed("no answer came to the whole letter");
    assert!(listed.contains("broke the protocol"), "{listed}");
}

/// Somebody who has logged in names a hundred thousand recipients: a letter takes a thousand, more must be divided
/// (452 4.5.3), a connection that goes on in spite of it ends, and nothing of it piles up in memory.
#[test]
fn a_hundred_thousand_recipients_are_bounded() {
    const NAMED: usize = 100_000;
    const TAKEN_MAX: usize = 1_000;
    const CONNECTION: RangeInclusive<usize> = 1_000..=20_000;
    let server = OddServer::start(Plan { keeps: false, ..Plan::default() });
    let outbox = Outbox::started("recipients", &Tables::new().route("out.test", server.place, "none"));
    let (mut connections, mut most) = (0, 0);
    let highest = outbox.highest_pss_kib(|outbox| {
        let mut named = 0;
        while named < NAMED {
            let mut smtp = Smtp::log_in(&outbox.site(), &named_account(ALICE));
            connections += 1;
            smtp.expect(250, &format!("MAIL FROM:<{ALICE}>"));
            let mut taken = 0;
            let before = named;
            while named < NAMED {
                named += 1;
                let Ok(reply) = smtp.try_command(&format!("RCPT TO:<far{named}@out.test>")) else { break };
                match reply.code {
                    250 => taken += 1,
                    452 => {}
                    421 => break,
                    // What the account may send is used up for a while.
                    450 => {}
                    _ => panic!("{}", reply.text()),
                }
            }
            assert!(CONNECTION.contains(&(named - before)) || named == NAMED, "{}", named - before);
            most = most.max(taken);
        }
    });
    assert_eq!(most, TAKEN_MAX);
    assert!(connections > 1);
    assert!(highest < PSS_KIB_MAX, "{highest} KiB");
    outbox.wait_until_logged("to more people at other servers than anybody needs to");
    assert_eq!(server.connections(), 0, "no letter was finished");
}

/// Too many recipients of one letter hear 452 4.5.3 each, and the letter goes to those that were taken (RFC 5321
/// §4.5.3.1.10).
#[test]
fn who_is_too_many_is_put_off_and_the_others_get_the_letter() {
    let server = OddServer::start(Plan { keeps: false, ..Plan::default() });
    let mut outbox = Outbox::started("too-many", &Tables::new().route("out.test", server.place, "none"));
    let mut smtp = Smtp::log_in(&outbox.site(), &named_account(ALICE));
    smtp.expect(250, &format!("MAIL FROM:<{ALICE}>"));
    for number in 0..1_000 {
        smtp.expect(250, &format!("RCPT TO:<far{number}@out.test>"));
    }
    for number in 1_000..1_010 {
        let reply = smtp.expect(452, &format!("RCPT TO:<far{number}@out.test>"));
        assert!(reply.text().contains("4.5.3"), "{}", reply.text());
    }
    smtp.expect(354, "DATA");
    smtp.wire.send(&stuffed(&short("many", "Hello."))).expect("the connection is open");
    assert_eq!(smtp.reply().expect("a reply to the final dot").code, 250);
    // A hundred recipients in each transaction.
    server.wait_for(10, SOON);
    outbox.wait_until_empty();
    assert_eq!(server.count(), 10);
}

/// FUTURERELEASE (RFC 4865): the letter waits here, is listed so, and goes only when the administrator wants it.
#[test]
fn a_letter_for_later_is_not_sent_before() {
    let server = OddServer::start(Plan::default());
    let mut outbox = Outbox::started("later", &Tables::new().route("out.test", server.place, "none"));
    let letter = short("later", "Happy new year.");
    outbox.submit_with("HOLDFOR=3600", &[("far@out.test", "")], &letter);
    // What is submitted after it has gone first.
    outbox.submit(&["now@out.test"], &short("now", "Hello."));
    assert!(server.wait_for(1, SOON)[0].recipients[0].contains("now@out.test"));
    let listed = outbox.wait_until_listed("not before 20");
    assert!(listed.contains("far@out.test  not before 20"), "{listed}");
    assert_eq!(server.taken().len(), 1);
    outbox.retry_now();
    let taken = server.wait_for(2, SOON);
    assert_only_received_in_front(&taken[1].letter, &letter, 1);
    outbox.wait_until_empty();
    outbox.inbox(ALICE, 0);
}

/// REQUIRETLS (RFC 8689): over a connection whose other end has proved its name, to a server that keeps to it as well;
/// otherwise back to the sender, and not a byte of the letter on its way.
#[test]
fn a_letter_that_needs_tls_all_the_way_goes_no_other() {
    let folder = scratch().join("outbound-requiretls");
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    let authority = Authority::new(&folder);
    let leaf = authority.leaf(&["127.0.0.1"]);
    let trusted = std::fs::read_to_string(authority.certificate()).expect("an own file can be read");
    let knowing = Plan {
        keywords: ["PIPELINING", "8BITMIME", "REQUIRETLS"].map(str::to_owned).to_vec(),
        leaf: Some(leaf.clone()),
        ..Plan::default()
    };
    let (good, unknowing, clear) = (
        OddServer::start(knowing.clone()),
        OddServer::start(Plan { leaf: Some(leaf), ..Plan::default() }),
        OddServer::start(Plan::default()),
    );
    let unproved = OddServer::start(knowing);
    let tables = Tables::new()
        .trusted_route("good.test", good.place, &trusted)
        .trusted_route("unknowing.test", unknowing.place, &trusted)
        .route("unproved.test", unproved.place, "opportunistic")
        .route("clear.test", clear.place, "opportunistic");
    let mut outbox = Outbox::started("requiretls", &tables);
    let letter = short("secret", "Hello.");
    outbox.submit_with("REQUIRETLS", &[("far@good.test", "")], &letter);
    let taken = good.wait_for(1, SOON).remove(0);
    assert!(taken.tls && taken.mail.contains("REQUIRETLS"), "{taken:?}");
    for (number, server) in ["unknowing", "unproved", "clear"].into_iter().enumerate() {
        let address = format!("far@{server}.test");
        outbox.submit_with("REQUIRETLS", &[(&address, "")], &letter);
        let reports = outbox.reports(number + 1);
        let of = reports.last().expect("as many as letters").only();
        let said = (of.address.as_str(), of.action.as_str(), of.status.as_str());
        assert_eq!(said, (address.as_str(), "failed", "5.7.30"), "{reports:?}");
    }
    outbox.wait_until_empty();
    for server in [unknowing, unproved, clear] {
        assert!(!server.commands().iter().any(|line| line.starts_with("MAIL")), "{:?}", server.commands());
    }
    // In clear nobody can ask for it (RFC 8689 §2).
    let mut smtp = Smtp::connect(&outbox.site(), Service::Smtp);
    assert!(!smtp.command("MAIL FROM:<ann@client.test> REQUIRETLS").is_positive());
}
