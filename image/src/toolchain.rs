//! The programs that a build or a boot needs: found, or installed through apt, or listed for a person to
//! install. Every step that changes the machine is said before it is taken.

mod apt;
mod unpacked;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::run;

/// What the firmware is compiled for.
pub(crate) const TARGET: &str = "aarch64-unknown-linux-gnu";
/// C compiler and linker for it.
pub(crate) const CROSS_CC: &str = "aarch64-linux-gnu-gcc";
/// Debian's own compiler, which brings the standard library for other machines as a package.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
/// The oldest compiler that builds this project: `rust-version` in the workspace's Cargo.toml.
const RUST_VERSION_MIN: (u32, u32) = (1, 95);
const QEMU: &str = "qemu-system-aarch64";

/// The compiler for the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rust {
    /// The one that builds this tool too: its target is installed.
    Own,
    /// Debian's, at this path, driven by our cargo.
    Debian(PathBuf),
}

/// QEMU, installed or unpacked below the target folder.
#[derive(Clone, Debug)]
pub struct Qemu {
    program: PathBuf,
    library_path: Option<OsString>,
    data: Option<PathBuf>,
}

impl Qemu {
    /// The start of its command line.
    pub fn command_line(&self) -> Vec<OsString> {
        let mut line = vec![self.program.clone().into()];
        if let Some(data) = &self.data {
            line.extend(["-L".into(), data.clone().into()]);
        }
        line
    }

    /// What must stand in the environment for it: where its libraries lie, if not with the system's.
    pub fn library_path(&self) -> Option<&OsString> {
        self.library_path.as_ref()
    }
}

/// Something that must be on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Rust,
    CrossCc,
    Packages,
    Mtools,
    Qemu,
}

impl Need {
    fn is_there(self) -> bool {
        match self {
            Self::Rust => find_rust().is_some(),
            Self::CrossCc => has_static_libc(),
            Self::Packages => {
                ["apt-get", "apt-cache", "dpkg-deb"].iter().all(|program| run::find(program).is_some())
            }
            Self::Mtools => ["mformat", "mcopy", "mtype"].iter().all(|program| run::find(program).is_some()),
            Self::Qemu => find_qemu().is_some(),
        }
    }

    /// The Debian packages that bring it.
    fn debian_packages(self) -> &'static [&'static str] {
        match self {
            Self::Rust => &["rustc-web", "libstd-rust-web-dev:arm64"],
            Self::CrossCc => &["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"],
            Self::Packages => &["apt", "dpkg"],
            Self::Mtools => &["mtools"],
            Self::Qemu => &["qemu-system-arm"],
        }
    }

    /// What to install where apt cannot.
    fn by_hand(self) -> &'static str {
        match self {
            Self::Rust => {
                "Rust's aarch64-unknown-linux-gnu target: rustup target add aarch64-unknown-linux-gnu"
            }
            Self::CrossCc => {
                "a GCC for aarch64-linux-gnu with a static C library (Debian: gcc-aarch64-linux-gnu libc6-dev-arm64-cross)"
            }
            Self::Packages => {
                "apt and dpkg, which fetch and unpack Debian's kernel (Fedora, Arch: packages apt and dpkg)"
            }
            Self::Mtools => "mtools",
            Self::Qemu => "QEMU 7.2 or newer for ARM: the program qemu-system-aarch64",
        }
    }
}

/// Makes certain of everything that cross-builds the firmware.
pub(crate) fn for_firmware() -> Result<Rust> {
    ensure(&[Need::Rust, Need::CrossCc])?;
    match find_rust() {
        Some(rust) => Ok(rust),
        None => bail!("there is still no Rust compiler for {TARGET}"),
    }
}

/// Makes certain of everything that packs an image.
pub(crate) fn for_packing() -> Result<()> {
    ensure(&[Need::Packages, Need::Mtools])
}

/// Makes certain of QEMU, and of what changes a disk's boot partition.
pub fn for_booting() -> Result<Qemu> {
    let _cache = crate::paths::lock()?;
    ensure(&[Need::Mtools, Need::Qemu])?;
    match find_qemu() {
        Some(qemu) => Ok(qemu),
        None => bail!("there is still no {QEMU}"),
    }
}

fn ensure(needs: &[Need]) -> Result<()> {
    let missing: Vec<Need> = needs.iter().copied().filter(|need| !need.is_there()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if run::find("apt-get").is_none() || run::find("dpkg").is_none() {
        return Err(to_install(&missing, "this system has no apt"));
    }
    apt::install(&missing)?;
    match missing.iter().find(|need| !need.is_there()) {
        None => Ok(()),
        Some(still) => Err(to_install(&[*still], "apt installed it, and it does not work")),
    }
}

/// The clear list for a person.
fn to_install(missing: &[Need], why: &str) -> anyhow::Error {
    let list: String = missing.iter().map(|need| format!("\n  - {}", need.by_hand())).collect();
    anyhow::anyhow!("please install what is missing ({why}):{list}")
}

fn find_rust() -> Option<Rust> {
    if has_target(&mut run_rustc("rustc")) {
        return Some(Rust::Own);
    }
    let new_enough =
        run::first_line(run_rustc(DEBIAN_RUSTC).arg("--version")).is_ok_and(|line| is_new_enough(&line));
    (new_enough && has_target(&mut run_rustc(DEBIAN_RUSTC))).then(|| Rust::Debian(DEBIAN_RUSTC.into()))
}

fn run_rustc(program: &str) -> Command {
    let mut command = Command::new(program);
    run::without_cargo_environment(&mut command);
    command
}

/// Whether a compiler has the target's standard library.
fn has_target(rustc: &mut Command) -> bool {
    let folder = run::first_line(rustc.args(["--print", "target-libdir", "--target", TARGET]));
    let entries = folder.ok().and_then(|folder| std::fs::read_dir(folder).ok());
    entries.is_some_and(|mut entries| {
        entries
            .any(|entry| entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("libstd-")))
    })
}

/// `rustc 1.96.0 (…)`.
fn is_new_enough(line: &str) -> bool {
    let version = line.split(' ').nth(1).unwrap_or_default();
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= RUST_VERSION_MIN
}

/// GCC answers with a whole path only for a file that it has.
fn has_static_libc() -> bool {
    run::first_line(Command::new(CROSS_CC).arg("-print-file-name=libc.a"))
        .is_ok_and(|path| path.starts_with('/'))
}

fn find_qemu() -> Option<Qemu> {
    let installed = run::find(QEMU).map(|program| Qemu { program, library_path: None, data: None });
    installed.or_else(unpacked::find)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compilers_are_compared_by_number() {
        assert!(is_new_enough("rustc 1.96.0 (abc 2026-01-01)"));
        assert!(is_new_enough("rustc 1.100.0") && is_new_enough("rustc 2.0.0"));
        assert!(!is_new_enough("rustc 1.63.0 (Debian)") && !is_new_enough("") && !is_new_enough("rustc"));
    }

    #[test]
    fn the_list_for_a_person_names_every_missing_thing() {
        let text = to_install(&[Need::Rust, Need::Qemu], "this system has no apt").to_string();
        assert!(text.contains("rustup target add") && text.contains("qemu-system-aarch64"), "{text}");
    }
}
