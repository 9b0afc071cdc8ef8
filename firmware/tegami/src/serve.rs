//! The reception of a box that serves: every connection gets its session, or the page, and is driven to its end.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    rc::Rc,
};

use proto::{
    Answer, Output, Peer, Reason, Session, Want,
    imap::{self, ImapSession},
    pop3::{self, Pop3Session},
    smtp::{self, SmtpSession},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsAcceptor;

use crate::{
    closing::Closing,
    door::{Reception, say_and_close},
    drive::{Connection, End, Side},
    house::{Configs, House},
    http::Front,
    limits::HANDSHAKE_MAX,
    office::Office,
    passwords::Authenticator,
    service::Service,
    wire::Wire,
};

/// Receives those who come to a box that serves.
pub(crate) struct Serve {
    pub house: Rc<House>,
    pub front: Rc<Front>,
    pub closing: Rc<Closing>,
}

impl Reception for Serve {
    async fn receive(&self, service: Service, stream: TcpStream, from: SocketAddr) {
        // Replies are written whole; waiting for more to send with them would only delay them.
        let _ = stream.set_nodelay(true);
        let mut wire = Wire::Plain(stream);
        if service.is_tls() && !self.shake_hands(&mut wire, from).await {
            return;
        }
        if matches!(service, Service::Http | Service::Https) {
            return self.serve_page(wire, from.ip().to_canonical()).await;
        }
        if !self.front.is_claimed() {
            return say_and_close(wire, &self.refusal(service, Reason::Unclaimed)).await;
        }
        self.serve_mail(service, wire, from.ip()).await;
    }

    fn refusal(&self, service: Service, reason: Reason) -> Output {
        self.house.configs().refusal(service, reason)
    }
}

impl Serve {
    async fn shake_hands(&self, wire: &mut Wire, from: SocketAddr) -> bool {
        let acceptor = self.house.certificates.acceptor();
        let shaken = tokio::select! {
            shaken = timeout(HANDSHAKE_MAX, wire.start_tls(|stream| acceptor.accept(stream))) => shaken,
            () = self.closing.begun() => return false,
        };
        match shaken {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => log::debug!("{from}: TLS handshake: {error}"),
            Err(_) => log::debug!("{from}: TLS handshake: no answer"),
        }
        false
    }

    async fn serve_page(&self, wire: Wire, peer: IpAddr) {
        let leaving = self.closing.begun();
        match wire {
            Wire::Plain(stream) => self.front.serve(stream, peer, false, leaving).await,
            Wire::Tls(stream) => self.front.serve(stream, peer, true, leaving).await,
            Wire::Gone => {}
        }
    }

    async fn serve_mail(&self, service: Service, wire: Wire, from: IpAddr) {
        let peer = Peer {
            ip: from.to_canonical(),
            tls: service.is_tls(),
            channel_binding: wire.channel_binding(),
            trusted_path: self.house.trusts_loopback() && from.is_loopback(),
        };
        let mut session = self.session(service, peer);
        serve(wire, peer.ip, &self.house, &self.closing, session.as_mut()).await;
    }

    fn session(&self, service: Service, peer: Peer) -> Box<dyn Session> {
        let now = self.house.office.now();
        let Configs { smtp, imap, pop3, devices } = self.house.configs();
        let device = devices.at(service, peer.ip);
        match service {
            Service::Smtp => Box::new(SmtpSession::new(smtp, smtp::Mode::Mx, peer, now).of_device(device)),
            Service::Submission | Service::Submissions | Service::Http | Service::Https => {
                Box::new(SmtpSession::new(smtp, smtp::Mode::Submission, peer, now).of_device(device))
            }
            Service::Imap | Service::Imaps => Box::new(ImapSession::new(imap, peer, now)),
            Service::Pop3 | Service::Pop3s => Box::new(Pop3Session::new(pop3, peer, now)),
        }
    }
}

/// Drives a session of somebody's to its end and closes the connection.
pub(crate) async fn serve(
    wire: Wire,
    peer: IpAddr,
    house: &House,
    closing: &Closing,
    session: &mut (dyn Session + 'static),
) {
    let mut host = Host {
        peer,
        authenticator: Rc::clone(&house.authenticator),
        acceptor: house.certificates.acceptor(),
    };
    let mut connection = Connection::new(wire, &house.office, closing);
    let end = connection.drive(&mut host, session).await;
    if let End::Gone(error) = &end {
        log::debug!("{peer}: {error}");
    }
    connection.close(&end).await;
}

/// What those want who serve: log-ins checked, and TLS.
struct Host {
    peer: IpAddr,
    authenticator: Rc<Authenticator>,
    acceptor: TlsAcceptor,
}

impl Side for Host {
    type Session = dyn Session;

    async fn satisfy(
        &mut self,
        connection: &mut Connection,
        _: &mut (dyn Session + 'static),
        want: Want,
    ) -> Result<(), End> {
        if matches!(want, Want::StartTls) {
            connection.shake_hands(|stream| self.acceptor.accept(stream)).await?;
            connection.answer = Some(Answer::Tls(connection.wire.channel_binding()));
        } else {
            connection.answer = self.answer(&connection.office, want).await?;
        }
        Ok(())
    }
}

impl Host {
    async fn answer(&self, office: &Office, want: Want) -> Result<Option<Answer>, End> {
        Ok(Some(match want {
            Want::Login(login) => Answer::Login(self.authenticator.check(office, &login, self.peer).await),
            Want::ScramChallenge(name) => {
                Answer::ScramChallenge(self.authenticator.challenge(office, name.expose()))
            }
            Want::ScramProof(proof) => {
                Answer::ScramProof(self.authenticator.check_proof(office, &proof, self.peer))
            }
            Want::Room => return Ok(None),
            // Those that serve have no jobs; the loop does the rest.
            other => {
                let text = format!("the session wants {other:?}, which nobody has");
                return Err(End::Gone(io::Error::other(text)));
            }
        }))
    }
}

impl Configs {
    /// What a service says in place of its greeting; the page has none.
    pub(crate) fn refusal(&self, service: Service, reason: Reason) -> Output {
        let mut output = Output::new();
        match service {
            Service::Smtp | Service::Submission | Service::Submissions => {
                smtp::refuse(&mut output, &self.smtp, reason);
            }
            Service::Imap | Service::Imaps => imap::refuse(&mut output, &self.imap.hostname, reason),
            Service::Pop3 | Service::Pop3s => pop3::refuse(&mut output, &self.pop3, reason),
            Service::Http | Service::Https => {}
        }
        output
    }
}

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;
