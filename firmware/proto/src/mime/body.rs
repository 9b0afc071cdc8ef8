//! BODY made from BODYSTRUCTURE: the same text without its extension data (RFC 3501 §7.4.2).
//!
//! The text is our own, so it is well formed; were it not, the output would end early, never run on.

use alloc::vec::Vec;

use super::limits::DEPTH_MAX;

/// Appends the structure in `text` without extension data.
pub(super) fn write(text: &[u8], out: &mut Vec<u8>) {
    body(&mut Reader(text), out, DEPTH_MAX + 1);
}

/// Fields of a part that is no multipart before any that depend on its type: type, subtype, parameters, id,
/// description, encoding, size.
const BASIC_FIELDS: usize = 7;

/// One structure, and at most `depth` within it.
fn body(from: &mut Reader<'_>, out: &mut Vec<u8>, depth: usize) {
    let Some(depth) = depth.checked_sub(1) else { return from.0 = b"" };
    from.bump();
    out.push(b'(');
    if from.0.first() == Some(&b'(') {
        while from.0.first() == Some(&b'(') {
            body(from, out, depth);
        }
        out.push(b' ');
        from.bump();
        out.extend_from_slice(from.value());
    } else {
        single(from, out, depth);
    }
    from.rest_of_list();
    out.push(b')');
}

fn single(from: &mut Reader<'_>, out: &mut Vec<u8>, depth: usize) {
    let kind = from.value();
    out.extend_from_slice(kind);
    let mut subtype: &[u8] = b"";
    for field in 1..BASIC_FIELDS {
        let value = from.next_value(out);
        if field == 1 {
            subtype = value;
        }
    }
    if kind == b"\"TEXT\"" {
        from.next_value(out);
    } else if kind == b"\"MESSAGE\"" && subtype == b"\"RFC822\"" {
        from.next_value(out);
        from.bump();
        out.push(b' ');
        body(from, out, depth);
        from.next_value(out);
    }
}

/// Reads IMAP values from the front of a text.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bump(&mut self) {
        self.take(1);
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Copies a blank and the value behind it.
    fn next_value(&mut self, out: &mut Vec<u8>) -> &'a [u8] {
        self.bump();
        let value = self.value();
        out.push(b' ');
        out.extend_from_slice(value);
        value
    }

    /// Skips to the end of the list in which we are, the closing parenthesis included.
    fn rest_of_list(&mut self) {
        while let Some(byte) = self.0.first() {
            if *byte == b')' {
                self.bump();
                return;
            }
            if self.value().is_empty() {
                self.bump();
            }
        }
    }

    /// A string, literal, atom, or list with all that is in it.
    fn value(&mut self) -> &'a [u8] {
        let all = self.0;
        let mut depth = 0_usize;
        loop {
            match self.0.first() {
                None => break,
                Some(b'(') => {
                    depth += 1;
                    self.bump();
                }
                Some(b')') => {
                    if depth == 0 {
                        break;
                    }
                    depth -= 1;
                    self.bump();
                }
                Some(b' ') => {
                    if depth == 0 {
                        break;
                    }
                    self.bump();
                    continue;
                }
                Some(b'"') => self.skip_quoted(),
                Some(b'{') => self.skip_literal(),
                Some(_) => self.skip_atom(),
            }
            if depth == 0 {
                break;
            }
        }
        all.get(..all.len() - self.0.len()).unwrap_or_default()
    }

    fn skip_quoted(&mut self) {
        self.bump();
        while let Some(byte) = self.take(1).first() {
            match byte {
                b'"' => return,
                b'\\' => self.bump(),
                _ => {}
            }
        }
    }

    fn skip_literal(&mut self) {
        self.bump();
        let mut len = 0_usize;
        while let Some(digit) = self.take(1).first().filter(|byte| byte.is_ascii_digit()) {
            len = len.saturating_mul(10).saturating_add(usize::from(*digit - b'0'));
        }
        // The `}` is taken; CR and LF follow.
        self.take(len.saturating_add(2));
    }

    fn skip_atom(&mut self) {
        let end = self.0.iter().position(|byte| matches!(byte, b' ' | b')' | b'('));
        self.take(end.unwrap_or(self.0.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(structure: &str, expected: &str) {
        let mut out = Vec::new();
        write(structure.as_bytes(), &mut out);
        assert_eq!(core::str::from_utf8(&out).unwrap(), expected);
    }

    #[test]
    fn extension_data_goes_and_all_else_stays() {
        let text = r#"("TEXT" "PLAIN" ("CHARSET" "a)\"") NIL NIL "7BIT" 12 1"#;
        check(&alloc::format!("{text} NIL (\"INLINE\" NIL) NIL NIL)"), &alloc::format!("{text})"));
        let binary = "(\"IMAGE\" \"PNG\" (\"NAME\" {6}\r\n手紙) NIL NIL \"BASE64\" 12";
        check(&alloc::format!("{binary} NIL NIL NIL NIL)"), &alloc::format!("{binary})"));
        check(
            &alloc::format!(
                "({text} NIL NIL NIL NIL){binary} NIL NIL NIL NIL) \"MIXED\" (\"B\" \"x\") NIL NIL NIL)"
            ),
            &alloc::format!("({text}){binary}) \"MIXED\")"),
        );
    }

    #[test]
    fn broken_text_ends_early() {
        for text in ["", "(", "((", "(\"TEXT\"", "({999}\r\n", "(\"a", ")))", "(a b"] {
            let mut out = Vec::new();
            write(text.as_bytes(), &mut out);
            assert!(out.len() < 40);
        }
    }
}
