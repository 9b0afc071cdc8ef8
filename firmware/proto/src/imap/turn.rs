//! What a command works with: the state of the session, the store, the buffers, and a measure of work.

use alloc::{rc::Rc, string::String, vec::Vec};

use mail::{AccountId, Flags, Mail, MailboxId, Now, Stop, Ticks, Uid, UidSet};

use super::{
    Config,
    ast::Literal,
    emit,
    limits::{UIDS_PER_WORK, WORK_PER_STEP},
    reply::{Reply, Role, refused},
    sync::Sync,
    view::View,
};
use crate::{Answer, Input, Output, Peer, Want, sasl::Offer};

/// What a session is between commands.
#[derive(Debug)]
pub(super) struct State {
    pub(super) config: Rc<Config>,
    pub(super) peer: Peer,
    /// Whether nobody can listen in: TLS from the start or since STARTTLS.
    pub(super) secure: bool,
    pub(super) account: Option<AccountId>,
    pub(super) view: Option<View>,
    /// Until when the client must have logged in.
    pub(super) login_by: Ticks,
    pub(super) login_failures: u32,
}

impl State {
    /// Whether a password may be taken.
    pub(super) const fn takes_passwords(&self) -> bool {
        self.secure || self.peer.trusted_path
    }

    /// What may be used for a log-in.
    pub(super) fn offer(&self) -> Offer {
        Offer { scram: self.config.scram, channel_binding: self.peer.channel_binding }
    }
}

/// One step of a session.
pub(super) struct Turn<'a, 'b> {
    pub(super) state: &'a mut State,
    pub(super) mail: &'a mut dyn Mail,
    pub(super) input: &'a mut Input<'b>,
    pub(super) output: &'a mut Output,
    pub(super) answer: Option<Answer>,
    pub(super) now: Now,
    pub(super) work: Work,
}

impl Turn<'_, '_> {
    /// The keywords of the account.
    pub(super) fn keywords(&self) -> &[String] {
        self.state.account.map_or(&[], |account| self.mail.keywords(account))
    }

    /// Says that the selected mailbox can be changed no more, if that is news to the client (RFC 9051 §7.1: READ-ONLY
    /// also says that "its access while selected has changed from read-write to read-only").
    pub(super) fn tell_read_only(&mut self) {
        let (Some(account), Some(view)) = (self.state.account, &mut self.state.view) else { return };
        if view.read_only || !self.mail.is_read_only() {
            return;
        }
        view.read_only = true;
        self.output.push(b"* OK [READ-ONLY] The flash of this server takes no more changes\r\n");
        let keywords = self.mail.keywords(account);
        view.keywords = keywords.len();
        flag_lines(keywords, view.read_only, self.output.buffer());
    }

    /// Says which flags there are, if that is news to the client (RFC 3501 §7.2.6).
    pub(super) fn tell_new_keywords(&mut self) {
        let (Some(account), Some(view)) = (self.state.account, &mut self.state.view) else { return };
        let keywords = self.mail.keywords(account);
        if keywords.len() != view.keywords {
            view.keywords = keywords.len();
            flag_lines(keywords, view.read_only, self.output.buffer());
        }
    }

    /// The messages of a mailbox from `from` on as they are now.
    pub(super) fn uids(&mut self, mailbox: MailboxId, from: Uid) -> UidSet {
        let uids = self.mail.uids_from(mailbox, from);
        self.work.spend(uids.len() / UIDS_PER_WORK);
        uids
    }

    /// The selected mailbox.
    pub(super) fn mailbox(&self) -> Option<MailboxId> {
        self.state.view.as_ref().map(|view| view.mailbox)
    }
}

/// Appends FLAGS and PERMANENTFLAGS.
pub(super) fn flag_lines(keywords: &[String], read_only: bool, out: &mut Vec<u8>) {
    let every = (0..).zip(keywords).fold(Flags::SYSTEM, |all, (index, _)| all.with(Flags::keyword(index)));
    out.extend_from_slice(b"* FLAGS ");
    emit::flags(every, false, keywords, out);
    out.extend_from_slice(b"\r\n* OK [PERMANENTFLAGS ");
    if read_only {
        out.extend_from_slice(b"()] No flag can be changed here\r\n");
        return;
    }
    emit::flags(every, false, keywords, out);
    if keywords.len() < mail::limits::KEYWORDS_PER_ACCOUNT_MAX as usize {
        // RFC 3501 §7.1: `\*` says that new keywords can be made.
        out.pop();
        out.extend_from_slice(b" \\*)");
    }
    out.extend_from_slice(b"] These flags are kept\r\n");
}

/// Work that may still be done in this step, in the units of `limits`.
#[derive(Debug)]
pub(super) struct Work(u32);

impl Work {
    pub(super) const fn new() -> Self {
        Self(WORK_PER_STEP)
    }

    pub(super) const fn spend(&mut self, units: u32) {
        self.0 = self.0.saturating_sub(units);
    }

    pub(super) const fn is_spent(&self) -> bool {
        self.0 == 0
    }
}

/// A command in progress. It is asked to go on until it ends; between two steps nothing is borrowed.
pub(super) trait Run {
    /// Goes on.
    fn step(&mut self, turn: &mut Turn<'_, '_>) -> Step;

    /// How long the client may leave it without input.
    fn patience(&self) -> Patience {
        Patience::Command
    }
}

/// What came of going on.
pub(super) enum Step {
    /// The command is over.
    End(End),
    /// It needs this first.
    Wait(Want),
    /// The connection can only be dropped: a literal was announced that cannot be completed.
    Drop,
}

/// The end of a command.
pub(super) struct End {
    pub(super) reply: Reply,
    /// What the client is told about its mailbox before the reply.
    pub(super) sync: Option<Sync>,
    pub(super) then: Then,
}

/// What follows a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// The next command.
    Go,
    /// Good-bye has been said.
    Close,
    /// RFC 3501 §6.2.1.
    StartTls,
    /// First the rest of the command is thrown away, this much of a literal to begin with; then comes the reply.
    Skip(Option<Literal>),
}

impl End {
    /// Ends with a reply, and with a report of all changes in the selected mailbox before it.
    pub(super) fn new(reply: Reply) -> Self {
        Self { reply, sync: Some(Sync::all()), then: Then::Go }
    }

    /// Ends with a reply alone.
    pub(super) const fn plain(reply: Reply) -> Self {
        Self { reply, sync: None, then: Then::Go }
    }

    /// Ends because the store stopped, if that is what it did.
    pub(super) fn stopped(stop: Stop, role: Role) -> Step {
        match stop {
            Stop::Busy => Step::Wait(Want::Flash),
            Stop::Refused(refusal) => Self::new(refused(refusal, role)).into(),
        }
    }

    /// With something else to follow.
    pub(super) fn then(self, then: Then) -> Self {
        Self { then, ..self }
    }

    /// With another report.
    pub(super) fn with_sync(self, sync: Sync) -> Self {
        Self { sync: Some(sync), ..self }
    }
}

impl From<End> for Step {
    fn from(end: End) -> Self {
        Self::End(end)
    }
}

/// How long a client may be silent while a command waits for input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// As long as for any command.
    Command,
    /// IDLE: for good, with a line from time to time.
    Idle,
    /// The message of an APPEND: until then.
    Message(Ticks),
}
