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
    /// Addresses in other domains, as they were given.
    pub(crate) outside: Vec<Box<str>>,
    /// More of both than a letter may have recipients.
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

    /// Who gets letters for `address`: at least one account or address outside.
    ///
    /// # Errors
    /// [`Refusal::NotLocal`], [`Refusal::NoSuchUser`], [`Refusal::TooManyRecipients`].
    pub(crate) fn resolve(&self, address: &Address) -> Result<Reached, Refusal> {
        // Most letters go to an address that is an account's own, in the case in which it was made.
        let own = self.addresses.get(address.as_str()).filter(|_| self.domains.contains(address.domain()));
        if let Some(account) = own {
            return Ok(Reached { accounts: alloc::vec![*account], ..Reached::default() });
        }
        if !self.is_local(address.domain()) {
            return Err(Refusal::NotLocal);
        }
        let reached = self.reach(address.as_str());
        if reached.too_many {
            Err(Refusal::TooManyRecipients)
        } else if reached.accounts.is_empty() && reached.outside.is_empty() {
            Err(Refusal::NoSuchUser)
        } else {
            Ok(reached)
        }
    }

    /// Everything that `address` leads to through accounts and aliases.
    pub(crate) fn reach(&self, address: &str) -> Reached {
        let mut reached = Reached::default();
        let mut seen = BTreeSet::new();
        self.follow(address, 0, &mut seen, &mut reached);
        reached
    }

    /// Adds what an address leads to. Each address is followed once, so loops end.
    fn follow(&self, given: &str, depth: usize, seen: &mut BTreeSet<Box<str>>, reached: &mut Reached) {
        let address = lower(given);
        let address = address.as_str();
        if depth > ALIAS_DEPTH_MAX || !seen.insert(address.into()) {
            return;
        }
        let Some((local, domain)) = address.rsplit_once('@') else { return };
        if !self.domains.contains(domain) {
            if reached.has_room() {
                reached.outside.push(given.into());
            }
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
                    self.follow(target, depth + 1, seen, reached);
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

impl Reached {
    /// Whether another one has room; notes where it has none.
    fn has_room(&mut self) -> bool {
        let has_room = self.accounts.len() + self.outside.len() < RECIPIENTS_MAX;
        self.too_many |= !has_room;
        has_room
    }
}

fn add(account: u32, reached: &mut Reached) {
    if !reached.accounts.contains(&account) && reached.has_room() {
        reached.accounts.push(account);
    }
}
