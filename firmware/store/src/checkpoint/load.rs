//! Reading a checkpoint at a mount: the root, its tables, its pages, and from them the state.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use flash::FlashQueue;

use super::Checkpoints;
use crate::damage::DamageList;
use crate::format::code::take;
use crate::format::frame::{self, FRAME_BYTES, Frame, kind};
use crate::format::mend::mend;
use crate::format::pages::{PageHead, PageKind};
use crate::format::records::CommitView;
use crate::format::table::{HomeRow, PagesRow, Root, Row};
use crate::format::{Mark, Place};
use crate::index::{DeletionPage, EntryPage, Home, LetterPage, State};
use crate::layout::Layout;
use crate::limits::SCAN_BYTES;
use crate::scan::frame_at;
use crate::segments::Segments;

/// Bytes between two pages that are read along with them rather than left out.
const READ_OVER: u32 = 16 << 10;

/// What reading a checkpoint needs.
pub(crate) struct Loader<'a, Q> {
    pub(crate) queue: &'a mut Q,
    pub(crate) layout: Layout,
    pub(crate) segments: &'a mut Segments,
    pub(crate) state: &'a mut State,
    pub(crate) damage: &'a mut DamageList,
    /// Pages that could not be read, with the mailboxes that they concern; see [`Replayed`](crate::replay::Replayed).
    pub(crate) unhealed: BTreeMap<Mark, Option<Vec<u32>>>,
}

/// What pages hold. Letters come first: messages are counted by them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Of {
    Letters,
    Mailbox(u32),
    Deletions,
}

/// Pages of one kind.
struct List {
    of: Of,
    pages: PagesRow,
}

impl<Q: FlashQueue> Loader<'_, Q> {
    /// Reads the checkpoint whose root stands at `at`. `None` when the root or a table does not verify; nothing has
    /// been taken up then. A page that does not verify is damage.
    pub(crate) fn load(&mut self, at: Mark) -> Option<Checkpoints> {
        let damage = self.damage.count();
        let (root, root_home) = self.root(at)?;
        let mut tables = Vec::new();
        for (home, copy) in root.tables.iter().zip(&root.copies) {
            let table = self.whole(home, kind::TABLE).or_else(|| {
                self.damage.note(home.at);
                self.whole(copy, kind::TABLE)
            })?;
            tables.push((table, [self.home(home), self.home(copy)]));
        }
        let next = &mut self.state.next;
        next.modseq = next.modseq.max(root.modseq);
        next.letter = next.letter.max(root.letter);
        next.mailbox = next.mailbox.max(root.mailbox);
        next.account = next.account.max(root.account);
        next.uid_validity = next.uid_validity.max(root.uid_validity);
        let mut lists = Vec::new();
        for (table, _) in &tables {
            self.table(table.get(FRAME_BYTES..).unwrap_or_default(), &mut lists);
        }
        lists.sort_by_key(|list| list.of);
        self.pages(&lists);
        let State { deletions, mailboxes, .. } = &mut *self.state;
        deletions.drop_unnamed(|mailbox| mailboxes.contains_key(&mailbox));
        let homes = tables.iter().flat_map(|(_, homes)| *homes).flatten().chain([root_home]);
        let homes: Vec<Home> = homes.collect();
        homes.iter().for_each(|home| self.segments.keep(home.segment, home.span));
        Some(Checkpoints {
            number: root.number,
            root: at,
            from: root.from,
            tables: homes,
            // What had to come from its copy is to stand twice again.
            wanted: self.damage.count() > damage,
            ..Checkpoints::default()
        })
    }

    fn root(&mut self, at: Mark) -> Option<(Root, Home)> {
        let rest = self.layout.segment_bytes.checked_sub(at.offset)?;
        let most = (FRAME_BYTES + self.layout.record_bytes_max()) as u32;
        let bytes = self.bytes(at, rest.min(most))?;
        let bytes = self.mended(at, &bytes, |frame| frame.kind == kind::ROOT)?;
        let home = self.home(&HomeRow { at, span: frame::align(bytes.len()) as u32 })?;
        Some((take(&mut bytes.get(FRAME_BYTES..)?)?, home))
    }

    fn home(&self, row: &HomeRow) -> Option<Home> {
        let segment = self.segments.find(row.at.seq)?;
        Some(Home { segment, offset: row.at.offset, span: row.span })
    }

    /// Reads `len` bytes at `at`.
    fn bytes(&mut self, at: Mark, len: u32) -> Option<Vec<u8>> {
        let segment = self.segments.find(at.seq)?;
        if at.offset.checked_add(len)? > self.layout.segment_bytes {
            return None;
        }
        let mut bytes = alloc::vec![0; len as usize];
        let address = self.layout.address(Place { segment, offset: at.offset });
        self.queue.read_through(address, &mut bytes).ok()?;
        Some(bytes)
    }

    /// The frame and payload that began at `at`. A bit that has flipped is noted as damage, and costs nothing.
    fn mended(&mut self, at: Mark, bytes: &[u8], fits: impl Fn(&Frame) -> bool) -> Option<Vec<u8>> {
        let mended = mend(self.layout.seed(at.seq), at.offset, bytes, fits)?;
        if !bytes.starts_with(&mended) {
            self.damage.note(at);
        }
        Some(mended)
    }

    /// Reads a table: frame and payload.
    fn whole(&mut self, home: &HomeRow, kind: u8) -> Option<Vec<u8>> {
        let bytes = self.bytes(home.at, home.span)?;
        self.mended(home.at, &bytes, |frame| frame.kind == kind && frame.span() == bytes.len())
    }

    fn table(&mut self, mut rows: &[u8], lists: &mut Vec<List>) {
        while !rows.is_empty() {
            let Some(row) = take::<Row<'_>>(&mut rows) else { return };
            match row {
                Row::Entries { mailbox, pages } => lists.push(List { of: Of::Mailbox(mailbox), pages }),
                Row::Letters(pages) => lists.push(List { of: Of::Letters, pages }),
                Row::Erases { first, counts } => {
                    for (index, erases) in (first..).zip(counts) {
                        self.segments.saw_erases(index, erases);
                    }
                }
                Row::Retired { segments } => segments.into_iter().for_each(|index| {
                    self.segments.retire(index);
                }),
                Row::Deletions { next, pages, gone } => {
                    self.state.take_row(&Row::Deletions { next, pages: PagesRow::default(), gone });
                    lists.push(List { of: Of::Deletions, pages });
                }
                row => self.state.take_row(&row),
            }
        }
    }

    /// Reads pages in the order of their lists; those that stand near each other, as most do, with one read.
    fn pages(&mut self, lists: &[List]) {
        let mut window: (Mark, Vec<u8>) = (Mark::default(), Vec::new());
        let mut asked = Vec::new();
        for list in lists {
            let PagesRow { homes, copies } = &list.pages;
            for (at, home) in homes.iter().enumerate() {
                if !holds(&window, home) {
                    let run = run_of(homes.get(at..).unwrap_or_default());
                    window = (home.at, self.bytes(home.at, run).unwrap_or_default());
                }
                self.page(list.of, (home, copies.get(at).copied().flatten()), &window, &mut asked);
            }
        }
        for (slot, place) in asked {
            self.ask_commit(slot, place);
        }
    }

    /// Takes up one page, which stands in the window.
    fn page(
        &mut self,
        of: Of,
        (row, copy): (&HomeRow, Option<HomeRow>),
        window: &(Mark, Vec<u8>),
        asked: &mut Vec<(u32, Place)>,
    ) {
        let start = row.at.offset.wrapping_sub(window.0.offset) as usize;
        let bytes = window.1.get(start..start.saturating_add(row.span as usize)).unwrap_or_default();
        let fits = |frame: &Frame| frame.kind == kind::PAGE && frame.span() == row.span as usize;
        let first = self.mended(row.at, bytes, fits);
        let copy_home = copy.and_then(|copy| self.home(&copy));
        // A page that is lost stands where its copy does, and the next checkpoint copies that.
        let homes = if first.is_some() { (self.home(row), copy_home) } else { (copy_home, None) };
        let whole = first.or_else(|| {
            let copy = self.whole(&copy?, kind::PAGE)?;
            self.damage.note(row.at);
            Some(copy)
        });
        let payload = whole.as_ref().and_then(|whole| whole.get(FRAME_BYTES..));
        let read = payload.and_then(|mut payload| Some((PageHead::take(&mut payload)?, payload)));
        let Some((head, rows)) = read else { return self.lost_page(of, row.at) };
        match (of, head.kind) {
            (Of::Mailbox(mailbox), PageKind::Entries) => {
                let page = EntryPage::decode(rows, head.rows);
                self.state.take_entries(self.segments, mailbox, page, homes);
            }
            (Of::Deletions, PageKind::Deletions) => match DeletionPage::decode(rows, head.rows) {
                Some(page) => self.state.take_deletion_page(self.segments, page, homes),
                None => self.lost_page(of, row.at),
            },
            (Of::Letters, PageKind::Letters) => {
                let first = self.state.letters.next_page_slot();
                let ask = |slot, place| asked.push((first + u32::from(slot), place));
                let page = LetterPage::decode(rows, head.rows, self.segments, ask);
                self.state.take_letters(self.segments, page, homes);
            }
            _ => self.lost_page(of, row.at),
        }
    }

    /// A page cannot be read.
    fn lost_page(&mut self, of: Of, at: Mark) {
        self.damage.note(at);
        let concerned = match of {
            Of::Letters => None,
            Of::Mailbox(mailbox) => Some(alloc::vec![mailbox]),
            // Nobody has been shown a UID of what is deleted.
            Of::Deletions => Some(Vec::new()),
        };
        self.unhealed.insert(at, concerned);
        if of == Of::Letters {
            self.state.letters.push_lost_page();
        }
    }

    /// Takes the segments of a body from its commit.
    fn ask_commit(&mut self, slot: u32, place: Place) {
        let at = Mark { seq: self.segments.seq(place.segment), offset: place.offset };
        let frame = frame_at(self.queue, &self.layout, self.segments, at);
        if let Some(commit) = frame.as_deref().and_then(CommitView::of_frame) {
            self.state.take_body(self.segments, slot, &commit);
        }
    }
}

/// Whether a page stands in the window as a whole.
fn holds(window: &(Mark, Vec<u8>), home: &HomeRow) -> bool {
    let start = home.at.offset.checked_sub(window.0.offset);
    let end = start.map(|start| start as usize + home.span as usize);
    window.0.seq == home.at.seq && end.is_some_and(|end| end <= window.1.len())
}

/// How many bytes to read from the first of `homes` on, so that those near behind it come along.
fn run_of(homes: &[HomeRow]) -> u32 {
    let Some(first) = homes.first() else { return 0 };
    let mut end = first.at.offset.saturating_add(first.span);
    for home in homes {
        let next = home.at.offset.saturating_add(home.span);
        let near = home.at.seq == first.at.seq
            && next >= end
            && home.at.offset <= end.saturating_add(READ_OVER)
            && next - first.at.offset <= SCAN_BYTES as u32;
        if near {
            end = next;
        } else if home.at != first.at {
            break;
        }
    }
    end - first.at.offset
}
