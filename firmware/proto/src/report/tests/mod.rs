//! Reports of all kinds: composed, and read again by another implementation and by our own scanner.

mod bytes;
mod property;
mod sentences;

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use mail::{Address, Language, UnixTime};
use mail_parser::{Message, MessageParser, MimeHeaders};

use super::{Cause, Form, Letter, Outcome, Recipient, Remote, Report, Returned, Side};
use crate::mime::Date;

/// Sat, 14 Nov 2026 15:23:01 +0900.
const ARRIVED: UnixTime = UnixTime(1_794_637_381);

/// Five days later.
const GIVEN_UP: UnixTime = UnixTime(ARRIVED.0 + 5 * 86_400);

const HEADER: &[u8] =
    b"Received: from pc.example.test ([192.0.2.7])\r\n\tby mail.example.test (Tegami) with ESMTPSA id 1;\r\n\
    \tSat, 14 Nov 2026 15:23:01 +0900\r\nFrom: Hanako <hanako@example.test>\r\nTo: bob@peer.test\r\n\
    Subject: =?ISO-2022-JP?B?GyRCQkckQTlnJG8kOyRON28bKEI=?=\r\nDate: Sat, 14 Nov 2026 15:22:58 +0900\r\n\
    Message-ID: <1@pc.example.test>\r\n\r\n";

/// Every cause, and those that say more when more is known.
const CAUSES: [Cause; 24] = [
    Cause::NoSuchUser,
    Cause::NoSuchDomain,
    Cause::TakesNoMail,
    Cause::MailboxFull,
    Cause::TooLarge { side: Side::Theirs, size: None, limit: None },
    Cause::TooLarge { side: Side::Theirs, size: Some(31_457_281), limit: Some(26_214_400) },
    Cause::TooLarge { side: Side::Ours, size: Some(62_914_560), limit: None },
    Cause::Refused,
    Cause::Unwanted,
    Cause::Deferred,
    Cause::Greylisted,
    Cause::NoConnection,
    Cause::NoAnswer,
    Cause::NameTrouble,
    Cause::Loop,
    Cause::AddressScript,
    Cause::BodyForm,
    Cause::NoTls,
    Cause::NoRequireTls,
    Cause::WrongCertificate,
    Cause::LogInRefused,
    Cause::RelayRefused,
    Cause::Damaged,
    Cause::Cancelled,
];

const REMOTE: Remote<'static> =
    Remote { name: "mx.peer.test", reply: b"550 5.1.1 <bob@peer.test>: no such user here\r\n" };

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

const fn letter(header: &[u8]) -> Letter<'_> {
    Letter { header, envid: None, arrived: ARRIVED, returned: Returned::Header }
}

const fn recipient(address: &Address, outcome: Outcome) -> Recipient<'_> {
    Recipient { address, orcpt: None, outcome, remote: Some(REMOTE), last_attempt: Some(GIVEN_UP) }
}

fn report<'a>(sender: &'a Address, language: Language, recipients: &'a [Recipient<'a>]) -> Report<'a> {
    Report {
        hostname: "mail.example.test",
        to: sender,
        sender,
        language,
        date: Date { time: GIVEN_UP, zone_minutes: 540 },
        unique: "0123456789abcdef",
        letter: letter(HEADER),
        recipients,
    }
}

/// The whole report, with `original` where a letter goes back whole.
fn compose(report: &Report<'_>, original: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = report.before().collect::<Vec<_>>().concat();
    out.extend_from_slice(original);
    out.extend_from_slice(&report.behind());
    out
}

/// A report as another implementation reads it.
struct Read {
    /// Media types of the parts.
    kinds: Vec<String>,
    text: String,
    /// The part for mail programs, decoded.
    status: String,
    /// What goes back, decoded.
    returned: Vec<u8>,
}

fn kind(message: &Message<'_>, at: usize) -> String {
    let kind = message.parts[at].content_type().unwrap();
    alloc::format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default())
}

fn read(bytes: &[u8]) -> Read {
    let message = MessageParser::default().parse(bytes).unwrap();
    let kinds = (0..message.parts.len()).map(|at| kind(&message, at)).collect();
    let contents = |at: usize| message.parts[at].contents().to_vec();
    Read {
        kinds,
        text: message.parts[1].text_contents().unwrap().to_owned(),
        status: String::from_utf8(contents(2)).unwrap(),
        returned: contents(3),
    }
}

/// A field of the group `number` of the part for mail programs: 0 is about the letter, the others about recipients.
fn field(status: &str, number: usize, name: &str) -> Option<String> {
    let group = alloc::format!("{}\r\n\r\n", status.split("\r\n\r\n").nth(number)?);
    let parsed = MessageParser::default().parse_headers(group.as_bytes())?;
    let raw = parsed.header_raw(name)?;
    Some(raw.split("\r\n").collect::<Vec<_>>().concat().trim().to_owned())
}

/// The text for people about one recipient.
fn text(language: Language, outcome: Outcome) -> String {
    let (sender, bob) = (address("hanako@example.test"), address("bob@peer.test"));
    let recipients = [recipient(&bob, outcome)];
    read(&compose(&report(&sender, language, &recipients), b"")).text
}
