//! Changes to what the box knows of domains, accounts, aliases and settings, and whoever makes them.
//!
//! The provision file and the claim page speak through this; the store is behind it.

use std::future::Future;
use std::pin::Pin;

use mail::{AccountId, Address, Refusal};

use super::wanted::AliasName;

/// One change. What exists is updated, what does not is created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A domain, in lower case.
    Domain(String),
    /// An account.
    Account {
        /// Its address.
        address: Box<Address>,
        /// Its secret as stored; `None`: as it is, none for a new account.
        secret: Option<Vec<u8>>,
        /// Bytes that it may keep; `None`: as it is, no limit for a new account.
        quota: Option<u64>,
    },
    /// An alias.
    Alias {
        /// What it answers to.
        name: AliasName,
        /// Who gets it.
        to: Vec<Address>,
    },
    /// A setting.
    Setting {
        /// Its key; see [`super::settings::key`].
        key: String,
        /// Its value; `None` takes it away.
        value: Option<Vec<u8>>,
    },
}

impl Change {
    /// A setting that gets this value.
    pub(crate) fn set(key: impl Into<String>, value: Vec<u8>) -> Self {
        Self::Setting { key: key.into(), value: Some(value) }
    }

    /// A setting that is taken away.
    pub(crate) fn unset(key: impl Into<String>) -> Self {
        Self::Setting { key: key.into(), value: None }
    }
}

/// What the box knows. Calls return at once.
pub(crate) trait Records {
    /// The value of a setting.
    fn setting(&self, key: &str) -> Option<Vec<u8>>;

    /// The values of all settings whose key begins so.
    fn settings(&self, prefix: &str) -> Vec<Vec<u8>>;

    /// Whether a domain, in lower case, is one of the box's; of any domain for `None`.
    fn has_domain(&self, name: Option<&str>) -> bool;

    /// Whether there is any account.
    fn has_accounts(&self) -> bool;

    /// The account that has this very address, with its secret as stored.
    fn account(&self, address: &Address) -> Option<(AccountId, Vec<u8>)>;

    /// Whether there is such an alias.
    fn has_alias(&self, name: &AliasName) -> bool;
}

/// Whoever makes changes.
pub(crate) trait Keeper: Records {
    /// Makes changes in this order and returns when all are durable. A power cut leaves the first so many of them.
    fn carry_out(&self, changes: Vec<Change>) -> Pin<Box<dyn Future<Output = Result<(), Refusal>> + '_>>;
}

#[cfg(test)]
pub(crate) mod fake;
