//! Parameters of Content-Type and Content-Disposition (RFC 2045 §5.1), with the continuations of RFC 2231.

use alloc::vec::Vec;

use super::{
    lexer::{Lexer, is_token},
    limits::PARAMETERS_MAX,
};

/// One parameter. `name` is in lower case; it ends with `*` when `value` is in the extended form of RFC 2231 §4,
/// `charset'language'percent-encoded`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Param {
    pub(super) name: Vec<u8>,
    pub(super) value: Vec<u8>,
}

/// Reads `; name=value; ...` up to the end of the field.
///
/// Continuations (`name*0*`, `name*1`) are joined into one parameter `name` or `name*`, undecoded, as Dovecot and
/// Cyrus do: clients decode the extended form but few of them join pieces that a server gives them in a list.
pub(super) fn parse(lexer: &mut Lexer<'_>) -> Vec<Param> {
    let mut raw = Vec::new();
    while raw.len() < PARAMETERS_MAX {
        lexer.skip_blanks();
        if lexer.is_at_end() {
            break;
        }
        if lexer.eat(b';') {
            continue;
        }
        match one(lexer) {
            Some(param) => raw.push(param),
            // Not a parameter: go on behind the next semicolon.
            None => {
                lexer.run(|byte| byte != b';');
            }
        }
    }
    join(raw)
}

/// The value of parameter `name` (lower case) in its plain form.
pub(super) fn plain<'a>(params: &'a [Param], name: &[u8]) -> Option<&'a [u8]> {
    params.iter().find(|param| param.name == name).map(|param| param.value.as_slice())
}

fn one(lexer: &mut Lexer<'_>) -> Option<Param> {
    let name = lexer.run(is_token).to_ascii_lowercase();
    lexer.skip_blanks();
    if name.is_empty() || !lexer.eat(b'=') {
        return None;
    }
    lexer.skip_blanks();
    let value = match lexer.peek() {
        Some(b'"') => lexer.quoted(),
        _ if matches!(name.as_slice(), b"name" | b"filename") => file_name(lexer),
        _ => lexer.run(is_unquoted).to_vec(),
    };
    Some(Param { name, value })
}

/// A value without quotes should be a token; boundaries with specials in them are seen without quotes too.
const fn is_unquoted(byte: u8) -> bool {
    !matches!(byte, b';' | b' ' | b'\t')
}

/// A file name without quotes. `name=my photo (1).jpg` is written a lot, so it ends at the next semicolon, or before
/// what looks like the next parameter.
fn file_name(lexer: &mut Lexer<'_>) -> Vec<u8> {
    let mut value = lexer.run(is_unquoted).to_vec();
    loop {
        let mut ahead = lexer.clone();
        let blanks = ahead.run(|byte| matches!(byte, b' ' | b'\t'));
        if is_last_comment(ahead.clone()) {
            return value;
        }
        let next = ahead.run(is_unquoted);
        if next.is_empty() || next.contains(&b'=') {
            return value;
        }
        value.extend_from_slice(blanks);
        value.extend_from_slice(next);
        *lexer = ahead;
    }
}

/// Whether nothing but a comment comes before the next semicolon.
fn is_last_comment(mut ahead: Lexer<'_>) -> bool {
    ahead.skip_blanks();
    ahead.is_at_end() || ahead.peek() == Some(b';')
}

/// A name as RFC 2231 divides it: `base`, `*section`, `*`.
struct Divided<'a> {
    base: &'a [u8],
    section: Option<u32>,
    extended: bool,
}

fn divide(name: &[u8]) -> Divided<'_> {
    let (name, extended) = match name.strip_suffix(b"*") {
        Some(name) => (name, true),
        None => (name, false),
    };
    let star = name.iter().rposition(|byte| *byte == b'*');
    let section = star.and_then(|at| section_number(name.get(at + 1..)?));
    match (star, section) {
        (Some(at), Some(number)) => {
            Divided { base: name.get(..at).unwrap_or_default(), section: Some(number), extended }
        }
        _ => Divided { base: name, section: None, extended },
    }
}

/// RFC 2231 §7 `section`: a decimal number without leading zeros; those are taken too.
fn section_number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 4 {
        return None;
    }
    digits
        .iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(*digit - b'0')))
}

/// Joins continuations; the joined parameter stands where its first piece stood.
fn join(raw: Vec<Param>) -> Vec<Param> {
    let mut joined: Vec<Param> = Vec::new();
    for param in &raw {
        let divided = divide(&param.name);
        if divided.section.is_none() {
            joined.push(param.clone());
        } else if !joined.iter().any(|known| known.name.strip_suffix(b"*") == Some(divided.base))
            && plain(&joined, divided.base).is_none()
        {
            joined.extend(join_one(&raw, divided.base));
        }
    }
    joined
}

/// The pieces 0, 1, 2, ... of `base` as one parameter, up to the first that is missing.
fn join_one(raw: &[Param], base: &[u8]) -> Option<Param> {
    let piece = |number| {
        raw.iter().find_map(|param| {
            let divided = divide(&param.name);
            (divided.base == base && divided.section == Some(number)).then_some((param, divided.extended))
        })
    };
    let pieces: Vec<_> = (0..).map_while(piece).collect();
    let any_extended = pieces.iter().any(|(_, extended)| *extended);
    let first_extended = pieces.first()?.1;
    let mut value = Vec::new();
    if any_extended && !first_extended {
        // Only the first piece may name charset and language (RFC 2231 §4.1); here none does.
        value.extend_from_slice(b"''");
    }
    for (param, extended) in &pieces {
        if any_extended && !extended {
            push_percent_encoded(&mut value, &param.value);
        } else {
            value.extend_from_slice(&param.value);
        }
    }
    let mut name = base.to_vec();
    if any_extended {
        name.push(b'*');
    }
    Some(Param { name, value })
}

/// RFC 2231 §7 `attribute-char` stay, all else becomes `%XX`.
fn push_percent_encoded(out: &mut Vec<u8>, bytes: &[u8]) {
    const HEX: [u8; 16] = *b"0123456789ABCDEF";
    for byte in bytes {
        if is_token(*byte) && byte.is_ascii() && !matches!(byte, b'*' | b'\'' | b'%') {
            out.push(*byte);
        } else {
            out.push(b'%');
            out.extend([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    fn params(text: &str) -> Vec<(String, String)> {
        let text_of = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        parse(&mut Lexer::new(text.as_bytes()))
            .iter()
            .map(|param| (text_of(&param.name), text_of(&param.value)))
            .collect()
    }

    fn check(text: &str, expected: &[(&str, &str)]) {
        let expected: Vec<_> =
            expected.iter().map(|(name, value)| (String::from(*name), String::from(*value))).collect();
        assert_eq!(params(text), expected, "{text}");
    }

    #[test]
    fn what_senders_write_is_understood() {
        check("; charset=utf-8; format=flowed", &[("charset", "utf-8"), ("format", "flowed")]);
        check("; Name=\"a \\\"b\\\".txt\"", &[("name", "a \"b\".txt")]);
        check("; name=my photo (1).jpg; x=y", &[("name", "my photo (1).jpg"), ("x", "y")]);
        check("; charset=utf-8 format=flowed", &[("charset", "utf-8"), ("format", "flowed")]);
        check("; charset = us-ascii (Plain text)", &[("charset", "us-ascii")]);
        check("; boundary=b continued; a=b", &[("boundary", "b"), ("a", "b")]);
        check(";; junk ; charset=x;", &[("charset", "x")]);
        check("; name=写真.jpg", &[("name", "写真.jpg")]);
        check("; boundary=\"open", &[("boundary", "open")]);
        check("; =x; a=", &[("a", "")]);
    }

    #[test]
    fn continuations_become_one_parameter() {
        check("; url*0=\"ftp://\"; url*1=\"host\"", &[("url", "ftp://host")]);
        check(
            "; title*0*=us-ascii'en'This%20is%20; title*1*=%2A%2A; title*2=\"it's!\"",
            &[("title*", "us-ascii'en'This%20is%20%2A%2Ait%27s!")],
        );
        check(
            "; filename*=utf-8''%e6%89%8b; filename=x",
            &[("filename*", "utf-8''%e6%89%8b"), ("filename", "x")],
        );
        check("; a*1=two; b=c; a*0=one", &[("a", "onetwo"), ("b", "c")]);
        check("; a*0=one; a*2=three", &[("a", "one")]);
        check("; a*1=orphan", &[]);
        check("; a*0=plain; a*1*=%41", &[("a*", "''plain%41")]);
    }
}
