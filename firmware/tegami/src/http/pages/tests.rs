//! Tests of the pieces of pages; whole pages are looked at through the service.

use super::*;

#[test]
fn sizes_are_short() {
    let reader = Reader { language: Language::English, path: None };
    for (bytes, text) in [
        (0, "0 KiB"),
        (1_024, "1 KiB"),
        (1_536, "1.5 KiB"),
        (102_400, "100 KiB"),
        (1_048_575, "1023 KiB"),
        (1_048_576, "1 MiB"),
        (31_138_512_896, "29 GiB"),
        (1_288_490_188, "1.1 GiB"),
        (u64::MAX, "1638 PiB"),
    ] {
        assert_eq!(reader.size(bytes), text);
    }
}

#[test]
fn what_people_typed_is_escaped() {
    let reader = Reader { language: Language::Japanese, path: None };
    let page = plain::render(&reader, "<script>alert(1)</script>");
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script"));
    assert!(page.starts_with("<!DOCTYPE html><html lang=\"ja\">"));
}

#[test]
fn a_fingerprint_is_in_groups() {
    let text = fingerprint("AA:BB:CC:DD:EE:FF").into_string();
    assert_eq!(text, "<p class=\"fingerprint\"><span>AA:BB:CC:DD</span> <span>EE:FF</span> </p>");
}
