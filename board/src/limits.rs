//! Every limit of the machine, with its reason.

/// Bytes of programs that may wait for the device. A LAN brings 100 MB/s and a card takes 10: what does not fit here
/// stays in the sockets.
pub const QUEUE_BYTES: usize = 1 << 20;

/// Longest piece that goes to the device in one write. Larger ones gain nothing on a card and would make a barrier
/// wait longer for the write before it.
pub const PIECE_BYTES: usize = 64 << 10;

/// Smallest buffer of the queue; the page size, so that a unit of 4 KiB wastes nothing.
pub const PIECE_BYTES_MIN: usize = 4 << 10;

/// After this long without work the queue gives its spare buffers back: the box is small and mostly idle.
pub const QUEUE_IDLE_S: u64 = 2;

/// Stack of the writer thread: it calls the kernel and little else.
pub const WRITER_STACK_BYTES: usize = 64 << 10;

/// What `O_DIRECT` wants memory aligned to. No Linux device asks for more than a page.
pub const DIRECT_ALIGN: usize = 4096;

/// Erase size where the medium has none of its own: large enough for few segments, small enough for a small card.
pub const ERASE_BYTES: u32 = 1 << 20;

/// Write size on cards and disks: they write pages of at least 4 KiB inside, and so does their wear.
pub const WRITE_BYTES: u32 = 4096;
