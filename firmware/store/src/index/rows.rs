//! The state as a checkpoint writes and reads it: rows for accounts, mailboxes and settings, pages for messages and
//! letters. What follows from other things (counters, references, what accounts use) is not written but found again.

use alloc::vec::Vec;

use mail::{Flags, Modseq, Uid, UnixTime};

use super::deletions::{DeletionPage, Gone};
use super::directory::{Alias, lower};
use super::entries::{Entry, EntryPage};
use super::letters::{Body, Letter, LetterPage, PAGE_SLOTS, References};
use super::mailbox::special_use_from;
use super::messages::body_of;
use super::page::{Home, Homes, Page};
use super::{Mailbox, Secret, State, keep, let_go, special_use_code};
use crate::format::code::{Bytes, put_number, take_number};
use crate::format::pages::{DeletionRow, EntryRow, LetterRow, Parts};
use crate::format::records::{AliasPut, CommitView, Keyword, SettingPut};
use crate::format::table::{AccountRow, GoneRow, MailboxRow, PagesRow, Row};
use crate::format::{Mark, Place};
use crate::segments::Segments;

impl EntryPage {
    /// Appends its rows.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let mut before = EntryRow::default();
        for entry in self.iter() {
            let (uid, letter) = (entry.uid.0, entry.letter);
            let row = EntryRow { uid, letter, flags: entry.flags.0, modseq: entry.modseq.0 };
            row.put(out, &before);
            before = row;
        }
    }

    /// Reads `rows` rows; as many as are there.
    pub(crate) fn decode(mut bytes: &[u8], rows: u32) -> Self {
        let mut page = Self::with_room(rows as usize);
        let mut before = EntryRow::default();
        for _ in 0..rows {
            let Some(row) = EntryRow::take(&mut bytes, &before) else { break };
            if row.uid <= before.uid {
                break;
            }
            let (uid, modseq) = (Uid(row.uid), Modseq(row.modseq));
            page.push(Entry { uid, letter: row.letter, flags: Flags(row.flags), modseq });
            before = row;
        }
        page
    }
}

impl LetterPage {
    /// Appends its rows.
    pub(crate) fn encode(&self, segments: &Segments, out: &mut Vec<u8>) {
        let mut before = LetterRow::default();
        let mut next = 0;
        for (slot, letter) in self.iter() {
            for _ in next..usize::from(slot) {
                LetterRow::put_vacant(out);
            }
            next = usize::from(slot) + 1;
            let row = LetterRow {
                place: Mark { seq: segments.seq(letter.place.segment), offset: letter.place.offset },
                meta_bytes: letter.meta_bytes,
                size: letter.size,
                received: letter.received.0,
                zone: letter.zone_minutes,
                parts: Parts::new(
                    letter.body.parts().map(|(index, bytes)| (segments.seq(index), bytes)).collect(),
                ),
            };
            row.put(out, &before);
            before = row;
        }
    }

    /// How many rows [`encode`](Self::encode) writes.
    pub(crate) fn rows(&self) -> u32 {
        self.iter().last().map_or(0, |(slot, _)| u32::from(slot) + 1)
    }

    /// Reads `rows` rows; as many as are there. Segments that are no more are left out of bodies. Letters whose commit
    /// must be asked for its extents are given to `ask` with their slots.
    pub(crate) fn decode(
        mut bytes: &[u8],
        rows: u32,
        segments: &Segments,
        mut ask: impl FnMut(u8, Place),
    ) -> Self {
        let mut page = Self::default();
        let mut before = LetterRow::default();
        for slot in (0..=u8::MAX).take((rows as usize).min(PAGE_SLOTS)) {
            match LetterRow::take(&mut bytes, &before) {
                Some(Some(row)) => {
                    if let Some(letter) = letter_of(&row, segments) {
                        page.put(slot, &letter, References::default());
                        if row.parts == Parts::AskCommit {
                            ask(slot, letter.place);
                        }
                    }
                    before = row;
                }
                Some(None) => {}
                None => break,
            }
        }
        page
    }
}

impl DeletionPage {
    /// Appends its number and its rows.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_number(out, self.number());
        let mut before = DeletionRow::default();
        for row in self.rows() {
            match row {
                Some(row) => {
                    row.put(out, &before);
                    before = *row;
                }
                None => DeletionRow::put_vacant(out),
            }
        }
    }

    /// Reads a page of `rows` rows; as many as are there. `None` when not even its number is.
    pub(crate) fn decode(mut bytes: &[u8], rows: u32) -> Option<Self> {
        let mut page = Self::new(take_number(&mut bytes)?);
        let mut before = DeletionRow::default();
        for _ in 0..rows.min(PAGE_SLOTS as u32) {
            let Some(row) = DeletionRow::take(&mut bytes, &before) else { break };
            page.push(row);
            before = row.unwrap_or(before);
        }
        Some(page)
    }
}

fn letter_of(row: &LetterRow, segments: &Segments) -> Option<Letter> {
    let find = |(seq, bytes): &(u32, u32)| Some((segments.find(*seq)?, *bytes));
    let parts: Vec<(u32, u32)> = match &row.parts {
        Parts::These(parts) => parts.iter().filter_map(find).collect(),
        Parts::AskCommit => Vec::new(),
    };
    Some(Letter {
        place: Place { segment: segments.find(row.place.seq)?, offset: row.place.offset },
        meta_bytes: row.meta_bytes,
        size: row.size,
        body: match *parts.as_slice() {
            [] => Body::None,
            [(segment, bytes)] => Body::One(segment, bytes),
            _ => Body::Many(parts.into()),
        },
        received: UnixTime(row.received),
        zone_minutes: row.zone,
    })
}

impl State {
    /// Gives all rows but those that say where pages stand, in an order in which they can be read.
    pub(crate) fn rows(&self, mut give: impl FnMut(&Row<'_>)) {
        self.directory.domains.iter().for_each(|domain| give(&Row::Domain(domain)));
        for (id, account) in &self.accounts {
            give(&Row::Account(AccountRow {
                account: *id,
                quota: account.quota,
                address: &account.address,
                name: &account.name,
                secret: Bytes(account.secret.as_slice()),
            }));
            for (number, name) in (0..).zip(&account.keywords) {
                give(&Row::Keyword(Keyword { account: *id, number, name }));
            }
            for name in &account.subscriptions {
                give(&Row::Subscription { account: *id, name });
            }
        }
        for (id, mailbox) in &self.mailboxes {
            give(&Row::Mailbox(MailboxRow {
                mailbox: *id,
                account: mailbox.account,
                special_use: mailbox.special_use.map(special_use_code),
                uid_validity: mailbox.uid_validity.0,
                uid_next: mailbox.uid_next,
                recent_from: mailbox.recent_from,
                highest_modseq: mailbox.highest_modseq.0,
                removed_modseq: mailbox.removed_modseq.0,
                name: &mailbox.name,
            }));
        }
        for alias in self.directory.aliases.values() {
            let targets = alias.targets.iter().map(|target| &**target).collect();
            give(&Row::Alias(AliasPut { address: &alias.address, targets }));
        }
        let gone = self.deletions.all_gone();
        for (mailbox, Gone { account, name }) in gone {
            let gone = alloc::vec![GoneRow { mailbox, account: *account, name }];
            give(&Row::Deletions { next: self.deletions.end(), pages: PagesRow::default(), gone });
        }
        for (key, value) in &self.settings {
            give(&Row::Setting(SettingPut { key, value: Bytes(value.as_slice()) }));
        }
    }

    /// Takes up a row. Those that say where pages stand, and those that are not about the state, are for others.
    pub(crate) fn take_row(&mut self, row: &Row<'_>) {
        match row {
            Row::Domain(name) => {
                self.directory.domains.insert((*name).into());
            }
            Row::Account(row) => {
                let account = self.accounts.entry(row.account).or_default();
                account.address = row.address.into();
                account.name = row.name.into();
                account.quota = row.quota;
                account.secret = Secret::new(row.secret.0);
                self.directory.addresses.insert(lower(row.address).as_str().into(), row.account);
            }
            Row::Keyword(row) => {
                if let Some(account) = self.accounts.get_mut(&row.account) {
                    account.define_keyword(row.number, row.name);
                }
            }
            Row::Subscription { account, name } => {
                if let Some(account) = self.accounts.get_mut(account) {
                    account.subscriptions.insert((*name).into());
                }
            }
            Row::Mailbox(row) => self.take_mailbox(row),
            Row::Alias(row) => {
                let targets = row.targets.iter().map(|target| (*target).into()).collect();
                let alias = Alias { address: row.address.into(), targets };
                self.directory.aliases.insert(lower(row.address).as_str().into(), alias);
            }
            Row::Setting(row) => {
                self.put_setting(row.key, row.value.0);
            }
            Row::Deletions { next, gone, .. } => {
                self.deletions.begin_at(*next);
                self.next.deletion = self.next.deletion.max(*next);
                for GoneRow { mailbox, account, name } in gone {
                    self.deletions.take_gone(*mailbox, Gone { account: *account, name: (*name).into() });
                }
            }
            Row::Entries { .. } | Row::Letters { .. } | Row::Erases { .. } | Row::Retired { .. } => {}
        }
    }

    fn take_mailbox(&mut self, row: &MailboxRow<'_>) {
        let mut mailbox = Mailbox::new(row.account, row.name, row.uid_validity, row.highest_modseq);
        mailbox.special_use = row.special_use.and_then(special_use_from);
        mailbox.uid_next = row.uid_next;
        mailbox.uid_pending = row.uid_next;
        mailbox.recent_from = row.recent_from;
        mailbox.removed_modseq = Modseq(row.removed_modseq);
        if let Some(account) = self.accounts.get_mut(&row.account) {
            account.mailboxes.insert(row.name.into(), row.mailbox);
        }
        self.mailboxes.insert(row.mailbox, mailbox);
    }

    /// Bytes that a checkpoint would write of pages, about.
    pub(crate) fn dirty_bytes(&self) -> u64 {
        /// What a page takes at most, nearly always.
        const LETTERS: u64 = 4 << 10;
        const ENTRIES: u64 = 2 << 10;
        let letters = self.letters.pages().iter().filter(|page| page.is_dirty()).count() as u64;
        let mailboxes = self
            .mailboxes
            .values()
            .map(|mailbox| mailbox.entries.pages().iter().filter(|page| page.is_dirty()).count() as u64);
        let deletions = self.deletions.pages().iter().filter(|page| page.is_dirty()).count() as u64;
        letters * LETTERS + (mailboxes.sum::<u64>() + deletions) * ENTRIES
    }

    /// Has the pages that stand in a segment written elsewhere by the next checkpoint, and copies made anew.
    pub(crate) fn soil(&mut self, segments: &mut Segments, segment: u32) {
        let mut copies: Vec<Home> = Vec::new();
        self.letters.pages_mut().iter_mut().for_each(|page| copies.extend(page.leave(segment)));
        self.deletions.pages_mut().for_each(|page| copies.extend(page.leave(segment)));
        for mailbox in self.mailboxes.values_mut() {
            mailbox.entries.pages_mut().iter_mut().for_each(|page| copies.extend(page.leave(segment)));
        }
        copies.iter().for_each(|copy| segments.let_go(copy.segment, copy.span));
    }

    /// Takes up where the body of the letter in `slot` lies, as its commit says.
    pub(crate) fn take_body(&mut self, segments: &mut Segments, slot: u32, commit: &CommitView<'_>) {
        let Some(mut letter) = self.letters.get(slot) else { return };
        let_go(segments, &letter);
        letter.body = body_of(segments, commit.extents(), letter.size);
        keep(segments, &letter);
        self.letters.replace(slot, &letter);
    }

    /// Adds a page of letters that was read.
    pub(crate) fn take_letters(&mut self, segments: &mut Segments, page: LetterPage, homes: Homes) {
        page.iter().for_each(|(_, letter)| keep(segments, &letter));
        let page = Page::read(page, homes);
        page.homes().for_each(|home| segments.keep(home.segment, home.span));
        self.letters.push_page(page);
    }

    /// Adds a page of messages that was read to a mailbox. Messages without a letter are left out: only damage makes
    /// such.
    pub(crate) fn take_entries(
        &mut self,
        segments: &mut Segments,
        mailbox: u32,
        mut page: EntryPage,
        homes: Homes,
    ) {
        let Some(mailbox) = self.mailboxes.get_mut(&mailbox) else { return };
        let (before, listed) = (page.iter().len(), mailbox.entries.len());
        page.keep(|entry| self.letters.refer(entry.letter));
        let whole = page.iter().len() == before;
        let mut bytes = 0;
        for entry in page.iter() {
            let size = self.letters.size(entry.letter);
            mailbox.count(&entry, size);
            bytes += size;
        }
        let page = Page::read(page, if whole { homes } else { (None, None) });
        let homes = page.homes();
        if mailbox.entries.push_page(page) {
            homes.for_each(|home| segments.keep(home.segment, home.span));
        }
        let (account, count) = (mailbox.account, mailbox.entries.len() - listed);
        self.messages += u64::from(count);
        self.use_bytes(account, bytes, 0);
    }

    /// Adds a page of deletions that was read. Those without a letter are left out: only damage makes such.
    pub(crate) fn take_deletion_page(
        &mut self,
        segments: &mut Segments,
        mut page: DeletionPage,
        homes: Homes,
    ) {
        let mut whole = true;
        page.keep(|row| {
            let stays = self.letters.refer_deletion(row.letter);
            whole &= stays;
            stays
        });
        let page = Page::read(page, if whole { homes } else { (None, None) });
        let homes = page.homes();
        if self.deletions.push_page(page) {
            homes.for_each(|home| segments.keep(home.segment, home.span));
        }
        self.next.deletion = self.next.deletion.max(self.deletions.end());
    }
}
