//! Signs of life to the outside: the watchdog that would restart the box, and a light that blinks.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The hardware watchdog, where there is one. Once open it must be fed, or the hardware starts the box anew.
#[derive(Debug)]
pub(super) struct Watchdog {
    device: Option<File>,
    fed: Option<Instant>,
}

const DEVICE: &str = "/dev/watchdog";

/// Whether the disk is QEMU's SD card: its Raspberry Pi takes the start of the watchdog for a reset, then and there.
fn is_emulated_card(disk: &str) -> bool {
    fs::read_to_string(format!("/sys/block/{disk}/device/name")).is_ok_and(|name| name.trim() == "QEMU!")
}

/// Time between two feedings. The shortest-tempered watchdog we know (the Raspberry Pi's) waits 15 s.
const PERIOD: Duration = Duration::from_secs(4);

impl Watchdog {
    /// Opens it; one that is not there is fed for nothing. `disk` is the name of the box's disk.
    pub(super) fn open(disk: &str) -> Self {
        let device =
            if is_emulated_card(disk) { None } else { OpenOptions::new().write(true).open(DEVICE).ok() };
        if device.is_none() {
            log::info!("there is no watchdog");
        }
        Self { device, fed: None }
    }

    /// Feeds it, if it is time to.
    pub(super) fn feed(&mut self) {
        if self.fed.is_some_and(|fed| fed.elapsed() < PERIOD) {
            return;
        }
        self.fed = Some(Instant::now());
        self.write(b"\0");
    }

    /// Stops it: the box is to stay off. (`V` is the kernel's word for it, and counts when the device is closed:
    /// linux/watchdog-api.)
    pub(super) fn disarm(&mut self) {
        self.write(b"V");
        self.device = None;
    }

    fn write(&mut self, word: &[u8]) {
        if let Some(device) = &mut self.device
            && let Err(error) = device.write_all(word)
        {
            log::error!("the watchdog does not listen: {error}");
        }
    }
}

/// The light that says that the box is alive.
#[derive(Debug)]
pub(super) struct Light {
    brightness: Option<PathBuf>,
    is_lit: bool,
}

/// Names of the activity light on the boards that have one; the Raspberry Pi's has had two.
const LIGHTS: [&str; 2] = ["ACT", "led0"];

impl Light {
    /// Takes it from the kernel, where there is one.
    pub(super) fn open() -> Self {
        let folder =
            LIGHTS.iter().map(|name| PathBuf::from("/sys/class/leds").join(name)).find(|path| path.exists());
        let brightness = folder.map(|folder| {
            let _ = fs::write(folder.join("trigger"), "none");
            folder.join("brightness")
        });
        Self { brightness, is_lit: false }
    }

    /// Changes it: blinking, called every second, while the mail process lives.
    pub(super) fn blink(&mut self) {
        self.set(!self.is_lit);
    }

    /// Leaves it dark.
    pub(super) fn put_out(&mut self) {
        self.set(false);
    }

    fn set(&mut self, lit: bool) {
        self.is_lit = lit;
        if let Some(brightness) = &self.brightness {
            let _ = fs::write(brightness, if lit { "1" } else { "0" });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watchdog_is_stopped_by_a_word_and_by_letting_go() {
        let path = crate::devices::tests::on_disk("watchdog");
        let mut watchdog = Watchdog { device: Some(File::create(&path).unwrap()), fed: None };
        watchdog.feed();
        watchdog.feed();
        watchdog.disarm();
        watchdog.fed = None;
        assert!(watchdog.device.is_none());
        watchdog.feed();
        assert_eq!(fs::read(&path).unwrap(), b"\0V");
        fs::remove_file(path).unwrap();
    }
}
