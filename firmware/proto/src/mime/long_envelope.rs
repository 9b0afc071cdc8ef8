//! ENVELOPE (RFC 3501 §7.4.2) of a letter whose header is too long for a summary: written while the header block goes by,
//! once for everything that is short, and once more for each list of recipients. Memory does not grow with the lists.

use alloc::vec::Vec;

use super::{
    address,
    envelope::Envelope,
    fields::{Field, Fields, Found, LineEnd},
};

/// Writes one ENVELOPE.
#[derive(Debug)]
pub struct LongEnvelope {
    fields: Fields,
    /// The empty line has come.
    is_over: bool,
    /// Everything but the recipients.
    short: Envelope,
    /// Which lists of recipients there are.
    lists: Lists,
    pass: Pass,
}

#[derive(Clone, Copy, Debug, Default)]
struct Lists {
    to: bool,
    cc: bool,
    bcc: bool,
}

/// What is looked for while the block goes by.
#[derive(Clone, Copy, Debug)]
enum Pass {
    Short,
    List {
        of: Field,
        /// An address of it has been written.
        has_begun: bool,
    },
}

/// What is to happen when the block has gone by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is to go by again.
    Again,
    /// The ENVELOPE has been written.
    Done,
}

impl Default for LongEnvelope {
    fn default() -> Self {
        Self::new()
    }
}

impl LongEnvelope {
    /// Ready for the first byte of the header block.
    #[must_use]
    pub fn new() -> Self {
        Self {
            fields: Fields::in_pieces(),
            is_over: false,
            short: Envelope::roomy(),
            lists: Lists::default(),
            pass: Pass::Short,
        }
    }

    /// Takes the next bytes of the header block and appends to `out` what can be written: at most some sixteen times as
    /// much, and what was held back.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let Self { fields, short, lists, pass, is_over } = self;
        let mut found = |found: Found<'_>| note(pass, short, lists, found, out);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if *is_over {
                return;
            }
            let (text, ends) = line.strip_suffix(b"\n").map_or((line, false), |text| (text, true));
            fields.push(text, &mut found);
            *is_over = ends && fields.end_line(&mut found) == LineEnd::Blank;
        }
    }

    /// The block has gone by, or cannot be read any further: what is written ends well in any case.
    pub fn end_of_block(&mut self, out: &mut Vec<u8>) -> Next {
        let Self { fields, short, lists, pass, is_over } = self;
        fields.end(&mut |found| note(pass, short, lists, found, out));
        *is_over = false;
        let mut at = match *pass {
            Pass::Short => {
                short.render_beginning(out);
                out.push(b' ');
                Some(Field::To)
            }
            Pass::List { of, has_begun } => {
                out.extend_from_slice(if has_begun { b") " } else { b"NIL " });
                next_list(of)
            }
        };
        while let Some(of) = at {
            if lists.has(of) {
                *pass = Pass::List { of, has_begun: false };
                return Next::Again;
            }
            out.extend_from_slice(b"NIL ");
            at = next_list(of);
        }
        // The blank is part of what follows.
        out.pop();
        short.render_end(out);
        Next::Done
    }
}

impl Lists {
    const fn has(self, list: Field) -> bool {
        match list {
            Field::To => self.to,
            Field::Cc => self.cc,
            Field::Bcc => self.bcc,
            _ => false,
        }
    }
}

const fn next_list(list: Field) -> Option<Field> {
    match list {
        Field::To => Some(Field::Cc),
        Field::Cc => Some(Field::Bcc),
        _ => None,
    }
}

fn note(pass: &mut Pass, short: &mut Envelope, lists: &mut Lists, found: Found<'_>, out: &mut Vec<u8>) {
    match pass {
        Pass::Short => match found.field {
            Field::To => lists.to = true,
            Field::Cc => lists.cc = true,
            Field::Bcc => lists.bcc = true,
            _ => short.note(found),
        },
        // Several fields of a kind add up, as they do in a summary.
        Pass::List { of, has_begun } if *of == found.field => {
            let before = out.len();
            if !*has_begun {
                out.push(b'(');
            }
            let opened = out.len();
            address::render_piece(found.value, out, found.in_group, !found.more);
            if out.len() > opened {
                *has_begun = true;
            } else {
                out.truncate(before);
            }
        }
        Pass::List { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::String};

    use super::*;
    use crate::mime::{Scanner, Summary};

    fn written(block: &[u8], chunk: usize) -> Vec<u8> {
        let (mut envelope, mut out) = (LongEnvelope::new(), Vec::new());
        loop {
            block.chunks(chunk).for_each(|bytes| envelope.feed(bytes, &mut out));
            if envelope.end_of_block(&mut out) == Next::Done {
                return out;
            }
        }
    }

    /// What the summary says, which has no room for many.
    fn summarized(block: &[u8]) -> (Vec<u8>, bool) {
        let mut scanner = Scanner::new();
        scanner.feed(block);
        let bytes = scanner.finish();
        let summary = Summary::read(&bytes).unwrap();
        (summary.envelope().to_vec(), summary.envelope_is_whole())
    }

    #[test]
    fn it_says_what_the_summary_says_where_that_has_room() {
        for block in [
            &b"From: a@x.test\r\nTo: b@x.test\r\nCc: c@x.test\r\n d@x.test\r\nSubject: one\r\n two\r\n\r\nTo: body\r\n"[..],
            b"To: \r\nTo: a@x.test,\r\n b@x.test\r\nTo: c@x.test\r\nBcc: f: g@x.test;\r\nMessage-ID: <1@x>\r\n",
            b"Sender: a@x.test\nCc: open: b@x.test\nSubject: \xff\nDate: today",
            b"\r\nFrom: body@x.test\r\n",
            b"",
        ] {
            let (expected, whole) = summarized(block);
            assert!(whole);
            for chunk in [1, 7, 10_000] {
                let written = written(block, chunk);
                assert_eq!(String::from_utf8_lossy(&written), String::from_utf8_lossy(&expected), "{chunk}");
            }
        }
    }

    #[test]
    fn no_recipient_is_left_out_and_little_is_held() {
        for count in [500, 5_000] {
            let address =
                |kind: &str, number: usize| format!("\"{kind}, {number}\" <{kind}-{number}@example.test>");
            let list =
                |kind| (0..count).map(|number| address(kind, number)).collect::<Vec<_>>().join(",\r\n ");
            let block = format!(
                "From: a@x.test\r\nTo: {}\r\nSubject: many\r\nCc: group: {};\r\n\r\n",
                list("to"),
                list("cc")
            );
            assert!(!summarized(block.as_bytes()).1);
            let shown = |kind: &str| {
                let one = |number| format!("(\"{kind}, {number}\" NIL \"{kind}-{number}\" \"example.test\")");
                (0..count).map(one).collect::<String>()
            };
            let from = r#"((NIL NIL "a" "x.test"))"#;
            let expected = format!(
                "(NIL \"many\" {from} {from} {from} ({}) ((NIL NIL \"group\" NIL){}(NIL NIL NIL NIL)) NIL NIL NIL)",
                shown("to"),
                shown("cc")
            );
            for chunk in [100, 4096] {
                assert!(
                    written(block.as_bytes(), chunk) == expected.as_bytes(),
                    "{count} in pieces of {chunk}"
                );
            }
        }
    }

    #[test]
    fn what_a_piece_becomes_is_bounded() {
        for item in [",", "a,", ":;", "<>,", "(c)a,"] {
            let block = format!("To: {}\r\n\r\n", item.repeat(20_000 / item.len()));
            let (mut envelope, mut out) = (LongEnvelope::new(), Vec::new());
            let mut longest = 0;
            loop {
                for bytes in block.as_bytes().chunks(2048) {
                    let before = out.len();
                    envelope.feed(bytes, &mut out);
                    longest = longest.max(out.len() - before);
                }
                if envelope.end_of_block(&mut out) == Next::Done {
                    break;
                }
            }
            assert!(longest <= 20 * 4096, "{item}: {longest}");
        }
    }
}
