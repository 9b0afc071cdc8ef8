//! Tests of the whole way of a log-in, with a directory in memory and the real hashing thread.

use std::time::Duration;

use super::*;

pub(super) const OFFICE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 7));

/// Accounts by name; the administrator's secret.
#[derive(Default)]
pub(super) struct Directory {
    pub(super) accounts: RefCell<Vec<(&'static str, Vec<u8>)>>,
    administrator: RefCell<Option<Vec<u8>>>,
}

impl Accounts for Directory {
    fn find_login(&self, name: &str) -> Option<(AccountId, Vec<u8>)> {
        let accounts = self.accounts.borrow();
        let position = accounts.iter().position(|(known, _)| *known == name)?;
        Some((AccountId(u32::try_from(position).unwrap()), accounts[position].1.clone()))
    }

    fn domains(&self) -> Vec<String> {
        vec!["example.test".to_owned()]
    }

    fn administrator(&self) -> Option<Vec<u8>> {
        self.administrator.borrow().clone()
    }
}

pub(super) struct Box_ {
    pub(super) directory: Directory,
    pub(super) authenticator: Authenticator,
}

impl Box_ {
    pub(super) fn new() -> Self {
        let authenticator = Authenticator::new(Hasher::start().unwrap(), Decoys::from_key(&[7; 32])).unwrap();
        Self { directory: Directory::default(), authenticator }
    }

    pub(super) async fn with_account(self, name: &'static str, password: &str) -> Self {
        let secret = self.authenticator.hasher().make(Secret::new(password.to_owned())).await.unwrap();
        self.directory.accounts.borrow_mut().push((name, secret.encode()));
        self
    }

    pub(super) async fn check(&self, name: &str, password: &str) -> Result<AccountId, LoginRefusal> {
        self.authenticator.check(&self.directory, &login(name, password), OFFICE).await
    }
}

fn login(name: &str, password: &str) -> Login {
    Login { name: Secret::new(name.to_owned()), password: Secret::new(password.to_owned()) }
}

pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

#[test]
fn the_right_password_logs_in_and_the_second_time_costs_no_hash() {
    block_on(async {
        let it = Box_::new().with_account("alice", "pencil").await;
        assert_eq!(it.check("alice", "pencil").await, Ok(AccountId(0)));
        let start = std::time::Instant::now();
        for _ in 0..200 {
            assert_eq!(it.check("alice", "pencil").await, Ok(AccountId(0)));
        }
        assert!(start.elapsed() < Duration::from_millis(200), "{:?}", start.elapsed());
    });
}

#[test]
fn a_new_password_ends_what_was_remembered() {
    block_on(async {
        let it = Box_::new().with_account("alice", "old").await;
        assert_eq!(it.check("alice", "old").await, Ok(AccountId(0)));
        assert_eq!(it.check("alice", "new").await, Err(LoginRefusal::Credentials));
        let new = it.authenticator.hasher().make(Secret::new("new".to_owned())).await.unwrap();
        it.directory.accounts.borrow_mut()[0].1 = new.encode();
        assert_eq!(it.check("alice", "old").await, Err(LoginRefusal::Credentials));
        assert_eq!(it.check("alice", "new").await, Ok(AccountId(0)));
    });
}

#[test]
fn an_old_telephone_counts_once_and_a_guesser_every_time() {
    block_on(async {
        let it = Box_::new().with_account("alice", "pencil").await;
        for _ in 0..100 {
            assert_eq!(it.check("alice", "last year's").await, Err(LoginRefusal::Credentials));
        }
        assert_eq!(it.check("alice", "pencil").await, Ok(AccountId(0)));
        let mut refused = 0;
        for n in 0..20 {
            match it.check("bob", &format!("guess {n}")).await {
                Err(LoginRefusal::TooMany { retry_after_s }) => {
                    assert!(retry_after_s >= 1);
                    refused += 1;
                }
                other => assert_eq!(other, Err(LoginRefusal::Credentials)),
            }
        }
        assert!(refused >= 10, "{refused}");
    });
}

#[test]
fn many_connections_of_one_telephone_cost_one_hash() {
    block_on(async {
        let it = Box_::new().with_account("alice", "pencil").await;
        let one = login("alice", "pencil");
        let mut checks: Vec<_> =
            (0..60).map(|_| Box::pin(it.authenticator.check(&it.directory, &one, OFFICE))).collect();
        // All are under way before the first has its answer; the queue would not take as many.
        for check in &mut checks {
            let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(check.as_mut().poll(cx))).await;
            assert!(polled.is_pending());
        }
        assert_eq!(it.authenticator.state.borrow().in_flight.len(), 1);
        // The first hangs up: another takes its place.
        drop(checks.remove(0));
        for check in checks {
            assert_eq!(check.await, Ok(AccountId(0)));
        }
        assert!(it.authenticator.state.borrow().in_flight.is_empty());
    });
}

#[test]
fn an_unknown_name_takes_as_long_as_a_wrong_password() {
    block_on(async {
        let it = Box_::new().with_account("alice", "pencil").await;
        it.directory.accounts.borrow_mut().push(("empty", Vec::new()));
        let mut times = Vec::new();
        for name in ["alice", "nobody", "empty"] {
            let start = std::time::Instant::now();
            assert_eq!(it.check(name, "wrong").await, Err(LoginRefusal::Credentials));
            times.push(start.elapsed());
        }
        let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
        assert!(*most < *least * 5, "{times:?}");
        assert_eq!(it.check("empty", "").await, Err(LoginRefusal::Credentials));
    });
}

#[test]
fn an_account_vouched_for_logs_in_before_its_hash_is_made() {
    block_on(async {
        let it = Box_::new();
        it.directory.accounts.borrow_mut().push(("alice", Vec::new()));
        it.authenticator.vouch(AccountId(0), &[], &Secret::new("pencil".to_owned()));
        assert_eq!(it.check("alice", "pencil").await, Ok(AccountId(0)));
        assert_eq!(it.check("alice", "other").await, Err(LoginRefusal::Credentials));
    });
}

#[test]
fn the_administrator_has_a_password_of_his_own() {
    block_on(async {
        let it = Box_::new().with_account("alice", "pencil").await;
        let password = Secret::new("granite".to_owned());
        assert_eq!(
            it.authenticator.check_administrator(&it.directory, &password, OFFICE).await,
            Err(LoginRefusal::Credentials)
        );
        let secret = it.authenticator.hasher().make(password.clone()).await.unwrap();
        *it.directory.administrator.borrow_mut() = Some(secret.encode());
        assert_eq!(it.authenticator.check_administrator(&it.directory, &password, OFFICE).await, Ok(()));
        let other = Secret::new("pencil".to_owned());
        assert!(it.authenticator.check_administrator(&it.directory, &other, OFFICE).await.is_err());
    });
}

#[test]
fn a_password_beyond_the_limit_is_not_looked_at() {
    block_on(async {
        let it = Box_::new().with_account("alice", "pencil").await;
        let long = "x".repeat(PASSWORD_BYTES_MAX + 1);
        assert_eq!(it.check("alice", &long).await, Err(LoginRefusal::Credentials));
    });
}
