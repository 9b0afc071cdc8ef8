//! Things that need a server to themselves: the largest letter, a letter without end, a crowd at the door, the end.

use crate::behaviours::{inbox, only_letter};
use crate::clients::smtp::stuffed;
use crate::clients::{Imap, Pop3, Smtp, Wire};
use crate::letters::{numbered, short};
use crate::process::raise_file_limit;
use crate::provision;
use crate::site::{Account, Service, Site};
use std::io::ErrorKind;
use std::thread;
use std::time::{Duration, Instant};

const SENDER: &str = "ann@client.test";

/// How long a crowd may wait for its greetings and refusals, all of it together.
const CROWD_WAIT: Duration = Duration::from_secs(10);

/// How long a sender who goes on and on looks for a reply after each piece.
const GLANCE: Duration = Duration::from_millis(1);

/// What such a sender sends before it gives up: twice what a server may read for politeness' sake.
const ENDLESS_BYTES_MAX: usize = 256 << 20;

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

/// A letter that is announced as too large, and one that grows too large: refused with 552, and no room is lost to
/// them.
///
/// # Panics
/// When one is taken, or when the refusal is not said.
pub fn a_letter_too_large_is_refused(site: &Site) {
    let account = site.account();
    let mut smtp = Smtp::connect(site, Service::Smtp);
    smtp.expect(552, &format!("MAIL FROM:<{SENDER}> SIZE={}", provision::MESSAGE_SIZE + 1));
    begin_letter(&mut smtp, &account);
    let chunk = chunk();
    for _ in 0..provision::MESSAGE_SIZE / chunk.len() + 2 {
        smtp.wire.send(&chunk).expect("what is too large is read to its end");
    }
    smtp.wire.send(b".\r\n").expect("the connection is open");
    let reply = smtp.reply().expect("a reply");
    assert_eq!(reply.code, 552, "{}", reply.text());
    smtp.letter(SENDER, &[&account.address], &short("of a proper size", "Hello."));
    assert!(only_letter(site, &account).len() < 2_000, "no part of the large one is there");
}

/// A letter that never ends: its sender reads a 552, whatever is still under way, and then the end of the connection,
/// not that it was broken off: upon that it would try again for days.
///
/// # Panics
/// When the sender hears anything else, or nothing.
pub fn a_body_without_end_is_refused(site: &Site) {
    let account = site.account();
    let mut smtp = Smtp::connect(site, Service::Smtp);
    begin_letter(&mut smtp, &account);
    let chunk = chunk();
    let mut sent = 0;
    let reply = loop {
        smtp.wire.send(&chunk).unwrap_or_else(|error| panic!("after {sent} bytes, without a reply: {error}"));
        sent += chunk.len();
        assert!(sent < ENDLESS_BYTES_MAX, "{sent} bytes, and no word");
        smtp.wire.set_limit(GLANCE).expect("a time limit can be set");
        match smtp.reply() {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            reply => break reply.unwrap_or_else(|error| panic!("after {sent} bytes: {error}")),
        }
    };
    assert_eq!(reply.code, 552, "{}", reply.text());
    smtp.wire.set_limit(site.patient(10)).expect("a time limit can be set");
    let rest = smtp.wire.rest();
    assert!(rest.as_ref().is_ok_and(String::is_empty), "after its 552: {rest:?}");
    a_letter_passes(site);
    inbox(site, &account, 0);
}

fn begin_letter(smtp: &mut Smtp, to: &Account) {
    smtp.expect(250, &format!("MAIL FROM:<{SENDER}>"));
    smtp.expect(250, &format!("RCPT TO:<{}>", to.address));
    smtp.expect(354, "DATA");
}

/// A piece of a body: a million bytes in the longest lines there may be.
fn chunk() -> Vec<u8> {
    [&[b'x'; 998], b"\r\n".as_slice()].concat().repeat(1_000)
}

/// What became of a crowd.
#[derive(Debug, Clone, Copy, Default)]
pub struct Crowd {
    /// Who was greeted.
    pub greeted: usize,
    /// Who was told to come again.
    pub refused: usize,
    /// Who heard nothing.
    pub silent: usize,
}

/// So many connections at once: who was there before is served, who is too many is told so, and when they are gone
/// everybody is welcome again.
///
/// # Panics
/// When one of them is dropped without a word, or when others suffer.
pub fn a_crowd_is_borne(site: &Site, connections: usize) -> Crowd {
    raise_file_limit();
    let account = site.account();
    let mut before = Imap::select(site, &account, "INBOX");
    let mut wires: Vec<(Service, Wire)> = Vec::new();
    for number in 0..connections {
        let service = [Service::Smtp, Service::Imap, Service::Pop3, Service::Submission][number % 4];
        // A full queue at the door is an answer too.
        wires.extend(Wire::connect_plain(site, service).ok().map(|wire| (service, wire)));
    }
    let crowd = hear(&mut wires);
    eprintln!("of {} connections: {crowd:?}", wires.len());
    let start = Instant::now();
    before.ok("NOOP");
    before.append("INBOX", "", &short("in the crowd", "Hello."));
    assert!(start.elapsed() < site.patient(5), "who was there before waited {:?}", start.elapsed());
    drop(wires);
    let deadline = Instant::now() + site.patient(20);
    while Smtp::try_connect(site, Service::Smtp).is_err() {
        assert!(Instant::now() < deadline, "the crowd is gone, and still nobody is greeted");
        thread::sleep(Duration::from_millis(50));
    }
    Smtp::connect(site, Service::Smtp).letter(SENDER, &[&account.address], &short("afterwards", "Hello."));
    inbox(site, &account, 2);
    crowd
}

/// Reads what each of a crowd is told: a greeting, or that this is not the time.
fn hear(wires: &mut [(Service, Wire)]) -> Crowd {
    let mut crowd = Crowd::default();
    let deadline = Instant::now() + CROWD_WAIT;
    for (service, wire) in wires {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(20));
        wire.set_limit(left).expect("a time limit can be set");
        let line = match wire.line() {
            Ok(line) => String::from_utf8_lossy(&line).into_owned(),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                crowd.silent += 1;
                continue;
            }
            Err(error) => panic!("{service:?} drops a connection without a word: {error}"),
        };
        match service {
            Service::Imap if line.starts_with("* OK") => crowd.greeted += 1,
            Service::Pop3 if line.starts_with("+OK") => crowd.greeted += 1,
            _ if line.starts_with("220 ") => crowd.greeted += 1,
            _ => {
                assert!(is_temporary_refusal(&line), "{service:?}: {line}");
                crowd.refused += 1;
            }
        }
    }
    crowd
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

/// Clients that wait, each in its own way, while the server ends: all are told in the words of their protocol, and
/// their connections end in order.
///
/// # Panics
/// When one hears something else, or nothing.
pub fn everyone_hears_the_end(site: &Site, account: &Account, end: impl FnOnce()) {
    let mut smtp = Smtp::connect(site, Service::Smtp);
    let mut submission = Smtp::log_in(site, account);
    let mut imap = Imap::try_connect(site, Service::Imap).expect("a greeting");
    let mut idle = Imap::select(site, account, "INBOX");
    idle.idle();
    let mut pop3 = Pop3::log_in(site, account);
    end();
    for (who, wire, begins) in [
        ("an SMTP client", &mut smtp.wire, "421 4.3.2 "),
        ("a mail program that submits", &mut submission.wire, "421 4.3.2 "),
        ("an IMAP client", &mut imap.wire, "* BYE "),
        ("an IMAP client in IDLE", &mut idle.wire, "* BYE "),
    ] {
        let said = wire.rest().unwrap_or_else(|error| panic!("{who}: {error}\n{}", wire.dialogue()));
        assert!(said.starts_with(begins) && said.ends_with("\r\n"), "{who} hears {said:?}");
        assert!(said.lines().count() == 1 && said.split_whitespace().count() >= 5, "{who} hears {said:?}");
    }
    // POP3 has no word for it.
    let said = pop3.wire.rest();
    assert!(said.as_ref().is_ok_and(String::is_empty), "a POP3 client hears {said:?}");
}
