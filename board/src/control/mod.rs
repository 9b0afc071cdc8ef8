//! What the mail process and PID 1 say to each other, over one socket pair.
//!
//! The mail process runs unprivileged and asks for what needs root by a [`Request`]; PID 1 checks its ranges, does
//! it, and answers every request but the heartbeat with a [`Message::Reply`] under the request's number. On its own
//! account PID 1 sends a first message with all descriptors, once, and an [`Event`] when something changes.
//!
//! The socket is `SOCK_SEQPACKET`: one datagram is one message, postcard-encoded. Both ends are the same binary, so
//! the encoding has no version.

mod check;
mod client;
#[cfg(test)]
mod tests;
mod wire;

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

pub use check::Refusal;
pub(crate) use check::{check, is_unicast, printable};
pub use client::Client;
pub(crate) use wire::{receive_large, send_with};

/// Numbers a request, so that its reply is recognised.
pub type RequestId = u32;

/// The box's place in the IPv4 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ipv4Config {
    /// The box's own address.
    pub address: Ipv4Addr,
    /// Bits of it that name the network.
    pub prefix_len: u8,
    /// The way to everywhere else.
    pub gateway: Option<Ipv4Addr>,
}

/// A file on the boot partition that the program may write or remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BootFile {
    /// `tegami.toml`: the settings; its replaced content is overwritten.
    Settings,
    /// `tegami-info.txt`: what the console shows, for those who put the card into a computer.
    Info,
    /// `reset-password`, with any ending: the owner asks for a new administrator's password.
    ResetPassword,
}

/// What the mail process asks of PID 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// The network loop is alive. Gets no reply. At least every [`HEARTBEAT_S`](crate::limits::HEARTBEAT_S) seconds.
    Heartbeat,
    /// Gives the interface of the last [`Link`] this address and route, instead of those it had.
    SetAddress(Ipv4Config),
    /// Takes the interface's IPv4 address and route away.
    ClearAddress,
    /// Sets the system's clock and, where there is one, the clock chip.
    SetTime {
        /// Seconds since 1970.
        unix_s: u64,
        /// Nanoseconds of the second.
        nanos: u32,
    },
    /// The flash that the handover called fresh is formatted, behind a barrier: from now on it is kept. Nothing may
    /// be acknowledged to anybody before the reply.
    FlashReady,
    /// Writes a file of the boot partition, in a way that a power cut leaves the old or the new content.
    WriteBootFile {
        /// Which.
        file: BootFile,
        /// Its whole content, at most [`BOOT_FILE_BYTES_MAX`](crate::limits::BOOT_FILE_BYTES_MAX).
        content: Vec<u8>,
    },
    /// Removes a file of the boot partition, if it is there.
    RemoveBootFile(BootFile),
    /// Shows text on every console.
    Console(String),
    /// Ends the mail process and starts the box again.
    Reboot,
    /// Ends the mail process and switches the box off.
    PowerOff,
}

/// An Ethernet interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its name, as in `eth0`.
    pub name: String,
    /// The kernel's number for it.
    pub index: u32,
    /// Its hardware address.
    pub mac: [u8; 6],
    /// Whether a cable with a live other end is in it.
    pub carrier: bool,
}

/// What PID 1 tells of its own account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The interface to use has changed, or its cable; `None` when there is no interface (any more).
    Link(Option<Link>),
}

/// How a mail process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// By itself, with this status.
    Exited(i32),
    /// By a signal; 6 is an abort, as after a panic, 9 is the kernel's when memory ran out.
    Signal(i32),
    /// It gave no sign of life, and PID 1 ended it.
    Hung,
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "it ended with status {status}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::Hung => f.write_str("it gave no sign of life"),
        }
    }
}

/// The record of a mail process that died.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Death {
    /// Seconds from the start of the box to its end.
    pub uptime_s: u64,
    /// Seconds that it lived.
    pub lived_s: u64,
    /// How it ended.
    pub cause: Cause,
    /// The last lines that it wrote, a panic's message among them.
    pub last_words: String,
}

/// The flash partition, as it is handed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FlashPart {
    /// The device, for messages.
    pub(crate) path: String,
    /// First byte in the descriptors.
    pub(crate) start: u64,
    /// Length in bytes.
    pub(crate) len: u64,
    /// Nothing of ours was ever on it.
    pub(crate) is_fresh: bool,
}

/// The first message to a new mail process. Its descriptors, in this order: the flash for writing, the flash for
/// reading, the packet sockets for DHCP and ARP if there are any, then one listener for each of `ports`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) flash: FlashPart,
    pub(crate) has_packet_sockets: bool,
    pub(crate) ports: Vec<u16>,
    pub(crate) link: Option<Link>,
    pub(crate) model: String,
    pub(crate) settings: Option<Vec<u8>>,
    pub(crate) reset_password: bool,
    pub(crate) clock_is_known: bool,
    pub(crate) deaths: Vec<Death>,
}

/// What comes from PID 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// The answer to a request.
    Reply {
        /// The request's number.
        id: RequestId,
        /// Whether it was done.
        result: Result<(), Refusal>,
    },
    /// Something changed.
    Event(Event),
}

/// Everything that PID 1 sends, the first message included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FromInit {
    Hello(Box<Hello>),
    Message(Message),
}
