//! What clients asked for, when they began to, and when they were told that it is done; and what must therefore be on a
//! flash as of any moment. Moments are positions in the record of writes: the parent module says why.

use super::accounts::{MAILBOXES, RECIPIENTS};
use std::collections::{BTreeMap, BTreeSet};

/// A length of the record, in bytes.
pub(super) type Position = u64;

/// A letter to both recipients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Letter {
    /// The moment before its data were sent.
    pub(super) begun: Position,
    /// The moment after its 250.
    pub(super) confirmed: Option<Position>,
}

/// A letter that the filer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filed {
    /// Which of the filer's mailboxes.
    pub mailbox: usize,
    /// Its UID; 0 where the filer was not told.
    pub uid: u32,
    /// Its flags, as bits.
    pub flags: u8,
}

/// One change that the filer made: where a letter is afterwards, `None` once it is expunged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) begun: Position,
    pub(super) confirmed: Option<Position>,
    pub(super) number: u64,
    pub(super) after: Option<Filed>,
}

/// A letter that a reader saw in a recipient's mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sight {
    pub(super) recipient: usize,
    pub(super) uid: u32,
    pub(super) number: u64,
    /// The moment after it was shown.
    pub(super) at: Position,
}

/// Everything that happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Journal {
    pub(super) letters: BTreeMap<u64, Letter>,
    /// In the order in which the filer, who waits for each, made them.
    pub(super) changes: Vec<Change>,
    pub(super) sights: Vec<Sight>,
    /// UIDVALIDITY of each mailbox that was looked into, by address and name: made before the record begins.
    pub(super) validities: BTreeMap<(String, String), u32>,
}

/// A letter found in a recipient's mailbox.
#[derive(Debug, Clone, Copy)]
pub struct FoundLetter {
    /// Its UID.
    pub uid: u32,
    /// Its number.
    pub number: u64,
    /// Whether each of its bytes is as it was sent.
    pub intact: bool,
}

/// What a flash holds.
#[derive(Debug, Default)]
pub struct Found {
    /// The INBOX of each recipient.
    pub inboxes: [Vec<FoundLetter>; 2],
    /// The filer's letters, in no order; whether each is intact.
    pub filed: Vec<(u64, Filed, bool)>,
    /// UIDVALIDITY of each mailbox, by address and name.
    pub validities: BTreeMap<(String, String), u32>,
}

impl Journal {
    /// Moves everything to before the record: what was confirmed is on the flash that the record begins with.
    pub(super) fn becomes_the_past(&mut self) {
        let moments = self.letters.values_mut().map(|letter| (&mut letter.begun, &mut letter.confirmed));
        let moments =
            moments.chain(self.changes.iter_mut().map(|made| (&mut made.begun, &mut made.confirmed)));
        for (begun, confirmed) in moments {
            *begun = 0;
            *confirmed = confirmed.map(|_| 0);
        }
        for sight in &mut self.sights {
            sight.at = 0;
        }
    }

    /// Letters that got their 250, and changes that got their OK.
    pub fn confirmed(&self) -> (usize, usize) {
        let letters = self.letters.values().filter(|letter| letter.confirmed.is_some()).count();
        (letters, self.changes.iter().filter(|change| change.confirmed.is_some()).count())
    }

    /// The letter that was confirmed last: when it was begun and when confirmed.
    pub fn last_confirmed(&self) -> Option<(Position, Position)> {
        let confirmed = self.letters.values().filter_map(|letter| Some((letter.begun, letter.confirmed?)));
        confirmed.max_by_key(|(_, confirmed)| *confirmed)
    }

    /// What is wrong with a flash as of this moment, a sentence each.
    pub fn check(&self, found: &Found, at: Position) -> Vec<String> {
        let mut wrong = Vec::new();
        for (inbox, name) in found.inboxes.iter().zip(RECIPIENTS) {
            self.check_inbox(inbox, name, at, &mut wrong);
        }
        let numbers =
            found.inboxes.each_ref().map(|inbox| inbox.iter().map(|letter| letter.number).collect());
        let [one, two]: [BTreeSet<u64>; 2] = numbers;
        wrong.extend(
            one.symmetric_difference(&two)
                .map(|number| format!("letter {number} is in one of its two mailboxes")),
        );
        self.check_sights(found, at, &mut wrong);
        self.check_filed(found, at, &mut wrong);
        for (mailbox, validity) in &self.validities {
            let there = found.validities.get(mailbox);
            if there != Some(validity) {
                wrong.push(format!("UIDVALIDITY of {mailbox:?} was {validity} and is {there:?}"));
            }
        }
        wrong
    }

    fn check_inbox(&self, inbox: &[FoundLetter], name: &str, at: Position, wrong: &mut Vec<String>) {
        let mut times: BTreeMap<u64, usize> = BTreeMap::new();
        for letter in inbox {
            *times.entry(letter.number).or_default() += 1;
            if !letter.intact {
                wrong.push(format!("letter {} (UID {} of {name}) is damaged", letter.number, letter.uid));
            }
            if self.letters.get(&letter.number).is_none_or(|sent| sent.begun >= at && sent.begun > 0) {
                wrong.push(format!("letter {} of {name} was not sent yet", letter.number));
            }
        }
        for (number, letter) in &self.letters {
            match (times.get(number).copied().unwrap_or(0), is_by(letter.confirmed, at)) {
                (0, true) => wrong.push(format!("letter {number} got its 250 and {name} lost it")),
                (0 | 1, _) => {}
                (more, _) => wrong.push(format!("letter {number} is there {more} times for {name}")),
            }
        }
    }

    /// What was once shown keeps its UID: nothing is shown that a cut could take back.
    fn check_sights(&self, found: &Found, at: Position, wrong: &mut Vec<String>) {
        for sight in self.sights.iter().filter(|sight| sight.at <= at) {
            let there = found.inboxes[sight.recipient].iter().find(|letter| letter.uid == sight.uid);
            if there.map(|letter| letter.number) != Some(sight.number) {
                wrong.push(format!("{sight:?} was seen, and now there is {there:?}"));
            }
        }
    }

    /// The filer waits for each change: at any moment at most one is in doubt.
    fn check_filed(&self, found: &Found, at: Position, wrong: &mut Vec<String>) {
        let mut there = BTreeMap::new();
        for (number, filed, intact) in &found.filed {
            if !intact {
                wrong.push(format!("filed letter {number} is damaged"));
            }
            if there.insert(*number, *filed).is_some() {
                wrong.push(format!("filed letter {number} is there twice"));
            }
        }
        let sure = self.changes.iter().take_while(|change| is_by(change.confirmed, at)).count();
        let begun = self.changes.iter().take_while(|change| change.begun < at || change.begun == 0).count();
        let (least, most) = (self.filed_after(sure), self.filed_after(begun.max(sure)));
        if !is_same(&least, &there) && !is_same(&most, &there) {
            wrong.push(format!(
                "filed letters: {}\n  in doubt: {:?}",
                differences(&least, &there),
                self.changes.get(sure..begun.max(sure))
            ));
        }
    }

    /// The filer's letters after so many changes.
    pub(super) fn filed_after(&self, changes: usize) -> BTreeMap<u64, Filed> {
        let mut filed = BTreeMap::new();
        for change in &self.changes[..changes] {
            match change.after {
                Some(after) => filed.insert(change.number, after),
                None => filed.remove(&change.number),
            };
        }
        filed
    }
}

fn is_by(confirmed: Option<Position>, at: Position) -> bool {
    confirmed.is_some_and(|confirmed| confirmed <= at)
}

fn is_same(expected: &BTreeMap<u64, Filed>, there: &BTreeMap<u64, Filed>) -> bool {
    expected.len() == there.len() && expected.iter().all(|(number, filed)| agrees(filed, there.get(number)))
}

fn agrees(expected: &Filed, there: Option<&Filed>) -> bool {
    let uid = |there: &Filed| if expected.uid == 0 { 0 } else { there.uid };
    there.is_some_and(|there| Filed { uid: uid(there), ..*there } == *expected)
}

fn differences(expected: &BTreeMap<u64, Filed>, there: &BTreeMap<u64, Filed>) -> String {
    let numbers: BTreeSet<u64> = expected.keys().chain(there.keys()).copied().collect();
    let differs = |number: &u64| match expected.get(number) {
        Some(filed) => !agrees(filed, there.get(number)),
        None => true,
    };
    let show = |number: u64| {
        let names = |filed: &Filed| MAILBOXES[filed.mailbox];
        let [was, is] = [expected.get(&number), there.get(&number)];
        format!("{number} was {was:?} in {:?} and is {is:?} in {:?}", was.map(names), is.map(names))
    };
    numbers.into_iter().filter(differs).map(show).collect::<Vec<_>>().join("; ")
}
