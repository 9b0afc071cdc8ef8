//! How fast letters of 8 KiB come to be durable in groups of 32 on a file system, against plain writes of 256 KiB each
//! followed by fdatasync in the same place: the store on the program's own flash queue and device, no network.
//!
//! `cargo run --release -p tegami --example append [folder]` (the folder for files; the temporary one otherwise)
//!
//! Plain writes, letters stored as they come, and letters stored in frames take many short turns, because machines and
//! disks are noisy. Medians tell what they did in this hour; upper quartiles compare the disk at its best with itself,
//! where it has faster and slower moments. Both files are written whole before, so that no turn measures how the file
//! system finds blocks. Only letters stored as they come write as much as the plain writes do; what frames save is not
//! written, and what they cost is time of the processor.
//!
//! Beside the rates stand the processor's time for a letter, of the thread that has the store and of the one that has
//! the device, and writes and barriers for a group: they say what limits where the disk does not.

#![expect(clippy::expect_used, clippy::panic, reason = "a measurement that cannot go on says why and ends")]

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use board::devices::{self, Settings};
use board::threaded::{Measures, Options, Threaded};
use mail::{Address, Flags, Letter, Mail, MailboxId, Stop, UnixTime};
use rustix::time::{ClockId, clock_gettime};
use store::{AccountDetails, FormatOptions, Store};

const FILE_BYTES: u64 = 2 << 30;
const WRITE_BYTES: usize = 256 << 10;
const LETTER_BYTES: usize = 8 << 10;
const HEAD_BYTES: usize = 1_200;
const SUMMARY: &[u8] = &[0x5A; 400];
const GROUP: usize = 32;
/// Writes, and groups, of one turn.
const TURN: usize = 25;
const TURNS: usize = 80;
/// Different words of the letters: LZ4 makes 57 % of such bodies, about as of English in letters of this size.
const WORDS: u64 = 500;

type Bench = Store<Threaded>;

/// Plain writes.
struct Plain {
    file: File,
    bytes: Vec<u8>,
}

impl Plain {
    fn new(path: &Path) -> Self {
        let file = OpenOptions::new().write(true).open(path).expect("opens");
        Self { file, bytes: vec![0x5A; WRITE_BYTES] }
    }

    fn turn(&mut self) -> Duration {
        let begun = Instant::now();
        for _ in 0..TURN {
            self.file.write_all(&self.bytes).expect("written");
            self.file.sync_data().expect("synced");
        }
        begun.elapsed()
    }
}

/// A file of which every block has been written.
fn prepare(path: &Path) {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path).expect("opens");
    let bytes = vec![0xA5; 8 << 20];
    for _ in 0..FILE_BYTES / bytes.len() as u64 {
        file.write_all(&bytes).expect("has room");
    }
    file.sync_all().expect("synced");
}

/// Waits until the queue has news, and takes it up.
fn settle(store: &mut Bench) {
    // The writer thread wakes this one; a wake that came before is remembered.
    std::thread::park_timeout(Duration::from_millis(100));
    store.settle();
}

fn pump(store: &mut Bench) {
    loop {
        store.settle();
        if store.barrier_in_flight() {
            settle(store);
        } else if store.needs_flush() {
            store.flush();
        } else {
            return;
        }
    }
}

fn office(path: &Path) -> (Bench, MailboxId) {
    let device = devices::open(path, FILE_BYTES, &Settings::default()).expect("opens");
    let loop_thread = std::thread::current();
    let queue =
        Threaded::new(device, Options::default(), Box::new(move || loop_thread.unpark())).expect("starts");
    let options = FormatOptions { uuid: *b"append to a file", segment_bytes: None };
    let mut store = Store::format(queue, &options).expect("formats");
    pump(&mut store);
    let address = Address::parse("alice@example.test").expect("an address");
    let details = AccountDetails { address: &address, name: "", quota: None, secret: b"" };
    let (account, _) = store.put_account(None, &details).expect("taken");
    pump(&mut store);
    let inbox = store.inbox(account).expect("there");
    (store, inbox)
}

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn word(&mut self) -> String {
        (0..2 + self.below(8)).map(|_| (b'a' + self.below(26) as u8) as char).collect()
    }
}

/// Letters of text, a group of them, each different.
fn letters() -> Vec<Vec<u8>> {
    let mut dice = Dice(7);
    let words: Vec<String> = (0..WORDS).map(|_| dice.word()).collect();
    let mut text = |bytes: &mut Vec<u8>, end: usize| {
        let mut column = 0;
        while bytes.len() < end {
            // Frequent words are frequent: the rank falls off as in text.
            let below = 1 + dice.below(WORDS);
            let word = &words[dice.below(below) as usize];
            column += word.len() + 1;
            bytes.extend_from_slice(word.as_bytes());
            bytes.extend_from_slice(if column < 70 { b" " } else { b"\r\n" });
            column %= 70;
        }
        bytes.truncate(end);
    };
    let letter = |_| {
        let mut bytes = b"Subject: ".to_vec();
        while bytes.len() < HEAD_BYTES {
            let end = bytes.len() + 60;
            text(&mut bytes, end);
            bytes.retain(|byte| !matches!(byte, b'\r' | b'\n'));
            bytes.extend_from_slice(b"X-Line: ");
        }
        bytes.extend_from_slice(b"\r\n\r\n");
        text(&mut bytes, LETTER_BYTES);
        bytes
    };
    (0..GROUP).map(letter).collect()
}

fn bring(store: &mut Bench, inbox: MailboxId, bytes: &[u8]) {
    let draft = store.draft(Some(bytes.len() as u64)).expect("taken");
    store.add_mailbox(&draft, inbox, Flags::NONE).expect("taken");
    let mut rest = bytes;
    while !rest.is_empty() {
        match store.append(&draft, rest) {
            Ok(count) => rest = &rest[count..],
            Err(Stop::Busy) => settle(store),
            Err(stop) => panic!("{stop:?}"),
        }
    }
    let described = Letter { received: UnixTime(1_736_121_600), zone_minutes: 540, summary: SUMMARY };
    while let Err(stop) = store.deposit(&draft, &described) {
        assert_eq!(stop, Stop::Busy);
        settle(store);
    }
}

/// What letters cost in one turn.
#[derive(Clone, Copy)]
struct Cost {
    /// Bytes of mail in a second, in millions.
    rate: f64,
    /// Processor time for a letter in µs: of this thread, and of all others.
    own: f64,
    others: f64,
    /// Writes for a group, barriers for a group, and bytes programmed for a byte of mail.
    writes: f64,
    barriers: f64,
    programmed: f64,
}

/// Processor time in µs.
fn processor_us(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

/// Brings as many bytes of mail as a turn of plain writes has; while one group is made durable the next one gathers.
fn turn(store: &mut Bench, inbox: MailboxId, letters: &[Vec<u8>]) -> Duration {
    let begun = Instant::now();
    for _ in 0..TURN {
        letters.iter().for_each(|bytes| bring(store, inbox, bytes));
        while store.barrier_in_flight() {
            settle(store);
        }
        store.flush();
    }
    pump(store);
    begun.elapsed()
}

fn measured(store: &mut Bench, inbox: MailboxId, letters: &[Vec<u8>]) -> Cost {
    let before: Measures = store.queue().measures();
    let clocks = [ClockId::ThreadCPUTime, ClockId::ProcessCPUTime];
    let begun = clocks.map(processor_us);
    let took = turn(store, inbox, letters);
    let [own, all] = [0, 1].map(|at| (processor_us(clocks[at]) - begun[at]) / (TURN * GROUP) as f64);
    let after = store.queue().measures();
    let mail = (TURN * WRITE_BYTES) as f64;
    Cost {
        rate: mail / 1e6 / took.as_secs_f64(),
        own,
        others: all - own,
        writes: (after.writes - before.writes) as f64 / TURN as f64,
        barriers: (after.barriers - before.barriers) as f64 / TURN as f64,
        programmed: (after.programmed_bytes - before.programmed_bytes) as f64 / mail,
    }
}

/// Where in a sorted list the median stands, and the upper quartile.
const MEDIAN: f64 = 0.5;
const UPPER: f64 = 0.75;

fn quantile(numbers: impl Iterator<Item = f64>, at: f64) -> f64 {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers[(numbers.len() as f64 * at) as usize]
}

/// Rates beside those of the plain writes, and medians of the rest.
fn show(what: &str, plain: &[f64], costs: &[Cost]) {
    let of = |field: fn(&Cost) -> f64, at| quantile(costs.iter().map(field), at);
    let median = |field| of(field, MEDIAN);
    for (name, at) in [("median", MEDIAN), ("upper quartile", UPPER)] {
        let (plain, rate) = (quantile(plain.iter().copied(), at), of(|cost| cost.rate, at));
        println!(
            "{what}, {name}: {rate:.0} MB/s, {:.2} of the {plain:.0} MB/s of plain writes",
            rate / plain
        );
    }
    println!(
        "{what}: {:.1} + {:.1} µs of the processor for a letter, {:.1} writes and {:.2} barriers for a group, {:.2} bytes \
         programmed for a byte of mail",
        median(|cost| cost.own),
        median(|cost| cost.others),
        median(|cost| cost.writes),
        median(|cost| cost.barriers),
        median(|cost| cost.programmed),
    );
}

fn main() {
    let folder = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let names = ["append-plain.bin", "append-flash.bin"].map(|name| folder.join(name));
    names.iter().for_each(|name| prepare(name));
    let mut plain = Plain::new(&names[0]);
    let (mut store, inbox) = office(&names[1]);
    let letters = letters();
    let ways = [("letters as they come", false), ("letters in frames", true)];
    let (mut plains, mut costs): (Vec<f64>, [Vec<Cost>; 2]) = Default::default();
    for _ in 0..TURNS {
        plains.push((TURN * WRITE_BYTES) as f64 / 1e6 / plain.turn().as_secs_f64());
        for (costs, (_, frames)) in costs.iter_mut().zip(ways) {
            store.set_compact(frames);
            costs.push(measured(&mut store, inbox, &letters));
        }
    }
    for (costs, (what, _)) in costs.iter().zip(ways) {
        show(what, &plains, costs);
    }
    drop(store);
    for name in names {
        std::fs::remove_file(name).expect("removed");
    }
}
