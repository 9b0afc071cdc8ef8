//! Several devices of one person at once: what one does, the others see without asking.

use super::only_letter;
use crate::clients::{Imap, Pop3, Smtp};
use crate::letters::short;
use crate::site::{Account, Service, Site};
use std::time::Duration;

/// How long a change may take to reach a device that waits in IDLE, before the site's patience.
const PUSH: Duration = Duration::from_secs(5);

fn deliver(site: &Site, account: &Account, subject: &str) {
    Smtp::connect(site, Service::Smtp).letter(
        "ann@client.test",
        &[&account.address],
        &short(subject, "Hello."),
    );
}

/// IDLE (RFC 2177): a letter that comes by SMTP, and one that another device appends.
pub fn a_second_device_sees_new_mail_at_once(site: &Site) {
    let account = site.account();
    let mut phone = Imap::select(site, &account, "INBOX");
    let idle = phone.idle();
    deliver(site, &account, "by SMTP");
    phone.wait_for("1 EXISTS", PUSH * site.patience + site.settling);
    Imap::log_in(site, &account).append("INBOX", "", &short("by APPEND", "Hello."));
    phone.wait_for("2 EXISTS", PUSH * site.patience);
    phone.done(&idle);
    assert_eq!(phone.uids().len(), 2);
}

/// Flags and expunges of one device, pushed to the other; its sequence numbers follow.
pub fn a_second_device_sees_flags_and_expunges(site: &Site) {
    let account = site.account();
    let mut phone = Imap::select(site, &account, "INBOX");
    for subject in ["first", "second", "third"] {
        phone.append("INBOX", "", &short(subject, "Hello."));
    }
    phone.ok("NOOP");
    let mut laptop = Imap::select(site, &account, "INBOX");
    let idle = phone.idle();
    laptop.ok("STORE 2 +FLAGS (\\Flagged $Work)");
    let pushed = phone.wait_for("2 FETCH", PUSH * site.patience).text;
    assert!(pushed.contains("\\Flagged") && pushed.contains("$Work"), "{pushed}");
    laptop.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    laptop.ok("EXPUNGE");
    phone.wait_for("1 EXPUNGE", PUSH * site.patience);
    phone.done(&idle);
    let flags = phone.ok("FETCH 1 FLAGS").remove(0).text;
    assert!(flags.contains("\\Flagged"), "what was 2 is 1 now: {flags}");
}

/// Two devices flag and move in the same mailbox, turn by turn; both end with the same view.
pub fn devices_work_in_one_mailbox_at_once(site: &Site) {
    let account = site.account();
    let mut one = Imap::select(site, &account, "INBOX");
    for number in 0..6 {
        one.append("INBOX", "", &short(&format!("letter {number}"), "Hello."));
    }
    one.ok("NOOP");
    let mut two = Imap::select(site, &account, "INBOX");
    let uids = one.uids();
    one.ok(&format!("UID STORE {} +FLAGS (\\Answered)", uids[0]));
    two.ok(&format!("UID STORE {} +FLAGS (\\Seen)", uids[0]));
    one.ok(&format!("UID MOVE {} Archive", uids[1]));
    two.ok(&format!("UID COPY {} Archive", uids[2]));
    // The letter is gone: a command that names it by UID does nothing and is no error (RFC 3501 §6.4.8).
    two.ok(&format!("UID MOVE {} Trash", uids[1]));
    for device in [&mut one, &mut two] {
        device.ok("NOOP");
        assert_eq!(device.uids().len(), 5);
        let flags = device.ok(&format!("UID FETCH {} FLAGS", uids[0])).remove(0).text;
        assert!(flags.contains("\\Answered") && flags.contains("\\Seen"), "{flags}");
        let archive = device.ok("STATUS Archive (MESSAGES)").remove(0).text;
        assert!(archive.ends_with("(MESSAGES 2)"), "{archive}");
    }
}

/// What POP3 deletes at QUIT disappears from an IMAP device that waits.
pub fn what_pop3_deletes_is_gone_for_imap(site: &Site) {
    let account = site.account();
    deliver(site, &account, "to be taken");
    only_letter(site, &account);
    let mut phone = Imap::select(site, &account, "INBOX");
    let idle = phone.idle();
    let mut pop3 = Pop3::log_in(site, &account);
    pop3.ok("DELE 1");
    pop3.ok("QUIT");
    phone.wait_for("1 EXPUNGE", PUSH * site.patience);
    phone.done(&idle);
    assert!(phone.uids().is_empty());
}
