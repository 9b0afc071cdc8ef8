//! Cuts the power as often as you like, while eight clients deliver, and checks after every start that nothing that was
//! acknowledged is lost, doubled or damaged: `cargo run --release -p tests --bin power -- --cuts 100`.

use image::layout::FLASH_BYTES_MIN;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};
use tests::boxed::{Boxed, HOST};
use tests::full::{self, Full};
use tests::hosted::{Hosted, Options};
use tests::machine::Machine;
use tests::outside::{Outside, Sent};
use tests::power::{Plan, Survived, cut_and_check, cut_and_check_full};
use tests::provision;

/// Letters that are taken for each cut, at least: some twenty clients send for a second or more.
const LETTERS_PER_CUT_MIN: usize = 5;

const HELP: &str = "\
Cuts the power while eight clients deliver, one reads, one files and one sends to
elsewhere, and checks after every start that nothing acknowledged is lost, doubled
or damaged; and in the end that all for elsewhere has come, or was reported.

The box in QEMU is cut on a flash of 64 MiB that is nine tenths full, while others
expunge as much as is delivered, so that compaction is at work at every cut.

Usage: cargo run --release -p tests --bin power -- [OPTIONS]

  --cuts N     how often (default 100)
  --seed N     the moments of another run again (default: new ones)
  --empty      cut the box on a flash of 1 GiB that is empty in the beginning
  --hosted     kill the program on this machine, on an empty flash, instead
  --raspi3b    cut the emulated Raspberry Pi 3, with an empty flash
  --help       this text
";

/// What the words of the command line ask for.
struct Wanted {
    cuts: usize,
    seed: u64,
    kind: Kind,
}

enum Kind {
    Full,
    Hosted,
    Boxed(qemu::Board),
}

fn main() -> ExitCode {
    match wanted(std::env::args().skip(1)) {
        Ok(Some(wanted)) => carry_out(&wanted),
        Ok(None) => print!("{HELP}"),
        Err(mistake) => {
            eprintln!("{mistake}\n\n{HELP}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn wanted(mut words: impl Iterator<Item = String>) -> Result<Option<Wanted>, String> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut wanted = Wanted { cuts: 100, seed: now.as_secs(), kind: Kind::Full };
    while let Some(word) = words.next() {
        let mut number = || {
            let text = words.next().unwrap_or_default();
            text.parse::<u64>().map_err(|_| format!("`{word} {text}` is no number"))
        };
        match word.as_str() {
            "--cuts" => wanted.cuts = usize::try_from(number()?).unwrap_or(usize::MAX),
            "--seed" => wanted.seed = number()?,
            "--empty" => wanted.kind = Kind::Boxed(qemu::Board::Virt),
            "--hosted" => wanted.kind = Kind::Hosted,
            "--raspi3b" => wanted.kind = Kind::Boxed(qemu::Board::Raspi3b),
            "--help" => return Ok(None),
            _ => return Err(format!("there is no option `{word}`")),
        }
    }
    Ok(Some(wanted))
}

fn carry_out(wanted: &Wanted) {
    let outside = Outside::start();
    let survived = match wanted.kind {
        Kind::Full => {
            let full = Full::make("power-full", FLASH_BYTES_MIN);
            let builder = qemu::Machine::builder().flash(&full.flash);
            let provision = full::provision_file() + &outside.tables(HOST);
            let mut boxed = Boxed::start_with("power-full-box", qemu::Board::Virt, builder, &provision);
            cut_and_check_full(&mut boxed, &plan(wanted, 200..5_000, 300..5_000), full, outside)
        }
        Kind::Hosted => {
            let provision = provision::file() + &outside.tables(IpAddr::V4(Ipv4Addr::LOCALHOST));
            let options =
                Options { provision: Some(provision), flash_size: "64GiB".to_owned(), ..Options::default() };
            let mut hosted = Hosted::new("power-hosted", options);
            hosted.start();
            cut_and_check(&mut hosted, &plan(wanted, 5..400, 0..40), outside)
        }
        Kind::Boxed(board) => {
            // Room for what is delivered between so many cuts.
            let builder = qemu::Machine::builder().board(board).flash_bytes(1 << 30);
            let provision = provision::file() + &outside.tables(HOST);
            let mut boxed = Boxed::start_with("power-box", board, builder, &provision);
            cut_and_check(&mut boxed, &plan(wanted, 200..4_000, 300..5_000), outside)
        }
    };
    let Survived { letters, refused, changes, expunged, emptied, sent } = survived;
    println!(
        "{} cuts (seed {}): {letters} letters and {changes} changes were acknowledged, {refused} refused for want of \
         room, {expunged} times a letter was expunged, at least {emptied} segments were emptied by compaction before the \
         first cut; nothing is lost, doubled or damaged",
        wanted.cuts, wanted.seed
    );
    let Sent { letters: posted, refused, delivered, bounced, doubled, doubled_by_one_cut, cuts } = sent;
    println!(
        "of letters for elsewhere {posted} were acknowledged, {refused} refused for want of room; {delivered} came to \
         recipients, {bounced} recipients were reported; {doubled} came twice, at most {doubled_by_one_cut} for one of \
         {cuts} cuts"
    );
    // A box that has come to where it cannot write any more loses nothing either.
    assert!(letters >= LETTERS_PER_CUT_MIN * wanted.cuts, "too few letters were taken: the box was stuck");
}

/// Cuts at such moments, in milliseconds after load began and after a start.
fn plan(wanted: &Wanted, moment: Range<u64>, stumble: Range<u64>) -> Plan {
    let times = |range: Range<u64>| Duration::from_millis(range.start)..Duration::from_millis(range.end);
    Plan { cuts: wanted.cuts, seed: wanted.seed, moment: times(moment), stumble: times(stumble) }
}
