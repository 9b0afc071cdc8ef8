//! Connecting: the addresses of a server in their order, each a little after the one before it (RFC 8305 §5), and the
//! first that answers is taken.

use std::{io, net::IpAddr};

use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    Trouble,
    limits::{CONNECT_MAX, NEXT_ADDRESS_AFTER},
};

/// What came of one address.
type Attempt = (IpAddr, io::Result<TcpStream>);

/// Connects to one of `addresses`, the first before the others.
pub(super) async fn dial(addresses: &[IpAddr], port: u16) -> Result<(IpAddr, TcpStream), Trouble> {
    let mut waiting = addresses.iter().copied();
    let mut attempts = JoinSet::new();
    let mut failures = Vec::new();
    loop {
        if let Some(address) = waiting.next() {
            attempts.spawn(attempt(address, port));
        }
        tokio::select! {
            ended = attempts.join_next() => match ended {
                None => return Err(sum_up(&failures, port)),
                Some(Ok((address, Ok(stream)))) => return Ok((address, stream)),
                Some(Ok((address, Err(error)))) => failures.push((address, error)),
                Some(Err(error)) => log::error!("connecting: {error}"),
            },
            () = sleep(NEXT_ADDRESS_AFTER), if waiting.len() > 0 => {}
        }
    }
}

async fn attempt(address: IpAddr, port: u16) -> Attempt {
    let connected = timeout(CONNECT_MAX, TcpStream::connect((address, port))).await;
    (address, connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())))
}

/// Why nothing could be connected to, address by address.
fn sum_up(failures: &[(IpAddr, io::Error)], port: u16) -> Trouble {
    let sentence = |(address, error): &(IpAddr, io::Error)| match error.kind() {
        io::ErrorKind::ConnectionRefused => format!("{address} refuses connections to port {port}"),
        io::ErrorKind::TimedOut => format!("{address} does not answer on port {port}"),
        _ if has_no_way(error) => format!("there is no way to {address}"),
        _ => format!("connecting to {address}: {error}"),
    };
    let said: Vec<String> = failures.iter().map(sentence).collect();
    let said = if said.is_empty() { "the server has no address".to_owned() } else { said.join("; ") };
    Trouble::NoConnection(said)
}

fn has_no_way(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkDown, NetworkUnreachable};
    matches!(error.kind(), NetworkUnreachable | HostUnreachable | NetworkDown | AddrNotAvailable)
}

#[cfg(test)]
#[path = "dial_tests.rs"]
mod tests;
