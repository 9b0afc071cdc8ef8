//! `tegami check`: reads everything and compares it with its checksums.

use std::{collections::HashMap, path::Path};

use mail::{AccountId, MailboxInfo, Message};
use store::{CheckError, Deletion, Fingerprint, LetterFault, StoredLetter};

use super::{
    Outcome, Problem,
    accounts::{mailboxes, next_message},
    flash::{Looked, look},
    limits::DELETIONS_LISTED,
    output::say,
    progress::Progress,
    wording::{count, number, size},
};

/// What has been looked at, and what was found.
pub(super) struct Checking {
    store: Looked,
    progress: Progress,
    /// One bit for each stored letter that has been read: many messages may show it.
    seen: Vec<u64>,
    /// Letters that are damaged.
    damaged: HashMap<StoredLetter, LetterFault>,
    letters: u64,
    messages: u64,
    messages_damaged: u64,
    deletions: u64,
    bytes: u64,
}

/// Checks a flash and says what was found.
///
/// # Errors
/// A sentence, when there is nothing that could be checked.
pub(super) fn run(flash: &Path) -> Result<Outcome, Problem> {
    let store = look(flash)?;
    mounted(&store).iter().for_each(say);
    let mut checking = Checking::new(store);
    checking.all();
    checking.progress.clear();
    let (outcome, lines) = checking.conclude();
    lines.iter().for_each(say);
    Ok(outcome)
}

/// What the mount says.
pub(super) fn mounted(store: &Looked) -> Vec<String> {
    let report = store.mount_report();
    let mut lines = vec![if report.clean {
        "it was closed cleanly".to_owned()
    } else {
        "it was not closed: it was in use when its power or its program ended, which harms nothing".to_owned()
    }];
    if report.damage > 0 {
        let places = count(report.damage, "damaged place", "damaged places");
        lines.push(format!("its log has {places}"));
    }
    let retired = store.statistics().wear.retired;
    if retired > 0 {
        let segments = count(retired.into(), "segment is", "segments are");
        lines.push(format!("{segments} not used any more, because something in there failed"));
    }
    lines
}

impl Checking {
    pub(super) fn new(store: Looked) -> Self {
        let letters = store.statistics().letters as u64;
        Self {
            store,
            progress: Progress::new(letters, 0),
            seen: Vec::new(),
            damaged: HashMap::new(),
            letters: 0,
            messages: 0,
            messages_damaged: 0,
            deletions: 0,
            bytes: 0,
        }
    }

    /// Reads everything; names what is damaged as it is found.
    pub(super) fn all(&mut self) {
        let accounts: Vec<_> =
            self.store.accounts().map(|account| (account.id, account.address.to_owned())).collect();
        for (account, address) in accounts {
            for mailbox in mailboxes(&self.store, account) {
                let mut last = None;
                while let Some(message) = next_message(&self.store, mailbox.id, last) {
                    last = Some(message.uid);
                    self.message(&address, &mailbox, message);
                }
            }
            self.deletions(account, &address);
        }
    }

    fn message(&mut self, address: &str, mailbox: &MailboxInfo, message: Message) {
        self.messages += 1;
        let Some(letter) = self.store.stored_letter(mailbox.id, message.uid) else { return };
        self.letter(letter, |store| store.check_letter(mailbox.id, message.uid));
        if let Some(fault) = self.damaged.get(&letter) {
            self.messages_damaged += 1;
            self.progress.clear();
            say(format_args!("damaged: {address}, mailbox {}, UID {}: {fault}", mailbox.name, message.uid.0));
        }
    }

    /// What an account deleted and can have back.
    fn deletions(&mut self, account: AccountId, address: &str) {
        let mut below = None;
        loop {
            let listed = self.store.deletions(account, below, DELETIONS_LISTED);
            for deletion in &listed.found {
                self.deletion(account, address, deletion);
            }
            if listed.below.is_none() {
                return;
            }
            below = listed.below;
        }
    }

    fn deletion(&mut self, account: AccountId, address: &str, deletion: &Deletion) {
        self.deletions += 1;
        let Some(letter) = self.store.deleted_letter(account, deletion.number) else { return };
        self.letter(letter, |store| store.check_deletion(account, deletion.number));
        if let Some(fault) = self.damaged.get(&letter) {
            self.messages_damaged += 1;
            self.progress.clear();
            say(format_args!("damaged: {address}, deleted message {}: {fault}", deletion.number));
        }
    }

    /// Has a stored letter read, unless it has been.
    fn letter(
        &mut self,
        letter: StoredLetter,
        check: impl FnOnce(&mut Looked) -> Result<Fingerprint, CheckError>,
    ) {
        if !self.mark(letter) {
            return;
        }
        self.letters += 1;
        self.progress.letter(1);
        match check(&mut self.store) {
            Ok(found) => self.bytes += found.size,
            Err(CheckError::Damaged(fault)) => drop(self.damaged.insert(letter, fault)),
            // Nothing changes here and every read waits: what cannot be read now cannot be read.
            Err(CheckError::Unready(_)) => drop(self.damaged.insert(letter, LetterFault::Commit)),
        }
    }

    /// Notes that a letter is being read; says whether it was not before.
    fn mark(&mut self, letter: StoredLetter) -> bool {
        let (word, bit) = ((letter.0 / u64::BITS) as usize, 1 << (letter.0 % u64::BITS));
        if self.seen.len() <= word {
            self.seen.resize(word + 1, 0);
        }
        let Some(word) = self.seen.get_mut(word) else { return false };
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// What came of it.
    pub(super) fn conclude(&self) -> (Outcome, Vec<String>) {
        let places = self.store.damaged_places();
        let mut lines: Vec<String> = places.map(|place| format!("cannot be read: {place}")).collect();
        lines.push(format!(
            "read {} ({}) of {}, {} deleted ones",
            count(self.letters, "letter", "letters"),
            size(self.bytes),
            count(self.messages, "message", "messages"),
            number(self.deletions)
        ));
        let places = self.store.statistics().damage;
        if places == 0 && self.damaged.is_empty() {
            lines.push("clean".to_owned());
            return (Outcome::Good, lines);
        }
        lines.push(format!(
            "damaged: {} ({}), {}",
            count(self.messages_damaged, "message", "messages"),
            count(self.damaged.len() as u64, "letter", "letters"),
            count(places, "place that cannot be read", "places that cannot be read")
        ));
        (Outcome::Flawed, lines)
    }
}
