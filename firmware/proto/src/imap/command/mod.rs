//! The commands, one module per family. Each is begun with its value from `ast`; what cannot be done at once becomes a
//! job that goes on in bounded turns.

use alloc::{boxed::Box, vec::Vec};

use mail::{Flags, Mail, MailboxId, MailboxName, NameError, Receipt, Refusal, Stop, Ticket, Uid, UidSet};

use super::{
    ast::{Command, Text},
    capability,
    reply::{Reply, Role, misnamed, refused},
    turn::{End, Run, Then, Turn},
    utf7,
    view::difference,
};
use crate::Want;

mod append;
mod auth;
mod copy;
mod expunge;
mod fetch;
mod idle;
mod list;
mod mailbox;
mod pattern;
mod search;
mod select;
mod status;
mod store;

/// What beginning a command gives.
pub(super) enum Begun {
    Job(Box<dyn Run>),
    /// It is over already.
    End(End),
}

impl<J: Run + 'static> From<J> for Begun {
    fn from(job: J) -> Self {
        Self::Job(Box::new(job))
    }
}

impl From<Reply> for Begun {
    fn from(reply: Reply) -> Self {
        Self::End(End::new(reply))
    }
}

/// Begins a command that may be given now.
pub(super) fn begin(command: Command, turn: &mut Turn<'_, '_>) -> Begun {
    match command {
        Command::Capability => capability(turn),
        Command::Noop => Reply::ok("Nothing done").into(),
        Command::Logout => logout(turn),
        Command::Id => id(turn),
        Command::Enable => enable(turn),
        Command::Namespace => namespace(turn),
        Command::StartTls => auth::start_tls(turn),
        Command::Authenticate { mechanism, initial } => auth::authenticate(&mechanism, initial, turn),
        Command::Login { name, password } => auth::login(name, password, turn),
        Command::Select { mailbox, read_only } => select::select(&mailbox, read_only, turn),
        Command::Create { mailbox, special_use } => mailbox::create(&mailbox, special_use.as_deref(), turn),
        Command::Delete(mailbox) => mailbox::delete(&mailbox),
        Command::Rename { from, to } => mailbox::rename(&from, &to),
        Command::Subscribe { mailbox, on } => mailbox::subscribe(&mailbox, on),
        Command::List { reference, pattern, subscribed } => {
            list::list(&reference, &pattern, subscribed, turn)
        }
        Command::Status { mailbox, items } => status::status(&mailbox, &items, turn),
        Command::Append(append) => append::append(append, turn),
        Command::Idle => idle::idle(turn),
        // RFC 3501 §6.4.1: what is acknowledged is on flash already.
        Command::Check => Reply::ok("All is on flash").into(),
        Command::Close => expunge::close(turn),
        Command::Unselect => unselect(turn),
        Command::Expunge(set) => expunge::expunge(set.as_ref(), turn),
        Command::Search { uid, charset, key } => search::search(uid, charset.as_deref(), key, turn),
        Command::Fetch { uid, set, items } => fetch::fetch(uid, &set, items, turn),
        Command::Store { uid, set, change, silent, flags } => {
            store::store(uid, &set, store::Wanted { change, silent, flags }, turn)
        }
        Command::Copy { uid, set, mailbox, remove } => copy::copy(uid, &set, &mailbox, remove, turn),
    }
}

fn capability(turn: &mut Turn<'_, '_>) -> Begun {
    turn.output.push(b"* CAPABILITY ");
    capability::write(turn.state, turn.output.buffer());
    turn.output.push(b"\r\n");
    Reply::ok("That is all").into()
}

fn logout(turn: &mut Turn<'_, '_>) -> Begun {
    turn.output.push(b"* BYE Until next time\r\n");
    Begun::End(End::plain(Reply::ok("Logged out")).then(Then::Close))
}

/// RFC 2971 §3.1: name and version only; what could tell an attacker more stays here.
fn id(turn: &mut Turn<'_, '_>) -> Begun {
    const ID: &str =
        concat!("* ID (\"name\" \"Tegami\" \"version\" \"", env!("CARGO_PKG_VERSION"), "\")\r\n");
    turn.output.push(ID.as_bytes());
    Reply::ok("Pleased to meet you").into()
}

/// RFC 5161 §3.1: the extensions that were enabled by this command; none needs it.
fn enable(turn: &mut Turn<'_, '_>) -> Begun {
    turn.output.push(b"* ENABLED\r\n");
    Reply::ok("Nothing here needs enabling").into()
}

/// RFC 2342 §5: one's own mailboxes, nobody else's and no shared ones.
fn namespace(turn: &mut Turn<'_, '_>) -> Begun {
    turn.output.push(b"* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
    Reply::ok("That is all").into()
}

/// RFC 3691 §2.
fn unselect(turn: &mut Turn<'_, '_>) -> Begun {
    turn.state.view = None;
    Reply::ok("Closed, nothing removed").into()
}

/// `mailbox`: a name in modified UTF-7.
fn mailbox_name(text: &[u8]) -> Result<MailboxName, Reply> {
    const NOT_UTF7: Reply = Reply::no("CANNOT", "Names of mailboxes are written in modified UTF-7");
    // On the wire a name is at most two and a half times as long as in UTF-8: what is far beyond need not be decoded.
    if text.len() > 4 * mail::limits::MAILBOX_NAME_BYTES_MAX {
        return Err(misnamed(NameError::TooLong));
    }
    let name = utf7::decode(text).ok_or(NOT_UTF7)?;
    MailboxName::new(&name).map_err(misnamed)
}

/// The tickets of one command's changes.
#[derive(Debug, Default)]
struct Tickets(Vec<Ticket>);

impl Tickets {
    fn push(&mut self, ticket: Ticket) {
        self.0.push(ticket);
    }

    /// The receipt of the last change once all are durable; until then what to wait for. The first that failed counts.
    fn settled(&self) -> Result<Result<Receipt, Refusal>, Want> {
        let mut receipt = Receipt::default();
        for ticket in &self.0 {
            match ticket.result() {
                None => return Err(Want::Durable(ticket.clone())),
                Some(Ok(given)) => receipt = given,
                Some(Err(refusal)) => return Ok(Err(refusal)),
            }
        }
        Ok(Ok(receipt))
    }
}

/// Looks up flags of keywords, a few at a time.
#[derive(Debug, Default)]
struct Keywords {
    next: usize,
    flags: Flags,
}

impl Keywords {
    /// The flags of all `names`. A new keyword is made only if `define`; one that does not exist is no flag otherwise.
    fn resolve(&mut self, names: &[Text], define: bool, turn: &mut Turn<'_, '_>) -> Result<Flags, Stop> {
        let account = turn.state.account.ok_or(Refusal::Cannot)?;
        while let Some(name) = names.get(self.next) {
            // `atom` is ASCII.
            let name = core::str::from_utf8(name).map_err(|_| Refusal::Cannot)?;
            let known = turn.keywords().iter().position(|known| known.eq_ignore_ascii_case(name));
            let flag = match known.and_then(|index| u32::try_from(index).ok()) {
                Some(index) => Flags::keyword(index),
                None if define => turn.mail.keyword(account, name)?,
                None => Flags::NONE,
            };
            self.flags = self.flags.with(flag);
            self.next += 1;
        }
        Ok(self.flags)
    }
}

/// Whether messages of the view that a command named by number are gone by now, and the client has not been told.
fn are_some_gone(named: &UidSet, mailbox: MailboxId, turn: &mut Turn<'_, '_>) -> bool {
    let status = turn.mail.status(mailbox);
    let view = turn.state.view.as_ref();
    let unchanged = status.zip(view).is_some_and(|(status, view)| !view.may_have_ghosts(&status));
    !unchanged && !difference(named, &turn.uids(mailbox, Uid(0))).is_empty()
}

/// RFC 5530 §3: what a command that named such messages is answered (RFC 2180 §4.1.2, §4.2.1, §4.4.1: it is done for the
/// others, or not at all, and says NO).
const EXPUNGE_ISSUED: Reply =
    Reply::no("EXPUNGEISSUED", "Some of these messages have been removed by somebody else");

/// What is answered when something is to be changed in a mailbox that is open for reading alone. Where that is the
/// flash's doing, another SELECT will not help, and the client hears what it is.
fn read_only(mail: &dyn Mail) -> Reply {
    if mail.is_read_only() {
        return refused(Refusal::ReadOnly, Role::Subject);
    }
    Reply::no("READ-ONLY", "This mailbox was opened read-only")
}

/// RFC 3501 §9 `seq-number`: what a message number beyond the last message is answered.
const OUT_OF_RANGE: Reply = Reply::bad("There are not that many messages");
