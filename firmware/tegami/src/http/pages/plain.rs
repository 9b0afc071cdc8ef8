//! Pages of one sentence: what is refused, and why.

use maud::html;

use super::{Reader, page};
use crate::http::path::Path;
use crate::language::Text;

/// A sentence with a way back to the first page.
pub(in crate::http) fn render(reader: &Reader, sentence: &str) -> String {
    let body = html! {
        section.hero {
            h1 { (sentence) }
            p { a.button.quiet href=(Path::State.text()) { (reader.say(Text::PlainBack)) } }
        }
    };
    page(reader, sentence, &body)
}
