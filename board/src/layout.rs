//! The disk layout of every Tegami image: where things lie, and the partition table that says so. Pure
//! functions on sectors; whoever calls them does the reading and writing (PID 1 on the box, `image` and
//! `qemu` on a host).
//!
//! ```text
//!     0 MiB  MBR with the Tegami disk signature; nothing else in this erase block
//!     4 MiB  1  boot    40 MiB  FAT: loader, kernel, initramfs, settings a person may edit
//!    44 MiB  2  slot A  96 MiB  ┐ kernel and firmware of updates; primary partitions, because boot loaders
//!   140 MiB  3  slot B  96 MiB  ┘ (the Raspberry Pi's `boot_partition`) choose among those only
//!   236 MiB  4  extended, to the end of the disk
//!   236 MiB       (boot record of 5, alone in its erase block)
//!   240 MiB  5  state   12 MiB  what PID 1 remembers outside the mail
//!   252 MiB       (boot record of 6, alone in its erase block)
//!   256 MiB  6  flash          the mail; alone grows to the end of the card
//! ```
//!
//! Why so. An MBR has four entries and we have five partitions, so one entry must be an extended partition.
//! The three that a boot loader must find are primary; the two that only Linux reads are logical. Everything
//! starts on a 4 MiB boundary (the usual erase block of cards), so no partition and no boot record shares an
//! erase block with another: rewriting one never puts its neighbour at risk. The mail starts at 256 MiB, a
//! boundary also for cards with larger allocation units, and 256 MiB of mail make a disk whose size is a
//! power of two, as QEMU's SD cards must be. Boot, at 40 MiB, is twice what the Raspberry Pi needs today and
//! keeps the whole image file (MBR and boot, nothing more) at 44 MiB.
//!
//! **A fresh disk has no entry 4.** The image file ends where boot ends, so what the card held before lies in
//! all the rest: other people's bytes, or an older Tegami's. [`Disk::Fresh`] says that nothing behind boot is
//! ours: the first boot makes the flash partition empty, then calls [`Disk::grown`] and writes what
//! [`Table::writes_after`] lists. The MBR is the last of those writes, so that the disk is fresh until it is
//! complete, and once it is not fresh, flash that cannot be read is damage to be reported and never something
//! to format.

use core::fmt;

/// Bytes of a sector, the unit of every address in a partition table.
pub const SECTOR_BYTES: u64 = 512;
/// All partitions start and end on multiples of this: the erase block of common SD cards.
pub const ERASE_BLOCK_BYTES: u64 = 4 * MIB;
/// The MBR's disk signature, by which PID 1 knows its disk: "TGM1" in the order of the bytes. The 1 is the
/// version of this layout.
pub const DISK_SIGNATURE: u32 = u32::from_le_bytes(*b"TGM1");
/// Volume serial number of the boot partition's file system; fixed so that equal inputs give equal images.
pub const BOOT_VOLUME_ID: u32 = u32::from_le_bytes(*b"TGMB");
/// Volume label of the boot partition: what a person sees who puts the card into a computer.
pub const BOOT_LABEL: &str = "TEGAMI";
/// The least flash partition that is made, in bytes. Less could not hold a mailbox log and its reserve.
pub const FLASH_BYTES_MIN: u64 = 64 * MIB;
/// Bytes of an image file: up to the end of boot, because nothing behind it has content before the first
/// boot.
pub const IMAGE_BYTES: u64 = BOOT_START + BOOT_BYTES;
/// Where the flash partition starts, in bytes from the start of the disk.
pub const FLASH_START: u64 = 256 * MIB;

const MIB: u64 = 1024 * 1024;
const BOOT_START: u64 = 4 * MIB;
const BOOT_BYTES: u64 = 40 * MIB;
const SLOT_A_START: u64 = 44 * MIB;
const SLOT_B_START: u64 = 140 * MIB;
const SLOT_BYTES: u64 = 96 * MIB;
const EXTENDED_START: u64 = 236 * MIB;
const STATE_START: u64 = 240 * MIB;
const STATE_BYTES: u64 = 12 * MIB;
const FLASH_RECORD_START: u64 = 252 * MIB;

/// FAT with LBA addressing: what the Raspberry Pi's boot ROM and every desktop take for a FAT of any width.
const KIND_FAT: u8 = 0x0c;
/// "Non-file-system data": no desktop offers to mount or to format it.
const KIND_DATA: u8 = 0xda;
/// Extended partition with LBA addressing.
const KIND_EXTENDED: u8 = 0x0f;

const _: () = {
    assert!(BOOT_START + BOOT_BYTES == SLOT_A_START);
    assert!(SLOT_A_START + SLOT_BYTES == SLOT_B_START);
    assert!(SLOT_B_START + SLOT_BYTES == EXTENDED_START);
    assert!(EXTENDED_START + ERASE_BLOCK_BYTES == STATE_START);
    assert!(STATE_START + STATE_BYTES == FLASH_RECORD_START);
    assert!(FLASH_RECORD_START + ERASE_BLOCK_BYTES == FLASH_START);
    assert!(FLASH_START.is_multiple_of(ERASE_BLOCK_BYTES));
};

/// One sector as it lies on the disk.
pub type Sector = [u8; SECTOR_BYTES as usize];

/// A partition by its purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partition {
    /// FAT: loader, kernel, initramfs, `tegami.toml`.
    Boot,
    /// First update slot.
    SlotA,
    /// Second update slot.
    SlotB,
    /// What PID 1 remembers outside the mail.
    State,
    /// The mail.
    Flash,
}

impl Partition {
    /// The number in the device's name: `vda6` and `mmcblk0p6` are the flash partition.
    pub fn number(self) -> u32 {
        match self {
            Self::Boot => 1,
            Self::SlotA => 2,
            Self::SlotB => 3,
            Self::State => 5,
            Self::Flash => 6,
        }
    }
}

/// A run of bytes on the disk, both ends on erase blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// First byte, counted from the start of the disk.
    pub start: u64,
    /// Length in bytes.
    pub len: u64,
}

/// Why a disk is not one of ours, or not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayoutError {
    /// The first sector carries no MBR or another disk's signature: some other disk.
    NotTegami,
    /// Our signature, but an entry that no Tegami wrote. The text names the part.
    Damaged(&'static str),
    /// The disk ends before the layout does.
    TooSmall {
        /// Bytes that the layout needs.
        needed: u64,
        /// Bytes that the disk has.
        have: u64,
    },
    /// The caller could not read a sector.
    Unreadable {
        /// Its address, in sectors.
        lba: u64,
    },
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTegami => write!(f, "this is not a Tegami disk"),
            Self::Damaged(part) => write!(f, "the partition table is damaged at the {part}"),
            Self::TooSmall { needed, have } => {
                write!(f, "the disk has {} MiB and needs {} MiB", have / MIB, needed.div_ceil(MIB))
            }
            Self::Unreadable { lba } => write!(f, "sector {lba} of the partition table cannot be read"),
        }
    }
}

impl core::error::Error for LayoutError {}

/// What a disk's first sectors say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    /// As the image file left it: only boot has content, state and flash do not exist yet.
    Fresh,
    /// Complete: all partitions exist.
    Ready(Table),
}

/// A complete partition table. All of it is fixed but the length of the flash partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    flash_sectors: u32,
}

impl Disk {
    /// Reads the table of a disk of `disk_bytes` bytes. `read` gives the sector at an address counted in
    /// sectors, `None` when it cannot be read. Everything is checked against the layout; slots A and B may
    /// carry any type, an update may have set it.
    pub fn parse(disk_bytes: u64, mut read: impl FnMut(u64) -> Option<Sector>) -> Result<Self, LayoutError> {
        let mut read = |lba| read(lba).ok_or(LayoutError::Unreadable { lba });
        let mbr = read(0)?;
        if !has_mark(&mbr) || mbr[440..444] != DISK_SIGNATURE.to_le_bytes() {
            return Err(LayoutError::NotTegami);
        }
        check_primaries(&mbr)?;
        let have = |needed| {
            if disk_bytes < needed { Err(LayoutError::TooSmall { needed, have: disk_bytes }) } else { Ok(()) }
        };
        have(IMAGE_BYTES)?;
        let extended = Entry::at(&mbr, 3);
        if extended == Entry::EMPTY {
            return Ok(Self::Fresh);
        }
        if extended.kind != KIND_EXTENDED || extended.start != lba(EXTENDED_START) {
            return Err(LayoutError::Damaged("extended partition"));
        }
        // A disk cut short is that, not an unreadable one.
        have(EXTENDED_START + u64::from(extended.sectors) * SECTOR_BYTES)?;
        let flash_sectors =
            parse_chain(&read(EXTENDED_START / SECTOR_BYTES)?, &read(FLASH_RECORD_START / SECTOR_BYTES)?)?;
        let table = Table { flash_sectors };
        if extended.sectors < table.extended_sectors() {
            return Err(LayoutError::Damaged("extended partition"));
        }
        Ok(Self::Ready(table))
    }

    /// The table that this disk should get: a complete one on a fresh disk, a longer flash partition where
    /// the disk has become larger by an erase block or more (a card copied to a larger one, or a growth that
    /// was cut off half-way). `None` when it is already as large as the disk allows, or when a fresh disk is
    /// too small for one.
    pub fn grown(&self, disk_bytes: u64) -> Option<Table> {
        let grown = Table::for_disk(disk_bytes).ok()?;
        match self {
            Self::Ready(table) if grown.flash_sectors <= table.flash_sectors => None,
            _ => Some(grown),
        }
    }
}

impl Table {
    /// The table for a disk of this many bytes: flash takes every whole erase block up to the end (or to 2
    /// TiB, where the 32-bit addresses of an MBR end).
    pub fn for_disk(disk_bytes: u64) -> Result<Self, LayoutError> {
        let needed = FLASH_START + FLASH_BYTES_MIN;
        if disk_bytes < needed {
            return Err(LayoutError::TooSmall { needed, have: disk_bytes });
        }
        let end = disk_bytes.min(u64::from(u32::MAX) * SECTOR_BYTES);
        let flash_bytes = (end - FLASH_START) / ERASE_BLOCK_BYTES * ERASE_BLOCK_BYTES;
        Ok(Self { flash_sectors: lba(flash_bytes) })
    }

    /// Where a partition lies.
    pub fn extent(&self, partition: Partition) -> Extent {
        match partition {
            Partition::Boot => boot(),
            Partition::SlotA => Extent { start: SLOT_A_START, len: SLOT_BYTES },
            Partition::SlotB => Extent { start: SLOT_B_START, len: SLOT_BYTES },
            Partition::State => Extent { start: STATE_START, len: STATE_BYTES },
            Partition::Flash => self.flash(),
        }
    }

    /// Where the mail lies.
    pub fn flash(&self) -> Extent {
        Extent { start: FLASH_START, len: u64::from(self.flash_sectors) * SECTOR_BYTES }
    }

    /// The sectors to write, with their addresses in sectors, to bring a disk in state `before` to this
    /// table. Write them in this order with a barrier after each: cut off anywhere, the disk is either what
    /// it was or complete, and never in between.
    pub fn writes_after(&self, before: &Disk) -> [(u64, Sector); 3] {
        let state = (EXTENDED_START / SECTOR_BYTES, self.state_record());
        let flash = (FLASH_RECORD_START / SECTOR_BYTES, self.flash_record());
        let mbr = (0, self.mbr());
        match before {
            // Not ours until the MBR says so.
            Disk::Fresh => [state, flash, mbr],
            // The container first, so that what it holds never reaches beyond it.
            Disk::Ready(_) => [mbr, state, flash],
        }
    }

    fn mbr(&self) -> Sector {
        let mut sector = fresh_mbr();
        let extended = Entry {
            kind: KIND_EXTENDED,
            start: lba(EXTENDED_START),
            sectors: self.extended_sectors(),
            active: false,
        };
        extended.put(&mut sector, 3);
        sector
    }

    /// Boot record of partition 5. Its own partition is addressed from the record, the next record from the
    /// extended partition.
    fn state_record(&self) -> Sector {
        let mut sector = empty_record();
        state_entry().put(&mut sector, 0);
        let next = Entry {
            kind: 0x05,
            start: lba(FLASH_RECORD_START - EXTENDED_START),
            sectors: lba(ERASE_BLOCK_BYTES) + self.flash_sectors,
            active: false,
        };
        next.put(&mut sector, 1);
        sector
    }

    fn flash_record(&self) -> Sector {
        let mut sector = empty_record();
        let flash = Entry {
            kind: KIND_DATA,
            start: lba(FLASH_START - FLASH_RECORD_START),
            sectors: self.flash_sectors,
            active: false,
        };
        flash.put(&mut sector, 0);
        sector
    }

    fn extended_sectors(&self) -> u32 {
        lba(FLASH_START - EXTENDED_START) + self.flash_sectors
    }
}

/// Where the boot partition lies, on every disk, fresh or not.
pub fn boot() -> Extent {
    Extent { start: BOOT_START, len: BOOT_BYTES }
}

/// The first sector of an image file: everything but entry 4.
pub fn fresh_mbr() -> Sector {
    let mut sector = empty_record();
    sector[440..444].copy_from_slice(&DISK_SIGNATURE.to_le_bytes());
    for (index, entry) in primaries().iter().enumerate() {
        entry.put(&mut sector, index);
    }
    sector
}

fn primaries() -> [Entry; 3] {
    let slot = |start| Entry { kind: KIND_DATA, start: lba(start), sectors: lba(SLOT_BYTES), active: false };
    let boot = Entry { kind: KIND_FAT, start: lba(BOOT_START), sectors: lba(BOOT_BYTES), active: true };
    [boot, slot(SLOT_A_START), slot(SLOT_B_START)]
}

fn state_entry() -> Entry {
    Entry {
        kind: KIND_DATA,
        start: lba(STATE_START - EXTENDED_START),
        sectors: lba(STATE_BYTES),
        active: false,
    }
}

fn check_primaries(mbr: &Sector) -> Result<(), LayoutError> {
    const NAMES: [&str; 3] = ["boot partition", "slot A", "slot B"];
    for (index, expected) in primaries().iter().enumerate() {
        let found = Entry::at(mbr, index);
        if (found.start, found.sectors) != (expected.start, expected.sectors) {
            return Err(LayoutError::Damaged(NAMES[index]));
        }
    }
    Ok(())
}

/// The length of the flash partition, in sectors, from the boot records of the logical partitions.
fn parse_chain(state: &Sector, flash: &Sector) -> Result<u32, LayoutError> {
    let next = Entry::at(state, 1);
    if !has_mark(state)
        || Entry::at(state, 0) != state_entry()
        || next.start != lba(FLASH_RECORD_START - EXTENDED_START)
    {
        return Err(LayoutError::Damaged("state partition"));
    }
    let entry = Entry::at(flash, 0);
    let whole_blocks = entry.sectors.is_multiple_of(lba(ERASE_BLOCK_BYTES));
    let fits = entry.sectors <= u32::MAX - lba(FLASH_START) && entry.sectors >= lba(FLASH_BYTES_MIN);
    if !has_mark(flash) || entry.start != lba(FLASH_START - FLASH_RECORD_START) || !whole_blocks || !fits {
        return Err(LayoutError::Damaged("flash partition"));
    }
    Ok(entry.sectors)
}

/// One of the four 16-byte entries of a boot record.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry {
    kind: u8,
    /// First sector.
    start: u32,
    sectors: u32,
    /// Marked as the one to boot from.
    active: bool,
}

impl Entry {
    const EMPTY: Self = Self { kind: 0, start: 0, sectors: 0, active: false };
    /// Cylinder, head and sector of a place that only an LBA can name.
    const CHS_NONE: [u8; 3] = [0xfe, 0xff, 0xff];

    /// Reads entry `index` (0 to 3).
    fn at(sector: &Sector, index: usize) -> Self {
        let byte = |offset: usize| sector[446 + 16 * index + offset];
        let word = |offset: usize| u32::from_le_bytes(core::array::from_fn(|i| byte(offset + i)));
        Self { kind: byte(4), start: word(8), sectors: word(12), active: byte(0) == 0x80 }
    }

    /// Writes entry `index` (0 to 3).
    fn put(&self, sector: &mut Sector, index: usize) {
        let bytes = &mut sector[446 + 16 * index..][..16];
        bytes[0] = if self.active { 0x80 } else { 0 };
        bytes[1..4].copy_from_slice(&Self::CHS_NONE);
        bytes[4] = self.kind;
        bytes[5..8].copy_from_slice(&Self::CHS_NONE);
        bytes[8..12].copy_from_slice(&self.start.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.sectors.to_le_bytes());
    }
}

fn empty_record() -> Sector {
    let mut sector = [0; SECTOR_BYTES as usize];
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    sector
}

fn has_mark(sector: &Sector) -> bool {
    sector[510..] == [0x55, 0xaa]
}

/// Bytes as sectors. Every caller's value is at most 2 TiB, so the cast loses nothing; saturates all the
/// same.
fn lba(bytes: u64) -> u32 {
    u32::try_from(bytes / SECTOR_BYTES).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
