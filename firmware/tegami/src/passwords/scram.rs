//! SCRAM-SHA-256 keys (RFC 5802, RFC 7677), the proof of a client that logs in elsewhere, and the preparation of passwords (RFC 4013) that both forms share.

use std::borrow::Cow;
use std::num::NonZeroU32;

use proto::sasl::{ProofTask, ScramProven};
use ring::{digest, hmac, pbkdf2};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// What a server keeps to check SCRAM-SHA-256 proofs (RFC 5802 §3).
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub(crate) struct ScramKeys {
    /// Rounds of PBKDF2.
    pub(crate) iterations: u32,
    /// Salt of PBKDF2.
    pub(crate) salt: Vec<u8>,
    /// H(HMAC(SaltedPassword, "Client Key")).
    pub(crate) stored_key: [u8; 32],
    /// HMAC(SaltedPassword, "Server Key").
    pub(crate) server_key: [u8; 32],
}

impl ScramKeys {
    /// Derives the keys (RFC 5802 §3) from a password that has been [`prepared`].
    pub(crate) fn derive(password: &str, salt: Vec<u8>, iterations: u32) -> Self {
        // Zero rounds are no rounds anyone asks for; RFC 7677 §4 sets the floor.
        let rounds = NonZeroU32::new(iterations).unwrap_or(NonZeroU32::MIN);
        let key = salted_password(password, &salt, rounds);
        let client_key = hmac::sign(&key, b"Client Key");
        let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());
        let server_key = hmac::sign(&key, b"Server Key");
        Self {
            iterations: rounds.get(),
            salt,
            stored_key: bytes32(stored_key.as_ref()),
            server_key: bytes32(server_key.as_ref()),
        }
    }

    /// ServerSignature, if the proof is that of whoever knows the password (RFC 5802 §3).
    pub(super) fn check(&self, auth_message: &[u8], proof: &[u8; 32]) -> Option<[u8; 32]> {
        let stored = hmac::Key::new(hmac::HMAC_SHA256, &self.stored_key);
        let client_key = Zeroizing::new(masked(proof, hmac::sign(&stored, auth_message).as_ref()));
        let offered = digest::digest(&digest::SHA256, client_key.as_ref());
        // ring compares in constant time where it verifies a MAC: so both are compared by theirs.
        let right = hmac::sign(&stored, &self.stored_key);
        hmac::verify(&stored, offered.as_ref(), right.as_ref()).ok()?;
        let server = hmac::Key::new(hmac::HMAC_SHA256, &self.server_key);
        Some(bytes32(hmac::sign(&server, auth_message).as_ref()))
    }
}

/// What this box proves where it logs in itself (RFC 5802 §3). Takes a while: PBKDF2 is meant to.
pub(crate) fn prove(task: &ProofTask) -> ScramProven {
    let rounds = NonZeroU32::new(task.iterations).unwrap_or(NonZeroU32::MIN);
    let key = salted_password(&prepared(task.password.expose()), &task.salt, rounds);
    let auth_message = task.auth_message.expose().as_bytes();
    let client_key = hmac::sign(&key, b"Client Key");
    let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, stored_key.as_ref()), auth_message);
    let server_key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, b"Server Key").as_ref());
    ScramProven {
        proof: masked(&bytes32(client_key.as_ref()), signature.as_ref()),
        signature: bytes32(hmac::sign(&server_key, auth_message).as_ref()),
    }
}

/// SaltedPassword (RFC 5802 §3), ready to be a key.
fn salted_password(password: &str, salt: &[u8], rounds: NonZeroU32) -> hmac::Key {
    let mut salted = Zeroizing::new([0; 32]);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, password.as_bytes(), salted.as_mut());
    hmac::Key::new(hmac::HMAC_SHA256, salted.as_ref())
}

/// `bytes` XOR `mask`.
fn masked(bytes: &[u8; 32], mask: &[u8]) -> [u8; 32] {
    let mut out = *bytes;
    for (byte, mask) in out.iter_mut().zip(mask) {
        *byte ^= mask;
    }
    out
}

/// The 32 bytes of a SHA-256 value.
pub(super) fn bytes32(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(bytes) {
        *to = *from;
    }
    out
}

/// The form of a password that is hashed: SASLprep (RFC 4013, asked for by RFC 4616 §2 and RFC 5802 §2.2), so that
/// the same Japanese password typed on two systems is one password. What SASLprep refuses (emoji: it knows Unicode
/// 3.2 only) is taken as it came, as clients do.
pub(crate) fn prepared(password: &str) -> Zeroizing<String> {
    Zeroizing::new(stringprep::saslprep(password).map_or_else(|_| password.to_owned(), Cow::into_owned))
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};

    use super::*;

    const AUTH_MESSAGE: &str = "n=user,r=rOprNGfwEbeRWgbNEkqO,\
        r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
        c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

    /// RFC 7677 §3: user "user", password "pencil".
    #[test]
    fn keys_check_the_exchange_of_the_rfc() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let keys = ScramKeys::derive("pencil", salt, 4_096);
        let proof = STANDARD.decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").unwrap();
        let proof: [u8; 32] = proof.try_into().unwrap();
        let signature = keys.check(AUTH_MESSAGE.as_bytes(), &proof).unwrap();
        assert_eq!(STANDARD.encode(signature), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        for bit in 0..256 {
            let mut wrong = proof;
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(keys.check(AUTH_MESSAGE.as_bytes(), &wrong), None);
        }
        assert_eq!(keys.check(b"something else", &proof), None);
    }

    /// The same exchange from the client's side.
    #[test]
    fn the_proof_is_that_of_the_rfc() {
        let secret = |text: &str| proto::Secret::new(text.to_owned());
        let task = ProofTask {
            password: secret("pencil"),
            salt: STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap(),
            iterations: 4_096,
            auth_message: secret(AUTH_MESSAGE),
        };
        let ScramProven { proof, signature } = prove(&task);
        assert_eq!(STANDARD.encode(proof), "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        assert_eq!(STANDARD.encode(signature), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        // The same password, typed on another system.
        let task = ProofTask {
            password: secret("ｐｅｎｃｉｌ"),
            salt: task.salt.clone(),
            auth_message: task.auth_message.clone(),
            iterations: 4_096,
        };
        assert_eq!(prove(&task).proof, proof);
    }

    #[test]
    fn preparation_folds_width_and_composition() {
        assert_eq!(*prepared("ＡＢＣ１２３"), "ABC123");
        assert_eq!(*prepared("ﾊﾟｽﾜｰﾄﾞ"), "パスワード");
        assert_eq!(*prepared("e\u{301}"), "é");
        // RFC 4013 §3: the soft hyphen maps to nothing, a foreign blank to a blank.
        assert_eq!(*prepared("I\u{ad}X"), "IX");
        assert_eq!(*prepared("a\u{3000}b"), "a b");
    }

    #[test]
    fn what_saslprep_refuses_stays_as_it_came() {
        for password in ["手紙🐟", "bell\u{7}"] {
            assert_eq!(*prepared(password), password);
        }
    }
}
