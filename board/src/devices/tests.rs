//! Devices on real files: a disk with `O_DIRECT`, memory without.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use flash::{Direct, Fault, Flash, FlashQueue};

use super::{Device, Disk, OpenError, Settings, open};

const SETTINGS: Settings = Settings { write_size: 4096, erase_size: 65_536 };

/// A path in a folder that is a real file system where the build is.
pub(crate) fn on_disk(name: &str) -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.set_file_name(format!("board-test-{name}-{}", std::process::id()));
    let _ = fs::remove_file(&path);
    path
}

/// A path in memory.
pub(crate) fn in_memory(name: &str) -> PathBuf {
    let path = PathBuf::from(format!("/dev/shm/board-test-{name}-{}", std::process::id()));
    let _ = fs::remove_file(&path);
    path
}

fn exercise(device: &mut (impl Device + ?Sized)) {
    let geometry = device.geometry();
    assert_eq!((geometry.write_size, geometry.erase_size), (4096, 65_536));
    device.erase(65_536, 65_536).unwrap();
    let units: Vec<u8> = (0..16_384_u32).map(|at| (at / 7) as u8).collect();
    // Skewed on purpose, so that the buffer is not aligned.
    let mut skewed = vec![0];
    skewed.extend_from_slice(&units);
    device.program(65_536 + 4096, &skewed[1..]).unwrap();
    device.barrier().unwrap();
    let reader = device.reader();
    for (skip, len) in [(0, 16_384), (1, 1), (4095, 2), (5000, 11_000)] {
        let mut out = vec![0; len];
        device.read(65_536 + 4096 + skip as u64, &mut out).unwrap();
        assert_eq!(out, units[skip..skip + len]);
        out.fill(0);
        reader.read_medium(65_536 + 4096 + skip as u64, &mut out).unwrap();
        assert_eq!(out, units[skip..skip + len]);
        out.fill(0);
        reader.read_waiting(65_536 + 4096 + skip as u64, &mut out).unwrap();
        assert_eq!(out, units[skip..skip + len]);
    }
    let mut last = [1; 100];
    reader.read_medium(geometry.capacity - 100, &mut last).unwrap();
    assert_eq!(last, [0; 100]);
    assert_eq!(device.program(100, &units), Err(Fault::Misuse));
    assert_eq!(reader.read_medium(geometry.capacity - 99, &mut last), Err(Fault::Misuse));
}

#[test]
fn a_file_on_disk_is_written_directly_and_keeps_its_content() {
    let path = on_disk("file");
    let mut disk = Disk::file(&path, 200_000, &SETTINGS).unwrap();
    assert!(disk.is_direct());
    assert_eq!(disk.geometry().capacity, 262_144, "rounded up to whole blocks");
    exercise(&mut disk);
    drop(disk);
    let mut again = open_when_free(&path);
    assert_eq!(again.geometry().capacity, 262_144, "never made shorter");
    let mut first = [0; 7];
    again.read(65_536 + 4096 + 7000, &mut first).unwrap();
    assert_eq!(first, [232; 7]);
    fs::remove_file(path).unwrap();
}

#[test]
fn a_file_in_memory_works_too() {
    let path = in_memory("file");
    exercise(&mut *open(&path, 262_144, &SETTINGS).unwrap());
    fs::remove_file(path).unwrap();
}

#[test]
fn a_device_serves_as_a_queue() {
    let path = on_disk("queue");
    let mut queue = Direct::new(open(&path, 65_536, &SETTINGS).unwrap());
    queue.program(0, &[5; 4096]).unwrap();
    let id = queue.barrier().unwrap();
    assert_eq!(queue.settled(), Some((id, Ok(()))));
    fs::remove_file(path).unwrap();
}

/// Opens once the lock is gone: other tests start programs, and for a moment those hold copies of every descriptor.
fn open_when_free(path: &std::path::Path) -> Disk {
    for _ in 0..200 {
        match Disk::file(path, 65_536, &SETTINGS) {
            Err(OpenError::Held { .. }) => std::thread::sleep(Duration::from_millis(10)),
            opened => return opened.unwrap(),
        }
    }
    panic!("{} stays locked", path.display());
}

#[test]
fn a_second_opener_is_told_who_has_it() {
    let path = on_disk("lock");
    let first = Disk::file(&path, 65_536, &SETTINGS).unwrap();
    let refused = Disk::file(&path, 65_536, &SETTINGS).unwrap_err();
    let OpenError::Held { holder, .. } = &refused else { panic!("{refused}") };
    assert_eq!(holder.pid, Some(std::process::id()));
    assert!(refused.to_string().contains("is in use by process"), "{refused}");
    drop(first);
    open_when_free(&path);
    fs::remove_file(path).unwrap();
}

#[test]
fn the_lock_ends_with_its_holder_however_that_ends() {
    let path = on_disk("killed");
    fs::write(&path, [0; 65_536]).unwrap();
    let mut holder = Command::new("flock").arg("--no-fork").arg(&path).args(["sleep", "60"]).spawn().unwrap();
    let refused = loop {
        match Disk::file(&path, 0, &SETTINGS) {
            Ok(disk) => drop(disk),
            Err(error) => break error.to_string(),
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(refused.contains(&format!("process {}", holder.id())), "{refused}");
    holder.kill().unwrap();
    holder.wait().unwrap();
    open_when_free(&path);
    fs::remove_file(path).unwrap();
}

#[test]
fn what_cannot_be_flash_is_refused_in_words() {
    let folder = open(&std::env::temp_dir(), 0, &SETTINGS).map(|_| ()).unwrap_err();
    assert!(folder.to_string().contains("neither a file nor a storage device"), "{folder}");
    let null = open("/dev/null".as_ref(), 0, &SETTINGS).map(|_| ()).unwrap_err();
    assert!(null.to_string().contains("neither a file nor a storage device"), "{null}");
    let small = on_disk("small");
    let error = Disk::file(&small, 0, &SETTINGS).unwrap_err();
    assert!(error.to_string().contains("smaller than one erase block"), "{error}");
    fs::remove_file(small).unwrap();
    let endless = on_disk("endless");
    let error = Disk::file(&endless, u64::MAX, &SETTINGS).unwrap_err();
    assert!(matches!(error, OpenError::Unfit { .. }) && !endless.exists(), "{error}");
    let odd = Settings { write_size: 1000, erase_size: 4000 };
    assert!(matches!(Disk::file(&on_disk("odd"), 0, &odd), Err(OpenError::Unfit { .. })));
    let gone = Disk::block("/dev/no-such-disk".as_ref(), &SETTINGS).unwrap_err();
    assert!(gone.to_string().starts_with("cannot open /dev/no-such-disk"), "{gone}");
}

/// Needs root for a loop device; elsewhere the image in QEMU is the test.
#[test]
fn a_block_device_works() {
    let path = on_disk("loop");
    fs::write(&path, vec![0; 300_000]).unwrap();
    let Ok(made) = Command::new("losetup").args(["--show", "-f"]).arg(&path).output() else { return };
    if !made.status.success() {
        return;
    }
    let device = PathBuf::from(String::from_utf8(made.stdout).unwrap().trim());
    let mut disk = Disk::block(&device, &SETTINGS).unwrap();
    assert_eq!(disk.geometry().capacity, 262_144, "rounded down to whole blocks");
    exercise(&mut disk);
    assert!(matches!(open(&device, 0, &SETTINGS).map(|_| ()), Err(OpenError::Held { .. })));
    drop(disk);
    assert!(Command::new("losetup").arg("-d").arg(&device).status().unwrap().success());
    fs::remove_file(path).unwrap();
}
