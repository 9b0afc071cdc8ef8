//! What every store must be that a test leaves behind, and has not damaged itself: clean, says `tegami check`.

use crate::built::program;
use crate::card;
use crate::process::run;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Reading the fullest flash of the tests once.
const CHECK_MAX: Duration = Duration::from_secs(120);

/// What `tegami check` finds on a flash that nobody uses; `Ok` when that is nothing.
///
/// # Errors
/// What it says.
pub fn check(flash: &Path) -> Result<(), String> {
    let checked = run(Command::new(program()).arg("check").arg(flash), CHECK_MAX);
    let is_clean = checked.status == 0 && checked.text().ends_with("\nclean\n");
    if is_clean { Ok(()) } else { Err(format!("{} is not clean:\n{}", flash.display(), checked.all())) }
}

/// Fails the test unless a flash is clean. One that was taken away is not looked at.
///
/// # Panics
/// With what was found.
pub fn is_clean(flash: &Path) {
    if flash.exists() {
        check(flash).unwrap_or_else(|found| panic!("{found}"));
    }
}

/// As [`is_clean`], for the flash on the disk of a box that is off.
///
/// # Panics
/// As [`is_clean`].
pub fn is_clean_card(disk: &Path) {
    if disk.exists() {
        let flash = disk.with_extension("flash");
        card::copy_flash(disk, &flash);
        check(&flash).unwrap_or_else(|found| panic!("{found}"));
        std::fs::remove_file(&flash).expect("an own file can be removed");
    }
}
