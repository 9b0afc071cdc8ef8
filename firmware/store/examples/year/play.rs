//! Plays what the office does to a store, in the groups in which the program would write it.

use std::collections::HashMap;

use flash::{Direct, Geometry};
use mail::{AccountId, Address, Flags, Mail, MailboxId, MailboxName, Stop, Ticket, Uid, UidSet, UnixTime};
use store::{AccountDetails, FormatOptions, MountOptions, Statistics, Store};

use crate::office::people::{PEOPLE, POP3_PEOPLE, PROJECTS};
use crate::office::{Action, Folder, Letter, Mark};
use crate::rig::clock::processor_ns;
use crate::rig::memory::Memory;
use crate::rig::times::Times;

/// How long a barrier takes on a card, in milliseconds: what happens meanwhile shares the next group.
const BARRIER_MS: u64 = 20;

/// After how long the program flushes what nobody waits for, in milliseconds (`LAZY_FLUSH` in firmware/tegami).
const LAZY_MS: u64 = 500;

/// Letters that the older mail brings in one group.
const OLDER_GROUP: usize = 32;

/// Simulated time begins here: 2025-01-06, a Monday, in seconds.
const EPOCH: i64 = 1_736_121_600;

type Bench = Store<Direct<Memory>>;

/// How long calls took, in processor time.
#[derive(Debug, Default)]
pub(crate) struct Took {
    /// Everything that sessions call, and the settling of what came of it.
    pub(crate) calls: Times,
    /// Flushes that carried what somebody had asked for, housekeeping along with it.
    pub(crate) flushes: Times,
    /// Flushes for housekeeping alone.
    pub(crate) chores: Times,
    pub(crate) mounts: Times,
}

/// A box in which the office's mail is kept.
#[derive(Debug)]
pub(crate) struct Player {
    store: Option<Bench>,
    /// Where each person's letters lie.
    places: HashMap<(usize, u64), (MailboxId, Uid)>,
    boxes: HashMap<(usize, Folder), MailboxId>,
    /// The UID that the next letter gets in a mailbox.
    next_uids: HashMap<MailboxId, u32>,
    waiting: Vec<(Ticket, Check)>,
    /// When the next group is to be written, and until when the last one's barrier takes.
    due: Option<u64>,
    busy_until: u64,
    now: u64,
    bytes: Vec<u8>,
    pub(crate) took: Took,
    pub(crate) letters: u64,
    pub(crate) mail: u64,
    pub(crate) refused: u64,
    pub(crate) restarts: u64,
}

/// What must be true when a ticket is settled: letters of these sizes stand under these UIDs.
type Check = Vec<(MailboxId, Uid, u32)>;

impl Player {
    /// An empty box with everybody's account.
    pub(crate) fn new(geometry: Geometry, segment_bytes: u32) -> Self {
        let options = FormatOptions { uuid: *b"a year of office", segment_bytes: Some(segment_bytes) };
        let queue = Direct::new(Memory::new(geometry, segment_bytes));
        let mut store = Store::format(queue, &options).expect("formats");
        store.set_compact(false);
        let mut player = Self {
            store: Some(store),
            places: HashMap::new(),
            boxes: HashMap::new(),
            next_uids: HashMap::new(),
            waiting: Vec::new(),
            due: None,
            busy_until: 0,
            now: 0,
            bytes: Vec::new(),
            took: Took::default(),
            letters: 0,
            mail: 0,
            refused: 0,
            restarts: 0,
        };
        player.store().set_message_limit(64 << 20);
        player.pump();
        player.people();
        player
    }

    fn people(&mut self) {
        let _ = self.store().put_domain("example.test").expect("taken");
        for person in 0..PEOPLE {
            let text = format!("person{person}@example.test");
            let address = Address::parse(&text).expect("an address");
            let details = AccountDetails { address: &address, name: "", quota: None, secret: &[7; 200] };
            let (account, _) = self.store().put_account(None, &details).expect("taken");
            self.pump();
            let mut folders = vec![
                (Folder::Sent, "Sent".to_owned()),
                (Folder::Drafts, "Drafts".to_owned()),
                (Folder::Trash, "Trash".to_owned()),
                (Folder::Archive, "Archive".to_owned()),
            ];
            folders.extend((0..PROJECTS as u8).map(|n| (Folder::Project(n), format!("Projects/{n}"))));
            for (folder, name) in folders {
                let name = MailboxName::new(&name).expect("a name");
                if self.store().mailbox(account, &name).is_none() {
                    let _ = self.store().create_mailbox(account, &name, None).expect("taken");
                    self.pump();
                }
                let mailbox = self.store().mailbox(account, &name).expect("there");
                self.boxes.insert((person, folder), mailbox);
            }
            let inbox = self.store().inbox(AccountId(account.0)).expect("there");
            self.boxes.insert((person, Folder::Inbox), inbox);
        }
    }

    fn store(&mut self) -> &mut Bench {
        self.store.as_mut().expect("mounted")
    }

    /// The flash, to be looked at.
    pub(crate) fn flash(&mut self) -> &Memory {
        self.store().queue().device()
    }

    pub(crate) fn statistics(&self) -> Statistics {
        self.store.as_ref().map(Store::statistics).unwrap_or_default()
    }

    /// Whole days since a moment.
    pub(crate) const fn days_since(&self, then: UnixTime) -> i64 {
        (EPOCH + (self.now / 1000) as i64 - then.0) / (24 * 3600)
    }

    // ---- Time --------------------------------------------------------------------------------------------------

    /// Something is to be written by `time` at the latest, or when the barrier that is under way has ended.
    fn want(&mut self, time: u64) {
        let time = time.max(self.busy_until);
        self.due = Some(self.due.map_or(time, |due| due.min(time)));
    }

    /// Writes the groups that are due until `time`.
    fn advance(&mut self, time: u64) {
        while let Some(due) = self.due.filter(|due| *due <= time) {
            self.due = None;
            self.now = due;
            self.flush();
            self.busy_until = due + BARRIER_MS;
            if self.store().waiting() > 0 {
                self.want(self.busy_until);
            }
        }
        self.now = time;
        self.store().set_now(UnixTime(EPOCH + (time / 1000) as i64));
        self.store().trust_clock(true);
    }

    fn timed<T>(&mut self, call: impl FnOnce(&mut Bench) -> T) -> (T, u64) {
        let store = self.store.as_mut().expect("mounted");
        let watched = store.queue().device().watching_ns;
        let begun = processor_ns();
        let result = call(store);
        let ns = processor_ns() - begun;
        let watched = store.queue().device().watching_ns - watched;
        (result, ns.saturating_sub(watched))
    }

    /// One group.
    fn flush(&mut self) {
        let ((answered, lazy), ns) = self.timed(|store| {
            let waiting = store.waiting();
            (store.flush(), waiting == 0)
        });
        if answered > 0 || lazy { &mut self.took.flushes } else { &mut self.took.chores }.note(ns);
        let (_, ns) = self.timed(Store::settle);
        self.took.calls.note(ns);
        self.check();
    }

    fn check(&mut self) {
        for (ticket, check) in std::mem::take(&mut self.waiting) {
            let Some(result) = ticket.result() else {
                self.waiting.push((ticket, check));
                continue;
            };
            result.expect("done");
            for (mailbox, uid, size) in check {
                let message = self.store().message(mailbox, uid).expect("a letter stands where it should");
                assert_eq!(message.size, u64::from(size));
            }
        }
    }

    /// Writes all that waits, housekeeping included.
    pub(crate) fn pump(&mut self) {
        while self.store().needs_flush() {
            self.flush();
        }
        self.due = None;
    }

    /// Calls until the store is not busy any more; what it refuses is counted.
    fn ask<T>(&mut self, mut call: impl FnMut(&mut Bench) -> Result<T, Stop>) -> Option<T> {
        loop {
            let (result, ns) = self.timed(&mut call);
            self.took.calls.note(ns);
            match result {
                Ok(done) => return Some(done),
                Err(Stop::Busy) => self.flush(),
                Err(Stop::Refused(_)) => {
                    self.refused += 1;
                    return None;
                }
            }
        }
    }

    // ---- What the office does ----------------------------------------------------------------------------------

    /// Puts the older mail in, quickly.
    pub(crate) fn older(&mut self, letters: &[(Letter, usize, Folder)]) {
        for (order, (letter, person, folder)) in letters.iter().enumerate() {
            let mailbox = self.boxes[&(*person, *folder)];
            self.bring(letter, &[(*person, mailbox)], Flags::SEEN);
            if (order + 1).is_multiple_of(OLDER_GROUP) {
                self.flush();
            }
        }
        self.pump();
    }

    /// Something happens at `time`, in milliseconds.
    pub(crate) fn act(&mut self, time: u64, action: &Action) {
        self.advance(time);
        match action {
            Action::Deliver { letter, to } => {
                let boxes: Vec<_> =
                    to.iter().map(|person| (*person, self.boxes[&(*person, Folder::Inbox)])).collect();
                self.bring(letter, &boxes, Flags::NONE);
                self.want(time);
                // A computer or a telephone has INBOX open and is told of the letter: it is recent nowhere else.
                let watched = boxes.iter().filter(|(person, _)| *person < PEOPLE - POP3_PEOPLE);
                let watched: Vec<_> = watched.map(|(_, mailbox)| *mailbox).collect();
                self.advance(self.due.unwrap_or(time).max(time));
                for mailbox in watched {
                    let (_, ns) = self.timed(|store| store.claim_recent(mailbox));
                    self.took.calls.note(ns);
                    if self.store().needs_flush() {
                        self.want(self.now + LAZY_MS);
                    }
                }
            }
            Action::Append { letter, by, folder } => {
                let flags =
                    if *folder == Folder::Drafts { Flags::DRAFT.with(Flags::SEEN) } else { Flags::SEEN };
                let mailbox = self.boxes[&(*by, *folder)];
                self.bring(letter, &[(*by, mailbox)], flags);
                self.want(time);
            }
            Action::Mark { person, letters, mark } => self.mark(*person, letters, *mark),
            Action::Move { person, letters, to } => self.moves(*person, letters, *to),
            Action::Expunge { person, letters } => {
                for (mailbox, uids) in self.found(*person, letters) {
                    let ticket = self.ask(|store| store.expunge(mailbox, &uids));
                    self.wait_for(ticket, Vec::new());
                }
                for letter in letters {
                    self.places.remove(&(*person, *letter));
                }
            }
            Action::Restart { clean } => self.restart(*clean),
        }
    }

    fn bring(&mut self, letter: &Letter, to: &[(usize, MailboxId)], flags: Flags) {
        self.compose(letter);
        let bytes = std::mem::take(&mut self.bytes);
        let size = u64::from(letter.size);
        let draft = self.ask(|store| {
            let draft = store.draft(Some(size))?;
            for (_, mailbox) in to {
                store.add_mailbox(&draft, *mailbox, flags)?;
            }
            Ok(draft)
        });
        let ticket = draft.and_then(|draft| {
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let piece = &rest[..rest.len().min(16 << 10)];
                rest = &rest[self.ask(|store| store.append(&draft, piece))?..];
            }
            let summary = vec![0x5A; letter.summary as usize];
            let now = UnixTime(EPOCH + (self.now / 1000) as i64);
            let described = mail::Letter { received: now, zone_minutes: 540, summary: &summary };
            self.ask(|store| store.deposit(&draft, &described))
        });
        self.bytes = bytes;
        if ticket.is_none() {
            return;
        }
        (self.letters, self.mail) = (self.letters + 1, self.mail + size);
        let mut check = Vec::new();
        for (person, mailbox) in to {
            let uid = self.take_uids(*mailbox, 1);
            self.places.insert((*person, letter.number), (*mailbox, uid));
            check.push((*mailbox, uid, letter.size));
        }
        self.wait_for(ticket, check);
    }

    /// A header block and a body of the letter's lengths.
    fn compose(&mut self, letter: &Letter) {
        const LINE: &[u8] = b"X-Line: 0123456789 abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ\r\n";
        self.bytes.clear();
        let lines = letter.head as usize - 2;
        while self.bytes.len() + LINE.len() <= lines {
            self.bytes.extend_from_slice(LINE);
        }
        self.bytes.resize(lines, b'x');
        self.bytes.extend_from_slice(b"\r\n\r\n");
        self.bytes.resize(letter.size as usize, b'y');
    }

    fn take_uids(&mut self, mailbox: MailboxId, count: u32) -> Uid {
        let next = self.next_uids.entry(mailbox).or_insert(1);
        *next += count;
        Uid(*next - count)
    }

    fn wait_for(&mut self, ticket: Option<Ticket>, check: Check) {
        if let Some(ticket) = ticket {
            self.waiting.push((ticket, check));
            self.want(self.now);
        }
    }

    /// A person's letters by mailbox.
    fn found(&self, person: usize, letters: &[u64]) -> Vec<(MailboxId, UidSet)> {
        let mut found: HashMap<MailboxId, UidSet> = HashMap::new();
        for letter in letters {
            if let Some((mailbox, uid)) = self.places.get(&(person, *letter)) {
                found.entry(*mailbox).or_default().insert(*uid);
            }
        }
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_by_key(|(mailbox, _)| mailbox.0);
        found
    }

    fn mark(&mut self, person: usize, letters: &[u64], mark: Mark) {
        let flag = match mark {
            Mark::Seen | Mark::SeenByFetch => Flags::SEEN,
            Mark::Answered => Flags::ANSWERED,
            Mark::Flagged => Flags::FLAGGED,
            Mark::Deleted => Flags::DELETED,
        };
        for (mailbox, uids) in self.found(person, letters) {
            if mark == Mark::SeenByFetch {
                self.ask(|store| store.set_seen_soon(mailbox, &uids));
                self.want(self.now + LAZY_MS);
            } else {
                let ticket = self.ask(|store| store.set_flags(mailbox, &uids, flag, Flags::NONE));
                self.wait_for(ticket, Vec::new());
            }
        }
    }

    fn moves(&mut self, person: usize, letters: &[u64], to: Folder) {
        let target = self.boxes[&(person, to)];
        for (mailbox, uids) in self.found(person, letters) {
            if mailbox == target {
                continue;
            }
            let Some(ticket) = self.ask(|store| store.move_messages(mailbox, &uids, target)) else {
                continue;
            };
            let first = self.take_uids(target, uids.len()).0;
            for (order, uid) in uids.iter().enumerate() {
                let moved = |letter: &&u64| self.places.get(&(person, **letter)) == Some(&(mailbox, uid));
                if let Some(letter) = letters.iter().find(moved) {
                    self.places.insert((person, *letter), (target, Uid(first + order as u32)));
                }
            }
            self.wait_for(Some(ticket), Vec::new());
        }
    }

    // ---- Restarts ----------------------------------------------------------------------------------------------

    /// Stops the box, in order or by taking its power, and starts it again. What somebody waited for is durable; where
    /// power fails, housekeeping that was under way is not finished.
    fn restart(&mut self, clean: bool) {
        if clean {
            self.pump();
            self.store().unmount();
            while !self.store().is_unmounted() {
                self.store().flush();
                self.store().settle();
            }
        } else if !self.waiting.is_empty() {
            self.flush();
        }
        self.restarts += 1;
        (self.due, self.waiting) = (None, Vec::new());
        let memory = self.store.take().expect("mounted").into_queue().into_device();
        let begun = processor_ns();
        let mut store = Store::mount(Direct::new(memory), MountOptions::default()).expect("mounts");
        store.set_compact(false);
        store.settle();
        self.took.mounts.note(processor_ns() - begun);
        let report = *store.mount_report();
        assert!(store.is_ready() && report.damage == 0, "{report:?}");
        // Power may fail before anything was programmed.
        assert!(report.clean || !clean, "{report:?}, {:?}", store.statistics());
        store.set_message_limit(64 << 20);
        for (mailbox, next) in &mut self.next_uids {
            *next = store.status(*mailbox).expect("there").uid_next.0;
        }
        self.store = Some(store);
    }

    /// Ends what is under way, and says whether every letter stands where it should.
    pub(crate) fn finish(&mut self) {
        self.pump();
        let places: Vec<_> = self.places.values().copied().collect();
        for (mailbox, uid) in &places {
            assert!(self.store().message(*mailbox, *uid).is_some(), "{mailbox:?} {uid:?} is gone");
        }
    }
}
