//! What a board is made of: one file per board in `board/boards`, read here and nowhere else.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::paths;

/// A board file. Unknown keys are errors.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BoardFile {
    /// What it is, for people.
    pub(crate) description: String,
    /// The kernel's command line, a word each.
    pub(crate) command_line: Vec<String>,
    /// The modules wanted; what those need is found when the image is built.
    pub(crate) modules: Vec<String>,
    /// Parameters of modules, by module file name without `.ko`.
    #[serde(default)]
    pub(crate) module_parameters: BTreeMap<String, String>,
    /// Device trees to put on the boot partition: paths in the kernel package below `usr/lib/linux-image-*`.
    #[serde(default)]
    pub(crate) device_trees: Vec<String>,
    /// Files of other packages for the boot partition.
    #[serde(default)]
    pub(crate) loader: Vec<Loader>,
    /// Further text files for the boot partition, by name.
    #[serde(default)]
    pub(crate) boot_files: BTreeMap<String, String>,
}

/// Loader files out of one package.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Loader {
    /// Its name in `image/pins.toml`.
    pub(crate) package: String,
    /// The folder in it.
    pub(crate) folder: String,
    /// The files there.
    pub(crate) files: Vec<String>,
}

impl BoardFile {
    /// Reads the file of a board. An unknown name is an error that lists the known ones.
    pub(crate) fn load(board: &str) -> Result<Self> {
        let known = names()?;
        if !known.iter().any(|name| name == board) {
            bail!("there is no board {board:?}: known are {}", known.join(", "));
        }
        let path = folder().join(format!("{board}.toml"));
        Self::parse(&paths::read_text(&path)?).with_context(|| format!("{} is wrong", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let file: Self = toml::from_str(text)?;
        if file.command_line.iter().any(|word| word.is_empty() || word.contains(char::is_whitespace)) {
            bail!("command_line takes one word an element");
        }
        Ok(file)
    }

    /// The kernel's command line as one line.
    pub(crate) fn command_line(&self) -> String {
        self.command_line.join(" ")
    }
}

/// The names of all boards, in order.
pub fn names() -> Result<Vec<String>> {
    let folder = folder();
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let files = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> =
        files.filter_map(|file| file.strip_suffix(".toml").map(str::to_owned)).collect();
    names.sort();
    Ok(names)
}

fn folder() -> std::path::PathBuf {
    paths::workspace().join("board/boards")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: &str = "description = 'x'\ncommand_line = ['a=1', 'b']\nmodules = []\n";

    #[test]
    fn every_board_of_the_checkout_is_read() {
        assert_eq!(names().unwrap(), ["rpi", "virt"]);
        for name in names().unwrap() {
            BoardFile::load(&name).unwrap();
        }
    }

    #[test]
    fn unknown_keys_and_boards_are_errors() {
        assert_eq!(BoardFile::parse(SMALLEST).unwrap().command_line(), "a=1 b");
        let wrong = |more: &str| format!("{:#}", BoardFile::parse(&format!("{SMALLEST}{more}")).unwrap_err());
        assert!(wrong("modulse = []").contains("modulse"));
        assert!(wrong("[[loader]]\npackage = 'p'\nfolder = ''\nfiles = []\nfile = 1").contains("file"));
        let unknown = format!("{:#}", BoardFile::load("../virt").unwrap_err());
        assert!(unknown.contains("known are rpi, virt"), "{unknown}");
    }

    #[test]
    fn a_command_line_with_blanks_inside_a_word_is_an_error() {
        assert!(BoardFile::parse("description = ''\nmodules = []\ncommand_line = ['a b']").is_err());
    }
}
