//! The provision file that the tests give to a server, and the accounts in it.

use crate::site::Account;
use std::fmt::Write;

/// The server's own name: banner, EHLO, certificate.
pub const HOSTNAME: &str = "mail.example.test";

/// The first local domain.
pub const DOMAIN: &str = "example.test";

/// A second local domain, with a catch-all.
pub const SECOND_DOMAIN: &str = "second.test";

/// Accounts from which each test takes fresh ones.
pub const POOL: usize = 96;

/// The password of every account in the pool.
pub const PASSWORD: &str = "correct horse battery";

/// That password's hash, made by the reference implementation's own program:
/// `printf 'correct horse battery' | argon2 tegami-test-salt -id -t 5 -k 7168 -p 1 -l 32 -e`. A hash in the file
/// keeps ninety accounts from costing ninety hashes at every start.
const PASSWORD_HASH: &str =
    "$argon2id$v=19$m=7168,t=5,p=1$dGVnYW1pLXRlc3Qtc2FsdA$OwFeTLD/xIsektPukYupomREPpm2izRbMWuA37uoC5E";

/// The administrator's password.
pub const ADMIN_PASSWORD: &str = "the box on the shelf";

/// The account whose password stands in clear in the file.
pub const CLEAR_ACCOUNT: &str = "clear@example.test";

/// Its password: what people really type.
pub const CLEAR_PASSWORD: &str = "パスワード \"1\" \\ %";

/// The account with little room.
pub const SMALL_ACCOUNT: &str = "small@example.test";

/// Another one with as little.
pub const NARROW_ACCOUNT: &str = "narrow@example.test";

/// Their room in bytes.
pub const SMALL_QUOTA: usize = 1024 * 1024;

/// Largest message accepted, in bytes.
pub const MESSAGE_SIZE: usize = 50 * 1024 * 1024;

/// Where mail to any unknown address of the second domain goes.
pub const CATCH_ALL_ACCOUNT: &str = "catcher@example.test";

/// An alias with several targets, all of them local.
pub const ALIAS: &str = "info@example.test";

/// Its targets.
pub const ALIAS_TARGETS: [&str; 2] = ["alias-one@example.test", "alias-two@example.test"];

/// One account of the pool.
pub fn pool_account(number: usize) -> Account {
    Account { address: format!("user{number:02}@{DOMAIN}"), password: PASSWORD.to_owned() }
}

/// One of the accounts with a name of its own that share the pool's password.
pub fn named_account(address: &str) -> Account {
    Account { address: address.to_owned(), password: PASSWORD.to_owned() }
}

/// The whole file.
pub fn file() -> String {
    let mut text = settings();
    text.push_str(&aliases());
    for number in 0..POOL {
        account(&mut text, &pool_account(number).address, "");
    }
    for address in ALIAS_TARGETS.iter().chain([&CATCH_ALL_ACCOUNT]) {
        account(&mut text, address, "");
    }
    for address in [SMALL_ACCOUNT, NARROW_ACCOUNT] {
        account(&mut text, address, &format!("quota = \"{}KiB\"\n", SMALL_QUOTA / 1024));
    }
    let clear = CLEAR_PASSWORD.replace('\\', "\\\\").replace('"', "\\\"");
    writeln!(text, "[[account]]\naddress = \"{CLEAR_ACCOUNT}\"\npassword = \"{clear}\"")
        .expect("a string takes all");
    text
}

/// A small file: one domain, these accounts.
pub fn small_file(accounts: &[&str]) -> String {
    let mut text = settings();
    for address in accounts {
        account(&mut text, address, "");
    }
    text
}

fn settings() -> String {
    format!(
        "version = 1\n\
         hostname = \"{HOSTNAME}\"\n\
         language = \"ja\"\n\
         timezone = \"Asia/Tokyo\"\n\
         admin_password = \"{ADMIN_PASSWORD}\"\n\
         [limits]\n\
         message_size = \"{}MiB\"\n\
         [[domain]]\n\
         name = \"{DOMAIN}\"\n\
         [[domain]]\n\
         name = \"{SECOND_DOMAIN}\"\n",
        MESSAGE_SIZE >> 20,
    )
}

fn aliases() -> String {
    format!(
        "[[alias]]\n\
         address = \"{ALIAS}\"\n\
         to = [\"{}\", \"{}\"]\n\
         [[alias]]\n\
         address = \"@{SECOND_DOMAIN}\"\n\
         to = [\"{CATCH_ALL_ACCOUNT}\"]\n",
        ALIAS_TARGETS[0], ALIAS_TARGETS[1],
    )
}

/// One more account, with the pool's password.
pub fn account(text: &mut String, address: &str, more: &str) {
    writeln!(text, "[[account]]\naddress = \"{address}\"\npassword_hash = \"{PASSWORD_HASH}\"\n{more}")
        .expect("a string takes all");
}
