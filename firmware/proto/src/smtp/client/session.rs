//! The session: from the greeting to readiness, from job to job, and how it ends.

use alloc::{boxed::Box, rc::Rc};
use core::mem;

use mail::{Mail, Now, Ticks};
use zeroize::Zeroize as _;

use super::{
    Config, Tls,
    auth::Exchange,
    extensions::Extensions,
    job::Job,
    limits::{BLOCK_MS_MAX, COMMAND_MS_MAX, GREETING_MS_MAX, LOSS_TEXT_BYTES_MAX, QUIT_MS_MAX},
    outcome::{Ending, Fate, Outcome, Own, Reason, Stage, readable},
    patience::Patience,
    reply::{Breach, RawReply, Replies, Reply},
    transaction::{Transaction, fate_of},
    transfer::Sent,
};
use crate::{Answer, Input, Io, Output, Session, Want};

/// One connection to a server.
///
/// It makes itself ready and then wants [`Want::Work`]: the caller takes the outcome of the last job and gives the next,
/// or says that there is none. When its driver has come back, in whatever way, [`lost`](Self::lost) is called; a last
/// outcome and the ending are there then.
#[derive(Debug)]
pub struct SmtpClient {
    config: Rc<Config>,
    /// TLS is running.
    secure: bool,
    extensions: Extensions,
    /// MAIL commands so far.
    letters: usize,
    /// The server remembers a transaction that came to nothing.
    unclean: bool,
    /// The job that comes next.
    job: Option<Box<Job>>,
    /// There will be no more.
    finishing: bool,
    outcome: Option<Outcome>,
    ending: Option<Ending>,
    patience: Patience,
    replies: Replies,
    phase: Phase,
}

/// What goes on.
#[derive(Debug)]
enum Phase {
    /// The greeting is waited for.
    Greeting,
    /// The reply to EHLO is waited for; or to HELO, if it is not extended.
    Hello { extended: bool },
    /// The reply to STARTTLS is waited for.
    StartTls,
    /// TLS is being started.
    Handshake,
    /// Challenges, or the reply to AUTH, are waited for.
    Auth(Exchange),
    /// Nothing.
    Idle,
    /// A job is being sent.
    Sending(Box<Transaction>),
    /// The reply to QUIT is waited for.
    Quit,
    /// The connection closes.
    Closed,
}

impl SmtpClient {
    /// A session with a server to which the connection was made at `now`.
    #[must_use]
    pub fn new(config: Rc<Config>, now: Now) -> Self {
        Self {
            secure: config.tls == Tls::Implicit,
            config,
            extensions: Extensions::default(),
            letters: 0,
            unclean: false,
            job: None,
            finishing: false,
            outcome: None,
            ending: None,
            patience: Patience::new(now.ticks, GREETING_MS_MAX),
            replies: Replies::new(),
            phase: Phase::Greeting,
        }
    }

    /// Gives the next job, to be begun with the next step.
    ///
    /// # Errors
    /// The job itself, if the session does not want one now.
    pub fn give(&mut self, job: Box<Job>) -> Result<(), Box<Job>> {
        if !matches!(self.phase, Phase::Idle) || self.job.is_some() || self.finishing {
            return Err(job);
        }
        self.job = Some(job);
        Ok(())
    }

    /// Says that there are no more jobs: with the next step, QUIT.
    pub const fn finish(&mut self) {
        self.finishing = true;
    }

    /// The outcome of the last job, once.
    pub const fn take_outcome(&mut self) -> Option<Outcome> {
        self.outcome.take()
    }

    /// How the connection ended; `None` while it can go on.
    #[must_use]
    pub const fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// Whether the end of a letter was sent and has no answer yet: cut off now, nobody knows whether it was delivered.
    #[must_use]
    pub fn awaits_verdict(&self) -> bool {
        matches!(&self.phase, Phase::Sending(transaction) if transaction.stage() == Stage::End)
    }

    /// The connection is gone. `heard` is what the server had said before that and was not offered to the session yet: who
    /// refuses a letter in its midst may say so and close. `text` is what is known of why; it makes no difference where
    /// the session had come to its end by itself.
    pub fn lost(&mut self, heard: &[u8], text: &str) {
        let mut input = Input::new(heard);
        while !matches!(self.phase, Phase::Closed)
            && let Ok(Some(raw)) = self.replies.next(&mut input)
        {
            self.heard_last(&raw);
        }
        let text = readable(text, LOSS_TEXT_BYTES_MAX).into_boxed_str();
        self.hang_up(Ending::Lost { stage: self.stage(), text });
    }

    /// What is heard when there is nothing more to be said.
    fn heard_last(&mut self, raw: &RawReply) {
        let reply = raw.read();
        match &mut self.phase {
            Phase::Sending(transaction) if !transaction.is_sending() && reply.code != 421 => {
                if let Err(breach) = transaction.answered(&reply, &mut Output::new()) {
                    self.breach(breach);
                }
            }
            _ if reply.is_refusal() => self.sent_away(reply),
            _ => {}
        }
    }

    /// Goes on with the next thing. Returns what must be waited for, if anything.
    fn advance(&mut self, io: &mut Io<'_, '_>, mail: &mut dyn Mail) -> Option<Want> {
        match &self.phase {
            Phase::Handshake => self.tls_started(io),
            Phase::Auth(exchange) if exchange.awaits_proof() => return self.prove(io),
            Phase::Idle => return self.idle(io),
            Phase::Sending(transaction) if transaction.is_sending() => return self.send(io, mail),
            Phase::Sending(_) => return self.transact(io),
            Phase::Closed => return Some(Want::Close),
            _ => return self.listen(io),
        }
        None
    }

    fn stage(&self) -> Stage {
        match &self.phase {
            Phase::Greeting => Stage::Greeting,
            Phase::Hello { .. } => Stage::Hello,
            Phase::StartTls | Phase::Handshake => Stage::Tls,
            Phase::Auth(_) => Stage::Auth,
            Phase::Sending(transaction) => transaction.stage(),
            Phase::Idle | Phase::Quit | Phase::Closed => Stage::Idle,
        }
    }

    // ---- Replies -----------------------------------------------------------------------------------------------

    /// Takes one reply.
    fn listen(&mut self, io: &mut Io<'_, '_>) -> Option<Want> {
        match self.replies.next(io.input) {
            Ok(None) => return Some(Want::Input),
            Ok(Some(raw)) => self.heard(&raw, io),
            Err(breach) => self.breach(breach),
        }
        matches!(self.phase, Phase::Handshake).then_some(Want::StartTls)
    }

    fn heard(&mut self, raw: &RawReply, io: &mut Io<'_, '_>) {
        let reply = raw.read();
        // RFC 5321 §3.8: at any time, and nothing comes behind it.
        if reply.code == 421 {
            return self.sent_away(reply);
        }
        if let Phase::Sending(transaction) = &mut self.phase {
            match transaction.answered(&reply, io.output) {
                Ok(()) => self.patience.expect(transaction.patience_ms()),
                Err(breach) => self.breach(breach),
            }
            return;
        }
        let begins_tls = matches!(self.phase, Phase::StartTls) && reply.is_positive();
        if !begins_tls && self.replies.is_under_way(io.input) {
            return self.breach(Breach::Unasked);
        }
        self.patience.expect(COMMAND_MS_MAX);
        match self.phase {
            Phase::Greeting => self.greeted(reply, io.output),
            Phase::Hello { extended } => self.known(extended, raw, reply, io.output),
            Phase::StartTls => self.tls_answered(reply, io),
            Phase::Auth(_) => self.auth_answered(raw, reply, io.output),
            Phase::Quit => self.phase = Phase::Closed,
            _ => self.breach(Breach::Unasked),
        }
    }

    /// The server ends the connection. 421 is about the connection, unless it is the answer to a whole letter: what has no
    /// answer yet may go to another server (RFC 5321 §3.8). Any other refusal is about the letter.
    fn sent_away(&mut self, reply: Rc<Reply>) {
        let stage = self.stage();
        if let Phase::Sending(transaction) = &mut self.phase {
            let is_of_connection = reply.code == 421 && stage != Stage::End;
            let fate = if is_of_connection { transaction.fate_if_cut() } else { fate_of(stage, &reply) };
            transaction.settle(&fate);
        }
        self.hang_up(Ending::Refused { stage, reply });
    }

    fn breach(&mut self, breach: Breach) {
        self.hang_up(Ending::Breach { stage: self.stage(), breach });
    }

    /// Says good-bye; the connection cannot be used.
    fn leave(&mut self, ending: Ending, output: &mut Output) {
        self.ending = Some(ending);
        output.push(b"QUIT\r\n");
        self.patience.expect(QUIT_MS_MAX);
        self.phase = Phase::Quit;
    }

    /// Ends without a word. Whoever is in question is to be tried again.
    fn hang_up(&mut self, ending: Ending) {
        if let Some(job) = self.job.take() {
            let fate = Fate::Deferred(Reason::Ended(Stage::Idle));
            self.outcome = Some(Outcome::of_all(&job, &fate));
        }
        if let Phase::Sending(mut transaction) = mem::replace(&mut self.phase, Phase::Closed) {
            let fate = transaction.fate_if_cut();
            transaction.settle(&fate);
            self.outcome = Some(transaction.close());
        }
        self.ending.get_or_insert(ending);
    }

    // ---- Readiness ---------------------------------------------------------------------------------------------

    /// RFC 5321 §3.1: 220, or 554 and others where there is no service.
    fn greeted(&mut self, reply: Rc<Reply>, output: &mut Output) {
        match reply.class() {
            2 => self.hello(true, output),
            3 => self.breach(Breach::Unexpected(reply.code)),
            _ => self.leave(Ending::Refused { stage: Stage::Greeting, reply }, output),
        }
    }

    fn hello(&mut self, extended: bool, output: &mut Output) {
        output.push(if extended { b"EHLO " } else { b"HELO " });
        output.push(self.config.hostname.as_bytes());
        output.push(b"\r\n");
        self.phase = Phase::Hello { extended };
    }

    /// RFC 5321 §4.1.1.1. A server that does not know EHLO is greeted as before there were extensions (§3.2).
    fn known(&mut self, extended: bool, raw: &RawReply, reply: Rc<Reply>, output: &mut Output) {
        match reply.code {
            200..300 => {
                self.extensions = if extended { Extensions::read(raw) } else { Extensions::default() };
                self.secure_first(output);
            }
            300..400 => self.breach(Breach::Unexpected(reply.code)),
            500 | 502 if extended => self.hello(false, output),
            _ => self.leave(Ending::Refused { stage: Stage::Hello, reply }, output),
        }
    }

    /// RFC 3207: before TLS nothing is said but EHLO.
    fn secure_first(&mut self, output: &mut Output) {
        match self.config.tls {
            _ if self.secure => self.login(output),
            Tls::Required | Tls::Opportunistic if self.extensions.starttls => {
                output.push(b"STARTTLS\r\n");
                self.phase = Phase::StartTls;
            }
            Tls::Implicit | Tls::Required => self.leave(Ending::NoTls, output),
            Tls::Opportunistic | Tls::None => self.login(output),
        }
    }

    fn tls_answered(&mut self, reply: Rc<Reply>, io: &mut Io<'_, '_>) {
        match reply.class() {
            2 => {
                // RFC 3207 §4.2: whatever stands behind the reply was not protected and is never believed.
                io.input.take(usize::MAX);
                self.phase = Phase::Handshake;
            }
            3 => self.breach(Breach::Unexpected(reply.code)),
            _ if self.config.tls == Tls::Opportunistic => self.login(io.output),
            _ => self.leave(Ending::Refused { stage: Stage::Tls, reply }, io.output),
        }
    }

    /// RFC 3207 §4.2: what was said before TLS is forgotten; the extensions are asked for anew.
    fn tls_started(&mut self, io: &mut Io<'_, '_>) {
        if !matches!(io.answer.take(), Some(Answer::Tls(_))) {
            return self.lost(&[], "TLS did not begin");
        }
        self.secure = true;
        self.replies = Replies::new();
        self.patience.expect(COMMAND_MS_MAX);
        self.hello(true, io.output);
    }

    /// RFC 4954 §4. The password is sent where nobody can listen, or nowhere.
    fn login(&mut self, output: &mut Output) {
        let Some(login) = &self.config.login else {
            self.phase = Phase::Idle;
            return;
        };
        match self.extensions.mechanism {
            Some(mechanism) if self.secure || self.config.trusted_path => {
                self.phase = Phase::Auth(Exchange::begin(mechanism, login, &self.config.nonce, output));
            }
            _ => self.leave(Ending::NoLogin, output),
        }
    }

    fn auth_answered(&mut self, raw: &RawReply, reply: Rc<Reply>, output: &mut Output) {
        if output.pending().is_empty() {
            // The password was in it.
            output.buffer().zeroize();
        }
        let Phase::Auth(exchange) = mem::replace(&mut self.phase, Phase::Idle) else { return };
        let login = self.config.login.as_ref();
        let next = match (reply.class(), login) {
            (2, _) => exchange.succeed().map(|()| Phase::Idle),
            (3, Some(login)) => exchange.respond(raw, login, output).map(Phase::Auth),
            _ => return self.leave(Ending::Refused { stage: Stage::Auth, reply }, output),
        };
        match next {
            Ok(phase) => self.phase = phase,
            Err(breach) => self.hang_up(Ending::Breach { stage: Stage::Auth, breach }),
        }
    }

    /// Has the proof made, and sends it.
    fn prove(&mut self, io: &mut Io<'_, '_>) -> Option<Want> {
        let Phase::Auth(exchange) = &mut self.phase else { return None };
        if let Some(task) = exchange.take_task() {
            return Some(Want::MakeProof(task));
        }
        let proven = io.answer.take();
        if !matches!(proven, Some(Answer::ScramProven(proven)) if exchange.proven(&proven, io.output)) {
            self.lost(&[], "no proof was made");
        }
        self.patience.expect(COMMAND_MS_MAX);
        None
    }

    // ---- Jobs --------------------------------------------------------------------------------------------------

    /// Between two jobs.
    fn idle(&mut self, io: &mut Io<'_, '_>) -> Option<Want> {
        if self.replies.is_under_way(io.input) {
            // Nothing was asked: 421, or nonsense. Nothing is begun before that is known.
            if !self.replies.has_begun() {
                self.patience.expect(QUIT_MS_MAX);
            }
            return self.listen(io);
        }
        if let Some(job) = self.job.take() {
            self.begin(job);
        } else if self.finishing || self.letters >= self.extensions.letters_max.unwrap_or(usize::MAX) {
            self.leave(Ending::Done, io.output);
        } else {
            return Some(Want::Work);
        }
        None
    }

    /// Begins a job, if it can be sent to this server at all.
    fn begin(&mut self, job: Box<Job>) {
        let verified = self.secure && self.config.require_tls;
        if let Some(own) = self.extensions.refuses(&job, verified) {
            self.outcome = Some(Outcome::of_all(&job, &own.fate()));
        } else if job.recipients.is_empty() {
            self.outcome = Some(Outcome::default());
        } else {
            self.letters += 1;
            let transaction = Transaction::new(job, &self.extensions, self.secure, self.unclean);
            self.phase = Phase::Sending(Box::new(transaction));
        }
    }

    /// Says what can be said and takes one reply.
    fn transact(&mut self, io: &mut Io<'_, '_>) -> Option<Want> {
        let Phase::Sending(transaction) = &mut self.phase else { return None };
        if transaction.is_done() {
            self.end_transaction();
            return None;
        }
        let quiet = transaction.is_quiet();
        if quiet && self.replies.is_under_way(io.input) {
            return self.listen(io);
        }
        transaction.write(&self.extensions, io.output);
        if quiet {
            self.patience.expect(transaction.patience_ms());
            return None;
        }
        if io.output.is_full() { None } else { self.listen(io) }
    }

    fn end_transaction(&mut self) {
        if let Phase::Sending(transaction) = mem::replace(&mut self.phase, Phase::Idle) {
            self.unclean = !transaction.is_forgotten();
            self.outcome = Some(transaction.close());
        }
    }

    /// Sends on with the letter.
    fn send(&mut self, io: &mut Io<'_, '_>, mail: &mut dyn Mail) -> Option<Want> {
        if !io.input.is_empty() && self.is_interrupted(io) {
            return None;
        }
        let Phase::Sending(transaction) = &mut self.phase else { return None };
        self.patience.expect(BLOCK_MS_MAX);
        match transaction.send(mail, io.output) {
            Sent::All => self.patience.expect(transaction.patience_ms()),
            Sent::Full => return Some(Want::Room),
            Sent::Cold(cold) => return Some(Want::Warm(cold)),
            Sent::Broken(own) => self.break_off(own),
        }
        None
    }

    /// Whether the server has ended the letter before its end, with a refusal or with nonsense. No reply can be made
    /// within a letter, so the connection ends with it.
    fn is_interrupted(&mut self, io: &mut Io<'_, '_>) -> bool {
        match self.replies.next(io.input) {
            Ok(None) => return false,
            Ok(Some(raw)) if raw.code >= 400 => self.sent_away(raw.read()),
            Ok(Some(_)) => self.breach(Breach::Unasked),
            Err(breach) => self.breach(breach),
        }
        true
    }

    /// Without its end, a letter is not taken for whole (RFC 5321 §4.1.1.4, RFC 3030 §2).
    fn break_off(&mut self, own: Own) {
        if let Phase::Sending(transaction) = &mut self.phase {
            transaction.settle(&own.fate());
        }
        self.hang_up(Ending::BrokenOff(own));
    }
}

impl Session for SmtpClient {
    fn step(&mut self, io: &mut Io<'_, '_>, mail: &mut dyn Mail) -> Want {
        self.patience.resume(io.now.ticks);
        let want = loop {
            if io.output.is_full() {
                break Want::Room;
            }
            if let Some(want) = self.advance(io, mail) {
                break want;
            }
        };
        if matches!(want, Want::Input | Want::Room) {
            self.patience.wait(io.now.ticks);
        }
        want
    }

    fn deadline(&self) -> Ticks {
        self.patience.deadline()
    }

    /// RFC 5321 §4.5.3.2: whoever says nothing for so long is gone. Nothing is said to it either: it might be within a
    /// letter.
    fn expire(&mut self, _: Now, _: &mut Output) -> Want {
        self.hang_up(Ending::Silence(self.stage()));
        Want::Close
    }

    /// RFC 5321 §4.1.1.10, where it would not be taken for a line of a letter or of an exchange.
    fn farewell(&mut self, output: &mut Output) {
        if matches!(self.phase, Phase::Idle) {
            output.push(b"QUIT\r\n");
        }
    }
}
