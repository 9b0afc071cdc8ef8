//! APPEND (RFC 3501 §6.3.11, APPENDUID of RFC 4315 §3): the message streams from the connection into the store, through
//! the scanner that notes what it is made of, and is never whole in memory.

use alloc::{boxed::Box, vec::Vec};

use mail::{Draft, Letter, MailboxId, Refusal, Stop, Ticks, Uid, UnixTime};

use super::{Begun, Keywords, Tickets, mailbox_name};
use crate::{
    Want,
    imap::{
        ast::{Append, Literal},
        date::DateTime,
        limits::{APPEND_WINDOW_BYTES_MIN, APPEND_WINDOW_MS},
        reply::{Code, Reply, Role, refused},
        turn::{End, Patience, Run, Step, Then, Turn},
    },
    mime::Scanner,
};

pub(super) fn append(append: Append, turn: &mut Turn<'_, '_>) -> Begun {
    let literal = append.literal;
    let mailbox = mailbox_name(&append.mailbox).and_then(|name| {
        let mailbox = turn.state.account.and_then(|account| turn.mail.mailbox(account, &name));
        mailbox.ok_or(refused(Refusal::NoSuchMailbox, Role::Destination))
    });
    let mailbox = match mailbox {
        Ok(mailbox) if literal.len > 0 => mailbox,
        Ok(_) => return refuse(Reply::no("CANNOT", "A message has at least one byte"), literal),
        Err(reply) => return refuse(reply, literal),
    };
    let date = append.date.unwrap_or(DateTime {
        time: turn.now.unix,
        zone_minutes: i16::try_from(turn.now.utc_offset_s / 60).unwrap_or_default(),
    });
    let window = Window::new(turn.now.ticks);
    Job { append, mailbox, date, window, keywords: Keywords::default(), stage: Stage::Prepare }.into()
}

/// Ends before the message was asked for.
fn refuse(reply: Reply, literal: Literal) -> Begun {
    Begun::End(End::new(reply).then(Then::Skip(Some(literal))))
}

struct Job {
    append: Append,
    mailbox: MailboxId,
    date: DateTime,
    window: Window,
    keywords: Keywords,
    stage: Stage,
}

enum Stage {
    /// Asking the store whether it would take the message.
    Prepare,
    Message {
        draft: Draft,
        scanner: Box<Scanner>,
        left: u64,
    },
    /// Waiting for the end of the command's line.
    LineEnd {
        draft: Draft,
        summary: Vec<u8>,
        has_cr: bool,
    },
    Deposit {
        draft: Draft,
        summary: Vec<u8>,
    },
    Durable(Tickets),
    /// Left behind while a step is being taken.
    Over,
}

/// What came of one piece of work: the stage that follows, and the step to be taken if it cannot go on.
type Next = (Stage, Option<Step>);

impl Run for Job {
    fn step(&mut self, turn: &mut Turn<'_, '_>) -> Step {
        loop {
            let (stage, step) = match core::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Prepare => self.prepare(turn),
                Stage::Message { draft, scanner, left } => self.message(draft, scanner, left, turn),
                Stage::LineEnd { draft, summary, has_cr } => self.line_end(draft, summary, has_cr, turn),
                Stage::Deposit { draft, summary } => self.deposit(draft, summary, turn),
                Stage::Durable(tickets) => durable(tickets),
                Stage::Over => (Stage::Over, Some(stop(Refusal::Cannot.into(), 0))),
            };
            self.stage = stage;
            if let Some(step) = step {
                return step;
            }
        }
    }

    fn patience(&self) -> Patience {
        Patience::Message(self.window.end)
    }
}

impl Job {
    fn prepare(&mut self, turn: &mut Turn<'_, '_>) -> Next {
        let literal = self.append.literal;
        match self.draft(turn) {
            Ok(draft) => {
                if literal.waits {
                    turn.output.push(b"+ go ahead\r\n");
                }
                self.window = Window::new(turn.now.ticks);
                (Stage::Message { draft, scanner: Box::new(Scanner::new()), left: literal.len }, None)
            }
            Err(Stop::Busy) => (Stage::Prepare, Some(Step::Wait(Want::Flash))),
            Err(Stop::Refused(refusal)) => {
                let end = End::new(refused(refusal, Role::Destination));
                (Stage::Over, Some(end.then(Then::Skip(Some(literal))).into()))
            }
        }
    }

    fn draft(&mut self, turn: &mut Turn<'_, '_>) -> Result<Draft, Stop> {
        let keywords = self.keywords.resolve(&self.append.flags.keywords, true, turn)?;
        let draft = turn.mail.draft(Some(self.append.literal.len))?;
        turn.mail.add_mailbox(&draft, self.mailbox, self.append.flags.system.with(keywords))?;
        Ok(draft)
    }

    fn message(
        &mut self,
        draft: Draft,
        mut scanner: Box<Scanner>,
        mut left: u64,
        turn: &mut Turn<'_, '_>,
    ) -> Next {
        while left > 0 {
            let rest = turn.input.rest();
            let piece = rest.get(..usize::try_from(left).unwrap_or(usize::MAX)).unwrap_or(rest);
            if piece.is_empty() {
                return (Stage::Message { draft, scanner, left }, Some(Step::Wait(Want::Input)));
            }
            match turn.mail.append(&draft, piece) {
                Ok(count) => {
                    let taken = turn.input.take(count);
                    scanner.feed(taken);
                    left -= taken.len() as u64;
                    self.window.came(taken.len(), turn.now.ticks);
                }
                Err(Stop::Busy) => {
                    // While the flash is slow the client is not.
                    self.window = Window::new(turn.now.ticks);
                    return (Stage::Message { draft, scanner, left }, Some(Step::Wait(Want::Flash)));
                }
                Err(stopped) => return (Stage::Over, Some(stop(stopped, left))),
            }
        }
        (Stage::LineEnd { draft, summary: scanner.finish(), has_cr: false }, None)
    }

    fn line_end(&self, draft: Draft, summary: Vec<u8>, mut has_cr: bool, turn: &mut Turn<'_, '_>) -> Next {
        loop {
            match turn.input.rest().first() {
                None => return (Stage::LineEnd { draft, summary, has_cr }, Some(Step::Wait(Want::Input))),
                Some(b'\r') if !has_cr => has_cr = true,
                Some(b'\n') => {
                    turn.input.take(1);
                    return (Stage::Deposit { draft, summary }, None);
                }
                Some(_) => {
                    let end = End::new(Reply::bad("The command goes on behind its message"));
                    return (Stage::Over, Some(end.then(Then::Skip(None)).into()));
                }
            }
            turn.input.take(1);
        }
    }

    fn deposit(&self, draft: Draft, summary: Vec<u8>, turn: &mut Turn<'_, '_>) -> Next {
        let DateTime { time, zone_minutes } = self.date;
        let letter = Letter { received: UnixTime(time.0), zone_minutes, summary: &summary };
        match turn.mail.deposit(&draft, &letter) {
            Ok(ticket) => {
                let mut tickets = Tickets::default();
                tickets.push(ticket);
                (Stage::Durable(tickets), None)
            }
            Err(Stop::Busy) => (Stage::Deposit { draft, summary }, Some(Step::Wait(Want::Flash))),
            Err(Stop::Refused(refusal)) => {
                (Stage::Over, Some(End::new(refused(refusal, Role::Destination)).into()))
            }
        }
    }
}

fn durable(tickets: Tickets) -> Next {
    let reply = match tickets.settled() {
        Err(want) => return (Stage::Durable(tickets), Some(Step::Wait(want))),
        Ok(Err(refusal)) => refused(refusal, Role::Destination),
        Ok(Ok(receipt)) => {
            let uid = receipt.destination.first().unwrap_or(Uid(0));
            Reply::ok("Saved").with(Code::AppendUid(receipt.uid_validity, uid))
        }
    };
    (Stage::Over, Some(End::new(reply).into()))
}

/// Ends in the middle of the message, of which so many bytes have not been taken.
fn stop(stop: Stop, left: u64) -> Step {
    let reply = match stop {
        Stop::Refused(refusal) => refused(refusal, Role::Destination),
        Stop::Busy => refused(Refusal::TooBusy, Role::Destination),
    };
    End::new(reply).then(Then::Skip(Some(Literal { len: left, waits: false }))).into()
}

/// How fast the message must come.
struct Window {
    end: Ticks,
    bytes: u64,
}

impl Window {
    const fn new(now: Ticks) -> Self {
        Self { end: now.after_ms(APPEND_WINDOW_MS), bytes: 0 }
    }

    fn came(&mut self, bytes: usize, now: Ticks) {
        self.bytes += bytes as u64;
        if self.bytes >= APPEND_WINDOW_BYTES_MIN {
            *self = Self::new(now);
        }
    }
}
