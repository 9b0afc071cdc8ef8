//! Ports for servers of the tests' own: below those that the system gives to outgoing connections, above those of the
//! program.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Ports to choose from.
const PORTS: Range<u16> = 29_500..32_500;

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
        if TcpListener::bind(place).is_ok() && given.insert(place.port()) {
            return place;
        }
    }
    panic!("no free port on {address}");
}
