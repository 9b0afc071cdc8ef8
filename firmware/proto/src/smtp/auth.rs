//! AUTH (RFC 4954): when it may be used, and what each end of an exchange is in SMTP.

use mail::AccountId;

use super::{
    Mode,
    limits::LOGINS_MAX,
    reply::{self, Reply},
    session::{Outcome, SmtpSession},
};
use crate::{
    Answer, LoginRefusal,
    sasl::{Exchange, Failure, NoExchange, Progress},
    session::Seconds,
};

/// The command, with what stands behind it.
pub(super) fn begin(session: &mut SmtpSession, argument: &[u8]) -> Outcome {
    if let Err(reply) = permitted(session) {
        return Outcome::Reply(reply);
    }
    if session.counts.logins >= LOGINS_MAX {
        return Outcome::Close(session.closing("4.7.0", "Too many failed log-ins; closing the connection"));
    }
    match Exchange::from_argument(argument, session.offer()) {
        Ok((exchange, progress)) => progressed(session, exchange, progress),
        Err(NoExchange::Syntax) => Outcome::Reply(reply::AUTH_SYNTAX),
        Err(NoExchange::Unknown) => Outcome::Reply(reply::AUTH_UNKNOWN),
    }
}

/// A line from the client within an exchange, with its end.
pub(super) fn respond(session: &mut SmtpSession, mut exchange: Exchange, line: &[u8]) -> Outcome {
    let progress = match line.strip_suffix(b"\r\n") {
        Some(line) => exchange.respond(line),
        None => Progress::Failed(Failure::Base64),
    };
    progressed(session, exchange, progress)
}

/// What the driver was asked within an exchange has been answered; `None` if it has not.
pub(super) fn answered(session: &mut SmtpSession, mut exchange: Exchange, answer: Option<Answer>) -> Outcome {
    let progress = exchange.answered(answer);
    progressed(session, exchange, progress)
}

/// What came of a log-in.
fn concluded(session: &mut SmtpSession, result: Result<AccountId, LoginRefusal>) -> Reply {
    match result {
        Ok(account) => {
            session.account = Some(account);
            session.productive();
            reply::AUTH_OK
        }
        Err(LoginRefusal::Credentials) => wrong(session, reply::AUTH_WRONG),
        Err(LoginRefusal::TooMany { retry_after_s }) => {
            let text = alloc::format!("Too many wrong passwords; try again in {}", Seconds(retry_after_s));
            wrong(session, Reply::owned(454, "4.7.0", text))
        }
        Err(LoginRefusal::Unavailable) => reply::AUTH_UNAVAILABLE,
    }
}

/// RFC 4954 §4: once, after EHLO, not within a letter; §6: 538 where there is no TLS.
fn permitted(session: &SmtpSession) -> Result<(), Reply> {
    if session.mode == Mode::Mx {
        return Err(reply::AUTH_NOT_HERE);
    }
    if !session.client.as_ref().is_some_and(|client| client.extended) {
        return Err(reply::HELLO_FIRST);
    }
    if session.account.is_some() {
        return Err(reply::AUTH_ALREADY);
    }
    if session.envelope.is_some() {
        return Err(reply::AUTH_IN_LETTER);
    }
    if session.takes_passwords() { Ok(()) } else { Err(reply::AUTH_NEEDS_TLS) }
}

fn progressed(session: &mut SmtpSession, exchange: Exchange, progress: Progress) -> Outcome {
    let reply = match progress {
        Progress::Challenge(challenge) => return Outcome::Challenge(challenge, exchange),
        Progress::Ask(want) => return Outcome::Ask(want, exchange),
        Progress::Over(result) => concluded(session, result),
        Progress::Cancelled => reply::AUTH_CANCELLED,
        Progress::Failed(Failure::Base64) => reply::AUTH_NOT_BASE64,
        Progress::Failed(Failure::TooLong) => reply::AUTH_TOO_LONG,
        Progress::Failed(Failure::Malformed) => reply::AUTH_MALFORMED,
        Progress::Failed(Failure::Identity | Failure::Nonce) => wrong(session, reply::AUTH_WRONG),
        Progress::Failed(Failure::Binding) => wrong(session, reply::AUTH_NOT_BOUND),
        Progress::Failed(Failure::BindingType) => reply::AUTH_BINDING_TYPE,
    };
    Outcome::Reply(reply)
}

/// A log-in that counts as failed.
fn wrong(session: &mut SmtpSession, reply: Reply) -> Reply {
    session.counts.logins += 1;
    reply
}
