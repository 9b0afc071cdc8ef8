//! A real Postfix as a client of the program; and that it, and the server that misbehaves by plan, do as the tests of
//! outbound mail will take for granted.

#![expect(clippy::panic, reason = "a test fails by panicking; so do its helpers")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tests::behaviours::{inbox, only_letter};
use tests::certificates::Authority;
use tests::clients::Smtp;
use tests::hosted::{Hosted, scratch};
use tests::letters::{JAPANESE, numbered, short};
use tests::oddserver::{Deed, OddServer, Plan, Stage};
use tests::postfix::{Postfix, Security, knows};
use tests::process::{Finished, run};
use tests::programs::{msmtp, swaks, swaks_trust};
use tests::shared::{Shared, Visit};
use tests::site::{Account, Service, Site};

static HOSTED: Shared<Hosted> = Shared::new(|| Hosted::start_new("postfix"));

/// From a 250 to the letter in its mailbox, through every process of Postfix.
const DELIVERY_MAX: Duration = Duration::from_secs(30);

fn office() -> Account {
    Account { address: "office".to_owned(), password: "pencil and paper".to_owned() }
}

// ---- Postfix alone ----

#[test]
fn what_swaks_sends_is_kept() {
    let postfix = Postfix::builder("mx.out.test").keeps("out.test, other.test").start();
    let [verify, path, authority] = swaks_trust(&postfix.site);
    let words = ["--to", "a@out.test,b@other.test", "--from", "ann@client.test", "--tls"];
    let words = [words.as_slice(), &[&verify, &path, &authority]].concat();
    swaks(&postfix.site, Service::Smtp, "kept", &words).success();
    let kept = postfix.wait_for(2, DELIVERY_MAX);
    let recipients: BTreeSet<&str> = kept.iter().map(|kept| kept.recipient.as_str()).collect();
    assert_eq!(recipients, BTreeSet::from(["a@out.test", "b@other.test"]));
    assert!(kept.iter().all(|kept| kept.sender == "ann@client.test"));
    assert!(kept[0].behind_received(1).starts_with(b"Date: "));
    assert_eq!(postfix.connections(), 1);
    let refused = swaks(&postfix.site, Service::Smtp, "kept", &["--to", "a@elsewhere.test"]);
    assert!(refused.text().contains("<** 454 4.7.1"), "{}", refused.all());
}

#[test]
fn letters_are_kept_byte_for_byte() {
    let postfix = Postfix::builder("mx.out.test").keeps("static:all").start();
    let mut smtp = Smtp::connect(&postfix.site, Service::Smtp);
    for (_, letter) in JAPANESE {
        smtp.letter("ann@client.test", &["a@anywhere.test"], letter);
    }
    let kept = postfix.wait_for(JAPANESE.len(), DELIVERY_MAX);
    let kept: BTreeSet<&[u8]> = kept.iter().map(|kept| kept.behind_received(1)).collect();
    assert!(kept == JAPANESE.iter().map(|(_, letter)| *letter).collect());
}

#[test]
fn it_takes_log_ins_by_every_mechanism() {
    assert!(knows("SCRAM-SHA-256"), "libsasl2-modules has no SCRAM-SHA-256");
    let postfix = Postfix::builder("smarthost.test")
        .keeps("static:all")
        .login(&office().address, &office().password)
        .mechanisms("PLAIN LOGIN SCRAM-SHA-256")
        .start();
    let mut count = 0;
    for service in [Service::Submission, Service::Submissions] {
        for mechanism in ["plain", "login", "scram-sha-256"] {
            let letter = short(&format!("by {mechanism}"), "Hello.");
            let test = format!("{mechanism}-{service:?}");
            msmtp(&postfix.site, service, &office(), mechanism, "far@away.test", &test, &letter).success();
            count += 1;
            let kept = postfix.wait_for(count, DELIVERY_MAX);
            let kept = &kept.last().expect("one at least").letter;
            assert!(String::from_utf8_lossy(kept).contains("with ESMTPSA"));
        }
    }
    let wrong = Account { password: "wrong".to_owned(), ..office() };
    let said = msmtp(&postfix.site, Service::Submission, &wrong, "plain", "far@away.test", "wrong", b"x\n");
    assert!(said.all().contains("535 5.7.8"), "{}", said.all());
    let said = swaks(&postfix.site, Service::Submission, "nobody", &["--tls", "--to", "far@away.test"]);
    assert!(said.text().contains(" 554 5.7.1 "), "{}", said.all());
}

#[test]
fn it_refuses_and_withholds_what_it_is_told_to() {
    let postfix = Postfix::builder("mx.out.test")
        .keeps("out.test")
        .answers("nobody@out.test", "550 5.1.1 No such user here")
        .answers("full@out.test", "452 4.2.2 Mailbox full")
        .refuses_text("cheap pills", "5.7.1 We do not want pills")
        .size_limit(50_000)
        .without("8BITMIME")
        .without("STARTTLS")
        .start();
    let mut smtp = Smtp::connect(&postfix.site, Service::Smtp);
    let said = smtp.command("EHLO client.test").lines;
    assert!(said.iter().any(|line| line == "SIZE 50000"), "{said:?}");
    assert!(said.iter().all(|line| line != "8BITMIME" && line != "STARTTLS"), "{said:?}");
    smtp.expect(250, "MAIL FROM:<ann@client.test>");
    let refused = smtp.expect(550, "RCPT TO:<nobody@out.test>");
    assert!(refused.text().contains("No such user here"), "{}", refused.text());
    smtp.expect(452, "RCPT TO:<full@out.test>");
    smtp.expect(250, "RSET");
    smtp.expect(552, "MAIL FROM:<ann@client.test> SIZE=50001");
    smtp.expect(250, "RSET");
    let pills = short("pills", "Buy cheap pills!");
    let reply = smtp.try_letter("ann@client.test", &["a@out.test"], &pills).expect("a reply");
    assert_eq!((reply.code, reply.text().contains("We do not want pills")), (550, true), "{}", reply.text());
    postfix.answer(&[("full@out.test", "552 5.2.2 Mailbox full")]);
    drop(smtp);
    let mut smtp = Smtp::connect(&postfix.site, Service::Smtp);
    smtp.expect(250, "MAIL FROM:<ann@client.test>");
    smtp.expect(552, "RCPT TO:<full@out.test>");
    smtp.expect(250, "RCPT TO:<nobody@out.test>");
}

#[test]
fn several_run_at_once_and_leave_nothing() {
    let first = Postfix::builder("one.test").keeps("one.test").start();
    let second = Postfix::builder("two.test").keeps("two.test").start();
    let folders = [first.site.folder.clone(), second.site.folder.clone()];
    let pid = first.pid();
    Smtp::connect(&first.site, Service::Smtp).letter("a@b.test", &["x@one.test"], &short("one", "1"));
    drop(first);
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    Smtp::connect(&second.site, Service::Smtp).letter("a@b.test", &["x@two.test"], &short("two", "2"));
    second.wait_for(1, DELIVERY_MAX);
    drop(second);
    assert!(folders.iter().all(|folder| !folder.exists()), "{folders:?}");
}

// ---- Postfix as a client of ours ----

/// A Postfix that sends on to the program, and a connection to it.
fn relay(site: &Site, security: Security) -> (Postfix, Smtp) {
    let postfix = Postfix::builder("relay.test")
        .relays_to(site, security)
        // A line beyond 998 bytes is against RFC 5321 §4.5.3.1.6, and is sent all the same.
        .setting("smtp_line_length_limit", "0")
        .start();
    let smtp = Smtp::connect(&postfix.site, Service::Smtp);
    (postfix, smtp)
}

/// What arrived is what was sent behind the trace lines of both servers, with nothing between.
#[track_caller]
fn assert_relayed(received: &[u8], sent: &[u8]) {
    let text = String::from_utf8_lossy(received).into_owned();
    assert!(received.ends_with(sent), "{text}");
    let trace = String::from_utf8_lossy(&received[..received.len() - sent.len()]).into_owned();
    let fields: Vec<&str> = trace.lines().filter(|line| !line.starts_with([' ', '\t'])).collect();
    let names: Vec<&str> = fields.iter().map(|line| line.split(':').next().unwrap_or_default()).collect();
    assert!(names.ends_with(&["Received", "Received"]), "{trace}");
    assert!(names.iter().all(|name| ["Return-Path", "Received"].contains(name)), "{trace}");
}

fn letters_arrive_as_postfix_sends_them(site: &Visit<Hosted>, security: Security) {
    let to = site.account();
    let (postfix, mut smtp) = relay(site, security);
    let dots = b"From: a@b.test\r\nDate: Sun, 22 Nov 2026 10:00:00 +0900\r\nMessage-ID: <dots@b.test>\r\n\
        To: you@example.test\r\nSubject: dots\r\n\r\n.\r\n..\r\n.x\r\n\r\nlast.\r\n"
        .to_vec();
    let long = short("long lines", &["a".repeat(998), "b".repeat(2_000), "c".repeat(20_000)].join("\r\n"));
    let mut sent: Vec<Vec<u8>> = JAPANESE.iter().map(|(_, letter)| letter.to_vec()).collect();
    sent.extend([dots, long, numbered(1, 300_000)]);
    for letter in &sent {
        smtp.letter("ann@client.test", &[&to.address], letter);
    }
    wait_for_sent(&postfix, sent.len());
    let mut received = inbox(site, &to, sent.len());
    // Postfix sends over several connections: the order is its own.
    for letter in &sent {
        let place = received.iter().position(|received| received.ends_with(letter));
        let place = place.unwrap_or_else(|| panic!("changed: {}", String::from_utf8_lossy(letter)));
        assert_relayed(&received.remove(place), letter);
    }
    let tls = postfix.log().contains("Verified TLS connection established to");
    assert!(tls || security == Security::None, "{}", postfix.log());
}

/// Waits until Postfix has given away so many.
#[track_caller]
fn wait_for_sent(postfix: &Postfix, count: usize) {
    let deadline = Instant::now() + DELIVERY_MAX;
    while postfix.log().matches("status=sent").count() < count {
        assert!(Instant::now() < deadline, "{}", postfix.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn letters_arrive_in_clear_as_postfix_sends_them() {
    letters_arrive_as_postfix_sends_them(&HOSTED.visit(), Security::None);
}

#[test]
fn letters_arrive_by_starttls_as_postfix_sends_them() {
    letters_arrive_as_postfix_sends_them(&HOSTED.visit(), Security::Verified);
}

/// One letter to several, one of whom nobody is: the others get it, and the sender gets Postfix's report, by us.
#[test]
fn a_refused_recipient_keeps_the_others_from_nothing() {
    let site = HOSTED.visit();
    let (from, one, two) = (site.account(), site.account(), site.account());
    let (postfix, mut smtp) = relay(&site, Security::Verified);
    let letter = short("for three", "Hello.");
    smtp.letter(&from.address, &[&one.address, "nobody@example.test", &two.address], &letter);
    // The two, and the report.
    wait_for_sent(&postfix, 3);
    for account in [&one, &two] {
        assert_relayed(&only_letter(&site, account), &letter);
    }
    let refused = postfix.wait_for_log("to=<nobody@example.test>", DELIVERY_MAX);
    assert!(refused.contains("dsn=5.1.1") && refused.contains("status=bounced"), "{refused}");
    let report = String::from_utf8_lossy(&only_letter(&site, &from)).into_owned();
    assert!(report.contains("report-type=delivery-status") && report.contains("nobody@example.test"));
}

/// Addresses beyond ASCII in both paths and in the header (RFC 6531).
#[test]
fn smtputf8_comes_through() {
    let site = HOSTED.visit();
    let to = site.account();
    let (postfix, mut smtp) = relay(&site, Security::Verified);
    let letter = "From: 佐藤 <佐藤@client.test>\r\nTo: you@example.test\r\nSubject: 手紙\r\n\
        Date: Sun, 22 Nov 2026 10:00:00 +0900\r\nMessage-ID: <utf8@client.test>\r\n\r\nこんにちは\r\n";
    smtp.expect(250, "MAIL FROM:<佐藤@client.test> SMTPUTF8 BODY=8BITMIME");
    smtp.expect(250, &format!("RCPT TO:<{}>", to.address));
    smtp.expect(354, "DATA");
    smtp.wire.send(&tests::clients::smtp::stuffed(letter.as_bytes())).expect("the connection is open");
    assert_eq!(smtp.reply().expect("a reply").code, 250);
    wait_for_sent(&postfix, 1);
    let received = only_letter(&site, &to);
    assert_relayed(&received, letter.as_bytes());
    let text = String::from_utf8_lossy(&received).into_owned();
    assert!(text.starts_with("Return-Path: <佐藤@client.test>\r\n"), "{text}");
}

/// A letter beyond what the program takes: Postfix sees it by SIZE, sends nothing, and reports it.
#[test]
fn a_letter_too_large_is_refused_before_it_travels() {
    let site = HOSTED.visit();
    let from = site.account();
    let postfix = Postfix::builder("relay.test").relays_to(&site, Security::None).size_limit(0).start();
    let mut smtp = Smtp::connect(&postfix.site, Service::Smtp);
    smtp.letter(&from.address, &[&from.address], &numbered(1, 51 << 20));
    let refused = postfix.wait_for_log("dsn=5.3.4", DELIVERY_MAX);
    assert!(refused.contains("status=bounced") && refused.contains("exceeds size limit"), "{refused}");
}

// ---- The odd server ----

fn swaks_odd(server: &OddServer, words: &[&str]) -> Finished {
    let place = server.place.to_string();
    let mut command = std::process::Command::new("/usr/bin/swaks");
    command.args(["--server", &place, "--helo", "client.test", "--from", "a@b.test", "--timeout", "2s"]);
    tests::packages::ensure();
    run(command.args(words), Duration::from_secs(30))
}

/// swaks ends with another status at each stage: it saw what the server did.
#[test]
fn the_odd_server_closes_where_it_is_told_and_then_does_right() {
    let folder = scratch().join("odd-tls");
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    let leaf = Authority::new(&folder).leaf(&["odd.test", "127.0.0.1"]);
    let server = OddServer::start(Plan {
        odd: Stage::BEFORE_THE_REPLY.map(|stage| (stage, Deed::Close)).to_vec(),
        leaf: Some(leaf),
        ..Plan::default()
    });
    let long = "x".repeat(5_000);
    for stage in Stage::BEFORE_THE_REPLY {
        let said = swaks_odd(&server, &["--to", "c@odd.test", "--tls", "--body", &long]);
        assert!(said.status != 0, "{stage:?}: {}", said.all());
    }
    assert_eq!(server.accepted(), []);
    assert_eq!(server.taken().len(), 1, "the last close came behind the dot");
    swaks_odd(&server, &["--to", "c@odd.test,d@odd.test", "--tls", "--body", ".dot"]).success();
    let taken = server.wait_for(1, DELIVERY_MAX).remove(0);
    assert_eq!((taken.mail.as_str(), taken.tls), ("<a@b.test>", true));
    assert_eq!(taken.recipients, ["<c@odd.test>", "<d@odd.test>"]);
    assert!(String::from_utf8_lossy(&taken.letter).contains("\r\n\r\n.dot\r\n"), "{taken:?}");
    assert_eq!((server.connections(), server.message_ids().len()), (9, 2));
}

#[test]
fn the_odd_server_says_what_it_is_told() {
    let server = OddServer::start(Plan {
        odd: vec![
            (Stage::Rcpt, Deed::reply("450 4.2.0 Later")),
            (Stage::Dot, Deed::reply("451 4.3.0 Later")),
            (Stage::Ehlo, Deed::Say(b"250 odd\0test\r\n".to_vec())),
            (Stage::Mail, Deed::Slowly(Duration::from_millis(1))),
            (Stage::Dot, Deed::Silence),
            (Stage::Greeting, Deed::NeverEnd),
        ],
        answers: [("no@odd.test".to_owned(), "550 5.1.1 No".to_owned())].into(),
        ..Plan::default()
    });
    let words = ["--to", "c@odd.test"];
    assert!(swaks_odd(&server, &words).text().contains("<** 450 4.2.0 Later"));
    assert!(swaks_odd(&server, &words).text().contains("<** 451 4.3.0 Later"));
    swaks_odd(&server, &words).success();
    let slow = swaks_odd(&server, &["--to", "c@odd.test,no@odd.test"]);
    assert!(
        slow.text().contains("<-  250-two") && slow.text().contains("<** 550 5.1.1 No"),
        "{}",
        slow.all()
    );
    assert!(swaks_odd(&server, &words).status != 0, "it never answered");
    assert!(swaks_odd(&server, &words).status != 0, "it greeted without end");
    let kept: Vec<bool> = server.taken().iter().map(|taken| taken.accepted).collect();
    assert_eq!(kept, [false, true, true, false]);
    assert_eq!(server.taken()[2].recipients, ["<c@odd.test>"]);
}
