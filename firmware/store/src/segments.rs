//! The table of segments: which is free, what the others are, how often each was erased, and what lives in them.

use alloc::vec;
use alloc::vec::Vec;

use crate::format::header::Head;
use crate::layout::ANCHOR_SEGMENTS;

/// What a segment is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Nothing on it counts.
    Free,
    /// It belongs to a log.
    Log(Head),
    /// It holds anchors.
    Anchor,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    seq: u32,
    erases: u32,
    /// Letters that have something in it: the commit in a metadata segment, body in a body segment.
    live: u32,
    used: Use,
}

/// The table. 16 bytes of memory for each segment, 8 more for each that is in use.
#[derive(Debug)]
pub(crate) struct Segments {
    table: Vec<Segment>,
    /// Segments in use by sequence number: (sequence number, index), ascending.
    by_seq: Vec<(u32, u32)>,
    free: u32,
}

impl Segments {
    pub(crate) fn new(count: u32) -> Self {
        let empty = Segment { seq: 0, erases: 0, live: 0, used: Use::Free };
        let mut table = vec![empty; count as usize];
        for anchor in table.iter_mut().take(ANCHOR_SEGMENTS as usize) {
            anchor.used = Use::Anchor;
        }
        Self { table, by_seq: Vec::new(), free: count.saturating_sub(ANCHOR_SEGMENTS) }
    }

    /// What segment `index` is used for; anchors beyond the end, so that nothing takes them.
    pub(crate) fn used(&self, index: u32) -> Use {
        self.table.get(index as usize).map_or(Use::Anchor, |segment| segment.used)
    }

    /// Sequence number of a segment in use.
    pub(crate) fn seq(&self, index: u32) -> u32 {
        self.table.get(index as usize).map_or(0, |segment| segment.seq)
    }

    /// Segments on which nothing counts.
    pub(crate) const fn free(&self) -> u32 {
        self.free
    }

    /// How often a segment has been erased, as far as is known.
    pub(crate) fn erases(&self, index: u32) -> u32 {
        self.table.get(index as usize).map_or(0, |segment| segment.erases)
    }

    /// The segment with a sequence number.
    pub(crate) fn find(&self, seq: u32) -> Option<u32> {
        let at = self.by_seq.binary_search_by_key(&seq, |entry| entry.0).ok()?;
        self.by_seq.get(at).map(|entry| entry.1)
    }

    /// Segments in use, by sequence number: (sequence number, index).
    pub(crate) fn in_use(&self) -> &[(u32, u32)] {
        &self.by_seq
    }

    /// Notes that a free segment is now part of a log. `erases` is its count with the erase that this took.
    pub(crate) fn open(&mut self, index: u32, head: Head, seq: u32, erases: u32) {
        let Some(segment) = self.table.get_mut(index as usize).filter(|segment| segment.used == Use::Free)
        else {
            return;
        };
        *segment = Segment { seq, erases, live: 0, used: Use::Log(head) };
        self.free -= 1;
        let at = self.by_seq.partition_point(|entry| entry.0 < seq);
        self.by_seq.insert(at, (seq, index));
    }

    /// Notes that nothing on a segment counts any more.
    pub(crate) fn release(&mut self, index: u32) {
        let Some(segment) = self.table.get_mut(index as usize) else { return };
        if matches!(segment.used, Use::Log(_)) {
            segment.used = Use::Free;
            segment.live = 0;
            self.free += 1;
            self.by_seq.retain(|entry| entry.1 != index);
        }
    }

    /// The free segment that was erased least.
    pub(crate) fn least_worn(&self) -> Option<u32> {
        let free = self.table.iter().enumerate().filter(|(_, segment)| segment.used == Use::Free);
        free.min_by_key(|(_, segment)| segment.erases).map(|(index, _)| index as u32)
    }

    /// Body segments below sequence number `floor` in which nothing lives, oldest first.
    pub(crate) fn dead_bodies(&self, floor: u32) -> impl Iterator<Item = u32> + '_ {
        let old = self.by_seq.iter().take_while(move |entry| entry.0 < floor).map(|entry| entry.1);
        old.filter(|index| {
            let segment = self.table.get(*index as usize);
            segment.is_some_and(|segment| segment.used == Use::Log(Head::Body) && segment.live == 0)
        })
    }

    /// The body segments from sequence number `first` to `last` as (index of the first, how many follow it).
    /// `None` when one of the two is gone.
    pub(crate) fn span(&self, first: u32, last: u32) -> Option<(u32, u32)> {
        let from = self.by_seq.binary_search_by_key(&first, |entry| entry.0).ok()?;
        let to = self.by_seq.binary_search_by_key(&last, |entry| entry.0).ok()?;
        let run = self.by_seq.get(from..=to)?;
        let bodies = run.iter().filter(|entry| self.used(entry.1) == Use::Log(Head::Body)).count();
        Some((run.first()?.1, bodies.saturating_sub(1) as u32))
    }

    /// Counts a letter in (`+1`) or out (`-1`) of the metadata segment `index`.
    pub(crate) fn count_meta(&mut self, index: u32, change: i32) {
        if let Some(segment) = self.table.get_mut(index as usize) {
            segment.live = segment.live.saturating_add_signed(change);
        }
    }

    /// Counts a letter in or out of body segment `first` and the `more` body segments behind it. None of them can be
    /// reused while it counts, so they are the same when it is counted out.
    pub(crate) fn count_body(&mut self, first: u32, more: u32, change: i32) {
        self.count_meta(first, change);
        if more == 0 {
            return;
        }
        let seq = self.seq(first);
        let from = self.by_seq.partition_point(|entry| entry.0 <= seq);
        let behind = self.by_seq.get(from..).unwrap_or_default();
        let table = &mut self.table;
        let mut left = more;
        for (_, index) in behind {
            let Some(segment) = table.get_mut(*index as usize) else { continue };
            if left > 0 && segment.used == Use::Log(Head::Body) {
                segment.live = segment.live.saturating_add_signed(change);
                left -= 1;
            }
        }
    }

    /// Whether segment `index` is among body segment `first` and the `more` behind it.
    pub(crate) fn reaches(&self, first: u32, more: u32, index: u32) -> bool {
        if first == index || more == 0 {
            return first == index;
        }
        let from = self.by_seq.partition_point(|entry| entry.0 <= self.seq(first));
        let behind = self.by_seq.get(from..).unwrap_or_default().iter().map(|entry| entry.1);
        behind
            .filter(|other| self.used(*other) == Use::Log(Head::Body))
            .take(more as usize)
            .any(|other| other == index)
    }

    /// Letters that have something in segment `index`.
    #[cfg(test)]
    pub(crate) fn live(&self, index: u32) -> u32 {
        self.table.get(index as usize).map_or(0, |segment| segment.live)
    }
}
