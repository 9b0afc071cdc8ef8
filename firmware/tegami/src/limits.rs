//! Limits of the program: connections, times and buffers, each with its reason.

use std::time::Duration;

/// What a connection takes on average when all limits are reached together. Measured: an idle IMAP connection under TLS
/// 20 KiB, an SMTP connection in the middle of a letter 26 KiB, a session without TLS that waits 5 KiB, each with some
/// 4 KiB of the kernel's. One that works has up to 100 KiB (buffers of 16 and 32 KiB, a TLS record each way, the
/// messages of a large mailbox), and few work at the same time on a machine with one card.
pub(crate) const CONNECTION_BYTES: u64 = 36 * 1_024;

/// The index of messages may take one part in this many of the memory: 600,000 messages on the smallest box.
pub(crate) const INDEX_DIVISOR: u64 = 4;

/// Connections that a machine of any size takes: an office of two hundred. Fits into what PID 1 lets the mail process
/// open (`board::limits::OPEN_FILES_MAX`), with [`DESCRIPTORS_KEPT`] and as many again for mail on its way out.
pub(crate) const CONNECTIONS_MAX: u64 = 3_584;

/// Connections that a machine takes however small it is. Below this it serves nobody well.
pub(crate) const CONNECTIONS_MIN: u64 = 200;

/// Descriptors that are nobody's connection: listeners, flash, runtime, network, and room.
pub(crate) const DESCRIPTORS_KEPT: u64 = 128;

/// Memory of a machine that does not say: what the kernel has to give on the smallest box, of 128 MiB.
pub(crate) const MEMORY_UNKNOWN: u64 = 92 << 20;

/// Descriptors of a process that cannot see its limit: what Linux gives as a rule.
pub(crate) const DESCRIPTORS_UNKNOWN: u64 = 1_024;

/// A TLS handshake that is not done by then will not be: phones on bad networks need seconds.
pub(crate) const HANDSHAKE_MAX: Duration = Duration::from_secs(30);

/// How long a peer may leave what we wrote unread before the connection is dropped. A phone that falls asleep in the
/// middle of a download does not come back on the same connection.
pub(crate) const WRITE_STALL_MAX: Duration = Duration::from_secs(120);

/// Least rate at which a peer must read what is sent, in bytes per second, beyond [`WRITE_STALL_MAX`]: what a bad mobile
/// network gives, and what sessions ask of a peer that sends.
pub(crate) const WRITE_BYTES_PER_S_MIN: u64 = 1_000;

/// How long closing may take: the last reply should get out, but nobody waits for a dead peer.
pub(crate) const CLOSE_MAX: Duration = Duration::from_secs(2);

/// The same when the box is switched off: peers that wait for nothing often do not close, and people wait.
pub(crate) const FAREWELL_MAX: Duration = Duration::from_millis(500);

/// Bytes of input that one connection may leave unread by its session. A session takes what it is given unless it
/// waits for something; one read is all that can lie there, and a second one is not made.
pub(crate) const INPUT_PENDING_MAX: usize = proto::limits::INPUT_BYTES_MAX;

/// Longest wait for other letters to share a barrier, whatever the barrier costs.
pub(crate) const GATHER_MAX: Duration = Duration::from_millis(4);

/// Changes nobody waits for (`\Seen` set by a FETCH) are durable within this time (STORE.md rule 1 allows 1 s).
pub(crate) const LAZY_FLUSH: Duration = Duration::from_millis(500);

/// How long switching off may take, once everything in it: people stand beside a box that they have switched off, and
/// PID 1 waits for ten seconds (`board::limits::FAREWELL_S_MAX`).
pub(crate) const SHUTDOWN_MAX: Duration = Duration::from_secs(3);

/// Of that, what open connections get to be told and to have their last barrier; the rest is the store's, which needs
/// two more barriers.
pub(crate) const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// Pause after accepting failed for want of descriptors or memory.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Shortest time between two steps of a scrub, of 64 KiB each: 3 MB/s at most, so that a card has time for others.
pub(crate) const SCRUB_PAUSE_MIN: Duration = Duration::from_millis(20);

/// Longest time between two steps: a box with few letters reads them more often than it has to, which costs nothing, and
/// one that is switched off every evening comes to its next step.
pub(crate) const SCRUB_PAUSE_MAX: Duration = Duration::from_secs(600);

/// How often it is kept where the scrub stands: a record of some bytes and a barrier. What was read since the last time
/// is read again after a power cut.
pub(crate) const SCRUB_KEEP: Duration = Duration::from_secs(3_600);

/// Stretches that one step has brought into memory, at most: each letter is up to two, and a step takes small ones
/// together.
pub(crate) const SCRUB_WARMINGS_MAX: usize = 64;

/// How often it is looked whether the owner has to be told something about the flash.
pub(crate) const HEALTH_CHECK: Duration = Duration::from_secs(60);

/// Time between two letters to the owner about the flash: a card that goes from bad to worse in an hour is one letter
/// today and one tomorrow.
pub(crate) const HEALTH_LETTER_PAUSE: Duration = Duration::from_secs(86_400);

/// Damaged letters that such a letter names, at most: the log has the others.
pub(crate) const HEALTH_LETTERS_LISTED: usize = 10;

/// Less than this share of the flash's life left, in percent, is told: at an office's pace still some months.
pub(crate) const LIFE_LEFT_PERCENT_MIN: u32 = 10;

/// How often it is looked whether a mailbox is nearly full: mail is not refused for a minute for want of a warning.
pub(crate) const QUOTA_CHECK: Duration = Duration::from_secs(60);

/// From this share of a quota on, in per cent, its owner is told.
pub(crate) const QUOTA_PERCENT_TOLD: u64 = 90;

/// Below this share, in per cent, the owner is told again the next time: who keeps a mailbox at nine tenths gets one
/// letter, not one a day.
pub(crate) const QUOTA_PERCENT_AGAIN: u64 = 80;

/// How often names, clock and certificate are looked at without a reason.
pub(crate) const CERTIFICATE_CHECK: Duration = Duration::from_secs(6 * 3_600);
