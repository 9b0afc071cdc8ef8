//! Measures the program beside Debian's Postfix and Dovecot, one after the other in one run, on the same disk, with the
//! same client: `cargo run --release -p tests --bin peers`, as root. With `-- --relay` what is sent on as well, with
//! `-- --relay-only` nothing else; `-- --place FOLDER` has all of them write elsewhere: in memory no disk has a say.

#![expect(clippy::expect_used, reason = "a measurement that fails ends with its message")]

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use tests::clients::{Imap, Smtp};
use tests::dovecot::{Format, Pair};
use tests::hosted::{Hosted, Options, scratch};
use tests::ledger::Ledger;
use tests::letters::numbered;
use tests::load::Load;
use tests::machine::Machine;
use tests::ports;
use tests::postfix::Postfix;
use tests::process::Server;
use tests::provision;
use tests::site::{Account, Service, Site};
use tests::usage;

/// Connections that deliver at once, each into a mailbox of its own.
const CONNECTIONS: usize = 8;

/// Size of a letter in bytes.
const LETTER: usize = 8 * 1024;

/// Letters of one measurement.
const LETTERS: usize = 4_000;

/// Letters before it, which nobody counts: processes start, files grow.
const WARM_UP: usize = 400;

/// Letters whose way to a client in IDLE is timed.
const PUSHED: usize = 31;

/// Letters that wait in the queue when its memory is read.
const QUEUED: usize = 10_000;

/// Measurements of the same thing, of which the median is taken.
const RUNS: usize = 3;

/// How long a server rests before its memory is read.
const REST: Duration = Duration::from_secs(5);

/// Longest time for one load, and for what was taken to become visible.
const LOAD_MAX: Duration = Duration::from_secs(600);

/// How often it is asked whether all letters are visible.
const POLL: Duration = Duration::from_millis(10);

/// What is measured of each server.
#[derive(Debug, Clone, Copy)]
struct Figures {
    letters_per_s: f64,
    cpu_ms: f64,
    push_ms: f64,
    rest_mib: f64,
    loaded_mib: f64,
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    if !words.iter().any(|word| word == "--relay-only") {
        receive();
    }
    if words.iter().any(|word| word.starts_with("--relay")) {
        relay();
    }
}

/// What comes in.
fn receive() {
    println!(
        "in {}: {LETTERS} letters of {LETTER} bytes over {CONNECTIONS} connections into {CONNECTIONS} mailboxes, counted until the last \
         shows in IMAP STATUS;\nprocessor time from /proc, user and system, of all processes of a server and of those of them \
         that have ended;\nproportional set size of all of them {} s after the last client; median of {RUNS} runs, each on new files\n",
        place().display(),
        REST.as_secs()
    );
    let [ours, maildir, mdbox] = medians();
    let names = ["tegami", "Maildir", "ratio", "mdbox", "ratio"];
    println!("{:38}{}", "Postfix and Dovecot with", row(names));
    let line = |name: &str, of: fn(&Figures) -> f64| {
        let [ours, maildir, mdbox] = [ours, maildir, mdbox].map(|figures| of(&figures));
        let columns =
            [figure(ours), figure(maildir), ratio(ours, maildir), figure(mdbox), ratio(ours, mdbox)];
        println!("{name:38}{}", row(columns.each_ref().map(String::as_str)));
    };
    line("letters per second, visible", |figures| figures.letters_per_s);
    line("ms of processor time per letter", |figures| figures.cpu_ms);
    line("ms from 250 to EXISTS, median", |figures| figures.push_ms);
    line("MiB at rest", |figures| figures.rest_mib);
    line("MiB after the load", |figures| figures.loaded_mib);
}

fn row(columns: [&str; 5]) -> String {
    columns.iter().map(|column| format!("{column:>10}")).collect()
}

fn figure(number: f64) -> String {
    if number.abs() >= 100.0 { format!("{number:.0}") } else { format!("{number:.2}") }
}

/// What lies below 0 has no ratio.
fn ratio(ours: f64, theirs: f64) -> String {
    if ours > 0.0 && theirs > 0.0 { figure(ours / theirs) } else { "-".to_owned() }
}

/// Measures all three in turn, so that whatever else the machine does meets them alike; gives each figure's median.
fn medians() -> [Figures; 3] {
    let servers: [fn() -> Figures; 3] =
        [measure_ours, || measure_pair(Format::Maildir), || measure_pair(Format::Mdbox)];
    let mut runs = [const { Vec::new() }; 3];
    for _ in 0..RUNS {
        for (runs, measure) in runs.iter_mut().zip(servers) {
            let figures = measure();
            eprintln!("{figures:?}");
            runs.push(figures);
        }
    }
    runs.map(|runs| median(&runs))
}

fn median(runs: &[Figures]) -> Figures {
    let middle = |of: fn(&Figures) -> f64| {
        let mut numbers: Vec<f64> = runs.iter().map(of).collect();
        numbers.sort_by(f64::total_cmp);
        numbers[RUNS / 2]
    };
    Figures {
        letters_per_s: middle(|figures| figures.letters_per_s),
        cpu_ms: middle(|figures| figures.cpu_ms),
        push_ms: middle(|figures| figures.push_ms),
        rest_mib: middle(|figures| figures.rest_mib),
        loaded_mib: middle(|figures| figures.loaded_mib),
    }
}

fn measure_ours() -> Figures {
    let hosted = hosted("tegami-peers", Options::default());
    measure(&hosted.site, &[hosted.pid()])
}

fn hosted(name: &str, options: Options) -> Hosted {
    let mut hosted = Hosted::new(name, Options { place: Some(place()), ..options });
    hosted.start();
    hosted
}

/// Where all of them write.
fn place() -> PathBuf {
    let mut words = std::env::args().skip_while(|word| word != "--place").skip(1);
    words.next().map_or_else(scratch, PathBuf::from)
}

fn measure_pair(format: Format) -> Figures {
    let pair = Pair::start(&place(), provision::HOSTNAME, provision::DOMAIN, format);
    measure(&pair.postfix.site, &pair.pids())
}

fn measure(site: &Site, pids: &[u32]) -> Figures {
    let accounts: Vec<Account> = (0..CONNECTIONS).map(|_| site.account()).collect();
    deliver(site, &accounts, WARM_UP, WARM_UP);
    thread::sleep(REST);
    let rest_mib = mib(pids);
    let cpu = usage::cpu(pids);
    let start = Instant::now();
    deliver(site, &accounts, LETTERS, WARM_UP + LETTERS);
    let time = start.elapsed();
    // What is done after the last letter is there, is done for the letters, too.
    thread::sleep(REST);
    let cpu = usage::cpu(pids) - cpu;
    Figures {
        letters_per_s: LETTERS as f64 / time.as_secs_f64(),
        cpu_ms: cpu.as_secs_f64() * 1e3 / LETTERS as f64,
        loaded_mib: mib(pids),
        push_ms: push_ms(site),
        rest_mib,
    }
}

fn mib(pids: &[u32]) -> f64 {
    usage::pss_kib(pids) as f64 / 1024.0
}

/// Delivers letters, each connection to one of the accounts, and waits until they hold so many in all.
fn deliver(site: &Site, accounts: &[Account], letters: usize, in_all: usize) {
    let ledger = Ledger::default();
    thread::scope(|scope| {
        for account in accounts {
            let load = Load { clients: 1, ..load(account.address.clone(), letters / accounts.len()) };
            let ledger = &ledger;
            scope.spawn(move || {
                let delivered = ledger.deliver(site, &load);
                assert!(delivered.broken.is_empty(), "{}", delivered.broken.join("\n"));
            });
        }
    });
    let mut clients: Vec<Imap> = accounts.iter().map(|account| Imap::log_in(site, account)).collect();
    let deadline = Instant::now() + LOAD_MAX;
    while clients.iter_mut().map(messages).sum::<usize>() < in_all {
        assert!(Instant::now() < deadline, "not all letters became visible");
        thread::sleep(POLL);
    }
}

fn load(to: String, letters: usize) -> Load {
    Load {
        clients: CONNECTIONS,
        sizes: vec![LETTER],
        to: vec![to],
        logins: Vec::new(),
        letters: Some(letters),
        time: LOAD_MAX,
        may_be_full: false,
    }
}

/// How many letters STATUS counts.
fn messages(imap: &mut Imap) -> usize {
    let said = imap.ok("STATUS INBOX (MESSAGES)");
    let counts =
        said.iter().find_map(|said| said.text.split_once("MESSAGES ")?.1.trim_end_matches(')').parse().ok());
    counts.expect("STATUS gives a number")
}

/// From reading the 250 to reading EXISTS in IDLE on another connection, in milliseconds; below 0 where EXISTS comes first.
fn push_ms(site: &Site) -> f64 {
    let account = site.account();
    let (send, exists) = mpsc::channel();
    let mut imap = Imap::select(site, &account, "INBOX");
    imap.idle();
    let watch = thread::spawn(move || {
        for number in 1..=PUSHED {
            imap.wait_for(&format!("{number} EXISTS"), LOAD_MAX);
            send.send(Instant::now()).expect("the other side waits");
        }
    });
    let mut smtp = Smtp::connect(site, Service::Smtp);
    let mut times: Vec<f64> = (1..=PUSHED)
        .map(|number| {
            smtp.letter("ann@client.test", &[&account.address], &numbered(number as u64, LETTER));
            let taken = Instant::now();
            let seen = exists.recv().expect("EXISTS comes");
            let after = seen.saturating_duration_since(taken).as_secs_f64();
            (after - taken.saturating_duration_since(seen).as_secs_f64()) * 1e3
        })
        .collect();
    watch.join().expect("it has seen all");
    times.sort_by(f64::total_cmp);
    times[PUSHED / 2]
}

// ---- What is sent on ----

/// The domain that is not ours.
const OUTSIDE: &str = "out.test";

/// Accounts that submit: an account sends a thousand letters an hour at most.
const SENDERS: usize = 16;

/// The same letters, submitted with log-in and TLS for a domain outside, until a server that only counts them has all.
fn relay() {
    let ours = relayed(|sink| {
        let hosted = sending("tegami-peers-relay", sink);
        let site = Arc::clone(&hosted.site);
        (hosted, site)
    });
    let peers = relayed(|sink| {
        let postfix = Postfix::builder(provision::HOSTNAME)
            .place(&place())
            .relays_to_place(&format!("[127.0.0.1]:{sink}"));
        let postfix = senders()
            .iter()
            .fold(postfix, |postfix, sender| postfix.login(&sender.address, &sender.password));
        let postfix = postfix.start();
        let mut site = Site::new(postfix.site.port_offset, &scratch());
        site.authority.clone_from(&postfix.site.authority);
        (postfix, Arc::new(site))
    });
    let [ours, peers] = [ours, peers].map(|time| LETTERS as f64 / time.as_secs_f64());
    println!(
        "\n{LETTERS} letters of {LETTER} bytes submitted over {CONNECTIONS} connections, until smtp-sink has all"
    );
    println!(
        "letters per second sent on: tegami {}, Postfix at its default process limits {}, ratio {}",
        figure(ours),
        figure(peers),
        figure(ours / peers)
    );
    println!("MiB that {QUEUED} queued letters take above idle: {}", figure(queue_mib()));
}

fn senders() -> Vec<Account> {
    (0..SENDERS).map(provision::pool_account).collect()
}

/// The program with a route to a port of this machine.
fn sending(name: &str, port: u16) -> Hosted {
    let route =
        format!("[[route]]\ndomain = \"{OUTSIDE}\"\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\n");
    hosted(name, Options { provision: Some(provision::file() + &route), ..Options::default() })
}

/// Median time from the first connection to the last letter in the sink.
fn relayed<S>(start: impl Fn(u16) -> (S, Arc<Site>)) -> Duration {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let port = ports::free(IpAddr::from([127, 0, 0, 1])).port();
            let (server, site) = start(port);
            // One sink for the letters before it counts.
            let mut sink = sink(port, WARM_UP);
            submit(&site, CONNECTIONS, WARM_UP);
            sink.wait(LOAD_MAX);
            let mut sink = self::sink(port, LETTERS);
            let start = Instant::now();
            submit(&site, CONNECTIONS, LETTERS);
            let status = sink.wait(LOAD_MAX);
            let time = start.elapsed();
            assert_eq!(status, Some(0), "the sink did not get all: {}", sink.console().whole());
            drop(server);
            time
        })
        .collect();
    times.sort();
    times[RUNS / 2]
}

/// Postfix's own server that forgets what it takes, and ends when it has taken so many.
fn sink(port: u16, letters: usize) -> Server {
    let mut command = Command::new("/usr/sbin/smtp-sink");
    command.args(["-u", "nobody", "-m", "256", "-M", &letters.to_string()]);
    let sink = Server::start(command.args([&format!("127.0.0.1:{port}"), "1024"]));
    let deadline = Instant::now() + REST;
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "{}", sink.console().text());
        thread::sleep(POLL);
    }
    sink
}

fn submit(site: &Site, clients: usize, letters: usize) {
    let mut load = load(format!("far@{OUTSIDE}"), letters / clients);
    load.clients = clients;
    load.logins = senders();
    let delivered = Ledger::default().deliver(site, &load);
    assert_eq!(delivered.letters, letters, "{}", delivered.broken.join("\n"));
}

/// Memory with letters for a server that is not there, above that of the same program before they came.
fn queue_mib() -> f64 {
    let port = ports::free(IpAddr::from([127, 0, 0, 1])).port();
    let hosted = sending("tegami-peers-queue", port);
    drop(Imap::select(&hosted.site, &provision::pool_account(0), "INBOX"));
    submit(&hosted.site, SENDERS, SENDERS);
    thread::sleep(REST);
    let idle = mib(&[hosted.pid()]);
    submit(&hosted.site, SENDERS, QUEUED);
    thread::sleep(REST);
    mib(&[hosted.pid()]) - idle
}
