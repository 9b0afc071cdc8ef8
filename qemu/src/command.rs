//! The machines that QEMU plays, and the command lines that make it play them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::services::{self, SERVICES};

/// A machine that QEMU plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Board {
    /// QEMU's own ARM machine, one Cortex-A53.
    Virt,
    /// A Raspberry Pi 3 Model B, with the card image of the real one.
    Raspi3b,
}

/// Memory of `virt` when nothing is said, in MiB: what the box promises to work in.
pub const RAM_MIB: u32 = 128;
/// Memory of a Raspberry Pi 3: QEMU plays it with this or not at all.
const RASPI3B_RAM_MIB: u32 = 1024;

/// What a command line is made of.
pub(crate) struct Parts<'a> {
    pub(crate) kernel: &'a Path,
    pub(crate) initramfs: &'a Path,
    pub(crate) device_tree: Option<PathBuf>,
    pub(crate) command_line: &'a str,
    pub(crate) disk: &'a Path,
    /// Where every write to the disk is recorded; `virt` only.
    pub(crate) write_log: Option<&'a Path>,
    /// The disk takes no writes; `virt` only.
    pub(crate) disk_is_read_only: bool,
    pub(crate) control: &'a Path,
    pub(crate) ram_mib: Option<u32>,
    pub(crate) port_offset: u16,
}

impl Board {
    /// The machine of that name.
    pub fn named(name: &str) -> Result<Self> {
        match name {
            "virt" => Ok(Self::Virt),
            "raspi3b" => Ok(Self::Raspi3b),
            _ => bail!("there is no machine {name:?}: known are virt, raspi3b"),
        }
    }

    /// The board file that its image is built from.
    pub fn image_board(self) -> &'static str {
        match self {
            Self::Virt => "virt",
            Self::Raspi3b => "rpi",
        }
    }

    /// The device tree on its boot partition; QEMU makes `virt`'s itself.
    pub(crate) fn device_tree(self) -> Option<&'static str> {
        match self {
            Self::Virt => None,
            Self::Raspi3b => Some("bcm2837-rpi-3-b.dtb"),
        }
    }

    /// The size that a disk needs to have at least this many bytes: QEMU's SD cards come in powers of two.
    pub(crate) fn disk_bytes(self, at_least: u64) -> u64 {
        match self {
            Self::Virt => at_least,
            Self::Raspi3b => at_least.next_power_of_two(),
        }
    }

    /// What follows QEMU's name on its command line.
    pub(crate) fn arguments(self, parts: &Parts) -> Result<Vec<OsString>> {
        let mut line = Line(Vec::new());
        line.add(&["-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none"]);
        line.option("-kernel", parts.kernel).option("-initrd", parts.initramfs);
        line.add(&["-append", parts.command_line]);
        line.option("-qmp", unix_socket(parts.control));
        match self {
            Self::Virt => virt(&mut line, parts)?,
            Self::Raspi3b => raspi3b(&mut line, parts)?,
        }
        line.add(&["-netdev", &network(parts.port_offset)]);
        Ok(line.0)
    }
}

fn virt(line: &mut Line, parts: &Parts) -> Result<()> {
    let ram = parts.ram_mib.unwrap_or(RAM_MIB).to_string();
    line.add(&["-machine", "virt", "-cpu", "cortex-a53", "-smp", "1", "-m", &ram]);
    // Translated code for one small guest: the default takes a gigabyte of address space and, in time, of
    // memory.
    line.add(&["-accel", "tcg,tb-size=128", "-serial", "stdio"]);
    match (parts.write_log, parts.disk_is_read_only) {
        (Some(_), true) => bail!("there are no writes to be recorded on a disk that takes none"),
        (Some(log), false) => recorded_disk(line, parts.disk, log),
        (None, is_read_only) => disk(line, parts.disk, is_read_only),
    }
    // No network boot: romfile= does without ipxe's ROM.
    line.add(&["-device", "virtio-net-pci,netdev=network,romfile="]);
    line.add(&["-device", "virtio-rng-pci", "-device", "i6300esb", "-action", "watchdog=reset"]);
    Ok(())
}

fn disk(line: &mut Line, path: &Path, is_read_only: bool) {
    // cache=writeback: what the guest writes lands in the host's page cache, and its flush is an fdatasync
    // there. A killed QEMU loses nothing that was flushed, and a killed host neither.
    let mut drive = "if=none,id=disk,format=raw,cache=writeback,discard=unmap".to_owned();
    if is_read_only {
        drive.push_str(",readonly=on");
    }
    drive.push_str(",file=");
    line.option("-drive", with_path(&drive, path));
    line.add(&["-device", "virtio-blk-pci,drive=disk"]);
}

/// The same disk behind QEMU's `blklogwrites`, which appends every write, discard and flush to a log when the
/// file has done it, in the format of Linux's dm-log-writes. The guest hears of the end of a request only after
/// its entry is in the log.
fn recorded_disk(line: &mut Line, path: &Path, log: &Path) {
    let mut text = with_path(
        "driver=blklogwrites,node-name=disk,discard=unmap,file.driver=file,file.discard=unmap,file.filename=",
        path,
    );
    text.push(with_path(",log-sector-size=512,log.driver=file,log.filename=", log));
    line.option("-blockdev", text);
    // write-cache: or the guest would not flush. No write-zeroes: until QEMU 9 such a request that runs beside
    // another one spoils the log.
    line.add(&["-device", "virtio-blk-pci,drive=disk,write-cache=on,write-zeroes=off"]);
}

fn raspi3b(line: &mut Line, parts: &Parts) -> Result<()> {
    if parts.ram_mib.is_some_and(|ram| ram != RASPI3B_RAM_MIB) {
        bail!("a Raspberry Pi 3 has {RASPI3B_RAM_MIB} MiB of memory: leave out --ram");
    }
    if parts.write_log.is_some() {
        bail!("writes are recorded on the board virt alone: leave out --log-writes");
    }
    if parts.disk_is_read_only {
        bail!("QEMU plays no SD card that takes no writes");
    }
    // With a thread for each of the four CPUs they wait for one another: 27 to 80 s to a banner instead of 7.
    line.add(&["-machine", "raspi3b", "-accel", "tcg,thread=single,tb-size=128"]);
    if let Some(tree) = &parts.device_tree {
        line.option("-dtb", tree);
    }
    // The console is the second serial port, as on the pin header.
    line.add(&["-serial", "null", "-serial", "stdio"]);
    line.option("-drive", with_path("if=sd,format=raw,cache=writeback,file=", parts.disk));
    line.add(&["-device", "usb-net,netdev=network"]);
    // The machine has no power key: a keyboard's stops it.
    line.add(&["-device", "usb-kbd"]);
    Ok(())
}

/// User networking with every service forwarded from loopback.
fn network(offset: u16) -> String {
    let mut text = "user,id=network".to_owned();
    for (_, port) in SERVICES {
        text.push_str(&format!(",hostfwd=tcp:{}-:{port}", services::address(offset, port)));
    }
    text
}

fn unix_socket(path: &Path) -> OsString {
    let mut text = with_path("unix:", path);
    text.push(",server=on,wait=off");
    text
}

/// A path inside an option: QEMU reads two commas as one.
fn with_path(start: &str, path: &Path) -> OsString {
    let mut text = OsString::from(start);
    text.push(path.to_string_lossy().replace(',', ",,"));
    text
}

/// A command line in the making.
struct Line(Vec<OsString>);

impl Line {
    fn add(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(Into::into));
    }

    fn option(&mut self, name: &str, value: impl Into<OsString>) -> &mut Self {
        self.0.extend([name.into(), value.into()]);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(board: Board, ram_mib: Option<u32>) -> Result<String> {
        words(board, ram_mib, None, false)
    }

    fn words(
        board: Board,
        ram_mib: Option<u32>,
        write_log: Option<&Path>,
        disk_is_read_only: bool,
    ) -> Result<String> {
        let parts = Parts {
            kernel: Path::new("k"),
            initramfs: Path::new("i"),
            device_tree: board.device_tree().map(PathBuf::from),
            command_line: "console=x y",
            disk: Path::new("/a,b/disk"),
            write_log,
            disk_is_read_only,
            control: Path::new("c"),
            ram_mib,
            port_offset: 20_000,
        };
        let words = board.arguments(&parts)?;
        Ok(words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn virt_has_128_mib_unless_told_otherwise_and_forwards_every_port() {
        let text = line(Board::Virt, None).unwrap();
        assert!(text.contains("-m 128 ") && text.contains("file=/a,,b/disk"), "{text}");
        for (_, port) in SERVICES {
            assert!(text.contains(&format!("hostfwd=tcp:127.0.0.1:{}-:{port}", 20_000 + port)), "{text}");
        }
        assert!(line(Board::Virt, Some(64)).unwrap().contains("-m 64 "));
    }

    #[test]
    fn a_disk_whose_writes_are_recorded_is_flushed_and_unmapped_as_any() {
        let text = words(Board::Virt, None, Some(Path::new("/c,d/log")), false).unwrap();
        for part in
            ["file.filename=/a,,b/disk,", "log.filename=/c,,d/log ", "discard=unmap", "write-cache=on"]
        {
            assert!(text.contains(part), "{text}");
        }
        assert!(words(Board::Raspi3b, None, Some(Path::new("log")), false).is_err());
    }

    #[test]
    fn a_disk_takes_writes_unless_it_is_said_that_it_takes_none() {
        assert!(!line(Board::Virt, None).unwrap().contains("readonly"));
        let text = words(Board::Virt, None, None, true).unwrap();
        assert!(text.contains(",readonly=on,file=/a,,b/disk "), "{text}");
        assert!(words(Board::Virt, None, Some(Path::new("log")), true).is_err());
        assert!(words(Board::Raspi3b, None, None, true).is_err());
    }

    #[test]
    fn a_raspberry_pi_has_the_memory_that_it_has_and_a_card_of_a_power_of_two() {
        assert!(line(Board::Raspi3b, None).unwrap().contains("-dtb bcm2837-rpi-3-b.dtb"));
        assert!(line(Board::Raspi3b, Some(128)).is_err());
        assert_eq!(Board::Raspi3b.disk_bytes((256 << 20) + (300 << 20)), 1 << 30);
        assert_eq!(Board::Raspi3b.disk_bytes(512 << 20), 512 << 20);
    }
}
