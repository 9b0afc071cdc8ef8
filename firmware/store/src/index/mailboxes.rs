//! Applying records that make, name, delete and rescue mailboxes.

use alloc::boxed::Box;
use alloc::vec::Vec;

use mail::limits::{MAILBOX_NAME_BYTES_MAX, MAILBOXES_PER_ACCOUNT_MAX};
use mail::{MailboxName, Modseq, Receipt, Refusal, SpecialUse};

use super::account::levels;
use super::apply::Applied;
use super::deletions::Gone;
use super::mailbox::{Mailbox, special_use_from};
use super::removal::Bin;
use super::{State, leave, release};
use crate::format::code::take;
use crate::format::records::{MailboxCreate, MailboxDelete, MailboxRename, NewMailboxes};
use crate::segments::Segments;

/// Under this name the mailboxes appear whose own records were lost.
const RECOVERED: &str = "Recovered";

impl State {
    /// Makes one mailbox with the next numbers of `new`.
    pub(super) fn make_mailbox(
        &mut self,
        account: u32,
        name: &str,
        special_use: Option<SpecialUse>,
        new: &mut NewMailboxes,
    ) {
        let Some(owner) = self.accounts.get_mut(&account) else { return };
        let modseq = new.modseq;
        let mut mailbox = Mailbox::new(account, name, new.uid_validity, modseq);
        mailbox.special_use = special_use;
        owner.mailboxes.insert(name.into(), new.first_id);
        self.mailboxes.insert(new.first_id, mailbox);
        self.next.mailbox = self.next.mailbox.max(new.first_id.saturating_add(1));
        self.next.uid_validity = self.next.uid_validity.max(new.uid_validity.saturating_add(1));
        self.saw_modseq(modseq);
        new.first_id = new.first_id.saturating_add(1);
        new.uid_validity = new.uid_validity.saturating_add(1);
    }

    /// Why a mailbox of this name cannot be made now, or how many levels it takes.
    pub(crate) fn check_new(&self, account: u32, name: &str) -> Result<u32, Refusal> {
        let account = self.accounts.get(&account).ok_or(Refusal::NoSuchMailbox)?;
        if account.mailboxes.contains_key(name) {
            return Err(Refusal::MailboxExists);
        }
        let missing = levels(name).filter(|level| !account.mailboxes.contains_key(*level)).count();
        if account.mailboxes.len() + missing > MAILBOXES_PER_ACCOUNT_MAX {
            return Err(Refusal::Limit);
        }
        Ok(levels(name).count() as u32)
    }

    /// A record gave out numbers for all levels of `name`: they are used, whether they are needed or not, so that the
    /// next ones are the same after a replay and after a checkpoint.
    fn saw_mailboxes(&mut self, new: &NewMailboxes, name: &str) {
        let levels = levels(name).count() as u32;
        self.next.mailbox = self.next.mailbox.max(new.first_id.saturating_add(levels));
        self.next.uid_validity = self.next.uid_validity.max(new.uid_validity.saturating_add(levels));
    }

    /// Makes the levels above `name` that do not exist.
    fn make_parents(&mut self, account: u32, name: &str, new: &mut NewMailboxes) {
        for level in levels(name).filter(|level| level.len() < name.len()) {
            if self.accounts.get(&account).is_some_and(|owner| !owner.mailboxes.contains_key(level)) {
                self.make_mailbox(account, level, None, new);
            }
        }
    }

    pub(super) fn apply_create(&mut self, mut payload: &[u8]) -> Applied {
        let record: MailboxCreate<'_> = take(&mut payload).ok_or(Refusal::NotDurable)?;
        self.saw_mailboxes(&record.new, record.name);
        self.check_new(record.account, record.name)?;
        let mut new = record.new;
        self.make_parents(record.account, record.name, &mut new);
        let special_use = record.special_use.and_then(special_use_from);
        self.make_mailbox(record.account, record.name, special_use, &mut new);
        Ok(Receipt::default())
    }

    pub(super) fn apply_delete(&mut self, segments: &mut Segments, mut payload: &[u8]) -> Applied {
        let record: MailboxDelete = take(&mut payload).ok_or(Refusal::NotDurable)?;
        self.saw_modseq(record.modseq);
        if self.drop_mailbox(segments, record.mailbox, Some((record.first, record.time))) {
            Ok(Receipt::default())
        } else {
            Err(Refusal::NoSuchMailbox)
        }
    }

    /// Deletes a mailbox. With `bin`, a number and a time, its messages are listed as deletions from that number on;
    /// otherwise they are released. Says whether there was one.
    pub(super) fn drop_mailbox(&mut self, segments: &mut Segments, id: u32, bin: Option<(u64, i64)>) -> bool {
        self.note(id);
        if let Some(rescue) = &mut self.rescue {
            rescue.deleted.insert(id);
        }
        let Some(mailbox) = self.mailboxes.remove(&id) else { return false };
        if let Some(bin) = bin {
            let mut bin = Bin::new(bin, &mut self.letters, &mut self.deletions);
            for entry in mailbox.entries.iter() {
                bin.put(segments, (mailbox.account, id), &entry);
            }
        } else {
            for entry in mailbox.entries.iter() {
                release(&mut self.letters, segments, entry.letter);
            }
        }
        self.next.deletion = self.next.deletion.max(self.deletions.end());
        let gone = Gone { account: mailbox.account, name: mailbox.name.clone() };
        self.deletions.mailbox_gone(id, gone);
        leave(segments, mailbox.entries.homes());
        if let Some(account) = self.accounts.get_mut(&mailbox.account) {
            account.mailboxes.remove(&mailbox.name);
        }
        self.messages -= u64::from(mailbox.entries.len());
        self.use_bytes(mailbox.account, 0, mailbox.bytes);
        true
    }

    /// Why a mailbox cannot get this name now, or how many levels that takes.
    pub(crate) fn check_rename(&self, id: u32, name: &str) -> Result<u32, Refusal> {
        let mailbox = self.mailboxes.get(&id).ok_or(Refusal::NoSuchMailbox)?;
        let inbox = &*mailbox.name == MailboxName::INBOX;
        if is_below(name, &mailbox.name) && !inbox {
            return Err(Refusal::Cannot);
        }
        let levels = self.check_new(mailbox.account, name)?;
        let account = self.accounts.get(&mailbox.account).ok_or(Refusal::NoSuchMailbox)?;
        if !inbox {
            for (child, _) in account.below(&mailbox.name) {
                let renamed = renamed(child, &mailbox.name, name);
                if renamed.len() > MAILBOX_NAME_BYTES_MAX {
                    return Err(Refusal::Limit);
                }
                if account.mailboxes.contains_key(renamed.as_str()) {
                    return Err(Refusal::MailboxExists);
                }
            }
        }
        Ok(levels)
    }

    pub(super) fn apply_rename(&mut self, mut payload: &[u8]) -> Applied {
        let record: MailboxRename<'_> = take(&mut payload).ok_or(Refusal::NotDurable)?;
        self.saw_mailboxes(&record.new, record.name);
        self.check_rename(record.mailbox, record.name)?;
        let Some(mailbox) = self.mailboxes.get(&record.mailbox) else { return Err(Refusal::NoSuchMailbox) };
        let (account, old) = (mailbox.account, mailbox.name.clone());
        let mut new = record.new;
        self.make_parents(account, record.name, &mut new);
        if &*old == MailboxName::INBOX {
            self.empty_inbox(record.mailbox, account, record.name, new);
            return Ok(Receipt::default());
        }
        let mut moves: Vec<(Box<str>, u32)> = Vec::new();
        if let Some(owner) = self.accounts.get(&account) {
            moves.extend(owner.below(&old).map(|(name, id)| (name.into(), id)));
        }
        moves.push((old.clone(), record.mailbox));
        for (name, id) in moves {
            self.rename_one(account, &name, id, &renamed(&name, &old, record.name));
        }
        self.saw_modseq(record.new.modseq);
        Ok(Receipt::default())
    }

    fn rename_one(&mut self, account: u32, from: &str, id: u32, to: &str) {
        if let Some(owner) = self.accounts.get_mut(&account) {
            owner.mailboxes.remove(from);
            owner.mailboxes.insert(to.into(), id);
        }
        if let Some(mailbox) = self.mailboxes.get_mut(&id) {
            mailbox.name = to.into();
        }
    }

    /// RFC 3501 §6.3.5: renaming INBOX moves its messages to a new mailbox and leaves it empty.
    fn empty_inbox(&mut self, inbox: u32, account: u32, name: &str, mut new: NewMailboxes) {
        let (id, modseq) = (new.first_id, Modseq(new.modseq));
        self.make_mailbox(account, name, None, &mut new);
        let Some(mut heir) = self.mailboxes.remove(&id) else { return };
        if let Some(mailbox) = self.mailboxes.get_mut(&inbox) {
            mailbox.bequeath(&mut heir);
            mailbox.touch_removed(modseq);
        }
        self.mailboxes.insert(id, heir);
        self.note(inbox);
        self.note(id);
    }

    /// Makes sure that a mailbox is there whose own records were lost to damage, so that its letters are not. Does
    /// nothing for mailboxes that someone deleted, and nothing in a log that is whole.
    pub(super) fn rescue_mailbox(&mut self, account: u32, id: u32) {
        let lost =
            |rescue: &super::Rescue| rescue.damaged && id >= rescue.below && !rescue.deleted.contains(&id);
        if self.mailboxes.contains_key(&id) || !self.rescue.as_ref().is_some_and(lost) {
            return;
        }
        self.next.account = self.next.account.max(account.saturating_add(1));
        let owner = self.accounts.entry(account).or_default();
        if owner.address.is_empty() {
            let domain = self.directory.domains.first().map_or("invalid", |domain| domain);
            owner.address = alloc::format!("recovered-{account}@{domain}").into();
            self.directory.addresses.insert(owner.address.clone(), account);
        }
        let name = alloc::format!("{RECOVERED}-{id}");
        let uid_validity = self.next.uid_validity;
        let modseq = self.next.modseq;
        self.make_mailbox(account, &name, None, &mut NewMailboxes { first_id: id, uid_validity, modseq });
    }
}

fn is_below(name: &str, above: &str) -> bool {
    name.strip_prefix(above).is_some_and(|rest| rest.starts_with(MailboxName::SEPARATOR))
}

/// `name`, which is `from` or lies below it, with `to` in the place of `from`.
fn renamed(name: &str, from: &str, to: &str) -> alloc::string::String {
    alloc::format!("{to}{}", name.strip_prefix(from).unwrap_or_default())
}
