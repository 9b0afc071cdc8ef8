//! The answer to a kernel that asks for a module: a line in its log.
//!
//! Every module is loaded when the box starts, in an order that was worked out when the image was built; nothing is
//! loaded on demand. What the kernel asks for is therefore missing in the image, and must show: a kernel that finds no
//! modprobe to call says nothing at all.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use super::modules;
use crate::control::printable;
use crate::logging;

/// The program that the kernel calls: PID 1's own, by a name that nobody else calls it by.
const PROGRAM: &str = "/proc/1/exe";
/// Where the kernel is told.
const SETTING: &str = "/proc/sys/kernel/modprobe";
/// Where the kernel lists the modules that it has.
const LOADED: &str = "/sys/module";

/// Lets the kernel call us whenever it asks for a module. A failure has the word in it that those look for who look for
/// missing modules: without us they would see none.
pub(super) fn offer() {
    if let Err(error) = fs::write(SETTING, PROGRAM) {
        log::error!("the kernel cannot call modprobe, missing modules will not show: {error}");
    }
}

/// Answers, if the kernel has called this process for a module; `None` in every other process.
#[must_use]
pub fn answer_kernel() -> Option<ExitCode> {
    let name = wanted(std::env::args_os())?;
    let aliases = fs::read_to_string(Path::new(modules::FOLDER).join(modules::ALIASES)).unwrap_or_default();
    if is_loaded(&name, &aliases, Path::new(LOADED)) {
        return Some(ExitCode::SUCCESS);
    }
    logging::start_in_kernel_log("modprobe");
    log::error!("the kernel asks for {}, which is not in the image", printable(&name));
    Some(ExitCode::FAILURE)
}

/// What the kernel asks for, if these are its words: `PROGRAM -q -- NAME` (kernel/module/kmod.c).
fn wanted(words: impl IntoIterator<Item = OsString>) -> Option<String> {
    let mut words = words.into_iter();
    let is_kernel = words.next()? == PROGRAM && words.next()? == "-q" && words.next()? == "--";
    words.next().filter(|_| is_kernel).map(|name| name.to_string_lossy().into_owned())
}

/// Whether `name` is an alias of a module that the kernel has. For some it asks without looking: for the driver of every
/// PHY that it finds.
fn is_loaded(name: &str, aliases: &str, loaded: &Path) -> bool {
    let mut lines = aliases.lines().filter_map(|line| line.split_once(' '));
    lines.any(|(alias, module)| matches(alias, name) && loaded.join(module).exists())
}

/// Whether an alias means `name`; a `?` in it means any character.
fn matches(alias: &str, name: &str) -> bool {
    let is_same = |(a, b)| a == b'?' || a == b;
    alias.len() == name.len() && alias.bytes().zip(name.bytes()).all(is_same)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted_by(words: &str) -> Option<String> {
        wanted(words.split(' ').map(OsString::from))
    }

    #[test]
    fn only_the_kernel_asks_for_modules() {
        assert_eq!(wanted_by("/proc/1/exe -q -- nls_cp437").as_deref(), Some("nls_cp437"));
        for words in
            ["tegami mail", "/proc/1/exe", "/proc/1/exe -q --", "/proc/1/exe mail", "tegami -q -- nls_cp437"]
        {
            assert_eq!(wanted_by(words), None, "{words}");
        }
    }

    #[test]
    fn a_phy_is_missed_only_without_its_driver() {
        let aliases =
            "mdio:0000000000000111110000000000???? smsc\nmdio:01100000000011011000010010100010 broadcom\n";
        let loaded = crate::devices::tests::on_disk("loaded");
        fs::create_dir_all(loaded.join("smsc")).unwrap();
        for (name, expected) in [
            ("mdio:00000000000001111100000000000101", true),
            ("mdio:00000000000001111100000000010101", false),
            ("mdio:01100000000011011000010010100010", false),
            ("mdio:0000000000000111110000000000", false),
            ("nls_cp437", false),
        ] {
            assert_eq!(is_loaded(name, aliases, &loaded), expected, "{name}");
        }
        fs::remove_dir_all(loaded).unwrap();
    }
}
