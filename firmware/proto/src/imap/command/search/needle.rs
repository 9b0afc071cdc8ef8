//! Texts that are looked for, and looking for them in header fields.

use alloc::boxed::Box;

use crate::mime::{fold::Matcher, header, words};

/// A text that is looked for.
#[derive(Debug)]
pub(super) struct Needle {
    pub(super) place: Place,
    /// Name of the header field, for [`Place::Field`].
    pub(super) field: Box<[u8]>,
    pub(super) matcher: Matcher,
    /// Whether it is in the current message; `None` while that is not known.
    pub(super) found: Option<bool>,
}

/// Where a text is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In one header field of the letter.
    Field,
    /// In its body.
    Body,
    /// In header and body.
    Anywhere,
}

impl Needle {
    /// Whether a field of a header block is to be looked at.
    fn wants(&self, field: &header::Field<'_>, is_own: bool) -> bool {
        self.found != Some(true)
            && match self.place {
                Place::Field => is_own && field.is(&self.field),
                Place::Anywhere => true,
                // The headers of parts and of enclosed letters belong to the body.
                Place::Body => !is_own,
            }
    }
}

/// Looks through a header block; `is_own` for that of the letter itself. Finds, and never says that something is not
/// there.
pub(super) fn look_in_header(needles: &mut [Needle], block: &[u8], is_own: bool) {
    for field in header::fields(block) {
        if !needles.iter().any(|needle| needle.wants(&field, is_own)) {
            continue;
        }
        let value = words::decode(field.value);
        for needle in needles.iter_mut().filter(|needle| needle.wants(&field, is_own)) {
            if needle.place != Place::Field
                && let Ok(name) = core::str::from_utf8(field.name)
            {
                needle.matcher.feed(name);
                needle.matcher.feed(": ");
            }
            needle.matcher.feed(&value);
            if needle.matcher.finish() {
                needle.found = Some(true);
            }
        }
    }
}
