//! The session: from bytes to lines and letters, from replies to bytes, and what is waited for in between.

use alloc::{borrow::Cow, boxed::Box, rc::Rc};

use mail::{AccountId, Mail, Now, Ticks};

use super::{
    Config, Mode, auth,
    command::Command,
    guard::{self, Device},
    letter::{Arrival, Delivered, Delivery, Envelope, Need},
    limits::{COMMAND_BYTES_MAX, ERRORS_MAX},
    patience::Patience,
    reply::{self, Reply},
};
use crate::{
    Answer, Io, Output, Peer, Reason, Session, Want,
    line::{Line, Lines},
    sasl::{Exchange, Offer},
};

/// One connection of a client.
#[derive(Debug)]
pub struct SmtpSession {
    pub(super) config: Rc<Config>,
    pub(super) mode: Mode,
    pub(super) peer: Peer,
    /// TLS is running.
    pub(super) secure: bool,
    /// Who the client says it is; `None` until HELO or EHLO.
    pub(super) client: Option<Client>,
    /// Who has logged in.
    pub(super) account: Option<AccountId>,
    /// The letter that is being addressed.
    pub(super) envelope: Option<Box<Envelope>>,
    /// The letter that waits for its next chunk.
    pub(super) chunked: Option<Box<Arrival>>,
    pub(super) counts: Counts,
    pub(super) patience: Patience,
    /// What the client may do without a log-in, if it is a device of ours.
    device: Option<Rc<Device>>,
    lines: Lines,
    phase: Phase,
}

/// What HELO or EHLO said.
#[derive(Debug)]
pub(super) struct Client {
    /// Its name, if that is one; see [`super::trace::client_name`].
    pub(super) name: Option<alloc::string::String>,
    /// It was EHLO.
    pub(super) extended: bool,
}

/// What is counted against the limits of a connection.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Since the last letter or log-in.
    pub(super) errors: u32,
    /// Commands other than RCPT since the last letter or log-in.
    pub(super) unproductive: u32,
    pub(super) refused_recipients: u32,
    pub(super) logins: u32,
}

/// What the next bytes are.
#[derive(Debug)]
enum Phase {
    /// None: the greeting is to be written first.
    Greeting,
    /// Commands.
    Commands,
    /// Answers to a challenge of AUTH.
    Exchange(Exchange),
    /// None: the driver has been asked something within an AUTH.
    Asked(Exchange),
    /// None: TLS is being started.
    Tls,
    /// A letter, or a chunk of one.
    Arrival(Box<Arrival>),
    /// None: a letter becomes durable.
    Delivery(Box<Delivery>),
    /// None: the client has to wait for this reply until then.
    Tarpit(Reply, Ticks),
    /// None: the connection closes.
    Closing,
}

/// What comes of a line.
#[derive(Debug)]
pub(super) enum Outcome {
    /// This is said.
    Reply(Reply),
    /// This is said of a recipient: not counted as an error of the client.
    Recipient(Reply),
    /// The same, so many milliseconds later.
    Tarpit(Reply, u64),
    /// This is said, and the connection closed.
    Close(Reply),
    /// This challenge is sent; lines are answers to it.
    Challenge(Cow<'static, str>, Exchange),
    /// The exchange goes on once this is answered.
    Ask(Want, Exchange),
    /// TLS is started.
    StartTls,
    /// This is told to come, and follows.
    Letter(Box<Arrival>),
    /// A chunk of this follows.
    Chunk(Box<Arrival>),
}

impl SmtpSession {
    /// A session with `peer`, whose connection began at `now`.
    #[must_use]
    pub fn new(config: Rc<Config>, mode: Mode, peer: Peer, now: Now) -> Self {
        Self {
            config,
            mode,
            peer,
            secure: peer.tls,
            client: None,
            account: None,
            envelope: None,
            chunked: None,
            counts: Counts::default(),
            patience: Patience::new(now.ticks),
            device: None,
            lines: Lines::new(COMMAND_BYTES_MAX),
            phase: Phase::Greeting,
        }
    }

    /// The same for a device of ours, which may send letters as it says there.
    #[must_use]
    pub fn of_device(self, device: Option<Rc<Device>>) -> Self {
        Self { device, ..self }
    }

    /// What the client may do as a device: nothing more once it has logged in.
    pub(super) fn device(&self) -> Option<&Rc<Device>> {
        self.device.as_ref().filter(|_| self.account.is_none())
    }

    /// Who sends.
    pub(super) fn sends(&self) -> guard::Client {
        match self.account {
            Some(account) => guard::Client::Account(account),
            None if self.device.is_some() => guard::Client::Device(self.peer.ip),
            None => guard::Client::Stranger(self.peer.ip),
        }
    }

    /// Goes on with the next thing. Returns what must be waited for, if anything.
    fn advance(&mut self, io: &mut Io<'_, '_>, mail: &mut dyn Mail) -> Option<Want> {
        match &mut self.phase {
            Phase::Greeting => {
                self.greet(io.output);
                None
            }
            Phase::Commands | Phase::Exchange(_) => self.line(io, mail),
            Phase::Asked(_) => self.answered(io),
            Phase::Tls => self.tls_started(io.answer.take()),
            Phase::Arrival(_) => self.arrive(io, mail),
            Phase::Delivery(_) => self.deliver(io, mail),
            Phase::Tarpit(_, until) if io.now.ticks < *until => Some(Want::Pause),
            Phase::Tarpit(..) => {
                self.leave_tarpit(io.output);
                None
            }
            Phase::Closing => Some(Want::Close),
        }
    }

    /// RFC 5321 §3.1.
    fn greet(&mut self, output: &mut Output) {
        let text = alloc::format!("{} ESMTP Tegami", self.config.hostname);
        Reply::owned(220, "", text).write(output);
        self.phase = Phase::Commands;
    }

    /// Takes one line.
    fn line(&mut self, io: &mut Io<'_, '_>, mail: &mut dyn Mail) -> Option<Want> {
        let mut lines = core::mem::replace(&mut self.lines, Lines::new(0));
        let outcome = match lines.next(io.input) {
            Line::Partial => None,
            Line::TooLong => Some(self.line_too_long()),
            Line::Whole(line) => Some(self.whole_line(line, mail, io.now)),
        };
        self.lines = lines;
        let Some(outcome) = outcome else { return Some(Want::Input) };
        self.patience.line();
        self.settle(outcome, io)
    }

    fn line_too_long(&mut self) -> Outcome {
        match core::mem::replace(&mut self.phase, Phase::Commands) {
            // RFC 4954 §4.
            Phase::Exchange(_) => Outcome::Reply(reply::AUTH_TOO_LONG),
            _ => Outcome::Reply(reply::LINE_TOO_LONG),
        }
    }

    fn whole_line(&mut self, line: &[u8], mail: &mut dyn Mail, now: Now) -> Outcome {
        match core::mem::replace(&mut self.phase, Phase::Commands) {
            Phase::Exchange(exchange) => auth::respond(self, exchange, line),
            _ => match Command::parse(line) {
                Ok(command) => self.command(command, mail, now),
                Err(reply) => Outcome::Reply(reply),
            },
        }
    }

    /// Does what came of a line.
    fn settle(&mut self, outcome: Outcome, io: &mut Io<'_, '_>) -> Option<Want> {
        match outcome {
            Outcome::Reply(reply) => self.reply(&reply, io.output),
            Outcome::Recipient(reply) => reply.write(io.output),
            Outcome::Tarpit(reply, ms) => self.phase = Phase::Tarpit(reply, io.now.ticks.after_ms(ms)),
            Outcome::Close(reply) => self.close(&reply, io.output),
            Outcome::Challenge(challenge, exchange) => {
                reply::challenge(challenge).write(io.output);
                self.phase = Phase::Exchange(exchange);
            }
            Outcome::Ask(want, exchange) => {
                self.phase = Phase::Asked(exchange);
                return Some(want);
            }
            Outcome::StartTls => {
                reply::READY_FOR_TLS.write(io.output);
                // RFC 3207 §4.2: whatever stands behind the command was not protected and is never run.
                io.input.take(usize::MAX);
                self.phase = Phase::Tls;
                return Some(Want::StartTls);
            }
            Outcome::Letter(arrival) => {
                reply::GO_AHEAD.write(io.output);
                self.transfer(arrival);
            }
            Outcome::Chunk(arrival) => self.transfer(arrival),
        }
        None
    }

    fn transfer(&mut self, arrival: Box<Arrival>) {
        self.patience.begin_transfer();
        self.phase = Phase::Arrival(arrival);
    }

    /// Says something, unless the client has made too many errors: then it is told so instead.
    fn reply(&mut self, reply: &Reply, output: &mut Output) {
        self.counts.errors += u32::from(reply.is_error());
        if self.counts.errors > ERRORS_MAX {
            self.close(&self.closing("4.7.0", "Too many errors; closing the connection"), output);
        } else {
            reply.write(output);
        }
    }

    /// The client has waited long enough.
    fn leave_tarpit(&mut self, output: &mut Output) {
        if let Phase::Tarpit(reply, _) = core::mem::replace(&mut self.phase, Phase::Commands) {
            reply.write(output);
        }
    }

    fn close(&mut self, reply: &Reply, output: &mut Output) {
        reply.write(output);
        self.hang_up();
    }

    /// Gives up whatever was going on.
    fn hang_up(&mut self) {
        self.forget_letter();
        self.phase = Phase::Closing;
    }

    /// Gives up the letter that is being addressed, or of which chunks have come.
    pub(super) fn forget_letter(&mut self) {
        self.envelope = None;
        self.chunked = None;
        self.patience.end_transfer();
    }

    /// A last word (RFC 5321 §3.8: 421).
    pub(super) fn closing(&self, status: &'static str, sentence: &str) -> Reply {
        reply::closing(status, &self.config.hostname, sentence)
    }

    /// What may be used for a log-in.
    pub(super) fn offer(&self) -> Offer {
        Offer { scram: self.config.scram, channel_binding: self.peer.channel_binding }
    }

    fn answered(&mut self, io: &mut Io<'_, '_>) -> Option<Want> {
        let phase = core::mem::replace(&mut self.phase, Phase::Commands);
        let Phase::Asked(exchange) = phase else { return None };
        let outcome = auth::answered(self, exchange, io.answer.take());
        self.settle(outcome, io)
    }

    /// RFC 3207 §4.2: what was known before TLS is forgotten.
    fn tls_started(&mut self, answer: Option<Answer>) -> Option<Want> {
        let Some(Answer::Tls(channel_binding)) = answer else {
            self.hang_up();
            return None;
        };
        self.secure = true;
        self.peer.channel_binding = channel_binding;
        self.client = None;
        self.account = None;
        self.forget_letter();
        self.lines = Lines::new(COMMAND_BYTES_MAX);
        self.phase = Phase::Commands;
        None
    }

    /// Takes bytes of a letter.
    fn arrive(&mut self, io: &mut Io<'_, '_>, mail: &mut dyn Mail) -> Option<Want> {
        let Phase::Arrival(arrival) = &mut self.phase else { return None };
        let before = io.input.taken();
        let need = arrival.step(io.input, mail);
        self.patience.transferred(io.input.taken() - before);
        match need {
            Need::Input => return Some(Want::Input),
            Need::Flash => return Some(Want::Flash),
            Need::Chunk => self.chunk_arrived(io.output),
            Need::Finish => self.arrived(io.output),
            Need::GiveUp => {
                self.patience.end_transfer();
                self.close(&reply::TOO_LARGE, io.output);
            }
        }
        None
    }

    /// The end of a chunk has been read, and the letter goes on. Even where it is refused it is not over: the chunks
    /// that are on their way belong to it (RFC 3030 §2), up to the last or to RSET.
    fn chunk_arrived(&mut self, output: &mut Output) {
        let Phase::Arrival(arrival) = core::mem::replace(&mut self.phase, Phase::Commands) else { return };
        arrival.chunk_reply().write(output);
        self.chunked = Some(arrival);
    }

    /// The end of a letter has been read.
    fn arrived(&mut self, output: &mut Output) {
        self.patience.end_transfer();
        let Phase::Arrival(arrival) = core::mem::replace(&mut self.phase, Phase::Commands) else { return };
        match arrival.finish() {
            Ok(delivery) => self.phase = Phase::Delivery(Box::new(delivery)),
            Err(reply) => reply.write(output),
        }
    }

    /// Waits until a letter is durable; only then says so.
    fn deliver(&mut self, io: &mut Io<'_, '_>, mail: &mut dyn Mail) -> Option<Want> {
        let Phase::Delivery(delivery) = &mut self.phase else { return None };
        let (recipients, bytes) = delivery.extent();
        let reply = match delivery.step(mail, io.now) {
            Delivered::Flash => return Some(Want::Flash),
            Delivered::Durable(ticket) => return Some(Want::Durable(ticket)),
            Delivered::Refused(reply) => reply,
            Delivered::Accepted(reply) => {
                self.productive();
                if let Some(device) = self.device() {
                    self.config.guard.device_sent(self.peer.ip, device, recipients, bytes);
                }
                reply
            }
        };
        self.phase = Phase::Commands;
        reply.write(io.output);
        None
    }

    /// The client did what the connection is for. Recipients refused stay counted: a good letter now and then must not
    /// buy more guesses.
    pub(super) fn productive(&mut self) {
        self.counts.errors = 0;
        self.counts.unproductive = 0;
        self.patience.productive();
    }
}

impl Session for SmtpSession {
    fn step(&mut self, io: &mut Io<'_, '_>, mail: &mut dyn Mail) -> Want {
        self.patience.resume(io.now.ticks);
        let want = loop {
            // RFC 2920 §3.2: replies to a pipelined group are sent together, as far as the output has room for them.
            if io.output.is_full() {
                break Want::Room;
            }
            if let Some(want) = self.advance(io, mail) {
                break want;
            }
        };
        if matches!(want, Want::Input) {
            self.patience.wait(io.now.ticks);
        }
        want
    }

    fn deadline(&self) -> Ticks {
        match &self.phase {
            Phase::Tarpit(_, until) => *until,
            _ => self.patience.deadline(),
        }
    }

    fn expire(&mut self, _: Now, output: &mut Output) -> Want {
        if matches!(self.phase, Phase::Tarpit(..)) {
            self.leave_tarpit(output);
            return Want::Turn;
        }
        let reply = self.closing("4.4.2", "That took too long; closing the connection");
        self.close(&reply, output);
        Want::Close
    }

    /// RFC 5321 §3.8: 421 may be said at any time.
    fn farewell(&mut self, output: &mut Output) {
        super::refuse(output, &self.config, Reason::ShuttingDown);
    }
}
