//! The two languages in which the box speaks to people, and how values are put into a text.

use alloc::string::String;

/// A language that every text exists in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// `en`.
    #[default]
    English,
    /// `ja`.
    Japanese,
}

impl Language {
    /// Both, in the order in which pages offer them.
    pub const ALL: [Self; 2] = [Self::English, Self::Japanese];

    /// The language called `code`, as in the provision file and in `?lang=`.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.code() == code)
    }

    /// Its ISO 639 code, as HTML's `lang` wants it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Japanese => "ja",
        }
    }

    /// Its own name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Japanese => "日本語",
        }
    }

    /// The languages of a letter to somebody who may not know this one: it, and then English.
    #[must_use]
    pub const fn then_english(self) -> &'static [Self] {
        match self {
            Self::English => &[Self::English],
            Self::Japanese => &[Self::Japanese, Self::English],
        }
    }
}

/// Puts `values` where `text` says `{0}`, `{1}` and so on. Values are never looked at again, so what a person typed
/// cannot pull in another value.
#[must_use]
pub fn fill(text: &str, values: &[&str]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let slot = after.split_once('}').and_then(|(number, tail)| {
            number.parse::<usize>().ok().and_then(|number| values.get(number)).map(|value| (value, tail))
        });
        match slot {
            Some((value, tail)) => {
                out.push_str(value);
                rest = tail;
            }
            None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_where_their_numbers_stand() {
        assert_eq!(fill("{1} of {0}, {1}", &["a", "b"]), "b of a, b");
        assert_eq!(fill("{0}", &["{1}", "x"]), "{1}");
        assert_eq!(fill("{ {7} {x} }", &["a"]), "{ {7} {x} }");
    }

    #[test]
    fn languages_are_found_by_their_codes() {
        for language in Language::ALL {
            assert_eq!(Language::from_code(language.code()), Some(language));
        }
        assert_eq!(Language::from_code("de"), None);
    }
}
