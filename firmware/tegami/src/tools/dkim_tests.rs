//! What `tegami dkim` says and does, on a flash that a program has served.

use std::time::Duration;

use super::*;
use crate::testing::{Flash, PROVISION, Rig, block_on};

/// A flash with two domains, the first of which has keys.
fn served(name: &str) -> Flash {
    let second = b"[[domain]]\nname = 'second.test'\n";
    let flash = block_on(async {
        let rig = Rig::start_with(Flash::new(name, Duration::ZERO), &[PROVISION, second].concat()).await;
        rig.serving.close().await;
        rig.flash
    });
    let mut writing = Writing::open(flash.path()).unwrap();
    let value = DomainKeys::first(Pair::make("t202605".into()).unwrap()).store();
    writing.make(|store| store.put_setting(&key::dkim("example.test"), &value)).unwrap();
    writing.make(|store| store.remove_setting(&key::dkim("second.test"))).unwrap();
    writing.close();
    flash
}

fn keys(flash: &Flash) -> DomainKeys {
    let store = look(flash.path()).unwrap();
    DomainKeys::load(store.setting(&key::dkim("example.test")).unwrap()).unwrap()
}

fn said(flash: &Flash) -> String {
    report("example.test", &keys(flash), &TimeZone::UTC).unwrap().join("\n")
}

fn rotate(flash: &Flash, domain: &str) -> Result<Outcome, Problem> {
    run(flash.path(), &Dkim::Rotate(domain.into()))
}

fn use_name(flash: &Flash, name: &str) -> Result<Outcome, Problem> {
    run(flash.path(), &Dkim::Use { domain: "Example.Test".into(), name: name.into() })
}

#[test]
fn keys_are_rotated_in_two_steps() {
    let flash = served("dkim-rotate");
    let first = said(&flash);
    assert!(first.contains("to be signed with t202605:") && !first.contains("replace"), "{first}");
    assert_eq!(first.matches("IN TXT").count(), 2, "{first}");
    assert!(use_name(&flash, "t202612").unwrap_err().contains("--rotate"));

    assert_eq!(rotate(&flash, "example.test"), Ok(Outcome::Good));
    let (announced, name) = (said(&flash), keys(&flash).next().unwrap().name().to_owned());
    assert!(announced.starts_with(first.trim_end()), "the first two stay: {announced}");
    assert_eq!(announced.matches("IN TXT").count(), 4, "{announced}");
    assert!(
        announced.contains(&format!("tegami dkim FLASH --domain example.test --use {name}\n")),
        "{announced}"
    );
    let again = rotate(&flash, "example.test").unwrap_err();
    assert!(again.contains(&format!("--use {name}")), "{again}");
    assert!(use_name(&flash, "t202605").unwrap_err().contains(&name));

    assert_eq!(use_name(&flash, &name), Ok(Outcome::Good));
    let used = said(&flash);
    assert!(
        used.contains(&format!("to be signed with {name}:")) && used.contains("t202605 signs no more."),
        "{used}"
    );
    assert_eq!(used.matches("IN TXT").count(), 2, "{used}");
    assert!(!used.contains("t202605r._domainkey"), "nothing is left of it: {used}");
}

#[test]
fn domains_are_shown_as_far_as_there_are_keys() {
    let flash = served("dkim-show");
    let show = |domain: Option<&str>| run(flash.path(), &Dkim::Show(domain.map(str::to_owned)));
    assert_eq!((show(None), show(Some("second.test"))), (Ok(Outcome::Good), Ok(Outcome::Good)));
    let problem = show(Some("third.test")).unwrap_err();
    assert!(problem.contains("example.test, second.test"), "{problem}");
    assert!(rotate(&flash, "second.test").unwrap_err().contains("no keys yet"));
    assert!(rotate(&flash, "third.test").is_err());

    let mut writing = Writing::open(flash.path()).unwrap();
    writing.make(|store| store.put_setting(&key::dkim("second.test"), &[9, 1, 2])).unwrap();
    writing.close();
    assert_eq!(show(None), Ok(Outcome::Flawed));
    assert!(rotate(&flash, "second.test").unwrap_err().contains("cannot be used"));
}

#[test]
fn the_end_of_a_key_is_a_day_in_the_zone_of_the_box() {
    let former = Former { name: "t202611".into(), until: UnixTime(1_795_000_000) };
    let tokyo = TimeZone::get("Asia/Tokyo").unwrap();
    let (here, there) = (farewell(&former, &TimeZone::UTC), farewell(&former, &tokyo));
    assert!(here.contains("t202611r and t202611e, until 2026-12-02:"), "{here}");
    assert!(there.contains("until 2026-12-02:"), "{there}");
    assert_eq!(date(UnixTime(1_795_000_000 + 12 * 3_600), &tokyo), "2026-11-19");
}
