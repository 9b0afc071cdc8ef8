//! The reception of a box that serves: every connection gets its session, or the page, and is driven to its end.

use std::{
    net::{IpAddr, SocketAddr},
    rc::Rc,
};

use proto::{
    Output, Peer, Reason, Session,
    imap::{self, ImapSession},
    pop3::{self, Pop3Session},
    smtp::{self, SmtpSession},
};
use tokio::{net::TcpStream, time::timeout};

use crate::{
    closing::Closing,
    door::{Reception, say_and_close},
    drive::Connection,
    house::{Configs, House},
    http::Front,
    limits::HANDSHAKE_MAX,
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
            shaken = timeout(HANDSHAKE_MAX, wire.start_tls(&acceptor)) => shaken,
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
        Connection::new(wire, peer.ip, &self.house, &self.closing).drive(session.as_mut()).await;
    }

    fn session(&self, service: Service, peer: Peer) -> Box<dyn Session> {
        let now = self.house.office.now();
        let Configs { smtp, imap, pop3 } = self.house.configs();
        match service {
            Service::Smtp => Box::new(SmtpSession::new(smtp, smtp::Mode::Mx, peer, now)),
            Service::Submission | Service::Submissions | Service::Http | Service::Https => {
                Box::new(SmtpSession::new(smtp, smtp::Mode::Submission, peer, now))
            }
            Service::Imap | Service::Imaps => Box::new(ImapSession::new(imap, peer, now)),
            Service::Pop3 | Service::Pop3s => Box::new(Pop3Session::new(pop3, peer, now)),
        }
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
