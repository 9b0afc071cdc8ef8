//! QEMU without installing it: its packages and the libraries they need, unpacked below the target folder.
//! For machines where apt would have to remove something for it, such as newer `qemu-utils` from elsewhere.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{QEMU, Qemu};
use crate::{paths, run};

/// Unpacks packages, each given as `name=version`.
pub(super) fn unpack(packages: &[String]) -> Result<()> {
    let downloads = folder().with_extension("downloads");
    let new = folder().with_extension("new");
    paths::make_empty_folder(&downloads)?;
    paths::make_empty_folder(&new)?;
    let mut command = Command::new("apt-get");
    command.current_dir(&downloads).args(["download", "-o", "APT::Sandbox::User=root"]).args(packages);
    run::output(&mut command)?;
    for package in files(&downloads)? {
        run::output(Command::new("dpkg-deb").arg("--extract").arg(package).arg(&new))?;
    }
    paths::make_empty_folder(&folder())?;
    fs::remove_dir(folder())
        .and_then(|()| fs::rename(&new, folder()))
        .and_then(|()| fs::remove_dir_all(&downloads))
        .with_context(|| format!("cannot make {}", folder().display()))
}

/// The QEMU that was unpacked.
pub(super) fn find() -> Option<Qemu> {
    let program = folder().join("usr/bin").join(QEMU);
    if !program.is_file() {
        return None;
    }
    Some(Qemu { program, library_path: library_path(), data: Some(folder().join("usr/share/qemu")) })
}

/// Its own libraries before whatever the environment names already.
fn library_path() -> Option<OsString> {
    let own = ["usr/lib", "lib"].iter().flat_map(|part| files(&folder().join(part)).unwrap_or_default());
    let own = own.filter(|path| path.to_string_lossy().ends_with("-linux-gnu"));
    let more = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    env::join_paths(own.chain(env::split_paths(&more))).ok()
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    Ok(files)
}

fn folder() -> PathBuf {
    paths::cache().join("qemu")
}
