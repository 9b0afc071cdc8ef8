//! Tests of switching off, with everything running and real connections.

use std::time::{Duration, Instant};

use tokio::{io::AsyncWriteExt, time::sleep};

use super::*;
use crate::{
    http::NetworkView,
    network::Resident,
    service::Service,
    testing::{Flash, PROVISION, Rig, block_on, rest, say, until},
};

/// Long for a machine that does other things besides, and short against every limit that is tested.
const SLACK: Duration = Duration::from_millis(700);

async fn begin_letter(rig: &Rig) -> tokio::net::TcpStream {
    let mut smtp = rig.connect(Service::Smtp).await;
    until(&mut smtp, "220 ").await;
    say(&mut smtp, "EHLO client.test\r\n", "250 ").await;
    say(&mut smtp, "MAIL FROM:<bob@elsewhere.test>\r\n", "250 ").await;
    say(&mut smtp, "RCPT TO:<alice@example.test>\r\n", "250 ").await;
    say(&mut smtp, "DATA\r\n", "354 ").await;
    smtp
}

#[test]
fn who_waits_is_told_that_the_box_is_switched_off() {
    block_on(async {
        let rig = Rig::start(Flash::new("farewell", Duration::ZERO)).await;
        let mut smtp = rig.connect(Service::Smtp).await;
        until(&mut smtp, "220 ").await;
        let mut imap = rig.connect(Service::Imap).await;
        until(&mut imap, "* OK ").await;
        let mut idle = rig.connect(Service::Imap).await;
        say(&mut idle, "a LOGIN alice@example.test \"pencil pencil\"\r\n", "a OK ").await;
        say(&mut idle, "b SELECT INBOX\r\n", "b OK ").await;
        say(&mut idle, "c IDLE\r\n", "+ ").await;
        let mut pop3 = rig.connect(Service::Pop3).await;
        until(&mut pop3, "+OK ").await;
        let mut page = rig.connect(Service::Http).await;
        let mut handshake = rig.connect(Service::Imaps).await;
        sleep(Duration::from_millis(50)).await;

        let start = Instant::now();
        rig.serving.close().await;
        assert!(start.elapsed() < crate::limits::FAREWELL_MAX + SLACK, "{:?}", start.elapsed());
        let said = rest(&mut smtp).await;
        assert!(said.starts_with("421 4.3.2 mail.example.test ") && said.ends_with("\r\n"), "{said}");
        for imap in [&mut imap, &mut idle] {
            let said = rest(imap).await;
            assert!(said.starts_with("* BYE ") && said.ends_with("switched off\r\n"), "{said}");
        }
        for silent in [&mut pop3, &mut page, &mut handshake] {
            assert_eq!(rest(silent).await, "");
        }
    });
}

/// Without a barrier no 250; but a barrier that ends in time is waited for, and what it made durable is said.
#[test]
fn a_letter_that_waits_for_its_barrier_is_answered() {
    block_on(async {
        let flash = Flash::new("last-letter", Duration::from_millis(300));
        let rig = Rig::start(flash).await;
        let mut smtp = begin_letter(&rig).await;
        smtp.write_all(b"Subject: last\r\n\r\nHello.\r\n.\r\n").await.unwrap();
        sleep(Duration::from_millis(100)).await;
        rig.serving.close().await;
        let said = rest(&mut smtp).await;
        assert!(said.starts_with("250 2.0.0 ") && said.contains("\r\n421 4.3.2 "), "{said}");
        assert!(rig.serving.house.office.store().is_unmounted());
        let Rig { serving, flash, .. } = rig;
        assert_eq!(serving.house.office.store().statistics().letters, 1);
        drop((serving, flash));
    });
}

/// Half a letter is given up: its sender keeps it and is told to try again.
#[test]
fn a_letter_that_is_still_coming_is_given_up() {
    block_on(async {
        let rig = Rig::start(Flash::new("half-letter", Duration::ZERO)).await;
        let mut smtp = begin_letter(&rig).await;
        smtp.write_all(&b"Hello.\r\n".repeat(20_000)).await.unwrap();
        let start = Instant::now();
        rig.serving.close().await;
        assert!(start.elapsed() < crate::limits::FAREWELL_MAX + SLACK, "{:?}", start.elapsed());
        let said = rest(&mut smtp).await;
        assert!(said.starts_with("421 4.3.2 "), "{said}");
        assert_eq!(rig.serving.house.office.store().statistics().letters, 0);
        assert_eq!(rig.serving.house.office.store().drafts(), 0);
    });
}

/// Who is in the middle of something and does not go on is cut off when the time is over.
#[test]
fn nobody_holds_up_the_end() {
    block_on(async {
        let rig = Rig::start(Flash::new("stubborn", Duration::ZERO)).await;
        let mut letter = begin_letter(&rig).await;
        letter.write_all(&b"Hello. Hello. Hello. Hello. Hello.\r\n".repeat(600_000)).await.unwrap();
        say(&mut letter, ".\r\n", "250 ").await;
        let mut imap = rig.connect(Service::Imap).await;
        say(&mut imap, "a LOGIN alice@example.test \"pencil pencil\"\r\n", "a OK ").await;
        say(&mut imap, "b SELECT INBOX\r\n", "b OK ").await;
        // 20 MB that nobody reads.
        imap.write_all(b"c FETCH 1 BODY[]\r\n").await.unwrap();
        sleep(Duration::from_millis(200)).await;
        let start = Instant::now();
        rig.serving.close().await;
        let took = start.elapsed();
        assert!(took >= SHUTDOWN_GRACE - SLACK && took < SHUTDOWN_MAX + SLACK, "{took:?}");
        assert!(rig.serving.house.office.store().is_unmounted());
    });
}

/// A file that was not applied keeps its passwords: what the box knows are those of the file before.
#[test]
fn passwords_of_a_file_that_is_wrong_are_left_in_it() {
    let flash = block_on(async {
        let rig = Rig::start(Flash::new("wrong-file", Duration::ZERO)).await;
        rig.serving.house.passwords_hashed().await;
        rig.serving.close().await;
        rig.flash
    });
    block_on(async {
        let wrong =
            String::from_utf8(PROVISION.to_vec()).unwrap().replace("pencil", "chalk") + "quotaa = '1GiB'";
        let rig = Rig::start_with(flash, wrong.as_bytes()).await;
        let hashed = rig.serving.house.passwords_hashed();
        let replaced = tokio::time::timeout(Duration::from_millis(300), hashed).await;
        assert!(replaced.is_err(), "the old password's hash takes the new password's place");
    });
}

/// Who writes to a slow card while something changes shows the change afterwards.
#[test]
fn a_change_that_comes_while_somebody_is_busy_is_not_missed() {
    block_on(async {
        let rig = Rig::start(Flash::new("busy", Duration::ZERO)).await;
        let house = &rig.serving.house;
        house.passwords_hashed().await;
        let mut changes = house.changes();
        Resident::moved(house.as_ref(), vec![[192, 168, 1, 9].into()], NetworkView::Dhcp(None), vec![]);
        sleep(Duration::from_millis(100)).await;
        assert_eq!(house.addresses(), [std::net::IpAddr::from([192, 168, 1, 9])]);
        let told = tokio::time::timeout(Duration::from_secs(5), changes.changed()).await;
        assert!(told.is_ok_and(|told| told.is_ok()), "nobody says that the box has moved");
    });
}
