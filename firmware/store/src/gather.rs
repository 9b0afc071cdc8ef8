//! Records on their way to flash: those that gather for the next group, and the group that a barrier is for.

use alloc::vec::Vec;

use mail::Ticket;

use zeroize::Zeroize;

use crate::format::frame::{self, FRAME_BYTES, Frame, kind};
use crate::format::header::{PerStream, Stream};
use crate::format::{Mark, Place};
use crate::limits::TOUCHED_MAX;

/// Somebody who wants to know how a record ended.
#[derive(Debug)]
pub(crate) struct Waiter {
    /// Which record of the group, from 0.
    pub(crate) ordinal: u32,
    pub(crate) ticket: Ticket,
    /// What was reserved of an account's quota until then.
    pub(crate) reserved: Option<(u32, u64)>,
}

/// Records that wait for the next group, encoded and framed, without CRC: where they will stand is not known yet.
#[derive(Debug, Default)]
pub(crate) struct Gather {
    pub(crate) bytes: Vec<u8>,
    pub(crate) records: u32,
    /// How many of them need no group of their own; see [`is_pressing`](Self::is_pressing).
    lagging: u32,
    pub(crate) waiters: Vec<Waiter>,
    /// Mailboxes that the records touch, and whether they are too many to name.
    touched: Vec<u32>,
    any: bool,
    /// Least sequence number of a segment of each body log that a commit among them names.
    pub(crate) first_bodies: PerStream<Option<u32>>,
    /// Some record holds a secret: the buffer is wiped when it is empty.
    pub(crate) secret: bool,
}

impl Gather {
    /// Appends a record; `encode` writes its payload. What it began is taken back on an error.
    ///
    /// # Errors
    /// Those of `encode`.
    pub(crate) fn record(
        &mut self,
        kind: u8,
        encode: impl FnOnce(&mut Vec<u8>) -> postcard::Result<()>,
    ) -> postcard::Result<u32> {
        let start = frame::open(&mut self.bytes);
        if let Err(error) = encode(&mut self.bytes) {
            self.bytes.truncate(start);
            return Err(error);
        }
        frame::close(&mut self.bytes, start, kind);
        self.secret |= matches!(kind, kind::ACCOUNT_PUT | kind::SETTING_PUT | kind::TABLE);
        self.records += 1;
        self.lagging += u32::from(kind == kind::RECENT);
        Ok(self.records - 1)
    }

    /// Whether some record should be durable soon. Who has seen a message as recent may lag until the next group that is
    /// written for another reason: at worst, a cut shows a message as recent twice.
    pub(crate) fn is_pressing(&self) -> bool {
        self.records > self.lagging
    }

    /// Notes who waits for record `ordinal`.
    pub(crate) fn wait(&mut self, ordinal: u32, reserved: Option<(u32, u64)>) -> Ticket {
        let ticket = Ticket::pending();
        self.waiters.push(Waiter { ordinal, ticket: ticket.clone(), reserved });
        ticket
    }

    /// Notes that a record touches a mailbox.
    pub(crate) fn touch(&mut self, mailbox: u32) {
        if self.any || self.touched.contains(&mailbox) {
            return;
        }
        if self.touched.len() < TOUCHED_MAX {
            self.touched.push(mailbox);
        } else {
            self.any = true;
        }
    }

    /// Notes that a record may touch any mailbox.
    pub(crate) const fn touch_any(&mut self) {
        self.any = true;
    }

    /// The mailboxes that may be touched; `None` for any.
    pub(crate) fn touched(&self) -> Option<&[u32]> {
        (!self.any).then_some(&self.touched)
    }

    /// Notes that a commit names a segment of a body log.
    pub(crate) fn name_body(&mut self, stream: Stream, seq: u32) {
        let first = self.first_bodies.of_mut(stream);
        *first = Some(first.map_or(seq, |first| first.min(seq)));
    }

    /// How many records, and how many bytes of them, fit into `room` bytes.
    pub(crate) fn fitting(&self, room: usize) -> (u32, usize) {
        let (mut count, mut end) = (0, 0);
        for record in Records::new(&self.bytes) {
            let next = record.at + record.span;
            if next > room {
                break;
            }
            (count, end) = (count + 1, next);
        }
        (count, end)
    }

    /// Takes the first `count` records off, `bytes` long together, which the caller has copied. Returns who waits
    /// for them.
    pub(crate) fn take(&mut self, count: u32, bytes: usize) -> Vec<Waiter> {
        let split = self.waiters.partition_point(|waiter| waiter.ordinal < count);
        let rest = self.waiters.split_off(split);
        let taken = core::mem::replace(&mut self.waiters, rest);
        for waiter in &mut self.waiters {
            waiter.ordinal -= count;
        }
        if self.lagging > 0 {
            let taken = Records::new(self.bytes.get(..bytes).unwrap_or_default());
            self.lagging -= taken.filter(|record| record.kind == kind::RECENT).count() as u32;
        }
        self.bytes.drain(..bytes);
        self.records -= count;
        if self.records == 0 {
            self.touched.clear();
            self.any = false;
            self.first_bodies = PerStream::default();
            if core::mem::take(&mut self.secret) {
                self.bytes.zeroize();
            }
        }
        taken
    }
}

/// A group that has been handed to the device and waits for its barrier.
#[derive(Debug)]
pub(crate) struct Flight {
    /// The group as programmed: its group record, its records, padding.
    pub(crate) bytes: Vec<u8>,
    /// Where it stands.
    pub(crate) place: Place,
    /// Where its records begin and end in `bytes`.
    pub(crate) records: core::ops::Range<usize>,
    pub(crate) waiters: Vec<Waiter>,
    /// What the barrier makes durable.
    pub(crate) meta: Mark,
    pub(crate) bodies: PerStream<Mark>,
    /// The root that it names.
    pub(crate) root: Mark,
    /// Segments opened since the group before: the barrier is for them too.
    pub(crate) opened: Vec<u32>,
    /// Body segments below this are not looked at by a recovery that finds this group as the last.
    pub(crate) floors: PerStream<u32>,
    /// Least sequence number of a segment of each body log that its commits name.
    pub(crate) first_bodies: PerStream<Option<u32>>,
    /// It ends the life.
    pub(crate) clean: bool,
    /// Some record holds a secret.
    pub(crate) secret: bool,
}

/// One record in a buffer of records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordAt<'a> {
    pub(crate) kind: u8,
    pub(crate) payload: &'a [u8],
    /// Where its frame begins, and its length with frame and padding.
    pub(crate) at: usize,
    pub(crate) span: usize,
}

/// The records in a buffer that this code filled itself.
pub(crate) struct Records<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Records<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = RecordAt<'a>;

    fn next(&mut self) -> Option<RecordAt<'a>> {
        let at = self.at;
        let rest = self.bytes.get(at..)?;
        let frame = Frame::parse(rest)?;
        let payload = rest.get(FRAME_BYTES..frame.bytes())?;
        self.at += frame.span();
        Some(RecordAt { kind: frame.kind, payload, at, span: frame.span() })
    }
}
