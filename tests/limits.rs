//! The heavy things, each on a server of its own: the largest letter, endless ones, a thousand connections, a slow card.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tests::boxed::Boxed;
use tests::clients::Imap;
use tests::hosted::{Hosted, Options};
use tests::ledger::Ledger;
use tests::load::Load;
use tests::machine::Machine;
use tests::scenarios;

/// Memory that the hosted program may need while a letter of 50 MiB passes, or a thousand clients stand at the door,
/// in KiB. It holds neither the letter nor much of each client.
const PSS_KIB_MAX: u64 = 32 * 1024;

/// Connections of a crowd.
const CROWD: usize = 1_000;

/// How many of them are greeted at least: more than an office behind one address has.
const GREETED_MIN: usize = 100;

#[test]
fn hosted_the_largest_letter_streams_in_and_out() {
    let hosted = Hosted::start_new("largest");
    let highest = hosted.highest_pss_kib(|| scenarios::the_largest_letter_streams_in_and_out(&hosted.site));
    assert!(highest < PSS_KIB_MAX, "{highest} KiB");
}

#[test]
fn hosted_a_body_without_end_is_refused() {
    let hosted = Hosted::start_new("endless");
    let highest = hosted.highest_pss_kib(|| {
        scenarios::a_letter_too_large_is_refused(&hosted.site);
        scenarios::a_body_without_end_is_refused(&hosted.site);
    });
    assert!(highest < PSS_KIB_MAX, "{highest} KiB");
}

#[test]
fn hosted_a_thousand_connections_are_borne() {
    tests::process::raise_file_limit();
    let hosted = Hosted::start_new("crowd");
    let highest = hosted.highest_pss_kib(|| {
        let crowd = scenarios::a_crowd_is_borne(&hosted.site, CROWD);
        assert!(crowd.greeted >= GREETED_MIN, "{crowd:?}");
    });
    assert!(highest < PSS_KIB_MAX, "{highest} KiB");
}

/// Where the system lets the program open a few files only, it takes fewer connections; who is too many hears it as
/// ever, and does not stand at a door that nobody can open.
#[test]
fn hosted_a_crowd_is_borne_with_few_descriptors() {
    let mut hosted = Hosted::new("descriptors", Options { open_files: Some(256), ..Options::default() });
    hosted.start();
    let crowd = scenarios::a_crowd_is_borne(&hosted.site, 400);
    assert!(crowd.silent == 0 && crowd.greeted >= 50 && crowd.refused >= 150, "{crowd:?}");
    scenarios::a_letter_passes(&hosted.site);
    hosted.stop();
}

/// Letters that come a hundred times faster than the card takes them wait at the sender, not in memory; who only
/// reads does not wait.
#[test]
fn hosted_a_fast_network_does_not_fill_memory_before_a_slow_card() {
    let words = ["--barrier-delay-ms", "400"].map(str::to_owned).to_vec();
    let mut hosted = Hosted::new("slow-card", Options { words, ..Options::default() });
    hosted.start();
    let (site, account, reader) = (&hosted.site, hosted.site.account(), hosted.site.account());
    let ledger = Ledger::default();
    let load = Load {
        clients: 8,
        sizes: vec![4 << 20],
        to: vec![account.address.clone()],
        logins: Vec::new(),
        letters: Some(4),
        time: Duration::from_secs(120),
        may_be_full: false,
    };
    let mut slowest = Duration::ZERO;
    let highest = hosted.highest_pss_kib(|| {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                ledger.deliver(site, &load);
                done.store(true, Ordering::Relaxed);
            });
            let mut imap = Imap::select(site, &reader, "INBOX");
            while !done.load(Ordering::Relaxed) {
                let start = Instant::now();
                imap.ok("NOOP");
                slowest = slowest.max(start.elapsed());
                thread::sleep(Duration::from_millis(10));
            }
        });
    });
    assert_eq!(ledger.acknowledged(), 32);
    ledger.verify(site, &account, true);
    assert!(highest < PSS_KIB_MAX, "{highest} KiB");
    assert!(slowest < Duration::from_secs(1), "a reader waited {slowest:?}");
}

/// The same on the box with its 128 MiB, one after the other; and afterwards it is well.
#[test]
fn the_box_bears_all_of_it() {
    tests::process::raise_file_limit();
    let mut boxed = Boxed::start_new("limits", qemu::Board::Virt);
    let crowd = scenarios::a_crowd_is_borne(&boxed.site, CROWD);
    assert!(crowd.greeted >= GREETED_MIN, "{crowd:?}");
    scenarios::the_largest_letter_streams_in_and_out(&boxed.site);
    scenarios::a_letter_too_large_is_refused(&boxed.site);
    scenarios::a_letter_passes(&boxed.site);
    let console = boxed.shut_down();
    for word in ["panicked", "Out of memory", "oom-kill", "Call trace"] {
        assert!(!console.contains(word), "`{word}`:\n{console}");
    }
}
