//! Connections to other mail servers: one at a time is connected, secured with TLS as it must be, and has its dialogue.
//!
//! Knows no queue and no DNS: whoever calls [`converse`] has the server, its addresses and the letters. `dial` connects,
//! `trust` is TLS, `sending` the dialogue, driven by the loop that drives all sessions ([`crate::drive`]).

mod dial;
mod limits;
mod sending;
mod trust;

use std::{fmt, io, net::IpAddr, pin::Pin, rc::Rc, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use proto::{
    sasl::{ProofTask, ScramProven},
    smtp::client::{Ending, Job, Outcome, Stage},
};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::ProtocolVersion;
use tokio::{net::TcpStream, sync::Semaphore, task::spawn_blocking};

use crate::{closing::Closing, house::House, passwords::prove, provision::Tls, routing::Server};
use dial::dial;
use limits::NONCE_BYTES;
use sending::talk;
use trust::Trust;

/// What all connections to other servers share.
pub(crate) struct Desk {
    house: Rc<House>,
    closing: Rc<Closing>,
    trust: Trust,
    random: SystemRandom,
    /// One proof is made at a time: the threads that make them are those that read the flash.
    proofs: Arc<Semaphore>,
}

/// Gives letters to a connection and takes what came of them.
pub(crate) trait Feed {
    /// The next job for the server that was reached; `None`: there are no more, and the connection is ended. Dropped before
    /// it is ready when the server does not want to go on: no letter may be lost by that.
    fn next<'a>(&'a mut self, reached: &'a Reached) -> Pin<Box<dyn Future<Output = Option<Box<Job>>> + 'a>>;

    /// What came of the job that was given last. Called once for each, before [`converse`] returns.
    fn done(&mut self, outcome: Outcome);
}

/// Where a connection has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reached {
    /// The address that was connected to.
    pub address: IpAddr,
    /// TLS, where it is running.
    pub tls: Option<TlsKind>,
}

/// TLS on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TlsKind {
    pub version: ProtocolVersion,
    /// The certificate is one for the server's name.
    pub verified: bool,
}

/// A connection that has ended, or was never made.
#[derive(Debug)]
pub(crate) struct Closed {
    /// How the dialogue ended, or why there was none.
    pub ending: Result<Ending, Trouble>,
    /// Where the connection came to, if there was one.
    pub reached: Option<Reached>,
    /// Jobs that were given. Without any, nothing of a letter was said: the next server can be tried at once.
    pub jobs: usize,
}

/// Why there was no dialogue to its end. Each text is a sentence without its stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// No address could be connected to.
    NoConnection(String),
    /// TLS could not be started.
    Tls(String),
    /// The certificate is not the one that it must be.
    Certificate(String),
    /// The box is being switched off: not to be counted as an attempt.
    Leaving,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoConnection(text) | Self::Tls(text) | Self::Certificate(text) => f.write_str(text),
            Self::Leaving => f.write_str("this box is being switched off"),
        }
    }
}

impl Desk {
    /// # Errors
    /// TLS cannot be used: a sentence.
    pub(crate) fn new(house: Rc<House>, closing: Rc<Closing>) -> Result<Self, String> {
        let trust = Trust::new()?;
        Ok(Self { house, closing, trust, random: SystemRandom::new(), proofs: Arc::new(Semaphore::new(1)) })
    }

    /// Makes a proof (RFC 5802 §3), off the loop.
    async fn prove(&self, task: Box<ProofTask>) -> io::Result<ScramProven> {
        let permit = Arc::clone(&self.proofs).acquire_owned().await.map_err(io::Error::other)?;
        let proving = spawn_blocking(move || {
            let proven = prove(&task);
            drop(permit);
            proven
        });
        proving.await.map_err(io::Error::other)
    }

    /// A text that was never used before, for SCRAM.
    fn nonce(&self) -> Result<String, Trouble> {
        let mut bytes = [0; NONCE_BYTES];
        let filled = self.random.fill(&mut bytes);
        filled.map_err(|_| Trouble::NoConnection("this box has no randomness".to_owned()))?;
        Ok(STANDARD.encode(bytes))
    }
}

/// Connects to `server` at one of `addresses`, has the dialogue and sends what `feed` gives.
///
/// The addresses are tried in their order (RFC 5321 §5.1) until one has taken a job or there is no sense in another.
pub(crate) async fn converse(
    desk: &Desk,
    server: &Server,
    addresses: &[IpAddr],
    feed: &mut dyn Feed,
) -> Closed {
    let _at_work = desk.closing.enter();
    let mut addresses = addresses.to_vec();
    let mut closed = call(desk, server, &addresses, feed).await;
    while let Some(Reached { address, .. }) = closed.reached
        && closed.is_of_the_address()
    {
        addresses.retain(|other| *other != address);
        let next = call(desk, server, &addresses, feed).await;
        // That nobody else could be connected to says less than what this one did.
        if next.reached.is_none() {
            break;
        }
        closed = next;
    }
    closed
}

/// Connects and has the dialogue; where TLS need not be and cannot be started, once more without it (RFC 7435 §3).
async fn call(desk: &Desk, server: &Server, addresses: &[IpAddr], feed: &mut dyn Feed) -> Closed {
    let (address, stream) = match reach(desk, addresses, server.port).await {
        Ok(reached) => reached,
        Err(trouble) => return Closed { ending: Err(trouble), reached: None, jobs: 0 },
    };
    let closed = talk(desk, server, (address, stream), server.tls, feed).await;
    if server.tls == Tls::Opportunistic
        && let Err(Trouble::Tls(text)) = &closed.ending
        && let Ok(again) = reach(desk, &[address], server.port).await
    {
        log::debug!("{address}: {text}; again without TLS");
        return talk(desk, server, again, Tls::None, feed).await;
    }
    closed
}

/// Connects, unless the box is being switched off.
async fn reach(desk: &Desk, addresses: &[IpAddr], port: u16) -> Result<(IpAddr, TcpStream), Trouble> {
    tokio::select! {
        biased;
        () = desk.closing.begun() => Err(Trouble::Leaving),
        dialled = dial(addresses, port) => dialled,
    }
}

impl Closed {
    /// Whether it came to nothing for a reason that another address of the same server may not have: many have an IPv6
    /// address that is greeted by a refusal.
    fn is_of_the_address(&self) -> bool {
        let stage = match &self.ending {
            Err(Trouble::Tls(_)) => Stage::Tls,
            Ok(
                Ending::Refused { stage, .. }
                | Ending::Breach { stage, .. }
                | Ending::Silence(stage)
                | Ending::Lost { stage, .. },
            ) => *stage,
            _ => return false,
        };
        self.jobs == 0 && matches!(stage, Stage::Greeting | Stage::Hello | Stage::Tls)
    }
}

#[cfg(test)]
mod tests;
