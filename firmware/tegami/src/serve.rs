//! Listening: every accepted connection is counted, given its session and driven in a task of its own.

use std::{
    cell::Cell,
    io,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    time::Duration,
};

use proto::{
    Output, Peer, Reason, Session,
    imap::{self, ImapSession},
    pop3::{self, Pop3Session},
    smtp::{self, SmtpSession},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::spawn_local,
    time::{sleep, timeout},
};

use crate::{
    drive::Connection,
    house::{Configs, House},
    http::Front,
    limits::{ACCEPT_PAUSE, CLOSE_MAX, HANDSHAKE_MAX},
    service::{Census, Service},
    wire::Wire,
};

/// What every listener shares.
pub(crate) struct Reception {
    pub house: Rc<House>,
    pub front: Rc<Front>,
    pub census: Rc<Census>,
    pub closing: Rc<Closing>,
}

/// Tells everyone that the box is being switched off, and counts who is still at work.
#[derive(Default)]
pub(crate) struct Closing {
    begun: Cell<bool>,
    bell: Notify,
    open: Cell<usize>,
    emptied: Notify,
}

impl Closing {
    /// Asks everyone to stop.
    pub(crate) fn begin(&self) {
        self.begun.set(true);
        self.bell.notify_waiters();
    }

    /// Returns once everyone was asked to stop.
    pub(crate) async fn begun(&self) {
        while !self.begun.get() {
            self.bell.notified().await;
        }
    }

    /// Returns once no connection is open, or after `limit`.
    pub(crate) async fn wait_until_empty(&self, limit: Duration) {
        let empty = async {
            while self.open.get() > 0 {
                self.emptied.notified().await;
            }
        };
        let _ = timeout(limit, empty).await;
    }
}

impl Reception {
    /// Accepts connections until the box is switched off.
    pub(crate) async fn listen(self: Rc<Self>, service: Service, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.closing.begun() => return,
            };
            match accepted {
                Ok((stream, from)) => self.admit(service, stream, from),
                Err(error) => {
                    // Out of descriptors or memory: those open go on, and a pause lets some of them end.
                    log::warn!("accepting on port {}: {error}", service.port());
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn admit(self: &Rc<Self>, service: Service, stream: TcpStream, from: SocketAddr) {
        let Some(counted) = self.census.admit(service, from.ip()) else {
            self.turn_away(service, &stream, Reason::TooManyConnections);
            return;
        };
        let reception = Rc::clone(self);
        spawn_local(async move {
            let closing = Rc::clone(&reception.closing);
            closing.open.set(closing.open.get() + 1);
            tokio::select! {
                () = reception.serve(service, stream, from) => {}
                () = closing.begun() => {}
            }
            drop(counted);
            closing.open.set(closing.open.get() - 1);
            closing.emptied.notify_waiters();
        });
    }

    async fn serve(&self, service: Service, stream: TcpStream, from: SocketAddr) {
        // Replies are written whole; waiting for more to send with them would only delay them.
        let _ = stream.set_nodelay(true);
        let mut wire = Wire::Plain(stream);
        let acceptor = self.house.certificates.acceptor();
        if service.is_tls() {
            match timeout(HANDSHAKE_MAX, wire.start_tls(&acceptor)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return log::debug!("{from}: TLS handshake: {error}"),
                Err(_) => return log::debug!("{from}: TLS handshake: no answer"),
            }
        }
        if matches!(service, Service::Http | Service::Https) {
            return self.serve_page(wire, from.ip().to_canonical()).await;
        }
        if !self.front.is_claimed() {
            return self.say_and_close(service, wire, Reason::Unclaimed).await;
        }
        let peer = Peer {
            ip: from.ip().to_canonical(),
            tls: service.is_tls(),
            trusted_path: self.house.trusts_loopback() && from.ip().is_loopback(),
        };
        let mut session = self.session(service, peer);
        let (office, authenticator) = (Rc::clone(&self.house.office), Rc::clone(&self.house.authenticator));
        Connection::new(wire, peer.ip, office, authenticator, acceptor).drive(session.as_mut()).await;
    }

    async fn serve_page(&self, wire: Wire, peer: IpAddr) {
        match wire {
            Wire::Plain(stream) => self.front.serve(stream, peer, false).await,
            Wire::Tls(stream) => self.front.serve(stream, peer, true).await,
            Wire::Gone => {}
        }
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

    /// Greets with the reason and closes.
    async fn say_and_close(&self, service: Service, mut wire: Wire, reason: Reason) {
        let output = self.refusal(service, reason);
        let said = async {
            let _ = wire.write(output.pending()).await;
            wire.shutdown().await;
        };
        let _ = timeout(CLOSE_MAX, said).await;
    }

    /// The same without waiting for anything: whoever opens a thousand connections gets no task for each.
    fn turn_away(&self, service: Service, stream: &TcpStream, reason: Reason) {
        if !service.is_tls() {
            // A new connection's buffer has room for a line; if not, it is closed without one.
            let _: io::Result<usize> = stream.try_write(self.refusal(service, reason).pending());
        }
    }

    fn refusal(&self, service: Service, reason: Reason) -> Output {
        let mut output = Output::new();
        let configs = self.house.configs();
        match service {
            Service::Smtp | Service::Submission | Service::Submissions => {
                smtp::refuse(&mut output, &configs.smtp, reason)
            }
            Service::Imap | Service::Imaps => imap::refuse(&mut output, &configs.imap.hostname, reason),
            Service::Pop3 | Service::Pop3s => pop3::refuse(&mut output, &configs.pop3, reason),
            Service::Http | Service::Https => {}
        }
        output
    }
}
