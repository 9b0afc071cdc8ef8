//! Applying: the changes first, the passwords one by one when the box is ready, the card last.

use mail::Refusal;

use super::card::{self, Owner};
use super::changes::{Change, Keeper, Records};
use super::plan::{PasswordTask, Plan};
use super::settings::{self, key};
use crate::passwords::{Authenticator, CannotHash};

/// Makes the changes of a plan durable. What is left to do are its passwords, for [`set_passwords`]; meanwhile an
/// account that has none yet can log in with the one of the file.
///
/// # Errors
/// The store took only some of them. The file counts as not applied and is applied again at the next start.
pub(crate) async fn carry_out(
    plan: Plan,
    keeper: &dyn Keeper,
    authenticator: &Authenticator,
) -> Result<Vec<PasswordTask>, Refusal> {
    keeper.carry_out(plan.changes).await?;
    for task in &plan.passwords {
        let Some(address) = &task.account else { continue };
        if let Some((account, stored)) = keeper.account(address)
            && stored.is_empty()
        {
            authenticator.vouch(account, &stored, &task.text);
        }
    }
    Ok(plan.passwords)
}

/// Why a password of a file was not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotSet {
    /// It could not be hashed.
    Hash(CannotHash),
    /// The store did not take it.
    Store(Refusal),
}

/// Hashes and sets the passwords of a file that are not the ones it set last; one at a time, off the loop, taking
/// turns with log-ins. What fails is tried again at the next start.
///
/// # Errors
/// The first one that could not be set; those before it are.
pub(crate) async fn set_passwords(
    tasks: Vec<PasswordTask>,
    keeper: &dyn Keeper,
    authenticator: &Authenticator,
) -> Result<(), NotSet> {
    for task in tasks {
        set_password(task, keeper, authenticator).await?;
    }
    Ok(())
}

async fn set_password(
    task: PasswordTask,
    keeper: &dyn Keeper,
    authenticator: &Authenticator,
) -> Result<(), NotSet> {
    let hasher = authenticator.hasher();
    if let Some(last) = &task.last
        && hasher.verify_patiently(last.clone(), task.text.clone()).await.map_err(NotSet::Hash)?
    {
        return Ok(());
    }
    let secret = hasher.make(task.text.clone()).await.map_err(NotSet::Hash)?;
    let stored = secret.encode();
    let changes = match &task.account {
        Some(address) if keeper.account(address).is_none() => return Ok(()), // Deleted meanwhile.
        Some(address) => vec![
            Change::Account { address: Box::new(address.clone()), secret: Some(stored.clone()), quota: None },
            settings::text(&key::provisioned(address), &secret.phc),
        ],
        None => vec![
            Change::set(key::ADMINISTRATOR, stored.clone()),
            settings::text(key::PROVISIONED_ADMINISTRATOR, &secret.phc),
        ],
    };
    keeper.carry_out(changes).await.map_err(NotSet::Store)?;
    if let Some((account, _)) = task.account.as_ref().and_then(|address| keeper.account(address)) {
        authenticator.vouch(account, &stored, &task.text);
    }
    Ok(())
}

/// The file's text with every clear password that has been applied replaced by its hash. `None` if there is none.
pub(crate) fn hashed_text(text: &str, records: &(impl Records + ?Sized)) -> Option<String> {
    card::without_passwords(text, |owner| {
        let key = match owner {
            Owner::Administrator => key::PROVISIONED_ADMINISTRATOR.to_owned(),
            Owner::Account(address) => key::provisioned(&mail::Address::parse(address).ok()?),
        };
        records.setting(&key).and_then(|value| settings::read_text(&value))
    })
}

/// What a named file on the boot partition asks for: the administrator's password is forgotten, and the page can be
/// claimed again with the code, for that password only.
///
/// # Errors
/// The store did not take it.
pub(crate) async fn forget_administrator(keeper: &dyn Keeper) -> Result<(), Refusal> {
    if keeper.setting(key::ADMINISTRATOR).is_none() {
        return Ok(());
    }
    keeper.carry_out(vec![Change::unset(key::ADMINISTRATOR)]).await
}

#[cfg(test)]
mod tests;
