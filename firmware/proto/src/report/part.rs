//! Parts of 7 bits.
//!
//! A report may have to cross servers without 8BITMIME, so what is not ASCII is encoded: in quoted-printable, and not
//! in base64, because it leaves readable to everybody what is ASCII, which are the codes and the English half, and
//! because filters take text in base64 for a disguise.

use alloc::vec::Vec;

use crate::mime::encode;

/// Longest line of a letter in bytes (RFC 5322 §2.1.1), without its CRLF.
const LINE_BYTES_MAX: usize = 998;

/// Appends header and body of a part.
pub(super) fn write(content_type: &str, body: &[u8], out: &mut Vec<u8>) {
    let encoded = !is_7bit(body);
    begin(content_type, encoded, out);
    if encoded {
        encode::quoted_printable(body, out);
    } else {
        out.extend_from_slice(body);
    }
}

/// Appends the header of a part; what follows is in quoted-printable if it is `encoded`.
pub(super) fn begin(content_type: &str, encoded: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(b"Content-Type: ");
    out.extend_from_slice(content_type.as_bytes());
    out.extend_from_slice(b"\r\n");
    if encoded {
        out.extend_from_slice(b"Content-Transfer-Encoding: quoted-printable\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// RFC 2045 §2.7: ASCII without NUL, CR and LF only together, no long line.
fn is_7bit(bytes: &[u8]) -> bool {
    let lines = bytes.split(|byte| *byte == b'\n');
    let last = lines.clone().count() - 1;
    bytes.is_ascii()
        && !bytes.contains(&0)
        && lines.enumerate().all(|(number, line)| {
            // What stands before an LF ends in its CR.
            let text = if number == last { Some(line) } else { line.strip_suffix(b"\r") };
            text.is_some_and(|text| text.len() <= LINE_BYTES_MAX && !text.contains(&b'\r'))
        })
}
