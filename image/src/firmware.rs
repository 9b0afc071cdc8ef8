//! The firmware: one static aarch64 program, built by a cargo of its own.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use object::elf::PT_INTERP;
use object::read::elf::{ElfFile64, ProgramHeader};
use object::{Architecture, Endianness, Object};

use crate::limits::{FAST_FIRMWARE_BYTES_MAX, FIRMWARE_BYTES_MAX};
use crate::toolchain::{CROSS_CC, Rust, TARGET};
use crate::{paths, run};

/// How the firmware is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Optimised, linked fast: for tests and for trying things.
    Release,
    /// As it is shipped: one link over everything, minutes long.
    Shipped,
}

impl Profile {
    /// Its name for cargo.
    pub fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Shipped => "shipped",
        }
    }

    /// How long the program may be, in bytes.
    pub(crate) fn bytes_max(self) -> u64 {
        match self {
            Self::Release => FAST_FIRMWARE_BYTES_MAX,
            Self::Shipped => FIRMWARE_BYTES_MAX,
        }
    }

    /// The profile of that name.
    pub fn named(name: &str) -> Result<Self> {
        match name {
            "release" => Ok(Self::Release),
            "shipped" => Ok(Self::Shipped),
            _ => bail!("there is no profile {name:?}: known are release, shipped"),
        }
    }
}

/// Builds the firmware and gives its path.
pub(crate) fn build(rust: &Rust, profile: Profile) -> Result<PathBuf> {
    run::say(&format!("building the firmware ({})", profile.name()));
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    run::without_cargo_environment(&mut command);
    command.current_dir(paths::workspace());
    command.args([
        "build",
        "--package",
        "tegami",
        "--bin",
        "tegami",
        "--target",
        TARGET,
        "--profile",
        profile.name(),
    ]);
    command.arg("--target-dir").arg(paths::firmware_target());
    command.env("CARGO_ENCODED_RUSTFLAGS", rust_flags());
    command.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", CROSS_CC);
    command.env("CC_aarch64_unknown_linux_gnu", CROSS_CC);
    if let Rust::Debian(compiler) = rust {
        command.env("RUSTC", compiler);
    }
    run::interactive(&mut command).context("the firmware cannot be built")?;
    let program = paths::firmware_target().join(TARGET).join(profile.name()).join("tegami");
    Ok(program)
}

/// One static program without names and unwind tables, which nothing on the box reads and which would lie in
/// its memory; and no path of this machine inside it: where it was built must not show in its bytes.
fn rust_flags() -> OsString {
    // 0x1f parts the flags.
    let mut flags =
        OsString::from("-Ctarget-feature=+crt-static\u{1f}-Cstrip=symbols\u{1f}-Cforce-unwind-tables=no");
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    for (from, to) in [(cargo_home, "cargo"), (Some(paths::workspace()), "tegami")] {
        let Some(from) = from else { continue };
        flags.push("\u{1f}--remap-path-prefix=");
        flags.push(from);
        flags.push(format!("={to}"));
    }
    flags
}

/// An error when a file is no program for the box: over its budget, for another machine, or in need of
/// libraries.
pub(crate) fn check(program: &Path, bytes_max: u64) -> Result<()> {
    let bytes = paths::read(program)?;
    if bytes.len() as u64 > bytes_max {
        bail!("the firmware has {} bytes, and its budget is {bytes_max}", bytes.len());
    }
    if !is_static_aarch64(&bytes).unwrap_or(false) {
        bail!("{} is not a static aarch64 program", program.display());
    }
    Ok(())
}

fn is_static_aarch64(bytes: &[u8]) -> object::Result<bool> {
    let file = ElfFile64::<Endianness>::parse(bytes)?;
    let endian = file.endian();
    let has_interpreter = file.elf_program_headers().iter().any(|header| header.p_type(endian) == PT_INTERP);
    Ok(file.architecture() == Architecture::Aarch64 && !has_interpreter)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_cannot_run_on_the_box_is_refused() {
        let host = fs::read(env::current_exe().unwrap()).unwrap();
        assert!(!is_static_aarch64(&host).unwrap_or(false), "this test needs libraries");
        assert!(is_static_aarch64(b"#!/bin/sh\n").is_err());
        let error = check(Path::new("/nonexistent/program"), 1).unwrap_err();
        assert!(format!("{error:#}").contains("cannot read /nonexistent/program"));
    }
}
