//! IMAP on 143 and 993: mailboxes as mail programs use them.

use super::inbox;
use crate::clients::imap::quoted;
use crate::clients::smtp::auth_plain;
use crate::clients::{Imap, Pop3, Smtp};
use crate::letters::{numbered, short};
use crate::organiser::Organiser;
use crate::programs::{curl, fetchmail, mbsync, python, url};
use crate::provision;
use crate::site::{Account, Service, Site};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Letters in a mailbox that is large for one test, and small for a box.
const MANY: usize = 300;

/// curl on port 143: STARTTLS, a listing, a search, a header.
pub fn curl_reads_by_imap_after_starttls(site: &Site) {
    let account = site.account();
    Imap::log_in(site, &account).append("INBOX", "(\\Flagged) ", &short("for curl", "Hello."));
    let at = |rest: &str| url(site, "imap", Service::Imap, rest);
    let listing = curl(site, &account, &[&at("")]).success().text();
    for name in ["INBOX", "Drafts", "Sent", "Junk", "Trash", "Archive"] {
        assert!(listing.contains(name), "{listing}");
    }
    let found = curl(site, &account, &[&at("INBOX"), "--request", "SEARCH FLAGGED"]).success().text();
    assert!(found.contains("* SEARCH 1"), "{found}");
    let header =
        curl(site, &account, &[&at("INBOX/;MAILINDEX=1/;SECTION=HEADER.FIELDS%20(SUBJECT)")]).success();
    assert_eq!(header.text().trim(), "Subject: for curl");
}

/// Python's imaplib through everything of RFC 3501 that it can say, and the extensions.
pub fn imaplib_keeps_a_whole_dialogue(site: &Site) {
    python(site, "imap_dialogue.py", &site.account()).success();
}

/// mbsync: what is on the box comes here with its flags; what changes here (a new letter, a flag, a deletion) goes
/// there; a second run has nothing to do.
pub fn mbsync_syncs_both_ways_with_flags(site: &Site) {
    let account = site.account();
    let folder = site.folder_for("mbsync");
    let mut imap = Imap::log_in(site, &account);
    imap.append("INBOX", "(\\Seen \\Answered) ", &short("seen", "Hello."));
    imap.append("INBOX", "", &short("new", "Hello."));
    imap.append("Archive", "(\\Flagged) ", &numbered(1, 50_000));
    mbsync(site, &account, "*", &folder).success();
    let near = folder.join("near");
    let seen = file_with(&near.join("INBOX"), "Subject: seen");
    assert!(seen.to_string_lossy().ends_with(":2,RS"), "{}", seen.display());
    file_with(&near.join("Archive"), "X-Test-Letter: 1/50000");

    fs::remove_file(file_with(&near.join("INBOX"), "Subject: new")).expect("an own file can be removed");
    fs::rename(&seen, seen.to_string_lossy().replace(":2,RS", ":2,FRS")).expect("an own file can be renamed");
    fs::write(near.join("INBOX/new/1.tests.here"), "Subject: from here\n\nHello.\n")
        .expect("a letter can be written");
    mbsync(site, &account, "*", &folder).success();

    imap.ok("SELECT INBOX");
    let letters: Vec<Vec<u8>> = imap.uids().into_iter().map(|uid| imap.letter(uid)).collect();
    let subjects: Vec<bool> = letters
        .iter()
        .map(|bytes| String::from_utf8_lossy(bytes).contains("Subject: from here\r\n"))
        .collect();
    assert_eq!(subjects, [false, true], "the deletion and the new letter went there");
    let flags = imap.ok("FETCH 1 FLAGS").remove(0).text;
    assert!(["\\Seen", "\\Answered", "\\Flagged"].iter().all(|flag| flags.contains(flag)), "{flags}");

    let before = files(&near);
    mbsync(site, &account, "*", &folder).success();
    assert_eq!(files(&near), before, "a third run changes nothing");
}

/// fetchmail by IMAP takes the letters and leaves an empty mailbox.
pub fn fetchmail_takes_by_imap(site: &Site) {
    let account = site.account();
    let mut imap = Imap::log_in(site, &account);
    imap.append("INBOX", "", &short("first", "Hello."));
    imap.append("INBOX", "", &short("second", "Hello again."));
    let taken = String::from_utf8_lossy(&fetchmail(site, &account, "IMAP", "fetchmail-imap")).into_owned();
    assert!(taken.contains("Subject: first") && taken.contains("Hello again."), "{taken}");
    inbox(site, &account, 0);
}

/// A UID names one letter for ever: not even an emptied mailbox starts again.
pub fn uids_are_never_given_twice(site: &Site) {
    let account = site.account();
    let mut imap = Imap::select(site, &account, "INBOX");
    let mut known = Vec::new();
    for turn in 0..3 {
        imap.append("INBOX", "", &short(&format!("turn {turn}"), "Hello."));
        imap.ok("NOOP");
        let uids = imap.uids();
        assert_eq!(uids.len(), 1);
        assert!(known.iter().all(|older| *older < uids[0]), "{uids:?} after {known:?}");
        known.extend(uids);
        imap.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
        imap.ok("EXPUNGE");
    }
    assert!(imap.uids().is_empty());
}

/// Some hundred letters: listed in one command, searched, flagged and expunged by ranges.
pub fn a_mailbox_of_many_letters_lists_and_searches(site: &Site) {
    let account = site.account();
    let mut smtp = Smtp::connect(site, Service::Smtp);
    for number in 0..MANY {
        smtp.letter("ann@client.test", &[&account.address], &numbered(number as u64, 1_000));
    }
    inbox_grows_to(site, &account, MANY);
    let mut imap = Imap::select(site, &account, "INBOX");
    let listed = imap.ok("FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)");
    assert_eq!(listed.iter().filter(|response| response.text.contains("ENVELOPE (")).count(), MANY);
    let found = imap.ok("SEARCH SUBJECT \"Letter 123\"").remove(0).text;
    assert_eq!(found.trim(), "SEARCH 124");
    imap.ok("STORE 1:* +FLAGS.SILENT (\\Seen)");
    imap.ok("STORE 1:100,201:* +FLAGS.SILENT (\\Deleted)");
    assert_eq!(
        imap.ok("EXPUNGE").iter().filter(|response| response.text.ends_with("EXPUNGE")).count(),
        MANY - 100
    );
    let left = imap.uids();
    assert_eq!(left.len(), 100);
    assert!(imap.letter(left[0]).ends_with(&numbered(100, 1_000)));
    assert!(imap.letter(left[99]).ends_with(&numbered(199, 1_000)));
}

fn inbox_grows_to(site: &Site, account: &Account, count: usize) {
    let mut imap = Imap::select(site, account, "INBOX");
    let deadline = Instant::now() + site.settling * 10;
    while imap.uids().len() < count && Instant::now() < deadline {
        imap.ok("NOOP");
    }
    assert_eq!(imap.uids().len(), count);
}

/// APPEND and FETCH are inverses, for letters of every size up to a mebibyte.
pub fn an_appended_letter_comes_back_byte_for_byte(site: &Site) {
    let account = site.account();
    let mut imap = Imap::select(site, &account, "INBOX");
    for (number, size) in [600, 4_096, 65_535, 65_537, 1 << 20].into_iter().enumerate() {
        let letter = numbered(number as u64, size);
        imap.append("INBOX", "(\\Draft) \"22-Nov-2026 10:00:00 +0900\" ", &letter);
        imap.ok("NOOP");
        let uid = *imap.uids().last().expect("it is there");
        assert!(imap.letter(uid) == letter, "{size} bytes");
        let part = imap.ok(&format!("UID FETCH {uid} (INTERNALDATE BODY.PEEK[]<500.77>)")).remove(0);
        assert_eq!(part.literals[0], &letter[500..577.min(letter.len())]);
        let same_moment = ["22-Nov-2026 10:00:00 +0900", "22-Nov-2026 01:00:00 +0000"];
        assert!(same_moment.iter().any(|date| part.text.contains(date)), "{}", part.text);
    }
}

/// Where the network is not this machine itself, every protocol refuses a password before TLS.
pub fn no_password_travels_in_clear(site: &Site) {
    let account = site.account();
    let mut imap = Imap::try_connect(site, Service::Imap).expect("a greeting");
    let mut pop3 = Pop3::try_connect(site, Service::Pop3).expect("a greeting");
    let mut smtp = Smtp::connect(site, Service::Submission);
    let login = format!("LOGIN {} {}", quoted(&account.address), quoted(&account.password));
    if site.plain_passwords {
        imap.ok(&login);
        pop3.ok(&format!("USER {}", account.address));
        pop3.ok(&format!("PASS {}", account.password));
        return;
    }
    let capabilities = imap.ok("CAPABILITY").remove(0).text;
    assert!(capabilities.contains("LOGINDISABLED") && capabilities.contains("STARTTLS"), "{capabilities}");
    imap.refused("NO", &login);
    pop3.refused(&format!("USER {}", account.address));
    let reply = smtp.command(&auth_plain(&account));
    assert!([530, 538, 502, 503].contains(&reply.code), "{} {}", reply.code, reply.text());
}

/// Letters appended, flagged, moved and expunged one after the other are where the answers said they are.
pub fn filing_is_as_it_was_confirmed(site: &Site) {
    let mut organiser = Organiser::new(site.account(), 7);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| organiser.work(site, &stop));
        thread::sleep(Duration::from_secs(1) * site.patience);
        stop.store(true, Ordering::Relaxed);
    });
    assert!(organiser.steps() > 5, "{} steps", organiser.steps());
    organiser.verify(site);
}

/// A connection that ends inside the literal, or that sends too little of it, appends nothing.
pub fn an_append_that_breaks_off_leaves_nothing(site: &Site) {
    let account = site.account();
    let letter = numbered(1, 200_000);
    for (plus, cut) in [("", 0), ("", 100_000), ("+", 150_000), ("+", letter.len())] {
        let mut imap = Imap::log_in(site, &account);
        imap.start(&format!("APPEND INBOX {{{}{plus}}}", letter.len() + 1)).expect("the connection is open");
        if plus.is_empty() {
            imap.wire.line().expect("a continuation");
        }
        imap.wire.send(&letter[..cut]).expect("the connection is open");
    }
    let mut imap = Imap::log_in(site, &account);
    imap.append("INBOX", "", &letter);
    assert_eq!(inbox(site, &account, 1), [letter]);
}

/// A mailbox that is full takes no more by APPEND or COPY either, says so in the words that clients know (RFC 9208),
/// and takes letters again when some are gone.
pub fn an_append_beyond_the_quota_is_refused(site: &Site) {
    let narrow = provision::named_account(provision::NARROW_ACCOUNT);
    let mut imap = Imap::select(site, &narrow, "INBOX");
    let letter = numbered(1, provision::SMALL_QUOTA / 8);
    let mut kept = 0;
    let refusal = loop {
        let answer = imap.try_append("INBOX", "", &letter).expect("the connection stays");
        if answer.status != "OK" {
            break answer;
        }
        kept += 1;
        assert!(kept <= 8, "{kept} letters of an eighth of the room each are in it");
    };
    assert!(refusal.status == "NO" && refusal.text.starts_with("[OVERQUOTA]"), "{refusal:?}");
    assert!(kept >= 6, "it refuses after {kept} letters of an eighth of the room each");
    let copied = imap.refused("NO", "COPY 1:* Archive");
    assert!(copied.starts_with("[OVERQUOTA]"), "{copied}");
    imap.ok("STORE 1:2 +FLAGS.SILENT (\\Deleted)");
    imap.ok("EXPUNGE");
    imap.append("INBOX", "", &letter);
    imap.ok("NOOP");
    assert_eq!(imap.uids().len(), kept - 1);
}

/// The one file of a Maildir whose text contains these words.
fn file_with(maildir: &Path, words: &str) -> PathBuf {
    let all = files(maildir);
    let found: Vec<&PathBuf> = all
        .iter()
        .filter(|file| String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).contains(words))
        .collect();
    assert_eq!(found.len(), 1, "`{words}` in {all:?}");
    found[0].clone()
}

/// The letters below a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if ["cur", "new"].iter().any(|name| folder.ends_with(name)) {
            found.push(path);
        }
    }
    found.sort();
    found
}
