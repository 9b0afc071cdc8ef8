//! Lives of the log: opening one, ending it cleanly, and what a failed barrier does to it (rules 4 and 8).

use flash::{Fault, FlashQueue};
use mail::{MailboxId, Receipt, Refusal};

use crate::Store;
use crate::format::anchor::{ANCHOR_BYTES, Anchor};
use crate::format::frame::kind;
use crate::format::header::PerStream;
use crate::format::records::CommitView;
use crate::format::{Mark, Place, Seal};
use crate::gather::{Flight, Records, Waiter};
use crate::limits::{FAILURES_MAX, UNBARRIERED_SOFT};

/// What the store may do with the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The barrier of the mount is under way: what was read may not be durable yet.
    Mounting,
    /// Nothing has been programmed in this life; that needs an anchor first.
    Closed,
    /// The anchor is under way.
    Opening,
    /// Groups and extents may be programmed.
    Open,
    /// Nothing is programmed any more: the device refuses, or failed twice.
    ReadOnly,
    /// The store has been closed.
    Unmounted,
}

/// The life of the log.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) phase: Phase,
    /// The newest anchor.
    pub(crate) anchor: Anchor,
    /// The next anchor goes on in the segments of the life before, which ended cleanly.
    pub(crate) resume: bool,
    /// A barrier has failed: the next anchor is read back before anything stands on it.
    pub(crate) verify: bool,
    /// Failures since a group was durable.
    pub(crate) failures: u32,
    /// Somebody wants to program.
    pub(crate) wanted: bool,
    /// Segments can be reused once a group says how far the body log is durable.
    pub(crate) mark_wanted: bool,
    /// The store is being closed.
    pub(crate) closing: bool,
    /// Without a mark: what is not marked is taken back by the next mount, for a checkpoint was alone.
    pub(crate) unmarked: bool,
    /// Tickets were settled outside [`Store::settle`].
    pub(crate) ended: bool,
}

/// What a call of [`Store::settle`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Mailboxes that changed, for those who watch them.
    pub changed: alloc::vec::Vec<MailboxId>,
    /// A barrier has ended, well or not: tickets may have been settled.
    pub barrier_ended: bool,
}

impl<Q: FlashQueue> Store<Q> {
    // ---- What the driver calls ---------------------------------------------------------------------------------

    /// Whether everything that was read at the mount is known to be durable. No session may begin before.
    pub fn is_ready(&self) -> bool {
        self.life.phase != Phase::Mounting
    }

    /// Whether [`flush`](Self::flush) has something to do, be it only what nobody waits for.
    pub fn needs_flush(&self) -> bool {
        self.waiting() > 0 || (self.log.gather.is_pressing() && self.can_flush())
    }

    /// What waits for the next [`flush`](Self::flush): sessions with a ticket, and whatever else cannot go on without.
    pub fn waiting(&self) -> usize {
        if !self.can_flush() {
            return 0;
        }
        let opening = self.life.phase == Phase::Closed && self.life.wanted;
        let body = self.log.unbarriered >= UNBARRIERED_SOFT || self.life.mark_wanted;
        let other = opening || body || self.life.closing || self.has_chores();
        self.log.gather.waiters.len() + usize::from(other)
    }

    /// Whether a barrier, or what comes before it, is under way. Until it has settled, [`flush`](Self::flush) does
    /// nothing.
    pub const fn barrier_in_flight(&self) -> bool {
        matches!(self.life.phase, Phase::Mounting | Phase::Opening) || self.log.flight.is_some()
    }

    /// Begins to make durable what waits, unless a barrier is already under way. Returns how many waiting changes
    /// the barrier will answer. The first one in a life begins the life and answers none.
    pub fn flush(&mut self) -> usize {
        if self.barrier_in_flight() {
            return 0;
        }
        self.sweep();
        if self.life.phase == Phase::Open {
            self.tend();
        }
        match self.life.phase {
            Phase::Closed if self.life.closing && self.log.gather.records == 0 => {
                self.life.phase = Phase::Unmounted;
                self.life.ended = true;
                0
            }
            Phase::Closed => {
                if self.needs_flush() {
                    self.open_life();
                }
                0
            }
            Phase::Open
                if self.log.gather.records > 0
                    || self.log.chores.records > 0
                    || self.log.unbarriered > 0
                    || self.life.mark_wanted =>
            {
                self.begin_group(false)
            }
            Phase::Open if self.life.closing => {
                if !self.life.unmarked {
                    self.begin_group(true);
                }
                if self.log.flight.is_none() {
                    // No room for the mark: the next mount finds an unclean end, which costs it some reading.
                    self.life.phase = Phase::Unmounted;
                }
                0
            }
            _ => 0,
        }
    }

    /// Takes up what the device has done: settles tickets, makes changes visible, moves on what had to wait for room.
    /// To be called whenever the queue has news, and after [`flush`](Self::flush).
    pub fn settle(&mut self) -> Settled {
        self.outbox.pump(&mut self.queue);
        let mut barrier_ended = false;
        if let Some(fault) = self.outbox.fault() {
            self.fail(fault);
        }
        while let Some((id, result)) = self.queue.settled() {
            if self.outbox.barrier_id() != Some(id) {
                continue;
            }
            self.outbox.settled();
            barrier_ended = true;
            match result {
                Ok(()) => self.barrier_held(),
                Err(fault) => {
                    self.retire_culprit(fault);
                    self.fail(fault);
                }
            }
        }
        self.sweep();
        barrier_ended |= core::mem::take(&mut self.life.ended);
        Settled { changed: self.state.take_changed(), barrier_ended }
    }

    /// Begins to close the store: no further changes are taken, letters on their way in end, and the log is marked
    /// as ended cleanly. Call [`flush`](Self::flush) and [`settle`](Self::settle) until [`is_unmounted`](Self::is_unmounted).
    pub fn unmount(&mut self) {
        self.life.closing = true;
        self.life.unmarked = self.is_checkpoint_alone() && self.log.gather.records == 0;
        self.abandon_chores();
        self.drop_drafts();
        if self.life.phase == Phase::ReadOnly {
            self.life.phase = Phase::Unmounted;
        }
    }

    /// Whether the store is closed: nothing more will be programmed.
    pub fn is_unmounted(&self) -> bool {
        self.life.phase == Phase::Unmounted
    }

    /// Whether no change is taken any more because the device refuses or failed; reading goes on.
    pub fn is_read_only(&self) -> bool {
        self.life.phase == Phase::ReadOnly
    }

    // ---- Phases ------------------------------------------------------------------------------------------------

    fn can_flush(&self) -> bool {
        !matches!(self.life.phase, Phase::ReadOnly | Phase::Unmounted)
    }

    /// Whether bodies may be programmed now. If not, notes that somebody wants to.
    pub(crate) fn may_program(&mut self) -> bool {
        self.life.wanted = true;
        self.life.phase == Phase::Open
    }

    /// Why no change is taken at all.
    pub(crate) const fn refuse_changes(&self) -> Result<(), Refusal> {
        match self.life.phase {
            Phase::ReadOnly | Phase::Unmounted => Err(Refusal::ReadOnly),
            _ if self.life.closing => Err(Refusal::ReadOnly),
            _ => Ok(()),
        }
    }

    /// Writes the anchor of a new life. Nothing is programmed at the heads before its barrier has ended.
    fn open_life(&mut self) {
        let head_end =
            self.log.meta.map(|head| Seal { seq: head.seq, segment: head.segment, end: head.offset });
        let body_ends = self.log.bodies.map(|stream, head| {
            let open = head.as_ref().map(|head| {
                let end = head.programmed();
                Seal { seq: end.seq, segment: head.segment, end: end.offset }
            });
            open.or(*self.log.last_bodies.of(stream))
        });
        let resumed = self.life.resume;
        let anchor = Anchor {
            life: self.life.anchor.life + 1,
            capacity: self.layout.capacity(),
            seq_base: self.log.next_seq,
            resumed,
            meta: if resumed { head_end.or(self.log.last_meta) } else { self.log.last_meta },
            bodies: if resumed { body_ends } else { self.log.last_bodies },
            root: self.checkpoints.root(),
            modseq_base: self.state.next.modseq,
            ..self.life.anchor
        };
        self.life.anchor = anchor;
        self.write_anchor(anchor);
        self.outbox.barrier(&mut self.queue);
        self.life.phase = Phase::Opening;
    }

    /// Programs an anchor into its segment, which is erased as far as the anchor needs it.
    pub(crate) fn write_anchor(&mut self, anchor: Anchor) {
        let address = self.layout.base(anchor.slot());
        self.outbox.erase(&mut self.queue, address, self.layout.erase_size.into());
        let mut units = anchor.to_bytes().to_vec();
        units.resize(ANCHOR_BYTES.next_multiple_of(self.layout.unit as usize), 0);
        self.outbox.program(&mut self.queue, address, &units);
    }

    /// A barrier has ended well.
    fn barrier_held(&mut self) {
        match self.life.phase {
            Phase::Mounting => self.life.phase = Phase::Closed,
            Phase::Opening => {
                let holds = !self.life.verify || self.anchor_reads_back();
                self.life.phase = Phase::Open;
                if !holds {
                    self.fail_for_good();
                }
            }
            _ => {
                if let Some(flight) = self.log.flight.take() {
                    self.land(flight);
                }
            }
        }
    }

    /// Reads the anchor from the medium: after a failed barrier a good one alone proves nothing (rule 4).
    fn anchor_reads_back(&mut self) -> bool {
        let mut bytes = [0; ANCHOR_BYTES];
        let address = self.layout.base(self.life.anchor.slot());
        self.queue.read_through(address, &mut bytes).is_ok() && bytes == self.life.anchor.to_bytes()
    }

    /// A group is durable: its records take effect, in their order, and those who wait are told.
    fn land(&mut self, flight: Flight) {
        self.log.durable_meta = flight.meta;
        self.log.durable_bodies = flight.bodies;
        self.log.floors = flight.floors;
        let mut waiters = flight.waiters.into_iter().peekable();
        let bytes = flight.bytes.get(..flight.records.end).unwrap_or_default();
        let records = bytes.get(flight.records.start..).unwrap_or_default();
        for (ordinal, record) in (0_u32..).zip(Records::new(records)) {
            let offset = flight.place.offset + (flight.records.start + record.at) as u32;
            let place = Place { offset, ..flight.place };
            if record.kind == kind::COMMIT {
                self.unreserve_commit(record.payload, true);
            }
            let result = self.state.apply(&mut self.segments, record.kind, record.payload, place);
            self.checkpoint_landed(record.kind, record.payload, (place, record.span as u32));
            self.retired_landed(record.kind, record.payload);
            while let Some(waiter) = waiters.next_if(|waiter| waiter.ordinal == ordinal) {
                self.answer(waiter, result.clone());
            }
        }
        self.life.failures = 0;
        self.gather_retired();
        self.root_in_force(flight.root);
        self.checkpoints.wanted |= self.is_checkpoint_due();
        self.compaction.wanted |= self.compaction_due();
        self.look_whether_to_forget();
        self.log.give_back(flight.bytes, flight.secret);
        if flight.clean {
            self.life.phase = Phase::Unmounted;
        }
    }

    fn answer(&mut self, waiter: Waiter, result: Result<Receipt, Refusal>) {
        if let Some((account, bytes)) = waiter.reserved {
            self.state.unreserve(account, bytes);
        }
        waiter.ticket.settle(result);
    }

    /// Ends the reservations of a commit; with `landed` its bytes count as committed.
    fn unreserve_commit(&mut self, payload: &[u8], landed: bool) {
        let Some(view) = CommitView::parse(payload) else { return };
        for delivery in view.deliveries() {
            self.state.unreserve(delivery.account, view.commit.size);
        }
        if landed {
            self.log.mail += view.commit.size;
        }
    }

    // ---- Failure -----------------------------------------------------------------------------------------------

    /// A program, an erase or a barrier failed: nothing since the last good barrier may be trusted. Whatever waited
    /// for it fails, the heads go back to what is durable, and a new life begins in fresh segments. If that fails as
    /// well, or life after life fails, or the device takes no more writes, the store is read-only.
    fn fail(&mut self, fault: Fault) {
        self.life.failures += 1;
        let last_straw = fault == Fault::ReadOnly
            || self.life.failures >= FAILURES_MAX
            || self.life.verify && self.life.phase == Phase::Opening;
        self.outbox.clear();
        self.life.ended = true;
        if self.life.phase == Phase::Opening {
            // The next attempt goes to the same segment again: the other one holds the last anchor that is good.
            self.life.anchor.life += 1;
        }
        if let Some(flight) = self.log.flight.take() {
            self.fail_records(&flight.bytes, flight.records, flight.waiters, Refusal::NotDurable);
            self.log.give_back(flight.bytes, flight.secret);
            self.log.opened.extend(flight.opened);
        }
        self.abandon_chores();
        self.drafts.lose_behind(self.log.durable_bodies.fresh);
        self.retreat();
        if last_straw || self.life.phase == Phase::Mounting {
            return self.fail_for_good();
        }
        self.life.phase = Phase::Closed;
        self.life.resume = false;
        self.life.verify = true;
        self.life.wanted = true;
        self.fail_gathered(Refusal::NotDurable);
        self.gather_keywords();
        self.gather_retired();
    }

    fn fail_for_good(&mut self) {
        self.life.phase = if self.life.closing { Phase::Unmounted } else { Phase::ReadOnly };
        self.life.ended = true;
        self.fail_gathered(Refusal::NotDurable);
    }

    /// Takes the heads back to what is durable and seals them there. Segments opened since are free again: nothing
    /// durable names them, and their sequence numbers are not used again.
    fn retreat(&mut self) {
        for index in core::mem::take(&mut self.log.opened) {
            self.segments.release(index);
        }
        (self.log.meta, self.log.bodies) = (None, PerStream::default());
        self.log.last_meta = self.seal_at(self.log.durable_meta);
        self.log.last_bodies = self.log.durable_bodies.map(|_, mark| self.seal_at(*mark));
        self.log.unbarriered = 0;
    }

    fn seal_at(&self, mark: Mark) -> Option<Seal> {
        let segment = self.segments.find(mark.seq)?;
        Some(Seal { seq: mark.seq, segment, end: mark.offset })
    }

    /// Everything that gathers fails.
    pub(crate) fn fail_gathered(&mut self, refusal: Refusal) {
        let mut gather = core::mem::take(&mut self.log.gather);
        let records = 0..gather.bytes.len();
        let waiters = core::mem::take(&mut gather.waiters);
        self.life.ended = true;
        self.retiring.lost();
        self.fail_records(&gather.bytes, records, waiters, refusal);
        self.log.give_back(gather.bytes, gather.secret);
    }

    fn fail_records(
        &mut self,
        bytes: &[u8],
        records: core::ops::Range<usize>,
        waiters: alloc::vec::Vec<Waiter>,
        refusal: Refusal,
    ) {
        for record in Records::new(bytes.get(records).unwrap_or_default()) {
            if record.kind == kind::COMMIT {
                self.unreserve_commit(record.payload, false);
            }
        }
        for waiter in waiters {
            self.answer(waiter, Err(refusal));
        }
    }
}
