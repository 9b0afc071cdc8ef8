//! Who is reached by an address: domains, accounts by address, aliases. ASCII case never counts.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use mail::limits::RECIPIENTS_MAX;
use mail::{Address, Refusal};

use crate::limits::ALIAS_DEPTH_MAX;

/// Domains, addresses and aliases.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    /// Our domains, in lower case.
    pub(crate) domains: BTreeSet<Box<str>>,
    /// Accounts by address, in lower case.
    pub(crate) addresses: BTreeMap<Box<str>, u32>,
    /// Aliases by address in lower case (`@domain` is the catch-all), with their targets as they were given.
    pub(crate) aliases: BTreeMap<Box<str>, Alias>,
}

/// An alias.
#[derive(Debug)]
pub(crate) struct Alias {
    /// As it was given.
    pub(crate) address: Box<str>,
    pub(crate) targets: Vec<Box<str>>,
}

/// What an address leads to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) accounts: Vec<u32>,
    /// Some target lies in another domain.
    pub(crate) outside: bool,
    /// More accounts than a letter may have recipients.
    pub(crate) too_many: bool,
}

/// In lower case; only ASCII letters change.
pub(crate) fn lower(text: &str) -> String {
    text.to_ascii_lowercase()
}

impl Directory {
    /// Whether a domain is one of ours.
    pub(crate) fn is_local(&self, domain: &str) -> bool {
        self.domains.contains(lower(domain).as_str())
    }

    /// The accounts that get letters for `address`.
    ///
    /// # Errors
    /// [`Refusal::NotLocal`], [`Refusal::NoSuchUser`], [`Refusal::ForwardsOutside`], [`Refusal::TooManyRecipients`].
    pub(crate) fn resolve(&self, address: &Address) -> Result<Vec<u32>, Refusal> {
        // Most letters go to an address that is an account's own, in the case in which it was made.
        let own = self.addresses.get(address.as_str()).filter(|_| self.domains.contains(address.domain()));
        if let Some(account) = own {
            return Ok(alloc::vec![*account]);
        }
        if !self.is_local(address.domain()) {
            return Err(Refusal::NotLocal);
        }
        let reached = self.reach(address.as_str());
        if reached.too_many {
            Err(Refusal::TooManyRecipients)
        } else if reached.outside {
            Err(Refusal::ForwardsOutside)
        } else if reached.accounts.is_empty() {
            Err(Refusal::NoSuchUser)
        } else {
            Ok(reached.accounts)
        }
    }

    /// Everything that `address` leads to through accounts and aliases.
    pub(crate) fn reach(&self, address: &str) -> Reached {
        let mut reached = Reached::default();
        let mut seen = BTreeSet::new();
        self.follow(&lower(address), 0, &mut seen, &mut reached);
        reached
    }

    /// Adds what `address` (in lower case) leads to. Each address is followed once, so loops end.
    fn follow(&self, address: &str, depth: usize, seen: &mut BTreeSet<Box<str>>, reached: &mut Reached) {
        if depth > ALIAS_DEPTH_MAX || !seen.insert(address.into()) {
            return;
        }
        let Some((local, domain)) = address.rsplit_once('@') else { return };
        if !self.domains.contains(domain) {
            reached.outside = true;
            return;
        }
        // RFC 5233 §1: `user+tag` is `user` where nothing is called `user+tag` itself.
        let untagged = local.split_once('+').map(|(user, _)| alloc::format!("{user}@{domain}"));
        let catch_all = alloc::format!("@{domain}");
        let names = [Some(address), untagged.as_deref(), Some(&catch_all)];
        for name in names.into_iter().flatten() {
            if let Some(account) = self.addresses.get(name) {
                return add(*account, reached);
            }
            if let Some(alias) = self.aliases.get(name) {
                for target in &alias.targets {
                    self.follow(&lower(target), depth + 1, seen, reached);
                }
                return;
            }
        }
    }

    /// The account that a log-in name means: a whole address, or the part before the `@` where only one account has it.
    pub(crate) fn find_login(&self, name: &str) -> Option<u32> {
        let name = lower(name);
        if name.contains('@') {
            return self.addresses.get(name.as_str()).copied();
        }
        let mut found = self
            .addresses
            .iter()
            .filter(|(address, _)| address.rsplit_once('@').is_some_and(|(local, _)| local == name));
        match (found.next(), found.next()) {
            (Some((_, account)), None) => Some(*account),
            _ => None,
        }
    }
}

fn add(account: u32, reached: &mut Reached) {
    if reached.accounts.contains(&account) {
        return;
    }
    if reached.accounts.len() >= RECIPIENTS_MAX {
        reached.too_many = true;
    } else {
        reached.accounts.push(account);
    }
}
