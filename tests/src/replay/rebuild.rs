//! The flash as it may be after a power cut: what was flushed is there; what was not is kept, dropped or torn, write by
//! write, as a seed decides.

use super::write_log::{Entry, WriteLog};
use crate::letters::Random;
use crate::process::run;
use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;
use std::time::Duration;

/// A write is torn between sectors: a disk writes each of them whole or not at all.
const SECTOR: u64 = 512;

/// Copying a flash, on a busy machine.
const COPY_MAX: Duration = Duration::from_secs(120);

/// A moment and what the disk makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cut {
    /// How many entries of the record the disk was done with.
    pub entry: usize,
    /// Decides what becomes of those that no flush covered.
    pub seed: u64,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seed, self.entry)
    }
}

impl FromStr for Cut {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts =
            text.split_once(':').and_then(|(seed, entry)| Some((seed.parse().ok()?, entry.parse().ok()?)));
        let (seed, entry) = parts.ok_or_else(|| format!("`{text}` is no seed:entry"))?;
        Ok(Self { entry, seed })
    }
}

/// What became of writes that no flush had covered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Reached the medium.
    pub kept: usize,
    /// Never did.
    pub dropped: usize,
    /// Did in part.
    pub torn: usize,
}

/// Makes flashes from a record, each moment later than the one before.
pub struct Rebuilder<'a> {
    log: &'a WriteLog,
    /// The part of the disk that is the flash.
    flash: Range<u64>,
    /// Everything that is durable so far.
    settled: PathBuf,
    /// Entries that were looked at.
    next: usize,
    /// Those of them that no flush covers yet and that touch the flash: as many as the box writes between two flushes.
    pending: Vec<Entry>,
    /// Entries that the disk says that it has, and has not: what no disk may do. Tests of the tests have some.
    forgotten: Range<usize>,
}

impl<'a> Rebuilder<'a> {
    /// Begins with the flash as it was before the record, of which `settled` becomes a copy. `forgotten` is empty for
    /// an honest disk.
    ///
    /// # Panics
    /// When the copy cannot be made.
    pub fn new(
        log: &'a WriteLog,
        flash: Range<u64>,
        base: &Path,
        settled: PathBuf,
        forgotten: Range<usize>,
    ) -> Self {
        copy(base, &settled);
        Self { log, flash, settled, next: 0, pending: Vec::new(), forgotten }
    }

    /// Writes the flash of a cut into a file.
    ///
    /// # Errors
    /// Those of the files.
    ///
    /// # Panics
    /// When this moment is before that of the last cut, or behind the record.
    pub fn build(&mut self, cut: Cut, to: &Path) -> io::Result<Tally> {
        assert!(
            self.next <= cut.entry && cut.entry <= self.log.entries().len(),
            "{cut}: no going back, nor beyond"
        );
        self.settle(cut.entry)?;
        copy(&self.settled, to);
        let file = File::options().write(true).open(to)?;
        let mut fates = Fates::new(cut);
        let mut tally = Tally::default();
        for entry in &self.pending {
            let survives = fates.choose(entry);
            match survives.end - survives.start {
                0 => tally.dropped += 1,
                len if len == entry.len => tally.kept += 1,
                _ => tally.torn += 1,
            }
            let part = survives.start.max(self.flash.start)..survives.end.min(self.flash.end);
            self.log.apply(entry, &part, &file, self.flash.start)?;
        }
        Ok(tally)
    }

    /// Makes durable what the entries before this one made durable.
    fn settle(&mut self, until: usize) -> io::Result<()> {
        let file = File::options().write(true).open(&self.settled)?;
        for number in self.next..until {
            let entry = self.log.entries()[number];
            if entry.flushes() {
                for flushed in self.pending.drain(..) {
                    self.log.apply(&flushed, &self.flash, &file, self.flash.start)?;
                }
            }
            if !entry.touches(&self.flash) || self.forgotten.contains(&number) {
                continue;
            }
            self.pending.push(entry);
            if entry.is_durable() {
                // What was written to the same sectors before stays below it.
                let covered = entry.start..entry.start + entry.len;
                for durable in self.pending.extract_if(.., |pending| pending.touches(&covered)) {
                    self.log.apply(&durable, &self.flash, &file, self.flash.start)?;
                }
            }
        }
        self.next = until;
        Ok(())
    }
}

/// Decides what survives.
struct Fates {
    random: Random,
    /// Of eight writes, so many are dropped, and so many torn.
    dropped: u64,
    torn: u64,
}

impl Fates {
    /// All or nothing now and then, everything between mostly.
    fn new(cut: Cut) -> Self {
        let mut random = Random::new(cut.seed ^ (cut.entry as u64).rotate_left(32));
        let (dropped, torn) = match random.below(8) {
            0 => (8, 0),
            1 => (0, 0),
            2 => (1, 1),
            3 => (6, 1),
            4 => (0, 4),
            _ => (3, 2),
        };
        Self { random, dropped, torn }
    }

    /// The part of an entry, in bytes of the disk, that reached the medium.
    fn choose(&mut self, entry: &Entry) -> Range<u64> {
        let (start, end) = (entry.start, entry.start + entry.len);
        let choice = self.random.below(8);
        if choice < self.dropped {
            return start..start;
        }
        let sectors = entry.len / SECTOR;
        if choice >= self.dropped + self.torn || sectors < 2 {
            return start..end;
        }
        // Either side may be the one that was written.
        let middle = start + SECTOR * (1 + self.random.below(sectors - 1));
        if self.random.below(2) == 0 { start..middle } else { middle..end }
    }
}

/// Chooses moments, spread over the whole record: mostly just before a flush ends, when all that it will cover is in
/// doubt; else in the midst of what it will cover, or just behind it.
pub fn choose(log: &WriteLog, flash: &Range<u64>, seed: u64, cuts: usize) -> Vec<Cut> {
    let runs = runs(log, flash);
    let mut random = Random::new(seed);
    let mut chosen: Vec<Cut> = (0..cuts as u64)
        .filter_map(|number| {
            let (from, to) = (
                (number * runs.len() as u64) / cuts as u64,
                ((number + 1) * runs.len() as u64) / cuts as u64,
            );
            let run = runs.get((from + random.below((to - from).max(1))) as usize)?;
            let entry = match random.below(8) {
                0..5 => run.end,
                5..7 => run.start + 1 + random.below((run.end - run.start) as u64) as usize,
                _ => run.end + 1,
            };
            Some(Cut { entry, seed: seed.wrapping_add(number) })
        })
        .collect();
    chosen.sort();
    chosen
}

/// From the first write to the flash behind a flush to the next flush, which is the range's end.
fn runs(log: &WriteLog, flash: &Range<u64>) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut first = None;
    for (number, entry) in log.entries().iter().enumerate() {
        if entry.flushes() {
            runs.extend(first.take().map(|first| first..number));
        } else if entry.touches(flash) && first.is_none() {
            first = Some(number);
        }
    }
    runs
}

/// Copies a file with its holes, sharing its blocks where the file system can.
fn copy(from: &Path, to: &Path) {
    let mut command = Command::new("cp");
    run(command.args(["--reflink=auto", "--sparse=always"]).arg(from).arg(to), COPY_MAX).success();
}
