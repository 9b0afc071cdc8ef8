//! Names as mail has them: domains in Unicode or in A-labels, host names, address literals. Text in, text out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest name in characters (RFC 1035 §2.3.4: 255 octets on the wire).
const NAME_BYTES_MAX: usize = 253;

/// Longest label (RFC 1035 §2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// The domain of an address as it is looked up and compared: in A-labels (RFC 5890 §2.3.2.1) and lower case, or an
/// address literal in the one way in which [`literal`] writes it. What is neither stays what it is: nothing is found
/// for it.
pub(super) fn canonical(domain: &str) -> String {
    if let Some(ip) = address_in(domain) {
        return literal(ip);
    }
    if domain.is_ascii() {
        return domain.to_ascii_lowercase();
    }
    idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_lowercase())
}

/// The address in an address literal (RFC 5321 §4.1.3): `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
pub(crate) fn address_in(literal: &str) -> Option<IpAddr> {
    let inner = literal.strip_prefix('[')?.strip_suffix(']')?;
    match inner.split_at_checked(5) {
        Some((tag, address)) if tag.eq_ignore_ascii_case("IPv6:") => {
            address.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
        }
        _ => inner.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

/// An address as an address literal.
pub(super) fn literal(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => format!("[{ip}]"),
        IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
    }
}

/// Whether a server can have this name. Wider than RFC 1123 §2.1 by the underscore, which some have and DNS takes. A
/// name that ends in a number is an address that somebody wrote where a name belongs.
pub(super) fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= LABEL_BYTES_MAX
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_number =
        name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    name.len() <= NAME_BYTES_MAX && name.split('.').all(is_label) && !is_number
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_domain_has_one_form() {
        for (domain, form) in [
            ("Example.TEST", "example.test"),
            ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
            ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
            ("XN--R8JZ45G.test", "xn--r8jz45g.test"),
            ("Bücher.test", "xn--bcher-kva.test"),
            ("ＥＸＡＭＰＬＥ.test", "example.test"),
            // RFC 5891 §5.3 by UTS 46 without its transition: ß is a letter of its own.
            ("straße.test", "xn--strae-oqa.test"),
            ("[192.0.2.1]", "[192.0.2.1]"),
            ("[ipv6:2001:DB8:0::1]", "[IPv6:2001:db8::1]"),
        ] {
            assert_eq!(canonical(domain), form, "{domain}");
        }
        for domain in ["[x-tag:abc]", "\u{301}a.test", "a..例え", "例え b.test", "xn--\u{301}.test"] {
            assert!(!is_host_name(&canonical(domain)), "{domain}");
        }
    }

    #[test]
    fn literals_are_addresses_in_brackets() {
        for (text, ip) in [
            ("[192.0.2.1]", Some("192.0.2.1")),
            ("[IPv6:::1]", Some("::1")),
            ("[IPv6:2001:db8::1]", Some("2001:db8::1")),
            ("192.0.2.1", None),
            ("[192.0.2]", None),
            ("[192.0.2.256]", None),
            ("[2001:db8::1]", None),
            ("[IPv6:192.0.2.1]", None),
            ("[IPv6:fe80::1%eth0]", None),
            ("[手紙です]", None),
            ("[]", None),
            ("[", None),
        ] {
            assert_eq!(address_in(text), ip.map(|ip| ip.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn host_names() {
        let long = format!("{}.test", "a".repeat(64));
        let longest = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61));
        for name in ["mx.example.test", "mx", "a_b.test", "3com.test", "xn--r8jz45g.test", &longest] {
            assert!(is_host_name(name), "{name}");
        }
        let over = format!("{longest}b");
        for name in [
            "",
            ".",
            "a..b",
            "a.",
            "-a.test",
            "a-.test",
            "192.0.2.1",
            "[192.0.2.1]",
            "例え.test",
            "a b",
            &long,
            &over,
        ] {
            assert!(!is_host_name(name), "{name}");
        }
    }

    proptest! {
        /// Whatever stands behind the @: the form of a form is itself, and a literal gives back its address.
        #[test]
        fn forms_are_final(domain in "\\PC{0,30}", ip: IpAddr) {
            let form = canonical(&domain);
            if is_host_name(&form) {
                prop_assert_eq!(canonical(&form), form);
            }
            prop_assert_eq!(address_in(&literal(ip)), Some(ip));
        }
    }
}
