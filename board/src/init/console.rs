//! Text for whoever looks at the box: on every console the kernel has, serial line and screen alike.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;

/// The consoles in use, by name, separated by spaces.
const ACTIVE: &str = "/sys/class/tty/console/active";

/// Shows `text` on every console; never waits for one that does not take it.
pub(super) fn show(text: &str) {
    let active = fs::read_to_string(ACTIVE).unwrap_or_default();
    let mut shown = false;
    for name in active.split_whitespace() {
        shown |= write(&format!("/dev/{name}"), text);
    }
    if !shown {
        write("/dev/console", text);
    }
}

fn write(path: &str, text: &str) -> bool {
    let flags = (rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY).bits();
    let console = OpenOptions::new().write(true).custom_flags(flags.cast_signed()).open(path);
    console.is_ok_and(|mut console| console.write_all(text.as_bytes()).is_ok())
}
