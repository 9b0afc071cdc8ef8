//! The store as the other parts of the program know it: accounts to the authenticator, records to page and provision.

use std::{future::Future, pin::Pin};

use mail::{AccountId, Address, Refusal, Stop, Ticket};
use store::AccountDetails;

use crate::{
    office::{MailStore, Office},
    passwords::{Accounts, PasswordSecret},
    provision::{AliasName, Change, Keeper, Records, key},
};

impl Accounts for Office {
    fn find_login(&self, name: &str) -> Option<(AccountId, Vec<u8>)> {
        let store = self.store();
        let account = store.account(store.find_login(name)?)?;
        Some((account.id, account.secret.to_vec()))
    }

    fn domains(&self) -> Vec<String> {
        self.store().domains().map(str::to_owned).collect()
    }

    fn administrator(&self) -> Option<Vec<u8>> {
        self.setting(key::ADMINISTRATOR)
    }
}

impl Records for Office {
    fn setting(&self, key: &str) -> Option<Vec<u8>> {
        self.store().setting(key).map(<[u8]>::to_vec)
    }

    fn settings(&self, prefix: &str) -> Vec<Vec<u8>> {
        self.store().settings(prefix).map(|(_, value)| value.to_vec()).collect()
    }

    fn has_domain(&self, name: Option<&str>) -> bool {
        let store = self.store();
        let mut domains = store.domains();
        match name {
            Some(name) => domains.any(|domain| domain == name),
            None => domains.next().is_some(),
        }
    }

    fn has_accounts(&self) -> bool {
        self.store().accounts().next().is_some()
    }

    fn account(&self, address: &Address) -> Option<(AccountId, Vec<u8>)> {
        let store = self.store();
        let account =
            store.accounts().find(|account| account.address.eq_ignore_ascii_case(address.as_str()))?;
        Some((account.id, account.secret.to_vec()))
    }

    fn has_alias(&self, name: &AliasName) -> bool {
        let name = name.to_string();
        self.store().aliases().any(|(address, _)| address.eq_ignore_ascii_case(&name))
    }
}

impl Keeper for Office {
    fn carry_out(&self, changes: Vec<Change>) -> Pin<Box<dyn Future<Output = Result<(), Refusal>> + '_>> {
        Box::pin(async move {
            // What a change leaves as it is in an account is read before it is written: nobody else changes one meanwhile.
            let has_accounts = changes.iter().any(|change| matches!(change, Change::Account { .. }));
            let _alone = if has_accounts { Some(self.accounts().lock().await) } else { None };
            let mut tickets = Vec::with_capacity(changes.len());
            for change in &changes {
                tickets.push(self.make(change).await?);
            }
            for ticket in tickets {
                self.durable(&ticket).await;
                ticket.result().unwrap_or(Err(Refusal::NotDurable))?;
            }
            Ok(())
        })
    }
}

impl Office {
    /// Whether every account has what SCRAM needs; see [`proto::sasl::Offer::mechanisms`] for why all of them must.
    pub(crate) fn everybody_has_scram(&self) -> bool {
        self.store().accounts().all(|account| PasswordSecret::serves_scram(account.secret))
    }

    async fn make(&self, change: &Change) -> Result<Ticket, Refusal> {
        loop {
            let made = make(&mut self.store_mut(), change);
            self.after_step();
            match made {
                Ok(ticket) => return Ok(ticket),
                Err(Stop::Refused(refusal)) => return Err(refusal),
                Err(Stop::Busy) => self.flash_room().changed().await,
            }
        }
    }
}

fn make(store: &mut MailStore, change: &Change) -> Result<Ticket, Stop> {
    match change {
        Change::Domain(name) => store.put_domain(name),
        Change::Account { address, secret, quota } => account(store, address, secret.as_deref(), *quota),
        Change::Alias { name, to } => {
            let targets: Vec<_> = to.iter().map(Address::as_str).collect();
            store.put_alias(&name.to_string(), &targets)
        }
        Change::Setting { key, value: Some(value) } => store.put_setting(key, value),
        Change::Setting { key, value: None } => store.remove_setting(key),
    }
}

fn account(
    store: &mut MailStore,
    address: &Address,
    secret: Option<&[u8]>,
    quota: Option<u64>,
) -> Result<Ticket, Stop> {
    let known = store.accounts().find(|account| account.address.eq_ignore_ascii_case(address.as_str()));
    let id = known.as_ref().map(|account| account.id);
    let name = known.as_ref().map_or_else(String::new, |account| account.name.to_owned());
    let old_secret = known.as_ref().map_or_else(Vec::new, |account| account.secret.to_vec());
    let quota = quota.or_else(|| known.and_then(|account| account.quota));
    let details = AccountDetails { address, name: &name, quota, secret: secret.unwrap_or(&old_secret) };
    store.put_account(id, &details).map(|(_, ticket)| ticket)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mail::Mail as _;

    use super::*;
    use crate::testing::{Flash, Rig, block_on};

    #[test]
    fn two_who_change_an_account_at_once_undo_nothing_of_one_another() {
        block_on(async {
            let rig = Rig::start(Flash::new("books", Duration::ZERO)).await;
            let office = &rig.serving.house.office;
            rig.serving.house.passwords_hashed().await;
            let address = Box::new(Address::parse("alice@example.test").unwrap());
            let quota = Change::Account { address: address.clone(), secret: None, quota: Some(9_000_000) };
            let secret = Change::Account { address, secret: Some(vec![7; 9]), quota: None };
            let (one, other) = tokio::join!(office.carry_out(vec![quota]), office.carry_out(vec![secret]));
            assert_eq!((one, other), (Ok(()), Ok(())));
            let alice = AccountId(1);
            assert_eq!(office.store().quota(alice).limit, Some(9_000_000));
            assert_eq!(office.store().account(alice).unwrap().secret, [7; 9]);
        });
    }
}
