//! Limits of DKIM, each with its reason.

/// Longest header block that is signed, in bytes: 1,000 recipients ([`mail::limits::RECIPIENTS_MAX`]) with names in
/// encoded words. It is more than the metadata keeps of a letter ([`mail::limits::HEAD_BYTES_MAX`]), so that a letter to
/// many people is not the one that goes out unsigned: whoever signs reads the rest from the letter. Signing holds the
/// block and a canonical copy of what is signed of it, for one letter at a time.
pub const HEAD_BYTES_MAX: usize = 128 * 1024;

/// How often a header field that is signed may stand in a letter. RFC 5322 §3.6 says once of each of them; some programs
/// write `To` or `Cc` again for more recipients.
pub const INSTANCES_MAX: usize = 16;

/// Longest line of the field that is written, in characters, without its line end (RFC 5322 §2.1.1: SHOULD be no more
/// than 78). A domain that is longer stands in a line of its own.
pub const LINE_BYTES_MAX: usize = 78;

/// Longest domain name in characters (RFC 1035 §2.3.4: 255 octets on the wire).
pub const DOMAIN_BYTES_MAX: usize = 253;

/// Longest label of a domain name (RFC 1035 §2.3.4).
pub const LABEL_BYTES_MAX: usize = 63;
