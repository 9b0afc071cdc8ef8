//! The mail process from outside: its start, its last words, its end.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};

use super::MAIL_ARGUMENT;
use crate::control::Cause;
use crate::limits::{LAST_WORDS_BYTES, LOG_TURN_BYTES};
use crate::logging;
use crate::sys;

/// User and group of the mail process. It owns no file; the number must only be nobody else's.
pub(super) const MAIL_ID: u32 = 2525;

/// What a pipe holds (pipe(7)): all that can be left of a process that has ended.
const PIPE_BYTES: usize = 64 << 10;

/// A mail process.
#[derive(Debug)]
pub(super) struct Child {
    pid: Pid,
    /// PID 1's end of the control socket.
    pub(super) socket: OwnedFd,
    /// What it writes to standard output and error.
    log: File,
    tail: Tail,
}

impl Child {
    /// Starts our own binary without privileges. It gets the control socket as standard input, the log as standard
    /// output and error, and nothing else: every other descriptor closes itself.
    pub(super) fn start() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (socket, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        let (log, log_end) = pipe_with(PipeFlags::CLOEXEC)?;
        // Only our end: a writer that finds the pipe full must wait, not lose its line.
        fcntl_setfl(&log, OFlags::NONBLOCK)?;
        let mut command = Command::new("/proc/self/exe");
        sys::unblock_signals(&mut command);
        let child = command
            .arg0("tegami")
            .arg(MAIL_ARGUMENT)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::from(log_end.try_clone()?))
            .stderr(Stdio::from(log_end))
            .uid(MAIL_ID)
            .gid(MAIL_ID)
            .spawn()?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { pid, socket, log: log.into(), tail: Tail::default() })
    }

    /// The log's descriptor, to wait for.
    pub(super) fn log_fd(&self) -> BorrowedFd<'_> {
        self.log.as_fd()
    }

    /// Passes on what the process wrote, as much as one turn allows. Returns `false` at its end.
    pub(super) fn pass_log_on(&mut self) -> bool {
        self.pass_on(LOG_TURN_BYTES)
    }

    /// The same for a number of bytes, or one reading more.
    fn pass_on(&mut self, bytes: usize) -> bool {
        let mut buffer = [0; 2048];
        let mut passed = 0;
        while passed < bytes {
            match self.log.read(&mut buffer) {
                Ok(0) => return false,
                Ok(len) => {
                    self.tail.take(buffer.get(..len).unwrap_or_default(), logging::pass_on);
                    passed += len;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return true,
            }
        }
        true
    }

    /// Sends it a signal. One that is already gone is reaped later.
    pub(super) fn signal(&self, signal: Signal) {
        let _ = kill_process(self.pid, signal);
    }

    /// Whether this is its number.
    pub(super) fn is(&self, pid: Pid) -> bool {
        self.pid == pid
    }

    /// What it said last.
    pub(super) fn last_words(mut self) -> String {
        self.pass_on(PIPE_BYTES);
        self.tail.finish(logging::pass_on)
    }
}

/// Reaps one process that has ended; `None` when there is none.
pub(super) fn reap() -> Option<(Pid, Cause)> {
    let (pid, status) = wait(WaitOptions::NOHANG).ok().flatten()?;
    let cause = match (status.exit_status(), status.terminating_signal()) {
        (_, Some(signal)) => Cause::Signal(signal),
        (status, None) => Cause::Exited(status.unwrap_or(-1)),
    };
    Some((pid, cause))
}

/// Cuts bytes into lines and remembers the last of them.
#[derive(Debug, Default)]
struct Tail {
    line: Vec<u8>,
    last: String,
}

impl Tail {
    fn take(&mut self, bytes: &[u8], mut pass: impl FnMut(&str)) {
        for byte in bytes {
            if *byte == b'\n' {
                self.end_line(&mut pass);
            } else if self.line.len() < LAST_WORDS_BYTES {
                self.line.push(*byte);
            }
        }
    }

    fn end_line(&mut self, pass: &mut impl FnMut(&str)) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        pass(&line);
        self.last.push_str(&line);
        self.last.push('\n');
        let excess = self.last.len().saturating_sub(LAST_WORDS_BYTES);
        self.last.drain(..self.last.ceil_char_boundary(excess));
    }

    fn finish(mut self, mut pass: impl FnMut(&str)) -> String {
        if !self.line.is_empty() {
            self.end_line(&mut pass);
        }
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_passed_on_and_the_last_are_kept() {
        let mut passed = Vec::new();
        let mut tail = Tail::default();
        for piece in ["<6>one\n<3>tw", "o\n\nhalf"] {
            tail.take(piece.as_bytes(), |line| passed.push(line.to_owned()));
        }
        let last = tail.finish(|line| passed.push(line.to_owned()));
        assert_eq!(passed, ["<6>one", "<3>two", "", "half"]);
        assert_eq!(last, "<6>one\n<3>two\n\nhalf\n");
    }

    #[test]
    fn endless_output_takes_no_more_than_its_share() {
        let mut tail = Tail::default();
        tail.take(&vec![b'x'; 100_000], |_| {});
        assert!(tail.line.len() <= LAST_WORDS_BYTES);
        for _ in 0..1000 {
            tail.take("手紙が届きました\n".as_bytes(), |_| {});
        }
        let last = tail.finish(|_| {});
        assert!(last.len() <= LAST_WORDS_BYTES && last.len() > LAST_WORDS_BYTES - 32);
        assert!(last.ends_with("届きました\n"));
    }

    #[test]
    fn who_writes_without_end_waits_for_the_next_turn_and_is_heard_to_the_end() {
        let (log, end) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap();
        let mut written = 0;
        while let Ok(len) = rustix::io::write(&end, b"a line of a process that is not well\n") {
            written += len;
        }
        let socket = File::open("/proc/self/exe").unwrap().into();
        let pid = rustix::process::getpid();
        let mut child = Child { pid, socket, log: log.into(), tail: Tail::default() };
        assert!(child.pass_log_on());
        let left = rustix::io::ioctl_fionread(&child.log).unwrap();
        assert!(left > 0 && left < written as u64, "{left} of {written}");
        rustix::io::write(&end, b"the last words").unwrap();
        drop(end);
        assert!(child.last_words().ends_with("the last words\n"));
    }
}
