//! The buffers of programs that wait: used again and again, given back when the box is idle.

use std::sync::Arc;

use crate::devices::Aligned;
use crate::limits::{PIECE_BYTES, PIECE_BYTES_MIN};

/// A buffer of a program; shared with the writer thread while that writes it.
pub(super) type Buffer = Arc<Aligned>;

/// Sizes are powers of two from [`PIECE_BYTES_MIN`] to [`PIECE_BYTES`].
const CLASSES: usize = (PIECE_BYTES / PIECE_BYTES_MIN).ilog2() as usize + 1;

/// Spare buffers by size.
#[derive(Debug, Default)]
pub(super) struct Pool {
    spare: [Vec<Buffer>; CLASSES],
}

impl Pool {
    /// A buffer that nobody shares, for at least `len` bytes, at most [`PIECE_BYTES`].
    pub(super) fn take(&mut self, len: usize) -> Buffer {
        let spare = self.spare.get_mut(class(len)).and_then(Vec::pop);
        spare.unwrap_or_else(|| Arc::new(Aligned::new(size(len))))
    }

    /// Keeps `buffer` for later, unless somebody still shares it.
    pub(super) fn give(&mut self, mut buffer: Buffer) {
        if Arc::get_mut(&mut buffer).is_some()
            && let Some(spare) = self.spare.get_mut(class(buffer.capacity()))
        {
            spare.push(buffer);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.spare.iter().all(Vec::is_empty)
    }

    /// Gives all spare memory back.
    pub(super) fn shrink(&mut self) {
        *self = Self::default();
    }
}

fn size(len: usize) -> usize {
    len.next_power_of_two().clamp(PIECE_BYTES_MIN, PIECE_BYTES)
}

fn class(len: usize) -> usize {
    (size(len) / PIECE_BYTES_MIN).ilog2() as usize
}
