//! Pages of the index as a checkpoint writes them: rows of numbers, each against the row before it.

use alloc::vec::Vec;

use super::code::{put_difference, put_number, take_difference, take_number};
use super::{ALIGN_U32, Mark};

/// Which page a record holds, by the checkpoint that wrote it. The rows follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageHead {
    /// Number of the checkpoint, and of the page in it.
    pub(crate) checkpoint: u64,
    pub(crate) number: u32,
    pub(crate) kind: PageKind,
    pub(crate) rows: u32,
}

/// What the rows of a page are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageKind {
    Entries,
    Letters,
    Deletions,
}

/// A message in its mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EntryRow {
    pub(crate) uid: u32,
    pub(crate) letter: u32,
    pub(crate) flags: u64,
    pub(crate) modseq: u64,
}

/// A letter in its slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LetterRow {
    /// Where its commit stands.
    pub(crate) place: Mark,
    pub(crate) meta_bytes: u32,
    pub(crate) size: u32,
    pub(crate) received: i64,
    pub(crate) zone: i16,
    /// The segments of its body: sequence number, and bytes. More than [`PARTS_MAX`] are not written: the commit has
    /// them.
    pub(crate) parts: Parts,
}

/// A deletion in the place of its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeletionRow {
    pub(crate) account: u32,
    pub(crate) mailbox: u32,
    pub(crate) letter: u32,
    pub(crate) flags: u64,
    pub(crate) time: u32,
}

/// What the row of a deletion begins with; 0 is a number that is not listed.
mod origin {
    /// Account and mailbox are those of the row before.
    pub(super) const SAME: u64 = 1;
    /// They follow.
    pub(super) const OTHER: u64 = 2;
}

/// See [`LetterRow::parts`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Parts {
    These(Vec<(u32, u32)>),
    AskCommit,
}

/// Segments of a body that a row has room for; a page of 256 such letters is still a record.
const PARTS_MAX: usize = 32;

impl Default for Parts {
    fn default() -> Self {
        Self::These(Vec::new())
    }
}

impl Parts {
    /// These, unless they are too many.
    pub(crate) fn new(parts: Vec<(u32, u32)>) -> Self {
        if parts.len() > PARTS_MAX { Self::AskCommit } else { Self::These(parts) }
    }

    fn these(&self) -> &[(u32, u32)] {
        match self {
            Self::These(parts) => parts,
            Self::AskCommit => &[],
        }
    }

    /// What a row begins with; 0 is a vacant slot.
    fn tag(&self) -> u64 {
        match self {
            Self::These(parts) => parts.len() as u64 + 1,
            Self::AskCommit => PARTS_MAX as u64 + 2,
        }
    }
}

impl PageHead {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        let kind = match self.kind {
            PageKind::Entries => 1,
            PageKind::Letters => 2,
            PageKind::Deletions => 3,
        };
        for number in [self.checkpoint, self.number.into(), kind, self.rows.into()] {
            put_number(out, number);
        }
    }

    pub(crate) fn take(bytes: &mut &[u8]) -> Option<Self> {
        let checkpoint = take_number(bytes)?;
        let number = take_number(bytes)?.try_into().ok()?;
        let kind = match take_number(bytes)? {
            1 => PageKind::Entries,
            2 => PageKind::Letters,
            3 => PageKind::Deletions,
            _ => return None,
        };
        let rows = take_number(bytes)?.try_into().ok()?;
        Some(Self { checkpoint, number, kind, rows })
    }
}

impl EntryRow {
    pub(crate) fn put(&self, out: &mut Vec<u8>, before: &Self) {
        put_number(out, self.uid.wrapping_sub(before.uid).into());
        put_difference(out, self.letter.into(), before.letter.into());
        put_number(out, self.flags);
        put_difference(out, self.modseq, before.modseq);
    }

    pub(crate) fn take(bytes: &mut &[u8], before: &Self) -> Option<Self> {
        Some(Self {
            uid: before.uid.checked_add(take_number(bytes)?.try_into().ok()?)?,
            letter: take_difference(bytes, before.letter.into())?.try_into().ok()?,
            flags: take_number(bytes)?,
            modseq: take_difference(bytes, before.modseq)?,
        })
    }
}

impl DeletionRow {
    /// Appends the row; `before` is the last one that is listed.
    pub(crate) fn put(&self, out: &mut Vec<u8>, before: &Self) {
        if (self.account, self.mailbox) == (before.account, before.mailbox) {
            put_number(out, origin::SAME);
        } else {
            put_number(out, origin::OTHER);
            put_difference(out, self.account.into(), before.account.into());
            put_difference(out, self.mailbox.into(), before.mailbox.into());
        }
        put_difference(out, self.letter.into(), before.letter.into());
        put_number(out, self.flags);
        put_difference(out, self.time.into(), before.time.into());
    }

    /// Appends what stands for a number that is not listed.
    pub(crate) fn put_vacant(out: &mut Vec<u8>) {
        put_number(out, 0);
    }

    /// Reads a row: `Some(None)` for a number that is not listed, `None` when there is no row.
    pub(crate) fn take(bytes: &mut &[u8], before: &Self) -> Option<Option<Self>> {
        let mut row = *before;
        match take_number(bytes)? {
            0 => return Some(None),
            origin::SAME => {}
            origin::OTHER => {
                row.account = take_difference(bytes, before.account.into())?.try_into().ok()?;
                row.mailbox = take_difference(bytes, before.mailbox.into())?.try_into().ok()?;
            }
            _ => return None,
        }
        row.letter = take_difference(bytes, before.letter.into())?.try_into().ok()?;
        row.flags = take_number(bytes)?;
        row.time = take_difference(bytes, before.time.into())?.try_into().ok()?;
        Some(Some(row))
    }
}

impl LetterRow {
    /// Appends the row; `before` is the last one that was not vacant.
    pub(crate) fn put(&self, out: &mut Vec<u8>, before: &Self) {
        put_number(out, self.parts.tag());
        put_difference(out, self.place.seq.into(), before.place.seq.into());
        let steps = |offset: u32| u64::from(offset / ALIGN_U32);
        put_difference(out, steps(self.place.offset), steps(before.place.offset));
        put_number(out, self.meta_bytes.into());
        put_number(out, self.size.into());
        put_difference(out, self.received.cast_unsigned(), before.received.cast_unsigned());
        put_difference(out, signed(self.zone), signed(before.zone));
        let mut last = before.parts.these().last().map_or(0, |part| part.0);
        for (seq, bytes) in self.parts.these() {
            put_difference(out, (*seq).into(), last.into());
            put_number(out, (*bytes).into());
            last = *seq;
        }
    }

    /// Appends what stands for a slot without a letter.
    pub(crate) fn put_vacant(out: &mut Vec<u8>) {
        put_number(out, 0);
    }

    /// Reads a row: `Some(None)` for a vacant slot, `None` when there is no row.
    pub(crate) fn take(bytes: &mut &[u8], before: &Self) -> Option<Option<Self>> {
        let Some(parts) = take_number(bytes)?.checked_sub(1) else { return Some(None) };
        let seq = take_difference(bytes, before.place.seq.into())?.try_into().ok()?;
        let steps = take_difference(bytes, (before.place.offset / ALIGN_U32).into())?;
        let offset = u32::try_from(steps).ok()?.checked_mul(ALIGN_U32)?;
        let mut row = Self {
            place: Mark { seq, offset },
            meta_bytes: take_number(bytes)?.try_into().ok()?,
            size: take_number(bytes)?.try_into().ok()?,
            received: take_difference(bytes, before.received.cast_unsigned())?.cast_signed(),
            zone: take_difference(bytes, signed(before.zone))?.cast_signed().try_into().ok()?,
            parts: Parts::AskCommit,
        };
        if parts <= PARTS_MAX as u64 {
            let mut these = Vec::new();
            let mut last = before.parts.these().last().map_or(0, |part| part.0);
            for _ in 0..parts {
                last = take_difference(bytes, last.into())?.try_into().ok()?;
                these.push((last, take_number(bytes)?.try_into().ok()?));
            }
            row.parts = Parts::These(these);
        }
        Some(Some(row))
    }
}

fn signed(number: i16) -> u64 {
    i64::from(number).cast_unsigned()
}
