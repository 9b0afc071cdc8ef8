//! The one loop that drives every session: step, flush, satisfy what it wants, step again.
//!
//! No borrow of the store is held across a wait; only this file writes to those at the other end of a session. What only
//! one side's sessions want (those who serve check log-ins, those who send need jobs) is done by that [`Side`].

use std::{convert::Infallible, future::ready, io, pin::Pin, rc::Rc, time::Duration};

use proto::{Answer, Input, Io, Output, Session, Want};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep_until, timeout, timeout_at},
};
use tokio_rustls::TlsStream;
use zeroize::Zeroize as _;

use crate::{
    closing::Closing,
    limits::{
        CLOSE_MAX, FAREWELL_MAX, HANDSHAKE_MAX, INPUT_PENDING_MAX, WRITE_BYTES_PER_S_MIN, WRITE_STALL_MAX,
    },
    office::{Office, Watch},
    wire::Wire,
};

/// A connection that a session is driven on.
pub(crate) struct Connection {
    pub wire: Wire,
    pub office: Rc<Office>,
    /// Answer to what the session wanted last.
    pub answer: Option<Answer>,
    /// Returns when the box is being switched off.
    leaving: Pin<Box<dyn Future<Output = ()>>>,
    /// Bytes read and not yet taken by the session.
    input: Vec<u8>,
    output: Output,
}

/// The side of a connection that a session is on.
pub(crate) trait Side {
    /// What is driven.
    type Session: Session + ?Sized;

    /// Does what only this side's sessions want, and puts the answer into the connection if there is one. Everything that
    /// the session had to say has been sent.
    async fn satisfy(
        &mut self,
        connection: &mut Connection,
        session: &mut Self::Session,
        want: Want,
    ) -> Result<(), End>;

    /// Whether the session is not to be disturbed although the box is being switched off: it waits for a word on which
    /// much depends.
    fn stays(&self, _: &Self::Session) -> bool {
        false
    }
}

/// Why the loop ended; none of it is an error of ours.
#[derive(Debug)]
pub(crate) enum End {
    /// The session closed.
    Closed,
    /// The box is being switched off.
    Left,
    /// The peer is gone or does not read.
    Gone(io::Error),
}

/// What a session wants, and the watch on what it wants to hear of: the mailbox, or room in the write queue.
struct Pending {
    want: Want,
    seen: Option<Watch>,
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Gone(error)
    }
}

impl Connection {
    pub(crate) fn new(wire: Wire, office: &Rc<Office>, closing: &Closing) -> Self {
        Self {
            wire,
            office: Rc::clone(office),
            answer: None,
            leaving: Box::pin(closing.begun()),
            input: Vec::new(),
            output: Output::new(),
        }
    }

    /// Drives `session` to its end.
    pub(crate) async fn drive<S: Side>(&mut self, side: &mut S, session: &mut S::Session) -> End {
        let Err(end) = self.run(side, session).await;
        if !matches!(end, End::Left) {
            return end;
        }
        session.farewell(&mut self.output);
        self.flush(None).await.map_or_else(End::Gone, |()| end)
    }

    /// Closes the connection as it must be after such an end.
    pub(crate) async fn close(self, end: &End) {
        let limit = match end {
            End::Gone(_) => return,
            End::Closed => CLOSE_MAX,
            End::Left => FAREWELL_MAX,
        };
        // Who does not close is not waited for.
        let _ = timeout(limit, self.wire.close()).await;
    }

    async fn run<S: Side>(&mut self, side: &mut S, session: &mut S::Session) -> Result<Infallible, End> {
        let mut pending = self.step(session);
        loop {
            pending = match self.satisfy(side, session, pending).await? {
                Some(next) => next,
                None => self.step(session),
            };
        }
    }

    /// One step of the session.
    fn step(&mut self, session: &mut (impl Session + ?Sized)) -> Pending {
        let mut input = Input::new(&self.input);
        let mut io = Io {
            input: &mut input,
            output: &mut self.output,
            answer: self.answer.take(),
            now: self.office.now(),
        };
        let want = session.step(&mut io, &mut *self.office.store_mut());
        let taken = input.taken();
        // There may have been a password in it: nothing of it stays in the buffer, not even behind its end.
        let rest = self.input.len() - taken;
        self.input.copy_within(taken.., 0);
        self.input.get_mut(rest..).unwrap_or_default().zeroize();
        self.input.truncate(rest);
        self.office.after_step();
        self.pending(want)
    }

    /// What a session wants, with the state of what it watches as the session knew it: a change that comes while output
    /// is being flushed must not be slept through.
    fn pending(&self, want: Want) -> Pending {
        let seen = match &want {
            Want::Change(mailbox) => Some(self.office.watch(*mailbox)),
            Want::Flash => Some(self.office.flash_room()),
            _ => None,
        };
        Pending { want, seen }
    }

    /// Does what the session wants. Returns what it wants instead after its deadline passed.
    async fn satisfy<S: Side>(
        &mut self,
        side: &mut S,
        session: &mut S::Session,
        pending: Pending,
    ) -> Result<Option<Pending>, End> {
        let Pending { want, seen } = pending;
        if !matches!(want, Want::Turn) || self.output.is_full() {
            // A session that waits for room says itself how long; the others have done their part.
            let patience = matches!(want, Want::Room).then(|| self.deadline(session));
            self.flush(patience).await?;
        }
        match want {
            Want::Turn => tokio::task::yield_now().await,
            Want::Input | Want::Change(_) => {
                let stays = side.stays(session);
                return self.wait(session, seen, stays).await;
            }
            Want::Pause => return self.pause(session).await.map(Some),
            Want::Durable(ticket) => self.office.durable(&ticket).await,
            Want::Warm(cold) => self.office.warm(cold).await,
            Want::Flash => changed(seen).await,
            Want::Close => return Err(End::Closed),
            want => side.satisfy(self, session, want).await?,
        }
        Ok(None)
    }

    /// Waits for the session's deadline and for nothing else. What the peer sends meanwhile stays with it.
    async fn pause(&mut self, session: &mut (impl Session + ?Sized)) -> Result<Pending, End> {
        let deadline = self.deadline(session);
        tokio::select! {
            biased;
            () = &mut self.leaving => Err(End::Left),
            () = sleep_until(deadline) => {
                let want = session.expire(self.office.now(), &mut self.output);
                Ok(self.pending(want))
            }
        }
    }

    /// Waits for input, for a change in the watched mailbox if there is one, or for the session's deadline.
    async fn wait(
        &mut self,
        session: &mut (impl Session + ?Sized),
        seen: Option<Watch>,
        stays: bool,
    ) -> Result<Option<Pending>, End> {
        self.rest();
        let deadline = self.deadline(session);
        tokio::select! {
            biased;
            heard = self.hear(stays) => heard.map(|()| None),
            () = changed(seen) => Ok(None),
            () = sleep_until(deadline) => {
                let want = session.expire(self.office.now(), &mut self.output);
                Ok(Some(self.pending(want)))
            }
        }
    }

    /// Gives buffers back that nobody needs: a connection that waits holds none.
    pub(crate) fn rest(&mut self) {
        if self.input.is_empty() {
            self.input = Vec::new();
            self.output.release();
        }
    }

    /// Waits for input; for the box to be switched off as well, unless the session `stays`. Dropping the future loses
    /// nothing.
    pub(crate) async fn hear(&mut self, stays: bool) -> Result<(), End> {
        if self.input.len() >= INPUT_PENDING_MAX {
            // It was given all this, took none of it and wants more: a session never may.
            return Err(End::Gone(io::Error::other("the session does not take its input")));
        }
        let read = tokio::select! {
            biased;
            () = &mut self.leaving, if !stays => return Err(End::Left),
            read = self.wire.read(&mut self.input) => read?,
        };
        if read == 0 { Err(End::Gone(io::ErrorKind::UnexpectedEof.into())) } else { Ok(()) }
    }

    /// The same without waiting: takes what has come.
    pub(crate) async fn glance(&mut self) -> Result<(), End> {
        tokio::select! {
            biased;
            heard = self.hear(false) => heard,
            () = ready(()) => Ok(()),
        }
    }

    /// What the peer had said before the connection broke, and the session has not heard.
    pub(crate) async fn last_words(&mut self) -> &[u8] {
        let reading = async {
            while self.input.len() < INPUT_PENDING_MAX
                && matches!(self.wire.read(&mut self.input).await, Ok(1..))
            {}
        };
        // A peer that only stopped reading may say more for ever.
        let _ = timeout(CLOSE_MAX, reading).await;
        &self.input
    }

    fn deadline(&self, session: &(impl Session + ?Sized)) -> Instant {
        Instant::from_std(self.office.instant(session.deadline()))
    }

    /// Sends all pending output. A peer that takes it too slowly is given up, at the latest at `patience`.
    async fn flush(&mut self, patience: Option<Instant>) -> io::Result<()> {
        let due = Instant::now() + write_time_max(self.output.pending().len());
        let sent = async {
            while !self.output.pending().is_empty() {
                let count = self.wire.write(self.output.pending()).await?;
                if count == 0 {
                    return Err(io::ErrorKind::WriteZero.into());
                }
                self.output.sent(count);
            }
            self.wire.flush().await
        };
        let due = patience.map_or(due, |patience| patience.min(due));
        timeout_at(due, sent).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Goes over to TLS. What the peer sent in clear behind its last line is dropped unread, so that nothing injected
    /// there is ever run (RFC 3207 §4.2, RFC 8314 §4.1).
    pub(crate) async fn shake_hands<T, F>(&mut self, shake: impl FnOnce(TcpStream) -> F) -> Result<(), End>
    where
        T: Into<TlsStream<TcpStream>>,
        F: Future<Output = io::Result<T>>,
    {
        self.input = Vec::new();
        tokio::select! {
            shaken = stalled(HANDSHAKE_MAX, self.wire.start_tls(shake)) => Ok(shaken?),
            () = &mut self.leaving => Err(End::Left),
        }
    }
}

async fn stalled<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// How long a peer may take to read so much. A whole limit for each write would let one that takes a byte now and then
/// hold a connection for weeks.
fn write_time_max(bytes: usize) -> Duration {
    WRITE_STALL_MAX + Duration::from_secs(bytes as u64 / WRITE_BYTES_PER_S_MIN)
}

async fn changed(watch: Option<Watch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
#[path = "drive_tests.rs"]
mod tests;
