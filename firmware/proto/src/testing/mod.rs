//! What the tests of all protocols share: mail kept in memory, a driver without sockets, and a player of transcripts.
//! It may use anything of this crate; nothing outside tests may use it.

mod driver;
mod fake;
mod outbound;
mod port;
mod scram;
mod shelf;
mod tests;
mod transcript;

pub(crate) use driver::{Driver, Waiting};
pub(crate) use fake::FakeMail;
pub(crate) use shelf::Stored;
pub(crate) use transcript::{Cast, Settings, play, play_all, play_all_as, unescape};

use core::net::{IpAddr, Ipv4Addr};

use mail::{Now, Ticks, UnixTime};

use crate::{Peer, sasl::ChannelBinding};

/// The moment at which every test begins: 2026-11-14 15:23:01 in Tokyo.
pub(crate) const NOW: Now =
    Now { ticks: Ticks(1_000_000), unix: UnixTime(1_794_637_381), utc_offset_s: 9 * 3600 };

/// A peer without TLS that may not send passwords yet.
pub(crate) const PEER: Peer = Peer {
    ip: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)),
    tls: false,
    channel_binding: None,
    trusted_path: false,
};

/// The same peer on a connection that began with TLS.
pub(crate) const TLS_PEER: Peer = Peer { tls: true, channel_binding: Some(BINDING), ..PEER };

/// What every TLS connection of the tests can be bound to.
pub(crate) const BINDING: ChannelBinding = ChannelBinding([7; 32]);

/// The same peer as a transcript's `-- with` lines say: `tls`, `old tls` (without a channel binding), `trusted path`.
pub(crate) fn peer(has: impl Fn(&str) -> bool) -> Peer {
    let peer = if has("tls") { TLS_PEER } else { PEER };
    Peer { tls: has("tls") || has("old tls"), trusted_path: has("trusted path"), ..peer }
}
