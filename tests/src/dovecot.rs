//! A real Dovecot beside Postfix: mailboxes by IMAP, filled by LMTP, as the peer in measurements.

use crate::daemon::{Daemon, open_folder};
use crate::packages;
use crate::postfix::Postfix;
use crate::site::Service;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// From the start to the first connection.
const READY_MAX: Duration = Duration::from_secs(30);

/// How mail is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A file per letter.
    Maildir,
    /// Many letters in a file.
    Mdbox,
}

/// A Postfix and its Dovecot: together they do what the program does.
#[derive(Debug)]
pub struct Pair {
    /// Takes mail, and is the site whose mailboxes Dovecot shows.
    pub postfix: Postfix,
    dovecot: Daemon,
}

impl Pair {
    /// Starts both with their own settings wherever these have a say in speed: processes, fsync, delays. Everybody of
    /// the domain has a mailbox, and any password is right. `place` is where both write.
    ///
    /// # Panics
    /// With what is said, when one does not come up.
    pub fn start(place: &Path, hostname: &str, domain: &str, format: Format) -> Self {
        packages::ensure_dovecot();
        let folder = open_folder(place, "dovecot");
        let socket = folder.join("run/lmtp");
        let postfix = Postfix::builder(hostname)
            .place(place)
            .keeps(domain)
            .setting("virtual_transport", &format!("lmtp:unix:{}", socket.display()))
            .start();
        let text = settings(&folder, &postfix, format);
        fs::write(folder.join("dovecot.conf"), text).expect("a configuration can be written");
        let config = folder.join("dovecot.conf").display().to_string();
        let prepare = "mkdir \"$0/mail\"\nchown nobody:nogroup \"$0/mail\"";
        let dovecot = Daemon::start(&folder, prepare, &["/usr/sbin/dovecot", "-F", "-c", &config]);
        let deadline = Instant::now() + READY_MAX;
        while !socket.exists() || TcpStream::connect(postfix.site.at(Service::Imaps)).is_err() {
            let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "Dovecot does not start:\n{log}{}", dovecot.console());
            thread::sleep(Duration::from_millis(20));
        }
        Self { postfix, dovecot }
    }

    /// The first processes of both.
    pub fn pids(&self) -> [u32; 2] {
        [self.postfix.pid(), self.dovecot.pid()]
    }
}

fn settings(folder: &Path, postfix: &Postfix, format: Format) -> String {
    let site = &postfix.site;
    let format = match format {
        Format::Maildir => "maildir",
        Format::Mdbox => "mdbox",
    };
    format!(
        "protocols = imap lmtp\n\
         listen = {address}\n\
         base_dir = {folder}/run\n\
         log_path = {folder}/log\n\
         ssl = yes\n\
         ssl_cert = <{certificate}\n\
         ssl_key = <{key}\n\
         mail_location = {format}:{folder}/mail/%u\n\
         passdb {{\n  driver = static\n  args = nopassword\n}}\n\
         userdb {{\n  driver = static\n  args = uid=nobody gid=nogroup home={folder}/mail/%u allow_all_users=yes\n}}\n\
         service imap-login {{\n  inet_listener imap {{\n    port = {imap}\n  }}\n\
         inet_listener imaps {{\n    port = {imaps}\n    ssl = yes\n  }}\n}}\n\
         service lmtp {{\n  unix_listener lmtp {{\n    mode = 0666\n  }}\n}}\n",
        address = site.address,
        folder = folder.display(),
        certificate = postfix.leaf.certificate.display(),
        key = postfix.leaf.key.display(),
        imap = site.port(Service::Imap),
        imaps = site.port(Service::Imaps),
    )
}
