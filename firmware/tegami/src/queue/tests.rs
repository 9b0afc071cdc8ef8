//! The queue as the box runs it, against a server that a test plays.

mod hard_times;
mod own_domains;

use std::{cell::RefCell, rc::Rc, time::Duration};

use mail::{
    AccountId, Address, Envelope, Letter, Mail as _, Notify, OUTBOUND, Outbound, Outside, Recipient, UnixTime,
};
use proto::mime::Scanner;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use super::{Order, limits::CONNECTIONS_PER_DESTINATION_MAX, reading::warmed};
use crate::{
    http::NetworkView,
    network::Resident as _,
    notice,
    testing::{Flash, PROVISION, Rig, block_on},
};

const LETTER: &[u8] = b"Return-Path: <alice@example.test>\r\nFrom: alice@example.test\r\nSubject: hello\r\n\
    Message-ID: <1@example.test>\r\n\r\nHow do you do?\r\n.\r\n";

/// What the server that a test plays was given.
#[derive(Debug, Default)]
struct Heard {
    connections: usize,
    letters: Vec<String>,
    envelopes: Vec<String>,
}

/// Who its recipients are is what it answers: `gone` 550, `full` 452, `busy` 421, `third` 421 from the third letter of a
/// connection on, `poison` nothing, all others 250.
async fn play(listener: TcpListener, heard: Rc<RefCell<Heard>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        heard.borrow_mut().connections += 1;
        let heard = Rc::clone(&heard);
        tokio::task::spawn_local(async move { drop(converse(stream, &heard).await) });
    }
}

async fn converse(stream: TcpStream, heard: &RefCell<Heard>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut line, mut letter, mut in_letter, mut letters) = (String::new(), String::new(), false, 0);
    stream.write_all(b"220 mx.peer.test ESMTP\r\n").await?;
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        if in_letter && line != ".\r\n" {
            letter.push_str(&line);
            continue;
        }
        letters += usize::from(line.starts_with("MAIL"));
        if line.starts_with("RCPT TO:<poison") {
            return Ok(());
        }
        if line.starts_with("RCPT TO:<busy") || (line.starts_with("RCPT TO:<third") && letters > 2) {
            return stream.write_all(b"421 4.3.2 Come back later\r\n").await;
        }
        let verb = line.split([' ', '\r']).next().unwrap_or_default().to_owned();
        let reply = match verb.as_str() {
            "EHLO" => "250-mx.peer.test\r\n250-PIPELINING\r\n250 8BITMIME",
            "MAIL" | "RCPT" => {
                heard.borrow_mut().envelopes.push(line.trim().to_owned());
                match line.split(['<', '@']).nth(1) {
                    Some("gone") => "550 5.1.1 Nobody of that name",
                    Some("full") => "452 4.2.2 No room",
                    _ => "250 2.0.0 Fine",
                }
            }
            "DATA" => {
                in_letter = true;
                "354 Go on"
            }
            "." => {
                in_letter = false;
                heard.borrow_mut().letters.push(std::mem::take(&mut letter));
                "250 2.0.0 Kept"
            }
            "QUIT" => "221 2.0.0 Bye",
            _ => "250 2.0.0 Fine",
        };
        stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
    }
}

struct Post {
    rig: Rig,
    heard: Rc<RefCell<Heard>>,
}

impl Post {
    /// A box that sends what is for peer.test to a server that is played.
    async fn open(name: &str) -> Self {
        Self::on(Flash::new(&format!("post-{name}"), Duration::ZERO), "").await
    }

    /// With more in the provision file.
    async fn on(flash: Flash, more: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Rc::default();
        tokio::task::spawn_local(play(listener, Rc::clone(&heard)));
        Self { rig: Self::rig(flash, port, more).await, heard }
    }

    async fn rig(flash: Flash, port: u16, more: &str) -> Rig {
        let route =
            format!("[[route]]\ndomain = 'peer.test'\nhost = '127.0.0.1'\nport = {port}\ntls = 'none'\n");
        Rig::start_with(flash, &[PROVISION, route.as_bytes(), more.as_bytes()].concat()).await
    }

    /// Nothing is sent from now on.
    fn offline(&self) {
        self.rig.serving.house.moved(vec![], NetworkView::Waiting, vec![]);
    }

    fn online(&self) {
        self.rig.serving.house.moved(vec![], NetworkView::Hosted, vec![]);
    }

    async fn submit(&self, sender: Option<&str>, to: &[(&str, Notify)]) {
        submit(&self.rig, sender, to).await;
    }

    /// Waits until the queue is as it shall be.
    async fn until(&self, what: impl Fn(&[Outbound]) -> bool) -> Vec<Outbound> {
        until(&self.rig, what).await
    }

    async fn inbox(&self) -> Vec<String> {
        let office = &self.rig.serving.house.office;
        let inbox = office.store().inbox(AccountId(1)).unwrap();
        let (uids, mut letters) = (office.store().uids(inbox), Vec::new());
        for uid in uids.iter() {
            let content = warmed(office, |store| store.open(inbox, uid)).await.unwrap();
            let mut bytes = Vec::new();
            while (bytes.len() as u64) < content.size() {
                let at = bytes.len() as u64;
                warmed(office, |store| store.read(&content, at, 65_536, &mut bytes)).await.unwrap();
            }
            letters.push(String::from_utf8(bytes).unwrap());
        }
        letters
    }
}

fn from(sender: Option<&str>) -> Envelope {
    Envelope {
        sender: sender.map(|sender| Address::parse(sender).unwrap()),
        submitter: sender.map(|_| AccountId(1)),
        ..Envelope::default()
    }
}

async fn submit(rig: &Rig, sender: Option<&str>, to: &[(&str, Notify)]) {
    submit_with(rig, from(sender), to).await;
}

async fn submit_with(rig: &Rig, envelope: Envelope, to: &[(&str, Notify)]) {
    submit_letter(rig, envelope, to, LETTER).await;
}

async fn submit_letter(rig: &Rig, envelope: Envelope, to: &[(&str, Notify)], letter: &[u8]) {
    let office = &rig.serving.house.office;
    let draft = office.store_mut().draft(None).unwrap();
    office.store_mut().set_envelope(&draft, envelope).unwrap();
    for (to, notify) in to {
        let recipient = Recipient { notify: *notify, ..Recipient::plain(Address::parse(to).unwrap()) };
        office.store_mut().add_recipient(&draft, &recipient, Outside::Anywhere).unwrap();
    }
    let mut scanner = Scanner::new();
    scanner.feed(letter);
    notice::stream(office, &draft, letter).await.unwrap();
    let summary = scanner.finish();
    let letter = Letter { received: UnixTime(1_796_000_000), zone_minutes: 540, summary: &summary };
    let ticket = office.store_mut().deposit(&draft, &letter).unwrap();
    office.after_step();
    office.durable(&ticket).await;
    ticket.result().unwrap().unwrap();
}

async fn until(rig: &Rig, what: impl Fn(&[Outbound]) -> bool) -> Vec<Outbound> {
    let look = async {
        loop {
            let queue = queued(rig);
            if what(&queue) {
                return queue;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(20), look).await.unwrap_or_else(|_| panic!("it stays {:?}", queued(rig)))
}

fn queued(rig: &Rig) -> Vec<Outbound> {
    let store = rig.serving.house.office.store();
    let uids = store.uids(OUTBOUND);
    uids.iter().map(|uid| Outbound::from_flags(store.message(OUTBOUND, uid).unwrap().flags)).collect()
}

async fn order(rig: &Rig, order: Order) {
    let office = &rig.serving.house.office;
    let uids = office.store().uids(OUTBOUND);
    let ticket = order.give(&mut *office.store_mut(), &uids).unwrap();
    office.after_step();
    office.durable(&ticket).await;
}

const UNSAID: Notify = Notify::UNSAID;
const ALICE: Option<&str> = Some("alice@example.test");

#[test]
fn a_letter_goes_out_without_the_boxs_own_line_and_is_gone() {
    block_on(async {
        let post = Post::open("out").await;
        post.submit(ALICE, &[("a..b@peer.test", UNSAID), ("carol@peer.test", UNSAID)]).await;
        post.until(|queue| queue.is_empty()).await;
        assert!(post.inbox().await.is_empty());
        let heard = post.heard.borrow();
        let sent = String::from_utf8(LETTER.to_vec())
            .unwrap()
            .split_once("\r\n")
            .unwrap()
            .1
            .replace("\r\n.\r\n", "\r\n..\r\n");
        assert_eq!(heard.letters, [sent]);
        assert_eq!(
            heard.envelopes,
            ["MAIL FROM:<alice@example.test>", "RCPT TO:<a..b@peer.test>", "RCPT TO:<carol@peer.test>"]
        );
        assert_eq!(heard.connections, 1);
    });
}

#[test]
fn each_recipient_has_its_own_fate() {
    block_on(async {
        let post = Post::open("fates").await;
        post.submit(
            ALICE,
            &[("gone@peer.test", UNSAID), ("full@peer.test", UNSAID), ("bob@peer.test", UNSAID)],
        )
        .await;
        let left = post.until(|queue| queue.len() == 1 && queue[0].attempts == 1).await;
        assert_eq!((left[0].recipient, left[0].words), (1, 1));
        assert!((405..=500).contains(&left[0].due_s), "{left:?}");
        assert_eq!(post.heard.borrow().letters.len(), 1);
        let inbox = post.inbox().await;
        let [report] = inbox.as_slice() else { panic!("{inbox:?}") };
        for part in [
            "Return-Path: <>\r\nFrom: Mail Delivery System <MAILER-DAEMON@mail.example.test>\r\n",
            "Content-Type: multipart/report",
            "Final-Recipient: rfc822; gone@peer.test",
            "Action: failed",
            "Status: 5.1.1",
            "550 5.1.1 Nobody of that name",
            "Subject: hello\r\n",
            "How do you do?",
        ] {
            assert!(report.contains(part), "{part} in {report}");
        }
        assert!(!report.contains("full@peer.test") && !report.contains("<alice@example.test>\r\nFrom"));
    });
}

#[test]
fn what_nobody_wants_to_hear_of_is_not_said() {
    block_on(async {
        let post = Post::open("never").await;
        post.submit(None, &[("gone@peer.test", UNSAID)]).await;
        post.submit(ALICE, &[("gone@peer.test", Notify::NEVER)]).await;
        post.submit(ALICE, &[("bob@peer.test", Notify::SUCCESS)]).await;
        post.until(|queue| queue.is_empty()).await;
        let inbox = post.inbox().await;
        let [report] = inbox.as_slice() else { panic!("{inbox:?}") };
        assert!(report.contains("Action: relayed") && report.contains("bob@peer.test"), "{report}");
    });
}

#[test]
fn the_administrator_holds_releases_retries_and_cancels() {
    block_on(async {
        let post = Post::open("orders").await;
        post.submit(ALICE, &[("full@peer.test", UNSAID)]).await;
        post.until(|queue| queue[0].attempts == 1).await;
        order(&post.rig, Order::Hold).await;
        order(&post.rig, Order::Release).await;
        let mails = || post.heard.borrow().envelopes.iter().filter(|line| line.starts_with("MAIL")).count();
        assert_eq!(mails(), 1);
        order(&post.rig, Order::Retry).await;
        let tried = post.until(|queue| !queue[0].forced).await;
        assert_eq!((tried[0].attempts, mails()), (1, 2));
        order(&post.rig, Order::Cancel).await;
        post.until(|queue| queue.is_empty()).await;
        let inbox = post.inbox().await;
        assert!(inbox.len() == 1 && inbox[0].contains("full@peer.test"), "{inbox:?}");
        assert_eq!(mails(), 2);
    });
}

#[test]
fn many_letters_share_connections() {
    block_on(async {
        let post = Post::open("many").await;
        post.offline();
        for _ in 0..60 {
            post.submit(ALICE, &[("bob@peer.test", UNSAID)]).await;
        }
        post.online();
        post.until(|queue| queue.is_empty()).await;
        let heard = post.heard.borrow();
        assert_eq!(heard.letters.len(), 60);
        assert!(heard.connections <= CONNECTIONS_PER_DESTINATION_MAX, "{}", heard.connections);
    });
}

#[test]
fn a_server_that_is_not_there_is_tried_again() {
    block_on(async {
        // Bound and dropped: nobody listens there.
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let rig = Post::rig(Flash::new("post-dead", Duration::ZERO), port, "").await;
        submit(&rig, ALICE, &[("a@peer.test", UNSAID), ("b@peer.test", UNSAID)]).await;
        let tried = until(&rig, |queue| queue.iter().all(|one| one.attempts == 1)).await;
        assert!(tried.iter().all(|one| one.words == 1), "{tried:?}");
    });
}

/// Makes the first message of the queue be so far.
async fn set(rig: &Rig, outbound: Outbound) {
    let office = &rig.serving.house.office;
    let uids = office.store().uids(OUTBOUND);
    let (add, remove) = (outbound.to_flags(), mail::Flags(u64::MAX));
    let ticket = office.store_mut().set_flags(OUTBOUND, &uids, add, remove).unwrap();
    office.after_step();
    office.durable(&ticket).await;
}

#[test]
fn the_sender_hears_that_it_takes_long_and_in_the_end_that_it_is_over() {
    block_on(async {
        let post = Post::open("late").await;
        post.submit(ALICE, &[("full@peer.test", UNSAID)]).await;
        let first = post.until(|queue| queue[0].attempts == 1).await[0];
        // As it is an hour after it came, between the fourth attempt and the fifth.
        let fourth = Outbound { attempts: 4, due_s: 3_100, ..first };
        set(&post.rig, fourth).await;
        post.until(|queue| queue[0].told == [true, false]).await;
        let inbox = post.inbox().await;
        let [late] = inbox.as_slice() else { panic!("{inbox:?}") };
        for part in ["Action: delayed", "Status: 4.2.2", "Will-Retry-Until: ", "452 4.2.2 No room"] {
            assert!(late.contains(part), "{part} in {late}");
        }
        // As it is five days after it came.
        set(&post.rig, Outbound { attempts: 14, due_s: 0, told: [true, true], ..first }).await;
        post.until(|queue| queue.is_empty()).await;
        let inbox = post.inbox().await;
        let [_, over] = inbox.as_slice() else { panic!("{inbox:?}") };
        for part in ["Action: failed", "Status: 4.4.7", "452 4.2.2 No room", "How do you do?"] {
            assert!(over.contains(part), "{part} in {over}");
        }
    });
}

#[test]
fn a_letter_that_is_not_to_go_yet_waits() {
    block_on(async {
        let post = Post::open("future").await;
        let now = post.rig.serving.house.office.now().unix.0;
        let envelope = Envelope { not_before: Some(UnixTime(now + 600)), ..from(ALICE) };
        submit_with(&post.rig, envelope, &[("bob@peer.test", UNSAID)]).await;
        sleep(Duration::from_millis(200)).await;
        let waiting = queued(&post.rig);
        assert_eq!((waiting[0].attempts, post.heard.borrow().connections), (0, 0));
        order(&post.rig, Order::Retry).await;
        post.until(|queue| queue.is_empty()).await;
        assert_eq!(post.heard.borrow().letters.len(), 1);
    });
}

/// What the other side knows is asked for again after a restart, by whoever looks at the queue then.
#[test]
fn what_a_server_said_outlives_a_restart() {
    let flash = block_on(async {
        let post = Post::open("words").await;
        post.submit(ALICE, &[("full@peer.test", UNSAID)]).await;
        post.until(|queue| queue[0].words == 1).await;
        post.rig.serving.close().await;
        post.rig.flash
    });
    block_on(async {
        let rig = Rig::start_with(flash, PROVISION).await;
        let office = &rig.serving.house.office;
        let words = super::Words::load(|key| crate::provision::Records::setting(office.as_ref(), key));
        assert_eq!(words.get(1).unwrap().to_string(), "[127.0.0.1] said: 452 4.2.2 No room");
    });
}

#[test]
fn a_letter_that_ends_every_connection_keeps_no_other_waiting() {
    block_on(async {
        let post = Post::open("poison").await;
        // All wait when the first connection is made.
        post.offline();
        for to in ["poison@peer.test", "bob@peer.test", "carol@peer.test"] {
            post.submit(ALICE, &[(to, UNSAID)]).await;
        }
        post.online();
        let left = post.until(|queue| queue.len() == 1 && queue[0].attempts == 1).await;
        assert_eq!(left[0].words, 1);
        assert_eq!(post.heard.borrow().letters.len(), 2);
    });
}
