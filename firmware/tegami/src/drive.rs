//! The one loop that drives every session: step, flush, satisfy what it wants, step again.
//!
//! No borrow of the store is held across a wait; only this file writes to clients.

use std::{io, net::IpAddr, pin::Pin, rc::Rc, time::Duration};

use mail::AccountId;
use proto::{Answer, Input, Io, Login, LoginRefusal, Output, Session, Want};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroize as _;

use crate::{
    closing::Closing,
    house::House,
    limits::{
        CLOSE_MAX, FAREWELL_MAX, HANDSHAKE_MAX, INPUT_PENDING_MAX, WRITE_BYTES_PER_S_MIN, WRITE_STALL_MAX,
    },
    office::{Office, Watch},
    passwords::Authenticator,
    wire::Wire,
};

/// A connection with its session.
pub(crate) struct Connection {
    wire: Wire,
    peer: IpAddr,
    office: Rc<Office>,
    authenticator: Rc<Authenticator>,
    acceptor: TlsAcceptor,
    /// Returns when the box is being switched off.
    leaving: Pin<Box<dyn Future<Output = ()>>>,
    /// Bytes read and not yet taken by the session.
    input: Vec<u8>,
    output: Output,
    answer: Option<Answer>,
}

/// Why the loop ended; none of it is an error of ours.
enum End {
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
    pub(crate) fn new(wire: Wire, peer: IpAddr, house: &House, closing: &Closing) -> Self {
        Self {
            wire,
            peer,
            office: Rc::clone(&house.office),
            authenticator: Rc::clone(&house.authenticator),
            acceptor: house.certificates.acceptor(),
            leaving: Box::pin(closing.begun()),
            input: Vec::new(),
            output: Output::new(),
            answer: None,
        }
    }

    /// Drives `session` to its end and closes the connection.
    pub(crate) async fn drive(mut self, session: &mut dyn Session) {
        match self.run(session).await {
            Err(End::Gone(error)) => log::debug!("{}: {error}", self.peer),
            Ok(()) | Err(End::Closed) => drop(timeout(CLOSE_MAX, self.wire.close()).await),
            Err(End::Left) => drop(timeout(FAREWELL_MAX, self.wire.close()).await),
        }
    }

    async fn run(&mut self, session: &mut dyn Session) -> Result<(), End> {
        let mut want = self.step(session);
        loop {
            want = match self.satisfy(session, want).await? {
                Some(next) => next,
                None => self.step(session),
            };
        }
    }

    /// One step of the session.
    fn step(&mut self, session: &mut dyn Session) -> Pending {
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
    async fn satisfy(&mut self, session: &mut dyn Session, pending: Pending) -> Result<Option<Pending>, End> {
        let Pending { want, seen } = pending;
        if !matches!(want, Want::Turn) || self.output.is_full() {
            // A session that waits for room says itself how long; the others have done their part.
            let patience = matches!(want, Want::Room).then(|| self.deadline(session));
            self.flush(patience).await?;
        }
        match want {
            Want::Room => {}
            Want::Turn => tokio::task::yield_now().await,
            Want::Input | Want::Change(_) => return self.wait(session, seen).await,
            Want::Login(login) => {
                self.answer = Some(Answer::Login(self.check(&login).await));
            }
            Want::ScramChallenge(name) => {
                let challenge = self.authenticator.challenge(self.office.as_ref(), name.expose());
                self.answer = Some(Answer::ScramChallenge(challenge));
            }
            Want::ScramProof(proof) => {
                let accepted = self.authenticator.check_proof(self.office.as_ref(), &proof, self.peer);
                self.answer = Some(Answer::ScramProof(accepted));
            }
            Want::Durable(ticket) => self.office.durable(&ticket).await,
            Want::Warm(cold) => self.office.warm(cold).await,
            Want::Flash => changed(seen).await,
            // Those that are driven here receive mail or serve it: they have no jobs.
            Want::Work => return Err(End::Gone(io::Error::other("the session wants work that nobody has"))),
            Want::StartTls => self.start_tls().await?,
            Want::Close => return Err(End::Closed),
        }
        Ok(None)
    }

    /// Waits for input, for a change in the watched mailbox if there is one, or for the session's deadline.
    async fn wait(&mut self, session: &mut dyn Session, seen: Option<Watch>) -> Result<Option<Pending>, End> {
        if self.input.is_empty() {
            self.input = Vec::new();
            self.output.release();
        }
        if self.input.len() >= INPUT_PENDING_MAX {
            // It was given all this, took none of it and wants more: a session never may.
            return Err(End::Gone(io::Error::other("the session does not take its input")));
        }
        let deadline = self.deadline(session);
        let read = tokio::select! {
            biased;
            () = &mut self.leaving => {
                session.farewell(&mut self.output);
                self.flush(None).await?;
                return Err(End::Left);
            }
            read = self.wire.read(&mut self.input) => read?,
            () = changed(seen) => return Ok(None),
            () = sleep_until(deadline) => {
                let want = session.expire(self.office.now(), &mut self.output);
                return Ok(Some(self.pending(want)));
            }
        };
        if read == 0 { Err(End::Gone(io::ErrorKind::UnexpectedEof.into())) } else { Ok(None) }
    }

    fn deadline(&self, session: &dyn Session) -> Instant {
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

    async fn check(&self, login: &Login) -> Result<AccountId, LoginRefusal> {
        self.authenticator.check(self.office.as_ref(), login, self.peer).await
    }

    /// Goes over to TLS. What the peer sent in clear behind its command is dropped unread, so that nothing injected
    /// there is ever run (RFC 3207 §4.2, RFC 8314 §4.1).
    async fn start_tls(&mut self) -> Result<(), End> {
        self.input = Vec::new();
        tokio::select! {
            shaken = stalled(HANDSHAKE_MAX, self.wire.start_tls(&self.acceptor)) => shaken?,
            () = &mut self.leaving => return Err(End::Left),
        }
        self.answer = Some(Answer::Tls(self.wire.channel_binding()));
        Ok(())
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
