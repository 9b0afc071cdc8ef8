//! Pieces of responses: numbers, strings, names, flags, sets. Everything is appended to a buffer; nothing waits.

use alloc::{string::String, vec::Vec};

use mail::{Flags, MailboxName, UidSet};

use super::{parse::is_astring_char, utf7};

/// Appends a number in decimal. FETCH of a large mailbox is mostly this, so no formatting machinery.
pub(super) fn number(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0_u8; 20];
    let mut first = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        first -= 1;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(first..).unwrap_or_default());
}

/// Appends `quoted` (RFC 3501 §9). The text must be without CR, LF and NUL; see [`string`].
pub(super) fn quoted(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

/// Appends `string`: quoted where that can hold it, else a literal.
pub(super) fn string(text: &[u8], out: &mut Vec<u8>) {
    if text.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        quoted(text, out);
    } else {
        literal_head(text.len() as u64, out);
        out.extend_from_slice(text);
    }
}

/// Appends `astring`: as it is where it is a word, else as [`string`].
pub(super) fn astring(text: &[u8], out: &mut Vec<u8>) {
    if !text.is_empty() && text.iter().all(|byte| is_astring_char(*byte)) {
        out.extend_from_slice(text);
    } else {
        string(text, out);
    }
}

/// Appends `"{" number "}" CRLF`; the bytes must follow.
pub(super) fn literal_head(len: u64, out: &mut Vec<u8>) {
    out.push(b'{');
    number(len, out);
    out.extend_from_slice(b"}\r\n");
}

/// Appends `mailbox`: always quoted, since scripts that read listings take names out of quotes.
pub(super) fn mailbox(name: &str, out: &mut Vec<u8>) {
    let mut wire = Vec::with_capacity(name.len());
    utf7::encode(name, &mut wire);
    quoted(&wire, out);
}

/// Appends the name of a mailbox; see [`mailbox`].
pub(super) fn mailbox_name(name: &MailboxName, out: &mut Vec<u8>) {
    mailbox(name.as_str(), out);
}

/// System flags with their names (RFC 3501 §2.3.2).
pub(super) const SYSTEM_FLAGS: [(Flags, &str); 5] = [
    (Flags::ANSWERED, "\\Answered"),
    (Flags::FLAGGED, "\\Flagged"),
    (Flags::DELETED, "\\Deleted"),
    (Flags::SEEN, "\\Seen"),
    (Flags::DRAFT, "\\Draft"),
];

/// Appends `"(" [flag *(SP flag)] ")"`: the flags of a message, and `\Recent` if it is recent here.
pub(super) fn flags(flags: Flags, recent: bool, keywords: &[String], out: &mut Vec<u8>) {
    out.push(b'(');
    let start = out.len();
    for (flag, name) in SYSTEM_FLAGS {
        if flags.contains(flag) {
            word(name, start, out);
        }
    }
    if !flags.without(Flags::SYSTEM).is_empty() {
        for (index, name) in (0..).zip(keywords) {
            if flags.contains(Flags::keyword(index)) {
                word(name, start, out);
            }
        }
    }
    if recent {
        word("\\Recent", start, out);
    }
    out.push(b')');
}

/// Appends a word of a list that began at `start`.
pub(super) fn word(word: &str, start: usize, out: &mut Vec<u8>) {
    if out.len() > start {
        out.push(b' ');
    }
    out.extend_from_slice(word.as_bytes());
}

/// Appends `uid-set` (RFC 4315 §4). The set must not be empty.
pub(super) fn uid_set(set: &UidSet, out: &mut Vec<u8>) {
    let start = out.len();
    for (first, last) in set.ranges() {
        if out.len() > start {
            out.push(b',');
        }
        number(u64::from(first.0), out);
        if last > first {
            out.push(b':');
            number(u64::from(last.0), out);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::{borrow::ToOwned, string::ToString};

    use mail::Uid;

    use super::*;

    fn emitted(emit: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        emit(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_decimal() {
        for n in [0, 1, 9, 10, 99, 100, 4_294_967_295, u64::MAX] {
            assert_eq!(emitted(|out| number(n, out)), n.to_string());
        }
    }

    #[test]
    fn strings_are_quoted_where_they_can_be() {
        assert_eq!(emitted(|out| string(br#"a "b" \c"#, out)), r#""a \"b\" \\c""#);
        assert_eq!(emitted(|out| string("手".as_bytes(), out)), "{3}\r\n手");
        assert_eq!(emitted(|out| string(b"a\r\nb", out)), "{4}\r\na\r\nb");
        assert_eq!(emitted(|out| mailbox("a&\"日本", out)), r#""a&-\"&ZeVnLA-""#);
    }

    #[test]
    fn flags_stand_in_one_list() {
        let keywords = ["$Forwarded".to_owned(), "Work".to_owned()];
        let all = |set, recent| emitted(|out| flags(set, recent, &keywords, out));
        assert_eq!(all(Flags::NONE, false), "()");
        assert_eq!(all(Flags::NONE, true), "(\\Recent)");
        assert_eq!(all(Flags::SEEN.with(Flags::keyword(1)), true), "(\\Seen Work \\Recent)");
        // A bit without a name is nobody's flag.
        assert_eq!(all(Flags::keyword(2).with(Flags::keyword(0)), false), "($Forwarded)");
    }

    #[test]
    fn sets_are_written_as_ranges() {
        let set: UidSet = [1, 3, 4, 5, 9].map(Uid).into_iter().collect();
        assert_eq!(emitted(|out| uid_set(&set, out)), "1,3:5,9");
    }
}
