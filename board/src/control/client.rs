//! The mail process' end of the socket pair.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use super::wire::{receive, send_with};
use super::{FromInit, Message, Request, RequestId};

/// Sends requests and receives messages; never waits, so it fits any readiness loop: wait until the descriptor can be
/// read or written, then call.
#[derive(Debug)]
pub struct Client {
    socket: OwnedFd,
    next: Cell<RequestId>,
}

/// Longest message that PID 1 sends after the first: a refusal or a link, each with one short text.
const MESSAGE_BYTES_MAX: usize = 2048;

impl Client {
    pub(crate) const fn new(socket: OwnedFd) -> Self {
        Self { socket, next: Cell::new(1) }
    }

    /// Sends `request`; the number is its reply's.
    ///
    /// # Errors
    /// `WouldBlock` while PID 1 has not read what was sent before; any other error is the end of PID 1, and so of the
    /// box.
    pub fn send(&self, request: &Request) -> io::Result<RequestId> {
        let id = self.next.get();
        send_with(self.socket.as_fd(), &(id, request), &[])?;
        self.next.set(id.wrapping_add(1));
        Ok(id)
    }

    /// The next message from PID 1.
    ///
    /// # Errors
    /// `WouldBlock` when there is none.
    pub fn receive(&self) -> io::Result<Message> {
        let mut buffer = [0; MESSAGE_BYTES_MAX];
        match receive(self.socket.as_fd(), &mut buffer)? {
            (FromInit::Message(message), _) => Ok(message),
            (FromInit::Hello(_), _) => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Client {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}
