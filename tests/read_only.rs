//! A card at the end of its life takes no more writes: from the start of the program on, mail is read as ever, nothing is
//! promised that cannot be kept, and everybody is told in a sentence.

#![expect(clippy::expect_used, reason = "a test fails by panicking; so do its helpers")]

use image::layout::FLASH_BYTES_MIN;
use tests::boxed::Boxed;
use tests::clients::{Imap, Pop3, Smtp};
use tests::hosted::{Hosted, Options};
use tests::letters::numbered;
use tests::machine::Machine;
use tests::page;
use tests::provision::{named_account, small_file};
use tests::site::{Account, Service, Site};

const SENDER: &str = "ann@client.test";
const ALICE: &str = "alice@example.test";

fn alice() -> Account {
    named_account(ALICE)
}

#[test]
fn a_card_that_takes_no_writes_is_read_from_the_start() {
    let provision = Some(small_file(&[ALICE]));
    let flash_size = "64MiB".to_owned();
    let mut hosted = Hosted::new("read-only", Options { provision, flash_size, ..Options::default() });
    hosted.start();
    let site = hosted.site();
    let letters = [numbered(1, 2_000), numbered(2, 300_000)];
    for letter in &letters {
        Smtp::connect(&site, Service::Smtp).letter(SENDER, &[ALICE], letter);
    }
    hosted.stop();
    hosted.set_read_only(true);
    hosted.start();
    everybody_is_told(&site, &letters);
    let printed = hosted.stop();
    assert!(printed.contains("takes no writes") && !printed.contains("panicked"), "{printed}");
    // The card was copied: on the new one everything goes on.
    hosted.set_read_only(false);
    hosted.start();
    Smtp::connect(&site, Service::Smtp).letter(SENDER, &[ALICE], &numbered(3, 900));
    let mut imap = Imap::select(&site, &alice(), "INBOX");
    assert_eq!(imap.uids().len(), 3);
    let told = imap.wire.dialogue();
    assert!(told.contains(" OK [READ-WRITE] ") && !told.contains("ALERT"), "{told}");
}

/// The box's whole card takes no writes, so that PID 1 finds no place for anything; and its last life ended with a power
/// cut, so that nothing was put in order for it.
#[test]
fn a_box_whose_card_takes_no_writes_serves_reading() {
    let builder = qemu::Machine::builder().flash_bytes(FLASH_BYTES_MIN);
    let provision = small_file(&[ALICE]);
    let mut boxed = Boxed::start_with("read-only-box", qemu::Board::Virt, builder, &provision);
    let site = boxed.site();
    let letters = [numbered(1, 2_000), numbered(2, 300_000)];
    for letter in &letters {
        Smtp::connect(&site, Service::Smtp).letter(SENDER, &[ALICE], letter);
    }
    boxed.cut();
    boxed.machine().set_disk_read_only(true);
    boxed.start();
    everybody_is_told(&site, &letters);
    let console = boxed.console();
    assert!(console.contains("takes no writes") && !console.contains("died"), "{console}");
    let problems = qemu::serial_problems(&console);
    assert!(problems.is_empty(), "{problems:#?}");
    boxed.shut_down();
    // The card was copied.
    boxed.machine().set_disk_read_only(false);
    boxed.start();
    Smtp::connect(&site, Service::Smtp).letter(SENDER, &[ALICE], &numbered(3, 900));
    assert_eq!(Imap::select(&site, &alice(), "INBOX").uids().len(), 3);
    boxed.shut_down();
}

/// By every protocol and on the page.
fn everybody_is_told(site: &Site, letters: &[Vec<u8>]) {
    imap_reads(site, letters);
    pop3_reads(site);
    let refused = Smtp::connect(site, Service::Smtp).expect(452, &format!("MAIL FROM:<{SENDER}>"));
    assert!(refused.text().contains("takes no more writes"), "{}", refused.text());
    let page = page::first_page(site);
    assert!(page.contains("takes no more writes"), "{page}");
}

fn imap_reads(site: &Site, letters: &[Vec<u8>]) {
    let mut imap = Imap::select(site, &alice(), "INBOX");
    let told = imap.wire.dialogue();
    assert!(told.contains("* OK [ALERT] The storage of this mail server takes no more writes"), "{told}");
    for words in [" OK [READ-ONLY] ", "* OK [PERMANENTFLAGS ()]"] {
        assert!(told.contains(words), "no {words}: {told}");
    }
    let uids = imap.uids();
    assert_eq!(uids.len(), letters.len());
    for (uid, letter) in uids.iter().zip(letters) {
        // The box has put its trace in front.
        assert!(imap.letter(*uid).ends_with(letter), "UID {uid}");
    }
    imap.ok("UID SEARCH TEXT Letter");
    for command in ["STORE 1 +FLAGS (\\Flagged)", "CREATE Later", "COPY 1 Trash", "MOVE 1 Trash", "EXPUNGE"] {
        let text = imap.refused("NO", command);
        assert!(text.contains("[UNAVAILABLE]"), "{command}: {text}");
    }
    let appended = imap.try_append("INBOX", "", b"Subject: x\r\n\r\nx\r\n").expect("an answer");
    assert_eq!(appended.status, "NO", "{}", appended.text);
    imap.ok("CLOSE");
    imap.ok("LOGOUT");
}

fn pop3_reads(site: &Site) {
    let mut pop3 = Pop3::log_in(site, &alice());
    assert_eq!(pop3.numbers(), [1, 2]);
    assert!(pop3.many("RETR 1").ends_with(&numbered(1, 2_000)));
    pop3.ok("DELE 1");
    let refused = pop3.refused("QUIT");
    assert!(refused.contains("[SYS/PERM]"), "{refused}");
}
