//! What FETCH asks for (RFC 3501 §9 `fetch-att`).

use alloc::{vec, vec::Vec};

use super::{Cursor, Parse, bad};
use crate::imap::{
    ast::{Command, FetchItem, Partial, Section, SectionText},
    limits::{FETCH_ITEMS_MAX, FIELD_NAMES_MAX, PART_LEVELS_MAX},
};

impl Cursor<'_> {
    /// `fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")")`
    pub(super) fn fetch(&mut self, uid: bool) -> Parse<Command> {
        let set = self.sequence_set()?;
        self.sp()?;
        if !self.eat(b'(') {
            let items = match self.macro_items() {
                Some(items) => items,
                None => vec![self.fetch_att()?],
            };
            return Ok(Command::Fetch { uid, set, items });
        }
        let mut items = Vec::new();
        loop {
            let item = self.fetch_att()?;
            // An item named twice is answered once.
            if !items.contains(&item) {
                items.push(item);
            }
            if items.len() > FETCH_ITEMS_MAX {
                return bad("FETCH asks for too many items at once");
            }
            if self.eat(b')') {
                return Ok(Command::Fetch { uid, set, items });
            }
            self.sp()?;
        }
    }

    /// RFC 3501 §6.4.5: macros stand alone.
    fn macro_items(&mut self) -> Option<Vec<FetchItem>> {
        use FetchItem::{Body, Envelope, Flags, InternalDate, Rfc822Size};
        let mut ahead = Cursor { rest: self.rest };
        let items = match ahead.att_name().as_slice() {
            b"ALL" => vec![Flags, InternalDate, Rfc822Size, Envelope],
            b"FAST" => vec![Flags, InternalDate, Rfc822Size],
            b"FULL" => vec![Flags, InternalDate, Rfc822Size, Envelope, Body],
            _ => return None,
        };
        self.rest = ahead.rest;
        Some(items)
    }

    fn fetch_att(&mut self) -> Parse<FetchItem> {
        let item = match self.att_name().as_slice() {
            b"ENVELOPE" => FetchItem::Envelope,
            b"FLAGS" => FetchItem::Flags,
            b"INTERNALDATE" => FetchItem::InternalDate,
            b"RFC822" => FetchItem::Rfc822,
            b"RFC822.HEADER" => FetchItem::Rfc822Header,
            b"RFC822.SIZE" => FetchItem::Rfc822Size,
            b"RFC822.TEXT" => FetchItem::Rfc822Text,
            b"BODYSTRUCTURE" => FetchItem::BodyStructure,
            b"UID" => FetchItem::Uid,
            b"BODY" if self.peek() != Some(b'[') => FetchItem::Body,
            b"BODY" => self.body_section(false)?,
            b"BODY.PEEK" => self.body_section(true)?,
            _ => return bad("FETCH does not know this item"),
        };
        Ok(item)
    }

    fn att_name(&mut self) -> Vec<u8> {
        self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'.').to_ascii_uppercase()
    }

    /// `section ["<" number "." nz-number ">"]`
    fn body_section(&mut self, peek: bool) -> Parse<FetchItem> {
        self.expect(b'[', "A section stands in brackets")?;
        let section = self.section()?;
        self.expect(b']', "A section ends with a bracket")?;
        let mut partial = None;
        if self.eat(b'<') {
            let offset = self.number64()?;
            self.expect(b'.', "A part of a section is named as <offset.length>")?;
            let len = self.number64()?;
            if len == 0 {
                return bad("The length of a part of a section must not be zero");
            }
            self.expect(b'>', "A part of a section is named as <offset.length>")?;
            partial = Some(Partial { offset, len });
        }
        Ok(FetchItem::BodySection { peek, section, partial })
    }

    /// `section-spec = section-msgtext / (section-part ["." section-text])`,
    /// `section-part = nz-number *("." nz-number)`
    fn section(&mut self) -> Parse<Section> {
        let mut section = Section::default();
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            section.part.push(self.nz_number()?.get());
            if section.part.len() > PART_LEVELS_MAX {
                return bad("No letter has parts as deep as this");
            }
            if !self.eat(b'.') {
                return Ok(section);
            }
        }
        if section.part.is_empty() && self.peek() == Some(b']') {
            return Ok(section);
        }
        section.text = self.section_text()?;
        if section.text == SectionText::Mime && section.part.is_empty() {
            // RFC 3501 §6.4.5: "The MIME part specifier MUST be prefixed by one or more numeric part specifiers."
            return bad("MIME belongs to a part: [1.MIME]");
        }
        Ok(section)
    }

    /// `section-text = section-msgtext / "MIME"`
    fn section_text(&mut self) -> Parse<SectionText> {
        match self.att_name().as_slice() {
            b"HEADER" => Ok(SectionText::Header),
            b"HEADER.FIELDS" => self.header_fields(false),
            b"HEADER.FIELDS.NOT" => self.header_fields(true),
            b"TEXT" => Ok(SectionText::Text),
            b"MIME" => Ok(SectionText::Mime),
            _ => bad("A section is a part number, HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT or MIME"),
        }
    }

    /// `header-list = "(" header-fld-name *(SP header-fld-name) ")"`
    fn header_fields(&mut self, not: bool) -> Parse<SectionText> {
        self.sp()?;
        self.expect(b'(', "Names of header fields stand in parentheses")?;
        let mut names = Vec::new();
        loop {
            names.push(self.text()?);
            if names.len() > FIELD_NAMES_MAX {
                return bad("These are too many header fields");
            }
            if self.eat(b')') {
                return Ok(SectionText::HeaderFields { not, names });
            }
            self.sp()?;
        }
    }
}
