//! Things that need a server to themselves: the largest letter, a letter without end, a thousand connections.

use crate::behaviours::{inbox, only_letter};
use crate::clients::smtp::stuffed;
use crate::clients::{Imap, Pop3, Smtp, Wire};
use crate::letters::{numbered, short};
use crate::process::raise_file_limit;
use crate::provision;
use crate::site::{Service, Site};
use std::thread;
use std::time::{Duration, Instant};

const SENDER: &str = "ann@client.test";

/// Connections of the crowd.
const CROWD: usize = 1_000;

/// How long a connection of the crowd may wait for its greeting or its refusal, before the site's patience.
const CROWD_WAIT: Duration = Duration::from_secs(3);

/// The largest letter that the box takes goes in by SMTP and comes out by IMAP, whole and in part, and by POP3, every
/// byte the same. Nothing in between may hold it: the box has 128 MiB for everything.
///
/// # Panics
/// When it does not.
pub fn the_largest_letter_streams_in_and_out(site: &Site) {
    let account = site.account();
    // What the server puts in front counts too: leave room for it.
    let letter = numbered(50, provision::MESSAGE_SIZE - 4_096);
    let mut smtp = Smtp::connect(site, Service::Smtp);
    smtp.wire.set_limit(site.patient(120)).expect("a time limit can be set");
    smtp.expect(250, &format!("MAIL FROM:<{SENDER}> SIZE={}", letter.len()));
    smtp.expect(250, &format!("RCPT TO:<{}>", account.address));
    smtp.expect(354, "DATA");
    smtp.wire.send(&stuffed(&letter)).expect("it takes all of it");
    let reply = smtp.reply().expect("a reply");
    assert_eq!(reply.code, 250, "{}", reply.text());
    drop(smtp);

    let mut imap = Imap::select(site, &account, "INBOX");
    imap.wire.set_limit(site.patient(120)).expect("a time limit can be set");
    let received = imap.letter(1);
    assert!(received.ends_with(&letter), "{} bytes came back", received.len());
    let middle = imap.ok("FETCH 1 BODY.PEEK[]<30000000.100000>").remove(0).literals.remove(0);
    assert!(middle == received[30_000_000..30_100_000], "a part of the middle");

    let mut pop3 = Pop3::log_in(site, &account);
    pop3.wire.set_limit(site.patient(120)).expect("a time limit can be set");
    assert!(pop3.many("RETR 1") == received, "by POP3");
    pop3.ok("DELE 1");
    pop3.ok("QUIT");
}

/// A letter that is announced as too large, one that grows too large, and one that never ends: refused with 552, and
/// no room is lost to them.
///
/// # Panics
/// When one is taken, or when the refusal is not said.
pub fn a_body_without_end_is_refused(site: &Site) {
    let account = site.account();
    let mut smtp = Smtp::connect(site, Service::Smtp);
    smtp.expect(552, &format!("MAIL FROM:<{SENDER}> SIZE={}", provision::MESSAGE_SIZE + 1));
    smtp.expect(250, &format!("MAIL FROM:<{SENDER}>"));
    smtp.expect(250, &format!("RCPT TO:<{}>", account.address));
    smtp.expect(354, "DATA");
    let line = [&[b'x'; 998], b"\r\n".as_slice()].concat();
    let chunk = line.repeat(1_000);
    let mut sent = 0;
    while sent < provision::MESSAGE_SIZE + 2 * chunk.len() && smtp.wire.send(&chunk).is_ok() {
        sent += chunk.len();
    }
    // Until the dot there is no reply, unless the server has had enough and closes.
    smtp.wire.send(b".\r\n").ok();
    if let Ok(reply) = smtp.reply() {
        assert!([552, 554, 421].contains(&reply.code), "{} {}", reply.code, reply.text());
        if reply.code != 421 {
            smtp.letter(SENDER, &[&account.address], &short("of a proper size", "Hello."));
        }
    }
    let mut smtp = Smtp::connect(site, Service::Smtp);
    smtp.letter(SENDER, &[&account.address], &short("of a proper size too", "Hello."));
    let mut imap = Imap::select(site, &account, "INBOX");
    for uid in imap.uids() {
        assert!(imap.letter(uid).len() < 2_000, "no part of the endless one is there");
    }
}

/// A thousand connections at once: who was there before is served, who is too many is told so, and when they are gone
/// everybody is welcome again.
///
/// # Panics
/// When one of them is dropped without a word, or when others suffer.
pub fn a_thousand_connections_are_borne(site: &Site) {
    raise_file_limit();
    let account = site.account();
    let mut before = Imap::select(site, &account, "INBOX");
    let mut crowd: Vec<(Service, Wire)> = Vec::new();
    for number in 0..CROWD {
        let service = [Service::Smtp, Service::Imap, Service::Pop3, Service::Submission][number % 4];
        // A full queue at the door is an answer too.
        crowd.extend(Wire::connect_plain(site, service).ok().map(|wire| (service, wire)));
    }
    thread::sleep(CROWD_WAIT * site.patience / 2);
    let (mut greeted, mut refused, mut silent) = (0, 0, 0);
    for (service, wire) in &mut crowd {
        wire.set_limit(Duration::from_millis(20)).expect("a time limit can be set");
        let Ok(line) = wire.line() else {
            silent += 1;
            continue;
        };
        let line = String::from_utf8_lossy(&line).into_owned();
        match service {
            Service::Imap if line.starts_with("* OK") => greeted += 1,
            Service::Pop3 if line.starts_with("+OK") => greeted += 1,
            _ if line.starts_with("220 ") => greeted += 1,
            _ => {
                assert!(is_temporary_refusal(&line), "{service:?}: {line}");
                refused += 1;
            }
        }
    }
    eprintln!("of {} connections {greeted} are greeted, {refused} refused, {silent} wait", crowd.len());
    assert!(greeted >= 100, "{greeted} are greeted");
    let start = Instant::now();
    before.ok("NOOP");
    before.append("INBOX", "", &short("in the crowd", "Hello."));
    assert!(start.elapsed() < site.patient(5), "who was there before waited {:?}", start.elapsed());
    drop(crowd);
    let deadline = Instant::now() + site.patient(20);
    while Smtp::try_connect(site, Service::Smtp).is_err() {
        assert!(Instant::now() < deadline, "the crowd is gone, and still nobody is greeted");
        thread::sleep(Duration::from_millis(50));
    }
    Smtp::connect(site, Service::Smtp).letter(SENDER, &[&account.address], &short("afterwards", "Hello."));
    inbox(site, &account, 2);
}

/// A sentence that says: not now.
fn is_temporary_refusal(line: &str) -> bool {
    let words = line.split_whitespace().count() >= 4;
    words && (line.starts_with("421 ") || line.starts_with("* BYE ") || line.starts_with("-ERR "))
}

/// A letter of each of the usual kinds still passes.
///
/// # Panics
/// When it does not.
pub fn a_letter_passes(site: &Site) {
    let (from, to) = (site.account(), site.account());
    Smtp::log_in(site, &from).letter(&from.address, &[&to.address], &short("passes", "Hello."));
    assert!(only_letter(site, &to).ends_with(&short("passes", "Hello.")));
    assert_eq!(Pop3::log_in(site, &to).numbers(), [1]);
}
