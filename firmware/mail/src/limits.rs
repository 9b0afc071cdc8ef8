//! Every limit that both sides of the port must know, with its reason.

/// Longest address in bytes, `local@domain`. RFC 5321 §4.5.3.1.3 allows a path of 256 octets, brackets included;
/// UTF-8 local parts (RFC 6531) are counted in octets too.
pub const ADDRESS_BYTES_MAX: usize = 254;

/// Longest local part in bytes. RFC 5321 §4.5.3.1.1 says 64.
pub const LOCAL_PART_BYTES_MAX: usize = 64;

/// Longest mailbox name in bytes of UTF-8, the whole path. What clients can show, and what fits a record.
pub const MAILBOX_NAME_BYTES_MAX: usize = 240;

/// Mailboxes of one account. A client lists them all at every start; a person keeps some dozens.
pub const MAILBOXES_PER_ACCOUNT_MAX: usize = 1_000;

/// Keywords of one account: what fits beside the system flags in the 64 bits of [`crate::Flags`].
pub const KEYWORDS_PER_ACCOUNT_MAX: u32 = 56;

/// Longest keyword in bytes.
pub const KEYWORD_BYTES_MAX: usize = 64;

/// Recipients of one letter after aliases are expanded. RFC 5321 §4.5.3.1.8 asks for at least 100.
pub const RECIPIENTS_MAX: usize = 1_000;

/// How much of a letter's beginning, up to the end of its header block, is kept in the metadata, so that listing a
/// mailbox never reads a body. Header blocks are 2 to 8 KiB as a rule; what is longer is read from the body.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Longest summary (envelope, structure, parts) of one letter in bytes; see `proto::mime`.
pub const SUMMARY_BYTES_MAX: usize = 32 * 1024;

/// Size of the largest message accepted when nothing else is set, in bytes.
pub const MESSAGE_BYTES_DEFAULT: u64 = 50 * 1024 * 1024;
