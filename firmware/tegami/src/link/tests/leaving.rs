//! The box being switched off at different moments of a connection.

use super::*;
use crate::limits::SHUTDOWN_GRACE;

impl Sending {
    /// Sends one letter to a server that a test plays; it says itself when the box is switched off.
    async fn leave(
        &self,
        lines: usize,
        part: impl AsyncFn(Rc<Closing>, Played) + 'static,
    ) -> (Closed, Letters) {
        let closing = Rc::clone(&self.closing);
        let part = async move |_, played| part(Rc::clone(&closing), played).await;
        let (port, playing) = play((LOOPBACK, 0), 1, part).await;
        let sent = soon(self.send(&plain(port), &[LOOPBACK], lines)).await;
        soon(playing).await.unwrap();
        sent
    }
}

/// Switches off; returns at once.
fn switch_off(closing: &Rc<Closing>) -> JoinHandle<()> {
    let closing = Rc::clone(closing);
    spawn_local(async move { closing.run(SHUTDOWN_GRACE).await })
}

#[test]
fn a_connection_that_waits_for_letters_ends_politely() {
    block_on(async {
        let sending = Sending::start("leaves-idle").await;
        let mut letters = Letters { endless: true, ..Letters::default() };
        let (asked, closing) = (Rc::clone(&letters.asked), Rc::clone(&sending.closing));
        let part = async move |_, mut played: Played| {
            played.say("220 mx.test\r\n", "EHLO mail.example.test\r\n").await;
            played.say("250 mx.test\r\n", "").await;
            asked.notified().await;
            switch_off(&closing);
            assert_eq!(played.rest().await, "QUIT\r\n");
        };
        let (port, playing) = play((LOOPBACK, 0), 1, part).await;
        let closed = soon(converse(&sending.desk, &plain(port), &[LOOPBACK], &mut letters)).await;
        soon(playing).await.unwrap();
        assert_eq!((closed.ending, closed.jobs), (Err(Trouble::Leaving), 0));
        assert_eq!(letters.outcomes.len(), 0);
        // And nothing begins any more.
        let (closed, _) = soon(sending.send(&plain(1), &[LOOPBACK], 3)).await;
        assert_eq!((closed.ending, closed.reached), (Err(Trouble::Leaving), None));
    });
}

#[test]
fn a_letter_on_its_way_is_broken_off_and_has_its_outcome() {
    block_on(async {
        let sending = Sending::start("leaves-letter").await;
        let (closed, letters) = sending
            .leave(200_000, async |closing, mut played| {
                played.greet("250 mx.test\r\n").await;
                played.say("250 Ok\r\n", "RCPT TO:<alice@example.test>\r\n").await;
                played.say("250 Ok\r\n", "DATA\r\n").await;
                played.say("354 Go on\r\n", "\r\n").await;
                switch_off(&closing);
                assert!(!played.rest().await.ends_with("\r\n.\r\n"));
            })
            .await;
        assert_eq!((closed.ending, closed.jobs), (Err(Trouble::Leaving), 1));
        assert_eq!(letters.outcomes(), "1 deferred Ended(Data)");
    });
}

#[test]
fn the_answer_to_the_end_of_a_letter_is_waited_for() {
    block_on(async {
        let sending = Sending::start("leaves-end").await;
        let (closed, letters) = sending
            .leave(3, async |closing, mut played| {
                played.take_letter().await;
                switch_off(&closing);
                tokio::time::sleep(Duration::from_millis(50)).await;
                played.say("250 Kept\r\n", "QUIT\r\n").await;
            })
            .await;
        assert_eq!((closed.ending, closed.jobs), (Err(Trouble::Leaving), 1));
        assert_eq!(letters.outcomes(), "1 delivered 250 Kept");
    });
}

/// But not for ever: others wait for the box to be off.
#[test]
fn an_answer_that_does_not_come_is_not_waited_for() {
    block_on(async {
        let sending = Sending::start("leaves-silence").await;
        let (closed, letters) = sending
            .leave(3, async |closing, mut played| {
                played.take_letter().await;
                let closing = Rc::clone(&closing);
                let ended = spawn_local(async move { closing.run(Duration::from_millis(50)).await });
                played.rest().await;
                ended.await.unwrap();
            })
            .await;
        assert_eq!((closed.ending, closed.jobs), (Err(Trouble::Leaving), 1));
        assert_eq!(letters.outcomes(), "1 deferred Unknown");
    });
}
