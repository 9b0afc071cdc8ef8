//! Measures what the README claims, and prints each figure with how it was measured:
//! `cargo run --release -p tests --bin bench`, with `-- --no-box` where there is no QEMU.

#![expect(clippy::expect_used, reason = "a measurement that fails ends with its message")]

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};
use tests::boxed::Boxed;
use tests::clients::Imap;
use tests::hosted::{Hosted, Options};
use tests::ledger::Ledger;
use tests::load::{Delivered, Load};
use tests::machine::Machine;
use tests::page;
use tests::site::{Service, Site};

/// Connections that deliver at once.
const CONNECTIONS: usize = 8;

/// Size of a message in bytes.
const MESSAGE: usize = 8 * 1024;

/// Messages of one measurement without a delay.
const MESSAGES: usize = 8_000;

/// Messages of the measurement with a delay at the barrier.
const DELAYED_MESSAGES: usize = 4_000;

/// Delay at the barrier in milliseconds: what a good SD card takes.
const BARRIER_MS: u64 = 4;

/// Idle IMAP connections.
const IDLE: usize = 50;

/// A file system in memory, as on every Linux.
const MEMORY_FOLDER: &str = "/dev/shm";

/// How long a server rests before its memory is read.
const REST: Duration = Duration::from_secs(5);

/// Measurements of the same thing, of which the median is taken.
const RUNS: usize = 3;

fn main() {
    let (rate, cpu) = throughput(None);
    println!("{rate:.0} messages per second, {cpu:.3} ms server CPU per message");
    println!(
        "  hosted, {CONNECTIONS} connections, {MESSAGE} bytes, {MESSAGES} messages, flash in a file on this machine's disk;"
    );
    println!("  user and system time of the process from /proc; median of {RUNS} runs\n");

    let (rate, cpu) = throughput(Some(MEMORY_FOLDER.into()));
    println!("{rate:.0} messages per second, {cpu:.3} ms server CPU per message");
    println!("  the same with the flash in memory ({MEMORY_FOLDER}): what the program itself can do\n");

    println!("at least {:.1} messages share each barrier", shared_barriers());
    println!(
        "  the same with the flash in memory and {BARRIER_MS} ms delay at the barrier: messages per second times"
    );
    println!("  {BARRIER_MS} ms, since barriers run one after the other and none takes less\n");

    let (rest, idle) = memory();
    println!("{rest:.1} MiB at rest, {idle:.1} MiB with {IDLE} IMAP connections in IDLE over TLS");
    println!("  hosted, proportional set size, {} s after the last client\n", REST.as_secs());

    println!(
        "{:.2} ms from the last byte of a letter to EXISTS in IDLE on another connection",
        push_latency() * 1e3
    );
    println!("  hosted, flash in memory, median of 50 letters\n");

    if std::env::args().any(|word| word == "--no-box") {
        return;
    }
    let mut boxed = Boxed::start_new("bench", qemu::Board::Virt);
    // The first boot makes keys and hashes passwords; the box of every day has them.
    boxed.shut_down();
    boxed.start();
    println!("{:.1} s from the start of QEMU to the banners of a claimed box", boxed.boot_time.as_secs_f64());
    println!("  virt, one cortex-a53, 128 MiB\n");
    memory_of_the_box(&boxed.site());
}

/// The program with its flash on disk, or in memory, where a barrier costs nothing.
fn hosted(name: &str, place: Option<PathBuf>, words: &[String]) -> Hosted {
    let mut hosted = Hosted::new(name, Options { place, words: words.to_vec(), ..Options::default() });
    hosted.start();
    hosted
}

fn load(to: String, messages: usize) -> Load {
    Load {
        clients: CONNECTIONS,
        sizes: vec![MESSAGE],
        to: vec![to],
        logins: Vec::new(),
        letters: Some(messages / CONNECTIONS),
        time: Duration::from_secs(120),
        may_be_full: false,
    }
}

/// Delivers after a warm-up; gives what was delivered and the processor time that the program used for it.
fn measure(hosted: &Hosted, messages: usize) -> (Delivered, Duration) {
    let ledger = Ledger::default();
    ledger.deliver(&hosted.site, &load(hosted.site.account().address, messages / 10));
    let account = hosted.site.account();
    let before = hosted.cpu();
    let delivered = ledger.deliver(&hosted.site, &load(account.address, messages));
    assert_eq!(delivered.letters, messages, "{}", delivered.broken.join("\n"));
    (delivered, hosted.cpu() - before)
}

/// Messages per second, and milliseconds of processor time per message.
fn throughput(place: Option<PathBuf>) -> (f64, f64) {
    let mut runs: Vec<(f64, f64)> = (0..RUNS)
        .map(|_| {
            let hosted = hosted("tegami-bench-rate", place.clone(), &[]);
            let (delivered, cpu) = measure(&hosted, MESSAGES);
            (delivered.rate(), cpu.as_secs_f64() * 1e3 / delivered.letters as f64)
        })
        .collect();
    runs.sort_by(|a, b| a.0.total_cmp(&b.0));
    runs[RUNS / 2]
}

/// A lower bound for the messages that share a barrier.
fn shared_barriers() -> f64 {
    let words = ["--barrier-delay-ms".to_owned(), BARRIER_MS.to_string()];
    let hosted = hosted("tegami-bench-barrier", Some(MEMORY_FOLDER.into()), &words);
    let (delivered, _) = measure(&hosted, DELAYED_MESSAGES);
    delivered.rate() * BARRIER_MS as f64 / 1e3
}

/// Proportional set size in MiB: at rest, and with idle connections.
fn memory() -> (f64, f64) {
    let hosted = hosted("tegami-bench-memory", None, &[]);
    let (rest, with_idle) = at_rest_and_idle(&hosted.site, || hosted.pss_kib());
    (rest as f64 / 1024.0, with_idle as f64 / 1024.0)
}

/// Looks at something at rest, after one client came and went, and with idle connections.
fn at_rest_and_idle<T>(site: &Site, look: impl Fn() -> T) -> (T, T) {
    let account = site.account();
    drop(Imap::select(site, &account, "INBOX"));
    thread::sleep(REST);
    let rest = look();
    let idle: Vec<Imap> = (0..IDLE)
        .map(|_| {
            let mut imap = Imap::select(site, &account, "INBOX");
            imap.idle();
            imap
        })
        .collect();
    thread::sleep(REST);
    let with_idle = look();
    drop(idle);
    (rest, with_idle)
}

/// From the end of a letter's data to its EXISTS on a connection in IDLE, in seconds.
fn push_latency() -> f64 {
    let hosted = hosted("tegami-bench-push", Some(MEMORY_FOLDER.into()), &[]);
    let account = hosted.site.account();
    let mut imap = Imap::select(&hosted.site, &account, "INBOX");
    imap.idle();
    let mut smtp = tests::clients::Smtp::connect(&hosted.site, Service::Smtp);
    let mut times: Vec<Duration> = (1..=50)
        .map(|number| {
            smtp.expect(250, "MAIL FROM:<ann@client.test>");
            smtp.expect(250, &format!("RCPT TO:<{}>", account.address));
            smtp.expect(354, "DATA");
            let letter = tests::letters::numbered(number, MESSAGE);
            let start = Instant::now();
            smtp.wire.send(&tests::clients::smtp::stuffed(&letter)).expect("the connection is open");
            imap.wait_for(&format!("{number} EXISTS"), Duration::from_secs(5));
            let time = start.elapsed();
            assert_eq!(smtp.reply().expect("a reply").code, 250);
            time
        })
        .collect();
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

/// What the box's page says about its memory. What both processes share is counted twice there, so the truth is less.
fn memory_of_the_box(site: &Site) {
    let look = || {
        let page = page::first_page(site);
        let row = page.split_once("<dt>Memory</dt><dd>").and_then(|(_, rest)| rest.split_once("</dd>"));
        row.expect("the page speaks of memory").0.to_owned()
    };
    let (rest, with_idle) = at_rest_and_idle(site, look);
    println!("at rest: {rest}\nwith {IDLE} IMAP connections in IDLE over TLS: {with_idle}");
    println!("  the same box, by its own page: the kernel's MemAvailable, and both processes together");
}
