//! The box's place in the network: carries packets and requests for the state machine that decides.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
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
    time::{sleep, sleep_until},
};

use crate::{
    house::House,
    http::NetworkView,
    provision::Settings,
    root::{Root, readiness},
};

/// Longest packet that is read: an Ethernet frame's worth, which is what mDNS allows as a rule (RFC 6762 §17).
const PACKET_BYTES_MAX: usize = 1_500;

/// How often the kernel's IPv6 addresses are looked at: routers announce theirs without being asked.
const IPV6_PERIOD: Duration = Duration::from_secs(5);

/// Keeps the box on the network.
pub(crate) struct Network {
    house: Rc<House>,
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
        house: Rc<House>,
        root: Rc<Root>,
        links: watch::Receiver<Option<Link>>,
        dhcp: Option<PacketSocket>,
        arp: Option<PacketSocket>,
    ) -> io::Result<Self> {
        let machine = net::Network::new(settings(&house), seed());
        let (dhcp, arp) = (dhcp.map(readiness).transpose()?, arp.map(readiness).transpose()?);
        let udp = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
        Ok(Self { house, root, links, machine, dhcp, arp, arp_listens: false, udp, mdns: Vec::new() })
    }

    /// Runs for as long as the box does.
    pub(crate) async fn run(mut self) {
        let link = self.links.borrow_and_update().clone();
        self.machine.set_link(self.now(), link);
        let mut buffer = [0; PACKET_BYTES_MAX];
        loop {
            while let Some(action) = self.machine.poll_action() {
                self.act(action).await;
            }
            let event = self.wait(&mut buffer).await;
            self.take(event, &buffer);
        }
    }

    async fn wait(&mut self, buffer: &mut [u8]) -> Event {
        let deadline = self.machine.deadline().map(|deadline| self.house.office.started() + deadline);
        let timeout = async {
            match deadline {
                Some(deadline) => sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        let readable = tokio::select! {
            changed = self.links.changed() => return if changed.is_ok() { Event::Link } else { Event::Timeout },
            () = timeout => return Event::Timeout,
            () = sleep(IPV6_PERIOD) => return Event::Ipv6,
            () = self.house.changes() => return Event::Settings,
            received = self.udp.recv_from(buffer) => return Event::Udp(received),
            () = packet_waits(self.dhcp.as_ref()) => Event::Dhcp(Err(io::ErrorKind::WouldBlock.into())),
            () = packet_waits(self.arp.as_ref().filter(|_| self.arp_listens)) => {
                Event::Arp(Err(io::ErrorKind::WouldBlock.into()))
            }
            at = message_waits(&self.mdns) => match self.mdns.get(at) {
                Some(socket) => return Event::Mdns(socket.try_recv_from(buffer)),
                None => return Event::Timeout,
            },
        };
        match (readable, &self.dhcp, &self.arp) {
            (Event::Dhcp(_), Some(socket), _) => Event::Dhcp(receive(socket, buffer).await),
            (_, _, Some(socket)) => Event::Arp(receive(socket, buffer).await),
            (other, _, None) => other,
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
            Event::Settings => self.machine.configure(now, settings(&self.house)),
            Event::Ipv6 => {
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

    async fn act(&mut self, action: Action) {
        let link = self.machine.status().link.as_ref().map_or(0, |link| link.index);
        let sent = match action {
            Action::Ask(request) => self.root.ask(request).await.map_err(io::Error::other),
            Action::Dhcp(transmit) => send(self.dhcp.as_ref(), link, transmit.to, &transmit.datagram),
            Action::Arp(packet) => self.send_arp(link, &packet),
            Action::Udp(to, packet) => self.udp.send_to(&packet, to).await.map(drop),
            Action::Mdns(transmit) => self.send_mdns(link, &transmit).await,
            Action::Time(sample) => {
                let verdict = self.house.office.clock().judge(sample.unix_ns);
                self.machine.judged(self.now(), &sample, verdict);
                self.house.clock_changed();
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
        for socket in &self.mdns {
            let is_v4 = socket.local_addr()?.is_ipv4();
            let to = match transmit.to {
                mdns::To::Everybody => {
                    if is_v4 {
                        mdns::GROUP_V4
                    } else {
                        mdns::GROUP_V6
                    }
                }
                mdns::To::One(to) => to,
            };
            if to.is_ipv4() == is_v4 {
                socket.send_to(&transmit.message, to).await?;
            }
        }
        Ok(())
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
        self.house.moved(addresses, view);
    }

    fn now(&self) -> Duration {
        self.house.office.uptime()
    }
}

fn open_mdns(link: u32) -> Vec<UdpSocket> {
    let opened = [mdns::open_v4(link), mdns::open_v6(link)];
    opened.into_iter().flatten().filter_map(|socket| UdpSocket::from_std(socket).ok()).collect()
}

fn settings(house: &House) -> net::Settings {
    let settings = Settings::load(house.office.as_ref());
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

async fn packet_waits(socket: Option<&AsyncFd<PacketSocket>>) {
    match socket {
        // An error shows itself when the packet is read.
        Some(socket) => drop(socket.ready(Interest::READABLE).await),
        None => std::future::pending().await,
    }
}

async fn receive(socket: &AsyncFd<PacketSocket>, buffer: &mut [u8]) -> io::Result<Received> {
    socket.async_io(Interest::READABLE, |socket| socket.receive(buffer)).await
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
