//! What stands on flash, byte for byte; `FORMAT.md` is its description. Imports nothing of the crate but limits.
//!
//! These types are never API types: what the port says and what the medium holds change for different reasons.

pub(crate) mod anchor;
pub(crate) mod code;
pub(crate) mod frame;
pub(crate) mod header;
pub(crate) mod mend;
pub(crate) mod pages;
pub(crate) mod records;
pub(crate) mod table;

#[cfg(test)]
mod tests;

/// Version of the format. A store of another one is not mounted.
pub(crate) const FORMAT_VERSION: u16 = 6;

/// Offsets of frames are multiples of this; see [`frame::ALIGN`].
const ALIGN_U32: u32 = frame::ALIGN as u32;

/// A position in the log: the sequence number of its segment, which is never used again, and the offset in it.
/// Later positions of one head are greater.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub(crate) struct Mark {
    pub(crate) seq: u32,
    pub(crate) offset: u32,
}

/// A position on the device: the index of the segment and the offset in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) segment: u32,
    pub(crate) offset: u32,
}

/// Where a sealed segment ends: nothing in it counts from `end` on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seal {
    pub(crate) seq: u32,
    pub(crate) segment: u32,
    pub(crate) end: u32,
}

/// Little-endian number at `at`; zero outside, which no caller's lengths allow.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    let array = bytes.get(at..at + 2).and_then(|bytes| bytes.try_into().ok());
    u16::from_le_bytes(array.unwrap_or_default())
}

/// See [`u16_at`].
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let array = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    u32::from_le_bytes(array.unwrap_or_default())
}

/// See [`u16_at`].
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let array = bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
    u64::from_le_bytes(array.unwrap_or_default())
}

/// Writes `value` at `at`; the callers' buffers are of fixed sizes that hold it.
pub(crate) fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(slot) = bytes.get_mut(at..at + value.len()) {
        slot.copy_from_slice(value);
    }
}
