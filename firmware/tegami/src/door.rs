//! The door: every accepted connection is counted and received in a task of its own; who is too many is turned away.
//!
//! Knows ports and sockets, no protocol: what is said is the reception's business.

use std::{io, net::SocketAddr, rc::Rc};

use proto::{Output, Reason};
use tokio::{
    net::{TcpListener, TcpStream},
    task::spawn_local,
    time::{sleep, timeout},
};

use crate::{
    closing::Closing,
    limits::{ACCEPT_PAUSE, CLOSE_MAX},
    service::{Census, Service},
    wire::Wire,
};

/// Whoever receives those who come in.
pub(crate) trait Reception {
    /// Serves one connection to its end. Dropped when the box is switched off and the time for farewells is over.
    async fn receive(&self, service: Service, stream: TcpStream, from: SocketAddr);

    /// What is said to somebody who is turned away; nothing for what has no greeting.
    fn refusal(&self, service: Service, reason: Reason) -> Output;
}

/// The way in.
pub(crate) struct Door<R> {
    reception: R,
    census: Rc<Census>,
    closing: Rc<Closing>,
}

impl<R: Reception + 'static> Door<R> {
    pub(crate) fn new(reception: R, census: Census, closing: Rc<Closing>) -> Rc<Self> {
        Rc::new(Self { reception, census: Rc::new(census), closing })
    }

    /// Listens for every service from now on.
    ///
    /// # Errors
    /// A listener that cannot be used, as a sentence.
    pub(crate) fn open(self: &Rc<Self>, listeners: Listeners) -> Result<(), String> {
        for (service, listener) in listeners {
            let listener = TcpListener::from_std(listener)
                .map_err(|error| format!("cannot listen for {}: {error}", service.name()))?;
            spawn_local(Rc::clone(self).listen(service, listener));
        }
        Ok(())
    }

    /// Accepts connections for as long as it runs.
    async fn listen(self: Rc<Self>, service: Service, listener: TcpListener) {
        loop {
            match listener.accept().await {
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
        if self.closing.has_begun() {
            return self.turn_away(service, &stream, Reason::ShuttingDown);
        }
        let Some(counted) = self.census.admit(service, from.ip()) else {
            return self.turn_away(service, &stream, Reason::TooManyConnections);
        };
        let door = Rc::clone(self);
        spawn_local(async move {
            let _at_work = door.closing.enter();
            tokio::select! {
                () = door.reception.receive(service, stream, from) => {}
                () = door.closing.over() => {}
            }
            drop(counted);
        });
    }

    /// Says why without waiting for anything: whoever opens a thousand connections gets no task for each.
    fn turn_away(&self, service: Service, stream: &TcpStream, reason: Reason) {
        if !service.is_tls() {
            // A new connection's buffer has room for a line; if not, it is closed without one.
            let _: io::Result<usize> = stream.try_write(self.reception.refusal(service, reason).pending());
        }
    }
}

/// Open ports, non-blocking.
pub(crate) type Listeners = Vec<(Service, std::net::TcpListener)>;

/// Greets with a refusal and closes.
pub(crate) async fn say_and_close(mut wire: Wire, refusal: &Output) {
    let said = async {
        if wire.write(refusal.pending()).await.is_ok() && wire.flush().await.is_ok() {
            wire.close().await;
        }
    };
    let _ = timeout(CLOSE_MAX, said).await;
}
