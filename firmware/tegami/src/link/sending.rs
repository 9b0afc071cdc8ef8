//! One connection with its dialogue: what a sending session wants is done here, and its jobs come from a [`Feed`].

use std::{io, net::IpAddr, rc::Rc};

use proto::{
    Answer, Login, Secret, Want,
    smtp::client::{self, Ending, SmtpClient},
};
use tokio::net::TcpStream;

use super::{Closed, Desk, Feed, Reached, TlsKind, Trouble, trust::trouble_of};
use crate::{
    drive::{Connection, End, Side},
    provision::Tls,
    routing::Server,
    wire::Wire,
};

/// What those want who send: TLS, and jobs.
struct Sender<'a> {
    desk: &'a Desk,
    server: &'a Server,
    feed: &'a mut dyn Feed,
    reached: Reached,
    /// Jobs that were given.
    jobs: usize,
    /// TLS could not be started.
    trouble: Option<Trouble>,
}

/// Has a dialogue on a new connection to its end. `tls` is what TLS must be on it.
pub(super) async fn talk(
    desk: &Desk,
    server: &Server,
    (address, stream): (IpAddr, TcpStream),
    tls: Tls,
    feed: &mut dyn Feed,
) -> Closed {
    // Commands are written in groups already.
    let _ = stream.set_nodelay(true);
    let reached = Reached { address, tls: None };
    let mut sender = Sender { desk, server, feed, reached, jobs: 0, trouble: None };
    let ending = sender.talk(stream, tls).await;
    Closed { ending, reached: Some(sender.reached), jobs: sender.jobs }
}

impl Sender<'_> {
    async fn talk(&mut self, stream: TcpStream, tls: Tls) -> Result<Ending, Trouble> {
        let config = self.config(tls)?;
        let mut connection =
            Connection::new(Wire::Plain(stream), &self.desk.house.office, &self.desk.closing);
        if tls == Tls::Implicit
            && let Err(end) = self.start_tls(&mut connection).await
        {
            connection.close(&end).await;
            return Err(self.trouble.take().unwrap_or(Trouble::Leaving));
        }
        let mut session = SmtpClient::new(Rc::new(config), self.desk.house.office.now());
        let over = self.desk.closing.over();
        let end = tokio::select! {
            end = connection.drive(self, &mut session) => Some(end),
            // Those who had leave to stay have it no more, nor the time for a farewell.
            () = over => None,
        };
        let trouble = match &end {
            None | Some(End::Left) if session.ending().is_none() => {
                session.lost(&[], "this box is being switched off");
                Some(Trouble::Leaving)
            }
            Some(End::Gone(error)) => {
                session.lost(connection.last_words().await, &said(error));
                self.trouble.take()
            }
            _ => None,
        };
        if let Some(outcome) = session.take_outcome() {
            self.feed.done(outcome);
        }
        if let Some(end) = end {
            connection.close(&end).await;
        }
        match trouble {
            Some(trouble) => Err(trouble),
            None => session.ending().cloned().ok_or(Trouble::Leaving),
        }
    }

    fn config(&self, tls: Tls) -> Result<client::Config, Trouble> {
        let server = self.server;
        let login = server
            .login
            .as_deref()
            .map(|(name, password)| Login { name: Secret::new(name.clone()), password: password.clone() });
        Ok(client::Config {
            hostname: self.desk.house.hostname(),
            tls: match tls {
                Tls::Implicit => client::Tls::Implicit,
                Tls::Required => client::Tls::Required,
                Tls::Opportunistic => client::Tls::Opportunistic,
                Tls::None => client::Tls::None,
            },
            login,
            nonce: self.desk.nonce()?,
            // Nowhere else does a password go in clear: whoever is in between could say that there is no TLS.
            trusted_path: self.reached.address.to_canonical().is_loopback(),
            // RFC 8689 §4.2.1: the name that the certificate must be for is the owner's own word.
            require_tls: server.verify,
        })
    }

    async fn start_tls(&mut self, connection: &mut Connection) -> Result<(), End> {
        let (connector, name) = match self.desk.trust.connector(self.server, self.reached.address) {
            Ok(connector) => connector,
            Err(trouble) => {
                self.trouble = Some(trouble);
                return Err(End::Gone(io::ErrorKind::Other.into()));
            }
        };
        let shaken = connection.shake_hands(|stream| connector.connect(name, stream)).await;
        if let Err(End::Gone(error)) = &shaken {
            self.trouble = Some(trouble_of(error, self.server));
        }
        shaken?;
        let version = connection.wire.tls_version();
        self.reached.tls = version.map(|version| TlsKind { version, verified: self.server.verify });
        Ok(())
    }

    /// Waits for the next job, and for the server to close or to say that it does not want one.
    async fn work(&mut self, connection: &mut Connection, session: &mut SmtpClient) -> Result<(), End> {
        if let Some(outcome) = session.take_outcome() {
            self.feed.done(outcome);
        }
        connection.rest();
        let job = tokio::select! {
            biased;
            heard = connection.hear(false) => return heard,
            job = self.feed.next(&self.reached) => job,
        };
        match job {
            Some(job) => {
                self.jobs += 1;
                // A session that wants a job takes it.
                let given = session.give(job);
                given.map_err(|_| End::Gone(io::Error::other("the session does not take its job")))
            }
            None => {
                session.finish();
                Ok(())
            }
        }
    }
}

impl Side for Sender<'_> {
    type Session = SmtpClient;

    async fn satisfy(
        &mut self,
        connection: &mut Connection,
        session: &mut SmtpClient,
        want: Want,
    ) -> Result<(), End> {
        match want {
            // Whoever refuses a letter in its midst is heard at once.
            Want::Room => connection.glance().await,
            Want::Work => self.work(connection, session).await,
            Want::StartTls => {
                self.start_tls(connection).await?;
                connection.answer = Some(Answer::Tls(None));
                Ok(())
            }
            Want::MakeProof(task) => {
                connection.answer = Some(Answer::ScramProven(self.desk.prove(task).await?));
                Ok(())
            }
            // Those that send check no log-ins; the loop does the rest.
            other => {
                Err(End::Gone(io::Error::other(format!("the session wants {other:?}, which nobody has"))))
            }
        }
    }

    /// A letter whose end was sent would be sent again.
    fn stays(&self, session: &SmtpClient) -> bool {
        session.awaits_verdict()
    }
}

/// What is known of a connection that broke.
fn said(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "the server closed the connection".to_owned(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
            "the server cut the connection".to_owned()
        }
        io::ErrorKind::TimedOut => "the server takes nothing any more".to_owned(),
        _ => error.to_string(),
    }
}
