//! Who has sent how much lately: a bounded table of buckets. Says what is too much, and whether that is news.

use std::collections::BTreeMap;

use mail::Ticks;
use proto::smtp::Client;

use super::bucket::{Bucket, Rate};
use super::limits::{
    ACCOUNT_LETTERS, ACCOUNT_OUTSIDE, DELAY_MS_MAX, DELAY_STEP_MS, DEVICE_LETTERS, DEVICE_OUTSIDE, KNOWN_MAX,
    STRANGER_LETTERS, STRANGER_UNKNOWN, STRANGERS_MAX,
};
use crate::{certs::is_private, service::one_per_household};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Letter,
    /// A recipient at another server.
    Outside,
}

/// What a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Granted,
    Refused {
        /// Seconds until it may go on, at least one.
        wait_s: u32,
        /// It is the first time since the client last was well within its limits.
        is_news: bool,
    },
}

/// The counts. Time is an argument.
#[derive(Debug)]
pub(super) struct Ledger {
    known: Table,
    strangers: Table,
}

#[derive(Debug)]
struct Table {
    entries: BTreeMap<Client, Entry>,
    max: usize,
}

/// What one client has done.
#[derive(Debug, Default)]
struct Entry {
    letters: Count,
    outside: Count,
    unknown: Count,
    last: Ticks,
}

/// A bucket for each rate that there is, and whether it was said already that they are empty.
#[derive(Debug, Default)]
struct Count {
    buckets: [Bucket; 2],
    told: bool,
}

impl Ledger {
    pub(super) const fn new() -> Self {
        Self { known: Table::new(KNOWN_MAX), strangers: Table::new(STRANGERS_MAX) }
    }

    /// Asks for one of something, and counts it if it is granted.
    pub(super) fn ask(&mut self, client: Client, what: What, now: Ticks) -> Verdict {
        let rates = rates(client, what);
        if rates.is_empty() {
            return Verdict::Granted;
        }
        let entry = self.entry(client, now);
        let count = match what {
            What::Letter => &mut entry.letters,
            What::Outside => &mut entry.outside,
        };
        count.ask(rates, now)
    }

    /// A stranger named somebody whom nobody here knows. Says how many milliseconds the reply is to be late, and whether
    /// that is news. Who has logged in mistypes names and does not try them.
    pub(super) fn unknown(&mut self, client: Client, now: Ticks) -> (u64, bool) {
        match client {
            Client::Stranger(ip) if !ip.is_loopback() => self.entry(client, now).unknown.overdraw(now),
            _ => (0, false),
        }
    }

    fn entry(&mut self, client: Client, now: Ticks) -> &mut Entry {
        match client {
            Client::Account(_) | Client::Device(_) => self.known.entry(client, now),
            Client::Stranger(ip) => self.strangers.entry(Client::Stranger(one_per_household(ip)), now),
        }
    }
}

/// What a client may do. Behind some routers everybody comes from the router's own address, so strangers on private
/// addresses have no limit that they would share with all others.
const fn rates(client: Client, what: What) -> &'static [Rate] {
    match (client, what) {
        (Client::Account(_), What::Letter) => &ACCOUNT_LETTERS,
        (Client::Account(_), What::Outside) => &ACCOUNT_OUTSIDE,
        (Client::Device(_), What::Letter) => &DEVICE_LETTERS,
        (Client::Device(_), What::Outside) => &DEVICE_OUTSIDE,
        (Client::Stranger(ip), What::Letter) if !is_private(ip) => &STRANGER_LETTERS,
        // They may not write to other servers at all.
        (Client::Stranger(_), _) => &[],
    }
}

impl Table {
    const fn new(max: usize) -> Self {
        Self { entries: BTreeMap::new(), max }
    }

    fn entry(&mut self, client: Client, now: Ticks) -> &mut Entry {
        if self.entries.len() >= self.max && !self.entries.contains_key(&client) {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.last).map(|(client, _)| *client);
            oldest.and_then(|oldest| self.entries.remove(&oldest));
        }
        let entry = self.entries.entry(client).or_default();
        entry.last = now;
        entry
    }
}

impl Count {
    fn ask(&mut self, rates: &[Rate], now: Ticks) -> Verdict {
        let wait_ms = self.each(rates).map(|(bucket, rate)| bucket.wait_ms(rate, now)).max().unwrap_or(0);
        if wait_ms > 0 {
            let wait_s = u32::try_from(wait_ms.div_ceil(1000)).unwrap_or(u32::MAX);
            return Verdict::Refused { wait_s, is_news: !core::mem::replace(&mut self.told, true) };
        }
        let has_rested = self.each(rates).all(|(bucket, rate)| bucket.has_rested(rate, now));
        self.told &= !has_rested;
        self.each(rates).for_each(|(bucket, rate)| bucket.take(rate, now));
        Verdict::Granted
    }

    /// Takes one of [`STRANGER_UNKNOWN`], there or not.
    fn overdraw(&mut self, now: Ticks) -> (u64, bool) {
        let Self { buckets: [bucket, _], told } = self;
        *told &= !bucket.has_rested(STRANGER_UNKNOWN, now);
        bucket.take(STRANGER_UNKNOWN, now);
        // More would only keep it waiting for longer after it has stopped.
        bucket.forgive(STRANGER_UNKNOWN, DELAY_MS_MAX / DELAY_STEP_MS, now);
        let delay_ms = bucket.overdrawn(STRANGER_UNKNOWN, now) * DELAY_STEP_MS;
        if delay_ms == 0 { (0, false) } else { (delay_ms, !core::mem::replace(told, true)) }
    }

    fn each<'a>(&'a mut self, rates: &'a [Rate]) -> impl Iterator<Item = (&'a mut Bucket, Rate)> {
        self.buckets.iter_mut().zip(rates.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use mail::AccountId;

    use super::*;

    const ALICE: Client = Client::Account(AccountId(1));
    const HOUR_MS: u64 = 3_600_000;

    fn stranger(number: u32) -> Client {
        Client::Stranger(IpAddr::from((0xcb00_7100 + number).to_be_bytes()))
    }

    /// Asks each `step_ms` for so long; says how many were granted and how many refusals were news.
    fn run(ledger: &mut Ledger, client: Client, what: What, span_ms: (u64, u64), step_ms: u64) -> (u64, u64) {
        let (mut granted, mut news) = (0, 0);
        for now in (span_ms.0..span_ms.1).step_by(step_ms as usize) {
            match ledger.ask(client, what, Ticks(now)) {
                Verdict::Granted => granted += 1,
                Verdict::Refused { is_news, wait_s } => {
                    assert!(wait_s >= 1);
                    news += u64::from(is_news);
                }
            }
        }
        (granted, news)
    }

    #[test]
    fn a_script_that_submits_a_letter_a_millisecond_is_stopped_and_mentioned_once() {
        let mut ledger = Ledger::new();
        // A thousand at once, and one more each 3.6 s.
        assert_eq!(run(&mut ledger, ALICE, What::Letter, (0, HOUR_MS), 1), (1_999, 1));
        let refused = ledger.ask(ALICE, What::Letter, Ticks(HOUR_MS - 1));
        assert_eq!(refused, Verdict::Refused { wait_s: 1, is_news: false });
        // The next day it begins anew, and is mentioned anew.
        let next = 26 * HOUR_MS;
        assert_eq!(run(&mut ledger, ALICE, What::Letter, (next, next + 2_000), 1), (1_000, 1));
        // Others are not concerned.
        let bob = Client::Account(AccountId(2));
        assert_eq!(ledger.ask(bob, What::Letter, Ticks(next)), Verdict::Granted);
    }

    #[test]
    fn what_lasts_all_day_ends_at_the_limit_of_a_day() {
        let mut ledger = Ledger::new();
        let (granted, news) = run(&mut ledger, ALICE, What::Outside, (0, 24 * HOUR_MS), 100);
        assert!((19_000..=20_000).contains(&granted), "{granted}: ten thousand, and those of the day");
        assert_eq!(news, 1);
        // The other count has its own.
        assert_eq!(ledger.ask(ALICE, What::Letter, Ticks(24 * HOUR_MS)), Verdict::Granted);
    }

    #[test]
    fn an_office_never_meets_a_limit() {
        let mut ledger = Ledger::new();
        // A letter a minute all day long, each to three people, and the newsletter to 900 customers in the morning.
        for minute in 0..24 * 60 {
            let now = minute * 60_000;
            let outside = if minute == 540 { 900 } else { 3 };
            assert_eq!(ledger.ask(ALICE, What::Letter, Ticks(now)), Verdict::Granted);
            for _ in 0..outside {
                assert_eq!(ledger.ask(ALICE, What::Outside, Ticks(now)), Verdict::Granted);
            }
        }
        // And a scanner each two minutes.
        let scanner = Client::Device([192, 168, 1, 40].into());
        assert_eq!(run(&mut ledger, scanner, What::Letter, (0, 24 * HOUR_MS), 120_000), (720, 0));
    }

    #[test]
    fn strangers_have_limits_where_each_has_an_address() {
        let mut ledger = Ledger::new();
        assert_eq!(run(&mut ledger, stranger(1), What::Letter, (0, 60_000), 10), (1_299, 1));
        for shared in [[127, 0, 0, 1], [192, 168, 1, 1]].map(IpAddr::from) {
            assert_eq!(run(&mut ledger, Client::Stranger(shared), What::Letter, (0, 60_000), 10), (6_000, 0));
        }
        let of = |host: u16| Client::Stranger(IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, host]));
        let granted = |host| run(&mut ledger, of(host), What::Letter, (0, 1), 1).0;
        assert_eq!((0..2_000).map(granted).sum::<u64>(), 1_000, "a household is one");
    }

    #[test]
    fn names_that_nobody_has_are_answered_later_and_later() {
        let mut ledger = Ledger::new();
        let delays: Vec<_> = (0..20).map(|_| ledger.unknown(stranger(1), Ticks(0))).collect();
        assert!(delays[..10].iter().all(|delay| *delay == (0, false)), "{delays:?}");
        assert_eq!(delays[10..13], [(500, true), (1_000, false), (1_500, false)]);
        assert_eq!(delays[19], (DELAY_MS_MAX, false));
        // Six minutes later it owes nothing, and eleven minutes later that is forgotten.
        assert_eq!(ledger.unknown(stranger(1), Ticks(6 * 60_000)), (500, false));
        assert_eq!(ledger.unknown(stranger(1), Ticks(60 * 60_000)), (0, false));
        for client in [ALICE, Client::Stranger(IpAddr::from([127, 0, 0, 1])), stranger(2)] {
            assert_eq!(ledger.unknown(client, Ticks(0)), (0, false));
        }
    }

    #[test]
    fn a_thousand_strangers_are_remembered_and_displace_no_account() {
        let mut ledger = Ledger::new();
        run(&mut ledger, ALICE, What::Letter, (0, 2_000), 1);
        for number in 0..20_000 {
            ledger.unknown(stranger(number), Ticks(2_000 + u64::from(number)));
        }
        assert_eq!((ledger.strangers.entries.len(), ledger.known.entries.len()), (STRANGERS_MAX, 1));
        let last = ledger.strangers.entries.contains_key(&stranger(19_999));
        let oldest = ledger.strangers.entries.contains_key(&stranger(20_000 - STRANGERS_MAX as u32));
        assert!(last && oldest, "those who came last are remembered");
        let refused = ledger.ask(ALICE, What::Letter, Ticks(2_000));
        assert!(matches!(refused, Verdict::Refused { is_news: false, .. }), "{refused:?}");
    }
}
