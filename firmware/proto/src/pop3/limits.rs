//! Limits of a POP3 session, each with its reason.

use crate::sasl;

/// Longest command line in bytes, its end included. RFC 2449 §4 says 255; an initial response of AUTH may be longer
/// (RFC 5034 §4).
pub const COMMAND_BYTES_MAX: usize = sasl::RESPONSE_BYTES_MAX + 64;

/// How long a client may take for one whole command line, or to read what one buffer holds, in milliseconds.
/// RFC 1939 §3: at least ten minutes. Single bytes do not start it anew.
pub const IDLE_MS_MAX: u64 = 10 * 60 * 1000;

/// How long a client may keep a connection without log-in, or without fetching anything since, in milliseconds. While
/// it does, nobody else gets at the maildrop.
pub const UNPRODUCTIVE_MS_MAX: u64 = 60 * 60 * 1000;

/// Slowest reader of a letter, in bytes per second, beyond the first [`IDLE_MS_MAX`]. A mobile phone at the edge of its
/// network manages several thousand.
pub const TRANSFER_BYTES_PER_S_MIN: u64 = 1000;

/// Mistakes (unknown commands, wrong arguments, wrong state) since log-in or the last letter fetched.
pub const MISTAKES_MAX: u32 = 20;

/// Log-ins tried on one connection. A mail program tries each mechanism with each name form once.
pub const LOGINS_MAX: u32 = 5;

/// Messages that a listing looks at in one turn. Each costs about 0.1 µs.
pub const LISTED_PER_TURN_MAX: u32 = 4096;
