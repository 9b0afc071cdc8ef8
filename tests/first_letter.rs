//! A newcomer's first five minutes, by the commands of the README: boot the box, send it a letter, read it back, pull
//! the plug, boot it again on the same disk, and the letter is still there.

#![expect(clippy::expect_used, reason = "a test fails by panicking; so do its helpers")]

use std::process::Command;
use std::time::{Duration, Instant};
use tests::clean;
use tests::hosted::{free_offset, scratch};
use tests::page;
use tests::process::{Server, signal};
use tests::programs::{curl, swaks, url};
use tests::site::{Account, Service, Site};
use tests::tidy::tree::repository;

/// The provision file that the README gives, word for word.
fn provision_of_the_readme() -> String {
    let readme = std::fs::read_to_string(repository().join("README.md")).expect("the README is there");
    let block = readme.split_once("```toml\n").and_then(|(_, rest)| rest.split_once("```"));
    block.expect("the README has a provision file").0.to_owned()
}

/// The account in it.
fn alice() -> Account {
    Account { address: "alice@example.test".to_owned(), password: "a long passphrase".to_owned() }
}

/// Building everything and booting, on a machine that has not built it yet.
const FIRST_START_MAX: Duration = Duration::from_secs(1500);

fn cargo_run_qemu(words: &[&str]) -> Server {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // cargo becomes the tool that it runs: the number stays.
    let mut tool =
        Server::start(command.args(["run", "-p", "qemu", "--"]).args(words).current_dir(repository()));
    let deadline = Instant::now() + FIRST_START_MAX;
    while !tool.console().has_line("ready") {
        let ended = tool.ended();
        assert!(
            ended.is_none() && Instant::now() < deadline,
            "not ready ({ended:?}):\n{}",
            tool.console().text()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    tool
}

/// The process that the tool has started and that is QEMU.
fn qemu_of(tool: u32) -> u32 {
    let processes = std::fs::read_dir("/proc").expect("/proc can be listed").flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok());
    let is_ours = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        stat.contains("(qemu-system-aar") && parent == Some(tool)
    };
    numbers.into_iter().find(is_ours).expect("the tool has started QEMU")
}

#[test]
fn a_first_letter_by_the_commands_of_the_readme() {
    let folder = scratch().join("first-letter");
    std::fs::remove_dir_all(&folder).ok();
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    let provision = folder.join("tegami.toml");
    std::fs::write(&provision, provision_of_the_readme()).expect("a file can be written");
    let offset = free_offset();
    let (disk, provision) = (folder.join("my.disk").display().to_string(), provision.display().to_string());
    let port_offset = offset.to_string();
    let words = ["--disk", &disk, "--provision", &provision, "--port-offset", &port_offset];

    let mut first = cargo_run_qemu(&words);
    let mut site = Site::new(offset, &folder);
    site.patience = 8;
    site.hostname = "localhost".to_owned();
    page::download_authority(&site);
    let letter = [
        "--to",
        "alice@example.test",
        "--from",
        "ann@client.test",
        "--header",
        "Subject: First",
        "--body",
        "Hello, box.",
    ];
    assert!(swaks(&site, Service::Smtp, "first-swaks", &letter).success().text().contains("<-  250"));
    read_back(&site);
    signal(qemu_of(first.pid()), "KILL");
    let status = first.wait(Duration::from_secs(20));
    assert!(
        status.is_some_and(|status| status != 0),
        "QEMU was killed: {status:?}\n{}",
        first.console().text()
    );
    drop(first);
    clean::is_clean_card(&folder.join("my.disk"));

    let mut second = cargo_run_qemu(&[words.as_slice(), &["--no-build"]].concat());
    read_back(&site);
    signal(second.pid(), "INT");
    let status = second.wait(Duration::from_secs(40));
    clean::is_clean_card(&folder.join("my.disk"));
    assert_eq!(status, Some(0), "Ctrl-C stops the box cleanly:\n{}", second.console().text());
}

fn read_back(site: &Site) {
    let alice = alice();
    let imap = curl(site, &alice, &[&url(site, "imaps", Service::Imaps, "INBOX/;MAILINDEX=1")]).success();
    let pop3 = curl(site, &alice, &[&url(site, "pop3s", Service::Pop3s, "1")]).success();
    assert!(imap.text().contains("Hello, box."), "{}", imap.all());
    assert_eq!(imap.text(), pop3.text());
}
