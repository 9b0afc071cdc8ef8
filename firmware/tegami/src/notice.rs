//! Letters from the box to somebody who has a mailbox on it: composed in the owner's language and in English, and put into
//! the mailbox as any letter is.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{Timestamp, fmt::rfc2822, tz::Offset};
use mail::{Draft, Flags, Letter, Mail as _, MailboxId, Now, Refusal, Stop};
use proto::mime::Scanner;
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
    let offset = Offset::from_seconds(now.utc_offset_s).unwrap_or(Offset::UTC);
    let date = Timestamp::from_second(now.unix.0).unwrap_or_default().to_zoned(offset.to_time_zone());
    let date = rfc2822::to_string(&date).unwrap_or_default();
    let subject = encoded(&notice.subject(*language));
    let languages: &[Language] = match language {
        Language::English => &[Language::English],
        Language::Japanese => &[Language::Japanese, Language::English],
    };
    let body = |language: &Language| -> String {
        notice.lines(*language).iter().flat_map(|line| [line.as_str(), "\r\n"]).collect()
    };
    let parts: Vec<String> = languages.iter().map(body).collect();
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

/// A header text: as it is, or in encoded words of whole characters, one on each line, none of which is longer than 76
/// characters with the name of the field in front (RFC 2047 §2).
fn encoded(text: &str) -> String {
    /// Bytes that make 48 characters in base64, and 60 with what an encoded word has around them.
    const WORD_BYTES: usize = 36;
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut words = vec![String::new()];
    for character in text.chars() {
        match words.last_mut() {
            Some(word) if word.len() + character.len_utf8() <= WORD_BYTES => word.push(character),
            _ => words.push(character.into()),
        }
    }
    let words: Vec<_> = words.iter().map(|word| format!("=?UTF-8?B?{}?=", STANDARD.encode(word))).collect();
    words.join("\r\n ")
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
    let zone_minutes = i16::try_from(now.utc_offset_s / 60).unwrap_or(0);
    let ticket = loop {
        let letter = Letter { received: now.unix, zone_minutes, summary: &summary };
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

async fn stream(office: &Office, draft: &Draft, mut rest: &[u8]) -> Result<(), Refusal> {
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

/// Digits that no other letter has.
fn unique() -> String {
    let mut bytes = [0; 12];
    // Without randomness there is no box; a letter with zeros in its name is still a letter.
    let _ = SystemRandom::new().fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
