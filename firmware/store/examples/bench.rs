//! Measures the store's own work, in processor time, on a flash in memory: no device, no network, one thread.
//!
//! `cargo run --release -p store --example bench [letters]`

#![expect(clippy::expect_used, reason = "a measurement that cannot go on says why and ends")]

#[path = "rig/clock.rs"]
mod clock;

use std::hint::black_box;
use std::time::Duration;

use clock::processor_ns;
use flash::{Direct, Fault, Flash, Geometry};
use mail::{
    AccountId, Address, Flags, Letter, Mail, MailboxId, Recipient, Stop, Ticket, Uid, UidSet, UnixTime,
};
use store::{AccountDetails, FormatOptions, MountOptions, Store};

/// Flash in memory, without the simulator's books.
struct Memory {
    bytes: Vec<u8>,
}

impl Flash for Memory {
    fn geometry(&self) -> Geometry {
        Geometry { capacity: self.bytes.len() as u64, write_size: 4096, erase_size: 1 << 20 }
    }

    fn read(&mut self, offset: u64, out: &mut [u8]) -> Result<(), Fault> {
        let start = offset as usize;
        out.copy_from_slice(self.bytes.get(start..start + out.len()).ok_or(Fault::Misuse)?);
        Ok(())
    }

    fn program(&mut self, offset: u64, units: &[u8]) -> Result<(), Fault> {
        let start = offset as usize;
        self.bytes.get_mut(start..start + units.len()).ok_or(Fault::Misuse)?.copy_from_slice(units);
        Ok(())
    }

    fn erase(&mut self, _offset: u64, _len: u64) -> Result<(), Fault> {
        Ok(())
    }

    fn barrier(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

/// Processor time since [`processor_ns`] was asked.
fn since(begun: u64) -> Duration {
    Duration::from_nanos(processor_ns() - begun)
}

type Bench = Store<Direct<Memory>>;

fn pump(store: &mut Bench) {
    while store.needs_flush() {
        store.flush();
        store.settle();
    }
}

fn must(store: &mut Bench, ticket: Result<Ticket, Stop>) {
    let ticket = ticket.expect("taken");
    pump(store);
    ticket.result().expect("settled").expect("done");
}

fn report(what: &str, count: u64, took: Duration) {
    let per = took.as_nanos() as f64 / count as f64;
    println!(
        "{what:<44} {count:>9} in {:>8.1} ms: {per:>9.1} ns each, {:>11.0}/s",
        took.as_secs_f64() * 1e3,
        1e9 / per
    );
}

/// A header block as they are: 1.2 KiB, and a body of printable text.
fn letter(size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size);
    for number in 0..16 {
        bytes.extend_from_slice(format!("X-Header-{number:02}: {:060}\r\n", number * 7919).as_bytes());
    }
    bytes.extend_from_slice(b"Subject: measuring\r\n\r\n");
    while bytes.len() < size {
        bytes.extend_from_slice(b"The quick brown fox jumps over the lazy dog, again and again.\r\n");
    }
    bytes.truncate(size);
    bytes
}

const SUMMARY: &[u8] = &[0x5A; 400];

fn deliver(store: &mut Bench, to: &Recipient, bytes: &[u8]) -> Result<Ticket, Stop> {
    let draft = store.draft(Some(bytes.len() as u64)).map_err(Stop::Refused)?;
    store.add_recipient(&draft, to, mail::Outside::Nothing).map_err(Stop::Refused)?;
    let mut rest = bytes;
    while !rest.is_empty() {
        match store.append(&draft, &rest[..rest.len().min(16 << 10)]) {
            Ok(count) => rest = &rest[count..],
            Err(Stop::Busy) => {
                store.flush();
                store.settle();
            }
            Err(stop) => return Err(stop),
        }
    }
    let letter = Letter { received: UnixTime(1_700_000_000), zone_minutes: 540, summary: SUMMARY };
    loop {
        match store.deposit(&draft, &letter) {
            Err(Stop::Busy) => {
                store.flush();
                store.settle();
            }
            result => return result,
        }
    }
}

fn office(capacity: usize) -> Bench {
    // Touched once, so that what is measured is not the kernel finding pages.
    let options = FormatOptions { uuid: *b"bench bench benc", segment_bytes: None };
    let queue = Direct::new(Memory { bytes: vec![1; capacity] });
    let mut store = Store::format(queue, &options).expect("formats");
    pump(&mut store);
    let ticket = store.put_domain("example.test");
    must(&mut store, ticket);
    let address = Address::parse("alice@example.test").expect("an address");
    let details = AccountDetails { address: &address, name: "", quota: None, secret: b"" };
    let (_, ticket) = store.put_account(None, &details).expect("taken");
    must(&mut store, Ok(ticket));
    store
}

fn deliveries(store: &mut Bench, count: u64, size: usize, group: u64) {
    let to = Recipient::plain(Address::parse("alice@example.test").expect("an address"));
    let bytes = letter(size);
    let begun = processor_ns();
    for number in 1..=count {
        deliver(store, &to, &bytes).expect("delivered");
        if number % group == 0 {
            store.flush();
            store.settle();
        }
    }
    pump(store);
    report(&format!("deliver {size} bytes, groups of {group}"), count, since(begun));
}

fn reads(store: &mut Bench, inbox: MailboxId) {
    let count = u64::from(store.uids(inbox).len());
    for round in ["first", "again"] {
        let begun = processor_ns();
        let mut uid = Uid(1);
        while let Some(message) = store.next_message(inbox, uid) {
            black_box(store.record(inbox, message.uid).expect("readable").head.len());
            uid = Uid(message.uid.0 + 1);
        }
        report(&format!("next_message + record, in order, {round}"), count, since(begun));
    }
    let begun = processor_ns();
    let (mut out, mut bytes) = (Vec::new(), 0_u64);
    for uid in store.uids(inbox).iter() {
        let content = store.open(inbox, uid).expect("opens");
        out.clear();
        while (out.len() as u64) < content.size() {
            store.read(&content, out.len() as u64, 64 << 10, &mut out).expect("reads");
        }
        bytes += out.len() as u64;
    }
    let took = since(begun);
    report("open + read the whole letter", count, took);
    println!("{:<44} {:>9.0} MB/s", "", bytes as f64 / took.as_secs_f64() / 1e6);
    let begun = processor_ns();
    for _ in 0..100 {
        black_box(store.uids(inbox).len());
    }
    report("uids of the mailbox", 100, since(begun));
    let known = store.status(inbox).expect("there").highest_modseq;
    let ticket = store.set_flags(inbox, &UidSet::range(Uid(500), Uid(500)), Flags::DRAFT, Flags::NONE);
    must(store, ticket);
    let begun = processor_ns();
    for _ in 0..100_000 {
        let found = store.next_changed(inbox, known, Uid(0)).expect("changed");
        black_box(store.next_changed(inbox, known, Uid(found.uid.0 + 1)));
    }
    report("finding the one change in the mailbox", 100_000, since(begun));
}

/// Each change many times.
const ROUNDS: u32 = 100;

fn changes(store: &mut Bench, inbox: MailboxId) {
    let all = UidSet::range(Uid(1), Uid(10_000));
    let begun = processor_ns();
    for _ in 0..ROUNDS {
        for (add, remove) in [(Flags::FLAGGED, Flags::NONE), (Flags::NONE, Flags::FLAGGED)] {
            let ticket = store.set_flags(inbox, &all, add, remove);
            must(store, ticket);
        }
    }
    report("STORE 1:10000 +FLAGS, -FLAGS, a message", 20_000 * u64::from(ROUNDS), since(begun));
    let name = mail::MailboxName::new("Archive").expect("a name");
    let archive = store.mailbox(AccountId(1), &name).expect("there");
    let begun = processor_ns();
    for _ in 0..ROUNDS {
        let ticket = store.copy(inbox, &all, archive);
        must(store, ticket);
    }
    report("COPY 1:10000, a message", 10_000 * u64::from(ROUNDS), since(begun));
    let begun = processor_ns();
    for round in 0..ROUNDS {
        let half: UidSet = (1..=5000).map(|number| Uid(round * 10_000 + number * 2)).collect();
        let ticket = store.expunge(archive, &half);
        must(store, ticket);
    }
    report("EXPUNGE of every second of 10000, a message", 5000 * u64::from(ROUNDS), since(begun));
    let begun = processor_ns();
    for round in 0..ROUNDS {
        let some = UidSet::range(Uid(round * 10_000 + 1), Uid(round * 10_000 + 10_000));
        let ticket = store.move_messages(archive, &some, inbox);
        must(store, ticket);
    }
    report("MOVE of the others, a message", 5000 * u64::from(ROUNDS), since(begun));
}

/// Bytes of memory that are this process's own, as the kernel counts them.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("Anonymous:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) << 10
}

fn main() {
    let letters: u64 = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(20_000);
    let capacity = ((letters as usize * 26) << 10).next_multiple_of(1 << 20) + (256 << 20);
    let mut store = office(capacity);
    let inbox = store.inbox(AccountId(1)).expect("there");
    let before = resident();
    deliveries(&mut store, letters, 8192, 32);
    deliveries(&mut store, letters / 10, 8192, 1);
    deliveries(&mut store, letters, 2048, 32);
    let (held, count) = (resident().saturating_sub(before), store.statistics().letters);
    println!(
        "memory for {count} letters, buffers included {held:>10} bytes: {:.1} each",
        held as f64 / count as f64
    );
    deliveries(&mut store, 20, 5 << 20, 1);
    reads(&mut store, inbox);
    changes(&mut store, inbox);
    let statistics = store.statistics();
    let ratio = statistics.programmed as f64 / statistics.mail as f64;
    println!("programmed {} for {} of mail: {ratio:.3}", statistics.programmed, statistics.mail);
    let memory = store.into_queue().into_device();
    let begun = processor_ns();
    let mut store = Store::mount(Direct::new(memory), MountOptions::default()).expect("mounts");
    store.settle();
    report("mount, half a million messages, as many deletions", 1, since(begun));
}
