//! The beginning of a letter's text for people to read (RFC 8970).

use alloc::{string::String, vec::Vec};

use super::{content::Content, limits::PREVIEW_SOURCE_BYTES_MAX};

/// Keeps the beginning of the part that will be shown: the first plain text, else the first HTML.
#[derive(Debug, Default)]
pub(super) struct Preview {
    source: Vec<u8>,
    taking: bool,
}

impl Preview {
    /// A part begins that has no parts.
    pub(super) fn begin(&mut self, content: &Content) {
        self.taking = self.source.is_empty() && content.is_text() && !content.is_attachment();
    }

    /// Bytes of the part at hand.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.taking {
            let room = PREVIEW_SOURCE_BYTES_MAX - self.source.len().min(PREVIEW_SOURCE_BYTES_MAX);
            self.source.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        }
    }

    /// The part at hand has ended.
    pub(super) const fn end(&mut self) {
        self.taking = false;
    }

    /// The preview.
    pub(super) fn text(&self) -> String {
        String::new()
    }
}
