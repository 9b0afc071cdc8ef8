//! Applying records that bring, copy, move, flag and remove messages.

use alloc::vec::Vec;

use mail::{Flags, Modseq, OUTBOUND, Receipt, Refusal, Uid, UidSet, UidValidity, UnixTime};

use super::apply::Applied;
use super::entries::Entry;
use super::letters::{Body, Letter, body_bytes, meta_bytes};
use super::removal::{Bin, Listed};
use super::{NOBODY, State, keep, leave, let_go, release};
use crate::format::code::{Items, take};
use crate::format::frame::{self, FRAME_BYTES};
use crate::format::records::{
    CommitView, Delivery, Depart, Expunge, Extent, Flagging, MovedView, Recent, Restore, Restored, Transfer,
    uid_ranges,
};
use crate::format::{Mark, Place};
use crate::segments::Segments;

impl State {
    pub(super) fn apply_commit(&mut self, segments: &mut Segments, payload: &[u8], place: Place) -> Applied {
        let view = CommitView::parse(payload).ok_or(Refusal::NotDurable)?;
        let commit = &view.commit;
        let modseq = self.saw_modseq(commit.modseq);
        self.next.letter = self.next.letter.max(commit.letter.saturating_add(1));
        let letter = letter_of(segments, &view, place, payload.len());
        let slot = self.letters.insert(&letter);
        keep(segments, &letter);
        let mut first = None;
        for delivery in view.deliveries() {
            if let Some(uid_validity) = self.deliver(&delivery, slot, commit.size, modseq) {
                first.get_or_insert((uid_validity, Uid(delivery.uid)));
            }
        }
        let Some((uid_validity, uid)) = first else {
            release(&mut self.letters, segments, slot);
            return Err(Refusal::NoSuchMailbox);
        };
        self.depart(segments, view.settles(), modseq);
        Ok(Receipt { uid_validity, source: UidSet::new(), destination: UidSet::range(uid, uid) })
    }

    pub(super) fn apply_depart(&mut self, segments: &mut Segments, mut payload: &[u8]) -> Applied {
        let record: Depart = take(&mut payload).ok_or(Refusal::NotDurable)?;
        let modseq = self.saw_modseq(record.modseq);
        self.depart(segments, payload, modseq);
        Ok(Receipt::default())
    }

    /// Messages of the outbound queue are done with. They are no deletions: nobody brings them back.
    fn depart(&mut self, segments: &mut Segments, ranges: &[u8], modseq: Modseq) {
        let Some(queue) = self.mailboxes.get_mut(&OUTBOUND.0) else { return };
        let (letters, count) = (&mut self.letters, queue.entries.len());
        for (first, last) in uid_ranges(ranges) {
            queue.remove(first, last, |entry| release(letters, segments, entry.letter));
        }
        if queue.entries.len() == count {
            return;
        }
        self.messages -= u64::from(count - queue.entries.len());
        queue.entries.tidy();
        leave(segments, queue.entries.take_left());
        queue.touch_removed(modseq);
        self.note(OUTBOUND.0);
    }

    /// A letter stands elsewhere from now on. If it is gone meanwhile, so is what was moved.
    pub(super) fn apply_moved(&mut self, segments: &mut Segments, payload: &[u8]) -> Applied {
        for view in MovedView::parse_all(payload).ok_or(Refusal::NotDurable)? {
            self.move_letter(segments, &view);
        }
        Ok(Receipt::default())
    }

    fn move_letter(&mut self, segments: &mut Segments, view: &MovedView<'_>) {
        let place_of = |at: Mark| segments.find(at.seq).map(|segment| Place { segment, offset: at.offset });
        let damaged = self.rescue.as_ref().is_some_and(|rescue| rescue.damaged);
        let found = place_of(view.moved.from)
            .and_then(|from| self.letters.slot_of(view.moved.slot, from, damaged))
            .and_then(|slot| Some((slot, self.letters.get(slot)?)));
        let (Some(place), Some((slot, old))) = (place_of(view.moved.to), found) else { return };
        let body = body_of(segments, view.extents(), old.size);
        let new = Letter { place, meta_bytes: meta_bytes(view.moved.span), body, ..old.clone() };
        keep(segments, &new);
        let_go(segments, &old);
        self.letters.replace(slot, &new);
    }

    pub(super) fn apply_restore(&mut self, segments: &mut Segments, mut payload: &[u8]) -> Applied {
        let record: Restore = take(&mut payload).ok_or(Refusal::NotDurable)?;
        let modseq = self.saw_modseq(record.modseq);
        let letters = Items::<Restored>::new(payload).ok_or(Refusal::NotDurable)?;
        let numbers = letters.skip_all().ok_or(Refusal::NotDurable)?;
        let to = self.mailboxes.get(&record.mailbox).ok_or(Refusal::NoSuchMailbox)?;
        let (account, is_done) = (to.account, record.first_uid < to.uid_next);
        let mut taken = self.undelete(segments, account, numbers);
        let (mut listed, mut end) = (Listed::of(account), record.first_uid);
        // What has its UID is listed already: the record answered damage and took effect at the mount.
        for letter in letters.into_iter().filter(|_| !is_done) {
            end = end.saturating_add(1);
            // The outbound queue has a letter once for each recipient.
            if self.stands(segments, &letter)
                && (account == NOBODY || !listed.has(self, letter.slot))
                && self.letters.refer(letter.slot)
            {
                taken.push((Uid(0), letter.slot, Flags(letter.flags)));
            }
        }
        let (to, first_uid) = (record.mailbox, record.first_uid);
        let transfer = Transfer { from: to, to, first_uid, modseq: record.modseq, time: 0 };
        let arrived = self.arrive(segments, &transfer, &taken, modseq);
        // These UIDs may have been seen, whatever has them now.
        if let Some(to) = self.mailboxes.get_mut(&to).filter(|_| end > first_uid) {
            to.uid_next = to.uid_next.max(end);
            to.uid_pending = to.uid_pending.max(end);
        }
        arrived
    }

    /// Whether a letter is where a record says.
    pub(super) fn stands(&self, segments: &Segments, letter: &Restored) -> bool {
        let place =
            segments.find(letter.from.seq).map(|segment| Place { segment, offset: letter.from.offset });
        self.letters.get(letter.slot).is_some_and(|found| Some(found.place) == place)
    }

    fn deliver(&mut self, to: &Delivery, letter: u32, size: u64, modseq: Modseq) -> Option<UidValidity> {
        if self.rescue.is_some() {
            self.rescue_mailbox(to.account, to.mailbox);
        }
        let mailbox = self.mailboxes.get_mut(&to.mailbox)?;
        let entry = Entry { uid: Uid(to.uid), letter, flags: Flags(to.flags), modseq };
        // Only a log with a gap can say a UID twice.
        if !mailbox.add(entry, size) {
            return None;
        }
        self.letters.refer(letter);
        let (account, uid_validity) = (mailbox.account, mailbox.uid_validity);
        self.messages += 1;
        self.use_bytes(account, size, 0);
        self.note(to.mailbox);
        Some(uid_validity)
    }

    pub(super) fn apply_copy(&mut self, segments: &mut Segments, mut payload: &[u8]) -> Applied {
        let record: Transfer = take(&mut payload).ok_or(Refusal::NotDurable)?;
        let modseq = self.saw_modseq(record.modseq);
        self.rescue_destination(&record);
        if !self.mailboxes.contains_key(&record.to) {
            return Err(Refusal::NoSuchMailbox);
        }
        let taken = self.select(&record, payload);
        let counted = taken.iter().take_while(|(_, letter, _)| self.letters.refer(*letter)).count();
        if counted < taken.len() {
            // A letter is referred to so often that one more cannot be counted: the copy fails as a whole.
            for (_, letter, _) in taken.iter().take(counted) {
                release(&mut self.letters, segments, *letter);
            }
            return Err(Refusal::Limit);
        }
        self.arrive(segments, &record, &taken, modseq)
    }

    pub(super) fn apply_move(&mut self, segments: &mut Segments, mut payload: &[u8]) -> Applied {
        let record: Transfer = take(&mut payload).ok_or(Refusal::NotDurable)?;
        let modseq = self.saw_modseq(record.modseq);
        self.rescue_destination(&record);
        if !self.mailboxes.contains_key(&record.to) {
            return Err(Refusal::NoSuchMailbox);
        }
        let taken = self.select(&record, payload);
        if let Some(from) = self.mailboxes.get_mut(&record.from) {
            let (account, letters) = (from.account, &self.letters);
            let (before, count) = (from.bytes, from.entries.len());
            for (first, last) in uid_ranges(payload) {
                from.remove(first, last, |entry| letters.size(entry.letter));
            }
            from.entries.tidy();
            leave(segments, from.entries.take_left());
            from.touch_removed(modseq);
            let moved = before - from.bytes;
            self.messages -= u64::from(count - from.entries.len());
            self.use_bytes(account, 0, moved);
        }
        self.note(record.from);
        self.arrive(segments, &record, &taken, modseq)
    }

    /// Where the destination's own records were lost, the letters are not.
    fn rescue_destination(&mut self, record: &Transfer) {
        if self.rescue.is_some()
            && let Some(account) = self.mailboxes.get(&record.from).map(|from| from.account)
        {
            self.rescue_mailbox(account, record.to);
        }
    }

    /// The messages that a transfer means, as (UID, letter, flags). Keywords do not leave their account.
    fn select(&self, record: &Transfer, ranges: &[u8]) -> Vec<(Uid, u32, Flags)> {
        let Some(from) = self.mailboxes.get(&record.from) else { return Vec::new() };
        let same = self.mailboxes.get(&record.to).is_some_and(|to| to.account == from.account);
        let kept = if same { Flags(u64::MAX) } else { Flags::SYSTEM };
        let mut taken = Vec::new();
        for (first, last) in uid_ranges(ranges) {
            let entries = from.entries.range(first, last);
            taken.extend(entries.map(|entry| (entry.uid, entry.letter, Flags(entry.flags.0 & kept.0))));
        }
        taken
    }

    /// Adds transferred messages, whose letters are already referred to, to their destination.
    fn arrive(
        &mut self,
        segments: &mut Segments,
        record: &Transfer,
        taken: &[(Uid, u32, Flags)],
        modseq: Modseq,
    ) -> Applied {
        let to = self.mailboxes.get_mut(&record.to).ok_or(Refusal::NoSuchMailbox)?;
        let mut receipt = Receipt { uid_validity: to.uid_validity, ..Receipt::default() };
        let (before, count) = (to.bytes, to.entries.len());
        let mut next = record.first_uid;
        for (source, letter, flags) in taken {
            let uid = Uid(next);
            let size = self.letters.size(*letter);
            if to.add(Entry { uid, letter: *letter, flags: *flags, modseq }, size) {
                receipt.source.push(*source);
                receipt.destination.push(uid);
            } else {
                release(&mut self.letters, segments, *letter);
            }
            next = next.saturating_add(1);
        }
        let (account, more) = (to.account, to.bytes - before);
        self.messages += u64::from(to.entries.len() - count);
        self.use_bytes(account, more, 0);
        self.note(record.to);
        Ok(receipt)
    }

    pub(super) fn apply_flags(&mut self, mut payload: &[u8]) -> Applied {
        let record: Flagging = take(&mut payload).ok_or(Refusal::NotDurable)?;
        let modseq = self.saw_modseq(record.modseq);
        let mailbox = self.mailboxes.get_mut(&record.mailbox).ok_or(Refusal::NoSuchMailbox)?;
        let mut changed = 0;
        for range in uid_ranges(payload) {
            changed += mailbox.set_flags(range, Flags(record.add), Flags(record.remove), modseq);
        }
        if changed > 0 {
            self.note(record.mailbox);
        }
        Ok(Receipt::default())
    }

    pub(super) fn apply_expunge(&mut self, segments: &mut Segments, mut payload: &[u8]) -> Applied {
        let record: Expunge = take(&mut payload).ok_or(Refusal::NotDurable)?;
        let modseq = self.saw_modseq(record.modseq);
        let mailbox = self.mailboxes.get_mut(&record.mailbox).ok_or(Refusal::NoSuchMailbox)?;
        let (account, before, count) = (mailbox.account, mailbox.bytes, mailbox.entries.len());
        let mut bin = Bin::new((record.first, record.time), &mut self.letters, &mut self.deletions);
        for (first, last) in uid_ranges(payload) {
            mailbox.remove(first, last, |entry| bin.put(segments, (account, record.mailbox), &entry));
        }
        self.next.deletion = self.next.deletion.max(self.deletions.end());
        mailbox.entries.tidy();
        leave(segments, mailbox.entries.take_left());
        mailbox.touch_removed(modseq);
        let less = before - mailbox.bytes;
        self.messages -= u64::from(count - mailbox.entries.len());
        self.use_bytes(account, 0, less);
        self.note(record.mailbox);
        Ok(Receipt::default())
    }

    pub(super) fn apply_recent(&mut self, mut payload: &[u8]) -> Applied {
        let record: Recent = take(&mut payload).ok_or(Refusal::NotDurable)?;
        if let Some(mailbox) = self.mailboxes.get_mut(&record.mailbox) {
            mailbox.recent_from = mailbox.recent_from.max(record.uid);
        }
        Ok(Receipt::default())
    }
}

/// What the index keeps of a commit whose record of `len` bytes stands at `place`.
fn letter_of(segments: &Segments, view: &CommitView<'_>, place: Place, len: usize) -> Letter {
    let commit = &view.commit;
    let size = u32::try_from(commit.size).unwrap_or(u32::MAX);
    Letter {
        place,
        meta_bytes: meta_bytes(frame::align(FRAME_BYTES + len) as u32),
        size,
        body: body_of(segments, view.extents(), size),
        received: UnixTime(commit.received),
        zone_minutes: commit.zone,
    }
}

/// The segments that hold a body. Those that are no more are left out: at a replay, what comes later in the log has
/// moved the letter out of them, or removed it.
pub(super) fn body_of(segments: &Segments, extents: impl Iterator<Item = Extent>, size: u32) -> Body {
    let mut parts: Vec<(u32, u32)> = Vec::new();
    for extent in extents {
        let Some(segment) = segments.find(extent.seq) else { continue };
        match parts.iter_mut().find(|part| part.0 == segment) {
            Some(part) => part.1 = part.1.saturating_add(extent.span()),
            None => parts.push((segment, extent.span())),
        }
    }
    match *parts.as_slice() {
        [] => Body::None,
        [(segment, bytes)] => Body::One(segment, body_bytes(size, bytes)),
        _ => Body::Many(parts.into()),
    }
}
