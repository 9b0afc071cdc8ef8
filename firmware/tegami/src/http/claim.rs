//! Claiming: the code that the console shows, and the form that makes domain, administrator and first account.
//!
//! Pure but for [`carry_out`]: time is an argument, the form is checked before anything is hashed.

use std::time::{Duration, Instant};

use mail::{Address, Refusal};
use proto::Secret;
use ring::rand::SecureRandom;

use super::form::Form;
use super::guard::same;
use super::limits::{CODE_PAUSE, CODE_PAUSE_MAX, CODE_TRIES};
use super::view::Missing;
use crate::language::Text;
use crate::passwords::{Authenticator, CannotHash, PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN};
use crate::provision::{Change, Keeper, domain_name, key};

/// Digits of base32 (RFC 4648 §6): none of them is a zero, a one or an eight.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Length of the code: 50 bits.
const CODE_CHARS: u32 = 10;

/// The code that proves that somebody sees the box's console or card. New at each start.
pub(super) struct Code {
    code: String,
    wrong: u32,
    pause: Duration,
    not_before: Option<Instant>,
}

/// Why a code was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CodeRefusal {
    /// Another one is right.
    Wrong,
    /// Too many were wrong; so many seconds are to pass.
    Pause(u64),
}

impl Code {
    /// Draws a code; `None` without randomness.
    pub(super) fn new(random: &dyn SecureRandom) -> Option<Self> {
        let mut bytes = [0; 8];
        random.fill(&mut bytes).ok()?;
        let number = u64::from_be_bytes(bytes);
        let digit = |place: u32| ALPHABET.get((number >> (5 * place)) as usize % 32).copied().map(char::from);
        let code = (0..CODE_CHARS).map(digit).collect::<Option<String>>()?;
        Some(Self { code, wrong: 0, pause: CODE_PAUSE, not_before: None })
    }

    /// As the console shows it.
    pub(super) fn text(&self) -> &str {
        &self.code
    }

    /// Tries what somebody typed. Case, blanks and hyphens do not count, and what looks like a letter is one.
    pub(super) fn check(&mut self, typed: &str, now: Instant) -> Result<(), CodeRefusal> {
        if let Some(wait) =
            self.not_before.and_then(|then| then.checked_duration_since(now)).filter(|w| !w.is_zero())
        {
            return Err(CodeRefusal::Pause(wait.as_secs() + 1));
        }
        let typed: String = typed
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '-')
            .map(|c| match c.to_ascii_uppercase() {
                '0' => 'O',
                '1' => 'I',
                '8' => 'B',
                c => c,
            })
            .collect();
        if same(typed.as_bytes(), self.code.as_bytes()) {
            return Ok(());
        }
        self.wrong += 1;
        if self.wrong.is_multiple_of(CODE_TRIES) {
            self.not_before = Some(now + self.pause);
            self.pause = (self.pause * 2).min(CODE_PAUSE_MAX);
        }
        Err(CodeRefusal::Wrong)
    }
}

/// What is wrong with one field, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FieldError {
    pub(super) field: Field,
    pub(super) text: Text,
}

/// The fields of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Code,
    Domain,
    Administrator,
    AdministratorAgain,
    Account,
    Password,
    PasswordAgain,
}

impl Field {
    /// Its name in the form.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Domain => "domain",
            Self::Administrator => "admin_password",
            Self::AdministratorAgain => "admin_password_again",
            Self::Account => "account",
            Self::Password => "password",
            Self::PasswordAgain => "password_again",
        }
    }
}

/// What is to be made. Each part only where it is missing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) domain: Option<String>,
    pub(super) administrator: Option<Secret>,
    pub(super) account: Option<(Address, Secret)>,
}

/// Reads the form. `domains` are those that the box has.
pub(super) fn order(form: &Form, missing: Missing, domains: &[String]) -> Result<Order, Vec<FieldError>> {
    let mut errors = Vec::new();
    let mut order = Order::default();
    if missing.domain {
        order.domain = take(&mut errors, Field::Domain, domain(form.get(Field::Domain.name())));
    }
    if missing.administrator {
        let password = twice(form, Field::Administrator, Field::AdministratorAgain);
        order.administrator = collect(&mut errors, password);
    }
    if missing.account {
        let known = if missing.domain { order.domain.as_slice() } else { domains };
        let address = take(&mut errors, Field::Account, account(form.get(Field::Account.name()), known));
        let password = collect(&mut errors, twice(form, Field::Password, Field::PasswordAgain));
        order.account = address.zip(password);
    }
    if errors.is_empty() { Ok(order) } else { Err(errors) }
}

fn take<T>(errors: &mut Vec<FieldError>, field: Field, result: Result<T, Text>) -> Option<T> {
    collect(errors, result.map_err(|text| FieldError { field, text }))
}

fn collect<T>(errors: &mut Vec<FieldError>, result: Result<T, FieldError>) -> Option<T> {
    result.map_err(|error| errors.push(error)).ok()
}

/// A domain of the Internet or of an office: two labels at least.
fn domain(typed: &str) -> Result<String, Text> {
    let typed = typed.trim().trim_start_matches('@');
    let name = domain_name(typed).map_err(|_| Text::ClaimDomainWanted)?;
    if name.contains('.') { Ok(name) } else { Err(Text::ClaimDomainWanted) }
}

/// The name before the @ where there is one domain, or the whole address.
fn account(typed: &str, domains: &[String]) -> Result<Address, Text> {
    let typed = typed.trim();
    let whole = match (typed.contains('@'), domains) {
        (false, [only]) => format!("{typed}@{only}"),
        // The domain itself is wrong: only that is to be said.
        (_, []) => format!("{}@domain.invalid", typed.split('@').next().unwrap_or_default()),
        _ => typed.to_owned(),
    };
    let address = Address::parse(&whole).map_err(|error| match error {
        mail::AddressError::TooLong => Text::ClaimAccountLong,
        mail::AddressError::Incomplete => Text::ClaimAccountWanted,
        mail::AddressError::Character => Text::ClaimAccountCharacter,
    })?;
    let ours =
        domains.is_empty() || domains.iter().any(|domain| address.domain().eq_ignore_ascii_case(domain));
    if ours { Ok(address) } else { Err(Text::ClaimAccountDomain) }
}

fn twice(form: &Form, field: Field, again: Field) -> Result<Secret, FieldError> {
    let password = form.secret(field.name());
    let text = password.expose();
    let wrong = if text.chars().count() < PASSWORD_CHARS_MIN {
        Some((field, Text::ClaimPasswordShort))
    } else if text.len() > PASSWORD_BYTES_MAX || text.chars().any(char::is_control) {
        Some((field, Text::ClaimPasswordLong))
    } else if password != form.secret(again.name()) {
        Some((again, Text::ClaimPasswordAgain))
    } else {
        None
    };
    match wrong {
        Some((field, text)) => Err(FieldError { field, text }),
        None => Ok(password),
    }
}

/// Why a claim that was in order was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// A password could not be hashed.
    Hash,
    /// The store did not take it.
    Store(Refusal),
}

impl From<CannotHash> for Failure {
    fn from(CannotHash: CannotHash) -> Self {
        Self::Hash
    }
}

/// Hashes the passwords and makes all at once; the administrator last, so that a power cut leaves something to claim.
pub(super) async fn carry_out(
    order: Order,
    keeper: &dyn Keeper,
    authenticator: &Authenticator,
) -> Result<(), Failure> {
    let hasher = authenticator.hasher();
    let mut changes: Vec<Change> = order.domain.into_iter().map(Change::Domain).collect();
    let mut vouched = None;
    if let Some((address, password)) = order.account {
        let stored = hasher.make(password.clone()).await?.encode();
        let secret = Some(stored.clone());
        changes.push(Change::Account { address: Box::new(address.clone()), secret, quota: None });
        vouched = Some((address, stored, password));
    }
    if let Some(password) = order.administrator {
        changes.push(Change::set(key::ADMINISTRATOR, hasher.make(password).await?.encode()));
    }
    keeper.carry_out(changes).await.map_err(Failure::Store)?;
    if let Some((address, stored, password)) = vouched
        && let Some((account, _)) = keeper.account(&address)
    {
        // The telephone that is set up next logs in without a hash.
        authenticator.vouch(account, &stored, &password);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
