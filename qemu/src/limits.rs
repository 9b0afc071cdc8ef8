//! How long things may take, and how much is kept.

use std::time::Duration;

/// QEMU opens its control socket within milliseconds of its start; this long on a machine that swaps.
pub const CONTROL_TIMEOUT: Duration = Duration::from_secs(20);

/// A box that was asked to stop ends its sessions, flushes and powers off: a second or two under emulation,
/// more on a busy host.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);

/// First wait for a banner. Connections made before the guest's network is up are lost, so the first ones are
/// short.
pub const BANNER_TIMEOUT_FIRST: Duration = Duration::from_millis(250);

/// Longest wait for a banner: a loaded host emulates slowly, and giving up too soon would never see a slow
/// one.
pub const BANNER_TIMEOUT_MAX: Duration = Duration::from_secs(5);

/// How often a wait looks again.
pub const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Attempts to find ten free ports before giving up: another process may take one between the look and QEMU's
/// start.
pub const PORT_ATTEMPTS_MAX: usize = 8;

/// Lines of the box's console that an error message quotes.
pub const QUOTED_LINES_MAX: usize = 15;

/// Connections to one forwarded port that may wait for QEMU to take them up.
pub const BACKLOG: i32 = 128;
