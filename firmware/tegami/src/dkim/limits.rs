//! Limits of DKIM keys, each with its reason.

/// Bits of an RSA key: RFC 8301 §3.2 says at least 1024 and SHOULD be 2048. A longer one makes a record that some forms
/// of DNS providers do not take.
pub(super) const RSA_BITS: usize = 2_048;

/// Domains that get keys: as many as a provision file may have. All of them in the middle of a rotation take half of what
/// the store has for settings.
pub(crate) const DOMAINS_MAX: usize = 200;

/// Longest string of a TXT record in bytes (RFC 1035 §3.3).
pub(super) const STRING_BYTES_MAX: usize = 255;

/// Days for which the records of keys that sign no more should stay in the DNS: a letter may wait in queues for five
/// (RFC 5321 §4.5.4.1), in this one and the next, and be read and forwarded after that.
pub(crate) const FORMER_DAYS: i64 = 14;
