//! The programs that the tests use, written by others: which Debian packages they come from, installed when missing.

use crate::daemon::as_root;
use crate::process::run;
use std::path::Path;
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

/// A real Postfix, and what keeps the passwords of its submission service.
const POSTFIX: [(&str, &str); 4] = [
    ("libsasl2-modules", "/usr/share/doc/libsasl2-modules"),
    ("libsasl2-modules-db", "/usr/share/doc/libsasl2-modules-db"),
    ("postfix", "/usr/sbin/postfix"),
    ("sasl2-bin", "/usr/sbin/saslpasswd2"),
];

/// Postfix's neighbour in the measurements.
const DOVECOT: [(&str, &str); 2] =
    [("dovecot-imapd", "/usr/lib/dovecot/imap"), ("dovecot-lmtpd", "/usr/lib/dovecot/lmtp")];

/// Who verifies signatures: dkimpy, and what it needs for Ed25519.
const DKIM: [(&str, &str); 2] = [
    ("python3-dkim", "/usr/lib/python3/dist-packages/dkim"),
    ("python3-nacl", "/usr/lib/python3/dist-packages/nacl"),
];

/// What the services of these packages are called. Nobody wants them as services here.
const SERVICES: &str = "postfix dovecot saslauthd";

/// Installs packages and leaves no service behind: none is started now (`policy-rc.d` is asked before each start), nor
/// with the machine (they were missing before, so nobody can have enabled them). Postfix asks what it shall be: nothing.
const INSTALL: &str = "policy=/usr/sbin/policy-rc.d\n\
    trap 'exit 1' HUP INT TERM\n\
    if ! test -e $policy; then\n\
    trap 'rm -f $policy' EXIT\n\
    printf '#!/bin/sh\\nexit 101\\n' > $policy && chmod 755 $policy || exit 1\n\
    fi\n\
    echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections || exit 1\n\
    export DEBIAN_FRONTEND=noninteractive\n\
    apt-get -o DPkg::Lock::Timeout=300 \"$@\" || exit 1\n\
    for service in $0; do\n\
    ! command -v systemctl > /dev/null || systemctl --quiet disable $service || exit 1\n\
    done\n";

/// Installs what most tests use, where it is missing, once, and says what. Every test that starts a foreign program
/// calls this first.
///
/// # Panics
/// With the list of what to install, where apt is not there or may not be used.
pub fn ensure() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| ensure_all(&NEEDED));
}

/// The same for Postfix.
///
/// # Panics
/// As [`ensure`].
pub fn ensure_postfix() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| ensure_all(&POSTFIX));
}

/// The same for Dovecot.
///
/// # Panics
/// As [`ensure`].
pub fn ensure_dovecot() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| ensure_all(&DOVECOT));
}

/// The same for a verifier of DKIM signatures.
///
/// # Panics
/// As [`ensure`].
pub fn ensure_dkim() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| ensure_all(&DKIM));
}

fn ensure_all(needed: &[(&'static str, &str)]) {
    let missing = missing(needed);
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
        apt("", &["update"]);
        install(&missing);
    }
    let missing = self::missing(needed).join(" ");
    assert!(missing.is_empty(), "apt could not install {missing}: install it and run the tests again");
}

fn missing(needed: &[(&'static str, &str)]) -> Vec<&'static str> {
    needed.iter().filter(|(_, file)| !Path::new(file).exists()).map(|(package, _)| *package).collect()
}

fn install(packages: &[&str]) -> bool {
    // --no-remove: where one of them stands against what the machine has, a person decides.
    let options = ["install", "--yes", "--no-remove", "--no-install-recommends"];
    let services: Vec<&str> = SERVICES
        .split(' ')
        .filter(|service| packages.iter().any(|package| brings(package, service)))
        .collect();
    apt(&services.join(" "), &[options.as_slice(), packages].concat())
}

/// Whether a package that was missing brings a service.
fn brings(package: &str, service: &str) -> bool {
    package.starts_with(service) || (package == "sasl2-bin" && service == "saslauthd")
}

/// Runs apt-get as root. Waits for another apt to finish.
fn apt(services: &str, arguments: &[&str]) -> bool {
    let mut command = as_root();
    command.args(["sh", "-c", INSTALL, services]).args(arguments);
    let finished = run(&mut command, INSTALL_MAX);
    if finished.status != 0 {
        eprintln!("{}", finished.all());
    }
    finished.status == 0
}
