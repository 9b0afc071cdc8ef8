//! Who is told that a mailbox is nearly full, and how often.

use std::time::Duration;

use mail::{Now, Ticks, Uid, UidSet, UnixTime};

use super::*;
use crate::notice::Envelope;
use crate::provision::Records as _;
use crate::service::Service;
use crate::testing::{Flash, PROVISION, Rig, block_on, say};

/// alice may keep 1 MiB.
async fn rig(name: &str) -> Rig {
    let provision = [PROVISION, b"quota = '1MiB'\n"].concat();
    Rig::start_with(Flash::new(name, Duration::ZERO), &provision).await
}

const ALICE: AccountId = AccountId(1);

async fn deliver(rig: &Rig, bytes: usize) -> String {
    let mut session = rig.connect(Service::Smtp).await;
    say(&mut session, "EHLO client.test\r\nMAIL FROM:<a@elsewhere.test>\r\n", "250 2.1.0").await;
    say(&mut session, "RCPT TO:<alice@example.test>\r\nDATA\r\n", "354").await;
    let line = format!("{}\r\n", "x".repeat(98));
    let letter = format!("Subject: s\r\n\r\n{}.\r\n", line.repeat(bytes / 100));
    say(&mut session, &letter, "\r\n").await
}

fn messages(rig: &Rig) -> u32 {
    let store = rig.serving.house.office.store();
    store.status(store.inbox(ALICE).unwrap()).unwrap().messages
}

#[test]
fn the_owner_of_a_mailbox_that_is_nearly_full_gets_one_letter_each_time() {
    block_on(async {
        let rig = rig("quota").await;
        let house = &rig.serving.house;
        let look = || look(house);
        deliver(&rig, 900_000).await;
        look().await;
        assert_eq!(messages(&rig), 1, "there is room");
        deliver(&rig, 50_000).await;
        look().await;
        assert_eq!(messages(&rig), 3, "a letter says so");
        look().await;
        assert_eq!(messages(&rig), 3, "once");
        let inbox = house.office.store().inbox(ALICE).unwrap();
        let ticket = house.office.store_mut().expunge(inbox, &UidSet::range(Uid(2), Uid(3))).unwrap();
        house.office.after_step();
        house.office.durable(&ticket).await;
        deliver(&rig, 50_000).await;
        look().await;
        assert_eq!(messages(&rig), 2, "still nine tenths, or nearly: not again");
        let ticket = house.office.store_mut().expunge(inbox, &UidSet::range(Uid(1), Uid(1))).unwrap();
        house.office.after_step();
        house.office.durable(&ticket).await;
        look().await;
        assert_eq!(house.office.setting(&key::quota_told(ALICE)), None, "there is room again");
        deliver(&rig, 900_000).await;
        look().await;
        assert_eq!(messages(&rig), 3, "and it is full again");
        rig.serving.close().await;
    });
}

#[test]
fn a_mailbox_without_room_for_the_letter_is_not_taken_for_told() {
    block_on(async {
        let rig = rig("quota-full").await;
        let house = &rig.serving.house;
        assert!(deliver(&rig, 1_048_000).await.starts_with("250 "));
        look(house).await;
        assert_eq!(messages(&rig), 1);
        assert_eq!(house.office.setting(&key::quota_told(ALICE)), None);
        assert!(deliver(&rig, 1_000).await.contains("452 4.2.2"));
        rig.serving.close().await;
    });
}

#[test]
fn the_letter_says_it_in_both_languages() {
    let facts = Facts { hostname: "mail.example.test", used: 970 << 20, limit: 1 << 30 };
    let now = Now { ticks: Ticks(0), unix: UnixTime(1_795_000_000), utc_offset_s: 9 * 3_600 };
    let envelope = Envelope {
        hostname: "mail.example.test",
        to: "alice@example.test",
        language: Language::Japanese,
        now,
        unique: "abc",
    };
    let text = notice::write(&facts, &envelope);
    for words in
        ["94 % になりました（1.00 GiB のうち 970 MiB）", "94 % full: 970 MiB of 1.00 GiB.", "<quota.abc@mail"]
    {
        assert!(text.contains(words), "{words} in {text}");
    }
    assert!(!text.contains('{'), "{text}");
}

#[test]
fn shares_of_any_quota_can_be_reckoned() {
    for (used, limit, share) in [
        (0, 10, 0),
        (9, 10, 90),
        (99, 100, 99),
        (0, 0, 100),
        (u64::MAX, u64::MAX, 100),
        (u64::MAX, 1 << 63, 199),
    ] {
        assert_eq!(percent(used, limit), share);
    }
}
