//! Bytes programmed for each byte of mail while a store only grows, on the reference mix: in groups of 32, and one
//! letter at a time.
//!
//! `cargo run --release -p store --example growth`

#![expect(clippy::expect_used, clippy::panic, reason = "a measurement that cannot go on says why and ends")]

#[path = "rig/clock.rs"]
mod clock;
#[path = "rig/memory.rs"]
mod memory;
#[path = "office/mod.rs"]
#[expect(dead_code, reason = "of the office only its letters are needed")]
mod office;
#[path = "rig/post.rs"]
mod post;
#[path = "rig/profile.rs"]
#[expect(dead_code, reason = "the profile of a store that grows is short")]
mod profile;

use flash::{Direct, Geometry};
use memory::Memory;
use office::Office;
use store::{FormatOptions, Store};

const CAPACITY: u64 = 1 << 30;
const SEGMENT_BYTES: u32 = 1 << 20;
const ERASE_BYTES: u32 = 256 << 10;
/// As `year` has it.
const SEED: u64 = 0x5EED_0F0F_F1CE;
const LETTERS: usize = 45_000;

fn grow(write_size: u32, group: usize, title: &str) {
    let geometry = Geometry { capacity: CAPACITY, write_size, erase_size: ERASE_BYTES };
    let options = FormatOptions { uuid: *b"store that grows", segment_bytes: Some(SEGMENT_BYTES) };
    let queue = Direct::new(Memory::new(geometry, SEGMENT_BYTES));
    let mut store = Store::format(queue, &options).expect("formats");
    store.set_compact(false);
    post::pump(&mut store);
    store.set_message_limit(64 << 20);
    let inbox = post::account(&mut store, "alice@example.test", post::turn);
    let mut office = Office::new(CAPACITY, SEED);
    let (mut bytes, mut mail) = (Vec::new(), 0);
    for number in 1..=LETTERS {
        let letter = office.any_letter();
        post::compose(&mut bytes, letter.head as usize, letter.size as usize);
        let summary = vec![0x5A; letter.summary as usize];
        let _ = post::bring(&mut store, inbox, &bytes, &summary, post::turn).expect("taken");
        mail += u64::from(letter.size);
        if number.is_multiple_of(group) {
            post::turn(&mut store);
        }
    }
    post::pump(&mut store);
    let profile = &store.queue().device().watcher.profile;
    let share = |bytes: u64| bytes as f64 / mail as f64;
    println!(
        "units of {write_size:>4}, {title}: {:.3} for each byte of mail (mean letter {}): bodies {:.3}, metadata {:.3} (checkpoints \
         {:.3}); of all that, padding and group records {:.3}",
        share(profile.all()),
        mail / LETTERS as u64,
        share(profile.fresh.all()),
        share(profile.meta()),
        share(profile.checkpoints()),
        share(profile.overhead()),
    );
}

fn main() {
    for write_size in [4096, 512] {
        grow(write_size, 32, "groups of 32");
        grow(write_size, 1, "one at a time");
    }
}
