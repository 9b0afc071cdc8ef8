//! Brings up a rebuilt flash with the program on this machine, reads all mail on it, and asks the journal.

use super::accounts::{FILER, MAILBOXES, RECIPIENTS, account, flag_bits};
use super::deliver::{select, uid_in};
use super::journal::{Filed, Found, FoundLetter};
use super::rebuild::{Cut, Rebuilder, Tally};
use super::recording::Recording;
use super::write_log::WriteLog;
use crate::clean;
use crate::clients::Imap;
use crate::clients::imap::{Untagged, quoted};
use crate::hosted::{Hosted, Options};
use crate::letters;
use crate::machine::Machine;
use crate::site::Service;
use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A flash that is not as it must be.
#[derive(Debug)]
pub struct Failure {
    /// Which one.
    pub cut: Cut,
    /// What is wrong with it, a sentence each.
    pub wrong: Vec<String>,
}

/// What became of a number of cuts.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Flashes that were rebuilt and checked.
    pub flashes: usize,
    /// What had become of the writes that no flush covered.
    pub tally: Tally,
    /// Flashes that were wrong.
    pub failures: Vec<Failure>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { kept, dropped, torn } = self.tally;
        write!(f, "{} flashes rebuilt, {} of them wrong; ", self.flashes, self.failures.len())?;
        write!(f, "of writes that no flush covered {kept} were kept, {dropped} dropped, {torn} torn")
    }
}

/// Checks flashes of one recording.
pub struct Checker<'a> {
    recording: &'a Recording,
    log: &'a WriteLog,
    hosted: Hosted,
}

impl<'a> Checker<'a> {
    /// A checker that brings up flashes in a folder of this name.
    pub fn new(name: &str, recording: &'a Recording, log: &'a WriteLog) -> Self {
        let bytes = recording.flash().end - recording.flash().start;
        // No provision file: accounts and settings are what the flash says that they are.
        let options =
            Options { provision: None, flash_size: format!("{}MiB", bytes >> 20), ..Options::default() };
        Self { recording, log, hosted: Hosted::new(name, options) }
    }

    /// Rebuilds and checks the flash of each cut; the cuts are in the order of their entries. `forgotten` is empty for
    /// an honest disk.
    pub fn check(&mut self, cuts: &[Cut], forgotten: Range<usize>) -> Verdict {
        let (base, flash) = (self.recording.base(), self.recording.flash().clone());
        let settled = self.hosted.flash.with_extension("settled");
        let mut rebuilder = Rebuilder::new(self.log, flash, &base, settled, forgotten);
        let mut verdict = Verdict::default();
        for cut in cuts {
            let tally = rebuilder.build(*cut, &self.hosted.flash);
            let tally = tally.unwrap_or_else(|error| panic!("{cut}: the flash cannot be rebuilt: {error}"));
            let wrong = self.look(*cut);
            verdict.flashes += 1;
            verdict.tally.kept += tally.kept;
            verdict.tally.dropped += tally.dropped;
            verdict.tally.torn += tally.torn;
            if !wrong.is_empty() {
                verdict.failures.push(Failure { cut: *cut, wrong });
            }
        }
        verdict
    }

    /// What is wrong with the flash that was rebuilt for a cut.
    fn look(&mut self, cut: Cut) -> Vec<String> {
        // Said before, because a program that does not come up, or does not answer, fails with its own words, and a
        // build that aborts then says no more.
        eprintln!("flash {cut} of {}", self.recording.folder().display());
        let found = catch_unwind(AssertUnwindSafe(|| {
            self.hosted.start();
            read(&self.hosted)
        }));
        self.hosted.kill();
        let mut wrong = match found {
            Ok(found) => self.recording.journal.check(&found, self.log.position(cut.entry)),
            Err(panic) => vec![words(panic.as_ref())],
        };
        wrong.extend(clean::check(&self.hosted.flash).err());
        wrong
    }
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// Everything that the three accounts have.
fn read(hosted: &Hosted) -> Found {
    let mut found = Found::default();
    for (inbox, address) in found.inboxes.iter_mut().zip(RECIPIENTS) {
        let mut imap = log_in(hosted, address);
        found
            .validities
            .insert((address.to_owned(), MAILBOXES[0].to_owned()), select(&mut imap, MAILBOXES[0]));
        for response in all(&mut imap) {
            let (number, sent) = remade(&response);
            let intact = response.literals[0].ends_with(&sent);
            inbox.push(FoundLetter { uid: uid_in(&response.text), number, intact });
        }
    }
    let mut imap = log_in(hosted, FILER);
    for (mailbox, name) in MAILBOXES.into_iter().enumerate() {
        found.validities.insert((FILER.to_owned(), name.to_owned()), select(&mut imap, name));
        for response in all(&mut imap) {
            let (number, sent) = remade(&response);
            let (uid, flags) = (uid_in(&response.text), flag_bits(&response.text));
            found.filed.push((number, Filed { mailbox, uid, flags }, response.literals[0] == sent));
        }
    }
    found
}

/// Without TLS, as on loopback: the certificates of so many boxes are none of this test's business.
fn log_in(hosted: &Hosted, address: &str) -> Imap {
    let account = account(address);
    let mut imap = Imap::try_connect(&hosted.site, Service::Imap).expect("IMAP greets");
    imap.ok(&format!("LOGIN {} {}", quoted(&account.address), quoted(&account.password)));
    imap
}

/// All letters of the selected mailbox.
fn all(imap: &mut Imap) -> Vec<Untagged> {
    let mut responses = imap.ok("UID FETCH 1:* (UID FLAGS BODY.PEEK[])");
    responses.retain(|response| !response.literals.is_empty());
    responses
}

/// The number that a letter says that it has, and the bytes that it must have then.
fn remade(response: &Untagged) -> (u64, Vec<u8>) {
    letters::remake(&response.literals[0])
        .unwrap_or_else(|| panic!("a letter that nobody sent: {}", response.text))
}
