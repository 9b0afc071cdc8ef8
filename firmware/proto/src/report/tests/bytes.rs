//! What reports are made of, byte for byte and as others read them.

use alloc::{format, string::String, vec::Vec};

use mail_parser::{MessageParser, MimeHeaders};

use super::{
    Cause, Form, GIVEN_UP, HEADER, Language, Outcome, Recipient, Returned, UnixTime, address, compose, field,
    letter, read, recipient, report,
};
use crate::mime::{Scanner, Summary};

const BOUNCE: &str = "From: Mail Delivery System <MAILER-DAEMON@mail.example.test>\r\n\
    To: <hanako@example.test>\r\n\
    Subject: Your mail could not be delivered\r\n\
    Date: Thu, 19 Nov 2026 15:23:01 +0900\r\n\
    Message-ID: <report.0123456789abcdef@mail.example.test>\r\n\
    In-Reply-To: <2@pc.example.test>\r\n\
    References: <2@pc.example.test>\r\n\
    Auto-Submitted: auto-replied\r\n\
    MIME-Version: 1.0\r\n\
    Content-Type: multipart/report; report-type=delivery-status;\r\n \
    boundary=\"=_0123456789abcdef\"\r\n\
    \r\n\
    --=_0123456789abcdef\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    \r\n\
    This is the mail server mail.example.test.\r\n\
    We are sorry: the following letter could not be delivered.\r\n\
    \r\n    \
    Subject: Lunch\r\n    \
    Date: Sat, 14 Nov 2026 06:23:01 +0000\r\n\
    \r\n\
    To: bob@peer.test\r\n    \
    The mail server mx.peer.test said: \"550 5.1.1 <bob@peer.test>: no such user here\"\r\n\
    There is no mailbox with this address.\r\n\
    Please look at the spelling of the address, above all before the @. If it is right, ask the recipient in another way \
    which address to use.\r\n\
    \r\n\
    Recipients of the letter who are not named here are not concerned by this notice.\r\n\
    \r\n\
    ----------\r\n\
    \r\n\
    For whoever helps with mail:\r\n    \
    bob@peer.test: failed, 5.1.1\r\n\
    \r\n\
    --=_0123456789abcdef\r\n\
    Content-Type: message/delivery-status\r\n\
    \r\n\
    Original-Envelope-Id: QQ 314159\r\n\
    Reporting-MTA: dns; mail.example.test\r\n\
    Arrival-Date: Sat, 14 Nov 2026 15:23:01 +0900\r\n\
    \r\n\
    Original-Recipient: rfc822; Bob+lunch@peer.test\r\n\
    Final-Recipient: rfc822; bob@peer.test\r\n\
    Action: failed\r\n\
    Status: 5.1.1\r\n\
    Remote-MTA: dns; mx.peer.test\r\n\
    Diagnostic-Code: smtp; 550 5.1.1 <bob@peer.test>: no such user here\r\n\
    Last-Attempt-Date: Thu, 19 Nov 2026 15:23:01 +0900\r\n\
    \r\n\
    --=_0123456789abcdef\r\n\
    Content-Type: text/rfc822-headers\r\n\
    \r\n\
    Subject: Lunch\r\n\
    Date: Sat, 14 Nov 2026 06:23:01 GMT\r\n\
    Message-ID: <2@pc.example.test>\r\n\
    \r\n\
    --=_0123456789abcdef--\r\n";

#[test]
fn a_bounce_is_this() {
    let (sender, bob) = (address("hanako@example.test"), address("bob@peer.test"));
    let mut failed = recipient(&bob, Outcome::Failed(Cause::NoSuchUser));
    failed.orcpt = Some("rfc822;Bob+2Blunch@peer.test");
    let recipients = [failed];
    let mut report = report(&sender, Language::English, &recipients);
    let header =
        b"Subject: Lunch\r\nDate: Sat, 14 Nov 2026 06:23:01 GMT\r\nMessage-ID: <2@pc.example.test>\r\n\r\nbody";
    report.letter = letter(header);
    report.letter.envid = Some("QQ+20314159");
    assert_eq!(String::from_utf8(compose(&report, b"")).unwrap(), BOUNCE);
    assert_eq!((report.form(), report.needs_smtputf8()), (Form::SevenBit, false));
}

#[test]
fn another_implementation_finds_every_field() {
    let sender = address("hanako@example.test");
    let addresses =
        ["bob@peer.test", "a..b@carrier.test", "\"a b\"@peer.test", "list@example.test"].map(address);
    let until = UnixTime(GIVEN_UP.0 + 60);
    let outcomes = [
        Outcome::Failed(Cause::Unwanted),
        Outcome::Delayed { cause: Cause::Greylisted, until },
        Outcome::Relayed,
        Outcome::Delivered,
    ];
    let mut recipients: Vec<Recipient<'_>> =
        addresses.iter().zip(outcomes).map(|(address, outcome)| recipient(address, outcome)).collect();
    recipients[1].remote = Some(super::Remote { name: "mx.carrier.test", reply: b"450 4.2.0 later\r\n" });
    recipients[3].remote = None;
    recipients[3].last_attempt = None;
    let bytes = compose(&report(&sender, Language::Japanese, &recipients), b"");
    let read = read(&bytes);
    assert_eq!(
        read.kinds,
        ["multipart/report", "text/plain", "message/delivery-status", "text/rfc822-headers"]
    );
    let about_letter = |name| field(&read.status, 0, name);
    assert_eq!(about_letter("Reporting-MTA").as_deref(), Some("dns; mail.example.test"));
    assert_eq!(about_letter("Arrival-Date").as_deref(), Some("Sat, 14 Nov 2026 15:23:01 +0900"));
    assert_eq!(about_letter("Original-Envelope-Id"), None);
    let attempt = Some("Thu, 19 Nov 2026 15:23:01 +0900");
    let said = Some("smtp; 550 5.1.1 <bob@peer.test>: no such user here");
    for (name, expected) in [
        (
            "Final-Recipient",
            [
                Some("rfc822; bob@peer.test"),
                Some("rfc822; a..b@carrier.test"),
                Some("rfc822; \"a b\"@peer.test"),
                Some("rfc822; list@example.test"),
            ],
        ),
        ("Action", [Some("failed"), Some("delayed"), Some("relayed"), Some("delivered")]),
        // Where only the other side knows why, its code counts.
        ("Status", [Some("5.1.1"), Some("4.2.0"), Some("2.1.9"), Some("2.1.5")]),
        (
            "Remote-MTA",
            [Some("dns; mx.peer.test"), Some("dns; mx.carrier.test"), Some("dns; mx.peer.test"), None],
        ),
        ("Diagnostic-Code", [said, Some("smtp; 450 4.2.0 later"), said, None]),
        ("Last-Attempt-Date", [attempt, attempt, attempt, None]),
        ("Will-Retry-Until", [None, Some("Thu, 19 Nov 2026 15:24:01 +0900"), None, None]),
        ("Original-Recipient", [None; 4]),
    ] {
        let found = [1, 2, 3, 4].map(|number| field(&read.status, number, name));
        assert_eq!(found.each_ref().map(Option::as_deref), expected, "{name}");
    }
    let block = HEADER.strip_suffix(b"\r\n").unwrap();
    assert_eq!(read.returned, block);
}

#[test]
fn the_header_marks_an_automatic_answer() {
    let (sender, bob) = (address("hanako@example.test"), address("bob@peer.test"));
    let recipients = [recipient(&bob, Outcome::Failed(Cause::NoSuchUser))];
    let bytes = compose(&report(&sender, Language::Japanese, &recipients), b"");
    let message = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(message.subject(), Some("メールをお届けできませんでした / Your mail could not be delivered"));
    let from = message.from().unwrap().first().unwrap();
    assert_eq!(from.name(), Some("Mail Delivery System"));
    assert_eq!(from.address(), Some("MAILER-DAEMON@mail.example.test"));
    assert_eq!(message.to().unwrap().first().unwrap().address(), Some("hanako@example.test"));
    assert_eq!(message.header_raw("Auto-Submitted").map(str::trim), Some("auto-replied"));
    assert_eq!(message.in_reply_to().as_text(), Some("1@pc.example.test"));
    assert_eq!(message.message_id(), Some("report.0123456789abcdef@mail.example.test"));
    assert_eq!(message.date().unwrap().to_timestamp(), GIVEN_UP.0);
    assert!(message.header_raw("Return-Path").is_none());
    let kind = message.parts[0].content_type().unwrap();
    assert_eq!(kind.attribute("report-type"), Some("delivery-status"));
}

#[test]
fn a_report_is_called_after_the_worst_that_happened() {
    let (sender, bob) = (address("hanako@example.test"), address("bob@peer.test"));
    let outcomes = [
        (Outcome::Delivered, "メールの配達についてのお知らせ / About the delivery of your mail"),
        (
            Outcome::Delayed { cause: Cause::NoAnswer, until: GIVEN_UP },
            "メールのお届けが遅れています / Your mail is delayed",
        ),
        (
            Outcome::Expired(Cause::NoAnswer),
            "メールをお届けできませんでした / Your mail could not be delivered",
        ),
    ];
    let mut recipients = Vec::new();
    for (outcome, subject) in outcomes {
        recipients.push(recipient(&bob, outcome));
        let bytes = compose(&report(&sender, Language::Japanese, &recipients), b"");
        assert_eq!(MessageParser::default().parse(&bytes).unwrap().subject(), Some(subject));
    }
}

#[test]
fn our_own_scanner_sees_the_same_structure() {
    let (sender, bob) = (address("hanako@example.test"), address("bob@peer.test"));
    let recipients = [recipient(&bob, Outcome::Failed(Cause::NoSuchUser))];
    let bytes = compose(&report(&sender, Language::Japanese, &recipients), b"");
    let mut scanner = Scanner::new();
    scanner.feed(&bytes);
    let summary = scanner.finish();
    let structure = String::from_utf8(Summary::read(&summary).unwrap().body_structure().to_vec()).unwrap();
    let report =
        "\"REPORT\" (\"REPORT-TYPE\" \"delivery-status\" \"BOUNDARY\" \"=_0123456789abcdef\") NIL NIL NIL)";
    assert!(structure.ends_with(report), "{structure}");
    let mut rest = structure.as_str();
    for part in [
        "((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"utf-8\") NIL NIL \"QUOTED-PRINTABLE\"",
        "(\"MESSAGE\" \"DELIVERY-STATUS\" NIL NIL NIL \"7BIT\"",
        "(\"TEXT\" \"RFC822-HEADERS\" NIL NIL NIL \"7BIT\"",
    ] {
        rest = rest.split_once(part).unwrap_or_else(|| panic!("{part} in {structure}")).1;
    }
}

/// The same letter in all the forms in which it can go back.
#[test]
fn a_letter_goes_back_as_it_is() {
    let (sender, bob) = (address("hanako@example.test"), address("bob@peer.test"));
    let recipients = [recipient(&bob, Outcome::Failed(Cause::NoSuchUser))];
    let mut report = report(&sender, Language::English, &recipients);
    let body = "\r\nbody: \u{624b}\u{7d19}\r\n".as_bytes();
    let wide: &[u8] = "Subject: \u{624b}\u{7d19}\r\n".as_bytes();
    for (header, form, needed, kind) in [
        (&b"Subject: x\r\n"[..], Form::SevenBit, Form::SevenBit, "message/rfc822"),
        (b"Subject: x\r\n", Form::EightBit, Form::EightBit, "message/rfc822"),
        (b"Subject: x\r\n", Form::Binary, Form::Binary, "message/rfc822"),
        (wide, Form::SevenBit, Form::EightBit, "message/global"),
        (wide, Form::Binary, Form::Binary, "message/global"),
        (b"Subject: \x8e\xe8\r\n", Form::SevenBit, Form::EightBit, "message/rfc822"),
    ] {
        report.letter = letter(header);
        report.letter.returned = Returned::Whole(form);
        assert_eq!(report.form(), needed);
        let original = [header, body].concat();
        let bytes = compose(&report, &original);
        let message = MessageParser::default().parse(&bytes).unwrap();
        assert_eq!(super::kind(&message, 3), kind);
        let enclosed = message.parts[3].message().unwrap();
        assert_eq!(enclosed.raw_message(), original);
        let encoding = match needed {
            Form::SevenBit => None,
            Form::EightBit => Some("8bit"),
            Form::Binary => Some("binary"),
        };
        for part in [0, 3] {
            assert_eq!(message.parts[part].content_transfer_encoding(), encoding, "part {part}");
        }
        report.letter.returned = Returned::Header;
        assert_eq!(report.form(), Form::SevenBit);
        assert!(compose(&report, b"").is_ascii());
    }
}

#[test]
fn a_header_that_is_not_ascii_goes_back_encoded() {
    let (sender, bob) = (address("hanako@example.test"), address("bob@peer.test"));
    let recipients = [recipient(&bob, Outcome::Failed(Cause::NoSuchUser))];
    let mut report = report(&sender, Language::English, &recipients);
    let long = format!("References: {}\r\n", "<1@x> ".repeat(500));
    for (header, kind) in [
        ("Subject: \u{624b}\u{7d19}\r\n".as_bytes(), "message/global-headers"),
        (b"Subject: \x8e\xe8\x8e\x86\r\n", "text/rfc822-headers"),
        (b"Subject: NUL \0 and a bare \r of CR\r\n", "text/rfc822-headers"),
        (long.as_bytes(), "text/rfc822-headers"),
    ] {
        report.letter = letter(header);
        let bytes = compose(&report, b"");
        assert!(bytes.is_ascii() && bytes.split(|byte| *byte == b'\n').all(|line| line.len() <= 999));
        let read = read(&bytes);
        assert_eq!(read.kinds[3], kind);
        // The other implementation shows text as Unicode.
        assert_eq!(read.returned, String::from_utf8_lossy(header).as_bytes());
    }
}

/// RFC 6533: a recipient whose address is not ASCII, and one whose original address was not.
#[test]
fn addresses_in_utf_8_make_the_other_kind_of_report() {
    let (sender, wide) =
        (address("\u{82b1}@example.test"), address("\u{624b}\u{7d19}@\u{4f8b}\u{3048}.test"));
    let plain = address("bob@peer.test");
    let mut recipients = [
        recipient(&wide, Outcome::Failed(Cause::AddressScript)),
        recipient(&plain, Outcome::Failed(Cause::AddressScript)),
    ];
    recipients[0].remote =
        Some(super::Remote { name: "mx.peer.test", reply: "550 5.6.7 \u{3060}\u{3081}".as_bytes() });
    recipients[1].orcpt = Some("utf-8;\\x{624B}@peer.test");
    let mut report = report(&sender, Language::English, &recipients);
    assert!(report.needs_smtputf8());
    let bytes = compose(&report, b"");
    let (header, body) = bytes.split_at(bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap());
    assert!(body.is_ascii() && !header.is_ascii());
    let read_back = read(&bytes);
    assert_eq!(read_back.kinds[2], "message/global-delivery-status");
    for (number, name, value) in [
        (1, "Final-Recipient: ", "utf-8; \u{624b}\u{7d19}@\u{4f8b}\u{3048}.test"),
        (1, "Diagnostic-Code: ", "smtp; 550 5.6.7 \u{3060}\u{3081}"),
        (2, "Original-Recipient: ", "utf-8; \u{624b}@peer.test"),
        (2, "Final-Recipient: ", "rfc822; bob@peer.test"),
    ] {
        let group = read_back.status.split("\r\n\r\n").nth(number).unwrap();
        assert!(group.lines().any(|line| line.strip_prefix(name) == Some(value)), "{name}{value} in {group}");
    }
    // Words alone do not make it so.
    let recipients = [Recipient { address: &plain, ..recipients[0] }];
    report.recipients = &recipients;
    let read_back = read(&compose(&report, b""));
    assert_eq!(read_back.kinds[2], "message/delivery-status");
    assert_eq!(field(&read_back.status, 1, "Diagnostic-Code").as_deref(), Some("smtp; 550 5.6.7 ??"));
    assert!(read_back.text.contains("\u{3060}\u{3081}"));
}

#[test]
fn only_so_much_of_a_header_goes_back() {
    let (sender, bob) = (address("hanako@example.test"), address("bob@peer.test"));
    let recipients = [recipient(&bob, Outcome::Failed(Cause::NoSuchUser))];
    let mut report = report(&sender, Language::English, &recipients);
    let many = format!("To: {}\r\nSubject: x\r\n\r\n", "a@peer.test,\r\n ".repeat(10_000));
    report.letter = letter(many.as_bytes());
    assert_eq!(read(&compose(&report, b"")).returned, b"Subject: x\r\n");
}
