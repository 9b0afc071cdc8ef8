//! Signing: what is signed, how the field looks, what is refused, and that somebody else can verify it.

mod body;
mod known;
mod naive;

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mail::UnixTime;
use proptest::prelude::*;
use ring::{
    rand::SystemRandom,
    rsa,
    signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256},
};

use self::naive::{Key, sha256};
use super::{
    Algorithm, CannotSign, RelaxedBody, SignedHeader, Signer, author_domain,
    limits::{HEAD_BYTES_MAX, INSTANCES_MAX},
};

/// An RSA key of 2,048 bits that was made for these tests (PKCS #1).
const RSA_KEY: &str = include_str!("rsa_key.txt");
const TIME: UnixTime = UnixTime(1_795_000_000);
const RSA: Signer<'_> =
    Signer { domain: "example.test", selector: "t202611r", algorithm: Algorithm::RsaSha256 };
const ED25519: Signer<'_> =
    Signer { domain: "example.test", selector: "t202611e", algorithm: Algorithm::Ed25519Sha256 };

struct Keys {
    rsa: rsa::KeyPair,
    ed25519: Ed25519KeyPair,
}

impl Keys {
    fn new() -> Self {
        let der: String = RSA_KEY.split_whitespace().collect();
        let rsa = rsa::KeyPair::from_der(&STANDARD.decode(der).unwrap()).unwrap();
        Self { rsa, ed25519: Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap() }
    }

    fn sign(&self, algorithm: Algorithm, data: &[u8]) -> Vec<u8> {
        match algorithm {
            Algorithm::RsaSha256 => {
                let mut signature = vec![0; self.rsa.public().modulus_len()];
                self.rsa.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), data, &mut signature).unwrap();
                signature
            }
            Algorithm::Ed25519Sha256 => self.ed25519.sign(&sha256(data)).as_ref().to_vec(),
        }
    }

    /// A letter with both signatures before it.
    fn signed(&self, head: &str, body: &[u8]) -> Result<Vec<u8>, CannotSign> {
        let (mut canonical, mut relaxed) = (Vec::new(), RelaxedBody::new());
        relaxed.feed(body, &mut |piece| canonical.extend_from_slice(piece));
        relaxed.finish(&mut |piece| canonical.extend_from_slice(piece));
        let (header, mut letter) = (SignedHeader::select(head.as_bytes())?, String::new());
        for signer in [RSA, ED25519] {
            let sign = |data: &[u8]| Some(self.sign(signer.algorithm, data));
            letter += &header.sign(&signer, &sha256(&canonical), Some(TIME), sign)?;
        }
        Ok([letter.as_bytes(), head.as_bytes(), body].concat())
    }

    fn verify(&self, letter: &[u8]) -> Result<usize, String> {
        let keys = [Key::Rsa(self.rsa.public().as_ref()), Key::Ed25519(self.ed25519.public_key().as_ref())];
        naive::verify(letter, &keys)
    }
}

const HEAD: &str = "Return-Path: <ann@example.test>\r\nReceived: from x\r\n\tby y\r\nDate: Sat, 14 Nov 2026 15:23:01 +0900\r\n\
    From: =?utf-8?b?44GC44KT?=\r\n <ann@example.test>\r\nTO : bob@example.net,\r\n\tcarol@example.net\r\n\
    Subject: one  two \r\nMessage-ID: <1@example.test>\r\nX-Mailer: z\r\n\r\n";

fn field(head: &str, signer: &Signer<'_>, time: Option<UnixTime>) -> Result<String, CannotSign> {
    let signature = vec![0xAA; if signer.algorithm == Algorithm::RsaSha256 { 256 } else { 64 }];
    SignedHeader::select(head.as_bytes())?.sign(signer, &[1; 32], time, |_| Some(signature))
}

#[test]
fn the_field_is_folded_and_has_these_tags() {
    let expected = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.test;\r\n\
        \ts=t202611e; t=1795000000; h=From:From:Reply-To:To:To:Cc:Subject:Subject:Date:\r\n\
        \tDate:Message-ID:Message-ID:MIME-Version:Content-Type:\r\n\
        \tContent-Transfer-Encoding; bh=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=;\r\n\
        \tb=qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq\r\n\
        \tqqqqqqqqqqg==\r\n";
    assert_eq!(field(HEAD, &ED25519, Some(TIME)).unwrap(), expected);
    let text = field(HEAD, &RSA, None).unwrap();
    assert!(text.contains("a=rsa-sha256;") && !text.contains("t=1") && !text.contains("; t="), "{text}");
    assert!(
        text.lines().all(|line| line.len() <= 78) && text.matches("\r\n").count() == text.lines().count()
    );
}

#[test]
fn what_is_there_is_signed_from_the_last_one_on() {
    let head = "To: a\r\nFrom: x\r\nContent-Type: text/plain;\r\n\tcharset=utf-8\r\nto: b\r\nSender: s\r\nCC:\r\n\r\n";
    let header = SignedHeader::select(head.as_bytes()).unwrap();
    let expected = "from:x\r\nto:b\r\nto:a\r\ncc:\r\ncontent-type:text/plain; charset=utf-8\r\n";
    assert_eq!(String::from_utf8(header.canonical).unwrap(), expected);
    let named = |name| header.names.iter().filter(|other| **other == name).count();
    let expected = [("From", 2), ("To", 3), ("Cc", 2), ("Reply-To", 1), ("Content-Type", 2), ("Date", 0)];
    expected.into_iter().for_each(|(name, count)| assert_eq!(named(name), count, "{name}"));
}

#[test]
fn letters_are_verified_by_others() {
    let keys = Keys::new();
    for body in [&b""[..], b"text\r\n", b"hello\r\n \r\n", b"  \t\r\n\r\n", "手紙 \r\nno end".as_bytes()] {
        let letter = keys.signed(HEAD, body).unwrap();
        assert_eq!(keys.verify(&letter), Ok(2), "{}", body.escape_ascii());
    }
}

/// A header that says it in UTF-8, as RFC 6532 allows.
#[test]
fn letters_with_utf8_in_their_header_are_verified_by_others() {
    let keys = Keys::new();
    let head = "From: 安 <安@例え.テスト>\r\nSubject: 手紙\r\n\t　と 空白 \r\n\r\n";
    assert_eq!(keys.verify(&keys.signed(head, b"x\r\n").unwrap()), Ok(2));
}

#[test]
fn nothing_that_is_signed_can_be_changed_or_added() {
    let keys = Keys::new();
    let letter = String::from_utf8(keys.signed(HEAD, b"text\r\n").unwrap()).unwrap();
    for added in
        ["From: eve", "Reply-To: eve", "Subject: x", "Cc: eve", "Content-Type: text/html", "Date: now"]
    {
        for changed in [format!("{added}\r\n{letter}"), letter.replace("X-Mailer: z", added)] {
            assert!(keys.verify(changed.as_bytes()).is_err(), "{added}");
        }
    }
    for (from, to) in
        [("one  two", "one two"), ("\r\nTO :", "\r\nto:"), ("by y", "by z"), ("text\r\n", "text \r\n\r\n")]
    {
        assert_eq!(keys.verify(letter.replace(from, to).as_bytes()), Ok(2), "{from}");
    }
}

#[test]
fn what_cannot_be_signed_is_refused() {
    use CannotSign::{From, HeadTooLong, Malformed};
    let to_many = |count| format!("From: a\r\n{}\r\n", "To: b\r\n".repeat(count));
    let of_length = |len| format!("From: a\r\nX: {}\r\n\r\n", "x".repeat(len - 16));
    for (head, expected) in [
        ("", Err(From)),
        ("\r\n", Err(From)),
        ("Subject: x\r\n\r\n", Err(From)),
        ("From: a\r\nFROM : b\r\n\r\n", Err(From)),
        ("From: a\r\nSubject: cut of", Err(Malformed)),
        ("From: a\nSubject: b\n\n", Err(Malformed)),
        ("From: a\r\nSubject: b\rFrom: c\r\n\r\n", Err(Malformed)),
        ("From: a\r\nSubject: b\nFrom: c\r\n\r\n", Err(Malformed)),
        ("From: a\r\r\n\r\n", Err(Malformed)),
        ("From: a\r\n", Ok(())),
        (&to_many(INSTANCES_MAX), Ok(())),
        (&to_many(INSTANCES_MAX + 1), Err(Malformed)),
        (&of_length(HEAD_BYTES_MAX), Ok(())),
        (&of_length(HEAD_BYTES_MAX + 1), Err(HeadTooLong)),
    ] {
        assert_eq!(SignedHeader::select(head.as_bytes()).map(|_| ()), expected, "{:.60}", head);
    }
    assert!(of_length(100).len() == 100);
}

#[test]
fn names_that_no_signature_can_have_are_refused() {
    let long = format!("{}.test", "a".repeat(64));
    for domain in
        ["", "test", "例え.test", "exa mple.test", "example.test;", "a..test", "-a.test", "a-.test", &long]
    {
        assert_eq!(field(HEAD, &Signer { domain, ..RSA }, None), Err(CannotSign::Domain), "{domain}");
    }
    for selector in ["", "a_b", "鍵", "a.", "x; l=0"] {
        assert_eq!(field(HEAD, &Signer { selector, ..RSA }, None), Err(CannotSign::Selector), "{selector}");
    }
    for domain in ["xn--r8jz45g.test", "a.b.c-d.test"] {
        assert!(field(HEAD, &Signer { domain, selector: "a.b", ..RSA }, None).is_ok());
    }
    let header = SignedHeader::select(HEAD.as_bytes()).unwrap();
    assert_eq!(header.sign(&RSA, &[0; 32], None, |_| None), Err(CannotSign::Key));
    assert!(CannotSign::Key.to_string().contains("key"));
}

#[test]
fn the_author_says_whose_signature_is_expected() {
    for (head, expected) in [
        (HEAD, Some("example.test")),
        (
            "Sender: x@sender.test\r\nFrom: \"a@b.test\"\r\n <ann@Example.Test>,\r\n\tbob@c.test\r\n\r\n",
            Some("Example.Test"),
        ),
        ("From: 安 <安@例え.テスト>\r\n\r\n", Some("例え.テスト")),
        ("From: nobody\r\n\r\n", None),
        ("To: a@b.test\r\n\r\nFrom: a@b.test\r\n", None),
    ] {
        assert_eq!(author_domain(head.as_bytes()).as_deref(), expected, "{head}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_letter_is_verified_by_others(
        fields in proptest::collection::vec(
            ("(To|CC|subject|X-Y|Content-ID|reply-to)", "[ \t]{0,2}", "([ a-c\t:;=]|\r\n\t|\r\n  ){0,30}"), 0..8
        ),
        body in proptest::collection::vec(prop_oneof!["[ \t]{1,3}", "\r\n", "[a-c\u{e9}]{1,9}"], 0..20),
    ) {
        let keys = Keys::new();
        let fields = fields.iter().map(|(name, blank, value)| format!("{name}{blank}:{value}\r\n"));
        let head = format!("From:a@example.test\r\n{}\r\n", fields.collect::<String>());
        let letter = keys.signed(&head, body.concat().as_bytes()).unwrap();
        prop_assert_eq!(keys.verify(&letter), Ok(2));
    }
}
