//! The messages of one mailbox, sorted by UID: 16 bytes each, in chunks, so that no mailbox is ever moved as a whole.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use mail::{Flags, Modseq, Uid};

/// Entries of a chunk. 4 KiB: inserting happens at the end only, removing moves at most this much.
const CHUNK: usize = 256;

/// Flags that an entry holds itself; the rest stands in [`Entries::rare`].
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

/// The messages of a mailbox.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    chunks: Vec<Vec<Packed>>,
    /// Greatest UID of each chunk, or more where it has been removed since [`tidy`](Self::tidy).
    lasts: Vec<u32>,
    /// Greatest MODSEQ in each chunk, so that what has changed is found without looking at what has not: 8 bytes for
    /// 256 messages. Never less than that; more only where a message has got a smaller one.
    newest: Vec<Modseq>,
    len: u32,
    /// All flags of the messages that have more than fit their entries.
    rare: BTreeMap<u32, u64>,
}

impl Entries {
    pub(crate) const fn len(&self) -> u32 {
        self.len
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
        let packed = Packed { uid, letter: entry.letter, state: 0 };
        match (self.chunks.last_mut(), self.lasts.last_mut(), self.newest.last_mut()) {
            (Some(chunk), Some(last), Some(newest)) if chunk.len() < CHUNK => {
                chunk.push(packed);
                *last = uid;
                *newest = entry.modseq.max(*newest);
            }
            _ => {
                let mut chunk = Vec::with_capacity(if self.chunks.is_empty() { 4 } else { CHUNK });
                chunk.push(packed);
                self.chunks.push(chunk);
                self.lasts.push(uid);
                self.newest.push(entry.modseq);
            }
        }
        self.len += 1;
        let state = self.pack(uid, entry.flags, entry.modseq);
        if let Some(packed) = self.chunks.last_mut().and_then(|chunk| chunk.last_mut()) {
            packed.state = state;
        }
        true
    }

    /// The message with this UID.
    pub(crate) fn get(&self, uid: Uid) -> Option<Entry> {
        self.at_or_after(uid).filter(|entry| entry.uid == uid)
    }

    /// The message with the smallest UID that is at least `uid`.
    pub(crate) fn at_or_after(&self, uid: Uid) -> Option<Entry> {
        let mut chunks = self.chunks.get(self.chunk_of(uid.0)..)?.iter();
        let found = chunks.find_map(|chunk| chunk.get(chunk.partition_point(|packed| packed.uid < uid.0)))?;
        Some(self.unpack(*found))
    }

    /// The message with the smallest UID that is at least `uid` and whose MODSEQ is greater than `since`.
    pub(crate) fn next_changed(&self, since: Modseq, uid: Uid) -> Option<Entry> {
        let from = self.chunk_of(uid.0);
        let chunks = self.chunks.iter().zip(&self.newest).skip(from);
        let mut changed = chunks.filter(|(_, newest)| **newest > since);
        let found = changed.find_map(|(chunk, _)| {
            let start = chunk.partition_point(|packed| packed.uid < uid.0);
            chunk.get(start..)?.iter().find(|packed| modseq_of(packed) > since)
        })?;
        Some(self.unpack(*found))
    }

    /// All messages in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Entry> + '_ {
        self.chunks.iter().flatten().map(|packed| self.unpack(*packed))
    }

    /// The UIDs from `first` on, in order.
    pub(crate) fn uids(&self, first: Uid) -> impl Iterator<Item = u32> + '_ {
        let chunks = self.chunks.get(self.chunk_of(first.0)..).unwrap_or_default();
        let skip = chunks.first().map_or(0, |chunk| chunk.partition_point(|packed| packed.uid < first.0));
        chunks.iter().flatten().skip(skip).map(|packed| packed.uid)
    }

    /// The messages from `first` to `last`.
    pub(crate) fn range(&self, first: Uid, last: Uid) -> impl Iterator<Item = Entry> + '_ {
        let chunks = self.chunks.get(self.chunk_of(first.0)..).unwrap_or_default();
        let skip = chunks.first().map_or(0, |chunk| chunk.partition_point(|packed| packed.uid < first.0));
        let entries = chunks.iter().flatten().skip(skip);
        entries.take_while(move |packed| packed.uid <= last.0).map(|packed| self.unpack(*packed))
    }

    /// Changes the flags of the messages from `first` to `last`; those that really change get `modseq`.
    pub(crate) fn set_flags(
        &mut self,
        (first, last): (Uid, Uid),
        (add, remove): (Flags, Flags),
        modseq: Modseq,
        tally: &mut Tally,
    ) {
        let from = self.chunk_of(first.0);
        let plain = add.with(remove).0 & !INLINE == 0;
        let rare = &mut self.rare;
        for (chunk, newest) in self.chunks.iter_mut().zip(&mut self.newest).skip(from) {
            let start = chunk.partition_point(|packed| packed.uid < first.0);
            for packed in chunk.get_mut(start..).unwrap_or_default() {
                if packed.uid > last.0 {
                    return;
                }
                let old = flags_of(*packed, rare);
                let new = old.without(remove).with(add);
                if new == old {
                    continue;
                }
                let low =
                    if plain && packed.state & MORE == 0 { new.0 } else { low_flags(rare, packed.uid, new) };
                packed.state = (modseq.0 << MODSEQ_SHIFT) | low;
                *newest = modseq.max(*newest);
                tally.note(old, new);
            }
        }
    }

    /// Removes the messages from `first` to `last`, telling `gone` of each.
    pub(crate) fn remove(&mut self, first: Uid, last: Uid, mut gone: impl FnMut(Entry)) {
        let from = self.chunk_of(first.0);
        let rare = &mut self.rare;
        let mut removed = 0;
        for (chunk, newest) in self.chunks.iter_mut().zip(&mut self.newest).skip(from) {
            if chunk.first().is_some_and(|packed| packed.uid > last.0) {
                break;
            }
            let before = chunk.len();
            chunk.retain(|packed| {
                let stays = packed.uid < first.0 || packed.uid > last.0;
                if !stays {
                    gone(entry_of(*packed, flags_of(*packed, rare)));
                    if packed.state & MORE != 0 {
                        rare.remove(&packed.uid);
                    }
                }
                stays
            });
            if chunk.len() < before {
                *newest = newest_of(chunk);
                removed += before - chunk.len();
            }
        }
        self.len -= removed as u32;
    }

    /// Drops empty chunks and joins small neighbours; to be called after removals.
    pub(crate) fn tidy(&mut self) {
        let mut kept: Vec<Vec<Packed>> = Vec::with_capacity(self.chunks.len());
        let mut newest: Vec<Modseq> = Vec::with_capacity(self.newest.len());
        for (mut chunk, modseq) in core::mem::take(&mut self.chunks).into_iter().zip(&self.newest) {
            match (kept.last_mut(), newest.last_mut()) {
                (Some(before), Some(newest)) if before.len() + chunk.len() <= CHUNK / 2 => {
                    before.append(&mut chunk);
                    *newest = (*modseq).max(*newest);
                }
                _ if chunk.is_empty() => {}
                _ => {
                    kept.push(chunk);
                    newest.push(*modseq);
                }
            }
        }
        self.newest = newest;
        self.lasts = kept.iter().filter_map(|chunk| chunk.last()).map(|packed| packed.uid).collect();
        self.chunks = kept;
    }

    /// Index of the first chunk that reaches `uid`.
    fn chunk_of(&self, uid: u32) -> usize {
        self.lasts.partition_point(|last| *last < uid)
    }

    fn pack(&mut self, uid: u32, flags: Flags, modseq: Modseq) -> u64 {
        (modseq.0 << MODSEQ_SHIFT) | low_flags(&mut self.rare, uid, flags)
    }

    fn unpack(&self, packed: Packed) -> Entry {
        entry_of(packed, flags_of(packed, &self.rare))
    }
}

/// The bits that stand in the entry of a message with these flags. Keeps `rare` in step.
fn low_flags(rare: &mut BTreeMap<u32, u64>, uid: u32, flags: Flags) -> u64 {
    if flags.0 & !INLINE == 0 {
        rare.remove(&uid);
        flags.0
    } else {
        rare.insert(uid, flags.0);
        (flags.0 & INLINE) | MORE
    }
}

fn flags_of(packed: Packed, rare: &BTreeMap<u32, u64>) -> Flags {
    if packed.state & MORE == 0 {
        Flags(packed.state & INLINE)
    } else {
        Flags(rare.get(&packed.uid).copied().unwrap_or(packed.state & INLINE))
    }
}

const fn modseq_of(packed: &Packed) -> Modseq {
    Modseq(packed.state >> MODSEQ_SHIFT)
}

fn newest_of(chunk: &[Packed]) -> Modseq {
    chunk.iter().map(modseq_of).max().unwrap_or_default()
}

const fn entry_of(packed: Packed, flags: Flags) -> Entry {
    Entry { uid: Uid(packed.uid), letter: packed.letter, flags, modseq: modseq_of(&packed) }
}

impl Tally {
    const fn note(&mut self, old: Flags, new: Flags) {
        self.changed += 1;
        self.unseen += old.contains(Flags::SEEN) as i32 - new.contains(Flags::SEEN) as i32;
        self.deleted += new.contains(Flags::DELETED) as i32 - old.contains(Flags::DELETED) as i32;
    }
}
