//! SCRAM-SHA-256 (RFC 5802, RFC 7677), the client's side, without channel binding: the password is proven and not sent,
//! and the server has to prove that it knows it too. The proof, which takes keys and time, is asked of the driver.

use alloc::{boxed::Box, format, string::String, vec::Vec};
use core::mem;

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    extensions::number,
    limits::{SCRAM_NONCE_BYTES_MAX, SCRAM_ROUNDS_MAX, SCRAM_SALT_BYTES_MAX},
    reply::Breach,
};
use crate::{
    Secret,
    sasl::{ProofTask, ScramProven},
};

/// gs2-header of a client that binds to nothing (RFC 5802 §7), and the same in base64, as it comes back in
/// client-final-message.
const HEADER: &str = "n,,";
const HEADER_BASE64: &str = "biws";

/// An exchange.
#[derive(Debug)]
pub(super) struct Scram {
    /// client-first-message-bare, a part of AuthMessage.
    bare: Secret,
    /// This side's part of the nonce.
    nonce: String,
    state: State,
}

/// What comes next.
#[derive(Debug)]
enum State {
    /// server-first-message.
    Challenge,
    /// The driver's proof, for client-final-message-without-proof.
    Proof { task: Option<Box<ProofTask>>, without_proof: String },
    /// server-final-message, in which this signature must be.
    Signature([u8; 32]),
    /// Success: the server has shown that it knows the password.
    Success,
    /// A refusal: the server has said that there is an error.
    Refusal,
}

impl Scram {
    /// For a log-in name, with a nonce that was never used before.
    pub(super) fn new(name: &str, nonce: &str) -> Self {
        // RFC 5802 §5.1: `=` and `,` cannot stand in a name as they are.
        let name = Secret::new(name.replace('=', "=3D").replace(',', "=2C"));
        let bare = Secret::new(format!("n={},r={nonce}", name.expose()));
        Self { bare, nonce: nonce.into(), state: State::Challenge }
    }

    /// client-first-message.
    pub(super) fn first(&self) -> Secret {
        Secret::new([HEADER, self.bare.expose()].concat())
    }

    /// Takes a message of the server's; `password` is for the proof. Whether an empty response is to be sent.
    pub(super) fn take(&mut self, message: &[u8], password: &Secret) -> Result<bool, Breach> {
        let message = core::str::from_utf8(message).map_err(|_| Breach::Challenge)?;
        let answered = match self.state {
            State::Challenge => {
                self.state = self.challenged(message, password)?;
                false
            }
            State::Signature(signature) => {
                self.state = check(message, &signature)?;
                // RFC 4954 §4: success has no room for data, so it came as a challenge.
                true
            }
            State::Proof { .. } | State::Success | State::Refusal => return Err(Breach::Challenge),
        };
        Ok(answered)
    }

    /// RFC 5802 §7: `server-first-message = [reserved-mext ","] nonce "," salt "," iteration-count ["," extensions]`. A
    /// mandatory extension, of which none is known, stands in the place of the nonce and fails (§5.1). The others are not
    /// looked at.
    fn challenged(&self, message: &str, password: &Secret) -> Result<State, Breach> {
        let mut attributes = message.split(',');
        let mut value = |name| attributes.next().and_then(|attribute| attribute.strip_prefix(name));
        let (Some(nonce), Some(salt), Some(rounds)) = (value("r="), value("s="), value("i=")) else {
            return Err(Breach::Challenge);
        };
        // RFC 5802 §5.1: an answer to somebody else's message, or one that is sent again.
        let theirs = nonce.strip_prefix(self.nonce.as_str()).ok_or(Breach::Nonce)?;
        let is_printable = theirs.bytes().all(|byte| byte.is_ascii_graphic());
        if theirs.is_empty() || theirs.len() > SCRAM_NONCE_BYTES_MAX || !is_printable {
            return Err(Breach::Nonce);
        }
        let salt = decode(salt).filter(|salt| (1..=SCRAM_SALT_BYTES_MAX).contains(&salt.len()));
        let salt = salt.ok_or(Breach::Challenge)?;
        let rounds = number(rounds.as_bytes()).ok_or(Breach::Challenge)?;
        let rounds = u32::try_from(rounds).ok().filter(|rounds| (1..=SCRAM_ROUNDS_MAX).contains(rounds));
        let iterations = rounds.ok_or(Breach::Rounds)?;
        let without_proof = format!("c={HEADER_BASE64},r={nonce}");
        let auth_message = Secret::new([self.bare.expose(), message, &without_proof].join(","));
        let task = ProofTask { password: password.clone(), salt, iterations, auth_message };
        Ok(State::Proof { task: Some(Box::new(task)), without_proof })
    }

    /// Whether the driver's proof comes next.
    pub(super) const fn awaits_proof(&self) -> bool {
        matches!(self.state, State::Proof { .. })
    }

    /// What the driver has to make a proof of, once.
    pub(super) fn take_task(&mut self) -> Option<Box<ProofTask>> {
        match &mut self.state {
            State::Proof { task, .. } => task.take(),
            _ => None,
        }
    }

    /// Goes on with the proof: client-final-message (RFC 5802 §7).
    pub(super) fn proven(&mut self, proven: &ScramProven) -> Option<Secret> {
        let state = mem::replace(&mut self.state, State::Signature(proven.signature));
        let State::Proof { without_proof, .. } = state else { return None };
        Some(Secret::new(format!("{without_proof},p={}", STANDARD.encode(proven.proof))))
    }

    /// The server says that the log-in has succeeded. Whoever has not shown that it knows the password is not the one who
    /// has to (RFC 5802 §5).
    pub(super) const fn succeed(&self) -> Result<(), Breach> {
        if matches!(self.state, State::Success) { Ok(()) } else { Err(Breach::Signature) }
    }
}

/// RFC 5802 §7: `server-final-message = (server-error / verifier) ["," extensions]`. With an error comes a refusal, whose
/// words say more.
fn check(message: &str, signature: &[u8; 32]) -> Result<State, Breach> {
    let attribute = message.split(',').next().unwrap_or_default();
    match (attribute.strip_prefix("v="), attribute.strip_prefix("e=")) {
        (Some(verifier), _) if decode(verifier).as_deref() == Some(signature) => Ok(State::Success),
        (Some(_), _) => Err(Breach::Signature),
        (_, Some(_)) => Ok(State::Refusal),
        _ => Err(Breach::Challenge),
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}
