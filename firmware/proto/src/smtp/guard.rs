//! Who sends, and how much: what sessions ask of whoever keeps count for all of them. What counts and how much of it is
//! too much is not known here.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::{fmt, net::IpAddr};

use mail::{AccountId, Address, Ticks};

/// Who sends letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Client {
    /// Somebody who has logged in.
    Account(AccountId),
    /// A device that needs no log-in, by its address.
    Device(IpAddr),
    /// Anybody else, by the address.
    Stranger(IpAddr),
}

/// Not now: to be tried again in so many seconds, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Later(pub u32);

/// Keeps misuse within limits, across connections. Every call returns at once.
pub trait Guard: fmt::Debug {
    /// A letter begins; `sender` is what the client gave as its sender.
    ///
    /// # Errors
    /// [`Later`]: there have been too many.
    fn letter(&self, client: Client, sender: Option<&Address>, now: Ticks) -> Result<(), Later>;

    /// A recipient at another server is named.
    ///
    /// # Errors
    /// [`Later`]: there have been too many.
    fn outside(&self, client: Client, sender: Option<&Address>, now: Ticks) -> Result<(), Later>;

    /// A recipient was named whom nobody here knows. Says how many milliseconds the client is to wait for that reply.
    fn unknown(&self, client: Client, now: Ticks) -> u64;

    /// A device has sent a letter of so many bytes to so many recipients.
    fn device_sent(&self, ip: IpAddr, device: &Device, recipients: u32, bytes: u64);
}

/// Lets everything pass.
#[derive(Debug)]
pub struct Unguarded;

impl Guard for Unguarded {
    fn letter(&self, _: Client, _: Option<&Address>, _: Ticks) -> Result<(), Later> {
        Ok(())
    }

    fn outside(&self, _: Client, _: Option<&Address>, _: Ticks) -> Result<(), Later> {
        Ok(())
    }

    fn unknown(&self, _: Client, _: Ticks) -> u64 {
        0
    }

    fn device_sent(&self, _: IpAddr, _: &Device, _: u32, _: u64) {}
}

/// What a printer or scanner may do that sends without TLS and without a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its only sender, whatever it says.
    pub sender: Address,
    /// Whom it may write to beside people here.
    pub to: Vec<Target>,
}

/// Somebody, or everybody in a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// This address.
    Address(Box<Address>),
    /// All of this domain.
    Domain(String),
}

impl Device {
    /// Whether it may write to an address that is not of this box.
    pub(super) fn may_write_to(&self, address: &Address) -> bool {
        self.to.iter().any(|target| match target {
            Target::Address(one) => one.same_as(address),
            Target::Domain(domain) => domain.eq_ignore_ascii_case(address.domain()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_writes_to_whom_it_may() {
        let parse = |text| Address::parse(text).unwrap();
        let to = [Target::Address(Box::new(parse("Scans@Archive.test"))), Target::Domain("peer.test".into())];
        let device = Device { sender: parse("printer@example.test"), to: to.into() };
        for (address, may) in [
            ("scans@archive.test", true),
            ("anybody@PEER.test", true),
            ("other@archive.test", false),
            ("scans+x@archive.test", false),
            ("a@sub.peer.test", false),
            ("a@peer.test.", false),
            ("\"a@peer.test\"@elsewhere.test", false),
        ] {
            assert_eq!(device.may_write_to(&parse(address)), may, "{address}");
        }
    }
}
