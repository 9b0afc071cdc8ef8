//! Limits of reports, each with its reason.

use mail::limits::HEAD_BYTES_MAX;

/// Recipients who are named in the text for people; the others are counted. A person does not read further.
pub const RECIPIENTS_LISTED_MAX: usize = 10;

/// Most characters of a server's own words. RFC 5321 §4.5.3.1.5 gives a reply line 512 octets; what it says in many
/// lines is said in the first. Keeps a line below the 998 octets of RFC 5322 §2.1.1, too.
pub const REMOTE_WORDS_CHARS_MAX: usize = 500;

/// Bytes from which those characters are read: every charset of a mail server needs at most four for one.
pub const REMOTE_WORDS_BYTES_MAX: usize = 4 * REMOTE_WORDS_CHARS_MAX;

/// Longest name of a server in characters. RFC 5321 §4.5.3.1.2.
pub const SERVER_NAME_CHARS_MAX: usize = 255;

/// Characters of the letter's subject that are shown, so that one knows which letter it was.
pub const SUBJECT_CHARS_MAX: usize = 200;

/// Longest Message-ID that is referred to, in bytes: it has to stand on one line.
pub const MESSAGE_ID_BYTES_MAX: usize = 250;

/// Bytes of the letter's header that go back with a report: what the box keeps at hand of it. Fields that do not fit
/// (a thousand addresses) are left out.
pub const HEADER_BYTES_MAX: usize = HEAD_BYTES_MAX;

/// Longest ORCPT in bytes. RFC 3461 §5.4: at least 500.
pub const ORCPT_BYTES_MAX: usize = 500;

/// Longest ENVID in bytes. RFC 3461 §5.4: at least 100.
pub const ENVID_BYTES_MAX: usize = 100;

/// Longest piece in which a report is given, in bytes: the text about the recipients listed, in two languages, if each
/// server has the longest name and says all that is shown of its words, in characters that need twelve bytes encoded.
pub const PIECE_BYTES_MAX: usize = 256 * 1024;
