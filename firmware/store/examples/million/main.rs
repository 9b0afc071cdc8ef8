//! A store with a million letters of 8 KiB mean: memory that its index takes, what a mount reads and how long it takes,
//! and what listing reads.
//!
//! `cargo run --release -p store --example million [letters]`. Needs 4 GB of memory for a million: the flash keeps
//! metadata and forgets bodies.

#![expect(clippy::expect_used, reason = "a measurement that cannot go on says why and ends")]

#[path = "../rig/clock.rs"]
mod clock;
#[path = "../office/dice.rs"]
#[expect(dead_code, reason = "only sizes are drawn here")]
mod dice;
mod flash_memory;
#[path = "../rig/post.rs"]
mod post;

use std::hint::black_box;
use std::time::Instant;

use clock::processor_ns;
use dice::Dice;
use flash::{Direct, Geometry};
use flash_memory::{Forgetful, Read};
use mail::{Mail, MailboxId, Uid};
use peak_alloc::PeakAlloc;
use store::{FormatOptions, MountOptions, Store};

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

type Bench = Store<Direct<Forgetful>>;

const SEGMENT_BYTES: u32 = 8 << 20;
const ERASE_BYTES: u32 = 256 << 10;
/// Mailboxes that the letters are spread over.
const ACCOUNTS: usize = 20;
/// Sizes: a lognormal of 8 KiB mean, half of them below 5 KB.
const SIZE: (f64, f64, (f64, f64)) = (4_950.0, 1.0, (600.0, 2e6));
/// Header blocks and summaries as in the reference mix.
const HEAD: (f64, f64, (f64, f64)) = (2_000.0, 0.5, (450.0, 12e3));
const SUMMARY: (f64, f64) = (700.0, 1_250.0);
const GROUP: u64 = 32;
/// Mounts at different distances from the last checkpoint, and letters between them.
const MOUNTS: usize = 15;
const BETWEEN_MOUNTS: u64 = 2_000;
const LISTED: u32 = 10_000;

/// A store that grows.
struct Growing {
    store: Bench,
    boxes: Vec<MailboxId>,
    dice: Dice,
    letters: u64,
    mail: u64,
    bytes: Vec<u8>,
}

impl Growing {
    fn new(letters: u64) -> Self {
        let capacity = (letters * 12_500 + (1 << 30)).next_multiple_of(SEGMENT_BYTES.into());
        let geometry = Geometry { capacity, write_size: 4096, erase_size: ERASE_BYTES };
        let queue = Direct::new(Forgetful::new(geometry, SEGMENT_BYTES));
        let options = FormatOptions { uuid: *b"a million of it!", segment_bytes: Some(SEGMENT_BYTES) };
        let mut store = Store::format(queue, &options).expect("formats");
        store.set_compact(false);
        post::pump(&mut store);
        let address = |number| format!("person{number}@example.test");
        let boxes = (0..ACCOUNTS).map(|number| post::account(&mut store, &address(number), post::turn));
        let boxes = boxes.collect();
        Self { store, boxes, dice: Dice::new(8), letters: 0, mail: 0, bytes: Vec::new() }
    }

    fn grow(&mut self, letters: u64) {
        for _ in 0..letters {
            let size = self.dice.lognormal_within(SIZE.0, SIZE.1, SIZE.2);
            let head = self.dice.lognormal_within(HEAD.0, HEAD.1, HEAD.2).min(size);
            let summary = vec![0x5A; self.dice.between(SUMMARY.0, SUMMARY.1) as usize];
            post::compose(&mut self.bytes, head as usize, size as usize);
            let inbox = self.boxes[self.dice.below(ACCOUNTS)];
            let _ = post::bring(&mut self.store, inbox, &self.bytes, &summary, post::turn).expect("taken");
            self.mail += self.bytes.len() as u64;
            self.letters += 1;
            if self.letters.is_multiple_of(GROUP) {
                post::turn(&mut self.store);
            }
        }
        post::turn(&mut self.store);
    }

    /// Takes the power, mounts again, and says what that took.
    fn mount(self) -> (Self, Mounted) {
        let Self { store, boxes, dice, letters, mail, bytes } = self;
        let mut device = store.into_queue().into_device();
        device.read = Read::default();
        let programmed = device.programmed;
        let before = ALLOCATED.current_usage();
        ALLOCATED.reset_peak_usage();
        let (wall, begun) = (Instant::now(), processor_ns());
        let mut store = Store::mount(Direct::new(device), MountOptions::default()).expect("mounts");
        store.set_compact(false);
        store.settle();
        let mounted = Mounted {
            processor_ms: (processor_ns() - begun) as f64 / 1e6,
            wall_ms: wall.elapsed().as_secs_f64() * 1e3,
            memory: ALLOCATED.current_usage() - before,
            peak: ALLOCATED.peak_usage() - before,
            read: store.queue().device().read,
            letters,
            records: store.mount_report().records,
            programmed,
        };
        assert!(store.is_ready() && store.mount_report().damage == 0, "{:?}", store.mount_report());
        assert_eq!(store.statistics().letters as u64, letters);
        (Self { store, boxes, dice, letters, mail, bytes }, mounted)
    }
}

/// What one mount took.
#[derive(Clone, Copy, Debug)]
struct Mounted {
    processor_ms: f64,
    wall_ms: f64,
    /// Bytes that it left allocated, and had at most.
    memory: usize,
    peak: usize,
    read: Read,
    letters: u64,
    records: u64,
    programmed: u64,
}

impl Mounted {
    fn print(&self) {
        println!(
            "  {:>6} records replayed: {:>6.1} ms of processor, {:>6.1} ms; {:>6.2} MB read in {} reads, {:.2} % of what was \
             programmed, {} bytes of bodies; index {:.2} MB ({:.1} bytes a letter), {:.2} MB at most meanwhile",
            self.records,
            self.processor_ms,
            self.wall_ms,
            self.read.bytes as f64 / 1e6,
            self.read.calls,
            self.read.bytes as f64 / self.programmed as f64 * 100.0,
            self.read.bodies,
            self.memory as f64 / 1e6,
            self.memory as f64 / self.letters as f64,
            self.peak as f64 / 1e6,
        );
    }
}

fn list(growing: &mut Growing) {
    let inbox = growing.boxes[0];
    growing.store.queue().device().read = Read::default();
    let begun = processor_ns();
    let (mut uid, mut count, mut bytes) = (Uid(1), 0, 0);
    while let Some(message) = growing.store.next_message(inbox, uid).filter(|_| count < LISTED) {
        let record = growing.store.record(inbox, message.uid).expect("readable");
        bytes += black_box(record.head.len() + record.summary.len());
        uid = Uid(message.uid.0 + 1);
        count += 1;
    }
    let ms = (processor_ns() - begun) as f64 / 1e6;
    let read = growing.store.queue().device().read;
    println!(
        "listing {count} letters of one mailbox of {}: {bytes} bytes of header blocks and summaries in {ms:.1} ms; {} bytes \
         read, {} of them from body segments",
        growing.store.uids(inbox).len(),
        read.bytes,
        read.bodies
    );
    assert_eq!(read.bodies, 0, "listing touches no body");
}

fn main() {
    let letters: u64 = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(1_000_000);
    let mut growing = Growing::new(letters);
    growing.grow(letters);
    println!("{letters} letters in {ACCOUNTS} mailboxes, mean {} bytes", growing.mail / letters);
    println!("mounts after a power cut, {BETWEEN_MOUNTS} letters apart:");
    let mut all = Vec::new();
    for _ in 0..MOUNTS {
        let mounted;
        (growing, mounted) = growing.mount();
        mounted.print();
        all.push(mounted);
        growing.grow(BETWEEN_MOUNTS);
    }
    all.sort_by(|one, other| one.wall_ms.total_cmp(&other.wall_ms));
    println!("the median and the longest one:");
    all[MOUNTS / 2].print();
    all[MOUNTS - 1].print();
    list(&mut growing);
}
