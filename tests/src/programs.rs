//! Mail programs that nobody here wrote, run against a site: each trusts the site's own authority and checks its name.

use crate::packages;
use crate::process::{Finished, run, run_with_input};
use crate::site::{Account, Service, Site};
use crate::tidy::tree::repository;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// How long one run of a client may take, before the site's patience.
const RUN_S_MAX: u64 = 30;

/// A client program for which the site's name resolves to its address; its home is `folder`.
pub fn client(site: &Site, program: &str, folder: &Path) -> Command {
    packages::ensure();
    let hosts = folder.join("hosts");
    fs::write(&hosts, format!("{} {}\n", site.address, site.hostname)).expect("a hosts file can be written");
    let mut command = Command::new(program);
    command
        .env("LD_PRELOAD", "libnss_wrapper.so")
        .env("NSS_WRAPPER_HOSTS", hosts)
        .env("HOME", folder)
        .env("LC_ALL", "C.UTF-8")
        .env_remove("XDG_CONFIG_HOME")
        .current_dir(folder);
    command
}

/// swaks: to this service, with these words.
pub fn swaks(site: &Site, service: Service, test: &str, words: &[&str]) -> Finished {
    let folder = site.folder_for(test);
    let server = format!("{}:{}", site.hostname, site.port(service));
    let mut command = client(site, "/usr/bin/swaks", &folder);
    command.args(["--server", &server, "--helo", "client.test", "--suppress-data"]).args(words);
    run(&mut command, site.patient(RUN_S_MAX))
}

/// The words with which swaks checks the certificate.
pub fn swaks_trust(site: &Site) -> [String; 3] {
    ["--tls-verify".to_owned(), "--tls-ca-path".to_owned(), site.authority.display().to_string()]
}

/// msmtp: submits a letter as this account, by this mechanism; `on` is the best that it and the server know.
pub fn msmtp(
    site: &Site,
    service: Service,
    account: &Account,
    mechanism: &str,
    to: &str,
    test: &str,
    letter: &[u8],
) -> Finished {
    let folder = site.folder_for(test);
    let starttls = if service.is_implicit_tls() { "off" } else { "on" };
    let mut command = client(site, "/usr/bin/msmtp", &folder);
    command
        .args([
            "--host",
            &site.hostname,
            "--port",
            &site.port(service).to_string(),
            &format!("--auth={mechanism}"),
        ])
        .args([
            "--tls=on",
            &format!("--tls-starttls={starttls}"),
            &format!("--tls-trust-file={}", site.authority.display()),
        ])
        .args(["--user", &account.address, &format!("--passwordeval=printf %s '{}'", account.password)])
        .args(["--from", &account.address, to]);
    run_with_input(&mut command, letter.to_vec(), site.patient(RUN_S_MAX))
}

/// curl: logged in as this account, with TLS checked on every service.
pub fn curl(site: &Site, account: &Account, words: &[&str]) -> Finished {
    let authority = site.authority.display().to_string();
    let user = format!("{}:{}", account.address, account.password);
    let mut all = vec!["--ssl-reqd", "--cacert", &authority, "--user", &user];
    all.extend(words);
    crate::page::curl(site, &all)
}

/// The URL of something on a service.
pub fn url(site: &Site, scheme: &str, service: Service, rest: &str) -> String {
    format!("{scheme}://{}:{}/{rest}", site.hostname, site.port(service))
}

/// mbsync: all mailboxes of an account with the Maildirs in `folder`, both ways, logged in by this mechanism; `*` is the
/// best that it and the server know.
pub fn mbsync(site: &Site, account: &Account, mechanism: &str, folder: &Path) -> Finished {
    let near = folder.join("near");
    fs::create_dir_all(&near).expect("a Maildir root can be made");
    let config = folder.join("mbsyncrc");
    let text = format!(
        "IMAPAccount box\nHost {host}\nPort {port}\nUser {user}\nPass \"{password}\"\nSSLType IMAPS\n\
         AuthMechs {mechanism}\n\
         SystemCertificates no\nCertificateFile {authority}\n\n\
         IMAPStore far\nAccount box\n\n\
         MaildirStore near\nPath {near}/\nInbox {near}/INBOX\nSubFolders Verbatim\n\n\
         Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\nSyncState *\nSync All\n",
        host = site.hostname,
        port = site.port(Service::Imaps),
        user = account.address,
        password = account.password,
        authority = site.authority.display(),
        near = near.display(),
    );
    fs::write(&config, text).expect("a configuration can be written");
    let mut command = client(site, "/usr/bin/mbsync", folder);
    run(command.arg("--config").arg(config).arg("--all"), site.patient(RUN_S_MAX))
}

/// fetchmail: takes everything from the account's INBOX; gives what it took, as handed to delivery.
pub fn fetchmail(site: &Site, account: &Account, protocol: &str, test: &str) -> Vec<u8> {
    let folder = site.folder_for(test);
    // POP3 begins in clear and upgrades, IMAP is TLS from the start: each way once.
    let (service, tls) = match protocol {
        "IMAP" => (Service::Imaps, "ssl sslproto 'TLS1.2+'"),
        _ => (Service::Pop3, "sslproto 'TLS1.2+'"),
    };
    let text = format!(
        "set no syslog\npoll {host} protocol {protocol} port {port}\n\
         user '{user}' password '{password}' {tls} sslcertck sslcertfile '{authority}'\n\
         fetchall no keep no rewrite mda 'cat >> {folder}/taken'\n",
        host = site.hostname,
        port = site.port(service),
        user = account.address,
        password = account.password,
        authority = site.authority.display(),
        folder = folder.display(),
    );
    let config = folder.join("fetchmailrc");
    fs::write(&config, text).expect("a configuration can be written");
    // fetchmail refuses a file with a password that others may read.
    fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).expect("an own file's mode can be set");
    let mut command = client(site, "/usr/bin/fetchmail", &folder);
    command.env("FETCHMAILHOME", &folder).args(["--nodetach", "--verbose", "--fetchmailrc"]).arg(&config);
    run(&mut command, site.patient(RUN_S_MAX)).success();
    fs::read(folder.join("taken")).unwrap_or_default()
}

/// A script of `tests/python`, which uses the standard library alone; it is told where the site is and who logs in.
pub fn python(site: &Site, script: &str, account: &Account) -> Finished {
    let folder = site.folder_for(script);
    let mut command = client(site, "/usr/bin/python3", &folder);
    command
        .arg(repository().join("tests/python").join(script))
        .args([&site.hostname, &site.port_offset.to_string(), &site.authority.display().to_string()])
        .args([&account.address, &account.password]);
    run(&mut command, site.patient(RUN_S_MAX))
}
