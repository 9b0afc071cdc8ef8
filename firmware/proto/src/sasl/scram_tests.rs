//! Tests of SCRAM: the example of the RFC, every way to fail, and any bytes.

use alloc::{borrow::ToOwned, format, string::String, vec};

use base64::{Engine, engine::general_purpose::STANDARD};
use mail::AccountId;
use proptest::prelude::*;

use super::{
    Exchange, Failure, Offer, Progress, RESPONSE_BYTES_MAX, ScramAccepted, ScramChallenge, ScramProof,
    tests::{ALL, base64, begin, challenge, failure},
};
use crate::{
    Answer, LoginRefusal, Want,
    limits::{CLIENT_NONCE_BYTES_MAX, CREDENTIAL_BYTES_MAX},
};

const SCRAM: &str = "SCRAM-SHA-256";
const PLUS: &str = "SCRAM-SHA-256-PLUS";

/// The messages of the example in RFC 7677 §3.
const CLIENT_FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const SERVER_FIRST: &str =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const WITHOUT_PROOF: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const PROOF: &str = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const SIGNATURE: &str = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

fn challenge_of_the_rfc() -> Answer {
    Answer::ScramChallenge(Ok(ScramChallenge {
        salt: STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap(),
        iterations: 4096,
        nonce: SERVER_NONCE.to_owned(),
    }))
}

fn accepted() -> Answer {
    let signature = STANDARD.decode(SIGNATURE).unwrap().try_into().unwrap();
    Answer::ScramProof(Ok(ScramAccepted { account: AccountId(7), signature }))
}

fn send(exchange: &mut Exchange, message: impl AsRef<[u8]>) -> Progress {
    exchange.respond(base64(message).as_bytes())
}

/// What comes of a first message.
fn first(mechanism: &str, message: &str) -> Progress {
    begin(mechanism, Some(base64(message).as_bytes())).1
}

fn asked_for(progress: &Progress) -> &str {
    match progress {
        Progress::Ask(Want::ScramChallenge(name)) => name.expose(),
        other => panic!("{other:?}"),
    }
}

fn proof(progress: &Progress) -> &ScramProof {
    match progress {
        Progress::Ask(Want::ScramProof(proof)) => proof,
        other => panic!("{other:?}"),
    }
}

/// An exchange in which the client has its challenge.
fn challenged(mechanism: &str, first: &str) -> Exchange {
    let (mut exchange, progress) = begin(mechanism, Some(base64(first).as_bytes()));
    asked_for(&progress);
    challenge(&exchange.answered(Some(challenge_of_the_rfc())));
    exchange
}

/// What comes of a last message in the exchange of the RFC.
fn last(message: &str) -> Progress {
    send(&mut challenged(SCRAM, CLIENT_FIRST), message)
}

#[test]
fn the_exchange_of_the_rfc() {
    let (mut exchange, progress) = begin(SCRAM, None);
    assert_eq!(challenge(&progress), "");
    assert_eq!(asked_for(&send(&mut exchange, CLIENT_FIRST)), "user");
    let server_first = exchange.answered(Some(challenge_of_the_rfc()));
    assert_eq!(challenge(&server_first), base64(SERVER_FIRST));
    let progress = send(&mut exchange, format!("{WITHOUT_PROOF},p={PROOF}"));
    let proof = proof(&progress);
    assert_eq!(proof.name.expose(), "user");
    assert_eq!(
        proof.auth_message.expose(),
        format!("n=user,r=rOprNGfwEbeRWgbNEkqO,{SERVER_FIRST},{WITHOUT_PROOF}")
    );
    assert_eq!(base64(proof.proof), PROOF);
    assert_eq!(challenge(&exchange.answered(Some(accepted()))), base64(format!("v={SIGNATURE}")));
    assert!(matches!(exchange.respond(b""), Progress::Over(Ok(AccountId(7)))));
    // It is over: nothing more is taken.
    assert_eq!(failure(&exchange.respond(b"")), Failure::Malformed);
}

#[test]
fn nobody_is_logged_in_before_the_last_response() {
    let (mut exchange, _) = begin(SCRAM, None);
    for answer in [accepted(), challenge_of_the_rfc(), Answer::Login(Ok(AccountId(7)))] {
        let progress = exchange.answered(Some(answer));
        assert!(matches!(progress, Progress::Over(Err(LoginRefusal::Unavailable))), "{progress:?}");
    }
    let mut exchange = challenged(SCRAM, CLIENT_FIRST);
    let early = exchange.answered(Some(accepted()));
    assert!(matches!(early, Progress::Over(Err(LoginRefusal::Unavailable))), "{early:?}");
    let mut exchange = challenged(SCRAM, CLIENT_FIRST);
    proof(&send(&mut exchange, format!("{WITHOUT_PROOF},p={PROOF}")));
    challenge(&exchange.answered(Some(accepted())));
    assert_eq!(failure(&send(&mut exchange, "more")), Failure::Malformed);
    let mut exchange = challenged(SCRAM, CLIENT_FIRST);
    proof(&send(&mut exchange, format!("{WITHOUT_PROOF},p={PROOF}")));
    challenge(&exchange.answered(Some(accepted())));
    assert!(matches!(exchange.respond(b"*"), Progress::Cancelled));
}

#[test]
fn a_refusal_is_the_end_of_it() {
    let refusal = LoginRefusal::TooMany { retry_after_s: 9 };
    let mut exchange = challenged(SCRAM, CLIENT_FIRST);
    proof(&send(&mut exchange, format!("{WITHOUT_PROOF},p={PROOF}")));
    let over = exchange.answered(Some(Answer::ScramProof(Err(refusal))));
    assert!(matches!(over, Progress::Over(Err(said)) if said == refusal));
    assert_eq!(failure(&exchange.respond(b"")), Failure::Malformed);
    let (mut exchange, _) = begin(SCRAM, Some(base64(CLIENT_FIRST).as_bytes()));
    let over = exchange.answered(Some(Answer::ScramChallenge(Err(LoginRefusal::Unavailable))));
    assert!(matches!(over, Progress::Over(Err(LoginRefusal::Unavailable))));
}

#[test]
fn names_have_their_commas_and_equals_signs_written_otherwise() {
    for (written, name) in
        [("a=2Cb", "a,b"), ("=3D=2C", "=,"), ("=3D2C", "=2C"), ("手紙", "手紙"), ("a b", "a b")]
    {
        assert_eq!(asked_for(&first(SCRAM, &format!("n,,n={written},r=abc"))), name);
    }
    for written in ["a=2cb", "=", "a=", "a=2", "==2C", "a=b", ""] {
        assert_eq!(failure(&first(SCRAM, &format!("n,,n={written},r=abc"))), Failure::Malformed, "{written}");
    }
}

#[test]
fn nobody_acts_for_somebody_else() {
    assert_eq!(asked_for(&first(SCRAM, "n,a=al=2Cice,n=al=2Cice,r=abc")), "al,ice");
    assert_eq!(failure(&first(SCRAM, "n,a=bob,n=alice,r=abc")), Failure::Identity);
    assert_eq!(failure(&first(SCRAM, "n,bob,n=alice,r=abc")), Failure::Malformed);
    assert_eq!(failure(&first(SCRAM, "n,a=,n=alice,r=abc")), Failure::Malformed);
}

#[test]
fn a_first_message_is_what_the_rfc_says_or_refused() {
    assert_eq!(asked_for(&first(SCRAM, "n,,n=alice,r=abc,x=optional,Y==")), "alice");
    for message in [
        "",
        "n",
        "n,",
        "n,,",
        "n,,n=alice",
        "n,,n=alice,",
        "n,,n=alice,r=",
        "n,,n=alice,r=a b",
        "n,,n=alice,r=\u{e9}",
        "n,,r=abc,n=alice",
        "n,,n=al\0ice,r=abc",
        "n,,m=new,n=alice,r=abc",
        "n,,n=alice,r=abc,m=new",
        "n,,n=alice,r=abc,",
        "n,,n=alice,r=abc,xy",
        "n,,n=alice,r=abc,x=",
        "n,,n=alice,r=abc,1=y",
        "N,,n=alice,r=abc",
        "p=tls-exporter,,n=alice,r=abc",
        "z,,n=alice,r=abc",
        "n=alice,r=abc",
    ] {
        assert_eq!(failure(&first(SCRAM, message)), Failure::Malformed, "{message}");
    }
    assert_eq!(failure(&begin(SCRAM, Some(base64(b"n,,n=\xff,r=abc").as_bytes())).1), Failure::Malformed);
    assert_eq!(failure(&begin(SCRAM, Some(b"=")).1), Failure::Malformed);
    assert_eq!(failure(&begin(SCRAM, Some(b"biws!")).1), Failure::Base64);
}

#[test]
fn a_last_message_is_what_the_rfc_says_or_refused() {
    for message in [
        String::new(),
        WITHOUT_PROOF.to_owned(),
        format!("{WITHOUT_PROOF},p="),
        format!("{WITHOUT_PROOF},p={PROOF},x=y"),
        format!("{WITHOUT_PROOF},p=AAAA"),
        format!("{WITHOUT_PROOF},p={PROOF}{PROOF}"),
        format!("{WITHOUT_PROOF},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ"),
        format!("{WITHOUT_PROOF},m=new,p={PROOF}"),
        format!("{WITHOUT_PROOF},,p={PROOF}"),
        format!("c=biws,p={PROOF}"),
        format!("c=biw,r=rOprNGfwEbeRWgbNEkqO{SERVER_NONCE},p={PROOF}"),
        format!("r=rOprNGfwEbeRWgbNEkqO{SERVER_NONCE},c=biws,p={PROOF}"),
    ] {
        assert_eq!(failure(&last(&message)), Failure::Malformed, "{message}");
    }
    let optional = last(&format!("{WITHOUT_PROOF},x=optional,p={PROOF}"));
    assert!(proof(&optional).auth_message.expose().ends_with(",x=optional"));
}

#[test]
fn an_answer_to_another_challenge_is_refused() {
    for nonce in
        ["rOprNGfwEbeRWgbNEkqO", "", SERVER_NONCE, "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k1"]
    {
        assert_eq!(failure(&last(&format!("c=biws,r={nonce},p={PROOF}"))), Failure::Nonce, "{nonce}");
    }
}

#[test]
fn a_log_in_is_bound_to_its_connection() {
    let bound = |header: &str, data: &[u8]| base64([header.as_bytes(), data].concat());
    let header = "p=tls-exporter,,";
    let answer = |binding: &str| {
        let mut exchange = challenged(PLUS, "p=tls-exporter,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let nonce = format!("rOprNGfwEbeRWgbNEkqO{SERVER_NONCE}");
        send(&mut exchange, format!("c={binding},r={nonce},p={PROOF}"))
    };
    proof(&answer(&bound(header, &[7; 32])));
    for (header, data) in [
        (header, &[8; 32][..]),
        (header, &[7; 31]),
        (header, &[7; 33]),
        (header, &[]),
        ("n,,", &[7; 32]),
        ("n,,", &[]),
        ("p=tls-exporter,a=user,", &[7; 32]),
        ("p=tls-unique,,", &[7; 32]),
    ] {
        assert_eq!(failure(&answer(&bound(header, data))), Failure::Binding, "{header}");
    }
    // Without binding its header is checked all the same, and there is no data.
    for binding in [bound("y,,", &[]), bound("n,,", &[7; 32]), bound("n,a=user,", &[]), String::new()] {
        let message = format!("c={binding},r=rOprNGfwEbeRWgbNEkqO{SERVER_NONCE},p={PROOF}");
        assert_eq!(failure(&last(&message)), Failure::Binding, "{binding}");
    }
}

#[test]
fn a_binding_of_another_type_is_refused_as_such() {
    for flag in ["p=tls-unique", "p=tls-server-end-point", "p=", "p=TLS-EXPORTER"] {
        let said = first(PLUS, &format!("{flag},,n=user,r=abc"));
        assert_eq!(failure(&said), Failure::BindingType, "{flag}");
    }
    for flag in ["n", "y", ""] {
        assert_eq!(failure(&first(PLUS, &format!("{flag},,n=user,r=abc"))), Failure::Malformed, "{flag}");
    }
}

/// Somebody in between has taken the mechanism out of the list: the client could bind and believes that the server
/// cannot.
#[test]
fn a_downgrade_is_seen() {
    let message = base64("y,,n=user,r=abc");
    assert_eq!(failure(&begin(SCRAM, Some(message.as_bytes())).1), Failure::Binding);
    let unbound = Offer { channel_binding: None, ..ALL };
    let (_, progress) = Exchange::begin(SCRAM.as_bytes(), Some(message.as_bytes()), unbound).unwrap();
    assert_eq!(asked_for(&progress), "user");
}

#[test]
fn limits_hold() {
    let name = "n".repeat(CREDENTIAL_BYTES_MAX);
    let nonce = "r".repeat(CLIENT_NONCE_BYTES_MAX);
    // The longest messages that there can be fit into a line.
    let longest = format!("p=tls-exporter,a={name},n={name},r={nonce}");
    let (mut exchange, progress) = begin(PLUS, Some(base64(&longest).as_bytes()));
    assert_eq!(asked_for(&progress), name);
    let line = challenge(&exchange.answered(Some(challenge_of_the_rfc()))).len();
    assert!(line < 500, "RFC 5321 §4.5.3.1.5: {line}");
    let header = base64([format!("p=tls-exporter,a={name},").as_bytes(), &[7; 32]].concat());
    proof(&send(&mut exchange, format!("c={header},r={nonce}{SERVER_NONCE},p={PROOF}")));
    for (name, nonce) in [(format!("{name}n"), nonce.clone()), (name, format!("{nonce}r"))] {
        assert_eq!(failure(&first(SCRAM, &format!("n,,n={name},r={nonce}"))), Failure::TooLong);
    }
    let flood = vec![b'A'; RESPONSE_BYTES_MAX + 4];
    assert_eq!(failure(&begin(SCRAM, Some(&flood)).1), Failure::TooLong);
    assert_eq!(failure(&challenged(SCRAM, CLIENT_FIRST).respond(&flood)), Failure::TooLong);
}

#[test]
fn secrets_are_not_printed() {
    let (mut exchange, progress) = begin(SCRAM, Some(base64("n,,n=alice,r=abc").as_bytes()));
    let before = format!("{progress:?} {exchange:?}");
    exchange.answered(Some(challenge_of_the_rfc()));
    let proof = send(&mut exchange, format!("c=biws,r=abc{SERVER_NONCE},p={PROOF}"));
    let printed = format!("{before} {exchange:?} {proof:?}");
    assert!(!printed.contains("alice") && !printed.contains("116, 124"), "{printed}");
}

/// What clients send, and what they do not, in pieces.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,12}",
        "\\PC{0,4}",
        Just(",".to_owned()),
        Just("n,,".to_owned()),
        Just("p=tls-exporter,,".to_owned()),
        Just("a=alice,".to_owned()),
        Just("n=user,".to_owned()),
        Just("r=abc".to_owned()),
        Just(format!("r=abc{SERVER_NONCE}")),
        Just("c=biws,".to_owned()),
        Just(format!(",p={PROOF}")),
        Just("=2C".to_owned()),
    ]
}

fn message() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_messages_are_taken_without_a_panic(plus: bool, messages in prop::collection::vec(message(), 1..4)) {
        let (mut exchange, _) = begin(if plus { PLUS } else { SCRAM }, None);
        for message in messages {
            match send(&mut exchange, message) {
                Progress::Ask(Want::ScramChallenge(_)) => {
                    exchange.answered(Some(challenge_of_the_rfc()));
                }
                Progress::Ask(Want::ScramProof(_)) => {
                    exchange.answered(Some(Answer::ScramProof(Err(LoginRefusal::Credentials))));
                }
                Progress::Failed(_) | Progress::Over(Err(_)) => break,
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }

    /// Only what the client was told to bind to and only its own nonce ever get as far as the driver.
    #[test]
    fn any_last_message_is_refused_or_has_nonce_and_binding(message in message()) {
        if let Progress::Ask(Want::ScramProof(proof)) = last(&message) {
            let nonce = format!("c=biws,r=rOprNGfwEbeRWgbNEkqO{SERVER_NONCE}");
            prop_assert!(proof.auth_message.expose().contains(&nonce));
        }
    }
}
