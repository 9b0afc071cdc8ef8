//! The segment header: what a segment is, and where its predecessor in the same head ends.

use super::{Mark, Seal, put, u16_at, u32_at, u64_at};

/// Bytes at the beginning of a segment that the header takes: two copies, so that one flipped bit loses neither.
pub(crate) const HEADER_BYTES: usize = 2 * COPY_BYTES;

const COPY_BYTES: usize = 128;
const MAGIC: [u8; 8] = *b"TgmSegm\n";

/// Which log a segment belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    Meta,
    Body(Stream),
}

/// The logs without groups, for what metadata records name. What has just come may go soon, and what compaction has
/// kept once will stay; and listing letters must not read bodies (rule 17).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Bodies as they come in.
    Fresh,
    /// Bodies that compaction moved.
    Cold,
    /// Commits that compaction moved.
    Commits,
}

/// One of something for each stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct PerStream<T> {
    pub(crate) fresh: T,
    pub(crate) cold: T,
    pub(crate) commits: T,
}

impl Stream {
    pub(crate) const ALL: [Self; 3] = [Self::Fresh, Self::Cold, Self::Commits];
}

impl<T> PerStream<T> {
    pub(crate) const fn of(&self, stream: Stream) -> &T {
        match stream {
            Stream::Fresh => &self.fresh,
            Stream::Cold => &self.cold,
            Stream::Commits => &self.commits,
        }
    }

    pub(crate) const fn of_mut(&mut self, stream: Stream) -> &mut T {
        match stream {
            Stream::Fresh => &mut self.fresh,
            Stream::Cold => &mut self.cold,
            Stream::Commits => &mut self.commits,
        }
    }

    pub(crate) fn map<U>(&self, mut change: impl FnMut(Stream, &T) -> U) -> PerStream<U> {
        PerStream {
            fresh: change(Stream::Fresh, &self.fresh),
            cold: change(Stream::Cold, &self.cold),
            commits: change(Stream::Commits, &self.commits),
        }
    }
}

impl Head {
    const fn code(self) -> u8 {
        match self {
            Self::Meta => 1,
            Self::Body(Stream::Fresh) => 2,
            Self::Body(Stream::Cold) => 3,
            Self::Body(Stream::Commits) => 4,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Meta),
            2 => Some(Self::Body(Stream::Fresh)),
            3 => Some(Self::Body(Stream::Cold)),
            4 => Some(Self::Body(Stream::Commits)),
            _ => None,
        }
    }
}

/// A segment's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) head: Head,
    pub(crate) seq: u32,
    /// How often the segment has been erased.
    pub(crate) erases: u32,
    /// The life that opened it; see [`super::anchor`].
    pub(crate) life: u64,
    /// The segment before it in the same head, and where that one ends (rule 8).
    pub(crate) before: Option<Seal>,
    /// The root of the checkpoint that was in force when it was opened; all zero for none.
    pub(crate) root: Mark,
}

impl Header {
    /// The header as it stands at the beginning of segment `index` of the store `uuid`.
    pub(crate) fn to_bytes(self, uuid: &[u8; 16], index: u32) -> [u8; HEADER_BYTES] {
        let mut copy = [0; COPY_BYTES];
        put(&mut copy, 0, &MAGIC);
        put(&mut copy, 12, &super::FORMAT_VERSION.to_le_bytes());
        put(&mut copy, 14, &[self.head.code(), 0]);
        put(&mut copy, 16, uuid);
        put(&mut copy, 32, &self.seq.to_le_bytes());
        put(&mut copy, 36, &index.to_le_bytes());
        put(&mut copy, 40, &self.life.to_le_bytes());
        put(&mut copy, 48, &self.erases.to_le_bytes());
        put_seal(&mut copy, 52, self.before);
        put_mark(&mut copy, 68, self.root);
        let crc = crc32c::crc32c(&copy);
        put(&mut copy, 8, &crc.to_le_bytes());
        let mut bytes = [0; HEADER_BYTES];
        put(&mut bytes, 0, &copy);
        put(&mut bytes, COPY_BYTES, &copy);
        bytes
    }

    /// Reads the header of segment `index`; `None` where there is none of this store.
    pub(crate) fn parse(bytes: &[u8], uuid: &[u8; 16], index: u32) -> Option<Self> {
        bytes.chunks_exact(COPY_BYTES).take(2).find_map(|copy| Self::parse_copy(copy, uuid, index))
    }

    fn parse_copy(copy: &[u8], uuid: &[u8; 16], index: u32) -> Option<Self> {
        let mut plain = [0; COPY_BYTES];
        plain.copy_from_slice(copy);
        put(&mut plain, 8, &[0; 4]);
        let ours = copy.starts_with(&MAGIC)
            && u32_at(copy, 8) == crc32c::crc32c(&plain)
            && u16_at(copy, 12) == super::FORMAT_VERSION
            && copy.get(16..32) == Some(uuid)
            && u32_at(copy, 36) == index;
        let head = Head::from_code(*copy.get(14)?)?;
        ours.then(|| Self {
            head,
            seq: u32_at(copy, 32),
            erases: u32_at(copy, 48),
            life: u64_at(copy, 40),
            before: seal_at(copy, 52),
            root: mark_at(copy, 68),
        })
    }
}

/// A seal takes 16 bytes: whether there is one, its sequence number, its segment, its end.
pub(super) fn put_seal(bytes: &mut [u8], at: usize, seal: Option<Seal>) {
    if let Some(seal) = seal {
        put(bytes, at, &1_u32.to_le_bytes());
        put(bytes, at + 4, &seal.seq.to_le_bytes());
        put(bytes, at + 8, &seal.segment.to_le_bytes());
        put(bytes, at + 12, &seal.end.to_le_bytes());
    }
}

pub(super) fn seal_at(bytes: &[u8], at: usize) -> Option<Seal> {
    (u32_at(bytes, at) == 1).then(|| Seal {
        seq: u32_at(bytes, at + 4),
        segment: u32_at(bytes, at + 8),
        end: u32_at(bytes, at + 12),
    })
}

/// A mark takes 8 bytes: sequence number, offset.
pub(super) fn put_mark(bytes: &mut [u8], at: usize, mark: Mark) {
    put(bytes, at, &mark.seq.to_le_bytes());
    put(bytes, at + 4, &mark.offset.to_le_bytes());
}

pub(super) fn mark_at(bytes: &[u8], at: usize) -> Mark {
    Mark { seq: u32_at(bytes, at), offset: u32_at(bytes, at + 4) }
}
