//! Tests of connections to other servers, over real sockets: with our own server (`own`), and with servers that a test
//! plays (`played`, `leaving`).

mod leaving;
mod own;
mod played;

use std::{collections::VecDeque, net::IpAddr, time::Duration};

use mail::{Address, Mail as _, MailboxId, Unready};
use proto::smtp::client::{Body, Fate, Reason, Recipient};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::{JoinHandle, spawn_local},
    time::timeout,
};

use super::*;
use crate::{
    language::Language,
    notice::{Notice, deliver},
    passwords::Accounts as _,
    service::LOOPBACK,
    testing::{Flash, Rig, block_on, until},
};

/// What a letter is made of.
struct Lines(usize);

impl Notice for Lines {
    const TOPIC: &'static str = "test";

    fn subject(&self, _: Language) -> String {
        "A test".to_owned()
    }

    fn lines(&self, _: Language) -> Vec<String> {
        vec!["Nothing in this line is of any interest to anybody at all.".to_owned(); self.0]
    }
}

/// A box that sends.
struct Sending {
    rig: Rig,
    closing: Rc<Closing>,
    desk: Rc<Desk>,
}

impl Sending {
    async fn start(name: &str) -> Self {
        let rig = Rig::start(Flash::new(&format!("link-{name}"), Duration::ZERO)).await;
        let closing = Rc::new(Closing::default());
        let desk = Desk::new(Rc::clone(&rig.serving.house), Rc::clone(&closing)).unwrap();
        Self { rig, closing, desk: Rc::new(desk) }
    }

    fn inbox(&self) -> MailboxId {
        let office = &self.rig.serving.house.office;
        let (alice, _) = office.find_login("alice@example.test").unwrap();
        office.store().inbox(alice).unwrap()
    }

    fn kept(&self) -> u32 {
        self.rig.serving.house.office.store().status(self.inbox()).unwrap().messages
    }

    /// A letter of so many lines to alice, with this number.
    async fn job(&self, number: u32, lines: usize) -> Box<Job> {
        let (house, inbox) = (&self.rig.serving.house, self.inbox());
        deliver(house, &Lines(lines), (inbox, "alice@example.test")).await.unwrap();
        let uid = house.office.store().uids(inbox).last().unwrap();
        let content = loop {
            let opened = house.office.store_mut().open(inbox, uid);
            match opened {
                Ok(content) => break content,
                Err(Unready::Cold(cold)) => house.office.warm(cold).await,
                Err(error) => panic!("{error:?}"),
            }
        };
        let address = Address::parse("alice@example.test").unwrap();
        Box::new(Job {
            reverse_path: Some(Address::parse("alice@example.test").unwrap()),
            recipients: vec![Recipient { number, address, notify: None, orcpt: None }],
            content,
            skip: 0,
            front: Vec::new(),
            body: Body::SevenBit,
            utf8: false,
            ret: None,
            envid: None,
            require_tls: false,
        })
    }

    /// Sends one letter of so many lines; gives what came of the connection and of the letter.
    async fn send(&self, server: &Server, addresses: &[IpAddr], lines: usize) -> (Closed, Letters) {
        let mut letters = Letters::of([self.job(1, lines).await]);
        let closed = converse(&self.desk, server, addresses, &mut letters).await;
        (closed, letters)
    }
}

/// Letters to be sent, and what came of them.
#[derive(Default)]
struct Letters {
    jobs: VecDeque<Box<Job>>,
    /// There may be more: whoever asks waits for ever.
    endless: bool,
    /// Rings when there are none and the server waits.
    asked: Rc<Notify>,
    reached: Option<Reached>,
    outcomes: Vec<String>,
}

impl Letters {
    fn of(jobs: impl IntoIterator<Item = Box<Job>>) -> Self {
        Self { jobs: jobs.into_iter().collect(), ..Self::default() }
    }

    fn outcomes(&self) -> String {
        self.outcomes.join(" | ")
    }
}

impl Feed for Letters {
    fn next<'a>(&'a mut self, reached: &'a Reached) -> Pin<Box<dyn Future<Output = Option<Box<Job>>> + 'a>> {
        Box::pin(async {
            self.reached = Some(*reached);
            if self.jobs.is_empty() && self.endless {
                self.asked.notify_one();
                std::future::pending::<()>().await;
            }
            self.jobs.pop_front()
        })
    }

    fn done(&mut self, outcome: Outcome) {
        let reason = |reason: &Reason| match reason {
            Reason::Remote { stage, reply } => format!("{stage:?} {reply}"),
            other => format!("{other:?}"),
        };
        for (number, fate) in &outcome.fates {
            self.outcomes.push(match fate {
                Fate::Delivered(reply) => format!("{number} delivered {reply}"),
                Fate::Refused(why) => format!("{number} refused {}", reason(why)),
                Fate::Deferred(why) => format!("{number} deferred {}", reason(why)),
                Fate::Left => format!("{number} left"),
            });
        }
    }
}

/// A server at `port` to which letters go in clear.
fn plain(port: u16) -> Server {
    Server { name: "mail.example.test".into(), port, tls: Tls::None, login: None, verify: false, ca: None }
}

/// How a connection ended, in words.
fn ending(closed: &Closed) -> String {
    match &closed.ending {
        Ok(Ending::Refused { stage, reply }) => format!("Refused {stage:?} {reply}"),
        Ok(Ending::Breach { stage, breach }) => format!("Breach {stage:?} {breach:?}"),
        Ok(Ending::Lost { stage, text }) => format!("Lost {stage:?} {text}"),
        Ok(other) => format!("{other:?}"),
        Err(trouble) => format!("{trouble}"),
    }
}

/// A connection that a server which a test plays has accepted.
struct Played(TcpStream);

impl Played {
    /// Says something and waits until `what` has come.
    async fn say(&mut self, line: &str, what: &str) -> String {
        self.0.write_all(line.as_bytes()).await.unwrap();
        if what.is_empty() { String::new() } else { until(&mut self.0, what).await }
    }

    /// Takes a letter up to its end, and says nothing to that.
    async fn take_letter(&mut self) -> String {
        self.greet("250 mx.test\r\n").await;
        self.say("250 Ok\r\n", "RCPT TO:<alice@example.test>\r\n").await;
        self.say("250 Ok\r\n", "DATA\r\n").await;
        self.say("354 Go on\r\n", "\r\n.\r\n").await
    }

    /// Says what there is, and waits for the first letter.
    async fn greet(&mut self, extensions: &str) {
        self.say("220 mx.test ESMTP\r\n", "EHLO mail.example.test\r\n").await;
        self.say(extensions, "MAIL FROM:<alice@example.test>").await;
    }

    /// Reads until the other side closes, and gives what it said.
    async fn rest(mut self) -> String {
        let mut heard = Vec::new();
        // A connection that was cut has ended as well.
        let _ = self.0.read_to_end(&mut heard).await;
        String::from_utf8_lossy(&heard).into_owned()
    }
}

/// Plays a server that has so many connections, one after the other. Gives its port, and what ends when they have.
async fn play(
    (at, port): (IpAddr, u16),
    connections: usize,
    part: impl AsyncFn(usize, Played) + 'static,
) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind((at, port)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let playing = spawn_local(async move {
        for index in 0..connections {
            let (stream, _) = listener.accept().await.unwrap();
            part(index, Played(stream)).await;
        }
    });
    (port, playing)
}

/// Not longer than a test may take.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), what).await.expect("it ends")
}
