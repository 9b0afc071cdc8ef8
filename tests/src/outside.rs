//! Letters for elsewhere while the power is cut: one person submits them, a route leads to a server on this machine that
//! takes them, or defers or refuses, by the names of their recipients. In the end the queue is let run until it is empty;
//! then each letter that got its 250 must have come to every recipient, or its sender must have been told that it did
//! not; whole, and twice only where a cut came between.

use crate::built::program;
use crate::clients::Imap;
use crate::clients::Smtp;
use crate::clients::smtp::auth_plain;
use crate::letters;
use crate::machine::Machine;
use crate::oddserver::{OddServer, Plan, Stage};
use crate::outbound::{Tables, received_in};
use crate::process::run;
use crate::provision::{self, named_account};
use crate::site::{Service, Site};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Who sends.
const SENDER: &str = "sender@example.test";

/// Where to.
const DOMAIN: &str = "out.test";

/// The first letter's number: no other test letter has one of eight digits.
const FIRST: u64 = 10_000_000;

/// Sizes of the letters in bytes, taken in turn.
const SIZES: [usize; 5] = [700, 2_000, 700, 9_000, 40_000];

/// Between two letters: the others who use the machine are to get on.
const PAUSE: Duration = Duration::from_millis(20);

/// How long a sender who was refused for want of room waits.
const REST: Duration = Duration::from_millis(250);

/// Connections of the box to one server at once: that many letters may be between the server's word and the barrier.
const CONNECTIONS_MAX: usize = 5;

/// When nobody has come for so long, nothing is left that has its turn now.
const QUIET: Duration = Duration::from_secs(3);

/// Until then, and until a connection of a machine that is off has ended.
const QUIET_MAX: Duration = Duration::from_secs(120);

/// Orders to try again until the queue must be empty: what was put off once is taken the second time; what was taken
/// after the last cut but one may be put off then.
const ORDERS_MAX: usize = 4;

/// One run of the tool for the queue.
const TOOL_MAX: Duration = Duration::from_secs(60);

/// What recipients are called, and what becomes of letters for them. The number of the letter stands behind.
const PLAIN: &str = "plain";
const UNKNOWN: &str = "unknown";
const UNWANTED: &str = "unwanted";
const GREYLISTED: &str = "greylisted";
const BUSY: &str = "busy";

/// The sender, the server, and what was promised.
pub struct Outside {
    sink: OddServer,
    posted: BTreeMap<u64, Posted>,
    refused: usize,
    /// How many connections the sink had seen at each cut.
    cuts: Vec<usize>,
}

/// A letter whose submission was begun.
struct Posted {
    size: usize,
    fate: Fate,
}

#[derive(PartialEq, Eq)]
enum Fate {
    InDoubt,
    Taken,
    Refused,
}

/// What came of all letters.
#[derive(Debug, Default, Clone, Copy)]
pub struct Sent {
    /// Letters that got their 250.
    pub letters: usize,
    /// Letters that were refused for want of room.
    pub refused: usize,
    /// Times that a letter came to a recipient.
    pub delivered: usize,
    /// Recipients of whom the sender was told that the letter did not.
    pub bounced: usize,
    /// Recipients who got a letter more than once.
    pub doubled: usize,
    /// The most of these in one life of the machine: from a start to a cut.
    pub doubled_by_one_cut: usize,
    /// Cuts, those of starts included.
    pub cuts: usize,
}

fn whim(stage: Stage, to: &str, times: usize) -> Option<&'static str> {
    match (stage, to.split('-').next()?, times) {
        (Stage::Rcpt, UNKNOWN, _) => Some("550 5.1.1 Nobody has this name"),
        (Stage::Dot, UNWANTED, _) => Some("554 5.7.1 Not wanted here"),
        (Stage::Rcpt, GREYLISTED, 1) => Some("451 4.7.1 Come again"),
        (Stage::Dot, BUSY, 1) => Some("451 4.3.0 Not just now"),
        _ => None,
    }
}

/// Recipients of a letter.
fn recipients(number: u64) -> Vec<String> {
    let kinds: &[&str] = match number % 12 {
        0 => &[PLAIN, UNKNOWN, GREYLISTED],
        1 => &[UNKNOWN],
        2 => &[UNWANTED],
        3 => &[GREYLISTED],
        4 => &[BUSY],
        5 => &[PLAIN, "second", "third"],
        _ => &[PLAIN],
    };
    kinds.iter().map(|kind| format!("{kind}-{number}@{DOMAIN}")).collect()
}

/// Whether no letter ever comes to a recipient.
fn is_refused(to: &str) -> bool {
    [UNKNOWN, UNWANTED].contains(&to.split('-').next().unwrap_or_default())
}

impl Outside {
    /// The server runs.
    pub fn start() -> Self {
        let sink = OddServer::start(Plan { whim: Some(whim), ..Plan::default() });
        Self { sink, posted: BTreeMap::new(), refused: 0, cuts: Vec::new() }
    }

    /// What a provision file needs for it; `host` is where the machine finds this one.
    pub fn tables(&self, host: IpAddr) -> String {
        let place = SocketAddr::new(host, self.sink.place.port());
        let mut text = Tables::new().route(DOMAIN, place, "none").text().to_owned();
        provision::account(&mut text, SENDER, "");
        text
    }

    /// Submits letters until told to stop or until the server goes away.
    ///
    /// # Panics
    /// When one is refused, other than for want of room.
    pub fn work(&mut self, site: &Site, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            // The server going away is what this is for.
            if self.connection(site, stop).is_err() {
                return;
            }
        }
    }

    /// Until it is over, or a letter was refused.
    fn connection(&mut self, site: &Site, stop: &AtomicBool) -> io::Result<()> {
        let mut smtp = Smtp::try_connect(site, Service::Submissions)?;
        smtp.try_command("EHLO outside.client.test")?;
        let reply = smtp.try_command(&auth_plain(&named_account(SENDER)))?;
        assert!(reply.code == 235, "{} {}", reply.code, reply.text());
        while !stop.load(Ordering::Relaxed) {
            let number = FIRST + self.posted.len() as u64;
            let size = SIZES[number as usize % SIZES.len()];
            let posted = self.posted.entry(number).or_insert(Posted { size, fate: Fate::InDoubt });
            let to = recipients(number);
            let to: Vec<&str> = to.iter().map(String::as_str).collect();
            let reply = smtp.try_letter(SENDER, &to, &letters::numbered(number, size))?;
            if reply.code != 250 {
                assert!(reply.code == 452, "{} {}", reply.code, reply.text());
                posted.fate = Fate::Refused;
                self.refused += 1;
                thread::sleep(REST);
                return Ok(());
            }
            posted.fate = Fate::Taken;
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// The machine was cut off: its connections are another life's from now on.
    ///
    /// # Panics
    /// When one of them does not end.
    pub fn note_cut(&mut self) {
        self.sink.wait_for_ends(0, QUIET_MAX);
        self.cuts.push(self.sink.connections());
    }

    /// Lets the queue of a machine that runs become empty, and looks at what has come.
    ///
    /// # Panics
    /// With the letters that are lost, damaged, or doubled without a cut.
    pub fn settle(&mut self, machine: &mut dyn Machine) -> Sent {
        for round in 0.. {
            self.sink.wait_for_rest(QUIET, QUIET_MAX);
            machine.cut();
            self.note_cut();
            let mut waiting = BTreeSet::new();
            machine.with_flash(&mut |flash| waiting = retry_all(flash));
            eprintln!("{} recipients wait in the queue", waiting.len());
            machine.start();
            if waiting.is_empty() {
                break;
            }
            assert!(round < ORDERS_MAX, "these wait still: {waiting:?}");
        }
        let (sent, wrong) = self.judge(&told(&machine.site()));
        let letters = self.posted.len();
        assert!(wrong.is_empty(), "{} of {letters} letters:\n{}", wrong.len(), wrong.join("\n"));
        sent
    }

    /// What came of all, and what is wrong with that, a sentence each; `told` is how often each recipient was reported.
    fn judge(&self, told: &BTreeMap<String, usize>) -> (Sent, Vec<String>) {
        let (arrivals, mut wrong) = self.arrivals();
        let mut sent = Sent {
            letters: self.posted.values().filter(|posted| posted.fate == Fate::Taken).count(),
            refused: self.refused,
            delivered: arrivals.values().map(Vec::len).sum(),
            bounced: told.len(),
            cuts: self.cuts.len(),
            ..Sent::default()
        };
        for (number, posted) in &self.posted {
            for to in recipients(*number) {
                let reports = told.get(&to).copied().unwrap_or_default();
                let why = is_wrong(&posted.fate, is_refused(&to), arrivals.contains_key(&to), reports);
                wrong.extend(why.map(|why| format!("{to} {why}")));
            }
        }
        let mut by_life: BTreeMap<usize, usize> = BTreeMap::new();
        for (to, lives) in arrivals.iter().filter(|(_, lives)| lives.len() > 1) {
            sent.doubled += 1;
            for two in lives.windows(2) {
                if two[0] == two[1] {
                    wrong.push(format!("{to} got it twice, and no cut came between"));
                }
                *by_life.entry(two[0]).or_default() += 1;
            }
        }
        sent.doubled_by_one_cut = by_life.values().copied().max().unwrap_or_default();
        if sent.doubled > sent.cuts * CONNECTIONS_MAX {
            wrong.push(format!("{} got it twice, by {} cuts: {by_life:?}", sent.doubled, sent.cuts));
        }
        (sent, wrong)
    }

    /// In which life of the machine each recipient got a letter; and what is wrong with these letters.
    fn arrivals(&self) -> (BTreeMap<String, Vec<usize>>, Vec<String>) {
        let (mut arrivals, mut wrong) = (BTreeMap::<String, Vec<usize>>::new(), Vec::new());
        for taken in self.sink.accepted() {
            let life = self.cuts.partition_point(|connections| *connections <= taken.connection);
            let number = letters::remake(&taken.letter).map(|(number, _)| number);
            for argument in &taken.recipients {
                let to = argument.split(['<', '>']).nth(1).unwrap_or_default();
                if !number.is_some_and(|number| recipients(number).iter().any(|known| known == to)) {
                    wrong.push(format!("{to} got letter {number:?}, which is another's"));
                }
                arrivals.entry(to.to_owned()).or_default().push(life);
            }
            if !self.is_intact(&taken.letter) {
                wrong.push(format!("letter {number:?} has been changed on its way"));
            }
        }
        (arrivals, wrong)
    }

    /// As it was submitted, behind the box's trace.
    fn is_intact(&self, letter: &[u8]) -> bool {
        let Some((number, sent)) = letters::remake(letter) else { return false };
        let is_of_size =
            self.posted.get(&number).is_some_and(|posted| sent == letters::numbered(number, posted.size));
        let front = letter.strip_suffix(sent.as_slice()).map(String::from_utf8_lossy);
        is_of_size && front.is_some_and(|front| received_in(&front) == Some(1))
    }
}

/// What is wrong with what a recipient got, and with what the sender was told of it.
fn is_wrong(fate: &Fate, is_refused: bool, came: bool, reports: usize) -> Option<&'static str> {
    match (fate, came, reports) {
        (Fate::Refused, true, _) => Some("got what was not taken"),
        (Fate::Refused, _, 1..) => Some("was reported, and the letter was not taken"),
        (_, _, 2..) => Some("was reported twice"),
        (_, true, 1) => Some("got it, and was reported not to have"),
        (_, _, 1) if !is_refused => Some("was reported, and nobody refused it"),
        (Fate::Taken, false, 0) => Some("neither got it nor was reported: it got its 250 and is lost"),
        _ => None,
    }
}

/// How often the sender was told of each recipient.
fn told(site: &Site) -> BTreeMap<String, usize> {
    let mut imap = Imap::select(site, &named_account(SENDER), "INBOX");
    let mut told = BTreeMap::new();
    for uid in imap.uids() {
        let letter = imap.letter(uid);
        let text = String::from_utf8_lossy(&letter);
        let groups = text.lines().filter_map(|line| line.strip_prefix("Final-Recipient: rfc822;"));
        for to in groups {
            *told.entry(to.trim().to_owned()).or_default() += 1;
        }
        assert!(text.contains("\r\nAction: failed\r\n") && text.contains(letters::ID_HEADER), "{text}");
    }
    told
}

/// Orders that all in the queue on a flash be tried now; gives the recipients.
fn retry_all(flash: &Path) -> BTreeSet<String> {
    let queue = |words: &[&str]| {
        run(Command::new(program()).arg("queue").arg(flash).args(words), TOOL_MAX).success().text()
    };
    let listed = queue(&[]);
    let recipients = listed.lines().filter_map(|line| line.split_once(" -> ")?.1.split(' ').next());
    let recipients: BTreeSet<String> = recipients.map(str::to_owned).collect();
    if !recipients.is_empty() {
        queue(&["--retry", "all"]);
    }
    recipients
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn each_letter_comes_or_is_reported() {
        use Fate::{InDoubt, Refused, Taken};
        for (fate, is_refused, came, reports, is_right) in [
            (Taken, false, true, 0, true),
            (Taken, true, false, 1, true),
            (InDoubt, false, false, 0, true),
            (InDoubt, false, true, 0, true),
            (Refused, false, false, 0, true),
            (Taken, false, false, 0, false),
            (Taken, true, false, 0, false),
            (Taken, false, false, 1, false),
            (Taken, true, false, 2, false),
            (Taken, false, true, 1, false),
            (Refused, false, true, 0, false),
            (Refused, true, false, 1, false),
        ] {
            let why = is_wrong(&fate, is_refused, came, reports);
            assert_eq!(why.is_none(), is_right, "{is_refused} {came} {reports}: {why:?}");
        }
    }

    /// What the box would do: a letter of these bytes for this recipient; gives the code of the last reply.
    fn send(outside: &Outside, to: &str, letter: &[u8]) -> u16 {
        let place = outside.sink.place;
        let mut site = Site::new(place.port() - Service::Smtp as u16, &PathBuf::new());
        site.address = place.ip();
        let mut smtp = Smtp::connect(&site, Service::Smtp);
        smtp.try_letter(SENDER, &[to], letter).expect("a reply").code
    }

    fn letter(number: u64) -> Vec<u8> {
        [b"Received: from x\r\n by y\r\n".as_slice(), &letters::numbered(number, 700)].concat()
    }

    /// The first number from `FIRST` on whose only recipient has this name.
    fn number_for(kind: &str) -> (u64, String) {
        let all = (FIRST..).map(|number| (number, recipients(number)));
        let mut only = all.filter(|(_, to)| to.len() == 1 && to[0].starts_with(kind));
        only.next().map(|(number, mut to)| (number, to.remove(0))).expect("there is one")
    }

    #[test]
    fn what_is_changed_or_doubled_without_a_cut_is_found() {
        let (number, to) = number_for(PLAIN);
        let judged = |outside: &mut Outside| {
            outside.posted.insert(number, Posted { size: 700, fate: Fate::Taken });
            outside.judge(&BTreeMap::new())
        };
        let mut outside = Outside::start();
        assert_eq!(judged(&mut outside).1.len(), 1, "it is lost");
        send(&outside, &to, &letter(number));
        assert_eq!(judged(&mut outside).1, Vec::<String>::new());
        outside.note_cut();
        send(&outside, &to, &letter(number));
        let (sent, wrong) = judged(&mut outside);
        assert!(wrong.is_empty() && sent.doubled == 1 && sent.doubled_by_one_cut == 1, "{wrong:?}");
        send(&outside, &to, &letter(number));
        assert_eq!(judged(&mut outside).1.len(), 1, "twice in one life");

        let mut changed = letter(number);
        *changed.last_mut().expect("it has bytes") = b' ';
        let in_front = [b"X-Added: x\r\n".as_slice(), &letter(number)].concat();
        let untraced = letters::numbered(number, 700);
        for wrong in [changed, in_front, untraced] {
            let mut outside = Outside::start();
            send(&outside, &to, &wrong);
            assert_eq!(judged(&mut outside).1.len(), 1);
        }
        let mut outside = Outside::start();
        send(&outside, &format!("{PLAIN}-1@{DOMAIN}"), &letter(number));
        assert_eq!(judged(&mut outside).1.len(), 2, "one got another's, one got nothing");
    }

    #[test]
    fn the_server_takes_puts_off_and_refuses_by_name() {
        let outside = Outside::start();
        for (kind, codes) in [
            (PLAIN, [250, 250]),
            (UNKNOWN, [550, 550]),
            (UNWANTED, [554, 554]),
            (GREYLISTED, [451, 250]),
            (BUSY, [451, 250]),
        ] {
            let (number, to) = number_for(kind);
            assert_eq!(
                [send(&outside, &to, &letter(number)), send(&outside, &to, &letter(number))],
                codes,
                "{kind}"
            );
        }
        assert_eq!(outside.sink.count(), 4);
    }
}
