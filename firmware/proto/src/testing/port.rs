//! The port `mail::Mail` as the fake mail implements it.

use alloc::{rc::Rc, string::String, vec::Vec};

use mail::{
    AccountId, Address, Content, Draft, Envelope, Flags, Letter, Mail, MailboxId, MailboxInfo, MailboxName,
    Message, Modseq, Notify, Outside, Quota, Receipt, Recipient, Record, Refusal, SpecialUse, Status, Stop,
    Ticket, Uid, UidSet, Unready, limits,
};

use super::{
    fake::{Call, Drafted, FakeMail},
    outbound::Queued,
    shelf::{Arrived, Mailbox, Stored},
};

impl Mail for FakeMail {
    fn is_read_only(&self) -> bool {
        self.read_only
    }

    fn draft(&mut self, size: Option<u64>) -> Result<Draft, Refusal> {
        self.check(Call::Draft)?;
        let announced = size.unwrap_or(0);
        if self.message_bytes_max.is_some_and(|max| announced > max) {
            return Err(Refusal::TooLarge);
        }
        if self.free_bytes.is_some_and(|free| announced > free) {
            return Err(Refusal::StoreFull);
        }
        self.next_id += 1;
        let pin = Rc::new(());
        let drafted = Drafted { announced, pin: pin.clone(), ..Drafted::default() };
        self.drafts.insert(self.next_id, drafted);
        Ok(Draft::new(self.next_id, pin))
    }

    fn set_envelope(&mut self, draft: &Draft, envelope: Envelope) -> Result<(), Refusal> {
        self.drafts.get_mut(&draft.id()).unwrap().envelope = envelope;
        Ok(())
    }

    fn add_recipient(&mut self, draft: &Draft, to: &Recipient, outside: Outside) -> Result<(), Refusal> {
        self.check(Call::Recipient)?;
        let (accounts, forwarded) = match self.resolve(&to.address) {
            Err(Refusal::NotLocal) if outside == Outside::Anywhere => {
                (Vec::new(), alloc::vec![to.address.clone()])
            }
            reached => reached?,
        };
        if outside == Outside::Nothing && !forwarded.is_empty() {
            return Err(Refusal::ForwardsOutside);
        }
        let announced = self.drafts[&draft.id()].announced;
        for account in &accounts {
            self.check_letter(*account, announced)?;
        }
        let draft = self.drafts.get_mut(&draft.id()).unwrap();
        let reports = !accounts.is_empty() && to.notify.contains(Notify::SUCCESS);
        let new: Vec<_> = accounts.into_iter().filter(|account| !draft.accounts.contains(account)).collect();
        if draft.accounts.len() + draft.queued.len() + new.len() + forwarded.len() > limits::RECIPIENTS_MAX {
            return Err(Refusal::TooManyRecipients);
        }
        draft.accounts.extend(new);
        let mut queue = |address: Address, report_only: bool| {
            let recipient = Recipient { address, ..to.clone() };
            draft.queued.push(Queued { envelope: Envelope::default(), recipient, report_only });
        };
        forwarded.into_iter().for_each(|address| queue(address, false));
        if reports {
            queue(to.address.clone(), true);
        }
        Ok(())
    }

    fn add_mailbox(&mut self, draft: &Draft, mailbox: MailboxId, flags: Flags) -> Result<(), Refusal> {
        self.check(Call::Recipient)?;
        let account = self.mailbox_at(mailbox).ok_or(Refusal::NoSuchMailbox)?.account;
        self.check_letter(account, self.drafts[&draft.id()].announced)?;
        self.drafts.get_mut(&draft.id()).unwrap().mailboxes.push((mailbox, flags));
        Ok(())
    }

    fn append(&mut self, draft: &Draft, bytes: &[u8]) -> Result<usize, Stop> {
        self.check(Call::Append)?;
        self.check_busy()?;
        let taken = self.queue(bytes.len())?;
        let size = (self.drafts[&draft.id()].bytes.len() + taken) as u64;
        if self.message_bytes_max.is_some_and(|max| size > max) {
            return Err(Refusal::TooLarge.into());
        }
        if self.free_bytes.is_some_and(|free| size > free) {
            return Err(Refusal::StoreFull.into());
        }
        self.drafts.get_mut(&draft.id()).unwrap().bytes.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn deposit(&mut self, draft: &Draft, letter: &Letter<'_>) -> Result<Ticket, Stop> {
        self.check(Call::Deposit)?;
        self.check_busy()?;
        assert!(letter.summary.len() <= limits::SUMMARY_BYTES_MAX);
        let drafted = &self.drafts[&draft.id()];
        let size = drafted.bytes.len() as u64;
        let inboxes = drafted.accounts.iter().filter_map(|account| self.inbox(*account));
        let targets: Vec<_> =
            inboxes.map(|inbox| (inbox, Flags::NONE)).chain(drafted.mailboxes.iter().copied()).collect();
        for (mailbox, _) in &targets {
            let account = self.mailbox_at(*mailbox).ok_or(Refusal::NoSuchMailbox)?.account;
            self.check_letter(account, size)?;
        }
        let arrived = Arrived {
            bytes: drafted.bytes.as_slice().into(),
            summary: letter.summary.into(),
            received: letter.received,
            zone_minutes: letter.zone_minutes,
        };
        let queued: Vec<_> = drafted
            .queued
            .iter()
            .map(|queued| Queued { envelope: drafted.envelope.clone(), ..queued.clone() })
            .collect();
        Ok(self.change(move |shelf| {
            let mut receipt = Receipt::default();
            shelf.outbound.extend(queued);
            for (mailbox, flags) in targets {
                let (uid_validity, uid) = shelf.insert(mailbox, flags, &arrived);
                receipt = Receipt { uid_validity, destination: UidSet::range(uid, uid), ..receipt };
            }
            receipt
        }))
    }

    fn is_local(&self, address: &Address) -> bool {
        self.is_ours(address)
    }

    fn may_send_as(&self, account: AccountId, address: &Address) -> bool {
        self.resolve(address).is_ok_and(|(accounts, _)| accounts.contains(&account))
    }

    fn inbox(&self, account: AccountId) -> Option<MailboxId> {
        self.shelf.find(account, &MailboxName::inbox())
    }

    fn quota(&self, account: AccountId) -> Quota {
        let limit = self.shelf.account(account).and_then(|account| account.quota);
        Quota { used: self.shelf.used(account), limit }
    }

    fn lock_inbox(&mut self, account: AccountId) -> Result<Rc<()>, Refusal> {
        let lock = self.locks.entry(account).or_default();
        if Rc::strong_count(lock) > 1 { Err(Refusal::InUse) } else { Ok(lock.clone()) }
    }

    fn mailbox(&self, account: AccountId, name: &MailboxName) -> Option<MailboxId> {
        self.shelf.find(account, name)
    }

    fn next_mailbox(&self, account: AccountId, after: Option<&MailboxName>) -> Option<MailboxInfo> {
        let mine = || self.shelf.mailboxes.iter().filter(|(_, mailbox)| mailbox.account == account);
        let (id, found) = mine()
            .filter(|(_, mailbox)| after.is_none_or(|after| mailbox.name > *after))
            .min_by(|(_, one), (_, other)| one.name.cmp(&other.name))?;
        let subscriptions = &self.shelf.account(account)?.subscriptions;
        Some(MailboxInfo {
            id: *id,
            name: found.name.clone(),
            special_use: found.special_use,
            subscribed: subscriptions.contains(&found.name),
            has_children: mine().any(|(_, other)| other.name.is_below(&found.name)),
        })
    }

    fn next_subscription(&self, account: AccountId, after: Option<&MailboxName>) -> Option<MailboxName> {
        let subscriptions = &self.shelf.account(account)?.subscriptions;
        subscriptions.iter().find(|name| after.is_none_or(|after| *name > after)).cloned()
    }

    fn status(&self, mailbox: MailboxId) -> Option<Status> {
        let mailbox = self.mailbox_at(mailbox)?;
        let count =
            |wanted: fn(&Stored) -> bool| mailbox.messages.values().filter(|m| wanted(m)).count() as u32;
        Some(Status {
            uid_validity: mailbox.uid_validity,
            uid_next: Uid(mailbox.uid_next),
            messages: mailbox.messages.len() as u32,
            unseen: count(|stored| !stored.line.flags.contains(Flags::SEEN)),
            deleted: count(|stored| stored.line.flags.contains(Flags::DELETED)),
            recent_from: Uid(mailbox.recent_from),
            bytes: mailbox.messages.values().map(|stored| stored.line.size).sum(),
            highest_modseq: mailbox.highest_modseq,
            removed_modseq: mailbox.removed_modseq,
        })
    }

    fn create_mailbox(
        &mut self,
        account: AccountId,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
    ) -> Result<Ticket, Stop> {
        self.check_change()?;
        if self.mailbox(account, name).is_some() {
            return Err(Refusal::MailboxExists.into());
        }
        let name = name.clone();
        Ok(self.change(move |shelf| {
            shelf.create_with_parents(account, &name, special_use);
            Receipt::default()
        }))
    }

    fn delete_mailbox(&mut self, account: AccountId, name: &MailboxName) -> Result<Ticket, Stop> {
        self.check_change()?;
        if name.is_inbox() {
            return Err(Refusal::Cannot.into());
        }
        let id = self.mailbox(account, name).ok_or(Refusal::NoSuchMailbox)?;
        Ok(self.change(move |shelf| {
            shelf.mailboxes.remove(&id);
            Receipt::default()
        }))
    }

    fn rename_mailbox(
        &mut self,
        account: AccountId,
        from: &MailboxName,
        to: &MailboxName,
    ) -> Result<Ticket, Stop> {
        self.check_change()?;
        if self.mailbox(account, from).is_none() {
            return Err(Refusal::NoSuchMailbox.into());
        }
        if self.mailbox(account, to).is_some() {
            return Err(Refusal::MailboxExists.into());
        }
        if to.is_below(from) && !from.is_inbox() {
            return Err(Refusal::Cannot.into());
        }
        let (from, to) = (from.clone(), to.clone());
        Ok(self.change(move |shelf| {
            shelf.rename(account, &from, &to);
            Receipt::default()
        }))
    }

    fn subscribe(&mut self, account: AccountId, name: &MailboxName, on: bool) -> Result<Ticket, Stop> {
        self.check_change()?;
        let name = name.clone();
        Ok(self.change(move |shelf| {
            let subscriptions = &mut shelf.account_mut(account).unwrap().subscriptions;
            if on {
                subscriptions.insert(name)
            } else {
                subscriptions.remove(&name)
            };
            Receipt::default()
        }))
    }

    fn uids_from(&self, mailbox: MailboxId, from: Uid) -> UidSet {
        let uids = self.shelf.uids(mailbox, from);
        self.look_at(uids.len());
        uids
    }

    fn message(&self, mailbox: MailboxId, uid: Uid) -> Option<Message> {
        self.look_at(1);
        self.mailbox_at(mailbox)?.messages.get(&uid).map(|stored| stored.line)
    }

    fn next_message(&self, mailbox: MailboxId, from: Uid) -> Option<Message> {
        self.look_at(1);
        self.mailbox_at(mailbox)?.messages.range(from..).next().map(|(_, stored)| stored.line)
    }

    fn next_changed(&self, mailbox: MailboxId, since: Modseq, from: Uid) -> Option<Message> {
        self.look_at(1);
        let mut lines = self.mailbox_at(mailbox)?.messages.range(from..).map(|(_, stored)| stored.line);
        lines.find(|line| line.modseq > since)
    }

    fn keywords(&self, account: AccountId) -> &[String] {
        self.shelf.account(account).map_or(&[], |account| &account.keywords)
    }

    fn keyword(&mut self, account: AccountId, name: &str) -> Result<Flags, Stop> {
        let keywords = &mut self.shelf.account_mut(account).ok_or(Refusal::NoSuchUser)?.keywords;
        if let Some(number) = keywords.iter().position(|known| known.eq_ignore_ascii_case(name)) {
            return Ok(Flags::keyword(number as u32));
        }
        if keywords.len() as u32 == limits::KEYWORDS_PER_ACCOUNT_MAX || name.len() > limits::KEYWORD_BYTES_MAX
        {
            return Err(Refusal::Limit.into());
        }
        keywords.push(name.into());
        Ok(Flags::keyword(keywords.len() as u32 - 1))
    }

    fn set_flags(
        &mut self,
        mailbox: MailboxId,
        uids: &UidSet,
        add: Flags,
        remove: Flags,
    ) -> Result<Ticket, Stop> {
        self.check_change()?;
        let uids = uids.clone();
        Ok(self.change(move |shelf| {
            shelf.set_flags(mailbox, &uids, add, remove);
            Receipt::default()
        }))
    }

    fn set_seen_soon(&mut self, mailbox: MailboxId, uids: &UidSet) -> Result<(), Stop> {
        self.check_change()?;
        self.shelf.set_flags(mailbox, uids, Flags::SEEN, Flags::NONE);
        Ok(())
    }

    fn claim_recent(&mut self, mailbox: MailboxId) -> Uid {
        let Some(mailbox) = self.shelf.mailboxes.get_mut(&mailbox) else { return Uid(1) };
        Uid(core::mem::replace(&mut mailbox.recent_from, mailbox.uid_next))
    }

    fn expunge(&mut self, mailbox: MailboxId, uids: &UidSet) -> Result<Ticket, Stop> {
        self.check_change()?;
        let uids = uids.clone();
        Ok(self.change(move |shelf| {
            shelf.expunge(mailbox, &uids);
            Receipt::default()
        }))
    }

    fn copy(&mut self, from: MailboxId, uids: &UidSet, to: MailboxId) -> Result<Ticket, Stop> {
        self.check_change()?;
        let account = self.mailbox_at(to).ok_or(Refusal::NoSuchMailbox)?.account;
        let bytes = uids.iter().filter_map(|uid| self.message(from, uid)).map(|message| message.size).sum();
        self.check_quota(account, bytes)?;
        let uids = uids.clone();
        Ok(self.change(move |shelf| shelf.copy(from, &uids, to)))
    }

    fn move_messages(&mut self, from: MailboxId, uids: &UidSet, to: MailboxId) -> Result<Ticket, Stop> {
        self.check_change()?;
        self.mailbox_at(to).ok_or(Refusal::NoSuchMailbox)?;
        let uids = uids.clone();
        Ok(self.change(move |shelf| {
            let receipt = shelf.copy(from, &uids, to);
            shelf.expunge(from, &uids);
            receipt
        }))
    }

    fn record(&mut self, mailbox: MailboxId, uid: Uid) -> Result<Record<'_>, Unready> {
        self.check_cold(0)?;
        if self.damaged_records {
            return Err(Unready::Damaged);
        }
        let stored = self.stored(mailbox, uid)?;
        let end = stored.bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
        let end = end.unwrap_or(stored.bytes.len()).min(limits::HEAD_BYTES_MAX);
        Ok(Record { head: &stored.bytes[..end], summary: &stored.summary })
    }

    fn open(&mut self, mailbox: MailboxId, uid: Uid) -> Result<Content, Unready> {
        let bytes = self.stored(mailbox, uid)?.bytes.clone();
        let size = bytes.len() as u64;
        self.next_id += 1;
        self.opened.insert(self.next_id, bytes);
        Ok(Content::new(self.next_id, size, Rc::new(())))
    }

    fn read(
        &mut self,
        content: &Content,
        offset: u64,
        max: usize,
        out: &mut Vec<u8>,
    ) -> Result<usize, Unready> {
        self.check_cold(offset)?;
        let good = match self.damaged_from {
            Some(from) if offset >= from => return Err(Unready::Damaged),
            Some(from) => usize::try_from(from - offset).unwrap(),
            None => usize::MAX,
        };
        let max = self.read_bytes_max.map_or(max, |limit| max.min(limit)).min(good);
        let bytes = self.opened[&content.id()].get(offset as usize..).unwrap_or_default();
        let bytes = &bytes[..bytes.len().min(max)];
        out.extend_from_slice(bytes);
        Ok(bytes.len())
    }
}

impl FakeMail {
    fn check_change(&mut self) -> Result<(), Stop> {
        self.check(Call::Change)?;
        self.check_busy()
    }

    /// The same for one letter, which may be too large whatever else there is.
    fn check_letter(&self, account: AccountId, bytes: u64) -> Result<(), Refusal> {
        let fits = self.quota(account).limit.is_none_or(|limit| bytes <= limit);
        if fits { self.check_quota(account, bytes) } else { Err(Refusal::LargerThanQuota) }
    }

    fn check_quota(&self, account: AccountId, bytes: u64) -> Result<(), Refusal> {
        let quota = self.quota(account);
        match quota.limit {
            Some(limit) if quota.used + bytes > limit => Err(Refusal::OverQuota),
            _ => Ok(()),
        }
    }

    fn stored(&self, mailbox: MailboxId, uid: Uid) -> Result<&Stored, Unready> {
        self.mailbox_at(mailbox).and_then(|mailbox: &Mailbox| mailbox.messages.get(&uid)).ok_or(Unready::Gone)
    }
}
