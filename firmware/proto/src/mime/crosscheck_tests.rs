//! Well-formed letters against what they were made of, and against another implementation, mail-parser.

use alloc::{
    boxed::Box,
    format,
    string::{String, ToString},
    vec::Vec,
};

use mail_parser::{Message as Parsed, MessageParser, MessagePart, MimeHeaders, PartType};
use proptest::{collection, prelude::*, sample};

use super::{Part, Summary, charset, decode::Decoder, tests::scan, words};

/// What a letter is made of.
#[derive(Clone, Debug)]
enum Made {
    Leaf { fields: String, body: Vec<u8> },
    Parts { subtype: &'static str, parts: Vec<Made> },
    Letter { fields: String, inside: Box<Made> },
}

/// Where a part lies: its header, its body.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Lies {
    header: (usize, usize),
    body: (usize, usize),
}

/// Writes `made` with the header of its own, notes where all parts lie, in order.
fn write(made: &Made, own_fields: &str, out: &mut Vec<u8>, lies: &mut Vec<Lies>) {
    let at = lies.len();
    let start = out.len();
    lies.push(Lies { header: (start, 0), body: (0, 0) });
    out.extend_from_slice(own_fields.as_bytes());
    match made {
        Made::Leaf { fields, body } => {
            out.extend_from_slice(format!("{fields}\r\n").as_bytes());
            lies[at].header.1 = out.len();
            out.extend_from_slice(body);
        }
        Made::Parts { subtype, parts } => {
            // A boundary inside can begin with the one around it: only the longest that fits is meant.
            let boundary = format!("bound{}", "x".repeat(at));
            let field = format!("Content-Type: multipart/{subtype};\r\n boundary=\"{boundary}\"\r\n\r\n");
            out.extend_from_slice(field.as_bytes());
            lies[at].header.1 = out.len();
            out.extend_from_slice(b"This is a multipart.\r\n");
            for part in parts {
                out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
                write(part, "", out, lies);
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(format!("--{boundary}--\r\nepilogue").as_bytes());
        }
        Made::Letter { fields, inside } => {
            out.extend_from_slice(b"Content-Type: message/rfc822\r\n\r\n");
            lies[at].header.1 = out.len();
            write(inside, fields, out, lies);
        }
    }
    lies[at].body = (lies[at].header.1, out.len());
}

/// Header fields of a part, and lines that may stand in it.
const LEAVES: [(&str, &[&str]); 7] = [
    ("", &["", "hello", "--", "--boun", ".", "----"]),
    ("Content-Type: text/plain; charset=utf-8\r\n", &["", "hello", "手紙", "--"]),
    (
        "Content-Type: Text/HTML; Charset=\"ISO-2022-JP\"\r\nContent-Transfer-Encoding: 7bit\r\n",
        &["", "\x1b$B<j;f\x1b(B", "<p>"],
    ),
    (
        "Content-Type: text/plain; charset=shift_jis\r\nContent-Transfer-Encoding: BASE64\r\n",
        &["g3SDQINDg4uB", "g3SDQINDg4uBaGVsbG8h"],
    ),
    (
        "Content-Type: application/pdf; name=\"x y.pdf\"\r\nContent-Transfer-Encoding: base64\r\n",
        &["AAAA", "", "JVBERi0xLjQ="],
    ),
    (
        "Content-Type: image/png\r\nContent-Disposition: attachment;\r\n filename*=utf-8''%E6%89%8B.png\r\n",
        &["\0", "png", ""],
    ),
    (
        "Content-Type: text/plain; charset=euc-jp\r\nContent-Transfer-Encoding: quoted-printable\r\n",
        &["=BC=EA=BB=E6", "soft=\r\nbreak", "a=3Db", ""],
    ),
];

fn leaf() -> impl Strategy<Value = Made> {
    (0..LEAVES.len()).prop_flat_map(|kind| {
        let (fields, lines) = LEAVES[kind];
        collection::vec(sample::select(lines), 0..6).prop_map(move |lines| Made::Leaf {
            fields: fields.to_string(),
            body: lines.join("\r\n").into_bytes(),
        })
    })
}

fn enclosed(inside: Made) -> Made {
    Made::Letter { fields: "Subject: enclosed\r\nFrom: a@x.test\r\n".to_string(), inside: Box::new(inside) }
}

/// Whether a letter directly encloses another: there mail-parser 0.11 stumbles.
fn has_letter_in_letter(made: &Made) -> bool {
    match made {
        Made::Leaf { .. } => false,
        Made::Parts { parts, .. } => parts.iter().any(has_letter_in_letter),
        Made::Letter { inside, .. } => {
            matches!(**inside, Made::Letter { .. }) || has_letter_in_letter(inside)
        }
    }
}

fn made() -> impl Strategy<Value = Made> {
    leaf().prop_recursive(4, 24, 4, |inner| {
        let subtype = sample::select(&["mixed", "alternative", "related"][..]);
        prop_oneof![
            (subtype, collection::vec(inner.clone(), 1..5))
                .prop_map(|(subtype, parts)| Made::Parts { subtype, parts }),
            inner.prop_map(enclosed),
        ]
    })
}

/// The parts that mail-parser finds, in the order in which they stand.
fn others<'a>(parsed: &'a Parsed<'a>, id: u32, out: &mut Vec<&'a MessagePart<'a>>) {
    let part = parsed.part(id).unwrap();
    out.push(part);
    match &part.body {
        PartType::Multipart(ids) => ids.iter().for_each(|id| others(parsed, *id, out)),
        PartType::Message(inside) => others(inside, 0, out),
        _ => {}
    }
}

fn text_of(letter: &[u8], part: &Part<'_>) -> String {
    let mut bytes = Vec::new();
    let mut decoder = Decoder::new(part.encoding);
    decoder.feed(&letter[part.body.start as usize..part.body.end as usize], &mut bytes);
    decoder.finish(&mut bytes);
    charset::decode_all(part.charset, &bytes)
}

/// Compares what both say of a part that is no multipart.
fn compare_leaf(letter: &[u8], ours: &Part<'_>, theirs: &MessagePart<'_>) {
    if let Some(content_type) = theirs.content_type() {
        let media = format!("{}/{}", content_type.ctype(), content_type.subtype().unwrap_or_default());
        assert_eq!(ours.media, media.to_ascii_lowercase());
    }
    if let PartType::Text(text) | PartType::Html(text) = &theirs.body {
        assert_eq!(text_of(letter, ours), *text);
    }
    let header = &letter[ours.header.start as usize..ours.header.end as usize];
    let name = super::header::find(header, b"content-disposition")
        .and_then(|field| words::parameter(field.value, "filename"))
        .or_else(|| words::parameter(super::header::find(header, b"content-type")?.value, "name"));
    assert_eq!(name.as_deref(), theirs.attachment_name());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parts_lie_where_they_were_put(made in made()) {
        let (mut letter, mut lies) = (Vec::new(), Vec::new());
        write(&made, "From: a@x.test\r\nTo: b@x.test\r\nSubject: test\r\nMIME-Version: 1.0\r\n", &mut letter, &mut lies);
        let blob = scan(&letter);
        let summary = Summary::read(&blob).unwrap();
        let ours: Vec<_> = summary.parts().collect();
        let found: Vec<_> = ours
            .iter()
            .map(|part| Lies {
                header: (part.header.start as usize, part.header.end as usize),
                body: (part.body.start as usize, part.body.end as usize),
            })
            .collect();
        prop_assert_eq!(&found, &lies, "{}", String::from_utf8_lossy(&letter));
        for part in &ours {
            let body = &letter[part.body.start as usize..part.body.end as usize];
            prop_assert_eq!(part.lines, body.iter().filter(|byte| **byte == b'\n').count() as u64);
        }
        if has_letter_in_letter(&made) {
            return Ok(());
        }
        let parsed = MessageParser::default().parse(&letter).unwrap();
        let mut theirs = Vec::new();
        others(&parsed, 0, &mut theirs);
        prop_assert_eq!(ours.len(), theirs.len());
        for (our, their) in ours.iter().zip(&theirs) {
            prop_assert_eq!(our.header.start, u64::from(their.offset_header));
            if !matches!(their.body, PartType::Multipart(_) | PartType::Message(_)) {
                prop_assert_eq!(our.body.start, u64::from(their.offset_body));
                compare_leaf(&letter, our, their);
            }
        }
    }
}

#[test]
fn both_read_the_same_in_japanese_headers() {
    for subject in [
        "=?ISO-2022-JP?B?GyRCPGo7ZhsoQg==?=",
        "=?UTF-8?B?5omL57SZ44GM5bGK44GN44G+44GX44Gf?=\r\n =?UTF-8?Q?_=E6=89=8B?= tail",
        "=?Shift_JIS?B?juiOhoKqk82Cq4Lcgrc=?=",
        "=?EUC-JP?Q?=BC=EA=BB=E6?= and =?ISO-8859-1?Q?Gr=FC=DFe?=",
    ] {
        let letter = format!("Subject: {subject}\r\n\r\n");
        let parsed = MessageParser::default().parse(letter.as_bytes()).unwrap();
        assert_eq!(Some(words::decode(subject.as_bytes()).as_str()), parsed.subject());
    }
}

#[test]
fn both_read_the_same_dates() {
    for date in [
        "Sat, 21 Nov 2026 09:55:06 +0900",
        "Fri, 21 Nov 1997 09:55:06 -0600",
        "1 Jan 1970 00:00:00 GMT",
        "29 Feb 2000 23:59:59 +0530",
        "31 Dec 1969 23:59:59 +0000",
    ] {
        let letter = format!("Date: {date}\r\n\r\n");
        let blob = scan(letter.as_bytes());
        let (moment, _) = Summary::read(&blob).unwrap().sent().unwrap();
        let parsed = MessageParser::default().parse(letter.as_bytes()).unwrap();
        assert_eq!(Some(moment.0), parsed.date().map(mail_parser::DateTime::to_timestamp), "{date}");
    }
}
