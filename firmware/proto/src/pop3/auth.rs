//! Log-ins: USER and PASS (RFC 1939 §7), AUTH (RFC 5034), and what comes of them.

use alloc::{boxed::Box, format, string::String};

use mail::{AccountId, Mail, Now, Refusal};

use super::{
    limits::LOGINS_MAX,
    maildrop::Maildrop,
    reply::{self, Reply},
    session::{Outcome, Pop3Session},
};
use crate::{
    Login, LoginRefusal, Secret,
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
        Some(password) => Outcome::Login(Box::new(Login { name, password })),
        None => wrong(session),
    }
}

/// AUTH with what stands behind it.
pub(super) fn begin(session: &mut Pop3Session, argument: &[u8]) -> Outcome {
    if let Err(outcome) = permitted(session) {
        return outcome;
    }
    match Exchange::from_argument(argument) {
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

/// What the check of the credentials said; `None` if it did not take place.
pub(super) fn checked(
    session: &mut Pop3Session,
    answer: Option<Result<AccountId, LoginRefusal>>,
    mail: &mut dyn Mail,
    now: Now,
) -> Outcome {
    match answer {
        Some(Ok(account)) => Outcome::Reply(enter(session, account, mail, now)),
        Some(Err(LoginRefusal::Credentials)) => wrong(session),
        Some(Err(LoginRefusal::TooMany { retry_after_s })) => {
            session.logins += 1;
            let text =
                format!("[SYS/TEMP] Too many wrong passwords; try again in {}", Seconds(retry_after_s));
            Outcome::Reply(reply::no(text))
        }
        Some(Err(LoginRefusal::Unavailable)) | None => {
            Outcome::Reply(reply::no("[SYS/TEMP] Passwords cannot be checked just now; try again later"))
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
    match progress {
        Progress::Challenge(challenge) => Outcome::Challenge(challenge, exchange),
        Progress::Credentials(login) => Outcome::Login(login),
        Progress::Cancelled => Outcome::Reply(reply::no("Cancelled")),
        Progress::Failed(Failure::Base64) => Outcome::Reply(reply::AUTH_NOT_BASE64),
        Progress::Failed(Failure::TooLong) => Outcome::Reply(reply::LINE_TOO_LONG),
        Progress::Failed(Failure::Malformed) => Outcome::Reply(reply::AUTH_MALFORMED),
        Progress::Failed(Failure::Identity) => wrong(session),
    }
}

/// RFC 3206 §4: the credentials were the trouble.
fn wrong(session: &mut Pop3Session) -> Outcome {
    session.logins += 1;
    Outcome::Reply(reply::no("[AUTH] Wrong name or password"))
}

fn secret(bytes: &[u8]) -> Option<Secret> {
    let text = core::str::from_utf8(bytes).ok()?;
    (bytes.len() <= CREDENTIAL_BYTES_MAX).then(|| Secret::new(String::from(text)))
}
