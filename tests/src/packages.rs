//! The programs that the tests use, written by others: which Debian packages they come from, installed when missing.

use crate::process::run;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// What must be there, with a file that tells whether it is.
const NEEDED: [(&str, &str); 10] = [
    ("curl", "/usr/bin/curl"),
    ("fetchmail", "/usr/bin/fetchmail"),
    ("isync", "/usr/bin/mbsync"),
    ("libnet-ssleay-perl", "/usr/share/doc/libnet-ssleay-perl"),
    ("libnss-wrapper", "/usr/share/doc/libnss-wrapper"),
    ("msmtp", "/usr/bin/msmtp"),
    ("nsd", "/usr/sbin/nsd"),
    ("openssl", "/usr/bin/openssl"),
    ("python3", "/usr/bin/python3"),
    ("swaks", "/usr/bin/swaks"),
];

/// Installing a dozen small packages over a slow line.
const INSTALL_MAX: Duration = Duration::from_secs(600);

/// Installs what is missing, once, and says what. Every test that starts a foreign program calls this first.
///
/// # Panics
/// With the list of what to install, where apt is not there or may not be used.
pub fn ensure() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        let missing = missing();
        if missing.is_empty() {
            return;
        }
        let list = missing.join(" ");
        assert!(
            Path::new("/usr/bin/apt-get").exists(),
            "the tests need these programs, please install them: {list}"
        );
        eprintln!("installing what the tests use: {list}");
        if !install(&missing) {
            apt(&["update"]);
            install(&missing);
        }
        let missing = self::missing().join(" ");
        assert!(missing.is_empty(), "apt could not install {missing}: install it and run the tests again");
    });
}

fn missing() -> Vec<&'static str> {
    NEEDED.iter().filter(|(_, file)| !Path::new(file).exists()).map(|(package, _)| *package).collect()
}

fn install(packages: &[&str]) -> bool {
    // --no-remove: where one of them stands against what the machine has, a person decides.
    let options = ["install", "--yes", "--no-remove", "--no-install-recommends"];
    apt(&[options.as_slice(), packages].concat())
}

/// Runs apt-get as root, or through sudo where that asks nothing. Waits for another apt to finish.
fn apt(arguments: &[&str]) -> bool {
    let root = run(Command::new("id").arg("-u"), Duration::from_secs(5)).text().trim() == "0";
    let mut command = if root { Command::new("env") } else { Command::new("sudo") };
    if !root {
        command.args(["--non-interactive", "env"]);
    }
    command
        .args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300"])
        .args(arguments);
    let finished = run(&mut command, INSTALL_MAX);
    if finished.status != 0 {
        eprintln!("{}", finished.all());
    }
    finished.status == 0
}
