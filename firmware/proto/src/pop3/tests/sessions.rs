//! More than one at work on a maildrop; when replies are said; injected commands; time and memory.

use alloc::{format, string::String, vec::Vec};

use mail::{Mail, Uid, UidSet};
use proptest::{collection, prelude::*, sample};

use super::{LETTERS, alice, mail_with, session};
use crate::{
    Input, Io, Output, Session, Want,
    limits::{INPUT_BYTES_MAX, OUTPUT_BYTES_SOFT_MAX},
    pop3::limits::{IDLE_MS_MAX, TRANSFER_BYTES_PER_S_MIN},
    testing::{Driver, FakeMail, NOW, PEER, TLS_PEER, Waiting},
};

#[test]
fn a_maildrop_is_for_one_session_at_a_time() {
    let mut mail = mail_with(LETTERS);
    let account = mail.account_of("alice@example.test");
    let lock = mail.lock_inbox(account).unwrap();
    let mut driver = Driver::new(session(TLS_PEER), mail);
    driver.received();
    driver.send(b"USER alice\r\nPASS secret of alice\r\nSTAT\r\n");
    let said = String::from_utf8(driver.received()).unwrap();
    assert!(said.contains("-ERR [IN-USE] ") && said.ends_with("-ERR Log in first\r\n"), "{said}");
    drop(lock);
    driver.send(b"USER alice\r\nPASS secret of alice\r\n");
    assert!(driver.received().ends_with(b"+OK 3 messages (84 octets)\r\n"));
    // Held until the session ends, and no longer.
    assert!(driver.mail.lock_inbox(account).is_err());
    driver.send(b"QUIT\r\n");
    assert!(driver.mail.lock_inbox(account).is_ok());
}

#[test]
fn a_session_that_is_dropped_lets_go_and_deletes_nothing() {
    let mut driver = alice(mail_with(LETTERS));
    driver.send(b"DELE 1\r\nDELE 2\r\nQUI");
    let Driver { session, mut mail, .. } = driver;
    drop(session);
    let account = mail.account_of("alice@example.test");
    assert!(mail.lock_inbox(account).is_ok());
    assert_eq!(mail.messages("alice@example.test", "INBOX").len(), 3);
}

#[test]
fn nothing_is_said_to_be_gone_before_it_is() {
    let mut driver = alice(mail_with(LETTERS));
    driver.hold_commits = true;
    driver.send(b"DELE 1\r\nDELE 3\r\nQUIT\r\nNOOP\r\n");
    assert_eq!(driver.received().iter().filter(|byte| **byte == b'\n').count(), 2);
    assert_eq!((driver.waiting, driver.mail.has_pending()), (Waiting::Durable, true));
    assert_eq!(driver.mail.messages("alice@example.test", "INBOX").len(), 3);
    driver.commit();
    assert_eq!(driver.received(), b"+OK Bye; what you deleted is gone\r\n");
    assert!(driver.is_closed());
    assert_eq!(driver.mail.messages("alice@example.test", "INBOX").len(), 1);
}

#[test]
fn what_imap_does_meanwhile_moves_no_number() {
    let mut driver = alice(mail_with(LETTERS));
    let inbox = driver.mail.mailbox_of("alice@example.test", "INBOX");
    driver.mail.shelf.expunge(inbox, &UidSet::range(Uid(2), Uid(2)));
    driver.mail.deliver(inbox, mail::Flags::NONE, b"new\r\n", b"");
    driver.send(
        b"LIST\r\nUIDL\r\nRETR 2\r\nDELE 2\r\nLIST 2\r\nTOP 2 0\r\nRETR 4\r\nRETR 3\r\nDELE 3\r\nQUIT\r\n",
    );
    let gone = "-ERR That message has been removed by another program\r\n";
    assert_eq!(
        String::from_utf8(driver.received()).unwrap(),
        format!(
            "+OK 3 messages (84 octets)\r\n1 23\r\n3 29\r\n.\r\n+OK 3 messages (84 octets)\r\n1 1.1\r\n3 1.3\r\n.\r\n\
             {gone}{gone}{gone}{gone}-ERR No such message\r\n\
             +OK 29 octets\r\nSubject: three\r\n\r\nno line end\r\n.\r\n\
             +OK Message 3 is marked as deleted\r\n+OK Bye; what you deleted is gone\r\n"
        )
    );
    assert_eq!(driver.mail.messages("alice@example.test", "INBOX").len(), 2);
}

#[test]
fn commands_injected_behind_stls_are_never_run() {
    let mut driver = Driver::new(session(PEER), mail_with(LETTERS));
    driver.received();
    driver.send(b"STLS\r\nUSER alice\r\nPASS secret of alice\r\nDELE 1\r\nQU");
    assert_eq!(driver.received(), b"+OK Begin TLS\r\n");
    assert_eq!(driver.tls_started, 1);
    driver.send(b"IT\r\nSTAT\r\nPASS secret of alice\r\n");
    assert_eq!(driver.received(), b"-ERR Unknown command\r\n-ERR Log in first\r\n-ERR Say USER first\r\n");
}

#[test]
fn a_name_given_before_tls_is_forgotten() {
    let mut driver = Driver::new(session(PEER), FakeMail::new());
    driver.send(b"USER alice\r\n");
    driver.send(b"STLS\r\n");
    driver.received();
    driver.send(b"PASS secret of alice\r\n");
    assert_eq!(driver.received(), b"-ERR Say USER first\r\n");
}

#[test]
fn an_answer_that_never_came_opens_nothing() {
    for (command, peer) in [(&b"STLS\r\n"[..], PEER), (b"AUTH PLAIN AGFsaWNlAGE=\r\n", TLS_PEER)] {
        let mut driver = Driver::new(session(peer), FakeMail::new());
        let mut output = Output::new();
        let mut step = |bytes: &[u8]| {
            let mut input = Input::new(bytes);
            let mut io = Io { input: &mut input, output: &mut output, answer: None, now: NOW };
            driver.session.step(&mut io, &mut driver.mail)
        };
        assert!(matches!(step(command), Want::StartTls | Want::Login(_)));
        assert!(matches!(step(b""), Want::Close | Want::Input));
        assert!(matches!(step(b"STAT\r\n"), Want::Close | Want::Input));
        assert!(!output.pending().windows(5).any(|five| five == b"octet"));
    }
}

#[test]
fn ten_thousand_messages_are_listed_within_the_output_limit() {
    let letters: Vec<Vec<u8>> = (0..10_000).map(|n| format!("Subject: {n}\r\n\r\n").into_bytes()).collect();
    let mut driver = alice(mail_with(letters.iter().map(Vec::as_slice)));
    driver.pending_output_max = 0;
    driver.send(b"LIST\r\nUIDL\r\nSTAT\r\n");
    let said = String::from_utf8(driver.received()).unwrap();
    assert_eq!(said.lines().count(), 2 * 10_002 + 1);
    assert!(
        said.contains("\r\n10000 17\r\n.\r\n+OK") && said.contains("\r\n10000 1.10000\r\n.\r\n+OK 10000 ")
    );
    assert!(driver.pending_output_max < OUTPUT_BYTES_SOFT_MAX + 1024);
}

#[test]
fn a_listing_of_messages_that_are_gone_takes_turns() {
    let mut driver = alice(mail_with(core::iter::repeat_n(&b"x\r\n"[..], 10_000)));
    let inbox = driver.mail.mailbox_of("alice@example.test", "INBOX");
    driver.mail.shelf.expunge(inbox, &UidSet::range(Uid(1), Uid(10_000)));
    driver.send(b"LIST\r\n");
    assert_eq!(driver.received(), b"+OK 10000 messages (30000 octets)\r\n.\r\n");
}

#[test]
fn a_client_that_reads_nothing_is_let_go() {
    let letter = alloc::vec![b'a'; 1_000_000];
    let mut driver = alice(mail_with([letter.as_slice()]));
    let (mut output, mut now) = (Output::new(), NOW);
    let mut input = Input::new(b"RETR 1\r\n");
    let mut io = Io { input: &mut input, output: &mut output, answer: None, now };
    assert!(matches!(driver.session.step(&mut io, &mut driver.mail), Want::Room));
    assert_eq!(driver.session.deadline(), now.ticks.after_ms(IDLE_MS_MAX));
    // One that reads too slowly, too.
    let most = IDLE_MS_MAX + 1_000_000 * 1000 / TRANSFER_BYTES_PER_S_MIN;
    while driver.session.deadline() > now.ticks {
        now.ticks = now.ticks.after_ms(60_000);
        output.sent(1);
        let mut io = Io { input: &mut input, output: &mut output, answer: None, now };
        let _ = driver.session.step(&mut io, &mut driver.mail);
        assert!(now.ticks.0 - NOW.ticks.0 <= most + 60_000);
    }
}

/// Lines that lead somewhere, so that random conversations get beyond the first command.
const KNOWN: [&[u8]; 19] = [
    b"USER alice\r\n",
    b"PASS secret of alice\r\n",
    b"AUTH PLAIN AGFsaWNlAHNlY3JldCBvZiBhbGljZQ==\r\n",
    b"AUTH LOGIN\r\n",
    b"YWxpY2U=\r\n",
    b"STLS\r\n",
    b"CAPA\r\n",
    b"STAT\r\n",
    b"LIST\r\n",
    b"UIDL 2\r\n",
    b"RETR 1\r\n",
    b"RETR 2\n",
    b"TOP 2 1\r\n",
    b"DELE 1\r\n",
    b"DELE 3\r\n",
    b"RSET\r\n",
    b"NOOP\r\n",
    b"QUIT\r\n",
    b"QUIT",
];

fn line() -> impl Strategy<Value = Vec<u8>> {
    let known = sample::select(&KNOWN[..]);
    prop_oneof![8 => known.prop_map(<[u8]>::to_vec), 1 => collection::vec(any::<u8>(), 0..40)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_conversation_is_answered_and_deletes_only_what_it_says(lines in collection::vec(line(), 0..30), piece in 1_usize..20) {
        let bytes = lines.concat();
        prop_assume!(bytes.len() <= INPUT_BYTES_MAX);
        let talk = |size: usize| {
            let mut driver = Driver::new(session(TLS_PEER), mail_with(LETTERS));
            bytes.chunks(size).for_each(|bytes| driver.send(bytes));
            let left = driver.mail.messages("alice@example.test", "INBOX").len();
            (driver.received(), left)
        };
        let (said, left) = talk(usize::MAX);
        prop_assert!(talk(piece) == (said.clone(), left));
        let text = String::from_utf8(said).unwrap();
        prop_assert!(text.starts_with("+OK") && text.ends_with("\r\n"));
        prop_assert!((left < 3) == text.ends_with("+OK Bye; what you deleted is gone\r\n"), "{}", text);
    }
}
