//! The program's tools on a flash that nobody serves, and what stands in the files that they write.

use crate::built::program;
use crate::clean;
use crate::hosted::{Hosted, Options, scratch};
use crate::machine::Machine;
use crate::process::{Finished, run};
use crate::provision::small_file;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

/// A tool on a small flash.
const TOOL_MAX: Duration = Duration::from_secs(60);

/// A folder of one test, with a flash in it, which must be clean in the end. It goes with the test, unless that fails.
pub struct Flash {
    /// For the test's files.
    pub folder: PathBuf,
    /// The flash.
    pub file: PathBuf,
    is_damaged: bool,
}

impl Flash {
    /// A copy of a flash.
    ///
    /// # Panics
    /// When it cannot be copied.
    pub fn copy(test: &str, of: &Path) -> Self {
        let folder = scratch().join("tools").join(test);
        fs::remove_dir_all(&folder).ok();
        fs::create_dir_all(&folder).expect("a folder for a test can be made");
        let file = folder.join("tegami.flash");
        fs::copy(of, &file).expect("a flash can be copied");
        Self { folder, file, is_damaged: false }
    }

    /// Runs a tool on it, with these words behind the flash.
    pub fn tool(&self, tool: &str, words: &[&str]) -> Finished {
        run(&mut self.command(tool, words), TOOL_MAX)
    }

    /// The command that runs a tool on it.
    pub fn command(&self, tool: &str, words: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.current_dir(&self.folder).arg(tool).arg(&self.file).args(words);
        command
    }

    /// The test damages it: nobody expects it to be clean from now on.
    pub fn is_damaged(&mut self) {
        self.is_damaged = true;
    }

    /// A program that serves it; `back` brings it here again.
    pub fn host(&self, name: &str, accounts: &[&str]) -> Hosted {
        let options = Options { provision: Some(small_file(accounts)), ..Options::default() };
        let mut hosted = Hosted::new(&format!("tools-{name}"), options);
        fs::rename(&self.file, &hosted.flash).expect("a flash can be moved");
        hosted.start();
        hosted
    }

    /// Takes the flash back from a program that has ended.
    ///
    /// # Panics
    /// When it is not there.
    pub fn back(&self, hosted: &mut Hosted) {
        hosted.stop();
        fs::rename(&hosted.flash, &self.file).expect("a flash can be moved");
    }
}

impl Drop for Flash {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            if !self.is_damaged {
                clean::is_clean(&self.file);
            }
            fs::remove_dir_all(&self.folder).ok();
        }
    }
}

/// A letter as it stands in a Maildir.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filed {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its flags, as letters.
    pub flags: String,
    /// Its keywords by name.
    pub keywords: Vec<String>,
    /// Its date.
    pub date: u64,
    /// The time zone of that.
    pub zone: String,
}

/// What stands in a Maildir that the program wrote: the letters of each folder in the order of their UIDs.
///
/// # Panics
/// When it is none.
pub fn maildir(root: &Path) -> BTreeMap<String, Vec<Filed>> {
    let entries = fs::read_dir(root).expect("a Maildir can be read");
    let folders = entries.map(|entry| entry.expect("an entry").path());
    let mut found: BTreeMap<String, Vec<Filed>> = folders
        .filter(|path| path.join("cur").is_dir())
        .map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), folder(&path)))
        .collect();
    found.insert(String::new(), folder(root));
    found
}

fn folder(path: &Path) -> Vec<Filed> {
    let mut keywords = BTreeMap::new();
    for list in ["dovecot-keywords", "tegami-keywords"] {
        for line in fs::read_to_string(path.join(list)).unwrap_or_default().lines() {
            let (number, name) = line.split_once(' ').expect("number and name");
            keywords.insert(number.parse::<u32>().expect("a number"), name.to_owned());
        }
    }
    let files = fs::read_dir(path.join("cur")).expect("it has letters");
    let mut letters: Vec<(u32, Filed)> = files
        .map(|file| {
            let path = file.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            filed(&path, &name, &keywords)
        })
        .collect();
    letters.sort_by_key(|(uid, _)| *uid);
    letters.into_iter().map(|(_, letter)| letter).collect()
}

fn filed(path: &Path, name: &str, keywords: &BTreeMap<u32, String>) -> (u32, Filed) {
    let (unique, info) = name.split_once(":2,").expect("it has flags");
    let uid = unique.split(".U").nth(1).and_then(|rest| rest.split('V').next()).expect("it has a UID");
    let field = |key: &str| unique.split(',').find_map(|field| field.strip_prefix(key)).unwrap_or_default();
    let more = u64::from_str_radix(field("K="), 16).unwrap_or(0);
    let numbers = info.bytes().filter(u8::is_ascii_lowercase).map(|letter| u32::from(letter - b'a'));
    let numbers = numbers.chain((0..30).filter(|bit| more >> bit & 1 == 1).map(|bit| bit + 26));
    let mut keywords: Vec<String> = numbers.map(|number| keywords[&number].clone()).collect();
    keywords.sort();
    let bytes = fs::read(path).expect("a letter can be read");
    assert_eq!(field("S="), bytes.len().to_string(), "{name}");
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified()).expect("it has a date");
    let letter = Filed {
        bytes,
        flags: info.chars().filter(char::is_ascii_uppercase).collect(),
        keywords,
        date: modified.duration_since(UNIX_EPOCH).expect("a date of our time").as_secs(),
        zone: field("Z=").to_owned(),
    };
    (uid.parse().expect("a UID"), letter)
}
