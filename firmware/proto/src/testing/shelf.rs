//! What the fake mail keeps that is durable and visible: accounts, mailboxes, messages.

use alloc::{
    borrow::ToOwned,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    string::String,
    vec::Vec,
};

use mail::{
    AccountId, Flags, MailboxId, MailboxName, Message, Modseq, Receipt, SpecialUse, Uid, UidSet, UidValidity,
    UnixTime,
};

use super::outbound::Queued;

/// Everything that would survive a power cut.
#[derive(Default)]
pub(crate) struct Shelf {
    pub(crate) accounts: Vec<Account>,
    pub(crate) domains: Vec<String>,
    /// Address and what it leads to; an address of another domain leads outside.
    pub(crate) aliases: Vec<(String, String)>,
    pub(crate) mailboxes: BTreeMap<MailboxId, Mailbox>,
    /// Letters for other servers, one for each recipient.
    pub(crate) outbound: Vec<Queued>,
    numbers: Numbers,
}

#[derive(Default)]
struct Numbers {
    mailbox: u32,
    uid_validity: u32,
    modseq: u64,
}

pub(crate) struct Account {
    pub(crate) id: AccountId,
    pub(crate) address: String,
    pub(crate) password: String,
    pub(crate) quota: Option<u64>,
    pub(crate) keywords: Vec<String>,
    pub(crate) subscriptions: BTreeSet<MailboxName>,
}

pub(crate) struct Mailbox {
    pub(crate) account: AccountId,
    pub(crate) name: MailboxName,
    pub(crate) special_use: Option<SpecialUse>,
    pub(crate) uid_validity: UidValidity,
    pub(crate) uid_next: u32,
    pub(crate) recent_from: u32,
    pub(crate) highest_modseq: Modseq,
    pub(crate) removed_modseq: Modseq,
    pub(crate) messages: BTreeMap<Uid, Stored>,
}

/// A message in a mailbox.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) line: Message,
    pub(crate) bytes: Rc<[u8]>,
    pub(crate) summary: Rc<[u8]>,
}

impl Shelf {
    pub(crate) fn account(&self, id: AccountId) -> Option<&Account> {
        self.accounts.iter().find(|account| account.id == id)
    }

    pub(crate) fn account_mut(&mut self, id: AccountId) -> Option<&mut Account> {
        self.accounts.iter_mut().find(|account| account.id == id)
    }

    pub(crate) fn find(&self, account: AccountId, name: &MailboxName) -> Option<MailboxId> {
        self.mailboxes
            .iter()
            .find(|(_, mailbox)| mailbox.account == account && mailbox.name == *name)
            .map(|(id, _)| *id)
    }

    /// Bytes that an account keeps.
    pub(crate) fn used(&self, account: AccountId) -> u64 {
        self.mailboxes
            .values()
            .filter(|mailbox| mailbox.account == account)
            .flat_map(|mailbox| mailbox.messages.values())
            .map(|stored| stored.line.size)
            .sum()
    }

    pub(crate) fn create(
        &mut self,
        account: AccountId,
        name: MailboxName,
        special_use: Option<SpecialUse>,
    ) -> MailboxId {
        self.numbers.mailbox += 1;
        self.numbers.uid_validity += 1;
        let id = MailboxId(self.numbers.mailbox);
        let mailbox = Mailbox {
            account,
            name,
            special_use,
            uid_validity: UidValidity(self.numbers.uid_validity),
            uid_next: 1,
            recent_from: 1,
            highest_modseq: Modseq(1),
            removed_modseq: Modseq(1),
            messages: BTreeMap::new(),
        };
        self.mailboxes.insert(id, mailbox);
        id
    }

    /// Creates the levels above `name` that are missing, then `name` itself.
    pub(crate) fn create_with_parents(
        &mut self,
        account: AccountId,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
    ) {
        for (at, _) in name.as_str().match_indices(MailboxName::SEPARATOR) {
            let parent = MailboxName::new(&name.as_str()[..at]).unwrap();
            if self.find(account, &parent).is_none() {
                self.create(account, parent, None);
            }
        }
        self.create(account, name.clone(), special_use);
    }

    pub(crate) fn rename(&mut self, account: AccountId, from: &MailboxName, to: &MailboxName) {
        let id = self.find(account, from).unwrap();
        if from.is_inbox() {
            self.create_with_parents(account, to, None);
            let new = self.find(account, to).unwrap();
            let all = self.uids(id, Uid(0));
            self.copy(id, &all, new);
            self.expunge(id, &all);
            return;
        }
        for mailbox in self.mailboxes.values_mut().filter(|mailbox| mailbox.account == account) {
            if mailbox.name == *from || mailbox.name.is_below(from) {
                let name = to.as_str().to_owned() + &mailbox.name.as_str()[from.as_str().len()..];
                mailbox.name = MailboxName::new(&name).unwrap();
            }
        }
    }

    pub(crate) fn uids(&self, mailbox: MailboxId, from: Uid) -> UidSet {
        let found = self.mailboxes.get(&mailbox);
        found.map(|found| found.messages.range(from..).map(|(uid, _)| *uid).collect()).unwrap_or_default()
    }

    fn next_modseq(&mut self) -> Modseq {
        self.numbers.modseq += 1;
        Modseq(1 + self.numbers.modseq)
    }

    /// Puts a message into a mailbox, under a new UID.
    pub(crate) fn insert(
        &mut self,
        mailbox: MailboxId,
        flags: Flags,
        letter: &Arrived,
    ) -> (UidValidity, Uid) {
        let modseq = self.next_modseq();
        let mailbox = self.mailboxes.get_mut(&mailbox).unwrap();
        let uid = Uid(mailbox.uid_next);
        mailbox.uid_next += 1;
        mailbox.highest_modseq = modseq;
        let line = Message {
            uid,
            flags,
            modseq,
            size: letter.bytes.len() as u64,
            received: letter.received,
            zone_minutes: letter.zone_minutes,
        };
        let stored = Stored { line, bytes: letter.bytes.clone(), summary: letter.summary.clone() };
        mailbox.messages.insert(uid, stored);
        (mailbox.uid_validity, uid)
    }

    pub(crate) fn set_flags(&mut self, mailbox: MailboxId, uids: &UidSet, add: Flags, remove: Flags) {
        let modseq = self.next_modseq();
        let Some(mailbox) = self.mailboxes.get_mut(&mailbox) else { return };
        for stored in mailbox.messages.values_mut().filter(|stored| uids.contains(stored.line.uid)) {
            let flags = stored.line.flags.without(remove).with(add);
            if flags != stored.line.flags {
                stored.line.flags = flags;
                stored.line.modseq = modseq;
                mailbox.highest_modseq = modseq;
            }
        }
    }

    pub(crate) fn expunge(&mut self, mailbox: MailboxId, uids: &UidSet) {
        let modseq = self.next_modseq();
        let Some(mailbox) = self.mailboxes.get_mut(&mailbox) else { return };
        mailbox.messages.retain(|uid, _| !uids.contains(*uid));
        mailbox.highest_modseq = modseq;
        mailbox.removed_modseq = modseq;
    }

    pub(crate) fn copy(&mut self, from: MailboxId, uids: &UidSet, to: MailboxId) -> Receipt {
        let copied: Vec<Stored> = self
            .mailboxes
            .get(&from)
            .map(|mailbox| {
                mailbox.messages.values().filter(|stored| uids.contains(stored.line.uid)).cloned().collect()
            })
            .unwrap_or_default();
        let mut receipt = Receipt::default();
        for stored in &copied {
            let (uid_validity, uid) = self.insert(to, stored.line.flags, &Arrived::of(stored));
            receipt.uid_validity = uid_validity;
            receipt.source.push(stored.line.uid);
            receipt.destination.push(uid);
        }
        receipt
    }
}

/// A letter that is complete.
pub(crate) struct Arrived {
    pub(crate) bytes: Rc<[u8]>,
    pub(crate) summary: Rc<[u8]>,
    pub(crate) received: UnixTime,
    pub(crate) zone_minutes: i16,
}

impl Arrived {
    fn of(stored: &Stored) -> Self {
        Self {
            bytes: stored.bytes.clone(),
            summary: stored.summary.clone(),
            received: stored.line.received,
            zone_minutes: stored.line.zone_minutes,
        }
    }
}
