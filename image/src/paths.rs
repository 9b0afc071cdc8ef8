//! Where things lie: the workspace, its target folder, and what this crate keeps there.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The root of the checkout.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Cargo's target folder, where everything that can be made again lies.
pub fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => std::path::absolute(&folder).unwrap_or_else(|_| folder.into()),
        None => workspace().join("target"),
    }
}

/// What this crate makes and downloads.
pub fn cache() -> PathBuf {
    target().join("image")
}

/// The folder of the firmware's own builds. Not cargo's default: a build inside `cargo run` must not wait for
/// the outer one.
pub fn firmware_target() -> PathBuf {
    target().join("firmware")
}

/// Makes a folder and everything above it.
pub fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))
}

/// Makes a folder that is certain to be empty.
pub fn make_empty_folder(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("cannot empty the folder {}", folder.display()))?;
    }
    make_folder(folder)
}

/// Reads a file, and names it when that fails.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Reads a text file, and names it when that fails.
pub fn read_text(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Writes a file whole or not at all: whoever reads it meanwhile sees the old one.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    fs::write(&new, bytes)
        .and_then(|()| fs::rename(&new, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Holds the cache for one process at a time: tests build images in parallel. Released when dropped.
pub(crate) fn lock() -> Result<File> {
    make_folder(&cache())?;
    let path = cache().join("lock");
    let file = File::create(&path).with_context(|| format!("cannot open {}", path.display()))?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}
