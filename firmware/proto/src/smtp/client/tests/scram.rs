//! Log-ins by proof, with servers that are honest and servers that are not. The exchange is that of RFC 7677 §3.

use alloc::{borrow::ToOwned, format, string::String, vec::Vec};

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{Config, SmtpClient, Tls, config, driver, login, result};
use crate::{
    smtp::client::limits::{SCRAM_NONCE_BYTES_MAX, SCRAM_ROUNDS_MAX, SCRAM_SALT_BYTES_MAX},
    testing::{Driver, Waiting},
};

const CLIENT_FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const SERVER_FIRST: &str =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const CLIENT_FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
    p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const SERVER_FINAL: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

fn line(begin: &str, message: &str) -> String {
    format!("{begin}{}\r\n", STANDARD.encode(message))
}

/// A session that has begun to log in.
fn begun() -> Driver<SmtpClient> {
    begun_with("user", &line("AUTH SCRAM-SHA-256 ", CLIENT_FIRST))
}

/// The same with another name and what must be said to it.
fn begun_with(name: &str, said: &str) -> Driver<SmtpClient> {
    let login = Some(login(name, "pencil"));
    let mut driver = driver(Config { tls: Tls::Implicit, login, ..config() });
    driver.send(b"220 mx.test ESMTP\r\n");
    driver.send(b"250-mx.test\r\n250 AUTH PLAIN SCRAM-SHA-256\r\n");
    let said = format!("EHLO mail.example.test\r\n{said}");
    assert_eq!(driver.received(), said.as_bytes());
    driver
}

/// One that has sent its proof.
fn proven() -> Driver<SmtpClient> {
    let mut driver = begun();
    driver.send(line("334 ", SERVER_FIRST).as_bytes());
    assert_eq!(driver.received(), line("", CLIENT_FINAL).as_bytes());
    assert_eq!(driver.proofs_made, 1);
    driver
}

#[test]
fn challenges_that_are_none_are_not_answered() {
    let long = |nonce: usize, salt: usize| {
        let (nonce, salt) = ("x".repeat(nonce), STANDARD.encode("s".repeat(salt)));
        format!("r=rOprNGfwEbeRWgbNEkqO{nonce},s={salt},i=4096")
    };
    for (message, breach) in [
        ("", "Challenge"),
        ("hello", "Challenge"),
        ("r=rOprNGfwEbeRWgbNEkqOx", "Challenge"),
        ("r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096", "Challenge"),
        ("r=rOprNGfwEbeRWgbNEkqOx,s=!,i=4096", "Challenge"),
        ("r=rOprNGfwEbeRWgbNEkqOx,i=4096,s=QSXCR+Q6sek8bf92", "Challenge"),
        ("m=new,r=rOprNGfwEbeRWgbNEkqOx,s=QSXCR+Q6sek8bf92,i=4096", "Challenge"),
        ("r=rOprNGfwEbeRWgbNEkqOx,s=QSXCR+Q6sek8bf92,i=", "Challenge"),
        ("r=rOprNGfwEbeRWgbNEkqOx,s=QSXCR+Q6sek8bf92,i=-1", "Challenge"),
        ("r=rOprNGfwEbeRWgbNEkqOx,s=QSXCR+Q6sek8bf92,i=0", "Rounds"),
        ("r=rOprNGfwEbeRWgbNEkqOx,s=QSXCR+Q6sek8bf92,i=2147483648", "Rounds"),
        ("r=rOprNGfwEbeRWgbNEkqOx,s=QSXCR+Q6sek8bf92,i=99999999999999999999999", "Rounds"),
        (&format!("r=rOprNGfwEbeRWgbNEkqOx,s=QSXCR+Q6sek8bf92,i={}", SCRAM_ROUNDS_MAX + 1), "Rounds"),
        // Nobody's nonce, somebody else's, and its own with nothing added, or something that cannot be.
        ("r=,s=QSXCR+Q6sek8bf92,i=4096", "Nonce"),
        ("r=ROprNGfwEbeRWgbNEkqOx,s=QSXCR+Q6sek8bf92,i=4096", "Nonce"),
        ("r=rOprNGfwEbeRWgbNEkqO,s=QSXCR+Q6sek8bf92,i=4096", "Nonce"),
        ("r=rOprNGfwEbeRWgbNEkqOx\r\nRSET,s=QSXCR+Q6sek8bf92,i=4096", "Nonce"),
        (&long(SCRAM_NONCE_BYTES_MAX + 1, 16), "Nonce"),
        (&long(16, SCRAM_SALT_BYTES_MAX + 1), "Challenge"),
        // The last message in place of the first.
        (SERVER_FINAL, "Challenge"),
    ] {
        let mut driver = begun();
        driver.send(line("334 ", message).as_bytes());
        assert_eq!(result(&mut driver).1, format!("Breach Auth {breach}"), "{message}");
        assert_eq!((driver.received(), driver.proofs_made), (Vec::new(), 0));
    }
    for line in ["334 \r\n", "334 !\r\n", "334-QQ==\r\n334 QQ==\r\n", "334 /w==\r\n", "334 QQ=\r\n"] {
        let mut driver = begun();
        driver.send(line.as_bytes());
        assert_eq!(result(&mut driver).1, "Breach Auth Challenge", "{line}");
    }
}

#[test]
fn challenges_at_the_limits_are_answered() {
    let (nonce, salt) =
        ("x".repeat(SCRAM_NONCE_BYTES_MAX), STANDARD.encode("s".repeat(SCRAM_SALT_BYTES_MAX)));
    for message in [
        format!("r=rOprNGfwEbeRWgbNEkqO{nonce},s={salt},i=1"),
        "r=rOprNGfwEbeRWgbNEkqOx,s=QSXCR+Q6sek8bf92,i=1,x=an extension that is not mandatory".to_owned(),
    ] {
        let mut driver = begun();
        driver.send(line("334 ", &message).as_bytes());
        assert_eq!((driver.proofs_made, driver.waiting), (1, Waiting::Input));
    }
}

#[test]
fn a_server_that_does_not_know_the_password_is_left() {
    for (said, breach) in [
        // A signature of one bit less, none at all, and success without one.
        (line("334 ", "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G0="), "Signature"),
        (line("334 ", "v="), "Signature"),
        (line("334 ", "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95A=="), "Signature"),
        ("235 2.7.0 Welcome\r\n".to_owned(), "Signature"),
        (line("235 ", SERVER_FINAL), "Signature"),
        (line("334 ", ""), "Challenge"),
        (line("334 ", SERVER_FIRST), "Challenge"),
    ] {
        let mut driver = proven();
        driver.send(said.as_bytes());
        assert_eq!(result(&mut driver).1, format!("Breach Auth {breach}"), "{said}");
        assert_eq!(driver.received(), b"");
    }
    // Before anything was proven.
    let mut driver = begun();
    driver.send(b"235 2.7.0 Welcome\r\n");
    assert_eq!(result(&mut driver).1, "Breach Auth Signature");
}

#[test]
fn an_error_of_the_server_needs_its_refusal() {
    let mut driver = proven();
    driver.send(line("334 ", "e=invalid-proof").as_bytes());
    assert_eq!(driver.received(), b"\r\n");
    driver.send(b"535 5.7.8 Wrong\r\n");
    assert_eq!(result(&mut driver).1, "Refused Auth 535 5.7.8 Wrong");
    let mut driver = proven();
    driver.send(line("334 ", "e=invalid-proof").as_bytes());
    driver.send(b"235 2.7.0 Welcome all the same\r\n");
    assert_eq!(result(&mut driver).1, "Breach Auth Signature");
    // And one challenge too many.
    let mut driver = proven();
    driver.send(line("334 ", SERVER_FINAL).as_bytes());
    driver.send(line("334 ", SERVER_FINAL).as_bytes());
    assert_eq!(result(&mut driver).1, "Breach Auth Challenge");
}

#[test]
fn names_are_escaped_and_long_ones_wait() {
    let mut driver =
        begun_with("a=b,c", &line("AUTH SCRAM-SHA-256 ", "n,,n=a=3Db=2Cc,r=rOprNGfwEbeRWgbNEkqO"));
    driver.send(b"535 5.7.8 Wrong\r\n");
    assert_eq!(driver.received(), b"QUIT\r\n");
    let name = "n".repeat(400);
    let mut driver = begun_with(&name, "AUTH SCRAM-SHA-256\r\n");
    driver.send(b"334 \r\n");
    let first = line("", &CLIENT_FIRST.replace("user", &name));
    assert_eq!(driver.received(), first.as_bytes());
    driver.send(line("334 ", SERVER_FIRST).as_bytes());
    assert_eq!(driver.proofs_made, 1);
}
