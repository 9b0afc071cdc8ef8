//! Places for servers of the tests' own: ports below those that the system gives to outgoing connections and above those
//! of the program, and addresses whose port 25 is free.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

/// Ports to choose from.
const PORTS: Range<u16> = 29_500..32_500;

/// The port of servers that mail finds by DNS, which names none.
const MAIL_PORT: u16 = 25;

/// Addresses of loopback for such servers: 127.64.0.0/10, of which nobody else thinks.
const HOSTS: Range<u32> = 0x7f40_0000..0x7f80_0000;

/// How many of them are tried: what has the port everywhere has it at each.
const HOSTS_TRIED: u32 = 1_000;

/// A place with a port that is free now and is given to nobody else in this process.
///
/// # Panics
/// When there is none.
pub fn free(address: IpAddr) -> SocketAddr {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let span = PORTS.end - PORTS.start;
    // Processes that run at once begin at different ports.
    let first = (std::process::id().wrapping_mul(37) % u32::from(span)) as u16;
    for step in 0..span {
        let place = SocketAddr::new(address, PORTS.start + (first + step) % span);
        // One that was given is not even tried: whoever has it may be about to listen there.
        if !given.contains(&place.port()) && TcpListener::bind(place).is_ok() {
            given.insert(place.port());
            return place;
        }
    }
    panic!("no free port on {address}");
}

/// An address of loopback with nobody at its port 25, given to nobody else in this process.
///
/// # Panics
/// When there is none: the port is for root alone on most machines.
pub fn mail_host() -> IpAddr {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let span = HOSTS.end - HOSTS.start;
    // Processes that run at once begin at different addresses.
    let first = std::process::id().wrapping_mul(1_009);
    for _ in 0..HOSTS_TRIED {
        let number = first.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % span;
        let host = Ipv4Addr::from(HOSTS.start + number);
        match TcpListener::bind((host, MAIL_PORT)) {
            Ok(_) => return host.into(),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => panic!("{host}, port {MAIL_PORT}, which only root may have: {error}"),
        }
    }
    panic!("another mail server has port {MAIL_PORT} of every address: stop it for these tests");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosted::OFFSETS;
    use crate::site::Service;

    /// The program's highest port is as far above its offset.
    #[test]
    fn they_are_above_those_of_the_program() {
        let highest = Service::ALL.iter().map(|service| *service as u16).max().unwrap();
        assert!(OFFSETS.end + highest <= PORTS.start);
    }

    #[test]
    fn what_was_given_is_free_while_others_look() {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let place = free([127, 0, 0, 1].into());
                        TcpListener::bind(place).unwrap();
                    }
                });
            }
        });
    }
}
