//! What the mail process finds when it starts: everything that needed root to open.
//!
//! PID 1 gives it one end of the control socket as descriptor 0, and through that the first message with the rest.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use crate::control::{Client, Death, FromInit, Hello, Link, receive_large};
use crate::devices::{Disk, OpenError, Settings};
use crate::net::PacketSocket;

/// The mail process' possessions.
#[derive(Debug)]
pub struct Handover {
    /// The flash partition, opened and locked.
    pub flash: FlashHandle,
    /// A listener for each privileged port, non-blocking. They outlive this process: who connects while it restarts
    /// waits a moment.
    pub listeners: Vec<(u16, TcpListener)>,
    /// For DHCP; absent only where the kernel has no packet sockets.
    pub packet: Option<PacketSocket>,
    /// For ARP, which an address of the box's own choice needs; absent with the other.
    pub arp: Option<PacketSocket>,
    /// The way to PID 1.
    pub control: Client,
    /// The interface to use, if there is one yet.
    pub link: Option<Link>,
    /// What the board calls itself, as in `Raspberry Pi 3 Model B Rev 1.2`; empty when it does not.
    pub model: String,
    /// `tegami.toml` of the boot partition, as it is.
    pub settings: Option<Vec<u8>>,
    /// The owner put the file there that asks for a new administrator's password.
    pub reset_password: bool,
    /// A clock chip has set the system's clock.
    pub clock_is_known: bool,
    /// Mail processes that died since the box started, oldest first.
    pub deaths: Vec<Death>,
}

/// The flash partition, not yet measured out.
#[derive(Debug)]
pub struct FlashHandle {
    /// Nothing of ours was ever on it: it is to be formatted, then [`Request::FlashReady`] sent and its reply awaited
    /// before anything is acknowledged. Flash that is not fresh is never formatted.
    ///
    /// [`Request::FlashReady`]: crate::control::Request::FlashReady
    pub is_fresh: bool,
    path: PathBuf,
    range: std::ops::Range<u64>,
    direct: OwnedFd,
    cached: OwnedFd,
}

impl FlashHandle {
    /// The partition as a device.
    ///
    /// # Errors
    /// [`OpenError`] when `settings` do not fit it.
    pub fn open(self, settings: &Settings) -> Result<Disk, OpenError> {
        Disk::inherited(&self.path, self.direct, self.cached, self.range, settings)
    }
}

/// How long PID 1 may take to say hello.
const HELLO_WAIT: Duration = Duration::from_secs(10);

/// Takes what PID 1 hands over. To be called once, first thing in the mail process.
///
/// # Errors
/// When descriptor 0 is not PID 1, or what it says makes no sense.
pub fn take() -> io::Result<Handover> {
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    let timeout = HELLO_WAIT.try_into().map_err(io::Error::other)?;
    if poll(&mut [PollFd::new(&socket, PollFlags::IN)], Some(&timeout))? == 0 {
        return Err(io::ErrorKind::TimedOut.into());
    }
    let (message, fds) = receive_large(socket.as_fd())?;
    let FromInit::Hello(hello) = message else { return Err(io::ErrorKind::InvalidData.into()) };
    unpack(*hello, fds, Client::new(socket)).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn unpack(hello: Hello, fds: Vec<OwnedFd>, control: Client) -> Option<Handover> {
    let mut fds = fds.into_iter();
    let (direct, cached) = (fds.next()?, fds.next()?);
    let packets = if hello.has_packet_sockets {
        Some(PacketSocket::handed_over(fds.next()?, fds.next()?))
    } else {
        None
    };
    let (packet, arp) = packets.unzip();
    let ports = hello.ports.into_iter();
    let listeners =
        ports.map(|port| Some((port, TcpListener::from(fds.next()?)))).collect::<Option<Vec<_>>>()?;
    let range = hello.flash.start..hello.flash.start.checked_add(hello.flash.len)?;
    Some(Handover {
        flash: FlashHandle {
            is_fresh: hello.flash.is_fresh,
            path: hello.flash.path.into(),
            range,
            direct,
            cached,
        },
        listeners,
        packet,
        arp,
        control,
        link: hello.link,
        model: hello.model,
        settings: hello.settings,
        reset_password: hello.reset_password,
        clock_is_known: hello.clock_is_known,
        deaths: hello.deaths,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpStream;
    use std::os::fd::BorrowedFd;

    use flash::Flash as _;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;
    use crate::control::{Cause, FlashPart, send_with};
    use crate::devices::tests::on_disk;

    fn hello(ports: Vec<u16>) -> Hello {
        let last_words = "panicked".into();
        Hello {
            flash: FlashPart { path: "/dev/vda6".into(), start: 65_536, len: 131_072, is_fresh: true },
            has_packet_sockets: false,
            ports,
            link: None,
            model: "a box".into(),
            settings: Some(b"version = 1".to_vec()),
            reset_password: true,
            clock_is_known: false,
            deaths: vec![Death { uptime_s: 7, lived_s: 5, cause: Cause::Signal(6), last_words }],
        }
    }

    /// Sends `hello` with descriptors and takes what arrives.
    fn through(hello: Hello, fds: &[BorrowedFd<'_>]) -> Option<Handover> {
        let (init, mail) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        send_with(init.as_fd(), &FromInit::Hello(Box::new(hello)), fds).unwrap();
        let (message, fds) = receive_large(mail.as_fd()).unwrap();
        let FromInit::Hello(hello) = message else { panic!("{message:?}") };
        unpack(*hello, fds, Client::new(mail))
    }

    #[test]
    fn what_is_handed_over_arrives_and_works() {
        let path = on_disk("handover");
        std::fs::write(&path, vec![7; 262_144]).unwrap();
        let direct = std::fs::File::options().read(true).write(true).open(&path).unwrap();
        let cached = std::fs::File::open(&path).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let fds = [direct.as_fd(), cached.as_fd(), listener.as_fd()];
        let taken = through(hello(vec![25]), &fds).unwrap();
        drop(listener);
        TcpStream::connect(("127.0.0.1", port)).unwrap().write_all(b"x").unwrap();
        assert_eq!(taken.listeners[0].0, 25);
        taken.listeners[0].1.accept().unwrap();
        assert_eq!(taken.deaths[0].cause.to_string(), "signal 6");
        assert!(taken.flash.is_fresh && taken.reset_password && taken.packet.is_none());
        let mut disk = taken.flash.open(&Settings { write_size: 4096, erase_size: 65_536 }).unwrap();
        assert_eq!(disk.geometry().capacity, 131_072);
        disk.program(0, &[9; 4096]).unwrap();
        disk.barrier().unwrap();
        let content = std::fs::read(&path).unwrap();
        assert_eq!(
            (content[65_535], content[65_536], content[69_632]),
            (7, 9, 7),
            "at its place in the disk"
        );
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_handover_with_something_missing_is_none() {
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        assert!(through(hello(vec![]), &[file.as_fd()]).is_none());
        assert!(through(hello(vec![25]), &[file.as_fd(), file.as_fd()]).is_none());
        let sockets = Hello { has_packet_sockets: true, ..hello(vec![]) };
        assert!(through(sockets, &[file.as_fd(), file.as_fd(), file.as_fd()]).is_none());
    }
}
