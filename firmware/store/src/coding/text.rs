//! The compression of text: LZ4 blocks, with memory that is used again. The one file that knows which coder it is.

use alloc::vec::Vec;

use lz4_flex::block::{CompressTable, compress_into_with_table, decompress_into, get_maximum_output_size};

/// Shortest input that needs the table with wide entries.
const WIDE_FROM: usize = u16::MAX as usize;

/// Bytes of the two hash tables: 4,096 entries each.
pub(super) const PACKER_BYTES: usize = 4096 * (size_of::<u16>() + size_of::<u32>());

/// What compressing `len` bytes needs room for.
pub(super) const fn block_bytes_max(len: usize) -> usize {
    get_maximum_output_size(len)
}

/// Compresses blocks of at most 64 KiB. Its hash tables are all that it keeps: 8 KiB with entries of 16 bits for all
/// but the longest inputs (of short ones it makes less than the other), 16 KiB with entries of 32 bits for those.
pub(super) struct Packer {
    narrow: CompressTable,
    wide: CompressTable,
}

impl Packer {
    pub(super) fn new() -> Self {
        Self { narrow: CompressTable::small(), wide: CompressTable::large() }
    }

    /// Appends `input` as a block to `out`. Where nothing repeats it looks at ever fewer places, so it costs little to
    /// try. `None` if the block does not fit the room made for it, which the library rules out.
    pub(super) fn pack(&mut self, input: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let table = if input.len() < WIDE_FROM { &mut self.narrow } else { &mut self.wide };
        let start = out.len();
        out.resize(start + get_maximum_output_size(input.len()), 0);
        let len = compress_into_with_table(input, out.get_mut(start..)?, table).ok()?;
        out.truncate(start + len);
        Some(())
    }
}

/// Fills `out` from a block; `None` unless the block makes exactly as many bytes.
pub(super) fn unpack(block: &[u8], out: &mut [u8]) -> Option<()> {
    let len = decompress_into(block, out).ok()?;
    (len == out.len()).then_some(())
}
