//! What holds whatever others say: the structure stays what it is, and the report within its promises.

use alloc::{string::String, vec::Vec};

use proptest::{collection, prelude::*, sample};

use super::{
    Address, Cause, Form, GIVEN_UP, Language, Outcome, Recipient, Remote, Returned, UnixTime, address,
    compose, letter, read, report,
};
use crate::{mime::header, report::limits::PIECE_BYTES_MAX};

/// Addresses that others have: dots where none may be, quotes, UTF-8, the longest.
fn addresses() -> Vec<Address> {
    let long = alloc::format!("{}@{}.test", "a".repeat(64), "b".repeat(184));
    let wide = alloc::format!("{}@{}", "\u{624b}".repeat(21), "\u{7d19}".repeat(63));
    let all = [
        "bob@peer.test",
        "a..b@carrier.test",
        "a.@carrier.test",
        "\"a  b\"@peer.test",
        "\"<x>, (y) @ z;\\\\\\\"\"@peer.test",
        "\u{624b}\u{7d19}@\u{4f8b}\u{3048}.test",
        "\u{202e}\u{2028}@peer.test",
        "--=_guessed--@peer.test",
        "root@[IPv6:2001:db8::1]",
        &long,
        &wide,
    ];
    all.map(address).into()
}

/// What hostile servers and senders say.
const PIECES: [&[u8]; 22] = [
    b"550 5.7.1 ",
    b"no",
    b" ",
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"\r\n\r\n--=_guessed\r\nContent-Type: text/html\r\n\r\n<script>",
    b"\r\n--=_guessed--\r\n",
    b"\nBcc: everybody@example.test\r\n",
    b"\x1b[2J",
    b"\x1b$B",
    b"\xff\xfe",
    b"\xe3\x81",
    b"\x82\xa0",
    "\u{3042}\u{3044}".as_bytes(),
    "\u{202e}\u{2028}\u{85}".as_bytes(),
    b"=?utf-8?b?DQpCY2M6IHhAeQ==?=",
    b"+AA0ACg-",
    b"(((((\"\\",
    b"{0} {1}",
    b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
];

fn words() -> impl Strategy<Value = Vec<u8>> {
    collection::vec(sample::select(&PIECES[..]), 0..30).prop_map(|pieces| pieces.concat())
}

#[derive(Clone, Debug)]
struct Made {
    address: Address,
    orcpt: Option<String>,
    outcome: Outcome,
    name: String,
    reply: Vec<u8>,
}

fn made() -> impl Strategy<Value = Made> {
    let outcome = sample::select(
        &[
            Outcome::Failed(Cause::Refused),
            Outcome::Expired(Cause::NoAnswer),
            Outcome::Delayed { cause: Cause::Deferred, until: UnixTime(i64::MAX) },
            Outcome::Delivered,
        ][..],
    );
    let orcpt = "(rfc822|utf-8|x);([a-z@.]|\\+0A|\\+0D|\\\\x\\{A\\}|\\\\x\\{624B\\}|手|\\n){1,20}";
    let name = words().prop_map(|words| String::from_utf8_lossy(&words).into_owned());
    (sample::select(addresses()), proptest::option::of(orcpt), outcome, name, words())
        .prop_map(|(address, orcpt, outcome, name, reply)| Made { address, orcpt, outcome, name, reply })
}

const FORMS: [Form; 3] = [Form::SevenBit, Form::EightBit, Form::Binary];

const NAMES: [&[u8]; 5] = [b"Subject: ", b"Date: ", b"Message-ID: <", b"X: ", b""];

fn block() -> impl Strategy<Value = Vec<u8>> {
    let field = (sample::select(&NAMES[..]), words());
    collection::vec(field, 0..6).prop_map(|fields| {
        fields.iter().flat_map(|(name, words)| [name, &words[..], b"\r\n"].concat()).collect()
    })
}

/// Lines of at most 998 bytes, CR and LF only together, no NUL; ASCII if `ascii` (RFC 2045 §2.7 and §2.8).
fn check_bytes(bytes: &[u8], ascii: bool) {
    assert!(!bytes.contains(&0) && (!ascii || bytes.is_ascii()));
    let text = bytes.strip_suffix(b"\r\n").unwrap();
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        assert!(line.len() <= 998 && !line.contains(&b'\r'), "{}", String::from_utf8_lossy(line));
    }
    assert_eq!(
        text.iter().filter(|byte| **byte == b'\n').count(),
        text.windows(2).filter(|two| two == b"\r\n").count()
    );
}

const HEADER_FIELDS: [&[u8]; 10] = [
    b"From",
    b"To",
    b"Subject",
    b"Date",
    b"Message-ID",
    b"In-Reply-To",
    b"References",
    b"Auto-Submitted",
    b"MIME-Version",
    b"Content-Type",
];

const FIELDS: [&str; 12] = [
    "Original-Envelope-Id:",
    "Reporting-MTA:",
    "Arrival-Date:",
    "Original-Recipient:",
    "Final-Recipient:",
    "Action:",
    "Status:",
    "Remote-MTA:",
    "Diagnostic-Code:",
    "Last-Attempt-Date:",
    "Will-Retry-Until:",
    // A line that continues one of them.
    " ",
];

/// No field but ours, no group but one for each recipient.
fn check_status(status: &str, made: &[Made]) {
    assert_eq!(status.trim_end().split("\r\n\r\n").count(), made.len() + 1, "{status}");
    for line in status.split("\r\n").filter(|line| !line.is_empty()) {
        assert!(FIELDS.iter().any(|name| line.starts_with(name)), "{line}");
        assert!(!line.trim().is_empty() && !line.contains(char::is_control), "{line}");
    }
    for made in made {
        let kind = if made.address.as_str().is_ascii() { "rfc822" } else { "utf-8" };
        let line = alloc::format!("Final-Recipient: {kind}; {}", made.address);
        assert!(status.split("\r\n").any(|found| found == line), "{line}");
    }
}

proptest! {
    #[test]
    fn nobodys_words_break_a_report(
        made in collection::vec(made(), 1..5),
        block in block(),
        envid in proptest::option::of("([a-z]|\\+0A|\\+20|=|\\r\\n){0,20}"),
        sender in sample::select(addresses()),
        language in sample::select(&Language::ALL[..]),
    ) {
        let recipients: Vec<Recipient<'_>> = made.iter().map(|made| Recipient {
            address: &made.address,
            orcpt: made.orcpt.as_deref(),
            outcome: made.outcome,
            remote: Some(Remote { name: &made.name, reply: &made.reply }),
            last_attempt: Some(GIVEN_UP),
        }).collect();
        let mut report = report(&sender, language, &recipients);
        report.letter = letter(&block);
        report.letter.envid = envid.as_deref();
        let bytes = compose(&report, b"");
        prop_assert_eq!(report.form(), Form::SevenBit);
        check_bytes(&bytes, !report.needs_smtputf8());
        let back = read(&bytes);
        prop_assert_eq!(back.kinds.len(), 4);
        prop_assert_eq!(&back.kinds[0], "multipart/report");
        prop_assert!(back.kinds[2] == "message/delivery-status" || back.kinds[2] == "message/global-delivery-status");
        check_status(&back.status, &made);
        for field in header::fields(&bytes) {
            prop_assert!(HEADER_FIELDS.iter().any(|name| field.is(name)), "{field:?}");
        }
        prop_assert!(!back.text.replace("\r\n", "").contains(char::is_control));
        // Even if somebody knew the boundary: no line of theirs begins with it.
        report.unique = "guessed";
        let bytes = compose(&report, b"");
        let delimiters = bytes.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"--=_guessed"));
        prop_assert_eq!(delimiters.count(), 4);
    }

    /// Whatever goes back, it is the letter, in a part that says what it needs.
    #[test]
    fn a_whole_letter_comes_back_byte_for_byte(header in block(), body in words(), form in sample::select(&FORMS[..])) {
        let (sender, bob) = (address("hanako@example.test"), address("bob@peer.test"));
        let recipients = [super::recipient(&bob, Outcome::Failed(Cause::Refused))];
        let mut report = report(&sender, Language::Japanese, &recipients);
        report.letter = letter(&header);
        report.letter.returned = Returned::Whole(form);
        let before: Vec<u8> = report.before().collect::<Vec<_>>().concat();
        check_bytes(&before, true);
        let whole = compose(&report, &[&header[..], b"\r\n", &body].concat());
        prop_assert!(whole.starts_with(&before) && whole.ends_with(b"\r\n--=_0123456789abcdef--\r\n"));
        prop_assert!(report.form() >= form);
    }
}

/// All that others can make a report long with.
#[test]
fn no_piece_of_a_report_is_longer_than_its_limit() {
    let longest = address(&alloc::format!("{}@{}", "\u{1f4ee}".repeat(16), "\u{1f4ee}".repeat(47)));
    let (name, reply) = ("\u{1f4ee}".repeat(1_000), "\u{1f4ee}".repeat(1_000));
    let recipients = [Recipient {
        address: &longest,
        orcpt: Some("utf-8;x"),
        outcome: Outcome::Expired(Cause::Unwanted),
        remote: Some(Remote { name: &name, reply: reply.as_bytes() }),
        last_attempt: Some(GIVEN_UP),
    }; 1_000];
    let mut report = report(&longest, Language::Japanese, &recipients);
    let header = alloc::format!("Subject: {}\r\n", "\u{1f4ee}".repeat(4_000)).repeat(100);
    report.letter = letter(header.as_bytes());
    let longest_piece = report.before().map(|piece| piece.len()).max().unwrap();
    assert!((PIECE_BYTES_MAX / 2..=PIECE_BYTES_MAX).contains(&longest_piece), "{longest_piece}");
}
