//! Charsets: bytes to Unicode as they stream by, for searching, previews and listings only.
//!
//! Labels are believed only as far as the bytes agree. Japanese mail in particular comes mislabelled and unlabelled:
//! whatever is labelled ASCII, UTF-8, ISO-2022-JP or nothing known is read by what its bytes look like, decided once
//! at the first byte that could mean different things.

use alloc::{boxed::Box, string::String, vec::Vec};

use encoding_rs::{
    CoderResult, EUC_JP, Encoding as Coding, ISO_2022_JP, ISO_8859_2, SHIFT_JIS, UTF_8, WINDOWS_1252,
};
use memchr::memchr;

use super::{guess, jis::Jis, utf7::Utf7};

/// Decodes one text.
#[derive(Debug)]
pub struct Decoder {
    mode: Mode,
    /// What bytes above 127 are that fit nothing better.
    fallback: &'static Coding,
}

#[derive(Debug)]
enum Mode {
    /// All bytes so far were ASCII.
    Ascii,
    /// There are bytes above 127; they are collected until it can be told what they are.
    Sniff(Vec<u8>),
    /// ISO-2022-JP, in steps of EUC-JP.
    Jis(Jis, Box<encoding_rs::Decoder>),
    Utf7(Utf7),
    Plain(Box<encoding_rs::Decoder>),
}

/// Bytes from which a charset is guessed.
const SNIFF_BYTES: usize = 1024;

/// Bytes handed on at once, so that buffers stay small.
const STEP_BYTES: usize = 4096;

const ESC: u8 = 0x1b;

impl Decoder {
    /// Decodes what is labelled `label`; empty for no label.
    #[must_use]
    pub fn new(label: &str) -> Self {
        let label = label.trim();
        if is_utf7(label) {
            return Self { mode: Mode::Utf7(Utf7::new()), fallback: UTF_8 };
        }
        match coding(label) {
            Some(coding) if coding == ISO_2022_JP => Self { mode: jis(), fallback: SHIFT_JIS },
            Some(coding) if coding == UTF_8 => Self { mode: Mode::Ascii, fallback: UTF_8 },
            // Also where it says ISO-8859-1 or US-ASCII, which are written over anything.
            Some(coding) if coding == WINDOWS_1252 => Self { mode: Mode::Ascii, fallback: WINDOWS_1252 },
            Some(coding) => Self { mode: plain(coding), fallback: coding },
            None => Self { mode: Mode::Ascii, fallback: WINDOWS_1252 },
        }
    }

    /// Takes the next bytes, appends to `out` what they say.
    pub fn feed(&mut self, bytes: &[u8], out: &mut String) {
        for step in bytes.chunks(STEP_BYTES) {
            let mut rest = step;
            while !rest.is_empty() {
                let used = self.step(rest, out);
                rest = rest.get(used..).unwrap_or_default();
            }
        }
    }

    /// No more bytes come: appends what was held back.
    pub fn finish(&mut self, out: &mut String) {
        if let Mode::Sniff(_) = self.mode {
            self.decide(out);
        }
        match &mut self.mode {
            Mode::Plain(decoder) => decode(decoder, b"", true, out),
            Mode::Jis(jis, decoder) => {
                let mut bytes = Vec::new();
                jis.finish(&mut bytes);
                decode(decoder, &bytes, true, out);
            }
            Mode::Utf7(utf7) => utf7.finish(out),
            Mode::Ascii | Mode::Sniff(_) => {}
        }
        self.mode = Mode::Ascii;
    }

    /// Decodes the beginning of a text; half a character at its end is dropped.
    pub(super) fn feed_beginning(mut self, bytes: &[u8], out: &mut String) {
        self.feed(bytes, out);
        if let Mode::Sniff(_) = self.mode {
            self.decide(out);
        }
    }

    /// Takes some of `rest`, at least one byte or a change of mode.
    fn step(&mut self, rest: &[u8], out: &mut String) -> usize {
        match &mut self.mode {
            Mode::Ascii => self.ascii(rest, out),
            Mode::Sniff(held) => {
                let taken = rest.len().min(SNIFF_BYTES - held.len().min(SNIFF_BYTES));
                held.extend_from_slice(rest.get(..taken).unwrap_or_default());
                if held.len() >= SNIFF_BYTES {
                    self.decide(out);
                }
                taken
            }
            Mode::Jis(jis, decoder) => {
                let mut bytes = Vec::with_capacity(rest.len() + rest.len() / 2);
                let used = jis.feed(rest, &mut bytes);
                decode(decoder, &bytes, false, out);
                if used < rest.len() {
                    // A byte above 127 where there is none in ISO-2022-JP.
                    self.mode = Mode::Sniff(Vec::new());
                }
                used
            }
            Mode::Utf7(utf7) => {
                utf7.feed(rest, out);
                rest.len()
            }
            Mode::Plain(decoder) => {
                decode(decoder, rest, false, out);
                rest.len()
            }
        }
    }

    fn ascii(&mut self, rest: &[u8], out: &mut String) -> usize {
        let valid = Coding::ascii_valid_up_to(rest);
        let text = rest.get(..valid).unwrap_or_default();
        let (text, next) = match memchr(ESC, text) {
            Some(at) => (text.get(..at).unwrap_or_default(), Some(jis())),
            None if valid < rest.len() => (text, Some(Mode::Sniff(Vec::new()))),
            None => (text, None),
        };
        // ASCII is UTF-8.
        out.push_str(core::str::from_utf8(text).unwrap_or_default());
        if let Some(mode) = next {
            self.mode = mode;
        }
        text.len()
    }

    fn decide(&mut self, out: &mut String) {
        let Mode::Sniff(held) = core::mem::replace(&mut self.mode, Mode::Ascii) else { return };
        self.mode = plain(guess::coding(&held, self.fallback));
        if let Mode::Plain(decoder) = &mut self.mode {
            decode(decoder, &held, false, out);
        }
    }
}

/// Decodes a text that is at hand.
#[must_use]
pub fn decode_all(label: &str, bytes: &[u8]) -> String {
    let mut decoder = Decoder::new(label);
    let mut out = String::with_capacity(bytes.len());
    decoder.feed(bytes, &mut out);
    decoder.finish(&mut out);
    out
}

/// Whether a text labelled so can be decoded: the label is known (IMAP's `[BADCHARSET]`).
#[must_use]
pub fn is_known(label: &str) -> bool {
    is_utf7(label.trim()) || coding(label.trim()).is_some()
}

fn is_utf7(label: &str) -> bool {
    ["utf-7", "unicode-1-1-utf-7", "csunicode11utf7"].iter().any(|known| label.eq_ignore_ascii_case(known))
}

/// The coding that a label means: those of the WHATWG's standard, and those that Japanese mail has beside them.
fn coding(label: &str) -> Option<&'static Coding> {
    const MORE: [(&str, &Coding); 15] = [
        ("cp50220", ISO_2022_JP),
        ("cp50221", ISO_2022_JP),
        ("cp50222", ISO_2022_JP),
        ("iso-2022-jp-1", ISO_2022_JP),
        ("iso-2022-jp-2", ISO_2022_JP),
        ("iso-2022-jp-3", ISO_2022_JP),
        ("iso-2022-jp-ms", ISO_2022_JP),
        ("jis", ISO_2022_JP),
        ("cp932", SHIFT_JIS),
        ("shift_jis-2004", SHIFT_JIS),
        ("windows-932", SHIFT_JIS),
        ("cp51932", EUC_JP),
        ("eucjp", EUC_JP),
        ("eucjp-ms", EUC_JP),
        ("iso8859-2", ISO_8859_2),
    ];
    let more = MORE.iter().find(|(known, _)| label.eq_ignore_ascii_case(known)).map(|(_, coding)| *coding);
    more.or_else(|| Coding::for_label_no_replacement(label.as_bytes()))
}

fn plain(coding: &'static Coding) -> Mode {
    Mode::Plain(Box::new(coding.new_decoder()))
}

fn jis() -> Mode {
    Mode::Jis(Jis::new(), Box::new(EUC_JP.new_decoder_without_bom_handling()))
}

fn decode(decoder: &mut encoding_rs::Decoder, bytes: &[u8], last: bool, out: &mut String) {
    let mut rest = bytes;
    loop {
        out.reserve(decoder.max_utf8_buffer_length(rest.len()).unwrap_or(rest.len()));
        let (result, used, _) = decoder.decode_to_string(rest, out, last);
        rest = rest.get(used..).unwrap_or_default();
        if result == CoderResult::InputEmpty {
            return;
        }
    }
}
