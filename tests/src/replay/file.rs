//! One person who files letters by IMAP while the writes are recorded: appends with flags, flags, moves, expunges, one
//! after the other, and notes for each when it was begun and when its OK had come.

use super::accounts::{FILER, FLAGS, MAILBOXES, account, flag_names};
use super::deliver::{number_behind, select};
use super::journal::{Change, Filed};
use super::recording::Scribe;
use crate::clients::Imap;
use crate::letters::{self, Random};
use crate::site::Site;
use std::sync::atomic::Ordering;

/// Sizes of the letters in bytes, taken in turn.
const SIZES: [usize; 4] = [900, 3_000, 12_000, 100_000];

/// The first letter's number: far from those that are delivered.
const FIRST: u64 = 1_000_000;

/// How many letters there are before any is expunged.
const LETTERS_MIN: usize = 4;

/// From so many letters on it is expunged as much as appended: what was written becomes free again.
const LETTERS_MAX: usize = 60;

/// The bit of `\Deleted`.
const DELETED: u8 = 1 << 3;

/// Files letters until told to stop; the seed decides what is done.
///
/// # Panics
/// When the box goes away or refuses a change, other than an APPEND for want of room.
pub(super) fn file(scribe: &Scribe, site: &Site, seed: u64) {
    let mut filer = Filer {
        scribe,
        imap: Imap::log_in(site, &account(FILER)),
        selected: None,
        random: Random::new(seed),
    };
    while !scribe.stops() {
        filer.step();
    }
}

struct Filer<'a> {
    scribe: &'a Scribe,
    imap: Imap,
    selected: Option<usize>,
    random: Random,
}

impl Filer<'_> {
    fn step(&mut self) {
        let filed = self.scribe.note(|journal| journal.filed_after(journal.changes.len()));
        let choice = self.random.below(8);
        let letter = filed.iter().nth(self.random.below(filed.len().max(1) as u64) as usize);
        match (letter, choice) {
            (Some((number, letter)), 3 | 4) => self.flag(*number, *letter),
            (Some((number, letter)), 5 | 6) => self.transfer(*number, *letter),
            (Some((number, letter)), 7) if filed.len() > LETTERS_MIN => self.discard(*number, *letter),
            (Some((number, letter)), _) if filed.len() > LETTERS_MAX => self.discard(*number, *letter),
            _ => self.append(),
        }
    }

    fn append(&mut self) {
        let number = FIRST + self.scribe.next_letter();
        let flags = self.random.below(8) as u8;
        let after = |uid| Some(Filed { mailbox: 0, uid, flags });
        let letter = letters::numbered(number, SIZES[number as usize % SIZES.len()]);
        self.begin(number, after(0));
        let names = format!("({}) ", flag_names(flags));
        let answer = self.imap.try_append(MAILBOXES[0], &names, &letter).expect("the box is there");
        if answer.status != "OK" {
            // Full: it is as if it had not been asked for.
            assert!(answer.status == "NO", "APPEND: {answer:?}");
            self.scribe.note(|journal| journal.changes.pop());
            self.scribe.refused.fetch_add(1, Ordering::Relaxed);
            self.scribe.rest();
            return;
        }
        let uid = second_number(&answer.text, "[APPENDUID ");
        self.end(after(uid));
    }

    fn flag(&mut self, number: u64, letter: Filed) {
        let bits = 1 << self.random.below(FLAGS.len() as u64 - 1);
        self.set_flags(number, letter, bits);
    }

    fn set_flags(&mut self, number: u64, letter: Filed, bits: u8) {
        self.select(letter.mailbox);
        let after = Some(Filed { flags: letter.flags | bits, ..letter });
        self.begin(number, after);
        self.imap.ok(&format!("UID STORE {} +FLAGS.SILENT ({})", letter.uid, flag_names(bits)));
        self.end(after);
    }

    fn transfer(&mut self, number: u64, letter: Filed) {
        self.select(letter.mailbox);
        let mailbox = 1 - letter.mailbox;
        let after = |uid| Some(Filed { mailbox, uid, ..letter });
        self.begin(number, after(0));
        let responses = self.imap.ok(&format!("UID MOVE {} {}", letter.uid, MAILBOXES[mailbox]));
        let copied = responses.iter().find(|response| response.text.contains("[COPYUID "));
        let copied = copied.expect("MOVE tells the new UID (RFC 6851 §4.3)");
        // `COPYUID validity from to`: the last of the three.
        let inside = copied.text.split(']').next().unwrap_or_default();
        let uid = inside.rsplit(' ').next().and_then(|uid| uid.parse().ok());
        self.end(after(uid.expect("COPYUID names one message")));
    }

    /// Flags it as deleted, and the next time expunges it.
    fn discard(&mut self, number: u64, letter: Filed) {
        if letter.flags & DELETED == 0 {
            self.set_flags(number, letter, DELETED);
        } else {
            self.expunge(number, letter);
        }
    }

    fn expunge(&mut self, number: u64, letter: Filed) {
        self.select(letter.mailbox);
        self.begin(number, None);
        self.imap.ok(&format!("UID EXPUNGE {}", letter.uid));
        self.end(None);
    }

    fn select(&mut self, mailbox: usize) {
        if self.selected == Some(mailbox) {
            return;
        }
        let name = MAILBOXES[mailbox];
        let validity = select(&mut self.imap, name);
        self.selected = Some(mailbox);
        self.scribe.note(|journal| journal.validities.insert((FILER.to_owned(), name.to_owned()), validity));
    }

    fn begin(&self, number: u64, after: Option<Filed>) {
        let begun = self.scribe.now();
        self.scribe.note(|journal| journal.changes.push(Change { begun, confirmed: None, number, after }));
    }

    fn end(&self, after: Option<Filed>) {
        let confirmed = Some(self.scribe.now());
        self.scribe.note(|journal| {
            let last = journal.changes.last_mut().expect("it was begun");
            *last = Change { confirmed, after, ..*last };
        });
    }
}

/// The second of the numbers behind these words.
fn second_number(text: &str, words: &str) -> u32 {
    let (_, rest) = text.split_once(words).expect("the answer tells the UID (RFC 4315)");
    let (_, rest) = rest.split_once(' ').expect("UIDVALIDITY comes first");
    number_behind(&format!(" {rest}"), " ").expect("a UID is a number")
}
