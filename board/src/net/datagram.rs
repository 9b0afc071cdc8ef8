//! UDP datagrams with their IPv4 header, as a packet socket takes and gives them (RFC 791, RFC 768).

use std::net::{Ipv4Addr, SocketAddrV4};

/// A datagram that was understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Datagram<'a> {
    pub(super) from: SocketAddrV4,
    pub(super) to: SocketAddrV4,
    pub(super) payload: &'a [u8],
}

const IP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
const UDP: u8 = 17;
const TTL: u8 = 64;

/// A datagram in bytes. Payloads are far shorter than what a header can say.
pub(super) fn emit(from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) -> Vec<u8> {
    let udp_len = u16::try_from(UDP_HEADER + payload.len()).unwrap_or(u16::MAX);
    let len = udp_len.saturating_add(IP_HEADER as u16);
    let mut bytes = vec![0x45, 0];
    bytes.extend_from_slice(&len.to_be_bytes());
    // Identification and fragment: alone and whole.
    bytes.extend_from_slice(&[0, 0, 0, 0, TTL, UDP, 0, 0]);
    bytes.extend_from_slice(&from.ip().octets());
    bytes.extend_from_slice(&to.ip().octets());
    let sum = checksum(&[&bytes]);
    bytes[10..12].copy_from_slice(&sum.to_be_bytes());

    let mut udp = Vec::with_capacity(UDP_HEADER + payload.len());
    udp.extend_from_slice(&from.port().to_be_bytes());
    udp.extend_from_slice(&to.port().to_be_bytes());
    udp.extend_from_slice(&udp_len.to_be_bytes());
    udp.extend_from_slice(&[0, 0]);
    udp.extend_from_slice(payload);
    let pseudo = [0, UDP];
    let sum = checksum(&[&from.ip().octets(), &to.ip().octets(), &pseudo, &udp_len.to_be_bytes(), &udp]);
    // RFC 768: a sum of zero is sent as its other form, zero means that there is none.
    udp[6..8].copy_from_slice(&if sum == 0 { 0xffff } else { sum }.to_be_bytes());
    bytes.extend_from_slice(&udp);
    bytes
}

/// Understands a datagram, or does not. The UDP checksum is not looked at: where the sender is on the same machine or
/// its card computes sums, packet sockets see it unfinished; the frame's own check has covered the wire.
pub(super) fn parse(bytes: &[u8]) -> Option<Datagram<'_>> {
    let header_len = usize::from(bytes.first().filter(|first| **first >> 4 == 4)? & 0xf) * 4;
    let header = bytes.get(..header_len.max(IP_HEADER))?;
    let len = usize::from(be16(header, 2)?);
    let is_fragment = be16(header, 6)? & 0x3fff != 0;
    if header_len < IP_HEADER || header.get(9) != Some(&UDP) || is_fragment || checksum(&[header]) != 0 {
        return None;
    }
    let udp = bytes.get(header_len..len)?;
    let payload = udp.get(UDP_HEADER..usize::from(be16(udp, 4)?))?;
    let address = |at: usize| Some(Ipv4Addr::from(*header.get(at..)?.first_chunk::<4>()?));
    Some(Datagram {
        from: SocketAddrV4::new(address(12)?, be16(udp, 0)?),
        to: SocketAddrV4::new(address(16)?, be16(udp, 2)?),
        payload,
    })
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The Internet checksum (RFC 1071) of parts that, but for the last, have an even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let mut sum: u32 =
        words.map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_known_header_has_its_known_sum() {
        // The example of RFC 1071 §3: 0001 f203 f4f5 f6f7 sums to ddf2.
        assert_eq!(!checksum(&[&[0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7]]), 0xddf2);
        let bytes = emit("0.0.0.0:68".parse().unwrap(), "255.255.255.255:67".parse().unwrap(), b"");
        assert_eq!(
            bytes[..20],
            [0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0x7a, 0xd2, 0, 0, 0, 0, 255, 255, 255, 255]
        );
    }

    proptest! {
        #[test]
        fn parse_is_the_inverse_of_emit(a: u32, b: u32, p: u16, q: u16, payload in prop::collection::vec(any::<u8>(), 0..600)) {
            let from = SocketAddrV4::new(a.into(), p);
            let to = SocketAddrV4::new(b.into(), q);
            let mut bytes = emit(from, to, &payload);
            bytes.extend_from_slice(b"trailer of a short frame");
            prop_assert_eq!(parse(&bytes), Some(Datagram { from, to, payload: &payload }));
        }

        #[test]
        fn nonsense_is_not_understood_and_does_no_harm(mut bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse(&bytes);
            if let Some(first) = bytes.first_mut() {
                *first = 0x40 | (*first & 0xf);
            }
            let _ = parse(&bytes);
        }
    }
}
