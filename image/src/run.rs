//! Running other programs: what they print is kept for the error message, and a failure is a sentence.

use std::env;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, anyhow, bail};

use crate::limits::QUOTED_LINES_MAX;

/// Says on standard error what takes a while.
pub fn say(text: &str) {
    eprintln!("image: {text}");
}

/// Runs a program to its end and gives what it printed. Anything but success is an error that quotes its last
/// lines.
pub fn output(command: &mut Command) -> Result<String> {
    let ended = try_output(command)?;
    if !ended.status.success() {
        bail!(failure(command, &ended));
    }
    Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
}

/// Runs a program to its end, whatever its exit status; an error only when it could not be started.
pub fn try_output(command: &mut Command) -> Result<Output> {
    command.stdin(Stdio::null()).output().map_err(|error| not_started(command, &error))
}

/// Runs a program that talks to the person at the terminal.
pub fn interactive(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|error| not_started(command, &error))?;
    if !status.success() {
        bail!("{} failed ({status})", name(command));
    }
    Ok(())
}

/// The sentence for a program that ended badly.
pub fn failure(command: &Command, ended: &Output) -> String {
    let printed = if ended.stderr.is_empty() { &ended.stdout } else { &ended.stderr };
    let text = String::from_utf8_lossy(printed);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let tail = lines[lines.len().saturating_sub(QUOTED_LINES_MAX)..].join("\n  ");
    format!("{} failed ({}):\n  {tail}", name(command), ended.status)
}

/// Where the shell would find a program.
pub fn find(program: &str) -> Option<std::path::PathBuf> {
    // sbin too: an ordinary user's PATH on Debian lacks it.
    let path = env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"].map(Into::into);
    env::split_paths(&path).chain(usual).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Takes away what cargo tells the programs it runs: a cargo started by us would take it for its own
/// settings.
pub fn without_cargo_environment(command: &mut Command) -> &mut Command {
    for (key, _) in env::vars_os() {
        if is_cargo_setting(&key) {
            command.env_remove(&key);
        }
    }
    command
}

fn is_cargo_setting(key: &OsStr) -> bool {
    const PREFIXES: [&str; 10] = [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_",
        "CARGO_CFG_",
        "CARGO_FEATURE_",
        "CARGO_BUILD_",
        "CARGO_PROFILE_",
        "CARGO_TARGET_",
        "CARGO_ENCODED_",
        "DEP_",
    ];
    const NAMES: [&str; 10] = [
        "CARGO",
        "CARGO_CRATE_NAME",
        "CARGO_PRIMARY_PACKAGE",
        "RUSTC",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTDOC",
        "RUSTFLAGS",
        "RUSTDOCFLAGS",
        "LD_LIBRARY_PATH",
    ];
    let key = key.to_string_lossy();
    NAMES.contains(&&*key) || PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

fn name(command: &Command) -> String {
    Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn not_started(command: &Command, error: &std::io::Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::NotFound => anyhow!("the program {} is not there", name(command)),
        _ => anyhow!("{} cannot be started: {error}", name(command)),
    }
}

/// First line of what a program prints for `--version`, or the like.
pub fn first_line(command: &mut Command) -> Result<String> {
    let printed = output(command)?;
    printed.lines().next().map(str::to_owned).context("it printed nothing")
}
