//! The responder among neighbours: asked, contested, renamed.

use proptest::prelude::*;

use super::*;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);

fn asker() -> SocketAddr {
    "192.0.2.99:5353".parse().unwrap()
}

fn name(text: &str) -> Name {
    Name::from_labels(text.split('.'))
}

fn record(text: &str, kind: u16, data: &[u8]) -> Record {
    Record { name: name(text), kind, ttl_s: 120, data: data.to_vec() }
}

fn said(responder: &mut Responder) -> Option<(To, Message)> {
    responder.poll_transmit().map(|transmit| (transmit.to, Message::parse(&transmit.message).unwrap()))
}

/// Lets time pass until nothing is due; returns when that was.
fn settle(responder: &mut Responder, mut now: Duration) -> Duration {
    while let Some(deadline) = responder.deadline() {
        now = deadline.max(now);
        responder.handle_timeout(now);
    }
    now
}

/// A responder whose name is its own, quiet for a while.
fn established(v6: &[Ipv6Addr]) -> (Responder, Duration) {
    let mut responder = Responder::new("Tegami.example.test", 3);
    responder.set_addresses(ms(0), &[V4], v6, true);
    let now = settle(&mut responder, ms(0)) + ms(5000);
    while said(&mut responder).is_some() {}
    (responder, now)
}

fn query(text: &str, kind: u16) -> Message {
    Message { questions: vec![Question { name: name(text), kind, wants_unicast: false }], ..empty(false) }
}

fn ask(responder: &mut Responder, now: Duration, message: &Message) -> Option<(To, Message)> {
    responder.receive(now, asker(), &message.emit(false));
    said(responder)
}

#[test]
fn a_name_is_probed_for_and_announced() {
    let mut responder = Responder::new("tegami", 3);
    assert_eq!((responder.name(), responder.deadline()), ("tegami.local".into(), None));
    responder.set_addresses(ms(1000), &[V4], &[], true);
    let mut now = responder.deadline().unwrap();
    assert!(now >= ms(1000) && now < ms(1250));
    for _ in 0..3 {
        responder.handle_timeout(now);
        let (to, probe) = said(&mut responder).unwrap();
        assert_eq!((to, probe.is_response), (To::Everybody, false));
        assert_eq!(
            probe.questions,
            [Question { name: name("tegami.local"), kind: ANY, wants_unicast: true }]
        );
        assert_eq!(probe.authorities, [record("tegami.local", A, &V4.octets())]);
        assert!(!responder.is_established());
        assert_eq!(responder.deadline(), Some(now + ms(250)));
        now += ms(250);
    }
    for _ in 0..2 {
        responder.handle_timeout(now);
        let (to, announcement) = said(&mut responder).unwrap();
        assert_eq!((to, announcement.is_response), (To::Everybody, true));
        let pointer = record("10.2.0.192.in-addr.arpa", PTR, name("tegami.local").bytes());
        assert_eq!(announcement.answers, [record("tegami.local", A, &V4.octets()), pointer]);
        assert!(responder.is_established());
        now += ms(1000);
    }
    assert_eq!(responder.deadline(), None);
    responder.farewell(now);
    let (_, goodbye) = said(&mut responder).unwrap();
    assert!(goodbye.answers.iter().all(|record| record.ttl_s == 0));
    assert!(ask(&mut responder, now, &query("tegami.local", A)).is_none());
}

#[test]
fn questions_about_us_are_answered() {
    let v6: Ipv6Addr = "2001:db8::1".parse().unwrap();
    let (mut responder, now) = established(&[v6]);
    let (to, answer) = ask(&mut responder, now, &query("TEGAMI.local", A)).unwrap();
    assert_eq!(to, To::Everybody);
    assert_eq!(answer.answers, [record("tegami.local", A, &V4.octets())]);
    assert_eq!(answer.additionals[0], record("tegami.local", AAAA, &v6.octets()));
    let later = now + ms(2000);
    let (_, answer) = ask(&mut responder, later, &query("10.2.0.192.in-addr.arpa", PTR)).unwrap();
    assert_eq!(answer.answers[0].data, name("tegami.local").bytes());
    let (_, answer) = ask(&mut responder, later + ms(2000), &query("tegami.local", ANY)).unwrap();
    assert_eq!(answer.answers.len(), 2);
    for other in [query("other.local", A), query("tegami", A), query("11.2.0.192.in-addr.arpa", PTR)] {
        assert!(ask(&mut responder, later + ms(9000), &other).is_none());
    }
}

#[test]
fn who_asks_for_ipv6_where_there_is_none_is_told_so() {
    let (mut responder, now) = established(&[]);
    let (_, answer) = ask(&mut responder, now, &query("tegami.local", AAAA)).unwrap();
    let [nsec] = &answer.answers[..] else { panic!("{answer:?}") };
    assert_eq!(nsec.kind, NSEC);
    assert_eq!(nsec.data, [name("tegami.local").bytes(), &[0, 4, 0x40, 0, 0, 0]].concat());
    assert_eq!(answer.additionals, [record("tegami.local", A, &V4.octets())]);
}

#[test]
fn one_asker_gets_one_answer() {
    let (mut responder, now) = established(&[]);
    let mut alone = query("tegami.local", A);
    alone.questions[0].wants_unicast = true;
    assert_eq!(ask(&mut responder, now, &alone).unwrap().0, To::One(asker()));
    assert_eq!(ask(&mut responder, now, &query("tegami.local", A)).unwrap().0, To::Everybody);
    assert!(ask(&mut responder, now + ms(999), &query("tegami.local", A)).is_none(), "said a moment ago");
    let mut known = query("tegami.local", A);
    known.answers.push(record("tegami.local", A, &V4.octets()));
    assert!(ask(&mut responder, now + ms(3000), &known).is_none(), "known already");
    known.answers[0].ttl_s = 59;
    assert!(ask(&mut responder, now + ms(3000), &known).is_some(), "and soon forgotten");

    let mut legacy = query("tegami.local", A);
    legacy.id = 77;
    let from = "192.0.2.99:50000".parse().unwrap();
    responder.receive(now + ms(3000), from, &legacy.emit(false));
    let transmit = responder.poll_transmit().unwrap();
    assert_eq!(transmit.to, To::One(from));
    let answer = Message::parse(&transmit.message).unwrap();
    assert_eq!((answer.id, &answer.questions), (77, &legacy.questions));
    assert!(answer.answers.iter().all(|record| record.ttl_s == 10));
    assert_eq!(transmit.message, answer.emit(false), "no top bits for who does not know them");
}

#[test]
fn a_name_that_is_taken_is_left_to_its_owner() {
    let mut responder = Responder::new("tegami", 3);
    responder.set_addresses(ms(0), &[V4], &[], true);
    let now = responder.deadline().unwrap();
    responder.handle_timeout(now);
    let theirs = Message { answers: vec![record("tegami.local", A, &[192, 0, 2, 77])], ..empty(true) };
    responder.receive(now, asker(), &theirs.emit(true));
    assert_eq!(responder.name(), "tegami-2.local");
    settle(&mut responder, now);
    assert!(responder.is_established());
    assert_eq!(responder.name(), "tegami-2.local");
}

#[test]
fn only_a_responder_can_say_that_a_name_is_taken() {
    let (mut responder, now) = established(&[]);
    let theirs = Message { answers: vec![record("tegami.local", A, &[192, 0, 2, 77])], ..empty(true) };
    responder.receive(now, "192.0.2.99:50000".parse().unwrap(), &theirs.emit(true));
    assert!(responder.is_established(), "RFC 6762 §6: not from its port");
}

#[test]
fn many_questions_make_one_short_answer() {
    let (mut responder, now) = established(&["2001:db8::1".parse().unwrap()]);
    let mut many = query("tegami.local", A);
    let other = query("tegami.local", AAAA).questions;
    many.questions = many.questions.into_iter().chain(other).cycle().take(100).collect();
    let (_, answer) = ask(&mut responder, now, &many).unwrap();
    assert_eq!(answer.answers.len(), 2);
}

#[test]
fn a_name_of_ours_that_another_uses_is_probed_for_again() {
    let (mut responder, now) = established(&[]);
    let ours = Message { answers: vec![record("tegami.local", A, &V4.octets())], ..empty(true) };
    responder.receive(now, asker(), &ours.emit(true));
    let mut leaving = Message { answers: vec![record("tegami.local", A, &[192, 0, 2, 77])], ..empty(true) };
    leaving.answers[0].ttl_s = 0;
    responder.receive(now, asker(), &leaving.emit(true));
    assert!(responder.is_established(), "our own words, and a farewell");
    leaving.answers[0].ttl_s = 120;
    responder.receive(now, asker(), &leaving.emit(true));
    assert!(!responder.is_established());
    assert_eq!(responder.name(), "tegami.local", "perhaps it is gone by now");
    responder.handle_timeout(now);
    responder.receive(now, asker(), &leaving.emit(true));
    assert_eq!(responder.name(), "tegami-2.local");
    for _ in 0..20 {
        let now = responder.deadline().unwrap();
        responder.handle_timeout(now);
        let taken = Message { answers: vec![record(&responder.name(), A, &[192, 0, 2, 77])], ..empty(true) };
        responder.receive(now, asker(), &taken.emit(true));
    }
    assert!(responder.deadline().unwrap() >= now + ms(5000), "slowly, when all names are taken");
}

#[test]
fn of_two_that_ask_together_the_later_address_wins() {
    for (theirs, wins) in [([192, 0, 2, 9], true), ([192, 0, 2, 10], true), ([192, 0, 2, 11], false)] {
        let mut responder = Responder::new("tegami", 3);
        responder.set_addresses(ms(0), &[V4], &[], true);
        let now = responder.deadline().unwrap();
        responder.handle_timeout(now);
        let probe =
            Message { authorities: vec![record("tegami.local", A, &theirs)], ..query("tegami.local", ANY) };
        responder.receive(now, asker(), &probe.emit(false));
        let expected = if wins { ms(250) } else { ms(1000) };
        assert_eq!(responder.deadline(), Some(now + expected), "{theirs:?}");
        assert_eq!(responder.name(), "tegami.local");
    }
}

#[test]
fn a_prober_is_told_even_when_everybody_just_was() {
    let (mut responder, now) = established(&[]);
    assert!(ask(&mut responder, now, &query("tegami.local", A)).is_some());
    let probe = Message {
        authorities: vec![record("tegami.local", A, &[192, 0, 2, 9])],
        ..query("tegami.local", ANY)
    };
    assert!(ask(&mut responder, now, &probe).is_some());
}

#[test]
fn a_new_address_is_announced_and_a_new_network_probed() {
    let (mut responder, now) = established(&[]);
    responder.set_addresses(now, &[V4], &[], false);
    assert_eq!(responder.deadline(), None);
    responder.set_addresses(now, &[[192, 0, 2, 20].into()], &[], false);
    responder.handle_timeout(now);
    let (_, announcement) = said(&mut responder).unwrap();
    assert_eq!(announcement.answers[0], record("tegami.local", A, &[192, 0, 2, 20]));
    responder.set_addresses(now, &[V4], &[], true);
    assert!(!responder.is_established());
    responder.set_addresses(now, &[], &[], false);
    assert_eq!(responder.deadline(), None);
}

proptest! {
    #[test]
    fn nonsense_does_no_harm(seed: u64, packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20)) {
        let mut responder = Responder::new("", seed);
        responder.set_addresses(ms(0), &[V4], &[], true);
        for (at, mut packet) in packets.into_iter().enumerate() {
            if let Some(header) = packet.first_chunk_mut() {
                *header = [0, 0, if at % 2 == 0 { 0 } else { 0x84 }, 0, 0, 1, 0, 1, 0, 1, 0, 0];
            }
            responder.receive(ms(at as u64 * 100), asker(), &packet);
            responder.handle_timeout(ms(at as u64 * 100));
        }
        settle(&mut responder, ms(3000));
        prop_assert!(responder.is_established());
    }
}
