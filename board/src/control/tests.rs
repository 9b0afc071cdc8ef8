//! Ranges by table, messages by round trip.

use std::io::{Read as _, Write as _};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::*;
use crate::clock::{EARLIEST_S, LATEST_S};
use crate::limits::{BOOT_FILE_BYTES_MAX, CONSOLE_BYTES_MAX, CONTROL_BYTES_MAX};

fn address(address: [u8; 4], prefix_len: u8, gateway: Option<[u8; 4]>) -> Request {
    Request::SetAddress(Ipv4Config {
        address: address.into(),
        prefix_len,
        gateway: gateway.map(Ipv4Addr::from),
    })
}

#[test]
fn requests_within_range_are_done_and_others_are_not() {
    let text = |len| Request::Console("x".repeat(len));
    let file = |file, len| Request::WriteBootFile { file, content: vec![0; len] };
    let time = |unix_s, nanos| Request::SetTime { unix_s, nanos };
    for (request, good) in [
        (address([192, 168, 1, 10], 24, Some([192, 168, 1, 1])), true),
        (address([10, 0, 2, 15], 8, None), true),
        (address([192, 0, 2, 0], 31, None), true),
        (address([192, 0, 2, 7], 32, Some([10, 0, 0, 1])), true),
        (address([169, 254, 7, 7], 16, None), true),
        (address([192, 168, 1, 0], 24, None), false),
        (address([192, 168, 1, 255], 24, None), false),
        (address([192, 168, 1, 10], 24, Some([192, 168, 1, 10])), false),
        (address([192, 168, 1, 10], 24, Some([224, 0, 0, 1])), false),
        (address([192, 168, 1, 10], 33, None), false),
        (address([192, 168, 1, 10], 7, None), false),
        (address([127, 0, 0, 1], 8, None), false),
        (address([0, 0, 0, 1], 8, None), false),
        (address([224, 0, 0, 1], 24, None), false),
        (address([255, 255, 255, 255], 32, None), false),
        (time(EARLIEST_S, 999_999_999), true),
        (time(EARLIEST_S - 1, 0), false),
        (time(LATEST_S, 0), false),
        (time(EARLIEST_S, 1_000_000_000), false),
        (file(BootFile::Settings, BOOT_FILE_BYTES_MAX), true),
        (file(BootFile::Settings, BOOT_FILE_BYTES_MAX + 1), false),
        (file(BootFile::ResetPassword, 0), false),
        (Request::RemoveBootFile(BootFile::ResetPassword), true),
        (Request::RemoveBootFile(BootFile::Settings), false),
        (text(CONSOLE_BYTES_MAX), true),
        (text(CONSOLE_BYTES_MAX + 1), false),
        (Request::Reboot, true),
    ] {
        assert_eq!(check(&request).is_ok(), good, "{request:?}");
    }
}

#[test]
fn a_console_gets_text_alone() {
    assert_eq!(printable("a\n\tb\u{1b}[2J\u{7}手紙\r\n"), "a\n\tb[2J手紙\n");
}

fn pair() -> (OwnedFd, OwnedFd) {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap()
}

#[test]
fn requests_and_replies_go_through_whole() {
    let (init, mail) = pair();
    let client = Client::new(mail);
    assert_eq!(client.receive().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    let large = Request::WriteBootFile { file: BootFile::Settings, content: vec![7; BOOT_FILE_BYTES_MAX] };
    for (expected, request) in [(1, Request::Heartbeat), (2, large), (3, Request::PowerOff)] {
        assert_eq!(client.send(&request).unwrap(), expected);
        let ((id, received), _): ((RequestId, Request), _) = receive_large(init.as_fd()).unwrap();
        assert_eq!((id, received), (expected, request));
    }
    let link = Link { name: "usb0".into(), index: 2, mac: [2, 0, 0, 0, 0, 1], carrier: true };
    for message in [
        Message::Reply { id: 2, result: Err(Refusal::Missing("boot partition".into())) },
        Message::Event(Event::Link(Some(link))),
    ] {
        send_with(init.as_fd(), &FromInit::Message(message.clone()), &[]).unwrap();
        assert_eq!(client.receive().unwrap(), message);
    }
    drop(init);
    assert_eq!(client.receive().unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
}

#[test]
fn descriptors_go_along() {
    let (init, mail) = pair();
    let (mut near, far) = std::os::unix::net::UnixStream::pair().unwrap();
    send_with(init.as_fd(), &7_u32, &[far.as_fd()]).unwrap();
    drop(far);
    let (number, mut fds): (u32, _) = receive_large(mail.as_fd()).unwrap();
    assert_eq!((number, fds.len()), (7, 1));
    let mut far = std::os::unix::net::UnixStream::from(fds.remove(0));
    far.write_all(b"through").unwrap();
    drop(far);
    let mut said = String::new();
    near.read_to_string(&mut said).unwrap();
    assert_eq!(said, "through");
}

#[test]
fn nonsense_is_an_error_and_nothing_else() {
    let (init, mail) = pair();
    rustix::net::send(&init, &[0xFF; 100], rustix::net::SendFlags::empty()).unwrap();
    let nonsense = receive_large::<(RequestId, Request)>(mail.as_fd()).unwrap_err();
    assert_eq!(nonsense.kind(), std::io::ErrorKind::InvalidData);
    let too_large = vec![0_u8; CONTROL_BYTES_MAX + 1];
    assert!(send_with(init.as_fd(), &too_large, &[]).is_err());
    rustix::net::send(&init, &too_large, rustix::net::SendFlags::empty()).unwrap();
    assert!(receive_large::<(RequestId, Request)>(mail.as_fd()).is_err());
}
