//! The power is cut while eight clients deliver: the program killed many times, the box a few; more with
//! `cargo run --release -p tests --bin power`.

use image::layout::FLASH_BYTES_MIN;
use std::time::Duration;
use tests::boxed::Boxed;
use tests::full::{self, Full};
use tests::hosted::{Hosted, Options};
use tests::machine::Machine;
use tests::power::{Plan, cut_and_check, cut_and_check_full};

#[test]
fn the_program_loses_and_doubles_nothing_when_it_is_killed() {
    let mut hosted = Hosted::new("killed", Options { flash_size: "4GiB".to_owned(), ..Options::default() });
    hosted.start();
    let plan = Plan {
        cuts: 25,
        moment: Duration::from_millis(5)..Duration::from_millis(400),
        stumble: Duration::ZERO..Duration::from_millis(40),
        seed: 20_261_122,
    };
    let survived = cut_and_check(&mut hosted, &plan);
    assert!(survived.letters > 200 && survived.changes > 50, "so little is no test: {survived:?}");
}

/// The flash was prepared: nine tenths full, so that compaction is at work when the power is cut.
#[test]
fn the_box_loses_and_doubles_nothing_when_its_power_is_cut_on_a_full_flash() {
    let full = Full::make("full", FLASH_BYTES_MIN);
    let builder = qemu::Machine::builder().flash(&full.flash);
    let mut boxed = Boxed::start_with("cuts", qemu::Board::Virt, builder, &full::provision_file());
    let plan = Plan {
        cuts: 8,
        moment: Duration::from_millis(200)..Duration::from_secs(5),
        stumble: Duration::from_millis(500)..Duration::from_secs(5),
        seed: 20_261_123,
    };
    let survived = cut_and_check_full(&mut boxed, &plan, full);
    eprintln!("{survived:?}");
    let is_much = survived.letters > 50 && survived.changes > 5 && survived.expunged > 100;
    let is_taken = survived.refused < 4 * survived.letters;
    assert!(is_much && is_taken && survived.emptied > 0, "so little is no test: {survived:?}");
    let problems = qemu::serial_problems(&boxed.console());
    assert!(problems.is_empty(), "{problems:#?}");
}
