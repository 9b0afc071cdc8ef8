//! Fields that every letter must have, or should, and that mail programs leave out: a submitted letter gets them.

use alloc::{string::String, vec::Vec};
use core::fmt::{self, Write as _};

use super::header::Header;
use crate::mime::Date;

/// What a submitted letter gets at the end of its header block where it has none of its own: `Date` (RFC 6409 §8.2, RFC
/// 5322 §3.6.1) and `Message-ID` (RFC 6409 §8.3, RFC 5322 §3.6.4). Letters from other servers are left as they are.
#[derive(Debug)]
pub(super) struct Fields {
    /// When it was submitted.
    pub(super) date: Date,
    /// Its identifier, without the brackets.
    pub(super) message_id: String,
}

impl Fields {
    /// The lines that `header` lacks, which has been read to its end. They begin with the end of its last line if that
    /// has none: it was the last of the letter.
    pub(super) fn lacking(&self, header: &Header) -> Vec<u8> {
        let mut lines = String::new();
        // Writing to a String does not fail.
        let _ = self.write(header, &mut lines);
        if !lines.is_empty() && !header.has_ended() && !header.is_at_line_start() {
            lines.insert_str(0, "\r\n");
        }
        lines.into_bytes()
    }

    fn write(&self, header: &Header, out: &mut String) -> fmt::Result {
        if !header.has_date() {
            write!(out, "Date: {}\r\n", self.date)?;
        }
        if !header.has_message_id() {
            write!(out, "Message-ID: <{}>\r\n", self.message_id)?;
        }
        Ok(())
    }
}
