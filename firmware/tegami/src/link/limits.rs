//! Limits of connections to other servers, each with its reason.

use std::time::Duration;

/// How long an address may take to accept a connection: four SYNs (RFC 6298 §2), which is as long as a network that works
/// at all may lose them. RFC 5321 §4.5.3.2 begins with the greeting.
pub(super) const CONNECT_MAX: Duration = Duration::from_secs(30);

/// After so long without an answer the next address is tried as well (RFC 8305 §8: Connection Attempt Delay).
pub(super) const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// TLS sessions that are remembered, for each way of trusting: of eight servers, each with the eight tickets that rustls
/// keeps. A ticket comes with the certificates, some 5 KiB.
pub(super) const TLS_SESSIONS_MAX: usize = 64;

/// Sets of authorities of the owner's own for which a configuration is kept: one for each of a few servers in the house.
pub(super) const OWN_TRUST_MAX: usize = 8;

/// Names that are quoted from a certificate which is for others: enough to see whose it is.
pub(super) const NAMES_QUOTED_MAX: usize = 3;

/// Random bytes in a nonce of SCRAM: as many as are never drawn twice, and a whole number of base64 groups.
pub(super) const NONCE_BYTES: usize = 18;
