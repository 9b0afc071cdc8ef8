//! Limits of passwords and log-ins, each with its reason.

/// Memory of one hash in KiB: the low-memory set of the OWASP cheat sheet (m=7168, t=5, p=1), so that a machine of
/// 128 MiB can hash at any moment.
pub(crate) const ARGON2_MEMORY_KIB: u32 = 7_168;

/// Passes over that memory; see [`ARGON2_MEMORY_KIB`].
pub(crate) const ARGON2_PASSES: u32 = 5;

/// Address space asked for each time in KiB, of which only what a hash needs is ever touched. glibc maps whatever is
/// larger than 32 MiB (`DEFAULT_MMAP_THRESHOLD_MAX` of its malloc) by itself and unmaps it when it is freed; what is
/// smaller stays in the heap once that has been freed before, and the box would keep 7 MiB for good.
pub(crate) const HASH_RESERVE_KIB: u32 = 33 * 1_024;

/// Lanes; see [`ARGON2_MEMORY_KIB`]. One, because one processor hashes.
pub(crate) const ARGON2_LANES: u32 = 1;

/// Most memory that a hash made elsewhere may ask for, in KiB. Half of what is free on the smallest machine: a
/// log-in must not be what the kernel kills the mail process for.
pub(crate) const FOREIGN_MEMORY_KIB_MAX: u32 = 32 * 1_024;

/// Most memory times passes that a hash made elsewhere may ask for, in KiB: eight times our own, about two seconds
/// on a Raspberry Pi, during which nobody else's password is checked.
pub(crate) const FOREIGN_WORK_KIB_MAX: u64 = 8 * (ARGON2_MEMORY_KIB as u64) * (ARGON2_PASSES as u64);

/// Longest hash in PHC form, in bytes. Ours have 97.
pub(crate) const PHC_BYTES_MAX: usize = 256;

/// Bytes of salt for argon2 and SCRAM. RFC 9106 §3.1 recommends 16.
pub(crate) const SALT_BYTES: usize = 16;

/// PBKDF2 rounds of SCRAM-SHA-256. RFC 7677 §4 asks for at least 4096 and for as many as clients bear: Cyrus SASL
/// (mutt, mbsync) refuses more than these (`MAX_ITERATION_COUNTER` in its scram.c), and a telephone does them in a tenth
/// of a second. The weaker of the two forms in which a password rests here. Names that nobody has are challenged with as
/// many: another number here tells accounts with older keys from them.
pub(crate) const SCRAM_ITERATIONS: u32 = 65_536;

/// Random bytes in the server's part of a SCRAM nonce: as many as are never drawn twice, and a whole number of base64
/// groups.
pub(crate) const SERVER_NONCE_BYTES: usize = 18;

/// Bytes of the key from which names that nobody has get their salts: as many as HMAC-SHA-256 gives.
pub(crate) const DECOY_KEY_BYTES: usize = 32;

/// Longest password in bytes, as given. SASL PLAIN (RFC 4616) allows 255 octets and more; a person types less.
pub(crate) const PASSWORD_BYTES_MAX: usize = 512;

/// Shortest password, in characters, that the page accepts (NIST SP 800-63B §3.1.1.2 asks for eight at least). A
/// provision file is not held to it: who writes one knows what for.
pub(crate) const PASSWORD_CHARS_MIN: usize = 8;

/// Hashes waiting for their turn. At a few per second on the smallest board the last one waits about as long as
/// clients do before they give up.
pub(crate) const HASH_QUEUE_MAX: usize = 32;

/// Verified log-ins remembered, 56 bytes each: several passwords of every account that such a box has.
pub(crate) const VERIFIED_MAX: usize = 1_024;

/// Wrong passwords remembered, so that a telephone with an old one costs one hash and counts as one attempt.
pub(crate) const WRONG_MAX: usize = 1_024;

/// Pairs of (address, account) with a history, about 60 bytes each.
pub(crate) const PAIRS_MAX: usize = 2_048;

/// Addresses with a history, about 40 bytes each.
pub(crate) const ADDRESSES_MAX: usize = 2_048;

/// Different wrong passwords for one account from one address before the next one has to wait.
pub(crate) const PAIR_ATTEMPTS_FREE: u32 = 5;

/// The same where the account has logged in well before: its owner, mistyping.
pub(crate) const PAIR_ATTEMPTS_FREE_KNOWN: u32 = 10;

/// Longest wait of a pair in seconds; the first is a second, each further one twice the last.
pub(crate) const PAIR_DELAY_S_MAX: u32 = 900;

/// The same where the account has logged in well before: short enough for a person to bear, and long enough that a
/// stranger in the same office tries fewer than three thousand passwords a day.
pub(crate) const PAIR_DELAY_S_MAX_KNOWN: u32 = 30;

/// Quiet time in milliseconds after which a pair's wrong attempts are forgotten.
pub(crate) const PAIR_FORGET_MS: u64 = 3_600_000;

/// How long an address stays known for an account after a good log-in, in milliseconds: thirty days, a holiday.
pub(crate) const PAIR_KNOWN_MS: u64 = 30 * 24 * 3_600_000;

/// Attempts that an address may spend on accounts that have not logged in from it: a whole office behind one router,
/// connecting for the first time.
pub(crate) const ADDRESS_ATTEMPTS: u32 = 100;

/// Time in milliseconds after which an address gets one such attempt back: sixty an hour.
pub(crate) const ADDRESS_REFILL_MS: u64 = 60_000;
