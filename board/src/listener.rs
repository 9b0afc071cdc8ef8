//! Listening sockets.

use std::io;
use std::net::{TcpListener, ToSocketAddrs};

use crate::limits::BACKLOG;

/// Listens on an address, without ever blocking, and with room for a crowd that comes at once.
///
/// Where more clients come in one instant than may wait, Linux answers with SYN cookies and may drop what completes the
/// connection: the client believes that it is connected, and waits for a greeting that nobody knows to send. The standard
/// library leaves room for 128.
///
/// # Errors
/// Those of the system: an address in use, a port that only root may take.
pub fn bind(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    rustix::net::listen(&listener, BACKLOG)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
