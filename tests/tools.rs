//! The tools for a flash that nobody serves: what goes out comes in again as it was, damage is found and named, and
//! an import that is killed goes on without losing a letter or bringing one twice.

#![expect(clippy::expect_used, reason = "a test fails by panicking; so do its helpers")]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};
use tests::built::program;
use tests::clients::{Imap, Smtp};
use tests::hosted::{Hosted, Options, scratch};
use tests::letters::{Random, id_in, numbered, short};
use tests::machine::Machine;
use tests::packages;
use tests::process::{Finished, run, wait};
use tests::provision::{named_account, small_file};
use tests::rescue::{Filed, Flash, maildir};
use tests::site::{Service, Site};
use tests::tidy::tree::repository;

const ALICE: &str = "alice@example.test";
const BOB: &str = "bob@example.test";

/// Where the body of letter 7 is damaged on purpose; no other letter has these bytes.
const VICTIM: u64 = 7;

/// Letters that a file can spoil: ends, lines that look like an mbox's, bytes that are no text.
fn odd_letters() -> Vec<Vec<u8>> {
    vec![
        b"Subject: no end\r\n\r\nlast line".to_vec(),
        b"Subject: bare LF\n\nFrom the desk\n>From me\n\n\n".to_vec(),
        b"Status: RO\nX-Status: A\nX-Keywords: mine\nSubject: own status\n\nFrom x Sat Nov 14 06:23:01 2026\n".to_vec(),
        b"Subject: bytes\r\n\r\n\0\xff\x80\r\r\n\r".to_vec(),
        b"\r\nno header at all\r\n".to_vec(),
        b"x".to_vec(),
    ]
}

const MAILBOXES: [&str; 6] =
    ["&kAFP4W4I-/&MMYwuTDI-", "a.b/.hidden", "x.mbox/y", "back\\\\slash", "INBOX/Old", "Empty"];

/// A flash that a program has made for Alice and Bob, and what clients have put on it. It has ended cleanly.
fn made(name: &str, furnish: impl FnOnce(&Site)) -> PathBuf {
    let options = Options {
        provision: Some(small_file(&[ALICE, BOB])),
        flash_size: "64MiB".into(),
        ..Options::default()
    };
    let mut hosted = Hosted::new(name, options);
    hosted.start();
    furnish(&hosted.site);
    hosted.stop();
    let kept = scratch().join(name).with_extension("flash");
    fs::rename(&hosted.flash, &kept).expect("a flash can be moved");
    kept
}

/// A flash with everything on it that the tools must keep, made once by real clients.
fn furnished() -> &'static Path {
    static FLASH: OnceLock<PathBuf> = OnceLock::new();
    FLASH.get_or_init(|| made("tools-furnished", furnish))
}

/// A flash with Alice and Bob on it, and no mail.
fn empty() -> &'static Path {
    static FLASH: OnceLock<PathBuf> = OnceLock::new();
    FLASH.get_or_init(|| made("tools-empty", |_| ()))
}

fn furnish(site: &Site) {
    let mut smtp = Smtp::connect(site, Service::Smtp);
    for number in 0..10 {
        smtp.letter("ann@client.test", &[ALICE, BOB], &numbered(number, 100_000));
    }
    let mut imap = Imap::select(site, &named_account(ALICE), "INBOX");
    imap.ok("STORE 1:2 +FLAGS.SILENT (\\Seen \\Answered $Junk)");
    for (number, letter) in odd_letters().iter().enumerate() {
        let flags = ["", "(\\Draft \\Seen) ", "(\\Flagged Work) ", "(\\Deleted) "][number % 4];
        let date = format!("\"{:>2}-Mar-2019 23:59:5{number} -0330\" ", number + 1);
        imap.append("INBOX", &(flags.to_owned() + &date), letter);
    }
    for (number, name) in MAILBOXES.iter().enumerate() {
        imap.ok(&format!("CREATE \"{name}\""));
        if *name != "Empty" {
            imap.append(&format!("\"{name}\""), "(Work) ", &short(&format!("in {number}"), "text"));
        }
    }
    let many: Vec<String> = (0..40).map(|number| format!("key{number}")).collect();
    for half in many.chunks(20) {
        imap.append("INBOX", &format!("({}) ", half.join(" ")), &short("many keywords", "text"));
    }
    imap.ok("COPY 3:4 Archive");
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Exports Alice's mail as a Maildir and gives what is in it.
fn exported(flash: &Flash, to: &str) -> BTreeMap<String, Vec<Filed>> {
    let folder = flash.folder.join(to);
    flash.tool("export", &["--account", "alice", "--maildir", &text(&folder)]).success();
    maildir(&folder)
}

fn import(flash: &Flash, from: &Path) -> Finished {
    flash.tool("import", &["--account", ALICE, &text(from)])
}

/// A message as IMAP shows it: the text of the response, and the literals in it.
type Shown = (String, Vec<Vec<u8>>);

/// What an IMAP client sees of all mailboxes: everything but UIDs.
fn seen_by_imap(hosted: &Hosted, account: &str) -> BTreeMap<String, Vec<Shown>> {
    let site = hosted.site();
    let mut imap = Imap::log_in(&site, &named_account(account));
    let names: Vec<String> = imap
        .ok("LIST \"\" *")
        .iter()
        .filter_map(|line| Some(line.text.split_once("\"/\" ")?.1.to_owned()))
        .collect();
    let mut found = BTreeMap::new();
    for name in names {
        imap.ok(&format!("EXAMINE {name}"));
        let fetched = imap.command("FETCH 1:* (FLAGS INTERNALDATE ENVELOPE BODYSTRUCTURE BODY.PEEK[])");
        let letters = fetched.untagged.into_iter().filter(|line| line.text.contains("FETCH"));
        found.insert(
            name,
            letters
                .map(|line| (line.text.replace(" \\Recent", "").replace("\\Recent", ""), line.literals))
                .collect(),
        );
    }
    found
}

#[test]
fn a_maildir_goes_out_and_comes_in_as_it_was() {
    let from = Flash::copy("maildir-from", furnished());
    let first = exported(&from, "first");
    assert!(first[""].iter().any(|letter| letter.keywords.len() == 20), "{:?}", first.keys());
    assert_eq!(first.len(), 15, "{:?}", first.keys());
    for (letter, filed) in odd_letters().iter().zip(&first[""][10..]) {
        assert!(*letter == filed.bytes && filed.zone == "-210", "{filed:?}");
    }
    let to = Flash::copy("maildir-to", empty());
    let said = import(&to, &from.folder.join("first")).success();
    assert!(said.text().contains("letters imported into alice@example.test"), "{}", said.all());
    assert_eq!(exported(&to, "second"), first);
    let mut seen = Vec::new();
    for (flash, name) in [(&from, "maildir-seen"), (&to, "maildir-shown")] {
        let mut hosted = flash.host(name, &[ALICE, BOB]);
        seen.push(seen_by_imap(&hosted, ALICE));
        flash.back(&mut hosted);
    }
    let (shown, was) = (seen.pop().expect("two"), seen.pop().expect("two"));
    for (name, letters) in &was {
        assert_eq!(shown.get(name), Some(letters), "{name}");
    }
}

#[test]
fn mbox_files_go_out_and_come_in_as_they_were() {
    let from = Flash::copy("mbox-from", furnished());
    let first = exported(&from, "first");
    let folder = from.folder.join("files");
    from.tool("export", &["--mbox", &text(&folder), "--account", ALICE]).success();
    let to = Flash::copy("mbox-to", empty());
    import(&to, &folder).success();
    let without_zones = |mut mail: BTreeMap<String, Vec<Filed>>| {
        mail.values_mut().flatten().for_each(|letter| letter.zone.clear());
        mail
    };
    assert_eq!(without_zones(exported(&to, "second")), without_zones(first));
    // One file alone is the mailbox of its name.
    let single = Flash::copy("mbox-single", empty());
    fs::copy(folder.join("INBOX.mbox"), single.folder.join("old mail.mbox")).expect("it is there");
    import(&single, &single.folder.join("old mail.mbox")).success();
    assert_eq!(exported(&single, "second")[".old mail"].len(), 18);
}

/// The standard library of Python reads both forms, and finds letters, flags and dates where it looks for them.
#[test]
fn python_reads_what_is_exported() {
    packages::ensure();
    let flash = Flash::copy("python", furnished());
    let (folder, files) = (flash.folder.join("maildir"), flash.folder.join("mbox"));
    flash.tool("export", &["--account", ALICE, "--maildir", &text(&folder)]).success();
    flash.tool("export", &["--account", ALICE, "--mbox", &text(&files)]).success();
    let read = |form: &str, place: &Path| -> Value {
        let script = repository().join("tests/python/mailboxes.py");
        let mut command = Command::new("/usr/bin/python3");
        let said = run(command.arg(script).arg(form).arg(place), Duration::from_secs(30)).success();
        serde_json::from_str(&said.text()).expect("it writes JSON")
    };
    let found = read("maildir", &folder);
    let inbox = found["INBOX"].as_array().expect("a list");
    assert_eq!(inbox.len(), 18, "{found}");
    assert_eq!((&inbox[0][0], &inbox[0][1]), (&"Letter 0".into(), &"RSa".into()));
    assert_eq!((&inbox[11][0], &inbox[11][1]), (&"bare LF".into(), &"DS".into()));
    assert_eq!(inbox[11][2], 1_551_583_791, "{inbox:?}");
    let found = read("mbox", &files);
    let inbox = found["INBOX.mbox"].as_array().expect("a list");
    assert_eq!(inbox.len(), 18, "{found}");
    assert_eq!(
        (&inbox[0][0], &inbox[0][1], &inbox[0][3]),
        (&"Letter 0".into(), &"ROA".into(), &"$Junk".into())
    );
    assert!(inbox[0][2].as_str().is_some_and(|from| from.starts_with("ann@client.test ")), "{inbox:?}");
    assert_eq!(inbox[11][2], "MAILER-DAEMON Sun Mar  3 03:29:51 2019");
    assert_eq!(found["a.b/\\2ehidden.mbox"].as_array().map(Vec::len), Some(1), "{found}");
}

/// Turns over one bit at the first place of the flash that reads so, from `from` on.
fn flip_a_bit(flash: &Path, bytes: &[u8], skip: usize) {
    let mut file = fs::File::options().read(true).write(true).open(flash).expect("the flash is a file");
    let mut all = Vec::new();
    file.read_to_end(&mut all).expect("it can be read");
    let found = all.windows(bytes.len()).enumerate().filter(|(_, window)| *window == bytes);
    let place = found.map(|(place, _)| place).nth(skip).expect("it is in the flash");
    file.seek(SeekFrom::Start(place as u64)).expect("a place in it");
    file.write_all(&[all[place] ^ 1]).expect("it can be written");
}

#[test]
fn a_damaged_body_is_found_and_its_messages_are_named() {
    let mut flash = Flash::copy("body", furnished());
    flash.is_damaged();
    let letter = numbered(VICTIM, 100_000);
    flip_a_bit(&flash.file, &letter[60_000..60_064], 0);
    let before = fs::read(&flash.file).expect("it can be read");
    let checked = flash.tool("check", &[]);
    assert_eq!(checked.status, 1, "{}", checked.all());
    let text_said = checked.text();
    for line in ["alice@example.test, mailbox INBOX, UID 8:", "bob@example.test, mailbox INBOX, UID 8:"] {
        assert!(text_said.contains(line), "{text_said}");
    }
    assert!(
        text_said
            .lines()
            .last()
            .is_some_and(|line| line.starts_with("damaged: 2 messages (1 letter), 1 place")),
        "{text_said}"
    );
    let folder = flash.folder.join("rest");
    for (form, to) in [("--maildir", folder.clone()), ("--mbox", flash.folder.join("files"))] {
        let said = flash.tool("export", &["--account", ALICE, form, &text(&to)]);
        assert!(
            said.status == 1 && said.stderr.contains("INBOX, UID 8: it cannot be read"),
            "{}",
            said.all()
        );
    }
    let rest = maildir(&folder);
    assert_eq!(rest[""].len(), 17);
    assert!(
        rest[""]
            .iter()
            .all(|filed| id_in(&String::from_utf8_lossy(&filed.bytes)).is_none_or(|(id, _)| id != VICTIM))
    );
    let again = Flash::copy("body-again", empty());
    import(&again, &flash.folder.join("files")).success();
    assert_eq!(exported(&again, "whole")[""].len(), 17, "a letter of which half was written");
    assert!(fs::read(&flash.file).expect("it can be read") == before, "looking changed it");
}

#[test]
fn a_damaged_commit_is_found() {
    let mut flash = Flash::copy("commit", furnished());
    flash.is_damaged();
    let header = format!("Subject: Letter {VICTIM}\r\n");
    flip_a_bit(&flash.file, header.as_bytes(), 0);
    let checked = flash.tool("check", &[]);
    assert_eq!(checked.status, 1, "{}", checked.all());
    assert!(checked.text().contains("damaged"), "{}", checked.all());
    assert_ne!(checked.text().lines().last(), Some("clean"));
}

/// One writer, and nobody looks at what it writes: the sentence names it.
#[test]
fn a_flash_in_use_is_left_alone() {
    let flash = Flash::copy("in-use", empty());
    fs::create_dir_all(flash.folder.join("in/cur")).expect("a folder can be made");
    let mut hosted = flash.host("in-use", &[ALICE, BOB]);
    let pid = hosted.pid().to_string();
    for (tool, words) in [
        ("check", &[] as &[&str]),
        ("stat", &[]),
        ("export", &["--account", "alice", "--mbox", "out"]),
        ("import", &["--account", "alice", "in"]),
        ("deleted", &["--account", "alice"]),
        ("undelete", &["--account", "alice", "1"]),
    ] {
        let mut command = Command::new(program());
        let said = run(
            command.current_dir(&flash.folder).arg(tool).arg(&hosted.flash).args(words),
            Duration::from_secs(10),
        );
        assert!(said.status == 1 && said.stderr.contains(&pid), "{tool}: {}", said.all());
        assert!(said.stderr.contains("is in use by"), "{tool}: {}", said.all());
    }
    assert!(!flash.folder.join("out").exists(), "it made a folder for nothing");
    flash.back(&mut hosted);
    // A killed one is not in the way, and what it left is clean.
    let mut hosted = flash.host("killed", &[ALICE, BOB]);
    Smtp::connect(&hosted.site(), Service::Smtp).letter("ann@client.test", &[ALICE], &numbered(1, 5_000));
    hosted.cut();
    fs::rename(&hosted.flash, &flash.file).expect("a flash can be moved");
    let said = flash.tool("check", &[]).success();
    assert!(
        said.text().starts_with("it was not closed") && said.text().ends_with("clean\n"),
        "{}",
        said.all()
    );
    assert_eq!(exported(&flash, "out")[""].len(), 1);
}

/// A Maildir of so many letters, as mail programs write it: bare line feeds.
fn foreign_maildir(folder: &Path, letters: u64, size: usize) {
    let cur = folder.join("cur");
    fs::create_dir_all(&cur).expect("a folder can be made");
    for number in 0..letters {
        let letter: Vec<u8> = numbered(number, size).into_iter().filter(|byte| *byte != b'\r').collect();
        fs::write(cur.join(format!("{}.M{number}P1.host:2,S", 1_600_000_000 + number)), letter)
            .expect("a letter");
    }
}

/// Kills imports within `span` of their beginning, as often as that; says whether each was under way.
fn kill_imports(flash: &Flash, from: &Path, random: &mut Random, (kills, span): (u32, Duration)) -> bool {
    (0..kills).all(|_| {
        let mut command = flash.command("import", &["--account", ALICE, &text(from)]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        thread::sleep(Duration::from_micros(random.below(span.as_micros() as u64)));
        let is_under_way = child.try_wait().expect("an own child").is_none();
        child.kill().ok();
        child.wait().expect("an own child can be waited for");
        is_under_way
    })
}

/// A flash on which an import was killed five times. Tried again with shorter runs when it came to its end too early.
fn killed_five_times(name: &str, from: &Path) -> Flash {
    let mut random = Random::new(u64::from(std::process::id()));
    let begun = Instant::now();
    import(&Flash::copy(name, empty()), from).success();
    let mut span = begun.elapsed() / 2;
    loop {
        let flash = Flash::copy(name, empty());
        if kill_imports(&flash, from, &mut random, (5, span)) {
            return flash;
        }
        span = span * 2 / 3;
    }
}

#[test]
fn an_import_that_is_killed_goes_on_and_brings_each_letter_once() {
    const LETTERS: u64 = 3_000;
    let source = Flash::copy("killed-source", empty());
    let folder = source.folder.join("maildir");
    foreign_maildir(&folder, LETTERS, 2_000);
    let mut mbox = Vec::new();
    for number in 0..LETTERS {
        mbox.extend_from_slice(b"From a@b.test Sat Nov 14 06:23:01 2026\n");
        mbox.extend_from_slice(&numbered(number, 2_000));
        mbox.extend_from_slice(b"\r\n");
    }
    let file = source.folder.join("INBOX.mbox");
    fs::write(&file, mbox).expect("a file can be written");
    for (name, from) in [("killed-maildir", &folder), ("killed-mbox", &file)] {
        let flash = killed_five_times(name, from);
        import(&flash, from).success();
        let letters = exported(&flash, "out").remove("").expect("INBOX");
        let numbers: Vec<u64> = letters
            .iter()
            .map(|filed| id_in(&String::from_utf8_lossy(&filed.bytes)).expect("a numbered letter").0)
            .collect();
        let twice = numbers.len() - numbers.iter().collect::<BTreeSet<_>>().len();
        assert!(
            numbers == (0..LETTERS).collect::<Vec<_>>(),
            "{name}: {} letters, {twice} twice",
            numbers.len()
        );
        assert!(letters[17].bytes == numbered(17, 2_000), "its lines do not end as they should");
        let again = import(&flash, from).success();
        assert!(again.text().contains("already"), "{}", again.all());
    }
}

/// What Dovecot 2.3 has written: folders, keywords, line feeds, a letter nobody has seen.
#[test]
fn a_maildir_of_dovecot_comes_in() {
    let flash = Flash::copy("dovecot", empty());
    let root = flash.folder.join("Maildir");
    let files: [(&str, &[u8], u64); 9] = [
        (
            "cur/1700000000.M1P1.mail,S=38,W=41:2,FSa",
            b"Subject: one\nTo: a@b.test\n\nFrom here\n",
            1_700_000_000,
        ),
        ("new/1700000001.M2P1.mail,S=18,W=20", b"Subject: two\n\ntwo\n", 1_700_000_100),
        ("dovecot-keywords", b"0 $Forwarded\n1 Unused\n", 0),
        ("dovecot-uidlist", b"3 V1700000000 N3 G0\n1 :1700000000.M1P1.mail,S=38,W=41\n", 0),
        (".Caf&AOk-.2024/cur/1700000002.M3P1.mail,S=20,W=22:2,RT", b"Subject: three\n\nno\n", 1_700_000_200),
        (".Caf&AOk-.2024/maildirfolder", b"", 0),
        (".Sent/cur/1700000003.M4P1.mail:2,DS", b"Subject: four\r\n\r\ncrlf\r\n", 1_700_000_300),
        (".Trash/tmp/unfinished", b"half a let", 0),
        ("subscriptions", b"Sent\n", 0),
    ];
    for (name, bytes, date) in files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
        fs::write(&path, bytes).expect("a file can be written");
        let file = fs::File::options().write(true).open(&path).expect("it is there");
        file.set_modified(UNIX_EPOCH + Duration::from_secs(date)).expect("a date can be set");
    }
    import(&flash, &root).success();
    let found = exported(&flash, "out");
    let brief = |folder: &str| -> Vec<(String, u64, String)> {
        let letters = found[folder].iter();
        letters
            .map(|filed| {
                (
                    filed.flags.clone() + &filed.keywords.join(" "),
                    filed.date,
                    String::from_utf8_lossy(&filed.bytes).into_owned(),
                )
            })
            .collect()
    };
    let crlf = |text: &str| text.replace('\n', "\r\n");
    assert_eq!(
        brief(""),
        [
            ("FS$Forwarded".to_owned(), 1_700_000_000, crlf("Subject: one\nTo: a@b.test\n\nFrom here\n")),
            (String::new(), 1_700_000_100, crlf("Subject: two\n\ntwo\n")),
        ]
    );
    assert_eq!(brief(".Caf&AOk-.2024"), [("RT".to_owned(), 1_700_000_200, crlf("Subject: three\n\nno\n"))]);
    assert_eq!(brief(".Sent"), [("DS".to_owned(), 1_700_000_300, crlf("Subject: four\n\ncrlf\n"))]);
    let mut hosted = flash.host("dovecot", &[ALICE, BOB]);
    let mut imap = Imap::select(&hosted.site(), &named_account(ALICE), "INBOX");
    let lines = imap.ok("FETCH 1 ENVELOPE");
    assert!(lines.iter().any(|line| line.text.contains("\"one\"")), "{lines:?}");
    let listed = imap.ok("LSUB \"\" *");
    assert!(listed.iter().any(|line| line.text.contains("Caf&AOk-/2024")), "{listed:?}");
    drop(imap);
    flash.back(&mut hosted);
}

/// A quota that is used up stops the import with a sentence; once it is raised the import goes on where it stopped.
#[test]
fn a_quota_stops_an_import_and_more_of_it_lets_it_go_on() {
    let flash = Flash::copy("quota", empty());
    let folder = flash.folder.join("in");
    foreign_maildir(&folder, 300, 10_000);
    let mut options = Options { provision: None, ..Options::default() };
    let with = |quota: &str| format!("{}quota = \"{quota}\"\n", small_file(&[ALICE]));
    for (number, quota) in ["1MiB", "100MiB"].into_iter().enumerate() {
        options.provision = Some(with(quota));
        let mut hosted = Hosted::new(&format!("tools-quota-{number}"), options.clone());
        fs::rename(&flash.file, &hosted.flash).expect("a flash can be moved");
        hosted.start();
        flash.back(&mut hosted);
        let said = import(&flash, &folder);
        if number == 0 {
            assert!(said.status == 1 && said.stderr.contains("quota is used up"), "{}", said.all());
            let letters = exported(&flash, "part")[""].len();
            assert!((80..110).contains(&letters), "{letters}");
        } else {
            said.success();
        }
    }
    let letters = exported(&flash, "all").remove("").expect("INBOX");
    let numbers =
        letters.iter().map(|filed| id_in(&String::from_utf8_lossy(&filed.bytes)).expect("numbered").0);
    assert!(numbers.eq(0..300));
}

/// Memory that a process has had at most, in KiB, looked at until it ends.
fn highest_kib(command: &mut Command) -> (u64, i32) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let mut highest = 0;
    loop {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().split(' ').next()?.parse().ok());
        highest = kib.unwrap_or(0).max(highest);
        if let Some(status) = wait_briefly(&mut child) {
            return (highest, status);
        }
    }
}

fn wait_briefly(child: &mut std::process::Child) -> Option<i32> {
    let ended = child.try_wait().expect("an own child can be waited for");
    if ended.is_none() {
        thread::sleep(Duration::from_millis(5));
        return None;
    }
    wait(child, Duration::from_secs(1))
}

/// A letter of 50 MB goes in and out, and the programs stay small.
#[test]
fn a_large_letter_passes_through_little_memory() {
    let flash = Flash::copy("large", empty());
    let folder = flash.folder.join("in");
    let letter = numbered(1, 50_000_000);
    fs::create_dir_all(folder.join("new")).expect("a folder can be made");
    fs::write(folder.join("new/1.large"), &letter).expect("a file can be written");
    let out = flash.folder.join("out");
    for (tool, words) in [
        ("import", ["--account", ALICE, &text(&folder)].as_slice()),
        ("export", &["--account", ALICE, "--mbox", &text(&out)]),
        ("check", &[]),
    ] {
        let (kib, status) = highest_kib(&mut flash.command(tool, words));
        println!("{tool}: {kib} KiB");
        assert!(status == 0 && kib < 24 * 1_024, "{tool} ended with {status} and had {kib} KiB");
    }
    let mbox = fs::read(out.join("INBOX.mbox")).expect("it is there");
    assert!(mbox.ends_with(&[letter.as_slice(), b"\n"].concat()));
}

#[test]
fn stat_says_how_full_and_how_worn_it_is() {
    let flash = Flash::copy("stat", furnished());
    let said = flash.tool("stat", &["--endurance", "10000"]).success().text();
    for words in [
        "capacity",
        "64.0 MiB",
        "alice@example.test",
        "quota",
        "erases of a segment",
        "at 10,000 erases a block",
        "years of",
    ] {
        assert!(said.contains(words), "{words}:\n{said}");
    }
    assert!(said.contains("letters stored               23"), "{said}");
}

/// What clients delete, with their mailbox or without, stands in the list and comes back as it was, under new UIDs.
#[test]
fn deleted_mail_is_listed_and_comes_back() {
    let flash = Flash::copy("deleted", furnished());
    let before = exported(&flash, "before");
    let mut hosted = flash.host("deleted", &[ALICE, BOB]);
    let mut imap = Imap::select(&hosted.site(), &named_account(ALICE), "INBOX");
    imap.ok("STORE 1:3 +FLAGS (\\Deleted)");
    imap.ok("EXPUNGE");
    imap.ok("DELETE \"a.b/.hidden\"");
    drop(imap);
    flash.back(&mut hosted);
    let listed = flash.tool("deleted", &["--account", "alice"]).success().text();
    let lines: Vec<&str> = listed.lines().collect();
    // The three, what stood in the mailbox, and a letter that was made with the flag.
    let deleted = lines.len() - 1;
    assert!(
        deleted >= 5 && lines[deleted].starts_with(&format!("{deleted} deleted messages of alice")),
        "{listed}"
    );
    assert!(lines[0].contains("a.b/.hidden (gone)") && lines[0].ends_with("in 1"), "{listed}");
    assert!(lines.iter().any(|line| line.contains("INBOX") && line.ends_with("Letter 0")), "{listed}");
    let none = flash.tool("deleted", &["--account", "bob"]).success().text();
    assert!(none.starts_with("0 deleted messages of bob"), "{none}");
    let stat = flash.tool("stat", &[]).success().text();
    assert!(stat.contains(&format!("deleted, can be brought back {deleted} messages, ")), "{stat}");
    let undelete = |words: &[&str]| {
        let words: Vec<&str> = ["--account", ALICE].iter().chain(words).copied().collect();
        flash.tool("undelete", &words)
    };
    let wrong = undelete(&["123456"]);
    assert!(wrong.status == 1 && wrong.stderr.contains("no deleted message 123456"), "{}", wrong.all());
    let numbers: Vec<String> =
        lines[..deleted].iter().filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect();
    undelete(&[&numbers[0]]).success();
    assert_eq!(exported(&flash, "hidden").get(".a\\2eb.\\2ehidden"), before.get(".a\\2eb.\\2ehidden"));
    undelete(&["--since", "2100-01-01"]).success();
    let back = undelete(&["--since", "2026-01-01T12:00"]).success().text();
    assert!(back.starts_with(&format!("{} messages of alice@example.test", deleted - 1)), "{back}");
    let after = exported(&flash, "after");
    let bytes = |mail: &BTreeMap<String, Vec<Filed>>| {
        let mut all: Vec<Vec<u8>> = mail[""].iter().map(|filed| filed.bytes.clone()).collect();
        all.sort();
        all
    };
    assert_eq!(bytes(&after), bytes(&before));
    assert!(after[""].iter().filter(|filed| filed.flags.contains('T')).count() >= 3, "flags come back, too");
    let mut hosted = flash.host("undeleted", &[ALICE, BOB]);
    let mut imap = Imap::select(&hosted.site(), &named_account(ALICE), "INBOX");
    assert!(imap.uids().iter().all(|uid| *uid > 3), "a UID was used twice");
    imap.ok("UID EXPUNGE 4:*");
    drop(imap);
    flash.back(&mut hosted);
    let back = undelete(&["--mailbox", "INBOX"]).success().text();
    assert!(back.ends_with("brought back\n"), "{back}");
    assert_eq!(bytes(&exported(&flash, "last")), bytes(&before));
}

/// Mistakes get a sentence and a status, and harm nothing.
#[test]
fn mistakes_get_a_sentence() {
    let flash = Flash::copy("mistakes", empty());
    fs::create_dir_all(flash.folder.join("full/cur")).expect("a folder can be made");
    fs::write(flash.folder.join("text"), "Dear diary,\n").expect("a file can be written");
    let noise: Vec<u8> =
        (0..1_u32 << 20).flat_map(|number| number.wrapping_mul(0x9E37_79B9).to_le_bytes()).collect();
    fs::write(flash.folder.join("noise"), noise).expect("a file can be written");
    let card = fs::File::create(flash.folder.join("card")).expect("a file can be made");
    card.set_len(image::layout::IMAGE_BYTES).expect("it can be long");
    (&card).write_all(&image::layout::fresh_mbr()).expect("it can be written");
    let file = text(&flash.file);
    for (words, sentence) in [
        (vec!["check"], "needs FLASH"),
        (vec!["check", "no-such.flash"], "no-such.flash"),
        (vec!["check", "full"], "neither a file nor a block device"),
        (vec!["check", "noise"], "no Tegami store"),
        (vec!["check", "card"], "whole card"),
        (vec!["import", "no-such.flash", "full", "--account", "alice"], "there is no no-such.flash"),
        (
            vec!["export", &file, "--account", "carol", "--mbox", "out"],
            "alice@example.test, bob@example.test",
        ),
        (vec!["export", &file, "--account", "alice", "--mbox", "full"], "not empty"),
        (vec!["import", &file, "text", "--account", "alice"], "neither a Maildir nor an mbox"),
        (vec!["import", &file, "nothing", "--account", "alice"], "nothing"),
        (vec!["stat", &file, "--endurance", "none"], "not a number"),
        (vec!["deleted", &file, "--account", "carol"], "alice@example.test, bob@example.test"),
        (vec!["undelete", &file, "--account", "alice"], "needs numbers"),
        (vec!["undelete", &file, "--account", "alice", "--since", "noon"], "not a time"),
        (vec!["undelete", "no-such.flash", "1", "--account", "alice"], "there is no no-such.flash"),
    ] {
        let mut command = Command::new(program());
        let said = run(command.current_dir(&flash.folder).args(&words), Duration::from_secs(10));
        assert!(said.status == 1 && said.stderr.contains(sentence), "{words:?}: {}", said.all());
        assert!(
            said.stderr.lines().count() == 1 && !said.stderr.contains("panicked"),
            "{words:?}: {}",
            said.all()
        );
    }
    assert!(!flash.folder.join("no-such.flash").exists(), "looking made a file");
    // Whoever stops reading is not shown a panic.
    let words = ["-c", "\"$0\" check \"$1\" | true", &text(program()), &file];
    let said = run(Command::new("sh").args(words), Duration::from_secs(10)).success();
    assert!(!said.all().contains("panicked"), "{}", said.all());
    for tool in ["check", "stat", "export", "import", "deleted", "undelete"] {
        let help = run(Command::new(program()).args([tool, "--help"]), Duration::from_secs(10)).success();
        assert!(help.text().contains("Usage: tegami"), "{}", help.all());
    }
    let help = run(Command::new(program()).arg("--help"), Duration::from_secs(10)).success();
    assert!(
        ["check", "stat", "export", "import", "deleted", "undelete"]
            .iter()
            .all(|tool| help.text().contains(tool)),
        "{}",
        help.all()
    );
}
