//! Tests of devices: what the settings say of them, and a printer at a box that serves.

use std::net::SocketAddr;

use tokio::net::{TcpSocket, TcpStream};

use super::*;
use crate::{
    provision::{self, fake::Box_},
    testing::{Flash, PROVISION, Rig, block_on, say, until},
};

const FILE: &str = "[[account]]\naddress = 'bob@example.test'\npassword = 'another pencil'\n\
    [[device]]\nip = '127.0.0.9'\nfrom = 'printer@example.test'\nto = ['scans@archive.test', '@peer.test']\n";

fn file() -> String {
    format!("{}{FILE}", std::str::from_utf8(PROVISION).unwrap())
}

#[test]
fn what_the_file_says_is_read_back() {
    let it = Box_::default();
    let plan = provision::plan(provision::read(file().as_bytes()).unwrap(), &it).unwrap();
    let settings: Vec<_> = plan
        .changes
        .into_iter()
        .filter_map(|change| match change {
            provision::Change::Setting { key, value } => Some((key, value?)),
            _ => None,
        })
        .collect();
    let devices = Devices::load(settings.iter().map(|(key, value)| (key.as_str(), value.as_slice())));
    let ip = IpAddr::from([127, 0, 0, 9]);
    let device = devices.at(Service::Smtp, ip).unwrap();
    assert_eq!(device.sender.as_str(), "printer@example.test");
    let archive = Target::Address(Box::new(Address::parse("scans@archive.test").unwrap()));
    assert_eq!(device.to, [archive, Target::Domain("peer.test".to_owned())]);
    assert!(devices.at(Service::Submission, ip).is_some());
    assert!(devices.at(Service::Submissions, ip).is_none());
    assert!(devices.at(Service::Smtp, IpAddr::from([127, 0, 0, 1])).is_none());
}

#[test]
fn what_cannot_be_read_lets_nobody_in() {
    for (key, value) in [
        ("device/127.0.0.9", &b""[..]),
        ("device/127.0.0.9", b"\x01nonsense"),
        ("device/nowhere", b"\x01\x03a@b\x00"),
        ("route/127.0.0.9", b"\x01\x03a@b\x00"),
        ("device/127.0.0.9", b"\x01\x03a@b\x01\x01x"),
        ("device/127.0.0.9", b"\x01\x01a\x00"),
    ] {
        let devices = Devices::load([(key, value)].into_iter());
        assert!(devices.0.is_empty(), "{key} {}", value.escape_ascii());
    }
    let devices = Devices::load([("device/::ffff:127.0.0.9", &b"\x01\x03a@b\x00"[..])].into_iter());
    assert!(devices.at(Service::Smtp, IpAddr::from([127, 0, 0, 9])).is_some());
}

/// A connection from that address.
async fn connect(rig: &Rig, service: Service, host: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, host], 0))).unwrap();
    let mut stream = socket.connect(rig.address(service)).await.unwrap();
    until(&mut stream, "220 ").await;
    say(&mut stream, "HELO printer\r\n", "250 ").await;
    stream
}

#[test]
fn a_printer_sends_as_it_may_and_its_neighbour_does_not() {
    block_on(async {
        let rig = Rig::start_with(Flash::new("devices", Default::default()), file().as_bytes()).await;
        for service in [Service::Smtp, Service::Submission] {
            let mut printer = connect(&rig, service, 9).await;
            say(&mut printer, "MAIL FROM:<scanner>\r\n", "250 2.1.0 ").await;
            say(&mut printer, "RCPT TO:<anybody@peer.test>\r\n", "250 2.1.5 ").await;
            say(&mut printer, "RCPT TO:<carol@elsewhere.test>\r\n", "550 5.7.1 ").await;
            say(&mut printer, "RSET\r\n", "250 ").await;
            say(&mut printer, "MAIL FROM:<>\r\n", "250 2.1.0 ").await;
            say(&mut printer, "RCPT TO:<bob@example.test>\r\nDATA\r\n", "354 ").await;
            say(&mut printer, "Subject: scan\r\n.\r\n", "250 2.0.0 ").await;
        }
        let mut other = connect(&rig, Service::Smtp, 8).await;
        say(&mut other, "MAIL FROM:<scanner@x.test>\r\n", "250 ").await;
        say(&mut other, "RCPT TO:<anybody@peer.test>\r\n", "550 5.7.1 Relaying denied").await;
        let mut other = connect(&rig, Service::Submission, 8).await;
        say(&mut other, "MAIL FROM:<scanner@x.test>\r\n", "530 5.7.0 ").await;
        let letters = rig.headers("bob@example.test").await;
        assert_eq!(letters.len(), 2);
        for letter in letters {
            assert!(letter.starts_with("Return-Path: <printer@example.test>\r\n"), "{letter}");
            assert!(letter.contains("\r\nDate: ") && letter.contains("\r\nMessage-ID: <"), "{letter}");
        }
    });
}
