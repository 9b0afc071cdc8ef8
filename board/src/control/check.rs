//! What PID 1 lets the mail process ask for: pure, so that every range is a line in a table of tests.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::{BootFile, Ipv4Config, Request};
use crate::clock::{EARLIEST_S, LATEST_S};
use crate::limits::{BOOT_FILE_BYTES_MAX, CONSOLE_BYTES_MAX};

/// Why PID 1 did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The request is outside what is ever allowed; a bug of the sender. Says what.
    OutOfRange(String),
    /// This box cannot do it, as long as it is as it is. Says what is missing.
    Missing(String),
    /// It was tried and failed. Says what the system said.
    Failed(String),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OutOfRange(what) => write!(f, "not allowed: {what}"),
            Self::Missing(what) => write!(f, "there is no {what}"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Refusal {}

/// Whether `request` is within what may be asked.
pub(crate) fn check(request: &Request) -> Result<(), Refusal> {
    match request {
        Request::SetAddress(config) => check_address(config),
        Request::SetTime { unix_s, nanos } => {
            let sound = (EARLIEST_S..LATEST_S).contains(unix_s) && *nanos < 1_000_000_000;
            sound_or(sound, || format!("the time {unix_s} s"))
        }
        Request::WriteBootFile { file, content } => {
            let sound = *file != BootFile::ResetPassword && content.len() <= BOOT_FILE_BYTES_MAX;
            sound_or(sound, || format!("{} bytes in {file:?}", content.len()))
        }
        Request::RemoveBootFile(file) => {
            sound_or(*file == BootFile::ResetPassword, || format!("removing {file:?}"))
        }
        Request::Console(text) => {
            sound_or(text.len() <= CONSOLE_BYTES_MAX, || format!("{} bytes on the console", text.len()))
        }
        Request::Heartbeat
        | Request::ClearAddress
        | Request::FlashReady
        | Request::Reboot
        | Request::PowerOff => Ok(()),
    }
}

fn sound_or(sound: bool, what: impl FnOnce() -> String) -> Result<(), Refusal> {
    if sound { Ok(()) } else { Err(Refusal::OutOfRange(what())) }
}

fn check_address(config: &Ipv4Config) -> Result<(), Refusal> {
    let Ipv4Config { address, prefix_len, gateway } = *config;
    sound_or((8..=32).contains(&prefix_len), || format!("a network of {prefix_len} bits"))?;
    sound_or(is_unicast(address), || format!("the address {address}"))?;
    // The first and last address of a network are not a host's, but in networks of two (RFC 3021) or one.
    let host_bits = u32::MAX.checked_shr(prefix_len.into()).unwrap_or(0);
    let host = address.to_bits() & host_bits;
    sound_or(prefix_len >= 31 || (host != 0 && host != host_bits), || {
        format!("the address {address}/{prefix_len}")
    })?;
    match gateway {
        Some(gateway) => {
            sound_or(is_unicast(gateway) && gateway != address, || format!("the gateway {gateway}"))
        }
        None => Ok(()),
    }
}

/// Whether a host can have this address: not 0/8, loopback, multicast, reserved or broadcast (RFC 6890).
pub(crate) const fn is_unicast(address: Ipv4Addr) -> bool {
    let first = address.octets()[0];
    first != 0 && first != 127 && first < 224
}

/// Text for a console without what would move its cursor or change its colours.
pub(crate) fn printable(text: &str) -> String {
    text.chars().filter(|char| !char.is_control() || matches!(char, '\n' | '\t')).collect()
}
