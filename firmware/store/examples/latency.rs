//! How long deliveries wait with compaction running, against without: the same clients on a nearly empty store and on
//! one that is 80 % full and loses a letter for each that comes.
//!
//! `cargo run --release -p store --example latency [percent]`
//!
//! Processor time is measured; the device's time is computed from what is programmed: so many bytes a second, and so much
//! for a barrier. Eight clients deliver letters of 8 KiB, each the next one as soon as it has its answer.

#![expect(clippy::expect_used, clippy::panic, reason = "a measurement that cannot go on says why and ends")]

#[path = "rig/clock.rs"]
mod clock;
#[path = "office/dice.rs"]
#[expect(dead_code, reason = "letters are only chosen")]
mod dice;
#[path = "rig/memory.rs"]
mod memory;
#[path = "rig/post.rs"]
mod post;
#[path = "rig/profile.rs"]
#[expect(dead_code, reason = "only sums are asked for")]
mod profile;

use clock::processor_ns;
use dice::Dice;
use flash::{Direct, Geometry};
use mail::{Mail, MailboxId, Ticket, Uid, UidSet};
use memory::Memory;
use store::{FormatOptions, Store};

const CAPACITY: u64 = 512 << 20;
const SEGMENT_BYTES: u32 = 512 << 10;
const ERASE_BYTES: u32 = 256 << 10;
const CLIENTS: usize = 8;
const LETTER_BYTES: usize = 8 << 10;
const HEAD_BYTES: usize = 2_000;
const SUMMARY: &[u8] = &[0x5A; 900];
/// How full a store says that it is, in percent, without compaction and with it.
const FULL: [u64; 2] = [6, 80];
const DELIVERIES: usize = 60_000;

type Bench = Store<Direct<Memory>>;

/// A device: bytes that it programs in a microsecond, and microseconds that a barrier takes beside.
#[derive(Clone, Copy)]
struct Speed {
    name: &'static str,
    bytes: f64,
    barrier: f64,
}

const SPEEDS: [Speed; 3] = [
    Speed { name: "a slow card (10 MB/s, 4 ms)", bytes: 10.0, barrier: 4_000.0 },
    Speed { name: "a good card (40 MB/s, 4 ms)", bytes: 40.0, barrier: 4_000.0 },
    Speed { name: "a disk (400 MB/s, 1 ms)", bytes: 400.0, barrier: 1_000.0 },
];

struct Office {
    store: Bench,
    inbox: MailboxId,
    letter: Vec<u8>,
    /// UIDs of what is kept.
    kept: Vec<u32>,
    next: u32,
    dice: Dice,
}

/// What one phase gave, in microseconds.
struct Waits {
    all: Vec<f64>,
    groups: u64,
    compaction: u64,
    programmed: u64,
}

impl Office {
    fn new(write_size: u32) -> Self {
        let geometry = Geometry { capacity: CAPACITY, write_size, erase_size: ERASE_BYTES };
        let options = FormatOptions { uuid: *b"waiting for mail", segment_bytes: Some(SEGMENT_BYTES) };
        let queue = Direct::new(Memory::new(geometry, SEGMENT_BYTES));
        let mut store = Store::format(queue, &options).expect("formats");
        store.set_compact(false);
        post::pump(&mut store);
        let inbox = post::account(&mut store, "alice@example.test", post::turn);
        let mut letter = Vec::new();
        post::compose(&mut letter, HEAD_BYTES, LETTER_BYTES);
        Self { store, inbox, letter, kept: Vec::new(), next: 1, dice: Dice::new(99) }
    }

    fn deliver(&mut self) -> Ticket {
        let ticket =
            post::bring(&mut self.store, self.inbox, &self.letter, SUMMARY, post::turn).expect("taken");
        self.kept.push(self.next);
        self.next += 1;
        ticket
    }

    /// Fills the store until it says that it is full to so many percent.
    fn fill(&mut self, percent: u64) {
        loop {
            for _ in 0..32 {
                let _ = self.deliver();
            }
            post::turn(&mut self.store);
            let statistics = self.store.statistics();
            if statistics.free * 100 <= statistics.capacity * (100 - percent) {
                return post::pump(&mut self.store);
            }
        }
    }

    /// Removes some letter that is durable.
    fn lose(&mut self) {
        let chosen = self.dice.below(self.kept.len() - 2 * CLIENTS);
        let uid = Uid(self.kept.swap_remove(chosen));
        let _ = self.store.expunge(self.inbox, &UidSet::range(uid, uid)).expect("taken");
    }

    /// Clients deliver `count` letters; for each one another is removed.
    fn play(&mut self, count: usize, speed: &Speed) -> Waits {
        let before = self.store.queue().device().watcher.profile.clone();
        let (mut now, mut programmed) = (0.0, before.all());
        let mut barriers = self.store.queue().device().barriers;
        let mut waits = Waits { all: Vec::with_capacity(count), groups: 0, compaction: 0, programmed: 0 };
        // Those whose letters come while a barrier is under way are in the next group.
        let mut asked: Vec<(f64, Ticket)> = (0..CLIENTS).map(|_| (now, self.deliver())).collect();
        while waits.all.len() < count {
            let cpu = processor_ns();
            let watched = self.store.queue().device().watching_ns;
            self.store.flush();
            self.store.settle();
            let watched = self.store.queue().device().watching_ns - watched;
            let cpu = (processor_ns() - cpu).saturating_sub(watched);
            let all = self.store.queue().device().watcher.profile.all();
            // More than one where a letter had to wait for housekeeping before it was taken.
            let ended = self.store.queue().device().barriers;
            let device = (all - programmed) as f64 / speed.bytes + (ended - barriers) as f64 * speed.barrier;
            now += device + cpu as f64 / 1e3;
            (programmed, barriers) = (all, ended);
            waits.groups += 1;
            // What does not fit into the rest of a segment goes into the group after it.
            let (answered, rest): (Vec<_>, Vec<_>) =
                asked.into_iter().partition(|(_, ticket)| ticket.is_settled());
            asked = rest;
            waits.all.extend(answered.iter().map(|(since, _)| now - since));
            for _ in answered {
                asked.push((now, self.deliver()));
                self.lose();
            }
        }
        let after = self.store.queue().device().watcher.profile.since(&before);
        (waits.compaction, waits.programmed) = (after.compaction(), after.all());
        waits.all.sort_by(f64::total_cmp);
        waits
    }
}

impl Waits {
    fn at(&self, part: usize) -> f64 {
        self.all.get(self.all.len() * part / 1000).or(self.all.last()).map_or(0.0, |wait| wait / 1e3)
    }

    fn print(&self, title: &str) {
        println!(
            "  {title}: p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, max {:.2} ms; {} deliveries in {} groups, {:.1} % of {:.0} MB \
             programmed by compaction",
            self.at(500),
            self.at(990),
            self.at(999),
            self.at(1000),
            self.all.len(),
            self.groups,
            self.compaction as f64 / self.programmed as f64 * 100.0,
            self.programmed as f64 / 1e6
        );
    }
}

fn main() {
    let full = std::env::args().nth(1).map_or(FULL[1], |percent| percent.parse().expect("percent"));
    for speed in &SPEEDS {
        println!("{}", speed.name);
        let mut office = Office::new(4096);
        office.fill(FULL[0]);
        let without = office.play(DELIVERIES / 4, speed);
        without.print("without compaction");
        office.fill(full);
        // What has to happen first: segments that are only partly needed.
        let _ = office.play(DELIVERIES / 2, speed);
        let with = office.play(DELIVERIES, speed);
        with.print("with compaction   ");
        println!("  p99 with over without: {:.2}", with.at(990) / without.at(990));
    }
}
