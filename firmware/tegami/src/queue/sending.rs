//! A line of letters for one destination, and the connections that send them: server after server, letter after letter.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::Future,
    pin::Pin,
    rc::Rc,
};

use mail::{Uid, Unready};
use proto::{
    report::Cause,
    smtp::client::{Ending, Fate, Job, Outcome, Reason},
};

use super::{
    Queue,
    limits::{CONNECTIONS_MAX, CONNECTIONS_PER_DESTINATION_MAX, LETTERS_PER_CONNECTION_MIN},
    settling::Sent,
    trouble::{Trouble, name_of},
};
use crate::{
    link::{Closed, Failure, Feed, converse},
    routing::{Destination, Server},
};

/// Letters that wait for a connection to one destination.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// Messages, in the order in which they are to go.
    pub(super) waiting: RefCell<VecDeque<Uid>>,
    /// Connections that are open or being made.
    connections: Cell<usize>,
    /// One of them has come so far that it took a letter: more make sense.
    is_open: Cell<bool>,
}

/// How a server was left.
enum Left {
    /// There is nothing more to send.
    Finished,
    /// It is to be tried with the next server.
    Next(Trouble),
    /// The box has no network, or is being switched off.
    Stopped,
}

impl Queue {
    /// Opens connections to where letters wait, as many as make sense.
    pub(super) fn send(self: &Rc<Self>) {
        let lines: Vec<_> =
            self.lines().borrow().iter().map(|(to, line)| (to.clone(), Rc::clone(line))).collect();
        for (destination, line) in lines {
            self.staff(&destination, &line);
        }
    }

    fn staff(self: &Rc<Self>, destination: &Destination, line: &Rc<Line>) {
        while self.wants_connection(line) {
            line.connections.set(line.connections.get() + 1);
            self.connections().set(self.connections().get() + 1);
            let (queue, destination, line) = (Rc::clone(self), destination.clone(), Rc::clone(line));
            tokio::task::spawn_local(async move {
                let at_work = queue.closing().enter();
                queue.serve(&destination, &line).await;
                line.connections.set(line.connections.get() - 1);
                queue.connections().set(queue.connections().get() - 1);
                queue.left(&destination, &line);
                drop(at_work);
            });
        }
    }

    fn wants_connection(&self, line: &Line) -> bool {
        let (waiting, open) = (line.waiting.borrow().len(), line.connections.get());
        // While nobody can be reached, one is enough to find out when somebody can.
        let room = if self.is_reaching() { CONNECTIONS_MAX } else { 1 };
        let enough = match open {
            0 => waiting == 0,
            // Until the first one has come through, nobody knows whether there is anybody at the other end.
            _ => !line.is_open.get() || waiting < open * LETTERS_PER_CONNECTION_MIN,
        };
        !enough
            && open < CONNECTIONS_PER_DESTINATION_MAX
            && self.connections().get() < room
            && self.can_send()
            && !self.closing().has_begun()
    }

    /// A connection has ended: the line is closed behind the last one, and there is room for another destination.
    fn left(&self, destination: &Destination, line: &Line) {
        if line.connections.get() == 0 {
            line.is_open.set(false);
            if line.waiting.borrow().is_empty() {
                self.lines().borrow_mut().remove(destination);
            }
        }
        self.wake();
    }

    /// Sends what waits in a line, to the first server that takes it (RFC 5321 §5.1).
    async fn serve(self: &Rc<Self>, destination: &Destination, line: &Rc<Line>) {
        let (router, routes) = (self.router(), self.routes());
        let servers = match router.servers(&routes, destination).await {
            Ok(servers) => servers,
            Err(no_route) => {
                let (trouble, is_final) = Trouble::of_route(&no_route);
                return self.fail_if_reaching(line, &trouble, is_final).await;
            }
        };
        let mut last = Trouble::own(Cause::NoConnection, "there is no server");
        for server in &servers {
            let addresses = match router.addresses(server).await {
                Ok(addresses) => addresses,
                Err(no_route) => {
                    // The domain itself is fine: that one of its servers has no address may pass.
                    last = Trouble::of_route(&no_route).0;
                    last.cause = Cause::NameTrouble;
                    last.server = server.name.to_string();
                    continue;
                }
            };
            match self.exhaust(destination, line, server, &addresses).await {
                Left::Finished | Left::Stopped => return,
                Left::Next(trouble) => last = trouble,
            }
        }
        // While another connection works, what is left is that one's.
        if line.connections.get() == 1 {
            self.fail_if_reaching(line, &last, false).await;
        }
    }

    /// A line came to nothing. If that is because nothing can be reached at all, it is nobody's fault and no attempt.
    async fn fail_if_reaching(self: &Rc<Self>, line: &Line, trouble: &Trouble, is_final: bool) {
        let doubtful = matches!(trouble.cause, Cause::NameTrouble | Cause::NoConnection);
        if doubtful && !self.router().is_answered().await {
            self.unreachable();
            return self.give_back(line);
        }
        self.reached();
        self.fail(line, trouble, is_final).await;
    }

    /// One server: as many connections, one after the other, as bring letters on.
    async fn exhaust(
        self: &Rc<Self>,
        destination: &Destination,
        line: &Rc<Line>,
        server: &Server,
        addresses: &[std::net::IpAddr],
    ) -> Left {
        loop {
            let mut feed = Sender::new(self, destination, line, server);
            let closed = converse(self.desk(), server, addresses, &mut feed).await;
            feed.name = name_of(server, closed.address);
            feed.settle().await;
            let (settled, is_empty) = (feed.settled, line.waiting.borrow().is_empty());
            if closed.failure == Some(Failure::Offline) {
                self.unreachable();
                self.give_back(line);
                return Left::Stopped;
            }
            if closed.failure.is_none() {
                self.reached();
            }
            if self.closing().has_begun() {
                return Left::Stopped;
            }
            if is_empty {
                return Left::Finished;
            }
            if settled == 0 {
                return Left::Next(Trouble::of_connection(&closed, server));
            }
            say_ended(&closed, server);
        }
    }
}

fn say_ended(closed: &Closed, server: &Server) {
    if closed.ending != Ending::Done {
        log::info!("{}; there are letters left: once more", Trouble::of_connection(closed, server));
    }
}

/// Gives one connection its letters.
struct Sender<'a> {
    queue: &'a Rc<Queue>,
    destination: &'a Destination,
    line: &'a Rc<Line>,
    server: &'a Server,
    /// How the server is called in reports.
    name: String,
    /// The letter that is under way, and what came of it once that is known.
    sent: Option<Sent>,
    outcome: Option<Outcome>,
    /// Recipients about whom something is certain now.
    settled: usize,
}

impl<'a> Sender<'a> {
    fn new(queue: &'a Rc<Queue>, destination: &'a Destination, line: &'a Rc<Line>, server: &'a Server) -> Self {
        let name = server.name.to_string();
        Self { queue, destination, line, server, name, sent: None, outcome: None, settled: 0 }
    }

    /// Takes what came of the last letter to where it is kept.
    async fn settle(&mut self) {
        let (Some(sent), outcome) = (self.sent.take(), self.outcome.take()) else { return };
        // A connection that was given a letter says what came of it; if not, nothing did.
        let outcome = outcome.unwrap_or_else(|| Outcome {
            fates: sent.uids().map(|uid| (uid.0, Fate::Left)).collect(),
            dsn: false,
        });
        let open = |fate: &Fate| matches!(fate, Fate::Left | Fate::Deferred(Reason::Ended(_)));
        self.settled += outcome.fates.iter().filter(|(_, fate)| !open(fate)).count();
        let again = outcome.fates.iter().rev().filter(|(_, fate)| open(fate)).map(|(uid, _)| Uid(*uid));
        // Another connection goes on with these.
        again.for_each(|uid| self.line.waiting.borrow_mut().push_front(uid));
        let is_relay = self.server.login.is_some();
        self.queue.settle(sent, outcome, &self.name, is_relay).await;
    }

    async fn job(&mut self) -> Option<Box<Job>> {
        self.settle().await;
        loop {
            if self.queue.closing().has_begun() {
                return None;
            }
            let first = self.line.waiting.borrow_mut().pop_front()?;
            match self.queue.prepare(first, self.line, self.server).await {
                Ok((job, sent)) => {
                    self.line.is_open.set(true);
                    self.queue.staff(self.destination, self.line);
                    self.sent = Some(sent);
                    return Some(job);
                }
                Err(Unready::Gone) => self.queue.rows().borrow_mut().forget(first),
                Err(Unready::Cold(_) | Unready::Damaged) => self.queue.hold_damaged(first).await,
            }
        }
    }
}

impl Feed for Sender<'_> {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Option<Box<Job>>> + '_>> {
        Box::pin(self.job())
    }

    fn done(&mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
    }
}
