//! A verifier that shares nothing with what it verifies: whole strings, step by step as RFC 6376 §6.1 has it. Bytes are
//! characters of the same number.

use alloc::{format, string::String, vec::Vec};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{digest, signature};

/// A public key.
#[derive(Clone, Copy)]
pub(super) enum Key<'a> {
    Rsa(&'a [u8]),
    Ed25519(&'a [u8]),
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, bytes).as_ref().try_into().unwrap()
}

fn characters(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(c).unwrap()).collect()
}

fn squeezed(text: &str) -> String {
    let mut text = text.replace('\t', " ");
    while text.contains("  ") {
        text = text.replace("  ", " ");
    }
    text
}

/// §3.4.4.
pub(super) fn body(body: &[u8]) -> Vec<u8> {
    let text = characters(body);
    let lines = text.split("\r\n").map(|line| squeezed(line).trim_end_matches(' ').into());
    let mut lines: Vec<String> = lines.collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    bytes(&lines.iter().map(|line| format!("{line}\r\n")).collect::<String>())
}

/// §3.4.2, without the line end.
fn field(line: &str) -> String {
    let (name, value) = line.split_once(':').unwrap();
    format!("{}:{}", name.trim_end_matches([' ', '\t']).to_lowercase(), squeezed(value).trim_matches(' '))
}

fn is_called(line: &str, name: &str) -> bool {
    line.split_once(':').is_some_and(|(own, _)| own.trim().eq_ignore_ascii_case(name))
}

fn tag(field: &str, name: &str) -> Option<String> {
    let (_, list) = field.split_once(':')?;
    let mut tags = list.split(';').filter_map(|tag| tag.split_once('='));
    let (_, value) = tags.find(|(own, _)| own.trim() == name)?;
    Some(value.chars().filter(|c| !c.is_whitespace()).collect())
}

/// Verifies every signature of a letter with the key of its algorithm; how many there are.
pub(super) fn verify(letter: &[u8], keys: &[Key<'_>]) -> Result<usize, String> {
    let letter = characters(letter);
    let (head, text) = letter.split_once("\r\n\r\n").ok_or("no empty line")?;
    let unfolded = head.replace("\r\n\t", "\t").replace("\r\n ", " ");
    let lines: Vec<&str> = unfolded.split("\r\n").collect();
    let signatures = lines.iter().filter(|line| is_called(line, "DKIM-Signature"));
    let mut count = 0;
    for signature in signatures {
        verify_one(&lines, signature, &bytes(text), keys)?;
        count += 1;
    }
    Ok(count)
}

fn verify_one(lines: &[&str], signature: &str, text: &[u8], keys: &[Key<'_>]) -> Result<(), String> {
    let value = |name: &str| tag(signature, name).ok_or(format!("no {name}="));
    for (name, expected) in [("v", "1"), ("c", "relaxed/relaxed")] {
        if value(name)? != expected {
            return Err(format!("{name}={}", value(name)?));
        }
    }
    if STANDARD.decode(value("bh")?).unwrap() != sha256(&body(text)) {
        return Err("the body is another one".into());
    }
    let mut data = String::new();
    let names = value("h")?;
    let names: Vec<&str> = names.split(':').collect();
    for (place, name) in names.iter().enumerate() {
        // §5.4.2: the instances of a field are named from the last one on.
        let before = names[..place].iter().filter(|other| other.eq_ignore_ascii_case(name)).count();
        let instance = lines.iter().rev().filter(|line| is_called(line, name)).nth(before);
        data.extend(instance.map(|line| format!("{}\r\n", field(line))));
    }
    let end = signature.rfind("b=").unwrap() + 2;
    data.push_str(&field(&signature[..end]));
    let (data, b) = (bytes(&data), STANDARD.decode(value("b")?).unwrap());
    let is_good = keys.iter().any(|key| match (key, value("a").unwrap().as_str()) {
        (Key::Rsa(key), "rsa-sha256") => {
            signature::UnparsedPublicKey::new(&signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, key)
                .verify(&data, &b)
                .is_ok()
        }
        (Key::Ed25519(key), "ed25519-sha256") => {
            signature::UnparsedPublicKey::new(&signature::ED25519, key).verify(&sha256(&data), &b).is_ok()
        }
        _ => false,
    });
    if is_good { Ok(()) } else { Err(format!("a bad signature: {signature}")) }
}
