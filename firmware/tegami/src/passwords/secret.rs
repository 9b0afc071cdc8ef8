//! What is kept of a password: the argon2id hash for PLAIN and LOGIN, the SCRAM-SHA-256 keys beside it, and the
//! versioned bytes in which both rest in the store.

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::limits::SCRAM_ITERATIONS;
use super::scram::ScramKeys;

/// First byte of the stored form. A later form gets the next number; unknown ones read as no password at all.
const VERSION: u8 = 1;

/// A password as it rests. Nothing in it gives the password back, but it lets one try passwords: keep it in.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub(crate) struct PasswordSecret {
    /// argon2id in PHC form, `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.
    pub(crate) phc: String,
    /// Absent where only a hash made elsewhere is known.
    pub(crate) scram: Option<ScramKeys>,
}

/// The stored form, version 1.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct SecretV1 {
    phc: String,
    scram: Option<ScramV1>,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct ScramV1 {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: [u8; 32],
    server_key: [u8; 32],
}

impl PasswordSecret {
    /// A hash made elsewhere; see [`check_phc`](super::hashing::check_phc).
    pub(crate) fn foreign(phc: &str) -> Self {
        Self { phc: phc.to_owned(), scram: None }
    }

    /// The bytes for the store; empty only if memory is.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let scram = self.scram.as_ref().map(|keys| ScramV1 {
            iterations: keys.iterations,
            salt: keys.salt.clone(),
            stored_key: keys.stored_key,
            server_key: keys.server_key,
        });
        let form = SecretV1 { phc: self.phc.clone(), scram };
        postcard::to_extend(&form, vec![VERSION]).unwrap_or_default()
    }

    /// Reads what [`encode`](Self::encode) wrote. `None` for no password (no bytes), a newer version, damage.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (version, body) = bytes.split_first()?;
        if *version != VERSION {
            return None;
        }
        let mut form: SecretV1 = postcard::from_bytes(body).ok()?;
        let scram = form.scram.as_mut().map(|keys| ScramKeys {
            iterations: keys.iterations,
            salt: core::mem::take(&mut keys.salt),
            stored_key: keys.stored_key,
            server_key: keys.server_key,
        });
        Some(Self { phc: core::mem::take(&mut form.phc), scram })
    }

    /// Whether mail programs can log in with SCRAM by what is stored: there are keys, and their rounds are no more than
    /// clients bear, as those of an early build are.
    pub(crate) fn serves_scram(bytes: &[u8]) -> bool {
        Self::decode(bytes).is_some_and(|secret| {
            secret.scram.as_ref().is_some_and(|keys| keys.iterations <= SCRAM_ITERATIONS)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> PasswordSecret {
        PasswordSecret {
            phc: "$argon2id$v=19$m=7168,t=5,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaA".to_owned(),
            scram: Some(ScramKeys {
                iterations: 4_096,
                salt: vec![1, 2, 3],
                stored_key: [4; 32],
                server_key: [5; 32],
            }),
        }
    }

    #[test]
    fn what_is_stored_is_read_back() {
        for secret in [example(), PasswordSecret::foreign("$argon2id$x")] {
            assert!(PasswordSecret::decode(&secret.encode()) == Some(secret));
        }
    }

    #[test]
    fn keys_of_too_many_rounds_do_not_serve() {
        let with = |iterations| {
            let mut secret = example();
            secret.scram.as_mut().unwrap().iterations = iterations;
            PasswordSecret::serves_scram(&secret.encode())
        };
        assert!(with(SCRAM_ITERATIONS) && !with(SCRAM_ITERATIONS + 1));
        assert!(!PasswordSecret::serves_scram(&PasswordSecret::foreign("$argon2id$x").encode()));
        assert!(!PasswordSecret::serves_scram(&[]));
    }

    #[test]
    fn what_is_not_a_secret_reads_as_none() {
        let mut newer = example().encode();
        newer[0] = VERSION + 1;
        let cut = &example().encode()[..20];
        for bytes in [&[][..], &[VERSION][..], &newer, cut] {
            assert!(PasswordSecret::decode(bytes).is_none());
        }
    }
}
