//! Port 25: mail from anyone for the people of this house, and for nobody else.

use super::{inbox, only_letter};
use crate::clients::Smtp;
use crate::ledger::Ledger;
use crate::letters::{numbered, short};
use crate::load::Load;
use crate::programs::{curl, python, swaks, swaks_trust, url};
use crate::provision;
use crate::site::{Service, Site};

const SENDER: &str = "ann@client.test";

/// The whole promise in one letter: swaks is answered 250, and the letter is read back by IMAP and by POP3.
pub fn swaks_delivers_and_curl_reads_it_back(site: &Site) {
    let account = site.account();
    let words = [
        "--to",
        &account.address,
        "--from",
        SENDER,
        "--header",
        "Subject: First letter",
        "--body",
        "Hello, box.",
    ];
    let said = swaks(site, Service::Smtp, "swaks-25", &words).success();
    assert!(said.text().contains("<-  250"), "{}", said.all());
    only_letter(site, &account);
    let imap = curl(site, &account, &[&url(site, "imaps", Service::Imaps, "INBOX/;MAILINDEX=1")]).success();
    let pop3 = curl(site, &account, &[&url(site, "pop3s", Service::Pop3s, "1")]).success();
    assert!(imap.text().contains("Subject: First letter"), "{}", imap.all());
    assert!(imap.text().contains("\r\nHello, box.\r\n"), "{}", imap.all());
    assert_eq!(imap.text(), pop3.text());
}

/// STARTTLS on port 25 with a certificate that swaks can verify.
pub fn swaks_delivers_after_starttls(site: &Site) {
    let account = site.account();
    let [verify, path, authority] = swaks_trust(site);
    let words = ["--to", &account.address, "--from", SENDER, "--tls", &verify, &path, &authority];
    let said = swaks(site, Service::Smtp, "swaks-25-tls", &words).success();
    assert!(said.text().contains("=== TLS started"), "{}", said.all());
    only_letter(site, &account);
}

/// The greeting names the host; EHLO lists what the standards call by these words, and AUTH only behind TLS.
pub fn the_greeting_and_ehlo_say_what_is_there(site: &Site) {
    let mut smtp = Smtp::try_connect(site, Service::Smtp).expect("a greeting");
    let plain = smtp.expect(250, "EHLO client.test").lines;
    for keyword in [
        "PIPELINING",
        "LIMITS RCPTMAX=1000",
        "8BITMIME",
        "BINARYMIME",
        "CHUNKING",
        "SMTPUTF8",
        "DSN",
        "ENHANCEDSTATUSCODES",
        "STARTTLS",
    ] {
        assert!(plain.iter().any(|line| line == keyword), "{keyword} is not in {plain:?}");
    }
    assert!(plain.contains(&format!("SIZE {}", provision::MESSAGE_SIZE)), "{plain:?}");
    assert!(plain[0].starts_with(&site.hostname), "{plain:?}");
    let mut submission = Smtp::connect(site, Service::Submission);
    if !site.plain_passwords {
        let before = submission.expect(250, "EHLO client.test").lines;
        assert!(!before.iter().any(|line| line.starts_with("AUTH")), "{before:?}");
    }
    submission.expect(220, "STARTTLS");
    submission.wire = submission.wire.into_tls(site).expect("TLS starts");
    let secured = submission.expect(250, "EHLO client.test").lines;
    assert!(
        !plain.contains(&"REQUIRETLS".to_owned()) && secured.contains(&"REQUIRETLS".to_owned()),
        "{secured:?}"
    );
    let methods = secured.iter().find(|line| line.starts_with("AUTH ")).expect("AUTH is offered");
    assert!(methods.contains("PLAIN") && methods.contains("LOGIN"), "{methods}");
    assert!(!secured.contains(&"STARTTLS".to_owned()), "RFC 3207 §4.2: not again: {secured:?}");
    submission.expect(221, "QUIT");
}

/// Every old way to make a server pass mail on: refused, with 5yz, and nothing is delivered anywhere.
pub fn nobody_relays(site: &Site) {
    let account = site.account();
    let local = account.local_part();
    let attempts = [
        "victim@elsewhere.test".to_owned(),
        format!("victim%elsewhere.test@{}", provision::DOMAIN),
        format!("@{}:victim@elsewhere.test", provision::DOMAIN),
        format!("elsewhere.test!victim@{}", provision::DOMAIN),
        format!("\"victim@elsewhere.test\"@{}", provision::DOMAIN),
        format!("{}@elsewhere.test", account.address),
        format!("{local}@{}.elsewhere.test", provision::DOMAIN),
        "victim@[192.0.2.1]".to_owned(),
        "victim".to_owned(),
    ];
    for sender in [SENDER, "", &account.address] {
        for recipient in &attempts {
            let mut smtp = Smtp::connect(site, Service::Smtp);
            smtp.expect(250, &format!("MAIL FROM:<{sender}>"));
            let reply = smtp.command(&format!("RCPT TO:<{recipient}>"));
            assert!(reply.code / 100 == 5, "`{recipient}` from `{sender}`: {} {}", reply.code, reply.text());
            assert!(smtp.command("DATA").code / 100 == 5, "`{recipient}`: no recipient, no data");
        }
    }
    inbox(site, &account, 0);
}

/// 550 at RCPT, before any data, and the transaction goes on for the recipient that exists.
pub fn unknown_recipients_are_refused(site: &Site) {
    let account = site.account();
    let mut smtp = Smtp::connect(site, Service::Smtp);
    smtp.expect(250, &format!("MAIL FROM:<{SENDER}>"));
    let reply = smtp.expect(550, &format!("RCPT TO:<nobody-of-that-name@{}>", provision::DOMAIN));
    assert!(reply.text().starts_with("5.1.1 "), "{}", reply.text());
    smtp.expect(250, &format!("RCPT TO:<{}>", account.address.to_uppercase()));
    smtp.expect(354, "DATA");
    smtp.expect(250, "Subject: for one\r\n\r\nHello.\r\n.");
    only_letter(site, &account);
}

/// `Return-Path:` and `Received:` stand in front, `for` only where one recipient is no secret from another, and the
/// time is that of the box's own zone.
pub fn trace_lines_say_who_when_and_for_whom(site: &Site) {
    let (one, two) = (site.account(), site.account());
    let letter = short("traced", "Hello.");
    let mut smtp = Smtp::connect(site, Service::Smtp);
    smtp.letter(SENDER, &[&one.address], &letter);
    smtp.letter("", &[&one.address, &two.address], &letter);
    let received = inbox(site, &one, 2);
    let [alone, together] =
        [&received[0], &received[1]].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(received[0].ends_with(&letter), "{alone}");
    assert!(alone.starts_with(&format!("Return-Path: <{SENDER}>\r\n")), "{alone}");
    assert!(together.starts_with("Return-Path: <>\r\n"), "{together}");
    let trace = alone.split("From: Ann").next().unwrap_or_default();
    assert!(trace.contains("\r\nReceived: from client.test "), "{trace}");
    assert!(trace.contains(&format!("by {}", site.hostname)), "{trace}");
    assert!(trace.contains(&format!("for <{}>", one.address)), "{trace}");
    assert!(trace.contains("ESMTP"), "{trace}");
    assert!(trace.contains("+0900"), "the zone of the provision file: {trace}");
    assert!(!together.contains("for <"), "{together}");
    assert!(inbox(site, &two, 1)[0].ends_with(&letter));
}

/// One letter to an alias is one letter for each of its targets, and one only where it is addressed twice.
pub fn an_alias_reaches_every_target(site: &Site) {
    let accounts = provision::ALIAS_TARGETS.map(provision::named_account);
    let mut smtp = Smtp::connect(site, Service::Smtp);
    smtp.letter(SENDER, &[provision::ALIAS], &short("to the alias", "Hello."));
    for account in &accounts {
        only_letter(site, account);
    }
    smtp.letter(SENDER, &[provision::ALIAS, provision::ALIAS_TARGETS[0]], &short("both ways", "Hello."));
    for account in &accounts {
        inbox(site, account, 2);
    }
}

/// Whatever name of the second domain: it is taken, by one account.
pub fn a_catch_all_catches(site: &Site) {
    let catcher = provision::named_account(provision::CATCH_ALL_ACCOUNT);
    let mut smtp = Smtp::connect(site, Service::Smtp);
    smtp.letter(
        SENDER,
        &[&format!("any-name-at-all@{}", provision::SECOND_DOMAIN)],
        &short("caught", "Hello."),
    );
    only_letter(site, &catcher);
}

/// Lines of dots, lines of the full length that the standard allows, and an empty body: all as they were sent.
pub fn dots_and_long_lines_arrive_as_sent(site: &Site) {
    let account = site.account();
    let long = "x".repeat(998);
    let letters = [
        short("dots", ".\r\n..\r\n.a\r\n\r\n. \r\n.."),
        short("long", &format!("{long}\r\n.{}\r\n{long}", "y".repeat(997))),
        b"Subject: no body at all\r\n\r\n".to_vec(),
        b"Subject: not even an empty line\r\n".to_vec(),
        b"\r\nno header\r\n".to_vec(),
    ];
    let mut smtp = Smtp::connect(site, Service::Smtp);
    for letter in &letters {
        smtp.letter(SENDER, &[&account.address], letter);
    }
    for (received, sent) in inbox(site, &account, letters.len()).iter().zip(&letters) {
        assert!(received.ends_with(sent), "{}", String::from_utf8_lossy(received));
    }
}

/// RFC 2920: a whole envelope, a wrong command in it, and the next envelope in one packet, answered in order.
pub fn pipelined_commands_are_answered_in_order(site: &Site) {
    let account = site.account();
    let mut smtp = Smtp::connect(site, Service::Smtp);
    let to = &account.address;
    let sent = format!(
        "MAIL FROM:<{SENDER}>\r\nRCPT TO:<{to}>\r\nRCPT TO:<nobody@elsewhere.test>\r\nRSET\r\n\
         MAIL FROM:<{SENDER}>\r\nNONSENSE\r\nRCPT TO:<{to}>\r\nDATA\r\n"
    );
    smtp.wire.send(sent.as_bytes()).expect("the connection is open");
    let codes: Vec<u16> = (0..8).map(|_| smtp.reply().expect("a reply to each").code / 100).collect();
    assert_eq!(codes, [2, 2, 5, 2, 2, 5, 2, 3]);
    smtp.expect(250, "Subject: pipelined\r\n\r\nHello.\r\n.");
    only_letter(site, &account);
}

/// RFC 3030, driven by Python's smtplib: a letter in chunks, one after another and all at once, with what would be its end
/// by DATA in it; chunks that are refused; a letter of any bytes.
pub fn smtplib_sends_letters_in_chunks(site: &Site) {
    let account = site.account();
    python(site, "smtp_chunks.py", &account).success();
    let received = inbox(site, &account, 3);
    for letter in &received[..2] {
        assert!(letter.ends_with(b"Subject: chunks\r\n\r\n.\r\nQUIT\r\n..\r\nno line end"));
    }
    let every_byte: Vec<u8> = (0..=255).collect();
    assert!(received[2].ends_with(&[&b"Subject: binary\r\n\r\n"[..], &every_byte.repeat(300)].concat()));
}

/// A mailbox of 1 MiB: what can never fit, what does not fit now, and what is there stays.
pub fn a_full_mailbox_refuses_and_keeps_what_it_has(site: &Site) {
    let small = provision::named_account(provision::SMALL_ACCOUNT);
    let mut smtp = Smtp::connect(site, Service::Smtp);
    smtp.expect(250, &format!("MAIL FROM:<{SENDER}> SIZE={}", provision::SMALL_QUOTA * 2));
    let early = smtp.command(&format!("RCPT TO:<{}>", small.address));
    assert!([452, 552].contains(&early.code), "at RCPT, from SIZE: {} {}", early.code, early.text());
    smtp.expect(250, "RSET");
    let size = provision::SMALL_QUOTA / 8;
    let mut kept = 0;
    let refusal = loop {
        let letter = numbered(kept as u64, size);
        let reply = smtp.try_letter(SENDER, &[&small.address], &letter).expect("the connection stays");
        if reply.code != 250 {
            break reply;
        }
        kept += 1;
        assert!(kept <= 8, "{kept} letters of an eighth of the room each are in it");
    };
    assert!([452, 552].contains(&refusal.code), "{} {}", refusal.code, refusal.text());
    assert!(kept >= 6, "it refuses after {kept} letters of an eighth of the room each");
    for (number, letter) in inbox(site, &small, kept).iter().enumerate() {
        assert!(letter.ends_with(&numbered(number as u64, size)), "letter {number}");
    }
    smtp.command("RSET");
    smtp.expect(250, &format!("MAIL FROM:<{SENDER}>"));
}

/// Japanese carriers issued addresses that RFC 5321 does not allow; mail from them is ordinary mail. So is mail with
/// an address outside ASCII (RFC 6531).
pub fn addresses_that_carriers_issued_are_taken(site: &Site) {
    let account = site.account();
    let mut smtp = Smtp::connect(site, Service::Smtp);
    for sender in ["a..b@carrier.test", "taro.@carrier.test", ".-taro-.@carrier.test"] {
        smtp.letter(sender, &[&account.address], &short("from a phone", "Hello."));
    }
    smtp.expect(250, "MAIL FROM:<用户@例え.test> SMTPUTF8 BODY=8BITMIME");
    smtp.expect(250, &format!("RCPT TO:<{}>", account.address));
    smtp.expect(354, "DATA");
    smtp.expect(250, "Subject: 国際化\r\n\r\nHello.\r\n.");
    let received = inbox(site, &account, 4);
    assert!(received[0].starts_with(b"Return-Path: <a..b@carrier.test>\r\n"));
    assert!(String::from_utf8_lossy(&received[3]).starts_with("Return-Path: <用户@例え.test>\r\n"));
}

/// A connection that breaks inside the data leaves nothing behind, and neither does RSET.
pub fn a_broken_off_letter_is_nobodys(site: &Site) {
    let account = site.account();
    let letter = numbered(1, 200_000);
    for cut in [0, 1_000, letter.len() - 1, letter.len()] {
        let mut smtp = Smtp::connect(site, Service::Smtp);
        smtp.expect(250, &format!("MAIL FROM:<{SENDER}>"));
        smtp.expect(250, &format!("RCPT TO:<{}>", account.address));
        smtp.expect(354, "DATA");
        smtp.wire.send(&letter[..cut]).expect("the connection is open");
    }
    let mut smtp = Smtp::connect(site, Service::Smtp);
    smtp.expect(250, &format!("MAIL FROM:<{SENDER}>"));
    smtp.expect(250, "RSET");
    smtp.letter(SENDER, &[&account.address], &short("the only one", "Hello."));
    assert!(only_letter(site, &account).ends_with(&short("the only one", "Hello.")));
}

/// One connection, many transactions, each for somebody else.
pub fn several_letters_on_one_connection(site: &Site) {
    let accounts = [site.account(), site.account(), site.account()];
    let mut smtp = Smtp::connect(site, Service::Smtp);
    for number in 0..9 {
        smtp.letter(SENDER, &[&accounts[number % 3].address], &numbered(number as u64, 3_000));
    }
    smtp.expect(221, "QUIT");
    for (first, account) in accounts.iter().enumerate() {
        for (turn, letter) in inbox(site, account, 3).iter().enumerate() {
            assert!(letter.ends_with(&numbered((turn * 3 + first) as u64, 3_000)));
        }
    }
}

/// Eight senders, two recipients of each letter: every letter is in both mailboxes, once, whole.
pub fn eight_senders_at_once_lose_and_double_nothing(site: &Site) {
    let accounts = [site.account(), site.account()];
    let ledger = Ledger::default();
    let load = Load {
        clients: 8,
        sizes: vec![700, 8_192, 70_000],
        to: accounts.iter().map(|account| account.address.clone()).collect(),
        logins: Vec::new(),
        letters: Some(10),
        time: site.patient(60),
        may_be_full: false,
    };
    let delivered = ledger.deliver(site, &load);
    assert_eq!(delivered.letters, 80, "{}", delivered.broken.join("\n"));
    for account in &accounts {
        inbox(site, account, 80);
        ledger.verify(site, account, true);
    }
}
