//! Servers that do what none should, by name.

use alloc::{format, string::String, vec::Vec};

use proptest::prelude::*;

use super::{Config, Tls, config, driver, give, job, login, ready, result};
use crate::{
    Answer, Input, Io, Output, Session, Want,
    smtp::client::limits::{LOSS_TEXT_BYTES_MAX, REPLY_BYTES_MAX, REPLY_TEXT_BYTES_MAX},
    testing::NOW,
};

#[test]
fn a_server_that_speaks_before_it_is_asked_is_left() {
    for said in ["220 mx.test\r\n250 mx.test\r\n", "220 mx.test\r\n250-mx", "220 mx.test\r\n\0"] {
        let mut driver = driver(config());
        driver.send(said.as_bytes());
        assert_eq!(result(&mut driver).1, "Breach Greeting Unasked");
        assert_eq!(driver.received(), b"");
    }
    for said in ["250 Ok\r\n", "220 mx.test\r\n"] {
        let mut driver = ready(&[]);
        driver.send(said.as_bytes());
        assert_eq!(result(&mut driver).1, "Breach Idle Unasked");
    }
}

#[test]
fn replies_beyond_those_of_a_group_are_not_for_the_next() {
    let mut driver = ready(&["PIPELINING"]);
    let job = job(&mut driver.mail, &["bob@remote.test"], b"x\r\n");
    give(&mut driver, job);
    driver.send(b"250 Ok\r\n450 Later\r\n554 Nobody\r\n250 Ok\r\n");
    let (outcome, ending) = result(&mut driver);
    assert_eq!(outcome, "1 deferred Recipient 450 Later");
    assert_eq!(ending, "Breach Idle Unasked");
}

#[test]
fn a_reply_to_the_end_that_comes_before_it_delivers_nothing() {
    let mut driver = ready(&["PIPELINING"]);
    let job = job(&mut driver.mail, &["bob@remote.test"], b"x\r\n");
    give(&mut driver, job);
    driver.received();
    driver.send(b"250 Ok\r\n250 Ok\r\n354 Ok\r\n250 Kept\r\n");
    assert_eq!(driver.received(), b"");
    let (outcome, ending) = result(&mut driver);
    assert_eq!(outcome, "1 deferred ended Data");
    assert_eq!(ending, "Breach Data Unasked");
}

#[test]
fn replies_out_of_step_without_groups_are_seen() {
    let mut driver = ready(&[]);
    let job = job(&mut driver.mail, &["bob@remote.test"], b"x\r\n");
    give(&mut driver, job);
    driver.received();
    driver.send(b"250 Ok\r\n250 Ok\r\n354 Ok\r\n");
    assert_eq!(driver.received(), b"");
    let (outcome, ending) = result(&mut driver);
    assert_eq!(outcome, "1 deferred ended Recipient");
    assert_eq!(ending, "Breach Recipient Unasked");
}

#[test]
fn what_stands_behind_the_reply_to_starttls_is_never_believed() {
    let mut driver = driver(Config { tls: Tls::Required, ..config() });
    driver.send(b"220 mx.test\r\n");
    driver.send(b"250-mx.test\r\n250 STARTTLS\r\n");
    driver.received();
    let mut output = Output::new();
    let bytes = b"220 Go ahead\r\n250-mx.evil\r\n250 AUTH PLAIN\r\n235 Welcome\r\n";
    let mut input = Input::new(bytes);
    let mut io = Io { input: &mut input, output: &mut output, answer: None, now: NOW };
    assert!(matches!(driver.session.step(&mut io, &mut driver.mail), Want::StartTls));
    assert_eq!(input.taken(), bytes.len());
    let mut input = Input::new(b"");
    let mut io = Io { input: &mut input, output: &mut output, answer: Some(Answer::Tls(None)), now: NOW };
    assert!(matches!(driver.session.step(&mut io, &mut driver.mail), Want::Input));
    assert_eq!(output.pending(), b"EHLO mail.example.test\r\n");
}

#[test]
fn without_tls_after_starttls_nothing_is_said() {
    let mut driver = driver(Config { tls: Tls::Opportunistic, ..config() });
    driver.send(b"220 mx.test\r\n");
    driver.send(b"250-mx.test\r\n250 STARTTLS\r\n");
    let mut output = Output::new();
    for (bytes, closes) in [(&b"220 Go ahead\r\n"[..], false), (b"", true)] {
        let mut input = Input::new(bytes);
        let mut io = Io { input: &mut input, output: &mut output, answer: None, now: NOW };
        let want = driver.session.step(&mut io, &mut driver.mail);
        assert!(matches!((want, closes), (Want::StartTls, false) | (Want::Close, true)));
    }
    assert_eq!(output.pending(), b"");
}

#[test]
fn the_password_is_never_printed() {
    let login = Some(login("box", "open sesame"));
    let mut driver = driver(Config { tls: Tls::Implicit, login, ..config() });
    driver.send(b"220 mx.test\r\n");
    driver.send(b"250-mx.test\r\n250 AUTH LOGIN\r\n");
    driver.send(b"334 x\r\n");
    assert!(!format!("{:?}", driver.session).contains("sesame"));
    driver.send(b"334 x\r\n");
    assert!(driver.received().ends_with(b"\r\nb3BlbiBzZXNhbWU=\r\n"));
}

/// One byte of a line now and then does not keep a connection for ever.
#[test]
fn a_word_between_letters_that_drips_ends_after_ten_seconds() {
    let mut driver = ready(&[]);
    for byte in b"421 4.4" {
        driver.send(&[*byte]);
        driver.wait(2_000);
    }
    assert!(driver.is_closed());
    assert_eq!(result(&mut driver).1, "Silence Idle");
}

#[test]
fn a_reply_without_end_ends_in_bounded_memory() {
    for piece in [&b"x"[..], b"220-and so on\r\n", b"220-\r\n", b"2", b"\0"] {
        let mut driver = driver(config());
        let mut sent = 0;
        while !driver.is_closed() {
            driver.send(piece);
            sent += piece.len();
            assert!(sent <= REPLY_BYTES_MAX + piece.len());
        }
        assert!(result(&mut driver).1.starts_with("Breach Greeting "));
    }
}

#[test]
fn a_refusal_of_many_words_is_kept_once_and_short() {
    let mut driver = ready(&[]);
    let names: Vec<String> = (0..1000).map(|number| format!("r{number}@remote.test")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let job = job(&mut driver.mail, &names, b"x\r\n");
    give(&mut driver, job);
    driver.send(format!("{}550 no\r\n", "550-\u{1b}[2J手紙 and so on and so on\r\n".repeat(300)).as_bytes());
    let fates = driver.session.take_outcome().unwrap().fates;
    let mut replies = fates.iter().map(|(_, fate)| match fate {
        super::Fate::Refused(super::Reason::Remote { reply, .. }) => reply,
        other => panic!("{other:?}"),
    });
    let first = replies.next().unwrap();
    assert!(first.text.len() <= REPLY_TEXT_BYTES_MAX && first.text.starts_with("\u{fffd}[2J手紙 and"));
    assert!(!first.text.contains(char::is_control));
    assert!(replies.all(|other| alloc::rc::Rc::ptr_eq(first, other)));
}

#[test]
fn what_the_driver_says_of_a_loss_is_bounded_too() {
    let mut driver = ready(&[]);
    driver.session.lost(&[], &"手\n".repeat(1000));
    match driver.session.ending() {
        Some(super::Ending::Lost { text, .. }) => {
            assert!(text.len() <= LOSS_TEXT_BYTES_MAX && !text.contains('\n'));
        }
        other => panic!("{other:?}"),
    }
}

/// What servers say, rightly and wrongly.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "220 mx.test\r\n",
        "250 Ok\r\n",
        "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 0\r\n250-STARTTLS\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME\r\n",
        "250-mx.test\r\n250-PIPELINING\r\n250-LIMITS RCPTMAX=1 MAILMAX=3\r\n250 DSN\r\n",
        "250-mx.test\r\n250-CHUNKING\r\n250 BINARYMIME\r\n",
        "235 Ok\r\n",
        "334 \r\n",
        "354 Ok\r\n",
        "421 Bye\r\n",
        "450 Later\r\n",
        "452 4.5.3 Too many\r\n",
        "500 What?\r\n",
        "550 No\r\n",
        "552 Full\r\n",
        "250-",
        "\r\n",
    ];
    prop_oneof![
        8 => prop::sample::select(known.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn any_server_is_survived_and_every_recipient_has_one_fate(
        said in prop::collection::vec(pieces(), 0..40),
        tls in prop::sample::select(alloc::vec![Tls::Implicit, Tls::Required, Tls::Opportunistic, Tls::None]),
        with_login in any::<bool>(),
        bodies in prop::sample::select(alloc::vec![super::Body::SevenBit, super::Body::Binary]),
    ) {
        let login = with_login.then(|| login("box", "secret"));
        let mut driver = driver(Config { tls, login, trusted_path: true, ..config() });
        let mut given = 0;
        let mut fates = 0;
        for bytes in said {
            driver.send(&bytes);
            if let Some(outcome) = driver.session.take_outcome() {
                prop_assert_eq!(outcome.fates.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 3]);
                fates += 1;
            }
            let mut next = job(&mut driver.mail, &["a@b.test", "c@b.test", "d@b.test"], b".x\r\n");
            next.body = bodies;
            if driver.session.give(next.into()).is_ok() {
                given += 1;
                driver.run();
            }
        }
        prop_assert!(driver.pending_output_max < 1024);
        // However it stands: silence ends it, and nothing was forgotten.
        driver.session.finish();
        driver.run();
        driver.wait(3_600_000);
        prop_assert!(driver.is_closed());
        prop_assert!(driver.session.ending().is_some());
        fates += usize::from(driver.session.take_outcome().is_some());
        prop_assert_eq!(fates, given);
    }

    #[test]
    fn any_bytes_at_all_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000), cut in 1_usize..100) {
        let mut driver = driver(config());
        bytes.chunks(cut).for_each(|piece| driver.send(piece));
        driver.session.lost(&[], "");
        prop_assert!(driver.session.ending().is_some());
    }
}
