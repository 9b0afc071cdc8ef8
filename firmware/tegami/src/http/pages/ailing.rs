//! The page of a box that serves no mail.

use maud::html;

use super::{Reader, page, state};
use crate::http::ailing::AilingView;
use crate::http::guard::Found;
use crate::http::view::Missing;
use crate::language::{Language, Text};

/// The page: what is wrong in each of `languages`, the rest in the reader's.
pub(in crate::http) fn render(
    reader: &Reader,
    languages: &[Language],
    view: &AilingView,
    found: &Found,
) -> String {
    let nothing = Missing { domain: false, account: false, administrator: false };
    let body = html! {
        @for language in languages {
            @let [title, what, untouched, next] = view.ailment.lines(*language);
            section.hero lang=(language.code()) {
                p.eyebrow { (view.state.hostname) }
                h1 { (title) }
                p { (what) }
                p { (untouched) }
                p { strong { (next) } }
            }
        }
        (state::services(reader, &view.state, nothing, found))
        (state::network(reader, &view.state))
    };
    page(reader, reader.say(Text::AilingTitle), &body)
}
