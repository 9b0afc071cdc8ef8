//! Caseless search in decoded text: folding, and a matcher for text that streams by.
//!
//! Folded away are case (lower case of Unicode), full and half width, katakana against hiragana, voicing marks that
//! stand apart, and the few signs that charset tables map differently. Both the text sought and the text searched
//! are folded, so that what a person types finds what another person wrote.

use alloc::vec::Vec;

use encoding_rs::Encoding as Coding;
use memchr::memmem;

/// Folds text as it streams by. Holds back one character at most.
#[derive(Clone, Debug, Default)]
pub struct Folder {
    /// A hiragana that a voicing mark behind it would change.
    held: Option<char>,
}

impl Folder {
    /// Appends `text` folded to `out`, in UTF-8.
    pub fn feed(&mut self, text: &str, out: &mut Vec<u8>) {
        out.reserve(text.len() + 3);
        let mut rest = text;
        while !rest.is_empty() {
            let (ascii, behind) = rest.split_at(Coding::ascii_valid_up_to(rest.as_bytes()));
            if !ascii.is_empty() {
                self.finish(out);
                let from = out.len();
                out.extend_from_slice(ascii.as_bytes());
                out.get_mut(from..).unwrap_or_default().make_ascii_lowercase();
            }
            let wide = behind.find(|c: char| c.is_ascii()).unwrap_or(behind.len());
            let (wide, behind) = behind.split_at(wide);
            wide.chars().for_each(|c| self.fold(c, out));
            rest = behind;
        }
    }

    /// The text has ended: appends what was held back.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if let Some(held) = self.held.take() {
            push(held, out);
        }
    }

    fn fold(&mut self, c: char, out: &mut Vec<u8>) {
        let narrow = narrow(c);
        if let Some(held) = self.held.take() {
            match voiced(held, narrow) {
                Some(voiced) => return push(voiced, out),
                None => push(held, out),
            }
        }
        if matches!(narrow, 'う' | 'か'..='と' | 'は'..='ほ') {
            self.held = Some(narrow);
        } else {
            narrow.to_lowercase().for_each(|c| push(c, out));
        }
    }
}

fn push(c: char, out: &mut Vec<u8>) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Half-width katakana U+FF61 to U+FF9F as hiragana and full-width signs.
const HALF_WIDTH: [char; 63] = [
    '。',
    '「',
    '」',
    '、',
    '・',
    'を',
    'ぁ',
    'ぃ',
    'ぅ',
    'ぇ',
    'ぉ',
    'ゃ',
    'ゅ',
    'ょ',
    'っ',
    'ー',
    'あ',
    'い',
    'う',
    'え',
    'お',
    'か',
    'き',
    'く',
    'け',
    'こ',
    'さ',
    'し',
    'す',
    'せ',
    'そ',
    'た',
    'ち',
    'つ',
    'て',
    'と',
    'な',
    'に',
    'ぬ',
    'ね',
    'の',
    'は',
    'ひ',
    'ふ',
    'へ',
    'ほ',
    'ま',
    'み',
    'む',
    'め',
    'も',
    'や',
    'ゆ',
    'よ',
    'ら',
    'り',
    'る',
    'れ',
    'ろ',
    'わ',
    'ん',
    VOICED,
    SEMI_VOICED,
];

const VOICED: char = '\u{309b}';
const SEMI_VOICED: char = '\u{309c}';

/// One character without regard to its width and its kana.
fn narrow(c: char) -> char {
    let shifted = |by: i32| u32::try_from(c as i32 + by).ok().and_then(char::from_u32).unwrap_or(c);
    match c {
        '\u{ff01}'..='\u{ff5e}' => shifted(-0xfee0),
        '\u{ff61}'..='\u{ff9f}' => HALF_WIDTH.get(c as usize - 0xff61).copied().unwrap_or(c),
        // Katakana and its iteration marks have their hiragana 0x60 below.
        '\u{30a1}'..='\u{30f6}' | '\u{30fd}' | '\u{30fe}' => shifted(-0x60),
        '\u{3000}' | '\u{a0}' => ' ',
        '\u{3099}' => VOICED,
        '\u{309a}' => SEMI_VOICED,
        '\u{ffe0}' => '\u{a2}',
        '\u{ffe1}' => '\u{a3}',
        '\u{ffe2}' => '\u{ac}',
        '\u{ffe3}' => '\u{af}',
        '\u{ffe4}' => '\u{a6}',
        '\u{ffe5}' => '\u{a5}',
        '\u{ffe6}' => '\u{20a9}',
        // JIS has one sign for each of these pairs; tables differ in which character they give for it.
        '\u{301c}' => '~',
        '\u{2212}' => '-',
        '\u{2225}' => '\u{2016}',
        '\u{2015}' => '\u{2014}',
        c => c,
    }
}

/// The one character for a hiragana and a voicing mark behind it.
fn voiced(base: char, mark: char) -> Option<char> {
    let by = match (mark, base) {
        (VOICED, 'う') => return Some('ゔ'),
        // Between か and ぢ the voiced one follows each; behind the small っ it is the even ones; は has two.
        (VOICED, 'か' | 'き' | 'く' | 'け' | 'こ' | 'さ' | 'し' | 'す' | 'せ' | 'そ' | 'た' | 'ち') => {
            1
        }
        (VOICED, 'つ' | 'て' | 'と' | 'は' | 'ひ' | 'ふ' | 'へ' | 'ほ') => 1,
        (SEMI_VOICED, 'は' | 'ひ' | 'ふ' | 'へ' | 'ほ') => 2,
        _ => return None,
    };
    char::from_u32(base as u32 + by)
}

/// Text folded as [`Matcher`] does it.
#[must_use]
pub fn folded(text: &str) -> Vec<u8> {
    let (mut folder, mut out) = (Folder::default(), Vec::new());
    folder.feed(text, &mut out);
    folder.finish(&mut out);
    out
}

/// Seeks a text in another that streams by. Keeps no more of it than the length of what is sought.
#[derive(Clone, Debug)]
pub struct Matcher {
    finder: memmem::Finder<'static>,
    folder: Folder,
    /// The end of what was seen, folded, in which a match may begin.
    tail: Vec<u8>,
    found: bool,
}

impl Matcher {
    /// Seeks `needle`; the empty text is found everywhere.
    #[must_use]
    pub fn new(needle: &str) -> Self {
        let needle = folded(needle);
        let found = needle.is_empty();
        Self {
            finder: memmem::Finder::new(&needle).into_owned(),
            folder: Folder::default(),
            tail: Vec::new(),
            found,
        }
    }

    /// Takes the next stretch of text. Says whether the needle has been found, here or before.
    pub fn feed(&mut self, text: &str) -> bool {
        if !self.found {
            self.folder.feed(text, &mut self.tail);
            self.look();
        }
        self.found
    }

    /// The text has ended. Says whether the needle was found, and is ready for another text.
    pub fn finish(&mut self) -> bool {
        self.folder.finish(&mut self.tail);
        self.look();
        self.tail.clear();
        core::mem::replace(&mut self.found, self.finder.needle().is_empty())
    }

    fn look(&mut self) {
        self.found |= self.finder.find(&self.tail).is_some();
        let keep = self.finder.needle().len().saturating_sub(1);
        self.tail.drain(..self.tail.len() - keep.min(self.tail.len()));
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    fn fold(text: &str) -> String {
        String::from_utf8(folded(text)).unwrap()
    }

    #[test]
    fn width_case_and_kana_do_not_count() {
        for (text, expected) in [
            ("Tegami ÄÖ ΣΑΣ", "tegami äö σασ"),
            ("Ｔｅｇａｍｉ　１２３～", "tegami 123~"),
            ("テガミ", "てがみ"),
            ("ﾃｶﾞﾐ", "てがみ"),
            ("ﾊﾟｿｺﾝ ﾊﾞｯﾌｧ ｳﾞ", "ぱそこん ばっふぁ ゔ"),
            ("か\u{3099}は\u{309a}カ゛", "がぱが"),
            ("〜−", "~-"),
            ("手紙", "手紙"),
            ("ｱﾞ", "あ゛"),
            ("つづく ﾂﾞﾂﾞｸ ぢ ﾁﾞ", "つづく づづく ぢ ぢ"),
        ] {
            assert_eq!(fold(text), expected, "{text}");
        }
    }

    #[test]
    fn a_match_is_found_across_any_cut() {
        let text = "昨日ﾃｶﾞﾐをもらった。Thank YOU";
        for (needle, expected) in [
            ("手紙", false),
            ("てがみ", true),
            ("テガミをモラッタ", true),
            ("thank you", true),
            ("", true),
            ("ミガ", false),
        ] {
            let mut matcher = Matcher::new(needle);
            let mut buffer = [0; 4];
            for c in text.chars() {
                matcher.feed(c.encode_utf8(&mut buffer));
            }
            assert_eq!(matcher.finish(), expected, "{needle}");
            matcher.feed(text);
            assert_eq!(matcher.finish(), expected, "{needle} again");
        }
    }

    #[test]
    fn a_voicing_mark_at_the_end_is_waited_for() {
        let mut matcher = Matcher::new("か");
        assert!(!matcher.feed("ｶ"));
        assert!(!matcher.feed("ﾞ"));
        assert!(!matcher.finish());
        matcher.feed("ｶ");
        assert!(matcher.finish());
    }
}
