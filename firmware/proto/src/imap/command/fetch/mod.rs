//! FETCH and UID FETCH (RFC 3501 §6.4.5): message by message, what is at hand at once, what is on flash streamed from
//! there into the output.

use alloc::{boxed::Box, vec::Vec};

use mail::{Flags, MailboxId, Message, Stop, Uid, UidSet, Unready};

use self::{
    plan::Plan,
    stream::{Streamed, Streams},
};
use super::{Begun, EXPUNGE_ISSUED, OUT_OF_RANGE};
use crate::{
    Want,
    imap::{
        ast::FetchItem,
        date::DateTime,
        emit,
        limits::{WORK_MESSAGE, WORK_RECORD},
        reply::Reply,
        rescan::{Rescan, Rescanned},
        set::SequenceSet,
        sync::{Sync, fetch_head},
        turn::{End, Run, Step, Turn},
    },
    limits::OUTPUT_BYTES_SOFT_MAX,
    mime::Summary,
};

mod long;
mod plan;
mod stream;

pub(super) fn fetch(uid: bool, set: &SequenceSet, items: Vec<FetchItem>, turn: &mut Turn<'_, '_>) -> Begun {
    let Some(view) = &turn.state.view else { return OUT_OF_RANGE.into() };
    let named = if uid { Ok(set.uids(&view.uids)) } else { set.messages(&view.uids) };
    let Ok(uids) = named else {
        return Begun::End(End::new(OUT_OF_RANGE).with_sync(Sync::after_message_command(uid)));
    };
    let plan = Plan::new(items, uid);
    let sets_seen = plan.sets_seen && !view.read_only;
    let mailbox = view.mailbox;
    let fetch = Fetch {
        uid,
        mailbox,
        uids,
        plan,
        done: 0,
        place: Place::Between,
        anew: None,
        seen: sets_seen.then(UidSet::new),
        scratch: Vec::new(),
        some_gone: false,
        some_damaged: false,
    };
    fetch.into()
}

struct Fetch {
    uid: bool,
    mailbox: MailboxId,
    uids: UidSet,
    plan: Plan,
    /// How many messages have been dealt with.
    done: u32,
    place: Place,
    /// The summary of the letter that comes next, where it had to be scanned anew.
    anew: Option<Vec<u8>>,
    /// Messages to be marked `\Seen`; `None` when this FETCH marks none.
    seen: Option<UidSet>,
    scratch: Vec<u8>,
    some_gone: bool,
    some_damaged: bool,
}

enum Place {
    Between,
    Rescan(Box<Rescan>),
    /// In the middle of a response.
    Streams(Message, Streams),
}

/// Why a message is left for now, or for good.
enum Halt {
    Wait(Want),
    Gone,
    Damaged,
}

impl From<Unready> for Halt {
    fn from(unready: Unready) -> Self {
        match unready {
            Unready::Cold(cold) => Self::Wait(Want::Warm(cold)),
            Unready::Gone => Self::Gone,
            Unready::Damaged => Self::Damaged,
        }
    }
}

impl Run for Fetch {
    fn step(&mut self, turn: &mut Turn<'_, '_>) -> Step {
        let step = self.go_on(turn);
        // Before anything is waited for: the client may never come back.
        match (self.mark_seen(turn), step) {
            (Err(Stop::Busy), Step::End(_)) => Step::Wait(Want::Flash),
            (_, step) => step,
        }
    }
}

impl Fetch {
    fn go_on(&mut self, turn: &mut Turn<'_, '_>) -> Step {
        loop {
            if turn.output.is_full() {
                return Step::Wait(Want::Room);
            }
            if turn.work.is_spent() {
                return Step::Wait(Want::Turn);
            }
            let halt = match core::mem::replace(&mut self.place, Place::Between) {
                Place::Between => match self.uids.at(self.done + 1) {
                    Some(uid) => self.message(uid, turn),
                    None => return self.end().into(),
                },
                Place::Rescan(rescan) => self.rescan(rescan, turn),
                Place::Streams(message, mut streams) => match streams.step(&self.plan, turn) {
                    Streamed::Done { damaged } => {
                        self.some_damaged |= damaged;
                        self.finish(&message, !damaged, turn);
                        Ok(())
                    }
                    Streamed::Wait(want) => {
                        self.place = Place::Streams(message, streams);
                        Err(Halt::Wait(want))
                    }
                    Streamed::Broken => return Step::Drop,
                },
            };
            match halt {
                Ok(()) => {}
                Err(Halt::Wait(want)) => return Step::Wait(want),
                Err(Halt::Gone) => (self.some_gone, self.done) = (true, self.done + 1),
                Err(Halt::Damaged) => (self.some_damaged, self.done) = (true, self.done + 1),
            }
        }
    }

    /// Begins the response for a message, and ends it unless it needs the letter. Writes nothing if it must wait.
    fn message(&mut self, uid: Uid, turn: &mut Turn<'_, '_>) -> Result<(), Halt> {
        turn.work.spend(WORK_MESSAGE);
        let message = turn.mail.message(self.mailbox, uid).ok_or(Halt::Gone)?;
        let start = turn.output.buffer().len();
        let written = self.write(&message, turn);
        if written.is_err() {
            turn.output.buffer().truncate(start);
        }
        let streams = written?;
        self.anew = None;
        match streams {
            Some(streams) => self.place = Place::Streams(message, streams),
            None => self.finish(&message, true, turn),
        }
        Ok(())
    }

    /// Writes the beginning of a response with all that is at hand; what is left is to be streamed.
    fn write(&mut self, message: &Message, turn: &mut Turn<'_, '_>) -> Result<Option<Streams>, Halt> {
        let plan = &self.plan;
        let start = write_line(plan, message, turn);
        let mut streams = Streams::default();
        if plan.needs_record() {
            turn.work.spend(WORK_RECORD);
            let stored = match &self.anew {
                Some(summary) => Some((summary.as_slice(), &[][..])),
                None => match turn.mail.record(self.mailbox, message.uid) {
                    Ok(record) => Some((record.summary, record.head)),
                    // The letter itself may be well.
                    Err(Unready::Damaged) => None,
                    Err(unready) => return Err(unready.into()),
                },
            };
            let known = stored.and_then(|(summary, head)| Some((Summary::read(summary)?, head)));
            let Some((summary, head)) = known else {
                if self.anew.is_some() {
                    return Err(Halt::Damaged);
                }
                self.place = Place::Rescan(Rescan::new(self.mailbox, message.uid, turn)?);
                return Err(Halt::Wait(Want::Turn));
            };
            let out = turn.output.buffer();
            write_summary(plan, &summary, start, out);
            if plan.envelope && !summary.envelope_is_whole() {
                streams.push_envelope(0..summary.header_len().min(message.size));
            }
            for (index, piece) in plan.pieces.iter().enumerate() {
                let source = piece.source(message.size, Some(&summary));
                let is_first = out.len() == start;
                // Once the output is full the rest must come in pieces, wherever it is.
                let has_room = out.len() < OUTPUT_BYTES_SOFT_MAX;
                turn.work.spend(piece.work(head.len()));
                if !has_room
                    || !stream::write_from_head(piece, &source, head, is_first, &mut self.scratch, out)
                {
                    streams.push(index, source);
                }
            }
        } else {
            for (index, piece) in plan.pieces.iter().enumerate() {
                streams.push(index, piece.source(message.size, None));
            }
        }
        if streams.is_empty() {
            return Ok(None);
        }
        let is_first = turn.output.buffer().len() == start;
        match turn.mail.open(self.mailbox, message.uid) {
            Ok(content) => streams.open(Some(content), is_first),
            Err(Unready::Damaged) => streams.open(None, is_first),
            Err(unready) => return Err(unready.into()),
        }
        Ok(Some(streams))
    }

    fn rescan(&mut self, rescan: Box<Rescan>, turn: &mut Turn<'_, '_>) -> Result<(), Halt> {
        match rescan.step(turn) {
            Rescanned::Done(summary) => {
                self.anew = Some(summary);
                Ok(())
            }
            Rescanned::Wait(rescan, want) => {
                self.place = Place::Rescan(rescan);
                Err(Halt::Wait(want))
            }
            Rescanned::Failed => Err(Halt::Damaged),
        }
    }

    /// Ends the response for a message, of which all was sent or not.
    fn finish(&mut self, message: &Message, is_whole: bool, turn: &mut Turn<'_, '_>) {
        turn.output.push(b")\r\n");
        self.done += 1;
        if let Some(seen) = &mut self.seen
            && is_whole
            && !message.flags.contains(Flags::SEEN)
        {
            seen.push(message.uid);
        }
    }

    /// RFC 3501 §6.4.5: "The \Seen flag is implicitly set". It is told when it is durable, as any change of flags.
    fn mark_seen(&mut self, turn: &mut Turn<'_, '_>) -> Result<(), Stop> {
        let Some(seen) = self.seen.as_mut().filter(|seen| !seen.is_empty()) else { return Ok(()) };
        let marked = turn.mail.set_seen_soon(self.mailbox, seen);
        // A flash that takes no changes is no reason not to read.
        if marked != Err(Stop::Busy) {
            *seen = UidSet::new();
        }
        marked
    }

    fn end(&self) -> End {
        let reply = if self.some_damaged {
            Reply::no("CORRUPTION", "Some of these messages are damaged on flash; what can be read was sent")
        } else if self.some_gone && !self.uid {
            EXPUNGE_ISSUED
        } else {
            Reply::ok("That is all")
        };
        End::new(reply).with_sync(Sync::after_message_command(self.uid))
    }
}

/// Appends the beginning of a response, up to what the index knows. Returns where its items begin.
fn write_line(plan: &Plan, message: &Message, turn: &mut Turn<'_, '_>) -> usize {
    let view = turn.state.view.as_ref();
    let position = view.and_then(|view| view.uids.position(message.uid)).unwrap_or_default();
    let is_recent = view.is_some_and(|view| view.recent.contains(message.uid));
    let keywords = turn.state.account.map_or(&[][..], |account| turn.mail.keywords(account));
    let out = turn.output.buffer();
    fetch_head(position, out);
    let start = out.len();
    if plan.uid {
        emit::word("UID ", start, out);
        emit::number(u64::from(message.uid.0), out);
    }
    if plan.flags {
        emit::word("FLAGS ", start, out);
        emit::flags(message.flags, is_recent, keywords, out);
    }
    if plan.received {
        emit::word("INTERNALDATE ", start, out);
        DateTime { time: message.received, zone_minutes: message.zone_minutes }.write(out);
    }
    if plan.size {
        emit::word("RFC822.SIZE ", start, out);
        emit::number(message.size, out);
    }
    start
}

/// Appends what the summary knows.
fn write_summary(plan: &Plan, summary: &Summary<'_>, start: usize, out: &mut Vec<u8>) {
    if plan.envelope && summary.envelope_is_whole() {
        emit::word("ENVELOPE ", start, out);
        out.extend_from_slice(summary.envelope());
    }
    if plan.body {
        emit::word("BODY ", start, out);
        summary.write_body(out);
    }
    if plan.structure {
        emit::word("BODYSTRUCTURE ", start, out);
        out.extend_from_slice(summary.body_structure());
    }
}
