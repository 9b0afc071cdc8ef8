//! Tests of the limiter: each sentence of its description, and what must hold for any sequence of attempts.

use mail::AccountId;
use proptest::prelude::*;
use ring::rand::SystemRandom;

use super::*;
use crate::passwords::cache::{Checked, Who};

fn names() -> impl Fn(u32) -> LoginMac {
    let checked = Checked::new(&SystemRandom::new()).unwrap();
    move |account| checked.name(Who::Account(AccountId(account)))
}

fn ip(text: &str) -> Origin {
    Origin::from(text.parse::<IpAddr>().unwrap())
}

fn at_s(seconds: u64) -> Ticks {
    Ticks(1_000_000 + seconds * 1_000)
}

/// Tries a wrong password; says whether it was looked at.
fn wrong(limiter: &mut Limiter, from: Origin, who: LoginMac, now: Ticks) -> Result<(), u32> {
    limiter.admit(from, who, now)?;
    limiter.settle(from, who, now, Outcome::Wrong);
    Ok(())
}

fn right(limiter: &mut Limiter, from: Origin, who: LoginMac, now: Ticks) -> Result<(), u32> {
    limiter.admit(from, who, now)?;
    limiter.settle(from, who, now, Outcome::Right);
    Ok(())
}

#[test]
fn waits_grow_from_a_second_to_a_quarter_of_an_hour() {
    let (name, home, mut limiter) = (names(), ip("192.0.2.1"), Limiter::default());
    let mut now = at_s(0);
    let mut waits = Vec::new();
    for _ in 0..17 {
        match wrong(&mut limiter, home, name(1), now) {
            Ok(()) => {}
            Err(wait) => {
                waits.push(wait);
                now = now.after_ms(u64::from(wait) * 1_000);
                assert_eq!(wrong(&mut limiter, home, name(1), now), Ok(()));
            }
        }
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
}

#[test]
fn attempts_elsewhere_never_lock_the_owner_out() {
    let (name, mut limiter) = (names(), Limiter::default());
    for host in 0..=255 {
        let from = ip(&format!("203.0.113.{host}"));
        while wrong(&mut limiter, from, name(1), at_s(0)).is_ok() {}
    }
    assert_eq!(right(&mut limiter, ip("192.0.2.1"), name(1), at_s(1)), Ok(()));
}

#[test]
fn a_colleague_who_logs_in_well_does_not_feel_the_others() {
    let (name, office, mut limiter) = (names(), ip("192.0.2.1"), Limiter::default());
    assert_eq!(right(&mut limiter, office, name(1), at_s(0)), Ok(()));
    // Somebody in the office tries a few passwords on everybody until the address has spent its budget.
    let mut refused = 0;
    for account in 2..200 {
        refused += u32::from(wrong(&mut limiter, office, name(account), at_s(1)).is_err());
    }
    assert_eq!(refused, 198 - ADDRESS_ATTEMPTS);
    assert_eq!(right(&mut limiter, office, name(1), at_s(2)), Ok(()));
    // The budget comes back, one attempt a minute.
    assert_eq!(limiter.admit(office, name(300), at_s(1)), Err(60));
    assert_eq!(limiter.admit(office, name(300), at_s(61)), Ok(()));
    assert!(limiter.admit(office, name(301), at_s(61)).is_err());
}

#[test]
fn a_good_log_in_clears_the_count_and_makes_waits_short() {
    let (name, home, mut limiter) = (names(), ip("2001:db8::1"), Limiter::default());
    for _ in 0..PAIR_ATTEMPTS_FREE - 1 {
        assert_eq!(wrong(&mut limiter, home, name(1), at_s(0)), Ok(()));
    }
    assert_eq!(right(&mut limiter, home, name(1), at_s(0)), Ok(()));
    for _ in 0..PAIR_ATTEMPTS_FREE_KNOWN {
        assert_eq!(wrong(&mut limiter, home, name(1), at_s(1)), Ok(()));
    }
    let mut now = at_s(1);
    for _ in 0..20 {
        let wait = limiter.admit(home, name(1), now).unwrap_err();
        assert!(wait <= PAIR_DELAY_S_MAX_KNOWN);
        now = now.after_ms(u64::from(wait) * 1_000);
        assert_eq!(wrong(&mut limiter, home, name(1), now), Ok(()));
    }
}

#[test]
fn attempts_at_the_same_time_are_charged_before_they_end() {
    let (name, home, mut limiter) = (names(), ip("192.0.2.1"), Limiter::default());
    let admitted = (0..100).filter(|_| limiter.admit(home, name(1), at_s(0)).is_ok()).count();
    assert_eq!(admitted, PAIR_ATTEMPTS_FREE as usize);
    // One of them is not looked at: somebody else may try in its place.
    limiter.settle(home, name(1), at_s(0), Outcome::Unseen);
    assert_eq!(limiter.admit(home, name(1), at_s(0)), Ok(()));
    assert!(limiter.admit(home, name(1), at_s(0)).is_err());
}

#[test]
fn an_hour_of_quiet_forgets() {
    let (name, home, mut limiter) = (names(), ip("192.0.2.1"), Limiter::default());
    while wrong(&mut limiter, home, name(1), at_s(0)).is_ok() {}
    let later = at_s(PAIR_FORGET_MS / 1_000);
    for _ in 0..PAIR_ATTEMPTS_FREE {
        assert_eq!(wrong(&mut limiter, home, name(1), later), Ok(()));
    }
}

#[test]
fn one_subscriber_has_one_prefix() {
    assert_eq!(ip("2001:db8:1:2:3:4:5:6"), ip("2001:db8:1:2::"));
    assert_ne!(ip("2001:db8:1:2::"), ip("2001:db8:1:3::"));
    assert_eq!(ip("::ffff:192.0.2.1"), ip("192.0.2.1"));
    assert_ne!(ip("192.0.2.1"), ip("192.0.2.2"));
}

#[test]
fn full_tables_keep_those_who_log_in_well() {
    let (name, mut limiter) = (names(), Limiter::default());
    let home = ip("192.0.2.1");
    assert_eq!(right(&mut limiter, home, name(1), at_s(0)), Ok(()));
    for n in 0..3 * PAIRS_MAX as u32 {
        let from = Origin::from(IpAddr::from(std::net::Ipv4Addr::from(0xCB00_0000 + n)));
        assert_eq!(wrong(&mut limiter, from, name(n), at_s(1)), Ok(()));
    }
    assert!(limiter.pairs.len() <= PAIRS_MAX && limiter.addresses.len() <= ADDRESSES_MAX);
    assert!(limiter.pairs.contains_key(&(home, name(1))));
}

proptest! {
    /// Whatever is tried in whatever order: from one address, on accounts that never logged in from it, no more is
    /// looked at than the budget and what time has added; and a refusal always says when it ends.
    #[test]
    fn guesses_are_bounded(steps in proptest::collection::vec((0_u32..50, 0_u64..20_000), 1..400)) {
        let (name, from, mut limiter) = (names(), ip("198.51.100.7"), Limiter::default());
        let start = at_s(0);
        let (mut now, mut looked_at) = (start, 0_u64);
        for (account, pause_ms) in steps {
            now = now.after_ms(pause_ms);
            match limiter.admit(from, name(account), now) {
                Ok(()) => {
                    looked_at += 1;
                    limiter.settle(from, name(account), now, Outcome::Wrong);
                }
                Err(wait) => prop_assert!((1..=PAIR_DELAY_S_MAX).contains(&wait)),
            }
        }
        let refilled = (now.0 - start.0) / ADDRESS_REFILL_MS;
        prop_assert!(looked_at <= u64::from(ADDRESS_ATTEMPTS) + refilled + 1);
    }
}
