//! The provision file's exact meaning, and the box that has none: what is applied, what is not, and what is said.

#![expect(clippy::expect_used, reason = "a test fails by panicking; so do its helpers")]

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use tests::boxed::Boxed;
use tests::clients::{Imap, Pop3, Smtp, Wire};
use tests::hosted::{Hosted, Options};
use tests::letters::short;
use tests::machine::Machine;
use tests::page;
use tests::programs::{mbsync, msmtp};
use tests::provision::{self, named_account, small_file};
use tests::site::{Account, Service, Site};

const ALICE: &str = "alice@example.test";
const BOB: &str = "bob@example.test";

fn started(name: &str, provision: &str) -> Hosted {
    let mut hosted =
        Hosted::new(name, Options { provision: Some(provision.to_owned()), ..Options::default() });
    hosted.start();
    hosted
}

fn logs_in(site: &Site, address: &str, password: &str) -> bool {
    let account = Account { address: address.to_owned(), password: password.to_owned() };
    Imap::try_log_in(site, &account).is_ok()
}

/// Waits for a log-in: a password given in clear is hashed after the box is ready.
fn logs_in_soon(site: &Site, address: &str, password: &str) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !logs_in(site, address, password) {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    true
}

fn clear(address: &str, password: &str) -> String {
    format!("[[account]]\naddress = \"{address}\"\npassword = \"{password}\"\n")
}

/// Mistakes that people make, with the words that name line and key. `¶` marks the line.
const MISTAKES: [(&str, &str); 12] = [
    ("[[account]]\naddress = \"carol@example.test\"\npasword = \"x\"¶\n", "pasword"),
    ("[[acount]]¶\naddress = \"carol@example.test\"\n", "acount"),
    ("[[account]]\naddress = \"carol@example.test¶\npassword = \"x\"\n", ""),
    ("[[account]]\naddress = 17¶\n", "address"),
    ("[[account]]\naddress = \"carol at example.test\"¶\npassword = \"long enough\"\n", "address"),
    (
        "[[account]]\naddress = \"carol@example.test\"\npassword = \"long enough\"\nquota = \"much\"¶\n",
        "quota",
    ),
    ("[[account]]\naddress = \"carol@elsewhere.test\"¶\npassword = \"long enough\"\n", "address"),
    ("[[account]]\naddress = \"carol@example.test\"\npassword_hash = \"$1$md5\"¶\n", "password_hash"),
    ("[[account]]\naddress = \"alice@example.test\"¶\npassword = \"long enough\"\n", "address"),
    ("[[alias]]\naddress = \"x@example.test\"\nto = [\"nobody@example.test\"]¶\n", "to"),
    ("[relay]\nhost = \"smtp.provider.test\"\ntls = \"perhaps\"¶\n", "tls"),
    ("[network]\naddress = \"192.168.1.300/24\"¶\n", "address"),
];

#[test]
fn a_typing_error_is_named_by_line_and_key_and_the_box_serves_as_before() {
    let good = small_file(&[ALICE]);
    let mut hosted = started("typing-errors", &good);
    let site = hosted.site();
    Smtp::connect(&site, Service::Smtp).letter("ann@client.test", &[ALICE], &short("kept", "Hello."));
    hosted.stop();
    for (mistake, key) in MISTAKES {
        let marked = format!("{good}[[account]]\naddress = \"{BOB}\"\npassword = \"long enough\"\n{mistake}");
        let (before, after) = marked.rsplit_once('¶').expect("each mistake is marked");
        let line = before.lines().count();
        hosted.provision(&format!("{before}{after}"));
        hosted.start();
        let console = hosted.console();
        let named = console.lines().find(|said| said.contains(&format!("line {line}")));
        let named =
            named.unwrap_or_else(|| panic!("line {line} of {before}{after}\nis not named:\n{console}"));
        assert!(named.contains(key), "`{key}` is not named: {named}");
        let page = page::curl(
            &site,
            &[
                "--header",
                "Accept-Language: en",
                &format!("http://{}:{}/", site.hostname, site.port(Service::Http)),
            ],
        );
        assert!(page.text().contains(&format!("line {line}")), "the page does not say so:\n{}", page.text());
        let mut imap = Imap::select(&site, &named_account(ALICE), "INBOX");
        assert_eq!(imap.uids().len(), 1, "the box serves as before");
        assert!(!logs_in(&site, BOB, "long enough"), "nothing of a wrong file is applied");
        drop(imap);
        hosted.stop();
    }
}

#[test]
fn another_file_adds_and_changes_and_deletes_nothing() {
    let mut hosted = started("another-file", &small_file(&[ALICE]));
    let site = hosted.site();
    Smtp::connect(&site, Service::Smtp).letter("ann@client.test", &[ALICE], &short("kept", "Hello."));
    hosted.stop();
    let second = small_file(&[BOB])
        .replace(&format!("hostname = \"{}\"", site.hostname), "hostname = \"box.example.test\"");
    hosted.provision(&(second + &clear("carol@example.test", "carol's first")));
    hosted.start();
    assert_eq!(
        Imap::select(&site, &named_account(ALICE), "INBOX").uids().len(),
        1,
        "alice is in the old file only"
    );
    assert!(logs_in(&site, BOB, provision::PASSWORD), "bob is in the new one");
    assert!(logs_in_soon(&site, "carol@example.test", "carol's first"));
    let mut plain = Wire::connect_plain(&site, Service::Smtp).expect("it listens");
    let greeting = String::from_utf8_lossy(&plain.line().expect("a greeting")).into_owned();
    assert!(greeting.starts_with("220 box.example.test"), "{greeting}");
}

#[test]
fn a_password_is_set_again_only_when_its_text_differs() {
    let base = small_file(&[ALICE]);
    let mut hosted = started("password-text", &(base.clone() + &clear(BOB, "the first one")));
    let site = hosted.site();
    assert!(logs_in_soon(&site, BOB, "the first one"));
    // Another file with the same text, then with another text, then without a text, then the same file again.
    let steps = [
        (format!("# a comment\n{base}{}", clear(BOB, "the first one")), "the first one"),
        (base.clone() + &clear(BOB, "the second one"), "the second one"),
        (format!("{base}[[account]]\naddress = \"{BOB}\"\n"), "the second one"),
        (format!("{base}[[account]]\naddress = \"{BOB}\"\n"), "the second one"),
    ];
    for (file, password) in steps {
        hosted.stop();
        hosted.provision(&file);
        hosted.start();
        assert!(logs_in_soon(&site, BOB, password), "`{password}` after:\n{file}\n{}", hosted.console());
        let other = if password == "the first one" { "the second one" } else { "the first one" };
        assert!(!logs_in(&site, BOB, other), "`{other}` after:\n{file}");
    }
}

#[test]
fn a_password_survives_a_kill_right_after_ready() {
    let mut hosted = started("password-kill", &(small_file(&[ALICE]) + &clear(BOB, "bob's own one")));
    hosted.cut();
    hosted.start();
    assert!(logs_in_soon(&hosted.site, BOB, "bob's own one"), "{}", hosted.console());
    hosted.cut();
    hosted.start();
    assert!(logs_in_soon(&hosted.site, BOB, "bob's own one"), "{}", hosted.console());
}

/// On the card of a box: the password of a file that was not applied is nobody's yet, so it stays to be read; once the
/// mistake is mended it is in force, and its hash stands in its place.
#[test]
fn a_clear_password_on_the_card_stays_while_the_file_has_a_mistake() {
    let file = |password: &str| small_file(&[ALICE]) + &clear(BOB, password);
    let builder = qemu::Machine::builder().board(qemu::Board::Virt);
    let mut boxed = Boxed::start_with("card", qemu::Board::Virt, builder, &file("the first one"));
    let site = boxed.site();
    wait_until_hashed(boxed.disk(), "the first one");
    boxed.shut_down();

    let wrong = file("the second one") + "[[acount]]\n";
    put_on_card(&boxed, &wrong);
    boxed.start();
    let mistake = format!("line {}", wrong.lines().count());
    assert!(boxed.console().contains(&mistake), "{mistake} is not named:\n{}", boxed.console());
    assert!(logs_in(&site, BOB, "the first one") && !logs_in(&site, BOB, "the second one"));
    boxed.shut_down();
    assert_eq!(on_card(boxed.disk()), wrong);

    put_on_card(&boxed, &file("the second one"));
    boxed.start();
    wait_until_hashed(boxed.disk(), "the second one");
    assert!(logs_in(&site, BOB, "the second one") && !logs_in(&site, BOB, "the first one"));
    let console = boxed.shut_down();
    let card = on_card(boxed.disk());
    let hashes = card.matches("_hash = \"$argon2id$").count();
    assert!(hashes == 3 && !card.contains("admin_password ="), "{card}\n{console}");
}

/// The provision file on the boot partition of a box, which may be running.
fn on_card(disk: &Path) -> String {
    image::boot_text(disk, "tegami.toml").expect("the card can be read").unwrap_or_default()
}

/// Waits until a password in clear has made room for its hash.
fn wait_until_hashed(disk: &Path, password: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let text = on_card(disk);
        if text.contains("[[account]]") && !text.contains(password) {
            return;
        }
        assert!(Instant::now() < deadline, "still in clear:\n{text}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Puts a provision file on the boot partition of a box that is off.
fn put_on_card(boxed: &Boxed, text: &str) {
    let file = boxed.site.folder.join("tegami.toml");
    fs::write(&file, text).expect("a provision file can be written");
    image::put_boot_file(boxed.disk(), &file, "tegami.toml").expect("it fits on the card");
}

#[test]
fn log_in_names_may_be_short_where_they_are_unambiguous() {
    let mut file = small_file(&[ALICE, BOB]);
    write!(file, "{}", clear("bob@second.test", "the other bob")).expect("a string takes all");
    let hosted = started("short-names", &file);
    assert!(logs_in(&hosted.site, "alice", provision::PASSWORD));
    assert!(logs_in(&hosted.site, "ALICE@Example.Test", provision::PASSWORD));
    assert!(!logs_in(&hosted.site, "bob", provision::PASSWORD), "which bob?");
    assert!(logs_in_soon(&hosted.site, "bob@second.test", "the other bob"));
}

/// The smallest message size that may be set.
#[test]
fn the_message_size_of_the_file_is_kept() {
    let file = small_file(&[ALICE]).replace("message_size = \"50MiB\"", "message_size = \"64KiB\"");
    let hosted = started("message-size", &file);
    let mut smtp = Smtp::connect(&hosted.site, Service::Smtp);
    assert!(smtp.expect(250, "EHLO client.test").lines.contains(&"SIZE 65536".to_owned()));
    smtp.expect(552, "MAIL FROM:<ann@client.test> SIZE=65537");
    let letter = tests::letters::numbered(1, 70_000);
    let reply = smtp.try_letter("ann@client.test", &[ALICE], &letter).expect("the connection stays");
    assert_eq!(reply.code, 552, "{}", reply.text());
    smtp.letter("ann@client.test", &[ALICE], &tests::letters::numbered(2, 60_000));
}

/// No file, no accounts: every mail service says so and closes; the page shows the way.
#[test]
fn an_unclaimed_box_says_so_and_is_claimed_by_the_code_on_its_console() {
    let mut hosted = Hosted::new("unclaimed", Options { provision: None, ..Options::default() });
    hosted.start();
    let site = hosted.site();
    for service in [Service::Smtp, Service::Submission, Service::Imap, Service::Pop3] {
        let mut wire = Wire::connect_plain(&site, service).expect("it listens");
        let greeting = String::from_utf8_lossy(&wire.line().expect("a sentence")).into_owned();
        assert!(greeting.split_whitespace().count() >= 5, "{service:?}: a sentence: {greeting}");
        assert!(!greeting.starts_with("220") && !greeting.contains("OK"), "{service:?}: {greeting}");
        assert!(wire.is_closed(), "{service:?} closes after its sentence");
    }
    let mut site = Site::new(site.port_offset, &site.folder);
    site.hostname = "localhost".to_owned();
    page::download_authority(&site);
    assert!(page::first_page(&site).contains("/claim"), "the page shows the way");
    let code =
        claim_code(&hosted.console()).unwrap_or_else(|| panic!("no claim code:\n{}", hosted.console()));
    let hanako =
        Account { address: "hanako@office.test".to_owned(), password: "お茶 & お菓子 1".to_owned() };
    let wrong = page::claim(&site, "AAAAAAAAAA", "office.test", &hanako, "the other password");
    assert!(wrong.contains("name=\"code\""), "a wrong code is told, and the form shown again:\n{wrong}");
    let right = page::claim(&site, &code, "office.test", &hanako, "the other password");
    assert!(!right.contains("name=\"code\""), "the right code claims:\n{right}");
    // The authority may vouch for the box's own domains alone: with the first one it is another.
    page::download_authority(&site);
    let mut pop3 = Pop3::log_in(&site, &hanako);
    assert!(pop3.numbers().is_empty());
    Smtp::connect(&site, Service::Smtp).letter(
        "ann@client.test",
        &[&hanako.address],
        &short("first", "Hello."),
    );
    assert!(!page::first_page(&site).contains("/claim"), "claimed once and for all");
    drop(pop3);
    hosted.cut();
    hosted.start();
    assert_eq!(Pop3::log_in(&site, &hanako).numbers(), [1], "and after a cut");
    assert!(claim_code(&hosted.console()).is_none(), "no code any more:\n{}", hosted.console());
}

/// Ten characters of base32 in a line that speaks of a code.
fn claim_code(console: &str) -> Option<String> {
    let is_code = |word: &str| {
        word.len() == 10 && word.chars().all(|c| c.is_ascii_uppercase() || ('2'..='7').contains(&c))
    };
    console
        .lines()
        .filter(|line| line.to_lowercase().contains("code") || line.to_lowercase().contains("claim"))
        .flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric()))
        .find(|word| is_code(word))
        .map(str::to_owned)
}

/// Programs of others, with GNU SASL and Cyrus SASL in them: by name, and as the best that there is.
#[test]
fn mail_programs_log_in_with_scram_where_all_passwords_were_given_in_clear() {
    let alice = Account { address: ALICE.to_owned(), password: "granite stairs".to_owned() };
    let bob = Account { address: BOB.to_owned(), password: "パスワード 1".to_owned() };
    let file = [&alice, &bob].map(|account| clear(&account.address, &account.password)).concat();
    let hosted = started("scram", &(small_file(&[]) + &file));
    let site = hosted.site();
    assert!(scram_is_announced_soon(&site));
    for (account, mechanism) in [(&alice, "scram-sha-256"), (&bob, "scram-sha-256"), (&alice, "on")] {
        let test = format!("msmtp-{mechanism}-{}", account.local_part());
        let letter = short("by proof", "Hello.");
        msmtp(&site, Service::Submissions, account, mechanism, ALICE, &test, &letter).success();
    }
    for mechanism in ["SCRAM-SHA-256", "*"] {
        let folder = site.folder_for(&format!("mbsync-{}", mechanism.len()));
        mbsync(&site, &alice, mechanism, &folder).success();
        let new = fs::read_dir(folder.join("near/INBOX/new")).expect("a Maildir");
        assert_eq!(new.count(), 3, "by {mechanism}");
    }
    let wrong = Account { password: "marble stairs".to_owned(), ..alice };
    let refused = msmtp(&site, Service::Submissions, &wrong, "scram-sha-256", ALICE, "msmtp-wrong", b"\n");
    assert!(refused.status != 0 && refused.all().contains("535"), "{}", refused.all());
}

/// Waits for it: a password given in clear is hashed after the box is ready.
fn scram_is_announced_soon(site: &Site) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    let announced =
        || Smtp::connect(site, Service::Submissions).expect(250, "EHLO client.test").text().contains("SCRAM");
    while !announced() {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    true
}

/// The page speaks the reader's language, from the first request on.
#[test]
fn the_page_speaks_english_and_japanese() {
    let hosted = started("languages", &small_file(&[ALICE]));
    let site = hosted.site();
    let url = format!("http://{}:{}/", site.hostname, site.port(Service::Http));
    let page = |language: &str| {
        page::curl(&site, &["--fail", "--header", &format!("Accept-Language: {language}"), &url])
            .success()
            .text()
    };
    let (english, japanese) = (page("en-GB,en;q=0.9"), page("ja,en-US;q=0.7"));
    assert!(english.contains("lang=\"en\"") && japanese.contains("lang=\"ja\""));
    assert!(japanese.contains("メール") && !english.contains("メール"));
    assert!(english.contains(&site.hostname) && japanese.contains(&site.hostname));
}
