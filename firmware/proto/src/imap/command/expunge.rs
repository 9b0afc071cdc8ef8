//! EXPUNGE, UID EXPUNGE and CLOSE (RFC 3501 §6.4.2, §6.4.3; RFC 4315 §2.1).

use mail::{Flags, MailboxId, Stop, Uid, UidSet};

use super::{Begun, Tickets, read_only, store::next_share};
use crate::{
    Want,
    imap::{
        limits::WORK_MESSAGE,
        reply::{Reply, Role, refused},
        set::SequenceSet,
        turn::{End, Run, Step, Turn},
    },
};

/// Only messages that this client knows of are removed: what somebody else has just put there with `\Deleted` on it has
/// never been seen here.
pub(super) fn expunge(set: Option<&SequenceSet>, turn: &mut Turn<'_, '_>) -> Begun {
    let Some(view) = &turn.state.view else { return Reply::bad("Select a mailbox first").into() };
    if view.read_only {
        return read_only(turn.mail).into();
    }
    let among = set.map_or_else(|| view.uids.clone(), |set| set.uids(&view.uids));
    Expunge::new(view.mailbox, among, false).into()
}

pub(super) fn close(turn: &mut Turn<'_, '_>) -> Begun {
    match &turn.state.view {
        // "No messages are removed, and no error is given, if the mailbox is selected by an EXAMINE command or is
        // otherwise selected read-only."
        Some(view) if !view.read_only => Expunge::new(view.mailbox, view.uids.clone(), true).into(),
        _ => {
            turn.state.view = None;
            CLOSED.into()
        }
    }
}

const CLOSED: Reply = Reply::ok("Closed");

/// Finds messages with `\Deleted` and removes them.
struct Expunge {
    mailbox: MailboxId,
    among: UidSet,
    /// CLOSE: nothing is told, and no mailbox is selected any more.
    closes: bool,
    deleted: UidSet,
    next: Uid,
    stage: Stage,
    tickets: Tickets,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Look,
    Remove,
    Durable,
}

impl Expunge {
    fn new(mailbox: MailboxId, among: UidSet, closes: bool) -> Self {
        Self {
            mailbox,
            among,
            closes,
            deleted: UidSet::new(),
            next: Uid(0),
            stage: Stage::Look,
            tickets: Tickets::default(),
        }
    }

    /// Looks for messages with `\Deleted`; says whether all have been looked at.
    fn look(&mut self, turn: &mut Turn<'_, '_>) -> bool {
        if turn.mail.status(self.mailbox).is_none_or(|status| status.deleted == 0) {
            return true;
        }
        while !turn.work.is_spent() {
            turn.work.spend(WORK_MESSAGE);
            let from = self.among.at_or_after(self.next);
            let Some(message) = from.and_then(|from| turn.mail.next_message(self.mailbox, from)) else {
                return true;
            };
            if message.flags.contains(Flags::DELETED) && self.among.contains(message.uid) {
                self.deleted.push(message.uid);
            }
            self.next = Uid(message.uid.0.saturating_add(1));
            if message.uid.0 == u32::MAX {
                return true;
            }
        }
        false
    }

    /// Asks for the removal, a bounded number of messages at a time; says whether all has been asked for.
    fn remove(&mut self, turn: &mut Turn<'_, '_>) -> Result<bool, Stop> {
        let Some((uids, next)) = next_share(&self.deleted, self.next) else { return Ok(true) };
        turn.work.spend(uids.len().saturating_mul(WORK_MESSAGE));
        self.tickets.push(turn.mail.expunge(self.mailbox, &uids)?);
        self.next = next.unwrap_or(self.next);
        Ok(next.is_none())
    }
}

impl Run for Expunge {
    fn step(&mut self, turn: &mut Turn<'_, '_>) -> Step {
        loop {
            if turn.work.is_spent() {
                return Step::Wait(Want::Turn);
            }
            match self.stage {
                Stage::Look => {
                    if self.look(turn) {
                        (self.stage, self.next) = (Stage::Remove, Uid(0));
                    }
                }
                Stage::Remove => match self.remove(turn) {
                    Ok(true) => self.stage = Stage::Durable,
                    Ok(false) => {}
                    Err(stop) => return End::stopped(stop, Role::Subject),
                },
                Stage::Durable => {
                    return match self.tickets.settled() {
                        Err(want) => Step::Wait(want),
                        Ok(Err(refusal)) => End::new(refused(refusal, Role::Subject)).into(),
                        Ok(Ok(_)) if self.closes => {
                            turn.state.view = None;
                            End::plain(CLOSED).into()
                        }
                        Ok(Ok(_)) => End::new(Reply::ok("Removed")).into(),
                    };
                }
            }
        }
    }
}
