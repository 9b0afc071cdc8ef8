//! Logging in (RFC 4954) with PLAIN (RFC 4616) or LOGIN. Both send the password itself: the session begins this only
//! where nobody can listen.

use alloc::{string::String, vec::Vec};

use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::limits::AUTH_LINE_BYTES_MAX;
use crate::{Login, Output, sasl::Mechanism};

/// Where an exchange stands: what answers the next challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exchange {
    /// The message of PLAIN.
    Message,
    /// The name of LOGIN.
    Name,
    /// The password of LOGIN.
    Password,
    /// Nothing: a challenge would be one too many.
    Over,
}

impl Exchange {
    /// Writes the AUTH command, with the message in it where it fits.
    pub(super) fn begin(mechanism: Mechanism, login: &Login, output: &mut Output) -> Self {
        if mechanism == Mechanism::Login {
            output.push(b"AUTH LOGIN\r\n");
            return Self::Name;
        }
        let message = plain(login);
        if "AUTH PLAIN \r\n".len() + message.len() > AUTH_LINE_BYTES_MAX {
            output.push(b"AUTH PLAIN\r\n");
            return Self::Message;
        }
        push_line("AUTH PLAIN ", &message, output);
        Self::Over
    }

    /// Answers a challenge. What the challenge says does not matter; servers differ in how they put it.
    /// `None` if there is no answer.
    pub(super) fn respond(self, login: &Login, output: &mut Output) -> Option<Self> {
        let (response, next) = match self {
            Self::Message => (plain(login), Self::Over),
            Self::Name => (encode(login.name.expose().as_bytes()), Self::Password),
            Self::Password => (encode(login.password.expose().as_bytes()), Self::Over),
            Self::Over => return None,
        };
        push_line("", &response, output);
        Some(next)
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

/// In one piece, so that a buffer that grows leaves no copy behind.
fn push_line(begin: &str, response: &str, output: &mut Output) {
    output.buffer().reserve(begin.len() + response.len() + 2);
    for part in [begin, response, "\r\n"] {
        output.push(part.as_bytes());
    }
}
