//! With servers that break off, refuse and talk nonsense.

use super::*;

const STARTTLS: &str = "250-mx.test\r\n250 STARTTLS\r\n";
const ANYWHERE: (IpAddr, u16) = (LOOPBACK, 0);

impl Sending {
    /// What comes of one letter at a server that a test plays: of the letter, and of the connection.
    async fn to(&self, lines: usize, part: impl AsyncFn(usize, Played) + 'static) -> (String, String) {
        let (port, playing) = play(ANYWHERE, 1, part).await;
        let (closed, letters) = soon(self.send(&plain(port), &[LOOPBACK], lines)).await;
        soon(playing).await.unwrap();
        (letters.outcomes(), ending(&closed))
    }
}

fn pair(outcome: &str, ending: &str) -> (String, String) {
    (outcome.to_owned(), ending.to_owned())
}

/// Goes on with a dialogue to its end, or breaks it off after so many replies.
async fn converse_until(stop: usize, played: &mut Played) {
    let lines = [
        ("220 mx.test ESMTP\r\n", "EHLO mail.example.test\r\n"),
        ("250 mx.test\r\n", "MAIL FROM:<alice@example.test>\r\n"),
        ("250 Ok\r\n", "RCPT TO:<alice@example.test>\r\n"),
        ("250 Ok\r\n", "DATA\r\n"),
        ("354 Go on\r\n", "\r\n.\r\n"),
        ("250 Kept\r\n", "QUIT\r\n"),
    ];
    for (line, what) in lines.into_iter().take(stop) {
        played.say(line, what).await;
    }
}

#[test]
fn wherever_a_server_closes_its_letter_has_one_fate() {
    block_on(async {
        let sending = Sending::start("closes").await;
        for (stop, outcome, stage) in [
            (0, "", "Greeting"),
            (1, "", "Hello"),
            (2, "1 deferred Ended(Mail)", "Mail"),
            (3, "1 deferred Ended(Recipient)", "Recipient"),
            (4, "1 deferred Ended(Data)", "Data"),
            (5, "1 deferred Unknown", "End"),
        ] {
            let said =
                sending.to(3, async move |_, mut played| converse_until(stop, &mut played).await).await;
            let lost = format!("Lost {stage} the server closed the connection");
            assert_eq!(said, pair(outcome, &lost));
        }
        let said = sending.to(3, async move |_, mut played| converse_until(6, &mut played).await).await;
        assert_eq!(said, pair("1 delivered 250 Kept", "Done"));
    });
}

#[test]
fn a_server_that_refuses_in_the_midst_of_a_letter_is_heard() {
    block_on(async {
        let sending = Sending::start("midst").await;
        // One that closes with input unread cuts the connection, and what it said is there all the same; one that reads
        // on is not sent all the rest.
        for reads_on in [false, true, false] {
            let part = async move |_, mut played: Played| {
                converse_until(4, &mut played).await;
                played.say("354 Go on\r\n", "\r\n").await;
                played.say("552 5.3.4 Too large\r\n", "").await;
                if reads_on {
                    assert!(!played.rest().await.ends_with("\r\n.\r\n"));
                }
            };
            // More than the sockets between the two hold.
            let said = sending.to(200_000, part).await;
            let remote = "Data 552 5.3.4 Too large";
            assert_eq!(said, pair(&format!("1 refused {remote}"), &format!("Refused {remote}")));
        }
    });
}

#[test]
fn nonsense_ends_a_connection_and_not_the_box() {
    block_on(async {
        let sending = Sending::start("nonsense").await;
        let nul = async |_, mut played: Played| {
            played.say("220 mx\0.test\r\n", "EHLO").await;
            played.say("250 \0\r\n", "MAIL").await;
            played.say("550 5.1.8 No\0 \x1b[2J\r\n", "QUIT\r\n").await;
        };
        let (outcome, _) = sending.to(3, nul).await;
        assert_eq!(outcome, "1 refused Mail 550 5.1.8 No\u{fffd} \u{fffd}[2J");
        let zeros = async |_, mut played: Played| {
            played.say("\0\0\0\0\r\n", "").await;
            played.rest().await;
        };
        assert_eq!(sending.to(3, zeros).await, pair("", "Breach Greeting Malformed"));
        let endless = async |_, mut played: Played| {
            played.say("220 mx.test\r\n", "EHLO").await;
            // Until the other side has had enough.
            while played.0.write_all(&b"250-and one more\r\n".repeat(1_000)).await.is_ok() {}
        };
        assert_eq!(sending.to(3, endless).await, pair("", "Breach Hello TooLong"));
    });
}

#[test]
fn where_tls_breaks_and_need_not_be_the_letter_goes_in_clear() {
    block_on(async {
        let sending = Sending::start("breaks").await;
        let part = async |index: usize, mut played: Played| {
            if index > 0 {
                return converse_until(6, &mut played).await;
            }
            played.say("220 mx.test\r\n", "EHLO").await;
            played.say(STARTTLS, "STARTTLS\r\n").await;
            played.say("220 Go on\r\n", "\x16\x03").await;
            played.say("this is not TLS\r\n", "").await;
            played.rest().await;
        };
        let (port, playing) = play(ANYWHERE, 2, part).await;
        let server = Server { tls: Tls::Opportunistic, ..plain(port) };
        let (closed, letters) = soon(sending.send(&server, &[LOOPBACK], 3)).await;
        soon(playing).await.unwrap();
        assert_eq!((letters.outcomes().as_str(), ending(&closed).as_str()), ("1 delivered 250 Kept", "Done"));
        assert_eq!(closed.reached, Some(Reached { address: LOOPBACK, tls: None }));
        // Where it must be, nothing goes.
        let (port, playing) = play(ANYWHERE, 1, part).await;
        let server = Server { tls: Tls::Required, ..plain(port) };
        let (closed, letters) = soon(sending.send(&server, &[LOOPBACK], 3)).await;
        soon(playing).await.unwrap();
        assert!(matches!(closed.ending, Err(Trouble::Tls(_))), "{closed:?}");
        assert_eq!((closed.jobs, letters.outcomes.len()), (0, 0));
    });
}

#[test]
fn where_tls_must_be_and_is_not_there_nothing_goes() {
    block_on(async {
        let sending = Sending::start("no-tls").await;
        let part = async |_, mut played: Played| {
            played.say("220 mx.test\r\n", "EHLO").await;
            played.say("250 mx.test\r\n", "QUIT\r\n").await;
        };
        let (port, playing) = play(ANYWHERE, 1, part).await;
        let server = Server { tls: Tls::Required, ..plain(port) };
        let (closed, letters) = soon(sending.send(&server, &[LOOPBACK, [127, 0, 0, 2].into()], 3)).await;
        soon(playing).await.unwrap();
        assert_eq!((ending(&closed).as_str(), letters.outcomes.len()), ("NoTls", 0));
        // One that does not speak TLS where it has to begin.
        let part = async |_, mut played: Played| {
            played.say("220 mx.test\r\n", "").await;
            played.rest().await;
        };
        let (port, playing) = play(ANYWHERE, 1, part).await;
        let server = Server { tls: Tls::Implicit, ..plain(port) };
        let (closed, _) = soon(sending.send(&server, &[LOOPBACK], 3)).await;
        soon(playing).await.unwrap();
        assert!(matches!(closed.ending, Err(Trouble::Tls(_))), "{closed:?}");
    });
}

/// RFC 5321 §5.1. Some hosts are refused at one address of a server and welcome at another.
#[test]
fn an_address_that_refuses_the_host_is_followed_by_the_next() {
    block_on(async {
        let sending = Sending::start("next").await;
        let refuse = async |_, mut played: Played| {
            played.say("554 5.7.1 Who are you?\r\n", "QUIT\r\n").await;
        };
        let (port, refusing) = play(ANYWHERE, 1, refuse).await;
        let other = IpAddr::from([127, 0, 0, 2]);
        let welcome = async |_, mut played: Played| converse_until(6, &mut played).await;
        let (_, welcoming) = play((other, port), 1, welcome).await;
        let (closed, letters) = soon(sending.send(&plain(port), &[LOOPBACK, other], 3)).await;
        soon(async { (refusing.await.unwrap(), welcoming.await.unwrap()) }).await;
        assert_eq!((letters.outcomes().as_str(), ending(&closed).as_str()), ("1 delivered 250 Kept", "Done"));
        assert_eq!(closed.reached.unwrap().address, other);
        // Without another one, the refusal is what is told.
        let (port, refusing) = play(ANYWHERE, 1, refuse).await;
        let (closed, _) = soon(sending.send(&plain(port), &[LOOPBACK, other], 3)).await;
        soon(refusing).await.unwrap();
        assert_eq!(ending(&closed), "Refused Greeting 554 5.7.1 Who are you?");
    });
}

#[test]
fn a_server_that_has_enough_while_letters_are_looked_for_is_heard() {
    block_on(async {
        let sending = Sending::start("enough").await;
        for (last, said) in [
            ("421 4.4.2 Nothing to do\r\n", "Refused Idle 421 4.4.2 Nothing to do"),
            ("", "Lost Idle the server closed the connection"),
            ("250 Ok\r\n", "Breach Idle Unasked"),
        ] {
            let mut letters = Letters { endless: true, ..Letters::default() };
            let asked = Rc::clone(&letters.asked);
            let part = async move |_, mut played: Played| {
                played.say("220 mx.test\r\n", "EHLO mail.example.test\r\n").await;
                played.say("250 mx.test\r\n", "").await;
                asked.notified().await;
                played.say(last, "").await;
            };
            let (port, playing) = play(ANYWHERE, 1, part).await;
            let closed = soon(converse(&sending.desk, &plain(port), &[LOOPBACK], &mut letters)).await;
            soon(playing).await.unwrap();
            assert_eq!(ending(&closed), said);
            assert_eq!(closed.jobs, 0);
        }
    });
}

/// Ten minutes (RFC 5321 §4.5.3.2.6), which pass at once.
#[test]
fn a_server_that_never_answers_the_end_of_a_letter_is_given_up() {
    block_on(async {
        let sending = Sending::start("silence").await;
        let begun = tokio::time::Instant::now();
        let part = async |_, mut played: Played| {
            played.take_letter().await;
            tokio::time::pause();
            played.rest().await;
        };
        let (outcome, ending) = {
            let (port, playing) = play(ANYWHERE, 1, part).await;
            let (closed, letters) = sending.send(&plain(port), &[LOOPBACK], 3).await;
            playing.await.unwrap();
            (letters.outcomes(), ending(&closed))
        };
        let passed = begun.elapsed();
        tokio::time::resume();
        assert_eq!((outcome.as_str(), ending.as_str()), ("1 deferred Unknown", "Silence(End)"));
        assert!(passed > Duration::from_secs(599) && passed < Duration::from_secs(660), "{passed:?}");
    });
}
