//! The disk of a box as the tests look into it: where its flash lies, and what is on it.

use image::layout::{Disk, SECTOR_BYTES};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// How much of a flash is copied at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// The part of a disk that is its flash.
///
/// # Panics
/// When there is none.
pub fn flash_of(disk: &Path) -> Range<u64> {
    let file = File::open(disk).expect("the disk can be opened");
    let bytes = file.metadata().expect("an open file can be looked at").len();
    let sector = |lba: u64| {
        let mut sector = [0; SECTOR_BYTES as usize];
        file.read_exact_at(&mut sector, lba * SECTOR_BYTES).is_ok().then_some(sector)
    };
    match Disk::parse(bytes, sector) {
        Ok(Disk::Ready(table)) => table.flash().start..table.flash().start + table.flash().len,
        other => panic!("the box has made no flash: {other:?}"),
    }
}

/// Copies the flash of a box that is off, its zeros as holes.
///
/// # Panics
/// When there is none, or it cannot be copied.
pub fn copy_flash(disk: &Path, to: &Path) {
    let part = flash_of(disk);
    let copied = || -> io::Result<()> {
        let (from, to) = (File::open(disk)?, File::create(to)?);
        to.set_len(part.end - part.start)?;
        let mut piece = vec![0; PIECE_BYTES];
        for at in (part.start..part.end).step_by(PIECE_BYTES) {
            let size = PIECE_BYTES.min((part.end - at) as usize);
            from.read_exact_at(&mut piece[..size], at)?;
            if piece[..size].iter().any(|byte| *byte != 0) {
                to.write_all_at(&piece[..size], at - part.start)?;
            }
        }
        Ok(())
    };
    copied().expect("the flash can be copied");
}
