//! Tests of log-ins by proof, with a directory in memory. The whole way through the protocols is in `serve`'s tests.

use super::*;
use crate::{
    passwords::{
        Hasher, PasswordSecret,
        limits::SCRAM_ITERATIONS,
        tests::{Box_, OFFICE, block_on},
    },
    testing::scram::{auth_message, proof_of},
};

use mail::AccountId;
use proto::Secret;

impl Box_ {
    fn challenge(&self, name: &str) -> ScramChallenge {
        self.authenticator.challenge(&self.directory, name).unwrap()
    }

    fn check_proof(&self, proof: &ScramProof) -> Result<ScramAccepted, LoginRefusal> {
        self.authenticator.check_proof(&self.directory, proof, OFFICE)
    }

    /// A whole log-in.
    fn prove(&self, name: &str, password: &str) -> Result<AccountId, LoginRefusal> {
        self.check_proof(&proof(&self.challenge(name), name, password)).map(|accepted| accepted.account)
    }
}

fn proof(challenge: &ScramChallenge, name: &str, password: &str) -> ScramProof {
    let auth_message = auth_message(name, "client", challenge);
    ScramProof {
        name: Secret::new(name.to_owned()),
        proof: proof_of(password, &challenge.salt, challenge.iterations, &auth_message).0,
        auth_message: Secret::new(auth_message),
    }
}

#[test]
fn who_knows_the_password_can_prove_it() {
    block_on(async {
        let it = Box_::new().with_account("alice", "手紙 ﾊﾟｽ").await;
        // SASLprep makes one password of both forms.
        for password in ["手紙 ﾊﾟｽ", "手紙 パス"] {
            assert_eq!(it.prove("alice", password), Ok(AccountId(0)));
        }
        assert_eq!(it.prove("alice", "手紙"), Err(LoginRefusal::Credentials));
    });
}

#[test]
fn the_server_proves_that_it_has_the_keys() {
    block_on(async {
        let it = Box_::new().with_account("alice", "pencil").await;
        let challenge = it.challenge("alice");
        let proof = proof(&challenge, "alice", "pencil");
        let (_, signature) =
            proof_of("pencil", &challenge.salt, challenge.iterations, proof.auth_message.expose());
        assert_eq!(it.check_proof(&proof).unwrap().signature, signature);
    });
}

#[test]
fn nonces_are_new_and_printable() {
    let it = Box_::new();
    let (one, other) = (it.challenge("alice").nonce, it.challenge("alice").nonce);
    assert_ne!(one, other);
    assert!(one.len() == 24 && one.bytes().all(|byte| byte.is_ascii_graphic() && byte != b','), "{one}");
}

#[test]
fn wrong_proofs_are_counted_as_wrong_passwords_are() {
    block_on(async {
        let it = Box_::new().with_account("alice", "pencil").await;
        for name in ["alice", "nobody"] {
            let refused =
                (0..20).filter(|_| it.prove(name, "guess") != Err(LoginRefusal::Credentials)).count();
            assert!(refused >= 10, "{name}: {refused}");
            assert!(matches!(it.prove(name, "pencil"), Err(LoginRefusal::TooMany { retry_after_s: 1.. })));
            // Both ways in have one count.
            assert!(matches!(it.check(name, "pencil").await, Err(LoginRefusal::TooMany { .. })));
        }
    });
}

#[test]
fn right_proofs_are_not_counted() {
    block_on(async {
        let it = Box_::new().with_account("alice", "pencil").await;
        assert!((0..300).all(|_| it.prove("alice", "pencil") == Ok(AccountId(0))));
    });
}

/// What a stranger sees of names that nobody has, of accounts without keys, and of accounts.
#[test]
fn all_names_look_alike() {
    block_on(async {
        let it = Box_::new().with_account("alice", "pencil").await;
        let foreign = PasswordSecret::foreign("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$AAAA").encode();
        it.directory.accounts.borrow_mut().extend([("empty", Vec::new()), ("foreign", foreign)]);
        let mut salts = Vec::new();
        for name in ["alice", "empty", "foreign", "nobody", "nobody@elsewhere.test"] {
            let (one, other) = (it.challenge(name), it.challenge(name));
            assert_eq!((&one.salt, one.iterations, one.salt.len()), (&other.salt, SCRAM_ITERATIONS, 16));
            assert!(!salts.contains(&one.salt));
            salts.push(one.salt);
            assert_eq!(it.prove(name, "wrong"), Err(LoginRefusal::Credentials), "{name}");
        }
        assert_eq!(it.challenge("nobody").salt, it.challenge("nobody@example.test").salt);
        // Whose keys are not there cannot log in with the empty password either.
        assert_eq!(it.prove("empty", ""), Err(LoginRefusal::Credentials));
    });
}

#[test]
fn a_proof_made_with_the_old_password_is_wrong() {
    block_on(async {
        let it = Box_::new().with_account("alice", "old").await;
        let early = proof(&it.challenge("alice"), "alice", "old");
        let new = Hasher::start().unwrap().make(Secret::new("new".to_owned())).await.unwrap();
        it.directory.accounts.borrow_mut()[0].1 = new.encode();
        assert_eq!(it.check_proof(&early), Err(LoginRefusal::Credentials));
        assert_eq!(it.prove("alice", "new"), Ok(AccountId(0)));
    });
}
