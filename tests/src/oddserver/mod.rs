//! An SMTP server that misbehaves by plan: breaks off where it is told to, answers slowly, without end, nonsense or not at
//! all, defers and then accepts; and remembers every letter that it got, how often, and in what envelope.

mod session;

use crate::certificates::Leaf;
use crate::ports;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Connections at once: more than any sender should make to one server.
const CONNECTIONS_MAX: usize = 256;

/// How much of the letters is kept in all, in bytes.
const KEPT_BYTES_MAX: usize = 256 << 20;

/// How often somebody who waits looks.
const POLL: Duration = Duration::from_millis(5);

/// A place in the dialogue: what the server has just got and would answer now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The connection.
    Greeting,
    /// EHLO or HELO, each time.
    Ehlo,
    /// STARTTLS.
    StartTls,
    /// MAIL.
    Mail,
    /// RCPT, each time.
    Rcpt,
    /// DATA.
    Data,
    /// The beginning of a letter, its end not yet. The letter counts for nothing then.
    MidLetter,
    /// A whole letter with its final dot.
    Dot,
    /// QUIT.
    Quit,
}

impl Stage {
    /// Every stage before the reply to the final dot, in the order in which they come.
    pub const BEFORE_THE_REPLY: [Self; 8] = [
        Self::Greeting,
        Self::Ehlo,
        Self::StartTls,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::MidLetter,
        Self::Dot,
    ];
}

/// What it does there instead of what is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Closes the connection.
    Close,
    /// Says these bytes, as they are. What it said no to by a code of 400 or more has not happened.
    Say(Vec<u8>),
    /// Answers rightly, in several lines, so long after each byte.
    Slowly(Duration),
    /// Begins a line and never ends it, until the client goes.
    NeverEnd,
    /// Begins a reply and never ends it: one line after the other.
    LinesForever,
    /// Answers nothing until the client goes.
    Silence,
}

impl Deed {
    /// A reply with its line end.
    pub fn reply(text: &str) -> Self {
        Self::Say(format!("{text}\r\n").into_bytes())
    }
}

/// What a server is to be.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The keywords that EHLO announces; STARTTLS comes by itself.
    pub keywords: Vec<String>,
    /// What it proves its name with; without it there is no TLS.
    pub leaf: Option<Leaf>,
    /// Whether TLS comes before the greeting.
    pub implicit_tls: bool,
    /// What it does wrong in each connection, in turn. In those after the last it does all right.
    pub odd: Vec<(Stage, Deed)>,
    /// What it does wrong in every connection.
    pub always: Option<(Stage, Deed)>,
    /// What it answers to RCPT for some recipients, every time.
    pub answers: BTreeMap<String, String>,
    /// What it answers for some recipients where that depends on more than their names.
    pub whim: Option<Whim>,
    /// Whether it keeps the letters, or counts them only.
    pub keeps: bool,
}

/// What is answered to RCPT ([`Stage::Rcpt`]), or to the letter ([`Stage::Dot`]), for a recipient that RCPT has named so
/// many times by now, from 1; `None`: what is right.
pub type Whim = fn(Stage, &str, usize) -> Option<&'static str>;

impl Default for Plan {
    /// One that does all right, in clear.
    fn default() -> Self {
        Self {
            keywords: ["PIPELINING", "8BITMIME", "SIZE 10000000", "ENHANCEDSTATUSCODES", "SMTPUTF8", "DSN"]
                .map(str::to_owned)
                .to_vec(),
            leaf: None,
            implicit_tls: false,
            odd: Vec::new(),
            always: None,
            answers: BTreeMap::new(),
            whim: None,
            keeps: true,
        }
    }
}

impl Plan {
    /// One that does this in its first connection.
    pub fn first(stage: Stage, deed: Deed) -> Self {
        Self { odd: vec![(stage, deed)], ..Self::default() }
    }

    /// One that does this in every connection.
    pub fn always(stage: Stage, deed: Deed) -> Self {
        Self { always: Some((stage, deed)), ..Self::default() }
    }
}

/// A letter that came whole, with its final dot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// What stood behind `MAIL FROM:`, with its parameters.
    pub mail: String,
    /// What stood behind each `RCPT TO:` that was not refused.
    pub recipients: Vec<String>,
    /// Its bytes, dots undone.
    pub letter: Vec<u8>,
    /// Whether it was answered with 250.
    pub accepted: bool,
    /// Whether it came through TLS.
    pub tls: bool,
    /// The number of its connection, from 0.
    pub connection: usize,
}

/// A running server. Dropped, it closes its port and its connections.
#[derive(Debug)]
pub struct OddServer {
    /// Where it listens.
    pub place: SocketAddr,
    shared: Arc<Shared>,
    accepts: Option<JoinHandle<()>>,
}

/// What its threads share.
#[derive(Debug)]
struct Shared {
    plan: Plan,
    tls: Option<Arc<ServerConfig>>,
    stop: AtomicBool,
    connections: AtomicUsize,
    present: AtomicUsize,
    accepted: AtomicUsize,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    letters: Vec<Taken>,
    bytes: usize,
    commands: Vec<String>,
    /// How often RCPT named each recipient.
    named: BTreeMap<String, usize>,
}

impl OddServer {
    /// Listens on a port of 127.0.0.1.
    pub fn start(plan: Plan) -> Self {
        Self::start_at(ports::free(IpAddr::from([127, 0, 0, 1])), plan)
    }

    /// Listens there.
    ///
    /// # Panics
    /// When the place is taken or the certificate is none.
    pub fn start_at(place: SocketAddr, plan: Plan) -> Self {
        let listener = TcpListener::bind(place).unwrap_or_else(|error| panic!("{place}: {error}"));
        let shared = Arc::new(Shared {
            tls: plan.leaf.as_ref().map(server_config),
            plan,
            stop: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            present: AtomicUsize::new(0),
            accepted: AtomicUsize::new(0),
            seen: Mutex::default(),
        });
        let accepts = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Self { place, shared, accepts: Some(accepts) }
    }

    /// The letters that came whole, accepted or not, in order.
    pub fn taken(&self) -> Vec<Taken> {
        self.shared.seen().letters.clone()
    }

    /// Those that it accepted.
    pub fn accepted(&self) -> Vec<Taken> {
        self.taken().into_iter().filter(|taken| taken.accepted).collect()
    }

    /// How many letters it has accepted, kept or not.
    pub fn count(&self) -> usize {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// How often each Message-ID came whole.
    pub fn message_ids(&self) -> BTreeMap<String, usize> {
        let mut times = BTreeMap::new();
        for taken in &self.shared.seen().letters {
            *times.entry(message_id(&taken.letter)).or_default() += 1;
        }
        times
    }

    /// Waits until nobody has been connected to it for so long.
    ///
    /// # Panics
    /// As [`Self::wait_for`].
    #[track_caller]
    pub fn wait_for_rest(&self, rest: Duration, limit: Duration) {
        let (connections, since) = (Cell::new(0), Cell::new(Instant::now()));
        self.wait_until(limit, || {
            let is_visited = self.shared.present.load(Ordering::Relaxed) > 0;
            if connections.replace(self.connections()) != self.connections() || is_visited {
                since.set(Instant::now());
            }
            since.get().elapsed() >= rest
        });
    }

    /// Whether it knows TLS.
    pub fn has_tls(&self) -> bool {
        self.shared.tls.is_some()
    }

    /// How many connections it has taken.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Every command line that came, in order.
    pub fn commands(&self) -> Vec<String> {
        self.shared.seen().commands.clone()
    }

    /// Waits until it has accepted so many letters; gives those that it keeps.
    ///
    /// # Panics
    /// With what clients said, when they do not come in time.
    #[track_caller]
    pub fn wait_for(&self, count: usize, limit: Duration) -> Vec<Taken> {
        self.wait_until(limit, || self.count() >= count);
        self.accepted()
    }

    /// Waits until so many connections have come and gone.
    ///
    /// # Panics
    /// As [`Self::wait_for`].
    #[track_caller]
    pub fn wait_for_ends(&self, count: usize, limit: Duration) {
        let present = || self.shared.present.load(Ordering::Relaxed);
        self.wait_until(limit, || self.connections() >= count && present() == 0);
    }

    #[track_caller]
    fn wait_until(&self, limit: Duration, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + limit;
        while !is_so() {
            let (letters, connections) = (self.count(), self.connections());
            assert!(
                Instant::now() < deadline,
                "{letters} letters accepted in {connections} connections; clients said {:?}",
                self.commands()
            );
            thread::sleep(POLL);
        }
    }
}

impl Drop for OddServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // The thread that accepts sees it when it has accepted once more.
        TcpStream::connect(self.place).ok();
        if let Some(accepts) = self.accepts.take() {
            accepts.join().ok();
        }
        while self.shared.present.load(Ordering::Relaxed) > 0 {
            thread::sleep(POLL);
        }
    }
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// What is done wrong in the connection with this number, from 0 on.
    fn oddity(&self, connection: usize) -> Option<(Stage, Deed)> {
        self.plan.odd.get(connection).or(self.plan.always.as_ref()).cloned()
    }

    /// What is answered to RCPT for this recipient, if it is not what is right.
    fn answer_to_rcpt(&self, to: &str) -> Option<String> {
        let mut seen = self.seen();
        let times = seen.named.entry(to.to_owned()).or_default();
        *times += 1;
        let whim = self.plan.whim.and_then(|whim| whim(Stage::Rcpt, to, *times)).map(str::to_owned);
        self.plan.answers.get(to).cloned().or(whim)
    }

    /// What is answered to a letter for these recipients, if it is not what is right.
    fn answer_to_letter<'a>(&self, mut to: impl Iterator<Item = &'a str>) -> Option<&'static str> {
        let whim = self.plan.whim?;
        let seen = self.seen();
        to.find_map(|to| whim(Stage::Dot, to, seen.named.get(to).copied().unwrap_or_default()))
    }

    fn note_command(&self, line: &str) {
        if self.plan.keeps {
            self.seen().commands.push(line.to_owned());
        }
    }

    fn note_letter(&self, taken: Taken) {
        if taken.accepted {
            self.accepted.fetch_add(1, Ordering::Relaxed);
        }
        let mut seen = self.seen();
        if self.plan.keeps && seen.bytes < KEPT_BYTES_MAX {
            seen.bytes += taken.letter.len();
            seen.letters.push(taken);
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.is_over() {
            return;
        }
        let Ok(stream) = stream else { continue };
        if shared.present.load(Ordering::Relaxed) >= CONNECTIONS_MAX {
            continue;
        }
        // In this order: who counts connections must not find that one has ended which has not begun.
        shared.present.fetch_add(1, Ordering::SeqCst);
        let number = shared.connections.fetch_add(1, Ordering::SeqCst);
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            // An error means that the client, or the plan, has ended the connection.
            session::serve(stream, number, &shared).ok();
            shared.present.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

fn server_config(leaf: &Leaf) -> Arc<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(&leaf.certificate).expect("a certificate can be read");
    let chain: Vec<_> = chain.map(|certificate| certificate.expect("a certificate is one")).collect();
    let key = PrivateKeyDer::from_pem_file(&leaf.key).expect("a key can be read");
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
    Arc::new(config.expect("key and certificate belong together"))
}

/// The Message-ID in a letter's header block; empty where there is none.
fn message_id(letter: &[u8]) -> String {
    let text = String::from_utf8_lossy(letter);
    let header = text.split("\r\n\r\n").next().unwrap_or_default();
    let line = header.lines().find(|line| line.to_ascii_lowercase().starts_with("message-id:"));
    line.and_then(|line| line.split_once(':')).map(|(_, id)| id.trim().to_owned()).unwrap_or_default()
}
