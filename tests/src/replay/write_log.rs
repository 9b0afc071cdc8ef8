//! The record that QEMU's `blklogwrites` writes, in the format of Linux's dm-log-writes (`drivers/md/dm-log-writes.c`):
//! a sector that says what it is, then entries, each a sector of its own with the written sectors behind it. All
//! numbers are little-endian.

use std::fs::File;
use std::io::{self, Error, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What the first sector begins with.
const MAGIC: u64 = 0x006a_7366_7773_6872;

/// The version of the format that everybody writes.
const VERSION: u64 = 1;

/// Sector sizes that the format knows are powers of two; these are the ones that disks have.
const SECTOR_SIZES: Range<u64> = 512..64 * 1024;

/// Bytes of an entry that mean something; the rest of its sector is filler, or the text of a mark.
const HEADER_BYTES: usize = 32;

/// How much is copied at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// Everything before it is durable once it has ended.
const FLUSH: u64 = 1;
/// What it writes is durable once it has ended.
const FUA: u64 = 2;
/// No data follow: the sectors' content may go.
const DISCARD: u64 = 4;
/// No request at all, a word that somebody put into the record.
const MARK: u64 = 8;

/// A record, with the heads of its entries in memory (at most a sixteenth of it) and their data on disk.
#[derive(Debug)]
pub struct WriteLog {
    file: File,
    entries: Vec<Entry>,
    end: u64,
}

/// One request that was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands in the record, in bytes.
    pub at: u64,
    /// Where its data stand in the record.
    data: u64,
    /// First byte on the disk.
    pub start: u64,
    /// Bytes on the disk.
    pub len: u64,
    flags: u64,
}

impl Entry {
    /// True for a request before whose end everything that ended before its beginning became durable.
    pub fn flushes(&self) -> bool {
        self.flags & FLUSH != 0
    }

    /// True for a write that is durable by itself.
    pub fn is_durable(&self) -> bool {
        self.flags & FUA != 0
    }

    /// True where it changes what is in some sectors.
    pub fn changes(&self) -> bool {
        self.len > 0 && self.flags & MARK == 0
    }

    /// True where the sectors' content goes and nothing takes its place.
    pub fn is_discard(&self) -> bool {
        self.flags & DISCARD != 0
    }

    /// True where it touches this part of the disk.
    pub fn touches(&self, part: &Range<u64>) -> bool {
        self.changes() && self.start < part.end && self.start + self.len > part.start
    }

    fn parse(at: u64, sector: u64, head: &[u8; HEADER_BYTES]) -> io::Result<Self> {
        let [start, len, flags, _] = numbers(head);
        let known = flags & !(FLUSH | FUA | DISCARD | MARK) == 0;
        let bytes = |sectors: u64| sectors.checked_mul(sector).filter(|bytes| *bytes <= u64::MAX / 4);
        match (bytes(start), bytes(len)) {
            (Some(start), Some(len)) if known => Ok(Self { at, data: at + sector, start, len, flags }),
            _ => Err(wrong(format!("no entry of this format stands at byte {at}"))),
        }
    }

    /// Where the next one begins.
    fn end(&self) -> u64 {
        if self.flags & (DISCARD | MARK) != 0 { self.data } else { self.data + self.len }
    }
}

impl WriteLog {
    /// Reads the heads of all entries of a record whose writer has ended.
    ///
    /// # Errors
    /// Those of the file; `InvalidData` for what is no such record, or not a whole one.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut first = [0; HEADER_BYTES];
        file.read_exact_at(&mut first, 0)?;
        let [magic, version, counted, sector] = numbers(&first);
        // The size of a sector has four bytes; what follows them is filler.
        let sector = sector & u64::from(u32::MAX);
        if magic != MAGIC || version != VERSION {
            return Err(wrong("it does not begin as a record of writes"));
        }
        if !SECTOR_SIZES.contains(&sector) || !sector.is_power_of_two() {
            return Err(wrong(format!("its sectors have {sector} bytes")));
        }
        let entries = read_entries(&file, sector, length)?;
        let end = entries.last().map_or(sector, Entry::end);
        if end > length || (entries.len() as u64) < counted {
            return Err(wrong(format!(
                "it breaks off behind {} of at least {counted} entries",
                entries.len()
            )));
        }
        Ok(Self { file, entries, end })
    }

    /// Its entries, in the order in which the disk was done with them.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// How long the record was when exactly so many entries had been given their place.
    pub fn position(&self, entries: usize) -> u64 {
        self.entries.get(entries).map_or(self.end, |next| next.at)
    }

    /// Does to `file`, which holds the disk from `base` on, what an entry did to `part` of the disk: bytes outside are
    /// left. Discarded bytes become zeros, as they do in QEMU's own file.
    ///
    /// # Errors
    /// Those of the files.
    pub fn apply(&self, entry: &Entry, part: &Range<u64>, file: &File, base: u64) -> io::Result<()> {
        let (mut at, end) = (entry.start.max(part.start), (entry.start + entry.len).min(part.end));
        let mut piece = vec![0; PIECE_BYTES.min(entry.len as usize)];
        while at < end {
            let size = piece.len().min((end - at) as usize);
            if !entry.is_discard() {
                self.file.read_exact_at(&mut piece[..size], entry.data + (at - entry.start))?;
            }
            file.write_all_at(&piece[..size], at - base)?;
            at += size as u64;
        }
        Ok(())
    }
}

/// Walks from entry to entry. A head of zeros is a place that was given and never filled: the end.
fn read_entries(file: &File, sector: u64, length: u64) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut at = sector;
    let mut head = [0; HEADER_BYTES];
    while at + sector <= length {
        file.read_exact_at(&mut head, at)?;
        if head == [0; HEADER_BYTES] {
            break;
        }
        let entry = Entry::parse(at, sector, &head)?;
        at = entry.end();
        entries.push(entry);
    }
    Ok(entries)
}

fn numbers(head: &[u8; HEADER_BYTES]) -> [u64; 4] {
    let mut numbers = [0; 4];
    for (number, bytes) in numbers.iter_mut().zip(head.chunks_exact(8)) {
        *number = bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
    }
    numbers
}

fn wrong(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidData, why.into())
}
