//! Large mailboxes and letters, hostile clients: bounded output, bounded memory, bounded work in each turn.

use alloc::vec;

use proptest::prelude::*;

use super::*;
use crate::{Input, Io, Output, Session, Want, limits::OUTPUT_BYTES_SOFT_MAX};

/// What one message may add to a full buffer: its envelope and its structure in both forms.
const PENDING_BYTES_MAX: usize = OUTPUT_BYTES_SOFT_MAX + 3 * mail::limits::SUMMARY_BYTES_MAX;

/// A mailbox of so many small letters.
fn many(count: u32) -> Driver<ImapSession> {
    let mut mail = FakeMail::new();
    let mailbox = mail.mailbox_of(ALICE, "INBOX");
    let plain = summary(PLAIN);
    for number in 0..count {
        let flags = if number % 2 == 0 { Flags::DELETED } else { Flags::SEEN };
        mail.deliver(mailbox, flags, PLAIN, &plain);
    }
    inbox(mail)
}

fn lines(said: &str) -> usize {
    said.matches("\r\n").count()
}

#[test]
fn long_answers_come_in_pieces() {
    let mut driver = many(3_000);
    let said = say(&mut driver, "a FETCH 1:* (UID FLAGS)");
    assert_eq!(lines(&said), 3_001);
    assert!(said.starts_with("* 1 FETCH (UID 1 FLAGS (\\Deleted \\Recent))\r\n"));
    let said = say(&mut driver, "a FETCH 1:* (ENVELOPE BODYSTRUCTURE FLAGS UID)");
    assert_eq!(lines(&said), 3_001);
    let said = say(&mut driver, "a SEARCH ALL");
    assert_eq!(lines(&said), 2);
    assert!(said.contains(" 2999 3000\r\n"));
    let said = say(&mut driver, "a STORE 1:* +FLAGS (\\Flagged)");
    assert_eq!(lines(&said), 3_001);
    assert_eq!(say(&mut driver, "a STORE 1:* -FLAGS.SILENT (\\Flagged)"), "a OK Stored\r\n");
    let said = say(&mut driver, "a EXPUNGE");
    assert_eq!(lines(&said), 1_501);
    assert!(said.starts_with("* 1 EXPUNGE\r\n* 2 EXPUNGE\r\n* 3 EXPUNGE\r\n"));
    assert!(driver.pending_output_max <= PENDING_BYTES_MAX, "{}", driver.pending_output_max);
}

#[test]
fn large_changes_are_made_a_share_at_a_time() {
    let mut driver = many(20_000);
    assert_eq!(say(&mut driver, "a STORE 1:* FLAGS.SILENT (\\Deleted)"), "a OK Stored\r\n");
    let said = say(&mut driver, "a EXPUNGE");
    assert_eq!(lines(&said), 20_001);
    assert!(said.ends_with("* 1 EXPUNGE\r\na OK Removed\r\n"));
}

#[test]
fn a_large_letter_is_streamed() {
    let mut mail = FakeMail::new();
    let mailbox = mail.mailbox_of(ALICE, "INBOX");
    let letter = [b"Subject: x\r\n\r\n".as_slice(), &vec![b'('; 1_000_000]].concat();
    deliver(&mut mail, mailbox, Flags::NONE, &letter);
    let mut driver = inbox(mail);
    driver.send(b"a FETCH 1 (BODY.PEEK[] BODY.PEEK[TEXT] UID)\r\n");
    let expected = [
        format!("* 1 FETCH (UID 1 BODY[] {{{}}}\r\n", letter.len()).as_bytes(),
        &letter,
        b" BODY[TEXT] {1000000}\r\n",
        &letter[14..],
        b")\r\na OK That is all\r\n",
    ]
    .concat();
    assert!(driver.received() == expected);
    assert!(driver.pending_output_max <= OUTPUT_BYTES_SOFT_MAX + 100, "{}", driver.pending_output_max);
}

#[test]
fn a_letter_of_any_bytes_is_given_out_by_count() {
    // As SMTP keeps one that was announced with BINARYMIME (RFC 3030).
    let letter = b"Subject: x\r\n\r\n\0\r\n.\r\n)\n\r\r\n\xff no line end\r";
    let mut mail = FakeMail::new();
    let mailbox = mail.mailbox_of(ALICE, "INBOX");
    deliver(&mut mail, mailbox, Flags::NONE, letter);
    let mut driver = inbox(mail);
    driver.send(b"a FETCH 1 (BODY.PEEK[] RFC822.SIZE)\r\n");
    let expected = [
        format!("* 1 FETCH (RFC822.SIZE {0} BODY[] {{{0}}}\r\n", letter.len()).as_bytes(),
        letter,
        b")\r\na OK That is all\r\n",
    ]
    .concat();
    assert_eq!(driver.received(), expected);
}

#[test]
fn a_header_beyond_what_the_metadata_holds_is_read_from_the_letter() {
    let mut mail = FakeMail::new();
    let mailbox = mail.mailbox_of(ALICE, "INBOX");
    let filler = "X-Filler: 0123456789\r\n".repeat(1_000);
    let letter = format!("Subject: first\r\n{filler}X-Last: far down\r\n\r\nBody\r\n");
    deliver(&mut mail, mailbox, Flags::NONE, letter.as_bytes());
    let mut driver = inbox(mail);
    assert_eq!(
        say(&mut driver, "a FETCH 1 (BODY.PEEK[HEADER.FIELDS (X-Last)] BODY.PEEK[TEXT])"),
        "* 1 FETCH (BODY[HEADER.FIELDS (X-Last)] {20}\r\nX-Last: far down\r\n\r\n BODY[TEXT] {6}\r\nBody\r\n)\r\n\
         a OK That is all\r\n"
    );
    for search in ["HEADER X-Last far", "TEXT \"far down\"", "NOT HEADER X-None \"\""] {
        assert_eq!(
            say(&mut driver, &format!("a SEARCH {search}")),
            "* SEARCH 1\r\na OK That is all\r\n",
            "{search}"
        );
    }
    assert_eq!(say(&mut driver, "a SEARCH HEADER X-Last near"), "* SEARCH\r\na OK That is all\r\n");
}

#[test]
fn many_pieces_of_one_letter_do_not_pile_up() {
    let mut mail = FakeMail::new();
    let mailbox = mail.mailbox_of(ALICE, "INBOX");
    let letter = format!("{}\r\nBody\r\n", "X-Filler: 0123456789\r\n".repeat(700));
    deliver(&mut mail, mailbox, Flags::NONE, letter.as_bytes());
    let mut driver = inbox(mail);
    let pieces: Vec<_> = (0..100).map(|from| format!("BODY.PEEK[HEADER]<{from}.15000>")).collect();
    let said = say(&mut driver, &format!("a FETCH 1 ({})", pieces.join(" ")));
    assert!(said.len() > 100 * 15_000 && said.ends_with(")\r\na OK That is all\r\n"));
    assert!(driver.pending_output_max <= PENDING_BYTES_MAX, "{}", driver.pending_output_max);
}

#[test]
fn damage_within_an_announced_literal_drops_the_connection() {
    let mut mail = FakeMail::new();
    put_letters(&mut mail);
    let mut driver = inbox(mail);
    // Beyond what is sent at once: the literal is on its way when the damage is met.
    driver.mail.damaged_from = Some(40_000);
    let said = say(&mut driver, "a FETCH 4 BODY.PEEK[]");
    assert!(said.starts_with("* 4 FETCH (BODY[] {65046}\r\n"));
    assert!(said.len() < 65_046 && !said.contains("a NO") && !said.contains("BYE"));
    assert!(driver.is_closed());
}

#[test]
fn a_letter_without_a_readable_summary_is_scanned_anew() {
    let mut mail = FakeMail::new();
    let mailbox = mail.mailbox_of(ALICE, "INBOX");
    for letter in [MIXED, PLAIN] {
        mail.deliver(mailbox, Flags::NONE, letter, b"\xff another version");
    }
    let mut driver = inbox(mail);
    let said = say(&mut driver, "a FETCH 1:2 (ENVELOPE BODY.PEEK[TEXT]<0.5> BODY.PEEK[2.TEXT])");
    assert!(
        said.contains("\"two parts\"") && said.contains("BODY[2.TEXT] {15}\r\nThe inner text."),
        "{said}"
    );
    assert!(said.ends_with("BODY[TEXT]<0> {5}\r\nShall BODY[2.TEXT] NIL)\r\na OK That is all\r\n"), "{said}");
    assert_eq!(say(&mut driver, "a SEARCH BODY inner"), "* SEARCH 1\r\na OK That is all\r\n");
}

#[test]
fn plaintext_behind_starttls_is_never_run() {
    let mut driver = Driver::new(session(PEER), FakeMail::new());
    driver.received();
    // All in one piece, as somebody in the middle would add it.
    driver.send(b"a STARTTLS\r\nb LOGIN alice \"secret of alice\"\r\nc SELECT INBOX\r\n");
    assert_eq!(driver.received(), b"a OK Begin TLS now\r\n");
    assert_eq!(driver.tls_started, 1);
    assert_eq!(say(&mut driver, "d SELECT INBOX"), "d BAD Log in first\r\n");
}

#[test]
fn a_handshake_that_did_not_happen_ends_the_session() {
    let mut session = session(PEER);
    let (mut output, mut mail) = (Output::new(), FakeMail::new());
    let mut step = |bytes: &[u8]| {
        let mut input = Input::new(bytes);
        session.step(&mut Io { input: &mut input, output: &mut output, answer: None, now: NOW }, &mut mail)
    };
    assert!(matches!(step(b"a STARTTLS\r\n"), Want::StartTls));
    assert!(matches!(step(b"b NOOP\r\n"), Want::Close));
}

#[test]
fn huge_sets_cost_no_more_than_the_mailbox_is_large() {
    let mut driver = many(10);
    let said = say(&mut driver, "a UID FETCH 5,1:4294967295,4294967290:*,3,1:4294967295 UID");
    assert_eq!(lines(&said), 11);
    let set = vec!["1:4294967295"; 4_000].join(",");
    assert_eq!(lines(&say(&mut driver, &format!("a UID FETCH {set} UID"))), 11);
    assert_eq!(lines(&say(&mut driver, &format!("a UID SEARCH UID {set} NOT UID {}", &set[..12]))), 2);
}

#[test]
fn an_unread_output_stops_the_session() {
    let mut driver = many(3_000);
    let mut output = Output::new();
    let (session, mail) = (&mut driver.session, &mut driver.mail);
    let bytes = b"a FETCH 1:* ENVELOPE\r\nb FETCH 1:* ENVELOPE\r\n";
    let mut input = Input::new(bytes);
    for _ in 0..100 {
        let want =
            session.step(&mut Io { input: &mut input, output: &mut output, answer: None, now: NOW }, mail);
        assert!(matches!(want, Want::Room));
    }
    assert!(output.pending().len() <= PENDING_BYTES_MAX);
    assert!(input.taken() < bytes.len(), "the second command waits in the input");
}

#[test]
fn many_small_commands_share_the_time() {
    let mut driver = many(10);
    let mut output = Output::new();
    let bytes = b"a NOOP\r\n".repeat(2_000);
    let mut input = Input::new(&bytes);
    let mut io = Io { input: &mut input, output: &mut output, answer: None, now: NOW };
    let want = driver.session.step(&mut io, &mut driver.mail);
    assert!(matches!(want, Want::Turn | Want::Room));
    assert!(!io.input.is_empty());
}

/// Lines that look like commands, and bytes that do not.
fn any_input() -> impl Strategy<Value = Vec<u8>> {
    let verb = "(FETCH|SEARCH|UID FETCH|STORE|COPY|MOVE|EXPUNGE|SELECT|LIST|STATUS|APPEND|IDLE|DONE|NOOP|CLOSE|CREATE)";
    let line = (verb, "( (1|2:4|\\*|1:\\*|INBOX|Work|\"\"))?", "( (FLAGS|BODY\\[\\]|\\+FLAGS \\\\Seen|Trash|%|ALL|\\(UID BODY\\[2\\]<0\\.9>\\)|TEXT e|\\{3\\+?\\}))?")
        .prop_map(|(verb, one, two)| format!("a {verb}{one}{two}\r\n").into_bytes());
    let piece = prop_oneof![4 => line, 1 => any::<Vec<u8>>(), 1 => Just(b"abc\r\n".to_vec())];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Nothing panics, output stays bounded, and it does not matter how the bytes are cut.
    #[test]
    fn no_input_is_too_strange(bytes in any_input(), size in 1_usize..50) {
        let run = |size: usize| {
            let mut mail = FakeMail::new();
            put_letters(&mut mail);
            let mut driver = inbox(mail);
            for piece in bytes.chunks(size) {
                if !driver.is_closed() {
                    driver.send(piece);
                }
            }
            assert!(driver.pending_output_max <= PENDING_BYTES_MAX);
            driver.received()
        };
        prop_assert_eq!(run(size), run(bytes.len().max(1)));
    }

    #[test]
    fn partial_fetches_are_what_a_plain_model_says(
        offset in 0_usize..300, len in 1_usize..300, whole in any::<bool>(), chunk in 1_usize..64, cold in 0_u32..4,
    ) {
        let mut mail = FakeMail::new();
        put_letters(&mut mail);
        let mut driver = inbox(mail);
        driver.mail.read_bytes_max = Some(chunk);
        driver.mail.cold = cold;
        let (section, text) = if whole { ("", PLAIN) } else { ("TEXT", &PLAIN[201..]) };
        let said = say(&mut driver, &format!("a FETCH 1 BODY.PEEK[{section}]<{offset}.{len}>"));
        let start = offset.min(text.len());
        let part = String::from_utf8_lossy(&text[start..(start + len).min(text.len())]).into_owned();
        let literal = if part.is_empty() { "\"\"".to_owned() } else { format!("{{{}}}\r\n{part}", part.len()) };
        prop_assert_eq!(said, format!("* 1 FETCH (BODY[{section}]<{offset}> {literal})\r\na OK That is all\r\n"));
    }
}
