//! The anchor: what the store is, and from where its present life goes on. Two copies take turns.
//!
//! A life begins when a mount, or the recovery from a failed barrier, first programs the log. Its anchor is behind a
//! barrier before that, so whatever a later mount finds beyond the positions named here was written in this life.

use super::header::{PerStream, mark_at, put_mark, put_seal, seal_at};
use super::{FORMAT_VERSION, Mark, Seal, put, u16_at, u32_at, u64_at};

/// Bytes of an anchor; the rest of its unit is zero.
pub(crate) const ANCHOR_BYTES: usize = 256;

const MAGIC: [u8; 8] = *b"Tegami\r\n";

/// An anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Anchor {
    /// The store's identity; random.
    pub(crate) uuid: [u8; 16],
    /// The life that it begins, from 1. Odd ones stand in segment 1, even ones in segment 0.
    pub(crate) life: u64,
    /// Bytes of the device that the store uses.
    pub(crate) capacity: u64,
    pub(crate) segment_bytes: u32,
    pub(crate) unit: u32,
    /// Segments that this life opens have sequence numbers from here on.
    pub(crate) seq_base: u32,
    /// This life goes on where a clean one ended, in the same segments. Otherwise both heads are sealed there.
    pub(crate) resumed: bool,
    /// Where the metadata log ends at the beginning of this life.
    pub(crate) meta: Option<Seal>,
    /// Where the body logs end at the beginning of this life.
    pub(crate) bodies: PerStream<Option<Seal>>,
    /// The root of the checkpoint in force at the beginning of this life; all zero for none.
    pub(crate) root: Mark,
    /// Changes of this life have numbers from here on.
    pub(crate) modseq_base: u64,
}

/// What stands where an anchor may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing of this kind, or not whole.
    Nothing,
    /// An anchor of another format version.
    Other(u16),
    /// An anchor.
    Anchor(Anchor),
}

impl Anchor {
    /// The segment in which it stands.
    pub(crate) const fn slot(&self) -> u32 {
        (self.life % 2) as u32
    }

    pub(crate) fn to_bytes(self) -> [u8; ANCHOR_BYTES] {
        let mut bytes = [0; ANCHOR_BYTES];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 12, &FORMAT_VERSION.to_le_bytes());
        put(&mut bytes, 14, &[u8::from(self.resumed), 0]);
        put(&mut bytes, 16, &self.uuid);
        put(&mut bytes, 32, &self.life.to_le_bytes());
        put(&mut bytes, 40, &self.capacity.to_le_bytes());
        put(&mut bytes, 48, &self.segment_bytes.to_le_bytes());
        put(&mut bytes, 52, &self.unit.to_le_bytes());
        put(&mut bytes, 56, &self.seq_base.to_le_bytes());
        put_seal(&mut bytes, 60, self.meta);
        put_seal(&mut bytes, 76, self.bodies.fresh);
        put(&mut bytes, 92, &self.modseq_base.to_le_bytes());
        put_seal(&mut bytes, 100, self.bodies.cold);
        put_mark(&mut bytes, 116, self.root);
        put_seal(&mut bytes, 124, self.bodies.commits);
        let crc = crc32c::crc32c(&bytes);
        put(&mut bytes, 8, &crc.to_le_bytes());
        bytes
    }

    /// Reads what stands at an anchor's place. Magic, CRC and version keep their places in every later version.
    pub(crate) fn parse(bytes: &[u8; ANCHOR_BYTES]) -> Found {
        let mut plain = *bytes;
        put(&mut plain, 8, &[0; 4]);
        if !bytes.starts_with(&MAGIC) || u32_at(bytes, 8) != crc32c::crc32c(&plain) {
            return Found::Nothing;
        }
        match u16_at(bytes, 12) {
            FORMAT_VERSION => {}
            version => return Found::Other(version),
        }
        let mut uuid = [0; 16];
        uuid.copy_from_slice(bytes.get(16..32).unwrap_or(&[0; 16]));
        Found::Anchor(Self {
            uuid,
            life: u64_at(bytes, 32),
            capacity: u64_at(bytes, 40),
            segment_bytes: u32_at(bytes, 48),
            unit: u32_at(bytes, 52),
            seq_base: u32_at(bytes, 56),
            resumed: bytes.get(14) == Some(&1),
            meta: seal_at(bytes, 60),
            bodies: PerStream {
                fresh: seal_at(bytes, 76),
                cold: seal_at(bytes, 100),
                commits: seal_at(bytes, 124),
            },
            root: mark_at(bytes, 116),
            modseq_base: u64_at(bytes, 92),
        })
    }
}
