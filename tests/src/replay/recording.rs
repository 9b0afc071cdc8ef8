//! A recorded run: a box in QEMU that is filled a little, switched off, and switched on again with every write of its
//! disk recorded while clients work. What it leaves is a folder with all that the check needs, so that one cut can be
//! tried again alone.

use super::accounts::provision_file;
use super::journal::Journal;
use super::write_log::WriteLog;
use super::{deliver, file, text};
use crate::boxed::Boxed;
use crate::card;
use crate::machine::Machine;
use crate::site::Site;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Clients that deliver at once.
const CLIENTS: usize = 6;

/// Sizes of the letters in bytes: within one unit of flash, of the usual size, and of several extents.
const SIZES: [usize; 6] = [700, 2_000, 8_192, 700, 8_192, 150_000];

/// Sizes of the letters that fill the flash before.
const FILLING_SIZES: [usize; 3] = [8_192, 60_000, 400_000];

/// A flash that has refused so many letters is as full as it gets.
const REFUSED_MAX: usize = 10;

/// How long one who reads along, or was refused, waits before asking again.
const REST: Duration = Duration::from_millis(50);

/// What is recorded.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Decides what the filer does.
    pub seed: u64,
    /// Size of the flash, in bytes.
    pub flash_bytes: u64,
    /// Bytes of letters that are on it before the record begins, about.
    pub filled_bytes: u64,
    /// How long clients work while writes are recorded.
    pub time: Duration,
}

/// A run that was recorded.
#[derive(Debug)]
pub struct Recording {
    /// What happened.
    pub journal: Journal,
    /// Requests that were refused for want of room.
    pub refused: usize,
    folder: PathBuf,
    flash: Range<u64>,
}

/// What the clients share: the clock, the journal, and the wish to stop.
pub(super) struct Scribe {
    log: File,
    journal: Mutex<Journal>,
    next: AtomicU64,
    stop: AtomicBool,
    pub(super) refused: AtomicUsize,
}

impl Scribe {
    fn new(log: &Path, journal: Journal, next: u64) -> Self {
        let log = File::open(log).expect("the record is there as soon as the box is on");
        let (next, refused) = (AtomicU64::new(next), AtomicUsize::new(0));
        Self { log, journal: Mutex::new(journal), next, stop: AtomicBool::new(false), refused }
    }

    /// How long the record is: the module says why this tells the time.
    pub(super) fn now(&self) -> u64 {
        self.log.metadata().expect("an open file can be looked at").len()
    }

    /// Notes something, or looks something up.
    pub(super) fn note<T>(&self, noted: impl FnOnce(&mut Journal) -> T) -> T {
        noted(&mut self.journal.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A number that no letter has had.
    pub(super) fn next_letter(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether it is over.
    pub(super) fn stops(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Waits a little.
    pub(super) fn rest(&self) {
        thread::sleep(REST);
    }

    /// Lets clients work until something is reached, or somebody fails.
    fn work(&self, site: &Site, sizes: &[usize], seed: u64, is_enough: impl Fn() -> bool) {
        thread::scope(|scope| {
            let mut all: Vec<_> =
                (0..CLIENTS).map(|_| scope.spawn(|| deliver::deliver(self, site, sizes))).collect();
            all.push(scope.spawn(|| deliver::watch(self, site)));
            all.push(scope.spawn(|| file::file(self, site, seed)));
            // A client that is gone before it was told to has failed, and says so when it is waited for.
            while !is_enough() && !all.iter().any(thread::ScopedJoinHandle::is_finished) {
                thread::sleep(REST);
            }
            self.stop.store(true, Ordering::Relaxed);
        });
    }

    /// Whether letters of the filling sizes have used so many bytes, or there is no room for more.
    fn has_filled(&self, bytes: u64) -> bool {
        let size = |number: &u64| FILLING_SIZES[*number as usize % FILLING_SIZES.len()] as u64;
        let filled = self.note(|journal| journal.letters.keys().map(size).sum::<u64>());
        filled >= bytes || self.refused.load(Ordering::Relaxed) >= REFUSED_MAX
    }

    fn end(self) -> (Journal, u64, usize) {
        let journal = self.journal.into_inner().unwrap_or_else(PoisonError::into_inner);
        (journal, self.next.into_inner(), self.refused.into_inner())
    }
}

impl Recording {
    /// Records a run on a new box. The name is that of the folder.
    ///
    /// # Panics
    /// When the box does not do as it should.
    pub fn make(name: &str, plan: &Plan) -> Self {
        let folder = crate::hosted::scratch().join(name);
        let log = folder.join("writes.log");
        let builder = qemu::Machine::builder().flash_bytes(plan.flash_bytes).log_writes(&log);
        let mut boxed = Boxed::start_with(name, qemu::Board::Virt, builder, &provision_file());
        let site = boxed.site();

        let before = Scribe::new(&log, Journal::default(), 1);
        before.work(&site, &FILLING_SIZES, plan.seed, || before.has_filled(plan.filled_bytes));
        let (mut journal, next, _) = before.end();
        journal.becomes_the_past();
        boxed.shut_down();
        let flash = card::flash_of(boxed.disk());
        card::copy_flash(boxed.disk(), &folder.join("before.flash"));

        boxed.start();
        let scribe = Scribe::new(&log, journal, next);
        let start = Instant::now();
        scribe.work(&site, &SIZES, plan.seed + 1, || start.elapsed() >= plan.time);
        let (journal, _, refused) = scribe.end();
        let console = boxed.shut_down();
        let problems = qemu::serial_problems(&console);
        assert!(problems.is_empty(), "{problems:#?}");
        fs::remove_file(boxed.disk()).expect("the disk of a box that is off can go");
        let recording = Self { journal, refused, folder, flash };
        recording.save();
        recording
    }

    /// A run that was recorded earlier.
    ///
    /// # Errors
    /// Those of the files; `InvalidData` for a journal that is none.
    pub fn load(folder: &Path) -> io::Result<Self> {
        let text = fs::read_to_string(folder.join("journal.txt"))?;
        let (flash, journal) = text::parse(&text)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "journal.txt is no journal"))?;
        Ok(Self { journal, refused: 0, folder: folder.to_owned(), flash })
    }

    /// Where everything about it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The part of the disk that is the flash.
    pub fn flash(&self) -> &Range<u64> {
        &self.flash
    }

    /// The flash as it was before the record.
    pub fn base(&self) -> PathBuf {
        self.folder.join("before.flash")
    }

    /// The record.
    ///
    /// # Errors
    /// As [`WriteLog::open`].
    pub fn log(&self) -> io::Result<WriteLog> {
        WriteLog::open(&self.folder.join("writes.log"))
    }

    /// How much there is, for whoever looks on.
    pub fn describe(&self, log: &WriteLog) -> String {
        let (letters, changes) = self.journal.confirmed();
        let (entries, bytes) = (log.entries().len(), log.position(log.entries().len()));
        let flushes = log.entries().iter().filter(|entry| entry.flushes()).count();
        format!(
            "{letters} letters and {changes} changes were acknowledged, {} requests refused for want of room; \
             {entries} entries are recorded, {flushes} of them flushes, {:.1} MB",
            self.refused,
            bytes as f64 / 1e6
        )
    }

    /// Deletes everything about it.
    pub fn remove(self) {
        fs::remove_dir_all(&self.folder).expect("an own folder can be deleted");
    }

    fn save(&self) {
        let text = text::print(&self.flash, &self.journal);
        fs::write(self.folder.join("journal.txt"), text).expect("a journal can be written");
    }
}
