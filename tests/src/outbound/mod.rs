//! The program as a sender: started with routes, given letters by submission, told to try again; what its queue holds
//! and what it reports to those who sent.

mod report;

pub use report::{Recipient, Report};

use crate::built::program;
use crate::certificates::Authority;
use crate::clients::smtp::stuffed;
use crate::clients::{Imap, Smtp};
use crate::hosted::{Hosted, Options};
use crate::machine::Machine;
use crate::process::{Finished, run};
use crate::provision::{named_account, small_file};
use crate::site::{Account, Site};
use std::fmt::Write;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Who sends.
pub const ALICE: &str = "alice@example.test";

/// Another account.
pub const BOB: &str = "bob@example.test";

/// From a submitted letter to what must come of it without waiting, on a busy machine.
pub const SOON: Duration = Duration::from_secs(60);

/// One run of the tool for the queue.
const TOOL_MAX: Duration = Duration::from_secs(30);

/// How often a mailbox or the queue is looked at.
const POLL: Duration = Duration::from_millis(50);

/// A program that sends.
pub struct Outbox {
    hosted: Hosted,
}

/// Tables of a provision file that say where letters go.
#[derive(Debug, Default, Clone)]
pub struct Tables(String);

impl Tables {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// `[[route]]`: letters for this domain go to a place of this machine.
    #[must_use]
    pub fn route(mut self, domain: &str, place: SocketAddr, tls: &str) -> Self {
        writeln!(self.0, "[[route]]\ndomain = \"{domain}\"\n{}", hop(place, tls))
            .expect("a string takes all");
        self
    }

    /// The same by STARTTLS, and the place must prove its name by this authority.
    #[must_use]
    pub fn trusted_route(mut self, domain: &str, place: SocketAddr, authority: &str) -> Self {
        let hop = hop(place, "starttls");
        writeln!(self.0, "[[route]]\ndomain = \"{domain}\"\n{hop}ca = \"\"\"\n{authority}\"\"\"")
            .expect("a string takes all");
        self
    }

    /// Their text, to stand behind a file.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// `[relay]`: all other letters go there, after a log-in; the authority is trusted beside the public ones.
    #[must_use]
    pub fn relay(mut self, place: SocketAddr, tls: &str, login: &Account, authority: &str) -> Self {
        writeln!(
            self.0,
            "[relay]\n{}user = \"{}\"\npassword = \"{}\"\nca = \"\"\"\n{authority}\"\"\"",
            hop(place, tls),
            login.address,
            login.password
        )
        .expect("a string takes all");
        self
    }

    /// `[dns]`: who is asked for names.
    #[must_use]
    pub fn dns(mut self, place: SocketAddr) -> Self {
        writeln!(self.0, "[dns]\nservers = [\"{place}\"]").expect("a string takes all");
        self
    }

    /// `[[alias]]`.
    #[must_use]
    pub fn alias(mut self, address: &str, to: &str) -> Self {
        writeln!(self.0, "[[alias]]\naddress = \"{address}\"\nto = [\"{to}\"]").expect("a string takes all");
        self
    }
}

fn hop(place: SocketAddr, tls: &str) -> String {
    format!("host = \"{}\"\nport = {}\ntls = \"{tls}\"\n", place.ip(), place.port())
}

impl Outbox {
    /// A program that is not started yet, so that its own place is known to those to whom it will send.
    pub fn new(name: &str) -> Self {
        Self { hosted: Hosted::new(&format!("outbound-{name}"), Options::default()) }
    }

    /// Starts it with two accounts and these tables.
    pub fn start(&mut self, tables: &Tables) {
        self.change(tables);
        self.hosted.start();
    }

    /// One that runs.
    pub fn started(name: &str, tables: &Tables) -> Self {
        let mut outbox = Self::new(name);
        outbox.start(tables);
        outbox
    }

    /// Gives it other tables; they count from the next start on.
    pub fn change(&mut self, tables: &Tables) {
        self.hosted.provision(&(small_file(&[ALICE, BOB]) + &tables.0));
    }

    /// Kills it; it is not started again.
    pub fn cut(&mut self) {
        self.hosted.cut();
    }

    /// Where its clients find it.
    pub fn site(&self) -> Arc<Site> {
        self.hosted.site()
    }

    /// What it has logged since its last start.
    pub fn console(&self) -> String {
        self.hosted.console()
    }

    /// Runs something while its memory is watched; gives the most that it had, in KiB.
    ///
    /// # Panics
    /// As the work does.
    pub fn highest_pss_kib(&self, work: impl FnOnce(&Self) + Send) -> u64 {
        self.hosted.highest_pss_kib(|| work(self))
    }

    /// Alice submits a letter.
    #[track_caller]
    pub fn submit(&self, to: &[&str], letter: &[u8]) {
        Smtp::log_in(&self.site(), &named_account(ALICE)).letter(ALICE, to, letter);
    }

    /// Alice submits a letter; with what stands behind the paths in MAIL and in each RCPT.
    #[track_caller]
    pub fn submit_with(&self, mail: &str, to: &[(&str, &str)], letter: &[u8]) {
        let mut smtp = Smtp::log_in(&self.site(), &named_account(ALICE));
        smtp.expect(250, format!("MAIL FROM:<{ALICE}> {mail}").trim_end());
        for (recipient, parameters) in to {
            smtp.expect(250, format!("RCPT TO:<{recipient}> {parameters}").trim_end());
        }
        smtp.expect(354, "DATA");
        smtp.wire.send(&stuffed(letter)).expect("the connection is open");
        let reply = smtp.reply().expect("a reply to the final dot");
        assert_eq!(reply.code, 250, "{}", reply.text());
    }

    /// Waits until an INBOX has so many letters, and gives them, oldest first.
    ///
    /// # Panics
    /// With the program's log, when they do not come in time, or more are there.
    #[track_caller]
    pub fn inbox(&self, address: &str, count: usize) -> Vec<Vec<u8>> {
        wait_for_inbox(&self.site(), &named_account(address), count, || self.console())
    }

    /// Waits for the reports in Alice's INBOX, which must be so many and nothing else.
    ///
    /// # Panics
    /// As [`Self::inbox`].
    #[track_caller]
    pub fn reports(&self, count: usize) -> Vec<Report> {
        self.inbox(ALICE, count).iter().map(|letter| Report::read(letter)).collect()
    }

    /// Has all that waits tried now: the order is given by the tool while the program is stopped, and counts from its
    /// next start on.
    ///
    /// # Panics
    /// When the tool refuses, or the program does not start again.
    pub fn retry_now(&mut self) {
        self.while_stopped(|outbox| outbox.queue(&["--retry", "all"]).success());
    }

    /// Has all that waits given up.
    ///
    /// # Panics
    /// As [`Self::retry_now`].
    pub fn cancel(&mut self) {
        self.while_stopped(|outbox| outbox.queue(&["--cancel", "all"]).success());
    }

    /// What the tool says of the keys that sign.
    ///
    /// # Panics
    /// As [`Self::retry_now`].
    pub fn dkim(&mut self) -> String {
        self.while_stopped(|outbox| {
            run(Command::new(program()).arg("dkim").arg(&outbox.hosted.flash), TOOL_MAX).success()
        })
        .text()
    }

    /// What the tool lists.
    ///
    /// # Panics
    /// As [`Self::retry_now`].
    pub fn listed(&mut self) -> String {
        self.while_stopped(|outbox| outbox.queue(&[]).success()).text()
    }

    /// Waits until the list has these words, and gives it.
    ///
    /// # Panics
    /// With the list, when that takes too long.
    #[track_caller]
    pub fn wait_until_listed(&mut self, words: &str) -> String {
        self.wait_for_list(|listed| listed.contains(words))
    }

    /// Waits until nobody waits in the queue any more.
    ///
    /// # Panics
    /// With the queue, when that takes too long.
    #[track_caller]
    pub fn wait_until_empty(&mut self) {
        self.wait_for_list(|listed| !listed.contains('@'));
    }

    /// Waits until it has logged these words since its last start, and gives the line.
    ///
    /// # Panics
    /// With the log, when that takes too long.
    #[track_caller]
    pub fn wait_until_logged(&self, words: &str) -> String {
        let deadline = Instant::now() + SOON;
        loop {
            let console = self.console();
            if let Some(line) = console.lines().find(|line| line.contains(words)) {
                return line.to_owned();
            }
            assert!(Instant::now() < deadline, "no `{words}` in:\n{console}");
            thread::sleep(POLL);
        }
    }

    #[track_caller]
    fn wait_for_list(&mut self, is_so: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + SOON;
        // Each look ends what is under way: longer and longer, so that a slow machine comes to its end too.
        let mut pause = POLL;
        loop {
            let listed = self.listed();
            if is_so(&listed) {
                return listed;
            }
            assert!(Instant::now() < deadline, "{listed}");
            thread::sleep(pause);
            pause = (pause * 2).min(SOON / 10);
        }
    }

    fn while_stopped(&mut self, work: impl FnOnce(&Self) -> Finished) -> Finished {
        self.hosted.stop();
        let finished = work(self);
        self.hosted.start();
        finished
    }

    fn queue(&self, words: &[&str]) -> Finished {
        run(Command::new(program()).arg("queue").arg(&self.hosted.flash).args(words), TOOL_MAX)
    }
}

/// Waits until an INBOX has so many letters, and gives them, oldest first.
///
/// # Panics
/// With what the server has logged, when they do not come in time, or more are there.
#[track_caller]
pub fn wait_for_inbox(
    site: &Site,
    account: &Account,
    count: usize,
    console: impl Fn() -> String,
) -> Vec<Vec<u8>> {
    let mut imap = Imap::select(site, account, "INBOX");
    let deadline = Instant::now() + SOON;
    loop {
        let uids = imap.uids();
        if uids.len() >= count {
            assert!(uids.len() == count, "{} letters, not {count}", uids.len());
            return uids.into_iter().map(|uid| imap.letter(uid)).collect();
        }
        assert!(Instant::now() < deadline, "{} letters, not {count}:\n{}", uids.len(), console());
        thread::sleep(POLL);
        imap.ok("NOOP");
    }
}

/// The authority of a site of the tests' own, as text for a provision file.
///
/// # Panics
/// When its file cannot be read.
pub fn authority_of(site: &Site) -> String {
    std::fs::read_to_string(&site.authority).expect("an own file can be read")
}

/// A certificate for 127.0.0.1 in a folder of the tests.
///
/// # Panics
/// When none can be made.
pub fn own_leaf(name: &str) -> crate::certificates::Leaf {
    let folder = crate::hosted::scratch().join(name);
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    Authority::new(&folder).leaf(&["odd.test", "127.0.0.1"])
}

/// Fails unless a letter arrived with nothing but this many Received fields in front of what was submitted, and
/// signatures.
///
/// # Panics
/// With what stands there.
#[track_caller]
pub fn assert_only_received_in_front(arrived: &[u8], sent: &[u8], received: usize) {
    assert!(arrived.ends_with(sent), "changed:\n{}", String::from_utf8_lossy(arrived));
    let front = String::from_utf8_lossy(&arrived[..arrived.len() - sent.len()]).into_owned();
    assert_eq!(received_in(&front), Some(received), "{front}");
}

/// How many Received fields stand in front of a letter; `None` if anything but those and signatures does.
pub(crate) fn received_in(front: &str) -> Option<usize> {
    let mut fields = front.lines().filter(|line| !line.starts_with([' ', '\t']));
    fields.try_fold(0, |received, field| match field.split_once(':')?.0 {
        "Received" => Some(received + 1),
        "DKIM-Signature" => Some(received),
        _ => None,
    })
}
