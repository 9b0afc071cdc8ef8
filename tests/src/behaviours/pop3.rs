//! POP3 on 110 and 995: one mailbox, taken and deleted.

use super::{inbox, only_letter};
use crate::clients::{Imap, Pop3, Smtp};
use crate::letters::{numbered, short};
use crate::programs::{curl, fetchmail, python, url};
use crate::site::{Service, Site};

/// curl on port 110: STLS, a listing, a letter.
pub fn curl_reads_by_pop3_after_stls(site: &Site) {
    let account = site.account();
    Imap::log_in(site, &account).append("INBOX", "", &short("for curl", "Hello."));
    let at = |rest: &str| url(site, "pop3", Service::Pop3, rest);
    let size = short("for curl", "Hello.").len();
    assert_eq!(curl(site, &account, &[&at("")]).success().text().trim(), format!("1 {size}"));
    assert_eq!(curl(site, &account, &[&at("1")]).success().stdout, short("for curl", "Hello."));
}

/// Python's poplib through everything of RFC 1939 that it can say, and the extensions.
pub fn poplib_keeps_a_whole_dialogue(site: &Site) {
    let account = site.account();
    let mut imap = Imap::log_in(site, &account);
    for subject in ["first", "second", "third"] {
        imap.append("INBOX", "", &short(subject, ".\r\n..\r\nHello."));
    }
    python(site, "pop3_dialogue.py", &account).success();
    inbox(site, &account, 2);
}

/// fetchmail by POP3 takes the letters and leaves an empty mailbox.
pub fn fetchmail_takes_by_pop3(site: &Site) {
    let account = site.account();
    let mut smtp = Smtp::connect(site, Service::Smtp);
    for number in 0..3 {
        smtp.letter("ann@client.test", &[&account.address], &numbered(number, 20_000));
    }
    inbox(site, &account, 3);
    let taken = String::from_utf8_lossy(&fetchmail(site, &account, "POP3", "fetchmail-pop3")).into_owned();
    for number in 0..3 {
        let body = String::from_utf8(numbered(number, 20_000)).expect("it is ASCII").replace("\r\n", "\n");
        let (_, body) = body.split_once("\n\n").expect("it has a body");
        assert!(taken.replace("\r\n", "\n").contains(body), "letter {number}");
    }
    inbox(site, &account, 0);
}

/// DELE counts when QUIT is answered: not after RSET, not when the connection just ends.
pub fn deletions_count_at_quit_only(site: &Site) {
    let account = site.account();
    let mut imap = Imap::log_in(site, &account);
    for subject in ["first", "second", "third"] {
        imap.append("INBOX", "", &short(subject, "Hello."));
    }
    let mut broken = Pop3::log_in(site, &account);
    broken.ok("DELE 1");
    drop(broken);
    let mut undone = Pop3::log_in(site, &account);
    assert_eq!(undone.numbers(), [1, 2, 3]);
    undone.ok("DELE 1");
    assert_eq!(undone.numbers(), [2, 3]);
    undone.refused("RETR 1");
    undone.ok("RSET");
    assert_eq!(undone.numbers(), [1, 2, 3]);
    undone.ok("DELE 2");
    undone.ok("QUIT");
    let left = inbox(site, &account, 2);
    assert_eq!(left, [short("first", "Hello."), short("third", "Hello.")]);
}

/// UIDL is the same in every session, and no two letters share one.
pub fn unique_ids_stay_the_same(site: &Site) {
    let account = site.account();
    let mut imap = Imap::log_in(site, &account);
    for subject in ["first", "second", "third"] {
        imap.append("INBOX", "", &short(subject, "Hello."));
    }
    let ids = |pop3: &mut Pop3| -> Vec<String> {
        let listing = String::from_utf8(pop3.many("UIDL")).expect("UIDL is text");
        listing.lines().map(|line| line.split(' ').nth(1).unwrap_or_default().to_owned()).collect()
    };
    let mut first = Pop3::log_in(site, &account);
    let before = ids(&mut first);
    assert!(before.len() == 3 && before[0] != before[1] && before[1] != before[2], "{before:?}");
    first.ok("DELE 1");
    first.ok("QUIT");
    imap.append("INBOX", "", &short("fourth", "Hello."));
    let after = ids(&mut Pop3::log_in(site, &account));
    assert_eq!(after[..2], before[1..]);
    assert!(!before.contains(&after[2]), "{after:?} after {before:?}");
}

/// Both protocols give the same bytes, and the size that POP3 announces is theirs.
pub fn a_letter_is_the_same_by_pop3_and_imap(site: &Site) {
    let account = site.account();
    let mut smtp = Smtp::connect(site, Service::Smtp);
    smtp.letter("ann@client.test", &[&account.address], &numbered(5, 300_000));
    let by_imap = only_letter(site, &account);
    let mut pop3 = Pop3::log_in(site, &account);
    let by_pop3 = pop3.many("RETR 1");
    assert!(by_imap == by_pop3, "{} and {} bytes", by_imap.len(), by_pop3.len());
    assert_eq!(pop3.ok("LIST 1"), format!("+OK 1 {}", by_pop3.len()));
    let top = pop3.many("TOP 1 2");
    assert!(by_pop3.starts_with(&top));
    assert_eq!(top.split(|byte| *byte == b'\n').skip_while(|line| *line != b"\r").count(), 1 + 2 + 1);
}
