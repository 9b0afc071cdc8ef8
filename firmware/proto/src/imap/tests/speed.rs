//! How fast the state machine is, the store aside: mail that is all in memory and answers at once. A measurement, not a
//! test: `cargo test --release -p proto speed -- --ignored --nocapture`.

extern crate std;

use std::{boxed::Box, println, time::Instant, vec};

use mail::{
    AccountId, Address, Content, Draft, Envelope, Letter, Mail, MailboxInfo, MailboxName, Message, Modseq,
    Outside, Quota, Recipient, Record, Refusal, SpecialUse, Status, Stop, Ticket, Uid, UidSet, UidValidity,
    UnixTime, Unready,
};

use super::*;
use crate::{Answer, Input, Io, Output, Session, Want};

/// One mailbox whose messages are all the same letter.
struct Shelf {
    messages: Vec<Message>,
    letter: Vec<u8>,
    summary: Vec<u8>,
    head_len: usize,
    modseq: u64,
}

impl Shelf {
    fn new(count: u32, letter: Vec<u8>) -> Self {
        let message = |number| Message {
            uid: Uid(number + 1),
            flags: Flags::SEEN,
            modseq: Modseq(1),
            size: letter.len() as u64,
            received: UnixTime(NOW.unix.0),
            zone_minutes: 540,
        };
        let head_len = letter.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        let summary = summary(&letter);
        Self { messages: (0..count).map(message).collect(), letter, summary, head_len, modseq: 1 }
    }
}

const INBOX: MailboxId = MailboxId(1);

impl Mail for Shelf {
    fn is_read_only(&self) -> bool {
        false
    }
    fn draft(&mut self, _: Option<u64>) -> Result<Draft, Refusal> {
        Err(Refusal::ReadOnly)
    }
    fn set_envelope(&mut self, _: &Draft, _: Envelope) -> Result<(), Refusal> {
        Ok(())
    }
    fn add_recipient(&mut self, _: &Draft, _: &Recipient, _: Outside) -> Result<(), Refusal> {
        Err(Refusal::ReadOnly)
    }
    fn add_mailbox(&mut self, _: &Draft, _: MailboxId, _: Flags) -> Result<(), Refusal> {
        Err(Refusal::ReadOnly)
    }
    fn append(&mut self, _: &Draft, _: &[u8]) -> Result<usize, Stop> {
        Err(Refusal::ReadOnly.into())
    }
    fn deposit(&mut self, _: &Draft, _: &Letter<'_>) -> Result<Ticket, Stop> {
        Err(Refusal::ReadOnly.into())
    }
    fn is_local(&self, _: &Address) -> bool {
        false
    }
    fn may_send_as(&self, _: AccountId, _: &Address) -> bool {
        false
    }
    fn inbox(&self, _: AccountId) -> Option<MailboxId> {
        Some(INBOX)
    }
    fn quota(&self, _: AccountId) -> Quota {
        Quota::default()
    }
    fn lock_inbox(&mut self, _: AccountId) -> Result<Rc<()>, Refusal> {
        Err(Refusal::InUse)
    }
    fn mailbox(&self, _: AccountId, _: &MailboxName) -> Option<MailboxId> {
        Some(INBOX)
    }
    fn next_mailbox(&self, _: AccountId, _: Option<&MailboxName>) -> Option<MailboxInfo> {
        None
    }
    fn next_subscription(&self, _: AccountId, _: Option<&MailboxName>) -> Option<MailboxName> {
        None
    }
    fn status(&self, _: MailboxId) -> Option<Status> {
        Some(Status {
            uid_validity: UidValidity(1),
            uid_next: Uid(self.messages.len() as u32 + 1),
            messages: self.messages.len() as u32,
            highest_modseq: Modseq(self.modseq),
            ..Status::default()
        })
    }
    fn create_mailbox(
        &mut self,
        _: AccountId,
        _: &MailboxName,
        _: Option<SpecialUse>,
    ) -> Result<Ticket, Stop> {
        Err(Refusal::ReadOnly.into())
    }
    fn delete_mailbox(&mut self, _: AccountId, _: &MailboxName) -> Result<Ticket, Stop> {
        Err(Refusal::ReadOnly.into())
    }
    fn rename_mailbox(&mut self, _: AccountId, _: &MailboxName, _: &MailboxName) -> Result<Ticket, Stop> {
        Err(Refusal::ReadOnly.into())
    }
    fn subscribe(&mut self, _: AccountId, _: &MailboxName, _: bool) -> Result<Ticket, Stop> {
        Err(Refusal::ReadOnly.into())
    }
    fn uids_from(&self, _: MailboxId, from: Uid) -> UidSet {
        UidSet::range(from.max(Uid(1)), Uid(self.messages.len() as u32))
    }
    fn message(&self, _: MailboxId, uid: Uid) -> Option<Message> {
        self.messages.get(uid.0 as usize - 1).copied()
    }
    fn next_message(&self, _: MailboxId, from: Uid) -> Option<Message> {
        self.messages.get(from.0.max(1) as usize - 1).copied()
    }
    fn next_changed(&self, _: MailboxId, since: Modseq, from: Uid) -> Option<Message> {
        let rest = self.messages.get(from.0.max(1) as usize - 1..)?;
        rest.iter().find(|message| message.modseq > since).copied()
    }
    fn keywords(&self, _: AccountId) -> &[String] {
        &[]
    }
    fn keyword(&mut self, _: AccountId, _: &str) -> Result<Flags, Stop> {
        Err(Refusal::Limit.into())
    }
    fn set_flags(&mut self, _: MailboxId, uids: &UidSet, add: Flags, remove: Flags) -> Result<Ticket, Stop> {
        self.modseq += 1;
        for uid in uids.iter() {
            let message = &mut self.messages[uid.0 as usize - 1];
            message.flags = message.flags.without(remove).with(add);
            message.modseq = Modseq(self.modseq);
        }
        Ok(Ticket::durable())
    }
    fn set_seen_soon(&mut self, _: MailboxId, _: &UidSet) -> Result<(), Stop> {
        Ok(())
    }
    fn claim_recent(&mut self, _: MailboxId) -> Uid {
        Uid(u32::MAX)
    }
    fn expunge(&mut self, _: MailboxId, _: &UidSet) -> Result<Ticket, Stop> {
        Err(Refusal::ReadOnly.into())
    }
    fn copy(&mut self, _: MailboxId, _: &UidSet, _: MailboxId) -> Result<Ticket, Stop> {
        Err(Refusal::ReadOnly.into())
    }
    fn move_messages(&mut self, _: MailboxId, _: &UidSet, _: MailboxId) -> Result<Ticket, Stop> {
        Err(Refusal::ReadOnly.into())
    }
    fn record(&mut self, _: MailboxId, _: Uid) -> Result<Record<'_>, Unready> {
        Ok(Record { head: &self.letter[..self.head_len], summary: &self.summary })
    }
    fn open(&mut self, _: MailboxId, _: Uid) -> Result<Content, Unready> {
        Ok(Content::new(0, self.letter.len() as u64, Rc::new(())))
    }
    fn read(&mut self, _: &Content, offset: u64, max: usize, out: &mut Vec<u8>) -> Result<usize, Unready> {
        let rest = &self.letter[offset as usize..];
        let piece = &rest[..rest.len().min(max)];
        out.extend_from_slice(piece);
        Ok(piece.len())
    }
}

/// Runs a command to its end; the output goes nowhere. Returns the time in seconds and the bytes.
fn run(shelf: &mut Shelf, command: &str) -> (f64, usize) {
    let mut session = Box::new(session(TLS_PEER));
    let text = format!("a LOGIN alice x\r\nb SELECT INBOX\r\nc {command}\r\n");
    let (mut input, mut output) = (Input::new(text.as_bytes()), Output::new());
    let (mut answer, mut sent) = (None, 0);
    let start = Instant::now();
    loop {
        let mut io = Io { input: &mut input, output: &mut output, answer: answer.take(), now: NOW };
        match session.step(&mut io, shelf) {
            Want::Login(_) => answer = Some(Answer::Login(Ok(AccountId(1)))),
            Want::Input | Want::Close => break,
            _ => {}
        }
        sent += output.pending().len();
        output.sent(output.pending().len());
    }
    sent += output.pending().len();
    let said = String::from_utf8_lossy(output.pending()).into_owned();
    assert!(said.contains("c OK"), "{said}");
    (start.elapsed().as_secs_f64(), sent)
}

fn report(what: &str, shelf: &mut Shelf, command: &str) {
    let (count, bytes) = (shelf.messages.len(), shelf.letter.len() * shelf.messages.len());
    let (seconds, sent) = run(shelf, command);
    println!(
        "{what}: {:.0} k messages/s, {:.0} MB/s of letters, {:.0} MB/s sent",
        count as f64 / seconds / 1e3,
        bytes as f64 / seconds / 1e6,
        sent as f64 / seconds / 1e6
    );
}

#[test]
#[ignore = "a measurement"]
fn speed() {
    let mut small = Shelf::new(100_000, MIXED.to_vec());
    report(
        "FETCH UID ENVELOPE BODYSTRUCTURE FLAGS",
        &mut small,
        "FETCH 1:* (UID ENVELOPE BODYSTRUCTURE FLAGS)",
    );
    report("FETCH FLAGS", &mut small, "FETCH 1:* (FLAGS)");
    report("FETCH HEADER.FIELDS", &mut small, "FETCH 1:* BODY.PEEK[HEADER.FIELDS (From To Subject)]");
    report("STORE +FLAGS", &mut small, "STORE 1:* +FLAGS (\\Flagged)");
    report("STORE +FLAGS.SILENT", &mut small, "STORE 1:* -FLAGS.SILENT (\\Flagged)");
    report("SEARCH UNSEEN", &mut small, "SEARCH UNSEEN");
    report("SEARCH SUBJECT", &mut small, "SEARCH SUBJECT nothing");
    report("SEARCH TEXT", &mut small, "SEARCH TEXT nothing");
    let letter =
        [b"Subject: x\r\n\r\n".as_slice(), &b"All work and no play makes nobody happy.\r\n".repeat(200)];
    let mut plain = Shelf::new(20_000, letter.concat());
    report("FETCH BODY.PEEK[] of 8 KiB", &mut plain, "FETCH 1:* BODY.PEEK[]");
    report("SEARCH BODY of 8 KiB", &mut plain, "SEARCH BODY nothing");
    let letter = [b"Subject: x\r\n\r\n".as_slice(), &vec![b'x'; 20_000_000]].concat();
    let mut large = Shelf::new(20, letter);
    report("FETCH BODY.PEEK[] of 20 MB", &mut large, "FETCH 1:* BODY.PEEK[]");
}

#[test]
fn an_idle_session_holds_little() {
    assert!(size_of::<ImapSession>() < 1024, "{}", size_of::<ImapSession>());
}
