//! The writes of the box are recorded while clients deliver; the flash is rebuilt as of many moments, with what was not
//! flushed dropped or torn, and none of it may have lost anything. More with
//! `cargo run --release -p tests --bin replay`.

use std::time::Duration;
use tests::replay::{Checker, Cut, Plan, Recording, choose};

const SEED: u64 = 20_261_124;

/// Flashes that are rebuilt.
const CUTS: usize = 12;

#[test]
fn a_flash_rebuilt_as_of_any_moment_has_all_that_was_acknowledged_by_then() {
    let plan =
        Plan { seed: SEED, flash_bytes: 128 << 20, filled_bytes: 2 << 20, time: Duration::from_secs(8) };
    let recording = Recording::make("replay", &plan);
    let log = recording.log().expect("the record can be read");
    let (letters, changes) = recording.journal.confirmed();
    eprintln!(
        "{letters} letters, {changes} changes, {} entries, {} bytes",
        log.entries().len(),
        log.position(log.entries().len())
    );
    assert!(letters > 50 && changes > 20, "so little is no test: {letters} letters, {changes} changes");
    let start = std::time::Instant::now();
    let cuts = choose(&log, recording.flash(), SEED, CUTS);
    let mut checker = Checker::new("replayed", &recording, &log);
    let verdict = checker.check(&cuts, 0..0);
    eprintln!("{verdict:?} {:?}", start.elapsed());
    assert!(verdict.failures.is_empty(), "{}: {:#?}", recording.folder().display(), verdict.failures);
}
