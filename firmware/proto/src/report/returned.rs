//! The letter that a report is about: its header, or all of it (RFC 6522 §4, RFC 3461 §6.2; RFC 6532 and RFC 6533 §6
//! where it is in UTF-8).

use alloc::{format, vec::Vec};

use super::{Form, Letter, Returned, limits::HEADER_BYTES_MAX, part};
use crate::mime::header;

/// Appends the part's header, and the letter's header if that is all.
pub(super) fn write(letter: &Letter<'_>, out: &mut Vec<u8>) {
    let block = block(letter.header);
    // Raw bytes that are no UTF-8 make no letter of RFC 6532: those are only a broken header.
    let global = !block.is_ascii() && core::str::from_utf8(&block).is_ok();
    match letter.returned {
        Returned::Header if global => part::write("message/global-headers", &block, out),
        Returned::Header => part::write("text/rfc822-headers", &block, out),
        Returned::Whole(_) => whole(global, form(letter), out),
    }
}

/// The letter comes as it is: RFC 2046 §5.2.1 lets nobody encode it.
fn whole(global: bool, form: Form, out: &mut Vec<u8>) {
    let kind = if global { "message/global" } else { "message/rfc822" };
    out.extend_from_slice(format!("Content-Type: {kind}\r\n{}\r\n", form.field()).as_bytes());
}

/// What the returned part needs on its way. A header that is not ASCII needs 8 bits whatever the body is.
pub(super) fn form(letter: &Letter<'_>) -> Form {
    match letter.returned {
        Returned::Header => Form::SevenBit,
        Returned::Whole(form) if letter.header.is_ascii() => form,
        Returned::Whole(form) => form.max(Form::EightBit),
    }
}

/// The fields that go back, without the empty line behind them, and without lines that are no fields.
fn block(header: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in header::fields(header).filter(|field| !field.name.is_empty()) {
        if out.len() + field.raw.len() <= HEADER_BYTES_MAX {
            out.extend_from_slice(field.raw);
        }
    }
    out
}
