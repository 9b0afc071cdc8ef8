//! The port: [`mail::Mail`] for the store. Each call is a few lines here and does its work in the module it belongs to.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use flash::FlashQueue;
use mail::{
    AccountId, Address, Content, Draft, Envelope, Flags, Letter, Mail, MailboxId, MailboxInfo, MailboxName,
    Message, Modseq, Outside, Quota, Recipient, Record, Refusal, SpecialUse, Status, Stop, Ticket, Uid,
    UidSet, Unready,
};

use crate::Store;
use crate::format::frame::kind;
use crate::index::Entry;

impl<Q: FlashQueue> Store<Q> {
    fn message_of(&self, entry: Entry) -> Option<Message> {
        let letter = self.state.letters.get(entry.letter)?;
        Some(Message {
            uid: entry.uid,
            flags: entry.flags,
            modseq: entry.modseq,
            size: letter.size.into(),
            received: letter.received,
            zone_minutes: letter.zone_minutes,
        })
    }
}

impl<Q: FlashQueue> Mail for Store<Q> {
    fn is_read_only(&self) -> bool {
        Self::is_read_only(self)
    }

    fn draft(&mut self, size: Option<u64>) -> Result<Draft, Refusal> {
        self.begin_draft(size)
    }

    fn set_envelope(&mut self, draft: &Draft, envelope: Envelope) -> Result<(), Refusal> {
        self.put_envelope(draft, envelope)
    }

    fn add_recipient(&mut self, draft: &Draft, to: &Recipient, outside: Outside) -> Result<(), Refusal> {
        self.add_address(draft, to, outside)
    }

    fn add_mailbox(&mut self, draft: &Draft, mailbox: MailboxId, flags: Flags) -> Result<(), Refusal> {
        self.add_box(draft, mailbox, flags)
    }

    fn append(&mut self, draft: &Draft, bytes: &[u8]) -> Result<usize, Stop> {
        self.append_bytes(draft, bytes)
    }

    fn deposit(&mut self, draft: &Draft, letter: &Letter<'_>) -> Result<Ticket, Stop> {
        self.commit(draft, letter)
    }

    fn is_local(&self, address: &Address) -> bool {
        self.state.directory.is_local(address.domain())
    }

    fn may_send_as(&self, account: AccountId, address: &Address) -> bool {
        self.state.directory.reach(address.as_str()).accounts.contains(&account.0)
    }

    fn inbox(&self, account: AccountId) -> Option<MailboxId> {
        self.state.accounts.get(&account.0)?.inbox().map(MailboxId)
    }

    fn quota(&self, account: AccountId) -> Quota {
        let account = self.state.accounts.get(&account.0);
        account.map_or_else(Quota::default, |account| Quota { used: account.used, limit: account.quota })
    }

    fn lock_inbox(&mut self, account: AccountId) -> Result<Rc<()>, Refusal> {
        let account = self.state.accounts.get_mut(&account.0).ok_or(Refusal::NoSuchMailbox)?;
        if account.lock.as_ref().is_some_and(|lock| Rc::strong_count(lock) > 1) {
            return Err(Refusal::InUse);
        }
        Ok(Rc::clone(account.lock.insert(Rc::new(()))))
    }

    fn mailbox(&self, account: AccountId, name: &MailboxName) -> Option<MailboxId> {
        self.find(account, name).map(MailboxId)
    }

    fn next_mailbox(&self, account: AccountId, after: Option<&MailboxName>) -> Option<MailboxInfo> {
        let owner = self.state.accounts.get(&account.0)?;
        let (name, id) = owner.mailboxes.range::<str, _>(behind(after)).next()?;
        Some(MailboxInfo {
            id: MailboxId(*id),
            name: MailboxName::new(name).ok()?,
            special_use: self.state.mailboxes.get(id)?.special_use,
            subscribed: owner.subscriptions.contains(name),
            has_children: owner.has_children(name),
        })
    }

    fn next_subscription(&self, account: AccountId, after: Option<&MailboxName>) -> Option<MailboxName> {
        let owner = self.state.accounts.get(&account.0)?;
        MailboxName::new(owner.subscriptions.range::<str, _>(behind(after)).next()?).ok()
    }

    fn status(&self, mailbox: MailboxId) -> Option<Status> {
        self.state.mailboxes.get(&mailbox.0).map(|mailbox| mailbox.status())
    }

    fn create_mailbox(
        &mut self,
        account: AccountId,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
    ) -> Result<Ticket, Stop> {
        self.create(account, name, special_use)
    }

    fn delete_mailbox(&mut self, account: AccountId, name: &MailboxName) -> Result<Ticket, Stop> {
        self.delete(account, name)
    }

    fn rename_mailbox(
        &mut self,
        account: AccountId,
        from: &MailboxName,
        to: &MailboxName,
    ) -> Result<Ticket, Stop> {
        self.rename(account, from, to)
    }

    fn subscribe(&mut self, account: AccountId, name: &MailboxName, on: bool) -> Result<Ticket, Stop> {
        self.set_subscription(account, name, on)
    }

    fn uids_from(&self, mailbox: MailboxId, from: Uid) -> UidSet {
        let Some(mailbox) = self.state.mailboxes.get(&mailbox.0) else { return UidSet::new() };
        let mut set = UidSet::new();
        let mut run: Option<(u32, u32)> = None;
        for uid in mailbox.entries.uids(from) {
            run = match run {
                Some((first, last)) if last + 1 == uid => Some((first, uid)),
                Some((first, last)) => {
                    set.push_range(Uid(first), Uid(last));
                    Some((uid, uid))
                }
                None => Some((uid, uid)),
            };
        }
        if let Some((first, last)) = run {
            set.push_range(Uid(first), Uid(last));
        }
        set
    }

    fn message(&self, mailbox: MailboxId, uid: Uid) -> Option<Message> {
        self.message_of(self.state.mailboxes.get(&mailbox.0)?.entries.get(uid)?)
    }

    fn next_message(&self, mailbox: MailboxId, from: Uid) -> Option<Message> {
        self.message_of(self.state.mailboxes.get(&mailbox.0)?.entries.at_or_after(from)?)
    }

    fn next_changed(&self, mailbox: MailboxId, since: Modseq, from: Uid) -> Option<Message> {
        self.message_of(self.state.mailboxes.get(&mailbox.0)?.entries.next_changed(since, from)?)
    }

    fn keywords(&self, account: AccountId) -> &[String] {
        self.state.accounts.get(&account.0).map_or(&[], |account| &account.keywords)
    }

    fn keyword(&mut self, account: AccountId, name: &str) -> Result<Flags, Stop> {
        self.define_keyword(account, name)
    }

    fn set_flags(
        &mut self,
        mailbox: MailboxId,
        uids: &UidSet,
        add: Flags,
        remove: Flags,
    ) -> Result<Ticket, Stop> {
        let recorded = self.flag(mailbox, uids, add, remove)?;
        Ok(recorded.map_or_else(Ticket::durable, |ordinal| self.log.gather.wait(ordinal, None)))
    }

    fn set_seen_soon(&mut self, mailbox: MailboxId, uids: &UidSet) -> Result<(), Stop> {
        self.flag(mailbox, uids, Flags::SEEN, Flags::NONE).map(|_| ())
    }

    fn claim_recent(&mut self, mailbox: MailboxId) -> Uid {
        self.show_recent(mailbox)
    }

    fn expunge(&mut self, mailbox: MailboxId, uids: &UidSet) -> Result<Ticket, Stop> {
        self.remove(mailbox, uids)
    }

    fn copy(&mut self, from: MailboxId, uids: &UidSet, to: MailboxId) -> Result<Ticket, Stop> {
        self.transfer(kind::COPY, from, uids, to)
    }

    fn move_messages(&mut self, from: MailboxId, uids: &UidSet, to: MailboxId) -> Result<Ticket, Stop> {
        self.transfer(kind::MOVE, from, uids, to)
    }

    fn record(&mut self, mailbox: MailboxId, uid: Uid) -> Result<Record<'_>, Unready> {
        self.read_record(mailbox, uid)
    }

    fn open(&mut self, mailbox: MailboxId, uid: Uid) -> Result<Content, Unready> {
        self.open_letter(mailbox, uid)
    }

    fn read(
        &mut self,
        content: &Content,
        offset: u64,
        max: usize,
        out: &mut Vec<u8>,
    ) -> Result<usize, Unready> {
        self.read_content(content, offset, max, out)
    }
}

/// The names that follow `after`.
fn behind(after: Option<&MailboxName>) -> (core::ops::Bound<&str>, core::ops::Bound<&str>) {
    let from = after.map_or(core::ops::Bound::Unbounded, |name| core::ops::Bound::Excluded(name.as_str()));
    (from, core::ops::Bound::Unbounded)
}
