//! What is signed of a header block: which fields (RFC 6376 §5.4), and their relaxed form (§3.4.2).

use alloc::{string::String, vec::Vec};

use super::{
    CannotSign,
    limits::{HEAD_BYTES_MAX, INSTANCES_MAX},
};
use crate::mime::{
    first_domain,
    header::{Field, fields, find},
};

/// When a field is named once more than it stands there, so that another one cannot be added under the signature
/// (RFC 6376 §8.15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sealed {
    /// Also when it is not there: one that is added would be shown, or would change how the body is.
    Always,
    /// When it is there. What is not, a relay may add (RFC 6409 §8), or it misleads nobody.
    IfPresent,
}

/// The fields that are signed, in the order in which they are named. Trace fields are not among them (§5.4), nor is
/// `Sender`, which mailing lists set, or `Content-Length`, which mailbox formats do. The last two are signed as RFC 8058
/// §4 asks for.
const FIELDS: [(&str, Sealed); 19] = [
    ("From", Sealed::Always),
    ("Reply-To", Sealed::Always),
    ("To", Sealed::Always),
    ("Cc", Sealed::Always),
    ("Subject", Sealed::Always),
    ("Date", Sealed::IfPresent),
    ("Message-ID", Sealed::IfPresent),
    ("In-Reply-To", Sealed::IfPresent),
    ("References", Sealed::IfPresent),
    ("MIME-Version", Sealed::Always),
    ("Content-Type", Sealed::Always),
    ("Content-Transfer-Encoding", Sealed::Always),
    ("Content-Disposition", Sealed::IfPresent),
    ("Content-Description", Sealed::IfPresent),
    ("Content-ID", Sealed::IfPresent),
    ("Content-Language", Sealed::IfPresent),
    ("Content-Location", Sealed::IfPresent),
    ("List-Unsubscribe", Sealed::IfPresent),
    ("List-Unsubscribe-Post", Sealed::IfPresent),
];

/// What is signed of one letter's header, ready for any number of keys.
#[derive(Clone, Debug)]
pub struct SignedHeader {
    /// Field names in the order of `h=`.
    pub(super) names: Vec<&'static str>,
    /// Those fields in relaxed form, in that order, each with its line end.
    pub(super) canonical: Vec<u8>,
}

impl SignedHeader {
    /// Takes a header block: all of it, with or without the empty line behind it, and nothing of the body. Where the
    /// metadata has only its beginning, it is read from the letter. UTF-8 in it (RFC 6532) stays as it is.
    ///
    /// # Errors
    /// [`CannotSign::HeadTooLong`], [`CannotSign::Malformed`], [`CannotSign::From`]: the letter then goes out unsigned or
    /// not at all.
    pub fn select(head: &[u8]) -> Result<Self, CannotSign> {
        if head.len() > HEAD_BYTES_MAX {
            return Err(CannotSign::HeadTooLong);
        }
        if !ends_lines_with_crlf(head) {
            return Err(CannotSign::Malformed);
        }
        let present: Vec<Field<'_>> = fields(head).collect();
        // RFC 5322 §3.6; with several, everybody chooses another one to show (RFC 6376 §8.15).
        if present.iter().filter(|field| field.is(b"From")).count() != 1 {
            return Err(CannotSign::From);
        }
        let mut selected = Self { names: Vec::new(), canonical: Vec::new() };
        for (name, sealed) in FIELDS {
            selected.take(&present, name, sealed)?;
        }
        Ok(selected)
    }

    /// Names a field as often as it has to be, and takes its instances, the last one first (§5.4.2). A name beyond them
    /// stands for nothing (§3.5).
    fn take(&mut self, present: &[Field<'_>], name: &'static str, sealed: Sealed) -> Result<(), CannotSign> {
        let mut instances = 0;
        for field in present.iter().rev().filter(|field| field.is(name.as_bytes())) {
            instances += 1;
            relax(field.name, field.value, &mut self.canonical);
        }
        if instances > INSTANCES_MAX {
            return Err(CannotSign::Malformed);
        }
        let seal = usize::from(sealed == Sealed::Always || instances > 0);
        self.names.extend(core::iter::repeat_n(name, instances + seal));
        Ok(())
    }
}

/// The domain whose signature readers expect of a letter: that of its author, the first in `From`, as it stands there
/// (RFC 7489 §3.1.1 compares it with `d=`).
#[must_use]
pub fn author_domain(head: &[u8]) -> Option<String> {
    let from = find(head, b"From")?;
    String::from_utf8(first_domain(&from.unfolded())?).ok()
}

/// Writes a field in relaxed form: its name in lower case, no blanks around the colon and at the end, one space for any
/// other run of blanks and folds, CRLF. Line ends in `value` are those of folding.
pub(super) fn relax(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend(name.iter().map(u8::to_ascii_lowercase));
    out.push(b':');
    let words = value.split(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
    for (number, word) in words.filter(|word| !word.is_empty()).enumerate() {
        if number > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
    out.extend_from_slice(b"\r\n");
}

/// Whether every line ends with CRLF, and no CR or LF stands elsewhere: programs do not agree on where a line ends that
/// does not, and so not on what was signed.
fn ends_lines_with_crlf(head: &[u8]) -> bool {
    let mut lines = head.split(|byte| *byte == b'\n');
    // What stands behind the last LF: nothing, or the block is cut off.
    let is_whole = lines.next_back().is_some_and(<[u8]>::is_empty);
    is_whole && lines.all(|line| line.strip_suffix(b"\r").is_some_and(|line| !line.contains(&b'\r')))
}
