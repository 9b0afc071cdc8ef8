//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677, RFC 9266), the server's side: four messages in turn. What
//! takes keys or randomness (salt, nonce, the check of the proof) is asked of the driver.
//!
//! A failure is said by the protocol around the exchange, never as `e=` in a server-final-message, which RFC 5802 §5.1
//! leaves to the server: no client shows it to anybody, and each would have to be answered before the protocol's own
//! reply comes.

use alloc::{borrow::Cow, boxed::Box, format, string::String, vec::Vec};
use core::{fmt, mem};

use base64::{Engine, engine::general_purpose::STANDARD};
use mail::AccountId;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{Failure, Progress, secret};
use crate::{Secret, Want, limits::CLIENT_NONCE_BYTES_MAX};

/// The only type of channel binding (RFC 9266), as a client names it in its first message.
const BINDING_FLAG: &str = "p=tls-exporter";

/// What identifies one TLS connection and no other: `tls-exporter` of RFC 9266 §2. Whoever sits between client and
/// server has two connections, and they differ in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelBinding(pub [u8; 32]);

/// What a client needs to make its proof (RFC 5802 §5.1: `s`, `i`, and the server's part of `r`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScramChallenge {
    /// Salt of the password.
    pub salt: Vec<u8>,
    /// Rounds of PBKDF2.
    pub iterations: u32,
    /// New for every exchange: printable ASCII without a comma (RFC 5802 §7).
    pub nonce: String,
}

/// A proof to be checked (RFC 5802 §3).
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct ScramProof {
    /// Log-in name as it was given.
    pub name: Secret,
    /// AuthMessage: what both sides have said.
    pub auth_message: Secret,
    /// ClientProof.
    pub proof: [u8; 32],
}

impl fmt::Debug for ScramProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[proof]")
    }
}

/// A proof that was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScramAccepted {
    /// Who has logged in.
    pub account: AccountId,
    /// ServerSignature, by which the client knows that the server has its keys (RFC 5802 §3).
    pub signature: [u8; 32],
}

/// What a client has to prove with (RFC 5802 §3).
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct ProofTask {
    /// The password as it was given; whoever makes the proof normalizes it (RFC 5802 §2.2).
    pub password: Secret,
    /// Salt of the password.
    pub salt: Vec<u8>,
    /// Rounds of PBKDF2.
    pub iterations: u32,
    /// AuthMessage: what both sides have said.
    pub auth_message: Secret,
}

impl fmt::Debug for ProofTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[proof]")
    }
}

/// A client's proof, and what shows that the server knows the password as well (RFC 5802 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScramProven {
    /// ClientProof.
    pub proof: [u8; 32],
    /// ServerSignature.
    pub signature: [u8; 32],
}

/// An exchange that has begun.
#[derive(Debug)]
pub(super) struct Scram {
    /// The client has chosen the mechanism with channel binding.
    plus: bool,
    binding: Option<ChannelBinding>,
    state: State,
}

/// What comes next.
#[derive(Debug)]
enum State {
    /// client-first-message.
    First,
    /// The driver's challenge.
    Challenge(ClientFirst),
    /// client-final-message.
    Final(Challenged),
    /// The driver's word on the proof.
    Proof,
    /// The client's empty response to server-final-message.
    Empty(AccountId),
    /// Nothing.
    Over,
}

/// client-first-message, taken apart.
#[derive(Debug)]
struct ClientFirst {
    /// gs2-header, which comes back in client-final-message.
    header: Secret,
    /// client-first-message-bare, a part of AuthMessage.
    bare: Secret,
    name: Secret,
    nonce: String,
}

/// A client that has its challenge.
#[derive(Debug)]
struct Challenged {
    first: ClientFirst,
    /// server-first-message, a part of AuthMessage.
    server_first: String,
    /// Both parts.
    nonce: String,
}

impl Scram {
    pub(super) const fn new(plus: bool, binding: Option<ChannelBinding>) -> Self {
        Self { plus, binding, state: State::First }
    }

    /// Goes on with a message from the client.
    pub(super) fn take(&mut self, message: &[u8]) -> Progress {
        let taken = match mem::replace(&mut self.state, State::Over) {
            State::First => self.first(message),
            State::Final(challenged) => self.last(&challenged, message),
            State::Empty(account) if message.is_empty() => Ok(Progress::Over(Ok(account))),
            _ => Err(Failure::Malformed),
        };
        taken.unwrap_or_else(Progress::Failed)
    }

    fn first(&mut self, message: &[u8]) -> Result<Progress, Failure> {
        let first = self.parse_first(message)?;
        let name = first.name.clone();
        self.state = State::Challenge(first);
        Ok(Progress::Ask(Want::ScramChallenge(name)))
    }

    /// Goes on with the driver's challenge.
    pub(super) fn challenged(&mut self, challenge: &ScramChallenge) -> Option<Progress> {
        let State::Challenge(first) = mem::replace(&mut self.state, State::Over) else { return None };
        let nonce = [first.nonce.as_str(), &challenge.nonce].concat();
        let salt = STANDARD.encode(&challenge.salt);
        let server_first = format!("r={nonce},s={salt},i={}", challenge.iterations);
        let line = STANDARD.encode(&server_first);
        self.state = State::Final(Challenged { first, server_first, nonce });
        Some(Progress::Challenge(Cow::Owned(line)))
    }

    fn last(&mut self, challenged: &Challenged, message: &[u8]) -> Result<Progress, Failure> {
        let proof = self.parse_final(challenged, message)?;
        self.state = State::Proof;
        Ok(Progress::Ask(Want::ScramProof(Box::new(proof))))
    }

    /// Goes on after a right proof: the client is told that the server has its keys, and says that it has heard it. SMTP,
    /// IMAP and POP3 have no field for data with success (RFC 4954 §4 says so of SMTP), so it goes as a challenge.
    pub(super) fn accepted(&mut self, accepted: &ScramAccepted) -> Option<Progress> {
        let State::Proof = self.state else { return None };
        self.state = State::Empty(accepted.account);
        let server_final = format!("v={}", STANDARD.encode(accepted.signature));
        Some(Progress::Challenge(Cow::Owned(STANDARD.encode(server_final))))
    }

    /// RFC 5802 §7: `client-first-message = gs2-header client-first-message-bare`,
    /// `gs2-header = gs2-cbind-flag "," [authzid] ","`,
    /// `client-first-message-bare = [reserved-mext ","] username "," nonce ["," extensions]`.
    fn parse_first(&self, message: &[u8]) -> Result<ClientFirst, Failure> {
        let text = text(message)?;
        let (flag, rest) = text.split_once(',').ok_or(Failure::Malformed)?;
        let (identity, bare) = rest.split_once(',').ok_or(Failure::Malformed)?;
        let header = text.strip_suffix(bare).ok_or(Failure::Malformed)?;
        self.check_flag(flag)?;
        let mut attributes = bare.split(',');
        let name = saslname(value(attributes.next(), "n=")?)?;
        let nonce = client_nonce(value(attributes.next(), "r=")?)?;
        check_extensions(attributes)?;
        if !identity.is_empty() && saslname(value(Some(identity), "a=")?)? != name {
            return Err(Failure::Identity);
        }
        Ok(ClientFirst { header: secret_text(header), bare: secret_text(bare), name, nonce })
    }

    /// RFC 5802 §6: `p` where the client binds, with the type; `y` where it could and believes that the server cannot:
    /// if it can, somebody between them has taken the mechanism out of the list.
    fn check_flag(&self, flag: &str) -> Result<(), Failure> {
        match (flag, self.plus) {
            (BINDING_FLAG, true) | ("n", false) => Ok(()),
            ("y", false) if self.binding.is_none() => Ok(()),
            ("y", false) => Err(Failure::Binding),
            (flag, true) if flag.starts_with("p=") => Err(Failure::BindingType),
            _ => Err(Failure::Malformed),
        }
    }

    /// RFC 5802 §7: `client-final-message = channel-binding "," nonce ["," extensions] "," proof`.
    fn parse_final(&self, challenged: &Challenged, message: &[u8]) -> Result<ScramProof, Failure> {
        let Challenged { first, server_first, nonce } = challenged;
        let text = text(message)?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(Failure::Malformed)?;
        let mut attributes = without_proof.split(',');
        let binding = value(attributes.next(), "c=")?;
        if decode(binding)? != self.binding_input(first) {
            return Err(Failure::Binding);
        }
        if value(attributes.next(), "r=")? != nonce {
            return Err(Failure::Nonce);
        }
        check_extensions(attributes)?;
        let proof = Zeroizing::new(decode(proof)?);
        let proof = proof.as_slice().try_into().map_err(|_| Failure::Malformed)?;
        let auth_message = [first.bare.expose(), server_first, without_proof].join(",");
        Ok(ScramProof { name: first.name.clone(), auth_message: Secret::new(auth_message), proof })
    }

    /// RFC 5802 §7: `cbind-input = gs2-header [cbind-data]`, the data with `p` only.
    fn binding_input(&self, first: &ClientFirst) -> Vec<u8> {
        let mut input = Vec::from(first.header.expose());
        if let (true, Some(ChannelBinding(data))) = (self.plus, self.binding) {
            input.extend_from_slice(&data);
        }
        input
    }
}

fn text(message: &[u8]) -> Result<&str, Failure> {
    core::str::from_utf8(message).map_err(|_| Failure::Malformed)
}

fn secret_text(text: &str) -> Secret {
    Secret::new(String::from(text))
}

/// The value of the attribute that must stand here. A mandatory extension (RFC 5802 §5.1: `m`), of which there is none,
/// stands in the place of another.
fn value<'a>(attribute: Option<&'a str>, name: &str) -> Result<&'a str, Failure> {
    attribute.and_then(|attribute| attribute.strip_prefix(name)).ok_or(Failure::Malformed)
}

/// RFC 5802 §7: `saslname = 1*(value-safe-char / "=2C" / "=3D")`; §5.1: any other `=` must fail.
fn saslname(text: &str) -> Result<Secret, Failure> {
    let mut parts = text.split('=');
    // Room for all of it, so that no half-grown copy is left behind.
    let mut name = String::with_capacity(text.len());
    name.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (character, rest) = match (part.strip_prefix("2C"), part.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            _ => return Err(Failure::Malformed),
        };
        name.push(character);
        name.push_str(rest);
    }
    let name = Secret::new(name);
    if name.expose().is_empty() { Err(Failure::Malformed) } else { secret(name.expose().as_bytes()) }
}

/// RFC 5802 §7: `c-nonce = printable`, which is ASCII without blank and comma.
fn client_nonce(text: &str) -> Result<String, Failure> {
    if text.len() > CLIENT_NONCE_BYTES_MAX {
        return Err(Failure::TooLong);
    }
    let printable = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if printable { Ok(String::from(text)) } else { Err(Failure::Malformed) }
}

/// RFC 5802 §7: `attr-val = ALPHA "=" value`. What is optional is not looked at (§5.1); `m` never is.
fn check_extensions<'a>(mut attributes: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
    let is_optional = |attribute: &str| match attribute.as_bytes() {
        [name, b'=', _, ..] => name.is_ascii_alphabetic() && *name != b'm',
        _ => false,
    };
    if attributes.all(is_optional) { Ok(()) } else { Err(Failure::Malformed) }
}

fn decode(text: &str) -> Result<Vec<u8>, Failure> {
    STANDARD.decode(text).map_err(|_| Failure::Malformed)
}
