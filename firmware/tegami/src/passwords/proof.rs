//! Log-ins by proof (SCRAM, RFC 5802): the client shows that it knows the password without sending it. What is checked
//! costs a few MACs and no hash, so it happens in place; and the cache of checked passwords has no part in it: no two
//! proofs are alike, so a telephone with an old password counts at every attempt.

use std::net::IpAddr;

use base64::{Engine, engine::general_purpose::STANDARD};
use mail::AccountId;
use proto::{
    LoginRefusal,
    sasl::{ScramAccepted, ScramChallenge, ScramProof},
};
use ring::rand::SecureRandom;

use super::cache::Who;
use super::limiter::{Origin, Outcome};
use super::limits::SERVER_NONCE_BYTES;
use super::scram::ScramKeys;
use super::{Accounts, Authenticator, PasswordSecret};

/// Who a log-in name means, as far as a proof can tell.
struct Claimant {
    account: Option<AccountId>,
    /// Its own keys; `None` for a name that nobody has and for an account without keys (no password, one that is still
    /// to be hashed, a hash made elsewhere).
    own: Option<ScramKeys>,
    /// What it is treated by if it has none.
    decoy: ScramKeys,
}

impl Claimant {
    fn keys(&self) -> &ScramKeys {
        self.own.as_ref().unwrap_or(&self.decoy)
    }
}

impl Authenticator {
    /// What a mail program needs to make a proof for this log-in name, whether anybody has it or not.
    ///
    /// # Errors
    /// [`LoginRefusal::Unavailable`]: no randomness.
    pub(crate) fn challenge(
        &self,
        accounts: &dyn Accounts,
        name: &str,
    ) -> Result<ScramChallenge, LoginRefusal> {
        let claimant = self.claimant(accounts, name);
        let keys = claimant.keys();
        let mut nonce = [0; SERVER_NONCE_BYTES];
        self.random.fill(&mut nonce).map_err(|_| LoginRefusal::Unavailable)?;
        let nonce = STANDARD.encode(nonce);
        Ok(ScramChallenge { salt: keys.salt.clone(), iterations: keys.iterations, nonce })
    }

    /// Checks the proof of a mail program at `ip`.
    ///
    /// # Errors
    /// [`LoginRefusal`]; the same limits as for passwords.
    pub(crate) fn check_proof(
        &self,
        accounts: &dyn Accounts,
        proof: &ScramProof,
        ip: IpAddr,
    ) -> Result<ScramAccepted, LoginRefusal> {
        let name = proof.name.expose();
        let claimant = self.claimant(accounts, name);
        let state = &mut *self.state.borrow_mut();
        let who = state.checked.name(claimant.account.map_or(Who::Nobody(name), Who::Account));
        let (from, now) = (Origin::from(ip), self.now());
        let admitted = state.limiter.admit(from, who, now);
        admitted.map_err(|retry_after_s| LoginRefusal::TooMany { retry_after_s })?;
        let signature = claimant.keys().check(proof.auth_message.expose().as_bytes(), &proof.proof);
        let accepted = match (claimant.account, claimant.own.is_some(), signature) {
            (Some(account), true, Some(signature)) => Ok(ScramAccepted { account, signature }),
            _ => Err(LoginRefusal::Credentials),
        };
        let outcome = if accepted.is_ok() { Outcome::Right } else { Outcome::Wrong };
        state.limiter.settle(from, who, now, outcome);
        accepted
    }

    /// The decoy is made for every name, so that those that exist take no less time.
    fn claimant(&self, accounts: &dyn Accounts, name: &str) -> Claimant {
        let decoy = self.decoys.keys(name, &accounts.domains());
        let found = accounts.find_login(name);
        let secret = found.as_ref().and_then(|(_, stored)| PasswordSecret::decode(stored));
        Claimant {
            account: found.map(|(account, _)| account),
            own: secret.and_then(|secret| secret.scram.clone()),
            decoy,
        }
    }
}

#[cfg(test)]
#[path = "proof_tests.rs"]
mod tests;
