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

/// Runs something on a copy of the flash of a box that is off, and puts what that has changed back.
///
/// # Panics
/// As [`copy_flash`].
pub fn with_flash(disk: &Path, work: &mut dyn FnMut(&Path)) {
    let flash = disk.with_extension("flash");
    copy_flash(disk, &flash);
    work(&flash);
    put_flash(disk, &flash).expect("the flash can be copied back");
    std::fs::remove_file(&flash).expect("an own file can be removed");
}

/// Makes the flash on a disk what a copy of it has become.
fn put_flash(disk: &Path, from: &Path) -> io::Result<()> {
    let part = flash_of(disk);
    let (disk, from) = (File::options().read(true).write(true).open(disk)?, File::open(from)?);
    let (mut before, mut now) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
    for at in (part.start..part.end).step_by(PIECE_BYTES) {
        let size = PIECE_BYTES.min((part.end - at) as usize);
        disk.read_exact_at(&mut before[..size], at)?;
        from.read_exact_at(&mut now[..size], at - part.start)?;
        if before[..size] != now[..size] {
            disk.write_all_at(&now[..size], at)?;
        }
    }
    Ok(())
}
