//! From what a file wants and what the box knows to the changes that are to be made.

use std::collections::HashSet;

use mail::Address;
use proto::Secret;

use super::changes::{Change, Records};
use super::problem::{FileError, Place, Problem};
use super::settings::{self, key};
use super::wanted::{Account, Alias, AliasName, Password, Wanted};
use crate::language::{Language, Text, fill};
use crate::passwords::PasswordSecret;

/// What is to be done, in this order: the changes at once, the passwords when the box is ready.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Changes.
    pub(crate) changes: Vec<Change>,
    /// Clear passwords.
    pub(crate) passwords: Vec<PasswordTask>,
    /// What to say about it; empty if this very file was applied before.
    pub(crate) notes: Vec<Note>,
}

/// A clear password of the file.
#[derive(Debug)]
pub(crate) struct PasswordTask {
    /// Whose it is: an account's; the administrator's for `None`.
    pub(crate) account: Option<Address>,
    /// The password.
    pub(crate) text: Secret,
    /// Hash of the text that a file set last. The password is set only if this text is another one.
    pub(crate) last: Option<String>,
}

/// One sentence of the report about applying a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// The file was applied; how many domains, accounts and aliases it names.
    Applied(usize, usize, usize),
    /// So many aliases lead outside.
    AliasesOutside(usize),
    /// So many next hops: the relay and the routes.
    NextHops(usize),
    /// So many devices may send without a password.
    Devices(usize),
}

impl Note {
    /// One sentence for a person.
    pub(crate) fn sentence(&self, language: Language) -> String {
        let say = |text: Text, counts: &[usize]| {
            let counts: Vec<_> = counts.iter().map(usize::to_string).collect();
            fill(text.say(language), &counts.iter().map(String::as_str).collect::<Vec<_>>())
        };
        match self {
            Self::Applied(domains, accounts, aliases) => {
                say(Text::ProvisionApplied, &[*domains, *accounts, *aliases])
            }
            Self::AliasesOutside(count) => say(Text::ProvisionAliasesOutside, &[*count]),
            Self::NextHops(count) => say(Text::ProvisionNextHops, &[*count]),
            Self::Devices(count) => say(Text::ProvisionDevices, &[*count]),
        }
    }
}

/// Compares a file with the box.
///
/// # Errors
/// What of the file cannot be on this box. Nothing is to be done then.
pub(crate) fn plan(wanted: Wanted, records: &(impl Records + ?Sized)) -> Result<Plan, FileError> {
    let mut plan = Plan::default();
    let fresh = records.setting(key::OUTLINE).as_deref() != Some(&wanted.outline);
    if fresh {
        let outside = Cross { wanted: &wanted, records }.check()?;
        plan.report(&wanted, outside);
        plan.settings_and_domains(&wanted);
    }
    for account in &wanted.accounts {
        plan.account(account, fresh, records);
    }
    if let Some(password) = wanted.administrator {
        plan.administrator(password, records);
    }
    if fresh {
        plan.changes.extend(wanted.aliases.iter().map(|alias| Change::Alias {
            name: alias.name.clone(),
            to: alias.to.iter().map(|(target, _)| target.clone()).collect(),
        }));
        // Last: a power cut before it has the whole file applied again.
        plan.changes.push(Change::set(key::OUTLINE, wanted.outline.to_vec()));
    }
    Ok(plan)
}

impl Plan {
    fn settings_and_domains(&mut self, wanted: &Wanted) {
        let changes = &mut self.changes;
        changes.extend(wanted.hostname.iter().map(|name| settings::text(key::HOSTNAME, name)));
        changes.extend(wanted.language.iter().map(|language| settings::text(key::LANGUAGE, language.code())));
        changes.extend(wanted.timezone.iter().map(|zone| settings::text(key::TIMEZONE, zone)));
        changes.push(settings::network(&wanted.network));
        changes.push(settings::dns(&wanted.dns));
        changes.extend(wanted.message_bytes_max.map(|bytes| settings::number(key::MESSAGE_BYTES_MAX, bytes)));
        changes.extend(wanted.compact.map(|on| settings::flag(key::COMPACT, on)));
        changes.extend(wanted.scrub_days.map(|days| settings::number(key::SCRUB_DAYS, days.into())));
        changes.extend(wanted.relay.iter().map(|hop| settings::next_hop(None, hop)));
        changes.extend(wanted.routes.iter().map(|route| settings::next_hop(Some(&route.domain), &route.hop)));
        changes.extend(wanted.devices.iter().map(settings::device));
        changes.extend(wanted.domains.iter().map(|domain| Change::Domain(domain.name.clone())));
    }

    fn report(&mut self, wanted: &Wanted, outside: usize) {
        self.notes.push(Note::Applied(wanted.domains.len(), wanted.accounts.len(), wanted.aliases.len()));
        if outside > 0 {
            self.notes.push(Note::AliasesOutside(outside));
        }
        let next_hops = wanted.routes.len() + usize::from(wanted.relay.is_some());
        if next_hops > 0 {
            self.notes.push(Note::NextHops(next_hops));
        }
        if !wanted.devices.is_empty() {
            self.notes.push(Note::Devices(wanted.devices.len()));
        }
    }

    fn account(&mut self, account: &Account, fresh: bool, records: &(impl Records + ?Sized)) {
        let exists = records.account(&account.address).is_some();
        if !exists && !fresh {
            // Somebody has deleted it since this file was applied: that stands.
            return;
        }
        let remember = key::provisioned(&account.address);
        let last = if exists { last_hash(records, &remember) } else { None };
        let mut secret = None;
        match &account.password {
            None => {}
            Some(Password::Clear(text)) => self.passwords.push(PasswordTask {
                account: Some(account.address.clone()),
                text: text.clone(),
                last,
            }),
            Some(Password::Hash(phc)) if last.as_ref() == Some(phc) => {}
            Some(Password::Hash(phc)) => secret = Some(phc),
        }
        let quota = account.quota.filter(|_| fresh);
        if !exists || secret.is_some() || quota.is_some() {
            self.changes.push(Change::Account {
                address: Box::new(account.address.clone()),
                secret: secret.map(|phc| PasswordSecret::foreign(phc).encode()),
                quota,
            });
        }
        self.changes.extend(secret.map(|phc| settings::text(&remember, phc)));
    }

    fn administrator(&mut self, password: Password, records: &(impl Records + ?Sized)) {
        let last = last_hash(records, key::PROVISIONED_ADMINISTRATOR);
        match password {
            Password::Clear(text) => self.passwords.push(PasswordTask { account: None, text, last }),
            Password::Hash(phc) if last.as_ref() == Some(&phc) => {}
            Password::Hash(phc) => {
                let secret = PasswordSecret::foreign(&phc).encode();
                self.changes.push(Change::set(key::ADMINISTRATOR, secret));
                self.changes.push(settings::text(key::PROVISIONED_ADMINISTRATOR, &phc));
            }
        }
    }
}

fn last_hash(records: &(impl Records + ?Sized), key: &str) -> Option<String> {
    records.setting(key).and_then(|value| settings::read_text(&value))
}

/// Checks a file against the box.
struct Cross<'a, R: Records + ?Sized> {
    wanted: &'a Wanted,
    records: &'a R,
}

impl<R: Records + ?Sized> Cross<'_, R> {
    /// How many aliases lead outside.
    fn check(&self) -> Result<usize, FileError> {
        let named: HashSet<&str> = self.wanted.domains.iter().map(|domain| domain.name.as_str()).collect();
        let is_ours = |domain: &str| named.contains(domain) || self.records.has_domain(Some(domain));
        for Account { address, place, .. } in &self.wanted.accounts {
            self.own_domain(&address.domain().to_ascii_lowercase(), place, &is_ours)?;
        }
        let known = self.names();
        for alias in &self.wanted.aliases {
            self.own_domain(&alias.name.domain(), &alias.place, &is_ours)?;
            self.alias(alias, &known, &is_ours)?;
        }
        if let Some(route) = self.wanted.routes.iter().find(|route| is_ours(&route.domain)) {
            return Err(error(&route.place, Problem::RouteToItself));
        }
        let outside = |alias: &&Alias| {
            alias.to.iter().any(|(target, _)| !is_ours(&target.domain().to_ascii_lowercase()))
        };
        Ok(self.wanted.aliases.iter().filter(outside).count())
    }

    fn own_domain(
        &self,
        domain: &str,
        place: &Place,
        is_ours: &impl Fn(&str) -> bool,
    ) -> Result<(), FileError> {
        if is_ours(domain) { Ok(()) } else { Err(error(place, Problem::ForeignDomain(domain.to_owned()))) }
    }

    fn alias(
        &self,
        alias: &Alias,
        known: &HashSet<String>,
        is_ours: &impl Fn(&str) -> bool,
    ) -> Result<(), FileError> {
        if let AliasName::Address(address) = &alias.name
            && self.records.account(address).is_some()
        {
            return Err(error(&alias.place, Problem::AlsoAccount));
        }
        for (target, place) in &alias.to {
            if is_ours(&target.domain().to_ascii_lowercase()) && !self.exists(target, known) {
                return Err(error(place, Problem::NoSuchTarget(target.to_string())));
            }
        }
        Ok(())
    }

    /// Everything that the file itself makes, in lower case.
    fn names(&self) -> HashSet<String> {
        let accounts = self.wanted.accounts.iter().map(|account| account.address.to_string());
        let aliases = self.wanted.aliases.iter().map(|alias| alias.name.to_string());
        accounts.chain(aliases).map(|name| name.to_ascii_lowercase()).collect()
    }

    /// Whether a local name leads anywhere: account, alias, either with a `+tag`, or a catch-all.
    fn exists(&self, target: &Address, known: &HashSet<String>) -> bool {
        let domain = target.domain().to_ascii_lowercase();
        let untagged = target.local().split_once('+').map(|(local, _)| format!("{local}@{domain}"));
        let untagged = untagged.and_then(|text| Address::parse(&text).ok());
        let is_known = |address: &Address| {
            known.contains(&address.as_str().to_ascii_lowercase())
                || self.records.account(address).is_some()
                || self.records.has_alias(&AliasName::Address(Box::new(address.clone())))
        };
        is_known(target)
            || untagged.as_ref().is_some_and(is_known)
            || known.contains(&format!("@{domain}"))
            || self.records.has_alias(&AliasName::CatchAll(domain))
    }
}

fn error(place: &Place, problem: Problem) -> FileError {
    FileError { place: place.clone(), problem }
}

#[cfg(test)]
mod tests;
