//! One job as a transaction (RFC 5321 §3.3): its commands as far ahead as the server allows, then the letter, and what
//! every reply means for whom.

use alloc::{boxed::Box, collections::VecDeque, rc::Rc};

use mail::Mail;

use super::{
    command,
    extensions::Extensions,
    job::{Body, Job},
    limits::{COMMAND_MS_MAX, DATA_MS_MAX, END_MS_MAX, MAIL_MS_MAX, PIPELINED_COMMANDS_MAX, RCPT_MS_MAX},
    outcome::{Fate, Fates, Outcome, Reason, Stage},
    reply::{Breach, Reply},
    transfer::{Sent, Transfer},
};
use crate::Output;

/// A job that is being sent.
#[derive(Debug)]
pub(super) struct Transaction {
    job: Box<Job>,
    fates: Fates,
    /// The next command, if there is one.
    next: Option<Command>,
    /// Commands that were written and not answered.
    asked: VecDeque<Command>,
    /// How many recipients are named with this letter.
    named_max: usize,
    /// How many of them were accepted.
    accepted: usize,
    /// MAIL was refused: nobody can be accepted any more.
    refused: bool,
    /// The letter, while it is being sent.
    transfer: Option<Transfer>,
    /// NOTIFY and the like went along.
    dsn: bool,
    /// The server has TLS and could not be spoken to with it now.
    lacks_tls: bool,
    /// The server has taken the letter.
    forgotten: bool,
}

/// What is answered by one reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    Reset,
    Mail,
    /// RCPT for the recipient of this index.
    Recipient(usize),
    /// DATA; or BDAT, which is answered at its end only.
    Data,
    /// The end of the letter.
    End,
}

impl Command {
    const fn stage(self) -> Stage {
        match self {
            Self::Reset | Self::Mail => Stage::Mail,
            Self::Recipient(_) => Stage::Recipient,
            Self::Data => Stage::Data,
            Self::End => Stage::End,
        }
    }

    /// How long its reply is waited for, in milliseconds.
    const fn patience_ms(self) -> u64 {
        match self {
            Self::Reset => COMMAND_MS_MAX,
            Self::Mail => MAIL_MS_MAX,
            Self::Recipient(_) => RCPT_MS_MAX,
            Self::Data => DATA_MS_MAX,
            Self::End => END_MS_MAX,
        }
    }
}

impl Transaction {
    /// Begins with `job`; with RSET if the one before it was left unfinished. `secure`: TLS is running.
    pub(super) fn new(job: Box<Job>, extensions: &Extensions, secure: bool, reset: bool) -> Self {
        let mut fates = Fates::open(job.recipients.len());
        let named_max = job.recipients.len().min(extensions.recipients_max.unwrap_or(usize::MAX));
        fates.settle_rest(named_max, &Fate::Left);
        Self {
            job,
            fates,
            next: Some(if reset { Command::Reset } else { Command::Mail }),
            asked: VecDeque::new(),
            named_max,
            accepted: 0,
            refused: false,
            transfer: None,
            dsn: extensions.dsn,
            lacks_tls: extensions.starttls && !secure,
            forgotten: false,
        }
    }

    /// The same for everybody whose fate is open.
    pub(super) fn settle(&mut self, fate: &Fate) {
        self.fates.settle_rest(0, fate);
    }

    /// What came of it.
    pub(super) fn close(self) -> Outcome {
        let numbers = self.job.recipients.iter().map(|recipient| recipient.number);
        Outcome { fates: numbers.zip(self.fates.close()).collect(), dsn: self.dsn }
    }

    /// What is going on.
    pub(super) fn stage(&self) -> Stage {
        match self.asked.front().or(self.next.as_ref()) {
            _ if self.is_sending() => Stage::Data,
            Some(command) => command.stage(),
            None => Stage::Idle,
        }
    }

    /// How long the next reply is waited for, in milliseconds.
    pub(super) fn patience_ms(&self) -> u64 {
        self.asked.front().map_or(COMMAND_MS_MAX, |asked| asked.patience_ms())
    }

    /// What becomes of the recipients if the connection ends here without a word.
    pub(super) fn fate_if_cut(&self) -> Fate {
        Fate::Deferred(match self.stage() {
            Stage::End => Reason::Unknown,
            stage => Reason::Ended(stage),
        })
    }

    /// Whether the letter itself is being sent.
    pub(super) const fn is_sending(&self) -> bool {
        self.transfer.is_some()
    }

    /// Whether nothing that was asked is unanswered.
    pub(super) fn is_quiet(&self) -> bool {
        self.asked.is_empty()
    }

    /// Whether nothing more is to be said either.
    pub(super) fn is_done(&self) -> bool {
        self.is_quiet() && self.next.is_none() && !self.is_sending()
    }

    /// Whether the server has surely forgotten it, as it does with a letter that it took (RFC 5321 §4.1.1.4).
    pub(super) const fn is_forgotten(&self) -> bool {
        self.forgotten
    }

    // ---- Commands ----------------------------------------------------------------------------------------------

    /// Writes the next commands, as many as the server takes in a row and the output has room for.
    pub(super) fn write(&mut self, extensions: &Extensions, output: &mut Output) {
        // RFC 2920 §3.1: one at a time where groups are not announced.
        let asked_max = if extensions.pipelining { PIPELINED_COMMANDS_MAX } else { 1 };
        while let Some(next) = self.next
            && self.asked.len() < asked_max
            && !output.is_full()
        {
            match next {
                Command::Reset => output.push(b"RSET\r\n"),
                Command::Mail => command::mail(&self.job, extensions, output),
                Command::Recipient(index) => {
                    if let Some(recipient) = self.job.recipients.get(index) {
                        command::rcpt(recipient, extensions, output);
                    }
                }
                // Nobody is left to send it to.
                Command::Data if self.is_quiet() && self.accepted == 0 => {
                    self.next = None;
                    return;
                }
                // BDAT is not sent on the chance that somebody will be accepted: the letter follows it at once.
                Command::Data if self.job.body == Body::Binary => {
                    if self.is_quiet() {
                        self.next = None;
                        self.transfer = Some(Transfer::chunk(&self.job, output));
                    }
                    return;
                }
                // RFC 2920 §3.1: the last of its group.
                Command::Data => output.push(b"DATA\r\n"),
                // The letter has written it.
                Command::End => return,
            }
            self.asked.push_back(next);
            self.next = self.after(next);
        }
    }

    const fn after(&self, command: Command) -> Option<Command> {
        match command {
            Command::Reset => Some(Command::Mail),
            Command::Mail => Some(Command::Recipient(0)),
            Command::Recipient(index) if index + 1 < self.named_max => Some(Command::Recipient(index + 1)),
            Command::Recipient(_) => Some(Command::Data),
            Command::Data | Command::End => None,
        }
    }

    // ---- Replies -----------------------------------------------------------------------------------------------

    /// Takes the reply to the oldest command that has none.
    ///
    /// # Errors
    /// [`Breach`]: it cannot be the reply to that.
    pub(super) fn answered(&mut self, reply: &Rc<Reply>, output: &mut Output) -> Result<(), Breach> {
        let asked = self.asked.front().copied().ok_or(Breach::Unasked)?;
        let fits = match asked {
            // RFC 5321 §4.1.1.5: it cannot be refused.
            Command::Reset => reply.is_positive(),
            Command::Data => reply.is_intermediate() || reply.is_refusal(),
            Command::Recipient(_) if self.refused => reply.is_refusal(),
            Command::Mail | Command::Recipient(_) | Command::End => reply.is_positive() || reply.is_refusal(),
        };
        if !fits {
            return Err(Breach::Unexpected(reply.code));
        }
        self.asked.pop_front();
        match asked {
            Command::Reset => {}
            Command::Mail => self.mail_answered(reply),
            Command::Recipient(index) => self.recipient_answered(index, reply),
            Command::Data => self.data_answered(reply, output),
            Command::End => self.end_answered(reply),
        }
        Ok(())
    }

    fn mail_answered(&mut self, reply: &Rc<Reply>) {
        if reply.is_refusal() {
            self.settle(&self.fate_before_letter(Stage::Mail, reply));
            // What was sent behind it is answered all the same.
            self.refused = true;
            self.next = None;
        }
    }

    fn recipient_answered(&mut self, index: usize, reply: &Rc<Reply>) {
        if reply.is_positive() {
            self.accepted += 1;
        } else if self.accepted > 0 && is_too_many(reply) {
            self.fates.settle(index, Fate::Left);
            if let Some(Command::Recipient(next)) = self.next {
                self.fates.settle_rest(next, &Fate::Left);
                self.next = Some(Command::Data);
            }
        } else {
            let fate = self.fate_before_letter(Stage::Recipient, reply);
            self.fates.settle(index, fate);
        }
    }

    /// RFC 3207 §4: who insists on TLS says 530. That TLS could not be had for the moment is why, and passes.
    fn fate_before_letter(&self, stage: Stage, reply: &Rc<Reply>) -> Fate {
        if self.lacks_tls && reply.code == 530 {
            return Fate::Deferred(Reason::Remote { stage, reply: Rc::clone(reply) });
        }
        fate_of(stage, reply)
    }

    fn data_answered(&mut self, reply: &Rc<Reply>, output: &mut Output) {
        if reply.is_refusal() {
            self.settle(&fate_of(Stage::Data, reply));
        } else if self.accepted > 0 {
            self.transfer = Some(Transfer::data(&self.job));
        } else {
            // RFC 2920 §3.1: a server that wants a letter for nobody gets an empty one.
            output.push(b".\r\n");
            self.asked.push_back(Command::End);
        }
    }

    fn end_answered(&mut self, reply: &Rc<Reply>) {
        self.forgotten = reply.is_positive();
        let fate =
            if reply.is_positive() { Fate::Delivered(Rc::clone(reply)) } else { fate_of(Stage::End, reply) };
        self.settle(&fate);
    }

    // ---- The letter --------------------------------------------------------------------------------------------

    /// Sends on.
    pub(super) fn send(&mut self, mail: &mut dyn Mail, output: &mut Output) -> Sent {
        let Some(transfer) = &mut self.transfer else { return Sent::All };
        let sent = transfer.step(&self.job, mail, output);
        if sent == Sent::All {
            self.transfer = None;
            self.asked.push_back(Command::End);
        }
        sent
    }
}

/// What a refusal is for those whom it concerns (RFC 5321 §4.2.1).
pub(super) fn fate_of(stage: Stage, reply: &Rc<Reply>) -> Fate {
    let reason = Reason::Remote { stage, reply: Rc::clone(reply) };
    if reply.is_transient() { Fate::Deferred(reason) } else { Fate::Refused(reason) }
}

/// Whether a recipient was refused because there are others (RFC 5321 §4.5.3.1.10, where 552 counts as 452). The same
/// codes can be about one mailbox: an enhanced code says so, and where there is none the next job tells, in which the
/// recipient comes first.
fn is_too_many(reply: &Reply) -> bool {
    let says_so = reply.status.is_none_or(|status| (status.subject, status.detail) == (5, 3));
    matches!(reply.code, 452 | 552) && says_so
}
