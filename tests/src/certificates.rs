//! Certificates for servers of the tests' own, made with openssl: an authority, and what it signs.

use crate::packages;
use crate::process::run;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Making one key and one certificate.
const OPENSSL_MAX: Duration = Duration::from_secs(20);

/// An authority that signs for any name.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
}

/// A server's certificate and key, as PEM files.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key, PKCS #8.
    pub key: PathBuf,
}

impl Authority {
    /// A new one, which keeps its files in this folder.
    ///
    /// # Panics
    /// When openssl makes none.
    pub fn new(folder: &Path) -> Self {
        packages::ensure();
        let authority = Self { folder: folder.to_owned() };
        let extensions = "basicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign\nsubjectKeyIdentifier = hash";
        authority.make("authority", "Authority of the tests", extensions, &[]);
        authority
    }

    /// Its own certificate, PEM.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("authority.pem")
    }

    /// The same as text, for a provision file.
    ///
    /// # Panics
    /// When the file has gone.
    pub fn pem(&self) -> String {
        fs::read_to_string(self.certificate()).expect("an own file can be read")
    }

    /// A certificate for these host names and addresses.
    ///
    /// # Panics
    /// When openssl makes none.
    pub fn leaf(&self, names: &[&str]) -> Leaf {
        let kind = |name: &str| if name.parse::<IpAddr>().is_ok() { "IP" } else { "DNS" };
        let alternatives: Vec<String> = names.iter().map(|name| format!("{}:{name}", kind(name))).collect();
        let extensions = format!(
            "basicConstraints = critical, CA:FALSE\nkeyUsage = critical, digitalSignature\n\
             extendedKeyUsage = serverAuth\nsubjectAltName = {}",
            alternatives.join(", ")
        );
        let file = format!("leaf-{}", names.join("-"));
        let authority = self.certificate().display().to_string();
        let key = self.folder.join("authority.key").display().to_string();
        self.make(&file, names.first().expect("a name"), &extensions, &["-CA", &authority, "-CAkey", &key]);
        Leaf {
            certificate: self.folder.join(format!("{file}.pem")),
            key: self.folder.join(format!("{file}.key")),
        }
    }

    fn make(&self, file: &str, name: &str, extensions: &str, signer: &[&str]) {
        let config = self.folder.join(format!("{file}.cnf"));
        let text = format!(
            "[req]\nprompt = no\ndistinguished_name = name\nx509_extensions = extensions\n\
             [name]\nCN = {name}\n[extensions]\n{extensions}\n"
        );
        fs::write(&config, text).expect("a configuration can be written");
        let mut command = Command::new("openssl");
        command
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"])
            .args(["-days", "30", "-config"])
            .arg(config)
            .args(signer)
            .arg("-keyout")
            .arg(self.folder.join(format!("{file}.key")))
            .arg("-out")
            .arg(self.folder.join(format!("{file}.pem")));
        run(&mut command, OPENSSL_MAX).success();
    }
}
