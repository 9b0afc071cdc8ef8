//! The Sender Rewriting Scheme (M. Weissbrodt and S. Wong: "SRS", 2004): under which reverse-path a letter goes on that
//! only passes through.
//!
//! SPF (RFC 7208) lets a domain say who may send with its name in MAIL, and whoever forwards a letter is not among them.
//! So the box puts a domain of its own there, and the sender into the local part, with the day and a hash that nobody
//! else can make: `SRS0=hash=day=domain=local@ours`. A report that comes back to that address goes on to the sender.
//! When the next one forwards it again, it names the first that did, which alone can tell who the sender is, and leaves
//! those in between out: `SRS1=hash=first==hash=day=domain=local@next`.
//!
//! Relays may change the case of letters on the way: it does not count here.

use std::fmt;

use mail::{Address, UnixTime, calendar::DAY_S};
use proto::smtp::Rewritten;
use ring::{error::Unspecified, hmac, rand::SecureRandom};
use zeroize::Zeroizing;

use super::limits::{SRS_DAYS, SRS_HASH_CHARS, SRS_KEY_BYTES};
use crate::provision::{Change, Records, key};

/// First byte of the stored key.
const VERSION: u8 = 1;

/// RFC 4648 §6.
const BASE32: [u8; 32] = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Stands between the parts.
const SEPARATOR: char = '=';

/// What others have behind the tag.
const SEPARATORS: [char; 3] = [SEPARATOR, '+', '-'];

/// Rewrites senders, and knows them again.
pub(crate) struct Rewriter {
    key: hmac::Key,
}

/// A local part that somebody has rewritten; with what follows the tag, separator included.
enum Tagged<'a> {
    /// By the first who forwarded the letter.
    Srs0(&'a str),
    /// By one behind it.
    Srs1(&'a str),
}

impl Rewriter {
    /// Takes the key out of the settings, or draws one, which is to be stored then: what comes back after weeks must be
    /// known again.
    ///
    /// # Errors
    /// No randomness.
    pub(crate) fn open(
        records: &(impl Records + ?Sized),
        random: &dyn SecureRandom,
    ) -> Result<(Self, Option<Change>), Unspecified> {
        if let Some(stored) = records.setting(key::SRS).map(Zeroizing::new)
            && let Some((&VERSION, key)) = stored.split_first()
            && key.len() == SRS_KEY_BYTES
        {
            return Ok((Self::from_key(key), None));
        }
        let mut key = Zeroizing::new([0; SRS_KEY_BYTES]);
        random.fill(key.as_mut())?;
        let stored = [&[VERSION], key.as_slice()].concat();
        Ok((Self::from_key(key.as_ref()), Some(Change::set(key::SRS, stored))))
    }

    fn from_key(key: &[u8]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    /// The address in `domain`, which is one of the box's, that stands for a sender elsewhere. `None` if there is none:
    /// it would be longer than RFC 5321 §4.5.3.1.1 lets a local part be, or the sender has characters that cannot stand
    /// in a part of one.
    pub(crate) fn forward(&self, sender: &Address, domain: &str, now: UnixTime) -> Option<Address> {
        let (local, host) = (sender.local(), sender.domain());
        if !local.chars().all(is_atext_or_dot) || !host.chars().all(is_name_char) {
            return None;
        }
        let rewritten = match Tagged::of(local) {
            Some(Tagged::Srs0(rest)) => self.chained(host, rest),
            Some(Tagged::Srs1(rest)) => match parts_of_chain(rest) {
                Some((_, first, rest)) => self.chained(first, rest),
                None => self.first(host, local, now),
            },
            None => self.first(host, local, now),
        };
        Address::parse(&format!("{rewritten}@{domain}")).ok()
    }

    /// Whom an address stands for that was made here, in the last [`SRS_DAYS`] days if it has a date.
    pub(crate) fn reverse(&self, address: &Address, now: UnixTime) -> Option<Address> {
        match Tagged::of(address.local())? {
            Tagged::Srs0(rest) => {
                let mut parts = rest.strip_prefix(SEPARATORS)?.splitn(4, SEPARATOR);
                let (hash, day) = (parts.next()?, parts.next()?);
                let (host, local) = (parts.next()?, parts.next()?);
                let is_ours = hash.eq_ignore_ascii_case(&self.hash(&[day, host, local]));
                (is_ours && is_valid(day, now)).then_some(())?;
                Address::parse(&format!("{local}@{host}")).ok()
            }
            Tagged::Srs1(rest) => {
                let (hash, first, rest) = parts_of_chain(rest)?;
                hash.eq_ignore_ascii_case(&self.hash(&[first, rest])).then_some(())?;
                Address::parse(&format!("SRS0{rest}@{first}")).ok()
            }
        }
    }

    fn first(&self, host: &str, local: &str, now: UnixTime) -> String {
        let day = day(now);
        format!("SRS0={}={day}={host}={local}", self.hash(&[&day, host, local]))
    }

    /// `rest` is what the first one wrote, behind its tag. It has the date.
    fn chained(&self, first: &str, rest: &str) -> String {
        format!("SRS1={}={first}={rest}", self.hash(&[first, rest]))
    }

    /// Of the two forms, each has another number of parts.
    fn hash(&self, parts: &[&str]) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        for part in parts {
            context.update(part.to_ascii_lowercase().as_bytes());
            // Keeps them apart; it is in none.
            context.update(&[0]);
        }
        let tag = context.sign();
        let digits = tag.as_ref().iter().map(|byte| base32(i64::from(*byte)));
        digits.take(SRS_HASH_CHARS).collect()
    }
}

impl Rewritten for Rewriter {
    fn sender(&self, address: &Address, now: UnixTime) -> Option<Address> {
        self.reverse(address, now)
    }
}

impl fmt::Debug for Rewriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key for senders")
    }
}

impl<'a> Tagged<'a> {
    fn of(local: &'a str) -> Option<Self> {
        let (tag, rest) = local.split_at_checked(4)?;
        rest.starts_with(SEPARATORS).then_some(())?;
        match tag.to_ascii_uppercase().as_str() {
            "SRS0" => Some(Self::Srs0(rest)),
            "SRS1" => Some(Self::Srs1(rest)),
            _ => None,
        }
    }
}

/// Divides what follows the tag of a chained address: hash, the first one's domain, and what follows that one's tag.
fn parts_of_chain(rest: &str) -> Option<(&str, &str, &str)> {
    let (hash, rest) = rest.strip_prefix(SEPARATORS)?.split_once(SEPARATOR)?;
    let (first, rest) = rest.split_once(SEPARATOR)?;
    (!first.is_empty() && rest.starts_with(SEPARATORS)).then_some((hash, first, rest))
}

fn day(now: UnixTime) -> String {
    let day = now.0.div_euclid(DAY_S);
    [base32(day.div_euclid(32)), base32(day)].into_iter().collect()
}

/// Whether a date is not too long ago. That of tomorrow is good as well: the clock may have been set.
fn is_valid(day_text: &str, now: UnixTime) -> bool {
    let age = |age: &i64| day(UnixTime(now.0.saturating_sub(age * DAY_S))).eq_ignore_ascii_case(day_text);
    (-1..=SRS_DAYS).any(|days| age(&days))
}

/// The last five bits.
fn base32(number: i64) -> char {
    let place = usize::try_from(number.rem_euclid(32)).unwrap_or_default();
    BASE32.get(place).copied().map_or('A', char::from)
}

/// RFC 5321 §4.1.2 `Atom`, RFC 6531 §3.3, and dots wherever they stand.
fn is_atext_or_dot(c: char) -> bool {
    c.is_ascii_alphanumeric() || !c.is_ascii() || "!#$%&'*+-/=?^_`{|}~.".contains(c)
}

/// A character of a domain name; none of an address literal.
const fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || !c.is_ascii() || matches!(c, '-' | '.')
}

#[cfg(test)]
#[path = "srs_tests.rs"]
mod tests;
