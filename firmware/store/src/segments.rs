//! The table of segments: which is free, what the others are, how often each was erased, and how much lives in them.

use alloc::vec;
use alloc::vec::Vec;

use crate::format::header::{Head, Stream};
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
    /// Nothing on it counts, and it is never used again.
    Retired,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    seq: u32,
    erases: u32,
    /// Bytes of what is needed: bodies of letters in a body segment, commits and pages in a metadata segment.
    live: u32,
    /// How many such things there are. They are counted, because bytes may be off by a rounding some day, and a segment
    /// must not be erased for that.
    holders: u32,
    used: Use,
    /// It is never opened again once nothing on it counts.
    retired: bool,
}

/// The table. 20 bytes of memory for each segment, 8 more for each that is in use.
#[derive(Debug)]
pub(crate) struct Segments {
    table: Vec<Segment>,
    /// Segments in use by sequence number: (sequence number, index), ascending.
    by_seq: Vec<(u32, u32)>,
    free: u32,
    retired: u32,
}

impl Segments {
    pub(crate) fn new(count: u32) -> Self {
        let empty = Segment { seq: 0, erases: 0, live: 0, holders: 0, used: Use::Free, retired: false };
        let mut table = vec![empty; count as usize];
        for anchor in table.iter_mut().take(ANCHOR_SEGMENTS as usize) {
            anchor.used = Use::Anchor;
        }
        Self { table, by_seq: Vec::new(), free: count.saturating_sub(ANCHOR_SEGMENTS), retired: 0 }
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

    /// How often each segment has been erased, the anchors' included.
    pub(crate) fn all_erases(&self) -> impl ExactSizeIterator<Item = u32> + '_ {
        self.table.iter().map(|segment| segment.erases)
    }

    /// Notes how often a segment has been erased at least.
    pub(crate) fn saw_erases(&mut self, index: u32, erases: u32) {
        if let Some(segment) = self.table.get_mut(index as usize) {
            segment.erases = segment.erases.max(erases);
        }
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

    /// Segments of one head, by sequence number: (sequence number, index).
    pub(crate) fn of(&self, head: Head) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.by_seq.iter().copied().filter(move |(_, index)| self.used(*index) == Use::Log(head))
    }

    /// Notes that a segment is not to be used again; what lives in it stays. Says whether that is new.
    pub(crate) fn retire(&mut self, index: u32) -> bool {
        let Some(segment) = self.table.get_mut(index as usize).filter(|segment| !segment.retired) else {
            return false;
        };
        match segment.used {
            Use::Anchor | Use::Retired => return false,
            Use::Log(_) => {}
            Use::Free => {
                segment.used = Use::Retired;
                self.free -= 1;
            }
        }
        segment.retired = true;
        self.retired += 1;
        true
    }

    /// Whether a segment is not to be used again.
    pub(crate) fn is_retired(&self, index: u32) -> bool {
        self.table.get(index as usize).is_some_and(|segment| segment.retired)
    }

    /// How many segments are not to be used again.
    pub(crate) const fn retired_count(&self) -> u32 {
        self.retired
    }

    /// The segments that are not to be used again.
    pub(crate) fn retired(&self) -> impl Iterator<Item = u32> + '_ {
        (0..).zip(&self.table).filter(|(_, segment)| segment.retired).map(|(index, _)| index)
    }

    /// Notes that a free segment is now part of a log, or, at a mount, one that was retired while it was. `erases` is its count with the erase that this took.
    pub(crate) fn open(&mut self, index: u32, head: Head, seq: u32, erases: u32) {
        let Some(segment) = self.table.get_mut(index as usize) else { return };
        match segment.used {
            Use::Free => self.free -= 1,
            Use::Retired => {}
            Use::Anchor | Use::Log(_) => return,
        }
        let erases = erases.max(segment.erases);
        *segment = Segment { seq, erases, live: 0, holders: 0, used: Use::Log(head), ..*segment };
        let at = self.by_seq.partition_point(|entry| entry.0 < seq);
        self.by_seq.insert(at, (seq, index));
    }

    /// Notes that nothing on a segment counts any more.
    pub(crate) fn release(&mut self, index: u32) {
        let Some(segment) = self.table.get_mut(index as usize) else { return };
        if matches!(segment.used, Use::Log(_)) {
            segment.used = if segment.retired { Use::Retired } else { Use::Free };
            (segment.live, segment.holders) = (0, 0);
            self.free += u32::from(!segment.retired);
            self.by_seq.retain(|entry| entry.1 != index);
        }
    }

    /// A free segment for a head: the one that was erased least; for what will stay long, the one that was erased most,
    /// so that it rests.
    pub(crate) fn choose(&self, head: Head) -> Option<u32> {
        let free = self.table.iter().enumerate().filter(|(_, segment)| segment.used == Use::Free);
        let stays = matches!(head, Head::Body(Stream::Cold | Stream::Commits));
        let key = |erases: u32| if stays { u32::MAX - erases } else { erases };
        free.min_by_key(|(_, segment)| key(segment.erases)).map(|(index, _)| index as u32)
    }

    /// Segments of one head below sequence number `floor` in which nothing lives and that can be used again, oldest
    /// first.
    pub(crate) fn dead(&self, head: Head, floor: u32) -> impl Iterator<Item = u32> + '_ {
        let old = self.by_seq.iter().take_while(move |entry| entry.0 < floor).map(|entry| entry.1);
        old.filter(move |index| {
            let segment = self.table.get(*index as usize);
            let dead = |segment: &Segment| segment.used == Use::Log(head) && segment.holders == 0;
            segment.is_some_and(|segment| dead(segment) && !segment.retired)
        })
    }

    /// Counts `bytes` that are needed into segment `index`.
    pub(crate) fn keep(&mut self, index: u32, bytes: u32) {
        if let Some(segment) = self.table.get_mut(index as usize) {
            segment.live = segment.live.saturating_add(bytes);
            segment.holders = segment.holders.saturating_add(1);
        }
    }

    /// Counts `bytes` that are not needed any more out of segment `index`.
    pub(crate) fn let_go(&mut self, index: u32, bytes: u32) {
        if let Some(segment) = self.table.get_mut(index as usize) {
            segment.live = segment.live.saturating_sub(bytes);
            segment.holders = segment.holders.saturating_sub(1);
        }
    }

    /// Whether nothing in segment `index` is needed.
    pub(crate) fn is_dead(&self, index: u32) -> bool {
        self.table.get(index as usize).is_none_or(|segment| segment.holders == 0)
    }

    /// How many things in segment `index` are needed.
    pub(crate) fn holders(&self, index: u32) -> u32 {
        self.table.get(index as usize).map_or(0, |segment| segment.holders)
    }

    /// Bytes needed of segment `index`, about.
    pub(crate) fn live(&self, index: u32) -> u32 {
        self.table.get(index as usize).map_or(0, |segment| segment.live)
    }
}
