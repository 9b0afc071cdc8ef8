//! Tests of the sending session. Conversations are in `../transcripts`, one behaviour each: `C` is the session, `S` the
//! server, and besides what every transcript can say,
//!
//! ```text
//! -- job from=a@b.test to=c@d.test letter=a\r\n   A job is given (see `job`).
//! -- finish                                       There are no more.
//! -- lost reset                                   The connection is cut.
//! -- outcome 1 delivered 250 Ok | 2 left          The last job came to this.
//! -- ending Done                                  The connection ended so.
//! -- works                                        The session wants a job.
//! ```
//!
//! What a transcript cannot say is here: letters byte for byte, both of our sides together, and hostile servers.

mod attacks;
mod letters;
mod loops;
mod scram;

use alloc::{borrow::ToOwned, boxed::Box, format, rc::Rc, string::String, vec::Vec};

use mail::{Address, Flags, Mail, Uid};

use super::{
    Body, Config, Ending, Fate, Job, Notify, Outcome, Parameter, Reason, Recipient, Ret, SmtpClient, Tls,
};
use crate::{
    Login, Secret,
    testing::{Cast, Driver, FakeMail, NOW, Settings, Waiting, play_all_as, unescape},
};

fn config() -> Config {
    Config {
        hostname: "mail.example.test".to_owned(),
        tls: Tls::None,
        login: None,
        nonce: "rOprNGfwEbeRWgbNEkqO".to_owned(),
        trusted_path: false,
        require_tls: false,
    }
}

fn login(name: &str, password: &str) -> Login {
    Login { name: Secret::new(name.to_owned()), password: Secret::new(password.to_owned()) }
}

fn open(settings: &Settings) -> (SmtpClient, FakeMail) {
    let tls = [
        ("tls implicit", Tls::Implicit),
        ("tls required", Tls::Required),
        ("tls opportunistic", Tls::Opportunistic),
    ];
    let mut config = config();
    config.tls = tls.iter().find(|(word, _)| settings.has(word)).map_or(Tls::None, |(_, tls)| *tls);
    config.trusted_path = settings.has("trusted path");
    config.require_tls = settings.has("requiretls");
    if settings.has("login") {
        config.login = Some(login("box@provider.test", "secret"));
    }
    if settings.has("login of the RFC") {
        config.login = Some(login("user", "pencil"));
    }
    if settings.has("long login") {
        config.login = Some(login("box@provider.test", &"s".repeat(400)));
    }
    (SmtpClient::new(Rc::new(config), NOW), FakeMail::new())
}

fn driver(config: Config) -> Driver<SmtpClient> {
    Driver::new(SmtpClient::new(Rc::new(config), NOW), FakeMail::new())
}

/// A connection on which a server has announced `extensions` and the session wants work.
fn ready(extensions: &[&str]) -> Driver<SmtpClient> {
    let mut driver = driver(config());
    driver.send(b"220 mx.test ESMTP\r\n");
    let mut reply = String::from("250-mx.test\r\n");
    for extension in extensions {
        reply += &format!("250-{extension}\r\n");
    }
    driver.send((reply + "250 HELP\r\n").as_bytes());
    assert_eq!(driver.received(), b"EHLO mail.example.test\r\n");
    assert_eq!(driver.waiting, Waiting::Work);
    driver
}

/// A job with a letter of these bytes for `to`, numbered from 1 on.
fn job(mail: &mut FakeMail, to: &[&str], letter: &[u8]) -> Job {
    let inbox = mail.mailbox_of("alice@example.test", "INBOX");
    mail.deliver(inbox, Flags::NONE, letter, b"");
    let newest = Uid(mail.status(inbox).unwrap().uid_next.0 - 1);
    let recipient = |(index, address): (usize, &&str)| Recipient {
        number: index as u32 + 1,
        address: Address::parse(address).unwrap(),
        notify: None,
        orcpt: None,
    };
    Job {
        reverse_path: Some(Address::parse("alice@example.test").unwrap()),
        recipients: to.iter().enumerate().map(recipient).collect(),
        content: mail.open(inbox, newest).unwrap(),
        skip: 0,
        front: Vec::new(),
        body: Body::SevenBit,
        utf8: false,
        ret: None,
        envid: None,
        require_tls: false,
    }
}

/// Gives a job and lets the session begin it.
fn give(driver: &mut Driver<SmtpClient>, job: Job) {
    driver.session.give(Box::new(job)).unwrap();
    driver.run();
}

/// What the session came to: the outcome of the last job, and how the connection ended if it did.
fn result(driver: &mut Driver<SmtpClient>) -> (String, String) {
    let outcome = driver.session.take_outcome();
    (outcome.as_ref().map_or("none".to_owned(), said), ended(&driver.session))
}

fn said(outcome: &Outcome) -> String {
    let line = |(number, fate): &(u32, Fate)| match fate {
        Fate::Delivered(reply) => format!("{number} delivered {reply}"),
        Fate::Refused(reason) => format!("{number} refused {}", reason_said(reason)),
        Fate::Deferred(reason) => format!("{number} deferred {}", reason_said(reason)),
        Fate::Left => format!("{number} left"),
    };
    outcome.fates.iter().map(line).collect::<Vec<_>>().join(" | ")
}

fn reason_said(reason: &Reason) -> String {
    match reason {
        Reason::Remote { stage, reply } => format!("{stage:?} {reply}"),
        Reason::Own(own) => format!("{own:?}"),
        Reason::Ended(stage) => format!("ended {stage:?}"),
        Reason::Unknown => "unknown".to_owned(),
    }
}

fn ended(session: &SmtpClient) -> String {
    match session.ending() {
        None => "none".to_owned(),
        Some(Ending::Refused { stage, reply }) => format!("Refused {stage:?} {reply}"),
        Some(Ending::Breach { stage, breach }) => format!("Breach {stage:?} {breach:?}"),
        Some(Ending::Silence(stage)) => format!("Silence {stage:?}"),
        Some(Ending::Lost { stage, text }) => format!("Lost {stage:?} {text}"),
        Some(Ending::BrokenOff(own)) => format!("BrokenOff {own:?}"),
        Some(ending @ (Ending::Done | Ending::NoTls | Ending::NoLogin)) => format!("{ending:?}"),
    }
}

/// Does what a transcript says of jobs and endings.
fn direct(driver: &mut Driver<SmtpClient>, words: &str) -> bool {
    let (verb, rest) = words.split_once(' ').unwrap_or((words, ""));
    match verb {
        "job" => {
            let job = told(&mut driver.mail, rest);
            give(driver, job);
        }
        "finish" => {
            driver.session.finish();
            driver.run();
        }
        "lost" => {
            driver.session.lost(&[], rest);
            driver.waiting = Waiting::Closed;
        }
        "outcome" => assert_eq!(result(driver).0, rest),
        "ending" => assert_eq!(ended(&driver.session), rest),
        "works" => assert_eq!(driver.waiting, Waiting::Work),
        _ => return false,
    }
    true
}

/// A job in words: `from=`, `to=` with commas, `letter=` and `front=` with escapes, `skip=`, `body=8bit`, `utf8`,
/// `notify=`, `orcpt=`, `ret=`, `envid=`, `requiretls`.
fn told(mail: &mut FakeMail, words: &str) -> Job {
    let mut pairs = words.split(' ').map(|word| word.split_once('=').unwrap_or((word, "")));
    let value = |key: &str| pairs.clone().find(|(known, _)| *known == key).map(|(_, value)| value);
    let to: Vec<&str> = value("to").unwrap_or("bob@remote.test").split(',').collect();
    let mut job = job(mail, &to, &unescape(value("letter").unwrap_or("Subject:\\sx\\r\\n\\r\\nbody\\r\\n")));
    let parameter = |text: &str| Parameter::new(text).unwrap();
    if let Some(from) = value("from") {
        job.reverse_path = (from != "<>").then(|| Address::parse(from).unwrap());
    }
    for recipient in &mut job.recipients {
        recipient.notify = value("notify").map(|said| Notify {
            success: said.contains("success"),
            failure: said.contains("failure"),
            delay: said.contains("delay"),
        });
        recipient.orcpt = value("orcpt").map(parameter);
    }
    job.skip = value("skip").map_or(0, |skip| skip.parse().unwrap());
    job.front = unescape(value("front").unwrap_or_default());
    job.body = match value("body") {
        Some("8bit") => Body::EightBit,
        Some("binary") => Body::Binary,
        _ => Body::SevenBit,
    };
    job.ret = value("ret").map(|ret| if ret == "full" { Ret::Full } else { Ret::Headers });
    job.envid = value("envid").map(parameter);
    job.utf8 = value("utf8").is_some();
    job.require_tls = value("requiretls").is_some();
    for (key, _) in &mut pairs {
        let known = "from to letter front skip body utf8 notify orcpt ret envid requiretls";
        assert!(key.is_empty() || known.split(' ').any(|word| word == key), "what is {key}?");
    }
    job
}

#[test]
fn transcripts() {
    play_all_as(&Cast { says: 'C', direct }, "src/smtp/client/transcripts", open);
}
