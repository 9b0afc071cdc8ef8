//! The way to PID 1: asking for what needs root, saying that the loop lives, hearing of the network's cable.

use std::{cell::RefCell, collections::HashMap, io, os::fd::AsRawFd, rc::Rc, time::Duration};

use board::control::{Client, Event, Link, Message, Refusal, Request, RequestId};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::{oneshot, watch},
    time::{sleep, timeout},
};

/// Puts a descriptor under the network loop.
///
/// # Errors
/// Whatever the system says.
#[expect(
    deprecated,
    reason = "its successor is unsafe; what is registered here owns its descriptor and never closes it"
)]
pub(crate) fn readiness<T: AsRawFd>(owner: T) -> io::Result<AsyncFd<T>> {
    AsyncFd::new(owner)
}

/// PID 1 answers at once, but for writes to a card, which may take seconds. An answer that is lost (it drops what finds
/// our end of the socket full) must not hold up the network for good.
const ANSWER_MAX: Duration = Duration::from_secs(30);

type Reply = Result<(), Refusal>;

/// The mail process' end of the control socket, on the network loop.
pub(crate) struct Root {
    client: AsyncFd<Client>,
    waiting: RefCell<HashMap<RequestId, oneshot::Sender<Reply>>>,
}

impl Root {
    pub(crate) fn new(client: Client) -> io::Result<Rc<Self>> {
        Ok(Rc::new(Self { client: readiness(client)?, waiting: RefCell::default() }))
    }

    /// Asks PID 1 for something and waits for its answer.
    ///
    /// # Errors
    /// PID 1's refusal, or the end of PID 1, as a sentence.
    pub(crate) async fn ask(&self, request: Request) -> Result<(), String> {
        let sent = self.client.async_io(Interest::WRITABLE, |client| client.send(&request)).await;
        let id = sent.map_err(|error| format!("PID 1 cannot be asked: {error}"))?;
        let (sender, answer) = oneshot::channel();
        self.waiting.borrow_mut().insert(id, sender);
        let Ok(Ok(reply)) = timeout(ANSWER_MAX, answer).await else {
            self.waiting.borrow_mut().remove(&id);
            return Err("PID 1 does not answer".to_owned());
        };
        reply.map_err(|refusal| format!("PID 1 refuses: {refusal:?}"))
    }

    /// Takes what PID 1 sends, for as long as it runs: answers to whoever asked, the network's link to `links`.
    ///
    /// # Errors
    /// The end of PID 1, which is the end of the box.
    pub(crate) async fn listen(&self, links: watch::Sender<Option<Link>>) -> io::Error {
        loop {
            match self.client.async_io(Interest::READABLE, Client::receive).await {
                Ok(Message::Reply { id, result }) => {
                    if let Some(sender) = self.waiting.borrow_mut().remove(&id) {
                        // Whoever asked may have given up waiting.
                        let _ = sender.send(result);
                    }
                }
                Ok(Message::Event(Event::Link(link))) => {
                    links.send_replace(link);
                }
                Err(error) => return error,
            }
        }
    }

    /// Tells PID 1 that the loop is alive, for as long as it is.
    pub(crate) async fn beat(&self) {
        loop {
            let sent =
                self.client.async_io(Interest::WRITABLE, |client| client.send(&Request::Heartbeat)).await;
            if let Err(error) = sent {
                log::error!("PID 1 cannot be told that the loop lives: {error}");
            }
            sleep(Duration::from_secs(board::limits::HEARTBEAT_S)).await;
        }
    }
}
