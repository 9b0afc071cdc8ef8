//! SASL (RFC 4422) as SMTP, IMAP and POP3 share it: which mechanisms there are, and the exchange of base64 lines that
//! ends in credentials. It knows no account and checks nothing.

use alloc::{boxed::Box, string::String, vec::Vec};

use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use crate::{Login, Secret, limits::CREDENTIAL_BYTES_MAX};

#[cfg(test)]
mod tests;

/// Longest line of base64 that a client may send, its end not included: PLAIN with two names and a password, each as
/// long as it may be.
pub const RESPONSE_BYTES_MAX: usize = (3 * CREDENTIAL_BYTES_MAX + 2).div_ceil(3) * 4;

/// What a session names when it lists its mechanisms, in the order of preference.
pub const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];

/// A way to log in. All of them send the password itself: they are for connections with TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// draft-murchison-sasl-login: never a standard, and the only one that some devices know.
    Login,
}

impl Mechanism {
    /// The mechanism of this name; case does not count (RFC 4422 §3.1 has upper case only; clients differ).
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Self> {
        MECHANISMS.into_iter().find(|mechanism| mechanism.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }
}

/// An exchange that has begun.
#[derive(Debug)]
pub struct Exchange {
    mechanism: Mechanism,
    /// LOGIN: the name, once it was given.
    name: Option<Secret>,
}

/// Where an exchange stands.
#[derive(Debug)]
pub enum Progress {
    /// Send this challenge, which is base64 already, and give the answer to [`Exchange::respond`].
    Challenge(&'static str),
    /// Have these checked; the exchange is over.
    Credentials(Box<Login>),
    /// The client gave up (`*`); the exchange is over.
    Cancelled,
    /// The exchange is over for this reason.
    Failed(Failure),
}

/// Why an exchange fails before there are credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Not base64.
    Base64,
    /// Beyond [`RESPONSE_BYTES_MAX`] or [`CREDENTIAL_BYTES_MAX`].
    TooLong,
    /// Base64 of something that the mechanism does not know.
    Malformed,
    /// Asks to act as someone else (an authorization identity): nobody may. To be answered as a wrong password.
    Identity,
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
    pub fn from_argument(argument: &[u8]) -> Result<(Self, Progress), NoExchange> {
        let mut words = argument.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        let (Some(name), initial, None) = (words.next(), words.next(), words.next()) else {
            return Err(NoExchange::Syntax);
        };
        let mechanism = Mechanism::named(name).ok_or(NoExchange::Unknown)?;
        Ok(Self::begin(mechanism, initial))
    }

    /// Begins. `initial` is the initial response if the command carried one, as it stood there: base64, or `=` for an
    /// empty one (RFC 4954 §4, RFC 4959 §3, RFC 5034 §4).
    #[must_use]
    pub fn begin(mechanism: Mechanism, initial: Option<&[u8]>) -> (Self, Progress) {
        let mut exchange = Self { mechanism, name: None };
        let progress = match (initial, mechanism) {
            (None, Mechanism::Plain) => Progress::Challenge(""),
            (None, Mechanism::Login) => Progress::Challenge(USERNAME),
            (Some(b"="), _) => exchange.take(&[]),
            (Some(response), _) => exchange.decode(response),
        };
        (exchange, progress)
    }

    /// Goes on with a line from the client, given without its end.
    pub fn respond(&mut self, line: &[u8]) -> Progress {
        // RFC 4954 §4, RFC 3501 §6.2.2, RFC 5034 §4: a line of a single `*` cancels.
        if line == b"*" { Progress::Cancelled } else { self.decode(line) }
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
        let taken = match self.mechanism {
            Mechanism::Plain => plain(response).map(Some),
            Mechanism::Login => self.login(response),
        };
        match taken {
            Ok(Some(login)) => Progress::Credentials(Box::new(login)),
            Ok(None) => Progress::Challenge(PASSWORD),
            Err(failure) => Progress::Failed(failure),
        }
    }

    fn login(&mut self, response: &[u8]) -> Result<Option<Login>, Failure> {
        let text = secret(response)?;
        match self.name.take() {
            Some(name) => Ok(Some(Login { name, password: text })),
            None => {
                self.name = Some(text);
                Ok(None)
            }
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
