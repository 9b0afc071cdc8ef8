//! Tests of what is believed; the handshakes themselves are tested with the connections.

use proto::Secret;

use super::*;
use crate::provision::Tls;

fn server(name: &str, verify: bool, ca: Option<Authorities>) -> Server {
    let login = Some(Rc::new((String::new(), Secret::default())));
    Server { name: name.into(), port: 25, tls: Tls::Required, login, verify, ca }
}

#[test]
fn names_and_address_literals_are_read() {
    let dns = |name: &str| ServerName::try_from(name.to_owned()).unwrap();
    assert_eq!(server_name("mx.example.test"), Some(dns("mx.example.test")));
    for (literal, address) in [("[192.0.2.1]", "192.0.2.1"), ("[IPv6:2001:db8::1]", "2001:db8::1")] {
        assert_eq!(server_name(literal), Some(ServerName::from(address.parse::<IpAddr>().unwrap())));
    }
    for name in ["", "[]", "[mx.example.test]", "a b", "mx.example.test\r\n", &"x.".repeat(200)] {
        assert_eq!(server_name(name), None, "{name}");
    }
}

fn authority(number: u8) -> Authorities {
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, format!("Authority {number}"));
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let certificate = parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
    [certificate.der().clone()].into()
}

/// Each has the TLS sessions that can be resumed.
#[test]
fn configurations_are_made_once_and_not_without_end() {
    let trust = Trust::new().unwrap();
    let authorities: Vec<Authorities> = (0..=OWN_TRUST_MAX).map(|number| authority(number as u8)).collect();
    let address = IpAddr::from([192, 0, 2, 1]);
    for ca in authorities.iter().chain(&authorities) {
        // Read from the settings anew.
        let again: Authorities = ca.to_vec().into();
        trust.connector(&server("mx.test", true, Some(Rc::clone(ca))), address).unwrap();
        let made = trust.own.borrow().last().map(|(_, config)| Arc::clone(config)).unwrap();
        assert!(Arc::ptr_eq(&made, &trust.own_config(&again).unwrap()));
        assert!(trust.own.borrow().len() <= OWN_TRUST_MAX);
    }
}

/// Among strangers a certificate that is no good is as good as none: the letter goes without TLS.
#[test]
fn a_certificate_counts_where_it_is_asked_for() {
    let bad = io::Error::other(rustls::Error::InvalidCertificate(CertificateError::BadSignature));
    let trouble = |verify| trouble_of(&bad, &server("mx.test", verify, None));
    assert!(matches!(trouble(true), Trouble::Certificate(_)));
    assert!(matches!(trouble(false), Trouble::Tls(_)));
}

#[test]
fn an_authority_that_is_none_is_told() {
    let trust = Trust::new().unwrap();
    let broken: Authorities = [CertificateDer::from(vec![0x30, 0x00])].into();
    let connector = trust.connector(&server("mx.test", true, Some(broken)), [192, 0, 2, 1].into());
    let Err(Trouble::Certificate(said)) = connector else { panic!("it is used") };
    assert!(said.starts_with("the authority given for the server cannot be used: "), "{said}");
}
