//! Who is told what, once: figures as they come, a letter through the store, and what the second start makes of it.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;

use mail::{Mail as _, Now, Ticks, Uid, UnixTime};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use store::{LetterFault, Statistics};
use tokio::net::TcpStream;

use super::{letter::Facts, *};
use crate::notice::Envelope;
use crate::service::Service;
use crate::testing::{Flash, Rig, block_on, say, until};

const AILING: Health =
    Health { is_read_only: false, damaged: 3, damaged_letters: 1, retired: 2, life_used_percent: 95 };

#[test]
fn figures_become_complaints() {
    assert_eq!(Health::default().complaints(), []);
    let all = Health { is_read_only: true, ..AILING };
    assert_eq!(
        all.complaints(),
        [Complaint::ReadOnly, Complaint::Damage, Complaint::Retired, Complaint::Worn]
    );
    let mut figures = Statistics::default();
    figures.wear.most = ENDURANCE_DEFAULT / 10 * 9;
    assert_eq!(Health::of(&figures).complaints(), []);
    figures.wear.most += ENDURANCE_DEFAULT / 100;
    assert_eq!(Health::of(&figures).complaints(), [Complaint::Worn]);
    let mut bits = all.complaints().into_iter().map(Complaint::bit);
    assert!(bits.try_fold(0_u8, |all, bit| (all & bit == 0).then_some(all | bit)).is_some());
}

#[test]
fn the_letter_says_it_in_both_languages() {
    let damaged = store::DamagedLetter {
        account: Some("alice@example.test".to_owned()),
        mailbox: "INBOX".to_owned(),
        uid: Uid(7),
        fault: LetterFault::Commit,
    };
    let waiting = store::DamagedLetter {
        account: None,
        mailbox: String::new(),
        uid: Uid(8),
        fault: LetterFault::Commit,
    };
    let facts = Facts {
        hostname: "mail.example.test",
        health: &AILING,
        complaints: &AILING.complaints(),
        letters: &[damaged, waiting],
    };
    let envelope = Envelope {
        hostname: "mail.example.test",
        to: "alice@example.test",
        language: Language::Japanese,
        now: Now { ticks: Ticks(0), unix: UnixTime(1_795_000_000), utc_offset_s: 9 * 3_600 },
        unique: "abc",
    };
    let text = notice::write(&facts, &envelope);
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.is_ascii() && head.lines().all(|line| line.len() <= 78), "{head}");
    for field in [
        "From: Tegami <MAILER-DAEMON@mail.example.test>",
        "To: <alice@example.test>",
        "Subject: =?UTF-8?B?",
        "Date: Wed, 18 Nov 2026 20:06:40 +0900",
        "Message-ID: <health.abc@mail.example.test>",
        "Auto-Submitted: auto-generated",
    ] {
        assert!(head.contains(field), "{field} in {head}");
    }
    assert!(body.find("フラッシュ").unwrap() < body.find("flash").unwrap(), "the owner's language first");
    for words in ["INBOX", "UID 7", "tegami queue", "95 %"] {
        assert!(body.matches(words).count() >= 2, "{words} in {body}");
    }
    assert!(text.lines().all(|line| line.len() < 990) && !text.contains('{'));
    assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
    let english = notice::write(&facts, &Envelope { language: Language::English, ..envelope });
    assert!(english.is_ascii(), "{english}");
}

/// Whether the first message of a mailbox can be read as it came.
async fn is_whole(office: &Office, mailbox: mail::MailboxId) -> bool {
    loop {
        let checked = office.store_mut().check_letter(mailbox, Uid(1));
        match checked {
            Err(store::CheckError::Unready(mail::Unready::Cold(cold))) => office.warm(cold).await,
            other => return other.is_ok(),
        }
    }
}

#[test]
fn the_owner_gets_one_letter_for_each_kind_whatever_restarts() {
    let mut flash = Flash::new("health", Duration::ZERO);
    for start in 0..2 {
        flash = block_on(async {
            let rig = Rig::start(flash).await;
            let house = &rig.serving.house;
            let office = &house.office;
            let inbox = office.store().inbox(mail::AccountId(1)).unwrap();
            let complaints = [Complaint::Damage, Complaint::Retired];
            let told = told(office);
            assert_eq!(told, if start == 0 { 0 } else { 6 });
            if start == 0 {
                assert!(tell(house, &AILING, &complaints, told).await);
            }
            let count = office.store().status(inbox).unwrap().messages;
            assert_eq!(count, 1, "start {start}");
            let message = office.store().message(inbox, Uid(1)).unwrap();
            assert!(message.flags.contains(mail::Flags::FLAGGED));
            assert!(is_whole(office, inbox).await);
            rig.serving.close().await;
            rig.flash
        });
    }
}

#[test]
fn the_postmaster_is_the_owner_if_there_is_one() {
    let with_alias = [
        crate::testing::PROVISION,
        b"[[account]]\naddress = 'bob@example.test'\npassword = 'pencil pencil'\n\
          [[alias]]\naddress = 'postmaster@example.test'\nto = ['bob@example.test']\n",
    ]
    .concat();
    for (name, provision, owner) in [
        ("owner-first", crate::testing::PROVISION.to_vec(), "alice@example.test"),
        ("owner-postmaster", with_alias, "bob@example.test"),
    ] {
        block_on(async {
            let rig = Rig::start_with(Flash::new(name, Duration::ZERO), &provision).await;
            let store = rig.serving.house.office.store();
            assert_eq!(letter::owner(&store).unwrap().1, owner);
        });
    }
}

/// A card in memory with one letter on it, which can be made to take no more writes.
fn card(name: &str) -> OwnedFd {
    let memory = memfd_create("card", MemfdFlags::ALLOW_SEALING).unwrap();
    let flash = block_on(async {
        let rig = Rig::start(Flash::new(name, Duration::ZERO)).await;
        let house = &rig.serving.house;
        assert!(tell(house, &AILING, &[Complaint::Damage], 0).await);
        rig.serving.close().await;
        rig.flash
    });
    std::io::copy(
        &mut std::fs::File::open(flash.path()).unwrap(),
        &mut std::fs::File::from(memory.try_clone().unwrap()),
    )
    .unwrap();
    memory
}

/// The program on such a card.
async fn on_card(card: &OwnedFd) -> Rig {
    Rig::start(Flash::at(format!("/proc/self/fd/{}", card.as_raw_fd()).into())).await
}

/// From now on it takes no writes.
fn wear_out(card: &OwnedFd) {
    fcntl_add_seals(card, SealFlags::WRITE).unwrap();
}

/// A card that takes no more writes in the middle of its work: the next change is refused, whoever logs in from then on is
/// told, and mail is read as before.
#[test]
fn a_card_that_turns_read_only_is_told_of_and_read() {
    let card = card("turns");
    block_on(async {
        let rig = on_card(&card).await;
        let house = &rig.serving.house;
        let office = house.office.as_ref();
        assert!(office.carry_out(vec![Change::set("before", vec![1])]).await.is_ok());
        assert!(house.configs().imap.alert.is_none());
        wear_out(&card);
        assert!(office.carry_out(vec![Change::set("after", vec![1])]).await.is_err());
        assert!(office.store().is_read_only());
        assert_eq!(house.configs().imap.alert, Some(READ_ONLY_ALERT));
        let health = Health::of(&office.store().statistics());
        assert_eq!(health.complaints(), [Complaint::ReadOnly]);
        tell(house, &health, &health.complaints(), 2).await;
        let inbox = office.store().inbox(mail::AccountId(1)).unwrap();
        assert_eq!(office.store().status(inbox).unwrap().messages, 1, "nothing can be written");
        assert!(is_whole(office, inbox).await);
        rig.serving.close().await;
    });
}

/// IMAP on such a card: who has a mailbox open is told that nothing in it can be changed any more, who idles at once, and
/// from then on mailboxes are opened for reading.
#[test]
fn a_mailbox_on_a_card_that_turns_read_only_is_open_for_reading() {
    const FIXED: &str = "* OK [READ-ONLY] The flash of this server takes no more changes\r\n";
    let card = card("turns-imap");
    block_on(async {
        let rig = on_card(&card).await;
        let mut idler = imap(&rig).await;
        let mut worker = imap(&rig).await;
        for session in [&mut idler, &mut worker] {
            let opened = say(session, "b SELECT INBOX\r\n", "b OK ").await;
            assert!(opened.contains("b OK [READ-WRITE]"), "{opened}");
        }
        say(&mut idler, "c IDLE\r\n", "+ idling").await;
        wear_out(&card);
        // It finds out.
        let refused = say(&mut worker, "c STORE 1 +FLAGS (\\Seen)\r\n", "c NO ").await;
        assert!(refused.contains("c NO [UNAVAILABLE]"), "{refused}");
        let told = until(&mut idler, "PERMANENTFLAGS ()").await;
        assert!(told.contains(FIXED), "{told}");
        say(&mut idler, "DONE\r\n", "c OK ").await;
        let again = say(&mut worker, "d STORE 1 +FLAGS (\\Seen)\r\n", "d NO ").await;
        assert_eq!((refused + &again).matches(FIXED).count(), 1, "once");
        assert!(!say(&mut idler, "d FETCH 1 BODY[]\r\n", "d OK ").await.contains("\\Seen"));
        let opened = say(&mut idler, "e SELECT INBOX\r\n", "e OK ").await;
        assert!(opened.contains("e OK [READ-ONLY]") && opened.contains("[PERMANENTFLAGS ()]"), "{opened}");
        say(&mut idler, "f CLOSE\r\n", "f OK ").await;
        rig.serving.close().await;
    });
}

/// A session of alice.
async fn imap(rig: &Rig) -> TcpStream {
    let mut session = rig.connect(Service::Imap).await;
    say(&mut session, "a LOGIN alice \"pencil pencil\"\r\n", "a OK ").await;
    session
}
