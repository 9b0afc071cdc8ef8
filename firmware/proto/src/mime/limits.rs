//! Limits of the scanner, each with its reason. Together they keep a summary within
//! [`mail::limits::SUMMARY_BYTES_MAX`] and the scanner's memory within some 200 KiB; a letter that means well takes 5.

/// Nesting of multiparts and enclosed letters. Forwarding chains of people reach ten; what nests deeper is shown as
/// one `application/octet-stream`. Rendering recurses this deep.
pub const DEPTH_MAX: usize = 32;

/// Parts of one letter that are listed. Parts beyond it are skipped, and are still in the letter as such.
pub const PARTS_MAX: usize = 400;

/// Longest boundary in bytes. RFC 2046 §5.1.1 allows 70; some senders exceed it.
pub const BOUNDARY_BYTES_MAX: usize = 200;

/// Bytes kept of one header field's value that matters here, unfolded. What is longer is cut.
pub const FIELD_BYTES_MAX: usize = 12 * 1024;

/// Where a list of recipients of any length is taken in pieces, a piece is given from this many bytes on, or as soon as
/// the address that is longer ends. Rendered, the worst piece is 16 times as long.
pub const LIST_PIECE_BYTES: usize = 2 * 1024;

/// Longest header field name that matters here, in bytes: `content-transfer-encoding` and some blanks behind it.
pub const FIELD_NAME_BYTES_MAX: usize = 32;

/// Longest Subject in an ENVELOPE in bytes.
pub const SUBJECT_BYTES_MAX: usize = 2 * 1024;

/// Longest Date, Message-ID and In-Reply-To in an ENVELOPE in bytes.
pub const IDENTIFIER_BYTES_MAX: usize = 1024;

/// Longest list of From, Sender and Reply-To in an ENVELOPE in bytes. From may stand there three times.
pub const AUTHORS_BYTES_MAX: usize = 1024;

/// Longest lists of To, Cc and Bcc together in the ENVELOPE that a summary holds, in bytes: some 150 addresses with
/// names. What does not fit is left out, and `Summary::envelope_is_whole` says so; then [`super::LongEnvelope`] makes
/// the ENVELOPE from the header block. Letters enclosed in others are shown with what fits.
pub const RECIPIENTS_BYTES_MAX: usize = 8 * 1024;

/// Longest list of From, Sender and Reply-To in an ENVELOPE that is made from the header block: some 300 addresses. Of
/// what else is not a recipient, [`FIELD_BYTES_MAX`] is shown.
pub const LONG_AUTHORS_BYTES_MAX: usize = 16 * 1024;

/// Parameters of one header field. Senders use four.
pub const PARAMETERS_MAX: usize = 32;

/// Bytes for ENVELOPE, structure and part list together. What is left of a summary holds preview and frame.
pub const DETAIL_BYTES_MAX: usize = 30 * 1024;

/// Of these, what is kept back so that parts beyond the space for details can still be listed tersely.
pub const TERSE_BYTES: usize = 6 * 1024;

/// Longest media type name (`type/subtype`) kept in the part list, in bytes (RFC 6838 §4.2 allows 127 for each half;
/// those in use stay below 80). A longer one is listed as `application/octet-stream`.
pub const MEDIA_TYPE_BYTES_MAX: usize = 100;

/// Longest charset label kept in the part list, in bytes (RFC 2978 §2.3 allows 40). A longer one counts as none.
pub const CHARSET_BYTES_MAX: usize = 40;

/// Strings beyond this many bytes are sent as literals: some clients keep quoted strings in small buffers.
pub const QUOTED_BYTES_MAX: usize = 1024;

/// Encoded bytes of the first text part from which the preview is made. HTML has its style sheets first.
pub const PREVIEW_SOURCE_BYTES_MAX: usize = 4 * 1024;

/// Longest preview in characters (RFC 8970 §3.1: SHOULD be 200, MUST NOT be more than 256).
pub const PREVIEW_CHARS_MAX: usize = 200;

/// Longest preview in bytes of UTF-8.
pub const PREVIEW_BYTES_MAX: usize = 4 * PREVIEW_CHARS_MAX;

/// Frame of a summary: version, lengths, dates.
pub const FRAME_BYTES_MAX: usize = 128;

const _: () =
    assert!(DETAIL_BYTES_MAX + PREVIEW_BYTES_MAX + FRAME_BYTES_MAX <= mail::limits::SUMMARY_BYTES_MAX);
const _: () = assert!(
    SUBJECT_BYTES_MAX + 3 * IDENTIFIER_BYTES_MAX + 3 * AUTHORS_BYTES_MAX + RECIPIENTS_BYTES_MAX + TERSE_BYTES
        <= DETAIL_BYTES_MAX - 4 * 1024
);
