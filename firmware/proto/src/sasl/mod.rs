//! SASL (RFC 4422) as SMTP, IMAP and POP3 share it: which mechanisms there are, and the exchange of base64 lines that
//! ends in somebody logged in or not. It knows no account and checks nothing: that is asked of the driver.

use alloc::{borrow::Cow, boxed::Box, string::String, vec::Vec};

use base64::{Engine, engine::general_purpose::STANDARD};
use mail::AccountId;
use zeroize::Zeroizing;

use crate::{Answer, Login, LoginRefusal, Secret, Want, limits::CREDENTIAL_BYTES_MAX};

mod scram;
#[cfg(test)]
mod scram_tests;
#[cfg(test)]
mod tests;

use scram::Scram;
pub use scram::{ChannelBinding, ProofTask, ScramAccepted, ScramChallenge, ScramProof, ScramProven};

/// Longest line of base64 that a client may send, its end not included: PLAIN with two names and a password, each as
/// long as it may be. Every message of SCRAM with a name of that length is shorter.
pub const RESPONSE_BYTES_MAX: usize = (3 * CREDENTIAL_BYTES_MAX + 2).div_ceil(3) * 4;

/// A way to log in. They are for connections with TLS: PLAIN and LOGIN send the password itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 7677, bound to the TLS connection (RFC 9266).
    ScramSha256Plus,
    /// RFC 7677.
    ScramSha256,
    /// RFC 4616.
    Plain,
    /// draft-murchison-sasl-login: never a standard, and the only one that some devices know.
    Login,
}

impl Mechanism {
    /// All of them, in the order of preference.
    pub const ALL: [Self; 4] = [Self::ScramSha256Plus, Self::ScramSha256, Self::Plain, Self::Login];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }
}

/// What there is on a connection where a password may be taken. What is not announced is not known either.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// Whether SCRAM is on offer: see [`Offer::mechanisms`].
    pub scram: bool,
    /// What a log-in can be bound to.
    pub channel_binding: Option<ChannelBinding>,
}

impl Offer {
    /// What a session names when it lists its mechanisms, in the order of preference.
    ///
    /// A mail program takes the best that it knows, and if that fails it tells its user that the password is wrong; it
    /// does not try the next. So SCRAM is for a box on which it works for everybody.
    pub fn mechanisms(self) -> impl Iterator<Item = Mechanism> {
        Mechanism::ALL.into_iter().filter(move |mechanism| match mechanism {
            Mechanism::ScramSha256Plus => self.scram && self.channel_binding.is_some(),
            Mechanism::ScramSha256 => self.scram,
            Mechanism::Plain | Mechanism::Login => true,
        })
    }

    /// The mechanism of this name; case does not count (RFC 4422 §3.1 has upper case only; clients differ).
    fn named(self, name: &[u8]) -> Option<Mechanism> {
        self.mechanisms().find(|mechanism| mechanism.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// An exchange that has begun.
#[derive(Debug)]
pub struct Exchange(State);

/// What comes next.
#[derive(Debug)]
enum State {
    /// The message of PLAIN.
    Plain,
    /// LOGIN: the name.
    Name,
    /// LOGIN: the password of this name.
    Password(Secret),
    /// The driver's word on a password.
    Check,
    /// SCRAM knows.
    Scram(Box<Scram>),
}

/// Where an exchange stands.
#[derive(Debug)]
pub enum Progress {
    /// Send this challenge, which is base64 already, and give the answer to [`Exchange::respond`].
    Challenge(Cow<'static, str>),
    /// Want this, and give the answer to [`Exchange::answered`].
    Ask(Want),
    /// The exchange is over, and this came of it.
    Over(Result<AccountId, LoginRefusal>),
    /// The client gave up (`*`); the exchange is over.
    Cancelled,
    /// The exchange is over for this reason.
    Failed(Failure),
}

/// Why an exchange fails before there is anything to be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Not base64.
    Base64,
    /// Beyond [`RESPONSE_BYTES_MAX`], [`CREDENTIAL_BYTES_MAX`] or [`CLIENT_NONCE_BYTES_MAX`].
    ///
    /// [`CLIENT_NONCE_BYTES_MAX`]: crate::limits::CLIENT_NONCE_BYTES_MAX
    TooLong,
    /// Base64 of something that the mechanism does not know.
    Malformed,
    /// Asks to act as someone else (an authorization identity): nobody may. To be answered as a wrong password.
    Identity,
    /// SCRAM: an answer to another challenge. To be answered as a wrong password.
    Nonce,
    /// SCRAM: not bound to this connection, or made to believe that it cannot be: somebody may be in between.
    Binding,
    /// SCRAM: bound by something else than `tls-exporter`.
    BindingType,
}

/// Why an exchange cannot begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoExchange {
    /// There is no mechanism, or more than its name and an initial response.
    Syntax,
    /// No such mechanism here.
    Unknown,
}

impl Exchange {
    /// Begins with what stands behind the AUTH of SMTP (RFC 4954 §4) and POP3 (RFC 5034 §4): a mechanism, and an initial
    /// response if there is one.
    ///
    /// # Errors
    /// [`NoExchange`].
    pub fn from_argument(argument: &[u8], offer: Offer) -> Result<(Self, Progress), NoExchange> {
        let mut words = argument.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        let (Some(name), initial, None) = (words.next(), words.next(), words.next()) else {
            return Err(NoExchange::Syntax);
        };
        Self::begin(name, initial, offer).ok_or(NoExchange::Unknown)
    }

    /// Begins; `None` for a mechanism that is not on offer. `initial` is the initial response if the command carried
    /// one, as it stood there: base64, or `=` for an empty one (RFC 4954 §4, RFC 4959 §3, RFC 5034 §4).
    #[must_use]
    pub fn begin(mechanism: &[u8], initial: Option<&[u8]>, offer: Offer) -> Option<(Self, Progress)> {
        let binding = offer.channel_binding;
        let state = match offer.named(mechanism)? {
            Mechanism::ScramSha256Plus => State::Scram(Box::new(Scram::new(true, binding))),
            Mechanism::ScramSha256 => State::Scram(Box::new(Scram::new(false, binding))),
            Mechanism::Plain => State::Plain,
            Mechanism::Login => State::Name,
        };
        let mut exchange = Self(state);
        let progress = match (initial, &exchange.0) {
            (None, State::Name) => Progress::Challenge(Cow::Borrowed(USERNAME)),
            (None, _) => Progress::Challenge(Cow::Borrowed("")),
            (Some(b"="), _) => exchange.take(&[]),
            (Some(response), _) => exchange.decode(response),
        };
        Some((exchange, progress))
    }

    /// Begins at the end: with name and password, which another command brought.
    #[must_use]
    pub fn password(login: Login) -> (Self, Progress) {
        (Self(State::Check), Progress::Ask(Want::Login(Box::new(login))))
    }

    /// Goes on with a line from the client, given without its end.
    pub fn respond(&mut self, line: &[u8]) -> Progress {
        // RFC 4954 §4, RFC 3501 §6.2.2, RFC 5034 §4: a line of a single `*` cancels.
        if line == b"*" { Progress::Cancelled } else { self.decode(line) }
    }

    /// Goes on with the driver's answer; `None` if there was none.
    pub fn answered(&mut self, answer: Option<Answer>) -> Progress {
        let progress = match (&mut self.0, answer) {
            (State::Check, Some(Answer::Login(result))) => Some(Progress::Over(result)),
            (State::Scram(scram), Some(Answer::ScramChallenge(Ok(challenge)))) => {
                scram.challenged(&challenge)
            }
            (State::Scram(scram), Some(Answer::ScramProof(Ok(accepted)))) => scram.accepted(&accepted),
            (_, Some(Answer::ScramChallenge(Err(refusal)) | Answer::ScramProof(Err(refusal)))) => {
                Some(Progress::Over(Err(refusal)))
            }
            _ => None,
        };
        // No answer, or one to another question: nothing was checked.
        progress.unwrap_or(Progress::Over(Err(LoginRefusal::Unavailable)))
    }

    fn decode(&mut self, response: &[u8]) -> Progress {
        if response.len() > RESPONSE_BYTES_MAX {
            return Progress::Failed(Failure::TooLong);
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(RESPONSE_BYTES_MAX));
        match STANDARD.decode_vec(response, &mut bytes) {
            Ok(()) => self.take(&bytes),
            Err(_) => Progress::Failed(Failure::Base64),
        }
    }

    fn take(&mut self, response: &[u8]) -> Progress {
        let login = match &mut self.0 {
            State::Scram(scram) => return scram.take(response),
            State::Plain => plain(response),
            State::Name => return self.name(response),
            State::Password(name) => {
                secret(response).map(|password| Login { name: core::mem::take(name), password })
            }
            State::Check => Err(Failure::Malformed),
        };
        let (exchange, progress) = match login {
            Ok(login) => Self::password(login),
            Err(failure) => return Progress::Failed(failure),
        };
        *self = exchange;
        progress
    }

    /// LOGIN: the name has come.
    fn name(&mut self, response: &[u8]) -> Progress {
        match secret(response) {
            Ok(name) => {
                self.0 = State::Password(name);
                Progress::Challenge(Cow::Borrowed(PASSWORD))
            }
            Err(failure) => Progress::Failed(failure),
        }
    }
}

/// `Username:` in base64.
const USERNAME: &str = "VXNlcm5hbWU6";

/// `Password:` in base64.
const PASSWORD: &str = "UGFzc3dvcmQ6";

/// RFC 4616 §2: `message = [authzid] UTF8NUL authcid UTF8NUL passwd`. A NUL cannot stand in any of them.
fn plain(message: &[u8]) -> Result<Login, Failure> {
    let mut fields = message.split(|byte| *byte == 0);
    let (Some(identity), Some(name), Some(password), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(Failure::Malformed);
    };
    if name.is_empty() || password.is_empty() {
        return Err(Failure::Malformed);
    }
    if !identity.is_empty() && identity != name {
        return Err(Failure::Identity);
    }
    Ok(Login { name: secret(name)?, password: secret(password)? })
}

fn secret(bytes: &[u8]) -> Result<Secret, Failure> {
    if bytes.len() > CREDENTIAL_BYTES_MAX {
        return Err(Failure::TooLong);
    }
    match core::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(Secret::new(String::from(text))),
        _ => Err(Failure::Malformed),
    }
}
