//! STORE and UID STORE (RFC 3501 §6.4.6).

use mail::{Flags, MailboxId, Stop, Uid, UidSet};

use super::{Begun, EXPUNGE_ISSUED, Keywords, OUT_OF_RANGE, Tickets, are_some_gone, read_only};
use crate::{
    Want,
    imap::{
        ast::{FlagChange, FlagList},
        limits::{MESSAGES_PER_CHANGE, WORK_MESSAGE},
        reply::{Reply, Role, refused},
        set::SequenceSet,
        sync::{Expected, Own, Sync},
        turn::{End, Run, Step, Turn},
    },
};

/// What is to be done to flags.
pub(super) struct Wanted {
    pub(super) change: FlagChange,
    pub(super) silent: bool,
    pub(super) flags: FlagList,
}

pub(super) fn store(uid: bool, set: &SequenceSet, wanted: Wanted, turn: &mut Turn<'_, '_>) -> Begun {
    let Some(view) = &turn.state.view else { return OUT_OF_RANGE.into() };
    let named = if uid { Ok(set.uids(&view.uids)) } else { set.messages(&view.uids) };
    let Ok(uids) = named else {
        return Begun::End(End::new(OUT_OF_RANGE).with_sync(Sync::after_message_command(uid)));
    };
    if view.read_only {
        return Begun::End(End::new(read_only(turn.mail)).with_sync(Sync::after_message_command(uid)));
    }
    let store = Store {
        uid,
        mailbox: view.mailbox,
        expected: wanted.silent.then(Expected::default),
        uids,
        wanted,
        keywords: Keywords::default(),
        tickets: Tickets::default(),
        looked_at: 0,
        next: Uid(0),
        stage: Stage::Keywords,
    };
    store.into()
}

struct Store {
    uid: bool,
    mailbox: MailboxId,
    uids: UidSet,
    wanted: Wanted,
    keywords: Keywords,
    /// .SILENT: what the flags will be if nobody else changes them.
    expected: Option<Expected>,
    tickets: Tickets,
    /// How many messages have been looked at.
    looked_at: u32,
    /// The first message for which no change has been asked for.
    next: Uid,
    stage: Stage,
}

#[derive(Clone, Copy)]
enum Stage {
    Keywords,
    /// Looking at the flags as they are.
    Expect(Delta),
    Change(Delta),
    Durable,
}

/// New flags are `(old - remove) + add`.
#[derive(Clone, Copy)]
struct Delta {
    add: Flags,
    remove: Flags,
}

impl Run for Store {
    fn step(&mut self, turn: &mut Turn<'_, '_>) -> Step {
        loop {
            let result = match self.stage {
                Stage::Keywords => self.resolve(turn),
                Stage::Expect(delta) => Ok(self.expect(delta, turn)),
                Stage::Change(delta) => self.change(delta, turn),
                Stage::Durable => match self.tickets.settled() {
                    Err(want) => Ok(Some(want)),
                    Ok(Err(refusal)) => Err(refusal.into()),
                    Ok(Ok(_)) => return self.end(turn).into(),
                },
            };
            match result {
                Ok(None) => {}
                Ok(Some(want)) => return Step::Wait(want),
                Err(Stop::Busy) => return Step::Wait(Want::Flash),
                Err(Stop::Refused(refusal)) => {
                    let end = End::new(refused(refusal, Role::Subject));
                    return end.with_sync(Sync::after_message_command(self.uid)).into();
                }
            }
        }
    }
}

impl Store {
    fn resolve(&mut self, turn: &mut Turn<'_, '_>) -> Result<Option<Want>, Stop> {
        // To take a keyword away it need not be made first.
        let define = self.wanted.change != FlagChange::Remove;
        let keywords = self.keywords.resolve(&self.wanted.flags.keywords, define, turn)?;
        let flags = self.wanted.flags.system.with(keywords);
        let delta = match self.wanted.change {
            FlagChange::Replace => Delta { add: flags, remove: Flags(u64::MAX).without(flags) },
            FlagChange::Add => Delta { add: flags, remove: Flags::NONE },
            FlagChange::Remove => Delta { add: Flags::NONE, remove: flags },
        };
        self.stage = if self.expected.is_some() { Stage::Expect(delta) } else { Stage::Change(delta) };
        Ok(None)
    }

    /// Notes what flags are to be expected, so that the client is told of any other.
    fn expect(&mut self, delta: Delta, turn: &mut Turn<'_, '_>) -> Option<Want> {
        let synced = turn.state.view.as_ref().map(|view| view.synced).unwrap_or_default();
        while let Some(uid) = self.uids.at(self.looked_at + 1) {
            if turn.work.is_spent() {
                return Some(Want::Turn);
            }
            turn.work.spend(WORK_MESSAGE);
            self.looked_at += 1;
            // What the client has not been told of yet it must be told, silence or not.
            let known = turn.mail.message(self.mailbox, uid).filter(|message| message.modseq <= synced);
            if let Some(expected) = &mut self.expected {
                expected.push(known.map(|message| message.flags.without(delta.remove).with(delta.add)));
            }
        }
        self.stage = Stage::Change(delta);
        None
    }

    /// Asks for the change, a bounded number of messages at a time.
    fn change(&mut self, delta: Delta, turn: &mut Turn<'_, '_>) -> Result<Option<Want>, Stop> {
        let Some((uids, next)) = next_share(&self.uids, self.next) else {
            self.stage = Stage::Durable;
            return Ok(None);
        };
        if turn.work.is_spent() {
            return Ok(Some(Want::Turn));
        }
        turn.work.spend(uids.len().saturating_mul(WORK_MESSAGE));
        self.tickets.push(turn.mail.set_flags(self.mailbox, &uids, delta.add, delta.remove)?);
        match next {
            Some(next) => self.next = next,
            None => self.stage = Stage::Durable,
        }
        Ok(None)
    }

    fn end(&mut self, turn: &mut Turn<'_, '_>) -> End {
        // RFC 3501 §6.4.8: a UID that no message has is no error.
        let reply = if !self.uid && are_some_gone(&self.uids, self.mailbox, turn) {
            EXPUNGE_ISSUED
        } else {
            Reply::ok("Stored")
        };
        let own = Own { uids: core::mem::take(&mut self.uids), expected: self.expected.take() };
        End::new(reply).with_sync(Sync::after_message_command(self.uid).with_own(own))
    }
}

/// The next messages of `uids` from `from` on that one change may have, and where the rest begins; `None` when there are
/// none.
pub(super) fn next_share(uids: &UidSet, from: Uid) -> Option<(UidSet, Option<Uid>)> {
    let first = uids.at_or_after(from)?;
    let position = uids.position(first)?;
    let Some(next) = uids.at(position.saturating_add(MESSAGES_PER_CHANGE)) else {
        return Some((uids.intersection(&UidSet::range(first, Uid(u32::MAX))), None));
    };
    Some((uids.intersection(&UidSet::range(first, Uid(next.0 - 1))), Some(next)))
}
