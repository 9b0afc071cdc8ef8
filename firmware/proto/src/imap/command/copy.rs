//! COPY, MOVE and their UID forms (RFC 3501 §6.4.7, RFC 6851; COPYUID of RFC 4315 §3). One change of the store each: all
//! messages or none.

use mail::{MailboxId, Refusal, UidSet};

use super::{Begun, EXPUNGE_ISSUED, OUT_OF_RANGE, Tickets, are_some_gone, mailbox_name, read_only};
use crate::imap::{
    reply::{Code, Reply, Role, refused},
    set::SequenceSet,
    turn::{End, Run, Step, Turn},
};

pub(super) fn copy(
    uid: bool,
    set: &SequenceSet,
    mailbox: &[u8],
    remove: bool,
    turn: &mut Turn<'_, '_>,
) -> Begun {
    let Some(view) = &turn.state.view else { return OUT_OF_RANGE.into() };
    let named = if uid { Ok(set.uids(&view.uids)) } else { set.messages(&view.uids) };
    let (Ok(uids), from, is_fixed) = (named, view.mailbox, view.read_only) else {
        return OUT_OF_RANGE.into();
    };
    let to = mailbox_name(mailbox).and_then(|name| {
        let found = turn.state.account.and_then(|account| turn.mail.mailbox(account, &name));
        found.ok_or(refused(Refusal::NoSuchMailbox, Role::Destination))
    });
    match to {
        Err(reply) => reply.into(),
        Ok(_) if remove && is_fixed => read_only(turn.mail).into(),
        Ok(to) if remove && to == from => {
            Reply::no("CANNOT", "These messages are in that mailbox already").into()
        }
        // RFC 2180 §4.4.1: not even those that are left, so that the client sees what it would have copied.
        Ok(_) if !uid && are_some_gone(&uids, from, turn) => EXPUNGE_ISSUED.into(),
        Ok(_) if uids.is_empty() => Reply::ok("There are no such messages").into(),
        Ok(to) => Copy { uids, from, to, remove, tickets: Tickets::default() }.into(),
    }
}

struct Copy {
    uids: UidSet,
    from: MailboxId,
    to: MailboxId,
    /// MOVE.
    remove: bool,
    tickets: Tickets,
}

impl Run for Copy {
    fn step(&mut self, turn: &mut Turn<'_, '_>) -> Step {
        if self.tickets.0.is_empty() {
            let asked = if self.remove {
                turn.mail.move_messages(self.from, &self.uids, self.to)
            } else {
                turn.mail.copy(self.from, &self.uids, self.to)
            };
            match asked {
                Ok(ticket) => self.tickets.push(ticket),
                Err(stop) => return End::stopped(stop, Role::Destination),
            }
        }
        let receipt = match self.tickets.settled() {
            Err(want) => return Step::Wait(want),
            Ok(Err(refusal)) => return End::new(refused(refusal, Role::Destination)).into(),
            Ok(Ok(receipt)) => receipt,
        };
        let is_empty = receipt.destination.is_empty();
        let code = (!is_empty).then_some(Code::CopyUid(receipt));
        let reply = match (self.remove, code) {
            (true, Some(code)) => {
                // RFC 6851 §4.3: before the EXPUNGE responses, in an untagged OK.
                Reply::ok("Moved").with(code).write("*", turn.output.buffer());
                Reply::ok("Moved")
            }
            (false, Some(code)) => Reply::ok("Copied").with(code),
            (_, None) => Reply::ok("There are no such messages any more"),
        };
        End::new(reply).into()
    }
}
