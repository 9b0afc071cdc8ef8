//! What tools write: lines for people, and the files of an export, in a folder of their own, for their owner's eyes,
//! durable before anyone says so.

use std::{
    fmt::Display,
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use super::Problem;

/// Says something on the standard output. Whoever does not read to the end (`tegami check | head`) misses the rest, and
/// the status says how it ended all the same.
pub(super) fn say(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Says on the standard error what did not go well.
pub(super) fn warn(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Makes the folder that an export goes to; one that is there must be empty.
///
/// # Errors
/// A sentence.
pub(super) fn fresh_folder(path: &Path) -> Result<(), Problem> {
    make_folder(path).map_err(|error| failed("make", path, &error))?;
    let mut entries = path.read_dir().map_err(|error| failed("look into", path, &error))?;
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(format!("{} is not empty; give a folder that is, or a new one", path.display())),
    }
}

/// Makes a folder, and those above it.
///
/// # Errors
/// The system's.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes a file that must not be there yet.
///
/// # Errors
/// The system's.
pub(super) fn make_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Returns once everything that was written to the file system of `folder` is on its medium. One call for all files:
/// one for each would take longer than writing them.
///
/// # Errors
/// A sentence: something that was written may be lost.
pub(super) fn sync(folder: &Path) -> Result<(), Problem> {
    let synced = File::open(folder).and_then(|file| Ok(rustix::fs::syncfs(&file)?));
    synced.map_err(|error| failed("bring to its medium what was written to", folder, &error))
}

/// A sentence about what could not be done.
pub(super) fn failed(what: &str, path: &Path, error: &io::Error) -> Problem {
    format!("cannot {what} {}: {error}", path.display())
}
