//! `tegami undelete`: brings deleted messages back, each into the mailbox that it was in.

use std::{collections::BTreeMap, path::Path};

use jiff::Timestamp;
use mail::{AccountId, Mail as _, MailboxId, MailboxName, Refusal};
use store::{Deletion, limits::DELETIONS_PER_CHANGE_MAX};

use super::{
    Outcome, Problem, accounts,
    arguments::Which,
    deleted::zone,
    flash::Writing,
    limits::DELETIONS_LISTED,
    output::{say, warn},
    wording::{count, reason},
};
use crate::{office::MailStore, provision::key};

/// Deletions by the mailbox into which they come back; those whose mailbox nobody knows under INBOX.
type Homes = BTreeMap<MailboxName, Vec<u64>>;

/// Brings them back.
///
/// # Errors
/// A sentence.
pub(super) fn run(flash: &Path, account: &str, which: &Which) -> Result<Outcome, Problem> {
    let mut writing = Writing::open(flash)?;
    let known = writing.store.accounts().map(|account| (account.id, account.address));
    let (account, address) = accounts::find(known, account)?;
    let (chosen, undated) = choose(&writing.store, account, which)?;
    let ended = bring_back(&mut writing, account, &homes(chosen));
    writing.close();
    let back = match ended {
        Ok(back) => count(back, "message", "messages"),
        Err((back, refusal)) => {
            let back = count(back, "message", "messages");
            return Err(format!("{back} of {address} brought back, then it stopped: {}", reason(refusal)));
        }
    };
    say(format_args!("{back} of {address} brought back"));
    if undated == 0 {
        return Ok(Outcome::Good);
    }
    let undated = count(undated, "message was", "messages were");
    warn(format_args!("{undated} deleted while the box did not know the time: give their numbers"));
    Ok(Outcome::Flawed)
}

/// The deletions that are meant, and of how many that cannot be said.
fn choose(store: &MailStore, account: AccountId, which: &Which) -> Result<(Vec<Deletion>, u64), Problem> {
    match which {
        Which::Numbers(numbers) => {
            let one = |number: &u64| {
                store.deletion(account, *number).ok_or_else(|| {
                    format!(
                        "there is no deleted message {number} of that account: `tegami deleted` lists them"
                    )
                })
            };
            Ok((numbers.iter().map(one).collect::<Result<_, _>>()?, 0))
        }
        Which::Mailbox(name) => {
            let name = MailboxName::new(name).map_err(|_| format!("no mailbox can be called `{name}`"))?;
            let mut chosen = all(store, account);
            chosen.retain(|deletion| deletion.mailbox.as_ref() == Some(&name));
            Ok((chosen, 0))
        }
        Which::Since(time) => {
            let since = zone(store.setting(key::TIMEZONE)).to_ambiguous_zoned(*time).compatible();
            let since = since.map_err(|_| format!("{time} is not a time that this program knows"))?;
            Ok(deleted_since(all(store, account), since.timestamp()))
        }
    }
}

/// All deletions of an account, the newest one first.
fn all(store: &MailStore, account: AccountId) -> Vec<Deletion> {
    let (mut found, mut below) = (Vec::new(), None);
    loop {
        let mut listed = store.deletions(account, below, DELETIONS_LISTED);
        found.append(&mut listed.found);
        if listed.below.is_none() {
            return found;
        }
        below = listed.below;
    }
}

/// Those that were deleted then or later, of a list that begins with the newest. One without a time was, if an older one
/// was, and was not, if a newer one was not; of how many neither can be said, is said.
fn deleted_since(all: Vec<Deletion>, since: Timestamp) -> (Vec<Deletion>, u64) {
    let is_since = |deletion: &Deletion| deletion.time.map(|time| time.0 >= since.as_second());
    let last = all.iter().rposition(|deletion| is_since(deletion) == Some(true));
    let (mut chosen, mut undated, mut passed) = (Vec::new(), 0, false);
    for (at, deletion) in all.into_iter().enumerate() {
        match is_since(&deletion) {
            Some(true) => chosen.push(deletion),
            Some(false) => passed = true,
            None if last.is_some_and(|last| at < last) => chosen.push(deletion),
            None => undated += u64::from(!passed),
        }
    }
    (chosen, undated)
}

fn homes(chosen: Vec<Deletion>) -> Homes {
    let mut homes = Homes::new();
    for deletion in chosen {
        let name = deletion.mailbox.or_else(|| MailboxName::new(MailboxName::INBOX).ok());
        if let Some(name) = name {
            homes.entry(name).or_default().push(deletion.number);
        }
    }
    // The oldest first, also where they are too many for one change.
    homes.values_mut().for_each(|numbers| numbers.sort_unstable());
    homes
}

/// Brings deletions back. How many came; with an error, until then.
fn bring_back(writing: &mut Writing, account: AccountId, homes: &Homes) -> Result<u64, (u64, Refusal)> {
    let mut back = 0;
    for (name, numbers) in homes {
        let mailbox = mailbox(writing, account, name).map_err(|refusal| (back, refusal))?;
        for numbers in numbers.chunks(DELETIONS_PER_CHANGE_MAX) {
            let asked = writing.ask(|store| store.undelete(account, numbers, mailbox));
            let receipts = asked.and_then(|ticket| writing.durable(&[ticket]));
            let receipts = receipts.map_err(|refusal| (back, refusal))?;
            back += receipts.iter().map(|receipt| u64::from(receipt.destination.len())).sum::<u64>();
        }
    }
    Ok(back)
}

/// The mailbox of that name; made, and shown to clients, if there is none any more.
fn mailbox(writing: &mut Writing, account: AccountId, name: &MailboxName) -> Result<MailboxId, Refusal> {
    if writing.store.mailbox(account, name).is_none() {
        writing.make(|store| store.create_mailbox(account, name, None))?;
        writing.make(|store| store.subscribe(account, name, true))?;
    }
    writing.store.mailbox(account, name).ok_or(Refusal::NoSuchMailbox)
}

#[cfg(test)]
mod tests {
    use mail::{Flags, UnixTime};

    use super::*;

    fn deletion(number: u64, time: Option<i64>) -> Deletion {
        Deletion {
            number,
            mailbox: None,
            gone: true,
            flags: Flags::NONE,
            time: time.map(UnixTime),
            size: 1,
            received: UnixTime(0),
            zone_minutes: 0,
        }
    }

    #[test]
    fn what_has_no_time_lies_between_its_neighbours() {
        let all = [(9, None), (8, Some(80)), (7, None), (6, Some(60)), (5, None), (4, Some(40)), (3, None)];
        let all: Vec<Deletion> = all.into_iter().map(|(number, time)| deletion(number, time)).collect();
        let since = |second| {
            let (chosen, undated) = deleted_since(all.clone(), Timestamp::from_second(second).unwrap());
            (chosen.iter().map(|deletion| deletion.number).collect::<Vec<_>>(), undated)
        };
        assert_eq!(since(60), (vec![9, 8, 7, 6], 1));
        assert_eq!(since(81), (vec![], 1));
        assert_eq!(since(0), (vec![9, 8, 7, 6, 5, 4], 1));
        let inbox = vec![3, 4, 5, 6, 7, 8, 9];
        assert_eq!(homes(all.clone()).into_values().collect::<Vec<_>>(), [inbox], "the oldest one first");
    }
}
