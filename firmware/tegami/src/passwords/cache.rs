//! Which log-ins have been checked since the box was started: right ones, so that twenty telephones that come back
//! after a power cut cost twenty hashes and not two hundred, and wrong ones, so that a telephone with an old
//! password costs one.
//!
//! A log-in is remembered as a MAC of account, stored secret and password under a key that lives in this process
//! only. A new password changes the stored secret, so all that was remembered of the old one means nothing at once.

use std::collections::HashMap;

use mail::AccountId;
use ring::{hmac, rand::SecureRandom};

use super::hashing::CannotHash;
use super::limits::{VERIFIED_MAX, WRONG_MAX};

/// One log-in, as the cache knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LoginMac([u8; 32]);

/// Whose log-in it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who<'a> {
    /// An account.
    Account(AccountId),
    /// The administrator's page.
    Administrator,
    /// A name that nobody has, as it was given.
    Nobody(&'a str),
}

/// What is known of log-ins checked before.
pub(crate) struct Checked {
    key: hmac::Key,
    right: Recent,
    wrong: Recent,
}

impl Checked {
    /// Knows nothing yet; draws its key.
    ///
    /// # Errors
    /// No randomness.
    pub(crate) fn new(random: &dyn SecureRandom) -> Result<Self, CannotHash> {
        let mut key = zeroize::Zeroizing::new([0; 32]);
        random.fill(key.as_mut()).map_err(|_| CannotHash)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_ref());
        Ok(Self { key, right: Recent::new(VERIFIED_MAX), wrong: Recent::new(WRONG_MAX) })
    }

    /// The name under which a log-in is remembered. `stored` is the secret as the store has it.
    pub(crate) fn mac(&self, who: Who<'_>, stored: &[u8], password: &str) -> LoginMac {
        let mut context = hmac::Context::with_key(&self.key);
        self.feed_who(&mut context, who);
        // Lengths keep the fields apart.
        context.update(&(stored.len() as u64).to_be_bytes());
        context.update(stored);
        context.update(password.as_bytes());
        sealed(context)
    }

    /// The name under which the attempts on somebody are counted, whatever the password.
    pub(crate) fn name(&self, who: Who<'_>) -> LoginMac {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(b"name");
        self.feed_who(&mut context, who);
        sealed(context)
    }

    fn feed_who(&self, context: &mut hmac::Context, who: Who<'_>) {
        match who {
            Who::Account(account) => {
                context.update(&[0]);
                context.update(&account.0.to_be_bytes());
            }
            Who::Administrator => context.update(&[1]),
            Who::Nobody(name) => {
                context.update(&[2]);
                context.update(&(name.len() as u64).to_be_bytes());
                context.update(name.to_ascii_lowercase().as_bytes());
            }
        }
    }

    /// Whether this log-in was checked before, and how it ended.
    pub(crate) fn known(&mut self, mac: LoginMac) -> Option<bool> {
        if self.right.touch(mac) {
            Some(true)
        } else if self.wrong.touch(mac) {
            Some(false)
        } else {
            None
        }
    }

    /// Remembers how a log-in ended.
    pub(crate) fn remember(&mut self, mac: LoginMac, right: bool) {
        if right { self.right.insert(mac) } else { self.wrong.insert(mac) }
    }
}

fn sealed(context: hmac::Context) -> LoginMac {
    let mut mac = [0; 32];
    for (to, from) in mac.iter_mut().zip(context.sign().as_ref()) {
        *to = *from;
    }
    LoginMac(mac)
}

/// The last so many log-ins: what has not been asked for longest makes room.
struct Recent {
    used: HashMap<LoginMac, u64>,
    clock: u64,
    max: usize,
}

impl Recent {
    fn new(max: usize) -> Self {
        Self { used: HashMap::new(), clock: 0, max }
    }

    fn touch(&mut self, mac: LoginMac) -> bool {
        self.clock += 1;
        self.used.get_mut(&mac).map(|used| *used = self.clock).is_some()
    }

    fn insert(&mut self, mac: LoginMac) {
        self.clock += 1;
        if self.used.len() >= self.max && !self.used.contains_key(&mac) {
            // A scan of a thousand words costs less than a thousandth of the hash that led here.
            if let Some(oldest) = self.used.iter().min_by_key(|(_, used)| **used).map(|(mac, _)| *mac) {
                self.used.remove(&oldest);
            }
        }
        self.used.insert(mac, self.clock);
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;

    const ALICE: Who<'_> = Who::Account(AccountId(1));

    fn checked() -> Checked {
        Checked::new(&SystemRandom::new()).unwrap()
    }

    #[test]
    fn a_log_in_is_known_until_the_secret_changes() {
        let mut checked = checked();
        let mac = checked.mac(ALICE, b"old", "pencil");
        assert_eq!(checked.known(mac), None);
        checked.remember(mac, true);
        assert_eq!(checked.known(mac), Some(true));
        let changed = checked.mac(ALICE, b"new", "pencil");
        assert_eq!(checked.known(changed), None);
    }

    #[test]
    fn every_part_of_a_log_in_counts() {
        let checked = checked();
        let macs = [
            checked.mac(ALICE, b"s", "pencil"),
            checked.mac(Who::Account(AccountId(2)), b"s", "pencil"),
            checked.mac(Who::Administrator, b"s", "pencil"),
            checked.mac(Who::Nobody("alice"), b"s", "pencil"),
            checked.mac(Who::Nobody("alic"), b"s", "pencil"),
            checked.mac(ALICE, b"sp", "encil"),
            checked.mac(ALICE, b"s", "Pencil"),
            checked.mac(ALICE, b"", "pencil"),
            checked.name(ALICE),
            checked.name(Who::Nobody("alice")),
        ];
        for (i, a) in macs.iter().enumerate() {
            assert!(macs.iter().skip(i + 1).all(|b| a != b), "{i}");
        }
        assert_eq!(checked.name(Who::Nobody("ALICE")), checked.name(Who::Nobody("alice")));
    }

    #[test]
    fn another_boot_has_another_key() {
        assert_ne!(checked().mac(ALICE, b"s", "pencil"), checked().mac(ALICE, b"s", "pencil"));
    }

    #[test]
    fn what_is_used_least_makes_room() {
        let mut recent = Recent::new(2);
        let mac = |byte| LoginMac([byte; 32]);
        recent.insert(mac(1));
        recent.insert(mac(2));
        assert!(recent.touch(mac(1)));
        recent.insert(mac(3));
        assert!(recent.touch(mac(1)) && !recent.touch(mac(2)) && recent.touch(mac(3)));
        assert_eq!(recent.used.len(), 2);
    }
}
