//! Tests of log-ins by proof (SCRAM) the whole way: real connections, real TLS, every protocol, and a client of its own.

use std::{sync::Arc, time::Duration};

use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    pki_types::{CertificateDer, ServerName},
    version::{TLS12, TLS13},
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    service::Service,
    testing::{Flash, PROVISION, Rig, block_on, say, scram::Client, until},
};
use tokio::net::TcpStream;

const ALICE: &str = "alice@example.test";
const PASSWORD: &str = "pencil pencil";

/// How SASL stands in a protocol: the port, the command before the mechanism, what a challenge begins with, success, and
/// the reply to wrong credentials.
#[derive(Clone, Copy)]
struct Dialect {
    service: Service,
    command: &'static str,
    challenge: &'static str,
    success: &'static str,
    wrong: &'static str,
}

const SMTP: Dialect = Dialect {
    service: Service::Submissions,
    command: "AUTH",
    challenge: "334 ",
    success: "235 2.7.0 ",
    wrong: "535 5.7.8 Name or password is wrong",
};
const IMAP: Dialect = Dialect {
    service: Service::Imaps,
    command: "a AUTHENTICATE",
    challenge: "+ ",
    success: "a OK ",
    wrong: "a NO [AUTHENTICATIONFAILED] Name or password is wrong",
};
const POP3: Dialect = Dialect {
    service: Service::Pop3s,
    command: "AUTH",
    challenge: "+ ",
    success: "+OK ",
    wrong: "-ERR [AUTH] Wrong name or password",
};

const DIALECTS: [Dialect; 3] = [SMTP, IMAP, POP3];

/// A mail program's end of a connection.
struct Far {
    stream: BufReader<TlsStream<TcpStream>>,
    dialect: Dialect,
}

/// How a log-in may be disturbed on its way.
type Disturb = fn(String) -> String;

impl Far {
    async fn connect(rig: &Rig, dialect: Dialect) -> Self {
        Self::connect_with(rig, dialect, &TLS13).await
    }

    async fn connect_with(rig: &Rig, dialect: Dialect, version: &'static SupportedProtocolVersion) -> Self {
        let stream = rig.connect(dialect.service).await;
        let mut far = Self::shake_hands(rig, stream, dialect, version).await;
        far.line().await;
        far
    }

    async fn shake_hands(
        rig: &Rig,
        stream: TcpStream,
        dialect: Dialect,
        version: &'static SupportedProtocolVersion,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(rig.serving.house.certificates.authority().der)).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("mail.example.test").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        Self { stream: BufReader::new(stream), dialect }
    }

    /// `tls-exporter` of this connection (RFC 9266 §2).
    fn binding(&self) -> Vec<u8> {
        let (_, connection) = self.stream.get_ref().get_ref();
        let label = b"EXPORTER-Channel-Binding";
        connection.export_keying_material(vec![0; 32], label, Some(b"")).unwrap()
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = tokio::time::timeout(Duration::from_secs(10), self.stream.read_line(&mut line)).await;
        assert!(read.expect("an answer comes").unwrap() > 0, "the connection was closed");
        line.trim_end_matches("\r\n").to_owned()
    }

    async fn say(&mut self, line: &str) -> String {
        self.stream.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
        self.stream.flush().await.unwrap();
        self.line().await
    }

    /// What the server says that it can do, in one line; in SMTP this is also what must come first.
    async fn capabilities(&mut self) -> String {
        let (command, end) = match self.dialect.service {
            Service::Submissions => ("EHLO client.test", "250 "),
            Service::Imaps => ("c CAPABILITY", "c OK"),
            _ => ("CAPA", "."),
        };
        let mut said = self.say(command).await;
        let mut last = said.clone();
        while !last.starts_with(end) {
            last = self.line().await;
            said = format!("{said}\n{last}");
        }
        said
    }

    /// Begins a log-in; gives the challenge, or what was said instead.
    async fn begin(&mut self, mechanism: &str, client: &Client) -> Result<String, String> {
        let said = self.say(&format!("{} {mechanism} {}", self.dialect.command, client.first())).await;
        said.strip_prefix(self.dialect.challenge).map(str::to_owned).ok_or(said)
    }

    /// A whole log-in; gives what was said in the end.
    async fn log_in(&mut self, mechanism: &str, client: &Client, disturb: Disturb) -> String {
        let server_first = match self.begin(mechanism, client).await {
            Ok(challenge) => challenge,
            Err(said) => return said,
        };
        let (last, expected) = client.last(&server_first);
        let said = self.say(&disturb(last)).await;
        match said.strip_prefix(self.dialect.challenge) {
            Some(server_final) => {
                assert_eq!(server_final, expected, "the server has the keys");
                self.say("").await
            }
            None => said,
        }
    }

    /// Ends the session: a maildrop has one reader at a time.
    async fn leave(mut self) {
        self.say(if self.dialect.service == Service::Imaps { "z LOGOUT" } else { "QUIT" }).await;
    }

    fn bound(&self, client: Client) -> Client {
        Client { header: "p=tls-exporter,,".to_owned(), binding: self.binding(), ..client }
    }
}

fn undisturbed(message: String) -> String {
    message
}

/// Takes a message out of base64, changes it, and puts it back.
fn rewrite(message: &str, change: impl FnOnce(&str) -> String) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let text = String::from_utf8(STANDARD.decode(message).unwrap()).unwrap();
    STANDARD.encode(change(&text))
}

/// A box whose passwords have been hashed.
async fn rig(name: &str) -> Rig {
    let rig = Rig::start(Flash::new(name, Duration::ZERO)).await;
    rig.serving.house.passwords_hashed().await;
    rig
}

#[test]
fn everybody_can_log_in_by_proof_in_every_protocol() {
    block_on(async {
        let rig = rig("proofs").await;
        for dialect in DIALECTS {
            for name in [ALICE, "alice", "ALICE"] {
                let mut far = Far::connect(&rig, dialect).await;
                far.capabilities().await;
                let said = far.log_in("SCRAM-SHA-256", &Client::new(name, PASSWORD), undisturbed).await;
                assert!(said.starts_with(dialect.success), "{said}");
                far.leave().await;
                let mut far = Far::connect(&rig, dialect).await;
                far.capabilities().await;
                let bound = far.bound(Client::new(name, PASSWORD));
                let said = far.log_in("SCRAM-SHA-256-PLUS", &bound, undisturbed).await;
                assert!(said.starts_with(dialect.success), "{said}");
                far.leave().await;
            }
        }
    });
}

#[test]
fn mechanisms_are_announced_best_first_and_only_where_they_can_be_used() {
    block_on(async {
        let rig = rig("announced").await;
        let unbound = ["SCRAM-SHA-256 PLAIN LOGIN", "AUTH=SCRAM-SHA-256 AUTH=PLAIN AUTH=LOGIN"];
        for dialect in DIALECTS {
            let said = Far::connect(&rig, dialect).await.capabilities().await;
            let imap = dialect.service == Service::Imaps;
            let [words, listed] = unbound;
            let unbound = if imap { listed } else { words };
            let plus = if imap { "AUTH=SCRAM-SHA-256-PLUS " } else { "SCRAM-SHA-256-PLUS " };
            assert!(said.contains(&format!("{plus}{unbound}")), "{said}");
            let mut old = Far::connect_with(&rig, dialect, &TLS12).await;
            let said = old.capabilities().await;
            assert!(said.contains(unbound) && !said.contains("PLUS"), "{said}");
            // A client that could bind is right that the server cannot here.
            let client = Client { header: "y,,".to_owned(), ..Client::new(ALICE, PASSWORD) };
            let said = old.log_in("SCRAM-SHA-256", &client, undisturbed).await;
            assert!(said.starts_with(dialect.success), "{said}");
        }
    });
}

#[test]
fn a_connection_that_began_in_clear_can_be_bound_to() {
    block_on(async {
        let rig = rig("upgraded").await;
        let mut stream = rig.connect(Service::Submission).await;
        until(&mut stream, "220 ").await;
        let said = say(&mut stream, "EHLO client.test\r\n", "250 ").await;
        // Loopback is trusted in hosted mode; there is no TLS to bind to.
        assert!(said.contains("SCRAM-SHA-256 PLAIN") && !said.contains("PLUS"), "{said}");
        say(&mut stream, "STARTTLS\r\n", "220 ").await;
        let mut far = Far::shake_hands(&rig, stream, SMTP, &TLS13).await;
        let said = far.capabilities().await;
        assert!(said.contains("AUTH SCRAM-SHA-256-PLUS"), "{said}");
        let bound = far.bound(Client::new(ALICE, PASSWORD));
        let said = far.log_in("SCRAM-SHA-256-PLUS", &bound, undisturbed).await;
        assert!(said.starts_with(SMTP.success), "{said}");
    });
}

/// Somebody sits in between, with a connection to each side.
#[test]
fn a_log_in_bound_to_another_connection_is_refused() {
    block_on(async {
        let rig = rig("between").await;
        for dialect in DIALECTS {
            let theirs = Far::connect(&rig, dialect).await.binding();
            let mut far = Far::connect(&rig, dialect).await;
            far.capabilities().await;
            let bound = Client { binding: theirs, ..far.bound(Client::new(ALICE, PASSWORD)) };
            let said = far.log_in("SCRAM-SHA-256-PLUS", &bound, undisturbed).await;
            assert!(said.contains("not bound to this connection"), "{said}");
            // The mechanism taken out of the list.
            let fooled = Client { header: "y,,".to_owned(), ..Client::new(ALICE, PASSWORD) };
            let said = far.log_in("SCRAM-SHA-256", &fooled, undisturbed).await;
            assert!(said.contains("not bound to this connection"), "{said}");
            let other = Client { header: "p=tls-unique,,".to_owned(), ..Client::new(ALICE, PASSWORD) };
            let said = far.log_in("SCRAM-SHA-256-PLUS", &other, undisturbed).await;
            assert!(said.contains("tls-exporter"), "{said}");
        }
    });
}

#[test]
fn whatever_is_wrong_the_log_in_fails_and_the_next_may_succeed() {
    let cases: [(Client, Disturb); 5] = [
        (Client::new(ALICE, "pencil"), undisturbed),
        (Client::new("nobody@example.test", PASSWORD), undisturbed),
        (Client { header: "n,a=bob@example.test,".to_owned(), ..Client::new(ALICE, PASSWORD) }, undisturbed),
        (Client::new(ALICE, PASSWORD), |last| rewrite(&last, |text| text.replacen("r=fyko", "r=FYKO", 1))),
        (Client::new(ALICE, PASSWORD), |last| rewrite(&last, |text| text.replacen(",p=", ",x=more,p=", 1))),
    ];
    block_on(async {
        let rig = rig("wrong-proofs").await;
        for dialect in DIALECTS {
            // Two connections: each may fail so many times.
            let mut far = Far::connect(&rig, dialect).await;
            far.capabilities().await;
            for (index, (client, disturb)) in cases.iter().enumerate() {
                if index == 3 {
                    far = Far::connect(&rig, dialect).await;
                    far.capabilities().await;
                }
                let said = far.log_in("SCRAM-SHA-256", client, *disturb).await;
                assert_eq!(said, dialect.wrong, "case {index}");
            }
            let said = far.log_in("SCRAM-SHA-256", &Client::new(ALICE, PASSWORD), undisturbed).await;
            assert!(said.starts_with(dialect.success), "{said}");
        }
    });
}

#[test]
fn an_exchange_can_be_given_up_and_nonsense_ends_it() {
    block_on(async {
        let rig = rig("given-up").await;
        for dialect in DIALECTS {
            let mut far = Far::connect(&rig, dialect).await;
            far.capabilities().await;
            for nonsense in ["*".to_owned(), "!".to_owned(), "A".repeat(3_000)] {
                far.begin("SCRAM-SHA-256", &Client::new(ALICE, PASSWORD)).await.unwrap();
                let said = far.say(&nonsense).await;
                assert!(!said.starts_with(dialect.challenge) && !said.starts_with(dialect.success), "{said}");
            }
            let said = far.log_in("SCRAM-SHA-256", &Client::new(ALICE, PASSWORD), undisturbed).await;
            assert!(said.starts_with(dialect.success), "{said}");
        }
    });
}

/// A mail program takes the best mechanism that it is told of, and would tell its user that the password is wrong.
#[test]
fn scram_is_not_on_offer_while_somebody_has_no_keys() {
    block_on(async {
        let foreign = "[[account]]\naddress = 'bob@example.test'\npassword_hash = \
            '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4'\n";
        let provision = [PROVISION, foreign.as_bytes()].concat();
        let rig = Rig::start_with(Flash::new("foreign", Duration::ZERO), &provision).await;
        rig.serving.house.passwords_hashed().await;
        for dialect in DIALECTS {
            let mut far = Far::connect(&rig, dialect).await;
            let said = far.capabilities().await;
            assert!(said.contains("PLAIN") && !said.contains("SCRAM"), "{said}");
            let said = far.begin("SCRAM-SHA-256", &Client::new(ALICE, PASSWORD)).await.unwrap_err();
            assert!(said.contains("o such mechanism"), "{said}");
        }
    });
}

/// A salt that changed would tell a name that nobody has from an account.
#[test]
fn the_salt_of_a_name_that_nobody_has_outlasts_a_restart() {
    async fn salts(rig: &Rig) -> Vec<String> {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let mut salts = Vec::new();
        for name in [ALICE, "nobody@example.test", "nobody"] {
            let mut far = Far::connect(rig, IMAP).await;
            let challenge = far.begin("SCRAM-SHA-256", &Client::new(name, PASSWORD)).await.unwrap();
            let challenge = String::from_utf8(STANDARD.decode(challenge).unwrap()).unwrap();
            salts.push(challenge.split_once(",s=").unwrap().1.to_owned());
        }
        salts
    }
    let (flash, before) = block_on(async {
        let rig = rig("salts").await;
        let before = salts(&rig).await;
        rig.serving.close().await;
        (rig.flash, before)
    });
    assert!(before[0] != before[1] && before[1] == before[2], "{before:?}");
    block_on(async {
        let rig = Rig::start(flash).await;
        rig.serving.house.passwords_hashed().await;
        assert_eq!(salts(&rig).await, before);
    });
}
