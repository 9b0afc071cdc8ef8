//! Answers: status, headers, body. Every one carries the headers that keep a browser careful.

use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    HeaderValue, LOCATION, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE, VARY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;

/// The stylesheet.
const STYLE: &str = include_str!("style.css");

/// The icon.
const ICON: &str = include_str!("icon.svg");

/// Nothing but our own stylesheet, icon and forms; no script from anywhere, and in nobody's frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

const PERMISSIONS: (HeaderName, HeaderValue) = (
    HeaderName::from_static("permissions-policy"),
    HeaderValue::from_static("camera=(), geolocation=(), microphone=()"),
);

const RESOURCES: (HeaderName, HeaderValue) =
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));

/// What is answered.
pub(super) type Reply = Response<Full<Bytes>>;

/// A page.
pub(super) fn html(status: StatusCode, page: String) -> Reply {
    let mut reply = reply(status, "text/html; charset=utf-8", page.into());
    let headers = reply.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Accept-Language, Cookie"));
    // Pages show the moment, and forms belong to one browser.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// Sends the browser elsewhere, by GET.
pub(super) fn see_other(location: &str) -> Reply {
    let mut reply = reply(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", Bytes::new());
    let headers = reply.headers_mut();
    if let Ok(location) = HeaderValue::from_str(location) {
        headers.insert(LOCATION, location);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// The stylesheet.
pub(super) fn style() -> Reply {
    lasting(reply(StatusCode::OK, "text/css; charset=utf-8", Bytes::from_static(STYLE.as_bytes())))
}

/// The icon.
pub(super) fn icon() -> Reply {
    lasting(reply(StatusCode::OK, "image/svg+xml", Bytes::from_static(ICON.as_bytes())))
}

fn lasting(mut reply: Reply) -> Reply {
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=604800"));
    reply
}

/// A file to keep.
pub(super) fn download(kind: &'static str, name: &str, bytes: Vec<u8>) -> Reply {
    let mut reply = reply(StatusCode::OK, kind, bytes.into());
    let headers = reply.headers_mut();
    if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(CONTENT_DISPOSITION, name);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

fn reply(status: StatusCode, kind: &'static str, body: Bytes) -> Reply {
    let mut reply = Response::new(Full::new(body));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // Not `no-referrer`: with it browsers send `Origin: null` with our own forms.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    let (name, value) = PERMISSIONS;
    headers.insert(name, value);
    let (name, value) = RESOURCES;
    headers.insert(name, value);
    reply
}

/// Adds a cookie.
pub(super) fn set_cookie(reply: &mut Reply, cookie: &str) {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        reply.headers_mut().append(SET_COOKIE, cookie);
    }
}

/// Says which methods there are (RFC 9110 §15.5.6).
pub(super) fn allow(reply: &mut Reply, methods: &'static str) {
    reply.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
}

/// Says when to come again.
pub(super) fn retry_after(reply: &mut Reply, seconds: u64) {
    reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
}
