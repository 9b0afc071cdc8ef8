//! System calls that no crate of ours offers in safe form: the one file of the house that may say `unsafe`.
//!
//! Each function is as small as its call, takes borrowed descriptors and plain values, and returns what the kernel
//! said.

#![expect(unsafe_code, reason = "the one place of the house for it; every block says why it is sound")]

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

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

/// Whether a block device takes no writes (BLKROGET). An error for what is none.
pub(crate) fn block_is_read_only(fd: BorrowedFd<'_>) -> Result<bool, Errno> {
    /// `_IO(0x12, 94)`, linux/fs.h.
    const BLKROGET: libc::c_ulong = 0x125E;
    let mut answer: libc::c_int = 0;
    // SAFETY: BLKROGET writes one int, which `answer` is.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), BLKROGET as _, &raw mut answer) })?;
    Ok(answer != 0)
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

/// One instruction of a classic BPF program: `struct sock_filter`, linux/filter.h.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filter {
    pub(crate) code: u16,
    pub(crate) jump_true: u8,
    pub(crate) jump_false: u8,
    pub(crate) k: u32,
}

/// Makes a socket hear only what `program` keeps (SO_ATTACH_FILTER).
pub(crate) fn attach_filter(fd: BorrowedFd<'_>, program: &[Filter]) -> Result<(), Errno> {
    const { assert!(size_of::<Filter>() == size_of::<libc::sock_filter>()) };
    let len = u16::try_from(program.len()).map_err(|_| Errno::INVAL)?;
    let program = libc::sock_fprog { len, filter: program.as_ptr().cast_mut().cast() };
    // SAFETY: the option reads one sock_fprog and `len` instructions behind its pointer; both live for the call, the
    // instructions have the layout of sock_filter, and the kernel does not write them.
    check(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    })
}

/// An address of a packet socket: protocol in network order, interface 0 for all.
fn link_address(protocol: u16, link: u32, neighbour: [u8; 6]) -> libc::sockaddr_ll {
    let mut hardware = [0; 8];
    hardware[..6].copy_from_slice(&neighbour);
    libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: protocol,
        sll_ifindex: link.cast_signed(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 6,
        sll_addr: hardware,
    }
}

/// Length of the above, as the calls want it.
const LINK_ADDRESS_LEN: libc::socklen_t = size_of::<libc::sockaddr_ll>() as libc::socklen_t;

/// Makes a packet socket hear `protocol` (network order) on every interface.
pub(crate) fn packet_bind(fd: BorrowedFd<'_>, protocol: u16) -> Result<(), Errno> {
    let address = link_address(protocol, 0, [0; 6]);
    // SAFETY: the address is a sockaddr_ll of the length given, and lives for the call.
    check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), LINK_ADDRESS_LEN) })
}

/// Sends a datagram to a neighbour.
pub(crate) fn packet_send(
    fd: BorrowedFd<'_>,
    protocol: u16,
    link: u32,
    to: [u8; 6],
    datagram: &[u8],
) -> Result<(), Errno> {
    let address = link_address(protocol, link, to);
    // SAFETY: buffer and length are those of `datagram`; the address is a sockaddr_ll of the length given.
    let sent = unsafe {
        libc::sendto(
            fd.as_raw_fd(),
            datagram.as_ptr().cast(),
            datagram.len(),
            libc::MSG_DONTWAIT,
            (&raw const address).cast(),
            LINK_ADDRESS_LEN,
        )
    };
    if sent < 0 { Err(last()) } else { Ok(()) }
}

/// Receives a datagram: its length, its interface, its sender.
pub(crate) fn packet_receive(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<(usize, u32, [u8; 6]), Errno> {
    let mut address = link_address(0, 0, [0; 6]);
    let mut len = LINK_ADDRESS_LEN;
    // SAFETY: buffer and length are those of `buffer`; the address has room for a sockaddr_ll, as `len` says.
    let got = unsafe {
        libc::recvfrom(
            fd.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            libc::MSG_DONTWAIT,
            (&raw mut address).cast(),
            &raw mut len,
        )
    };
    let got = usize::try_from(got).map_err(|_| last())?;
    let [a, b, c, d, e, f, ..] = address.sll_addr;
    Ok((got, address.sll_ifindex.cast_unsigned(), [a, b, c, d, e, f]))
}

/// A descriptor from which the given signals are read instead of interrupting anything (signalfd). They are blocked for
/// this thread; PID 1 has no other.
pub(crate) fn signal_fd(signals: &[libc::c_int]) -> Result<OwnedFd, Errno> {
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset initialises the set before sigaddset, sigprocmask and signalfd read it; all pointers are to
    // `set`, which lives throughout, and a null old set is allowed. The descriptor that signalfd returns is new and
    // belongs to nobody else.
    unsafe {
        check(libc::sigemptyset(set.as_mut_ptr()))?;
        for signal in signals {
            check(libc::sigaddset(set.as_mut_ptr(), *signal))?;
        }
        check(libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()))?;
        let fd = libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        check(fd)?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Makes `command` start its program with no signal blocked: a program inherits what its starter blocks.
pub(crate) fn unblock_signals(command: &mut Command) {
    let unblock = || {
        let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigemptyset initialises the set before sigprocmask reads it; a null old set is allowed.
        let result = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigprocmask(libc::SIG_SETMASK, set.as_ptr(), std::ptr::null_mut())
        };
        check(result).map_err(std::io::Error::from)
    };
    // SAFETY: between fork and exec only functions that are safe in a signal handler may run; both calls above are
    // (signal-safety(7)), and making an error from a number allocates nothing.
    unsafe { command.pre_exec(unblock) };
}

/// Gives freed memory back to the system, from the middle of the heap too.
pub(crate) fn trim_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim takes the allocator's own locks and touches free memory alone.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// What to do to a partition in the kernel's table of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartitionChange {
    /// Make it known.
    Add,
    /// Give it another length.
    Resize,
}

/// Changes a partition of an open disk in the kernel's memory alone (BLKPG), so that it works while other partitions
/// are mounted. `start` and `len` in bytes.
pub(crate) fn change_partition(
    disk: BorrowedFd<'_>,
    change: PartitionChange,
    number: u32,
    start: u64,
    len: u64,
) -> Result<(), Errno> {
    /// `_IO(0x12, 105)`, linux/blkpg.h.
    const BLKPG: libc::c_ulong = 0x1269;
    /// `struct blkpg_partition`.
    #[repr(C)]
    struct Partition {
        start: i64,
        length: i64,
        number: libc::c_int,
        names: [u8; 128],
    }
    /// `struct blkpg_ioctl_arg`.
    #[repr(C)]
    struct Argument {
        op: libc::c_int,
        flags: libc::c_int,
        datalen: libc::c_int,
        data: *mut Partition,
    }
    let signed = |value: u64| i64::try_from(value).map_err(|_| Errno::INVAL);
    let mut partition = Partition {
        start: signed(start)?,
        length: signed(len)?,
        number: number.cast_signed(),
        names: [0; 128],
    };
    let op = match change {
        PartitionChange::Add => 1,
        PartitionChange::Resize => 3,
    };
    let argument = Argument { op, flags: 0, datalen: size_of::<Partition>() as _, data: &raw mut partition };
    // SAFETY: BLKPG reads one blkpg_ioctl_arg and the blkpg_partition it points to; both are laid out as in the
    // kernel's header and live for the call.
    check(unsafe { libc::ioctl(disk.as_raw_fd(), BLKPG as _, &raw const argument) })
}

/// A date for the clock chip: `struct rtc_time`, linux/rtc.h, of which the kernel reads these in this order, and three
/// more that it ignores.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RtcDate {
    pub(crate) second: libc::c_int,
    pub(crate) minute: libc::c_int,
    pub(crate) hour: libc::c_int,
    pub(crate) day: libc::c_int,
    /// From 0.
    pub(crate) month: libc::c_int,
    /// From 1900.
    pub(crate) year: libc::c_int,
    pub(crate) ignored: [libc::c_int; 3],
}

/// Sets the clock chip (RTC_SET_TIME), in UTC.
pub(crate) fn rtc_set(rtc: BorrowedFd<'_>, date: &RtcDate) -> Result<(), Errno> {
    /// `_IOW('p', 0x0a, struct rtc_time)`.
    const RTC_SET_TIME: libc::c_ulong = 0x4024_700a;
    const { assert!(size_of::<RtcDate>() == 0x24, "the size is part of the request") };
    // SAFETY: RTC_SET_TIME reads one rtc_time, which `date` is; the assertion above checks the size.
    check(unsafe { libc::ioctl(rtc.as_raw_fd(), RTC_SET_TIME as _, std::ptr::from_ref(date)) })
}

/// Moves this thread into a network of its own, for tests of what configures one.
#[cfg(test)]
pub(crate) fn leave_network() -> Result<(), Errno> {
    // SAFETY: CLONE_NEWNET shares and unshares no memory and closes no descriptor.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }
}
