//! Writing the log: groups at the metadata head, extents at the body head, segments opened for both.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use flash::FlashQueue;
use mail::{Refusal, Stop};
use zeroize::Zeroize;

use crate::Store;
use crate::format::code;
use crate::format::frame::{self, FRAME_BYTES, kind};
use crate::format::header::{HEADER_BYTES, Head, Header, PerStream, Stream};
use crate::format::records::{Clean, Extent, Group};
use crate::format::{Mark, Place, Seal};
use crate::gather::{Flight, Gather, Records};
use crate::head::{BodyHead, MetaHead, Piece};
use crate::limits::UNBARRIERED_MAX;

/// Least payload for which a new extent is begun in the rest of a segment.
pub(crate) const EXTENT_REST_MIN: usize = 512;

/// Whether a change may use the reserve of a full store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// It brings more to keep.
    Mail,
    /// It frees space, or is small and must go on in a full store.
    Care,
    /// It moves what is kept, to gain space.
    Chore,
    /// It gains space by itself, or leaves no trace.
    Last,
}

/// How many records, and how many bytes of them, go into a group.
struct Load {
    records: u32,
    bytes: usize,
    chores: u32,
    chore_bytes: usize,
}

/// Everything about the log that is not the state it leads to.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) gather: Gather,
    /// Records of compaction and checkpoints that wait: they go behind those of [`gather`](Self::gather).
    pub(crate) chores: Gather,
    pub(crate) flight: Option<Flight>,
    /// A buffer that the last group left behind.
    spare: Vec<u8>,
    pub(crate) meta: Option<MetaHead>,
    pub(crate) bodies: PerStream<Option<BodyHead>>,
    /// The last segment of each head that ended, and where.
    pub(crate) last_meta: Option<Seal>,
    pub(crate) last_bodies: PerStream<Option<Seal>>,
    /// Segments opened since the last group was handed to the device.
    pub(crate) opened: Vec<u32>,
    /// Sequence number of the next segment.
    pub(crate) next_seq: u32,
    /// Number of the next group.
    pub(crate) next_group: u64,
    /// What the last good barrier made durable.
    pub(crate) durable_meta: Mark,
    pub(crate) durable_bodies: PerStream<Mark>,
    /// Body segments from here on may still be verified by a recovery: see `DESIGN.md`, "Reuse".
    pub(crate) floors: PerStream<u32>,
    /// Body bytes appended since the last group was closed.
    pub(crate) unbarriered: u64,
    /// Bytes programmed before this mount, and bytes of mail ever committed.
    pub(crate) programmed_before: u64,
    pub(crate) mail: u64,
}

impl Log {
    /// Keeps a group's buffer for the next one, wiped if it held a secret.
    pub(crate) fn give_back(&mut self, mut bytes: Vec<u8>, secret: bool) {
        if secret {
            bytes.zeroize();
        }
        bytes.clear();
        self.spare = bytes;
    }

    /// Least sequence number of a segment of a body log that a commit on its way to flash names.
    fn first_pending(&self, stream: Stream) -> Option<u32> {
        let flight = self.flight.as_ref().and_then(|flight| *flight.first_bodies.of(stream));
        let waiting = [&self.gather, &self.chores].map(|gather| *gather.first_bodies.of(stream));
        waiting.into_iter().chain([flight]).flatten().min()
    }
}

impl<Q: FlashQueue> Store<Q> {
    // ---- Segments ----------------------------------------------------------------------------------------------

    /// Segments of a body log with sequence numbers below this are needed neither by letters on their way nor by the
    /// head.
    pub(crate) fn unneeded_below(&self, stream: Stream) -> u32 {
        let head = self.log.bodies.of(stream).as_ref().map_or(self.log.next_seq, |body| body.seq);
        let unnamed = match stream {
            Stream::Fresh => self.drafts.first_body(),
            Stream::Cold | Stream::Commits => self.compaction.first_unnamed(stream),
        };
        let floors = [Some(head), self.log.first_pending(stream), unnamed];
        floors.into_iter().flatten().min().unwrap_or(0)
    }

    /// Body segments in which nothing lives, and that will be free at the latest when another group is durable.
    pub(crate) fn dead_soon(&self) -> impl Iterator<Item = u32> + '_ {
        let dead = |stream| self.segments.dead(Head::Body(stream), self.unneeded_below(stream));
        let all = dead(Stream::Fresh).chain(dead(Stream::Cold));
        all.filter(|index| !self.reader.is_pinned(&self.segments, *index))
    }

    /// Body segments that can be erased and used again.
    pub(crate) fn dead_bodies(&self) -> impl Iterator<Item = u32> + '_ {
        let dead = |stream| {
            let floor = self.unneeded_below(stream).min(*self.log.floors.of(stream));
            self.segments.dead(Head::Body(stream), floor)
        };
        let all = dead(Stream::Fresh).chain(dead(Stream::Cold));
        all.filter(|index| !self.reader.is_pinned(&self.segments, *index))
    }

    /// Whether a group written now will let segments be reused; has it written.
    fn mark_gains(&mut self) -> bool {
        let gains = self.dead_soon().count() > self.dead_bodies().count();
        self.life.mark_wanted |= gains;
        gains
    }

    /// What to say when `class` may not have another segment. Compaction, if it is who asks, must not wait for itself.
    fn no_segment(&mut self, class: Class) -> Stop {
        match class {
            Class::Chore | Class::Last if self.mark_gains() => Stop::Busy,
            Class::Chore | Class::Last => Refusal::StoreFull.into(),
            Class::Mail | Class::Care => self.full(),
        }
    }

    /// What to say when there is no segment left: [`Stop::Busy`] when a group written now, compaction, or deletions that
    /// are forgotten will let some be reused.
    pub(crate) fn full(&mut self) -> Stop {
        if self.mark_gains() {
            return Stop::Busy;
        }
        self.look_whether_to_forget();
        let gains = self.will_gain();
        let forgets = !gains && self.will_forget();
        if gains || forgets { Stop::Busy } else { Refusal::StoreFull.into() }
    }

    /// A segment that may be erased now. When free ones are down to the reserve, body segments in which nothing lives
    /// any more become free first, the oldest one first.
    fn choose_segment(&mut self, head: Head, class: Class) -> Option<u32> {
        let wanted = (self.reserve() + 1).saturating_sub(self.segments.free());
        if wanted > 0 {
            let dead: Vec<u32> = self.dead_bodies().take(wanted as usize).collect();
            dead.iter().for_each(|index| self.segments.release(*index));
            if !dead.is_empty() {
                self.has_room_again();
            }
        }
        if self.segments.free() > self.kept(class) { self.segments.choose(head) } else { None }
    }

    /// Segments that `class` must leave alone.
    pub(crate) fn kept(&self, class: Class) -> u32 {
        let third = self.layout.reserve().div_ceil(3);
        let least = match class {
            Class::Mail => self.layout.reserve(),
            Class::Chore => self.layout.reserve() - third,
            Class::Care => third,
            Class::Last => return 0,
        };
        least + self.checkpoint_segments().saturating_sub(third)
    }

    /// Segments that mail leaves alone: see [`RESERVE_SEGMENTS_MIN`](crate::limits::RESERVE_SEGMENTS_MIN).
    pub(crate) fn reserve(&self) -> u32 {
        self.kept(Class::Mail)
    }

    /// Segments that `class` could still open.
    pub(crate) fn spare_segments(&self, class: Class) -> u32 {
        let kept = self.kept(class);
        match self.segments.free().saturating_sub(kept) {
            0 => (self.segments.free() + self.dead_bodies().count() as u32).saturating_sub(kept),
            spare => spare,
        }
    }

    /// Whether the reserve has been broken into, so that mail may not even use the room in its segments.
    pub(crate) fn is_reserve_open(&self) -> bool {
        let kept = self.kept(Class::Mail);
        self.segments.free() < kept && self.segments.free() + (self.dead_bodies().count() as u32) < kept
    }

    /// Erases a segment and gives it to a head. Returns its index, its sequence number and its header.
    fn open_segment(&mut self, head: Head, class: Class) -> Option<(u32, u32, [u8; HEADER_BYTES])> {
        let next_seq = self.log.next_seq.checked_add(1)?;
        let index = self.choose_segment(head, class)?;
        let seq = core::mem::replace(&mut self.log.next_seq, next_seq);
        let erases = self.segments.erases(index).saturating_add(1);
        let before = match head {
            Head::Meta => self.log.last_meta,
            Head::Body(stream) => *self.log.last_bodies.of(stream),
        };
        let header =
            Header { head, seq, erases, life: self.life.anchor.life, before, root: self.checkpoints.root() };
        let bytes = self.layout.segment_bytes.into();
        self.outbox.erase(&mut self.queue, self.layout.base(index), bytes);
        self.segments.open(index, head, seq, erases);
        self.log.opened.push(index);
        Some((index, seq, header.to_bytes(&self.layout.uuid, index)))
    }

    /// Ends the metadata segment, all of which is durable.
    pub(crate) fn leave_meta(&mut self) {
        if let Some(old) = self.log.meta.take() {
            self.log.last_meta = Some(Seal { seq: old.seq, segment: old.segment, end: old.offset });
        }
    }

    /// Ends the metadata segment and begins another. `None` when there is none.
    fn open_meta(&mut self) -> Option<MetaHead> {
        self.leave_meta();
        let (segment, seq, header) = self.open_segment(Head::Meta, Class::Last)?;
        let mut units = header.to_vec();
        units.resize(self.layout.first_group() as usize, 0);
        let address = self.layout.base(segment);
        self.outbox.program(&mut self.queue, address, &units);
        let head = MetaHead { segment, seq, offset: self.layout.first_group() };
        self.log.meta = Some(head);
        Some(head)
    }

    /// Ends the segment of a body log and begins another. `None` when `class` may not have another one.
    fn open_body(&mut self, stream: Stream, class: Class) -> Option<()> {
        if self.spare_segments(class) == 0 {
            return None;
        }
        if let Some(mut old) = self.log.bodies.of_mut(stream).take() {
            old.pad(&self.layout, &mut self.queue, &mut self.outbox);
            let end = old.programmed();
            *self.log.last_bodies.of_mut(stream) =
                Some(Seal { seq: end.seq, segment: old.segment, end: end.offset });
        }
        let (segment, seq, header) = self.open_segment(Head::Body(stream), class)?;
        *self.log.bodies.of_mut(stream) = Some(BodyHead::new(segment, seq, 0, &header));
        Some(())
    }

    // ---- Extents -----------------------------------------------------------------------------------------------

    /// Makes sure that a body log takes an extent of `len` stored bytes, or at least `least` of them, and returns how
    /// many.
    ///
    /// # Errors
    /// [`Stop::Busy`] when the device has to catch up first, [`Refusal::StoreFull`].
    pub(crate) fn room_for_extent(
        &mut self,
        (len, least): (usize, usize),
        (stream, class): (Stream, Class),
    ) -> Result<usize, Stop> {
        if !self.may_program() {
            return Err(Stop::Busy);
        }
        self.outbox.pump(&mut self.queue);
        if !self.outbox.is_empty() || self.log.unbarriered + len as u64 > UNBARRIERED_MAX {
            return Err(Stop::Busy);
        }
        let room = self.log.bodies.of(stream).as_ref().map_or(0, |body| body.room(&self.layout));
        if room < least {
            self.open_body(stream, class).ok_or(()).map_err(|()| self.no_segment(class))?;
        }
        let body = self.log.bodies.of(stream).as_ref().ok_or(Refusal::StoreFull)?;
        Ok(len.min(body.room(&self.layout)))
    }

    /// Appends an extent, for which there is room.
    pub(crate) fn append_extent(&mut self, piece: &Piece<'_>, stream: Stream) -> Result<Extent, Stop> {
        let body = self.log.bodies.of_mut(stream).as_mut().ok_or(Refusal::StoreFull)?;
        let offset = body.append(&self.layout, &mut self.queue, &mut self.outbox, piece);
        let len = piece.stored.len() as u32;
        self.log.unbarriered += u64::from(len) + FRAME_BYTES as u64;
        Ok(Extent { seq: body.seq, offset, len, original: piece.frame.original })
    }

    /// Appends as much of `bytes` to the fresh body log as one extent takes, encoded where that gains.
    ///
    /// # Errors
    /// Those of [`room_for_extent`](Self::room_for_extent).
    pub(crate) fn append_bytes_of(&mut self, bytes: &[u8]) -> Result<Extent, Stop> {
        let len = bytes.len().min(self.layout.extent_bytes_max());
        let room = self.room_for_extent((len, len.min(EXTENT_REST_MIN)), (Stream::Fresh, Class::Mail))?;
        let bytes = bytes.get(..room).unwrap_or_default();
        let Some(mut coder) = self.coder.take() else {
            return self.append_extent(&Piece::raw(bytes), Stream::Fresh);
        };
        let encoded = coder.encode(bytes);
        let piece = Piece::extent(encoded.encoding.number(), encoded.bytes, bytes.len() as u32);
        let extent = self.append_extent(&piece, Stream::Fresh);
        self.coder = Some(coder);
        extent
    }

    // ---- Groups ------------------------------------------------------------------------------------------------

    /// Bytes of metadata that can be written before another segment is needed.
    pub(crate) fn meta_room(&self) -> usize {
        self.head_room().saturating_sub(self.log.gather.bytes.len())
    }

    /// The same, if nothing gathered.
    pub(crate) fn head_room(&self) -> usize {
        let head =
            self.log.meta.map_or(0, |head| self.layout.segment_bytes.saturating_sub(head.offset) as usize);
        head.saturating_sub(self.layout.unit as usize)
    }

    /// Hands the next group to the device: all that gathers, or as much of it as the segment has room for, and a
    /// barrier. Returns how many waiters it will answer.
    pub(crate) fn begin_group(&mut self, clean: bool) -> usize {
        for stream in Stream::ALL {
            if let Some(body) = self.log.bodies.of_mut(stream) {
                body.pad(&self.layout, &mut self.queue, &mut self.outbox);
            }
        }
        let Some((head, load)) = self.place_group(clean) else {
            // No group can be written any more, so nothing may ask for one: neither marks nor more body.
            (self.log.unbarriered, self.life.mark_wanted) = (0, false);
            return 0;
        };
        let mut bytes = core::mem::take(&mut self.log.spare);
        let records = self.write_group(&mut bytes, head, &load, clean);
        let place = Place { segment: head.segment, offset: head.offset };
        self.outbox.program(&mut self.queue, self.layout.address(place), &bytes);
        self.outbox.barrier(&mut self.queue);
        let kept = if self.is_checkpointing() { load.bytes } else { bytes.len() };
        self.checkpoints.tail += kept as u64;
        let end = head.offset + bytes.len() as u32;
        self.log.meta = Some(MetaHead { offset: end, ..head });
        let log = &mut self.log;
        let bodies = &log.bodies;
        let first = [log.gather.first_bodies, log.chores.first_bodies];
        let flight = Flight {
            bytes,
            place,
            records,
            meta: Mark { seq: head.seq, offset: end },
            bodies: log
                .durable_bodies
                .map(|stream, durable| bodies.of(stream).as_ref().map_or(*durable, BodyHead::programmed)),
            root: self.checkpoints.root(),
            opened: core::mem::take(&mut log.opened),
            // Without a body head nothing of that log lies behind the mark.
            floors: log
                .durable_bodies
                .map(|stream, mark| bodies.of(stream).as_ref().map_or(log.next_seq, |_| mark.seq)),
            first_bodies: first[0]
                .map(|stream, one| [*one, *first[1].of(stream)].into_iter().flatten().min()),
            clean,
            secret: log.gather.secret || log.chores.secret,
            waiters: log.gather.take(load.records, load.bytes),
        };
        // Nobody waits for chores.
        let _ = log.chores.take(load.chores, load.chore_bytes);
        let answered = flight.waiters.len();
        log.flight = Some(flight);
        log.unbarriered = 0;
        self.life.mark_wanted = false;
        answered
    }

    /// Whether the next group needs another segment, and what is left is not for what has gathered. Returns the bytes
    /// that are to find room.
    pub(crate) fn is_head_spent(&self) -> Option<usize> {
        let reserved = self.group_overhead(false);
        let fits = |head: MetaHead| {
            let room = self.layout.segment_bytes.saturating_sub(head.offset) as usize;
            room.checked_sub(reserved).is_some_and(|room| self.log.gather.fitting(room).0 > 0)
        };
        let waits = self.log.gather.records > 0 && !self.log.meta.is_some_and(fits);
        let first = Records::new(&self.log.gather.bytes).next().map_or(0, |record| record.span);
        (waits && self.available() <= self.kept(Class::Care)).then_some(reserved + first)
    }

    /// Finds room for the next group: the head, and what of the waiting records fits. Opens a segment when nothing
    /// fits into the present one; fails what waits when there is none.
    fn place_group(&mut self, clean: bool) -> Option<(MetaHead, Load)> {
        let reserved = self.group_overhead(clean);
        let space = |head: MetaHead| self.layout.segment_bytes.saturating_sub(head.offset) as usize;
        let gathered = self.log.gather.records > 0 && !self.is_checkpoint_alone();
        let waiting = gathered || (self.log.chores.records > 0 && !clean);
        let fit = |head: MetaHead| {
            let load = self.load(space(head).checked_sub(reserved)?, clean);
            (load.records + load.chores > 0 || !waiting).then_some((head, load))
        };
        if let Some(found) = self.log.meta.and_then(fit) {
            return Some(found);
        }
        let Some(head) = self.open_meta() else {
            self.fail_gathered(Refusal::StoreFull);
            self.state.forget_pending_keywords();
            self.abandon_chores();
            self.checkpoints.wanted = false;
            return None;
        };
        let room = (self.layout.segment_bytes - head.offset) as usize;
        Some((head, self.load(room.saturating_sub(reserved), clean)))
    }

    /// What fits into `room` bytes: first what someone asked for, unless that has to wait for a checkpoint; then chores.
    fn load(&self, room: usize, clean: bool) -> Load {
        let alone = self.is_checkpoint_alone();
        let (records, bytes) = if alone { (0, 0) } else { self.log.gather.fitting(room) };
        let all = (alone || records == self.log.gather.records) && !clean;
        let (chores, chore_bytes) = if all { self.log.chores.fitting(room - bytes) } else { (0, 0) };
        Load { records, bytes, chores, chore_bytes }
    }

    /// Bytes that a group needs beside its records, at most.
    fn group_overhead(&self, clean: bool) -> usize {
        /// All numbers of a group record at their longest.
        const GROUP_NUMBERS: usize = 112;
        let touched = self.log.gather.touched().map_or(0, |touched| touched.len() * 5);
        let clean = if clean { 3 * FRAME_BYTES } else { 0 };
        frame::align(FRAME_BYTES + GROUP_NUMBERS + touched) + clean
    }

    /// Builds the group in `bytes`: its own record, then the first `count` records that gather, then padding. Returns
    /// where the records stand.
    fn write_group(
        &mut self,
        bytes: &mut Vec<u8>,
        head: MetaHead,
        load: &Load,
        clean: bool,
    ) -> core::ops::Range<usize> {
        let clean_record = clean.then(|| self.clean_record());
        let clean_bytes = clean_record.as_ref().map_or(0, Vec::len);
        let group = Group {
            number: self.log.next_group,
            life: self.life.anchor.life,
            time: self.now.0,
            meta: self.log.durable_meta,
            bodies: self.log.durable_bodies,
            root: self.checkpoints.root(),
            records: load.records + load.chores + u32::from(clean),
            bytes: (load.bytes + load.chore_bytes + clean_bytes) as u32,
            programmed: self.log.programmed_before + self.outbox.programmed(),
            mail: self.log.mail,
            touched: self.log.gather.touched().map(Cow::Borrowed),
        };
        let start = frame::open(bytes);
        // Encoding into memory cannot fail for these types; if it did, the record would not verify and not count.
        let _ = code::put(bytes, &group);
        frame::close(bytes, start, kind::GROUP);
        self.log.next_group += 1;
        let first = bytes.len();
        bytes.extend_from_slice(self.log.gather.bytes.get(..load.bytes).unwrap_or_default());
        bytes.extend_from_slice(self.log.chores.bytes.get(..load.chore_bytes).unwrap_or_default());
        bytes.extend_from_slice(clean_record.as_deref().unwrap_or_default());
        let end = bytes.len();
        self.seal_records(bytes, head);
        bytes.resize(self.layout.round_up(bytes.len() as u32) as usize, 0);
        first..end
    }

    /// Sets the CRCs of the records in `bytes`, now that it is known where they stand.
    fn seal_records(&self, bytes: &mut [u8], head: MetaHead) {
        let seed = self.layout.seed(head.seq);
        let mut at = 0;
        while let Some((len, span)) = Records::new(bytes.get(at..).unwrap_or_default())
            .next()
            .map(|record| (FRAME_BYTES + record.payload.len(), record.span))
        {
            frame::seal(seed, head.offset + at as u32, bytes.get_mut(at..at + len).unwrap_or_default());
            at += span;
        }
    }

    fn clean_record(&self) -> Vec<u8> {
        let bodies = self.log.bodies.map(|_, body| body.as_ref().map(BodyHead::programmed));
        let mut bytes = Vec::new();
        let start = frame::open(&mut bytes);
        // As for the group record.
        let _ = code::put(&mut bytes, &Clean { life: self.life.anchor.life, bodies });
        frame::close(&mut bytes, start, kind::CLEAN);
        bytes
    }
}
