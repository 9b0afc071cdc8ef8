//! Limits of an IMAP session, each with its reason. Together they bound what one connection can hold or cost.

/// Bytes of one command: its line with all literals but that of APPEND. RFC 2683 §3.2.1.5 asks servers for 8000;
/// clients that name messages one by one in a mailbox of ten thousand send up to 60 KiB.
pub const COMMAND_BYTES_MAX: usize = 64 * 1024;

/// Literals of one command. LOGIN has two, a SEARCH one for each string; each makes the command be read once more.
pub const LITERALS_MAX: u32 = 64;

/// Bytes of a refused command that are read and thrown away, so that the connection can go on (RFC 7888 §4). A
/// client that has announced more is sent away.
pub const SKIP_BYTES_MAX: u64 = 1024 * 1024;

/// The same for the message of a refused APPEND: a whole letter that does not fit the quota still may pass by.
pub const SKIP_MESSAGE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Bytes of a tag. Clients use four to ten; it is kept while its command runs.
pub const TAG_BYTES_MAX: usize = 64;

/// Bytes of a line that belongs to a command in progress: a SASL response (name, password, base64) or DONE.
pub const RESPONSE_LINE_BYTES_MAX: usize = 4 * 1024;

/// Nesting of search keys. A person's search nests three deep; parsing and matching recurse this deep.
pub const SEARCH_DEPTH_MAX: usize = 32;

/// Search keys of one SEARCH. Clients send up to some dozens, those that look for many Message-IDs some hundreds.
pub const SEARCH_KEYS_MAX: usize = 1_000;

/// Search keys of one SEARCH that need the text of the messages: all of them look at every byte.
pub const SEARCH_TEXTS_MAX: usize = 16;

/// Data items of one FETCH. Clients ask for up to ten.
pub const FETCH_ITEMS_MAX: usize = 128;

/// Header field names of one BODY[HEADER.FIELDS]. Thunderbird asks for some twenty.
pub const FIELD_NAMES_MAX: usize = 256;

/// Levels in the part number of a BODY section. Parts nest no deeper in a structure that `mime` has read.
pub const PART_LEVELS_MAX: usize = 64;

/// Bytes of a header block that is longer than what the metadata keeps (`mail::limits::HEAD_BYTES_MAX`) in which SEARCH
/// looks. Real header blocks end at 60 KiB; it is held in memory while one message is looked at. FETCH has no such limit.
pub const LONG_HEAD_BYTES_MAX: u64 = 128 * 1024;

/// Bytes of a header block that are read at once where it is too long to be at hand. As an ENVELOPE they may become
/// some twenty times as many.
pub const LONG_HEAD_CHUNK_BYTES: usize = 2 * 1024;

/// Work that a session does before it lets others have their turn, in units of roughly 50 ns: about 1 ms.
pub const WORK_PER_STEP: u32 = 20_000;

/// Work of looking at one message's line in the index.
pub const WORK_MESSAGE: u32 = 1;

/// Work of looking at what the metadata holds of one letter.
pub const WORK_RECORD: u32 = 20;

/// UIDs of a mailbox that are listed for one unit of work.
pub const UIDS_PER_WORK: u32 = 16;

/// Search keys that are judged for one unit of work.
pub const KEYS_PER_WORK: u32 = 8;

/// Bytes of text that are searched for one unit of work, by each string that is looked for.
pub const WORK_TEXT_BYTES: usize = 16;

/// Work of one whole command beside what it does to messages: parsing, a look at the mailbox.
pub const WORK_COMMAND: u32 = 20;

/// Work of matching one mailbox name.
pub const WORK_NAME: u32 = 20;

/// Bytes of a letter that are read at once to be searched.
pub const TEXT_CHUNK_BYTES: usize = 16 * 1024;

/// Messages in one change of flags or one expunge. A STORE of more is several changes, so that no call of the store
/// takes long.
pub const MESSAGES_PER_CHANGE: u32 = 8 * 1024;

/// Messages of a silent STORE whose flags are remembered, one byte each, to know its own changes from those of others.
/// Beyond that all flags are reported, which RFC 3501 §6.4.6 allows.
pub const EXPECTED_MESSAGES_MAX: usize = 128 * 1024;

/// Keywords in one list of flags. An account has no more (`mail::limits::KEYWORDS_PER_ACCOUNT_MAX`).
pub const KEYWORDS_MAX: usize = 56;

/// BAD replies in a row after which the peer is taken for something that is no IMAP client.
pub const BAD_MAX: u32 = 20;

/// The same before log-in: HTTP requests and scanners end here.
pub const BAD_BEFORE_LOGIN_MAX: u32 = 8;

/// Failed log-ins of one connection.
pub const LOGIN_FAILURES_MAX: u32 = 5;

/// Time from the greeting, the TLS handshake or a failed log-in to the next log-in. A connection that has not logged
/// in costs a place that a known user may need.
pub const BEFORE_LOGIN_MS_MAX: u64 = 60_000;

/// Time from the first byte of a command to its last, APPEND's message aside. 64 KiB take a modem 20 s.
pub const COMMAND_MS_MAX: u64 = 120_000;

/// Time without a command after which a logged-in session ends. RFC 3501 §5.4 asks for at least 30 minutes.
pub const INACTIVE_MS_MAX: u64 = 30 * 60_000;

/// While the message of an APPEND comes in, each such time ...
pub const APPEND_WINDOW_MS: u64 = 120_000;

/// ... must bring at least this many bytes, or what is left: a client that sends one byte a minute holds a draft open.
pub const APPEND_WINDOW_BYTES_MIN: u64 = 4 * 1024;

/// How often a line is sent during IDLE. Routers of homes and carriers forget a connection that was silent for five
/// minutes; every line wakes a phone's radio, so not much oftener than that.
pub const IDLE_LINE_MS: u64 = 4 * 60_000;
