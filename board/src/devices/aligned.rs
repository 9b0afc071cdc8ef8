//! Memory that `O_DIRECT` accepts.

use crate::limits::DIRECT_ALIGN;

/// A buffer of fixed capacity whose first byte is aligned to [`DIRECT_ALIGN`].
#[derive(Debug)]
pub(crate) struct Aligned {
    /// Never grows, or the bytes would move; one alignment longer than the capacity.
    memory: Vec<u8>,
    start: usize,
    capacity: usize,
}

impl Aligned {
    /// A buffer of `capacity` zeros.
    pub(crate) fn new(capacity: usize) -> Self {
        let memory = vec![0; capacity + DIRECT_ALIGN];
        let start = memory.as_ptr().align_offset(DIRECT_ALIGN).min(DIRECT_ALIGN);
        Self { memory, start, capacity }
    }

    pub(crate) const fn capacity(&self) -> usize {
        self.capacity
    }

    /// The first `len` bytes, or all when there are fewer.
    pub(crate) fn bytes(&self, len: usize) -> &[u8] {
        self.memory.get(self.start..self.start + len.min(self.capacity)).unwrap_or_default()
    }

    /// As [`bytes`](Self::bytes), to be written.
    pub(crate) fn bytes_mut(&mut self, len: usize) -> &mut [u8] {
        self.memory.get_mut(self.start..self.start + len.min(self.capacity)).unwrap_or_default()
    }
}

/// Whether the kernel takes `bytes` as they lie.
pub(crate) fn is_aligned(bytes: &[u8]) -> bool {
    bytes.as_ptr().align_offset(DIRECT_ALIGN) == 0
}
