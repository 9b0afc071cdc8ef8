//! The page's service: takes requests, says what is answered. Every answer is decided here, in this order: who asks,
//! under which name, in which language, for what.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;

use http::header::{ACCEPT_LANGUAGE, HeaderMap};
use http::{Method, Request, StatusCode};
use hyper::body::Body;
use ring::rand::SystemRandom;

use super::claim::Code;
use super::form::{self, Form};
use super::guard::{FormTokens, Found};
use super::pages::{self, Reader};
use super::path::Path;
use super::reply::{self, Reply};
use super::view::{Missing, StateView};
use crate::certs::AuthorityView;
use crate::language::{Language, Text, accepted};
use crate::passwords::Authenticator;
use crate::provision::{Keeper, key};

/// The rest of the program, as the pages need it.
pub(crate) trait Desk {
    /// How the box is now.
    fn state(&self) -> StateView;

    /// The authority that people install.
    fn authority(&self) -> AuthorityView;

    /// Whoever keeps domains, accounts and settings.
    fn keeper(&self) -> &dyn Keeper;

    /// Whoever hashes passwords.
    fn authenticator(&self) -> &Authenticator;

    /// Domains, accounts or settings have changed: names of certificates and banners follow.
    fn changed(&self);
}

/// The pages' own state.
pub(crate) struct Front {
    pub(super) desk: Rc<dyn Desk>,
    pub(super) code: RefCell<Code>,
    /// Somebody is claiming the box at this moment.
    pub(super) claiming: Cell<bool>,
    pub(super) tokens: FormTokens,
}

/// Keeps the language that somebody chose.
const LANGUAGE_COOKIE: &str = "lang";

/// What is known of a request before it is looked at.
pub(super) struct Visit<'a> {
    pub(super) found: &'a Found,
    pub(super) reader: Reader,
    pub(super) headers: &'a HeaderMap,
    /// How the box is at this moment.
    pub(super) state: &'a StateView,
    query: Form,
}

impl Front {
    /// Draws the claim code; `None` without randomness.
    pub(crate) fn new(desk: Rc<dyn Desk>) -> Option<Rc<Self>> {
        let random = SystemRandom::new();
        Some(Rc::new(Self {
            desk,
            code: RefCell::new(Code::new(&random)?),
            claiming: Cell::new(false),
            tokens: FormTokens::new(&random)?,
        }))
    }

    /// Whether there is an account to serve mail for.
    pub(crate) fn is_claimed(&self) -> bool {
        self.desk.keeper().has_accounts()
    }

    /// The code for the console and the card; `None` once there is nothing to claim.
    pub(crate) fn claim_code(&self) -> Option<String> {
        (!self.missing().is_nothing()).then(|| self.code.borrow().text().to_owned())
    }

    /// What is missing until the box is claimed.
    pub(super) fn missing(&self) -> Missing {
        let keeper = self.desk.keeper();
        Missing {
            domain: !keeper.has_domain(None),
            account: !keeper.has_accounts(),
            administrator: keeper.setting(key::ADMINISTRATOR).is_none(),
        }
    }

    /// Whether answers may be dated.
    pub(super) fn knows_the_time(&self) -> bool {
        self.desk.state().clock.is_known
    }

    /// Answers one request of a visitor at `ip`.
    pub(super) async fn respond<B>(self: &Rc<Self>, ip: IpAddr, tls: bool, request: Request<B>) -> Reply
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let query = Form::read(parts.uri.query().unwrap_or_default().as_bytes());
        let path = Path::of(parts.uri.path());
        let reader = Reader { language: language(&parts.headers, &query).unwrap_or_default(), path };
        let state = &self.desk.state();
        if !state.is_near(ip) {
            return plain(&reader, StatusCode::FORBIDDEN, Text::PlainNotHere);
        }
        let Some(found) = Found::read(&parts.headers, tls) else {
            return plain(&reader, StatusCode::BAD_REQUEST, Text::PlainNoHost);
        };
        if !found.is_ours(state) {
            return plain(&reader, StatusCode::MISDIRECTED_REQUEST, Text::PlainOtherName);
        }
        let visit = Visit { found: &found, reader, headers: &parts.headers, state, query };
        let mut reply = match (&parts.method, path) {
            (_, None) => plain(&reader, StatusCode::NOT_FOUND, Text::PlainNotFound),
            (&Method::GET | &Method::HEAD, Some(path)) => self.get(&visit, path),
            (&Method::POST, Some(Path::Claim)) => self.post_claim(&visit, body).await,
            (_, Some(path)) => {
                let mut reply = plain(&reader, StatusCode::METHOD_NOT_ALLOWED, Text::PlainNotAllowed);
                reply::allow(&mut reply, path.methods());
                reply
            }
        };
        if let Some(chosen) = Language::from_code(visit.query.get("lang")) {
            let code = chosen.code();
            let cookie =
                format!("{LANGUAGE_COOKIE}={code}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax");
            reply::set_cookie(&mut reply, &cookie);
        }
        reply
    }

    fn get(&self, visit: &Visit<'_>, path: Path) -> Reply {
        let Visit { reader, found, state, .. } = visit;
        let missing = self.missing();
        match path {
            Path::State => {
                let page = pages::state::render(reader, state, &self.desk.authority(), missing, found);
                reply::html(StatusCode::OK, page)
            }
            Path::Claim => self.get_claim(visit),
            Path::Mail if missing.account => reply::see_other(Path::State.text()),
            Path::Mail => {
                let welcome = visit.query.has("welcome");
                let page = pages::mail::render(reader, state, &self.desk.authority(), found, welcome);
                reply::html(StatusCode::OK, page)
            }
            Path::AuthorityDer => {
                reply::download("application/x-x509-ca-cert", "tegami-ca.crt", self.desk.authority().der)
            }
            Path::AuthorityPem => {
                let pem = self.desk.authority().pem().into_bytes();
                reply::download("application/x-pem-file", "tegami-ca.pem", pem)
            }
            Path::Style => reply::style(),
            Path::Icon => reply::icon(),
        }
    }
}

/// A page of one sentence.
pub(super) fn plain(reader: &Reader, status: StatusCode, sentence: Text) -> Reply {
    reply::html(status, pages::plain::render(reader, reader.say(sentence)))
}

/// What was chosen now, what was chosen before, what the browser prefers.
pub(super) fn language(headers: &HeaderMap, query: &Form) -> Option<Language> {
    let cookie = || form::cookie(headers, LANGUAGE_COOKIE).and_then(Language::from_code);
    let header = || headers.get(ACCEPT_LANGUAGE)?.to_str().ok().and_then(accepted);
    Language::from_code(query.get("lang")).or_else(cookie).or_else(header)
}
