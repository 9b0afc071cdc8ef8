//! The one page of a box that serves no mail: what is wrong, what to do, where it is on the network.

use std::net::IpAddr;

use http::header::HeaderMap;
use http::{Method, Request, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};

use super::converse;
use super::form::Form;
use super::front::{language, plain};
use super::guard::Found;
use super::pages::{self, Reader};
use super::path::Path;
use super::reply::{self, Reply};
use super::view::StateView;
use crate::ailment::Ailment;
use crate::language::{Language, Text};

/// What the page shows.
#[derive(Clone, Debug)]
pub(crate) struct AilingView {
    /// The box.
    pub(crate) state: StateView,
    /// What is wrong with its flash.
    pub(crate) ailment: Ailment,
    /// The owner's language, if it is known.
    pub(crate) language: Option<Language>,
}

/// Serves one connection in clear from `ip` until it ends, or until the box is `leaving`. `view` says how the box is.
pub(crate) async fn serve_ailing<S>(
    view: impl Fn() -> AilingView,
    stream: S,
    ip: IpAddr,
    leaving: impl Future<Output = ()>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let dated = view().state.clock.is_known;
    let answer = |request: Request<_>| {
        let reply = respond(&view(), ip, &request);
        async { reply }
    };
    converse(stream, ip, dated, answer, leaving).await;
}

/// Answers one request, in the order of the page that serves.
pub(super) fn respond<B>(view: &AilingView, ip: IpAddr, request: &Request<B>) -> Reply {
    let path = Path::of(request.uri().path());
    let chosen = chosen(view, request.headers(), request.uri().query().unwrap_or_default());
    let reader = Reader { language: chosen.unwrap_or_default(), path };
    if !view.state.is_near(ip) {
        return plain(&reader, StatusCode::FORBIDDEN, Text::PlainNotHere);
    }
    let Some(found) = Found::read(request.headers(), false) else {
        return plain(&reader, StatusCode::BAD_REQUEST, Text::PlainNoHost);
    };
    if !found.is_ours(&view.state) {
        return plain(&reader, StatusCode::MISDIRECTED_REQUEST, Text::PlainOtherName);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut reply = plain(&reader, StatusCode::METHOD_NOT_ALLOWED, Text::PlainNotAllowed);
        reply::allow(&mut reply, "GET, HEAD");
        return reply;
    }
    match path {
        Some(Path::State) => {
            let languages = chosen.as_ref().map_or(&Language::ALL[..], std::slice::from_ref);
            let page = pages::ailing::render(&reader, languages, view, &found);
            reply::html(StatusCode::OK, page)
        }
        Some(Path::Style) => reply::style(),
        Some(Path::Icon) => reply::icon(),
        Some(_) => reply::see_other(Path::State.text()),
        None => plain(&reader, StatusCode::NOT_FOUND, Text::PlainNotFound),
    }
}

/// What the reader asks for, or else what the owner speaks; `None` where neither is known.
fn chosen(view: &AilingView, headers: &HeaderMap, query: &str) -> Option<Language> {
    language(headers, &Form::read(query.as_bytes())).or(view.language)
}
