//! A running mail server as its clients see it: addresses, the authority to trust, accounts that are still empty.
//!
//! The same tests run against the program on this machine, against the box in QEMU and against a real box on the
//! network: all that they know of it is a [`Site`].

use crate::page;
use crate::provision;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The services, with their standard ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Mail from other servers.
    Smtp = 25,
    /// Mail from users, STARTTLS.
    Submission = 587,
    /// Mail from users, TLS from the start.
    Submissions = 465,
    /// Mailboxes, STARTTLS.
    Imap = 143,
    /// Mailboxes, TLS from the start.
    Imaps = 993,
    /// One mailbox, STLS.
    Pop3 = 110,
    /// One mailbox, TLS from the start.
    Pop3s = 995,
    /// The first page.
    Http = 80,
    /// The first page, with everything that takes a secret.
    Https = 443,
}

impl Service {
    /// Every service that greets or answers.
    pub const ALL: [Self; 9] = [
        Self::Smtp,
        Self::Submission,
        Self::Submissions,
        Self::Imap,
        Self::Imaps,
        Self::Pop3,
        Self::Pop3s,
        Self::Http,
        Self::Https,
    ];

    /// True where TLS comes before the first byte of the protocol.
    pub fn is_implicit_tls(self) -> bool {
        matches!(self, Self::Submissions | Self::Imaps | Self::Pop3s | Self::Https)
    }
}

/// An account that the tests may use.
#[derive(Debug, Clone)]
pub struct Account {
    /// The whole address; also the log-in name.
    pub address: String,
    /// The password.
    pub password: String,
}

impl Account {
    /// The part before the @.
    pub fn local_part(&self) -> &str {
        self.address.split('@').next().unwrap_or_default()
    }
}

/// Where a server is and what its clients need.
#[derive(Debug)]
pub struct Site {
    /// Its address.
    pub address: IpAddr,
    /// What is added to every standard port.
    pub port_offset: u16,
    /// The name in its certificate.
    pub hostname: String,
    /// Its certificate authority, PEM, as downloaded from the first page.
    pub authority: PathBuf,
    /// A folder for what the tests write.
    pub folder: PathBuf,
    /// True where a password may travel without TLS: on loopback of a hosted program.
    pub plain_passwords: bool,
    /// How many times longer everything may take than on this machine itself.
    pub patience: u32,
    /// How long a letter may stay unseen after its 250: not at all, but for the peers that the tests are tried on.
    pub settling: Duration,
    next_account: AtomicUsize,
}

impl Site {
    /// A site whose authority is not known yet.
    pub fn new(port_offset: u16, folder: &Path) -> Self {
        Self {
            address: IpAddr::from([127, 0, 0, 1]),
            port_offset,
            hostname: provision::HOSTNAME.to_owned(),
            authority: folder.join("authority.pem"),
            folder: folder.to_owned(),
            plain_passwords: false,
            patience: 1,
            settling: Duration::ZERO,
            next_account: AtomicUsize::new(0),
        }
    }

    /// A server that runs already, told by the environment: `TEGAMI_SITE=192.168.1.10:0` is its address and what is
    /// added to its ports. It must have been given the tests' provision file, and its accounts must be empty: a real
    /// box, or, to see that the tests themselves are right, a peer. A peer may be given time to deliver after its
    /// 250 (`TEGAMI_SITE_SETTLING_S`).
    ///
    /// # Panics
    /// When the value is not understood.
    pub fn from_environment(folder: &Path) -> Option<Self> {
        let place: SocketAddr =
            std::env::var("TEGAMI_SITE").ok()?.parse().expect("TEGAMI_SITE=ADDRESS:OFFSET");
        let settling = std::env::var("TEGAMI_SITE_SETTLING_S").unwrap_or_default().parse().unwrap_or(0);
        std::fs::create_dir_all(folder).expect("a folder for the tests can be made");
        let mut site = Self::new(place.port(), folder);
        site.address = place.ip();
        site.plain_passwords = place.ip().is_loopback();
        site.settling = Duration::from_secs(settling);
        page::download_authority(&site);
        Some(site)
    }

    /// Where one service listens.
    pub fn at(&self, service: Service) -> SocketAddr {
        SocketAddr::new(self.address, self.port(service))
    }

    /// The port of one service.
    pub fn port(&self, service: Service) -> u16 {
        service as u16 + self.port_offset
    }

    /// An account that no other test has used: it starts out empty.
    ///
    /// # Panics
    /// When more are taken than the provision file names.
    pub fn account(&self) -> Account {
        let number = self.next_account.fetch_add(1, Ordering::Relaxed);
        assert!(number < provision::POOL, "raise provision::POOL: more tests than accounts");
        provision::pool_account(number)
    }

    /// A duration for this machine, made longer for a slower one.
    pub fn patient(&self, seconds: u64) -> Duration {
        Duration::from_secs(seconds) * self.patience
    }

    /// A fresh folder for one test's files.
    pub fn folder_for(&self, test: &str) -> PathBuf {
        let folder = self.folder.join(test);
        std::fs::remove_dir_all(&folder).ok();
        std::fs::create_dir_all(&folder).expect("a folder for a test can be made");
        folder
    }
}
