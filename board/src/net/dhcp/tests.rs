//! The client against servers that answer, refuse, vanish and lie.

use proptest::prelude::*;

pub(crate) use super::message::tests::answer;
use super::*;

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];
const SERVER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const OFFER: u8 = 2;
const ACK: u8 = 5;
const NAK: u8 = 6;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn client() -> Client {
    Client::new(MAC, "mail.example.test", 7)
}

/// What the client said: to whom (frame and datagram), its kind, its payload.
fn said(client: &mut Client) -> Option<([u8; 6], SocketAddrV4, u8, Vec<u8>)> {
    let transmit = client.poll_transmit()?;
    let datagram = datagram::parse(&transmit.datagram).unwrap();
    assert_eq!((datagram.from.port(), datagram.to.port()), (68, 67));
    Some((transmit.to, datagram.to, datagram.payload[242], datagram.payload.to_vec()))
}

/// An option of what the client said.
fn option(payload: &[u8], code: u8) -> Option<Vec<u8>> {
    let mut rest = &payload[240..];
    while let [found, len, tail @ ..] = rest {
        if *found == 255 {
            return None;
        }
        let (value, tail) = tail.split_at(usize::from(*len));
        if *found == code {
            return Some(value.to_vec());
        }
        rest = tail;
    }
    None
}

fn hear(client: &mut Client, now: Duration, payload: &[u8]) {
    let from = "10.0.2.2:67".parse().unwrap();
    let bytes = datagram::emit(from, "255.255.255.255:68".parse().unwrap(), payload);
    client.receive(now, SERVER_MAC, &bytes);
}

const OPTIONS: [(u8, &[u8]); 5] = [
    (message::SUBNET_MASK, &[255, 255, 255, 0]),
    (message::ROUTER, &[10, 0, 2, 2]),
    (message::DNS_SERVERS, &[10, 0, 2, 3]),
    (message::SERVER, &[10, 0, 2, 2]),
    (message::LEASE_TIME, &[0, 0, 0x0e, 0x10]),
];

fn lease() -> Lease {
    let config =
        Ipv4Config { address: [10, 0, 2, 15].into(), prefix_len: 24, gateway: Some([10, 0, 2, 2].into()) };
    Lease { config, dns: vec![[10, 0, 2, 3].into()], ntp: vec![] }
}

/// Discover, offer, request, acknowledgement, at second 0.
fn bound() -> Client {
    let mut client = client();
    client.link_up(s(0));
    let (_, _, _, discover) = said(&mut client).unwrap();
    hear(&mut client, s(0), &answer(&discover, OFFER, [10, 0, 2, 15], &OPTIONS));
    let (_, _, _, request) = said(&mut client).unwrap();
    hear(&mut client, s(0), &answer(&request, ACK, [10, 0, 2, 15], &OPTIONS));
    assert_eq!(client.poll_event(), Some(Event::Acquired(lease())));
    client
}

#[test]
fn an_address_is_asked_for_offered_and_taken() {
    let mut client = client();
    assert_eq!(client.deadline(), None);
    client.link_up(s(0));
    let (mac, to, kind, discover) = said(&mut client).unwrap();
    assert_eq!((mac, to.ip().octets(), kind), ([0xff; 6], [255; 4], 1));
    assert_eq!(option(&discover, 12).unwrap(), b"mail");
    hear(&mut client, s(1), &answer(&discover, OFFER, [10, 0, 2, 15], &OPTIONS));
    let (mac, _, kind, request) = said(&mut client).unwrap();
    assert_eq!((mac, kind), ([0xff; 6], 3));
    assert_eq!(request[4..8], discover[4..8], "the same transaction");
    assert_eq!(request[8..10], discover[8..10], "the same seconds: RFC 2131 §4.4.1");
    assert_eq!(option(&request, 50).unwrap(), [10, 0, 2, 15]);
    assert_eq!(option(&request, 54).unwrap(), [10, 0, 2, 2]);
    assert_eq!(request[12..16], [0; 4]);
    hear(&mut client, s(1), &answer(&request, ACK, [10, 0, 2, 15], &OPTIONS));
    assert_eq!(client.poll_event(), Some(Event::Acquired(lease())));
    assert_eq!(client.lease(), Some(&lease()));
    let deadline = client.deadline().unwrap();
    assert!(
        s(1 + 1710) <= deadline && deadline <= s(1 + 1800),
        "half the lease, a little early: {deadline:?}"
    );
}

#[test]
fn nobody_answers_and_the_waits_grow() {
    let mut client = client();
    client.link_up(s(0));
    let mut now = s(0);
    for wait in [2, 4, 8, 16, 32, 64, 64, 64] {
        assert_eq!(said(&mut client).unwrap().2, 1);
        assert!(said(&mut client).is_none());
        let next = client.deadline().unwrap();
        assert!(s(wait) <= next - now && next - now < s(wait + 1), "{wait}: {:?}", next - now);
        client.handle_timeout(next - Duration::from_millis(1));
        assert!(said(&mut client).is_none(), "not before its time");
        now = next;
        client.handle_timeout(now);
    }
}

#[test]
fn a_lease_is_renewed_with_its_server_and_then_with_anybody() {
    let mut client = bound();
    let now = client.deadline().unwrap();
    client.handle_timeout(now);
    let (mac, to, kind, renew) = said(&mut client).unwrap();
    assert_eq!((mac, to.ip().octets(), kind), (SERVER_MAC, [10, 0, 2, 2], 3));
    assert_eq!(renew[12..16], [10, 0, 2, 15]);
    assert_eq!((option(&renew, 50), option(&renew, 54)), (None, None), "RFC 2131 table 5");
    let mut renewed = client.clone();
    hear(&mut renewed, now, &answer(&renew, ACK, [10, 0, 2, 15], &OPTIONS));
    assert_eq!(renewed.poll_event(), None, "nothing has changed");
    assert!(renewed.deadline().unwrap() > now + s(1700));

    let mut calls = Vec::new();
    let lost = loop {
        let now = client.deadline().unwrap();
        client.handle_timeout(now);
        if client.poll_event() == Some(Event::Lost) {
            break now;
        }
        while let Some((mac, _, kind, _)) = said(&mut client) {
            assert_eq!(kind, 3);
            calls.push((now.as_secs(), mac == SERVER_MAC));
        }
    };
    assert_eq!(lost, s(3600));
    assert!(calls.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 20), "no hurry: {calls:?}");
    assert!(calls.iter().all(|(now, to_server)| *to_server == (*now < 3150)), "{calls:?}");
    assert_eq!(said(&mut client).unwrap().2, 1, "and from the beginning");
}

#[test]
fn a_changed_lease_is_told() {
    let mut client = bound();
    let now = client.deadline().unwrap();
    client.handle_timeout(now);
    let (_, _, _, renew) = said(&mut client).unwrap();
    let mut options = OPTIONS.to_vec();
    options[2].1 = &[10, 0, 2, 99, 224, 0, 0, 1, 10, 0, 2, 98, 10, 0, 2, 97, 10, 0, 2, 96];
    options.push((message::NTP_SERVERS, &[10, 0, 2, 4]));
    hear(&mut client, now, &answer(&renew, ACK, [10, 0, 2, 15], &options));
    let Some(Event::Acquired(lease)) = client.poll_event() else { panic!("nothing told") };
    assert_eq!(lease.dns, [[10, 0, 2, 99], [10, 0, 2, 98], [10, 0, 2, 97]].map(Ipv4Addr::from));
    assert_eq!(lease.ntp, [Ipv4Addr::from([10, 0, 2, 4])]);
}

#[test]
fn a_cable_that_comes_back_asks_for_the_same_address() {
    let mut client = bound();
    client.link_down();
    assert_eq!(client.deadline(), Some(s(3600)), "a lease runs out without a cable too");
    client.link_up(s(100));
    client.link_up(s(100));
    let (mac, _, kind, reboot) = said(&mut client).unwrap();
    assert!(said(&mut client).is_none());
    assert_eq!((mac, kind), ([0xff; 6], 3));
    assert_eq!(option(&reboot, 50).unwrap(), [10, 0, 2, 15]);
    assert_eq!((option(&reboot, 54), &reboot[12..16]), (None, &[0; 4][..]), "RFC 2131 table 4");
    let mut moved = client.clone();
    hear(&mut moved, s(100), &answer(&reboot, NAK, [0; 4], &[(message::SERVER, &[192, 168, 9, 1])]));
    assert_eq!(moved.poll_event(), Some(Event::Lost), "another network");
    let next = moved.deadline().unwrap();
    assert!(next >= s(102) && said(&mut moved).is_none());
    moved.handle_timeout(next);
    let (_, _, kind, discover) = said(&mut moved).unwrap();
    assert_eq!((kind, option(&discover, 50)), (1, None));

    for _ in 0..2 {
        client.handle_timeout(client.deadline().unwrap());
    }
    assert_eq!(said(&mut client).unwrap().2, 3);
    let (_, _, kind, discover) = said(&mut client).unwrap();
    assert_eq!(kind, 1, "nobody remembers: from the beginning");
    assert_eq!(option(&discover, 50).unwrap(), [10, 0, 2, 15]);
    assert_eq!(client.poll_event(), None, "the address is still ours");

    let mut gone = bound();
    gone.link_down();
    gone.handle_timeout(s(3600));
    assert_eq!((gone.poll_event(), gone.deadline()), (Some(Event::Lost), None));
}

#[test]
fn an_offer_that_is_not_kept_is_forgotten() {
    let mut client = client();
    client.link_up(s(0));
    let (_, _, _, discover) = said(&mut client).unwrap();
    hear(&mut client, s(0), &answer(&discover, OFFER, [10, 0, 2, 15], &OPTIONS));
    for _ in 0..4 {
        assert_eq!(said(&mut client).unwrap().2, 3);
        client.handle_timeout(client.deadline().unwrap());
    }
    assert_eq!(said(&mut client).unwrap().2, 1);
}

#[test]
fn what_is_not_for_us_or_not_usable_is_ignored() {
    let mut client = client();
    client.link_up(s(0));
    let (_, _, _, discover) = said(&mut client).unwrap();
    let good = answer(&discover, OFFER, [10, 0, 2, 15], &OPTIONS);
    let changed = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    for bad in [
        changed(4),
        changed(33),
        changed(236),
        answer(&discover, OFFER, [127, 0, 0, 1], &OPTIONS),
        answer(&discover, OFFER, [10, 0, 2, 255], &OPTIONS),
        answer(&discover, OFFER, [10, 0, 2, 15], &OPTIONS[..3]),
        answer(&discover, ACK, [10, 0, 2, 15], &OPTIONS),
        answer(&discover, NAK, [10, 0, 2, 15], &OPTIONS),
    ] {
        hear(&mut client, s(0), &bad);
        assert_eq!((said(&mut client), client.poll_event()), (None, None));
    }
    hear(&mut client, s(0), &good);
    let (_, _, _, request) = said(&mut client).unwrap();
    let mut other = OPTIONS.to_vec();
    other[3].1 = &[10, 0, 2, 66];
    hear(&mut client, s(0), &answer(&request, NAK, [0; 4], &other));
    hear(&mut client, s(0), &answer(&request, ACK, [10, 0, 2, 15], &other));
    assert_eq!(client.poll_event(), None, "we asked another server");
}

#[test]
fn odd_times_and_networks_are_put_right() {
    let with = |options: &[(u8, &[u8])]| {
        let mut client = client();
        client.link_up(s(0));
        let (_, _, _, discover) = said(&mut client).unwrap();
        let mut all = vec![OPTIONS[3]];
        all.extend_from_slice(options);
        hear(&mut client, s(0), &answer(&discover, OFFER, [10, 0, 2, 15], &all));
        let (_, _, _, request) = said(&mut client).unwrap();
        hear(&mut client, s(0), &answer(&request, ACK, [10, 0, 2, 15], &all));
        let held = client.held.unwrap();
        assert!(held.renew <= held.rebind && held.rebind <= held.expires, "{held:?}");
        assert!(held.renew >= s(28), "{held:?}");
        held
    };
    assert_eq!(with(&[]).lease.config.prefix_len, 24);
    assert_eq!(with(&[]).expires, s(3600));
    assert_eq!(with(&[(message::SUBNET_MASK, &[255, 0, 255, 0])]).lease.config.prefix_len, 24);
    assert_eq!(with(&[(message::SUBNET_MASK, &[255; 4])]).lease.config.prefix_len, 32);
    assert_eq!(
        with(&[(message::ROUTER, &[10, 0, 2, 15, 10, 0, 2, 1])]).lease.config.gateway,
        Some([10, 0, 2, 1].into())
    );
    assert_eq!(with(&[(message::LEASE_TIME, &[0; 4])]).expires, s(120));
    assert_eq!(with(&[(message::LEASE_TIME, &[0xff; 4])]).expires, s(u32::MAX.into()));
    with(&[(message::RENEWAL_TIME, &[0xff; 4]), (message::REBINDING_TIME, &[0; 4])]);
    with(&[(message::RENEWAL_TIME, &[0; 4]), (message::REBINDING_TIME, &[0, 0, 0, 1])]);
}

proptest! {
    /// Whatever happens and in whatever order: there is always a next deadline while the cable is in, the client never
    /// says two things at once for one cause, and Acquired and Lost alternate as they must.
    #[test]
    fn the_client_never_gets_stuck(seed: u64, steps in prop::collection::vec((0..8_u8, 0..5000_u64, any::<u8>()), 1..200)) {
        let mut client = Client::new(MAC, "box", seed);
        let (mut now, mut up, mut has) = (s(0), false, false);
        let mut last = vec![0; 300];
        for (step, seconds, byte) in steps {
            match step {
                0 => { client.link_up(now); up = true; }
                1 => { client.link_down(); up = false; }
                2 | 3 => {
                    now = client.deadline().unwrap_or(now).max(now);
                    client.handle_timeout(now);
                }
                4 => { now += s(seconds); client.handle_timeout(now); }
                _ => {
                    let kind = [OFFER, ACK, NAK][usize::from(byte) % 3];
                    hear(&mut client, now, &answer(&last, kind, [10, 0, 2, 15], &OPTIONS));
                }
            }
            let mut count = 0;
            while let Some((_, _, _, payload)) = said(&mut client) {
                last = payload;
                count += 1;
            }
            prop_assert!(count <= 1);
            while let Some(event) = client.poll_event() {
                match event {
                    Event::Acquired(_) => { prop_assert!(!has); has = true; }
                    Event::Lost => { prop_assert!(has); has = false; }
                }
            }
            prop_assert_eq!(client.lease().is_some(), has);
            prop_assert_eq!(up && client.deadline().is_none(), false);
        }
    }
}
