//! What each command does. None of this writes or waits: it returns an [`Outcome`].

use alloc::{boxed::Box, string::String};
use core::fmt::Write as _;

use mail::{Mail, Now, Outside, Recipient, UnixTime, limits::RECIPIENTS_MAX};

use super::{
    Mode,
    arguments::{ChunkArguments, MailArguments, recipient},
    auth,
    chunks::Chunks,
    command::Command,
    dots::Dots,
    fields::Fields,
    guard,
    hold::{self, Hold},
    letter::{Arrival, Envelope, Framing, zone_minutes},
    limits::{RECIPIENT_COMMANDS_MAX, REFUSED_RECIPIENTS_MAX, UNPRODUCTIVE_COMMANDS_MAX},
    reply::{self, Reply},
    session::{Client, Outcome, SmtpSession},
    storing::Storing,
    trace::{Protocol, Trace, client_name, letter_id, message_id},
};
use crate::{dkim::BodyHash, mime::Date};

impl SmtpSession {
    /// Does a command.
    pub(super) fn command(&mut self, command: Command<'_>, mail: &mut dyn Mail, now: Now) -> Outcome {
        self.counts.unproductive += u32::from(!self.is_productive(command));
        if self.counts.unproductive > UNPRODUCTIVE_COMMANDS_MAX {
            return Outcome::Close(self.closing("4.7.0", "Too many commands without a letter"));
        }
        if self.chunked.is_some() && !may_stand_between_chunks(command) {
            return Outcome::Reply(reply::BETWEEN_CHUNKS);
        }
        match command {
            Command::Helo(name) => Outcome::Reply(self.hello(name, false, now)),
            Command::Ehlo(name) => Outcome::Reply(self.hello(name, true, now)),
            Command::Mail(argument) => {
                Outcome::Reply(self.mail(argument, mail, now).unwrap_or_else(|reply| reply))
            }
            Command::Rcpt(argument) => self.recipient(argument, mail, now),
            Command::Data => self.data(now),
            Command::Bdat(argument) => self.chunk(argument, now),
            Command::Rset => {
                self.forget_letter();
                Outcome::Reply(reply::OK)
            }
            Command::Noop => Outcome::Reply(reply::OK),
            Command::Vrfy => Outcome::Reply(reply::NO_VERIFY),
            Command::Help => Outcome::Reply(match self.mode {
                Mode::Mx => reply::HELP,
                Mode::Submission => reply::HELP_SUBMISSION,
            }),
            Command::Quit => Outcome::Close(reply::BYE),
            Command::StartTls if self.secure => Outcome::Reply(reply::TLS_ALREADY),
            Command::StartTls => Outcome::StartTls,
            Command::Auth(argument) => auth::begin(self, argument),
            Command::Foreign => {
                Outcome::Close(self.closing("4.7.0", "This is a mail server, and that was no mail command"))
            }
        }
    }

    /// Whether a command brings a letter nearer, so that it does not count against a client that only talks.
    fn is_productive(&self, command: Command<'_>) -> bool {
        match command {
            Command::Rcpt(_) => true,
            Command::Bdat(argument) => {
                (self.envelope.is_some() || self.chunked.is_some())
                    && ChunkArguments::parse(argument).is_some_and(|chunk| chunk.size > 0)
            }
            _ => false,
        }
    }

    /// HELO and EHLO (RFC 5321 §4.1.1.1); both begin anew (§4.1.4).
    fn hello(&mut self, name: &[u8], extended: bool, now: Now) -> Reply {
        self.forget_letter();
        self.client = Some(Client { name: client_name(name), extended });
        let mut text = self.config.hostname.clone();
        if extended {
            self.announce(&mut text, now);
        }
        Reply::owned(250, "", text)
    }

    /// The extensions that are on offer at this point of the session.
    fn announce(&self, text: &mut String, now: Now) {
        // RFC 2920, RFC 1870. Writing to a String does not fail.
        let _ = write!(text, "\nPIPELINING\nSIZE {}", self.config.message_bytes_max);
        // RFC 9422: RCPT commands for one letter; where aliases stand for many it can be fewer. There is no MAILMAX,
        // because commands are counted anew from each letter that is accepted.
        let _ = write!(text, "\nLIMITS RCPTMAX={RECIPIENTS_MAX}");
        if !self.secure {
            text.push_str("\nSTARTTLS");
        }
        // RFC 4954 §4: not where no password would be taken.
        if self.mode == Mode::Submission && self.takes_passwords() {
            text.push_str("\nAUTH");
            for mechanism in self.offer().mechanisms() {
                text.push(' ');
                text.push_str(mechanism.name());
            }
        }
        // RFC 2034, RFC 6152, RFC 3030, RFC 6531, RFC 3461.
        text.push_str("\nENHANCEDSTATUSCODES\n8BITMIME\nBINARYMIME\nCHUNKING\nSMTPUTF8\nDSN");
        // RFC 8689 §2: only under TLS.
        if self.secure {
            text.push_str("\nREQUIRETLS");
        }
        if self.mode == Mode::Submission && self.config.clock_is_known {
            hold::announce(now.unix, text);
        }
    }

    /// Whether a password may be sent over this connection as it is now.
    pub(super) const fn takes_passwords(&self) -> bool {
        self.secure || self.peer.trusted_path
    }

    /// MAIL (RFC 5321 §4.1.1.2).
    fn mail(&mut self, argument: &[u8], mail: &mut dyn Mail, now: Now) -> Result<Reply, Reply> {
        if self.client.is_none() {
            return Err(reply::HELLO_FIRST);
        }
        if self.mode == Mode::Submission && matches!(self.sends(), guard::Client::Stranger(_)) {
            return Err(if self.takes_passwords() { reply::LOGIN_FIRST } else { reply::TLS_FIRST });
        }
        if self.envelope.is_some() {
            return Err(reply::MAIL_GIVEN);
        }
        let MailArguments { mut envelope, size, hold } = match self.device() {
            None => MailArguments::parse(argument)?,
            Some(device) => MailArguments::of_device(argument, &device.sender)?,
        };
        // RFC 1870 §6.1.
        if size.is_some_and(|size| size > self.config.message_bytes_max) {
            return Err(reply::TOO_LARGE);
        }
        // RFC 8689 §2: not where TLS is not running.
        if envelope.requires_tls && !self.secure {
            return Err(reply::REQUIRETLS_NEEDS_TLS);
        }
        envelope.not_before = hold.map(|hold| self.release(hold, now)).transpose()?;
        // RFC 6409 §6.1. The null reverse-path is for notifications of mail programs (RFC 8098 §3).
        if let (Some(account), Some(sender)) = (self.account, &envelope.sender)
            && !mail.may_send_as(account, sender)
        {
            return Err(reply::NOT_YOUR_ADDRESS);
        }
        let guard = &self.config.guard;
        guard.letter(self.sends(), envelope.sender.as_ref(), now.ticks).map_err(reply::too_many_letters)?;
        envelope.submitter = self.account;
        let draft = mail.draft(size).map_err(reply::refused)?;
        mail.set_envelope(&draft, envelope.clone()).map_err(reply::refused)?;
        self.envelope = Some(Box::new(Envelope::new(draft, envelope)));
        Ok(reply::SENDER_OK)
    }

    /// When a letter that is to be held may go out. RFC 4865 §4: it is for submission only.
    fn release(&self, hold: Hold, now: Now) -> Result<UnixTime, Reply> {
        match self.mode {
            Mode::Mx => Err(reply::PARAMETER_UNKNOWN),
            Mode::Submission if self.config.clock_is_known => hold.release(now.unix),
            Mode::Submission => Err(reply::CLOCK_UNKNOWN),
        }
    }

    /// RCPT (RFC 5321 §4.1.1.3).
    fn recipient(&mut self, argument: &[u8], mail: &mut dyn Mail, now: Now) -> Outcome {
        let reply = match self.add_recipient(argument, mail, now) {
            Ok(()) => reply::RECIPIENT_OK,
            Err(reply) => reply,
        };
        self.counts.refused_recipients += u32::from(reply.is_error());
        let named = self.envelope.as_ref().map_or(0, |envelope| envelope.named);
        if self.counts.refused_recipients > REFUSED_RECIPIENTS_MAX || named > RECIPIENT_COMMANDS_MAX {
            return Outcome::Close(self.closing("4.7.0", "Too many recipients that cannot be accepted"));
        }
        // Whoever tries names is to be slow at it. RFC 5321 §4.5.3.2.3: clients wait five minutes for this reply.
        let delay_ms = match reply == reply::NO_SUCH_USER {
            true => self.config.guard.unknown(self.sends(), now.ticks),
            false => 0,
        };
        if delay_ms > 0 { Outcome::Tarpit(reply, delay_ms) } else { Outcome::Recipient(reply) }
    }

    fn add_recipient(&mut self, argument: &[u8], mail: &mut dyn Mail, now: Now) -> Result<(), Reply> {
        let sends = self.sends();
        let device = self.device().cloned();
        let envelope = self.envelope.as_mut().ok_or(reply::MAIL_FIRST)?;
        envelope.named += 1;
        let recipient = recipient(argument, envelope.said.utf8, &self.config.postmaster_domain)?;
        let is_local = mail.is_local(&recipient.address);
        // A letter goes into mailboxes here as soon as it is there.
        if envelope.said.not_before.is_some() && is_local {
            return Err(reply::HELD_HERE);
        }
        // Never an open relay: only who has logged in may send elsewhere, and a device to whom it may.
        let may_leave = self.account.is_some()
            || device.as_ref().is_some_and(|device| device.may_write_to(&recipient.address));
        if !is_local && !may_leave {
            return Err(if device.is_some() { reply::NOT_FOR_DEVICE } else { reply::NO_RELAY });
        }
        if !is_local {
            let guard = &self.config.guard;
            let asked = guard.outside(sends, envelope.said.sender.as_ref(), now.ticks);
            asked.map_err(reply::too_many_recipients)?;
        }
        // A report about a letter that was sent on goes to whoever sent that; nothing but a report does.
        let is_report = is_local && self.mode == Mode::Mx && envelope.said.sender.is_none();
        let rewritten = self.config.rewritten.as_ref().filter(|_| is_report);
        let behind = rewritten.and_then(|rewritten| rewritten.sender(&recipient.address, now.unix));
        let added = match behind {
            Some(sender) => {
                let to = Recipient { address: sender, ..recipient.clone() };
                mail.add_recipient(&envelope.draft, &to, Outside::Anywhere)
            }
            None => {
                let outside = if may_leave { Outside::Anywhere } else { Outside::Aliases };
                mail.add_recipient(&envelope.draft, &recipient, outside)
            }
        };
        added.map_err(reply::refused)?;
        envelope.accepted(recipient.address);
        Ok(())
    }

    /// DATA (RFC 5321 §4.1.1.4). The envelope is used up, whatever becomes of the letter.
    fn data(&mut self, now: Now) -> Outcome {
        // RFC 3030 §3.
        if self.envelope.as_ref().is_some_and(|envelope| envelope.is_binary()) {
            return Outcome::Reply(reply::BINARY_BY_DATA);
        }
        let Some(envelope) = self.envelope.take_if(|envelope| envelope.has_recipient()) else {
            // RFC 5321 §3.3: 503 or 554.
            let reply = if self.envelope.is_some() { reply::NO_RECIPIENTS } else { reply::MAIL_FIRST };
            return Outcome::Reply(reply);
        };
        Outcome::Letter(Box::new(self.arrival(*envelope, Framing::Dots(Dots::new()), now)))
    }

    /// BDAT (RFC 3030 §2). Whatever is wrong with it, its chunk follows: it is read, and then it is said what is wrong.
    /// The first chunk uses up the envelope even if it is refused, so that the others are never taken for the letter.
    fn chunk(&mut self, argument: &[u8], now: Now) -> Outcome {
        let Some(ChunkArguments { size, is_last, is_malformed }) = ChunkArguments::parse(argument) else {
            // To go on would be to run the letter's lines as commands.
            return Outcome::Close(reply::CHUNK_SIZE);
        };
        let size_max = self.config.message_bytes_max;
        let in_letter = self.chunked.is_some() || self.envelope.is_some();
        let mut arrival = match (self.chunked.take(), self.envelope.take()) {
            (Some(arrival), _) => arrival,
            (None, Some(envelope)) if envelope.has_recipient() => {
                let framing = Framing::Chunks(Chunks::new(envelope.is_binary()));
                Box::new(self.arrival(*envelope, framing, now))
            }
            (None, Some(_)) => Box::new(Arrival::unwanted(reply::NO_RECIPIENTS, size_max)),
            (None, None) => Box::new(Arrival::unwanted(reply::MAIL_FIRST, size_max)),
        };
        if is_malformed {
            arrival.refuse(reply::CHUNK_SYNTAX);
        }
        // Without MAIL there is no letter that the next chunk could belong to.
        arrival.begin_chunk(size, is_last || !in_letter);
        Outcome::Chunk(arrival)
    }

    /// What takes in the letter of this envelope, which begins to come now.
    fn arrival(&self, envelope: Envelope, framing: Framing, now: Now) -> Arrival {
        let id = letter_id(now, envelope.draft.id());
        let hostname = &self.config.hostname;
        let date = Date { time: now.unix, zone_minutes: zone_minutes(now) };
        let client = self.client.as_ref();
        let trace = Trace {
            sender: envelope.said.sender.as_ref(),
            only_recipient: envelope.only_recipient(),
            client: client.and_then(|client| client.name.as_deref()),
            ip: self.peer.ip,
            hostname,
            protocol: Protocol {
                extended: client.is_some_and(|client| client.extended),
                utf8: envelope.said.utf8,
                secure: self.secure,
                authenticated: self.account.is_some(),
            },
            id: &id,
            date,
        };
        let lines = trace.lines();
        let submitted = self.mode == Mode::Submission || self.device().is_some();
        let fields = submitted.then(|| Fields { date, message_id: message_id(&id, now, hostname) });
        let hash = submitted.then(|| BodyHash::new((self.config.sha256)()));
        let recipients = envelope.recipients();
        let storing = Storing::new(envelope.draft, envelope.said, lines, fields, hash);
        Arrival::new(framing, storing, id, recipients, self.config.message_bytes_max)
    }
}

/// Whether a command may come when a letter waits for its next chunk: what belongs to the letter, and what is harmless
/// or gives it up.
const fn may_stand_between_chunks(command: Command<'_>) -> bool {
    !matches!(
        command,
        Command::Mail(_) | Command::Rcpt(_) | Command::Data | Command::StartTls | Command::Auth(_)
    )
}
