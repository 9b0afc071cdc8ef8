//! Log-in: STARTTLS, AUTHENTICATE, LOGIN (RFC 3501 §6.2).

use alloc::{borrow::Cow, boxed::Box, format, vec::Vec};

use super::Begun;
use crate::{
    Answer, Login, LoginRefusal, Secret, Want,
    imap::{
        capability,
        limits::{BEFORE_LOGIN_MS_MAX, LOGIN_FAILURES_MAX, RESPONSE_LINE_BYTES_MAX},
        parse::without_line_end,
        reply::{Code, Reply},
        turn::{End, Run, Step, Then, Turn},
    },
    limits::CREDENTIAL_BYTES_MAX,
    line::{Line, Lines},
    sasl::{Exchange, Failure, Mechanism, Progress},
    session::Seconds,
};

/// RFC 5530 §3: the one answer to a wrong name and to a wrong password.
const WRONG: Reply = Reply::no("AUTHENTICATIONFAILED", "Name or password is wrong");

/// RFC 5530 §3
const PRIVACY_REQUIRED: Reply =
    Reply::no("PRIVACYREQUIRED", "No password is taken without TLS; use STARTTLS first");

/// RFC 3501 §6.2.1
pub(super) fn start_tls(turn: &mut Turn<'_, '_>) -> Begun {
    if turn.state.secure {
        return Reply::bad("The connection has TLS already").into();
    }
    Begun::End(End::plain(Reply::ok("Begin TLS now")).then(Then::StartTls))
}

/// RFC 3501 §6.2.3
pub(super) fn login(name: Secret, password: Secret, turn: &mut Turn<'_, '_>) -> Begun {
    if !turn.state.takes_passwords() {
        return PRIVACY_REQUIRED.into();
    }
    if [&name, &password].iter().any(|text| text.expose().len() > CREDENTIAL_BYTES_MAX) {
        return Begun::End(failed(WRONG, turn));
    }
    Check { login: Some(Box::new(Login { name, password })) }.into()
}

/// RFC 3501 §6.2.2, RFC 4959
pub(super) fn authenticate(mechanism: &[u8], initial: Option<Secret>, turn: &mut Turn<'_, '_>) -> Begun {
    if !turn.state.takes_passwords() {
        return PRIVACY_REQUIRED.into();
    }
    let Some(mechanism) = Mechanism::named(mechanism) else {
        return Reply::no("CANNOT", "AUTHENTICATE knows PLAIN and LOGIN").into();
    };
    let (exchange, progress) =
        Exchange::begin(mechanism, initial.as_ref().map(|text| text.expose().as_bytes()));
    let mut job = Authenticate { exchange, lines: Lines::new(RESPONSE_LINE_BYTES_MAX), check: None };
    match job.progress(progress, turn) {
        Some(end) => Begun::End(end),
        None => job.into(),
    }
}

/// Waits for credentials to be checked.
struct Check {
    /// `None` once handed over.
    login: Option<Box<Login>>,
}

impl Run for Check {
    fn step(&mut self, turn: &mut Turn<'_, '_>) -> Step {
        if let Some(login) = self.login.take() {
            return Step::Wait(Want::Login(login));
        }
        let answer = turn.answer.take().and_then(Answer::login);
        match answer.unwrap_or(Err(LoginRefusal::Unavailable)) {
            Ok(account) => {
                turn.state.account = Some(account);
                if let Some(alert) = turn.state.config.alert {
                    let mut line = Vec::new();
                    Reply::ok(alert).with(Code::Plain(Cow::Borrowed("ALERT"))).write("*", &mut line);
                    turn.output.push(&line);
                }
                let mut code = Vec::from(b"CAPABILITY ");
                capability::write(turn.state, &mut code);
                let code = alloc::string::String::from_utf8(code).unwrap_or_default();
                End::plain(Reply::ok("Logged in").with(Code::Plain(Cow::Owned(code)))).into()
            }
            Err(LoginRefusal::Credentials) => failed(WRONG, turn).into(),
            Err(LoginRefusal::TooMany { retry_after_s }) => {
                let text =
                    format!("Too many wrong passwords from there; try again in {}", Seconds(retry_after_s));
                let reply = Reply { text: Cow::Owned(text), ..Reply::no("UNAVAILABLE", "") };
                failed(reply, turn).into()
            }
            Err(LoginRefusal::Unavailable) => {
                let text = "Passwords cannot be checked just now; try again in a moment";
                failed(Reply::no("UNAVAILABLE", text), turn).into()
            }
        }
    }
}

/// A log-in that failed. The client gets time for another, but not for many.
fn failed(reply: Reply, turn: &mut Turn<'_, '_>) -> End {
    turn.state.login_failures += 1;
    turn.state.login_by = turn.now.ticks.after_ms(BEFORE_LOGIN_MS_MAX);
    if turn.state.login_failures < LOGIN_FAILURES_MAX {
        return End::plain(reply);
    }
    turn.output.push(b"* BYE Too many failed log-ins\r\n");
    End::plain(reply).then(Then::Close)
}

/// An exchange of lines that ends in credentials.
struct Authenticate {
    exchange: Exchange,
    lines: Lines,
    /// Once there are credentials.
    check: Option<Check>,
}

impl Run for Authenticate {
    fn step(&mut self, turn: &mut Turn<'_, '_>) -> Step {
        loop {
            if let Some(check) = &mut self.check {
                return check.step(turn);
            }
            let progress = match self.lines.next(turn.input) {
                Line::Partial => return Step::Wait(Want::Input),
                Line::TooLong => Progress::Failed(Failure::TooLong),
                Line::Whole(line) => self.exchange.respond(without_line_end(line)),
            };
            if let Some(end) = self.progress(progress, turn) {
                return end.into();
            }
        }
    }
}

impl Authenticate {
    /// Does what comes next in the exchange; an end if it has failed.
    fn progress(&mut self, progress: Progress, turn: &mut Turn<'_, '_>) -> Option<End> {
        match progress {
            Progress::Challenge(challenge) => {
                turn.output.push(b"+ ");
                turn.output.push(challenge.as_bytes());
                turn.output.push(b"\r\n");
                None
            }
            Progress::Credentials(login) => {
                self.check = Some(Check { login: Some(login) });
                None
            }
            // RFC 3501 §6.2.2: "the server MUST reject the AUTHENTICATE command by sending a tagged BAD response".
            Progress::Cancelled => Some(End::plain(Reply::bad("Cancelled"))),
            Progress::Failed(Failure::Base64) => Some(failed(Reply::bad("That is not base64"), turn)),
            Progress::Failed(Failure::TooLong) => Some(failed(Reply::bad("That is too long"), turn)),
            Progress::Failed(Failure::Malformed | Failure::Identity) => Some(failed(WRONG, turn)),
        }
    }
}
