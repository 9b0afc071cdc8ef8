//! Tests of the certificates, by whoever did not write them: OpenSSL's command line, curl and Python where they are
//! installed, and rustls as a client.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::rc::Rc;

use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::limits::{FLOOR_UNIX_S, LEAF_LIFE_S, SKEW_S};
use super::*;
use crate::provision::fake::Box_;

/// 2026-12-01.
const NOW: Moment = Moment { unix_s: 1_796_083_200, is_known: true };

fn names(domains: &[&str], addresses: &[&str]) -> Names {
    Names {
        hostname: "tegami.local".to_owned(),
        domains: domains.iter().map(|&domain| domain.to_owned()).collect(),
        addresses: addresses.iter().map(|ip| ip.parse().unwrap()).collect(),
    }
}

/// Opens the certificates of a box and stores what was made.
fn open(it: &Box_, names: &Names, now: Moment) -> (Certificates, usize) {
    let (certificates, changes) = Certificates::open(it, names, now).unwrap();
    let count = changes.len();
    it.make(changes);
    (certificates, count)
}

fn refresh(certificates: &Certificates, names: &Names, now: Moment) -> usize {
    certificates.refresh(names, now).unwrap().len()
}

fn leaf_der(certificates: &Certificates) -> CertificateDer<'static> {
    certificates.shown.0.read().unwrap().cert[0].clone()
}

/// A folder of this test's own.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tegami-certs-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes the authority and the server's certificate as PEM.
    fn write(&self, certificates: &Certificates) {
        let authority = certificates.authority();
        std::fs::write(self.0.join("ca.pem"), authority.pem()).unwrap();
        let leaf = AuthorityView { der: leaf_der(certificates).to_vec(), fingerprint: String::new() };
        std::fs::write(self.0.join("leaf.pem"), leaf.pem()).unwrap();
    }

    fn openssl(&self, line: &str) -> Output {
        Command::new("openssl").args(line.split_whitespace()).current_dir(&self.0).output().unwrap()
    }

    fn says(&self, line: &str) -> String {
        let output = self.openssl(line);
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_same_keys_come_back_after_a_restart() {
    let it = Box_::default();
    let names = names(&["example.test"], &["192.168.1.20"]);
    let (first, made) = open(&it, &names, NOW);
    assert_eq!(made, 2);
    let (second, made) = open(&it, &names, NOW);
    assert_eq!(made, 0);
    assert_eq!(first.authority(), second.authority());
    assert_eq!(leaf_der(&first), leaf_der(&second));
}

#[test]
fn a_damaged_setting_is_made_again() {
    let it = Box_::default();
    open(&it, &names(&[], &[]), NOW);
    it.settings.borrow_mut().get_mut(stored::AUTHORITY_KEY).unwrap().truncate(40);
    let (_, made) = open(&it, &names(&[], &[]), NOW);
    assert_eq!(made, 2, "the authority, and what it signs");
}

#[test]
fn the_certificate_is_made_again_when_it_does_not_serve() {
    let it = Box_::default();
    let home = names(&["example.test"], &["192.168.1.20"]);
    let (certificates, _) = open(&it, &home, NOW);
    let authority = certificates.authority();
    assert_eq!(refresh(&certificates, &home, NOW), 0);
    // An address more, an address fewer.
    assert_eq!(refresh(&certificates, &names(&["example.test"], &["192.168.1.20", "10.0.0.7"]), NOW), 1);
    assert_eq!(refresh(&certificates, &home, NOW), 0);
    // Two thirds of its life.
    let later = |s: i64| Moment { unix_s: NOW.unix_s - SKEW_S + s, ..NOW };
    assert_eq!(refresh(&certificates, &home, later(LEAF_LIFE_S / 3 * 2 - 1)), 0);
    assert_eq!(refresh(&certificates, &home, Moment { is_known: false, ..later(LEAF_LIFE_S * 2) }), 0);
    assert_eq!(refresh(&certificates, &home, later(LEAF_LIFE_S / 3 * 2)), 1);
    // A clock that was wrong and is set back.
    assert_eq!(refresh(&certificates, &home, later(0)), 1);
    // All that with one authority.
    assert_eq!(certificates.authority(), authority);
}

#[test]
fn another_domain_needs_another_authority() {
    let it = Box_::default();
    let (certificates, _) = open(&it, &names(&[], &[]), NOW);
    let (authority, leaf) = (certificates.authority(), leaf_der(&certificates));
    assert_eq!(refresh(&certificates, &names(&["example.test"], &[]), NOW), 2);
    assert_ne!(certificates.authority(), authority);
    let folder = Folder::new("another");
    folder.write(&certificates);
    std::fs::write(
        folder.0.join("old.pem"),
        AuthorityView { der: leaf.to_vec(), fingerprint: String::new() }.pem(),
    )
    .unwrap();
    let key = |file: &str| folder.says(&format!("x509 -in {file} -noout -pubkey"));
    assert_eq!(key("leaf.pem"), key("old.pem"), "the server's key stays");
}

#[test]
fn openssl_accepts_the_chain_and_its_form() {
    let it = Box_::default();
    let (certificates, _) = open(&it, &names(&["example.test"], &["192.168.1.20", "fd00::20"]), NOW);
    let folder = Folder::new("form");
    folder.write(&certificates);
    let at = NOW.unix_s;
    for host in ["tegami.local", "example.test", "mail.example.test", "localhost"] {
        let line = format!(
            "verify -x509_strict -attime {at} -CAfile ca.pem -purpose sslserver -verify_hostname {host} leaf.pem"
        );
        assert!(folder.openssl(&line).status.success(), "{}", folder.says(&line));
    }
    for ip in ["192.168.1.20", "fd00::20", "127.0.0.1", "::1"] {
        let line = format!("verify -x509_strict -attime {at} -CAfile ca.pem -verify_ip {ip} leaf.pem");
        assert!(folder.openssl(&line).status.success(), "{}", folder.says(&line));
    }
    let authority = folder.says("x509 -in ca.pem -noout -text -fingerprint -sha256");
    for line in [
        "CA:TRUE, pathlen:0",
        "X509v3 Name Constraints: critical",
        "X509v3 Basic Constraints: critical",
        "X509v3 Key Usage: critical",
        "Certificate Sign, CRL Sign",
        "DNS:example.test",
        "DNS:local",
        "IP:10.0.0.0/255.0.0.0",
        "ASN1 OID: prime256v1",
        &certificates.authority().fingerprint,
    ] {
        assert!(authority.contains(line), "{line} in {authority}");
    }
    let leaf = folder.says("x509 -in leaf.pem -noout -text");
    for line in
        ["TLS Web Server Authentication", "CA:FALSE", "Digital Signature", "keyid", "DNS:mail.example.test"]
    {
        assert!(
            leaf.contains(line) || line == "keyid" && leaf.contains("Authority Key Identifier"),
            "{line} in {leaf}"
        );
    }
}

#[test]
fn a_box_without_a_clock_starts_at_a_sane_time() {
    let it = Box_::default();
    let (certificates, _) = open(&it, &names(&[], &[]), Moment { unix_s: 86_400, is_known: false });
    let folder = Folder::new("clock");
    folder.write(&certificates);
    let line = format!("verify -x509_strict -attime {FLOOR_UNIX_S} -CAfile ca.pem leaf.pem");
    assert!(folder.openssl(&line).status.success(), "{}", folder.says(&line));
    let line = format!("verify -attime {} -CAfile ca.pem leaf.pem", FLOOR_UNIX_S + LEAF_LIFE_S);
    assert!(folder.says(&line).contains("certificate has expired"));
    // The clock becomes known.
    assert_eq!(refresh(&certificates, &names(&[], &[]), NOW), 0);
    let years_later = Moment { unix_s: NOW.unix_s + 5 * 365 * 86_400, is_known: true };
    assert_eq!(refresh(&certificates, &names(&[], &[]), years_later), 1);
}

#[test]
fn what_the_authority_may_not_vouch_for_is_refused() {
    let it = Box_::default();
    let (certificates, _) = open(&it, &names(&["example.test"], &[]), NOW);
    let folder = Folder::new("constraints");
    folder.write(&certificates);
    let state = certificates.state.borrow();
    for (name, ip) in [("bank.test", None), ("notexample.test", None), ("example.test", Some("8.8.8.8"))] {
        let mut subjects = Names::default().subjects();
        subjects.names.insert(name.to_owned());
        subjects.addresses.extend(ip.map(|ip: &str| ip.parse::<std::net::IpAddr>().unwrap()));
        let stolen = Leaf::make(None, &state.authority, subjects, NOW, &SystemRandom::new()).unwrap();
        let der = stolen.certified(&state.authority).unwrap().cert[0].to_vec();
        std::fs::write(folder.0.join("stolen.pem"), AuthorityView { der, fingerprint: String::new() }.pem())
            .unwrap();
        let said = folder.says(&format!("verify -attime {} -CAfile ca.pem stolen.pem", NOW.unix_s));
        assert!(said.contains("permitted subtree violation"), "{name}: {said}");
    }
}

/// Runs a TLS server that answers one HTTP request per connection, and `client` on another thread meanwhile.
fn served<T: Send + 'static>(
    certificates: Certificates,
    client: impl FnOnce(u16) -> T + Send + 'static,
) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let certificates = Rc::new(certificates);
    let local = tokio::task::LocalSet::new();
    runtime.block_on(local.run_until(async move {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = tokio::task::spawn_local(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(mut stream) = certificates.acceptor().accept(stream).await else { continue };
                let _ = stream.read(&mut [0; 4_096]).await;
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
                    .await;
                let _ = stream.shutdown().await;
            }
        });
        let result = tokio::task::spawn_blocking(move || client(port)).await.unwrap();
        serving.abort();
        result
    }))
}

/// The certificates of a box now: what real clients compare with the real time.
fn today() -> Certificates {
    let unix_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let now = Moment { unix_s: i64::try_from(unix_s).unwrap(), is_known: true };
    open(&Box_::default(), &names(&["example.test"], &[]), now).0
}

#[test]
fn curl_python_and_openssl_connect_when_they_trust_the_authority() {
    let certificates = today();
    let folder = Folder::new("clients");
    folder.write(&certificates);
    let path = folder.0.clone();
    served(certificates, move |port| {
        let run = |program: &str, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).current_dir(&path).output();
            // A machine without that client has not refused anything.
            output.map_or_else(
                |error| assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
                |output| {
                    let said = String::from_utf8_lossy(&output.stdout).into_owned()
                        + &String::from_utf8_lossy(&output.stderr);
                    assert!(output.status.success(), "{program} {arguments:?}: {said}");
                },
            );
        };
        for host in ["mail.example.test", "localhost", "tegami.local"] {
            let resolve = format!("{host}:{port}:127.0.0.1");
            for version in ["--tls-max", "--tlsv1.3"] {
                let version = if version == "--tls-max" { vec![version, "1.2"] } else { vec![version] };
                let url = format!("https://{host}:{port}/");
                let mut arguments =
                    vec!["-sS", "--max-time", "10", "--cacert", "ca.pem", "--resolve", &resolve];
                arguments.extend(version);
                arguments.push(&url);
                run("curl", &arguments);
            }
        }
        let python = format!(
            "import socket, ssl\n\
             context = ssl.create_default_context(cafile='ca.pem')\n\
             for name in ('mail.example.test', '127.0.0.1', 'localhost'):\n\
             \x20   with socket.create_connection(('127.0.0.1', {port}), 10) as raw:\n\
             \x20       with context.wrap_socket(raw, server_hostname=name) as tls:\n\
             \x20           tls.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n'); assert tls.recv(4096)\n"
        );
        run("python3", &["-c", &python]);
        let connect = format!("127.0.0.1:{port}");
        let arguments = [
            "s_client",
            "-connect",
            &connect,
            "-CAfile",
            "ca.pem",
            "-verify_return_error",
            "-verify_ip",
            "127.0.0.1",
        ];
        run("openssl", &arguments);
    });
}

#[test]
fn rustls_connects_and_resumes_without_memory_of_the_server() {
    let certificates = today();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from(certificates.authority().der)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    let kinds = served(certificates, move |port| {
        [(); 2].map(|()| {
            let name = ServerName::try_from("example.test").unwrap();
            let mut session = rustls::ClientConnection::new(Arc::clone(&config), name).unwrap();
            let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let mut stream = rustls::Stream::new(&mut session, &mut socket);
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            assert!(answer.ends_with(b"ok"));
            session.handshake_kind().unwrap()
        })
    });
    assert_eq!(kinds, [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed]);
}
