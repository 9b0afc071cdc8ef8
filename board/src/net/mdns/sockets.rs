//! The responder's sockets, and the addresses that the kernel made for us.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use rustix::net::sockopt::{
    set_ip_add_membership_with_ifindex, set_ip_multicast_if_with_ifindex, set_ip_multicast_loop,
    set_ip_multicast_ttl, set_ip_ttl, set_ipv6_add_membership, set_ipv6_multicast_hops,
    set_ipv6_multicast_if, set_ipv6_multicast_loop, set_ipv6_unicast_hops, set_ipv6_v6only,
    set_socket_reuseaddr,
};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};

/// The port of mDNS.
pub const PORT: u16 = 5353;
/// Everybody who speaks mDNS over IPv4.
pub const GROUP_V4: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(GROUP_4), PORT);
/// Everybody who speaks mDNS over IPv6.
pub const GROUP_V6: SocketAddr = SocketAddr::new(std::net::IpAddr::V6(GROUP_6), PORT);

const GROUP_4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const GROUP_6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);

/// RFC 6762 §11: answers leave with 255, the most there is.
const HOPS: u8 = 255;

/// Opens the socket for IPv4 on interface `link`, non-blocking. Needs no privileges, but an address on the interface.
///
/// # Errors
/// Whatever the system says.
pub fn open_v4(link: u32) -> io::Result<UdpSocket> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
    set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)))?;
    set_ip_multicast_if_with_ifindex(&socket, &GROUP_4, &Ipv4Addr::UNSPECIFIED, link)?;
    set_ip_add_membership_with_ifindex(&socket, &GROUP_4, &Ipv4Addr::UNSPECIFIED, link)?;
    set_ip_multicast_ttl(&socket, HOPS.into())?;
    set_ip_ttl(&socket, HOPS.into())?;
    // What we say ourselves is no news.
    set_ip_multicast_loop(&socket, false)?;
    Ok(socket.into())
}

/// Opens the socket for IPv6 on interface `link`, non-blocking.
///
/// # Errors
/// Whatever the system says, as where there is no IPv6.
pub fn open_v6(link: u32) -> io::Result<UdpSocket> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::INET6, SocketType::DGRAM, flags, None)?;
    set_socket_reuseaddr(&socket, true)?;
    set_ipv6_v6only(&socket, true)?;
    bind(&socket, &SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT)))?;
    set_ipv6_multicast_if(&socket, link)?;
    set_ipv6_add_membership(&socket, &GROUP_6, link)?;
    set_ipv6_multicast_hops(&socket, HOPS.into())?;
    set_ipv6_unicast_hops(&socket, Some(HOPS))?;
    set_ipv6_multicast_loop(&socket, false)?;
    Ok(socket.into())
}

/// The IPv6 addresses of interface `link` that are usable now, link-local ones last.
#[must_use]
pub fn ipv6_addresses(link: u32) -> Vec<Ipv6Addr> {
    parse_addresses(&std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default(), link)
}

/// Lines as `fe80...34 02 40 20 80 eth0`: address, interface, prefix, scope, flags, name; numbers in hexadecimal.
fn parse_addresses(table: &str, link: u32) -> Vec<Ipv6Addr> {
    /// IFA_F_TENTATIVE, IFA_F_DADFAILED, IFA_F_DEPRECATED, IFA_F_TEMPORARY: not sure, not ours, or not for long.
    const UNUSABLE: u32 = 0x40 | 0x08 | 0x20 | 0x01;
    let mut addresses: Vec<Ipv6Addr> = table
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let address = Ipv6Addr::from_bits(u128::from_str_radix(words.next()?, 16).ok()?);
            let mut number = || u32::from_str_radix(words.next()?, 16).ok();
            let (index, _prefix, _scope, flags) = (number()?, number()?, number()?, number()?);
            (index == link && flags & UNUSABLE == 0).then_some(address)
        })
        .collect();
    addresses.sort_by_key(|address| (address.is_unicast_link_local(), *address));
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usable_addresses_are_found() {
        let table = "fe800000000000005054 00\n\
            fe80000000000000505400fffe123456 02 40 20 80     eth0\n\
            fec0000000000000505400fffe123456 02 40 40 00     eth0\n\
            fec00000000000000000000000000bad 02 40 40 40     eth0\n\
            00000000000000000000000000000001 01 80 10 80       lo\n";
        let expected = ["fec0::5054:ff:fe12:3456", "fe80::5054:ff:fe12:3456"]
            .map(|text| text.parse::<Ipv6Addr>().unwrap());
        assert_eq!(parse_addresses(table, 2), expected);
        assert_eq!(parse_addresses(table, 7), [] as [Ipv6Addr; 0]);
    }

    #[test]
    fn sockets_open_beside_each_other() {
        // The loopback interface can do multicast where the kernel lets it; elsewhere there is nothing to test.
        let Ok(first) = open_v4(1) else { return };
        open_v4(1).unwrap();
        let hops = [rustix::net::sockopt::ip_ttl(&first), rustix::net::sockopt::ip_multicast_ttl(&first)];
        assert_eq!(hops, [Ok(255), Ok(255)], "to one and to all");
    }
}
