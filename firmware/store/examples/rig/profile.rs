//! What is programmed into a store's flash, and what for: read from the bytes alone, as `FORMAT.md` describes them.

use std::collections::BTreeMap;

/// Kinds of frames that are told apart; all others are [`OTHER`].
const GROUP: u8 = 1;
const EXTENT: u8 = 8;
const COMMIT: u8 = 16;
const PAGE: u8 = 4;
const ROOT: u8 = 6;
const MOVED: u8 = 22;
const FRAME_BYTES: usize = 16;
const HEADER_BYTES: usize = 256;
const MAGIC: &[u8] = b"TgmSegm\n";

/// What a segment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Log {
    Meta,
    Fresh,
    Cold,
    Commits,
}

/// Segments opened for each log.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Opened {
    pub(crate) metadata: u64,
    pub(crate) fresh: u64,
    pub(crate) cold: u64,
    pub(crate) commits: u64,
}

/// Bytes of one of the streams.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bodies {
    pub(crate) payload: u64,
    pub(crate) extents: u64,
    pub(crate) frames: u64,
    pub(crate) padding: u64,
}

/// Records of one kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Records {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    /// Groups that were written for this kind's sake, and what they took besides records: group record and padding.
    pub(crate) groups: u64,
    pub(crate) overhead: u64,
}

/// Bytes programmed, by what they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Profile {
    pub(crate) anchors: u64,
    pub(crate) headers: u64,
    /// Segments opened.
    pub(crate) opened: Opened,
    pub(crate) fresh: Bodies,
    pub(crate) cold: Bodies,
    pub(crate) commits: Bodies,
    /// By kind. A group's overhead is charged to the kind that had it written: the first in [`WHO_ASKS`] that is in it.
    pub(crate) kinds: BTreeMap<u8, Records>,
}

/// Whose sake a group is written for: those who bring letters or wait for an answer, then what can wait, then chores.
const WHO_ASKS: [u8; 12] = [16, 18, 17, 20, 19, 21, 48, 2, MOVED, PAGE, 5, ROOT];

/// What a group without records is charged to: it only says how far bodies are durable, or that a root counts.
pub(crate) const MARK: u8 = 0;

/// The name of a kind.
pub(crate) fn name(kind: u8) -> &'static str {
    match kind {
        MARK => "marks (no record)",
        2 => "clean ends",
        PAGE => "checkpoints: pages",
        5 => "checkpoints: tables",
        ROOT => "checkpoints: roots",
        16 => "commits (head and summary)",
        17 => "copies",
        18 => "moves",
        19 => "flags",
        20 => "expunges",
        21 => "recent",
        MOVED => "compaction: records",
        24 => "deletions forgotten",
        _ => "other changes",
    }
}

impl Bodies {
    pub(crate) const fn all(&self) -> u64 {
        self.payload + self.frames + self.padding
    }
}

impl Profile {
    pub(crate) fn all(&self) -> u64 {
        let streams = self.fresh.all() + self.cold.all() + self.commits.all();
        self.anchors + self.headers + streams + self.meta()
    }

    fn sum(&self, wanted: impl Fn(u8) -> bool) -> u64 {
        let kinds = self.kinds.iter().filter(|(kind, _)| wanted(**kind));
        kinds.map(|(_, records)| records.bytes + records.overhead).sum()
    }

    pub(crate) fn meta(&self) -> u64 {
        self.sum(|_| true)
    }

    /// Pages, tables and roots, and the groups written for them.
    pub(crate) fn checkpoints(&self) -> u64 {
        self.sum(|kind| (PAGE..=ROOT).contains(&kind))
    }

    /// Bodies and commits that were moved.
    pub(crate) fn compaction(&self) -> u64 {
        self.cold.all() + self.commits.all() + self.sum(|kind| kind == MOVED)
    }

    /// What only fills units up.
    pub(crate) fn overhead(&self) -> u64 {
        let groups: u64 = self.kinds.values().map(|records| records.overhead).sum();
        self.fresh.padding + self.cold.padding + self.commits.padding + groups
    }

    /// What has come since `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let bodies = |now: &Bodies, then: &Bodies| Bodies {
            payload: now.payload - then.payload,
            extents: now.extents - then.extents,
            frames: now.frames - then.frames,
            padding: now.padding - then.padding,
        };
        let kinds = self.kinds.iter().map(|(kind, now)| {
            let then = before.kinds.get(kind).copied().unwrap_or_default();
            let records = Records {
                records: now.records - then.records,
                bytes: now.bytes - then.bytes,
                groups: now.groups - then.groups,
                overhead: now.overhead - then.overhead,
            };
            (*kind, records)
        });
        Self {
            anchors: self.anchors - before.anchors,
            headers: self.headers - before.headers,
            opened: Opened {
                metadata: self.opened.metadata - before.opened.metadata,
                fresh: self.opened.fresh - before.opened.fresh,
                cold: self.opened.cold - before.opened.cold,
                commits: self.opened.commits - before.opened.commits,
            },
            fresh: bodies(&self.fresh, &before.fresh),
            cold: bodies(&self.cold, &before.cold),
            commits: bodies(&self.commits, &before.commits),
            kinds: kinds.collect(),
        }
    }
}

/// Reads what is programmed between two barriers.
#[derive(Clone, Debug)]
pub(crate) struct Watcher {
    pub(crate) profile: Profile,
    segment_bytes: u64,
    logs: Vec<Option<Log>>,
    /// Stretches programmed since the last barrier, none of which goes on where another ends.
    runs: Vec<(u64, Vec<u8>)>,
}

impl Watcher {
    pub(crate) fn new(capacity: u64, segment_bytes: u64) -> Self {
        let logs = vec![None; (capacity / segment_bytes) as usize];
        Self { profile: Profile::default(), segment_bytes, logs, runs: Vec::new() }
    }

    pub(crate) fn program(&mut self, offset: u64, bytes: &[u8]) {
        let at_segment = offset.is_multiple_of(self.segment_bytes);
        let run = self.runs.iter_mut().find(|(start, run)| !at_segment && start + run.len() as u64 == offset);
        match run {
            Some((_, run)) => run.extend_from_slice(bytes),
            None => self.runs.push((offset, bytes.to_vec())),
        }
    }

    pub(crate) fn barrier(&mut self) {
        for (offset, bytes) in std::mem::take(&mut self.runs) {
            self.run(offset, &bytes);
        }
    }

    fn run(&mut self, offset: u64, bytes: &[u8]) {
        let segment = (offset / self.segment_bytes) as usize;
        if segment < 2 {
            self.profile.anchors += bytes.len() as u64;
            return;
        }
        let mut rest = bytes;
        if bytes.starts_with(MAGIC) {
            let log = match bytes[14] {
                1 => Log::Meta,
                2 => Log::Fresh,
                3 => Log::Cold,
                _ => Log::Commits,
            };
            self.logs[segment] = Some(log);
            let opened = &mut self.profile.opened;
            *match log {
                Log::Meta => &mut opened.metadata,
                Log::Fresh => &mut opened.fresh,
                Log::Cold => &mut opened.cold,
                Log::Commits => &mut opened.commits,
            } += 1;
            // A group begins on a unit, which is never larger than the zeros that follow the header; an extent at once.
            let zeros = bytes[HEADER_BYTES..].iter().take_while(|byte| **byte == 0).count();
            let taken =
                if log == Log::Meta { HEADER_BYTES + zeros_to_group(bytes, zeros) } else { HEADER_BYTES };
            self.profile.headers += taken as u64;
            rest = &bytes[taken..];
        }
        match self.logs[segment] {
            Some(Log::Meta) => self.groups(rest),
            Some(Log::Fresh) => frames(&mut self.profile.fresh, rest, EXTENT),
            Some(Log::Cold) => frames(&mut self.profile.cold, rest, EXTENT),
            Some(Log::Commits) => frames(&mut self.profile.commits, rest, COMMIT),
            None => panic!("programmed in a segment that nobody opened"),
        }
    }

    /// Takes one group (never more follow each other without a barrier) apart.
    fn groups(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut kinds: BTreeMap<u8, (u64, u64)> = BTreeMap::new();
        let (mut at, mut records) = (0, 0);
        while let Some((kind, span)) = frame(&bytes[at..]) {
            if kind != GROUP {
                let count = kinds.entry(kind).or_default();
                (count.0, count.1) = (count.0 + 1, count.1 + span as u64);
                records += span as u64;
            }
            at += span;
        }
        let asked = WHO_ASKS.iter().chain(kinds.keys()).find(|kind| kinds.contains_key(kind));
        let asked = asked.copied().unwrap_or(MARK);
        for (kind, (count, bytes)) in kinds {
            let entry = self.profile.kinds.entry(kind).or_default();
            entry.records += count;
            entry.bytes += bytes;
        }
        let entry = self.profile.kinds.entry(asked).or_default();
        entry.groups += 1;
        entry.overhead += bytes.len() as u64 - records;
    }
}

/// Zeros between a metadata segment's header and its first group, which begins with four bytes of CRC that may be zero.
fn zeros_to_group(bytes: &[u8], zeros: usize) -> usize {
    let groups = (0..=zeros).rev().find(|zeros| {
        let at = HEADER_BYTES + zeros;
        at.is_multiple_of(64)
            && (at == bytes.len() || frame(&bytes[at..]).is_some_and(|(kind, _)| kind == GROUP))
    });
    groups.unwrap_or(zeros)
}

/// Kind and length, padding included, of the frame at the beginning of `bytes`; `None` where there are zeros.
fn frame(bytes: &[u8]) -> Option<(u8, usize)> {
    let head = bytes.get(..FRAME_BYTES)?;
    let len = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
    let span = (FRAME_BYTES + len).next_multiple_of(8);
    (head[8] != 0 && span <= bytes.len()).then_some((head[8], span))
}

fn frames(bodies: &mut Bodies, bytes: &[u8], expected: u8) {
    let mut at = 0;
    while let Some((kind, span)) = frame(&bytes[at..]) {
        assert_eq!(kind, expected, "a stream holds frames of one kind");
        let len = u32::from_le_bytes([bytes[at + 4], bytes[at + 5], bytes[at + 6], bytes[at + 7]]);
        bodies.payload += u64::from(len);
        bodies.extents += 1;
        bodies.frames += (span - len as usize) as u64;
        at += span;
    }
    bodies.padding += (bytes.len() - at) as u64;
}
