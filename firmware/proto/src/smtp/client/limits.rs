//! Limits of a sending session, each with its reason. Times are milliseconds for which the remote is waited for;
//! RFC 5321 §4.5.3.2 says how short they may be at least.

/// For the greeting (RFC 5321 §4.5.3.2.1). A server may hold it back until it has looked the client up.
pub const GREETING_MS_MAX: u64 = 5 * 60 * 1000;

/// For the reply to EHLO, HELO, STARTTLS, AUTH and RSET, which RFC 5321 leaves open (RFC 4954 §4: at least three
/// minutes): as long as for MAIL.
pub const COMMAND_MS_MAX: u64 = 5 * 60 * 1000;

/// For the reply to MAIL (RFC 5321 §4.5.3.2.2).
pub const MAIL_MS_MAX: u64 = 5 * 60 * 1000;

/// For the reply to RCPT (RFC 5321 §4.5.3.2.3).
pub const RCPT_MS_MAX: u64 = 5 * 60 * 1000;

/// For the reply to DATA (RFC 5321 §4.5.3.2.4).
pub const DATA_MS_MAX: u64 = 2 * 60 * 1000;

/// For a block of a letter to be taken, which is what the output holds at most (RFC 5321 §4.5.3.2.5).
pub const BLOCK_MS_MAX: u64 = 3 * 60 * 1000;

/// For the reply to the end of a letter (RFC 5321 §4.5.3.2.6): whoever gives up too early sends the letter twice.
pub const END_MS_MAX: u64 = 10 * 60 * 1000;

/// For the reply to QUIT. Nothing depends on it: all letters have their outcome.
pub const QUIT_MS_MAX: u64 = 10 * 1000;

/// Longest line of a reply in bytes, its end included. RFC 5321 §4.5.3.1.5 says 512; servers that add the address of a
/// page to every refusal go beyond.
pub const REPLY_LINE_BYTES_MAX: usize = 4 * 1024;

/// Longest reply in bytes, all its lines together. The longest honest ones are lists of extensions, below 1 KiB, and
/// explanations of refusals, below 2 KiB.
pub const REPLY_BYTES_MAX: usize = 16 * 1024;

/// How much of a reply's text is kept for reports, in bytes of UTF-8: a sentence or two, with the address of a page.
pub const REPLY_TEXT_BYTES_MAX: usize = 1024;

/// How much is kept of what the driver says about a lost connection, in bytes of UTF-8.
pub const LOSS_TEXT_BYTES_MAX: usize = 256;

/// Commands sent and not yet answered (RFC 2920 §3.1). While commands are written no reply is read, so their replies
/// must fit the buffers between the two sides, or both would wait for ever: 25 KiB of them at 512 bytes each do.
pub const PIPELINED_COMMANDS_MAX: usize = 50;

/// Longest AUTH line with an initial response, in bytes, CRLF included (RFC 4954 §4: the limit of RFC 5321 §4.5.3.1.4
/// holds). A longer response waits for the challenge.
pub const AUTH_LINE_BYTES_MAX: usize = 512;

/// Most rounds of PBKDF2 that a server may ask for: some seconds on the smallest box. OWASP's cheat sheet has 600,000 for
/// passwords at rest, servers of mail between 4,096 (RFC 7677 §4) and a tenth of that.
pub const SCRAM_ROUNDS_MAX: u32 = 1_000_000;

/// Longest salt of SCRAM in bytes. RFC 5802 leaves it open; servers have 12 to 32.
pub const SCRAM_SALT_BYTES_MAX: usize = 256;

/// Longest part of a nonce of SCRAM that a server may add, in bytes. RFC 5802 leaves it open; servers add 16 to 64.
pub const SCRAM_NONCE_BYTES_MAX: usize = 512;

/// Longest value of ORCPT and ENVID in bytes. RFC 3461 §4: 500 for ORCPT, 100 for ENVID.
pub const PARAMETER_BYTES_MAX: usize = 500;

/// Bytes of a letter read at once, at most. What the flash has at hand is rarely more.
pub(super) const READ_BYTES_MAX: usize = 16 * 1024;
