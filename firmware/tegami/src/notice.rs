//! Letters from the box to somebody who has a mailbox on it: composed in the owner's language and in English, and put into
//! the mailbox as any letter is.

use mail::{Draft, Flags, Letter, Mail as _, MailboxId, Now, Refusal, Stop};
use proto::mime::{Date, Scanner, encode};
use ring::rand::{SecureRandom, SystemRandom};

use crate::{house::House, language::Language, office::Office, provision::Settings};

/// What a letter is about.
pub(crate) trait Notice {
    /// One word, of which its Message-ID is made.
    const TOPIC: &'static str;

    /// Its subject.
    fn subject(&self, language: Language) -> String;

    /// Its text, line by line.
    fn lines(&self, language: Language) -> Vec<String>;
}

/// What stands around the text.
pub(crate) struct Envelope<'a> {
    pub(crate) hostname: &'a str,
    pub(crate) to: &'a str,
    pub(crate) language: Language,
    pub(crate) now: Now,
    /// Makes its Message-ID unlike any other.
    pub(crate) unique: &'a str,
}

/// The whole letter, as it is stored.
pub(crate) fn write<N: Notice>(notice: &N, envelope: &Envelope<'_>) -> String {
    let Envelope { hostname, to, language, now, unique } = envelope;
    let date = Date { time: now.unix, zone_minutes: zone_minutes(*now) };
    let subject = encode::words(&notice.subject(*language));
    let body = |language: &Language| -> String {
        notice.lines(*language).iter().flat_map(|line| [line.as_str(), "\r\n"]).collect()
    };
    let parts: Vec<String> = language.then_english().iter().map(body).collect();
    format!(
        "Return-Path: <>\r\n\
         From: Tegami <MAILER-DAEMON@{hostname}>\r\n\
         To: <{to}>\r\n\
         Subject: {subject}\r\n\
         Date: {date}\r\n\
         Message-ID: <{}.{unique}@{hostname}>\r\n\
         Auto-Submitted: auto-generated\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 8bit\r\n\
         \r\n\
         {}",
        N::TOPIC,
        parts.join("\r\n----------\r\n\r\n")
    )
}

/// Puts a letter, flagged, into a mailbox whose owner has the address `to`; returns when it is durable.
///
/// # Errors
/// Those of a delivery: the mailbox or the flash has no room for it.
pub(crate) async fn deliver<N: Notice>(
    house: &House,
    notice: &N,
    (mailbox, to): (MailboxId, &str),
) -> Result<(), Refusal> {
    let office = house.office.as_ref();
    let language = Settings::load(office).language.unwrap_or_default();
    let (hostname, now, unique) = (house.hostname(), office.now(), unique());
    let envelope = Envelope { hostname: &hostname, to, language, now, unique: &unique };
    let text = write(notice, &envelope);
    let mut scanner = Scanner::new();
    scanner.feed(text.as_bytes());
    let summary = scanner.finish();
    let draft = begin(office, mailbox, text.len() as u64)?;
    stream(office, &draft, text.as_bytes()).await?;
    let ticket = loop {
        let letter = Letter { received: now.unix, zone_minutes: zone_minutes(now), summary: &summary };
        let handed = office.store_mut().deposit(&draft, &letter);
        office.after_step();
        match handed {
            Ok(ticket) => break ticket,
            Err(Stop::Refused(refusal)) => return Err(refusal),
            Err(Stop::Busy) => office.flash_room().changed().await,
        }
    };
    office.durable(&ticket).await;
    ticket.result().unwrap_or(Err(Refusal::NotDurable)).map(|_| ())
}

fn begin(office: &Office, mailbox: MailboxId, size: u64) -> Result<Draft, Refusal> {
    let mut store = office.store_mut();
    let draft = store.draft(Some(size))?;
    store.add_mailbox(&draft, mailbox, Flags::FLAGGED)?;
    Ok(draft)
}

/// Appends all of `rest` to a letter, waiting for room.
///
/// # Errors
/// Those of [`mail::Mail::append`].
pub(crate) async fn stream(office: &Office, draft: &Draft, mut rest: &[u8]) -> Result<(), Refusal> {
    while !rest.is_empty() {
        let taken = office.store_mut().append(draft, rest);
        office.after_step();
        match taken {
            Ok(taken) if taken > 0 => rest = rest.get(taken..).unwrap_or_default(),
            Err(Stop::Refused(refusal)) => return Err(refusal),
            Ok(_) | Err(Stop::Busy) => office.flash_room().changed().await,
        }
    }
    Ok(())
}

/// The box's time zone in minutes east of UTC.
pub(crate) fn zone_minutes(now: Now) -> i16 {
    i16::try_from(now.utc_offset_s / 60).unwrap_or(0)
}

/// Digits that no other letter has.
pub(crate) fn unique() -> String {
    let mut bytes = [0; 12];
    // Without randomness there is no box; a letter with zeros in its name is still a letter.
    let _ = SystemRandom::new().fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
