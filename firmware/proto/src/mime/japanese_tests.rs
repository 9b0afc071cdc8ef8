//! Japanese letters as they are sent: every charset, label and cut that has been seen in the wild.

use alloc::{format, string::String, vec::Vec};

use super::{Part, Scanner, Summary, charset, decode::Decoder, fold::Matcher, words};

const TEXT: &str = "手紙が届きました。テガミ";
const ISO_2022_JP: &[u8] = b"\x1b$B<j;f$,FO$-$^$7$?!#%F%,%_\x1b(B";
const SHIFT_JIS: &[u8] =
    b"\x8e\xe8\x8e\x86\x82\xaa\x93\xcd\x82\xab\x82\xdc\x82\xb5\x82\xbd\x81B\x83e\x83K\x83~";
const EUC_JP: &[u8] =
    b"\xbc\xea\xbb\xe6\xa4\xac\xc6\xcf\xa4\xad\xa4\xde\xa4\xb7\xa4\xbf\xa1\xa3\xa5\xc6\xa5\xac\xa5\xdf";

fn decode(label: &str, bytes: &[u8]) -> String {
    let whole = charset::decode_all(label, bytes);
    for chunk in [1, 2, 3] {
        let (mut decoder, mut out) = (charset::Decoder::new(label), String::new());
        bytes.chunks(chunk).for_each(|piece| decoder.feed(piece, &mut out));
        decoder.finish(&mut out);
        assert_eq!(out, whole, "{label} in pieces of {chunk}");
    }
    whole
}

#[test]
fn each_charset_is_read_under_its_own_label() {
    for (label, bytes) in [
        ("ISO-2022-JP", ISO_2022_JP),
        ("iso-2022-jp-ms", ISO_2022_JP),
        ("cp50221", ISO_2022_JP),
        ("Shift_JIS", SHIFT_JIS),
        ("Windows-31J", SHIFT_JIS),
        ("cp932", SHIFT_JIS),
        ("EUC-JP", EUC_JP),
        ("utf-8", TEXT.as_bytes()),
        ("UTF-7", b"+Ykt9GTBMXEowTTB+MFcwXzACMMYwrDDf-"),
    ] {
        assert_eq!(decode(label, bytes), TEXT, "{label}");
    }
}

#[test]
fn a_wrong_label_or_none_does_not_hide_the_text() {
    for label in ["", "us-ascii", "iso-8859-1", "utf-8", "iso-2022-jp", "x-unknown", "iso-2022-kr"] {
        for bytes in [ISO_2022_JP, SHIFT_JIS, EUC_JP, TEXT.as_bytes()] {
            let text = [b"Dear all,\r\n", bytes, b"\r\n-- \r\nA"].concat();
            assert_eq!(decode(label, &text), format!("Dear all,\r\n{TEXT}\r\n-- \r\nA"), "{label} {bytes:?}");
        }
    }
    assert_eq!(decode("", b"Gr\xf6\xdfe aus M\xfcnchen, caf\xe9"), "Größe aus München, café");
    assert_eq!(decode("utf-8", b"broken \xff"), "broken \u{fffd}");
    assert_eq!(decode("iso-8859-15", b"\xa4"), "€");
    assert!(charset::is_known("iso-2022-jp") && charset::is_known("utf-7") && !charset::is_known("klingon"));
}

#[test]
fn what_vendors_put_into_iso_2022_jp_is_read() {
    for (bytes, expected) in [
        // Row 13 and rows 89 to 92: circled digits, ㈱, 髙.
        (&b"\x1b$B-!-j|b\x1b(B"[..], "①㈱髙"),
        // Half-width kana by ESC ( I, by SO and SI, in 8 bits.
        (b"\x1b(IC6^P\x1b(B!", "ﾃｶﾞﾐ!"),
        (b"\x1b(J\x0eC6^P\x0f!", "ﾃｶﾞﾐ!"),
        (b"\x1b$B<j\xc3\xb6\xde\xd0\x1b(B!", "手ﾃｶﾞﾐ!"),
        // Escapes that follow one another, the escape of 1978, JIS X 0201's Roman set.
        (b"\x1b(B\x1b$B\x1b(B\x1b$@<j\x1b$B;f\x1b(J.", "手紙."),
        // JIS X 0212.
        (b"\x1b$(D0!\x1b(B", "丂"),
        // A line without its last escape; the next one is ASCII again.
        (b"\x1b$B<j\r\nplain", "手\r\nplain"),
        // Half a character, half an escape, a foreign escape.
        (b"\x1b$B<j;\x1b(Bx", "手?x"),
        (b"x\x1b$", "x"),
        (b"\x1b[1mx", "[1mx"),
    ] {
        assert_eq!(decode("iso-2022-jp", bytes), expected, "{bytes:?}");
    }
}

#[test]
fn encoded_words_are_read_however_they_are_cut() {
    for (value, expected) in [
        ("=?ISO-2022-JP?B?GyRCPGo7ZhsoQg==?= and =?utf-8?q?=E6=89=8B_x?=", "手紙 and 手 x"),
        // Blanks between words are not shown; line ends are none.
        ("=?utf-8?B?5omL?=\r\n =?UTF-8?Q?=E7=B4=99?=", "手紙"),
        // In the middle of a character (UTF-8), of a base64 group, of a two-byte character, of an escape.
        ("=?utf-8?B?5om?= =?utf-8?B?iw==?=", "手"),
        ("=?utf-8?Q?=E6=89?= =?utf-8?Q?=8B?=", "手"),
        ("=?ISO-2022-JP?B?GyRCPA==?= =?ISO-2022-JP?B?ajtmGyhC?=", "手紙"),
        ("=?ISO-2022-JP?B?GyRCPGo7Zhs=?= =?ISO-2022-JP?B?KEI=?=!", "手紙!"),
        ("=?ISO-2022-JP?Q?=1B$B<j;f?= =?ISO-2022-JP?Q?=1B(B?=", "手紙"),
        // No blank between, blanks inside, a language, a label in lower case.
        ("a=?utf-8?B?5omL?=b", "a手b"),
        ("=?utf-8?Q?a b?=", "a b"),
        ("=?utf-8*ja?B?5omL?=", "手"),
        // None of these is a word.
        ("=?utf-8?X?abc?=", "=?utf-8?X?abc?="),
        ("=?utf-8?B?never closed", "=?utf-8?B?never closed"),
        ("a =? b ?= c", "a =? b ?= c"),
        ("=?=?=?", "=?=?=?"),
        ("", ""),
    ] {
        assert_eq!(words::decode(value.as_bytes()), expected, "{value}");
    }
}

#[test]
fn raw_text_in_headers_is_read() {
    for bytes in [ISO_2022_JP, SHIFT_JIS, EUC_JP, TEXT.as_bytes()] {
        assert_eq!(words::decode(&[b" ", bytes, b" "].concat()), TEXT);
    }
}

#[test]
fn file_names_are_read_in_every_form() {
    for (value, expected) in [
        ("attachment; filename*=utf-8''%E6%89%8B%E7%B4%99.pdf", "手紙.pdf"),
        ("attachment; filename=x.pdf; filename*=iso-2022-jp'ja'%1B%24B%3Cj%3Bf%1B%28B.pdf", "手紙.pdf"),
        // Cut in the middle of a character.
        ("attachment; filename*0*=utf-8''%E6%89; filename*1*=%8B%E7%B4; filename*2*=%99.pdf", "手紙.pdf"),
        ("attachment; filename*0*=utf-8''%E6%89%8B; filename*1=\"%.pdf\"", "手%.pdf"),
        ("attachment;\r\n filename=\"=?ISO-2022-JP?B?GyRCPGo7ZhsoQg==?=.pdf\"", "手紙.pdf"),
        ("attachment; filename=\"=?utf-8?B?5omL?=\r\n =?utf-8?B?57SZ?=\"", "手紙"),
        ("attachment; FileName=手紙.pdf", "手紙.pdf"),
        ("attachment; filename*=%E6%89%8B", "手"),
    ] {
        assert_eq!(words::parameter(value.as_bytes(), "filename").as_deref(), Some(expected), "{value}");
    }
    assert_eq!(words::parameter(b"attachment", "filename"), None);
    let raw = [b"x; name=\"", SHIFT_JIS, b"\""].concat();
    assert_eq!(words::parameter(&raw, "name").as_deref(), Some(TEXT));
}

/// A letter in two charsets and both encodings: header, JIS text, Shift_JIS in base64, UTF-8 in quoted-printable.
fn letter() -> Vec<u8> {
    let mut letter =
        b"Subject: =?ISO-2022-JP?B?GyRCPGo7ZhsoQg==?=\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
        --b\r\nContent-Type: text/plain; charset=ISO-2022-JP\r\n\r\n"
            .to_vec();
    letter.extend_from_slice(ISO_2022_JP);
    letter.extend_from_slice(
        b"\r\n--b\r\nContent-Type: text/plain; charset=shift_jis\r\nContent-Transfer-Encoding: base64\r\n\r\n\
          g3SDQINDg4s=\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\
          Content-Transfer-Encoding: quoted-printable\r\n\r\n<p>=E5=8D=8A=\r\n=E8=A7=92\r\n--b--\r\n",
    );
    letter
}

/// Looks through a part as SEARCH does: in pieces, through transfer encoding, charset and folding.
fn is_in(matcher: &mut Matcher, letter: &[u8], part: &Part<'_>) -> bool {
    let (mut transfer, mut charset) = (Decoder::new(part.encoding), charset::Decoder::new(part.charset));
    let (mut bytes, mut text) = (Vec::new(), String::new());
    for piece in letter[part.body.start as usize..part.body.end as usize].chunks(7) {
        bytes.clear();
        text.clear();
        transfer.feed(piece, &mut bytes);
        charset.feed(&bytes, &mut text);
        matcher.feed(&text);
    }
    bytes.clear();
    text.clear();
    transfer.finish(&mut bytes);
    charset.feed(&bytes, &mut text);
    charset.finish(&mut text);
    matcher.feed(&text);
    matcher.finish()
}

fn found(needle: &str) -> Vec<bool> {
    let letter = letter();
    let mut scanner = Scanner::new();
    scanner.feed(&letter);
    let summary = scanner.finish();
    let mut matcher = Matcher::new(needle);
    let parts = Summary::read(&summary).unwrap().parts();
    parts.filter(Part::is_text).map(|part| is_in(&mut matcher, &letter, &part)).collect()
}

#[test]
fn a_word_is_found_in_every_charset_and_encoding() {
    assert_eq!(found("手紙が届き"), [true, false, false]);
    assert_eq!(found("てがみ"), [true, false, false]);
    assert_eq!(found("ﾌｧｲﾙ"), [false, true, false]);
    assert_eq!(found("半角"), [false, false, true]);
    assert_eq!(found("absent"), [false; 3]);
}

#[test]
fn the_preview_is_in_unicode() {
    let mut scanner = Scanner::new();
    scanner.feed(&letter());
    let summary = scanner.finish();
    assert_eq!(Summary::read(&summary).unwrap().preview(), TEXT);
}
