//! Strings of IMAP (RFC 3501 §4.3) as ENVELOPE and BODYSTRUCTURE need them.

use alloc::vec::Vec;

use super::limits::QUOTED_BYTES_MAX;

/// Appends `bytes` as a quoted string where that can hold them, otherwise as a literal. NUL can stand in neither
/// (RFC 3501 §9, CHAR8) and becomes `?`.
pub(super) fn push_string(out: &mut Vec<u8>, bytes: &[u8]) {
    let quotable = |byte: &u8| byte.is_ascii() && !matches!(byte, b'\r' | b'\n' | 0);
    if bytes.len() <= QUOTED_BYTES_MAX && bytes.iter().all(quotable) {
        push_quoted(out, bytes);
    } else {
        push_literal(out, bytes);
    }
}

/// Appends `NIL` for nothing.
pub(super) fn push_nstring(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => push_string(out, bytes),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// Appends a decimal number.
pub(super) fn push_number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        at -= 1;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

fn push_quoted(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    for byte in bytes {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

fn push_literal(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'{');
    push_number(out, bytes.len() as u64);
    out.extend_from_slice(b"}\r\n");
    out.extend(bytes.iter().map(|byte| if *byte == 0 { b'?' } else { *byte }));
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn string(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        push_string(&mut out, bytes);
        out
    }

    #[test]
    fn what_a_quoted_string_cannot_hold_goes_as_a_literal() {
        assert_eq!(string(b"plain"), b"\"plain\"");
        assert_eq!(string(b""), b"\"\"");
        assert_eq!(string(b"a\"b\\c"), b"\"a\\\"b\\\\c\"");
        assert_eq!(string("手紙".as_bytes()), "{6}\r\n手紙".as_bytes());
        assert_eq!(string(b"a\rb"), b"{3}\r\na\rb");
        assert_eq!(string(b"a\0b"), b"{3}\r\na?b");
        assert!(string(&vec![b'a'; 1025]).starts_with(b"{1025}\r\n"));
    }

    #[test]
    fn numbers_are_decimal() {
        for number in [0, 9, 10, 1234, u64::MAX] {
            let mut out = Vec::new();
            push_number(&mut out, number);
            assert_eq!(out, alloc::format!("{number}").as_bytes());
        }
    }
}
