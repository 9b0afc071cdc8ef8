//! The power is cut while eight clients deliver: the program killed many times, the box a few; more with
//! `cargo run --release -p tests --bin power`.

use image::layout::FLASH_BYTES_MIN;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use tests::boxed::{Boxed, HOST};
use tests::full::{self, Full};
use tests::hosted::{Hosted, Options};
use tests::machine::Machine;
use tests::outside::Outside;
use tests::power::{Plan, cut_and_check, cut_and_check_full};
use tests::provision;

#[test]
fn the_program_loses_and_doubles_nothing_when_it_is_killed() {
    let outside = Outside::start();
    let provision = provision::file() + &outside.tables(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let options = Options { provision: Some(provision), flash_size: "4GiB".to_owned(), ..Options::default() };
    let mut hosted = Hosted::new("killed", options);
    hosted.start();
    let plan = Plan {
        cuts: 25,
        moment: Duration::from_millis(5)..Duration::from_millis(400),
        stumble: Duration::ZERO..Duration::from_millis(40),
        seed: 20_261_122,
    };
    let survived = cut_and_check(&mut hosted, &plan, outside);
    eprintln!("{survived:?}");
    assert!(survived.letters > 200 && survived.changes > 50, "so little is no test: {survived:?}");
    assert!(survived.sent.letters > 50 && survived.sent.bounced > 5, "so little is no test: {survived:?}");
}

/// The flash was prepared: nine tenths full, so that compaction is at work when the power is cut.
#[test]
fn the_box_loses_and_doubles_nothing_when_its_power_is_cut_on_a_full_flash() {
    let full = Full::make("full", FLASH_BYTES_MIN);
    let builder = qemu::Machine::builder().flash(&full.flash);
    let outside = Outside::start();
    let provision = full::provision_file() + &outside.tables(HOST);
    let mut boxed = Boxed::start_with("cuts", qemu::Board::Virt, builder, &provision);
    let plan = Plan {
        cuts: 8,
        moment: Duration::from_millis(200)..Duration::from_secs(5),
        stumble: Duration::from_millis(500)..Duration::from_secs(5),
        seed: 20_261_123,
    };
    let survived = cut_and_check_full(&mut boxed, &plan, full, outside);
    eprintln!("{survived:?}");
    let is_much = survived.letters > 50 && survived.changes > 5 && survived.expunged > 100;
    let is_sent = survived.sent.letters > 30 && survived.sent.bounced > 3;
    let is_taken = survived.refused < 4 * survived.letters;
    assert!(is_much && is_sent && is_taken && survived.emptied > 0, "so little is no test: {survived:?}");
    let problems = qemu::serial_problems(&boxed.console());
    assert!(problems.is_empty(), "{problems:#?}");
}
