//! Letters of an mbox file: our own come back byte for byte, those of others as others meant them.

use std::io::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};

use mail::{Flags, UnixTime};
use proptest::prelude::*;

use super::*;
use crate::tools::mbox::{Marks, Quoter, separator, status};

/// A file that goes when its test ends.
struct File(PathBuf);

impl File {
    fn of(bytes: &[u8]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("tegami-mbox-{}-{number}", std::process::id()));
        fs::write(&path, bytes).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
    }
}

fn letters(mbox: &[u8]) -> Vec<(Stamp, Vec<u8>)> {
    let file = File::of(mbox);
    let mut reader = Reader::open(&file.0, 0).unwrap();
    let mut found = Vec::new();
    while let Some(stamp) = reader.next().unwrap() {
        let mut letter = Vec::new();
        let mut piece = Vec::new();
        while reader.read(&mut piece).unwrap() {
            letter.extend_from_slice(&piece);
        }
        found.push((stamp, letter));
        // Reading can begin behind every letter.
        let position = reader.position();
        reader = Reader::open(&file.0, position).unwrap();
    }
    found
}

fn texts(mbox: &[u8]) -> Vec<String> {
    letters(mbox).into_iter().map(|(_, letter)| String::from_utf8(letter).unwrap()).collect()
}

fn written(letters: &[(Marks, Vec<u8>)]) -> Vec<u8> {
    let mut mbox = Vec::new();
    for (number, (marks, letter)) in (0..).zip(letters) {
        mbox.write_all(separator(None, UnixTime(number)).as_bytes()).unwrap();
        mbox.write_all(status(marks).as_bytes()).unwrap();
        let mut quoter = Quoter::new(&mut mbox);
        quoter.write(letter).unwrap();
        quoter.finish().unwrap();
        mbox.push(b'\n');
    }
    mbox
}

#[test]
fn letters_of_others_are_told_apart_and_get_the_line_ends_of_mail() {
    let mbox = "From a@b.test Sat Nov 14 06:23:01 2026\nSubject: 1\nStatus: RO\nX-Status: A\n\n>From me\n>>From\nFrom you\n\n\
                From - Sun Nov 15 06:23:01 2026\nSubject: 2\n\nlast line\n";
    let found = letters(mbox.as_bytes());
    let expected = [
        "Subject: 1\r\nStatus: RO\r\nX-Status: A\r\n\r\nFrom me\r\n>>From\r\nFrom you\r\n",
        "Subject: 2\r\n\r\nlast line\r\n",
    ];
    assert_eq!(texts(mbox.as_bytes()), expected);
    assert_eq!(found[0].0.flags, Flags::SEEN.with(Flags::ANSWERED));
    assert_eq!(found[1].0.received, Some(UnixTime(1_794_637_381 + 86_400)));
    assert_eq!(texts(mbox.replace('\n', "\r\n").as_bytes()), expected);
}

#[test]
fn every_end_of_a_file_ends_a_letter() {
    let line = "From - Sat Nov 14 06:23:01 2026\n";
    for (rest, expected) in [
        ("", ""),
        ("\n", ""),
        ("\n\n", "\r\n"),
        ("a", "a"),
        ("a\n", "a\r\n"),
        ("a\n\n", "a\r\n"),
        ("a\n\n\n", "a\r\n\r\n"),
        (">", ">"),
        (">From", ">From"),
        (">From ", "From "),
    ] {
        assert_eq!(texts(format!("{line}{rest}").as_bytes()), [expected], "{rest:?}");
    }
    assert_eq!(texts(format!("{line}{line}").as_bytes()), ["", ""]);
    assert!(letters(b"").is_empty());
    let not_one = File::of(b"Subject: x\n\n");
    assert!(Reader::open(&not_one.0, 0).unwrap().next().is_err());
}

#[test]
fn lines_longer_than_every_buffer_are_read() {
    for len in [PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES] {
        for end in ["\n", "\n\n", ""] {
            let letter = format!("{}\n{}{end}", ">".repeat(len), "x".repeat(len)).into_bytes();
            let own =
                letters(&written(&[(Marks::default(), letter.clone()), (Marks::default(), b"y".to_vec())]));
            assert!(own[0].1 == letter && own[1].1 == b"y", "{len} {end:?}");
            let foreign = [b"From - Sat Nov 14 06:23:01 2026\n".as_slice(), &letter, b"\n"].concat();
            let expected = String::from_utf8(letter).unwrap().replace('\n', "\r\n");
            let found = texts(&foreign);
            assert!(found[0].trim_end() == expected.trim_end(), "{len} {end:?}");
        }
    }
}

proptest! {
    #[test]
    fn what_our_export_wrote_comes_back(
        letters_written in prop::collection::vec(("(From |>|a|\n|\r|Status: R\n|X-Status: \n){0,30}", any::<u8>()), 1..5)
    ) {
        let letters_written: Vec<(Marks, Vec<u8>)> = letters_written
            .into_iter()
            .map(|(text, flags)| {
                let keywords = if flags > 127 { vec!["$Junk".to_owned(), "x".to_owned()] } else { Vec::new() };
                (Marks { flags: Flags(u64::from(flags) & Flags::SYSTEM.0), keywords }, text.into_bytes())
            })
            .collect();
        let found = letters(&written(&letters_written));
        prop_assert_eq!(found.len(), letters_written.len());
        for (number, ((stamp, letter), (marks, text))) in (0..).zip(found.iter().zip(&letters_written)) {
            prop_assert_eq!(letter, text);
            prop_assert_eq!((stamp.flags, &stamp.keywords), (marks.flags, &marks.keywords));
            prop_assert_eq!(stamp.received, Some(UnixTime(number)));
        }
    }

    #[test]
    fn no_bytes_are_too_strange(bytes in "(From - Sat Nov 14 06:23:01 2026\n|From |>|a|\r|\n|Status: ){0,40}") {
        let mbox = [b"From x\n".as_slice(), bytes.as_bytes()].concat();
        letters(&mbox);
    }
}
