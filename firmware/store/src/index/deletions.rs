//! Deletions: messages that were expunged and can still be brought back, in the order in which that happened. 24 bytes
//! each, in pages of 256.
//!
//! A deletion is known by its number. Numbers only go up, and are used once; the oldest deletion has the lowest.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use mail::{Flags, UnixTime};

use super::page::{Home, Page};
use crate::format::pages::DeletionRow;
use crate::limits::GONE_MAX;

/// Numbers of a page.
const PAGE_NUMBERS: u64 = 256;

/// A message that was expunged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deletion {
    pub(crate) account: u32,
    /// Where it was; that mailbox may be gone.
    pub(crate) mailbox: u32,
    /// Its slot among the letters.
    pub(crate) letter: u32,
    pub(crate) flags: Flags,
    /// When it was expunged; `None` when the time was not known.
    pub(crate) time: Option<UnixTime>,
}

/// As it stands in memory, and in a row of a page. A letter of `u32::MAX` stands for a number that is not listed; a time
/// of 0 is not known.
type Packed = DeletionRow;

const _: () = assert!(size_of::<Packed>() == 24);

const VACANT: Packed = Packed { account: 0, mailbox: 0, letter: u32::MAX, flags: 0, time: 0 };

/// The deletions with numbers from 256 × n to 256 × n + 255.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeletionPage {
    /// n.
    number: u64,
    rows: Vec<Packed>,
    /// How many are listed.
    listed: u16,
}

/// A mailbox that is no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gone {
    pub(crate) account: u32,
    pub(crate) name: Box<str>,
}

/// All deletions.
#[derive(Debug, Default)]
pub(crate) struct Deletions {
    /// Those in which something is listed, in order.
    pages: VecDeque<Page<DeletionPage>>,
    count: u64,
    /// Rows in memory, those of numbers that are not listed included.
    rows: u64,
    /// Numbers from here on have not been listed yet.
    end: u64,
    /// How many name each mailbox that is there, or whose name is kept; and these names.
    origins: BTreeMap<u32, u32>,
    gone: BTreeMap<u32, Gone>,
    /// Where pages stood that are no more.
    left: Vec<Home>,
}

impl DeletionPage {
    /// An empty page.
    pub(crate) const fn new(number: u64) -> Self {
        Self { number, rows: Vec::new(), listed: 0 }
    }

    /// Its number among the pages.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    const fn first(&self) -> u64 {
        self.number.saturating_mul(PAGE_NUMBERS)
    }

    /// Its rows, those of numbers that are not listed included, up to the last one that is.
    pub(crate) fn rows(&self) -> impl ExactSizeIterator<Item = Option<&DeletionRow>> {
        self.rows.iter().map(|row| Some(row).filter(|row| **row != VACANT))
    }

    /// What is listed, with its numbers.
    fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, Deletion)> + '_ {
        let listed = self.rows.iter().enumerate().filter(|(_, row)| **row != VACANT);
        listed.map(|(at, row)| (self.first() + at as u64, unpack(row)))
    }

    /// Adds a row behind the others.
    pub(crate) fn push(&mut self, row: Option<DeletionRow>) {
        let row = row.filter(|row| row.letter != VACANT.letter);
        self.listed += u16::from(row.is_some());
        self.rows.push(row.unwrap_or(VACANT));
    }

    fn put(&mut self, number: u64, deletion: &Deletion) {
        let at = number.saturating_sub(self.first()) as usize;
        if self.rows.len() < at {
            self.rows.resize(at, VACANT);
        }
        self.push(Some(pack(deletion)));
    }

    /// Leaves out the deletions of which `stays` does not say that they stay.
    pub(crate) fn keep(&mut self, mut stays: impl FnMut(&DeletionRow) -> bool) {
        for row in self.rows.iter_mut().filter(|row| **row != VACANT) {
            if !stays(row) {
                *row = VACANT;
                self.listed -= 1;
            }
        }
    }
}

impl Deletions {
    /// How many there are.
    pub(crate) const fn len(&self) -> u64 {
        self.count
    }

    /// How many rows have to be reckoned with as memory: what is listed, and what lies between it, but for that of some
    /// pages that are not full.
    pub(crate) const fn rows(&self) -> u64 {
        let between = self.rows - self.count;
        self.count + between.saturating_sub(2 * PAGE_NUMBERS)
    }

    /// The number that the next deletion has at least.
    pub(crate) const fn end(&self) -> u64 {
        self.end
    }

    /// Says that numbers below `end` have been used.
    pub(crate) fn begin_at(&mut self, end: u64) {
        self.end = self.end.max(end);
    }

    /// The pages, in order.
    pub(crate) const fn pages(&self) -> &VecDeque<Page<DeletionPage>> {
        &self.pages
    }

    pub(crate) fn pages_mut(&mut self) -> impl Iterator<Item = &mut Page<DeletionPage>> {
        self.pages.iter_mut()
    }

    /// The page with this number.
    pub(crate) fn page_of(&mut self, number: u64) -> Option<&mut Page<DeletionPage>> {
        let at = self.pages.binary_search_by_key(&number, |page| page.get().number).ok()?;
        self.pages.get_mut(at)
    }

    /// Takes up where pages stood that are no more.
    pub(crate) fn take_left(&mut self) -> Vec<Home> {
        core::mem::take(&mut self.left)
    }

    /// Adds a page that was read. Says whether it lists something, all behind what was there.
    pub(crate) fn push_page(&mut self, page: Page<DeletionPage>) -> bool {
        let content = page.get();
        let behind = self.pages.back().is_none_or(|last| last.get().number < content.number);
        let Some((last, _)) = content.iter().next_back().filter(|_| behind) else { return false };
        self.count += u64::from(content.listed);
        self.rows += content.rows.len() as u64;
        for (_, deletion) in content.iter() {
            *self.origins.entry(deletion.mailbox).or_default() += 1;
        }
        self.end = self.end.max(last.saturating_add(1));
        self.pages.push_back(page);
        true
    }

    /// Lists a deletion, whose number must not be below [`end`](Self::end).
    pub(crate) fn push(&mut self, number: u64, deletion: &Deletion) {
        let page = number / PAGE_NUMBERS;
        if self.pages.back().is_none_or(|last| last.get().number < page) {
            self.pages.push_back(Page::new(DeletionPage::new(page)));
        }
        let Some(last) = self.pages.back_mut() else { return };
        let last = last.change();
        let before = last.rows.len();
        last.put(number, deletion);
        self.rows += (last.rows.len() - before) as u64;
        self.end = number.saturating_add(1);
        self.count += 1;
        *self.origins.entry(deletion.mailbox).or_default() += 1;
    }

    /// One deletion.
    pub(crate) fn get(&self, number: u64) -> Option<Deletion> {
        let at = self.pages.binary_search_by_key(&(number / PAGE_NUMBERS), |page| page.get().number).ok()?;
        let row = self.pages.get(at)?.get().rows.get((number % PAGE_NUMBERS) as usize)?;
        Some(unpack(row)).filter(|_| *row != VACANT)
    }

    /// All of them, the oldest one first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, Deletion)> + '_ {
        self.pages.iter().flat_map(|page| page.get().iter())
    }

    /// Those with numbers from `number` on, the oldest one first.
    pub(crate) fn from(&self, number: u64) -> impl Iterator<Item = (u64, Deletion)> + '_ {
        let later = self.pages.range(self.page_at(number)..).flat_map(|page| page.get().iter());
        later.skip_while(move |(found, _)| *found < number)
    }

    /// Index of the first page that has, or could have, a number that is at least `number`.
    fn page_at(&self, number: u64) -> usize {
        self.pages.partition_point(|page| page.get().first().saturating_add(PAGE_NUMBERS) <= number)
    }

    /// Those with numbers below `number`, the newest one first.
    pub(crate) fn below(&self, number: u64) -> impl Iterator<Item = (u64, Deletion)> + '_ {
        let pages = self.pages.partition_point(|page| page.get().first() < number);
        let older = self.pages.range(..pages).rev().flat_map(|page| page.get().iter().rev());
        older.skip_while(move |(found, _)| *found >= number)
    }

    /// Takes those off the list that have numbers from `first` on and below `end`, and of which `goes` says so.
    pub(crate) fn take(&mut self, (first, end): (u64, u64), mut goes: impl FnMut(&Deletion) -> bool) {
        let from = self.page_at(first);
        let mut emptied = false;
        for page in self.pages.range_mut(from..) {
            if page.get().first() >= end {
                break;
            }
            let here = page.get().iter().filter(|(number, _)| (first..end).contains(number));
            let gone: Vec<(u64, Deletion)> = here.filter(|(_, deletion)| goes(deletion)).collect();
            if gone.is_empty() {
                continue;
            }
            let page = page.change();
            for (number, deletion) in gone {
                if let Some(row) = page.rows.get_mut((number % PAGE_NUMBERS) as usize) {
                    *row = VACANT;
                }
                page.listed -= 1;
                self.count -= 1;
                leave((&mut self.origins, &mut self.gone), deletion.mailbox);
            }
            emptied |= page.listed == 0;
        }
        if emptied {
            let (left, rows) = (&mut self.left, &mut self.rows);
            self.pages.retain(|page| {
                let stays = page.get().listed > 0;
                if !stays {
                    left.extend(page.homes());
                    *rows -= page.get().rows.len() as u64;
                }
                stays
            });
        }
    }

    /// Keeps the name of a mailbox that is no more, if deletions name it. Of too many the oldest one goes: what was in
    /// it has none then.
    pub(crate) fn mailbox_gone(&mut self, mailbox: u32, gone: Gone) {
        if !self.origins.contains_key(&mailbox) {
            return;
        }
        self.gone.insert(mailbox, gone);
        if self.gone.len() > GONE_MAX
            && let Some((oldest, _)) = self.gone.pop_first()
        {
            self.origins.remove(&oldest);
        }
    }

    /// A mailbox that is no more, and that deletions name.
    pub(crate) fn gone(&self, mailbox: u32) -> Option<&Gone> {
        self.gone.get(&mailbox)
    }

    /// All mailboxes that are no more, and that deletions name.
    pub(crate) fn all_gone(&self) -> impl Iterator<Item = (u32, &Gone)> {
        self.gone.iter().map(|(mailbox, gone)| (*mailbox, gone))
    }

    /// Takes up what a checkpoint says of a mailbox that is no more.
    pub(crate) fn take_gone(&mut self, mailbox: u32, gone: Gone) {
        self.gone.insert(mailbox, gone);
    }

    /// All pages have been read: drops the names that nothing names, because damage took the pages, and the counts of
    /// mailboxes that have no name and are not there.
    pub(crate) fn drop_unnamed(&mut self, is_there: impl Fn(u32) -> bool) {
        let (origins, gone) = (&mut self.origins, &mut self.gone);
        gone.retain(|mailbox, _| origins.contains_key(mailbox));
        origins.retain(|mailbox, _| gone.contains_key(mailbox) || is_there(*mailbox));
    }
}

/// A deletion that named a mailbox is listed no more.
fn leave((origins, gone): (&mut BTreeMap<u32, u32>, &mut BTreeMap<u32, Gone>), mailbox: u32) {
    let Some(count) = origins.get_mut(&mailbox) else { return };
    *count = count.saturating_sub(1);
    if *count == 0 {
        origins.remove(&mailbox);
        gone.remove(&mailbox);
    }
}

fn pack(deletion: &Deletion) -> Packed {
    let time = deletion.time.map_or(0, |time| time.0.clamp(1, u32::MAX.into()) as u32);
    let Deletion { account, mailbox, letter, flags, .. } = *deletion;
    Packed { account, mailbox, letter, flags: flags.0, time }
}

fn unpack(row: &Packed) -> Deletion {
    let DeletionRow { account, mailbox, letter, flags, time } = *row;
    let time = (time > 0).then(|| UnixTime(time.into()));
    Deletion { account, mailbox, letter, flags: Flags(flags), time }
}
