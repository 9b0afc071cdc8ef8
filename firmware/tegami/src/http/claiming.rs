//! The claim form's way: from the request to what is made, and back to a page that says how it went.

use std::rc::Rc;
use std::time::Instant;

use http::StatusCode;
use http_body_util::{BodyExt, Limited};
use hyper::body::Body;
use ring::rand::SystemRandom;
use zeroize::Zeroizing;

use super::claim::{self, CodeRefusal, Failure, Field, FieldError, Order};
use super::form::{self, Form};
use super::front::{Front, Visit, plain};
use super::guard::FormTokens;
use super::limits::{FORM_BYTES_MAX, FORM_TIME_MAX};
use super::pages;
use super::path::Path;
use super::reply::{self, Reply};
use crate::language::Text;

/// Ties a form to a browser. The prefix has the browser insist on https, this host alone and no other path.
const FORM_COOKIE: &str = "__Host-tegami";

impl Front {
    /// The empty form.
    pub(super) fn get_claim(&self, visit: &Visit<'_>) -> Reply {
        if self.missing().is_nothing() {
            return reply::see_other(Path::State.text());
        }
        // What takes a secret is asked for under TLS only.
        if !visit.found.tls {
            return reply::see_other(&visit.found.https(Path::Claim.text()));
        }
        self.claim_form(visit, &Form::default(), &[], None, StatusCode::OK)
    }

    /// A form that was sent.
    pub(super) async fn post_claim<B>(self: &Rc<Self>, visit: &Visit<'_>, body: B) -> Reply
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if !visit.found.tls {
            return reply::see_other(&visit.found.https(Path::Claim.text()));
        }
        if self.missing().is_nothing() {
            return reply::see_other(Path::State.text());
        }
        let reader = &visit.reader;
        if !visit.found.sent_this(visit.headers) {
            return plain(reader, StatusCode::FORBIDDEN, Text::PlainForeignForm);
        }
        if !form::is_form(visit.headers) {
            return plain(reader, StatusCode::UNSUPPORTED_MEDIA_TYPE, Text::PlainNoForm);
        }
        let body =
            match tokio::time::timeout(FORM_TIME_MAX, Limited::new(body, FORM_BYTES_MAX).collect()).await {
                Ok(Ok(body)) => Zeroizing::new(body.to_bytes().to_vec()),
                Ok(Err(_)) => return plain(reader, StatusCode::PAYLOAD_TOO_LARGE, Text::PlainTooLarge),
                Err(_) => return plain(reader, StatusCode::REQUEST_TIMEOUT, Text::PlainTooSlow),
            };
        let form = Form::read(&body);
        let cookie = form::cookie(visit.headers, FORM_COOKIE);
        if !cookie.is_some_and(|cookie| self.tokens.is_right(cookie, form.get("token"))) {
            let old = reader.say(Text::ClaimOldForm);
            return self.claim_form(visit, &form, &[], Some(old), StatusCode::FORBIDDEN);
        }
        self.claim(visit, &form).await
    }

    async fn claim(self: &Rc<Self>, visit: &Visit<'_>, form: &Form) -> Reply {
        let code = self.code.borrow_mut().check(form.get(Field::Code.name()), Instant::now());
        if let Err(CodeRefusal::Pause(seconds)) = code {
            let wait = visit.reader.fill(Text::ClaimPause, &[&seconds.to_string()]);
            let mut reply = self.claim_form(visit, form, &[], Some(&wait), StatusCode::TOO_MANY_REQUESTS);
            reply::retry_after(&mut reply, seconds);
            return reply;
        }
        let order = claim::order(form, self.missing(), &visit.state.domains);
        let order = match (code, order) {
            (Ok(()), Ok(order)) => order,
            (code, order) => {
                let wrong = FieldError { field: Field::Code, text: Text::ClaimCodeWrong };
                let wrong = code.is_err().then_some(wrong);
                let errors: Vec<_> = wrong.into_iter().chain(order.err().into_iter().flatten()).collect();
                return self.claim_form(visit, form, &errors, None, StatusCode::UNPROCESSABLE_ENTITY);
            }
        };
        if self.claiming.replace(true) {
            let busy = visit.reader.say(Text::ClaimBusy);
            return self.claim_form(visit, form, &[], Some(busy), StatusCode::CONFLICT);
        }
        let failure = match self.carry_out(order).await {
            Ok(()) => return reply::see_other("/mail?welcome"),
            Err(Failure::Hash) => visit.reader.say(Text::ClaimNoHash),
            Err(Failure::Store(_)) => visit.reader.say(Text::ClaimNoStore),
        };
        self.claim_form(visit, form, &[], Some(failure), StatusCode::SERVICE_UNAVAILABLE)
    }

    /// In a task of its own: a browser that hangs up in the middle does not leave half a claim.
    async fn carry_out(self: &Rc<Self>, order: Order) -> Result<(), Failure> {
        let front = Rc::clone(self);
        let task = tokio::task::spawn_local(async move {
            let done = claim::carry_out(order, front.desk.keeper(), front.desk.authenticator()).await;
            front.claiming.set(false);
            if done.is_ok() {
                front.desk.changed();
            }
            done
        });
        task.await.unwrap_or(Err(Failure::Hash))
    }

    fn claim_form(
        &self,
        visit: &Visit<'_>,
        form: &Form,
        errors: &[FieldError],
        failure: Option<&str>,
        status: StatusCode,
    ) -> Reply {
        let known = form::cookie(visit.headers, FORM_COOKIE).map(str::to_owned);
        let is_new = known.is_none();
        let Some(cookie) = known.or_else(|| FormTokens::new_cookie(&SystemRandom::new())) else {
            return plain(&visit.reader, StatusCode::SERVICE_UNAVAILABLE, Text::ClaimNoHash);
        };
        let view = pages::claim::View {
            missing: self.missing(),
            domains: &visit.state.domains,
            token: &self.tokens.token(&cookie),
            code: form.get(Field::Code.name()),
            domain: form.get(Field::Domain.name()),
            account: form.get(Field::Account.name()),
            errors,
            failure,
        };
        let page = pages::claim::render(&visit.reader, &view, &self.desk.authority());
        let mut reply = reply::html(status, page);
        if is_new {
            let cookie = format!("{FORM_COOKIE}={cookie}; Path=/; Secure; HttpOnly; SameSite=Strict");
            reply::set_cookie(&mut reply, &cookie);
        }
        reply
    }
}
