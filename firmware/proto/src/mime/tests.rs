//! Letters of all kinds through the scanner: known answers, and what must hold for any letter.

use alloc::{format, string::String, vec::Vec};

use super::{Scanner, Summary};

pub(super) fn scan_in(letter: &[u8], chunk: usize) -> Vec<u8> {
    let mut scanner = Scanner::new();
    letter.chunks(chunk).for_each(|bytes| scanner.feed(bytes));
    scanner.finish()
}

/// Scans whole and in pieces, and checks that it makes no difference.
pub(super) fn scan(letter: &[u8]) -> Vec<u8> {
    let whole = scan_in(letter, usize::MAX);
    for chunk in [1, 2, 3, 5, 64] {
        assert!(scan_in(letter, chunk) == whole, "in pieces of {chunk}: {}", String::from_utf8_lossy(letter));
    }
    whole
}

fn structure(letter: &str) -> String {
    let summary = scan(letter.as_bytes());
    String::from_utf8(Summary::read(&summary).unwrap().body_structure().to_vec()).unwrap()
}

/// What the range of a section number covers.
fn section<'a>(letter: &'a str, path: &[u32]) -> Option<(&'a str, &'a str)> {
    let summary = scan(letter.as_bytes());
    let part = Summary::read(&summary)?.part(path)?;
    let text = |range: core::ops::Range<u64>| &letter[range.start as usize..range.end as usize];
    Some((text(part.header), text(part.body)))
}

const MIXED: &str = "From: A <a@x.test>\r\nSubject: two parts\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=\"b 1\"\r\n\r\npreamble\r\n--b 1\r\n\r\nline one\r\nline two\r\n\
    --b 1\r\nContent-Type: Application/PDF; name=x.pdf\r\nContent-Transfer-Encoding: base64\r\n\
    Content-Disposition: attachment; filename=x.pdf\r\n\r\nAAAA\r\n\r\n--b 1--\r\nepilogue\r\n";

#[test]
fn a_multipart_lists_its_parts() {
    assert_eq!(
        structure(MIXED),
        "((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"us-ascii\") NIL NIL \"7BIT\" 18 1 NIL NIL NIL NIL)\
         (\"APPLICATION\" \"PDF\" (\"NAME\" \"x.pdf\") NIL NIL \"BASE64\" 6 NIL \
         (\"ATTACHMENT\" (\"FILENAME\" \"x.pdf\")) NIL NIL) \"MIXED\" (\"BOUNDARY\" \"b 1\") NIL NIL NIL)"
    );
    assert_eq!(section(MIXED, &[1]), Some(("\r\n", "line one\r\nline two")));
    assert_eq!(section(MIXED, &[2]).unwrap().1, "AAAA\r\n");
    assert_eq!(section(MIXED, &[3]), None);
    assert_eq!(section(MIXED, &[1, 1]), None);
    assert_eq!(section(MIXED, &[]).unwrap().1, MIXED);
}

#[test]
fn a_plain_letter_is_its_own_part_1() {
    let letter = "Subject: hi\r\n\r\none\r\ntwo\r\n";
    assert_eq!(
        structure(letter),
        "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"us-ascii\") NIL NIL \"7BIT\" 10 2 NIL NIL NIL NIL)"
    );
    assert_eq!(section(letter, &[1]), Some(("Subject: hi\r\n\r\n", "one\r\ntwo\r\n")));
    assert_eq!(section(letter, &[2]), None);
    assert_eq!(section(letter, &[1, 1]), None);
    assert_eq!(section(letter, &[0]), None);
}

#[test]
fn an_enclosed_letter_has_its_own_numbers() {
    let inner = "From: b@y.test\r\nSubject: inner\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n\
        --i\r\n\r\nplain\r\n--i\r\nContent-Type: text/html\r\n\r\n<p>\r\n--i--\r\n";
    let letter = format!(
        "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n\r\nsee below\r\n--o\r\n\
         Content-Type: message/rfc822\r\n\r\n{inner}\r\n--o\r\nContent-Type: message/rfc822\r\n\r\n\
         Subject: plain one\r\n\r\ntext\r\n--o--\r\n"
    );
    assert_eq!(section(&letter, &[2]).unwrap().1, inner);
    assert_eq!(section(&letter, &[2, 1]).unwrap().1, "plain");
    assert_eq!(section(&letter, &[2, 2]), Some(("Content-Type: text/html\r\n\r\n", "<p>")));
    assert_eq!(section(&letter, &[3, 1]), Some(("Subject: plain one\r\n\r\n", "text")));
    assert_eq!(section(&letter, &[3, 1, 1]), None);
    let summary = scan(letter.as_bytes());
    let message = Summary::read(&summary).unwrap().part(&[2]).unwrap().message.unwrap();
    let text = &letter[message.text.start as usize..message.text.end as usize];
    assert!(text.starts_with("--i\r\n") && text.ends_with("--i--\r\n"));
    assert!(structure(&letter).contains(
        "(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 26 (NIL \"plain one\" NIL NIL NIL NIL NIL NIL NIL NIL) \
         (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"us-ascii\") NIL NIL \"7BIT\" 4 0 NIL NIL NIL NIL) 2 NIL NIL NIL NIL)"
    ));
}

/// The structure of a letter with these header fields and a body of 12 bytes and two lines.
fn structure_of(fields: &str) -> String {
    structure(&format!("{fields}\r\n\r\nbody\r\nline\r\n"))
}

#[test]
fn content_fields_are_shown_as_they_stand() {
    for (fields, expected) in [
        (
            "Content-Type: TEXT/Html (c); CHARSET=UTF-8",
            r#"("TEXT" "HTML" ("CHARSET" "UTF-8") NIL NIL "7BIT" 12 2 NIL NIL NIL NIL)"#,
        ),
        (
            "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <1@x>\r\n\
             Content-Description: a picture\r\nContent-MD5: Q2hlY2s=",
            r#"("IMAGE" "PNG" NIL "<1@x>" "a picture" "BASE64" 12 "Q2hlY2s=" NIL NIL NIL)"#,
        ),
        (
            "Content-Type: a/b\r\nContent-Language: ja, en\r\nContent-Location: http://x.test/\r\n a",
            r#"("A" "B" NIL NIL NIL "7BIT" 12 NIL NIL ("ja" "en") "http://x.test/a")"#,
        ),
        (
            "Content-Type: a/b\r\nContent-Language: ja\r\nContent-Disposition: Inline",
            r#"("A" "B" NIL NIL NIL "7BIT" 12 NIL ("INLINE" NIL) "ja" NIL)"#,
        ),
        (
            "Content-Type: a/b\r\nContent-Disposition: filename=x.pdf",
            r#"("A" "B" NIL NIL NIL "7BIT" 12 NIL ("ATTACHMENT" ("FILENAME" "x.pdf")) NIL NIL)"#,
        ),
        // The first of each counts.
        (
            "Content-Type: a/b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: 8bit",
            r#"("A" "B" NIL NIL NIL "8BIT" 12 NIL NIL NIL NIL)"#,
        ),
        (
            "Content-Type: message/delivery-status",
            r#"("MESSAGE" "DELIVERY-STATUS" NIL NIL NIL "7BIT" 12 NIL NIL NIL NIL)"#,
        ),
        (
            "Content-Type: message/rfc822; name=a.eml\r\nContent-Transfer-Encoding: base64",
            r#"("APPLICATION" "OCTET-STREAM" ("NAME" "a.eml") NIL NIL "BASE64" 12 NIL NIL NIL NIL)"#,
        ),
    ] {
        assert_eq!(structure_of(fields), expected, "{fields}");
    }
}

#[test]
fn what_is_malformed_is_shown_as_text() {
    let text = r#"("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 12 2 NIL NIL NIL NIL)"#;
    for field in [
        "X: y",
        "Content-Type: text",
        "Content-Type:",
        "Content-Type: /",
        "Content-Type: multipart/mixed",
        "Content-Type: multipart/mixed; boundary=\"\"",
        "Content-Type: multipart/mixed; boundary=never",
    ] {
        assert_eq!(structure_of(field), text, "{field}");
    }
}

#[test]
fn eight_bit_names_go_as_literals() {
    assert!(structure_of("Content-Type: a/b; name=手紙.pdf").contains("(\"NAME\" {10}\r\n手紙.pdf)"));
}

#[test]
fn parts_of_a_digest_are_letters() {
    let letter = "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: one\r\n\r\ntext\r\n\
        --b\r\nContent-Type: text/plain\r\n\r\nno letter\r\n--b--\r\n";
    assert_eq!(section(letter, &[1]).unwrap().1, "Subject: one\r\n\r\ntext");
    assert_eq!(section(letter, &[1, 1]).unwrap().1, "text");
    assert_eq!(section(letter, &[2]).unwrap().1, "no letter");
    assert!(structure(letter).starts_with(
        r#"(("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 20 (NIL "one" NIL NIL NIL NIL NIL NIL NIL NIL) ("TEXT" "PLAIN""#
    ));
}

#[test]
fn delimiters_stand_at_the_beginning_of_a_line_and_belong_to_it() {
    let letter = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none --b\r\n --b\r\n\r\n--b\t \r\n\
        Content-Type: text/html\r\n--b\r\n\r\n--b--\r\n--b\r\n\r\nbehind the end\r\n";
    // The CRLF before a delimiter is not the part's; one before that is.
    assert_eq!(section(letter, &[1]).unwrap().1, "one --b\r\n --b\r\n");
    // A header that a delimiter ends, and a part of nothing.
    assert_eq!(section(letter, &[2]), Some(("Content-Type: text/html", "")));
    assert_eq!(section(letter, &[3]), Some(("\r\n", "")));
    assert_eq!(section(letter, &[4]), None);
}

#[test]
fn lines_may_end_in_lf_alone() {
    let letter = "Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\ntwo\n--b--\n";
    assert_eq!(section(letter, &[1]), Some(("\n", "one\ntwo")));
    assert!(structure(letter).contains("\"7BIT\" 7 1 "));
}

#[test]
fn a_letter_cut_off_has_the_parts_that_are_there() {
    let whole = MIXED.split_once("AAAA").unwrap().0;
    assert_eq!(section(whole, &[2]).unwrap().1, "");
    assert_eq!(section(whole.trim_end_matches("\r\n"), &[2]).unwrap().1, "");
    assert_eq!(section("Subject: only a header", &[1]), Some(("Subject: only a header", "")));
    assert_eq!(section("", &[1]), Some(("", "")));
}

#[test]
fn the_envelope_is_the_letters_own() {
    let summary = scan(MIXED.as_bytes());
    let summary = Summary::read(&summary).unwrap();
    let from = r#"(("A" NIL "a" "x.test"))"#;
    assert_eq!(
        core::str::from_utf8(summary.envelope()),
        Ok(format!(r#"(NIL "two parts" {from} {from} {from} NIL NIL NIL NIL NIL)"#).as_str())
    );
    assert!(summary.envelope_is_whole());
    assert_eq!((summary.size(), summary.header_len()), (MIXED.len() as u64, 108));
    assert_eq!((summary.preview(), summary.sent()), ("line one line two", None));
    let many = format!("To: {}\r\n\r\n", "someone@example.test, ".repeat(1000));
    assert!(!Summary::read(&scan(many.as_bytes())).unwrap().envelope_is_whole());
}

#[test]
fn what_is_no_summary_reads_as_none() {
    let summary = scan(MIXED.as_bytes());
    assert!(Summary::read(&[]).is_none() && Summary::read(&summary[..40]).is_none());
    let other_version = [&[summary[0] + 1], &summary[1..]].concat();
    assert!(Summary::read(&other_version).is_none());
}
