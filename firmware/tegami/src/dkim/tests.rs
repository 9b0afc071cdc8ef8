//! Keys as they are stored, rotated and published, and that a box that serves makes them.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mail::UnixTime;
use proto::dkim::{Algorithm, SignedHeader, Signer};
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    rsa::KeyPair as RsaKeyPair,
    signature::{ED25519, Ed25519KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey},
};
use rsa::{pkcs1::EncodeRsaPublicKey as _, pkcs8::DecodePublicKey as _};

use super::{keys::OutOfTurn, *};
use crate::{
    provision::{Change, Keeper as _, Records as _, key},
    testing::{Flash, Rig, block_on},
};

/// 2026-11-18.
const NOW: UnixTime = UnixTime(1_795_000_000);

fn pair(name: &str) -> Pair {
    Pair::make(name.to_owned()).unwrap()
}

fn loaded(keys: &DomainKeys) -> DomainKeys {
    DomainKeys::load(&keys.store()).unwrap()
}

#[test]
fn keys_come_back_from_their_stored_form() {
    let mut keys = DomainKeys::first(pair("t202605"));
    keys.announce(pair("t202606")).unwrap();
    keys.use_next("t202606", NOW).unwrap();
    keys.announce(pair("t202611")).unwrap();
    let value = keys.store();
    // Two pairs at most, and no copy that grew while it was written.
    assert!((2_500..3_500).contains(&value.len()) && value.capacity() == 8 * 1024, "{}", value.len());
    let back = loaded(&keys);
    assert_eq!(back.names(), ["t202606", "t202611", "t202605"]);
    assert_eq!(records(back.current()), records(keys.current()));
    assert_eq!(records(back.next().unwrap()), records(keys.next().unwrap()));
    assert_eq!(back.former(), Some(&Former { name: "t202605".into(), until: NOW }));
    assert_eq!(*back.store(), *value);
    assert!(!format!("{back:?}").contains('['), "keys are not printed");

    for damaged in [&[][..], &[2, 1, 2], &value[1..], &value[..value.len() / 2]] {
        assert!(DomainKeys::load(damaged).is_none(), "{} bytes", damaged.len());
    }
}

#[test]
fn a_rotation_goes_one_way() {
    let mut keys = DomainKeys::first(pair("t202605"));
    assert_eq!(keys.use_next("t202605", NOW), Err(OutOfTurn));
    assert_eq!(keys.announce(pair("t202611")), Ok(()));
    assert_eq!(keys.announce(pair("t202612")), Err(OutOfTurn), "one at a time");
    assert_eq!(keys.use_next("t202612", NOW), Err(OutOfTurn));
    assert_eq!((keys.current().name(), keys.next().unwrap().name()), ("t202605", "t202611"));
    let announced = records(keys.next().unwrap());
    assert_eq!(keys.use_next("t202611", NOW), Ok(()));
    assert_eq!(records(keys.current()), announced, "what was published is what signs");
    assert!(keys.next().is_none());
    let former = keys.former().unwrap();
    assert_eq!((former.name.as_str(), former.gone()), ("t202605", UnixTime(NOW.0 + 14 * 86_400)));
    assert!(keys.store().len() < 1_500, "the old private keys are gone");
}

#[test]
fn no_two_pairs_have_the_same_name() {
    for (known, expected) in [
        (&[][..], "t202611"),
        (&["t202610"], "t202611"),
        (&["t202611"], "t202611-2"),
        (&["t202611-2", "t202611"], "t202611-3"),
        (&["t202611-9", "t202610-12"], "t202611-10"),
    ] {
        assert_eq!(new_name(NOW, known), expected);
    }
}

/// The value of a tag of a record, as RFC 6376 §3.2 reads it.
fn tag<'a>(record: &'a str, name: &str) -> &'a str {
    let mut tags = record.split(';').filter_map(|tag| tag.trim().split_once('='));
    tags.find(|(own, _)| *own == name).map(|(_, value)| value).unwrap()
}

/// The value of a record in a zone file: its strings put together.
fn of_zone_entry(entry: &str) -> String {
    let strings: Vec<&str> = entry.split('"').skip(1).step_by(2).collect();
    assert!(strings.iter().all(|string| (1..=255).contains(&string.len())), "{entry}");
    strings.concat()
}

#[test]
fn records_hold_the_public_keys() {
    let pair = pair("t202611");
    let [rsa, ed25519] = records(&pair).unwrap();
    for (record, name, kind) in
        [(&rsa, "t202611r._domainkey", "rsa"), (&ed25519, "t202611e._domainkey", "ed25519")]
    {
        assert_eq!(record.name, name);
        assert!(record.value.starts_with("v=DKIM1; "), "the version is the first tag: {}", record.value);
        assert_eq!(tag(&record.value, "k"), kind);
        let entry = record.zone_entry("example.test");
        assert!(entry.starts_with(&format!("{name}.example.test. IN TXT ")), "{entry}");
        assert_eq!(of_zone_entry(&entry), record.value);
    }
    assert!(!ed25519.zone_entry("example.test").contains('('), "one string needs no line of its own");
    let spki = STANDARD.decode(tag(&rsa.value, "p")).unwrap();
    let public = rsa::PublicKey::from_public_key_der(&spki).unwrap();
    assert_eq!(public.to_pkcs1_der().unwrap().as_bytes(), pair.rsa_public().unwrap());
    assert_eq!(STANDARD.decode(tag(&ed25519.value, "p")).unwrap(), pair.ed25519_public().unwrap());
    assert_eq!(pair.ed25519_public().unwrap().len(), 32);
}

/// What the queue will do with a pair, and a verifier with its records.
#[test]
fn signatures_of_stored_keys_are_verified_with_the_records() {
    let keys = loaded(&DomainKeys::first(pair("t202611")));
    let (pair, [rsa, ed25519]) = (keys.current(), records(keys.current()).unwrap());
    let header = SignedHeader::select(b"From: ann@example.test\r\n\r\n").unwrap();
    let sign = |selector: &str, algorithm, sign: &dyn Fn(&[u8]) -> Vec<u8>| {
        let signer = Signer { domain: "example.test", selector, algorithm };
        let mut signed = Vec::new();
        let field = header.sign(&signer, &[0; 32], Some(NOW), |data| {
            signed = data.to_vec();
            Some(sign(data))
        });
        let b = field.unwrap().rsplit_once("b=").unwrap().1.split_whitespace().collect::<String>();
        (signed, STANDARD.decode(b).unwrap())
    };

    let key = RsaKeyPair::from_der(&pair.rsa_pkcs1).unwrap();
    let (data, signature) = sign("t202611r", Algorithm::RsaSha256, &|data| {
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), data, &mut signature).unwrap();
        signature
    });
    let spki = STANDARD.decode(tag(&rsa.value, "p")).unwrap();
    let public = rsa::PublicKey::from_public_key_der(&spki).unwrap().to_pkcs1_der().unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public.as_bytes());
    assert!(public.verify(&data, &signature).is_ok());

    let key = Ed25519KeyPair::from_pkcs8(&pair.ed25519_pkcs8).unwrap();
    let hash = |data: &[u8]| digest(&SHA256, data);
    let (data, signature) =
        sign("t202611e", Algorithm::Ed25519Sha256, &|data| key.sign(hash(data).as_ref()).as_ref().to_vec());
    let public = UnparsedPublicKey::new(&ED25519, STANDARD.decode(tag(&ed25519.value, "p")).unwrap());
    assert!(public.verify(hash(&data).as_ref(), &signature).is_ok());
}

/// The stored keys of a domain, once they are there.
async fn made(rig: &Rig, domain: &str) -> Vec<u8> {
    let found = async {
        loop {
            match rig.serving.house.office.setting(&key::dkim(domain)) {
                Some(value) => return value,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), found).await.unwrap()
}

/// Makes a change, as the page does.
async fn change(rig: &Rig, change: Change) {
    let house = &rig.serving.house;
    house.office.carry_out(vec![change]).await.unwrap();
    house.show_again();
}

#[test]
fn a_box_that_serves_makes_what_is_missing_and_leaves_what_is_there() {
    let unknown = vec![9, 9, 9];
    let (flash, value) = block_on(async {
        let rig = Rig::start(Flash::new("dkim-made", Duration::ZERO)).await;
        let value = made(&rig, "example.test").await;
        let keys = DomainKeys::load(&value).unwrap();
        assert!(records(keys.current()).is_some() && keys.next().is_none());
        change(&rig, Change::Domain("later.test".into())).await;
        let later = DomainKeys::load(&made(&rig, "later.test").await).unwrap();
        assert_ne!(records(later.current()), records(keys.current()));
        assert_eq!(made(&rig, "example.test").await, value);
        // What another version may have stored is not overwritten: its records may be published.
        change(&rig, Change::set(key::dkim("later.test"), unknown.clone())).await;
        rig.serving.close().await;
        (rig.flash, value)
    });
    block_on(async {
        let rig = Rig::start(flash).await;
        change(&rig, Change::Domain("third.test".into())).await;
        made(&rig, "third.test").await;
        assert_eq!(made(&rig, "example.test").await, value);
        assert_eq!(made(&rig, "later.test").await, unknown);
        rig.serving.close().await;
    });
}
