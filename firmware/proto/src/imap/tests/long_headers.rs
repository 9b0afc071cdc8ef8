//! Letters to hundreds and thousands of recipients: ENVELOPE and header fields are whole, whatever a summary has room for.

use super::*;
use crate::limits::OUTPUT_BYTES_SOFT_MAX;

/// A letter to so many, with an enclosed letter to as many.
fn round_robin(count: usize) -> Vec<u8> {
    let to = (0..count).map(|number| format!("Person {number} <person-{number}@example.test>"));
    let to = to.collect::<Vec<_>>().join(",\r\n ");
    format!(
        "From: Bob <bob@example.test>\r\nTo: {to}\r\nCc: carol@elsewhere.test\r\nSubject: to all\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"cut\"\r\nMessage-ID: <9@example.test>\r\n\r\n\
         --cut\r\nContent-Type: text/plain\r\n\r\nHello\r\n\
         --cut\r\nContent-Type: message/rfc822\r\n\r\nSubject: inside\r\nTo: {to}\r\n\r\nInner\r\n--cut--\r\n"
    )
    .into_bytes()
}

fn with(letter: &[u8]) -> Driver<ImapSession> {
    let mut mail = FakeMail::new();
    let mailbox = mail.mailbox_of(ALICE, "INBOX");
    deliver(&mut mail, mailbox, Flags::NONE, letter);
    inbox(mail)
}

fn envelope(count: usize) -> String {
    let one = |number| format!("(\"Person {number}\" NIL \"person-{number}\" \"example.test\")");
    let (from, to) = (r#"(("Bob" NIL "bob" "example.test"))"#, (0..count).map(one).collect::<String>());
    format!(
        r#"(NIL "to all" {from} {from} {from} ({to}) ((NIL NIL "carol" "elsewhere.test")) NIL NIL "<9@example.test>")"#
    )
}

#[test]
fn an_envelope_names_every_recipient() {
    for count in [100, 500, 5_000] {
        let mut driver = with(&round_robin(count));
        driver.mail.cold = 3;
        let said = say(&mut driver, "a FETCH 1 ENVELOPE");
        assert!(
            said == format!("* 1 FETCH (ENVELOPE {})\r\na OK That is all\r\n", envelope(count)),
            "{count}"
        );
        let said = say(&mut driver, "a FETCH 1 (UID ENVELOPE BODY.PEEK[1] RFC822.SIZE)");
        let size = round_robin(count).len();
        assert!(said.starts_with(&format!("* 1 FETCH (UID 1 RFC822.SIZE {size} ")), "{count}");
        assert!(said.contains(&format!("ENVELOPE {}", envelope(count))));
        assert!(said.contains("BODY[1] {5}\r\nHello") && said.ends_with(")\r\na OK That is all\r\n"));
        assert!(driver.pending_output_max <= 2 * OUTPUT_BYTES_SOFT_MAX, "{}", driver.pending_output_max);
    }
}

/// What remains: the ENVELOPE of an enclosed letter, which is part of BODYSTRUCTURE, shows as many of its recipients as
/// `mime::limits::RECIPIENTS_BYTES_MAX` has room for, or none when the letter's own have used the summary up.
#[test]
fn a_structure_is_whole_but_for_the_recipients_of_enclosed_letters() {
    for count in [100, 500, 5_000] {
        let mut driver = with(&round_robin(count));
        let said = say(&mut driver, "a FETCH 1 BODYSTRUCTURE");
        let part = r#""MESSAGE" "RFC822" NIL NIL NIL "7BIT" "#;
        let (before, inside) = said.split_once(part).unwrap();
        assert!(before.contains(r#"(("TEXT" "PLAIN" NIL"#), "{before}");
        let shown = inside.matches("(\"Person ").count();
        assert!(shown == count || (150..200).contains(&shown), "{shown} of {count}");
        assert!(
            inside.contains("\"inside\"") && inside.contains("\"MIXED\" (\"BOUNDARY\" \"cut\")"),
            "{said}"
        );
        let said = say(&mut driver, "a FETCH 1 BODY.PEEK[2.HEADER.FIELDS (Subject)]");
        assert!(said.contains("{19}\r\nSubject: inside\r\n\r\n"), "{said}");
    }
}

#[test]
fn header_fields_of_any_length_are_whole() {
    let letter = round_robin(5_000);
    let text = String::from_utf8(letter.clone()).unwrap();
    let to = text.split_once("\r\nTo: ").unwrap().1.split_once("\r\nCc").unwrap().0;
    let expected = format!("To: {to}\r\nSubject: to all\r\n\r\n");
    let mut driver = with(&letter);
    driver.mail.cold = 2;
    let said = say(&mut driver, "a FETCH 1 BODY.PEEK[HEADER.FIELDS (subject to)]");
    assert!(
        said == format!(
            "* 1 FETCH (BODY[HEADER.FIELDS (subject to)] {{{}}}\r\n{expected})\r\na OK That is all\r\n",
            expected.len()
        )
    );
    for (from, len) in
        [(0, 10), (200_000, 300_000), (expected.len() - 1, 5), (expected.len(), 5), (9_999_999, 1)]
    {
        let said =
            say(&mut driver, &format!("a FETCH 1 BODY.PEEK[HEADER.FIELDS (subject to)]<{from}.{len}>"));
        let part = &expected[from.min(expected.len())..(from + len).min(expected.len())];
        let literal = if part.is_empty() { "\"\"".into() } else { format!("{{{}}}\r\n{part}", part.len()) };
        let said = said.strip_prefix("* 1 FETCH (BODY[HEADER.FIELDS (subject to)]").unwrap();
        assert!(said == format!("<{from}> {literal})\r\na OK That is all\r\n"), "{from}");
    }
    let said = say(
        &mut driver,
        "a FETCH 1 (BODY.PEEK[HEADER.FIELDS.NOT (To)] BODY.PEEK[2.HEADER.FIELDS (Subject)])",
    );
    assert!(said.starts_with("* 1 FETCH (BODY[HEADER.FIELDS.NOT (To)] {"), "{said}");
    assert!(
        said.contains("}\r\nFrom: Bob <bob@example.test>\r\nCc: carol@elsewhere.test\r\nSubject: to all")
    );
    assert!(said.contains("BODY[2.HEADER.FIELDS (Subject)] {19}\r\nSubject: inside\r\n\r\n)\r\n"), "{said}");
    assert!(driver.pending_output_max <= 2 * OUTPUT_BYTES_SOFT_MAX, "{}", driver.pending_output_max);
}

#[test]
fn damage_in_a_long_header_is_told() {
    let mut driver = with(&round_robin(5_000));
    driver.mail.damaged_from = Some(100_000);
    let said = say(&mut driver, "a FETCH 1 (ENVELOPE BODY.PEEK[HEADER.FIELDS (Subject)])");
    // What could not be read is not there; what is sent is sound, and the client is told.
    assert!(said.contains("(\"Person 9\" ") && !said.contains("(\"Person 4999\" "));
    assert!(
        said.contains(")) NIL NIL NIL NIL) BODY[HEADER.FIELDS (Subject)] NIL)\r\na NO [CORRUPTION]"),
        "{said}"
    );
    assert!(!driver.is_closed());
}
