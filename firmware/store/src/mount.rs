//! Making a store, and taking one up again: finding the anchor, the segments, and the state that the log leads to.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use flash::{Fault, FlashQueue, Geometry};
use mail::UnixTime;

use crate::Store;
use crate::checkpoint::{Checkpoints, Loader};
use crate::coding::Coder;
use crate::compaction::Compaction;
use crate::damage::DamageList;
use crate::drafts::Drafts;
use crate::forget::Forgetting;
use crate::format::anchor::{ANCHOR_BYTES, Anchor, Found};
use crate::format::code::put;
use crate::format::frame::{ALIGN, kind};
use crate::format::header::{HEADER_BYTES, Head, Header, PerStream, Stream};
use crate::format::records::{Heal, MailboxRename};
use crate::format::{FORMAT_VERSION, Mark, Place, Seal};
use crate::head::{BodyHead, MetaHead};
use crate::index::State;
use crate::layout::{ANCHOR_SEGMENTS, Layout, Unfit};
use crate::life::{Life, Phase};
use crate::limits::{MODSEQ_JUMP, MODSEQ_MAX, SEQ_JUMP};
use crate::log::Log;
use crate::outbox::Outbox;
use crate::reader::Reader;
use crate::replay::{Chapter, Replay, Replayed, chapters, newest, rescue};
use crate::retire::Retiring;
use crate::scan::Scan;
use crate::scrub::Scrub;
use crate::segments::{Segments, Use};

/// What [`Store::format`] needs to be told.
#[derive(Clone, Copy, Debug)]
pub struct FormatOptions {
    /// The store's identity: random, and another for every format.
    pub uuid: [u8; 16],
    /// Segment size in bytes, rounded to what is possible; `None` to choose one by the capacity.
    pub segment_bytes: Option<u32>,
}

/// How to mount.
#[derive(Clone, Copy, Debug, Default)]
pub struct MountOptions {
    /// Program nothing: for tools that look at a store.
    pub read_only: bool,
}

/// Why there is no store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MountError {
    /// Nothing on the device says that it is a store: it is new, or something else.
    NotAStore,
    /// The store was written by a later version of this program.
    Newer {
        /// Its format version.
        version: u16,
    },
    /// The store was written by an earlier version of this program, in a format that is not read any more.
    Older {
        /// Its format version.
        version: u16,
    },
    /// The device is smaller than the store on it: it has been cut, or copied to a smaller one.
    CutShort {
        /// Bytes that the store uses.
        store: u64,
        /// Bytes that the device has.
        device: u64,
    },
    /// The device's write or erase size does not fit the store.
    OtherGeometry,
    /// The device is too small for a store.
    TooSmall,
    /// The device could not be read.
    Device(Fault),
}

impl fmt::Display for MountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAStore => f.write_str("there is no Tegami store on this flash"),
            Self::Newer { version } => write!(
                f,
                "the store on this flash has format {version}, and this program knows format {FORMAT_VERSION}: use a newer \
                 program"
            ),
            Self::Older { version } => write!(
                f,
                "the store on this flash has format {version}, which this program does not read any more (it knows format \
                 {FORMAT_VERSION}): use the program that made it"
            ),
            Self::CutShort { store, device } => write!(
                f,
                "the store on this flash uses {store} bytes and the flash has only {device}: part of it is missing"
            ),
            Self::OtherGeometry => f.write_str(
                "the store on this flash was made for other write or erase sizes than the flash has",
            ),
            Self::TooSmall => f.write_str("the flash is too small for a store"),
            Self::Device(fault) => write!(f, "the flash could not be read: {fault}"),
        }
    }
}

impl core::error::Error for MountError {}

/// What a mount found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MountReport {
    /// The last life ended by [`Store::unmount`].
    pub clean: bool,
    /// Records replayed.
    pub records: u64,
    /// Damaged places found.
    pub damage: u64,
    /// Time of the newest group, which the clock cannot be before.
    pub newest: Option<UnixTime>,
    /// Lives that programmed the store so far.
    pub lives: u64,
}

/// The anchors that stand on a device.
#[derive(Default)]
struct Anchors {
    newest: Option<Anchor>,
    /// The other copy is there and one life older: no attempt at a later one was cut short.
    paired: bool,
    other_version: Option<u16>,
    fault: Option<Fault>,
}

impl<Q: FlashQueue> Store<Q> {
    /// Makes a new store on the device, whatever it holds, and returns it mounted and empty. Only the anchors are
    /// written; until they are durable ([`barrier_in_flight`](Self::barrier_in_flight)) an older store may come back.
    ///
    /// # Errors
    /// [`MountError::TooSmall`], [`MountError::OtherGeometry`].
    pub fn format(mut queue: Q, options: &FormatOptions) -> Result<Self, MountError> {
        let geometry = queue.geometry();
        let layout = Layout::plan(geometry, options.uuid, options.segment_bytes).map_err(MountError::from)?;
        // Lives go on from those of a store that was here before, so that the new anchors win over its last ones.
        let before = find_anchors(&mut queue, geometry).newest.map_or(0, |anchor| anchor.life);
        let anchor = Anchor {
            uuid: options.uuid,
            life: before + 1,
            capacity: layout.capacity(),
            segment_bytes: layout.segment_bytes,
            unit: layout.unit,
            seq_base: 1,
            resumed: false,
            meta: None,
            bodies: PerStream::default(),
            root: Mark::default(),
            modseq_base: 1,
        };
        let second = Anchor { life: before + 2, ..anchor };
        let mut store = Self::assemble(queue, layout, second);
        store.log.next_seq = anchor.seq_base;
        store.log.next_group = 1;
        store.write_anchor(anchor);
        store.write_anchor(second);
        store.outbox.barrier(&mut store.queue);
        store.life.phase = Phase::Opening;
        Ok(store)
    }

    /// Mounts the store on a device. Reads past every cache and waits for that; afterwards one barrier is under way,
    /// and no session may begin until [`is_ready`](Self::is_ready).
    ///
    /// # Errors
    /// [`MountError`].
    pub fn mount(mut queue: Q, options: MountOptions) -> Result<Self, MountError> {
        let geometry = queue.geometry();
        let anchors = find_anchors(&mut queue, geometry);
        let anchor = anchors.newest.ok_or(match (anchors.other_version, anchors.fault) {
            (Some(version), _) if version > FORMAT_VERSION => MountError::Newer { version },
            (Some(version), _) => MountError::Older { version },
            (None, Some(fault)) => MountError::Device(fault),
            (None, None) => MountError::NotAStore,
        })?;
        if anchor.capacity > geometry.capacity {
            return Err(MountError::CutShort { store: anchor.capacity, device: geometry.capacity });
        }
        let layout = Layout::of(&anchor, geometry)?;
        let mut store = Self::assemble(queue, layout, anchor);
        let done = store.replay_log();
        let clean = done.clean.is_some_and(|clean| clean.life == anchor.life) && anchors.paired;
        store.take_up(&done, clean);
        if options.read_only {
            store.life.phase = Phase::ReadOnly;
        } else {
            store.outbox.barrier(&mut store.queue);
        }
        Ok(store)
    }

    /// What the mount found.
    pub const fn mount_report(&self) -> &MountReport {
        &self.report
    }

    fn assemble(queue: Q, layout: Layout, anchor: Anchor) -> Self {
        let life = Life {
            phase: Phase::Mounting,
            anchor,
            resume: false,
            verify: false,
            failures: 0,
            wanted: false,
            mark_wanted: false,
            closing: false,
            unmarked: false,
            ended: false,
        };
        Self {
            queue,
            outbox: Outbox::default(),
            segments: Segments::new(layout.segments),
            layout,
            state: State::new(first_uid_validity(&layout.uuid)),
            checkpoints: Checkpoints::default(),
            compaction: Compaction::default(),
            forgetting: Forgetting::default(),
            coder: Some(Box::new(Coder::new())),
            log: Log::default(),
            drafts: Drafts::default(),
            reader: Reader::default(),
            damage: DamageList::default(),
            retiring: Retiring::default(),
            scrub: Scrub::default(),
            life,
            now: UnixTime(0),
            message_bytes_max: mail::limits::MESSAGE_BYTES_DEFAULT,
            index_bytes_max: u64::MAX,
            report: MountReport::default(),
        }
    }

    /// Reads the headers of all segments: by sequence number, with the segment's index.
    fn read_headers(&mut self) -> BTreeMap<u32, (u32, Header)> {
        let mut headers = BTreeMap::new();
        for index in ANCHOR_SEGMENTS..self.layout.segments {
            let mut bytes = [0; HEADER_BYTES];
            if self.queue.read_through(self.layout.base(index), &mut bytes).is_err() {
                continue;
            }
            if let Some(header) = Header::parse(&bytes, &self.layout.uuid, index) {
                headers.insert(header.seq, (index, header));
            }
        }
        headers
    }

    /// Reads the newest checkpoint, and replays what came after it, into the state.
    fn replay_log(&mut self) -> Replayed {
        let headers = self.read_headers();
        for (seq, (index, header)) in &headers {
            self.segments.open(*index, header.head, *seq, header.erases);
        }
        let highest = headers.keys().next_back().copied().unwrap_or(0);
        self.log.next_seq = highest.max(self.life.anchor.seq_base).saturating_add(SEQ_JUMP);
        let mut newest = newest(&self.life.anchor, &headers);
        let taken_back = self.take_back(&mut newest, &headers);
        if let Some(newest) = newest {
            // Its header may be damaged: the anchor and the segment behind it know it all the same.
            self.segments.open(newest.segment, Head::Meta, newest.seq, 1);
        }
        self.state.rescue = rescue();
        let lost = self.load_checkpoint(newest, &headers);
        let from = self.checkpoints.from();
        let chain = chapters(newest, &headers, from.seq);
        // Before the replay: what that takes out of the index, the checkpoint needs until there is another one.
        self.release_unneeded(|used| used == Use::Log(Head::Meta), &chain);
        let commits: Vec<u32> = self.segments.dead(Head::Body(Stream::Commits), u32::MAX).collect();
        let mut replay = self.replay();
        replay.done.unhealed = lost.clone();
        replay.done.pages = lost;
        for chapter in &chain {
            replay.segments.open(chapter.segment, Head::Meta, chapter.seq, 1);
            replay.chapter(*chapter, from);
        }
        taken_back.iter().rev().for_each(|chapter| replay.take_figures(*chapter));
        let done = replay.done;
        self.state.rescue = None;
        self.checkpoints.tail = done.bytes;
        self.checkpoints.take_copies(&done.roots, &mut self.segments);
        let unnamed = commits.iter().filter(|index| !done.named.contains(index));
        unnamed.for_each(|index| self.segments.release(*index));
        let bodies = [Stream::Fresh, Stream::Cold].map(|stream| Use::Log(Head::Body(stream)));
        self.release_unneeded(|used| bodies.contains(&used), &[]);
        done
    }

    /// Goes back behind segments that hold nothing but parts of a checkpoint that was cut: they are free again, so that a
    /// life which does not come further than that takes nothing. A mount that comes to the same again finds the same,
    /// and the next life says where the log ends.
    fn take_back(
        &mut self,
        newest: &mut Option<Chapter>,
        headers: &BTreeMap<u32, (u32, Header)>,
    ) -> Vec<Chapter> {
        let mut taken = Vec::new();
        let base = self.life.anchor.seq_base;
        while let Some(chapter) = newest.filter(|chapter| chapter.seq >= base) {
            let Some((_, header)) = headers.get(&chapter.seq) else { break };
            let Some(seal) = header.before else { break };
            let before = Chapter { segment: seal.segment, seq: seal.seq, end: Some(seal.end) };
            if !self.replay().is_checkpoint_only(chapter, before, header.root) {
                break;
            }
            self.segments.release(chapter.segment);
            taken.push(chapter);
            *newest = Some(before);
        }
        taken
    }

    fn replay(&mut self) -> Replay<'_, Q> {
        Replay {
            queue: &mut self.queue,
            layout: self.layout,
            segments: &mut self.segments,
            state: &mut self.state,
            damage: &mut self.damage,
            done: Replayed::default(),
            touched: None,
        }
    }

    /// Reads the newest checkpoint. Returns which of its pages could not be read.
    fn load_checkpoint(
        &mut self,
        newest: Option<Chapter>,
        headers: &BTreeMap<u32, (u32, Header)>,
    ) -> BTreeMap<Mark, Option<Vec<u32>>> {
        let group = newest.and_then(|newest| self.replay().root_of(newest));
        let header = newest.and_then(|newest| headers.get(&newest.seq)).map(|(_, header)| header.root);
        let anchor = self.life.anchor.root;
        let named = group.or(header).unwrap_or(anchor);
        if named == Mark::default() {
            return BTreeMap::new();
        }
        if let Some(lost) = self.load_root(named) {
            return lost;
        }
        // Only damage leads here: there is a copy in the next group, and whatever checkpoint can be read is better than
        // none.
        self.damage.note(named);
        for root in self.roots() {
            if let Some(lost) = self.load_root(root) {
                return lost;
            }
        }
        BTreeMap::from([(named, None)])
    }

    /// Reads the checkpoint with this root. Returns which of its pages could not be read; `None` when there is none.
    fn load_root(&mut self, root: Mark) -> Option<BTreeMap<Mark, Option<Vec<u32>>>> {
        let mut loader = Loader {
            queue: &mut self.queue,
            layout: self.layout,
            segments: &mut self.segments,
            state: &mut self.state,
            damage: &mut self.damage,
            unhealed: BTreeMap::new(),
        };
        self.checkpoints = loader.load(root)?;
        let lost = loader.unhealed;
        if let Some(rescue) = &mut self.state.rescue {
            (rescue.below, rescue.damaged) = (self.state.next.mailbox, !lost.is_empty());
        }
        Some(lost)
    }

    /// All roots that stand in metadata segments, newest first. Looks at every byte of them.
    fn roots(&mut self) -> Vec<Mark> {
        let metas: Vec<(u32, u32)> = self.segments.of(Head::Meta).collect();
        let mut roots = Vec::new();
        for (seq, segment) in metas {
            let mut scan = Scan::new(&self.layout, (segment, seq), u32::MAX);
            let mut offset = self.layout.first_group();
            while offset < scan.end() {
                offset += match scan.frame(&mut self.queue, offset) {
                    Some(found) => {
                        if found.frame.kind == kind::ROOT {
                            roots.push(Mark { seq, offset });
                        }
                        found.frame.span() as u32
                    }
                    None => ALIGN as u32,
                };
            }
        }
        roots.reverse();
        roots
    }

    /// Frees the segments of some use that hold nothing: bodies that were never committed or whose letters are gone,
    /// metadata before the checkpoint and outside the chain that is replayed.
    fn release_unneeded(&mut self, concerns: impl Fn(Use) -> bool, chain: &[Chapter]) {
        let replayed = |index: u32| chain.iter().any(|chapter| chapter.segment == index);
        let in_use = self.segments.in_use().iter().map(|(_, index)| *index);
        let dead =
            in_use.filter(|index| concerns(self.segments.used(*index)) && self.segments.is_dead(*index));
        let unneeded: Vec<u32> = dead.filter(|index| !replayed(*index)).collect();
        unneeded.iter().for_each(|index| self.segments.release(*index));
    }

    /// Puts the heads where the log ends and the numbers above all that were used.
    fn take_up(&mut self, done: &Replayed, clean: bool) {
        self.log.last_meta = done.meta;
        self.log.durable_meta =
            done.meta.map_or_else(Mark::default, |seal| Mark { seq: seal.seq, offset: seal.end });
        // All that is visible is durable, and new segments have greater numbers.
        let before = Mark { seq: self.log.next_seq - 1, offset: 0 };
        self.log.durable_bodies = PerStream::default().map(|_, &()| before);
        self.log.floors = PerStream::default().map(|_, &()| self.log.next_seq);
        self.log.last_bodies = PerStream::default().map(|stream, &()| self.last_body(stream));
        self.log.next_group = done.group + 1;
        self.log.programmed_before = done.programmed;
        self.log.mail = done.mail;
        if clean {
            self.resume(done);
        }
        let base = self.life.anchor.modseq_base.max(self.state.next.modseq);
        // Damage may have hidden the greatest MODSEQs as well as a cut.
        let jump = if clean && done.unhealed.is_empty() { 0 } else { MODSEQ_JUMP };
        self.state.next.modseq = base.saturating_add(jump).min(MODSEQ_MAX);
        self.heal(done);
        self.regain_reserve();
        self.state.take_changed();
        self.report = MountReport {
            clean,
            records: done.records,
            damage: self.damage.count(),
            newest: (done.newest != 0).then_some(UnixTime(done.newest)),
            lives: self.life.anchor.life,
        };
    }

    /// The newest segment of a body log in which something lives. How far it is filled does not matter any more.
    fn last_body(&self, stream: Stream) -> Option<Seal> {
        let (seq, segment) = self.segments.of(Head::Body(stream)).last()?;
        Some(Seal { seq, segment, end: self.layout.segment_bytes })
    }

    /// Goes on in the segments of a life that ended cleanly.
    fn resume(&mut self, done: &Replayed) {
        let Some(meta) = done.meta else { return };
        self.life.resume = true;
        let offset = self.layout.round_up(meta.end);
        self.log.meta = Some(MetaHead { segment: meta.segment, seq: meta.seq, offset });
        self.log.durable_meta = Mark { seq: meta.seq, offset };
        let Some(clean) = done.clean else { return };
        for stream in Stream::ALL {
            let Some(mark) = clean.bodies.of(stream) else { continue };
            // One in which nothing lives is free already.
            let Some(segment) = self.segments.find(mark.seq) else { continue };
            *self.log.bodies.of_mut(stream) = Some(BodyHead::new(segment, mark.seq, mark.offset, &[]));
            *self.log.durable_bodies.of_mut(stream) = *mark;
        }
    }

    /// Answers damage: what nothing lists any more is listed again, and mailboxes that may have lost something get new
    /// UIDVALIDITYs, now and in records. The one that says that a damaged place has been answered is the last: a cut
    /// between the others leaves the rest to the next mount.
    fn heal(&mut self, done: &Replayed) {
        if done.unhealed.is_empty() {
            return;
        }
        self.adopt_inboxes();
        self.rescue_letters(&done.pages);
        for (at, mailboxes) in &done.unhealed {
            let record = Heal {
                at: *at,
                uid_validity: self.state.next.uid_validity,
                below: self.state.next.mailbox,
                mailboxes: mailboxes.clone(),
            };
            let mut payload = Vec::new();
            // Encoding into memory cannot fail.
            let _ = put(&mut payload, &record);
            self.repair(kind::HEAL, &payload);
        }
    }
}

impl<Q: FlashQueue> Store<Q> {
    /// An account whose own record was lost has mailboxes under strange names. The oldest one was its INBOX.
    fn adopt_inboxes(&mut self) {
        let orphans = self.state.accounts.values().filter(|account| account.inbox().is_none());
        let oldest: Vec<u32> =
            orphans.filter_map(|account| account.mailboxes.values().min().copied()).collect();
        for mailbox in oldest {
            let Some(new) = self.state.take_mailboxes(1) else { return };
            let mut payload = Vec::new();
            let record = MailboxRename { mailbox, new, name: mail::MailboxName::INBOX };
            // Encoding into memory cannot fail.
            let _ = put(&mut payload, &record);
            self.repair(kind::MAILBOX_RENAME, &payload);
        }
    }

    /// Applies a record that answers damage at once, and has it written with the first group: what it changes was
    /// lost, so nobody is shown it too early.
    pub(crate) fn repair(&mut self, kind: u8, payload: &[u8]) {
        let nowhere = Place { segment: 0, offset: 0 };
        // The same record is applied again, with the same result, when its group is durable.
        let _ = self.state.apply(&mut self.segments, kind, payload, nowhere);
        let _ = self.log.gather.record(kind, |out| {
            out.extend_from_slice(payload);
            Ok(())
        });
        self.log.gather.touch_any();
    }
}

impl From<Unfit> for MountError {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Small => Self::TooSmall,
            Unfit::Sizes => Self::OtherGeometry,
        }
    }
}

/// Where the UIDVALIDITYs of a new store begin: not where those of the store began that was here before, so that no
/// client takes letters of one for letters of the other (rule 12: never from a clock).
fn first_uid_validity(uuid: &[u8; 16]) -> u32 {
    1 + (crc32c::crc32c(uuid) >> 2)
}

fn find_anchors<Q: FlashQueue>(queue: &mut Q, geometry: Geometry) -> Anchors {
    let mut found = Vec::new();
    let mut anchors = Anchors::default();
    for place in Layout::anchor_places(geometry) {
        let mut bytes = [0; ANCHOR_BYTES];
        if let Err(fault) = queue.read_through(place, &mut bytes) {
            anchors.fault = Some(fault);
            continue;
        }
        match Anchor::parse(&bytes) {
            Found::Anchor(anchor) if u64::from(anchor.slot()) * u64::from(anchor.segment_bytes) == place => {
                found.push(anchor);
            }
            Found::Other(version) => anchors.other_version = Some(version),
            Found::Anchor(_) | Found::Nothing => {}
        }
    }
    anchors.newest = found.iter().max_by_key(|anchor| anchor.life).copied();
    anchors.paired = anchors.newest.is_some_and(|newest| {
        found.iter().any(|other| other.uuid == newest.uuid && other.life + 1 == newest.life)
    });
    anchors
}
