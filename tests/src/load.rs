//! Load from several clients at once: letters whose every byte follows from their numbers, noted in a ledger.

use crate::clients::Smtp;
use crate::clients::smtp::{auth_plain, stuffed};
use crate::ledger::Ledger;
use crate::letters;
use crate::site::{Account, Service, Site};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long a client that was refused waits before it comes again.
const REST: Duration = Duration::from_millis(250);

/// What load is put on a server.
#[derive(Debug, Clone)]
pub struct Load {
    /// Clients at once, one connection each.
    pub clients: usize,
    /// Sizes of the letters in bytes, taken in turn.
    pub sizes: Vec<usize>,
    /// Recipients of each letter.
    pub to: Vec<String>,
    /// Who sends them, by submission, each client as the next of these; without any they come from another server.
    pub logins: Vec<Account>,
    /// Letters per client; without it, until the server goes away or the time is over.
    pub letters: Option<usize>,
    /// Longest time.
    pub time: Duration,
    /// Whether the server may be full: then a client that is refused comes again.
    pub may_be_full: bool,
}

/// What came of it.
#[derive(Debug, Default, Clone)]
pub struct Delivered {
    /// Letters answered with 250.
    pub letters: usize,
    /// Letters refused for want of room.
    pub refused: usize,
    /// Why clients stopped early, with the end of their dialogues.
    pub broken: Vec<String>,
    /// From the first connection to the last reply.
    pub time: Duration,
}

impl Delivered {
    /// Letters per second.
    pub fn rate(&self) -> f64 {
        self.letters as f64 / self.time.as_secs_f64().max(1e-9)
    }

    fn add(&mut self, other: Self) {
        self.letters += other.letters;
        self.refused += other.refused;
        self.broken.extend(other.broken);
    }
}

impl Ledger {
    /// Delivers from all clients at once. A client whose connection breaks stops: its last letter is in doubt.
    ///
    /// # Panics
    /// When a letter is refused, other than for want of room where that may be.
    pub fn deliver(&self, site: &Site, load: &Load) -> Delivered {
        self.deliver_until(site, load, &AtomicBool::new(false))
    }

    /// As [`Self::deliver`], and stops when told.
    ///
    /// # Panics
    /// As [`Self::deliver`].
    pub fn deliver_until(&self, site: &Site, load: &Load, stop: &AtomicBool) -> Delivered {
        let start = Instant::now();
        let is_over = || stop.load(Ordering::Relaxed) || start.elapsed() >= load.time;
        let mut delivered = Delivered::default();
        thread::scope(|scope| {
            let client = |number: usize| {
                let login = load.logins.get(number % load.logins.len().max(1));
                move || self.client(site, load, login, is_over)
            };
            let clients: Vec<_> = (0..load.clients).map(|number| scope.spawn(client(number))).collect();
            for client in clients {
                delivered.add(client.join().expect("a client fails with its own message"));
            }
        });
        delivered.time = start.elapsed();
        delivered
    }

    /// One client: a connection, and after each refusal another.
    fn client(
        &self,
        site: &Site,
        load: &Load,
        login: Option<&Account>,
        is_over: impl Fn() -> bool,
    ) -> Delivered {
        let mut delivered = Delivered::default();
        let is_done = |delivered: &Delivered| {
            is_over() || load.letters.is_some_and(|wanted| delivered.letters >= wanted)
        };
        while !is_done(&delivered) {
            if let Err(why) = self.connection(site, (load, login), &mut delivered, is_done) {
                delivered.broken.push(why);
                break;
            }
        }
        delivered
    }

    /// Delivers over one connection until it is done, or was refused.
    fn connection(
        &self,
        site: &Site,
        (load, login): (&Load, Option<&Account>),
        delivered: &mut Delivered,
        is_done: impl Fn(&Delivered) -> bool,
    ) -> Result<(), String> {
        let service = if login.is_some() { Service::Submissions } else { Service::Smtp };
        let smtp = Smtp::try_connect(site, service);
        let mut smtp = smtp.map_err(|error| format!("connecting: {error}"))?;
        smtp.try_command("EHLO load.client.test").map_err(|error| format!("EHLO: {error}"))?;
        if let Some(account) = login {
            smtp.expect(235, &auth_plain(account));
        }
        while !is_done(delivered) {
            let number = self.next_letter();
            let size = load.sizes[number as usize % load.sizes.len()];
            match self.one(&mut smtp, (load, login), number, size) {
                Ok(true) => delivered.letters += 1,
                Ok(false) => {
                    // A box that is full bears no long line of refusals, and takes letters again when room was made.
                    delivered.refused += 1;
                    self.note_full();
                    thread::sleep(REST);
                    return Ok(());
                }
                Err(error) => return Err(format!("letter {number}: {error}\n{}", smtp.wire.dialogue())),
            }
        }
        // The farewell of a client that nobody waits for.
        smtp.try_command("QUIT").ok();
        Ok(())
    }

    /// One letter in two round trips, as a server that uses PIPELINING sends it (RFC 2920); false when it was refused
    /// for want of room.
    fn one(
        &self,
        smtp: &mut Smtp,
        (load, login): (&Load, Option<&Account>),
        number: u64,
        size: usize,
    ) -> io::Result<bool> {
        let from = login.map_or("load@client.test", |account| account.address.as_str());
        let mut envelope = format!("MAIL FROM:<{from}>\r\n");
        for recipient in &load.to {
            envelope.push_str(&format!("RCPT TO:<{recipient}>\r\n"));
        }
        envelope.push_str("DATA\r\n");
        smtp.wire.send(envelope.as_bytes())?;
        for _ in 0..=load.to.len() {
            if !is_taken(smtp, load, 250)? {
                return Ok(false);
            }
        }
        if !is_taken(smtp, load, 354)? {
            return Ok(false);
        }
        let letter = letters::numbered(number, size);
        self.begin(number, letter.len());
        smtp.wire.send(&stuffed(&letter))?;
        let is_taken = is_taken(smtp, load, 250)?;
        self.answered(number, is_taken);
        Ok(is_taken)
    }
}

/// Reads a reply that should have this code; false when it is a refusal for want of room.
fn is_taken(smtp: &mut Smtp, load: &Load, code: u16) -> io::Result<bool> {
    let reply = smtp.reply()?;
    let is_full = load.may_be_full && reply.code == 452;
    assert!(reply.code == code || is_full, "{} {}\n{}", reply.code, reply.text(), smtp.wire.dialogue());
    Ok(!is_full)
}
