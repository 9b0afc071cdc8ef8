//! What all connections share: the store, the clock, and the bells that ring when something becomes durable.
//!
//! Everything runs on one thread. The store is borrowed for the length of one step and never across a wait.

use std::{
    cell::{Cell, Ref, RefCell, RefMut},
    collections::BTreeMap,
    rc::{Rc, Weak},
    sync::Arc,
    time::{Duration, Instant},
};

use board::threaded::{Threaded, Warmer};
use mail::{Cold, MailboxId, Now, Ticket, Ticks};
use store::Store;
use tokio::sync::{Mutex, Notify};

use crate::{
    clock::Clock,
    gather::{Advice, Gather},
};

/// The store as this program runs it.
pub(crate) type MailStore = Store<Threaded>;

/// What all connections share.
pub(crate) struct Office {
    store: RefCell<MailStore>,
    warmer: Warmer,
    clock: Rc<Clock>,
    started: Instant,
    /// Rings when changes wait to be made durable.
    changes: Notify,
    /// Rings for all when a barrier has ended.
    settled: Notify,
    /// Rings for all when the write queue has room again.
    room: Rc<Bell>,
    watches: RefCell<BTreeMap<MailboxId, Weak<Bell>>>,
    /// Held by whoever changes accounts.
    accounts: Mutex<()>,
    /// The flash was found to take no more changes, and whoever watches a mailbox has been called.
    is_read_only: Cell<bool>,
}

/// Counts changes, of one mailbox or of the room in the write queue, and rings at each.
#[derive(Default)]
struct Bell {
    changes: Cell<u64>,
    rings: Notify,
}

/// What a bell is for, as it was when the watch was set.
pub(crate) struct Watch {
    bell: Rc<Bell>,
    seen: u64,
}

impl Bell {
    fn ring(&self) {
        self.changes.set(self.changes.get() + 1);
        self.rings.notify_waiters();
    }

    fn watch(self: Rc<Self>) -> Watch {
        let seen = self.changes.get();
        Watch { bell: self, seen }
    }
}

impl Watch {
    /// Returns once something has changed since the watch was set.
    pub(crate) async fn changed(&self) {
        while self.bell.changes.get() == self.seen {
            self.bell.rings.notified().await;
        }
    }
}

impl Office {
    pub(crate) fn new(store: MailStore, warmer: Warmer, clock: Rc<Clock>) -> Rc<Self> {
        let is_read_only = Cell::new(store.is_read_only());
        Rc::new(Self {
            store: RefCell::new(store),
            warmer,
            clock,
            started: Instant::now(),
            changes: Notify::new(),
            settled: Notify::new(),
            room: Rc::default(),
            watches: RefCell::default(),
            accounts: Mutex::new(()),
            is_read_only,
        })
    }

    /// The store, for looking at it. Never hold it across a wait.
    pub(crate) fn store(&self) -> Ref<'_, MailStore> {
        self.store.borrow()
    }

    /// The store, for the length of one call. Never hold it across a wait.
    pub(crate) fn store_mut(&self) -> RefMut<'_, MailStore> {
        let mut store = self.store.borrow_mut();
        self.tell_time(&mut store);
        store
    }

    fn tell_time(&self, store: &mut MailStore) {
        store.set_now(self.clock.unix());
        store.trust_clock(self.clock.is_known());
    }

    /// The clock.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What is held while accounts are changed.
    pub(crate) const fn accounts(&self) -> &Mutex<()> {
        &self.accounts
    }

    /// The time, as sessions are told it.
    pub(crate) fn now(&self) -> Now {
        let (unix, utc_offset_s) = self.clock.read();
        let ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Now { ticks: Ticks(ms), unix, utc_offset_s }
    }

    /// How long the program has been running.
    pub(crate) fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// The moment that a session means by `ticks`.
    pub(crate) fn instant(&self, ticks: Ticks) -> Instant {
        self.started + Duration::from_millis(ticks.0)
    }

    /// To be called after every step and every change: has what now waits made durable.
    pub(crate) fn after_step(&self) {
        if self.store.borrow().needs_flush() {
            self.changes.notify_one();
        }
    }

    /// Watches a mailbox from now on.
    pub(crate) fn watch(&self, mailbox: MailboxId) -> Watch {
        let mut watches = self.watches.borrow_mut();
        let known = watches.get(&mailbox).and_then(Weak::upgrade);
        let bell = known.unwrap_or_else(|| {
            watches.retain(|_, bell| bell.strong_count() > 0);
            let bell = Rc::new(Bell::default());
            watches.insert(mailbox, Rc::downgrade(&bell));
            bell
        });
        bell.watch()
    }

    /// Returns once the ticket is settled.
    pub(crate) async fn durable(&self, ticket: &Ticket) {
        while !ticket.is_settled() {
            self.settled.notified().await;
        }
    }

    /// Watches the write queue from now on: it changes when there may be room again. To be called right after something
    /// was not taken, before any wait. Whatever fills the queue is waited for by a barrier or written by itself; both
    /// ring.
    pub(crate) fn flash_room(&self) -> Watch {
        self.after_step();
        Rc::clone(&self.room).watch()
    }

    /// Brings a stretch of flash into memory, off the loop.
    pub(crate) async fn warm(&self, cold: Cold) {
        let warmer = self.warmer.clone();
        let warmed = tokio::task::spawn_blocking(move || warmer.warm(cold.offset, cold.len.into())).await;
        match warmed {
            Ok(Ok(())) => {}
            // The read that follows meets the same fault and says so to its client.
            Ok(Err(fault)) => log::warn!("reading {} bytes of flash at {}: {fault}", cold.len, cold.offset),
            Err(error) => log::error!("reading flash off the loop: {error}"),
        }
    }

    /// Has changes made durable for as long as it runs. `flash` is rung by the writer thread.
    pub(crate) async fn pump(self: Rc<Self>, flash: Arc<Notify>) {
        let mut gather = Gather::new(Instant::now());
        let mut begun = Instant::now();
        let mut answering = 0;
        loop {
            if self.settle() {
                let now = Instant::now();
                gather.ended(now, now - begun, answering, self.store.borrow().waiting());
            }
            let advice = self.advise(&mut gather);
            if advice == Advice::Flush {
                begun = Instant::now();
                answering = self.flush();
                self.warm_for_housekeeping();
                // What is flushed may need to be moved on at once, which is settling as well.
                tokio::task::yield_now().await;
                continue;
            }
            tokio::select! {
                () = flash.notified() => {}
                () = self.changes.notified() => {}
                () = until(advice) => {}
            }
        }
    }

    /// Brings what compaction has to read into memory, if it waits for that.
    fn warm_for_housekeeping(self: &Rc<Self>) {
        let Some(cold) = self.store.borrow_mut().take_cold() else { return };
        let office = Rc::clone(self);
        tokio::task::spawn_local(async move {
            office.warm(cold).await;
            office.store.borrow_mut().warmed();
            office.changes.notify_one();
        });
    }

    fn flush(&self) -> usize {
        let mut store = self.store.borrow_mut();
        self.tell_time(&mut store);
        store.flush()
    }

    fn advise(&self, gather: &mut Gather) -> Advice {
        let store = self.store.borrow();
        if store.barrier_in_flight() {
            return Advice::Rest;
        }
        gather.advise(Instant::now(), store.waiting(), store.needs_flush())
    }

    /// Returns once everything read at the mount is known to be durable: before that nobody may be served.
    pub(crate) async fn ready(&self) {
        while !self.store.borrow().is_ready() {
            self.settled.notified().await;
        }
    }

    /// Closes the store: what was begun becomes durable, and the log says that it ended cleanly.
    pub(crate) async fn close(&self) {
        self.store.borrow_mut().unmount();
        loop {
            self.flush();
            let ended = self.settle();
            if self.store.borrow().is_unmounted() {
                return;
            }
            if !ended {
                self.settled.notified().await;
            }
        }
    }

    /// Takes up what the writer thread has done; says whether a barrier ended.
    fn settle(&self) -> bool {
        let settled = self.store.borrow_mut().settle();
        for mailbox in &settled.changed {
            if let Some(bell) = self.watches.borrow().get(mailbox).and_then(Weak::upgrade) {
                bell.ring();
            }
        }
        if self.store.borrow().is_read_only() && !self.is_read_only.replace(true) {
            self.watches.borrow().values().filter_map(Weak::upgrade).for_each(|bell| bell.ring());
        }
        self.room.ring();
        if settled.barrier_ended {
            self.settled.notify_waiters();
        }
        settled.barrier_ended
    }
}

async fn until(advice: Advice) {
    match advice {
        Advice::Until(due) => tokio::time::sleep_until(due.into()).await,
        Advice::Flush | Advice::Rest => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Flash, Rig, block_on};

    /// Room may come while a session's last words are still being sent, and then nothing else for a long time.
    #[test]
    fn room_in_the_write_queue_is_not_slept_through() {
        block_on(async {
            let rig = Rig::start(Flash::new("room", Duration::ZERO)).await;
            let office = &rig.serving.house.office;
            let room = office.flash_room();
            office.settle();
            let told = tokio::time::timeout(Duration::from_secs(5), room.changed()).await;
            assert!(told.is_ok(), "nobody says that there is room");
        });
    }
}
