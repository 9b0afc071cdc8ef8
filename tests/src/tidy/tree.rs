//! The files of the repository, read once, and the form in which a rule reports what it found.

use std::fmt;
use std::path::{Path, PathBuf};

/// Names at the top of the repository that are never read: what git and cargo keep for themselves.
const SKIPPED: [&str; 2] = [".git", "target"];

/// One broken rule at one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Path from the top of the repository.
    pub file: String,
    /// Line, counted from 1; 0 where the whole file is meant.
    pub line: usize,
    /// What is wrong and what to do instead.
    pub sentence: String,
}

impl Finding {
    /// A finding at a line of a file.
    pub fn new(file: impl Into<String>, line: usize, sentence: impl Into<String>) -> Self {
        Self { file: file.into(), line, sentence: sentence.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.sentence)
    }
}

/// One text file.
#[derive(Debug, Clone)]
pub struct Source {
    /// Path from the top of the repository, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// Every text file of the repository and the names at its top.
#[derive(Debug, Default)]
pub struct Tree {
    /// All readable text files, sorted by path.
    pub files: Vec<Source>,
    /// Names of the folders at the top.
    pub folders: Vec<String>,
}

impl Tree {
    /// Reads the repository that this crate is part of.
    pub fn of_this_repository() -> Self {
        let root = repository();
        let mut tree = Self::default();
        tree.read(&root, &root);
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        tree.folders.sort();
        tree
    }

    /// A made-up repository, for the tests of the rules.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            if let Some((folder, _)) = path.split_once('/')
                && !tree.folders.iter().any(|known| known == folder)
            {
                tree.folders.push(folder.to_owned());
            }
            tree.files.push(Source { path: (*path).to_owned(), text: (*text).to_owned() });
        }
        tree
    }

    /// The text of one file.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    fn read(&mut self, root: &Path, folder: &Path) {
        for entry in std::fs::read_dir(folder).expect("a folder of the repository can be listed") {
            let path = entry.expect("a folder entry can be read").path();
            let relative = path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
            if SKIPPED.contains(&relative.as_str()) {
                continue;
            }
            if path.is_dir() {
                if folder == root {
                    self.folders.push(relative);
                }
                self.read(root, &path);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                // What is not UTF-8 (images, sample letters) has no lines to check.
                self.files.push(Source { path: relative, text });
            }
        }
    }
}

/// The top of the repository, from where this crate was compiled.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository").to_path_buf()
}
