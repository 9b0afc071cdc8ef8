//! The Debian packages that an image is made of: pinned, fetched, checked, unpacked below the target folder.
//! Nothing is installed.

mod archive;
mod pins;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{paths, run, sha256};

use archive::Archive;
pub(crate) use pins::{Pin, Pins};

/// What the build does when the mirror no longer has a pinned package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenGone {
    /// Take the current one of the series, and say so in a line.
    TakeCurrent,
    /// Fail: for whoever wants exactly the pinned bytes.
    Fail,
}

/// A package that lies unpacked in the cache.
#[derive(Clone, Debug)]
pub(crate) struct Unpacked {
    /// The folder that stands for `/`.
    pub(crate) root: PathBuf,
    /// Name and version, as `linux-image-6.1.0-56-arm64 6.1.192-2`.
    pub(crate) name: String,
}

/// Gives a package unpacked: from the cache, or else from the mirror that this machine's apt uses.
pub(crate) fn fetch(pins: &Pins, pin: &Pin, when_gone: WhenGone) -> Result<Unpacked> {
    let pinned = folder_of(&pin.package, &pin.version);
    if is_complete(&pinned) {
        return Ok(unpacked(pinned, &pin.package, &pin.version));
    }
    if when_gone == WhenGone::TakeCurrent
        && let Some(earlier) = Substitute::load(pin)
        && is_complete(&folder_of(&earlier.package, &earlier.version))
    {
        earlier.say(pin);
        return Ok(earlier.unpacked());
    }
    run::say(&format!("downloading {} {}", pin.package, pin.version));
    let archive = Archive::open(pins)?;
    if archive.has(&pin.package, &pin.version)? {
        let package = archive.download(&pin.package, &pin.version)?;
        check(&package, pin)?;
        unpack(&package, &pinned)?;
        return Ok(unpacked(pinned, &pin.package, &pin.version));
    }
    if when_gone == WhenGone::Fail {
        bail!("the mirror no longer has {} {}, which image/pins.toml names", pin.package, pin.version);
    }
    let substitute = Substitute::find(&archive, pin)?;
    substitute.say(pin);
    let package = archive.download(&substitute.package, &substitute.version)?;
    unpack(&package, &folder_of(&substitute.package, &substitute.version))?;
    substitute.store(pin)?;
    Ok(substitute.unpacked())
}

/// What stands in for a pinned package that has left the mirror.
struct Substitute {
    package: String,
    version: String,
}

impl Substitute {
    fn find(archive: &Archive, pin: &Pin) -> Result<Self> {
        let package = match &pin.current {
            Some(series) => archive.only_dependency(series)?,
            None => pin.package.clone(),
        };
        let version = archive.current_version(&package)?;
        Ok(Self { package, version })
    }

    /// Found by an earlier build, for exactly this pin.
    fn load(pin: &Pin) -> Option<Self> {
        let text = fs::read_to_string(Self::path(pin)).ok()?;
        let (package, version) = text.trim().split_once(' ')?;
        Some(Self { package: package.to_owned(), version: version.to_owned() })
    }

    fn store(&self, pin: &Pin) -> Result<()> {
        paths::write(&Self::path(pin), format!("{} {}\n", self.package, self.version).as_bytes())
    }

    fn path(pin: &Pin) -> PathBuf {
        packages_folder().join(format!("instead-of_{}_{}", pin.package, pin.version))
    }

    fn say(&self, pin: &Pin) {
        let (package, version) = (&self.package, &self.version);
        run::say(&format!(
            "{} {} has left the mirror: taking {package} {version} instead",
            pin.package, pin.version
        ));
    }

    fn unpacked(&self) -> Unpacked {
        unpacked(folder_of(&self.package, &self.version), &self.package, &self.version)
    }
}

fn unpacked(root: PathBuf, package: &str, version: &str) -> Unpacked {
    Unpacked { root, name: format!("{package} {version}") }
}

fn packages_folder() -> PathBuf {
    paths::cache().join("packages")
}

fn folder_of(package: &str, version: &str) -> PathBuf {
    packages_folder().join(format!("{package}_{version}"))
}

/// The mark of a folder that was unpacked to the end.
fn mark(folder: &Path) -> PathBuf {
    folder.join(".complete")
}

fn is_complete(folder: &Path) -> bool {
    mark(folder).is_file()
}

fn check(package: &Path, pin: &Pin) -> Result<()> {
    let found = sha256::of_file(package)?;
    if found != pin.sha256 {
        bail!(
            "{} {} has the checksum {found}, and image/pins.toml wants {}",
            pin.package,
            pin.version,
            pin.sha256
        );
    }
    Ok(())
}

/// Unpacks a downloaded package and deletes it.
fn unpack(package: &Path, folder: &Path) -> Result<()> {
    paths::make_empty_folder(folder)?;
    run::output(Command::new("dpkg-deb").arg("--extract").arg(package).arg(folder))?;
    fs::remove_file(package).with_context(|| format!("cannot delete {}", package.display()))?;
    fs::write(mark(folder), "").with_context(|| format!("cannot write into {}", folder.display()))
}
