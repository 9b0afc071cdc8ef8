//! What a module says of itself: the `.modinfo` section, `key=value` strings with a NUL after each.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use object::{Object, ObjectSection};

use super::normal;
use crate::paths;

/// The parts of a module's description that decide what must be loaded with it. All names are normal: `_` for
/// `-`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ModInfo {
    /// Modules whose symbols it uses.
    depends: Vec<String>,
    /// Modules that must be there before it works.
    softdeps_before: Vec<String>,
    /// Modules that it will ask for.
    pub(super) softdeps_after: Vec<String>,
    /// Other names, with wildcards for devices.
    pub(super) aliases: Vec<String>,
}

impl ModInfo {
    /// Reads a module's file.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let bytes = paths::read(path)?;
        let file =
            object::File::parse(&*bytes).with_context(|| format!("{} is not a module", path.display()))?;
        let section = file
            .section_by_name(".modinfo")
            .with_context(|| format!("{} has no .modinfo", path.display()))?;
        let text = section.data().with_context(|| format!("{} is cut off", path.display()))?;
        Ok(Self::parse(text))
    }

    /// Reads the section's bytes.
    pub(super) fn parse(section: &[u8]) -> Self {
        let mut info = Self::default();
        for (key, value) in strings(section).filter_map(|string| string.split_once('=')) {
            match key {
                "depends" => {
                    info.depends.extend(value.split(',').filter(|name| !name.is_empty()).map(normal))
                }
                "alias" => info.aliases.push(normal(value)),
                "softdep" => info.softdep(value),
                _ => {}
            }
        }
        info
    }

    /// Everything that must be loaded first.
    pub(super) fn before(&self) -> impl Iterator<Item = &String> {
        self.softdeps_before.iter().chain(&self.depends)
    }

    /// `pre: a b post: c`, as modprobe.d(5) has it; names without either come before.
    fn softdep(&mut self, value: &str) {
        let mut after = false;
        for word in value.split_whitespace() {
            match word {
                "pre:" => after = false,
                "post:" => after = true,
                name if after => self.softdeps_after.push(normal(name)),
                name => self.softdeps_before.push(normal(name)),
            }
        }
    }
}

/// Aliases of what is built in, from `modules.builtin.modinfo`: `module.key=value` strings.
pub(super) fn built_in_aliases(text: &[u8]) -> BTreeSet<String> {
    let alias = |string: &str| string.split_once(".alias=").map(|(_, alias)| normal(alias));
    strings(text).filter_map(alias).collect()
}

fn strings(bytes: &[u8]) -> impl Iterator<Item = &str> {
    bytes.split(|byte| *byte == 0).filter_map(|string| std::str::from_utf8(string).ok())
}
