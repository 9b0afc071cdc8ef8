//! A box in memory, for tests of whatever makes changes.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use super::{AccountId, Address, AliasName, Change, Future, Keeper, Pin, Records, Refusal};
use crate::passwords::Accounts;
use crate::provision::settings::key;

/// Domains, accounts, aliases and settings in memory.
#[derive(Default)]
pub(crate) struct Box_ {
    pub(crate) settings: RefCell<BTreeMap<String, Vec<u8>>>,
    pub(crate) domains: RefCell<BTreeSet<String>>,
    pub(crate) accounts: RefCell<BTreeMap<String, (AccountId, Vec<u8>)>>,
    aliases: RefCell<BTreeMap<String, Vec<Address>>>,
    /// Refuses every change.
    pub(crate) full: Cell<bool>,
}

impl Box_ {
    /// Makes changes at once.
    pub(crate) fn make(&self, changes: Vec<Change>) {
        for change in changes {
            self.make_one(change);
        }
    }

    pub(crate) fn delete_account(&self, address: &str) {
        self.accounts.borrow_mut().remove(address);
    }

    fn make_one(&self, change: Change) {
        match change {
            Change::Domain(name) => {
                self.domains.borrow_mut().insert(name);
            }
            Change::Account { address, secret, .. } => {
                let mut accounts = self.accounts.borrow_mut();
                let next = AccountId(u32::try_from(accounts.len()).unwrap() + 1);
                let name = address.as_str().to_ascii_lowercase();
                let account = accounts.entry(name).or_insert((next, Vec::new()));
                account.1 = secret.unwrap_or_else(|| account.1.clone());
            }
            Change::Alias { name, to } => {
                self.aliases.borrow_mut().insert(name.to_string().to_ascii_lowercase(), to);
            }
            Change::Setting { key, value: Some(value) } => {
                self.settings.borrow_mut().insert(key, value);
            }
            Change::Setting { key, value: None } => {
                self.settings.borrow_mut().remove(&key);
            }
        }
    }
}

impl Records for Box_ {
    fn setting(&self, key: &str) -> Option<Vec<u8>> {
        self.settings.borrow().get(key).cloned()
    }

    fn settings(&self, prefix: &str) -> Vec<Vec<u8>> {
        let settings = self.settings.borrow();
        settings.iter().filter(|(key, _)| key.starts_with(prefix)).map(|(_, value)| value.clone()).collect()
    }

    fn has_domain(&self, name: Option<&str>) -> bool {
        let domains = self.domains.borrow();
        name.map_or(!domains.is_empty(), |name| domains.contains(name))
    }

    fn has_accounts(&self) -> bool {
        !self.accounts.borrow().is_empty()
    }

    fn account(&self, address: &Address) -> Option<(AccountId, Vec<u8>)> {
        self.accounts.borrow().get(&address.as_str().to_ascii_lowercase()).cloned()
    }

    fn has_alias(&self, name: &AliasName) -> bool {
        self.aliases.borrow().contains_key(&name.to_string().to_ascii_lowercase())
    }
}

impl Keeper for Box_ {
    fn carry_out(&self, changes: Vec<Change>) -> Pin<Box<dyn Future<Output = Result<(), Refusal>> + '_>> {
        Box::pin(async move {
            if self.full.get() {
                return Err(Refusal::StoreFull);
            }
            self.make(changes);
            Ok(())
        })
    }
}

impl Accounts for Box_ {
    fn find_login(&self, name: &str) -> Option<(AccountId, Vec<u8>)> {
        self.account(&Address::parse(name).ok()?)
    }

    fn domains(&self) -> Vec<String> {
        self.domains.borrow().iter().cloned().collect()
    }

    fn administrator(&self) -> Option<Vec<u8>> {
        self.setting(key::ADMINISTRATOR)
    }
}
