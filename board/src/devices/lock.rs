//! One writer for one flash: the lock that every opener takes, and who holds it.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::{FlockOperation, Stat, flock, fstat, major, minor};
use rustix::io::Errno;

/// Who has the flash open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The process, where the kernel tells.
    pub pid: Option<u32>,
    /// Its command line, words separated by spaces; empty where it cannot be read.
    pub command: String,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.pid {
            Some(pid) if self.command.is_empty() => write!(f, "process {pid}"),
            Some(pid) => write!(f, "process {pid} ({})", self.command),
            None => f.write_str("another process"),
        }
    }
}

/// Why a lock was not taken.
#[derive(Debug)]
pub(super) enum LockError {
    Held(Holder),
    Os(Errno),
}

/// Takes the exclusive lock on the open file behind `fd`. It is held until the last copy of the descriptor is closed,
/// so it goes along when the descriptor is handed to another process.
pub(super) fn lock(fd: impl AsFd) -> Result<(), LockError> {
    match flock(&fd, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(Errno::WOULDBLOCK) => Err(LockError::Held(holder(fd))),
        Err(errno) => Err(LockError::Os(errno)),
    }
}

fn holder(fd: impl AsFd) -> Holder {
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    let pid = fstat(fd).ok().and_then(|stat| holder_in(&locks, &stat));
    let command = pid.map(command_of).unwrap_or_default();
    Holder { pid, command }
}

/// Finds the holder in `/proc/locks`: `1: FLOCK  ADVISORY  WRITE 708 fe:00:123 0 EOF` (proc(5)).
fn holder_in(locks: &str, stat: &Stat) -> Option<u32> {
    let exact = format!("{:02x}:{:02x}:{}", major(stat.st_dev), minor(stat.st_dev), stat.st_ino);
    let inode = format!(":{}", stat.st_ino);
    let flocks = || locks.lines().map(str::split_whitespace).filter_map(flock_line);
    let found = flocks().find(|(_, file)| *file == exact);
    // Some file systems show another device number there than fstat does.
    found.or_else(|| flocks().find(|(_, file)| file.ends_with(&inode))).map(|(pid, _)| pid)
}

/// The pid and file of a line, when it is a lock that somebody holds.
fn flock_line<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<(u32, &'a str)> {
    words.next()?;
    if words.next()? != "FLOCK" {
        return None;
    }
    let mut words = words.skip(2);
    let pid = words.next()?.parse().ok().filter(|pid| *pid != 0)?;
    Some((pid, words.next()?))
}

fn command_of(pid: u32) -> String {
    let raw = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let text = std::ffi::OsStr::from_bytes(&raw).to_string_lossy().replace('\0', " ");
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_found_among_other_locks() {
        let file = tempfile();
        let mut stat = fstat(&file).unwrap();
        stat.st_dev = rustix::fs::makedev(0xfe, 1);
        stat.st_ino = 77;
        let locks = "1: POSIX  ADVISORY  WRITE 5 fe:01:77 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 6 fe:01:770 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 7 fe:01:77 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 8 fe:01:77 0 EOF\n";
        assert_eq!(holder_in(locks, &stat), Some(8));
        assert_eq!(holder_in("3: FLOCK  ADVISORY  WRITE 9 00:2a:77 0 EOF", &stat), Some(9));
        assert_eq!(holder_in("3: FLOCK  ADVISORY  WRITE 0 fe:01:77 0 EOF", &stat), None);
        assert_eq!(holder_in("half: a line", &stat), None);
    }

    fn tempfile() -> fs::File {
        fs::File::open("/proc/self/exe").unwrap()
    }
}
