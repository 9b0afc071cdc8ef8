//! Load from several clients at once, and the ledger that knows which letters must be there afterwards, and once.

use crate::clients::smtp::stuffed;
use crate::clients::{Imap, Smtp};
use crate::letters;
use crate::site::{Account, Service, Site};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Which letters were sent, and which of them the server has taken responsibility for.
#[derive(Debug, Default)]
pub struct Ledger {
    next: AtomicU64,
    /// Number of every letter whose data was begun, and whether its 250 came.
    letters: Mutex<BTreeMap<u64, bool>>,
    /// The letter that each UID was seen to hold: account, UIDVALIDITY and UID to number.
    seen: Mutex<BTreeMap<(String, u32, u32), u64>>,
}

/// What load is put on a server.
#[derive(Debug, Clone)]
pub struct Load {
    /// Clients at once, one connection each.
    pub clients: usize,
    /// Sizes of the letters in bytes, taken in turn.
    pub sizes: Vec<usize>,
    /// Recipients of each letter.
    pub to: Vec<String>,
    /// Letters per client; without it, until the server goes away or the time is over.
    pub letters: Option<usize>,
    /// Longest time.
    pub time: Duration,
}

/// What came of it.
#[derive(Debug, Default, Clone)]
pub struct Delivered {
    /// Letters answered with 250.
    pub letters: usize,
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
}

impl Ledger {
    /// Delivers from all clients at once. A client whose connection breaks stops: its last letter is in doubt.
    ///
    /// # Panics
    /// When a letter is refused: nothing that is sent here deserves it.
    pub fn deliver(&self, site: &Site, load: &Load) -> Delivered {
        self.deliver_until(site, load, &AtomicBool::new(false))
    }

    /// As [`Self::deliver`], and stops when told.
    ///
    /// # Panics
    /// As [`Self::deliver`].
    pub fn deliver_until(&self, site: &Site, load: &Load, stop: &AtomicBool) -> Delivered {
        let start = Instant::now();
        let mut delivered = Delivered::default();
        thread::scope(|scope| {
            let clients: Vec<_> = (0..load.clients)
                .map(|_| scope.spawn(|| self.client(site, load, stop, start + load.time)))
                .collect();
            for client in clients {
                let (letters, broken) = client.join().expect("a client fails with its own message");
                delivered.letters += letters;
                delivered.broken.extend(broken);
            }
        });
        delivered.time = start.elapsed();
        delivered
    }

    /// Delivers over one connection: how many letters got their 250, and why it stopped if that was early.
    fn client(
        &self,
        site: &Site,
        load: &Load,
        stop: &AtomicBool,
        deadline: Instant,
    ) -> (usize, Option<String>) {
        let mut smtp = match Smtp::try_connect(site, Service::Smtp) {
            Ok(smtp) => smtp,
            Err(error) => return (0, Some(format!("connecting: {error}"))),
        };
        if let Err(error) = smtp.try_command("EHLO load.client.test") {
            return (0, Some(format!("EHLO: {error}")));
        }
        let mut delivered = 0;
        while load.letters.is_none_or(|wanted| delivered < wanted)
            && Instant::now() < deadline
            && !stop.load(Ordering::Relaxed)
        {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let size = load.sizes[number as usize % load.sizes.len()];
            match self.one(&mut smtp, load, number, size) {
                Ok(()) => delivered += 1,
                Err(error) => {
                    let dialogue = smtp.wire.dialogue();
                    return (delivered, Some(format!("letter {number}: {error}\n{dialogue}")));
                }
            }
        }
        // The farewell of a client that nobody waits for.
        smtp.try_command("QUIT").ok();
        (delivered, None)
    }

    /// One letter in two round trips, as a server that uses PIPELINING sends it (RFC 2920).
    fn one(&self, smtp: &mut Smtp, load: &Load, number: u64, size: usize) -> std::io::Result<()> {
        let mut envelope = String::from("MAIL FROM:<load@client.test>\r\n");
        for recipient in &load.to {
            envelope.push_str(&format!("RCPT TO:<{recipient}>\r\n"));
        }
        envelope.push_str("DATA\r\n");
        smtp.wire.send(envelope.as_bytes())?;
        for _ in 0..=load.to.len() {
            let reply = smtp.reply()?;
            assert!(reply.code == 250, "{} {}\n{}", reply.code, reply.text(), smtp.wire.dialogue());
        }
        let reply = smtp.reply()?;
        assert!(reply.code == 354, "{} {}\n{}", reply.code, reply.text(), smtp.wire.dialogue());
        lock(&self.letters).insert(number, false);
        smtp.wire.send(&stuffed(&letters::numbered(number, size)))?;
        let reply = smtp.reply()?;
        assert!(reply.code == 250, "{} {}\n{}", reply.code, reply.text(), smtp.wire.dialogue());
        lock(&self.letters).insert(number, true);
        Ok(())
    }

    /// How many letters the server has taken responsibility for.
    pub fn acknowledged(&self) -> usize {
        lock(&self.letters).values().filter(|acknowledged| **acknowledged).count()
    }

    /// Reads a mailbox over and over, as a mail program that is left open, and notes which letter it saw under which
    /// UID; until told to stop or until the server goes away.
    pub fn watch(&self, site: &Site, account: &Account, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            if self.look(site, account, stop).is_err() {
                return;
            }
        }
    }

    fn look(&self, site: &Site, account: &Account, stop: &AtomicBool) -> std::io::Result<()> {
        let mut imap = Imap::try_log_in(site, account)?;
        let validity = select(&mut imap)?;
        let mut next = 1;
        while !stop.load(Ordering::Relaxed) {
            for (uid, number, _) in fetch(&mut imap, next, false)? {
                self.note_seen(account, validity, uid, number);
                next = next.max(uid + 1);
            }
            imap.try_command("NOOP")?;
        }
        Ok(())
    }

    fn note_seen(&self, account: &Account, validity: u32, uid: u32, number: u64) {
        let before = lock(&self.seen).insert((account.address.clone(), validity, uid), number);
        assert!(
            before.is_none_or(|before| before == number),
            "UID {uid} was letter {before:?} and is {number} now"
        );
    }

    /// Reads an account's INBOX and fails unless every acknowledged letter is there once, every other at most once,
    /// each as it was sent, and each under the UID under which it was ever seen. `whole` compares whole letters,
    /// else their headers.
    ///
    /// # Panics
    /// With the list of what is lost, doubled or damaged.
    pub fn verify(&self, site: &Site, account: &Account, whole: bool) {
        let mut imap = Imap::log_in(site, account);
        let validity = select(&mut imap).expect("INBOX can be selected");
        let found =
            fetch(&mut imap, 1, whole).unwrap_or_else(|error| panic!("{error}\n{}", imap.wire.dialogue()));
        let mut times: BTreeMap<u64, usize> = BTreeMap::new();
        let mut wrong = Vec::new();
        for (uid, number, intact) in found {
            *times.entry(number).or_default() += 1;
            self.note_seen(account, validity, uid, number);
            if !intact {
                wrong.push(format!("letter {number} (UID {uid}) is damaged"));
            }
        }
        let letters = lock(&self.letters);
        for (number, acknowledged) in letters.iter() {
            match (times.get(number).copied().unwrap_or(0), acknowledged) {
                (0, true) => wrong.push(format!("letter {number} got its 250 and is lost")),
                (0 | 1, _) => {}
                (more, _) => wrong.push(format!("letter {number} is there {more} times")),
            }
        }
        wrong.extend(
            times
                .keys()
                .filter(|known| !letters.contains_key(known))
                .map(|n| format!("letter {n} was never sent")),
        );
        assert!(wrong.is_empty(), "{} of {} letters:\n{}", wrong.len(), letters.len(), wrong.join("\n"));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Selects INBOX and gives its UIDVALIDITY.
fn select(imap: &mut Imap) -> std::io::Result<u32> {
    let answer = imap.try_command("SELECT INBOX")?;
    let validity = answer.untagged.iter().find_map(|response| {
        let rest = response.text.split_once("[UIDVALIDITY ")?.1;
        rest.split_once(']')?.0.parse().ok()
    });
    validity.ok_or_else(|| std::io::Error::other("SELECT without UIDVALIDITY"))
}

/// The test letters from a UID on: UID, number, and whether all their bytes are as they were sent.
fn fetch(imap: &mut Imap, first: u32, whole: bool) -> std::io::Result<Vec<(u32, u64, bool)>> {
    let what = if whole {
        "BODY.PEEK[]".to_owned()
    } else {
        format!("BODY.PEEK[HEADER.FIELDS ({})]", letters::ID_HEADER)
    };
    let answer = imap.try_command(&format!("UID FETCH {first}:* (UID {what})"))?;
    let mut found = Vec::new();
    for response in answer.untagged.iter().filter(|response| !response.literals.is_empty()) {
        let uid = uid_in(&response.text).ok_or_else(|| std::io::Error::other("FETCH without UID"))?;
        let bytes = &response.literals[0];
        let letter = if whole {
            letters::remake(bytes).map(|(number, sent)| (number, bytes.ends_with(&sent)))
        } else {
            letters::id_in(&String::from_utf8_lossy(bytes)).map(|(number, _)| (number, true))
        };
        // `first:*` names the last letter even where all are older (RFC 3501 §9, sequence sets).
        if let Some((number, intact)) = letter.filter(|_| uid >= first) {
            found.push((uid, number, intact));
        }
    }
    Ok(found)
}

fn uid_in(fetch: &str) -> Option<u32> {
    let rest = fetch.split_once("UID ")?.1;
    rest.split([' ', ')']).next()?.parse().ok()
}
