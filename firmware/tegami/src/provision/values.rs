//! Single values of the provision file: sizes, names, addresses. Text in, value or problem out.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{PemObject, SectionKind};

use super::limits::{CA_BYTES_MAX, DOMAIN_BYTES_MAX, LABEL_BYTES_MAX};
use super::problem::Problem;

/// Port of DNS, where a server is named without one.
pub(super) const DNS_PORT: u16 = 53;

/// Port of NTP, where a server is named without one.
pub(super) const NTP_PORT: u16 = 123;

/// An IPv4 address with the length of its network's prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cidr {
    /// The host's own address.
    pub(crate) address: Ipv4Addr,
    /// Bits of the network, 1 to 30.
    pub(crate) prefix: u8,
}

impl Cidr {
    /// Reads `192.168.1.10/24`. An address that no host can have (of the network itself, broadcast, loopback,
    /// multicast) is a problem.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let (address, prefix) = text.split_once('/').ok_or(Problem::Cidr)?;
        let address: Ipv4Addr = address.parse().map_err(|_| Problem::Cidr)?;
        let prefix = prefix.parse().ok().filter(|prefix| (1..=30).contains(prefix)).ok_or(Problem::Cidr)?;
        let this = Self { address, prefix };
        if is_host(address)
            && address.to_bits() & !this.mask() != 0
            && address.to_bits() | this.mask() != u32::MAX
        {
            Ok(this)
        } else {
            Err(Problem::HostAddress)
        }
    }

    const fn mask(self) -> u32 {
        u32::MAX << (32 - self.prefix)
    }

    /// Whether `other` is another host of the same network.
    pub(super) fn reaches(self, other: Ipv4Addr) -> bool {
        other != self.address && (other.to_bits() ^ self.address.to_bits()) & self.mask() == 0
    }
}

/// Whether a host can have this address.
pub(super) const fn is_host(address: Ipv4Addr) -> bool {
    !(address.is_unspecified() || address.is_loopback() || address.is_multicast() || address.is_broadcast())
}

/// Reads a size as the file and the command line write it, `256MiB`; bytes.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    size(text).ok()
}

/// Reads a size: a whole number with `B`, `KiB`, `MiB`, `GiB` or `TiB`. Bytes.
pub(super) fn size(text: &str) -> Result<u64, Problem> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or(Problem::Size)?;
    let number: u64 = number.parse().map_err(|_| Problem::Size)?;
    let shift = match unit.trim_start() {
        "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        _ => return Err(Problem::Size),
    };
    number.checked_mul(1 << shift).ok_or(Problem::Size)
}

/// Reads a domain name (RFC 1035 §2.3.1, RFC 1123 §2.1: letters, digits, hyphens) and gives it in lower case. Names
/// in other scripts are written in their ASCII form (`xn--…`), as they stand in DNS and certificates.
pub(crate) fn domain_name(text: &str) -> Result<String, Problem> {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= LABEL_BYTES_MAX
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let numeric = text.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    if text.len() <= DOMAIN_BYTES_MAX && text.split('.').all(label) && !numeric {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(Problem::DomainName)
    }
}

/// Reads the name of another mail server: a domain name or an IP address.
pub(super) fn host(text: &str) -> Result<String, Problem> {
    if text.parse::<IpAddr>().is_ok() {
        return Ok(text.to_owned());
    }
    domain_name(text).map_err(|_| Problem::Host)
}

/// Reads one or more certificates in PEM (RFC 7468 §5), each of them one that can be trusted. Text around them is
/// ignored, as that section has it; anything else in PEM, above all a key, has no place there.
pub(super) fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, Problem> {
    if text.len() > CA_BYTES_MAX {
        return Err(Problem::Certificates);
    }
    let mut certificates = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text.as_bytes()) {
        let Ok((SectionKind::Certificate, der)) = section else { return Err(Problem::Certificates) };
        let certificate = CertificateDer::from(der);
        RootCertStore::empty().add(certificate.clone()).map_err(|_| Problem::Certificates)?;
        certificates.push(certificate);
    }
    if certificates.is_empty() { Err(Problem::Certificates) } else { Ok(certificates) }
}

/// Reads `192.168.1.1`, `192.168.1.1:53`, `2001:db8::1` or `[2001:db8::1]:53`.
pub(super) fn server(text: &str, port: u16) -> Result<SocketAddr, Problem> {
    let server = match text.parse::<IpAddr>() {
        Ok(ip) => SocketAddr::new(ip, port),
        Err(_) => text.parse::<SocketAddr>().map_err(|_| Problem::Server)?,
    };
    let usable = server.port() != 0 && !server.ip().is_unspecified() && !server.ip().is_multicast();
    if usable { Ok(server) } else { Err(Problem::Server) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0B", 0),
            ("1KiB", 1_024),
            ("50MiB", 52_428_800),
            ("1 GiB", 1_073_741_824),
            ("2TiB", 2_199_023_255_552),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "1",
            "GiB",
            "1.5GiB",
            "-1GiB",
            "1GB",
            "1gib",
            "1 Gi B",
            "99999999999999999999B",
            "99999999TiB",
        ] {
            assert_eq!(size(text), Err(Problem::Size), "{text}");
        }
    }

    #[test]
    fn networks() {
        let cidr = Cidr::parse("192.168.1.10/24").unwrap();
        assert_eq!((cidr.address, cidr.prefix), (Ipv4Addr::new(192, 168, 1, 10), 24));
        assert!(cidr.reaches(Ipv4Addr::new(192, 168, 1, 1)));
        assert!(!cidr.reaches(Ipv4Addr::new(192, 168, 2, 1)));
        assert!(!cidr.reaches(cidr.address));
        for text in ["192.168.1.10", "192.168.1.10/", "192.168.1/24", "1.2.3.4/31", "1.2.3.4/0", "fd00::1/64"]
        {
            assert_eq!(Cidr::parse(text), Err(Problem::Cidr), "{text}");
        }
        for text in ["192.168.1.0/24", "192.168.1.255/24", "127.0.0.1/8", "224.0.0.1/4", "0.0.0.1/0"] {
            assert!(Cidr::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn domain_names() {
        assert_eq!(domain_name("Mail.Example.test").unwrap(), "mail.example.test");
        assert_eq!(domain_name("tegami").unwrap(), "tegami");
        assert_eq!(domain_name("xn--r8jz45g.test").unwrap(), "xn--r8jz45g.test");
        let long = format!("{}.test", "a".repeat(64));
        for text in [
            "",
            ".",
            "a..b",
            "example.test.",
            "-a.test",
            "a-.test",
            "a_b.test",
            "192.0.2.1",
            "例え.test",
            &long,
        ] {
            assert_eq!(domain_name(text), Err(Problem::DomainName), "{text}");
        }
    }

    #[test]
    fn servers() {
        for (text, expected) in [
            ("192.168.1.1", "192.168.1.1:53"),
            ("192.168.1.1:5353", "192.168.1.1:5353"),
            ("fd00::1", "[fd00::1]:53"),
            ("[fd00::1]:5353", "[fd00::1]:5353"),
        ] {
            assert_eq!(server(text, DNS_PORT), Ok(expected.parse().unwrap()), "{text}");
        }
        for text in ["", "dns.test", "192.168.1.1:", "192.168.1.1:0", "0.0.0.0", "192.168.1.1:99999"] {
            assert_eq!(server(text, DNS_PORT), Err(Problem::Server), "{text}");
        }
    }

    proptest! {
        /// What a person can type gives a value or a problem, never a panic, and a value is within its type.
        #[test]
        fn nothing_typed_panics(text in "\\PC{0,40}") {
            let _ = (size(&text), Cidr::parse(&text), domain_name(&text), host(&text), server(&text, 53));
            let pem = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
            prop_assert_eq!((certificates(&text), certificates(&pem)), (Err(Problem::Certificates), Err(Problem::Certificates)));
        }

        #[test]
        fn every_host_of_a_network_reaches_every_other(a: u32, b: u32, prefix in 1_u8..=30) {
            let (a, b) = (Ipv4Addr::from(a), Ipv4Addr::from(b));
            if let Ok(cidr) = Cidr::parse(&format!("{a}/{prefix}")) {
                let same = a.to_bits() >> (32 - prefix) == b.to_bits() >> (32 - prefix);
                prop_assert_eq!(cidr.reaches(b), same && a != b);
            }
        }
    }
}
