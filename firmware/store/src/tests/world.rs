//! A store in the hands of a scenario: changes are issued and synced, and what was promised is written down.
//!
//! The same scenario is run once with every change made durable on its own, which gives the states S0, S1, … that
//! may ever be seen; and then under cuts, with changes sharing groups. After a cut the store must be in a state Sj
//! with acknowledged ≤ j ≤ issued: nothing acknowledged is lost, nothing is there by halves or twice.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use flash::simulator::Simulator;
use mail::{AccountId, Flags, Mail, MailboxId, Refusal, Stop, Ticket, Uid};

use super::rig::{
    ALICE, LETTER, SimStore, account, address, close, folder, geometry, inbox, mount, name, plain, pump,
    read, send, settle, text, uid_set,
};
use crate::{AccountDetails, FormatOptions, Store};

/// The power was cut: the scenario ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stopped;

/// Greatest numbers that anyone has seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// Greatest UID of each mailbox, by its number and UIDVALIDITY.
    pub(crate) uids: BTreeMap<(u32, u32), u32>,
    pub(crate) modseq: u64,
    pub(crate) uid_validity: u32,
    pub(crate) mailbox: u32,
    /// The sequence number that the next segment would have had, seen by nobody but the medium.
    pub(crate) next_seq: u32,
}

/// See the module.
pub(crate) struct World {
    store: Option<SimStore>,
    device: Option<Simulator>,
    /// Makes every change durable on its own and keeps the states.
    eager: bool,
    tickets: Vec<Option<Ticket>>,
    pub(crate) issued: usize,
    pub(crate) acknowledged: usize,
    pub(crate) states: Vec<String>,
    pub(crate) shown: Shown,
    number: u64,
}

impl World {
    pub(crate) fn new(device: Simulator, eager: bool) -> Self {
        Self {
            store: None,
            device: Some(device),
            eager,
            tickets: Vec::new(),
            issued: 0,
            acknowledged: 0,
            states: Vec::new(),
            shown: Shown::default(),
            number: 0,
        }
    }

    /// The store.
    pub(crate) fn store(&mut self) -> &mut SimStore {
        self.store.as_mut().expect("mounted")
    }

    /// The device, whatever became of the store.
    pub(crate) fn into_device(self) -> Simulator {
        match (self.store, self.device) {
            (Some(store), _) => store.into_queue().into_device(),
            (None, Some(device)) => device,
            (None, None) => panic!("the device is lost"),
        }
    }

    /// What was shown, and which sequence numbers were used, up to now.
    pub(crate) fn shown(&self) -> Shown {
        let next_seq = self.store.as_ref().map_or(0, |store| store.log.next_seq);
        Shown { next_seq: next_seq.max(self.shown.next_seq), ..self.shown.clone() }
    }

    /// The state that everyone may see; noted as one that may be found after a cut.
    fn note(&mut self) {
        if let Some(store) = &mut self.store {
            let state = dump(store);
            see(store, &mut self.shown);
            if self.eager {
                self.states.push(state);
            }
        }
    }

    /// Counts a change that was issued.
    fn issue(&mut self, ticket: Result<Option<Ticket>, Stop>) -> Result<(), Stopped> {
        match ticket {
            Ok(ticket) => self.tickets.push(ticket),
            // The device is gone.
            Err(Stop::Refused(Refusal::ReadOnly | Refusal::NotDurable)) => return Err(Stopped),
            Err(other) => panic!("{other:?}"),
        }
        self.issued += 1;
        if self.eager { self.sync() } else { Ok(()) }
    }

    /// Makes everything issued durable. Housekeeping may be under way then.
    pub(crate) fn sync(&mut self) -> Result<(), Stopped> {
        let tickets = core::mem::take(&mut self.tickets);
        let waited: Vec<Ticket> = tickets.iter().flatten().cloned().collect();
        match waited.as_slice() {
            // What nobody has a ticket for is in the same group as what is asked for next.
            [] => pump(self.store()),
            waited => settle(self.store(), waited),
        }
        let results: Vec<_> = tickets.iter().map(|ticket| ticket.as_ref().map(Ticket::result)).collect();
        let good = |result: &Option<Option<Result<_, _>>>| matches!(result, Some(Some(Ok(_))));
        let answered = results.iter().rposition(good).map_or(0, |last| last + 1);
        if self.store().is_read_only()
            || results.iter().flatten().any(|result| !matches!(result, Some(Ok(_))))
        {
            self.acknowledged += answered;
            return Err(Stopped);
        }
        self.acknowledged += results.len();
        if !results.is_empty() {
            self.note();
        }
        Ok(())
    }

    /// Makes everything issued durable and lets housekeeping come to its end.
    pub(crate) fn rest(&mut self) -> Result<(), Stopped> {
        self.sync()?;
        pump(self.store());
        if self.store().is_read_only() { Err(Stopped) } else { Ok(()) }
    }

    // ---- Lives -------------------------------------------------------------------------------------------------

    pub(crate) fn format(&mut self) -> Result<(), Stopped> {
        let device = self.device.take().expect("not mounted");
        let options = FormatOptions { uuid: super::rig::UUID, ..super::rig::OPTIONS };
        let mut store = Store::format(flash::Direct::new(device), &options).expect("large enough");
        pump(&mut store);
        let failed = store.is_read_only();
        self.store = Some(store);
        if failed {
            return Err(Stopped);
        }
        self.note();
        Ok(())
    }

    pub(crate) fn mount(&mut self) -> Result<(), Stopped> {
        let device = self.device.take().expect("not mounted");
        let spare = device.clone();
        match mount(device) {
            Ok(store) => {
                let failed = store.is_read_only();
                self.store = Some(store);
                if failed {
                    return Err(Stopped);
                }
                if self.states.is_empty() {
                    self.note();
                }
                Ok(())
            }
            Err(_) => {
                self.device = Some(spare);
                Err(Stopped)
            }
        }
    }

    /// Closes the store cleanly and mounts it again.
    pub(crate) fn remount(&mut self) -> Result<(), Stopped> {
        self.sync()?;
        let mut store = self.store.take().expect("mounted");
        store.unmount();
        for _ in 0..10 {
            store.flush();
            store.settle();
        }
        self.device = Some(store.into_queue().into_device());
        self.mount()
    }

    /// Lets the process die and mounts again.
    pub(crate) fn crash(&mut self) -> Result<(), Stopped> {
        self.sync()?;
        self.device = self.store.take().map(|store| store.into_queue().into_device());
        self.mount()
    }

    // ---- Changes -----------------------------------------------------------------------------------------------

    /// Has a checkpoint written with what is made durable next.
    pub(crate) fn checkpoint(&mut self) {
        self.store().checkpoints.wanted = true;
    }

    /// Has a segment emptied while what comes next is made durable.
    pub(crate) fn compact(&mut self, which: usize) {
        self.store().empty_some(which);
    }

    /// Retires a segment in use while what comes next is made durable; a few at most, so that there is room for it.
    pub(crate) fn retire(&mut self, which: usize) {
        if self.store().segments.retired_count() < 4 {
            self.store().retire_some(which);
        }
    }

    pub(crate) fn deliver(&mut self, to: &[&str], size: usize) -> Result<(), Stopped> {
        self.number += 1;
        let bytes = text(self.number, size);
        let store = self.store();
        let Ok(draft) = store.draft(Some(bytes.len() as u64)) else { return Err(Stopped) };
        for recipient in to {
            store.add_recipient(&draft, &plain(recipient), mail::Outside::Nothing).unwrap();
        }
        self.stream(&draft, &bytes)?;
        self.deposit(&draft)
    }

    pub(crate) fn append(
        &mut self,
        account: AccountId,
        folder_name: &str,
        size: usize,
    ) -> Result<(), Stopped> {
        let draft = self.begin(account, folder_name)?;
        self.number += 1;
        let bytes = text(self.number, size);
        self.stream(&draft, &bytes)?;
        self.deposit(&draft)
    }

    /// A letter from Alice to addresses outside, and to others.
    pub(crate) fn post(&mut self, to: &[&str], size: usize) -> Result<(), Stopped> {
        self.post_with(to, size, mail::Notify::UNSAID)
    }

    /// One of which she wants to hear that it arrived: who is here has a row in the queue too, for the report.
    pub(crate) fn post_and_hear(&mut self, to: &[&str], size: usize) -> Result<(), Stopped> {
        self.post_with(to, size, mail::Notify::SUCCESS)
    }

    fn post_with(&mut self, to: &[&str], size: usize, notify: mail::Notify) -> Result<(), Stopped> {
        self.number += 1;
        let bytes = text(self.number, size);
        let store = self.store();
        let Ok(draft) = store.draft(Some(bytes.len() as u64)) else { return Err(Stopped) };
        let envelope =
            mail::Envelope { sender: Some(address("alice@example.test")), ..mail::Envelope::default() };
        store.set_envelope(&draft, envelope).unwrap();
        for recipient in to {
            let recipient = mail::Recipient { notify, ..plain(recipient) };
            store.add_recipient(&draft, &recipient, mail::Outside::Anywhere).unwrap();
        }
        self.stream(&draft, &bytes)?;
        self.deposit(&draft)
    }

    /// Recipients in the queue were tried: their flags say so.
    pub(crate) fn tried(&mut self, uids: &[u32], attempts: u8) -> Result<(), Stopped> {
        let flags = mail::Outbound { attempts, due_s: 450, ..mail::Outbound::default() }.to_flags();
        let state =
            mail::Outbound { recipient: 0, attempts: 63, due_s: u32::MAX, ..mail::Outbound::default() };
        self.change(|store| store.set_flags(mail::OUTBOUND, &uid_set(uids), flags, state.to_flags()))
    }

    pub(crate) fn depart(&mut self, uids: &[u32]) -> Result<(), Stopped> {
        self.change(|store| store.depart(&uid_set(uids)))
    }

    /// A letter to Alice about recipients in the queue, which are done with.
    pub(crate) fn bounce(&mut self, uids: &[u32]) -> Result<(), Stopped> {
        let draft = self.begin(ALICE, "INBOX")?;
        self.store().settle_with(&draft, &uid_set(uids)).unwrap();
        self.number += 1;
        let bytes = text(self.number, 900);
        self.stream(&draft, &bytes)?;
        self.deposit(&draft)
    }

    /// Begins a letter for a mailbox.
    pub(crate) fn begin(&mut self, account: AccountId, folder_name: &str) -> Result<mail::Draft, Stopped> {
        let store = self.store();
        let Ok(draft) = store.draft(None) else { return Err(Stopped) };
        let mailbox = folder(store, account, folder_name);
        store.add_mailbox(&draft, mailbox, Flags::SEEN).unwrap();
        Ok(draft)
    }

    pub(crate) fn stream(&mut self, draft: &mail::Draft, bytes: &[u8]) -> Result<(), Stopped> {
        super::rig::stream(self.store(), draft, bytes).map_err(|_| Stopped)
    }

    pub(crate) fn deposit(&mut self, draft: &mail::Draft) -> Result<(), Stopped> {
        for _ in 0..100 {
            match self.store().deposit(draft, &LETTER) {
                Err(Stop::Busy) => {
                    self.store().flush();
                    self.store().settle();
                }
                other => return self.issue(other.map(Some)),
            }
        }
        panic!("always busy");
    }

    pub(crate) fn flag(&mut self, uids: &[u32], add: Flags, remove: Flags) -> Result<(), Stopped> {
        let mailbox = inbox(self.store(), ALICE);
        let ticket = self.store().set_flags(mailbox, &uid_set(uids), add, remove).map(Some);
        self.issue(ticket)
    }

    /// UIDs of the first messages of Alice's INBOX.
    pub(crate) fn first_uids(&mut self, count: usize) -> Vec<u32> {
        let mailbox = inbox(self.store(), ALICE);
        let uids = self.store().uids(mailbox);
        uids.ranges().flat_map(|(first, last)| first.0..=last.0).take(count).collect()
    }

    pub(crate) fn see(&mut self, uids: &[u32]) -> Result<(), Stopped> {
        let mailbox = inbox(self.store(), ALICE);
        let taken = self.store().set_seen_soon(mailbox, &uid_set(uids));
        self.issue(taken.map(|()| None))
    }

    pub(crate) fn expunge(&mut self, uids: &[u32]) -> Result<(), Stopped> {
        let mailbox = inbox(self.store(), ALICE);
        let ticket = self.store().expunge(mailbox, &uid_set(uids)).map(Some);
        self.issue(ticket)
    }

    /// Brings those of Alice's deletions back, by their order from the newest one.
    pub(crate) fn undelete(&mut self, which: &[usize], to: &str) -> Result<(), Stopped> {
        let (numbers, to) = (self.deletions(which), folder(self.store(), ALICE, to));
        self.change(|store| store.undelete(ALICE, &numbers, to))
    }

    pub(crate) fn delete_for_good(&mut self, which: &[usize]) -> Result<(), Stopped> {
        let numbers = self.deletions(which);
        self.change(|store| store.delete_for_good(ALICE, &numbers))
    }

    fn deletions(&mut self, which: &[usize]) -> Vec<u64> {
        let listed = self.store().deletions(ALICE, None, usize::MAX).found;
        which.iter().filter_map(|at| listed.get(*at)).map(|deletion| deletion.number).collect()
    }

    /// Sets the clock, to be trusted, on that day.
    pub(crate) fn day(&mut self, day: i64) {
        self.store().set_now(mail::UnixTime(day * 24 * 3600));
        self.store().trust_clock(true);
    }

    pub(crate) fn copy(&mut self, uids: &[u32], to: &str) -> Result<(), Stopped> {
        let (from, to) = (inbox(self.store(), ALICE), folder(self.store(), ALICE, to));
        let ticket = self.store().copy(from, &uid_set(uids), to).map(Some);
        self.issue(ticket)
    }

    pub(crate) fn shift(&mut self, uids: &[u32], to: &str) -> Result<(), Stopped> {
        let (from, to) = (inbox(self.store(), ALICE), folder(self.store(), ALICE, to));
        let ticket = self.store().move_messages(from, &uid_set(uids), to).map(Some);
        self.issue(ticket)
    }

    /// Any change that gives a ticket.
    pub(crate) fn change(
        &mut self,
        mut change: impl FnMut(&mut SimStore) -> Result<Ticket, Stop>,
    ) -> Result<(), Stopped> {
        for _ in 0..100 {
            match change(self.store()) {
                Err(Stop::Busy) => {
                    self.store().flush();
                    self.store().settle();
                }
                other => return self.issue(other.map(Some)),
            }
        }
        panic!("always busy");
    }

    /// A change that is asked for until it is durable, on a device with blocks that take no writes.
    pub(crate) fn insist(
        &mut self,
        change: impl FnMut(&mut SimStore) -> Result<Ticket, Stop>,
    ) -> Result<(), Stopped> {
        self.sync()?;
        self.issued += 1;
        match super::rig::insist(self.store(), change) {
            Ok(_) => {
                self.acknowledged += 1;
                self.note();
                Ok(())
            }
            Err(Refusal::ReadOnly | Refusal::NotDurable) => Err(Stopped),
            Err(other) => panic!("{other:?}"),
        }
    }

    /// Delivers as [`insist`](Self::insist) does.
    pub(crate) fn insist_letter(&mut self, to: &[&str], size: usize) -> Result<(), Stopped> {
        self.number += 1;
        let bytes = text(self.number, size);
        self.insist(|store| send(store, to, &bytes).map_err(Stop::from))
    }

    pub(crate) fn create(&mut self, text: &str) -> Result<(), Stopped> {
        self.change(|store| store.create_mailbox(ALICE, &name(text), None))
    }

    pub(crate) fn put_account(&mut self, text: &str) -> Result<(), Stopped> {
        let address = address(text);
        let details = AccountDetails { address: &address, name: "N", quota: Some(1 << 20), secret: b"s" };
        self.change(|store| store.put_account(None, &details).map(|(_, ticket)| ticket))
    }
}

/// A formatted device with a domain, Alice, Bob, and some letters.
pub(crate) fn furnished(letters: u64) -> Simulator {
    let queue = flash::Direct::new(Simulator::new(geometry(24)));
    let mut store = Store::format(queue, &super::rig::OPTIONS).unwrap();
    pump(&mut store);
    store.put_domain("example.test").unwrap();
    account(&mut store, "alice@example.test", None);
    account(&mut store, "bob@example.test", None);
    for number in 0..letters {
        super::rig::deliver(&mut store, &["alice@example.test"], &text(1000 + number, 700)).unwrap();
    }
    close(store)
}

/// Everything that is visible, as text. Every letter is read.
pub(crate) fn dump(store: &mut SimStore) -> String {
    let mut out = String::new();
    writeln!(out, "domains {:?}", store.domains().collect::<Vec<_>>()).unwrap();
    writeln!(out, "aliases {:?}", store.aliases().collect::<Vec<_>>()).unwrap();
    writeln!(out, "settings {:?}", store.settings("").collect::<Vec<_>>()).unwrap();
    let accounts: Vec<AccountId> = store.accounts().map(|account| account.id).collect();
    for id in accounts {
        let info = format!("{:?}", store.account(id).unwrap());
        writeln!(out, "{info} {:?} {:?}", store.quota(id).used, store.keywords(id)).unwrap();
        let mut after = None;
        while let Some(subscribed) = store.next_subscription(id, after.as_ref()) {
            writeln!(out, "  subscribed {subscribed}").unwrap();
            after = Some(subscribed);
        }
        let mut after = None;
        while let Some(mailbox) = store.next_mailbox(id, after.as_ref()) {
            dump_mailbox(store, mailbox.id, &mut out);
            writeln!(out, "  ^ {} {:?}", mailbox.name, mailbox.special_use).unwrap();
            after = Some(mailbox.name);
        }
        dump_deletions(store, id, &mut out);
    }
    dump_mailbox(store, mail::OUTBOUND, &mut out);
    for uid in store.uids(mail::OUTBOUND).iter() {
        writeln!(out, "  {uid:?} {:?}", store.posting(uid).expect("every envelope can be read")).unwrap();
    }
    out
}

/// Their numbers are left out: some are skipped, and which depends on what shared a group.
fn dump_deletions(store: &mut SimStore, account: AccountId, out: &mut String) {
    let listed = store.deletions(account, None, usize::MAX);
    assert_eq!(listed.below, None);
    for found in listed.found {
        let head = store.deletion_record(account, found.number).expect("every record can be read").head;
        let crc = crc32c::crc32c(head);
        let crate::Deletion { mailbox, gone, flags, time, size, .. } = found;
        writeln!(out, "  deleted {mailbox:?} {gone} {flags:?} {time:?} {size} {crc:08x}").unwrap();
    }
}

fn dump_mailbox(store: &mut SimStore, mailbox: MailboxId, out: &mut String) {
    let status = store.status(mailbox).unwrap();
    let mut next = store.next_message(mailbox, Uid(1));
    let mut count = 0;
    while let Some(message) = next {
        count += 1;
        let bytes = read(store, mailbox, message.uid).expect("every visible letter can be read");
        let head = store.record(mailbox, message.uid).expect("every record can be read").head.len();
        let crc = crc32c::crc32c(&bytes);
        writeln!(out, "    {:?} {head} {crc:08x}", message).unwrap();
        next = store.next_message(mailbox, Uid(message.uid.0 + 1));
    }
    assert_eq!(count, status.messages);
    let mail::Status { recent_from: _, .. } = status;
    writeln!(
        out,
        "  {mailbox:?} {:?} next {:?} messages {} unseen {} deleted {} bytes {} {:?}",
        status.uid_validity,
        status.uid_next,
        status.messages,
        status.unseen,
        status.deleted,
        status.bytes,
        status.highest_modseq
    )
    .unwrap();
}

/// Notes the greatest numbers that are visible.
pub(crate) fn see(store: &SimStore, shown: &mut Shown) {
    let queue = store.status(mail::OUTBOUND).unwrap();
    let greatest = shown.uids.entry((mail::OUTBOUND.0, queue.uid_validity.0)).or_default();
    *greatest = (*greatest).max(queue.uid_next.0 - 1);
    shown.modseq = shown.modseq.max(queue.highest_modseq.0);
    let accounts: Vec<AccountId> = store.accounts().map(|account| account.id).collect();
    for id in accounts {
        let mut after = None;
        while let Some(info) = store.next_mailbox(id, after.as_ref()) {
            let status = store.status(info.id).unwrap();
            let greatest = shown.uids.entry((info.id.0, status.uid_validity.0)).or_default();
            *greatest = (*greatest).max(status.uid_next.0 - 1);
            shown.modseq = shown.modseq.max(status.highest_modseq.0);
            shown.uid_validity = shown.uid_validity.max(status.uid_validity.0);
            shown.mailbox = shown.mailbox.max(info.id.0);
            after = Some(info.name);
        }
    }
}
