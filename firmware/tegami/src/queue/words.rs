//! What servers said last about letters that wait: kept on flash once for all letters that got the same, so that a report
//! days later, after any number of restarts, can still say it. A message of the queue names what it got by a number.

use std::collections::BTreeMap;

use proto::report::{Cause, Side};
use serde::{Deserialize, Serialize};

use super::{
    limits::{WORDS_BYTES_MAX, WORDS_MAX},
    trouble::Trouble,
};
use crate::{provision::Change, stored};

/// What keys of these settings begin with.
pub(crate) const PREFIX: &str = "queue/words/";

/// What is remembered, by number from 1.
#[derive(Debug, Default)]
pub(crate) struct Words(BTreeMap<u8, Trouble>);

/// At rest.
#[derive(Serialize, Deserialize)]
struct WordsV1 {
    /// Place of the cause in [`CAUSES`].
    cause: u8,
    server: String,
    reply: String,
    note: String,
}

/// What can be anybody's last word. Their places are on flash: never to be changed.
const CAUSES: [Cause; 22] = [
    Cause::Deferred,
    Cause::MailboxFull,
    Cause::Greylisted,
    Cause::NoConnection,
    Cause::NoAnswer,
    Cause::NameTrouble,
    Cause::NoTls,
    Cause::WrongCertificate,
    Cause::LogInRefused,
    Cause::RelayRefused,
    Cause::Damaged,
    Cause::Unwanted,
    Cause::Refused,
    Cause::NoSuchUser,
    Cause::NoSuchDomain,
    Cause::TakesNoMail,
    Cause::Loop,
    Cause::AddressScript,
    Cause::BodyForm,
    Cause::Cancelled,
    Cause::TooLarge { side: Side::Theirs, size: None, limit: None },
    Cause::NoRequireTls,
];

impl Words {
    /// Reads what is kept: `setting` gives the value of a key.
    pub(crate) fn load(setting: impl Fn(&str) -> Option<Vec<u8>>) -> Self {
        let read = |number: u8| {
            let form: WordsV1 = stored::decode(&setting(&key(number))?)?;
            let cause = CAUSES.get(usize::from(form.cause)).copied().unwrap_or(Cause::Deferred);
            let trouble = Trouble { cause, server: form.server, reply: form.reply, note: form.note };
            Some((number, trouble))
        };
        Self((1..=u8::MAX).filter_map(read).collect())
    }

    /// What has this number.
    pub(crate) fn get(&self, number: u8) -> Option<&Trouble> {
        self.0.get(&number)
    }

    /// The number of `trouble`, and the change that keeps it if it is a new one. `is_used` says which numbers are named by
    /// messages: it is asked only when there is no other. `(0, None)`, which is nothing, where all are.
    pub(crate) fn number(
        &mut self,
        trouble: &Trouble,
        is_used: impl FnOnce() -> [bool; WORDS_MAX + 1],
    ) -> (u8, Option<Change>) {
        let mut kept = trouble.clone();
        if let Cause::TooLarge { side, .. } = kept.cause {
            kept.cause = Cause::TooLarge { side, size: None, limit: None };
        }
        for text in [&mut kept.server, &mut kept.reply, &mut kept.note] {
            text.truncate(text.floor_char_boundary(WORDS_BYTES_MAX));
        }
        if let Some((number, _)) = self.0.iter().find(|(_, known)| **known == kept) {
            return (*number, None);
        }
        let Some(number) = self.free(is_used) else { return (0, None) };
        let cause = CAUSES.iter().position(|cause| *cause == kept.cause).unwrap_or_default();
        let form = WordsV1 {
            cause: u8::try_from(cause).unwrap_or_default(),
            server: kept.server.clone(),
            reply: kept.reply.clone(),
            note: kept.note.clone(),
        };
        self.0.insert(number, kept);
        (number, Some(Change::set(key(number), stored::encode(&form).to_vec())))
    }

    fn free(&self, is_used: impl FnOnce() -> [bool; WORDS_MAX + 1]) -> Option<u8> {
        if self.0.len() < WORDS_MAX {
            return (1..=u8::MAX).find(|number| !self.0.contains_key(number));
        }
        let used = is_used();
        (1..=u8::MAX).find(|number| !used.get(usize::from(*number)).copied().unwrap_or(true))
    }
}

fn key(number: u8) -> String {
    format!("{PREFIX}{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(text: &str) -> Trouble {
        let reply = format!("450 4.2.0 {text}");
        Trouble { cause: Cause::Greylisted, server: "mx.peer.test".into(), reply, note: String::new() }
    }

    #[test]
    fn the_same_words_are_kept_once_and_come_back() {
        let mut words = Words::default();
        let (number, change) = words.number(&trouble("later"), || [true; 256]);
        assert_eq!(number, 1);
        let Some(Change::Setting { key, value: Some(value) }) = change else { panic!("not kept") };
        assert!(words.number(&trouble("later"), || [true; 256]).1.is_none());
        let (second, _) = words.number(&trouble("much later"), || [true; 256]);
        assert_eq!(second, 2);
        let read = Words::load(|asked| (asked == key).then(|| value.clone()));
        assert_eq!(read.get(1), Some(&trouble("later")));
        assert_eq!(read.get(2), None);
    }

    #[test]
    fn numbers_that_nobody_names_are_used_again() {
        let mut words = Words::default();
        for number in 1..=255 {
            assert_eq!(words.number(&trouble(&number.to_string()), || [true; 256]).0, number);
        }
        assert_eq!(words.number(&trouble("one more"), || [true; 256]), (0, None));
        let mut used = [true; 256];
        used[9] = false;
        assert_eq!(words.number(&trouble("one more"), || used).0, 9);
        assert_eq!(words.get(9), Some(&trouble("one more")));
    }

    #[test]
    fn long_words_are_cut_between_characters() {
        let mut words = Words::default();
        let long = trouble(&"あ".repeat(1_000));
        let (number, change) = words.number(&long, || [true; 256]);
        assert!(change.is_some() && words.get(number).unwrap().reply.len() <= WORDS_BYTES_MAX);
        assert!(words.number(&long, || [true; 256]).1.is_none(), "what was cut is known again");
    }
}
