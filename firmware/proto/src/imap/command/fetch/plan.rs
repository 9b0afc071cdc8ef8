//! What a FETCH asks for, sorted by where it comes from: the index, the summary, or the letter itself.

use alloc::{boxed::Box, vec::Vec};
use core::ops::Range;

use crate::{
    imap::{
        ast::{FetchItem, Partial, Section, SectionText},
        emit,
        limits::WORK_MESSAGE,
        rescan::work_of_text,
    },
    mime::Summary,
};

/// The items of one FETCH. They are answered in the order of the fields here, which RFC 3501 leaves open.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) uid: bool,
    pub(super) flags: bool,
    pub(super) received: bool,
    pub(super) size: bool,
    pub(super) envelope: bool,
    pub(super) body: bool,
    pub(super) structure: bool,
    pub(super) pieces: Vec<Piece>,
    /// RFC 3501 §6.4.5: asking for a body without PEEK sets `\Seen`.
    pub(super) sets_seen: bool,
}

/// A piece of the letter.
#[derive(Debug)]
pub(super) struct Piece {
    /// Its name in the response, with the blank behind it.
    pub(super) label: Box<[u8]>,
    pub(super) section: Section,
    pub(super) partial: Option<Partial>,
}

/// Where a piece is to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Nowhere: the letter has no such part.
    Nothing,
    /// Bytes of the letter.
    Bytes(Range<u64>),
    /// Some fields of the header block that stands there.
    Fields(Range<u64>),
}

impl Plan {
    /// Sorts items; `uid` for UID FETCH, whose responses have the UID without being asked (RFC 3501 §6.4.8).
    pub(super) fn new(items: Vec<FetchItem>, uid: bool) -> Self {
        let mut plan = Self { uid, ..Self::default() };
        for item in items {
            match item {
                FetchItem::Uid => plan.uid = true,
                FetchItem::Flags => plan.flags = true,
                FetchItem::InternalDate => plan.received = true,
                FetchItem::Rfc822Size => plan.size = true,
                FetchItem::Envelope => plan.envelope = true,
                FetchItem::Body => plan.body = true,
                FetchItem::BodyStructure => plan.structure = true,
                FetchItem::Rfc822 => plan.letter(b"RFC822 ", SectionText::All, true),
                FetchItem::Rfc822Header => plan.letter(b"RFC822.HEADER ", SectionText::Header, false),
                FetchItem::Rfc822Text => plan.letter(b"RFC822.TEXT ", SectionText::Text, true),
                FetchItem::BodySection { peek, section, partial } => {
                    plan.sets_seen |= !peek;
                    plan.pieces.push(Piece { label: label(&section, partial), section, partial });
                }
            }
        }
        plan
    }

    fn letter(&mut self, label: &[u8], text: SectionText, sets_seen: bool) {
        self.sets_seen |= sets_seen;
        let section = Section { part: Vec::new(), text };
        self.pieces.push(Piece { label: label.into(), section, partial: None });
    }

    /// Whether the summary or the header block is needed.
    pub(super) fn needs_record(&self) -> bool {
        self.envelope
            || self.body
            || self.structure
            || self.pieces.iter().any(|piece| piece.section != Section::default())
    }
}

impl Piece {
    /// Where it is in a letter. Without a summary only the letter as a whole can be found.
    pub(super) fn source(&self, size: u64, summary: Option<&Summary<'_>>) -> Source {
        let range = match summary {
            None if self.section == Section::default() => Some(0..size),
            None => None,
            Some(summary) => self.range(summary),
        };
        let Some(range) = range else { return Source::Nothing };
        let range = range.start.min(size)..range.end.min(size);
        match self.section.text {
            SectionText::HeaderFields { .. } => Source::Fields(range),
            _ => Source::Bytes(self.cut(range)),
        }
    }

    /// RFC 3501 §6.4.5: what a section names.
    fn range(&self, summary: &Summary<'_>) -> Option<Range<u64>> {
        let part = summary.part(&self.section.part)?;
        match self.section.text {
            SectionText::All => Some(part.body),
            SectionText::Mime => Some(part.header),
            // "HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, and TEXT [...] refer to the RFC 2822 header [or text] of the
            // message or of an encapsulated MESSAGE/RFC822".
            SectionText::Header | SectionText::HeaderFields { .. } => Some(part.message?.header),
            SectionText::Text => Some(part.message?.text),
        }
    }

    /// Work of finding it in a header block of so many bytes.
    pub(super) fn work(&self, head_len: usize) -> u32 {
        match &self.section.text {
            SectionText::HeaderFields { names, .. } => work_of_text(head_len.saturating_add(8 * names.len())),
            _ => WORK_MESSAGE,
        }
    }

    /// The part of `range` that the client wants.
    pub(super) fn cut(&self, range: Range<u64>) -> Range<u64> {
        let Some(Partial { offset, len }) = self.partial else { return range };
        let start = range.start.saturating_add(offset).min(range.end);
        start..start.saturating_add(len).min(range.end)
    }

    /// The same of bytes at hand.
    pub(super) fn cut_bytes<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        let Range { start, end } = self.cut(0..bytes.len() as u64);
        let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
        range.and_then(|(start, end)| bytes.get(start..end)).unwrap_or_default()
    }
}

/// `"BODY" section ["<" number ">"] SP`, with the client's spelling of field names.
fn label(section: &Section, partial: Option<Partial>) -> Box<[u8]> {
    let mut label = Vec::from(b"BODY[");
    for (index, number) in section.part.iter().enumerate() {
        if index > 0 {
            label.push(b'.');
        }
        emit::number(u64::from(*number), &mut label);
    }
    if !section.part.is_empty() && section.text != SectionText::All {
        label.push(b'.');
    }
    label.extend_from_slice(match &section.text {
        SectionText::All => b"",
        SectionText::Header => b"HEADER",
        SectionText::HeaderFields { not: false, .. } => b"HEADER.FIELDS ",
        SectionText::HeaderFields { not: true, .. } => b"HEADER.FIELDS.NOT ",
        SectionText::Text => b"TEXT",
        SectionText::Mime => b"MIME",
    });
    if let SectionText::HeaderFields { names, .. } = &section.text {
        for (index, name) in names.iter().enumerate() {
            label.push(if index == 0 { b'(' } else { b' ' });
            emit::astring(name, &mut label);
        }
        label.push(b')');
    }
    label.push(b']');
    if let Some(Partial { offset, .. }) = partial {
        label.push(b'<');
        emit::number(offset, &mut label);
        label.push(b'>');
    }
    label.push(b' ');
    label.into()
}
