//! Who signs which letter, and that others verify it.

use super::*;
use crate::{
    dkim::{Pair, Record, records},
    provision::{Change, fake::Box_},
    testing::dkim::verify,
};

/// 2026-11-18.
const RECEIVED: UnixTime = UnixTime(1_795_000_000);
const HEAD: &str = "From: \"ann@elsewhere.test\" <ann@Example.Test>\r\nSubject: one  two\r\n\r\n";
const BODY: &str = "How do \t you do?\r\n\r\n";

/// A box that has these keys for example.test, and the records of those.
fn with_keys(change: impl FnOnce(&mut Pair)) -> (Box_, Vec<Record>) {
    let mut pair = Pair::make("t202611".to_owned()).unwrap();
    let records = records(&pair).unwrap();
    change(&mut pair);
    let it = Box_::default();
    it.make(vec![Change::set(key::dkim("example.test"), DomainKeys::first(pair).store().to_vec())]);
    (it, records.to_vec())
}

fn hash(letter: &str) -> [u8; 32] {
    let mut hash = proto::dkim::BodyHash::new(sha256());
    hash.feed(letter.as_bytes());
    hash.finish()
}

fn fields(signers: &Signers, it: &Box_, head: &str) -> Option<Result<String, CannotSign>> {
    let signer = signers.of_letter(it, head.as_bytes(), None)?;
    Some(signer.fields(head.as_bytes(), &hash(&format!("{head}{BODY}")), RECEIVED))
}

#[test]
fn a_letter_has_a_signature_for_each_key_and_the_same_one_each_time() {
    let (it, records) = with_keys(|_| {});
    let made = fields(&Signers::default(), &it, HEAD).unwrap().unwrap();
    assert_eq!(verify(&format!("{made}{HEAD}{BODY}"), "example.test", &records), Ok(2));
    assert_eq!(
        made.matches("; t=1795000000;").count() + made.matches("\tt=1795000000;").count(),
        2,
        "{made}"
    );
    assert_eq!(fields(&Signers::default(), &it, HEAD), Some(Ok(made.clone())));
    for changed in ["How do you do!\r\n", ""] {
        assert!(verify(&format!("{made}{HEAD}{changed}"), "example.test", &records).is_err(), "{changed}");
    }
    let forged = HEAD.replace("one", "two");
    assert!(verify(&format!("{made}{forged}{BODY}"), "example.test", &records).is_err());
}

#[test]
fn the_domain_is_the_authors_or_one_of_ours_above_it() {
    let (it, records) = with_keys(|_| {});
    let signers = Signers::default();
    for (from, is_signed) in [
        ("ann@example.test", true),
        ("MAILER-DAEMON@mail.example.test", true),
        ("ann@elsewhere.test", false),
        ("ann@notexample.test", false),
        ("ann@test", false),
        ("ann@example.test.elsewhere.test", false),
        ("ann@[192.0.2.1]", false),
        ("ann@exa mple.test", false),
        ("ann", false),
        ("eve@elsewhere.test, ann@example.test", false),
    ] {
        let head = format!("From: {from}\r\nSender: ann@example.test\r\n\r\n");
        let made = fields(&signers, &it, &head);
        assert_eq!(made.is_some(), is_signed, "{from}");
        if let Some(made) = made {
            let letter = format!("{}{head}{BODY}", made.unwrap());
            assert_eq!(verify(&letter, "example.test", &records), Ok(2), "{from}");
        }
    }
    let value = it.setting(&key::dkim("example.test")).unwrap();
    it.make(vec![Change::set(key::dkim("xn--r8jz45g.xn--zckzah"), value)]);
    let head = "From: 安 <安@例え.テスト>\r\n\r\n";
    let letter = format!("{}{head}{BODY}", fields(&signers, &it, head).unwrap().unwrap());
    assert_eq!(verify(&letter, "xn--r8jz45g.xn--zckzah", &records), Ok(2));
    let cut = "From: ann@example.test\r\nSubject: cut of";
    assert_eq!(fields(&signers, &it, cut), Some(Err(CannotSign::Malformed)));
}

#[test]
fn who_sends_for_another_domain_does_not_speak_for_this_one() {
    let (it, _) = with_keys(|_| {});
    let signers = Signers::default();
    for (sender, is_signed) in [("Example.TEST", true), ("mail.example.test", true), ("other.test", false)] {
        assert_eq!(signers.of_letter(&it, HEAD.as_bytes(), Some(sender)).is_some(), is_signed, "{sender}");
    }
}

#[test]
fn a_broken_key_leaves_the_other_one() {
    let (it, records) = with_keys(|pair| pair.rsa_pkcs1.truncate(100));
    let made = fields(&Signers::default(), &it, HEAD).unwrap().unwrap();
    assert!(made.contains("a=ed25519-sha256"), "{made}");
    assert_eq!(verify(&format!("{made}{HEAD}{BODY}"), "example.test", &records), Ok(1));
    let (it, records) = with_keys(|pair| pair.ed25519_pkcs8.clear());
    let made = fields(&Signers::default(), &it, HEAD).unwrap().unwrap();
    assert_eq!(verify(&format!("{made}{HEAD}{BODY}"), "example.test", &records), Ok(1));
}

#[test]
fn keys_are_kept_until_settings_change() {
    let (it, _) = with_keys(|_| {});
    let signers = Signers::default();
    assert!(fields(&signers, &it, HEAD).is_some());
    it.make(vec![Change::set(key::dkim("example.test"), vec![9, 9, 9])]);
    assert!(fields(&signers, &it, HEAD).is_some());
    signers.forget();
    assert!(fields(&signers, &it, HEAD).is_none(), "keys of another version sign nothing");
}
