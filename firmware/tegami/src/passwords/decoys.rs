//! Keys for those who have none: a name that nobody has is challenged like any other, and only its proof is never right.
//! The salt of a name stays what it is, whatever happens to the box, as that of an account does until its password is
//! changed; so the key from which they are made is kept.

use ring::{hmac, rand::SecureRandom};
use zeroize::Zeroizing;

use super::hashing::CannotHash;
use super::limits::{DECOY_KEY_BYTES, SALT_BYTES, SCRAM_ITERATIONS};
use super::scram::{ScramKeys, bytes32};
use crate::provision::{Change, Records, key};

/// First byte of the stored key.
const VERSION: u8 = 1;

/// Makes keys for names.
pub(crate) struct Decoys {
    key: hmac::Key,
}

impl Decoys {
    /// Takes the key out of the settings, or draws one, which is to be stored then.
    ///
    /// # Errors
    /// No randomness.
    pub(crate) fn open(
        records: &(impl Records + ?Sized),
        random: &dyn SecureRandom,
    ) -> Result<(Self, Option<Change>), CannotHash> {
        if let Some(stored) = records.setting(key::DECOYS).map(Zeroizing::new)
            && let Some((&VERSION, key)) = stored.split_first()
            && key.len() == DECOY_KEY_BYTES
        {
            return Ok((Self::from_key(key), None));
        }
        let mut key = Zeroizing::new([0; DECOY_KEY_BYTES]);
        random.fill(key.as_mut()).map_err(|_| CannotHash)?;
        let stored = [&[VERSION], key.as_slice()].concat();
        Ok((Self::from_key(key.as_ref()), Some(Change::set(key::DECOYS, stored))))
    }

    /// With this key.
    pub(crate) fn from_key(key: &[u8]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    /// What an account of this log-in name could have, on a box with these domains.
    pub(super) fn keys(&self, name: &str, domains: &[String]) -> ScramKeys {
        let name = self.whole(name.to_ascii_lowercase(), domains);
        let salt = self.derive("salt", &name);
        ScramKeys {
            iterations: SCRAM_ITERATIONS,
            salt: salt.into_iter().take(SALT_BYTES).collect(),
            stored_key: self.derive("stored key", &name),
            server_key: self.derive("server key", &name),
        }
    }

    /// An account has one salt under both of its names, the whole address and the part before the `@`. So the part alone
    /// means an address in one of the domains, and which one cannot be foreseen.
    fn whole(&self, name: String, domains: &[String]) -> String {
        if name.contains('@') {
            return name;
        }
        let [a, b, c, d, ..] = self.derive("domain", &name);
        let choice = u32::from_be_bytes([a, b, c, d]) as usize;
        let domain = choice.checked_rem(domains.len()).and_then(|number| domains.get(number));
        domain.map_or_else(|| name.clone(), |domain| format!("{name}@{domain}"))
    }

    fn derive(&self, what: &str, name: &str) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(what.as_bytes());
        // Keeps the two apart; it is in neither.
        context.update(&[0]);
        context.update(name.as_bytes());
        bytes32(context.sign().as_ref())
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;
    use crate::provision::fake::Box_;

    fn domains(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_name_keeps_its_salt_across_restarts() {
        let it = Box_::default();
        let salt = |decoys: &Decoys| decoys.keys("nobody@example.test", &[]).salt.clone();
        let (first, change) = Decoys::open(&it, &SystemRandom::new()).unwrap();
        it.make(change.into_iter().collect());
        let (second, change) = Decoys::open(&it, &SystemRandom::new()).unwrap();
        assert_eq!(change, None);
        assert_eq!(salt(&first), salt(&second));
        for damaged in [vec![], vec![VERSION], vec![VERSION + 1; DECOY_KEY_BYTES + 1]] {
            it.make(vec![Change::set(key::DECOYS, damaged)]);
            let (other, change) = Decoys::open(&it, &SystemRandom::new()).unwrap();
            assert!(change.is_some() && salt(&other) != salt(&first));
        }
    }

    #[test]
    fn both_names_of_an_account_have_one_salt_and_others_have_others() {
        let decoys = Decoys::from_key(&[7; DECOY_KEY_BYTES]);
        let salt = |name: &str, domains: &[String]| decoys.keys(name, domains).salt.clone();
        let one = domains(&["example.test"]);
        assert_eq!(salt("nobody", &one), salt("Nobody@Example.test", &one));
        assert_ne!(salt("nobody", &one), salt("somebody", &one));
        assert_eq!(salt("nobody", &one).len(), SALT_BYTES);
        let two = domains(&["a.test", "b.test"]);
        let chosen = |name: &str| {
            two.iter().position(|domain| salt(name, &two) == salt(&format!("{name}@{domain}"), &two))
        };
        let names: Vec<String> = (0..64).map(|number| format!("name{number}")).collect();
        let in_first = names.iter().filter(|name| chosen(name).unwrap() == 0).count();
        assert!((8..56).contains(&in_first), "{in_first}");
        assert_eq!(salt("nobody", &[]), salt("nobody", &[]));
    }
}
