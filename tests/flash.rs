//! What is wrong with a flash: noise, half of one, one that somebody else uses, a byte that changed. Never a panic,
//! never an empty box where there was mail, always a sentence.

#![expect(clippy::expect_used, reason = "a test fails by panicking; so do its helpers")]

use image::layout::{FLASH_BYTES_MIN, FLASH_START};
use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;
use tests::boxed::Boxed;
use tests::built::program;
use tests::clients::{Imap, Smtp, Wire};
use tests::hosted::{Hosted, Options};
use tests::letters::{Random, numbered};
use tests::machine::Machine;
use tests::page;
use tests::process::run;
use tests::provision::{named_account, small_file};
use tests::scenarios;
use tests::site::{Account, Service, Site};

const ALICE: &str = "alice@example.test";
const BOB: &str = "bob@example.test";

fn alice() -> Account {
    named_account(ALICE)
}

fn hosted(name: &str, flash_size: &str) -> Hosted {
    let provision = Some(small_file(&[ALICE]));
    Hosted::new(name, Options { provision, flash_size: flash_size.to_owned(), ..Options::default() })
}

/// One clear sentence and no trace of a panic.
fn is_clear(printed: &str, flash: &Path) {
    assert!(!printed.contains("panicked") && !printed.contains("stack backtrace"), "{printed}");
    let name = flash.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let sentence = printed.lines().find(|line| line.contains(&name) && line.split_whitespace().count() >= 4);
    assert!(sentence.is_some(), "no sentence speaks of {name}:\n{printed}");
}

/// Whatever it is, it is somebody's: it is refused, and not one byte of it changed.
#[test]
fn a_flash_full_of_noise_is_refused_and_left_as_it_is() {
    let mut hosted = hosted("noise", "64MiB");
    let mut random = Random::new(64);
    let noise: Vec<u8> = (0..8 << 20).flat_map(|_| random.next().to_le_bytes()).collect();
    fs::write(&hosted.flash, &noise).expect("a file can be written");
    let (status, printed) = hosted.start_in_vain();
    assert_ne!(status, 0);
    is_clear(&printed, &hosted.flash);
    assert!(fs::read(&hosted.flash).expect("it is still there") == noise, "it was written to");
}

/// The same on the box, where there was mail: it stays on the network, says everywhere what is wrong, and leaves the
/// flash to whoever can read it. Before, its power key is pressed while clients are connected: they are told.
#[test]
fn a_box_with_a_flash_full_of_noise_says_so_and_leaves_it() {
    let builder = qemu::Machine::builder().board(qemu::Board::Virt).flash_bytes(FLASH_BYTES_MIN);
    let mut boxed = Boxed::start_with("noise-box", qemu::Board::Virt, builder, &small_file(&[ALICE]));
    let site = boxed.site();
    Smtp::connect(&site, Service::Smtp).letter("ann@client.test", &[ALICE], &numbered(1, 5_000));
    scenarios::everyone_hears_the_end(&site, &alice(), || drop(boxed.shut_down()));
    boxed.damages_its_flash();
    let noise = fill_with_noise(boxed.disk());
    boxed.start();
    for (service, begins) in [(Service::Smtp, "421 "), (Service::Imap, "* BYE "), (Service::Pop3, "-ERR ")] {
        let said = Wire::connect_plain(&site, service).and_then(|mut wire| wire.rest());
        let said = said.unwrap_or_else(|error| panic!("{service:?}: {error}\n{}", boxed.console()));
        assert!(said.starts_with(begins) && said.contains("flash"), "{service:?}: {said}");
        assert!(said.lines().count() == 1 && said.split_whitespace().count() >= 5, "{service:?}: {said}");
    }
    let (english, japanese) = ("the flash cannot be used", "フラッシュを使えない");
    for (language, there, not_there) in [("en", english, japanese), ("ja", japanese, english)] {
        let page = page_in(&site, language);
        assert!(page.contains(there) && !page.contains(not_there), "in {language}:\n{page}");
    }
    let console = boxed.shut_down();
    assert!(console.contains(english), "{console}");
    for word in ["panicked", "Kernel panic", "mail process died", "mail service ended"] {
        assert!(!console.contains(word), "`{word}`:\n{console}");
    }
    assert!(flash_on(boxed.disk()) == noise, "it was written to:\n{console}");
}

/// The first page, which must be there, for a browser that is set to this language.
fn page_in(site: &Site, language: &str) -> String {
    let url = format!("http://{}:{}/", site.hostname, site.port(Service::Http));
    let accepts = format!("Accept-Language: {language}");
    let page =
        page::curl(site, &["--write-out", "%{http_code}", "--header", &accepts, &url]).success().text();
    assert!(page.ends_with("200"), "not 200:\n{page}");
    page
}

/// Writes noise over all of the flash on a disk; gives what is there now.
fn fill_with_noise(disk: &Path) -> Vec<u8> {
    let mut random = Random::new(65);
    let size = flash_on(disk).len();
    let noise: Vec<u8> = (0..size / 8).flat_map(|_| random.next().to_le_bytes()).collect();
    assert!(noise.len() as u64 >= FLASH_BYTES_MIN, "the disk has {size} bytes of flash");
    let mut disk = fs::File::options().write(true).open(disk).expect("the disk is a file");
    disk.seek(SeekFrom::Start(FLASH_START)).expect("the flash is in it");
    disk.write_all(&noise).expect("it can be written");
    noise
}

fn flash_on(disk: &Path) -> Vec<u8> {
    let mut disk = fs::File::open(disk).expect("the disk is a file");
    disk.seek(SeekFrom::Start(FLASH_START)).expect("the flash is in it");
    let mut flash = Vec::new();
    disk.read_to_end(&mut flash).expect("it can be read");
    flash
}

#[test]
fn a_file_too_small_for_a_flash_is_refused_and_left_as_it_is() {
    let mut hosted = hosted("tiny", "64MiB");
    fs::write(&hosted.flash, b"Dear diary,\n").expect("a file can be written");
    let (status, printed) = hosted.start_in_vain();
    assert_ne!(status, 0);
    is_clear(&printed, &hosted.flash);
    assert!(fs::read(&hosted.flash).expect("it is still there") == b"Dear diary,\n", "it was written to");
}

/// Half of a flash, with letters in the half that is gone: it is refused and nothing touched, so that whoever has the
/// other half can still put them together.
#[test]
fn half_a_flash_is_refused_and_left_as_it_is() {
    let mut hosted = hosted("half", "64MiB");
    hosted.start();
    let site = hosted.site();
    let mut smtp = Smtp::connect(&site, Service::Smtp);
    for number in 0..100 {
        smtp.letter("ann@client.test", &[ALICE], &numbered(number, 400_000));
    }
    drop(smtp);
    hosted.stop();
    let file = fs::File::options().write(true).open(&hosted.flash).expect("the flash is a file");
    let half = file.metadata().expect("it has a length").len() / 2;
    file.set_len(half).expect("it can be cut");
    let before = fs::read(&hosted.flash).expect("it can be read");
    let (status, printed) = hosted.start_in_vain();
    assert_ne!(status, 0);
    is_clear(&printed, &hosted.flash);
    assert!(fs::read(&hosted.flash).expect("it is still there") == before, "it was written to");
}

/// One bit of one letter turns: that letter is never shown as if nothing had happened, all others are whole.
#[test]
fn one_damaged_letter_harms_no_other() {
    let mut hosted = hosted("damaged", "64MiB");
    hosted.start();
    let site = hosted.site();
    let mut smtp = Smtp::connect(&site, Service::Smtp);
    for number in 0..10 {
        smtp.letter("ann@client.test", &[ALICE], &numbered(number, 100_000));
    }
    drop(smtp);
    hosted.stop();
    hosted.damages_its_flash();
    let victim = numbered(4, 100_000);
    flip_a_bit_of(&hosted.flash, &victim[50_000..50_064]);
    hosted.start();
    let mut imap = Imap::select(&site, &alice(), "INBOX");
    let mut whole = 0;
    for uid in imap.uids() {
        let answer = imap.command(&format!("UID FETCH {uid} BODY.PEEK[]"));
        let Some(bytes) = answer.untagged.iter().find_map(|response| response.literals.first()) else {
            continue;
        };
        let number = u64::from(uid) - 1;
        let right = bytes.ends_with(&numbered(number, 100_000));
        assert!(right || number == 4, "letter {number} suffered");
        assert!(right || answer.status != "OK", "a damaged letter is shown as if nothing had happened");
        whole += usize::from(right);
    }
    assert_eq!(whole, 9);
}

fn flip_a_bit_of(flash: &Path, bytes: &[u8]) {
    let mut file = fs::File::options().read(true).write(true).open(flash).expect("the flash is a file");
    let mut all = Vec::new();
    file.read_to_end(&mut all).expect("it can be read");
    let place =
        all.windows(bytes.len()).position(|window| window == bytes).expect("the letter is in the flash");
    file.seek(SeekFrom::Start(place as u64)).expect("a place in it");
    file.write_all(&[all[place] ^ 1]).expect("it can be written");
}

/// A flash that is full refuses for now, with the codes that say so, and keeps what it has taken; reading goes on,
/// also after a kill.
#[test]
fn a_full_flash_refuses_and_keeps_everything() {
    let mut hosted = hosted("full", "64MiB");
    hosted.start();
    let site = hosted.site();
    let mut smtp = Smtp::connect(&site, Service::Smtp);
    let mut taken = 0;
    let refusal = loop {
        let letter = numbered(taken, 500_000);
        let reply = smtp.try_letter("ann@client.test", &[ALICE], &letter).expect("the connection stays");
        if reply.code != 250 {
            break reply;
        }
        taken += 1;
        assert!(taken < 140, "64 MiB hold {taken} letters of 500 kB");
    };
    assert_eq!(refusal.code, 452, "{}", refusal.text());
    assert!(taken > 60, "64 MiB hold only {taken} letters of 500 kB");
    for turn in ["before", "after"] {
        let mut imap = Imap::select(&site, &alice(), "INBOX");
        let full = imap.try_append("INBOX", "", &numbered(999, 500_000)).expect("the connection stays");
        assert!(full.status == "NO" && full.text.starts_with("[OVERQUOTA]"), "{turn} the kill: {full:?}");
        assert_eq!(imap.uids().len() as u64, taken, "{turn} the kill");
        for number in 0..taken {
            assert!(
                imap.letter(number as u32 + 1).ends_with(&numbered(number, 500_000)),
                "{turn}: letter {number}"
            );
        }
        hosted.cut();
        hosted.start();
    }
    // The room that expunged letters leave is not asked for here: reclaiming it is another promise.
    let mut imap = Imap::select(&site, &alice(), "INBOX");
    imap.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)");
    imap.ok("EXPUNGE");
    assert!(imap.uids().is_empty(), "a full box lets go of letters");
}

/// One writer: a second program names the first and ends; the first goes on.
#[test]
fn a_second_program_on_the_same_flash_names_the_first() {
    let mut first = hosted("second", "64MiB");
    first.start();
    let second = Hosted::new("second-other", Options { provision: None, ..Options::default() });
    let mut command = std::process::Command::new(program());
    command.arg("host").arg("--flash").arg(&first.flash);
    command.args(["--port-offset", &second.site.port_offset.to_string()]);
    let ended = run(&mut command, Duration::from_secs(10));
    assert_ne!(ended.status, 0);
    assert!(
        ended.all().contains(&first.pid().to_string()),
        "it does not name {}: {}",
        first.pid(),
        ended.all()
    );
    Smtp::connect(&first.site, Service::Smtp).letter("ann@client.test", &[ALICE], &numbered(1, 5_000));
}

/// SIGTERM with clients connected: their connections end, the letters stay, and nothing is repaired afterwards.
#[test]
fn a_clean_end_keeps_everything() {
    let mut hosted = hosted("clean-end", "64MiB");
    hosted.start();
    let site = hosted.site();
    Smtp::connect(&site, Service::Smtp).letter("ann@client.test", &[ALICE], &numbered(1, 5_000));
    let mut idle = Imap::select(&site, &alice(), "INBOX");
    idle.idle();
    hosted.stop();
    hosted.start();
    let mut imap = Imap::select(&site, &alice(), "INBOX");
    assert!(imap.letter(1).ends_with(&numbered(1, 5_000)));
}

/// Mistakes on the command line get a sentence and a status, not a trace.
#[test]
fn mistakes_on_the_command_line_get_a_sentence() {
    for words in [
        &["serve"] as &[&str],
        &["host"],
        &["host", "--flash", "/no/such/folder/tegami.flash"],
        &["host", "--flash", "/"],
        &["host", "--flash", "x.flash", "--colour", "blue"],
        &["host", "--flash", "x.flash", "--port-offset", "many"],
        &["host", "--flash", "x.flash", "--provision", "/no/such/tegami.toml"],
    ] {
        let mut command = std::process::Command::new(program());
        let folder = tests::hosted::scratch();
        fs::create_dir_all(&folder).expect("a folder can be made");
        let ended = run(command.current_dir(folder).args(words), Duration::from_secs(10));
        assert!(ended.status > 0, "{words:?}: {}", ended.all());
        assert!(
            ended.stderr.lines().count() <= 3 && ended.stderr.split_whitespace().count() >= 4,
            "{words:?}: {}",
            ended.all()
        );
        assert!(!ended.all().contains("panicked"), "{words:?}: {}", ended.all());
    }
    let help = run(std::process::Command::new(program()).arg("--help"), Duration::from_secs(10)).success();
    assert!(help.text().contains("--flash"), "{}", help.text());
}

/// The settings file of one box with the flash of another: what is on the flash is served as it is, and the file adds what
/// it names, as it does everywhere. Nobody's mail is mixed up, and clients see that it is another store.
#[test]
fn a_flash_from_another_box_is_served_with_what_is_on_it() {
    let [mut first, mut second] = [("swapped-first", ALICE), ("swapped-second", BOB)].map(|(name, owner)| {
        let provision = Some(small_file(&[owner]));
        Hosted::new(name, Options { provision, flash_size: "64MiB".to_owned(), ..Options::default() })
    });
    let mut validities = Vec::new();
    for (hosted, owner) in [(&mut first, ALICE), (&mut second, BOB)] {
        hosted.start();
        let site = hosted.site();
        Smtp::connect(&site, Service::Smtp).letter("ann@client.test", &[owner], &numbered(7, 5_000));
        let mut imap = Imap::log_in(&site, &named_account(owner));
        validities.push(validity(&mut imap));
        hosted.stop();
    }
    assert_ne!(validities[0], validities[1], "letters of one would be taken for letters of the other");
    fs::copy(&second.flash, &first.flash).expect("a card can be put into another box");
    fs::remove_file(&first.site().authority).ok();
    first.start();
    let site = first.site();
    let mut bob = Imap::log_in(&site, &named_account(BOB));
    assert_eq!(validity(&mut bob), validities[1]);
    bob.ok("SELECT INBOX");
    let uids = bob.uids();
    assert_eq!(uids.len(), 1);
    assert!(bob.letter(uids[0]).ends_with(&numbered(7, 5_000)));
    let mut alice = Imap::select(&site, &alice(), "INBOX");
    assert!(alice.uids().is_empty(), "her mail is on the other card");
    assert!(
        !validities.contains(&validity(&mut alice)),
        "clients that knew her mailbox see that it is another"
    );
}

fn validity(imap: &mut Imap) -> String {
    let told = imap.ok("STATUS INBOX (UIDVALIDITY)");
    told.first().map(|untagged| untagged.text.clone()).unwrap_or_default()
}
