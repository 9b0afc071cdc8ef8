//! Packet sockets: what can be said on an interface that has no address yet, DHCP and ARP.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::net::{AddressFamily, Protocol, SocketFlags, SocketType, socket_with};

use crate::sys;

/// What a packet socket speaks: `ETH_P_IP` or `ETH_P_ARP`, in the order in which the kernel wants it.
const IPV4: u16 = 0x0800_u16.to_be();
const ARP: u16 = 0x0806_u16.to_be();

/// A packet socket, on all interfaces.
#[derive(Debug)]
pub struct PacketSocket {
    fd: OwnedFd,
    protocol: u16,
}

/// A datagram that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its length in bytes, from the IP header on (or all of an ARP packet).
    pub len: usize,
    /// The interface on which it arrived.
    pub link: u32,
    /// Who sent it on this network.
    pub from: [u8; 6],
}

impl PacketSocket {
    /// Opens one that hears datagrams for the DHCP client's port and nothing else: a filter in the kernel drops the
    /// rest, so mail costs nothing here. Needs root.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(crate) fn open_dhcp() -> io::Result<Self> {
        let socket = Self::open(IPV4)?;
        sys::attach_filter(socket.fd.as_fd(), &dhcp_filter())?;
        socket.listen()?;
        Ok(socket)
    }

    /// Opens one for ARP, which hears nothing until [`listen`](Self::listen): few networks need it. Needs root.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(crate) fn open_arp() -> io::Result<Self> {
        Self::open(ARP)
    }

    /// Protocol 0 hears nothing: a filter must stand before the first datagram.
    fn open(protocol: u16) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let fd = socket_with(AddressFamily::PACKET, SocketType::DGRAM, flags, None::<Protocol>)?;
        Ok(Self { fd, protocol })
    }

    /// The two sockets as they were handed over.
    pub(crate) const fn handed_over(dhcp: OwnedFd, arp: OwnedFd) -> (Self, Self) {
        (Self { fd: dhcp, protocol: IPV4 }, Self { fd: arp, protocol: ARP })
    }

    /// Begins to hear. Needs no privileges.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn listen(&self) -> io::Result<()> {
        Ok(sys::packet_bind(self.fd.as_fd(), self.protocol)?)
    }

    /// Receives one datagram, from its IP header on; never waits. Longer ones are cut at the buffer's end.
    ///
    /// # Errors
    /// `WouldBlock` when there is none.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        let (len, link, from) = sys::packet_receive(self.fd.as_fd(), buffer)?;
        Ok(Received { len, link, from })
    }

    /// Sends one datagram, an IP header in front (or an ARP packet), to the neighbour `to` on interface `link`; never
    /// waits.
    ///
    /// # Errors
    /// Whatever the system says, as when the interface is down.
    pub fn send(&self, link: u32, to: [u8; 6], datagram: &[u8]) -> io::Result<()> {
        Ok(sys::packet_send(self.fd.as_fd(), self.protocol, link, to, datagram)?)
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for PacketSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// Keeps UDP to port 68 that is not a later fragment; a classic BPF program on the IP header.
fn dhcp_filter() -> [sys::Filter; 9] {
    const LOAD_BYTE: u16 = 0x30;
    const LOAD_HALF: u16 = 0x28;
    const LOAD_HALF_INDEXED: u16 = 0x48;
    /// Sets the index register to the length of the IP header at this offset.
    const LOAD_HEADER_LEN: u16 = 0xb1;
    const JUMP_EQUAL: u16 = 0x15;
    const JUMP_SET: u16 = 0x45;
    const RETURN: u16 = 0x06;
    const UDP: u32 = 17;
    const OFFSET_BITS: u32 = 0x1fff;
    const CLIENT_PORT: u32 = 68;
    // Jumps count from the next instruction: to `keep` or `drop` at the end.
    let op = |code, jump_true, jump_false, k| sys::Filter { code, jump_true, jump_false, k };
    [
        op(LOAD_BYTE, 0, 0, 9),
        op(JUMP_EQUAL, 0, 6, UDP),
        op(LOAD_HALF, 0, 0, 6),
        op(JUMP_SET, 4, 0, OFFSET_BITS),
        op(LOAD_HEADER_LEN, 0, 0, 0),
        op(LOAD_HALF_INDEXED, 0, 0, 2),
        op(JUMP_EQUAL, 0, 1, CLIENT_PORT),
        op(RETURN, 0, 0, u32::MAX),
        op(RETURN, 0, 0, 0),
    ]
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::net::datagram::emit;

    /// In a network namespace of its own.
    #[test]
    fn only_what_is_for_the_client_is_heard() {
        let thread = std::thread::spawn(|| {
            if !crate::testing::own_network() {
                return;
            }
            for arguments in [
                "link add eth7 address 02:00:00:00:00:07 type veth peer name peer address 02:00:00:00:00:08",
                "link set eth7 up",
                "link set peer up",
            ] {
                assert!(Command::new("ip").args(arguments.split(' ')).status().unwrap().success());
            }
            let index = |name: &str| -> u32 {
                let shown = Command::new("ip").args(["-o", "link", "show", name]).output().unwrap().stdout;
                String::from_utf8(shown).unwrap().split(':').next().unwrap().parse().unwrap()
            };
            let socket = PacketSocket::open_dhcp().unwrap();
            let send = |to: &str, payload: &[u8]| {
                let datagram = emit("192.0.2.1:67".parse().unwrap(), to.parse().unwrap(), payload);
                socket.send(index("peer"), [0xff; 6], &datagram).unwrap();
            };
            send("255.255.255.255:67", b"for a server");
            send("192.0.2.9:25", b"mail");
            send("192.0.2.9:68", b"for us");
            let mut buffer = [0; 100];
            let received = loop {
                match socket.receive(&mut buffer) {
                    Ok(received) => break received,
                    Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
                }
            };
            assert_eq!(received, Received { len: 34, link: index("eth7"), from: [2, 0, 0, 0, 0, 8] });
            assert_eq!(buffer[28..34], *b"for us");
            assert_eq!(socket.receive(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            let arp = PacketSocket::open_arp().unwrap();
            arp.send(index("peer"), [0xff; 6], b"unheard").unwrap();
            arp.listen().unwrap();
            arp.send(index("peer"), [0xff; 6], b"an ARP packet").unwrap();
            let heard = std::iter::from_fn(|| arp.receive(&mut buffer).ok()).last().unwrap();
            assert_eq!((heard.link, heard.len), (index("eth7"), 13));
            assert!(socket.send(999, [0xff; 6], b"x").is_err());
        });
        thread.join().unwrap();
    }
}
