//! Addresses and routes, by rtnetlink (rtnetlink(7), RFC 3549): five messages, built here byte by byte.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, send, socket_with,
};

use crate::control::Ipv4Config;

// linux/netlink.h and linux/rtnetlink.h.
const NLMSG_ERROR: u16 = 2;
const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_NEWROUTE: u16 = 24;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_REPLACE: u16 = 0x100;
const NLM_F_CREATE: u16 = 0x400;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RT_TABLE_MAIN: u8 = 254;
const RTPROT_DHCP: u8 = 16;
const RT_SCOPE_UNIVERSE: u8 = 0;
const RTN_UNICAST: u8 = 1;
const RTNH_F_ONLINK: u32 = 4;
const AF_INET: u8 = 2;
const IFF_UP: u32 = 1;

/// Bytes of a message's header.
const HEADER: usize = 16;

/// How long the kernel may take for an answer, which it gives before the send returns.
const ANSWER_WAIT: std::time::Duration = std::time::Duration::from_secs(1);

/// A message under construction.
#[derive(Debug)]
struct Message(Vec<u8>);

impl Message {
    fn new(kind: u16, flags: u16, body: &[u8]) -> Self {
        let mut bytes = vec![0; 4];
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&(NLM_F_REQUEST | NLM_F_ACK | flags).to_ne_bytes());
        // Sequence number and port: one question at a time needs none.
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(body);
        Self(bytes)
    }

    /// Adds an attribute of four bytes: all that are needed have that length, and so need no padding.
    fn with(mut self, kind: u16, value: [u8; 4]) -> Self {
        self.0.extend_from_slice(&8_u16.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(&value);
        self
    }

    fn finish(mut self) -> Vec<u8> {
        let len = u32::try_from(self.0.len()).unwrap_or(u32::MAX).to_ne_bytes();
        if let Some(slot) = self.0.first_chunk_mut() {
            *slot = len;
        }
        self.0
    }
}

/// `struct ifinfomsg`: brings an interface up.
fn link_up(link: u32) -> Vec<u8> {
    let mut body = vec![0; 4];
    body.extend_from_slice(&link.to_ne_bytes());
    body.extend_from_slice(&IFF_UP.to_ne_bytes());
    body.extend_from_slice(&IFF_UP.to_ne_bytes());
    Message::new(RTM_NEWLINK, 0, &body).finish()
}

/// `struct ifaddrmsg`: adds or removes an address.
fn address(kind: u16, flags: u16, link: u32, config: &Ipv4Config) -> Vec<u8> {
    let mut body = vec![AF_INET, config.prefix_len, 0, RT_SCOPE_UNIVERSE];
    body.extend_from_slice(&link.to_ne_bytes());
    let octets = config.address.octets();
    let message = Message::new(kind, flags, &body).with(IFA_LOCAL, octets).with(IFA_ADDRESS, octets);
    let host_bits = u32::MAX.checked_shr(config.prefix_len.into()).unwrap_or(0);
    let broadcast = Ipv4Addr::from_bits(config.address.to_bits() | host_bits);
    // Networks of two and one have no broadcast address (RFC 3021).
    if config.prefix_len < 31 {
        message.with(IFA_BROADCAST, broadcast.octets()).finish()
    } else {
        message.finish()
    }
}

/// `struct rtmsg`: sets the way to everywhere.
fn default_route(link: u32, gateway: Ipv4Addr) -> Vec<u8> {
    let mut body = vec![AF_INET, 0, 0, 0, RT_TABLE_MAIN, RTPROT_DHCP, RT_SCOPE_UNIVERSE, RTN_UNICAST];
    // The gateway need not lie in our own network: networks of one address are handed out with one outside.
    body.extend_from_slice(&RTNH_F_ONLINK.to_ne_bytes());
    let flags = NLM_F_CREATE | NLM_F_REPLACE;
    let message = Message::new(RTM_NEWROUTE, flags, &body);
    message.with(RTA_GATEWAY, gateway.octets()).with(RTA_OIF, link.to_ne_bytes()).finish()
}

/// What the kernel answered: its error, or that all is well.
fn parse_answer(answer: &[u8]) -> io::Result<()> {
    let kind = answer.get(4..6).and_then(|bytes| bytes.try_into().ok()).map(u16::from_ne_bytes);
    let code = answer.get(HEADER..HEADER + 4).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    match (kind, code) {
        (Some(NLMSG_ERROR), Some(0)) => Ok(()),
        (Some(NLMSG_ERROR), Some(code)) => Err(io::Error::from_raw_os_error(-code)),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The way to the kernel's network configuration.
#[derive(Debug)]
pub(super) struct Netlink {
    socket: OwnedFd,
}

impl Netlink {
    /// Opens it.
    pub(super) fn open() -> io::Result<Self> {
        // Protocol 0 is NETLINK_ROUTE.
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        bind(&socket, &SocketAddrNetlink::new(0, 0))?;
        set_socket_timeout(&socket, Timeout::Recv, Some(ANSWER_WAIT))?;
        Ok(Self { socket })
    }

    /// Brings an interface up, so that it looks for a cable.
    pub(super) fn link_up(&self, link: u32) -> io::Result<()> {
        self.ask(&link_up(link))
    }

    /// Gives an interface an address, and the box its way out.
    pub(super) fn set_address(&self, link: u32, config: &Ipv4Config) -> io::Result<()> {
        self.ask(&address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, link, config))?;
        match config.gateway {
            Some(gateway) => self.ask(&default_route(link, gateway)),
            None => Ok(()),
        }
    }

    /// Takes an address away, and with it the routes that begin there.
    pub(super) fn remove_address(&self, link: u32, config: &Ipv4Config) -> io::Result<()> {
        match self.ask(&address(RTM_DELADDR, 0, link, config)) {
            // Gone with its interface, or with somebody's help.
            Err(error) if is(&error, Errno::ADDRNOTAVAIL) || is(&error, Errno::NODEV) => Ok(()),
            result => result,
        }
    }

    fn ask(&self, message: &[u8]) -> io::Result<()> {
        send(&self.socket, message, SendFlags::empty())?;
        let mut answer = [0; 1024];
        let (len, _) = recv(&self.socket, &mut answer[..], RecvFlags::empty())?;
        parse_answer(answer.get(..len).unwrap_or_default())
    }
}

fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn messages_are_as_the_kernel_wants_them() {
        let config = Ipv4Config { address: [192, 168, 1, 10].into(), prefix_len: 24, gateway: None };
        let message = address(RTM_NEWADDR, NLM_F_CREATE, 2, &config);
        let expected: [&[u8]; 7] = [
            &48_u32.to_ne_bytes(),
            &[20, 0, 5, 4, 0, 0, 0, 0, 0, 0, 0, 0],
            &[2, 24, 0, 0, 2, 0, 0, 0],
            &[8, 0, 2, 0, 192, 168, 1, 10],
            &[8, 0, 1, 0, 192, 168, 1, 10],
            &[8, 0, 4, 0, 192, 168, 1, 255],
            &[],
        ];
        assert_eq!(message, expected.concat(), "on a little-endian machine");
    }

    #[test]
    fn answers_are_understood_and_nonsense_is_an_error() {
        let answer = |kind: u16, code: i32| {
            [&36_u32.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10], &code.to_ne_bytes(), &[0; 16]].concat()
        };
        assert!(parse_answer(&answer(NLMSG_ERROR, 0)).is_ok());
        assert_eq!(parse_answer(&answer(NLMSG_ERROR, -1)).unwrap_err().raw_os_error(), Some(1));
        assert!(parse_answer(&answer(7, 0)).is_err());
        assert!(parse_answer(&[0; 17]).is_err());
    }

    /// In a network namespace of its own.
    #[test]
    fn the_kernel_does_what_it_is_told() {
        let thread = std::thread::spawn(|| {
            if !crate::testing::own_network() {
                return;
            }
            let ip = |arguments: &str| {
                let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
                assert!(output.status.success(), "{arguments}: {output:?}");
                String::from_utf8(output.stdout).unwrap()
            };
            ip("link add eth7 type veth peer name peer");
            ip("link set peer up");
            let index: u32 = ip("-o link show eth7").split(':').next().unwrap().parse().unwrap();
            let netlink = Netlink::open().unwrap();
            netlink.link_up(index).unwrap();
            assert!(ip("link show eth7").contains(",UP"));
            let mut config = Ipv4Config {
                address: [192, 0, 2, 10].into(),
                prefix_len: 24,
                gateway: Some([192, 0, 2, 1].into()),
            };
            netlink.set_address(index, &config).unwrap();
            netlink.set_address(index, &config).unwrap();
            assert!(ip("addr show eth7").contains("inet 192.0.2.10/24 brd 192.0.2.255 scope global eth7"));
            assert!(ip("route").contains("default via 192.0.2.1 dev eth7"), "{}", ip("route"));
            netlink.remove_address(index, &config).unwrap();
            netlink.remove_address(index, &config).unwrap();
            assert_eq!(ip("route").trim(), "");
            config = Ipv4Config { prefix_len: 32, gateway: Some([10, 9, 9, 9].into()), ..config };
            netlink.set_address(index, &config).unwrap();
            assert!(ip("route").contains("default via 10.9.9.9 dev eth7"), "a gateway outside");
            assert!(netlink.link_up(99).is_err());
        });
        thread.join().unwrap();
    }
}
