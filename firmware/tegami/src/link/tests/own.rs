//! With our own server, and real TLS.

use rustls::pki_types::CertificateDer;

use super::*;
use crate::service::Service;

impl Sending {
    /// Our own server under its name, with the authority that has signed its certificate.
    fn own(&self, service: Service, tls: Tls) -> Server {
        let authority = CertificateDer::from(self.rig.serving.house.certificates.authority().der);
        Server { tls, verify: true, ca: Some([authority].into()), ..plain(self.rig.port(service)) }
    }
}

fn login(password: &str) -> Option<Rc<(String, proto::Secret)>> {
    Some(Rc::new(("alice@example.test".to_owned(), proto::Secret::new(password.to_owned()))))
}

#[test]
fn letters_reach_our_own_server_in_every_way_of_tls() {
    block_on(async {
        let sending = Sending::start("own").await;
        sending.rig.serving.house.passwords_hashed().await;
        for (service, tls) in [
            (Service::Smtp, Tls::None),
            (Service::Smtp, Tls::Opportunistic),
            (Service::Smtp, Tls::Required),
            (Service::Submission, Tls::Required),
            (Service::Submissions, Tls::Implicit),
        ] {
            let mut server = sending.own(service, tls);
            if service != Service::Smtp {
                server.login = login("pencil pencil");
            }
            let before = sending.kept();
            let (first, second) = (sending.job(1, 3).await, sending.job(2, 20_000).await);
            let mut letters = Letters::of([first, second]);
            let closed = soon(converse(&sending.desk, &server, &[LOOPBACK], &mut letters)).await;
            assert_eq!((ending(&closed).as_str(), closed.jobs), ("Done", 2), "{tls:?}");
            let said = letters.outcomes();
            assert!(said.contains("1 delivered 250 2.0.0 Ok") && said.contains("2 delivered 250 "), "{said}");
            assert_eq!(sending.kept(), before + 4);
            let expected =
                (tls != Tls::None).then_some(TlsKind { version: ProtocolVersion::TLSv1_3, verified: true });
            assert_eq!(letters.reached, Some(Reached { address: LOOPBACK, tls: expected }));
            assert_eq!(closed.reached, letters.reached);
        }
    });
}

#[test]
fn only_the_right_certificate_will_do_where_it_must() {
    block_on(async {
        let sending = Sending::start("certificates").await;
        let own = sending.own(Service::Smtp, Tls::Required);
        let wrong = Server { name: "mx.elsewhere.test".into(), ..own.clone() };
        let unknown = Server { ca: None, ..own.clone() };
        let nameless = Server { name: "mx_.-.test:25".into(), ..own.clone() };
        let addressed = Server { name: "[127.0.0.9]".into(), ..own.clone() };
        // Nothing is said in clear instead, where TLS need not be.
        let opportunistic = Server { tls: Tls::Opportunistic, ..wrong.clone() };
        let implicit =
            Server { port: sending.rig.port(Service::Submissions), tls: Tls::Implicit, ..wrong.clone() };
        for (server, said) in [
            (&wrong, "the certificate of mx.elsewhere.test is for "),
            (&opportunistic, "the certificate of mx.elsewhere.test is for "),
            (&implicit, "the certificate of mx.elsewhere.test is for "),
            (&addressed, "the certificate of [127.0.0.9] is for "),
            (&unknown, "the certificate of mail.example.test is signed by nobody who is trusted here"),
            (&nameless, "no certificate can be for mx_.-.test:25, which is no name of a host"),
        ] {
            let (closed, letters) = soon(sending.send(server, &[LOOPBACK], 3)).await;
            assert!(matches!(closed.ending, Err(Trouble::Certificate(_))), "{closed:?}");
            assert!(ending(&closed).starts_with(said), "{closed:?}");
            assert_eq!((closed.jobs, letters.outcomes.len()), (0, 0));
        }
        let (closed, _) = soon(sending.send(&wrong, &[LOOPBACK], 3)).await;
        let said = ending(&closed);
        assert!(said.contains("example.test, ") && said.ends_with(" and not for that name"), "{said}");
        // Where it need not be verified, any will do.
        for server in [wrong, unknown, nameless] {
            let (closed, letters) =
                soon(sending.send(&Server { verify: false, ..server }, &[LOOPBACK], 3)).await;
            assert_eq!((ending(&closed).as_str(), letters.outcomes.len()), ("Done", 1));
            assert!(closed.reached.unwrap().tls.is_some_and(|tls| !tls.verified));
        }
    });
}

#[test]
fn the_address_that_answers_is_taken() {
    block_on(async {
        let sending = Sending::start("addresses").await;
        let server = plain(sending.rig.port(Service::Smtp));
        let dead = IpAddr::from([127, 0, 0, 2]);
        let (closed, letters) = soon(sending.send(&server, &[dead, LOOPBACK], 3)).await;
        assert_eq!((ending(&closed).as_str(), letters.outcomes.len()), ("Done", 1));
        assert_eq!(closed.reached.unwrap().address, LOOPBACK);
        let (closed, _) = soon(sending.send(&server, &[dead, [127, 0, 0, 3].into()], 3)).await;
        let port = server.port;
        let said = format!(
            "127.0.0.2 refuses connections to port {port}; 127.0.0.3 refuses connections to port {port}"
        );
        assert_eq!(closed.ending, Err(Trouble::NoConnection(said)));
        assert_eq!((closed.reached, closed.jobs), (None, 0));
        let (closed, _) = soon(sending.send(&server, &[], 3)).await;
        assert_eq!(closed.ending, Err(Trouble::NoConnection("the server has no address".to_owned())));
    });
}

#[test]
fn a_wrong_password_is_tried_at_one_address_only() {
    block_on(async {
        let sending = Sending::start("wrong-password").await;
        sending.rig.serving.house.passwords_hashed().await;
        let mut server = sending.own(Service::Submissions, Tls::Implicit);
        server.login = login("pencil");
        let other = IpAddr::from([127, 0, 0, 2]);
        let listener = TcpListener::bind((other, server.port)).await.unwrap();
        let (closed, letters) = soon(sending.send(&server, &[LOOPBACK, other], 3)).await;
        assert_eq!(ending(&closed), "Refused Auth 535 5.7.8 Name or password is wrong");
        assert_eq!((closed.jobs, letters.outcomes.len()), (0, 0));
        let called = timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(called.is_err(), "the other address has been connected to");
    });
}
