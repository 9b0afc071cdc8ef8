//! The queue where something is amiss: mailboxes without room, senders who are not there, servers that send one away, a
//! flash that is damaged or takes nothing any more.

use std::{
    os::fd::{AsRawFd as _, OwnedFd},
    os::unix::fs::FileExt as _,
};

use mail::Returns;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use super::*;
use crate::{
    provision::{Change, Keeper as _},
    queue::limits::REPORTS_MAX,
};

/// How much alice may keep, in bytes.
async fn allow(rig: &Rig, bytes: u64) {
    let address = Box::new(Address::parse("alice@example.test").unwrap());
    let change = Change::Account { address, secret: None, quota: Some(bytes) };
    rig.serving.house.office.carry_out(vec![change]).await.unwrap();
}

#[test]
fn what_was_taken_is_not_sent_again_because_its_report_has_to_wait() {
    block_on(async {
        let post = Post::open("no-room").await;
        allow(&post.rig, 1_024).await;
        post.submit(ALICE, &[("bob@peer.test", Notify::SUCCESS)]).await;
        let waits = |attempts: u8| {
            move |queue: &[Outbound]| (queue[0].attempts, queue[0].report_only) == (attempts, true)
        };
        post.until(waits(1)).await;
        order(&post.rig, Order::Retry).await;
        post.until(waits(2)).await;
        allow(&post.rig, 1 << 20).await;
        order(&post.rig, Order::Retry).await;
        post.until(|queue| queue.is_empty()).await;
        assert_eq!(post.heard.borrow().letters.len(), 1);
        let inbox = post.inbox().await;
        let [report] = inbox.as_slice() else { panic!("{inbox:?}") };
        assert!(report.contains("Action: relayed") && report.contains("bob@peer.test"), "{report}");
    });
}

/// What nobody could be told of is told as soon as there is room, and is given up after two days of trying.
#[test]
fn a_failure_is_told_once_the_senders_mailbox_has_room() {
    block_on(async {
        let post = Post::open("full").await;
        allow(&post.rig, 1_024).await;
        post.submit(ALICE, &[("gone@peer.test", UNSAID)]).await;
        let waits = |queue: &[Outbound]| (queue[0].attempts, queue[0].report_only) == (1, true);
        let first = post.until(waits).await[0];
        allow(&post.rig, 1 << 20).await;
        order(&post.rig, Order::Retry).await;
        post.until(|queue| queue.is_empty()).await;
        let inbox = post.inbox().await;
        let [report] = inbox.as_slice() else { panic!("{inbox:?}") };
        for part in ["Action: failed", "Status: 5.1.1", "550 5.1.1 Nobody of that name", "How do you do?"] {
            assert!(report.contains(part), "{part} in {report}");
        }
        let rcpts = || post.heard.borrow().envelopes.iter().filter(|line| line.starts_with("RCPT")).count();
        assert_eq!(rcpts(), 1, "the server said it once and for all");

        allow(&post.rig, 1_024).await;
        post.submit(ALICE, &[("gone@peer.test", UNSAID)]).await;
        post.until(waits).await;
        set(&post.rig, Outbound { attempts: REPORTS_MAX, due_s: 0, ..first }).await;
        post.until(|queue| queue.is_empty()).await;
        assert_eq!((post.inbox().await.len(), rcpts()), (1, 2));
    });
}

#[test]
fn neither_a_notice_nor_a_cancelled_letter_hurries_where_the_sender_has_no_room() {
    block_on(async {
        let post = Post::open("slow").await;
        post.submit(ALICE, &[("full@peer.test", UNSAID)]).await;
        let first = post.until(|queue| queue[0].attempts == 1).await[0];
        allow(&post.rig, 1_024).await;
        let fourth = Outbound { attempts: 4, due_s: 3_100, ..first };
        set(&post.rig, fourth).await;
        let told = post.until(|queue| queue[0].told == [true, false]).await[0];
        assert_eq!(told, Outbound { told: [true, false], ..fourth }, "it is tried when it would have been");
        order(&post.rig, Order::Cancel).await;
        let waits = post.until(|queue| queue[0].attempts == 5).await[0];
        assert!(waits.cancelled && waits.due_s >= 3_600, "{waits:?}");
        sleep(Duration::from_millis(300)).await;
        assert_eq!(queued(&post.rig), [waits], "there is one try an hour");
        allow(&post.rig, 1 << 20).await;
        order(&post.rig, Order::Retry).await;
        post.until(|queue| queue.is_empty()).await;
        let inbox = post.inbox().await;
        assert!(inbox.len() == 1 && inbox[0].contains("full@peer.test"), "{inbox:?}");
    });
}

/// The letter would have room beside the report in no mailbox of hers.
#[test]
fn a_report_that_does_not_fit_comes_without_the_letter() {
    block_on(async {
        let post = Post::open("large").await;
        post.offline();
        let envelope = Envelope { returns: Some(Returns::Full), ..from(ALICE) };
        let line = format!("{}\r\n", "x".repeat(98));
        let letter = [LETTER, line.repeat(1_000).as_bytes()].concat();
        submit_letter(&post.rig, envelope, &[("gone@peer.test", UNSAID)], &letter).await;
        allow(&post.rig, 50_000).await;
        post.online();
        post.until(|queue| queue.is_empty()).await;
        let inbox = post.inbox().await;
        let [report] = inbox.as_slice() else { panic!("{inbox:?}") };
        assert!(report.contains("550 5.1.1 Nobody") && report.contains("Subject: hello"), "{report}");
        assert!(!report.contains("How do you do?"));
    });
}

#[test]
fn what_was_to_be_secret_on_its_way_does_not_go_back_whole() {
    block_on(async {
        let post = Post::open("secret").await;
        let envelope = Envelope { requires_tls: true, returns: Some(Returns::Full), ..from(ALICE) };
        submit_with(&post.rig, envelope, &[("bob@peer.test", UNSAID)]).await;
        post.until(|queue| queue.is_empty()).await;
        let inbox = post.inbox().await;
        let [report] = inbox.as_slice() else { panic!("{inbox:?}") };
        assert!(report.contains("Status: 5.7.30") && report.contains("Subject: hello"), "{report}");
        assert!(!report.contains("How do you do?"));
    });
}

/// A sender that is nobody here: the letter is tried on all the same.
#[test]
fn a_notice_that_nobody_can_get_holds_up_nothing() {
    block_on(async {
        let post = Post::open("nobody").await;
        let nobody = Envelope { sender: from(Some("nobody@example.test")).sender, ..Envelope::default() };
        submit_with(&post.rig, nobody, &[("full@peer.test", UNSAID)]).await;
        let first = post.until(|queue| queue[0].attempts == 1).await[0];
        set(&post.rig, Outbound { attempts: 4, due_s: 3_100, ..first }).await;
        post.until(|queue| queue[0].told == [true, false]).await;
        set(&post.rig, Outbound { attempts: 4, due_s: 0, told: [true, false], ..first }).await;
        post.until(|queue| queue[0].attempts == 5).await;
        set(&post.rig, Outbound { attempts: 14, due_s: 0, told: [true, true], ..first }).await;
        post.until(|queue| queue.is_empty()).await;
        assert!(post.inbox().await.is_empty());
    });
}

/// One that there is no way to, as the kernel has it: that is no word about the network.
#[test]
fn a_destination_that_cannot_be_reached_keeps_no_other_waiting() {
    block_on(async {
        let dead = "[[route]]\ndomain = 'dead.test'\nhost = '224.0.0.1'\ntls = 'none'\n";
        let post = Post::on(Flash::new("post-no-way", Duration::ZERO), dead).await;
        post.submit(ALICE, &[("a@dead.test", UNSAID), ("bob@peer.test", UNSAID)]).await;
        let left = post.until(|queue| queue.len() == 1 && queue[0].attempts == 1).await;
        assert_eq!((left[0].recipient, post.heard.borrow().letters.len()), (0, 1));
    });
}

/// No name server answers, so nobody knows whether it is the destination or the box. The others have their turns.
#[test]
fn a_box_that_may_be_cut_off_counts_nothing_and_tries_each_in_turn() {
    block_on(async {
        let dead = "[[route]]\ndomain = 'dead.test'\nhost = '127.0.0.1'\nport = 9\ntls = 'none'\n\
                    [dns]\nservers = ['127.0.0.1:9']\n";
        let post = Post::on(Flash::new("post-turns", Duration::ZERO), dead).await;
        post.submit(ALICE, &[("a@dead.test", UNSAID)]).await;
        sleep(Duration::from_millis(200)).await;
        post.submit(ALICE, &[("bob@peer.test", UNSAID)]).await;
        let tries = async {
            while post.heard.borrow().letters.is_empty() {
                // As when the network has changed.
                post.online();
                sleep(Duration::from_millis(500)).await;
            }
        };
        timeout(Duration::from_secs(60), tries).await.unwrap();
        let left = post.until(|queue| queue.len() == 1).await;
        assert_eq!((left[0].recipient, left[0].attempts), (0, 0));
    });
}

#[test]
fn a_server_that_sends_away_is_not_called_for_each_letter() {
    block_on(async {
        let post = Post::open("busy").await;
        post.offline();
        for _ in 0..30 {
            post.submit(ALICE, &[("busy@peer.test", UNSAID)]).await;
        }
        post.online();
        let left = post.until(|queue| queue.iter().all(|one| one.attempts == 1)).await;
        assert!(left.iter().all(|one| one.words == left[0].words), "{left:?}");
        let (connections, most) = (post.heard.borrow().connections, CONNECTIONS_PER_DESTINATION_MAX * 3);
        assert!(connections <= most, "{connections}");
    });
}

#[test]
fn a_server_that_takes_few_letters_at_a_time_gets_all_at_once() {
    block_on(async {
        let post = Post::open("third").await;
        post.offline();
        for _ in 0..9 {
            post.submit(ALICE, &[("third@peer.test", UNSAID)]).await;
        }
        post.online();
        post.until(|queue| queue.is_empty()).await;
        assert_eq!(post.heard.borrow().letters.len(), 9);
    });
}

/// A flash in memory, which can be damaged and made to take no more writes.
async fn in_memory(name: &str, more: &str) -> (Post, OwnedFd) {
    let memory = memfd_create(name, MemfdFlags::ALLOW_SEALING).unwrap();
    let rig = Rig::start(Flash::new(&format!("post-{name}"), Duration::ZERO)).await;
    rig.serving.close().await;
    let mut made = std::fs::File::open(rig.flash.path()).unwrap();
    std::io::copy(&mut made, &mut std::fs::File::from(memory.try_clone().unwrap())).unwrap();
    let path = format!("/proc/self/fd/{}", memory.as_raw_fd());
    let post = Post::on(Flash::at(path.into()), more).await;
    post.offline();
    (post, memory)
}

/// Changes a byte of the flash where these are.
fn damage(memory: &OwnedFd, bytes: &[u8]) {
    let file = std::fs::File::from(memory.try_clone().unwrap());
    let mut all = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
    file.read_exact_at(&mut all, 0).unwrap();
    let at = all.windows(bytes.len()).position(|window| window == bytes).expect("it is there as it is");
    file.write_all_at(&[all[at] ^ 0x55], at as u64).unwrap();
}

/// A letter that lies on flash as it is, since no coding makes it shorter, and a part of its body.
fn noise() -> (Vec<u8>, Vec<u8>) {
    let mut random = 1_u32;
    let mut noise = || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 24) as u8 | 0x80
    };
    let lines: Vec<Vec<u8>> = (0..300).map(|_| (0..90).map(|_| noise()).chain(*b"\r\n").collect()).collect();
    ([LETTER, &lines.concat()].concat(), lines[299][..60].to_vec())
}

#[test]
fn what_can_no_longer_be_kept_is_not_sent() {
    block_on(async {
        let (post, memory) = in_memory("worn", "").await;
        post.submit(ALICE, &[("bob@peer.test", UNSAID)]).await;
        fcntl_add_seals(&memory, SealFlags::WRITE).unwrap();
        let office = &post.rig.serving.house.office;
        assert!(office.carry_out(vec![Change::set("more", vec![1])]).await.is_err());
        assert!(office.store().is_read_only());
        post.online();
        sleep(Duration::from_millis(300)).await;
        assert_eq!((post.heard.borrow().connections, queued(&post.rig).len()), (0, 1));
    });
}

#[test]
fn the_sender_of_a_letter_that_is_damaged_hears_of_it_in_the_end() {
    block_on(async {
        let (post, memory) = in_memory("body", "").await;
        let (letter, marked) = noise();
        submit_letter(&post.rig, from(ALICE), &[("bob@peer.test", UNSAID)], &letter).await;
        damage(&memory, &marked);
        post.online();
        let first = post.until(|queue| queue[0].attempts == 1).await[0];
        assert!(!first.held, "{first:?}");
        set(&post.rig, Outbound { attempts: 14, due_s: 0, told: [true, true], ..first }).await;
        post.until(|queue| queue.is_empty()).await;
        let inbox = post.inbox().await;
        let [report] = inbox.as_slice() else { panic!("{inbox:?}") };
        assert!(report.contains("Action: failed") && report.contains("bob@peer.test"), "{report}");
        assert_eq!(post.heard.borrow().letters.len(), 0, "nothing of it is taken for whole");
    });
}

#[test]
fn a_letter_whose_envelope_is_damaged_is_held_until_it_is_cancelled() {
    block_on(async {
        let (post, memory) = in_memory("envelope", "").await;
        post.submit(ALICE, &[("somebody-special@peer.test", UNSAID)]).await;
        damage(&memory, b"somebody-special@peer.test");
        post.online();
        post.until(|queue| queue[0].held).await;
        order(&post.rig, Order::Cancel).await;
        post.until(|queue| queue.is_empty()).await;
        assert!(post.inbox().await.is_empty() && post.heard.borrow().letters.is_empty());
    });
}

#[test]
fn the_full_mailbox_of_the_owner_keeps_no_sender_waiting() {
    block_on(async {
        let bob = "[[account]]\naddress = 'bob@example.test'\npassword = 'pencil pencil'\n";
        let (post, memory) = in_memory("owner", bob).await;
        let (letter, marked) = noise();
        let envelope = Envelope { submitter: Some(AccountId(2)), ..from(Some("bob@example.test")) };
        submit_letter(&post.rig, envelope, &[("carol@peer.test", UNSAID)], &letter).await;
        damage(&memory, &marked);
        allow(&post.rig, 1_024).await;
        post.online();
        let first = post.until(|queue| queue[0].attempts == 1).await[0];
        set(&post.rig, Outbound { attempts: 14, due_s: 0, told: [true, true], ..first }).await;
        post.until(|queue| queue.is_empty()).await;
        let told = post.rig.headers("bob@example.test").await;
        assert!(told.len() == 1 && told[0].contains("multipart/report"), "{told:?}");
        assert_eq!(post.inbox().await, [""; 0], "there is no room");
    });
}
