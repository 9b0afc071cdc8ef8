//! The box's place in the network: carries packets and requests for the state machine that decides.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::fd::AsRawFd,
    pin::pin,
    rc::Rc,
    time::Duration,
};

use board::{
    control::{Ipv4Config, Link},
    net::{self, Action, PacketSocket, Received, Source, mdns},
};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::{
    io::{Interest, unix::AsyncFd},
    net::UdpSocket,
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::{
    clock::Clock,
    http::NetworkView,
    provision::Settings,
    root::{Root, readiness},
};

/// Longest packet that is read: an Ethernet frame's worth, which is what mDNS allows as a rule (RFC 6762 §17).
const PACKET_BYTES_MAX: usize = 1_500;

/// How often the kernel's IPv6 addresses are looked at: routers announce theirs without being asked.
const IPV6_PERIOD: Duration = Duration::from_secs(5);

/// Who lives on the network: what it settles, and what it is told.
pub(crate) trait Resident {
    /// What the owner has settled.
    fn settings(&self) -> Settings;

    /// The box's clock, which time servers set.
    fn clock(&self) -> &Clock;

    /// Changes of settings, from now on.
    fn changes(&self) -> watch::Receiver<()>;

    /// The box has other addresses now, or other name servers.
    fn moved(&self, addresses: Vec<IpAddr>, network: NetworkView, name_servers: Vec<SocketAddr>);

    /// The clock was set, or found to be right.
    fn clock_changed(&self);
}

/// Keeps the box on the network.
pub(crate) struct Network {
    resident: Rc<dyn Resident>,
    changes: watch::Receiver<()>,
    /// The machine's times count from here.
    started: Instant,
    ipv6_due: Instant,
    root: Rc<Root>,
    links: watch::Receiver<Option<Link>>,
    machine: net::Network,
    dhcp: Option<AsyncFd<PacketSocket>>,
    arp: Option<AsyncFd<PacketSocket>>,
    arp_listens: bool,
    udp: UdpSocket,
    mdns: Vec<UdpSocket>,
}

/// What has happened.
enum Event {
    Link,
    Timeout,
    Ipv6,
    Settings,
    Dhcp(io::Result<Received>),
    Arp(io::Result<Received>),
    Udp(io::Result<(usize, SocketAddr)>),
    Mdns(io::Result<(usize, SocketAddr)>),
}

impl Network {
    /// A box that is on no network yet.
    ///
    /// # Errors
    /// A socket could not be had.
    pub(crate) async fn new(
        resident: Rc<dyn Resident>,
        root: Rc<Root>,
        links: watch::Receiver<Option<Link>>,
        dhcp: Option<PacketSocket>,
        arp: Option<PacketSocket>,
    ) -> io::Result<Self> {
        let machine = net::Network::new(settings(resident.as_ref()), seed());
        let (dhcp, arp) = (dhcp.map(readiness).transpose()?, arp.map(readiness).transpose()?);
        let udp = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
        let (changes, started) = (resident.changes(), Instant::now());
        let (arp_listens, mdns) = (false, Vec::new());
        let ipv6_due = started;
        Ok(Self {
            resident,
            changes,
            started,
            ipv6_due,
            root,
            links,
            machine,
            dhcp,
            arp,
            arp_listens,
            udp,
            mdns,
        })
    }

    /// Runs until the box leaves, and says good-bye to the network then (RFC 6762 §10.1).
    pub(crate) async fn run(mut self, leaving: impl Future<Output = ()>) {
        let mut leaving = pin!(leaving);
        let link = self.links.borrow_and_update().clone();
        self.machine.set_link(self.now(), link);
        let mut buffer = [0; PACKET_BYTES_MAX];
        loop {
            self.act_all().await;
            let event = tokio::select! {
                event = self.wait(&mut buffer) => event,
                () = &mut leaving => break,
            };
            self.take(event, &buffer);
        }
        self.machine.farewell(self.now());
        self.act_all().await;
    }

    async fn wait(&mut self, buffer: &mut [u8]) -> Event {
        let deadline = self.machine.deadline().map(|deadline| self.started + deadline);
        let timeout = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let (dhcp, arp) = (self.dhcp.as_ref(), self.arp.as_ref().filter(|_| self.arp_listens));
        tokio::select! {
            changed = self.links.changed() => if changed.is_ok() { Event::Link } else { Event::Timeout },
            () = timeout => Event::Timeout,
            () = sleep_until(self.ipv6_due) => Event::Ipv6,
            _ = self.changes.changed() => Event::Settings,
            received = self.udp.recv_from(buffer) => Event::Udp(received),
            () = packet_waits(dhcp) => Event::Dhcp(read(dhcp, |socket| socket.receive(buffer))),
            () = packet_waits(arp) => Event::Arp(read(arp, |socket| socket.receive(buffer))),
            at = message_waits(&self.mdns) => {
                let socket = self.mdns.get(at).ok_or_else(nothing);
                Event::Mdns(socket.and_then(|socket| socket.try_recv_from(buffer)))
            }
        }
    }

    fn take(&mut self, event: Event, buffer: &[u8]) {
        let now = self.now();
        let bytes = |len: usize| buffer.get(..len).unwrap_or_default();
        match event {
            Event::Link => {
                let link = self.links.borrow_and_update().clone();
                self.machine.set_link(now, link);
            }
            Event::Timeout => self.machine.handle_timeout(now),
            Event::Settings => self.machine.configure(now, settings(self.resident.as_ref())),
            Event::Ipv6 => {
                self.ipv6_due = Instant::now() + IPV6_PERIOD;
                let link = self.machine.status().link.as_ref().map(|link| link.index);
                self.machine.set_ipv6(now, link.map(mdns::ipv6_addresses).unwrap_or_default());
            }
            Event::Dhcp(Ok(received)) => self.machine.receive_dhcp(now, &received, bytes(received.len)),
            Event::Arp(Ok(received)) => self.machine.receive_arp(now, &received, bytes(received.len)),
            Event::Udp(Ok((len, from))) => self.machine.receive_udp(now, from, bytes(len)),
            Event::Mdns(Ok((len, from))) => self.machine.receive_mdns(now, from, bytes(len)),
            // What was lost here is repeated as what is lost on the wire.
            Event::Dhcp(Err(error))
            | Event::Arp(Err(error))
            | Event::Udp(Err(error))
            | Event::Mdns(Err(error)) => {
                log::debug!("network: {error}");
            }
        }
    }

    async fn act_all(&mut self) {
        while let Some(action) = self.machine.poll_action() {
            self.act(action).await;
        }
    }

    async fn act(&mut self, action: Action) {
        let link = self.machine.status().link.as_ref().map_or(0, |link| link.index);
        let sent = match action {
            Action::Ask(request) => self.root.ask(request).await.map_err(io::Error::other),
            Action::Dhcp(transmit) => send(self.dhcp.as_ref(), link, transmit.to, &transmit.datagram),
            Action::Arp(packet) => self.send_arp(link, &packet),
            Action::Udp(to, packet) => self.udp.send_to(&packet, to).await.map(drop),
            Action::Mdns(transmit) => self.send_mdns(link, &transmit).await,
            Action::Time(sample) => {
                let verdict = self.resident.clock().judge(sample.unix_ns);
                self.machine.judged(self.now(), &sample, verdict);
                self.resident.clock_changed();
                Ok(())
            }
            Action::Changed => {
                self.show();
                Ok(())
            }
        };
        if let Err(error) = sent {
            log::debug!("network: {error}");
        }
    }

    fn send_arp(&mut self, link: u32, packet: &[u8]) -> io::Result<()> {
        const EVERYBODY: [u8; 6] = [0xff; 6];
        if let (Some(arp), false) = (&self.arp, self.arp_listens) {
            arp.get_ref().listen()?;
            self.arp_listens = true;
        }
        send(self.arp.as_ref(), link, EVERYBODY, packet)
    }

    async fn send_mdns(&mut self, link: u32, transmit: &mdns::Transmit) -> io::Result<()> {
        if self.mdns.is_empty() {
            self.mdns = open_mdns(link);
        }
        let mut result = Ok(());
        for socket in &self.mdns {
            let is_v4 = socket.local_addr()?.is_ipv4();
            let to = match transmit.to {
                mdns::To::Everybody if is_v4 => mdns::GROUP_V4,
                mdns::To::Everybody => mdns::GROUP_V6,
                mdns::To::One(to) => to,
            };
            // One of the two worlds may have no way out; the other hears us all the same.
            if to.is_ipv4() == is_v4
                && let Err(error) = socket.send_to(&transmit.message, to).await
            {
                result = Err(error);
            }
        }
        result
    }

    /// Tells the rest of the program where the box is now.
    fn show(&mut self) {
        let status = self.machine.status();
        let own = status.address.map(|(config, _)| IpAddr::V4(config.address));
        let addresses = own.into_iter().chain(status.ipv6.iter().copied().map(IpAddr::V6)).collect();
        let view = match status.address {
            None => NetworkView::Waiting,
            Some((config, Source::Settings)) => NetworkView::Fixed(config.gateway.map(IpAddr::V4)),
            Some((config, Source::Dhcp)) => NetworkView::Dhcp(config.gateway.map(IpAddr::V4)),
            Some((_, Source::Own)) => NetworkView::Dhcp(None),
        };
        // The sockets belong to an interface and its addresses.
        self.mdns = match (&status.link, status.address) {
            (Some(link), Some(_)) => open_mdns(link.index),
            _ => Vec::new(),
        };
        let name_servers = status.dns.clone();
        self.resident.moved(addresses, view, name_servers);
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}

fn open_mdns(link: u32) -> Vec<UdpSocket> {
    let opened = [mdns::open_v4(link), mdns::open_v6(link)];
    opened.into_iter().flatten().filter_map(|socket| UdpSocket::from_std(socket).ok()).collect()
}

fn settings(resident: &dyn Resident) -> net::Settings {
    let settings = resident.settings();
    net::Settings {
        host_name: settings.hostname.unwrap_or_else(|| "tegami".into()),
        address: settings.network.fixed.map(|(address, gateway)| Ipv4Config {
            address: address.address,
            prefix_len: address.prefix,
            gateway,
        }),
        dns: settings.dns,
        ntp: settings.network.ntp.iter().map(ToString::to_string).collect(),
    }
}

async fn packet_waits<T: AsRawFd>(socket: Option<&AsyncFd<T>>) {
    match socket {
        // An error shows itself when the packet is read.
        Some(socket) => drop(socket.ready(Interest::READABLE).await),
        None => std::future::pending().await,
    }
}

/// Reads a packet if there is one. Never waits: that a socket was ready does not say that it still is, and whoever waited
/// here would hear of nothing else.
fn read<T: AsRawFd, R>(
    socket: Option<&AsyncFd<T>>,
    receive: impl FnOnce(&T) -> io::Result<R>,
) -> io::Result<R> {
    socket.ok_or_else(nothing)?.try_io(Interest::READABLE, receive)
}

fn nothing() -> io::Error {
    io::ErrorKind::WouldBlock.into()
}

/// Which socket has a message.
async fn message_waits(sockets: &[UdpSocket]) -> usize {
    std::future::poll_fn(|context| {
        let ready = sockets.iter().position(|socket| socket.poll_recv_ready(context).is_ready());
        ready.map_or(std::task::Poll::Pending, std::task::Poll::Ready)
    })
    .await
}

fn send(socket: Option<&AsyncFd<PacketSocket>>, link: u32, to: [u8; 6], packet: &[u8]) -> io::Result<()> {
    socket.map_or(Ok(()), |socket| socket.get_ref().send(link, to, packet))
}

/// A seed for jitter and transaction numbers.
fn seed() -> u64 {
    let mut bytes = [0; 8];
    // Without randomness there would be no certificates either; jitter alone does not stop the box.
    let _ = SystemRandom::new().fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use std::{os::unix::net::UnixDatagram, time::Duration};

    use tokio::time::timeout;

    use super::*;

    /// tokio says that a socket is ready until somebody has found it empty. Waiting for a packet then must not keep the
    /// box from everything else.
    #[test]
    fn a_socket_that_was_ready_and_is_empty_holds_nobody_up() {
        crate::testing::block_on(async {
            let (near, far) = UnixDatagram::pair().unwrap();
            near.set_nonblocking(true).unwrap();
            let near = readiness(near).unwrap();
            let mut buffer = [0; 8];
            far.send(b"a").unwrap();
            packet_waits(Some(&near)).await;
            assert_eq!(read(Some(&near), |socket| socket.recv(&mut buffer)).unwrap(), 1);
            let wait = async {
                packet_waits(Some(&near)).await;
                read(Some(&near), |socket| socket.recv(&mut buffer))
            };
            match timeout(Duration::from_millis(50), wait).await {
                Ok(Err(error)) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
                Ok(Ok(_)) => panic!("nothing was sent"),
                Err(_) => panic!("it waits for the next packet"),
            }
            // From now on it is known to be empty.
            assert!(timeout(Duration::from_millis(50), packet_waits(Some(&near))).await.is_err());
        });
    }
}
