//! The client's side of SCRAM-SHA-256, written from the formulas of RFC 5802 §3 and sharing no line with the server.

use std::num::NonZeroU32;

use base64::{Engine, engine::general_purpose::STANDARD};
use proto::sasl::ScramChallenge;
use ring::{digest, hmac, pbkdf2};

/// ClientProof and ServerSignature for an AuthMessage.
pub(crate) fn proof_of(
    password: &str,
    salt: &[u8],
    iterations: u32,
    auth_message: &str,
) -> ([u8; 32], [u8; 32]) {
    let normalized = stringprep::saslprep(password).unwrap();
    let mut salted_password = [0; 32];
    let iterations = NonZeroU32::new(iterations).unwrap();
    let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
    pbkdf2::derive(algorithm, iterations, salt, normalized.as_bytes(), &mut salted_password);
    let client_key = mac(&salted_password, "Client Key");
    let stored_key: [u8; 32] = digest::digest(&digest::SHA256, &client_key).as_ref().try_into().unwrap();
    let client_signature = mac(&stored_key, auth_message);
    let server_key = mac(&salted_password, "Server Key");
    let proof = std::array::from_fn(|index| client_key[index] ^ client_signature[index]);
    (proof, mac(&server_key, auth_message))
}

fn mac(key: &[u8], message: &str) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, message.as_bytes()).as_ref().try_into().unwrap()
}

/// AuthMessage of an exchange without channel binding.
pub(crate) fn auth_message(name: &str, nonce: &str, challenge: &ScramChallenge) -> String {
    let ScramChallenge { salt, iterations, nonce: server_nonce } = challenge;
    let (salt, nonces) = (STANDARD.encode(salt), format!("{nonce}{server_nonce}"));
    format!("n={name},r={nonce},r={nonces},s={salt},i={iterations},c=biws,r={nonces}")
}

/// A client that is about to log in.
#[derive(Clone)]
pub(crate) struct Client {
    /// gs2-header: `n,,`, `p=tls-exporter,,` ...
    pub header: String,
    /// What it binds to, if it does.
    pub binding: Vec<u8>,
    /// As it stands in the message.
    pub name: String,
    pub password: String,
    pub nonce: String,
}

impl Client {
    /// One that does not bind.
    pub(crate) fn new(name: &str, password: &str) -> Self {
        Self {
            header: "n,,".to_owned(),
            binding: Vec::new(),
            name: name.to_owned(),
            password: password.to_owned(),
            nonce: "fyko+d2lbbFgONRv9qkxdawL".to_owned(),
        }
    }

    /// client-first-message, in base64.
    pub(crate) fn first(&self) -> String {
        STANDARD.encode(format!("{}{}", self.header, self.bare()))
    }

    fn bare(&self) -> String {
        format!("n={},r={}", self.name, self.nonce)
    }

    /// client-final-message for a server-first-message, and the server-final-message that must come back; all in
    /// base64.
    pub(crate) fn last(&self, server_first: &str) -> (String, String) {
        let server_first = String::from_utf8(STANDARD.decode(server_first).unwrap()).unwrap();
        let attribute = |name: &str| {
            server_first.split(',').find_map(|attribute| attribute.strip_prefix(name)).unwrap().to_owned()
        };
        let nonce = attribute("r=");
        assert!(nonce.starts_with(&self.nonce) && nonce.len() > self.nonce.len(), "{server_first}");
        let binding = STANDARD.encode([self.header.as_bytes(), &self.binding].concat());
        let without_proof = format!("c={binding},r={nonce}");
        let auth_message = format!("{},{server_first},{without_proof}", self.bare());
        let salt = STANDARD.decode(attribute("s=")).unwrap();
        let (proof, signature) =
            proof_of(&self.password, &salt, attribute("i=").parse().unwrap(), &auth_message);
        let last = format!("{without_proof},p={}", STANDARD.encode(proof));
        (STANDARD.encode(last), STANDARD.encode(format!("v={}", STANDARD.encode(signature))))
    }
}
