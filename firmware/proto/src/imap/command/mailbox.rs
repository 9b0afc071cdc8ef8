//! CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 3501 §6.3.3 to §6.3.7; CREATE-SPECIAL-USE of RFC 6154 §3).

use alloc::boxed::Box;

use mail::{AccountId, MailboxId, MailboxName, Refusal, SpecialUse, Stop, Ticket};

use super::{Begun, Tickets, mailbox_name};
use crate::imap::{
    ast::Text,
    reply::{Reply, Role, refused},
    turn::{End, Run, Step, Turn},
};

/// RFC 6154 §3: `[USEATTR]`.
const WRONG_USE: Reply =
    Reply::no("USEATTR", "A mailbox has one use: \\Archive, \\Drafts, \\Junk, \\Sent or \\Trash");

/// RFC 6154 §3: `[USEATTR]`.
const USE_TAKEN: Reply = Reply::no("USEATTR", "Another mailbox is used for that already");

pub(super) fn create(mailbox: &[u8], uses: Option<&[Text]>, turn: &mut Turn<'_, '_>) -> Begun {
    let name = match mailbox_name(without_separator(mailbox)) {
        Ok(name) => name,
        Err(reply) => return reply.into(),
    };
    let special_use = match uses {
        None | Some([]) => None,
        Some([one]) => match special_use(one) {
            Some(found) => Some(found),
            None => return WRONG_USE.into(),
        },
        // "If the server cannot create a mailbox with the designated special use" of several at once.
        Some(_) => return WRONG_USE.into(),
    };
    if special_use.is_some_and(|special_use| is_taken(special_use, turn)) {
        return USE_TAKEN.into();
    }
    begin(What::Create(name, special_use), "Created")
}

pub(super) fn delete(mailbox: &[u8]) -> Begun {
    match mailbox_name(mailbox) {
        Ok(name) => begin(What::Delete(name), "Deleted"),
        Err(reply) => reply.into(),
    }
}

pub(super) fn rename(from: &[u8], to: &[u8]) -> Begun {
    match (mailbox_name(from), mailbox_name(without_separator(to))) {
        (Ok(from), Ok(to)) => begin(What::Rename(Box::new([from, to])), "Renamed"),
        (Err(reply), _) | (_, Err(reply)) => reply.into(),
    }
}

/// "SUBSCRIBE [...] MUST NOT unilaterally remove an existing mailbox name from the subscription list even if a mailbox by
/// that name no longer exists": so one may subscribe to what does not exist, too.
pub(super) fn subscribe(mailbox: &[u8], on: bool) -> Begun {
    match mailbox_name(mailbox) {
        Ok(name) if on => begin(What::Subscribe(name, true), "Subscribed"),
        Ok(name) => begin(What::Subscribe(name, false), "Not subscribed any more"),
        Err(reply) => reply.into(),
    }
}

/// RFC 3501 §6.3.3: a separator at the end says that the client intends to create names below; "the separator is not
/// part of the name".
fn without_separator(name: &[u8]) -> &[u8] {
    name.strip_suffix(b"/").unwrap_or(name)
}

/// `use-attr`, its backslash aside. `\All` and `\Flagged` would be searches that pose as mailboxes.
fn special_use(name: &[u8]) -> Option<SpecialUse> {
    let known = [
        ("Archive", SpecialUse::Archive),
        ("Drafts", SpecialUse::Drafts),
        ("Junk", SpecialUse::Junk),
        ("Sent", SpecialUse::Sent),
        ("Trash", SpecialUse::Trash),
    ];
    let same = |(text, _): &(&str, _)| name.eq_ignore_ascii_case(text.as_bytes());
    known.into_iter().find(same).map(|(_, special_use)| special_use)
}

/// Clients put a letter where they find its use first: two mailboxes with one use would be a trap.
fn is_taken(special_use: SpecialUse, turn: &Turn<'_, '_>) -> bool {
    let Some(account) = turn.state.account else { return false };
    let mut after: Option<MailboxName> = None;
    while let Some(info) = turn.mail.next_mailbox(account, after.as_ref()) {
        if info.special_use == Some(special_use) {
            return true;
        }
        after = Some(info.name);
    }
    false
}

fn begin(what: What, done: &'static str) -> Begun {
    Change { what, done, tickets: Tickets::default(), deletes: None }.into()
}

enum What {
    Create(MailboxName, Option<SpecialUse>),
    Delete(MailboxName),
    Rename(Box<[MailboxName; 2]>),
    Subscribe(MailboxName, bool),
}

/// One change, until it is durable.
struct Change {
    what: What,
    done: &'static str,
    tickets: Tickets,
    /// The mailbox that is being deleted.
    deletes: Option<MailboxId>,
}

impl Run for Change {
    fn step(&mut self, turn: &mut Turn<'_, '_>) -> Step {
        let Some(account) = turn.state.account else {
            return End::plain(refused(Refusal::Cannot, Role::Subject)).into();
        };
        if self.tickets.0.is_empty() {
            match self.ask(account, turn) {
                Ok(ticket) => self.tickets.push(ticket),
                Err(stop) => return End::stopped(stop, Role::Subject),
            }
        }
        match self.tickets.settled() {
            Err(want) => Step::Wait(want),
            Ok(Err(refusal)) => End::new(refused(refusal, Role::Subject)).into(),
            Ok(Ok(_)) => {
                // Deleting the mailbox that is selected here is no surprise to this client: it goes on without one.
                if self.deletes.is_some() && turn.mailbox() == self.deletes {
                    turn.state.view = None;
                }
                End::new(Reply::ok(self.done)).into()
            }
        }
    }
}

impl Change {
    fn ask(&mut self, account: AccountId, turn: &mut Turn<'_, '_>) -> Result<Ticket, Stop> {
        match &self.what {
            What::Create(name, special_use) => turn.mail.create_mailbox(account, name, *special_use),
            What::Delete(name) => {
                self.deletes = turn.mail.mailbox(account, name);
                turn.mail.delete_mailbox(account, name)
            }
            What::Rename(names) => {
                let [from, to] = &**names;
                turn.mail.rename_mailbox(account, from, to)
            }
            What::Subscribe(name, on) => turn.mail.subscribe(account, name, *on),
        }
    }
}
