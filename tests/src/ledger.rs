//! The ledger of load: which letters were sent, what a server has acknowledged of them, and what must therefore be in
//! every mailbox afterwards, once, under its UID, and flagged as it was confirmed.

use crate::clients::Imap;
use crate::letters;
use crate::site::{Account, Site};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long a mail program that is left open rests before it looks again.
const REST: Duration = Duration::from_millis(20);

/// What was sent and what came of it.
#[derive(Debug, Default)]
pub struct Ledger {
    next: AtomicU64,
    /// How often the server had no room.
    full: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Every letter whose data was begun, by its number.
    letters: BTreeMap<u64, Letter>,
    /// The INBOX of every account that was looked into, by address.
    inboxes: BTreeMap<String, Inbox>,
}

#[derive(Debug)]
struct Letter {
    bytes: u64,
    fate: Fate,
}

/// What became of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Nothing was said: it may be there or not, but in all of its mailboxes or in none.
    InDoubt,
    /// It got its 250, or was there when a start had ended: it stays.
    Taken,
    /// It was refused, or was not there when a start had ended: it does not come back.
    Refused,
}

#[derive(Debug, Default)]
struct Inbox {
    validity: Option<u32>,
    copies: BTreeMap<u64, Shown>,
    /// The letter that each UID was seen to hold.
    uids: BTreeMap<u32, u64>,
}

/// A letter that was seen in an INBOX.
#[derive(Debug, Default)]
struct Shown {
    uid: u32,
    removal: Removal,
    flagged: bool,
    /// What it was asked to be, without an answer yet.
    asked: Option<bool>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Removal {
    #[default]
    No,
    /// Without an answer yet: it may have happened or not.
    Asked,
    Done,
}

/// A letter found in an INBOX.
#[derive(Debug, Clone, Copy)]
struct Found {
    uid: u32,
    number: u64,
    /// Whether each of the bytes that were fetched is as it was sent.
    is_intact: bool,
    is_flagged: bool,
}

impl Ledger {
    // ---- For those who deliver ----

    /// A number that no letter has had.
    pub(crate) fn next_letter(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// The data of a letter is about to be sent.
    pub(crate) fn begin(&self, number: u64, bytes: usize) {
        self.lock().letters.insert(number, Letter { bytes: bytes as u64, fate: Fate::InDoubt });
    }

    /// It got its 250, or was refused for want of room.
    pub(crate) fn answered(&self, number: u64, is_taken: bool) {
        let fate = if is_taken { Fate::Taken } else { Fate::Refused };
        self.lock().letters.entry(number).and_modify(|letter| letter.fate = fate);
    }

    /// The server had no room.
    pub(crate) fn note_full(&self) {
        self.full.fetch_add(1, Ordering::Relaxed);
    }

    /// How often the server had no room.
    pub fn times_full(&self) -> usize {
        self.full.load(Ordering::Relaxed)
    }

    /// How many letters the server has taken responsibility for.
    pub fn acknowledged(&self) -> usize {
        self.lock().letters.values().filter(|letter| letter.fate == Fate::Taken).count()
    }

    /// The number that the next letter gets.
    pub fn numbers(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    // ---- For those who make room ----

    /// Bytes of the letters from a number on that are in at least one INBOX, as they were sent.
    pub fn bytes_alive(&self, first: u64) -> u64 {
        let state = self.lock();
        let is_gone = |number: &u64| {
            let mut copies = state.inboxes.values().map(|inbox| inbox.copies.get(number));
            !state.inboxes.is_empty()
                && copies.all(|copy| copy.is_some_and(|copy| copy.removal == Removal::Done))
        };
        let alive = state
            .letters
            .range(first..)
            .filter(|(number, letter)| letter.fate == Fate::Taken && !is_gone(number));
        alive.map(|(_, letter)| letter.bytes).sum()
    }

    /// Bytes of the letters in an account's INBOX.
    pub(crate) fn bytes_in(&self, address: &str) -> u64 {
        let state = self.lock();
        let copies = state.inboxes.get(address).map(|inbox| &inbox.copies);
        let is_gone = |number| {
            copies.and_then(|copies| copies.get(number)).is_some_and(|copy| copy.removal != Removal::No)
        };
        let there =
            state.letters.iter().filter(|(number, letter)| letter.fate == Fate::Taken && !is_gone(number));
        there.map(|(_, letter)| letter.bytes).sum()
    }

    /// The numbers and UIDs of letters that were seen in an INBOX and that nobody has asked to remove.
    pub(crate) fn seen(&self, address: &str) -> Vec<(u64, u32)> {
        let state = self.lock();
        let copies = state.inboxes.get(address).into_iter().flat_map(|inbox| &inbox.copies);
        let there = copies.filter(|(number, copy)| {
            copy.removal == Removal::No
                && state.letters.get(number).is_some_and(|letter| letter.fate == Fate::Taken)
        });
        there.map(|(number, copy)| (*number, copy.uid)).collect()
    }

    /// Letters are about to be expunged, or have been.
    pub(crate) fn note_removal(&self, address: &str, numbers: &[u64], is_done: bool) {
        let removal = if is_done { Removal::Done } else { Removal::Asked };
        self.note(address, numbers, |copy| copy.removal = removal);
    }

    /// Letters are about to be flagged, or not any more; or that has been done.
    pub(crate) fn note_flag(&self, address: &str, numbers: &[u64], flagged: bool, is_done: bool) {
        self.note(address, numbers, |copy| {
            copy.asked = (!is_done).then_some(flagged);
            if is_done {
                copy.flagged = flagged;
            }
        });
    }

    fn note(&self, address: &str, numbers: &[u64], note: impl Fn(&mut Shown)) {
        let mut state = self.lock();
        let inbox = state.inboxes.entry(address.to_owned()).or_default();
        for number in numbers {
            inbox.copies.entry(*number).and_modify(&note);
        }
    }

    /// Letters that were expunged, counted in each INBOX.
    pub fn removed(&self) -> usize {
        let state = self.lock();
        let copies = state.inboxes.values().flat_map(|inbox| inbox.copies.values());
        copies.filter(|copy| copy.removal == Removal::Done).count()
    }

    // ---- For those who read ----

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
            for found in fetch(&mut imap, next, false)? {
                let wrong = self.lock().inbox(account).see(validity, &found);
                assert!(wrong.is_none(), "{wrong:?}");
                next = next.max(found.uid + 1);
            }
            imap.try_command("NOOP")?;
            thread::sleep(REST);
        }
        Ok(())
    }

    /// Reads an account's INBOX and fails unless every acknowledged letter that was not removed is there once, every
    /// other at most once, each as it was sent, flagged as confirmed, and under the UID under which it was ever seen.
    /// What was in doubt is as it is there from now on. `whole` compares whole letters, else their headers.
    ///
    /// # Panics
    /// With the list of what is lost, doubled or damaged.
    pub fn verify(&self, site: &Site, account: &Account, whole: bool) {
        let mut imap = Imap::log_in(site, account);
        let validity = select(&mut imap).expect("INBOX can be selected");
        let found =
            fetch(&mut imap, 1, whole).unwrap_or_else(|error| panic!("{error}\n{}", imap.wire.dialogue()));
        let mut state = self.lock();
        let wrong = state.compare(account, validity, &found);
        let letters = state.letters.len();
        assert!(
            wrong.is_empty(),
            "{}, {} of {letters} letters:\n{}",
            account.address,
            wrong.len(),
            wrong.join("\n")
        );
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn inbox(&mut self, account: &Account) -> &mut Inbox {
        self.inboxes.entry(account.address.clone()).or_default()
    }

    /// What is wrong with an INBOX in which this was found, a sentence each. Settles what was in doubt.
    fn compare(&mut self, account: &Account, validity: u32, found: &[Found]) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut times: BTreeMap<u64, usize> = BTreeMap::new();
        let inbox = self.inboxes.entry(account.address.clone()).or_default();
        for letter in found {
            *times.entry(letter.number).or_default() += 1;
            wrong.extend(inbox.see(validity, letter));
            wrong.extend(inbox.settle_flag(letter));
            if !letter.is_intact {
                wrong.push(format!("letter {} (UID {}) is damaged", letter.number, letter.uid));
            }
        }
        for (number, letter) in &mut self.letters {
            let times = times.remove(number).unwrap_or(0);
            let removal = inbox.copies.get_mut(number).map(|copy| &mut copy.removal);
            if let Some(why) = is_wrong(letter.fate, removal.as_ref().map(|removal| **removal), times) {
                wrong.push(format!("letter {number} {why}"));
            }
            match removal {
                Some(removal @ Removal::Asked) => {
                    *removal = if times == 0 { Removal::Done } else { Removal::No };
                }
                _ if letter.fate == Fate::InDoubt => {
                    letter.fate = if times == 0 { Fate::Refused } else { Fate::Taken };
                }
                _ => {}
            }
        }
        wrong.extend(times.keys().map(|number| format!("letter {number} was never sent")));
        wrong
    }
}

/// What is wrong when a letter is there so many times.
fn is_wrong(fate: Fate, removal: Option<Removal>, times: usize) -> Option<String> {
    match (fate, removal, times) {
        (Fate::Taken, None | Some(Removal::No), 0) => Some("got its 250 and is lost".to_owned()),
        (_, Some(Removal::Done), 1..) => Some("was expunged and is there again".to_owned()),
        (Fate::Refused, _, 1..) => Some("was refused, or was lost before, and is there".to_owned()),
        (_, _, 0 | 1) => None,
        (_, _, more) => Some(format!("is there {more} times")),
    }
}

impl Inbox {
    /// Notes what was seen; says what is wrong with it.
    fn see(&mut self, validity: u32, found: &Found) -> Option<String> {
        let Found { uid, number, .. } = *found;
        let validity_before = *self.validity.get_or_insert(validity);
        let number_before = *self.uids.entry(uid).or_insert(number);
        let copy = self.copies.entry(number);
        let copy = copy.or_insert_with(|| Shown { uid, flagged: found.is_flagged, ..Shown::default() });
        if validity_before != validity {
            return Some(format!("UIDVALIDITY was {validity_before} and is {validity}"));
        }
        if number_before != number {
            return Some(format!("UID {uid} was letter {number_before} and is {number} now"));
        }
        (copy.uid != uid).then(|| format!("letter {number} had UID {} and has {uid} now", copy.uid))
    }

    fn settle_flag(&mut self, found: &Found) -> Option<String> {
        let copy = self.copies.entry(found.number).or_default();
        let is_right = copy.flagged == found.is_flagged || copy.asked == Some(found.is_flagged);
        copy.flagged = found.is_flagged;
        copy.asked = None;
        let has = if found.is_flagged { "is flagged" } else { "is not flagged" };
        (!is_right).then(|| format!("letter {} {has}, which nobody asked for", found.number))
    }
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

/// The test letters from a UID on. Not `whole`, only the header that numbers them is fetched.
fn fetch(imap: &mut Imap, first: u32, whole: bool) -> std::io::Result<Vec<Found>> {
    let what = if whole {
        "BODY.PEEK[]".to_owned()
    } else {
        format!("BODY.PEEK[HEADER.FIELDS ({})]", letters::ID_HEADER)
    };
    let answer = imap.try_command(&format!("UID FETCH {first}:* (UID FLAGS {what})"))?;
    let mut all = Vec::new();
    for response in answer.untagged.iter().filter(|response| !response.literals.is_empty()) {
        let uid = uid_in(&response.text).ok_or_else(|| std::io::Error::other("FETCH without UID"))?;
        let bytes = &response.literals[0];
        let letter = if whole {
            letters::remake(bytes).map(|(number, sent)| (number, bytes.ends_with(&sent)))
        } else {
            letters::id_in(&String::from_utf8_lossy(bytes)).map(|(number, _)| (number, true))
        };
        // `first:*` names the last letter even where all are older (RFC 3501 §9, sequence sets).
        if let Some((number, is_intact)) = letter.filter(|_| uid >= first) {
            all.push(Found { uid, number, is_intact, is_flagged: response.text.contains("\\Flagged") });
        }
    }
    Ok(all)
}

fn uid_in(fetch: &str) -> Option<u32> {
    let rest = fetch.split_once("UID ")?.1;
    rest.split([' ', ')']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALIDITY: u32 = 7;

    fn account(local: &str) -> Account {
        Account { address: format!("{local}@example.test"), password: String::new() }
    }

    fn found(numbers: &[u64]) -> Vec<Found> {
        let at = |number: &u64| Found {
            uid: *number as u32 + 10,
            number: *number,
            is_intact: true,
            is_flagged: false,
        };
        numbers.iter().map(at).collect()
    }

    /// A ledger with letter 1 acknowledged, 2 in doubt, 3 refused.
    fn ledger() -> Ledger {
        let ledger = Ledger::default();
        for number in 1..=3 {
            ledger.begin(number, 100);
        }
        ledger.answered(1, true);
        ledger.answered(3, false);
        ledger
    }

    fn wrong(ledger: &Ledger, who: &str, numbers: &[u64]) -> usize {
        ledger.lock().compare(&account(who), VALIDITY, &found(numbers)).len()
    }

    #[test]
    fn what_is_lost_doubled_refused_or_unknown_is_told() {
        assert_eq!(wrong(&ledger(), "one", &[1]), 0);
        assert_eq!(wrong(&ledger(), "one", &[1, 2]), 0);
        assert_eq!(wrong(&ledger(), "one", &[2]), 1);
        assert_eq!(wrong(&ledger(), "one", &[1, 3]), 1);
        assert_eq!(wrong(&ledger(), "one", &[1, 4]), 1);
        let mut twice = found(&[1, 1]);
        assert!(!ledger().lock().compare(&account("one"), VALIDITY, &twice).is_empty());
        twice[1].uid += 1;
        assert!(!ledger().lock().compare(&account("one"), VALIDITY, &twice).is_empty());
    }

    #[test]
    fn what_was_in_doubt_is_settled_for_all_mailboxes() {
        let there = ledger();
        assert_eq!((wrong(&there, "one", &[1, 2]), wrong(&there, "two", &[1])), (0, 1));
        let gone = ledger();
        assert_eq!((wrong(&gone, "one", &[1]), wrong(&gone, "two", &[1, 2])), (0, 1));
    }

    #[test]
    fn what_was_expunged_stays_away_and_what_may_be_is_settled() {
        let ledger = ledger();
        let one = account("one").address;
        assert_eq!(wrong(&ledger, "one", &[1, 2]), 0);
        ledger.note_removal(&one, &[1], false);
        assert_eq!(wrong(&ledger, "one", &[1, 2]), 0);
        assert_eq!(ledger.seen(&one), [(1, 11), (2, 12)]);
        ledger.note_removal(&one, &[1], true);
        assert_eq!((wrong(&ledger, "one", &[2]), wrong(&ledger, "one", &[1, 2])), (0, 1));
        ledger.note_removal(&one, &[2], false);
        assert_eq!((wrong(&ledger, "one", &[]), wrong(&ledger, "one", &[2])), (0, 1));
        assert_eq!((ledger.removed(), ledger.bytes_alive(0), ledger.bytes_in(&one)), (2, 0, 0));
    }

    #[test]
    fn flags_and_uids_are_as_they_were_confirmed() {
        let ledger = ledger();
        let one = account("one");
        assert_eq!(wrong(&ledger, "one", &[1]), 0);
        ledger.note_flag(&one.address, &[1], true, false);
        let mut letters = found(&[1]);
        letters[0].is_flagged = true;
        assert!(ledger.lock().compare(&one, VALIDITY, &letters).is_empty());
        letters[0].is_flagged = false;
        assert_eq!(ledger.lock().compare(&one, VALIDITY, &letters).len(), 1);
        letters[0].uid += 1;
        assert_eq!(ledger.lock().compare(&one, VALIDITY, &letters).len(), 1);
        assert_eq!(ledger.lock().compare(&one, VALIDITY + 1, &found(&[1])).len(), 1);
    }
}
