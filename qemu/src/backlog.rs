//! Room for clients that come at once.
//!
//! QEMU's user network listens with room for a single waiting connection. When several clients come in the same
//! instant, Linux answers them with SYN cookies and then drops what completes the connection: the client believes that it
//! is connected, and where the server speaks first, as in SMTP, IMAP and POP3, it waits for a greeting for ever. `listen`
//! may be called again on a socket that listens, so QEMU's sockets are borrowed from it for that.

use std::fs;

use rustix::io::Errno;
use rustix::net::{AddressFamily, listen, sockopt};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use crate::limits::BACKLOG;

/// Makes room at every listening socket of a child process; gives how many they are.
///
/// # Errors
/// Where the system does not let a process look into its child.
pub(crate) fn widen(pid: u32) -> Result<usize, Errno> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    let open = fs::read_dir(format!("/proc/{pid}/fd")).map_err(|_| Errno::ACCESS)?;
    let mut widened = 0;
    for entry in open.flatten() {
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // What it has closed in between is none of ours.
        let Ok(socket) = pidfd_getfd(&process, number, PidfdGetfdFlags::empty()) else { continue };
        let is_forwarded = sockopt::socket_acceptconn(&socket) == Ok(true)
            && sockopt::socket_domain(&socket) == Ok(AddressFamily::INET);
        if is_forwarded {
            listen(&socket, BACKLOG)?;
            widened += 1;
        }
    }
    Ok(widened)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Process;
    use std::io::Read;
    use std::net::{Ipv4Addr, SocketAddr, TcpStream};
    use std::time::Duration;

    /// Listens as QEMU does, prints its port and never accepts. Perl is on every Debian.
    const LISTENER: &str = "use IO::Socket::INET; $| = 1;
        my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die; print $s->sockport; sleep 1000;";

    #[test]
    fn a_listening_child_gets_room() {
        let (process, (mut out, _)) = Process::start(&["perl", "-e", LISTENER].map(Into::into), &[]).unwrap();
        let mut port = [0; 5];
        let length = out.read(&mut port).unwrap();
        let port = std::str::from_utf8(&port[..length]).unwrap().parse().unwrap();
        assert_eq!(widen(process.pid()), Ok(1));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let connect = |_| TcpStream::connect_timeout(&address, Duration::from_secs(5)).unwrap();
        assert_eq!((0..20).map(connect).collect::<Vec<_>>().len(), 20);
    }
}
