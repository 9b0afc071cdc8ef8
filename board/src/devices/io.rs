//! What all devices do with descriptors: open, lock, read and write whole ranges.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use flash::Fault;
use rustix::fs::{Mode, OFlags, fcntl_getfl};
use rustix::io::{Errno, pread, pwrite};

use super::OpenError;
use super::lock::{LockError, lock};
use crate::sys::block_is_read_only;

/// What an error of the system means to the caller.
pub(super) const fn fault_of(errno: Errno) -> Fault {
    match errno {
        Errno::ROFS | Errno::PERM | Errno::ACCESS => Fault::ReadOnly,
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG => Fault::NoRoom,
        Errno::INVAL | Errno::BADF => Fault::Misuse,
        _ => Fault::Io,
    }
}

/// Who may use a file that is made.
const MODE: Mode = Mode::RUSR.union(Mode::WUSR);

pub(super) fn open(path: &Path, flags: OFlags) -> Result<OwnedFd, OpenError> {
    rustix::fs::open(path, flags | OFlags::CLOEXEC, MODE).map_err(|errno| OpenError::io("open", path, errno))
}

/// Opens for reading and writing; for reading alone what takes no writes at all: a card at the end of its life is still
/// read. Whether it does is in the descriptor ([`takes_writes`]).
pub(super) fn open_to_write(path: &Path, flags: OFlags) -> Result<OwnedFd, OpenError> {
    let refused = match rustix::fs::open(path, flags | OFlags::RDWR | OFlags::CLOEXEC, MODE) {
        Ok(fd) => return Ok(fd),
        Err(errno) => errno,
    };
    let readable = match fault_of(refused) {
        Fault::ReadOnly => open(path, flags.difference(OFlags::CREATE) | OFlags::RDONLY).ok(),
        _ => None,
    };
    let fd = readable.ok_or_else(|| OpenError::io("open", path, refused))?;
    log::info!("{} is opened for reading: {refused}", path.display());
    Ok(fd)
}

/// Whether a descriptor was opened for writing, and not on a disk that takes no writes: the kernel opens some of these for
/// writing all the same, lets every barrier pass, and refuses no sooner than the first write.
pub(super) fn takes_writes(fd: &OwnedFd) -> bool {
    let is_for_writing = fcntl_getfl(fd).is_ok_and(|flags| flags & OFlags::RWMODE != OFlags::RDONLY);
    is_for_writing && !block_is_read_only(fd.as_fd()).unwrap_or(false)
}

/// Takes the lock, or says who has it.
pub(super) fn locked(path: &Path, fd: &OwnedFd) -> Result<(), OpenError> {
    lock(fd).map_err(|error| match error {
        LockError::Held(holder) => OpenError::Held { path: path.to_owned(), holder },
        LockError::Os(errno) => OpenError::io("lock", path, errno),
    })
}

/// Fills `out`; a file that ends too early is an error.
pub(super) fn read_exact(fd: &OwnedFd, at: u64, out: &mut [u8]) -> Result<(), Fault> {
    let need = out.len();
    read_up_to(fd, at, out, need).map(|_| ())
}

/// Reads into `out` until at least `need` bytes are there; returns how many are.
pub(super) fn read_up_to(fd: &OwnedFd, at: u64, out: &mut [u8], need: usize) -> Result<usize, Fault> {
    let mut got = 0;
    while got < need {
        let rest = out.get_mut(got..).unwrap_or_default();
        match pread(fd, rest, at + got as u64) {
            Ok(0) => return Err(Fault::Io),
            Ok(count) => got += count,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(fault_of(errno)),
        }
    }
    Ok(got)
}

/// Writes all of `units`.
pub(super) fn write_all(fd: &OwnedFd, at: u64, units: &[u8]) -> Result<(), Fault> {
    let mut done = 0;
    while let Some(rest @ [_, ..]) = units.get(done..) {
        match pwrite(fd, rest, at + done as u64) {
            Ok(0) => return Err(Fault::Io),
            Ok(count) => done += count,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(fault_of(errno)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that is full says nothing about the blocks of a flash that is a file on it.
    #[test]
    fn no_room_is_another_fault_than_a_bad_block() {
        let full = open(Path::new("/dev/full"), OFlags::RDWR).unwrap();
        assert_eq!(write_all(&full, 0, &[0; 512]), Err(Fault::NoRoom));
    }
}
