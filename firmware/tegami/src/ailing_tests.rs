//! Tests of a box that serves no mail, over real connections.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::{door::Door, service::Census, testing::block_on};

const FILE: &[u8] = b"version = 1\nhostname = 'mail.example.test'\nlanguage = 'ja'\n\
    [network]\naddress = '192.168.1.10/24'\n";

fn ailing(file: Option<&[u8]>) -> Rc<Ailing> {
    Ailing::new(Ailment::NotAStore, file, false, Rc::default())
}

/// What somebody hears who comes to `service` and says `says`.
async fn hear(ailing: &Rc<Ailing>, service: Service, says: &str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let door = Door::new(Rc::clone(ailing), Census::default(), Rc::clone(&ailing.closing));
    door.open(vec![(service, listener)]).unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(says.as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    stream.shutdown().await.unwrap();
    stream.read_to_end(&mut heard).await.unwrap();
    String::from_utf8(heard).unwrap()
}

#[test]
fn every_service_says_that_there_is_no_mail() {
    block_on(async {
        let ailing = ailing(Some(FILE));
        for (service, begins) in [
            (Service::Smtp, "421 "),
            (Service::Submission, "421 "),
            (Service::Imap, "* BYE [UNAVAILABLE] mail.example.test "),
            (Service::Pop3, "-ERR [SYS/PERM] "),
        ] {
            let said = hear(&ailing, service, "").await;
            assert!(said.starts_with(begins) && said.contains("cannot use its flash"), "{said}");
            assert!(said.ends_with("\r\n") && said.matches("\r\n").count() == 1, "{said}");
        }
        for service in [Service::Submissions, Service::Imaps, Service::Pop3s, Service::Https] {
            assert_eq!(hear(&ailing, service, "").await, "", "{service:?}");
        }
    });
}

#[test]
fn the_page_says_what_is_wrong_in_the_readers_language_or_in_both() {
    block_on(async {
        const ENGLISH: &str = "not a mail store of Tegami";
        const JAPANESE: &str = "先頭が壊れています";
        let request = |path: &str, more: &str| {
            format!("GET {path} HTTP/1.1\r\nHost: tegami.local\r\nConnection: close\r\n{more}\r\n")
        };
        let stranger = ailing(None);
        for (more, english, japanese) in [
            ("", true, true),
            ("Accept-Language: en-GB\r\n", true, false),
            ("Accept-Language: ja\r\n", false, true),
            ("Cookie: lang=ja\r\nAccept-Language: en\r\n", false, true),
        ] {
            let page = hear(&stranger, Service::Http, &request("/", more)).await;
            assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
            assert_eq!((page.contains(ENGLISH), page.contains(JAPANESE)), (english, japanese), "{more}");
            assert!(!page.contains("\r\ndate: "), "it does not know the time");
        }
        // The owner's language, where the browser says nothing.
        let known = ailing(Some(FILE));
        let page = hear(&known, Service::Http, &request("/", "")).await;
        assert!(page.contains(JAPANESE) && !page.contains(ENGLISH) && page.contains("mail.example.test"));
        for (path, status) in [("/claim", "303"), ("/tegami-1.css", "200"), ("/nothing", "404")] {
            let answer = hear(&known, Service::Http, &request(path, "")).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
        }
        let other = "GET / HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n";
        assert!(hear(&known, Service::Http, other).await.starts_with("HTTP/1.1 421 "));
        let post = "POST / HTTP/1.1\r\nHost: tegami.local\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        assert!(hear(&known, Service::Http, post).await.starts_with("HTTP/1.1 405 "));
    });
}

#[test]
fn the_console_says_it_and_where_the_page_is() {
    let ailing = ailing(None);
    assert!(!ailing.console_text().contains("Page:"));
    ailing.moved(vec![[192, 168, 1, 10].into()], NetworkView::Dhcp(None), vec![]);
    let text = ailing.console_text();
    for part in ["Page: http://192.168.1.10/", "Nothing on it has been changed", "フラッシュを使えないため"]
    {
        assert!(text.contains(part), "{text}");
    }
    assert!(text.len() <= board::limits::CONSOLE_BYTES_MAX);
    let english = self::ailing(Some(b"version = 1\nlanguage = 'en'"));
    assert!(!english.console_text().contains("フラッシュ"));
}

#[test]
fn the_files_network_is_used() {
    let settings = ailing(Some(FILE)).settings();
    assert_eq!(settings.network.fixed.unwrap().0.address.to_string(), "192.168.1.10");
    let wrong = ailing(Some(b"version = 1\nhostnam = 'x'"));
    assert!(wrong.settings() == Settings::default() && wrong.hostname() == HOSTNAME_DEFAULT);
}

#[test]
fn who_comes_while_the_box_is_switched_off_is_told_so() {
    block_on(async {
        let ailing = ailing(None);
        ailing.closing.run(std::time::Duration::ZERO).await;
        assert!(hear(&ailing, Service::Smtp, "").await.contains("being switched off"));
        let _ = TcpListener::bind("127.0.0.1:0").await.unwrap();
    });
}
