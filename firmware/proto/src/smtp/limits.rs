//! Limits of an SMTP session, each with its reason. RFC 5321 §4.5.3 is their frame.

/// Longest command line in bytes, CRLF included. RFC 5321 §4.5.3.1.4 says 512, and every extension adds to it: SIZE
/// 26, BODY 17, SMTPUTF8 10, AUTH 500 for MAIL (RFC 4954 §3 item 6), an initial response of up to 12288 for AUTH, of
/// which [`crate::sasl::RESPONSE_BYTES_MAX`] are of use here.
pub const COMMAND_BYTES_MAX: usize = 4096;

/// How long a client may take for one whole command line, or pause within a letter, in milliseconds. RFC 5321
/// §4.5.3.2.7: at least five minutes. Single bytes do not start it anew for a command line.
pub const IDLE_MS_MAX: u64 = 5 * 60 * 1000;

/// How long a connection may last, in milliseconds, since its beginning, its last accepted letter or its log-in: one
/// that only keeps itself busy is closed in the end. A thousand recipients at a second each still fit.
pub const UNPRODUCTIVE_MS_MAX: u64 = 30 * 60 * 1000;

/// How long a client may make us wait within one letter, in milliseconds, before it must have shown progress: see
/// [`TRANSFER_BYTES_PER_S_MIN`]. The time between two chunks of BDAT belongs to it. RFC 5321 §4.5.3.2.5 gives each
/// block three minutes, §4.5.3.2.6 the end ten.
pub const TRANSFER_MS_MAX: u64 = 10 * 60 * 1000;

/// Slowest transfer of a letter, in bytes per second, over any stretch of [`TRANSFER_MS_MAX`]. A mobile phone at the
/// edge of its network manages several thousand; one byte a minute is an attack.
pub const TRANSFER_BYTES_PER_S_MIN: u64 = 1000;

/// Commands with an error since the last letter or log-in. A client with a bug stops earlier; a guesser must reconnect.
pub const ERRORS_MAX: u32 = 20;

/// Commands other than RCPT since the last letter or log-in. A letter takes two or three; a server that asks first
/// whether each of many senders would be accepted takes some dozens. A BDAT that brings bytes of a letter does not
/// count, because some send 8 KiB with each; the size of the letter bounds those.
pub const UNPRODUCTIVE_COMMANDS_MAX: u32 = 100;

/// Recipients refused for good on one connection. An old mailing list has some dozens; who tries names has thousands.
pub const REFUSED_RECIPIENTS_MAX: u32 = 100;

/// RCPT commands of one letter, accepted or not. A letter has at most [`mail::limits::RECIPIENTS_MAX`] recipients; a
/// sender with more is told to divide them and may name them all first.
pub const RECIPIENT_COMMANDS_MAX: u32 = 10_000;

/// Log-ins tried on one connection. A mail program tries each mechanism with each name form once.
pub const LOGINS_MAX: u32 = 5;

/// `Received:` lines of a letter that has not gone round in circles. RFC 5321 §6.3: at least 100.
pub const HOPS_MAX: u32 = 100;

/// Bytes that are read and thrown away beyond the size limit so that the client gets its 552 at the end of the letter
/// and not a broken connection, upon which it would try again for days.
pub const DISCARD_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Most bytes that the box's own lines add to a letter: Return-Path and Received with addresses, host names and the
/// recipient, each at its longest, and the Date and Message-ID that a submitted letter may get. Whoever sets the size
/// limit of the mail behind the port allows this much more than [`super::Config::message_bytes_max`].
pub const TRACE_BYTES_MAX: usize = 2048;

/// Longest name that a client may give itself, in bytes. RFC 5321 §4.5.3.1.2 says 255 for a domain.
pub const CLIENT_NAME_BYTES_MAX: usize = 255;

/// How long a letter may be held before it goes out (FUTURERELEASE), in seconds: 30 days. Greetings and invoices are
/// written some weeks ahead; what is held takes room until it goes. RFC 4865 §3 has room for nine digits.
pub const HOLD_S_MAX: u32 = 30 * 24 * 3600;
