//! One person who files letters by IMAP while the power is cut: appends, flags, moves, expunges, one after the other,
//! and a model of what each confirmed step has changed.

use crate::clients::Imap;
use crate::letters::{self, Random};
use crate::site::{Account, Site};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Size of the letters in bytes.
const SIZE: usize = 3_000;

/// The first letter's number: SEARCH finds parts of words, and no number of seven digits is a part of another.
const FIRST: u64 = 1_000_000;

/// From so many letters on one goes for each that comes.
const LETTERS_MAX: usize = 60;

/// The mailboxes between which letters move.
const MAILBOXES: [&str; 2] = ["INBOX", "Archive"];

/// How long nothing is tried when there is no room.
const REST: Duration = Duration::from_millis(100);

/// Where each letter is and whether it is flagged, by its number.
type State = BTreeMap<u64, (usize, bool)>;

/// One change.
#[derive(Debug, Clone, Copy)]
enum Step {
    Append(u64),
    Flag(u64),
    Move(u64),
    Expunge(u64),
}

/// The person, and what that person was told.
#[derive(Debug)]
pub struct Organiser {
    account: Account,
    confirmed: State,
    /// The step that was begun and not confirmed: it may have happened or not.
    in_doubt: Option<Step>,
    random: Random,
    next: u64,
    steps: usize,
    refused: usize,
    may_be_full: bool,
}

impl Organiser {
    /// A person with an empty account; the seed decides what is done.
    pub fn new(account: Account, seed: u64) -> Self {
        let random = Random::new(seed);
        let confirmed = State::new();
        Self {
            account,
            confirmed,
            in_doubt: None,
            random,
            next: FIRST,
            steps: 0,
            refused: 0,
            may_be_full: false,
        }
    }

    /// The server may be full: then an APPEND may be refused, and nothing else.
    #[must_use]
    pub fn on_full(mut self) -> Self {
        self.may_be_full = true;
        self
    }

    /// Files letters until told to stop or until the server goes away.
    ///
    /// # Panics
    /// When a step is refused.
    pub fn work(&mut self, site: &Site, stop: &AtomicBool) {
        // The server going away is what this is for.
        self.try_work(site, stop).ok();
    }

    /// Steps that were confirmed so far.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Steps that were refused for want of room.
    pub fn refused(&self) -> usize {
        self.refused
    }

    fn try_work(&mut self, site: &Site, stop: &AtomicBool) -> io::Result<()> {
        let mut imap = Imap::try_log_in(site, &self.account)?;
        while !stop.load(Ordering::Relaxed) {
            let step = self.choose();
            self.in_doubt = Some(step);
            let is_done = self.carry_out(&mut imap, step)?;
            self.in_doubt = None;
            if is_done {
                apply(&mut self.confirmed, step);
                self.steps += 1;
            } else {
                self.refused += 1;
                thread::sleep(REST);
            }
        }
        Ok(())
    }

    fn choose(&mut self) -> Step {
        let known: Vec<u64> = self.confirmed.keys().copied().collect();
        let choice = self.random.below(8);
        if known.len() < 4 || (choice < 3 && known.len() < LETTERS_MAX) {
            self.next += 1;
            return Step::Append(self.next);
        }
        let number = known[self.random.below(known.len() as u64) as usize];
        match choice {
            3 | 4 => Step::Flag(number),
            5 | 6 => Step::Move(number),
            _ => Step::Expunge(number),
        }
    }

    /// False when it was refused for want of room.
    fn carry_out(&self, imap: &mut Imap, step: Step) -> io::Result<bool> {
        let number = match step {
            Step::Append(number) => {
                let answer = imap.try_append("INBOX", "", &letters::numbered(number, SIZE))?;
                let is_full = self.may_be_full && answer.text.starts_with("[OVERQUOTA]");
                assert!(answer.status == "OK" || is_full, "APPEND: {answer:?}");
                return Ok(answer.status == "OK");
            }
            Step::Flag(number) | Step::Move(number) | Step::Expunge(number) => number,
        };
        let mailbox = self.confirmed[&number].0;
        imap.try_command(&format!("SELECT {}", MAILBOXES[mailbox]))?;
        let found = imap.try_command(&format!("UID SEARCH HEADER {} \"{number}/\"", letters::ID_HEADER))?;
        let uid = found
            .untagged
            .iter()
            .find_map(|response| response.text.strip_prefix("SEARCH "))
            .map(str::to_owned);
        let uid = uid.unwrap_or_else(|| panic!("letter {number} is not found:\n{}", imap.wire.dialogue()));
        let commands = match step {
            Step::Flag(_) => vec![format!("UID STORE {uid} +FLAGS.SILENT (\\Flagged)")],
            Step::Move(_) => vec![format!("UID MOVE {uid} {}", MAILBOXES[1 - mailbox])],
            _ => vec![format!("UID STORE {uid} +FLAGS.SILENT (\\Deleted)"), format!("UID EXPUNGE {uid}")],
        };
        for command in commands {
            let answer = imap.try_command(&command)?;
            assert!(answer.status == "OK", "{command}: {answer:?}");
        }
        Ok(true)
    }

    /// Reads both mailboxes and fails unless they hold exactly what was confirmed, with the step in doubt done wholly
    /// or not at all; then goes on from what is there.
    ///
    /// # Panics
    /// With what was expected and what is there.
    pub fn verify(&mut self, site: &Site) {
        let mut imap = Imap::log_in(site, &self.account);
        let there = read(&mut imap).unwrap_or_else(|error| panic!("{error}\n{}", imap.wire.dialogue()));
        let mut done = self.confirmed.clone();
        if let Some(step) = self.in_doubt {
            apply(&mut done, step);
        }
        assert!(
            there == self.confirmed || there == done,
            "confirmed: {:?}\nin doubt: {:?}\nthere: {there:?}",
            self.confirmed,
            self.in_doubt
        );
        self.confirmed = there;
        self.in_doubt = None;
    }
}

fn apply(state: &mut State, step: Step) {
    match step {
        Step::Append(number) => {
            state.insert(number, (0, false));
        }
        Step::Flag(number) => {
            state.entry(number).and_modify(|(_, flagged)| *flagged = true);
        }
        Step::Move(number) => {
            state.entry(number).and_modify(|(mailbox, _)| *mailbox = 1 - *mailbox);
        }
        Step::Expunge(number) => {
            state.remove(&number);
        }
    }
}

fn read(imap: &mut Imap) -> io::Result<State> {
    let mut state = State::new();
    for (mailbox, name) in MAILBOXES.into_iter().enumerate() {
        imap.try_command(&format!("SELECT {name}"))?;
        let answer = imap.try_command("UID FETCH 1:* (FLAGS BODY.PEEK[])")?;
        for response in answer.untagged.iter().filter(|response| !response.literals.is_empty()) {
            let bytes = &response.literals[0];
            let (number, sent) =
                letters::remake(bytes).ok_or_else(|| io::Error::other("a letter that nobody sent"))?;
            assert!(*bytes == sent, "letter {number} in {name} is damaged");
            let flagged = response.text.contains("\\Flagged");
            let before = state.insert(number, (mailbox, flagged));
            assert!(before.is_none(), "letter {number} is there twice");
        }
    }
    Ok(state)
}
