//! Tests of the tools themselves, with a session that keeps lines: whoever relies on them must know that they fail.

use mail::{AccountId, Flags, Mail, MailboxName, Now, Refusal, Ticket, Ticks};

use super::{Driver, FakeMail, NOW, Settings, Waiting, play, unescape};
use crate::{
    Input, Io, Output, Session, Want,
    line::{Line, Lines},
};

/// Makes a mailbox of every line, and says so once that is durable.
struct Keeper {
    lines: Lines,
    ticket: Option<Ticket>,
    greeted: bool,
    deadline: Ticks,
}

impl Keeper {
    fn open(_: &Settings) -> (Self, FakeMail) {
        let keeper = Self {
            lines: Lines::new(10),
            ticket: None,
            greeted: false,
            deadline: NOW.ticks.after_ms(60_000),
        };
        (keeper, FakeMail::new())
    }
}

impl Session for Keeper {
    fn step(&mut self, io: &mut Io<'_, '_>, mail: &mut dyn Mail) -> Want {
        if !core::mem::replace(&mut self.greeted, true) {
            io.output.push(b"hello\r\n");
        }
        if let Some(ticket) = self.ticket.take() {
            let kept = ticket.result().unwrap().is_ok();
            io.output.push(if kept { b"kept\r\n" } else { b"lost\r\n" });
        }
        match self.lines.next(io.input) {
            Line::Whole(b"tls\r\n") => Want::StartTls,
            Line::Whole(b"bye\r\n") => Want::Close,
            Line::Whole(line) => {
                let name = MailboxName::new(core::str::from_utf8(line).unwrap().trim()).unwrap();
                let ticket = mail.create_mailbox(AccountId(1), &name, None).unwrap();
                self.ticket = Some(ticket.clone());
                Want::Durable(ticket)
            }
            Line::TooLong => {
                io.output.push(b"too long\r\n");
                Want::Turn
            }
            Line::Partial => Want::Input,
        }
    }

    fn deadline(&self) -> Ticks {
        self.deadline
    }

    fn expire(&mut self, _: Now, output: &mut Output) -> Want {
        output.push(b"too slow\r\n");
        Want::Close
    }

    fn farewell(&mut self, output: &mut Output) {
        output.push(b"good-bye\r\n");
    }
}

#[test]
fn a_transcript_that_is_true_passes() {
    let text = "# A remark.\nS: hello\nC: one\nS: kept\nC: two\nC= three\\r\\n\nS~ k*t\nS= kept\\r\\n\n\
                C= \\{20 a}\\r\\n\nS: too long\n-- fail NotDurable\nC: four\nS: lost\n\
                C: tls\n-- tls\nC: five\nS: kept\n-- wait 59s\n-- wait 1000ms\nS: too slow\n-- closed";
    let mail = play("true", text, Keeper::open);
    for (name, kept) in [("one", true), ("three", true), ("four", false), ("five", true)] {
        assert_eq!(mail.mailbox(AccountId(1), &MailboxName::new(name).unwrap()).is_some(), kept, "{name}");
    }
}

#[test]
#[should_panic(expected = "false:2")]
fn a_transcript_that_is_false_fails() {
    play("false", "\nS: hello\nS: hello again", Keeper::open);
}

#[test]
#[should_panic(expected = "false:0")]
fn something_said_beyond_the_transcript_fails() {
    play("false", "S: hello\nC: one", Keeper::open);
}

#[test]
#[should_panic(expected = "TLS that nobody asked for")]
fn tls_beyond_the_transcript_fails() {
    play("false", "S: hello\nC: tls", Keeper::open);
}

#[test]
fn nothing_is_said_or_seen_before_the_barrier() {
    let (session, mail) = Keeper::open(&Settings::default());
    let mut driver = Driver::new(session, mail);
    driver.hold_commits = true;
    driver.send(b"one\r\ntwo\r\n");
    let one = MailboxName::new("one").unwrap();
    assert_eq!(driver.waiting, Waiting::Durable);
    assert_eq!(driver.received(), b"hello\r\n");
    assert!(driver.mail.mailbox(AccountId(1), &one).is_none());
    driver.commit();
    assert_eq!(driver.received(), b"kept\r\n");
    assert!(driver.mail.mailbox(AccountId(1), &one).is_some());
    driver.commit();
    assert_eq!(driver.received(), b"kept\r\n");
}

fn plain(to: &str) -> mail::Recipient {
    mail::Recipient::plain(mail::Address::parse(to).unwrap())
}

#[test]
fn the_fake_resolves_aliases_and_tags() {
    let mut mail = FakeMail::new();
    let draft = mail.draft(None).unwrap();
    let mut add = |to: &str| mail.add_recipient(&draft, &plain(to), mail::Outside::Nothing);
    assert_eq!(add("info@example.test"), Ok(()));
    assert_eq!(add("alice+tag@EXAMPLE.test"), Ok(()));
    assert_eq!(add("nobody@example.test"), Err(Refusal::NoSuchUser));
    assert_eq!(add("away@example.test"), Err(Refusal::ForwardsOutside));
    assert_eq!(add("carol@elsewhere.test"), Err(Refusal::NotLocal));
    assert_eq!(mail.append(&draft, b"x"), Ok(1));
    let letter = mail::Letter { received: NOW.unix, zone_minutes: 0, summary: b"" };
    mail.deposit(&draft, &letter).unwrap();
    mail.commit();
    for address in ["alice@example.test", "bob@example.test"] {
        assert_eq!(mail.messages(address, "INBOX").len(), 1);
    }
    assert_eq!(mail.open_drafts(), 1);
    drop(draft);
    assert_eq!(mail.open_drafts(), 0);
}

#[test]
fn flags_and_copies_of_the_fake_behave() {
    let mut mail = FakeMail::new();
    let (inbox, trash) =
        (mail.mailbox_of("alice@example.test", "INBOX"), mail.mailbox_of("alice@example.test", "Trash"));
    mail.deliver(inbox, Flags::NONE, b"a: b\r\n\r\nbody", b"");
    let all = mail.uids(inbox);
    mail.set_flags(inbox, &all, Flags::SEEN, Flags::NONE).unwrap();
    mail.move_messages(inbox, &all, trash).unwrap();
    mail.commit();
    assert!(mail.uids(inbox).is_empty());
    let moved = &mail.messages("alice@example.test", "Trash")[0];
    assert!(moved.line.flags.contains(Flags::SEEN));
    assert_eq!(unescape("\\{2 a\\r}\\x00\\s"), b"a\ra\r\0 ");
    let mut input = Input::new(b"");
    assert!(input.take(1).is_empty());
}
