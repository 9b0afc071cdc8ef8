//! The network's configuration: codecs and state machines that own no socket and no clock.
//!
//! Each takes bytes and the time, gives bytes and the time at which it wants to be asked again; whoever drives it does
//! the waiting. [`PacketSocket`] is the one thing here that touches the kernel: what DHCP speaks through before the
//! box has an address.

mod datagram;
pub mod dhcp;
mod dns;
mod link_local;
mod lookup;
pub mod mdns;
mod network;
mod packet;
mod random;
pub mod sntp;

pub use network::{Action, Network, Settings, Source, Status};
pub use packet::{PacketSocket, Received};
