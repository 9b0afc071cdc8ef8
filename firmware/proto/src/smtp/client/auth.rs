//! Logging in (RFC 4954) with SCRAM-SHA-256 (RFC 7677), PLAIN (RFC 4616) or LOGIN. The last two send the password itself:
//! the session begins this only where nobody can listen.

use alloc::{boxed::Box, string::String, vec::Vec};

use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::{
    limits::AUTH_LINE_BYTES_MAX,
    reply::{Breach, RawReply},
    scram::Scram,
};
use crate::{
    Login, Output,
    sasl::{Mechanism, ProofTask, ScramProven},
};

/// Where an exchange stands: what answers the next challenge.
#[derive(Debug)]
pub(super) enum Exchange {
    /// The message of PLAIN.
    Message,
    /// The name of LOGIN.
    Name,
    /// The password of LOGIN.
    Password,
    /// Nothing: a challenge would be one too many.
    Over,
    /// The first message of SCRAM.
    ScramFirst(Box<Scram>),
    /// SCRAM knows.
    Scram(Box<Scram>),
}

impl Exchange {
    /// Writes the AUTH command, with the first message in it where it fits. `nonce` is for SCRAM.
    pub(super) fn begin(mechanism: Mechanism, login: &Login, nonce: &str, output: &mut Output) -> Self {
        let exchange = match mechanism {
            Mechanism::ScramSha256Plus | Mechanism::ScramSha256 => {
                Self::ScramFirst(Box::new(Scram::new(login.name.expose(), nonce)))
            }
            Mechanism::Plain => Self::Message,
            Mechanism::Login => Self::Name,
        };
        let command = ["AUTH ", mechanism.name()].concat();
        let fits = |message: &Zeroizing<String>| command.len() + message.len() + 3 <= AUTH_LINE_BYTES_MAX;
        match exchange.first(login).filter(fits) {
            Some(message) => {
                push_line(&[&command, " "].concat(), &message, output);
                exchange.begun()
            }
            None => {
                push_line(&command, "", output);
                exchange
            }
        }
    }

    /// What a mechanism begins with that begins with something; `None` for those that do not, and later.
    fn first(&self, login: &Login) -> Option<Zeroizing<String>> {
        match self {
            Self::Message => Some(plain(login)),
            Self::ScramFirst(scram) => Some(encode(scram.first().expose().as_bytes())),
            _ => None,
        }
    }

    /// The first message was sent.
    fn begun(self) -> Self {
        match self {
            Self::ScramFirst(scram) => Self::Scram(scram),
            _ => Self::Over,
        }
    }

    /// Answers a challenge. With PLAIN and LOGIN it does not matter what it says; servers differ in how they put it.
    ///
    /// # Errors
    /// [`Breach`]: there is no answer.
    pub(super) fn respond(
        self,
        challenge: &RawReply,
        login: &Login,
        output: &mut Output,
    ) -> Result<Self, Breach> {
        if let Some(message) = self.first(login) {
            push_line("", &message, output);
            return Ok(self.begun());
        }
        let (response, next) = match self {
            Self::Name => (encode(login.name.expose().as_bytes()), Self::Password),
            Self::Password => (encode(login.password.expose().as_bytes()), Self::Over),
            Self::Scram(mut scram) => {
                if scram.take(&decode(challenge)?, &login.password)? {
                    push_line("", "", output);
                }
                return Ok(Self::Scram(scram));
            }
            Self::Message | Self::ScramFirst(_) | Self::Over => {
                return Err(Breach::Unexpected(challenge.code));
            }
        };
        push_line("", &response, output);
        Ok(next)
    }

    /// Whether the driver's proof comes next.
    pub(super) const fn awaits_proof(&self) -> bool {
        matches!(self, Self::Scram(scram) if scram.awaits_proof())
    }

    /// What the driver has to make a proof of, once.
    pub(super) fn take_task(&mut self) -> Option<Box<ProofTask>> {
        if let Self::Scram(scram) = self { scram.take_task() } else { None }
    }

    /// Goes on with the proof; says whether it was waited for.
    pub(super) fn proven(&mut self, proven: &ScramProven, output: &mut Output) -> bool {
        let message = if let Self::Scram(scram) = self { scram.proven(proven) } else { None };
        let Some(message) = message else { return false };
        push_line("", &encode(message.expose().as_bytes()), output);
        true
    }

    /// The server says that the log-in has succeeded.
    ///
    /// # Errors
    /// [`Breach::Signature`]: it cannot know.
    pub(super) const fn succeed(&self) -> Result<(), Breach> {
        match self {
            Self::Scram(scram) => scram.succeed(),
            Self::ScramFirst(_) => Err(Breach::Signature),
            Self::Message | Self::Name | Self::Password | Self::Over => Ok(()),
        }
    }
}

/// RFC 4616 §2, in base64. No authorization identity: one's own is meant.
fn plain(login: &Login) -> Zeroizing<String> {
    let (name, password) = (login.name.expose().as_bytes(), login.password.expose().as_bytes());
    let mut message = Zeroizing::new(Vec::with_capacity(name.len() + password.len() + 2));
    for part in [b"\0", name, b"\0", password] {
        message.extend_from_slice(part);
    }
    encode(&message)
}

fn encode(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(STANDARD.encode(bytes))
}

/// RFC 4954 §4: a challenge is one line of base64.
fn decode(challenge: &RawReply) -> Result<Vec<u8>, Breach> {
    let mut lines = challenge.lines();
    let (Some(line), None) = (lines.next(), lines.next()) else { return Err(Breach::Challenge) };
    STANDARD.decode(line).map_err(|_| Breach::Challenge)
}

/// In one piece, so that a buffer that grows leaves no copy behind.
fn push_line(begin: &str, response: &str, output: &mut Output) {
    output.buffer().reserve(begin.len() + response.len() + 2);
    for part in [begin, response, "\r\n"] {
        output.push(part.as_bytes());
    }
}
