//! Letters at the port: coming in as a [`Draft`], listed as a [`Message`], read as [`Record`] and [`Content`].

use alloc::rc::Rc;

use crate::{Flags, Modseq, Uid, UnixTime};

/// A letter that is being streamed in. Dropping it aborts it: its bytes become dead space and its quota
/// reservations end.
#[derive(Debug)]
pub struct Draft {
    id: u64,
    _pin: Rc<()>,
}

impl Draft {
    /// For the implementor of the port: `id` is its own name for the draft; it sees by the count of `pin` when the
    /// draft is gone.
    #[must_use]
    pub const fn new(id: u64, pin: Rc<()>) -> Self {
        Self { id, _pin: pin }
    }

    /// The implementor's name for it.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }
}

/// A stored letter opened for reading. As long as it is held its bytes stay readable, expunged or not.
#[derive(Clone, Debug)]
pub struct Content {
    id: u64,
    size: u64,
    _pin: Rc<()>,
}

impl Content {
    /// For the implementor of the port; see [`Draft::new`]. `size` is the letter's size in bytes.
    #[must_use]
    pub const fn new(id: u64, size: u64, pin: Rc<()>) -> Self {
        Self { id, size, _pin: pin }
    }

    /// The implementor's name for it.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// Size of the letter in bytes, as it came in (RFC822.SIZE).
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }
}

/// What the sender's side knows of a letter when its last byte is in.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// INTERNALDATE.
    pub received: UnixTime,
    /// Time zone in which INTERNALDATE is shown, in minutes east of UTC.
    pub zone_minutes: i16,
    /// What `proto::mime` computed while the letter streamed in; opaque here, given back by [`Record::summary`].
    /// At most [`crate::limits::SUMMARY_BYTES_MAX`].
    pub summary: &'a [u8],
}

/// One line of a mailbox's index: what is in memory for every message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its UID.
    pub uid: Uid,
    /// Its flags.
    pub flags: Flags,
    /// The change in which it last changed.
    pub modseq: Modseq,
    /// Its size in bytes, as it came in.
    pub size: u64,
    /// INTERNALDATE.
    pub received: UnixTime,
    /// Time zone of INTERNALDATE in minutes east of UTC.
    pub zone_minutes: i16,
}

/// What the metadata holds of one letter: enough to list it without touching its body.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The beginning of the letter, byte for byte: its header block with the empty line that ends it, or as much of
    /// it as [`crate::limits::HEAD_BYTES_MAX`] allows.
    pub head: &'a [u8],
    /// The summary as it was given in [`Letter::summary`].
    pub summary: &'a [u8],
}

/// A stretch of flash that must be brought into memory; opaque to sessions, which hand it to their driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cold {
    /// Where it begins on the device.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u32,
}
