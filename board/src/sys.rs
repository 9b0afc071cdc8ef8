//! System calls that no crate of ours offers in safe form: the one file of the house that may say `unsafe`.
//!
//! Each function is as small as its call, takes borrowed descriptors and plain values, and returns what the kernel
//! said.

#![expect(unsafe_code, reason = "the one place of the house for it; every block says why it is sound")]

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

/// The result of a C call that says -1 for an error.
fn check(result: libc::c_int) -> Result<(), Errno> {
    if result == -1 { Err(last()) } else { Ok(()) }
}

fn last() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}

/// Tells a block device that `len` bytes from `offset` are not needed any more (BLKDISCARD).
pub(crate) fn block_discard(fd: BorrowedFd<'_>, offset: u64, len: u64) -> Result<(), Errno> {
    /// `_IO(0x12, 119)`, linux/fs.h.
    const BLKDISCARD: libc::c_ulong = 0x1277;
    let range = [offset, len];
    // SAFETY: BLKDISCARD reads two u64 from the pointer, which points to two for the whole call.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), BLKDISCARD as _, range.as_ptr()) })
}

/// What an MTD chip says of itself; sizes in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MtdInfo {
    pub(crate) kind: u8,
    pub(crate) size: u32,
    pub(crate) erase_size: u32,
    pub(crate) write_size: u32,
}

/// `struct mtd_info_user`, mtd/mtd-abi.h.
#[repr(C)]
#[derive(Default)]
struct RawMtdInfo {
    kind: u8,
    flags: u32,
    size: u32,
    erasesize: u32,
    writesize: u32,
    oobsize: u32,
    padding: u64,
}

/// Asks a chip for its measures (MEMGETINFO).
pub(crate) fn mtd_info(fd: BorrowedFd<'_>) -> Result<MtdInfo, Errno> {
    /// `_IOR('M', 1, struct mtd_info_user)`.
    const MEMGETINFO: libc::c_ulong = 0x8020_4D01;
    const { assert!(size_of::<RawMtdInfo>() == 0x20, "the size is part of the request") };
    let mut raw = RawMtdInfo::default();
    // SAFETY: MEMGETINFO writes one mtd_info_user, which `raw` is; the assertion above checks the size.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), MEMGETINFO as _, &raw mut raw) })?;
    Ok(MtdInfo { kind: raw.kind, size: raw.size, erase_size: raw.erasesize, write_size: raw.writesize })
}

/// Erases `len` bytes of a chip from `start` (MEMERASE) and waits for it.
pub(crate) fn mtd_erase(fd: BorrowedFd<'_>, start: u32, len: u32) -> Result<(), Errno> {
    /// `_IOW('M', 2, struct erase_info_user)`.
    const MEMERASE: libc::c_ulong = 0x4008_4D02;
    let block = [start, len];
    // SAFETY: MEMERASE reads one erase_info_user, two u32, which `block` is.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), MEMERASE as _, block.as_ptr()) })
}
