//! Signatures of letters on their way out, verified by a program that nobody here wrote, behind a real Postfix.

#![expect(clippy::expect_used, reason = "a test fails by panicking; so do its helpers")]

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};
use tests::hosted::scratch;
use tests::letters::{JAPANESE, short};
use tests::outbound::{Outbox, SOON, Tables};
use tests::packages;
use tests::postfix::Postfix;
use tests::process::{Finished, run};
use tests::site::Service;
use tests::tidy::tree::repository;

/// One run of the verifier.
const VERIFY_MAX: Duration = Duration::from_secs(60);

/// Waits until the domain has keys.
fn wait_for_keys(outbox: &Outbox) {
    let deadline = Instant::now() + SOON;
    while !outbox.console().contains("example.test has new DKIM keys") {
        assert!(Instant::now() < deadline, "{}", outbox.console());
        thread::sleep(Duration::from_millis(50));
    }
}

/// Has dkimpy verify these letters with these records.
fn verified(name: &str, zone: &str, letters: &[&[u8]]) -> Finished {
    packages::ensure_dkim();
    let folder = scratch().join(name);
    fs::create_dir_all(&folder).expect("a folder can be made");
    fs::write(folder.join("zone"), zone).expect("its files can be written");
    let mut command = Command::new("/usr/bin/python3");
    command.arg(repository().join("tests/python/dkim_verify.py")).arg(folder.join("zone"));
    for (number, letter) in letters.iter().enumerate() {
        let path = folder.join(format!("{number}.eml"));
        fs::write(&path, letter).expect("its files can be written");
        command.arg(path);
    }
    run(&mut command, VERIFY_MAX)
}

/// The letter with Alice for its author.
fn by_alice(letter: &[u8]) -> Vec<u8> {
    let begin = letter.windows(6).position(|bytes| bytes == b"From: ").expect("an author");
    let end = begin + letter[begin..].windows(2).position(|bytes| bytes == b"\r\n").expect("a line's end");
    [&letter[..begin], b"From: =?utf-8?B?44GC44KT?= <alice@example.test>", &letter[end..]].concat()
}

/// Odd ends and blanks, whatever Japanese mail has, and a header that the box does not keep in memory.
fn letters() -> Vec<Vec<u8>> {
    let to: String = (0..1_000).map(|number| format!(",\r\n user{number}@out.test")).collect();
    let many = format!("From: x\r\nTo: far@out.test{to}\r\nSubject: many\r\n\r\nHello.\r\n");
    let mut letters = vec![
        short("blanks", "a \t b \r\n \r\n\r\n.\r\n..\r\n\tend \r\n\r\n"),
        short("nothing", ""),
        many.into_bytes(),
    ];
    letters.extend(JAPANESE.iter().map(|(_, letter)| letter.to_vec()));
    letters.iter().map(|letter| by_alice(letter)).collect()
}

#[test]
fn letters_arrive_with_signatures_that_others_verify() {
    let postfix = Postfix::builder("mx.out.test").keeps("out.test").start();
    let tables = Tables::new().route("out.test", postfix.site.at(Service::Smtp), "none");
    let mut outbox = Outbox::started("dkim", &tables);
    wait_for_keys(&outbox);
    let letters = letters();
    letters.iter().for_each(|letter| outbox.submit(&["far@out.test"], letter));
    let kept = postfix.wait_for(letters.len(), SOON);
    let kept: Vec<&[u8]> = kept.iter().map(|kept| kept.letter.as_slice()).collect();
    let zone = outbox.dkim();
    let said = verified("dkim-good", &zone, &kept).success().text();
    let each = "example.test rsa-sha256\nexample.test ed25519-sha256\n2 good\n";
    assert_eq!(said, each.repeat(letters.len()));
    // And it can tell one that was changed.
    let changed = [kept[0], b"P.S.\r\n"].concat();
    assert_ne!(verified("dkim-changed", &zone, &[&changed]).status, 0);
}
