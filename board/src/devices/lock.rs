//! One writer for one flash: the lock that every opener takes, and who holds it.

use std::fs;
use std::io::Read as _;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::{FlockOperation, Stat, flock, fstat, major, minor};
use rustix::io::Errno;

/// How often the list of locks is looked at: a list of several pages can miss a line while locks come and go.
const LOOKS: usize = 4;
/// Bytes asked of the list of locks at a time: what the kernel gives in one read, a page, and room to spare.
const LOCKS_PIECE: usize = 65_536;
/// Bytes of the list that are looked at.
const LOCKS_MAX: usize = 1 << 20;

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
    let stat = fstat(fd).ok();
    let pid = stat.and_then(|stat| (0..LOOKS).find_map(|_| holder_in(&locks().unwrap_or_default(), &stat)));
    let command = pid.map(command_of).unwrap_or_default();
    Holder { pid, command }
}

/// The kernel's list of locks. It is consistent within one read only, and a read fetches no more lines than it has room
/// for: read in small pieces while other programs lock and unlock, the list loses lines.
fn locks() -> std::io::Result<String> {
    let mut file = fs::File::open("/proc/locks")?;
    let mut piece = vec![0; LOCKS_PIECE];
    let mut text = Vec::new();
    while text.len() < LOCKS_MAX {
        let read = file.read(&mut piece)?;
        if read == 0 {
            break;
        }
        text.extend_from_slice(piece.get(..read).unwrap_or_default());
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
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
    use std::sync::atomic::{AtomicBool, Ordering};

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

    #[test]
    fn the_holder_is_found_while_other_locks_come_and_go() {
        let mine = std::env::temp_dir().join(format!("tegami-lock-{}", std::process::id()));
        let held = fs::File::create(&mine).unwrap();
        lock(&held).unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for n in 0..2 {
                let other = mine.with_extension(n.to_string());
                let done = &done;
                scope.spawn(move || {
                    while !done.load(Ordering::Relaxed) {
                        drop(fs::File::create(&other).map(|file| lock(&file)));
                    }
                    fs::remove_file(other).unwrap();
                });
            }
            let again = fs::File::open(&mine).unwrap();
            let found = (0..2_000).filter(|_| holder(&again).pid == Some(std::process::id())).count();
            done.store(true, Ordering::Relaxed);
            assert_eq!(found, 2_000);
        });
        fs::remove_file(mine).unwrap();
    }

    fn tempfile() -> fs::File {
        fs::File::open("/proc/self/exe").unwrap()
    }
}
