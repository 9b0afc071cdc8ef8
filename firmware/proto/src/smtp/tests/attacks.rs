//! Attacks by name. Each must cost the attacker the connection or the letter, and nobody else anything.

use alloc::{format, vec, vec::Vec};

use mail::limits::RECIPIENTS_MAX;
use proptest::prelude::*;

use super::{address, by_bdat, config, envelope, kept, port_25, port_465, session};
use crate::{
    Session, Want,
    limits::OUTPUT_BYTES_SOFT_MAX,
    smtp::{
        Mode, SmtpSession,
        limits::{
            COMMAND_BYTES_MAX, DISCARD_BYTES_MAX, RECIPIENT_COMMANDS_MAX, TRANSFER_MS_MAX,
            UNPRODUCTIVE_COMMANDS_MAX, UNPRODUCTIVE_MS_MAX,
        },
    },
    testing::{Driver, FakeMail, NOW, PEER},
};

/// What one reply may add to output that is just short of full.
const REPLY_BYTES_MAX: usize = 1024;

#[test]
fn commands_injected_behind_starttls_are_never_run() {
    for mode in [Mode::Mx, Mode::Submission] {
        let mut driver = Driver::new(session(mode, PEER, config()), FakeMail::new());
        driver.received();
        driver.send(b"STARTTLS\r\nHELO evil\r\nMAIL FROM:<forged@example.test>\r\nRSE");
        assert_eq!(driver.received(), b"220 2.0.0 Ready to start TLS\r\n");
        assert_eq!(driver.tls_started, 1);
        driver.send(b"T\r\nRCPT TO:<alice@example.test>\r\n");
        let said = driver.received();
        assert!(said.starts_with(b"500 5.5.2 ") && said.ends_with(b"503 5.5.1 Say MAIL first\r\n"));
    }
}

#[test]
fn a_log_in_injected_behind_starttls_is_never_tried() {
    let mut driver = Driver::new(session(Mode::Submission, PEER, config()), FakeMail::new());
    driver.received();
    driver.send(b"EHLO evil\r\nSTARTTLS\r\nAUTH PLAIN AGFsaWNlAHNlY3JldCBvZiBhbGljZQ==\r\n");
    driver.received();
    driver.send(b"EHLO victim\r\nMAIL FROM:<alice@example.test>\r\n");
    assert!(driver.received().ends_with(b"530 5.7.0 Log in first (AUTH)\r\n"));
}

#[test]
fn no_false_end_of_a_letter_is_one_wherever_it_is_cut() {
    for false_end in [
        &b"\n.\n"[..],
        b"\n.\r\n",
        b"\r\n.\n",
        b"\r.\r",
        b"\r.\r\n",
        b"\r\n.\r",
        b"\r\n.\r\r\n",
        b"\r\r\n.\r\r\n",
        b"\r\n\0.\r\n",
        b"\r\n.\0\r\n",
        b"\r\n.\r\0\n",
    ] {
        let smuggled =
            b"MAIL FROM:<forged@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nforged\r\n.\r\n";
        let attack = [b"lures", false_end, smuggled].concat();
        for cut in 0..=attack.len() {
            let mut driver = port_25();
            address(&mut driver, &["alice@example.test"]);
            driver.send(&attack[..cut]);
            driver.send(&attack[cut..]);
            let said = driver.received();
            assert_eq!(said.split(|byte| *byte == b'\n').count(), 2, "one reply: {}", said.escape_ascii());
            assert_eq!(driver.mail.messages("bob@example.test", "INBOX").len(), 0);
            let kept_by_alice = driver.mail.messages("alice@example.test", "INBOX").len();
            assert_eq!(kept_by_alice, usize::from(said.starts_with(b"250 ")));
        }
    }
}

#[test]
fn a_letter_smuggled_by_bdat_is_not_two() {
    // What would end a letter when this one is passed on by DATA, and what would be a second behind it.
    let smuggled =
        b"MAIL FROM:<forged@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nforged\r\n.\r\n";
    for false_end in
        [&b"\n.\n"[..], b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\r\n.\r\r\n"]
    {
        let letter = [b"lures", false_end, smuggled].concat();
        for cut in 0..=letter.len() {
            let mut driver = port_25();
            envelope(&mut driver, "", &["alice@example.test"]);
            driver.send(&[format!("BDAT {cut}\r\n").as_bytes(), &letter[..cut]].concat());
            driver.received();
            driver
                .send(&[format!("BDAT {} LAST\r\n", letter.len() - cut).as_bytes(), &letter[cut..]].concat());
            let said = driver.received();
            assert!(said.starts_with(b"550 5.6.0 "), "{cut}: {}", said.escape_ascii());
            assert_eq!(said.split(|byte| *byte == b'\n').count(), 2, "one reply: {}", said.escape_ascii());
            assert!(
                ["alice", "bob"].iter().all(|name| {
                    driver.mail.messages(&format!("{name}@example.test"), "INBOX").is_empty()
                })
            );
        }
    }
    // The end by the rules of DATA is text here, and kept.
    let letter = [b"lures\r\n.\r\n", &smuggled[..]].concat();
    let mut driver = port_25();
    envelope(&mut driver, "", &["alice@example.test"]);
    driver.send(&by_bdat(&letter, 10));
    assert_eq!(kept(&driver), letter);
    assert_eq!(driver.mail.messages("bob@example.test", "INBOX").len(), 0);
}

#[test]
fn the_bytes_of_a_refused_chunk_are_never_commands() {
    for before in [
        &b""[..],
        b"MAIL FROM:<>\r\n",
        b"MAIL FROM:<>\r\nRCPT TO:<nobody@example.test>\r\n",
        b"MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nBDAT 5 NEVER\r\nab\r\n\n",
    ] {
        let chunk = b"MAIL FROM:<forged@example.test>\r\nRCPT TO:<bob@example.test>\r\nBDAT 0 LAST\r\n";
        let mut driver = port_25();
        driver.send(&[b"HELO evil\r\n", before].concat());
        driver.received();
        driver.send(&[format!("BDAT {} LAST\r\n", chunk.len()).as_bytes(), chunk].concat());
        let said = driver.received();
        assert!(said.starts_with(b"5"), "{}", said.escape_ascii());
        assert_eq!(said.split(|byte| *byte == b'\n').count(), 2, "one reply: {}", said.escape_ascii());
        assert_eq!(driver.mail.messages("bob@example.test", "INBOX").len(), 0);
    }
}

#[test]
fn a_chunk_size_that_lies_costs_the_letter_or_the_connection() {
    // Too small: what stands behind the chunk is read as a command, and a header field is none.
    let mut driver = port_25();
    envelope(&mut driver, "", &["alice@example.test"]);
    driver.send(b"BDAT 12\r\nSubject: x\r\nTo: y\r\n\r\n");
    assert!(driver.is_closed());
    assert_eq!(driver.mail.open_drafts(), 0);
    // Too large: what was meant for a command is the letter's. Nothing is kept of it unless it ends.
    let mut driver = port_25();
    envelope(&mut driver, "", &["alice@example.test"]);
    driver.send(b"BDAT 1000 LAST\r\nSubject: x\r\n\r\nMAIL FROM:<>\r\nQUIT\r\n");
    assert_eq!(driver.received(), b"");
    driver.wait(600_000);
    assert!(driver.is_closed());
    assert!(driver.received().starts_with(b"421 4.4.2 "));
    assert_eq!(
        (driver.mail.messages("alice@example.test", "INBOX").len(), driver.mail.open_drafts()),
        (0, 0)
    );
}

#[test]
fn a_chunk_of_ten_to_the_nineteenth_is_cut_off_beyond_the_limit() {
    for (command, reply) in [
        ("BDAT 10000000000000000000\r\n", "552 5.3.4 The letter is larger than this box takes\r\n"),
        ("BDAT 99999999999999999999 LAST\r\n", "552 5.3.4 The letter is larger than this box takes\r\n"),
        (
            "BDAT 100000000000000000000\r\n",
            "501 5.5.4 Syntax: BDAT size [LAST]; nobody can tell where this chunk ends, so the connection does\r\n",
        ),
    ] {
        for is_addressed in [true, false] {
            let config = super::Config { message_bytes_max: 1000, ..config() };
            let mut driver = Driver::new(session(Mode::Mx, PEER, config), FakeMail::new());
            if is_addressed {
                envelope(&mut driver, "", &["alice@example.test"]);
            }
            driver.received();
            driver.send(command.as_bytes());
            let piece = vec![b'x'; 16 * 1024];
            let mut sent = 0;
            while !driver.is_closed() {
                driver.send(&piece);
                sent += piece.len() as u64;
                assert!(sent <= DISCARD_BYTES_MAX + 1000 + piece.len() as u64);
            }
            assert_eq!(driver.received(), reply.as_bytes());
            assert_eq!(driver.mail.open_drafts(), 0);
        }
    }
}

#[test]
fn a_thousand_empty_chunks_are_idle_talk() {
    let mut driver = port_25();
    envelope(&mut driver, "", &["alice@example.test"]);
    driver.send(&b"BDAT 0\r\n".repeat(1_000));
    assert!(driver.is_closed());
    let said = driver.received();
    let replies = said.split(|byte| *byte == b'\n').count() - 1;
    assert!(replies <= UNPRODUCTIVE_COMMANDS_MAX as usize);
    assert!(said.ends_with(b"421 4.7.0 mail.example.test Too many commands without a letter\r\n"));
    assert_eq!(driver.mail.open_drafts(), 0);
}

#[test]
fn a_thousand_chunks_without_a_letter_are_idle_talk() {
    let mut driver = port_25();
    driver.send(&b"BDAT 1\r\nx".repeat(1_000));
    assert!(driver.is_closed());
    assert!(
        driver.received().ends_with(b"421 4.7.0 mail.example.test Too many commands without a letter\r\n")
    );
}

#[test]
fn chunks_beyond_the_limit_are_cut_off_as_one_letter() {
    let config = super::Config { message_bytes_max: 1000, ..config() };
    let mut driver = Driver::new(session(Mode::Mx, PEER, config), FakeMail::new());
    driver.received();
    envelope(&mut driver, "", &["alice@example.test"]);
    let chunk = [&b"BDAT 16384\r\n"[..], &[b'x'; 16_384]].concat();
    let mut sent = 0;
    while !driver.is_closed() {
        driver.send(&chunk);
        sent += 16_384;
        assert!(sent <= DISCARD_BYTES_MAX + 1000 + 16_384);
        let said = driver.received();
        assert_eq!(said, b"552 5.3.4 The letter is larger than this box takes\r\n");
    }
}

#[test]
fn a_chunk_a_minute_ends() {
    let mut driver = port_25();
    envelope(&mut driver, "", &["alice@example.test"]);
    let mut minutes = 0;
    while !driver.is_closed() {
        driver.send(b"BDAT 1\r\nx");
        driver.wait(60_000);
        minutes += 1;
    }
    assert!(minutes <= TRANSFER_MS_MAX / 60_000 + 1, "{minutes}");
    assert_eq!(driver.mail.open_drafts(), 0);
}

#[test]
fn every_cut_of_dots_and_ends_keeps_the_letter() {
    let (body, letter) = (b"..\r\n...\r\n.x\r\n\r\n.. \r\n.\r\n", b".\r\n..\r\nx\r\n\r\n. \r\n");
    for first in 0..=body.len() {
        for second in first..=body.len() {
            let mut driver = port_25();
            address(&mut driver, &["alice@example.test"]);
            driver.send(&body[..first]);
            driver.send(&body[first..second]);
            driver.send(&body[second..]);
            assert_eq!(kept(&driver), letter);
        }
    }
}

#[test]
fn a_command_line_without_end_costs_no_memory_and_ends() {
    let mut driver = port_25();
    for _ in 0..1000 {
        driver.send(&[b'x'; 16 * 1024]);
    }
    assert_eq!(driver.received(), b"");
    driver.wait(300_000);
    assert!(driver.is_closed());
    assert!(driver.received().starts_with(b"421 4.4.2 "));
}

#[test]
fn the_longest_line_is_taken_and_one_byte_more_is_not() {
    for (length, code) in [(COMMAND_BYTES_MAX, &b"250"[..]), (COMMAND_BYTES_MAX + 1, b"500")] {
        let mut line = b"NOOP ".to_vec();
        line.resize(length - 2, b'x');
        line.extend_from_slice(b"\r\n");
        let mut driver = port_25();
        driver.send(&line);
        assert!(driver.received().starts_with(code), "{length}");
    }
}

#[test]
fn a_letter_without_end_is_cut_off_beyond_the_limit() {
    let config = super::Config { message_bytes_max: 1000, ..config() };
    let mut driver = Driver::new(session(Mode::Mx, PEER, config), FakeMail::new());
    driver.received();
    address(&mut driver, &["alice@example.test"]);
    let chunk = vec![b'x'; 16 * 1024];
    let mut sent = 0;
    while !driver.is_closed() {
        driver.send(&chunk);
        sent += chunk.len() as u64;
        assert!(sent <= DISCARD_BYTES_MAX + 1000 + chunk.len() as u64);
    }
    assert_eq!(driver.received(), b"552 5.3.4 The letter is larger than this box takes\r\n");
    assert_eq!(driver.mail.open_drafts(), 0);
}

#[test]
fn one_byte_a_minute_within_a_letter_ends() {
    let mut driver = port_25();
    address(&mut driver, &["alice@example.test"]);
    let mut minutes = 0;
    while !driver.is_closed() {
        driver.send(b"x");
        driver.wait(60_000);
        minutes += 1;
    }
    assert!(minutes <= TRANSFER_MS_MAX / 60_000 + 1, "{minutes}");
    assert!(driver.received().starts_with(b"421 4.4.2 "));
}

#[test]
fn one_byte_a_minute_between_letters_ends() {
    let mut driver = port_25();
    let mut minutes = 0;
    for byte in b"NOOP\r\n".iter().cycle() {
        driver.send(&[*byte]);
        driver.wait(60_000);
        minutes += 1;
        if driver.is_closed() {
            break;
        }
    }
    assert_eq!(minutes, 5, "six bytes do not fit into the time for a line");
}

#[test]
fn a_noop_a_minute_ends_unless_letters_come() {
    let mut driver = port_25();
    let mut minutes = 0;
    while !driver.is_closed() {
        driver.send(b"NOOP\r\n");
        driver.wait(60_000);
        minutes += 1;
    }
    assert_eq!(minutes, UNPRODUCTIVE_MS_MAX / 60_000);
    let mut driver = port_25();
    for _ in 0..100 {
        driver.received();
        address(&mut driver, &["alice@example.test"]);
        driver.send(b".\r\n");
        driver.wait(60_000);
    }
    assert!(!driver.is_closed());
}

#[test]
fn pipelined_commands_wait_for_room_in_the_output() {
    let mut driver = port_465();
    driver.send(b"MAIL FROM:<>\r\n");
    driver.send(&b"RCPT TO:<alice@example.test>\r\n".repeat(9_000));
    assert!(driver.pending_output_max <= OUTPUT_BYTES_SOFT_MAX + REPLY_BYTES_MAX);
    let expected = [&b"250 2.1.0 Sender ok\r\n"[..], &b"250 2.1.5 Recipient ok\r\n".repeat(9_000)].concat();
    assert_eq!(driver.received(), expected);
    driver.send(&b"RCPT TO:<alice@example.test>\r\n".repeat(1_001));
    assert!(driver.is_closed());
    assert_eq!(driver.mail.open_drafts(), 0);
}

#[test]
fn a_letter_can_have_a_thousand_recipients_and_no_more() {
    let mut driver = port_25();
    for number in 0..1_001 {
        driver.mail.add_account(&format!("a{number}@example.test"), "secret");
    }
    driver.send(b"EHLO client.test\r\nMAIL FROM:<>\r\n");
    driver.received();
    for number in 0..1_001 {
        driver.send(format!("RCPT TO:<a{number}@example.test>\r\n").as_bytes());
    }
    let said = driver.received();
    assert!(said.starts_with(&b"250 2.1.5 Recipient ok\r\n".repeat(1_000)));
    assert!(said.ends_with(
        b"\n452 4.5.3 That is as many recipients as one letter can have; send another for the rest\r\n"
    ));
    driver.send(b"DATA\r\n.\r\n");
    assert_eq!(driver.mail.messages("a999@example.test", "INBOX").len(), 1);
    assert_eq!(driver.mail.messages("a1000@example.test", "INBOX").len(), 0);
}

#[test]
fn an_idle_connection_costs_little_memory() {
    assert!(size_of::<SmtpSession>() <= 400, "{}", size_of::<SmtpSession>());
}

#[test]
fn an_answer_that_never_came_closes_nothing_open() {
    // A driver that forgets to start TLS must not get a session that believes in it.
    let (mut driver, mut output) = (port_25(), crate::Output::new());
    let mut input = crate::Input::new(b"STARTTLS\r\n");
    let mut io = crate::Io { input: &mut input, output: &mut output, answer: None, now: NOW };
    assert!(matches!(driver.session.step(&mut io, &mut driver.mail), Want::StartTls));
    assert!(matches!(driver.session.step(&mut io, &mut driver.mail), Want::Close));
}

/// Lines that lead somewhere, so that random conversations get beyond the first command.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        &b"EHLO a\r\n"[..],
        b"HELO a\r\n",
        b"MAIL FROM:<>\r\n",
        b"MAIL FROM:<alice@example.test> SIZE=5\r\n",
        b"RCPT TO:<alice@example.test>\r\n",
        b"RCPT TO:<info@example.test>\r\n",
        b"DATA\r\n",
        b".\r\n",
        b"..\r\n",
        b"\r\n",
        b"\r",
        b"\n",
        b".",
        b"RSET\r\n",
        b"NOOP\r\n",
        b"AUTH PLAIN\r\n",
        b"AUTH LOGIN YQ==\r\n",
        b"*\r\n",
        b"AUTH PLAIN AGFsaWNlAHNlY3JldCBvZiBhbGljZQ==\r\n",
        b"STARTTLS\r\n",
        b"Received: x\r\n",
        b"MAIL FROM:<> BODY=BINARYMIME\r\n",
        b"BDAT 0\r\n",
        b"BDAT 4\r\n",
        b"BDAT 6 LAST\r\nNOOP\r\n",
        b"BDAT 0 LAST\r\n",
        b"BDAT 2 LAS\r\n",
        b"BDAT 18446744073709551615\r\n",
    ]);
    prop_oneof![
        8 => known.prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..60),
        1 => (any::<u8>(), 4000_usize..5000).prop_map(|(byte, count)| vec![byte; count]),
    ]
}

/// Feeds a conversation and checks what must always hold.
fn survive(mut driver: Driver<SmtpSession>, lines: &[Vec<u8>], busy: u32) -> Vec<u8> {
    driver.mail.busy = busy;
    driver.mail.queue_bytes = Some(50);
    let mut said = Vec::new();
    for line in lines {
        driver.send(line);
        assert!(driver.pending_output_max <= OUTPUT_BYTES_SOFT_MAX + REPLY_BYTES_MAX);
        let replies = driver.received();
        assert!(replies.is_empty() || replies.ends_with(b"\r\n"));
        said.extend(replies);
    }
    for reply in said.split_inclusive(|byte| *byte == b'\n') {
        assert!(reply.len() <= 512, "RFC 5321 section 4.5.3.1.5: {}", reply.escape_ascii());
        assert!(reply[..3].iter().all(u8::is_ascii_digit) && reply.ends_with(b"\r\n"));
        assert!(reply[..reply.len() - 2].iter().all(|byte| (b' '..=b'~').contains(byte)));
    }
    driver.wait(86_400_000);
    assert!(driver.is_closed());
    assert_eq!(driver.mail.open_drafts(), 0);
    said
}

proptest! {
    #[test]
    fn any_conversation_is_survived(
        lines in prop::collection::vec(line(), 0..60),
        submission: bool,
        busy in 0_u32..5,
    ) {
        if submission {
            survive(port_465(), &lines, busy);
        } else {
            survive(port_25(), &lines, busy);
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2000), 0..5)) {
        survive(port_25(), &bytes, 0);
    }
}

/// The thousand that a letter may have are taken, the others told to wait for the next, and it ends.
#[test]
fn a_hundred_thousand_recipients_are_a_thousand() {
    let mut driver = port_465();
    driver.send(b"MAIL FROM:<alice@example.test>\r\n");
    driver.received();
    let mut said = Vec::new();
    for hundred in 0..1_000 {
        let names =
            (0..100).map(|number| format!("RCPT TO:<r{}@elsewhere.test>\r\n", hundred * 100 + number));
        driver.send(names.collect::<Vec<_>>().concat().as_bytes());
        said.extend(driver.received());
    }
    assert!(driver.is_closed() && driver.pending_output_max <= OUTPUT_BYTES_SOFT_MAX + REPLY_BYTES_MAX);
    let said = alloc::string::String::from_utf8(said).unwrap();
    let count = |code: &str| said.lines().filter(|line| line.starts_with(code)).count();
    let max = RECIPIENTS_MAX;
    let named = RECIPIENT_COMMANDS_MAX as usize;
    assert_eq!((count("250 2.1.5"), count("452 4.5.3"), count("421 4.7.0")), (max, named - max, 1));
    assert_eq!(said.lines().count(), named + 1);
    assert_eq!(driver.mail.open_drafts(), 0);
}
