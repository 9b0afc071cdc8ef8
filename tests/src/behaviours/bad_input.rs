//! What no honest client sends: each gets an error that says so, and the others are served meanwhile.

use super::{inbox, only_letter};
use crate::clients::{Imap, Pop3, Smtp, Wire};
use crate::letters::{Random, numbered, short};
use crate::site::{Account, Service, Site};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const SENDER: &str = "ann@client.test";

/// Services that speak without TLS first, with a line that each answers positively whatever came before.
const PLAIN: [(Service, &str); 4] = [
    (Service::Smtp, "NOOP"),
    (Service::Submission, "NOOP"),
    (Service::Imap, "x NOOP"),
    (Service::Pop3, "CAPA"),
];

/// A letter delivered and read back: the server serves.
fn serves(site: &Site) {
    let account = site.account();
    Smtp::connect(site, Service::Smtp).letter(SENDER, &[&account.address], &short("still there", "Hello."));
    only_letter(site, &account);
}

/// A connection behind its greeting.
fn greeted(site: &Site, service: Service) -> Wire {
    let mut wire = Wire::connect(site, service).unwrap_or_else(|error| panic!("{service:?}: {error}"));
    wire.line().unwrap_or_else(|error| panic!("{service:?} does not greet: {error}"));
    wire
}

/// Wrong words, wrong order, wrong arguments, no words at all: an error each, and the connection goes on.
pub fn wrong_commands_are_answered_and_the_connection_kept(site: &Site) {
    let account = site.account();
    let mut smtp = Smtp::connect(site, Service::Smtp);
    for line in [
        "NONSENSE",
        "RCPT TO:<x@example.test>",
        "DATA",
        "MAIL FROM:<unclosed@client.test",
        "MAIL FROM:<a@b.test> SIZE=x",
        "\u{7f}",
    ] {
        let reply = smtp.command(line);
        assert!(reply.code / 100 == 5, "`{line}`: {} {}", reply.code, reply.text());
        assert!(reply.text().split_whitespace().count() >= 3, "`{line}`: a sentence: {}", reply.text());
    }
    smtp.letter(SENDER, &[&account.address], &short("after errors", "Hello."));

    let mut imap = Imap::try_connect(site, Service::Imaps).expect("a greeting");
    for line in ["NONSENSE", "SELECT INBOX", "FETCH 1 FLAGS", "LOGIN onlyone", "IDLE"] {
        let answer = imap.command(line);
        assert!(answer.status == "BAD" || answer.status == "NO", "`{line}`: {answer:?}");
    }
    let mut imap = Imap::select(site, &account, "INBOX");
    for line in [
        "FETCH",
        "FETCH abc FLAGS",
        "FETCH 1 (",
        "SEARCH (((((",
        "STORE 1 FLAGS (\\",
        "UID",
        "FETCH 1 BODY[99999999999999999999]",
    ] {
        imap.refused("BAD", line);
    }
    imap.refused("NO", "SELECT \"no such mailbox\"");
    assert_eq!(imap.command("NOOP").status, "OK");

    let mut pop3 = Pop3::try_connect(site, Service::Pop3s).expect("a greeting");
    for line in ["NONSENSE", "RETR 1", "PASS before-user", "USER"] {
        pop3.refused(line);
    }
    let mut pop3 = Pop3::log_in(site, &account);
    for line in ["RETR 99999999999999999999", "RETR 0", "TOP 1 -1", "TOP 1", "DELE x", "LIST 2", "RETR"] {
        pop3.refused(line);
    }
    assert_eq!(pop3.numbers(), [1]);
}

/// A line of 100 KiB gets an error and the connection goes on or ends with a word; one of 16 MiB ends it, and neither
/// is kept in memory.
pub fn over_long_lines_are_refused(site: &Site) {
    for (service, harmless) in PLAIN {
        let mut wire = greeted(site, service);
        wire.send(&[&[b'a'; 100 * 1024], b"\r\n".as_slice()].concat()).ok();
        let refusal =
            wire.line().unwrap_or_else(|error| panic!("{service:?} says nothing to a long line: {error}"));
        let refusal = String::from_utf8_lossy(&refusal).into_owned();
        assert!(is_refusal(&refusal), "{service:?}: {refusal}");
        let goes_on = wire.send(format!("{harmless}\r\n").as_bytes()).is_ok() && wire.line().is_ok();
        // POP3 has no word for a farewell; the others say it before they close.
        let farewell = refusal.starts_with("421") || refusal.contains("BYE") || refusal.starts_with("-ERR");
        assert!(goes_on || farewell, "{service:?} closed after {refusal}");

        let mut wire = greeted(site, service);
        for _ in 0..256 {
            if wire.send(&[b'a'; 64 * 1024]).is_err() {
                break;
            }
        }
    }
    serves(site);
}

/// A refusal in any of the protocols.
fn is_refusal(line: &str) -> bool {
    line.starts_with(['4', '5']) || line.starts_with("-ERR") || line.contains(" BAD ") || line.contains("BYE")
}

/// Sizes that no letter has: refused without a `+`, so that a good client never begins to send.
pub fn a_literal_of_4_gib_is_refused(site: &Site) {
    let account = site.account();
    for size in ["4294967296", "4294967295", "18446744073709551616", "99999999999999999999999999"] {
        let mut imap = Imap::select(site, &account, "INBOX");
        for command in ["APPEND INBOX", "SEARCH SUBJECT", "LOGIN", "CREATE"] {
            let answer = imap.command(&format!("{command} {{{size}}}"));
            assert!(answer.status == "NO" || answer.status == "BAD", "{command} {size}: {answer:?}");
        }
        imap.ok("NOOP");
        // Without a continuation the client sends at once: what follows is refused, or the connection ends.
        let mut imap = Imap::select(site, &account, "INBOX");
        let tag = imap.start(&format!("APPEND INBOX {{{size}+}}")).expect("the connection is open");
        imap.wire.send(&[b'x'; 64 * 1024]).ok();
        if let Ok(answer) = imap.answer(&tag) {
            assert!(answer.status == "NO" || answer.status == "BAD", "{size}: {answer:?}");
        }
    }
    inbox(site, &account, 0);
}

/// Every line end that is not CRLF, used to end a letter early and smuggle a second one in: refused, nothing arrives,
/// and the connection stays in step.
pub fn bare_line_ends_smuggle_nothing(site: &Site) {
    let account = site.account();
    let ends = ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\r\r\n.\r\r\n", "\n\n.\r\n"];
    for end in ends {
        let mut smtp = Smtp::connect(site, Service::Smtp);
        smtp.expect(250, &format!("MAIL FROM:<{SENDER}>"));
        smtp.expect(250, &format!("RCPT TO:<{}>", account.address));
        smtp.expect(354, "DATA");
        let smuggled = format!(
            "Subject: outer\r\n\r\nouter{end}MAIL FROM:<{SENDER}>\r\nRCPT TO:<{}>\r\nDATA\r\n\
             Subject: smuggled\r\n\r\nsmuggled\r\n.\r\n",
            account.address
        );
        smtp.wire.send(smuggled.as_bytes()).expect("the connection is open");
        let reply = smtp.reply().expect("a reply");
        assert!(reply.code / 100 == 5, "{end:?}: {} {}", reply.code, reply.text());
        smtp.expect(250, "NOOP");
    }
    inbox(site, &account, 0);
}

/// Thirty clients that send a byte now and then, on every service, in every state: a letter goes through meanwhile
/// as if they were not there.
pub fn slow_clients_hold_up_nobody(site: &Site) {
    let done = AtomicBool::new(false);
    let slow: Vec<Wire> = (0..30)
        .filter_map(|number| {
            let service = Service::ALL[number % Service::ALL.len()];
            Wire::connect_plain(site, service).ok()
        })
        .collect();
    assert!(slow.len() >= 20, "{} of 30 slow clients are connected", slow.len());
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut slow = slow;
            while !done.load(Ordering::Relaxed) {
                for wire in &mut slow {
                    // The server may end what is slower than it bears.
                    wire.send(b"E").ok();
                }
                thread::sleep(Duration::from_millis(200));
            }
        });
        let start = Instant::now();
        for _ in 0..5 {
            serves(site);
        }
        done.store(true, Ordering::Relaxed);
        assert!(
            start.elapsed() < site.patient(15) + site.settling * 5,
            "five letters took {:?}",
            start.elapsed()
        );
    });
}

/// Fifty senders that stop in the middle of a letter: one that goes on is as fast as without them.
pub fn fifty_stalled_senders_hold_up_nobody(site: &Site) {
    let (stalled_to, good_to) = (site.account(), site.account());
    let alone = timed_letters(site, &good_to, 0);
    let letter = numbered(1, 300_000);
    let stalled: Vec<Smtp> = (0..50)
        .map(|number| {
            let mut smtp = Smtp::connect(site, Service::Smtp);
            smtp.expect(250, &format!("MAIL FROM:<{SENDER}>"));
            smtp.expect(250, &format!("RCPT TO:<{}>", stalled_to.address));
            smtp.expect(354, "DATA");
            smtp.wire.send(&letter[..4_000 * (number + 1)]).expect("it takes what is sent");
            smtp
        })
        .collect();
    let crowded = timed_letters(site, &good_to, 20);
    assert!(
        crowded < alone * 3 + site.patient(2),
        "20 letters took {alone:?}, and {crowded:?} beside 50 stalled senders"
    );
    drop(stalled);
    inbox(site, &stalled_to, 0);
    inbox(site, &good_to, 40);
}

fn timed_letters(site: &Site, to: &Account, first: u64) -> Duration {
    let mut smtp = Smtp::connect(site, Service::Smtp);
    let start = Instant::now();
    for number in first..first + 20 {
        smtp.letter(SENDER, &[&to.address], &numbered(number, 64 * 1024));
    }
    start.elapsed()
}

/// Clients that ask for a large letter again and again and never read: what is sent to them waits at their end, and
/// the others are served.
pub fn a_client_that_never_reads_holds_up_nobody(site: &Site) {
    let account = site.account();
    Imap::log_in(site, &account).append("INBOX", "", &numbered(1, 2 << 20));
    let greedy: Vec<Imap> = (0..10)
        .map(|_| {
            let mut imap = Imap::select(site, &account, "INBOX");
            for _ in 0..20 {
                imap.start("FETCH 1 BODY.PEEK[]").expect("the connection is open");
            }
            imap
        })
        .collect();
    let start = Instant::now();
    for _ in 0..5 {
        serves(site);
    }
    assert!(
        start.elapsed() < site.patient(15) + site.settling * 5,
        "five letters took {:?}",
        start.elapsed()
    );
    drop(greedy);
    serves(site);
}

/// Random bytes instead of a protocol, on every port.
pub fn binary_noise_is_survived(site: &Site) {
    let mut random = Random::new(25);
    for service in Service::ALL {
        for size in [1, 100, 70_000] {
            let noise: Vec<u8> = (0..size).map(|_| random.next() as u8).collect();
            let mut wire = Wire::connect_plain(site, service).expect("it listens");
            // It may close as soon as it has seen enough.
            wire.send(&noise).ok();
            wire.send(b"\r\n\r\n").ok();
        }
    }
    serves(site);
}

/// A handshake that is broken off, one that is nonsense, one in clear: the next client gets its TLS.
pub fn tls_noise_is_survived(site: &Site) {
    // The header of a ClientHello record of 512 bytes, and a part of what it announces.
    let hello = [22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3, 7, 7, 7];
    for service in Service::ALL.into_iter().filter(|service| service.is_implicit_tls()) {
        for bytes in [hello.as_slice(), &[22, 3, 1, 0, 4, 1, 0, 0, 0], &[0x80; 600], b"EHLO client.test\r\n"]
        {
            let mut wire = Wire::connect_plain(site, service).expect("it listens");
            wire.send(bytes).ok();
            wire.set_limit(Duration::from_millis(100)).expect("a time limit can be set");
            wire.is_closed();
        }
    }
    let mut smtp = Smtp::connect(site, Service::Smtp);
    smtp.expect(220, "STARTTLS");
    smtp.wire.send(&[0x80; 600]).ok();
    assert!(Smtp::try_connect(site, Service::Submissions).is_ok());
    assert!(Imap::try_connect(site, Service::Imaps).is_ok());
    assert!(Pop3::try_connect(site, Service::Pop3s).is_ok());
}

/// What is pipelined behind STARTTLS was not protected by it: it is never carried out (RFC 3207 §6).
pub fn commands_before_tls_are_not_kept(site: &Site) {
    let cases = [
        (
            Service::Smtp,
            "EHLO x.test",
            "STARTTLS\r\nMAIL FROM:<injected@client.test>\r\n",
            "RCPT TO:<x@example.test>",
            "503",
        ),
        (Service::Imap, "x NOOP", "x STARTTLS\r\ny CREATE injected\r\n", "z NOOP", "z OK"),
        (Service::Pop3, "CAPA", "STLS\r\nUSER injected\r\n", "PASS x", "-ERR"),
    ];
    for (service, before, injected, after, expected) in cases {
        let mut wire = greeted(site, service);
        wire.send(format!("{before}\r\n").as_bytes()).expect("the connection is open");
        read_until_quiet(&mut wire);
        wire.send(injected.as_bytes()).expect("the connection is open");
        // It may refuse to begin TLS at all, or close: both keep the promise.
        let Ok(line) = wire.line() else { continue };
        if is_refusal(&String::from_utf8_lossy(&line)) {
            continue;
        }
        let Ok(mut secured) = wire.into_tls(site) else { continue };
        let said = secured.send(format!("{after}\r\n").as_bytes()).and_then(|()| secured.line());
        if let Ok(line) = said {
            let line = String::from_utf8_lossy(&line).into_owned();
            assert!(line.starts_with(expected), "{service:?}: {line}\n{}", secured.dialogue());
        }
    }
}

/// Reads the answer to a harmless command, however many lines it has.
fn read_until_quiet(wire: &mut Wire) {
    wire.set_limit(Duration::from_millis(500)).expect("a time limit can be set");
    while wire.line().is_ok() {}
    wire.set_limit(Duration::from_secs(10)).expect("a time limit can be set");
}
