//! Mailboxes that are nearly full: whose quota is used to nine tenths gets a letter that says so, before mail for them is
//! refused. One letter for each time that it comes to that: the next one comes only after there was room in between.

use std::rc::Rc;

use mail::{AccountId, Mail as _, Quota, Refusal};
use tokio::time::sleep;

use crate::{
    house::House,
    language::{Language, Text, fill},
    limits::{QUOTA_CHECK, QUOTA_PERCENT_AGAIN, QUOTA_PERCENT_TOLD},
    notice::{self, Notice},
    office::Office,
    provision::{Change, Keeper as _, key},
    tools::size,
};

/// What the letter is made of.
struct Facts<'a> {
    hostname: &'a str,
    used: u64,
    limit: u64,
}

impl Notice for Facts<'_> {
    const TOPIC: &'static str = "quota";

    fn subject(&self, language: Language) -> String {
        fill(Text::QuotaSubject.say(language), &[&percent(self.used, self.limit).to_string()])
    }

    fn lines(&self, language: Language) -> Vec<String> {
        let (used, limit) = (size(self.used), size(self.limit));
        let share = percent(self.used, self.limit).to_string();
        vec![
            fill(Text::QuotaIntro.say(language), &[self.hostname, &share, &used, &limit]),
            String::new(),
            Text::QuotaThen.say(language).to_owned(),
            Text::QuotaNext.say(language).to_owned(),
        ]
    }
}

/// Looks at every account for as long as it runs.
pub(crate) async fn watch(house: Rc<House>) {
    loop {
        look(&house).await;
        sleep(QUOTA_CHECK).await;
    }
}

/// What is to be done for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// It has to be told.
    Tell(Quota),
    /// It has room again, and may be told again.
    Forget,
}

/// Looks at every account once.
async fn look(house: &House) {
    if house.office.store().is_read_only() {
        return;
    }
    for (account, step) in steps(&house.office) {
        let result = match step {
            Step::Tell(quota) => tell(house, account, quota).await,
            Step::Forget => house.office.carry_out(vec![Change::unset(key::quota_told(account))]).await,
        };
        if let Err(refusal) = result {
            // It is tried again at the next look: a mailbox of a few letters may have no room for one more.
            log::warn!(
                "account {}: that the mailbox is nearly full could not be told: {refusal:?}",
                account.0
            );
        }
    }
}

fn steps(office: &Office) -> Vec<(AccountId, Step)> {
    let store = office.store();
    let told = |account| store.setting(&key::quota_told(account)).is_some();
    let step = |account: AccountId| match (store.quota(account), told(account)) {
        (quota @ Quota { used, limit: Some(limit) }, false) if percent(used, limit) >= QUOTA_PERCENT_TOLD => {
            Some((account, Step::Tell(quota)))
        }
        (Quota { used, limit: Some(limit) }, true) if percent(used, limit) < QUOTA_PERCENT_AGAIN => {
            Some((account, Step::Forget))
        }
        (Quota { limit: None, .. }, true) => Some((account, Step::Forget)),
        _ => None,
    };
    store.accounts().filter_map(|account| step(account.id)).collect()
}

/// How much of a quota is used, rounded down; a quota of nothing is used up.
const fn percent(used: u64, limit: u64) -> u64 {
    match (used as u128 * 100).checked_div(limit as u128) {
        Some(percent) => percent as u64,
        None => 100,
    }
}

/// Puts the letter into the account's INBOX, and keeps that it is there. A cut between the two makes a second letter:
/// better than none.
async fn tell(house: &House, account: AccountId, quota: Quota) -> Result<(), Refusal> {
    let office = house.office.as_ref();
    let to = office.store().account(account).map(|account| account.address.to_owned());
    let inbox = office.store().inbox(account);
    let (Some(to), Some(inbox)) = (to, inbox) else { return Ok(()) };
    let hostname = house.hostname();
    let limit = quota.limit.unwrap_or_default();
    let facts = Facts { hostname: &hostname, used: quota.used, limit };
    notice::deliver(house, &facts, (inbox, &to)).await?;
    log::info!("{to}: the mailbox is full to {} %; its owner has been told", percent(quota.used, limit));
    office.carry_out(vec![Change::set(key::quota_told(account), vec![1])]).await
}

#[cfg(test)]
#[path = "quota_tests.rs"]
mod tests;
