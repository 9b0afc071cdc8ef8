//! The time from the network: asks time servers, judges what they say, has PID 1 set the clock.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    rc::Rc,
    time::Duration,
};

use board::{
    clock::Verdict,
    control::Request,
    net::sntp::{self, Sample},
};
use tokio::{net::UdpSocket, sync::watch};

use crate::{house::House, network, provision::Settings, root::Root};

/// Time servers that the network named, best first.
#[derive(Clone, Debug, Default)]
pub(crate) struct TimeServers(pub Vec<IpAddr>);

/// Bytes read of an answer: a packet without extensions has 48.
const ANSWER_BYTES_MAX: usize = 512;

/// Keeps the clock right for as long as it runs.
pub(crate) async fn run(house: Rc<House>, root: Rc<Root>, mut servers: watch::Receiver<TimeServers>) {
    let socket = match UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await {
        Ok(socket) => socket,
        Err(error) => return log::error!("no time from the network: {error}"),
    };
    let mut client = sntp::Client::new(network::seed());
    loop {
        let known = choose(&house, &servers.borrow_and_update());
        client.set_servers(house.office.uptime(), known);
        let mut buffer = [0; ANSWER_BYTES_MAX];
        tokio::select! {
            changed = servers.changed() => if changed.is_err() { return },
            () = network::until(house.office.started(), client.deadline()) => {
                if let Some(transmit) = client.handle_timeout(house.office.uptime()) {
                    // A server that cannot be reached is one that does not answer.
                    let _ = socket.send_to(&transmit.packet, transmit.to).await;
                }
            }
            received = socket.recv_from(&mut buffer) => {
                let Ok((len, from)) = received else { continue };
                let answer = buffer.get(..len).unwrap_or_default();
                if let Some(sample) = client.receive(house.office.uptime(), from, answer) {
                    take(&house, &root, &mut client, sample).await;
                }
            }
        }
    }
}

/// The settings' servers, or else the network's.
fn choose(house: &House, named: &TimeServers) -> Vec<SocketAddr> {
    let settings = Settings::load(house.office.as_ref()).network.ntp;
    if settings.is_empty() {
        named.0.iter().map(|ip| SocketAddr::new(*ip, sntp::PORT)).collect()
    } else {
        settings
    }
}

async fn take(house: &House, root: &Root, client: &mut sntp::Client, sample: Sample) {
    match house.office.clock().judge(sample.unix_ns) {
        Verdict::Set => {
            let time = Duration::from_nanos(sample.unix_ns);
            let request = Request::SetTime { unix_s: time.as_secs(), nanos: time.subsec_nanos() };
            match root.ask(request).await {
                Ok(()) => log::info!("the clock is set from the network"),
                Err(problem) => log::error!("the clock could not be set: {problem}"),
            }
            house.clock_changed();
        }
        Verdict::Right => house.clock_changed(),
        Verdict::Refuse => {
            log::warn!("a time server says what cannot be; asking another");
            client.distrust(house.office.uptime());
        }
    }
}
