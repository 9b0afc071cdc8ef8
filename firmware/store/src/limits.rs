//! Every limit of the store, with its reason.

/// Smallest segment in bytes; for tests and small chips. A segment must hold its header, a group and an extent.
pub const SEGMENT_BYTES_MIN: u32 = 64 << 10;

/// Smallest segment that is chosen by itself: below it, headers and the rests at the ends of segments cost too much.
/// Small segments on small devices matter because every unclean mount leaves two of them partly used.
pub const SEGMENT_BYTES_DEFAULT_MIN: u32 = 256 << 10;

/// Largest segment in bytes. Offsets in a segment fit 20 bits in steps of 8, and erasing one must not take long.
pub const SEGMENT_BYTES_MAX: u32 = 8 << 20;

/// Segments that a device is divided into at format, about: enough that few stand half empty.
pub const SEGMENTS_AIM: u64 = 1024;

/// Fewest segments of a store: two anchors, the reserve, and one for letters.
pub const SEGMENTS_MIN: u32 = 8;

/// Most segments: 20 MiB of table; 8 TiB of mail. The index has 20 bits for one, and a few numbers with a meaning.
pub const SEGMENTS_MAX: u32 = (1 << 20) - 16;

/// Segments kept for what frees space or must go on in a full store, at least. A third is compaction's, so that it is not
/// in want of room where it has to gain some; a third is for changes that free space or are small; a third is for what
/// gains space at once, whatever happens: a checkpoint, a batch of compaction. A life that is cut takes one of each.
pub const RESERVE_SEGMENTS_MIN: u32 = 6;

/// The reserve is at least one segment in this many: 2 %.
pub const RESERVE_DIVISOR: u32 = 50;

/// Smallest unit of programming that the log uses, also where the device has a smaller one: frames begin at multiples
/// of 8, and a group should not spread over dozens of programs.
pub const UNIT_BYTES_MIN: u32 = 64;

/// Largest unit: a group ends on one, so that a lone letter costs two.
pub const UNIT_BYTES_MAX: u32 = 16 << 10;

/// Payload of one extent in bytes (rule 15). A larger one would delay a letter that waits behind it.
pub const EXTENT_BYTES_MAX: usize = 64 << 10;

/// Extents of one letter. 8,192 whole ones are 512 MiB; what only comes near the limit by dribbling is refused.
pub const EXTENTS_MAX: usize = 8_192;

/// Longest metadata record in bytes: a commit with the longest header block (16 KiB) and summary (32 KiB), 1,000
/// recipients (20 KiB) and 8,192 extents (64 KiB); a flag change with the most ranges.
pub const RECORD_BYTES_MAX: usize = 160 << 10;

/// Records that gather in memory while a barrier is under way, in bytes; then changes are asked to come again.
pub const GROUP_BYTES_MAX: usize = 256 << 10;

/// Ranges of UIDs in one change. More do not fit an IMAP command line; 5 + 5 bytes each at worst fit a record.
pub const RANGES_MAX: usize = 16_000;

/// Mailboxes that a group names as touched; a group that touches more says "any". Damage is then charged to all.
pub const TOUCHED_MAX: usize = 64;

/// Body bytes programmed since the last barrier after which the next flush is asked for.
pub const UNBARRIERED_SOFT: u64 = 4 << 20;

/// Body bytes programmed since the last barrier, at most: what a recovery must read to verify commits.
pub const UNBARRIERED_MAX: u64 = 8 << 20;

/// Failures without a durable group between after which the store is read-only: a device that fails in so many places,
/// one after the other, fails everywhere. Segments are taken in order where they are worn alike, so a stretch of bad ones
/// is met at once.
pub const FAILURES_MAX: u32 = 32;

/// Letters being streamed in at once. More than the program has sessions that send.
pub const DRAFTS_MAX: usize = 256;

/// Memory for bodies on their way to flash, all drafts together. Whoever stalls gives its part back.
pub const POOL_BYTES: usize = 1 << 20;

/// What a draft must hold before its buffer is taken from it. With the pool shared by all drafts there is always one
/// that holds this much, so extents made by force are never shorter.
pub const SEIZE_BYTES_MIN: usize = POOL_BYTES / DRAFTS_MAX;

/// Windows on metadata kept in memory, and their size at most: consecutive records cost one device read per window.
pub const WINDOWS: usize = 4;
/// See [`WINDOWS`].
pub const WINDOW_BYTES: usize = 64 << 10;

/// What is read where nothing says that more will be asked for: two letters' records, as most are.
pub const WINDOW_BYTES_MIN: usize = 8 << 10;

/// What mounting reads at once.
pub const SCAN_BYTES: usize = 256 << 10;

/// By how much MODSEQ jumps at an unclean mount (rule 11): more changes than one life can have lost.
pub const MODSEQ_JUMP: u64 = 1 << 20;

/// Greatest MODSEQ: what the index stores in 48 bits. 2^28 unclean mounts away.
pub const MODSEQ_MAX: u64 = (1 << 48) - 1;

/// By how much segment sequence numbers jump at every mount: more segments than can be opened without a barrier
/// between ([`UNBARRIERED_MAX`] of the smallest ones), so that none that was lost is numbered again.
pub const SEQ_JUMP: u32 = 1024;

/// Depth of aliases that lead to aliases.
pub const ALIAS_DEPTH_MAX: usize = 8;

/// Targets of one alias.
pub const ALIAS_TARGETS_MAX: usize = 200;

/// Accounts, domains and aliases, each.
pub const DIRECTORY_ENTRIES_MAX: usize = 10_000;

/// An account's secret in bytes; opaque here.
pub const SECRET_BYTES_MAX: usize = 4 << 10;

/// An account's display name in bytes.
pub const DISPLAY_NAME_BYTES_MAX: usize = 256;

/// A setting's key in bytes.
pub const SETTING_KEY_BYTES_MAX: usize = 128;

/// A setting's value in bytes.
pub const SETTING_BYTES_MAX: usize = 64 << 10;

/// All settings together, in bytes: they stay in memory.
pub const SETTINGS_BYTES_MAX: usize = 1 << 20;

/// Damaged places that are remembered one by one; further ones are counted.
pub const DAMAGE_MAX: usize = 256;

/// What one step of scrubbing reads, about: as much as one extent, so that whoever reads waits no longer for it than for
/// another reader. A single frame may be longer.
pub const SCRUB_BYTES: u32 = 64 << 10;

/// Slots and pages that one step of scrubbing looks at, most of which may be vacant: some 100 µs.
pub const SCRUB_LOOKS_MAX: usize = 4_096;

/// Damage that scrubbing finds retires one segment in this many at most (3 %): what takes more is not a few bad blocks
/// but the whole card, and the room is needed to go on.
pub const SCRUB_RETIRED_DIVISOR: u32 = 32;

/// Damaged letters that scrubbing remembers, so that each is reported once. With more the card is at its end.
pub const DAMAGED_LETTERS_MAX: usize = 1_024;

/// Those of them that are listed by account, mailbox and UID.
pub const DAMAGED_LETTERS_NAMED: usize = 64;

/// Greatest message: its size is kept in 32 bits.
pub const MESSAGE_BYTES_MAX: u64 = u32::MAX as u64;

/// Memory for a message in its mailbox, in bytes: 16, and its part of the page and of the lists of pages.
pub const INDEX_MESSAGE_BYTES: u64 = 17;

/// Memory for a letter, in bytes: 20, its part of the page, and the few that lie in several segments.
pub const INDEX_LETTER_BYTES: u64 = 22;

/// Memory for a deletion, in bytes: 24, and its part of the page.
pub const INDEX_DELETION_BYTES: u64 = 25;

/// Bytes of an envelope of the outbound queue: senders, recipients and what they asked for. With a thousand recipients that is
/// 48 for each; with the hundred that RFC 5321 §4.5.3.1.8 asks for, each may be as long as an address can be.
pub const POSTING_BYTES_MAX: usize = 48 << 10;

/// Recipients outside that wait at once, those of letters on their way in included: 20 letters to a thousand each, a
/// week of an office that is cut off. Each takes as much memory as a message.
pub const QUEUE_MAX: u64 = if cfg!(test) { 2_000 } else { 20_000 };

/// Beyond them, so many more that only letters of the null reverse-path may take: they report on others, which leave the
/// queue with them, so that a full queue gets empty again.
pub const QUEUE_REPORTS_MAX: u64 = if cfg!(test) { 200 } else { 2_000 };

/// How long deletions are kept if there is space, in seconds: 14 days (rule 14). Who deletes something by mistake on a
/// Friday before a week off still finds it.
pub const DELETIONS_KEPT_S: u64 = 14 * 24 * 3600;

/// How often it is looked whether some have been kept so long, in seconds: each time writes a group where there is
/// nothing else to write.
pub const FORGET_EVERY_S: u64 = 6 * 3600;

/// Deletions are kept for as long as compaction need not fill segments with bodies further than this, in per cent: mail
/// is worth more effort,
pub const DELETIONS_FILLED: u64 = 87;

/// to leave one segment in this many free beyond the reserve: 4 %. In an office's third year on a flash that is 93 % full this keeps
/// them for 13 days and costs 2 % more writing; 15 % would keep none there.
pub const DELETIONS_FREE_DIVISOR: u32 = 25;

/// Deletions that one step forgets at most: a millisecond.
pub const FORGET_MAX: usize = if cfg!(test) { 8 } else { 1_024 };

/// Names of mailboxes that are gone and that deletions name, kept so that they can be made again, at most: 1 MiB of
/// memory with the longest names, and all stand in every checkpoint.
pub const GONE_MAX: usize = if cfg!(test) { 64 } else { 4_096 };

/// Deletions that one change brings back, or deletes for good, at most: what a record has room for.
pub const DELETIONS_PER_CHANGE_MAX: usize = 4_096;

/// Deletions, of all accounts, that one call looks through for those of one: half a millisecond.
pub const DELETIONS_LOOKED_MAX: usize = 65_536;

/// Records of compaction and of checkpoints that one group takes, in bytes: a delivery that shares the group waits for
/// them, some milliseconds on a slow card.
pub const CHORE_BYTES: usize = if cfg!(test) { 3 << 10 } else { 64 << 10 };

/// Bytes of bodies that compaction moves for one group, at most and one extent: what a delivery that shares the group
/// waits for in addition.
pub const CHORE_BODY_BYTES: usize = if cfg!(test) { 16 << 10 } else { 128 << 10 };

/// Where compaction falls behind it moves up to so many times more for one group: letters that wait a little longer
/// each wait less than those that have to wait for room.
pub const HASTE_MAX: u32 = 1;

/// Pages of letters that compaction looks through in one step: 65,536 letters, about a millisecond.
pub const COMPACTION_SCAN_PAGES: usize = 256;

/// Compaction keeps so many segments free beyond the reserve, at least, so that letters do not wait for it;
pub const COMPACTION_AHEAD_MIN: u32 = 2;

/// or one in this many.
pub const COMPACTION_AHEAD_DIVISOR: u32 = 50;

/// A segment is emptied only if that gains one part in this many of it beyond what the moving costs: gaining less would
/// wear the card for nothing. A store is full when no segment is worth it any more.
pub const GAIN_DIVISOR: u32 = 8;

/// A segment is ripe for being emptied, half at least, when one in this many of all has been opened after it: measured
/// over six years of office life, much less moves what would have died, much more leaves what is dead for too long.
pub const RIPE_DIVISOR: u32 = 16;

/// A letter whose commit is moved takes those of its fresh extents along that stand in segments of which at most so
/// much lives, in per cent: they would have to move soon, and the commit a second time.
pub const ALONG_MAX: u64 = 60;

/// How full compaction leaves segments, in per cent: bodies, and metadata, which is padded and has pages that change.
pub const BODY_FILLED: u64 = 95;
/// See [`BODY_FILLED`].
pub const META_FILLED: u64 = 62;

/// What a checkpoint writes anew at a mount, so that segments with little metadata become free, is a segment divided by
/// this at most.
pub const REGAIN_DIVISOR: u32 = 2;

/// Pages that a checkpoint copies at most: a megabyte, in some 15 groups, during which compaction rests.
pub const COPIES_MAX: usize = 256;

/// The same when compaction waits for it: what one group takes.
pub const COPIES_WHEN_SHORT: usize = 16;

/// Pages take on flash what the index takes in memory divided by this, about.
pub const PAGES_DIVISOR: u64 = 2;

/// Room for a checkpoint is kept in one segment in this many at most: a device of some megabytes has no more.
pub const CHECKPOINT_DIVISOR: u32 = 4;

/// What a page of letters takes, in bytes, about.
pub const LETTER_PAGE_BYTES: u64 = 3_584;

/// What the record of a moved letter takes, in bytes, about: with its part of the group.
pub const MOVED_BYTES: u64 = 80;

/// Metadata segments that compaction empties before it has a checkpoint written that frees them, at most.
pub const EMPTIED_MAX: u32 = 16;

/// How far a batch of compaction fills a segment, in per cent, the longest extent taken off: what is moved comes in
/// pieces, and each group ends in a unit.
pub const BATCH_FILLED: u64 = 90;

/// A segment moves for wear alone when it has been erased this much less than the mean,
pub const WEAR_GAP_MIN: u32 = 4;

/// and at most one for this many that are opened: what is written in addition stays small.
pub const WEAR_SPACING: u32 = 32;

/// Length of a table of a checkpoint, when its rows are short; the longest row makes one of its own.
pub const TABLE_BYTES: usize = 32 << 10;

/// Metadata after which a checkpoint is written in any case, in bytes: what a mount has to replay at most. A card reads
/// it in a few seconds.
pub const CHECKPOINT_TAIL_MAX: u64 = 64 << 20;

/// On small devices such a tail is this part of the device,
pub const CHECKPOINT_TAIL_PART: u64 = 64;

/// but not less than this.
pub const CHECKPOINT_TAIL_MIN: u64 = 256 << 10;

/// A checkpoint may be written already after this part of the longest tail, if it is cheap then.
pub const CHECKPOINT_TAIL_SPREAD: u64 = 8;

/// It is cheap when its pages are at most one part in this many of what has been programmed since the last one: 2 %.
pub const CHECKPOINT_SHARE: u64 = 50;

/// Original bytes of one frame whose payload is stored differently from how it came (rule 16): those of an extent.
pub const CODED_BYTES_MAX: usize = EXTENT_BYTES_MAX;

/// What re-creating a frame allocates at most: its original bytes, and as many of what they are made from.
pub const DECODE_BYTES_MAX: usize = 2 * CODED_BYTES_MAX;

/// What a coder holds at most: the stream, the result (LZ4 asks for a tenth more than what it is given), the copy that
/// is compared, a plan, two hash tables.
pub const CODER_BYTES_MAX: usize = 320 << 10;

const _: () = assert!(RECORD_BYTES_MAX <= GROUP_BYTES_MAX);
const _: () = assert!(SEGMENT_BYTES_MAX / 8 <= 1 << 20);
const _: () = assert!(UNBARRIERED_MAX / SEGMENT_BYTES_MIN as u64 * 2 < SEQ_JUMP as u64);
