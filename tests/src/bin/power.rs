//! Cuts the power as often as you like, while eight clients deliver, and checks after every start that nothing that was
//! acknowledged is lost, doubled or damaged: `cargo run --release -p tests --bin power -- --cuts 100`.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};
use tests::boxed::Boxed;
use tests::hosted::{Hosted, Options};
use tests::machine::Machine;
use tests::power::{Plan, cut_and_check};
use tests::provision;

const HELP: &str = "\
Cuts the power while eight clients deliver, one reads and one files, and checks
after every start that nothing acknowledged is lost, doubled or damaged.

Usage: cargo run --release -p tests --bin power -- [OPTIONS]

  --cuts N     how often (default 100)
  --seed N     the moments of another run again (default: new ones)
  --hosted     kill the program on this machine instead of cutting the box in QEMU
  --raspi3b    cut the emulated Raspberry Pi 3
  --help       this text
";

/// What the words of the command line ask for.
struct Wanted {
    cuts: usize,
    seed: u64,
    kind: Kind,
}

enum Kind {
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
    let mut wanted = Wanted { cuts: 100, seed: now.as_secs(), kind: Kind::Boxed(qemu::Board::Virt) };
    while let Some(word) = words.next() {
        let mut number = || {
            let text = words.next().unwrap_or_default();
            text.parse::<u64>().map_err(|_| format!("`{word} {text}` is no number"))
        };
        match word.as_str() {
            "--cuts" => wanted.cuts = usize::try_from(number()?).unwrap_or(usize::MAX),
            "--seed" => wanted.seed = number()?,
            "--hosted" => wanted.kind = Kind::Hosted,
            "--raspi3b" => wanted.kind = Kind::Boxed(qemu::Board::Raspi3b),
            "--help" => return Ok(None),
            _ => return Err(format!("there is no option `{word}`")),
        }
    }
    Ok(Some(wanted))
}

fn carry_out(wanted: &Wanted) {
    let (mut machine, moment, stumble): (Box<dyn Machine>, _, _) = match wanted.kind {
        Kind::Hosted => {
            let mut hosted =
                Hosted::new("power-hosted", Options { flash_size: "64GiB".to_owned(), ..Options::default() });
            hosted.start();
            (Box::new(hosted), 5..400, 0..40)
        }
        Kind::Boxed(board) => {
            // Room for what is delivered between so many cuts.
            let builder = qemu::Machine::builder().board(board).flash_bytes(1 << 30);
            let boxed = Boxed::start_with("power-box", board, builder, &provision::file());
            (Box::new(boxed), 200..4_000, 300..5_000)
        }
    };
    let milliseconds =
        |range: std::ops::Range<u64>| Duration::from_millis(range.start)..Duration::from_millis(range.end);
    let plan = Plan {
        cuts: wanted.cuts,
        seed: wanted.seed,
        moment: milliseconds(moment),
        stumble: milliseconds(stumble),
    };
    let survived = cut_and_check(machine.as_mut(), &plan);
    println!(
        "{} cuts (seed {}): {} letters and {} changes were acknowledged; none is lost, doubled or damaged",
        plan.cuts, plan.seed, survived.letters, survived.changes
    );
}
