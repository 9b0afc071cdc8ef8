//! Tests of who may see the pages under which names.

use http::HeaderValue;
use http::header::REFERER;
use ring::rand::SystemRandom;

use super::*;
use crate::http::tests::state;

fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
}

fn found(host: &'static str, tls: bool) -> Option<Found> {
    Found::read(&headers(&[(HOST, host)]), tls)
}

#[test]
fn the_box_goes_by_its_own_names_only() {
    let state = state();
    for (host, ours) in [
        ("192.168.1.20", true),
        ("127.0.0.1:20080", true),
        ("[::1]:20080", true),
        ("[fe80::1]", true),
        ("10.0.2.15", true),
        ("localhost:20080", true),
        ("tegami.local", true),
        ("TEGAMI.local.", true),
        ("tegami-2.local", true),
        ("example.test", true),
        ("mail.example.test:20443", true),
        ("8.8.8.8", false),
        ("evil.test", false),
        ("evilexample.test", false),
        ("example.test.evil.test", false),
        ("localhost.evil.test", false),
        ("nip.io", false),
        ("notlocal", false),
    ] {
        assert_eq!(found(host, false).unwrap().is_ours(&state), ours, "{host}");
    }
}

#[test]
fn one_host_header_with_one_host_is_needed() {
    for host in ["", "a b", "user@192.168.1.20", "http://192.168.1.20", "192.168.1.20:x", "/"] {
        assert_eq!(found(host, false), None, "{host}");
    }
    assert_eq!(Found::read(&HeaderMap::new(), false), None);
    let mut two = headers(&[(HOST, "192.168.1.20")]);
    two.append(HOST, HeaderValue::from_static("evil.test"));
    assert_eq!(Found::read(&two, false), None);
}

#[test]
fn https_is_at_the_same_offset() {
    for (host, tls, url) in [
        ("tegami.local", false, "https://tegami.local/claim"),
        ("127.0.0.1:20080", false, "https://127.0.0.1:20443/claim"),
        ("127.0.0.1:20443", true, "https://127.0.0.1:20443/claim"),
        ("[::1]:80", false, "https://[::1]/claim"),
        ("tegami.local", true, "https://tegami.local/claim"),
    ] {
        assert_eq!(found(host, tls).unwrap().https("/claim"), url);
    }
    assert_eq!(found("127.0.0.1:20443", true).unwrap().port_offset(), 20_000);
    assert_eq!(found("127.0.0.1:20080", false).unwrap().port_offset(), 20_000);
    assert_eq!(found("127.0.0.1:8", false).unwrap().port_offset(), 0);
}

#[test]
fn a_form_of_another_page_is_seen_as_such() {
    let found = found("tegami.local:20443", true).unwrap();
    let site = SEC_FETCH_SITE;
    for (pairs, ours) in [
        (vec![], true),
        (vec![(ORIGIN, "https://tegami.local:20443")], true),
        (vec![(ORIGIN, "https://tegami.local:20443"), (site.clone(), "same-origin")], true),
        (vec![(site.clone(), "none")], true),
        (vec![(REFERER, "https://evil.test/")], true),
        (vec![(ORIGIN, "null")], false),
        (vec![(ORIGIN, "http://tegami.local:20443")], false),
        (vec![(ORIGIN, "https://tegami.local")], false),
        (vec![(ORIGIN, "https://evil.test")], false),
        (vec![(site.clone(), "same-site")], false),
        (vec![(site, "cross-site")], false),
    ] {
        assert_eq!(found.sent_this(&headers(&pairs)), ours, "{pairs:?}");
    }
}

#[test]
fn a_token_belongs_to_one_cookie_and_one_run() {
    let random = SystemRandom::new();
    let (tokens, others) = (FormTokens::new(&random).unwrap(), FormTokens::new(&random).unwrap());
    let cookie = FormTokens::new_cookie(&random).unwrap();
    let token = tokens.token(&cookie);
    assert!(tokens.is_right(&cookie, &token));
    assert!(
        !tokens.is_right("other", &token)
            && !others.is_right(&cookie, &token)
            && !tokens.is_right(&cookie, "")
    );
}
