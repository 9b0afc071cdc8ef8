//! The languages that the box speaks: which one a person wants, and every text in both.

mod texts;

pub(crate) use mail::{Language, fill};
pub(crate) use texts::Text;

/// The one of ours that an `Accept-Language` header (RFC 9110 §12.5.4) likes best; `None` if it names neither.
pub(crate) fn accepted(header: &str) -> Option<Language> {
    let mut best: Option<(u16, Language)> = None;
    for range in header.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let tag = parts.next().unwrap_or_default();
        let primary = tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
        let Some(language) = Language::from_code(&primary) else { continue };
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1_000, thousandths);
        if weight > best.map_or(0, |(most, _)| most) {
            best = Some((weight, language));
        }
    }
    best.map(|(_, language)| language)
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
            assert_eq!(accepted(header), expected, "{header}");
        }
    }
}
