//! Applying records: which kind goes where, and the records of accounts, domains, aliases and settings.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use mail::{Receipt, Refusal};

use super::account::FIRST_MAILBOXES;
use super::directory::{Alias, lower};
use super::{Account, Secret, State};
use crate::format::Place;
use crate::format::code::take;
use crate::format::frame::kind;
use crate::format::records::{
    AccountPut, AccountRemove, AliasPut, Heal, Keyword, Retired, SettingPut, Subscribe,
};
use crate::segments::Segments;

/// How a record ended: what its asker is told. The same at replay, where nobody asks.
pub(crate) type Applied = Result<Receipt, Refusal>;

/// A record whose payload does not decode has no effect; its CRC was right, so a later version wrote it.
const UNREADABLE: Applied = Err(Refusal::NotDurable);

impl State {
    /// Applies the record of kind `kind` whose frame stands at `place`.
    pub(crate) fn apply(
        &mut self,
        segments: &mut Segments,
        kind: u8,
        payload: &[u8],
        place: Place,
    ) -> Applied {
        match kind {
            kind::COMMIT => self.apply_commit(segments, payload, place),
            kind::COPY => self.apply_copy(segments, payload),
            kind::MOVE => self.apply_move(segments, payload),
            kind::FLAGS => self.apply_flags(payload),
            kind::EXPUNGE => self.apply_expunge(segments, payload),
            kind::RECENT => self.apply_recent(payload),
            kind::RESTORE => self.apply_restore(segments, payload),
            kind::FORGET => self.apply_forget(segments, payload),
            kind::RELIST => self.apply_relist(segments, payload),
            kind::DEPART => self.apply_depart(segments, payload),
            kind::MOVED => self.apply_moved(segments, payload),
            kind::MAILBOX_CREATE => self.apply_create(payload),
            kind::MAILBOX_DELETE => self.apply_delete(segments, payload),
            kind::MAILBOX_RENAME => self.apply_rename(payload),
            kind::SUBSCRIBE => self.apply_subscribe(payload),
            kind::KEYWORD => self.apply_keyword(payload),
            kind::ACCOUNT_PUT => self.apply_account(payload),
            kind::ACCOUNT_REMOVE => self.apply_account_remove(segments, payload),
            kind::DOMAIN_PUT | kind::DOMAIN_REMOVE => self.apply_domain(payload, kind == kind::DOMAIN_PUT),
            kind::ALIAS_PUT => self.apply_alias(payload),
            kind::ALIAS_REMOVE => self.apply_alias_remove(payload),
            kind::SETTING_PUT => self.apply_setting(payload),
            kind::SETTING_REMOVE => self.apply_setting_remove(payload),
            kind::HEAL => self.apply_heal(payload),
            kind::RETIRED => apply_retired(segments, payload),
            _ => Ok(Receipt::default()),
        }
    }

    fn apply_subscribe(&mut self, mut payload: &[u8]) -> Applied {
        let Some(record) = take::<Subscribe<'_>>(&mut payload) else { return UNREADABLE };
        let account = self.accounts.get_mut(&record.account).ok_or(Refusal::NoSuchMailbox)?;
        if record.on {
            account.subscriptions.insert(record.name.into());
        } else {
            account.subscriptions.remove(record.name);
        }
        Ok(Receipt::default())
    }

    fn apply_keyword(&mut self, mut payload: &[u8]) -> Applied {
        let Some(record) = take::<Keyword<'_>>(&mut payload) else { return UNREADABLE };
        if let Some(account) = self.accounts.get_mut(&record.account) {
            account.define_keyword(record.number, record.name);
        }
        Ok(Receipt::default())
    }

    /// Makes or changes an account. An account always has the mailboxes that everyone has.
    fn apply_account(&mut self, mut payload: &[u8]) -> Applied {
        let Some(record) = take::<AccountPut<'_>>(&mut payload) else { return UNREADABLE };
        let address = lower(record.address);
        if self.directory.addresses.get(address.as_str()).is_some_and(|owner| *owner != record.account) {
            return Err(Refusal::MailboxExists);
        }
        // Removed meanwhile; or, where something was lost, never read: then this is all that is left of it.
        let lost = self.rescue.as_ref().is_some_and(|rescue| rescue.damaged);
        if !record.create && !lost && !self.accounts.contains_key(&record.account) {
            return Err(Refusal::NoSuchUser);
        }
        self.next.account = self.next.account.max(record.account.saturating_add(1));
        let account = self.accounts.entry(record.account).or_default();
        self.directory.addresses.remove(lower(&account.address).as_str());
        self.directory.addresses.insert(address.as_str().into(), record.account);
        account.address = record.address.into();
        account.name = record.name.into();
        account.quota = record.quota;
        account.secret = Secret::new(record.secret.0);
        if account.inbox().is_none() {
            self.make_first_mailboxes(&record);
        }
        Ok(Receipt::default())
    }

    fn make_first_mailboxes(&mut self, record: &AccountPut<'_>) {
        let mut new = record.new;
        for (name, special_use) in FIRST_MAILBOXES {
            if self.accounts.get(&record.account).is_some_and(|account| account.mailboxes.contains_key(name))
            {
                continue;
            }
            self.make_mailbox(record.account, name, special_use, &mut new);
            if let Some(account) = self.accounts.get_mut(&record.account) {
                account.subscriptions.insert(name.into());
            }
        }
    }

    fn apply_account_remove(&mut self, segments: &mut Segments, mut payload: &[u8]) -> Applied {
        let Some(record) = take::<AccountRemove>(&mut payload) else { return UNREADABLE };
        let mailboxes: Vec<u32> = {
            let account = self.accounts.get(&record.account).ok_or(Refusal::NoSuchUser)?;
            account.mailboxes.values().copied().collect()
        };
        for mailbox in mailboxes {
            self.drop_mailbox(segments, mailbox, None);
        }
        // It is not to be brought back, and neither is its mail.
        self.forget(segments, (0, u64::MAX), |deletion| deletion.account == record.account);
        if let Some(Account { address, .. }) = self.accounts.remove(&record.account) {
            self.directory.addresses.remove(lower(&address).as_str());
        }
        Ok(Receipt::default())
    }

    fn apply_domain(&mut self, mut payload: &[u8], on: bool) -> Applied {
        let Some(name) = take::<&str>(&mut payload) else { return UNREADABLE };
        if on {
            self.directory.domains.insert(lower(name).into());
        } else {
            self.directory.domains.remove(lower(name).as_str());
        }
        Ok(Receipt::default())
    }

    fn apply_alias(&mut self, mut payload: &[u8]) -> Applied {
        let Some(record) = take::<AliasPut<'_>>(&mut payload) else { return UNREADABLE };
        let alias = Alias {
            address: record.address.into(),
            targets: record.targets.iter().map(|target| (*target).into()).collect(),
        };
        self.directory.aliases.insert(lower(record.address).into(), alias);
        Ok(Receipt::default())
    }

    fn apply_alias_remove(&mut self, mut payload: &[u8]) -> Applied {
        let Some(address) = take::<&str>(&mut payload) else { return UNREADABLE };
        self.directory.aliases.remove(lower(address).as_str());
        Ok(Receipt::default())
    }

    fn apply_setting(&mut self, mut payload: &[u8]) -> Applied {
        let Some(record) = take::<SettingPut<'_>>(&mut payload) else { return UNREADABLE };
        self.put_setting(record.key, record.value.0);
        Ok(Receipt::default())
    }

    pub(super) fn put_setting(&mut self, key: &str, value: &[u8]) {
        let before = self.settings.insert(key.into(), Secret::new(value));
        self.let_go_setting(before.as_ref());
        self.settings_bytes += value.len() as u64;
    }

    fn let_go_setting(&mut self, value: Option<&Secret>) {
        self.settings_bytes -= value.map_or(0, |value| value.as_slice().len() as u64);
    }

    fn apply_setting_remove(&mut self, mut payload: &[u8]) -> Applied {
        let Some(key) = take::<&str>(&mut payload) else { return UNREADABLE };
        let before = self.settings.remove(key);
        self.let_go_setting(before.as_ref());
        Ok(Receipt::default())
    }

    /// Gives mailboxes that may have lost something new UIDVALIDITYs (rule 12).
    fn apply_heal(&mut self, mut payload: &[u8]) -> Applied {
        let Some(record) = take::<Heal>(&mut payload) else { return UNREADABLE };
        let named = record.mailboxes.map(BTreeSet::from_iter);
        let mut uid_validity = record.uid_validity;
        for (_, mailbox) in self.mailboxes.iter_mut().filter(|(id, _)| {
            **id < record.below && named.as_ref().is_none_or(|named: &BTreeSet<u32>| named.contains(id))
        }) {
            mailbox.uid_validity = mail::UidValidity(uid_validity);
            uid_validity = uid_validity.saturating_add(1);
        }
        self.next.uid_validity = self.next.uid_validity.max(uid_validity);
        Ok(Receipt::default())
    }
}

fn apply_retired(segments: &mut Segments, mut payload: &[u8]) -> Applied {
    let Some(record) = take::<Retired>(&mut payload) else { return UNREADABLE };
    segments.retire(record.segment);
    Ok(Receipt::default())
}
