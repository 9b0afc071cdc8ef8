//! The box is no open relay: what people have tried on others, on every port, with and without a log-in, against
//! aliases and a catch-all. Without a log-in nothing leads outside but what an alias of the box's own owner does.

use mail::{Mail as _, OUTBOUND};
use tokio::net::TcpStream;

use crate::{
    service::Service,
    testing::{Flash, PROVISION, Rig, block_on, say, until},
};

const ALIASES: &str = "[[alias]]\naddress = 'away@example.test'\nto = ['carol@elsewhere.test']\n";
const CATCH_ALL: &str = "[[alias]]\naddress = '@example.test'\nto = ['alice@example.test']\n";

/// Addresses that are outside, however they are written, and what a client says that logged in.
const OUTSIDE: [&str; 12] = [
    "victim@elsewhere.test",
    "VICTIM@ELSEWHERE.TEST",
    "@example.test:victim@elsewhere.test",
    "@example.test,@elsewhere.test:victim@other.test",
    "alice@example.test.elsewhere.test",
    "alice@example.test.",
    "alice@sub.example.test",
    "alice@[127.0.0.1]",
    "alice@[IPv6:::1]",
    "\"alice@example.test\"@elsewhere.test",
    "alice%example.test@elsewhere.test",
    "away@elsewhere.test",
];

/// Addresses in the box's domain that other servers have taken for others: here the catch-all's, or nobody's.
const HERE: [&str; 9] = [
    "victim%elsewhere.test@example.test",
    "elsewhere.test!victim@example.test",
    "\"victim@elsewhere.test\"@example.test",
    "\"victim%elsewhere.test\"@example.test",
    "victim%elsewhere.test@Example.TEST",
    "@elsewhere.test:victim%elsewhere.test@example.test",
    "away%elsewhere.test@example.test",
    "carol+elsewhere.test@example.test",
    "\"away\"@example.test",
];

/// What is no address at all.
const NOWHERE: [&str; 6] = [
    "victim@example.test@elsewhere.test",
    "victim@elsewhere.test@example.test",
    "victim",
    "@elsewhere.test",
    "victim@elsewhere.test> <alice@example.test",
    "",
];

const SENDERS: [&str; 6] = [
    "",
    "alice@example.test",
    "mallory@peer.test",
    "mallory%example.test@peer.test",
    "\"alice@example.test\"@peer.test",
    "@example.test:mallory@peer.test",
];

async fn rig(name: &str, more: &str) -> Rig {
    let file = [PROVISION, ALIASES.as_bytes(), more.as_bytes()].concat();
    let rig = Rig::start_with(Flash::new(name, Default::default()), &file).await;
    rig.serving.house.passwords_hashed().await;
    rig
}

async fn connect(rig: &Rig, service: Service) -> TcpStream {
    let mut stream = rig.connect(service).await;
    until(&mut stream, "220 ").await;
    say(&mut stream, "EHLO client.test\r\n", "250 ").await;
    stream
}

/// Names one recipient and, if it is taken, sends a letter. Says how the reply to RCPT began.
async fn attempt(rig: &Rig, sender: &str, recipient: &str) -> String {
    let mut stream = connect(rig, Service::Smtp).await;
    say(&mut stream, &format!("MAIL FROM:<{sender}>\r\n"), "250 2.1.0").await;
    let reply = say(&mut stream, &format!("RCPT TO:<{recipient}>\r\n"), "\r\n").await;
    if reply.starts_with("250") {
        say(&mut stream, "DATA\r\n", "354").await;
        say(&mut stream, "Subject: x\r\n.\r\n", "250 2.0.0").await;
    } else {
        say(&mut stream, "DATA\r\n", "554").await;
    }
    reply.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

fn queued(rig: &Rig) -> u64 {
    rig.serving.house.office.store().status(OUTBOUND).map_or(0, |queue| queue.messages.into())
}

#[test]
fn nothing_leads_outside_without_a_log_in() {
    block_on(async {
        for (name, catch_all) in [("relay", ""), ("relay-catch-all", CATCH_ALL)] {
            let rig = rig(name, catch_all).await;
            let here = if catch_all.is_empty() { "550 5.1.1" } else { "250 2.1.5" };
            for sender in SENDERS {
                for recipient in OUTSIDE {
                    assert_eq!(attempt(&rig, sender, recipient).await, "550 5.7.1", "{sender} {recipient}");
                }
                for recipient in HERE {
                    assert_eq!(attempt(&rig, sender, recipient).await, here, "{sender} {recipient}");
                }
                for recipient in NOWHERE {
                    let reply = attempt(&rig, sender, recipient).await;
                    assert!(reply.contains(" 5."), "{sender} {recipient}: {reply}");
                }
            }
            assert_eq!(queued(&rig), 0);
            let caught = if catch_all.is_empty() { 0 } else { SENDERS.len() * HERE.len() };
            assert_eq!(rig.headers("alice@example.test").await.len(), caught);
        }
    });
}

#[test]
fn nothing_at_all_goes_through_the_port_for_submission_without_a_log_in() {
    block_on(async {
        let rig = rig("relay-587", CATCH_ALL).await;
        for sender in SENDERS {
            let mut stream = connect(&rig, Service::Submission).await;
            say(&mut stream, &format!("MAIL FROM:<{sender}>\r\n"), "530 5.7.0").await;
            for recipient in OUTSIDE.iter().chain(&HERE) {
                say(&mut stream, &format!("RCPT TO:<{recipient}>\r\n"), "503 5.5.1").await;
            }
            say(&mut stream, "DATA\r\n", "503 5.5.1").await;
        }
        assert_eq!(queued(&rig), 0);
    });
}

#[test]
fn after_a_log_in_what_is_outside_is_outside_and_what_is_here_stays_here() {
    block_on(async {
        let rig = rig("relay-login", "").await;
        let mut stream = connect(&rig, Service::Submission).await;
        say(&mut stream, "AUTH PLAIN AGFsaWNlAHBlbmNpbCBwZW5jaWw=\r\n", "235 ").await;
        // Nobody sends as somebody else, and so not as somebody outside either.
        for sender in ["mallory@peer.test", "bob@example.test", "\"alice@example.test\"@peer.test"] {
            say(&mut stream, &format!("MAIL FROM:<{sender}>\r\n"), "553 5.7.1").await;
        }
        say(&mut stream, "MAIL FROM:<alice@example.test>\r\n", "250 2.1.0").await;
        for (recipients, reply) in [(&OUTSIDE[..], "250 2.1.5"), (&HERE, "550 5.1.1"), (&NOWHERE, " 5.")] {
            for recipient in recipients {
                say(&mut stream, &format!("RCPT TO:<{recipient}>\r\n"), reply).await;
            }
        }
        say(&mut stream, "RSET\r\n", "250 2.0.0").await;
        assert_eq!(queued(&rig), 0);
    });
}

#[test]
fn what_an_alias_leads_to_is_forwarded_for_everybody() {
    block_on(async {
        let rig = rig("relay-alias", CATCH_ALL).await;
        for recipient in ["away@example.test", "AWAY+x@Example.test", "@peer.test:away@example.test"] {
            let mut stream = connect(&rig, Service::Smtp).await;
            say(&mut stream, "MAIL FROM:<mallory@peer.test>\r\n", "250 2.1.0").await;
            say(&mut stream, &format!("RCPT TO:<{recipient}>\r\n"), "250 2.1.5").await;
        }
    });
}
