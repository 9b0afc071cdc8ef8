//! Known answers: the signed letter of RFC 8463 appendix A.3 and the examples of RFC 6376.

use alloc::{format, string::String, vec::Vec};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::signature::Ed25519KeyPair;

use super::{
    super::{RelaxedBody, SignedHeader, header::relax},
    naive::{self, Key, sha256},
};
use crate::mime::header::{fields, find};

const ED25519_FIELD: &str = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n\
    \x20d=football.example.com; i=@football.example.com;\r\n\
    \x20q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n\
    \x20subject : date : message-id : from : subject : date;\r\n\
    \x20bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n\
    \x20b=";
const ED25519_SIGNATURE: &str =
    "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n";

const RSA_FIELD: &str = "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n\
    \x20d=football.example.com; i=@football.example.com;\r\n\
    \x20q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n\
    \x20date : message-id : from : subject : date;\r\n\
    \x20bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n\
    \x20b=";
const RSA_SIGNATURE: &str = "F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n\
    \x20DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n\
    \x20dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n";

const HEAD: &str = "From: Joe SixPack <joe@football.example.com>\r\n\
    To: Suzie Q <suzie@shopping.example.net>\r\n\
    Subject: Is dinner ready?\r\n\
    Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n\
    Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\r\n";
const BODY: &str = "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n\r\n";
const BODY_HASH: &str = "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=";

/// RFC 8463 appendix A.1 and A.2.
const SEED: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
const ED25519_KEY: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const RSA_KEY: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR\
    iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hst\
    T5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB";
/// What of that key comes before its RSAPublicKey, which is what ring takes.
const SPKI_BYTES: usize = 22;

fn decode(text: &str) -> Vec<u8> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    STANDARD.decode(text).unwrap()
}

/// What is signed with that field, as this program puts it together.
fn data(field: &str) -> Vec<u8> {
    let mut canonical = Vec::new();
    for name in ["from", "to", "subject", "date", "message-id"] {
        let field = find(HEAD.as_bytes(), name.as_bytes()).unwrap();
        relax(field.name, field.value, &mut canonical);
    }
    SignedHeader { names: Vec::new(), canonical }.data(field)
}

#[test]
fn the_letter_of_rfc_8463_has_these_signatures() {
    let mut hash = Vec::new();
    let mut body = RelaxedBody::new();
    body.feed(BODY.as_bytes(), &mut |piece| hash.extend_from_slice(piece));
    body.finish(&mut |piece| hash.extend_from_slice(piece));
    assert_eq!(STANDARD.encode(sha256(&hash)), BODY_HASH);

    let pair = Ed25519KeyPair::from_seed_and_public_key(&decode(SEED), &decode(ED25519_KEY)).unwrap();
    assert_eq!(pair.sign(&sha256(&data(ED25519_FIELD))).as_ref(), decode(ED25519_SIGNATURE));

    let key = &decode(RSA_KEY)[SPKI_BYTES..];
    let scheme = &ring::signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY;
    let key = ring::signature::UnparsedPublicKey::new(scheme, key);
    assert!(key.verify(&data(RSA_FIELD), &decode(RSA_SIGNATURE)).is_ok());
}

/// Who verifies what this program signs has to know good from bad.
#[test]
fn the_verifier_of_these_tests_takes_that_letter_and_no_other() {
    let head = format!("{ED25519_FIELD}{ED25519_SIGNATURE}{RSA_FIELD}{RSA_SIGNATURE}{HEAD}");
    let (ed25519, rsa) = (decode(ED25519_KEY), decode(RSA_KEY));
    let keys = [Key::Ed25519(&ed25519), Key::Rsa(&rsa[SPKI_BYTES..])];
    let verify = |letter: String| naive::verify(letter.as_bytes(), &keys);
    assert_eq!(verify(format!("{head}{BODY}")), Ok(2));
    assert!(verify(format!("{head}{BODY}PS\r\n")).is_err());
    assert!(verify(format!("{}{BODY}", head.replace("dinner", "supper"))).is_err());
    assert!(verify(format!("Subject: more\r\n{head}{BODY}")).is_err(), "it is sealed");
}

/// RFC 6376 §3.4.5, and blanks that are none.
#[test]
fn fields_become_what_the_rules_say() {
    for (block, expected) in [
        ("A: X\r\nB : Y\t\r\n\tZ  \r\n", "a:X\r\nb:Y Z\r\n"),
        ("SUBJECT:\r\n", "subject:\r\n"),
        ("Subject: \t \r\n", "subject:\r\n"),
        ("Subject \t : \r\n \r\n\ta:b  c\r\n", "subject:a:b c\r\n"),
        ("X: 手紙　と\u{a0}\x0b\r\n", "x:手紙　と\u{a0}\x0b\r\n"),
    ] {
        let mut out = Vec::new();
        fields(block.as_bytes()).for_each(|field| relax(field.name, field.value, &mut out));
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
