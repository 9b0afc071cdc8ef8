//! Limits of the tools, each with its reason.

use std::time::Duration;

/// How often a block of a card can be erased when nothing else is said: what makers give for the TLC flash in most of
/// them. Industrial cards (pSLC) reach ten times that, the cheapest ones (QLC) a third.
pub(crate) const ENDURANCE_DEFAULT: u32 = 3_000;

/// Mail that an office of ten people gets in a day, in bytes: what a lifetime is shown for.
pub(super) const DAY_BYTES: u64 = 100 << 20;

/// What is read or written at a time.
pub(super) const PIECE_BYTES: usize = 64 << 10;

/// Deletions that are taken from the store at a time.
pub(super) const DELETIONS_LISTED: usize = 1_024;

/// Longest sender or subject that is shown, in characters: both have to fit a line.
pub(super) const TEXT_CHARACTERS_MAX: usize = 60;

/// Letters that share a barrier while importing: with more of them the barrier is no longer what takes the time. This
/// many at most have to be compared after an interruption.
pub(super) const BATCH_LETTERS_MAX: u32 = 64;

/// Bytes of letters that share a barrier, about: less than what the store lets lie behind one.
pub(super) const BATCH_BYTES_MAX: u64 = 3 << 20;

/// How often progress is shown.
pub(super) const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// How long the flash is waited for before it is looked at without a bell: what is missed once is seen then.
pub(super) const BELL_MAX: Duration = Duration::from_millis(500);

/// The same for room in the write queue: a card has written something by then.
pub(super) const ROOM_MAX: Duration = Duration::from_millis(2);

/// Longest line of an mbox that separates letters; a longer one beginning with `From ` is text. RFC 5322 §2.1.1 limits
/// lines to 998 characters.
pub(super) const SEPARATOR_BYTES_MAX: usize = 998;

/// The header block of a letter in an mbox as far as it is searched for flags: the headers that say them stand at its
/// beginning or end, and few header blocks are longer.
pub(super) const STATUS_BYTES_MAX: usize = 64 << 10;

/// Longest name of a file that is made for a mailbox, in bytes: file systems take 255, and an ending is put behind.
pub(super) const FILE_NAME_BYTES_MAX: usize = 240;

/// Longest list of keywords or names that is read from a folder, in bytes: 56 keywords of 64 bytes, 1,000 names of 500.
pub(super) const LIST_BYTES_MAX: u64 = 1 << 20;

/// How deep folders of mbox files are looked into: a name of 240 bytes has no more levels.
pub(super) const FOLDER_DEPTH_MAX: usize = 120;

/// Keywords that file names of a Maildir have letters for, a to z.
pub(super) const KEYWORD_LETTERS: u32 = 26;
