//! Limits of certificates, each with its reason.

/// Life of a server's certificate in seconds: 397 days, since Apple's systems refuse more than 398 and others follow.
pub(super) const LEAF_LIFE_S: i64 = 397 * 86_400;

/// How long before the moment of its making a certificate is valid already, in seconds: clocks of clients differ.
pub(super) const SKEW_S: i64 = 86_400;

/// No certificate is made for a time before this, in Unix seconds: 2026-11-01. A box without a clock starts in 1970,
/// and a certificate of that time would be refused by everybody.
pub(super) const FLOOR_UNIX_S: i64 = 1_793_491_200;

/// First year, and the year at whose beginning it ends, of a box's own authority. Fixed, because the box may not know
/// the time when it makes it; before 2050, because later dates have another form that old clients do not know
/// (RFC 5280 §4.1.2.5).
pub(super) const AUTHORITY_YEARS: (i32, i32) = (2026, 2049);

/// IP addresses in one certificate. A box has a few; each costs bytes in every handshake.
pub(super) const ADDRESSES_MAX: usize = 16;

/// Names in one certificate, for the same reason.
pub(super) const NAMES_MAX: usize = 64;
