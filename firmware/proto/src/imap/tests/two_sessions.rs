//! Two sessions at one mailbox: what each is told of what the other does, and when.

use super::*;
use crate::testing::Waiting;

/// Two sessions of alice with INBOX selected, which share the mail.
struct Two {
    first: Driver<ImapSession>,
    second: Driver<ImapSession>,
}

impl Two {
    fn new() -> Self {
        let mut mail = FakeMail::new();
        put_letters(&mut mail);
        let mut first = inbox(mail);
        let second = inbox(core::mem::take(&mut first.mail));
        Self { first, second }
    }

    /// Says a line in the first session.
    fn first(&mut self, line: &str) -> String {
        core::mem::swap(&mut self.first.mail, &mut self.second.mail);
        let said = say(&mut self.first, line);
        core::mem::swap(&mut self.first.mail, &mut self.second.mail);
        said
    }

    /// Says a line in the second session.
    fn second(&mut self, line: &str) -> String {
        say(&mut self.second, line)
    }

    /// The first session hears that its mailbox has changed.
    fn wake_first(&mut self) -> String {
        core::mem::swap(&mut self.first.mail, &mut self.second.mail);
        self.first.run();
        core::mem::swap(&mut self.first.mail, &mut self.second.mail);
        String::from_utf8_lossy(&self.first.received()).into_owned()
    }

    fn deliver(&mut self) {
        let mailbox = self.second.mail.mailbox_of(ALICE, "INBOX");
        deliver(&mut self.second.mail, mailbox, Flags::NONE, PLAIN);
    }
}

#[test]
fn new_letters_are_told_with_any_command_and_are_recent_once() {
    let mut two = Two::new();
    two.deliver();
    assert_eq!(two.first("a NOOP"), "* 5 EXISTS\r\n* 5 RECENT\r\na OK Nothing done\r\n");
    assert_eq!(two.second("b NOOP"), "* 5 EXISTS\r\n* 0 RECENT\r\nb OK Nothing done\r\n");
    assert_eq!(two.first("a NOOP"), "a OK Nothing done\r\n");
}

#[test]
fn a_search_finds_what_has_just_come() {
    let mut two = Two::new();
    two.deliver();
    assert_eq!(
        two.first("a UID SEARCH UID 5:*"),
        "* 5 EXISTS\r\n* 5 RECENT\r\n* SEARCH 5\r\na OK That is all\r\n"
    );
    two.deliver();
    assert_eq!(
        two.first("a FETCH * UID"),
        "* 6 EXISTS\r\n* 6 RECENT\r\n* 6 FETCH (UID 6)\r\na OK That is all\r\n"
    );
}

#[test]
fn expunges_wait_for_a_command_that_allows_them() {
    let mut two = Two::new();
    assert_eq!(two.second("b EXPUNGE"), "* 4 EXPUNGE\r\nb OK Removed\r\n");
    two.second("b STORE 1 +FLAGS.SILENT (\\Deleted)");
    assert_eq!(two.second("b EXPUNGE"), "* 1 EXPUNGE\r\nb OK Removed\r\n");
    // RFC 3501 §7.4.1: not during FETCH, STORE, SEARCH. RFC 2180 §4.1.2: the others are fetched, and then comes NO.
    assert_eq!(
        two.first("a FETCH 1:3 UID"),
        "* 2 FETCH (UID 2)\r\n* 3 FETCH (UID 3)\r\n\
         a NO [EXPUNGEISSUED] Some of these messages have been removed by somebody else\r\n"
    );
    assert_eq!(two.first("a FETCH 2 UID"), "* 2 FETCH (UID 2)\r\na OK That is all\r\n");
    assert_eq!(two.first("a SEARCH ALL"), "* SEARCH 2 3\r\na OK That is all\r\n");
    assert_eq!(
        two.first("a STORE 1:2 +FLAGS (\\Draft)"),
        "* 2 FETCH (FLAGS (\\Draft \\Recent))\r\n\
         a NO [EXPUNGEISSUED] Some of these messages have been removed by somebody else\r\n"
    );
    // What came meanwhile is told; the number of messages does not go down before the EXPUNGE.
    two.deliver();
    assert!(two.first("a FETCH 2 UID").starts_with("* 5 EXISTS\r\n* 5 RECENT\r\n"));
    assert_eq!(
        two.first("a UID FETCH 1:* UID"),
        "* 2 FETCH (UID 2)\r\n* 3 FETCH (UID 3)\r\n* 5 FETCH (UID 5)\r\n\
         * 1 EXPUNGE\r\n* 3 EXPUNGE\r\na OK That is all\r\n"
    );
    assert_eq!(
        two.first("a FETCH 1:* UID"),
        "* 1 FETCH (UID 2)\r\n* 2 FETCH (UID 3)\r\n* 3 FETCH (UID 5)\r\na OK That is all\r\n"
    );
}

#[test]
fn what_is_gone_cannot_be_copied_by_number() {
    let mut two = Two::new();
    two.second("b EXPUNGE");
    // RFC 2180 §4.4.1; COPY allows EXPUNGE, so it is told in the same breath.
    assert_eq!(
        two.first("a COPY 3:4 Archive"),
        "* 4 EXPUNGE\r\na NO [EXPUNGEISSUED] Some of these messages have been removed by somebody else\r\n"
    );
    two.second("b UID STORE 3 +FLAGS.SILENT (\\Deleted)");
    two.second("b EXPUNGE");
    // RFC 3501 §6.4.8: a UID that is not there is ignored.
    assert_eq!(two.first("a UID COPY 2:3 Archive"), "* 3 EXPUNGE\r\na OK [COPYUID 2 2 1] Copied\r\n");
}

#[test]
fn flags_that_somebody_else_sets_are_told_once() {
    let mut two = Two::new();
    two.second("b STORE 2 +FLAGS ($Work)");
    assert_eq!(
        two.first("a NOOP"),
        "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work)\r\n\
         * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work \\*)] These flags are kept\r\n\
         * 2 FETCH (FLAGS ($Work \\Recent))\r\na OK Nothing done\r\n"
    );
    assert_eq!(two.first("a NOOP"), "a OK Nothing done\r\n");
    // To the one who set them they are new as well, by STORE itself.
    assert_eq!(two.second("b NOOP"), "b OK Nothing done\r\n");
}

#[test]
fn silence_is_about_ones_own_changes_alone() {
    let mut two = Two::new();
    assert_eq!(two.first("a STORE 1:4 +FLAGS.SILENT (\\Answered)"), "a OK Stored\r\n");
    // The first has not been told of \Draft when it stores: it is told, although it asked for silence.
    two.second("b STORE 2 +FLAGS.SILENT (\\Draft)");
    assert_eq!(
        two.first("a STORE 1:4 +FLAGS.SILENT (\\Flagged)"),
        "* 2 FETCH (FLAGS (\\Answered \\Flagged \\Draft \\Recent))\r\na OK Stored\r\n"
    );
    // And when somebody else's change becomes durable together with its own.
    two.second.hold_commits = true;
    two.first.hold_commits = true;
    assert_eq!(two.first("a STORE 1:2 -FLAGS.SILENT (\\Answered)"), "");
    two.second.hold_commits = false;
    // The second one's commit is the group's.
    two.second("b STORE 2 -FLAGS.SILENT (\\Draft)");
    two.first.waiting = Waiting::Input;
    assert_eq!(two.wake_first(), "* 2 FETCH (FLAGS (\\Flagged \\Recent))\r\na OK Stored\r\n");
}

#[test]
fn nothing_is_told_before_it_is_durable() {
    let mut mail = FakeMail::new();
    put_letters(&mut mail);
    let mut driver = inbox(mail);
    driver.hold_commits = true;
    for (command, said) in [
        ("STORE 1 +FLAGS (\\Draft)", "* 1 FETCH (FLAGS (\\Seen \\Draft \\Recent))\r\na OK Stored\r\n"),
        ("EXPUNGE", "* 4 EXPUNGE\r\na OK Removed\r\n"),
        ("COPY 1 INBOX", "* 4 EXISTS\r\n* 4 RECENT\r\na OK [COPYUID 1 1 5] Copied\r\n"),
        ("MOVE 1 Trash", "* OK [COPYUID 6 1 1] Moved\r\n* 1 EXPUNGE\r\na OK Moved\r\n"),
        ("CREATE Work", "a OK Created\r\n"),
        ("SUBSCRIBE Work", "a OK Subscribed\r\n"),
        ("RENAME Work Job", "a OK Renamed\r\n"),
        ("DELETE Job", "a OK Deleted\r\n"),
        ("APPEND INBOX {3+}\r\nabc", "* 4 EXISTS\r\n* 4 RECENT\r\na OK [APPENDUID 1 6] Saved\r\n"),
    ] {
        assert_eq!(say(&mut driver, &format!("a {command}")), "", "{command}");
        assert_eq!(driver.waiting, Waiting::Durable);
        driver.commit();
        assert_eq!(String::from_utf8_lossy(&driver.received()), said, "{command}");
    }
}

#[test]
fn commands_behind_one_that_waits_are_run_after_it() {
    let mut mail = FakeMail::new();
    put_letters(&mut mail);
    let mut driver = inbox(mail);
    driver.hold_commits = true;
    assert_eq!(say(&mut driver, "a STORE 1 FLAGS.SILENT (\\Draft)\r\nb FETCH 1 FLAGS\r\nc NOOP"), "");
    driver.commit();
    assert_eq!(
        String::from_utf8_lossy(&driver.received()),
        "a OK Stored\r\n* 1 FETCH (FLAGS (\\Draft \\Recent))\r\nb OK That is all\r\nc OK Nothing done\r\n"
    );
}

#[test]
fn an_idling_session_is_told_at_once() {
    let mut two = Two::new();
    assert_eq!(two.first("a IDLE"), "+ idling\r\n");
    assert!(matches!(two.first.waiting, Waiting::Change(_)));
    two.deliver();
    assert_eq!(two.wake_first(), "* 5 EXISTS\r\n* 5 RECENT\r\n");
    two.second("b STORE 1 +FLAGS (\\Deleted)");
    assert_eq!(two.wake_first(), "* 1 FETCH (FLAGS (\\Deleted \\Seen \\Recent))\r\n");
    two.second("b EXPUNGE");
    assert_eq!(two.wake_first(), "* 1 EXPUNGE\r\n* 3 EXPUNGE\r\n");
    assert_eq!(two.wake_first(), "");
    assert_eq!(two.first("DONE"), "a OK Done idling\r\n");
}

#[test]
fn a_mailbox_that_is_deleted_ends_the_sessions_that_have_it_open() {
    for (command, reply) in [
        ("a NOOP", "a OK Nothing done\r\n"),
        ("a FETCH 1 FLAGS", "a NO [NONEXISTENT] The selected mailbox has been deleted\r\n"),
        ("a IDLE", "+ idling\r\na OK Done idling\r\n"),
        ("a EXPUNGE", "a OK Removed\r\n"),
    ] {
        let mut two = Two::new();
        two.second("b CREATE Work");
        two.first("a SELECT Work");
        assert_eq!(two.second("b DELETE Work"), "b OK Deleted\r\n");
        assert_eq!(two.first(command), format!("{reply}* BYE The selected mailbox has been deleted\r\n"));
        assert!(two.first.is_closed());
    }
    // The one who deletes it knows.
    let mut two = Two::new();
    two.second("b CREATE Work");
    two.second("b SELECT Work");
    assert_eq!(two.second("b DELETE Work"), "b OK Deleted\r\n");
    assert_eq!(two.second("b FETCH 1 UID"), "b BAD Select a mailbox first\r\n");
}

#[test]
fn only_messages_that_were_seen_are_expunged() {
    let mut two = Two::new();
    let mailbox = two.second.mail.mailbox_of(ALICE, "INBOX");
    deliver(&mut two.second.mail, mailbox, Flags::DELETED, PLAIN);
    assert_eq!(two.first("a EXPUNGE"), "* 4 EXPUNGE\r\n* 4 EXISTS\r\n* 4 RECENT\r\na OK Removed\r\n");
    assert_eq!(two.first("a EXPUNGE"), "* 4 EXPUNGE\r\na OK Removed\r\n");
}
