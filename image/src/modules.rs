//! Which kernel modules a board needs, in which order: the names that the board file wants, everything those
//! depend on, and everything that the kernel would ask a modprobe for. There is no modprobe on the box, so
//! all of it is resolved here, and what cannot be resolved fails the build.

mod modinfo;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::paths;
use modinfo::ModInfo;

/// A module in load order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Module {
    /// Its file in the unpacked kernel package.
    pub(crate) file: PathBuf,
    /// Its file name on the box.
    pub(crate) file_name: String,
    /// The kernel's name for it.
    pub(crate) name: String,
    /// The aliases by which the kernel asks for it whether it is loaded or not.
    pub(crate) asked_always: Vec<String>,
}

/// How the kernel names what it asks for without looking whether it is loaded: for the driver of a PHY, by the PHY's
/// number in binary (phy_request_driver_module()).
const ASKED_ALWAYS: &str = "mdio:";

/// The modules of a kernel package: where they lie, and what is built in.
pub(crate) struct ModuleTree {
    /// Files by module name.
    files: BTreeMap<String, PathBuf>,
    built_in: BuiltIn,
    /// File system tables that vfat asks for by name at every mount.
    fat_tables: Vec<String>,
}

/// What needs no module, by name and by alias.
#[derive(Default)]
struct BuiltIn {
    names: BTreeSet<String>,
    aliases: BTreeSet<String>,
}

impl BuiltIn {
    fn has(&self, name: &str) -> bool {
        self.names.contains(name) || self.aliases.contains(name)
    }
}

impl ModuleTree {
    /// Reads the tree of an unpacked kernel package.
    pub(crate) fn open(folder: &Path, config: &str) -> Result<Self> {
        let mut files = BTreeMap::new();
        collect(&folder.join("kernel"), &mut files)?;
        let built_in = BuiltIn {
            names: paths::read_text(&folder.join("modules.builtin"))?.lines().map(module_name).collect(),
            aliases: modinfo::built_in_aliases(&paths::read(&folder.join("modules.builtin.modinfo"))?),
        };
        Ok(Self { files, built_in, fat_tables: fat_tables(config) })
    }

    /// The load order for the wanted modules: every module after what it needs.
    pub(crate) fn resolve(&self, wanted: &[String]) -> Result<Vec<Module>> {
        let mut order = Order { tree: self, done: BTreeSet::new(), open: Vec::new(), modules: Vec::new() };
        for name in wanted {
            order.add(&normal(name)).with_context(|| format!("the board file wants the module {name}"))?;
        }
        Ok(order.modules)
    }

    /// The name of the module that `name` means: its own, or what carries it as an alias (`crypto-crc32c`).
    fn find(&self, name: &str) -> Result<Option<String>> {
        if self.built_in.has(name) {
            return Ok(None);
        }
        if self.files.contains_key(name) {
            return Ok(Some(name.to_owned()));
        }
        for (module, file) in &self.files {
            if ModInfo::read(file)?.aliases.iter().any(|alias| *alias == name) {
                return Ok(Some(module.clone()));
            }
        }
        bail!("the kernel package has no module {name}")
    }

    /// What the kernel asks a modprobe for once this module works, and that no dependency names.
    fn requests(&self, module: &str) -> &[String] {
        // fat_fill_super() loads the character sets of its default mount options.
        if module == "fat" { &self.fat_tables } else { &[] }
    }
}

/// A load order that is being made.
struct Order<'a> {
    tree: &'a ModuleTree,
    done: BTreeSet<String>,
    /// Those whose needs are being added: one that turns up again needs itself.
    open: Vec<String>,
    modules: Vec<Module>,
}

impl Order<'_> {
    fn add(&mut self, name: &str) -> Result<()> {
        let Some(name) = self.tree.find(name)? else { return Ok(()) };
        if self.done.contains(&name) {
            return Ok(());
        }
        if self.open.contains(&name) {
            bail!("the module {name} depends on itself by way of {}", self.open.join(", "));
        }
        let file = self.tree.files.get(&name).context("a module without a file")?;
        let info = ModInfo::read(file)?;
        self.open.push(name.clone());
        for needed in info.before() {
            self.add(needed).with_context(|| format!("the module {name} needs {needed}"))?;
        }
        self.open.pop();
        self.done.insert(name.clone());
        let asked_always =
            info.aliases.iter().filter(|alias| alias.starts_with(ASKED_ALWAYS)).cloned().collect();
        self.modules.push(Module {
            file: file.clone(),
            file_name: file_name(file),
            name: name.clone(),
            asked_always,
        });
        for after in info.softdeps_after.iter().chain(self.tree.requests(&name)) {
            self.add(after).with_context(|| format!("the module {name} asks for {after}"))?;
        }
        Ok(())
    }
}

fn collect(folder: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry.with_context(|| format!("cannot read {}", folder.display()))?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "ko") {
            files.insert(module_name(&path.to_string_lossy()), path);
        }
    }
    Ok(())
}

/// The tables that `fat` asks for, from the kernel's configuration: CONFIG_FAT_DEFAULT_CODEPAGE and
/// CONFIG_FAT_DEFAULT_IOCHARSET.
fn fat_tables(config: &str) -> Vec<String> {
    let value = |key: &str| {
        let line = config.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.map(|value| value.trim_matches('"').to_owned())
    };
    let code_page = value("CONFIG_FAT_DEFAULT_CODEPAGE").map(|page| format!("nls_cp{page}"));
    let characters = value("CONFIG_FAT_DEFAULT_IOCHARSET").map(|name| format!("nls_{}", normal(&name)));
    code_page.into_iter().chain(characters).collect()
}

/// `-` and `_` are equal in the names of modules.
fn normal(name: &str) -> String {
    name.replace('-', "_")
}

/// The module's name from its path.
fn module_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    normal(file.split_once(".ko").map_or(file, |(name, _)| name))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
