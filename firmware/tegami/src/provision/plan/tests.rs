//! Tests of the comparison with the box.

use super::*;
use crate::provision::changes::fake::Box_;
use crate::provision::read::{read, tests::EXAMPLE};

const HASH: &str = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

fn planned(text: &str, it: &Box_) -> Result<Plan, FileError> {
    plan(read(text.as_bytes()).unwrap(), it)
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

#[test]
fn an_empty_box_gets_everything() {
    let plan = planned(EXAMPLE, &Box_::default()).unwrap();
    let it = Box_::default();
    it.make(plan.changes);
    assert!(it.has_domain(Some("example.test")));
    assert!(it.account(&address("alice@example.test")).is_some_and(|(_, secret)| secret.is_empty()));
    let (_, bob) = it.account(&address("bob@example.test")).unwrap();
    assert_eq!(PasswordSecret::decode(&bob).unwrap().phc, HASH);
    let settings = settings::Settings::load(&it);
    assert_eq!(settings.hostname.as_deref(), Some("mail.example.test"));
    assert_eq!(settings.language, Some(Language::Japanese));
    assert_eq!(settings.network, read(EXAMPLE.as_bytes()).unwrap().network);
    assert_eq!(settings.dns.len(), 1);
    assert_eq!((settings.message_bytes_max, settings.compact), (Some(50 << 20), Some(false)));
    assert_eq!(settings.scrub_days, Some(60));
    for key in ["relay", "route/peer.test", "device/192.168.1.40"] {
        assert!(it.setting(key).is_some(), "{key}");
    }
    assert_eq!(plan.passwords.len(), 2);
    let said: Vec<_> = plan.notes.iter().map(|note| note.sentence(Language::English)).collect();
    assert_eq!(said[0], "The provision file was applied: domains 1, accounts 2, aliases 1.");
    assert_eq!(said[1], "Aliases that lead outside: 1. Mail for them is forwarded to other servers.");
    assert_eq!(said[2], "Next hops for outgoing mail: 2. Mail for elsewhere goes through them.");
    assert!(said[3].contains("without a password: 1"));
    let said: Vec<_> = plan.notes.iter().map(|note| note.sentence(Language::Japanese)).collect();
    assert!(said[1].ends_with("1 件あります。それらへのメールは外部のサーバーへ転送します"), "{}", said[1]);
    assert!(
        said[2].ends_with("2 件あります。外部へのメールはそれらのサーバーを通して送ります"),
        "{}",
        said[2]
    );
}

#[test]
fn the_same_file_again_changes_nothing() {
    let it = Box_::default();
    it.make(planned(EXAMPLE, &it).unwrap().changes);
    let again = planned(EXAMPLE, &it).unwrap();
    assert!(again.changes.is_empty() && again.notes.is_empty(), "{:?}", again.changes);
    // Clear passwords are looked at again, in case one was not hashed before the power went.
    assert_eq!(again.passwords.len(), 2);
}

#[test]
fn what_was_deleted_since_stays_deleted() {
    let it = Box_::default();
    it.make(planned(EXAMPLE, &it).unwrap().changes);
    it.delete_account("alice@example.test");
    let again = planned(EXAMPLE, &it).unwrap();
    assert!(again.changes.is_empty());
    assert!(again.passwords.iter().all(|task| task.account.is_none()));
    // A changed file names it again: it is created, and has its password whatever was remembered.
    let fresh = planned(&format!("{EXAMPLE}\n# changed"), &it).unwrap();
    let alice = fresh.passwords.iter().find(|task| task.account.is_some()).unwrap();
    assert_eq!(alice.last, None);
}

#[test]
fn a_changed_file_updates_what_it_names_and_deletes_nothing() {
    let it = Box_::default();
    it.make(planned(EXAMPLE, &it).unwrap().changes);
    let next = "version = 1\nhostname = 'new.example.test'\n[[account]]\naddress = 'Alice@example.test'\nquota = '2GiB'\n\
                [[alias]]\naddress='all@example.test'\nto=['alice@example.test','bob@example.test']";
    let plan = planned(next, &it).unwrap();
    assert!(plan.changes.contains(&Change::Account {
        address: Box::new(address("Alice@example.test")),
        secret: None,
        quota: Some(2 << 30)
    }));
    it.make(plan.changes);
    let settings = settings::Settings::load(&it);
    assert_eq!(settings.hostname.as_deref(), Some("new.example.test"));
    assert_eq!(settings.timezone.as_deref(), Some("Asia/Tokyo"));
    // Without [network] and [dns] the network is asked again.
    assert!(settings.network.fixed.is_none() && settings.dns.is_empty());
    assert!(it.account(&address("bob@example.test")).is_some() && it.setting("relay").is_some());
}

#[test]
fn a_hash_is_set_only_when_its_text_changes() {
    let it = Box_::default();
    it.make(planned(EXAMPLE, &it).unwrap().changes);
    // Bob changes his password himself: the file, changed elsewhere, leaves it alone.
    it.make(vec![Change::Account {
        address: Box::new(address("bob@example.test")),
        secret: Some(vec![9]),
        quota: None,
    }]);
    it.make(planned(&format!("{EXAMPLE}\n# changed"), &it).unwrap().changes);
    assert_eq!(it.account(&address("bob@example.test")).unwrap().1, [9]);
    // Another hash in the file, nothing else: it is set.
    let other = EXAMPLE.replace("c29tZXNhbHQ", "c29tZXNhbHU");
    it.make(planned(&other, &it).unwrap().changes);
    assert_ne!(it.account(&address("bob@example.test")).unwrap().1, [9]);
}

#[test]
fn what_contradicts_the_box_is_refused_whole() {
    let it = Box_::default();
    it.make(planned(EXAMPLE, &it).unwrap().changes);
    let head = "version = 1\n";
    for (text, line, key, sentence) in [
        ("[[account]]\naddress='x@foreign.test'", 3, "account.address", "foreign.test is not a domain"),
        (
            "[[alias]]\naddress='@foreign.test'\nto=['a@b.test']",
            3,
            "alias.address",
            "foreign.test is not a domain",
        ),
        (
            "[[alias]]\naddress='bob@example.test'\nto=['a@b.test']",
            3,
            "alias.address",
            "this address is an account",
        ),
        (
            "[[alias]]\naddress='x@example.test'\nto=['nobody@example.test']",
            4,
            "alias.to",
            "there is no account or",
        ),
        (
            "[[route]]\ndomain='example.test'\nhost='r.test'",
            3,
            "route.domain",
            "mail for this domain is kept",
        ),
    ] {
        let error = planned(&format!("{head}{text}"), &it).unwrap_err();
        let said = error.sentence(Language::English);
        assert!(said.starts_with(&format!("line {line}, {key}: {sentence}")), "{said}");
    }
}

#[test]
fn alias_targets_may_be_anything_that_leads_somewhere() {
    let it = Box_::default();
    it.make(planned(EXAMPLE, &it).unwrap().changes);
    for target in [
        "alice@example.test",
        "ALICE+news@Example.test",
        "info@example.test",
        "x@elsewhere.test",
        "later@example.test",
    ] {
        let text = format!(
            "version=1\n[[account]]\naddress='later@example.test'\n[[alias]]\naddress='n@example.test'\nto=['{target}']"
        );
        assert!(planned(&text, &it).is_ok(), "{target}");
    }
    let catch_all = "version=1\n[[alias]]\naddress='@example.test'\nto=['bob@example.test']\n\
                     [[alias]]\naddress='y@example.test'\nto=['anything@example.test']";
    assert!(planned(catch_all, &it).is_ok());
}

#[test]
fn the_longest_names_fit_the_store() {
    let label = "d".repeat(60);
    let (local, domain) = ("l".repeat(64), format!("{label}.{label}.{label}.test"));
    let route = format!("{domain}.elsewhere.test");
    let text = format!(
        "version = 1\n[[domain]]\nname = '{domain}'\n\
         [[account]]\naddress = '{local}@{domain}'\npassword_hash = '{HASH}'\n\
         [[route]]\ndomain = '{route}'\nhost = 'r.test'"
    );
    let it = Box_::default();
    it.make(planned(&text, &it).unwrap().changes);
    assert!(it.settings.borrow().keys().all(|key| key.len() <= 128));
    // Remembered all the same.
    assert!(planned(&text, &it).unwrap().changes.is_empty());
}
