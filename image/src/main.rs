//! `cargo run -p image`: builds the image of a board and says where it is.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use image::{Build, Profile, Program};
use lexopt::prelude::*;

const HELP: &str = "\
Builds the disk image of a board: firmware, kernel, loader.

Usage: cargo run -p image -- --board NAME [OPTIONS]

  --board NAME      virt (QEMU) or rpi (Raspberry Pi 3, 3B+, 4, Zero 2 W)
  --profile NAME    shipped (default: small, takes minutes) or release (quick)
  --program FILE    pack this static aarch64 program instead of building the firmware
  --pinned          fail where the mirror no longer has a pinned package
  --out PATH        where to write the image (default: below the target folder)
  --help            this text

Prints the image's path, size and SHA-256. What is missing on this machine is
installed through apt, or listed where there is no apt. To put an image on a card:
  dd if=tegami-rpi.img of=/dev/YOUR_CARD bs=4M conv=fsync
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("image: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let Some(build) = parse(lexopt::Parser::from_env())? else {
        print!("{HELP}");
        return Ok(());
    };
    let image = build.run()?;
    println!("{}", image.path.display());
    println!("{} bytes", image.bytes);
    println!("sha256 {}", image.sha256);
    Ok(())
}

/// The build that the arguments ask for; `None` for help.
fn parse(mut arguments: lexopt::Parser) -> Result<Option<Build>> {
    let (mut board, mut profile, mut file, mut pinned, mut out) = (None, Profile::Shipped, None, false, None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(None),
            Long("board") => board = Some(arguments.value()?.string()?),
            Long("profile") => profile = Profile::named(&arguments.value()?.string()?)?,
            Long("program") => file = Some(path(arguments.value()?)?),
            Long("pinned") => pinned = true,
            Long("out") => out = Some(path(arguments.value()?)?),
            other => return Err(other.unexpected().into()),
        }
    }
    let Some(board) = board else {
        bail!("say which board: --board {} (or --help)", image::board_names()?.join("|"))
    };
    let program = file.map_or(Program::Firmware(profile), Program::File);
    Ok(Some(Build { board, program, pinned, out }))
}

/// A path as seen from where the person is.
fn path(argument: OsString) -> Result<PathBuf> {
    std::path::absolute(argument).context("a path is empty")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Option<Build>> {
        parse(lexopt::Parser::from_args(line.split(' ').filter(|word| !word.is_empty())))
    }

    #[test]
    fn arguments_become_a_build() {
        let build = parsed("--board rpi --profile release --pinned --out /x/y.img").unwrap().unwrap();
        assert_eq!((build.board.as_str(), build.pinned), ("rpi", true));
        assert_eq!(build.program, Program::Firmware(Profile::Release));
        assert_eq!(build.out, Some("/x/y.img".into()));
        assert!(parsed("--board rpi --help").unwrap().is_none());
    }

    #[test]
    fn wrong_arguments_are_sentences() {
        for (line, text) in [
            ("", "say which board"),
            ("--bord rpi", "--bord"),
            ("--board rpi --profile fast", "known are release, shipped"),
        ] {
            let error = format!("{:#}", parsed(line).unwrap_err());
            assert!(error.contains(text), "{error}");
        }
    }
}
