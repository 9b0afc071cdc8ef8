//! What comes with a request: forms, queries, cookies.

use http::HeaderMap;
use http::header::{CONTENT_TYPE, COOKIE};
use proto::Secret;

/// A form as `application/x-www-form-urlencoded`, its values wiped when dropped.
#[derive(Debug, Default)]
pub(super) struct Form(Vec<(String, Secret)>);

impl Form {
    /// Reads the body of a request, or a query.
    pub(super) fn read(body: &[u8]) -> Self {
        let fields = form_urlencoded::parse(body);
        Self(fields.map(|(name, value)| (name.into_owned(), Secret::new(value.into_owned()))).collect())
    }

    /// The first value of a field; empty if there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.expose())
    }

    /// The same, to keep.
    pub(super) fn secret(&self, name: &str) -> Secret {
        Secret::new(self.get(name).to_owned())
    }

    /// Whether the field is there at all.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }
}

/// Whether a request says that its body is a form.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// The value of a cookie (RFC 6265 §5.4).
pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(known, value)| (known == name).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded() {
        let form =
            Form::read(b"code=AB+CD&domain=example.test&password=%E6%89%8B%E7%B4%99%26%3D&empty=&flag");
        assert_eq!(form.get("code"), "AB CD");
        assert_eq!(form.get("password"), "手紙&=");
        assert_eq!(
            (form.get("empty"), form.has("empty"), form.has("flag"), form.has("x")),
            ("", true, true, false)
        );
        assert_eq!(Form::read(b"a=1&a=2").get("a"), "1");
        assert_eq!(Form::read(b"a=%ff%zz").get("a"), "\u{fffd}%zz");
    }

    #[test]
    fn cookies_are_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "a=1; lang=ja".parse().unwrap());
        headers.append(COOKIE, "b=2;c=x=y".parse().unwrap());
        assert_eq!(cookie(&headers, "lang"), Some("ja"));
        assert_eq!(cookie(&headers, "c"), Some("x=y"));
        assert_eq!(cookie(&headers, "ang"), None);
    }
}
