//! A real Postfix as the other side of outbound mail: Debian's programs with a configuration, a queue and ports of their
//! own, several at once. What it keeps and what it logs can be read.

mod config;

pub use config::{Builder, Security};

use crate::certificates::Leaf;
use crate::daemon::{Daemon, as_root};
use crate::process::run;
use crate::site::Site;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// From the start to its first line.
const READY_MAX: Duration = Duration::from_secs(30);

/// One run of a tool of Postfix.
const TOOL_MAX: Duration = Duration::from_secs(20);

/// How often its files are looked at.
const POLL: Duration = Duration::from_millis(20);

/// The program that starts all others.
const MASTER: &str = "/usr/lib/postfix/sbin/master";

/// A Postfix that runs until it is dropped.
#[derive(Debug)]
pub struct Postfix {
    /// Where its clients find it: of all services it has the three for sending.
    pub site: Site,
    /// What it proves its name with.
    pub leaf: Leaf,
    daemon: Daemon,
}

/// A letter that it keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The reverse-path, empty for the null one.
    pub sender: String,
    /// The forward-path.
    pub recipient: String,
    /// The letter with its own Received line first, lines ended by CR LF again.
    pub letter: Vec<u8>,
}

impl Postfix {
    /// One that keeps nothing yet; the name is its own host name.
    pub fn builder(hostname: &str) -> Builder {
        Builder::new(hostname)
    }

    /// Everything that it keeps, oldest first.
    ///
    /// # Panics
    /// When its files cannot be read, or do not begin as virtual(8) writes them.
    pub fn kept(&self) -> Vec<Kept> {
        let Ok(entries) = fs::read_dir(self.site.folder.join("mail/kept/new")) else { return Vec::new() };
        let mut files: Vec<_> = entries
            .map(|entry| {
                let path = entry.expect("a folder can be read").path();
                let changed = path.metadata().and_then(|data| data.modified()).expect("a file has a date");
                (changed, path)
            })
            .collect();
        files.sort();
        files.iter().map(|(_, path)| Kept::read(path)).collect()
    }

    /// Waits until it keeps so many, and gives them.
    ///
    /// # Panics
    /// With its log, when they do not come in time, or more come.
    #[track_caller]
    pub fn wait_for(&self, count: usize, limit: Duration) -> Vec<Kept> {
        let deadline = Instant::now() + limit;
        loop {
            let kept = self.kept();
            if kept.len() >= count {
                assert!(kept.len() == count, "{} letters, not {count}:\n{}", kept.len(), self.log());
                return kept;
            }
            assert!(Instant::now() < deadline, "{} letters, not {count}:\n{}", kept.len(), self.log());
            thread::sleep(POLL);
        }
    }

    /// Its log.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.site.folder.join("log")).expect("its log can be read");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits for a line of its log that has these words, and gives it.
    ///
    /// # Panics
    /// With the log, when none comes.
    #[track_caller]
    pub fn wait_for_log(&self, words: &str, limit: Duration) -> String {
        let deadline = Instant::now() + limit;
        loop {
            let log = self.log();
            if let Some(line) = log.lines().find(|line| line.contains(words)) {
                return line.to_owned();
            }
            assert!(
                Instant::now() < deadline,
                "no `{words}` in the log:\n{log}{console}",
                console = self.daemon.console()
            );
            thread::sleep(POLL);
        }
    }

    /// How many connections it has taken.
    pub fn connections(&self) -> usize {
        self.log().matches("]: connect from ").count()
    }

    /// Answers for these recipients from now on, instead of those that it was built with.
    ///
    /// # Panics
    /// When it does not take them.
    pub fn answer(&self, answers: &[(&str, &str)]) {
        fs::write(self.site.folder.join("config/answers"), config::table(answers))
            .expect("a table can be written");
        let mut reload = as_root();
        reload.arg("/usr/sbin/postfix").arg("-c").arg(self.site.folder.join("config")).arg("reload");
        run(&mut reload, TOOL_MAX);
        self.wait_for_log("reload -- version", READY_MAX);
    }

    /// Tries now what it could not deliver before.
    ///
    /// # Panics
    /// When its queue cannot be told.
    pub fn flush(&self) {
        let mut flush = as_root();
        flush.arg("/usr/sbin/postqueue").arg("-c").arg(self.site.folder.join("config")).arg("-f");
        run(&mut flush, TOOL_MAX).success();
    }

    /// The process that starts all others and waits for their ends.
    pub fn pid(&self) -> u32 {
        self.daemon.pid()
    }

    fn start(site: Site, leaf: Leaf, prepare: &str) -> Self {
        let config = site.folder.join("config").display().to_string();
        // Its log is the tests' own file, so that they can read it whoever they are.
        fs::write(site.folder.join("log"), "").expect("a log can be begun");
        let daemon = Daemon::start(&site.folder, prepare, &[MASTER, "-c", &config, "-s"]);
        let postfix = Self { site, leaf, daemon };
        postfix.wait_for_log("daemon started", READY_MAX);
        postfix
    }
}

impl Kept {
    fn read(path: &Path) -> Self {
        let mut file = Vec::new();
        for line in fs::read(path).expect("a kept letter can be read").split_inclusive(|byte| *byte == b'\n')
        {
            file.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
            file.extend_from_slice(b"\r\n");
        }
        let mut rest = file.as_slice();
        let mut line = |name: &str| {
            let end = rest.windows(2).position(|two| two == b"\r\n").expect("a line");
            let text = String::from_utf8_lossy(&rest[..end]).into_owned();
            rest = &rest[end + 2..];
            let value = text.strip_prefix(name).unwrap_or_else(|| panic!("`{text}` where {name} should be"));
            value.to_owned()
        };
        let sender = line("Return-Path: ");
        let recipient = line("X-Original-To: ");
        line("Delivered-To: ");
        Self { sender: sender.trim_matches(['<', '>']).to_owned(), recipient, letter: rest.to_vec() }
    }

    /// The letter behind so many Received lines.
    ///
    /// # Panics
    /// When there are fewer.
    #[track_caller]
    pub fn behind_received(&self, count: usize) -> &[u8] {
        let mut rest = self.letter.as_slice();
        for _ in 0..count {
            assert!(rest.starts_with(b"Received: "), "{}", String::from_utf8_lossy(rest));
            let mut end = 0;
            loop {
                let line = rest[end..].windows(2).position(|two| two == b"\r\n").expect("a header line");
                end += line + 2;
                if !matches!(rest.get(end), Some(b' ' | b'\t')) {
                    break;
                }
            }
            rest = &rest[end..];
        }
        rest
    }
}

/// Whether the Cyrus library of this machine knows a mechanism.
pub fn knows(mechanism: &str) -> bool {
    let said = run(Command::new("/usr/sbin/saslpluginviewer").args(["-s", "-m", mechanism]), TOOL_MAX);
    said.all().contains(mechanism)
}
