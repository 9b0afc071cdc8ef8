//! The one loop that drives every session: step, flush, satisfy what it wants, step again.
//!
//! No borrow of the store is held across a wait; only this file writes to clients.

use std::{io, net::IpAddr, rc::Rc, time::Duration};

use mail::AccountId;
use proto::{Answer, Input, Io, Login, LoginRefusal, Output, Session, Want};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroize as _;

use crate::{
    limits::{CLOSE_MAX, HANDSHAKE_MAX, INPUT_PENDING_MAX, WRITE_STALL_MAX},
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
    /// Bytes read and not yet taken by the session.
    input: Vec<u8>,
    output: Output,
    answer: Option<Answer>,
}

/// Why the loop ended; none of it is an error of ours.
enum End {
    /// The session closed.
    Closed,
    /// The peer is gone or does not read.
    Gone(io::Error),
}

/// What a session wants, and the watch on the mailbox if it wants to hear of changes.
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
    pub(crate) fn new(
        wire: Wire,
        peer: IpAddr,
        office: Rc<Office>,
        authenticator: Rc<Authenticator>,
        acceptor: TlsAcceptor,
    ) -> Self {
        let (input, output) = (Vec::new(), Output::new());
        Self { wire, peer, office, authenticator, acceptor, input, output, answer: None }
    }

    /// Drives `session` to its end and closes the connection.
    pub(crate) async fn drive(mut self, session: &mut dyn Session) {
        match self.run(session).await {
            Err(End::Gone(error)) => log::debug!("{}: {error}", self.peer),
            Ok(()) | Err(End::Closed) => {
                let _ = timeout(CLOSE_MAX, self.wire.shutdown()).await;
            }
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
        // There may have been a password in it.
        self.input.get_mut(..taken).unwrap_or_default().zeroize();
        self.input.drain(..taken);
        self.office.after_step();
        self.pending(want)
    }

    /// What a session wants, with the state of the mailbox it watches as the session knew it: a change that comes
    /// while output is being flushed must not be slept through.
    fn pending(&self, want: Want) -> Pending {
        let seen = match &want {
            Want::Change(mailbox) => Some(self.office.watch(*mailbox)),
            _ => None,
        };
        Pending { want, seen }
    }

    /// Does what the session wants. Returns what it wants instead after its deadline passed.
    async fn satisfy(&mut self, session: &mut dyn Session, pending: Pending) -> Result<Option<Pending>, End> {
        let Pending { want, seen } = pending;
        if !matches!(want, Want::Turn) || self.output.is_full() {
            self.flush().await?;
        }
        match want {
            Want::Room => {}
            Want::Turn => tokio::task::yield_now().await,
            Want::Input | Want::Change(_) => return self.wait(session, seen).await,
            Want::Login(login) => {
                self.answer = Some(Answer::Login(self.check(&login).await));
            }
            Want::Durable(ticket) => self.office.durable(&ticket).await,
            Want::Warm(cold) => self.office.warm(cold).await,
            Want::Flash => self.office.flash_room().await,
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
        let deadline = Instant::from_std(self.office.instant(session.deadline()));
        let change = async {
            match seen {
                Some(watch) => watch.changed().await,
                None => std::future::pending().await,
            }
        };
        let read = tokio::select! {
            biased;
            read = self.wire.read(&mut self.input) => read?,
            () = change => return Ok(None),
            () = sleep_until(deadline) => {
                let want = session.expire(self.office.now(), &mut self.output);
                return Ok(Some(self.pending(want)));
            }
        };
        if read == 0 { Err(End::Gone(io::ErrorKind::UnexpectedEof.into())) } else { Ok(None) }
    }

    /// Sends all pending output. A peer that takes none for a while is given up.
    async fn flush(&mut self) -> io::Result<()> {
        while !self.output.pending().is_empty() {
            let count = stalled(WRITE_STALL_MAX, self.wire.write(self.output.pending())).await?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.output.sent(count);
        }
        stalled(WRITE_STALL_MAX, self.wire.flush()).await
    }

    async fn check(&self, login: &Login) -> Result<AccountId, LoginRefusal> {
        self.authenticator.check(self.office.as_ref(), login, self.peer).await
    }

    /// Goes over to TLS. What the peer sent in clear behind its command is dropped unread, so that nothing injected
    /// there is ever run (RFC 3207 §4.2, RFC 8314 §4.1).
    async fn start_tls(&mut self) -> io::Result<()> {
        self.input = Vec::new();
        stalled(HANDSHAKE_MAX, self.wire.start_tls(&self.acceptor)).await?;
        self.answer = Some(Answer::Tls);
        Ok(())
    }
}

async fn stalled<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
