//! Log-in: STARTTLS, AUTHENTICATE, LOGIN (RFC 3501 §6.2).

use alloc::{borrow::Cow, format, vec::Vec};

use mail::AccountId;

use super::Begun;
use crate::{
    Login, LoginRefusal, Secret, Want,
    imap::{
        capability,
        limits::{BEFORE_LOGIN_MS_MAX, LOGIN_FAILURES_MAX, RESPONSE_LINE_BYTES_MAX},
        parse::without_line_end,
        reply::{Code, Reply},
        turn::{End, Run, Step, Then, Turn},
    },
    limits::CREDENTIAL_BYTES_MAX,
    line::{Line, Lines},
    sasl::{Exchange, Failure, Progress},
    session::Seconds,
};

/// RFC 5530 §3: the one answer to a wrong name and to a wrong password.
const WRONG: Reply = Reply::no("AUTHENTICATIONFAILED", "Name or password is wrong");

/// The same code for a client that sees to it that nobody sits in between.
const NOT_BOUND: Reply = Reply::no(
    "AUTHENTICATIONFAILED",
    "The log-in is not bound to this connection; somebody may be listening in between",
);

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
    let (exchange, progress) = Exchange::password(Login { name, password });
    Attempt::begin(exchange, progress, turn)
}

/// RFC 3501 §6.2.2, RFC 4959
pub(super) fn authenticate(mechanism: &[u8], initial: Option<Secret>, turn: &mut Turn<'_, '_>) -> Begun {
    if !turn.state.takes_passwords() {
        return PRIVACY_REQUIRED.into();
    }
    let initial = initial.as_ref().map(|text| text.expose().as_bytes());
    match Exchange::begin(mechanism, initial, turn.state.offer()) {
        Some((exchange, progress)) => Attempt::begin(exchange, progress, turn),
        None => {
            Reply::no("CANNOT", "There is no such mechanism here; CAPABILITY says which there are").into()
        }
    }
}

/// What came of a log-in.
fn concluded(result: Result<AccountId, LoginRefusal>, turn: &mut Turn<'_, '_>) -> End {
    match result {
        Ok(account) => logged_in(account, turn),
        Err(LoginRefusal::Credentials) => failed(WRONG, turn),
        Err(LoginRefusal::TooMany { retry_after_s }) => {
            let text =
                format!("Too many wrong passwords from there; try again in {}", Seconds(retry_after_s));
            failed(Reply { text: Cow::Owned(text), ..Reply::no("UNAVAILABLE", "") }, turn)
        }
        Err(LoginRefusal::Unavailable) => {
            let text = "Passwords cannot be checked just now; try again in a moment";
            failed(Reply::no("UNAVAILABLE", text), turn)
        }
    }
}

fn logged_in(account: AccountId, turn: &mut Turn<'_, '_>) -> End {
    turn.state.account = Some(account);
    if let Some(alert) = turn.state.config.alert {
        let mut line = Vec::new();
        Reply::ok(alert).with(Code::Plain(Cow::Borrowed("ALERT"))).write("*", &mut line);
        turn.output.push(&line);
    }
    let mut code = Vec::from(b"CAPABILITY ");
    capability::write(turn.state, &mut code);
    let code = alloc::string::String::from_utf8(code).unwrap_or_default();
    End::plain(Reply::ok("Logged in").with(Code::Plain(Cow::Owned(code))))
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

/// A log-in: an exchange of lines, and of questions to the driver.
struct Attempt {
    exchange: Exchange,
    lines: Lines,
    next: Next,
}

/// What an attempt waits for.
enum Next {
    /// A line from the client.
    Line,
    /// To be able to ask this.
    Ask(Want),
    /// The answer.
    Answer,
}

impl Run for Attempt {
    fn step(&mut self, turn: &mut Turn<'_, '_>) -> Step {
        loop {
            let progress = match core::mem::replace(&mut self.next, Next::Line) {
                Next::Ask(want) => {
                    self.next = Next::Answer;
                    return Step::Wait(want);
                }
                Next::Answer => self.exchange.answered(turn.answer.take()),
                Next::Line => match self.lines.next(turn.input) {
                    Line::Partial => return Step::Wait(Want::Input),
                    Line::TooLong => Progress::Failed(Failure::TooLong),
                    Line::Whole(line) => self.exchange.respond(without_line_end(line)),
                },
            };
            if let Some(end) = self.progress(progress, turn) {
                return end.into();
            }
        }
    }
}

impl Attempt {
    fn begin(exchange: Exchange, progress: Progress, turn: &mut Turn<'_, '_>) -> Begun {
        let mut attempt = Self { exchange, lines: Lines::new(RESPONSE_LINE_BYTES_MAX), next: Next::Line };
        match attempt.progress(progress, turn) {
            Some(end) => Begun::End(end),
            None => attempt.into(),
        }
    }

    /// Does what comes next in the exchange; an end if it is over.
    fn progress(&mut self, progress: Progress, turn: &mut Turn<'_, '_>) -> Option<End> {
        Some(match progress {
            Progress::Challenge(challenge) => {
                turn.output.push(b"+ ");
                turn.output.push(challenge.as_bytes());
                turn.output.push(b"\r\n");
                return None;
            }
            Progress::Ask(want) => {
                self.next = Next::Ask(want);
                return None;
            }
            Progress::Over(result) => concluded(result, turn),
            // RFC 3501 §6.2.2: "the server MUST reject the AUTHENTICATE command by sending a tagged BAD response".
            Progress::Cancelled => End::plain(Reply::bad("Cancelled")),
            Progress::Failed(Failure::Base64) => failed(Reply::bad("That is not base64"), turn),
            Progress::Failed(Failure::TooLong) => failed(Reply::bad("That is too long"), turn),
            Progress::Failed(Failure::Malformed | Failure::Identity | Failure::Nonce) => failed(WRONG, turn),
            Progress::Failed(Failure::Binding) => failed(NOT_BOUND, turn),
            Progress::Failed(Failure::BindingType) => {
                let text = "The only channel binding here is tls-exporter; SCRAM-SHA-256 needs none";
                failed(Reply::no("CANNOT", text), turn)
            }
        })
    }
}
