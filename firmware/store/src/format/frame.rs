//! The frame around every record and every extent: length, kind, and a CRC that belongs to one place in one life.

use super::{put, u32_at};
use crate::coding::Encoding;
use crate::limits::CODED_BYTES_MAX;

/// Bytes of a frame before its payload.
pub(crate) const FRAME_BYTES: usize = 16;

/// Frames begin at multiples of this.
pub(crate) const ALIGN: usize = 8;

/// Version of the records that this code writes; see `FORMAT.md`, "Versions".
pub(crate) const RECORD_VERSION: u8 = 1;

/// Kinds of frames. What is reserved for later stands in `FORMAT.md`.
pub(crate) mod kind {
    pub(crate) const GROUP: u8 = 1;
    pub(crate) const CLEAN: u8 = 2;
    pub(crate) const HEAL: u8 = 3;
    pub(crate) const PAGE: u8 = 4;
    pub(crate) const TABLE: u8 = 5;
    pub(crate) const ROOT: u8 = 6;
    pub(crate) const RETIRED: u8 = 7;
    pub(crate) const EXTENT: u8 = 8;
    pub(crate) const COMMIT: u8 = 16;
    pub(crate) const COPY: u8 = 17;
    pub(crate) const MOVE: u8 = 18;
    pub(crate) const FLAGS: u8 = 19;
    pub(crate) const EXPUNGE: u8 = 20;
    pub(crate) const RECENT: u8 = 21;
    pub(crate) const MOVED: u8 = 22;
    pub(crate) const RESTORE: u8 = 23;
    pub(crate) const FORGET: u8 = 24;
    pub(crate) const RELIST: u8 = 25;
    pub(crate) const DEPART: u8 = 26;
    pub(crate) const MAILBOX_CREATE: u8 = 32;
    pub(crate) const MAILBOX_DELETE: u8 = 33;
    pub(crate) const MAILBOX_RENAME: u8 = 34;
    pub(crate) const SUBSCRIBE: u8 = 35;
    pub(crate) const KEYWORD: u8 = 36;
    pub(crate) const ACCOUNT_PUT: u8 = 48;
    pub(crate) const ACCOUNT_REMOVE: u8 = 49;
    pub(crate) const DOMAIN_PUT: u8 = 50;
    pub(crate) const DOMAIN_REMOVE: u8 = 51;
    pub(crate) const ALIAS_PUT: u8 = 52;
    pub(crate) const ALIAS_REMOVE: u8 = 53;
    pub(crate) const SETTING_PUT: u8 = 54;
    pub(crate) const SETTING_REMOVE: u8 = 55;

    /// Whether frames of this kind stand in the metadata log.
    pub(crate) const fn is_metadata(kind: u8) -> bool {
        matches!(kind, GROUP..=RETIRED | COMMIT..=DEPART | MAILBOX_CREATE..=KEYWORD | ACCOUNT_PUT..=SETTING_REMOVE)
    }
}

/// A payload that stands as it is; see [`crate::coding`] for the others.
pub(crate) const ENCODING_RAW: u8 = 0;

/// What the CRCs of one segment begin with: the store's identity and the segment's sequence number. What the segment
/// held in an earlier life, or in another store, never verifies (rule 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed(u32);

impl Seed {
    /// The seed of segment `seq` in the store called `uuid`.
    pub(crate) fn new(uuid: &[u8; 16], seq: u32) -> Self {
        Self(crc32c::crc32c_append(crc32c::crc32c(uuid), &seq.to_le_bytes()))
    }

    /// The CRC of a frame (and payload) at `offset`.
    pub(super) fn crc(self, offset: u32, frame: &[u8]) -> u32 {
        let place = crc32c::crc32c_append(self.0, &offset.to_le_bytes());
        crc32c::crc32c_append(place, frame.get(4..).unwrap_or_default())
    }
}

/// A frame's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Payload bytes as stored.
    pub(crate) len: u32,
    pub(crate) kind: u8,
    pub(crate) version: u8,
    pub(crate) encoding: u8,
    /// Payload bytes once decoded; equal to `len` when raw.
    pub(crate) original: u32,
}

impl Frame {
    /// A frame of today's version around `len` bytes stored as they are.
    pub(crate) const fn raw(kind: u8, len: u32) -> Self {
        Self { len, kind, version: RECORD_VERSION, encoding: ENCODING_RAW, original: len }
    }

    /// The fields as bytes, without CRC yet.
    pub(crate) fn to_bytes(self) -> [u8; FRAME_BYTES] {
        let mut bytes = [0; FRAME_BYTES];
        put(&mut bytes, 4, &self.len.to_le_bytes());
        put(&mut bytes, 8, &[self.kind, self.version, self.encoding, 0]);
        put(&mut bytes, 12, &self.original.to_le_bytes());
        bytes
    }

    /// A frame around an extent that stores `original` bytes in `len` ones.
    pub(crate) const fn extent(encoding: u8, len: u32, original: u32) -> Self {
        Self { len, kind: kind::EXTENT, version: RECORD_VERSION, encoding, original }
    }

    /// Reads the fields; `None` where nothing that this version writes begins. Says nothing about the CRC.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let &[kind, version, encoding, reserved] = bytes.get(8..12)? else { return None };
        let (len, original) = (u32_at(bytes, 4), u32_at(bytes, 12));
        let raw = encoding == ENCODING_RAW && original == len;
        let coded = Encoding::of(encoding).is_some_and(|encoding| encoding != Encoding::Raw)
            && original as usize <= CODED_BYTES_MAX;
        let sound = raw && kind::is_metadata(kind) || kind == kind::EXTENT && (raw || coded);
        (sound && version == RECORD_VERSION && reserved == 0 && bytes.len() >= FRAME_BYTES).then_some(Self {
            len,
            kind,
            version,
            encoding,
            original,
        })
    }

    /// Bytes of frame and payload.
    pub(crate) const fn bytes(&self) -> usize {
        FRAME_BYTES + self.len as usize
    }

    /// Bytes of frame and payload up to where the next frame may begin.
    pub(crate) const fn span(&self) -> usize {
        align(self.bytes())
    }
}

/// Rounds up to where a frame may begin.
pub(crate) const fn align(len: usize) -> usize {
    len.next_multiple_of(ALIGN)
}

/// Sets the CRC of `frame` (frame and payload), which will stand at `offset` of its segment.
pub(crate) fn seal(seed: Seed, offset: u32, frame: &mut [u8]) {
    let crc = seed.crc(offset, frame);
    put(frame, 0, &crc.to_le_bytes());
}

/// Whether `frame` (frame and payload, exactly) is what was written at `offset` of the segment with this seed.
pub(crate) fn verifies(seed: Seed, offset: u32, frame: &[u8]) -> bool {
    frame.len() >= FRAME_BYTES && u32_at(frame, 0) == seed.crc(offset, frame)
}

/// Makes `out` begin a record: leaves room for its frame. Returns where it begins, for [`close`].
pub(crate) fn open(out: &mut alloc::vec::Vec<u8>) -> usize {
    let start = out.len();
    out.resize(start + FRAME_BYTES, 0);
    start
}

/// Ends the record that begins at `start` of `out`: fills in its frame (all but the CRC) and pads it.
pub(crate) fn close(out: &mut alloc::vec::Vec<u8>, start: usize, kind: u8) {
    let len = out.len() - start - FRAME_BYTES;
    put(out, start, &Frame::raw(kind, len as u32).to_bytes());
    out.resize(start + align(FRAME_BYTES + len), 0);
}
