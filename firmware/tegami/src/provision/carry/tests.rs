//! Tests of applying a file to a box in memory, with the real hashing thread.

use std::net::IpAddr;

use mail::{AccountId, Address};
use proto::{Login, LoginRefusal, Secret};

use super::*;
use crate::passwords::{Decoys, Hasher, PasswordSecret};
use crate::provision::changes::fake::Box_;
use crate::provision::{plan, read};

const FILE: &str = "version = 1 # office\n\
admin_password = 'granite'\n\
[[domain]]\nname = 'example.test'\n\
[[account]]\naddress = 'alice@example.test'\npassword = 'pencil'\n";

struct Office {
    it: Box_,
    authenticator: Authenticator,
}

impl Office {
    fn new() -> Self {
        let it = Box_::default();
        let authenticator = Authenticator::new(Hasher::start().unwrap(), Decoys::from_key(&[7; 32])).unwrap();
        Self { it, authenticator }
    }

    /// Another start of the box on the same flash.
    fn again(self) -> Self {
        Self { it: self.it, ..Self::new() }
    }

    async fn apply(&self, text: &str) -> Vec<PasswordTask> {
        let plan = plan(read(text.as_bytes()).unwrap(), &self.it).unwrap();
        carry_out(plan, &self.it, &self.authenticator).await.unwrap()
    }

    async fn apply_all(&self, text: &str) {
        let tasks = self.apply(text).await;
        set_passwords(tasks, &self.it, &self.authenticator).await.unwrap();
    }

    async fn alice(&self, password: &str) -> Result<AccountId, LoginRefusal> {
        let login = Login {
            name: Secret::new("alice@example.test".to_owned()),
            password: Secret::new(password.to_owned()),
        };
        self.authenticator.check(&self.it, &login, IpAddr::from([192, 168, 1, 2])).await
    }

    fn stored(&self) -> Vec<u8> {
        self.it.account(&Address::parse("alice@example.test").unwrap()).unwrap().1
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

#[test]
fn a_new_account_logs_in_before_and_after_its_hash_is_made() {
    block_on(async {
        let office = Office::new();
        let tasks = office.apply(FILE).await;
        assert!(office.stored().is_empty());
        let account = office.alice("pencil").await.unwrap();
        assert_eq!(office.alice("other").await, Err(LoginRefusal::Credentials));
        set_passwords(tasks, &office.it, &office.authenticator).await.unwrap();
        assert!(PasswordSecret::decode(&office.stored()).unwrap().scram.is_some());
        assert_eq!(office.alice("pencil").await, Ok(account));
        assert!(office.it.setting(key::ADMINISTRATOR).is_some());
        // After the next start the hash alone decides.
        let office = office.again();
        assert_eq!(office.alice("pencil").await, Ok(account));
        assert_eq!(office.alice("other").await, Err(LoginRefusal::Credentials));
    });
}

#[test]
fn a_power_cut_before_the_hash_is_made_good_at_the_next_start() {
    block_on(async {
        let office = Office::new();
        drop(office.apply(FILE).await);
        let office = office.again();
        assert!(office.alice("pencil").await.is_err());
        office.apply_all(FILE).await;
        assert!(office.alice("pencil").await.is_ok());
    });
}

#[test]
fn the_text_that_was_set_last_is_not_set_again() {
    block_on(async {
        let office = Office::new();
        office.apply_all(FILE).await;
        // Alice changes her password; the file, the same or changed elsewhere, leaves it alone.
        let hers =
            office.authenticator.hasher().make(Secret::new("my own".to_owned())).await.unwrap().encode();
        let address = Address::parse("alice@example.test").unwrap();
        office.it.make(vec![Change::Account {
            address: Box::new(address),
            secret: Some(hers.clone()),
            quota: None,
        }]);
        office.apply_all(FILE).await;
        office.apply_all(&format!("{FILE}# changed")).await;
        assert_eq!(office.stored(), hers);
        // Another text in the file is set.
        office.apply_all(&FILE.replace("pencil", "crayon")).await;
        assert!(office.alice("crayon").await.is_ok() && office.alice("my own").await.is_err());
    });
}

#[test]
fn the_card_keeps_hashes_and_they_change_nothing() {
    block_on(async {
        let office = Office::new();
        assert_eq!(hashed_text(FILE, &office.it), None);
        office.apply_all(FILE).await;
        let text = hashed_text(FILE, &office.it).unwrap();
        assert!(!text.contains("pencil") && !text.contains("granite"), "{text}");
        let stored = office.stored();
        let phc = PasswordSecret::decode(&stored).unwrap().phc.clone();
        assert!(text.contains(&format!("password_hash = \"{phc}\"")) && text.contains("admin_password_hash"));
        assert_eq!(hashed_text(&text, &office.it), None);

        let plan = plan(read(text.as_bytes()).unwrap(), &office.it).unwrap();
        assert!(plan.changes.is_empty() && plan.passwords.is_empty(), "{plan:?}");
        assert_eq!(office.stored(), stored);
    });
}

#[test]
fn a_store_that_refuses_leaves_the_file_to_be_applied_again() {
    block_on(async {
        let office = Office::new();
        office.it.full.set(true);
        let first = plan(read(FILE.as_bytes()).unwrap(), &office.it).unwrap();
        let refused = carry_out(first, &office.it, &office.authenticator).await;
        assert_eq!(refused.err(), Some(Refusal::StoreFull));
        office.it.full.set(false);
        let second = plan(read(FILE.as_bytes()).unwrap(), &office.it).unwrap();
        assert!(!second.changes.is_empty());
    });
}

#[test]
fn forgetting_the_administrator_opens_the_claim_and_the_file_does_not_close_it() {
    block_on(async {
        let office = Office::new();
        office.apply_all(FILE).await;
        forget_administrator(&office.it).await.unwrap();
        assert_eq!(office.it.setting(key::ADMINISTRATOR), None);
        office.apply_all(FILE).await;
        assert_eq!(office.it.setting(key::ADMINISTRATOR), None);
    });
}
