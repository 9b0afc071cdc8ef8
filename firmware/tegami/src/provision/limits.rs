//! Limits of the provision file, each with its reason.

/// Longest file in bytes. A thousand accounts with their hashes are about 200 KiB.
pub(crate) const FILE_BYTES_MAX: usize = 512 * 1024;

/// Domains, routes and devices in one file, each: a small office has a few of them.
pub(super) const ENTRIES_MAX: usize = 200;

/// Accounts, and aliases, in one file: far beyond the offices that the box is built for.
pub(super) const ACCOUNTS_MAX: usize = 2_000;

/// Targets of one alias.
pub(super) const TARGETS_MAX: usize = 200;

/// Servers in one list (DNS, NTP). More are never asked.
pub(super) const SERVERS_MAX: usize = 8;

/// Longest domain name in characters (RFC 1035 §2.3.4: 255 octets on the wire).
pub(super) const DOMAIN_BYTES_MAX: usize = 253;

/// Longest label of a domain name (RFC 1035 §2.3.4).
pub(super) const LABEL_BYTES_MAX: usize = 63;

/// Longest user name or password for a next hop: what one line of SASL PLAIN carries with room to spare.
pub(super) const RELAY_TEXT_BYTES_MAX: usize = 512;

/// Longest text with the certificates of a next hop: a dozen of them. As DER it fits one setting of the store (64 KiB).
pub(super) const CA_BYTES_MAX: usize = 32 * 1024;

/// Smallest value for the largest message, in bytes: RFC 5321 §4.5.3.1.7 wants 64 KiB accepted.
pub(super) const MESSAGE_BYTES_MIN: u64 = 64 * 1024;

/// Largest value for the largest message, in bytes: half of what the store's extents hold when all are full, so that
/// a sender who dribbles still gets through; and far beyond what any other server would take.
pub(super) const MESSAGE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Longest key of a setting in bytes. The store takes 128 (its `SETTING_KEY_BYTES_MAX`).
pub(super) const SETTING_KEY_BYTES_MAX: usize = 128;

/// Most days for a scrub: a year. What lies unread longer may as well not be read at all.
pub(super) const SCRUB_DAYS_MAX: u16 = 365;

/// Days within which everything on the flash is read once, where nothing else is said: cards lose bits over months, and
/// 64 GB in 30 days are 25 KB/s.
pub(crate) const SCRUB_DAYS_DEFAULT: u16 = 30;

/// Smallest quota in bytes: a typing error otherwise.
pub(super) const QUOTA_BYTES_MIN: u64 = 1024 * 1024;
