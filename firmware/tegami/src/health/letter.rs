//! The letter to the box's owner: what is wrong with the flash and what to do, in the owner's language and in English.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{Timestamp, fmt::rfc2822, tz::Offset};
use mail::{Address, Draft, Flags, Letter, Mail as _, MailboxId, Refusal, Stop};
use proto::mime::Scanner;
use ring::rand::{SecureRandom, SystemRandom};
use store::DamagedLetter;

use super::{Complaint, Health};
use crate::{
    house::House,
    language::{Language, Text, fill},
    limits::HEALTH_LETTERS_LISTED,
    office::{MailStore, Office},
    provision::Settings,
};

/// The mailbox of whoever looks after the box: where mail for its postmaster goes, if that is kept here; otherwise the
/// INBOX of its first account, which is the one that claimed it. With the account's address.
pub(super) fn owner(store: &MailStore) -> Option<(MailboxId, String)> {
    let postmaster = store.domains().find_map(|domain| {
        let address = format!("postmaster@{domain}");
        let parsed = Address::parse(&address).ok()?;
        store.accounts().find(|account| store.may_send_as(account.id, &parsed))
    });
    let account = postmaster.or_else(|| store.accounts().next())?;
    Some((store.inbox(account.id)?, account.address.to_owned()))
}

/// What the letter is made of.
pub(super) struct Facts<'a> {
    pub(super) hostname: &'a str,
    pub(super) to: &'a str,
    pub(super) language: Language,
    pub(super) health: &'a Health,
    pub(super) complaints: &'a [Complaint],
    pub(super) letters: &'a [DamagedLetter],
    /// Seconds since 1970, and east of UTC.
    pub(super) time: (i64, i32),
    /// Makes its Message-ID unlike any other.
    pub(super) unique: &'a str,
}

/// The whole letter, as it is stored.
pub(super) fn write(facts: &Facts<'_>) -> String {
    let Facts { hostname, to, language, unique, .. } = facts;
    let (unix, offset) = facts.time;
    let offset = Offset::from_seconds(offset).unwrap_or(Offset::UTC);
    let date = Timestamp::from_second(unix).unwrap_or_default().to_zoned(offset.to_time_zone());
    let date = rfc2822::to_string(&date).unwrap_or_default();
    let subject = encoded(&fill(Text::HealthSubject.say(*language), &[hostname]));
    let languages: &[Language] = match language {
        Language::English => &[Language::English],
        Language::Japanese => &[Language::Japanese, Language::English],
    };
    let parts: Vec<String> = languages.iter().map(|language| body(facts, *language)).collect();
    format!(
        "Return-Path: <>\r\n\
         From: Tegami <MAILER-DAEMON@{hostname}>\r\n\
         To: <{to}>\r\n\
         Subject: {subject}\r\n\
         Date: {date}\r\n\
         Message-ID: <health.{unique}@{hostname}>\r\n\
         Auto-Submitted: auto-generated\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 8bit\r\n\
         \r\n\
         {}",
        parts.join("\r\n----------\r\n\r\n")
    )
}

fn body(facts: &Facts<'_>, language: Language) -> String {
    let mut lines = vec![fill(Text::HealthIntro.say(language), &[facts.hostname]), String::new()];
    for complaint in facts.complaints {
        lines.push(format!("* {}", facts.health.sentence(*complaint, language)));
        let listed = if *complaint == Complaint::Damage { HEALTH_LETTERS_LISTED } else { 0 };
        lines.extend(facts.letters.iter().take(listed).map(|letter| {
            let uid = letter.uid.0.to_string();
            let values = [letter.account.as_str(), &letter.mailbox, &uid];
            format!("  - {}", fill(Text::HealthLetter.say(language), &values))
        }));
    }
    lines.push(String::new());
    lines.push(fill(Text::HealthNext.say(language), &[facts.hostname]));
    lines.push(Text::HealthOnce.say(language).to_owned());
    lines.iter().flat_map(|line| [line.as_str(), "\r\n"]).collect()
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

/// Puts the letter into the owner's mailbox, as any letter; returns when it is durable.
pub(super) async fn deliver(
    house: &House,
    health: &Health,
    complaints: &[Complaint],
    (mailbox, to): (MailboxId, String),
) -> Result<(), Refusal> {
    let office = house.office.as_ref();
    let settings = Settings::load(office);
    let letters: Vec<DamagedLetter> = office.store().damaged_letters().cloned().collect();
    let now = office.now();
    let text = write(&Facts {
        hostname: &house.hostname(),
        to: &to,
        language: settings.language.unwrap_or_default(),
        health,
        complaints,
        letters: &letters,
        time: (now.unix.0, now.utc_offset_s),
        unique: &unique(),
    });
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
