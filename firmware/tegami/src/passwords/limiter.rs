//! Who may try a password now. Refuses before anything is hashed.
//!
//! Two counts. A *pair* of address and account: every different wrong password counts, and after a few each further
//! one has to wait, twice as long each time. An *address* as a whole: a budget for accounts that have not logged in
//! from it, so that one address cannot try a little on every account. What follows from that:
//! - Nobody is locked out by others: wrong attempts elsewhere never count for a pair.
//! - An office behind one router is many pairs. A pair that has logged in well spends nothing of the address's
//!   budget and is not asked for it, so a colleague's mistakes, or a stranger's, do not matter to it.
//! - A device that repeats one old password counts once: the caller knows that password as wrong and does not ask
//!   here again.
//!
//! An attempt is charged when it is admitted and given back when it ends well, so a thousand attempts at once are
//! not a thousand free ones.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};

use mail::Ticks;

use super::cache::LoginMac;
use super::limits::{
    ADDRESS_ATTEMPTS, ADDRESS_REFILL_MS, ADDRESSES_MAX, PAIR_ATTEMPTS_FREE, PAIR_ATTEMPTS_FREE_KNOWN,
    PAIR_DELAY_S_MAX, PAIR_DELAY_S_MAX_KNOWN, PAIR_FORGET_MS, PAIR_KNOWN_MS, PAIRS_MAX,
};

/// Where attempts come from: an IPv4 address, or the /64 that one IPv6 subscriber has at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin(IpAddr);

impl From<IpAddr> for Origin {
    fn from(ip: IpAddr) -> Self {
        Self(match ip.to_canonical() {
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            ip @ IpAddr::V4(_) => ip,
        })
    }
}

/// How an admitted attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The password was right.
    Right,
    /// It was wrong.
    Wrong,
    /// It was not looked at.
    Unseen,
}

/// The counts. Time is an argument.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    pairs: HashMap<(Origin, LoginMac), Pair>,
    addresses: HashMap<Origin, Budget>,
}

/// What is known of one account as tried from one address.
#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    /// Attempts charged and not given back.
    attempts: u32,
    /// No attempt is admitted before.
    not_before: Ticks,
    /// Last attempt.
    last: Ticks,
    /// Until when the address counts as one where the account logs in well.
    known_until: Ticks,
}

/// What an address may still spend. Refilled by time, kept as the moment at which it will be full.
#[derive(Clone, Copy, Debug, Default)]
struct Budget {
    full_at: Ticks,
}

impl Limiter {
    /// Asks for one attempt and charges it.
    ///
    /// # Errors
    /// Seconds, at least 1, after which to ask again.
    pub(crate) fn admit(&mut self, from: Origin, who: LoginMac, now: Ticks) -> Result<(), u32> {
        let mut pair = self.pairs.get(&(from, who)).copied().unwrap_or_default();
        pair.forget(now);
        if now < pair.not_before {
            return Err(seconds(now, pair.not_before));
        }
        let known = pair.is_known(now);
        if !known {
            self.spend(from, now)?;
        }
        pair.charge(known, now);
        make_room(&mut self.pairs, PAIRS_MAX, &(from, who), |pair| (pair.is_known(now), pair.last));
        self.pairs.insert((from, who), pair);
        Ok(())
    }

    /// Says how an admitted attempt ended.
    pub(crate) fn settle(&mut self, from: Origin, who: LoginMac, now: Ticks, outcome: Outcome) {
        let Some(pair) = self.pairs.get_mut(&(from, who)) else { return };
        let was_known = pair.is_known(now);
        match outcome {
            Outcome::Wrong => return,
            Outcome::Unseen => {
                pair.attempts = pair.attempts.saturating_sub(1);
                pair.not_before = pair.free_at(was_known);
            }
            Outcome::Right => {
                *pair = Pair { last: now, known_until: now.after_ms(PAIR_KNOWN_MS), ..Pair::default() };
            }
        }
        if !was_known {
            self.give_back(from);
        }
    }

    fn spend(&mut self, from: Origin, now: Ticks) -> Result<(), u32> {
        let full_at = self.addresses.get(&from).map_or(now, |budget| budget.full_at.max(now));
        let spent = full_at.after_ms(ADDRESS_REFILL_MS);
        let empty_at = now.after_ms(ADDRESS_REFILL_MS * u64::from(ADDRESS_ATTEMPTS));
        if spent > empty_at {
            return Err(seconds(empty_at, spent));
        }
        make_room(&mut self.addresses, ADDRESSES_MAX, &from, |budget| budget.full_at);
        self.addresses.insert(from, Budget { full_at: spent });
        Ok(())
    }

    fn give_back(&mut self, from: Origin) {
        if let Some(budget) = self.addresses.get_mut(&from) {
            budget.full_at = Ticks(budget.full_at.0.saturating_sub(ADDRESS_REFILL_MS));
        }
    }
}

impl Pair {
    fn is_known(&self, now: Ticks) -> bool {
        now < self.known_until
    }

    fn forget(&mut self, now: Ticks) {
        if now >= self.last.after_ms(PAIR_FORGET_MS) {
            self.attempts = 0;
        }
    }

    fn charge(&mut self, known: bool, now: Ticks) {
        self.attempts = self.attempts.saturating_add(1);
        self.last = now;
        self.not_before = self.free_at(known);
    }

    /// When the next attempt is admitted, by what has been charged and when.
    fn free_at(&self, known: bool) -> Ticks {
        let (free, longest_s) = if known {
            (PAIR_ATTEMPTS_FREE_KNOWN, PAIR_DELAY_S_MAX_KNOWN)
        } else {
            (PAIR_ATTEMPTS_FREE, PAIR_DELAY_S_MAX)
        };
        let Some(beyond) = self.attempts.checked_sub(free) else { return Ticks::default() };
        let delay_s = 1_u32.checked_shl(beyond).unwrap_or(longest_s).min(longest_s);
        self.last.after_ms(u64::from(delay_s) * 1_000)
    }
}

/// Whole seconds from `now` until `then`, at least 1.
fn seconds(now: Ticks, then: Ticks) -> u32 {
    let s = then.0.saturating_sub(now.0).div_ceil(1_000).max(1);
    u32::try_from(s).unwrap_or(u32::MAX)
}

/// Takes out what matters least if a table is full and does not have `key`.
fn make_room<K: Copy + Eq + Hash, V, M: Ord>(
    table: &mut HashMap<K, V>,
    max: usize,
    key: &K,
    matters: impl Fn(&V) -> M,
) {
    if table.len() < max || table.contains_key(key) {
        return;
    }
    if let Some(least) = table.iter().min_by_key(|(_, value)| matters(value)).map(|(key, _)| *key) {
        table.remove(&least);
    }
}

#[cfg(test)]
mod tests;
