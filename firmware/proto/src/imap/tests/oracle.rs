//! Everything that the server says in the transcripts, read by an independent implementation.

extern crate std;

use imap_codec::{GreetingCodec, ResponseCodec, decode::Decoder};

use super::*;
use crate::testing::unescape;

/// What the server says to the client's side of a transcript.
fn played(text: &str) -> Vec<u8> {
    let settings: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("-- with ")).collect();
    let (session, mail) = open_with(|word| settings.contains(&word));
    let mut driver = Driver::new(session, mail);
    for line in text.lines() {
        match line.split_at_checked(2).unwrap_or((line, "")) {
            ("C:", rest) => driver.send(format!("{}\r\n", rest.strip_prefix(' ').unwrap_or(rest)).as_bytes()),
            ("C=", rest) => driver.send(&unescape(&rest[1..])),
            ("--", rest) => {
                driver.mail.direct(rest.trim());
            }
            _ => {}
        }
    }
    driver.received()
}

#[test]
fn another_implementation_understands_all_that_is_said() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/imap/transcripts");
    let mut understood = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let said = played(&std::fs::read_to_string(&path).unwrap());
        let mut rest = said.as_slice();
        if let Ok((after, _)) = GreetingCodec::default().decode(rest) {
            rest = after;
        }
        while !rest.is_empty() {
            match ResponseCodec::default().decode(rest) {
                Ok((after, _)) => rest = after,
                Err(error) => panic!("{}: {error:?}\n{}", path.display(), rest.escape_ascii()),
            }
            understood += 1;
        }
    }
    assert!(understood > 300, "{understood}");
}
