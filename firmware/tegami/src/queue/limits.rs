//! Limits of the outbound queue, each with its reason.

use std::time::Duration;

/// Connections to other servers at once, over all destinations: some 60 KiB each under TLS. One slow destination leaves
/// room for the others.
pub(crate) const CONNECTIONS_MAX: usize = 20;

/// Connections to one destination at once. Large providers turn a small host away that comes with more.
pub(crate) const CONNECTIONS_PER_DESTINATION_MAX: usize = 5;

/// Letters that must wait for each connection to a destination before one more is made: for fewer the connection would
/// take longer than they do.
pub(crate) const LETTERS_PER_CONNECTION_MIN: usize = 2;

/// Connections to one server in a row, each of which ended with its first letter: after that it is the server and not the
/// letters.
pub(crate) const BARREN_MAX: u32 = 3;

/// Recipients that one transaction names at most; RFC 5321 §4.5.3.1.8 lets every server take 100.
pub(crate) const RECIPIENTS_PER_JOB_MAX: usize = 100;

/// Messages of the queue that are looked at in one go, before others have their turn.
pub(crate) const ROWS_PER_TURN: usize = 500;

/// How long what was sent is gathered before it is taken from the queue. A power cut within that time has it sent twice.
pub(crate) const DEPARTURES_GATHER: Duration = Duration::from_millis(50);

/// Runs of messages that are gathered at most: what one change takes.
pub(crate) const DEPARTURES_MAX: usize = 1_000;

/// How often the queue's clock is kept while letters wait: what a power cut takes from it, they wait longer.
pub(crate) const CLOCK_KEEP: Duration = Duration::from_secs(300);

/// How often it is looked whether the network is back.
pub(crate) const OFFLINE_LOOK: Duration = Duration::from_secs(30);

/// How often a letter that is not to go yet is looked at, in seconds of the queue's clock: so much later than its time it
/// goes at most when the box was off.
pub(crate) const EMBARGO_LOOK_S: u32 = 600;

/// When what was sent could not be taken from the queue, it is tried again after so long.
pub(crate) const DEPARTURES_AGAIN: Duration = Duration::from_secs(5);

/// Replies of servers that are remembered: as many as a byte can name. They are shared by all letters that got the same.
pub(crate) const WORDS_MAX: usize = 255;

/// How much of a reply is remembered, in bytes: what a report shows of it.
pub(crate) const WORDS_BYTES_MAX: usize = 512;

/// Largest letter that goes back whole with a report when the sender said nothing of it, in bytes: large enough for what
/// people write, too small for a film.
pub(crate) const RETURNED_BYTES_MAX: u64 = 64 * 1024;

/// Bytes of a letter that are copied at once.
pub(crate) const COPY_BYTES: usize = 16 * 1024;

/// Days for which a report finds back to the sender of a letter that was forwarded: that letter may lie in the next
/// server's queue for five of them (RFC 5321 §4.5.4.1), its report in another one, and people go away for a week or two.
/// Two characters tell 1,024 days apart.
pub(super) const SRS_DAYS: i64 = 21;

/// Bytes of the key with which senders of forwarded letters are made known again: as many as HMAC-SHA-256 gives.
pub(super) const SRS_KEY_BYTES: usize = 32;

/// Characters of the hash in such an address, five bits each: whoever guesses has one chance in 2^30 with every RCPT, and
/// the local part has 64 bytes for all of it.
pub(super) const SRS_HASH_CHARS: usize = 6;

/// When a report could not be delivered, it is tried again after so long, in seconds: the sender's mailbox is full.
pub(crate) const REPORT_AGAIN_S: u32 = 3_600;

/// Attempts of a message, those to tell its sender included, after which it is given up without: two days of reports, as
/// high as the flags count.
pub(crate) const REPORTS_MAX: u8 = 62;

/// Destinations of which it is remembered that they had TLS: whom an office writes to.
pub(crate) const TLS_DOMAINS_MAX: usize = 250;

/// What they take together at rest, in bytes: half of what a setting has room for.
pub(crate) const TLS_BYTES_MAX: usize = 8 * 1024;
