//! Tests of the service: requests in, answers out, in front of a box in memory; and a few over a real connection.

use std::cell::Cell;
use std::time::Duration;

use http::header::{ALLOW, CONTENT_TYPE, HOST, HeaderName, LOCATION, ORIGIN, RETRY_AFTER, SET_COOKIE};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use mail::Address;
use proto::{Login, Secret};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::reply::Reply;
use super::*;
use crate::certs::{AuthorityView, Certificates, Moment, Names};
use crate::health::Health;
use crate::memory::Memory;
use crate::passwords::{Authenticator, Decoys, Hasher};
use crate::provision::fake::Box_;
use crate::provision::{Change, Keeper, Records, key};
use crate::service::Service;
use crate::testing::block_on;

const LAN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 7));

/// A box that is well.
pub(super) fn state() -> StateView {
    StateView {
        hostname: "tegami.local".to_owned(),
        domains: vec!["example.test".to_owned()],
        version: "0.1.0",
        up_s: 4_000,
        addresses: vec!["192.168.1.20".parse().unwrap()],
        network: NetworkView::Dhcp(Some("192.168.1.1".parse().unwrap())),
        services: Service::ALL.map(|service| (service, true)).into(),
        flash: FlashView { capacity: 31 << 30, used: 3 << 30, messages: 1_234, ..FlashView::default() },
        memory: Some(Memory { total: 92 << 20, free: 70 << 20, own: 7 << 20 }),
        clock: ClockView {
            unix_s: 1_796_083_200,
            utc_offset_s: 32_400,
            zone: "Asia/Tokyo".to_owned(),
            is_known: true,
        },
        provision: None,
    }
}

/// The rest of the program, in memory.
struct Office {
    it: Box_,
    state: std::cell::RefCell<StateView>,
    authenticator: Authenticator,
    certificates: Certificates,
    changed: Cell<u32>,
}

impl Desk for Office {
    fn state(&self) -> StateView {
        let domains = self.it.domains.borrow().iter().cloned().collect();
        StateView { domains, ..self.state.borrow().clone() }
    }

    fn authority(&self) -> AuthorityView {
        self.certificates.authority()
    }

    fn keeper(&self) -> &dyn Keeper {
        &self.it
    }

    fn authenticator(&self) -> &Authenticator {
        &self.authenticator
    }

    fn changed(&self) {
        self.changed.set(self.changed.get() + 1);
    }
}

struct House {
    office: Rc<Office>,
    front: Rc<Front>,
}

impl House {
    fn new() -> Self {
        let it = Box_::default();
        let now = Moment { unix_s: 1_796_083_200, is_known: true };
        let names = Names { hostname: "tegami.local".to_owned(), ..Names::default() };
        let (certificates, _) = Certificates::open(&it, &names, now).unwrap();
        let office = Rc::new(Office {
            it,
            state: std::cell::RefCell::new(state()),
            authenticator: Authenticator::new(Hasher::start().unwrap(), Decoys::from_key(&[7; 32])).unwrap(),
            certificates,
            changed: Cell::new(0),
        });
        let front = Front::new(Rc::<Office>::clone(&office)).unwrap();
        Self { office, front }
    }

    fn claimed() -> Self {
        let this = Self::new();
        this.office.it.make(vec![
            Change::Domain("example.test".to_owned()),
            Change::Account {
                address: Box::new(Address::parse("hanako@example.test").unwrap()),
                secret: None,
                quota: None,
            },
            Change::set(key::ADMINISTRATOR, vec![1]),
        ]);
        this
    }

    async fn send(&self, ip: IpAddr, tls: bool, request: Request<Full<Bytes>>) -> Answer {
        Answer::of(self.front.respond(ip, tls, request).await).await
    }

    async fn get(&self, tls: bool, path: &str) -> Answer {
        self.send(LAN, tls, get(path).body(Full::default()).unwrap()).await
    }

    /// Sends the claim form as a browser does that has fetched it before.
    async fn claim(&self, fields: &[(&str, &str)]) -> Answer {
        let page = self.get(true, "/claim").await;
        let cookie = page.header(SET_COOKIE);
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let token = page.text.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.append_pair("token", token).extend_pairs(fields);
        let request = Request::post("/claim")
            .header(HOST, "tegami.local")
            .header(ORIGIN, "https://tegami.local")
            .header("cookie", cookie)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from(body.finish()))
            .unwrap();
        self.send(LAN, true, request).await
    }

    fn code(&self) -> String {
        self.front.claim_code().unwrap()
    }

    fn right<'a>(&self, code: &'a str) -> Vec<(&'a str, &'a str)> {
        let mut fields = vec![
            ("code", code),
            ("domain", "example.test"),
            ("account", "hanako"),
            ("password", "pencil pencil"),
            ("password_again", "pencil pencil"),
            ("admin_password", "granite granite"),
            ("admin_password_again", "granite granite"),
        ];
        fields.rotate_left(usize::from(code.is_empty()));
        fields
    }
}

fn get(path: &str) -> http::request::Builder {
    Request::get(path).header(HOST, "tegami.local").header("accept-language", "en")
}

struct Answer {
    status: StatusCode,
    headers: http::HeaderMap,
    text: String,
}

impl Answer {
    async fn of(reply: Reply) -> Self {
        let (parts, body) = reply.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Self { status: parts.status, headers: parts.headers, text }
    }

    fn header(&self, name: HeaderName) -> String {
        self.headers.get(name).map_or(String::new(), |value| value.to_str().unwrap().to_owned())
    }
}

#[test]
fn the_first_page_says_what_the_box_is_in_two_languages() {
    block_on(async {
        let house = House::claimed();
        let english = house.get(false, "/").await;
        assert_eq!(english.status, StatusCode::OK);
        for text in ["Your mail server is running", "192.168.1.20", "3 GiB of 31 GiB used", "Messages: 1234"]
        {
            assert!(english.text.contains(text), "{text}");
        }
        for text in ["1 December 2026, 09:00 (Asia/Tokyo)", "66 minutes", "Tegami 0.1.0", "example.test"] {
            assert!(english.text.contains(text), "{text}");
        }
        let japanese = house.get(false, "/?lang=ja").await;
        assert!(japanese.text.contains("メールサーバーは動いています"));
        assert!(japanese.text.contains("2026年12月1日 09:00（Asia/Tokyo）"));
        assert!(japanese.header(SET_COOKIE).starts_with("lang=ja; "));
        let request = get("/").header("cookie", "lang=ja").body(Full::default()).unwrap();
        assert!(house.send(LAN, false, request).await.text.contains("lang=\"ja\""));
    });
}

#[test]
fn the_first_page_says_what_is_wrong() {
    block_on(async {
        let house = House::claimed();
        {
            let mut state = house.office.state.borrow_mut();
            state.flash = FlashView {
                capacity: 100,
                used: 95,
                messages: 0,
                health: Health { is_read_only: true, damaged: 3, retired: 2, ..Health::default() },
            };
            state.network = NetworkView::Waiting;
            state.clock.is_known = false;
            let error = crate::provision::read(b"version = 1\nhostnam = 'x'").unwrap_err();
            state.provision = Some(ProvisionView::Wrong(error));
        }
        let page = house.get(false, "/").await.text;
        for text in [
            "The flash takes no more writes",
            "could not be read: 3",
            "not used any more: 2",
            "nearly full",
            "no address on the network",
            "does not know the time yet",
            "In line 2, hostnam: there is no such key here",
        ] {
            assert!(page.contains(text), "{text}");
        }
    });
}

#[test]
fn only_devices_nearby_are_answered() {
    block_on(async {
        let house = House::new();
        for (ip, status) in [
            ("192.168.1.7", StatusCode::OK),
            ("10.0.2.2", StatusCode::OK),
            ("127.0.0.1", StatusCode::OK),
            ("fe80::1", StatusCode::OK),
            ("::ffff:192.168.1.7", StatusCode::OK),
            ("203.0.113.9", StatusCode::FORBIDDEN),
            ("2001:db8::1", StatusCode::FORBIDDEN),
            ("::ffff:203.0.113.9", StatusCode::FORBIDDEN),
        ] {
            for path in ["/", "/claim", "/tegami-ca.crt"] {
                let request = get(path).body(Full::default()).unwrap();
                let answer = house.send(ip.parse().unwrap(), true, request).await;
                assert_eq!(answer.status, status, "{ip} {path}");
                assert!(!answer.text.contains(&house.code()));
            }
        }
        let other = Request::get("/").header(HOST, "evil.test").body(Full::default()).unwrap();
        assert_eq!(house.send(LAN, false, other).await.status, StatusCode::MISDIRECTED_REQUEST);
        let none = Request::get("/").body(Full::default()).unwrap();
        assert_eq!(house.send(LAN, false, none).await.status, StatusCode::BAD_REQUEST);
    });
}

/// Where the provider gives IPv6, a telephone beside the box comes from a public address.
#[test]
fn neighbours_at_public_addresses_are_answered() {
    block_on(async {
        let house = House::new();
        house.office.state.borrow_mut().addresses.push("2001:db8:1:2::10".parse().unwrap());
        for (network, ip, status) in [
            (NetworkView::Dhcp(None), "2001:db8:1:2:aaaa::7", StatusCode::OK),
            (NetworkView::Dhcp(None), "2001:db8:1:3::7", StatusCode::FORBIDDEN),
            (NetworkView::Dhcp(None), "203.0.113.9", StatusCode::FORBIDDEN),
            (NetworkView::Dhcp(None), "::ffff:203.0.113.9", StatusCode::FORBIDDEN),
            (NetworkView::Hosted, "2001:db8:1:2:aaaa::7", StatusCode::FORBIDDEN),
        ] {
            house.office.state.borrow_mut().network = network;
            let answer = house.send(ip.parse().unwrap(), true, get("/").body(Full::default()).unwrap()).await;
            assert_eq!(answer.status, status, "{ip}, {network:?}");
        }
    });
}

#[test]
fn every_answer_keeps_the_browser_careful() {
    block_on(async {
        let house = House::new();
        for path in ["/", "/claim", "/mail", "/tegami-ca.crt", "/tegami-1.css", "/tegami-1.svg", "/nothing"] {
            let answer = house.get(true, path).await;
            let policy = answer.headers.get("content-security-policy").unwrap().to_str().unwrap();
            assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}");
            for name in ["x-content-type-options", "x-frame-options", "referrer-policy", "cache-control"] {
                assert!(answer.headers.contains_key(name), "{path} {name}");
            }
            assert!(!answer.text.contains("<script") && !answer.text.contains(" style="), "{path}");
        }
    });
}

#[test]
fn what_is_no_page_and_what_is_no_method() {
    block_on(async {
        let house = House::new();
        for path in ["/admin", "//evil.test/", "/claim/", "/../etc/passwd"] {
            let answer = house.get(true, path).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
            assert!(!answer.text.contains("evil.test"));
        }
        for (method, path, allow) in [("POST", "/", "GET, HEAD"), ("DELETE", "/claim", "GET, HEAD, POST")] {
            let request = Request::builder().method(method).uri(path).header(HOST, "tegami.local");
            let answer = house.send(LAN, true, request.body(Full::default()).unwrap()).await;
            assert_eq!(
                (answer.status, answer.header(ALLOW).as_str()),
                (StatusCode::METHOD_NOT_ALLOWED, allow)
            );
        }
    });
}

#[test]
fn secrets_are_asked_for_under_tls_only() {
    block_on(async {
        let house = House::new();
        let request = Request::get("/claim").header(HOST, "127.0.0.1:20080").body(Full::default()).unwrap();
        let answer = house.send(LAN, false, request).await;
        assert_eq!(
            (answer.status, answer.header(LOCATION).as_str()),
            (StatusCode::SEE_OTHER, "https://127.0.0.1:20443/claim")
        );
        let request =
            Request::post("/claim").header(HOST, "tegami.local").body(Full::from("code=x")).unwrap();
        let answer = house.send(LAN, false, request).await;
        assert_eq!(
            (answer.status, answer.header(LOCATION).as_str()),
            (StatusCode::SEE_OTHER, "https://tegami.local/claim")
        );
        assert!(house.get(false, "/").await.text.contains("href=\"https://tegami.local/claim\""));
    });
}

#[test]
fn claiming_makes_everything_and_ends_the_code() {
    block_on(async {
        let house = House::new();
        assert!(!house.front.is_claimed());
        let code = house.code();
        let answer = house.claim(&house.right(&code)).await;
        assert_eq!(
            (answer.status, answer.header(LOCATION).as_str()),
            (StatusCode::SEE_OTHER, "/mail?welcome"),
            "{}",
            answer.text
        );
        assert!(house.front.is_claimed() && house.front.claim_code().is_none());
        assert_eq!(house.office.changed.get(), 1);
        let login = Login {
            name: Secret::new("hanako@example.test".to_owned()),
            password: Secret::new("pencil pencil".to_owned()),
        };
        let office = &house.office;
        assert!(office.authenticator.check(&office.it, &login, LAN).await.is_ok());
        let administrator = Secret::new("granite granite".to_owned());
        assert_eq!(office.authenticator.check_administrator(&office.it, &administrator, LAN).await, Ok(()));

        let page = house.get(true, "/mail?welcome").await;
        assert!(page.text.contains("Done: this mail server is yours") && page.text.contains("993, SSL/TLS"));
        assert_eq!(house.get(true, "/claim").await.header(LOCATION), "/");
        let late = Request::post("/claim").header(HOST, "tegami.local").body(Full::default()).unwrap();
        assert_eq!(house.send(LAN, true, late).await.header(LOCATION), "/");
    });
}

#[test]
fn a_wrong_form_comes_back_with_what_was_typed_but_for_secrets() {
    block_on(async {
        let house = House::new();
        let code = house.code();
        let mut fields = house.right(&code);
        fields[1].1 = "office";
        fields[2].1 = "\"><b>x";
        let answer = house.claim(&fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.text.contains("value=\"office\"") && answer.text.contains("&quot;&gt;&lt;b&gt;x"));
        assert!(!answer.text.contains("pencil") && !answer.text.contains("granite"));
        assert!(answer.text.contains("A domain such as example.com is needed"));
        assert!(!house.front.is_claimed());
    });
}

#[test]
fn five_wrong_codes_and_the_right_one_waits() {
    block_on(async {
        let house = House::new();
        for _ in 0..5 {
            let answer = house.claim(&house.right("AAAAAAAAAA")).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
            assert!(answer.text.contains("This is not the code"));
        }
        let code = house.code();
        let answer = house.claim(&house.right(&code)).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(answer.header(RETRY_AFTER).parse::<u32>().unwrap() > 50);
        assert!(!house.front.is_claimed());
    });
}

#[test]
fn a_form_of_another_page_or_another_browser_is_refused() {
    block_on(async {
        let house = House::new();
        let post = || {
            let request = Request::post("/claim").header(HOST, "tegami.local");
            request.header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        };
        let foreign = post().header(ORIGIN, "https://evil.test").body(Full::default()).unwrap();
        assert_eq!(house.send(LAN, true, foreign).await.status, StatusCode::FORBIDDEN);
        let no_cookie = post().body(Full::from("token=x&code=y")).unwrap();
        let answer = house.send(LAN, true, no_cookie).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.text.contains("cookies are switched off") && answer.text.contains("name=\"token\""));
        let cookie = answer.header(SET_COOKIE);
        for attribute in ["__Host-tegami=", "; Secure", "; HttpOnly", "; SameSite=Strict", "; Path=/"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        let json =
            Request::post("/claim").header(HOST, "tegami.local").header(CONTENT_TYPE, "application/json");
        let answer = house.send(LAN, true, json.body(Full::from("{}")).unwrap()).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        let long = post().body(Full::from("x".repeat(9_000))).unwrap();
        assert_eq!(house.send(LAN, true, long).await.status, StatusCode::PAYLOAD_TOO_LARGE);
        // None of them was a try.
        assert_eq!(house.claim(&house.right(&house.code())).await.status, StatusCode::SEE_OTHER);
    });
}

#[test]
fn a_store_that_refuses_leaves_the_box_to_be_claimed() {
    block_on(async {
        let house = House::new();
        house.office.it.full.set(true);
        let code = house.code();
        let answer = house.claim(&house.right(&code)).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.text.contains("The flash did not take the settings"));
        house.office.it.full.set(false);
        assert_eq!(house.claim(&house.right(&code)).await.status, StatusCode::SEE_OTHER);
    });
}

#[test]
fn without_an_administrator_only_that_password_is_claimed() {
    block_on(async {
        let house = House::claimed();
        house.office.it.make(vec![Change::unset(key::ADMINISTRATOR)]);
        assert!(house.front.is_claimed(), "mail goes on");
        let page = house.get(true, "/").await;
        assert!(page.text.contains("The administrator needs a password"));
        let form = house.get(true, "/claim").await.text;
        assert!(form.contains("name=\"admin_password\"") && !form.contains("name=\"domain\""));
        let code = house.code();
        let answer = house.claim(&house.right(&code)).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert!(house.office.it.setting(key::ADMINISTRATOR).is_some_and(|secret| secret.len() > 50));
        assert!(
            house.office.it.account(&Address::parse("hanako@example.test").unwrap()).unwrap().1.is_empty()
        );
    });
}

#[test]
fn the_authority_is_given_in_both_forms() {
    block_on(async {
        let house = House::claimed();
        let der = house.get(false, "/tegami-ca.crt").await;
        assert_eq!(der.header(CONTENT_TYPE), "application/x-x509-ca-cert");
        let pem = house.get(true, "/tegami-ca.pem").await;
        assert!(pem.text.starts_with("-----BEGIN CERTIFICATE-----\n"));
        assert!(pem.text.ends_with("\n-----END CERTIFICATE-----\n"));
        let groups: Vec<String> =
            house.office.authority().fingerprint.split(':').map(str::to_owned).collect();
        assert!(house.get(true, "/").await.text.contains(&groups[..4].join(":")));
    });
}

// ---- Over a connection ------------------------------------------------------------------------------------------

/// Sends bytes and gives all that comes back until the box closes.
async fn talk(house: &House, bytes: &[u8]) -> String {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let front = Rc::clone(&house.front);
    let serving =
        tokio::task::spawn_local(
            async move { front.serve(theirs, LAN, false, std::future::pending()).await },
        );
    let (mut read, mut write) = tokio::io::split(ours);
    write.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    read.read_to_end(&mut answer).await.unwrap();
    serving.await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_connection_serves_several_requests() {
    block_on(async {
        let house = House::new();
        let requests = "GET / HTTP/1.1\r\nHost: tegami.local\r\n\r\n\
                        HEAD / HTTP/1.1\r\nHost: tegami.local\r\n\r\n\
                        GET /tegami-1.css HTTP/1.1\r\nHost: tegami.local\r\nConnection: close\r\n\r\n";
        let answer = talk(&house, requests.as_bytes()).await;
        assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 3, "{answer}");
        assert_eq!(answer.matches("</html>").count(), 1, "HEAD has no body");
        assert!(answer.contains("\r\ndate: ") && answer.contains(":root {"));
        house.office.state.borrow_mut().clock.is_known = false;
        let answer = talk(&house, b"GET / HTTP/1.1\r\nHost: x.local\r\nConnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK") && !answer.contains("\r\ndate: "));
    });
}

#[test]
fn what_is_no_http_or_too_much_of_it_is_refused() {
    block_on(async {
        let house = House::new();
        for (bytes, status) in [
            (b"EHLO x\r\n\r\n".to_vec(), "400"),
            (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n".to_vec(), "400"),
            (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "400"),
            ([b"GET / HTTP/1.1\r\nHost: x.local\r\nX: ".as_slice(), &[b'x'; 20_000]].concat(), "431"),
            ([b"GET /".as_slice(), &[b'x'; 20_000]].concat(), "4"),
            (format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(100)).into_bytes(), "431"),
        ] {
            let answer =
                tokio::time::timeout(Duration::from_secs(5), talk_and_close(&house, &bytes)).await.unwrap();
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status}")),
                "{status}: {answer} for {:?}",
                String::from_utf8_lossy(&bytes[..bytes.len().min(40)])
            );
        }
    });
}

/// As [`talk`], but says at the end that nothing more comes.
async fn talk_and_close(house: &House, bytes: &[u8]) -> String {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let front = Rc::clone(&house.front);
    tokio::task::spawn_local(async move { front.serve(theirs, LAN, false, std::future::pending()).await });
    let (mut read, mut write) = tokio::io::split(ours);
    let _ = write.write_all(bytes).await;
    let _ = write.shutdown().await;
    let mut answer = Vec::new();
    let _ = read.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}
