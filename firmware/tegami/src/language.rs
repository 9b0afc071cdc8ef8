//! The two languages that the box speaks, which one a person wants, and every text in both.

mod texts;

pub(crate) use texts::Text;

/// A language that every text exists in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Language {
    /// `en`.
    #[default]
    English,
    /// `ja`.
    Japanese,
}

impl Language {
    /// Both, in the order in which pages offer them.
    pub(crate) const ALL: [Self; 2] = [Self::English, Self::Japanese];

    /// The language called `code`, as in the provision file and in `?lang=`.
    pub(crate) fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.code() == code)
    }

    /// Its ISO 639 code, as HTML's `lang` wants it.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Japanese => "ja",
        }
    }

    /// Its own name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Japanese => "日本語",
        }
    }

    /// The one of ours that an `Accept-Language` header (RFC 9110 §12.5.4) likes best; `None` if it names neither.
    pub(crate) fn accepted(header: &str) -> Option<Self> {
        let mut best: Option<(u16, Self)> = None;
        for range in header.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let tag = parts.next().unwrap_or_default();
            let primary = tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
            let Some(language) = Self::from_code(&primary) else { continue };
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1_000, thousandths);
            if weight > best.map_or(0, |(most, _)| most) {
                best = Some((weight, language));
            }
        }
        best.map(|(_, language)| language)
    }
}

/// A quality value (RFC 9110 §12.4.2: 0 to 1 with up to three decimals) in thousandths; 0 for what is none.
fn thousandths(qvalue: &str) -> u16 {
    let (whole, decimals) = qvalue.split_once('.').unwrap_or((qvalue, ""));
    match whole {
        "1" => 1_000,
        "0" if decimals.len() <= 3 && decimals.bytes().all(|digit| digit.is_ascii_digit()) => {
            format!("{decimals:0<3}").parse().unwrap_or(0)
        }
        _ => 0,
    }
}

/// Puts `values` where `text` says `{0}`, `{1}` and so on. Values are never looked at again, so what a person typed
/// cannot pull in another value.
pub(crate) fn fill(text: &str, values: &[&str]) -> String {
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
    fn the_header_decides() {
        use Language::{English, Japanese};
        for (header, expected) in [
            ("ja", Some(Japanese)),
            ("ja-JP,ja;q=0.9,en-US;q=0.8,en;q=0.7", Some(Japanese)),
            ("en-GB,en;q=0.9,ja;q=0.8", Some(English)),
            ("de-DE,de;q=0.9", None),
            ("de, ja;q=0.3, en;q=0.2", Some(Japanese)),
            ("EN-us", Some(English)),
            ("ja;q=0", None),
            ("ja;q=0.001 , en; q=0.5", Some(English)),
            ("", None),
            (",;q=,;;", None),
            ("ja;q=2, en;q=0.1", Some(English)),
        ] {
            assert_eq!(Language::accepted(header), expected, "{header}");
        }
    }

    #[test]
    fn values_go_where_their_numbers_stand() {
        assert_eq!(fill("{1} of {0}, {1}", &["a", "b"]), "b of a, b");
        assert_eq!(fill("{0}", &["{1}", "x"]), "{1}");
        assert_eq!(fill("{ {7} {x} }", &["a"]), "{ {7} {x} }");
    }
}
