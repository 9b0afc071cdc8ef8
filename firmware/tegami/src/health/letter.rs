//! The letter to the box's owner: what is wrong with the flash and what to do.

use mail::{Address, Mail as _, MailboxId};
use store::DamagedLetter;

use super::{Complaint, Health};
use crate::{
    language::{Language, Text, fill},
    limits::HEALTH_LETTERS_LISTED,
    notice::Notice,
    office::MailStore,
};

/// The mailbox of whoever looks after the box: where mail for its postmaster goes, if that is kept here; otherwise the
/// INBOX of its first account, which is the one that claimed it. With the account's address.
pub(crate) fn owner(store: &MailStore) -> Option<(MailboxId, String)> {
    let postmaster = store.domains().find_map(|domain| {
        let address = format!("postmaster@{domain}");
        let parsed = Address::parse(&address).ok()?;
        store.accounts().find(|account| store.may_send_as(account.id, &parsed))
    });
    let account = postmaster.or_else(|| store.accounts().next())?;
    Some((store.inbox(account.id)?, account.address.to_owned()))
}

/// What the letter is made of.
pub(super) struct Facts<'a> {
    pub(super) hostname: &'a str,
    pub(super) health: &'a Health,
    pub(super) complaints: &'a [Complaint],
    pub(super) letters: &'a [DamagedLetter],
}

impl Notice for Facts<'_> {
    const TOPIC: &'static str = "health";

    fn subject(&self, language: Language) -> String {
        fill(Text::HealthSubject.say(language), &[self.hostname])
    }

    fn lines(&self, language: Language) -> Vec<String> {
        let mut lines = vec![fill(Text::HealthIntro.say(language), &[self.hostname]), String::new()];
        for complaint in self.complaints {
            lines.push(format!("* {}", self.health.sentence(*complaint, language)));
            let listed = if *complaint == Complaint::Damage { HEALTH_LETTERS_LISTED } else { 0 };
            lines.extend(self.letters.iter().take(listed).map(|letter| {
                let uid = letter.uid.0.to_string();
                let line = match &letter.account {
                    Some(account) => {
                        fill(Text::HealthLetter.say(language), &[account, &letter.mailbox, &uid])
                    }
                    None => fill(Text::HealthQueued.say(language), &[&uid]),
                };
                format!("  - {line}")
            }));
        }
        lines.push(String::new());
        lines.push(fill(Text::HealthNext.say(language), &[self.hostname]));
        lines.push(Text::HealthOnce.say(language).to_owned());
        lines
    }
}
