//! Reading commands: a cursor over the bytes of one command, and the small pieces of the grammar of RFC 3501 §9.
//! The commands themselves are in `command`, their longer arguments in `fetch` and `search`.
//!
//! The bytes of a command are its line, with every literal behind its announcement as it came. A command whose last
//! literal is only announced ends in [`Fault::Missing`]: right so far.

use alloc::{borrow::Cow, vec::Vec};
use core::num::NonZeroU32;

use mail::{Flags, calendar::Day};

use super::{
    ast::{Command, FlagList, Literal, Tag, Text},
    date::{DateTime, parse_day},
    limits::KEYWORDS_MAX,
    set::{SeqNumber, SequenceSet},
};

mod command;
mod fetch;
mod search;

#[cfg(test)]
mod oracle_tests;
#[cfg(test)]
mod tests;

/// Why bytes are not a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Something is wrong; a sentence for the one who wrote the client.
    Bad(&'static str),
    /// They are the beginning of one, up to a literal that is announced and has not come.
    Missing,
}

type Parse<T> = Result<T, Fault>;

const fn bad<T>(why: &'static str) -> Parse<T> {
    Err(Fault::Bad(why))
}

/// The tag of a command, and the command or what is wrong with it. Without a tag there is nothing to answer to.
pub(super) fn command(bytes: &[u8]) -> (Option<Tag>, Parse<Command>) {
    let mut cursor = Cursor { rest: bytes };
    match cursor.tag() {
        Some(tag) => (Some(tag), cursor.command()),
        None => (None, bad("A command begins with a tag")),
    }
}

/// The literal that the last line of `bytes` announces.
pub(super) fn announced_literal(bytes: &[u8]) -> Option<Literal> {
    let line = without_line_end(bytes).strip_suffix(b"}")?;
    let start = line.iter().rposition(|byte| *byte == b'{')?;
    literal_size(line.get(start + 1..)?)
}

/// What `bytes` is without the CRLF at its end. A bare LF is accepted too: people type at servers.
pub(super) fn without_line_end(bytes: &[u8]) -> &[u8] {
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// `number ["+"]`.
fn literal_size(text: &[u8]) -> Option<Literal> {
    let (digits, waits) = text.strip_suffix(b"+").map_or((text, true), |digits| (digits, false));
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |len: u64, digit: &u8| len.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    Some(Literal { len: digits.iter().fold(0, add), waits })
}

/// Where in a command reading is.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Takes `byte` if it is next.
    fn eat(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        if is_next {
            self.skip(1);
        }
        is_next
    }

    /// Takes a text if it is next, in any case of letters.
    fn eat_text(&mut self, text: &[u8]) -> bool {
        let is_next = self.rest.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text));
        if is_next {
            self.skip(text.len());
        }
        is_next
    }

    fn skip(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    fn expect(&mut self, byte: u8, why: &'static str) -> Parse<()> {
        if self.eat(byte) { Ok(()) } else { bad(why) }
    }

    fn sp(&mut self) -> Parse<()> {
        self.expect(b' ', "A blank is missing, or an argument")
    }

    /// The end of the command.
    fn end(&self) -> Parse<()> {
        if matches!(self.rest, [] | b"\n" | b"\r\n") {
            Ok(())
        } else {
            bad("There is too much in this command")
        }
    }

    /// As many bytes as are of a kind.
    fn take_while(&mut self, is: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|byte| !is(*byte)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// `tag = 1*<any ASTRING-CHAR except "+">`
    fn tag(&mut self) -> Option<Tag> {
        let tag = self.take_while(|byte| is_astring_char(byte) && byte != b'+');
        let tag = core::str::from_utf8(tag).ok().filter(|tag| !tag.is_empty())?;
        Tag::try_from(tag).ok()
    }

    /// `atom = 1*ATOM-CHAR`
    fn atom(&mut self) -> Parse<&'a [u8]> {
        match self.take_while(is_atom_char) {
            [] => bad("A word is missing"),
            atom => Ok(atom),
        }
    }

    /// `astring = 1*ASTRING-CHAR / string`
    fn astring(&mut self) -> Parse<Cow<'a, [u8]>> {
        self.word_or_string(is_astring_char)
    }

    /// `list-mailbox = 1*list-char / string`
    fn list_mailbox(&mut self) -> Parse<Cow<'a, [u8]>> {
        self.word_or_string(|byte| is_astring_char(byte) || matches!(byte, b'%' | b'*'))
    }

    fn word_or_string(&mut self, is: impl Fn(u8) -> bool) -> Parse<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            _ => match self.take_while(is) {
                [] => bad("A word or string is missing"),
                word => Ok(Cow::Borrowed(word)),
            },
        }
    }

    /// [`Self::astring`] to be kept.
    fn text(&mut self) -> Parse<Text> {
        Ok(self.astring()?.into())
    }

    /// `string = quoted / literal`
    fn string(&mut self) -> Parse<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal().map(Cow::Borrowed),
            _ => bad("A string is missing"),
        }
    }

    /// `quoted`. Bytes of eight bits are let through: clients send them in SEARCH and LOGIN, and what cannot have
    /// them (names of mailboxes) is checked where it is used.
    fn quoted(&mut self) -> Parse<Cow<'a, [u8]>> {
        self.skip(1);
        let mut unescaped: Option<Vec<u8>> = None;
        loop {
            let plain = self.take_while(|byte| !matches!(byte, b'"' | b'\\' | b'\r' | b'\n' | 0));
            if let Some(text) = &mut unescaped {
                text.extend_from_slice(plain);
            }
            match self.rest {
                [b'"', ..] => {
                    self.skip(1);
                    return Ok(unescaped.map_or(Cow::Borrowed(plain), Cow::Owned));
                }
                [b'\\', escaped @ (b'"' | b'\\'), ..] => {
                    unescaped.get_or_insert_with(|| plain.to_vec()).push(*escaped);
                    self.skip(2);
                }
                [b'\\', ..] => return bad("In a quoted string only \\\" and \\\\ may follow a backslash"),
                _ => return bad("A quoted string does not end on its line"),
            }
        }
    }

    /// `literal = "{" number ["+"] "}" CRLF *CHAR8`
    fn literal(&mut self) -> Parse<&'a [u8]> {
        let literal = self.literal_head()?;
        match usize::try_from(literal.len).ok().and_then(|len| self.rest.split_at_checked(len)) {
            Some((bytes, rest)) => {
                self.rest = rest;
                if bytes.contains(&0) { bad("A NUL cannot stand in a literal") } else { Ok(bytes) }
            }
            // Only the last line of the bytes can announce what has not come.
            None => Err(Fault::Missing),
        }
    }

    /// `"{" number ["+"] "}" CRLF`
    fn literal_head(&mut self) -> Parse<Literal> {
        const WHY: &str = "A literal is announced as {count} or {count+} at the end of a line";
        self.expect(b'{', WHY)?;
        let size = self.take_while(|byte| byte.is_ascii_digit() || byte == b'+');
        let literal = literal_size(size).ok_or(Fault::Bad(WHY))?;
        if self.eat_text(b"}\r\n") || self.eat_text(b"}\n") { Ok(literal) } else { bad(WHY) }
    }

    /// `nstring = string / nil`
    fn nstring(&mut self) -> Parse<()> {
        if self.eat_text(b"NIL") { Ok(()) } else { self.string().map(|_| ()) }
    }

    /// `number`
    fn number(&mut self) -> Parse<u32> {
        u32::try_from(self.number64()?).or(bad("A number is too large"))
    }

    /// A number of up to 63 bits, as RFC 9051 has it for sizes and offsets.
    fn number64(&mut self) -> Parse<u64> {
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        if digits.is_empty() {
            return bad("A number is missing");
        }
        let add = |number: u64, digit: &u8| number.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
        match digits.iter().try_fold(0, add) {
            Some(number) if i64::try_from(number).is_ok() => Ok(number),
            _ => bad("A number is too large"),
        }
    }

    /// `nz-number`
    fn nz_number(&mut self) -> Parse<NonZeroU32> {
        NonZeroU32::new(self.number()?).map_or(bad("A number must not be zero"), Ok)
    }

    /// `sequence-set = (seq-number / seq-range) *("," sequence-set)`
    fn sequence_set(&mut self) -> Parse<SequenceSet> {
        let mut ranges = Vec::new();
        loop {
            let first = self.seq_number()?;
            let last = if self.eat(b':') { self.seq_number()? } else { first };
            ranges.push((first, last));
            if !self.eat(b',') {
                return Ok(SequenceSet(ranges));
            }
        }
    }

    /// `seq-number = nz-number / "*"`
    fn seq_number(&mut self) -> Parse<SeqNumber> {
        match self.peek() {
            Some(b'*') => {
                self.skip(1);
                Ok(None)
            }
            Some(b'0'..=b'9') => self.nz_number().map(Some),
            _ => bad("A set of messages is missing or malformed"),
        }
    }

    /// `flag-list = "(" [flag *(SP flag)] ")"`
    fn flag_list(&mut self) -> Parse<FlagList> {
        let mut flags = FlagList::default();
        self.expect(b'(', "A list of flags stands in parentheses")?;
        if self.eat(b')') {
            return Ok(flags);
        }
        loop {
            self.flag(&mut flags)?;
            if self.eat(b')') {
                return Ok(flags);
            }
            self.sp()?;
        }
    }

    /// `flag = "\Answered" / "\Flagged" / "\Deleted" / "\Seen" / "\Draft" / flag-keyword / flag-extension`
    fn flag(&mut self, flags: &mut FlagList) -> Parse<()> {
        if !self.eat(b'\\') {
            let keyword = self.atom()?;
            if flags.keywords.iter().any(|known| known.eq_ignore_ascii_case(keyword)) {
                return Ok(());
            }
            if flags.keywords.len() == KEYWORDS_MAX {
                return bad("These are too many keywords");
            }
            flags.keywords.push(keyword.into());
            return Ok(());
        }
        flags.system = flags.system.with(system_flag(self.atom()?));
        Ok(())
    }

    /// `date = date-text / DQUOTE date-text DQUOTE`
    fn date(&mut self) -> Parse<Day> {
        parse_day(&self.astring()?).map_or(bad("A date has the form 1-Feb-2026"), Ok)
    }

    /// `date-time`
    fn date_time(&mut self) -> Parse<DateTime> {
        DateTime::parse(&self.quoted()?)
            .map_or(bad("A date and time has the form \" 1-Feb-2026 12:30:00 +0900\""), Ok)
    }
}

/// The flag called `\name`; none for one that is unknown.
fn system_flag(name: &[u8]) -> Flags {
    super::emit::SYSTEM_FLAGS
        .into_iter()
        .find(|(_, known)| known.as_bytes().get(1..).is_some_and(|known| known.eq_ignore_ascii_case(name)))
        .map_or(Flags::NONE, |(flag, _)| flag)
}

/// `ATOM-CHAR = <any CHAR except atom-specials>`
const fn is_atom_char(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e) && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

/// `ASTRING-CHAR = ATOM-CHAR / resp-specials`
pub(super) const fn is_astring_char(byte: u8) -> bool {
    is_atom_char(byte) || byte == b']'
}
