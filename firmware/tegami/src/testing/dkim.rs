//! Verifies the DKIM signatures of a letter with the records that belong to them, as RFC 6376 §6.1 says.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    digest::{SHA256, digest},
    signature::{ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey},
};
use rsa::{pkcs1::EncodeRsaPublicKey as _, pkcs8::DecodePublicKey as _};

use crate::dkim::Record;

/// How many signatures for `domain` a letter has, all of which are good.
///
/// # Errors
/// What is wrong with one of them.
pub(crate) fn verify(letter: &str, domain: &str, records: &[Record]) -> Result<usize, String> {
    let (head, body) = letter.split_once("\r\n\r\n").ok_or("no empty line")?;
    let unfolded = head.replace("\r\n\t", " ").replace("\r\n ", " ");
    let lines: Vec<&str> = unfolded.split("\r\n").collect();
    let signatures: Vec<&&str> = lines.iter().filter(|line| is_called(line, "DKIM-Signature")).collect();
    for signature in &signatures {
        if tag(signature, "d") != domain {
            return Err(format!("not for {domain}: {signature}"));
        }
        verify_one(&lines, signature, body, records)?;
    }
    Ok(signatures.len())
}

fn verify_one(lines: &[&str], signature: &str, body: &str, records: &[Record]) -> Result<(), String> {
    if tag(signature, "bh") != STANDARD.encode(digest(&SHA256, relaxed_body(body).as_bytes())) {
        return Err(format!("the body is another one: {signature}"));
    }
    let names = tag(signature, "h");
    let names: Vec<&str> = names.split(':').collect();
    let mut data = String::new();
    for (place, name) in names.iter().enumerate() {
        // §5.4.2: the instances of a field are named from the last one on.
        let before = names.iter().take(place).filter(|other| other.eq_ignore_ascii_case(name)).count();
        let instance = lines.iter().rev().filter(|line| is_called(line, name)).nth(before);
        data.extend(instance.map(|line| format!("{}\r\n", relaxed(line))));
    }
    let (unsigned, _) = signature.rsplit_once("b=").ok_or("no b=")?;
    data.push_str(&relaxed(&format!("{unsigned}b=")));
    let b = STANDARD.decode(tag(signature, "b")).map_err(|error| error.to_string())?;
    let name = format!("{}._domainkey", tag(signature, "s"));
    let record = records.iter().find(|record| record.name == name).ok_or("no such key")?;
    let key = STANDARD.decode(tag(&format!(":{}", record.value), "p")).map_err(|error| error.to_string())?;
    let is_good = if tag(signature, "a") == "rsa-sha256" {
        let key = rsa::PublicKey::from_public_key_der(&key).unwrap().to_pkcs1_der().unwrap();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.as_bytes()).verify(data.as_bytes(), &b)
    } else {
        UnparsedPublicKey::new(&ED25519, key).verify(digest(&SHA256, data.as_bytes()).as_ref(), &b)
    };
    is_good.map_err(|_| format!("a bad signature: {signature}"))
}

/// The value of a tag, without blanks.
fn tag(field: &str, name: &str) -> String {
    let (_, list) = field.split_once(':').unwrap_or_default();
    let mut tags = list.split(';').filter_map(|tag| tag.split_once('='));
    let value = tags.find(|(own, _)| own.trim() == name).map_or("", |(_, value)| value);
    value.split_ascii_whitespace().collect()
}

fn is_called(line: &str, name: &str) -> bool {
    line.split_once(':').is_some_and(|(own, _)| own.trim_end().eq_ignore_ascii_case(name))
}

/// §3.4.2.
fn relaxed(line: &str) -> String {
    let (name, value) = line.split_once(':').unwrap_or_default();
    let words: Vec<&str> = value.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
    format!("{}:{}", name.trim_end().to_ascii_lowercase(), words.join(" "))
}

/// §3.4.4.
fn relaxed_body(body: &str) -> String {
    let line = |line: &str| {
        let words: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        let blank = if line.starts_with([' ', '\t']) && !words.is_empty() { " " } else { "" };
        format!("{blank}{}\r\n", words.join(" "))
    };
    let mut lines: Vec<String> = body.split("\r\n").map(line).collect();
    while lines.pop_if(|line| line == "\r\n").is_some() {}
    lines.concat()
}
