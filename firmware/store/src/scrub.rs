//! Scrubbing: everything that lives is read and verified now and then, so that damage is found while something can still
//! be done about it, and not when somebody needs a letter after years.
//!
//! A round goes through the letters by their slots (the commit, then the extents), the pages of the index and the tables
//! of the checkpoint. One step reads about 64 KiB, one frame after the other; the driver decides when, and warms what is
//! cold. Nothing of the readers' memory is used: what a step needs it allocates and gives back.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use flash::FlashQueue;
use mail::{Cold, Uid};

use crate::check::LetterFault;
use crate::format::Mark;
use crate::format::frame::{FRAME_BYTES, Frame, kind, verifies};
use crate::format::header::Stream;
use crate::format::records::CommitView;
use crate::index::{Home, Letter, Page};
use crate::limits::{
    DAMAGED_LETTERS_MAX, DAMAGED_LETTERS_NAMED, SCRUB_BYTES, SCRUB_LOOKS_MAX, SCRUB_RETIRED_DIVISOR,
};
use crate::reader::{Miss, read_extent, read_into};
use crate::{Store, format};

/// Where a round stands: enough to go on after a restart, in 9 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScrubPlace {
    part: Part,
    /// Slot of a letter; number of a page of letters; number of a mailbox; number of a page of deletions; number of a
    /// table.
    at: u32,
    /// Extents of the letter, or places where the page, or the pages of the mailbox, can stand, that are done.
    done: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Letters,
    LetterPages,
    EntryPages,
    DeletionPages,
    Tables,
}

/// Places where a page can stand.
const HOMES: u32 = 2;

impl Part {
    const ALL: [Self; 5] =
        [Self::Letters, Self::LetterPages, Self::EntryPages, Self::DeletionPages, Self::Tables];

    const fn next(self) -> Self {
        match self {
            Self::Letters => Self::LetterPages,
            Self::LetterPages => Self::EntryPages,
            Self::EntryPages => Self::DeletionPages,
            Self::DeletionPages => Self::Tables,
            Self::Tables => Self::Letters,
        }
    }
}

impl ScrubPlace {
    /// As bytes, to be kept.
    pub fn to_bytes(self) -> [u8; 9] {
        let mut bytes = [0; 9];
        format::put(&mut bytes, 0, &[self.part as u8]);
        format::put(&mut bytes, 1, &self.at.to_le_bytes());
        format::put(&mut bytes, 5, &self.done.to_le_bytes());
        bytes
    }

    /// What [`to_bytes`](Self::to_bytes) gave; the beginning for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let part = bytes.first().and_then(|part| Part::ALL.get(usize::from(*part)));
        match part {
            Some(part) if bytes.len() == 9 => {
                Self { part: *part, at: format::u32_at(bytes, 1), done: format::u32_at(bytes, 5) }
            }
            _ => Self::default(),
        }
    }

    const fn next_at(self) -> Self {
        Self { at: self.at.saturating_add(1), done: 0, ..self }
    }

    /// The next of the places where the page stands, or behind the last one of it.
    const fn next_home(self) -> Self {
        if self.done.saturating_add(1) < HOMES {
            Self { done: self.done + 1, ..self }
        } else {
            self.next_at()
        }
    }

    fn next_part(self) -> Self {
        Self { part: self.part.next(), at: 0, done: 0 }
    }
}

/// A letter that was found damaged, as its owner knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedLetter {
    /// Address of the account; `None` in the outbound queue, which is nobody's.
    pub account: Option<String>,
    /// Name of the mailbox; empty for the queue.
    pub mailbox: String,
    /// The message in it; others may show the same letter.
    pub uid: Uid,
    /// What is wrong.
    pub fault: LetterFault,
}

/// What scrubbing has found and where it stands.
#[derive(Debug, Default)]
pub(crate) struct Scrub {
    period: Option<Duration>,
    place: ScrubPlace,
    /// The step that is under way.
    step: Step,
    /// What the last one read.
    bytes: u32,
    /// Damaged letters.
    known: Vec<Known>,
    /// The first of them, by their names.
    named: Vec<(Known, DamagedLetter)>,
    /// Those that nobody has been told of.
    untold: Vec<DamagedLetter>,
}

/// A letter as a round knows it again: its slot, and where its commit stands.
type Known = (u32, Mark);

/// What a step has done so far.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    bytes: u32,
    /// Pages, tables and extents among it: a commit alone takes a round no further.
    things: u32,
    round_ended: bool,
}

impl Step {
    /// Whether `bytes` more are for another step.
    const fn is_full(&self, bytes: u32) -> bool {
        self.things > 0 && self.bytes + bytes > SCRUB_BYTES
    }

    const fn read(&mut self, bytes: u32) {
        self.bytes += bytes;
        self.things += 1;
    }
}

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Bytes read.
    pub bytes: u32,
    /// All that lives has been read since the last time that this was said.
    pub round_ended: bool,
}

impl<Q: FlashQueue> Store<Q> {
    /// Sets within which time everything shall have been read once; `None` for never.
    pub fn set_scrub(&mut self, period: Option<Duration>) {
        self.scrub.period = period;
    }

    /// How long to wait from one step to the next, so that a round takes as long as was set; `None` when none is wanted.
    /// It counts from the last step on, by a clock that does not jump.
    pub fn scrub_pause(&self) -> Option<Duration> {
        let period = self.scrub.period?;
        let in_use = self.segments.in_use().iter();
        let live: u64 = in_use.map(|(_, index)| u64::from(self.segments.live(*index))).sum();
        let live = u128::from(live.max(u64::from(self.scrub.bytes)).max(1));
        let pause = period.as_millis() * u128::from(self.scrub.bytes) / live;
        Some(Duration::from_millis(u64::try_from(pause).unwrap_or(u64::MAX)))
    }

    /// Where the round stands.
    pub const fn scrub_place(&self) -> ScrubPlace {
        self.scrub.place
    }

    /// Goes on from where a round stood before a restart.
    pub const fn set_scrub_place(&mut self, place: ScrubPlace) {
        self.scrub.place = place;
    }

    /// Reads on and verifies, about 64 KiB.
    ///
    /// # Errors
    /// What has to be brought into memory first; then this is to be called again.
    pub fn scrub(&mut self) -> Result<Scrubbed, Cold> {
        let mut step = core::mem::take(&mut self.scrub.step);
        for _ in 0..SCRUB_LOOKS_MAX {
            if step.is_full(1) || step.round_ended {
                break;
            }
            match self.scrub_on(&mut step) {
                Ok(true) => {}
                Ok(false) => break,
                Err(cold) => {
                    self.scrub.step = step;
                    return Err(cold);
                }
            }
        }
        self.scrub.bytes = step.bytes;
        Ok(Scrubbed { bytes: step.bytes, round_ended: step.round_ended })
    }

    /// Damaged letters that have been found since the last call.
    pub fn take_damaged_letters(&mut self) -> Vec<DamagedLetter> {
        core::mem::take(&mut self.scrub.untold)
    }

    /// Letters that scrubbing found damaged since the mount and that are still there; the first
    /// [`DAMAGED_LETTERS_NAMED`].
    pub fn damaged_letters(&self) -> impl Iterator<Item = &DamagedLetter> {
        self.scrub.named.iter().filter(|(known, _)| self.is_there(*known)).map(|(_, letter)| letter)
    }

    /// How many letters scrubbing found damaged since the mount and are still there; it counts to
    /// [`DAMAGED_LETTERS_MAX`].
    pub(crate) fn damaged_letter_count(&self) -> u64 {
        self.scrub.known.iter().filter(|known| self.is_there(**known)).count() as u64
    }

    /// Whether some mailbox shows it: what is listed as deleted alone is nobody's worry.
    fn is_there(&self, (slot, commit): Known) -> bool {
        let letter =
            self.state.letters.get(slot).filter(|_| self.state.letters.references(slot).messages > 0);
        letter.is_some_and(|letter| self.commit_mark(&letter) == commit)
    }

    // ---- One thing after the other -----------------------------------------------------------------------------

    /// Reads what comes next, or finds out that nothing does here. Says whether the step goes on.
    fn scrub_on(&mut self, step: &mut Step) -> Result<bool, Cold> {
        let place = self.scrub.place;
        let (home, next) = match place.part {
            Part::Letters if (place.at as usize) < self.state.letters.slots() => {
                return self.scrub_letter(place, step);
            }
            Part::Letters => (None, place.next_part()),
            Part::LetterPages => match self.state.letters.pages().get(place.at as usize) {
                Some(page) => (home_of(page, place.done), place.next_home()),
                None => (None, place.next_part()),
            },
            Part::EntryPages => self.next_entry_page(place),
            Part::DeletionPages => self.next_deletion_page(place),
            Part::Tables => match self.checkpoints.tables().get(place.at as usize) {
                Some(home) => (Some(*home), place.next_at()),
                None => {
                    step.round_ended = true;
                    self.forget_gone_letters();
                    (None, place.next_part())
                }
            },
        };
        if let Some(home) = home {
            if step.is_full(home.span) {
                return Ok(false);
            }
            self.scrub_home(home, place.part, step)?;
        }
        self.scrub.place = next;
        Ok(true)
    }

    /// The page of a mailbox that comes next, if it stands on flash, and the place behind it.
    fn next_entry_page(&self, place: ScrubPlace) -> (Option<Home>, ScrubPlace) {
        let Some((id, mailbox)) = self.state.mailboxes.range(place.at..).next() else {
            return (None, place.next_part());
        };
        let here = if *id == place.at { place } else { ScrubPlace { at: *id, done: 0, ..place } };
        match mailbox.entries.pages().get((here.done / HOMES) as usize) {
            Some(page) => {
                let next = ScrubPlace { done: here.done + 1, ..here };
                (home_of(page, here.done % HOMES), next)
            }
            None => (None, here.next_at()),
        }
    }

    /// The same for the page of deletions that comes next.
    fn next_deletion_page(&self, place: ScrubPlace) -> (Option<Home>, ScrubPlace) {
        let pages = self.state.deletions.pages();
        let next = pages.partition_point(|page| page.get().number() < place.at.into());
        // No flash lives long enough for numbers that do not fit.
        let numbered =
            pages.get(next).and_then(|page| Some((page, u32::try_from(page.get().number()).ok()?)));
        let Some((page, at)) = numbered.filter(|(_, at)| *at < u32::MAX) else {
            return (None, place.next_part());
        };
        let here = if at == place.at { place } else { ScrubPlace { at, done: 0, ..place } };
        (home_of(page, here.done), here.next_home())
    }

    /// Reads a page, a table or a root. What is damaged is still in memory: the next checkpoint writes it elsewhere.
    fn scrub_home(&mut self, home: Home, part: Part, step: &mut Step) -> Result<(), Cold> {
        let wanted: &[u8] = if part == Part::Tables { &[kind::TABLE, kind::ROOT] } else { &[kind::PAGE] };
        let whole = self.home_verifies(home, wanted)?;
        step.read(home.span);
        if whole {
            return Ok(());
        }
        self.found_damage(Mark { seq: self.segments.seq(home.segment), offset: home.offset });
        self.state.soil(&mut self.segments, home.segment);
        if self.refuse_changes().is_ok() {
            self.checkpoints.wanted = true;
            self.life.wanted = true;
        }
        Ok(())
    }

    /// Whether what stands at a home is a whole frame of a kind that is wanted.
    fn home_verifies(&mut self, home: Home, wanted: &[u8]) -> Result<bool, Cold> {
        let (address, seq) = (self.layout.address(home.place()), self.segments.seq(home.segment));
        let mut bytes = Vec::new();
        match read_into(&mut self.queue, address, home.span as usize, &mut bytes) {
            Ok(()) => {}
            Err(Miss::Cold(cold)) => return Err(cold),
            Err(Miss::Bad) => return Ok(false),
        }
        let frame = Frame::parse(&bytes).filter(|frame| wanted.contains(&frame.kind));
        let whole = frame.and_then(|frame| bytes.get(..frame.bytes()));
        Ok(whole.is_some_and(|whole| verifies(self.layout.seed(seq), home.offset, whole)))
    }

    /// Reads a letter: its commit, and of its extents those that are not done, as many as a step takes.
    fn scrub_letter(&mut self, place: ScrubPlace, step: &mut Step) -> Result<bool, Cold> {
        let Some(letter) = self.state.letters.get(place.at) else {
            self.scrub.place = place.next_at();
            return Ok(true);
        };
        let mark = self.commit_mark(&letter);
        if step.is_full(letter.meta_bytes) {
            return Ok(false);
        }
        let commit = self.scrub_commit(&letter, mark)?;
        step.bytes += commit.as_ref().map_or(letter.meta_bytes, |commit| commit.len() as u32);
        let Some(view) = commit.as_deref().and_then(CommitView::of_frame) else {
            self.found_damage(mark);
            self.found_letter((place.at, mark), LetterFault::Commit);
            step.things += 1;
            self.scrub.place = place.next_at();
            return Ok(true);
        };
        let mut bytes = Vec::new();
        let mut offset = view.commit.head.0.len() as u64;
        for (number, extent) in (0_u32..).zip(view.extents()) {
            let begins = offset;
            offset += u64::from(extent.original);
            if number < place.done {
                continue;
            }
            self.scrub.place.done = number;
            if step.is_full(extent.span()) {
                return Ok(false);
            }
            match read_extent(&mut self.queue, &self.layout, &self.segments, extent, &mut bytes) {
                Ok(()) => {}
                Err(Miss::Cold(cold)) => return Err(cold),
                Err(Miss::Bad) => {
                    self.found_damage(Mark { seq: extent.seq, offset: extent.offset });
                    self.found_letter((place.at, mark), LetterFault::Body(begins));
                }
            }
            step.read(extent.span());
        }
        step.things += 1;
        self.scrub.place = place.next_at();
        Ok(true)
    }

    /// Reads the commit of a letter: frame and payload; `None` when it does not verify.
    fn scrub_commit(&mut self, letter: &Letter, mark: Mark) -> Result<Option<Vec<u8>>, Cold> {
        let address = self.layout.address(letter.place);
        let rest = self.layout.segment_bytes.saturating_sub(letter.place.offset) as usize;
        let mut bytes = Vec::new();
        let mut len = (letter.meta_bytes as usize).clamp(FRAME_BYTES, rest.max(FRAME_BYTES));
        // Most are as long as the index says; long ones say it themselves.
        for _ in 0..2 {
            match read_into(&mut self.queue, address, len, &mut bytes) {
                Ok(()) => {}
                Err(Miss::Cold(cold)) => return Err(cold),
                Err(Miss::Bad) => return Ok(None),
            }
            let Some(frame) = Frame::parse(&bytes).filter(|frame| frame.bytes() <= rest) else {
                return Ok(None);
            };
            if frame.bytes() <= len {
                bytes.truncate(frame.bytes());
                let whole = verifies(self.layout.seed(mark.seq), mark.offset, &bytes);
                return Ok(whole.then_some(bytes));
            }
            len = frame.bytes();
        }
        Ok(None)
    }

    // ---- What was found ----------------------------------------------------------------------------------------

    /// A place is damaged: what else lives in its segment moves while it can be read, and the segment is not used again.
    /// Not where that would take much of the device away: then it is the whole device that is at its end.
    fn found_damage(&mut self, at: Mark) {
        self.damage.note(at);
        let Some(segment) = self.segments.find(at.seq) else { return };
        let bodies = Stream::ALL.map(|stream| self.log.bodies.of(stream).as_ref().map(|body| body.segment));
        let meta = self.log.meta.map(|head| head.segment);
        let is_open = meta == Some(segment) || bodies.contains(&Some(segment));
        let few = self.segments.retired_count() < self.layout.segments / SCRUB_RETIRED_DIVISOR;
        if few && !is_open && self.refuse_changes().is_ok() {
            self.retire(segment);
            self.gather_retired();
        }
    }

    /// A letter is damaged. The first ones are looked up by name, which takes looking through all mailboxes.
    fn found_letter(&mut self, found: Known, fault: LetterFault) {
        if self.scrub.known.contains(&found) || self.scrub.known.len() >= DAMAGED_LETTERS_MAX {
            return;
        }
        self.scrub.known.push(found);
        if self.scrub.named.len() < DAMAGED_LETTERS_NAMED
            && let Some(letter) = self.name_letter(found.0, fault)
        {
            self.scrub.untold.push(letter.clone());
            self.scrub.named.push((found, letter));
        }
    }

    /// Forgets damaged letters that have been expunged since.
    fn forget_gone_letters(&mut self) {
        let Self { scrub, state, segments, .. } = self;
        let is_there = |(slot, commit): Known| {
            let letter = state.letters.get(slot);
            letter.is_some_and(|letter| {
                (segments.seq(letter.place.segment), letter.place.offset) == (commit.seq, commit.offset)
            })
        };
        scrub.known.retain(|known| is_there(*known));
        scrub.named.retain(|(known, _)| is_there(*known));
    }

    fn name_letter(&self, slot: u32, fault: LetterFault) -> Option<DamagedLetter> {
        let mut shown = self.state.mailboxes.values().filter_map(|mailbox| {
            let entry = mailbox.entries.iter().find(|entry| entry.letter == slot)?;
            let account = self.state.accounts.get(&mailbox.account);
            Some(DamagedLetter {
                account: account.map(|account| account.address.to_string()),
                mailbox: mailbox.name.to_string(),
                uid: entry.uid,
                fault,
            })
        });
        let first = shown.next()?;
        // Who has it in a mailbox knows it better than the queue does.
        if first.account.is_some() { Some(first) } else { Some(shown.next().unwrap_or(first)) }
    }
}

/// One of the places where a page stands, unless the next checkpoint writes it anew anyway.
fn home_of<T: Clone>(page: &Page<T>, which: u32) -> Option<Home> {
    page.homes().nth(which as usize).filter(|_| !page.is_dirty())
}
