//! Bringing a client up to date with its selected mailbox: untagged EXPUNGE, EXISTS, RECENT and FETCH FLAGS, in bounded
//! turns. Nothing is told that is not durable: the store shows nothing else.

use alloc::vec::Vec;

use mail::{Flags, Message, Modseq, Uid, UidSet};

use super::{
    emit,
    limits::{EXPECTED_MESSAGES_MAX, WORK_MESSAGE},
    turn::Turn,
    view::difference,
};
use crate::Want;

/// One report of all changes up to the moment at which it begins.
#[derive(Debug, Default)]
pub(super) struct Sync {
    /// Whether EXPUNGE may be said. RFC 3501 §7.4.1: not while FETCH, STORE or SEARCH are answered, and not while no
    /// command is in progress.
    expunges: bool,
    /// Whether changes of flags wait for a later report.
    arrivals_only: bool,
    /// Whether FETCH responses carry the UID (RFC 3501 §6.4.8).
    uid: bool,
    /// Flags that this session has just set.
    own: Option<Own>,
    place: Place,
}

/// Messages whose flags this session has set.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) uids: UidSet,
    /// For .SILENT: what their flags are if nobody else changed them, and not to be told then. Without it all are
    /// told.
    pub(super) expected: Option<Expected>,
}

/// The flags that messages are expected to have: one byte for each message.
#[derive(Debug, Default)]
pub(super) struct Expected {
    /// The sets of flags that occur.
    kinds: Vec<Flags>,
    /// For each message in the order of UIDs which of these it has; [`NEWS`] where anything would be news.
    messages: Vec<u8>,
}

const NEWS: u8 = u8::MAX;

#[derive(Debug, Default)]
enum Place {
    #[default]
    Start,
    Expunges(Expunges),
    Flags(FlagReport),
    End,
}

#[derive(Debug)]
struct Expunges {
    /// All that are gone.
    gone: UidSet,
    /// How many of them have been told.
    told: u32,
}

#[derive(Debug)]
struct FlagReport {
    /// The first message not looked at.
    next: Uid,
    /// The first message that is new in the view: its flags no client knows.
    end: Uid,
    /// Where the mailbox was when this began.
    upto: Modseq,
}

/// How far a report came.
#[derive(Debug)]
pub(super) enum Synced {
    Done,
    Wait(Want),
    /// The mailbox has been deleted.
    Deleted,
}

impl Sync {
    /// A report with everything, for the commands that allow EXPUNGE.
    pub(super) fn all() -> Self {
        Self { expunges: true, ..Self::default() }
    }

    /// A report without EXPUNGE.
    pub(super) fn without_expunges() -> Self {
        Self::default()
    }

    /// A report of new messages alone. What STORE does to flags is told together with what others have done to them: a
    /// client that hears `\Flagged` while its silent STORE takes that away could not know which was later (RFC 3501
    /// §6.4.6: "determinate without a race condition").
    pub(super) fn of_arrivals() -> Self {
        Self { arrivals_only: true, ..Self::default() }
    }

    /// The report that may follow a command which names messages by number (`uid` false) or by UID.
    pub(super) fn after_message_command(uid: bool) -> Self {
        Self { expunges: uid, uid, ..Self::default() }
    }

    /// With flags that this session has set.
    pub(super) fn with_own(self, own: Own) -> Self {
        Self { own: Some(own), ..self }
    }

    /// Goes on. Without a selected mailbox there is nothing to tell.
    pub(super) fn step(&mut self, turn: &mut Turn<'_, '_>) -> Synced {
        loop {
            if turn.output.is_full() {
                return Synced::Wait(Want::Room);
            }
            if turn.work.is_spent() {
                return Synced::Wait(Want::Turn);
            }
            let next = match core::mem::replace(&mut self.place, Place::End) {
                Place::Start => self.start(turn),
                Place::Expunges(mut expunges) => match expunges.tell(turn) {
                    true => self.take_in(turn),
                    false => Ok(Place::Expunges(expunges)),
                },
                Place::Flags(mut report) => match self.tell_flags(&mut report, turn) {
                    true => Ok(Place::End),
                    false => Ok(Place::Flags(report)),
                },
                Place::End => return Synced::Done,
            };
            match next {
                Ok(place) => self.place = place,
                Err(Gone) => return Synced::Deleted,
            }
        }
    }

    /// Sees whether anything has changed.
    fn start(&self, turn: &mut Turn<'_, '_>) -> Result<Place, Gone> {
        turn.tell_read_only();
        turn.tell_new_keywords();
        let Some(view) = &turn.state.view else { return Ok(Place::End) };
        let (mailbox, synced) = (view.mailbox, view.synced);
        let status = turn.mail.status(mailbox).ok_or(Gone)?;
        let tells_ghosts = self.expunges && view.may_have_ghosts(&status);
        if status.highest_modseq == synced && self.own.is_none() && !tells_ghosts {
            return Ok(Place::End);
        }
        if tells_ghosts {
            let now = turn.uids(mailbox, Uid(0));
            let Some(view) = &mut turn.state.view else { return Ok(Place::End) };
            let gone = difference(&view.uids, &now);
            view.checked = status.removed_modseq;
            if !gone.is_empty() {
                return Ok(Place::Expunges(Expunges { gone, told: 0 }));
            }
        }
        self.take_in(turn)
    }

    /// Takes new messages into the view and says how many there are now. From here on the mailbox is what it was at
    /// this moment: what was gone and was not told waits for the next report.
    fn take_in(&self, turn: &mut Turn<'_, '_>) -> Result<Place, Gone> {
        let Some((mailbox, last)) = turn.state.view.as_ref().map(|view| (view.mailbox, view.uids.last()))
        else {
            return Ok(Place::End);
        };
        let upto = turn.mail.status(mailbox).ok_or(Gone)?.highest_modseq;
        // RFC 3501 §2.3.1.1: UIDs go up, so what is new stands behind what is known.
        let new = last.map_or(Some(0), |last| last.0.checked_add(1));
        let arrived = new.map(|new| turn.uids(mailbox, Uid(new))).unwrap_or_default();
        let Some(view) = &mut turn.state.view else { return Ok(Place::End) };
        if !arrived.is_empty() {
            view.take_in(&arrived, turn.mail);
            let counts = [(view.uids.len(), &b" EXISTS\r\n"[..]), (view.recent_count(), b" RECENT\r\n")];
            let out = turn.output.buffer();
            for (count, word) in counts {
                out.extend_from_slice(b"* ");
                emit::number(u64::from(count), out);
                out.extend_from_slice(word);
            }
        }
        if self.arrivals_only {
            return Ok(Place::End);
        }
        let end = arrived.first().unwrap_or(Uid(u32::MAX));
        Ok(Place::Flags(FlagReport { next: Uid(0), end, upto }))
    }

    /// Tells flags of messages that the client knew before; says whether all are told.
    fn tell_flags(&self, report: &mut FlagReport, turn: &mut Turn<'_, '_>) -> bool {
        let Some(view) = &mut turn.state.view else { return true };
        let keywords = turn.state.account.map_or(&[][..], |account| turn.mail.keywords(account));
        while !turn.output.is_full() && !turn.work.is_spent() {
            let changed = turn.mail.next_changed(view.mailbox, view.synced, report.next);
            // What a silent STORE left as it was is no news; what another one named is, changed or not.
            let told = self.own.as_ref().filter(|own| own.expected.is_none());
            let named = told.and_then(|own| own.uids.at_or_after(report.next));
            let named = named.filter(|named| changed.is_none_or(|changed| *named < changed.uid));
            let message = match named {
                Some(named) => turn.mail.next_message(view.mailbox, named),
                None => changed,
            };
            let Some(message) = message.filter(|message| message.uid < report.end) else {
                view.synced = report.upto;
                return true;
            };
            turn.work.spend(WORK_MESSAGE);
            report.next = Uid(message.uid.0.saturating_add(1));
            if !self.is_news(&message, view.synced) {
                continue;
            }
            let Some(position) = view.uids.position(message.uid) else { continue };
            let out = turn.output.buffer();
            fetch_head(position, out);
            if self.uid {
                out.extend_from_slice(b"UID ");
                emit::number(u64::from(message.uid.0), out);
                out.push(b' ');
            }
            out.extend_from_slice(b"FLAGS ");
            emit::flags(message.flags, view.recent.contains(message.uid), keywords, out);
            out.extend_from_slice(b")\r\n");
        }
        false
    }

    fn is_news(&self, message: &Message, synced: Modseq) -> bool {
        let own = self.own.as_ref().and_then(|own| Some((own, own.uids.position(message.uid)?)));
        match own {
            Some((Own { expected: Some(expected), .. }, position)) => {
                !expected.holds(position, message.flags)
            }
            Some(_) => true,
            None => message.modseq > synced,
        }
    }
}

/// The mailbox has been deleted.
struct Gone;

impl Expunges {
    /// Tells what is gone; says whether all has been told.
    fn tell(&mut self, turn: &mut Turn<'_, '_>) -> bool {
        let Some(view) = &mut turn.state.view else { return true };
        while let Some(uid) = self.gone.at(self.told + 1) {
            if turn.output.is_full() || turn.work.is_spent() {
                return false;
            }
            turn.work.spend(WORK_MESSAGE);
            // RFC 3501 §7.4.1: each EXPUNGE moves the numbers of all messages behind it. All that are gone are in the
            // view still.
            let position = view.uids.position(uid).unwrap_or_default().saturating_sub(self.told);
            let out = turn.output.buffer();
            out.extend_from_slice(b"* ");
            emit::number(u64::from(position), out);
            out.extend_from_slice(b" EXPUNGE\r\n");
            self.told += 1;
        }
        view.uids = difference(&view.uids, &self.gone);
        view.recent = difference(&view.recent, &self.gone);
        true
    }
}

/// Appends the beginning of a FETCH response.
pub(super) fn fetch_head(position: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(b"* ");
    emit::number(u64::from(position), out);
    out.extend_from_slice(b" FETCH (");
}

impl Expected {
    /// Notes what to expect of the next message; `None` if nothing is to be expected of it.
    pub(super) fn push(&mut self, flags: Option<Flags>) {
        if self.messages.len() == EXPECTED_MESSAGES_MAX {
            return;
        }
        let kind = flags.and_then(|flags| {
            let known = self.kinds.iter().position(|known| *known == flags);
            let kind = u8::try_from(known.unwrap_or(self.kinds.len())).ok().filter(|kind| *kind < NEWS)?;
            if known.is_none() {
                self.kinds.push(flags);
            }
            Some(kind)
        });
        self.messages.push(kind.unwrap_or(NEWS));
    }

    /// Whether the message at `position` of those that were pushed has the flags that were expected of it.
    fn holds(&self, position: u32, flags: Flags) -> bool {
        let index = position.checked_sub(1).and_then(|index| usize::try_from(index).ok());
        let kind = index.and_then(|index| self.messages.get(index));
        kind.and_then(|kind| self.kinds.get(usize::from(*kind))) == Some(&flags)
    }
}
