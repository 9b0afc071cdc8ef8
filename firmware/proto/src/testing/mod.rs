//! What the tests of all protocols share: mail kept in memory, a driver without sockets, and a player of transcripts.
//! It may use anything of this crate; nothing outside tests may use it.

mod driver;
mod fake;
mod port;
mod shelf;
mod tests;
mod transcript;

pub(crate) use driver::{Driver, Waiting};
pub(crate) use fake::FakeMail;
pub(crate) use shelf::Stored;
pub(crate) use transcript::{Cast, Settings, play, play_all, play_all_as, unescape};

use core::net::{IpAddr, Ipv4Addr};

use mail::{Now, Ticks, UnixTime};

use crate::Peer;

/// The moment at which every test begins: 2026-11-14 15:23:01 in Tokyo.
pub(crate) const NOW: Now =
    Now { ticks: Ticks(1_000_000), unix: UnixTime(1_794_637_381), utc_offset_s: 9 * 3600 };

/// A peer without TLS that may not send passwords yet.
pub(crate) const PEER: Peer =
    Peer { ip: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)), tls: false, trusted_path: false };

/// The same peer on a connection that began with TLS.
pub(crate) const TLS_PEER: Peer = Peer { tls: true, ..PEER };
