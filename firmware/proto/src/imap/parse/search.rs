//! What SEARCH looks for (RFC 3501 §9 `search-key`).

use alloc::{boxed::Box, vec::Vec};

use mail::Flags;

use super::{Cursor, Parse, bad};
use crate::imap::{
    ast::{Command, DayOf, DayOrder, SearchKey, Text},
    limits::{SEARCH_DEPTH_MAX, SEARCH_KEYS_MAX},
};

/// Keys read so far, and how deep reading is.
struct Bounds {
    keys: usize,
    depth: usize,
}

impl Cursor<'_> {
    /// `search = "SEARCH" [SP "CHARSET" SP astring] 1*(SP search-key)`
    pub(super) fn search(&mut self, uid: bool) -> Parse<Command> {
        let mut charset = None;
        if self.eat_text(b"CHARSET ") {
            charset = Some(self.text()?);
            self.sp()?;
        }
        let mut bounds = Bounds { keys: 0, depth: 0 };
        let key = self.search_keys(&mut bounds, |cursor| cursor.end().is_ok())?;
        Ok(Command::Search { uid, charset, key })
    }

    /// `search-key *(SP search-key)` up to an end.
    fn search_keys(&mut self, bounds: &mut Bounds, is_end: impl Fn(&mut Self) -> bool) -> Parse<SearchKey> {
        let first = self.search_key(bounds)?;
        if is_end(self) {
            return Ok(first);
        }
        let mut all = Vec::new();
        all.push(first);
        loop {
            self.sp()?;
            all.push(self.search_key(bounds)?);
            if is_end(self) {
                return Ok(SearchKey::And(all));
            }
        }
    }

    fn search_key(&mut self, bounds: &mut Bounds) -> Parse<SearchKey> {
        bounds.keys += 1;
        bounds.depth += 1;
        if bounds.keys > SEARCH_KEYS_MAX || bounds.depth > SEARCH_DEPTH_MAX {
            return bad("This search is too long or nests too deep");
        }
        let key = match self.peek() {
            Some(b'(') => {
                self.skip(1);
                self.search_keys(bounds, |cursor| cursor.eat(b')'))?
            }
            Some(b'*' | b'0'..=b'9') => SearchKey::Sequence(self.sequence_set()?),
            _ => self.named_key(bounds)?,
        };
        bounds.depth -= 1;
        Ok(key)
    }

    fn named_key(&mut self, bounds: &mut Bounds) -> Parse<SearchKey> {
        let name = self.atom()?.to_ascii_uppercase();
        if let Some(key) = plain_key(&name) {
            return Ok(key);
        }
        if !takes_argument(&name) {
            return bad("SEARCH does not know this key");
        }
        self.sp()?;
        match name.as_slice() {
            b"NOT" => Ok(not(self.search_key(bounds)?)),
            b"OR" => {
                let first = self.search_key(bounds)?;
                self.sp()?;
                Ok(SearchKey::Or(Box::new([first, self.search_key(bounds)?])))
            }
            b"KEYWORD" => Ok(SearchKey::Keyword(self.atom()?.into())),
            b"UNKEYWORD" => Ok(not(SearchKey::Keyword(self.atom()?.into()))),
            b"LARGER" => Ok(SearchKey::Larger(self.number()?)),
            b"SMALLER" => Ok(SearchKey::Smaller(self.number()?)),
            b"UID" => Ok(SearchKey::Uid(self.sequence_set()?)),
            b"BODY" => Ok(SearchKey::Body(self.text()?)),
            b"TEXT" => Ok(SearchKey::Text(self.text()?)),
            b"HEADER" => {
                let field = self.text()?;
                self.sp()?;
                Ok(SearchKey::Header { field, text: self.text()? })
            }
            b"BCC" | b"CC" | b"FROM" | b"SUBJECT" | b"TO" => {
                Ok(SearchKey::Header { field: Text::from(name), text: self.text()? })
            }
            _ => self.day_key(&name),
        }
    }

    fn day_key(&mut self, name: &[u8]) -> Parse<SearchKey> {
        let (of, order) = match name {
            b"BEFORE" => (DayOf::Received, DayOrder::Before),
            b"ON" => (DayOf::Received, DayOrder::On),
            b"SINCE" => (DayOf::Received, DayOrder::Since),
            b"SENTBEFORE" => (DayOf::Sent, DayOrder::Before),
            b"SENTON" => (DayOf::Sent, DayOrder::On),
            _ => (DayOf::Sent, DayOrder::Since),
        };
        Ok(SearchKey::Day { of, order, day: self.date()? })
    }
}

/// Keys without argument.
fn plain_key(name: &[u8]) -> Option<SearchKey> {
    let flag = SearchKey::Flag;
    Some(match name {
        b"ALL" => SearchKey::All,
        b"ANSWERED" => flag(Flags::ANSWERED),
        b"DELETED" => flag(Flags::DELETED),
        b"DRAFT" => flag(Flags::DRAFT),
        b"FLAGGED" => flag(Flags::FLAGGED),
        b"SEEN" => flag(Flags::SEEN),
        b"UNANSWERED" => not(flag(Flags::ANSWERED)),
        b"UNDELETED" => not(flag(Flags::DELETED)),
        b"UNDRAFT" => not(flag(Flags::DRAFT)),
        b"UNFLAGGED" => not(flag(Flags::FLAGGED)),
        b"UNSEEN" => not(flag(Flags::SEEN)),
        b"RECENT" => SearchKey::Recent,
        b"OLD" => not(SearchKey::Recent),
        // RFC 3501 §6.4.4: "functionally equivalent to (RECENT UNSEEN)".
        b"NEW" => SearchKey::And(Vec::from([SearchKey::Recent, not(flag(Flags::SEEN))])),
        _ => return None,
    })
}

fn takes_argument(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 21] = [
        b"BCC",
        b"BEFORE",
        b"BODY",
        b"CC",
        b"FROM",
        b"HEADER",
        b"KEYWORD",
        b"LARGER",
        b"NOT",
        b"ON",
        b"OR",
        b"SENTBEFORE",
        b"SENTON",
        b"SENTSINCE",
        b"SINCE",
        b"SMALLER",
        b"SUBJECT",
        b"TEXT",
        b"TO",
        b"UID",
        b"UNKEYWORD",
    ];
    NAMES.contains(&name)
}

fn not(key: SearchKey) -> SearchKey {
    SearchKey::Not(Box::new(key))
}
