//! The services of the box and where the host reaches them: their standard ports plus an offset, on loopback.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Result, bail};

use crate::limits::PORT_ATTEMPTS_MAX;

/// Every service that is forwarded: its name in the `ready` line and its standard port.
pub const SERVICES: [(&str, u16); 10] = [
    ("smtp", 25),
    ("submission", 587),
    ("submissions", 465),
    ("imap", 143),
    ("imaps", 993),
    ("pop3", 110),
    ("pop3s", 995),
    ("http", 80),
    ("https", 443),
    ("sieve", 4190),
];

/// Offsets that are tried where any will do: with them all ports stay below those that the tests give to servers of
/// their own, and far below 32768, where the kernel takes outgoing ones from.
const OFFSETS: std::ops::Range<u32> = 10_000..25_000;
/// Between two tries. A prime that is no difference of two of the ports, so that neighbours do not collide.
const OFFSET_STEP: u32 = 7;

/// What is added to every standard port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortOffset {
    /// This much.
    Fixed(u16),
    /// Whatever makes all ports free: for tests that run beside one another.
    Free,
}

/// The address on this host of the service with the standard port `port`.
pub fn address(offset: u16, port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, offset.saturating_add(port)).into()
}

/// The line that says that the box answers, and where.
pub fn ready_line(offset: u16) -> String {
    let places = SERVICES.map(|(name, port)| format!("{name}={}", address(offset, port)));
    format!("ready {}", places.join(" "))
}

/// An offset to try, one whose ports are free at this moment.
pub(crate) fn choose(wanted: PortOffset) -> Result<u16> {
    match wanted {
        PortOffset::Fixed(offset) => match taken(offset)? {
            None => Ok(offset),
            Some(port) => bail!("port {port} is in use on this machine: choose another --port-offset"),
        },
        PortOffset::Free => free(),
    }
}

fn free() -> Result<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..PORT_ATTEMPTS_MAX * SERVICES.len() {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        // Processes start at different places, so that two test programs rarely look at the same ports.
        let offset = OFFSETS.start
            + (std::process::id().wrapping_mul(131) + step * OFFSET_STEP) % OFFSETS.len() as u32;
        let offset = u16::try_from(offset)?;
        if taken(offset)?.is_none() {
            return Ok(offset);
        }
    }
    bail!("no ten free ports were found on this machine");
}

/// The first port that something else listens on.
fn taken(offset: u16) -> Result<Option<u16>> {
    for (name, port) in SERVICES {
        let Some(port) = offset.checked_add(port) else {
            bail!("with this --port-offset {name} would be beyond port 65535")
        };
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => return Ok(Some(port)),
            Err(error) => bail!("port {port} cannot be used: {error}"),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_starts_with_ready_and_names_every_address() {
        let line = ready_line(20_000);
        assert!(
            line.starts_with("ready smtp=127.0.0.1:20025 ") && line.ends_with(" sieve=127.0.0.1:24190"),
            "{line}"
        );
    }

    #[test]
    fn a_port_in_use_is_named_and_a_free_offset_avoids_it() {
        let offset = choose(PortOffset::Free).unwrap();
        let _listener = TcpListener::bind(address(offset, 143)).unwrap();
        let error = choose(PortOffset::Fixed(offset)).unwrap_err().to_string();
        assert!(error.contains(&format!("port {} is in use", offset + 143)), "{error}");
        assert!(choose(PortOffset::Fixed(65_000)).unwrap_err().to_string().contains("beyond port 65535"));
        assert_ne!(choose(PortOffset::Free).unwrap(), offset);
    }

    #[test]
    fn neighbouring_offsets_share_no_port() {
        for (_, a) in SERVICES {
            for (_, b) in SERVICES {
                let difference = u32::from(a.abs_diff(b));
                assert!((1..8).all(|steps| difference != steps * OFFSET_STEP), "{a} {b}");
            }
        }
    }
}
