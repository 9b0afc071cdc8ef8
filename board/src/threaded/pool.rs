//! The buffers of programs that wait: used again and again, given back when the box is idle.

use std::sync::Arc;

use crate::devices::Aligned;
use crate::limits::{PIECE_BYTES, PIECE_BYTES_MIN, SPARE_BYTES};

/// A buffer of a program; shared with the writer thread while that writes it.
pub(super) type Buffer = Arc<Aligned>;

/// Sizes are powers of two from [`PIECE_BYTES_MIN`] to [`PIECE_BYTES`].
const CLASSES: usize = (PIECE_BYTES / PIECE_BYTES_MIN).ilog2() as usize + 1;

/// Spare buffers by size.
#[derive(Debug, Default)]
pub(super) struct Pool {
    spare: [Vec<Buffer>; CLASSES],
    /// Capacities of all of them.
    bytes: usize,
}

impl Pool {
    /// A buffer that nobody shares, for at least `len` bytes, at most [`PIECE_BYTES`].
    pub(super) fn take(&mut self, len: usize) -> Buffer {
        let spare = self.spare.get_mut(class(len)).and_then(Vec::pop);
        self.bytes -= spare.as_ref().map_or(0, |buffer| buffer.capacity());
        spare.unwrap_or_else(|| Arc::new(Aligned::new(size(len))))
    }

    /// Keeps `buffer` for later, unless somebody still shares it. Of more than [`SPARE_BYTES`] the smallest go.
    pub(super) fn give(&mut self, mut buffer: Buffer) {
        if Arc::get_mut(&mut buffer).is_some()
            && let Some(spare) = self.spare.get_mut(class(buffer.capacity()))
        {
            self.bytes += buffer.capacity();
            spare.push(buffer);
        }
        while self.bytes > SPARE_BYTES
            && let Some(small) = self.spare.iter_mut().find_map(Vec::pop)
        {
            self.bytes -= small.capacity();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spare_buffers_are_bounded_and_the_large_ones_stay() {
        let mut pool = Pool::default();
        let mut len = PIECE_BYTES_MIN;
        while len <= PIECE_BYTES {
            let taken: Vec<Buffer> = (0..SPARE_BYTES / len).map(|_| pool.take(len)).collect();
            taken.into_iter().for_each(|buffer| pool.give(buffer));
            let spare = pool.spare.iter().flatten().map(|buffer| buffer.capacity());
            assert_eq!(pool.bytes, spare.sum::<usize>());
            assert_eq!(pool.bytes, SPARE_BYTES);
            assert_eq!(pool.spare[class(len)].len(), SPARE_BYTES / len);
            len *= 2;
        }
        let buffer = pool.take(PIECE_BYTES);
        pool.give(Arc::clone(&buffer));
        assert_eq!(pool.bytes, SPARE_BYTES - PIECE_BYTES, "one that is shared is not spare");
        pool.shrink();
        assert!(pool.is_empty() && pool.bytes == 0);
    }
}
