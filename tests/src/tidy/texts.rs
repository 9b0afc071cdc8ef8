//! Rules for every text file: marks that were left, hosts and paths that no clone has, folders, the README.

use super::tree::{Finding, Tree};

/// Folders that may stand at the top; everything else grows inside one of them.
const FOLDERS: [&str; 7] = [".cargo", ".ci", "board", "firmware", "image", "qemu", "tests"];

/// Files that may stand at the top.
const FILES: [&str; 10] = [
    ".gitignore",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "clippy.toml",
    "rust-toolchain.toml",
    "rustfmt.toml",
];

/// Marks of unfinished work, written so that this file does not contain them.
const MARKS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];

/// Beginnings of absolute paths that exist on one person's machine only.
const MACHINE_PATHS: [&str; 4] =
    [concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/wo", "rk/"), concat!("/roo", "t/")];

/// Registries and mirrors are the business of the user's cargo and apt, never of a file here.
const REGISTRY_HOSTS: [&str; 5] = ["debian.", "crates.", "npmjs.", "pypi.", "pythonhosted."];

/// Files whose words are not ours.
const NOT_OURS: [&str; 2] = ["Cargo.lock", "LICENSE-APACHE"];

/// What a newcomer types, and so must find in the README.
const COMMANDS: [&str; 2] = ["cargo run -p qemu", "cargo test"];

/// Every rule of this file.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = top(tree);
    found.extend(readme(tree));
    for file in tree.files.iter().filter(|file| !NOT_OURS.contains(&file.path.as_str())) {
        for (number, line) in file.text.lines().enumerate() {
            found.extend(line_rules(line).map(|sentence| Finding::new(&file.path, number + 1, sentence)));
        }
    }
    found
}

fn top(tree: &Tree) -> Vec<Finding> {
    let folders = tree.folders.iter().filter(|folder| !FOLDERS.contains(&folder.as_str()));
    let files = tree.files.iter().map(|file| &file.path).filter(|path| !path.contains('/'));
    let files = files.filter(|path| !FILES.contains(&path.as_str()));
    folders
        .chain(files)
        .map(|name| Finding::new(name, 0, "is not among the names that DESIGN puts at the top"))
        .collect()
}

fn readme(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text("README.md") else {
        return vec![Finding::new("README.md", 0, "is missing")];
    };
    let commands = COMMANDS.iter().map(|command| (*command).to_owned());
    let crates = tree.files.iter().filter_map(|file| file.path.strip_suffix("/Cargo.toml"));
    let folders = crates.map(|path| format!("`{path}`"));
    commands
        .chain(folders)
        .filter(|wanted| !text.contains(wanted.as_str()))
        .map(|wanted| Finding::new("README.md", 0, format!("does not show {wanted}")))
        .collect()
}

fn line_rules(line: &str) -> impl Iterator<Item = String> {
    let marks = MARKS
        .iter()
        .filter(|mark| has_word(line, mark))
        .map(|mark| format!("`{mark}`: finish it or write an issue"));
    let paths = MACHINE_PATHS
        .iter()
        .filter(|path| has_path(line, path))
        .map(|path| format!("a path below `{path}` exists on one machine only"));
    let hosts = registry_host(line).map(|host| format!("names the registry host `{host}`"));
    marks.chain(paths).chain(hosts).collect::<Vec<_>>().into_iter()
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back().is_some_and(is_word);
        let after = line[start + word.len()..].chars().next().is_some_and(is_word);
        !before && !after
    })
}

/// An absolute path: what stands before its first slash is no part of a longer path.
fn has_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(start, _)| {
        !line[..start].chars().next_back().is_some_and(|before| is_word(before) || "./-~}>*".contains(before))
    })
}

fn registry_host(line: &str) -> Option<&str> {
    line.match_indices("://").find_map(|(start, separator)| {
        let rest = &line[start + separator.len()..];
        let end = rest.find(|c: char| !is_word(c) && c != '.' && c != '-').unwrap_or(rest.len());
        let host = &rest[..end];
        REGISTRY_HOSTS
            .iter()
            .any(|registry| host.starts_with(registry) || host.contains(&format!(".{registry}")))
            .then_some(host)
    })
}
