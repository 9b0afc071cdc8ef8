//! Log-ins: USER and PASS (RFC 1939 §7), AUTH (RFC 5034), and what comes of them.

use alloc::{format, string::String};

use mail::{AccountId, Mail, Now, Refusal};

use super::{
    limits::LOGINS_MAX,
    maildrop::Maildrop,
    reply::{self, Reply},
    session::{Outcome, Pop3Session},
};
use crate::{
    Answer, Login, LoginRefusal, Secret,
    limits::CREDENTIAL_BYTES_MAX,
    sasl::{Exchange, Failure, NoExchange, Progress},
    session::Seconds,
};

/// USER: keeps the name for the PASS that must come next.
pub(super) fn user(session: &mut Pop3Session, name: &[u8]) -> Outcome {
    if let Err(outcome) = permitted(session) {
        return outcome;
    }
    match secret(name) {
        Some(name) => {
            session.name = Some(name);
            // The same whether there is such a name or not.
            Outcome::Reply(reply::ok("Now the password (PASS)"))
        }
        None => Outcome::Reply(reply::USER_SYNTAX),
    }
}

/// PASS, behind USER `name`.
pub(super) fn pass(session: &mut Pop3Session, name: Option<Secret>, password: &[u8]) -> Outcome {
    if let Err(outcome) = permitted(session) {
        return outcome;
    }
    let Some(name) = name else { return Outcome::Reply(reply::USER_FIRST) };
    match secret(password) {
        Some(password) => {
            let (exchange, progress) = Exchange::password(Login { name, password });
            progressed(session, exchange, progress)
        }
        None => Outcome::Reply(wrong(session, reply::AUTH_WRONG)),
    }
}

/// AUTH with what stands behind it.
pub(super) fn begin(session: &mut Pop3Session, argument: &[u8]) -> Outcome {
    if let Err(outcome) = permitted(session) {
        return outcome;
    }
    match Exchange::from_argument(argument, session.offer()) {
        Ok((exchange, progress)) => progressed(session, exchange, progress),
        Err(NoExchange::Syntax) => Outcome::Reply(reply::AUTH_SYNTAX),
        Err(NoExchange::Unknown) => Outcome::Reply(reply::AUTH_UNKNOWN),
    }
}

/// A line from the client within an exchange, with its end.
pub(super) fn respond(session: &mut Pop3Session, mut exchange: Exchange, line: &[u8]) -> Outcome {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let progress = exchange.respond(line.strip_suffix(b"\r").unwrap_or(line));
    progressed(session, exchange, progress)
}

/// What the driver was asked within an exchange has been answered; `None` if it has not.
pub(super) fn answered(session: &mut Pop3Session, mut exchange: Exchange, answer: Option<Answer>) -> Outcome {
    let progress = exchange.answered(answer);
    progressed(session, exchange, progress)
}

/// What came of a log-in.
pub(super) fn concluded(
    session: &mut Pop3Session,
    result: Result<AccountId, LoginRefusal>,
    mail: &mut dyn Mail,
    now: Now,
) -> Reply {
    match result {
        Ok(account) => enter(session, account, mail, now),
        Err(LoginRefusal::Credentials) => wrong(session, reply::AUTH_WRONG),
        Err(LoginRefusal::TooMany { retry_after_s }) => {
            let text =
                format!("[SYS/TEMP] Too many wrong passwords; try again in {}", Seconds(retry_after_s));
            wrong(session, reply::no(text))
        }
        Err(LoginRefusal::Unavailable) => {
            reply::no("[SYS/TEMP] Passwords cannot be checked just now; try again later")
        }
    }
}

/// RFC 1939 §4: a log-in succeeds only with the maildrop locked for this session.
fn enter(session: &mut Pop3Session, account: AccountId, mail: &mut dyn Mail, now: Now) -> Reply {
    match Maildrop::open(account, mail) {
        Ok(maildrop) => {
            let text = maildrop.text();
            session.entered(maildrop, now);
            reply::ok(text)
        }
        // RFC 2449 §8.1.1.
        Err(Refusal::InUse) => reply::no("[IN-USE] Another program is fetching this mail just now"),
        Err(_) => reply::no("[SYS/TEMP] The mailbox cannot be opened just now; try again later"),
    }
}

/// Before log-in only, and a password only where nobody can listen (RFC 2595 §2.3).
fn permitted(session: &Pop3Session) -> Result<(), Outcome> {
    if session.maildrop.is_some() {
        return Err(Outcome::Reply(reply::LOGGED_IN_ALREADY));
    }
    if !session.takes_passwords() {
        return Err(Outcome::Reply(reply::no("Start TLS first (STLS): passwords are not taken without it")));
    }
    if session.logins >= LOGINS_MAX {
        return Err(Outcome::Close(reply::no("Too many failed log-ins; closing the connection")));
    }
    Ok(())
}

fn progressed(session: &mut Pop3Session, exchange: Exchange, progress: Progress) -> Outcome {
    let reply = match progress {
        Progress::Challenge(challenge) => return Outcome::Challenge(challenge, exchange),
        Progress::Ask(want) => return Outcome::Ask(want, exchange),
        Progress::Over(result) => return Outcome::Concluded(result),
        Progress::Cancelled => reply::no("Cancelled"),
        Progress::Failed(Failure::Base64) => reply::AUTH_NOT_BASE64,
        Progress::Failed(Failure::TooLong) => reply::LINE_TOO_LONG,
        Progress::Failed(Failure::Malformed) => reply::AUTH_MALFORMED,
        Progress::Failed(Failure::Identity | Failure::Nonce) => wrong(session, reply::AUTH_WRONG),
        Progress::Failed(Failure::Binding) => wrong(session, reply::AUTH_NOT_BOUND),
        Progress::Failed(Failure::BindingType) => reply::AUTH_BINDING_TYPE,
    };
    Outcome::Reply(reply)
}

/// A log-in that counts as failed.
fn wrong(session: &mut Pop3Session, reply: Reply) -> Reply {
    session.logins += 1;
    reply
}

fn secret(bytes: &[u8]) -> Option<Secret> {
    let text = core::str::from_utf8(bytes).ok()?;
    (bytes.len() <= CREDENTIAL_BYTES_MAX).then(|| Secret::new(String::from(text)))
}
