//! The outbound queue: letters for other servers, kept as messages of a mailbox of nobody's, one for each recipient.
//!
//! So all that holds for messages holds for them: one commit names mailboxes and queue alike, bodies are shared, a change of
//! their flags is durable like any other, compaction moves them. What is the queue's own is here: the envelope, which
//! stands in the letter's commit and takes no memory, and departing, which leaves no deletion behind.

use alloc::vec::Vec;

use flash::FlashQueue;
use mail::limits::RECIPIENTS_MAX;
use mail::{
    AccountId, Address, BodyKind, Draft, Envelope, Notify, OUTBOUND, Outbound, Posting, Recipient, Refusal,
    Returns, Stop, Ticket, Uid, UidSet, UnixTime, Unready,
};

use crate::Store;
use crate::changes::Change;
use crate::format::code::put;
use crate::format::frame::{FRAME_BYTES, kind};
use crate::format::records::{Depart, PostingPut, RecipientPut, put_uids};
use crate::limits::{POSTING_BYTES_MAX, QUEUE_MAX, QUEUE_REPORTS_MAX, RANGES_MAX};
use crate::log::Class;

/// Length of a departure without its UIDs at most.
const RECORD_NUMBERS: usize = FRAME_BYTES + 64;

/// Bytes of a run of UIDs at most.
const RANGE_BYTES: usize = 10;

/// Bits of [`PostingPut::marks`].
mod mark {
    pub(super) const EIGHT_BIT: u8 = 1;
    pub(super) const BINARY: u8 = 2;
    pub(super) const UTF8: u8 = 4;
    pub(super) const REQUIRES_TLS: u8 = 8;
    pub(super) const RETURNS_FULL: u8 = 16;
    pub(super) const RETURNS_HEADERS: u8 = 32;
}

impl<Q: FlashQueue> Store<Q> {
    pub(crate) fn put_envelope(&mut self, draft: &Draft, envelope: Envelope) -> Result<(), Refusal> {
        let index = self.drafts.find(draft.id()).ok_or(Refusal::NotDurable)?;
        let state = self.drafts.get_mut(index).ok_or(Refusal::NotDurable)?;
        if posting_bytes(&envelope, &state.posting.recipients) > POSTING_BYTES_MAX {
            return Err(Refusal::Limit);
        }
        state.posting.envelope = envelope;
        Ok(())
    }

    /// Adds recipients outside to a letter: all of them or none. One that is there already is passed over.
    pub(crate) fn add_outside(
        &mut self,
        index: usize,
        new: Vec<Recipient>,
        report_only: bool,
    ) -> Result<(), Refusal> {
        let waiting = self.state.mailboxes.get(&OUTBOUND.0).map_or(0, |queue| queue.entries.len() as u64);
        let on_their_way = self.drafts.queued();
        let state = self.drafts.get_mut(index).ok_or(Refusal::NotDurable)?;
        let reports = state.posting.envelope.sender.is_none() && state.posting.envelope.submitter.is_none();
        let queue_max = QUEUE_MAX + if reports { QUEUE_REPORTS_MAX } else { 0 };
        if !new.is_empty() && waiting + on_their_way + new.len() as u64 > queue_max {
            return Err(Refusal::QueueFull);
        }
        let known = state.posting.recipients.len();
        for recipient in new {
            let same = |other: &Recipient| other.address.same_as(&recipient.address);
            if state.posting.recipients.iter().any(same) {
                continue;
            }
            if report_only {
                state.reports.push(state.posting.recipients.len() as u16);
            }
            state.posting.recipients.push(recipient);
        }
        let many = state.recipients.len() + state.posting.recipients.len() > RECIPIENTS_MAX;
        if many || posting_bytes(&state.posting.envelope, &state.posting.recipients) > POSTING_BYTES_MAX {
            state.posting.recipients.truncate(known);
            state.reports.retain(|place| usize::from(*place) < known);
            return Err(Refusal::TooManyRecipients);
        }
        Ok(())
    }

    /// Says that messages of the outbound queue are done with once this letter is there: a bounce, and what it is about,
    /// are one change.
    ///
    /// # Errors
    /// [`Refusal::NotDurable`] for a draft that is lost, [`Refusal::Limit`] for more runs of UIDs than a letter has
    /// recipients.
    pub fn settle_with(&mut self, draft: &Draft, uids: &UidSet) -> Result<(), Refusal> {
        if uids.run_count() > RECIPIENTS_MAX {
            return Err(Refusal::Limit);
        }
        let index = self.drafts.find(draft.id()).ok_or(Refusal::NotDurable)?;
        self.drafts.get_mut(index).ok_or(Refusal::NotDurable)?.settles = uids.clone();
        Ok(())
    }

    /// Messages of the outbound queue are done with: they were delivered, or nobody is to try them any more. UIDs that
    /// are not there are passed over.
    ///
    /// # Errors
    /// [`Refusal::Limit`] for more than [`RANGES_MAX`] runs of UIDs, and those of every change.
    pub fn depart(&mut self, uids: &UidSet) -> Result<Ticket, Stop> {
        if uids.run_count() > RANGES_MAX {
            return Err(Refusal::Limit.into());
        }
        self.room_for(Class::Care, RECORD_NUMBERS + RANGE_BYTES * uids.run_count())?;
        let record = Depart { modseq: self.state.take_modseq() };
        self.change(&Change::of(kind::DEPART, &[OUTBOUND.0]), |out| {
            put(out, &record)?;
            put_uids(out, uids)
        })
    }

    /// Which letter a message of the outbound queue is of: those of one letter have the same number, for as long as one
    /// of them is there.
    #[must_use]
    pub fn queued_letter(&self, uid: Uid) -> Option<u32> {
        let queue = self.state.mailboxes.get(&OUTBOUND.0)?;
        Some(queue.entries.get(uid)?.letter)
    }

    /// The envelope of a letter in the outbound queue.
    ///
    /// # Errors
    /// [`Unready`].
    pub fn posting(&mut self, uid: Uid) -> Result<Posting, Unready> {
        let queue = self.state.mailboxes.get(&OUTBOUND.0);
        let entry = queue.and_then(|queue| queue.entries.get(uid)).ok_or(Unready::Gone)?;
        let letter = self.state.letters.get(entry.letter).ok_or(Unready::Gone)?;
        let at = self.commit_mark(&letter);
        let (posting, recipients) = self.read_commit(at)?.posting().ok_or(Unready::Damaged)?;
        Ok(Posting {
            envelope: envelope_of(&posting),
            recipients: recipients.filter_map(|one| recipient_of(&one)).collect(),
        })
    }
}

/// The flags with which recipient number `place` of a letter begins in the queue.
pub(crate) fn first_flags(place: usize, reports: &[u16]) -> u64 {
    let recipient = place as u16;
    let outbound = Outbound { recipient, report_only: reports.contains(&recipient), ..Outbound::default() };
    outbound.to_flags().0
}

/// Bytes of a posting in its record, at most.
pub(crate) fn posting_bytes(envelope: &Envelope, recipients: &[Recipient]) -> usize {
    /// Lengths, numbers and marks.
    const NUMBERS: usize = 8;
    /// Of the body, with whether there is one.
    const HASH: usize = 33;
    let sender = envelope.sender.as_ref().map_or(0, |sender| sender.as_str().len());
    let one = |one: &Recipient| one.address.as_str().len() + one.original.len() + NUMBERS;
    sender + envelope.id.len() + 4 * NUMBERS + HASH + recipients.iter().map(one).sum::<usize>()
}

/// A posting as its record has it.
pub(crate) fn posting_put(
    posting: &Posting,
) -> (PostingPut<'_>, impl ExactSizeIterator<Item = RecipientPut<'_>>) {
    let Envelope { sender, submitter, id, not_before, body_hash, .. } = &posting.envelope;
    let put = PostingPut {
        sender: sender.as_ref().map_or("", Address::as_str),
        submitter: submitter.map_or(0, |account| account.0),
        marks: marks_of(&posting.envelope),
        id,
        not_before: not_before.map(|time| time.0),
        body_hash: *body_hash,
    };
    let recipients = posting.recipients.iter().map(|recipient| RecipientPut {
        address: recipient.address.as_str(),
        notify: recipient.notify.0,
        original: &recipient.original,
    });
    (put, recipients)
}

fn marks_of(envelope: &Envelope) -> u8 {
    let body = match envelope.body {
        BodyKind::SevenBit => 0,
        BodyKind::EightBit => mark::EIGHT_BIT,
        BodyKind::Binary => mark::BINARY,
    };
    let returns = match envelope.returns {
        None => 0,
        Some(Returns::Full) => mark::RETURNS_FULL,
        Some(Returns::Headers) => mark::RETURNS_HEADERS,
    };
    let bit = |on: bool, bit: u8| if on { bit } else { 0 };
    body | returns | bit(envelope.utf8, mark::UTF8) | bit(envelope.requires_tls, mark::REQUIRES_TLS)
}

fn envelope_of(put: &PostingPut<'_>) -> Envelope {
    let has = |bit: u8| put.marks & bit != 0;
    Envelope {
        sender: Address::parse(put.sender).ok(),
        submitter: Some(AccountId(put.submitter)).filter(|account| account.0 != 0),
        body: match () {
            () if has(mark::BINARY) => BodyKind::Binary,
            () if has(mark::EIGHT_BIT) => BodyKind::EightBit,
            () => BodyKind::SevenBit,
        },
        utf8: has(mark::UTF8),
        requires_tls: has(mark::REQUIRES_TLS),
        returns: match () {
            () if has(mark::RETURNS_FULL) => Some(Returns::Full),
            () if has(mark::RETURNS_HEADERS) => Some(Returns::Headers),
            () => None,
        },
        id: put.id.into(),
        not_before: put.not_before.map(UnixTime),
        body_hash: put.body_hash,
    }
}

/// Only damage that has the right CRC makes an address that is none.
fn recipient_of(put: &RecipientPut<'_>) -> Option<Recipient> {
    let address = Address::parse(put.address).ok()?;
    Some(Recipient { address, notify: Notify(put.notify), original: put.original.into() })
}
