//! What tests of several rooms need.

use std::process::Command;

use crate::sys;

/// Moves this thread into a network namespace of its own, where `ip` may do anything. False where that cannot be had:
/// without root, or without iproute2. There the image in QEMU is the test.
pub(crate) fn own_network() -> bool {
    Command::new("ip").arg("-V").output().is_ok() && sys::leave_network().is_ok()
}
