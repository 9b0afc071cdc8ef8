//! `cargo run -p qemu`: builds the box, boots it, says when it answers, and stops it cleanly on Ctrl-C.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lexopt::prelude::*;
use qemu::{Board, Builder, Machine, PortOffset, Profile, Program, say};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

const HELP: &str = "\
Boots the box in QEMU. Prints one line that starts with `ready` once SMTP, IMAP,
POP3 and HTTP answer; Ctrl-C stops it cleanly, a second one cuts its power.

Usage: cargo run -p qemu -- [OPTIONS]

  --provision FILE     settings, domains and accounts (tegami.toml)
  --disk FILE          keep the disk here; made if it is not there
  --log-writes FILE    record every write and flush of the disk (dm-log-writes; virt)
  --flash-size SIZE    room for mail on a new disk (default 256MiB)
  --ram MIB            memory (default 128)
  --port-offset N      added to every port of the box (default 20000)
  --board NAME         virt (default) or raspi3b
  --profile NAME       how to build: release (default) or shipped
  --program FILE       boot this static aarch64 program instead of the firmware
  --no-build           boot what is built
  --help               this text

Without --disk everything is gone when the box stops. What is missing on this
machine is installed through apt, or listed where there is no apt.
";

/// Between two looks at the signals and at the machine.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// A person waits for `ready` as long as that person likes: a year.
const READY_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 3600);
/// The offset where a person expects the ports.
const PORT_OFFSET: u16 = 20_000;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let Some(builder) = parse(lexopt::Parser::from_env())? else {
        print(HELP);
        return Ok(());
    };
    let mut machine = builder.start()?;
    let [first, second] = signals()?;
    let started = Instant::now();
    if machine.wait_ready_unless(READY_TIMEOUT, &first)? {
        print(&format!("{}\n", qemu::ready_line(machine.port_offset())));
        say(&format!(
            "ready {:.1} s after QEMU's start; Ctrl-C stops the box",
            started.elapsed().as_secs_f64()
        ));
    }
    while !first.load(Ordering::Relaxed) {
        if let Some(status) = machine.ended() {
            say("the box has switched itself off");
            return if status.success() { Ok(()) } else { Err(anyhow::anyhow!("QEMU ended: {status}")) };
        }
        thread::sleep(POLL_INTERVAL);
    }
    say("stopping the box");
    if machine.shutdown_unless(&second)? {
        say("the box is off");
    } else {
        machine.cut_power();
        say("the power of the box is cut");
    }
    Ok(())
}

/// Flags for the first and for the second wish to stop.
fn signals() -> Result<[Arc<AtomicBool>; 2]> {
    let wishes: [Arc<AtomicBool>; 2] = Default::default();
    let set = wishes.clone();
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot watch for Ctrl-C")?;
    thread::spawn(move || {
        for (wish, _) in set.iter().zip(signals.forever()) {
            wish.store(true, Ordering::Relaxed);
        }
    });
    Ok(wishes)
}

/// Prints to standard output; whoever read it may have gone.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// The machine that the arguments describe; `None` for help.
fn parse(mut arguments: lexopt::Parser) -> Result<Option<Builder>> {
    let mut builder = Machine::builder().show_console().port_offset(PortOffset::Fixed(PORT_OFFSET));
    while let Some(argument) = arguments.next()? {
        builder = match argument {
            Long("help") | Short('h') => return Ok(None),
            Long("provision") => builder.provision(PathBuf::from(arguments.value()?)),
            Long("disk") => builder.disk(PathBuf::from(arguments.value()?)),
            Long("log-writes") => builder.log_writes(PathBuf::from(arguments.value()?)),
            Long("flash-size") => builder.flash_bytes(qemu::parse_size(&arguments.value()?.string()?)?),
            Long("ram") => {
                builder.ram_mib(arguments.value()?.parse().context("--ram takes a number of MiB")?)
            }
            Long("port-offset") => {
                let offset = arguments.value()?.parse().context("--port-offset takes a number")?;
                builder.port_offset(PortOffset::Fixed(offset))
            }
            Long("board") => builder.board(Board::named(&arguments.value()?.string()?)?),
            Long("profile") => {
                builder.program(Program::Firmware(Profile::named(&arguments.value()?.string()?)?))
            }
            Long("program") => builder.program(Program::File(arguments.value()?.into())),
            Long("no-build") => builder.without_build(),
            other => return Err(other.unexpected().into()),
        };
    }
    Ok(Some(builder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Option<Builder>> {
        parse(lexopt::Parser::from_args(line.split(' ').filter(|word| !word.is_empty())))
    }

    #[test]
    fn every_option_of_the_help_is_taken() {
        let line = "--provision a --disk b --log-writes c --flash-size 1GiB --ram 64 --port-offset 1 --board raspi3b";
        assert!(parsed(&format!("{line} --profile shipped --program c --no-build")).unwrap().is_some());
        assert!(parsed("").unwrap().is_some() && parsed("--help").unwrap().is_none());
    }

    #[test]
    fn wrong_arguments_are_sentences() {
        let cases = [
            ("--ram much", "--ram takes a number"),
            ("--board pi", "known are virt, raspi3b"),
            ("--flash-size 1GB", "is no size"),
            ("--disk", "missing argument"),
            ("--dsik x", "--dsik"),
        ];
        for (line, text) in cases {
            let error = format!("{:#}", parsed(line).unwrap_err());
            assert!(error.contains(text), "{line}: {error}");
        }
    }
}
