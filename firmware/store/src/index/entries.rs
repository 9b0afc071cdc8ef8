//! The messages of one mailbox, sorted by UID: 16 bytes each, in pages, so that no mailbox is ever moved as a whole.

use alloc::vec::Vec;

use mail::{Flags, Modseq, Uid};

use super::page::{Home, Page};

/// Entries of a page. 4 KiB: inserting happens at the end only, removing moves at most this much.
pub(crate) const PAGE_ENTRIES: usize = 256;

/// Flags that an entry holds itself; the rest stands in [`EntryPage::rare`].
const INLINE_BITS: u32 = 15;
const INLINE: u64 = (1 << INLINE_BITS) - 1;
/// Says that there are more.
const MORE: u64 = 1 << INLINE_BITS;
/// Where the MODSEQ begins.
const MODSEQ_SHIFT: u32 = 16;

/// One message of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) uid: Uid,
    /// Its slot among the letters.
    pub(crate) letter: u32,
    pub(crate) flags: Flags,
    pub(crate) modseq: Modseq,
}

#[derive(Clone, Copy, Debug)]
struct Packed {
    uid: u32,
    letter: u32,
    /// MODSEQ above, flags below.
    state: u64,
}

const _: () = assert!(size_of::<Packed>() == 16);

/// What a change of flags did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) changed: u32,
    /// Messages that lost or got `\Seen` and `\Deleted`: differences of the mailbox's counters.
    pub(crate) unseen: i32,
    pub(crate) deleted: i32,
}

/// Up to 256 messages of a mailbox.
#[derive(Clone, Debug, Default)]
pub(crate) struct EntryPage {
    entries: Vec<Packed>,
    /// All flags of the messages that have more than fit their entries, by UID.
    rare: Vec<(u32, u64)>,
}

/// The messages of a mailbox.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    pages: Vec<Page<EntryPage>>,
    /// Greatest UID of each page, or more where it has been removed since [`tidy`](Self::tidy).
    lasts: Vec<u32>,
    /// Greatest MODSEQ in each page, so that what has changed is found without looking at what has not: 8 bytes for
    /// 256 messages. Never less than that; more only where a message has got a smaller one.
    newest: Vec<Modseq>,
    len: u32,
    /// Where pages stood that are no more.
    left: Vec<Home>,
}

impl Entries {
    pub(crate) const fn len(&self) -> u32 {
        self.len
    }

    /// The pages, in order.
    pub(crate) fn pages(&self) -> &[Page<EntryPage>] {
        &self.pages
    }

    pub(crate) fn pages_mut(&mut self) -> &mut [Page<EntryPage>] {
        &mut self.pages
    }

    /// The page that a UID is in.
    pub(crate) fn page_of(&mut self, uid: Uid) -> Option<&mut Page<EntryPage>> {
        let at = self.page_at(uid.0);
        self.pages.get_mut(at)
    }

    /// Takes up where pages stood that are no more.
    pub(crate) fn take_left(&mut self) -> Vec<Home> {
        core::mem::take(&mut self.left)
    }

    /// All places where pages stand or stood; the messages are given up.
    pub(crate) fn homes(&self) -> impl Iterator<Item = Home> + '_ {
        self.pages.iter().flat_map(Page::homes).chain(self.left.iter().copied())
    }

    /// Adds a page that was read. Says whether it has messages, all behind those before.
    pub(crate) fn push_page(&mut self, page: Page<EntryPage>) -> bool {
        let entries = &page.get().entries;
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return false };
        if self.len > 0 && first.uid <= self.last_uid() {
            return false;
        }
        self.len += entries.len() as u32;
        self.lasts.push(last.uid);
        self.newest.push(newest_of(entries));
        self.pages.push(page);
        true
    }

    /// The greatest UID, or more while something is not tidied up.
    pub(crate) fn last_uid(&self) -> u32 {
        self.lasts.last().copied().unwrap_or(0)
    }

    /// Adds a message; its UID must be greater than all. Says whether it was.
    pub(crate) fn push(&mut self, entry: Entry) -> bool {
        let uid = entry.uid.0;
        if self.len > 0 && uid <= self.last_uid() {
            return false;
        }
        match (self.pages.last_mut(), self.lasts.last_mut(), self.newest.last_mut()) {
            (Some(page), Some(last), Some(newest)) if page.get().entries.len() < PAGE_ENTRIES => {
                page.change().push(entry);
                *last = uid;
                *newest = entry.modseq.max(*newest);
            }
            _ => {
                let first = if self.pages.is_empty() { 4 } else { PAGE_ENTRIES };
                let mut page = EntryPage::with_room(first);
                page.push(entry);
                self.pages.push(Page::new(page));
                self.lasts.push(uid);
                self.newest.push(entry.modseq);
            }
        }
        self.len += 1;
        true
    }

    /// The message with this UID.
    pub(crate) fn get(&self, uid: Uid) -> Option<Entry> {
        self.at_or_after(uid).filter(|entry| entry.uid == uid)
    }

    /// The message with the smallest UID that is at least `uid`.
    pub(crate) fn at_or_after(&self, uid: Uid) -> Option<Entry> {
        let mut pages = self.pages.get(self.page_at(uid.0)..)?.iter().map(Page::get);
        pages.find_map(|page| page.from(uid.0).first().map(|packed| page.unpack(*packed)))
    }

    /// The message with the smallest UID that is at least `uid` and whose MODSEQ is greater than `since`.
    pub(crate) fn next_changed(&self, since: Modseq, uid: Uid) -> Option<Entry> {
        let from = self.page_at(uid.0);
        let pages = self.pages.iter().zip(&self.newest).skip(from);
        let mut changed = pages.filter(|(_, newest)| **newest > since).map(|(page, _)| page.get());
        changed.find_map(|page| {
            let found = page.from(uid.0).iter().find(|packed| modseq_of(packed) > since)?;
            Some(page.unpack(*found))
        })
    }

    /// All messages in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Entry> + '_ {
        self.pages.iter().flat_map(|page| page.get().iter())
    }

    /// The UIDs from `first` on, in order.
    pub(crate) fn uids(&self, first: Uid) -> impl Iterator<Item = u32> + '_ {
        let pages = self.pages.get(self.page_at(first.0)..).unwrap_or_default();
        pages.iter().flat_map(move |page| page.get().from(first.0)).map(|packed| packed.uid)
    }

    /// The messages from `first` to `last`.
    pub(crate) fn range(&self, first: Uid, last: Uid) -> impl Iterator<Item = Entry> + '_ {
        let pages = self.pages.get(self.page_at(first.0)..).unwrap_or_default();
        let entries = pages.iter().flat_map(move |page| {
            let page = page.get();
            page.from(first.0).iter().map(move |packed| (page, packed))
        });
        entries.take_while(move |(_, packed)| packed.uid <= last.0).map(|(page, packed)| page.unpack(*packed))
    }

    /// Changes the flags of the messages from `first` to `last`; those that really change get `modseq`.
    pub(crate) fn set_flags(
        &mut self,
        (first, last): (Uid, Uid),
        (add, remove): (Flags, Flags),
        modseq: Modseq,
        tally: &mut Tally,
    ) {
        let from = self.page_at(first.0);
        for (page, newest) in self.pages.iter_mut().zip(&mut self.newest).skip(from) {
            let known = page.get();
            let (start, end) = known.span(first.0, last.0);
            if start == known.entries.len() {
                continue;
            }
            if start == end {
                return;
            }
            let changes = |entry: Entry| entry.flags.without(remove).with(add) != entry.flags;
            let Some(skip) = known
                .entries
                .get(start..end)
                .and_then(|entries| entries.iter().position(|packed| changes(known.unpack(*packed))))
            else {
                continue;
            };
            page.change().set_flags(start + skip..end, (add, remove), modseq, tally);
            *newest = modseq.max(*newest);
        }
    }

    /// Removes the messages from `first` to `last`, telling `gone` of each.
    pub(crate) fn remove(&mut self, first: Uid, last: Uid, mut gone: impl FnMut(Entry)) {
        let from = self.page_at(first.0);
        for (page, newest) in self.pages.iter_mut().zip(&mut self.newest).skip(from) {
            let (start, end) = page.get().span(first.0, last.0);
            if start == end {
                if start < page.get().entries.len() {
                    break;
                }
                continue;
            }
            let page = page.change();
            for packed in page.entries.get(start..end).unwrap_or_default() {
                gone(page.unpack(*packed));
            }
            page.entries.drain(start..end);
            page.rare.retain(|(uid, _)| *uid < first.0 || *uid > last.0);
            *newest = newest_of(&page.entries);
            self.len -= (end - start) as u32;
        }
    }

    /// Drops empty pages and joins small neighbours; to be called after removals.
    pub(crate) fn tidy(&mut self) {
        let mut kept: Vec<Page<EntryPage>> = Vec::with_capacity(self.pages.len());
        let mut newest: Vec<Modseq> = Vec::with_capacity(self.newest.len());
        for (page, modseq) in core::mem::take(&mut self.pages).into_iter().zip(&self.newest) {
            let len = page.get().entries.len();
            match (kept.last_mut(), newest.last_mut()) {
                (Some(before), Some(newest)) if before.get().entries.len() + len <= PAGE_ENTRIES / 2 => {
                    if len > 0 {
                        before.change().append(page.get());
                    }
                    self.left.extend(page.homes());
                    *newest = (*modseq).max(*newest);
                }
                _ if len == 0 => self.left.extend(page.homes()),
                _ => {
                    kept.push(page);
                    newest.push(*modseq);
                }
            }
        }
        self.newest = newest;
        self.lasts =
            kept.iter().filter_map(|page| page.get().entries.last()).map(|packed| packed.uid).collect();
        self.pages = kept;
    }

    /// Index of the first page that reaches `uid`.
    fn page_at(&self, uid: u32) -> usize {
        self.lasts.partition_point(|last| *last < uid)
    }
}

impl EntryPage {
    /// Its messages.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = Entry> + '_ {
        self.entries.iter().map(|packed| self.unpack(*packed))
    }

    /// An empty page with room for `count` messages.
    pub(crate) fn with_room(count: usize) -> Self {
        Self { entries: Vec::with_capacity(count.min(PAGE_ENTRIES)), rare: Vec::new() }
    }

    /// Leaves out the messages of which `stays` does not say that they stay.
    pub(crate) fn keep(&mut self, mut stays: impl FnMut(Entry) -> bool) {
        for at in (0..self.entries.len()).rev() {
            let Some(packed) = self.entries.get(at).copied() else { continue };
            if !stays(self.unpack(packed)) {
                self.entries.remove(at);
                self.rare.retain(|(uid, _)| *uid != packed.uid);
            }
        }
    }

    /// The UID of its first message.
    pub(crate) fn first(&self) -> Option<Uid> {
        self.entries.first().map(|packed| Uid(packed.uid))
    }

    /// Adds a message behind the others.
    pub(crate) fn push(&mut self, entry: Entry) {
        let state = (entry.modseq.0 << MODSEQ_SHIFT) | self.low_flags(entry.uid.0, entry.flags);
        self.entries.push(Packed { uid: entry.uid.0, letter: entry.letter, state });
    }

    fn append(&mut self, other: &Self) {
        self.entries.extend_from_slice(&other.entries);
        self.rare.extend_from_slice(&other.rare);
    }

    /// The entries from a UID on.
    fn from(&self, uid: u32) -> &[Packed] {
        let start = self.entries.partition_point(|packed| packed.uid < uid);
        self.entries.get(start..).unwrap_or_default()
    }

    /// Where the entries from `first` to `last` begin and end.
    fn span(&self, first: u32, last: u32) -> (usize, usize) {
        let start = self.entries.partition_point(|packed| packed.uid < first);
        let end = self.entries.partition_point(|packed| packed.uid <= last);
        (start, end.max(start))
    }

    fn set_flags(
        &mut self,
        range: core::ops::Range<usize>,
        (add, remove): (Flags, Flags),
        modseq: Modseq,
        tally: &mut Tally,
    ) {
        let plain = add.with(remove).0 & !INLINE == 0;
        for at in range {
            let Some(packed) = self.entries.get(at).copied() else { return };
            let old = self.flags_of(packed);
            let new = old.without(remove).with(add);
            if new == old {
                continue;
            }
            let low = if plain && packed.state & MORE == 0 { new.0 } else { self.low_flags(packed.uid, new) };
            if let Some(packed) = self.entries.get_mut(at) {
                packed.state = (modseq.0 << MODSEQ_SHIFT) | low;
            }
            tally.note(old, new);
        }
    }

    /// The bits that stand in the entry of a message with these flags. Keeps `rare` in step.
    fn low_flags(&mut self, uid: u32, flags: Flags) -> u64 {
        let found = self.rare.binary_search_by_key(&uid, |(uid, _)| *uid);
        if flags.0 & !INLINE == 0 {
            if let Ok(at) = found {
                self.rare.remove(at);
            }
            return flags.0;
        }
        match found {
            Ok(at) => {
                if let Some(known) = self.rare.get_mut(at) {
                    known.1 = flags.0;
                }
            }
            Err(at) => self.rare.insert(at, (uid, flags.0)),
        }
        (flags.0 & INLINE) | MORE
    }

    fn flags_of(&self, packed: Packed) -> Flags {
        if packed.state & MORE == 0 {
            return Flags(packed.state & INLINE);
        }
        let found = self.rare.binary_search_by_key(&packed.uid, |(uid, _)| *uid);
        let flags = found.ok().and_then(|at| self.rare.get(at)).map(|(_, flags)| *flags);
        Flags(flags.unwrap_or(packed.state & INLINE))
    }

    fn unpack(&self, packed: Packed) -> Entry {
        Entry {
            uid: Uid(packed.uid),
            letter: packed.letter,
            flags: self.flags_of(packed),
            modseq: modseq_of(&packed),
        }
    }
}

const fn modseq_of(packed: &Packed) -> Modseq {
    Modseq(packed.state >> MODSEQ_SHIFT)
}

fn newest_of(entries: &[Packed]) -> Modseq {
    entries.iter().map(modseq_of).max().unwrap_or_default()
}

impl Tally {
    const fn note(&mut self, old: Flags, new: Flags) {
        self.changed += 1;
        self.unseen += old.contains(Flags::SEEN) as i32 - new.contains(Flags::SEEN) as i32;
        self.deleted += new.contains(Flags::DELETED) as i32 - old.contains(Flags::DELETED) as i32;
    }
}
