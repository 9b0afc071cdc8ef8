//! Limits that all sessions share, with their reasons. Each protocol keeps its own beside its code.

/// Bytes of output that a session may have pending before it must ask for room. One TLS record is 16 KiB.
pub const OUTPUT_BYTES_SOFT_MAX: usize = 32 * 1024;

/// Bytes that the driver reads from a socket at once, and so the most that a session is given in one step.
pub const INPUT_BYTES_MAX: usize = 16 * 1024;

/// Longest log-in name and longest password in bytes. RFC 4616 leaves them open; passphrases stay far below.
pub const CREDENTIAL_BYTES_MAX: usize = 512;

/// Longest nonce that a client of SCRAM may choose, in bytes. RFC 5802 leaves it open; clients send 18 to 64, and it
/// comes back in the server's challenge, whose line must stay short.
pub const CLIENT_NONCE_BYTES_MAX: usize = 128;
