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

use tokio::task::JoinHandle;

use super::{
    Queue,
    limits::{BARREN_MAX, CONNECTIONS_MAX, CONNECTIONS_PER_DESTINATION_MAX, LETTERS_PER_CONNECTION_MIN},
    settling::Sent,
    trouble::{Trouble, name_of},
};
use crate::{
    link::{Closed, Feed, Reached, Trouble as NoLink, converse},
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
    /// One came to nothing beside others that work: the destination takes no more than those.
    is_full: Cell<bool>,
}

impl Line {
    /// Letters that nobody sends now.
    fn of(waiting: Vec<Uid>) -> Self {
        Self { waiting: RefCell::new(waiting.into()), ..Self::default() }
    }
}

/// How a server was left.
enum Left {
    /// There is nothing more to send.
    Finished,
    /// It is to be tried with the next server.
    Next(Trouble),
    /// The box is being switched off.
    Stopped,
}

impl Queue {
    /// Opens connections to where letters wait, as many as make sense.
    pub(super) fn send(self: &Rc<Self>) {
        let mut lines: Vec<_> =
            self.lines().borrow().iter().map(|(to, line)| (to.clone(), Rc::clone(line))).collect();
        if !self.is_reaching() && !lines.is_empty() {
            // Each has its turn to find out whether anybody can be reached: one that never can must not stand before others.
            let turn = self.probes.get();
            self.probes.set(turn.wrapping_add(1));
            let first = turn % lines.len();
            lines.rotate_left(first);
        }
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
            _ => !line.is_open.get() || line.is_full.get() || waiting < open * LETTERS_PER_CONNECTION_MIN,
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
            line.is_full.set(false);
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
        match line.connections.get() {
            1 => self.fail_if_reaching(line, &last, false).await,
            _ => line.is_full.set(true),
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
        let mut barren = 0;
        loop {
            let mut feed = Sender::new(self, destination, line, server);
            let closed = converse(self.desk(), server, addresses, &mut feed).await;
            feed.give_back();
            feed.settled().await;
            match &closed.ending {
                Err(NoLink::Leaving) => return Left::Stopped,
                Err(NoLink::NoConnection(_)) => {}
                Ok(_) | Err(_) => self.reached(),
            }
            let broken = std::mem::take(&mut feed.broken);
            if self.closing().has_begun() || (broken.is_empty() && line.waiting.borrow().is_empty()) {
                return Left::Finished;
            }
            let trouble = Trouble::of_connection(&closed, server);
            barren = if feed.settled == 0 { barren + 1 } else { 0 };
            let is_alone = broken.is_empty() || line.waiting.borrow().is_empty();
            if barren == 0 || is_alone || barren >= BARREN_MAX {
                broken.iter().rev().for_each(|uid| line.waiting.borrow_mut().push_front(*uid));
                if barren > 0 {
                    return Left::Next(trouble);
                }
            } else {
                // It may be this letter that ends connections: those behind it must not wait for it.
                self.fail(&Line::of(broken), &trouble, false).await;
            }
            say_ended(&closed, server);
        }
    }
}

fn say_ended(closed: &Closed, server: &Server) {
    if !matches!(closed.ending, Ok(Ending::Done)) {
        log::info!("{}; there are letters left: once more", Trouble::of_connection(closed, server));
    }
}

/// Gives one connection its letters.
struct Sender<'a> {
    queue: &'a Rc<Queue>,
    destination: &'a Destination,
    line: &'a Rc<Line>,
    server: &'a Server,
    /// How the server is called in log and reports.
    name: String,
    /// Messages of the letter that is made ready or under way, each with the place of its recipient.
    messages: Vec<(Uid, u16)>,
    /// The letter that is under way.
    sent: Option<Sent>,
    /// Messages of the letter with which the connection ended.
    broken: Vec<Uid>,
    /// What came of the one before, on its way to flash.
    settling: Option<JoinHandle<()>>,
    /// TLS is running.
    has_tls: bool,
    /// Recipients about whom something is certain now.
    settled: usize,
}

impl<'a> Sender<'a> {
    fn new(
        queue: &'a Rc<Queue>,
        destination: &'a Destination,
        line: &'a Rc<Line>,
        server: &'a Server,
    ) -> Self {
        Self {
            queue,
            destination,
            line,
            server,
            name: server.name.to_string(),
            messages: Vec::new(),
            sent: None,
            broken: Vec::new(),
            settling: None,
            has_tls: false,
            settled: 0,
        }
    }

    async fn job(&mut self, reached: &Reached) -> Option<Box<Job>> {
        self.name = name_of(self.server, Some(reached.address));
        self.has_tls = reached.tls.is_some();
        self.give_back();
        // What came of one letter is on its way before the next one is: a flash that is slow slows the connection.
        self.settled().await;
        while !self.queue.closing().has_begun() {
            self.messages = self.queue.take_letter(self.line);
            let (first, _) = *self.messages.first()?;
            match self.queue.prepare(&self.messages, self.server).await {
                Ok((job, sent)) => {
                    self.messages.clear();
                    self.sent = Some(sent);
                    self.line.is_open.set(true);
                    self.queue.staff(self.destination, self.line);
                    return Some(job);
                }
                Err(Unready::Gone) => {
                    self.messages.remove(0);
                    self.queue.rows().borrow_mut().forget(first);
                }
                Err(Unready::Cold(_) | Unready::Damaged) => {
                    self.messages.remove(0);
                    self.queue.hold_damaged(first).await;
                }
            }
            self.give_back();
        }
        None
    }

    /// What was made ready and not given goes back to the front of the line.
    fn give_back(&mut self) {
        let mut waiting = self.line.waiting.borrow_mut();
        self.messages.drain(..).rev().for_each(|(uid, _)| waiting.push_front(uid));
    }

    /// Returns once what came of the last letter has been taken to where it is kept.
    async fn settled(&mut self) {
        if let Some(settling) = &mut self.settling {
            // Fails only if the box ends meanwhile.
            let _ = settling.await;
            self.settling = None;
        }
    }
}

impl Feed for Sender<'_> {
    fn next<'f>(&'f mut self, reached: &'f Reached) -> Pin<Box<dyn Future<Output = Option<Box<Job>>> + 'f>> {
        Box::pin(self.job(reached))
    }

    fn done(&mut self, outcome: Outcome) {
        let Some(sent) = self.sent.take() else { return };
        if outcome.fates.iter().any(|(_, fate)| matches!(fate, Fate::Delivered(_))) {
            self.queue.observe_tls(self.destination, self.has_tls);
        }
        let ended = |fate: &Fate| matches!(fate, Fate::Deferred(Reason::Ended(_)));
        let of = |is: &dyn Fn(&Fate) -> bool| {
            outcome.fates.iter().filter(|(_, fate)| is(fate)).map(|(uid, _)| Uid(*uid)).collect::<Vec<_>>()
        };
        let left = of(&|fate| matches!(fate, Fate::Left));
        self.broken = of(&ended);
        self.settled += outcome.fates.len() - left.len() - self.broken.len();
        // They go with the next letter, or with another connection.
        left.iter().rev().for_each(|uid| self.line.waiting.borrow_mut().push_front(*uid));
        let (queue, name, is_relay) = (Rc::clone(self.queue), self.name.clone(), self.server.login.is_some());
        // A task of its own: what a server has said must be kept, whatever becomes of the connection.
        self.settling = Some(tokio::task::spawn_local(async move {
            let _at_work = queue.closing().enter();
            queue.settle(sent, outcome, &name, is_relay).await;
        }));
    }
}
