//! Which network interface to use: found by what it is, never by its name.

use std::fs;
use std::path::Path;

use crate::control::Link;

/// Where the kernel lists interfaces.
const FOLDER: &str = "/sys/class/net";

/// `ARPHRD_ETHER`, the `type` of an Ethernet interface.
const ETHERNET: &str = "1";

/// The wired Ethernet interfaces that there are now, by number. An interface without hardware behind it, a radio and
/// the loopback are none.
pub(super) fn scan() -> Vec<Link> {
    scan_in(Path::new(FOLDER))
}

fn scan_in(folder: &Path) -> Vec<Link> {
    let mut links: Vec<Link> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| look_at(&entry.path(), entry.file_name().into_string().ok()?))
        .collect();
    links.sort_by_key(|link| link.index);
    links
}

fn look_at(path: &Path, name: String) -> Option<Link> {
    let read = |what: &str| fs::read_to_string(path.join(what)).map(|text| text.trim().to_owned()).ok();
    let is_wired =
        path.join("device").exists() && !path.join("wireless").exists() && !path.join("phy80211").exists();
    if !is_wired || read("type")? != ETHERNET {
        return None;
    }
    Some(Link {
        name,
        index: read("ifindex")?.parse().ok()?,
        mac: parse_mac(&read("address")?)?,
        // An interface that is not up yet gives an error here.
        carrier: read("carrier").as_deref() == Some("1"),
    })
}

fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let mut bytes = text.split(':').map(|byte| u8::from_str_radix(byte, 16).ok());
    let mut mac = [0; 6];
    for byte in &mut mac {
        *byte = bytes.next()??;
    }
    bytes.next().is_none().then_some(mac)
}

/// The interface to use: the one in use as long as it has a cable or no other has, then the first with a cable, then
/// the first.
pub(super) fn choose(links: &[Link], current: Option<&Link>) -> Option<Link> {
    let current = current.and_then(|current| links.iter().find(|link| is_same(link, current)));
    let connected = links.iter().find(|link| link.carrier);
    let chosen = match current {
        Some(current) if current.carrier || connected.is_none() => Some(current),
        _ => connected.or(current).or(links.first()),
    };
    chosen.cloned()
}

/// Whether two observations are of one interface.
pub(super) fn is_same(one: &Link, other: &Link) -> bool {
    one.index == other.index && one.mac == other.mac
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, carrier: bool) -> Link {
        Link { name: format!("eth{index}"), index, mac: [2, 0, 0, 0, 0, index as u8], carrier }
    }

    #[test]
    fn the_interface_with_a_cable_is_used() {
        let (a, b) = (link(2, false), link(3, false));
        let (a_up, b_up) = (link(2, true), link(3, true));
        for (links, current, expected) in [
            (vec![], None, None),
            (vec![], Some(&a), None),
            (vec![a.clone(), b.clone()], None, Some(&a)),
            (vec![a.clone(), b_up.clone()], None, Some(&b_up)),
            (vec![a.clone(), b_up.clone()], Some(&a_up), Some(&b_up)),
            (vec![a_up.clone(), b_up.clone()], Some(&b_up), Some(&b_up)),
            (vec![a.clone(), b.clone()], Some(&b_up), Some(&b)),
            (vec![a_up.clone()], Some(&b_up), Some(&a_up)),
        ] {
            assert_eq!(choose(&links, current).as_ref(), expected, "{links:?} {current:?}");
        }
    }

    #[test]
    fn only_wired_hardware_counts() {
        let root = crate::devices::tests::on_disk("net");
        let _ = fs::remove_dir_all(&root);
        let interface = |name: &str, kind: &str, with: &[&str], carrier: Option<&str>| {
            let path = root.join(name);
            fs::create_dir_all(&path).unwrap();
            with.iter().for_each(|what| fs::create_dir(path.join(what)).unwrap());
            fs::write(path.join("type"), kind).unwrap();
            fs::write(path.join("ifindex"), "7\n").unwrap();
            fs::write(path.join("address"), "52:54:00:12:34:56\n").unwrap();
            if let Some(carrier) = carrier {
                fs::write(path.join("carrier"), carrier).unwrap();
            }
        };
        interface("lo", "772", &[], Some("1"));
        interface("dummy0", "1", &[], Some("1"));
        interface("wlan0", "1", &["device", "phy80211"], Some("1"));
        interface("can0", "280", &["device"], None);
        assert_eq!(scan_in(&root), []);
        interface("usb0", "1", &["device"], Some("1\n"));
        let mac = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
        assert_eq!(scan_in(&root), [Link { name: "usb0".into(), index: 7, mac, carrier: true }]);
        fs::remove_file(root.join("usb0/carrier")).unwrap();
        assert!(!scan_in(&root)[0].carrier);
        fs::remove_dir_all(root).unwrap();
        assert_eq!(parse_mac("52:54:00:12:34"), None);
        assert_eq!(parse_mac("52:54:00:12:34:56:78"), None);
        assert_eq!(parse_mac("52:54:00:12:34:xy"), None);
    }
}
