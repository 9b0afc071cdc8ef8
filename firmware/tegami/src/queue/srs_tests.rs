//! Senders that are rewritten and known again, and addresses that look like such.

use proptest::prelude::*;
use ring::rand::SystemRandom;

use super::*;
use crate::provision::fake::Box_;

/// 2026-11-18.
const NOW: UnixTime = UnixTime(1_795_000_000);

fn rewriter() -> Rewriter {
    Rewriter::from_key(&[7; SRS_KEY_BYTES])
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn later(days: i64) -> UnixTime {
    UnixTime(NOW.0 + days * DAY_S)
}

#[test]
fn a_report_finds_back_to_the_sender() {
    for sender in [
        "ann@elsewhere.test",
        "a..b.@carrier.test",
        "a=b=c@elsewhere.test",
        "SRS0@elsewhere.test",
        "SRS2=a=b@elsewhere.test",
        "手紙@例え.test",
        "list-bounces+bob=example.test@lists.test",
    ] {
        let rewritten = rewriter().forward(&address(sender), "example.test", NOW).unwrap();
        let (host, local) = sender.split_once('@').map(|(local, host)| (host, local)).unwrap();
        assert_eq!(rewritten.domain(), "example.test");
        assert!(rewritten.local().starts_with("SRS0="), "{rewritten}");
        assert!(rewritten.local().ends_with(&format!("={host}={local}")), "{rewritten}");
        for days in [-1, 0, 1, SRS_DAYS] {
            assert_eq!(rewriter().reverse(&rewritten, later(days)), Some(address(sender)), "{days}");
        }
        for days in [-2, SRS_DAYS + 1, 1_000] {
            assert_eq!(rewriter().reverse(&rewritten, later(days)), None, "{days}");
        }
    }
    let known = rewriter().forward(&address("ann@elsewhere.test"), "example.test", NOW).unwrap();
    assert!(known.as_str().split('=').nth(1).is_some_and(|hash| hash.len() == SRS_HASH_CHARS), "{known}");
    // 1,795,000,000 s are 20,775 days: 20 * 1,024 + 9 * 32 + 7.
    assert_eq!(known.as_str().split('=').nth(2), Some("JH"));
}

#[test]
fn the_second_who_forwards_names_the_first_and_leaves_out_those_between() {
    let keys = [1, 2, 3].map(|key| Rewriter::from_key(&[key; SRS_KEY_BYTES]));
    let one = keys[0].forward(&address("ann@elsewhere.test"), "one.test", NOW).unwrap();
    let inner = one.local().strip_prefix("SRS0").unwrap();
    let two = keys[1].forward(&one, "two.test", NOW).unwrap();
    assert!(
        two.local().starts_with("SRS1=") && two.local().ends_with(&format!("=one.test={inner}")),
        "{two}"
    );
    let three = keys[2].forward(&two, "three.test", NOW).unwrap();
    assert!(three.local().ends_with(&format!("=one.test={inner}")), "{three}");
    assert_eq!(three.local().matches("SRS").count(), 1, "{three}");
    assert_eq!(keys[2].reverse(&three, later(500)), Some(one.clone()), "the first one looks at the date");
    assert_eq!(keys[1].reverse(&two, NOW), Some(one.clone()));
    assert_eq!(keys[0].reverse(&one, NOW), Some(address("ann@elsewhere.test")));
    for (key, rewritten) in [(0, &two), (1, &three), (2, &two), (1, &one)] {
        assert_eq!(keys[key].reverse(rewritten, NOW), None);
    }
    // Others have other separators behind the tag.
    for tagged in ["srs0+HH=TT=b.test=a@one.test", "SRS0-HH=TT=b.test=a@one.test"] {
        let chained = keys[1].forward(&address(tagged), "two.test", NOW).unwrap();
        let expected = format!("SRS0{}", tagged.get(4..).unwrap());
        assert_eq!(keys[1].reverse(&chained, NOW), Some(address(&expected)));
    }
    // What only looks like one is a name like any other.
    for odd in ["SRS1=a@b.test", "SRS1=a=b=c@d.test", "SRS1===@d.test"] {
        let wrapped = keys[1].forward(&address(odd), "two.test", NOW).unwrap();
        assert!(wrapped.local().starts_with("SRS0="), "{wrapped}");
        assert_eq!(keys[1].reverse(&wrapped, NOW), Some(address(odd)));
    }
}

#[test]
fn case_does_not_count() {
    let rewritten = rewriter().forward(&address("Ann@Elsewhere.test"), "example.test", NOW).unwrap();
    for text in [rewritten.as_str().to_lowercase(), rewritten.as_str().to_uppercase()] {
        let found = rewriter().reverse(&address(&text), NOW).unwrap();
        assert!(found.same_as(&address("ann@elsewhere.test")), "{found}");
    }
}

#[test]
fn what_does_not_fit_is_not_rewritten() {
    // "SRS0=", hash, "=", day, "=", domain, "=": of 64 bytes 48 are left for domain and local part.
    let fits = format!("{}@elsewhere.test", "a".repeat(48 - 14));
    assert_eq!(rewriter().forward(&address(&fits), "example.test", NOW).unwrap().local().len(), 64);
    for sender in [
        &format!("a{fits}"),
        "\"a b\"@elsewhere.test",
        "a@[192.0.2.1]",
        "a@[IPv6:2001:db8::1]",
        "a\"@\"b@elsewhere.test",
    ] {
        let Ok(sender) = Address::parse(sender) else { continue };
        assert_eq!(rewriter().forward(&sender, "example.test", NOW), None, "{sender}");
    }
    let long = format!("{}.test", "a".repeat(200));
    assert_eq!(rewriter().forward(&address(&fits), &long, NOW), None, "an address has 254 bytes");
}

#[test]
fn nobody_else_can_make_one() {
    let rewritten = rewriter().forward(&address("ann@elsewhere.test"), "example.test", NOW).unwrap();
    let other = Rewriter::from_key(&[8; SRS_KEY_BYTES]);
    assert_eq!(other.reverse(&rewritten, NOW), None);
    let text = rewritten.as_str();
    for (from, to) in
        [("ann", "bob"), ("elsewhere", "victim"), ("=JH=", "=JI="), ("=elsewhere.test=", "=elsewhere.tes=t")]
    {
        assert!(text.contains(from), "{text}");
        assert_eq!(rewriter().reverse(&address(&text.replace(from, to)), NOW), None, "{to}");
    }
    for text in [
        "SRS0@example.test",
        "SRS0=@example.test",
        "SRS0====@example.test",
        "SRS0==JH=victim.test=bob@example.test",
        "SRS0=AAAAAA=JH=victim.test=bob@example.test",
        "SRS1=AAAAAA=victim.test==A=JH=b=c@example.test",
        "SRS1===@example.test",
        "SRS1=@example.test",
        "SRSé=x@example.test",
        "bob@example.test",
    ] {
        assert_eq!(rewriter().reverse(&address(text), NOW), None, "{text}");
    }
}

#[test]
fn the_key_is_made_once() {
    let it = Box_::default();
    let (first, change) = Rewriter::open(&it, &SystemRandom::new()).unwrap();
    it.make(change.into_iter().collect());
    let rewritten = first.forward(&address("ann@elsewhere.test"), "example.test", NOW).unwrap();
    let (second, change) = Rewriter::open(&it, &SystemRandom::new()).unwrap();
    assert_eq!(change, None);
    assert!(second.reverse(&rewritten, NOW).is_some());
    for damaged in [vec![], vec![VERSION], vec![VERSION + 1; SRS_KEY_BYTES + 1]] {
        it.make(vec![Change::set(key::SRS, damaged)]);
        let (other, change) = Rewriter::open(&it, &SystemRandom::new()).unwrap();
        assert!(change.is_some() && other.reverse(&rewritten, NOW).is_none());
    }
}

proptest! {
    #[test]
    fn any_sender_comes_back_or_stays(local in "[a-z0-9=+.\"_-]{1,40}", domain in "[a-z0-9=.-]{1,20}", by in 0_i64..2_000) {
        // Those are about another sender.
        prop_assume!(!local.starts_with("srs"));
        if let Ok(sender) = Address::parse(&format!("{local}@{domain}"))
            && let Some(rewritten) = rewriter().forward(&sender, "example.test", later(by))
        {
            prop_assert_eq!(rewriter().reverse(&rewritten, later(by)), Some(sender));
        }
    }

    #[test]
    fn no_made_up_address_stands_for_anybody(local in "(SRS0|SRS1|srs0)[=+-][A-Z2-7=+a-z.]{0,50}") {
        if let Ok(address) = Address::parse(&format!("{local}@example.test")) {
            prop_assert_eq!(rewriter().reverse(&address, NOW), None);
        }
    }
}
