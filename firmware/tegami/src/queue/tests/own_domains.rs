//! What the box vouches for, from one end of the route to the other: letters that begin here are signed, and those that
//! only pass through go on under an address of ours, to which reports come back.

use super::*;
use crate::{
    dkim::{DomainKeys, Record, records},
    provision::{Records as _, key},
    service::Service,
    testing::{dkim::verify, say},
};

/// More than the metadata holds of a letter's header.
const MANY: usize = 800;

impl Post {
    /// A box that has aliases which lead outside, and sends to a server that is played whatever is for two domains.
    async fn with_aliases(name: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Rc::default();
        tokio::task::spawn_local(play(listener, Rc::clone(&heard)));
        let mut provision = String::from_utf8(PROVISION.to_vec()).unwrap();
        for (alias, to) in [("away", "bob"), ("lost", "gone")] {
            provision += &format!("[[alias]]\naddress = '{alias}@example.test'\nto = ['{to}@peer.test']\n");
        }
        for domain in ["peer.test", "elsewhere.test"] {
            provision +=
                &format!("[[route]]\ndomain = '{domain}'\nhost = '127.0.0.1'\nport = {port}\ntls = 'none'\n");
        }
        let rig = Rig::start_with(Flash::new(&format!("post-{name}"), Duration::ZERO), provision.as_bytes());
        Self { rig: rig.await, heard }
    }

    /// The records of the domain's keys, once they are made.
    async fn records(&self) -> Vec<Record> {
        let made = async {
            loop {
                match self.rig.serving.house.office.setting(&key::dkim("example.test")) {
                    Some(value) => return DomainKeys::load(&value).unwrap(),
                    None => sleep(Duration::from_millis(5)).await,
                }
            }
        };
        let keys = timeout(Duration::from_secs(300), made).await.unwrap();
        records(keys.current()).unwrap().to_vec()
    }

    /// Gives a letter to port 25; what is said to RCPT.
    async fn arrive(&self, sender: &str, to: &str, letter: &str) -> String {
        let mut stream = self.rig.connect(Service::Smtp).await;
        until_said(&mut stream, "EHLO mx.elsewhere.test\r\n", "SMTPUTF8").await;
        say(&mut stream, &format!("MAIL FROM:<{sender}>\r\n"), "\r\n").await;
        let said = say(&mut stream, &format!("RCPT TO:<{to}>\r\n"), "\r\n").await;
        if said.starts_with("250") {
            say(&mut stream, "DATA\r\n", "354").await;
            say(&mut stream, &format!("{letter}.\r\n"), "250").await;
        }
        said
    }

    /// Submits a letter of alice's.
    async fn submit_by_smtp(&self, letter: &str) {
        self.rig.serving.house.passwords_hashed().await;
        let mut stream = self.rig.connect(Service::Submission).await;
        until_said(&mut stream, "EHLO [127.0.0.1]\r\n", "SMTPUTF8").await;
        // alice@example.test, pencil pencil
        let login = "AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdABwZW5jaWwgcGVuY2ls\r\n";
        say(&mut stream, login, "235").await;
        say(&mut stream, "MAIL FROM:<alice@example.test>\r\n", "250").await;
        say(&mut stream, "RCPT TO:<bob@peer.test>\r\n", "250").await;
        say(&mut stream, "DATA\r\n", "354").await;
        say(&mut stream, &format!("{letter}.\r\n"), "250").await;
    }

    /// The last of so many letters that the played server was given, and the reverse-path of that. Where nobody is to
    /// get one, an empty one comes (RFC 2920 §3.1).
    async fn heard(&self, count: usize) -> (String, String) {
        let look = async {
            loop {
                let letters = self.heard.borrow().letters.clone();
                match letters.into_iter().filter(|letter| !letter.is_empty()).nth(count - 1) {
                    Some(letter) => return letter,
                    None => sleep(Duration::from_millis(5)).await,
                }
            }
        };
        let letter = timeout(Duration::from_secs(20), look).await.unwrap();
        let heard = self.heard.borrow();
        let said = heard.envelopes.iter().rev().find(|line| line.starts_with("MAIL FROM:")).unwrap();
        (letter, said.split(['<', '>']).nth(1).unwrap().to_owned())
    }
}

/// Says something on a connection whose greeting was not read yet.
async fn until_said(stream: &mut TcpStream, line: &str, what: &str) {
    say(stream, "", "220 ").await;
    say(stream, line, what).await;
}

#[test]
fn letters_that_are_submitted_are_signed() {
    block_on(async {
        let post = Post::with_aliases("signed").await;
        let records = post.records().await;
        let body = "\r\nHow do  you do? \r\n 手紙\r\n\r\n\r\n";
        let to: String = (0..MANY).map(|number| format!(",\r\n\tuser{number}@peer.test")).collect();
        let letters = [
            format!("From: Alice <alice@example.test>\r\nSubject: hello\r\n{body}"),
            format!("From: alice@mail.example.test\r\nTo: bob@peer.test{to}\r\nSubject: to many\r\n{body}"),
            // Not one that we can answer for.
            format!("From: alice@elsewhere.test\r\nSubject: hello\r\n{body}"),
            format!("From: alice@example.test\r\nFrom: bob@peer.test\r\n{body}"),
        ];
        for (place, letter) in letters.iter().enumerate() {
            post.submit_by_smtp(letter).await;
            let (sent, path) = post.heard(place + 1).await;
            assert_eq!(path, "alice@example.test");
            let signatures = if place < 2 { 2 } else { 0 };
            assert_eq!(verify(&sent, "example.test", &records), Ok(signatures), "{place}");
            assert!(sent.ends_with(body) && !sent.contains("Return-Path"), "{place}");
        }
    });
}

#[test]
fn a_letter_that_passes_through_has_another_sender_and_reports_find_back_to_its_own() {
    block_on(async {
        let post = Post::with_aliases("passing").await;
        let letter = "From: carol@elsewhere.test\r\nSubject: hello\r\n\r\nHow do you do?\r\n";
        assert!(post.arrive("Carol@elsewhere.test", "away@example.test", letter).await.starts_with("250"));
        let (sent, path) = post.heard(1).await;
        assert!(!sent.contains("DKIM-Signature") && sent.ends_with(letter), "{sent}");
        assert!(path.starts_with("SRS0=") && path.ends_with("=elsewhere.test=Carol@example.test"), "{path}");

        // Nobody sends by it but whoever reports; nobody makes one up; nobody names another server.
        let report = "From: MAILER-DAEMON@peer.test\r\nSubject: failed\r\n\r\nIt did not arrive.\r\n";
        let forged = path.replacen("SRS0=", "SRS0=A", 1);
        for (sender, to, code) in [
            ("eve@elsewhere.test", path.as_str(), "550 5.1.1"),
            ("", forged.as_str(), "550 5.1.1"),
            ("", &path.replace("Carol", "victim"), "550 5.1.1"),
            ("", &path.replace("@example.test", "@elsewhere.test"), "550 5.7.1"),
            ("", "Carol@elsewhere.test", "550 5.7.1"),
        ] {
            let said = post.arrive(sender, to, report).await;
            assert!(said.starts_with(code), "{sender} to {to}: {said}");
        }
        let said = post.arrive("", &path.to_uppercase().replace("CAROL", "Carol"), report).await;
        assert!(said.starts_with("250"), "{said}");
        let (sent, sender) = post.heard(2).await;
        assert!(sent.ends_with(report) && sender.is_empty(), "{sender}: {sent}");
        let envelopes = post.heard.borrow().envelopes.clone();
        assert_eq!(envelopes.last().unwrap().to_lowercase(), "rcpt to:<carol@elsewhere.test>");
        assert!(envelopes.iter().all(|line| !line.contains("victim")), "{envelopes:?}");
        post.until(|queue| queue.is_empty()).await;
    });
}

#[test]
fn what_the_box_itself_reports_is_signed() {
    block_on(async {
        let post = Post::with_aliases("report").await;
        let records = post.records().await;
        let letter = "From: carol@elsewhere.test\r\nSubject: hello\r\n\r\nHow do you do?\r\n";
        assert!(post.arrive("carol@elsewhere.test", "lost@example.test", letter).await.starts_with("250"));
        let (report, sender) = post.heard(1).await;
        assert_eq!(sender, "");
        assert!(report.contains("From: Mail Delivery System <MAILER-DAEMON@mail.example.test>"), "{report}");
        assert_eq!(verify(&report, "example.test", &records), Ok(2), "{report}");
    });
}

#[test]
fn a_sender_of_ours_keeps_its_address_when_it_is_forwarded() {
    block_on(async {
        let post = Post::with_aliases("ours").await;
        let letter = "From: alice@example.test\r\n\r\nto myself, elsewhere\r\n";
        assert!(post.arrive("alice@example.test", "away@example.test", letter).await.starts_with("250"));
        assert_eq!(post.heard(1).await.1, "alice@example.test");
        let long = format!("{}@elsewhere.test", "a".repeat(60));
        assert!(post.arrive(&long, "away@example.test", letter).await.starts_with("250"));
        assert_eq!(post.heard(2).await.1, long, "there is no room for it in an address of ours");
    });
}
