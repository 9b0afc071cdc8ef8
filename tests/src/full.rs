//! A flash that is nearly full, made quickly with the program on this machine: half of its letters stay for good, and
//! every stretch of it holds some of those, so that room for more than its rest comes from compaction alone.

use crate::built::program;
use crate::hosted::{Hosted, Options};
use crate::ledger::Ledger;
use crate::load::Load;
use crate::machine::Machine;
use crate::process::run;
use crate::provision::{named_account, small_file};
use crate::site::Account;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Who is on it: two who get every letter, and two who file.
const RECIPIENTS: [&str; 2] = ["one@example.test", "two@example.test"];
const FILERS: [&str; 2] = ["filer@example.test", "clerk@example.test"];

/// Sizes of its letters in bytes. Two neighbours, of which one stays, fit into a segment of 256 KiB, the smallest.
const SIZES: [usize; 5] = [8_192, 60_000, 30_000, 2_000, 100_000];

/// How full it is made, in per cent of what letters may take of an empty one.
const FILLED: u64 = 90;

/// How near that the figure of `tegami stat` must come.
const NEAR: u64 = 3;

/// Of what is missing this much is delivered before the program is asked again how much is: letters take more room than
/// they have bytes, and how much more is not for a test to know.
const STEP: u64 = 80;

/// Filling it.
const FILL_MAX: Duration = Duration::from_secs(300);

const STAT_MAX: Duration = Duration::from_secs(20);

/// The flash and what is on it.
pub struct Full {
    /// The flash; its folder goes with this value.
    pub flash: PathBuf,
    /// What was delivered.
    pub ledger: Ledger,
    /// The program that made it, and that is not running.
    _hosted: Hosted,
    /// Bytes of its letters.
    pub bytes: u64,
    /// Bytes of the flash that they do not take.
    pub rest: u64,
}

impl Full {
    /// Makes one of so many bytes. The name is that of its folder.
    ///
    /// # Panics
    /// When the program does not do as it should.
    pub fn make(name: &str, flash_bytes: u64) -> Self {
        let options = Options {
            provision: Some(provision_file()),
            flash_size: format!("{}MiB", flash_bytes >> 20),
            ..Options::default()
        };
        let mut hosted = Hosted::new(name, options);
        hosted.start();
        hosted.stop();
        let ledger = Ledger::default();
        let free = free(&hosted.flash);
        let wanted = free * FILLED / 100;
        loop {
            let used = free - self::free(&hosted.flash).min(free);
            if used + free * NEAR / 100 >= wanted {
                break;
            }
            fill(&mut hosted, &ledger, (wanted - used) * STEP / 100);
        }
        let bytes = ledger.bytes_alive(0);
        let used = free - self::free(&hosted.flash);
        let percent = used * 100 / free;
        assert!(percent.abs_diff(FILLED) <= NEAR, "{percent} % of {free} bytes");
        assert!(
            bytes <= used,
            "{bytes} bytes of letters take {used}: they were to be such as cannot be compressed"
        );
        eprintln!(
            "prepared: {} letters, {:.1} MB of {:.1} MB that letters may take",
            ledger.acknowledged(),
            used as f64 / 1e6,
            free as f64 / 1e6
        );
        Self { flash: hosted.flash.clone(), ledger, _hosted: hosted, bytes, rest: flash_bytes - bytes }
    }

    /// Who gets every letter.
    pub fn recipients() -> [Account; 2] {
        RECIPIENTS.map(named_account)
    }

    /// Who files.
    pub fn filers() -> [Account; 2] {
        FILERS.map(named_account)
    }
}

/// The provision file with which it was made.
pub fn provision_file() -> String {
    small_file(&[RECIPIENTS, FILERS].concat())
}

/// Delivers so many bytes, one letter after the other, so that they lie in the order of their numbers.
fn fill(hosted: &mut Hosted, ledger: &Ledger, bytes: u64) {
    hosted.start();
    let mean = SIZES.iter().sum::<usize>() / SIZES.len();
    let load = Load {
        clients: 1,
        sizes: SIZES.to_vec(),
        to: RECIPIENTS.map(str::to_owned).to_vec(),
        logins: Vec::new(),
        letters: Some(bytes as usize / mean + 1),
        time: FILL_MAX,
        may_be_full: false,
    };
    let delivered = ledger.deliver(&hosted.site, &load);
    assert!(delivered.broken.is_empty(), "{}", delivered.broken.join("\n"));
    for account in Full::recipients() {
        ledger.verify(&hosted.site, &account, true);
    }
    hosted.stop();
}

/// What letters can still be given, in bytes, by `tegami stat`, which tells three digits of it.
fn free(flash: &Path) -> u64 {
    let said = run(Command::new(program()).arg("stat").arg(flash), STAT_MAX).success();
    let text = said.text();
    let figure = text.lines().find_map(|line| line.trim().strip_prefix("free for mail, about"));
    let (number, unit) = figure.and_then(|figure| figure.trim().split_once(' ')).unwrap_or_default();
    let number: f64 = number.parse().unwrap_or_else(|_| panic!("stat says nothing of what is free:\n{text}"));
    let shift = ["bytes", "KiB", "MiB", "GiB"].iter().position(|known| *known == unit).expect("a unit") * 10;
    (number * (1_u64 << shift) as f64) as u64
}
