//! Limits of the pages, each with its reason.

use std::time::Duration;

/// Longest request head in bytes, and the buffer of one connection: hyper's least. Browsers send about 1 KiB.
pub(super) const HEAD_BYTES_MAX: usize = 8_192;

/// Header lines of a request. Browsers send about twenty.
pub(super) const HEADERS_MAX: usize = 64;

/// Longest form in bytes: the claim's fields at their longest, each byte written as `%XX`.
pub(super) const FORM_BYTES_MAX: usize = 8_192;

/// How long a request head may take, and how long a connection may idle between two.
pub(super) const HEAD_TIME_MAX: Duration = Duration::from_secs(15);

/// How long a form may take.
pub(super) const FORM_TIME_MAX: Duration = Duration::from_secs(15);

/// How long a connection may live: long enough for the hashes of a claim on the slowest board, short enough that a
/// reader who stalls gives the connection back.
pub(super) const CONNECTION_TIME_MAX: Duration = Duration::from_secs(120);

/// Wrong claim codes before a pause.
pub(super) const CODE_TRIES: u32 = 5;

/// The first pause; each further one is twice as long.
pub(super) const CODE_PAUSE: Duration = Duration::from_secs(60);

/// The longest pause. At five tries in a quarter of an hour, 50 bits last longer than anybody.
pub(super) const CODE_PAUSE_MAX: Duration = Duration::from_secs(900);

/// Domains, addresses and sentences that a page lists. More would be a page that nobody reads.
pub(super) const LISTED_MAX: usize = 20;
