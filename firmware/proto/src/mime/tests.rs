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
