//! Tests of connecting, on loopback addresses.

use super::*;
use crate::testing::block_on;

/// An address that answers nothing: all that may wait to be accepted do. They are kept for as long as it is to be so.
async fn silent(ip: IpAddr, port: u16) -> (tokio::net::TcpListener, Vec<TcpStream>) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((ip, port).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut waiting = Vec::new();
    let connect = || timeout(NEXT_ADDRESS_AFTER, TcpStream::connect((ip, port)));
    while let Ok(Ok(stream)) = connect().await {
        waiting.push(stream);
    }
    (listener, waiting)
}

#[test]
fn an_address_that_does_not_answer_holds_up_nobody() {
    block_on(async {
        let (first, second) = (IpAddr::from([127, 0, 0, 2]), IpAddr::from([127, 0, 0, 1]));
        let (listener, _waiting) = silent(first, 0).await;
        let port = listener.local_addr().unwrap().port();
        let other = tokio::net::TcpListener::bind((second, port)).await.unwrap();
        let (address, _) = dial(&[first, second], port).await.unwrap();
        assert_eq!(address, second);
        // In the other order nobody is held up at all.
        let (address, _) = dial(&[second, first], port).await.unwrap();
        assert_eq!(address, second);
        drop(other);
        // Thirty seconds, which pass at once.
        tokio::time::pause();
        let refused = dial(&[first, second], port).await.map(drop);
        let said =
            format!("127.0.0.1 refuses connections to port {port}; 127.0.0.2 does not answer on port {port}");
        assert_eq!(refused, Err(Trouble::NoConnection(said)));
    });
}

#[test]
fn each_address_is_said_what_it_failed_for() {
    use io::ErrorKind::{HostUnreachable, NetworkUnreachable};
    let v4 = IpAddr::from([192, 0, 2, 1]);
    let v6 = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]);
    let failures = [(v6, NetworkUnreachable.into()), (v4, HostUnreachable.into())];
    let said = "there is no way to 2001:db8::1; there is no way to 192.0.2.1".to_owned();
    assert_eq!(sum_up(&failures, 25), Trouble::NoConnection(said));
    let nowhere = "the server has no address".to_owned();
    assert_eq!(sum_up(&[], 25), Trouble::NoConnection(nowhere));
}
