//! Ready means answers. QEMU's user networking accepts a connection before the guest exists, so that a
//! connection proves nothing: SMTP, IMAP and POP3 must have greeted and HTTP must have answered. Any greeting
//! counts; a box that nobody has claimed greets with a sentence and closes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::limits::{BANNER_TIMEOUT_FIRST, BANNER_TIMEOUT_MAX};
use crate::services;

/// The services that must speak: standard port, what they wait for from us, how their first words begin.
const SPEAKERS: [(u16, &str, &str); 4] = [
    (25, "", ""),
    (143, "", ""),
    (110, "", ""),
    (80, "GET / HTTP/1.1\r\nHost: tegami.local\r\nConnection: close\r\n\r\n", "HTTP/1."),
];

/// Asks one service after the other until all have spoken.
pub(crate) struct Probe {
    offset: u16,
    spoken: usize,
    timeout: Duration,
}

impl Probe {
    pub(crate) fn new(offset: u16) -> Self {
        Self { offset, spoken: 0, timeout: BANNER_TIMEOUT_FIRST }
    }

    /// Tries once, for a few seconds at most; true when all services have spoken.
    pub(crate) fn step(&mut self) -> bool {
        let Some((port, request, start)) = SPEAKERS.get(self.spoken) else { return true };
        if speaks(services::address(self.offset, *port), request, start, self.timeout) {
            self.spoken += 1;
        } else {
            self.timeout = (self.timeout * 5 / 4).min(BANNER_TIMEOUT_MAX);
        }
        self.spoken == SPEAKERS.len()
    }

    /// The service that is being waited for.
    pub(crate) fn waits_for(&self) -> &'static str {
        let port = SPEAKERS.get(self.spoken).map(|(port, ..)| *port);
        services::SERVICES.iter().find(|(_, known)| Some(*known) == port).map_or("nothing", |(name, _)| name)
    }
}

/// Whether a service says something that begins so, within this time.
fn speaks(address: SocketAddr, request: &str, start: &str, timeout: Duration) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, timeout)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.write_all(request.as_bytes())?;
        let mut words = [0; 512];
        let n = stream.read(&mut words)?;
        Ok(n > 0 && words[..n].starts_with(start.as_bytes()))
    };
    let spoken = ask().unwrap_or(false);
    if !spoken && !timeout.is_zero() {
        // A refused connection comes back at once: do not turn that into a storm.
        std::thread::sleep(crate::limits::POLL_INTERVAL);
    }
    spoken
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn server(answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                stream.write_all(answer).unwrap();
                std::thread::sleep(Duration::from_millis(if answer.is_empty() { 200 } else { 0 }));
            }
        });
        address
    }

    #[test]
    fn a_connection_alone_is_no_answer() {
        let wait = Duration::from_millis(100);
        assert!(!speaks(server(b""), "", "", wait));
        assert!(speaks(server(b"220 mail.example.test\r\n"), "", "", wait));
        assert!(speaks(server(b"HTTP/1.1 200 OK\r\n"), "GET / HTTP/1.1\r\n\r\n", "HTTP/1.", wait));
        assert!(!speaks(server(b"220 smtp\r\n"), "", "HTTP/1.", wait));
    }

    #[test]
    fn it_names_what_it_waits_for() {
        assert_eq!(Probe::new(0).waits_for(), "smtp");
        assert_eq!(Probe { offset: 0, spoken: 3, timeout: BANNER_TIMEOUT_FIRST }.waits_for(), "http");
    }
}
