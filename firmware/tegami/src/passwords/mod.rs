//! Passwords: making and keeping them, checking log-ins, refusing guesses.
//!
//! Owns the hashing thread and what is remembered of log-ins; asks for accounts through [`Accounts`] and knows no
//! protocol. A log-in goes through, in this order: what is known as wrong (answered at once, not counted again),
//! the same log-in being checked for somebody else at the same address (waited for), the limiter, what is known as
//! right, and only then the hash. A log-in by proof (SCRAM) costs no hash and goes through the limiter alone.

mod cache;
mod decoys;
mod hashing;
mod limiter;
mod limits;
mod proof;
mod scram;
mod secret;
mod worker;

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use mail::{AccountId, Ticks};
use proto::{Login, LoginRefusal, Secret};
use ring::rand::SystemRandom;
use tokio::sync::oneshot;
use tokio::time::Instant;

use cache::{Checked, LoginMac, Who};
use limiter::{Limiter, Origin, Outcome};

pub(crate) use decoys::Decoys;
pub(crate) use hashing::{CannotHash, PhcProblem, check_phc};
pub(crate) use limits::{PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN};
pub(crate) use scram::prove;
pub(crate) use secret::PasswordSecret;
pub(crate) use worker::Hasher;

/// Where accounts and their secrets are found. Calls return at once.
pub(crate) trait Accounts {
    /// The account that a log-in name means, with its secret as stored; see [`PasswordSecret`].
    fn find_login(&self, name: &str) -> Option<(AccountId, Vec<u8>)>;

    /// The domains in which accounts are, in lower case.
    fn domains(&self) -> Vec<String>;

    /// The administrator's secret as stored; `None` while there is none.
    fn administrator(&self) -> Option<Vec<u8>>;
}

/// Checks log-ins for all services.
pub(crate) struct Authenticator {
    hasher: Hasher,
    decoys: Decoys,
    random: SystemRandom,
    state: RefCell<State>,
    started: Instant,
}

type Verdict = Result<(), LoginRefusal>;

/// What changes from one log-in to the next. Never borrowed across an await.
struct State {
    checked: Checked,
    limiter: Limiter,
    /// Log-ins being hashed, with those who wait for the same answer.
    in_flight: HashMap<(Origin, LoginMac), Vec<oneshot::Sender<Verdict>>>,
}

/// One attempt: what it is called in each table.
#[derive(Clone, Copy)]
struct Attempt {
    from: Origin,
    who: LoginMac,
    login: LoginMac,
}

/// What is to be done with an attempt.
enum Step {
    Decided(Verdict),
    Follow(oneshot::Receiver<Verdict>),
    Hash,
}

impl Authenticator {
    /// Starts with nothing remembered.
    ///
    /// # Errors
    /// [`CannotHash`]: no randomness.
    pub(crate) fn new(hasher: Hasher, decoys: Decoys) -> Result<Self, CannotHash> {
        let random = SystemRandom::new();
        let checked = Checked::new(&random)?;
        let state = RefCell::new(State { checked, limiter: Limiter::default(), in_flight: HashMap::new() });
        Ok(Self { hasher, decoys, random, state, started: Instant::now() })
    }

    /// The thread that hashes.
    pub(crate) const fn hasher(&self) -> &Hasher {
        &self.hasher
    }

    /// Checks a log-in of a mail program at `ip`.
    ///
    /// # Errors
    /// [`LoginRefusal`].
    pub(crate) async fn check(
        &self,
        accounts: &dyn Accounts,
        login: &Login,
        ip: IpAddr,
    ) -> Result<AccountId, LoginRefusal> {
        let name = login.name.expose();
        match accounts.find_login(name) {
            Some((account, stored)) => {
                self.decide(Who::Account(account), &stored, &login.password, ip).await.map(|()| account)
            }
            None => {
                self.decide(Who::Nobody(name), &[], &login.password, ip).await?;
                Err(LoginRefusal::Credentials)
            }
        }
    }

    /// Checks the administrator's password, given at `ip`.
    ///
    /// # Errors
    /// [`LoginRefusal`].
    #[cfg_attr(not(test), expect(dead_code, reason = "the administrator's page is the next to ask for it"))]
    pub(crate) async fn check_administrator(
        &self,
        accounts: &dyn Accounts,
        password: &Secret,
        ip: IpAddr,
    ) -> Verdict {
        let stored = accounts.administrator().unwrap_or_default();
        self.decide(Who::Administrator, &stored, password, ip).await
    }

    /// Says that `password` is right for `account` as long as its stored secret is `stored`; to be called when a
    /// password is set. With an empty `stored` the account can log in before its hash is made.
    pub(crate) fn vouch(&self, account: AccountId, stored: &[u8], password: &Secret) {
        let mut state = self.state.borrow_mut();
        let mac = state.checked.mac(Who::Account(account), stored, password.expose());
        state.checked.remember(mac, true);
    }

    fn now(&self) -> Ticks {
        Ticks(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    async fn decide(&self, who: Who<'_>, stored: &[u8], password: &Secret, ip: IpAddr) -> Verdict {
        if password.expose().len() > PASSWORD_BYTES_MAX {
            return Err(LoginRefusal::Credentials);
        }
        let attempt = self.state.borrow().attempt(who, stored, password, ip);
        loop {
            let step = self.state.borrow_mut().next_step(attempt, self.now());
            match step {
                Step::Decided(verdict) => return verdict,
                Step::Hash => break,
                Step::Follow(answer) => {
                    if let Ok(verdict) = answer.await {
                        return verdict;
                    }
                    // Whoever was being served has hung up: this one leads now.
                }
            }
        }
        let lead = Lead { state: &self.state, attempt };
        // Whoever has no password, or none that can be read, takes as long as whoever has one.
        let phc = PasswordSecret::decode(stored).map(|secret| secret.phc.clone());
        let exists = phc.is_some();
        let phc = phc.unwrap_or_else(|| hashing::DUMMY_PHC.to_owned());
        let matched = self.hasher.verify(phc, Arc::new(password.clone())).await;
        lead.finish(matched.map(|matched| matched && exists), self.now())
    }
}

impl State {
    fn attempt(&self, who: Who<'_>, stored: &[u8], password: &Secret, ip: IpAddr) -> Attempt {
        Attempt {
            from: Origin::from(ip),
            who: self.checked.name(who),
            login: self.checked.mac(who, stored, password.expose()),
        }
    }

    fn next_step(&mut self, attempt: Attempt, now: Ticks) -> Step {
        let Attempt { from, who, login } = attempt;
        if let Some(followers) = self.in_flight.get_mut(&(from, login)) {
            let (reply, answer) = oneshot::channel();
            followers.push(reply);
            return Step::Follow(answer);
        }
        let known = self.checked.known(login);
        if known == Some(false) {
            return Step::Decided(Err(LoginRefusal::Credentials));
        }
        if let Err(retry_after_s) = self.limiter.admit(from, who, now) {
            return Step::Decided(Err(LoginRefusal::TooMany { retry_after_s }));
        }
        // What is right is asked for only behind the limiter: otherwise it would tell guesses at full speed.
        if known == Some(true) {
            self.limiter.settle(from, who, now, Outcome::Right);
            return Step::Decided(Ok(()));
        }
        self.in_flight.insert((from, login), Vec::new());
        Step::Hash
    }

    fn settle(&mut self, attempt: Attempt, matched: Result<bool, CannotHash>, now: Ticks) -> Verdict {
        let (outcome, verdict) = match matched {
            Ok(true) => (Outcome::Right, Ok(())),
            Ok(false) => (Outcome::Wrong, Err(LoginRefusal::Credentials)),
            Err(CannotHash) => (Outcome::Unseen, Err(LoginRefusal::Unavailable)),
        };
        if let Ok(right) = matched {
            self.checked.remember(attempt.login, right);
        }
        self.limiter.settle(attempt.from, attempt.who, now, outcome);
        verdict
    }
}

/// The attempt that is being hashed. Dropped before it has finished (the client hung up), it lets go of those who
/// wait for it; the attempt stays charged.
struct Lead<'a> {
    state: &'a RefCell<State>,
    attempt: Attempt,
}

impl Lead<'_> {
    fn finish(self, matched: Result<bool, CannotHash>, now: Ticks) -> Verdict {
        let mut state = self.state.borrow_mut();
        let verdict = state.settle(self.attempt, matched, now);
        let followers = state.in_flight.remove(&(self.attempt.from, self.attempt.login));
        for follower in followers.into_iter().flatten() {
            // One that has gone does not need the answer.
            let _ = follower.send(verdict);
        }
        drop(state);
        verdict
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        self.state.borrow_mut().in_flight.remove(&(self.attempt.from, self.attempt.login));
    }
}

#[cfg(test)]
mod tests;
