//! Letters coming in: from [`mail::Draft`] to one commit record, with quota and room reserved on the way.

use alloc::vec;
use alloc::vec::Vec;

use flash::FlashQueue;
use mail::limits::{RECIPIENTS_MAX, SUMMARY_BYTES_MAX};
use mail::{Address, Draft, Flags, Letter, MailboxId, Notify, OUTBOUND, Outside, Refusal, Stop, Ticket};

use crate::Store;
use crate::drafts::{DraftState, Recipient};
use crate::format::code::Bytes;
use crate::format::frame::{FRAME_BYTES, kind};
use crate::format::header::Stream;
use crate::format::records::{Commit, Delivery, put_commit, put_tail};
use crate::index::{NOBODY, State};
use crate::limits::EXTENTS_MAX;
use crate::log::Class;
use crate::posting::{first_flags, posting_bytes, posting_put};

/// What a letter of unknown size is taken to need of the flash, for the first look.
const UNKNOWN_BYTES: u64 = 64 << 10;

/// What is reserved of a quota at a time for a letter that is larger than announced.
const RESERVE_STEP: u64 = 64 << 10;

impl<Q: FlashQueue> Store<Q> {
    pub(crate) fn begin_draft(&mut self, size: Option<u64>) -> Result<Draft, Refusal> {
        self.refuse_changes()?;
        if size.is_some_and(|size| size > self.message_bytes_max) {
            return Err(Refusal::TooLarge);
        }
        self.sweep();
        self.room_in_index(1)?;
        let needed = self.drafts.promised() + size.unwrap_or(UNKNOWN_BYTES);
        if needed > self.bytes_for_mail(false) && needed > self.bytes_for_mail(true) {
            return Err(Refusal::StoreFull);
        }
        let (id, pin) = self.drafts.add(size).ok_or(Refusal::TooBusy)?;
        Ok(Draft::new(id, pin))
    }

    /// Bytes that letters can still be given, about: in free segments, and with `all` in what can be made free.
    pub(crate) fn bytes_for_mail(&self, all: bool) -> u64 {
        let head = self.log.bodies.fresh.as_ref().map_or(0, |body| body.room(&self.layout)) as u64;
        let segments =
            u64::from(self.segments.free()) + if all { self.dead_soon().count() as u64 } else { 0 };
        let free = segments * u64::from(self.layout.segment_bytes);
        let kept = u64::from(self.reserve()) * u64::from(self.layout.segment_bytes);
        head + (free + if all { self.reclaimable() + self.forgettable() } else { 0 }).saturating_sub(kept)
    }

    /// Ends the letters whose owners have dropped them: what they have on flash is dead space.
    pub(crate) fn sweep(&mut self) {
        while let Some(state) = self.drafts.take_dropped(false) {
            self.end_reservation(&state);
        }
    }

    /// Ends all letters on their way in.
    pub(crate) fn drop_drafts(&mut self) {
        while let Some(state) = self.drafts.take_dropped(true) {
            self.end_reservation(&state);
        }
    }

    fn end_reservation(&mut self, state: &DraftState) {
        for recipient in &state.recipients {
            self.state.unreserve(recipient.account, state.reserved);
        }
    }

    // ---- Recipients --------------------------------------------------------------------------------------------

    pub(crate) fn add_address(
        &mut self,
        draft: &Draft,
        to: &mail::Recipient,
        outside: Outside,
    ) -> Result<(), Refusal> {
        self.sweep();
        let index = self.drafts.find(draft.id()).ok_or(Refusal::NotDurable)?;
        let reached = match self.state.directory.resolve(&to.address) {
            Err(Refusal::NotLocal) if outside == Outside::Anywhere => {
                return self.add_outside(index, vec![to.clone()], false);
            }
            reached => reached?,
        };
        let sends = outside != Outside::Nothing;
        if !sends && !reached.outside.is_empty() {
            return Err(Refusal::ForwardsOutside);
        }
        let inboxes = reached.accounts.iter().filter_map(|account| {
            let mailbox = self.state.accounts.get(account)?.inbox()?;
            Some(Recipient { account: *account, mailbox, flags: 0 })
        });
        let new: Vec<Recipient> = inboxes.filter(|new| !self.has_recipient(index, new.mailbox)).collect();
        let before = self.drafts.get(index).map_or(0, |state| state.recipients.len());
        self.add_recipients(index, &new)?;
        let report = sends && !reached.accounts.is_empty() && to.notify.contains(Notify::SUCCESS);
        let reported = if report { vec![to.clone()] } else { Vec::new() };
        let queued = self.drafts.get(index).map_or(0, |state| state.posting.recipients.len());
        let added = self.add_outside(index, forwarded(to, &reached.outside), false);
        let added = added.and_then(|()| self.add_outside(index, reported, true));
        if added.is_err() {
            self.drop_recipients(index, before, queued);
        }
        added
    }

    /// Takes back the recipients behind the first so many here, and the first so many outside.
    fn drop_recipients(&mut self, index: usize, before: usize, queued: usize) {
        let Some(state) = self.drafts.get_mut(index) else { return };
        state.posting.recipients.truncate(queued);
        let reserved = state.reserved;
        for recipient in state.recipients.drain(before..) {
            self.state.unreserve(recipient.account, reserved);
        }
    }

    pub(crate) fn add_box(&mut self, draft: &Draft, mailbox: MailboxId, flags: Flags) -> Result<(), Refusal> {
        self.sweep();
        let index = self.drafts.find(draft.id()).ok_or(Refusal::NotDurable)?;
        let account = self.state.mailboxes.get(&mailbox.0).ok_or(Refusal::NoSuchMailbox)?.account;
        if self.has_recipient(index, mailbox.0) {
            return Ok(());
        }
        self.add_recipients(index, &[Recipient { account, mailbox: mailbox.0, flags: flags.0 }])
    }

    fn has_recipient(&self, index: usize, mailbox: u32) -> bool {
        let state = self.drafts.get(index);
        state.is_some_and(|state| state.recipients.iter().any(|known| known.mailbox == mailbox))
    }

    /// Adds all of them or none.
    fn add_recipients(&mut self, index: usize, new: &[Recipient]) -> Result<(), Refusal> {
        let state = self.drafts.get_mut(index).ok_or(Refusal::NotDurable)?;
        if state.recipients.len() + state.posting.recipients.len() + new.len() > RECIPIENTS_MAX {
            return Err(Refusal::TooManyRecipients);
        }
        reserve(&mut self.state, new, state.reserved, state.reserved)?;
        state.recipients.extend_from_slice(new);
        Ok(())
    }

    // ---- Bytes -------------------------------------------------------------------------------------------------

    pub(crate) fn append_bytes(&mut self, draft: &Draft, bytes: &[u8]) -> Result<usize, Stop> {
        self.refuse_changes()?;
        let index = self.drafts.find(draft.id()).ok_or(Refusal::NotDurable)?;
        self.check_growth(index, bytes.len() as u64)?;
        self.drafts.touch(index);
        let mut taken = 0;
        let mut stop = None;
        if let Some(state) = self.drafts.get_mut(index)
            && state.reads_head()
        {
            taken = state.take_head(bytes);
        }
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            match self.buffer(index, rest) {
                Ok(count) => taken += count,
                Err(error) => {
                    stop = Some(error);
                    break;
                }
            }
        }
        if let Some(state) = self.drafts.get_mut(index) {
            let done = bytes.get(..taken).unwrap_or_default();
            state.crc = crc32c::crc32c_append(state.crc, done);
            state.size += taken as u64;
        }
        match stop {
            // What was taken counts; a refusal comes again with the next call.
            Some(stop) if taken == 0 => Err(stop),
            _ => Ok(taken),
        }
    }

    /// Whether a letter may grow by `more` bytes; reserves them.
    fn check_growth(&mut self, index: usize, more: u64) -> Result<(), Refusal> {
        let state = self.drafts.get_mut(index).ok_or(Refusal::NotDurable)?;
        if state.lost {
            return Err(Refusal::NotDurable);
        }
        let size = state.size + more;
        if size > self.message_bytes_max {
            return Err(Refusal::TooLarge);
        }
        if size <= state.reserved {
            return Ok(());
        }
        // In steps, so that a letter that came without a size does not go through its recipients at every append.
        let step = size.next_multiple_of(RESERVE_STEP);
        let mut reserved = Ok(());
        for wanted in [step, size] {
            reserved = reserve(&mut self.state, &state.recipients, wanted - state.reserved, wanted);
            if reserved.is_ok() {
                state.reserved = wanted;
                break;
            }
        }
        reserved
    }

    /// Takes bytes of a body into the letter's buffer, making room by writing it, or another's.
    fn buffer(&mut self, index: usize, bytes: &[u8]) -> Result<usize, Stop> {
        let max = self.layout.extent_bytes_max();
        if self.drafts.room(index) == 0 {
            let held = self.drafts.get(index).map_or(0, |state| state.buffer.len());
            if held >= max {
                self.write_buffer(index)?;
            } else if !self.drafts.grow(index, bytes.len(), max) {
                let victim = self.drafts.victim().ok_or(Stop::Busy)?;
                self.write_buffer(victim)?;
                self.drafts.release(victim);
                return Ok(0);
            }
        }
        let count = self.drafts.room(index).min(bytes.len());
        if let Some(state) = self.drafts.get_mut(index) {
            state.buffer.extend_from_slice(bytes.get(..count).unwrap_or_default());
        }
        Ok(count)
    }

    /// Appends the whole buffer of a letter to the body log. What was written before an error stays written.
    fn write_buffer(&mut self, index: usize) -> Result<(), Stop> {
        loop {
            let Some(state) = self.drafts.get_mut(index) else { return Ok(()) };
            if state.buffer.is_empty() {
                return Ok(());
            }
            if state.extents.len() >= EXTENTS_MAX {
                return Err(Refusal::TooBusy.into());
            }
            let buffer = core::mem::take(&mut state.buffer);
            let result = self.append_bytes_of(&buffer);
            let Some(state) = self.drafts.get_mut(index) else { return Ok(()) };
            state.buffer = buffer;
            let extent = result?;
            state.buffer.drain(..extent.original as usize);
            state.extents.push(extent);
        }
    }

    // ---- The commit --------------------------------------------------------------------------------------------

    pub(crate) fn commit(&mut self, draft: &Draft, letter: &Letter<'_>) -> Result<Ticket, Stop> {
        self.refuse_changes()?;
        let index = self.drafts.find(draft.id()).ok_or(Refusal::NotDurable)?;
        if letter.summary.len() > SUMMARY_BYTES_MAX {
            return Err(Refusal::Limit.into());
        }
        self.settle_recipients(index)?;
        self.room_in_index(self.drafts.get(index).map_or(1, DraftState::messages))?;
        self.write_buffer(index)?;
        let state = self.drafts.get(index).ok_or(Refusal::NotDurable)?;
        let estimate = commit_bytes(state, letter);
        self.room_for(Class::Mail, estimate)?;
        let ticket = self.record_commit(index, letter)?;
        self.drafts.finish(index);
        Ok(ticket)
    }

    /// Drops recipients whose mailboxes are gone and brings what is reserved to the size that the letter has.
    fn settle_recipients(&mut self, index: usize) -> Result<(), Refusal> {
        let state = self.drafts.get_mut(index).ok_or(Refusal::NotDurable)?;
        if state.lost {
            return Err(Refusal::NotDurable);
        }
        let mailboxes = &self.state.mailboxes;
        let (reserved, mut gone) = (state.reserved, Vec::new());
        state.recipients.retain(|recipient| {
            let stays = mailboxes.contains_key(&recipient.mailbox);
            if !stays {
                gone.push(recipient.account);
            }
            stays
        });
        gone.iter().for_each(|account| self.state.unreserve(*account, reserved));
        if state.messages() == 0 {
            return Err(Refusal::NoSuchMailbox);
        }
        for recipient in &state.recipients {
            self.state.unreserve(recipient.account, reserved - state.size.min(reserved));
        }
        state.reserved = state.size.min(reserved);
        state.announced = Some(state.size);
        Ok(())
    }

    fn record_commit(&mut self, index: usize, letter: &Letter<'_>) -> Result<Ticket, Stop> {
        let state = self.drafts.get(index).ok_or(Refusal::NotDurable)?;
        let commit = Commit {
            letter: self.state.take_letter(),
            modseq: self.state.take_modseq(),
            received: letter.received.0,
            zone: letter.zone_minutes,
            size: state.size,
            crc: state.crc,
            head: Bytes(&state.head),
            summary: Bytes(letter.summary),
        };
        let queued = (0..state.posting.recipients.len()).map(|place| Recipient {
            account: NOBODY,
            mailbox: OUTBOUND.0,
            flags: first_flags(place, &state.reports),
        });
        let mailboxes = &mut self.state.mailboxes;
        let deliveries: Vec<Delivery> = state
            .recipients
            .iter()
            .copied()
            .chain(queued)
            .map(|recipient| Delivery {
                account: recipient.account,
                mailbox: recipient.mailbox,
                // The greatest UID there is stands for "no more UIDs"; such a delivery has no effect.
                uid: mailboxes
                    .get_mut(&recipient.mailbox)
                    .and_then(|mailbox| mailbox.take_uids(1))
                    .unwrap_or(u32::MAX),
                flags: recipient.flags,
            })
            .collect();
        let posting = (!state.posting.recipients.is_empty()).then(|| posting_put(&state.posting));
        let gather = &mut self.log.gather;
        let encode = |out: &mut Vec<u8>| {
            put_commit(out, &commit, deliveries.iter().copied(), &state.extents)?;
            put_tail(out, posting, &state.settles)
        };
        let ordinal = gather.record(kind::COMMIT, encode).map_err(|_| Refusal::Limit)?;
        deliveries.iter().for_each(|delivery| gather.touch(delivery.mailbox));
        if let Some(first) = state.extents.first() {
            gather.name_body(Stream::Fresh, first.seq);
        }
        Ok(gather.wait(ordinal, None))
    }
}

/// Length of a letter's commit record at most.
fn commit_bytes(state: &DraftState, letter: &Letter<'_>) -> usize {
    /// Numbers of a commit, of a delivery, of an extent, at their longest.
    const COMMIT: usize = FRAME_BYTES + 64;
    const DELIVERY: usize = 25;
    const EXTENT: usize = 20;
    /// Of a run of UIDs.
    const RANGE: usize = 10;
    let lists = DELIVERY * state.messages() as usize + EXTENT * state.extents.len();
    let tail =
        posting_bytes(&state.posting.envelope, &state.posting.recipients) + RANGE * state.settles.run_count();
    COMMIT + state.head.len() + letter.summary.len() + lists + tail
}

/// The addresses outside to which an alias leads, for what the sender asked of it.
fn forwarded(to: &mail::Recipient, outside: &[alloc::boxed::Box<str>]) -> Vec<mail::Recipient> {
    // RFC 3461 §5.2.7.3: what reports name is the address that the sender gave.
    let original = match to.original.as_str() {
        "" if to.address.as_str().is_ascii() => alloc::format!("rfc822;{}", to.address),
        // RFC 6533 §3.
        "" => alloc::format!("utf-8;{}", to.address),
        original => original.into(),
    };
    let one = |address: &alloc::boxed::Box<str>| {
        let address = Address::parse(address).ok()?;
        Some(mail::Recipient { address, notify: to.notify, original: original.clone() })
    };
    outside.iter().filter_map(one).collect()
}

/// Reserves `bytes` more for each recipient of a letter that has `size` with them, all or none.
fn reserve(state: &mut State, recipients: &[Recipient], bytes: u64, size: u64) -> Result<(), Refusal> {
    for (done, recipient) in recipients.iter().enumerate() {
        let account = state.accounts.get_mut(&recipient.account);
        let could = account.as_ref().is_none_or(|account| account.could_hold(size));
        if let Some(account) = account.filter(|account| account.has_room(bytes)) {
            account.reserved += bytes;
            continue;
        }
        for undo in recipients.iter().take(done) {
            state.unreserve(undo.account, bytes);
        }
        return Err(if could { Refusal::OverQuota } else { Refusal::LargerThanQuota });
    }
    Ok(())
}
