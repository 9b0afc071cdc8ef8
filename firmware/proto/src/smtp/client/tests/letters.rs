//! What goes over the wire of a letter, and how much of it at a time.

use alloc::{format, string::String, vec, vec::Vec};

use mail::Ticks;
use proptest::prelude::*;

use super::{Body, Fate, config, driver, give, job, ready, result};
use crate::{
    Input, Io, Output, Session, Want,
    limits::OUTPUT_BYTES_SOFT_MAX,
    smtp::{
        client::{SmtpClient, limits::PIPELINED_COMMANDS_MAX},
        dots::{Dots, Piece},
    },
    testing::{Driver, NOW},
};

/// What the receiving side makes of what was said after DATA; `None` unless it ends there and has no defect.
fn received(mut wire: &[u8]) -> Option<Vec<u8>> {
    let mut dots = Dots::new();
    let mut letter = Vec::new();
    loop {
        let (count, is_letter) = match dots.next(wire) {
            Piece::Letter(count) => (count, true),
            Piece::Skip(count) => (count, false),
            Piece::End(count) => return (wire.len() == count && dots.defect().is_none()).then_some(letter),
            Piece::More => return None,
        };
        letter.extend_from_slice(if is_letter { &wire[..count] } else { &[] });
        wire = &wire[count..];
    }
}

/// Takes a driver that wants work to the point where a letter is sent, and gives what is said then.
fn sent(driver: &mut Driver<SmtpClient>, letter: &[u8], front: &[u8], skip: u64) -> Vec<u8> {
    let mut job = job(&mut driver.mail, &["bob@remote.test"], letter);
    job.front = front.to_vec();
    job.skip = skip;
    give(driver, job);
    driver.send(b"250 Ok\r\n");
    driver.send(b"250 Ok\r\n");
    driver.received();
    driver.send(b"354 Go ahead\r\n");
    driver.received()
}

proptest! {
    #[test]
    fn the_receiving_side_gets_back_every_letter_of_whole_lines(
        lines in prop::collection::vec(prop::collection::vec(prop_oneof![Just(b'.'), any::<u8>()], 0..20), 0..40),
        front in prop::collection::vec("[.a-z]{0,9}", 0..3),
        last in "[.a-z]{0,5}",
        read in 1_usize..100,
        cold in 0_u32..4,
        skip in 0_usize..50,
    ) {
        let mut letter = Vec::new();
        for mut line in lines {
            line.retain(|byte| !b"\r\n".contains(byte));
            letter.extend_from_slice(&line);
            letter.extend_from_slice(b"\r\n");
        }
        letter.extend_from_slice(last.as_bytes());
        let front: String = front.iter().map(|line| format!("{line}\r\n")).collect();
        // What is left out is whole lines, as the Return-Path line is.
        let skip = letter[..skip.min(letter.len())].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let mut driver = ready(&[]);
        driver.mail.read_bytes_max = Some(read);
        driver.mail.cold = cold;
        let wire = sent(&mut driver, &letter, front.as_bytes(), skip as u64);
        let mut expected = [front.as_bytes(), &letter[skip..]].concat();
        if !expected.is_empty() && !expected.ends_with(b"\r\n") {
            expected.extend_from_slice(b"\r\n");
        }
        prop_assert_eq!(received(&wire), Some(expected));
    }

    #[test]
    fn a_cr_or_lf_that_ends_no_line_is_never_followed_by_an_end(
        parts in prop::collection::vec(prop_oneof!["\r", "\n", "\r\n", "\\.", "[a-z]{1,3}", "\r\n\\.\r\n", "\n\\.\n"], 0..20),
        read in 1_usize..9,
    ) {
        let letter = parts.concat();
        let bare = letter.replace("\r\n", "").contains(['\r', '\n']);
        let mut driver = ready(&[]);
        driver.mail.read_bytes_max = Some(read);
        let wire = sent(&mut driver, letter.as_bytes(), b"", 0);
        prop_assert_eq!(received(&wire).is_some(), !bare);
        prop_assert_eq!(driver.is_closed(), bare);
        if bare {
            // Nothing that anybody could take for an end, or for a line of its own, has been sent.
            let wire = String::from_utf8(wire).unwrap().replace("\r\n", "|");
            prop_assert!(!wire.contains("|.|") && !wire.contains('\n'));
            prop_assert!(!wire.trim_end_matches('\r').contains('\r'));
            let (outcome, ending) = result(&mut driver);
            prop_assert_eq!(outcome, "1 refused LineEnds");
            prop_assert_eq!(ending, "BrokenOff LineEnds");
        }
    }
}

#[test]
fn a_letter_that_ends_in_cr_is_not_completed_by_the_end() {
    let mut driver = ready(&[]);
    assert_eq!(sent(&mut driver, b"a\r", b"", 0), b"a\r");
    assert!(driver.is_closed());
}

#[test]
fn a_large_letter_is_never_whole_in_memory() {
    let letter = b"....5678901234567890123456789012345678901234567890123456789012\r\n".repeat(100_000);
    let mut driver = ready(&[]);
    let wire = sent(&mut driver, &letter, b"", 0);
    assert!(received(&wire).as_deref() == Some(&letter[..]));
    // A read may be a little longer once its dots are doubled.
    assert!(driver.pending_output_max <= OUTPUT_BYTES_SOFT_MAX + 2048, "{}", driver.pending_output_max);
}

#[test]
fn a_thousand_recipients_are_named_some_at_a_time() {
    let names: Vec<String> = (0..1000).map(|number| format!("r{number}@remote.test")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut driver = ready(&["PIPELINING"]);
    let job = job(&mut driver.mail, &names, b"x\r\n");
    give(&mut driver, job);
    let lines = |bytes: Vec<u8>| bytes.iter().filter(|byte| **byte == b'\n').count();
    let mut asked = lines(driver.received());
    assert_eq!(asked, PIPELINED_COMMANDS_MAX);
    for answered in 1..=1001 {
        driver.send(b"250 Ok\r\n");
        asked += lines(driver.received());
        assert_eq!(asked, 1002.min(answered + PIPELINED_COMMANDS_MAX));
    }
    driver.send(b"354 Ok\r\n");
    driver.send(b"250 Ok\r\n");
    let fates = driver.session.take_outcome().unwrap().fates;
    assert_eq!(fates.len(), 1000);
    assert!(fates.iter().all(|(_, fate)| matches!(fate, Fate::Delivered(_))));
}

#[test]
fn a_job_for_nobody_comes_to_nothing_at_once() {
    let mut driver = ready(&[]);
    let job = job(&mut driver.mail, &[], b"x\r\n");
    give(&mut driver, job);
    assert_eq!(driver.received(), b"");
    assert!(driver.session.take_outcome().unwrap().fates.is_empty());
}

#[test]
fn a_job_is_taken_only_when_one_is_wanted() {
    let mut driver = driver(config());
    let early = job(&mut driver.mail, &["a@b.test"], b"x\r\n");
    let early = driver.session.give(early.into()).unwrap_err();
    driver.send(b"220 mx.test\r\n");
    driver.send(b"250 mx.test\r\n");
    driver.session.give(early).unwrap();
    let second = job(&mut driver.mail, &["a@b.test"], b"x\r\n");
    let second = driver.session.give(second.into()).unwrap_err();
    driver.run();
    driver.session.finish();
    driver.send(b"550 No\r\n");
    assert!(driver.received().ends_with(b"QUIT\r\n"));
    driver.session.give(second).unwrap_err();
}

#[test]
fn a_job_given_to_a_connection_that_has_died_is_deferred() {
    let mut driver = ready(&[]);
    let job = job(&mut driver.mail, &["a@b.test", "c@b.test"], b"x\r\n");
    driver.session.give(job.into()).unwrap();
    driver.send(b"421 4.4.2 Idle\r\n");
    let (outcome, ending) = result(&mut driver);
    assert_eq!(outcome, "1 deferred ended Idle | 2 deferred ended Idle");
    assert_eq!(ending, "Refused Idle 421 4.4.2 Idle");
    assert_eq!(driver.received(), b"", "nothing was said to it");
}

#[test]
fn an_outcome_tells_whether_reports_are_the_matter_of_the_server() {
    for (extensions, dsn) in [(&["DSN"][..], true), (&[], false)] {
        let mut driver = ready(extensions);
        sent(&mut driver, b"x\r\n", b"", 0);
        driver.send(b"250 Ok\r\n");
        assert_eq!(driver.session.take_outcome().unwrap().dsn, dsn);
        assert!(driver.session.take_outcome().is_none(), "once");
    }
}

#[test]
fn a_letter_that_is_not_taken_is_given_three_minutes_a_block() {
    let mut driver = ready(&[]);
    let letter = vec![b'x'; 3 * OUTPUT_BYTES_SOFT_MAX];
    let job = job(&mut driver.mail, &["a@b.test"], &letter);
    give(&mut driver, job);
    driver.send(b"250 Ok\r\n");
    driver.send(b"250 Ok\r\n");
    let Driver { mut session, mut mail, .. } = driver;
    let (mut output, mut now) = (Output::new(), NOW);
    let mut step = |bytes: &[u8], now| {
        let mut input = Input::new(bytes);
        let mut io = Io { input: &mut input, output: &mut output, answer: None, now };
        let want = session.step(&mut io, &mut mail);
        assert!(matches!(want, Want::Room));
        output.sent(output.pending().len());
        session.deadline()
    };
    for bytes in [&b"354 Ok\r\n"[..], b"", b""] {
        assert_eq!(step(bytes, now), now.ticks.after_ms(180_000));
        now.ticks = now.ticks.after_ms(179_000);
    }
    let want = session.expire(now, &mut output);
    assert!(matches!(want, Want::Close) && output.pending().is_empty());
    assert_eq!(super::ended(&session), "Silence Data");
}

#[test]
fn a_server_that_refuses_a_letter_in_its_midst_is_heard() {
    for (said, outcome, ending) in [
        ("552 5.3.4 Too large", "1 refused Data 552 5.3.4 Too large", "Refused Data 552 5.3.4 Too large"),
        ("421 Bye", "1 deferred ended Data", "Refused Data 421 Bye"),
        ("250 Ok", "1 deferred ended Data", "Breach Data Unasked"),
    ] {
        let mut driver = ready(&[]);
        let job = job(&mut driver.mail, &["bob@remote.test"], b"Subject: x\r\n");
        give(&mut driver, job);
        driver.send(b"250 Ok\r\n");
        driver.send(b"250 Ok\r\n");
        driver.received();
        driver.send(format!("354 Go ahead\r\n{said}\r\n").as_bytes());
        assert_eq!(driver.received(), b"", "no end of a letter");
        assert_eq!(result(&mut driver), (outcome.into(), ending.into()));
        assert!(driver.is_closed());
    }
}

#[test]
fn an_idle_connection_has_no_deadline_of_its_own_and_ends_politely() {
    let mut driver = ready(&[]);
    assert_eq!(driver.session.deadline(), Ticks(u64::MAX));
    let mut output = Output::new();
    driver.session.farewell(&mut output);
    assert_eq!(output.pending(), b"QUIT\r\n");
    driver.session.finish();
    driver.run();
    assert_eq!(driver.received(), b"QUIT\r\n");
}

#[test]
fn a_farewell_is_never_a_line_of_a_letter() {
    let mut driver = ready(&["PIPELINING"]);
    let job = job(&mut driver.mail, &["bob@remote.test"], b"Subject: x\r\n");
    give(&mut driver, job);
    let mut output = Output::new();
    driver.session.farewell(&mut output);
    assert_eq!(output.pending(), b"");
    driver.session.lost(&[], "the box is being switched off");
    assert_eq!(result(&mut driver).0, "1 deferred ended Mail");
}

#[test]
fn a_binary_letter_may_be_of_any_size() {
    let mut driver = ready(&["CHUNKING", "BINARYMIME"]);
    let letter: Vec<u8> = (0..200_000_u32).map(|number| (number % 251) as u8).collect();
    let mut job = job(&mut driver.mail, &["bob@remote.test"], &letter);
    job.body = Body::Binary;
    give(&mut driver, job);
    driver.send(b"250 Ok\r\n");
    driver.received();
    driver.send(b"250 Ok\r\n");
    let wire = driver.received();
    assert!(wire.strip_prefix(b"BDAT 200000 LAST\r\n") == Some(&letter));
    driver.send(b"250 Ok\r\n");
    assert_eq!(result(&mut driver).0, "1 delivered 250 Ok");
}

#[test]
fn what_was_said_before_the_connection_broke_is_heard() {
    let to = ["bob@remote.test", "ken@remote.test"];
    let mut driver = ready(&["PIPELINING"]);
    let letter = job(&mut driver.mail, &to, b"x\r\n");
    give(&mut driver, letter);
    assert!(!driver.session.awaits_verdict());
    driver.session.lost(b"250 Ok\r\n550 5.1.1 Who?\r\n452 4.2.2 Full\r\n554 ", "reset");
    let (outcome, ending) = result(&mut driver);
    assert_eq!(outcome, "1 refused Recipient 550 5.1.1 Who? | 2 deferred Recipient 452 4.2.2 Full");
    assert_eq!(ending, "Lost Data reset");
    // Of the whole host, in the midst of a group.
    let mut driver = ready(&["PIPELINING"]);
    let letter = job(&mut driver.mail, &to, b"x\r\n");
    give(&mut driver, letter);
    driver.session.lost(b"250 Ok\r\n250 Ok\r\n421 4.3.2 Going down\r\n250 Ok\r\n", "reset");
    let (outcome, ending) = result(&mut driver);
    assert_eq!(outcome, "1 deferred ended Recipient | 2 deferred ended Recipient");
    assert_eq!(ending, "Refused Recipient 421 4.3.2 Going down");
    // Of the end of a letter.
    let mut driver = ready(&[]);
    let letter = job(&mut driver.mail, &to[..1], b"x\r\n");
    give(&mut driver, letter);
    driver.send(b"250 Ok\r\n");
    driver.send(b"250 Ok\r\n");
    driver.send(b"354 Go\r\n");
    assert!(driver.session.awaits_verdict());
    driver.session.lost(b"250 Kept\r\n", "reset");
    let (outcome, ending) = result(&mut driver);
    assert_eq!((outcome.as_str(), ending.as_str()), ("1 delivered 250 Kept", "Lost Idle reset"));
}
