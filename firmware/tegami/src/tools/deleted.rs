//! `tegami deleted`: what an account deleted and can still have back.

use std::path::Path;

use jiff::{Timestamp, tz::TimeZone};
use mail::{AccountId, UnixTime};
use proto::mime::{header, words};
use store::Deletion;

use super::{
    Outcome, Problem, accounts,
    flash::{Looked, look},
    limits::{DELETIONS_LISTED, TEXT_CHARACTERS_MAX},
    output::say,
    wording::{count, size},
};
use crate::provision::{key, timezone};

/// Lists it.
///
/// # Errors
/// A sentence, when there is no store to be read, or no such account.
pub(super) fn run(flash: &Path, account: &str) -> Result<Outcome, Problem> {
    let mut store = look(flash)?;
    let known = store.accounts().map(|account| (account.id, account.address));
    let (account, address) = accounts::find(known, account)?;
    let zone = zone(store.setting(key::TIMEZONE));
    let (mut found, mut bytes, mut below) = (0, 0, None);
    loop {
        let listed = store.deletions(account, below, DELETIONS_LISTED);
        for deletion in &listed.found {
            (found, bytes) = (found + 1, bytes + deletion.size);
            say(line(&mut store, account, deletion, &zone));
        }
        if listed.below.is_none() {
            break;
        }
        below = listed.below;
    }
    let messages = count(found, "deleted message", "deleted messages");
    say(format_args!("{messages} of {address} ({}) can be brought back", size(bytes)));
    Ok(Outcome::Good)
}

/// The time zone of the box that a flash belongs to, from its setting.
pub(super) fn zone(setting: Option<&[u8]>) -> TimeZone {
    let name = setting.and_then(timezone);
    name.and_then(|name| TimeZone::get(&name).ok()).unwrap_or(TimeZone::UTC)
}

fn line(store: &mut Looked, account: AccountId, deletion: &Deletion, zone: &TimeZone) -> String {
    let mailbox = deletion.mailbox.as_ref().map_or("?", |name| name.as_str());
    let gone = if deletion.gone { " (gone)" } else { "" };
    let (from, subject) = match store.deletion_record(account, deletion.number) {
        Ok(record) => (text(record.head, b"From"), text(record.head, b"Subject")),
        Err(_) => ("it is damaged".into(), String::new()),
    };
    format!(
        "{:>8}  {}  {:>9}  {}{gone}  {from}  {subject}",
        deletion.number,
        when(deletion.time, zone),
        size(deletion.size),
        printable(mailbox),
    )
}

pub(super) fn when(time: Option<UnixTime>, zone: &TimeZone) -> String {
    let time = time.and_then(|time| Timestamp::from_second(time.0).ok());
    let shown = time.map(|time| time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string());
    shown.unwrap_or_else(|| "time not known  ".into())
}

/// A header field as people read it.
fn text(head: &[u8], name: &[u8]) -> String {
    let field = header::find(head, name).map(|field| words::decode(&field.unfolded()));
    printable(field.unwrap_or_default().trim())
}

/// What came from the network goes to a terminal: no control characters.
pub(super) fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// No control characters, and no more than a line has room for.
fn printable(text: &str) -> String {
    let mut shown: String = harmless(text).chars().take(TEXT_CHARACTERS_MAX).collect();
    if text.chars().nth(TEXT_CHARACTERS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_shown_as_people_read_them() {
        let head = b"From: =?UTF-8?B?5omL57SZ?= <a@b.test>\r\nSubject: one\r\n two\x1b[2J\r\n\r\n";
        assert_eq!(text(head, b"from"), "手紙 <a@b.test>");
        assert_eq!(text(head, b"subject"), "one two[2J", "nothing that a terminal obeys");
        assert_eq!(text(head, b"to"), "");
        assert_eq!(printable("a\x1bb\r"), "a b ");
        assert_eq!(printable(&"x".repeat(100)).chars().count(), TEXT_CHARACTERS_MAX + 1);
    }

    #[test]
    fn times_are_those_of_the_box() {
        let tokyo = TimeZone::get("Asia/Tokyo").unwrap();
        assert_eq!(when(Some(UnixTime(1_700_000_000)), &tokyo), "2023-11-15 07:13");
        assert_eq!(when(None, &tokyo).len(), when(Some(UnixTime(0)), &tokyo).len());
    }
}
