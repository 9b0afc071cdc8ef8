//! SEARCH and UID SEARCH (RFC 3501 §6.4.4): message by message in the order of the mailbox; each is read no further than
//! its answer needs, index first, then summary and header, then the body.

use alloc::{boxed::Box, vec::Vec};

use mail::{MailboxId, Message, UidSet, Unready, calendar::Day};

use self::{
    body::{BodySearch, Looked},
    needle::{Needle, Place, look_in_header},
    query::{Facts, Query},
};
use super::{Begun, OUT_OF_RANGE};
use crate::{
    Want,
    imap::{
        ast::SearchKey,
        emit,
        limits::WORK_RECORD,
        reply::Reply,
        rescan::{Rescan, Rescanned, work_of_text},
        sync::Sync,
        turn::{End, Run, Step, Turn},
    },
    mime::Summary,
};

mod body;
mod needle;
mod query;

pub(super) fn search(uid: bool, charset: Option<&[u8]>, key: SearchKey, turn: &mut Turn<'_, '_>) -> Begun {
    let Some(view) = &turn.state.view else { return OUT_OF_RANGE.into() };
    let query = match Query::new(key, charset, view, turn.keywords()) {
        Ok(query) => query,
        Err(reply) => return Begun::End(End::new(reply).with_sync(Sync::after_message_command(uid))),
    };
    let (mailbox, uids) = (view.mailbox, query.candidates(&view.uids));
    // The line may be long; it is written as messages are found, and nothing else is written until it ends.
    turn.output.push(b"* SEARCH");
    Search { uid, mailbox, uids, done: 0, query, place: At::Index, anew: None }.into()
}

struct Search {
    uid: bool,
    mailbox: MailboxId,
    uids: UidSet,
    /// How many messages have been answered.
    done: u32,
    query: Query,
    place: At,
    /// The summary of the current letter, where it had to be scanned anew.
    anew: Option<Vec<u8>>,
}

/// How far the current message has been read.
enum At {
    /// Not at all.
    Index,
    Rescan(Message, Box<Rescan>),
    Body(Message, Option<Option<Day>>, Box<BodySearch>),
}

/// The answer for a message, or what must come before it.
enum Answer {
    Known(bool),
    /// Go on where `place` says.
    Further,
    Wait(Want),
}

impl Run for Search {
    fn step(&mut self, turn: &mut Turn<'_, '_>) -> Step {
        loop {
            if turn.output.is_full() {
                return Step::Wait(Want::Room);
            }
            if turn.work.is_spent() {
                return Step::Wait(Want::Turn);
            }
            let answer = match core::mem::replace(&mut self.place, At::Index) {
                At::Index => match self.uids.at(self.done + 1) {
                    Some(uid) => match turn.mail.message(self.mailbox, uid) {
                        Some(message) => self.look_at(&message, turn),
                        // It has been removed, and the client has not been told yet.
                        None => Answer::Known(false),
                    },
                    None => {
                        turn.output.push(b"\r\n");
                        let end = End::new(Reply::ok("That is all"));
                        return end.with_sync(Sync::after_message_command(self.uid)).into();
                    }
                },
                At::Rescan(message, rescan) => self.rescan(message, rescan, turn),
                At::Body(message, sent, body) => self.body(message, sent, body, turn),
            };
            match answer {
                Answer::Known(answer) => self.tell(answer, turn),
                Answer::Further => {}
                Answer::Wait(want) => return Step::Wait(want),
            }
        }
    }
}

impl Search {
    /// Judges a message by the index, then by its record.
    fn look_at(&mut self, message: &Message, turn: &mut Turn<'_, '_>) -> Answer {
        turn.work.spend(self.query.work);
        let facts = facts(message, None, turn);
        if let Some(answer) = self.query.judge(&facts) {
            return Answer::Known(answer);
        }
        turn.work.spend(WORK_RECORD);
        let stored = match &self.anew {
            Some(summary) => Some((summary.as_slice(), &[][..])),
            None => match turn.mail.record(self.mailbox, message.uid) {
                Ok(record) => Some((record.summary, record.head)),
                Err(Unready::Cold(cold)) => return Answer::Wait(Want::Warm(cold)),
                Err(Unready::Gone) => return Answer::Known(false),
                // The letter itself may be well.
                Err(Unready::Damaged) => None,
            },
        };
        let known = stored.and_then(|(summary, head)| Some((Summary::read(summary)?, head)));
        let Some((summary, head)) = known else { return self.begin_rescan(message, turn) };
        let sent = Some(summary.sent().map(|(time, zone)| Day::of(time, zone)));
        let needles = &mut self.query.needles;
        turn.work.spend(work_of_text(head.len().saturating_mul(1 + needles.len())));
        look_in_header(needles, head, true);
        if summary.header_len() <= head.len() as u64 {
            settle(needles, Place::Field);
        }
        let facts = Facts { sent, ..facts };
        if let Some(answer) = self.query.judge(&facts) {
            return Answer::Known(answer);
        }
        let targets = body::targets(&summary, head.len(), &self.query.needles);
        match turn.mail.open(self.mailbox, message.uid) {
            Ok(content) => {
                self.place = At::Body(*message, sent, Box::new(BodySearch::new(content, targets)));
                Answer::Further
            }
            Err(Unready::Cold(cold)) => {
                // All of this again, from the beginning.
                self.query.reset();
                Answer::Wait(Want::Warm(cold))
            }
            Err(Unready::Gone | Unready::Damaged) => Answer::Known(false),
        }
    }

    fn begin_rescan(&mut self, message: &Message, turn: &mut Turn<'_, '_>) -> Answer {
        if self.anew.is_some() {
            return Answer::Known(false);
        }
        match Rescan::new(self.mailbox, message.uid, turn) {
            Ok(rescan) => {
                self.place = At::Rescan(*message, rescan);
                Answer::Further
            }
            Err(Unready::Cold(cold)) => Answer::Wait(Want::Warm(cold)),
            Err(Unready::Gone | Unready::Damaged) => Answer::Known(false),
        }
    }

    fn rescan(&mut self, message: Message, rescan: Box<Rescan>, turn: &mut Turn<'_, '_>) -> Answer {
        match rescan.step(turn) {
            Rescanned::Done(summary) => {
                self.anew = Some(summary);
                Answer::Further
            }
            Rescanned::Wait(rescan, want) => {
                self.place = At::Rescan(message, rescan);
                Answer::Wait(want)
            }
            Rescanned::Failed => Answer::Known(false),
        }
    }

    fn body(
        &mut self,
        message: Message,
        sent: Option<Option<Day>>,
        mut body: Box<BodySearch>,
        turn: &mut Turn<'_, '_>,
    ) -> Answer {
        let answer = match body.step(&mut self.query.needles, turn) {
            Looked::Further => None,
            Looked::Done => {
                for place in [Place::Field, Place::Body, Place::Anywhere] {
                    settle(&mut self.query.needles, place);
                }
                None
            }
            Looked::Wait(want) => Some(Answer::Wait(want)),
            Looked::Failed => return Answer::Known(false),
        };
        if answer.is_none()
            && let Some(answer) = self.query.judge(&facts(&message, sent, turn))
        {
            return Answer::Known(answer);
        }
        self.place = At::Body(message, sent, body);
        answer.unwrap_or(Answer::Further)
    }

    /// Notes the answer for the current message and goes to the next.
    fn tell(&mut self, answer: bool, turn: &mut Turn<'_, '_>) {
        self.done += 1;
        self.anew = None;
        self.query.reset();
        let (true, Some(uid)) = (answer, self.uids.at(self.done)) else { return };
        let number = if self.uid {
            Some(uid.0)
        } else {
            turn.state.view.as_ref().and_then(|view| view.uids.position(uid))
        };
        if let Some(number) = number {
            turn.output.push(b" ");
            emit::number(u64::from(number), turn.output.buffer());
        }
    }
}

/// What the index knows of a message.
fn facts<'m>(message: &'m Message, sent: Option<Option<Day>>, turn: &Turn<'_, '_>) -> Facts<'m> {
    let recent = turn.state.view.as_ref().is_some_and(|view| view.recent.contains(message.uid));
    Facts { message, recent, sent }
}

/// All places of a kind have been looked at: what was not found is not there.
fn settle(needles: &mut [Needle], place: Place) {
    for needle in needles.iter_mut().filter(|needle| needle.place == place) {
        needle.found.get_or_insert(false);
    }
}
