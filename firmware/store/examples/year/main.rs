//! Plays years of office life (`examples/office`) to a store on a flash in memory that begins 80 % full, and says what
//! was programmed for each byte of mail, what for, how evenly blocks were erased, and how long calls took.
//!
//! `cargo run --release -p store --example year -- [--write-size BYTES] [--capacity MIB] [--years N] [--full PERCENT]`;
//! with `--mix` it only says what the years consist of.

#![expect(clippy::expect_used, clippy::panic, reason = "a measurement that cannot go on says why and ends")]

#[path = "../office/mod.rs"]
mod office;
mod plan;
mod play;
mod report;
#[path = "../rig/mod.rs"]
mod rig;

use flash::Geometry;
use office::Office;
use office::calendar::{DAY, YEAR_DAYS};
use play::Player;

/// Any year would do; this one is the same in every run.
const SEED: u64 = 0x5EED_0F0F_F1CE;

/// The program's erase size on cards (`ERASE_BYTES` in board), in bytes.
const ERASE_BYTES: u32 = 256 << 10;

/// A store chooses segments of a 1024th of the flash, at least 256 KiB; so a box of 1 GiB has as many as one of 8 GiB.
const SEGMENTS: u64 = 1024;

/// Part of the flash that is full of mail, in percent: bytes of letters, each once. What a store keeps besides (summaries,
/// the index) and its reserve come on top, so it calls itself fuller than this; the report says how full.
const FULL: u64 = 80;

fn option(name: &str, otherwise: u64) -> u64 {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1).map_or(otherwise, |value| value.parse().expect("a number"))
}

fn main() {
    let capacity = option("--capacity", 1024) << 20;
    if std::env::args().any(|argument| argument == "--mix") {
        return plan::print(capacity);
    }
    let write_size = option("--write-size", 4096) as u32;
    let segment_bytes = (capacity / SEGMENTS).next_power_of_two().max(u64::from(ERASE_BYTES)) as u32;
    let geometry = Geometry { capacity, write_size, erase_size: ERASE_BYTES };
    let anchors = 2 * (segment_bytes / ERASE_BYTES) as usize;
    println!("flash of {} MiB, units of {write_size}, segments of {segment_bytes}", capacity >> 20);
    let mut office = Office::new(capacity * option("--full", FULL) / 100, SEED);
    let mut player = Player::new(geometry, segment_bytes);
    let mut before = report::Before::of(&mut player);
    player.older(&office.older());
    report::print("older mail, in groups of 32", &before, &mut player, anchors);
    player.took = play::Took::default();
    for year in 1..=option("--years", 1) {
        before = report::Before::of(&mut player);
        for (time, action) in office.by_ref() {
            player.act(time, &action);
            if time >= year * YEAR_DAYS * DAY {
                break;
            }
        }
        player.pump();
        report::print(&format!("year {year}"), &before, &mut player, anchors);
    }
    player.finish();
    report::times(&player);
}
