//! The pages: what every one of them has, and small pieces that several use. Data in, HTML out.

pub(super) mod ailing;
pub(super) mod claim;
pub(super) mod mail;
pub(super) mod plain;
pub(super) mod state;

use maud::{DOCTYPE, Markup, html};

use super::path::Path;
use crate::language::{Language, Text, fill};

/// What a page has to know of whoever looks at it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader {
    pub(super) language: Language,
    /// The page, for the link to the other language; `None` for what is no page.
    pub(super) path: Option<Path>,
}

impl Reader {
    /// A text in the reader's language.
    pub(super) const fn say(&self, text: Text) -> &'static str {
        text.say(self.language)
    }

    /// The same with values.
    pub(super) fn fill(&self, text: Text, values: &[&str]) -> String {
        fill(self.say(text), values)
    }

    /// A size as people read it: three digits at least, in the unit that fits.
    pub(super) fn size(&self, bytes: u64) -> String {
        const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
        let mut unit = 0;
        let mut tenths = bytes.saturating_mul(10) / 1024;
        while tenths >= 10_240 && unit + 1 < UNITS.len() {
            tenths /= 1024;
            unit += 1;
        }
        let unit = UNITS.get(unit).copied().unwrap_or_default();
        if tenths >= 1_000 || tenths.is_multiple_of(10) {
            format!("{} {unit}", tenths / 10)
        } else {
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
    }
}

/// A whole page around `body`.
pub(super) fn page(reader: &Reader, title: &str, body: &Markup) -> String {
    let here = reader.path.unwrap_or(Path::State).text();
    html! {
        (DOCTYPE)
        html lang=(reader.language.code()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " – Tegami" }
                link rel="stylesheet" href=(Path::Style.text());
                link rel="icon" type="image/svg+xml" href=(Path::Icon.text());
            }
            body {
                header {
                    a.brand href=(Path::State.text()) { span.mark aria-hidden="true" { "手紙" } "Tegami" }
                    nav aria-label=(reader.say(Text::PageLanguage)) {
                        @for language in Language::ALL {
                            @if language == reader.language {
                                span aria-current="true" { (language.name()) }
                            } @else {
                                a href={ (here) "?lang=" (language.code()) } lang=(language.code())
                                    hreflang=(language.code()) { (language.name()) }
                            }
                        }
                    }
                }
                main { (body) }
                footer { p { (reader.say(Text::PageFooter)) } }
            }
        }
    }
    .into_string()
}

/// How much a notice matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// All is well.
    Good,
    /// To be known.
    Note,
    /// To be done something about.
    Alarm,
}

/// A sentence in a frame.
pub(super) fn notice(weight: Weight, sentence: &str) -> Markup {
    let (class, role) = match weight {
        Weight::Good => ("notice good", "status"),
        Weight::Note => ("notice", "note"),
        Weight::Alarm => ("notice alarm", "alert"),
    };
    html! { p class=(class) role=(role) { (sentence) } }
}

/// The authority's fingerprint, in groups that a person can compare.
pub(super) fn fingerprint(text: &str) -> Markup {
    let pairs: Vec<&str> = text.split(':').collect();
    html! {
        p.fingerprint { @for group in pairs.chunks(4) { span { (group.join(":")) } " " } }
    }
}

#[cfg(test)]
mod tests;
