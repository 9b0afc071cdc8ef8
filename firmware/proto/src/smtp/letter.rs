//! A letter on its way in: its [`Envelope`], then the [`Arrival`] of its bytes, then its [`Delivery`].
//!
//! No byte is kept here. What the mail behind the port does not take stays in the session's input.

use alloc::{boxed::Box, format, string::String, vec::Vec};

use mail::{Address, BodyKind, Draft, Letter, Mail, Now, Stop, Ticket};

use super::{
    chunks::Chunks,
    dots::{Defect, Dots, Piece},
    limits::{DISCARD_BYTES_MAX, HOPS_MAX},
    reply::{self, Reply},
    storing::Storing,
};
use crate::Input;

/// What MAIL and RCPT have said.
#[derive(Debug)]
pub(super) struct Envelope {
    pub(super) draft: Draft,
    /// What MAIL said.
    pub(super) said: mail::Envelope,
    /// The first recipient that was accepted, as the client wrote it.
    first: Option<Address>,
    /// Whether another was accepted.
    more: bool,
    /// How many RCPT commands there were.
    pub(super) named: u32,
    /// How many of them were accepted.
    recipients: u32,
}

impl Envelope {
    pub(super) const fn new(draft: Draft, said: mail::Envelope) -> Self {
        Self { draft, said, first: None, more: false, named: 0, recipients: 0 }
    }

    /// Whether the letter may have any bytes (RFC 3030 §3).
    pub(super) fn is_binary(&self) -> bool {
        self.said.body == BodyKind::Binary
    }

    /// A recipient was accepted.
    pub(super) fn accepted(&mut self, recipient: Address) {
        self.recipients += 1;
        match &self.first {
            None => self.first = Some(recipient),
            Some(first) => self.more |= !first.same_as(&recipient),
        }
    }

    /// How many recipients were accepted.
    pub(super) const fn recipients(&self) -> u32 {
        self.recipients
    }

    /// Whether anybody will get the letter.
    pub(super) const fn has_recipient(&self) -> bool {
        self.first.is_some()
    }

    /// The recipient, if there is exactly one.
    pub(super) fn only_recipient(&self) -> Option<&Address> {
        self.first.as_ref().filter(|_| !self.more)
    }
}

/// A letter whose bytes are coming in, by DATA or by BDAT.
#[derive(Debug)]
pub(super) struct Arrival {
    id: String,
    recipients: u32,
    size_max: u64,
    framing: Framing,
    /// Bytes at the front of the input that belong to the letter and are not stored yet.
    owed: usize,
    /// Bytes of the letter so far, as the client counts them: without the box's own lines.
    size: u64,
    /// Its end has been read.
    is_whole: bool,
    /// Where it is stored; or why it is refused and the rest of it thrown away.
    storing: Result<Box<Storing>, Reply>,
}

/// How the bytes of a letter are told from what stands around them.
#[derive(Debug)]
pub(super) enum Framing {
    /// DATA.
    Dots(Dots),
    /// BDAT.
    Chunks(Chunks),
}

/// What an arrival needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// More input.
    Input,
    /// Room in the write queue.
    Flash,
    /// Another chunk: one has ended that was not the last.
    Chunk,
    /// To be finished: its end has been read.
    Finish,
    /// To be given up: it goes on far beyond the size limit.
    GiveUp,
}

impl Arrival {
    /// A letter called `id`, for so many recipients, that comes by `framing` and has at most `size_max` bytes.
    pub(super) fn new(
        framing: Framing,
        storing: Storing,
        id: String,
        recipients: u32,
        size_max: u64,
    ) -> Self {
        let storing = Ok(Box::new(storing));
        Self { id, recipients, size_max, framing, owed: 0, size: 0, is_whole: false, storing }
    }

    /// A letter whose chunks come although it cannot be taken (RFC 3030 §2: they are read all the same).
    pub(super) const fn unwanted(reply: Reply, size_max: u64) -> Self {
        let framing = Framing::Chunks(Chunks::new(true));
        let id = String::new();
        let storing = Err(reply);
        Self { id, recipients: 0, size_max, framing, owed: 0, size: 0, is_whole: false, storing }
    }

    /// A chunk of so many bytes follows.
    pub(super) const fn begin_chunk(&mut self, size: u64, is_last: bool) {
        if let Framing::Chunks(chunks) = &mut self.framing {
            chunks.begin(size, is_last);
        }
    }

    /// Goes on as far as it can.
    pub(super) fn step(&mut self, input: &mut Input<'_>, mail: &mut dyn Mail) -> Need {
        loop {
            match self.store(input, mail) {
                Ok(()) => {}
                Err(Stop::Busy) => return Need::Flash,
                Err(Stop::Refused(refusal)) => self.refuse(reply::refused(refusal)),
            }
            if self.owed > 0 && !input.is_empty() {
                continue;
            }
            if self.is_whole {
                return Need::Finish;
            }
            match self.framing.next(input.rest()) {
                Piece::Letter(count) => self.owe(count),
                Piece::Skip(count) => _ = input.take(count),
                Piece::End(count) => {
                    input.take(count);
                    if !self.framing.ends_letter() {
                        return Need::Chunk;
                    }
                    self.is_whole = true;
                }
                Piece::More => return Need::Input,
            }
            if self.size > self.size_max.saturating_add(DISCARD_BYTES_MAX) {
                return Need::GiveUp;
            }
        }
    }

    /// What is said to a chunk that is not the last: a refusal, once there is a reason for one (RFC 3030 §2).
    pub(super) fn chunk_reply(&self) -> Reply {
        match (self.framing.defect(), &self.storing) {
            (Some(defect), _) => defect.into(),
            (None, Err(reply)) => reply.clone(),
            (None, Ok(_)) => reply::CHUNK_OK,
        }
    }

    /// The letter is complete: it is to be delivered, or the reply says why not.
    pub(super) fn finish(self) -> Result<Delivery, Reply> {
        // Of two reasons, this is the one that does not depend on the pieces in which the letter arrived.
        if let Some(defect) = self.framing.defect() {
            return Err(defect.into());
        }
        let (draft, summary) = self.storing?.finish();
        Ok(Delivery {
            id: self.id,
            recipients: self.recipients,
            size: self.size,
            draft,
            summary,
            ticket: None,
        })
    }

    /// The first reason counts. With this the draft is gone, and what was stored of it is dead space.
    pub(super) fn refuse(&mut self, reply: Reply) {
        if self.storing.is_ok() {
            self.storing = Err(reply);
        }
    }

    /// The next `count` bytes of input belong to the letter.
    fn owe(&mut self, count: usize) {
        self.owed = count;
        self.size = self.size.saturating_add(count as u64);
        if self.size > self.size_max {
            self.refuse(reply::TOO_LARGE);
        }
        if let Some(defect) = self.framing.defect() {
            self.refuse(defect.into());
        }
    }

    /// Stores what is owed, or throws it away.
    fn store(&mut self, input: &mut Input<'_>, mail: &mut dyn Mail) -> Result<(), Stop> {
        let Ok(storing) = &mut self.storing else {
            self.owed -= input.take(self.owed).len();
            return Ok(());
        };
        while self.owed > 0 && !input.is_empty() {
            let rest = input.rest();
            let taken = storing.append(rest.get(..self.owed).unwrap_or(rest), mail)?;
            self.owed -= input.take(taken).len();
        }
        if self.is_whole {
            storing.end(mail)?;
        }
        if storing.hops() > HOPS_MAX {
            self.refuse(reply::LOOP);
        }
        Ok(())
    }
}

impl Framing {
    /// Says what the next of `bytes` are. They count as taken.
    fn next(&mut self, bytes: &[u8]) -> Piece {
        match self {
            Self::Dots(dots) => dots.next(bytes),
            Self::Chunks(chunks) => chunks.next(bytes),
        }
    }

    /// Whether [`Piece::End`] is the end of the letter.
    const fn ends_letter(&self) -> bool {
        match self {
            Self::Dots(_) => true,
            Self::Chunks(chunks) => chunks.is_last(),
        }
    }

    /// The first defect found so far.
    fn defect(&self) -> Option<Defect> {
        match self {
            Self::Dots(dots) => dots.defect(),
            Self::Chunks(chunks) => chunks.defect(),
        }
    }
}

impl From<Defect> for Reply {
    fn from(defect: Defect) -> Self {
        match defect {
            Defect::BareCr => reply::BARE_CR,
            Defect::BareLf => reply::BARE_LF,
        }
    }
}

/// A letter whose bytes are all stored and that is not durable yet.
#[derive(Debug)]
pub(super) struct Delivery {
    id: String,
    recipients: u32,
    size: u64,
    /// Lives until it is known how the delivery ended.
    draft: Draft,
    summary: Vec<u8>,
    ticket: Option<Ticket>,
}

/// Where a delivery stands.
#[derive(Debug)]
pub(super) enum Delivered {
    /// It needs room in the write queue.
    Flash,
    /// It waits for this to be durable.
    Durable(Ticket),
    /// It is durable: `250`.
    Accepted(Reply),
    /// It will not be.
    Refused(Reply),
}

impl Delivery {
    /// How many recipients were accepted, and the letter's bytes as the client counts them.
    pub(super) const fn extent(&self) -> (u32, u64) {
        (self.recipients, self.size)
    }

    /// Goes on as far as it can. The reply is given only once the letter is durable (STORE.md rule 1).
    pub(super) fn step(&mut self, mail: &mut dyn Mail, now: Now) -> Delivered {
        let ticket = match &self.ticket {
            Some(ticket) => ticket.clone(),
            None => {
                let letter =
                    Letter { received: now.unix, zone_minutes: zone_minutes(now), summary: &self.summary };
                match mail.deposit(&self.draft, &letter) {
                    Ok(ticket) => self.ticket.insert(ticket).clone(),
                    Err(Stop::Busy) => return Delivered::Flash,
                    Err(Stop::Refused(refusal)) => return Delivered::Refused(reply::refused(refusal)),
                }
            }
        };
        match ticket.result() {
            None => Delivered::Durable(ticket),
            Some(Ok(_)) => {
                Delivered::Accepted(Reply::owned(250, "2.0.0", format!("Ok, kept as {}", self.id)))
            }
            Some(Err(refusal)) => Delivered::Refused(reply::refused(refusal)),
        }
    }
}

/// The box's time zone in minutes east of UTC, to the whole minute as header fields have it.
pub(super) fn zone_minutes(now: Now) -> i16 {
    i16::try_from(now.utc_offset_s.div_euclid(60)).unwrap_or(0)
}
