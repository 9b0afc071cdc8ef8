//! The file systems of the box: the kernel's own, and the boot partition.

use std::fs;
use std::path::Path;

use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};

/// Where the boot partition is mounted.
pub(super) const BOOT: &str = "/boot";

/// What the kernel offers, and where it is wanted.
const SYSTEM: [(&str, &str, MountFlags); 3] = [
    ("devtmpfs", "/dev", MountFlags::NOSUID.union(MountFlags::NOEXEC)),
    ("proc", "/proc", HARMLESS),
    ("sysfs", "/sys", HARMLESS),
];

const HARMLESS: MountFlags = MountFlags::NOSUID.union(MountFlags::NOEXEC).union(MountFlags::NODEV);

/// Kernel settings of the box, with their reasons.
const SETTINGS: [(&str, &str); 3] = [
    // Otherwise the kernel drops our log lines when there are more than ten in five seconds.
    ("/proc/sys/kernel/printk_devkmsg", "on"),
    // A kernel that is lost starts the box again, after time to read why.
    ("/proc/sys/kernel/panic", "10"),
    ("/proc/sys/kernel/panic_on_oops", "1"),
];

/// Mounts what the kernel offers. There is no log yet, so failures show themselves later, in what is missing.
pub(super) fn mount_system() {
    for (kind, target, flags) in SYSTEM {
        let _ = fs::create_dir_all(target);
        let _ = mount(kind, target, kind, flags, None);
    }
    for (path, value) in SETTINGS {
        let _ = fs::write(path, value);
    }
}

/// Mounts the boot partition for reading. It is made writable only while a file is written: a FAT that is not open
/// for writing is not hurt by a power cut.
pub(super) fn mount_boot(device: &Path) -> Result<(), Errno> {
    let _ = fs::create_dir_all(BOOT);
    let flags = HARMLESS.union(MountFlags::NOATIME).union(MountFlags::RDONLY);
    mount(device, BOOT, "vfat", flags, None)
}

/// Runs `work` while the boot partition can be written.
pub(super) fn with_boot_writable<T>(work: impl FnOnce() -> std::io::Result<T>) -> std::io::Result<T> {
    let flags = HARMLESS.union(MountFlags::NOATIME);
    // SYNCHRONOUS has FAT and names written in an order in which a cut loses space at worst.
    mount_remount(BOOT, flags.union(MountFlags::SYNCHRONOUS), c"")?;
    let result = work();
    if let Err(errno) = mount_remount(BOOT, flags.union(MountFlags::RDONLY), c"") {
        log::warn!("the boot partition stays writable: {errno}");
    }
    result
}

/// Takes the boot partition away, before the box ends.
pub(super) fn unmount_boot() {
    let _ = unmount(BOOT, UnmountFlags::empty());
}
