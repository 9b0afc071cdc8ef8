//! The power key: an input device that says KEY_POWER, wherever it is.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::Read as _;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt as _;

use rustix::fs::OFlags;

/// Where input devices appear.
const FOLDER: &str = "/dev/input";

/// `struct input_event`, linux/input.h: a time, then type and code (u16) and value (i32).
const EVENT_BYTES: usize = size_of::<libc::input_event>();
const EV_KEY: u16 = 1;
const KEY_POWER: u16 = 116;

/// The input devices of the box.
#[derive(Debug, Default)]
pub(super) struct Buttons {
    devices: BTreeMap<OsString, File>,
}

impl Buttons {
    /// Opens devices that have appeared; cheap enough for every second.
    pub(super) fn refresh(&mut self) {
        for entry in fs::read_dir(FOLDER).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if !name.as_encoded_bytes().starts_with(b"event") || self.devices.contains_key(&name) {
                continue;
            }
            let mut options = OpenOptions::new();
            options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
            if let Ok(device) = options.open(entry.path()) {
                self.devices.insert(name, device);
            }
        }
    }

    /// The descriptors to wait for.
    pub(super) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.devices.values().map(AsFd::as_fd)
    }

    /// Reads what there is; tells whether the power key was pressed. Devices that are gone are forgotten.
    pub(super) fn was_pressed(&mut self) -> bool {
        let mut pressed = false;
        self.devices.retain(|_, device| {
            let mut buffer = [0; EVENT_BYTES * 16];
            loop {
                match device.read(&mut buffer) {
                    Ok(0) => return false,
                    Ok(len) => pressed |= has_power_key(buffer.get(..len).unwrap_or_default()),
                    Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
                }
            }
        });
        pressed
    }
}

fn has_power_key(events: &[u8]) -> bool {
    events.chunks_exact(EVENT_BYTES).filter_map(kind_code_value).any(|event| event == (EV_KEY, KEY_POWER, 1))
}

fn kind_code_value(event: &[u8]) -> Option<(u16, u16, i32)> {
    let [k0, k1, c0, c1, v0, v1, v2, v3] = *event.last_chunk::<8>()?;
    let value = i32::from_ne_bytes([v0, v1, v2, v3]);
    Some((u16::from_ne_bytes([k0, k1]), u16::from_ne_bytes([c0, c1]), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: u16, code: u16, value: i32) -> Vec<u8> {
        let mut bytes = vec![0x55; EVENT_BYTES - 8];
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&code.to_ne_bytes());
        bytes.extend_from_slice(&value.to_ne_bytes());
        bytes
    }

    #[test]
    fn the_power_key_counts_when_it_goes_down() {
        assert!(has_power_key(&[event(0, 0, 0), event(EV_KEY, KEY_POWER, 1)].concat()));
        assert!(!has_power_key(&event(EV_KEY, KEY_POWER, 0)));
        assert!(!has_power_key(&event(EV_KEY, 30, 1)));
        assert!(!has_power_key(&[1; 5]));
    }
}
