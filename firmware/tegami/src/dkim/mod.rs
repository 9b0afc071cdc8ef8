//! The keys with which letters of the own domains are signed (DKIM: RFC 6376, RFC 8463), and the DNS records that let
//! others verify them. What is signed, and how, is in [`proto::dkim`].
//!
//! A domain has a [`Pair`] of keys, because many verifiers know RSA alone and the others are better served with Ed25519.
//! A pair has a name that says when it was made (`t202611`); its selectors are that name with an `r` and an `e` behind
//! it. Keys are one setting for each domain and change in these steps, each of them one change of that setting:
//!
//! 1. **Made.** A box that serves makes the first pair of a domain by itself, and signs with it from then on. Until its
//!    records are published a signature counts as none (RFC 6376 §6.1): nothing is lost, and nobody has to tell the box.
//! 2. **Announced.** `--rotate` makes a second pair. Letters are signed with the first one still: a new key that others
//!    do not find in the DNS would make letters worse than they were.
//! 3. **Used.** `--use NAME`, given by whoever has published the records, makes the second pair the one that signs. The
//!    old private keys are dropped with the same change: nothing signs with them any more.
//! 4. **Retired.** Letters signed with the old pair are still on their way. Its records stay in the DNS for
//!    [`limits::FORMER_DAYS`] more days; until the next rotation it is remembered which ones they are.
//!
//! Nothing of that hurries: a pair may be announced for years, and one that signs does not expire. Whoever fears that a
//! key is in other hands takes all steps at once, and its records out of the DNS.

mod keys;
mod limits;
mod pair;
mod record;
mod sign;
mod tend;

#[cfg(test)]
mod tests;

pub(crate) use keys::{DomainKeys, Former, new_name};
pub(crate) use limits::{DOMAINS_MAX, FORMER_DAYS};
pub(crate) use pair::Pair;
pub(crate) use record::{Record, records};
pub(crate) use sign::{Signers, sha256};
pub(crate) use tend::keep;
