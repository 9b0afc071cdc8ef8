//! A checkpoint that is being written: the pages and rows of one moment, and how far they are.

use alloc::rc::Rc;
use alloc::vec::Vec;

use zeroize::Zeroize;

use crate::format::Mark;
use crate::format::code::put;
use crate::format::frame::kind;
use crate::format::pages::{PageHead, PageKind};
use crate::format::table::{HomeRow, PagesRow, Root, Row};
use crate::gather::Gather;
use crate::index::{DeletionPage, EntryPage, Home, LetterPage, Page, State};
use crate::limits::{CHORE_BYTES, TABLE_BYTES};
use crate::segments::Segments;

/// Pages that one row of a table names.
const HOMES_PER_ROW: usize = 512;

/// So often each table is written: without one of them a checkpoint is worth nothing.
const COPIES: usize = 2;

/// Where a page stands, or will, and its copy.
type Twice = (Stand, Option<Stand>);

/// A page taken for the checkpoint.
#[derive(Debug)]
enum Taken {
    /// Of a mailbox.
    Entries(u32, Rc<EntryPage>),
    /// Number of the page, from 0.
    Letters(usize, Rc<LetterPage>),
    Deletions(Rc<DeletionPage>),
}

/// Where a page stands, or will.
#[derive(Clone, Copy, Debug)]
enum Stand {
    Home(Home),
    /// Number of the page taken.
    Taken(usize),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) number: u64,
    /// The checkpoint holds what stands before this in the metadata log.
    pub(crate) from: Mark,
    /// Pages that have changed; what is written gives its content back.
    taken: Vec<Option<Taken>>,
    homes: Vec<Option<Home>>,
    /// How many of them have been gathered, and have landed.
    gathered: usize,
    landed: usize,
    /// All pages by mailbox, and those of letters.
    entries: Vec<(u32, Vec<Twice>)>,
    letters: Vec<Twice>,
    deletions: Vec<Twice>,
    /// Deletions have numbers below this.
    next_deletion: u64,
    /// The tables, those that say where pages stand included as soon as they are [`listed`](Self::listed).
    rows: Vec<Vec<u8>>,
    listed: bool,
    /// How many of them have been gathered, their copies included, and where they stand.
    tables_gathered: usize,
    pub(crate) tables: Vec<Home>,
    root_gathered: bool,
    /// Metadata segments that nothing needs once it is in force.
    pub(crate) doomed: Vec<u32>,
}

/// Tables in the making: each is closed when it is long enough. A row that could be a record of its own can be a table
/// of its own.
#[derive(Default)]
struct Tables {
    done: Vec<Vec<u8>>,
    open: Vec<u8>,
}

impl Tables {
    fn give(&mut self, row: &Row<'_>) {
        let before = self.open.len();
        // Encoding into memory cannot fail.
        let _ = put(&mut self.open, row);
        if self.open.len() > TABLE_BYTES && before > 0 {
            let row = self.open.split_off(before);
            self.done.push(core::mem::replace(&mut self.open, row));
        }
    }

    fn finish(mut self) -> Vec<Vec<u8>> {
        if !self.open.is_empty() {
            self.done.push(self.open);
        }
        self.done
    }
}

impl Drop for Job {
    /// Accounts have secrets.
    fn drop(&mut self) {
        self.rows.iter_mut().for_each(Zeroize::zeroize);
    }
}

impl Job {
    pub(crate) const fn new(number: u64, from: Mark) -> Self {
        Self {
            number,
            from,
            taken: Vec::new(),
            homes: Vec::new(),
            gathered: 0,
            landed: 0,
            entries: Vec::new(),
            letters: Vec::new(),
            deletions: Vec::new(),
            next_deletion: 0,
            rows: Vec::new(),
            listed: false,
            tables_gathered: 0,
            tables: Vec::new(),
            root_gathered: false,
            doomed: Vec::new(),
        }
    }

    /// Takes the state as it is: pages that have changed, where the others stand, and all rows. At most so many pages
    /// that have not changed are copied.
    pub(crate) fn take_state(&mut self, state: &mut State, segments: &mut Segments, mut copies: usize) {
        let mut tables = Tables::default();
        state.rows(|row| tables.give(row));
        let all: Vec<u32> = segments.all_erases().collect();
        for (number, counts) in (0..).zip(all.chunks(HOMES_PER_ROW)) {
            tables.give(&Row::Erases { first: number * HOMES_PER_ROW as u32, counts: counts.to_vec() });
        }
        let retired: Vec<u32> = segments.retired().collect();
        for segments in retired.chunks(HOMES_PER_ROW) {
            tables.give(&Row::Retired { segments: segments.to_vec() });
        }
        self.rows = tables.finish();
        let mut left = Vec::new();
        for (number, page) in state.letters.pages_mut().iter_mut().enumerate() {
            let stands = self.stands(page, &mut copies, &mut left, |content| Taken::Letters(number, content));
            self.letters.push(stands);
        }
        self.next_deletion = state.deletions.end();
        for page in state.deletions.pages_mut() {
            let stands = self.stands(page, &mut copies, &mut left, Taken::Deletions);
            self.deletions.push(stands);
        }
        for (id, mailbox) in &mut state.mailboxes {
            let pages = mailbox.entries.pages_mut().iter_mut();
            let taken = |content| Taken::Entries(*id, content);
            let stands = pages.map(|page| self.stands(page, &mut copies, &mut left, taken)).collect();
            self.entries.push((*id, stands));
        }
        left.iter().for_each(|home| segments.let_go(home.segment, home.span));
    }

    /// Where a page stands or will, and its copy: one that has changed is taken, one that has not is copied.
    fn stands<T: Clone>(
        &mut self,
        page: &mut Page<T>,
        copies: &mut usize,
        left: &mut Vec<Home>,
        taken: impl Fn(Rc<T>) -> Taken,
    ) -> Twice {
        let Some(home) = page.home().filter(|_| !page.is_dirty()) else {
            let (content, homes) = page.take();
            left.extend(homes);
            return (self.take(taken(content)), None);
        };
        let copy = match (page.copy(), copies.checked_sub(1)) {
            (Some(copy), _) => Some(Stand::Home(copy)),
            (None, Some(rest)) => {
                *copies = rest;
                Some(self.take(taken(page.share())))
            }
            (None, None) => None,
        };
        (Stand::Home(home), copy)
    }

    fn take(&mut self, taken: Taken) -> Stand {
        self.taken.push(Some(taken));
        self.homes.push(None);
        Stand::Taken(self.taken.len() - 1)
    }

    /// Puts what comes next into `chores`, as much as one group should take.
    pub(crate) fn gather(&mut self, chores: &mut Gather, segments: &Segments) {
        while chores.bytes.len() < CHORE_BYTES
            && let Some(taken) = self.taken.get(self.gathered)
        {
            let number = self.gathered as u32;
            // Encoding into memory cannot fail.
            let _ = chores.record(kind::PAGE, |out| {
                encode(taken.as_ref(), (self.number, number), segments, out);
                Ok(())
            });
            self.gathered += 1;
        }
        if self.landed < self.taken.len() {
            return;
        }
        if !core::mem::replace(&mut self.listed, true) {
            let mut lists = self.lists(segments);
            self.rows.append(&mut lists);
        }
        // The copies are written when the first ones are durable, so that no unit holds both.
        let count = self.rows.len();
        let end = if self.tables.len() < count { count } else { COPIES * count };
        while chores.bytes.len() < CHORE_BYTES && self.tables_gathered < end {
            let Some(table) = self.rows.get(self.tables_gathered % count) else { return };
            let _ = chores.record(kind::TABLE, |out| {
                out.extend_from_slice(table);
                Ok(())
            });
            self.tables_gathered += 1;
        }
    }

    /// Whether all that a root leads to is durable, and none has been gathered.
    pub(crate) const fn wants_root(&self) -> bool {
        self.listed && self.tables.len() == COPIES * self.rows.len() && !self.root_gathered
    }

    /// Where the tables stand, and their copies.
    pub(crate) fn table_rows(&self, segments: &Segments) -> (Vec<HomeRow>, Vec<HomeRow>) {
        let mut rows: Vec<HomeRow> = self.tables.iter().map(|home| row_of(segments, *home)).collect();
        let copies = rows.split_off(self.rows.len().min(rows.len()));
        (rows, copies)
    }

    /// Puts the root into `chores`.
    pub(crate) fn gather_root(&mut self, chores: &mut Gather, root: &Root) {
        let _ = chores.record(kind::ROOT, |out| put(out, root));
        self.root_gathered = true;
    }

    /// The tables that say where pages stand.
    fn lists(&self, segments: &Segments) -> Vec<Vec<u8>> {
        let home = |stand: &Stand| {
            let home = match stand {
                Stand::Home(home) => Some(*home),
                Stand::Taken(number) => self.homes.get(*number).copied().flatten(),
            };
            home.map(|home| row_of(segments, home))
        };
        let pages = |stands: &[Twice]| PagesRow {
            homes: stands.iter().filter_map(|(stand, _)| home(stand)).collect(),
            copies: stands.iter().map(|(_, copy)| copy.as_ref().and_then(home)).collect(),
        };
        let mut tables = Tables::default();
        for stands in self.letters.chunks(HOMES_PER_ROW) {
            tables.give(&Row::Letters(pages(stands)));
        }
        // One row at least: it says how far the numbers are.
        for stands in self.deletions.chunks(HOMES_PER_ROW).chain(self.deletions.is_empty().then_some(&[][..]))
        {
            let (next, gone) = (self.next_deletion, Vec::new());
            tables.give(&Row::Deletions { next, pages: pages(stands), gone });
        }
        for (mailbox, stands) in &self.entries {
            for stands in stands.chunks(HOMES_PER_ROW) {
                tables.give(&Row::Entries { mailbox: *mailbox, pages: pages(stands) });
            }
        }
        tables.finish()
    }

    /// Page `number` is durable at `home`.
    pub(crate) fn page_landed(
        &mut self,
        number: u32,
        home: Home,
        state: &mut State,
        segments: &mut Segments,
    ) {
        let number = number as usize;
        let Some(taken) = self.taken.get_mut(number).and_then(Option::take) else { return };
        if let Some(slot) = self.homes.get_mut(number) {
            *slot = Some(home);
        }
        self.landed += 1;
        // A page that has changed meanwhile is written again by the next checkpoint: until then only this one needs
        // what stands here.
        if settle(state, &taken, home) {
            segments.keep(home.segment, home.span);
        }
    }

    /// The checkpoint is not finished. Its pages have no home, so the next one writes them.
    pub(crate) fn abandon(&self, segments: &mut Segments) {
        self.tables.iter().for_each(|home| segments.let_go(home.segment, home.span));
    }
}

fn encode(taken: Option<&Taken>, (checkpoint, number): (u64, u32), segments: &Segments, out: &mut Vec<u8>) {
    let head = |kind, rows| PageHead { checkpoint, number, kind, rows };
    match taken {
        Some(Taken::Entries(_, page)) => {
            head(PageKind::Entries, page.iter().len() as u32).put(out);
            page.encode(out);
        }
        Some(Taken::Deletions(page)) => {
            head(PageKind::Deletions, page.rows().len() as u32).put(out);
            page.encode(out);
        }
        Some(Taken::Letters(_, page)) => {
            head(PageKind::Letters, page.rows()).put(out);
            page.encode(segments, out);
        }
        None => {}
    }
}

/// Tells the page that was taken where it stands. Says whether it is still the same.
fn settle(state: &mut State, taken: &Taken, home: Home) -> bool {
    match taken {
        Taken::Entries(mailbox, content) => {
            let page =
                content.first().and_then(|first| state.mailboxes.get_mut(mailbox)?.entries.page_of(first));
            page.is_some_and(|page| page.settle(content, home))
        }
        Taken::Deletions(content) => {
            let page = state.deletions.page_of(content.number());
            page.is_some_and(|page| page.settle(content, home))
        }
        Taken::Letters(number, content) => {
            state.letters.pages_mut().get_mut(*number).is_some_and(|page| page.settle(content, home))
        }
    }
}

fn row_of(segments: &Segments, home: Home) -> HomeRow {
    HomeRow { at: Mark { seq: segments.seq(home.segment), offset: home.offset }, span: home.span }
}
