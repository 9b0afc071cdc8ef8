//! The writes of the box are recorded while clients deliver; its flash is rebuilt as of many moments, with what was not
//! flushed dropped or torn, and none of them may have lost anything. More with
//! `cargo run --release -p tests --bin replay`.

#![expect(clippy::expect_used, reason = "a test fails by panicking; so do its helpers")]

use std::time::Duration;
use tests::replay::{Checker, Cut, Plan, Recording, choose};

const SEED: u64 = 20_261_124;

/// Flashes that are rebuilt.
const CUTS: usize = 32;

#[test]
fn a_flash_rebuilt_as_of_any_moment_has_all_that_was_acknowledged_by_then() {
    let plan =
        Plan { seed: SEED, flash_bytes: 128 << 20, filled_bytes: 2 << 20, time: Duration::from_secs(6) };
    let recording = Recording::make("replay", &plan);
    let log = recording.log().expect("the record can be read");
    eprintln!("{}", recording.describe(&log));
    let (letters, changes) = recording.journal.confirmed();
    assert!(letters > 50 && changes > 20, "so little is no test: {letters} letters, {changes} changes");

    let mut checker = Checker::new("replayed", &recording, &log);
    let verdict = checker.check(&choose(&log, recording.flash(), SEED, CUTS), 0..0);
    eprintln!("{verdict}");
    let again = recording.folder().display();
    assert!(verdict.failures.is_empty(), "--again {again} --only ID: {:#?}", verdict.failures);
    assert!(verdict.flashes == CUTS && verdict.tally.dropped > 0 && verdict.tally.torn > 0, "{verdict}");

    a_disk_that_lies_is_found_out(&recording, &mut checker);
    recording.remove();
}

/// The same check fails when the disk has forgotten what it said that it had flushed: the last letter, all at once or
/// in the midst of what came later.
fn a_disk_that_lies_is_found_out(recording: &Recording, checker: &mut Checker<'_>) {
    let log = recording.log().expect("the record can be read");
    let (begun, confirmed) = recording.journal.last_confirmed().expect("letters were confirmed");
    let entries = log.entries();
    let forgotten = entries.partition_point(|entry| entry.at < begun)
        ..entries.partition_point(|entry| entry.at < confirmed);
    let mut wrong_at = |entry| {
        let verdict = checker.check(&[Cut { entry, seed: SEED }], forgotten.clone());
        verdict.failures.into_iter().flat_map(|failure| failure.wrong).collect::<Vec<_>>()
    };
    let wrong = wrong_at(forgotten.end);
    let is_seen = wrong.iter().any(|sentence| sentence.contains("got its 250"));
    assert!(is_seen, "entries {forgotten:?} were forgotten, and this is all that is found: {wrong:#?}");
    assert!(
        !wrong_at(entries.len()).is_empty(),
        "entries {forgotten:?} were forgotten, and nothing is found"
    );
}
