//! The outbound queue at work: letters for other servers are sent when their time comes, tried again when they could not
//! be, and reported to their senders when they never will.
//!
//! What is durable stands in the store: a message of [`mail::OUTBOUND`] for each recipient, whose flags say how far it is,
//! and what servers said last (`words`). All else is made anew at every start. `run` is the loop: it takes new messages
//! and those whose turn has come (`rows`, by the queue's own `clock` and the table in `schedule`) to the line of their
//! destination; `sending` has connections work the lines off; `settling` makes what came of it durable; `reports` tells
//! senders. Where a destination's servers are is for [`crate::routing`] to say, a connection to one is [`crate::link`]'s.
//!
//! No message is taken from the queue before a server has said that it has the letter, or its sender's report is in the
//! same change. A letter goes twice only when power fails between the server's word and the barrier behind it, or when
//! the connection was lost before the word: then nobody knows (RFC 5321 §4.5.3.2.6).

mod clock;
mod letters;
mod limits;
mod orders;
mod reading;
mod reports;
mod rows;
mod run;
mod schedule;
mod sending;
mod settling;
mod srs;
mod tls;
mod trouble;
mod words;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    time::Instant,
};

use mail::UidSet;
use tokio::sync::Notify;

use self::{clock::OnlineClock, limits::OFFLINE_LOOK, rows::Rows, sending::Line, tls::TlsKnown};
pub(crate) use orders::Order;
pub(crate) use run::{kept_clock, run};
pub(crate) use srs::Rewriter;
pub(crate) use words::Words;

use crate::{
    closing::Closing,
    dkim::Signers,
    house::House,
    http::NetworkView,
    link::Desk,
    office::Office,
    provision::{Records as _, key},
    routing::{Destination, Router, Routes},
};

/// The queue while the box serves.
pub(crate) struct Queue {
    house: Rc<House>,
    closing: Rc<Closing>,
    desk: Desk,
    router: RefCell<Rc<Router>>,
    routes: RefCell<Rc<Routes>>,
    clock: RefCell<OnlineClock>,
    rows: RefCell<Rows>,
    lines: RefCell<BTreeMap<Destination, Rc<Line>>>,
    words: RefCell<Words>,
    tls: RefCell<TlsKnown>,
    /// Done with, and about to be taken from the queue.
    departing: RefCell<UidSet>,
    signers: Signers,
    /// Connections that are open or being made.
    connections: Cell<usize>,
    /// Nobody could be reached when it was last tried: when it is to be tried again.
    unreachable: Cell<Option<Instant>>,
    /// How often it was tried since the start whether anybody can be.
    probes: Cell<usize>,
    /// Rings when there may be something to do.
    wake: Notify,
}

impl Queue {
    pub(crate) fn new(house: Rc<House>, closing: Rc<Closing>, desk: Desk) -> Rc<Self> {
        let office = house.office.as_ref();
        let words = Words::load(|key| office.setting(key));
        let clock = OnlineClock::at(office.setting(key::QUEUE_CLOCK).map_or(0, |value| kept_clock(&value)));
        Rc::new(Self {
            router: RefCell::new(Rc::new(house.router())),
            routes: RefCell::new(Rc::new(Routes::load(office))),
            closing,
            desk,
            clock: RefCell::new(clock),
            rows: RefCell::default(),
            lines: RefCell::default(),
            words: RefCell::new(words),
            tls: RefCell::new(Self::kept_tls(office)),
            departing: RefCell::default(),
            signers: Signers::default(),
            connections: Cell::new(0),
            unreachable: Cell::new(None),
            probes: Cell::new(0),
            wake: Notify::new(),
            house,
        })
    }

    fn house(&self) -> &House {
        &self.house
    }

    fn office(&self) -> &Office {
        &self.house.office
    }

    fn closing(&self) -> &Closing {
        &self.closing
    }

    fn desk(&self) -> &Desk {
        &self.desk
    }

    fn router(&self) -> Rc<Router> {
        Rc::clone(&self.router.borrow())
    }

    fn routes(&self) -> Rc<Routes> {
        Rc::clone(&self.routes.borrow())
    }

    const fn rows(&self) -> &RefCell<Rows> {
        &self.rows
    }

    const fn lines(&self) -> &RefCell<BTreeMap<Destination, Rc<Line>>> {
        &self.lines
    }

    const fn words(&self) -> &RefCell<Words> {
        &self.words
    }

    const fn signers(&self) -> &Signers {
        &self.signers
    }

    const fn connections(&self) -> &Cell<usize> {
        &self.connections
    }

    /// There may be something to do.
    fn wake(&self) {
        self.wake.notify_one();
    }

    /// The queue's clock, in seconds.
    fn now_s(&self) -> u32 {
        self.clock.borrow().seconds(Instant::now())
    }

    /// Whether the box is in a position to send at all: without the time no certificate can be checked, and what goes out
    /// while nothing can be written would go out again after the next start.
    fn can_send(&self) -> bool {
        self.office().clock().is_known()
            && self.house().network() != NetworkView::Waiting
            && !self.office().store().is_read_only()
    }

    /// Whether somebody out there was reached when it was last tried.
    const fn is_reaching(&self) -> bool {
        self.unreachable.get().is_none()
    }

    /// Nobody can be reached: until somebody is, no letter's time goes on.
    fn unreachable(&self) {
        let again = Instant::now() + OFFLINE_LOOK;
        if self.unreachable.replace(Some(again)).is_none() {
            log::warn!("the network cannot be reached: letters wait, and lose no time by it");
        }
        self.clock.borrow_mut().set(false, Instant::now());
    }

    /// Somebody was reached.
    fn reached(&self) {
        if self.unreachable.take().is_some() {
            log::info!("the network can be reached again");
        }
        self.clock.borrow_mut().set(self.can_send(), Instant::now());
    }

    /// Gives back what waits in a line: it has its turn as soon as there is a network.
    fn give_back(&self, line: &Line) {
        let now_s = self.now_s();
        let mut rows = self.rows.borrow_mut();
        line.waiting.borrow_mut().drain(..).for_each(|uid| rows.put_back(uid, Some(now_s)));
    }
}

#[cfg(test)]
mod tests;
