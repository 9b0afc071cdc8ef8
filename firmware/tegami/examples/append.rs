//! How fast letters of 8 KiB come to be durable in groups of 32 on a file system, against plain writes of 256 KiB each
//! followed by fdatasync in the same place: the store on the program's own flash queue and device, no network.
//!
//! `cargo run --release -p tegami --example append [folder]` (the folder for files; the temporary one otherwise)
//!
//! The two take turns, because machines are noisy; the ratio is taken within each turn. Both files are written whole
//! before, so that no turn measures how the file system finds blocks.

#![expect(clippy::expect_used, clippy::panic, reason = "a measurement that cannot go on says why and ends")]

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use board::devices::{self, Settings};
use board::threaded::{Options, Threaded};
use mail::{Address, Flags, Letter, Mail, MailboxId, Stop, UnixTime};
use store::{AccountDetails, FormatOptions, Store};

const FILE_BYTES: u64 = 2 << 30;
const WRITE_BYTES: usize = 256 << 10;
const LETTER_BYTES: usize = 8 << 10;
const HEAD_BYTES: usize = 1_200;
const SUMMARY: &[u8] = &[0x5A; 400];
const GROUP: u64 = 32;
/// Writes, and groups, of one turn.
const TURN: u64 = 100;
const TURNS: usize = 15;

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

fn letter() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(LETTER_BYTES);
    while bytes.len() < HEAD_BYTES {
        bytes.extend_from_slice(
            b"X-Line: 0123456789 abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ\r\n",
        );
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.resize(LETTER_BYTES, b'y');
    bytes
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

/// Brings as many bytes of mail as a turn of plain writes has; while one group is made durable the next one gathers.
fn turn(store: &mut Bench, inbox: MailboxId, bytes: &[u8]) -> Duration {
    let begun = Instant::now();
    for _ in 0..TURN {
        for _ in 0..GROUP {
            bring(store, inbox, bytes);
        }
        while store.barrier_in_flight() {
            settle(store);
        }
        store.flush();
    }
    pump(store);
    begun.elapsed()
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn main() {
    let folder = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let names = ["append-plain.bin", "append-flash.bin"].map(|name| folder.join(name));
    names.iter().for_each(|name| prepare(name));
    let mut plain = Plain::new(&names[0]);
    let (mut store, inbox) = office(&names[1]);
    let bytes = letter();
    let mail = (TURN * WRITE_BYTES as u64) as f64 / 1e6;
    let (mut plains, mut stores, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for number in 1..=TURNS {
        let plain = mail / plain.turn().as_secs_f64();
        let appended = mail / turn(&mut store, inbox, &bytes).as_secs_f64();
        let measures = store.queue().measures();
        println!(
            "turn {number:>2}: plain {plain:>6.1} MB/s, letters {appended:>6.1} MB/s ({:>5.0} letters/s): {:.2}; so far {} \
             writes, {} barriers of {:.2} ms",
            appended * 1e6 / LETTER_BYTES as f64,
            appended / plain,
            measures.writes,
            measures.barriers,
            measures.barrier_mean().as_secs_f64() * 1e3,
        );
        plains.push(plain);
        stores.push(appended);
        ratios.push(appended / plain);
    }
    println!(
        "medians: plain {:.1} MB/s, letters {:.1} MB/s, ratio {:.2}",
        median(plains),
        median(stores),
        median(ratios)
    );
    drop(store);
    for name in names {
        std::fs::remove_file(name).expect("removed");
    }
}
