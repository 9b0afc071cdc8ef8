//! One who keeps an INBOX from growing: expunges letters by IMAP, a batch at a time, as long as there is more than there
//! may be or somebody hears that the server is full, and flags others meanwhile. The ledger knows what was confirmed.

use crate::clients::Imap;
use crate::ledger::Ledger;
use crate::letters::Random;
use crate::site::{Account, Site};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Letters of one batch.
const BATCH: usize = 16;

/// Letters that came one after the other and go together: what somebody clears is seldom one letter here, one there.
const RUN: u64 = 32;

/// How long there is nothing to do after a batch of flags.
const REST: Duration = Duration::from_millis(50);

/// Whether a letter stays as long as others can go. Every second one does, so that no stretch of the flash is emptied by
/// expunging alone.
pub fn stays(number: u64) -> bool {
    number.is_multiple_of(2)
}

/// The person.
#[derive(Debug)]
pub struct Clearer {
    account: Account,
    /// In which order letters go: the same for all who got the same letters, for only what all have expunged makes room.
    order: u64,
    bytes_max: u64,
    spares: bool,
    random: Random,
}

impl Clearer {
    /// One who leaves at most so many bytes in an INBOX, and what [`stays`]; the order decides which go first.
    pub fn new(account: Account, order: u64, bytes_max: u64) -> Self {
        let random = Random::new(order);
        Self { account, order, bytes_max, spares: true, random }
    }

    /// From now on what was to stay goes as well when there is nothing else, one letter here, one there: otherwise the
    /// flash would be full of it one day, and nobody could deliver any more.
    pub fn spare_nothing(&mut self) {
        self.spares = false;
    }

    /// Clears and flags until told to stop or until the server goes away.
    ///
    /// # Panics
    /// When that is refused: a box that is full must let go of letters.
    pub fn work(&mut self, ledger: &Ledger, site: &Site, stop: &AtomicBool) {
        // The server going away is what this is for.
        self.try_work(ledger, site, stop).ok();
    }

    fn try_work(&mut self, ledger: &Ledger, site: &Site, stop: &AtomicBool) -> io::Result<()> {
        let mut imap = Imap::try_log_in(site, &self.account)?;
        imap.try_command("SELECT INBOX")?;
        let mut times_full = ledger.times_full();
        while !stop.load(Ordering::Relaxed) {
            let was_full = std::mem::replace(&mut times_full, ledger.times_full());
            if times_full > was_full || ledger.bytes_in(&self.account.address) > self.bytes_max {
                self.clear(ledger, &mut imap)?;
            } else {
                self.flag(ledger, &mut imap)?;
                thread::sleep(REST);
            }
        }
        Ok(())
    }

    fn clear(&self, ledger: &Ledger, imap: &mut Imap) -> io::Result<()> {
        let address = &self.account.address;
        let mut letters = ledger.seen(address);
        letters.retain(|(number, _)| !self.spares || !stays(*number));
        letters.sort_by_key(|(number, _)| {
            let stays = stays(*number);
            let run = if stays { *number } else { number / RUN };
            (stays, Random::new(self.order ^ run).next(), *number)
        });
        letters.truncate(BATCH);
        if letters.is_empty() {
            // All that may go has gone, until a start shows more.
            thread::sleep(REST);
            return Ok(());
        }
        let (numbers, uids) = split(&letters);
        ledger.note_removal(address, &numbers, false);
        confirmed(imap, &format!("UID STORE {uids} +FLAGS.SILENT (\\Deleted)"))?;
        confirmed(imap, &format!("UID EXPUNGE {uids}"))?;
        ledger.note_removal(address, &numbers, true);
        Ok(())
    }

    fn flag(&mut self, ledger: &Ledger, imap: &mut Imap) -> io::Result<()> {
        let address = &self.account.address;
        let letters = ledger.seen(address);
        let first = self.random.below(letters.len().max(1) as u64) as usize;
        let letters: Vec<_> = letters.into_iter().skip(first).take(BATCH).collect();
        if letters.is_empty() {
            return Ok(());
        }
        let (numbers, uids) = split(&letters);
        let is_set = self.random.below(2) == 0;
        ledger.note_flag(address, &numbers, is_set, false);
        let sign = if is_set { '+' } else { '-' };
        confirmed(imap, &format!("UID STORE {uids} {sign}FLAGS.SILENT (\\Flagged)"))?;
        ledger.note_flag(address, &numbers, is_set, true);
        Ok(())
    }
}

/// The numbers of letters, and their UIDs as IMAP takes them.
fn split(letters: &[(u64, u32)]) -> (Vec<u64>, String) {
    let uids: Vec<String> = letters.iter().map(|(_, uid)| uid.to_string()).collect();
    (letters.iter().map(|(number, _)| *number).collect(), uids.join(","))
}

fn confirmed(imap: &mut Imap, command: &str) -> io::Result<()> {
    let answer = imap.try_command(command)?;
    assert!(answer.status == "OK", "{command}: {answer:?}");
    Ok(())
}
