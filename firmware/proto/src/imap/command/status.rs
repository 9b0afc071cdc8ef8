//! STATUS (RFC 3501 §6.3.10).

use mail::{MailboxId, Status};

use super::{Begun, mailbox_name};
use crate::imap::{
    ast::StatusItem,
    emit,
    reply::{Reply, Role, refused},
    turn::Turn,
};

pub(super) fn status(mailbox: &[u8], items: &[StatusItem], turn: &mut Turn<'_, '_>) -> Begun {
    let name = match mailbox_name(mailbox) {
        Ok(name) => name,
        Err(reply) => return reply.into(),
    };
    let mailbox = turn.state.account.and_then(|account| turn.mail.mailbox(account, &name));
    let Some((mailbox, status)) = mailbox.and_then(|mailbox| Some((mailbox, turn.mail.status(mailbox)?)))
    else {
        return refused(mail::Refusal::NoSuchMailbox, Role::Subject).into();
    };
    turn.output.push(b"* STATUS ");
    emit::mailbox_name(&name, turn.output.buffer());
    turn.output.push(b" (");
    for (index, item) in items.iter().enumerate() {
        let (word, number) = match item {
            StatusItem::Messages => ("MESSAGES ", status.messages),
            StatusItem::Recent => ("RECENT ", recent(mailbox, &status, turn)),
            StatusItem::UidNext => ("UIDNEXT ", status.uid_next.0),
            StatusItem::UidValidity => ("UIDVALIDITY ", status.uid_validity.0),
            StatusItem::Unseen => ("UNSEEN ", status.unseen),
        };
        if index > 0 {
            turn.output.push(b" ");
        }
        turn.output.push(word.as_bytes());
        emit::number(u64::from(number), turn.output.buffer());
    }
    turn.output.push(b")\r\n");
    Reply::ok("That is all").into()
}

/// How many messages the next session that selects the mailbox would show as `\Recent`.
fn recent(mailbox: MailboxId, status: &Status, turn: &mut Turn<'_, '_>) -> u32 {
    turn.uids(mailbox, status.recent_from).len()
}
