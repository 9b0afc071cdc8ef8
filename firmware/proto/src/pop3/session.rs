//! The session: from bytes to commands, from replies to bytes, and what is waited for in between.

use alloc::{borrow::Cow, boxed::Box, format, rc::Rc};
use core::mem;

use mail::{AccountId, Mail, Now, Refusal, Stop, Ticket, Ticks, Uid, Unready};

use super::{
    Config, auth,
    command::Command,
    limits::{COMMAND_BYTES_MAX, MISTAKES_MAX},
    maildrop::{Column, Listed, Listing, Maildrop, Missing},
    patience::Patience,
    reply::{self, Reply},
    transfer::{Sent, Transfer},
};
use crate::{
    Answer, Io, LoginRefusal, Output, Peer, Secret, Session, Want,
    line::{Line, Lines},
    sasl::{Exchange, Offer},
};

/// One connection of a client.
#[derive(Debug)]
pub struct Pop3Session {
    config: Rc<Config>,
    peer: Peer,
    /// TLS is running.
    secure: bool,
    /// What USER said, until the next command.
    pub(super) name: Option<Secret>,
    /// The messages, once somebody has logged in (RFC 1939: TRANSACTION state).
    pub(super) maildrop: Option<Box<Maildrop>>,
    /// Log-ins that failed.
    pub(super) logins: u32,
    /// Mistakes since log-in or the last letter.
    mistakes: u32,
    patience: Patience,
    lines: Lines,
    phase: Phase,
}

/// What goes on.
#[derive(Debug)]
enum Phase {
    /// The greeting is to be written.
    Greeting,
    /// Commands come.
    Commands,
    /// Answers to a challenge of AUTH come.
    Exchange(Exchange),
    /// The driver has been asked something within a log-in.
    Asked(Exchange),
    /// TLS is being started.
    Tls,
    /// All messages are being listed.
    Listing(Listing),
    /// A letter is to be opened; how many lines of it, for TOP.
    Opening { uid: Uid, lines: Option<u64> },
    /// A letter is being sent.
    Sending(Box<Transfer>),
    /// Messages are to be removed (RFC 1939 §6: UPDATE state).
    Update,
    /// Their removal becomes durable.
    Removing(Ticket),
    /// The connection closes.
    Closing,
}

/// What comes of a line.
#[derive(Debug)]
pub(super) enum Outcome {
    /// This is said.
    Reply(Reply),
    /// This is said, and the connection closed.
    Close(Reply),
    /// This challenge is sent; lines are answers to it.
    Challenge(Cow<'static, str>, Exchange),
    /// The exchange goes on once this is answered.
    Ask(Want, Exchange),
    /// A log-in is over.
    Concluded(Result<AccountId, LoginRefusal>),
    /// TLS is started.
    StartTls,
    /// What can be done here is listed.
    Capabilities,
    /// All messages are listed.
    List(Column),
    /// A letter is sent, or its beginning.
    Send { uid: Uid, lines: Option<u64> },
    /// The session ends, and what is marked as deleted is removed.
    Quit,
}

impl Pop3Session {
    /// A session with `peer`, whose connection began at `now`.
    #[must_use]
    pub fn new(config: Rc<Config>, peer: Peer, now: Now) -> Self {
        Self {
            config,
            peer,
            secure: peer.tls,
            name: None,
            maildrop: None,
            logins: 0,
            mistakes: 0,
            patience: Patience::new(now.ticks),
            lines: Lines::new(COMMAND_BYTES_MAX),
            phase: Phase::Greeting,
        }
    }

    /// Whether passwords are safe here.
    pub(super) const fn takes_passwords(&self) -> bool {
        self.secure || self.peer.trusted_path
    }

    /// Somebody has logged in.
    pub(super) fn entered(&mut self, maildrop: Maildrop, now: Now) {
        self.maildrop = Some(Box::new(maildrop));
        self.productive(now);
    }

    fn productive(&mut self, now: Now) {
        self.mistakes = 0;
        self.patience.productive(now.ticks);
    }

    /// Goes on with the next thing. Returns what must be waited for, if anything.
    fn advance(&mut self, io: &mut Io<'_, '_>, mail: &mut dyn Mail) -> Option<Want> {
        match &mut self.phase {
            Phase::Greeting => {
                reply::ok(format!("{} POP3 Tegami", self.config.hostname)).write(io.output);
                self.phase = Phase::Commands;
                None
            }
            Phase::Commands | Phase::Exchange(_) => self.line(io, mail),
            Phase::Asked(_) => self.answered(io, mail),
            Phase::Tls => self.tls_started(io.answer.take()),
            Phase::Listing(_) => self.list(io, mail),
            Phase::Opening { uid, lines } => {
                let (uid, lines) = (*uid, *lines);
                self.open(uid, lines, io, mail)
            }
            Phase::Sending(_) => self.send(io, mail),
            Phase::Update => self.update(io.output, mail),
            Phase::Removing(ticket) => {
                let ticket = ticket.clone();
                self.removed(ticket, io.output)
            }
            Phase::Closing => Some(Want::Close),
        }
    }

    // ---- Commands ----------------------------------------------------------------------------------------------

    /// Takes one line.
    fn line(&mut self, io: &mut Io<'_, '_>, mail: &mut dyn Mail) -> Option<Want> {
        let mut lines = mem::replace(&mut self.lines, Lines::new(0));
        let outcome = match lines.next(io.input) {
            Line::Partial => None,
            Line::TooLong => {
                self.phase = Phase::Commands;
                Some(Outcome::Reply(reply::LINE_TOO_LONG))
            }
            Line::Whole(line) => Some(self.whole_line(line, mail)),
        };
        self.lines = lines;
        let Some(outcome) = outcome else { return Some(Want::Input) };
        self.patience.progress(io.now.ticks);
        self.settle(outcome, io, mail)
    }

    fn whole_line(&mut self, line: &[u8], mail: &dyn Mail) -> Outcome {
        match mem::replace(&mut self.phase, Phase::Commands) {
            Phase::Exchange(exchange) => auth::respond(self, exchange, line),
            _ => match Command::parse(line) {
                Ok(command) => self.command(command, mail),
                Err(reply) => Outcome::Reply(reply),
            },
        }
    }

    /// Commands that there are in every state (RFC 1939 §4, RFC 2449 §5), and those before log-in.
    fn command(&mut self, command: Command<'_>, mail: &dyn Mail) -> Outcome {
        // RFC 1939 §7: PASS must follow USER at once.
        let name = self.name.take();
        match command {
            Command::Quit => Outcome::Quit,
            Command::Capa => Outcome::Capabilities,
            Command::Auth(argument) => auth::begin(self, argument),
            Command::User(name) => auth::user(self, name),
            Command::Pass(password) => auth::pass(self, name, password),
            Command::Stls => self.start_tls(),
            command => match &mut self.maildrop {
                Some(maildrop) => transaction(maildrop, command, mail),
                None => Outcome::Reply(reply::LOG_IN_FIRST),
            },
        }
    }

    /// RFC 2595 §4: before log-in only.
    fn start_tls(&self) -> Outcome {
        if self.maildrop.is_some() {
            Outcome::Reply(reply::LOGGED_IN_ALREADY)
        } else if self.secure {
            Outcome::Reply(reply::TLS_ALREADY)
        } else {
            Outcome::StartTls
        }
    }

    /// Does what came of a line.
    fn settle(&mut self, outcome: Outcome, io: &mut Io<'_, '_>, mail: &mut dyn Mail) -> Option<Want> {
        match outcome {
            Outcome::Reply(reply) => self.reply(&reply, io.output),
            Outcome::Close(reply) => self.close(&reply, io.output),
            Outcome::Challenge(challenge, exchange) => {
                io.output.push(b"+ ");
                io.output.push(challenge.as_bytes());
                io.output.push(b"\r\n");
                self.phase = Phase::Exchange(exchange);
            }
            Outcome::Ask(want, exchange) => {
                self.phase = Phase::Asked(exchange);
                return Some(want);
            }
            Outcome::Concluded(result) => {
                let reply = auth::concluded(self, result, mail, io.now);
                self.reply(&reply, io.output);
            }
            Outcome::StartTls => {
                reply::ok("Begin TLS").write(io.output);
                // RFC 2595 §4: whatever stands behind the command was not protected and is never run.
                io.input.take(usize::MAX);
                self.phase = Phase::Tls;
                return Some(Want::StartTls);
            }
            Outcome::Capabilities => self.write_capabilities(io.output),
            Outcome::List(column) => {
                let text = self.maildrop.as_ref().map_or_else(Default::default, |maildrop| maildrop.text());
                reply::ok(text).write(io.output);
                self.phase = Phase::Listing(Listing::new(column));
            }
            Outcome::Send { uid, lines } => self.phase = Phase::Opening { uid, lines },
            Outcome::Quit => self.phase = Phase::Update,
        }
        None
    }

    /// Says something, unless the client has made too many mistakes: then it is told so instead.
    fn reply(&mut self, reply: &Reply, output: &mut Output) {
        self.mistakes += u32::from(reply.is_mistake());
        if self.mistakes > MISTAKES_MAX {
            self.close(&reply::no("Too many mistakes; closing the connection"), output);
        } else {
            reply.write(output);
        }
    }

    /// Says something last. Nothing is deleted.
    fn close(&mut self, reply: &Reply, output: &mut Output) {
        reply.write(output);
        self.hang_up();
    }

    fn hang_up(&mut self) {
        self.maildrop = None;
        self.phase = Phase::Closing;
    }

    /// RFC 2449 §6. What would not be accepted is not announced (RFC 2595 §2.3: passwords).
    fn write_capabilities(&self, output: &mut Output) {
        reply::ok("This is what I can do").write(output);
        for line in ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER"] {
            output.push(line.as_bytes());
            output.push(b"\r\n");
        }
        if self.takes_passwords() {
            output.push(b"USER\r\nSASL");
            for mechanism in self.offer().mechanisms() {
                output.push(b" ");
                output.push(mechanism.name().as_bytes());
            }
            output.push(b"\r\n");
        }
        if !self.secure && self.maildrop.is_none() {
            output.push(b"STLS\r\n");
        }
        output.push(b"IMPLEMENTATION Tegami\r\n.\r\n");
    }

    // ---- Log-in and TLS ----------------------------------------------------------------------------------------

    /// What may be used for a log-in.
    pub(super) fn offer(&self) -> Offer {
        Offer { scram: self.config.scram, channel_binding: self.peer.channel_binding }
    }

    fn answered(&mut self, io: &mut Io<'_, '_>, mail: &mut dyn Mail) -> Option<Want> {
        let phase = mem::replace(&mut self.phase, Phase::Commands);
        let Phase::Asked(exchange) = phase else { return None };
        self.patience.progress(io.now.ticks);
        let outcome = auth::answered(self, exchange, io.answer.take());
        self.settle(outcome, io, mail)
    }

    /// RFC 2595 §4: what was known before TLS is forgotten.
    fn tls_started(&mut self, answer: Option<Answer>) -> Option<Want> {
        if let Some(Answer::Tls(channel_binding)) = answer {
            self.secure = true;
            self.peer.channel_binding = channel_binding;
            self.name = None;
            self.lines = Lines::new(COMMAND_BYTES_MAX);
            self.phase = Phase::Commands;
        } else {
            self.hang_up();
        }
        None
    }

    // ---- Listing and sending -----------------------------------------------------------------------------------

    fn list(&mut self, io: &mut Io<'_, '_>, mail: &dyn Mail) -> Option<Want> {
        self.patience.progress(io.now.ticks);
        let (Phase::Listing(listing), Some(maildrop)) = (&mut self.phase, &self.maildrop) else {
            return None;
        };
        match maildrop.list(listing, mail, io.output) {
            Listed::Full => Some(Want::Room),
            Listed::Turn => Some(Want::Turn),
            Listed::All => {
                self.phase = Phase::Commands;
                None
            }
        }
    }

    fn open(
        &mut self,
        uid: Uid,
        lines: Option<u64>,
        io: &mut Io<'_, '_>,
        mail: &mut dyn Mail,
    ) -> Option<Want> {
        let maildrop = self.maildrop.as_ref()?;
        match mail.open(maildrop.mailbox, uid) {
            Ok(content) => {
                self.patience.begin_transfer(io.now.ticks, content.size());
                self.phase = Phase::Sending(Box::new(Transfer::new(content, lines)));
            }
            Err(Unready::Cold(cold)) => return Some(Want::Warm(cold)),
            Err(unready) => {
                self.phase = Phase::Commands;
                reply::no(unreadable(unready)).write(io.output);
            }
        }
        None
    }

    /// Sends a letter on. The line that announces it stays only if bytes of it could be read: as long as nothing of
    /// a letter has been sent, an error can be said.
    fn send(&mut self, io: &mut Io<'_, '_>, mail: &mut dyn Mail) -> Option<Want> {
        self.patience.progress(io.now.ticks);
        let Phase::Sending(transfer) = &mut self.phase else { return None };
        let before = io.output.buffer().len();
        if transfer.is_new() {
            reply::ok(format!("{} octets", transfer.size())).write(io.output);
        }
        let sent = transfer.step(mail, io.output);
        let nothing_sent = transfer.is_new();
        match sent {
            Sent::All => {
                self.end_transfer();
                self.productive(io.now);
                None
            }
            Sent::Full => Some(Want::Room),
            Sent::Cold(cold) => {
                if nothing_sent {
                    io.output.buffer().truncate(before);
                }
                Some(Want::Warm(cold))
            }
            Sent::Damaged if nothing_sent => {
                io.output.buffer().truncate(before);
                self.end_transfer();
                reply::no(unreadable(Unready::Damaged)).write(io.output);
                None
            }
            // No reply can be made within a letter; without its final dot it is not taken for whole.
            Sent::Damaged => {
                self.hang_up();
                None
            }
        }
    }

    fn end_transfer(&mut self) {
        self.patience.end_transfer();
        self.phase = Phase::Commands;
    }

    // ---- Update ------------------------------------------------------------------------------------------------

    /// RFC 1939 §6: only QUIT removes what is marked as deleted.
    fn update(&mut self, output: &mut Output, mail: &mut dyn Mail) -> Option<Want> {
        let marked = self.maildrop.as_ref().filter(|maildrop| !maildrop.deleted().is_empty());
        let Some(maildrop) = marked else {
            self.close(&reply::ok("Bye"), output);
            return None;
        };
        match mail.expunge(maildrop.mailbox, maildrop.deleted()) {
            Ok(ticket) => self.phase = Phase::Removing(ticket),
            Err(Stop::Busy) => return Some(Want::Flash),
            Err(Stop::Refused(refusal)) => self.close(&not_removed(refusal), output),
        }
        None
    }

    /// STORE.md rule 1: what is said to be removed is removed whatever happens to the power.
    fn removed(&mut self, ticket: Ticket, output: &mut Output) -> Option<Want> {
        match ticket.result() {
            None => return Some(Want::Durable(ticket)),
            Some(Ok(_)) => self.close(&reply::ok("Bye; what you deleted is gone"), output),
            Some(Err(refusal)) => self.close(&not_removed(refusal), output),
        }
        None
    }
}

/// Commands after log-in (RFC 1939 §5, §7).
fn transaction(maildrop: &mut Maildrop, command: Command<'_>, mail: &dyn Mail) -> Outcome {
    let line =
        |number, column| maildrop.line(number, column, mail).map(|line| Outcome::Reply(reply::ok(line)));
    let done = match command {
        Command::Stat => Ok(Outcome::Reply(reply::ok(format!("{} {}", maildrop.count(), maildrop.bytes())))),
        Command::List(None) => Ok(Outcome::List(Column::Size)),
        Command::Uidl(None) => Ok(Outcome::List(Column::UniqueId)),
        Command::List(Some(number)) => line(number, Column::Size),
        Command::Uidl(Some(number)) => line(number, Column::UniqueId),
        Command::Retr(number) => {
            maildrop.message(number, mail).map(|(uid, _)| Outcome::Send { uid, lines: None })
        }
        Command::Top { number, lines } => {
            maildrop.message(number, mail).map(|(uid, _)| Outcome::Send { uid, lines: Some(lines) })
        }
        Command::Dele(number) => maildrop
            .delete(number, mail)
            .map(|()| Outcome::Reply(reply::ok(format!("Message {number} is marked as deleted")))),
        Command::Rset => {
            maildrop.reset();
            Ok(Outcome::Reply(reply::ok(maildrop.text())))
        }
        Command::Noop => Ok(Outcome::Reply(reply::ok("Nothing done"))),
        _ => Ok(Outcome::Reply(reply::UNKNOWN_COMMAND)),
    };
    done.unwrap_or_else(|missing| Outcome::Reply(reply::no(missing_text(missing))))
}

const fn missing_text(missing: Missing) -> &'static str {
    match missing {
        Missing::Never => "No such message",
        Missing::Deleted => "That message is marked as deleted",
        Missing::Gone => unreadable(Unready::Gone),
    }
}

/// RFC 3206 §4: SYS/PERM is what a person must look after.
const fn unreadable(unready: Unready) -> &'static str {
    match unready {
        Unready::Gone => "That message has been removed by another program",
        Unready::Damaged => "[SYS/PERM] That message is damaged on the flash and cannot be read",
        Unready::Cold(_) => "[SYS/TEMP] That message cannot be read just now",
    }
}

fn not_removed(refusal: Refusal) -> Reply {
    reply::no(match refusal {
        Refusal::ReadOnly => "[SYS/PERM] Nothing was deleted: the flash takes no more changes",
        _ => "[SYS/TEMP] Nothing was deleted; try again later",
    })
}

impl Session for Pop3Session {
    fn step(&mut self, io: &mut Io<'_, '_>, mail: &mut dyn Mail) -> Want {
        let want = loop {
            // RFC 2449 §6.6: replies to pipelined commands are sent together, as far as the output has room for them.
            if io.output.is_full() {
                break Want::Room;
            }
            if let Some(want) = self.advance(io, mail) {
                break want;
            }
        };
        self.patience.wait(matches!(want, Want::Input | Want::Room));
        want
    }

    fn deadline(&self) -> Ticks {
        self.patience.deadline()
    }

    /// RFC 1939 §3: the connection is closed without a word, and nothing is deleted.
    fn expire(&mut self, _now: Now, _output: &mut Output) -> Want {
        self.hang_up();
        Want::Close
    }

    /// RFC 1939 has no reply that nobody asked for.
    fn farewell(&mut self, _output: &mut Output) {}
}
