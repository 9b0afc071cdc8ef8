//! Records every write of the box in QEMU while clients deliver, then rebuilds its flash as of many moments, with what
//! was not flushed dropped or torn, and checks each: `cargo run --release -p tests --bin replay -- --cuts 300`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};
use tests::replay::{Checker, Cut, Plan, Recording, Verdict, choose};

const HELP: &str = "\
Records every write of the box in QEMU while clients deliver, read and file, then
rebuilds its flash as of many moments, with what was not flushed dropped or torn.
The program on this machine must bring up each of them, with all that was
acknowledged by then, once, undamaged.

Usage: cargo run --release -p tests --bin replay -- [OPTIONS]

  --cuts N         flashes to rebuild (default 300)
  --seconds N      how long to record (default 30)
  --flash MIB      size of the flash (default 512)
  --filled MIB     letters that are on it before, about (default 16)
  --seed N         decides the moments and what is lost (default: a new one)
  --again FOLDER   check a recording that was kept instead of making one
  --only ID        of that one, this cut alone: seed:entry
  --help           this text

A recording with a failure is kept, and said where.
";

/// What the words of the command line ask for.
struct Wanted {
    cuts: usize,
    plan: Plan,
    again: Option<PathBuf>,
    only: Option<Cut>,
}

fn main() -> ExitCode {
    let wanted = match wanted(std::env::args().skip(1)) {
        Ok(Some(wanted)) => wanted,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(mistake) => {
            eprintln!("{mistake}\n\n{HELP}");
            return ExitCode::FAILURE;
        }
    };
    match carry_out(&wanted) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn wanted(mut words: impl Iterator<Item = String>) -> Result<Option<Wanted>, String> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let plan = Plan {
        seed: now.as_secs(),
        flash_bytes: 512 << 20,
        filled_bytes: 16 << 20,
        time: Duration::from_secs(30),
    };
    let mut wanted = Wanted { cuts: 300, plan, again: None, only: None };
    while let Some(word) = words.next() {
        if word == "--help" {
            return Ok(None);
        }
        let text = words.next().ok_or_else(|| format!("`{word}` is no option, or lacks its value"))?;
        let number = || text.parse::<u64>().map_err(|_| format!("`{word} {text}` is no number"));
        match word.as_str() {
            "--cuts" => wanted.cuts = usize::try_from(number()?).unwrap_or(usize::MAX),
            "--seconds" => wanted.plan.time = Duration::from_secs(number()?),
            "--flash" => wanted.plan.flash_bytes = number()? << 20,
            "--filled" => wanted.plan.filled_bytes = number()? << 20,
            "--seed" => wanted.plan.seed = number()?,
            "--again" => wanted.again = Some(text.into()),
            "--only" => wanted.only = Some(text.parse()?),
            _ => return Err(format!("there is no option `{word}`")),
        }
    }
    Ok(Some(wanted))
}

/// True when nothing was wrong.
fn carry_out(wanted: &Wanted) -> std::io::Result<bool> {
    let recording = match &wanted.again {
        Some(folder) => Recording::load(folder)?,
        None => Recording::make("replay-command", &wanted.plan),
    };
    let log = recording.log()?;
    println!("{}", recording.describe(&log));
    let cuts = match wanted.only {
        Some(cut) => vec![cut],
        None => choose(&log, recording.flash(), wanted.plan.seed, wanted.cuts),
    };
    let start = Instant::now();
    let verdict = Checker::new("replay-command-flash", &recording, &log).check(&cuts, 0..0);
    report(&verdict, &recording, start.elapsed());
    let is_good = verdict.failures.is_empty();
    if is_good && wanted.again.is_none() {
        recording.remove();
    }
    Ok(is_good)
}

fn report(verdict: &Verdict, recording: &Recording, time: Duration) {
    for failure in &verdict.failures {
        println!("flash {}:", failure.cut);
        for sentence in &failure.wrong {
            println!("  {sentence}");
        }
        println!("  again: --again {} --only {}", recording.folder().display(), failure.cut);
    }
    println!("{verdict} in {:.0} s", time.as_secs_f64());
}
