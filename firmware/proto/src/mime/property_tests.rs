//! What must hold for any letter, however hostile: pieces make no difference, nothing panics, the summary is bounded
//! and well formed, parts lie inside the letter and nest.

use alloc::{format, string::String, vec, vec::Vec};
use core::ops::Range;

use imap_codec::{ResponseCodec, decode::Decoder};
use proptest::{collection, prelude::*, sample};

use super::{Part, Scanner, Summary, address, charset, limits, tests::scan_in, words};

/// Lines of which letters are put together: enough of the right ones that structures come about.
const LINES: [&str; 40] = [
    "",
    "",
    "",
    "--b",
    "--b",
    "--bb",
    "--c",
    "--b--",
    "--bb--",
    "--c--",
    "--",
    "---",
    "--d",
    "Content-Type: multipart/mixed; boundary=b",
    "Content-Type: multipart/alternative; boundary=\"bb\"",
    "Content-Type: multipart/digest; boundary=c",
    "Content-Type: multipart/mixed",
    "Content-Type: message/rfc822",
    "Content-Type: text/html; charset=\"shift_jis\"; name*0*=utf-8''%e6; name*1*=%89%8b",
    "Content-Type: image/png; name=\"\u{624b}\\\"x\"",
    "Content-Type: broken",
    "Content-Transfer-Encoding: base64",
    "Content-Transfer-Encoding: quoted-printable",
    "Content-Disposition: attachment; filename=x (y).pdf",
    "Content-Disposition: inline",
    "Content-Language: ja, en",
    "Content-Location: http://x.test/\0",
    "Content-ID: <1@x>",
    "Content-Description: \u{624b}\u{7d19}",
    "Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==",
    "From: A <a@x.test>, \"B\" <b@y.test>",
    "To: group: a@x.test, <@r1,@r2:b@y.test>;, \"open",
    "Subject: =?utf-8?B?5omL?=",
    "Subject: \"quotes\" and \\backslashes\\",
    "Date: Sat, 21 Nov 2026 09:55:06 +0900",
    "Message-ID: <x@y>",
    " continued",
    "text text text",
    "\u{624b}\u{7d19}",
    "5omL57SZ",
];

fn line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        12 => sample::select(&LINES[..]).prop_map(|line| line.as_bytes().to_vec()),
        1 => collection::vec(any::<u8>(), 0..40),
    ]
}

fn letter() -> impl Strategy<Value = Vec<u8>> {
    let end = prop_oneof![8 => Just(&b"\r\n"[..]), 1 => Just(&b"\n"[..]), 1 => Just(&b"\r"[..]), 1 => Just(&b""[..])];
    collection::vec((line(), end), 0..60).prop_map(|lines| {
        lines.iter().flat_map(|(line, end)| line.iter().chain(end.iter()).copied()).collect()
    })
}

/// The other implementation reads no deeper.
const OTHERS_DEPTH_MAX: usize = 7;

/// How deep lists are nested in an IMAP text; strings and literals are skipped.
fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest, mut at) = (0_usize, 0, 0);
    while let Some(byte) = text.get(at) {
        at += 1;
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b'"' => {
                while text[at] != b'"' {
                    at += if text[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'{' => {
                let end = at + text[at..].iter().position(|byte| *byte == b'}').unwrap();
                at = end + 3 + core::str::from_utf8(&text[at..end]).unwrap().parse::<usize>().unwrap();
            }
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    assert_eq!(depth, 0);
    deepest
}

/// Asks another implementation whether ENVELOPE, BODYSTRUCTURE and BODY are what IMAP says they are.
fn check_wire_format(summary: &Summary<'_>) {
    let mut body = Vec::new();
    summary.write_body(&mut body);
    for (item, text) in
        [("ENVELOPE", summary.envelope()), ("BODYSTRUCTURE", summary.body_structure()), ("BODY", &body)]
    {
        let response = [format!("* 1 FETCH ({item} ").as_bytes(), text, b")\r\n"].concat();
        if depth(text) > OTHERS_DEPTH_MAX {
            continue;
        }
        let parsed = ResponseCodec::default().decode(&response);
        let whole = parsed.is_ok_and(|(rest, _)| rest.is_empty());
        assert!(whole, "{}", String::from_utf8_lossy(&response));
    }
}

fn is_inside(inner: &Range<u64>, outer: &Range<u64>) -> bool {
    inner.start >= outer.start && inner.end <= outer.end && inner.start <= inner.end
}

/// Goes through all sections by number and checks that each lies in the one around it. Returns how many there are.
fn check_sections(summary: &Summary<'_>, path: &mut Vec<u32>, outer: &Range<u64>) -> usize {
    let mut count = 0;
    let mut end_of_last = outer.start;
    for number in 1.. {
        path.push(number);
        let part = summary.part(path);
        if let Some(part) = &part {
            assert!(is_inside(&part.body, outer) && part.header.start <= part.header.end);
            assert!(part.body.start >= end_of_last && part.header.end == part.body.start);
            end_of_last = part.body.end;
            if let Some(message) = &part.message {
                assert_eq!((message.header.start, message.text.end), (part.body.start, part.body.end));
                assert!(message.header.end == message.text.start);
            }
            // A letter's only part 1 may be itself; deeper it has none.
            count += 1 + if path.len() < 80 { check_sections(summary, path, &part.body) } else { 0 };
        }
        path.pop();
        if part.is_none() {
            return count;
        }
    }
    count
}

fn check(letter: &[u8]) -> Vec<u8> {
    let blob = scan_in(letter, usize::MAX);
    assert!(blob.len() <= mail::limits::SUMMARY_BYTES_MAX, "{}", blob.len());
    let summary = Summary::read(&blob).unwrap();
    assert_eq!(summary.size(), letter.len() as u64);
    assert!(summary.header_len() <= summary.size());
    assert!(summary.preview().chars().count() <= limits::PREVIEW_CHARS_MAX);
    check_wire_format(&summary);
    let whole = summary.part(&[]).unwrap();
    assert_eq!(whole.body, 0..letter.len() as u64);
    check_sections(&summary, &mut Vec::new(), &whole.message.unwrap().text);
    let listed: Vec<Part<'_>> = summary.parts().collect();
    assert!(!listed.is_empty() && listed.len() <= limits::PARTS_MAX);
    blob
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_letter_has_a_sound_summary(letter in letter(), cuts in collection::vec(1_usize..30, 1..20)) {
        let whole = check(&letter);
        let mut scanner = Scanner::new();
        let (mut rest, mut cuts) = (letter.as_slice(), cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
            scanner.feed(piece);
            rest = behind;
        }
        prop_assert!(scanner.finish() == whole);
        prop_assert!(scan_in(&letter, 1) == whole);
    }

    #[test]
    fn any_bytes_are_taken(bytes in collection::vec(any::<u8>(), 0..300)) {
        check(&bytes);
        let _ = words::decode(&bytes);
        let _ = words::parameter(&bytes, "name");
        let mut out = Vec::new();
        let _ = address::render(&bytes, &mut out, 100);
        for label in ["", "utf-8", "iso-2022-jp", "utf-7", "utf-16", "shift_jis"] {
            let _ = charset::decode_all(label, &bytes);
        }
        let _ = Summary::read(&bytes).map(|summary| summary.parts().count());
    }
}

/// Letters made to cost as much as they can.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let multipart = |n: usize| format!("Content-Type: multipart/mixed; boundary=b{n}x\r\n\r\n--b{n}x\r\n");
    let nested: String = (0..5_000).map(multipart).collect();
    let many = format!("{}{}", multipart(0), "\r\n\r\n--b0x\r\n".repeat(20_000));
    let full = "Content-Type: image/jpeg; name=\"a rather long file name.jpg\"\r\nContent-ID: <abc@def>\r\n\r\n--b0x\r\n";
    let letters = "Content-Type: message/rfc822\r\n\r\n";
    let digest = "Content-Type: multipart/digest; boundary=b0x\r\n\r\n--b0x\r\n";
    let wide =
        format!("\r\nSubject: {}\r\nTo: {}\r\n\r\n--b0x\r\n", "s".repeat(900), "a@b.test, ".repeat(300));
    let fields =
        ["Date", "Subject", "From", "Sender", "Reply-To", "To", "Cc", "Bcc", "In-Reply-To", "Message-ID"];
    let header: String =
        fields.iter().map(|field| format!("{field}: {}\r\n", "\"<x,".repeat(8_000))).collect();
    let names: String = (0..40).map(|n| format!("; name{n}=\"{}\"", "é".repeat(2_000))).collect();
    let long = "x".repeat(100);
    let typed = format!("Content-Type: {long}/{long}; charset={long}\r\n\r\n--b0x\r\n");
    vec![
        ("multiparts in multiparts", nested.into_bytes()),
        ("very many parts", many.into_bytes()),
        ("many parts with names", format!("{}{}", multipart(0), full.repeat(5_000)).into_bytes()),
        ("letters in letters", letters.repeat(5_000).into_bytes()),
        (
            "a digest of many letters",
            format!("{digest}{}", "\r\nSubject: x\r\n\r\ntext\r\n--b0x\r\n".repeat(5_000)).into(),
        ),
        ("a digest of letters with wide headers", format!("{digest}{}", wide.repeat(200)).into_bytes()),
        (
            "letters in letters in many parts",
            format!("{}{}", multipart(0), format!("{}--b0x\r\n", letters.repeat(9)).repeat(900)).into(),
        ),
        ("all fields too long", header.clone().into_bytes()),
        (
            "all fields too long, many parts",
            format!("{header}{}{}", multipart(0), full.repeat(900)).into_bytes(),
        ),
        (
            "parameters without end",
            format!("{}{}", multipart(0), format!("Content-Type: a/b{names}\r\n\r\n--b0x\r\n").repeat(9))
                .into(),
        ),
        ("long types", format!("{}{}", multipart(0), typed.repeat(900)).into_bytes()),
        ("a header without end", format!("Subject: {}", "x".repeat(1_000_000)).into_bytes()),
        ("nothing but dashes", format!("{}{}", multipart(0), "--\n".repeat(300_000)).into_bytes()),
        (
            "a very long boundary",
            format!("Content-Type: multipart/mixed; boundary={}\r\n\r\n", "b".repeat(5_000)).into(),
        ),
        ("nested comments", format!("From: {}a@b", "(".repeat(300_000)).into_bytes()),
    ]
}

#[test]
fn hostile_letters_cost_little_and_keep_their_form() {
    for (name, letter) in hostile() {
        let whole = check(&letter);
        assert!(scan_in(&letter, 1000) == whole, "{name}");
        assert!(scan_in(&letter, 7) == whole, "{name}");
    }
}

#[test]
fn what_stands_first_is_shown_best() {
    let named = "Content-Type: image/jpeg; name=x.jpg\r\n\r\n--b0x\r\n".repeat(1_000);
    let letter = format!("Content-Type: multipart/mixed; boundary=b0x\r\n\r\n--b0x\r\n{named}");
    let blob = check(letter.as_bytes());
    let text = String::from_utf8_lossy(Summary::read(&blob).unwrap().body_structure()).into_owned();
    let (all, with_names) = (text.matches("\"JPEG\"").count(), text.matches("x.jpg").count());
    assert!(all > with_names && with_names > 100 && all > 180, "{with_names} of {all}");
}
