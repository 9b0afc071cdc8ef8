//! The partition table: what is emitted is parsed back, what is damaged is refused, and a cut anywhere leaves
//! one of two states.

use super::*;

const DISK: u64 = 512 * MIB;

/// A disk's partition-table sectors: address and content; the rest reads as what a used card may hold.
struct Card {
    bytes: u64,
    sectors: Vec<(u64, Sector)>,
}

impl Card {
    fn fresh(bytes: u64) -> Self {
        Self { bytes, sectors: vec![(0, fresh_mbr())] }
    }

    fn ready(bytes: u64) -> Self {
        let mut card = Self::fresh(bytes);
        let table = card.parse().unwrap().grown(bytes).unwrap();
        card.write_all(&table.writes_after(&Disk::Fresh));
        card
    }

    fn write_all(&mut self, writes: &[(u64, Sector)]) {
        for &(lba, sector) in writes {
            self.sectors.retain(|(at, _)| *at != lba);
            self.sectors.push((lba, sector));
        }
    }

    fn sector(&mut self, lba: u64) -> &mut Sector {
        &mut self.sectors.iter_mut().find(|(at, _)| *at == lba).unwrap().1
    }

    fn parse(&self) -> Result<Disk, LayoutError> {
        let garbage = [0x5a; SECTOR_BYTES as usize];
        Disk::parse(self.bytes, |lba| {
            Some(self.sectors.iter().find(|(at, _)| *at == lba).map_or(garbage, |(_, s)| *s))
        })
    }
}

#[test]
fn an_image_is_a_fresh_disk_whatever_the_card_held_behind_it() {
    assert_eq!(Card::fresh(DISK).parse(), Ok(Disk::Fresh));
    let mut reflashed = Card::ready(DISK);
    reflashed.write_all(&[(0, fresh_mbr())]);
    assert_eq!(reflashed.parse(), Ok(Disk::Fresh));
}

#[test]
fn flash_grows_to_the_last_whole_erase_block() {
    for (disk, flash_mib) in [(DISK, 256), (DISK + 3 * MIB, 256), (DISK + 4 * MIB, 260), (320 * MIB, 64)] {
        let card = Card::ready(disk);
        let Ok(Disk::Ready(table)) = card.parse() else { panic!("{disk}: {:?}", card.parse()) };
        assert_eq!(table.flash(), Extent { start: 256 * MIB, len: flash_mib * MIB });
        assert_eq!(Disk::Ready(table).grown(disk), None);
    }
}

#[test]
fn a_disk_beyond_two_tebibytes_is_used_up_to_there() {
    let table = Table::for_disk(u64::MAX).unwrap();
    let end = table.flash().start + table.flash().len;
    assert!(end < 2 * 1024 * 1024 * MIB && end > 2 * 1024 * 1024 * MIB - 2 * ERASE_BLOCK_BYTES);
    assert_eq!(Card::ready(u64::MAX).parse(), Ok(Disk::Ready(table)));
}

#[test]
fn a_first_boot_cut_anywhere_leaves_a_fresh_or_a_complete_disk() {
    let table = Table::for_disk(DISK).unwrap();
    let writes = table.writes_after(&Disk::Fresh);
    for done in 0..=writes.len() {
        let mut card = Card::fresh(DISK);
        card.write_all(&writes[..done]);
        let expected = if done == writes.len() { Disk::Ready(table) } else { Disk::Fresh };
        assert_eq!(card.parse(), Ok(expected), "after {done} writes");
    }
}

#[test]
fn a_growth_cut_anywhere_leaves_the_old_or_the_new_size_and_goes_on_later() {
    let old = Card::ready(DISK).parse().unwrap();
    let grown = old.grown(2 * DISK).unwrap();
    let writes = grown.writes_after(&old);
    for done in 0..=writes.len() {
        let mut card = Card::ready(DISK);
        card.bytes = 2 * DISK;
        card.write_all(&writes[..done]);
        let now = card.parse().unwrap();
        assert!(now == old || now == Disk::Ready(grown), "after {done} writes");
        if let Some(table) = now.grown(card.bytes) {
            card.write_all(&table.writes_after(&now));
        }
        assert_eq!(card.parse(), Ok(Disk::Ready(grown)));
    }
}

#[test]
fn other_disks_are_not_ours() {
    for (at, value) in [(440, 0), (510, 0), (511, 0)] {
        let mut card = Card::ready(DISK);
        card.sector(0)[at] = value;
        assert_eq!(card.parse(), Err(LayoutError::NotTegami));
    }
    assert_eq!(Disk::parse(DISK, |_| Some([0; 512])), Err(LayoutError::NotTegami));
    assert_eq!(Disk::parse(DISK, |_| None), Err(LayoutError::Unreadable { lba: 0 }));
}

#[test]
fn damage_is_named() {
    let entry = |index: usize, offset: usize| 446 + 16 * index + offset;
    let extended = EXTENDED_START / SECTOR_BYTES;
    let record = FLASH_RECORD_START / SECTOR_BYTES;
    let cases = [
        (0, entry(0, 8), "boot partition"),
        (0, entry(1, 12), "slot A"),
        (0, entry(2, 8), "slot B"),
        (0, entry(3, 4), "extended partition"),
        (0, entry(3, 14), "extended partition"),
        (extended, 510, "state partition"),
        (extended, entry(0, 8), "state partition"),
        (extended, entry(1, 9), "state partition"),
        (record, 511, "flash partition"),
        (record, entry(0, 12), "flash partition"),
        (record, entry(0, 8), "flash partition"),
    ];
    for (lba, at, part) in cases {
        let mut card = Card::ready(DISK);
        card.sector(lba)[at] ^= 0x01 | if at == entry(3, 14) { 0x0f } else { 0 };
        assert_eq!(card.parse(), Err(LayoutError::Damaged(part)), "sector {lba} byte {at}");
    }
}

#[test]
fn a_disk_cut_in_half_is_too_small_and_says_so() {
    let card = Card::ready(DISK);
    for have in [DISK - 1, DISK / 2, 100 * MIB] {
        let sector = |lba| card.sectors.iter().find(|(at, _)| *at == lba && lba * SECTOR_BYTES < have);
        let parsed = Disk::parse(have, |lba| sector(lba).map(|(_, bytes)| *bytes));
        assert_eq!(parsed, Err(LayoutError::TooSmall { needed: DISK, have }));
    }
    let error = LayoutError::TooSmall { needed: DISK, have: DISK / 2 };
    assert_eq!(error.to_string(), "the disk has 256 MiB and needs 512 MiB");
    assert_eq!(Card::fresh(8 * MIB).parse(), Err(LayoutError::TooSmall { needed: 44 * MIB, have: 8 * MIB }));
    assert_eq!(Disk::Fresh.grown(300 * MIB), None);
}

#[test]
fn partitions_follow_one_another_on_erase_blocks() {
    let table = Table::for_disk(DISK).unwrap();
    let all = [Partition::Boot, Partition::SlotA, Partition::SlotB, Partition::State, Partition::Flash];
    let mut end = ERASE_BLOCK_BYTES;
    for partition in all {
        let extent = table.extent(partition);
        assert!(
            extent.start >= end
                && extent.start.is_multiple_of(ERASE_BLOCK_BYTES)
                && extent.len.is_multiple_of(ERASE_BLOCK_BYTES)
        );
        end = extent.start + extent.len;
    }
    assert_eq!(all.map(Partition::number), [1, 2, 3, 5, 6]);
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn random_sectors_never_panic(bytes in proptest::collection::vec(any::<u8>(), 512), disk in any::<u64>()) {
            let mut sector: Sector = bytes.try_into().unwrap();
            let _ = Disk::parse(disk, |_| Some(sector));
            sector[440..444].copy_from_slice(&DISK_SIGNATURE.to_le_bytes());
            sector[510..].copy_from_slice(&[0x55, 0xaa]);
            sector[446..446 + 48].copy_from_slice(&fresh_mbr()[446..446 + 48]);
            let _ = Disk::parse(disk, |_| Some(sector));
        }

        #[test]
        fn every_disk_of_enough_bytes_reads_back(disk in (FLASH_START + FLASH_BYTES_MIN)..(4 << 40)) {
            prop_assert_eq!(Card::ready(disk).parse(), Ok(Disk::Ready(Table::for_disk(disk).unwrap())));
        }
    }
}
