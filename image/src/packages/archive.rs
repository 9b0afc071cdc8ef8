//! Debian's archive through an apt of our own: own lists, own sources, own cache, all below the target
//! folder, so that neither the system's apt settings nor its packages change and no root is needed. The
//! mirror is the one that the system's apt uses.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::pins::Pins;
use crate::{paths, run};

/// Names a mirror where the system's apt knows none (on anything but Debian).
const MIRROR_VARIABLE: &str = "TEGAMI_DEBIAN_MIRROR";
/// The keys that Debian signs its releases with, where Debian's package puts them.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// An apt of our own with fresh lists.
pub(super) struct Archive {
    home: PathBuf,
}

/// A repository that the system's apt knows.
struct Known {
    uri: String,
    label: String,
}

impl Archive {
    /// Writes the settings and fetches the lists.
    pub(super) fn open(pins: &Pins) -> Result<Self> {
        let archive = Self { home: paths::cache().join("apt") };
        for folder in ["lists/partial", "archives/partial", "empty", "downloads"] {
            paths::make_folder(&archive.home.join(folder))?;
        }
        paths::write(&archive.home.join("status"), b"")?;
        let mirrors = mirrors(pins, &archive.home.join("system-lists"))?;
        paths::write(&archive.home.join("sources.list"), sources(pins, &mirrors)?.as_bytes())?;
        run::output(archive.apt("apt-get").arg("update")).context("the package lists cannot be fetched")?;
        Ok(archive)
    }

    /// Whether the mirror offers exactly this version.
    pub(super) fn has(&self, package: &str, version: &str) -> Result<bool> {
        Ok(self.versions(package)?.iter().any(|found| found == version))
    }

    /// The newest version of a package.
    pub(super) fn current_version(&self, package: &str) -> Result<String> {
        let versions = self.versions(package)?;
        versions.into_iter().next().with_context(|| format!("the mirror has no package {package}"))
    }

    /// The one package that a package depends on.
    pub(super) fn only_dependency(&self, package: &str) -> Result<String> {
        let text = run::output(self.apt("apt-cache").args(["show", "--no-all-versions", package]))?;
        let line = text.lines().find_map(|line| line.strip_prefix("Depends: "));
        let name = line.and_then(|line| line.split([' ', ',']).next());
        name.map(str::to_owned).with_context(|| format!("the package {package} names no current one"))
    }

    /// Downloads a package and gives its path. apt has checked it against the signed list.
    pub(super) fn download(&self, package: &str, version: &str) -> Result<PathBuf> {
        let folder = self.home.join("downloads");
        paths::make_empty_folder(&folder)?;
        let wanted = format!("{package}={version}");
        run::output(self.apt("apt-get").current_dir(&folder).args(["download", &wanted]))?;
        only_file(&folder)
    }

    /// All versions on offer, newest first: `package | version | source` a line.
    fn versions(&self, package: &str) -> Result<Vec<String>> {
        let text = run::output(self.apt("apt-cache").args(["madison", package]))?;
        Ok(text
            .lines()
            .filter_map(|line| line.split('|').nth(1))
            .map(|version| version.trim().to_owned())
            .collect())
    }

    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let settings = [
            ("Dir::Etc::sourcelist", self.home.join("sources.list")),
            ("Dir::Etc::sourceparts", self.home.join("empty")),
            ("Dir::Etc::preferences", self.home.join("none")),
            ("Dir::Etc::preferencesparts", self.home.join("empty")),
            ("Dir::State", self.home.clone()),
            ("Dir::State::lists", self.home.join("lists")),
            ("Dir::State::status", self.home.join("status")),
            ("Dir::Cache", self.home.clone()),
            ("Dir::Cache::archives", self.home.join("archives")),
            ("APT::Architecture", "arm64".into()),
            ("APT::Architectures", "arm64".into()),
            // Root's downloads would go to a user who cannot write below somebody's home.
            ("APT::Sandbox::User", "root".into()),
            ("Acquire::Languages", "none".into()),
            ("Acquire::IndexTargets::deb::DEP-11::DefaultEnabled", "false".into()),
        ];
        for (key, value) in settings {
            command.arg("-o").arg(format!("{key}={}", value.display()));
        }
        // What apt prints is read: no translations.
        command.env("LC_ALL", "C.UTF-8");
        command
    }
}

fn only_file(folder: &Path) -> Result<PathBuf> {
    let mut entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let entry = entries.next().with_context(|| format!("apt left nothing in {}", folder.display()))?;
    Ok(entry.with_context(|| format!("cannot read {}", folder.display()))?.path())
}

/// The Debian mirrors that the system's apt uses, or the one that the environment names.
fn mirrors(pins: &Pins, lists: &Path) -> Result<Vec<Known>> {
    if let Ok(uri) = env::var(MIRROR_VARIABLE) {
        return Ok(vec![Known { uri, label: "Debian".to_owned() }]);
    }
    let is_known = |known: &[Known], label: &str| known.iter().any(|mirror| mirror.label == label);
    let mut known = known_to_apt(&mut Command::new("apt-get"))?;
    if !pins.repositories.iter().all(|repository| is_known(&known, &repository.label)) {
        // Whose mirror is whose stands in lists that this system has not fetched yet: fetch them for us
        // alone.
        paths::make_folder(&lists.join("partial"))?;
        let apt = || {
            let mut command = Command::new("apt-get");
            command.args([
                "-o",
                &format!("Dir::State::lists={}", lists.display()),
                "-o",
                "APT::Sandbox::User=root",
            ]);
            command
        };
        // One of many sources that fails is no concern of ours: what is missing then, the next step says.
        run::try_output(apt().arg("update"))?;
        known = known_to_apt(&mut apt())?;
    }
    if known.is_empty() {
        bail!(
            "apt on this machine knows no Debian mirror: name one in {MIRROR_VARIABLE}, as in its sources.list"
        );
    }
    Ok(known)
}

fn known_to_apt(apt: &mut Command) -> Result<Vec<Known>> {
    apt.args(["indextargets", "--format", "$(REPO_URI)|$(ORIGIN)|$(LABEL)", "Created-By: Packages"]);
    let text = run::output(apt.env("LC_ALL", "C.UTF-8"))?;
    Ok(text.lines().filter_map(parse_target).collect())
}

fn parse_target(line: &str) -> Option<Known> {
    let mut fields = line.split('|');
    let (uri, origin, label) = (fields.next()?, fields.next()?, fields.next()?);
    let usable = origin == "Debian" && !uri.starts_with("cdrom:");
    usable.then(|| Known { uri: uri.to_owned(), label: label.to_owned() })
}

/// The sources list: each repository of the release at the first mirror that carries it.
fn sources(pins: &Pins, known: &[Known]) -> Result<String> {
    let signed = if Path::new(KEYRING).is_file() { format!(" signed-by={KEYRING}") } else { String::new() };
    let mut list = String::new();
    for repository in &pins.repositories {
        let Some(mirror) = known.iter().find(|mirror| mirror.label == repository.label) else { continue };
        let (suite, components) = (&pins.suite, repository.components.join(" "));
        writeln!(
            list,
            "deb [arch=arm64{signed}] {} {suite}{} {components}",
            mirror.uri, repository.suite_suffix
        )?;
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_the_one_that_apt_uses_with_our_suite() {
        let pins = Pins::load().unwrap();
        let targets = [
            "mirror:one/debian/|Debian|Debian",
            "cdrom:[x]/|Debian|Debian",
            "mirror:sec/|Debian|Debian-Security",
            "a|Google|b",
        ];
        let known: Vec<Known> = targets.iter().filter_map(|line| parse_target(line)).collect();
        let list = sources(&pins, &known).unwrap();
        let lines: Vec<&str> = list.lines().map(|line| line.split_once("] ").unwrap().1).collect();
        assert_eq!(
            lines,
            ["mirror:one/debian/ bookworm main non-free-firmware", "mirror:sec/ bookworm-security main"]
        );
    }
}
