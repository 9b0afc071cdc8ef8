//! What makes proofs of SCRAM-SHA-256 for tests, by the formulas of RFC 5802 §3.

use core::{array, num::NonZeroU32};

use ring::{digest, hmac, pbkdf2};

use crate::sasl::{ProofTask, ScramProven};

/// ClientProof and ServerSignature.
pub(crate) fn prove(task: &ProofTask) -> ScramProven {
    let auth_message = task.auth_message.expose();
    let mut salted = [0; 32];
    let rounds = NonZeroU32::new(task.iterations).unwrap();
    let password = task.password.expose().as_bytes();
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &task.salt, password, &mut salted);
    let client_key = mac(&salted, "Client Key");
    let stored_key: [u8; 32] = digest::digest(&digest::SHA256, &client_key).as_ref().try_into().unwrap();
    let client_signature = mac(&stored_key, auth_message);
    let proof = array::from_fn(|index| client_key[index] ^ client_signature[index]);
    ScramProven { proof, signature: mac(&mac(&salted, "Server Key"), auth_message) }
}

fn mac(key: &[u8], message: &str) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, message.as_bytes()).as_ref().try_into().unwrap()
}
