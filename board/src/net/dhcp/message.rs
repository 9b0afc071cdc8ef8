//! DHCP messages in bytes (RFC 2131 §2, RFC 2132).
//!
//! Our own, because the codec at hand (edge-dhcp 0.8) sets the broadcast flag in the wrong bit, takes no padding between
//! options, and panics on an address list that is no multiple of four bytes.

use std::net::Ipv4Addr;

/// The kinds of messages that a client sends or receives (option 53).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Discover,
    Offer,
    Request,
    Ack,
    Nak,
}

const KINDS: [(u8, Kind); 5] =
    [(1, Kind::Discover), (2, Kind::Offer), (3, Kind::Request), (5, Kind::Ack), (6, Kind::Nak)];

// Options, RFC 2132.
pub(super) const SUBNET_MASK: u8 = 1;
pub(super) const ROUTER: u8 = 3;
pub(super) const DNS_SERVERS: u8 = 6;
pub(super) const HOST_NAME: u8 = 12;
pub(super) const NTP_SERVERS: u8 = 42;
pub(super) const REQUESTED_ADDRESS: u8 = 50;
pub(super) const LEASE_TIME: u8 = 51;
const OVERLOAD: u8 = 52;
const KIND: u8 = 53;
pub(super) const SERVER: u8 = 54;
const WANTED: u8 = 55;
const SIZE_MAX: u8 = 57;
pub(super) const RENEWAL_TIME: u8 = 58;
pub(super) const REBINDING_TIME: u8 = 59;
const CLIENT: u8 = 61;
const PAD: u8 = 0;
const END: u8 = 255;

/// Marks the options (RFC 2131 §3).
const COOKIE: [u8; 4] = [99, 130, 83, 99];
/// Bytes before the cookie.
const FIXED: usize = 236;
/// Where the fields lie that may hold options too (`sname`, `file`), and the end of the fixed part.
const SNAME: std::ops::Range<usize> = 44..108;
const FILE: std::ops::Range<usize> = 108..FIXED;
/// Relays and servers of the BOOTP days drop shorter messages (RFC 1542 §2.1).
const LEN_MIN: usize = 300;
/// The longest message that we take: what fits in an Ethernet frame.
const LEN_MAX: u16 = 1500 - 28;
/// What we ask for.
const WANT: [u8; 7] =
    [SUBNET_MASK, ROUTER, DNS_SERVERS, NTP_SERVERS, LEASE_TIME, RENEWAL_TIME, REBINDING_TIME];

/// What a client says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call<'a> {
    pub(super) kind: Kind,
    pub(super) transaction: u32,
    /// Seconds since the client began.
    pub(super) seconds: u16,
    /// The client's address, when it has one and answers there.
    pub(super) own: Option<Ipv4Addr>,
    pub(super) mac: [u8; 6],
    pub(super) requested: Option<Ipv4Addr>,
    pub(super) server: Option<Ipv4Addr>,
    pub(super) host_name: &'a str,
}

impl Call<'_> {
    /// The message.
    pub(super) fn emit(&self) -> Vec<u8> {
        // BOOTREQUEST, Ethernet, six bytes of address, no hops.
        let mut bytes = vec![1, 1, 6, 0];
        bytes.extend_from_slice(&self.transaction.to_be_bytes());
        bytes.extend_from_slice(&self.seconds.to_be_bytes());
        // No broadcast flag: a packet socket hears answers to an address that the box does not have yet (§4.1).
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&self.own.unwrap_or(Ipv4Addr::UNSPECIFIED).octets());
        bytes.extend_from_slice(&[0; 12]);
        bytes.extend_from_slice(&self.mac);
        bytes.resize(FIXED, 0);
        bytes.extend_from_slice(&COOKIE);
        let mut option = |code: u8, value: &[u8]| {
            bytes.extend_from_slice(&[code, u8::try_from(value.len()).unwrap_or(0)]);
            bytes.extend_from_slice(value);
        };
        let kind = KINDS.iter().find(|(_, kind)| *kind == self.kind).map_or(0, |(code, _)| *code);
        let [a, b, c, d, e, f] = self.mac;
        option(KIND, &[kind]);
        option(CLIENT, &[1, a, b, c, d, e, f]);
        if let Some(address) = self.requested {
            option(REQUESTED_ADDRESS, &address.octets());
        }
        if let Some(address) = self.server {
            option(SERVER, &address.octets());
        }
        option(SIZE_MAX, &LEN_MAX.to_be_bytes());
        option(WANTED, &WANT);
        if !self.host_name.is_empty() {
            option(HOST_NAME, self.host_name.as_bytes());
        }
        bytes.push(END);
        bytes.resize(bytes.len().max(LEN_MIN), PAD);
        bytes
    }
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer<'a> {
    pub(super) kind: Kind,
    pub(super) transaction: u32,
    pub(super) mac: [u8; 6],
    /// The client's address, as the server has it.
    pub(super) yours: Ipv4Addr,
    bytes: &'a [u8],
}

impl<'a> Answer<'a> {
    /// Understands a server's message, or does not.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let fixed = bytes.get(..FIXED)?;
        let is_reply = fixed.first_chunk() == Some(&[2, 1, 6]);
        if !is_reply || bytes.get(FIXED..FIXED + 4)? != COOKIE {
            return None;
        }
        let mut answer = Self {
            kind: Kind::Nak,
            transaction: u32::from_be_bytes(*fixed.get(4..)?.first_chunk()?),
            mac: *fixed.get(28..)?.first_chunk()?,
            yours: Ipv4Addr::from(*fixed.get(16..)?.first_chunk::<4>()?),
            bytes,
        };
        let kind = *answer.option(KIND).first()?;
        answer.kind = KINDS.iter().find(|(code, _)| *code == kind)?.1;
        Some(answer)
    }

    /// An option's value; empty when it is not there. One that comes in pieces is put together (RFC 3396).
    pub(super) fn option(&self, code: u8) -> Vec<u8> {
        let mut value = Vec::new();
        let mut areas = vec![self.bytes.get(FIXED + 4..).unwrap_or_default()];
        // RFC 2132 §9.3: bit 0 says that `file` goes on with options, bit 1 that `sname` does.
        let overload = self.overload();
        areas.extend((overload & 1 != 0).then(|| self.bytes.get(FILE)).flatten());
        areas.extend((overload & 2 != 0).then(|| self.bytes.get(SNAME)).flatten());
        for (found, bytes) in areas.into_iter().flat_map(options) {
            if found == code {
                value.extend_from_slice(bytes);
            }
        }
        value
    }

    fn overload(&self) -> u8 {
        let main = self.bytes.get(FIXED + 4..).unwrap_or_default();
        options(main)
            .find(|(code, _)| *code == OVERLOAD)
            .and_then(|(_, value)| value.first().copied())
            .unwrap_or(0)
    }

    /// An option that is one number.
    pub(super) fn number(&self, code: u8) -> Option<u32> {
        let value: [u8; 4] = self.option(code).try_into().ok()?;
        Some(u32::from_be_bytes(value))
    }

    /// An option that is a list of addresses; an incomplete one at its end is left out.
    pub(super) fn addresses(&self, code: u8) -> Vec<Ipv4Addr> {
        let value = self.option(code);
        value
            .chunks_exact(4)
            .filter_map(|bytes| bytes.first_chunk::<4>())
            .map(|octets| Ipv4Addr::from(*octets))
            .collect()
    }
}

/// The options of an area, up to its end or to what cannot be one.
fn options(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        while let [PAD, rest @ ..] = bytes {
            bytes = rest;
        }
        match bytes {
            [END, ..] => None,
            [code, len, rest @ ..] => {
                let (value, rest) = rest.split_at_checked(usize::from(*len))?;
                bytes = rest;
                Some((*code, value))
            }
            _ => None,
        }
    })
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A server's answer to `call`, with these options.
    pub(crate) fn answer(call: &[u8], kind: u8, yours: [u8; 4], options: &[(u8, &[u8])]) -> Vec<u8> {
        let mut bytes = call[..FIXED + 4].to_vec();
        bytes[0] = 2;
        bytes[16..20].copy_from_slice(&yours);
        bytes.extend_from_slice(&[KIND, 1, kind]);
        for (code, value) in options {
            bytes.extend_from_slice(&[PAD, *code, value.len() as u8]);
            bytes.extend_from_slice(value);
        }
        bytes.push(END);
        bytes
    }

    fn call() -> Call<'static> {
        Call {
            kind: Kind::Discover,
            transaction: 0x0102_0304,
            seconds: 5,
            own: None,
            mac: [2, 0, 0, 0, 0, 9],
            requested: Some([10, 0, 2, 15].into()),
            server: None,
            host_name: "tegami",
        }
    }

    #[test]
    fn a_call_is_as_the_standard_wants_it() {
        let bytes = call().emit();
        assert_eq!(bytes.len(), 300);
        assert_eq!(bytes[..12], [1, 1, 6, 0, 1, 2, 3, 4, 0, 5, 0, 0]);
        assert_eq!(bytes[28..34], [2, 0, 0, 0, 0, 9]);
        let expected: [&[u8]; 7] = [
            &[99, 130, 83, 99, 53, 1, 1],
            &[61, 7, 1, 2, 0, 0, 0, 0, 9],
            &[50, 4, 10, 0, 2, 15],
            &[57, 2, 0x05, 0xc0],
            &[55, 7, 1, 3, 6, 42, 51, 58, 59],
            &[12, 6, b't', b'e', b'g', b'a', b'm', b'i'],
            &[255, 0],
        ];
        let expected = expected.concat();
        assert_eq!(bytes[236..236 + expected.len()], expected);
        assert!(Answer::parse(&bytes).is_none(), "not a server's");
    }

    #[test]
    fn an_answer_is_read_padding_pieces_and_overload_included() {
        let mut bytes = answer(
            &call().emit(),
            2,
            [10, 0, 2, 15],
            &[
                (DNS_SERVERS, &[10, 0, 2, 3, 10]),
                (DNS_SERVERS, &[0, 2, 4, 99]),
                (LEASE_TIME, &[0, 1, 0x51, 0x80]),
                (OVERLOAD, &[3]),
                (ROUTER, &[1, 2, 3]),
            ],
        );
        bytes[FILE][..7].copy_from_slice(&[SERVER, 4, 10, 0, 2, 2, END]);
        bytes[SNAME][..6].copy_from_slice(&[NTP_SERVERS, 4, 10, 0, 2, 9]);
        bytes[SNAME][6] = 7;
        bytes[SNAME][7] = 200;
        let answer = Answer::parse(&bytes).unwrap();
        assert_eq!((answer.kind, answer.transaction), (Kind::Offer, 0x0102_0304));
        assert_eq!((answer.yours, answer.mac), ([10, 0, 2, 15].into(), [2, 0, 0, 0, 0, 9]));
        assert_eq!(answer.addresses(DNS_SERVERS), [Ipv4Addr::from([10, 0, 2, 3]), [10, 0, 2, 4].into()]);
        assert_eq!(answer.number(LEASE_TIME), Some(86_400));
        assert_eq!(answer.addresses(SERVER), [Ipv4Addr::from([10, 0, 2, 2])]);
        assert_eq!(answer.addresses(NTP_SERVERS), [Ipv4Addr::from([10, 0, 2, 9])]);
        assert!(answer.addresses(ROUTER).is_empty());
        assert_eq!(answer.number(ROUTER), None);
    }

    proptest! {
        #[test]
        fn nonsense_does_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..400), tail in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Answer::parse(&bytes);
            let mut bytes = answer(&call().emit(), 5, [10, 0, 2, 15], &[]);
            bytes.pop();
            bytes.extend_from_slice(&tail);
            if let Some(answer) = Answer::parse(&bytes) {
                for code in 0..=255 {
                    let _ = (answer.number(code), answer.addresses(code));
                }
            }
        }
    }
}
