//! The box's place in the network: a fixed address or DHCP, as the settings say, followed through cable and lease.

use std::{io, net::IpAddr, rc::Rc, time::Duration};

use board::{
    control::{Ipv4Config, Link, Request},
    net::{
        PacketSocket,
        dhcp::{self, Event, Lease},
    },
};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::{io::unix::AsyncFd, sync::watch, time::Instant};

use crate::{
    house::House,
    http::NetworkView,
    provision::Settings,
    root::{Root, readiness},
    time::TimeServers,
};

/// Longest datagram of DHCP that is read; servers keep to the 576 bytes that every host takes (RFC 2131 §2).
const DATAGRAM_BYTES_MAX: usize = 1_500;

/// What the network's task works with.
pub(crate) struct Network {
    pub house: Rc<House>,
    pub root: Rc<Root>,
    pub links: watch::Receiver<Option<Link>>,
    pub time_servers: watch::Sender<TimeServers>,
}

impl Network {
    /// Keeps the box on the network for as long as it runs.
    pub(crate) async fn run(mut self, packet: Option<PacketSocket>) {
        let settings = Settings::load(self.house.office.as_ref());
        let name = settings.hostname.unwrap_or_else(|| "tegami".into());
        match (settings.network.fixed, packet) {
            (Some((address, gateway)), _) => {
                let config = Ipv4Config { address: address.address, prefix_len: address.prefix, gateway };
                self.fixed(config).await;
            }
            (None, Some(packet)) => match readiness(packet) {
                Ok(packet) => self.dhcp(&packet, &name).await,
                Err(error) => log::error!("no DHCP: {error}"),
            },
            (None, None) => log::error!("no DHCP: the kernel has no packet sockets"),
        }
    }

    /// Sets the same address whenever there is an interface to set it on.
    async fn fixed(&mut self, config: Ipv4Config) {
        loop {
            if self.links.borrow_and_update().is_some() {
                let gateway = config.gateway.map(IpAddr::V4);
                self.take_address(config, NetworkView::Fixed(gateway)).await;
            }
            if self.links.changed().await.is_err() {
                return;
            }
        }
    }

    async fn dhcp(&mut self, packet: &AsyncFd<PacketSocket>, host_name: &str) {
        let mut client: Option<(Link, dhcp::Client)> = None;
        loop {
            let link = self.links.borrow_and_update().clone();
            client = follow(client, link, host_name, self.now());
            let deadline = client.as_ref().and_then(|(_, client)| client.deadline());
            let mut buffer = [0; DATAGRAM_BYTES_MAX];
            tokio::select! {
                changed = self.links.changed() => if changed.is_err() { return },
                () = until(self.house.office.started(), deadline) => {}
                received = packet.async_io(tokio::io::Interest::READABLE, |packet| packet.receive(&mut buffer)) => {
                    self.take_datagram(&mut client, received, &buffer);
                }
            }
            if let Some((link, client)) = &mut client {
                self.advance(packet, link, client).await;
            }
        }
    }

    fn take_datagram(
        &self,
        client: &mut Option<(Link, dhcp::Client)>,
        received: io::Result<board::net::Received>,
        buffer: &[u8],
    ) {
        match (received, client) {
            (Ok(received), Some((link, client))) if received.link == link.index => {
                let datagram = buffer.get(..received.len).unwrap_or_default();
                client.receive(self.now(), received.from, datagram);
            }
            (Ok(_), _) => {}
            (Err(error), _) => log::debug!("packet socket: {error}"),
        }
    }

    /// Sends what the client has to say and does what it asks.
    async fn advance(&self, packet: &AsyncFd<PacketSocket>, link: &Link, client: &mut dhcp::Client) {
        client.handle_timeout(self.now());
        while let Some(transmit) = client.poll_transmit() {
            // A datagram that is lost here is repeated as one that is lost on the wire.
            if let Err(error) = packet.get_ref().send(link.index, transmit.to, &transmit.datagram) {
                log::debug!("packet socket: {error}");
            }
        }
        while let Some(event) = client.poll_event() {
            match event {
                Event::Acquired(lease) => self.take_lease(lease).await,
                Event::Lost => {
                    log::warn!("the network took the address back");
                    let _ = self.root.ask(Request::ClearAddress).await;
                    self.house.moved(Vec::new(), NetworkView::Waiting);
                }
            }
        }
    }

    async fn take_lease(&self, lease: Lease) {
        let gateway = lease.config.gateway.map(IpAddr::V4);
        self.time_servers.send_replace(TimeServers(lease.ntp.iter().copied().map(IpAddr::V4).collect()));
        self.take_address(lease.config, NetworkView::Dhcp(gateway)).await;
    }

    async fn take_address(&self, config: Ipv4Config, view: NetworkView) {
        match self.root.ask(Request::SetAddress(config)).await {
            Ok(()) => self.house.moved(vec![IpAddr::V4(config.address)], view),
            Err(problem) => log::error!("the address {} could not be set: {problem}", config.address),
        }
    }

    fn now(&self) -> Duration {
        self.house.office.uptime()
    }
}

/// The client for the link as it is now: a new one for a new interface, told of the cable otherwise.
fn follow(
    client: Option<(Link, dhcp::Client)>,
    link: Option<Link>,
    host_name: &str,
    now: Duration,
) -> Option<(Link, dhcp::Client)> {
    let link = link?;
    let mut client = match client {
        Some((known, client)) if known.index == link.index && known.mac == link.mac => client,
        _ => dhcp::Client::new(link.mac, host_name, seed()),
    };
    if link.carrier {
        client.link_up(now);
    } else {
        client.link_down();
    }
    Some((link, client))
}

/// Waits until `deadline` after `started`; for ever without one.
pub(crate) async fn until(started: std::time::Instant, deadline: Option<Duration>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(Instant::from_std(started + deadline)).await,
        None => std::future::pending().await,
    }
}

/// A seed for jitter and transaction numbers.
pub(crate) fn seed() -> u64 {
    let mut bytes = [0; 8];
    // Without randomness there would be no certificates either; jitter alone does not stop the box.
    let _ = SystemRandom::new().fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
