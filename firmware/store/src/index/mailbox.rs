//! One mailbox in memory: its name, its numbers, its messages, and counters kept in step with them.

use alloc::boxed::Box;

use mail::{Flags, MailboxId, Modseq, SpecialUse, Status, Uid, UidValidity};

use super::entries::{Entries, Entry, Tally};

/// A mailbox.
#[derive(Debug)]
pub(crate) struct Mailbox {
    pub(crate) account: u32,
    pub(crate) name: Box<str>,
    pub(crate) special_use: Option<SpecialUse>,
    pub(crate) uid_validity: UidValidity,
    /// The UID that the next message has at least, as everyone may see it.
    pub(crate) uid_next: u32,
    /// The UID that the next record will give: ahead of `uid_next` by what is on its way to flash, or was lost there.
    pub(crate) uid_pending: u32,
    pub(crate) recent_from: u32,
    pub(crate) highest_modseq: Modseq,
    pub(crate) removed_modseq: Modseq,
    pub(crate) entries: Entries,
    pub(crate) bytes: u64,
    unseen: u32,
    deleted: u32,
    /// Already in the list of changed mailboxes.
    pub(crate) noted: bool,
}

impl Mailbox {
    pub(crate) fn new(account: u32, name: &str, uid_validity: u32, modseq: u64) -> Self {
        Self {
            account,
            name: name.into(),
            special_use: None,
            uid_validity: UidValidity(uid_validity),
            uid_next: 1,
            uid_pending: 1,
            recent_from: 1,
            highest_modseq: Modseq(modseq),
            removed_modseq: Modseq(modseq),
            entries: Entries::default(),
            bytes: 0,
            unseen: 0,
            deleted: 0,
            noted: false,
        }
    }

    pub(crate) const fn status(&self) -> Status {
        Status {
            uid_validity: self.uid_validity,
            uid_next: Uid(self.uid_next),
            messages: self.entries.len(),
            unseen: self.unseen,
            deleted: self.deleted,
            recent_from: Uid(self.recent_from),
            bytes: self.bytes,
            highest_modseq: self.highest_modseq,
            removed_modseq: self.removed_modseq,
        }
    }

    /// Takes `count` UIDs for a record in the making; `None` when no more are left.
    pub(crate) fn take_uids(&mut self, count: u32) -> Option<u32> {
        let first = self.uid_pending;
        self.uid_pending = first.checked_add(count)?;
        Some(first)
    }

    /// Adds a message of `size` bytes. Says whether its UID was a new one.
    pub(crate) fn add(&mut self, entry: Entry, size: u64) -> bool {
        if entry.uid.0 < self.uid_next || !self.entries.push(entry) {
            return false;
        }
        self.uid_next = entry.uid.0.saturating_add(1);
        self.uid_pending = self.uid_pending.max(self.uid_next);
        self.count(&entry, size);
        self.touch(entry.modseq);
        true
    }

    /// Counts a message of `size` bytes in.
    pub(crate) fn count(&mut self, entry: &Entry, size: u64) {
        self.bytes += size;
        self.unseen += u32::from(!entry.flags.contains(Flags::SEEN));
        self.deleted += u32::from(entry.flags.contains(Flags::DELETED));
    }

    /// Changes flags from `first` to `last`; see [`Entries::set_flags`].
    pub(crate) fn set_flags(&mut self, range: (Uid, Uid), add: Flags, remove: Flags, modseq: Modseq) -> u32 {
        let mut tally = Tally::default();
        self.entries.set_flags(range, (add, remove), modseq, &mut tally);
        self.unseen = self.unseen.saturating_add_signed(tally.unseen);
        self.deleted = self.deleted.saturating_add_signed(tally.deleted);
        if tally.changed > 0 {
            self.touch(modseq);
        }
        tally.changed
    }

    /// Removes the messages from `first` to `last`; `gone` says the size of each and does the rest.
    pub(crate) fn remove(&mut self, first: Uid, last: Uid, mut gone: impl FnMut(Entry) -> u64) {
        let (mut bytes, mut unseen, mut deleted) = (0, 0, 0);
        self.entries.remove(first, last, |entry| {
            bytes += gone(entry);
            unseen += u32::from(!entry.flags.contains(Flags::SEEN));
            deleted += u32::from(entry.flags.contains(Flags::DELETED));
        });
        self.bytes = self.bytes.saturating_sub(bytes);
        self.unseen = self.unseen.saturating_sub(unseen);
        self.deleted = self.deleted.saturating_sub(deleted);
    }

    /// Notes the number of a change.
    pub(crate) fn touch(&mut self, modseq: Modseq) {
        self.highest_modseq = self.highest_modseq.max(modseq);
    }

    /// Notes the number of a change that took messages out.
    pub(crate) fn touch_removed(&mut self, modseq: Modseq) {
        self.touch(modseq);
        self.removed_modseq = self.removed_modseq.max(modseq);
    }

    /// Gives its messages to `heir`, which is new and empty, and keeps its own numbers.
    pub(crate) fn bequeath(&mut self, heir: &mut Self) {
        heir.entries = core::mem::take(&mut self.entries);
        heir.uid_next = self.uid_next;
        heir.uid_pending = self.uid_pending;
        heir.recent_from = self.recent_from;
        heir.highest_modseq = heir.highest_modseq.max(self.highest_modseq);
        heir.bytes = core::mem::take(&mut self.bytes);
        heir.unseen = core::mem::take(&mut self.unseen);
        heir.deleted = core::mem::take(&mut self.deleted);
    }
}

/// Appends a mailbox to a list of changed ones, once.
pub(crate) fn note(mailbox: &mut Mailbox, id: u32, changed: &mut alloc::vec::Vec<MailboxId>) {
    if !mailbox.noted {
        mailbox.noted = true;
        changed.push(MailboxId(id));
    }
}

/// A special use as it stands in records.
pub(crate) const fn special_use_code(special_use: SpecialUse) -> u8 {
    match special_use {
        SpecialUse::Archive => 1,
        SpecialUse::Drafts => 2,
        SpecialUse::Junk => 3,
        SpecialUse::Sent => 4,
        SpecialUse::Trash => 5,
    }
}

/// See [`special_use_code`].
pub(crate) const fn special_use_from(code: u8) -> Option<SpecialUse> {
    match code {
        1 => Some(SpecialUse::Archive),
        2 => Some(SpecialUse::Drafts),
        3 => Some(SpecialUse::Junk),
        4 => Some(SpecialUse::Sent),
        5 => Some(SpecialUse::Trash),
        _ => None,
    }
}
