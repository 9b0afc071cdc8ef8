//! Whose mail is meant, and what there is of it: accounts by name, mailboxes and messages in their order.

use mail::{AccountId, Mail, MailboxId, MailboxInfo, Message, Uid};

use super::Problem;

/// The account that a person means by `name`, from pairs of number and address: the whole address, or the part before
/// the @ if no other account has it.
///
/// # Errors
/// A sentence that says which accounts there are.
pub(super) fn find<'a>(
    accounts: impl Iterator<Item = (AccountId, &'a str)>,
    name: &str,
) -> Result<(AccountId, String), Problem> {
    let accounts: Vec<(AccountId, &str)> = accounts.collect();
    let is_whole = |address: &str| address.eq_ignore_ascii_case(name);
    let is_part =
        |address: &str| address.rsplit_once('@').is_some_and(|(local, _)| local.eq_ignore_ascii_case(name));
    if let Some((id, address)) = accounts.iter().find(|(_, address)| is_whole(address)) {
        return Ok((*id, (*address).to_owned()));
    }
    let meant: Vec<_> = accounts.iter().filter(|(_, address)| is_part(address)).collect();
    match meant.as_slice() {
        [(id, address)] => Ok((*id, (*address).to_owned())),
        [] => Err(format!("there is no account `{name}` on this flash; {}", listed(&accounts))),
        several => {
            let addresses: Vec<&str> = several.iter().map(|(_, address)| *address).collect();
            Err(format!("`{name}` can mean {}: give the whole address", addresses.join(" or ")))
        }
    }
}

fn listed(accounts: &[(AccountId, &str)]) -> String {
    /// More names than that help nobody.
    const SHOWN_MAX: usize = 20;
    let shown: Vec<&str> = accounts.iter().take(SHOWN_MAX).map(|(_, address)| *address).collect();
    match accounts.len() {
        0 => "there is none at all".into(),
        count if count > SHOWN_MAX => format!("there are {count}, among them {}", shown.join(", ")),
        _ => format!("there are: {}", shown.join(", ")),
    }
}

/// An account's mailboxes in the order of their names.
pub(super) fn mailboxes(mail: &dyn Mail, account: AccountId) -> Vec<MailboxInfo> {
    let mut found: Vec<MailboxInfo> = Vec::new();
    while let Some(next) = mail.next_mailbox(account, found.last().map(|last| &last.name)) {
        found.push(next);
    }
    found
}

/// The message of a mailbox that follows `after` in the order of UIDs.
pub(super) fn next_message(mail: &dyn Mail, mailbox: MailboxId, after: Option<Uid>) -> Option<Message> {
    let from = match after {
        Some(uid) => Uid(uid.0.checked_add(1)?),
        None => Uid(1),
    };
    mail.next_message(mailbox, from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_address_or_by_what_only_it_has() {
        let accounts = [
            (AccountId(1), "alice@example.test"),
            (AccountId(2), "info@example.test"),
            (AccountId(3), "info@second.test"),
        ];
        let find = |name| find(accounts.into_iter(), name).map(|(id, _)| id);
        assert_eq!(find("Alice@Example.test"), Ok(AccountId(1)));
        assert_eq!(find("alice"), Ok(AccountId(1)));
        assert_eq!(find("info@second.test"), Ok(AccountId(3)));
        assert!(find("info").is_err_and(|problem| problem.contains("info@example.test or info@second.test")));
        assert!(find("bob").is_err_and(|problem| problem.contains("alice@example.test")));
    }
}
