//! `image/pins.toml`: which packages, of which version, from which suite.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::paths;

/// The file as it is written. Unknown keys are errors.
#[derive(Debug, Deserialize)]
pub(crate) struct Pins {
    /// Codename of the Debian release.
    pub(crate) suite: String,
    /// Its repositories.
    pub(crate) repositories: Vec<Repository>,
    /// By the name that board files use.
    #[serde(flatten)]
    pins: BTreeMap<String, Pin>,
}

/// One repository of the release.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Repository {
    /// How its Release file calls itself.
    pub(crate) label: String,
    /// What follows the codename in its suite.
    pub(crate) suite_suffix: String,
    /// Its wanted components.
    pub(crate) components: Vec<String>,
}

/// One pinned package.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pin {
    /// The package whose only dependency names the current one of the series; absent where the name never
    /// changes.
    pub(crate) current: Option<String>,
    /// Name of the package.
    pub(crate) package: String,
    /// Its version.
    pub(crate) version: String,
    /// Its checksum, hexadecimal.
    pub(crate) sha256: String,
}

impl Pins {
    /// Reads the file from the checkout.
    pub(crate) fn load() -> Result<Self> {
        let path = paths::workspace().join("image/pins.toml");
        toml::from_str(&paths::read_text(&path)?).with_context(|| format!("{} is wrong", path.display()))
    }

    /// The pin that a board file means by `name`.
    pub(crate) fn get(&self, name: &str) -> Result<&Pin> {
        self.pins.get(name).with_context(|| format!("image/pins.toml pins no package {name}"))
    }
}
