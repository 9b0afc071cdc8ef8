//! Who may see the pages, under which names, and whether a form was sent from one of them.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::{HOST, HeaderName, ORIGIN};
use http::uri::Authority;
use ring::{hmac, rand::SecureRandom};

use super::view::StateView;
use crate::certs::is_private;

/// How far https lies above http, at the standard ports and at any offset from them.
const HTTPS_ABOVE_HTTP: u16 = 443 - 80;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Under which name and port a visitor has found the box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// As in the URL: IPv6 addresses in brackets.
    pub(super) host: String,
    /// Port as the visitor sees it.
    pub(super) port: u16,
    /// Whether by https.
    pub(super) tls: bool,
}

impl Found {
    /// Reads the Host header; `None` if there is not exactly one, or it is none (RFC 9112 §3.2).
    pub(super) fn read(headers: &HeaderMap, tls: bool) -> Option<Self> {
        let mut hosts = headers.get_all(HOST).iter();
        let (host, None) = (hosts.next()?, hosts.next()) else { return None };
        let authority: Authority = host.to_str().ok()?.parse().ok()?;
        // User information cannot stand there, and a port is a number.
        let port = match authority.as_str().strip_prefix(authority.host())? {
            "" => standard_port(tls),
            port => port.strip_prefix(':')?.parse().ok()?,
        };
        Some(Self { host: authority.host().to_ascii_lowercase(), port, tls })
    }

    /// Whether the box goes by that name. A page of somebody else whose name has been made to point here (DNS
    /// rebinding) comes with a name that it does not go by.
    pub(super) fn is_ours(&self, state: &StateView) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return is_private(ip) || state.addresses.contains(&ip);
        }
        let name = bare.strip_suffix('.').unwrap_or(bare);
        let below = |domain: &str| {
            name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        name == "localhost"
            || below("local")
            || name == state.hostname
            || state.domains.iter().any(|domain| below(domain))
    }

    /// How far its ports lie above the standard ones, for whoever came this way.
    pub(super) fn port_offset(&self) -> u16 {
        self.port.saturating_sub(standard_port(self.tls))
    }

    /// `https://…` of the same box, for a path that begins with a slash.
    pub(super) fn https(&self, path: &str) -> String {
        let port = if self.tls { self.port } else { self.port.saturating_add(HTTPS_ABOVE_HTTP) };
        match port {
            443 => format!("https://{}{path}", self.host),
            port => format!("https://{}:{port}{path}", self.host),
        }
    }

    /// What a browser says in `Origin` when a page of ours sends a form (RFC 6454 §6.1).
    fn origin(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        if self.port == standard_port(self.tls) {
            format!("{scheme}://{}", self.host)
        } else {
            format!("{scheme}://{}:{}", self.host, self.port)
        }
    }

    /// Whether the browser, if it says anything about it, says that one of our pages sent the request.
    pub(super) fn sent_this(&self, headers: &HeaderMap) -> bool {
        let says = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let origin = says(&ORIGIN).is_none_or(|origin| origin.eq_ignore_ascii_case(&self.origin()));
        let site = says(&SEC_FETCH_SITE).is_none_or(|site| site == "same-origin" || site == "none");
        origin && site
    }
}

const fn standard_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

/// Ties a form to the browser that got it: the form carries a MAC of a cookie that only that browser has.
pub(super) struct FormTokens(hmac::Key);

impl FormTokens {
    /// With a key for this run of the program.
    pub(super) fn new(random: &dyn SecureRandom) -> Option<Self> {
        let mut key = zeroize::Zeroizing::new([0; 32]);
        random.fill(key.as_mut()).ok()?;
        Some(Self(hmac::Key::new(hmac::HMAC_SHA256, key.as_ref())))
    }

    /// A new cookie's value.
    pub(super) fn new_cookie(random: &dyn SecureRandom) -> Option<String> {
        let mut bytes = [0; 16];
        random.fill(&mut bytes).ok()?;
        Some(hex(&bytes))
    }

    /// The token of a form for the browser with this cookie.
    pub(super) fn token(&self, cookie: &str) -> String {
        hex(hmac::sign(&self.0, cookie.as_bytes()).as_ref())
    }

    /// Whether a form's token belongs to the cookie.
    pub(super) fn is_right(&self, cookie: &str, token: &str) -> bool {
        same(self.token(cookie).as_bytes(), token.as_bytes())
    }
}

/// Compares secrets of known length in a time that does not depend on where they differ.
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
