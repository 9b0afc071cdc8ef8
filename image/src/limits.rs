//! Budgets that fail the build, and the fixed time that makes it repeatable.

const MIB: u64 = 1024 * 1024;

/// The program as it is shipped. More would not fit the promise of a small box, nor a 128 MiB machine that unpacks
/// it into memory.
pub const FIRMWARE_BYTES_MAX: u64 = 7 * MIB;

/// The same linked fast: the linker leaves in what it would find to be double or unused with more time.
pub const FAST_FIRMWARE_BYTES_MAX: u64 = 10 * MIB;

/// The initramfs as it lies on the disk, compressed. It is unpacked into memory that mail sessions need.
pub const INITRAMFS_BYTES_MAX: u64 = 12 * MIB;

/// The image file of every board: what people download and write to a card.
pub const IMAGE_BYTES_MAX: u64 = 64 * MIB;

/// Time of every file in an image, in seconds since 1970 (2026-01-01): today's time would make equal inputs
/// differ.
pub const FILE_TIME_S: u32 = 1_767_225_600;

/// Lines of a failed program's output that an error message quotes.
pub const QUOTED_LINES_MAX: usize = 12;
